package v4l2

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mien/drivers/camera"
)

// multiplanar is a driver that has only the multi-planar interface, with a format in
// so many pieces of memory.
func multiplanar(pieces int) *simDriver {
	s := newSim()
	s.cap.deviceCaps = capVideoCaptureMplane | capStreaming
	s.apart = pieces
	s.fill = func(seq uint32, buf []byte) int { // each sample tells its plane and place
		for i := range buf {
			buf[i] = byte(seq) + byte(i*7)
		}
		return len(buf)
	}
	return s
}

func startApart(t *testing.T, s *simDriver, fourcc uint32) (camera.Source, *host) {
	t.Helper()
	h := simMachine(t, new(simListing).offer(fourcc, 30, pixels{64, 48}), s)
	src, err := h.start(Settings{Device: filepath.Join(h.dev, "video0"), Width: 64, Height: 48})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		src.Close()
		src.Release()
		if s.opened != s.closed || s.mapped != 0 {
			t.Errorf("left behind: %d nodes open, %d buffers mapped", s.opened-s.closed, s.mapped)
		}
	})
	return src, h
}

// The picture's samples are the driver's, plane by plane, whether they lie in one piece
// of memory or apart, in rows of other strides.
func TestMultiplanar(t *testing.T) {
	for _, c := range []struct {
		fourcc, given uint32
		pieces        int
		chroma        int // rows of chroma
		strides       [3]int
	}{
		{camera.NV12, camera.NV12, 1, 24, [3]int{80}}, {camera.YUV420, camera.YUV420, 1, 24, [3]int{80}}, {camera.GREY, camera.GREY, 1, 0, [3]int{80}},
		{fourccNV12M, camera.NV12, 2, 24, [3]int{80, 80}}, {fourccYUV420M, camera.YUV420, 3, 24, [3]int{80, 56, 56}}, {fourccYUV422M, camera.YUV422P, 3, 48, [3]int{80, 40, 40}},
	} {
		t.Run(camera.FormatName(c.fourcc), func(t *testing.T) {
			s := multiplanar(c.pieces)
			src, _ := startApart(t, s, c.fourcc)
			i := src.Info()
			if i.Format != c.given || i.Width != 64 || i.Height != 48 || i.Stride != 80 {
				t.Fatalf("%+v", i)
			}
			for range 20 {
				f := mustNext(t, src, time.Second)
				if _, size := camera.PlaneSize(f.Format, f.Width, f.Height, f.Stride); len(f.Data) != size {
					t.Fatalf("%d bytes, want %d", len(f.Data), size)
				}
				rows, at := 48, 0
				for p := range c.pieces {
					stride, width := 80, 64
					if p > 0 && c.given != camera.NV12 {
						stride, width = 40, 32
					}
					if p > 0 {
						rows = c.chroma
					}
					for y := range rows {
						for x := range width {
							if got, want := f.Data[at+y*stride+x], byte(f.Sequence+uint32(100*p))+byte((y*c.strides[p]+x)*7); got != want {
								t.Fatalf("frame %d, plane %d, row %d, sample %d: %d, want %d", f.Sequence, p, y, x, got, want)
							}
						}
					}
					at += rows * stride
				}
				src.Release()
			}
		})
	}
	s := multiplanar(1)
	s.fill = fillJPEG
	src, _ := startApart(t, s, camera.MJPEG)
	if f := mustNext(t, src, time.Second); f.Format != camera.MJPEG {
		t.Errorf("%+v", f)
	}
}

func TestMultiplanarTrouble(t *testing.T) {
	// A plane that came short is no picture.
	s := multiplanar(2)
	whole := s.fill
	s.fill = func(seq uint32, buf []byte) int {
		if n := whole(seq, buf); len(buf) < 80*48 && seq < 110 { // of the second plane
			return n / 2
		} else {
			return n
		}
	}
	src, h := startApart(t, s, fourccNV12M)
	if f := mustNext(t, src, time.Second); f.Lost < 5 || src.Info().Counts.Short < 5 {
		t.Errorf("%+v, %+v", f.Sequence, src.Info().Counts)
	}
	if a := testing.AllocsPerRun(50, func() { src.Next(time.Second); src.Release() }); a != 0 {
		t.Errorf("%v allocations a frame", a)
	}
	// The one in one piece of memory is taken first.
	list, err := h.list()
	if err != nil || list[0].Problem != nil {
		t.Fatalf("%v %+v", err, list)
	}
	best, err := choose([]Format{{FourCC: fourccNV12M, Usable: true}, {FourCC: camera.NV12, Usable: true}}, Settings{Width: 64, Height: 48, FPS: 30}, 0)
	if err != nil || best.fourcc != camera.NV12 {
		t.Errorf("%+v %v", best, err)
	}
	// It goes and comes.
	s.gone = true
	if _, err := src.Next(time.Second); !errors.Is(err, camera.ErrGone) {
		t.Error(err)
	}
	for call, n := range map[string]int{"mmap": 3, "QUERYBUF": 2, "QBUF": 2, "STREAMON": 1} {
		s := multiplanar(2)
		s.fail(call, n, unix.ENOMEM)
		h := simMachine(t, new(simListing).offer(fourccNV12M, 30, pixels{64, 48}), s)
		if _, err := h.start(Settings{Width: 64, Height: 48}); !errors.Is(err, unix.ENOMEM) || s.opened != s.closed || s.mapped != 0 {
			t.Errorf("%s: %v; %d open, %d mapped", call, err, s.opened-s.closed, s.mapped)
		}
	}
	// A driver that says another number of pieces.
	s = multiplanar(1)
	h = simMachine(t, new(simListing).offer(fourccNV12M, 30, pixels{64, 48}), s)
	if _, err := h.start(Settings{Device: "video0"}); !errors.Is(err, camera.ErrUnsupported) || !strings.Contains(fmt.Sprint(err), "in 1 pieces of memory, not 2") {
		t.Error(err)
	}
}

// Ranges of sizes and rates, as vivid and camera pipelines have them.
func TestRangesAreListed(t *testing.T) {
	w := new(simListing).offer(camera.NV12, 30)
	w.sizes[camera.NV12] = []v4l2FrmSizeEnum{{typ: frmStepwise, minWidth: 16, maxWidth: 1920, stepWidth: 2, minHeight: 16, maxHeight: 1080, stepHeight: 2}}
	w.rates[[3]uint32{camera.NV12, 640, 480}] = []v4l2FrmIvalEnum{{typ: frmContinuous, min: v4l2Fract{1, 60}, max: v4l2Fract{1, 5}}}
	h := simMachine(t, w, newSim())
	list, err := h.list()
	if err != nil {
		t.Fatal(err)
	}
	got := list[0].Formats[0].Sizes
	if fmt.Sprint(got) != "[{16 16 1920 1080 2 2 [60 5]}]" {
		t.Errorf("%v", got)
	}
	src, err := h.start(Settings{Width: 641, Height: 480})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if i := src.Info(); i.Width != 640 && i.Width != 642 || i.Height != 480 {
		t.Errorf("%+v", i)
	}
}
