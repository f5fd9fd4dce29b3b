// Package mjpeg finds JPEG pictures in what cameras and files give: where one
// begins and ends, and its size. It decodes nothing.
package mjpeg

import (
	"bytes"
	"errors"
	"fmt"
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

// header walks the segments of a JPEG in b up to its frame header and
// returns the picture's size. A camera's header is some ten segments long.
func header(b []byte) (width, height int, err error) {
	if len(b) < 2 || b[0] != 0xff || b[1] != mSOI {
		return 0, 0, ErrNoSOI
	}
	for at := 2; ; {
		if at+2 > len(b) {
			return 0, 0, ErrNoEOI
		}
		if b[at] != 0xff {
			return 0, 0, ErrSegment
		}
		marker := b[at+1]
		at++
		switch {
		case marker == 0xff: // fill byte
			continue
		case marker == mTEM || marker >= mRST0 && marker <= mRST7:
			at++
			continue
		case marker == mSOS || marker == mEOI:
			return 0, 0, ErrNoFrame
		case marker == 0 || marker == mSOI:
			return 0, 0, ErrSegment
		}
		at++
		if at+2 > len(b) {
			return 0, 0, ErrNoEOI
		}
		length := int(b[at])<<8 | int(b[at+1])
		if isSOF(marker) {
			if length < 8 {
				return 0, 0, ErrSegment
			}
			if at+7 > len(b) {
				return 0, 0, ErrNoEOI
			}
			height, width = int(b[at+3])<<8|int(b[at+4]), int(b[at+5])<<8|int(b[at+6])
			if width == 0 || height == 0 {
				return 0, 0, ErrNoFrame
			}
			return width, height, nil
		}
		if length < 2 {
			return 0, 0, ErrSegment
		}
		at += length
	}
}

// Whole checks what a camera put into a buffer: a start marker, a frame
// header, and an end marker, behind which cameras pad. It returns the JPEG
// without the padding. The entropy-coded data are left to the decoder.
func Whole(b []byte) (jpeg []byte, width, height int, err error) {
	width, height, err = header(b)
	if err != nil {
		return nil, 0, 0, err
	}
	for end := len(b); end >= 4; end-- {
		if b[end-1] == mEOI && b[end-2] == 0xff {
			return b[:end], width, height, nil
		}
	}
	return nil, 0, 0, ErrNoEOI
}

// Bytes are those of a file or of memory.
type Bytes interface {
	// View returns n bytes at off, fewer at the end. The slice is good until the
	// next call.
	View(off int64, n int) ([]byte, error)
	Size() int64
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

// Next finds the next start marker followed by another marker.
func Next(s Bytes, at int64) (int64, error) {
	for {
		b, err := s.View(at, scanStep)
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

// Walk follows one JPEG from its start marker at off through
// segments and entropy-coded data. It returns where it ends; on an error, where
// the walk stopped.
func Walk(s Bytes, off int64) (end int64, width, height int, err error) {
	at := off + 2
	for {
		b, err := s.View(at, 10)
		switch {
		case err != nil:
			return at, 0, 0, fmt.Errorf("read at byte %d: %w", at, err)
		case len(b) < 2:
			return at + int64(len(b)), 0, 0, ErrNoEOI
		case b[0] != 0xff:
			return at, 0, 0, ErrSegment
		}
		marker := b[1]
		switch {
		case marker == 0xff:
			at++
			continue
		case marker == mTEM || marker >= mRST0 && marker <= mRST7:
			at += 2
			continue
		case marker == mEOI:
			if width == 0 {
				return at + 2, 0, 0, ErrNoFrame
			}
			return at + 2, width, height, nil
		case marker == mSOI || marker == 0:
			return at, 0, 0, ErrSegment
		case len(b) < 4:
			return at + int64(len(b)), 0, 0, ErrNoEOI
		}
		length := int64(b[2])<<8 | int64(b[3])
		if length < 2 || isSOF(marker) && length < 8 {
			return at, 0, 0, ErrSegment
		}
		if isSOF(marker) && len(b) >= 9 {
			height, width = int(b[5])<<8|int(b[6]), int(b[7])<<8|int(b[8])
			if width == 0 || height == 0 {
				return at, 0, 0, ErrNoFrame
			}
		}
		at += 2 + length
		if at > s.Size() {
			return s.Size(), 0, 0, ErrNoEOI
		}
		if marker == mSOS {
			if at, err = skipScan(s, at); err != nil {
				return at, 0, 0, err
			}
		}
	}
}

// skipScan passes over entropy-coded data up to the next marker that is not a
// restart (T.81 B.1.1.5: a data byte FF is followed by 00).
func skipScan(s Bytes, at int64) (int64, error) {
	for {
		b, err := s.View(at, scanStep)
		if err != nil {
			return at, fmt.Errorf("read at byte %d: %w", at, err)
		}
		i := nextMarker(b)
		if i >= 0 {
			return at + int64(i), nil
		}
		if len(b) < scanStep {
			return at + int64(len(b)), ErrNoEOI
		}
		at += scanStep - 1 // the last byte may be the FF of a marker
	}
}

const scanStep = 32 << 10
