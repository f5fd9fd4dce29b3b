package main

import (
	"bytes"
	"time"

	"golang.org/x/sys/unix"

	"mien/drivers/camera"
	"mien/firmware/config"
	"mien/firmware/pipeline"
	"mien/model/assets"
	"mien/model/face"
	"mien/model/pixel"
)

const (
	width, height = 640, 480
	used          = 180 // pictures: twelve seconds with a face in each
	warmup        = 60  // frames before counting begins
	counted       = 2 * used
)

// clip is the demo clip, as JPEGs and as a camera's raw YUYV frames.
type clip struct {
	jpegs, raws [][]byte
	// By frame number, over warm-up and counted frames:
	detected []bool // the unit's tracker searches for faces
	inferred []bool // the unit runs the affect network
}

func loadClip() (*clip, error) {
	c := &clip{jpegs: bytes.SplitAfter(assets.Demo(), []byte{0xff, 0xd9})[:used]}
	d := pixel.NewDecoder("")
	defer d.Close()
	for _, j := range c.jpegs {
		img, err := d.Decode(j, pixel.DecodeOptions{})
		if err != nil {
			return nil, err
		}
		raw := bytes.Repeat([]byte{0, 128}, width*height)
		for i, y := range img.Data[:width*height] {
			raw[2*i] = y
		}
		c.raws = append(c.raws, raw)
	}
	return c, c.schedule()
}

// schedule finds out on which frames the unit runs which network, so that the
// bare loop and the peers can run them as often.
func (c *clip) schedule() error {
	eye, err := pipeline.OpenEye(config.Default())
	if err != nil {
		return err
	}
	defer eye.Close()
	for i := range warmup + counted {
		s, err := eye.Look(c.frame(i, false))
		if err != nil {
			return err
		}
		c.detected = append(c.detected, s.View.Cause != face.NotDetected)
		c.inferred = append(c.inferred, s.Reason == face.Good)
	}
	return nil
}

func (c *clip) frame(i int, jpeg bool) *camera.Frame {
	n := i % len(c.raws)
	f := &camera.Frame{Format: camera.YUYV, Width: width, Height: height, Stride: 2 * width, Sequence: uint32(i),
		Time: time.Duration(i) * time.Second / 15, Data: c.raws[n]}
	if jpeg {
		f.Format, f.Stride, f.Data = camera.MJPEG, 0, c.jpegs[n]
	}
	return f
}

// reel is a camera that has the next frame ready whenever it is asked.
type reel struct {
	clip  *clip
	jpeg  bool
	n     int
	frame camera.Frame
	stop  chan struct{}
	// at is called before frame n is handed out; false ends the reel.
	at func(n int) bool
}

func (r *reel) Next(time.Duration) (*camera.Frame, error) {
	if !r.at(r.n) {
		return nil, camera.ErrEnd
	}
	i := r.n % len(r.clip.raws)
	r.frame = camera.Frame{Format: camera.YUYV, Width: width, Height: height, Stride: 2 * width, Sequence: uint32(r.n),
		Time: time.Duration(r.n) * time.Second / 15, Data: r.clip.raws[i]}
	if r.jpeg {
		r.frame.Format, r.frame.Stride, r.frame.Data = camera.MJPEG, 0, r.clip.jpegs[i]
	}
	r.n++
	return &r.frame, nil
}

func (r *reel) Release() error { return nil }
func (r *reel) Close() error   { return nil }
func (r *reel) Info() camera.Info {
	return camera.Info{Name: "bench", Device: "memory", Format: camera.YUYV, Width: width, Height: height}
}

// cpu is the processor time of this process so far.
func cpu() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic("getrusage: " + err.Error()) // cannot fail on Linux
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
