package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/operator"
	"mien/firmware/pipeline"
)

// serial is what the serial port has to say to whoever wires it.
func (k *keeper) serial(after uint64) *operator.Serial {
	c := k.session.cfg.Load().Serial
	out := &operator.Serial{Port: c.Device, Frames: []operator.Spoken{}}
	s := k.unit.Speaker()
	if s == nil {
		return out
	}
	out.Protocol = string(c.Protocol)
	wall, now := time.Now(), k.unit.Now()
	for _, f := range s.Traffic(after) {
		out.Frames = append(out.Frames, operator.Spoken{Number: f.Number, At: wall.Add(f.At - now).UTC(), Out: f.Out, Raw: f.Raw, Text: f.Text})
	}
	names, counts := s.Counts()
	for i, name := range names {
		out.Counts = append(out.Counts, operator.Count{Name: name, N: counts[i]})
	}
	for _, r := range s.Registers() {
		out.Registers = append(out.Registers, operator.Register{Space: r.Space.String(), Address: r.Address, Name: r.Name, Value: strings.ToValidUTF8(r.Value, "?"), Unit: r.Unit, Meaning: r.Meaning})
	}
	return out
}

const (
	mostTimes     = 20_000
	mostStretches = 500
)

// try runs levels through the alarm engine, by the config in force and by another.
func (k *keeper) try(t *operator.Try) (*operator.Tried, error) {
	switch {
	case t == nil:
		return nil, errors.New("there is nothing to try")
	case len(t.Times) == 0 || len(t.Times) > mostTimes:
		return nil, fmt.Errorf("from 1 to %d moments can be tried", mostTimes)
	}
	for i, at := range t.Times {
		if at < 0 || at > 1<<50 || i > 0 && at <= t.Times[i-1] {
			return nil, fmt.Errorf("the times do not grow, at number %d", i+1)
		}
	}
	for name, list := range t.Levels {
		if len(list) != len(t.Times) {
			return nil, fmt.Errorf("%s has %d levels for %d moments", name, len(list), len(t.Times))
		}
	}
	other, found, err := config.Examine(k.path, []byte(t.Text), configSignals)
	if err == nil && other == nil {
		err = fmt.Errorf("the config has %s: check it", alarm.Count(len(found.Errors()), "mistake"))
	}
	if err != nil {
		return nil, err
	}
	out := new(operator.Tried)
	if out.Now, err = tried(k.session.cfg.Load(), t); err == nil {
		out.Then, err = tried(other, t)
	}
	return out, err
}

// tried is when the alarm of a config would have been present. It is looked at alone:
// nobody acknowledges, resets or suppresses it.
func tried(cfg *config.Config, t *operator.Try) ([]operator.Stretch, error) {
	by, err := pipeline.ReplayBy(cfg)
	if err != nil {
		return nil, err
	}
	list := []operator.Stretch{}
	i := slices.IndexFunc(by.Alarms.Definitions, func(d alarm.Definition) bool { return d.Name == t.Alarm })
	if i < 0 {
		return list, nil
	}
	d := by.Alarms.Definitions[i]
	d.SuppressBy, d.Latch, d.NoAck = nil, false, true
	var signals []string
	for _, c := range d.Conditions {
		if t.Levels[c.Signal] == nil {
			return nil, fmt.Errorf("there are no levels of %s", c.Signal)
		}
		if !slices.Contains(signals, c.Signal) {
			signals = append(signals, c.Signal)
		}
	}
	engine, err := alarm.New([]alarm.Definition{d}, signals, by.Alarms.Options())
	if err != nil {
		return nil, err
	}
	at := func(i int) time.Duration { return time.Duration(t.Times[i]-t.Times[0]+1) * time.Millisecond }
	engine.Restore(alarm.Saved{}, 0, time.Time{})
	levels := make([]float32, len(signals))
	on := false
	for n := range t.Times {
		for j, name := range signals {
			levels[j] = float32(math.NaN())
			if l := t.Levels[name][n]; l != nil {
				levels[j] = *l
			}
		}
		engine.Step(alarm.Reading{At: at(n), Sequence: uint64(n + 1), Levels: levels})
		switch is := engine.Status(0).State.Active(); {
		case is && !on && len(list) == mostStretches:
			return list, nil
		case is && !on:
			list = append(list, operator.Stretch{From: t.Times[n], To: t.Times[n]})
		case is:
			list[len(list)-1].To = t.Times[n]
		}
		on = engine.Status(0).State.Active()
	}
	return list, nil
}
