package gpio

import (
	"testing"
	"time"
)

const ms = time.Millisecond

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		p     Pattern
		name  string
		on    []time.Duration // within a second
		off   []time.Duration
		turns int // a second
	}{
		{Steady, "steady", []time.Duration{0, 1 * ms, 500 * ms, 999 * ms}, nil, 0},
		{Slow, "slow", []time.Duration{0, 499 * ms}, []time.Duration{500 * ms, 999 * ms}, 2},
		{Fast, "fast", []time.Duration{0, 249 * ms, 500 * ms, 749 * ms}, []time.Duration{250 * ms, 499 * ms, 750 * ms, 999 * ms}, 4},
		{Flash, "flash", []time.Duration{0, 99 * ms}, []time.Duration{100 * ms, 999 * ms}, 2},
		{Double, "double", []time.Duration{0, 99 * ms, 250 * ms, 349 * ms}, []time.Duration{100 * ms, 249 * ms, 350 * ms, 999 * ms}, 4},
	} {
		if c.p.String() != c.name {
			t.Errorf("%v is not %q", c.p, c.name)
		}
		// The same at any second, also before zero.
		for _, base := range []time.Duration{0, 7 * time.Second, -3 * time.Second, 400 * 24 * time.Hour} {
			for _, at := range c.on {
				if !c.p.On(base + at) {
					t.Errorf("%v is off at %v", c.p, base+at)
				}
			}
			for _, at := range c.off {
				if c.p.On(base + at) {
					t.Errorf("%v is on at %v", c.p, base+at)
				}
			}
		}
		// Next walks from change to change, and On changes there and nowhere else.
		turns := 0
		for at := time.Duration(0); ; turns++ {
			next, ok := c.p.Next(at)
			if !ok || next > time.Second {
				break
			}
			if next <= at {
				t.Fatalf("%v: after %v comes %v", c.p, at, next)
			}
			for x := at; x < next; x += ms {
				if c.p.On(x) != c.p.On(at) {
					t.Errorf("%v changes at %v, Next says %v", c.p, x, next)
				}
			}
			if c.p.On(next) == c.p.On(at) {
				t.Errorf("%v does not change at %v", c.p, next)
			}
			at = next
		}
		if turns != c.turns {
			t.Errorf("%v: %d changes a second, want %d", c.p, turns, c.turns)
		}
	}
	if next, ok := Slow.Next(-100 * ms); !ok || next != 0 {
		t.Errorf("before zero: %v, %v", next, ok)
	}
	if Pattern(99).String() != "Pattern(99)" || !Pattern(99).On(0) {
		t.Error("a pattern outside is steady and says its number")
	}
	if n := testing.AllocsPerRun(100, func() { Fast.On(ms); Fast.Next(ms) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
