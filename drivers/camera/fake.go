package camera

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"slices"
	"sync"
	"time"
)

// Fake is a camera without hardware, for tests and demonstrations. Its fields
// are the simulated hardware: set them before Open, or while it runs with the
// mutex held. Open may be called again and again, as for a real camera.
//
//	cam := &camera.Fake{NextErrs: map[int]error{30: camera.ErrGone}}
//	src, _ := cam.Open()
//	…
//	cam.Lock()
//	cam.Gone = true // pulled out
//	cam.Unlock()
type Fake struct {
	sync.Mutex

	Name          string
	Format        uint32 // 0: GREY
	Width, Height int    // 0: 640x480
	Stride        int    // 0: the least
	// Pictures are shown in turn, each a whole Frame.Data of the format; none: a
	// grey ramp that moves by one step a frame.
	Pictures [][]byte
	Period   time.Duration // 0: 1/30 s
	Clock    Clock         // nil: the system's

	Gone   bool   // unplugged: Open gives ErrNotFound; an open source gives ErrGone, and does so for good once it has
	Silent bool   // plugged in, but no frame comes: ErrTimeout
	Frozen bool   // the same picture again and again, while sequence and time go on
	Black  bool   // black pictures
	Skip   uint32 // so many frames are lost before the next one; then 0 again
	// Keep is how long the driver keeps frames back before it hands them out: its
	// queue fills, each frame is older than the one before, up to so much.
	Keep time.Duration
	// Stamp changes the time that a frame is given; nil: it is the true one.
	Stamp func(time.Duration) time.Duration

	// Errors of the n-th call, counted from 1 over all sources of this Fake. The
	// call does nothing else.
	OpenErrs, NextErrs, ReleaseErrs map[int]error

	// What was called so far.
	Opens, Nexts, Releases, Closes int
	Out                            int // frames handed out and not released

	passed uint32 // pictures that were shown: what a camera sees goes on while it is closed
}

// Open gives a source on the fake camera, as v4l2.Open does on a real one.
func (f *Fake) Open() (Source, error) {
	f.Lock()
	defer f.Unlock()
	f.Opens++
	if err := f.OpenErrs[f.Opens]; err != nil {
		return nil, fmt.Errorf("open %s: %w", f.name(), err)
	}
	if f.Gone {
		return nil, fmt.Errorf("open %s: %w", f.name(), ErrNotFound)
	}
	s := &fakeSource{cam: f, clock: f.Clock, stop: make(chan struct{}), before: f.passed}
	if s.clock == nil {
		s.clock = SystemClock()
	}
	s.info = Info{Name: f.name(), Device: "fake", Driver: "fake", Format: f.Format, Width: f.Width, Height: f.Height,
		Stride: f.Stride, Live: true, Stamped: true}
	if s.info.Format == 0 {
		s.info.Format = GREY
	}
	if s.info.Width == 0 || s.info.Height == 0 {
		s.info.Width, s.info.Height = 640, 480
	}
	least, _ := PlaneSize(s.info.Format, s.info.Width, s.info.Height, 0)
	s.info.Stride = max(s.info.Stride, least)
	s.info.FPS = float64(time.Second) / float64(f.period())
	s.due = s.clock.Now()
	return s, nil
}

func (f *Fake) name() string {
	if f.Name == "" {
		return "fake camera"
	}
	return f.Name
}

func (f *Fake) period() time.Duration {
	if f.Period <= 0 {
		return time.Second / 30
	}
	return f.Period
}

type fakeSource struct {
	cam      *Fake
	clock    Clock
	stop     chan struct{}
	stopOnce sync.Once

	// cam.Mutex covers what follows.
	info    Info
	frame   Frame
	due     time.Duration // when the next frame is there
	seq     uint32        // of the next frame
	shown   uint32        // number of the picture shown last,
	before  uint32        // counted from the one that was next when it was opened
	drawn   []byte
	black   []byte
	out     bool
	dead    bool
	started bool
}

func (s *fakeSource) Next(timeout time.Duration) (*Frame, error) {
	f := s.cam
	f.Lock()
	defer f.Unlock()
	f.Nexts++
	if err := f.NextErrs[f.Nexts]; err != nil {
		return nil, fmt.Errorf("%s: %w", f.name(), err)
	}
	s.putBack()
	deadline := s.clock.Now() + max(timeout, 0)
	for {
		select {
		case <-s.stop:
			return nil, fmt.Errorf("%s: %w", f.name(), ErrClosed)
		default:
		}
		if f.Gone || s.dead {
			s.dead = true
			return nil, fmt.Errorf("%s: %w", f.name(), ErrGone)
		}
		now := s.clock.Now()
		if f.Silent {
			s.due = max(s.due, now) // what was not taken is not lost either
		}
		if !f.Silent && now >= s.due {
			return s.take(now), nil
		}
		if now >= deadline {
			return nil, fmt.Errorf("%s: %w: waited %v", f.name(), ErrTimeout, timeout)
		}
		until := deadline
		if !f.Silent {
			until = min(until, s.due)
		}
		// Looks again at least every 10 ms: a test may change a field meanwhile.
		wait := min(until-now, 10*time.Millisecond)
		f.Unlock()
		s.clock.Wait(wait, s.stop)
		f.Lock()
	}
}

// take makes the newest frame that is there at now.
func (s *fakeSource) take(now time.Duration) *Frame {
	f := s.cam
	period := f.period()
	missed := uint32((now - s.due) / period)
	lost := missed + f.Skip
	s.info.Counts.PassedOver += uint64(missed)
	s.due += time.Duration(missed) * period
	s.seq += lost
	f.Skip = 0
	if !f.Frozen || !s.started {
		s.shown = s.seq
		f.passed = s.before + s.shown + 1
	}
	s.frame = Frame{Format: s.info.Format, Width: s.info.Width, Height: s.info.Height, Stride: s.info.Stride,
		Sequence: s.seq, Time: max(s.due-f.Keep, min(s.frame.Time+time.Millisecond, s.due)), Lost: lost, Data: s.picture()}
	if f.Stamp != nil {
		s.frame.Time = f.Stamp(s.frame.Time)
	}
	s.due += period
	s.seq++
	s.started, s.out = true, true
	f.Out++
	s.info.Counts.Frames++
	s.info.Counts.Lost += uint64(lost)
	return &s.frame
}

func (s *fakeSource) picture() []byte {
	f := s.cam
	switch {
	case f.Black:
		if s.black == nil {
			s.black = blackPicture(s.info)
		}
		return s.black
	case len(f.Pictures) > 0:
		return f.Pictures[(s.before+s.shown)%uint32(len(f.Pictures))]
	case s.info.Format == MJPEG:
		if s.drawn == nil {
			s.drawn = blackPicture(s.info)
		}
		return s.drawn
	}
	_, size := PlaneSize(s.info.Format, s.info.Width, s.info.Height, s.info.Stride)
	s.drawn = slices.Grow(s.drawn[:0], size)[:size]
	for i := range s.drawn {
		s.drawn[i] = byte(i%s.info.Stride) + byte(s.before+s.shown)
	}
	return s.drawn
}

// blackPicture is black in any format: luma 0, chroma 128.
func blackPicture(info Info) []byte {
	w, h := info.Width, info.Height
	if info.Format == MJPEG {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, w, h)), nil); err != nil {
			return nil // only for a size beyond JPEG's 65535
		}
		return b.Bytes()
	}
	_, size := PlaneSize(info.Format, w, h, info.Stride)
	b := make([]byte, size)
	for i := range b {
		switch info.Format {
		case YUYV:
			b[i] = byte(i&1) << 7
		case UYVY:
			b[i] = byte(^i&1) << 7
		case NV12, YUV420, YUV422P:
			if i >= h*info.Stride {
				b[i] = 128
			}
		}
	}
	return b
}

func (s *fakeSource) putBack() {
	if s.out {
		s.out = false
		s.cam.Out--
	}
}

func (s *fakeSource) Release() error {
	f := s.cam
	f.Lock()
	defer f.Unlock()
	f.Releases++
	if err := f.ReleaseErrs[f.Releases]; err != nil {
		return fmt.Errorf("%s: %w", f.name(), err)
	}
	s.putBack()
	return nil
}

func (s *fakeSource) Info() Info {
	s.cam.Lock()
	defer s.cam.Unlock()
	return s.info
}

func (s *fakeSource) Close() error {
	s.stopOnce.Do(func() {
		close(s.stop)
		s.cam.Lock()
		s.putBack()
		s.cam.Closes++
		s.cam.Unlock()
	})
	return nil
}

var _ Source = (*fakeSource)(nil)
