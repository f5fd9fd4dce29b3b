package tflite

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// modelMemory is a model where a C library can keep reading it: aligned as the
// flatbuffer demands, out of the collector's reach, and read-only, so that
// whoever strays changes nothing.
type modelMemory struct {
	bytes []byte
	own   bool // a mapping of its own, to be unmapped
}

// flatbufferAlign is the alignment of a model's constants (force_align of Buffer
// in tensorflow/lite/schema/schema.fbs).
const flatbufferAlign = 16

// place brings a model into such memory: a copy, or with inPlace, where it is
// aligned, itself.
func place(model []byte, inPlace bool) (modelMemory, error) {
	if start := uintptr(unsafe.Pointer(unsafe.SliceData(model))); inPlace && start%flatbufferAlign == 0 {
		// The whole pages between its ends: what else is in those is not ours.
		page := uintptr(os.Getpagesize())
		from, to := (start+page-1)&^(page-1)-start, (start+uintptr(len(model)))&^(page-1)-start
		if from < to && to <= uintptr(len(model)) {
			if err := unix.Mprotect(model[from:to:to], unix.PROT_READ); err != nil {
				return modelMemory{}, fmt.Errorf("protect the model: %w", err)
			}
		}
		return modelMemory{bytes: model}, nil
	}
	mem, err := unix.Mmap(-1, 0, len(model), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return modelMemory{}, fmt.Errorf("map %d bytes for the model: %w", len(model), err)
	}
	copy(mem, model)
	if err := unix.Mprotect(mem, unix.PROT_READ); err != nil {
		unix.Munmap(mem)
		return modelMemory{}, fmt.Errorf("protect the model: %w", err)
	}
	return modelMemory{mem, true}, nil
}

// address is what a library is given.
func (m *modelMemory) address() uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(m.bytes))) }

// free lets the model go; the second time does nothing.
func (m *modelMemory) free() error {
	mem, own := m.bytes, m.own
	*m = modelMemory{}
	if !own {
		return nil
	}
	return unix.Munmap(mem)
}
