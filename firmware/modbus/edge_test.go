package modbus_test

import (
	"testing"
	"time"

	"mien/firmware/modbus"
	"mien/firmware/modbus/modbustest"
)

var held = modbus.Command{Op: modbus.OpHeld}

// A coil that is 1 already with the first write, since the start or since the port
// was opened again, asks for nothing, however often it is written; after it has
// been 0 it does.
func TestCoilActsOnceItsRestWasSeen(t *testing.T) {
	const on, off = 0xFF00, 0
	coils := map[int]modbus.Command{0: {Op: modbus.OpAckAll}, 1: {Op: modbus.OpReset}, 2: {Op: modbus.OpSilence},
		3: {Op: modbus.OpTest, On: true}, 4: {Op: modbus.OpInhibit, On: true}, 8: {Op: modbus.OpAck}, 12: {Op: modbus.OpAck, Alarm: 4}}
	for coil, command := range coils {
		r := newRig(t, nil)
		write := func(level int, want ...modbus.Command) {
			t.Helper()
			r.want(t, words(5, coil, level), words(5, coil, level))
			r.commands(t, want...)
		}
		var ends []modbus.Command
		if coil == 3 || coil == 4 {
			ends = []modbus.Command{{Op: command.Op}}
		}
		r.Reopen() // as a start
		write(on, held)
		write(on)
		write(off) // what did not begin has no end
		write(on, command)
		write(on)
		r.Reopen()
		write(on) // it goes on
		write(off, ends...)
		write(on, command)
		write(off, ends...)
		r.Reopen()
		write(on, held) // its 0 was another master's, perhaps
		write(off)
		write(off)
		write(on, command)
		r.Reopen()
		write(off, ends...) // what a master asked for it may end at once
	}
	// The same in a block that a PLC writes in every cycle.
	r := newRig(t, nil)
	r.Reopen()
	block := []byte{15, 0, 0, 0, 24, 3, 0b10011, 0b101, 0}
	for i := range 3 {
		r.want(t, block, block[:5])
		if i == 0 {
			r.commands(t, held)
		} else {
			r.commands(t)
		}
	}
	if got := r.ask(t, words(1, 0, 16)...); string(got) != string([]byte{1, 2, 0b10011, 0b101}) {
		t.Errorf("it reads back % X", got)
	}
}

// A shelve mask that is written with its first value shelves nothing, and takes
// off the shelf nothing that an operator put there.
func TestShelveMaskActsOnceItsRestWasSeen(t *testing.T) {
	for first, later := range map[int][]modbus.Command{
		0:      {{Op: modbus.OpShelve, Alarm: 0, For: 30 * time.Minute}},
		0b1000: {{Op: modbus.OpShelve, Alarm: 0, For: 30 * time.Minute}, {Op: modbus.OpUnshelve, Alarm: 3}},
	} {
		r := newRig(t, nil) // alarm 3 is shelved
		r.Reopen()
		for range 3 {
			r.want(t, words(6, 2, first), words(6, 2, first))
			r.commands(t)
		}
		r.want(t, words(6, 2, 1), words(6, 2, 1))
		r.commands(t, later...)
		r.Reopen()
		r.want(t, words(6, 2, 1), words(6, 2, 1))
		r.commands(t)
		r.want(t, words(6, 2, 0), words(6, 2, 0))
		r.commands(t, modbus.Command{Op: modbus.OpUnshelve, Alarm: 0})
	}
	r := newRig(t, nil)
	r.Reopen()
	r.want(t, words(6, 2, 0b10), words(6, 2, 0b10))
	r.commands(t, held)
}

// The first value of the heartbeat is none: it may have stood there for a week.
func TestHeartbeatBeatsWithItsSecondValue(t *testing.T) {
	r := newRig(t, func(c *modbus.Config) { c.HostTimeout, c.HostRequired = 3*time.Second, true })
	r.Reopen()
	r.want(t, words(6, 0, 17), words(6, 0, 17))
	if r.Host().Beating {
		t.Error("the first value counts as a change")
	}
	r.want(t, words(6, 0, 18), words(6, 0, 18))
	if !r.Host().Beating {
		t.Error("a change does not count")
	}
	r.Reopen()
	for range 5 {
		r.want(t, words(6, 0, 99), words(6, 0, 99))
	}
	if r.Host().Beating {
		t.Error("the first value after the port was opened again counts as a change")
	}
}

// A master that stopped its heartbeat and comes back may be another, with coils
// left at 1: they act once they have been 0. One that only missed its heartbeat is
// obeyed all the same.
func TestLostHostBeginsAnew(t *testing.T) {
	const on, off = 0xFF00, 0
	r := newRig(t, func(c *modbus.Config) { c.HostTimeout, c.HostRequired = 3*time.Second, true })
	write := func(level int, want ...modbus.Command) {
		t.Helper()
		r.want(t, words(5, 0, level), words(5, 0, level))
		r.commands(t, want...)
	}
	write(off)
	r.now += 4 * time.Second
	write(on, held)
	write(on)
	write(off)
	write(on, modbus.Command{Op: modbus.OpAckAll})
	write(off)
	write(on, modbus.Command{Op: modbus.OpAckAll})
	r.want(t, words(6, 0, 18), words(6, 0, 18))
	write(off)
	write(on, modbus.Command{Op: modbus.OpAckAll})
	write(off)
	r.now += 4 * time.Second
	write(on, held)
}

// Limits that a master writes in every cycle are a command where they differ from
// what is in force, and not else.
func TestLimitsInForceAreNoCommand(t *testing.T) {
	r := newRig(t, nil)
	at := 10 + 4*1 // alarm 1: unlocked, 0.6, 0.5, 1.5 s, 3 s
	r.want(t, block(at, 600, 500, 150, 300), words(16, at, 4))
	r.commands(t)
	r.want(t, block(at, 600, 500, 150, 400), words(16, at, 4))
	r.commands(t, modbus.Command{Op: modbus.OpSetLimit, Alarm: 1, Limit: modbus.OffDelay, Value: 4})
	r.want(t, block(at, 600, 500, 150, 300), words(16, at, 4)) // taken back before it was shown
	r.commands(t, modbus.Command{Op: modbus.OpSetLimit, Alarm: 1, Limit: modbus.OffDelay, Value: 3})
}

// After the numbers of alarms came to mean others, commands by number are refused
// until the master has read config_crc, in whatever way; commands for all go on.
func TestNumbersAreRefusedUntilTheConfigIsRead(t *testing.T) {
	const on = 0xFF00
	at := 10 + 4*1
	for name, read := range map[string][]byte{
		"input register":       words(4, 46, 1),
		"a block":              words(4, 0, 100),
		"the mirror":           words(3, 1000+40, 10),
		"a read after a write": append(words(23, 1046, 1, 0, 1), 2, 0, 5),
		"beside it":            nil,
	} {
		r := newRig(t, nil)
		s := modbustest.Snapshot(r.now)
		s.Numbering = 7
		r.latest.Store(s)
		refuses := func(want bool) {
			t.Helper()
			for _, c := range []struct{ rest, request []byte }{
				{words(5, 9, 0), words(5, 9, on)},
				{words(6, 2, 8), words(6, 2, 9)},
				{words(6, at, 600), words(6, at, 700)},
			} {
				r.ask(t, c.rest...)
				got := r.ask(t, c.request...)
				if refusal := string(got) == string(refused(c.request[0], 2)); refusal != want {
					t.Errorf("%s: % X: % X", name, c.request, got)
				}
			}
			r.recorder.Take()
		}
		refuses(true)
		r.want(t, words(5, 0, on), words(5, 0, on))
		r.commands(t, modbus.Command{Op: modbus.OpAckAll})
		if read == nil {
			r.ask(t, words(4, 0, 46)...)
			r.ask(t, words(4, 47, 50)...)
			r.ask(t, words(3, 1000, 46)...)
			r.ask(t, words(3, 2, 8)...)
			refuses(true)
			continue
		}
		if got := r.ask(t, read...); got[0] != read[0] {
			t.Fatalf("%s: % X", name, got)
		}
		refuses(false)
		// What stood in the image by number is another alarm's now.
		s.Numbering = 8
		r.latest.Store(s)
		r.ask(t, read...)
		r.want(t, words(5, 9, on), words(5, 9, on))
		r.commands(t, held)
	}
}
