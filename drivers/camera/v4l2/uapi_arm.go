package v4l2

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// v4l2Format is struct v4l2_format with its pix member; its union is aligned to
// 4 bytes here.
type v4l2Format struct {
	typ uint32
	pix v4l2PixFormat
	_   [200 - 48]byte
}

// v4l2Buffer is struct v4l2_buffer with 64-bit seconds, 80 bytes: the layout of
// Linux 5.6 and newer, whether the kernel itself is 32 or 64 bits wide. The ARM
// EABI aligns 64-bit integers to 8 bytes, Go on arm to 4: the gap is explicit.
type v4l2Buffer struct {
	index     uint32
	typ       uint32
	bytesUsed uint32
	flags     uint32
	field     uint32
	_         uint32
	sec       int64
	usec      int64
	timecode  v4l2Timecode
	sequence  uint32
	memory    uint32
	offset    uint32
	length    uint32
	_         uint32
	requestFD int32
}

// v4l2BufferTime32 is the layout with 32-bit seconds, 68 bytes: the only one
// before Linux 5.6, and absent from newer kernels built without
// CONFIG_COMPAT_32BIT_TIME. The monotonic clock does not outgrow it.
type v4l2BufferTime32 struct {
	index     uint32
	typ       uint32
	bytesUsed uint32
	flags     uint32
	field     uint32
	sec       int32
	usec      int32
	timecode  v4l2Timecode
	sequence  uint32
	memory    uint32
	offset    uint32
	length    uint32
	_         uint32
	requestFD int32
}

func (t *v4l2BufferTime32) from(b *v4l2Buffer) {
	*t = v4l2BufferTime32{index: b.index, typ: b.typ, bytesUsed: b.bytesUsed, flags: b.flags, field: b.field,
		sec: int32(b.sec), usec: int32(b.usec), timecode: b.timecode, sequence: b.sequence, memory: b.memory,
		offset: b.offset, length: b.length, requestFD: b.requestFD}
}

func (t *v4l2BufferTime32) to(b *v4l2Buffer) {
	*b = v4l2Buffer{index: t.index, typ: t.typ, bytesUsed: t.bytesUsed, flags: t.flags, field: t.field,
		sec: int64(t.sec), usec: int64(t.usec), timecode: t.timecode, sequence: t.sequence, memory: t.memory,
		offset: t.offset, length: t.length, requestFD: t.requestFD}
}

// layout keeps which one this kernel knows.
type layout struct {
	time32 bool
	old    v4l2BufferTime32
}

// buffer makes one of the three calls that carry a v4l2Buffer, and changes to
// the older layout for good when the kernel does not know the newer one.
func (n *kernelNode) buffer(req uintptr, b *v4l2Buffer) error {
	if !n.time32 {
		err := n.ioctl(req, unsafe.Pointer(b))
		if err != unix.ENOTTY {
			return err
		}
		n.time32 = true
	}
	const sizeMask = 0x3fff << 16
	n.old.from(b)
	err := n.ioctl(req&^sizeMask|unsafe.Sizeof(n.old)<<16, unsafe.Pointer(&n.old))
	if err == nil {
		n.old.to(b)
	}
	return err
}
