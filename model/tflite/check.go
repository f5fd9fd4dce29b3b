package tflite

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Description is what Check read of a model.
type Description struct {
	Inputs  []Tensor // without Data
	Outputs []Tensor // without Data
	EdgeTPU bool     // compiled for an Edge TPU: cannot run without one

	perChannelDense bool // dense layers with a scale for each row
}

// MaxFile is how many bytes a model's file may have.
const MaxFile = 256 << 20

// Limits of a model that a small board can be asked to run.
const (
	maxTensors   = 1 << 16
	maxRank      = 6
	maxTensor    = 64 << 20  // bytes of one tensor
	maxAllTensor = 256 << 20 // bytes of all that are computed, together
)

// edgeTPUOp is the operator that Coral's compiler packs a network into.
const edgeTPUOp = "edgetpu-custom-op"

// Check reads a model's graph without running it: that it is a TensorFlow Lite
// file, that every offset that leads to a tensor stays inside, that the graph is
// one, and that its operators read what inputs, constants or operators before
// them give. What an operator asks of its tensors is for the library to say: Open
// tries a foreign model in a process of its own. The name is for the errors,
// which wrap ErrForeign, ErrDamaged or ErrUnsupported.
//
// Source: tensorflow/lite/schema/schema.fbs, version 3.
func Check(name string, model []byte) (*Description, error) {
	if name == "" {
		name = "model"
	}
	d, err := check(model)
	if err != nil {
		return nil, fmt.Errorf("%s: %w%s", name, err, wayOut(err))
	}
	return d, nil
}

func check(model []byte) (*Description, error) {
	if err := checkKind(model); err != nil {
		return nil, err
	}
	c := &checker{f: &flatbuffer{data: model}}
	d, err := c.model()
	if c.f.err != nil { // the first fault explains what follows from it
		return nil, c.f.err
	}
	return d, err
}

// checkKind tells a TensorFlow Lite file by its identifier, and names what
// people give instead.
func checkKind(model []byte) error {
	is := func(prefix string) bool { return bytes.HasPrefix(model, []byte(prefix)) }
	switch {
	case len(model) == 0:
		return fmt.Errorf("the file is empty: %w", ErrForeign)
	case len(model) > MaxFile:
		return fmt.Errorf("%d bytes, the limit is %d: %w", len(model), MaxFile, ErrUnsupported)
	case len(model) >= 8 && string(model[4:8]) == "TFL3":
		return nil
	case is("version https://git-lfs"):
		return fmt.Errorf("it is a git-lfs pointer, fetch the file itself: %w", ErrForeign)
	case is("<"):
		return fmt.Errorf("it is a web page, the download went wrong: %w", ErrForeign)
	case is("PK\x03\x04"):
		return fmt.Errorf("it is a zip archive (a .keras or .pt file?), convert it first: %w", ErrForeign)
	case is("\x89HDF"):
		return fmt.Errorf("it is an HDF5 file (Keras weights?), convert it first: %w", ErrForeign)
	case is("\x7fELF"):
		return fmt.Errorf("it is a program or library: %w", ErrForeign)
	case len(model) >= 8 && string(model[4:7]) == "TFL":
		return fmt.Errorf("tensorflow lite schema %q, want TFL3: %w", model[4:8], ErrForeign)
	case model[0] == 0x08 && bytes.Contains(model[:min(len(model), 256)], []byte("pytorch")):
		return fmt.Errorf("it looks like an ONNX file, convert it first: %w", ErrForeign)
	}
	return fmt.Errorf("it lacks the mark TFL3: %w", ErrForeign)
}

// wayOut ends an error about a model with what to do.
func wayOut(err error) string {
	if strings.Contains(err.Error(), ErrDamaged.Error()) {
		return " (copy it again and compare its SHA-256 with the model card's)"
	}
	return ""
}

// checker walks one model.
type checker struct {
	f       *flatbuffer
	buffers [][]byte
	codes   []opcode
	tensors []tensor
	total   int // bytes of all computed tensors
}

type opcode struct {
	builtin int
	custom  string
	version int
}

// tensor is one tensor of the graph.
type tensor struct {
	Tensor
	scales   int  // how many: more than one where each channel has its own
	constant bool // its elements are in the file
	defined  bool // constant, input, or output of an operator that came before
}

func (c *checker) model() (*Description, error) {
	root := c.f.table(c.f.offset(0))
	if v := root.u32(0, 0); c.f.err == nil && v != 3 {
		return nil, fmt.Errorf("schema version %d, want 3: %w", v, ErrUnsupported)
	}
	if err := c.readBuffers(root); err != nil {
		return nil, err
	}
	for i, t := range root.tables(1) {
		code := opcode{builtin: max(t.i8(0, 0), t.i32(3, 0)), custom: t.text(1), version: t.i32(2, 1)}
		if code.builtin < 0 || code.version < 1 {
			return nil, fmt.Errorf("operator code %d: number %d version %d: %w", i, code.builtin, code.version, ErrDamaged)
		}
		c.codes = append(c.codes, code)
	}
	graphs := root.tables(2)
	if c.f.err != nil {
		return nil, c.f.err
	}
	if len(graphs) == 0 {
		return nil, fmt.Errorf("it holds no network: %w", ErrDamaged)
	}
	if len(graphs) > 1 {
		return nil, fmt.Errorf("%d graphs, it has loops or branches; want one plain network: %w", len(graphs), ErrUnsupported)
	}
	d := new(Description)
	if err := c.graph(graphs[0], d); err != nil {
		return nil, err
	}
	if err := c.signatures(root, graphs[0].ints(1), graphs[0].ints(2)); err != nil {
		return nil, err
	}
	if root.vector(8, 4).n+root.vector(9, 4).n > 0 {
		return nil, fmt.Errorf("its weights are in another file: %w", ErrUnsupported)
	}
	return d, c.f.err
}

func (c *checker) readBuffers(root table) error {
	for i, t := range root.tables(4) {
		if t.u64(1) > 1 || t.u64(2) > 1 {
			return fmt.Errorf("buffer %d is behind the flatbuffer, where the C API cannot read it; write the weights into it: %w", i, ErrUnsupported)
		}
		c.buffers = append(c.buffers, t.bytes(0))
	}
	return c.f.err
}

// signatures checks that the named entry points are the graph's own. LiteRT
// runs the first.
func (c *checker) signatures(root table, inputs, outputs []int) error {
	for i, sig := range root.tables(7) {
		if g := sig.u32(4, 0); g != 0 {
			return fmt.Errorf("signature %d is of graph %d: %w", i, g, ErrDamaged)
		}
		if sig.text(2); sig.field(2, 4) == 0 {
			return fmt.Errorf("signature %d has no name: %w", i, ErrDamaged)
		}
		for slot, want := range [][]int{inputs, outputs} {
			names := map[string]bool{}
			var seen []int
			for _, m := range sig.tables(slot) {
				name, index := m.text(0), m.u32(1, 0)
				if m.field(0, 4) == 0 || names[name] || !slices.Contains(want, index) || slices.Contains(seen, index) {
					return fmt.Errorf("signature %d names tensor %d %q: %w", i, index, name, ErrDamaged)
				}
				names[name], seen = true, append(seen, index)
			}
			if len(seen) != len(want) {
				return fmt.Errorf("signature %d names %d tensors of %d: %w", i, len(seen), len(want), ErrDamaged)
			}
		}
	}
	return c.f.err
}

// graph reads the tensors and walks the operators in their order.
func (c *checker) graph(g table, d *Description) error {
	list := g.tables(0)
	if len(list) > maxTensors {
		return fmt.Errorf("%d tensors, the limit is %d: %w", len(list), maxTensors, ErrUnsupported)
	}
	for i, t := range list {
		read, err := c.tensor(t)
		if err != nil {
			return fmt.Errorf("tensor %d: %w", i, err)
		}
		c.tensors = append(c.tensors, read)
	}
	g.text(4)
	inputs, outputs := g.ints(1), g.ints(2)
	if c.f.err != nil {
		return c.f.err
	}
	if len(inputs) == 0 || len(outputs) == 0 {
		return fmt.Errorf("%d inputs and %d outputs: %w", len(inputs), len(outputs), ErrDamaged)
	}
	for k, i := range inputs {
		if i < 0 || i >= len(c.tensors) || c.tensors[i].constant || c.tensors[i].defined {
			return fmt.Errorf("input %d is tensor %d of %d: %w", k, i, len(c.tensors), ErrDamaged)
		}
		c.tensors[i].defined = true
		d.Inputs = append(d.Inputs, c.tensors[i].Tensor)
	}
	for k, op := range g.tables(3) {
		if err := c.operator(op, d); err != nil {
			return fmt.Errorf("operator %d: %w", k, err)
		}
	}
	for k, i := range outputs {
		if i < 0 || i >= len(c.tensors) || c.tensors[i].constant || !c.tensors[i].defined || slices.Contains(outputs[:k], i) || slices.Contains(inputs, i) {
			return fmt.Errorf("output %d is tensor %d of %d, which nothing computes: %w", k, i, len(c.tensors), ErrDamaged)
		}
		d.Outputs = append(d.Outputs, c.tensors[i].Tensor)
	}
	for _, ends := range [][]Tensor{d.Inputs, d.Outputs} {
		names := map[string]bool{}
		for _, t := range ends {
			if t.Type != Float32 && t.Type != Int8 && t.Type != UInt8 {
				return fmt.Errorf("%s is %v, want float32, int8 or uint8 at the network's ends: %w", t.Name, t.Type, ErrUnsupported)
			}
			if names[t.Name] { // LiteRT finds them by name
				return fmt.Errorf("two inputs or two outputs are named %q: %w", t.Name, ErrUnsupported)
			}
			names[t.Name] = true
		}
	}
	return c.f.err
}

// The operators that Check tells from others.
const (
	fullyConnected = 9
	customOperator = 32
)

// operator checks where one operator reads and writes, and marks what it
// computes.
func (c *checker) operator(op table, d *Description) error {
	index := op.u32(0, 0)
	if c.f.err == nil && index >= len(c.codes) {
		return fmt.Errorf("code %d of %d: %w", index, len(c.codes), ErrDamaged)
	}
	inputs, outputs := op.ints(1), op.ints(2)
	if c.f.err != nil {
		return c.f.err
	}
	code := c.codes[index]
	if code.builtin == customOperator {
		if code.custom != edgeTPUOp {
			return fmt.Errorf("custom operator %q, which no library here has: convert the network without it: %w", code.custom, ErrUnsupported)
		}
		d.EdgeTPU = true
	}
	for k, i := range inputs {
		if i == -1 && k == 2 { // a bias that is left out
			continue
		}
		if i < 0 || i >= len(c.tensors) || !c.tensors[i].defined {
			return fmt.Errorf("reads tensor %d of %d, which nothing computes: %w", i, len(c.tensors), ErrDamaged)
		}
	}
	for _, i := range outputs {
		if i < 0 || i >= len(c.tensors) || c.tensors[i].defined {
			return fmt.Errorf("writes tensor %d of %d: %w", i, len(c.tensors), ErrDamaged)
		}
		c.tensors[i].defined = true
	}
	if code.builtin == fullyConnected && len(inputs) > 1 && inputs[1] >= 0 {
		d.perChannelDense = d.perChannelDense || c.tensors[inputs[1]].scales > 1
	}
	return c.f.err
}

// elementTypes gives TfLiteType and size for the schema's TensorType.
var elementTypes = map[int]struct {
	lite ElementType
	size int
}{
	0: {Float32, 4}, 1: {Float16, 2}, 2: {Int32, 4}, 3: {UInt8, 1}, 4: {Int64, 8}, 6: {Bool, 1}, 7: {Int16, 2}, 9: {Int8, 1},
}

func (c *checker) tensor(t table) (tensor, error) {
	r := tensor{Tensor: Tensor{Shape: t.ints(0), Name: t.text(3)}}
	kind, ok := elementTypes[t.i8(1, 0)]
	if !ok {
		return r, fmt.Errorf("element type %d of the schema: %w", t.i8(1, 0), ErrUnsupported)
	}
	r.Type = kind.lite
	if len(r.Shape) > maxRank {
		return r, fmt.Errorf("%d dimensions, the limit is %d: %w", len(r.Shape), maxRank, ErrUnsupported)
	}
	size := kind.size
	for _, n := range r.Shape {
		if n < 1 || n > maxTensor/size {
			return r, fmt.Errorf("shape %v: %w", r.Shape, ErrDamaged)
		}
		size *= n
	}
	if sig := t.ints(7); len(sig) > 0 {
		if len(sig) != len(r.Shape) {
			return r, fmt.Errorf("shape %v but signature %v: %w", r.Shape, sig, ErrDamaged)
		}
		for k, n := range sig {
			if n != -1 && n != r.Shape[k] {
				return r, fmt.Errorf("shape %v but signature %v: %w", r.Shape, sig, ErrDamaged)
			}
		}
	}
	if t.u8(5, 0) != 0 {
		return r, fmt.Errorf("it keeps state between frames: %w", ErrUnsupported)
	}
	if t.field(6, 4) != 0 {
		return r, fmt.Errorf("its weights are sparse: %w", ErrUnsupported)
	}
	if t.vector(9, 4).n != 0 || t.u32(10, 0) != 0 {
		return r, fmt.Errorf("variant or external tensor: %w", ErrUnsupported)
	}
	buffer := t.u32(2, 0)
	if buffer != 0 && buffer >= len(c.buffers) {
		return r, fmt.Errorf("buffer %d of %d: %w", buffer, len(c.buffers), ErrDamaged)
	}
	if buffer != 0 && len(c.buffers[buffer]) > 0 {
		r.constant, r.defined = true, true
		if has := len(c.buffers[buffer]); has != size {
			return r, fmt.Errorf("shape %v of %v needs %d bytes, the file has %d: %w", r.Shape, r.Type, size, has, ErrDamaged)
		}
	} else if c.total += size; c.total > maxAllTensor {
		return r, fmt.Errorf("the network needs more than %d MiB to run: %w", maxAllTensor>>20, ErrUnsupported)
	}
	return r, c.quantisation(t.table(4), &r)
}

// quantisation reads QuantizationParameters: one scale and zero point for the
// tensor, or one each for every slice along an axis.
func (c *checker) quantisation(q table, t *tensor) error {
	if q.pos == 0 {
		return c.f.err
	}
	q.floats(0)
	q.floats(1)
	scales, zeros, axis := q.floats(2), q.longs(3), q.i32(6, 0)
	if c.f.err != nil {
		return c.f.err
	}
	if q.u8(4, 0) != 0 {
		return fmt.Errorf("quantised in a way of its own: %w", ErrUnsupported)
	}
	if len(scales) == 0 {
		return nil
	}
	if len(zeros) != len(scales) {
		return fmt.Errorf("%d scales but %d zero points: %w", len(scales), len(zeros), ErrDamaged)
	}
	if n := len(scales); n > 1 && (axis < 0 || axis >= len(t.Shape) || t.Shape[axis] != n) {
		return fmt.Errorf("%d scales along axis %d of %v: %w", n, axis, t.Shape, ErrDamaged)
	}
	lo, hi := int64(0), int64(0)
	switch t.Type {
	case Int8:
		lo, hi = math.MinInt8, math.MaxInt8
	case UInt8:
		hi = math.MaxUint8
	}
	for i, s := range scales {
		if !(s > 0) || s > math.MaxFloat32/2 || zeros[i] < lo || zeros[i] > hi {
			return fmt.Errorf("scale %g, zero point %d for %v: %w", s, zeros[i], t.Type, ErrDamaged)
		}
	}
	if t.scales = len(scales); t.scales == 1 {
		t.Scale, t.ZeroPoint = scales[0], int(zeros[0])
	}
	return nil
}
