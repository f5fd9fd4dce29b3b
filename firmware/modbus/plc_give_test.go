package modbus_test

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"

	"mien/firmware/modbus"
)

// giver runs FB_MienGive against a slave: its registers are written with function
// 16, sometimes in vain, and the answer is read, sometimes late.
type giver struct {
	p  *stProgram
	fb *stVar
	r  *rig
}

func newGiver(t *testing.T) *giver {
	p := stProgramOf(t)
	g := &giver{p: p, fb: p.make("FB_MienGive", 0), r: newRig(t, nil)}
	g.r.Reopen() // as a start
	g.in("bAvailable", 1)
	g.cycles(t, 4)
	return g
}

func (g *giver) in(name string, n int64) { g.fb.parts[name].set(n) }
func (g *giver) out(name string) int64   { return g.fb.parts[name].n }
func (g *giver) cycles(t *testing.T, n int) {
	t.Helper()
	for range n {
		g.cycle(t, true, true)
	}
}

// cycle is one cycle of the PLC: a write may come through, and so may a read.
func (g *giver) cycle(t *testing.T, writes, reads bool) {
	t.Helper()
	g.in("bWritten", 0)
	g.in("nException", 0)
	g.in("bRead", 0)
	if writes && g.out("bWrite") == 1 {
		values := make([]int, 5)
		for i := range values {
			values[i] = int(g.fb.parts["aRegisters"].parts[strconv.Itoa(i)].n)
		}
		if answer := g.r.ask(t, block(100, values...)...); len(answer) == 5 {
			g.in("bWritten", 1)
		} else {
			g.in("nException", int64(answer[1]))
		}
	}
	if reads {
		a := g.r.ask(t, words(3, 1154, 2)...)
		g.in("nDone", int64(a[2])<<8|int64(a[3]))
		g.in("nResult", int64(a[4])<<8|int64(a[5]))
		g.in("bRead", 1)
	}
	g.p.call(g.fb)
}

// execute gives a command and says what came of it: done, error, outcome.
func (g *giver) execute(t *testing.T, command, alarm, value int64) (done, failed bool, outcome int64) {
	t.Helper()
	g.in("nCommand", command)
	g.in("nAlarm", alarm)
	g.in("nValue", value)
	g.in("bExecute", 1)
	g.cycles(t, 5)
	if g.out("bBusy") != 0 || g.out("bDone")+g.out("bError") != 1 {
		t.Fatalf("busy %d, done %d, error %d", g.out("bBusy"), g.out("bDone"), g.out("bError"))
	}
	done, failed, outcome = g.out("bDone") == 1, g.out("bError") == 1, g.out("nOutcome")
	g.in("bExecute", 0)
	g.cycles(t, 2)
	if g.out("bDone")+g.out("bError") != 0 {
		t.Error("it stays")
	}
	return
}

func TestStructuredTextGives(t *testing.T) {
	g := newGiver(t)
	g.r.commands(t) // nothing is asked for
	if done, _, _ := g.execute(t, 1, 0, 0); !done {
		t.Error("the first command of all")
	}
	g.r.commands(t, modbus.Command{Op: modbus.OpAckAll})
	for range 3 { // the same again is another command
		if done, _, outcome := g.execute(t, 11, 0, 1_796_067_000); !done || outcome != resultDone {
			t.Error(outcome)
		}
		g.r.commands(t, modbus.Command{Op: modbus.OpSetClock, Time: 1_796_067_000})
	}
	if _, failed, outcome := g.execute(t, 2, 5, 0); !failed || outcome != resultNoAlarm {
		t.Error(outcome)
	}
	g.r.commands(t)
	g.r.recorder.Fail(1, 2, modbus.ErrBusy)
	g.in("nCommand", 4)
	g.in("bExecute", 1)
	g.cycles(t, 8)
	if g.out("bDone") != 1 {
		t.Error("the unit was busy for a moment, and the command is lost")
	}
	g.r.commands(t, modbus.Command{Op: modbus.OpSilence})
	g.in("bExecute", 0)
	g.cycles(t, 2)
	g.r.recorder.Pend(errors.New("not yet"))
	g.in("bExecute", 1)
	g.cycles(t, 8)
	if g.out("bBusy") != 1 || g.out("bDone") != 0 {
		t.Error("done, and not on the disk")
	}
	g.r.recorder.Pend(nil)
	g.cycles(t, 2)
	if g.out("bDone") != 1 {
		t.Error("it is on the disk")
	}
	g.r.commands(t, modbus.Command{Op: modbus.OpSilence})
}

// A unit that started again, or that has another config, is given nothing that
// waited, and takes the next command.
func TestStructuredTextGivesToAUnitThatIsBack(t *testing.T) {
	for name, lose := range map[string]func(g *giver){
		"lost":           func(g *giver) { g.in("bAvailable", 0); g.cycle(t, false, false); g.in("bAvailable", 1); g.r.Reopen() },
		"another config": func(g *giver) { g.in("nConfig", 4711) },
	} {
		g := newGiver(t)
		g.execute(t, 1, 0, 0)
		g.r.commands(t, modbus.Command{Op: modbus.OpAckAll})
		g.in("nCommand", 3)
		g.in("bExecute", 1)
		g.cycle(t, false, false) // waits for its write
		lose(g)
		g.cycle(t, false, false)
		if g.out("bError") != 1 || g.out("nOutcome") != 0 || g.out("bBusy") != 0 {
			t.Errorf("%s: error %d", name, g.out("bError"))
		}
		g.cycles(t, 4)
		g.r.commands(t)
		g.in("bExecute", 0)
		g.cycles(t, 2)
		if done, _, outcome := g.execute(t, 4, 0, 0); !done {
			t.Errorf("%s: outcome %d", name, outcome)
		}
		g.r.commands(t, modbus.Command{Op: modbus.OpSilence})
	}
}

// Whatever comes through when, each edge gives one command, and is told.
func TestStructuredTextGivesAtRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	g := newGiver(t)
	given := 0
	for k := range 200 {
		g.in("nCommand", 4)
		g.in("bExecute", 1)
		for n := 0; g.out("bDone") == 0 && n < 200; n++ {
			g.cycle(t, rng.IntN(3) == 0, rng.IntN(3) == 0)
		}
		_, got := g.r.recorder.Take()
		if given += len(got); given != k+1 || g.out("bDone") != 1 {
			t.Fatalf("%d commands for %d edges", given, k+1)
		}
		g.in("bExecute", 0)
		for range 1 + rng.IntN(3) {
			g.cycle(t, rng.IntN(3) == 0, rng.IntN(3) == 0)
		}
	}
}

// A write that the unit does not take, so that it never looks at the number, ends
// with an error and not never.
func TestStructuredTextGivesUpWhatIsNotTaken(t *testing.T) {
	g := newGiver(t)
	g.in("nCommand", 1)
	g.in("bExecute", 1)
	g.cycle(t, false, true)
	for _, exception := range []int64{6, 1} {
		g.in("bWritten", 0)
		g.in("nException", exception)
		g.in("bRead", 0)
		g.p.call(g.fb)
		if g.out("bBusy") != 1 {
			t.Fatalf("exception %d: over before the answer was read", exception)
		}
		g.in("nException", 0)
		g.in("bRead", 1)
		g.p.call(g.fb)
	}
	if g.out("bBusy") != 0 || g.out("bError") != 1 || g.out("bWrite") != 0 || g.out("nOutcome") != 0 {
		t.Errorf("busy %d, error %d, write %d, outcome %d", g.out("bBusy"), g.out("bError"), g.out("bWrite"), g.out("nOutcome"))
	}
	g.r.commands(t)
	g.in("bExecute", 0)
	g.cycles(t, 2)
	if done, _, _ := g.execute(t, 1, 0, 0); !done {
		t.Error("the next one")
	}
}
