package pipeline

import (
	"testing"
	"time"

	"mien/firmware/state"
)

// The newest frames are kept while somebody looks, and cost nothing while nobody does.
func TestFramesAreKeptWhileSomebodyLooks(t *testing.T) {
	now := time.Second
	s := &Speaker{tap: tap{now: func() time.Duration { return now }}}
	line := []byte("$MIEN,S,1*00")
	s.tap.trace(true, line)
	if got := s.Traffic(0); len(got) != 0 {
		t.Fatalf("kept while nobody looked: %v", got)
	}
	for range 3 {
		s.tap.trace(true, line)
	}
	got := s.Traffic(1)
	if len(got) != 2 || got[0].Number != 2 || got[1].Number != 3 || got[0].Raw != string(line) || !got[0].Out || got[0].At != now {
		t.Fatalf("%+v", got)
	}
	if n := testing.AllocsPerRun(100, func() { s.tap.trace(false, line) }); n != 0 {
		t.Errorf("a frame allocates %v times", n)
	}
	if got := s.Traffic(0); len(got) != len(s.tap.ring) || got[len(got)-1].Number != s.tap.next {
		t.Errorf("%d frames, the newest is %d of %d", len(got), got[len(got)-1].Number, s.tap.next)
	}
	if got := s.Traffic(1e9); len(got) != len(s.tap.ring) {
		t.Errorf("of another port: %d", len(got))
	}
	now += listenFor + time.Second
	next := s.tap.next
	s.tap.trace(true, line)
	s.tap.trace(true, line)
	if s.tap.next != next {
		t.Error("frames are kept for nobody")
	}
}

// An output that is tested alone is on or off; the others go on with their work.
func TestOneOutputIsTestedAlone(t *testing.T) {
	lamp, fault := &output{name: "lamp", function: lampLine}, &output{name: "fault", function: faultLine}
	for _, c := range []struct {
		test        state.OneOutput
		lamp, fault bool
	}{{state.OneOutput{}, true, true}, {state.OneOutput{Name: "lamp"}, true, true}, {state.OneOutput{Name: "fault", Off: true}, false, false}, {state.OneOutput{Name: "fault"}, false, true}} {
		st := &shown{trusted: true, faults: 1, test: true, tested: c.test}
		on, _ := lamp.level(st, false, 0)
		other, _ := fault.level(st, false, 0)
		if on != c.lamp || other != c.fault {
			t.Errorf("%+v: the lamp is %v, the fault line %v", c.test, on, other)
		}
	}
}
