package clip

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"mien/drivers/camera"
)

// y4m is a YUV4MPEG2 stream as mjpegtools defines it (yuv4mpeg(5)): a line of
// parameters, then frames of one fixed size, each behind a line "FRAME".
type y4m struct {
	s             store
	format        uint32
	width, height int
	length        int     // bytes of a frame
	frames        []int64 // where each frame's data begin
	num, den      int64   // frames a second; 0 when the file does not say
	tail          error
}

// The longest lines taken: a real stream header has some 60 bytes.
const (
	maxY4MHeader = 1024
	maxY4MFrame  = 256
)

func openY4M(s store) (*y4m, error) {
	head, err := s.View(0, maxY4MHeader)
	if err != nil {
		return nil, err
	}
	end := bytes.IndexByte(head, '\n')
	if end < 0 {
		return nil, fmt.Errorf("%w: the YUV4MPEG2 header has no end in its first %d bytes", camera.ErrUnsupported, len(head))
	}
	y := &y4m{s: s}
	if err := y.header(string(head[:end])); err != nil {
		return nil, err
	}
	return y, y.index(int64(end) + 1)
}

func (y *y4m) header(line string) error {
	y.format = camera.YUV420 // the default of the format
	fields := strings.Fields(line)
	if fields[0] != "YUV4MPEG2" {
		return fmt.Errorf("%w: the file begins with %q, not YUV4MPEG2", camera.ErrUnsupported, fields[0])
	}
	for _, p := range fields[1:] {
		var err error
		switch value := p[1:]; p[0] {
		case 'W':
			y.width, err = strconv.Atoi(value)
		case 'H':
			y.height, err = strconv.Atoi(value)
		case 'F':
			n, d, _ := strings.Cut(value, ":")
			if y.num, err = strconv.ParseInt(n, 10, 32); err == nil {
				y.den, err = strconv.ParseInt(d, 10, 32)
			}
		case 'C':
			switch value {
			case "420", "420jpeg", "420mpeg2", "420paldv":
				y.format = camera.YUV420
			case "mono":
				y.format = camera.GREY
			default:
				return fmt.Errorf("%w: colour space C%s; mono and 8-bit 4:2:0 are played: ffmpeg -i FILE -pix_fmt yuv420p OUT.y4m", camera.ErrUnsupported, value)
			}
		}
		if err != nil {
			return fmt.Errorf("%w: parameter %q of the YUV4MPEG2 header: %w", camera.ErrUnsupported, p, err)
		}
	}
	if y.width < 1 || y.height < 1 || y.width > camera.MaxSide || y.height > camera.MaxSide {
		return fmt.Errorf("%w: the YUV4MPEG2 header says %dx%d pixels; 1 to %d each way", camera.ErrUnsupported, y.width, y.height, camera.MaxSide)
	}
	if y.num <= 0 || y.den <= 0 {
		y.num, y.den = 0, 0 // "F0:0": unknown
	}
	_, y.length = camera.PlaneSize(y.format, y.width, y.height, y.width)
	return nil
}

// index finds the frames; each may carry parameters, so their places vary.
func (y *y4m) index(at int64) error {
	for at < y.s.Size() {
		line, err := y.s.View(at, maxY4MFrame)
		if err != nil {
			return err
		}
		end := bytes.IndexByte(line, '\n')
		if end < 0 || !bytes.HasPrefix(line, []byte("FRAME")) {
			if end < 0 && at+int64(len(line)) == y.s.Size() && bytes.HasPrefix([]byte("FRAME"), line[:min(5, len(line))]) {
				y.tail = fmt.Errorf("cut short at the header of frame %d", len(y.frames)+1)
			} else {
				y.tail = fmt.Errorf("damaged: no FRAME line at byte %d, where frame %d should begin; what follows is not played", at, len(y.frames)+1)
			}
			return nil
		}
		at += int64(end) + 1
		if left := y.s.Size() - at; left < int64(y.length) {
			y.tail = fmt.Errorf("cut short in frame %d: %d of %d bytes", len(y.frames)+1, left, y.length)
			return nil
		}
		y.frames = append(y.frames, at)
		at += int64(y.length)
	}
	return nil
}

func (y *y4m) count() int { return len(y.frames) }

func (y *y4m) load(i int, f *camera.Frame) error {
	data, err := y.s.View(y.frames[i], y.length)
	if err != nil {
		return fmt.Errorf("frame %d: %w", i+1, err)
	}
	if len(data) < y.length {
		return fmt.Errorf("frame %d: the file became shorter while it was played", i+1)
	}
	f.Data, f.Format, f.Width, f.Height, f.Stride = data, y.format, y.width, y.height, y.width
	return nil
}

func (y *y4m) cut() error   { return y.tail }
func (y *y4m) close() error { return y.s.close() }
