// Package line is the unit's ASCII protocol, for masters without Modbus: one
// line a change and one a second, and a few commands back.
//
// The frame is that of NMEA 0183: a dollar sign, fields with commas between,
// an asterisk, the exclusive or of all characters between the two as two
// hexadecimal digits, carriage return and line feed. docs/line-protocol.md has
// the grammar.
//
//	$MIEN,S,17,204,4C93,0000,0001,0001,0000,1,4,-0.77,0.35,0.06,,7.5*27
//	$MIEN,A,18,0,1,brow lowered,0.96*1D
//	$ACK,0*55
package line

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"mien/drivers/serial"
	"mien/firmware/modbus"
)

const (
	maxCommand  = 40 // characters of a command, from $ to the checksum
	glance      = 20 * time.Millisecond
	writeWithin = 500 * time.Millisecond
)

// Config of a Talker.
type Config struct {
	// Interval is the longest time between two status lines; 0 is 1 s.
	Interval time.Duration
	// Who is how commands are journaled; "" is "line".
	Who string
	// Now is the monotonic clock of the Snapshot; nil is the time since New.
	Now func() time.Duration
}

// Talker speaks the protocol on one line. Its sequence numbers outlive the
// line: Serve is called again with the next.
type Talker struct {
	cfg      Config
	latest   *modbus.Latest
	commands modbus.Commands

	sequence uint32
	in       parser
	out      []byte
	snap     modbus.Snapshot
	stored   uint32
	begun    bool
	said     said
	saidAt   time.Duration
	dropped  uint64
	chunk    [64]byte
	batch    [1]modbus.Command
}

// said is what the last status line told; a change of it makes a new line.
type said struct {
	status, faults, active, unacknowledged, latched uint16
	states                                          [modbus.MaxAlarms]modbus.AlarmState
	count                                           int
}

// New prepares a talker that tells what latest holds and hands commands on.
func New(cfg Config, latest *modbus.Latest, commands modbus.Commands) (*Talker, error) {
	if latest == nil || commands == nil {
		return nil, errors.New("line: a talker needs a snapshot and somebody to take commands")
	}
	if cfg.Interval < 0 {
		return nil, fmt.Errorf("line: interval %v is negative", cfg.Interval)
	}
	if cfg.Interval == 0 {
		cfg.Interval = time.Second
	}
	if cfg.Who == "" {
		cfg.Who = "line"
	}
	if cfg.Now == nil {
		start := time.Now()
		cfg.Now = func() time.Duration { return time.Since(start) }
	}
	return &Talker{cfg: cfg, latest: latest, commands: commands, out: make([]byte, 0, 256)}, nil
}

// Dropped counts the lines that nobody took in time.
func (t *Talker) Dropped() uint64 { return t.dropped }

// Serve talks on port until ctx ends or the port fails; it returns ctx.Err or
// the port's error. It does not close the port.
func (t *Talker) Serve(ctx context.Context, port modbus.Port) error {
	t.in.reset()
	t.begun = false
	for ctx.Err() == nil {
		if err := t.hear(port); err != nil {
			return err
		}
		if err := t.tell(port); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// hear waits a moment for characters and carries out the commands in them.
func (t *Talker) hear(port modbus.Port) error {
	n, err := port.Read(t.chunk[:], glance)
	switch {
	case err == nil:
	case errors.Is(err, serial.ErrTimeout):
		return nil
	case errors.Is(err, serial.ErrCorrupt):
		t.in.reset() // a character was damaged: so is the line that it is in
		return nil
	default:
		return fmt.Errorf("line: read: %w", err)
	}
	for _, c := range t.chunk[:n] {
		text, whole := t.in.feed(c)
		if !whole {
			continue
		}
		if err := t.obey(port, text); err != nil {
			return err
		}
	}
	return nil
}

// Answers to a command.
const (
	answerOK      = "OK"
	answerRefused = "ERR"
)

// obey carries out one command, whose checksum was right.
func (t *Talker) obey(port modbus.Port, text []byte) error {
	c, status, err := parse(text)
	switch {
	case err != nil:
		return t.answer(port, answerRefused, err.Error())
	case status:
		t.latest.Load(&t.snap)
		t.begun = true
		return t.status(port)
	}
	t.batch[0] = c
	if err := t.commands.Do(t.cfg.Who, t.batch[:]); err != nil {
		return t.answer(port, answerRefused, err.Error())
	}
	return t.answer(port, answerOK, "")
}

func (t *Talker) answer(port modbus.Port, result, text string) error {
	b := append(t.head('R'), result...)
	if text != "" {
		b = appendText(append(b, ','), text)
	}
	return t.send(port, b)
}

// tell writes a line for each change, and a status line when the last one is
// old.
func (t *Talker) tell(port modbus.Port) error {
	now := t.cfg.Now()
	due := !t.begun || now-t.saidAt >= t.cfg.Interval
	stored := t.latest.Stored()
	if stored == t.stored && !due {
		return nil
	}
	t.stored = stored
	t.latest.Load(&t.snap)
	is := t.state(now)
	if is == t.said && !due {
		return nil
	}
	for i := range t.snap.Alarms[:is.count] {
		if t.begun && i < t.said.count && is.states[i] == t.said.states[i] {
			continue
		}
		if err := t.alarm(port, i); err != nil {
			return err
		}
	}
	t.begun = true
	return t.status(port)
}

// state is what a status line tells now. A result that has grown old is not
// valid, whoever stored it.
func (t *Talker) state(now time.Duration) said {
	s := &t.snap
	is := said{status: s.Status &^ modbus.StatusToggle, faults: s.Faults, active: s.Active,
		unacknowledged: s.Unacknowledged, latched: s.Latched, count: min(s.AlarmCount, modbus.MaxAlarms)}
	if s.StaleAfter > 0 && now-s.ResultAt > s.StaleAfter {
		is.status &^= modbus.StatusResultValid | modbus.StatusReady
	}
	for i := range is.count {
		is.states[i] = s.Alarms[i].State
	}
	return is
}

// status writes the S line.
func (t *Talker) status(port modbus.Port) error {
	now := t.cfg.Now()
	t.said, t.saidAt = t.state(now), now
	s := &t.snap
	b := strconv.AppendUint(t.head('S'), uint64(s.Heartbeat), 10)
	for _, word := range [...]uint16{t.said.status, t.said.faults, t.said.active, t.said.unacknowledged, t.said.latched} {
		b = appendHex(append(b, ','), word)
	}
	b = strconv.AppendUint(append(b, ','), uint64(s.Faces), 10)
	b = append(b, ',')
	if s.Expression >= 0 {
		b = strconv.AppendInt(b, int64(s.Expression), 10)
	}
	for _, v := range [...]float32{s.Valence, s.Arousal, s.EyesClosed, s.PERCLOS, s.Pain} {
		b = appendLevel(append(b, ','), v)
	}
	return t.send(port, b)
}

// alarm writes the A line of one alarm.
func (t *Talker) alarm(port modbus.Port, i int) error {
	a := &t.snap.Alarms[i]
	b := strconv.AppendInt(t.head('A'), int64(i), 10)
	b = strconv.AppendUint(append(b, ','), uint64(a.State), 10)
	b = appendText(append(b, ','), a.Name)
	b = appendLevel(append(b, ','), a.Value)
	return t.send(port, b)
}

// head begins a line of a kind with the next sequence number.
func (t *Talker) head(kind byte) []byte {
	t.sequence++
	b := append(t.out[:0], "$MIEN,"...)
	b = append(b, kind, ',')
	b = strconv.AppendUint(b, uint64(t.sequence), 10)
	return append(b, ',')
}

// send closes a line with its checksum and writes it. A line that nobody takes
// is dropped and counted: the next one tells the newest state.
func (t *Talker) send(port modbus.Port, b []byte) error {
	sum := checksum(b[1:])
	b = append(b, '*', digits[sum>>4], digits[sum&15], '\r', '\n')
	t.out = b[:0]
	if _, err := port.Write(b, writeWithin); err != nil {
		if !errors.Is(err, serial.ErrTimeout) {
			return fmt.Errorf("line: write: %w", err)
		}
		t.dropped++
	}
	return nil
}

const digits = "0123456789ABCDEF"

func checksum(b []byte) (sum byte) {
	for _, c := range b {
		sum ^= c
	}
	return sum
}

func appendHex(b []byte, word uint16) []byte {
	return append(b, digits[word>>12], digits[word>>8&15], digits[word>>4&15], digits[word&15])
}

// appendLevel writes a level with two decimals; Unknown is an empty field.
func appendLevel(b []byte, v float32) []byte {
	if math.IsNaN(float64(v)) {
		return b
	}
	return strconv.AppendFloat(b, float64(v), 'f', 2, 32)
}

// appendText writes a text without the characters that the frame needs.
func appendText(b []byte, text string) []byte {
	const most = 80
	for i, r := range text {
		if i >= most {
			break
		}
		switch {
		case r < ' ' || r > '~' || r == '$' || r == '*' || r == ',':
			b = append(b, ' ')
		default:
			b = append(b, byte(r))
		}
	}
	return b
}
