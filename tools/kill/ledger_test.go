package main

import (
	"strings"
	"testing"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/operator"
)

// What a client was told, and what the next start must therefore tell.
func TestLedger(t *testing.T) {
	t0 := time.Unix(1000, 0)
	raise := func(n uint64) alarm.Event {
		return alarm.Event{Number: n, Start: 1, Trigger: alarm.Raise, Alarm: "a", To: alarm.Unacknowledged}
	}
	start := func(n uint64) alarm.Event { return alarm.Event{Number: n, Start: 2, Trigger: alarm.Start} }
	ack := func(n uint64) alarm.Event {
		return alarm.Event{Number: n, Start: 1, Trigger: alarm.Acknowledge, Alarm: "a", From: alarm.Unacknowledged, To: alarm.Acknowledged}
	}
	as := func(s alarm.State) []operator.Alarm { return []operator.Alarm{{Name: "a", State: s}} }
	changed := raise(1)
	changed.Cause = "changed"
	for _, test := range []struct {
		name   string
		age    time.Duration // of what was seen, at the kill
		events []alarm.Event
		alarms []operator.Alarm
		wrong  string
	}{
		{"all kept", time.Second, []alarm.Event{raise(1), start(2)}, as(alarm.Unacknowledged), ""},
		{"acknowledged unseen", time.Second, []alarm.Event{raise(1), ack(2), start(3)}, as(alarm.Acknowledged), ""},
		{"young ones gone", 100 * time.Millisecond, []alarm.Event{start(1)}, as(alarm.Normal), ""},
		{"event lost", time.Second, []alarm.Event{start(1)}, as(alarm.Normal), "is lost"},
		{"event changed", time.Second, []alarm.Event{changed, start(2)}, as(alarm.Unacknowledged), "was"},
		{"gap", time.Second, []alarm.Event{raise(1), start(3)}, as(alarm.Unacknowledged), "where 2 belongs"},
		{"all gone", time.Second, nil, as(alarm.Normal), "is lost"},
		{"alarm forgotten", time.Second, []alarm.Event{raise(1), start(2)}, as(alarm.Normal), "without an event"},
		{"another state", time.Second, []alarm.Event{raise(1), start(2)}, as(alarm.LatchedUnacknowledged), "story"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLedger()
			l.sawAlarms(as(alarm.Normal), 0, t0)
			l.sawEvents([]alarm.Event{raise(1)}, t0)
			l.sawAlarms(as(alarm.Unacknowledged), 0, t0)
			l.killed(t0.Add(test.age), 400*time.Millisecond)
			l.restarted(test.events, test.alarms, nil)
			got := strings.Join(l.wrong, "; ")
			if test.wrong == "" && got != "" || !strings.Contains(got, test.wrong) {
				t.Errorf("found wrong: %q, want %q", got, test.wrong)
			}
		})
	}
}
