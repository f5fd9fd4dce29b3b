package alarm

import (
	"encoding/json"
	"slices"
	"testing"
	"time"
)

// readings gives a level every second until the time, and gathers the events.
func readings(e *Engine, at *time.Duration, until time.Duration, level float32) []Event {
	var all []Event
	for *at < until {
		*at += time.Second
		all = append(all, e.Step(Reading{At: *at, Wall: wall0.Add(*at), Levels: []float32{level, 0}, Reason: "no face"})...)
	}
	return all
}

// acknowledged is an alarm with a re-alarm time of half an hour that was raised at
// 1 s and acknowledged at 10 s.
func acknowledged(t *testing.T, d Definition) (*Engine, *time.Duration) {
	t.Helper()
	d.ReAlarm, d.Horn, d.MaxShelve, d.UnknownHold = 30*time.Minute, true, 8*time.Hour, time.Hour
	e, at := one(t, d), new(time.Duration)
	if got := triggersOf(readings(e, at, 10*time.Second, 0.9)); got != "raise" {
		t.Fatal(got)
	}
	command(t, e, *at, Command{Do: Acknowledge})
	return e, at
}

func command(t *testing.T, e *Engine, at time.Duration, c Command) {
	t.Helper()
	c.At, c.Wall, c.Who = at, wall0.Add(at), "anna"
	if _, err := e.Do(c); err != nil {
		t.Fatal(err)
	}
}

// An acknowledged alarm whose condition stays is unacknowledged again after its
// re-alarm time, counted from the acknowledgement, and as often as that is so.
func TestReAlarm(t *testing.T) {
	e, at := acknowledged(t, Definition{})
	for n := range 3 {
		acked := *at
		if left := e.Status(0).ReAlarmLeft; left != 30*time.Minute {
			t.Errorf("%v left", left)
		}
		if got := triggersOf(readings(e, at, acked+30*time.Minute-time.Second, 0.9)); got != "" {
			t.Fatalf("%d: too early: %s", n, got)
		}
		events := readings(e, at, acked+30*time.Minute, 0.9)
		if triggersOf(events) != "re-alarm" || events[0].From != Acknowledged || events[0].To != Unacknowledged || events[0].Cause == "" ||
			events[0].Why.Signal != "s" || events[0].Why.For < 30*time.Minute {
			t.Fatalf("%d: %v", n, events)
		}
		if s, sum := e.Status(0), e.Summary(); s.Count != 1 || !s.FirstOut || s.ReAlarmLeft != 0 || sum.Horn == 0 || sum.Unacknowledged == 0 {
			t.Errorf("%d: %+v, %+v", n, s, sum)
		}
		if got := triggersOf(readings(e, at, *at+2*time.Hour, 0.9)); got != "" {
			t.Fatalf("unacknowledged, and again: %s", got)
		}
		command(t, e, *at, Command{Do: Acknowledge})
	}
	for _, d := range []Definition{{}, {ReAlarm: 30 * time.Minute, NoAck: true}} {
		e, at := one(t, d), time.Duration(0)
		readings(e, &at, 10*time.Second, 0.9)
		e.Do(Command{Do: Acknowledge, At: at})
		if got := triggersOf(readings(e, &at, 24*time.Hour, 0.9)); got != "" {
			t.Errorf("%+v: %s", d, got)
		}
	}
}

// What is gone, or cannot be seen, is not alarmed again; what is seen again is, at once.
func TestReAlarmNeedsAReading(t *testing.T) {
	e, at := acknowledged(t, Definition{OffDelay: time.Minute})
	readings(e, at, 20*time.Minute, 0.9)
	if got := triggersOf(readings(e, at, 2*time.Hour, nan)); got != "lose reading" {
		t.Error("Unknown:", got)
	}
	if got := triggersOf(readings(e, at, *at+time.Second, 0.1)); got != "" {
		t.Error("its off-delay runs:", got)
	}
	if got := triggersOf(readings(e, at, *at+time.Second, 0.9)); got != "re-alarm" {
		t.Error("seen again:", got)
	}
	e, at = acknowledged(t, Definition{Latch: true})
	if got := triggersOf(readings(e, at, 2*time.Hour, 0.1)); got != "clear" || e.Status(0).State != LatchedAcknowledged {
		t.Error("latched, and gone:", got)
	}
	// It came back: that is a new occurrence, and a new time.
	if got := triggersOf(readings(e, at, *at+time.Second, 0.9)); got != "raise" {
		t.Error(got)
	}
}

// Whatever hides the alarm holds it back; then it comes with the next reading.
func TestReAlarmUnderACover(t *testing.T) {
	for name, c := range map[string]struct {
		hide, show Command
		want       string
	}{
		"shelved":        {Command{Do: Shelve, Alarm: "a", For: 8 * time.Hour}, Command{Do: Unshelve, Alarm: "a"}, "re-alarm"},
		"out of service": {Command{Do: TakeOut, Alarm: "a"}, Command{Do: PutBack, Alarm: "a"}, "re-alarm"},
		"inhibit":        {Command{Do: Inhibit, For: 15 * time.Minute}, Command{}, "uninhibit unsuppress re-alarm"},
	} {
		e, at := acknowledged(t, Definition{})
		readings(e, at, 25*time.Minute, 0.9)
		command(t, e, *at, c.hide)
		if got := triggersOf(readings(e, at, 39*time.Minute, 0.9)); got != "" {
			t.Errorf("%s: %s", name, got)
		}
		if c.show.Do != 0 {
			command(t, e, *at, c.show)
		}
		if got := triggersOf(readings(e, at, 41*time.Minute, 0.9)); got != c.want || e.Status(0).State != Unacknowledged {
			t.Errorf("%s, and shown again: %s", name, got)
		}
	}
	cause := simple("cause")
	cause.Conditions[0].Signal = "t"
	d := simple("a")
	d.ReAlarm, d.SuppressBy = time.Minute, []string{"cause"}
	e := engineOf(t, d, cause)
	var at time.Duration
	step := func(n int, other float32) (all []Event) {
		for range n {
			at += time.Second
			all = append(all, e.Step(Reading{At: at, Levels: []float32{0.9, other}})...)
		}
		return all
	}
	step(1, 0)
	command(t, e, at, Command{Do: Acknowledge, Alarm: "a"})
	if got := triggersOf(step(120, 0.9)); got != "suppress raise" && got != "raise suppress" {
		t.Error(got)
	}
	if got := triggersOf(step(1, 0)); got != "unsuppress clear re-alarm" && got != "unsuppress re-alarm clear" {
		t.Error(got)
	}
}

// A restart takes five minutes off the time, more where the clock says more; and
// it does so however often the machine starts without a clock.
func TestReAlarmOverRestarts(t *testing.T) {
	for name, c := range map[string]struct {
		down time.Duration // by the wall clock
		left time.Duration // of 30 minutes, 10 of which are over
	}{"at once": {0, 15 * time.Minute}, "7 minutes": {7 * time.Minute, 13 * time.Minute}, "2 hours": {2 * time.Hour, 1}, "clock set back": {-9 * time.Hour, 15 * time.Minute}} {
		for _, journal := range []bool{false, true} {
			d := simple("a")
			d.ReAlarm = 30 * time.Minute
			e, at := engineOf(t, d), time.Duration(0)
			var shadow, saved Saved
			for _, ev := range readings(e, &at, 10*time.Second, 0.9) {
				shadow.Replay(ev)
			}
			events, _ := e.Do(Command{Do: Acknowledge, At: at, Wall: wall0.Add(at)})
			for _, ev := range slices.Clone(events) {
				shadow.Replay(ev)
			}
			readings(e, &at, 10*time.Minute+10*time.Second, 0.9)
			e.Save(&saved)
			want := c.left
			if journal { // which knows only when it was acknowledged
				saved = shadow
				if c.down <= 0 {
					want = max(25*time.Minute-max(10*time.Minute+c.down-5*time.Minute, 0), 1)
				}
			}
			text, _ := json.Marshal(saved)
			var back Saved
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatal(err)
			}
			next := engineOf(t, d)
			next.Restore(back, 0, wall0.Add(at+c.down))
			if left := next.Status(0).ReAlarmLeft; left > want || left < want-5*time.Minute {
				t.Errorf("%s, by the journal %v: %v left, want %v", name, journal, left, want)
			}
			at = 0
			got := triggersOf(readings(next, &at, 31*time.Minute, 0.9))
			if got != "re-alarm" {
				t.Errorf("%s, by the journal %v: %s", name, journal, got)
			}
		}
	}
	// Power fails every minute, and the clock begins at its zero each time.
	d := simple("a")
	d.ReAlarm = 30 * time.Minute
	e, at := engineOf(t, d), time.Duration(0)
	readings(e, &at, time.Second, 0.9)
	e.Do(Command{Do: Acknowledge, At: at, Wall: wall0.Add(at)})
	for starts := 1; ; starts++ {
		var saved Saved
		e.Save(&saved)
		e, at = engineOf(t, d), 0
		e.Restore(saved, 0, wall0)
		if got := triggersOf(readings(e, &at, time.Minute, 0.9)); got == "re-alarm" {
			break
		}
		if starts > 6 {
			t.Fatal("a unit that starts again and again never alarms again")
		}
	}
}

// A running time is kept every five minutes, for a power loss.
func TestReAlarmTimeIsKept(t *testing.T) {
	e, at := acknowledged(t, Definition{})
	before := e.Revision()
	readings(e, at, 21*time.Minute, 0.9)
	if n := e.Revision() - before; n < 3 || n > 5 {
		t.Errorf("kept %d times in 20 minutes", n)
	}
}

// A reload that changes the time counts from the same acknowledgement.
func TestReAlarmTimeChanges(t *testing.T) {
	e, at := acknowledged(t, Definition{})
	readings(e, at, 20*time.Minute, 0.9)
	d := e.Definition(0)
	reload := func(to time.Duration) string {
		d.ReAlarm = to
		if _, err := e.Reconfigure([]Definition{d}, []string{"s", "t"}, "reload", *at, wall0.Add(*at)); err != nil {
			t.Fatal(err)
		}
		return triggersOf(readings(e, at, *at+time.Second, 0.9))
	}
	if got := reload(0); got != "" || e.Status(0).ReAlarmLeft != 0 {
		t.Error(got)
	}
	if got := reload(25 * time.Minute); got != "" {
		t.Error(got)
	}
	if got := reload(15 * time.Minute); got != "re-alarm" {
		t.Error(got)
	}
}

// The wall clock has no say in it.
func TestReAlarmByTheSteadyClock(t *testing.T) {
	e, at := acknowledged(t, Definition{})
	for *at < 30*time.Minute {
		*at += time.Second
		if got := triggersOf(e.Step(Reading{At: *at, Wall: wall0.AddDate(int(at.Seconds())%40, 0, 0), Levels: []float32{0.9, 0}})); got != "" {
			t.Fatal(*at, got)
		}
	}
	if got := triggersOf(readings(e, at, *at+11*time.Second, 0.9)); got != "re-alarm" {
		t.Error(got)
	}
}

// A horn that is silenced for an alarm that nobody acknowledges sounds again, and is told.
func TestSilenceEnds(t *testing.T) {
	d := simple("a")
	d.Horn, d.MaxShelve = true, time.Hour
	e, err := New([]Definition{d}, []string{"s", "t"}, Options{MaxSilence: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	var at time.Duration
	readings(e, &at, time.Second, 0.9)
	sounds := func() bool { return e.Summary().Horn != 0 }
	command(t, e, at, Command{Do: Silence})
	if sounds() {
		t.Fatal("it is silenced")
	}
	if got := triggersOf(readings(e, &at, 10*time.Minute, 0.9)); got != "" || sounds() {
		t.Error(got)
	}
	// Its condition goes meanwhile: unacknowledged it is all the same.
	events := readings(e, &at, 10*time.Minute+time.Second, 0.1)
	if triggersOf(events) != "clear unsilence" || events[1].Alarm != "a" || events[1].Cause == "" || !sounds() {
		t.Errorf("%v, sounds %v", events, sounds())
	}
	// Hidden, it sounds when it is shown again.
	command(t, e, at, Command{Do: Silence})
	command(t, e, at, Command{Do: Shelve, Alarm: "a", For: time.Hour})
	if got := triggersOf(readings(e, &at, at+15*time.Minute, 0.1)); got != "" {
		t.Error(got)
	}
	command(t, e, at, Command{Do: Unshelve, Alarm: "a"})
	if got := triggersOf(readings(e, &at, at+time.Second, 0.1)); got != "unsilence" || !sounds() {
		t.Error(got)
	}
	// Acknowledged in time, nothing is told; and a reload that forbids none ends none.
	command(t, e, at, Command{Do: Silence})
	command(t, e, at, Command{Do: Acknowledge})
	if got := triggersOf(readings(e, &at, at+time.Hour, 0.1)); got != "" {
		t.Error(got)
	}
	readings(e, &at, at+time.Second, 0.9)
	command(t, e, at, Command{Do: Silence})
	e.SetMost(0, 0)
	if got := triggersOf(readings(e, &at, at+48*time.Hour, 0.9)); got != "" || sounds() {
		t.Error(got)
	}
	e.SetMost(0, time.Hour)
	if got := triggersOf(readings(e, &at, at+time.Second, 0.9)); got != "unsilence" {
		t.Error(got)
	}
}
