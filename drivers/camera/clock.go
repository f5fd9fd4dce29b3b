package camera

import (
	"time"

	"golang.org/x/sys/unix"
)

// Clock is the time that clips and fakes live by.
type Clock interface {
	// Now is CLOCK_MONOTONIC, or a test's own time.
	Now() time.Duration
	// Wait returns true after d, or false as soon as stop is closed.
	Wait(d time.Duration, stop <-chan struct{}) bool
}

// epoch ties Go's monotonic clock to CLOCK_MONOTONIC, which it is read from, so
// that Now costs no system call.
var epoch = func() time.Time {
	best, width := time.Now(), time.Duration(1<<62)
	for range 8 { // the pair taken closest together: a preemption between the two reads would shift the clock for good
		var ts unix.Timespec
		before := time.Now()
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
			continue // no Linux kernel lacks this clock
		}
		if w := time.Since(before); w < width {
			best, width = before.Add(w/2-time.Duration(ts.Nano())), w
		}
	}
	return best
}()

// Now reads the clock of Frame.Time, CLOCK_MONOTONIC: Now() - frame.Time is the
// age of a live frame.
func Now() time.Duration { return time.Since(epoch) }

// systemClock keeps one timer, so that waiting allocates nothing.
type systemClock struct{ timer *time.Timer }

func (c *systemClock) Now() time.Duration { return Now() }

func (c *systemClock) Wait(d time.Duration, stop <-chan struct{}) bool {
	if d <= 0 {
		select {
		case <-stop:
			return false
		default:
			return true
		}
	}
	if c.timer == nil {
		c.timer = time.NewTimer(d)
	} else {
		c.timer.Reset(d)
	}
	select {
	case <-c.timer.C:
		return true
	case <-stop:
		c.timer.Stop()
		return false
	}
}
