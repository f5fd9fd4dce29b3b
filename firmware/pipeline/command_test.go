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

// Whatever is asked of a unit that has nothing to do for it, the answer says so: an
// error, or a receipt that is idle or has nothing done. From that the socket, ASCII and
// Modbus (command_result) each make their own words.
func TestNothingToDoIsTold(t *testing.T) {
	u := newIdleWith(t, "[pilot]\nrecord = true\n[clock]\nsettable = true\n")
	u.options.Synced = func() bool { return false }
	u.syncedIs(false)
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	do := func(c state.Command) (bool, state.Receipt, error) {
		r, err := u.Do("plc", []state.Command{c})
		return err == nil && len(r.Done) > 0 && !r.Idle, r, err
	}
	if did, r, err := do(state.Command{Do: state.SetClock, Time: now}); !did {
		t.Fatalf("the clock: %v, %v", r, err)
	}
	alarms := u.current.Definitions()
	if len(alarms) == 0 {
		t.Fatal("no alarm")
	}
	name := alarms[0].Name
	on := func(do alarm.Trigger, name string) state.Command { return state.On(alarm.Command{Do: do, Alarm: name}) }
	for _, c := range []state.Command{
		on(alarm.Acknowledge, ""), on(alarm.Acknowledge, name), on(alarm.Reset, ""), on(alarm.Reset, name), on(alarm.Silence, ""), on(alarm.Silence, name),
		on(alarm.Unshelve, ""), on(alarm.Unshelve, name), on(alarm.PutBack, name), on(alarm.Uninhibit, ""),
		{Do: state.TestOutputs}, {Do: state.SetClock, Time: now.Add(time.Second)},
		{Do: state.MarkAlarm, Mark: state.Mark{Truth: state.Right}}, {Do: state.MarkAlarm, Mark: state.Mark{Truth: state.False}},
		{Do: state.MarkAlarm, Mark: state.Mark{Truth: state.Withdrawn}},
		{Do: state.StopPilot}, {Do: state.ErasePilot}, {Do: state.Drill, Drill: &state.DrillStep{Script: "eyes"}},
	} {
		if did, r, err := do(c); did {
			t.Errorf("%v: there is nothing to do, and the answer is done: %+v, %v", c, r, err)
		}
	}
	shelve := state.On(alarm.Command{Do: alarm.Shelve, Alarm: name, For: time.Minute})
	for _, c := range []state.Command{shelve, on(alarm.Unshelve, name), {Do: state.TestOutputs, For: time.Second}, {Do: state.TestOutputs},
		{Do: state.MarkAlarm, Mark: state.Mark{Truth: state.Missed, Alarm: name}}, {Do: state.MarkAlarm, Mark: state.Mark{Truth: state.Withdrawn}}} {
		if did, r, err := do(c); !did {
			t.Errorf("%v: there is something to do: %+v, %v", c, r, err)
		}
	}
}
