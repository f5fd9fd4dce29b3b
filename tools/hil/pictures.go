package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"time"

	"mien/drivers/camera"
	"mien/model/assets"
	"mien/tools/hil/wire"
)

// Size of the unit's pictures.
const width, height = 640, 480

// pictures are what the emulated camera can be shown: frames of the demo clip,
// and some made for a purpose; GREY, width x height.
type pictures struct {
	clip   [][]byte // JPEG
	fps    float64
	events map[string]float64 // the middle of the first event of a name, seconds
}

func openPictures() (*pictures, error) {
	var script struct {
		FPS    float64
		Events []struct {
			Name       string
			Start, End float64
		}
	}
	if err := json.Unmarshal(assets.DemoScript(), &script); err != nil {
		return nil, err
	}
	p := &pictures{fps: script.FPS, events: map[string]float64{}}
	for _, e := range script.Events {
		if _, ok := p.events[e.Name]; !ok {
			p.events[e.Name] = (e.Start + e.End) / 2
		}
	}
	for rest := assets.Demo(); len(rest) > 0; {
		end := bytes.Index(rest, []byte{0xff, 0xd9})
		if end < 0 {
			break
		}
		p.clip = append(p.clip, rest[:end+2])
		rest = rest[end+2:]
	}
	if len(p.clip) == 0 {
		return nil, fmt.Errorf("the demo clip has no pictures")
	}
	return p, nil
}

// series gives the pictures of a scene: some frames in a row, so that no two
// are alike.
func (p *pictures) series(scene string) ([][]byte, error) {
	switch scene {
	case "dark":
		return [][]byte{fill(3), fill(4)}, nil
	case "nobody":
		return [][]byte{ramp(0), ramp(8)}, nil
	case "frozen":
		list, err := p.series("neutral")
		return list[:1], err
	}
	files, err := p.jpegs(scene)
	if err != nil {
		return nil, err
	}
	var list [][]byte
	for n, f := range files {
		img, err := jpeg.Decode(bytes.NewReader(f))
		if err != nil {
			return nil, fmt.Errorf("picture %d of %s: %w", n, scene, err)
		}
		b, err := luma(img)
		if err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	return list, nil
}

// jpegs gives a scene of the clip as it is in the clip.
func (p *pictures) jpegs(scene string) ([][]byte, error) {
	at, ok := p.events[scene]
	if scene == "neutral" {
		at = 0.4 // later it blinks
	}
	if !ok {
		return nil, fmt.Errorf("the demo clip has no %s", scene)
	}
	n := int(at * p.fps)
	return p.clip[n : n+4], nil
}

func luma(img image.Image) ([]byte, error) {
	var y []byte
	var stride int
	switch i := img.(type) {
	case *image.Gray:
		y, stride = i.Pix, i.Stride
	case *image.YCbCr:
		y, stride = i.Y, i.YStride
	default:
		return nil, fmt.Errorf("a picture of kind %T", img)
	}
	if img.Bounds().Dx() != width || img.Bounds().Dy() != height {
		return nil, fmt.Errorf("a picture of %v", img.Bounds())
	}
	b := make([]byte, 0, width*height)
	for row := range height {
		b = append(b, y[row*stride:row*stride+width]...)
	}
	return b, nil
}

func fill(level byte) []byte { return bytes.Repeat([]byte{level}, width*height) }

func ramp(shift int) []byte {
	b := make([]byte, 0, width*height)
	for y := range height {
		for x := range width {
			b = append(b, byte(40+(x/5+y/9+shift)%160))
		}
	}
	return b
}

// Video nodes of the machine: vivid's first device is looped, its second is a
// plain test camera, its third a multi-planar one.
const (
	cameraNode = "/dev/video0"
	screenNode = "/dev/video1"
	plainNode  = "/dev/video2"
	mplaneNode = "/dev/video3"
)

// show lets the camera see a scene.
func (b *bench) show(scene string) {
	if b.shown == scene {
		return
	}
	if b.shown == "" {
		b.loop(camera.GREY, width, height, 0)
	}
	list, err := b.pictures.series(scene)
	b.need(err)
	s := wire.Show{Every: 150 * time.Millisecond}
	for i, p := range list {
		path := fmt.Sprintf("/tmp/pictures/%s-%d", scene, i)
		if !b.loaded[path] {
			b.need(b.m.put(path, p, 0o600))
			b.loaded[path] = true
		}
		s.Pictures = append(s.Pictures, path)
	}
	b.need(b.m.call("show", s, nil))
	if b.shown == "" {
		b.need(b.m.call("play", screenNode, nil))
	}
	b.shown = scene
}

// loop joins vivid's output to its input at a format; stride 0 is the
// driver's own.
func (b *bench) loop(format uint32, w, h, stride int) wire.Node {
	b.need(b.m.call("stopplay", nil, nil))
	b.need(b.m.call("show", wire.Show{}, nil))
	b.shown = ""
	var n wire.Node
	for _, d := range []string{cameraNode, screenNode} {
		b.need(b.m.call("timings", wire.Node{Device: d, Width: w, Height: h}, nil))
		b.need(b.m.call("format", wire.Node{Device: d, Output: d == screenNode, Format: format, Width: w, Height: h, Stride: stride}, &n))
		b.check(n.Format == format && n.Width == w && n.Height == h, "%s: asked for %s %dx%d, have %+v", d, camera.FormatName(format), w, h, n)
	}
	b.need(b.m.call("control", wire.Control{Device: cameraNode, Name: "osd_text_mode", Value: 2}, nil))
	b.need(b.m.call("control", wire.Control{Device: cameraNode, Name: "loop_video", Value: 1}, nil))
	return n
}

// sum is a picture's SHA-256.
func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// card is the model card of the network in the binary.
func (p *pictures) card() ([]byte, error) { return assets.Card(), nil }
