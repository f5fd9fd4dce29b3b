package serial

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"mien/drivers/device"
)

// rs485Config is struct serial_rs485 of include/uapi/linux/serial.h.
type rs485Config struct {
	flags    uint32
	beforeMs uint32 // delay_rts_before_send
	afterMs  uint32 // delay_rts_after_send
	_        [5]uint32
}

const (
	rs485Enabled      = 1 << 0
	rs485RTSOnSend    = 1 << 1
	rs485RTSAfterSend = 1 << 2
	rs485RxDuringTx   = 1 << 4

	lsrTransmitterEmpty = 1 // TIOCSER_TEMT
)

// setDirection arranges who switches the direction of the line.
func (p *Port) setDirection(s Settings) error {
	p.info.RS485 = RS485Off
	if s.RS485 == RS485Off {
		return nil
	}
	if s.RS485 != RS485RTS {
		err := p.byKernel(s)
		if err == nil {
			p.info.RS485 = RS485Kernel
			return nil
		}
		if s.RS485 == RS485Kernel {
			return fmt.Errorf("RS-485 by the driver (TIOCSRS485): %w; \"rts\" switches by hand", err)
		}
	}
	p.byHand = true
	if err := p.direction(false); err != nil {
		p.byHand = false
		if s.RS485 == RS485Auto {
			return nil // no RTS either: an adapter that switches by itself, or a pty
		}
		return fmt.Errorf("RS-485 by hand, RTS: %w: %w", ErrUnsupported, err)
	}
	p.info.RS485 = RS485RTS
	return nil
}

// byKernel sets the driver up and looks whether it took it: some clear what
// they cannot do without an error.
func (p *Port) byKernel(s Settings) error {
	var old, c rs485Config
	if err := getRS485(p.fd, &old); err != nil {
		return unsupported(err)
	}
	c.flags = rs485Enabled | rs485RTSOnSend
	if s.RTSLowToSend {
		c.flags = rs485Enabled | rs485RTSAfterSend
	}
	if s.Echo {
		c.flags |= rs485RxDuringTx
	}
	c.beforeMs, c.afterMs = uint32(s.BeforeSend/time.Millisecond), uint32(s.AfterSend/time.Millisecond)
	if err := setRS485(p.fd, &c); err != nil {
		return unsupported(err)
	}
	p.undo = &old
	if err := getRS485(p.fd, &c); err != nil || c.flags&rs485Enabled == 0 {
		return ErrUnsupported
	}
	return nil
}

// direction switches by hand. RTS set is "sending" unless RTSLowToSend.
func (p *Port) direction(send bool) error {
	req := uint(unix.TIOCMBIC)
	if send != p.rtsLow {
		req = unix.TIOCMBIS
	}
	if err := unix.IoctlSetPointerInt(p.fd, req, unix.TIOCM_RTS); err != nil {
		return fmt.Errorf("RTS: %w", gone(err))
	}
	return nil
}

// sendByHand holds the direction from before the first character until after
// the last one, whatever happens in between. It needs wr.
func (p *Port) sendByHand(b []byte, end time.Time) (int, error) {
	if err := p.direction(true); err != nil {
		return 0, err
	}
	p.pause(p.before)
	start := time.Now()
	n, err := p.send(b, end)
	if err == nil {
		err = p.drain(start.Add(time.Duration(n)*p.char), end)
	}
	if err == nil {
		p.pause(p.after)
	} else {
		// The direction must not be given up with characters still to come.
		unix.IoctlSetInt(p.fd, unix.TCFLSH, unix.TCOFLUSH)
	}
	if derr := p.direction(false); err == nil {
		err = derr
	}
	return n, err
}

// drain waits until everything is on the wire, which is not before earliest.
// The kernel's own wait (TCSBRK) has no limit in time, so it is not used: the
// driver is asked until its buffer and its transmitter are empty.
func (p *Port) drain(earliest, end time.Time) error {
	p.pause(time.Until(earliest))
	step := min(max(p.char/4, 20*time.Microsecond), time.Millisecond)
	for !p.closed.Load() {
		left, err := unix.IoctlGetInt(p.fd, unix.TIOCOUTQ)
		if err != nil {
			return gone(err)
		}
		if left == 0 {
			lsr, err := unix.IoctlGetInt(p.fd, unix.TIOCSERGETLSR)
			if err != nil {
				// The driver cannot tell; one character can still be in the
				// shift register.
				p.pause(p.char)
				return nil
			}
			if lsr&lsrTransmitterEmpty != 0 {
				return nil
			}
		}
		if !end.IsZero() && time.Until(end) <= 0 {
			return ErrTimeout
		}
		p.pause(step)
	}
	return ErrClosed
}

func unsupported(err error) error {
	if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return ErrUnsupported
	}
	return gone(err)
}

func getRS485(fd int, c *rs485Config) error { return ioctl(fd, unix.TIOCGRS485, c) }
func setRS485(fd int, c *rs485Config) error { return ioctl(fd, unix.TIOCSRS485, c) }

// ioctl passes a struct of the kernel's, for calls that x/sys/unix has no
// function for.
func ioctl[T any](fd int, req uint, arg *T) error {
	return device.Ioctl(fd, uintptr(req), unsafe.Pointer(arg))
}
