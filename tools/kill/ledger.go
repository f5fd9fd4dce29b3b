package main

import (
	"fmt"
	"slices"
	"strings"

	"mien/firmware/alarm"
	"mien/firmware/operator"
)

// ledger is what clients were told before a kill, compared with what a unit
// tells after the next start. Nothing that was told may be lost, however shortly
// before the kill.
type ledger struct {
	confirmed uint64                 // number of the last event that a restarted unit has told
	states    map[string]alarm.State // of each alarm, as the journal tells it up to confirmed
	seen      []alarm.Event          // since then, by number
	start     uint32                 // of the unit that tells
	sights    []sight                // of alarms, since confirmed
	done      []command              // that were answered as done
	recorded  recorded               // as the newest answer about recordings said
	goes      uint32                 // the newest start whose journal tells that a recording goes on

	events, kept, told, commands, recordings int      // seen in all; still there; sights and commands that had to be true still
	wrong                                    []string // each a sentence
}

// sight is a state in which an alarm was told.
type sight struct {
	alarm string
	state alarm.State
	after uint64 // the newest event that the client knew before it asked
	via   string
}

// command is one that was answered as done.
type command struct {
	do    alarm.Trigger
	alarm string
	after uint64 // the newest event that the client knew before it gave it
	via   string
}

// within says whether an event of the life that was killed is the command, or
// left it nothing to do: a shelving that ends by itself needs no unshelve, and
// Modbus gives no error for one.
func (c command) within(events []alarm.Event, start uint32) bool {
	return slices.ContainsFunc(events, func(e alarm.Event) bool {
		return e.Number > c.after && e.Start == start && e.Alarm == c.alarm && !e.Refused &&
			(e.Trigger == c.do || c.do == alarm.Unshelve && e.Trigger == alarm.Expire)
	})
}

// recorded is what a client was told of recordings.
type recorded struct {
	on      bool
	purpose string
	erased  string // path of a recording that was
}

// sawRecordings holds what a unit tells of recordings after a start against what was
// told before the kill. files are those of a path that are there.
func (l *ledger) sawRecordings(p *operator.Pilot, there func(path string) bool) {
	switch was := l.recorded; {
	case p.Recording != was.on:
		l.fail("recording was told as %v, and is %v after the kill", was.on, p.Recording)
	case was.on && p.Purpose != was.purpose:
		l.fail("the pilot %q was told, and %q is in force", was.purpose, p.Purpose)
	case was.erased != "" && there(was.erased):
		l.fail("%s was told as erased, and is there", was.erased)
	}
	l.recorded = recorded{on: p.Recording, purpose: p.Purpose} // one that was turned back is told once
}

// goesOn tells whether the journal of the start that tells has it that a recording
// goes on.
func (l *ledger) goesOn() bool { return l.goes == l.start }

// sawStart looks for that in an event.
func (l *ledger) sawStart(e alarm.Event) {
	if e.Trigger == alarm.Note && strings.HasPrefix(e.Cause, "after a start, pilot: recording goes on") {
		l.goes = max(l.goes, e.Start)
	}
}

func newLedger() *ledger {
	return &ledger{states: map[string]alarm.State{}}
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
func (l *ledger) sawEvents(list []alarm.Event) {
	for _, e := range list {
		if n := l.newest(); e.Number != n+1 {
			l.fail("event %d told after %d", e.Number, n)
		}
		l.seen = append(l.seen, e)
		l.sawStart(e)
		l.events++
	}
}

// sawAlarm notes the state in which an alarm was told. after is newest from
// before the question.
func (l *ledger) sawAlarm(name string, state alarm.State, after uint64, via string) {
	l.sights = append(l.sights, sight{name, state, after, via})
}

// holds says whether the journal, as it is told after the kill, has the alarm in
// the state in which it was seen: as of the event that was known before, or of one
// of the same life after it.
func (l *ledger) holds(s sight, events []alarm.Event) bool {
	state := l.states[s.alarm]
	for _, e := range events {
		if e.Alarm != s.alarm || e.Refused {
			continue
		}
		if e.Number <= s.after {
			state = e.To
		} else if e.Start == l.start && e.To == s.state {
			return true
		}
	}
	return state == s.state
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
		switch t, ok := told[s.Number]; {
		case !ok || t.Start != s.Start:
			l.fail("event %d is lost: %s", s.Number, s)
		case t.String() != s.String():
			l.fail("event %d was %q, is %q", s.Number, s, t)
		default:
			l.kept++
		}
	}
	for _, c := range l.done {
		if l.commands++; !c.within(events, l.start) {
			l.fail("%v %s was answered as done over %s, and is lost", c.do, c.alarm, c.via)
		}
	}
	for _, s := range l.sights {
		if l.told++; !l.holds(s, events) {
			l.fail("%s was told as %s over %s after event %d, and the journal has nothing of it", s.alarm, s.state, s.via, s.after)
		}
	}
	fold := func(list []alarm.Event) {
		for _, e := range list {
			if e.Alarm != "" && !e.Refused {
				l.states[e.Alarm] = e.To
			}
			l.confirmed, l.start = max(l.confirmed, e.Number), max(l.start, e.Start)
			l.sawStart(e)
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
	}
	fold(again)
	l.seen, l.sights, l.done = l.seen[:0], l.sights[:0], l.done[:0]
}
