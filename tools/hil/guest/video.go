package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"mien/tools/hil/wire"
)

// Kernel interface: include/uapi/linux/videodev2.h, layouts of 64-bit machines.
const (
	vidiocSFmt          = 0xc0d05605
	vidiocReqbufs       = 0xc0145608
	vidiocQuerybuf      = 0xc0585609
	vidiocQbuf          = 0xc058560f
	vidiocDqbuf         = 0xc0585611
	vidiocStreamon      = 0x40045612
	vidiocStreamoff     = 0x40045613
	vidiocSCtrl         = 0xc008561c
	vidiocQueryctrl     = 0xc0445624
	vidiocSDvTimings    = 0xc0845657
	vidiocEnumDvTimings = 0xc0945662

	typeCapture, typeOutput = 1, 2
)

// v4l2Format is struct v4l2_format with its pix member.
type v4l2Format struct {
	kind uint32
	_    uint32
	pix  struct {
		width, height, format, field, bytesperline, sizeimage, colorspace, priv, flags, enc, quantization, xfer uint32
	}
	_ [200 - 48]byte
}

// v4l2Buffer is struct v4l2_buffer.
type v4l2Buffer struct {
	index, kind, bytesused, flags, field uint32
	_                                    uint32
	timestamp                            [2]int64
	timecode                             [16]byte
	sequence, memory                     uint32
	offset                               uint64
	length, _, _, _                      uint32
}

func ioctl(fd int, request uintptr, p unsafe.Pointer) error {
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(p)); e != 0 {
		return e
	}
	return nil
}

// node opens a video node. Not by os.OpenFile, whose poll starts vivid's
// read/write I/O.
func node(device string) (int, error) {
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("%s: %w", device, err)
	}
	return fd, nil
}

func setFormat(p wire.Node) (any, error) {
	fd, err := node(p.Device)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	f := v4l2Format{kind: typeCapture}
	if p.Output {
		f.kind = typeOutput
	}
	f.pix.width, f.pix.height, f.pix.format, f.pix.bytesperline = uint32(p.Width), uint32(p.Height), p.Format, uint32(p.Stride)
	f.pix.field = 1                                         // none
	f.pix.colorspace, f.pix.priv = 8 /* sRGB */, 0xfeedcafe // the same on both nodes, else vivid shows noise
	if err := ioctl(fd, vidiocSFmt, unsafe.Pointer(&f)); err != nil {
		return nil, fmt.Errorf("%s: set format: %w", p.Device, err)
	}
	return wire.Node{Device: p.Device, Format: f.pix.format, Width: int(f.pix.width), Height: int(f.pix.height), Stride: int(f.pix.bytesperline)}, nil
}

// setTimings sets the first progressive timings that the driver has for a size.
func setTimings(device string, w, h int) error {
	fd, err := node(device)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var e struct { // struct v4l2_enum_dv_timings, v4l2_dv_timings, v4l2_bt_timings
		index, pad                      uint32
		_                               [2]uint32
		kind, width, height, interlaced uint32
		_                               [116]byte
	}
	for ; ; e.index++ {
		if err := ioctl(fd, vidiocEnumDvTimings, unsafe.Pointer(&e)); err != nil {
			return fmt.Errorf("%s: timings of %dx%d: %w", device, w, h, err)
		}
		if int(e.width) == w && int(e.height) == h && e.interlaced == 0 {
			break
		}
	}
	if err := ioctl(fd, vidiocSDvTimings, unsafe.Pointer(&e.kind)); err != nil {
		return fmt.Errorf("%s: set timings of %dx%d: %w", device, w, h, err)
	}
	return nil
}

// setControl sets a control by the name the driver gives it, in small letters
// with underscores, as v4l2-ctl writes it.
func setControl(device, name string, value int32) error {
	fd, err := node(device)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var q struct { // struct v4l2_queryctrl
		id, kind uint32
		name     [32]byte
		_        [7]uint32
	}
	for {
		q.id |= 1 << 31 // V4L2_CTRL_FLAG_NEXT_CTRL
		if err := ioctl(fd, vidiocQueryctrl, unsafe.Pointer(&q)); err != nil {
			return fmt.Errorf("%s: no control %s", device, name)
		}
		if plain(string(q.name[:])) == name {
			break
		}
	}
	c := struct {
		id    uint32
		value int32
	}{q.id, value}
	if err := ioctl(fd, vidiocSCtrl, unsafe.Pointer(&c)); err != nil {
		return fmt.Errorf("%s: %s = %d: %w", device, name, value, err)
	}
	return nil
}

func plain(name string) string {
	name = strings.TrimRight(name, "\x00")
	fields := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	return strings.Join(fields, "_")
}

// player feeds pictures into a video output node, in a loop, until others are
// to be shown.
var player = &feeder{}

type feeder struct {
	mu       sync.Mutex // covers what is below
	pictures [][]byte
	every    time.Duration
	noisy    []byte        // the one that is shown
	halt     chan struct{} // closed to stop
	done     chan error
}

func (f *feeder) show(s wire.Show) error {
	var list [][]byte
	for _, path := range s.Pictures {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		list = append(list, b)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pictures, f.every = list, s.Every
	return nil
}

func (f *feeder) picture(n int) ([]byte, time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.pictures) == 0 {
		return nil, 10 * time.Millisecond
	}
	p := f.pictures[n%len(f.pictures)]
	if len(f.pictures) == 1 {
		return p, f.every
	}
	// A sensor's noise: the few pictures of a scene that come round are never the same.
	f.noisy = append(f.noisy[:0], p...)
	for i := n % noiseEvery; i < len(f.noisy); i += noiseEvery {
		f.noisy[i] ^= 1
	}
	return f.noisy, f.every
}

// noiseEvery is the distance of two samples with noise: no divisor of a row, and so
// large that most of a picture is as it was.
const noiseEvery = 61

// start begins to feed a node, whose format is set.
func (f *feeder) start(device string) error {
	if err := f.stop(); err != nil {
		return err
	}
	o, err := openOutput(device, 3)
	if err != nil {
		return err
	}
	f.halt, f.done = make(chan struct{}), make(chan error, 1)
	halt := f.halt
	go func() {
		err := o.play(f.picture, halt)
		<-halt // a node that was unplugged stays so for as long as it is open
		f.done <- errors.Join(err, o.close())
	}()
	return nil
}

func (f *feeder) stop() error {
	if f.halt == nil {
		return nil
	}
	close(f.halt)
	f.halt = nil
	return <-f.done
}

// output is a video output node with mapped buffers.
type output struct {
	fd   int
	maps [][]byte
	on   bool
}

func openOutput(device string, buffers int) (*output, error) {
	fd, err := node(device)
	if err != nil {
		return nil, err
	}
	o := &output{fd: fd}
	if err := o.mapBuffers(device, buffers); err != nil {
		o.close() // it has not been used
		return nil, err
	}
	return o, nil
}

func (o *output) mapBuffers(device string, buffers int) error {
	fd := o.fd
	r := struct{ count, kind, memory, caps, flags uint32 }{count: uint32(buffers), kind: typeOutput, memory: 1}
	if err := ioctl(fd, vidiocReqbufs, unsafe.Pointer(&r)); err != nil {
		return fmt.Errorf("%s: buffers: %w", device, err)
	}
	for i := range r.count {
		b := v4l2Buffer{index: i, kind: typeOutput, memory: 1}
		if err := ioctl(fd, vidiocQuerybuf, unsafe.Pointer(&b)); err != nil {
			return fmt.Errorf("%s: buffer %d: %w", device, i, err)
		}
		m, err := unix.Mmap(fd, int64(b.offset), int(b.length), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			return fmt.Errorf("%s: map buffer %d: %w", device, i, err)
		}
		o.maps = append(o.maps, m)
	}
	return nil
}

func (o *output) queue(i int, picture []byte) error {
	used := copy(o.maps[i], picture)
	b := v4l2Buffer{index: uint32(i), kind: typeOutput, bytesused: uint32(used), field: 1, memory: 1}
	return ioctl(o.fd, vidiocQbuf, unsafe.Pointer(&b))
}

// play gives pictures to the driver; it goes on showing the last one by itself.
func (o *output) play(picture func(int) ([]byte, time.Duration), halt <-chan struct{}) error {
	n := 0
	for ; ; n++ {
		p, every := picture(n)
		if p == nil {
			n--
		} else if !o.on {
			for i := range o.maps {
				if err := o.queue(i, p); err != nil {
					return fmt.Errorf("queue: %w", err)
				}
			}
			kind := int32(typeOutput)
			if err := ioctl(o.fd, vidiocStreamon, unsafe.Pointer(&kind)); err != nil {
				return fmt.Errorf("stream on: %w", err)
			}
			o.on = true
		} else {
			b := v4l2Buffer{kind: typeOutput, memory: 1}
			if err := ioctl(o.fd, vidiocDqbuf, unsafe.Pointer(&b)); err != nil {
				return fmt.Errorf("take back: %w", err)
			}
			if err := o.queue(int(b.index), p); err != nil {
				return fmt.Errorf("queue: %w", err)
			}
		}
		select {
		case <-halt:
			return nil
		case <-time.After(every):
		}
	}
}

func (o *output) close() error {
	kind := int32(typeOutput)
	if o.on {
		ioctl(o.fd, vidiocStreamoff, unsafe.Pointer(&kind)) // the close does it too
	}
	for _, m := range o.maps {
		unix.Munmap(m)
	}
	return unix.Close(o.fd)
}
