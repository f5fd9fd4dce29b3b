package v4l2

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
	"unsafe"

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

	list  *simListing // what it says that it has
	apart int         // pieces of memory of a picture on a multi-planar node; 0: the node is single-planar

	gone   bool // unplugged
	broken bool // vb2_queue_error: POLLERR, DQBUF gives EIO
	silent bool
	real   bool // wait blocks until wake instead of moving the clock

	// State of the one open stream.
	format    v4l2PixFormat
	strides   [maxPlanes]uint32 // of each piece of memory
	lengths   [maxPlanes]uint32
	bufs      [][][]byte // of each buffer, its pieces of memory
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
				if s.apart == 0 {
					b.bytesUsed = uint32(s.fill(s.seq, s.bufs[i][0][:s.format.sizeImage]))
				} else {
					b.typ = bufTypeVideoCaptureMplane
					for p := range s.apart { // each plane is a picture of its own to fill
						b.bytesUsed = uint32(s.fill(s.seq+uint32(100*p), s.bufs[i][p][:s.lengths[p]]))
					}
				}
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
		if s.apart > 0 {
			return s.setFormatApart((*v4l2Format)(arg))
		}
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
			pieces := [][]byte{make([]byte, (s.format.sizeImage+4095)&^4095)}
			if s.apart > 0 {
				pieces = nil
				for p := range s.apart {
					pieces = append(pieces, make([]byte, (s.lengths[p]+4095)&^4095))
				}
			}
			s.bufs = append(s.bufs, pieces)
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
		if s.list == nil {
			return unix.ENOTTY
		}
		return s.list.ioctl(s, req, arg)
	}
	return nil
}

// setFormatApart is S_FMT of a multi-planar node: the format's planes in s.apart
// pieces of memory, with rows that are padded.
func (s *simDriver) setFormatApart(f *v4l2Format) error {
	m := f.mplane()
	if f.typ != bufTypeVideoCaptureMplane {
		return unix.EINVAL
	}
	m.field, m.planes = fieldNone, uint8(s.apart)
	w, h := m.width, m.height
	s.strides, s.lengths = [maxPlanes]uint32{w + 16, w + 16, w + 16}, [maxPlanes]uint32{(w + 16) * h}
	switch m.pixelFormat {
	case fourccNV12M:
		s.lengths[1] = s.strides[1] * (h + 1) / 2
	case fourccYUV420M:
		s.strides[1], s.strides[2] = w/2+24, w/2+24
		s.lengths[1], s.lengths[2] = s.strides[1]*(h+1)/2, s.strides[2]*(h+1)/2
	case fourccYUV422M:
		s.strides[1], s.strides[2] = w/2+8, w/2+8
		s.lengths[1], s.lengths[2] = s.strides[1]*h, s.strides[2]*h
	default:
		_, size := camera.PlaneSize(m.pixelFormat, int(w), int(h), int(s.strides[0]))
		s.lengths[0] = uint32(size)
		if size == 0 {
			s.strides[0], s.lengths[0] = 0, w*h
		}
	}
	for p := range s.apart {
		m.plane[p].bytesPerLine, m.plane[p].sizeImage = s.strides[p], s.lengths[p]
	}
	s.format = v4l2PixFormat{width: w, height: h, pixelFormat: m.pixelFormat, sizeImage: s.lengths[0]}
	return nil
}

func (n *simNode) buffer(req uintptr, b *v4l2Buffer) error {
	s := n.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return unix.ENODEV
	}
	want := uint32(bufTypeVideoCapture)
	if s.apart > 0 {
		want = bufTypeVideoCaptureMplane
	}
	if b.typ != want || b.memory != memoryMmap || s.apart > 0 && int(b.length) != s.apart {
		return unix.EINVAL
	}
	switch req {
	case vidiocQueryBuf:
		if err := s.called("QUERYBUF"); err != nil {
			return err
		}
		if s.apart > 0 {
			for p, piece := range s.bufs[b.index] {
				b.planes()[p] = v4l2Plane{length: uint32(len(piece)), offset: uintptr(b.index*1<<20 + uint32(p)<<18)}
			}
			break
		}
		b.length, b.offset = uint32(len(s.bufs[b.index][0])), b.index*1<<20
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
		if s.apart > 0 {
			planes := b.planes()
			first, length := &planes[0], b.length
			*b = s.done[0]
			for p := range planes {
				planes[p].bytesUsed, planes[p].length = s.lengths[p], uint32(len(s.bufs[b.index][p]))
			}
			if b.bytesUsed < s.lengths[s.apart-1] { // fill says of the last one how much there is
				planes[s.apart-1].bytesUsed = b.bytesUsed
			}
			b.bytesUsed = 0
			b.setPlanes(first, int(length))
		} else {
			*b = s.done[0]
		}
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
	return s.bufs[offset>>20][offset>>18&3][:length], nil
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

// simListing is what a driver lists, and its controls.
type simListing struct {
	order    []uint32 // formats
	formats  map[uint32]string
	sizes    map[uint32][]v4l2FrmSizeEnum
	rates    map[[3]uint32][]v4l2FrmIvalEnum // format, width, height
	controls []simControl
	set      []string
	setErr   error
}

// simControl is one control; none of a type 0 can be read.
type simControl struct {
	v4l2QueryCtrl
	value int32
	menu  map[uint32]string
}

// control makes one.
func control(id, typ uint32, name string, least, most, value int32, menu ...string) simControl {
	c := simControl{v4l2QueryCtrl: v4l2QueryCtrl{id: id, typ: typ, min: least, max: most, step: 1, preset: value}, value: value}
	copy(c.name[:], name)
	if len(menu) > 0 {
		c.menu = map[uint32]string{}
		for i, m := range menu {
			if m != "" {
				c.menu[uint32(i)] = m
			}
		}
	}
	return c
}

func (w *simListing) ioctl(s *simDriver, req uintptr, arg unsafe.Pointer) error {
	find := func(id uint32) *simControl {
		for i := range w.controls {
			if w.controls[i].id == id {
				return &w.controls[i]
			}
		}
		return nil
	}
	switch req {
	case vidiocEnumFmt:
		if err := s.called("ENUM_FMT"); err != nil {
			return err
		}
		q := (*v4l2FmtDesc)(arg)
		if int(q.index) >= len(w.order) || (q.typ == bufTypeVideoCaptureMplane) != (s.apart > 0) {
			return unix.EINVAL
		}
		q.pixelFormat = w.order[q.index]
		copy(q.description[:], w.formats[q.pixelFormat])
	case vidiocEnumSizes:
		q := (*v4l2FrmSizeEnum)(arg)
		list := w.sizes[q.pixelFormat]
		if int(q.index) >= len(list) {
			return unix.EINVAL
		}
		i, f := q.index, q.pixelFormat
		*q = list[i]
		q.index, q.pixelFormat = i, f
	case vidiocEnumRates:
		q := (*v4l2FrmIvalEnum)(arg)
		list := w.rates[[3]uint32{q.pixelFormat, q.width, q.height}]
		if int(q.index) >= len(list) {
			return unix.EINVAL
		}
		*q = list[q.index]
	case vidiocQueryCtrl:
		q := (*v4l2QueryCtrl)(arg)
		last := q.id &^ ctrlFlagNext
		var next *simControl
		for i := range w.controls {
			if c := &w.controls[i]; c.id > last && (next == nil || c.id < next.id) {
				next = c
			}
		}
		if next == nil {
			return unix.EINVAL
		}
		*q = next.v4l2QueryCtrl
	case vidiocQueryMenu:
		q := (*v4l2QueryMenu)(arg)
		c := find(q.id)
		if c == nil || c.menu[q.index] == "" {
			return unix.EINVAL
		}
		copy(q.name[:], c.menu[q.index])
	case vidiocGCtrl:
		q := (*v4l2Control)(arg)
		c := find(q.id)
		if c == nil || c.flags&ctrlFlagWriteOnly != 0 {
			return unix.EACCES
		}
		q.value = c.value
	case vidiocSCtrl:
		q := (*v4l2Control)(arg)
		if w.setErr != nil {
			return w.setErr
		}
		c := find(q.id)
		if c == nil {
			return unix.EINVAL
		}
		w.set = append(w.set, fmt.Sprintf("%s=%d", text(c.name[:]), q.value))
		q.value -= q.value % max(c.step, 1)
		c.value = q.value
	default:
		return unix.ENOTTY
	}
	return nil
}

// offer adds a format with discrete sizes, each "at" frames/s.
func (w *simListing) offer(fourcc uint32, at uint32, sizes ...pixels) *simListing {
	if w.formats == nil {
		w.formats, w.sizes, w.rates = map[uint32]string{}, map[uint32][]v4l2FrmSizeEnum{}, map[[3]uint32][]v4l2FrmIvalEnum{}
	}
	w.order = append(w.order, fourcc)
	w.formats[fourcc] = camera.FormatName(fourcc)
	for _, s := range sizes {
		x, y := uint32(s.Width), uint32(s.Height)
		w.sizes[fourcc] = append(w.sizes[fourcc], v4l2FrmSizeEnum{typ: frmDiscrete, minWidth: x, maxWidth: y}) // its two numbers
		w.rates[[3]uint32{fourcc, x, y}] = []v4l2FrmIvalEnum{{typ: frmDiscrete, min: v4l2Fract{1, at}}}
	}
	return w
}

// simMachine is a host with nodes video0, video1, … of the given drivers; all list
// the same.
func simMachine(t testing.TB, w *simListing, drivers ...*simDriver) *host {
	t.Helper()
	dev := t.TempDir()
	byPath := map[string]*simDriver{}
	for i, d := range drivers {
		path := filepath.Join(dev, fmt.Sprintf("video%d", i))
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		byPath[path], d.list = d, w
	}
	at := func(path string) *simDriver { return byPath[realPath(path)] }
	return &host{dev: dev, proc: filepath.Join(dev, "proc"), sys: filepath.Join(dev, "sys"),
		open: func(path string) (node, error) { return at(path).open() },
		now:  func() time.Duration { return drivers[0].clock() },
	}
}

var vga = pixels{640, 480}

// started opens the simulated camera with one format at 64x48.
func started(t testing.TB, s *simDriver, format uint32) *capture {
	t.Helper()
	small := pixels{64, 48}
	h := simMachine(t, new(simListing).offer(format, 30, small), s)
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
