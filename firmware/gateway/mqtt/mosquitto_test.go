package mqtt

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"mien/firmware/alarm"
	"mien/firmware/operator"
)

var cuts = flag.Int("cuts", 20, "restarts of the broker and cuts of the link in TestCutsAndRestarts")

// inBoth runs a test with each version of MQTT.
func inBoth(t *testing.T, f func(t *testing.T, version string)) {
	for _, v := range []string{"5", "3.1.1"} {
		t.Run("MQTT "+v, func(t *testing.T) { f(t, `version = "`+v+`"`) })
	}
}

// A real broker that is killed, a link that is cut, at any moment: no state that an alarm
// had is lost, and each birth is right.
func TestCutsAndRestarts(t *testing.T) {
	inBoth(t, func(t *testing.T, version string) {
		m, u := newMosquitto(t), newUnit(t)
		link := newProxy(t, m.address())
		h := newHost(t, m.address(), "scada")
		n, _, _ := node(t, u, settings(t, link.url(), version, `primary_host = "scada"`))
		eventually(t, "a birth", func() bool { return h.count("NBIRTH") > 0 })
		type change struct {
			at    int64
			state string
		}
		var happened []change
		last := int64(0)
		happen := func() {
			for range rand.N(4) {
				for time.Now().UnixMilli() <= last { // each has a time of its own
					time.Sleep(200 * time.Microsecond)
				}
				e := u.alarm("brow lowered", []alarm.State{alarm.Unacknowledged, alarm.Acknowledged}[len(happened)%2])
				last = e.Wall.UnixMilli()
				happened = append(happened, change{last, e.To.String()})
			}
			time.Sleep(time.Duration(rand.N(30)) * time.Millisecond)
		}
		restarts, began, routines := 0, time.Now(), runtime.NumGoroutine()
		for i := range *cuts {
			happen()
			if i%3 == 0 {
				restarts++
				m.kill()
				happen()
				m.start(m.cmd.Path)
				happen()
				h.c.Disconnect(&paho.Disconnect{})
				h.connect()
			} else {
				link.close(true)
				link.cut()
				happen()
				link.close(false)
			}
			happen()
			if rand.N(2) == 0 { // else the next cut comes before the birth
				births := h.count("NBIRTH")
				eventually(t, "a birth", func() bool { return h.count("NBIRTH") > births || n.isLive() })
			}
		}
		happen()
		u.alarm("眠気", alarm.Unacknowledged) // the last one
		missing := func() (list []change) {
			got := map[change]bool{}
			names := map[uint64]string{}
			for _, s := range h.all() {
				for _, m := range s.metrics {
					if s.verb == "NBIRTH" {
						names[m.alias] = m.name
					}
					if names[m.alias] == "Alarms/brow lowered/State" {
						got[change{m.at, fmt.Sprint(m.value)}] = true
					}
				}
			}
			for _, c := range happened {
				if !got[c] {
					list = append(list, c)
				}
			}
			return list
		}
		for end := time.Now().Add(20 * time.Second); len(missing()) > 0 && time.Now().Before(end); {
			time.Sleep(50 * time.Millisecond)
		}
		if list := missing(); len(list) > 0 {
			t.Errorf("%d of %d states are lost: %v", len(list), len(happened), list[:min(10, len(list))])
		}
		if now := runtime.NumGoroutine(); now > routines+20 {
			t.Errorf("%d goroutines, and %d at the start", now, routines)
		}
		births, wrong := checkOrder(h.all())
		for _, w := range wrong {
			t.Error(w)
		}
		t.Logf("%d restarts of the broker, %d cuts, %d states, %d births, %v", restarts, *cuts-restarts, len(happened), births, time.Since(began).Round(time.Second))
	})
}

func (n *Node) isLive() bool {
	n.known.mu.Lock()
	defer n.known.mu.Unlock()
	return n.known.live
}

// checkOrder looks at what a host heard of one node: sequence numbers, births, aliases.
func checkOrder(list []seen) (births int, wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	next, deaths, names := -1, -1, map[uint64]bool{}
	for i, s := range list {
		switch s.verb {
		case "NBIRTH":
			births++
			if s.seq != 0 {
				say("message %d: a birth with seq %d", i, s.seq)
			}
			n := int(s.metric("bdSeq").value.(uint64))
			if deaths >= 0 && n == deaths {
				say("message %d: bdSeq %d again in another session", i, n)
			}
			deaths, next, names = n, 1, map[uint64]bool{}
			for _, m := range s.metrics {
				names[m.alias] = true
				if m.name == "" || m.kind == 0 || m.null != (m.value == nil) {
					say("message %d: %+v", i, m)
				}
			}
			if s.metric(nameRebirth) == nil || s.metric("Alarms/brow lowered/State") == nil {
				say("message %d: not a whole birth", i)
			}
		case "NDATA":
			if next >= 0 && s.seq != next {
				say("message %d: data with seq %d, not %d", i, s.seq, next)
			}
			next = (s.seq + 1) % 256
			for _, m := range s.metrics {
				if !names[m.alias] {
					say("message %d: the birth has no alias %d", i, m.alias)
				}
			}
		case "NDEATH":
			if int(s.metrics[0].value.(uint64)) == deaths {
				next = -1
			}
		}
		if s.verb != "STATE" && s.verb != "NDEATH" && (s.qos != 0 || s.retain) {
			say("message %d: %s with QoS %d, retained %v", i, s.verb, s.qos, s.retain)
		}
	}
	return births, wrong
}

// From an alarm to a subscriber.
func TestHowLongAnAlarmTakes(t *testing.T) {
	m, u := newMosquitto(t), newUnit(t)
	h := newHost(t, m.address(), "")
	node(t, u, settings(t, "mqtt://"+m.address()))
	eventually(t, "a birth", func() bool { return h.count("NBIRTH") > 0 })
	var took []time.Duration
	for i := range 100 {
		n := h.count("NDATA")
		began := time.Now()
		u.alarm("brow lowered", []alarm.State{alarm.Unacknowledged, alarm.Acknowledged}[i%2])
		eventually(t, "data", func() bool { return h.count("NDATA") > n })
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("from an alarm to a subscriber: median %v, p99 %v", took[50], took[98])
	if took[98] > time.Second {
		t.Errorf("p99 %v", took[98])
	}
}

// The will of a node whose machine loses its power.
func TestWill(t *testing.T) {
	inBoth(t, func(t *testing.T, version string) {
		m, u := newMosquitto(t), newUnit(t)
		link := newProxy(t, m.address())
		h := newHost(t, m.address(), "")
		node(t, u, settings(t, link.url(), version))
		eventually(t, "a birth", func() bool { return h.count("NBIRTH") == 1 })
		link.close(true)
		link.cut()
		eventually(t, "a death", func() bool { return h.count("NDEATH") == 1 })
		if got, want := h.verbs("NDEATH")[0].metrics[0].value, h.verbs("NBIRTH")[0].metric("bdSeq").value; got != want {
			t.Errorf("the death of %v, the birth of %v", got, want)
		}
	})
}

// A command that a host left retained, before the node came and while it is there; and one
// that is not.
func TestRetainedCommands(t *testing.T) {
	inBoth(t, func(t *testing.T, version string) {
		m, u := newMosquitto(t), newUnit(t)
		h := newHost(t, m.address(), "")
		ack := asCommand(sent{metric: metric{"Alarms/brow lowered/Acknowledge", typeBoolean, true, 1}})
		h.publish(ncmd, ack, 1, true)
		_, said, _ := node(t, u, settings(t, "mqtt://"+m.address(), version, "write = true"))
		eventually(t, "a birth", func() bool { return h.count("NBIRTH") == 1 })
		eventually(t, "it is refused", func() bool { return said.has("retained") })
		if strings.Contains(version, "5") { // an older broker does not say that what it passes on is retained
			h.publish(ncmd, ack, 1, true)
		}
		time.Sleep(300 * time.Millisecond)
		acks := func() (n int) {
			for _, r := range u.orders() {
				if r.Do == alarm.Acknowledge {
					n++
				}
			}
			return n
		}
		if acks() != 0 {
			t.Error("a retained command was obeyed")
		}
		h.publish(ncmd, ack, 0, false)
		eventually(t, "it is obeyed", func() bool { return acks() == 1 })
	})
}

// Two clients with one id: the broker throws one out for the other. It is told, and they
// do not fight as fast as they can.
func TestTwoClientsOfOneName(t *testing.T) {
	m := newMosquitto(t)
	c := settings(t, "mqtt://"+m.address())
	_, one, _ := node(t, newUnit(t), c)
	_, two, _ := node(t, newUnit(t), c)
	eventually(t, "it is told", func() bool { return one.has("another client") || two.has("another client") })
}

// A broker that asks for user and password.
func TestPasswordAtARealBroker(t *testing.T) {
	inBoth(t, func(t *testing.T, version string) {
		program, err := exec.LookPath("mosquitto_passwd")
		if err != nil {
			t.Skip("mosquitto_passwd is not here: sudo apt-get install --no-install-recommends mosquitto")
		}
		folder := t.TempDir()
		users := filepath.Join(folder, "users")
		if out, err := exec.Command(program, "-b", "-c", users, "anna", "right").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		os.Chmod(users, 0o644)
		m, u := newMosquitto(t, "allow_anonymous false", "password_file "+users), newUnit(t)
		path := filepath.Join(folder, "password")
		os.WriteFile(path, []byte("wrong\n"), 0o600)
		n, said, _ := node(t, u, settings(t, "mqtt://"+m.address(), version, `user = "anna"`, `password_file = "`+path+`"`))
		eventually(t, "it is told", func() bool { return said.has("the broker refused the connection") })
		os.WriteFile(path, []byte("right\n"), 0o600)
		eventually(t, "a session", n.isLive)
	})
}

// payloads gives what a node sends in a session, and commands of each type.
func payloads(t *testing.T) (list []seen) {
	b, u := newBroker(t), newUnit(t)
	u.change(func(a *operator.About, n *operator.Now) { n.Rate = 14.83; n.Dropped = 1 << 60 })
	b.set(func() { b.refuse = 0x88 })
	n, _, stop := node(t, u, settings(t, b.url(), `levels = ["au4", "perclos"]`, `levels_every = "100ms"`, "write = true"))
	eventually(t, "the unit", func() bool { _, _, heard := n.known.state(); return heard })
	u.alarm("眠気", alarm.Unacknowledged)
	eventually(t, "the alarm", func() bool { n.known.mu.Lock(); defer n.known.mu.Unlock(); return n.known.last == 1 })
	b.set(func() { b.refuse = 0 })
	eventually(t, "history", func() bool { return len(b.verbs("NDATA")) > 0 })
	u.change(func(a *operator.About, n *operator.Now) {
		n.Valid = false
		n.Reason = "no face \"\\\u00e9\u0000"
		n.Levels[0] = -0.25
	})
	eventually(t, "data", func() bool { return len(b.verbs("NDATA")) > 2 })
	stop()
	eventually(t, "a death", func() bool { return len(b.verbs("NDEATH")) > 0 })
	return b.told()
}

// Two decoders by others read what the node sends, as it was meant.
func TestDecodersByOthers(t *testing.T) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	list := payloads(t)
	var in bytes.Buffer
	for _, s := range list {
		fmt.Fprintln(&in, s.verb, hex.EncodeToString(s.payload))
	}
	type found struct {
		At      int64
		Seq     int
		Metrics []struct {
			Name       *string
			Type       datatype
			Value      any
			At         int64
			Alias      uint64
			Historical bool
			Null       bool
		}
	}
	for _, d := range []struct {
		name, program, script string
		births                bool // it reads data by the birth
	}{
		{"pysparkplug", root + "/.venv-mqtt/bin/python", "decoders/decode.py", true},
		{"sparkplug-payload", "node", "decoders/decode.js", false},
	} {
		t.Run(d.name, func(t *testing.T) {
			if !exists(root + "/.venv-mqtt/.pinned") {
				t.Skip("its environment is not here: make .venv-mqtt/.pinned")
			}
			cmd := exec.Command(d.program, d.script)
			cmd.Env = append(os.Environ(), "NODE_PATH="+root+"/.venv-mqtt/node_modules")
			cmd.Stdin = bytes.NewReader(in.Bytes())
			var wrong bytes.Buffer
			cmd.Stderr = &wrong
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, wrong.String())
			}
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			if len(lines) != len(list) {
				t.Fatalf("%d messages of %d", len(lines), len(list))
			}
			names := map[uint64]*seenMetric{}
			compared := 0
			for i, line := range lines {
				var f found
				if err := json.Unmarshal([]byte(line), &f); err != nil {
					t.Fatal(err)
				}
				s := list[i]
				if s.verb == "NDEATH" && d.births { // of which it gives bdSeq alone
					if f.Metrics[0].Value != float64(s.metrics[0].value.(uint64)) {
						t.Errorf("a death: %s", line)
					}
					continue
				}
				if f.At != s.at || f.Seq != s.seq || len(f.Metrics) != len(s.metrics) {
					t.Errorf("%s: at %d, seq %d, %d metrics; sent: at %d, seq %d, %d metrics", s.verb, f.At, f.Seq, len(f.Metrics), s.at, s.seq, len(s.metrics))
					continue
				}
				for j, m := range s.metrics {
					got := f.Metrics[j]
					if s.verb == "NBIRTH" {
						names[m.alias] = &s.metrics[j]
					}
					kind, name := m.kind, m.name
					if of := names[m.alias]; name == "" && d.births {
						kind, name = of.kind, of.name
					}
					same := got.At == m.at && got.Alias == m.alias && got.Historical == m.historical && got.Type == kind && (got.Name != nil && *got.Name == name || name == "" && got.Name == nil)
					if s.verb != "NDATA" || d.births { // without a type it has no value
						same = same && fmt.Sprint(asNumber(got.Value)) == fmt.Sprint(asNumber(m.value))
						compared++
					}
					if !same {
						t.Errorf("%s: read %+v, sent %+v", s.verb, got, m)
					}
				}
			}
			t.Logf("%d messages, %d values compared", len(list), compared)
		})
	}
}

// asNumber makes numbers of all kinds the same.
func asNumber(v any) any {
	switch n := v.(type) {
	case uint64:
		return float64(n)
	case int32:
		return float64(n)
	case float32:
		return float64(n)
	}
	return v
}
