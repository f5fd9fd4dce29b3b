package pixel

import (
	"encoding/binary"
	"math"
)

// Rect is a part of the upright picture: columns X0 to X1-1, rows Y0 to Y1-1.
type Rect struct{ X0, Y0, X1, Y1 int }

// Stats describe the light in a part of a picture.
type Stats struct {
	Mean      float32 // of the luma, 0..255
	Contrast  float32 // standard deviation of the luma
	Dark      float32 // share of samples at 8 or below
	Bright    float32 // share of samples at 247 or above
	Sharpness float32 // how much detail of about the given reach there is
	Samples   int     // what the figures are made of; 0: the part lies outside
}

// Limits of Stats.Dark and Stats.Bright.
const (
	darkLimit   = 8
	brightLimit = 247
)

// maxSamples bounds the cost of Measure: a grid of about 20 x 20 points.
const maxSamples = 400

// Measure samples the luma on a grid over the part of the picture. Sharpness is
// the variance of the Laplacian (4*centre - left - right - up - down) with its
// neighbours 2*reach pixels away, less the one with neighbours reach pixels
// away: a sensor's noise is the same in both and cancels out, detail that a lens
// in focus gives is not. So that it means the same for a near and a far face, give
// the size of one network pixel in picture pixels as reach, 1 or more. What lies
// outside the picture is left out; the error wraps ErrFormat or ErrSize.
func Measure(img *Image, part Rect, reach int) (Stats, error) {
	l, err := img.layout()
	if err != nil {
		return Stats{}, err
	}
	reach = min(max(reach, 1), maxSide)
	part = img.toSensor(part)
	part.X0, part.Y0 = max(part.X0, 0), max(part.Y0, 0)
	part.X1, part.Y1 = min(part.X1, img.Width), min(part.Y1, img.Height)
	if part.X0 >= part.X1 || part.Y0 >= part.Y1 {
		return Stats{}, nil
	}
	side := math.Sqrt(float64(part.X1-part.X0) * float64(part.Y1-part.Y0) / maxSamples)
	pitch := max(1, int(math.Ceil(side)))

	var n, dark, bright, inner int
	var sum, squares, near, nearSquares, wide, wideSquares int64
	data := img.Data
	for y := part.Y0 + (part.Y1-part.Y0-1)%pitch/2; y < part.Y1; y += pitch {
		row := l.luma + y*l.stride
		for x := part.X0 + (part.X1-part.X0-1)%pitch/2; x < part.X1; x += pitch {
			at := row + x*l.step
			v := lumaAt(data, at, l.step)
			n++
			sum += int64(v)
			squares += int64(v) * int64(v)
			if v <= darkLimit {
				dark++
			}
			if v >= brightLimit {
				bright++
			}
			if x < 2*reach || y < 2*reach || x+2*reach >= img.Width || y+2*reach >= img.Height {
				continue
			}
			d := int64(laplacian(data, at, reach*l.step, reach*l.stride, l.step))
			e := int64(laplacian(data, at, 2*reach*l.step, 2*reach*l.stride, l.step))
			inner++
			near += d
			nearSquares += d * d
			wide += e
			wideSquares += e * e
		}
	}
	s := Stats{
		Mean:    float32(sum) / float32(n),
		Dark:    float32(dark) / float32(n),
		Bright:  float32(bright) / float32(n),
		Samples: n,
	}
	s.Contrast = float32(math.Sqrt(variance(n, sum, squares)))
	if inner > 0 {
		s.Sharpness = float32(max(0, variance(inner, wide, wideSquares)-variance(inner, near, nearSquares)))
	}
	return s, nil
}

func laplacian(data []byte, at, dx, dy, step int) int {
	return 4*lumaAt(data, at, step) - lumaAt(data, at-dx, step) - lumaAt(data, at+dx, step) -
		lumaAt(data, at-dy, step) - lumaAt(data, at+dy, step)
}

func variance(n int, sum, squares int64) float64 {
	mean := float64(sum) / float64(n)
	return max(0, float64(squares)/float64(n)-mean*mean)
}

// lumaAt is the luma of the pixel whose first byte is at; RGB24 is the only
// format of three bytes a pixel.
func lumaAt(data []byte, at, step int) int {
	if step == 3 {
		return int(grey(uint16(data[at])<<8, uint16(data[at+1])<<8, uint16(data[at+2])<<8)+2) >> 2
	}
	return int(data[at])
}

// toSensor turns a part of the upright picture into one of the camera's.
func (m *Image) toSensor(r Rect) Rect {
	if m.Mounting == (Mounting{}) || r.X0 >= r.X1 || r.Y0 >= r.Y1 {
		return r
	}
	a := m.Mounting.Affine(m.Width, m.Height)
	corner := func(x, y int) (int, int) { // in whole numbers: exact
		return int(a[0])*x + int(a[1])*y + int(a[2]), int(a[3])*x + int(a[4])*y + int(a[5])
	}
	x0, y0 := corner(r.X0, r.Y0)
	x1, y1 := corner(r.X1-1, r.Y1-1)
	return Rect{min(x0, x1), min(y0, y1), max(x0, x1) + 1, max(y0, y1) + 1}
}

// Hash gives a number that stays the same only when the camera delivers the
// very same picture again: sensor noise changes it from frame to frame. It
// reads two thousand bytes spread over the picture, and all of an MJPEG
// picture's. It works on any Data, whatever the format.
func Hash(img *Image) uint64 {
	const (
		prime  = 1099511628211 // FNV-1a's, on words of 8 bytes
		words  = 256
		offset = 14695981039346656037
	)
	data := img.Data
	pitch := 8
	if img.Format != MJPEG {
		pitch = max(8, len(data)/words)
	}
	h := uint64(offset) ^ uint64(len(data))
	at := 0
	for ; at+8 <= len(data); at += pitch {
		h = (h ^ binary.LittleEndian.Uint64(data[at:])) * prime
		h ^= h >> 32
	}
	for ; at < len(data); at++ {
		h = (h ^ uint64(data[at])) * prime
	}
	return h
}
