// Package ascii is the unit's ASCII protocol, for masters without Modbus: one
// line a change and one a second, and a few commands back.
//
// The frame is that of NMEA 0183: a dollar sign, fields with commas between,
// an asterisk, the exclusive or of all characters between the two as two
// hexadecimal digits, carriage return and line feed. docs/ascii.md has
// the grammar.
//
//	$MIEN,S,17,204,4C93,0000,0001,0001,0000,1,4,-0.77,0.35,0.06,,7.5*27
//	$MIEN,A,18,0,1,brow lowered,0.96*1D
//	$ACK,0*55
package ascii

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"mien/drivers/serial"
	"mien/firmware/alarm"
	"mien/firmware/state"
	"mien/model/affect"
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
	// CharacterTime is how long one character is on the wire; 0: no time at all.
	CharacterTime time.Duration
	// Who is how commands are journaled; "" is "ascii".
	Who string
	// Trace, if there is one, is given each line that came, without its checksum, or went. It is called by
	// Serve: it does not wait, and keeps nothing of the line.
	Trace func(out bool, line []byte)
	// Now is the monotonic clock of the State; nil is the time since New.
	Now func() time.Duration
}

// Port is what a Talker needs of a serial port; serial.Line has it, and says what
// its errors mean.
type Port interface {
	Read(p []byte, timeout time.Duration) (int, error)
	Write(p []byte, timeout time.Duration) (int, error)
	Discard() error
}

// queued tells whether the driver still has more than a moment of what it was given
// before: where it does not say, the character time alone counts.
func queued(port Port) bool {
	p, ok := port.(interface{ Backlog() time.Duration })
	return ok && p.Backlog() > glance
}

// Talker speaks the protocol on one line. Its sequence numbers outlive the
// line: Serve is called again with the next.
type Talker struct {
	cfg      Config
	latest   *state.Latest
	commands state.Commands

	sequence uint32
	in       parser
	out      []byte
	state    state.State
	stored   uint32
	numbers  uint32 // state.State.Numbering that the master knows of
	dropped  uint64
	chunk    [64]byte
	batch    [1]state.Command

	free   time.Duration // when the last character of what was written is on the wire
	begun  bool          // a status line was written since the port was opened
	behind bool          // there is more to tell than the port has taken
	said   said
	saidAt time.Duration
	about  *state.About            // of the alarms that were told
	told   [mostAlarms]alarm.State // Beneath: not told yet
	next   int                     // alarm to look at first
	signal int                     // next signal to tell; as many as there are: none
}

// said is what the last status line told; a change of it makes a new line.
type said struct {
	status                          uint16
	faults                          uint32
	active, unacknowledged, latched uint64
	count                           int
}

// mostAlarms is how many alarms have a line: as many as a config may have, and
// those beside them that an earlier one left.
const mostAlarms = 2 * alarm.MaxAlarms

// New prepares a talker that tells what latest holds and hands commands on.
func New(cfg Config, latest *state.Latest, commands state.Commands) (*Talker, error) {
	if latest == nil || commands == nil {
		return nil, errors.New("ascii: a talker needs a state and somebody to take commands")
	}
	if cfg.Interval < 0 || cfg.CharacterTime < 0 {
		return nil, errors.New("ascii: a time is negative")
	}
	if cfg.Interval == 0 {
		cfg.Interval = time.Second
	}
	if cfg.Who == "" {
		cfg.Who = "ascii"
	}
	if cfg.Now == nil {
		start := time.Now()
		cfg.Now = func() time.Duration { return time.Since(start) }
	}
	return &Talker{cfg: cfg, latest: latest, commands: commands, out: make([]byte, 0, 256), signal: math.MaxInt}, nil
}

// Dropped counts the lines that nobody took in time.
func (t *Talker) Dropped() uint64 { return t.dropped }

// Serve talks on port until ctx ends or the port fails; it returns ctx.Err or
// the port's error. It does not close the port.
func (t *Talker) Serve(ctx context.Context, port Port) error {
	// What came before the unit could tell anything is an answer to nothing.
	if err := port.Discard(); err != nil {
		return fmt.Errorf("ascii: clear the line: %w", err)
	}
	t.in.reset()
	t.begun, t.about, t.signal, t.saidAt = false, nil, math.MaxInt, t.cfg.Now()
	for ctx.Err() == nil {
		if err := t.tell(port); err != nil {
			return err
		}
		if err := t.hear(port); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// hear waits a moment for characters and carries out the commands in them.
func (t *Talker) hear(port Port) error {
	n, err := port.Read(t.chunk[:], glance)
	switch {
	case err == nil:
	case errors.Is(err, serial.ErrTimeout):
		return nil
	case errors.Is(err, serial.ErrCorrupt):
		t.in.reset() // a character was damaged: so is the line that it is in
		return nil
	default:
		return fmt.Errorf("ascii: read: %w", err)
	}
	for _, c := range t.chunk[:n] {
		text, whole := t.in.feed(c)
		if !whole {
			continue
		}
		if t.cfg.Trace != nil {
			t.cfg.Trace(false, text)
		}
		if err := t.obey(port, text); err != nil {
			return err
		}
	}
	return nil
}

// keptWithin is how long an answer waits for the disk, so that a master has it
// within 50 ms.
const keptWithin = 40 * time.Millisecond

// Answers to a command.
const (
	answerOK      = "OK"
	answerNothing = "NOTHING" // there was nothing to do, and why
	answerRefused = "ERR"
	answerPending = "PENDING" // done, and not yet on the disk: a power loss could take it back
)

// obey carries out one command, whose checksum was right.
func (t *Talker) obey(port Port, text []byte) error {
	c, ask, err := t.parse(text)
	switch {
	case err != nil:
		return t.answer(port, answerRefused, err.Error())
	case ask == 'L':
		t.signal, t.behind = 0, true
		return nil
	case ask == 'C':
		t.latest.Load(&t.state)
		return t.clock(port)
	case ask != 0:
		t.latest.Load(&t.state)
		if t.numbers != t.state.Numbering { // the names come again, behind the answer
			t.numbers, t.about, t.behind = t.state.Numbering, nil, true
		}
		return t.status(port)
	}
	t.batch[0] = c
	receipt, err := t.commands.Do(t.cfg.Who, t.batch[:])
	if err != nil && !errors.Is(err, alarm.ErrRefused) {
		return t.answer(port, answerRefused, err.Error())
	}
	if err := t.commands.Kept(receipt, keptWithin); err != nil {
		return t.answer(port, answerPending, err.Error())
	}
	switch {
	case err != nil:
		return t.answer(port, answerNothing, strings.TrimPrefix(err.Error(), alarm.ErrRefused.Error()+": "))
	case receipt.Idle && len(receipt.Done) > 0:
		return t.answer(port, answerNothing, receipt.Done[0].Cause)
	case len(receipt.Done) == 0:
		return t.answer(port, answerNothing, "it is so already")
	}
	return t.answer(port, answerOK, "")
}

func (t *Talker) answer(port Port, result, text string) error {
	b := append(t.head('R'), result...)
	if text != "" {
		b = appendText(append(b, ','), text)
	}
	return t.send(port, b)
}

// tell writes a line for each change, and a status line when the last one is
// old. While the port still sends what it was given before, it writes nothing: a
// slow port leaves lines out, and never sends old ones.
func (t *Talker) tell(port Port) error {
	now := t.cfg.Now()
	due := now-t.saidAt >= t.cfg.Interval
	stored := t.latest.Stored()
	if now < t.free || queued(port) || stored == t.stored && !due && !t.behind && t.begun {
		return nil
	}
	t.stored = stored
	t.latest.Load(&t.state)
	if t.state.About != t.about { // other alarms may have the numbers now
		t.about, t.next = t.state.About, 0
		for i := range t.told {
			t.told[i] = alarm.Beneath
		}
	}
	if due {
		t.behind = true
		return t.status(port)
	}
	is := t.is(now)
	t.behind = true
	// On a port that is not free after each line, everything has its turn.
	if t.sequence%2 == 0 && t.signal < len(t.state.Levels) {
		return t.level(port)
	}
	first := t.next
	for k := range is.count {
		i := (first + k) % is.count
		if t.state.Alarms[i].State == t.told[i] {
			continue
		}
		t.next = i + 1
		if err := t.alarm(port, i); err != nil || t.cfg.Now() < t.free {
			return err
		}
	}
	t.next = 0
	for t.signal < len(t.state.Levels) {
		if err := t.level(port); err != nil || t.cfg.Now() < t.free {
			return err
		}
	}
	t.behind = false
	if is == t.said && t.begun {
		return nil
	}
	return t.status(port)
}

// is tells what a status line tells now. A result that has grown old is not
// valid, whoever stored it.
func (t *Talker) is(now time.Duration) said {
	s, sum := &t.state, &t.state.Summary
	return said{status: uint16(s.Flags(now) &^ (1 << state.Toggle)), faults: s.FaultBits(), active: sum.Active,
		unacknowledged: sum.Unacknowledged, latched: sum.Latched, count: min(len(s.Alarms), mostAlarms)}
}

// status writes the S line.
func (t *Talker) status(port Port) error {
	now := t.cfg.Now()
	t.said, t.saidAt, t.begun = t.is(now), now, true
	s, is := &t.state, &t.said
	b := strconv.AppendUint(t.head('S'), uint64(s.Heartbeat), 10)
	b = appendHex(append(b, ','), uint64(is.status), 4)
	b = appendHex(append(b, ','), uint64(is.faults), 4)
	digits := max(4, (is.count+3)/4) // one for each four alarms
	for _, mask := range [...]uint64{is.active, is.unacknowledged, is.latched} {
		b = appendHex(append(b, ','), mask, digits)
	}
	b = strconv.AppendUint(append(b, ','), uint64(s.Faces), 10)
	b = append(b, ',')
	if n := slices.Index(expressions, s.Expression.Name); n >= 0 {
		b = strconv.AppendInt(b, int64(n), 10)
	}
	for _, name := range [...]string{affect.Valence, affect.Arousal, affect.EyesClosed, affect.Perclos} {
		b = appendLevel(append(b, ','), s.Level(name))
	}
	b = append(b, ',') // the pain index is withdrawn; its place stays, empty
	return t.send(port, b)
}

// expressions are those that have a number, in a status line as in the register
// map.
var expressions = affect.Expressions()[:8]

// alarm writes the A line of one alarm.
func (t *Talker) alarm(port Port, i int) error {
	a := &t.state.Alarms[i]
	t.told[i] = a.State
	b := strconv.AppendInt(t.head('A'), int64(i), 10)
	b = strconv.AppendUint(append(b, ','), uint64(a.State), 10)
	b = appendText(append(b, ','), a.Name)
	b = appendLevel(append(b, ','), a.Level)
	return t.send(port, b)
}

// clock writes the C line: who vouches for the time, and what it is.
func (t *Talker) clock(port Port) error {
	c := t.state.Clock
	b := strconv.AppendUint(t.head('C'), uint64(c.Source), 10)
	return t.send(port, c.Time(t.cfg.Now()).UTC().AppendFormat(append(b, ','), clockTime))
}

// level writes the L line of the signal whose turn it is.
func (t *Talker) level(port Port) error {
	b := appendText(t.head('L'), t.state.About.Signals[t.signal].Name)
	b = appendLevel(append(b, ','), t.state.Levels[t.signal])
	t.signal++
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
func (t *Talker) send(port Port, b []byte) error {
	sum := checksum(b[1:])
	b = append(b, '*', digits[sum>>4], digits[sum&15], '\r', '\n')
	t.out = b[:0]
	if t.cfg.Trace != nil {
		t.cfg.Trace(true, b[:len(b)-2])
	}
	t.free = max(t.free, t.cfg.Now()) + time.Duration(len(b))*t.cfg.CharacterTime
	if _, err := port.Write(b, writeWithin); err != nil {
		if !errors.Is(err, serial.ErrTimeout) {
			return fmt.Errorf("ascii: write: %w", err)
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

// appendHex writes a word with at least so many digits.
func appendHex(b []byte, word uint64, least int) []byte {
	for n := max(least, (bits.Len64(word)+3)/4) - 1; n >= 0; n-- {
		b = append(b, digits[word>>(4*n)&15])
	}
	return b
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
