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
	eye, err := OpenEye(config.Default())
	if err != nil {
		b.Fatal(err)
	}
	defer eye.Close()
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
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		f.Data, f.Sequence, f.Time = raws[n%len(raws)], uint32(n), time.Duration(n)*time.Second/15
		if _, err := eye.Look(f); err != nil {
			b.Fatal(err)
		}
	}
}
