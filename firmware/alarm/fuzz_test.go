package alarm

import (
	"encoding/json"
	"testing"
	"time"
)

// Bytes as a life: readings, commands, restarts and other configurations in
// any order. Nothing may crash, nothing unacknowledged may disappear without an
// acknowledgement, and the events of each alarm tell every change of its state.
func FuzzEngine(f *testing.F) {
	f.Add([]byte{0, 9, 9, 0, 0, 9, 2, 0, 3, 0, 4, 1, 5, 1, 0, 0})
	f.Add([]byte{0, 255, 255, 13, 0, 9, 9, 14, 0, 8, 8, 2, 1, 15, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		defs := []Definition{
			{Name: "a", Conditions: []Condition{{Signal: "s", Limit: 0.5, Deadband: 0.2}}, OnDelay: 200 * ms, MaxShelve: time.Minute, Unlocked: true, Horn: true, ReAlarm: 2 * time.Second},
			{Name: "b", Match: Any, Conditions: []Condition{{Signal: "s", Limit: 0.7}, {Signal: "t", Side: Below, Limit: 0.2}}, Latch: true, SuppressBy: []string{"a"}, UnknownHold: 300 * ms},
			{Name: "c", Conditions: []Condition{{Signal: "t", Limit: 0.9}}, NoAck: true, OffDelay: 100 * ms, MaxShelve: time.Second},
		}
		signals := []string{"s", "t"}
		e, err := New(defs, signals, Options{MaxSilence: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		waiting := make(map[string]bool)
		shown := make(map[string]State)
		var number uint64
		take := func(events []Event) {
			for _, ev := range events {
				if ev.Number != number+1 {
					t.Fatalf("event %d after %d", ev.Number, number)
				}
				number = ev.Number
				if waiting[ev.Alarm] && !ev.Life.NeedsAck() && !ev.Refused && ev.Trigger != Acknowledge {
					t.Fatalf("unacknowledged disappeared: %v", ev)
				}
				if !ev.Refused && ev.Alarm != "" && ev.Trigger != Note {
					waiting[ev.Alarm] = ev.Life.NeedsAck()
					if ev.From != shown[ev.Alarm] {
						t.Fatalf("it was %v: %v", shown[ev.Alarm], ev)
					}
					shown[ev.Alarm] = ev.To
				}
				text, err := json.Marshal(ev)
				if err != nil {
					t.Fatal(err)
				}
				var back Event
				if err := json.Unmarshal(text, &back); err != nil || back.Trigger != ev.Trigger || back.To != ev.To || back.Why != ev.Why {
					t.Fatalf("%v %s", err, text)
				}
			}
		}
		at := time.Duration(0)
		for len(data) >= 3 {
			op, x, y := data[0], data[1], data[2]
			data = data[3:]
			at += time.Duration(op) * 2 * ms
			level := func(b byte) float32 {
				if b == 255 {
					return nan
				}
				return float32(b) / 10
			}
			switch {
			case op < 128 && op%8 < 6:
				take(e.Step(Reading{At: at, Levels: []float32{level(x), level(y)}}))
			case op%8 == 6:
				next, _ := New(defs[:1+int(x)%3], signals, Options{})
				var saved Saved
				e.Save(&saved)
				e = next
				for name, s := range shown { // by a condition or an inhibit, which a restart does not know yet
					if s == SuppressedByDesign {
						shown[name] = Normal
						for _, a := range saved.Alarms {
							if a.Name == name {
								shown[name] = a.Life
							}
						}
					}
				}
				take(e.Restore(saved, at, time.Unix(int64(y), 0)))
			case op%8 == 7:
				events, err := e.Reconfigure(defs[:1+int(x)%3], signals, "fuzz", at, time.Time{})
				if err == nil { // defs[:1] of b's suppressor are all there
					take(events)
				}
			default:
				events, _ := e.Do(Command{Do: Trigger(x % 24), Alarm: []string{"", "a", "b", "c", "d"}[y%5], At: at, For: time.Duration(y) * ms,
					Condition: int(y % 3), Limits: Limits{Limit: level(y), OnDelay: time.Duration(y) * ms}, Who: "fuzz", Text: "x"})
				take(events)
			}
			e.Summary()
			seen := make(map[string]bool)
			for i := range e.Len() {
				s := e.Status(i)
				seen[s.Name] = true
				if s.Place != i || waiting[s.Name] != s.Life.NeedsAck() || s.State != shown[s.Name] {
					t.Fatalf("%+v, waiting %v, its events say %v", s, waiting[s.Name], shown[s.Name])
				}
				if s.Orphan && (s.Unknown || s.Safe || s.State.Covered()) {
					t.Fatalf("no longer measured, and %+v", s)
				}
			}
			for name, s := range shown {
				if s != Normal && !seen[name] {
					t.Fatalf("%s was %v and is no longer there", name, s)
				}
			}
			for name, w := range waiting {
				if w && !seen[name] {
					t.Fatalf("%s is unacknowledged and no longer there", name)
				}
			}
		}
	})
}
