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
	cancel context.CancelFunc
	done   chan struct{}
}

// parts are the unit's goroutines.
type parts struct {
	unit *Unit
	mu   sync.Mutex // covers all
	all  map[string]part

	downMu sync.Mutex // covers down, and the end of the fault with it
	down   int        // parts that failed and are not back yet
}

// start runs a part until ctx ends or stop is called. A part that panics or
// fails puts the unit into its safe state and is started again.
func (p *parts) start(ctx context.Context, name string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(ctx)
	one := part{cancel, make(chan struct{})}
	p.mu.Lock()
	if p.all == nil {
		p.all = make(map[string]part)
	}
	p.all[name] = one
	p.mu.Unlock()
	go func() {
		defer close(one.done)
		defer cancel()
		wait := health.Backoff{First: 100 * time.Millisecond, Most: 5 * time.Second}
		for ctx.Err() == nil {
			began := time.Now()
			err := p.once(ctx, name, run)
			if err == nil || ctx.Err() != nil {
				return
			}
			p.unit.failed(err)
			if time.Since(began) > time.Minute {
				wait.Reset()
			}
			again := sleep(ctx, wait.Next())
			p.unit.mended() // also of one that is stopped: what comes in its place has a life of its own
			if !again {
				return
			}
		}
	}()
}

// once runs a part and turns a panic into an error.
func (p *parts) once(ctx context.Context, name string, run func(context.Context) error) (err error) {
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
func (p *parts) stop(name string) (ended bool) {
	p.mu.Lock()
	one, ok := p.all[name]
	delete(p.all, name)
	p.mu.Unlock()
	if !ok {
		return true
	}
	one.cancel()
	t := time.NewTimer(endsWithin)
	defer t.Stop()
	select {
	case <-one.done:
		return true
	case <-t.C:
		return false
	}
}

// failed is what the unit does when one of its goroutines fails: lines to their
// fail value at once, fault, journal. The fault lasts until as many are mended.
func (u *Unit) failed(err error) {
	if p := u.panel.Load(); p != nil {
		p.fail()
	}
	u.parts.downMu.Lock()
	u.parts.down++
	u.parts.downMu.Unlock()
	u.health.Begin(health.Internal, u.now(), err.Error())
}

// mended is what follows each failed: the goroutine is back, or no longer wanted.
func (u *Unit) mended() {
	u.parts.downMu.Lock()
	defer u.parts.downMu.Unlock()
	if u.parts.down--; u.parts.down == 0 {
		u.health.End(health.Internal)
	}
}

// Guard runs what belongs to the unit and has a goroutine of its own (the
// socket, the live view). A panic in it does not end the program: the unit goes
// to its safe state for a moment, as for one of its own parts, and the error
// says why.
func (u *Unit) Guard(name string, run func()) error {
	err := u.parts.once(context.Background(), name, func(context.Context) error {
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
