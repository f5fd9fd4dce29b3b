package affect

import (
	"math"

	"mien/model/tflite"
)

// reader turns a run of elements of an output tensor into levels. For int8 and
// uint8 a table holds the level of each of the 256 bytes, so that no
// exponential is computed per frame.
type reader struct {
	raw    []byte // the elements as they are, of whatever type: the interpreter's own memory
	bytes  []byte // the same, of int8 and uint8
	table  *[256]float32
	floats []float32
	level  func(float64) float64
	scale  float64 // of a quantised tensor, else 0
	flip   byte    // makes an element's bits ascend with its value
}

func newReader(t *tflite.Tensor, offset, count int, kind string, signed bool) reader {
	size := t.Type.Size()
	r := reader{level: levelOf(kind, signed), raw: t.Data[offset*size : (offset+count)*size]}
	if t.Type == tflite.Float32 {
		r.floats = t.Float32()[offset : offset+count]
		return r
	}
	r.bytes, r.scale, r.table = t.Data[offset:offset+count], float64(t.Scale), new([256]float32)
	if t.Type == tflite.Int8 {
		r.flip = 0x80
	}
	for b := range r.table {
		q := b
		if t.Type == tflite.Int8 {
			q = int(int8(b))
		}
		r.table[b] = float32(r.level(float64(q-t.ZeroPoint) * r.scale))
	}
	return r
}

// levelOf gives the function from a tensor's real value to a level.
func levelOf(kind string, signed bool) func(float64) float64 {
	switch {
	case kind == Logits:
		return func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	case kind == Raw:
		return math.Tanh
	case signed:
		return func(x float64) float64 { return math.Min(math.Max(x, -1), 1) }
	default:
		return func(x float64) float64 { return math.Min(math.Max(x, 0), 1) }
	}
}

// part reads element i alone.
func (r reader) part(i int) reader {
	if r.bytes != nil {
		r.bytes = r.bytes[i : i+1]
	}
	if r.floats != nil {
		r.floats = r.floats[i : i+1]
	}
	return r
}

func (r *reader) read(dst []float32) {
	if r.table == nil {
		for i, x := range r.floats {
			dst[i] = float32(r.level(float64(x)))
		}
		return
	}
	for i, b := range r.bytes {
		dst[i] = r.table[b]
	}
}

func (r *reader) one() float32 {
	var v [1]float32
	r.read(v[:])
	return v[0]
}

// softmax holds exp(-scale*d) for each difference d of two quantised elements.
// The zero point falls out of a softmax, and the largest element is at
// difference 0, so that nothing overflows.
type softmax struct{ table [256]float32 }

func newSoftmax(scale float64) softmax {
	var s softmax
	for d := range s.table {
		s.table[d] = float32(math.Exp(-scale * float64(d)))
	}
	return s
}

func (s *softmax) read(dst []float32, r *reader) {
	var sum float32
	if r.table == nil {
		largest := math.Inf(-1)
		for _, x := range r.floats {
			largest = max(largest, float64(x))
		}
		for i, x := range r.floats {
			dst[i] = float32(math.Exp(float64(x) - largest))
			sum += dst[i]
		}
	} else {
		var largest byte
		for _, b := range r.bytes {
			largest = max(largest, b^r.flip)
		}
		for i, b := range r.bytes {
			dst[i] = s.table[largest-(b^r.flip)]
			sum += dst[i]
		}
	}
	for i := range dst {
		dst[i] /= sum
	}
}
