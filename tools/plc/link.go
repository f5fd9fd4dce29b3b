package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"path/filepath"
	"strings"
	"time"

	master "github.com/simonvetter/modbus"

	"mien/drivers/serial"
	"mien/firmware/modbus"
)

// link is the master on its port.
type link struct {
	o      *options
	client *master.ModbusClient
	char   time.Duration // one character on the wire
	pty    bool          // answers take no time on the wire
	stats  stats
}

func (o *options) answerTime() time.Duration {
	const longest = 8 + 256 // characters of a request and its answer
	return o.timeout + longest*o.settings().CharacterTime()
}

// dial opens the port. The other's client says little about a port that it
// cannot open, so that our driver, which names who holds it and which group
// may open it, tries first.
func dial(o *options) (*link, error) {
	try, err := serial.Open(o.settings())
	if err != nil {
		return nil, err
	}
	if err := try.Close(); err != nil {
		return nil, err
	}
	l := &link{o: o, char: o.settings().CharacterTime()}
	if device, err := filepath.EvalSymlinks(o.port); err == nil {
		l.pty = strings.HasPrefix(device, "/dev/pts/")
	}
	parity := map[serial.Parity]uint{serial.NoParity: master.PARITY_NONE, serial.EvenParity: master.PARITY_EVEN, serial.OddParity: master.PARITY_ODD}
	l.client, err = master.NewClient(&master.ClientConfiguration{
		URL: "rtu://" + o.port, Speed: uint(o.baud), DataBits: 8, Parity: parity[o.parity], StopBits: uint(o.stop),
		Timeout: o.answerTime(), Logger: log.New(io.Discard, "", 0),
	})
	if err != nil {
		return nil, fmt.Errorf("serial port %s: %w", o.port, err)
	}
	if err := l.client.SetUnitId(uint8(o.address)); err != nil {
		return nil, err
	}
	if err := l.client.Open(); err != nil {
		return nil, fmt.Errorf("serial port %s: %w", o.port, err)
	}
	return l, nil
}

func (l *link) close() { l.client.Close() }

// reopen opens a port that was lost.
func (l *link) reopen() error {
	l.close()
	fresh, err := dial(l.o)
	if err != nil {
		return err
	}
	l.client = fresh.client
	l.stats.reopened++
	return nil
}

// ask times one request of so many characters, whose answer has answer
// characters, and counts how it ends.
func (l *link) ask(what string, request, answer int, do func() error) error {
	begin := time.Now()
	err := do()
	took := time.Since(begin)
	l.stats.requests++
	switch {
	case err == nil:
		l.stats.response.add(took)
		wire := time.Duration(request) * l.char
		if !l.pty {
			wire += time.Duration(answer) * l.char
		}
		l.stats.turnaround.add(max(0, took-wire))
		return nil
	case errors.Is(err, master.ErrRequestTimedOut):
		l.stats.timeouts++
		return fmt.Errorf("%s: no answer from slave %d on %s at %s within %v: are A and B swapped, do address, baud, parity agree with [serial] and [modbus] of the unit, does it run (mien status)? %w",
			what, l.o.address, l.o.port, l.o.line(), l.o.answerTime().Round(time.Millisecond), err)
	case errors.Is(err, master.ErrBadCRC), errors.Is(err, master.ErrShortFrame), errors.Is(err, master.ErrProtocolError):
		l.stats.damaged++
		return fmt.Errorf("%s: damaged answer on %s at %s: another baud or parity, two slaves with one address, or a line without termination or bias? %w",
			what, l.o.port, l.o.line(), err)
	case errors.Is(err, master.ErrBadUnitId):
		l.stats.foreign++
		return fmt.Errorf("%s: on %s another slave answered for slave %d: is there a second master on the line? %w", what, l.o.port, l.o.address, err)
	}
	if hint := refusals[err]; hint != "" {
		l.stats.exceptions++
		return fmt.Errorf("%s: slave %d on %s refused: %s: %w", what, l.o.address, l.o.port, hint, err)
	}
	return &lost{fmt.Errorf("%s: port %s: %w", what, l.o.port, err)}
}

// lost is an error of the port itself; it must be opened again.
type lost struct{ error }

func (l *lost) Unwrap() error { return l.error }

var refusals = map[error]string{
	master.ErrIllegalFunction:     "exception 01, the unit has no such function: is it a mien?",
	master.ErrIllegalDataAddress:  "exception 02, no such register or alarm, read-only, or locked by the config",
	master.ErrIllegalDataValue:    "exception 03, a value out of range, such as longer than the alarm may be shelved",
	master.ErrServerDeviceFailure: "exception 04, the unit cannot do it: mien events tells why",
	master.ErrServerDeviceBusy:    "exception 06, too many commands at once: try again",
}

// words reads registers of one space.
func (l *link) words(space modbus.Space, at, n int) (values []uint16, err error) {
	kind := master.INPUT_REGISTER
	if space == modbus.Holding {
		kind = master.HOLDING_REGISTER
	}
	err = l.ask(fmt.Sprintf("read %v %d to %d", space, at, at+n-1), 8, 5+2*n, func() error {
		values, err = l.client.ReadRegisters(uint16(at), uint16(n), kind)
		return err
	})
	return values, err
}

// bits reads coils or discrete inputs.
func (l *link) bits(space modbus.Space, at, n int) (values []bool, err error) {
	read := l.client.ReadDiscreteInputs
	if space == modbus.Coil {
		read = l.client.ReadCoils
	}
	err = l.ask(fmt.Sprintf("read %v %d to %d", space, at, at+n-1), 8, 5+(n+7)/8, func() error {
		values, err = read(uint16(at), uint16(n))
		return err
	})
	return values, err
}

// coil writes one coil.
func (l *link) coil(at int, on bool) error {
	return l.ask(fmt.Sprintf("write coil %d", at), 8, 8, func() error { return l.client.WriteCoil(uint16(at), on) })
}

// write writes holding registers in one request.
func (l *link) write(at int, values ...uint16) error {
	return l.ask(fmt.Sprintf("write holding register %d", at), 9+2*len(values), 8, func() error {
		return l.client.WriteRegisters(uint16(at), values)
	})
}
