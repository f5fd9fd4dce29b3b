package tflite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mien/model/assets"
)

func TestForeignFiles(t *testing.T) {
	lite := readModel(t, "int8.tflite")
	cases := []struct {
		name, file string
		want       error
		says       string
	}{
		{"nothing", "", ErrForeign, "empty"},
		{"three bytes", "TFL", ErrForeign, "TFL3"},
		{"a text", "a model of a face\n", ErrForeign, "TFL3"},
		{"a git-lfs pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:00\n", ErrForeign, "git-lfs"},
		{"a web page", "<!DOCTYPE html><title>404</title>", ErrForeign, "web page"},
		{"a keras file", "PK\x03\x04\x14\x00\x00\x00config.json", ErrForeign, "zip archive"},
		{"keras weights", "\x89HDF\r\n\x1a\n", ErrForeign, "HDF5"},
		{"a library", "\x7fELF\x02\x01\x01\x00", ErrForeign, "library"},
		{"onnx", "\x08\x07\x12\x07pytorch\x1a\x052.9.0", ErrForeign, "ONNX"},
		{"an old model", "\x1c\x00\x00\x00TFL2\x00\x00", ErrForeign, `"TFL2"`},
		{"only the mark", "\x08\x00\x00\x00TFL3", ErrDamaged, "copy it again"},
		{"a root that points at itself", "\x00\x00\x00\x00TFL3", ErrDamaged, "copy it again"},
		{"a root out of the file", "\xf0\xff\xff\xffTFL3" + string(lite[8:64]), ErrDamaged, "out of the file"},
		{"zeros after the mark", "\x18\x00\x00\x00TFL3" + strings.Repeat("\x00", 4096), ErrDamaged, "copy it again"},
		{"ones after the mark", "\x18\x00\x00\x00TFL3" + strings.Repeat("\xff", 4096), ErrDamaged, "copy it again"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open([]byte(c.file), Options{Name: "/var/lib/mien/ours.tflite"})
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "/var/lib/mien/ours.tflite") {
				t.Errorf("%v, want %v and %q", err, c.want, c.says)
			}
		})
	}
}

func TestModelsThatCannotRun(t *testing.T) {
	cases := []struct {
		file string
		want error
		says string
	}{
		{"behind.tflite", ErrUnsupported, "write the weights into it"},
		{"custom.tflite", ErrUnsupported, `custom operator "NobodysOperator"`},
		{"edgetpu.tflite", ErrNeedsEdgeTPU, "before edgetpu_compiler"},
	}
	for _, c := range cases {
		for _, backend := range backends {
			_, err := Open(readModel(t, c.file), Options{Name: c.file, Backend: backend})
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), c.file) {
				t.Errorf("%s: %v, want %v and %q", backend, err, c.want, c.says)
			}
		}
	}
}

func TestOtherInputShape(t *testing.T) {
	for _, backend := range backends {
		if net, err := Open(readModel(t, "int8_24.tflite"), Options{Backend: backend, Input: []int{1, 24, 24, 1}}); err != nil {
			t.Error(err)
		} else {
			net.Close()
		}
		_, err := Open(readModel(t, "int8_24.tflite"), Options{Name: "int8_24.tflite", Backend: backend, Input: []int{1, 16, 16, 1}})
		if !errors.Is(err, ErrShape) {
			t.Fatal(err)
		}
		for _, s := range []string{"int8_24.tflite", "[1 24 24 1]", "[1 16 16 1]", "card"} {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%q lacks %q", err, s)
			}
		}
	}
}

// TestCutShort cuts models at every 61st byte: always an error that says so,
// never a model.
func TestCutShort(t *testing.T) {
	for _, name := range []string{"int8.tflite", "operators_float.tflite", "activations_float.tflite", assets.FaceShort} {
		model := readModel(t, name)
		step := max(61, len(model)/500)
		for n := 8; n < len(model)-16; n += step {
			_, err := Check(name, model[:n])
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "SHA-256") {
				t.Fatalf("%d of %d bytes: %v", n, len(model), err)
			}
		}
	}
}

func TestDescription(t *testing.T) {
	d, err := Check("", readModel(t, "activations_float.tflite"))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Inputs) != 1 || !slices.Equal(d.Inputs[0].Shape, []int{1, 8, 8, 2}) || d.Inputs[0].Type != Float32 || d.EdgeTPU {
		t.Errorf("%+v", d)
	}
	if d, err = Check("", readModel(t, "edgetpu.tflite")); err != nil || !d.EdgeTPU {
		t.Errorf("%+v %v", d, err)
	}
}

// edit changes a copy of a model: put writes a number at a place that find
// gives from the file's tables.
func edit(t *testing.T, name string, put uint32, find func(graph table) int) []byte {
	t.Helper()
	m := bytes.Clone(readModel(t, name))
	f := &flatbuffer{data: m}
	pos := find(f.table(f.offset(0)).tables(2)[0])
	if f.err != nil || pos == 0 {
		t.Fatalf("%s: place not found: %v", name, f.err)
	}
	binary.LittleEndian.PutUint32(m[pos:], put)
	return m
}

// operand gives the place of input k of operator i.
func operand(i, k int) func(table) int {
	return func(g table) int { return g.tables(3)[i].vector(1, 4).pos + 4*k }
}

// option gives the place of a 32-bit option of operator i.
func option(i, slot int) func(table) int {
	return func(g table) int { return g.tables(3)[i].table(4).field(slot, 4) }
}

// dimension gives the place of dimension k of the output of operator i.
func dimension(i, k int) func(table) int {
	return func(g table) int { return g.tables(0)[g.tables(3)[i].ints(2)[0]].vector(0, 4).pos + 4*k }
}

// TestDamageIsNamed changes one number of a model's graph at a time to what has
// crashed a library, or would.
func TestDamageIsNamed(t *testing.T) {
	const minus = 0xffffffff
	cases := []struct {
		name  string
		model []byte
		says  string
	}{
		{"an operand past the list", edit(t, "int8.tflite", 999, operand(3, 0)), "operator 3: reads tensor 999"},
		{"an operand before the list", edit(t, "int8.tflite", minus, operand(3, 1)), "operator 3: reads tensor -1"},
		{"an operand of the far end", edit(t, "int8.tflite", 1<<31, operand(3, 1)), "operator 3: reads tensor -2147483648"},
		{"its own result", edit(t, "int8.tflite", 20, operand(0, 0)), "operator 0: reads tensor 20"},
		{"a picture without width", edit(t, "int8.tflite", 0, dimension(0, 2)), "shape [1 8 0 8]"},
		{"a picture below nothing", edit(t, "int8.tflite", minus, dimension(0, 1)), "shape [1 -1 8 8]"},
		{"a picture of terabytes", edit(t, "int8.tflite", 1<<30, dimension(0, 1)), "shape [1 1073741824 8 8]"},
		{"an operator that is not there", edit(t, "int8.tflite", 77, func(g table) int { return g.tables(3)[1].field(0, 4) }), "operator 1: code 77"},
		{"a buffer that is not there", edit(t, "int8.tflite", 7777, func(g table) int { return g.tables(0)[5].field(2, 4) }), "tensor 5: buffer 7777"},
		{"a scale of 0", edit(t, "int8.tflite", 0, func(g table) int { return g.tables(0)[0].table(4).vector(2, 4).pos }), "tensor 0: scale 0"},
		{"a scale that is no number", edit(t, "int8.tflite", 0x7fc00000, func(g table) int { return g.tables(0)[0].table(4).vector(2, 4).pos }), "tensor 0: scale NaN"},
		{"an endless scale", edit(t, "int8.tflite", 0x7f800000, func(g table) int { return g.tables(0)[0].table(4).vector(2, 4).pos }), "tensor 0: scale +Inf"},
		{"a zero point out of int8", edit(t, "int8.tflite", 4000, func(g table) int { return g.tables(0)[0].table(4).vector(3, 8).pos }), "zero point 4000 for int8"},
		{"an input that is not there", edit(t, "int8.tflite", 4000, func(g table) int { return g.vector(1, 4).pos }), "input 0 is tensor 4000"},
		{"an output that is not there", edit(t, "int8.tflite", 4000, func(g table) int { return g.vector(2, 4).pos }), "output 0 is tensor 4000"},
		{"an output twice", edit(t, "int8.tflite", 25, func(g table) int { return g.vector(2, 4).pos }), "is tensor 25"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Check("ours.tflite", c.model)
			if err == nil || !(errors.Is(err, ErrDamaged) || errors.Is(err, ErrUnsupported)) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

// TestDamageInOperators changes one number of an operator at a time to what has
// crashed a library, or would: each library refuses it, or its child dies of it,
// or it knows a sane meaning. This process lives.
func TestDamageInOperators(t *testing.T) {
	const minus = 0xffffffff
	cases := []struct {
		name  string
		model []byte
	}{
		{"a stride of 0", edit(t, "int8.tflite", 0, option(0, 1))},
		{"a stride below 0", edit(t, "int8.tflite", minus, option(0, 2))},
		{"a depth multiplier of 0", edit(t, "int8.tflite", 0, option(1, 3))},
		{"a pooling window of 0", edit(t, "int8.tflite", 0, option(4, 3))},
		{"a huge pooling window", edit(t, "int8.tflite", 1<<30, option(4, 4))},
		{"a result of another size", edit(t, "int8.tflite", 9, dimension(0, 1))},
		{"an axis past the last", edit(t, "operators_float.tflite", 4, option(17, 0))},
	}
	for _, c := range cases {
		for _, backend := range backends {
			t.Run(c.name+"/"+backend, func(t *testing.T) {
				if _, err := Check("ours.tflite", c.model); err != nil {
					t.Fatalf("Check: %v: the case does not reach a library", err)
				}
				net, err := Open(c.model, Options{Name: "ours.tflite", Backend: backend})
				if err == nil {
					t.Log("it runs")
					net.Close()
				} else if t.Log(err); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "ours.tflite") {
					t.Error("want ErrRefused and the name")
				}
			})
		}
	}
}

// FuzzCheck looks for a file that makes Check itself fail, or that it reads in
// two ways.
func FuzzCheck(f *testing.F) {
	files, err := filepath.Glob("testdata/*.tflite")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		f.Add(readModel(f, filepath.Base(name)))
	}
	f.Fuzz(func(t *testing.T, model []byte) {
		d, err := Check("fuzz", model)
		if (d == nil) == (err == nil) {
			t.Fatalf("%v, %v", d, err)
		}
		if err != nil {
			if !errors.Is(err, ErrForeign) && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrUnsupported) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		if len(d.Inputs) == 0 || len(d.Outputs) == 0 {
			t.Fatalf("%+v", d)
		}
		for _, ends := range slices.Concat(d.Inputs, d.Outputs) {
			if ends.Len() < 1 || ends.Type.Size() == 0 {
				t.Fatalf("%+v", ends)
			}
		}
	})
}
