package modbus

import (
	"math"
	"time"
)

// view is what one request sees: one snapshot, one moment.
type view struct {
	Snapshot
	now          time.Duration
	stats        *counters
	host         *host
	given        given // what came of a command by registers
	lowWordFirst bool
}

// status is the status word with the bits that the slave makes.
func (v *view) status() uint16 {
	s := v.Status&^(StatusHostOK|StatusToggle) | StatusLocked
	for i := range v.Alarms[:v.AlarmCount] {
		if v.Alarms[i].Unlocked {
			s &^= StatusLocked
		}
	}
	if v.Sequence == 0 || v.StaleAfter > 0 && v.now-v.ResultAt > v.StaleAfter {
		s &^= StatusResultValid
	}
	if v.host.state(v.now).Beating {
		s |= StatusHostOK
	}
	if v.Heartbeat&1 != 0 {
		s |= StatusToggle
	}
	return s
}

// age is how old the newest result is, in milliseconds.
func (v *view) age() uint32 {
	if v.Sequence == 0 {
		return math.MaxUint16
	}
	return saturate(int64((v.now - v.ResultAt) / time.Millisecond))
}

// inputWord is input register n as it goes over the line.
func (v *view) inputWord(n int) uint16 {
	if n >= inputWords || inputAt[n] == nil {
		return 0
	}
	r := inputAt[n]
	offset := n - r.Address
	if r.text != nil {
		return textWord(r.text(v, r.index), offset)
	}
	value := r.value(v, r.index)
	if r.Words == 1 {
		return uint16(value)
	}
	if (offset == 0) != v.lowWordFirst {
		return uint16(value >> 16)
	}
	return uint16(value)
}

func (v *view) discreteBit(n int) bool {
	if n >= discreteBits {
		return false
	}
	r := discreteAt[n]
	return r != nil && r.value(v, r.index) != 0
}

// textWord is word number offset of s: two characters, 0 after the end, '?'
// for what is not ASCII.
func textWord(s string, offset int) uint16 {
	at := func(i int) uint16 {
		if i >= len(s) {
			return 0
		}
		if s[i] < 0x20 || s[i] > 0x7E {
			return '?'
		}
		return uint16(s[i])
	}
	return at(2*offset)<<8 | at(2*offset+1)
}

// scaled is x times scale as an int16, NotAvailableInt for NaN; what is out of
// range stops at its end.
func scaled(x float32, scale float64) uint32 {
	if x != x {
		return NotAvailableInt
	}
	return uint32(uint16(int16(max(-32767, min(32767, math.Round(float64(x)*scale))))))
}

// scaledUint is x times scale as a uint16, NotAvailableUint for NaN.
func scaledUint(x float32, scale float64) uint32 {
	if x != x {
		return NotAvailableUint
	}
	return uint32(max(0, min(65534, math.Round(float64(x)*scale))))
}

// saturate stops at the ends of a uint16.
func saturate(n int64) uint32 { return uint32(max(0, min(math.MaxUint16, n))) }

// id is an index as an Enum: negative is not available.
func id(n int8) uint32 {
	if n < 0 {
		return NotAvailableUint
	}
	return uint32(n)
}

func bit(word uint16, n int) uint32 { return uint32(word>>n) & 1 }
