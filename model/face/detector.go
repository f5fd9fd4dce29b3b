package face

import (
	"errors"
	"fmt"
	"math"

	"mien/model/assets"
	"mien/model/pixel"
	"mien/model/tflite"
)

// ErrModel: the network is not the BlazeFace that was asked for.
var ErrModel = errors.New("not this face detector")

// DetectorOptions say which detector is opened and how. The zero value is the
// short range with MediaPipe's threshold.
type DetectorOptions struct {
	Range    Range
	MinScore float32        // faces below are dropped, 0..1; 0: MediaPipe's 0.5, full range 0.6
	Luma     bool           // it sees no colour: half of the reading, and the same by infrared light
	Network  tflite.Options // Name may stay empty
}

// Detector finds all faces of a picture by BlazeFace. It serves one goroutine
// at a time.
type Detector struct {
	net     tflite.Interpreter
	boxes   []float32 // the network's own memory
	scores  []float32
	input   []byte
	sampler *pixel.Sampler
	side    int
	anchors []Point

	minLogit   float32
	candidates []Face
}

// OpenDetector opens the detector that assets.Find finds: the one that mien was
// made with, or none (assets.ErrAltered), and it has to give its known answer.
func OpenDetector(o DetectorOptions) (*Detector, error) {
	name := assets.FaceShort
	if o.Range == Full {
		name = assets.FaceFullRange
	}
	model, err := assets.Read(name)
	if err != nil {
		return nil, fmt.Errorf("open face detector: %w", err)
	}
	if o.Network.Name == "" {
		o.Network.Name = name
	}
	o.Network.Answer = o.Range.answer()
	net, err := tflite.Open(model, o.Network)
	if err != nil {
		return nil, fmt.Errorf("open face detector: %w", err)
	}
	d, err := NewDetector(net, o)
	if err != nil {
		net.Close()
		return nil, fmt.Errorf("open face detector %s: %w", name, err)
	}
	return d, nil
}

// NewDetector makes a detector of an open network, which Close will close. The
// error wraps ErrModel.
func NewDetector(net tflite.Interpreter, o DetectorOptions) (*Detector, error) {
	side, _, _ := o.Range.layers()
	d := &Detector{net: net, side: side, anchors: o.Range.anchors()}
	n := len(d.anchors)
	d.candidates = make([]Face, 0, n) // every anchor may see a face

	ins, outs := net.Inputs(), net.Outputs()
	if len(ins) != 1 || ins[0].Type != tflite.Float32 || ins[0].Len() != side*side*3 {
		return nil, fmt.Errorf("%s needs one float32 input of %dx%dx3: %w", o.Range, side, side, ErrModel)
	}
	for i := range outs {
		switch {
		case outs[i].Type == tflite.Float32 && outs[i].Len() == n*coords:
			d.boxes = outs[i].Float32()
		case outs[i].Type == tflite.Float32 && outs[i].Len() == n:
			d.scores = outs[i].Float32()
		}
	}
	if d.boxes == nil || d.scores == nil {
		return nil, fmt.Errorf("%s needs float32 outputs of %d boxes and scores: %w", o.Range, n, ErrModel)
	}
	d.input = ins[0].Data
	score := o.MinScore
	if score == 0 {
		score = o.Range.defaultScore()
	}
	if !(score > 0 && score < 1) {
		return nil, fmt.Errorf("face detector: minimum score %g is not between 0 and 1", score)
	}
	d.minLogit = logit(score)
	var err error
	d.sampler, err = pixel.NewSampler(pixel.Target{
		Width: side, Height: side, Channels: 3, Type: tflite.Float32,
		Mean: [3]float32{127.5, 127.5, 127.5}, Std: [3]float32{127.5, 127.5, 127.5}, // output_tensor_float_range -1..1
		Border:   pixel.Constant, // BORDER_ZERO
		FromLuma: o.Luma,
	})
	if err != nil {
		return nil, fmt.Errorf("face detector: %w", err)
	}
	return d, nil
}

// Backend names what computes, as tflite.Interpreter does.
func (d *Detector) Backend() string { return d.net.Backend() }

// Close frees the network.
func (d *Detector) Close() error { return d.net.Close() }

// Detect finds the faces of the whole picture, the best score first, in
// faces[:0]; it allocates nothing while they fit.
func (d *Detector) Detect(img *pixel.Image, faces []Face) ([]Face, error) {
	return d.Search(img, Part{}, faces)
}

// Part is what of a picture is searched, and how it is turned for that.
type Part struct {
	Rect     // in pixel borders, as a Face's Box; the zero Rect is the whole picture
	Turn int // quarter turns clockwise
}

// Search is Detect for a part of the picture. Where the part is smaller than the
// picture, smaller faces are found, and all are found more exactly.
func (d *Detector) Search(img *pixel.Image, part Part, faces []Face) ([]Face, error) {
	m := d.view(img, part)
	if err := d.sampler.Fill(d.input, img, m); err != nil {
		return faces[:0], fmt.Errorf("detect faces: %w", err)
	}
	if err := d.net.Invoke(); err != nil {
		return faces[:0], fmt.Errorf("detect faces: %w", err)
	}
	d.candidates = d.candidates[:0]
	for i, raw := range d.scores {
		if raw >= d.minLogit {
			if f := decode(d.boxes[i*coords:], d.anchors[i], sigmoid(raw)); f.sane() {
				d.candidates = append(d.candidates, f)
			}
		}
	}
	faces = suppress(d.candidates, faces[:0])
	for i := range faces {
		faces[i].project(m)
	}
	return faces, nil
}

// view maps the network's input to a part of the picture.
func (d *Detector) view(img *pixel.Image, part Part) pixel.Affine {
	var m pixel.Affine
	if part.Rect == (Rect{}) {
		w, h := img.Upright()
		m = pixel.Letterbox(d.side, d.side, w, h)
	} else {
		c, s := part.Centre(), max(part.Width(), part.Height())/float32(d.side)
		middle := float32(d.side-1) / 2
		m = pixel.Affine{s, 0, c.X - s*middle, 0, s, c.Y - s*middle}
	}
	turned := pixel.Mounting{Turn: part.Turn}
	return m.After(turned.Affine(d.side, d.side))
}

// sane tells a box from numbers gone wrong.
func (f *Face) sane() bool {
	sum := f.Box.X0 + f.Box.Y0 + f.Box.X1 + f.Box.Y1
	for _, p := range f.Keypoints {
		sum += p.X + p.Y
	}
	return !math.IsNaN(float64(sum)) && !math.IsInf(float64(sum), 0) && f.Box.Width() > 0 && f.Box.Height() > 0
}

// project takes a face from input pixels counted from the corner to picture
// pixels counted from the first pixel's centre, by a map of quarter turns.
func (f *Face) project(m pixel.Affine) {
	x0, y0 := m.Apply(f.Box.X0-0.5, f.Box.Y0-0.5)
	x1, y1 := m.Apply(f.Box.X1-0.5, f.Box.Y1-0.5)
	f.Box = Rect{min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)}
	for k, p := range f.Keypoints {
		f.Keypoints[k].X, f.Keypoints[k].Y = m.Apply(p.X-0.5, p.Y-0.5)
	}
}
