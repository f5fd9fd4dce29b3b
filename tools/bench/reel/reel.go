// Package reel is a camera without a camera: frames made of the demo clip, in
// memory, as large and with as many faces as asked for, ready whenever the unit
// asks for the next.
package reel

import (
	"bytes"
	"fmt"
	"time"

	"mien/drivers/camera"
	"mien/model/assets"
	"mien/model/pixel"
)

// The clip's own size, and how many of its pictures are used: those of its
// first twelve seconds have a face each.
const (
	Width, Height = 640, 480
	Pictures      = 180
	FPS           = 15
)

// Reel is a list of pictures of one size that is played again and again.
type Reel struct {
	Width, Height int
	Raws          [][]byte // YUYV
	JPEGs         [][]byte // the same as motion JPEG; nil where the clip is not as it was
}

// Load reads the clip as it is. Its colours are left out: the raw frames are
// those of a camera that sees grey things.
func Load() (*Reel, error) {
	r := &Reel{Width: Width, Height: Height}
	r.JPEGs = bytes.SplitAfter(assets.Demo(), []byte{0xff, 0xd9})[:Pictures]
	d := pixel.NewDecoder("")
	defer d.Close()
	for i, j := range r.JPEGs {
		img, err := d.Decode(j, pixel.DecodeOptions{})
		if err != nil {
			return nil, fmt.Errorf("picture %d of the demo clip: %w", i, err)
		}
		r.Raws = append(r.Raws, yuyv(img.Data[:Width*Height]))
	}
	return r, nil
}

// yuyv adds chroma without colour.
func yuyv(luma []byte) []byte {
	raw := bytes.Repeat([]byte{0, 128}, len(luma))
	for i, y := range luma {
		raw[2*i] = y
	}
	return raw
}

// Scaled gives the first n pictures in another size, of which the clip's
// picture fills the height.
func (r *Reel) Scaled(width, height, n int) *Reel {
	out := &Reel{Width: width, Height: height}
	for _, raw := range r.Raws[:n] {
		luma := canvas(width, height)
		w := height * r.Width / r.Height
		r.draw(luma, width, raw, (width-w)/2, 0, w, height)
		out.Raws = append(out.Raws, yuyv(luma))
	}
	return out
}

// Faces gives the first n pictures with so many faces, 0 to 4, in the clip's
// size: a picture with one is the clip's at half the size in the middle, with
// more they stand side by side, so that all faces are as large.
func (r *Reel) Faces(faces, n int) *Reel {
	places := [][][2]int{{}, {{1, 1}}, {{0, 1}, {2, 1}}, {{0, 0}, {2, 0}, {1, 2}}, {{0, 0}, {2, 0}, {0, 2}, {2, 2}}}[faces]
	out := &Reel{Width: r.Width, Height: r.Height}
	for i := range n {
		luma := canvas(r.Width, r.Height)
		for k, p := range places {
			// Others lag behind, so that the persons differ.
			r.draw(luma, r.Width, r.Raws[(i+40*k)%len(r.Raws)], p[0]*r.Width/4, p[1]*r.Height/4, r.Width/2, r.Height/2)
		}
		out.Raws = append(out.Raws, yuyv(luma))
	}
	return out
}

// canvas is a wall: grey, with the grain of a sensor.
func canvas(width, height int) []byte {
	luma := make([]byte, width*height)
	x := uint32(1)
	for i := range luma {
		x = x*1664525 + 1013904223
		luma[i] = 118 + byte(x>>29)
	}
	return luma
}

// draw scales a picture's luma into a part of a canvas, bilinearly, which
// going down by two is the mean of two by two.
func (r *Reel) draw(luma []byte, stride int, raw []byte, left, top, width, height int) {
	at := func(x, y int) float32 { return float32(raw[2*(min(y, r.Height-1)*r.Width+min(x, r.Width-1))]) }
	sx, sy := float32(r.Width)/float32(width), float32(r.Height)/float32(height)
	for y := range height {
		for x := range width {
			u, v := max((float32(x)+0.5)*sx-0.5, 0), max((float32(y)+0.5)*sy-0.5, 0)
			i, j := int(u), int(v)
			fu, fv := u-float32(i), v-float32(j)
			value := (at(i, j)*(1-fu)+at(i+1, j)*fu)*(1-fv) + (at(i, j+1)*(1-fu)+at(i+1, j+1)*fu)*fv
			luma[(top+y)*stride+left+x] = uint8(value + 0.5)
		}
	}
}

// Frame fills f with frame n, as YUYV or as JPEG.
func (r *Reel) Frame(f *camera.Frame, n int, jpeg bool) {
	*f = camera.Frame{Format: camera.YUYV, Width: r.Width, Height: r.Height, Stride: 2 * r.Width, Sequence: uint32(n),
		Time: time.Duration(n) * time.Second / FPS, Data: r.Raws[n%len(r.Raws)]}
	if jpeg {
		f.Format, f.Stride, f.Data = camera.MJPEG, 0, r.JPEGs[n%len(r.JPEGs)]
	}
}

// Camera plays a reel as fast as it is asked.
type Camera struct {
	Reel *Reel
	JPEG bool
	N    int // of the next frame
	// At is called before frame n is handed out; its error is the camera's.
	At func(n int) error

	frame camera.Frame
}

// Next gives the next frame.
func (c *Camera) Next(time.Duration) (*camera.Frame, error) {
	if err := c.At(c.N); err != nil {
		return nil, err
	}
	c.Reel.Frame(&c.frame, c.N, c.JPEG)
	c.N++
	return &c.frame, nil
}

// Release and Close have nothing to do.
func (c *Camera) Release() error { return nil }
func (c *Camera) Close() error   { return nil }

// Info describes it.
func (c *Camera) Info() camera.Info {
	return camera.Info{Name: "reel", Device: "memory", Format: camera.YUYV, Width: c.Reel.Width, Height: c.Reel.Height}
}
