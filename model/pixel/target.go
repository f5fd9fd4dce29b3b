package pixel

import (
	"errors"
	"fmt"
	"math"
)

// ElementType is the type of a tensor's elements, little endian. The numbers are
// TfLiteType's (tensorflow/lite/c/c_api_types.h).
type ElementType int32

// The element types that a Target can have.
const (
	Float32 ElementType = 1
	Uint8   ElementType = 3
	Int8    ElementType = 9
)

// String names the type as TFLite does.
func (e ElementType) String() string {
	switch e {
	case Int8:
		return "int8"
	case Uint8:
		return "uint8"
	case Float32:
		return "float32"
	}
	return fmt.Sprintf("element type %d", int(e))
}

// Size gives the bytes of one element.
func (e ElementType) Size() int {
	if e == Float32 {
		return 4
	}
	return 1
}

// Border says what lies outside the picture.
type Border int

// The borders.
const (
	Replicate Border = iota // the nearest edge pixel
	Constant                // Target.Outside in every channel
)

// Target says how a tensor of Height x Width x Channels is made of values
// 0..255: element = (value - Mean[c]) / Std[c], and for integers
// round(element / Scale) + ZeroPoint, held to the type's range.
type Target struct {
	Width, Height int
	Channels      int // 1: grey, 3: red, green, blue
	Type          ElementType
	Mean, Std     [3]float32 // a Std of 0 counts as 1
	Scale         float32    // of an integer tensor; 0 counts as 1
	ZeroPoint     int
	Border        Border
	Outside       uint8 // the value outside the picture with Constant
	// FromLuma fills a tensor of 3 channels from the luma alone, as if the picture
	// had no colour. RGB24, which has no luma to itself, stays in colour.
	FromLuma bool
}

// Grey8 is a plain grey picture of width x height bytes.
func Grey8(width, height int) Target {
	return Target{Width: width, Height: height, Channels: 1, Type: Uint8}
}

// ErrTarget: a Target that no tensor can be filled for, or a tensor of another
// size.
var ErrTarget = errors.New("unusable target")

// Bytes gives the size of the tensor in bytes.
func (t Target) Bytes() int { return t.Width * t.Height * t.Channels * t.Type.Size() }

func (t Target) check() error {
	if t.Width < 1 || t.Height < 1 || t.Width > 4096 || t.Height > 4096 {
		return fmt.Errorf("tensor of %dx%d: sides must be 1..4096: %w", t.Width, t.Height, ErrTarget)
	}
	if t.Channels != 1 && t.Channels != 3 {
		return fmt.Errorf("tensor of %d channels: must be 1 (grey) or 3 (red, green, blue): %w", t.Channels, ErrTarget)
	}
	if t.Type != Int8 && t.Type != Uint8 && t.Type != Float32 {
		return fmt.Errorf("tensor of %s: %w", t.Type, ErrTarget)
	}
	for _, v := range []float32{t.Mean[0], t.Mean[1], t.Mean[2], t.Std[0], t.Std[1], t.Std[2], t.Scale} {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("tensor with mean %v, std %v, scale %v: %w", t.Mean, t.Std, t.Scale, ErrTarget)
		}
	}
	return nil
}

// units are a channel's Std and the Scale, 1 where they are 0.
func (t Target) units(channel int) (std, scale float64) {
	std, scale = float64(t.Std[channel]), float64(t.Scale)
	if std == 0 {
		std = 1
	}
	if scale == 0 {
		scale = 1
	}
	return std, scale
}

// table gives the tensor element for values in quarters of a step of 255, as
// bits: a byte for integers, an IEEE 754 single for floats. A whole step would
// round twice, which costs up to one step where the mean is 127.5.
type table [1024]uint32

func (t Target) tables(of func(quarter int) float64) (out [3]table) {
	for c := range out {
		std, scale := t.units(c)
		for v := range out[c] {
			x := (of(v) - float64(t.Mean[c])) / std
			switch t.Type {
			case Float32:
				out[c][v] = math.Float32bits(float32(x))
			case Int8:
				out[c][v] = uint32(uint8(int8(hold(math.Round(x/scale)+float64(t.ZeroPoint), -128, 127))))
			case Uint8:
				out[c][v] = uint32(uint8(hold(math.Round(x/scale)+float64(t.ZeroPoint), 0, 255)))
			}
		}
	}
	return out
}

// quantiser makes the elements of one channel of an integer tensor without a table,
// 8 at a time in vector registers: (quarters + less) * gain, rounded, plus zero,
// held to -128..127, with the bits of flip turned.
type quantiser struct {
	less, gain [8]float32 // eight times the same
	zero       [8]int32
	flip       [2]uint64 // a uint8 is an int8 with its first bit turned
}

// quantiser gives one that makes just the elements of a table, that of the
// Target's first channel, if there is one.
func (t Target) quantiser(want *table) (q quantiser, ok bool) {
	std, scale := t.units(0)
	zero := t.ZeroPoint
	if t.Type == Uint8 {
		zero -= 128
		q.flip[0], q.flip[1] = 0x8080808080808080, 0x8080808080808080
	}
	less, gain := -4*float64(t.Mean[0]), 1/(4*std*scale)
	if t.Type == Float32 || math.Abs(gain)*(math.Abs(less)+float64(len(want))) > 1<<20 || zero != int(int16(zero)) {
		return q, false
	}
	// What lies halfway is rounded away from zero by the rule, to an even number by
	// the processor: a little more keeps it from lying there.
	for _, more := range []float64{1.5e-7, 0, -1.5e-7} {
		for i := range q.less {
			q.less[i], q.gain[i], q.zero[i] = float32(less), float32(gain*(1+more)), int32(zero)
		}
		ok = true
		for v := 0; v <= 4*255 && ok; v++ {
			ok = uint32(q.element(v)) == want[v]
		}
		if ok {
			return q, true
		}
	}
	return q, false
}

// element is that of a value in quarters.
func (q *quantiser) element(quarters int) uint8 {
	v := int32(math.RoundToEven(float64((float32(quarters)+q.less[0])*q.gain[0]))) + q.zero[0]
	return uint8(min(max(v, -128), 127)) ^ uint8(q.flip[0])
}

// asItIs is a value in steps of 255.
func asItIs(quarter int) float64 { return float64(quarter) / 4 }

// fromLimited is the grey that a luma of limited range means.
func fromLimited(quarter int) float64 { return hold((float64(quarter)/4-16)*255/219, 0, 255) }

func hold(v, lo, hi float64) float64 { return math.Min(math.Max(v, lo), hi) }
