package tflite

import (
	"fmt"
	"strings"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// capiLib is the TensorFlow Lite C API (tensorflow/lite/c/c_api.h, version
// 2.9.0) with its XNNPACK delegate.
type capiLib struct {
	version,
	modelCreate, modelDelete,
	optionsCreate, optionsDelete, setThreads, setReporter, addDelegate,
	xnnCreate, xnnDelete,
	create, destroy, allocate, invoke,
	inputCount, outputCount, input, output,
	tensorType, dims, dim, byteSize, data cfunc
}

func bindCAPI(handle uintptr) (*capiLib, error) {
	l := new(capiLib)
	// Somebody's own build for a board may lack XNNPACK.
	if bind(handle, map[string]*cfunc{
		"TfLiteXNNPackDelegateCreate": &l.xnnCreate,
		"TfLiteXNNPackDelegateDelete": &l.xnnDelete,
	}) != nil {
		l.xnnCreate = 0
	}
	return l, bind(handle, map[string]*cfunc{
		"TfLiteVersion":                            &l.version,
		"TfLiteModelCreate":                        &l.modelCreate,
		"TfLiteModelDelete":                        &l.modelDelete,
		"TfLiteInterpreterOptionsCreate":           &l.optionsCreate,
		"TfLiteInterpreterOptionsDelete":           &l.optionsDelete,
		"TfLiteInterpreterOptionsSetNumThreads":    &l.setThreads,
		"TfLiteInterpreterOptionsSetErrorReporter": &l.setReporter,
		"TfLiteInterpreterOptionsAddDelegate":      &l.addDelegate,
		"TfLiteInterpreterCreate":                  &l.create,
		"TfLiteInterpreterDelete":                  &l.destroy,
		"TfLiteInterpreterAllocateTensors":         &l.allocate,
		"TfLiteInterpreterInvoke":                  &l.invoke,
		"TfLiteInterpreterGetInputTensorCount":     &l.inputCount,
		"TfLiteInterpreterGetOutputTensorCount":    &l.outputCount,
		"TfLiteInterpreterGetInputTensor":          &l.input,
		"TfLiteInterpreterGetOutputTensor":         &l.output,
		"TfLiteTensorType":                         &l.tensorType,
		"TfLiteTensorNumDims":                      &l.dims,
		"TfLiteTensorDim":                          &l.dim,
		"TfLiteTensorByteSize":                     &l.byteSize,
		"TfLiteTensorData":                         &l.data,
	})
}

// xnnpackQS8 is TFLITE_XNNPACK_DELEGATE_FLAG_QS8 of xnnpack_delegate.h: the
// int8 kernels, which 2.9.0 leaves off by default.
const xnnpackQS8 = 1

// xnnpackOptions is TfLiteXNNPackDelegateOptions, with room for what other
// versions have behind these two fields; zero is each one's default.
type xnnpackOptions struct {
	threads int32
	flags   uint32
	_       [120]byte
}

// createXNNPACK gives 0 where the library has none.
func (l *capiLib) createXNNPACK(threads int) uintptr {
	if l.xnnCreate == 0 {
		return 0
	}
	o := &xnnpackOptions{threads: int32(threads), flags: xnnpackQS8}
	return l.xnnCreate.call(uintptr(unsafe.Pointer(o)))
}

// capiNet is a network in the C API.
type capiNet struct {
	core
	lib         *capiLib
	memory      modelMemory
	model       uintptr
	interpreter uintptr
	xnnpack     uintptr
	tpu         *edgeTPU
	report      *report
	runArgs     []uintptr // of TfLiteInterpreterInvoke, made once so that Invoke allocates nothing
}

// openCAPI opens a model with the given Edge TPU, which it takes over, or with
// none. What of the delegates the library would not have is in core.lost.
func openCAPI(l *capiLib, model []byte, o *Options, d *Description, tpu *edgeTPU) (_ *capiNet, err error) {
	n := &capiNet{lib: l, tpu: tpu}
	defer func() {
		if err != nil {
			n.Close()
		}
	}()
	if err := loadLibc(); err != nil {
		return nil, err
	}
	n.report = newReport()
	if n.memory, err = place(model, o.InPlace); err != nil {
		return nil, err
	}
	n.model = l.modelCreate.call(n.memory.address(), uintptr(len(n.memory.bytes)))
	if n.model == 0 {
		return nil, fmt.Errorf("tflite: read the model: %w", ErrRefused)
	}
	if n.xnnpack = l.createXNNPACK(o.Threads); n.xnnpack == 0 {
		n.lost = append(n.lost, "the library has no xnnpack, its plain kernels are slower")
	}
	for {
		options := l.optionsCreate.call()
		l.setThreads.call(options, uintptr(o.Threads))
		l.setReporter.call(options, reporterCallback(), n.report.id)
		// The Edge TPU first: XNNPACK must not take what it could have.
		if n.tpu != nil {
			l.addDelegate.call(options, n.tpu.delegate)
		}
		if n.xnnpack != 0 {
			l.addDelegate.call(options, n.xnnpack)
		}
		n.interpreter = l.create.call(n.model, options)
		l.optionsDelete.call(options)
		if n.interpreter != 0 {
			break
		}
		// A delegate that cannot prepare the model makes the library give up;
		// without it the CPU can go on.
		said := n.report.take()
		switch {
		case n.tpu != nil:
			n.lost = append(n.lost, "the edge tpu could not prepare the model"+said)
			n.tpu.free()
			n.tpu = nil
			if d.EdgeTPU {
				return nil, fmt.Errorf("it was compiled for an edge tpu, and %s: compile it for the runtime of this libedgetpu: %w", n.lost[0], ErrNeedsEdgeTPU)
			}
		case n.xnnpack != 0:
			n.lost = append(n.lost, "xnnpack could not prepare the model"+said+", its plain kernels are slower")
			l.xnnDelete.call(n.xnnpack)
			n.xnnpack = 0
		case strings.Contains(said, "Didn't find op"):
			return nil, fmt.Errorf("tflite: build the network%s: an operator is newer than this library, use litert: %w", said, ErrRefused)
		default:
			return nil, fmt.Errorf("tflite: build the network%s: %w", said, ErrRefused)
		}
	}
	if st := l.allocate.status(n.interpreter); st != 0 {
		return nil, fmt.Errorf("tflite: allocate tensors%s: %w", n.report.take(), ErrRefused)
	}
	n.backend = "tflite " + gostring(l.version.call()) + ", " + n.parts()
	n.runArgs = []uintptr{n.interpreter}
	return n, n.makeTensors(d)
}

func (n *capiNet) parts() string {
	switch {
	case n.tpu != nil && n.xnnpack != 0:
		return "edge tpu + xnnpack"
	case n.tpu != nil:
		return "edge tpu"
	case n.xnnpack != 0:
		return "xnnpack"
	}
	return "plain kernels"
}

func (n *capiNet) makeTensors(d *Description) error {
	l := n.lib
	nIn, nOut := int(l.inputCount.status(n.interpreter)), int(l.outputCount.status(n.interpreter))
	if nIn != len(d.Inputs) || nOut != len(d.Outputs) {
		return fmt.Errorf("tflite: sees %d inputs and %d outputs where the file has %d and %d: %w",
			nIn, nOut, len(d.Inputs), len(d.Outputs), ErrRefused)
	}
	for i := range d.Inputs {
		t, err := n.makeTensor(l.input.call(n.interpreter, uintptr(i)), &d.Inputs[i])
		if err != nil {
			return fmt.Errorf("tflite: input %d: %w", i, err)
		}
		n.inputs = append(n.inputs, t)
	}
	for i := range d.Outputs {
		t, err := n.makeTensor(l.output.call(n.interpreter, uintptr(i)), &d.Outputs[i])
		if err != nil {
			return fmt.Errorf("tflite: output %d: %w", i, err)
		}
		n.outputs = append(n.outputs, t)
	}
	return nil
}

func (n *capiNet) makeTensor(tensor uintptr, want *Tensor) (Tensor, error) {
	l := n.lib
	t := *want
	if tensor == 0 {
		return t, fmt.Errorf("not there: %w", ErrRefused)
	}
	shape := make([]int, max(0, l.dims.status(tensor)))
	for k := range shape {
		shape[k] = int(l.dim.status(tensor, uintptr(k)))
	}
	if err := sameTensor(want, ElementType(l.tensorType.status(tensor)), shape); err != nil {
		return t, err
	}
	t.Data = cmemory(l.data.call(tensor), int(l.byteSize.call(tensor)))
	return t, sameSize(&t)
}

func (n *capiNet) accelerated() bool { return n.tpu != nil }

func (n *capiNet) Invoke() error {
	if n.interpreter == 0 {
		return ErrClosed
	}
	r, _, _ := purego.SyscallN(uintptr(n.lib.invoke), n.runArgs...)
	if st := int32(r); st != 0 {
		return fmt.Errorf("tflite: status %d%s: %w", st, n.report.take(), ErrInvoke)
	}
	return nil
}

func (n *capiNet) Close() error {
	l := n.lib
	if n.interpreter != 0 {
		l.destroy.call(n.interpreter)
	}
	// The interpreter uses its delegates to its end.
	if n.xnnpack != 0 {
		l.xnnDelete.call(n.xnnpack)
	}
	if n.tpu != nil {
		n.tpu.free()
	}
	if n.model != 0 {
		l.modelDelete.call(n.model)
	}
	n.interpreter, n.xnnpack, n.tpu, n.model = 0, 0, nil, 0
	n.report.drop()
	n.drop()
	return n.memory.free()
}

// report collects what one interpreter's library says.
type report struct {
	id   uintptr
	text []string
}

// reports are the open interpreters' reports by the user_data that C gets.
var reports struct {
	sync.Mutex // covers all below
	next       uintptr
	open       map[uintptr]*report
}

func newReport() *report {
	reports.Lock()
	defer reports.Unlock()
	if reports.open == nil {
		reports.open = make(map[uintptr]*report)
	}
	reports.next++
	r := &report{id: reports.next}
	reports.open[r.id] = r
	return r
}

func (r *report) drop() {
	if r == nil {
		return
	}
	reports.Lock()
	defer reports.Unlock()
	delete(reports.open, r.id)
}

// take gives what was said since the last take, in brackets, or nothing.
func (r *report) take() string {
	reports.Lock()
	defer reports.Unlock()
	if len(r.text) == 0 {
		return ""
	}
	s := " (" + strings.Join(r.text, "; ") + ")"
	r.text = nil
	return s
}

// reporterCallback is the one error reporter of the process, since callbacks
// are never freed: void (*)(void* user_data, const char* format, va_list). A
// va_list is passed by address on amd64 and arm64 and is one word on arm, so
// that it goes on to vsnprintf as it came.
var reporterCallback = sync.OnceValue(func() uintptr {
	return purego.NewCallback(func(user, format, args uintptr) uintptr {
		var buf [512]byte
		libc.vsnprintf.call(uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), format, args)
		text, _, _ := strings.Cut(string(buf[:]), "\x00")
		reports.Lock()
		defer reports.Unlock()
		if r := reports.open[user]; r != nil && len(r.text) < 4 {
			r.text = append(r.text, strings.TrimSpace(text))
		}
		return 0
	})
})
