package camera

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"testing"
)

// jpegOf makes a JPEG with some detail.
func jpegOf(w, h int) []byte {
	img := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetGray(x, y, color.Gray{uint8(x*x + y*5)})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}

var testJPEG = jpegOf(64, 48)

// fillJPEG writes a JPEG and pads behind it, as cameras do.
func fillJPEG(seq uint32, buf []byte) int {
	n := copy(buf, testJPEG)
	clear(buf[n:])
	return min(len(buf), n+512)
}

// segment makes a JPEG segment.
func segment(marker byte, payload ...byte) []byte {
	n := len(payload) + 2
	return append([]byte{0xff, marker, byte(n >> 8), byte(n)}, payload...)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

var (
	soi  = []byte{0xff, mSOI}
	eoi  = []byte{0xff, mEOI}
	sof  = segment(mSOF0, 8, 0, 48, 0, 64, 1, 1, 0x11, 0)
	sos  = segment(mSOS, 1, 1, 0, 0, 63, 0)
	scan = []byte{1, 2, 0xff, 0, 3, 0xff, mRST0, 4, 0xff, 0, 5}
)

func TestWholeJPEG(t *testing.T) {
	thumbnail := segment(0xe1, join([]byte("Exif"), soi, sof, eoi)...)
	good := map[string][]byte{
		"encoder's":         testJPEG,
		"without tables":    join(soi, sof, sos, scan, eoi),
		"thumbnail in APP1": join(soi, thumbnail, sof, sos, scan, eoi),
		"fill bytes":        join(soi, []byte{0xff, 0xff}, sof, sos, scan, eoi),
		"padded":            append(join(soi, sof, sos, scan, eoi), make([]byte, 4096)...),
	}
	for name, b := range good {
		j, w, h, err := wholeJPEG(b)
		if err != nil || w != 64 || h != 48 || !bytes.HasSuffix(j, eoi) {
			t.Errorf("%s: %dx%d, %v", name, w, h, err)
		}
	}
	for name, bad := range map[string]struct {
		b    []byte
		want error
	}{
		"empty":                   {nil, errNoSOI},
		"zeros":                   {make([]byte, 1000), errNoSOI},
		"start only":              {soi, errNoEOI},
		"cut in the header":       {join(soi, sof[:6]), errNoEOI},
		"cut in a segment":        {join(soi, []byte{0xff, 0xe0, 0x40, 0}), errNoEOI},
		"cut in the scan":         {join(soi, sof, sos, scan), errNoEOI},
		"no frame header":         {join(soi, sos, scan, eoi), errNoFrame},
		"end at once":             {join(soi, eoi), errNoFrame},
		"size 0":                  {join(soi, segment(mSOF0, 8, 0, 0, 0, 64, 1, 1, 0x11, 0), sos, scan, eoi), errNoFrame},
		"segment of length 1":     {join(soi, []byte{0xff, 0xe0, 0, 1}, sof, sos, scan, eoi), errSegment},
		"frame header too short":  {join(soi, segment(mSOF0, 8, 0), sos, scan, eoi), errSegment},
		"no marker where one is":  {join(soi, []byte{0x12, 0x34}, sof, sos, scan, eoi), errSegment},
		"second start":            {join(soi, soi, sof, sos, scan, eoi), errSegment},
		"zeros after the markers": {append(join(soi, sof), make([]byte, 100)...), errNoEOI},
	} {
		if _, _, _, err := wholeJPEG(bad.b); err != bad.want {
			t.Errorf("%s: %v, want %v", name, err, bad.want)
		}
	}
}

func FuzzWholeJPEG(f *testing.F) {
	f.Add(testJPEG)
	f.Add(join(soi, sof, sos, scan, eoi))
	f.Fuzz(func(t *testing.T, b []byte) {
		j, w, h, err := wholeJPEG(b)
		if err == nil && (w < 1 || h < 1 || len(j) > len(b) || !bytes.HasPrefix(j, soi) || !bytes.HasSuffix(j, eoi)) {
			t.Errorf("accepted %d of %d bytes as %dx%d", len(j), len(b), w, h)
		}
	})
}
