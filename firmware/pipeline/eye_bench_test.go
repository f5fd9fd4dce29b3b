package pipeline

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"mien/drivers/camera"
	"mien/firmware/config"
	"mien/model/affect"
	"mien/model/face"
	"mien/model/pixel"
)

// BenchmarkLook is one frame of 640x480 YUYV through all stages of the eye.
func BenchmarkLook(b *testing.B) {
	look := looker(b)
	b.ReportAllocs()
	for b.Loop() {
		look()
	}
}

func TestLookAllocatesNothing(t *testing.T) {
	look := looker(t)
	for range 20 {
		look()
	}
	if n := testing.AllocsPerRun(60, look); n != 0 { // through four searches for the face
		t.Errorf("%v allocations a frame", n)
	}
}

// looker gives a function that takes the next frame of the demo clip through an
// eye.
func looker(b testing.TB) func() {
	b.Helper()
	eye, err := OpenEye(config.Default())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { eye.Close() })
	var raws [][]byte
	d := pixel.NewDecoder("")
	for _, j := range pictures(b, 0, 10) {
		img, err := d.Decode(j, pixel.DecodeOptions{})
		if err != nil {
			b.Fatal(err)
		}
		raw := bytes.Repeat([]byte{0, 128}, 640*480)
		for i, y := range img.Data[:640*480] {
			raw[2*i] = y
		}
		raws = append(raws, raw)
	}
	f := &camera.Frame{Format: camera.YUYV, Width: 640, Height: 480, Stride: 1280}
	n := 0
	return func() {
		f.Data, f.Sequence, f.Time = raws[n%len(raws)], uint32(n), time.Duration(n)*time.Second/15
		n++
		if _, err := eye.Look(f); err != nil {
			b.Fatal(err)
		}
	}
}

// A face that can no longer be read is searched on the next frame, once.
func TestFaceThatTurnsBadIsSearched(t *testing.T) {
	cfg := config.Default()
	cfg.Face.Quality.MinLight = 100
	eye, err := OpenEye(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer eye.Close()
	d := pixel.NewDecoder("")
	img, err := d.Decode(pictures(t, 0, 1)[0], pixel.DecodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	bright := bytes.Clone(img.Data[:640*480])
	dim := bytes.Clone(bright)
	for i := range dim {
		dim[i] /= 2
	}
	var reasons []face.Reason
	var causes []face.Cause
	for n, luma := range [][]byte{bright, bright, dim, dim, dim} {
		s, err := eye.Look(&camera.Frame{Format: camera.GREY, Width: 640, Height: 480, Stride: 640,
			Data: luma, Sequence: uint32(n), Time: time.Duration(n) * time.Second / 15})
		if err != nil {
			t.Fatal(err)
		}
		reasons, causes = append(reasons, s.Reason), append(causes, s.View.Cause)
	}
	if !slices.Equal(reasons, []face.Reason{face.Good, face.Good, face.TooDark, face.TooDark, face.TooDark}) ||
		!slices.Equal(causes[:4], []face.Cause{face.Asked, face.NotDetected, face.NotDetected, face.Asked}) || causes[4] == face.Asked {
		t.Errorf("%v, searched for %v", reasons, causes)
	}
}

// Every second frame is read as in a mirror, and a level is the mean of two
// frames; where frames are rare, without a filter, or where it is switched off,
// each frame stands for itself.
func TestEverySecondFrameIsReadMirrored(t *testing.T) {
	d := pixel.NewDecoder("")
	img, err := d.Decode(pictures(t, 0, 1)[0], pixel.DecodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	grey := slices.Clone(img.Data[:640*480])
	for y := range 480 { // light from one side: a face in a mirror is another picture
		for x := range 640 {
			grey[640*y+x] = uint8(int(grey[640*y+x]) * (320 + x) / 960)
		}
	}
	for name, c := range map[string]struct {
		set    func(*config.Config)
		period time.Duration
	}{
		"on":         {func(*config.Config) {}, 100 * time.Millisecond},
		"slow":       {func(*config.Config) {}, 333 * time.Millisecond},
		"no filter":  {func(c *config.Config) { c.Filter.Kind = "none" }, 100 * time.Millisecond},
		"switch off": {func(c *config.Config) { c.Model.Mirror = false }, 100 * time.Millisecond},
	} {
		cfg := config.Default()
		cfg.Filter.ActionUnits = 0
		c.set(cfg)
		eye, err := OpenEye(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer eye.Close()
		at, unit := slices.Index(eye.Signals(), "au4"), slices.Index(eye.networks[0].Card().Outputs.ActionUnits.Units, 4)
		for n := range 6 {
			s, err := eye.Look(&camera.Frame{Format: camera.GREY, Width: 640, Height: 480, Stride: 640, Data: grey,
				Sequence: uint32(n), Time: time.Duration(n) * c.period})
			if err != nil || s.Reason != face.Good {
				t.Fatalf("%s: frame %d: %v, %v", name, n, s.Reason, err)
			}
			if want := name == "on" && n%2 == 1; eye.networks[0].Mirrored != want {
				t.Errorf("%s: frame %d mirrored: %v", name, n, eye.networks[0].Mirrored)
			}
			views := [2]*affect.Result{eye.views.View(0, 0), eye.views.View(0, 1)}
			want := views[0].ActionUnits[unit]
			if name == "on" && n > 0 {
				if other := views[1].ActionUnits[unit]; other != want {
					want = (want + other) / 2
				} else {
					t.Errorf("AU4 is %v in both views", want)
				}
			}
			if s.Levels[at] != want {
				t.Errorf("%s: frame %d: AU4 is %v, should be %v", name, n, s.Levels[at], want)
			}
		}
	}
}
