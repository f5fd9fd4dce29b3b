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
		"start twice":       join(soi, soi, sof, sos, scan, eoi),
		"zeros between":     join(soi, []byte{0}, sof, make([]byte, 608), sos, scan, eoi),
		"padded":            append(join(soi, sof, sos, scan, eoi), make([]byte, 4096)...),
	}
	for name, b := range good {
		j, w, h, err := new(Checker).Whole(b)
		if err != nil || w != 64 || h != 48 || !bytes.HasSuffix(j, eoi) {
			t.Errorf("%s: %dx%d, %v", name, w, h, err)
		}
	}
	for name, b := range map[string][]byte{"without end": join(soi, sof, sos, scan), "padded without end": join(soi, sof, sos, scan, make([]byte, 512))} {
		if j, w, h, err := new(Checker).Whole(b); err != nil || w != 64 || h != 48 || !bytes.Equal(j, join(soi, sof, sos, scan)) {
			t.Errorf("%s: %d bytes, %dx%d, %v", name, len(j), w, h, err)
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
		"no frame header":         {join(soi, sos, scan, eoi), ErrNoFrame},
		"end at once":             {join(soi, eoi), ErrNoFrame},
		"size 0":                  {join(soi, segment(mSOF0, 8, 0, 0, 0, 64, 1, 1, 0x11, 0), sos, scan, eoi), ErrNoFrame},
		"segment of length 1":     {join(soi, []byte{0xff, 0xe0, 0, 1}, sof, sos, scan, eoi), ErrSegment},
		"frame header too short":  {join(soi, segment(mSOF0, 8, 0), sos, scan, eoi), ErrSegment},
		"cut in the scan's head":  {join(soi, sof, sos[:6]), ErrNoEOI},
		"no marker where one is":  {join(soi, []byte{0x12, 0x34}, sof, sos, scan, eoi), ErrSegment},
		"too much padding":        {join(soi, make([]byte, 5000), sof, sos, scan, eoi), ErrSegment},
		"another picture begins":  {join(soi, sof, soi, sof, sos, scan, eoi), ErrSegment},
		"zeros after the markers": {append(join(soi, sof), make([]byte, 100)...), ErrNoEOI},
	} {
		if _, _, _, err := new(Checker).Whole(bad.b); err != bad.want {
			t.Errorf("%s: %v, want %v", name, err, bad.want)
		}
	}
}

// A source whose pictures end with a marker cuts one short that has none; one that
// never sends it is left to the decoder.
func TestEndMarkerOfASource(t *testing.T) {
	c := new(Checker)
	cut := join(soi, sof, sos, scan)
	for i, step := range []struct {
		b    []byte
		want error
	}{{cut, nil}, {cut, nil}, {join(cut, eoi), nil}, {cut, ErrNoEOI}, {join(cut, eoi), nil}} {
		if _, _, _, err := c.Whole(step.b); err != step.want {
			t.Errorf("picture %d: %v, want %v", i, err, step.want)
		}
	}
}

func FuzzWhole(f *testing.F) {
	f.Add(testJPEG)
	f.Add(join(soi, sof, sos, scan, eoi))
	f.Fuzz(func(t *testing.T, b []byte) {
		Upright(b)
		j, w, h, err := new(Checker).Whole(b)
		if err == nil && (w < 1 || h < 1 || len(j) > len(b) || !bytes.HasPrefix(j, soi) || !bytes.HasSuffix(j, eoi) && bytes.Contains(j[4:], eoi) && bytes.HasSuffix(b, eoi)) {
			t.Errorf("accepted %d of %d bytes as %dx%d", len(j), len(b), w, h)
		}
	})
}
