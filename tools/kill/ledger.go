package main

import (
	"fmt"
	"slices"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/operator"
)

// ledger is what the client was told before a kill, held against what a unit
// tells after the next start.
type ledger struct {
	confirmed uint64                 // number of the last event that a restarted unit has told
	states    map[string]alarm.State // of each alarm, as the journal tells it up to confirmed
	seen      []seenEvent            // since then, by number
	standing  map[string]standing    // alarms that want attention, as listed before the kill

	events, owed, young, kept int      // seen in all; of them to be kept; of the kill's last moments and gone; still there
	attention                 int      // alarms that had to want attention after a start, and did
	wrong                     []string // each a sentence
}

type seenEvent struct {
	alarm.Event
	at  time.Time     // when the client first saw it
	due bool          // long enough before the kill
	age time.Duration // at the kill
}

// standing is an alarm that was listed as one that wants attention.
type standing struct {
	state alarm.State
	after uint64 // the newest event that the client knew before it asked for the list
	at    time.Time
	due   bool
}

func newLedger() *ledger {
	return &ledger{states: map[string]alarm.State{}, standing: map[string]standing{}}
}

func (l *ledger) fail(format string, args ...any) {
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}

// newest is the number of the newest event that the client knows.
func (l *ledger) newest() uint64 {
	if n := len(l.seen); n > 0 {
		return l.seen[n-1].Number
	}
	return l.confirmed
}

// sawEvents notes what a running unit told of events above newest.
func (l *ledger) sawEvents(list []alarm.Event, at time.Time) {
	for _, e := range list {
		if n := l.newest(); e.Number != n+1 {
			l.fail("event %d told after %d", e.Number, n)
		}
		l.seen = append(l.seen, seenEvent{Event: e, at: at})
		l.events++
	}
}

// sawAlarms notes which alarms a running unit lists as wanting attention.
// after is newest from before the question.
func (l *ledger) sawAlarms(list []operator.Alarm, after uint64, at time.Time) {
	for _, a := range list {
		if !wantsAttention(a.State) {
			delete(l.standing, a.Name)
			continue
		}
		if was, ok := l.standing[a.Name]; ok && !l.left(a.Name, was.after) {
			continue // since then without a pause: the older sight is the stronger claim
		}
		l.standing[a.Name] = standing{state: a.State, after: after, at: at}
	}
}

// left tells whether the alarm was seen to leave the states that want attention
// after an event.
func (l *ledger) left(name string, after uint64) bool {
	return slices.ContainsFunc(l.seen, func(e seenEvent) bool { return e.leaves(name, after) })
}

func (e *seenEvent) leaves(name string, after uint64) bool {
	return leaves([]alarm.Event{e.Event}, name, after)
}

func leaves(list []alarm.Event, name string, after uint64) bool {
	return slices.ContainsFunc(list, func(e alarm.Event) bool {
		return e.Number > after && e.Alarm == name && !wantsAttention(e.To)
	})
}

// wantsAttention: not to be lost by any restart.
func wantsAttention(s alarm.State) bool { return s.NeedsAck() || s.Latched() || s == alarm.Shelved }

// killed draws the line: what was seen by durable before must be kept.
func (l *ledger) killed(at time.Time, durable time.Duration) {
	for i := range l.seen {
		e := &l.seen[i]
		if e.age != 0 {
			continue // of an earlier kill, after which no start was asked
		}
		e.age = at.Sub(e.at)
		if e.due = e.age >= durable; e.due {
			l.owed++
		}
	}
	for name, s := range l.standing {
		s.due = s.due || at.Sub(s.at) >= durable
		l.standing[name] = s
	}
}

// restarted holds what a unit tells after a start against the ledger: events
// are those above confirmed, alarms were listed after them and before again,
// the events above those.
func (l *ledger) restarted(events []alarm.Event, alarms []operator.Alarm, again []alarm.Event) {
	told := make(map[uint64]alarm.Event, len(events))
	for i, e := range events {
		if want := l.confirmed + 1 + uint64(i); e.Number != want {
			l.fail("event %d is told where %d belongs", e.Number, want)
		}
		told[e.Number] = e
	}
	for _, s := range l.seen {
		t, ok := told[s.Number]
		switch {
		case ok && t.Start == s.Start && t.String() == s.String():
			l.kept++
		case ok && t.Start == s.Start:
			l.fail("event %d was %q, is %q", s.Number, s.Event, t)
		case s.due:
			l.fail("event %d, seen %v before the kill, is lost: %s", s.Number, s.age.Round(time.Millisecond), s.Event)
		default:
			l.young++ // its number was given again, by the new start
		}
	}
	fold := func(list []alarm.Event) {
		for _, e := range list {
			if e.Alarm != "" && !e.Refused {
				l.states[e.Alarm] = e.To
			}
			l.confirmed = max(l.confirmed, e.Number)
		}
	}
	moved := map[string]bool{}
	for _, e := range again {
		moved[e.Alarm] = true
	}
	fold(events)
	for _, a := range alarms {
		if story := l.states[a.Name]; !moved[a.Name] && a.State != story {
			l.fail("%s is %s, the journal's story ends with %s", a.Name, a.State, story)
		}
		was, ok := l.standing[a.Name]
		if !ok || !was.due || moved[a.Name] {
			continue
		}
		if leaves(events, a.Name, was.after) {
			continue
		}
		if l.attention++; !wantsAttention(a.State) {
			l.fail("%s was %s, and is %s without an event that says so", a.Name, was.state, a.State)
		}
	}
	fold(again)
	l.seen = l.seen[:0]
	clear(l.standing)
}
