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
	vidiocEnumFmt   = iocRead | iocWrite | 'V'<<8 | 2 | unsafe.Sizeof(v4l2FmtDesc{})<<16
	vidiocGCtrl     = iocRead | iocWrite | 'V'<<8 | 27 | unsafe.Sizeof(v4l2Control{})<<16
	vidiocSCtrl     = iocRead | iocWrite | 'V'<<8 | 28 | unsafe.Sizeof(v4l2Control{})<<16
	vidiocQueryCtrl = iocRead | iocWrite | 'V'<<8 | 36 | unsafe.Sizeof(v4l2QueryCtrl{})<<16
	vidiocQueryMenu = iocRead | iocWrite | 'V'<<8 | 37 | unsafe.Sizeof(v4l2QueryMenu{})<<16
	vidiocEnumSizes = iocRead | iocWrite | 'V'<<8 | 74 | unsafe.Sizeof(v4l2FrmSizeEnum{})<<16
	vidiocEnumRates = iocRead | iocWrite | 'V'<<8 | 75 | unsafe.Sizeof(v4l2FrmIvalEnum{})<<16
	vidiocStreamOn  = iocWrite | 'V'<<8 | 18 | 4<<16
	vidiocStreamOff = iocWrite | 'V'<<8 | 19 | 4<<16
	vidiocSParm     = iocRead | iocWrite | 'V'<<8 | 22 | unsafe.Sizeof(v4l2StreamParm{})<<16
)

// Codes under which a format that mien reads comes too: some drivers' name for MJPEG,
// and formats whose planes lie in memory of their own each (V4L2_PIX_FMT_NV12M,
// _YUV420M, _YUV422M), which only multi-planar nodes have.
const (
	fourccJPEG    uint32 = 'J' | 'P'<<8 | 'E'<<16 | 'G'<<24
	fourccNV12M   uint32 = 'N' | 'M'<<8 | '1'<<16 | '2'<<24
	fourccYUV420M uint32 = 'Y' | 'M'<<8 | '1'<<16 | '2'<<24
	fourccYUV422M uint32 = 'Y' | 'M'<<8 | '1'<<16 | '6'<<24
)

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
	bufTypeVideoCapture       = 1      // V4L2_BUF_TYPE_VIDEO_CAPTURE
	bufTypeVideoCaptureMplane = 9      // V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE
	memoryMmap                = 1      // V4L2_MEMORY_MMAP
	parmTimePerFrame          = 0x1000 // V4L2_CAP_TIMEPERFRAME

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

// enum v4l2_frmsizetypes and v4l2_frmivaltypes have the same numbers.
const (
	frmDiscrete   = 1
	frmContinuous = 2
	frmStepwise   = 3
)

// enum v4l2_ctrl_type and V4L2_CTRL_FLAG_..., as far as they are set here.
const (
	ctrlInteger     = 1
	ctrlBoolean     = 2
	ctrlMenu        = 3
	ctrlBitmask     = 8
	ctrlIntegerMenu = 9

	ctrlFlagDisabled  = 0x0001
	ctrlFlagReadOnly  = 0x0004
	ctrlFlagInactive  = 0x0010
	ctrlFlagWriteOnly = 0x0040
	ctrlFlagNext      = 0x80000000
)

type v4l2FmtDesc struct {
	index       uint32
	typ         uint32
	flags       uint32
	description [32]byte
	pixelFormat uint32
	_           [4]uint32
}

// v4l2FrmSizeEnum is struct v4l2_frmsizeenum; a discrete size stands in the first two
// of its numbers.
type v4l2FrmSizeEnum struct {
	index, pixelFormat, typ          uint32
	minWidth, maxWidth, stepWidth    uint32
	minHeight, maxHeight, stepHeight uint32
	_                                [2]uint32
}

// v4l2FrmIvalEnum is struct v4l2_frmivalenum; a discrete interval is its first one.
type v4l2FrmIvalEnum struct {
	index, pixelFormat, width, height, typ uint32
	min, max, step                         v4l2Fract
	_                                      [2]uint32
}

type v4l2Control struct {
	id    uint32
	value int32
}

type v4l2QueryCtrl struct {
	id, typ                uint32
	name                   [32]byte
	min, max, step, preset int32
	flags                  uint32
	_                      [2]uint32
}

// v4l2QueryMenu is struct v4l2_querymenu; of an integer menu the name is a number.
type v4l2QueryMenu struct {
	id, index uint32
	name      [32]byte
	_         uint32
}

// v4l2Plane is struct v4l2_plane with its union's mem_offset, which has the size of
// a pointer.
type v4l2Plane struct {
	bytesUsed  uint32
	length     uint32
	offset     uintptr
	dataOffset uint32
	_          [11]uint32
}

// maxPlanes is how many planes the formats read here have.
const maxPlanes = 3

// v4l2PixFormatMplane is struct v4l2_pix_format_mplane.
type v4l2PixFormatMplane struct {
	width, height uint32
	pixelFormat   uint32
	field         uint32
	colorspace    uint32
	plane         [8]v4l2PlanePixFormat
	planes        uint8
	_             [11]uint8
}

type v4l2PlanePixFormat struct {
	sizeImage    uint32
	bytesPerLine uint32
	_            [6]uint16
}

// mplane is the format's union as a multi-planar node has it.
func (f *v4l2Format) mplane() *v4l2PixFormatMplane {
	return (*v4l2PixFormatMplane)(unsafe.Pointer(&f.pix))
}

// setPlanes lets a multi-planar buffer point to its planes. They lie in memory that
// Go does not move: a struct that was allocated, not a stack's.
func (b *v4l2Buffer) setPlanes(first *v4l2Plane, n int) {
	*(*uintptr)(unsafe.Pointer(&b.offset)) = uintptr(unsafe.Pointer(first))
	b.length = uint32(n)
}

// planes are those that setPlanes set.
func (b *v4l2Buffer) planes() []v4l2Plane {
	return unsafe.Slice(*(**v4l2Plane)(unsafe.Pointer(&b.offset)), b.length)
}

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

// bufType is the type of the node's buffers: multi-planar where it has no other.
func (c *v4l2Capability) bufType() uint32 {
	if c.caps()&capVideoCapture == 0 && c.caps()&capVideoCaptureMplane != 0 {
		return bufTypeVideoCaptureMplane
	}
	return bufTypeVideoCapture
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
