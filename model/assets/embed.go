package assets

import (
	_ "embed"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// CardName stands for the embedded card in messages, as its path would.
const CardName = "affect.json (in the binary)"

// DemoFPS is the demo clip's frames a second.
const DemoFPS = 15

var (
	//go:embed affect.json
	card []byte
	//go:embed affect.tflite
	network []byte
	//go:embed demo.mjpeg
	demo []byte
	//go:embed demo.json
	demoScript []byte
)

// Card is the model card of the network in the binary: JSON, for
// affect.ParseCard. Not to be written to, like all that follows.
func Card() []byte { return card }

// Network is the network in the binary, a .tflite file.
func Network() []byte { return network }

// Demo is the demo clip: motion JPEG, grey, a rendered head that frowns,
// smiles, closes its eyes, is surprised and goes away. No real person.
func Demo() []byte { return demo }

// Idle lets the pages of Network or Demo leave resident memory, for whoever has
// read them and will not soon again: reading brings them back from the binary.
// Of other bytes it does nothing.
func Idle(data []byte) {
	if p := unsafe.SliceData(data); p == nil || p != unsafe.SliceData(network) && p != unsafe.SliceData(demo) {
		return
	}
	// Whole pages of them only: other variables are next to it.
	page, start := uintptr(os.Getpagesize()), uintptr(unsafe.Pointer(unsafe.SliceData(data)))
	from, to := (start+page-1)&^(page-1)-start, (start+uintptr(len(data)))&^(page-1)-start
	if from < to && to <= uintptr(len(data)) {
		unix.Madvise(data[from:to:to], unix.MADV_DONTNEED) // a kernel that will not keeps them
	}
}

// DemoScript tells, in JSON, the clip's size, rate and origin, and what happens
// when.
func DemoScript() []byte { return demoScript }
