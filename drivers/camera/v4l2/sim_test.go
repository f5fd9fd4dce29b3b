package v4l2

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"

	"mien/drivers/camera"
)

// simDriver behaves like a capture driver on videobuf2: buffers are filled in
// the order they were queued, one each period; when none is queued the frame is
// lost but its number is used. Its clock moves only in wait and sleep, so that
// tests are exact and take no time.
type simDriver struct {
	mu     sync.Mutex
	now    time.Duration
	period time.Duration
	next   time.Duration // when the next frame is complete
	seq    uint32

	cap     v4l2Capability
	adjust  func(*v4l2PixFormat) // what S_FMT changes
	setRate func(*v4l2StreamParm)
	least   uint32                                // buffers granted at least
	most    uint32                                // and at most; 0: as many as asked for
	fill    func(seq uint32, buf []byte) int      // draws a frame, returns bytesused
	stamp   func(b *v4l2Buffer, at time.Duration) // flags and timestamp
	fails   map[string]map[int]error              // errors of the n-th call of a kind, from 1
	calls   map[string]int

	gone   bool // unplugged
	broken bool // vb2_queue_error: POLLERR, DQBUF gives EIO
	silent bool
	real   bool // wait blocks until wake instead of moving the clock

	// State of the one open stream.
	format    v4l2PixFormat
	bufs      [][]byte
	queued    []int
	done      []v4l2Buffer
	streaming bool

	opened, closed, mapped int
}

func newSim() *simDriver {
	s := &simDriver{now: 1000 * time.Second, period: 33 * time.Millisecond, fails: map[string]map[int]error{}, calls: map[string]int{}}
	copy(s.cap.driver[:], "simvideo")
	copy(s.cap.card[:], "Simulated Camera")
	copy(s.cap.busInfo[:], "usb-sim-1")
	s.cap.capabilities = capDeviceCaps | capVideoCapture | capMetaCapture | capStreaming
	s.cap.deviceCaps = capVideoCapture | capStreaming
	s.fill = func(seq uint32, buf []byte) int {
		for i := range buf {
			buf[i] = byte(seq) + byte(i*7)
		}
		return len(buf)
	}
	s.stamp = func(b *v4l2Buffer, at time.Duration) {
		b.flags |= bufFlagTimestampMono
		b.sec, b.usec = int64(at/time.Second), int64(at%time.Second/time.Microsecond)
	}
	return s
}

// fail makes the n-th call of a kind fail.
func (s *simDriver) fail(call string, n int, err error) {
	if s.fails[call] == nil {
		s.fails[call] = map[int]error{}
	}
	s.fails[call][n] = err
}

func (s *simDriver) called(call string) error {
	s.calls[call]++
	return s.fails[call][s.calls[call]]
}

// sleep lets the driver run on.
func (s *simDriver) sleep(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run(s.now + d)
}

func (s *simDriver) clock() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *simDriver) run(to time.Duration) {
	for s.streaming && !s.gone && !s.broken && s.next <= to {
		s.now = s.next
		if !s.silent {
			if len(s.queued) > 0 {
				i := s.queued[0]
				s.queued = append(s.queued[:0], s.queued[1:]...)
				s.done = append(s.done, v4l2Buffer{index: uint32(i), typ: bufTypeVideoCapture, memory: memoryMmap, sequence: s.seq})
				b := &s.done[len(s.done)-1]
				b.bytesUsed = uint32(s.fill(s.seq, s.bufs[i][:s.format.sizeImage]))
				s.stamp(b, s.now)
			}
			s.seq++
		}
		s.next += s.period
	}
	s.now = max(s.now, to)
}

type simNode struct {
	s    *simDriver
	once sync.Once
	wok  chan struct{}
}

func (s *simDriver) open() (node, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.called("open"); err != nil {
		return nil, err
	}
	if s.gone {
		return nil, unix.ENODEV
	}
	s.opened++
	return &simNode{s: s, wok: make(chan struct{})}, nil
}

func (n *simNode) ioctl(req uintptr, arg unsafe.Pointer) error {
	s := n.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return unix.ENODEV
	}
	switch req {
	case vidiocQueryCap:
		if err := s.called("QUERYCAP"); err != nil {
			return err
		}
		*(*v4l2Capability)(arg) = s.cap
	case vidiocSFmt:
		if err := s.called("S_FMT"); err != nil {
			return err
		}
		if s.mapped > 0 && s.bufs != nil {
			return unix.EBUSY // as a real driver: a map keeps the file open, and its buffers
		}
		p := &(*v4l2Format)(arg).pix
		least, _ := camera.PlaneSize(p.pixelFormat, int(p.width), int(p.height), 0)
		p.bytesPerLine = max(p.bytesPerLine, uint32(least))
		_, size := camera.PlaneSize(p.pixelFormat, int(p.width), int(p.height), int(p.bytesPerLine))
		p.sizeImage = uint32(size)
		if size == 0 {
			p.bytesPerLine, p.sizeImage = 0, p.width*p.height
		}
		p.field = fieldNone
		if s.adjust != nil {
			s.adjust(p)
		}
		s.format = *p
	case vidiocSParm:
		if err := s.called("S_PARM"); err != nil {
			return err
		}
		p := (*v4l2StreamParm)(arg)
		p.capability = parmTimePerFrame
		if s.setRate != nil {
			s.setRate(p)
		}
	case vidiocReqBufs:
		if err := s.called("REQBUFS"); err != nil {
			return err
		}
		r := (*v4l2RequestBuffers)(arg)
		if r.count == 0 {
			s.bufs, s.queued, s.done = nil, nil, nil // still mapped ones are orphaned
			break
		}
		r.count = max(r.count, s.least)
		if s.most > 0 {
			r.count = min(r.count, s.most)
		}
		s.bufs, s.queued, s.done = nil, nil, nil
		for range r.count {
			s.bufs = append(s.bufs, make([]byte, (s.format.sizeImage+4095)&^4095))
		}
	case vidiocStreamOn:
		if err := s.called("STREAMON"); err != nil {
			return err
		}
		s.streaming, s.next = true, s.now+s.period
	case vidiocStreamOff:
		if err := s.called("STREAMOFF"); err != nil {
			return err
		}
		s.streaming, s.broken, s.queued, s.done = false, false, nil, nil
	default:
		return unix.ENOTTY
	}
	return nil
}

func (n *simNode) buffer(req uintptr, b *v4l2Buffer) error {
	s := n.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return unix.ENODEV
	}
	if b.typ != bufTypeVideoCapture || b.memory != memoryMmap {
		return unix.EINVAL
	}
	switch req {
	case vidiocQueryBuf:
		if err := s.called("QUERYBUF"); err != nil {
			return err
		}
		b.length, b.offset = uint32(len(s.bufs[b.index])), b.index*1<<20
	case vidiocQBuf:
		if err := s.called("QBUF"); err != nil {
			return err
		}
		for _, q := range s.queued {
			if q == int(b.index) {
				return unix.EINVAL // already queued
			}
		}
		s.queued = append(s.queued, int(b.index))
	case vidiocDQBuf:
		if err := s.called("DQBUF"); err != nil {
			return err
		}
		s.run(s.now)
		switch {
		case s.broken:
			return unix.EIO
		case !s.streaming:
			return unix.EINVAL
		case len(s.done) == 0:
			return unix.EAGAIN
		}
		*b = s.done[0]
		s.done = append(s.done[:0], s.done[1:]...)
	default:
		return unix.ENOTTY
	}
	return nil
}

func (n *simNode) mmap(offset int64, length int) ([]byte, error) {
	s := n.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.called("mmap"); err != nil {
		return nil, err
	}
	s.mapped++
	return s.bufs[offset>>20][:length], nil
}

func (n *simNode) munmap(b []byte) error {
	n.s.mu.Lock()
	defer n.s.mu.Unlock()
	n.s.mapped--
	return n.s.called("munmap")
}

func (n *simNode) wait(timeout time.Duration) (int16, bool, error) {
	s := n.s
	if s.real {
		select {
		case <-n.wok:
			return 0, true, nil
		case <-time.After(timeout):
			return 0, false, nil
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.called("poll"); err != nil {
		return 0, false, err
	}
	select {
	case <-n.wok:
		return 0, true, nil
	default:
	}
	end := s.now + timeout
	for {
		switch {
		case s.gone:
			return unix.POLLERR | unix.POLLHUP, false, nil
		case s.broken, !s.streaming:
			return unix.POLLERR, false, nil
		case len(s.done) > 0 || s.fails["DQBUF"][s.calls["DQBUF"]+1] != nil:
			return unix.POLLIN, false, nil
		case s.next > end:
			s.run(end)
			return 0, false, nil
		}
		s.run(s.next)
	}
}

func (n *simNode) wake() { n.once.Do(func() { close(n.wok) }) }

func (n *simNode) close() error {
	n.s.mu.Lock()
	defer n.s.mu.Unlock()
	n.s.closed++
	return n.s.called("close")
}

// simWebcam stands where *webcam.Webcam does.
type simWebcam struct {
	formats  map[webcam.PixelFormat]string
	sizes    map[webcam.PixelFormat][]webcam.FrameSize
	rates    map[[3]uint32][]webcam.FrameRate // format, width, height
	controls map[webcam.ControlID]webcam.Control
	values   map[webcam.ControlID]int32
	set      []string
	setErr   error
	open     int
}

func (w *simWebcam) GetSupportedFormats() map[webcam.PixelFormat]string { return w.formats }
func (w *simWebcam) GetSupportedFrameSizes(f webcam.PixelFormat) []webcam.FrameSize {
	return w.sizes[f]
}
func (w *simWebcam) GetSupportedFramerates(f webcam.PixelFormat, width, height uint32) []webcam.FrameRate {
	return w.rates[[3]uint32{uint32(f), width, height}]
}
func (w *simWebcam) GetControls() map[webcam.ControlID]webcam.Control { return w.controls }
func (w *simWebcam) GetControl(id webcam.ControlID) (int32, error) {
	v, ok := w.values[id]
	if !ok {
		return 0, unix.EACCES
	}
	return v, nil
}
func (w *simWebcam) SetControl(id webcam.ControlID, v int32) error {
	if w.setErr != nil {
		return w.setErr
	}
	w.set = append(w.set, fmt.Sprintf("%s=%d", w.controls[id].Name, v))
	w.values[id] = v
	return nil
}
func (w *simWebcam) Close() error { w.open--; return nil }

// offer adds a format with discrete sizes, each "at" frames/s.
func (w *simWebcam) offer(fourcc uint32, at uint32, sizes ...pixels) *simWebcam {
	if w.formats == nil {
		w.formats, w.sizes, w.rates = map[webcam.PixelFormat]string{}, map[webcam.PixelFormat][]webcam.FrameSize{}, map[[3]uint32][]webcam.FrameRate{}
	}
	f := webcam.PixelFormat(fourcc)
	w.formats[f] = camera.FormatName(fourcc)
	for _, s := range sizes {
		x, y := uint32(s.Width), uint32(s.Height)
		w.sizes[f] = append(w.sizes[f], webcam.FrameSize{MinWidth: x, MaxWidth: x, MinHeight: y, MaxHeight: y})
		w.rates[[3]uint32{fourcc, x, y}] = []webcam.FrameRate{{MinNumerator: 1, MaxNumerator: 1, MinDenominator: at, MaxDenominator: at}}
	}
	return w
}

// simMachine is a host with nodes video0, video1, … of the given drivers; all
// share one webcam listing unless more are given.
func simMachine(t testing.TB, w *simWebcam, drivers ...*simDriver) *host {
	t.Helper()
	dev := t.TempDir()
	byPath := map[string]*simDriver{}
	for i, d := range drivers {
		path := filepath.Join(dev, fmt.Sprintf("video%d", i))
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		byPath[path] = d
	}
	at := func(path string) *simDriver { return byPath[realPath(path)] }
	return &host{dev: dev, proc: filepath.Join(dev, "proc"), sys: filepath.Join(dev, "sys"),
		open: func(path string) (node, error) { return at(path).open() },
		webcam: func(path string) (enumerator, error) {
			if err := at(path).called("webcam"); err != nil {
				return nil, err
			}
			w.open++
			return w, nil
		},
		now: func() time.Duration { return drivers[0].clock() },
	}
}

var vga = pixels{640, 480}

// started opens the simulated camera with one format at 64x48.
func started(t testing.TB, s *simDriver, format uint32) *capture {
	t.Helper()
	small := pixels{64, 48}
	h := simMachine(t, new(simWebcam).offer(format, 30, small), s)
	src, err := h.start(Settings{Device: filepath.Join(h.dev, "video0"), Width: small.Width, Height: small.Height})
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
	return src.(*capture)
}
