package pixel

import (
	"math"
	"math/rand/v2"

	"mien/model/tflite"
)

// The sampling rule of the package comment, slow and plainly right: in float64,
// over every pixel that a box touches, with no tables and no special cases.

// pixelAt gives the components of one pixel, the nearest edge pixel's outside.
func pixelAt(img *Image, x, y int) (a, b, c float64) {
	w, h := img.Width, img.Height
	x, y = min(max(x, 0), w-1), min(max(y, 0), h-1)
	s := img.Stride
	at := func(i int) float64 { return float64(img.Data[i]) }
	switch img.Format {
	case GREY:
		return at(y*s + x), 128, 128
	case YUYV:
		p := y*s + x/2*4
		return at(p + x%2*2), at(p + 1), at(p + 3)
	case UYVY:
		p := y*s + x/2*4
		return at(p + 1 + x%2*2), at(p), at(p + 2)
	case NV12:
		p := h*s + y/2*s + x/2*2
		return at(y*s + x), at(p), at(p + 1)
	case RGB24:
		p := y*s + 3*x
		return at(p), at(p + 1), at(p + 2)
	case YUV420:
		cs, ch := (s+1)/2, (h+1)/2
		p := h*s + y/2*cs + x/2
		return at(y*s + x), at(p), at(p + cs*ch)
	case YUV422P:
		cs := (s + 1) / 2
		p := h*s + y*cs + x/2
		return at(y*s + x), at(p), at(p + cs*h)
	case YUV444P:
		p := h*s + y*s + x
		return at(y*s + x), at(p), at(p + s*h)
	}
	panic("format")
}

// fine rounds to 1/256.
func fine(v float64) float64 { return math.Floor(v*256+0.5) / 256 }

// rule gives the tensor as numbers: elements for integers, values for floats.
func rule(img *Image, t Target, m Affine) []float64 {
	if img.Mounting != (Mounting{}) {
		m = img.Mounting.Affine(img.Width, img.Height).After(m)
	}
	a, b, c, d, e, f := float64(m[0]), float64(m[1]), float64(m[2]), float64(m[3]), float64(m[4]), float64(m[5])
	bw := fine(math.Max(1, math.Sqrt(a*a+b*b)))
	bh := fine(math.Max(1, math.Sqrt(d*d+e*e)))
	out := make([]float64, 0, t.Width*t.Height*t.Channels)
	for y := range t.Height {
		for x := range t.Width {
			u := a*float64(x) + b*float64(y) + c
			v := d*float64(x) + e*float64(y) + f
			l, top := fine(u+0.5-bw/2), fine(v+0.5-bh/2)
			r, bottom := l+bw, top+bh
			var sum [3]float64
			for py := int(math.Floor(top)); float64(py) < bottom; py++ {
				for px := int(math.Floor(l)); float64(px) < r; px++ {
					wx := math.Min(r, float64(px+1)) - math.Max(l, float64(px))
					wy := math.Min(bottom, float64(py+1)) - math.Max(top, float64(py))
					p0, p1, p2 := pixelAt(img, px, py)
					sum[0] += wx * wy * p0
					sum[1] += wx * wy * p1
					sum[2] += wx * wy * p2
				}
			}
			area := bw * bh
			if t.FromLuma && img.Format != RGB24 {
				sum[1], sum[2] = 128*area, 128*area
			}
			value := colours(img, t.Channels, sum[0]/area, sum[1]/area, sum[2]/area)
			for ch := range t.Channels {
				if t.Border == Constant && (u < -0.5 || v < -0.5 || u >= float64(img.Width)-0.5 || v >= float64(img.Height)-0.5) {
					value[ch] = float64(t.Outside)
				}
				out = append(out, element(t, ch, value[ch]))
			}
		}
	}
	return out
}

func colours(img *Image, channels int, a, b, c float64) [3]float64 {
	if img.Format == RGB24 {
		if channels == 1 {
			return [3]float64{0.299*a + 0.587*b + 0.114*c}
		}
		return [3]float64{a, b, c}
	}
	if channels == 1 || img.Format == GREY {
		return [3]float64{a, a, a}
	}
	y, u, v := a, b-128, c-128
	if !img.FullRange {
		y, u, v = (a-16)*255/219, u*255/224, v*255/224
	}
	hold := func(v float64) float64 { return math.Min(math.Max(v, 0), 255) }
	return [3]float64{
		hold(y + 1.402*v),
		hold(y - 0.114*1.772/0.587*u - 0.299*1.402/0.587*v),
		hold(y + 1.772*u),
	}
}

func element(t Target, channel int, value float64) float64 {
	std, scale := float64(t.Std[channel]), float64(t.Scale)
	if std == 0 {
		std = 1
	}
	if scale == 0 {
		scale = 1
	}
	x := (value - float64(t.Mean[channel])) / std
	switch t.Type {
	case tflite.Int8:
		return math.Min(math.Max(math.Round(x/scale)+float64(t.ZeroPoint), -128), 127)
	case tflite.UInt8:
		return math.Min(math.Max(math.Round(x/scale)+float64(t.ZeroPoint), 0), 255)
	}
	return x
}

// Pictures to sample.
const (
	smooth = iota // what a lens makes, with a sensor's noise
	noise         // luma, or red, green and blue, at random; smooth chroma
	edges         // black and white squares of 1 to 3 pixels; smooth chroma
	wild          // all at random
	kinds
)

var allFormats = []Format{GREY, YUYV, UYVY, NV12, RGB24, YUV420, YUV422P, YUV444P}

// picture makes a test picture with pad bytes of garbage behind each row.
func picture(f Format, w, h, pad, kind int, seed uint64) *Image {
	rnd := rand.New(rand.NewPCG(seed, 1))
	img := &Image{Format: f, Width: w, Height: h, Stride: 1, Data: make([]byte, 64*w*h+4096)}
	row := w
	switch f {
	case NV12:
		row = (w + 1) / 2 * 2
	case YUYV, UYVY:
		row = (w + 1) / 2 * 4
	case RGB24:
		row = 3 * w
	}
	img.Stride = row + pad
	l, err := img.layout()
	if err != nil {
		panic(err)
	}
	img.Data = img.Data[:l.need:l.need]
	for i := range img.Data {
		img.Data[i] = byte(rnd.Uint32()) // in the padding too
	}
	if kind == wild {
		return img
	}
	lens := func(x, y, k int) byte {
		return byte(128 + 55*math.Sin(float64(x)/17+float64(k)) + 55*math.Cos(float64(y)/13-float64(k)) + 16*rnd.Float64() - 8)
	}
	n := 1 + int(seed%3)
	ps, count := img.planes(&l, 3)
	for c := range count {
		p := &ps[c]
		for y := range p.height {
			for x := range p.width {
				at := &p.data[p.offset+y*p.stride+x*p.step]
				switch {
				case kind == smooth || p.chroma:
					*at = lens(x, y, c+int(seed))
				case kind == edges:
					*at = byte(255 * ((x/n + y/n) & 1))
				}
			}
		}
	}
	return img
}
