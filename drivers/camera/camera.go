// Package camera is what a picture's source is to the rest: one small interface,
// behind which stand a V4L2 camera (room v4l2), a clip or a folder of pictures
// (room clip), and the fake of this package. The caller cannot tell them apart.
//
//	src, err := v4l2.Open(v4l2.Settings{Device: "usb-046d_C270-video-index0"})
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
package camera

import (
	"errors"
	"fmt"
	"slices"
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
// bytes, YUV420 twice (Height+1)/2 rows and YUV422P twice Height rows, of
// (Stride+1)/2 bytes. MJPEG is one
// JPEG from SOI on, which may lack its Huffman tables and its end marker; Stride is 0.
type Frame struct {
	Data          []byte
	Format        uint32 // fourcc, one of the formats below
	Width, Height int    // pixels
	Stride        int    // bytes from one row to the next; 0 for MJPEG
	Sequence      uint32 // the driver's count of frames; wraps
	// Time is when the picture was taken by the driver, on CLOCK_MONOTONIC, or when
	// it was handed out where the driver does not say; of a program's picture, when
	// its last byte came. A device may stamp
	// the end of a frame in advance (vivid), stamp all alike, or jump: check the time
	// before you count on it.
	Time time.Duration
	Lost uint32 // frames lost, damaged or passed over since the last one handed out
}

// Pixel formats that a Source may give: the V4L2 fourcc of videodev2.h.
const (
	GREY    uint32 = 'G' | 'R'<<8 | 'E'<<16 | 'Y'<<24 // 8-bit luma
	YUYV    uint32 = 'Y' | 'U'<<8 | 'Y'<<16 | 'V'<<24 // 4:2:2 packed, Y0 Cb Y1 Cr
	UYVY    uint32 = 'U' | 'Y'<<8 | 'V'<<16 | 'Y'<<24 // 4:2:2 packed, Cb Y0 Cr Y1
	NV12    uint32 = 'N' | 'V'<<8 | '1'<<16 | '2'<<24 // 4:2:0, luma plane, then CbCr interleaved
	YUV420  uint32 = 'Y' | 'U'<<8 | '1'<<16 | '2'<<24 // 4:2:0, three planes Y, Cb, Cr
	YUV422P uint32 = '4' | '2'<<8 | '2'<<16 | 'P'<<24 // 4:2:2, three planes Y, Cb, Cr
	RGB24   uint32 = 'R' | 'G'<<8 | 'B'<<16 | '3'<<24 // 8-8-8, red first
	MJPEG   uint32 = 'M' | 'J'<<8 | 'P'<<16 | 'G'<<24 // one JPEG a frame
)

// formats is the one list of them, in the order in which they are tried when none
// is named: first those whose luma is in one piece, then packed 4:2:2, grey before
// RGB because it carries the same luma in a third of the bytes, and last MJPEG,
// which costs a decode.
var formats = []struct {
	fourcc uint32
	names  []string // the first is the one that is written; the others are read as well
}{
	{NV12, []string{"NV12"}},
	{YUV420, []string{"YU12", "I420", "YUV420"}},
	{YUV422P, []string{"422P", "YUV422P"}},
	{YUYV, []string{"YUYV", "YUY2"}},
	{UYVY, []string{"UYVY"}},
	{GREY, []string{"GREY", "GRAY", "Y8"}},
	{RGB24, []string{"RGB3", "RGB24"}},
	{MJPEG, []string{"MJPG", "MJPEG", "JPEG"}},
}

// Rank is a format's place in the order in which they are tried; ok is false for
// one that no Source gives.
func Rank(fourcc uint32) (place int, ok bool) {
	for i, f := range formats {
		if f.fourcc == fourcc {
			return i, true
		}
	}
	return len(formats), false
}

// FormatNames lists the formats for people, in that order.
func FormatNames() string {
	var names []string
	for _, f := range formats {
		names = append(names, f.names[0])
	}
	return strings.Join(names, ", ")
}

// MaxSide bounds the width and height that a file or driver may claim, in pixels,
// so that a damaged header cannot ask for all memory.
const MaxSide = 16384

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
	Driver string // kernel driver; "command", "clip" or "fake" otherwise
	Bus    string // where it is plugged in; empty for clips

	Format        uint32
	Width, Height int
	Stride        int     // bytes; 0 for MJPEG
	FPS           float64 // frames a second as the driver set them; 0: it does not say
	Frames        int     // a clip's length in frames; 0: endless

	// Live: Frame.Time can be compared with device.Now. A clip played as fast as it
	// goes runs ahead of it.
	Live bool
	// Stamped: the times are the driver's; otherwise they are taken when the
	// frame is handed out, or made up for a clip.
	Stamped bool

	// Starts is how long the first frame may take, of a program that must start
	// first; until then format and size are not known. 0: they are, and it comes at once.
	Starts time.Duration
	Said   string // a program's last words, in one line

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
// the other names people use: MJPEG, YUY2, I420, GRAY.
func ParseFormat(name string) (uint32, error) {
	for _, f := range formats {
		if slices.Contains(f.names, strings.ToUpper(name)) {
			return f.fourcc, nil
		}
	}
	return 0, fmt.Errorf("pixel format %q: %w: known are %s", name, ErrUnsupported, FormatNames())
}

// PlaneSize gives the least stride of a format at a width, and the bytes of a
// whole picture at a stride. MJPEG has neither.
func PlaneSize(format uint32, width, height, stride int) (minStride, size int) {
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
	case YUV422P:
		return width, stride*height + (stride+1)/2*height*2
	}
	return 0, 0
}
