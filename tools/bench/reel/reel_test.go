package reel

import (
	"testing"

	"mien/drivers/camera"
	"mien/model/face"
	"mien/model/pixel"
)

// As many faces are found as were drawn, at each size.
func TestFacesAreThere(t *testing.T) {
	clip, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	d, err := face.OpenDetector(face.DetectorOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	count := func(r *Reel) int {
		var f camera.Frame
		r.Frame(&f, 0, false)
		img := pixel.Image{Format: pixel.Format(f.Format), Width: f.Width, Height: f.Height, Stride: f.Stride, Data: f.Data}
		faces, err := d.Detect(&img, nil)
		if err != nil {
			t.Fatal(err)
		}
		return len(faces)
	}
	for _, n := range []int{0, 1, 2, 4} {
		if got := count(clip.Faces(n, 1)); got != n {
			t.Errorf("%d faces drawn, %d found", n, got)
		}
	}
	for _, size := range [][2]int{{320, 240}, {1280, 720}, {1920, 1080}} {
		if got := count(clip.Scaled(size[0], size[1], 1)); got != 1 {
			t.Errorf("%d x %d: %d faces found", size[0], size[1], got)
		}
	}
}

// The camera hands out what was drawn, and allocates nothing.
func TestCamera(t *testing.T) {
	r := &Reel{Width: 2, Height: 1, Raws: [][]byte{{1, 128, 2, 128}, {3, 128, 4, 128}}, JPEGs: [][]byte{{7}, {8}}}
	c := &Camera{Reel: r, At: func(n int) error {
		if n == 300 {
			return camera.ErrEnd
		}
		return nil
	}}
	var src camera.Source = c
	if n := testing.AllocsPerRun(200, func() { src.Next(0) }); n != 0 {
		t.Errorf("%g allocations a frame", n)
	}
	n := c.N
	f, err := src.Next(0)
	if err != nil || f.Data[0] != r.Raws[n%2][0] || int(f.Sequence) != n || f.Stride != 4 {
		t.Errorf("%+v %v", f, err)
	}
	c.JPEG = true
	if f, _ := src.Next(0); f.Format != camera.MJPEG || f.Data[0] != r.JPEGs[(n+1)%2][0] {
		t.Errorf("%+v", f)
	}
	c.N = 300
	if _, err := src.Next(0); err != camera.ErrEnd {
		t.Error(err)
	}
}
