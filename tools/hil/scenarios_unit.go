package main

import (
	"strings"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/operator"
	"mien/tools/hil/wire"
)

// Times of baseConfig, and what an emulated processor may add to each.
const (
	onDelay  = 3 * time.Second
	offDelay = 3 * time.Second
	debounce = 300 * time.Millisecond
	slack    = 2 * time.Minute // for some results, on a busy host
	stale    = 20 * time.Second
	// inFlight is what the frame at hand may still take on an emulated processor
	// until its result, from which health.stale counts.
	inFlight = 5 * time.Second
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
		was := b.m.pins.level(lamp)
		began := time.Now()
		b.launch(baseConfig)
		b.becomes(eyesLine, true, slack) // start = "on"
		b.becomes(faultLine, false, slack)
		b.check(b.unit.says("first result", 0, 4*time.Minute), "no result:\n%s", b.unit.output())
		b.check(len(b.m.pins.since(horn, began)) == 0, "the horn moved: %v", b.m.pins.since(horn, began))
		// Nobody can know before the first result: the lamp is lit, from the request on, and then dark.
		b.becomes(lamp, false, slack)
		moves := b.m.pins.since(lamp, began)
		if !was {
			b.check(len(moves) > 0 && moves[0].high, "the lamp is dark before the first result: %v", moves)
			moves = moves[1:]
		}
		b.check(len(moves) == 1, "the lamp does more than go out with the first result: %v", moves)
		b.logf("%s", field(b.unit.output(), `(first result [^"\n]*)`))
	}},
	{name: "the healthy line toggles with results", ci: true, run: func(b *bench) {
		b.show("neutral")
		b.running(baseConfig)
		took := b.toggles(6, 2*time.Minute)
		b.becomes(eyesLine, false, slack) // readings flow: its fail value is no longer needed
		b.well()
		s := b.status()
		b.check(!b.m.pins.level(lamp) && !b.m.pins.level(horn) && !b.m.pins.level(faultLine), "a neutral face: %s", b.m.pins.all())
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
		for try := 1; ; try++ {
			b.frowning()
			longest := time.Duration(0)
			for range 5 {
				longest = max(longest, b.pulse(ackLine, 30*time.Millisecond))
				time.Sleep(20 * time.Millisecond)
			}
			time.Sleep(2 * time.Second)
			if b.m.pins.level(horn) {
				b.logf("5 pulses of 30 ms (%v at most), debounce %v: not acknowledged", longest.Round(time.Millisecond), debounce)
				return
			}
			// A busy host may make a press of a pulse.
			b.check(longest >= debounce && try < 5, "the horn is off after pulses of at most %v; the debounce is %v", longest, debounce)
		}
	}},
	{name: "an edge at the input acknowledges", ci: true, run: func(b *bench) {
		b.frowning()
		b.press(ackLine, func() { b.becomes(horn, false, slack) })
		b.check(b.alarm(brow).State == alarm.Acknowledged, "%+v", b.alarm(brow))
		b.check(b.m.pins.level(lamp), "the lamp is off though the condition holds")
		b.says("acknowledged by input ack button", slack)
		b.logf("horn off, lamp on: %s", field(b.unit.output()[b.mark:], `msg="(.*brow lowered: acknowledge.*)"`))
	}},
	{name: "nobody before the camera is Unknown: alarms stay as they are", fault: true, ci: true, run: func(b *bench) {
		b.lit()
		b.becomes(eyesLine, false, slack)
		b.show("nobody")
		b.unknown()
		b.show("frown")
		b.becomes(eyesLine, false, slack)
		b.logf("results flow, the lamp holds; after unknown_hold the line of the other alarm shows its fail value until the face is back")
	}},
	{name: "a camera without a signal gives noise: alarms stay as they are", fault: true, ci: true, run: func(b *bench) {
		b.lit()
		b.becomes(eyesLine, false, slack)
		defer b.m.call("control", wire.Control{Device: cameraNode, Name: signalMode}, nil)
		for _, mode := range []int32{1, 2, 3} { // no signal, no lock, out of range
			b.control(cameraNode, signalMode, mode)
			b.toggles(1, slack)
			b.unknown()
		}
		b.control(cameraNode, signalMode, 0)
		b.becomes(eyesLine, false, slack)
		b.logf("no signal, no lock, out of range: Unknown, the lamp holds; readings come back by themselves")
	}},
	{name: "a latched alarm stays until it is reset", ci: true, run: func(b *bench) {
		b.lit()
		if b.m.pins.level(horn) {
			b.press(ackLine, func() { b.becomes(horn, false, slack) })
		}
		gone := time.Now()
		b.show("neutral")
		b.eventually(offDelay+slack, "latched", func() bool { return b.alarm(brow).State == alarm.LatchedAcknowledged })
		took := time.Since(gone)
		b.check(took >= offDelay, "gone after %v, before the off-delay of %v", took, offDelay)
		b.check(b.m.pins.level(lamp), "the lamp is off though the alarm is latched")
		b.press(resetLine, func() { b.becomes(lamp, false, slack) })
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

// signalMode is vivid's control of what comes over the camera's cable.
const signalMode = "dv_timings_signal_mode"

// unknown waits until the unit has no reading, and checks what the lines show of it.
func (b *bench) unknown() {
	b.eventually(slack, "Unknown", func() bool { return b.alarm(brow).Level == nil })
	b.becomes(eyesLine, true, slack) // its fail value, after unknown_hold
	b.toggles(1, slack)
	b.check(b.m.pins.level(lamp), "the lamp went out because the face went away: %s", b.m.pins.all())
}

// well waits until the unit has valid results and no fault, and checks that it has
// had none of these since the scenario began. On a busy host its own watch may find
// another part slow for a moment.
func (b *bench) well(never ...string) {
	b.eventually(slack, "valid results, no fault", func() bool { s := b.status(); return s.Trusted && len(s.Faults) == 0 })
	for _, fault := range never {
		b.check(!strings.Contains(b.unit.output()[b.mark:], fault), "it has had %s:\n%s", fault, tail(b.unit.output()[b.mark:], 20))
	}
}

// lit makes sure that the unit sees a frown, acknowledged or not.
func (b *bench) lit() {
	if b.unit == nil || b.ended() || b.config != baseConfig || b.shown != "frown" || !b.m.pins.level(lamp) {
		b.frowning()
	}
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
