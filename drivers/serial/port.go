package serial

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"mien/drivers/device"
)

// Port is an open serial port.
type Port struct {
	name   string // for messages
	info   Info
	char   time.Duration // one character on the wire
	marked bool          // what is read is escaped as PARMRK says
	byHand bool          // this package switches the direction
	rtsLow bool          // sending is RTS low
	before time.Duration
	after  time.Duration
	undo   *rs485Config // what the driver had before, if it was changed

	fd     int          // the tty
	bell   *device.Bell // ends all waits
	closed atomic.Bool

	rd   sync.Mutex // one reader at a time; covers marks
	wr   sync.Mutex // one writer at a time
	mark unmarker
	echo echoFilter

	// Made beforehand, so that a poll that finds nothing allocates nothing.
	readTimeout, writeTimeout error
}

var _ Line = (*Port)(nil)

// Info is what a port became when it was opened.
type Info struct {
	Path       string // as asked for
	Device     string // what it leads to, "/dev/ttyUSB0"
	Baud       int    // as the driver set it
	RS485      RS485  // RS485Off, RS485Kernel or RS485RTS
	LowLatency bool   // the driver was told not to wait for more characters
}

// Info tells what became of the settings.
func (p *Port) Info() Info { return p.info }

func (p *Port) Read(b []byte, timeout time.Duration) (int, error) {
	p.rd.Lock()
	defer p.rd.Unlock()
	start := time.Now()
	for {
		if p.closed.Load() {
			return 0, p.failed("read", ErrClosed)
		}
		n, bad, err := p.take(b)
		switch {
		case err != nil:
			return 0, p.failed("read", err)
		case n > 0 && bad:
			return n, p.failed("read", ErrCorrupt)
		case n > 0 || len(b) == 0:
			return n, nil
		}
		left := timeout
		if timeout > 0 {
			left = timeout - time.Since(start)
		}
		if timeout == 0 || (timeout > 0 && left <= 0) {
			return 0, p.readTimeout
		}
		if err := p.wait(unix.POLLIN, left); err != nil {
			return 0, p.failed("read", err)
		}
	}
}

// take reads what is there, without what the kernel and the echo put in. It
// needs rd.
func (p *Port) take(b []byte) (n int, bad bool, err error) {
	if len(b) == 0 {
		return 0, false, nil
	}
	for {
		n, err = unix.Read(p.fd, b)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return 0, false, nil
		case err != nil:
			return 0, false, gone(err)
		case n == 0:
			return 0, false, ErrGone // end of file: the line was hung up
		}
		if p.marked {
			n, bad = p.mark.decode(b[:n])
		}
		n, clash := p.echo.drop(b[:n], time.Now())
		if bad = bad || clash; n > 0 || bad {
			return n, bad, nil
		}
	}
}

func (p *Port) Write(b []byte, timeout time.Duration) (int, error) {
	p.wr.Lock()
	defer p.wr.Unlock()
	var end time.Time // zero: no limit
	if timeout >= 0 {
		end = time.Now().Add(timeout)
	}
	if p.closed.Load() {
		return 0, p.failed("write", ErrClosed)
	}
	var n int
	var err error
	if p.byHand {
		n, err = p.sendByHand(b, end)
	} else {
		n, err = p.send(b, end)
	}
	switch {
	case err == ErrTimeout:
		// Half a frame would come out later, in the middle of another's.
		unix.IoctlSetInt(p.fd, unix.TCFLSH, unix.TCOFLUSH)
		p.echo.clear()
		return n, p.writeTimeout
	case err != nil:
		return n, p.failed("write", err)
	}
	return n, nil
}

// send needs wr.
func (p *Port) send(b []byte, end time.Time) (int, error) {
	sent := 0
	for sent < len(b) {
		if p.closed.Load() {
			return sent, ErrClosed
		}
		part := b[sent:]
		if p.echo.on {
			part = part[:min(len(part), len(p.echo.buf)/2)]
		}
		// The echo can arrive before the write returns.
		p.echo.expect(part, time.Now(), p.char)
		n, err := unix.Write(p.fd, part)
		p.echo.unexpect(len(part) - max(n, 0))
		switch {
		case n > 0:
			sent += n
			continue
		case err == unix.EINTR:
			continue
		case err != nil && err != unix.EAGAIN:
			return sent, gone(err)
		}
		left := time.Duration(-1)
		if !end.IsZero() {
			if left = time.Until(end); left <= 0 {
				return sent, ErrTimeout
			}
		}
		if err := p.wait(unix.POLLOUT, left); err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// Backlog is how long what was written and handed to the driver still takes to go out
// (TIOCOUTQ); 0 where that cannot be told.
func (p *Port) Backlog() time.Duration {
	p.wr.Lock()
	defer p.wr.Unlock()
	if p.closed.Load() {
		return 0
	}
	n, err := unix.IoctlGetInt(p.fd, unix.TIOCOUTQ)
	if err != nil {
		return 0
	}
	return time.Duration(n) * p.char
}

// Discard throws away what was received and not read.
func (p *Port) Discard() error {
	p.rd.Lock()
	defer p.rd.Unlock()
	if p.closed.Load() {
		return p.failed("discard", ErrClosed)
	}
	p.mark = unmarker{}
	p.echo.clear()
	if err := unix.IoctlSetInt(p.fd, unix.TCFLSH, unix.TCIFLUSH); err != nil {
		return p.failed("discard", gone(err))
	}
	return nil
}

// Close ends reads and writes under way and releases the port. What was
// written and is not yet on the wire is given up: a dead peer must not hold up
// a shutdown.
func (p *Port) Close() error {
	if !p.closed.CompareAndSwap(false, true) {
		return nil
	}
	p.bell.Ring()
	p.rd.Lock() // the reader has left
	defer p.rd.Unlock()
	p.wr.Lock() // the writer has left
	defer p.wr.Unlock()
	return p.release()
}

// release gives everything back. The kernel closes the descriptor also when
// close reports an error, so there is nothing to try again.
func (p *Port) release() error {
	// A close may otherwise wait for a peer that holds up the flow.
	unix.IoctlSetInt(p.fd, unix.TCFLSH, unix.TCOFLUSH)
	if p.undo != nil {
		setRS485(p.fd, p.undo)
	}
	unix.IoctlSetInt(p.fd, unix.TIOCNXCL, 0)
	err := unix.Close(p.fd)
	p.bell.Close()
	if err != nil && !errors.Is(gone(err), ErrGone) {
		return p.failed("close", err)
	}
	return nil
}

// wait returns when the port is ready, when the time is over (the caller
// looks), or when Close wants it. A negative time is for ever.
func (p *Port) wait(events int16, left time.Duration) error {
	got, rung, err := p.bell.Wait(p.fd, events, left)
	switch {
	case err != nil:
		return err
	case rung:
		return ErrClosed
	case got&events == 0 && got&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0:
		return ErrGone
	}
	return nil
}

// pause sleeps more finely than the Go scheduler does, and ends when Close
// wants the port.
func (p *Port) pause(d time.Duration) {
	if d > 0 {
		p.bell.Wait(-1, 0, d)
	}
}

// named sets the port's name in messages.
func (p *Port) named(name string) {
	p.name = name
	p.readTimeout = fmt.Errorf("serial port %s: read: %w", name, ErrTimeout)
	p.writeTimeout = fmt.Errorf("serial port %s: write: %w", name, ErrTimeout)
}

// failed wraps an error with the port and the attempt.
func (p *Port) failed(what string, err error) error {
	return fmt.Errorf("serial port %s: %s: %w", p.name, what, err)
}

// gone marks the errors by which a tty says that its hardware or its other
// side has left.
func gone(err error) error {
	if device.Gone(err) {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return err
}

// unmarker undoes the escapes of PARMRK (termios(3)): 0xff 0xff is 0xff, and
// 0xff 0x00 X is a character X received with a parity or framing error (a
// break is X = 0). It keeps its place between reads.
type unmarker struct{ seen uint8 }

// decode works in place and gives the new length and whether any character
// was bad.
func (u *unmarker) decode(b []byte) (n int, bad bool) {
	for _, c := range b {
		switch {
		case u.seen == 0 && c == 0xff:
			u.seen = 1
			continue
		case u.seen == 1 && c == 0:
			u.seen = 2
			continue
		case u.seen == 2:
			bad = true
		}
		u.seen = 0
		b[n] = c
		n++
	}
	return n, bad
}

// echoFilter drops what comes back of what was sent.
type echoFilter struct {
	on  bool
	mu  sync.Mutex // covers all below
	buf [1024]byte // sent and not yet come back, a ring
	pos int
	n   int
	end time.Time // after this nothing comes back any more
}

// expect notes characters about to be sent. If more is outstanding than fits,
// the oldest never came back.
func (e *echoFilter) expect(b []byte, now time.Time, char time.Duration) {
	if !e.on {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.n > 0 && now.After(e.end) {
		e.n = 0
	}
	for _, c := range b {
		if e.n == len(e.buf) {
			e.pos = (e.pos + 1) % len(e.buf)
			e.n--
		}
		e.buf[(e.pos+e.n)%len(e.buf)] = c
		e.n++
	}
	// Adapters on USB may keep a character for 16 ms, and a busy machine may
	// read late.
	e.end = now.Add(time.Duration(e.n)*char + 200*time.Millisecond)
}

// unexpect takes the last n back: they were not sent after all.
func (e *echoFilter) unexpect(n int) {
	if e.on && n > 0 {
		e.mu.Lock()
		e.n = max(e.n-n, 0)
		e.mu.Unlock()
	}
}

func (e *echoFilter) clear() {
	e.mu.Lock()
	e.n = 0
	e.mu.Unlock()
}

// drop removes the echo from what was received, in place. If something else
// comes back than was sent, another was sending at the same time.
func (e *echoFilter) drop(b []byte, now time.Time) (n int, clash bool) {
	if !e.on {
		return len(b), false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if now.After(e.end) {
		e.n = 0
	}
	for i, c := range b {
		if e.n == 0 {
			return copy(b, b[i:]), clash
		}
		if e.buf[e.pos] != c {
			e.n = 0
			return copy(b, b[i:]), true
		}
		e.pos = (e.pos + 1) % len(e.buf)
		e.n--
	}
	return 0, false
}
