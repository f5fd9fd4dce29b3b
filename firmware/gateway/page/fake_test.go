package page

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// unit is a gateway that a test holds in its hand: the page sees what the test says.
type unit struct {
	*httptest.Server
	files map[string][]byte

	mu     sync.Mutex // covers what is below
	role   string     // of who is logged in; "": nobody is
	edit   func(state map[string]any)
	lost   bool
	asked  []map[string]any // what the page asked, oldest first
	refuse string           // the answer to the next request
	frozen bool             // no state comes
	away   bool             // no request is answered
	served []string         // paths of files that were asked for
	bye    string
	over   string // why a session is not there any more
}

const csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

var rights = map[string][]string{
	"viewer":        {"status", "alarms", "events", "stream", "pilot", "card"},
	"operator":      {"do.acknowledge", "do.reset", "do.silence", "do.shelve", "do.unshelve", "do.note", "mark", "pilot.drill"},
	"engineer":      {"do.take out", "do.put back", "do.inhibit", "do.uninhibit", "test", "pilot.start", "pilot.stop", "config", "config.check", "config.version", "config.apply", "config.set", "study", "serial", "try"},
	"administrator": {"pilot.erase", "clock"},
}

func mayOf(role string) (may []string) {
	for _, r := range []string{"viewer", "operator", "engineer", "administrator"} {
		may = append(may, rights[r]...)
		if r == role {
			break
		}
	}
	return may
}

func newUnit(t *testing.T) *unit {
	t.Helper()
	files, err := Files()
	if err != nil {
		t.Skip(err)
	}
	return startUnit(t, files)
}

func startUnit(t *testing.T, files map[string][]byte) *unit {
	u := &unit{files: files}
	u.Server = httptest.NewServer(u)
	t.Cleanup(func() {
		u.set(func() { u.away = true })
		u.CloseClientConnections()
		u.Close()
	})
	return u
}

// why a session is over.
func (u *unit) why() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.over
}

func (u *unit) set(f func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f()
}

func (u *unit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	role, away, refuse := u.role, u.away, u.refuse
	u.mu.Unlock()
	if away {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Security-Policy", csp)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	answer := func(code int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		json.NewEncoder(w).Encode(v)
	}
	me := func() any {
		return map[string]any{"name": "anna", "role": role, "csrf": "c", "idle_s": 900, "unit": "press 3", "version": "test", "may": mayOf(role)}
	}
	if !strings.HasPrefix(r.URL.Path, "/api/") {
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		if name == "" {
			name = "index.html"
		}
		content, found := u.files[name]
		if !found {
			answer(404, map[string]string{"error": "not found"})
			return
		}
		u.set(func() { u.served = append(u.served, name) })
		w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
		w.Write(content)
		return
	}
	if r.URL.Path == "/api/login" {
		var in struct{ Name, Password string }
		json.NewDecoder(r.Body).Decode(&in)
		if rights[in.Name] == nil || in.Password != "right" {
			answer(401, map[string]string{"error": "name or password is wrong"})
			return
		}
		role = in.Name
		u.set(func() { u.role = role })
		answer(200, me())
		return
	}
	if role == "" {
		answer(401, map[string]string{"error": "no session", "why": u.why()})
		return
	}
	switch r.URL.Path {
	case "/api/me":
		answer(200, me())
	case "/api/password":
		var in struct{ Old, New string }
		json.NewDecoder(r.Body).Decode(&in)
		switch {
		case in.Old != "right":
			answer(403, map[string]string{"error": "the password is wrong"})
		case len(in.New) < 12:
			answer(409, map[string]string{"error": "the password has 5 characters: it needs at least 12"})
		default:
			w.WriteHeader(204)
		}
	case "/api/logout":
		u.set(func() { u.role = "" })
		w.WriteHeader(204)
	case "/api/ask":
		if r.Header.Get("X-Mien-CSRF") != "c" {
			answer(403, map[string]string{"error": "csrf"})
			return
		}
		var in map[string]any
		body, _ := io.ReadAll(r.Body)
		json.Unmarshal(body, &in)
		u.set(func() { u.asked = append(u.asked, in) })
		word := fmt.Sprint(in["ask"])
		if word == "do" {
			word += "." + fmt.Sprint(in["do"])
		}
		switch {
		case !slices.Contains(mayOf(role), word):
			answer(403, map[string]string{"error": "a " + role + " may not"})
		case refuse != "":
			answer(409, map[string]string{"error": refuse})
		case word == "config":
			answer(200, map[string]any{"config": u.config(in)})
		case word == "serial":
			answer(200, map[string]any{"serial": map[string]any{"protocol": "modbus", "port": "/dev/ttyAMA0",
				"frames": []any{map[string]any{"n": 1, "at": time.Now(), "raw": "110400000003B29B", "text": "to 17: read input registers 0 to 2 (map_version, status)"},
					map[string]any{"n": 2, "at": time.Now(), "out": true, "raw": "11040600040003000A0F2E", "text": "read input registers: map_version = 4, status = 0003 result_valid, healthy"}},
				"counts":    []any{map[string]any{"name": "frames", "n": 412}, map[string]any{"name": "damaged", "n": 0}, map[string]any{"name": "refused", "n": 1}},
				"registers": []any{map[string]any{"space": "input register", "address": 0, "name": "map_version", "value": "4", "meaning": "version of this map"}, map[string]any{"space": "input register", "address": 20, "name": "au4", "value": "0.31", "meaning": "brow lowerer"}}}})
		case word == "try":
			answer(200, map[string]any{"tried": map[string]any{"now": []any{}, "then": []any{}}})
		case word == "study":
			answer(200, map[string]any{"study": map[string]any{"do": "", "going": false}})
		case word == "card":
			answer(200, map[string]any{"card": map[string]any{"name": "mien affect", "version": "9", "licence": "Apache-2.0", "outputs": map[string]any{"action_units": map[string]any{"units": []int{1, 2, 4}}}}})
		default:
			answer(200, map[string]any{"done": []any{}})
		}
	case "/api/about":
		answer(200, map[string]any{"version": "test", "go": "go1.26", "licences": "# Licences\n\nApache-2.0", "users": 4,
			"listens": []any{map[string]any{"what": "page", "address": "127.0.0.1:8470", "tls": false}}})
	case "/api/events":
		answer(200, map[string]any{"events": u.events()})
	case "/api/events.csv":
		w.Header().Set("Content-Type", "text/csv")
		fmt.Fprintln(w, "n,time")
	case "/api/stream":
		u.stream(w, r)
	default:
		answer(404, map[string]string{"error": "not found"})
	}
}

const file = "[unit]\nname = \"press 3\"\n\n[[alarm]]\nname = \"eyes closed\"\nsignal = \"eyes_closed\"\nhigh = 0.6\ndeadband = 0.15\n"

// config answers as a unit does whose file has no mistake but what is behind "wrong".
func (u *unit) config(in map[string]any) map[string]any {
	ask, _ := in["config"].(map[string]any)
	switch text := fmt.Sprint(ask["text"]); ask["do"] {
	case nil:
		return map[string]any{"file": "/etc/mien/mien.toml", "text": file, "base": "b", "versions": []any{
			map[string]any{"id": "2", "at": time.Now().Add(-time.Hour), "who": "anna via mien-gateway", "why": "the lamp is new", "bytes": 100}}}
	case "check":
		if strings.Contains(text, "wrong") {
			return map[string]any{"problems": []any{map[string]any{"line": 2 + strings.Count(text[:strings.Index(text, "wrong")], "\n") - 1, "key": "wrong", "text": "there is no such key", "did_you_mean": "high", "warning": false}}}
		}
		return map[string]any{"changes": []any{map[string]any{"path": "alarm[eyes closed].high", "from": "0.6", "to": "0.5", "takes": "at once"},
			map[string]any{"path": "page.listen", "from": `"127.0.0.1:8470"`, "to": `"0.0.0.0:8470"`, "takes": "the gateway opens its ports again"}},
			"dangers": []any{"page.listen is 0.0.0.0:8470: the page is open to the network there"}}
	}
	return map[string]any{"text": file, "base": "b"}
}

func (u *unit) events() []any {
	at := time.Now().Add(-time.Minute)
	event := func(n int, trigger, from, to, name, who string) any {
		return map[string]any{"n": n, "start": 1, "at": n * 1e9, "wall": at.Add(time.Duration(n) * time.Second), "event": trigger, "alarm": name, "from": from, "to": to, "life": to, "who": who}
	}
	return []any{event(1, "start", "normal", "normal", "", ""), event(2, "raise", "normal", "unacknowledged", "eyes closed", ""),
		event(3, "acknowledge", "unacknowledged", "acknowledged", "eyes closed", "gateway anna"), event(4, "raise", "normal", "unacknowledged", hostile, "")}
}

// hostile is an alarm whose name would be a script where a page takes it for one.
const hostile = `<img src=x onerror=alert(1)>`

func (u *unit) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	flush := w.(http.Flusher)
	tell := func(name string, v any) {
		b, _ := json.Marshal(v)
		fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, b)
	}
	names := []string{"au1", "au2", "au4", "au6", "au7", "au12", "au25", "au26", "au43", "eyes_closed", "perclos", "visible.eyes", "visible.mouth"}
	humans := []string{"AU1 inner brow raiser", "AU2 outer brow raiser", "AU4 brow lowerer", "AU6 cheek raiser", "AU7 lid tightener", "AU12 lip corner puller", "AU25 lips part", "AU26 jaw drop", "AU43 eyes closed", "eyes closed", "PERCLOS", "eyes visible", "mouth visible"}
	var signals []any
	for i, n := range names {
		signals = append(signals, map[string]any{"name": n, "human": humans[i], "min": 0, "max": 1})
	}
	alarm := func(name, priority, signal string, limit float64) any {
		return map[string]any{"name": name, "priority": priority, "all": true, "on_delay_ms": 1000, "off_delay_ms": 1000, "latch": true,
			"conditions": []any{map[string]any{"signal": signal, "side": "above", "limit": limit, "off": limit - .15}}}
	}
	tell("about", map[string]any{"unit": "press 3", "version": "test", "signals": signals, "outputs": []string{"healthy", "lamp", "horn"}, "inputs": []string{"ack button"},
		"region": []float64{.2, .05, .6, .9}, "rotate": 0, "serial": "modbus on /dev/ttyAMA0", "purpose": "", "config_crc": 7,
		"gate":   map[string]any{"min_size": 60, "min_light": 25, "max_light": 235, "min_contrast": 10, "max_clipped": .5, "min_sharpness": .025, "max_yaw": 40, "max_pitch": 30, "max_roll": 35, "max_outside": .1},
		"alarms": []any{alarm("eyes closed", "critical", "eyes_closed", .6), alarm("brow lowered", "high", "au4", .7), alarm(hostile, "low", "au12", .8)}})
	tell("events", u.events())
	flush.Flush()
	start := time.Now()
	told := false
	for n := 0; ; n++ {
		select {
		case <-r.Context().Done():
			return
		case <-time.After(time.Second / 15):
		}
		u.mu.Lock()
		edit, lost, frozen, away, bye := u.edit, u.lost, u.frozen, u.away, u.bye
		u.mu.Unlock()
		switch {
		case away:
			panic(http.ErrAbortHandler)
		case bye != "":
			tell("bye", map[string]string{"why": bye})
			flush.Flush()
			return
		case lost:
			if !told {
				tell("lost", map[string]string{"why": "connection refused"})
				told = true
				flush.Flush()
			}
			continue
		case frozen:
			continue
		}
		told = false
		s := stateAt(n, time.Since(start), names)
		if edit != nil {
			edit(s)
		}
		tell("state", s)
		flush.Flush()
	}
}

func stateAt(n int, since time.Duration, names []string) map[string]any {
	at := time.Now()
	levels := make([]any, len(names))
	for i := range levels {
		levels[i] = math.Round(1e4*(.3+.25*math.Sin(since.Seconds()/2+float64(i)))) / 1e4
	}
	alarm := func(name, priority, state, signal string, limit float64) map[string]any {
		active := state == "unacknowledged" || state == "acknowledged"
		return map[string]any{"name": name, "priority": priority, "state": state, "for_ms": since.Milliseconds(), "signal": signal, "level": .42, "side": "above", "limit": limit, "off": limit - .15,
			"count": 3, "first_out": false, "silenced": false, "unknown": false, "shelved_ms": 0, "re_alarm_ms": 0, "max_shelve_ms": 3600000, "why": "", "needs_ack": strings.Contains(state, "unack"), "active": active, "latched": strings.HasPrefix(state, "latched")}
	}
	return map[string]any{"n": n, "at": at.UnixMilli(), "taken": at.Add(-40 * time.Millisecond).UnixMilli(), "up_ms": since.Milliseconds() + 86400000, "valid": true, "reason": "", "advice": "",
		"rate": 15.2, "latency_ms": 31.4, "dropped": 0, "available": .998, "levels": levels, "covered": []string{},
		"aim": map[string]any{"width": 640, "height": 480, "light": 110, "contrast": 48, "turned": 0, "faces": 1,
			"face": map[string]any{"box": []float64{.4, .3, .6, .56}, "points": [][]float64{{.45, .38}, {.55, .38}, {.5, .44}, {.5, .5}, {.41, .4}, {.59, .4}}, "score": .95, "size": 128, "eyes": 64, "inside": 1,
				"yaw": 3, "pitch": -14, "roll": 1, "light": 120, "contrast": 40, "dark": 0, "bright": .01, "sharpness": .12},
			"advice": []any{map[string]any{"code": "lower", "by": 12, "unit": "deg"}}},
		"faults": []any{}, "outputs": []bool{n%8 < 4, false, false}, "inputs": []bool{false}, "test_ms": 0, "inhibit_ms": 0,
		"alarms": []any{alarm("eyes closed", "critical", "unacknowledged", "eyes_closed", .6), alarm("brow lowered", "high", "normal", "au4", .7), alarm(hostile, "low", "latched acknowledged", "au12", .8)},
		"clock":  map[string]any{"time": at, "source": "synchronised", "offset": 0, "settable": false}, "temperature": 51.5, "pilot": map[string]any{"recording": true, "allowed": true, "purpose": "limits for press 3", "ends": at.Add(72 * time.Hour), "files": 3, "bytes": 41_000_000, "frames": 912_345, "dropped": 0, "marks_right": 12, "marks_false": 3, "marks_missed": 1}}
}
