package modbus_test

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"mien/firmware/modbus"
)

// commander runs FB_MienCommand against a slave: its coils are written with
// function 15, sometimes late, sometimes in vain.
type commander struct {
	p  *stProgram
	fb *stVar
	r  *rig

	refuse int64 // the exception that stands in the place of the slave's answer
}

func newCommander(t *testing.T) *commander {
	p := stProgramOf(t)
	c := &commander{p: p, fb: p.make("FB_MienCommand", 0), r: newRig(t, nil)}
	c.in("bAvailable", 1)
	c.in("nAlarms", 5)
	c.cycles(t, 3) // all coils at rest
	return c
}

func (c *commander) in(name string, n int64) { c.fb.parts[name].set(n) }

// cycle is one cycle of the PLC, in which a write may be due and come through.
func (c *commander) cycle(t *testing.T, through bool) {
	t.Helper()
	c.in("bWritten", 0)
	c.in("nException", 0)
	if through && c.fb.parts["bWrite"].n == 1 {
		pdu := append(words(15, 0, 24), 3, 0, 0, 0)
		for i := range 24 {
			pdu[6+i/8] |= byte(c.fb.parts["aCoils"].parts[strconv.Itoa(i)].n << (i % 8))
		}
		switch answer := c.r.ask(t, pdu...); {
		case c.refuse != 0:
			c.in("nException", c.refuse)
		case string(answer) == string(pdu[:5]):
			c.in("bWritten", 1)
		case len(answer) == 2:
			c.in("nException", int64(answer[1]))
		default:
			t.Fatalf("% X: % X", pdu, answer)
		}
	}
	c.p.call(c.fb)
}

func (c *commander) cycles(t *testing.T, n int) {
	t.Helper()
	for range n {
		c.cycle(t, true)
	}
}

func TestStructuredTextCommands(t *testing.T) {
	c := newCommander(t)
	c.cycles(t, 3)
	c.r.commands(t) // nothing is asked for
	c.in("bAcknowledgeAll", 1)
	c.cycles(t, 10)
	c.r.commands(t, modbus.Command{Op: modbus.OpAckAll}) // a level that stays is one command
	c.in("bAcknowledgeAll", 0)
	c.cycles(t, 3)
	c.in("bAcknowledgeAll", 1)
	c.in("bSilence", 1)
	c.in("wAcknowledge", 0b100011) // there is no alarm 5
	c.cycles(t, 7)
	c.r.commands(t, modbus.Command{Op: modbus.OpAckAll}, modbus.Command{Op: modbus.OpSilence},
		modbus.Command{Op: modbus.OpAck, Alarm: 0}, modbus.Command{Op: modbus.OpAck, Alarm: 1})
	if n := c.fb.parts["nCommands"].n; n != 5 {
		t.Errorf("%d commands counted, want 5", n)
	}
	c.refused(t, 1, 8+5, 2)
	if asked := c.r.recorder.Refused(); len(asked) > 0 {
		t.Errorf("the unit was asked: %q", asked)
	}
	if c.fb.parts["bWrite"].n != 0 {
		t.Error("something still waits to be written")
	}
}

// refused wants so many commands refused, the last one of this coil and by this
// exception.
func (c *commander) refused(t *testing.T, n, coil, exception int64) {
	t.Helper()
	got := [3]int64{c.fb.parts["nRefused"].n, c.fb.parts["nRefusedCoil"].n, c.fb.parts["nRefusedBy"].n}
	if want := [3]int64{n, coil, exception}; got != want {
		t.Errorf("refused, coil, exception: %d, want %d", got, want)
	}
}

// A command for an alarm that is not there is refused by the unit, told and
// dropped: those that were given with it, and those that come after it, arrive.
func TestStructuredTextTellsWhatIsRefused(t *testing.T) {
	c := newCommander(t)
	c.refused(t, 0, -1, 0)
	c.in("nAlarms", 16) // more than there are
	c.in("wAcknowledge", 0b1001000)
	c.in("bSilence", 1)
	c.cycles(t, 12)
	c.r.commands(t, modbus.Command{Op: modbus.OpSilence}, modbus.Command{Op: modbus.OpAck, Alarm: 3})
	c.refused(t, 1, 8+6, 2)
	c.in("wAcknowledge", 0)
	c.cycle(t, true)
	c.in("wAcknowledge", 0b1000001)
	c.in("bReset", 1)
	c.cycles(t, 12)
	c.r.commands(t, modbus.Command{Op: modbus.OpReset}, modbus.Command{Op: modbus.OpAck, Alarm: 0})
	c.refused(t, 2, 8+6, 2)
	if c.fb.parts["bWrite"].n != 0 {
		t.Error("something still waits to be written")
	}
}

// Each exception: what will not change is dropped, what may is tried again.
func TestStructuredTextKnowsExceptions(t *testing.T) {
	for exception := int64(1); exception <= 6; exception++ {
		c := newCommander(t)
		c.in("bSilence", 1)
		c.cycle(t, false)
		c.r.commands(t)
		c.in("bWritten", 0)
		c.in("nException", exception) // the unit has done nothing
		c.p.call(c.fb)
		c.cycles(t, 4)
		if exception > 4 {
			c.r.commands(t, modbus.Command{Op: modbus.OpSilence})
			c.refused(t, 0, -1, 0)
			continue
		}
		c.r.commands(t)
		c.refused(t, 1, 2, exception)
		c.in("bSilence", 0)
		c.cycle(t, true)
		c.in("bSilence", 1)
		c.cycles(t, 4)
		c.r.commands(t, modbus.Command{Op: modbus.OpSilence})
	}
}

// A disk that does not keep what was done holds nothing up, and it is told; a unit
// that stays busy has refused.
func TestStructuredTextIsNotHeldUp(t *testing.T) {
	c := newCommander(t)
	c.refuse = 5
	c.in("bSilence", 1)
	c.in("bReset", 1)
	c.cycles(t, 70)
	c.refused(t, 0, -1, 0)
	if n := c.fb.parts["nCommands"].n; n != 2 || c.fb.parts["bPending"].n != 1 || c.fb.parts["bWrite"].n != 0 {
		t.Errorf("%d commands, pending %d, write %d", n, c.fb.parts["bPending"].n, c.fb.parts["bWrite"].n)
	}
	c.r.commands(t, modbus.Command{Op: modbus.OpReset}, modbus.Command{Op: modbus.OpSilence})
	c.refuse = 6
	c.in("wAcknowledge", 1)
	c.cycles(t, 30)
	c.refused(t, 1, 8, 6)
	c.refuse = 0
	c.cycles(t, 4)
	c.r.recorder.Take()
	c.in("wAcknowledge", 2)
	c.cycles(t, 4)
	c.r.commands(t, modbus.Command{Op: modbus.OpAck, Alarm: 1})
	if c.fb.parts["bPending"].n != 0 {
		t.Error("still pending")
	}
}

// A unit that takes no writes at all gets nothing late when it takes them again.
func TestStructuredTextDropsWhatWaitsForARefusingUnit(t *testing.T) {
	c := newCommander(t)
	c.refuse = 1
	for n := int64(1); n <= 3; n++ {
		c.in("bReset", 1)
		c.cycles(t, 3)
		c.in("bReset", 0)
		c.cycles(t, 3)
		c.refused(t, n, 1, 1)
	}
	c.r.recorder.Take() // this slave did them, and said that it did not
	c.refuse = 0
	c.cycles(t, 6)
	c.r.commands(t)
	c.in("bReset", 1)
	c.cycles(t, 4)
	c.r.commands(t, modbus.Command{Op: modbus.OpReset})
}

// With a new config in the very cycle in which a write is confirmed the coils are
// at rest before anything else is given.
func TestStructuredTextRestsAlsoWhileAWriteIsConfirmed(t *testing.T) {
	c := newCommander(t)
	c.in("bSilence", 1)
	c.cycle(t, true)
	c.in("nConfig", 4711)
	c.cycle(t, true) // the 1 is confirmed here
	c.in("bSilence", 0)
	c.cycles(t, 3)
	c.r.commands(t, modbus.Command{Op: modbus.OpSilence})
	c.in("bSilence", 1)
	c.cycles(t, 4)
	c.r.commands(t, modbus.Command{Op: modbus.OpSilence})
}

// An edge that comes while a write is under way is given after it.
func TestStructuredTextKeepsEdges(t *testing.T) {
	c := newCommander(t)
	for _, level := range []int64{1, 0, 1} {
		c.in("bReset", level)
		c.cycle(t, false)
	}
	c.cycles(t, 6)
	c.r.commands(t, modbus.Command{Op: modbus.OpReset}, modbus.Command{Op: modbus.OpReset})
}

// A command for a unit that is lost is not given when it is back.
func TestStructuredTextDropsCommandsForALostUnit(t *testing.T) {
	c := newCommander(t)
	c.in("bReset", 1)
	c.cycle(t, false) // waits for its write
	c.in("bAvailable", 0)
	c.in("bSilence", 1)
	for range 5 {
		c.cycle(t, false)
	}
	c.in("bAvailable", 1)
	c.cycles(t, 6)
	c.r.commands(t)
	if c.fb.parts["bWrite"].n != 0 {
		t.Error("something still waits to be written")
	}
}

// A unit that comes back, as after a start, sees the coils at rest first, and so
// takes the next edge. With another config what waits is dropped.
func TestStructuredTextWritesRestFirst(t *testing.T) {
	c := newCommander(t)
	c.r.Reopen()
	c.in("bAvailable", 0)
	c.cycle(t, false)
	c.in("bAvailable", 1)
	c.cycles(t, 3)
	c.in("bSilence", 1)
	c.cycles(t, 4)
	c.r.commands(t, modbus.Command{Op: modbus.OpSilence})
	c.in("wAcknowledge", 1)
	c.cycle(t, false) // waits for its write
	c.in("wAcknowledge", 2)
	c.in("nConfig", 4711)
	c.cycle(t, false)
	c.cycles(t, 4)
	c.r.commands(t)
	c.in("wAcknowledge", 0)
	c.cycles(t, 2)
	c.in("wAcknowledge", 2)
	c.cycles(t, 4)
	c.r.commands(t, modbus.Command{Op: modbus.OpAck, Alarm: 1})
}

// Whatever comes when, the unit gets at most one command for an edge, and one
// for each where edges leave it the time.
func TestStructuredTextCommandsAtRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	c := newCommander(t)
	edges, level, settled := 0, int64(0), 0
	for range 300 {
		level = 1 - level
		edges += int(level)
		c.in("bSilence", level)
		for n := rng.IntN(6); n >= 0; n-- {
			c.cycle(t, rng.IntN(3) > 0)
		}
		_, got := c.r.recorder.Take()
		settled += len(got)
		if settled > edges {
			t.Fatalf("%d commands for %d edges", settled, edges)
		}
	}
	if settled < edges/2 {
		t.Errorf("%d commands for %d edges", settled, edges)
	}
}
