package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/health"
	"mien/firmware/state"
)

const settable = "[clock]\nsettable = true\n"

// machine is what a unit's clock stands on.
type machine struct {
	wall   time.Time // of the system, at the moment 0 of its monotonic clock
	synced bool
	boot   string
	saved  alarm.Saved
	unit   *clocked
	events []alarm.Event
}

// start starts a unit on it, which goes on from what is saved.
func (m *machine) start(t *testing.T, alarmText, more string) *clocked {
	t.Helper()
	m.unit = newClocked(t, alarmText, more, func(o *Options) {
		o.Wall = func() time.Time {
			if m.unit == nil {
				return m.wall
			}
			return m.wall.Add(m.unit.at)
		}
		o.Synced, o.Boot, o.Found.Saved = func() bool { return m.synced }, m.boot, m.saved
		o.OnEvent = func(e alarm.Event) { m.events = append(m.events, e) }
	})
	return m.unit
}

// stop ends it, and keeps what the store would have.
func (m *machine) stop() {
	m.unit.engine.Save(&m.saved)
	m.unit = nil
}

func (m *machine) last() alarm.Event { return m.events[len(m.events)-1] }

func setTo(text string) state.Command {
	to, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return state.Command{Do: state.SetClock, Time: to}
}

// The PLC sets the clock of a unit without a time source: events say that their
// time is not set until then, and what it was moved by; who asks for what it says
// already moves nothing.
func TestSetClock(t *testing.T) {
	m := &machine{wall: time.Unix(1000, 0), boot: "b1"}
	u := m.start(t, "", settable)
	u.at = u.started
	if e := m.events[0]; e.Trigger != alarm.Start || !e.Unset || !strings.Contains(e.String(), "(time not set)") {
		t.Errorf("%v", e)
	}
	clock := func() state.Clock { var s state.State; u.publish(); u.Latest().Load(&s); return s.Clock }
	if c := clock(); c.Source != state.ClockNotSet || !c.Settable || c.Offset != 0 {
		t.Errorf("%+v", c)
	}
	r, err := u.Do("modbus /dev/x", []state.Command{setTo("2026-11-30T19:30:00Z")})
	if err != nil || len(r.Done) != 1 || r.Done[0].Trigger != alarm.SetClock {
		t.Fatal(r, err)
	}
	e := m.last()
	want := time.Date(2026, 11, 30, 19, 30, 0, 0, time.UTC)
	if e.Who != "modbus /dev/x" || e.Unset || !e.Wall.Equal(want) || e.Clock == nil || !strings.Contains(e.Cause, "by +179") || !strings.Contains(e.Cause, "to 2026-11-30T19:30:00Z") || !strings.Contains(e.Cause, "was not set before") {
		t.Errorf("%v", e)
	}
	u.at += time.Hour
	if c := clock(); c.Source != state.ClockSet || !c.Time(u.at).Equal(want.Add(time.Hour)) || c.Offset != want.Sub(m.wall.Add(u.started)) {
		t.Errorf("%+v, want %v", c, want.Sub(m.wall.Add(u.started)))
	}
	m.wall = m.wall.Add(-48 * time.Hour) // the system's clock has no say in it
	if got := u.wall(); !got.Equal(want.Add(time.Hour)) {
		t.Error(got)
	}
	n := len(m.events)
	for _, text := range []string{"2026-11-30T20:30:01Z", "2026-11-30T20:29:59Z", "2026-11-30T20:30:00Z"} {
		if r, err := u.Do("plc", []state.Command{setTo(text)}); err != nil || len(r.Done) != 0 || len(m.events) != n {
			t.Errorf("%s: %v, %v, %v", text, r, err, m.events[n:])
		}
	}
	if _, err := u.Do("plc", []state.Command{setTo("2026-11-30T20:30:02Z")}); err != nil || m.last().Clock.By != 2*time.Second {
		t.Error(err, m.last())
	}
}

// A clock that may not be set, or not to that, stays as it is, and it is told.
func TestClockRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		config string
		synced bool
		to     string
		want   error
	}{
		"not settable": {"", false, "2026-11-30T19:30:00Z", alarm.ErrLocked},
		"synchronised": {settable, true, "2026-11-30T19:30:00Z", alarm.ErrLocked},
		"too early":    {settable, false, "2025-12-31T23:59:59Z", alarm.ErrInvalid},
		"too late":     {settable, false, "2051-01-01T00:00:00Z", alarm.ErrInvalid},
		"zero":         {settable, false, "0001-01-01T00:00:00Z", alarm.ErrInvalid},
	} {
		m := &machine{wall: time.Unix(1_700_000_000, 0), boot: "b1", synced: c.synced}
		u := m.start(t, "", c.config)
		before := u.wall()
		for _, batch := range [][]state.Command{{setTo(c.to)}, {{Do: state.TestOutputs, For: time.Second}, setTo(c.to)}} {
			if _, err := u.Do("plc", batch); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
			if e := m.last(); e.Who != "plc" || !strings.HasPrefix(e.Cause, "refused: set clock to ") || e.Unset != (c.config != "" && !c.synced) {
				t.Errorf("%s: %v", name, e)
			}
			if !u.wall().Equal(before) || u.until != 0 {
				t.Errorf("%s: something was done", name)
			}
		}
	}
	// Not as a command of the alarms either.
	u := (&machine{}).start(t, "", settable)
	if _, err := u.Do("anna", []state.Command{state.On(alarm.Command{Do: alarm.SetClock})}); !errors.Is(err, alarm.ErrInvalid) {
		t.Error(err)
	}
}

// What was set holds over a restart of the unit, and not over one of the machine:
// then the clock is not set, and goes on from the newest event at the earliest.
func TestClockOverRestarts(t *testing.T) {
	m := &machine{wall: time.Unix(1000, 0), boot: "b1"}
	u := m.start(t, "", settable)
	u.Do("plc", []state.Command{setTo("2026-11-30T19:30:00Z")})
	at, set := u.at, u.wall()
	m.stop()
	u = m.start(t, "", settable)
	if got := u.wall().Sub(set); got != u.at-at || !u.clock.vouched() || m.last().Unset {
		t.Errorf("%v after %v, %v", got, u.at-at, m.last())
	}
	m.stop()
	m.boot, m.events = "b2", nil // power failed, and the machine has no clock
	u = m.start(t, "", settable)
	if got := u.wall(); got.Before(m.saved.Wall.Add(-time.Millisecond)) || got.Sub(m.saved.Wall) > time.Minute {
		t.Errorf("%v, kept was %v", got, m.saved.Wall)
	}
	if e := m.events[0]; !e.Unset || u.state.Clock.Source != state.ClockNotSet {
		t.Errorf("%v, %+v", e, u.state.Clock)
	}
	m.stop()
	m.wall = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) // a machine whose clock is later: nobody vouches for it
	if u = m.start(t, "", settable); u.wall().Before(m.wall) || u.clock.vouched() {
		t.Error(u.wall(), u.clock.vouched())
	}
	m.stop()
	if u = m.start(t, "", ""); !u.wall().Equal(m.wall.Add(u.at)) || !u.clock.vouched() || u.state.Clock.Source != state.ClockSystem {
		t.Errorf("not settable: %v, %+v", u.wall(), u.state.Clock)
	}
	m.stop()
	m.boot = ""
	if u = m.start(t, "", settable); u.clock.vouched() {
		t.Error("the kernel does not tell which start this is, and the clock counts as set")
	}
}

// Once a time source sets the system's clock the unit goes by that, and says so;
// when the source is lost, somebody may set it again.
func TestClockIsSynchronised(t *testing.T) {
	m := &machine{wall: time.Unix(1000, 0), boot: "b1"}
	u := m.start(t, "", settable)
	u.Do("plc", []state.Command{setTo("2026-11-30T19:30:00Z")})
	m.wall = time.Date(2026, 11, 30, 19, 0, 0, 0, time.UTC).Add(-u.at)
	u.syncedIs(true)
	if e := m.last(); e.Trigger != alarm.SetClock || e.Who != "" || e.Clock.By != -30*time.Minute || !strings.Contains(e.Cause, "synchronised") || !u.wall().Equal(m.wall.Add(u.at)) {
		t.Errorf("%v", e)
	}
	n := len(m.events)
	u.syncedIs(true)
	u.syncedIs(false)
	u.syncedIs(true)
	if len(m.events) != n {
		t.Errorf("told again: %v", m.events[n:])
	}
	m.stop() // and that holds over a restart of the unit
	m.events = nil
	if u = m.start(t, "", settable); u.clock.vouched() != true || len(m.events) != 1 {
		t.Errorf("%v", m.events)
	}
	m.synced = false
	u.syncedIs(false)
	if _, err := u.Do("plc", []state.Command{setTo("2026-11-30T20:00:00Z")}); err != nil || m.last().Who != "plc" {
		t.Error(err, m.last())
	}
	// Synchronised at the start already: that is said once.
	m = &machine{wall: time.Unix(1_800_000_000, 0), boot: "b1", synced: true}
	u = m.start(t, "", settable)
	if e := m.last(); e.Trigger != alarm.SetClock || slices.ContainsFunc(m.events, func(e alarm.Event) bool { return e.Unset }) {
		t.Errorf("%v", m.events)
	}
}

// To set the clock is no jump; that the system's jumps under a unit that goes by
// it is one.
func TestSetClockIsNoJump(t *testing.T) {
	m := &machine{wall: time.Unix(1_700_000_000, 0), boot: "b1"}
	u := m.start(t, "", settable)
	run := func() { u.run(2*time.Second, even(10), func() {}) }
	jumped := func() bool { return u.health.On(health.ClockJumped) }
	run()
	u.Do("plc", []state.Command{setTo("2026-11-30T19:30:00Z")})
	if run(); jumped() {
		t.Error("set, and a fault")
	}
	m.wall = m.wall.Add(time.Hour)
	if run(); jumped() {
		t.Error("the system's clock is not the unit's")
	}
	u.syncedIs(true)
	if run(); jumped() {
		t.Error("synchronised, and a fault")
	}
	m.wall = m.wall.Add(time.Hour)
	if run(); !jumped() {
		t.Error("it jumped")
	}
}

// No alarm minds the clock: two units with the same life, the clock of one of which
// is set again and again, tell the same at the same moments.
func TestAlarmsDoNotMindTheClock(t *testing.T) {
	lives := [2][]string{}
	for k := range lives {
		random, clocks := rand.New(rand.NewPCG(19, 13)), rand.New(rand.NewPCG(19, 14))
		m := &machine{wall: time.Unix(1_700_000_000, 0), boot: "b1"}
		u := m.start(t, "on_delay = \"1500ms\"\noff_delay = \"700ms\"\nre_alarm = \"1m\"\nunknown_hold = \"2s\"\nlatch = true", settable+"[unit]\nsilence_max = \"1m\"\n")
		m.events = nil
		begun := u.at
		for range 5000 {
			if random.IntN(30) == 0 {
				u.level([]float32{0.1, 0.9, 0.9, unknown}[random.IntN(4)])
			}
			u.run(time.Duration(random.IntN(1500))*time.Millisecond, even(10), func() {})
			if clocks.IntN(40) == 0 && k == 1 {
				to := clockFrom.Add(time.Duration(clocks.Int64N(int64(clockTo.Sub(clockFrom)))))
				if _, err := u.Do("clock", []state.Command{{Do: state.SetClock, Time: to}}); err != nil {
					t.Fatal(err)
				}
			}
			if random.IntN(60) == 0 {
				do := []alarm.Trigger{alarm.Acknowledge, alarm.Acknowledge, alarm.Reset, alarm.Shelve, alarm.Silence, alarm.Inhibit}[random.IntN(6)]
				name := "frown"
				if do == alarm.Inhibit {
					name = ""
				}
				u.Do("anna", []state.Command{state.On(alarm.Command{Do: do, Alarm: name, For: time.Duration(1+random.IntN(60)) * time.Second})})
			}
		}
		kinds := map[alarm.Trigger]int{}
		for _, e := range m.events {
			kinds[e.Trigger]++
			if e.Trigger != alarm.SetClock {
				lives[k] = append(lives[k], fmt.Sprint(e.At-begun, " ", e.Words()))
			}
		}
		if t.Failed() {
			return
		}
		for _, must := range []alarm.Trigger{alarm.Raise, alarm.Clear, alarm.Shelve, alarm.Expire, alarm.ReAlarm, alarm.Unsilence, alarm.Uninhibit} {
			if kinds[must] < 2 {
				t.Errorf("%v was seen %d times only: %v", must, kinds[must], kinds)
			}
		}
		if k == 1 && kinds[alarm.SetClock] < 50 {
			t.Errorf("the clock was set %d times", kinds[alarm.SetClock])
		}
	}
	for i := range min(len(lives[0]), len(lives[1])) {
		if lives[0][i] != lives[1][i] {
			t.Fatalf("event %d:\n%s\n%s", i, lives[0][i], lives[1][i])
		}
	}
	if len(lives[0]) != len(lives[1]) {
		t.Errorf("%d events, and %d", len(lives[0]), len(lives[1]))
	}
}

// A pilot's end is a date: it goes by the clock that events go by, and by no other.
// Where that is not set, no pilot begins.
func TestPilotGoesByTheClock(t *testing.T) {
	system := time.Unix(1000, 0) // a machine without a clock
	u := newClocked(t, "", settable+"[pilot]\nrecord = true\n", func(o *Options) {
		o.Wall, o.Synced = func() time.Time { return system }, func() bool { return false }
		o.PilotDir = filepath.Join(t.TempDir(), "pilot")
	})
	start := []state.Command{{Do: state.StartPilot, For: 14 * 24 * time.Hour, Text: "a test"}}
	if _, err := u.Do("anna", start); !errors.Is(err, alarm.ErrRefused) || !strings.Contains(err.Error(), "not set") {
		t.Errorf("by a clock that nobody has set: %v", err)
	}
	u.Do("plc", []state.Command{setTo("2026-12-01T06:00:00Z")})
	if _, err := u.Do("anna", start); err != nil {
		t.Fatal(err)
	}
	left := func() (bool, time.Duration) {
		t.Helper()
		ctx, stop := context.WithCancel(context.Background())
		stop()
		u.pilot.Run(ctx) // one look
		u.mu.Lock()
		defer u.mu.Unlock()
		u.pilotIs()
		return u.state.Pilot.Recording, u.state.Pilot.Left
	}
	if on, d := left(); !on || d != 14*24*time.Hour {
		t.Errorf("%v, %v", on, d)
	}
	system = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) // that has no say in it
	if on, d := left(); !on || d != 14*24*time.Hour {
		t.Errorf("the system's clock was set: %v, %v", on, d)
	}
	u.at += 13 * 24 * time.Hour
	if on, d := left(); !on || d != 24*time.Hour {
		t.Errorf("a day before: %v, %v", on, d)
	}
	u.Do("plc", []state.Command{setTo("2026-12-16T06:00:00Z")})
	if on, d := left(); on || d != 0 {
		t.Errorf("the clock was set past its end: %v, %v", on, d)
	}
	wrong := newClocked(t, "", "[pilot]\nrecord = true\n", func(o *Options) {
		o.Wall, o.PilotDir = func() time.Time { return time.Unix(1000, 0) }, filepath.Join(t.TempDir(), "pilot")
	})
	if _, err := wrong.Do("anna", start); !errors.Is(err, alarm.ErrRefused) || !strings.Contains(err.Error(), "1970") {
		t.Errorf("in 1970: %v", err)
	}
}

// A wrong year makes nothing too old for a day, over restarts too; then it counts.
func TestWrongYearDeletesNothing(t *testing.T) {
	m := &machine{wall: time.Unix(1000, 0), boot: "b1"}
	u := m.start(t, "", settable)
	year := func() int { return u.clock.age().Year() }
	set := func(text string) {
		t.Helper()
		if _, err := u.Do("plc", []state.Command{setTo(text)}); err != nil {
			t.Fatal(err)
		}
	}
	set("2026-12-01T00:00:00Z")
	if year() != 1970 {
		t.Errorf("set for the first time: %v", u.clock.age())
	}
	m.stop()
	if u = m.start(t, "", settable); year() != 1970 || u.wall().Year() != 2026 {
		t.Errorf("after a restart: %v of %v", u.clock.age(), u.wall())
	}
	u.at += 25 * time.Hour
	if !u.clock.age().Equal(u.wall()) {
		t.Errorf("after a day: %v", u.clock.age())
	}
	set("2049-01-01T00:00:00Z")
	set("2049-01-01T00:01:00Z")
	if year() != 2026 {
		t.Errorf("a wrong year: %v", u.clock.age())
	}
	set("2026-12-02T02:00:00Z")
	if year() != 2026 || u.clock.age().After(u.wall()) {
		t.Errorf("corrected: %v", u.clock.age())
	}
	set("2049-01-01T00:00:00Z")
	u.at += 24 * time.Hour
	if year() != 2049 {
		t.Errorf("a year that nobody corrects: %v", u.clock.age())
	}
}
