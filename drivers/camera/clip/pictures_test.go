package clip

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mien/drivers/camera"
)

func encodePNG(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPictures(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	grey := image.NewGray(image.Rect(0, 0, 5, 3))
	rgb := image.NewNRGBA(image.Rect(0, 0, 4, 2))
	deep := image.NewGray16(image.Rect(0, 0, 2, 2))
	for i := range grey.Pix {
		grey.Pix[i] = byte(i * 3)
	}
	for i := range 8 {
		rgb.SetNRGBA(i%4, i/4, color.NRGBA{byte(10 * i), byte(20 * i), byte(30 * i), 255})
	}
	deep.SetGray16(1, 1, color.Gray16{0xabcd})
	put("a.PGM", append([]byte("P5\n# a comment\n3 2 # another\n255\n"), 1, 2, 3, 4, 5, 6))
	put("b.pgm", append([]byte("P5 2 1 15 "), 0, 15))
	put("c.png", encodePNG(t, grey))
	put("d.png", encodePNG(t, rgb))
	put("e.png", encodePNG(t, deep))
	put("f.jpg", append(bytes.Clone(testJPEG), 0, 0, 0))
	put("g.png", []byte("\x89PNG\r\n\x1a\nbroken"))
	put("h.JPEG", testJPEG)
	put("notes.txt", []byte("not a picture"))
	os.Mkdir(filepath.Join(dir, "z.jpg"), 0o700) // a folder of that name
	os.Symlink("/nowhere", filepath.Join(dir, "i.png"))

	s, err := Open(dir, Options{Fast: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if i := s.Info(); i.Frames != 9 || i.Format != camera.GREY || i.Width != 3 {
		t.Errorf("%+v", i)
	}
	pixelsOf := rgb.Pix
	var packed []byte
	for i := 0; i < len(pixelsOf); i += 4 {
		packed = append(packed, pixelsOf[i:i+3]...)
	}
	for k, want := range []struct {
		text string
		lost uint32
		data []byte
	}{
		{"GREY 3x2 stride 3", 0, []byte{1, 2, 3, 4, 5, 6}},
		{"GREY 2x1 stride 2", 0, []byte{0, 255}},
		{"GREY 5x3 stride 5", 0, grey.Pix},
		{"RGB3 4x2 stride 12", 0, packed},
		{"GREY 2x2 stride 2", 0, []byte{0, 0, 0, 0xab}},
		{"MJPG 64x48 stride 0", 0, testJPEG},
		{"MJPG 64x48 stride 0", 1, testJPEG},
	} {
		f := mustNext(t, s, 0)
		if got := fmt.Sprintf("%s %dx%d stride %d", camera.FormatName(f.Format), f.Width, f.Height, f.Stride); got != want.text || f.Lost != want.lost || !bytes.Equal(f.Data, want.data) {
			t.Errorf("picture %d: %s, lost %d, want %s, %d; same bytes: %v", k, got, f.Lost, want.text, want.lost, bytes.Equal(f.Data, want.data))
		}
	}
	if _, err := s.Next(0); !errors.Is(err, camera.ErrEnd) {
		t.Error(err)
	}
	i := s.Info()
	if i.Counts.Corrupt != 2 || len(i.Warnings) != 2 || !strings.Contains(i.Warnings[0], "g.png") || !strings.Contains(i.Warnings[1], "i.png") {
		t.Errorf("%+v", i)
	}
}

func TestOnePictureLoops(t *testing.T) {
	for name, data := range map[string][]byte{"one.jpg": testJPEG, "one.png": encodePNG(t, image.NewGray(image.Rect(0, 0, 9, 9))), "one.pgm": []byte("P5 1 1 255\nx")} {
		s, err := Open(write(t, name, data), Options{Fast: true, Loop: true})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for k := range uint32(5) {
			if f := mustNext(t, s, 0); f.Sequence != k {
				t.Errorf("%s: %d", name, f.Sequence)
			}
		}
		s.Close()
	}
}

func TestBrokenPictures(t *testing.T) {
	bomb := encodePNG(t, image.NewGray(image.Rect(0, 0, 1, 1)))
	bomb[16], bomb[20] = 0x70, 0x70 // claims 1.9 thousand million pixels each way; its checksum is wrong, too
	for name, data := range map[string][]byte{
		"a.pgm": nil, "b.pgm": []byte("P2 1 1 255\n0"), "c.pgm": []byte("P5"), "d.pgm": []byte("P5 3"), "e.pgm": []byte("P5 3 3 255"),
		"f.pgm": []byte("P5 3 3 255\nshort"), "g.pgm": []byte("P5 1 1 65535\nxx"), "h.pgm": []byte("P5 99999999999 1 255\n"),
		"i.pgm": []byte("P5 16000 16000 255\n"), "j.pgm": []byte("P5 0 5 255\n"), "k.pgm": []byte("P5 # no end"), "l.png": bomb,
		"m.jpg": testJPEG[:100], "n.pgm": []byte("P5 1 1 0\nx"),
	} {
		dir := filepath.Dir(write(t, name, data))
		if s, err := Open(dir, Options{}); !errors.Is(err, camera.ErrUnsupported) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}

// The pictures of a folder vanish while it loops: it ends instead of spinning.
func TestPicturesVanish(t *testing.T) {
	path := write(t, "a.jpg", testJPEG)
	s, err := Open(filepath.Dir(path), Options{Fast: true, Loop: true})
	if err != nil {
		t.Fatal(err)
	}
	mustNext(t, s, 0)
	os.Remove(path)
	if _, err := s.Next(0); !errors.Is(err, camera.ErrEnd) || !strings.Contains(err.Error(), "a.jpg") {
		t.Error(err)
	}
}

// A picture that a telephone stored lying down is not turned in secret: a warning
// names EXIF and the setting.
func TestOrientationIsNamed(t *testing.T) {
	for orientation, want := range map[byte]string{1: "", 2: "set camera.mirror = true", 3: "set camera.rotate = 180", 4: "set camera.rotate = 180 and camera.mirror = true",
		5: "set camera.rotate = 90 and camera.mirror = true", 6: "set camera.rotate = 90", 8: "set camera.rotate = 270", 9: ""} {
		for _, exif := range [][]byte{
			{'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0},
			{'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0},
		} {
			picture := join(soi, segment(0xe1, join([]byte("Exif\x00\x00"), exif)...), testJPEG[2:])
			s, err := Open(write(t, "a.jpg", picture), Options{})
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(s.Info().Warnings, "")
			if (got != "") != (want != "") || !strings.HasSuffix(got, want) || want != "" && !strings.Contains(got, "EXIF") {
				t.Errorf("orientation %d: %q, want %q", orientation, got, want)
			}
			s.Close()
		}
	}
}
