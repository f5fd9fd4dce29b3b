package pipeline

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"mien/firmware/health"
)

// part is one goroutine that owns one device, and can be stopped and started
// again while the others run on.
type part struct {
	mu     sync.Mutex // covers what is below
	name   string
	cancel context.CancelFunc
	done   chan struct{} // nil: it does not run
}

// start runs a part of u until ctx ends or stop is called. A part that panics or
// fails puts the unit into its safe state and is started again.
func (p *part) start(ctx context.Context, u *Unit, name string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	p.mu.Lock()
	p.name, p.cancel, p.done = name, cancel, done
	p.mu.Unlock()
	go func() {
		defer close(done)
		defer cancel()
		wait := health.Backoff{First: 100 * time.Millisecond, Most: 5 * time.Second}
		for ctx.Err() == nil {
			began := time.Now()
			err := once(ctx, name, run)
			if err == nil || ctx.Err() != nil {
				return
			}
			u.failed(err)
			if time.Since(began) > time.Minute {
				wait.Reset()
			}
			again := sleep(ctx, wait.Next())
			u.mended() // also of one that is stopped: what comes in its place has a life of its own
			if !again {
				return
			}
		}
	}()
}

// once runs a part and turns a panic into an error.
func once(ctx context.Context, name string, run func(context.Context) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: panic: %v\n%s", name, r, debug.Stack())
		}
	}()
	return run(ctx)
}

// endsWithin bounds how long stop waits: every part looks at its context more
// often, so that only a device that hangs can keep one longer.
const endsWithin = 5 * time.Second

// stop ends a part and waits for it; one that does not run is no error. It
// tells whether the part has ended.
func (p *part) stop() (ended bool) {
	p.mu.Lock()
	cancel, done := p.cancel, p.done
	p.done = nil
	p.mu.Unlock()
	if done == nil {
		return true
	}
	cancel()
	t := time.NewTimer(endsWithin)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}

// stopAll stops parts and names those that do not end.
func stopAll(parts ...*part) (hanging []string) {
	for _, p := range parts {
		if !p.stop() {
			hanging = append(hanging, p.name)
		}
	}
	return hanging
}

// down counts the parts that failed and are not back yet.
type down struct {
	mu sync.Mutex // covers n, and the end of the fault with it
	n  int
}

// failed is what the unit does when one of its goroutines fails: lines to their
// fail value at once, fault, journal. The fault lasts until as many are mended.
func (u *Unit) failed(err error) {
	if p := u.panel.Load(); p != nil {
		p.fail()
	}
	u.down.mu.Lock()
	u.down.n++
	u.down.mu.Unlock()
	u.health.Begin(health.Internal, u.now(), err.Error())
}

// mended is what follows each failed: the goroutine is back, or no longer wanted.
func (u *Unit) mended() {
	u.down.mu.Lock()
	defer u.down.mu.Unlock()
	if u.down.n--; u.down.n == 0 {
		u.health.End(health.Internal)
	}
}

// Guard runs what belongs to the unit and has a goroutine of its own (the
// socket, the live view). A panic in it does not end the program: the unit goes
// to its safe state for a moment, as for one of its own parts, and the error
// says why.
func (u *Unit) Guard(name string, run func()) error {
	err := once(context.Background(), name, func(context.Context) error {
		run()
		return nil
	})
	if err != nil {
		u.failed(err)
		time.AfterFunc(time.Second, u.mended)
	}
	return err
}

// sleep waits for d and tells whether ctx is still wanted then.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// errEnded: the clip has ended; the unit may too.
var errEnded = errors.New("clip has ended")
