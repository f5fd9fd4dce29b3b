package pixel

import (
	"math"
	"testing"
)

func TestAffine(t *testing.T) {
	m := Affine{2, -1, 5, 0.5, 3, -7}
	n := Affine{0, 1, 2, -1, 0, 3}
	for _, p := range [][2]float32{{0, 0}, {1, 0}, {0, 1}, {-3, 8}} {
		u, v := n.Apply(p[0], p[1])
		u, v = m.Apply(u, v)
		if gu, gv := m.After(n).Apply(p[0], p[1]); gu != u || gv != v {
			t.Errorf("%v: first n, then m gives (%v, %v), After (%v, %v)", p, u, v, gu, gv)
		}
		back, ok := m.Invert()
		if !ok {
			t.Fatal("no way back")
		}
		u, v = m.Apply(p[0], p[1])
		if x, y := back.Apply(u, v); math.Abs(float64(x-p[0])) > 1e-5 || math.Abs(float64(y-p[1])) > 1e-5 {
			t.Errorf("%v comes back as (%v, %v)", p, x, y)
		}
	}
	for _, flat := range []Affine{{}, {1, 2, 0, 2, 4, 0}, {float32(math.NaN()), 0, 0, 0, 1, 0}} {
		if _, ok := flat.Invert(); ok {
			t.Errorf("%v has a way back", flat)
		}
	}
}

func TestMounting(t *testing.T) {
	const w, h = 5, 3
	// Where the upright picture's first pixel, the one right of it and the one below
	// lie in the camera's.
	for _, c := range []struct {
		mt                 Mounting
		first, right, down [2]float32
	}{
		{Mounting{}, [2]float32{0, 0}, [2]float32{1, 0}, [2]float32{0, 1}},
		{Mounting{Turn: 1}, [2]float32{0, 2}, [2]float32{0, 1}, [2]float32{1, 2}},
		{Mounting{Turn: 2}, [2]float32{4, 2}, [2]float32{3, 2}, [2]float32{4, 1}},
		{Mounting{Turn: 3}, [2]float32{4, 0}, [2]float32{4, 1}, [2]float32{3, 0}},
		{Mounting{Mirror: true}, [2]float32{4, 0}, [2]float32{3, 0}, [2]float32{4, 1}},
		{Mounting{Turn: 1, Mirror: true}, [2]float32{0, 0}, [2]float32{0, 1}, [2]float32{1, 0}},
		{Mounting{Turn: -1}, [2]float32{4, 0}, [2]float32{4, 1}, [2]float32{3, 0}},
		{Mounting{Turn: 6}, [2]float32{4, 2}, [2]float32{3, 2}, [2]float32{4, 1}},
	} {
		m := c.mt.Affine(w, h)
		for _, p := range [][2][2]float32{{{0, 0}, c.first}, {{1, 0}, c.right}, {{0, 1}, c.down}} {
			if u, v := m.Apply(p[0][0], p[0][1]); u != p[1][0] || v != p[1][1] {
				t.Errorf("%+v: %v lies at (%v, %v), want %v", c.mt, p[0], u, v, p[1])
			}
		}
		img := Image{Width: w, Height: h, Mounting: c.mt}
		if uw, uh := img.Upright(); (c.mt.Turn&1 == 0) != (uw == w && uh == h) || uw*uh != w*h {
			t.Errorf("%+v: upright %dx%d", c.mt, uw, uh)
		}
	}
}

func TestLetterbox(t *testing.T) {
	for _, c := range [][4]int{{128, 128, 640, 480}, {128, 128, 480, 640}, {192, 192, 1920, 1080}, {128, 128, 100, 100}, {112, 112, 3, 999}} {
		m := Letterbox(c[0], c[1], c[2], c[3])
		// The middles lie on each other, nothing of the picture is lost, and one
		// pair of borders meets.
		u, v := m.Apply(float32(c[0])/2-0.5, float32(c[1])/2-0.5)
		if math.Abs(float64(u)-(float64(c[2])/2-0.5)) > 1e-3 || math.Abs(float64(v)-(float64(c[3])/2-0.5)) > 1e-3 {
			t.Errorf("%v: the middle is at (%v, %v)", c, u, v)
		}
		left, top := m.Apply(-0.5, -0.5)
		if left > -0.499 || top > -0.499 || math.Min(math.Abs(float64(left)+0.5), math.Abs(float64(top)+0.5)) > 1e-3 {
			t.Errorf("%v: the corner is at (%v, %v)", c, left, top)
		}
	}
}

func TestFormatNames(t *testing.T) {
	// The four characters as v4l2-ctl shows them.
	for f, want := range map[Format]string{GREY: "GREY", YUYV: "YUYV", UYVY: "UYVY", NV12: "NV12", RGB24: "RGB3", YUV420: "YU12", YUV422P: "422P", MJPEG: "MJPG", 7: "0x00000007"} {
		if f.String() != want {
			t.Errorf("%q, want %q", f.String(), want)
		}
	}
}
