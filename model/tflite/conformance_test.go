package tflite

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"mien/model/assets"
)

// backends of this build.
var backends = []string{LiteRT, TFLite}

// conformance are the models with a golden.
var conformance = []struct {
	name    string
	refused error // by 2.9.0
	steps   int   // that 2.9.0 may be off: its XNNPACK leaves some operators to plain kernels
}{
	{name: "int8.tflite"},
	{name: "int8_wide.tflite"},
	{name: "uint8.tflite"},
	{name: "float.tflite"},
	{name: "int8_24.tflite"},
	{name: "signature.tflite"},
	{name: "any_batch.tflite"},
	{name: "operators_int8.tflite", steps: 1},
	{name: "operators_float.tflite"},
	{name: "activations_float.tflite"},
	{name: "by_hand.tflite"},
	{name: "steep.tflite"},
	{name: "dense_per_channel.tflite", refused: ErrUnsupported},
	{name: "grouped.tflite", refused: ErrRefused},
	{name: assets.FaceShort},
	{name: assets.FaceFullRange},
}

// golden is one output as ai-edge-litert's Python package computed it from
// lcg:1 (testdata/make_models.py): of a long one, every Step-th element.
type golden struct {
	Name  string
	Step  int
	Int   []int
	Float []float32
}

func goldens(t testing.TB) map[string][]golden {
	t.Helper()
	var g map[string][]golden
	if err := json.Unmarshal(readModel(t, "goldens.json"), &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// readModel reads a file of testdata, or a fetched one.
func readModel(t testing.TB, name string) []byte {
	t.Helper()
	path := filepath.Join("testdata", name)
	if strings.HasPrefix(name, "face_detection") {
		var err error
		if path, err = assets.Find(name); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func open(t testing.TB, name string, o Options) Interpreter {
	t.Helper()
	o.Name = name
	net, err := Open(readModel(t, name), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { net.Close() })
	return net
}

func fill(net Interpreter, seed uint32) {
	for i := range net.Inputs() {
		Fill(&net.Inputs()[i], seed+uint32(i))
	}
}

// compare compares the outputs with the golden ones: integers to the given steps,
// floats to a part in ten thousand.
func compare(t testing.TB, net Interpreter, want []golden, steps int) {
	t.Helper()
	if len(net.Outputs()) != len(want) {
		t.Fatalf("%d outputs, want %d", len(net.Outputs()), len(want))
	}
	for i, out := range net.Outputs() {
		w := want[i]
		if out.Name != w.Name {
			t.Errorf("output %d is %q, want %q", i, out.Name, w.Name)
		}
		if out.Type == Float32 {
			all := out.Float32()
			if got := (len(all) + w.Step - 1) / w.Step; got != len(w.Float) {
				t.Fatalf("output %d: %d elements to compare, want %d", i, got, len(w.Float))
			}
			for k, f := range w.Float {
				if got := all[k*w.Step]; math.Abs(float64(got-f)) > 1e-4*math.Max(1, math.Abs(float64(f))) {
					t.Errorf("output %d element %d: %g, want %g", i, k*w.Step, got, f)
				}
			}
			continue
		}
		if len(out.Data) != len(w.Int) {
			t.Fatalf("output %d: %d elements, want %d", i, len(out.Data), len(w.Int))
		}
		for k, b := range out.Data {
			got := int(b)
			if out.Type == Int8 {
				got = int(int8(b))
			}
			if d := got - w.Int[k]; d > steps || d < -steps {
				t.Errorf("output %d element %d: %d, want %d", i, k, got, w.Int[k])
			}
		}
	}
}

// TestConformance is what every backend of the build must do alike.
func TestConformance(t *testing.T) {
	want := goldens(t)
	for _, backend := range backends {
		for _, m := range conformance {
			t.Run(backend+"/"+m.name, func(t *testing.T) {
				model := readModel(t, m.name)
				net, err := Open(model, Options{Name: m.name, Backend: backend})
				if backend != LiteRT && m.refused != nil {
					if !errors.Is(err, m.refused) || !strings.Contains(err.Error(), m.name) {
						t.Fatalf("%v, want one that wraps %v and names the file", err, m.refused)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer net.Close()
				steps := 0
				if backend != LiteRT {
					steps = m.steps
				}
				clear(model) // Open keeps its own copy
				views := addresses(net)
				fill(net, 1)
				for range 3 { // the inputs survive an Invoke
					if err := net.Invoke(); err != nil {
						t.Fatal(err)
					}
					compare(t, net, want[m.name], steps)
				}
				fill(net, 77)
				if err := net.Invoke(); err != nil {
					t.Fatal(err)
				}
				fill(net, 1)
				if err := net.Invoke(); err != nil {
					t.Fatal(err)
				}
				compare(t, net, want[m.name], steps)
				if err := CheckVaries(net); err != nil {
					t.Error(err)
				}
				if !slices.Equal(views, addresses(net)) {
					t.Error("the tensors moved")
				}
				if !strings.Contains(net.Backend(), "xnnpack") || Why(net) == "" {
					t.Errorf("backend %q because %q", net.Backend(), Why(net))
				}
				if n := testing.AllocsPerRun(20, func() {
					if err := net.Invoke(); err != nil {
						t.Error(err)
					}
				}); n != 0 {
					t.Errorf("%v allocations an invoke", n)
				}
				for range 2 {
					if err := net.Close(); err != nil {
						t.Error(err)
					}
				}
				if err := net.Invoke(); !errors.Is(err, ErrClosed) {
					t.Errorf("invoke after close: %v", err)
				}
			})
		}
	}
}

func addresses(net Interpreter) []*byte {
	var list []*byte
	for _, tensors := range [][]Tensor{net.Inputs(), net.Outputs()} {
		for i := range tensors {
			list = append(list, &tensors[i].Data[0])
		}
	}
	return list
}

// TestTensorsAreDescribed checks what Inputs and Outputs say, which comes from
// the file, against what the libraries compute (Open compares the two).
func TestTensorsAreDescribed(t *testing.T) {
	for _, backend := range backends {
		net := open(t, "int8.tflite", Options{Backend: backend})
		in := net.Inputs()[0]
		if in.Type != Int8 || !slices.Equal(in.Shape, []int{1, 16, 16, 1}) || len(in.Data) != 256 || in.Len() != 256 ||
			in.ZeroPoint != 0 || math.Abs(float64(in.Scale)-1.0/127.5) > 1e-3 {
			t.Errorf("%s: input %+v", backend, in)
		}
		for i, n := range []int{8, 8, 2} {
			if out := net.Outputs()[i]; out.Type != Int8 || !slices.Equal(out.Shape, []int{1, n}) || out.Scale <= 0 {
				t.Errorf("%s: output %d %+v", backend, i, out)
			}
		}
	}
}

func TestThreadsAgree(t *testing.T) {
	want := goldens(t)
	for _, backend := range backends {
		net := open(t, "int8.tflite", Options{Backend: backend, Threads: 2})
		fill(net, 1)
		if err := net.Invoke(); err != nil {
			t.Fatal(err)
		}
		compare(t, net, want["int8.tflite"], 0)
	}
}

// TestManyAtOnce runs networks of all backends side by side, each handed from
// goroutine to goroutine.
func TestManyAtOnce(t *testing.T) {
	want := goldens(t)
	var all sync.WaitGroup
	for _, backend := range backends {
		for range 2 {
			net := open(t, "int8.tflite", Options{Backend: backend})
			fill(net, 1)
			all.Go(func() {
				for range 50 {
					var one sync.WaitGroup
					one.Go(func() {
						runtime.LockOSThread() // and never unlocked: the thread dies with the goroutine
						if err := net.Invoke(); err != nil {
							t.Error(err)
						}
					})
					one.Wait()
					compare(t, net, want["int8.tflite"], 0)
				}
			})
		}
	}
	all.Wait()
}

// TestGoldensTellXNNPACKFromPlainKernels proves that the int8 goldens mean
// something: the C API's own kernels, without the delegate, miss them.
func TestGoldensTellXNNPACKFromPlainKernels(t *testing.T) {
	path, err := assets.Find(assets.TFLiteC)
	if err != nil {
		t.Fatal(err)
	}
	lib, err := openLibrary("", path)
	if err != nil {
		t.Fatal(err)
	}
	model := readModel(t, "int8_wide.tflite")
	d, err := Check("int8_wide.tflite", model)
	if err != nil {
		t.Fatal(err)
	}
	plain := *lib.capi
	plain.xnnCreate = 0
	net, err := openCAPI(&plain, model, &Options{Threads: 1}, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer net.Close()
	fill(net, 1)
	if err := net.Invoke(); err != nil {
		t.Fatal(err)
	}
	if net.Backend() != "tflite 2.9.0, plain kernels" || !strings.Contains(Why(net), "no xnnpack") {
		t.Errorf("backend %q because %q", net.Backend(), Why(net))
	}
	differ := 0
	for i, w := range goldens(t)["int8_wide.tflite"] {
		for k, v := range net.Outputs()[i].Int8() {
			if int(v) != w.Int[k] {
				differ++
			}
		}
	}
	if differ == 0 {
		t.Error("the plain kernels give the same answer: the goldens do not show that xnnpack's int8 kernels are on")
	}
}
