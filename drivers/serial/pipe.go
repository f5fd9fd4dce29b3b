package serial

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Wire is what is between the two ends of a Pipe. Set its fields before the
// first use.
type Wire struct {
	// Now is the clock of delays and waits; nil is a real one. A clock of the
	// test's own needs Tick after it moved.
	Now func() time.Duration
	// Delay is how long a character travels; Character is the time that each
	// takes on the wire, so that long frames trickle in.
	Delay, Character time.Duration
	// Split is the most that one Read returns; 0 is no limit.
	Split int
	// Noise is the probability, for every character, that one bit of it is
	// flipped, that it is lost, that a foreign one comes before it, and that it
	// arrives marked as bad. Seed makes it repeatable.
	Noise struct{ Flip, Lose, Insert, Mark float64 }
	Seed  uint64

	mu      sync.Mutex // covers all below and both ends
	changed *sync.Cond // on mu
	rng     *rand.Rand
	gone    bool
	ends    [2]End
}

// End is one end of a Pipe: a Line in memory.
type End struct {
	// Faults are looked at in order at every call; the first that fits decides.
	Faults []Fault

	wire   *Wire
	peer   *End
	name   string
	closed bool
	stale  bool // opened before the wire was unplugged
	calls  []int
	ring   [4096]arrival
	first  int
	n      int
	last   time.Duration // when the character before this one arrives
	// One timer for the reader and one for the writer, made at first use.
	timers [2]*time.Timer

	readTimeout error
}

// arrival is one character under way to an End.
type arrival struct {
	at  time.Duration
	c   byte
	bad bool
}

// Op is a call that a Fault can let fail.
type Op uint8

const (
	OpRead Op = iota
	OpWrite
	OpDiscard
	OpClose
)

// Fault lets calls fail with Err: the At-th call of this kind (1 is the next),
// and Count-1 more after it. At 0 is 1; Count 0 is 1, -1 is for ever.
type Fault struct {
	Op        Op
	At, Count int
	Err       error
}

var _ Line = (*End)(nil)

// Pipe joins two ends in memory, for tests without a port. The wire between
// them is perfect until its fields say otherwise.
func Pipe() (a, b *End, w *Wire) {
	w = &Wire{}
	w.changed = sync.NewCond(&w.mu)
	for i, name := range []string{"pipe a", "pipe b"} {
		w.ends[i] = End{wire: w, peer: &w.ends[1-i], name: name}
		w.ends[i].readTimeout = w.ends[i].failed("read", ErrTimeout)
	}
	return &w.ends[0], &w.ends[1], w
}

// Unplug takes the adapter away: both ends report ErrGone until Replug and
// Reopen.
func (w *Wire) Unplug() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone = true
	for i := range w.ends {
		w.ends[i].stale, w.ends[i].n = true, 0
	}
	w.changed.Broadcast()
}

// Replug brings the adapter back. The ends must be opened again.
func (w *Wire) Replug() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone = false
}

// Tick lets all waits look at the clock again.
func (w *Wire) Tick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changed.Broadcast()
}

// Reopen opens an end again, after Close or Unplug, as Open does for a port.
func (e *End) Reopen() error {
	e.wire.mu.Lock()
	defer e.wire.mu.Unlock()
	if e.wire.gone {
		return fmt.Errorf("open serial port %s: %w", e.name, ErrGone)
	}
	e.closed, e.stale, e.n = false, false, 0
	return nil
}

func (e *End) Read(b []byte, timeout time.Duration) (int, error) {
	w := e.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := e.fault(OpRead); err != nil {
		return 0, e.failed("read", err)
	}
	end := w.deadline(timeout)
	for {
		if err := e.usable(); err != nil {
			return 0, e.failed("read", err)
		}
		now := w.time()
		n, bad := e.arrived(b, now)
		switch {
		case n > 0 && bad:
			return n, e.failed("read", ErrCorrupt)
		case n > 0 || len(b) == 0:
			w.changed.Broadcast() // there is room again
			return n, nil
		case now >= end:
			return 0, e.readTimeout
		}
		until := end
		if e.n > 0 {
			until = min(until, e.ring[e.first].at)
		}
		e.sleep(&e.timers[0], until)
	}
}

// arrived needs mu.
func (e *End) arrived(b []byte, now time.Duration) (n int, bad bool) {
	most := len(b)
	if e.wire.Split > 0 {
		most = min(most, e.wire.Split)
	}
	for n < most && e.n > 0 && e.ring[e.first].at <= now {
		b[n] = e.ring[e.first].c
		bad = bad || e.ring[e.first].bad
		e.first = (e.first + 1) % len(e.ring)
		e.n--
		n++
	}
	return n, bad
}

func (e *End) Write(b []byte, timeout time.Duration) (int, error) {
	w := e.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := e.fault(OpWrite); err != nil {
		return 0, e.failed("write", err)
	}
	end := w.deadline(timeout)
	for n, c := range b {
		for {
			if err := e.usable(); err != nil {
				return n, e.failed("write", err)
			}
			if e.peer.closed || e.peer.n < len(e.peer.ring)-1 {
				break
			}
			if w.time() >= end {
				e.peer.n = max(e.peer.n-n, 0) // what was not sent is thrown away
				return n, e.failed("write", ErrTimeout)
			}
			e.sleep(&e.timers[1], end)
		}
		e.peer.send(c)
	}
	w.changed.Broadcast()
	return len(b), nil
}

// send needs mu. It puts one character on the wire to e.
func (e *End) send(c byte) {
	w := e.wire
	if e.closed {
		return // nobody listens, as on a real wire
	}
	if w.rng == nil {
		w.rng = rand.New(rand.NewPCG(w.Seed, 0))
	}
	e.last = max(e.last, w.time()+w.Delay) + w.Character
	if w.Noise.Lose > 0 && w.rng.Float64() < w.Noise.Lose {
		return
	}
	if w.Noise.Insert > 0 && w.rng.Float64() < w.Noise.Insert {
		e.put(arrival{at: e.last, c: byte(w.rng.Uint32())})
	}
	if w.Noise.Flip > 0 && w.rng.Float64() < w.Noise.Flip {
		c ^= 1 << w.rng.UintN(8)
	}
	bad := w.Noise.Mark > 0 && w.rng.Float64() < w.Noise.Mark
	e.put(arrival{at: e.last, c: c, bad: bad})
}

// put needs mu.
func (e *End) put(a arrival) {
	if e.n < len(e.ring) {
		e.ring[(e.first+e.n)%len(e.ring)] = a
		e.n++
	}
}

func (e *End) Discard() error {
	e.wire.mu.Lock()
	defer e.wire.mu.Unlock()
	if err := e.fault(OpDiscard); err != nil {
		return e.failed("discard", err)
	}
	if err := e.usable(); err != nil {
		return e.failed("discard", err)
	}
	now := e.wire.time()
	for e.n > 0 && e.ring[e.first].at <= now {
		e.first = (e.first + 1) % len(e.ring)
		e.n--
	}
	e.wire.changed.Broadcast()
	return nil
}

// Backlog is how long what was written still takes to arrive.
func (e *End) Backlog() time.Duration {
	e.wire.mu.Lock()
	defer e.wire.mu.Unlock()
	return max(e.peer.last-e.wire.time(), 0)
}

func (e *End) Close() error {
	e.wire.mu.Lock()
	defer e.wire.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed, e.n = true, 0
	e.wire.changed.Broadcast()
	if err := e.fault(OpClose); err != nil {
		return e.failed("close", err)
	}
	return nil
}

// usable needs mu.
func (e *End) usable() error {
	switch {
	case e.closed:
		return ErrClosed
	case e.stale:
		return ErrGone
	}
	return nil
}

// fault needs mu. It counts a call and gives the error it shall end with.
func (e *End) fault(op Op) error {
	for len(e.calls) < len(e.Faults) {
		e.calls = append(e.calls, 0)
	}
	var err error
	for i, f := range e.Faults {
		if f.Op != op {
			continue
		}
		e.calls[i]++
		first, count := max(f.At, 1), max(f.Count, 1)
		if e.calls[i] >= first && (f.Count < 0 || e.calls[i] < first+count) && err == nil {
			err = f.Err
		}
	}
	return err
}

func (e *End) failed(what string, err error) error {
	return fmt.Errorf("serial port %s: %s: %w", e.name, what, err)
}

// time needs mu only for Now to be set before.
func (w *Wire) time() time.Duration {
	if w.Now != nil {
		return w.Now()
	}
	return time.Since(epoch)
}

// epoch is where the real clock starts; only differences count.
var epoch = time.Now()

func (w *Wire) deadline(timeout time.Duration) time.Duration {
	const never = 1<<63 - 1
	if now := w.time(); timeout >= 0 && timeout < never-now {
		return now + timeout
	}
	return never
}

// sleep needs mu and gives it up while it waits for a change, or, with the
// real clock, for a time.
func (e *End) sleep(timer **time.Timer, until time.Duration) {
	if e.wire.Now == nil {
		d := until - e.wire.time()
		if *timer == nil {
			*timer = time.AfterFunc(d, e.wire.Tick)
		} else {
			(*timer).Reset(d)
		}
		defer (*timer).Stop()
	}
	e.wire.changed.Wait()
}
