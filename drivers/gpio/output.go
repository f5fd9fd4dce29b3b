package gpio

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/warthog618/go-gpiocdev"
	"golang.org/x/sys/unix"
)

// A level is on the pin some time after it was written: 10 kΩ into 10 nF takes
// 100 µs to cross the input threshold. A read-back is repeated for that long
// before it counts as a mismatch.
const (
	settleReads = 4
	settlePause = 50 * time.Microsecond
)

// cdevLine is what an output needs of a requested line.
type cdevLine interface {
	Value() (int, error)
	SetValue(int) error
	Close() error
}

type output struct {
	name     string
	settings OutputSettings

	// mu keeps a write and its read-back together, and covers what is below.
	mu        sync.Mutex
	line      cdevLine
	written   bool
	readsBack bool
	closed    bool
}

var _ Output = (*output)(nil)

func (kernel) Output(s OutputSettings) (Output, error) {
	chip, offset, err := find(s.Line)
	if err != nil {
		return nil, err
	}
	defer chip.Close()
	opts := []gpiocdev.LineReqOption{gpiocdev.WithConsumer(Consumer), gpiocdev.AsOutput(number(s.Start))}
	switch s.Drive {
	case OpenDrain:
		opts = append(opts, gpiocdev.AsOpenDrain)
	case OpenSource:
		opts = append(opts, gpiocdev.AsOpenSource)
	}
	if s.ActiveLow {
		opts = append(opts, gpiocdev.AsActiveLow)
	}
	line, err := chip.RequestLine(offset, opts...)
	if err != nil {
		return nil, requestError(chip, s.Line, offset, err)
	}
	return newOutput(s, line)
}

// newOutput takes over a line that already has its first value, and lets it go
// again if it does not read back.
func newOutput(s OutputSettings, line cdevLine) (Output, error) {
	o := &output{name: s.Line.String(), settings: s, line: line, written: s.Start, readsBack: !s.NoReadBack}
	err := o.check(s.Start)
	if err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

func (o *output) Set(active bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.set(active)
}

func (o *output) Fail() error { return o.Set(o.settings.Fail) }

// set needs mu.
func (o *output) set(active bool) error {
	if o.closed {
		return fmt.Errorf("gpio line %s: %w", o.name, ErrClosed)
	}
	if err := o.line.SetValue(number(active)); err != nil {
		return fmt.Errorf("gpio line %s: write: %w", o.name, gone(err))
	}
	o.written = active
	return o.check(active)
}

// check needs mu, or an output nobody else knows yet.
func (o *output) check(active bool) error {
	if !o.readsBack || !o.settings.Drives(active) {
		return nil
	}
	for i := 1; ; i++ {
		v, err := o.line.Value()
		switch {
		case unreadable(err):
			// It will not learn it.
			o.readsBack = false
			return nil
		case err != nil:
			return fmt.Errorf("gpio line %s: read back: %w", o.name, gone(err))
		case (v != 0) == active:
			return nil
		case i == settleReads:
			return fmt.Errorf("gpio line %s: wrote %s: %w", o.name, word(active), ErrMismatch)
		}
		time.Sleep(settlePause)
	}
}

// unreadable tells the errors of a chip that cannot read its outputs.
func unreadable(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPERM)
}

func (o *output) Active() (bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false, fmt.Errorf("gpio line %s: %w", o.name, ErrClosed)
	}
	v, err := o.line.Value()
	switch {
	case unreadable(err):
		return o.written, nil
	case err != nil:
		return false, fmt.Errorf("gpio line %s: read: %w", o.name, gone(err))
	}
	return v != 0, nil
}

func (o *output) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil
	}
	err := o.set(o.settings.Fail)
	o.closed = true
	return errors.Join(err, o.line.Close())
}

func number(active bool) int {
	if active {
		return 1
	}
	return 0
}

func word(active bool) string {
	if active {
		return "active"
	}
	return "inactive"
}
