package camera

import (
	"time"

	"mien/drivers/device"
)

// Clock is the time that clips and fakes live by.
type Clock interface {
	// Now is CLOCK_MONOTONIC, or a test's own time.
	Now() time.Duration
	// Wait returns true after d, or false as soon as stop is closed.
	Wait(d time.Duration, stop <-chan struct{}) bool
}

// SystemClock is the machine's, for one goroutine.
func SystemClock() Clock { return &systemClock{} }

// systemClock keeps one timer, so that waiting allocates nothing.
type systemClock struct{ timer *time.Timer }

func (c *systemClock) Now() time.Duration { return device.Now() }

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
