// Package board knows the boards mien runs on, as data: how each is
// recognised, which chip and line every header pin is, which serial port to
// use and how to free it, and where its health can be read.
package board

import "path/filepath"

// Board is what does not change about one kind of board.
type Board struct {
	ID   string // "pi4b", "orin-nano"
	Name string // "Raspberry Pi 4 Model B"
	SoC  string // "BCM2711"
	// Compatible are the device tree strings that name this board and no other
	// in this package, most particular first.
	Compatible  []string
	Chips       []string // GPIO chip labels, main one first
	Pins        []Pin    // header pins that are lines, in order of their number
	Serial      []Serial
	USB         string   // what to mind when plugging in a camera
	Accelerator string   // what there is, and what mien can use of it
	Watchdog    string   // driver of /dev/watchdog and its longest timeout
	Thermal     []string // types of the thermal zones to watch, best first
	Notes       []string
}

// Pin is one pin of the 40-pin header that is a GPIO line.
type Pin struct {
	Number int    // 1 to 40
	Name   string // the SoC's or kernel's name: "GPIO17", "PQ.05"
	Chip   string // chip label
	Line   int    // offset on that chip
	// OldLine is the offset under the older kernel that Board.Notes names, or
	// equal to Line.
	OldLine int
	// PullUp: the pin is pulled up from power-on until software changes it, so
	// a relay on it that is active high closes at boot.
	PullUp bool
	Use    string // function that the board's default set-up has for it, or empty
}

// Serial is one serial port of the board.
type Serial struct {
	Path  string // "/dev/serial0"
	Pins  string // where it is wired
	Use   bool   // the one to take
	Notes string // how to free it from the console, what it cannot do
}

// deviceTree is the folder of the live device tree under a root.
func deviceTree(root string) string { return filepath.Join(root, "proc", "device-tree") }
