package modbus_test

import (
	"testing"
	"time"

	"mien/firmware/modbus"
	"mien/firmware/state"
)

// Marks come by coils, of the newest alarm or of the one that mark_alarm names, and
// by the register commands; each 0 to 1 is one, as of other coils.
func TestMarks(t *testing.T) {
	r := newRig(t, nil)
	coil := func(n int, on bool) []byte {
		value := 0
		if on {
			value = 0xFF00
		}
		return words(5, n, value)
	}
	for n, truth := range []state.Truth{state.Right, state.False, state.Missed} {
		for range 2 {
			r.want(t, coil(28+n, false), coil(28+n, false))
			r.want(t, coil(28+n, true), coil(28+n, true))
			r.want(t, coil(28+n, true), coil(28+n, true))
			r.commands(t, modbus.Command{Op: modbus.OpMark, Truth: truth, Alarm: -1})
		}
	}
	r.want(t, words(6, 120, 2), words(6, 120, 2))
	r.want(t, words(6, 121, 90), words(6, 121, 90))
	r.want(t, coil(30, false), coil(30, false))
	r.want(t, coil(30, true), coil(30, true))
	r.commands(t, modbus.Command{Op: modbus.OpMark, Truth: state.Missed, Alarm: 1, For: 90 * time.Second})
	r.want(t, words(6, 120, 17), refused(6, 3))
	r.want(t, words(6, 121, 43201), refused(6, 3))
	r.want(t, words(6, 119, 1), refused(6, 2))
	r.want(t, words(6, 122, 1), refused(6, 2))
	r.want(t, coil(27, true), refused(5, 2))
	r.want(t, coil(31, true), refused(5, 2))
	r.commands(t)

	r = newRig(t, nil)
	r.want(t, words(6, 104, 1), words(6, 104, 1)) // only noted
	for n, c := range []struct {
		request []byte
		want    modbus.Command
	}{
		{byRegisters(12, 65535, 0, 2), modbus.Command{Op: modbus.OpMark, Truth: state.Right, Alarm: -1}},
		{byRegisters(13, 0, 30, 3), modbus.Command{Op: modbus.OpMark, Truth: state.False, Alarm: 0, For: 30 * time.Second}},
		{byRegisters(14, 1, 120, 4), modbus.Command{Op: modbus.OpMark, Truth: state.Missed, Alarm: 1, For: 2 * time.Minute}},
	} {
		r.want(t, c.request, words(16, 100, 5))
		r.commands(t, c.want)
		r.result(t, n+2, resultDone)
	}
	r.want(t, byRegisters(14, 9999, 0, 5), refused(16, 2))
	r.want(t, byRegisters(14, 1, 43201, 6), refused(16, 3))
	r.commands(t)
}
