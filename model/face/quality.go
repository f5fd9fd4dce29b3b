package face

import (
	"fmt"
	"math"

	"mien/model/pixel"
)

// Reason says why a face cannot be read.
type Reason int

// The reasons, in the order in which they are looked for.
const (
	Good Reason = iota
	Missing
	Unsure
	CutOff
	TooSmall
	Rolled
	Turned
	Tilted
	TooDark
	TooBright
	Flat
	Blurred
	reasons
)

var reasonNames = [reasons]struct{ text, advice string }{
	Good:      {"face can be read", ""},
	Missing:   {"no face in view", "check where the camera points, and that nothing covers the face"},
	Unsure:    {"not clearly a face", "remove what covers the face, or improve the light"},
	CutOff:    {"face cut off by the picture's edge", "turn the camera towards the face, or move it further away"},
	TooSmall:  {"face too small", "move the camera nearer, or choose a larger picture size or a longer lens"},
	Rolled:    {"head leans to one side", "mount the camera upright, or set camera.rotate"},
	Turned:    {"face turned away", "mount the camera where the person looks"},
	Tilted:    {"face looks up or down", "mount the camera at the height of the eyes"},
	TooDark:   {"face too dark", "add light from the front, or raise the camera's exposure"},
	TooBright: {"face too bright", "shade the light that falls on the face, or lower the camera's exposure"},
	Flat:      {"too little contrast on the face", "clean the lens, and look for steam or light that shines into it"},
	Blurred:   {"face out of focus or moving fast", "set the focus, clean the lens, or shorten the exposure"},
}

// Reasons lists why a face cannot be read, in the order in which they are looked for.
func Reasons() []Reason {
	var list []Reason
	for r := Missing; r < reasons; r++ {
		list = append(list, r)
	}
	return list
}

// String says it in plain words, such as "face too small".
func (r Reason) String() string {
	if r < 0 || r >= reasons {
		return fmt.Sprintf("reason %d", int(r))
	}
	return reasonNames[r].text
}

// Advice says what a technician can do about it.
func (r Reason) Advice() string {
	if r < 0 || r >= reasons {
		return ""
	}
	return reasonNames[r].advice
}

// Quality are the figures that a Gate judges by.
type Quality struct {
	Score     float32 // the detector's, 0..1
	Eyes      float32 // between the eyes, pixels
	Inside    float32 // share of the face that lies in the picture, 0..1
	Roll      float32 // degrees; positive: the head leans to the picture's right (clockwise)
	Yaw       float32 // degrees, estimated; positive: turned to the picture's right
	Pitch     float32 // degrees, estimated; positive: looks up
	Light     pixel.Stats
	Sharpness float32 // Light.Sharpness relative to the face's contrast
}

// Gate are the limits within which a face is read. A zero limit is not
// checked; DefaultGate has the values that are measured to work.
type Gate struct {
	MinScore     float32
	MinEyes      float32 // pixels
	MinInside    float32
	MaxRoll      float32 // degrees
	MaxYaw       float32
	MaxPitch     float32
	MinMean      float32 // of the luma, 0..255
	MaxMean      float32
	MaxDark      float32 // share of samples
	MaxBright    float32
	MinContrast  float32 // standard deviation of the luma
	MinSharpness float32
}

// DefaultGate gives limits for a network of 112 x 112 pixels. On real faces
// MinSharpness let 99% of the sharp ones pass, about half of those blurred by a
// Gaussian of 2 network pixels, hardly any blurred by 3; of those that moved by
// 10 network pixels, in whatever direction, about half, by 15 about a tenth.
func DefaultGate() Gate {
	return Gate{
		MinScore: 0.5, MinEyes: 16, MinInside: 0.9,
		MaxRoll: 35, MaxYaw: 40, MaxPitch: 30,
		MinMean: 25, MaxMean: 235, MaxDark: 0.6, MaxBright: 0.4,
		MinContrast: 10, MinSharpness: 0.025,
	}
}

// Proportions of a face that looks straight ahead, in parts of the eye distance:
// medians of BlazeFace's keypoints over some thousands of pictures; the depths
// are those of the ICT FaceKit's neutral head. Persons differ: yaw is within
// about 10 degrees, pitch within about 15.
const (
	noseBelow  = 0.544 // the nose tip below the line of the eyes
	mouthBelow = 1.06
	noseDepth  = 0.59 // the nose tip in front of the eyes
	mouthDepth = 0.35
)

// networkEyes is the eye distance in a network's input, in its pixels, that
// sharpness is measured at.
const networkEyes = 34

// Assess measures a face. Errors wrap those of pixel.Measure.
func Assess(img *pixel.Image, f *Face) (Quality, error) {
	q := Quality{Score: f.Score, Eyes: f.EyeDistance()}
	q.Inside = inside(img, f)
	q.Roll, q.Yaw, q.Pitch = angles(f)
	part := f.core()
	reach := q.Eyes / networkEyes
	whole := max(1, float32(int(reach+0.5)))
	light, err := pixel.Measure(img, part, int(whole))
	if err != nil {
		return q, fmt.Errorf("assess face: %w", err)
	}
	q.Light = light
	if light.Contrast > 0 {
		// What whole pixels add or lack: between the reach squared, as for a sharp
		// face, and to the fourth, as for a blurred one.
		r := reach / whole
		q.Sharpness = light.Sharpness / (light.Contrast * light.Contrast) * r * r * r
	}
	return q, nil
}

// core is the part from brow to chin that the expressions are in, without hair
// and background.
func (f *Face) core() pixel.Rect {
	r, l := f.Keypoints[RightEye], f.Keypoints[LeftEye]
	x, y, d := (r.X+l.X)/2, (r.Y+l.Y)/2, f.EyeDistance()
	return pixel.Rect{
		X0: whole(x - 0.9*d), Y0: whole(y - 0.45*d),
		X1: whole(x+0.9*d) + 1, Y1: whole(y+1.4*d) + 1,
	}
}

// extent is about what is read of a face: here, and by the network that ships.
func (f *Face) extent() pixel.Rect {
	b, w := f.Box, f.Box.Width()
	return pixel.Rect{X0: whole(b.X0 - 0.2*w), Y0: whole(b.Y0 - 0.3*w), X1: whole(b.X1 + 0.2*w), Y1: whole(b.Y1 + 0.1*w)}
}

// whole rounds to a pixel, also what no picture can have.
func whole(v float32) int {
	return int(math.Round(min(max(float64(v), -1e6), 1e6)))
}

// inside is the share of the box that lies in the picture; none where an eye,
// the nose or the mouth does not.
func inside(img *pixel.Image, f *Face) float32 {
	w, h := img.Upright()
	right, bottom := float32(w)-0.5, float32(h)-0.5
	for k := RightEye; k <= Mouth; k++ {
		if p := f.Keypoints[k]; !(p.X >= -0.5 && p.Y >= -0.5 && p.X <= right && p.Y <= bottom) {
			return 0
		}
	}
	iw := min(f.Box.X1, right) - max(f.Box.X0, -0.5)
	ih := min(f.Box.Y1, bottom) - max(f.Box.Y0, -0.5)
	area := f.Box.Width() * f.Box.Height()
	if iw <= 0 || ih <= 0 || !(area > 0) {
		return 0
	}
	return iw * ih / area
}

// angles estimates how the head is turned, in degrees, from where the nose tip
// lies between the eyes and the mouth.
func angles(f *Face) (roll, yaw, pitch float32) {
	r, l := f.Keypoints[RightEye], f.Keypoints[LeftEye]
	ex, ey := float64(l.X-r.X), float64(l.Y-r.Y)
	d := math.Hypot(ex, ey)
	if d == 0 {
		return 0, 90, 0
	}
	// In the face's own axes, in eye distances from the middle of the eyes.
	own := func(p Point) (x, y float64) {
		px, py := float64(p.X)-float64(r.X+l.X)/2, float64(p.Y)-float64(r.Y+l.Y)/2
		return (px*ex + py*ey) / (d * d), (py*ex - px*ey) / (d * d)
	}
	nx, ny := own(f.Keypoints[NoseTip])
	_, my := own(f.Keypoints[Mouth])
	const degree = 180 / math.Pi
	roll = float32(math.Atan2(ey, ex) * degree)
	// nx = noseDepth * tan(yaw): both the offset and the eye distance shrink.
	yaw = float32(math.Atan(nx/noseDepth) * degree)
	// ny/my = (noseBelow - noseDepth*t) / (mouthBelow - mouthDepth*t), t = tan(pitch).
	if my > 0 {
		ratio := ny / my
		if down := noseDepth - mouthDepth*ratio; down > 0.05 {
			return roll, yaw, float32(math.Atan((noseBelow-mouthBelow*ratio)/down) * degree)
		}
	}
	return roll, yaw, -90
}

// Judge gives the first reason that a face cannot be read, or Good.
func (g *Gate) Judge(q *Quality) Reason {
	below := func(v, limit float32) bool { return limit != 0 && !(v >= limit) }
	above := func(v, limit float32) bool { return limit != 0 && !(v <= limit) }
	switch {
	case below(q.Score, g.MinScore):
		return Unsure
	case below(q.Inside, g.MinInside):
		return CutOff
	case below(q.Eyes, g.MinEyes):
		return TooSmall
	case above(abs(q.Roll), g.MaxRoll):
		return Rolled
	case above(abs(q.Yaw), g.MaxYaw):
		return Turned
	case above(abs(q.Pitch), g.MaxPitch):
		return Tilted
	case below(q.Light.Mean, g.MinMean), above(q.Light.Dark, g.MaxDark):
		return TooDark
	case above(q.Light.Mean, g.MaxMean), above(q.Light.Bright, g.MaxBright):
		return TooBright
	case below(q.Light.Contrast, g.MinContrast):
		return Flat
	case below(q.Sharpness, g.MinSharpness):
		return Blurred
	}
	return Good
}

// Explain says a reason with its figures, such as "face too small: 14 pixels
// between the eyes, needs 16".
func (g *Gate) Explain(r Reason, q *Quality) string {
	var figures string
	switch r {
	case Unsure:
		figures = fmt.Sprintf("score %.2f, needs %.2f", q.Score, g.MinScore)
	case CutOff:
		figures = fmt.Sprintf("%.0f%% of it in the picture, needs %.0f%%", 100*q.Inside, 100*g.MinInside)
	case TooSmall:
		figures = fmt.Sprintf("%.0f pixels between the eyes, needs %.0f", q.Eyes, g.MinEyes)
	case Rolled:
		figures = fmt.Sprintf("%.0f degrees, at most %.0f", abs(q.Roll), g.MaxRoll)
	case Turned:
		figures = fmt.Sprintf("about %.0f degrees, at most %.0f", abs(q.Yaw), g.MaxYaw)
	case Tilted:
		figures = fmt.Sprintf("about %.0f degrees, at most %.0f", abs(q.Pitch), g.MaxPitch)
	case TooDark:
		figures = fmt.Sprintf("brightness %.0f of 255, needs %.0f; %.0f%% black, at most %.0f%%",
			q.Light.Mean, g.MinMean, 100*q.Light.Dark, 100*g.MaxDark)
	case TooBright:
		figures = fmt.Sprintf("brightness %.0f of 255, at most %.0f; %.0f%% white, at most %.0f%%",
			q.Light.Mean, g.MaxMean, 100*q.Light.Bright, 100*g.MaxBright)
	case Flat:
		figures = fmt.Sprintf("contrast %.0f, needs %.0f", q.Light.Contrast, g.MinContrast)
	case Blurred:
		figures = fmt.Sprintf("sharpness %.3f, needs %.3f", q.Sharpness, g.MinSharpness)
	default:
		return r.String()
	}
	return r.String() + ": " + figures
}
