package pixel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"

	"mien/model/tflite"
)

// guarded gives n bytes with a page behind them, and one before, that must not be
// touched: a read there ends the test by a fault. atEnd puts the bytes against
// the page behind them, else they follow the one before.
func guarded(t *testing.T, n int, atEnd bool) []byte {
	t.Helper()
	page := unix.Getpagesize()
	room := (n + page - 1) / page * page
	mem, err := unix.Mmap(-1, 0, room+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(mem); err != nil {
			t.Error(err)
		}
	})
	for _, at := range []int{0, page + room} {
		if err := unix.Mprotect(mem[at:at+page], unix.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	start := page
	if atEnd {
		start = page + room - n
	}
	return mem[start : start+n : start+n]
}

// A camera's buffer is mapped memory, and the fast paths read several samples at a
// time: none may read beyond it, nor write beyond the tensor.
func TestFillStaysInside(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 2))
	list := []Target{
		{Width: 24, Height: 17, Channels: 1, Type: tflite.Int8},
		{Width: 21, Height: 17, Channels: 1, Type: tflite.UInt8},
		{Width: 24, Height: 16, Channels: 3, Type: tflite.UInt8, Border: Constant},
	}
	for _, format := range allFormats {
		for _, size := range [][3]int{{160, 90, 0}, {97, 61, 3}, {35, 40, 0}, {4, 4, 0}, {1, 2, 0}} {
			for _, atEnd := range []bool{false, true} {
				img := picture(format, size[0], size[1], size[2], smooth, 1)
				img.Data = append(guarded(t, len(img.Data), atEnd)[:0], img.Data...)
				all := maps(float32(size[0]), float32(size[1]))
				for i := range 60 { // and some at random, near the picture
					a, s := 2*math.Pi*rnd.Float64(), math.Exp(4*rnd.Float64()-1.5)
					x, y := float32(s*math.Cos(a)), float32(s*math.Sin(a))
					all[fmt.Sprint(i)] = Affine{x, -y, float32(size[0]) * (rnd.Float32()*1.6 - 0.3), y, x, float32(size[1]) * (rnd.Float32()*1.6 - 0.3)}
				}
				for i, target := range list {
					dst := guarded(t, target.Bytes(), atEnd)
					s, err := NewSampler(target)
					if err != nil {
						t.Fatal(err)
					}
					for name, m := range all {
						if err := s.Fill(dst, img, m); err != nil {
							t.Fatalf("%s %v, target %d, %s: %v", format, size, i, name, err)
						}
					}
				}
				patch := make([]byte, 24*24)
				for name, m := range all {
					if err := Patch(patch, 24, 24, img, m); err != nil {
						t.Fatalf("%s %v, %s: %v", format, size, name, err)
					}
					Hash(img)
				}
				for range 40 {
					x, y := rnd.IntN(size[0]+20)-10, rnd.IntN(size[1]+20)-10
					part := Rect{x, y, x + rnd.IntN(80), y + rnd.IntN(80)}
					if _, err := Measure(img, part, 1+rnd.IntN(9)); err != nil {
						t.Fatal(err)
					}
					Fetch(img, part)
				}
			}
		}
	}
}

// Random maps, by the rule, on the vector path and the plain one.
func TestFillByRandomMaps(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	for i := range 400 {
		w, h := 8+rnd.IntN(150), 8+rnd.IntN(110)
		img := picture(allFormats[i%len(allFormats)], w, h, rnd.IntN(9), smooth, uint64(i))
		target := Target{Width: 16 + rnd.IntN(2)*3, Height: 11, Channels: 1 + rnd.IntN(2)*2, Type: tflite.UInt8}
		s := math.Exp(3.2*rnd.Float64() - 1)
		var m Affine
		for k := range m {
			m[k] = float32(s * (2*rnd.Float64() - 1))
		}
		m[2], m[5] = float32(w)*rnd.Float32(), float32(h)*rnd.Float32()
		compare(t, fmt.Sprintf("%d: %s %dx%d, %v", i, img.Format, w, h, m), img, target, m, 1)
	}
}
