package operator

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/state"
)

// A PLC behind a gateway gives what it gives on its own line, with its name and role; what
// comes of it comes back as if it had asked the unit itself.
func TestBatch(t *testing.T) {
	u := newUnit(t)
	c, err := Dial(serve(t, u))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Within(5 * time.Second)
	on := func(a alarm.Command) state.Command { return state.On(a) }
	limits := alarm.Limits{Limit: 0.8, Deadband: 0.125, OnDelay: 250 * time.Millisecond}
	r, err := c.Give("modbus_tcp 10.0.0.5", PLC, []state.Command{on(alarm.Command{Do: alarm.Acknowledge, Alarm: "frown"}), on(alarm.Command{Do: alarm.SetLimits, Alarm: "frown", Limits: limits})}, 0)
	if err != nil || r.Pending != "" || len(r.Done) != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	u.mu.Lock()
	if got, err := u.engine.Limits("frown", 0); err != nil || got != limits {
		t.Errorf("limits %+v, %v", got, err)
	}
	last := u.journal[len(u.journal)-1]
	u.pending = errors.New("no space")
	u.mu.Unlock()
	if want := "modbus_tcp 10.0.0.5 via "; len(last.Who) <= len(want) || last.Who[:len(want)] != want {
		t.Errorf("the journal names %q", last.Who)
	}
	if r, err = c.Give("plc", PLC, []state.Command{{Do: state.TestOutputs, For: time.Second}}, time.Millisecond); err != nil || r.Pending != "no space" {
		t.Errorf("%+v, %v", r, err)
	}
	if pending, err := c.Kept("plc", PLC, 7, 0); err != nil || pending != "no space" {
		t.Errorf("%q, %v", pending, err)
	}
	for _, w := range []struct {
		do   alarm.Command
		want error
	}{
		{alarm.Command{Do: alarm.Acknowledge, Alarm: "smile"}, alarm.ErrNoAlarm}, {alarm.Command{Do: alarm.Shelve, Alarm: "frown"}, alarm.ErrInvalid},
		{alarm.Command{Do: alarm.Reset, Alarm: "frown"}, alarm.ErrRefused}, {alarm.Command{Do: alarm.SetLimits, Alarm: "frown", Condition: 3}, alarm.ErrInvalid},
	} {
		if _, err := c.Give("plc", PLC, []state.Command{on(w.do)}, 0); !errors.Is(err, w.want) {
			t.Errorf("%v: %v, want %v", w.do.Do, err, w.want)
		}
	}
	if _, err := c.Give("plc", PLC, []state.Command{on(alarm.Command{Do: alarm.SetLimits, Limits: none})}, 0); err == nil {
		t.Error("NaN went over the socket")
	}
}

// The role of a PLC has what its registers can say, and nothing else; nobody else gets
// more by a batch than by requests.
func TestBatchRoles(t *testing.T) {
	d := desk{unit: newUnit(t)}
	may := func(role Role, c state.Command) bool {
		return !d.answer(Request{Ask: AskBatch, Batch: []state.Command{state.On(alarm.Command{Do: alarm.Note}), c}, Who: "x", Role: role}, "gateway").Denied
	}
	for do := range alarm.Remove + 1 {
		c := state.On(alarm.Command{Do: do, Alarm: "frown", Limits: none})
		plc := map[alarm.Trigger]bool{alarm.Acknowledge: true, alarm.Reset: true, alarm.Silence: true, alarm.Shelve: true, alarm.Unshelve: true, alarm.Inhibit: true, alarm.Uninhibit: true,
			alarm.SetLimits: true, alarm.Note: true}[do]
		if may(PLC, c) != plc {
			t.Errorf("plc, %v: %t", do, !plc)
		}
		for _, role := range roles {
			if may(role, c) != (role != Viewer && role.May(Request{Ask: AskDo, Do: do}.Right())) { // a viewer may not note
				t.Errorf("%s, %v", role, do)
			}
		}
	}
	for _, do := range []state.Do{state.StartPilot, state.StopPilot, state.ErasePilot, state.Drill, state.NewBaseline, state.EraseBaseline} {
		for _, role := range append([]Role{PLC, "", "king"}, roles...) {
			if may(role, state.Command{Do: do}) {
				t.Errorf("%s may %v by a batch", role, state.Command{Do: do})
			}
		}
	}
	if !may(PLC, state.Command{Do: state.SetClock}) || may(Engineer, state.Command{Do: state.SetClock}) || !may(PLC, state.Command{Do: state.TestOutputs}) || !may(PLC, state.Command{Do: state.MarkAlarm}) {
		t.Error("clock, test or mark")
	}
	if _, err := ParseRole(string(PLC)); err == nil {
		t.Error("a person can be a PLC")
	}
	for _, ask := range []Ask{AskConfig, AskStudy, AskPilot, AskStream, AskSerial, "shutdown"} {
		if !d.answer(Request{Ask: ask, Who: "x", Role: PLC}, "gateway").Denied {
			t.Errorf("a PLC asks %s", ask)
		}
	}
}

// What a mirror has of a unit is what the unit has; it has nothing of one that it does
// not hear.
func TestMirror(t *testing.T) {
	u := newUnit(t)
	c, err := Dial(serve(t, u))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	u.mu.Lock()
	u.state.Results, u.state.Trusted, u.state.ResultAt, u.state.Latency, u.state.Numbering = 9, true, u.now-40*time.Millisecond, 30*time.Millisecond, 3
	u.publish()
	want := u.state
	u.mu.Unlock()
	line, err := c.Stream(10 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	m := NewMirror()
	if _, there := m.There(); there {
		t.Error("it is there at once")
	}
	for range 2 {
		data, err := line()
		if err != nil {
			t.Fatal(err)
		}
		var told Told
		if err := json.Unmarshal(data, &told); err != nil {
			t.Fatal(err)
		}
		if told.About != nil {
			m.Is(told.About)
		}
		if told.State != nil {
			m.Tell(told.State)
		}
	}
	var s state.State
	m.Latest().Load(&s)
	run, there := m.There()
	if !there || run != 1 || s.About.Unit != "press" || s.Results != 9 || !s.Trusted || s.Numbering != 3 || s.Levels[0] != 0.9 || s.Levels[1] == s.Levels[1] || s.FaultBits() != want.FaultBits() || !s.Outputs[0] {
		t.Errorf("%t, run %d: %+v", there, run, s)
	}
	if age, is := want.ResultAt-u.now, s.ResultAt-m.Now(); (age-is).Abs() > 500*time.Millisecond || s.ResultAt < s.About.Started {
		t.Errorf("the result is %v old, not %v", is, age)
	}
	a, b := s.Alarms[0], want.Alarms[0]
	if a.State != b.State || a.Limit != b.Limit || a.Off != b.Off || a.OnDelay != b.OnDelay || a.MaxShelve != b.MaxShelve || a.Unlocked != b.Unlocked || a.Level != b.Level ||
		a.Since-s.About.Started != max(b.Since, 0).Truncate(time.Millisecond) || a.Priority != b.Priority || a.Side != b.Side {
		t.Errorf("%+v, want %+v", a, b)
	}
	sum, is := want.Summary, s.Summary
	if is.Active != sum.Active || is.Unacknowledged != sum.Unacknowledged || is.Horn != sum.Horn || is.Events != sum.Events || is.FirstOut != sum.FirstOut || is.Last != sum.Last || is.LastWall.Unix() != sum.LastWall.Unix() {
		t.Errorf("%+v, want %+v", is, sum)
	}
	m.Lose()
	if m.Latest().Load(&s); s.Results != 0 || len(s.Alarms) != 0 || len(s.Levels) != 0 || s.About.Unit != "" {
		t.Errorf("old values: %+v", s)
	}
	m.Tell(&Now{Results: 10}) // of a unit that has not said what it is
	if _, there := m.There(); there {
		t.Error("a state without a unit")
	}
	m.Is(&About{Signals: []Kind{{Name: "au4"}, {Name: "au6"}}})
	m.Tell(&Now{Results: 1, Levels: levelList{0.5}, Alarms: []Shown{{State: "of tomorrow"}}})
	if m.Latest().Load(&s); len(s.Levels) != 2 || s.Levels[1] == s.Levels[1] || s.Alarms[0].State != alarm.Normal || !math.IsNaN(float64(s.FaceScore)) {
		t.Errorf("%+v", s)
	}
	if run, there := m.There(); run != 2 || !there {
		t.Errorf("run %d, %t", run, there)
	}
}
