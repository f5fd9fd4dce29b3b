package pixel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"testing"

	"mien/model/tflite"
)

// maps that a picture of w x h is sampled by.
func maps(w, h float32) map[string]Affine {
	turn := func(deg, scale, cx, cy float32) Affine {
		s, c := math.Sincos(float64(deg) * math.Pi / 180)
		a, b := scale*float32(c), scale*float32(s)
		const m = 10 // about the middle of the tensor
		return Affine{a, -b, cx - a*m + b*m, b, a, cy - b*m - a*m}
	}
	return map[string]Affine{
		"identity":        Identity,
		"half a pixel":    {1, 0, 0.5, 0, 1, 0.5},
		"up 2.7":          {1 / 2.7, 0, 3.3, 0, 1 / 2.7, 2.1},
		"down 1.3":        {1.3, 0, 0.2, 0, 1.3, 0.7},
		"down 2":          {2, 0, 0.5, 0, 2, 0.5},
		"down 3.33":       {3.33, 0, 1, 0, 3.33, 1},
		"down 5":          {5, 0, 2, 0, 5, 2},
		"letterbox":       Letterbox(21, 19, int(w), int(h)),
		"tall":            {1.7, 0, 0, 0, 0.6, 4},
		"mirrored":        {-1.5, 0, w - 2, 0, 1.5, 1},
		"upside down":     {1.2, 0, 2, 0, -1.2, h - 3},
		"turned 3":        turn(3, 1.1, w/2, h/2),
		"turned 10":       turn(10, 1.76, w/2, h/2),
		"turned -17":      turn(-17, 2.5, w/2, h/2),
		"turned 30 small": turn(30, 0.4, w/2, h/2),
		"turned 45":       turn(45, 2, w/2, h/2),
		"turned 80":       turn(80, 3.7, w/2, h/2),
		"turned 90":       turn(90, 1.5, w/2, h/2),
		"turned 180":      turn(180, 1, w/2, h/2),
		"turned 12 far":   turn(12, 7.3, w/2, h/2),
		"sheared":         {1.4, 0.5, 2, -0.2, 0.9, 5},
		"over the left":   turn(8, 2, 2, h/2),
		"over the right":  turn(-8, 2, w-2, h/2),
		"over the corner": turn(20, 1.5, w, h),
		"outside":         turn(20, 1.5, 3*w, -2*h),
		"shrunk whole":    {w / 4, 0, -w / 2, 0, h / 4, -h / 2},
	}
}

func targets() []Target {
	return []Target{
		{Width: 21, Height: 19, Channels: 1, Type: tflite.UInt8},
		{Width: 24, Height: 19, Channels: 1, Type: tflite.UInt8},
		{Width: 24, Height: 19, Channels: 1, Type: tflite.Int8, Mean: [3]float32{127.5}, Std: [3]float32{127.5}, Scale: 1 / 127.5, ZeroPoint: 0},
		{Width: 21, Height: 19, Channels: 3, Type: tflite.UInt8},
		{Width: 21, Height: 19, Channels: 3, Type: tflite.Float32, Mean: [3]float32{127.5, 127.5, 127.5}, Std: [3]float32{127.5, 127.5, 127.5}, Border: Constant},
		{Width: 21, Height: 19, Channels: 1, Type: tflite.UInt8, Border: Constant, Outside: 90},
		{Width: 21, Height: 19, Channels: 3, Type: tflite.Int8, Mean: [3]float32{123, 116, 103}, Std: [3]float32{58, 57, 57}, Scale: 0.02, ZeroPoint: -3},
		{Width: 21, Height: 19, Channels: 3, Type: tflite.Float32, Mean: [3]float32{127.5, 127.5, 127.5}, Std: [3]float32{127.5, 127.5, 127.5}, Border: Constant, FromLuma: true},
		{Width: 16, Height: 12, Channels: 3, Type: tflite.Float32, Mean: [3]float32{127.5, 127.5, 127.5}, Std: [3]float32{127.5, 127.5, 127.5}, Border: Constant, FromLuma: true},
		{Width: 32, Height: 10, Channels: 3, Type: tflite.Float32, Mean: [3]float32{7, 7, 7}, FromLuma: true},
		{Width: 21, Height: 19, Channels: 3, Type: tflite.UInt8, Mean: [3]float32{3, 2, 1}, FromLuma: true},
	}
}

// elements reads a tensor as numbers.
func elements(t Target, data []byte) []float64 {
	out := make([]float64, t.Width*t.Height*t.Channels)
	for i := range out {
		switch t.Type {
		case tflite.Float32:
			out[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:])))
		case tflite.Int8:
			out[i] = float64(int8(data[i]))
		case tflite.UInt8:
			out[i] = float64(data[i])
		}
	}
	return out
}

// step is what one step of 255 is in the tensor's elements.
func step(t Target) float64 {
	std, scale := float64(t.Std[0]), float64(t.Scale)
	if std == 0 {
		std = 1
	}
	if scale == 0 {
		scale = 1
	}
	if t.Type == tflite.Float32 {
		return 1 / std
	}
	return math.Max(1, math.Ceil(1/std/scale))
}

// allowed is how many steps of 255 a fill may be off. Fixed point rounds
// positions and weights to 1/256: what a camera makes stays within one step;
// black and white noise may be off by two here and there, and with random
// chroma by three, because the YUV matrix enlarges its error twofold.
func allowed(kind int) float64 { return [kinds]float64{smooth: 1, noise: 2, edges: 2, wild: 3}[kind] }

func TestFillFollowsTheRule(t *testing.T) {
	sizes := [][3]int{{97, 62, 13}, {34, 35, 0}, {7, 5, 2}, {1, 1, 0}}
	var worst, off, all [kinds]float64
	for _, format := range allFormats {
		for _, size := range sizes {
			for kind := range kinds {
				img := picture(format, size[0], size[1], size[2], kind, uint64(size[0]+kind))
				for name, m := range maps(float32(size[0]), float32(size[1])) {
					for i, target := range targets() {
						what := fmt.Sprintf("%s %dx%d+%d, picture %d, %s, target %d", format, size[0], size[1], size[2], kind, name, i)
						d, n := compare(t, what, img, target, m, allowed(kind))
						worst[kind] = max(worst[kind], d)
						off[kind] += float64(n)
						all[kind] += float64(target.Width * target.Height * target.Channels)
					}
				}
			}
		}
	}
	for kind := range kinds {
		t.Logf("picture %d: at most %.2f steps off, %.4f%% more than one", kind, worst[kind], 100*off[kind]/all[kind])
		if kind != wild && off[kind]/all[kind] > 1e-4 {
			t.Errorf("picture %d: more than 1 in 10000 values is off by more than one step", kind)
		}
	}
}

func TestFillOfAMountedCamera(t *testing.T) {
	for _, format := range allFormats {
		for turn := -1; turn < 5; turn++ {
			for _, mirror := range []bool{false, true} {
				img := picture(format, 61, 46, 3, smooth, 7)
				img.Mounting = Mounting{turn, mirror}
				w, h := img.Upright()
				for name, m := range maps(float32(w), float32(h)) {
					compare(t, fmt.Sprintf("%s turn %d mirror %v %s", format, turn, mirror, name), img, targets()[3], m, 1)
				}
			}
		}
	}
}

func TestFillFullRange(t *testing.T) {
	for _, format := range allFormats {
		img := picture(format, 40, 31, 0, smooth, 9)
		img.FullRange = true
		compare(t, format.String(), img, targets()[3], Affine{1.5, 0.1, 2, -0.1, 1.5, 2}, 1)
	}
}

// compare fills by Sampler and by the rule; it gives the largest difference in
// steps, and how many elements are more than one off.
func compare(t *testing.T, what string, img *Image, target Target, m Affine, allowed float64) (worst float64, off int) {
	t.Helper()
	s, err := NewSampler(target)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	dst := make([]byte, target.Bytes())
	if err := s.Fill(dst, img, m); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	got, want := elements(target, dst), rule(img, target, m)
	const rounding = 0.002 // of float32 elements
	at := 0
	for i := range got {
		d := math.Abs(got[i]-want[i]) / step(target)
		if d > 1+rounding {
			off++
		}
		if d > worst {
			worst, at = d, i
		}
	}
	if worst > allowed+rounding {
		p := at / target.Channels
		t.Errorf("%s: element %d (x %d, y %d) is %v, want %v", what, at, p%target.Width, p/target.Width, got[at], want[at])
	}
	return worst, off
}

func TestFillRefuses(t *testing.T) {
	s, err := NewSampler(Grey8(8, 8))
	if err != nil {
		t.Fatal(err)
	}
	good := picture(YUYV, 16, 16, 0, noise, 1)
	dst := make([]byte, 64)
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		dst  []byte
		img  Image
		m    Affine
		want error
	}{
		"short tensor":   {dst[:63], *good, Identity, ErrTarget},
		"long tensor":    {make([]byte, 65), *good, Identity, ErrTarget},
		"mjpeg":          {dst, Image{Format: MJPEG, Width: 16, Height: 16, Data: good.Data}, Identity, ErrFormat},
		"no format":      {dst, Image{Width: 16, Height: 16, Data: good.Data}, Identity, ErrFormat},
		"no size":        {dst, Image{Format: YUYV, Data: good.Data}, Identity, ErrSize},
		"huge":           {dst, Image{Format: YUYV, Width: 1 << 30, Height: 1 << 30, Data: good.Data}, Identity, ErrSize},
		"short data":     {dst, Image{Format: YUYV, Width: 16, Height: 16, Stride: 32, Data: good.Data[:511]}, Identity, ErrSize},
		"narrow stride":  {dst, Image{Format: YUYV, Width: 16, Height: 16, Stride: 31, Data: good.Data}, Identity, ErrSize},
		"minus stride":   {dst, Image{Format: YUYV, Width: 16, Height: 16, Stride: -32, Data: good.Data}, Identity, ErrSize},
		"nil data":       {dst, Image{Format: GREY, Width: 16, Height: 16}, Identity, ErrSize},
		"short nv12":     {dst, Image{Format: NV12, Width: 16, Height: 16, Data: good.Data[:16*24-1]}, Identity, ErrSize},
		"not a number":   {dst, *good, Affine{nan, 0, 0, 0, 1, 0}, ErrAffine},
		"leads far away": {dst, *good, Affine{1, 0, 1e9, 0, 1, 0}, ErrAffine},
		"grows too much": {dst, *good, Affine{1e30, 0, 0, 0, 1, 0}, ErrAffine},
	} {
		if err := s.Fill(c.dst, &c.img, c.m); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for _, target := range []Target{
		{}, {Width: 8, Height: 8}, {Width: 8, Height: 8, Channels: 2, Type: tflite.UInt8},
		{Width: 8, Height: 8, Channels: 1}, {Width: 8, Height: -8, Channels: 1, Type: tflite.UInt8},
		{Width: 1 << 20, Height: 8, Channels: 1, Type: tflite.UInt8},
		{Width: 8, Height: 8, Channels: 1, Type: tflite.UInt8, Std: [3]float32{nan}},
	} {
		if _, err := NewSampler(target); !errors.Is(err, ErrTarget) {
			t.Errorf("target %+v: %v, want %v", target, err, ErrTarget)
		}
	}
}

func TestFillAllocatesNothing(t *testing.T) {
	for _, format := range allFormats {
		img := picture(format, 640, 480, 0, smooth, 1)
		for i, target := range targets() {
			s, err := NewSampler(target)
			if err != nil {
				t.Fatal(err)
			}
			dst := make([]byte, target.Bytes())
			for name, m := range maps(640, 480) {
				if n := testing.AllocsPerRun(3, func() {
					if err := s.Fill(dst, img, m); err != nil {
						t.Fatal(err)
					}
				}); n != 0 {
					t.Errorf("%s, target %d, %s: %v allocations a picture", format, i, name, n)
				}
			}
		}
	}
}

// face200 maps a 112x112 tensor to a face of about 200 pixels, its head
// leaning by 6 degrees: eyes 84 pixels apart, 34 in the tensor.
var face200 = func() Affine {
	s, c := math.Sincos(6 * math.Pi / 180)
	a, b := float32(84.0/34*c), float32(84.0/34*s)
	return Affine{a, -b, 320 - a*56 + b*56, b, a, 240 - b*56 - a*56}
}()

func benchmarkFill(b *testing.B, img *Image, target Target, m Affine) {
	s, err := NewSampler(target)
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, target.Bytes())
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Fill(dst, img, m); err != nil {
			b.Fatal(err)
		}
	}
}

var (
	affectTarget = Target{Width: 112, Height: 112, Channels: 1, Type: tflite.Int8, Mean: [3]float32{127.5}, Std: [3]float32{127.5}, Scale: 1 / 127.5}
	blazeTarget  = Target{Width: 128, Height: 128, Channels: 3, Type: tflite.Float32, Mean: [3]float32{127.5, 127.5, 127.5}, Std: [3]float32{127.5, 127.5, 127.5}, Border: Constant}
)

func BenchmarkFillGrey112FromYUYV640(b *testing.B) {
	benchmarkFill(b, picture(YUYV, 640, 480, 0, smooth, 1), affectTarget, face200)
}

func BenchmarkFillGrey112FromGREY640(b *testing.B) {
	benchmarkFill(b, picture(GREY, 640, 480, 0, smooth, 1), affectTarget, face200)
}

func BenchmarkFillGrey112Small(b *testing.B) {
	m := face200
	for i := range m {
		m[i] *= 0.3
	}
	benchmarkFill(b, picture(YUYV, 640, 480, 0, smooth, 1), affectTarget, m)
}

func BenchmarkFillGrey112From1080(b *testing.B) {
	m := face200
	for i := range m {
		m[i] *= 2.25
	}
	benchmarkFill(b, picture(YUYV, 1920, 1080, 0, smooth, 1), affectTarget, m)
}

// BenchmarkFillGrey112Cold is the first with pictures that lie in memory only, as those
// that a camera wrote, BenchmarkFillGrey112Fetched with them fetched at once.
func BenchmarkFillGrey112Cold(b *testing.B)    { benchmarkCold(b, Rect{}) }
func BenchmarkFillGrey112Fetched(b *testing.B) { benchmarkCold(b, Rect{182, 102, 458, 378}) }

func benchmarkCold(b *testing.B, part Rect) {
	s, err := NewSampler(affectTarget)
	if err != nil {
		b.Fatal(err)
	}
	one := picture(YUYV, 640, 480, 0, smooth, 1)
	list := make([]Image, 160) // 98 MB
	for i := range list {
		list[i] = *one
		list[i].Data = bytes.Clone(one.Data)
	}
	dst := make([]byte, affectTarget.Bytes())
	i := 0
	for b.Loop() {
		img := &list[i%len(list)]
		Fetch(img, part)
		if err := s.Fill(dst, img, face200); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkFillRGB112FromYUYV640(b *testing.B) {
	t := affectTarget
	t.Channels, t.Mean, t.Std = 3, blazeTarget.Mean, blazeTarget.Std
	benchmarkFill(b, picture(YUYV, 640, 480, 0, smooth, 1), t, face200)
}

func BenchmarkFillDetector128(b *testing.B) {
	benchmarkFill(b, picture(YUYV, 640, 480, 0, smooth, 1), blazeTarget, Letterbox(128, 128, 640, 480))
}

func BenchmarkFillDetector128Luma(b *testing.B) {
	t := blazeTarget
	t.FromLuma = true
	benchmarkFill(b, picture(YUYV, 640, 480, 0, smooth, 1), t, Letterbox(128, 128, 640, 480))
}

func BenchmarkFillDetector128FromGREY(b *testing.B) {
	benchmarkFill(b, picture(GREY, 640, 480, 0, smooth, 1), blazeTarget, Letterbox(128, 128, 640, 480))
}

func BenchmarkFillDetector128Turned(b *testing.B) {
	img := picture(YUYV, 640, 480, 0, smooth, 1)
	img.Mounting.Turn = 1
	benchmarkFill(b, img, blazeTarget, Letterbox(128, 128, 480, 640))
}

func BenchmarkFillDetector192From1080(b *testing.B) {
	t := blazeTarget
	t.Width, t.Height = 192, 192
	benchmarkFill(b, picture(YUYV, 1920, 1080, 0, smooth, 1), t, Letterbox(192, 192, 1920, 1080))
}

// BenchmarkFillGrey112Moving is a face whose size changes from frame to frame, so
// that no table can be kept.
func BenchmarkFillGrey112Moving(b *testing.B) {
	img := picture(YUYV, 640, 480, 0, smooth, 1)
	s, err := NewSampler(affectTarget)
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, affectTarget.Bytes())
	m := [2]Affine{face200, face200}
	m[1][0] *= 1.01
	m[1][4] *= 1.01
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Fill(dst, img, m[i&1]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
