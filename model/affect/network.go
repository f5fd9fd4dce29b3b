package affect

import (
	"fmt"
	"slices"
	"strings"

	"mien/model/face"
	"mien/model/pixel"
	"mien/model/tflite"
)

// Network is a loaded network with its card. It belongs to one goroutine.
// Inference allocates nothing.
type Network struct {
	card    *Card
	net     tflite.Interpreter
	sampler *pixel.Sampler
	input   []byte // the interpreter's own memory

	expression, units, visible reader
	expExp                     softmax
	affect, valence, arousal   reader  // affect is both, as the tensor holds them
	coverMask                  []uint8 // by unit: the parts that hide it
	template                   face.Template

	// Mirrored: the faces to come are read as in a mirror, left for right. Every
	// level means the same for both; their mean is more often right than either.
	Mirrored bool
}

// Open loads model and compares it with card: the SHA-256, the shapes and
// types of the tensors, the known answer, and that no output is constant.
// Errors name the card, the key and what the model has instead; those from the
// interpreter wrap its errors. o.Name may stay empty.
func Open(card *Card, model []byte, o tflite.Options) (*Network, error) {
	if err := card.CheckModel(model); err != nil {
		return nil, err
	}
	if o.Name == "" {
		o.Name = card.File
	}
	if a := card.KnownAnswer; a != nil {
		o.Answer = &tflite.Answer{Input: a.Input, Outputs: a.Outputs}
	}
	net, err := tflite.Open(model, o)
	if err != nil {
		return nil, fmt.Errorf("open the network of %s: %w", card.path, err)
	}
	n, err := newNetwork(card, net)
	if err != nil {
		net.Close()
		return nil, err
	}
	if card.KnownAnswer == nil {
		if err := tflite.CheckVaries(net); err != nil {
			net.Close()
			return nil, fmt.Errorf("open the network of %s: %w", card.path, err)
		}
	}
	return n, nil
}

// newNetwork binds the card's keys to the interpreter's tensors.
func newNetwork(card *Card, net tflite.Interpreter) (*Network, error) {
	n := &Network{card: card, net: net, template: card.Input.Template.points()}
	k := &check{file: card.path}
	n.bindInput(k)
	if err := n.bindOutputs(k); err != nil {
		return nil, err
	}
	return n, nil
}

// bindOutputs binds those of the card's keys that are of outputs. The first error
// counts, also one that k has already.
func (n *Network) bindOutputs(k *check) error {
	card, net := n.card, n.net
	b := &binder{check: k, card: card, outputs: net.Outputs(), used: make([][]string, len(net.Outputs()))}
	if o := card.Outputs.Expression; o != nil {
		n.expression = b.bind("outputs.expression", o.Index, o.Offset, len(o.Classes), "classes", o.Kind, false)
		if o.Kind == Logits {
			n.expExp = newSoftmax(n.expression.scale)
		}
	}
	if o := card.Outputs.ValenceArousal; o != nil {
		both := b.bind("outputs.valence_arousal", o.Index, o.Offset, 2, "values, valence and arousal,", o.Kind, true)
		at := slices.Index(o.Order, Valence)
		n.affect, n.valence, n.arousal = both, both.part(at), both.part(1-at)
	}
	if o := card.Outputs.ActionUnits; o != nil {
		n.units = b.bind("outputs.action_units", o.Index, o.Offset, len(o.Units), "units", o.Kind, false)
		n.coverMask = card.coverMasks()
	}
	if o := card.Outputs.Visibility; o != nil {
		n.visible = b.bind("outputs.visibility", o.Index, o.Offset, len(o.Parts), "parts", o.Kind, false)
	}
	b.whole()
	return k.err
}

func (n *Network) bindInput(k *check) {
	in := n.card.Input
	inputs := n.net.Inputs()
	k.want(len(inputs) == 1, "file", "%s has %d inputs: a face network has one", n.card.File, len(inputs))
	k.want(in.Index < len(inputs), "input.index", "%d: %s has %d inputs", in.Index, n.card.File, len(inputs))
	if k.err != nil {
		return
	}
	t := inputs[in.Index]
	want := []int{1, in.Height, in.Width, in.Channels}
	k.want(slices.Equal(t.Shape, want), "input", "width, height and channels ask for a tensor %v, %s takes %v (1, height, width, channels)", want, n.card.File, t.Shape)
	quantised := t.Type == tflite.Int8 || t.Type == tflite.UInt8
	k.want(quantised || t.Type == tflite.Float32, "input", "%s takes %v: must be int8, uint8 or float32", n.card.File, t.Type)
	k.want(!quantised || t.Scale > 0, "input", "%s takes %v without a scale: it was not quantised whole", n.card.File, t.Type)
	if k.err != nil {
		return
	}
	target := pixel.Target{Width: in.Width, Height: in.Height, Channels: in.Channels,
		Type: t.Type, Scale: t.Scale, ZeroPoint: t.ZeroPoint}
	copy(target.Mean[:], in.Mean)
	copy(target.Std[:], in.Std)
	sampler, err := pixel.NewSampler(target)
	if err != nil {
		k.want(false, "input", "%v", err)
		return
	}
	n.sampler, n.input = sampler, t.Data
}

// binder gives each of the card's outputs its place in the tensors.
type binder struct {
	*check
	card    *Card
	outputs []tflite.Tensor
	used    [][]string // by tensor and element: the key that reads it
}

func (b *binder) bind(key string, index, offset, count int, of, kind string, signed bool) reader {
	b.want(index < len(b.outputs), key+".index", "%d: %s has %d outputs: %s", index, b.card.File, len(b.outputs), describe(b.outputs))
	if b.err != nil {
		return reader{}
	}
	t := &b.outputs[index]
	b.want(offset+count <= t.Len(), key, "names %d %s from element %d, output %d has %d elements: %s", count, of, offset, index, t.Len(), describe(b.outputs))
	quantised := t.Type == tflite.Int8 || t.Type == tflite.UInt8
	b.want(quantised || t.Type == tflite.Float32, key+".index", "output %d is %v: must be int8, uint8 or float32", index, t.Type)
	b.want(!quantised || t.Scale > 0, key+".index", "output %d is %v without a scale", index, t.Type)
	b.want(!quantised || b.card.KnownAnswer != nil, "known_answer", "is missing: a quantised network needs one, so that a library or an accelerator that computes something else is found at start")
	if b.err != nil {
		return reader{}
	}
	if b.used[index] == nil {
		b.used[index] = make([]string, t.Len())
	}
	for i := range count {
		b.want(b.used[index][offset+i] == "", key, "reads element %d of output %d, which %s reads too", offset+i, index, b.used[index][offset+i])
		b.used[index][offset+i] = key
	}
	return newReader(t, offset, count, kind, signed)
}

// whole refuses a tensor that is read in part: that is how a card with too few
// classes looks.
func (b *binder) whole() {
	for index, keys := range b.used {
		for i, key := range keys {
			if key == "" {
				first := keys[slices.IndexFunc(keys, func(k string) bool { return k != "" })]
				b.want(false, first, "output %d has %d elements, and none of the card's outputs names element %d: %s", index, len(keys), i, describe(b.outputs))
				return
			}
		}
	}
}

func (t Template) points() face.Template {
	return face.Template{RightEye: face.Point{X: t.RightEye[0], Y: t.RightEye[1]}, LeftEye: face.Point{X: t.LeftEye[0], Y: t.LeftEye[1]}}
}

func describe(outputs []tflite.Tensor) string {
	var s []string
	for i, t := range outputs {
		s = append(s, fmt.Sprintf("%d is %v %v", i, t.Type, t.Shape))
	}
	return strings.Join(s, ", ")
}

// coverMasks tells for each unit which parts hide it, as bits.
func (c *Card) coverMasks() []uint8 {
	masks := make([]uint8, len(c.Outputs.ActionUnits.Units))
	if c.Outputs.Visibility == nil {
		return masks
	}
	for part, units := range c.Regions {
		bit := uint8(1) << slices.Index(c.Outputs.Visibility.Parts, part)
		for _, u := range units {
			masks[slices.Index(c.Outputs.ActionUnits.Units, u)] |= bit
		}
	}
	return masks
}

// Card is the network's card.
func (n *Network) Card() *Card { return n.card }

// Backend names the library that computes; see tflite.Interpreter.
func (n *Network) Backend() string { return n.net.Backend() }

// Why tells why this backend, and what was lost on the way; see tflite.Why.
func (n *Network) Why() string { return tflite.Why(n.net) }

// Close frees the interpreter.
func (n *Network) Close() error { return n.net.Close() }

// Infer runs the network on one face of img, turned and scaled so that the eyes
// are where the card's template has them. It fills r, whose memory it keeps
// using.
func (n *Network) Infer(img *pixel.Image, f *face.Face, r *Result) error {
	m := face.Align(*f, n.template)
	if n.Mirrored {
		m = m.After(pixel.Affine{-1, 0, float32(n.card.Input.Width - 1), 0, 1, 0})
	}
	return n.InferAt(img, m, r)
}

// InferAt runs the network on the part of img that m maps to its input: the
// centre of input pixel (x, y) is img's point m.Apply(x, y).
func (n *Network) InferAt(img *pixel.Image, m pixel.Affine, r *Result) error {
	if err := n.sampler.Fill(n.input, img, m); err != nil {
		return fmt.Errorf("fill the network's input: %w", err)
	}
	return n.invoke(r)
}

// InferTensor runs the network on an input tensor as it is: bytes in the
// model's own element type, height x width x channels.
func (n *Network) InferTensor(input []byte, r *Result) error {
	if len(input) != len(n.input) {
		return fmt.Errorf("input of %s: %d bytes, needs %d", n.card.File, len(input), len(n.input))
	}
	copy(n.input, input)
	return n.invoke(r)
}

func (n *Network) invoke(r *Result) error {
	if err := n.net.Invoke(); err != nil {
		return fmt.Errorf("run %s: %w", n.card.File, err)
	}
	n.read(r)
	return nil
}

// read turns the output tensors into levels.
func (n *Network) read(r *Result) {
	r.size(n.card)
	o := &n.card.Outputs
	if o.Expression != nil {
		if o.Expression.Kind == Logits {
			n.expExp.read(r.Expression, &n.expression)
		} else {
			n.expression.read(r.Expression)
		}
	}
	if o.ValenceArousal != nil {
		r.Valence, r.Arousal = n.valence.one(), n.arousal.one()
	}
	if o.Visibility != nil {
		n.visible.read(r.Visible)
	}
	if o.ActionUnits != nil {
		n.units.read(r.Uncovered)
	}
	n.cover(r)
}

// cover tells which parts are covered, and makes their units Unknown.
func (n *Network) cover(r *Result) {
	for i, v := range r.Visible {
		if v < n.card.Outputs.Visibility.Thresholds[i] {
			r.Covered |= 1 << i
		}
	}
	for i, v := range r.Uncovered {
		if r.Covered&n.coverMask[i] != 0 {
			v = unknown
		}
		r.ActionUnits[i] = v
	}
}

// Mean fills r with the mean of two results of this network: of a face and its
// mirror. What is covered follows from the mean.
func (n *Network) Mean(r, a, b *Result) {
	r.size(n.card)
	r.Valence, r.Arousal = (a.Valence+b.Valence)/2, (a.Arousal+b.Arousal)/2
	mean := func(dst, a, b []float32) {
		for i := range dst {
			dst[i] = (a[i] + b[i]) / 2
		}
	}
	mean(r.Expression, a.Expression, b.Expression)
	mean(r.Visible, a.Visible, b.Visible)
	mean(r.Uncovered, a.Uncovered, b.Uncovered)
	n.cover(r)
}
