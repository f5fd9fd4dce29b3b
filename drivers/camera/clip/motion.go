package clip

import (
	"errors"
	"fmt"

	"mien/drivers/camera"
	"mien/drivers/camera/mjpeg"
)

// motion is a file of JPEGs one after the other. What stands between them (the
// headers of a multipart stream, padding) is passed over. A damaged JPEG keeps
// its place in time, so that playing shows a lost frame where a camera would
// have had one.
type motion struct {
	s      store
	frames []jpegPlace
	tail   error
}

type jpegPlace struct {
	off           int64
	length        int // 0: damaged
	width, height uint16
	why           error
}

// openMJPEG finds every JPEG without decoding. After a damaged one it looks for
// the next start marker from just behind the damaged one's own, because a wrong
// segment length may have led the walk past good frames; that is allowed for as
// many bytes as the file is long, then it goes on from where the walk stopped,
// so that no file takes more than twice its length.
func openMJPEG(s store) (*motion, error) {
	m := &motion{s: s}
	again, ends := s.Size(), false
	for at := int64(0); ; {
		off, err := mjpeg.Next(s, at)
		if err != nil {
			return nil, err
		}
		if off < 0 {
			break
		}
		f, err := mjpeg.Walk(s, off)
		end := f.End
		switch {
		case err == nil && (f.Ended || !ends):
			// Where pictures have an end marker, one without it is cut short. Where none
			// has, the decoder will say whether they are whole.
			m.frames = append(m.frames, jpegPlace{off: off, length: int(end - off), width: uint16(f.Width), height: uint16(f.Height)})
			at, ends = end, f.Ended
			continue
		case err == nil:
			err = mjpeg.ErrNoEOI
		case !errors.Is(err, mjpeg.ErrNoEOI) && !errors.Is(err, mjpeg.ErrSegment) && !errors.Is(err, mjpeg.ErrNoFrame):
			return nil, err
		}
		m.frames = append(m.frames, jpegPlace{off: off, why: err})
		if at = max(end, off+2); again > end-off {
			again -= end - off
			at = off + 2
		}
	}
	if n := len(m.frames); n > 0 && errors.Is(m.frames[n-1].why, mjpeg.ErrNoEOI) {
		m.tail = fmt.Errorf("cut short in frame %d, %d bytes into it", n, s.Size()-m.frames[n-1].off)
		m.frames = m.frames[:n-1]
	}
	return m, nil
}

func (m *motion) count() int { return len(m.frames) }

func (m *motion) load(i int, f *camera.Frame) error {
	p := &m.frames[i]
	if p.length == 0 {
		return &damaged{fmt.Sprintf("frame %d, at byte %d: %v", i+1, p.off, p.why)}
	}
	data, err := m.s.View(p.off, p.length)
	if err != nil {
		return fmt.Errorf("frame %d: %w", i+1, err)
	}
	if len(data) < p.length {
		return fmt.Errorf("frame %d: the file became shorter while it was played", i+1)
	}
	f.Data, f.Format, f.Width, f.Height, f.Stride = data, camera.MJPEG, int(p.width), int(p.height), 0
	return nil
}

func (m *motion) cut() error   { return m.tail }
func (m *motion) close() error { return m.s.close() }
