package alarm

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// A PLC that acknowledges ten times a second what is not there, a camera that
// comes and goes, and what a person does meanwhile.
func TestRepeatsAreMergedAndCounted(t *testing.T) {
	e := newTestEngine(t)
	var told []Event
	do := func(at time.Duration, c Command) error {
		c.At, c.Wall = at, wall0.Add(at)
		events, err := e.Do(c)
		told = append(told, events...)
		return err
	}
	now := time.Duration(0)
	for ; now < 10*time.Minute; now += 100 * time.Millisecond {
		if err := e.Allow("ascii", now); err != nil {
			t.Fatal("what is merged needs no refusal: ", err)
		}
		do(now, Command{Do: Acknowledge, Who: "ascii"})
		do(now, Command{Do: Acknowledge, Alarm: "nobody", Who: "ascii"})
		if now%(2*time.Second) == 0 {
			do(now, Command{Do: Note, Text: "F01 camera lost: gone"})
		} else if now%(2*time.Second) == time.Second {
			do(now, Command{Do: Note, Text: "F01 camera lost ended"})
		}
	}
	told = append(told, e.Step(Reading{At: now + 2*time.Minute})...)
	if len(told) > 4*12 {
		t.Errorf("%d events in ten minutes: %v", len(told), told)
	}
	counts := map[string]int{}
	number := uint64(0)
	for _, ev := range told {
		if ev.Trigger == LoseReading {
			number++
			continue
		}
		if number++; ev.Number != number {
			t.Fatalf("event %d after %d", ev.Number, number-1)
		}
		n := 1
		if i := strings.LastIndex(ev.Cause, " ("); i > 0 && strings.Contains(ev.Cause, " more in ") {
			fmt.Sscanf(ev.Cause[i:], " (%d more", &n)
		}
		counts[ev.Trigger.String()+ev.Alarm+strings.SplitN(ev.Cause, " (", 2)[0]] += n
	}
	if len(counts) != 4 {
		t.Errorf("%v", counts)
	}
	for what, n := range counts {
		if want := 6000; strings.Contains(what, "F01") && n != 300 || !strings.Contains(what, "F01") && n != want {
			t.Errorf("%s: %d times", what, n)
		}
	}
	if last := told[len(told)-1]; told[len(told)-2].Trigger == Note && !strings.Contains(last.Cause, "ended") && last.Trigger == Note {
		t.Errorf("the last word is %q, and it ended", last.Cause)
	}
}

// Notes that are all different, and commands that do something, have a rate; what
// was left out is told, and another source is not held up.
func TestSourcesHaveARate(t *testing.T) {
	e := newTestEngine(t)
	refused, told := 0, 0
	for i := range 20_000 {
		at := time.Duration(i) * time.Millisecond
		if err := e.Allow("anna", at); errors.Is(err, ErrTooMany) {
			refused++
		} else {
			events, _ := e.Do(Command{Do: Note, Text: fmt.Sprint("note ", i), Who: "anna", At: at, Wall: wall0})
			told += len(events)
		}
		events, _ := e.Do(Command{Do: Note, Text: fmt.Sprint("the unit's own ", i), At: at, Wall: wall0})
		told += len(events)
		if err := e.Allow("berta", at); err != nil {
			t.Fatal(err)
		}
	}
	if told > 2*(burst+21) || refused < 19_000 {
		t.Errorf("%d told, %d refused", told, refused)
	}
	leftOut := ""
	for _, ev := range e.Step(Reading{At: 10 * time.Minute}) {
		leftOut += ev.Cause
	}
	if !strings.Contains(leftOut, fmt.Sprint(refused)) || !strings.Contains(leftOut, "anna") || !strings.Contains(leftOut, "the unit's own") {
		t.Errorf("told %q of %d", leftOut, refused)
	}
	if err := e.Allow("anna", 11*time.Minute); err != nil {
		t.Error(err)
	}
}

func newTestEngine(t *testing.T) *Engine {
	e, err := New([]Definition{{Name: "a", Conditions: []Condition{{Signal: "s", Limit: 0.5}}}}, []string{"s"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}
