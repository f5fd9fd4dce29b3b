package tflite

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// answer is the known answer of a model of testdata.
func answer(t testing.TB, name string) *Answer {
	a := &Answer{Input: "lcg:1"}
	for _, g := range goldens(t)[name] {
		a.Outputs = append(a.Outputs, g.Int)
	}
	return a
}

func TestOpenChecksTheAnswer(t *testing.T) {
	for _, backend := range backends {
		for _, name := range []string{"int8.tflite", "uint8.tflite"} {
			net := open(t, name, Options{Backend: backend, Answer: answer(t, name)})
			for _, b := range net.Inputs()[0].Data {
				if b != 0 {
					t.Fatalf("%s %s: the check left its input behind", backend, name)
				}
			}
		}
	}
}

func TestWrongAnswers(t *testing.T) {
	cases := []struct {
		name  string
		spoil func(*Answer)
		want  error
		says  string
	}{
		{"one step off", func(a *Answer) { a.Outputs[1][3]++ }, ErrWrongAnswer, "output 1 element 3 is -1, want 0"},
		{"an output too few", func(a *Answer) { a.Outputs = a.Outputs[:2] }, ErrWrongAnswer, "has 2 outputs, the model 3"},
		{"an element too few", func(a *Answer) { a.Outputs[2] = a.Outputs[2][:1] }, ErrWrongAnswer, "output 2 has 2 elements, want 1"},
		{"an input nobody knows", func(a *Answer) { a.Input = "noise" }, ErrOptions, `input "noise"`},
		{"a seed that is none", func(a *Answer) { a.Input = "lcg:-1" }, ErrOptions, `input "lcg:-1"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := answer(t, "int8.tflite")
			c.spoil(a)
			_, err := Open(readModel(t, "int8.tflite"), Options{Name: "int8.tflite", Answer: a})
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "int8.tflite") {
				t.Errorf("%v, want %q and %v", err, c.says, c.want)
			}
		})
	}
}

func TestAnswerMayBeLoose(t *testing.T) {
	net := open(t, "int8.tflite", Options{})
	a := answer(t, "int8.tflite")
	a.Outputs[0][0] -= 2
	a.Outputs[1] = nil // not compared
	a.Tolerance = 2
	if err := CheckAnswer(net, *a); err != nil {
		t.Error(err)
	}
	a.Tolerance = 1
	if err := CheckAnswer(net, *a); !errors.Is(err, ErrWrongAnswer) {
		t.Error(err)
	}
	float := open(t, "float.tflite", Options{})
	if err := CheckAnswer(float, Answer{Input: "lcg:1", Outputs: [][]int{{1}, nil, nil}}); !errors.Is(err, ErrWrongAnswer) {
		t.Error(err)
	}
}

func TestConstantAnswerIsRefused(t *testing.T) {
	for _, backend := range backends {
		net := open(t, "constant.tflite", Options{Backend: backend})
		if err := CheckVaries(net); !errors.Is(err, ErrConstant) || !strings.Contains(err.Error(), "output 0") {
			t.Errorf("%s: %v", backend, err)
		}
		// Its own answer is right, and still it is refused.
		fill(net, 1)
		if err := net.Invoke(); err != nil {
			t.Fatal(err)
		}
		a := &Answer{Input: "lcg:1"}
		for _, out := range net.Outputs() {
			var list []int
			for _, v := range out.Int8() {
				list = append(list, int(v))
			}
			a.Outputs = append(a.Outputs, list)
		}
		_, err := Open(readModel(t, "constant.tflite"), Options{Name: "constant.tflite", Backend: backend, Answer: a})
		if !errors.Is(err, ErrConstant) || !strings.Contains(err.Error(), "constant.tflite") {
			t.Errorf("%s: %v", backend, err)
		}
	}
}

// fakeNet is an Interpreter whose answer the test sets; its second output
// never changes.
type fakeNet struct {
	in, out []Tensor
	err     error
}

func (f *fakeNet) Inputs() []Tensor  { return f.in }
func (f *fakeNet) Outputs() []Tensor { return f.out }
func (f *fakeNet) Backend() string   { return "fake" }
func (f *fakeNet) Close() error      { return nil }
func (f *fakeNet) Invoke() error {
	copy(f.out[0].Data, f.in[0].Data)
	return f.err
}

func TestChecksReportWhatAnInterpreterReports(t *testing.T) {
	tensor := func() Tensor {
		return Tensor{Name: "x", Type: UInt8, Shape: []int{4}, Scale: 1, Data: make([]byte, 4)}
	}
	net := &fakeNet{in: []Tensor{tensor()}, out: []Tensor{tensor(), tensor()}}
	if err := CheckVaries(net); !errors.Is(err, ErrConstant) || !strings.Contains(err.Error(), "output 1 (x)") {
		t.Error(err)
	}
	net.err = errors.New("on fire")
	if err := CheckVaries(net); !errors.Is(err, net.err) {
		t.Error(err)
	}
	if err := CheckAnswer(net, Answer{Input: "lcg:1", Outputs: make([][]int, 2)}); !errors.Is(err, net.err) {
		t.Error(err)
	}
	if Why(net) != "" {
		t.Errorf("%q", Why(net))
	}
}

func TestFill(t *testing.T) {
	// x = 1 gives 1015568748, 1586005467, 2165703038, 3027450565: their high bytes.
	want := []byte{60, 94, 129, 180}
	raw := Tensor{Type: Int8, Shape: []int{4}, Data: make([]byte, 4)}
	Fill(&raw, 1)
	float := Tensor{Type: Float32, Shape: []int{4}, Data: make([]byte, 16)}
	Fill(&float, 1)
	other := Tensor{Type: Int32, Shape: []int{1}, Data: []byte{1, 2, 3, 4}}
	Fill(&other, 1)
	for i, b := range want {
		if raw.Data[i] != b {
			t.Errorf("byte %d is %d, want %d", i, raw.Data[i], b)
		}
		if f := float.Float32()[i]; f != float32(b)/127.5-1 {
			t.Errorf("float %d is %g", i, f)
		}
		if other.Data[i] != 0 {
			t.Errorf("%v", other.Data)
		}
	}
}

func TestTensorValues(t *testing.T) {
	dst := make([]float32, 3)
	cases := []struct {
		t    Tensor
		want []float32
	}{
		{Tensor{Type: Int8, Shape: []int{3}, Scale: 0.5, ZeroPoint: -128, Data: []byte{0x80, 0, 0x7f}}, []float32{0, 64, 127.5}},
		{Tensor{Type: UInt8, Shape: []int{3}, Scale: 2, ZeroPoint: 1, Data: []byte{0, 1, 255}}, []float32{-2, 0, 508}},
		{Tensor{Type: Float32, Shape: []int{1}, Data: []byte{0, 0, 0x80, 0x3f}}, []float32{1}},
		{Tensor{Type: Int32, Shape: []int{1}, Data: []byte{1, 0, 0, 0}}, nil},
	}
	for _, c := range cases {
		n := c.t.Values(dst)
		if n != len(c.want) {
			t.Fatalf("%v: %d values, want %d", c.t.Type, n, len(c.want))
		}
		for i, w := range c.want {
			if math.Abs(float64(dst[i]-w)) > 1e-6 {
				t.Errorf("%v: value %d is %g, want %g", c.t.Type, i, dst[i], w)
			}
		}
		if c.t.Values(dst[:1]) > 1 {
			t.Errorf("%v: more values than room", c.t.Type)
		}
	}
	if n := testing.AllocsPerRun(10, func() { cases[0].t.Values(dst) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
