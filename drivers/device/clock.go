package device

import (
	"time"

	"golang.org/x/sys/unix"
)

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

// Now reads CLOCK_MONOTONIC, the clock of the kernel's frames and edges: Now()
// less a live frame's time is its age.
func Now() time.Duration { return time.Since(epoch) }
