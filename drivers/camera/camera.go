// Package camera gives frames: from a V4L2 camera, from a clip or a folder of
// pictures, and from a fake. All three stand behind one small interface, and
// the caller cannot tell them apart.
//
//	src, err := camera.Open(camera.Settings{Device: "usb-046d_C270-video-index0"})
//	…
//	defer src.Close()
//	for {
//		frame, err := src.Next(time.Second)
//		if errors.Is(err, camera.ErrTimeout) {
//			continue // no frame yet
//		}
//		if err != nil {
//			return err // ErrGone: unplugged; Close, wait, Open. ErrEnd: the clip is over
//		}
//		use(frame.Data)   // valid until Release
//		src.Release()     // the buffer goes back to the driver
//	}
//
// # Why a capture path of our own
//
// github.com/blackjack/webcam does what it is good at: it lists a node's
// formats, sizes, frame rates and controls, and sets controls. Frames come
// through our own thin layer on the same node, because webcam v0.6.1
//   - drops the driver's timestamp, sequence number and error flag, so that
//     frame times, lost frames and damaged frames cannot be known,
//   - gives back the size that was asked for instead of the driver's, and no
//     stride,
//   - waits in whole seconds and cannot be woken by Close,
//   - reports every failure of a stream's start as text, without the errno, and
//     leaves its maps behind,
//   - lists continuous ranges of sizes and rates as nothing,
//   - looks at capabilities instead of device_caps, so that the metadata node of
//     a USB camera opens as a camera,
//   - knows one layout of struct v4l2_buffer on 32-bit ARM, the one with 32-bit
//     seconds that newer kernels may be built without.
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
package camera

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Source gives frames, always the newest. One goroutine calls Next and Release;
// Info and Close may be called from any other.
type Source interface {
	// Next waits up to timeout for a frame newer than the last and returns it.
	// The frame and its Data are valid until Release or the next call of Next;
	// a frame that is out when Close is called stays readable until Release. A
	// timeout of 0 or less looks once.
	//
	// Errors: ErrTimeout (ask again), ErrGone (close and open again), ErrEnd (a
	// clip has ended), ErrClosed (Close was called).
	Next(timeout time.Duration) (*Frame, error)

	// Release hands the frame back. A frame that was out when Close was called
	// needs it too: until then its memory stays mapped, and on Linux before 4.20
	// the device stays busy. Without a frame out it does nothing.
	Release() error

	// Info tells what was opened and what happened so far.
	Info() Info

	// Close frees everything and wakes a waiting Next. Closing twice is no error.
	Close() error
}

// Frame is one picture. Data is read-only memory of the driver or the clip.
//
// Packed formats hold Height rows of Stride bytes. NV12 and YUV420 hold their
// luma plane so, and behind it the chroma: NV12 (Height+1)/2 rows of Stride
// bytes, YUV420 twice (Height+1)/2 rows of (Stride+1)/2 bytes. MJPEG is one
// whole JPEG file from SOI to EOI, which may lack its Huffman tables; Stride is 0.
type Frame struct {
	Data          []byte
	Format        uint32 // fourcc, one of the formats below
	Width, Height int    // pixels
	Stride        int    // bytes from one row to the next; 0 for MJPEG
	Sequence      uint32 // the driver's count of frames; wraps
	// Time is when the picture was taken by the driver's clock, CLOCK_MONOTONIC. It
	// never goes back. A driver may stamp the end of the frame in advance (vivid
	// does), so that it lies up to one frame ahead of Now.
	Time time.Duration
	Lost uint32 // frames lost, damaged or passed over since the last one handed out
}

// Pixel formats that a Source may give: the V4L2 fourcc of videodev2.h.
const (
	GREY   uint32 = 'G' | 'R'<<8 | 'E'<<16 | 'Y'<<24 // 8-bit luma
	YUYV   uint32 = 'Y' | 'U'<<8 | 'Y'<<16 | 'V'<<24 // 4:2:2 packed, Y0 Cb Y1 Cr
	UYVY   uint32 = 'U' | 'Y'<<8 | 'V'<<16 | 'Y'<<24 // 4:2:2 packed, Cb Y0 Cr Y1
	NV12   uint32 = 'N' | 'V'<<8 | '1'<<16 | '2'<<24 // 4:2:0, luma plane, then CbCr interleaved
	YUV420 uint32 = 'Y' | 'U'<<8 | '1'<<16 | '2'<<24 // 4:2:0, three planes Y, Cb, Cr
	RGB24  uint32 = 'R' | 'G'<<8 | 'B'<<16 | '3'<<24 // 8-8-8, red first
	MJPEG  uint32 = 'M' | 'J'<<8 | 'P'<<16 | 'G'<<24 // one JPEG a frame

	fourccJPEG uint32 = 'J' | 'P'<<8 | 'E'<<16 | 'G'<<24 // some drivers' name for MJPEG; given out as MJPEG
)

// preference is the order in which formats are tried when none is named: first
// those whose luma lies together, then packed 4:2:2, grey before RGB because it
// carries the same luma in a third of the bytes, and last MJPEG, which costs a
// decode. Size and frame rate come before this order; see choose.
var preference = []uint32{NV12, YUV420, YUYV, UYVY, GREY, RGB24, MJPEG, fourccJPEG}

// Errors a caller decides on; every error that a Source returns wraps one of
// them or the operating system's own.
var (
	ErrTimeout     = errors.New("no frame in time")
	ErrGone        = errors.New("camera gone")       // unplugged, or its driver stopped the stream: close and open again
	ErrEnd         = errors.New("end of clip")       // stays so
	ErrClosed      = errors.New("camera closed")     // by Close
	ErrUnsupported = errors.New("not supported")     // this device or file never works as it is; the text names the way out
	ErrBusy        = errors.New("camera in use")     // by another program, named where it can be
	ErrPermission  = errors.New("permission denied") // the text names the group
	ErrNotFound    = errors.New("no camera found")   // not plugged in, or no such file
)

// Info describes an open Source. The size and format are the driver's, not the
// ones asked for.
type Info struct {
	Name   string // the card's name, or the clip's
	Device string // the node or file that was opened
	Driver string // kernel driver; "clip" or "fake" otherwise
	Bus    string // where it is plugged in; empty for clips

	Format        uint32
	Width, Height int
	Stride        int     // bytes; 0 for MJPEG
	FPS           float64 // frames a second as the driver set them; 0: it does not say
	Frames        int     // a clip's length in frames; 0: endless

	// Live: Frame.Time can be compared with Now. A clip played as fast as it
	// goes runs ahead of it.
	Live bool
	// Stamped: the times are the driver's; otherwise they are taken when the
	// frame is handed out, or made up for a clip.
	Stamped bool

	Counts   Counts
	Warnings []string // in words: size or rate that had to differ, a clip cut short, pictures skipped
}

// Counts since the source was opened. Damaged, passed-over and missed frames
// also appear in Frame.Lost.
type Counts struct {
	Frames     uint64 // handed out
	Lost       uint64 // sum of Frame.Lost
	Flagged    uint64 // error flag set by the driver
	Short      uint64 // fewer bytes than the picture needs
	Corrupt    uint64 // JPEG without SOI, EOI or a readable header; unreadable picture of a folder
	WrongSize  uint64 // JPEG of another size than agreed
	PassedOver uint64 // whole, but a newer one was there
	QueueFails uint64 // buffers that the driver did not take back at once
}

// FormatName writes a fourcc as text: "YUYV", "pBAA", or hexadecimal when it is
// not printable.
func FormatName(fourcc uint32) string {
	b := [4]byte{byte(fourcc), byte(fourcc >> 8), byte(fourcc >> 16), byte(fourcc >> 24 & 0x7f)}
	for _, c := range b {
		if c < ' ' || c > '~' {
			return fmt.Sprintf("%#08x", fourcc)
		}
	}
	name := strings.TrimRight(string(b[:]), " ")
	if fourcc>>31 != 0 {
		name += "-BE" // V4L2 marks big-endian variants in the top bit
	}
	return name
}

// ParseFormat reads a format's name as FormatName writes it, in any case, and
// the names people use: MJPG and MJPEG, YUY2, I420, GRAY.
func ParseFormat(name string) (uint32, error) {
	switch strings.ToUpper(name) {
	case "MJPG", "MJPEG", "JPEG":
		return MJPEG, nil
	case "YUYV", "YUY2":
		return YUYV, nil
	case "UYVY":
		return UYVY, nil
	case "NV12":
		return NV12, nil
	case "GREY", "GRAY", "Y8":
		return GREY, nil
	case "YU12", "I420", "YUV420":
		return YUV420, nil
	case "RGB3", "RGB24":
		return RGB24, nil
	}
	return 0, fmt.Errorf("pixel format %q: %w: known are NV12, YU12, YUYV, UYVY, GREY, RGB3, MJPG", name, ErrUnsupported)
}

// planeSize gives the least stride of a format at a width, and the bytes of a
// whole picture at a stride. MJPEG has neither.
func planeSize(format uint32, width, height, stride int) (minStride, size int) {
	switch format {
	case GREY:
		return width, stride * height
	case YUYV, UYVY:
		return (width + 1) / 2 * 4, stride * height
	case RGB24:
		return width * 3, stride * height
	case NV12:
		return width, stride * (height + (height+1)/2)
	case YUV420:
		return width, stride*height + (stride+1)/2*((height+1)/2)*2
	}
	return 0, 0
}
