package pipeline

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/state"
)

var _ state.Commands = (*Unit)(nil)

// Do carries out what a person, the PLC or an input asks: all of it, or nothing
// where a command is not possible. Each is journaled with who gave it.
func (u *Unit) Do(who string, batch []state.Command) (state.Receipt, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.tellFaults()
	who = alarm.Command{Who: who}.Clean().Who
	now := u.now()
	u.pilot.Source(who, now)
	if err := u.engine.Allow(who, now); err != nil {
		return state.Receipt{}, err
	}
	if len(batch) > 1 { // one alone is refused, and journaled, by the engine
		for _, c := range batch {
			if err := u.possible(c); err != nil {
				u.doLocked(alarm.Command{Do: alarm.Note, Text: fmt.Sprintf("refused: %v: %v", c, err), Who: who})
				u.publish()
				return u.receipt(), err
			}
		}
	}
	var refused error
	var done []alarm.Event
	baseline := u.drift.Asked()
	recordings, idle := u.pilot.Asked(), len(batch) > 0
	for _, c := range batch {
		events, nothing, err := u.carryOut(who, c)
		idle = idle && nothing
		if err != nil {
			refused = errors.Join(refused, err)
		}
		done = append(done, events...)
	}
	u.pilotIs()
	u.publish()
	r := u.receipt()
	r.Done, r.Idle = done, idle
	if changed := u.pilot.Asked(); changed != recordings { // only who changed them waits for their disk
		r.Pilot = changed
	}
	if changed := u.drift.Asked(); changed != baseline {
		r.Drift = changed
	}
	return r, refused
}

// Kept waits until the disk has what a receipt stands for.
func (u *Unit) Kept(r state.Receipt, most time.Duration) error {
	if u.options.PilotDir != "" {
		if err := u.pilot.Wait(r.Pilot, most); err != nil {
			return err
		}
		if err := u.drift.Wait(r.Drift, most); err != nil {
			return err
		}
		if r.Pilot != 0 || r.Drift != 0 { // who looks now sees what came of it
			u.mu.Lock()
			u.pilotIs()
			u.publish()
			u.mu.Unlock()
		}
	}
	if u.options.Store == nil {
		return nil // nothing is kept, and nobody was promised that
	}
	return u.options.Store.Wait(r.Event, most)
}

// receipt is that of what was just done. The lock is held.
func (u *Unit) receipt() state.Receipt {
	return state.Receipt{Event: u.summary.Events}
}

// doLocked gives the events that a command caused, valid until the next.
func (u *Unit) doLocked(c alarm.Command) ([]alarm.Event, error) {
	c.At, c.Wall = u.now(), u.wall()
	u.pilot.Command(c)
	events, err := u.engine.Do(c)
	u.happened(events)
	return events, err
}

// possible tells why a command cannot be done, whatever the state of its alarm;
// nil: it can.
func (u *Unit) possible(c state.Command) error {
	switch c.Do {
	case state.Alarms:
	case state.StartPilot, state.MarkAlarm, state.Drill, state.NewBaseline:
		return fmt.Errorf("%w: it comes alone", alarm.ErrInvalid)
	case state.SetClock:
		return u.clock.possible(c.Time)
	default:
		return nil
	}
	a, place := c.Alarm, -1
	if a.Alarm != "" {
		if place = u.engine.Place(a.Alarm); place < 0 {
			return alarm.ErrNoAlarm
		}
	}
	switch a.Do {
	case alarm.Acknowledge, alarm.Reset, alarm.Silence, alarm.Unshelve, alarm.Uninhibit, alarm.Note:
		return nil
	case alarm.Inhibit:
		if a.For <= 0 {
			return fmt.Errorf("%w: an inhibit needs a time", alarm.ErrInvalid)
		}
		return nil
	case alarm.Shelve, alarm.TakeOut, alarm.PutBack, alarm.SetLimits:
		if place < 0 {
			return fmt.Errorf("%w: it needs the name of an alarm", alarm.ErrInvalid)
		}
	default:
		return fmt.Errorf("%w: %v is not a command", alarm.ErrInvalid, a.Do)
	}
	switch st := u.engine.Status(place); {
	case a.Do == alarm.Shelve && st.MaxShelve == 0:
		return fmt.Errorf("%w: it may not be shelved", alarm.ErrLocked)
	case a.Do == alarm.Shelve && a.For <= 0:
		return fmt.Errorf("%w: shelving needs a time", alarm.ErrInvalid)
	case a.Do == alarm.SetLimits && !st.Unlocked:
		return fmt.Errorf("%w: its limits", alarm.ErrLocked)
	case a.Do == alarm.SetLimits:
		if err := a.Limits.Check(); err != nil {
			return fmt.Errorf("%w: %w", alarm.ErrInvalid, err)
		}
	}
	return nil
}

// carryOut does one command, and gives the events of what it changed; idle: they
// tell that there was nothing to do. The lock is held.
func (u *Unit) carryOut(who string, c state.Command) (done []alarm.Event, idle bool, err error) {
	switch c.Do {
	case state.TestOutputs:
		return u.test(c, who)
	case state.SetClock:
		done, err = u.setClock(who, c.Time)
		return done, false, err
	case state.Alarms:
	default:
		return u.pilotDo(who, c)
	}
	a := c.Alarm
	a.Who = who
	if a.Do == alarm.Inhibit && a.For == state.Longest {
		a.For = u.current.Unit.InhibitMax
	}
	events, err := u.doLocked(a)
	for _, e := range events {
		if e.Trigger == a.Do && e.Who == who && !e.Idle() {
			done = append(done, e)
		}
	}
	return done, false, err
}

// test shows every output as on for a time, or one as on or off while the others go on;
// 0 ends it, and so does a fault that stops the unit. One that is begun without valid results shows them all the
// same. The lock is held.
func (u *Unit) test(c state.Command, who string) (done []alarm.Event, idle bool, err error) {
	text := "output test ended"
	asked := c.For
	one := c.Test.Name
	switch c.For = min(c.For, state.TestLongest); {
	case c.For > 0 && one != "" && !slices.ContainsFunc(u.current.Outputs, func(o config.Output) bool { return o.Name == one }):
		return nil, false, fmt.Errorf("%w: there is no output %q", alarm.ErrInvalid, one)
	case c.For > 0 && len(u.current.Outputs) == 0:
		text, idle = "no output is configured: nothing was tested", true
	case c.For > 0:
		u.until, u.tested = u.now()+c.For, c.Test
		text = c.String()
		if asked > c.For {
			text += ", the longest that is allowed"
		}
	case u.until == 0:
		text, idle = "output test: there was none to end", true
	default:
		u.until = 0
	}
	u.doLocked(alarm.Command{Do: alarm.Note, Text: text, Who: who})
	return []alarm.Event{{Trigger: alarm.Note, Who: who, Cause: text}}, idle, nil // the journal tells one that is repeated once
}
