package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"mien/firmware/alarm"
)

// Withdrawn is a signal that units had: the Prkachin-Solomon pain index. The
// model card has the figures behind WhyWithdrawn.
const (
	Withdrawn    = "pain"
	WhyWithdrawn = "the pain index adds how strong units are, and the network tells only how likely they are there; half of the smiling faces got more than 8 of 16"
)

// Signal is what Check needs to know about a signal of the network.
type Signal struct {
	Name     string
	Min, Max float64 // what its level can be
	Weak     bool    // too often wrong for an alarm by default
}

// conditions gives an alarm's conditions, however they are written.
func (a Alarm) conditions() []Condition {
	switch {
	case len(a.All) > 0:
		return a.All
	case len(a.Any) > 0:
		return a.Any
	}
	return []Condition{{Signal: a.Signal, High: a.High, Low: a.Low, Deadband: a.Deadband}}
}

// Definitions gives the alarms as alarm.New takes them, in the file's order.
func (c *Config) Definitions() []alarm.Definition {
	defs := make([]alarm.Definition, 0, len(c.Alarms))
	for _, a := range c.Alarms {
		d := alarm.Definition{Name: a.Name, OnDelay: a.OnDelay, OffDelay: a.OffDelay, Priority: a.Priority, Latch: a.Latch,
			NoAck: !a.Acknowledge, Horn: a.Horn, Lamp: a.Lamp, SuppressBy: slices.Clone(a.SuppressBy),
			UnknownHold: a.UnknownHold, OnUnknown: a.OnUnknown, MaxShelve: a.ShelveMax, ReAlarm: a.ReAlarm,
			Unlocked: slices.Contains(c.Modbus.Unlock, a.Name) || slices.Contains(c.Modbus.Unlock, "all")}
		if len(a.Any) > 0 {
			d.Match = alarm.Any
		}
		for _, condition := range a.conditions() {
			d.Conditions = append(d.Conditions, condition.definition())
		}
		defs = append(defs, d)
	}
	return defs
}

func (c Condition) definition() alarm.Condition {
	d := alarm.Condition{Signal: c.Signal, Deadband: float32(c.Deadband)}
	switch {
	case c.High != nil:
		d.Limit = float32(*c.High)
	case c.Low != nil:
		d.Side, d.Limit = alarm.Below, float32(*c.Low)
	}
	return d
}

// Check finds what is wrong with the alarms for a network with these signals,
// and what is allowed but worth a second look, as warnings. nil signals: only
// what needs no network.
func (cfg *Config) Check(signals []Signal) Problems {
	c := &checker{Config: cfg}
	names := make([]string, len(signals))
	for i, s := range signals {
		names[i] = s.Name
	}
	for i, a := range c.Alarms {
		block := fmt.Sprintf("alarm[%d]", i+1)
		if a.Signal == "" {
			list := "all"
			if len(a.Any) > 0 {
				list = "any"
			}
			for n, condition := range a.conditions() {
				c.condition(fmt.Sprintf("%s.%s[%d]", block, list, n+1), condition, signals, names)
			}
		} else {
			c.condition(block, a.conditions()[0], signals, names)
		}
		if a.OnDelay == 0 {
			c.warn(block+".on_delay", "is 0: one wrong frame raises the alarm")
		}
	}
	c.sight()
	c.advice()
	if signals == nil {
		names = nil
	}
	c.told(names)
	c.problems.sort()
	return c.problems
}

func (c *checker) condition(block string, condition Condition, signals []Signal, names []string) {
	i := slices.Index(names, condition.Signal)
	if condition.Signal == "" {
		return // it has been told
	}
	if i < 0 {
		if signals != nil {
			if condition.Signal == Withdrawn {
				c.wrong(block+".signal", strings.Join(names, ", "), "the signal %q is withdrawn: %s", Withdrawn, WhyWithdrawn)
				return
			}
			p := c.wrong(block+".signal", strings.Join(names, ", "), "the network has no signal %q", condition.Signal)
			if why := noSignals[underscored(condition.Signal)]; why != "" {
				p.Text += "; " + why
			} else {
				p.Nearest = nearestSignal(condition.Signal, names)
			}
		}
		return
	}
	s := signals[i]
	limit, name, gone := 0.0, "high", 0.0
	switch {
	case condition.High != nil:
		limit, gone = *condition.High, *condition.High-condition.Deadband
	case condition.Low != nil:
		name, limit, gone = "low", *condition.Low, *condition.Low+condition.Deadband
	}
	between := fmt.Sprintf("%s goes from %s to %s", s.Name, rounded(s.Min), rounded(s.Max))
	switch {
	case limit < s.Min || limit > s.Max:
		p := c.wrong(block+"."+name, between, "is %s: never or always met", rounded(limit))
		if limit > 1 && limit <= 100 && s.Max == 1 {
			p.Text += fmt.Sprintf("; %s %% is %s", rounded(limit), rounded(limit/100))
		}
	case name == "high" && limit == s.Min || name == "low" && limit == s.Max:
		c.wrong(block+"."+name, between, "is %s: always met", rounded(limit))
	case name == "high" && gone <= s.Min || name == "low" && gone >= s.Max:
		c.wrong(block+".deadband", between, "is %s: the level would have to go to %s, so the alarm could never return", rounded(condition.Deadband), rounded(gone))
	}
	if s.Weak {
		c.warn(block+".signal", "%s is a weak signal of this network: expect false and missed alarms; join it with another by all", s.Name)
	}
	if condition.Deadband == 0 {
		c.warn(block+".deadband", "is 0: a level that trembles around the limit makes the alarm come and go")
	}
}

// advice warns of settings that are allowed and rarely meant.
func (c *checker) advice() {
	emotion := slices.ContainsFunc(c.Alarms, func(a Alarm) bool {
		return slices.ContainsFunc(a.conditions(), func(condition Condition) bool { return Emotion(condition.Signal) })
	})
	if emotion && strings.TrimSpace(c.Unit.PurposeReason) == "" {
		c.warn("unit.purpose_reason", "is empty: write down why emotions are inferred here; EU AI Act Art. 5(1)(f) allows it for medical or safety reasons only")
	}
	serial := c.Serial.Device != "" && c.Serial.Protocol != NoProtocol
	roles := make(map[Role]bool)
	for _, o := range c.Outputs {
		roles[o.Function.Role] = true
	}
	acknowledge := slices.ContainsFunc(c.Inputs, func(in Input) bool { return in.Function == Acknowledge })
	switch {
	case len(c.Alarms) == 0:
		c.warn("alarm", "there is none: the unit watches and alarms on nothing").Allowed = "a block [[alarm]] with name, signal and high or low"
	case len(c.Alarms) > 0 && len(c.Outputs) == 0 && !serial:
		c.warn("alarm[1]", "no output and no serial port: only the socket and the journal will tell of alarms")
	case len(c.Alarms) > 0 && !acknowledge && !serial && roles[Horn]:
		c.warn("output", "there is a horn but no input to acknowledge it and no serial port: only mien ack can")
	}
	if len(c.Outputs) > 0 && !roles[Healthy] {
		c.warn("output[1]", "no output has function \"healthy\": a unit that died looks like one without alarms")
	}
	if n := len(c.Alarms); n > 16 && serial && c.Serial.Protocol == ModbusRTU {
		c.warn("alarm[17]", "the register map has room for 16 alarms; the %d from here on are not in the PLC's registers", n-16)
	}
	for block, n := range map[string]int{"output": len(c.Outputs), "input": len(c.Inputs)} {
		if n > 16 && serial && c.Serial.Protocol == ModbusRTU {
			c.warn(block+"[17]", "the register map has room for 16 %ss; the %d from here on are not in the PLC's registers", block, n-16)
		}
	}
	if clip := c.Camera.Clip; clip != "" {
		c.warn("camera.clip", "a clip is played: the camera is not watched")
		if strings.HasPrefix(clip, "/tmp/") || strings.HasPrefix(clip, "/var/tmp/") {
			c.warn("camera.clip", "%s is hidden from the service, which has temporary folders of its own (PrivateTmp)", clip).
				Allowed = "a file that the service can read, such as /var/lib/mien/shift.y4m"
		}
	}
	if words := c.Camera.Command; len(words) > 0 {
		for key, set := range map[string]bool{"camera.format": c.Camera.Format != AnyFormat, "camera.width": c.has("camera.width"), "camera.height": c.has("camera.height"), "camera.controls": len(c.Camera.Controls) > 0} {
			if set {
				c.warn(key, "is not used: the program of camera.command decides")
			}
		}
		if program := filepath.Base(words[0]); (program == "rpicam-vid" || program == "libcamera-vid") && !hasOption(words, "-t", "--timeout") {
			c.warn("camera.command", `%s ends by itself after 5 s: add "-t", "0"`, program)
		}
	}
	c.wiring()
	c.reachable()
	if c.Face.Select == InRegion && c.Face.Region == [4]float64{0, 0, 1, 1} {
		c.warn("face.select", "is region, but face.region is the whole frame")
	}
	if c.Serial.Device != "" && strings.HasPrefix(c.Serial.Device, "/dev/ttyUSB") {
		c.warn("serial.device", "%s may have another number after replugging; take its name in /dev/serial/by-id or by-path (mien probe prints it)", c.Serial.Device)
	}
	if strings.HasPrefix(c.Camera.Device, "/dev/video") {
		c.warn("camera.device", "%s may have another number after a restart; take its name in /dev/v4l/by-id or by-path (mien probe prints it); a v4l2loopback device keeps the number of its video_nr", c.Camera.Device)
	}
}
