package modbus

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/health"
	"mien/firmware/state"
)

// wide is a unit with 48 alarms of 32 characters, a network with 3 action units
// and 5 classes of which the map knows some, a fault in each word, and more lines
// than a word has bits.
func wide() *state.State {
	s := new(state.State)
	s.Clear()
	s.About = &state.About{Started: time.Second, StaleAfter: 2 * time.Second, ConfigCRC: 0xBEEF, NetworkCRC: 0xCAFE}
	for i, name := range []string{"au4", "au5", "au43", "expression.anger", "expression.bored", "expression.calm", "expression.fear", "expression.tired", "valence"} {
		s.About.Signals = append(s.About.Signals, state.Signal{Name: name, Min: -1, Max: 1})
		s.Levels = append(s.Levels, float32(i+1)/10)
	}
	s.Results, s.Trusted, s.Reason, s.ResultAt, s.Heartbeat = 70_000, true, "", 5*time.Second, 9
	s.Faces, s.Covered = 1, []string{"nose", "mouth"}
	s.Expression = state.Choice{Name: "anger", Level: 0.4}
	s.Faults = []health.Active{{Fault: health.TooSlow}, {Fault: health.ClockJumped}}
	for i := range 48 {
		s.Alarms = append(s.Alarms, alarm.Status{Name: fmt.Sprintf("%032d", i), State: alarm.Normal, Signal: "au4", Level: 0.1, Limit: 0.6, Off: 0.5,
			OnDelay: time.Second, OffDelay: time.Second, Since: 3 * time.Second, Unlocked: i == 1 || i == 2, MaxShelve: time.Hour})
	}
	s.Alarms[2].Side, s.Alarms[2].Limit, s.Alarms[2].Off = alarm.Below, 0.2, 0.3
	s.Alarms[3].State, s.Alarms[4].State, s.Alarms[47].State = alarm.Shelved, alarm.OutOfService, alarm.Unacknowledged
	s.Summary = alarm.Summary{Active: 1<<47 | 1, Unacknowledged: 1 << 47, FirstOut: 47, Last: 47, Covered: 0x18, Events: 70_000, Horn: 1 << 47}
	for i := range 20 {
		s.Outputs, s.Inputs = append(s.Outputs, i%2 == 0), append(s.Inputs, i == 19)
	}
	return s
}

func TestRender(t *testing.T) {
	latest := state.NewLatest()
	latest.Store(wide())
	var got Snapshot
	Of(latest).Load(&got)
	nan := func(v float32) bool { return v != v }
	for what, ok := range map[string]bool{
		"status": got.Status == StatusReady|StatusResultValid|StatusFacePresent|StatusQualityOK|StatusAnyActive|StatusAnyUnack|
			1<<state.AnySuppressed|1<<state.AnyFault|1<<state.Degraded|StatusToggle,
		"signals": got.SignalCount == 9 && got.Signals[1] == Signal{"au5", 0.2} && got.Signals[4].Name == "expression.bored" &&
			got.Signals[9].Name == "" && nan(got.Signals[47].Level),
		"faults":              got.Faults == uint16(health.TooSlow.Bit()) && got.MoreFaults == 1,
		"reason":              got.Reason == 0,
		"counts":              got.Sequence == 70_000 && got.Heartbeat == 9 && got.Events == 70_000,
		"marks":               got.ConfigCRC == 0xBEEF && got.ModelCRC == 0xCAFE,
		"action units":        got.AU[2] == 0.1 && nan(got.AU[0]) && got.AU[13] == 0.3,
		"expressions":         got.Expression == 4 && got.Expressions[4] == 0.4 && got.Expressions[6] == 0.7 && nan(got.Expressions[0]),
		"valence":             got.Valence == 0.9 && nan(got.Arousal) && nan(got.EyesClosed),
		"covered":             got.Covered == CoveredMouth,
		"alarms":              got.AlarmCount == 16 && got.Alarms[2].Below && got.Alarms[15].Name == fmt.Sprintf("%032d", 15) && got.Alarms[0].Max == 1 && got.Alarms[0].Min == -1,
		"masks":               got.Active == 1 && got.Unacknowledged == 0 && got.Shelved == 8 && got.OutOfService == 16,
		"of one without room": got.FirstOut == 47 && got.LastAlarm == 47 && got.Annunciator == AnnunciatorHorn,
		"lines":               got.Outputs == 0x5555 && got.Inputs == 0,
	} {
		if !ok {
			t.Errorf("%s: %+v", what, got)
		}
	}
	other := wide()
	other.Reason, other.Expression.Name = "a reason that the map does not know", "bored"
	latest.Store(other)
	if Of(latest).Load(&got); got.Reason != 15 || got.Expression != -1 {
		t.Errorf("reason %d, expression %d", got.Reason, got.Expression)
	}
}

func TestRenderAllocatesNothing(t *testing.T) {
	latest, s := state.NewLatest(), wide()
	r, got := Of(latest), new(Snapshot)
	both := func() { latest.Store(s); r.Load(got) }
	for range 20 {
		both()
	}
	if n := testing.AllocsPerRun(100, both); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// unit notes what it is asked, or refuses it.
type unit struct {
	got []state.Command
	err error
}

func (u *unit) Do(_ string, batch []state.Command) (state.Receipt, error) {
	u.got = slices.Clone(batch)
	return state.Receipt{}, u.err
}

func (*unit) Kept(state.Receipt, time.Duration) error { return nil }

func TestCommandsInTheUnitsWords(t *testing.T) {
	latest, u := state.NewLatest(), new(unit)
	s := wide()
	latest.Store(s)
	r := Of(latest)
	r.Load(new(Snapshot))
	give := r.Giving(u)
	_, err := give.Do("plc", []Command{{Op: OpAckAll}, {Op: OpAck, Alarm: 2}, {Op: OpReset}, {Op: OpSilence}, {Op: OpTest, On: true}, {Op: OpTest},
		{Op: OpInhibit, On: true}, {Op: OpInhibit}, {Op: OpShelve, Alarm: 1, For: time.Minute}, {Op: OpUnshelve, Alarm: 1},
		{Op: OpSetLimit, Alarm: 1, Limit: OnLimit, Value: 0.3}, {Op: OpSetLimit, Alarm: 1, Limit: OffLimit, Value: 0.25}, {Op: OpSetLimit, Alarm: 1, Limit: OnDelay, Value: 0.5},
		{Op: OpSetLimit, Alarm: 2, Limit: OnLimit, Value: 0.1}, {Op: OpSetClock, Time: 1_764_531_000}})
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, c := range u.got {
		words = append(words, c.String())
	}
	one, two := fmt.Sprintf("%032d", 1), fmt.Sprintf("%032d", 2)
	want := []string{"acknowledge", "acknowledge " + two, "reset", "silence", "output test for 10s", "end output test", "inhibit",
		"shelve " + one + " for 1m", "unshelve " + one, "set limits " + one, "set limits " + two, "set clock to 2025-11-30T19:30:00Z"}
	if !slices.Equal(words, want) { // no uninhibit: there is no inhibit to end
		t.Fatalf("%q, want %q", words, want)
	}
	near := func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-6 }
	if l := u.got[9].Alarm.Limits; l.Limit != 0.3 || !near(l.Deadband, 0.05) || l.OnDelay != 500*time.Millisecond || l.OffDelay != time.Second {
		t.Errorf("limits %+v", l)
	}
	if l := u.got[10].Alarm.Limits; l.Limit != 0.1 || !near(l.Deadband, 0.2) { // a low alarm, whose off-limit stays at 0.3
		t.Errorf("limits of a low alarm %+v", l)
	}
	s.Summary.Inhibited = true
	latest.Store(s)
	r.Load(new(Snapshot))
	if _, err := give.Do("plc", []Command{{Op: OpInhibit}}); err != nil || len(u.got) != 1 || u.got[0].Alarm.Do != alarm.Uninhibit {
		t.Errorf("%v, %v", u.got, err)
	}
	for from, to := range map[error]error{alarm.ErrNoAlarm: ErrNoAlarm, alarm.ErrLocked: ErrLocked, alarm.ErrInvalid: ErrRange, alarm.ErrTooMany: ErrBusy} {
		u.err = fmt.Errorf("shelve: %w", from)
		if _, err := give.Do("plc", []Command{{Op: OpAckAll}}); !errors.Is(err, to) {
			t.Errorf("%v became %v", from, err)
		}
	}
	u.err = fmt.Errorf("reset: %w", alarm.ErrRefused)
	if _, err := give.Do("plc", []Command{{Op: OpReset}}); err != nil {
		t.Errorf("what a state refuses is an error to a master: %v", err)
	}
	u.err = nil
	if _, err := give.Do("plc", []Command{{Op: OpRefused, Text: "write to coil 6 refused"}}); err != nil || len(u.got) != 1 ||
		u.got[0].Alarm.Do != alarm.Note || u.got[0].Alarm.Text != "write to coil 6 refused" {
		t.Errorf("a refused write: %v, %v", u.got, err)
	}
	u.got, u.err = nil, nil
	if _, err := give.Do("plc", []Command{{Op: OpAckAll}, {Op: OpAck, Alarm: 48}}); !errors.Is(err, ErrNoAlarm) || u.got != nil {
		t.Errorf("half a batch: %v, %v", u.got, err)
	}
}
