package v4l2

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mien/drivers/camera"
	"mien/drivers/camera/cameratest"
)

func mustNext(t testing.TB, s camera.Source, timeout time.Duration) *camera.Frame {
	t.Helper()
	f, err := s.Next(timeout)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Every raw format, at sizes and strides that differ, comes through byte by
// byte with the driver's size, stride, number and time.
func TestFramesAreTheDrivers(t *testing.T) {
	for _, format := range []uint32{camera.GREY, camera.YUYV, camera.UYVY, camera.NV12, camera.YUV420, camera.RGB24} {
		for _, size := range []pixels{{640, 480}, {322, 241}, {16, 2}} {
			for _, pad := range []int{0, 2, 64} {
				name := fmt.Sprintf("%s %dx%d+%d", camera.FormatName(format), size.Width, size.Height, pad)
				s := newSim()
				h := simMachine(t, new(simListing).offer(format, 30, size), s)
				least, _ := camera.PlaneSize(format, size.Width, size.Height, 0)
				src, err := h.start(Settings{Width: size.Width, Height: size.Height, Stride: least + pad})
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				for k := range 6 {
					f := mustNext(t, src, time.Second)
					if f.Format != format || f.Width != size.Width || f.Height != size.Height || f.Stride != least+pad {
						t.Fatalf("%s: frame says %s %dx%d stride %d", name, camera.FormatName(f.Format), f.Width, f.Height, f.Stride)
					}
					_, n := camera.PlaneSize(format, size.Width, size.Height, least+pad)
					want := make([]byte, n)
					s.fill(f.Sequence, want)
					if !bytes.Equal(f.Data, want) {
						t.Fatalf("%s: frame %d differs from what the driver wrote", name, k)
					}
					if f.Sequence != uint32(k) || f.Lost != 0 || f.Time != s.clock() {
						t.Fatalf("%s: frame %d: sequence %d, lost %d, time %v at %v", name, k, f.Sequence, f.Lost, f.Time, s.clock())
					}
					if err := src.Release(); err != nil {
						t.Fatal(err)
					}
				}
				if i := src.Info(); !i.Stamped || !i.Live || i.Counts != (camera.Counts{Frames: 6}) || len(i.Warnings) != 0 {
					t.Fatalf("%s: %+v", name, i)
				}
				if err := src.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func TestNewestFrameOnly(t *testing.T) {
	s := newSim()
	c := started(t, s, camera.GREY)
	first := mustNext(t, c, time.Second).Sequence
	s.sleep(2*s.period + s.period/2) // two more are ready, one buffer is still with the driver
	f := mustNext(t, c, time.Second)
	if f.Sequence != first+2 || f.Lost != 1 {
		t.Fatalf("frame %d with %d lost; want the newest, %d, with 1 lost", f.Sequence, f.Lost, first+2)
	}
	if want := s.clock() - s.period/2; f.Time != want {
		t.Errorf("time %v, want %v", f.Time, want)
	}
	if got := c.withDriver(); got != buffers-1 {
		t.Errorf("%d buffers with the driver while one is out, want %d", got, buffers-1)
	}
	if n := c.Info().Counts; n.PassedOver != 1 || n.Lost != 1 {
		t.Errorf("%+v", n)
	}
}

// A slow reader must not get the frame that filled the last buffer long ago.
func TestSlowReaderGetsAFreshFrame(t *testing.T) {
	for _, grant := range []uint32{2, 4, 8} {
		s := newSim()
		s.least, s.most = grant, grant
		c := started(t, s, camera.GREY)
		last := mustNext(t, c, time.Second).Sequence
		for range 20 {
			s.sleep(20*s.period + s.period/3)
			f := mustNext(t, c, time.Second)
			if age := s.clock() - f.Time; age > s.period {
				t.Fatalf("%d buffers: the frame is %v old", grant, age)
			}
			if f.Lost != f.Sequence-last-1 || f.Lost < 19 {
				t.Fatalf("%d buffers: %d lost between frames %d and %d", grant, f.Lost, last, f.Sequence)
			}
			last = f.Sequence
		}
	}
}

func TestLostFrames(t *testing.T) {
	s := newSim()
	c := started(t, s, camera.GREY)
	s.seq = 1<<32 - 3
	steps := []struct{ jump, lost uint32 }{{0, 0}, {0, 0}, {2, 2}, {0, 0}, {7, 7}} // wraps on the way
	for i, step := range steps {
		s.seq += step.jump
		f := mustNext(t, c, time.Second)
		if f.Lost != step.lost {
			t.Errorf("step %d: %d lost at sequence %d, want %d", i, f.Lost, f.Sequence, step.lost)
		}
	}
	s.seq = 5 // the driver begins again
	if f := mustNext(t, c, time.Second); f.Sequence != 5 || f.Lost != 0 {
		t.Errorf("after a restart of the count: sequence %d, lost %d", f.Sequence, f.Lost)
	}
	if got := c.Info().Counts.Lost; got != 9 {
		t.Errorf("%d lost in all, want 9", got)
	}
}

// A driver that leaves the sequence at 0 is counted for.
func TestDriverWithoutSequence(t *testing.T) {
	s := newSim()
	c := started(t, s, camera.GREY)
	stamp := s.stamp
	s.stamp = func(b *v4l2Buffer, at time.Duration) { stamp(b, at); b.sequence = 0 }
	for want := range uint32(4) {
		if f := mustNext(t, c, time.Second); f.Sequence != want || f.Lost != 0 {
			t.Fatalf("sequence %d, lost %d; want %d, 0", f.Sequence, f.Lost, want)
		}
	}
	s.sleep(2*s.period + s.period/2)
	if f := mustNext(t, c, time.Second); f.Sequence != 5 || f.Lost != 1 {
		t.Errorf("sequence %d, lost %d; want 5, 1", f.Sequence, f.Lost)
	}
}

func TestDamagedFramesAreSkipped(t *testing.T) {
	for _, test := range []struct {
		name   string
		format uint32
		spoil  func(s *simDriver, bad func(seq uint32) bool)
		count  func(camera.Counts) uint64
	}{
		{"error flag", camera.YUYV, func(s *simDriver, bad func(uint32) bool) {
			stamp := s.stamp
			s.stamp = func(b *v4l2Buffer, at time.Duration) {
				if stamp(b, at); bad(b.sequence) {
					b.flags |= bufFlagError
				}
			}
		}, func(c camera.Counts) uint64 { return c.Flagged }},
		{"error flag and empty", camera.MJPEG, func(s *simDriver, bad func(uint32) bool) {
			stamp := s.stamp
			s.stamp = func(b *v4l2Buffer, at time.Duration) {
				if stamp(b, at); bad(b.sequence) {
					b.flags |= bufFlagError
					b.bytesUsed = 0
				}
			}
		}, func(c camera.Counts) uint64 { return c.Flagged }},
		{"short", camera.NV12, func(s *simDriver, bad func(uint32) bool) {
			fill := s.fill
			s.fill = func(seq uint32, buf []byte) int {
				if n := fill(seq, buf); !bad(seq) {
					return n
				}
				return len(buf) - 1
			}
		}, func(c camera.Counts) uint64 { return c.Short }},
		{"empty", camera.GREY, func(s *simDriver, bad func(uint32) bool) {
			fill := s.fill
			s.fill = func(seq uint32, buf []byte) int {
				if n := fill(seq, buf); !bad(seq) {
					return n
				}
				return 0
			}
		}, func(c camera.Counts) uint64 { return c.Short }},
		{"JPEG without end", camera.MJPEG, func(s *simDriver, bad func(uint32) bool) {
			fill := s.fill
			s.fill = func(seq uint32, buf []byte) int {
				if n := fill(seq, buf); !bad(seq) {
					return n
				}
				return len(testJPEG) - 40
			}
		}, func(c camera.Counts) uint64 { return c.Corrupt }},
		{"JPEG without start", camera.MJPEG, func(s *simDriver, bad func(uint32) bool) {
			fill := s.fill
			s.fill = func(seq uint32, buf []byte) int {
				n := fill(seq, buf)
				if bad(seq) {
					buf[0] = 0
				}
				return n
			}
		}, func(c camera.Counts) uint64 { return c.Corrupt }},
		{"JPEG of another size", camera.MJPEG, func(s *simDriver, bad func(uint32) bool) {
			fill := s.fill
			s.fill = func(seq uint32, buf []byte) int {
				if !bad(seq) {
					return fill(seq, buf)
				}
				return copy(buf, cameratest.JPEG(32, 24))
			}
		}, func(c camera.Counts) uint64 { return c.WrongSize }},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSim()
			if test.format == camera.MJPEG {
				s.fill = fillJPEG
			}
			test.spoil(s, func(seq uint32) bool { return seq%5 == 3 || seq%5 == 4 })
			c := started(t, s, test.format)
			for want := range uint32(50) {
				if want%5 >= 3 {
					continue
				}
				f := mustNext(t, c, time.Second)
				lost := uint32(0)
				if want%5 == 0 && want > 0 {
					lost = 2
				}
				if f.Sequence != want || f.Lost != lost {
					t.Fatalf("sequence %d, lost %d; want %d, %d", f.Sequence, f.Lost, want, lost)
				}
				if test.format == camera.MJPEG && !bytes.Equal(f.Data, testJPEG) {
					t.Fatal("the JPEG differs from what the driver wrote, or carries its padding")
				}
			}
			if got := test.count(c.Info().Counts); got != 18 { // frames 48 and 49 never came up
				t.Errorf("%d counted, want 18: %+v", got, c.Info().Counts)
			}
		})
	}
}

// Only damaged frames: the timeout says so, and the buffers all go back.
func TestNothingButDamage(t *testing.T) {
	s := newSim()
	s.fill = func(seq uint32, buf []byte) int { return 10 }
	c := started(t, s, camera.YUYV)
	_, err := c.Next(time.Second)
	if !errors.Is(err, camera.ErrTimeout) || !strings.Contains(err.Error(), "damaged") {
		t.Fatal(err)
	}
	if n := c.Info().Counts; n.Short != 30 || c.withDriver() != buffers {
		t.Errorf("%+v, %d buffers with the driver", n, c.withDriver())
	}
	s.fill = newSim().fill
	if f := mustNext(t, c, time.Second); f.Lost != 30 {
		t.Errorf("%d lost, want 30", f.Lost)
	}
}

// A camera whose JPEGs are all of another size than its driver says is believed.
func TestCameraOfAnotherSize(t *testing.T) {
	s := newSim()
	s.fill = func(seq uint32, buf []byte) int { return copy(buf, cameratest.JPEG(72, 48)) }
	c := started(t, s, camera.MJPEG)
	f := mustNext(t, c, time.Second)
	if f.Width != 72 || f.Height != 48 || f.Lost != maxOdd-1 {
		t.Errorf("%dx%d, %d lost", f.Width, f.Height, f.Lost)
	}
	i := c.Info()
	if i.Width != 72 || len(i.Warnings) != 1 || i.Counts.WrongSize != maxOdd-1 {
		t.Errorf("%+v", i)
	}
	if f = mustNext(t, c, time.Second); f.Lost != 0 {
		t.Errorf("%d lost after the size was accepted", f.Lost)
	}
}

func TestTimestamps(t *testing.T) {
	s := newSim()
	c := started(t, s, camera.GREY)
	kind := func(flag uint32, off time.Duration) {
		s.stamp = func(b *v4l2Buffer, at time.Duration) {
			at += off
			b.flags |= flag
			b.sec, b.usec = int64(at/time.Second), int64(at%time.Second/time.Microsecond)
		}
	}
	for _, test := range []struct {
		name    string
		flag    uint32
		off     time.Duration
		stamped bool
	}{
		{"start of exposure", bufFlagTimestampMono, -20 * time.Millisecond, true},
		{"years from now, and left to the caller", bufFlagTimestampMono, 1.7e9 * time.Second, true},
		{"ten seconds old, and left to the caller", bufFlagTimestampMono, -10 * time.Second, true},
		{"no stamp", bufFlagTimestampMono, -1000 * time.Hour, false},
		{"unknown clock", 0, 0, false},
		{"copied from a producer on this clock", bufFlagTimestampCopied, -50 * time.Millisecond, true},
		{"copied from it later on, and kept back", bufFlagTimestampCopied, -10 * time.Second, true},
	} {
		kind(test.flag, test.off)
		s.sleep(s.period * 3) // the frame before was stamped by the former rule
		f := mustNext(t, c, time.Second)
		f = mustNext(t, c, time.Second)
		want := s.clock()
		if test.stamped {
			want += test.off
		}
		if f.Time != want || c.Info().Stamped != test.stamped {
			t.Errorf("%s: time %v at %v, stamped %v", test.name, f.Time, s.clock(), c.Info().Stamped)
		}
	}
	s = newSim()
	c = started(t, s, camera.GREY)
	kind(bufFlagTimestampCopied, -500*time.Second)
	for range 3 {
		if f := mustNext(t, c, time.Second); f.Time != s.clock() || c.Info().Stamped {
			t.Errorf("copied from a producer on another clock: time %v at %v, stamped %v", f.Time, s.clock(), c.Info().Stamped)
		}
	}
}

// A count that no camera can have reached is not believed.
func TestSequenceThatLeaps(t *testing.T) {
	s := newSim()
	c := started(t, s, camera.GREY)
	mustNext(t, c, time.Second)
	for _, leap := range []uint32{1 << 20, 1 << 30, 1<<32 - 100} {
		s.seq += leap
		if f := mustNext(t, c, time.Second); f.Lost != 0 {
			t.Errorf("%d frames lost in %v", f.Lost, s.period)
		}
	}
	s.seq += 30 // 30 frames in one period are many, and possible
	if f := mustNext(t, c, time.Second); f.Lost != 30 {
		t.Errorf("%d frames lost, want 30", f.Lost)
	}
}

func TestTimeout(t *testing.T) {
	s := newSim()
	c := started(t, s, camera.GREY)
	s.silent = true
	from := s.clock()
	if _, err := c.Next(400 * time.Millisecond); !errors.Is(err, camera.ErrTimeout) {
		t.Fatal(err)
	}
	if waited := s.clock() - from; waited != 400*time.Millisecond {
		t.Errorf("waited %v", waited)
	}
	for _, d := range []time.Duration{0, -time.Second} {
		if _, err := c.Next(d); !errors.Is(err, camera.ErrTimeout) {
			t.Fatal(err)
		}
	}
	s.silent = false
	s.sleep(s.period * 3 / 2)
	mustNext(t, c, 0) // one look finds what is there
}

// A camera whose pictures carry an EXIF orientation says so, once.
func TestOrientationIsNamed(t *testing.T) {
	s := newSim()
	exif := append([]byte{0xff, 0xe1, 0, 34}, "Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"...)
	turned := slices.Concat(testJPEG[:2], exif, testJPEG[2:])
	s.fill = func(seq uint32, buf []byte) int { return copy(buf, turned) }
	c := started(t, s, camera.MJPEG)
	for range 3 {
		mustNext(t, c, time.Second)
	}
	w := strings.Join(c.Info().Warnings, "\n")
	if strings.Count(w, "EXIF") != 1 || !strings.Contains(w, "set camera.rotate = 90") {
		t.Errorf("%q", w)
	}
}
