package watchdog

import (
	"fmt"
	"sync"
	"time"
)

// Fake is a Watchdog without hardware. It keeps the hardware's promise: after
// Timeout without a Ping the machine counts as reset.
//
// Set the fields before the first use.
type Fake struct {
	// Now is the clock; nil is a real one.
	Now func() time.Duration
	// After is what Timeout gives; 0 is 15 s.
	After time.Duration
	// NoWayOut lets Disarm fail and the countdown go on.
	NoWayOut bool
	// FailAt lets the n-th Ping (1 is the first) and all after it fail with
	// Err. 0 is never.
	FailAt int
	Err    error

	mu       sync.Mutex // covers all below
	pings    int
	last     time.Duration // of the last good ping
	started  bool
	closed   bool
	disarmed bool
	reset    bool
}

var _ Watchdog = (*Fake)(nil)

func (f *Fake) Ping() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.look()
	if f.closed {
		return fmt.Errorf("watchdog fake: ping: %w", ErrClosed)
	}
	f.pings++
	if f.FailAt > 0 && f.pings >= f.FailAt {
		return fmt.Errorf("watchdog fake: ping: %w", f.Err)
	}
	f.last, f.started = f.time(), true
	return nil
}

func (f *Fake) Timeout() time.Duration {
	if f.After == 0 {
		return 15 * time.Second
	}
	return f.After
}

func (f *Fake) Disarm() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.look()
	if f.closed {
		return nil
	}
	f.closed = true
	if f.NoWayOut {
		return fmt.Errorf("watchdog fake: disarm: %w", ErrNoWayOut)
	}
	f.disarmed = true
	return nil
}

func (f *Fake) Abandon() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.look()
	f.closed = true
	return nil
}

// Pings is how often Ping was called.
func (f *Fake) Pings() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pings
}

// Reset tells whether the machine would have been reset by now.
func (f *Fake) Reset() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.look()
	return f.reset
}

// look needs mu. It notes a reset that has become due; nothing undoes one.
func (f *Fake) look() {
	if f.started && !f.disarmed && f.time()-f.last > f.Timeout() {
		f.reset = true
	}
}

func (f *Fake) time() time.Duration {
	if f.Now != nil {
		return f.Now()
	}
	return time.Since(epoch)
}

// epoch is where the real clock starts; only differences count.
var epoch = time.Now()
