package gpio

import (
	"fmt"
	"time"
)

// Pattern is how an output shows that it is on: lit or blinking. It is a pure
// function of time, so that lamps with the same pattern blink together and no
// goroutine is needed for a line. The rates are those of IEC 60073: slow for
// "attention", fast for "act now".
type Pattern uint8

const (
	Steady Pattern = iota // always on
	Slow                  // 1 Hz, half on
	Fast                  // 2 Hz, half on
	Flash                 // 100 ms every second
	Double                // two flashes of 100 ms every second
)

var patterns = [...]struct {
	name string
	// turns are the times within the second at which the value changes; it
	// starts on.
	turns []time.Duration
}{
	Steady: {"steady", nil},
	Slow:   {"slow", []time.Duration{500 * time.Millisecond}},
	Fast:   {"fast", []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, 750 * time.Millisecond}},
	Flash:  {"flash", []time.Duration{100 * time.Millisecond}},
	Double: {"double", []time.Duration{100 * time.Millisecond, 250 * time.Millisecond, 350 * time.Millisecond}},
}

// String gives the name that the config has for it.
func (p Pattern) String() string {
	if int(p) < len(patterns) {
		return patterns[p].name
	}
	return fmt.Sprintf("Pattern(%d)", uint8(p))
}

// On tells whether a lamp with this pattern is lit at time t of any clock that
// does not jump.
func (p Pattern) On(t time.Duration) bool {
	on := true
	for _, turn := range p.turns() {
		if phase(t) < turn {
			break
		}
		on = !on
	}
	return on
}

// Next is the time after t at which On changes. For Steady it is ok = false.
func (p Pattern) Next(t time.Duration) (next time.Duration, ok bool) {
	turns := p.turns()
	if len(turns) == 0 {
		return 0, false
	}
	start := t - phase(t)
	for _, turn := range turns {
		if start+turn > t {
			return start + turn, true
		}
	}
	return start + time.Second, true
}

func (p Pattern) turns() []time.Duration {
	if int(p) < len(patterns) {
		return patterns[p].turns
	}
	return nil
}

// phase is the place of t within its second, also for a negative t.
func phase(t time.Duration) time.Duration {
	if t %= time.Second; t < 0 {
		t += time.Second
	}
	return t
}
