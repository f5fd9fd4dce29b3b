package modbus

import (
	"errors"
	"fmt"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/state"
)

// giver hands what a master asks for to the unit, in the unit's words.
type giver struct {
	of    *Render
	to    state.Commands
	batch []state.Command
}

// Giving is what hands a master's commands to a unit. Alarms are those of the
// snapshot that r made last: what the master's request was judged by.
func (r *Render) Giving(to state.Commands) Commands { return &giver{of: r, to: to} }

// Do hands on a batch. What an alarm's state refuses is journaled, and no error
// to the master: it may write the same block in every cycle.
func (g *giver) Do(who string, batch []Command) (state.Receipt, error) {
	g.batch = g.batch[:0]
	for _, c := range batch {
		if err := g.add(c); err != nil {
			return state.Receipt{}, err
		}
	}
	receipt, err := g.to.Do(who, g.batch)
	switch {
	case errors.Is(err, alarm.ErrNoAlarm):
		err = fmt.Errorf("%w: %w", ErrNoAlarm, err)
	case errors.Is(err, alarm.ErrLocked):
		err = fmt.Errorf("%w: %w", ErrLocked, err)
	case errors.Is(err, alarm.ErrInvalid):
		err = fmt.Errorf("%w: %w", ErrRange, err)
	case errors.Is(err, alarm.ErrTooMany):
		err = fmt.Errorf("%w: %w", ErrBusy, err)
	case errors.Is(err, alarm.ErrRefused):
		err = nil
	}
	return receipt, err
}

func (g *giver) Kept(r state.Receipt, most time.Duration) error { return g.to.Kept(r, most) }

// add brings one command into the unit's words.
func (g *giver) add(c Command) error {
	s := &g.of.state
	var of alarm.Command
	switch c.Op {
	case OpAck, OpShelve, OpUnshelve, OpSetLimit:
		if c.Alarm < 0 || c.Alarm >= len(s.Alarms) {
			return ErrNoAlarm
		}
		of.Alarm = s.Alarms[c.Alarm].Name
	}
	switch c.Op {
	case OpAckAll, OpAck:
		of.Do = alarm.Acknowledge
	case OpReset:
		of.Do = alarm.Reset
	case OpSilence:
		of.Do = alarm.Silence
	case OpShelve:
		of.Do, of.For = alarm.Shelve, c.For
	case OpUnshelve:
		of.Do = alarm.Unshelve
	case OpInhibit:
		if of.Do, of.For = alarm.Inhibit, state.Longest; !c.On {
			if !s.Summary.Inhibited {
				return nil // it has ended by itself
			}
			of.Do, of.For = alarm.Uninhibit, 0
		}
	case OpTest:
		test := state.Command{Do: state.TestOutputs}
		if c.On {
			test.For = state.TestLasts
		}
		g.batch = append(g.batch, test)
		return nil
	case OpMark:
		m := state.Mark{Truth: c.Truth, Ago: c.For}
		if c.Alarm >= len(s.Alarms) {
			return ErrNoAlarm
		}
		if c.Alarm >= 0 {
			m.Alarm = s.Alarms[c.Alarm].Name
		}
		g.batch = append(g.batch, state.Command{Do: state.MarkAlarm, Mark: m})
		return nil
	case OpSetClock:
		g.batch = append(g.batch, state.Command{Do: state.SetClock, Time: time.Unix(int64(c.Time), 0).UTC()})
		return nil
	case OpHeld:
		of.Do, of.Text = alarm.Note, "coils or shelve bits were 1, or a command_sequence was not 0, with the first write since the start, since the port was opened or since the host heartbeat was lost: each acts once it has been 0, a sequence with its next number"
	case OpRefused:
		of.Do, of.Text = alarm.Note, c.Text
	case OpSetLimit:
		g.limit(&s.Alarms[c.Alarm], c)
		return nil
	default:
		return fmt.Errorf("%w: %v", ErrRange, c.Op)
	}
	g.batch = append(g.batch, state.On(of))
	return nil
}

// limit adds a change of one limit. All that a request changes of one alarm is
// one command: both limits may cross what was there.
func (g *giver) limit(st *alarm.Status, c Command) {
	var of *alarm.Command
	for i := range g.batch {
		if a := &g.batch[i].Alarm; a.Do == alarm.SetLimits && a.Alarm == st.Name {
			of = a
		}
	}
	if of == nil {
		g.batch = append(g.batch, state.On(alarm.Command{Do: alarm.SetLimits, Alarm: st.Name, Condition: st.Condition,
			Limits: alarm.Limits{Limit: st.Limit, Deadband: deadband(st.Side, st.Limit, st.Off), OnDelay: st.OnDelay, OffDelay: st.OffDelay}}))
		of = &g.batch[len(g.batch)-1].Alarm
	}
	l := &of.Limits
	off := l.Limit - l.Deadband
	if st.Side == alarm.Below {
		off = l.Limit + l.Deadband
	}
	switch c.Limit {
	case OnLimit:
		l.Limit = float32(c.Value)
		l.Deadband = deadband(st.Side, l.Limit, off)
	case OffLimit:
		l.Deadband = deadband(st.Side, l.Limit, float32(c.Value))
	case OnDelay:
		l.OnDelay = time.Duration(c.Value * float64(time.Second))
	case OffDelay:
		l.OffDelay = time.Duration(c.Value * float64(time.Second))
	}
}

// deadband is how far the off-limit stands behind the limit: the map has both
// limits, the engine a limit and its deadband.
func deadband(side alarm.Side, limit, off float32) float32 {
	if side == alarm.Below {
		return off - limit
	}
	return limit - off
}
