// Package serial opens serial ports for machines that must not hang: every
// read and write is bounded in time, every error says what to do, and nothing
// is allocated once a port is open.
//
//   - 1,200 to 921,600 baud and anything between, 7 or 8 data bits, no, even
//     or odd parity, 1 or 2 stop bits.
//   - RS-485 direction by the kernel's driver, or by hand on RTS.
//   - Characters with a parity or framing error are delivered and reported.
//   - A pty can stand in for a port (OpenPty), and a pair in memory for both
//     (Pipe).
//
// The kernel interface is termios(3), ioctl_tty(2) and
// Documentation/driver-api/serial/serial-rs485.rst.
package serial

import (
	"errors"
	"fmt"
	"time"
)

// Errors on which a caller decides, wrapped with the port's name and with what
// was tried. A port that does not exist is fs.ErrNotExist, one that may not be
// opened fs.ErrPermission.
var (
	// ErrTimeout: nothing came, or not everything could be sent, in the given
	// time.
	ErrTimeout = errors.New("timeout")
	// ErrBusy: another program holds the port; the message names it if it can.
	ErrBusy = errors.New("serial port is taken")
	// ErrGone: the adapter was unplugged, or the other side hung up. Close the
	// port and open it again, by its by-id path.
	ErrGone = errors.New("serial port is gone")
	// ErrCorrupt: at least one of the characters returned had a parity or
	// framing error or was a break. The frame they belong to is not to be
	// trusted.
	ErrCorrupt = errors.New("character with a parity or framing error")
	// ErrUnsupported: the driver cannot do what the settings ask for.
	ErrUnsupported = errors.New("not supported by the serial driver")
	// ErrClosed: the port was closed.
	ErrClosed = errors.New("serial port is closed")
)

// Line is one serial line. One goroutine may read while another writes; Close
// ends both.
type Line interface {
	// Read waits at most timeout for characters and returns those that are
	// there, at least one, or ErrTimeout, ErrGone, ErrClosed. With ErrCorrupt
	// the characters are returned as well. A timeout of 0 asks only for what
	// is there already, a negative one waits for ever.
	Read(p []byte, timeout time.Duration) (int, error)
	// Write sends all of p and returns when the last of it was handed to the
	// driver, or, where the direction is switched by hand, when it is on the
	// wire. If that takes longer than timeout, what was not sent is thrown
	// away: half an answer is worse than none. Errors: ErrTimeout, ErrGone,
	// ErrClosed.
	Write(p []byte, timeout time.Duration) (int, error)
	// Discard throws away what has come and was not read.
	Discard() error
	Close() error
}

// Parity is the parity bit of a character.
type Parity uint8

const (
	NoParity Parity = iota
	EvenParity
	OddParity
)

func (p Parity) String() string {
	switch p {
	case NoParity:
		return "none"
	case EvenParity:
		return "even"
	case OddParity:
		return "odd"
	}
	return fmt.Sprintf("Parity(%d)", uint8(p))
}

// ParseParity takes "none", "even" or "odd".
func ParseParity(s string) (Parity, error) {
	for p := NoParity; p <= OddParity; p++ {
		if p.String() == s {
			return p, nil
		}
	}
	return 0, fmt.Errorf("no parity %q (there are none, even, odd)", s)
}

// RS485 says who switches the direction of a half-duplex line.
type RS485 uint8

const (
	// RS485Off: nobody: RS-232, or an adapter that switches by itself, as most
	// USB ones do.
	RS485Off RS485 = iota
	// RS485Auto: the kernel's driver where it can, else RTS by hand where the
	// port has it, else nobody. Port.Info tells which it became.
	RS485Auto
	// RS485Kernel: the driver (TIOCSRS485), or ErrUnsupported.
	RS485Kernel
	// RS485RTS: this package raises RTS before it sends and drops it when the
	// last stop bit is out. It polls for that moment, so the line is held up to
	// about a millisecond longer than needed on a busy machine.
	RS485RTS
)

func (m RS485) String() string {
	switch m {
	case RS485Off:
		return "off"
	case RS485Auto:
		return "auto"
	case RS485Kernel:
		return "kernel"
	case RS485RTS:
		return "rts"
	}
	return fmt.Sprintf("RS485(%d)", uint8(m))
}

// Settings of a port. The zero value of each field but Path is a default.
type Settings struct {
	Path     string // "/dev/serial/by-id/…" survives replugging, "/dev/ttyUSB0" may not
	Baud     int    // bits a second; 0 is 19200, the default of Modbus
	DataBits int    // 7 or 8; 0 is 8
	Parity   Parity
	StopBits int // 1 or 2; 0 is 1

	RS485 RS485
	// RTSLowToSend is for transceivers that send while RTS is low.
	RTSLowToSend bool
	// BeforeSend and AfterSend hold the direction that much longer at either
	// end, in whole milliseconds.
	BeforeSend, AfterSend time.Duration
	// Echo says that the line gives back what we send (a two-wire line whose
	// receiver stays on): exactly that is dropped from what is read.
	Echo bool
}

// CharacterTime is how long one character is on the wire, start, parity and
// stop bits included.
func (s Settings) CharacterTime() time.Duration {
	s = s.withDefaults()
	bits := 1 + s.DataBits + s.StopBits
	if s.Parity != NoParity {
		bits++
	}
	return time.Duration(bits) * time.Second / time.Duration(s.Baud)
}

// String is the short form people use: "/dev/ttyUSB0 19200 8E1".
func (s Settings) String() string {
	s = s.withDefaults()
	return fmt.Sprintf("%s %d %d%c%d", s.Path, s.Baud, s.DataBits, "NEO?"[min(s.Parity, 3)], s.StopBits)
}

// Check finds what no port can do, before one is opened.
func (s Settings) Check() error {
	s = s.withDefaults()
	switch {
	case s.Path == "":
		return errors.New("no serial port is named")
	case s.Baud < 1200 || s.Baud > 921_600:
		return fmt.Errorf("%s: baud rate %d is outside 1200 to 921600", s.Path, s.Baud)
	case s.DataBits != 7 && s.DataBits != 8:
		return fmt.Errorf("%s: %d data bits, must be 7 or 8", s.Path, s.DataBits)
	case s.StopBits != 1 && s.StopBits != 2:
		return fmt.Errorf("%s: %d stop bits, must be 1 or 2", s.Path, s.StopBits)
	case s.Parity > OddParity:
		return fmt.Errorf("%s: %v is no parity", s.Path, s.Parity)
	case s.RS485 > RS485RTS:
		return fmt.Errorf("%s: %v is no RS-485 mode", s.Path, s.RS485)
	case s.BeforeSend < 0 || s.BeforeSend > 100*time.Millisecond || s.AfterSend < 0 || s.AfterSend > 100*time.Millisecond:
		// 100 ms is the kernel's own limit (RS485_MAX_RTS_DELAY).
		return fmt.Errorf("%s: RS-485 delays must be 0 to 100 ms", s.Path)
	}
	return nil
}

func (s Settings) withDefaults() Settings {
	if s.Baud == 0 {
		s.Baud = 19200
	}
	if s.DataBits == 0 {
		s.DataBits = 8
	}
	if s.StopBits == 0 {
		s.StopBits = 1
	}
	return s
}
