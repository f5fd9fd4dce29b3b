// Package face finds the face that counts in each frame, follows it, and says
// whether it is seen well enough to be read.
//
//	Detector  BlazeFace: all faces of a picture
//	Tracker   the one face that counts, over time; detects only when it must
//	Align     from a face to the map that fills a network's input
//	Gate      is the face large, sharp, lit and turned well enough? If not, why
//
// All coordinates are pixel indices of the upright picture (pixel.Image and its
// Mounting): the centre of the first pixel is (0, 0). Right and left are the
// person's own: the right eye is at the picture's left.
package face

import (
	"math"

	"mien/model/pixel"
)

// Point is a place in the upright picture.
type Point struct{ X, Y float32 }

// Rect is a part of the upright picture.
type Rect struct{ X0, Y0, X1, Y1 float32 }

// Width of the part, in pixels.
func (r Rect) Width() float32 { return r.X1 - r.X0 }

// Height of the part, in pixels.
func (r Rect) Height() float32 { return r.Y1 - r.Y0 }

// Centre of the part.
func (r Rect) Centre() Point { return Point{(r.X0 + r.X1) / 2, (r.Y0 + r.Y1) / 2} }

func (r Rect) holds(p Point) bool { return p.X >= r.X0 && p.X <= r.X1 && p.Y >= r.Y0 && p.Y <= r.Y1 }

// The places in Face.Keypoints, in BlazeFace's order.
const (
	RightEye = iota
	LeftEye
	NoseTip
	Mouth
	RightEar
	LeftEar
	Keypoints // how many
)

// Face is one face in a picture.
type Face struct {
	Box       Rect
	Keypoints [Keypoints]Point
	Score     float32 // the detector's, 0..1
}

// EyeDistance is how far the eyes are apart, in pixels.
func (f *Face) EyeDistance() float32 {
	return distance(f.Keypoints[RightEye], f.Keypoints[LeftEye])
}

// Template is where a network wants the eyes, in pixel indices of its input.
type Template struct{ RightEye, LeftEye Point }

// Align gives the map from a network's input to the upright picture: the
// similarity transform (turn, scale, move) that brings the eyes to the
// template. For eyes or a template in one point it is the identity's scale
// about the right eye, never a division by zero.
func Align(f Face, t Template) pixel.Affine {
	// As complex numbers: picture = s*input + o, s from the two eye vectors.
	ex, ey := f.Keypoints[LeftEye].X-f.Keypoints[RightEye].X, f.Keypoints[LeftEye].Y-f.Keypoints[RightEye].Y
	tx, ty := t.LeftEye.X-t.RightEye.X, t.LeftEye.Y-t.RightEye.Y
	a, b := float32(1), float32(0)
	if n := tx*tx + ty*ty; n > 0 && ex*ex+ey*ey > 0 {
		a, b = (ex*tx+ey*ty)/n, (ey*tx-ex*ty)/n
	}
	x, y := t.RightEye.X, t.RightEye.Y
	return pixel.Affine{
		a, -b, f.Keypoints[RightEye].X - (a*x - b*y),
		b, a, f.Keypoints[RightEye].Y - (b*x + a*y),
	}
}

func distance(a, b Point) float32 {
	return float32(math.Hypot(float64(a.X-b.X), float64(a.Y-b.Y)))
}

// overlap is intersection over union.
func overlap(a, b Rect) float32 {
	w := min(a.X1, b.X1) - max(a.X0, b.X0)
	h := min(a.Y1, b.Y1) - max(a.Y0, b.Y0)
	if w <= 0 || h <= 0 {
		return 0
	}
	i := w * h
	u := a.Width()*a.Height() + b.Width()*b.Height() - i
	if u <= 0 {
		return 0
	}
	return i / u
}
