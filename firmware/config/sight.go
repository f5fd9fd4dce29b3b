package config

import (
	"fmt"
	"math"
	"time"

	"mien/firmware/alarm"
)

// FailsOn tells whether an output's fail value is on. By default it is, for what
// tells of alarms and faults: a line at rest must mean that all is seen and well.
// A horn that sounds whenever somebody leaves is soon disconnected, and the
// healthy line stands still.
func (o Output) FailsOn() bool {
	if o.Fail == SwitchAuto {
		return o.Function.Role != Healthy && o.Function.Role != Horn
	}
	return o.Fail == SwitchOn
}

// StartsOn tells whether an output's line is requested as on.
func (o Output) StartsOn() bool {
	if o.Start == SwitchAuto {
		return o.FailsOn()
	}
	return o.Start == SwitchOn
}

// times looks whether results can be young enough to be judged.
func (c *checker) times() {
	h := c.Health
	if frames := 2 * period(c.Camera.FPS); h.Stale < frames {
		c.wrong("health.stale", fmt.Sprintf("at least two frames of camera.fps, %q", alarm.Time(frames)),
			"is %s: a result would be too old before the next one comes, and no alarm with a delay could be judged", alarm.Time(h.Stale))
	} else if h.MinRate > 0 && h.Stale < period(h.MinRate) {
		c.wrong("health.stale", fmt.Sprintf("at least 1/health.min_rate, %q, or a higher min_rate", alarm.Time(period(h.MinRate))),
			"is %s: results at health.min_rate, %s a second, would not be too slow, and yet each too old before the next one comes", alarm.Time(h.Stale), number(h.MinRate))
	}
}

// sight warns of what may keep an alarm from being judged, and where nobody would
// be told: lines that look the same whether all is well or nothing is seen.
func (c *checker) sight() {
	h := c.Health
	if h.MinRate == 0 && len(c.Alarms) > 0 {
		c.warn("health.min_rate", "is 0: results that are too rare for an alarm are no fault of the unit; the alarm is declared Unknown, and no more")
	}
	frame := period(c.Camera.FPS)
	for i, a := range c.Alarms {
		for key, delay := range map[string]time.Duration{"on_delay": a.OnDelay, "off_delay": a.OffDelay} {
			if delay > 0 && delay < frame {
				c.warn(alarmKey(i, key), "is %s, less than a frame of camera.fps: it lasts %s at least", alarm.Time(delay), alarm.Time(frame))
			}
		}
		if a.UnknownHold < h.Stale {
			c.warn(alarmKey(i, "unknown_hold"), "is %s, less than health.stale, %s: one late result is enough to declare it", alarm.Time(a.UnknownHold), alarm.Time(h.Stale))
		}
		c.rests(i, a)
	}
}

// rests warns of an alarm whose lines rest while nobody is in view, and of one that
// has none. A PLC on the serial port is told in any case.
func (c *checker) rests(i int, a Alarm) {
	if c.Serial.Device != "" && c.Serial.Protocol != NoProtocol {
		return
	}
	shown := -1
	for n, o := range c.Outputs {
		if !o.shows(a) {
			continue
		}
		if o.FailsOn() && a.OnUnknown == alarm.Fault {
			return
		}
		shown = n
	}
	switch {
	case shown < 0 && len(c.Outputs) > 0: // without any the config is warned of as a whole
		c.warn(fmt.Sprintf("alarm[%d]", i+1), "no output shows it and there is no serial port: only the socket and the journal will tell of it")
	case shown < 0:
	case a.OnUnknown == alarm.Fault:
		c.warn(fmt.Sprintf("output[%d].fail", shown+1), "is off on every line of alarm %q: nobody in view looks the same as all is well", a.Name)
	default:
		c.warn(alarmKey(i, "on_unknown"), "is %s: on the lines of alarm %q nobody in view looks the same as all is well", a.OnUnknown, a.Name)
	}
}

// shows tells whether an output tells of an alarm.
func (o Output) shows(a Alarm) bool {
	least := o.Priority
	if least == 0 {
		least = alarm.Low
	}
	priority := a.Priority
	if priority == 0 {
		priority = alarm.Medium
	}
	switch o.Function.Role {
	case OneAlarm:
		return o.Function.Alarm == a.Name
	case Lamp:
		return a.Lamp && priority <= least
	case Horn:
		return a.Horn && a.Acknowledge && priority <= least
	case Unacknowledged:
		return a.Acknowledge && priority <= least
	case AnyAlarm:
		return priority <= least
	}
	return false
}

// period is the time between two events of a rate a second, to the millisecond
// above.
func period(rate float64) time.Duration {
	return time.Duration(math.Ceil(1000/rate)) * time.Millisecond
}
