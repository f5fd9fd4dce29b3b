package camera

import (
	"bytes"
	"errors"
	"fmt"
)

// mjpeg is a file of JPEGs one after the other. What stands between them (the
// headers of a multipart stream, padding) is passed over. A damaged JPEG keeps
// its place in time, so that playing shows a lost frame where a camera would
// have had one.
type mjpeg struct {
	s      store
	frames []jpegPlace
	whole  int // frames that can be shown
	tail   error
}

type jpegPlace struct {
	off           int64
	length        int // 0: damaged
	width, height uint16
	why           error
}

// nextMarker finds the first FF in b that begins a marker other than a restart,
// a stuffed byte or a fill byte; -1 if there is none.
func nextMarker(b []byte) int {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], 0xff)
		if i < 0 || at+i+1 >= len(b) {
			return -1
		}
		at += i
		if m := b[at+1]; m != 0 && m != 0xff && (m < mRST0 || m > mRST7) {
			return at
		}
		at++
	}
}

// nextSOI finds the next start marker followed by another marker.
func nextSOI(s store, at int64) (int64, error) {
	for {
		b, err := s.view(at, scanStep)
		if err != nil {
			return at, fmt.Errorf("read at byte %d: %w", at, err)
		}
		if i := bytes.Index(b, []byte{0xff, mSOI, 0xff}); i >= 0 {
			return at + int64(i), nil
		}
		if len(b) < scanStep {
			return -1, nil
		}
		at += scanStep - 2
	}
}

// openMJPEG finds every JPEG without decoding. After a damaged one it looks for
// the next start marker from just behind the damaged one's own, because a wrong
// segment length may have led the walk past good frames; that is allowed for as
// many bytes as the file is long, then it goes on from where the walk stopped,
// so that no file takes more than twice its length.
func openMJPEG(s store) (*mjpeg, error) {
	m := &mjpeg{s: s}
	again := s.size()
	for at := int64(0); ; {
		off, err := nextSOI(s, at)
		if err != nil {
			return nil, err
		}
		if off < 0 {
			break
		}
		end, w, h, err := jpegWalk(s, off)
		switch {
		case err == nil:
			m.frames = append(m.frames, jpegPlace{off: off, length: int(end - off), width: uint16(w), height: uint16(h)})
			m.whole++
			at = end
			continue
		case !errors.Is(err, errNoEOI) && !errors.Is(err, errSegment) && !errors.Is(err, errNoFrame):
			return nil, err
		}
		m.frames = append(m.frames, jpegPlace{off: off, why: err})
		if at = max(end, off+2); again > end-off {
			again -= end - off
			at = off + 2
		}
	}
	if n := len(m.frames); n > 0 && errors.Is(m.frames[n-1].why, errNoEOI) {
		m.tail = fmt.Errorf("cut short in frame %d, %d bytes into it", n, s.size()-m.frames[n-1].off)
		m.frames = m.frames[:n-1]
	}
	return m, nil
}

func (m *mjpeg) count() int { return len(m.frames) }

func (m *mjpeg) load(i int, f *Frame) error {
	p := &m.frames[i]
	if p.length == 0 {
		return &damaged{fmt.Sprintf("frame %d, at byte %d: %v", i+1, p.off, p.why)}
	}
	data, err := m.s.view(p.off, p.length)
	if err != nil {
		return fmt.Errorf("frame %d: %w", i+1, err)
	}
	if len(data) < p.length {
		return fmt.Errorf("frame %d: the file became shorter while it was played", i+1)
	}
	f.Data, f.Format, f.Width, f.Height, f.Stride = data, MJPEG, int(p.width), int(p.height), 0
	return nil
}

func (m *mjpeg) describe(*Info) {}
func (m *mjpeg) cut() error     { return m.tail }
func (m *mjpeg) close() error   { return m.s.close() }
