package pipeline

import (
	"encoding/hex"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mien/firmware/modbus"
)

// listenFor is how long frames are kept for somebody who asked for them.
const listenFor = 5 * time.Second

// tap keeps the newest frames of the serial port while somebody looks. The serial
// goroutine writes into it: it allocates nothing, and while nobody looks it costs one
// comparison a frame.
type tap struct {
	now   func() time.Duration
	until atomic.Int64 // until when frames are kept for whoever looked last; 0: nobody looks

	mu   sync.Mutex // covers what is below, for as long as a copy takes
	ring [64]traced
	next uint64 // number of the next frame, from 1
}

type traced struct {
	at     time.Duration
	out    bool
	length int
	bytes  [256]byte
}

func (t *tap) trace(out bool, frame []byte) {
	until := t.until.Load()
	if until == 0 {
		return
	}
	now := t.now()
	if now > time.Duration(until) {
		t.until.Store(0)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	one := &t.ring[t.next%uint64(len(t.ring))]
	t.next++
	one.at, one.out = now, out
	one.length = copy(one.bytes[:], frame)
}

// Spoken is one frame or line of the serial port.
type Spoken struct {
	Number uint64
	At     time.Duration // on the unit's clock
	Out    bool
	Raw    string // hexadecimal digits, or an ASCII line
	Text   string // what it means, by the register map
}

// Traffic gives the frames after number n that are still kept, and goes on keeping
// them for a while.
func (s *Speaker) Traffic(n uint64) (list []Spoken) {
	t := &s.tap
	t.until.Store(int64(t.now() + listenFor))
	t.mu.Lock()
	if n > t.next {
		n = 0 // it is of a port before this one
	}
	first := max(n, t.next-min(t.next, uint64(len(t.ring))))
	frames := make([]traced, 0, t.next-first)
	for i := first; i < t.next; i++ {
		frames = append(frames, t.ring[i%uint64(len(t.ring))])
	}
	t.mu.Unlock()
	var asked []byte
	for i := range frames {
		f := &frames[i]
		one := Spoken{Number: first + uint64(i) + 1, At: f.at, Out: f.out}
		bytes := f.bytes[:f.length]
		if s.slave == nil {
			one.Raw = string(bytes)
			list = append(list, one)
			continue
		}
		one.Raw = strings.ToUpper(hex.EncodeToString(bytes))
		switch {
		case !f.out:
			asked = bytes
			one.Text = modbus.Describe(bytes, nil)
		default:
			if asked == nil {
				asked = []byte{} // its request is not kept any more
			}
			one.Text = modbus.Describe(bytes, asked)
		}
		list = append(list, one)
	}
	return list
}

// Registers are those that a master can read, as they are now; nil where no register
// is spoken.
func (s *Speaker) Registers() []modbus.Reading {
	if s.slave == nil {
		return nil
	}
	return s.slave.Readings(modbus.Of(s.latest), s.tap.now())
}

// Counts are the line's counters, by name.
func (s *Speaker) Counts() (names []string, counts []uint32) {
	if s.slave == nil {
		return nil, nil
	}
	n := s.slave.Stats()
	return []string{"frames", "damaged", "for_us", "refused", "foreign", "echoes", "commands"},
		[]uint32{n.BusMessages, n.CommErrors, n.Messages, n.Exceptions, n.ForeignReplies, n.Echoes, n.Commands}
}

// Speaker is what speaks on the serial port; nil: nothing does.
func (u *Unit) Speaker() *Speaker { return u.speaker.Load() }
