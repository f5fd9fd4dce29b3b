package main

import (
	"time"

	"golang.org/x/sys/unix"

	"mien/drivers/camera"
	"mien/firmware/config"
	"mien/firmware/pipeline"
	"mien/model/face"
	"mien/tools/bench/reel"
)

// Frames before counting begins, and those counted. The warm-up is long because
// the runtime's pools and timers are made again on each processor that a goroutine
// comes to.
const (
	warmup  = 60 + 4*reel.Pictures
	counted = 2 * reel.Pictures
)

// clip is the demo clip, and what the unit does on each of its frames.
type clip struct {
	*reel.Reel
	// By frame number, over warm-up and counted frames:
	detected []bool // the unit's tracker searches for faces
	inferred []bool // the unit runs the affect network
}

func loadClip() (*clip, error) {
	r, err := reel.Load()
	if err != nil {
		return nil, err
	}
	return schedule(r)
}

// schedule finds out on which frames the unit runs which network, so that the
// bare loop and the peers can run them as often.
func schedule(r *reel.Reel) (*clip, error) {
	c := &clip{Reel: r}
	eye, err := pipeline.OpenEye(config.Default())
	if err != nil {
		return nil, err
	}
	defer eye.Close()
	var f camera.Frame
	for i := range warmup + counted {
		r.Frame(&f, i, false)
		s, err := eye.Look(&f)
		if err != nil {
			return nil, err
		}
		c.detected = append(c.detected, s.View.Cause != face.NotDetected)
		c.inferred = append(c.inferred, s.Reason == face.Good)
	}
	return c, nil
}

// usage is cpu's, so that to measure allocates nothing. One goroutine at a time.
var usage unix.Rusage

// cpu is the processor time of this process so far.
func cpu() time.Duration {
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		panic("getrusage: " + err.Error()) // cannot fail on Linux
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
