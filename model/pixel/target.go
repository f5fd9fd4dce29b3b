package pixel

import (
	"errors"
	"fmt"
	"math"

	"mien/model/tflite"
)

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
	Channels      int                // 1: grey, 3: red, green, blue
	Type          tflite.ElementType // Int8, UInt8 or Float32
	Mean, Std     [3]float32         // a Std of 0 counts as 1
	Scale         float32            // of an integer tensor; 0 counts as 1
	ZeroPoint     int
	Border        Border
	Outside       uint8 // the value outside the picture with Constant
	// FromLuma fills a tensor of 3 channels from the luma alone, as if the picture
	// had no colour. RGB24, which has no luma to itself, stays in colour.
	FromLuma bool
}

// Grey8 is a plain grey picture of width x height bytes.
func Grey8(width, height int) Target {
	return Target{Width: width, Height: height, Channels: 1, Type: tflite.UInt8}
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
	if t.Type != tflite.Int8 && t.Type != tflite.UInt8 && t.Type != tflite.Float32 {
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
			case tflite.Float32:
				out[c][v] = math.Float32bits(float32(x))
			case tflite.Int8:
				out[c][v] = uint32(uint8(int8(hold(math.Round(x/scale)+float64(t.ZeroPoint), -128, 127))))
			case tflite.UInt8:
				out[c][v] = uint32(uint8(hold(math.Round(x/scale)+float64(t.ZeroPoint), 0, 255)))
			}
		}
	}
	return out
}

// asItIs is a value in steps of 255.
func asItIs(quarter int) float64 { return float64(quarter) / 4 }

// fromLimited is the grey that a luma of limited range means.
func fromLimited(quarter int) float64 { return hold((float64(quarter)/4-16)*255/219, 0, 255) }

func hold(v, lo, hi float64) float64 { return math.Min(math.Max(v, lo), hi) }
