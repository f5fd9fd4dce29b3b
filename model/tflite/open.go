package tflite

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"mien/model/assets"
)

// Backends are those that this build has, whether their libraries are here or not.
func Backends() []string {
	list := []string{LiteRT, TFLite}
	if hasGoTFLite {
		list = append(list, GoTFLite)
	}
	return list
}

// core is what the interpreters of all backends share.
type core struct {
	inputs, outputs []Tensor
	backend, reason string
	lost            []string // what was tried and given up on the way
}

func (c *core) Inputs() []Tensor  { return c.inputs }
func (c *core) Outputs() []Tensor { return c.outputs }
func (c *core) Backend() string   { return c.backend }

func (c *core) why() string {
	return strings.Join(append([]string{c.reason}, c.lost...), "; ")
}

func (c *core) base() *core { return c }

// drop clears the tensors, so that nobody reads freed memory through them.
func (c *core) drop() {
	for _, list := range [][]Tensor{c.inputs, c.outputs} {
		for i := range list {
			list[i].Data = nil
		}
	}
}

// opened is an Interpreter of this package.
type opened interface {
	Interpreter
	base() *core
}

// Open loads a model. Unless Options.InPlace says otherwise the bytes are copied,
// and the caller may drop them.
//
// With Options.Backend Auto it takes LiteRT, unless an Edge TPU is asked for
// and there, or LiteRT cannot be loaded: then the C API. Why tells. An error
// names the model or the library and the way out; see the Err values.
func Open(model []byte, o Options) (Interpreter, error) {
	if o.Name == "" {
		o.Name = "model"
	}
	if o.Threads == 0 {
		o.Threads = 1
	}
	if o.Threads < 0 || o.Threads > 64 {
		return nil, fmt.Errorf("open %s: %d threads, want 1 to 64: %w", o.Name, o.Threads, ErrOptions)
	}
	d, err := Check(o.Name, model)
	if err != nil {
		return nil, fmt.Errorf("open %w", err)
	}
	if len(o.Input) > 0 && !slices.Equal(o.Input, d.Inputs[0].Shape) {
		return nil, fmt.Errorf("open %s: its input is %v, wanted is %v: take the model that belongs to the card: %w",
			o.Name, d.Inputs[0].Shape, o.Input, ErrShape)
	}
	if foreign(model, &o) {
		if err := try(model, &o); err != nil {
			return nil, fmt.Errorf("open %s: %w", o.Name, err)
		}
	}
	n, err := choose(model, d, &o)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", o.Name, err)
	}
	if o.Answer == nil {
		return n, nil
	}
	err = verify(n, o.Answer)
	if err == nil {
		return n, nil
	}
	onTPU := accelerated(n)
	n.Close()
	if !onTPU || d.EdgeTPU {
		return nil, fmt.Errorf("open %s: %w", o.Name, err)
	}
	o.EdgeTPU = false
	n, onCPU := choose(model, d, &o)
	if onCPU != nil {
		return nil, fmt.Errorf("open %s: %w", o.Name, onCPU)
	}
	if onCPU := verify(n, o.Answer); onCPU != nil {
		n.Close()
		return nil, fmt.Errorf("open %s: %w", o.Name, onCPU)
	}
	c := n.base()
	c.lost = append(c.lost, "the edge tpu is not used: "+err.Error())
	return n, nil
}

func verify(n Interpreter, a *Answer) error {
	if err := CheckAnswer(n, *a); err != nil {
		return err
	}
	if err := CheckVaries(n); err != nil {
		return err
	}
	for _, in := range n.Inputs() {
		clear(in.Data)
	}
	return nil
}

// choose opens the model with the backend that the options lead to.
func choose(model []byte, d *Description, o *Options) (opened, error) {
	switch o.Backend {
	case "", Auto, TFLite:
	case LiteRT, GoTFLite:
		if o.EdgeTPU {
			return nil, fmt.Errorf("the backend %s cannot use an edge tpu, tflite can: %w", o.Backend, ErrOptions)
		}
	default:
		return nil, fmt.Errorf("backend %q: want auto, litert, tflite or gotflite: %w", o.Backend, ErrOptions)
	}
	var tpu *edgeTPU
	var lost []string
	if o.EdgeTPU {
		var err error
		if tpu, err = openEdgeTPU(o.Delegate); err != nil {
			lost = append(lost, err.Error())
		} else if !d.EdgeTPU {
			lost = append(lost, "the model was not compiled for it by edgetpu_compiler, so that the CPU does most of the work")
		}
	}
	if d.EdgeTPU && tpu == nil {
		return nil, fmt.Errorf("it was compiled for an edge tpu%s: take the same network's file from before edgetpu_compiler, or plug one in and set model.accelerator = \"edgetpu\": %w",
			reasons(lost), ErrNeedsEdgeTPU)
	}
	if o.Backend == GoTFLite {
		if d.perChannelDense {
			return nil, errPerChannelDense
		}
		n, err := openGoTFLite(model, o, d)
		if err != nil {
			return nil, err
		}
		n.base().reason = "the configuration says gotflite"
		return n, nil
	}
	lib, reason, err := chooseLibrary(o, tpu != nil)
	if err != nil {
		if tpu != nil {
			tpu.free()
		}
		return nil, err
	}
	var n opened
	switch {
	case lib.kind == LiteRT && tpu != nil:
		tpu.free()
		return nil, fmt.Errorf("%s is litert, which cannot use an edge tpu: name the tflite library: %w", lib.path, ErrOptions)
	case lib.kind == LiteRT:
		n, err = openLiteRT(lib.litert, model, o, d)
	case d.perChannelDense && !d.EdgeTPU:
		if tpu != nil {
			tpu.free()
		}
		return nil, errPerChannelDense
	default:
		n, err = openCAPI(lib.capi, model, o, d, tpu)
	}
	if err != nil {
		return nil, err
	}
	c := n.base()
	c.reason, c.lost = reason, append(lost, c.lost...)
	return n, nil
}

// accelerated reports whether an accelerator computes part of the network.
func accelerated(n Interpreter) bool {
	a, ok := n.(interface{ accelerated() bool })
	return ok && a.accelerated()
}

// errPerChannelDense: 2.9.0 takes dense layers with a scale for each row for
// dense layers with one, and answers nonsense without a word.
var errPerChannelDense = fmt.Errorf("its dense layers have a scale for each row, which the tensorflow lite C API computes wrongly: use litert, or convert with _experimental_disable_per_channel_quantization_for_dense_layers: %w", ErrUnsupported)

func reasons(lost []string) string {
	if len(lost) == 0 {
		return ""
	}
	return " (" + strings.Join(lost, "; ") + ")"
}

// chooseLibrary opens the library that the options lead to, and says why it
// is that one.
func chooseLibrary(o *Options, tpu bool) (*library, string, error) {
	named := o.Backend == LiteRT || o.Backend == TFLite
	if o.Library != "" {
		lib, err := openLibrary("", o.Library)
		if err != nil {
			return nil, "", err
		}
		if named && lib.kind != o.Backend {
			return nil, "", fmt.Errorf("%s is %s, but the backend asked for is %s: %w", o.Library, lib.kind, o.Backend, ErrOptions)
		}
		reason := "the configuration names " + o.Library
		if !lib.known {
			reason += ", which mien was not made with: it was tried first, and nobody has tested it"
		}
		return lib, reason, nil
	}
	if named {
		lib, err := findLibrary(o.Backend)
		return lib, "the configuration says " + o.Backend, err
	}
	if tpu {
		lib, err := findLibrary(TFLite)
		return lib, "an edge tpu is used", err
	}
	lib, err := findLibrary(LiteRT)
	if err == nil {
		return lib, "the default", nil
	}
	lib, err2 := findLibrary(TFLite)
	if err2 == nil {
		return lib, "litert cannot be loaded: " + err.Error(), nil
	}
	return nil, "", errors.Join(err, err2)
}

// findLibrary opens a backend's own library where assets finds it.
func findLibrary(backend string) (*library, error) {
	name := assets.LiteRT
	if backend == TFLite {
		name = assets.TFLiteC
	}
	path, err := assets.Find(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrLibrary)
	}
	lib, err := openLibrary(name, path)
	if err != nil {
		return nil, err
	}
	if lib.kind != backend {
		return nil, fmt.Errorf("open %s: it is %s under another name: %w", path, lib.kind, ErrLibrary)
	}
	return lib, nil
}

// sameTensor compares a library's view of a tensor with the file's.
func sameTensor(want *Tensor, kind ElementType, shape []int) error {
	if kind != want.Type || !slices.Equal(shape, want.Shape) {
		return fmt.Errorf("is %v %v where the file says %v %v: %w", kind, shape, want.Type, want.Shape, ErrRefused)
	}
	return nil
}

func sameSize(t *Tensor) error {
	if want := t.Len() * t.Type.Size(); len(t.Data) != want {
		return fmt.Errorf("has %d bytes, want %d: %w", len(t.Data), want, ErrRefused)
	}
	return nil
}
