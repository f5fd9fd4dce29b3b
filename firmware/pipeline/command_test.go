package pipeline

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/state"
)

// A batch is done whole, or nothing of it; either way the journal has who asked,
// and the receipt says where.
func TestBatchIsAllOrNothing(t *testing.T) {
	var events []alarm.Event
	u := newIdle(t)
	u.options.OnEvent = func(e alarm.Event) { events = append(events, e) }
	shelve := state.On(alarm.Command{Do: alarm.Shelve, Alarm: "frown", For: time.Minute})
	test := state.Command{Do: state.TestOutputs, For: time.Second}
	for name, c := range map[string]struct {
		last state.Command
		want error
	}{
		"no such alarm":      {state.On(alarm.Command{Do: alarm.Acknowledge, Alarm: "nobody"}), alarm.ErrNoAlarm},
		"no name":            {state.On(alarm.Command{Do: alarm.TakeOut}), alarm.ErrInvalid},
		"no time":            {state.On(alarm.Command{Do: alarm.Shelve, Alarm: "frown"}), alarm.ErrInvalid},
		"no time to inhibit": {state.On(alarm.Command{Do: alarm.Inhibit}), alarm.ErrInvalid},
		"locked limits":      {state.On(alarm.Command{Do: alarm.SetLimits, Alarm: "frown", Limits: alarm.Limits{Limit: 0.5}}), alarm.ErrLocked},
		"no command":         {state.On(alarm.Command{Do: alarm.Raise, Alarm: "frown"}), alarm.ErrInvalid},
	} {
		events = nil
		receipt, err := u.Do("plc", []state.Command{shelve, test, c.last})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if len(events) != 1 || events[0].Who != "plc" || !strings.HasPrefix(events[0].Cause, "refused: ") || receipt.Event != events[0].Number {
			t.Errorf("%s: receipt %d, %v", name, receipt.Event, events)
		}
		if u.engine.Status(0).State != alarm.Normal || u.until != 0 {
			t.Fatalf("%s: half of it was done", name)
		}
	}
	// What only the state refuses keeps nothing else from being done.
	events = nil
	receipt, err := u.Do("button", []state.Command{state.On(alarm.Command{Do: alarm.Uninhibit}), shelve, test})
	if !errors.Is(err, alarm.ErrRefused) || u.engine.Status(0).State != alarm.Shelved || u.until == 0 {
		t.Errorf("%v, %v", err, u.engine.Status(0).State)
	}
	if len(events) != 3 || receipt.Event != events[2].Number || events[0].Who != "button" || !events[0].Refused {
		t.Errorf("receipt %d, %v", receipt.Event, events)
	}
	var s state.State
	u.Latest().Load(&s)
	if !s.Testing || s.Alarms[0].State != alarm.Shelved {
		t.Error("readers do not see what was done")
	}
	// An inhibit for as long as the config allows.
	if _, err := u.Do("plc", []state.Command{state.On(alarm.Command{Do: alarm.Inhibit, For: state.Longest})}); err != nil {
		t.Error(err)
	}
	if left := u.engine.Summary().InhibitLeft; left != u.current.Unit.InhibitMax {
		t.Errorf("inhibited for %v, the most is %v", left, u.current.Unit.InhibitMax)
	}
}
