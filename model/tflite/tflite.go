// Package tflite runs TensorFlow Lite networks through a library opened at run
// time, without cgo.
//
// Two libraries are understood and told apart by what they export: LiteRT
// (libLiteRt.so, the default) and the TensorFlow Lite C API
// (libtensorflowlite_c.so, for an Edge TPU and for older systems). A third
// backend, github.com/mattn/go-tflite, is compiled in by the build tag
// gotflite, which needs cgo. On int8 networks of convolutions, additions and
// poolings, which XNNPACK computes whole, all give the same results to the bit,
// on amd64 and arm64; operators that XNNPACK leaves to a library's own kernels
// may be a step off between them.
//
//	net, err := tflite.Open(model, tflite.Options{Name: "affect.tflite"})
//	if err != nil {
//		return err
//	}
//	defer net.Close()
//	copy(net.Inputs()[0].Data, pixels)
//	if err := net.Invoke(); err != nil {
//		return err
//	}
//	scores := net.Outputs()[0].Int8()
//
// A library written in C cannot report every damaged file as an error; some it
// would follow into a crash. Open therefore tries a network, or a library, that
// mien was not made with in a process of its own first (trial.go): the same
// program, confined, bounded in time and memory. There a crash is a refusal.
//
// Each library says once, on standard error, that it created its XNNPACK
// delegate; its interface has nothing to turn that off.
package tflite

import (
	"errors"
	"fmt"
	"unsafe"
)

// Interpreter holds one loaded network. It may be used from any goroutine, but
// by one at a time. Invoke allocates nothing.
type Interpreter interface {
	// Inputs are the network's inputs, in the model's order. Write to their
	// Data before Invoke.
	Inputs() []Tensor
	// Outputs are the network's outputs, in the model's order. Their Data is
	// defined after Invoke, until the next one.
	Outputs() []Tensor
	// Invoke computes the outputs from the inputs.
	Invoke() error
	// Backend names the library, its version and what computes, such as
	// "litert, xnnpack" or "tflite 2.9.0, edge tpu + xnnpack".
	Backend() string
	// Close frees the network and its tensors; their Data must not be touched
	// afterwards. The second Close does nothing.
	Close() error
}

// Backends that Options names.
const (
	Auto     = "auto"     // LiteRT, or the C API where LiteRT cannot serve
	LiteRT   = "litert"   // LiteRT 2.3.0
	TFLite   = "tflite"   // TensorFlow Lite C API 2.9.0
	GoTFLite = "gotflite" // github.com/mattn/go-tflite, only in a build with the tag gotflite
)

// Options say how a network is opened. The zero value is a sane choice: the
// default backend on one thread.
type Options struct {
	// Name is the model's file name, for errors. Empty: "model".
	Name string
	// Backend is Auto (or empty), LiteRT, TFLite or GoTFLite.
	Backend string
	// Library is the path of the library to open. Empty: the backend's own
	// file, as assets.Find finds it. With Auto its kind is told by its symbols.
	Library string
	// Threads the network may use, 1 to 64; 0 is 1. More than one is rarely
	// worth it on a shared processor: the slowest frames become much slower.
	Threads int
	// EdgeTPU asks for a Coral Edge TPU where one is plugged in. Without one,
	// or when it refuses the model or fails Answer, the CPU computes and Why
	// says so.
	EdgeTPU bool
	// Delegate is the path of the Edge TPU library. Empty: libedgetpu.so.1.
	Delegate string
	// InPlace: the model's bytes are never written, moved or freed, as those
	// that are embedded in the program never are. They are then not copied.
	InPlace bool
	// Input, if set, is the shape that input 0 must have, such as
	// 1, 112, 112, 1. Another one is ErrShape.
	Input []int
	// Waiting, if set, is called ten times a second while a foreign network is
	// tried, which may take as long as trialTime: for a caller who has to show a
	// watchdog that he does not hang.
	Waiting func()
	// Answer, if set, is checked before Open returns (CheckAnswer and
	// CheckVaries). An accelerator that fails it is not used.
	Answer *Answer
}

// Errors that a caller decides on; Open's errors wrap one of them, or
// fs.ErrNotExist.
var (
	// ErrForeign: the bytes are not a TensorFlow Lite model.
	ErrForeign = errors.New("not a tensorflow lite model")
	// ErrDamaged: a TensorFlow Lite model, but cut short or malformed.
	ErrDamaged = errors.New("damaged model")
	// ErrUnsupported: the model uses an operator or a tensor type that no
	// backend here runs.
	ErrUnsupported = errors.New("unsupported model")
	// ErrNeedsEdgeTPU: the model was compiled for an Edge TPU and none serves.
	ErrNeedsEdgeTPU = errors.New("model needs an edge tpu")
	// ErrShape: an input has another shape than Options.Input.
	ErrShape = errors.New("input has another shape")
	// ErrLibrary: no library could be loaded, or it is not one of ours.
	ErrLibrary = errors.New("no usable tensorflow lite library")
	// ErrOptions: the options ask for what does not exist or does not fit.
	ErrOptions = errors.New("bad options")
	// ErrRefused: the library refused a model that Check found well formed, or
	// crashed, hung or ran out of memory with it when it was tried.
	ErrRefused = errors.New("library refused the model")
	// ErrInvoke: the library could not compute.
	ErrInvoke = errors.New("invoke failed")
	// ErrClosed: the interpreter is closed.
	ErrClosed = errors.New("interpreter is closed")
	// ErrWrongAnswer: the known answer did not come out.
	ErrWrongAnswer = errors.New("wrong answer")
	// ErrConstant: an output is the same whatever the input.
	ErrConstant = errors.New("constant answer")
)

// ElementType is the type of a tensor's elements; the numbers are TfLiteType's
// (tensorflow/lite/c/c_api_types.h), which LiteRtElementType shares.
type ElementType int32

// Element types of the tensors that a network takes and gives.
const (
	Float32 ElementType = 1
	Int32   ElementType = 2
	UInt8   ElementType = 3
	Int64   ElementType = 4
	Bool    ElementType = 6
	Int16   ElementType = 7
	Int8    ElementType = 9
	Float16 ElementType = 10
)

// Size is the number of bytes of one element, 0 for an unknown type.
func (t ElementType) Size() int {
	switch t {
	case Float32, Int32:
		return 4
	case UInt8, Bool, Int8:
		return 1
	case Int64:
		return 8
	case Int16, Float16:
		return 2
	}
	return 0
}

func (t ElementType) String() string {
	switch t {
	case Float32:
		return "float32"
	case Int32:
		return "int32"
	case UInt8:
		return "uint8"
	case Int64:
		return "int64"
	case Bool:
		return "bool"
	case Int16:
		return "int16"
	case Int8:
		return "int8"
	case Float16:
		return "float16"
	}
	return fmt.Sprintf("element type %d", int32(t))
}

// Tensor is one input or output. A quantised element q stands for
// (q - ZeroPoint) * Scale; Scale is 0 where the tensor is not quantised.
type Tensor struct {
	Name      string
	Type      ElementType
	Shape     []int // such as [1 112 112 1]: batch, height, width, channels
	Scale     float32
	ZeroPoint int
	Data      []byte // the library's own memory, stable until Close
}

// Len is the number of elements.
func (t *Tensor) Len() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Float32 views Data as float32; nil unless Type is Float32.
func (t *Tensor) Float32() []float32 {
	if t.Type != Float32 || len(t.Data) == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&t.Data[0])), len(t.Data)/4)
}

// Int8 views Data as int8; nil unless Type is Int8.
func (t *Tensor) Int8() []int8 {
	if t.Type != Int8 || len(t.Data) == 0 {
		return nil
	}
	return unsafe.Slice((*int8)(unsafe.Pointer(&t.Data[0])), len(t.Data))
}

// Values writes the elements of a Float32, Int8 or UInt8 tensor to dst as the
// numbers they stand for and returns how many it wrote: the lesser of Len and
// len(dst), and 0 for another type.
func (t *Tensor) Values(dst []float32) int {
	switch t.Type {
	case Float32:
		return copy(dst, t.Float32())
	case Int8:
		src := t.Int8()
		n := min(len(src), len(dst))
		for i, q := range src[:n] {
			dst[i] = float32(int(q)-t.ZeroPoint) * t.Scale
		}
		return n
	case UInt8:
		n := min(len(t.Data), len(dst))
		for i, q := range t.Data[:n] {
			dst[i] = float32(int(q)-t.ZeroPoint) * t.Scale
		}
		return n
	}
	return 0
}

// Why says, in a clause, why Open chose the interpreter's backend, what it
// tried first and what it lost on the way. It is empty for an Interpreter that
// Open did not make.
func Why(net Interpreter) string {
	if e, ok := net.(interface{ why() string }); ok {
		return e.why()
	}
	return ""
}
