package pipeline

import "time"

// arrivals judges a camera by when its frames come: lost, slow, or well. A camera
// that gives a frame every second and a half is slow, and opening it again makes it
// slower still; one that was quick and falls silent is lost.
type arrivals struct {
	stale time.Duration // health.stale

	last  time.Duration // when a frame came, or the camera was opened
	run   int           // readable frames since then, each in time after the one before
	quick bool          // they came faster than stale
	when  time.Duration // when the last gap ended that was longer than stale; 0: there was none
	late  time.Duration // that gap, where it was not the only one within slowFor; else 0
	// starts is how long the first frame since it was opened may take, where the camera
	// is a program that must start first; 0: there was one, or it must not.
	starts time.Duration
}

const (
	// A camera that is slow, or was just opened, is lost after so long without a
	// frame: many take seconds for their first one.
	slowLost = 4 * time.Second
	// It is back with so many readable frames in a row, none later than slowBack: one
	// that gives a frame whenever it is opened, and no more, is not.
	backWith = 3
	slowBack = 3 * time.Second
	// It is slow with the second frame within this that came late, and until none has
	// for as long. One alone is a machine that was busy for a moment.
	slowFor = 10 * time.Second
)

func (a *arrivals) opened(now, starts time.Duration) {
	a.last, a.run, a.quick, a.starts = now, 0, false, starts
}

// frame notes one that came, whether it can be read or not.
func (a *arrivals) frame(now time.Duration, readable bool) {
	gap := now - a.last
	a.starts = 0
	switch {
	case a.run > 0 && gap > a.stale:
		if a.when != 0 && now-a.when <= slowFor {
			a.late = gap
		}
		a.when = now
	case a.late != 0 && now-a.when > slowFor:
		a.late = 0
	}
	if !readable || gap > max(a.stale, slowBack) {
		a.run = 0
	}
	if readable {
		a.run = min(a.run+1, backWith)
	}
	a.quick = a.run == backWith && a.late == 0
	a.last = now
}

// back tells that the camera works again.
func (a *arrivals) back() bool { return a.run == backWith }

// slow gives the time between frames of a camera that is too slow, else 0.
func (a *arrivals) slow() time.Duration { return a.late }

// lost tells that no frame has come for so long that the camera is lost, and
// whether it is to be opened again. slow: the unit is, whether by its camera or not.
func (a *arrivals) lost(now time.Duration, slow bool) (lost, reopen bool) {
	silent := now - a.last
	if silent < a.starts {
		return false, false
	}
	if silent >= max(a.stale, slowLost) {
		return true, true
	}
	lost = silent >= a.stale && a.late == 0 && !slow
	return lost, lost && a.quick
}
