package tflite

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Answer is a known answer: what a network's outputs must be for a fixed input
// that anybody can make again.
type Answer struct {
	// Input names the input: "lcg:1" is the generator of Fill from seed 1. All
	// inputs of the network are filled in turn, from seed, seed+1 and so on.
	Input string `json:"input"`
	// Outputs are the elements of each int8 or uint8 output, as stored, in the
	// order of Interpreter.Outputs. A nil one is not compared.
	Outputs [][]int `json:"outputs"`
	// Sampled are elements of each float32 output: of n elements and k samples
	// each j*n/k-th. A nil one is not compared. Processors add floats in orders
	// of their own, so that a hundredth is let pass.
	Sampled [][]float32 `json:"sampled,omitempty"`
	// Tolerance is how many quantisation steps a CPU's answer may be off.
	// XNNPACK's int8 kernels give the same bits on every processor: 0.
	Tolerance int `json:"tolerance,omitempty"`
}

// acceleratorSteps is what an accelerator may be off, of 256. It rounds in its
// own way, so that its answer is near but rarely the same; TFLite's own plain
// kernels, which nobody calls wrong, are off by up to 20 steps from XNNPACK's.
const acceleratorSteps = 20

// CheckAnswer computes the known answer and compares it: ErrWrongAnswer tells
// the output, the element and both values. The inputs are overwritten.
func CheckAnswer(net Interpreter, known Answer) error {
	steps := known.Tolerance
	if accelerated(net) {
		steps = max(steps, acceleratorSteps)
	}
	seed, err := parseSeed(known.Input)
	if err != nil {
		return fmt.Errorf("known answer: %w", err)
	}
	outs := net.Outputs()
	if n := max(len(known.Outputs), len(known.Sampled)); n != len(outs) {
		return fmt.Errorf("known answer: has %d outputs, the model %d: %w", n, len(outs), ErrWrongAnswer)
	}
	for i, in := range net.Inputs() {
		Fill(&in, seed+uint32(i))
	}
	if err := net.Invoke(); err != nil {
		return fmt.Errorf("known answer: %w", err)
	}
	for i, want := range known.Outputs {
		if want == nil {
			continue
		}
		out := &outs[i]
		if out.Type != Int8 && out.Type != UInt8 {
			return fmt.Errorf("known answer: output %d is %v, want int8 or uint8: %w", i, out.Type, ErrWrongAnswer)
		}
		if len(want) != len(out.Data) {
			return fmt.Errorf("known answer: output %d has %d elements, want %d: %w", i, len(out.Data), len(want), ErrWrongAnswer)
		}
		for k, w := range want {
			got := int(out.Data[k])
			if out.Type == Int8 {
				got = int(int8(out.Data[k]))
			}
			if got-w > steps || w-got > steps {
				return fmt.Errorf("known answer: %s: output %d element %d is %d, want %d: %w", net.Backend(), i, k, got, w, ErrWrongAnswer)
			}
		}
	}
	return known.checkSamples(net)
}

func (a *Answer) checkSamples(net Interpreter) error {
	for i, want := range a.Sampled {
		out := &net.Outputs()[i]
		all := out.Float32()
		if want != nil && len(all) < len(want) {
			return fmt.Errorf("known answer: output %d is %v %v, want float32 with %d elements or more: %w", i, out.Type, out.Shape, len(want), ErrWrongAnswer)
		}
		for j, w := range want {
			at := j * len(all) / len(want)
			if off := math.Abs(float64(all[at] - w)); !(off <= 0.01*math.Max(1, math.Abs(float64(w)))) {
				return fmt.Errorf("known answer: %s: output %d element %d is %g, want %g: %w", net.Backend(), i, at, all[at], w, ErrWrongAnswer)
			}
		}
	}
	return nil
}

// CheckVaries shows the network pictures as different as they can be (noise,
// ramps, black, white, a disc) and returns ErrConstant if an output stays the
// same to the bit for all of them, as some libraries do with files they only
// half understand. The inputs are overwritten.
func CheckVaries(net Interpreter) error {
	outs := net.Outputs()
	first := make([][]byte, len(outs))
	varies := make([]bool, len(outs))
	left := len(outs)
	for pattern := range patterns {
		for i, in := range net.Inputs() {
			drawPattern(&in, pattern, i)
		}
		if err := net.Invoke(); err != nil {
			return fmt.Errorf("check that the answer varies: %w", err)
		}
		for i := range outs {
			switch {
			case first[i] == nil:
				first[i] = bytes.Clone(outs[i].Data)
			case !varies[i] && !bytes.Equal(first[i], outs[i].Data):
				varies[i] = true
				left--
			}
		}
		if left == 0 {
			return nil
		}
	}
	for i, v := range varies {
		if !v {
			return fmt.Errorf("%s: output %d (%s) is the same for %d different inputs: its weights are lost, or this library does not understand them: %w",
				net.Backend(), i, outs[i].Name, patterns, ErrConstant)
		}
	}
	return nil
}

// Fill writes a pseudo-random input: for each element x = x*1664525 +
// 1013904223 (mod 2^32), started from seed, gives the byte x>>24. An int8 or
// uint8 element is that byte as it is; a float32 element is byte/127.5 - 1.
// Tensors of other types are cleared.
func Fill(t *Tensor, seed uint32) {
	x := seed
	next := func() byte {
		x = x*1664525 + 1013904223
		return byte(x >> 24)
	}
	switch t.Type {
	case Int8, UInt8:
		for i := range t.Data {
			t.Data[i] = next()
		}
	case Float32:
		f := t.Float32()
		for i := range f {
			f[i] = float32(next())/127.5 - 1
		}
	default:
		clear(t.Data)
	}
}

func parseSeed(input string) (uint32, error) {
	digits, ok := strings.CutPrefix(input, "lcg:")
	if ok {
		if seed, err := strconv.ParseUint(digits, 10, 32); err == nil {
			return uint32(seed), nil
		}
	}
	return 0, fmt.Errorf("input %q: want lcg:SEED, such as lcg:1: %w", input, ErrOptions)
}

// patterns is how many pictures drawPattern knows.
const patterns = 7

// drawPattern fills an image tensor [1, h, w, c] with one of the patterns;
// for a tensor of another rank the last dimension is taken as the width.
func drawPattern(t *Tensor, pattern, input int) {
	if pattern < 2 {
		Fill(t, uint32(1+pattern+input*2))
		return
	}
	h, w, c := 1, t.Len(), 1
	if n := len(t.Shape); n >= 3 {
		h, w, c = t.Shape[n-3], t.Shape[n-2], t.Shape[n-1]
	}
	f := t.Float32()
	for i := range t.Len() {
		x := float64(i/c%w)/float64(max(w-1, 1))*2 - 1
		y := float64(i/c/w%h)/float64(max(h-1, 1))*2 - 1
		var v float64 // -1 black, 1 white
		switch pattern {
		case 2:
			v = x
		case 3:
			v = -y
		case 4:
			v = -1
		case 5:
			v = 1
		case 6:
			v = -0.5
			if math.Hypot(x, y) < 0.6 {
				v = 0.5
			}
		}
		switch t.Type {
		case Float32:
			f[i] = float32(v)
		case UInt8:
			t.Data[i] = uint8(math.Round(127.5 + v*127.5))
		case Int8:
			t.Data[i] = byte(int8(math.Round(v*127.5 - 0.5)))
		}
	}
}
