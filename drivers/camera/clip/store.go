package clip

import (
	"errors"
	"io"
	"os"

	"mien/drivers/camera/mjpeg"
)

// store is a clip's bytes, in memory or in a file.
type store interface {
	mjpeg.Bytes
	close() error
}

type memory []byte

func (m memory) View(off int64, n int) ([]byte, error) {
	off = min(off, int64(len(m)))
	end := min(off+int64(n), int64(len(m)))
	return m[off:end:end], nil
}

func (m memory) Size() int64  { return int64(len(m)) }
func (m memory) close() error { return nil }

// file reads through one window that moves along, so that indexing costs few
// reads and playing allocates nothing once the window fits the largest frame.
type file struct {
	f      *os.File
	length int64
	window []byte
	base   int64 // where window begins in the file
}

const windowSize = 256 << 10

func (s *file) View(off int64, n int) ([]byte, error) {
	off = min(off, s.length)
	n = int(min(int64(n), s.length-off))
	if off < s.base || off+int64(n) > s.base+int64(len(s.window)) {
		want := max(n, windowSize)
		if cap(s.window) < want {
			s.window = make([]byte, 0, want)
		}
		s.base = off
		got, err := s.f.ReadAt(s.window[:want], off)
		s.window = s.window[:got]
		if err != nil && !errors.Is(err, io.EOF) {
			s.window = s.window[:0]
			return nil, err
		}
		n = min(n, got) // the file became shorter while it is played
	}
	from := int(off - s.base)
	return s.window[from : from+n], nil
}

func (s *file) Size() int64  { return s.length }
func (s *file) close() error { return s.f.Close() }
