package alarm

import (
	"errors"
	"fmt"
	"time"
)

// ErrTooMany: a source gives more than anybody means.
var ErrTooMany = errors.New("too many commands, try again later")

// What changes no alarm must not fill the journal, and no source may fill it:
// the same note or refused command is journaled once in repeatFor, with how often it
// came since; and a source whose commands and notes make more than burst events
// at once, and one in refill, is refused until that is over.
const (
	repeatFor = time.Minute
	burst     = 100
	refill    = time.Second
)

// repeats are the events that were journaled lately, and their sources.
type repeats struct {
	told    [32]repeat
	sources [16]source
	counted bool          // something waits to be journaled
	looked  time.Duration // when that was looked at
}

// repeat is an event that was journaled, and may come again.
type repeat struct {
	event Event
	at    time.Duration // when it was journaled
	last  time.Duration // when it came last
	more  int           // times since then
}

// source is one who gives commands; the unit itself has no name.
type source struct {
	who     string
	paid    time.Duration // when its events would have ended at one in refill; 0: nobody
	leftOut int
	since   time.Duration // when the first was left out
}

// noneFound is the cause of a command for all alarms that fitted none.
const noneFound = "there was none"

// Idle says that the event changes nothing.
func (ev *Event) Idle() bool {
	return ev.Trigger == Note || ev.Refused || ev.Alarm == "" && ev.Cause == noneFound
}

func (ev *Event) same(other *Event) bool {
	return ev.Trigger == other.Trigger && ev.Alarm == other.Alarm && ev.Who == other.Who && ev.Cause == other.Cause &&
		ev.Refused == other.Refused && ev.To == other.To && ev.Life == other.Life
}

// Allow says whether a source may give commands now, else ErrTooMany; that is
// counted, and journaled as one event.
func (e *Engine) Allow(who string, at time.Duration) error {
	if e.repeats.source(who, at).inDebt(at) {
		e.repeats.counted = true
		return ErrTooMany
	}
	return nil
}

// source finds a source. For a new one the one that has been quiet longest
// gives way.
func (r *repeats) source(who string, at time.Duration) *source {
	quiet := &r.sources[0]
	for i := range r.sources {
		s := &r.sources[i]
		if s.who == who && s.paid > 0 {
			return s
		}
		if s.leftOut == 0 && (quiet.leftOut > 0 || s.paid < quiet.paid) {
			quiet = s
		}
	}
	*quiet = source{who: who, paid: max(at, 1)}
	return quiet
}

func (s *source) inDebt(at time.Duration) bool {
	if s.paid-at < burst*refill {
		return false
	}
	if s.leftOut == 0 {
		s.since = at
	}
	s.leftOut++
	return true
}

// merged says that an event is not told now, but counted.
func (e *Engine) merged(ev *Event) bool {
	if ev.Idle() {
		free := &e.repeats.told[0]
		for i := range e.repeats.told {
			r := &e.repeats.told[i]
			if r.event.Number > 0 && (r.more > 0 || e.now-r.at < repeatFor) && r.event.same(ev) {
				r.more++
				r.last, e.repeats.counted = e.now, true
				return true
			}
			if r.more == 0 && (free.more > 0 || r.event.Number < free.event.Number) {
				free = r
			}
		}
		if ev.Who == "" && e.repeats.source("", e.now).inDebt(e.now) { // others are asked by Allow
			e.repeats.counted = true
			return true
		}
		if free.more == 0 {
			*free = repeat{event: *ev, at: e.now}
			free.event.Number = e.number + 1
		}
	}
	if ev.Who != "" || ev.Idle() {
		s := e.repeats.source(ev.Who, e.now)
		s.paid = max(s.paid, e.now) + refill
	}
	return false
}

// tellMerged tells what was counted once its time is over, in the order in which
// it came last: of a fault that comes and goes the last word is right.
func (e *Engine) tellMerged() {
	r := &e.repeats
	if !r.counted || e.now-r.looked < time.Second {
		return
	}
	r.counted, r.looked = false, e.now
	for {
		var next *repeat
		for i := range r.told {
			t := &r.told[i]
			switch {
			case t.more == 0:
			case e.now-t.at < repeatFor:
				r.counted = true
			case next == nil || t.last < next.last:
				next = t
			}
		}
		if next == nil {
			break
		}
		ev := next.event
		ev.Cause = fmt.Sprintf("%s (%d more in %v)", ev.Cause, next.more, (next.last - next.at).Round(time.Second))
		ev.From, ev.To, ev.Life = e.stateOf(ev.Alarm), e.stateOf(ev.Alarm), e.lifeOf(ev.Alarm)
		next.at, next.more = e.now, 0
		e.add(ev)
	}
	for i := range r.sources {
		switch s := &r.sources[i]; {
		case s.leftOut > 0 && e.now-s.since >= repeatFor:
			e.add(Event{Trigger: Note, Cause: fmt.Sprintf("commands and notes that were too many and were left out: %d (%s)", s.leftOut, s.name())})
			s.leftOut = 0
		case s.leftOut > 0:
			r.counted = true
		}
	}
}

func (s *source) name() string {
	if s.who == "" {
		return "the unit's own"
	}
	return "those of " + s.who
}
