package modbus_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"mien/firmware/modbus"
	"mien/firmware/modbus/modbustest"
)

// hostile is a bus with everything on it that a bus can have, from a seed. It
// knows what the slave must answer and to what it must keep silent.
type hostile struct {
	t   *testing.T
	rng *rand.Rand
	rig *rig

	queue []event // characters still to come, with the pauses before them
	at    time.Duration
	left  int // frames still to be made

	heartbeat uint16 // what the register holds
	now, then due    // what the slave has heard, and what comes next
	coming    bool   // then has not been heard yet
	mess      bool   // the last thing on the bus was damaged or in pieces
	rest      []byte // what was on the bus before
	static    []byte // the answer to a long read that never changes

	frames, asked, answered, broadcasts, damaged, others, glued, split int
}

// due is what belongs to the characters on the bus.
type due struct {
	asked  bool
	answer []byte // that must come; nil for none
	free   bool   // it may come or not
	done   bool   // it has come
	heard  []byte // the characters, for messages
}

// silence is the 3.5 characters of the rig's baud rate.
const silence = 1750 * time.Microsecond

func (h *hostile) pick(n int) bool { return h.rng.IntN(n) == 0 }

func (h *hostile) noise(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(h.rng.Uint32())
	}
	return p
}

// request makes a request for us with the one answer that is right; nil is
// silence.
func (h *hostile) request() (request, answer []byte) {
	ours := func(pdu []byte) []byte { return modbustest.Frame(1, pdu) }
	beat := h.heartbeat
	register := []byte{3, 2, byte(beat >> 8), byte(beat)}
	value := int(h.rng.Uint32N(65536))
	write := func(pdu, answer []byte) ([]byte, []byte) {
		h.heartbeat = uint16(value)
		return ours(pdu), ours(answer)
	}
	switch h.rng.IntN(15) {
	case 0:
		return ours(words(3, 0, 1)), ours(register)
	case 1:
		return ours(words(4, 50, 4)), ours([]byte{4, 8, 0x12, 0x34, 0x56, 0x78, 0x3F, 0x80, 0, 0})
	case 2:
		return ours(words(3, 1050, 2)), ours([]byte{3, 4, 0x12, 0x34, 0x56, 0x78})
	case 3:
		return write(words(6, 0, value), words(6, 0, value))
	case 4:
		return write(block(0, value), words(16, 0, 1))
	case 5:
		return write(words(22, 0, 0, value), words(22, 0, 0, value))
	case 6:
		return write(append(append(words(23, 0, 1, 0, 1), 2), words(0, value)[1:]...), []byte{23, 2, byte(value >> 8), byte(value)})
	case 7:
		return ours(words(8, 0, value)), ours(words(8, 0, value))
	case 8:
		return ours(words(1, 0, 24)), ours([]byte{1, 3, 0, 0, 0})
	case 9:
		return ours(words(4, 200, 125)), h.static
	case 10:
		return ours(words(3, 328, 1)), ours([]byte{0x83, 2})
	case 11:
		return ours(words(4, 0, 126)), ours([]byte{0x84, 3})
	case 12:
		return ours([]byte{43, 14, 4, 0}), ours([]byte{43, 14, 4, 0x82, 0, 0, 1, 0, 4, 'm', 'i', 'e', 'n'})
	case 13:
		return ours([]byte{66, byte(value)}), ours([]byte{0xC2, 1})
	}
	h.heartbeat = uint16(value)
	return modbustest.Frame(0, words(6, 0, value)), nil // broadcast
}

// foreign is what passes between the master and another slave, request and
// reply. The data of the reply may hold anything, a whole request for us too.
func (h *hostile) foreign() (request, reply []byte) {
	address := byte(2 + h.rng.IntN(246))
	n := 1 + h.rng.IntN(60)
	data := h.noise(2 * n)
	if h.pick(3) {
		copy(data[h.rng.IntN(2*n):], modbustest.Frame(1, words(6, 0, 0xDEAD)))
	}
	at := int(h.rng.Uint32N(65536))
	var q, a []byte
	switch h.rng.IntN(9) {
	case 0, 1, 2:
		q, a = words(byte(3+h.rng.IntN(2)), at, n), append([]byte{3, byte(2 * n)}, data...)
		a[0] = q[0]
	case 3:
		q, a = words(1, at, 8*n), append([]byte{1, byte(n)}, data[:n]...)
	case 4:
		q = words(6, at, n)
		a = q
	case 5:
		q, a = append(append(words(16, at, n), byte(2*n)), data...), words(16, at, n)
	case 6:
		q, a = append(append(words(23, at, n, at, n), byte(2*n)), data...), append([]byte{23, byte(2 * n)}, data...)
	case 7:
		q, a = words(3, at, n), []byte{0x83, 2}
	default:
		q, a = []byte{17}, append([]byte{17, byte(n)}, data[:n]...)
	}
	return modbustest.Frame(address, q), modbustest.Frame(address, a)
}

// damage is a frame that something happened to, and that no slave can take
// for a right one: its CRC is wrong wherever it is taken to end and, if it is
// to come in pieces, wherever it is taken to begin.
func (h *hostile) damage(pieces bool) []byte {
	for {
		var p []byte
		heartbeat := h.heartbeat
		if h.pick(2) {
			p, _ = h.request()
		} else if q, a := h.foreign(); h.pick(2) {
			p = q
		} else {
			p = a
		}
		h.heartbeat = heartbeat
		p = bytes.Clone(p)
		switch h.rng.IntN(7) {
		case 0: // one to three bits
			for range 1 + h.rng.IntN(3) {
				p[h.rng.IntN(len(p))] ^= 1 << h.rng.IntN(8)
			}
		case 1: // a burst
			from := h.rng.IntN(len(p))
			for i := from; i < min(len(p), from+1+h.rng.IntN(8)); i++ {
				p[i] = byte(h.rng.Uint32())
			}
		case 2: // cut off: the sender was reset
			p = p[:1+h.rng.IntN(len(p)-1)]
		case 3: // a character lost
			i := h.rng.IntN(len(p))
			p = append(p[:i], p[i+1:]...)
		case 4: // a character too many
			i := h.rng.IntN(len(p))
			p = append(p[:i], append(h.noise(1), p[i:]...)...)
		case 5: // the beginning is missing: we were connected just now
			p = p[1+h.rng.IntN(len(p)-1):]
		case 6: // nothing but noise, longer than any frame at times
			p = h.noise(1 + h.rng.IntN(400))
		}
		if (p[0] == 0 || p[0] == 0xFF) && modbus.CRC(p[1:]) == 0 {
			continue // a line that turns around, which is borne
		}
		right := h.right(p, 4)
		for i := 1; pieces && i < len(p); i++ {
			right = right || h.right(p[i:], 4)
		}
		// Nor may one more character make it right: whatever comes next on the
		// bus may begin with that one. Nor may it be what was lacking before.
		right = right || len(p) > 2 && modbus.CRC(p) < 0x100
		both := append(bytes.Clone(h.rest), p...)
		for i := range h.rest {
			right = right || h.right(both[i:], max(4, len(h.rest)-i+1))
		}
		if !right {
			return p
		}
	}
}

// right says whether p begins with a frame for us of at least so many
// characters whose CRC is right.
func (h *hostile) right(p []byte, least int) bool {
	if p[0] > 1 {
		return false
	}
	crc := modbus.CRC(nil)
	for n := range p {
		crc = modbus.AddCRC(crc, p[n])
		if crc == 0 && n+1 >= least {
			return true
		}
	}
	return false
}

// put lets characters follow a silence; pieces takes them apart, with pauses
// as an adapter makes them, one of them longer than a silent interval at times
// (adapters hand over what they have every 16 ms or when 62 characters are
// there, so that two such pauses do not come close to each other).
func (h *hostile) put(gap time.Duration, p []byte, pieces bool) {
	paused := false
	for len(p) > 0 {
		n := min(len(p), 256)
		if pieces {
			n = 1 + h.rng.IntN(len(p))
		}
		h.queue = append(h.queue, event{gap, p[:n]})
		p = p[n:]
		gap = time.Duration(h.rng.IntN(int(silence)))
		if pieces && !paused && h.pick(4) {
			paused = true
			gap = silence + time.Duration(h.rng.IntN(int(14*ms)))
		}
		if !pieces {
			gap = 0
		}
	}
}

// next decides what the bus carries next. Between two things is at least one
// silent interval, unless it says otherwise.
func (h *hostile) next() {
	gap := silence + time.Duration(h.rng.IntN(int(3*ms)))
	if h.pick(50) {
		gap = 200 * ms
	}
	pieces := h.pick(3)
	h.then = due{}
	defer func(damaged int) { h.mess = h.damaged > damaged || pieces }(h.damaged)
	switch n := h.rng.IntN(20); {
	case n < 8: // for us
		h.frames++
		h.asked++
		request, answer := h.request()
		h.then.asked, h.then.answer = true, answer
		if request[1] == 66 {
			pieces = false // only the silence ends a frame of unknown length
		}
		if pieces {
			h.split++
		} else if answer != nil && request[1] != 66 && !h.mess && h.pick(6) {
			// The driver of the master's line goes off with a spike.
			request = append(bytes.Clone(request), h.noise(1+h.rng.IntN(2))...)
		}
		h.put(gap, request, pieces)
	case n < 10: // for us, right behind another's
		h.frames += 3
		h.asked++
		h.glued++
		q, a := h.foreign()
		request, answer := h.request()
		h.then.asked, h.then.answer = true, answer
		all := append(bytes.Clone(q), a...)
		h.put(gap, append(all, request...), false)
	case n < 15: // another's
		q, a := h.foreign()
		h.frames += 2
		h.others++
		if h.pick(3) {
			h.put(gap, append(bytes.Clone(q), a...), pieces)
			break
		}
		h.put(gap, q, pieces)
		if !h.pick(8) { // or nobody answers
			pieces = h.pick(3)
			h.put(silence+time.Duration(h.rng.IntN(int(5*ms))), a, pieces)
		}
	case n < 16: // damage, and a request in the same breath: nobody can tell
		h.frames += 2
		h.damaged++
		h.then.free = true
		h.then.answer = modbustest.Frame(1, []byte{3, 2, byte(h.heartbeat >> 8), byte(h.heartbeat)})
		all := append(h.damage(false), modbustest.Frame(1, words(3, 0, 1))...)
		for h.right(all, 4) {
			all = append(h.damage(false), modbustest.Frame(1, words(3, 0, 1))...)
		}
		h.put(gap, all, false)
	default:
		h.frames++
		h.damaged++
		p := h.damage(pieces)
		if h.pick(10) {
			h.put(gap, p, false)
			h.rig.corrupt = true // and the driver says so
			break
		}
		h.put(gap, p, pieces)
	}
	for _, e := range h.queue {
		h.then.heard = append(h.then.heard, e.p...)
	}
	h.rest = h.then.heard
}

func (h *hostile) script() (time.Duration, []byte, bool) {
	if len(h.queue) == 0 {
		if h.frames >= h.left {
			return 0, nil, false
		}
		h.next()
		h.coming = true
		// The master waits for the answer, and then for one silent interval.
		h.queue[0].after += silence
	}
	e := h.queue[0]
	h.queue = h.queue[1:]
	h.at = max(h.at, h.rig.now) + e.after
	return h.at, e.p, true
}

// Read is that of the bus. When the first of something new has come, all that
// was due before must be there.
func (h *hostile) Read(p []byte, timeout time.Duration) (int, error) {
	n, err := h.rig.bus.Read(p, timeout)
	if n > 0 && h.coming {
		h.settle()
		h.now, h.coming = h.then, false
	}
	return n, err
}

func (h *hostile) Write(p []byte, timeout time.Duration) (int, error) {
	return h.rig.bus.Write(p, timeout)
}

func (h *hostile) Discard() error { return nil }

func (h *hostile) settle() {
	switch {
	case h.now.answer != nil && !h.now.done && !h.now.free:
		h.t.Fatalf("frame %d: no answer to % X", h.frames, h.now.heard)
	case h.now.asked && h.now.done:
		h.answered++
	case h.now.asked:
		h.broadcasts++
	}
}

func (h *hostile) heard(at time.Duration, p []byte) {
	due := &h.now
	want := due.answer
	if want == nil || due.done {
		h.t.Fatalf("frame %d at %v: % X was answered by % X", h.frames, at, due.heard, p)
	}
	if !bytes.Equal(p, want) {
		h.t.Fatalf("frame %d at %v: % X was answered by % X, want % X", h.frames, at, due.heard, p, want)
	}
	due.done = true
}

var hostileSeed = flag.Uint64("hostile.seed", 2024, "seed of TestHostileBus")

// A million frames, most of them not ours or not whole: no wrong answer, no
// answer to what was not asked of us, every valid request answered that comes
// after a silent interval or right behind a whole frame.
func TestHostileBus(t *testing.T) {
	frames := 1_000_000
	if testing.Short() {
		frames = 50_000
	}
	h := &hostile{t: t, rng: rand.New(rand.NewPCG(*hostileSeed, 24)), left: frames, rig: newRig(t, nil)}
	h.static = modbustest.Frame(1, h.rig.ask(t, words(4, 200, 125)...))
	h.rig.wrote = h.heard
	h.rig.bus.script = h.script
	h.rig.next.held = false
	h.at = h.rig.now
	if err := h.rig.Serve(context.Background(), h); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	h.settle()
	s := h.rig.Stats()
	t.Logf("%d frames: %d for us (%d in pieces, %d right behind others'), %d answered, %d broadcasts obeyed; %d exchanges of others, %d damaged; %v of bus time; %+v",
		h.frames, h.asked, h.split, h.glued, h.answered, h.broadcasts, h.others, h.damaged, h.at, s)
	if s.CommErrors == 0 || h.answered < frames/5 {
		t.Error("the bus was not hostile, or nothing was asked")
	}
	if h.answered+h.broadcasts != h.asked {
		t.Errorf("%d asked, %d answered, %d broadcasts", h.asked, h.answered, h.broadcasts)
	}
	if got := s.Commands; got != 0 {
		t.Errorf("%d commands, none was given", got)
	}
}
