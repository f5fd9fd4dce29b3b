package pipeline

import (
	"bytes"
	"testing"
	"time"

	"mien/drivers/camera"
	"mien/firmware/config"
	"mien/model/pixel"
)

// BenchmarkLook is one frame of 640x480 YUYV through all stages of the eye.
func BenchmarkLook(b *testing.B) {
	look := looker(b)
	b.ReportAllocs()
	for b.Loop() {
		look()
	}
}

func TestLookAllocatesNothing(t *testing.T) {
	look := looker(t)
	for range 20 {
		look()
	}
	if n := testing.AllocsPerRun(60, look); n != 0 { // through four searches for the face
		t.Errorf("%v allocations a frame", n)
	}
}

// looker gives a function that takes the next frame of the demo clip through an
// eye.
func looker(b testing.TB) func() {
	b.Helper()
	eye, err := OpenEye(config.Default())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { eye.Close() })
	var raws [][]byte
	d := pixel.NewDecoder("")
	for _, j := range pictures(b, 0, 10) {
		img, err := d.Decode(j, pixel.DecodeOptions{})
		if err != nil {
			b.Fatal(err)
		}
		raw := bytes.Repeat([]byte{0, 128}, 640*480)
		for i, y := range img.Data[:640*480] {
			raw[2*i] = y
		}
		raws = append(raws, raw)
	}
	f := &camera.Frame{Format: camera.YUYV, Width: 640, Height: 480, Stride: 1280}
	n := 0
	return func() {
		f.Data, f.Sequence, f.Time = raws[n%len(raws)], uint32(n), time.Duration(n)*time.Second/15
		n++
		if _, err := eye.Look(f); err != nil {
			b.Fatal(err)
		}
	}
}
