package health

import "time"

// A Held condition is true only after its cause has lasted for a time: one
// dark frame is a flicker, two seconds of them are a covered lens.
type Held struct {
	For   time.Duration
	since time.Duration
	on    bool
}

// Update tells the condition whether the cause is there now and gives whether
// it has been for long enough.
func (h *Held) Update(cause bool, now time.Duration) bool {
	if !cause {
		h.on = false
		return false
	}
	if !h.on {
		h.on, h.since = true, now
	}
	return now-h.since >= h.For
}

// Frozen finds a camera that sends the same picture again and again. A real
// sensor's noise makes every frame differ, in the dark too.
type Frozen struct {
	Held
	last    uint64
	any     bool
	differs int // pictures in a row that differed from the one before
}

// lively is how many pictures in a row must differ before a camera counts as
// alive again: the first one after it was opened anew differs in any case.
const lively = 3

// Update takes a hash over the picture and tells whether it has stood still
// for long enough.
func (f *Frozen) Update(hash uint64, now time.Duration) bool {
	same := f.any && hash == f.last
	f.last, f.any = hash, true
	if f.differs++; same {
		f.differs = 0
	}
	return f.Held.Update(same, now)
}

// Lively tells whether the picture moves again.
func (f *Frozen) Lively() bool { return f.differs >= lively }

// Rate counts events a second over the last whole window.
type Rate struct {
	Window time.Duration
	start  time.Duration
	count  int
	rate   float64
	whole  bool
}

// Event counts one event.
func (r *Rate) Event() { r.count++ }

// Update closes the window when it is over. It gives the rate of the last
// whole window, and whether there was one.
func (r *Rate) Update(now time.Duration) (perSecond float64, known bool) {
	if d := now - r.start; d >= r.Window {
		r.rate, r.whole = float64(r.count)/d.Seconds(), r.start != 0
		r.start, r.count = now, 0
	}
	return r.rate, r.whole
}

// ClockJump compares the wall clock with the monotonic one: a difference that
// changes by more than Limit is a jump (the clock was set; time was lost or
// given twice).
type ClockJump struct {
	Limit  time.Duration
	offset time.Duration
	any    bool
}

// Update gives how far the wall clock jumped since the last call, 0 if it
// didn't.
func (c *ClockJump) Update(wall time.Time, now time.Duration) time.Duration {
	offset := time.Duration(wall.UnixNano()) - now
	jump := offset - c.offset
	first := !c.any
	c.any = true
	if first || jump > c.Limit || jump < -c.Limit {
		c.offset = offset
		if !first {
			return jump
		}
	}
	return 0
}

// Backoff is the waiting time between tries to open a device again: growing,
// bounded.
type Backoff struct {
	First, Most time.Duration
	next        time.Duration
}

// Next gives the wait before the next try.
func (b *Backoff) Next() time.Duration {
	wait := max(b.next, b.First)
	b.next = min(wait*2, b.Most)
	return wait
}

// Reset starts again with the first wait: the device works.
func (b *Backoff) Reset() { b.next = 0 }
