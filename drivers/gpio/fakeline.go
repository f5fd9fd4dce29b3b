package gpio

import (
	"fmt"
	"math"
	"sync"
	"time"

	"mien/drivers/device"
)

type fakeOutput struct {
	f      *Fake
	line   *fakeLine
	name   string
	s      OutputSettings
	closed bool
}

type fakeInput struct {
	f      *Fake
	line   *fakeLine
	name   string
	s      InputSettings
	closed bool
	deb    debouncer
	queue  edgeQueue
	wait   sync.Mutex // one Wait at a time
}

var (
	_ Output = (*fakeOutput)(nil)
	_ Input  = (*fakeInput)(nil)
)

func (f *Fake) Output(s OutputSettings) (Output, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	line, err := f.request(OpOutput, s.Line)
	if err != nil {
		return nil, err
	}
	o := &fakeOutput{f: f, line: line, name: s.Line.String(), s: s}
	line.consumer, line.holder, line.output, line.actLow = Consumer, o, true, s.ActiveLow
	if err := o.put(s.Start); err != nil {
		line.consumer, line.holder = "", nil
		return nil, err
	}
	return o, nil
}

func (f *Fake) Input(s InputSettings) (Input, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	line, err := f.request(OpInput, s.Line)
	if err != nil {
		return nil, err
	}
	in := &fakeInput{f: f, line: line, name: s.Line.String(), s: s}
	in.deb.period = s.Debounce
	line.consumer, line.holder, line.in, line.output, line.actLow = Consumer, in, in, false, s.ActiveLow
	if line.held == nil && s.Pull >= PullUp {
		f.move(line, s.Pull == PullUp)
		in.queue = edgeQueue{}
	}
	in.deb.raw = line.high != s.ActiveLow
	in.deb.stable, in.deb.moving = in.deb.raw, false
	return in, nil
}

// request needs mu.
func (f *Fake) request(op Op, l Line) (*fakeLine, error) {
	if err := f.fault(op, l.String()); err != nil {
		return nil, fmt.Errorf("gpio line %v: request: %w", l, err)
	}
	line, err := f.find(l)
	if err != nil {
		return nil, err
	}
	if line.consumer != "" {
		return nil, taken(l, line.consumer)
	}
	return line, nil
}

// usable needs mu.
func (o *fakeOutput) usable() error {
	switch {
	case o.closed:
		return fmt.Errorf("gpio line %s: %w", o.name, ErrClosed)
	case o.line.holder != o:
		return fmt.Errorf("gpio line %s: %w", o.name, ErrGone)
	}
	return nil
}

// put needs mu.
func (o *fakeOutput) put(active bool) error {
	o.line.latch = active != o.s.ActiveLow
	if o.line.held == nil {
		o.f.move(o.line, o.line.latch)
	}
	if o.line.high != o.line.latch && !o.s.NoReadBack && o.s.Drives(active) {
		return fmt.Errorf("gpio line %s: wrote %s: %w", o.name, word(active), ErrMismatch)
	}
	return nil
}

func (o *fakeOutput) Set(active bool) error {
	o.f.mu.Lock()
	defer o.f.mu.Unlock()
	return o.set(active)
}

// set needs mu.
func (o *fakeOutput) set(active bool) error {
	if err := o.usable(); err != nil {
		return err
	}
	if err := o.f.fault(OpSet, o.name); err != nil {
		return fmt.Errorf("gpio line %s: write: %w", o.name, err)
	}
	return o.put(active)
}

func (o *fakeOutput) Fail() error { return o.Set(o.s.Fail) }

func (o *fakeOutput) Active() (bool, error) {
	o.f.mu.Lock()
	defer o.f.mu.Unlock()
	if err := o.usable(); err != nil {
		return false, err
	}
	if err := o.f.fault(OpRead, o.name); err != nil {
		return false, fmt.Errorf("gpio line %s: read: %w", o.name, err)
	}
	return o.line.high != o.s.ActiveLow, nil
}

func (o *fakeOutput) Close() error {
	o.f.mu.Lock()
	defer o.f.mu.Unlock()
	if o.closed {
		return nil
	}
	err := o.set(o.s.Fail)
	if ferr := o.f.fault(OpClose, o.name); ferr != nil && err == nil {
		err = fmt.Errorf("gpio line %s: close: %w", o.name, ferr)
	}
	o.closed = true
	if o.line.holder == o {
		o.line.consumer, o.line.holder = "", nil
	}
	return err
}

// feed needs the fake's mu.
func (in *fakeInput) feed(high bool, at time.Duration) {
	if e, ok := in.deb.feed(high != in.s.ActiveLow, at); ok {
		in.queue.push(e)
	}
}

// usable needs mu.
func (in *fakeInput) usable() error {
	switch {
	case in.closed:
		return fmt.Errorf("gpio line %s: %w", in.name, ErrClosed)
	case in.line.holder != in:
		return fmt.Errorf("gpio line %s: %w", in.name, ErrGone)
	}
	return nil
}

func (in *fakeInput) Active() (bool, error) {
	in.f.mu.Lock()
	defer in.f.mu.Unlock()
	if err := in.usable(); err != nil {
		return false, err
	}
	if err := in.f.fault(OpRead, in.name); err != nil {
		return false, fmt.Errorf("gpio line %s: read: %w", in.name, err)
	}
	if e, ok := in.deb.due(in.f.time()); ok {
		in.queue.push(e)
	}
	return in.deb.stable, nil
}

func (in *fakeInput) Wait(timeout time.Duration) (Edge, error) {
	in.wait.Lock()
	defer in.wait.Unlock()
	f := in.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault(OpWait, in.name); err != nil {
		return Edge{}, fmt.Errorf("gpio line %s: wait: %w", in.name, err)
	}
	end := time.Duration(math.MaxInt64)
	if start := f.time(); timeout >= 0 && timeout < end-start {
		end = start + timeout
	}
	for {
		if err := in.usable(); err != nil {
			return Edge{}, err
		}
		at := f.time()
		if e, ok := in.deb.due(at); ok {
			in.queue.push(e)
		}
		if e, ok := in.queue.pop(); ok {
			return e, nil
		}
		if at >= end || in.s.NoEdges {
			return Edge{}, fmt.Errorf("gpio line %s: %w", in.name, ErrTimeout)
		}
		until := end
		if due, ok := in.deb.next(); ok {
			until = min(until, due)
		}
		f.sleep(until)
	}
}

func (in *fakeInput) Close() error {
	in.f.mu.Lock()
	defer in.f.mu.Unlock()
	if in.closed {
		return nil
	}
	in.closed = true
	if in.line.holder == in {
		in.line.consumer, in.line.holder, in.line.in = "", nil, nil
	}
	err := in.f.fault(OpClose, in.name)
	in.f.changed.Broadcast()
	if err != nil {
		return fmt.Errorf("gpio line %s: close: %w", in.name, err)
	}
	return nil
}

// sleep needs mu and gives it up while it waits for a change, or, with the
// real clock, for a time.
func (f *Fake) sleep(until time.Duration) {
	if f.Now == nil {
		t := time.AfterFunc(until-device.Now(), f.Tick)
		defer t.Stop()
	}
	f.changed.Wait()
}
