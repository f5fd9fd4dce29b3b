package gpio

import (
	"cmp"
	"fmt"
	"sync"
	"time"

	"mien/drivers/device"
)

// Fake is a Host without hardware, for tests and for demos on machines without
// pins. Its lines hold levels, record every change, are driven from outside,
// and fail when they are told to. It keeps the rules of the kernel: a line has
// one holder, a vanished chip takes its lines with it, a released line stays
// at its last level (as on a Raspberry Pi).
//
// Set the fields before the first use.
type Fake struct {
	// Now is the clock of edges, of debouncing and of the waits. Nil is
	// CLOCK_MONOTONIC. A clock of the test's own needs Tick after it moved.
	Now func() time.Duration
	// Faults are looked at in order at every call; the first that fits decides.
	// Fail and Heal change them while lines are in use.
	Faults []Fault
	// Keep is how many level changes are kept; 0 is 1,000. The oldest go
	// first.
	Keep int

	mu      sync.Mutex // covers all below
	chips   []*fakeChip
	calls   []int      // how often each fault's call was made
	changes []Change   // a ring of Keep
	count   int        // changes ever made
	changed *sync.Cond // on mu: a level, a holder or the clock changed
}

// FakeChip describes one chip of a Fake: its label, and one name a line, ""
// for a line without a name.
type FakeChip struct {
	Label string
	Lines []string
}

// Op is a call that a Fault can let fail.
type Op uint8

const (
	OpOutput Op = iota // Host.Output
	OpInput            // Host.Input
	OpChips            // Host.Chips
	OpSet              // Output.Set and Output.Fail
	OpRead             // Output.Active, Input.Active
	OpWait             // Input.Wait
	OpClose            // Close of either
)

// Fault lets calls fail with Err: the At-th call of this kind on this line (1
// is the next), and Count-1 more after it. Line is as Line.String gives it, or
// empty for any. At 0 is 1; Count 0 is 1, -1 is for ever.
type Fault struct {
	Op        Op
	Line      string
	At, Count int
	Err       error
}

// Change is one change of a physical level.
type Change struct {
	At     time.Duration
	Chip   string
	Offset int
	Name   string
	High   bool
}

// Level is one line as it stands, for a picture of the whole.
type Level struct {
	Chip     string
	Offset   int
	Name     string
	Consumer string // empty: nobody holds it
	Output   bool
	High     bool
	Since    time.Duration // when it last changed
}

type fakeChip struct {
	label string
	gone  bool
	lines []*fakeLine
}

type fakeLine struct {
	chip     *fakeChip
	offset   int
	name     string
	consumer string
	output   bool
	actLow   bool
	high     bool // the level on the pin
	latch    bool // the level written to it
	held     *bool
	since    time.Duration
	holder   any        // *fakeOutput or *fakeInput, whose handle is still good
	in       *fakeInput // where edges go
}

var _ Host = (*Fake)(nil)

// NewFake makes a host with these chips; all lines are low inputs nobody holds.
func NewFake(chips ...FakeChip) *Fake {
	f := &Fake{}
	f.changed = sync.NewCond(&f.mu)
	for _, c := range chips {
		chip := &fakeChip{label: c.Label}
		for i, name := range c.Lines {
			chip.lines = append(chip.lines, &fakeLine{chip: chip, offset: i, name: name})
		}
		f.chips = append(f.chips, chip)
	}
	return f
}

// Drive puts a level on a line from outside, as a button or the wiring would.
// On an output it does so against the driver, which then reads back another
// value, until Release.
func (f *Fake) Drive(l Line, high bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	line := f.must(l)
	line.held = &high
	f.move(line, high)
}

// Bounce is a contact that closes badly: it goes to the level and back n times
// and then stays there. pause is called between the changes, to sleep or to
// move the test's clock.
func (f *Fake) Bounce(l Line, high bool, n int, pause func()) {
	for range n {
		f.Drive(l, high)
		pause()
		f.Drive(l, !high)
		pause()
	}
	f.Drive(l, high)
}

// Release takes away what Drive put on: an output has its own level again, an
// input keeps the last one.
func (f *Fake) Release(l Line) {
	f.mu.Lock()
	defer f.mu.Unlock()
	line := f.must(l)
	line.held = nil
	if line.output {
		f.move(line, line.latch)
	}
}

// Take lets another consumer hold a line; with "" it releases it.
func (f *Fake) Take(l Line, consumer string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	line := f.must(l)
	line.consumer, line.holder, line.in = consumer, nil, nil
}

// Remove lets a chip vanish, as an unplugged USB expander does: its open lines
// report ErrGone from then on, also after Restore.
func (f *Fake) Remove(label string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.chips {
		if c.label != label {
			continue
		}
		c.gone = true
		for _, line := range c.lines {
			line.consumer, line.holder, line.in = "", nil, nil
		}
	}
	f.changed.Broadcast()
}

// Restore brings a removed chip back. Its lines must be requested again.
func (f *Fake) Restore(label string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.chips {
		if c.label == label {
			c.gone = false
		}
	}
}

// Fail adds a fault.
func (f *Fake) Fail(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Faults = append(f.Faults, fault)
}

// Heal takes all faults away.
func (f *Fake) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Faults, f.calls = nil, nil
}

// Tick lets all waits look at the clock again. Call it after a clock of your
// own has moved.
func (f *Fake) Tick() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changed.Broadcast()
}

// High is the physical level of a line.
func (f *Fake) High(l Line) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.must(l).high
}

// Changes are the level changes so far, oldest first, at most Keep.
func (f *Fake) Changes() []Change {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]Change, 0, len(f.changes))
	for i := max(f.count-len(f.changes), 0); i < f.count; i++ {
		all = append(all, f.changes[i%len(f.changes)])
	}
	return all
}

// Levels appends how every line that is held or driven stands, in the order of
// chips and offsets, so that a view can draw them. Pass the slice of the call
// before with length 0 to allocate nothing.
func (f *Fake) Levels(dst []Level) []Level {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.chips {
		for _, l := range c.lines {
			if c.gone || (l.consumer == "" && l.held == nil) {
				continue
			}
			dst = append(dst, Level{Chip: c.label, Offset: l.offset, Name: l.name, Consumer: l.consumer,
				Output: l.output, High: l.high, Since: l.since})
		}
	}
	return dst
}

func (f *Fake) Chips() ([]Chip, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault(OpChips, ""); err != nil {
		return nil, fmt.Errorf("gpio chips: %w", err)
	}
	var chips []Chip
	for i, c := range f.chips {
		if c.gone {
			continue
		}
		d := Chip{Name: fmt.Sprintf("gpiochip%d", i), Label: c.label}
		for _, l := range c.lines {
			d.Lines = append(d.Lines, LineInfo{Offset: l.offset, Name: l.name, Consumer: l.consumer,
				Used: l.consumer != "", Output: l.output, ActiveLow: l.actLow})
		}
		chips = append(chips, d)
	}
	return chips, nil
}

// time needs mu only for Now to be set before.
func (f *Fake) time() time.Duration {
	if f.Now != nil {
		return f.Now()
	}
	return device.Now()
}

// move needs mu. It puts a level on a line and tells who listens.
func (f *Fake) move(l *fakeLine, high bool) {
	if l.high == high {
		return
	}
	at := f.time()
	l.high, l.since = high, at
	if len(f.changes) == 0 {
		f.changes = make([]Change, cmp.Or(f.Keep, 1000))
	}
	f.changes[f.count%len(f.changes)] = Change{At: at, Chip: l.chip.label, Offset: l.offset, Name: l.name, High: high}
	f.count++
	if l.in != nil {
		l.in.feed(high, at)
	}
	f.changed.Broadcast()
}

// fault needs mu. It counts a call and gives the error it shall end with.
func (f *Fake) fault(op Op, line string) error {
	for len(f.calls) < len(f.Faults) {
		f.calls = append(f.calls, 0)
	}
	var err error
	for i, x := range f.Faults {
		if x.Op != op || (x.Line != "" && x.Line != line) {
			continue
		}
		f.calls[i]++
		first, count := max(x.At, 1), max(x.Count, 1)
		if f.calls[i] >= first && (x.Count < 0 || f.calls[i] < first+count) && err == nil {
			err = x.Err
		}
	}
	return err
}

// must needs mu.
func (f *Fake) must(l Line) *fakeLine {
	line, err := f.find(l)
	if err != nil {
		panic("gpio.Fake: " + err.Error()) // a mistake in a test, not a fault to handle
	}
	return line
}

// find needs mu. It gives the same errors as the kernel's chips.
func (f *Fake) find(l Line) (*fakeLine, error) {
	var labels []string
	for i, c := range f.chips {
		if c.gone {
			continue
		}
		labels = append(labels, c.label)
		if l.Chip != "" && l.Chip != c.label && l.Chip != fmt.Sprintf("gpiochip%d", i) {
			continue
		}
		if l.Name == "" && l.Chip != "" {
			if l.Offset < 0 || l.Offset >= len(c.lines) {
				return nil, outOfRange(l, c.label, len(c.lines))
			}
			return c.lines[l.Offset], nil
		}
		for _, line := range c.lines {
			if l.Name != "" && line.name == l.Name {
				return line, nil
			}
		}
	}
	return nil, missing(l, labels)
}
