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

type whole []byte

func (m *whole) View(off int64, n int) ([]byte, error) {
	off = min(off, int64(len(*m)))
	return (*m)[off:min(off+int64(n), int64(len(*m)))], nil
}
func (m *whole) Size() int64 { return int64(len(*m)) }

// inPieces follows a JPEG that comes step bytes at a time, behind its start marker.
func inPieces(b []byte, step int) (f Found, err error) {
	var w Walker
	var m whole
	for n := 2; n < len(b); {
		n = min(n+step, len(b))
		m = b[:n]
		f, err = w.Walk(&m, 0)
		if err != nil && err != ErrNoEOI || err == nil && (f.Ended || f.End < int64(n)) {
			return f, err
		}
	}
	return f, err
}

func pieces(t *testing.T, b []byte, steps ...int) {
	t.Helper()
	m := whole(b)
	want, wantErr := Walk(&m, 0)
	for _, step := range steps {
		if got, err := inPieces(b, step); err != wantErr || err == nil && got != want {
			t.Errorf("%d at a time: %+v, %v, want %+v, %v of %.60q", step, got, err, want, wantErr, b)
		}
	}
}

// A picture that comes in pieces is the same as one that is there.
func TestInPieces(t *testing.T) {
	large := join(soi, segment(0xe1, make([]byte, 60000)...), sof, sos, bytes.Repeat(scan, 10000), eoi)
	for _, b := range [][]byte{testJPEG, append(bytes.Clone(testJPEG), testJPEG...), join(soi, sof, sos, scan), join(soi, sof, sos, scan, soi, sof), large,
		join(soi, sof, sos, scan, segment(0xfe, 1, 2, 3), sos, scan, []byte{0xff, 0xff, 0xff}, eoi), join(soi, sof, sos, scan, []byte{0xff, 0xc4, 0, 1}), testJPEG[:300]} {
		pieces(t, b, 1000, 4096, 32768)
		if len(b) < 2000 {
			pieces(t, b, 1, 2, 3, 7)
		}
	}
}

func FuzzInPieces(f *testing.F) {
	f.Add(testJPEG, 7)
	f.Add(join(soi, sof, sos, scan, eoi), 1)
	f.Add(join(soi, sof, sos, scan, []byte{0xff, 0xff, 0xd9}), 1)
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		if len(b) > 2 && len(b) < 1<<16 && bytes.HasPrefix(b, soi) {
			pieces(t, b, max(1, step&0xffff))
		}
	})
}
