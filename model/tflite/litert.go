package tflite

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// litertLib is LiteRT's C API (litert/c/*.h, version 2.3.0). size_t and
// LiteRtParamIndex are uintptr here.
type litertLib struct {
	createEnvironment, modelFromBuffer, destroyModel,
	createOptions, destroyOptions, setAccelerators, createOpaque, addOpaque,
	createCompiled, destroyCompiled, run, errorMessages,
	getSubgraph, numInputs, numOutputs, input, output, rankedType,
	inputRequirements, outputRequirements, requiredSize,
	createBuffer, destroyBuffer, lock, unlock, packedSize cfunc

	once   sync.Once
	env    uintptr // one for the process, as the library expects
	envErr error
}

func bindLiteRT(handle uintptr) (*litertLib, error) {
	l := new(litertLib)
	return l, bind(handle, map[string]*cfunc{
		"LiteRtCreateEnvironment":                        &l.createEnvironment,
		"LiteRtCreateModelFromBuffer":                    &l.modelFromBuffer,
		"LiteRtDestroyModel":                             &l.destroyModel,
		"LiteRtCreateOptions":                            &l.createOptions,
		"LiteRtDestroyOptions":                           &l.destroyOptions,
		"LiteRtSetOptionsHardwareAccelerators":           &l.setAccelerators,
		"LiteRtCreateOpaqueOptions":                      &l.createOpaque,
		"LiteRtAddOpaqueOptions":                         &l.addOpaque,
		"LiteRtCreateCompiledModel":                      &l.createCompiled,
		"LiteRtDestroyCompiledModel":                     &l.destroyCompiled,
		"LiteRtRunCompiledModel":                         &l.run,
		"LiteRtCompiledModelGetErrorMessages":            &l.errorMessages,
		"LiteRtGetModelSubgraph":                         &l.getSubgraph,
		"LiteRtGetNumSubgraphInputs":                     &l.numInputs,
		"LiteRtGetNumSubgraphOutputs":                    &l.numOutputs,
		"LiteRtGetSubgraphInput":                         &l.input,
		"LiteRtGetSubgraphOutput":                        &l.output,
		"LiteRtGetRankedTensorType":                      &l.rankedType,
		"LiteRtGetCompiledModelInputBufferRequirements":  &l.inputRequirements,
		"LiteRtGetCompiledModelOutputBufferRequirements": &l.outputRequirements,
		"LiteRtGetTensorBufferRequirementsBufferSize":    &l.requiredSize,
		"LiteRtCreateManagedTensorBuffer":                &l.createBuffer,
		"LiteRtDestroyTensorBuffer":                      &l.destroyBuffer,
		"LiteRtLockTensorBuffer":                         &l.lock,
		"LiteRtUnlockTensorBuffer":                       &l.unlock,
		"LiteRtGetTensorBufferPackedSize":                &l.packedSize,
	})
}

// litertKnowsProcessor checks for what LiteRT 2.3.0 follows a null pointer
// without: on arm64 its cpuinfo reads the processor's kind from /proc/cpuinfo.
// Under qemu-user, which shows the host's, and without /proc it is not there.
func litertKnowsProcessor(path, arch string) error {
	if arch != "arm64" {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("it needs to know the processor: %w", err)
	}
	if !bytes.Contains(text, []byte("CPU implementer")) {
		return fmt.Errorf("%s does not describe an arm64 processor (qemu-user?), without which it crashes: use the backend tflite", path)
	}
	return nil
}

// Constants of litert/c/litert_environment_options.h, litert_any.h,
// litert_common.h, internal/litert_logging.h and litert_tensor_buffer_types.h.
const (
	litertAutoRegisterAccelerators = 24
	litertMinLoggerSeverity        = 25
	litertAnyInt                   = 2
	litertCPU                      = 1
	litertSilent                   = 4
	litertHostMemory               = 1
	litertLockRead                 = 0
	litertLockWrite                = 1
)

// litertEnvOption is LiteRtEnvOption: a tag and a LiteRtAny, which is a type
// and an 8-byte union.
type litertEnvOption struct {
	tag   int32
	_     int32
	kind  int32
	_     int32
	value int64
}

// litertRankedType is LiteRtRankedTensorType: the element type, a bit field of
// 7 bits for the rank and 1 for "has strides", dimensions, strides.
type litertRankedType struct {
	element ElementType
	layout  uint32
	dims    [8]int32
	strides [8]uint32
	_       [64]byte // room for a longer one
}

// environment gives the process's one environment: CPU only, so that it does
// not go looking for GPU and NPU libraries, and silent.
func (l *litertLib) environment() (uintptr, error) {
	l.once.Do(func() {
		options := []litertEnvOption{
			{tag: litertAutoRegisterAccelerators, kind: litertAnyInt, value: litertCPU},
			{tag: litertMinLoggerSeverity, kind: litertAnyInt, value: litertSilent},
		}
		st := l.createEnvironment.status(uintptr(len(options)),
			uintptr(unsafe.Pointer(&options[0])), uintptr(unsafe.Pointer(&l.env)))
		if st != 0 || l.env == 0 {
			l.envErr = fmt.Errorf("litert: create environment: %w: %w", litertError(st), ErrLibrary)
		}
	})
	return l.env, l.envErr
}

// litertNet is a network in LiteRT.
type litertNet struct {
	core
	lib      *litertLib
	memory   modelMemory
	model    uintptr
	options  uintptr
	compiled uintptr
	ins      []uintptr // tensor buffers
	outs     []uintptr
	runArgs  []uintptr // of LiteRtRunCompiledModel, made once so that Invoke allocates nothing
}

func openLiteRT(l *litertLib, model []byte, o *Options, d *Description) (_ *litertNet, err error) {
	env, err := l.environment()
	if err != nil {
		return nil, err
	}
	if err := loadLibc(); err != nil {
		return nil, err
	}
	n := &litertNet{lib: l, core: core{backend: "litert, xnnpack"}}
	defer func() {
		if err != nil {
			n.Close()
		}
	}()
	if n.memory, err = place(model, o.InPlace); err != nil {
		return nil, err
	}
	check := func(what string, st int32) error {
		if st == 0 {
			return nil
		}
		return fmt.Errorf("litert: %s: %w: %w", what, litertError(st), ErrRefused)
	}
	if err := check("read the model", l.modelFromBuffer.status(env, n.memory.address(),
		uintptr(len(n.memory.bytes)), uintptr(unsafe.Pointer(&n.model)))); err != nil {
		return nil, err
	}
	if err := check("create options", l.createOptions.status(uintptr(unsafe.Pointer(&n.options)))); err != nil {
		return nil, err
	}
	if err := check("choose the CPU", l.setAccelerators.status(n.options, litertCPU)); err != nil {
		return nil, err
	}
	// Options of the parts travel as TOML text. Errors go to a buffer instead
	// of stderr (kLiteRtErrorReporterModeBuffer = 2).
	for _, part := range [][2]string{
		{"xnnpack", fmt.Sprintf("num_threads = %d\n", o.Threads)},
		{"runtime_options_string", "error_reporter_mode = 2\n"},
	} {
		if err := check("set "+part[0], n.addOptions(part[0], part[1])); err != nil {
			return nil, err
		}
	}
	if err := check("compile the model", l.createCompiled.status(env, n.model, n.options,
		uintptr(unsafe.Pointer(&n.compiled)))); err != nil {
		return nil, err
	}
	if err := n.makeTensors(env, d); err != nil {
		return nil, err
	}
	// ins and outs are on the heap, where Go moves nothing, and live as long
	// as n.
	n.runArgs = []uintptr{n.compiled, 0,
		uintptr(len(n.ins)), uintptr(unsafe.Pointer(unsafe.SliceData(n.ins))),
		uintptr(len(n.outs)), uintptr(unsafe.Pointer(unsafe.SliceData(n.outs)))}
	return n, nil
}

func (n *litertNet) addOptions(name, toml string) int32 {
	payload := libc.malloc.call(uintptr(len(toml) + 1))
	if payload == 0 {
		return 2 // out of memory
	}
	copy(cmemory(payload, len(toml)+1), toml+"\x00")
	var opaque uintptr
	st := n.lib.createOpaque.status(uintptr(unsafe.Pointer(cstring(name))), payload, uintptr(libc.free),
		uintptr(unsafe.Pointer(&opaque)))
	if st != 0 {
		libc.free.call(payload)
		return st
	}
	return n.lib.addOpaque.status(n.options, opaque) // takes opaque over
}

func (n *litertNet) makeTensors(env uintptr, d *Description) error {
	l := n.lib
	var graph, nIn, nOut uintptr
	if l.getSubgraph.status(n.model, 0, uintptr(unsafe.Pointer(&graph))) != 0 ||
		l.numInputs.status(graph, uintptr(unsafe.Pointer(&nIn))) != 0 ||
		l.numOutputs.status(graph, uintptr(unsafe.Pointer(&nOut))) != 0 {
		return fmt.Errorf("litert: find the inputs and outputs: %w", ErrRefused)
	}
	if int(nIn) != len(d.Inputs) || int(nOut) != len(d.Outputs) {
		return fmt.Errorf("litert: sees %d inputs and %d outputs where the file has %d and %d: %w",
			nIn, nOut, len(d.Inputs), len(d.Outputs), ErrRefused)
	}
	for i := range d.Inputs {
		buffer, t, err := n.makeTensor(env, graph, i, &d.Inputs[i], l.input, l.inputRequirements, litertLockWrite)
		if buffer != 0 {
			n.ins = append(n.ins, buffer)
		}
		if err != nil {
			return fmt.Errorf("litert: input %d: %w", i, err)
		}
		n.inputs = append(n.inputs, t)
	}
	for i := range d.Outputs {
		buffer, t, err := n.makeTensor(env, graph, i, &d.Outputs[i], l.output, l.outputRequirements, litertLockRead)
		if buffer != 0 {
			n.outs = append(n.outs, buffer)
		}
		if err != nil {
			return fmt.Errorf("litert: output %d: %w", i, err)
		}
		n.outputs = append(n.outputs, t)
	}
	return nil
}

// makeTensor creates the buffer of one input or output. A buffer in host
// memory keeps its address, so that one lock gives the view for good.
func (n *litertNet) makeTensor(env, graph uintptr, i int, want *Tensor, find, requirements cfunc, mode uintptr) (buffer uintptr, t Tensor, err error) {
	l := n.lib
	var tensor, req, size, packed, addr uintptr
	var ranked litertRankedType
	if st := find.status(graph, uintptr(i), uintptr(unsafe.Pointer(&tensor))); st != 0 {
		return 0, t, fmt.Errorf("find the tensor: %w: %w", litertError(st), ErrRefused)
	}
	if st := l.rankedType.status(tensor, uintptr(unsafe.Pointer(&ranked))); st != 0 {
		return 0, t, fmt.Errorf("tell its shape: %w: %w", litertError(st), ErrRefused)
	}
	t = *want
	shape := make([]int, min(ranked.layout&0x7f, 8))
	for k := range shape {
		if ranked.dims[k] == -1 && k < len(want.Shape) { // left open by the file's shape_signature
			ranked.dims[k] = int32(want.Shape[k])
		}
		shape[k] = int(ranked.dims[k])
	}
	if err := sameTensor(want, ranked.element, shape); err != nil {
		return 0, t, err
	}
	if st := requirements.status(n.compiled, 0, uintptr(i), uintptr(unsafe.Pointer(&req))); st != 0 {
		return 0, t, fmt.Errorf("tell its memory: %w: %w", litertError(st), ErrRefused)
	}
	if st := l.requiredSize.status(req, uintptr(unsafe.Pointer(&size))); st != 0 {
		return 0, t, fmt.Errorf("tell its size: %w: %w", litertError(st), ErrRefused)
	}
	if st := l.createBuffer.status(env, litertHostMemory, uintptr(unsafe.Pointer(&ranked)), size,
		uintptr(unsafe.Pointer(&buffer))); st != 0 {
		return 0, t, fmt.Errorf("allocate %d bytes: %w: %w", size, litertError(st), ErrRefused)
	}
	if st := l.packedSize.status(buffer, uintptr(unsafe.Pointer(&packed))); st != 0 || packed > size {
		return buffer, t, fmt.Errorf("buffer holds %d bytes of %d: %w: %w", size, packed, litertError(st), ErrRefused)
	}
	if st := l.lock.status(buffer, uintptr(unsafe.Pointer(&addr)), mode); st != 0 {
		return buffer, t, fmt.Errorf("lock its memory: %w: %w", litertError(st), ErrRefused)
	}
	l.unlock.call(buffer)
	t.Data = cmemory(addr, int(packed))
	return buffer, t, sameSize(&t)
}

func (n *litertNet) Invoke() error {
	if n.compiled == 0 {
		return ErrClosed
	}
	r, _, _ := purego.SyscallN(uintptr(n.lib.run), n.runArgs...)
	if st := int32(r); st != 0 {
		return fmt.Errorf("litert: %w%s: %w", litertError(st), n.messages(), ErrInvoke)
	}
	return nil
}

// messages fetches what the library had to say since the last time.
func (n *litertNet) messages() string {
	var text uintptr
	if n.lib.errorMessages.status(n.compiled, uintptr(unsafe.Pointer(&text))) != 0 || text == 0 {
		return ""
	}
	defer libc.free.call(text)
	if s := strings.TrimSpace(strings.ReplaceAll(gostring(text), "\n", "; ")); s != "" {
		return " (" + s + ")"
	}
	return ""
}

func (n *litertNet) Close() error {
	l := n.lib
	for _, b := range append(n.ins, n.outs...) {
		l.destroyBuffer.call(b)
	}
	if n.compiled != 0 {
		l.destroyCompiled.call(n.compiled)
	}
	if n.options != 0 {
		l.destroyOptions.call(n.options)
	}
	if n.model != 0 {
		l.destroyModel.call(n.model)
	}
	n.ins, n.outs, n.compiled, n.options, n.model = nil, nil, 0, 0, 0
	n.drop()
	return n.memory.free()
}

// litertError names a LiteRtStatus (litert/c/litert_common.h).
type litertError int32

func (e litertError) Error() string {
	names := map[litertError]string{
		1: "invalid argument", 2: "out of memory", 3: "runtime failure", 4: "missing input tensor",
		5: "unsupported", 6: "not found", 7: "timeout", 8: "wrong version", 9: "unknown error",
		10: "already exists", 100: "cancelled", 500: "file error", 501: "invalid flatbuffer",
		502: "dynamic loading failed", 503: "serialisation failed", 504: "compilation failed",
		1000: "index out of bounds", 1001: "invalid type", 1002: "invalid graph",
		5000: "operator without shape inference", 5001: "shape inference failed",
	}
	if s := names[e]; s != "" {
		return fmt.Sprintf("%s (status %d)", s, int32(e))
	}
	return fmt.Sprintf("status %d", int32(e))
}
