package affect

import "time"

// closedShare is the closure from which eyes count as closed for PERCLOS: P80
// [Wierwille et al. 1994, DOT HS 808 247; Dinges, Grace 1998, FHWA-MCRT-98-006].
const closedShare = 0.8

// closure turns AU43's level into the degree to which the eyes are closed:
// straight from 0 to closedShare at the level that the card names, and on to 1.
func closure(level, closedAt float32) float32 {
	if level < closedAt {
		return level / closedAt * closedShare
	}
	return closedShare + (level-closedAt)/(1-closedAt)*(1-closedShare)
}

// perclos is the share of the known time of a window in which the eyes were
// closed. Time is summed in whole nanoseconds over stretches of one state, so
// that nothing drifts over years, and blinks cost two stretches, not frames.
type perclos struct {
	window, known time.Duration
	stretches     []stretch // ring
	oldest, count int
	last          time.Duration // end of the newest stretch
	started       bool
	sum           time.Duration // of all stretches
	sumClosed     time.Duration
	sumKnown      time.Duration
}

type stretch struct {
	length time.Duration
	state  eyeState
}

type eyeState uint8

const (
	eyesUnknown eyeState = iota
	eyesOpen
	eyesShut
)

// longestHold is how long one sample can stand for: after that nobody knows
// what the eyes did.
const longestHold = time.Second

// perclosStretches holds a window of the longest length at eight changes a
// second, more than people blink; beyond it the oldest time is dropped.
const perclosStretches = 8 * 600

func newPerclos(window, known time.Duration) *perclos {
	return &perclos{window: window, known: known, stretches: make([]stretch, perclosStretches)}
}

// step takes the closure (NaN: Unknown) that held since the step before, and
// gives the share, or Unknown until enough of the window is known. Time that
// goes back, or a gap longer than the window, starts over.
func (p *perclos) step(at time.Duration, closed float32) float32 {
	switch {
	case !p.started || at < p.last || at-p.last > p.window:
		*p = perclos{window: p.window, known: p.known, stretches: p.stretches, started: true, last: at}
		return unknown
	case at-p.last > longestHold:
		p.add(at-p.last-longestHold, eyesUnknown)
		p.last = at - longestHold
	}
	state := eyesUnknown
	if closed >= closedShare {
		state = eyesShut
	} else if closed < closedShare {
		state = eyesOpen
	}
	p.add(at-p.last, state)
	p.last = at
	p.trim()
	if p.sumKnown < p.known || p.sumKnown == 0 {
		return unknown
	}
	return float32(float64(p.sumClosed) / float64(p.sumKnown))
}

func (p *perclos) add(length time.Duration, state eyeState) {
	if length == 0 {
		return
	}
	p.account(length, state)
	if p.count > 0 {
		newest := &p.stretches[(p.oldest+p.count-1)%len(p.stretches)]
		if newest.state == state {
			newest.length += length
			return
		}
	}
	if p.count == len(p.stretches) {
		p.drop(p.stretches[p.oldest].length)
	}
	p.stretches[(p.oldest+p.count)%len(p.stretches)] = stretch{length, state}
	p.count++
}

// trim drops what is older than the window.
func (p *perclos) trim() {
	for p.sum > p.window {
		p.drop(min(p.sum-p.window, p.stretches[p.oldest].length))
	}
}

// drop takes length off the oldest stretch.
func (p *perclos) drop(length time.Duration) {
	s := &p.stretches[p.oldest]
	p.account(-length, s.state)
	s.length -= length
	if s.length == 0 {
		p.oldest = (p.oldest + 1) % len(p.stretches)
		p.count--
	}
}

func (p *perclos) account(length time.Duration, state eyeState) {
	p.sum += length
	if state != eyesUnknown {
		p.sumKnown += length
	}
	if state == eyesShut {
		p.sumClosed += length
	}
}
