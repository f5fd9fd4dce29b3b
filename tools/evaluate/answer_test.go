package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mien/drivers/camera"
	"mien/firmware/config"
	"mien/firmware/pipeline"
	"mien/model/affect"
	"mien/model/face"
	"mien/model/pixel"
)

// openAnswerer is an answerer with the shipped network.
func openAnswerer(t *testing.T, o answerOptions) *answerer {
	t.Helper()
	card, model, err := affect.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	a, err := newAnswerer(card, model, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.close)
	return a
}

// TestAnswerIsTheUnits shows the same frames to the unit's eye and compares
// every level.
func TestAnswerIsTheUnits(t *testing.T) {
	a := openAnswerer(t, answerOptions{unknown: true})
	cfg := config.Default()
	cfg.Filter.Kind = "none"
	path := filepath.Join(t.TempDir(), "f.jpg")
	frames := demoFrames(t)
	for _, i := range []int{10, 70, 140, 200, 255} {
		// A fresh eye: what the unit sees first, without a past.
		eye, err := pipeline.OpenEye(cfg)
		if err != nil {
			t.Fatal(err)
		}
		sight, err := eye.Look(&camera.Frame{Format: camera.MJPEG, Width: 640, Height: 480, Data: frames[i]})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, frames[i], 0o644); err != nil {
			t.Fatal(err)
		}
		got := a.answer(path)
		if !got.ok {
			t.Fatalf("frame %d: %v", i, got.err)
		}
		names := eye.Signals()
		for k, name := range names {
			want := float64(sight.Levels[k])
			var have float64
			switch n := len(a.network.Card().Outputs.Expression.Classes); {
			case k < n:
				have = got.expression[k]
			case name == affect.Valence:
				have = got.valence
			case name == affect.Arousal:
				have = got.arousal
			case k < n+2+len(got.units):
				have = got.units[k-n-2]
			case k < n+2+len(got.units)+len(got.visible):
				have = got.visible[k-n-2-len(got.units)]
			default:
				continue // made of the others
			}
			if have != want && (have == have || want == want) {
				t.Errorf("frame %d: %s is %v, on the unit %v", i, name, have, want)
			}
		}
		eye.Close()
	}
}

// drawOver paints, in the frame of a face (from the middle of the eyes, in eye
// distances), every pixel that the shape holds.
func drawOver(img *pixel.Image, f *face.Face, tone byte, shape func(x, y float64) bool) {
	r, l := f.Keypoints[face.RightEye], f.Keypoints[face.LeftEye]
	d := float64(f.EyeDistance())
	ux, uy := float64(l.X-r.X)/d, float64(l.Y-r.Y)/d
	for y := range img.Height {
		for x := range img.Width {
			px, py := (float64(x)-float64(r.X+l.X)/2)/d, (float64(y)-float64(r.Y+l.Y)/2)/d
			if shape(px*ux+py*uy, py*ux-px*uy) {
				img.Data[y*img.Width+x] = tone
			}
		}
	}
}

// TestCoveredIsUnknown draws a mask and dark glasses over the demo's face and
// shows it to the unit: the shipped network sees what is covered, its units are
// Unknown there, and those of the other part are not. With -covered keep they
// have a level all the same.
func TestCoveredIsUnknown(t *testing.T) {
	unit := openAnswerer(t, answerOptions{unknown: true})
	keep := openAnswerer(t, answerOptions{})
	cfg := config.Default()
	cfg.Filter.Kind = "none"
	parts := map[string]func(x, y float64) bool{
		"":      func(x, y float64) bool { return false },
		"mouth": func(x, y float64) bool { return math.Abs(x) < 0.95 && y > 0.5 && y < 2-0.6*x*x },
		"eyes": func(x, y float64) bool {
			return math.Hypot((math.Abs(x)-0.5)/0.45, y/0.32) < 1 || math.Abs(y) < 0.03 && math.Abs(x) < 1.2
		},
	}
	path := filepath.Join(t.TempDir(), "f.pgm")
	for _, frame := range []int{10, 140, 255} {
		for covered, shape := range parts {
			img, err := unit.decoder.Decode(demoFrames(t)[frame], pixel.DecodeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			faces, err := unit.detector.Detect(&img, nil)
			if err != nil || len(faces) == 0 {
				t.Fatalf("frame %d: no face: %v", frame, err)
			}
			grey := pixel.Image{Format: pixel.GREY, Width: img.Width, Height: img.Height, Data: make([]byte, img.Width*img.Height)}
			s, err := pixel.NewSampler(pixel.Grey8(img.Width, img.Height))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Fill(grey.Data, &img, pixel.Affine{1, 0, 0, 0, 1, 0}); err != nil {
				t.Fatal(err)
			}
			drawOver(&grey, &faces[0], map[string]byte{"mouth": 190, "eyes": 20}[covered], shape)
			text := append(fmt.Appendf(nil, "P5\n%d %d\n255\n", grey.Width, grey.Height), grey.Data...)
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
			eye, err := pipeline.OpenEye(cfg)
			if err != nil {
				t.Fatal(err)
			}
			sight, err := eye.Look(&camera.Frame{Format: camera.GREY, Width: grey.Width, Height: grey.Height, Data: grey.Data})
			if err != nil || sight.Reason != face.Good {
				t.Fatalf("frame %d, %q covered: %v, %v", frame, covered, sight.Reason, err)
			}
			got, kept := unit.answer(path), keep.answer(path)
			if !got.ok || !kept.ok {
				t.Fatalf("frame %d, %q covered: %v, %v", frame, covered, got.err, kept.err)
			}
			card := unit.network.Card()
			for i, u := range card.Outputs.ActionUnits.Units {
				hidden := covered != "" && slices.Contains(card.Regions[covered], u)
				level := sight.Levels[slices.Index(eye.Signals(), fmt.Sprintf("au%d", u))]
				if (level != level) != hidden || (got.units[i] != got.units[i]) != hidden || kept.units[i] != kept.units[i] {
					t.Errorf("frame %d, %q covered: AU%d is %v on the unit, %v here, %v kept", frame, covered, u, level, got.units[i], kept.units[i])
				}
			}
			if closed := sight.Levels[slices.Index(eye.Signals(), affect.EyesClosed)]; (closed != closed) != (covered == "eyes") {
				t.Errorf("frame %d, %q covered: eyes closed is %v", frame, covered, closed)
			}
			eye.Close()
		}
	}
}

// greyPNG writes a picture of one brightness.
func greyPNG(t *testing.T, path string, side int) {
	t.Helper()
	p := image.NewGray(image.Rect(0, 0, side, side))
	for i := range p.Pix {
		p.Pix[i] = 127
	}
	var b bytes.Buffer
	if err := png.Encode(&b, p); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestPictureWithoutAFace: as a frame it has no answer and the message names
// its line; as a face crop it gets one.
func TestPictureWithoutAFace(t *testing.T) {
	dir := t.TempDir()
	greyPNG(t, filepath.Join(dir, "grey.png"), 48)
	os.WriteFile(filepath.Join(dir, "broken.png"), []byte("\x89PNG broken"), 0o644)
	os.WriteFile(filepath.Join(dir, "text.jpg"), []byte("no picture"), 0o644)
	os.WriteFile(filepath.Join(dir, "cut.pgm"), []byte("P5 # of us\n40 30 255\nshort"), 0o644)
	labels := filepath.Join(dir, "l.csv")
	os.WriteFile(labels, []byte("file,expression\ngrey.png,fear\nbroken.png,fear\ntext.jpg,fear\ncut.pgm,fear\n"), 0o644)
	var out bytes.Buffer
	predictions := filepath.Join(dir, "p.csv")
	if err := run([]string{"-labels", labels, "-predictions", predictions, "-bootstrap", "50"}, &out, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"4 pictures, 0 with an answer", "l.csv:2: file: grey.png: no face found", "l.csv:3: file: unreadable picture",
		"is neither JPEG, PNG nor binary PGM", "cut short: 5 bytes of 1200"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if rows := readCSV(t, predictions); len(rows) != 4 || rows[0]["expression"] != "" || rows[0]["AU1"] != "" {
		t.Errorf("predictions %v", rows)
	}
	out.Reset()
	if err := run([]string{"-labels", labels, "-crops", "-predictions", predictions, "-bootstrap", "50"}, &out, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1 with an answer, 1 of them from the whole picture", "all 1 labelled pictures are fear"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if rows := readCSV(t, predictions); rows[0]["expression"] == "" || rows[0]["AU43"] == "" {
		t.Errorf("predictions %v", rows)
	}
}

// TestCropFindsTheFace cuts the demo's face out as the data sets do and asks
// for the eyes where the detector has them in the whole frame.
func TestCropFindsTheFace(t *testing.T) {
	a := openAnswerer(t, answerOptions{crops: true})
	img, err := a.decoder.Decode(demoFrames(t)[10], pixel.DecodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	faces, err := a.detector.Detect(&img, nil)
	if err != nil || len(faces) == 0 {
		t.Fatalf("no face in the demo's frame: %v", err)
	}
	want := faces[0]
	for _, side := range []int{48, 144, 3200} {
		// A square of 1.35 times the box.
		scale := want.Box.Width() * 1.35 / float32(side)
		c := want.Box.Centre()
		m := pixel.Affine{scale, 0, c.X - scale*float32(side-1)/2, 0, scale, c.Y - scale*float32(side-1)/2}
		s, err := pixel.NewSampler(pixel.Grey8(side, side))
		if err != nil {
			t.Fatal(err)
		}
		crop := pixel.Image{Format: pixel.GREY, Width: side, Height: side, Data: make([]byte, side*side)}
		if err := s.Fill(crop.Data, &img, m); err != nil {
			t.Fatal(err)
		}
		f, found, err := a.findInCrop(&crop)
		if err != nil || !found {
			t.Fatalf("crop of %d: found %v, %v", side, found, err)
		}
		for k := range 2 {
			x, y := m.Apply(f.Keypoints[k].X, f.Keypoints[k].Y)
			if d := math.Hypot(float64(x-want.Keypoints[k].X), float64(y-want.Keypoints[k].Y)); d > 0.12*float64(want.EyeDistance()) {
				t.Errorf("crop of %d: eye %d is %.1f pixels off, the eyes are %.1f apart", side, k, d, want.EyeDistance())
			}
		}
	}
}

// TestLargeCrop: a crop of any size gets an answer, with a face or without.
func TestLargeCrop(t *testing.T) {
	a := openAnswerer(t, answerOptions{crops: true})
	path := filepath.Join(t.TempDir(), "large.png")
	greyPNG(t, path, 4500)
	if got := a.answer(path); !got.ok || got.aligned {
		t.Errorf("a grey crop of 4500 pixels: %+v", got)
	}
}

// TestUsualFace: a picture of FER+'s size has the eyes that training gives it,
// another the usual ones of a crop.
func TestUsualFace(t *testing.T) {
	f := usualFace(48, 48)
	if f.Keypoints[face.RightEye] != (face.Point{X: 15.3, Y: 18.4}) || f.Keypoints[face.LeftEye] != (face.Point{X: 32.1, Y: 18.2}) {
		t.Errorf("FER+: eyes %v", f.Keypoints[:2])
	}
	f = usualFace(144, 100)
	if r, l := f.Keypoints[face.RightEye], f.Keypoints[face.LeftEye]; r != (face.Point{X: 47.5, Y: 36.5}) || l != (face.Point{X: 95.5, Y: 36.5}) {
		t.Errorf("crop of 144x100: eyes %v, %v", r, l)
	}
}

func TestReadPicture(t *testing.T) {
	dir := t.TempDir()
	d := pixel.NewDecoder("")
	defer d.Close()
	rgb := image.NewNRGBA(image.Rect(0, 0, 5, 3))
	for i := range 15 {
		rgb.Set(i%5, i/5, color.NRGBA{uint8(i), uint8(10 * i), 200, 255})
	}
	var b bytes.Buffer
	png.Encode(&b, rgb)
	os.WriteFile(filepath.Join(dir, "c.png"), b.Bytes(), 0o644)
	img, err := readPicture(filepath.Join(dir, "c.png"), d, false)
	if err != nil || img.Format != pixel.GREY || img.Width != 5 || img.Height != 3 || img.Data[7] != 66 { // 0.299 * 7 + 0.587 * 70 + 0.114 * 200
		t.Errorf("coloured PNG without colour: %+v, %v", img, err)
	}
	img, err = readPicture(filepath.Join(dir, "c.png"), d, true)
	if err != nil || img.Format != pixel.RGB24 || img.Width != 5 || img.Height != 3 || img.Data[3*7] != 7 || img.Data[3*7+1] != 70 || img.Data[3*7+2] != 200 {
		t.Errorf("coloured PNG: %+v, %v", img, err)
	}
	os.WriteFile(filepath.Join(dir, "g.pgm"), append([]byte("P5\n# note\n3 2\n255\n"), 1, 2, 3, 4, 5, 6), 0o644)
	img, err = readPicture(filepath.Join(dir, "g.pgm"), d, false)
	if err != nil || img.Format != pixel.GREY || img.Width != 3 || img.Height != 2 || !bytes.Equal(img.Data, []byte{1, 2, 3, 4, 5, 6}) {
		t.Errorf("PGM: %+v, %v", img, err)
	}
	os.WriteFile(filepath.Join(dir, "w.pgm"), []byte("P5 3 2 65535 aaaaaaaaaaaa"), 0o644)
	if _, err = readPicture(filepath.Join(dir, "w.pgm"), d, false); !errors.Is(err, errUnreadable) || !strings.Contains(err.Error(), "8 bits") {
		t.Errorf("PGM of 16 bits: %v", err)
	}
	if _, err = readPicture(filepath.Join(dir, "none"), d, false); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing picture: %v", err)
	}
}

// TestMirror: an answer is the mean of a face and its mirror, where it is not
// told otherwise.
func TestMirror(t *testing.T) {
	both := openAnswerer(t, answerOptions{crops: true, mirror: true})
	path := filepath.Join(t.TempDir(), "face.jpg")
	if err := os.WriteFile(path, demoFrames(t)[100], 0o644); err != nil {
		t.Fatal(err)
	}
	got := both.answer(path)
	img, err := readPicture(path, both.decoder, both.colour)
	if err != nil {
		t.Fatal(err)
	}
	f, _, err := both.find(&img)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := both.look(&img, &f); err != nil {
		t.Fatal(err)
	}
	one, other := both.views[0].Uncovered, both.views[1].Uncovered
	if slices.Equal(one, other) {
		t.Error("both views have the same units to the last digit")
	}
	for i, v := range got.units {
		if v != float64((one[i]+other[i])/2) {
			t.Errorf("AU%d is %v, of each view %v and %v", both.network.Card().Outputs.ActionUnits.Units[i], v, one[i], other[i])
		}
	}
}
