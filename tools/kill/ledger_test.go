package main

import (
	"strings"
	"testing"

	"mien/firmware/alarm"
	"mien/firmware/operator"
)

// What a client was told, and what the next start must therefore tell.
func TestLedger(t *testing.T) {
	raise := func(n uint64) alarm.Event {
		return alarm.Event{Number: n, Start: 1, Trigger: alarm.Raise, Alarm: "a", To: alarm.Unacknowledged}
	}
	start := func(n uint64) alarm.Event { return alarm.Event{Number: n, Start: 2, Trigger: alarm.Start} }
	ack := func(n uint64) alarm.Event {
		return alarm.Event{Number: n, Start: 1, Trigger: alarm.Acknowledge, Alarm: "a", From: alarm.Unacknowledged, To: alarm.Acknowledged}
	}
	as := func(s alarm.State) []operator.Alarm { return []operator.Alarm{{Name: "a", State: s}} }
	changed, refused := raise(1), ack(2)
	changed.Cause = "changed"
	refused.Refused = true
	for _, test := range []struct {
		name   string
		done   bool // an acknowledge was answered as done
		events []alarm.Event
		alarms []operator.Alarm
		wrong  string
	}{
		{"all kept", false, []alarm.Event{raise(1), start(2)}, as(alarm.Unacknowledged), ""},
		{"acknowledged unseen", false, []alarm.Event{raise(1), ack(2), start(3)}, as(alarm.Acknowledged), ""},
		{"acknowledged", true, []alarm.Event{raise(1), ack(2), start(3)}, as(alarm.Acknowledged), ""},
		{"command lost", true, []alarm.Event{raise(1), start(2)}, as(alarm.Unacknowledged), "answered as done over socket"},
		{"command refused", true, []alarm.Event{raise(1), refused, start(3)}, as(alarm.Unacknowledged), "answered as done over socket"},
		{"event lost", false, []alarm.Event{start(1)}, as(alarm.Normal), "is lost"},
		{"event changed", false, []alarm.Event{changed, start(2)}, as(alarm.Unacknowledged), "was"},
		{"gap", false, []alarm.Event{raise(1), start(3)}, as(alarm.Unacknowledged), "where 2 belongs"},
		{"all gone", false, nil, as(alarm.Normal), "is lost"},
		{"sight lost", false, []alarm.Event{start(1)}, as(alarm.Normal), "the journal has nothing of it"},
		{"another state", false, []alarm.Event{raise(1), start(2)}, as(alarm.LatchedUnacknowledged), "story"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLedger()
			l.start = 1
			l.sawAlarm("a", alarm.Normal, 0, "socket")
			l.sawEvents([]alarm.Event{raise(1)})
			l.sawAlarm("a", alarm.Unacknowledged, 0, "socket")
			if test.done {
				l.done = append(l.done, command{alarm.Acknowledge, "a", 1, "socket"})
			}
			l.restarted(test.events, test.alarms, nil)
			got := strings.Join(l.wrong, "; ")
			if test.wrong == "" && got != "" || !strings.Contains(got, test.wrong) {
				t.Errorf("found wrong: %q, want %q", got, test.wrong)
			}
		})
	}
}

// What was told of recordings.
func TestLedgerOfRecordings(t *testing.T) {
	for _, test := range []struct {
		name  string
		told  recorded
		is    operator.Pilot
		there bool
		wrong string
	}{
		{"nothing", recorded{}, operator.Pilot{}, false, ""},
		{"goes on", recorded{on: true, purpose: "a"}, operator.Pilot{Recording: true, Purpose: "a"}, false, ""},
		{"erased", recorded{erased: "x"}, operator.Pilot{}, false, ""},
		{"start lost", recorded{on: true, purpose: "a"}, operator.Pilot{}, false, "told as true"},
		{"stop lost", recorded{}, operator.Pilot{Recording: true, Purpose: "a"}, false, "told as false"},
		{"another", recorded{on: true, purpose: "a"}, operator.Pilot{Recording: true, Purpose: "b"}, false, "is in force"},
		{"not erased", recorded{erased: "x"}, operator.Pilot{}, true, "is there"},
	} {
		l := newLedger()
		l.recorded = test.told
		l.sawRecordings(&test.is, func(string) bool { return test.there })
		if got := strings.Join(l.wrong, "; "); test.wrong == "" && got != "" || !strings.Contains(got, test.wrong) {
			t.Errorf("%s: found wrong: %q, want %q", test.name, got, test.wrong)
		}
	}
	l := newLedger()
	l.start = 3
	l.sawStart(alarm.Event{Trigger: alarm.Note, Start: 2, Cause: "after a start, pilot: recording goes on until"})
	if l.goesOn() {
		t.Error("an event of the start before counts")
	}
	l.sawStart(alarm.Event{Trigger: alarm.Note, Start: 3, Cause: "after a start, pilot: recording goes on until"})
	if !l.goesOn() {
		t.Error("the event does not count")
	}
}
