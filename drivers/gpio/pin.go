package gpio

import (
	"errors"
	"fmt"
	"sync"
	"time"

	periph "periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/pin"

	"mien/drivers/device"
)

// Pin is a line as periph.io sees it, so that its device drivers work on our
// lines, with a fake as well as with the kernel. It speaks of physical levels.
//
// Other than periph's own gpioioctl, Out requests the line together with its
// level, so there is no glitch, and Read and Function leave an output as it
// is. A Pin holds its line from the first In or Out until Halt.
type Pin struct {
	host Host
	line Line
	fail periph.Level
	pull periph.Pull

	mu   sync.Mutex // covers all below
	out  Output
	in   Input
	edge periph.Edge
}

var (
	_ periph.PinIO = (*Pin)(nil)
	_ pin.Pin      = (*Pin)(nil)
)

// NewPin makes a Pin of a line; nothing is requested yet. fail is the level
// that Halt and In leave an output at.
func NewPin(h Host, l Line, fail periph.Level) *Pin { return &Pin{host: h, line: l, fail: fail} }

func (p *Pin) String() string { return p.line.String() }

// Name is the line's name, or chip and offset.
func (p *Pin) Name() string { return p.line.String() }

// Number is the offset on the chip, or -1 for a line that is known by name.
func (p *Pin) Number() int {
	if p.line.Name != "" {
		return -1
	}
	return p.line.Offset
}

// Function is "In/High" and the like, or "" while the line is not held.
func (p *Pin) Function() string {
	p.mu.Lock()
	out, in := p.out != nil, p.in != nil
	p.mu.Unlock()
	switch {
	case out:
		return "Out/" + p.Read().String()
	case in:
		return "In/" + p.Read().String()
	}
	return ""
}

// Halt ends edge detection, drives an output to its fail level, and releases
// the line.
func (p *Pin) Halt() error {
	p.mu.Lock()
	out, in := p.out, p.in
	p.out, p.in, p.edge = nil, nil, periph.NoEdge
	p.mu.Unlock()
	var err error
	if out != nil {
		err = out.Close()
	}
	if in != nil {
		err = errors.Join(err, in.Close())
	}
	return err
}

// In makes the line an input. A WaitForEdge under way ends.
func (p *Pin) In(pull periph.Pull, edge periph.Edge) error {
	if edge < periph.NoEdge || edge > periph.BothEdges {
		return fmt.Errorf("gpio line %v: %v is no edge", p.line, edge)
	}
	if err := p.Halt(); err != nil && !errors.Is(err, ErrGone) {
		return err
	}
	s := InputSettings{Line: p.line, NoEdges: edge == periph.NoEdge}
	switch pull {
	case periph.PullUp:
		s.Pull = PullUp
	case periph.PullDown:
		s.Pull = PullDown
	case periph.Float:
		s.Pull = PullNone
	}
	in, err := p.host.Input(s)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.in, p.edge, p.pull = in, edge, pull
	return nil
}

// Out makes the line an output with this level, or sets the level of one.
func (p *Pin) Out(l periph.Level) error {
	p.mu.Lock()
	out := p.out
	p.mu.Unlock()
	if out != nil {
		return out.Set(bool(l))
	}
	if err := p.Halt(); err != nil && !errors.Is(err, ErrGone) {
		return err
	}
	out, err := p.host.Output(OutputSettings{Line: p.line, Start: bool(l), Fail: bool(p.fail)})
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out = out
	return nil
}

// Read is the level of the pin, of an output too. Low also stands for a line
// that cannot be read; periph's interface has no error here.
func (p *Pin) Read() periph.Level {
	p.mu.Lock()
	out, in := p.out, p.in
	p.mu.Unlock()
	var v bool
	switch {
	case out != nil:
		v, _ = out.Active()
	case in != nil:
		v, _ = in.Active()
	}
	return periph.Level(v)
}

// WaitForEdge waits for an edge of the kind given to In. A negative timeout
// waits for ever.
func (p *Pin) WaitForEdge(timeout time.Duration) bool {
	p.mu.Lock()
	in, edge := p.in, p.edge
	p.mu.Unlock()
	if in == nil || edge == periph.NoEdge {
		return false
	}
	start := device.Now()
	for {
		left := timeout
		if timeout >= 0 {
			left = max(timeout-(device.Now()-start), 0)
		}
		e, err := in.Wait(left)
		if err != nil {
			return false
		}
		if edge == periph.BothEdges || e.Active == (edge == periph.RisingEdge) {
			return true
		}
	}
}

// Pull is the resistor that In asked for.
func (p *Pin) Pull() periph.Pull {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.in == nil {
		return periph.PullNoChange
	}
	return p.pull
}

// DefaultPull is not known to the kernel; package board knows it for its
// boards.
func (p *Pin) DefaultPull() periph.Pull { return periph.PullNoChange }

// PWM is not offered: the character device has none.
func (p *Pin) PWM(periph.Duty, physic.Frequency) error {
	return fmt.Errorf("gpio line %v: no PWM on a line of the GPIO character device", p.line)
}
