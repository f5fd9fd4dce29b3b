package v4l2

import (
	"errors"
	"fmt"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"mien/drivers/camera"
	"mien/drivers/camera/mjpeg"
)

// capture is a streaming V4L2 camera.
type capture struct {
	node node
	now  func() time.Duration
	once sync.Once // the first Close

	next      sync.Mutex // held by Next, Release and the end of Close; covers what follows
	slots     []slot
	typ       uint32 // of its buffers: single-planar or multi-planar
	planes    int    // pieces of memory of a picture
	part      [maxPlanes]part
	plane     [maxPlanes]v4l2Plane // of buf, where it is multi-planar
	joined    []byte               // a picture whose planes lie apart
	size      int                  // bytes of a whole picture; 0 for MJPEG
	streaming bool
	closed    bool
	gone      error // once set, the stream is over
	held      int   // slot handed out, plus 1; 0: none
	frame     camera.Frame
	buf       v4l2Buffer // the last one dequeued

	begun    bool          // a frame was handed out
	lastSeq  uint32        // its sequence
	lastHand time.Duration // and when
	// Stamps that were copied from a producer: whether one came, and whether the first
	// could be of this clock.
	copied, sameClock bool
	jpegs             mjpeg.Checker
	counting          bool   // the driver's sequence stands still: count here
	skipped           uint32 // frames not handed out since
	faults            int    // buffers that failed with EIO, in a row
	odd               pixels // size of JPEGs that is not the agreed one,
	oddRun            int    // seen so often in a row

	state sync.Mutex // covers info, which any goroutine may ask for
	info  camera.Info
}

// slot is one of the driver's buffers.
type slot struct {
	data   [maxPlanes][]byte
	queued bool // with the driver
	// What was found in it when it came back.
	filled   [maxPlanes][]byte // of data
	picture  []byte
	pixels   pixels
	sequence uint32
	time     time.Duration
	stamped  bool
}

// part is one piece of a picture's memory. Where there are several, rows of from bytes
// are copied to rows of to bytes, at a place in the whole.
type part struct {
	size, need              int // bytes, and without the padding of the last row; 0 for MJPEG
	from, to, row, rows, at int
}

// queue gives a buffer to the driver.
func (c *capture) queue(i int) error {
	c.buf = c.blank(uint32(i))
	err := c.node.buffer(vidiocQBuf, &c.buf)
	c.slots[i].queued = err == nil
	return err
}

// requeue gives back every buffer that is neither with the driver nor handed
// out. One that it does not take is tried again at the next call.
func (c *capture) requeue() {
	for i := range c.slots {
		if c.slots[i].queued || c.held == i+1 {
			continue
		}
		if err := c.queue(i); err != nil {
			c.count(func(n *camera.Counts) { n.QueueFails++ })
			if errors.Is(err, unix.ENODEV) {
				c.fail("VIDIOC_QBUF", err)
				return
			}
		}
	}
}

func (c *capture) count(change func(*camera.Counts)) {
	c.state.Lock()
	change(&c.info.Counts)
	c.state.Unlock()
}

// fail ends the stream for good: unplugged, or stopped by its driver.
func (c *capture) fail(call string, err error) {
	switch {
	case err == nil:
		c.gone = fmt.Errorf("camera %s: %w: %s", c.info.Device, camera.ErrGone, call)
	case errors.Is(err, unix.ENODEV):
		c.gone = fmt.Errorf("camera %s: %w: it was unplugged: %s: %w", c.info.Device, camera.ErrGone, call, err)
	default:
		c.gone = fmt.Errorf("camera %s: %w: its driver stopped the stream: %s%s: %w", c.info.Device, camera.ErrGone, wire(err), call, err)
	}
}

func (c *capture) Next(timeout time.Duration) (*camera.Frame, error) {
	c.next.Lock()
	defer c.next.Unlock()
	if c.closed {
		return nil, c.closedError()
	}
	if c.gone != nil {
		return nil, c.gone
	}
	deadline := c.now() + max(timeout, 0)
	with := c.withDriver()
	c.held = 0
	c.requeue()
	newest, taken, err := c.drain()
	if newest >= 0 && taken >= with {
		// Every buffer was full: the driver had nowhere to put newer frames.
		c.passedOver()
		newest, c.held = -1, 0
		c.requeue()
	}
	for newest < 0 && c.gone == nil {
		events, woken, waitErr := c.node.wait(max(deadline-c.now(), 0))
		if woken {
			return nil, c.closedError()
		}
		if waitErr != nil {
			c.fail("poll", waitErr)
			break
		}
		if events != 0 {
			newest, _, err = c.drain()
		}
		over := events&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0
		switch {
		case newest >= 0 || c.gone != nil:
		case over && err != nil:
			c.fail("VIDIOC_DQBUF", err)
		case over:
			c.fail("poll reports an error on the stream", nil)
		case c.now() >= deadline:
			return nil, c.timeoutError(timeout)
		}
	}
	if c.gone != nil {
		c.held = 0 // nothing is handed out
		return nil, c.gone
	}
	return c.hand(newest), nil
}

func (c *capture) closedError() error {
	return fmt.Errorf("camera %s: %w", c.info.Device, camera.ErrClosed)
}

func (c *capture) timeoutError(timeout time.Duration) error {
	if c.skipped > 0 {
		return fmt.Errorf("camera %s: %w: waited %v; frames that were damaged or old since the last good one: %d", c.info.Device, camera.ErrTimeout, timeout, c.skipped)
	}
	return fmt.Errorf("camera %s: %w: waited %v", c.info.Device, camera.ErrTimeout, timeout)
}

// withDriver counts the buffers that the driver may fill.
func (c *capture) withDriver() int {
	n := 0
	for i := range c.slots {
		if c.slots[i].queued {
			n++
		}
	}
	return n
}

// maxFaults is how many buffers in a row may fail with EIO before the stream
// counts as stopped. The interface allows passing ones (signal loss).
const maxFaults = 8

// drain takes every buffer that is ready, keeps the newest whole one and gives
// the others back at once. It returns that one or -1, how many were taken, and
// the last EIO. A driver faster than this loop is left after two rounds.
func (c *capture) drain() (newest, taken int, fault error) {
	newest = -1
	for range 2 * len(c.slots) {
		c.buf = c.blank(0)
		err := c.node.buffer(vidiocDQBuf, &c.buf)
		switch {
		case err == nil:
		case errors.Is(err, unix.EAGAIN):
			return newest, taken, fault
		case errors.Is(err, unix.EIO):
			fault = err
			c.count(func(n *camera.Counts) { n.Flagged++ })
			c.skipped++
			if c.faults++; c.faults >= maxFaults {
				c.fail("VIDIOC_DQBUF", err)
				return -1, taken, fault
			}
			continue
		default:
			c.fail("VIDIOC_DQBUF", err)
			return -1, taken, fault
		}
		c.faults = 0
		i := int(c.buf.index)
		if i >= len(c.slots) || !c.slots[i].queued {
			c.fail(fmt.Sprintf("the driver returned buffer %d, which it did not have", i), nil)
			return -1, taken, fault
		}
		taken++
		c.slots[i].queued = false
		if !c.whole(i) {
			c.skipped++
		} else {
			if newest >= 0 {
				c.passedOver()
			}
			newest = i
		}
		c.held = newest + 1 // all others go back
		c.requeue()
		if c.gone != nil {
			return -1, taken, fault
		}
	}
	return newest, taken, fault
}

// passedOver counts a whole frame that is not handed out.
func (c *capture) passedOver() {
	c.skipped++
	c.count(func(n *camera.Counts) { n.PassedOver++ })
}

// whole looks at the buffer just dequeued and keeps what it tells, before
// another one is. It is false for a frame that must not be used.
func (c *capture) whole(i int) bool {
	s, b := &c.slots[i], &c.buf
	s.sequence = b.sequence
	s.time, s.stamped = c.stamp()
	short := false
	for p := range c.planes {
		s.filled[p] = s.data[p][:min(int(b.bytesUsed), len(s.data[p]))]
		if c.typ == bufTypeVideoCaptureMplane { // bytesused counts what stands before the data too
			used := min(int(c.plane[p].bytesUsed), len(s.data[p]))
			s.filled[p] = s.data[p][min(int(c.plane[p].dataOffset), used):used]
		}
		short = short || len(s.filled[p]) < c.part[p].need
	}
	switch {
	case b.flags&bufFlagError != 0:
		c.count(func(n *camera.Counts) { n.Flagged++ })
		return false
	case c.info.Format == camera.MJPEG:
		jpeg, w, h, err := c.jpegs.Whole(s.filled[0])
		if err != nil {
			c.count(func(n *camera.Counts) { n.Corrupt++ })
			return false
		}
		s.picture, s.pixels = jpeg, pixels{w, h}
		return c.agreed(s.pixels)
	case short:
		c.count(func(n *camera.Counts) { n.Short++ })
		return false
	}
	s.picture, s.pixels = s.filled[0][:min(c.size, cap(s.filled[0]))], pixels{c.info.Width, c.info.Height}
	return true
}

// join copies the planes of a picture that lie apart into one piece.
func (c *capture) join(s *slot) {
	for p := range c.planes {
		one, from := &c.part[p], s.filled[p]
		if one.from == one.to && len(from) >= one.from*one.rows {
			copy(c.joined[one.at:], from[:one.from*one.rows])
			continue
		}
		for y := range one.rows {
			copy(c.joined[one.at+y*one.to:], from[y*one.from:][:one.row])
		}
	}
	s.picture = c.joined
}

// maxOdd is how many JPEGs of one unexpected size in a row it takes to believe
// the camera rather than its driver. One alone is a damaged header.
const maxOdd = 5

func (c *capture) agreed(p pixels) bool {
	if p.Width == c.info.Width && p.Height == c.info.Height {
		c.oddRun = 0
		return true
	}
	if p != c.odd {
		c.odd, c.oddRun = p, 0
	}
	if c.oddRun++; c.oddRun < maxOdd {
		c.count(func(n *camera.Counts) { n.WrongSize++ })
		return false
	}
	c.state.Lock()
	c.info.Warnings = append(c.info.Warnings, fmt.Sprintf("the driver says %dx%d pixels, the camera's pictures have %dx%d", c.info.Width, c.info.Height, p.Width, p.Height))
	c.info.Width, c.info.Height = p.Width, p.Height
	c.state.Unlock()
	c.oddRun = 0
	return true
}

// stamp is the time of the buffer just dequeued: the driver's if it says that it
// is of the monotonic clock, whether it can be or not. A loopback device copies the
// stamp of its producer, which may be of any clock: it counts if the stream's first
// one can be of this.
func (c *capture) stamp() (time.Duration, bool) {
	now, t := c.now(), c.buf.time()
	switch c.buf.flags & bufFlagTimestampMask {
	case bufFlagTimestampMono:
		if t > 0 {
			return t, true
		}
	case bufFlagTimestampCopied:
		if !c.copied {
			c.copied, c.sameClock = true, t > now-2*time.Second && t <= now
		}
		if c.sameClock {
			return t, true
		}
	}
	return now, false
}

// most is how many frames any camera can have taken since the last one handed out.
func (c *capture) most(now time.Duration) uint32 {
	return uint32(min((now-c.lastHand)/(time.Second/fastest), 1<<31)) + 2*uint32(len(c.slots))
}

// hand makes the frame of a slot.
func (c *capture) hand(i int) *camera.Frame {
	s := &c.slots[i]
	if c.planes > 1 {
		c.join(s)
	}
	lost, seq, now := c.skipped, s.sequence, c.now()
	if c.begun {
		switch d := seq - c.lastSeq; {
		case c.counting || d == 0:
			c.counting = true
			seq = c.lastSeq + 1 + c.skipped
		case d <= c.most(now): // else the driver began again, or counts something else
			lost = max(lost, d-1)
		}
	}
	turn := ""
	if !c.begun && c.info.Format == camera.MJPEG {
		turn = mjpeg.Upright(s.picture)
	}
	c.begun, c.lastSeq, c.lastHand, c.skipped = true, seq, now, 0
	c.held = i + 1
	c.frame = camera.Frame{Data: s.picture, Format: c.info.Format, Width: s.pixels.Width, Height: s.pixels.Height,
		Stride: c.info.Stride, Sequence: seq, Time: s.time, Lost: lost}
	c.state.Lock()
	c.info.Counts.Frames++
	c.info.Counts.Lost += uint64(lost)
	c.info.Stamped = s.stamped
	if turn != "" {
		c.info.Warnings = append(c.info.Warnings, turn)
	}
	c.state.Unlock()
	return &c.frame
}

func (c *capture) Release() error {
	c.next.Lock()
	defer c.next.Unlock()
	i := c.held - 1
	if i < 0 {
		return nil
	}
	c.held = 0
	if c.closed {
		return c.unmap(i)
	}
	if c.gone == nil {
		c.requeue()
	}
	return c.gone
}

func (c *capture) Info() camera.Info {
	c.state.Lock()
	defer c.state.Unlock()
	info := c.info
	info.Warnings = append([]string(nil), c.info.Warnings...)
	return info
}

func (c *capture) Close() error {
	var err error
	c.once.Do(func() {
		c.node.wake()
		c.next.Lock() // a Next that was waiting has returned
		defer c.next.Unlock()
		err = c.teardown()
	})
	if err != nil {
		return fmt.Errorf("close camera %s: %w", c.info.Device, err)
	}
	return nil
}

// teardown stops the stream and gives everything back but the buffer that is
// handed out, which Release gives back.
func (c *capture) teardown() error {
	c.closed = true
	var first error
	note := func(err error) {
		if first == nil {
			first = err
		}
	}
	if c.streaming && c.gone == nil {
		typ := c.typ
		if err := c.node.ioctl(vidiocStreamOff, unsafe.Pointer(&typ)); err != nil && !errors.Is(err, unix.ENODEV) {
			note(fmt.Errorf("VIDIOC_STREAMOFF: %w", err))
		}
	}
	c.streaming = false
	for i := range c.slots {
		if c.held != i+1 {
			note(c.unmap(i))
		}
	}
	if c.held > 0 && c.gone == nil {
		// The map of the frame that is out keeps the file open, and so the device
		// busy for everyone. Linux 4.20 and newer can give up its buffers while
		// one is mapped; older ones refuse, and the device is busy until Release.
		r := v4l2RequestBuffers{typ: c.typ, memory: memoryMmap}
		if err := c.node.ioctl(vidiocReqBufs, unsafe.Pointer(&r)); err != nil && !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENODEV) {
			note(fmt.Errorf("VIDIOC_REQBUFS 0: %w", err))
		}
	}
	note(c.node.close())
	return first
}

func (c *capture) unmap(i int) error {
	s := &c.slots[i]
	s.picture, s.filled = nil, [maxPlanes][]byte{}
	var first error
	for p, data := range s.data {
		if s.data[p] = nil; data == nil {
			continue
		}
		if err := c.node.munmap(data); err != nil && first == nil {
			first = fmt.Errorf("munmap: %w", err)
		}
	}
	return first
}

var _ camera.Source = (*capture)(nil)
