// Package y4m reads the two lines of a YUV4MPEG2 stream, as mjpegtools defines it
// (yuv4mpeg(5)): a line of parameters, then frames of one fixed size, each behind a
// line "FRAME".
package y4m

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"mien/drivers/camera"
)

// Magic is how a stream begins.
const Magic = "YUV4MPEG2"

// The longest lines taken, in bytes: a real stream's first one has some 60.
const (
	MaxHeader = 1024
	MaxFrame  = 256
)

// Header is what a stream's first line says.
type Header struct {
	Format        uint32 // camera.YUV420, camera.YUV422P or camera.GREY
	Width, Height int    // pixels
	Num, Den      int64  // frames a second = Num/Den; 0 where it does not say
	Length        int    // bytes of a frame
}

// Parse reads the first line, without its end. Errors wrap camera.ErrUnsupported.
func Parse(line []byte) (h Header, err error) {
	h.Format = camera.YUV420 // the default of the format
	fields := strings.Fields(string(line))
	if len(fields) == 0 || fields[0] != Magic {
		return h, fmt.Errorf("%w: it begins with %.20q, not %s", camera.ErrUnsupported, line, Magic)
	}
	for _, p := range fields[1:] {
		switch value := p[1:]; p[0] {
		case 'W':
			h.Width, err = strconv.Atoi(value)
		case 'H':
			h.Height, err = strconv.Atoi(value)
		case 'F':
			n, d, _ := strings.Cut(value, ":")
			if h.Num, err = strconv.ParseInt(n, 10, 32); err == nil {
				h.Den, err = strconv.ParseInt(d, 10, 32)
			}
		case 'C':
			switch value {
			case "420", "420jpeg", "420mpeg2", "420paldv":
				h.Format = camera.YUV420
			case "422":
				h.Format = camera.YUV422P
			case "mono":
				h.Format = camera.GREY
			default:
				return h, fmt.Errorf("%w: colour space C%s; mono, and 4:2:0 and 4:2:2 of 8 bits are read: ffmpeg -i FILE -pix_fmt yuv420p OUT.y4m", camera.ErrUnsupported, value)
			}
		}
		if err != nil {
			return h, fmt.Errorf("%w: parameter %q of the YUV4MPEG2 header: %w", camera.ErrUnsupported, p, err)
		}
	}
	if h.Width < 1 || h.Height < 1 || h.Width > camera.MaxSide || h.Height > camera.MaxSide {
		return h, fmt.Errorf("%w: the YUV4MPEG2 header says %dx%d pixels; 1 to %d each way", camera.ErrUnsupported, h.Width, h.Height, camera.MaxSide)
	}
	if h.Num <= 0 || h.Den <= 0 {
		h.Num, h.Den = 0, 0 // "F0:0": unknown
	}
	_, h.Length = camera.PlaneSize(h.Format, h.Width, h.Height, h.Width)
	return h, nil
}

// ErrNoFrame: there is no FRAME line where a frame should begin.
var ErrNoFrame = errors.New("no FRAME line")

var word = []byte("FRAME")

// Frame gives where in b, which begins with a FRAME line, the frame's data begin.
// 0 without an error: b may be the beginning of such a line.
func Frame(b []byte) (data int, err error) {
	b = b[:min(len(b), MaxFrame)]
	n := min(len(b), len(word))
	if !bytes.Equal(b[:n], word[:n]) || len(b) > n && b[n] != '\n' && b[n] != ' ' {
		return 0, ErrNoFrame
	}
	end := bytes.IndexByte(b, '\n')
	if end < 0 && len(b) == MaxFrame {
		return 0, ErrNoFrame
	}
	return end + 1, nil
}
