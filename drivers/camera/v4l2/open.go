// Package v4l2 captures from V4L2 cameras, and lists them.
//
// # Why no library
//
// github.com/blackjack/webcam v0.6.1 was used to list formats and controls. It knows no
// multi-planar nodes, no menus and no ranges of sizes and rates, drops a frame's
// time, sequence number and error flag, gives back the size that was asked for, and waits
// in whole seconds. What is left of the interface without it stands here.
//
// # Multi-planar nodes
//
// A node that has only the multi-planar interface is read like any other. A format
// whose planes lie in one piece of memory (NV12, YU12) is handed out as it is. One whose planes
// lie apart (NV12M, YM12, YM16) is copied into one piece: the others are chosen first.
//
// # Always the newest frame
//
// Next takes every frame that the driver has ready, keeps the newest and hands
// the older ones back at once. If the driver had filled all its buffers it may
// have stopped for want of one, and even the newest may be old: then all go
// back and Next waits for a fresh one. What was passed over is counted.
//
// All kernel interfaces are those of include/uapi/linux/videodev2.h and
// Documentation/userspace-api/media/v4l.
package v4l2

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"mien/drivers/camera"
)

// Open starts a V4L2 camera. The caller must Close it; whatever happens, even
// when Open fails half-way, no descriptor and no map stays behind.
//
// Errors: ErrNotFound (not plugged in, or none usable; each node is named with
// its reason), ErrPermission (the group is named), ErrBusy (with the holder
// where it can be seen), ErrUnsupported (with the way out), ErrGone (unplugged
// meanwhile). All but ErrUnsupported may pass by themselves: try again later.
func Open(s Settings) (camera.Source, error) { return machine.start(s) }

func (h *host) start(s Settings) (camera.Source, error) {
	s, format, err := s.check()
	if err != nil {
		return nil, fmt.Errorf("open camera %s: %w", s.Device, err)
	}
	if s.Device != "" {
		path, err := h.resolve(s.Device)
		if err != nil {
			return nil, err
		}
		c, err := h.startNode(path, s, format)
		if errors.Is(err, camera.ErrUnsupported) {
			if other := h.beside(path); other != "" {
				err = fmt.Errorf("%w; the same camera gives pictures at %s", err, other)
			}
		}
		if err != nil {
			return nil, err
		}
		if links := h.links(); h.shared(links)[realPath(path)] == path {
			c.info.Warnings = append(c.info.Warnings, fmt.Sprintf("several cameras have the name %s, and it is the one that came last: name this one by its socket, %s",
				filepath.Base(path), byPath(links[realPath(path)])))
		}
		return c, nil
	}
	nodes := h.nodes()
	if len(nodes) == 0 {
		return nil, fmt.Errorf("open camera: %w: no %s/videoN here: plug in a USB camera, or see dmesg for why its driver did not take it", camera.ErrNotFound, h.dev)
	}
	var why reasons
	for _, path := range nodes {
		c, err := h.startNode(path, s, format)
		if err == nil {
			return c, nil
		}
		why = append(why, err)
	}
	return nil, fmt.Errorf("open camera: %w: %w", camera.ErrNotFound, why)
}

// byPath is the name among a node's that tells the socket it is plugged into.
func byPath(links []string) string {
	for _, l := range links {
		if filepath.Base(filepath.Dir(l)) == "by-path" {
			return filepath.Base(l)
		}
	}
	return "in /dev/v4l/by-path"
}

// beside is another node of the same camera, which gives pictures; "": there is none.
func (h *host) beside(path string) string {
	none := func(uint32) bool { return false }
	bus, links := h.inspect(path, none).Bus, h.links()
	for _, n := range h.nodes() {
		if n == realPath(path) || bus == "" {
			continue
		}
		if d := h.inspect(n, none); d.Problem == nil && d.Bus == bus {
			if l := links[realPath(n)]; len(l) > 0 {
				return filepath.Base(l[0])
			}
			return n
		}
	}
	return ""
}

// reasons are several errors in one line.
type reasons []error

func (r reasons) Error() string {
	text := make([]string, len(r))
	for i, err := range r {
		text[i] = err.Error()
	}
	return strings.Join(text, "; ")
}

func (r reasons) Unwrap() []error { return r }

func (h *host) startNode(path string, s Settings, format uint32) (*capture, error) {
	d := h.inspect(path, func(fourcc uint32) bool { return wanted(fourcc, format) })
	if d.Problem != nil {
		return nil, d.Problem
	}
	ask, err := choose(d.Formats, s, format)
	if err != nil {
		return nil, fmt.Errorf("open camera %s: %w", path, err)
	}
	n, err := h.open(path)
	if err != nil {
		return nil, h.openError(path, err)
	}
	c := &capture{node: n, now: h.now, typ: d.typ}
	c.info = camera.Info{Name: d.Name, Device: path, Driver: d.Driver, Bus: d.Bus, Live: true}
	c.info.Warnings = setControls(n, s.Controls)
	if err := c.begin(ask, s, format); err != nil {
		c.teardown()
		return nil, h.startError(path, d.Driver, err)
	}
	return c, nil
}

// callError is a kernel call that failed while the stream was being set up.
type callError struct {
	call string
	err  error
}

func (e *callError) Error() string { return e.call + ": " + e.err.Error() }
func (e *callError) Unwrap() error { return e.err }

func (h *host) startError(path, driver string, err error) error {
	call := (*callError)(nil)
	if errors.As(err, &call) {
		switch {
		case errors.Is(err, unix.EBUSY):
			return h.busyError(path, call.call, call.err)
		case errors.Is(err, unix.ENODEV):
			return fmt.Errorf("open camera %s: %w: %w", path, camera.ErrGone, err)
		case errors.Is(err, unix.ENOSPC):
			return fmt.Errorf("open camera %s: not enough USB bandwidth: choose MJPG, a smaller size or a lower rate, or plug other cameras into another bus: %w", path, err)
		case errors.Is(err, unix.ENOLINK):
			return fmt.Errorf("open camera %s: no signal at its input: %w", path, err)
		case errors.Is(err, unix.EIO) && driver == "uvcvideo": // its word for an answer that was too short
			return fmt.Errorf("open camera %s: %s%w", path, wire(unix.EPROTO), err)
		}
	}
	return fmt.Errorf("open camera %s: %s%w", path, wire(err), err)
}

// buffers is how many frames the driver is given: one that the caller reads, one
// being filled, and two so that neither waits for the other.
const buffers = 4

// begin sets format and rate, maps the buffers and starts the stream. What it
// took is undone by teardown.
func (c *capture) begin(ask request, s Settings, format uint32) error {
	if err := c.setFormat(ask, s, format); err != nil {
		return err
	}
	if err := c.setRate(s.FPS); err != nil {
		return err
	}
	c.warn(s)
	r := v4l2RequestBuffers{count: buffers, typ: c.typ, memory: memoryMmap}
	if err := c.node.ioctl(vidiocReqBufs, unsafe.Pointer(&r)); err != nil {
		return &callError{"VIDIOC_REQBUFS", err}
	}
	if r.count < 2 {
		return fmt.Errorf("%w: of the 2 buffers that are needed the driver grants %d", camera.ErrUnsupported, r.count)
	}
	for i := range r.count {
		if err := c.mapBuffer(i); err != nil {
			return err
		}
	}
	for i := range c.slots {
		if err := c.queue(i); err != nil {
			return &callError{"VIDIOC_QBUF", err}
		}
	}
	typ := c.typ
	if err := c.node.ioctl(vidiocStreamOn, unsafe.Pointer(&typ)); err != nil {
		return &callError{"VIDIOC_STREAMON", err}
	}
	c.streaming = true
	return nil
}

// mapBuffer maps a buffer: one piece of memory, or one for each of its planes.
func (c *capture) mapBuffer(i uint32) error {
	c.slots = append(c.slots, slot{})
	s := &c.slots[len(c.slots)-1]
	c.buf = c.blank(i)
	if err := c.node.buffer(vidiocQueryBuf, &c.buf); err != nil {
		return &callError{"VIDIOC_QUERYBUF", err}
	}
	for p := range c.planes {
		offset, length := int64(c.buf.offset), c.buf.length
		if c.typ == bufTypeVideoCaptureMplane {
			offset, length = int64(c.plane[p].offset&math.MaxUint32), c.plane[p].length
		}
		if c.part[p].size > int(length) {
			return fmt.Errorf("%w: the driver's buffers have %d bytes, a picture %d", camera.ErrUnsupported, length, c.part[p].size)
		}
		m, err := c.node.mmap(offset, int(length))
		if err != nil {
			return &callError{"mmap", err}
		}
		s.data[p] = m
	}
	return nil
}

// blank is a buffer for one of the three calls that carry one.
func (c *capture) blank(i uint32) v4l2Buffer {
	b := v4l2Buffer{index: i, typ: c.typ, memory: memoryMmap}
	if c.typ == bufTypeVideoCaptureMplane {
		c.plane = [maxPlanes]v4l2Plane{}
		b.setPlanes(&c.plane[0], c.planes)
	}
	return b
}

// setFormat asks for a format and takes what the driver gives instead, if it can
// be read and no other one was named.
func (c *capture) setFormat(ask request, s Settings, format uint32) error {
	f := v4l2Format{typ: c.typ}
	pix := v4l2PixFormat{width: uint32(ask.Width), height: uint32(ask.Height), pixelFormat: ask.fourcc, field: fieldNone, bytesPerLine: uint32(s.Stride)}
	c.planes = 1
	if c.typ != bufTypeVideoCaptureMplane {
		f.pix = pix
	} else {
		m := f.mplane()
		m.width, m.height, m.pixelFormat, m.field = pix.width, pix.height, pix.pixelFormat, pix.field
		m.plane[0].bytesPerLine = pix.bytesPerLine
	}
	if err := c.node.ioctl(vidiocSFmt, unsafe.Pointer(&f)); err != nil {
		return &callError{"VIDIOC_S_FMT", err}
	}
	if pix = f.pix; c.typ == bufTypeVideoCaptureMplane {
		m := f.mplane()
		pix = v4l2PixFormat{width: m.width, height: m.height, pixelFormat: m.pixelFormat, field: m.field, bytesPerLine: m.plane[0].bytesPerLine, sizeImage: m.plane[0].sizeImage}
		c.planes = int(m.planes)
	}
	got := given(pix.pixelFormat)
	if !usable(got) || format != 0 && got != format {
		return fmt.Errorf("%w: asked for %s, the driver gives %s", camera.ErrUnsupported, camera.FormatName(ask.fourcc), camera.FormatName(pix.pixelFormat))
	}
	if pix.width < 1 || pix.height < 1 || pix.width > camera.MaxSide || pix.height > camera.MaxSide {
		return fmt.Errorf("%w: asked for %dx%d, the driver gives %dx%d", camera.ErrUnsupported, ask.Width, ask.Height, pix.width, pix.height)
	}
	switch pix.field {
	case fieldAny, fieldNone, fieldTop, fieldBottom, fieldInterlaced, fieldInterlacedTB, fieldInterlacedBT:
	default:
		return fmt.Errorf("%w: the driver gives the two fields of a picture apart (v4l2_field %d); set its input to a progressive one", camera.ErrUnsupported, pix.field)
	}
	width, height, stride := int(pix.width), int(pix.height), int(pix.bytesPerLine)
	least, _ := camera.PlaneSize(got, width, height, 0)
	switch {
	case got == camera.MJPEG, stride == 0: // v4l2loopback leaves the stride of some producers at 0
		stride = least
	case stride < least || stride > 8*camera.MaxSide:
		return fmt.Errorf("%w: the driver says %d bytes a row for %d pixels of %s", camera.ErrUnsupported, stride, width, camera.FormatName(got))
	}
	_, c.size = camera.PlaneSize(got, width, height, stride)
	if want := memories(pix.pixelFormat); c.planes != want {
		return fmt.Errorf("%w: the driver gives %s in %d pieces of memory, not %d", camera.ErrUnsupported, camera.FormatName(pix.pixelFormat), c.planes, want)
	}
	if c.planes > 1 {
		if err := c.apart(got, width, height, stride, f.mplane()); err != nil {
			return err
		}
	} else {
		need := c.size
		if got != camera.YUV420 && got != camera.YUV422P {
			need -= stride - least
		}
		c.part[0] = part{size: c.size, need: need}
		if got != camera.MJPEG && int64(pix.sizeImage) < int64(c.size) && pix.sizeImage != 0 {
			return fmt.Errorf("%w: the driver says %d bytes for a picture of %d", camera.ErrUnsupported, pix.sizeImage, c.size)
		}
	}
	c.info.Format, c.info.Width, c.info.Height, c.info.Stride = got, width, height, stride
	return nil
}

// memories is in how many pieces of memory a format lies.
func memories(fourcc uint32) int {
	switch fourcc {
	case fourccNV12M:
		return 2
	case fourccYUV420M, fourccYUV422M:
		return 3
	}
	return 1
}

// apart finds where in a picture each of several planes goes that lie in memory of
// their own, and makes memory for the picture.
func (c *capture) apart(format uint32, width, height, stride int, m *v4l2PixFormatMplane) error {
	rows, to, row := (height+1)/2, (stride+1)/2, (width+1)/2 // of a plane of chroma
	switch format {
	case camera.NV12:
		to, row = stride, (width+1)/2*2
	case camera.YUV422P:
		rows = height
	}
	at := 0
	for p := range c.planes {
		if p == 0 {
			c.part[0] = part{rows: height, row: width, to: stride}
		} else {
			c.part[p] = part{rows: rows, row: row, to: to}
		}
		one := &c.part[p]
		if one.from = int(m.plane[p].bytesPerLine); one.from == 0 {
			one.from = one.to
		}
		if one.from < min(one.row, one.to) || one.from > 8*camera.MaxSide {
			return fmt.Errorf("%w: the driver says %d bytes a row in plane %d of %s, %d pixels wide", camera.ErrUnsupported, one.from, p, camera.FormatName(m.pixelFormat), width)
		}
		one.row = min(one.row, one.to, one.from)
		one.size = one.from * one.rows
		one.need = one.from*(one.rows-1) + one.row
		one.at = at
		at += one.to * one.rows
	}
	c.joined = make([]byte, c.size)
	return nil
}

// setRate asks for a rate where the driver lets it be set, and notes what it
// gives. A driver without rates (ENOTTY, EINVAL) runs at its own, and so does one
// that fails to set one; only a camera that is gone ends the open.
func (c *capture) setRate(fps float64) error {
	p := v4l2StreamParm{typ: c.typ, timePerFrame: v4l2Fract{1000, uint32(math.Round(fps * 1000))}}
	if fps == math.Trunc(fps) {
		p.timePerFrame = v4l2Fract{1, uint32(fps)} // some drivers compare fractions by their parts
	}
	err := c.node.ioctl(vidiocSParm, unsafe.Pointer(&p))
	switch {
	case err == nil:
		if t := p.timePerFrame; p.capability&parmTimePerFrame != 0 && t.numerator > 0 && t.denominator > 0 {
			if rate := float64(t.denominator) / float64(t.numerator); rate >= slowest && rate <= fastest {
				c.info.FPS = rate
			}
		}
	case errors.Is(err, unix.ENODEV):
		return &callError{"VIDIOC_S_PARM", err}
	case errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EINVAL):
	default: // it can take pictures all the same (some UVC cameras: EIO; one whose stream another has set up: EBUSY)
		c.info.Warnings = append(c.info.Warnings, fmt.Sprintf("asked for %g frames/s, the driver refuses to set a rate (%v) and keeps its own", fps, err))
	}
	return nil
}

// warn notes what is not as it was asked for.
func (c *capture) warn(s Settings) {
	i := &c.info
	if i.Width != s.Width || i.Height != s.Height {
		i.Warnings = append(i.Warnings, fmt.Sprintf("asked for %dx%d pixels, the camera gives %dx%d", s.Width, s.Height, i.Width, i.Height))
	}
	if i.FPS > 0 && math.Abs(i.FPS-s.FPS) > 0.1*s.FPS {
		i.Warnings = append(i.Warnings, fmt.Sprintf("asked for %g frames/s, the camera gives %.4g", s.FPS, i.FPS))
	}
	if s.Stride > 0 && i.Stride != s.Stride {
		i.Warnings = append(i.Warnings, fmt.Sprintf("asked for %d bytes a row, the camera gives %d", s.Stride, i.Stride))
	}
}
