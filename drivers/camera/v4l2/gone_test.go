package v4l2

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mien/drivers/camera"
)

func TestGone(t *testing.T) {
	for _, test := range []struct {
		name  string
		after int // frames taken before
		do    func(*simDriver)
		says  string
	}{
		{"unplugged while waiting", 3, func(s *simDriver) { s.gone = true }, "unplugged"},
		{"unplugged before the first frame", 0, func(s *simDriver) { s.gone = true }, "unplugged"},
		{"queue error", 3, func(s *simDriver) { s.broken = true }, "stopped"},
		{"stream stopped", 3, func(s *simDriver) { s.streaming = false }, "stopped"},
		{"ENODEV from DQBUF", 3, func(s *simDriver) { s.fail("DQBUF", s.calls["DQBUF"]+1, unix.ENODEV) }, "unplugged"},
		{"ENODEV from QBUF", 3, func(s *simDriver) { s.fail("QBUF", s.calls["QBUF"]+1, unix.ENODEV) }, "unplugged"},
		{"poll fails", 3, func(s *simDriver) { s.fail("poll", s.calls["poll"]+1, unix.EINVAL) }, "poll"},
		{"EIO without end", 3, func(s *simDriver) {
			for i := range 20 {
				s.fail("DQBUF", s.calls["DQBUF"]+1+i, unix.EIO)
			}
		}, "stopped"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSim()
			c := started(t, s, camera.GREY)
			for range test.after {
				mustNext(t, c, time.Second)
			}
			test.do(s)
			_, err := c.Next(time.Second)
			if !errors.Is(err, camera.ErrGone) || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "video0") {
				t.Fatalf("%v", err)
			}
			if _, again := c.Next(time.Second); again != err {
				t.Errorf("the second time: %v", again)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if s.opened != s.closed || s.mapped != 0 {
				t.Errorf("left behind: %d nodes, %d maps", s.opened-s.closed, s.mapped)
			}
			if _, err := c.Next(0); !errors.Is(err, camera.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}

// A driver that hands back a buffer it does not own would let two readers share
// one picture.
func TestDriverReturnsAForeignBuffer(t *testing.T) {
	for _, index := range []uint32{77, 0} {
		s := newSim()
		c := started(t, s, camera.GREY)
		if f := mustNext(t, c, time.Second); f.Sequence != 0 || c.held != 1 {
			t.Fatalf("the test expects buffer 0 to be out: %d", c.held)
		}
		stamp := s.stamp
		s.stamp = func(b *v4l2Buffer, at time.Duration) { stamp(b, at); b.index = index }
		c.held = 0 // as if released without the driver hearing of it
		c.slots[0].queued = false
		s.fail("QBUF", s.calls["QBUF"]+1, unix.EINVAL)
		if _, err := c.Next(time.Second); !errors.Is(err, camera.ErrGone) || !strings.Contains(err.Error(), "did not have") {
			t.Errorf("buffer %d: %v", index, err)
		}
	}
}

func TestPassingFaults(t *testing.T) {
	s := newSim()
	c := started(t, s, camera.GREY)
	mustNext(t, c, time.Second)

	s.fail("DQBUF", s.calls["DQBUF"]+2, unix.EIO) // one EIO, then frames again
	mustNext(t, c, time.Second)
	if n := c.Info().Counts; n.Flagged != 1 {
		t.Errorf("%+v", n)
	}

	s.fail("QBUF", s.calls["QBUF"]+1, unix.EINVAL) // vivid's "inject buf_prepare error"
	if err := c.Release(); err != nil {
		t.Fatalf("a buffer that is not taken back now can be later: %v", err)
	}
	if got := c.withDriver(); got != buffers-1 {
		t.Fatalf("%d with the driver", got)
	}
	mustNext(t, c, time.Second)
	c.Release()
	if got := c.withDriver(); got != buffers {
		t.Errorf("%d buffers with the driver, want all %d back", got, buffers)
	}
	if n := c.Info().Counts; n.QueueFails != 1 {
		t.Errorf("%+v", n)
	}
}

// Next hands back the frame before by itself, and Release may be called twice.
func TestForgottenAndDoubleRelease(t *testing.T) {
	s := newSim()
	c := started(t, s, camera.GREY)
	for range 3 * buffers {
		mustNext(t, c, time.Second)
	}
	for range 2 {
		if err := c.Release(); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.withDriver(); got != buffers {
		t.Errorf("%d buffers with the driver", got)
	}
}

func TestCloseWakesNext(t *testing.T) {
	s := newSim()
	c := started(t, s, camera.GREY)
	s.real = true
	got := make(chan error)
	go func() {
		_, err := c.Next(time.Minute)
		got <- err
	}()
	time.Sleep(10 * time.Millisecond) // so that Next is most likely waiting; it must return either way
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-got; !errors.Is(err, camera.ErrClosed) {
		t.Errorf("%v", err)
	}
}

// A frame that is out outlives Close; its memory goes at Release.
func TestFrameOutlivesClose(t *testing.T) {
	s := newSim()
	c := started(t, s, camera.GREY)
	f := mustNext(t, c, time.Second)
	want := slices.Clone(f.Data)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if s.mapped != 1 || !bytes.Equal(f.Data, want) {
		t.Errorf("%d buffers mapped, want the one that is out", s.mapped)
	}
	if err := c.Release(); err != nil || s.mapped != 0 {
		t.Errorf("%v, %d buffers mapped", err, s.mapped)
	}
}

func TestCaptureAllocatesNothing(t *testing.T) {
	for _, format := range []uint32{camera.YUYV, camera.MJPEG} {
		s := newSim()
		if format == camera.MJPEG {
			s.fill = fillJPEG
		}
		c := started(t, s, format)
		step := func() {
			if _, err := c.Next(time.Second); err != nil {
				t.Fatal(err)
			}
			if err := c.Release(); err != nil {
				t.Fatal(err)
			}
		}
		for range 10 {
			step()
		}
		if n := testing.AllocsPerRun(500, step); n != 0 {
			t.Errorf("%s: %v allocations a frame", camera.FormatName(format), n)
		}
	}
}

// A frame that nobody released must not keep the camera from being opened again.
func TestFrameOutDoesNotKeepTheDeviceBusy(t *testing.T) {
	s := newSim()
	h := simMachine(t, new(simListing).offer(camera.YUYV, 30, vga), s)
	first, err := h.start(Settings{})
	if err != nil {
		t.Fatal(err)
	}
	mustNext(t, first, time.Second)
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	again, err := h.start(Settings{})
	if err != nil {
		t.Fatal(err)
	}
	mustNext(t, again, time.Second)
	again.Release()
	first.Release()
	again.Close()
	if s.opened != s.closed || s.mapped != 0 {
		t.Errorf("left behind: %d nodes open, %d buffers mapped", s.opened-s.closed, s.mapped)
	}

	s.fail("REQBUFS", s.calls["REQBUFS"]+2, unix.EBUSY) // Linux before 4.20
	old, err := h.start(Settings{})
	if err != nil {
		t.Fatal(err)
	}
	mustNext(t, old, time.Second)
	if err := old.Close(); err != nil {
		t.Errorf("an older kernel's refusal is no error: %v", err)
	}
	old.Release()
}

// A thousand cameras unplugged and opened again leave nothing behind.
func TestReopenThousandTimes(t *testing.T) {
	s := newSim()
	h := simMachine(t, new(simListing).offer(camera.YUYV, 30, vga), s)
	device := filepath.Join(h.dev, "video0")
	for i := range 1000 {
		src, err := h.start(Settings{Device: device})
		if err != nil {
			t.Fatal(err)
		}
		mustNext(t, src, time.Second)
		if i%2 == 0 {
			s.gone = true
			if _, err := src.Next(time.Second); !errors.Is(err, camera.ErrGone) {
				t.Fatal(err)
			}
			if err := src.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := h.start(Settings{Device: device}); !errors.Is(err, camera.ErrNotFound) {
				t.Fatal(err)
			}
			s.gone = false
		} else if err := src.Close(); err != nil {
			t.Fatal(err)
		}
		if i%2 == 1 {
			src.Release() // the frame was out when it was closed
		}
	}
	if s.opened != s.closed || s.mapped != 0 {
		t.Errorf("left behind: %d nodes open, %d buffers mapped", s.opened-s.closed, s.mapped)
	}
}
