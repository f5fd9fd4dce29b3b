//go:build amd64 || arm64

package v4l2

import (
	"unsafe"
)

// v4l2Format is struct v4l2_format with its pix member. The union holds
// pointers and is therefore aligned to 8 bytes.
type v4l2Format struct {
	typ uint32
	_   uint32
	pix v4l2PixFormat
	_   [200 - 48]byte
}

// v4l2Buffer is struct v4l2_buffer, 88 bytes. The union m has the size of a
// pointer; MMAP uses its offset.
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
	_         uint32
	length    uint32
	_         uint32
	requestFD int32
	_         uint32
}

// layout: there is but one on 64 bits.
type layout struct{}

// buffer makes one of the three calls that carry a v4l2Buffer.
func (n *kernelNode) buffer(req uintptr, b *v4l2Buffer) error { return n.ioctl(req, unsafe.Pointer(b)) }
