package main

import (
	"strings"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/operator"
)

// Times of baseConfig, and what an emulated processor may add to each.
const (
	onDelay  = 3 * time.Second
	offDelay = 3 * time.Second
	slack    = 60 * time.Second // for some results, on a busy host
	stale    = 20 * time.Second
)

const (
	brow = "brow lowered"
	eyes = "eyes closed"
)

// unitScenarios follow a face from the picture to the lines.
var unitScenarios = []scenario{
	{name: "lines take their start values in one step", ci: true, run: func(b *bench) {
		b.stopUnit()
		b.show("neutral")
		began := time.Now()
		b.launch(baseConfig)
		b.becomes(eyesLine, true, slack) // start = "on"
		b.becomes(faultLine, false, slack)
		b.check(b.unit.says("first result", 0, 4*time.Minute), "no result:\n%s", b.unit.output())
		for _, line := range []int{lamp, horn} {
			b.check(len(b.m.pins.since(line, began)) == 0, "line %s moved: %v", lineNames[line], b.m.pins.since(line, began))
		}
		b.logf("%s", field(b.unit.output(), `(first result [^"\n]*)`))
	}},
	{name: "the healthy line toggles with results", ci: true, run: func(b *bench) {
		b.show("neutral")
		b.running(baseConfig)
		took := b.toggles(6, 2*time.Minute)
		b.becomes(eyesLine, false, slack) // readings flow: its fail value is no longer needed
		s := b.status()
		b.check(s.Trusted && len(s.Faults) == 0, "%+v", s)
		b.check(!b.m.pins.level(lamp) && !b.m.pins.level(horn) && !b.m.pins.level(faultLine), "a neutral face: %v", b.m.pins.levels)
		b.logf("6 changes in %.1f s; a neutral face lights nothing; latency %v", took.Seconds(), s.Latency.Round(time.Millisecond))
	}},
	{name: "a frown in the picture lights the lamp", ci: true, run: func(b *bench) {
		b.show("neutral")
		b.running(baseConfig)
		b.normal(brow)
		shown := time.Now()
		b.show("frown")
		b.becomes(lamp, true, onDelay+slack)
		took := time.Since(shown)
		b.becomes(horn, true, slack)
		b.check(took >= onDelay, "the lamp is lit after %v, before the on-delay of %v", took, onDelay)
		b.check(b.alarm(brow).State == alarm.Unacknowledged, "%+v", b.alarm(brow))
		b.says("brow lowered: raise", slack)
		b.logf("lit %.1f s after the picture changed, the on-delay is %v: %s", took.Seconds(), onDelay, field(b.unit.output()[b.mark:], `msg="(.*brow lowered: raise.*)"`))
	}},
	{name: "a pulse shorter than the debounce is no press", fault: true, ci: true, run: func(b *bench) {
		b.frowning()
		for range 5 {
			b.press(ackLine, 30*time.Millisecond)
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		b.check(b.m.pins.level(horn), "the horn is off after pulses of 30 ms; the debounce is 300 ms")
		b.logf("5 pulses of 30 ms, debounce 300 ms: not acknowledged")
	}},
	{name: "an edge at the input acknowledges", ci: true, run: func(b *bench) {
		b.frowning()
		b.press(ackLine, time.Second)
		b.becomes(horn, false, slack)
		b.check(b.alarm(brow).State == alarm.Acknowledged, "%+v", b.alarm(brow))
		b.check(b.m.pins.level(lamp), "the lamp is off though the condition holds")
		b.says("acknowledged by input ack button", slack)
		b.logf("horn off, lamp on: %s", field(b.unit.output()[b.mark:], `msg="(.*brow lowered: acknowledge.*)"`))
	}},
	{name: "a latched alarm stays until it is reset", ci: true, run: func(b *bench) {
		b.frowning()
		b.press(ackLine, time.Second)
		b.becomes(horn, false, slack)
		gone := time.Now()
		b.show("neutral")
		b.eventually(offDelay+slack, "latched", func() bool { return b.alarm(brow).State == alarm.LatchedAcknowledged })
		took := time.Since(gone)
		b.check(took >= offDelay, "gone after %v, before the off-delay of %v", took, offDelay)
		b.check(b.m.pins.level(lamp), "the lamp is off though the alarm is latched")
		b.press(resetLine, time.Second)
		b.becomes(lamp, false, slack)
		b.check(b.alarm(brow).State == alarm.Normal, "%+v", b.alarm(brow))
		b.logf("latched %.1f s after the face was neutral; the reset key cleared it", took.Seconds())
	}},
	{name: "the operator's commands: status, alarms, events, ack, reset", ci: true, run: func(b *bench) {
		b.frowning()
		for _, c := range []struct{ command, want string }{
			{"status", "results are valid"}, {"alarms", brow}, {"events", brow + ": raise"}, {"ack", ""}, {"alarms", "acknowledged"}, {"reset", ""},
		} {
			text, code := b.mien(c.command, "-socket", "/run/mien/mien.sock")
			b.check(code == 0 && strings.Contains(text, c.want), "mien %s: %d: %s", c.command, code, text)
		}
		b.becomes(horn, false, slack)
	}},
	{name: "an output test shows each line on", run: func(b *bench) {
		b.show("neutral")
		b.running(baseConfig)
		b.normal(brow)
		text, code := b.mien("outputs", "-test", "8s", "-socket", "/run/mien/mien.sock")
		b.check(code == 0, "%s", text)
		for _, line := range []int{healthy, lamp, eyesLine, faultLine, horn} {
			b.becomes(line, true, slack)
		}
		for _, line := range []int{lamp, eyesLine, faultLine, horn} {
			b.becomes(line, false, slack)
		}
		b.toggles(2, slack)
	}},
	{name: "a config is taken over while the unit runs", run: func(b *bench) {
		b.show("neutral")
		b.running(baseConfig)
		b.reload(configWith(`on_delay = "2s"`, `on_delay = "4s"`), takenOver)
		b.toggles(2, slack)
		b.reload(baseConfig, takenOver)
	}},
	{name: "a button that is held is a fault, and one command only", fault: true, run: func(b *bench) {
		b.show("neutral")
		b.running(baseConfig)
		b.need(b.m.pins.drive(ackLine, true))
		b.says("F14", slack)
		b.becomes(faultLine, true, slack)
		b.need(b.m.pins.drive(ackLine, false))
		b.becomes(faultLine, false, slack)
		n := strings.Count(b.unit.output()[b.mark:], "acknowledge")
		b.check(n <= 1, "%d commands from one press", n)
	}},
	{name: "nobody before the camera is Unknown: alarms stay as they are", fault: true, ci: true, run: func(b *bench) {
		b.frowning()
		b.show("nobody")
		b.eventually(slack, "Unknown", func() bool { a := b.alarm(brow); return a.Level == nil })
		b.toggles(3, slack)
		b.check(b.m.pins.level(lamp), "the lamp went out because the face went away")
		b.becomes(eyesLine, true, slack) // its fail value, after unknown_hold
		b.show("neutral")
		b.becomes(eyesLine, false, slack)
		b.logf("results flow, the lamp holds; after unknown_hold the line of the other alarm shows its fail value until the face is back")
		b.clear()
	}},
}

// normal brings an alarm back to normal if it is not.
func (b *bench) normal(name string) {
	if b.alarm(name).State != alarm.Normal {
		b.clear()
	}
}

// clear ends all alarms as a person would.
func (b *bench) clear() {
	b.show("neutral")
	b.cleared()
}

// cleared ends all alarms, whose conditions are gone.
func (b *bench) cleared() {
	b.eventually(2*time.Minute, "every alarm normal", func() bool {
		for _, do := range []alarm.Trigger{alarm.Acknowledge, alarm.Reset} {
			b.ask(operator.Request{Ask: operator.AskDo, Do: do})
		}
		return b.alarm(brow).State == alarm.Normal && b.alarm(eyes).State == alarm.Normal
	})
	b.becomes(lamp, false, slack)
	b.becomes(horn, false, slack)
}

// frowning makes sure that the unit sees a frown, unacknowledged.
func (b *bench) frowning() {
	if b.shown == "" {
		b.show("neutral")
	}
	b.running(baseConfig)
	if b.shown == "frown" && b.m.pins.level(horn) && b.m.pins.level(lamp) {
		return
	}
	b.normal(brow)
	b.show("frown")
	b.becomes(lamp, true, onDelay+slack)
	b.becomes(horn, true, slack)
}
