// Package mjpeg finds JPEG pictures in what cameras and files give: where one
// begins and ends, and its size. It decodes nothing.
package mjpeg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// JPEG markers, ITU-T T.81 table B.1.
const (
	mTEM  = 0x01
	mSOF0 = 0xc0
	mDHT  = 0xc4
	mJPG  = 0xc8
	mDAC  = 0xcc
	mSOF  = 0xcf // the last of the frame headers
	mRST0 = 0xd0
	mRST7 = 0xd7
	mSOI  = 0xd8
	mEOI  = 0xd9
	mSOS  = 0xda
	mAPP1 = 0xe1
)

// Errors of a JPEG: they are counted, never shown with a frame, so they hold no
// figures and cost nothing.
var (
	ErrNoSOI   = errors.New("it does not begin with a JPEG start marker")
	ErrNoEOI   = errors.New("it ends before its JPEG end marker")
	ErrSegment = errors.New("its JPEG segments are damaged")
	ErrNoFrame = errors.New("it has no JPEG frame header, or one without a size")
)

func isSOF(marker byte) bool {
	return marker >= mSOF0 && marker <= mSOF && marker != mDHT && marker != mJPG && marker != mDAC
}

// maxStray is how many zeros may stand in one place between the segments of a
// header, in bytes. What is called a picture may be none at all.
const maxStray = 4096

// header walks the segments of a JPEG in b up to its first scan, and gives where
// that begins and the picture's size. Cameras repeat the start marker, and put
// zeros between segments.
func header(b []byte) (scan, width, height int, err error) {
	if len(b) < 2 || b[0] != 0xff || b[1] != mSOI {
		return 0, 0, 0, ErrNoSOI
	}
	for at, segments := 2, 0; ; {
		start := at
		for at < len(b) && b[at] == 0 {
			at++
		}
		if at-start > maxStray || at < len(b) && b[at] != 0xff {
			return at, 0, 0, ErrSegment // a length was wrong, or the picture ends here and another goes on
		}
		for at+1 < len(b) && b[at+1] == 0xff { // fill bytes
			at++
		}
		if at+2 > len(b) {
			return len(b), 0, 0, ErrNoEOI
		}
		marker := b[at+1]
		switch {
		case marker == mTEM || marker == mSOI && segments == 0 || marker >= mRST0 && marker <= mRST7:
			at += 2
			continue
		case marker == 0 || marker == mSOI && segments > 0: // the next picture begins
			return at, 0, 0, ErrSegment
		case marker == mEOI || marker == mSOS && width == 0:
			return at, 0, 0, ErrNoFrame
		case at+4 > len(b):
			return len(b), 0, 0, ErrNoEOI
		}
		length := int(b[at+2])<<8 | int(b[at+3])
		switch {
		case length < 2 || isSOF(marker) && length < 8:
			return at, 0, 0, ErrSegment
		case at+2+length > len(b):
			return len(b), 0, 0, ErrNoEOI
		case marker == mSOS:
			return at, width, height, nil
		case isSOF(marker):
			height, width = int(b[at+5])<<8|int(b[at+6]), int(b[at+7])<<8|int(b[at+8])
			if width == 0 || height == 0 {
				return at, 0, 0, ErrNoFrame
			}
		}
		at += 2 + length
		segments++
	}
}

// Checker looks at the pictures of one source.
type Checker struct{ ends bool }

// Whole checks what a camera put into a buffer: a start marker, a frame header and
// the head of a scan. It returns the JPEG up to its end marker, behind which cameras
// pad. Some leave the end marker out: then it is all but the zeros behind, and
// whether all of the picture is there is for the decoder to say. Where the source's
// pictures have had one, a picture without is cut short.
func (c *Checker) Whole(b []byte) (jpeg []byte, width, height int, err error) {
	scan, width, height, err := header(b)
	if err != nil {
		return nil, 0, 0, err
	}
	if end := bytes.LastIndex(b[scan:], []byte{0xff, mEOI}); end >= 0 {
		c.ends = true
		return b[:scan+end+2], width, height, nil
	}
	if c.ends {
		return nil, 0, 0, ErrNoEOI
	}
	return bytes.TrimRight(b, "\x00"), width, height, nil
}

// Upright says how a picture is set upright that is to be turned, as its EXIF header
// says (CIPA DC-008, tag 0x0112); "": it says nothing. Decoders leave the picture as
// it is.
func Upright(jpeg []byte) string {
	quarters, mirrored := turned(jpeg)
	way := ""
	if quarters > 0 {
		way = fmt.Sprintf("camera.rotate = %d", 90*quarters)
	}
	if mirrored {
		way = strings.TrimPrefix(way+" and camera.mirror = true", " and ")
	}
	if way == "" {
		return ""
	}
	return "the pictures' EXIF orientation says that they are to be turned; they are read as they are stored: set " + way
}

// turned gives the quarter turns clockwise, and whether the picture is mirrored besides.
func turned(jpeg []byte) (quarters int, mirrored bool) {
	for at := 2; at+4 <= len(jpeg) && jpeg[at] == 0xff && jpeg[at+1] != mSOS; {
		marker, end := jpeg[at+1], at+2+(int(jpeg[at+2])<<8|int(jpeg[at+3]))
		if end > len(jpeg) || end < at+4 {
			break
		}
		if body, ok := bytes.CutPrefix(jpeg[at+4:end], []byte("Exif\x00\x00")); marker == mAPP1 && ok {
			return orientation(body)
		}
		at = end
	}
	return 0, false
}

func orientation(tiff []byte) (quarters int, mirrored bool) {
	var order binary.ByteOrder = binary.LittleEndian
	if bytes.HasPrefix(tiff, []byte("MM")) {
		order = binary.BigEndian
	}
	if len(tiff) < 8 {
		return 0, false
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 0, false
	}
	for n := order.Uint16(tiff[at:]); n > 0; n-- {
		entry := at + 2 + 12*int64(n-1)
		if entry+12 > int64(len(tiff)) || order.Uint16(tiff[entry:]) != 0x0112 {
			continue
		}
		switch order.Uint16(tiff[entry+8:]) {
		case 2:
			return 0, true
		case 3:
			return 2, false
		case 4:
			return 2, true
		case 5:
			return 1, true
		case 6:
			return 1, false
		case 7:
			return 3, true
		case 8:
			return 3, false
		}
	}
	return 0, false
}

// Bytes are those of a file or of memory.
type Bytes interface {
	// View returns n bytes at off, fewer at the end. The slice is good until the
	// next call.
	View(off int64, n int) ([]byte, error)
	Size() int64
}

// Next finds the next start marker that a segment follows, 16 bytes later at most;
// -1 if there is none.
func Next(s Bytes, at int64) (int64, error) {
	const look = 2 + 16 + 1
	for {
		b, err := s.View(at, scanStep)
		if err != nil {
			return at, fmt.Errorf("read at byte %d: %w", at, err)
		}
		last := len(b) < scanStep
		for from := 0; ; {
			i := bytes.Index(b[from:], []byte{0xff, mSOI})
			if i < 0 || !last && from+i+look > len(b) {
				break
			}
			if from += i; bytes.IndexByte(b[from+2:min(from+look, len(b))], 0xff) >= 0 {
				return at + int64(from), nil
			}
			from += 2
		}
		if last {
			return -1, nil
		}
		at += scanStep - look
	}
}

// Found is one JPEG in a file.
type Found struct {
	End           int64 // behind its last byte; of a damaged one, where that showed
	Width, Height int   // pixels
	Ended         bool  // it has its end marker
}

// Walk follows one JPEG from its start marker at off through segments and
// entropy-coded data. One without an end marker ends where the next begins, or with
// the file.
func Walk(s Bytes, off int64) (Found, error) { return new(Walker).Walk(s, off) }

// Walker follows one JPEG whose bytes are still coming: as long as it is not Ended
// and its End is the Size of what there is, or the error is ErrNoEOI, Walk is called
// again when there is more, and goes on from where it was. It allocates nothing.
type Walker struct {
	f  Found
	at int64 // before the next marker; 0: the header was not read yet
}

// Walk is the package's Walk, with the same s and off each time.
func (w *Walker) Walk(s Bytes, off int64) (Found, error) {
	for n := scanStep; w.at == 0; n *= 4 {
		b, err := s.View(off, n)
		if err != nil {
			return Found{End: off}, fmt.Errorf("read at byte %d: %w", off, err)
		}
		scan, width, height, err := header(b)
		w.f = Found{End: off + int64(scan), Width: width, Height: height}
		if errors.Is(err, ErrNoEOI) && len(b) == n {
			continue // a longer header than was looked at
		}
		if err != nil {
			return w.f, err
		}
		w.at = w.f.End
	}
	for {
		at, err := skipScan(s, w.at) // to the next marker, where it is not at one
		if err != nil {
			return Found{End: at}, err
		}
		w.at = at
		b, err := s.View(w.at, 4)
		switch {
		case err != nil:
			return Found{End: w.at}, fmt.Errorf("read at byte %d: %w", w.at, err)
		case len(b) < 2, b[1] == mSOI:
			w.f.End = min(w.at, s.Size())
			if len(b) < 2 {
				w.f.End = s.Size()
			}
			return w.f, nil
		case b[1] == mEOI:
			w.f.End, w.f.Ended = w.at+2, true
			return w.f, nil
		case b[1] == 0xff: // fill byte
			w.at++
			continue
		case len(b) < 4:
			w.f.End = s.Size()
			return w.f, nil
		}
		length := int64(b[2])<<8 | int64(b[3])
		if length < 2 {
			return Found{End: w.at}, ErrSegment
		}
		w.at += 2 + length
	}
}

// skipScan passes over entropy-coded data, or padding, up to the next marker that is
// not a restart; the end of the file is one, or a last byte that may begin one.
func skipScan(s Bytes, at int64) (int64, error) {
	for {
		b, err := s.View(at, scanStep)
		if err != nil {
			return at, fmt.Errorf("read at byte %d: %w", at, err)
		}
		if i := nextMarker(b); i >= 0 {
			return at + int64(i), nil
		}
		if n := len(b); n < scanStep {
			if n > 0 && b[n-1] == 0xff {
				n--
			}
			return at + int64(n), nil
		}
		at += scanStep - 1 // the last byte may be the FF of a marker
	}
}

// nextMarker finds the first FF in b that begins a marker other than a restart,
// a stuffed byte or a fill byte (T.81 B.1.1.5); -1 if there is none.
func nextMarker(b []byte) int {
	for at := 0; ; at++ {
		i := bytes.IndexByte(b[at:], 0xff)
		if i < 0 || at+i+1 >= len(b) {
			return -1
		}
		at += i
		if m := b[at+1]; m != 0 && m != 0xff && (m < mRST0 || m > mRST7) {
			return at
		}
	}
}

const scanStep = 32 << 10
