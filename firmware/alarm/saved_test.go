package alarm

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func simple(name string) Definition {
	return Definition{Name: name, Conditions: []Condition{{Signal: "s", Limit: 0.5}}, MaxShelve: time.Hour, Horn: true, Lamp: true, UnknownHold: time.Minute}
}

func engineOf(t *testing.T, defs ...Definition) *Engine {
	t.Helper()
	e, err := New(defs, []string{"s", "t"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestRestartKeepsWhatMatters(t *testing.T) {
	latched := simple("latched")
	latched.Latch = true
	other := simple("other")
	other.Conditions = []Condition{{Signal: "t", Limit: 0.5}}
	e := engineOf(t, simple("active"), latched, other, simple("hidden"))
	e.Restore(Saved{}, 0, wall0)
	at := time.Second
	e.Step(Reading{At: at, Wall: wall0.Add(at), Sequence: 7, Levels: []float32{0.9, 0}})
	e.Do(Command{Do: Acknowledge, Alarm: "latched", At: at, Wall: wall0.Add(at)})
	e.Do(Command{Do: TakeOut, Alarm: "other", At: at, Wall: wall0.Add(at)})
	e.Do(Command{Do: Shelve, Alarm: "hidden", For: 30 * time.Minute, At: at, Wall: wall0.Add(at)})
	e.Do(Command{Do: Silence, At: at, Wall: wall0.Add(at)})
	var saved Saved
	e.Save(&saved)

	for name, c := range map[string]struct {
		wall time.Time
		left time.Duration
	}{
		"at once":          {wall0.Add(at), 25 * time.Minute},
		"ten minutes off":  {wall0.Add(10*time.Minute + at), 20 * time.Minute},
		"an hour off":      {wall0.Add(time.Hour), 0},
		"clock an hour up": {wall0.Add(2 * time.Hour), 0},
		"clock set back":   {wall0.Add(-time.Hour), 25 * time.Minute},
		"clock lost":       {time.Unix(0, 0), 25 * time.Minute},
	} {
		e := engineOf(t, simple("active"), latched, other, simple("hidden"))
		events := e.Restore(saved, 5*time.Second, c.wall)
		if len(events) != 1 || events[0].Trigger != Start || events[0].Number != saved.Number+1 || events[0].Start != 2 {
			t.Errorf("%s: %v", name, events)
		}
		want := []State{Unacknowledged, Acknowledged, OutOfService, Shelved}
		for i, w := range want {
			if s := e.Status(i); s.State != w {
				t.Errorf("%s: %s is %v, want %v", name, s.Name, s.State, w)
			}
		}
		if s := e.Status(3); s.ShelvedLeft != c.left || s.Life != Unacknowledged || s.Shelvings != 1 {
			t.Errorf("%s: %v left (want %v), life %v", name, s.ShelvedLeft, c.left, s.Life)
		}
		if s := e.Summary(); s.Horn != 1 || s.FirstOut != 0 {
			t.Errorf("%s: the horn must sound again for what is unacknowledged: %+v", name, s)
		}
		if s := e.Status(0); s.Why.First != 7 || !s.SinceWall.Equal(wall0.Add(at)) || s.Count != 1 {
			t.Errorf("%s: %+v", name, s)
		}
		// No reading yet: nothing returns. Then one that says it is gone.
		e.Step(Reading{At: 6 * time.Second, Wall: c.wall})
		if e.Status(0).State != Unacknowledged {
			t.Errorf("%s: Unknown cleared after a restart", name)
		}
		if got := e.Status(3).State == Shelved; got != (c.left > time.Second) {
			t.Errorf("%s: shelved %v with %v left", name, got, c.left)
		}
		e.Step(Reading{At: 7 * time.Second, Wall: c.wall, Levels: []float32{0, 0}})
		if e.Status(0).State != ReturnedUnacknowledged || e.Status(1).State != LatchedAcknowledged {
			t.Errorf("%s: %v, %v", name, e.Status(0).State, e.Status(1).State)
		}
	}
}

// A unit without a clock that starts again and again, however soon its power
// fails, shelves for no longer than was granted while it had power.
func TestShelvingEndsOverRestarts(t *testing.T) {
	for _, up := range []time.Duration{10 * ms, time.Second, 30 * time.Second, 61 * time.Second, 4 * time.Minute, 6 * time.Minute} {
		var saved Saved
		e := engineOf(t, simple("a"))
		e.Restore(saved, 0, wall0)
		e.Do(Command{Do: Shelve, Alarm: "a", For: time.Hour, Wall: wall0})
		e.Save(&saved)
		powered, starts := time.Duration(0), 0
		for ; starts < 100 && (starts == 0 || e.Status(0).State == Shelved); starts++ {
			e = engineOf(t, simple("a"))
			e.Restore(saved, 0, wall0)
			e.Save(&saved)
			revision := e.Revision()
			for at := time.Duration(0); at < up && (at == 0 || e.Status(0).State == Shelved); at += 500 * ms {
				e.Step(Reading{At: at, Wall: wall0.Add(at), Levels: []float32{0, 0}})
				if e.Revision() != revision {
					revision = e.Revision()
					e.Save(&saved)
				}
				powered += min(up, 500*ms)
			}
		}
		if s := e.Status(0); s.State != Normal || powered > time.Hour+time.Second {
			t.Errorf("%v of power at a time: %v after %d starts and %v, %v left", up, s.State, starts, powered, s.ShelvedLeft)
		}
	}
}

// A restart ends an inhibit, and says so; whether the state file or the journal
// alone has told of it.
func TestRestartTellsTheEndOfAnInhibit(t *testing.T) {
	e := engineOf(t, simple("a"))
	var saved, journal Saved
	for _, ev := range e.Restore(Saved{}, 0, wall0) {
		journal.Replay(ev)
	}
	events, _ := e.Do(Command{Do: Inhibit, For: time.Minute, Who: "anna"})
	for _, ev := range events {
		journal.Replay(ev)
	}
	e.Save(&saved)
	for name, s := range map[string]Saved{"state": saved, "journal": journal} {
		e := engineOf(t, simple("a"))
		events := e.Restore(s, 0, wall0)
		if triggersOf(events) != "start uninhibit" || !strings.Contains(events[1].Cause, "restart") || e.Summary().Inhibited {
			t.Errorf("%s: %v", name, events)
		}
		e.Save(&s)
		if got := triggersOf(engineOf(t, simple("a")).Restore(s, 0, wall0)); got != "start" {
			t.Errorf("%s: the next start: %s", name, got)
		}
	}
}

// Numbers count as changed when a place is another alarm's: after a reload, after
// a restart with another config, and not otherwise.
func TestNumbering(t *testing.T) {
	a, b, c := simple("a"), simple("b"), simple("c")
	e := engineOf(t, a, b)
	e.Restore(Saved{}, 0, wall0)
	reload := func(want uint32, defs ...Definition) {
		t.Helper()
		if _, err := e.Reconfigure(defs, []string{"s", "t"}, "reload", 0, wall0); err != nil || e.Numbering() != want {
			t.Errorf("numbering %d, want %d (%v)", e.Numbering(), want, err)
		}
	}
	reload(0, a, b)
	reload(0, a, b, c) // one more at the end
	reload(0, a, b)
	reload(1, c, a, b)
	reload(1, c, a)
	e.Step(Reading{Levels: []float32{0.9, 0}})
	reload(2, a, c)
	reload(2, a) // c is unacknowledged, and keeps its place
	if e.Len() != 2 {
		t.Errorf("%d alarms", e.Len())
	}
	// A place that nobody had in between is another's all the same.
	d := simple("d")
	reload(3, a, c, d) // once it was b's
	reload(3, a, c)
	reload(4, a, c, b)
	reload(4, a, c)
	var saved Saved
	e.Save(&saved)
	for want, defs := range [][]Definition{{a, c, b}, {a, c, d}} {
		e := engineOf(t, defs...)
		e.Restore(saved, 0, wall0)
		if e.Numbering() != uint32(want) {
			t.Errorf("restart: numbering %d, want %d", e.Numbering(), want)
		}
	}
	for want, defs := range [][]Definition{{a, c, b}, {b, a}} {
		e := engineOf(t, defs...)
		e.Restore(saved, 0, wall0)
		if e.Numbering() != uint32(want) {
			t.Errorf("restart: numbering %d, want %d", e.Numbering(), want)
		}
	}
}

// The clock was set back while shelved: the wall clock's end is far off, and
// does not count.
func TestShelvingIsNeverLonger(t *testing.T) {
	var saved Saved
	saved.Replay(Event{Number: 1, Wall: wall0, Trigger: Shelve, Alarm: "a", From: Normal, To: Shelved, For: time.Hour})
	saved.Replay(Event{Number: 2, Wall: wall0.Add(-10 * time.Hour), Trigger: Note, Cause: "clock set back"})
	e := engineOf(t, simple("a"))
	e.Restore(saved, 0, wall0.Add(-9*time.Hour))
	if s := e.Status(0); s.State != Shelved || s.ShelvedLeft != 55*time.Minute {
		t.Errorf("%v, %v left", s.State, s.ShelvedLeft)
	}
}

func TestAlarmThatIsNoLongerConfigured(t *testing.T) {
	latched := simple("old")
	latched.Latch = true
	e := engineOf(t, latched, simple("seen"), simple("stays"))
	e.Restore(Saved{}, 0, wall0)
	e.Step(Reading{At: 1, Wall: wall0, Levels: []float32{0.9, 0}})
	e.Do(Command{Do: Acknowledge, Alarm: "seen"})
	var saved Saved
	e.Save(&saved)

	look := func(e *Engine, events []Event) {
		t.Helper()
		if e.Len() != 2 {
			t.Fatalf("%d alarms", e.Len())
		}
		s := e.Status(1)
		if s.Name != "old" || !s.Orphan || s.State != LatchedUnacknowledged || s.Place != 1 {
			t.Errorf("%+v", s)
		}
		var removed []string
		for _, ev := range events {
			if ev.Trigger == Remove {
				removed = append(removed, ev.Alarm)
			}
		}
		if !strings.Contains(strings.Join(removed, " "), "old") {
			t.Errorf("no event tells of it: %v", events)
		}
		if sum := e.Summary(); sum.Unacknowledged != 3 || sum.Horn != 3 {
			t.Errorf("%+v", sum)
		}
		for _, do := range []Trigger{Shelve, TakeOut, SetLimits} {
			if _, err := e.Do(Command{Do: do, Alarm: "old", For: time.Minute}); err == nil {
				t.Errorf("%v was taken", do)
			}
		}
		e.Step(Reading{At: time.Hour, Levels: []float32{0.9, 0}})
		if _, err := e.Do(Command{Do: Acknowledge, Alarm: "old", Who: "x"}); err != nil {
			t.Error(err)
		}
		if _, err := e.Do(Command{Do: Reset, Alarm: "old", Who: "x"}); err != nil {
			t.Error(err)
		}
		if e.Len() != 1 || e.Place("old") != -1 {
			t.Error("done, yet still there")
		}
	}
	restarted := engineOf(t, simple("stays"))
	look(restarted, restarted.Restore(saved, 0, wall0))

	events, err := e.Reconfigure([]Definition{simple("stays")}, []string{"s", "t"}, "SIGHUP", 2, wall0)
	if err != nil {
		t.Fatal(err)
	}
	look(e, events)
}

func TestOrphanKeptAcrossRestartsAndTakenBack(t *testing.T) {
	e := engineOf(t, simple("a"))
	e.Restore(Saved{}, 0, wall0)
	e.Step(Reading{At: 1, Levels: []float32{0.9, 0}})
	var saved Saved
	e.Save(&saved)
	for range 3 {
		e = engineOf(t, simple("b"))
		e.Restore(saved, 0, wall0)
		if s := e.Status(1); s.State != ReturnedUnacknowledged || !s.Orphan {
			t.Fatalf("%+v", s)
		}
		e.Save(&saved)
	}
	e = engineOf(t, simple("a")) // the name is back
	e.Restore(saved, 0, wall0)
	if s := e.Status(0); s.State != ReturnedUnacknowledged || s.Orphan || e.Len() != 1 {
		t.Fatalf("%+v", s)
	}
	e.Step(Reading{At: 1, Levels: []float32{0.9, 0}})
	if s := e.Status(0); s.State != Unacknowledged {
		t.Errorf("%v", s.State)
	}
}

func TestReconfigure(t *testing.T) {
	slow := simple("slow")
	slow.OnDelay, slow.Unlocked = 500*ms, true
	e := engineOf(t, slow, simple("plain"))
	e.Restore(Saved{}, 0, wall0)
	var at time.Duration
	feed(e, &at, 4, 0.6) // "slow" has run 300 of its 500 ms, "plain" is raised
	if _, err := e.Do(Command{Do: SetLimits, Alarm: "slow", Limits: Limits{Limit: 0.55, OnDelay: 500 * ms}, At: at}); err != nil {
		t.Fatal(err)
	}
	var before Saved
	e.Save(&before)
	if _, err := e.Reconfigure([]Definition{{Name: "bad"}}, []string{"s"}, "", at, wall0); err == nil {
		t.Fatal("a bad one was taken")
	}
	var after Saved
	e.Save(&after)
	if !reflect.DeepEqual(before, after) {
		t.Errorf("refused, yet changed: %+v %+v", before, after)
	}
	moved := simple("plain")
	moved.Conditions = []Condition{{Signal: "t", Limit: 0.5}}
	events, err := e.Reconfigure([]Definition{simple("new"), moved, slow}, []string{"t", "s"}, "SIGHUP", at, wall0)
	if err != nil || len(events) != 1 || events[0].Trigger != Start || events[0].Who != "SIGHUP" {
		t.Fatal(events, err)
	}
	if s := e.Status(1); s.State != Unacknowledged || !s.Present {
		t.Errorf("plain: %+v", s)
	}
	if l, err := e.Limits("slow", 0); err != nil || l.Limit != 0.5 {
		t.Errorf("the file's limit is back in force: %v %v", l, err)
	}
	// Levels come in the new order; the delay of slow runs on; plain watches t.
	step := func() string {
		at += 100 * ms
		return triggersOf(e.Step(Reading{At: at, Wall: wall0, Levels: []float32{0, 0.6}}))
	}
	if got := step(); got != "raise clear" { // new rises, plain's new condition is absent
		t.Error(got)
	}
	if got := step(); got != "raise" { // slow, after 500 ms
		t.Error(got)
	}
}

func TestSetLimits(t *testing.T) {
	d := simple("a")
	d.Unlocked = true
	e := engineOf(t, d)
	feed1 := func(level float32) string {
		return triggersOf(e.Step(Reading{At: e.now + 100*ms, Levels: []float32{level, 0}}))
	}
	if got := feed1(0.4); got != "" {
		t.Error(got)
	}
	events, err := e.Do(Command{Do: SetLimits, Alarm: "a", Who: "modbus", Limits: Limits{Limit: 0.3, Deadband: 0.1, OffDelay: 100 * ms}})
	if err != nil || len(events) != 1 || !strings.Contains(events[0].Cause, "limit 0.5 -> 0.3") || events[0].Who != "modbus" {
		t.Fatal(events, err)
	}
	if got := feed1(0.4); got != "raise" {
		t.Error(got)
	}
	if got := feed1(0.21) + feed1(0.19) + feed1(0.19); got != "clear" {
		t.Error(got)
	}
	for _, l := range []Limits{{Limit: nan}, {Deadband: -1}, {OnDelay: -1}, {OffDelay: MaxDelay + 1}} {
		if _, err := e.Do(Command{Do: SetLimits, Alarm: "a", Limits: l}); err == nil {
			t.Errorf("%+v was taken", l)
		}
	}
	if _, err := e.Do(Command{Do: SetLimits, Alarm: "a", Condition: 1}); err == nil {
		t.Error("a condition that is not there was taken")
	}
	if s := e.Status(0); s.Limit != 0.3 || s.Off < 0.1999 || s.Off > 0.2001 || !s.Unlocked {
		t.Errorf("%+v", s)
	}
}

func TestSetMaxInhibit(t *testing.T) {
	e := engineOf(t, simple("a"))
	e.SetMost(time.Second, 0)
	e.SetMost(0, 0)
	if events, err := e.Do(Command{Do: Inhibit, For: time.Hour}); err != nil || events[0].For != time.Second || events[0].Cause == "" {
		t.Error(events, err)
	}
}

// An alarm whose own reading is lost hides no other.
func TestLostReadingEndsSuppression(t *testing.T) {
	cause, effect := simple("cause"), simple("effect")
	cause.Conditions = []Condition{{Signal: "t", Limit: 0.5}}
	cause.UnknownHold = 500 * ms
	effect.SuppressBy = []string{"cause"}
	e := engineOf(t, cause, effect)
	step := func(s, u float32) string {
		return triggersOf(e.Step(Reading{At: e.now + 100*ms, Levels: []float32{s, u}, Reason: "mouth covered"}))
	}
	if got := step(0.9, 0.9); got != "suppress raise raise" {
		t.Error(got)
	}
	for range 4 {
		if got := step(0.9, nan); got != "" {
			t.Error(got)
		}
	}
	if got := step(0.9, nan); got != "lose reading unsuppress raise" || e.Status(1).State != Unacknowledged {
		t.Error(got, e.Status(1).State)
	}
	for range 3 {
		if got := step(0.9, 0.9); got != "" {
			t.Error(got)
		}
	}
	if got := step(0.9, 0.9); got != "regain reading suppress" || e.Status(1).Life != Unacknowledged {
		t.Error(got)
	}
}

// An alarm that a person has hidden hides no other, however it was hidden and
// whatever is told first; shown again, it does.
func TestHiddenAlarmSuppressesNone(t *testing.T) {
	for name, hide := range map[string][2]Command{
		"shelved":        {{Do: Shelve, Alarm: "cause", For: time.Minute}, {Do: Unshelve, Alarm: "cause"}},
		"shelved, all":   {{Do: Shelve, Alarm: "cause", For: time.Minute}, {Do: Unshelve}},
		"out of service": {{Do: TakeOut, Alarm: "cause"}, {Do: PutBack, Alarm: "cause"}},
	} {
		for _, first := range []bool{true, false} {
			effect, chained := simple("effect"), simple("chained")
			effect.SuppressBy, chained.SuppressBy = []string{"cause"}, []string{"effect"}
			e := engineOf(t, simple("cause"), effect, chained)
			step := func() { e.Step(Reading{At: e.now + 100*ms, Levels: []float32{0.9, 0}}) }
			do := func(c Command) {
				if _, err := e.Do(c); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
			if first {
				do(hide[0])
			}
			step()
			if !first {
				if e.Status(1).State != SuppressedByDesign || e.Status(2).State != SuppressedByDesign {
					t.Fatal("nothing is suppressed to begin with")
				}
				do(hide[0])
			}
			step()
			// What suppresses the last is seen now, and so it may.
			if a, b := e.Status(1).State, e.Status(2).State; a != Unacknowledged || b != SuppressedByDesign {
				t.Errorf("%s, first %v: effect is %v, chained %v", name, first, a, b)
			}
			do(hide[1])
			if s := e.Status(1); s.State != SuppressedByDesign || s.Life != Unacknowledged {
				t.Errorf("%s, first %v: shown again, effect is %v over %v", name, first, s.State, s.Life)
			}
		}
	}
	// The end of a shelving counts as well.
	effect := simple("effect")
	effect.SuppressBy = []string{"cause"}
	e := engineOf(t, simple("cause"), effect)
	e.Do(Command{Do: Shelve, Alarm: "cause", For: time.Second})
	e.Step(Reading{At: 100 * ms, Levels: []float32{0.9, 0}})
	e.Step(Reading{At: 1100 * ms, Levels: []float32{0.9, 0}})
	if s := e.Status(1); s.State != SuppressedByDesign || s.Life != Unacknowledged || e.Status(0).State != Unacknowledged {
		t.Errorf("after the shelving: %v over %v", s.State, s.Life)
	}
}

// What people type goes into the journal bounded and printable.
func TestTextsFromOutside(t *testing.T) {
	e := engineOf(t, simple("a"))
	events, err := e.Do(Command{Do: Note, Who: strings.Repeat("ä", 1000), Text: "a\nb\x00\xff" + strings.Repeat("x", 1000)})
	if err != nil {
		t.Fatal(err)
	}
	if ev := events[0]; len(ev.Who) > maxWho || len(ev.Cause) > maxText || strings.ContainsAny(ev.Cause, "\n\x00\xff") || !strings.HasPrefix(ev.Cause, "a?b") {
		t.Errorf("%q %q", ev.Who, ev.Cause)
	}
	if events, err = e.Do(Command{Do: Acknowledge, Alarm: strings.Repeat("\n", 1000)}); err == nil || len(events[0].Alarm) > maxWho || strings.Contains(events[0].Alarm, "\n") {
		t.Errorf("%v %v", events, err)
	}
}

// Garbage in a Saved, which a checksum cannot rule out, is met with care.
func TestRestoreOfNonsense(t *testing.T) {
	e := engineOf(t, simple("a"), simple("b"))
	e.Restore(Saved{Number: 1 << 63, Start: 1 << 31, Alarms: []SavedAlarm{
		{Name: "a", Life: Shelved}, {Name: "a", Life: 77}, {Name: "b", Life: Normal, ShelvedLeft: -time.Hour},
		{Name: "c", Life: 99, Priority: 200}, {Name: "", Life: Unacknowledged}, {Name: "b", ShelvedLeft: 1 << 62, ShelvedUntil: wall0.Add(1 << 62)},
	}}, 0, wall0)
	if s := e.Status(0); s.State != Unacknowledged {
		t.Errorf("%v: somebody has to look", s.State)
	}
	for range 10 {
		e.Step(Reading{At: e.now + time.Second, Levels: []float32{0.9, 0.9}})
		e.Do(Command{Do: Acknowledge})
		e.Do(Command{Do: Reset})
		e.Summary()
		for i := range e.Len() {
			e.Status(i)
		}
	}
}

// An alarm that is taken from the config while something covers it, its reading
// lost, is seen again, told by events that follow from each other, and holds no
// line at its fail value: nobody waits for its reading any more.
func TestCoveredAlarmThatIsNoLongerConfigured(t *testing.T) {
	for _, cover := range []Command{{Do: Shelve, Alarm: "old", For: time.Minute}, {Do: TakeOut, Alarm: "old"}, {Do: Inhibit, For: time.Minute}} {
		e := engineOf(t, simple("old"), simple("stays"))
		e.Restore(Saved{}, 0, wall0)
		e.Step(Reading{At: 1, Wall: wall0, Levels: []float32{0.9, 0}})
		e.Step(Reading{At: 2 * time.Minute, Wall: wall0})
		if _, err := e.Do(cover); err != nil {
			t.Fatal(err)
		}
		before := e.Status(0)
		if !before.State.Covered() || before.Life != Unacknowledged || !before.Unknown {
			t.Fatalf("%+v", before)
		}
		var saved Saved
		e.Save(&saved)
		look := func(e *Engine, events []Event, shown State) {
			t.Helper()
			s := e.Status(1)
			if s.Name != "old" || s.State != ReturnedUnacknowledged || s.Unknown || s.Safe {
				t.Errorf("%v: %+v", cover.Do, s)
			}
			if sum := e.Summary(); sum.Horn&2 == 0 || sum.Safe&2 != 0 {
				t.Errorf("%v: %+v", cover.Do, sum)
			}
			for _, ev := range events {
				if ev.Alarm != "old" {
					continue
				}
				if ev.From != shown || ev.Cause == "" {
					t.Errorf("%v: it was %v: %v", cover.Do, shown, ev)
				}
				shown = ev.To
			}
			if shown != s.State {
				t.Errorf("%v: its events end with %v", cover.Do, shown)
			}
		}
		again := engineOf(t, simple("stays"))
		shown := before.State
		if shown == SuppressedByDesign {
			shown = before.Life // an inhibit does not outlive a restart
		}
		look(again, again.Restore(saved, 0, wall0), shown)
		events, err := e.Reconfigure([]Definition{simple("stays")}, []string{"s", "t"}, "SIGHUP", 3*time.Minute, wall0)
		if err != nil {
			t.Fatal(err)
		}
		look(e, events, before.State)
	}
}

// A shelving whose time is over as the states are saved ends with an event after
// the restart, not by being dropped.
func TestShelvingThatIsOverAtARestart(t *testing.T) {
	e := engineOf(t, simple("a"))
	e.Restore(Saved{}, 0, wall0)
	e.Do(Command{Do: Shelve, Alarm: "a", For: time.Minute, Wall: wall0})
	e.Do(Command{Do: Note, Text: "just before its end is looked at", At: time.Minute, Wall: wall0.Add(time.Minute)})
	var saved Saved
	e.Save(&saved)
	e = engineOf(t, simple("a"))
	e.Restore(saved, 0, wall0.Add(time.Hour))
	if got := triggersOf(e.Step(Reading{At: 1, Levels: []float32{0, 0}})); got != "expire" || e.Status(0).State != Normal {
		t.Errorf("%q, %v", got, e.Status(0).State)
	}
}

// An alarm that was present before the start, or whose conditions a reload changed,
// was so for longer than this run has seen: its end says so, and not "0s".
func TestClearAfterARestartSaysForHowLong(t *testing.T) {
	defs := []Definition{{Name: "frown", Conditions: []Condition{{Signal: "au4", Limit: 0.6, Deadband: 0.1}}}}
	e, err := New(defs, []string{"au4"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	wall := time.Unix(1_800_000_000, 0)
	at, last := time.Second, Event{}
	look := func(level float32, n int) {
		for range n {
			at += 100 * time.Millisecond
			for _, ev := range e.Step(Reading{At: at, Wall: wall, Levels: []float32{level}}) {
				last = ev
			}
		}
	}
	e.Restore(Saved{}, at, wall)
	look(0.6, 30)
	if s := last.Why.String(); last.Trigger != Raise || !strings.Contains(s, "au4 0.600, at 0.600, ") {
		t.Fatalf("%v: %s", last, s)
	}
	var saved Saved
	e.Save(&saved)
	for seconds, want := range map[int]string{0: "since before the start or reload", 20: "for more than 20s, since before the start or reload"} {
		e, _ = New(defs, []string{"au4"}, Options{})
		e.Restore(saved, at, wall)
		look(0.9, 10*seconds)
		look(0.1, 30)
		if s := last.Why.String(); last.Trigger != Clear || !strings.Contains(s, ", "+want+", ") {
			t.Errorf("after %d s: %s", seconds, s)
		}
	}
	look(0.9, 50)
	look(0.1, 30)
	if s := last.Why.String(); last.Trigger != Clear || strings.Contains(s, "before") {
		t.Errorf("of an occurrence of this run: %s", s)
	}
}
