package pipeline

import (
	"errors"
	"fmt"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/modbus"
)

// Do carries out one command of a person, the PLC or an input: the rules are
// the engine's, whoever asks, and each is journaled with who gave it.
func (u *Unit) Do(c alarm.Command) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	err := u.doLocked(c)
	u.publish()
	return err
}

func (u *Unit) doLocked(c alarm.Command) error {
	c.At, c.Wall = u.now(), u.wall()
	events, err := u.engine.Do(c)
	u.happened(events)
	return err
}

// Output tests are bounded: a test that nobody ends must not hide alarms for
// long.
const (
	testLasts   = 10 * time.Second
	testLongest = time.Minute
)

// Test shows every output as on for a time; 0 ends it, and so does a fault that
// stops the unit. One that is begun without valid results shows them all the same.
func (u *Unit) Test(lasts time.Duration, who string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.testLocked(lasts, who)
	u.publish()
}

func (u *Unit) testLocked(lasts time.Duration, who string) {
	lasts = min(lasts, testLongest)
	if lasts <= 0 {
		text := "output test ended"
		if u.until == 0 {
			text = "output test: there was none to end"
		}
		u.until = 0
		u.doLocked(alarm.Command{Do: alarm.Note, Text: text, Who: who})
		return
	}
	u.until = u.now() + lasts
	u.doLocked(alarm.Command{Do: alarm.Note, Text: fmt.Sprintf("output test for %v", lasts), Who: who})
}

// press is what an input does when it becomes active.
func (u *Unit) press(function config.Press, lasts time.Duration, who string) {
	commands := map[config.Press]alarm.Trigger{config.Acknowledge: alarm.Acknowledge, config.Reset: alarm.Reset,
		config.Silence: alarm.Silence, config.Inhibit: alarm.Inhibit}
	if function == config.Test {
		u.Test(lasts, who)
		return
	}
	u.Do(alarm.Command{Do: commands[function], For: lasts, Who: who}) // a refusal is in the journal; nobody stands at the other end
}

// Batch is what the Modbus slave hands over: all of it is possible, or nothing
// is done.
func (u *Unit) batch(who string, list []modbus.Command) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range list {
		if err := u.possible(c); err != nil {
			u.doLocked(alarm.Command{Do: alarm.Note, Text: fmt.Sprintf("refused: %v: %v", c, err), Who: who})
			return err
		}
	}
	for _, c := range list {
		u.carryOut(who, c)
	}
	u.publish()
	return nil
}

// possible tells why a master's command cannot be done; nil: it can.
func (u *Unit) possible(c modbus.Command) error {
	switch c.Op {
	case modbus.OpAck, modbus.OpShelve, modbus.OpUnshelve, modbus.OpSetLimit:
		if c.Alarm < 0 || c.Alarm >= u.engine.Len() {
			return modbus.ErrNoAlarm
		}
	}
	switch c.Op {
	case modbus.OpShelve:
		if u.engine.Definition(c.Alarm).MaxShelve == 0 {
			return modbus.ErrLocked
		}
	case modbus.OpSetLimit:
		st := u.engine.Status(c.Alarm)
		if !st.Unlocked {
			return modbus.ErrLocked
		}
		if _, err := u.limits(c); err != nil {
			return fmt.Errorf("%w: %w", modbus.ErrRange, err)
		}
	}
	return nil
}

// limits gives an alarm's limits with one of them changed.
func (u *Unit) limits(c modbus.Command) (alarm.Limits, error) {
	st := u.engine.Status(c.Alarm)
	l, err := u.engine.Limits(st.Name, st.Condition)
	if err != nil {
		return l, err
	}
	off := st.Off
	switch c.Limit {
	case modbus.OnLimit:
		l.Limit = float32(c.Value)
	case modbus.OffLimit:
		off = float32(c.Value)
	case modbus.OnDelay:
		l.OnDelay = time.Duration(c.Value * float64(time.Second))
	case modbus.OffDelay:
		l.OffDelay = time.Duration(c.Value * float64(time.Second))
	}
	if c.Limit == modbus.OnLimit || c.Limit == modbus.OffLimit {
		// The map has both limits, the engine a limit and its deadband.
		l.Deadband = l.Limit - off
		if st.Side == alarm.Below {
			l.Deadband = -l.Deadband
		}
	}
	return l, l.Check()
}

// carryOut does one command that is possible. What the alarm's state refuses
// (nothing to acknowledge) is journaled, and no error to the master.
func (u *Unit) carryOut(who string, c modbus.Command) {
	name := ""
	if c.Alarm < u.engine.Len() {
		name = u.engine.Status(c.Alarm).Name
	}
	do := func(t alarm.Trigger, c alarm.Command) {
		c.Do, c.Who = t, who
		u.doLocked(c)
	}
	switch c.Op {
	case modbus.OpAckAll:
		do(alarm.Acknowledge, alarm.Command{})
	case modbus.OpAck:
		do(alarm.Acknowledge, alarm.Command{Alarm: name})
	case modbus.OpReset:
		do(alarm.Reset, alarm.Command{})
	case modbus.OpSilence:
		do(alarm.Silence, alarm.Command{})
	case modbus.OpTest:
		lasts := time.Duration(0)
		if c.On {
			lasts = testLasts
		}
		u.testLocked(lasts, who)
	case modbus.OpInhibit:
		if c.On {
			do(alarm.Inhibit, alarm.Command{For: u.current.Unit.InhibitMax})
		} else if u.summary.Inhibited {
			do(alarm.Uninhibit, alarm.Command{})
		}
	case modbus.OpShelve:
		do(alarm.Shelve, alarm.Command{Alarm: name, For: c.For})
	case modbus.OpUnshelve:
		do(alarm.Unshelve, alarm.Command{Alarm: name})
	case modbus.OpSetLimit:
		if l, err := u.limits(c); err == nil {
			do(alarm.SetLimits, alarm.Command{Alarm: name, Condition: u.engine.Status(c.Alarm).Condition, Limits: l})
		}
	}
}

// masters is the Unit as the slave sees it.
type masters struct{ *Unit }

var _ modbus.Commands = masters{}

// Do takes all of batch or nothing of it.
func (m masters) Do(who string, batch []modbus.Command) error {
	if len(batch) == 0 {
		return errors.New("no command")
	}
	return m.batch(who, batch)
}
