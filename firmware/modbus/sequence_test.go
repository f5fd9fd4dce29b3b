package modbus_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"mien/firmware/modbus"
	"mien/firmware/modbus/modbustest"
)

// Results of a command by registers, as published.
const (
	resultNone = iota
	resultDone
	resultPending
	resultNothing
	resultHeld
	resultNoAlarm
	resultLocked
	resultRange
	resultNumbers
	resultFailed
	resultBusy
)

// result is what command_done and command_result tell, in the mirror too.
func (r *rig) result(t testing.TB, done, result int) {
	t.Helper()
	want := []byte{4, 4, byte(done >> 8), byte(done), 0, byte(result)}
	r.want(t, words(4, 154, 2), want)
	want[0] = 3
	r.want(t, words(3, 1154, 2), want)
}

// byRegisters is a block of the five registers.
func byRegisters(command, alarm, value, sequence int) []byte {
	return block(100, command, alarm, value>>16, value&0xFFFF, sequence)
}

// Each command that coils and the shelve mask give is given by registers too, once
// for each number, in one request of function 16 or in five of function 6.
func TestCommandsByRegisters(t *testing.T) {
	sequence := 0
	for _, c := range []struct {
		command, alarm, value int
		want                  []modbus.Command
		result                int
	}{
		{0, 0, 0, nil, resultNothing},
		{1, 99, 99, []modbus.Command{{Op: modbus.OpAckAll}}, resultDone},
		{2, 0, 0, []modbus.Command{{Op: modbus.OpAck, Alarm: 0}}, resultDone},
		{2, 4, 0, []modbus.Command{{Op: modbus.OpAck, Alarm: 4}}, resultDone},
		{3, 0, 0, []modbus.Command{{Op: modbus.OpReset}}, resultDone},
		{4, 0, 0, []modbus.Command{{Op: modbus.OpSilence}}, resultDone},
		{5, 3, 45, []modbus.Command{{Op: modbus.OpShelve, Alarm: 3, For: 45 * time.Minute}}, resultDone},
		{6, 3, 0, []modbus.Command{{Op: modbus.OpUnshelve, Alarm: 3}}, resultDone},
		{7, 0, 0, []modbus.Command{{Op: modbus.OpTest, On: true}}, resultDone},
		{8, 0, 0, []modbus.Command{{Op: modbus.OpTest}}, resultDone},
		{9, 0, 0, []modbus.Command{{Op: modbus.OpInhibit, On: true}}, resultDone},
		{10, 0, 0, []modbus.Command{{Op: modbus.OpInhibit}}, resultDone},
		{11, 0, 1_764_531_000, []modbus.Command{{Op: modbus.OpSetClock, Time: 1_764_531_000}}, resultDone},
	} {
		for _, low := range []bool{false, true} {
			r := newRig(t, func(c *modbus.Config) { c.LowWordFirst = low })
			high, less := c.value>>16, c.value&0xFFFF
			if low {
				high, less = less, high
			}
			sequence++
			request := block(100, c.command, c.alarm, high, less, sequence)
			for range 3 { // as a cyclic writer does
				r.want(t, request, request[:5])
			}
			r.commands(t, c.want...)
			r.result(t, sequence, c.result)
			r.want(t, words(3, 100, 5), append([]byte{3, 10}, request[6:]...)) // it reads back
			sequence++
			for i, word := range []int{c.command, c.alarm, high, less, sequence} {
				if i < 4 {
					r.want(t, words(6, 100+i, word), words(6, 100+i, word))
					r.commands(t)
					continue
				}
				for range 3 {
					r.want(t, words(6, 104, word), words(6, 104, word))
				}
			}
			r.commands(t, c.want...)
			r.result(t, sequence, c.result)
		}
	}
}

// A refused command is refused whole, told by exception and result, and its number
// is used up: written again and again it is never given, though it has become
// possible.
func TestRefusedCommandByRegisters(t *testing.T) {
	for name, c := range map[string]struct {
		request      []byte
		code, result int
		why          string
	}{
		"no such alarm":    {byRegisters(2, 5, 0, 7), 2, resultNoAlarm, "write to holding register 100 refused: command_alarm is not the number of an alarm"},
		"no such command":  {byRegisters(15, 0, 0, 7), 3, resultRange, "write to holding register 100 refused: command is no code of a command"},
		"shelve, no time":  {byRegisters(5, 0, 0, 7), 3, resultRange, "write to holding register 100 refused: command_value is no time for which the alarm may be shelved, in minutes"},
		"shelve, too long": {byRegisters(5, 0, 481, 7), 3, resultRange, "write to holding register 100 refused: command_value is no time for which the alarm may be shelved, in minutes"},
		"shelve, for ever": {byRegisters(5, 0, 0xFFFFFFFF, 7), 3, resultRange, "write to holding register 100 refused: command_value is no time for which the alarm may be shelved, in minutes"},
	} {
		r := newRig(t, nil)
		for range 3 {
			r.want(t, c.request, refused(16, byte(c.code)))
		}
		r.commands(t)
		r.result(t, 7, c.result)
		if told := r.recorder.Refused(); len(told) != 1 || told[0] != c.why {
			t.Errorf("%s: told %q", name, told)
		}
		r.want(t, words(6, 104, 8), refused(6, byte(c.code))) // the next number with the same registers
		r.result(t, 8, c.result)
		r.want(t, words(6, 100, 1), words(6, 100, 1))
		r.want(t, words(6, 104, 8), refused(6, byte(c.code))) // used up
		r.commands(t)
		r.want(t, words(6, 104, 9), words(6, 104, 9))
		r.commands(t, modbus.Command{Op: modbus.OpAckAll})
		r.result(t, 9, resultDone)
	}
	for _, c := range []struct {
		err          error
		code, result int
	}{{modbus.ErrNoAlarm, 2, resultNoAlarm}, {modbus.ErrLocked, 2, resultLocked}, {modbus.ErrRange, 3, resultRange}, {errors.New("out of paper"), 4, resultFailed}} {
		r := newRig(t, nil)
		r.recorder.Fail(1, 1, c.err)
		for range 3 {
			r.want(t, byRegisters(11, 0, 1_764_531_000, 7), refused(16, byte(c.code)))
		}
		r.commands(t)
		r.result(t, 7, c.result)
	}
	// A bad moment uses nothing up.
	r := newRig(t, nil)
	r.recorder.Fail(1, 2, modbus.ErrBusy)
	for range 2 {
		r.want(t, byRegisters(1, 0, 0, 7), refused(16, 6))
		r.result(t, 7, resultBusy)
	}
	r.want(t, byRegisters(1, 0, 0, 7), byRegisters(1, 0, 0, 7)[:5])
	r.commands(t, modbus.Command{Op: modbus.OpAckAll})
	r.result(t, 7, resultDone)
	// A reserved register among them: nothing of it is done, and the number is not used up.
	r.want(t, block(100, 1, 0, 0, 0, 8, 0), refused(16, 2))
	r.result(t, 7, resultDone)
	r.want(t, block(99, 0, 1, 0, 0, 0, 8), refused(16, 2))
	r.want(t, byRegisters(1, 0, 0, 8), byRegisters(1, 0, 0, 8)[:5])
	r.commands(t, modbus.Command{Op: modbus.OpAckAll})
	// A command and a limit that is wrong, in one request.
	all := make([]int, 95)
	all[0] = -0x8000 & 0xFFFF
	if answer := r.ask(t, block(10, all...)...); answer[0] != 0x90 {
		t.Errorf("% X", answer)
	}
	r.recorder.Idle()
	r.want(t, byRegisters(1, 0, 0, 10), byRegisters(1, 0, 0, 10)[:5])
	r.result(t, 10, resultNothing)
}

// What a master left in its registers gives no command when the unit starts, when
// the port is opened again, or when it comes back itself.
func TestCommandSequenceActsOnceItWasSeen(t *testing.T) {
	write := func(r *rig, sequence int, want ...modbus.Command) {
		t.Helper()
		request := byRegisters(4, 0, 0, sequence)
		r.want(t, request, request[:5])
		r.commands(t, want...)
	}
	silence := modbus.Command{Op: modbus.OpSilence}
	r := newRig(t, nil)
	r.Reopen() // as a start
	r.result(t, 0, resultNone)
	write(r, 17, held)
	r.result(t, 17, resultHeld)
	write(r, 17)
	write(r, 18, silence)
	write(r, 0)
	write(r, 18, silence)
	r.Reopen()
	write(r, 18) // it goes on
	r.result(t, 18, resultDone)
	write(r, 19, silence)
	r.Reopen()
	write(r, 20, held)
	write(r, 20)
	write(r, 21, silence)
	r.Reopen()
	write(r, 0)
	write(r, 1, silence) // a master that begins with 0 loses none

	r = newRig(t, func(c *modbus.Config) { c.HostTimeout, c.HostRequired = time.Second, true })
	r.want(t, words(6, 0, 1), words(6, 0, 1))
	write(r, 5, silence)
	r.now += 10 * time.Second // the host's heartbeat is lost: who comes back may be another
	write(r, 6, held)
}

// A number given before the alarms had other numbers acknowledges none of theirs.
func TestCommandByRegistersAfterAReload(t *testing.T) {
	r := newRig(t, nil)
	for i, word := range []int{2, 1, 0, 0} {
		r.want(t, words(6, 100+i, word), words(6, 100+i, word))
	}
	s := modbustest.Snapshot(r.now)
	s.Numbering++
	r.latest.Store(s)
	r.want(t, words(6, 104, 7), refused(6, 2))
	r.result(t, 7, resultNumbers)
	r.want(t, byRegisters(1, 0, 0, 8), byRegisters(1, 0, 0, 8)[:5]) // what needs no number is done
	r.commands(t, modbus.Command{Op: modbus.OpAckAll})
	for i, word := range []int{2, 1, 0, 0} {
		r.want(t, words(6, 100+i, word), words(6, 100+i, word))
	}
	r.ask(t, words(3, 1046, 1)...)                // config_crc
	r.want(t, words(6, 104, 9), words(6, 104, 9)) // what stood there named another alarm
	r.commands(t)
	r.result(t, 9, resultNothing)
	r.want(t, byRegisters(2, 1, 0, 10), byRegisters(2, 1, 0, 10)[:5])
	r.commands(t, modbus.Command{Op: modbus.OpAck, Alarm: 1})
}

// What is done and not on the disk says so, by exception 05 and by result, until it is.
func TestCommandByRegistersNotYetOnTheDisk(t *testing.T) {
	r := newRig(t, nil)
	r.recorder.Pend(errors.New("not yet"))
	for range 2 {
		r.want(t, byRegisters(1, 0, 0, 7), refused(16, 5))
		r.result(t, 7, resultPending)
	}
	r.commands(t, modbus.Command{Op: modbus.OpAckAll})
	r.recorder.Pend(nil)
	r.result(t, 7, resultDone) // without writing it again
	r.want(t, byRegisters(1, 0, 0, 7), byRegisters(1, 0, 0, 7)[:5])
	r.commands(t)
}

// Masters that write the registers in any order and pieces, again and again, while
// ports are opened again, numbers of alarms change and the unit refuses: a command
// is given exactly where a number that was not there before stands behind one that
// this master wrote, and once.
func TestCommandRegistersAtRandom(t *testing.T) {
	random := rand.New(rand.NewPCG(19, 4))
	r := newRig(t, nil)
	r.recorder.Reserve(16)
	var registers [5]int      // as the master must read them
	counted, known := true, 0 // the unit has seen a number of this master; it knows the numbers of alarms
	s := modbustest.Snapshot(r.now)
	given, noted, refusals := 0, 0, 0
	for step := range 20_000 {
		switch random.IntN(40) {
		case 0:
			r.Reopen()
			counted = false
		case 1:
			s.Numbering++
		case 2:
			r.ask(t, words(4, 46, 1)...)
			if known != int(s.Numbering) {
				known = int(s.Numbering)
				registers = [5]int{4: registers[4]}
			}
		}
		s.ResultAt = r.now
		r.latest.Store(s)
		// A piece of the block, most often with the number in it.
		first := random.IntN(5)
		n := 1 + random.IntN(5-first)
		next := registers
		for i := first; i < first+n; i++ {
			next[i] = []int{0, 1, 2, 4, 99, registers[i]}[random.IntN(6)]
		}
		next[4] = []int{registers[4], next[4], random.IntN(3)}[random.IntN(3)]
		if first+n < 5 {
			next[4] = registers[4]
		}
		request := block(100+first, next[first:first+n]...)
		if n == 1 {
			request = words(6, 100+first, next[first])
		}
		answer := r.ask(t, request...)
		_, got := r.recorder.Take()

		fresh := first+n == 5 && next[4] != registers[4] && next[4] != 0
		want := []modbus.Command(nil)
		refused := false
		switch code, alarm := next[0], next[1]; {
		case !fresh:
		case !counted:
			want = []modbus.Command{held}
			noted++
		case code == 1:
			want = []modbus.Command{{Op: modbus.OpAckAll}}
		case code == 4:
			want = []modbus.Command{{Op: modbus.OpSilence}}
		case code == 2 && (alarm >= s.AlarmCount || known != int(s.Numbering)), code == 99:
			refused = true
			refusals++
		case code == 2:
			want = []modbus.Command{{Op: modbus.OpAck, Alarm: alarm}}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("step %d: % X over %v: %v, want %v", step, request, registers, got, want)
		}
		if refused && answer[0]&0x80 == 0 {
			t.Fatalf("step %d: % X over %v was taken", step, request, registers)
		}
		if answer[0]&0x80 == 0 || refused { // a refused number is used up, with all that it came with
			registers = next
			counted = counted || first+n == 5
		}
		given += len(want)
		if back := r.ask(t, words(3, 100, 5)...); string(back[2:]) != string(words(0, registers[:]...)[1:]) {
			t.Fatalf("step %d: reads back % X, want %v", step, back, registers)
		}
	}
	if given < 500 || noted < 50 || refusals < 500 {
		t.Errorf("%d given, %d held, %d refused", given, noted, refusals)
	}
}
