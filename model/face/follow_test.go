package face

import (
	"math"
	"testing"

	"mien/model/pixel"
)

// moved gives the picture with its content moved by the similarity to: what was
// at p is now at to(p).
func moved(t testing.TB, img *pixel.Image, to pixel.Affine) *pixel.Image {
	t.Helper()
	back, ok := to.Invert()
	if !ok {
		t.Fatal("no way back")
	}
	s, err := pixel.NewSampler(pixel.Grey8(img.Width, img.Height))
	if err != nil {
		t.Fatal(err)
	}
	out := &pixel.Image{Format: pixel.GREY, Width: img.Width, Height: img.Height, Data: make([]byte, img.Width*img.Height)}
	if err := s.Fill(out.Data, img, back); err != nil {
		t.Fatal(err)
	}
	return out
}

// about turns by degrees and scales about a point, then moves.
func about(c Point, degrees, scale, dx, dy float64) pixel.Affine {
	s, k := math.Sincos(degrees * math.Pi / 180)
	a, b := float32(scale*k), float32(scale*s)
	return pixel.Affine{
		a, -b, c.X + float32(dx) - a*c.X + b*c.Y,
		b, a, c.Y + float32(dy) - b*c.X - a*c.Y,
	}
}

// faceOf gives the one face of a picture.
func faceOf(t testing.TB, d *Detector, img *pixel.Image) Face {
	t.Helper()
	faces, err := d.Detect(img, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(faces) != 1 {
		t.Fatalf("%d faces", len(faces))
	}
	return faces[0]
}

func TestFollowerFindsSmallMovements(t *testing.T) {
	frames, _ := clip()
	d := openDetector(t, DetectorOptions{})
	img := &frames[30]
	f := faceOf(t, d, img)
	c := f.Box.Centre()
	for name, to := range map[string]pixel.Affine{
		"still":  about(c, 0, 1, 0, 0),
		"right":  about(c, 0, 1, 6, 0),
		"left":   about(c, 0, 1, -9, 0),
		"up":     about(c, 0, 1, 0, -7),
		"across": about(c, 0, 1, 3, 4),
		"turned": about(c, 4, 1, 0, 0),
		"nearer": about(c, 0, 1.05, 0, 0),
		"all":    about(c, -3, 0.97, 4, -3),
	} {
		var w follower
		at := poseOf(&f)
		if err := w.anchor(img, at); err != nil {
			t.Fatal(err)
		}
		other := moved(t, img, to)
		g := f
		for range 3 {
			next, m, err := w.step(other, at)
			if err != nil || m == far || m == apart {
				t.Fatalf("%s: match %d, likeness %.3f, %v", name, m, w.likeness, err)
			}
			t.Logf("%s: likeness %.3f", name, w.likeness)
			g.move(at, next)
			at = next
		}
		for k, p := range f.Keypoints {
			var want Point
			want.X, want.Y = to.Apply(p.X, p.Y)
			t.Logf("%s: keypoint %d at %v, want %v", name, k, g.Keypoints[k], want)
			if e := distance(g.Keypoints[k], want); e > 1.0 {
				t.Errorf("%s: keypoint %d at %v, want %v: %.2f pixels off", name, k, g.Keypoints[k], want, e)
			}
		}
	}
}
