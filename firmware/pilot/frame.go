package pilot

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/health"
	"mien/firmware/state"
	"mien/model/face"
)

// Frame is one step of a unit: what the networks said of a frame, and what of it
// counts. It is what a recording has, and from which the reading for the alarms is
// made, in a unit as in what computes a recording again.
type Frame struct {
	Eye      bool          // there is a frame, which goes through the filters; else only time goes on
	Result   bool          // it goes to the alarms
	At       time.Duration // when the frame was taken
	Now      time.Duration // when its result came out
	Wall     time.Time     // likewise; a recording has it to the millisecond
	Sequence uint64        // of results
	Trusted  bool          // the result may be acted on
	Distrust uint8         // why not: a fault's number, or NotFresh

	Reason   face.Reason // why the face cannot be read
	Read     bool        // it was read,
	Mirrored bool        // in this view,
	Paired   bool        // and the frame before in the other: the mean of both counts
	Raw      []byte      // what the networks said, see affect.Network.AppendRaw
	Found    bool        // a face is in view,
	Size     float32     // so many pixels wide,
	Score    float32     // with this score of the detector
	Light    uint8       // mean luma of the picture
	Contrast uint8       // standard deviation of the luma
}

// NotFresh is Frame.Distrust where no fault says why.
const NotFresh = 255

// Why says in words why there is no reading; "": there is one.
func (f *Frame) Why() string {
	switch {
	case f.Trusted && f.Reason == face.Good:
		return ""
	case f.Trusted:
		return f.Reason.String()
	case f.Distrust == NotFresh:
		return state.NotFresh
	}
	return health.Fault(f.Distrust).String()
}

// Reading is what the alarms get: the levels, if they may be trusted.
func (f *Frame) Reading(levels []float32) alarm.Reading {
	r := alarm.Reading{At: f.Now, Wall: f.Wall, Sequence: f.Sequence, Reason: f.Why()}
	if f.Trusted {
		r.Levels = levels
	}
	return r
}

// View is the view that was read, as affect.Views numbers them.
func (f *Frame) View() int {
	if f.Mirrored {
		return 1
	}
	return 0
}

// Kinds of records.
const (
	kindFrame byte = 1 + iota
	kindStep
	kindCommand
	kindSource
	kindReload
	kindEye
	kindEvent
	kindMark
	kindDrill
)

// Flags of a frame's record.
const (
	flagResult byte = 1 << iota
	flagTrusted
	flagRead
	flagMirrored
	flagPaired
	flagFound
	flagLight // light and contrast are other than those before
	flagWall  // the wall clock has moved against the unit's by more than wallWithin
)

// wallWithin is how exact a recording's wall clock is. Only events carry it.
const wallWithin = time.Millisecond

// coder holds what the next record is told as a difference to. It begins anew
// with each chunk.
type coder struct {
	now, at         time.Duration
	offset          int64 // of the wall clock against the unit's
	sequence        uint64
	light, contrast uint8
}

// frameMost bounds a frame's record, but for its raw outputs.
const frameMost = 64

// appendFrame appends the record of a frame or a step.
func (c *coder) appendFrame(dst []byte, f *Frame) []byte {
	var flags byte
	set := func(on bool, flag byte) {
		if on {
			flags |= flag
		}
	}
	offset := f.Wall.UnixNano() - int64(f.Now)
	moved := offset-c.offset > int64(wallWithin) || offset-c.offset < -int64(wallWithin)
	lit := f.Eye && (f.Light != c.light || f.Contrast != c.contrast)
	set(f.Result, flagResult)
	set(f.Trusted, flagTrusted)
	set(f.Read, flagRead)
	set(f.Mirrored, flagMirrored)
	set(f.Paired, flagPaired)
	set(f.Found, flagFound)
	set(lit, flagLight)
	set(moved, flagWall)
	kind := kindStep
	if f.Eye {
		kind = kindFrame
	}
	dst = append(dst, kind, flags)
	dst = binary.AppendVarint(dst, int64(f.Now-c.now))
	c.now = f.Now
	if moved {
		dst = binary.AppendVarint(dst, offset-c.offset)
		c.offset = offset
	}
	dst = binary.AppendUvarint(dst, f.Sequence-c.sequence)
	c.sequence = f.Sequence
	if !f.Trusted {
		dst = append(dst, f.Distrust)
	}
	if !f.Eye {
		return dst
	}
	dst = binary.AppendVarint(dst, int64(f.At-c.at))
	c.at = f.At
	dst = append(dst, byte(f.Reason))
	if f.Found {
		dst = binary.AppendUvarint(dst, uint64(clamp(f.Size, math.MaxUint16)))
		dst = append(dst, byte(clamp(f.Score*255, 255)))
	}
	if lit {
		dst = append(dst, f.Light, f.Contrast)
		c.light, c.contrast = f.Light, f.Contrast
	}
	if f.Read {
		dst = append(dst, f.Raw...)
	}
	return dst
}

func clamp(x, most float32) float32 {
	if !(x > 0) { // also NaN
		return 0
	}
	return min(x+0.5, most)
}

var errRecord = errors.New("a record is damaged")

// takeFrame reads what appendFrame appended behind its kind. Of a frame that was
// read raw outputs of this size follow; f.Raw is a part of data.
func (c *coder) takeFrame(data []byte, kind byte, raw int, f *Frame) (rest []byte, err error) {
	r := records{rest: data}
	flags := r.byte()
	has := func(flag byte) bool { return flags&flag != 0 }
	*f = Frame{Eye: kind == kindFrame, Result: has(flagResult), Trusted: has(flagTrusted), Read: has(flagRead),
		Mirrored: has(flagMirrored), Paired: has(flagPaired), Found: has(flagFound)}
	c.now += time.Duration(r.varint())
	if has(flagWall) {
		c.offset += r.varint()
	}
	c.sequence += r.uvarint()
	f.Now, f.Sequence, f.Wall = c.now, c.sequence, time.Unix(0, c.offset+int64(c.now))
	if !f.Trusted {
		f.Distrust = r.byte()
	}
	if f.Eye {
		c.at += time.Duration(r.varint())
		f.At = c.at
		f.Reason = face.Reason(r.byte())
		if f.Found {
			f.Size = float32(r.uvarint())
			f.Score = float32(r.byte()) / 255
		}
		if has(flagLight) {
			c.light, c.contrast = r.byte(), r.byte()
		}
		f.Light, f.Contrast = c.light, c.contrast
		if f.Read {
			f.Raw = r.bytes(raw)
		}
	}
	return r.rest, r.err
}

// records reads values from the head of rest; after an error all are 0.
type records struct {
	rest []byte
	err  error
}

func (r *records) fail() {
	r.rest, r.err = nil, errRecord
}

func (r *records) byte() byte {
	if len(r.rest) == 0 {
		r.fail()
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *records) bytes(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.fail()
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *records) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *records) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}
