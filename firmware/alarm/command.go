package alarm

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Errors of Do, wrapped with the command, the alarm and the reason.
var (
	ErrNoAlarm = errors.New("there is no such alarm")
	ErrRefused = errors.New("refused")                // not possible in this state
	ErrLocked  = errors.New("locked by the config")   // limits that the config does not unlock, shelving that it forbids
	ErrInvalid = errors.New("not a possible command") // wrong in itself, whatever the state
	errNothing = errors.New("there is nothing to do") // internal: a command for all that found none
)

const maxWho, maxText = 64, 500 // bytes; unit.purpose_reason must fit into a note

// Clean gives the command as events have it: texts from outside are bounded, and
// what cannot be printed is taken out of them.
func (c Command) Clean() Command {
	c.Who, c.Text = clean(c.Who, maxWho), clean(c.Text, maxText)
	return c
}

// Do carries out a command. Every command gives at least one event, also one
// that is refused, so that the journal has all of them with who gave them; what
// changes nothing and was journaled within a minute is counted, and journaled as one event
// with their number. The events are valid until the next Step or Do.
//
// Acknowledge, Reset, Silence and Unshelve without a name mean every alarm
// that they apply to among those shown; finding none is no error. With a name
// they also reach the life beneath a cover. Contradictory commands are settled
// by their order: each acts on the state that the one before it left.
//
// SetLimits holds until the next start or Reconfigure. The alarm is judged by
// the new limits from the next reading on; running delays run on.
func (e *Engine) Do(c Command) ([]Event, error) {
	e.events, e.raised = e.events[:0], e.raised[:0]
	e.stamp(c.At, c.Wall)
	c = c.Clean()
	err := e.do(&c)
	switch {
	case err == nil:
	case errors.Is(err, errNothing):
		e.emit(Event{Trigger: c.Do, Who: c.Who, Cause: noneFound})
		err = nil
	default:
		if int(c.Do) >= triggers {
			c.Do = Note // a number that has no name cannot be read back
		}
		e.emit(Event{Trigger: c.Do, Alarm: e.known(c.Alarm), From: e.stateOf(c.Alarm), To: e.stateOf(c.Alarm), Life: e.lifeOf(c.Alarm),
			Who: c.Who, Cause: clean(strings.TrimPrefix(err.Error(), ErrRefused.Error()+": "), maxText), Refused: true})
		if c.Alarm != "" {
			err = fmt.Errorf("%s %s: %w", c.Do.Words(), c.Alarm, err)
		} else {
			err = fmt.Errorf("%s: %w", c.Do.Words(), err)
		}
	}
	for _, it := range e.items {
		e.heldBack(it)
	}
	e.settle()
	return e.events, err
}

func (e *Engine) do(c *Command) error {
	var it *item
	if c.Alarm != "" {
		if it = e.find(c.Alarm); it == nil {
			return ErrNoAlarm
		}
	}
	switch c.Do {
	case Acknowledge, Reset, Unshelve, Silence:
		if it == nil {
			return e.all(c)
		}
		return e.one(it, c)
	case Shelve, TakeOut, PutBack, SetLimits:
		if it == nil {
			return fmt.Errorf("%w: it needs the name of an alarm", ErrInvalid)
		}
		return e.one(it, c)
	case Inhibit:
		return e.doInhibit(c)
	case Uninhibit:
		if !e.inhibited {
			return fmt.Errorf("%w: there is no inhibit", ErrRefused)
		}
		e.inhibited = false
		e.emit(Event{Trigger: Uninhibit, Who: c.Who})
		e.suppressions()
		return nil
	case Note:
		if c.Text == "" {
			return fmt.Errorf("%w: a note needs a text", ErrInvalid)
		}
		e.emit(Event{Trigger: Note, Alarm: c.Alarm, From: e.stateOf(c.Alarm), To: e.stateOf(c.Alarm), Life: e.lifeOf(c.Alarm), Who: c.Who, Cause: c.Text})
		return nil
	}
	return fmt.Errorf("%w: %v is not a command", ErrInvalid, c.Do)
}

// all applies a command to every shown alarm that it fits.
func (e *Engine) all(c *Command) error {
	done := 0
	for _, it := range e.items {
		shown := it.shown()
		switch c.Do {
		case Silence:
			if shown.NeedsAck() && !it.silenced {
				it.silenced, it.quiet = true, e.now
				done++
			}
		case Unshelve:
			if shown == Shelved && e.fire(it, c.Do, c.Who, "") == "" {
				done++
			}
		default:
			if !shown.Covered() && e.fire(it, c.Do, c.Who, "") == "" {
				done++
			}
		}
	}
	if done == 0 {
		return errNothing
	}
	if c.Do == Unshelve {
		e.suppressions()
	}
	if c.Do == Silence {
		e.emit(Event{Trigger: Silence, Who: c.Who})
	}
	return nil
}

// one applies a command to one alarm.
func (e *Engine) one(it *item, c *Command) error {
	cause := ""
	switch c.Do {
	case Silence:
		if !it.shown().NeedsAck() || it.silenced {
			return fmt.Errorf("%w: it does not sound", ErrRefused)
		}
		it.silenced, it.quiet = true, e.now
		e.emit(Event{Trigger: Silence, Alarm: it.def.Name, From: it.shown(), To: it.shown(), Life: it.life, Who: c.Who})
		return nil
	case SetLimits:
		return e.setLimits(it, c)
	case Shelve:
		switch {
		case it.orphan:
			return fmt.Errorf("%w: it is no longer configured; acknowledge or reset it", ErrRefused)
		case it.def.MaxShelve == 0:
			return fmt.Errorf("%w: it may not be shelved", ErrLocked)
		case c.For <= 0:
			return fmt.Errorf("%w: shelving needs a time", ErrInvalid)
		}
		if t := row(it.shown(), Shelve, true, true); t.Refused {
			return fmt.Errorf("%w: %s", ErrRefused, t.Note)
		}
		if c.For > it.def.MaxShelve {
			c.For, cause = it.def.MaxShelve, "shortened to the longest time that is allowed"
		}
		it.until = e.now + c.For
		it.shelvings++
	case TakeOut:
		if it.orphan {
			return fmt.Errorf("%w: it is no longer configured; acknowledge or reset it", ErrRefused)
		}
		cause = c.Text
	}
	if reason := e.fire(it, c.Do, c.Who, cause); reason != "" {
		return fmt.Errorf("%w: %s", ErrRefused, reason)
	}
	switch c.Do {
	case Shelve, Unshelve, TakeOut, PutBack:
		e.suppressions() // hidden by a person, an alarm suppresses no other
	}
	return nil
}

func (e *Engine) doInhibit(c *Command) error {
	if c.For <= 0 {
		return fmt.Errorf("%w: an inhibit needs a time", ErrInvalid)
	}
	cause := ""
	if c.For > e.options.MaxInhibit {
		c.For, cause = e.options.MaxInhibit, "shortened to the longest time that is allowed"
	}
	e.inhibited, e.inhibit = true, e.now+c.For
	e.emit(Event{Trigger: Inhibit, Who: c.Who, Cause: cause, For: c.For})
	e.suppressions()
	return nil
}

// SetMost changes Options.MaxInhibit and MaxSilence, for a reloaded config; an
// inhibit in force is left as it is.
func (e *Engine) SetMost(inhibit, silence time.Duration) {
	if inhibit > 0 {
		e.options.MaxInhibit = inhibit
	}
	e.options.MaxSilence = silence
}

func (e *Engine) setLimits(it *item, c *Command) error {
	switch {
	case it.orphan || !it.def.Unlocked:
		return fmt.Errorf("%w: its limits", ErrLocked)
	case c.Condition < 0 || c.Condition >= len(it.def.Conditions):
		return fmt.Errorf("%w: it has no condition %d", ErrInvalid, c.Condition)
	}
	if err := c.Limits.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	l := &it.def.Conditions[c.Condition]
	cause := fmt.Sprintf("%s: limit %g -> %g, deadband %g -> %g, on-delay %v -> %v, off-delay %v -> %v", l.Signal, l.Limit, c.Limits.Limit,
		l.Deadband, c.Limits.Deadband, it.def.OnDelay, c.Limits.OnDelay, it.def.OffDelay, c.Limits.OffDelay)
	l.Limit, l.Deadband = c.Limits.Limit, c.Limits.Deadband
	it.def.OnDelay, it.def.OffDelay = c.Limits.OnDelay, c.Limits.OffDelay
	e.emit(Event{Trigger: SetLimits, Alarm: it.def.Name, From: it.shown(), To: it.shown(), Life: it.life, Who: c.Who, Cause: cause})
	return nil
}

// known, stateOf and lifeOf are for events about an alarm that may not exist.
func (e *Engine) known(name string) string { return clean(name, maxWho) }

func (e *Engine) stateOf(name string) State {
	if it := e.find(name); it != nil && name != "" {
		return it.shown()
	}
	return Normal
}

func (e *Engine) lifeOf(name string) State {
	if it := e.find(name); it != nil && name != "" {
		return it.life
	}
	return Normal
}

// clean bounds a text from outside and takes out what cannot be printed.
func clean(s string, limit int) string {
	plain := len(s) <= limit
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] >= ' ' && s[i] < 0x7f
	}
	if plain {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			r = '?'
		}
		if b.Len()+utf8.RuneLen(r) > limit {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Limits gives the limits of one condition that are in force, and ErrNoAlarm.
func (e *Engine) Limits(name string, condition int) (Limits, error) {
	it := e.find(name)
	if it == nil || condition < 0 || condition >= len(it.def.Conditions) {
		return Limits{}, ErrNoAlarm
	}
	c := it.def.Conditions[condition]
	return Limits{c.Limit, c.Deadband, it.def.OnDelay, it.def.OffDelay}, nil
}

// inhibitLeft is how long the inhibit lasts yet.
func (e *Engine) inhibitLeft() time.Duration {
	if !e.inhibited {
		return 0
	}
	return max(e.inhibit-e.now, 0)
}
