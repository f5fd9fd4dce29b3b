package v4l2

import (
	"math"
	"time"
	"unsafe"
)

// Kernel layout of the V4L2 calls used here: sizes and numbers only. Source:
// include/uapi/linux/videodev2.h. struct v4l2_buffer and struct v4l2_format
// differ between 64-bit and 32-bit processors and stand in uapi_64.go and
// uapi_arm.go; a test compares all of them with the C compiler's.

// _IOC of include/uapi/asm-generic/ioctl.h: 2 bits direction, 14 size, 8 type,
// 8 number.
const (
	iocWrite uintptr = 1 << 30
	iocRead  uintptr = 2 << 30
)

const (
	vidiocQueryCap  = iocRead | 'V'<<8 | 0 | unsafe.Sizeof(v4l2Capability{})<<16
	vidiocSFmt      = iocRead | iocWrite | 'V'<<8 | 5 | unsafe.Sizeof(v4l2Format{})<<16
	vidiocReqBufs   = iocRead | iocWrite | 'V'<<8 | 8 | unsafe.Sizeof(v4l2RequestBuffers{})<<16
	vidiocQueryBuf  = iocRead | iocWrite | 'V'<<8 | 9 | unsafe.Sizeof(v4l2Buffer{})<<16
	vidiocQBuf      = iocRead | iocWrite | 'V'<<8 | 15 | unsafe.Sizeof(v4l2Buffer{})<<16
	vidiocDQBuf     = iocRead | iocWrite | 'V'<<8 | 17 | unsafe.Sizeof(v4l2Buffer{})<<16
	vidiocStreamOn  = iocWrite | 'V'<<8 | 18 | 4<<16
	vidiocStreamOff = iocWrite | 'V'<<8 | 19 | 4<<16
	vidiocSParm     = iocRead | iocWrite | 'V'<<8 | 22 | unsafe.Sizeof(v4l2StreamParm{})<<16
)

const fourccJPEG uint32 = 'J' | 'P'<<8 | 'E'<<16 | 'G'<<24 // some drivers' name for MJPEG

// V4L2_CAP_...
const (
	capVideoCapture       = 0x00000001
	capVideoOutput        = 0x00000002
	capVideoCaptureMplane = 0x00001000
	capVideoM2MMplane     = 0x00004000
	capVideoM2M           = 0x00008000
	capMetaCapture        = 0x00800000
	capStreaming          = 0x04000000
	capIOMC               = 0x20000000
	capDeviceCaps         = 0x80000000
)

const (
	bufTypeVideoCapture = 1      // V4L2_BUF_TYPE_VIDEO_CAPTURE
	memoryMmap          = 1      // V4L2_MEMORY_MMAP
	parmTimePerFrame    = 0x1000 // V4L2_CAP_TIMEPERFRAME

	bufFlagError           = 0x0040 // V4L2_BUF_FLAG_ERROR
	bufFlagTimestampMask   = 0xe000
	bufFlagTimestampMono   = 0x2000
	bufFlagTimestampCopied = 0x4000 // by a memory-to-memory or loopback device, from its producer
)

// enum v4l2_field, as far as whole pictures go.
const (
	fieldAny          = 0
	fieldNone         = 1
	fieldTop          = 2
	fieldBottom       = 3
	fieldInterlaced   = 4
	fieldInterlacedTB = 8
	fieldInterlacedBT = 9
)

type v4l2Capability struct {
	driver       [16]byte
	card         [32]byte
	busInfo      [32]byte
	version      uint32
	capabilities uint32
	deviceCaps   uint32
	_            [3]uint32
}

// caps are those of the opened node; capabilities are those of all nodes of the
// device together.
func (c *v4l2Capability) caps() uint32 {
	if c.capabilities&capDeviceCaps != 0 {
		return c.deviceCaps
	}
	return c.capabilities
}

// v4l2PixFormat is struct v4l2_pix_format.
type v4l2PixFormat struct {
	width, height uint32
	pixelFormat   uint32
	field         uint32
	bytesPerLine  uint32
	sizeImage     uint32
	colorspace    uint32
	priv          uint32
	flags         uint32
	ycbcrEnc      uint32
	quantization  uint32
	xferFunc      uint32
}

type v4l2RequestBuffers struct {
	count  uint32
	typ    uint32
	memory uint32
	_      [2]uint32
}

type v4l2Fract struct{ numerator, denominator uint32 }

// v4l2StreamParm is struct v4l2_streamparm with its capture member.
type v4l2StreamParm struct {
	typ          uint32
	capability   uint32
	captureMode  uint32
	timePerFrame v4l2Fract
	_            [200 - 4*4]byte
}

type v4l2Timecode [16]byte

// time is the buffer's, at most what a Duration holds: 292 years.
func (b *v4l2Buffer) time() time.Duration {
	if b.sec >= math.MaxInt64/int64(time.Second) || b.usec >= 1e6 {
		return math.MaxInt64
	}
	return time.Duration(b.sec)*time.Second + time.Duration(b.usec)*time.Microsecond
}
