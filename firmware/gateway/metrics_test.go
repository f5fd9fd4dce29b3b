package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/operator"
	"mien/firmware/state"
)

// scrape gives the answer to GET /metrics.
func scrape(t testing.TB, m Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// series are the lines of a scrape that are no comment.
func series(text string) (list []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			list = append(list, line)
		}
	}
	return list
}

// metered is the metrics of a unit on a socket, and the unit.
func metered(t testing.TB, levels ...string) (m Metrics, u *unit, stop func()) {
	path := filepath.Join(t.TempDir(), "s")
	u, stop = newUnit(t, path)
	t.Cleanup(stop)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	m = Metrics{Config: config.Metrics{Levels: levels}}
	m.Mirror = NewLink(ctx, func() (*operator.Client, error) { return operator.Dial(path) }).Mirror(ctx)
	return m, u, stop
}

// within scrapes until the text is there.
func within(t testing.TB, m Metrics, text string) string {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if got := scrape(t, m); strings.Contains(got, text) {
			return got
		} else if time.Now().After(end) {
			t.Fatalf("no %s in\n%s", text, got)
		}
	}
}

func TestMetrics(t *testing.T) {
	m, u, stop := metered(t, "au4", "au12", "valence")
	u.mu.Lock()
	s := rich()
	s.About.Started = 0
	for i := range s.Alarms {
		s.Alarms[i].Priority = alarm.Low
	}
	u.state = *s
	u.mu.Unlock()
	u.store(74565)
	text := within(t, m, "mien_results_total 74565")
	for _, want := range []string{
		"mien_up 1", `mien_unit_info{config_crc="beef",network_crc="cafe",unit="press",version="v1"} 1`, "mien_results_valid 1", "mien_latency_seconds 0.034",
		"mien_frames_dropped_total 17", "mien_availability_ratio 0.987", "mien_temperature_celsius 51.3", "mien_output_test 1", "mien_inhibited 1",
		"mien_time_synchronised 1", "mien_pilot_recording 1", "mien_journal_events_total 65543", `mien_fault{code="F05",name="too slow"} 1`, `mien_fault{code="F01",name="camera lost"} 0`,
		`mien_alarm_active{alarm="brow lowered 0",priority="low"} 0`, `mien_alarm_active{alarm="brow lowered 1",priority="low"} 1`, `mien_alarm_unacknowledged{alarm="brow lowered 1",priority="low"} 1`,
		`mien_alarm_unacknowledged{alarm="brow lowered 2",priority="low"} 0`, `mien_alarm_unknown{alarm="brow lowered 3",priority="low"} 1`, `mien_alarm_occurrences_total{alarm="brow lowered 3",priority="low"} 0`,
		`mien_output_on{output="lamp"} 1`, `mien_output_on{output="horn"} 0`, `mien_input_active{input="ack"} 1`, `mien_signal_level{signal="au4"} -0.19`,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("no %s", want)
		}
	}
	for _, never := range []string{"valence", `signal="au12"`, "au43", "NaN", "anger"} { // no purpose, Unknown, not asked for
		if strings.Contains(text, never) {
			t.Errorf("%s is there", never)
		}
	}
	covered := 0
	for i := range s.Alarms {
		if strings.Contains(text, fmt.Sprintf("mien_alarm_covered{alarm=\"brow lowered %d\",priority=\"low\"} 1", i)) != s.Alarms[i].State.Covered() {
			t.Errorf("alarm %d", i)
		}
		if s.Alarms[i].State.Covered() {
			covered++
		}
	}
	if covered == 0 {
		t.Error("no alarm was covered: nothing was tried")
	}
	lint(t, text)
	u.mu.Lock()
	about := *u.state.About
	about.Purpose = "safety"
	u.state.About = &about
	u.mu.Unlock()
	u.store(74566)
	within(t, m, `mien_signal_level{signal="valence"}`)
	stop()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if text = scrape(t, m); slices.Equal(series(text), []string{"mien_up 0"}) {
			break
		} else if time.Now().After(end) {
			t.Fatalf("of a unit that is away:\n%s", text)
		}
	}
	lint(t, text)
}

// A unit that is up and has nothing yet tells no value that is none.
func TestMetricsBeforeTheFirstResult(t *testing.T) {
	m, u, _ := metered(t)
	u.mu.Lock()
	u.state.Trusted = false
	u.mu.Unlock()
	u.store(0)
	text := within(t, m, "mien_results_total 0")
	for _, never := range []string{"mien_latency_seconds ", "mien_result_age_seconds ", "mien_availability_ratio ", "mien_temperature_celsius ", "NaN"} {
		if strings.Contains(text, "\n"+never) {
			t.Errorf("%s is there", never)
		}
	}
	if !strings.Contains(text, "\nmien_results_valid 0") || !strings.Contains(text, `alarm="<script>alert(1)</script>"`) {
		t.Error(text)
	}
}

// The most that a config can have: so many series, and each label's values are the config's.
func TestMetricsAreBounded(t *testing.T) {
	m, u, _ := metered(t)
	u.mu.Lock()
	s := rich()
	s.Alarms = nil
	for i := range 48 {
		s.Alarms = append(s.Alarms, alarm.Status{Name: fmt.Sprintf("alarm \"%d\" \\ 警報 %s", i, strings.Repeat("x", 12)), Place: i})
	}
	u.state = *s
	u.mu.Unlock()
	u.store(9)
	text := within(t, m, `alarm \"47\" \\ 警報`)
	labels := map[string]map[string]bool{}
	for _, l := range regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`).FindAllStringSubmatch(text, -1) {
		if labels[l[1]] == nil {
			labels[l[1]] = map[string]bool{}
		}
		labels[l[1]][l[2]] = true
	}
	if n := len(series(text)); n > 400 || len(labels["alarm"]) != 48 {
		t.Errorf("%d series, %d alarms", n, len(labels["alarm"]))
	} else {
		t.Logf("%d series", n)
	}
	lint(t, text)
}

// lint asks Prometheus' own tool, where it is there, what it thinks of a scrape.
func lint(t *testing.T, text string) {
	t.Helper()
	cmd := exec.Command(promtool(t), "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

func promtool(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not here: sudo apt-get install --no-install-recommends prometheus (it starts a server on port 9090)")
	}
	return path
}

// The rules and the dashboard of docs/plant name metrics that there are, and do what they say.
func TestPlantFiles(t *testing.T) {
	m, u, _ := metered(t, "au4")
	u.mu.Lock()
	u.state = *rich()
	u.mu.Unlock()
	u.store(9)
	names := map[string]bool{}
	for _, line := range series(within(t, m, "mien_results_total 9\n")) {
		names[regexp.MustCompile(`^\w+`).FindString(line)] = true
	}
	for _, file := range []string{"mien-alerts.yml", "grafana.json"} {
		data, err := os.ReadFile("../../docs/plant/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if file == "grafana.json" && !json.Valid(data) {
			t.Error("grafana.json is no JSON")
		}
		found := 0
		for _, name := range regexp.MustCompile(`mien_\w+`).FindAllString(string(data), -1) {
			if found++; !names[name] {
				t.Errorf("%s: there is no %s", file, name)
			}
		}
		if found < 10 {
			t.Errorf("%s names %d metrics", file, found)
		}
	}
	for _, args := range [][]string{{"check", "rules", "mien-alerts.yml"}, {"test", "rules", "mien-alerts_test.yml"}, {"check", "config", "--syntax-only", "prometheus.yml"}} {
		cmd := exec.Command(promtool(t), args...)
		cmd.Dir = "../../docs/plant"
		if out, err := cmd.CombinedOutput(); err != nil || bytes.Contains(out, []byte("FAILED")) {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// served is metrics on loopback.
func served(t *testing.T, m Metrics) (address string) {
	l, err := Listen("metrics.listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// Many scrapes at once are answered or turned away; the unit is asked for nothing by them,
// and what is no scrape gets nothing.
func TestScrapes(t *testing.T) {
	m, u, _ := metered(t)
	u.store(9)
	within(t, m, "mien_up 1")
	address := served(t, m)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	var scrapers sync.WaitGroup
	for range 8 {
		scrapers.Go(func() {
			for range 50 {
				r, err := client.Get("http://" + address + "/metrics")
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(r.Body)
				r.Body.Close()
				if r.StatusCode != 503 && (r.StatusCode != 200 || !bytes.Contains(body, []byte("mien_up 1"))) {
					t.Errorf("%d: %s", r.StatusCode, body)
				}
			}
		})
	}
	scrapers.Wait()
	for _, path := range []string{"/metrics/", "/Metrics", "/../etc/passwd", "/debug/pprof/", "/api/state", "/metrics%00", "/%2e%2e/metrics"} {
		r, err := client.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if r.StatusCode != 404 || bytes.Contains(body, []byte("mien_")) {
			t.Errorf("%s: %d %s", path, r.StatusCode, body)
		}
	}
	for _, raw := range []string{"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "GET /metrics HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00",
		"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", "\r\n\r\n\r\n"} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		c.Write([]byte(raw))
		c.SetReadDeadline(time.Now().Add(30 * time.Second))
		answer, _ := io.ReadAll(c)
		c.Close()
		if bytes.Contains(answer, []byte("mien_up")) {
			t.Errorf("%.40q: %s", raw, answer)
		}
	}
	var full []net.Conn // one address cannot take all places, nor keep those that it has by saying nothing
	for range 3 * maxScrapers {
		c, err := net.Dial("tcp", address)
		if err != nil {
			continue
		}
		defer c.Close()
		full = append(full, c)
	}
	other := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.9")}}).DialContext}}
	r, err := other.Get("http://" + address + "/metrics")
	if err != nil || r.StatusCode != 200 {
		t.Fatalf("another address, with %d connections of the first: %v", len(full), err)
	}
	r.Body.Close()
}

// Who is not in metrics.allow is hung up on, and that is told, once.
func TestMetricsAllow(t *testing.T) {
	told := make(chan string, 100)
	m := Metrics{Config: config.Metrics{Allow: []string{"127.0.0.7"}}, Mirror: operator.NewMirror(), Say: func(format string, args ...any) { told <- fmt.Sprintf(format, args...) }}
	address := served(t, m)
	for range 5 {
		if r, err := http.Get("http://" + address + "/metrics"); err == nil {
			t.Fatalf("answered: %d", r.StatusCode)
		}
	}
	if text := <-told; text != "metrics: 127.0.0.1 is not in metrics.allow, and is not answered" || len(told) > 0 {
		t.Error(text, len(told))
	}
	other := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.7")}}).DialContext}}
	r, err := other.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if body, _ := io.ReadAll(r.Body); !slices.Equal(series(string(body)), []string{"mien_up 0"}) {
		t.Errorf("%s", body)
	}
}

// Too old a result is not valid, though nobody has said so yet.
func TestMetricsOfAStaleResult(t *testing.T) {
	s := rich()
	if !valid(s, time.Second) || valid(s, 3*time.Second) || valid(&state.State{About: &state.About{}, Trusted: true}, 0) {
		t.Error("valid is wrong")
	}
	s.About.StaleAfter, s.Temperature = 0, float32(math.NaN())
	if !valid(s, time.Hour) {
		t.Error("no result is too old where stale is off")
	}
}
