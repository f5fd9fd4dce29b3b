package pilot

import (
	"strings"
	"testing"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/state"
)

// Marks are counted as they stand: said twice is once, a corrected one is what it was
// corrected to, a withdrawn one is none. What is counted is what a reader of the
// recording finds.
func TestMarksThatStand(t *testing.T) {
	defs := definitions()
	one := defs[0].Name
	if len(defs) < 2 {
		t.Fatal("the test needs two alarms")
	}
	var m Marker
	var read Marks
	now := 10 * time.Hour
	m.Event(&alarm.Event{Trigger: alarm.Raise, Alarm: one, Number: 7, At: now}, func(string) (alarm.Definition, bool) { return defs[0], true })
	press := func(what string, c state.Mark, want state.Marked, right, wrong, missed int) {
		t.Helper()
		now += time.Second
		out, marked, text, err := m.Mark(c, "anna", now, 0, defs)
		if marked != want {
			t.Fatalf("%s: %v, %q, %v", what, marked, text, err)
		}
		if err == nil && marked == state.Found {
			read.Take(out, "run", 0)
		}
		got := [3]int{m.Standing(state.Right), m.Standing(state.False), m.Standing(state.Missed)}
		if got != [3]int{right, wrong, missed} || len(read) != right+wrong+missed {
			t.Errorf("%s: %v of right, false, missed count, and a reader finds %d", what, got, len(read))
		}
	}
	right, wrong, withdrawn := state.Mark{Truth: state.Right}, state.Mark{Truth: state.False}, state.Mark{Truth: state.Withdrawn}
	press("right", right, state.Found, 1, 0, 0)
	press("right, twice", right, state.Again, 1, 0, 0)
	press("corrected", wrong, state.Found, 0, 1, 0)
	press("withdrawn", withdrawn, state.Found, 0, 0, 0)
	press("withdrawn, twice", withdrawn, state.NotFound, 0, 0, 0)
	press("right after all", right, state.Found, 1, 0, 0)

	missed := func(name string, ago time.Duration) state.Mark {
		return state.Mark{Truth: state.Missed, Alarm: name, Ago: ago}
	}
	press("missed, no alarm named", missed("", 10*time.Minute), state.Found, 1, 0, 1)
	press("the same once more", missed("", 10*time.Minute), state.Again, 1, 0, 1)
	press("now with its name", missed(one, 10*time.Minute), state.Found, 1, 0, 1)
	press("missed, three times", missed(one, 10*time.Minute), state.Again, 1, 0, 1)
	press("another alarm at the same time", missed(defs[1].Name, 10*time.Minute), state.Found, 1, 0, 2)
	press("an earlier one", missed(one, 20*time.Minute), state.Found, 1, 0, 3)
	press("withdrawn", withdrawn, state.Found, 1, 0, 2)
	press("said again", missed(one, 20*time.Minute), state.Found, 1, 0, 3)
	for i := range 3 * keptMissed {
		press("many", missed(one, time.Duration(i)*time.Minute-time.Duration(i)*time.Second+21*time.Minute), state.Found, 1, 0, 4+i)
		if len(m.missed) > keptMissed {
			t.Fatalf("%d are held", len(m.missed))
		}
	}
	if text := read[len(read)-1].Alarm; !strings.Contains(text, one) {
		t.Errorf("the newest is of %q", text)
	}
}
