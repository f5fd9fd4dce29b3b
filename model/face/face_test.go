package face

import (
	"math"
	"testing"

	"mien/model/pixel"
)

func TestAlignBringsTheEyesToTheTemplate(t *testing.T) {
	template := Template{RightEye: Point{39, 47}, LeftEye: Point{73, 47}}
	for _, f := range []Face{standing(300, 200, 150), head(0, 0, 20), head(0, 0, -70), head(10, 5, 170), standing(-20, 900, 7)} {
		m := Align(f, template)
		for _, c := range []struct{ from, to Point }{
			{template.RightEye, f.Keypoints[RightEye]}, {template.LeftEye, f.Keypoints[LeftEye]},
		} {
			u, v := m.Apply(c.from.X, c.from.Y)
			if e := distance(Point{u, v}, c.to); e > 0.01 {
				t.Errorf("%v leads to (%v, %v), want %v", c.from, u, v, c.to)
			}
		}
		// No shear, no mirror image.
		if m[0] != m[4] || m[1] != -m[3] {
			t.Errorf("%v is no similarity", m)
		}
		if s := math.Hypot(float64(m[0]), float64(m[1])) * 34; math.Abs(s-float64(f.EyeDistance())) > 0.01 {
			t.Errorf("scale %v for eyes %v apart", s/34, f.EyeDistance())
		}
	}
}

func TestAlignInOnePoint(t *testing.T) {
	f := standing(300, 200, 150)
	f.Keypoints[LeftEye] = f.Keypoints[RightEye]
	for _, m := range []pixel.Affine{
		Align(f, Template{RightEye: Point{39, 47}, LeftEye: Point{73, 47}}),
		Align(standing(300, 200, 150), Template{}),
	} {
		for _, v := range m {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				t.Errorf("%v", m)
			}
		}
	}
}

func TestOverlap(t *testing.T) {
	a := Rect{0, 0, 10, 10}
	for _, c := range []struct {
		b    Rect
		want float32
	}{
		{a, 1}, {Rect{5, 0, 15, 10}, 1.0 / 3}, {Rect{10, 0, 20, 10}, 0}, {Rect{20, 20, 30, 30}, 0}, {Rect{2, 2, 7, 7}, 0.25}, {Rect{}, 0},
	} {
		if got := overlap(a, c.b); math.Abs(float64(got-c.want)) > 1e-6 {
			t.Errorf("with %v: %v, want %v", c.b, got, c.want)
		}
	}
}

func TestSteadyTakesOutJitterOnly(t *testing.T) {
	was := standing(300, 200, 200) // eyes 88 apart
	near, far := was, was
	for k := range was.Keypoints {
		near.Keypoints[k].X += 0.5
		far.Keypoints[k].X += 10
	}
	near.steady(&was)
	if got := near.Keypoints[Mouth].X - was.Keypoints[Mouth].X; math.Abs(float64(got)-0.5*calm) > 1e-3 {
		t.Errorf("half a pixel became %v", got)
	}
	far.steady(&was)
	if got := far.Keypoints[Mouth].X - was.Keypoints[Mouth].X; math.Abs(float64(got)-10) > 1e-3 {
		t.Errorf("ten pixels became %v", got)
	}
	// In between it grows without a step.
	last := float32(0)
	for d := float32(0); d < 12; d += 0.1 {
		f := was
		for k := range f.Keypoints {
			f.Keypoints[k].X += d
		}
		f.steady(&was)
		got := f.Keypoints[Mouth].X - was.Keypoints[Mouth].X
		if got < last || got > last+0.5 {
			t.Errorf("%.1f pixels became %v, a little less %v", d, got, last)
		}
		last = got
	}
}
