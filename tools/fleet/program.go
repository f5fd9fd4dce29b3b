package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// program is Mosquitto or Prometheus.
type program struct {
	name    string
	args    []string
	address string
	log     string
	cmd     *exec.Cmd
	ended   chan struct{}
}

// find looks for a program of a Debian package, which may be for root only.
func find(name, pack string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	if path := "/usr/sbin/" + name; exists(path) {
		return path, nil
	}
	return "", fmt.Errorf("%s is not here: sudo apt-get install --no-install-recommends %s", name, pack)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// freePort is an address that nobody has just now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// start starts it, and waits until it answers on its address.
func (p *program) start() error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd = exec.Command(p.name, p.args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) { cmd.Wait(); close(ended) }(p.cmd, p.ended)
	for range 600 {
		if c, err := net.Dial("tcp", p.address); err == nil {
			c.Close()
			return nil
		}
		select {
		case <-p.ended:
			text, _ := os.ReadFile(p.log)
			return fmt.Errorf("%s ended: %s", p.name, text)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s does not answer at %s", p.name, p.address)
}

func (p *program) kill() {
	p.cmd.Process.Kill()
	<-p.ended
}

// again kills it, and starts it a second later.
func (p *program) again() error {
	p.kill()
	time.Sleep(time.Second)
	return p.start()
}

// cpu is the processor time that it has used, and memory what it has resident, in bytes.
func (p *program) cpu() time.Duration {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	_, rest, _ := strings.Cut(string(data), ") ")
	list := strings.Fields(rest)
	if len(list) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(list[11])
	system, _ := strconv.Atoi(list[12])
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100
}

func (p *program) memory() int {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if list := strings.Fields(string(data)); len(list) > 1 {
		pages, _ := strconv.Atoi(list[1])
		return pages * os.Getpagesize()
	}
	return 0
}

func startBroker(folder string) (*program, error) {
	name, err := find("mosquitto", "mosquitto")
	if err != nil {
		return nil, err
	}
	address, err := freePort()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	conf := filepath.Join(folder, "mosquitto.conf")
	text := "listener " + port + " 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
	if os.Getuid() == 0 {
		text += "user root\n"
	}
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, err
	}
	p := &program{name: name, args: []string{"-c", conf}, address: address, log: filepath.Join(folder, "mosquitto.log")}
	return p, p.start()
}

func startPrometheus(o options, scraped string) (*program, error) {
	name, err := find("prometheus", "prometheus")
	if err != nil {
		return nil, err
	}
	address, err := freePort()
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "global: {scrape_interval: %v, evaluation_interval: %v}\n", o.scrape, o.scrape)
	if o.rules != "" {
		rules, err := filepath.Abs(o.rules)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "rule_files: [%q]\n", rules)
	}
	fmt.Fprintf(&b, "scrape_configs:\n- job_name: prometheus\n  static_configs: [{targets: [%q]}]\n- job_name: mien\n  relabel_configs: [{source_labels: [name], target_label: instance}]\n  static_configs:\n", address)
	for i := range o.units {
		fmt.Fprintf(&b, "  - {targets: [%q], labels: {name: %q, __metrics_path__: /%d/metrics}}\n", scraped, nodeName(i), i)
	}
	conf := path(o, "prometheus.yml")
	if err := os.WriteFile(conf, []byte(b.String()), 0o600); err != nil {
		return nil, err
	}
	p := &program{name: name, args: []string{"--config.file=" + conf, "--storage.tsdb.path=" + path(o, "tsdb"), "--web.listen-address=" + address, "--log.level=warn"}, address: address, log: path(o, "prometheus.log")}
	return p, p.start()
}

// ask gives the one number that a query of Prometheus has, or NaN's text.
func (p *program) ask(query string) string {
	r, err := http.Get("http://" + p.address + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return err.Error()
	}
	defer r.Body.Close()
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil || len(answer.Data.Result) == 0 {
		return "none"
	}
	return fmt.Sprint(answer.Data.Result[0].Value[1])
}

// way is the network between the units and the broker: it counts, and can be cut.
type way struct {
	address string
	bytes   atomic.Int64

	mu    sync.Mutex // covers conns
	conns map[net.Conn]bool
}

func newWay(ctx context.Context, to string) (*way, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &way{address: l.Addr().String(), conns: map[net.Conn]bool{}}
	context.AfterFunc(ctx, func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go w.pass(c, to)
		}
	}()
	return w, nil
}

func (w *way) pass(c net.Conn, to string) {
	defer c.Close()
	b, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer b.Close()
	w.mu.Lock()
	w.conns[c] = true
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.conns, c)
	}()
	go func() {
		defer c.Close()
		defer b.Close()
		io.Copy(counting{c, w}, b)
	}()
	io.Copy(counting{b, w}, c)
}

type counting struct {
	io.Writer
	of *way
}

func (c counting) Write(p []byte) (int, error) {
	c.of.bytes.Add(int64(len(p)))
	return c.Writer.Write(p)
}

// cut breaks those links that chosen says, and gives how many.
func (w *way) cut(chosen func() bool) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		if chosen() {
			c.Close()
			n++
		}
	}
	return n
}

// figures are what was used up to a moment.
type figures struct {
	at                  time.Time
	broker, watcher     time.Duration
	brokerMem, watchMem int
	bytes               int64
}

func takeFigures(broker, watcher *program, w *way) figures {
	return figures{time.Now(), broker.cpu(), watcher.cpu(), broker.memory(), watcher.memory(), w.bytes.Load()}
}

func report(out io.Writer, o options, a, b figures, h *heard, watcher *program, kills, cuts int) {
	took := b.at.Sub(a.at)
	h.mu.Lock()
	defer h.mu.Unlock()
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Fprintf(out, `%d units for %v, load average at the end %s
alarms: %d changes, %d never heard of, %d heard twice; %d messages out of order; broker killed %d times, %d links cut
from change to subscriber: p50 %v, p99 %v, longest %v; of %d that were kept meanwhile: longest %v
broker: %.1f %% of a processor, %.0f MB
MQTT: %.2f MB a unit a day, both ways
Prometheus: %.1f %% of a processor, %.0f MB; units heard %s, series %s, samples a second %s, share of scrapes missed %s
`, o.units, took.Round(time.Second), strings.Join(strings.Fields(string(load))[:3], " "),
		h.raises, len(h.due), h.twice, h.wrong, kills, cuts,
		share(h.took, .5).Round(time.Millisecond), share(h.took, .99).Round(time.Millisecond), share(h.took, 1).Round(time.Millisecond), len(h.late), share(h.late, 1).Round(time.Millisecond),
		100*(b.broker-a.broker).Seconds()/took.Seconds(), float64(b.brokerMem)/1e6,
		float64(b.bytes-a.bytes)/float64(o.units)/took.Hours()*24/1e6,
		100*(b.watcher-a.watcher).Seconds()/took.Seconds(), float64(b.watchMem)/1e6,
		watcher.ask("count(mien_up == 1)"), watcher.ask("prometheus_tsdb_head_series"), watcher.ask("rate(prometheus_tsdb_head_samples_appended_total[2m])"),
		watcher.ask(`1 - avg(avg_over_time(up{job="mien"}[`+fmt.Sprint(int(took.Seconds()))+`s]))`))
}
