package tflite

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// rule says what an operator needs. An operator without a rule is refused: the
// libraries' kernels trust much of what they are given, so that each operator
// is let in only with a check of what its kernels rely on.
type rule struct {
	name     string
	inputs   [2]int // least and most
	outputs  [2]int
	options  int  // number in the schema's union BuiltinOptions
	optional bool // the options may be left out
	check    func(*call) error
}

// rules by BuiltinOperator's number.
var rules = map[int]rule{
	0:   {"ADD", [2]int{2, 2}, one, 11, false, add},
	1:   {"AVERAGE_POOL_2D", one, one, 5, false, pool},
	2:   {"CONCATENATION", [2]int{1, 64}, one, 10, false, concatenation},
	3:   {"CONV_2D", [2]int{2, 3}, one, 1, false, conv},
	4:   {"DEPTHWISE_CONV_2D", [2]int{3, 3}, one, 2, false, depthwise},
	5:   {"DEPTH_TO_SPACE", one, one, 94, false, depthToSpace},
	6:   {"DEQUANTIZE", one, one, 38, true, dequantize},
	9:   {"FULLY_CONNECTED", [2]int{2, 3}, one, 8, false, fullyConnected},
	14:  {"LOGISTIC", one, one, 0, true, tabled},
	17:  {"MAX_POOL_2D", one, one, 5, false, pool},
	18:  {"MUL", [2]int{2, 2}, one, 21, false, mul},
	19:  {"RELU", one, one, 0, true, unary},
	20:  {"RELU_N1_TO_1", one, one, 0, true, unary},
	21:  {"RELU6", one, one, 0, true, unary},
	22:  {"RESHAPE", [2]int{1, 2}, one, 17, true, reshape},
	23:  {"RESIZE_BILINEAR", [2]int{2, 2}, one, 15, false, resize},
	25:  {"SOFTMAX", one, one, 9, false, softmax},
	28:  {"TANH", one, one, 0, true, tabled},
	34:  {"PAD", [2]int{2, 2}, one, 22, true, pad},
	39:  {"TRANSPOSE", [2]int{2, 2}, one, 26, true, transpose},
	40:  {"MEAN", [2]int{2, 2}, one, 27, false, reduce},
	41:  {"SUB", [2]int{2, 2}, one, 28, false, add},
	42:  {"DIV", [2]int{2, 2}, one, 29, false, floatBinary},
	43:  {"SQUEEZE", one, one, 30, false, squeeze},
	45:  {"STRIDED_SLICE", [2]int{4, 4}, one, 32, false, stridedSlice},
	47:  {"EXP", one, one, 33, true, floatUnary},
	49:  {"SPLIT", [2]int{2, 2}, [2]int{1, 16}, 35, false, split},
	54:  {"PRELU", [2]int{2, 2}, one, 0, true, prelu},
	55:  {"MAXIMUM", [2]int{2, 2}, one, 39, true, floatBinary},
	57:  {"MINIMUM", [2]int{2, 2}, one, 39, true, floatBinary},
	59:  {"NEG", one, one, 42, true, floatUnary},
	60:  {"PADV2", [2]int{3, 3}, one, 43, true, pad},
	65:  {"SLICE", [2]int{3, 3}, one, 48, true, slice},
	70:  {"EXPAND_DIMS", [2]int{2, 2}, one, 52, true, expandDims},
	74:  {"SUM", [2]int{2, 2}, one, 27, false, reduce},
	75:  {"SQRT", one, one, 0, true, floatUnary},
	76:  {"RSQRT", one, one, 0, true, floatUnary},
	83:  {"PACK", [2]int{1, 64}, one, 59, false, pack},
	92:  {"SQUARE", one, one, 66, true, floatUnary},
	97:  {"RESIZE_NEAREST_NEIGHBOR", [2]int{2, 2}, one, 74, false, resize},
	98:  {"LEAKY_RELU", one, one, 75, false, leakyRelu},
	99:  {"SQUARED_DIFFERENCE", [2]int{2, 2}, one, 76, true, floatBinary},
	101: {"ABS", one, one, 78, true, floatUnary},
	111: {"ELU", one, one, 0, true, floatUnary},
	114: {"QUANTIZE", one, one, 89, true, quantize},
	117: {"HARD_SWISH", one, one, 91, true, unary},
	126: {"BATCH_MATMUL", [2]int{2, 2}, one, 101, false, batchMatMul},
	150: {"GELU", one, one, 116, true, floatUnary},
}

var one = [2]int{1, 1}

const customOperator = 32

// call is one operator with its tensors.
type call struct {
	c       *checker
	in, out []*tensor // in: nil for one left out
	options table
	work    int64 // multiplications, if they count
}

// operator checks one operator and marks what it computes.
func (c *checker) operator(op table, d *Description) error {
	index := op.u32(0, 0)
	if c.f.err == nil && index >= len(c.codes) {
		return fmt.Errorf("code %d of %d: %w", index, len(c.codes), ErrDamaged)
	}
	inputs, outputs, kind := op.ints(1), op.ints(2), op.u8(3, 0)
	o := &call{c: c, options: op.table(4)}
	op.bytes(5)
	if op.vector(7, 1).n > 0 || op.vector(8, 4).n > 0 || op.u64(9) > 1 || op.u64(10) > 1 || op.field(12, 4) != 0 {
		return fmt.Errorf("it keeps state or has options of a newer kind: %w", ErrUnsupported)
	}
	if c.f.err != nil {
		return c.f.err
	}
	code := c.codes[index]
	r, known := rules[code.builtin]
	if code.builtin == customOperator {
		if code.custom != edgeTPUOp {
			return fmt.Errorf("custom operator %q, which no library here has: convert the network without it: %w", code.custom, ErrUnsupported)
		}
		d.EdgeTPU = true
		r, known = rule{code.custom, [2]int{1, 64}, [2]int{1, 64}, 0, true, func(*call) error { return nil }}, true
	}
	if !known {
		return fmt.Errorf("operator number %d, which is not among those that are checked: convert the network without it: %w", code.builtin, ErrUnsupported)
	}
	if !slices.Contains(d.Operators, r.name) {
		d.Operators = append(d.Operators, r.name)
	}
	if err := o.gather(r, inputs, outputs); err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	if (kind != 0 || o.options.pos != 0 || !r.optional) && (kind != r.options || o.options.pos == 0) {
		return fmt.Errorf("%s: options of kind %d, want %d: %w", r.name, kind, r.options, ErrDamaged)
	}
	if err := r.check(o); err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	if c.work += o.work; c.work > maxWork {
		return fmt.Errorf("%s: more than %d multiplications a frame: %w", r.name, int64(maxWork), ErrUnsupported)
	}
	d.perChannelDense = d.perChannelDense || code.builtin == 9 && len(o.in[1].scales) > 1
	return c.f.err
}

// gather finds the tensors: inputs that something computed, outputs that
// nothing did.
func (o *call) gather(r rule, inputs, outputs []int) error {
	if len(inputs) < r.inputs[0] || len(inputs) > r.inputs[1] || len(outputs) < r.outputs[0] || len(outputs) > r.outputs[1] {
		return fmt.Errorf("%d inputs and %d outputs: %w", len(inputs), len(outputs), ErrDamaged)
	}
	for k, i := range inputs {
		switch {
		case i == -1 && k == 2 && r.inputs == [2]int{2, 3}: // the bias may be left out
			o.in = append(o.in, nil)
		case i < 0 || i >= len(o.c.tensors) || !o.c.tensors[i].defined:
			return fmt.Errorf("reads tensor %d of %d, which nothing computes: %w", i, len(o.c.tensors), ErrDamaged)
		default:
			o.c.tensors[i].used = true
			o.in = append(o.in, &o.c.tensors[i])
		}
	}
	for _, i := range outputs {
		if i < 0 || i >= len(o.c.tensors) || o.c.tensors[i].defined {
			return fmt.Errorf("writes tensor %d of %d: %w", i, len(o.c.tensors), ErrDamaged)
		}
		o.c.tensors[i].defined = true
		o.out = append(o.out, &o.c.tensors[i])
	}
	return nil
}

// shaped checks that output k has the shape that the operator gives it.
func (o *call) shaped(k int, want ...int) error {
	if !slices.Equal(o.out[k].Shape, want) {
		return fmt.Errorf("gives shape %v, the file says %v: %w", want, o.out[k].Shape, ErrDamaged)
	}
	return nil
}

// activations checks that all tensors are of one type that networks compute
// in, and that quantised ones have a scale.
func (o *call) activations(list ...*tensor) error {
	for _, t := range list {
		switch {
		case t.Type != list[0].Type:
			return fmt.Errorf("mixes %v and %v: %w", list[0].Type, t.Type, ErrUnsupported)
		case t.Type == Float32:
		case t.Type != Int8 && t.Type != UInt8:
			return fmt.Errorf("computes in %v: %w", t.Type, ErrUnsupported)
		case len(t.scales) != 1:
			return fmt.Errorf("%v with %d scales, want 1: %w", t.Type, len(t.scales), ErrDamaged)
		}
	}
	return nil
}

// sameScale is for what copies or picks elements.
func (o *call) sameScale(a, b *tensor) error {
	if a.Type != Float32 && (a.Scale != b.Scale || a.ZeroPoint != b.ZeroPoint) {
		return fmt.Errorf("scale %g becomes %g: %w", a.Scale, b.Scale, ErrDamaged)
	}
	return nil
}

// ratio checks a rescaling factor of quantised values: the kernels represent
// it as a 31-bit fraction and a shift, within bounds that some only assert.
func ratio(f float64) error {
	if !(f >= 0x1p-31 && f < 256) {
		return fmt.Errorf("rescales by %g: %w", f, ErrDamaged)
	}
	return nil
}

// numbers reads a constant of int32 or int64, such as a list of axes.
func (o *call) numbers(k int) ([]int, error) {
	t := o.in[k]
	if t == nil || !t.constant() || len(t.Shape) > 1 || t.Type != Int32 && t.Type != Int64 {
		return nil, fmt.Errorf("input %d is no constant list of integers: %w", k, ErrUnsupported)
	}
	list := make([]int, t.Len())
	for i := range list {
		if t.Type == Int32 {
			list[i] = int(int32(binary.LittleEndian.Uint32(t.data[4*i:])))
		} else {
			v := int64(binary.LittleEndian.Uint64(t.data[8*i:]))
			if v != int64(int32(v)) {
				return nil, fmt.Errorf("input %d has %d: %w", k, v, ErrDamaged)
			}
			list[i] = int(v)
		}
	}
	return list, nil
}

// activation checks a fused activation function: none, or one that clips.
func activation(kind int) error {
	if kind < 0 || kind > 3 {
		return fmt.Errorf("activation %d: %w", kind, ErrUnsupported)
	}
	return nil
}

func axisOf(axis, rank int) (int, error) {
	if axis < -rank || axis >= rank {
		return 0, fmt.Errorf("axis %d of %d: %w", axis, rank, ErrDamaged)
	}
	return (axis + rank) % rank, nil
}

func unary(o *call) error {
	x, y := o.in[0], o.out[0]
	if err := o.activations(x, y); err != nil {
		return err
	}
	if x.Type != Float32 {
		if err := ratio(float64(x.Scale) / float64(y.Scale)); err != nil {
			return err
		}
	}
	return o.shaped(0, x.Shape...)
}

// tabled is for what the kernels look up in a table of 256 results, made in
// float: a large network's swish may take values beyond 128 (scale 1) to the
// scale of 1/256 that a sigmoid's result has.
func tabled(o *call) error {
	if err := o.activations(o.in[0], o.out[0]); err != nil {
		return err
	}
	return o.shaped(0, o.in[0].Shape...)
}

func floatUnary(o *call) error {
	if t := o.in[0].Type; t != Float32 {
		return fmt.Errorf("computes in %v, want float32: %w", t, ErrUnsupported)
	}
	return unary(o)
}

func leakyRelu(o *call) error {
	alpha := float64(o.options.f32(0))
	if !(math.Abs(alpha) < 128) {
		return fmt.Errorf("slope %g: %w", alpha, ErrDamaged)
	}
	if o.in[0].Type != Float32 && alpha != 0 {
		if err := ratio(math.Abs(alpha) * float64(o.in[0].Scale) / float64(o.out[0].Scale)); err != nil {
			return err
		}
	}
	return unary(o)
}

func softmax(o *call) error {
	x, beta := o.in[0], float64(o.options.f32(0))
	if !(beta >= 0x1p-8 && beta <= 256) || len(x.Shape) < 1 || len(x.Shape) > 4 {
		return fmt.Errorf("beta %g over %v: %w", beta, x.Shape, ErrDamaged)
	}
	// SOFTMAX and its table are built for a scale of 2^-26/beta at the least.
	if x.Type != Float32 && !(x.Scale >= 0x1p-17 && x.Scale <= 0x1p10) {
		return fmt.Errorf("scale %g: %w", x.Scale, ErrDamaged)
	}
	return unary(o)
}

// broadcast checks the two operands of an elementwise operator.
func broadcast(o *call) error {
	a, b, y := o.in[0], o.in[1], o.out[0]
	if a.constant() && b.constant() {
		return fmt.Errorf("computes from constants only: %w", ErrUnsupported)
	}
	if err := o.activations(a, b, y); err != nil {
		return err
	}
	rank := max(len(a.Shape), len(b.Shape))
	if rank > 4 && !slices.Equal(a.Shape, b.Shape) {
		return fmt.Errorf("broadcasts over %d dimensions, the limit is 4: %w", rank, ErrUnsupported)
	}
	want := make([]int, rank)
	for k := range want {
		m, n := 1, 1
		if i := k - (rank - len(a.Shape)); i >= 0 {
			m = a.Shape[i]
		}
		if i := k - (rank - len(b.Shape)); i >= 0 {
			n = b.Shape[i]
		}
		if m != n && m != 1 && n != 1 {
			return fmt.Errorf("shapes %v and %v do not fit: %w", a.Shape, b.Shape, ErrDamaged)
		}
		want[k] = max(m, n)
	}
	return o.shaped(0, want...)
}

func add(o *call) error {
	if err := broadcast(o); err != nil {
		return err
	}
	if y := o.out[0]; y.Type != Float32 {
		for _, x := range o.in {
			if err := ratio(float64(x.Scale) / float64(y.Scale)); err != nil {
				return err
			}
		}
	}
	return activation(o.options.i8(0, 0))
}

func mul(o *call) error {
	if err := broadcast(o); err != nil {
		return err
	}
	if y := o.out[0]; y.Type != Float32 {
		if err := ratio(float64(o.in[0].Scale) * float64(o.in[1].Scale) / float64(y.Scale)); err != nil {
			return err
		}
	}
	return activation(o.options.i8(0, 0))
}

func floatBinary(o *call) error {
	if t := o.in[0].Type; t != Float32 {
		return fmt.Errorf("computes in %v, want float32: %w", t, ErrUnsupported)
	}
	if err := broadcast(o); err != nil {
		return err
	}
	return activation(o.options.i8(0, 0)) // absent, and 0, in all but DIV
}

func prelu(o *call) error {
	if !o.in[1].constant() {
		return fmt.Errorf("its slopes are computed: %w", ErrUnsupported)
	}
	if err := mul(o); err != nil {
		return err
	}
	if o.in[0].Type != Float32 {
		if err := ratio(float64(o.in[0].Scale) / float64(o.out[0].Scale)); err != nil {
			return err
		}
	}
	return o.shaped(0, o.in[0].Shape...)
}

func quantize(o *call) error {
	x, y := o.in[0], o.out[0]
	if x.Type == Float32 {
		x = y // only the result has a scale
	}
	if err := o.activations(x); err != nil {
		return err
	}
	if err := o.activations(y); err != nil || y.Type == Float32 {
		return fmt.Errorf("from %v to %v: %w", o.in[0].Type, y.Type, ErrUnsupported)
	}
	if err := ratio(float64(x.Scale) / float64(y.Scale)); err != nil {
		return err
	}
	return o.shaped(0, o.in[0].Shape...)
}

func dequantize(o *call) error {
	x, y := o.in[0], o.out[0]
	if y.Type != Float32 || x.Type == Float32 {
		return fmt.Errorf("from %v to %v: %w", x.Type, y.Type, ErrUnsupported)
	}
	if x.Type != Float16 {
		if err := o.activations(x); err != nil {
			return err
		}
	} else if !x.constant() {
		return fmt.Errorf("computes in float16: %w", ErrUnsupported)
	}
	y.fixed = x.constant()
	return o.shaped(0, x.Shape...)
}
