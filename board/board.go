// Package board knows the boards mien runs on, as data: how each is
// recognised, which chip and line every header pin is, which serial port to
// use and how to free it, and where its health can be read.
//
// Sources: the device trees, GPIO drivers and bindings of the Linux kernel
// (arch/arm64/boot/dts/{broadcom,nvidia}, drivers/gpio/gpio-tegra186.c), the
// Raspberry Pi documentation, the pin tables of NVIDIA's Jetson.GPIO, and
// periph.io/x/host. None of it was tried on these boards yet; what an emulated
// Raspberry Pi 3 can show is shown by tools/hil.
package board

// Board is what does not change about one kind of board.
type Board struct {
	ID   string // "pi4b", "orin-nano"
	Name string // "Raspberry Pi 4 Model B"
	SoC  string // "BCM2711"
	// Compatible are the strings of the device tree's root that name this
	// board and no other here.
	Compatible []string
	Pins       []Pin // header pins that are lines, by number
	Serial     []Serial
	// Thermal are the types of the thermal zones near the processor, the best
	// first.
	Thermal     []string
	USB         string // what to mind when a camera is plugged in
	Accelerator string // what there is, and what mien can use of it
	Watchdog    string // driver of /dev/watchdog and its longest timeout
	// NoPull: the kernel of the newest system for the board is older than 5.5, and
	// cannot set an input's pull resistor.
	NoPull bool
	Notes  []string

	// chips are the GPIO chips with header pins, the main one first.
	chips []chip
}

// Pin is one pin of the 40-pin header that is a GPIO line.
type Pin struct {
	Number int    // 1 to 40
	Name   string // as the SoC or the kernel calls it: "GPIO17", "PQ.05"
	Chip   string // chip label
	Line   int    // offset on that chip
	// PullUp: the pin is pulled up from power-on until somebody takes it, so
	// that a relay on it that closes on a high level closes at boot.
	PullUp bool
	Use    string // what else this pin is for, if its function is switched on
	Only   string // "output" or "input" where the carrier board allows no other
}

// Serial is one serial port of the board.
type Serial struct {
	Path  string // "/dev/ttyAMA0"
	Pins  string // where it comes out
	Use   bool   // the one to take
	Notes string // how to switch it on and free it, what it cannot do
}

// All lists the boards, in no order that matters.
func All() []*Board { return boards }

// ByID finds a board by its ID.
func ByID(id string) (*Board, bool) {
	for _, b := range boards {
		if b.ID == id {
			return b, true
		}
	}
	return nil, false
}

// Chips are the labels of the GPIO chips with header pins, the main one first.
func (b *Board) Chips() []string {
	var labels []string
	for _, c := range b.chips {
		labels = append(labels, c.label)
	}
	return labels
}

var boards = []*Board{pi3b, pi3bPlus, pi4b, pi5, piZero2W, nano, xavierNX, orinNano, orinNX, agxOrin}
