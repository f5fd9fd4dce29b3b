package affect

import (
	"encoding/json"
	"errors"
	"fmt"

	"mien/model/tflite"
)

// Form is how one output tensor is stored: all that is needed, with the card, to
// read it without the network.
type Form struct {
	Type      tflite.ElementType `json:"type"`
	Shape     []int              `json:"shape"`
	Scale     float32            `json:"scale"`
	ZeroPoint int                `json:"zero_point"`
}

// Made says how a network's outputs come to be levels, for whoever keeps what it
// said: its card, without what only training and the file are about, and its
// output tensors.
type Made struct {
	Card    json.RawMessage `json:"card"`
	Outputs []Form          `json:"outputs"`
}

// Made describes the network for Recorded.
func (n *Network) Made() (Made, error) {
	c := *n.card
	c.KnownAnswer, c.Data, c.Scores, c.Limits, c.Description = nil, nil, nil, nil, ""
	text, err := json.Marshal(&c)
	m := Made{Card: text}
	for _, t := range n.net.Outputs() {
		m.Outputs = append(m.Outputs, Form{t.Type, t.Shape, t.Scale, t.ZeroPoint})
	}
	return m, err
}

// maxElements bounds an output tensor that is described by a recording.
const maxElements = 4096

// Recorded gives a network that infers nothing: ReadRaw alone is for it, and gives
// what the network that m is of gave. Errors name what does not fit together.
func Recorded(m Made) (*Network, error) {
	var card Card
	if err := json.Unmarshal(m.Card, &card); err != nil {
		return nil, fmt.Errorf("card of a recorded network: %w", err)
	}
	card.path = "recorded " + card.Name
	k := &check{file: card.path}
	card.Input.validate(k)
	card.Outputs.validate(k)
	card.validateRegions(k)
	if k.err != nil {
		return nil, k.err
	}
	card.KnownAnswer = &KnownAnswer{} // it was asked when the network was opened
	outputs := make([]tflite.Tensor, len(m.Outputs))
	for i, f := range m.Outputs {
		outputs[i] = tflite.Tensor{Type: f.Type, Shape: f.Shape, Scale: f.Scale, ZeroPoint: f.ZeroPoint}
		size := 1
		for _, d := range f.Shape {
			if d < 1 || d > maxElements || size*d > maxElements {
				return nil, fmt.Errorf("%s: output %d: shape %v has more than %d elements, or none", card.path, i, f.Shape, maxElements)
			}
			size *= d
		}
		if f.Type.Size() == 0 {
			return nil, fmt.Errorf("%s: output %d: %v", card.path, i, f.Type)
		}
	}
	n := &Network{card: &card, net: unloaded{nil, memory(outputs)}}
	if err := n.bindOutputs(k); err != nil {
		return nil, err
	}
	n.card.KnownAnswer = nil
	return n, nil
}

// RawSize is how many bytes AppendRaw appends.
func (n *Network) RawSize(emotions bool) int {
	size := len(n.units.raw) + len(n.visible.raw)
	if emotions {
		size += len(n.expression.raw) + len(n.affect.raw)
	}
	return size
}

// AppendRaw appends what the network said last, as its output tensors have it:
// action units, visibility, and with emotions expressions, valence and arousal.
func (n *Network) AppendRaw(dst []byte, emotions bool) []byte {
	dst = append(append(dst, n.units.raw...), n.visible.raw...)
	if emotions {
		dst = append(append(dst, n.expression.raw...), n.affect.raw...)
	}
	return dst
}

var errRawShort = errors.New("recorded outputs are cut short")

// ReadRaw fills r with the levels of what AppendRaw gave, and gives what is left of
// raw. Without emotions expressions, valence and arousal are Unknown. Only a
// network of Recorded can do it.
func (n *Network) ReadRaw(raw []byte, emotions bool, r *Result) (rest []byte, err error) {
	size := n.RawSize(emotions)
	if len(raw) < size {
		return nil, errRawShort
	}
	raw, rest = raw[:size], raw[size:]
	take := func(dst []byte) { raw = raw[copy(dst, raw):] }
	take(n.units.raw)
	take(n.visible.raw)
	if emotions {
		take(n.expression.raw)
		take(n.affect.raw)
	}
	n.read(r)
	if !emotions {
		r.Valence, r.Arousal = unknown, unknown
		for i := range r.Expression {
			r.Expression[i] = unknown
		}
	}
	return rest, nil
}

// CardOf is the card that is in m.
func (m Made) CardOf() (name, version, sum string, err error) {
	var c struct{ Name, Version, SHA256 string }
	err = json.Unmarshal(m.Card, &c)
	return c.Name, c.Version, c.SHA256, err
}
