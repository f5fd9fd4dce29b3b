package main

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"time"

	"mien/model/face"
	"mien/model/pixel"
)

// way is one way to find a face: a detector, on a picture with or without colour,
// once in the whole picture or as the unit does.
type way struct {
	name         string
	span         face.Range
	colour, unit bool
	detector     *face.Detector
}

func ways() ([]way, error) {
	list := []way{
		{name: "short range, whole picture", span: face.Short},
		{name: "short range, whole picture, colour", span: face.Short, colour: true},
		{name: "full range, whole picture", span: face.Full},
		{name: "full range, whole picture, colour", span: face.Full, colour: true},
		{name: "**short range, the unit**", span: face.Short, unit: true},
		{name: "short range, the unit, colour", span: face.Short, unit: true, colour: true},
		{name: "full range, the unit", span: face.Full, unit: true},
	}
	for i := range list {
		w := &list[i]
		var err error
		if w.detector, err = face.OpenDetector(face.DetectorOptions{Range: w.span, Luma: !w.colour}); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// frames is for how many the unit may search: half a second.
const frames = 8

// find gives the faces of the canvas.
func (w *way) find(c *canvas) ([]face.Face, error) {
	img := &c.grey
	if w.colour {
		img = &c.colour
	}
	if !w.unit {
		return w.detector.Detect(img, nil)
	}
	t := face.NewTracker(w.detector, face.TrackerOptions{})
	for n := range frames {
		v, err := t.Next(img, time.Duration(n)*time.Second/15)
		if err != nil || v.Found {
			return []face.Face{v.Face}, err
		}
	}
	return nil, nil
}

// known is the one face of a picture.
type known struct {
	img  pixel.Image
	face face.Face
}

// Widths of faces, in pixels of the camera's picture.
var widths = []float32{40, 48, 60, 80, 100, 140, 200, 280}

// Of a face that is found, eyes that are off by less than near eye distances are
// good; by more than lost it is another thing that was found.
const (
	near = 0.1
	lost = 0.5
)

// sizes puts each picture into the camera's so that its face is so many pixels wide,
// at a place by chance, and counts where it is found, and how well its eyes are.
func sizes(list [][]byte) error {
	ways, err := ways()
	if err != nil {
		return err
	}
	c, faces, err := faces(list, ways)
	if err != nil {
		return err
	}
	fmt.Printf("\n%d pictures whose face both detectors agree on, near to and in colour: found at a width, and of these with\nboth eyes within %g eye distances\n\n| |", len(faces), near)
	for _, w := range widths {
		fmt.Printf(" %.0f px |", w)
	}
	fmt.Printf("\n|---%s|\n", bytes.Repeat([]byte("|---"), len(widths)))
	for _, way := range ways {
		fmt.Printf("| %s |", way.name)
		for _, width := range widths {
			found, good, err := way.count(c, faces, width)
			if err != nil {
				return err
			}
			fmt.Printf(" %.0f%%, %.0f%% |", 100*float64(found)/float64(max(len(faces), 1)), 100*float64(good)/float64(max(found, 1)))
		}
		fmt.Println()
	}
	return nil
}

// unitSizes writes as CSV, a row for each width: how many faces there are, how many of
// them the unit finds, and how many of those have both eyes within near.
func unitSizes(list [][]byte, out io.Writer) error {
	ways, err := ways()
	if err != nil {
		return err
	}
	c, faces, err := faces(list, ways)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "width,faces,found,eyes_near")
	for _, way := range ways {
		if way.span != face.Short || way.colour || !way.unit {
			continue
		}
		for _, width := range widths {
			found, good, err := way.count(c, faces, width)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%.0f,%d,%d,%d\n", width, len(faces), found, good)
		}
	}
	return nil
}

// faces gives the pictures whose face both detectors agree on, and a canvas for them.
func faces(list [][]byte, ways []way) (*canvas, []known, error) {
	c, err := newCanvas()
	if err != nil {
		return nil, nil, err
	}
	decoder := pixel.NewDecoder("")
	var faces []known
	for _, j := range list {
		img, err := decoder.Decode(j, pixel.DecodeOptions{Colour: true})
		if err != nil {
			continue
		}
		img.Data = bytes.Clone(img.Data)
		f, ok, err := agreed(c, &img, ways[1].detector, ways[3].detector)
		if err != nil {
			return nil, nil, err
		}
		if ok {
			faces = append(faces, known{img, f})
		}
	}
	return c, faces, nil
}

// count puts every face into the canvas at a width, and counts the faces found and,
// of those, the ones whose eyes are near.
func (w *way) count(c *canvas, faces []known, width float32) (found, good int, err error) {
	rnd := rand.New(rand.NewPCG(1, uint64(width)))
	for _, k := range faces {
		want, err := c.place(&k, width, rnd)
		if err != nil {
			return 0, 0, err
		}
		list, err := w.find(c)
		if err != nil {
			return 0, 0, err
		}
		off := math.Inf(1)
		for _, f := range list {
			off = min(off, eyesOff(&f, &want))
		}
		if off < lost {
			found++
		}
		if off < near {
			good++
		}
	}
	return found, good, nil
}

// place fills the canvas with a picture whose face is so wide, and gives the face
// there.
func (c *canvas) place(k *known, wide float32, rnd *rand.Rand) (face.Face, error) {
	f := k.face
	centre, s := f.Box.Centre(), f.Box.Width()/wide
	along := func(side float32) float32 { return wide/2 + rnd.Float32()*(side-wide) }
	x, y := along(width), along(height)
	m := pixel.Affine{s, 0, centre.X - s*x, 0, s, centre.Y - s*y}
	back, _ := m.Invert()
	for i, p := range f.Keypoints {
		f.Keypoints[i].X, f.Keypoints[i].Y = back.Apply(p.X, p.Y)
	}
	return f, c.fill(&k.img, m)
}

// eyesOff is how far the worse of the eyes is off, in eye distances.
func eyesOff(f, want *face.Face) float64 {
	d := 0.0
	for k := face.RightEye; k <= face.LeftEye; k++ {
		p, q := f.Keypoints[k], want.Keypoints[k]
		d = max(d, math.Hypot(float64(p.X-q.X), float64(p.Y-q.Y)))
	}
	return d / float64(want.EyeDistance())
}

// agreed gives the largest face of a picture: one that both detectors find near to,
// where it is 200 pixels wide, with eyes in about the same places, whose mean it has.
func agreed(c *canvas, img *pixel.Image, short, full *face.Detector) (f face.Face, ok bool, err error) {
	m := pixel.Letterbox(width, height, img.Width, img.Height)
	if err := c.fill(img, m); err != nil {
		return f, false, err
	}
	list, err := full.Detect(&c.colour, nil)
	if err != nil {
		return f, false, err
	}
	for _, g := range list {
		if g.Score > 0.7 && g.Box.Width() > f.Box.Width() {
			f = g
		}
	}
	if f.Score == 0 {
		return f, false, nil
	}
	centre, s := f.Box.Centre(), f.Box.Width()/200
	m = m.After(pixel.Affine{s, 0, centre.X - s*width/2, 0, s, centre.Y - s*height/2})
	if err := c.fill(img, m); err != nil {
		return f, false, err
	}
	a, err := short.Detect(&c.colour, nil)
	if err != nil || len(a) == 0 || a[0].Score < 0.7 {
		return f, false, err
	}
	b, err := full.Detect(&c.colour, nil)
	if err != nil {
		return f, false, err
	}
	f = a[0]
	for _, g := range b {
		if eyesOff(&g, &f) > 0.15 {
			continue
		}
		for k, p := range f.Keypoints {
			q := g.Keypoints[k]
			f.Keypoints[k].X, f.Keypoints[k].Y = m.Apply((p.X+q.X)/2, (p.Y+q.Y)/2)
		}
		f.Box.X0, f.Box.Y0 = m.Apply(f.Box.X0, f.Box.Y0)
		f.Box.X1, f.Box.Y1 = m.Apply(f.Box.X1, f.Box.Y1)
		return f, true, nil
	}
	return f, false, nil
}
