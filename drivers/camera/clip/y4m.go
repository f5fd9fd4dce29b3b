package clip

import (
	"bytes"
	"fmt"

	"mien/drivers/camera"
	stream "mien/drivers/camera/y4m"
)

// y4m is a YUV4MPEG2 file.
type y4m struct {
	stream.Header
	s      store
	frames []int64 // where each frame's data begin
	tail   error
}

func openY4M(s store) (*y4m, error) {
	head, err := s.View(0, stream.MaxHeader)
	if err != nil {
		return nil, err
	}
	end := bytes.IndexByte(head, '\n')
	if end < 0 {
		return nil, fmt.Errorf("%w: the YUV4MPEG2 header has no end in its first %d bytes", camera.ErrUnsupported, len(head))
	}
	y := &y4m{s: s}
	if y.Header, err = stream.Parse(head[:end]); err != nil {
		return nil, err
	}
	return y, y.index(int64(end) + 1)
}

// index finds the frames; each may carry parameters, so their places vary.
func (y *y4m) index(at int64) error {
	for at < y.s.Size() {
		line, err := y.s.View(at, stream.MaxFrame)
		if err != nil {
			return err
		}
		data, err := stream.Frame(line)
		switch {
		case err != nil:
			y.tail = fmt.Errorf("damaged: no FRAME line at byte %d, where frame %d should begin; what follows is not played", at, len(y.frames)+1)
			return nil
		case data == 0:
			y.tail = fmt.Errorf("cut short at the header of frame %d", len(y.frames)+1)
			return nil
		}
		at += int64(data)
		if left := y.s.Size() - at; left < int64(y.Length) {
			y.tail = fmt.Errorf("cut short in frame %d: %d of %d bytes", len(y.frames)+1, left, y.Length)
			return nil
		}
		y.frames = append(y.frames, at)
		at += int64(y.Length)
	}
	return nil
}

func (y *y4m) count() int { return len(y.frames) }

func (y *y4m) load(i int, f *camera.Frame) error {
	data, err := y.s.View(y.frames[i], y.Length)
	if err != nil {
		return fmt.Errorf("frame %d: %w", i+1, err)
	}
	if len(data) < y.Length {
		return fmt.Errorf("frame %d: the file became shorter while it was played", i+1)
	}
	f.Data, f.Format, f.Width, f.Height, f.Stride = data, y.Format, y.Width, y.Height, y.Width
	return nil
}

func (y *y4m) cut() error   { return y.tail }
func (y *y4m) close() error { return y.s.close() }
