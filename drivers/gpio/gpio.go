// Package gpio drives output lines and reads input lines of the Linux GPIO
// character device, and ships the fake that demos and tests use in its place.
//
//   - Lines are found by chip label and offset, or by line name: chip numbers
//     move between boots and kernels.
//   - An output is requested together with its polarity and its first value,
//     in one ioctl: there is no moment at which it has another value.
//   - Every write is read back where the hardware can tell; every output has
//     a fail value, driven by Fail and by Close.
//   - Inputs are debounced and edge-triggered, with the kernel's timestamps.
//   - Pin makes periph.io's gpio.PinIO of any line.
//
// Values are logical (active or not); polarity is a setting of the line. Only
// Pin and the fake speak of physical levels.
//
// The kernel interface is include/uapi/linux/gpio.h, its contract
// Documentation/userspace-api/gpio. Both uAPI versions are spoken: version 2
// from Linux 5.10, version 1 for the 4.9 kernels of JetPack 4.
//
//	out, err := gpio.Kernel.Output(gpio.OutputSettings{
//		Line: gpio.Line{Chip: "pinctrl-bcm2711", Offset: 17},
//	})
//	if err != nil {
//		return err
//	}
//	defer out.Close()
//	err = out.Set(true)
package gpio

import (
	"errors"
	"fmt"
	"time"
)

// Consumer is the name under which the kernel shows our lines to others, e.g.
// to gpioinfo.
const Consumer = "mien"

// Errors on which a caller decides. All are wrapped with the line's name and
// with what was tried; "no permission" is fs.ErrPermission.
var (
	// ErrNoChip: no chip has this label; the message lists those that exist.
	ErrNoChip = errors.New("no such gpio chip")
	// ErrNoLine: the chip has no such offset or line name.
	ErrNoLine = errors.New("no such gpio line")
	// ErrBusy: another holds the line; the message names it.
	ErrBusy = errors.New("gpio line is taken")
	// ErrGone: the chip has vanished (unplugged or unbound). Close the line
	// and open it again.
	ErrGone = errors.New("gpio chip is gone")
	// ErrMismatch: the line was written and reads back another value: a short,
	// a broken driver stage, or another that drives it.
	ErrMismatch = errors.New("gpio line reads back another value")
	// ErrTimeout: no edge in the given time.
	ErrTimeout = errors.New("no gpio edge in time")
	// ErrClosed: the line was closed.
	ErrClosed = errors.New("gpio line is closed")
)

// Line says which line is meant: Name alone (looked for on all chips), Chip
// and Name, or Chip and Offset. Chip is a label ("pinctrl-rp1") or a device
// name ("gpiochip4", "/dev/gpiochip4"). Offset counts only if Name is empty.
type Line struct {
	Chip   string
	Offset int
	Name   string
}

// String is the name used in messages: "PQ.05", "pinctrl-rp1:17".
func (l Line) String() string {
	switch {
	case l.Name == "":
		return fmt.Sprintf("%s:%d", l.Chip, l.Offset)
	case l.Chip == "":
		return l.Name
	}
	return l.Chip + ":" + l.Name
}

// Drive says which levels an output drives itself.
type Drive uint8

const (
	PushPull   Drive = iota // both levels
	OpenDrain               // low only; high is left to a pull-up
	OpenSource              // high only; low is left to a pull-down
)

// Pull is the resistor of an input. Kernels before 5.5 cannot set it: then the input
// has what the board gives it, and a method Warning that says so.
type Pull uint8

const (
	PullAsIs Pull = iota // as the board set it
	PullNone
	PullUp
	PullDown
)

// OutputSettings ask for an output.
type OutputSettings struct {
	Line      Line
	ActiveLow bool // active is the low level
	Drive     Drive
	Start     bool // value with which the line is requested
	Fail      bool // value that Fail and Close drive
	// NoReadBack leaves out the check after each write, for a line that others
	// may hold down on purpose.
	NoReadBack bool
}

// Drives tells whether the line itself drives a value. The other value of an open
// drive is left to a resistor, and to whoever else is on the line: reading it back
// proves nothing.
func (s OutputSettings) Drives(active bool) bool {
	high := active != s.ActiveLow
	return s.Drive == PushPull || high == (s.Drive == OpenSource)
}

// Output is one output line. Its methods may be called from any goroutine.
type Output interface {
	// Set drives the line active or inactive and reads it back. Errors:
	// ErrMismatch, ErrGone, ErrClosed.
	Set(active bool) error
	// Active reads the value back from the hardware. What it proves depends on
	// the chip: the level on the pin (Raspberry Pi), or only what the output
	// register holds (Tegra, PL061). A chip that cannot read its outputs gives
	// what was written.
	Active() (bool, error)
	// Fail drives the fail value and keeps the line.
	Fail() error
	// Close drives the fail value and releases the line. A Raspberry Pi keeps
	// a released line at its last level, a Jetson with JetPack 6 returns it to
	// its reset state. Close releases also when the fail value could not be
	// driven, and says so.
	Close() error
}

// InputSettings ask for an input.
type InputSettings struct {
	Line      Line
	ActiveLow bool
	Pull      Pull
	// Debounce is how long the level must stand still before it counts; 0 is
	// off. The kernel does it where it can (uAPI version 2), else this package.
	Debounce time.Duration
	// NoEdges asks for a line that is only read with Active.
	NoEdges bool
}

// Edge is one change of an input, after debouncing.
type Edge struct {
	Active bool
	// At is the kernel's timestamp on CLOCK_MONOTONIC. With debouncing it is
	// the moment at which the new level had stood still long enough.
	At time.Duration
	// Lost counts the edges that overflowed the kernel's buffer since the edge
	// before. After a loss, ask Active.
	Lost uint32
}

// Input is one input line. Wait is for one goroutine, the other methods for
// any.
type Input interface {
	// Active is the level now, debounced.
	Active() (bool, error)
	// Wait returns the next edge, or ErrTimeout, ErrGone, ErrClosed. A negative
	// timeout waits for ever. Close ends a Wait.
	Wait(timeout time.Duration) (Edge, error)
	Close() error
}

// Host has chips with lines: Kernel is the machine's, a Fake is ours.
type Host interface {
	Output(OutputSettings) (Output, error)
	Input(InputSettings) (Input, error)
	// Chips lists what there is, for people. It needs no line to be free.
	Chips() ([]Chip, error)
}

// Chip is one GPIO controller as the kernel describes it.
type Chip struct {
	Name  string // "gpiochip0"
	Label string // "pinctrl-bcm2711"; empty when Err is set
	Lines []LineInfo
	Err   error // why it could not be opened, with the way out
}

// LineInfo is one line as the kernel describes it.
type LineInfo struct {
	Offset    int
	Name      string // from the device tree; often empty
	Consumer  string // who holds it
	Used      bool
	Output    bool
	ActiveLow bool
}
