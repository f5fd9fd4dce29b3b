package pixel

import "math"

// Affine maps a destination point (x, y) to a source point:
// u = m[0]*x + m[1]*y + m[2], v = m[3]*x + m[4]*y + m[5].
type Affine [6]float32

// Identity maps every point to itself.
var Identity = Affine{1, 0, 0, 0, 1, 0}

// Apply maps one point.
func (m Affine) Apply(x, y float32) (u, v float32) {
	return m[0]*x + m[1]*y + m[2], m[3]*x + m[4]*y + m[5]
}

// After gives the map that does first, then m.
func (m Affine) After(first Affine) Affine {
	return Affine{
		m[0]*first[0] + m[1]*first[3], m[0]*first[1] + m[1]*first[4], m[0]*first[2] + m[1]*first[5] + m[2],
		m[3]*first[0] + m[4]*first[3], m[3]*first[1] + m[4]*first[4], m[3]*first[2] + m[4]*first[5] + m[5],
	}
}

// Invert gives the map back; ok is false where there is none.
func (m Affine) Invert() (inverse Affine, ok bool) {
	a, b, c := float64(m[0]), float64(m[1]), float64(m[2])
	d, e, f := float64(m[3]), float64(m[4]), float64(m[5])
	det := a*e - b*d
	if det == 0 || math.IsNaN(det) || math.IsInf(det, 0) {
		return Affine{}, false
	}
	return Affine{
		float32(e / det), float32(-b / det), float32((b*f - e*c) / det),
		float32(-d / det), float32(a / det), float32((d*c - a*f) / det),
	}, true
}

// Affine maps points of the upright picture to points of the camera's picture
// of width x height.
func (mt Mounting) Affine(width, height int) Affine {
	w, h := float32(width-1), float32(height-1)
	var m Affine
	upright := w // the upright picture's last column
	switch mt.Turn & 3 {
	case 0:
		m = Identity
	case 1: // upright (x, y) was at column y, counted rows from the bottom: x
		m = Affine{0, 1, 0, -1, 0, h}
		upright = h
	case 2:
		m = Affine{-1, 0, w, 0, -1, h}
	case 3:
		m = Affine{0, -1, w, 1, 0, 0}
		upright = h
	}
	if mt.Mirror {
		m = m.After(Affine{-1, 0, upright, 0, 1, 0})
	}
	return m
}

// Letterbox maps a width x height destination to the whole of a srcWidth x
// srcHeight picture, centred, its shape kept, and what is left over outside the
// picture.
func Letterbox(width, height, srcWidth, srcHeight int) Affine {
	s := max(float32(srcWidth)/float32(width), float32(srcHeight)/float32(height))
	// The halves: borders are mapped on each other, not centres.
	cx := float32(srcWidth)/2 - 0.5 - s*(float32(width)/2-0.5)
	cy := float32(srcHeight)/2 - 0.5 - s*(float32(height)/2-0.5)
	return Affine{s, 0, cx, 0, s, cy}
}
