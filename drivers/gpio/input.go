package gpio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/warthog618/go-gpiocdev"
	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"mien/drivers/device"
)

const (
	// sampleEvery is how often an input is looked at whose chip has no
	// interrupts, e.g. an expander on I2C without its interrupt line.
	sampleEvery = 5 * time.Millisecond
	// lookEvery is how often a quiet input is looked at all the same: kernels
	// before 6.6 do not end a poll when the chip vanishes.
	lookEvery = 500 * time.Millisecond
)

// input reads edges itself, on go-gpiocdev's uapi package: the watcher of
// go-gpiocdev v0.9.1 does not report that a chip has vanished but spins.
type input struct {
	name   string
	abi    int  // version of the kernel's interface
	soft   bool // debounced here, not by the kernel
	sample bool // no interrupts: looked at every sampleEvery
	edges  bool

	warning string

	waiting sync.Mutex // held by Wait, so that Close lets it leave first

	// mu covers what is below it.
	mu     sync.Mutex
	fd     int          // the requested line, non-blocking
	bell   *device.Bell // ends a Wait
	closed bool
	deb    debouncer
	queue  edgeQueue
	seq    uint32 // of the last edge, version 2 only
	buf    [48]byte
}

var _ Input = (*input)(nil)

func (kernel) Input(s InputSettings) (Input, error) {
	chip, offset, err := find(s.Line)
	if err != nil {
		return nil, err
	}
	defer chip.Close()
	return openInput(chip, offset, chip.UapiAbiVersion(), s)
}

// openInput requests a line by one version of the kernel's interface.
func openInput(chip *gpiocdev.Chip, offset, abi int, s InputSettings) (*input, error) {
	fd, err := device.Open("/dev/"+chip.Name, unix.O_RDONLY)
	if err != nil {
		return nil, openError(chip.Name, err)
	}
	defer unix.Close(fd)

	in := &input{name: s.Line.String(), abi: abi, fd: -1}
	// Our own debouncer lives on edges, also where the caller wants none.
	in.edges = !s.NoEdges || (abi == 1 && s.Debounce > 0)
	in.deb.period = s.Debounce
	ask := func(s InputSettings) error { return in.ask(uintptr(fd), offset, s) }
	if err := in.request(ask, s); err != nil {
		return nil, requestError(chip, s.Line, offset, err)
	}
	if err := in.start(); err != nil {
		in.release()
		return nil, fmt.Errorf("gpio line %v: %w", s.Line, gone(err))
	}
	return in, nil
}

// request asks for the line in the best way this kernel and chip have: edges
// debounced by the kernel, edges as they come, no edges at all; and all of that
// without the pull resistor where it cannot be had with it.
func (in *input) request(ask func(InputSettings) error, s InputSettings) error {
	err := in.withEdges(ask, s)
	if err == nil || s.Pull == PullAsIs || !refused(err) {
		return err
	}
	s.Pull = PullAsIs
	if e := in.withEdges(ask, s); e != nil {
		return err
	}
	in.warning = fmt.Sprintf("gpio line %s: the kernel cannot set its pull resistor (before Linux 5.5 none can; JetPack 4 has 4.9): the line floats unless it has one of its own, 10 kΩ to 3.3 V or to ground", in.name)
	return nil
}

func (in *input) withEdges(ask func(InputSettings) error, s InputSettings) error {
	in.soft, in.sample = in.edges && (in.abi == 1 || s.Debounce > math.MaxUint32*time.Microsecond), false
	err := ask(s)
	if err != nil && !in.soft && in.edges && s.Debounce > 0 && refused(err) {
		in.soft = true
		err = ask(s)
	}
	if err != nil && in.edges && refused(err) {
		in.soft, in.sample = true, true
		err = ask(s)
	}
	return err
}

// Warning says in words what could not be had as it was asked for, "" for nothing.
func (in *input) Warning() string { return in.warning }

// refused tells the errors of a kernel or chip that cannot do what was asked.
func refused(err error) bool {
	// 524 is the kernel's own ENOTSUPP, which some chip drivers let through.
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.Errno(524)) || errors.Is(err, unix.ENXIO)
}

func (in *input) ask(chip uintptr, offset int, s InputSettings) error {
	edges := in.edges && !in.sample
	if in.abi == 1 {
		return in.askV1(chip, offset, s, edges)
	}
	r := uapi.LineRequest{Lines: 1}
	r.Offsets[0] = uint32(offset)
	copy(r.Consumer[:len(r.Consumer)-1], Consumer)
	r.Config.Flags = uapi.LineFlagV2Input
	if s.ActiveLow {
		r.Config.Flags |= uapi.LineFlagV2ActiveLow
	}
	switch s.Pull {
	case PullNone:
		r.Config.Flags |= uapi.LineFlagV2BiasDisabled
	case PullUp:
		r.Config.Flags |= uapi.LineFlagV2BiasPullUp
	case PullDown:
		r.Config.Flags |= uapi.LineFlagV2BiasPullDown
	}
	if edges {
		r.Config.Flags |= uapi.LineFlagV2EdgeRising | uapi.LineFlagV2EdgeFalling
	}
	if s.Debounce > 0 && !in.soft {
		r.Config.AddAttribute(uapi.LineConfigAttribute{Attr: uapi.DebouncePeriod(s.Debounce).Encode(), Mask: 1})
	}
	if err := uapi.GetLine(chip, &r); err != nil {
		return err
	}
	in.fd = int(r.Fd)
	return nil
}

func (in *input) askV1(chip uintptr, offset int, s InputSettings, edges bool) error {
	flags := uapi.HandleRequestInput
	if s.ActiveLow {
		flags |= uapi.HandleRequestActiveLow
	}
	switch s.Pull { // from Linux 5.5; older kernels answer EINVAL
	case PullNone:
		flags |= uapi.HandleRequestBiasDisable
	case PullUp:
		flags |= uapi.HandleRequestPullUp
	case PullDown:
		flags |= uapi.HandleRequestPullDown
	}
	if !edges {
		r := uapi.HandleRequest{Lines: 1, Flags: flags}
		r.Offsets[0] = uint32(offset)
		copy(r.Consumer[:len(r.Consumer)-1], Consumer)
		if err := uapi.GetLineHandle(chip, &r); err != nil {
			return err
		}
		in.fd = int(r.Fd)
		return nil
	}
	r := uapi.EventRequest{Offset: uint32(offset), HandleFlags: flags, EventFlags: uapi.EventRequestBothEdges}
	copy(r.Consumer[:len(r.Consumer)-1], Consumer)
	if err := uapi.GetLineEvent(chip, &r); err != nil {
		return err
	}
	in.fd = int(r.Fd)
	return nil
}

// start readies a requested line for Wait.
func (in *input) start() error {
	if err := unix.SetNonblock(in.fd, true); err != nil {
		return fmt.Errorf("set non-blocking: %w", err)
	}
	var err error
	if in.bell, err = device.NewBell(); err != nil {
		return err
	}
	level, err := in.level()
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	in.deb.stable, in.deb.raw = level, level
	return nil
}

func (in *input) release() {
	if in.fd >= 0 {
		unix.Close(in.fd)
	}
	in.bell.Close()
	in.fd, in.bell = -1, nil
}

// level asks the kernel. With version 2 and a kernel debounce it is debounced.
func (in *input) level() (bool, error) {
	if in.abi == 1 {
		var d uapi.HandleData
		err := uapi.GetLineValues(uintptr(in.fd), &d)
		return d[0] != 0, err
	}
	v := uapi.LineValues{Mask: 1}
	err := uapi.GetLineValuesV2(uintptr(in.fd), &v)
	return v.Get(0) != 0, err
}

func (in *input) Active() (bool, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return false, fmt.Errorf("gpio line %s: %w", in.name, ErrClosed)
	}
	if in.soft {
		err := in.collect(device.Now())
		return in.deb.stable, err
	}
	v, err := in.level()
	if err != nil {
		return false, fmt.Errorf("gpio line %s: read: %w", in.name, gone(err))
	}
	return v, nil
}

func (in *input) Wait(timeout time.Duration) (Edge, error) {
	in.waiting.Lock()
	defer in.waiting.Unlock()
	if !in.edges {
		return Edge{}, fmt.Errorf("gpio line %s: requested without edges: %w", in.name, ErrTimeout)
	}
	end := time.Duration(math.MaxInt64)
	start := device.Now()
	if timeout >= 0 && timeout < end-start {
		end = start + timeout
	}
	for {
		e, until, err := in.next(end)
		if err != nil || until == 0 {
			return e, err
		}
		if err := in.sleep(until); err != nil {
			return Edge{}, fmt.Errorf("gpio line %s: wait: %w", in.name, gone(err))
		}
	}
}

// next gives an edge that is there, or the time until which to sleep for one.
func (in *input) next(end time.Duration) (Edge, time.Duration, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return Edge{}, 0, fmt.Errorf("gpio line %s: %w", in.name, ErrClosed)
	}
	at := device.Now()
	if err := in.collect(at); err != nil {
		return Edge{}, 0, err
	}
	if e, ok := in.queue.pop(); ok {
		return e, 0, nil
	}
	if at >= end {
		return Edge{}, 0, fmt.Errorf("gpio line %s: %w", in.name, ErrTimeout)
	}
	until := min(end, at+lookEvery)
	if due, ok := in.deb.next(); ok {
		until = min(until, due)
	}
	if in.sample {
		until = min(until, at+sampleEvery)
	}
	return Edge{}, max(until, 1), nil
}

// collect moves what the kernel has into the queue, through the debouncer if
// that is ours. It needs mu.
func (in *input) collect(at time.Duration) error {
	if in.sample {
		return in.settle(at)
	}
	for in.edges {
		n, err := unix.Read(in.fd, in.buf[:])
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return in.settle(at)
		case err != nil:
			return fmt.Errorf("gpio line %s: read edge: %w", in.name, gone(err))
		}
		in.edge(in.buf[:n], at)
	}
	return nil
}

// settle looks at the level once the kernel has no more edges. That tells
// whether the chip is still there, and shows our own debouncer a change whose
// edge was lost in the kernel.
func (in *input) settle(at time.Duration) error {
	v, err := in.level()
	if err != nil {
		return fmt.Errorf("gpio line %s: read: %w", in.name, gone(err))
	}
	if in.soft {
		in.debounce(v, at)
	}
	return nil
}

// edge takes one struct gpio_v2_line_event (48 bytes) or gpioevent_data (16,
// on 386 12).
func (in *input) edge(b []byte, at time.Duration) {
	if len(b) < 12 {
		return
	}
	active := binary.NativeEndian.Uint32(b[8:]) == uint32(gpiocdev.LineEventRisingEdge)
	if in.abi == 1 {
		// Before Linux 5.7 its timestamp is on CLOCK_REALTIME, which jumps: the
		// time at which we read the edge is the better one.
		in.debounce(active, at)
		return
	}
	if len(b) < 24 {
		return
	}
	stamp := time.Duration(binary.NativeEndian.Uint64(b))
	seq := binary.NativeEndian.Uint32(b[20:])
	in.queue.lost += seq - in.seq - 1
	in.seq = seq
	if in.soft {
		in.debounce(active, stamp)
		return
	}
	in.queue.push(Edge{Active: active, At: stamp})
}

func (in *input) debounce(raw bool, at time.Duration) {
	if e, ok := in.deb.feed(raw, at); ok {
		in.queue.push(e)
	}
	if e, ok := in.deb.due(at); ok {
		in.queue.push(e)
	}
}

// sleep returns at the given time, when the kernel has an edge, or when Close
// asks for the line. Only Wait calls it, so the descriptors stay open.
func (in *input) sleep(until time.Duration) error {
	fd := in.fd
	if in.sample {
		fd = -1
	}
	r, _, err := in.bell.Wait(fd, unix.POLLIN|unix.POLLPRI, max(until-device.Now(), 0))
	if err == nil && r&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0 && r&unix.POLLIN == 0 {
		err = unix.ENODEV
	}
	return err
}

func (in *input) Close() error {
	in.mu.Lock()
	if in.closed {
		in.mu.Unlock()
		return nil
	}
	in.closed = true
	in.bell.Ring()
	in.mu.Unlock()

	in.waiting.Lock() // Wait has left
	defer in.waiting.Unlock()
	in.mu.Lock()
	defer in.mu.Unlock()
	in.release()
	return nil
}
