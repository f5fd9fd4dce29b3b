// Command soak lets a unit run for long, as fast as it goes, and fails when its
// memory, descriptors or goroutines grow.
//
//	go run ./tools/soak [-frames 1000000 | -for 24h] [-every 30s] [-lose 1000] [-slack 4]
//
// The unit is the real pipeline with its networks, alarms that come and go, a
// state folder on the disk, the operator's socket with a client that asks and
// acknowledges, a serial line on a pty that somebody reads, and output lines on
// the fake chip. Every 1,000 frames the camera, the chip with its lines and the
// serial line are lost and must be found again: in a run of a million a thousand
// times each. Every second time the camera comes back with the other format, YUYV
// or JPEG.
//
// The medians of the run's second tenth are the measure, after the first has
// warmed it up. Those of the last tenth must not be above: goroutines and
// descriptors not at all, resident memory by at most -slack MB. The memory holds
// the clip's raw frames, 106 MB, which a unit does not have.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"
)

func main() {
	frames := flag.Int("frames", 1_000_000, "frames to run")
	lasts := flag.Duration("for", 0, "run for this time instead")
	every := flag.Duration("every", 30*time.Second, "print a line so often")
	lose := flag.Int("lose", 1000, "lose camera, chip and serial line every so many frames; 0: never")
	slack := flag.Float64("slack", 4, "MB that resident memory may be above that of the second tenth")
	flag.Parse()
	grown, err := soak(*frames, *lasts, *every, *lose, *slack)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
	if grown {
		os.Exit(1)
	}
}

func soak(frames int, lasts, every time.Duration, lose int, slack float64) (grown bool, err error) {
	u, err := newUnit(frames, lasts, lose)
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(u.dir)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- u.run(ctx) }()

	var all []sample
	began, printed := time.Now(), time.Time{}
	fmt.Println("     time    frames    /s     RSS MB   heap MB   descriptors   goroutines   camera lost   events")
	look := func(now time.Time, force bool) {
		s := take(now.Sub(began), u)
		all = append(all, s)
		if force || now.Sub(printed) >= every {
			printed = now
			fmt.Println(s)
		}
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			if u.running() {
				look(now, false)
			}
		case err := <-ended:
			if err != nil {
				return false, err
			}
			fmt.Println(all[len(all)-1])
			return u.report(judge(all, slack)), nil
		}
	}
}

// heap is the memory that Go holds live or not yet swept.
func heap() float64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}
