package pixel

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"math"
	"slices"
	"testing"
)

// of makes a picture of a format whose luma is f(x, y).
func of(format Format, w, h int, f func(x, y int) byte) *Image {
	img := picture(format, w, h, 4, smooth, 1)
	l, err := img.layout()
	if err != nil {
		panic(err)
	}
	for y := range h {
		for x := range w {
			at := l.luma + y*l.stride + x*l.step
			img.Data[at] = f(x, y)
			if format == RGB24 {
				img.Data[at+1], img.Data[at+2] = f(x, y), f(x, y)
			}
		}
	}
	return img
}

func TestMeasure(t *testing.T) {
	whole := Rect{0, 0, 320, 240}
	for _, format := range allFormats {
		for name, c := range map[string]struct {
			f    func(x, y int) byte
			part Rect
			want Stats // Samples are not compared
		}{
			"one shade": {func(x, y int) byte { return 77 }, whole, Stats{Mean: 77}},
			"black":     {func(x, y int) byte { return 3 }, whole, Stats{Mean: 3, Dark: 1}},
			"white":     {func(x, y int) byte { return 250 }, whole, Stats{Mean: 250, Bright: 1}},
			"halves": {func(x, y int) byte { return byte(x / 160 * 200) }, whole,
				Stats{Mean: 100, Contrast: 100, Dark: 0.5}},
			"the bright half": {func(x, y int) byte { return byte(x / 160 * 200) }, Rect{160, 0, 320, 240}, Stats{Mean: 200}},
			"a ramp":          {func(x, y int) byte { return byte(x * 255 / 319) }, whole, Stats{Mean: 127.5, Contrast: 73.6, Dark: 0.033, Bright: 0.033}},
			"over the edge":   {func(x, y int) byte { return 90 }, Rect{-100, -100, 20, 20}, Stats{Mean: 90}},
			"far outside":     {func(x, y int) byte { return 90 }, Rect{1000, 0, 1100, 50}, Stats{}},
			"upside down":     {func(x, y int) byte { return 90 }, Rect{20, 20, 10, 10}, Stats{}},
			"of one pixel":    {func(x, y int) byte { return byte(x) }, Rect{44, 10, 45, 11}, Stats{Mean: 44}},
		} {
			got, err := Measure(of(format, 320, 240, c.f), c.part, 1)
			if err != nil {
				t.Fatal(err)
			}
			if near := func(a, b, by float32) bool { return a-b <= by && b-a <= by }; !near(got.Mean, c.want.Mean, 5) ||
				!near(got.Contrast, c.want.Contrast, 1.5) || !near(got.Dark, c.want.Dark, 0.03) || !near(got.Bright, c.want.Bright, 0.03) {
				t.Errorf("%s, %s: %+v, want %+v", format, name, got, c.want)
			}
			if name != "halves" && name != "the bright half" && name != "a ramp" && got.Sharpness != 0 {
				t.Errorf("%s, %s: sharpness %v", format, name, got.Sharpness)
			}
			if got.Samples > 700 {
				t.Errorf("%s, %s: %d samples", format, name, got.Samples)
			}
		}
	}
	if _, err := Measure(&Image{Format: GREY, Width: 9, Height: 9}, whole, 1); !errors.Is(err, ErrSize) {
		t.Errorf("without data: %v", err)
	}
}

func TestMeasureSharpness(t *testing.T) {
	whole := Rect{0, 0, 640, 480}
	wave := func(period float64) *Image {
		return of(YUYV, 640, 480, func(x, y int) byte {
			return byte(128 + 80*math.Sin(float64(x)*2*math.Pi/period)*math.Sin(float64(y)*2*math.Pi/period))
		})
	}
	last := float32(math.Inf(1))
	for _, period := range []float64{26, 52, 104, 208} {
		s, err := Measure(wave(period), whole, 2)
		if err != nil {
			t.Fatal(err)
		}
		if s.Sharpness >= last/2 {
			t.Errorf("a wave of %v pixels has sharpness %v, a shorter one %v", period, s.Sharpness, last)
		}
		last = s.Sharpness
	}
	// The same wave twice as large at twice the reach is as sharp.
	a, err := Measure(wave(26), whole, 2)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Measure(wave(52), whole, 4)
	if err != nil {
		t.Fatal(err)
	}
	if r := a.Sharpness / b.Sharpness; r < 0.8 || r > 1.25 {
		t.Errorf("sharpness %v and, twice as large, %v", a.Sharpness, b.Sharpness)
	}
	// Noise has hardly any, though it is all detail.
	grain := picture(GREY, 640, 480, 0, noise, 3)
	s, err := Measure(grain, whole, 2)
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Sharpness / (s.Contrast * s.Contrast); r > 1 { // the second difference's variance is 6 times the contrast's square
		t.Errorf("noise has sharpness %v times its contrast squared", r)
	}
}

// What moves is blurred along its way only: there it must be missed, whatever
// detail there is across.
func TestMeasureSharpnessOfAMovement(t *testing.T) {
	const w, h = 240, 180
	whole := Rect{0, 0, w, h}
	grain := picture(GREY, w, h, 0, noise, 3)
	mean := func(img *Image, x, y int, offsets [][2]int) byte {
		sum, n := 0, 0
		for _, o := range offsets {
			if u, v := x+o[0], y+o[1]; u >= 0 && v >= 0 && u < w && v < h {
				sum += int(img.Data[v*img.Stride+u])
				n++
			}
		}
		return byte(sum / n)
	}
	var square [][2]int
	for i := range 25 {
		square = append(square, [2]int{i%5 - 2, i/5 - 2})
	}
	still := of(GREY, w, h, func(x, y int) byte { return mean(grain, x, y, square) })
	for _, format := range allFormats {
		s, err := Measure(of(format, w, h, func(x, y int) byte { return still.Data[y*still.Stride+x] }), whole, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, way := range [][2]int{{1, 0}, {0, 1}, {1, 1}, {1, -1}} {
			var line [][2]int
			for k := -10; k <= 10; k++ {
				line = append(line, [2]int{k * way[0], k * way[1]})
			}
			m, err := Measure(of(format, w, h, func(x, y int) byte { return mean(still, x, y, line) }), whole, 2)
			if err != nil {
				t.Fatal(err)
			}
			if !(m.Sharpness < s.Sharpness/8) {
				t.Errorf("%s: moved along %v, sharpness %v, still %v", format, way, m.Sharpness, s.Sharpness)
			}
		}
	}
}

func TestMeasureOfAMountedCamera(t *testing.T) {
	img := of(YUYV, 64, 48, func(x, y int) byte { return byte(100*(x/32) + 50*(y/24)) })
	// Quarters of the sensor: 0 | 100 over 50 | 150.
	for turn, want := range [][4]float32{{0, 100, 50, 150}, {50, 0, 150, 100}, {150, 50, 100, 0}, {100, 150, 0, 50}} {
		for _, mirror := range []bool{false, true} {
			img.Mounting = Mounting{turn, mirror}
			w, h := img.Upright()
			for i := range 4 {
				x, y := i%2, i/2
				s, err := Measure(img, Rect{x * w / 2, y * h / 2, (x + 1) * w / 2, (y + 1) * h / 2}, 1)
				if err != nil {
					t.Fatal(err)
				}
				if mirror {
					x = 1 - x
				}
				if s.Mean != want[2*y+x] || s.Contrast != 0 {
					t.Errorf("turn %d, mirror %v, quarter %d: mean %v, want %v", turn, mirror, i, s.Mean, want[2*y+x])
				}
			}
		}
	}
}

func TestHash(t *testing.T) {
	for _, format := range allFormats {
		for _, size := range [][3]int{{320, 240, 24}, {640, 480, 0}, {60, 50, 3}, {1, 1, 0}} {
			img := picture(format, size[0], size[1], size[2], noise, 5)
			h := Hash(img)
			again := *img
			again.Data = append(bytes.Clone(img.Data), 1, 2, 3)
			if Hash(&again) != h {
				t.Errorf("%s %v: what follows the picture counts", format, size)
			}
			l, _ := img.layout()
			for y := range size[1] - 1 { // the planes behind the first have no padding of their own
				for x := l.row; x < l.stride; x++ {
					again.Data[y*l.stride+x] ^= 0xff
				}
			}
			if Hash(&again) != h {
				t.Errorf("%s %v: padding counts", format, size)
			}
			if format != MJPEG && size[1] > 1 { // a counter in the first pixels
				for x := range min(l.row, 32) {
					again.Data[x] ^= 0x55
				}
				if Hash(&again) != h {
					t.Errorf("%s %v: the first pixels count", format, size)
				}
			}
			// A sensor's noise changes some of each handful of bytes by one.
			for i := 0; i < l.need; i += 5 {
				again.Data[i] ^= 1
			}
			if Hash(&again) == h {
				t.Errorf("%s %v: noise leaves the hash as it is", format, size)
			}
		}
	}
	for n := range 20 { // no length panics
		Hash(&Image{Format: YUYV, Data: make([]byte, n)})
		Hash(&Image{Format: MJPEG, Data: make([]byte, n)})
	}
}

// A camera that stands still may count in a comment, or behind its picture: only
// what codes pixels makes another picture.
func TestHashOfJPEG(t *testing.T) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 64, 48)), nil); err != nil {
		t.Fatal(err)
	}
	of := func(data []byte) uint64 { return Hash(&Image{Format: MJPEG, Data: data}) }
	data := b.Bytes()
	h := of(data)
	for n := range 3 {
		counting := slices.Insert(bytes.Clone(data), 2, 0xff, 0xfe, 0, 4, 'n', byte(n))
		counting = append(counting, 0, byte(n))
		if of(counting) != h {
			t.Errorf("comment and trailer of %d make another picture", n)
		}
	}
	scan, _, err := findScan(data)
	if err != nil {
		t.Fatal(err)
	}
	for i := scan + 10; i < len(data)-2; i++ {
		data[i] ^= 0x10
		if of(data) == h {
			t.Errorf("byte %d does not count", i)
		}
		data[i] ^= 0x10
	}
	if of(data[:len(data)-5]) == h {
		t.Error("cut short, the hash stays")
	}
}

func TestStatsAllocateNothing(t *testing.T) {
	img := picture(YUYV, 640, 480, 0, smooth, 1)
	img.Mounting.Turn = 1
	if n := testing.AllocsPerRun(5, func() {
		if _, err := Measure(img, Rect{100, 100, 300, 300}, 2); err != nil {
			t.Fatal(err)
		}
		Hash(img)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMeasure(b *testing.B) {
	img := picture(YUYV, 640, 480, 0, smooth, 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Measure(img, Rect{220, 140, 420, 340}, 2); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHash(b *testing.B) {
	img := picture(YUYV, 640, 480, 0, smooth, 1)
	for b.Loop() {
		Hash(img)
	}
}
