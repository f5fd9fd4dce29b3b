package tflite

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// copyModel puts a model where a C library can keep reading it: page-aligned,
// as the flatbuffer's own alignment demands, out of the collector's reach, and
// read-only, so that whoever changes the original, or strays, changes nothing.
// Free it with unix.Munmap.
func copyModel(model []byte) ([]byte, error) {
	mem, err := unix.Mmap(-1, 0, len(model), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes for the model: %w", len(model), err)
	}
	copy(mem, model)
	if err := unix.Mprotect(mem, unix.PROT_READ); err != nil {
		unix.Munmap(mem)
		return nil, fmt.Errorf("protect the model: %w", err)
	}
	return mem, nil
}
