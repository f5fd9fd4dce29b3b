// Package cameratest is what tests of cameras and clips share.
package cameratest

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"time"
)

// Clock moves only when someone waits for it, or by hand.
type Clock struct{ At time.Duration }

func (c *Clock) Now() time.Duration { return c.At }
func (c *Clock) Wait(d time.Duration, stop <-chan struct{}) bool {
	select {
	case <-stop:
		return false
	default:
		c.At += max(d, 0)
		return true
	}
}

// JPEG makes a grey JPEG with some detail.
func JPEG(w, h int) []byte {
	img := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetGray(x, y, color.Gray{uint8(x*x + y*5)})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// Segment makes a JPEG segment.
func Segment(marker byte, payload ...byte) []byte {
	n := len(payload) + 2
	return append([]byte{0xff, marker, byte(n >> 8), byte(n)}, payload...)
}

// Join puts the parts of a file together.
func Join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// The parts of a JPEG of 64x48 grey pixels whose scan no decoder has seen.
var (
	SOI  = []byte{0xff, 0xd8}
	EOI  = []byte{0xff, 0xd9}
	SOF  = Segment(0xc0, 8, 0, 48, 0, 64, 1, 1, 0x11, 0)
	SOS  = Segment(0xda, 1, 1, 0, 0, 63, 0)
	Scan = []byte{1, 2, 0xff, 0, 3, 0xff, 0xd0, 4, 0xff, 0, 5}
)
