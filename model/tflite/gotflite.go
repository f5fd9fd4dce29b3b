//go:build gotflite

package tflite

// A build with the tag gotflite links the TensorFlow Lite C API in by cgo
// through github.com/mattn/go-tflite v1.0.5. It needs gcc, the C API's headers
// and library (make deps puts them into .deps) and the header in include/:
//
//	CGO_ENABLED=1
//	CGO_CFLAGS="-I$PWD/model/tflite/include -I$PWD/.deps/include"
//	CGO_LDFLAGS="-L$PWD/.deps/lib -Wl,-rpath,$PWD/.deps/lib"
//	go build -tags gotflite ./firmware/mien

import (
	"fmt"
	"os"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
	gotflite "github.com/mattn/go-tflite"
	"golang.org/x/sys/unix"
)

// linkedLibrary is the C API's soname: dlopen finds by it the library that this
// program is linked with.
const linkedLibrary = "libtensorflowlite_c.so"

var linked = sync.OnceValues(func() (*capiLib, error) {
	handle, err := purego.Dlopen(linkedLibrary, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("find the linked %s: %w: %w", linkedLibrary, err, ErrLibrary)
	}
	return bindCAPI(handle)
})

// xnnpackDelegate hands go-tflite a delegate with the int8 kernels on, which
// its own package cannot ask for.
type xnnpackDelegate struct {
	lib *capiLib
	ptr uintptr
}

func (d *xnnpackDelegate) Ptr() unsafe.Pointer { return at(d.ptr) }
func (d *xnnpackDelegate) Delete()             { d.lib.xnnDelete.call(d.ptr) }

const hasGoTFLite = true

// gotfliteNet is a network in go-tflite.
type gotfliteNet struct {
	core
	model       *gotflite.Model
	interpreter *gotflite.Interpreter
	xnnpack     *xnnpackDelegate
}

func openGoTFLite(model []byte, o *Options, d *Description) (_ opened, err error) {
	if o.Library != "" {
		return nil, fmt.Errorf("the backend gotflite is linked with its library, it cannot open %s: %w", o.Library, ErrOptions)
	}
	lib, err := linked()
	if err != nil {
		return nil, err
	}
	n := new(gotfliteNet)
	defer func() {
		if err != nil {
			n.Close()
		}
	}()
	if n.model, err = modelFromMemory(model); err != nil {
		return nil, err
	}
	n.xnnpack = &xnnpackDelegate{lib: lib, ptr: lib.createXNNPACK(o.Threads)}
	if n.xnnpack.ptr == 0 {
		return nil, fmt.Errorf("gotflite: the linked library has no xnnpack: %w", ErrLibrary)
	}
	options := gotflite.NewInterpreterOptions()
	defer options.Delete()
	options.SetNumThread(o.Threads)
	options.AddDelegate(n.xnnpack)
	// The reporter is left alone: v1.0.5 hands its own arguments over wrongly.
	if n.interpreter = gotflite.NewInterpreter(n.model, options); n.interpreter == nil {
		return nil, fmt.Errorf("gotflite: build the network (standard error has the reason): %w", ErrRefused)
	}
	if st := n.interpreter.AllocateTensors(); st != gotflite.OK {
		return nil, fmt.Errorf("gotflite: allocate tensors: status %d: %w", st, ErrRefused)
	}
	n.backend = "gotflite, tflite " + gostring(lib.version.call()) + ", xnnpack"
	if in, out := n.interpreter.GetInputTensorCount(), n.interpreter.GetOutputTensorCount(); in != len(d.Inputs) || out != len(d.Outputs) {
		return nil, fmt.Errorf("gotflite: sees %d inputs and %d outputs where the file has %d and %d: %w", in, out, len(d.Inputs), len(d.Outputs), ErrRefused)
	}
	for i := range d.Inputs {
		t, err := view(n.interpreter.GetInputTensor(i), &d.Inputs[i])
		if err != nil {
			return nil, fmt.Errorf("gotflite: input %d: %w", i, err)
		}
		n.inputs = append(n.inputs, t)
	}
	for i := range d.Outputs {
		t, err := view(n.interpreter.GetOutputTensor(i), &d.Outputs[i])
		if err != nil {
			return nil, fmt.Errorf("gotflite: output %d: %w", i, err)
		}
		n.outputs = append(n.outputs, t)
	}
	return n, nil
}

// modelFromMemory loads a model through a file in memory: go-tflite's NewModel
// leaks the copy that it makes of the bytes.
func modelFromMemory(model []byte) (*gotflite.Model, error) {
	fd, err := unix.MemfdCreate("mien-model", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create a file in memory for the model: %w", err)
	}
	file := os.NewFile(uintptr(fd), "mien-model")
	defer file.Close() // the library has mapped it
	if _, err := file.Write(model); err != nil {
		return nil, fmt.Errorf("write the model to memory: %w", err)
	}
	m := gotflite.NewModelFromFile(fmt.Sprintf("/proc/self/fd/%d", fd))
	if m == nil {
		return nil, fmt.Errorf("gotflite: read the model: %w", ErrRefused)
	}
	return m, nil
}

func view(tensor *gotflite.Tensor, want *Tensor) (Tensor, error) {
	t := *want
	if tensor == nil {
		return t, fmt.Errorf("not there: %w", ErrRefused)
	}
	if err := sameTensor(want, ElementType(tensor.Type()), tensor.Shape()); err != nil {
		return t, err
	}
	t.Data = unsafe.Slice((*byte)(tensor.Data()), int(tensor.ByteSize()))
	return t, sameSize(&t)
}

func (n *gotfliteNet) Invoke() error {
	if n.interpreter == nil {
		return ErrClosed
	}
	if st := n.interpreter.Invoke(); st != gotflite.OK { // Error has the value of OK in v1.0.5
		return fmt.Errorf("gotflite: status %d: %w", st, ErrInvoke)
	}
	return nil
}

func (n *gotfliteNet) Close() error {
	if n.interpreter != nil {
		n.interpreter.Delete()
	}
	if n.xnnpack != nil && n.xnnpack.ptr != 0 {
		n.xnnpack.Delete()
	}
	if n.model != nil {
		n.model.Delete()
	}
	n.interpreter, n.xnnpack, n.model = nil, nil, nil
	n.drop()
	return nil
}
