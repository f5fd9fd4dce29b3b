package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mien/drivers/serial"
	"mien/firmware/alarm"
	"mien/firmware/modbus"
	"mien/firmware/operator"
)

// Answers to a command that is done.
var (
	errPending = errors.New("done, and not yet on the disk")
	errRefused = errors.New("refused")
)

// client is all who watch and command the unit: a person at the socket and the
// PLC on the serial port.
type client struct {
	socket *operator.Client
	folder string // of the recordings
	plc    plc
	ledger *ledger
	random *rand.Rand
	times  *times
	heard  uint64 // the newest event that was known when lines were read last
}

// plc is a master that speaks one protocol.
type plc interface {
	name() string
	// can says whether the protocol has a command.
	can(alarm.Trigger) bool
	// ready says whether the unit answers yet.
	ready() bool
	// prepare does what has to come before a command.
	prepare(do alarm.Trigger, i int) error
	// give gives a command for an alarm: nil when it is done, errPending or
	// errRefused.
	give(do alarm.Trigger, i int) error
	// states tells the states of alarms that the unit tells.
	states(told func(i int, state alarm.State)) error
}

// times are those from a command to its answer, by who gave it.
type times struct {
	of      map[string][]time.Duration
	pending int
	refused int
}

// look asks for alarms and events, and notes them.
func (c *client) look() ([]operator.Alarm, error) {
	after := c.ledger.newest()
	list, err := c.socket.Ask(operator.Request{Ask: operator.AskAlarms})
	if err != nil {
		return nil, err
	}
	events, err := c.socket.Ask(operator.Request{Ask: operator.AskEvents, After: after})
	if err != nil {
		return nil, err
	}
	c.ledger.sawEvents(events.Events)
	for _, a := range list.Alarms {
		c.ledger.sawAlarm(a.Name, a.State, after, "socket")
	}
	return list.Alarms, nil
}

// listen notes what the PLC is told of alarms.
func (c *client) listen() error {
	after := c.ledger.newest()
	if c.plc.name() == "ascii" { // a line may be as old as the last time that lines were read
		after, c.heard = c.heard, after
	}
	return c.plc.states(func(i int, state alarm.State) { c.ledger.sawAlarm(name(i), state, after, c.plc.name()) })
}

// command gives one command that does something, and notes it once it is answered
// as done.
func (c *client) command() error {
	list, err := c.look()
	if err != nil || len(list) == 0 {
		return err
	}
	i := c.random.IntN(len(list))
	do := alarm.Shelve
	switch state := list[i].State; {
	case state == alarm.Shelved:
		do = alarm.Unshelve
	case state.NeedsAck():
		do = alarm.Acknowledge
	}
	via := "socket"
	if c.plc.can(do) && c.random.IntN(3) > 0 {
		via = c.plc.name()
		if err := c.plc.prepare(do, i); err != nil {
			return err
		}
	}
	after, began := c.ledger.newest(), time.Now()
	if via != "socket" {
		err = c.plc.give(do, i)
	} else {
		var reply operator.Reply
		reply, err = c.socket.Ask(operator.Request{Ask: operator.AskDo, Do: do, Alarm: name(i), For: time.Hour})
		var gone *os.SyscallError
		switch {
		case errors.As(err, &gone):
		case err != nil:
			err = fmt.Errorf("%w: %w", errRefused, err)
		case reply.Pending != "":
			err = errPending
		}
	}
	c.times.of[via] = append(c.times.of[via], time.Since(began))
	switch {
	case errors.Is(err, errPending):
		c.times.pending++
	case errors.Is(err, errRefused):
		c.times.refused++
	case err != nil:
		return err
	default:
		c.ledger.done = append(c.ledger.done, command{do, name(i), after, via})
	}
	return nil
}

// load watches and commands the unit for a time; the last thing it does is to be
// told something.
func (c *client) load(lasts time.Duration) error {
	for began := time.Now(); time.Since(began) < lasts; time.Sleep(10 * time.Millisecond) {
		if err := c.any(); err != nil {
			return err
		}
	}
	return c.any()
}

// record starts, stops or erases recordings, and notes what the answer said.
func (c *client) record() error {
	p := &c.ledger.recorded
	do, next := operator.PilotStop, recorded{}
	switch n := c.random.IntN(3); {
	case n == 0:
		do, next.erased = operator.PilotErase, filepath.Join(c.folder, "told-000001.rec")
		if err := errors.Join(os.MkdirAll(c.folder, 0o700), os.WriteFile(next.erased, []byte("a recording"), 0o600)); err != nil {
			return err
		}
	case !p.on:
		do, next = operator.PilotStart, recorded{on: true, purpose: fmt.Sprintf("number %d", c.random.Uint32())}
	}
	began := time.Now()
	reply, err := c.socket.Ask(operator.Request{Ask: operator.AskPilot, Pilot: do, For: time.Hour, Text: next.purpose})
	c.times.of["recordings"] = append(c.times.of["recordings"], time.Since(began))
	if err != nil {
		return err
	}
	if reply.Pending != "" { // a power loss may take it back, and no kill
		c.times.pending++
		next.erased = ""
	}
	*p = next
	c.ledger.recordings++
	return nil
}

func (c *client) any() (err error) {
	switch c.random.IntN(9) {
	case 0, 1:
		_, err = c.look()
	case 2, 3:
		err = c.listen()
	case 4:
		err = c.record()
	default:
		err = c.command()
	}
	return err
}

// answerWithin is how long a master waits.
const answerWithin = 500 * time.Millisecond

// modbusMaster is a PLC with Modbus RTU.
type modbusMaster struct{ pty *serial.Pty }

func (modbusMaster) name() string           { return "modbus" }
func (modbusMaster) can(alarm.Trigger) bool { return true }

// ask sends a request and gives the answer's data; errors of a request are
// exceptions.
func (m modbusMaster) ask(request ...byte) ([]byte, error) {
	adu := append([]byte{1}, request...)
	sum := modbus.CRC(adu)
	m.pty.Discard()
	if _, err := m.pty.Write(append(adu, byte(sum), byte(sum>>8)), answerWithin); err != nil {
		return nil, err
	}
	var got []byte
	buf := make([]byte, 256)
	for began := time.Now(); time.Since(began) < answerWithin; {
		n, err := m.pty.Read(buf, 10*time.Millisecond)
		if err != nil && !errors.Is(err, serial.ErrTimeout) {
			return nil, err
		}
		if got = append(got, buf[:n]...); len(got) >= 5 {
			if sum := modbus.CRC(got[:len(got)-2]); got[len(got)-2] == byte(sum) && got[len(got)-1] == byte(sum>>8) {
				switch pdu := got[1 : len(got)-2]; {
				case pdu[0] == request[0]:
					return pdu[1:], nil
				case pdu[1] == 5:
					return nil, errPending
				default:
					return nil, fmt.Errorf("%w: exception %d", errRefused, pdu[1])
				}
			}
		}
	}
	return nil, fmt.Errorf("% X has no answer: % X", request, got)
}

// registers reads n registers from an address.
func (m modbusMaster) registers(function byte, address, n int) ([]int, error) {
	data, err := m.ask(function, byte(address>>8), byte(address), byte(n>>8), byte(n))
	if err == nil && len(data) != 1+2*n {
		err = fmt.Errorf("%d registers in % X", n, data)
	}
	if err != nil {
		return nil, err
	}
	list := make([]int, n)
	for i := range list {
		list[i] = int(data[1+2*i])<<8 | int(data[2+2*i])
	}
	return list, nil
}

const (
	shelveMask  = 2
	ackCoil     = 8
	alarmStates = 60 // four registers an alarm
)

func (m modbusMaster) ready() bool {
	_, err := m.registers(4, 0, 1)
	return err == nil
}

// prepare brings a coil or a bit of the mask to the other side: a command is
// its change.
func (m modbusMaster) prepare(do alarm.Trigger, i int) error {
	err := m.set(do, i, false)
	if errors.Is(err, errPending) {
		return nil
	}
	return err
}

func (m modbusMaster) give(do alarm.Trigger, i int) error { return m.set(do, i, true) }

func (m modbusMaster) set(do alarm.Trigger, i int, on bool) error {
	if do == alarm.Acknowledge {
		value := byte(0)
		if on {
			value = 0xFF
		}
		_, err := m.ask(5, 0, byte(ackCoil+i), value, 0)
		return err
	}
	mask, err := m.registers(3, shelveMask, 1)
	if err != nil {
		return err
	}
	want := mask[0] &^ (1 << i)
	if (do == alarm.Shelve) == on {
		want = mask[0] | 1<<i
	}
	_, err = m.ask(6, 0, shelveMask, byte(want>>8), byte(want))
	return err
}

func (m modbusMaster) states(told func(int, alarm.State)) error {
	list, err := m.registers(4, alarmStates, 4*len(signals))
	if err != nil {
		return err
	}
	for i := range signals {
		if n := list[4*i]; n < len(alarm.States) {
			told(i, alarm.State(n))
		}
	}
	return nil
}

// asciiMaster is a PLC that reads lines.
type asciiMaster struct {
	pty   *serial.Pty
	rest  string
	heard int                 // lines
	is    map[int]alarm.State // as its last line said
}

func (*asciiMaster) name() string              { return "ascii" }
func (*asciiMaster) can(do alarm.Trigger) bool { return do == alarm.Acknowledge }

// lines reads lines until one is an answer, or for a time.
func (m *asciiMaster) lines(lasts time.Duration, answer bool) (string, error) {
	buf := make([]byte, 512)
	for began := time.Now(); time.Since(began) < lasts; {
		n, err := m.pty.Read(buf, 10*time.Millisecond)
		if err != nil && !errors.Is(err, serial.ErrTimeout) {
			return "", err
		}
		m.rest += string(buf[:n])
		for {
			line, rest, whole := strings.Cut(m.rest, "\r\n")
			if !whole {
				break
			}
			m.rest = rest
			m.heard++
			line, _, _ = strings.Cut(line, "*")
			switch field := strings.Split(line, ","); {
			case len(field) >= 6 && field[1] == "A":
				i, _ := strconv.Atoi(field[3])
				state, _ := strconv.Atoi(field[4])
				m.is[i] = alarm.State(state)
			case answer && len(field) >= 4 && field[1] == "R":
				return field[3], nil
			}
		}
	}
	if answer {
		return "", errors.New("no answer")
	}
	return "", nil
}

func (m *asciiMaster) ready() bool {
	_, err := fmt.Fprint(writer{m.pty}, "?")
	n := m.heard
	m.lines(20*time.Millisecond, false)
	return err == nil && m.heard > n
}

func (*asciiMaster) prepare(alarm.Trigger, int) error { return nil }

func (m *asciiMaster) give(_ alarm.Trigger, i int) error {
	text := fmt.Sprintf("ACK,%d", i)
	sum := byte(0)
	for _, c := range []byte(text) {
		sum ^= c
	}
	if _, err := fmt.Fprintf(writer{m.pty}, "$%s*%02X\r\n", text, sum); err != nil {
		return err
	}
	switch answer, err := m.lines(answerWithin, true); {
	case err != nil:
		return err
	case answer == "OK":
		return nil
	case answer == "PENDING":
		return errPending
	}
	return errRefused
}

func (m *asciiMaster) states(told func(int, alarm.State)) error {
	clear(m.is) // what comes now was true after the question
	if _, err := m.lines(20*time.Millisecond, false); err != nil {
		return err
	}
	for i, state := range m.is {
		told(i, state)
	}
	return nil
}

type writer struct{ pty *serial.Pty }

func (w writer) Write(p []byte) (int, error) { return w.pty.Write(p, answerWithin) }

// percentile gives that of a list.
func percentile(list []time.Duration, p float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[min(len(list)-1, int(p*float64(len(list))))]
}
