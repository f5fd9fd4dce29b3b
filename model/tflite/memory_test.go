package tflite

import (
	"bytes"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A model that is read where it lies answers as a copy does, and is still there
// when the network is closed. One whose address is odd is copied all the same.
func TestModelInPlace(t *testing.T) {
	const name = "int8.tflite"
	model := readModel(t, name)
	for _, backend := range []string{LiteRT, TFLite} {
		for _, odd := range []int{0, 1} {
			mem, err := unix.Mmap(-1, 0, len(model)+odd, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Munmap(mem)
			lies := mem[odd:]
			copy(lies, model)
			net, err := Open(lies, Options{Name: name, Backend: backend, InPlace: true})
			if err != nil {
				t.Fatal(err)
			}
			fill(net, 1)
			if err := net.Invoke(); err != nil {
				t.Fatal(err)
			}
			compare(t, net, goldens(t)[name], 0)
			if err := net.Close(); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(lies, model) {
				t.Errorf("%s, odd by %d: the model is gone", backend, odd)
			}
		}
	}
}

func TestPlace(t *testing.T) {
	mem := make([]byte, 4096)
	aligned := mem[(flatbufferAlign-uintptr(unsafe.Pointer(&mem[0]))%flatbufferAlign)%flatbufferAlign:][:1000]
	for _, c := range []struct {
		model   []byte
		inPlace bool
		own     bool
	}{{aligned, true, false}, {aligned, false, true}, {aligned[1:], true, true}} {
		m, err := place(c.model, c.inPlace)
		if err != nil {
			t.Fatal(err)
		}
		if m.own != c.own || m.address()%flatbufferAlign != 0 || !bytes.Equal(m.bytes, c.model) {
			t.Errorf("in place %v: copied %v at %x", c.inPlace, m.own, m.address())
		}
		for range 2 {
			if err := m.free(); err != nil {
				t.Error(err)
			}
		}
	}
}
