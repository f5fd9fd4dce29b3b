package main

import (
	"fmt"
	"strconv"
	"strings"

	"mien/firmware/modbus"
)

// do gives one command as a PLC does, by the changes of coils and of the
// shelve mask, and returns what was done in words.
func (t task) do(l *link, r *reading) (string, error) {
	alarm, name := -1, ""
	if t.alarm != "" {
		a, err := r.find(t.alarm)
		if err != nil {
			return "", err
		}
		alarm, name = a.number, fmt.Sprintf("alarm %d, %s", a.number, a.name)
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
