package tflite

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ebitengine/purego"
)

// fakeTPU compiles the fake delegate in one of its moods and gives its path.
func fakeTPU(t *testing.T, mood string) string {
	t.Helper()
	include, err := filepath.Abs("../../.deps/include")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(include, "tensorflow/lite/c/common.h")); err != nil {
		t.Fatalf("the tensorflow lite headers are not there: run make deps: %v", err)
	}
	path := filepath.Join(t.TempDir(), "libedgetpu"+mood+".so")
	args := []string{"-I", include, "testdata/fakedelegate.c"}
	if mood != "" {
		args = append(args, "-D"+mood)
	}
	compile(t, path, args...)
	return path
}

// live is how many delegates of a fake library were created and not freed.
func live(t *testing.T, path string) int {
	t.Helper()
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		t.Fatal(err)
	}
	f, err := purego.Dlsym(handle, "fake_live")
	if err != nil {
		t.Fatal(err)
	}
	return int(cfunc(f).status())
}

// quarters is the answer of testdata/edgetpu.tflite: the means of the picture's
// quarters, rounded to zero.
func quarters() *Answer {
	in := Tensor{Type: Int8, Shape: []int{1, 8, 8, 1}, Data: make([]byte, 64)}
	Fill(&in, 1)
	sums := make([]int, 4)
	for i, v := range in.Int8() {
		sums[i/32*2+i%8/4] += int(v)
	}
	for q := range sums {
		sums[q] /= 16
	}
	return &Answer{Input: "lcg:1", Outputs: [][]int{sums}}
}

func TestEdgeTPUComputes(t *testing.T) {
	path := fakeTPU(t, "")
	net := open(t, "edgetpu.tflite", Options{EdgeTPU: true, Delegate: path, Answer: quarters()})
	if !strings.HasPrefix(net.Backend(), "tflite 2.9.0, edge tpu") || !strings.Contains(Why(net), "an edge tpu is used") {
		t.Errorf("%s because %q", net.Backend(), Why(net))
	}
	if n := testing.AllocsPerRun(20, func() {
		if err := net.Invoke(); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations an invoke", n)
	}
	// A plain model: what the stick does not take, XNNPACK computes.
	mixed := open(t, "int8.tflite", Options{EdgeTPU: true, Delegate: path})
	if mixed.Backend() != "tflite 2.9.0, edge tpu + xnnpack" || !strings.Contains(Why(mixed), "not compiled for it") {
		t.Errorf("%s because %q", mixed.Backend(), Why(mixed))
	}
	fill(mixed, 1)
	if err := mixed.Invoke(); err != nil {
		t.Fatal(err)
	}
	compare(t, mixed, goldens(t)["int8.tflite"], 0)
	if n := live(t, path); n != 2 {
		t.Errorf("%d delegates live, want 2", n)
	}
	for _, n := range []Interpreter{net, mixed, net} {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := live(t, path); n != 0 {
		t.Errorf("%d delegates left", n)
	}
}

func TestEdgeTPUMayBeSlightlyOff(t *testing.T) {
	known := answer(t, "int8.tflite")
	net := open(t, "int8.tflite", Options{EdgeTPU: true, Delegate: fakeTPU(t, "NEAR"), Answer: known})
	if net.Backend() != "tflite 2.9.0, edge tpu + xnnpack" {
		t.Errorf("%s because %q", net.Backend(), Why(net))
	}
	fill(net, 1)
	if err := net.Invoke(); err != nil {
		t.Fatal(err)
	}
	differ := false
	for k, v := range net.Outputs()[0].Int8() {
		differ = differ || int(v) != known.Outputs[0][k]
	}
	if !differ {
		t.Error("the answer is the CPU's to the bit: the test shows nothing")
	}
}

// TestCPUComputesInstead: each way an Edge TPU can fail leaves a network on the
// CPU with the right answer, and says why.
func TestCPUComputesInstead(t *testing.T) {
	cases := []struct{ mood, backend, why string }{
		{"NO_DEVICE", "litert", "finds no device: plug in"},
		{"BUSY", "litert", "cannot open /sys/bus/usb/devices/9-9"},
		{"REFUSE", "tflite 2.9.0, xnnpack", "the edge tpu could not prepare the model (fake edge tpu: no room for 13 operators"},
		{"WRONG", "litert", "the edge tpu is not used: known answer: tflite 2.9.0, edge tpu + xnnpack: output 0 element"},
	}
	for _, c := range cases {
		t.Run(c.mood, func(t *testing.T) {
			path := fakeTPU(t, c.mood)
			net := open(t, "int8.tflite", Options{EdgeTPU: true, Delegate: path, Answer: answer(t, "int8.tflite")})
			if !strings.HasPrefix(net.Backend(), c.backend) || !strings.Contains(Why(net), c.why) {
				t.Errorf("%s because %q, want %s because %q", net.Backend(), Why(net), c.backend, c.why)
			}
			fill(net, 1)
			if err := net.Invoke(); err != nil {
				t.Fatal(err)
			}
			compare(t, net, goldens(t)["int8.tflite"], 0)
			if n := live(t, path); n != 0 {
				t.Errorf("%d delegates left", n)
			}
		})
	}
	t.Run("no library", func(t *testing.T) {
		net := open(t, "int8.tflite", Options{EdgeTPU: true, Delegate: "libedgetpu-nobody-has.so.1"})
		if !strings.HasPrefix(net.Backend(), "litert") || !strings.Contains(Why(net), "libedgetpu1-std") {
			t.Errorf("%s because %q", net.Backend(), Why(net))
		}
	})
	t.Run("another library", func(t *testing.T) {
		net := open(t, "int8.tflite", Options{EdgeTPU: true, Delegate: "libm.so.6"})
		if !strings.HasPrefix(net.Backend(), "litert") || !strings.Contains(Why(net), "it lacks edgetpu_") {
			t.Errorf("%s because %q", net.Backend(), Why(net))
		}
	})
}

// TestCompiledModelNeedsItsEdgeTPU: a model from edgetpu_compiler has no other
// way to run.
func TestCompiledModelNeedsItsEdgeTPU(t *testing.T) {
	cases := []struct {
		mood string
		want error
		says string
	}{
		{"NO_DEVICE", ErrNeedsEdgeTPU, "finds no device"},
		{"BUSY", ErrNeedsEdgeTPU, "cannot open"},
		{"REFUSE", ErrNeedsEdgeTPU, "could not prepare"},
		{"WRONG", ErrWrongAnswer, "edge tpu + xnnpack: output 0 element"},
	}
	for _, c := range cases {
		t.Run(c.mood, func(t *testing.T) {
			path := fakeTPU(t, c.mood)
			_, err := Open(readModel(t, "edgetpu.tflite"), Options{Name: "edgetpu.tflite", EdgeTPU: true, Delegate: path, Answer: quarters()})
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "edgetpu.tflite") {
				t.Errorf("%v, want %v and %q", err, c.want, c.says)
			}
			if n := live(t, path); n != 0 {
				t.Errorf("%d delegates left", n)
			}
		})
	}
}

// Whoever asks what there is, is told without taking it.
func TestProbeEdgeTPU(t *testing.T) {
	path := fakeTPU(t, "")
	if device, err := ProbeEdgeTPU(path); err != nil || device != "/sys/bus/usb/devices/9-9" {
		t.Errorf("%q, %v", device, err)
	}
	if n := live(t, path); n != 0 {
		t.Errorf("%d delegates were made", n)
	}
	for library, says := range map[string]string{fakeTPU(t, "NO_DEVICE"): "plugdev", "libedgetpu-nobody-has.so.1": "install Coral's libedgetpu1-std"} {
		if device, err := ProbeEdgeTPU(library); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q, %v, want %q", device, err, says)
		}
	}
}

func TestRealEdgeTPU(t *testing.T) {
	tpu, err := openEdgeTPU("")
	if err != nil {
		t.Skipf("no Edge TPU here: %v", err)
	}
	defer tpu.free()
	if tpu.device == "" {
		t.Error("the device has no path")
	}
}
