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

// Frozen finds a camera that sends the same pictures again and again: one, or a
// few in turn, as a driver does that hands out its buffers without filling them.
// A real sensor's noise makes every frame differ, in the dark too.
type Frozen struct {
	Held
	seen    [turn]sighting // the last ones
	next    int
	debt    int // repeats that new pictures have not yet made good
	differs int // new pictures since it was frozen
}

type sighting struct {
	hash uint64
	at   time.Duration
	any  bool
}

const (
	// A picture is a repeat if it is one of the last few, as many as a driver has
	// buffers, or was seen within turnFor (of more). A clip played in a loop comes
	// round later than that.
	few     = 12
	turn    = 16
	turnFor = 400 * time.Millisecond
	// So many repeats are made good by one new picture: a camera that is asked for
	// more frames than it takes sends each of them twice, or five times.
	pardon  = 8
	maxDebt = 3 * pardon
	// lively is how many new pictures there must be before a camera counts as alive
	// again. One that shows a few in turn begins its turn anew when it is opened: up to
	// few-1 of them were then last seen more than few before.
	lively = few
)

// Update takes a hash over the picture and tells whether hardly a new one has
// come for long enough.
func (f *Frozen) Update(hash uint64, now time.Duration) bool {
	repeat := false
	for back := 1; back <= turn && !repeat; back++ {
		s := f.seen[(f.next+turn-back)%turn]
		repeat = s.any && s.hash == hash && (back <= few || now-s.at <= turnFor)
	}
	f.seen[f.next] = sighting{hash, now, true}
	f.next = (f.next + 1) % turn
	if repeat {
		f.debt = min(f.debt+1, maxDebt)
	} else {
		f.differs++
		f.debt = max(f.debt-pardon, 0)
	}
	on := f.Held.Update(f.debt > 0, now)
	if on {
		f.differs = 0
	}
	return on
}

// Lively tells whether the picture moves again.
func (f *Frozen) Lively() bool { return f.differs >= lively }

// Rate counts events a second over a window that rolls on. It has no clock: it is
// told how much time there was, and may so leave out time that does not count.
type Rate struct {
	Window time.Duration
	slots  [40]struct { // each a part of the window, in turn
		events int
		lasts  time.Duration
	}
	at     int // the newest
	events int // of all slots
	lasts  time.Duration
	whole  bool // there was a whole window
}

// Add counts events in the time since the last Add.
func (r *Rate) Add(events int, lasts time.Duration) {
	s := &r.slots[r.at]
	s.events += events
	s.lasts += lasts
	r.events += events
	r.lasts += lasts
	r.whole = r.whole || r.lasts >= r.Window
	if s.lasts < r.Window/time.Duration(len(r.slots)) {
		return
	}
	r.at = (r.at + 1) % len(r.slots)
	s = &r.slots[r.at] // the oldest goes
	r.events -= s.events
	r.lasts -= s.lasts
	s.events, s.lasts = 0, 0
}

// PerSecond is the rate, 0 and false before there was a whole window.
func (r *Rate) PerSecond() (rate float64, known bool) {
	if !r.whole || r.lasts <= 0 {
		return 0, false
	}
	return float64(r.events) / r.lasts.Seconds(), true
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
