package pixel

import (
	"errors"
	"fmt"
	"math"
	"testing"
)

func TestPatchIsAboutTheMean(t *testing.T) {
	for _, format := range allFormats {
		for _, size := range [][2]int{{64, 48}, {97, 61}, {9, 9}, {8, 4}, {7, 5}, {3, 2}, {1, 1}} {
			w, h := size[0], size[1]
			img := of(format, w, h, func(x, y int) byte { return byte(2*x + y) })
			for name, m := range maps(float32(w), float32(h)) {
				what := fmt.Sprintf("%s %dx%d, %s", format, w, h, name)
				dst := make([]byte, 11*7)
				if err := Patch(dst, 11, 7, img, m); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				for i, got := range dst {
					// The blocks are moved into the picture, the picture is a ramp: the value is
					// the ramp's at the nearest block's middle.
					u, v := m.Apply(float32(i%11), float32(i/11))
					l, err := img.layout()
					if err != nil {
						t.Fatal(err)
					}
					b := blockFor(img, &l, math.Hypot(float64(m[0]), float64(m[3])))
					halfW, halfH := float64(b.width-1)/2, float64((b.rows-1)*b.pitch)/2
					x := min(max(float64(u), halfW), float64(w-1)-halfW)
					y := min(max(float64(v), halfH), float64(h-1)-halfH)
					// Whole pixels: up to half a pixel off each way, a whole one for UYVY at
					// the right edge; and the mean is rounded.
					if want := 2*x + y; math.Abs(float64(got)-want) > 2*1+0.5+0.6 {
						t.Errorf("%s: value %d is %d, want %.1f", what, i, got, want)
						break
					}
				}
			}
		}
	}
}

func TestPatchOfAMountedCamera(t *testing.T) {
	img := of(YUYV, 64, 48, func(x, y int) byte { return byte(100*(x/32) + 50*(y/24)) })
	img.Mounting = Mounting{Turn: 1}
	dst := make([]byte, 4)
	if err := Patch(dst, 2, 2, img, Affine{24, 0, 12, 0, 32, 16}); err != nil {
		t.Fatal(err)
	}
	if want := [4]byte{50, 0, 150, 100}; [4]byte(dst) != want {
		t.Errorf("%v, want %v", dst, want)
	}
}

func TestPatchRefuses(t *testing.T) {
	img := picture(GREY, 16, 16, 0, smooth, 1)
	dst := make([]byte, 16)
	if err := Patch(dst, 4, 5, img, Identity); !errors.Is(err, ErrTarget) {
		t.Errorf("too small: %v", err)
	}
	if err := Patch(dst, 0, 4, img, Identity); !errors.Is(err, ErrTarget) {
		t.Errorf("of nothing: %v", err)
	}
	if err := Patch(dst, 4, 4, &Image{Format: GREY, Width: 16, Height: 16}, Identity); !errors.Is(err, ErrSize) {
		t.Errorf("without data: %v", err)
	}
	if err := Patch(dst, 4, 4, img, Affine{1, 0, 1e20, 0, 1, 0}); !errors.Is(err, ErrAffine) {
		t.Errorf("far away: %v", err)
	}
}

func BenchmarkPatch24(b *testing.B) {
	img := picture(YUYV, 640, 480, 0, smooth, 1)
	dst := make([]byte, 24*24)
	b.ReportAllocs()
	for b.Loop() {
		if err := Patch(dst, 24, 24, img, Affine{8.3, 0.4, 200, -0.4, 8.3, 150}); err != nil {
			b.Fatal(err)
		}
	}
}
