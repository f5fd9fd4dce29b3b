package face

import (
	"bytes"
	"encoding/json"
	"sync"
	"testing"

	"mien/model/assets"
	"mien/model/pixel"
)

// The demo clip: rendered heads, so that tests have faces nobody owns.

type script struct {
	FPS, Frames int
	Events      []struct {
		Name       string
		Start, End float64
	}
	Leaving, Returning [2]float64
}

// clip gives the demo clip's frames as grey pictures, and what happens when.
var clip = sync.OnceValues(func() ([]pixel.Image, script) {
	var s script
	if err := json.Unmarshal(assets.DemoScript(), &s); err != nil {
		panic(err)
	}
	var frames []pixel.Image
	d := pixel.NewDecoder("go")
	start := []byte{0xff, 0xd8, 0xff}
	for rest := assets.Demo(); len(rest) > 0; {
		n := bytes.Index(rest[1:], start) + 1
		if n == 0 {
			n = len(rest)
		}
		img, err := d.Decode(rest[:n], pixel.DecodeOptions{})
		if err != nil {
			panic(err)
		}
		img.Data = bytes.Clone(img.Data)
		frames = append(frames, img)
		rest = rest[n:]
	}
	return frames, s
})

// there tells whether the whole face is in frame i, or none of it; between the
// two the face is leaving or returning.
func (s *script) there(i int) (whole, gone bool) {
	at := float64(i) / float64(s.FPS)
	return at < s.Leaving[0] || at >= s.Returning[1], at >= s.Leaving[1] && at < s.Returning[0]
}

// yuyv gives a picture in another format, its colours kept out.
func yuyv(img *pixel.Image) *pixel.Image {
	out := &pixel.Image{Format: pixel.YUYV, Width: img.Width, Height: img.Height, Data: make([]byte, 2*img.Width*img.Height)}
	for i := range out.Data {
		out.Data[i] = 128
	}
	for i, v := range img.Data[:img.Width*img.Height] {
		// Limited range, as V4L2's YUYV is.
		out.Data[2*i] = uint8(16 + (int(v)*219+127)/255)
	}
	return out
}

func TestClip(t *testing.T) {
	frames, s := clip()
	if len(frames) != s.Frames {
		t.Fatalf("%d frames, the script says %d", len(frames), s.Frames)
	}
}
