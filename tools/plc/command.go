package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	master "github.com/simonvetter/modbus"

	"mien/firmware/modbus"
)

// do gives one command, and returns what was done in words. One that the config
// locks names the key.
func (t task) do(l *link, r *reading, byWord bool) (string, error) {
	done, err := t.give(l, r, byWord)
	if key := unlockedBy[t.op]; key != "" && errors.Is(err, master.ErrIllegalDataAddress) {
		err = fmt.Errorf("%w; %s", err, key)
	}
	return done, err
}

// unlockedBy says for commands that the config may lock by which key.
var unlockedBy = map[modbus.Op]string{
	modbus.OpSetClock: "the clock can be set where the config has clock.settable = true, and while no time source sets the system's (mien clock tells)",
	modbus.OpShelve:   "an alarm can be shelved where its shelve_max in the config is above 0s",
}

// give gives a command as a PLC does, by the changes of coils and of the shelve
// mask or by the command registers.
func (t task) give(l *link, r *reading, byWord bool) (string, error) {
	alarm, name := -1, ""
	if t.alarm != "" {
		a, err := r.find(t.alarm)
		if err != nil {
			return "", err
		}
		alarm, name = a.number, fmt.Sprintf("alarm %d, %s", a.number, a.name)
	}
	if byWord || t.op == modbus.OpSetClock {
		return t.byRegisters(l, r, alarm, name)
	}
	switch t.op {
	case modbus.OpAck:
		if alarm < 0 {
			return "acknowledged every alarm", l.pulse("ack_all")
		}
		return "acknowledged " + name, l.pulse(fmt.Sprintf("ack_alarm%d", alarm))
	case modbus.OpReset:
		return "reset the latched alarms whose condition is gone", l.pulse("reset_latched")
	case modbus.OpSilence:
		return "silenced the horn", l.pulse("silence")
	case modbus.OpInhibit:
		return t.timed(l, r, "inhibit", "inhibit")
	case modbus.OpTest:
		return t.timed(l, r, "output_test", "output test")
	case modbus.OpShelve:
		return fmt.Sprintf("shelved %s, for %d min", name, t.minutes), shelve(l, r, alarm, t.minutes)
	}
	return "took off the shelf: " + name, unshelve(l, r, alarm)
}

// byRegisters gives the command by the command registers: a 0 first, so that the
// unit has seen a number of this master, then the next number after the one that
// it has looked at last.
func (t task) byRegisters(l *link, r *reading, alarm int, name string) (string, error) {
	word, value := "", uint32(t.minutes)
	switch t.op {
	case modbus.OpAck:
		if word = "acknowledge"; alarm < 0 {
			word = "acknowledge all"
		}
	case modbus.OpInhibit, modbus.OpTest:
		word = map[modbus.Op]string{modbus.OpInhibit: "inhibit", modbus.OpTest: "output test"}[t.op]
		if !t.on {
			word = "end " + word
		}
	case modbus.OpSetClock:
		if t.time.IsZero() {
			t.time = time.Now()
		}
		word, value = "set clock", uint32(t.time.Unix())
		name = "to " + t.time.UTC().Format(time.RFC3339)
	default:
		word = t.op.String()
	}
	at := register["command"].Address
	code := slices.Index(register["command"].Names, word)
	if code < 0 {
		return "", fmt.Errorf("%v: the registers have no such command", t.op)
	}
	high, low := uint16(value>>16), uint16(value)
	if r.low {
		high, low = low, high
	}
	number := r.word16("command_done") + 1
	if number == 0 {
		number = 1
	}
	if err := l.write(at, 0, 0, 0, 0, 0); err != nil {
		return "", err
	}
	if err := l.write(at, uint16(code), uint16(max(alarm, 0)), high, low, number); err != nil {
		return "", fmt.Errorf("%s %s: %w", word, name, err)
	}
	if err := r.read(l, block{modbus.Input, register["command_done"].Address, 2}); err != nil {
		return "", err
	}
	if done := r.word16("command_done"); done != number {
		return "", fmt.Errorf("%s: the unit has looked at number %d, not at %d: another master?", word, done, number)
	}
	result := register["command_result"].Names[min(int(r.word16("command_result")), len(register["command_result"].Names)-1)]
	return strings.TrimSpace(word+" "+name) + ", by registers: " + result, nil
}

// find is an alarm by its number or its name, the 16 characters that the map
// has of it.
func (r *reading) find(which string) (alarm, error) {
	all := r.alarms()
	n, err := strconv.Atoi(which)
	var names []string
	for _, a := range all {
		if err == nil && a.number == n || err != nil && a.name == which[:min(16, len(which))] {
			return a, nil
		}
		names = append(names, fmt.Sprintf("%d %s", a.number, a.name))
	}
	return alarm{}, fmt.Errorf("the unit has no alarm %q (there are %s)", which, strings.Join(names, ", "))
}

// pulse makes the change 0 to 1 of a coil that only acts on it. Its 0 goes first:
// a unit takes a 1 for a command once it has seen the 0 of this master.
func (l *link) pulse(name string) error {
	for _, on := range []bool{false, true, false} {
		if err := l.coil(register[name].Address, on); err != nil {
			return err
		}
	}
	return nil
}

// timed starts or ends what ends by itself: both changes of its coil act.
func (t task) timed(l *link, r *reading, coil, what string) (string, error) {
	at := register[coil].Address
	first := []bool{false}
	switch {
	case t.on:
	case r.word[modbus.Coil][at] == 0: // somebody else began it, or the time ended it
		first = []bool{false, true}
	default:
		first = nil
	}
	for _, on := range first {
		if err := l.coil(at, on); err != nil {
			return "", err
		}
	}
	if t.on {
		return "started the " + what, l.coil(at, true)
	}
	return "ended the " + what, l.coil(at, false)
}

// shelve writes mask and minutes in one request, so that no other master's
// minutes come between. The bit is cleared first, set already or not: only its
// change acts, and only after the unit has seen the mask without it.
func shelve(l *link, r *reading, alarm, minutes int) error {
	mask, at := r.word16("shelve_mask"), register["shelve_mask"].Address
	bit := uint16(1) << alarm
	if err := l.write(at, mask&^bit); err != nil {
		return err
	}
	if err := l.write(at, mask|bit, uint16(minutes)); err != nil {
		return err
	}
	return r.read(l, block{modbus.Holding, at, 2})
}

func unshelve(l *link, r *reading, alarm int) error {
	mask, at := r.word16("shelve_mask"), register["shelve_mask"].Address
	bit := uint16(1) << alarm
	if r.word16("alarms_shelved")&bit == 0 {
		return fmt.Errorf("alarm %d is not shelved", alarm)
	}
	if err := l.write(at, mask|bit); err != nil { // somebody else may have shelved it
		return err
	}
	if err := l.write(at, mask&^bit); err != nil {
		return err
	}
	return r.read(l, block{modbus.Holding, at, 2})
}
