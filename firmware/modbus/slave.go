package modbus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mien/drivers/serial"
)

// Port is what the slave needs of a line; serial.Line has it. Read returns at
// least one character, or an error: serial.ErrTimeout when none came,
// serial.ErrCorrupt together with characters that cannot be trusted. Write
// ends within timeout. Neither allocates.
type Port interface {
	Read(p []byte, timeout time.Duration) (int, error)
	Write(p []byte, timeout time.Duration) (int, error)
	Discard() error
}

var _ Port = serial.Line(nil)

const (
	// pieces is how long the pieces of a frame are kept together at least: USB
	// adapters hand over what they have every 16 ms or less.
	pieces = 50 * time.Millisecond
	// glance is how often an idle Serve looks at its context.
	glance = 100 * time.Millisecond
	// writeSlack is what Write gets beyond the time the characters need.
	writeSlack = 500 * time.Millisecond
)

// Slave answers the masters on one line. Its counters, what masters wrote and
// the host heartbeat outlive the line: Serve is called again with the next.
type Slave struct {
	cfg      Config
	latest   Source
	commands Commands

	stats counters
	host  host

	// What follows belongs to Serve.
	rx         receiver
	chunk      [256]byte
	heardAt    time.Duration // when the last character came
	listenOnly bool

	tx        [maxADU]byte
	reply     int           // bytes of tx that wait to be sent
	due       time.Duration // when to send them
	sent      int           // bytes of tx that were the last thing on the line
	sentAt    time.Duration // when they went out
	sentIsAsk bool          // they equal the request they answer
	echo      echo          // whether the line gives back what we send

	view      view
	begun     bool   // the image knows what was shelved at the start
	port      Port   // that was served last
	numbers   uint32 // Snapshot.Numbering that the master knows of
	silent    bool   // the host's heartbeat is lost, and the image knows
	image     image
	staging   staging
	given     given
	owed      uint64        // number of the newest event of a command that may not be on the disk yet; 0: all are
	traced    time.Duration // when a refused write was journaled last; 0: never
	broadcast bool          // what is handled came to all
	network   bool          // there is no line: it cannot be silent on it
	readOnly  bool          // no function that writes is there
	identity  [][]byte
}

// New prepares a slave that shows what latest holds and hands what masters ask
// for to commands.
func New(cfg Config, latest Source, commands Commands) (*Slave, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	if latest == nil || commands == nil {
		return nil, errors.New("modbus: a slave needs a snapshot and somebody to take commands")
	}
	s := &Slave{cfg: cfg, latest: latest, commands: commands}
	var err error
	if s.identity, err = cfg.Identity.objects(); err != nil {
		return nil, err
	}
	s.rx.address = cfg.Address
	s.view.stats, s.view.host, s.view.lowWordFirst = &s.stats, &s.host, cfg.LowWordFirst
	s.host.watch(cfg.HostTimeout, cfg.Now())
	s.image.holding[holdingHostTimeout] = uint16(cfg.HostTimeout / time.Millisecond)
	s.image.holding[holdingShelveMinutes] = uint16(cfg.ShelveDefault / time.Minute)
	return s, nil
}

// Succeed lets s go on where before, which no longer serves, left off: counters,
// what masters wrote, and the host heartbeat. Settings that the config changed
// are the new ones.
func (s *Slave) Succeed(before *Slave) {
	for i, n := range before.stats.all() {
		s.stats.all()[i].Store(n.Load())
	}
	timeout, minutes := s.image.holding[holdingHostTimeout], s.image.holding[holdingShelveMinutes]
	s.owed, s.given = before.owed, before.given
	s.image, s.begun, s.listenOnly, s.numbers = before.image, before.begun, before.listenOnly, before.numbers
	if s.cfg.HostTimeout != before.cfg.HostTimeout || s.cfg.HostRequired != before.cfg.HostRequired {
		s.image.holding[holdingHostTimeout] = timeout
	}
	if s.cfg.ShelveMax > 0 && time.Duration(s.image.holding[holdingShelveMinutes])*time.Minute > s.cfg.ShelveMax {
		s.image.holding[holdingShelveMinutes] = minutes
	}
	s.host.timeout.Store(int64(time.Duration(s.image.holding[holdingHostTimeout]) * time.Millisecond))
	s.host.changedAt.Store(before.host.changedAt.Load())
	s.host.seen.Store(before.host.seen.Load())
}

// Serve answers requests on port until ctx ends or the port fails; it returns
// ctx.Err or the port's error. It does not close the port. One Serve runs at a
// time. With another port than before its masters' levels are new: what is 1 with
// the first write acts only after it has been 0.
func (s *Slave) Serve(ctx context.Context, port Port) error {
	if err := port.Discard(); err != nil {
		return fmt.Errorf("modbus: clear the line: %w", err)
	}
	s.rx.reset()
	s.reply, s.sent, s.echo = 0, 0, echo{}
	if port != s.port {
		s.port = port
		s.image.reopen()
	}
	for ctx.Err() == nil {
		if err := s.turn(port); err != nil {
			return err
		}
	}
	if s.reply > 0 { // what was obeyed is answered
		if err := s.send(port, s.cfg.Now()); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// turn waits for what comes next on the line, characters, silence or the
// moment to answer, and deals with it.
func (s *Slave) turn(port Port) error {
	n, err := port.Read(s.chunk[:], s.wait(s.cfg.Now()))
	now := s.cfg.Now()
	corrupt := false
	switch {
	case err == nil:
	case errors.Is(err, serial.ErrTimeout):
		n = 0
	case errors.Is(err, serial.ErrCorrupt):
		corrupt = true
	default:
		return fmt.Errorf("modbus: read the line: %w", err)
	}

	// Silence first: it came before the characters.
	if quiet := now - s.heardAt; quiet >= s.cfg.silence() {
		final := n == 0 && quiet >= s.pieceTime()
		for s.rx.gap(final) {
			s.frame(now)
			for s.rx.next() {
				s.frame(now)
			}
		}
		if final {
			s.rx.giveUp()
		}
	}
	if n > 0 {
		s.heardAt = now
		if corrupt {
			s.rx.spoil()
		} else {
			s.rx.feed(s.chunk[:n])
			for s.rx.next() {
				s.frame(now)
			}
		}
	}
	s.stats.add(&s.stats.CommErrors, s.rx.takeErrors())
	s.stats.add(&s.stats.Overruns, s.rx.takeOverruns())

	if s.reply == 0 || now < s.due {
		return nil
	}
	return s.send(port, now)
}

// send sends the answer that waits.
func (s *Slave) send(port Port, now time.Duration) error {
	length := s.reply
	s.reply, s.sent, s.sentAt = 0, length, now
	if s.cfg.Trace != nil {
		s.cfg.Trace(true, s.tx[:length])
	}
	_, err := port.Write(s.tx[:length], time.Duration(length)*s.cfg.CharacterTime+writeSlack)
	switch {
	case err == nil:
	case errors.Is(err, serial.ErrTimeout):
		s.stats.add(&s.stats.WriteTimeouts, 1)
	default:
		return fmt.Errorf("modbus: answer: %w", err)
	}
	return nil
}

// pieceTime is how long the next piece of a frame may take.
func (s *Slave) pieceTime() time.Duration { return max(pieces, 2*s.cfg.silence()) }

// wait is how long nothing but a character can change anything.
func (s *Slave) wait(now time.Duration) time.Duration {
	wait := glance
	if s.reply > 0 {
		wait = min(wait, s.due-now)
	}
	if s.rx.waiting() {
		quiet := now - s.heardAt
		if silence := s.cfg.silence(); quiet < silence {
			wait = min(wait, silence-quiet)
		} else {
			wait = min(wait, s.pieceTime()-quiet)
		}
	}
	return max(wait, 0)
}

// frame deals with the frame that the receiver has found, which has a right
// CRC. An answer that still waits goes: the line has moved on, and a master
// would take it for the answer to what it sent since.
func (s *Slave) frame(now time.Duration) {
	adu, kind := s.rx.frame, s.rx.kind
	s.stats.add(&s.stats.BusMessages, 1)
	if s.cfg.Trace != nil {
		s.cfg.Trace(false, adu)
	}
	if s.reply > 0 {
		s.reply = 0
		s.stats.add(&s.stats.NoResponses, 1)
	}
	sent := s.tx[:s.sent]
	s.sent = 0
	back := len(sent) > 0 && string(sent) == string(adu)
	switch s.echo.judge(back, s.sentIsAsk, len(sent) > 0, now-s.sentAt < s.soon(len(adu))) {
	case heardEcho:
		s.stats.add(&s.stats.Echoes, 1)
		return
	case doubtfulRequest:
		// Not obeyed: it may be what was obeyed already.
		s.stats.add(&s.stats.Messages, 1)
		s.stats.add(&s.stats.Exceptions, 1)
		s.stats.add(&s.stats.Busy, 1)
		s.answer(s.refuse(adu[1], deviceBusy), adu, now)
		return
	}
	if kind == kindOther {
		return
	}
	if kind == kindReply {
		// Another device answers under our address, or an echo came late.
		s.stats.add(&s.stats.ForeignReplies, 1)
		return
	}
	broadcast := adu[0] == 0
	pdu := adu[1 : len(adu)-2]
	s.stats.add(&s.stats.Messages, 1)
	if s.listenOnly && !isRestart(pdu) {
		s.stats.add(&s.stats.NoResponses, 1)
		return
	}
	n := s.handle(pdu, broadcast, now)
	if n == 0 || broadcast {
		s.stats.add(&s.stats.NoResponses, 1)
		return
	}
	s.answer(n, adu, now)
}

// answer frames the PDU of n bytes that stands in tx.
func (s *Slave) answer(n int, adu []byte, now time.Duration) {
	s.tx[0] = s.cfg.Address
	crc := CRC(s.tx[:1+n])
	s.tx[1+n], s.tx[2+n] = byte(crc), byte(crc>>8)
	s.reply = n + 3
	s.sentIsAsk = string(s.tx[:s.reply]) == string(adu)
	s.due = now + s.cfg.Delay
}

// soon is within what time after our answer a frame as long comes back as an echo, an
// adapter on USB included; a master that asks the same again may be as fast.
func (s *Slave) soon(length int) time.Duration {
	return 2*time.Duration(length)*s.cfg.CharacterTime + s.cfg.silence() + 20*time.Millisecond
}

// echo is what is known of a line's echo. An answer that comes back is one, unless it
// equals its request: then a master may have asked the same again. Where that is not
// known yet, the answer is "busy", once. It is no request, so that it tells: it comes
// back, or it does not.
type echo struct {
	there bool
	none  bool
	run   int // frames in a row that may be echoes, while there are none
	asked bool
}

type verdict uint8

const (
	request verdict = iota
	heardEcho
	doubtfulRequest
)

// longRun is how many frames in a row, each our answer and soon behind it, bring the
// question up again: the first echo may have been damaged.
const longRun = 100

// judge is told of each frame: whether it is our last answer, whether that equalled
// its request, whether there was one right before, and whether this came soon after.
func (e *echo) judge(back, sentIsAsk, sent, soon bool) verdict {
	switch {
	case back && (e.there || !sentIsAsk):
		e.there = true
		return heardEcho
	case !sent:
		return request
	case !back || !soon: // an echo would have come first
		e.none, e.run = true, 0
		return request
	}
	if e.run++; e.asked || e.none && e.run < longRun {
		return request
	}
	e.asked = true
	return doubtfulRequest
}
