package pixel

import (
	"errors"
	"fmt"
	"runtime"
)

// Errors that callers decide on.
var (
	// ErrFormat: the picture's format is none that this package reads.
	ErrFormat = errors.New("unsupported pixel format")
	// ErrSize: the picture's size, stride and data do not fit together.
	ErrSize = errors.New("picture size does not fit its data")
	// ErrCorrupt: JPEG data is damaged or cut short.
	ErrCorrupt = errors.New("corrupt picture")
)

// Format is a V4L2 pixel format code (uapi/linux/videodev2.h, v4l2_fourcc).
type Format uint32

// The formats. The planar ones are one piece of memory, plane after plane
// without gaps: Y, then U, then V.
const (
	GREY    Format = 'G' | 'R'<<8 | 'E'<<16 | 'Y'<<24 // 8-bit luma
	YUYV    Format = 'Y' | 'U'<<8 | 'Y'<<16 | 'V'<<24 // 4:2:2 packed, Y0 U Y1 V
	UYVY    Format = 'U' | 'Y'<<8 | 'V'<<16 | 'Y'<<24 // 4:2:2 packed, U Y0 V Y1
	NV12    Format = 'N' | 'V'<<8 | '1'<<16 | '2'<<24 // 4:2:0, Y then interleaved UV of the same stride
	RGB24   Format = 'R' | 'G'<<8 | 'B'<<16 | '3'<<24 // 8-8-8
	YUV420  Format = 'Y' | 'U'<<8 | '1'<<16 | '2'<<24 // 4:2:0 planar, chroma stride (Stride+1)/2
	YUV422P Format = '4' | '2'<<8 | '2'<<16 | 'P'<<24 // 4:2:2 planar, chroma stride (Stride+1)/2
	YUV444P Format = '4' | '4'<<8 | '4'<<16 | 'P'<<24 // 4:4:4 planar, not a V4L2 code: what some JPEGs decode to
	MJPEG   Format = 'M' | 'J'<<8 | 'P'<<16 | 'G'<<24 // motion JPEG: one JPEG file a frame
)

// String gives the four characters of the code.
func (f Format) String() string {
	b := [4]byte{byte(f), byte(f >> 8), byte(f >> 16), byte(f >> 24)}
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			return fmt.Sprintf("0x%08x", uint32(f))
		}
	}
	return string(b[:])
}

// Mounting says how the camera's picture becomes upright: first Turn quarter
// turns clockwise, then, with Mirror, left and right exchanged. The zero
// Mounting is a camera that stands upright.
type Mounting struct {
	Turn   int // quarter turns clockwise; any integer, modulo 4
	Mirror bool
}

// Image is one picture in memory. Width, Height and Stride are those of the data;
// coordinates everywhere else are those of the upright picture, whose size Upright
// gives.
type Image struct {
	Format        Format
	Width, Height int
	Stride        int // bytes a row of the first plane; 0: no padding
	Data          []byte
	FullRange     bool // YUV values span 0..255 (JFIF), not BT.601's 16..235
	Mounting      Mounting
}

// Upright gives the picture's width and height after its Mounting.
func (m Image) Upright() (width, height int) {
	if m.Mounting.Turn&1 != 0 {
		return m.Height, m.Width
	}
	return m.Width, m.Height
}

// Check says whether the sampling functions can read the picture: an error
// wraps ErrFormat or ErrSize.
func (m *Image) Check() error {
	_, err := m.layout()
	return err
}

// Fetch brings the luma of a part of the upright picture into the processor's caches,
// before much of it is read. What a camera wrote lies in memory, and those who read it
// would wait for one cache line after the other; these reads do not wait for each
// other. What lies outside the picture is left out, and so is a picture that fails
// Check.
func Fetch(img *Image, part Rect) {
	const line = 64 // bytes, of most processors
	l, err := img.layout()
	if err != nil {
		return
	}
	part = img.toSensor(part)
	first, end := max(part.X0, 0)*l.step, min(part.X1, img.Width)*l.step
	var all byte
	for y := max(part.Y0, 0); y < min(part.Y1, img.Height); y++ {
		row := img.Data[y*l.stride:]
		for x := first; x < end; x += line {
			all ^= row[x]
		}
	}
	runtime.KeepAlive(all) // or the compiler leaves the reads out
}

// colour tells whether the format has chroma beside its luma.
func (m *Image) colour() bool { return m.Format != GREY && m.Format != RGB24 }

// layout is where the samples of a picture lie.
type layout struct {
	stride, step int // bytes a row, bytes a luma sample
	row          int // bytes of a row without padding
	luma         int // offset of the first luma sample
	u, v         int // offset of the first chroma samples
	chromaStride int
	chromaStep   int  // bytes from one chroma sample to the next
	sx, sy       uint // chroma subsampling as shifts
	colour       bool // u and v hold
	need         int  // bytes
}

// maxSide keeps every product of coordinates in 32 bits.
const maxSide = 16384

func (m *Image) layout() (layout, error) {
	var l layout
	if m.Width < 1 || m.Height < 1 || m.Width > maxSide || m.Height > maxSide {
		return l, fmt.Errorf("%s picture of %dx%d: sides must be 1..%d: %w", m.Format, m.Width, m.Height, maxSide, ErrSize)
	}
	w, h := m.Width, m.Height
	row := w // bytes a row without padding
	switch m.Format {
	case GREY, YUV420, YUV422P, YUV444P:
		l.step = 1
	case NV12: // the UV rows, of the same stride, hold whole pairs
		l.step = 1
		row = (w + 1) / 2 * 2
	case YUYV, UYVY:
		l.step = 2
		row = (w + 1) / 2 * 4
	case RGB24:
		l.step = 3
		row = 3 * w
	default:
		return l, fmt.Errorf("read %s picture: %w", m.Format, ErrFormat)
	}
	l.row = row
	l.stride = m.Stride
	if l.stride == 0 {
		l.stride = row
	}
	if l.stride < row || l.stride > 16*maxSide {
		return l, fmt.Errorf("%s picture of %dx%d: stride %d is not %d or a little more: %w", m.Format, w, h, m.Stride, row, ErrSize)
	}
	plane := l.stride * h
	l.need = l.stride*(h-1) + row
	chroma := func(sx, sy uint, stride, step int) {
		l.colour, l.sx, l.sy, l.chromaStride, l.chromaStep = true, sx, sy, stride, step
	}
	switch m.Format {
	case YUYV:
		chroma(1, 0, l.stride, 4)
		l.u, l.v = 1, 3
	case UYVY:
		chroma(1, 0, l.stride, 4)
		l.luma, l.u, l.v = 1, 0, 2
	case NV12:
		chroma(1, 1, l.stride, 2)
		l.u, l.v = plane, plane+1
		l.need = plane + l.stride*((h+1)/2-1) + (w+1)/2*2
	case YUV420, YUV422P, YUV444P:
		cs, ch := (l.stride+1)/2, h
		switch m.Format {
		case YUV420:
			ch = (h + 1) / 2
			chroma(1, 1, cs, 1)
		case YUV422P:
			chroma(1, 0, cs, 1)
		default:
			cs = l.stride
			chroma(0, 0, cs, 1)
		}
		l.u, l.v = plane, plane+cs*ch
		cw := w
		if m.Format != YUV444P {
			cw = (w + 1) / 2
		}
		l.need = l.v + cs*(ch-1) + cw
	}
	if len(m.Data) < l.need {
		return l, fmt.Errorf("%s picture of %dx%d, stride %d: %d bytes, needs %d: %w", m.Format, w, h, l.stride, len(m.Data), l.need, ErrSize)
	}
	return l, nil
}
