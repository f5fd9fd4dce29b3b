package mjpeg

import (
	"bytes"
	"testing"

	"mien/drivers/camera/cameratest"
)

var (
	soi, eoi, sof, sos, scan = cameratest.SOI, cameratest.EOI, cameratest.SOF, cameratest.SOS, cameratest.Scan
	join, segment, jpegOf    = cameratest.Join, cameratest.Segment, cameratest.JPEG
	testJPEG                 = jpegOf(64, 48)
)

func TestWhole(t *testing.T) {
	thumbnail := segment(0xe1, join([]byte("Exif"), soi, sof, eoi)...)
	good := map[string][]byte{
		"encoder's":         testJPEG,
		"without tables":    join(soi, sof, sos, scan, eoi),
		"thumbnail in APP1": join(soi, thumbnail, sof, sos, scan, eoi),
		"fill bytes":        join(soi, []byte{0xff, 0xff}, sof, sos, scan, eoi),
		"padded":            append(join(soi, sof, sos, scan, eoi), make([]byte, 4096)...),
	}
	for name, b := range good {
		j, w, h, err := Whole(b)
		if err != nil || w != 64 || h != 48 || !bytes.HasSuffix(j, eoi) {
			t.Errorf("%s: %dx%d, %v", name, w, h, err)
		}
	}
	for name, bad := range map[string]struct {
		b    []byte
		want error
	}{
		"empty":                   {nil, ErrNoSOI},
		"zeros":                   {make([]byte, 1000), ErrNoSOI},
		"start only":              {soi, ErrNoEOI},
		"cut in the header":       {join(soi, sof[:6]), ErrNoEOI},
		"cut in a segment":        {join(soi, []byte{0xff, 0xe0, 0x40, 0}), ErrNoEOI},
		"cut in the scan":         {join(soi, sof, sos, scan), ErrNoEOI},
		"no frame header":         {join(soi, sos, scan, eoi), ErrNoFrame},
		"end at once":             {join(soi, eoi), ErrNoFrame},
		"size 0":                  {join(soi, segment(mSOF0, 8, 0, 0, 0, 64, 1, 1, 0x11, 0), sos, scan, eoi), ErrNoFrame},
		"segment of length 1":     {join(soi, []byte{0xff, 0xe0, 0, 1}, sof, sos, scan, eoi), ErrSegment},
		"frame header too short":  {join(soi, segment(mSOF0, 8, 0), sos, scan, eoi), ErrSegment},
		"no marker where one is":  {join(soi, []byte{0x12, 0x34}, sof, sos, scan, eoi), ErrSegment},
		"second start":            {join(soi, soi, sof, sos, scan, eoi), ErrSegment},
		"zeros after the markers": {append(join(soi, sof), make([]byte, 100)...), ErrNoEOI},
	} {
		if _, _, _, err := Whole(bad.b); err != bad.want {
			t.Errorf("%s: %v, want %v", name, err, bad.want)
		}
	}
}

func FuzzWhole(f *testing.F) {
	f.Add(testJPEG)
	f.Add(join(soi, sof, sos, scan, eoi))
	f.Fuzz(func(t *testing.T, b []byte) {
		j, w, h, err := Whole(b)
		if err == nil && (w < 1 || h < 1 || len(j) > len(b) || !bytes.HasPrefix(j, soi) || !bytes.HasSuffix(j, eoi)) {
			t.Errorf("accepted %d of %d bytes as %dx%d", len(j), len(b), w, h)
		}
	})
}
