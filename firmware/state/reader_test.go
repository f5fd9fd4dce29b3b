package state_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/health"
	"mien/firmware/state"
)

// board is a reader in less than 60 lines, as docs/architecture.md says how to add
// one: a text of all that the unit knows, and a button that acknowledges.
type board struct {
	latest *state.Latest
	unit   state.Commands
	last   state.State // its own copy, whose lists are used again
}

func (b *board) text(now time.Duration) string {
	b.latest.Load(&b.last)
	s := &b.last
	var out strings.Builder
	fmt.Fprintf(&out, "%s: result valid %v, %s\n", s.About.Unit, s.Flags(now).Has(state.ResultValid), s.Reason)
	for _, f := range s.Faults {
		fmt.Fprintf(&out, "%s %v: %s\n", f.Fault.Info().Code, f.Fault, f.Detail)
	}
	for _, a := range s.Alarms {
		fmt.Fprintf(&out, "%s %v\n", a.Name, a.State)
	}
	for i, signal := range s.About.Signals {
		fmt.Fprintf(&out, "%s %.2f\n", signal.Name, s.Levels[i])
	}
	for i, name := range s.About.Outputs {
		fmt.Fprintf(&out, "%s %v\n", name, s.Outputs[i])
	}
	return out.String()
}

func (b *board) press() error {
	_, err := b.unit.Do("board", []state.Command{state.On(alarm.Command{Do: alarm.Acknowledge})})
	return err
}

// asked is a unit that notes what it is asked.
type asked []string

func (a *asked) Do(who string, batch []state.Command) (state.Receipt, error) {
	for _, c := range batch {
		*a = append(*a, who+": "+c.String())
	}
	return state.Receipt{Event: 1}, nil
}

func (*asked) Kept(state.Receipt, time.Duration) error { return nil }

// A reader shows all of a unit with 48 alarms of 32 characters and a network of
// 3 action units and 5 classes, without a word of it in its code.
func TestAddAReader(t *testing.T) {
	var s state.State
	s.Clear()
	s.About = &state.About{Unit: "press 3", Outputs: []string{"lamp"}, StaleAfter: time.Second}
	for _, name := range []string{"au5", "au20", "au28", "expression.calm", "expression.bored", "expression.tense", "expression.tired", "expression.lost"} {
		s.About.Signals = append(s.About.Signals, state.Signal{Name: name, Max: 1})
		s.Levels = append(s.Levels, 0.25)
	}
	for i := range 48 {
		s.Alarms = append(s.Alarms, alarm.Status{Name: fmt.Sprintf("%032d", i), State: alarm.Unacknowledged})
	}
	s.Outputs, s.Results, s.Trusted, s.Reason = []bool{true}, 1, true, ""
	s.Faults = []health.Active{{Fault: health.ClockJumped, Detail: "by 1 h"}}
	latest, unit := state.NewLatest(), new(asked)
	latest.Store(&s)
	b := &board{latest: latest, unit: unit}
	text := b.text(time.Second)
	for _, want := range append([]string{"press 3: result valid true", "F17 clock jumped: by 1 h", "lamp true"},
		"au5 0.25", "au28 0.25", "expression.lost 0.25", fmt.Sprintf("%032d unacknowledged", 47)) {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if n := strings.Count(text, " unacknowledged\n"); n != 48 {
		t.Errorf("%d alarms", n)
	}
	if err := b.press(); err != nil || len(*unit) != 1 || (*unit)[0] != "board: acknowledge" {
		t.Errorf("%v, %v", *unit, err)
	}
}
