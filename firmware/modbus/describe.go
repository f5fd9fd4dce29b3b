package modbus

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Reading is a register by its name, and what it holds in its unit, or in words; ""
// is not available.
type Reading struct {
	Register
	Value string
}

// Readings are the input registers and discrete inputs of a unit as a master would
// read them now. What only the slave's own goroutine knows, what masters wrote and
// what came of a command, is not among them. r belongs to the caller.
func (s *Slave) Readings(r *Render, now time.Duration) []Reading {
	v := view{now: now, stats: &s.stats, host: &s.host}
	r.Load(&v.Snapshot)
	v.AlarmCount = max(0, min(MaxAlarms, v.AlarmCount))
	var list []Reading
	for i := range table {
		row := &table[i]
		switch {
		case row.Space != Input && row.Space != Discrete, strings.HasPrefix(row.Name, "command_"):
		case row.text != nil:
			list = append(list, Reading{*row, row.text(&v, row.index)})
		case row.value != nil:
			list = append(list, Reading{*row, row.word(row.value(&v, row.index))})
		}
	}
	return list
}

// word is what a value of the register says.
func (r *Register) word(n uint32) string {
	switch {
	case r.Type == Bool:
		return map[bool]string{true: "1", false: "0"}[n != 0]
	case r.Type == Float32:
		f := math.Float32frombits(n)
		if f != f {
			return ""
		}
		return strconv.FormatFloat(float64(f), 'g', 6, 32)
	case r.Type == Bits:
		var on []string
		for i, name := range r.Names {
			if name != "" && n>>i&1 != 0 {
				on = append(on, name)
			}
		}
		return strings.TrimSpace(fmt.Sprintf("%04X %s", n, strings.Join(on, ", ")))
	case r.Type == Enum:
		if n == NotAvailableUint {
			return ""
		}
		if int(n) < len(r.Names) && r.Names[n] != "" {
			return r.Names[n]
		}
	}
	x := float64(n)
	if r.Type == Int16 {
		if r.NA && n == NotAvailableInt {
			return ""
		}
		x = float64(int16(n))
	} else if r.NA && n == NotAvailableUint {
		return ""
	}
	return strconv.FormatFloat(x/float64(max(r.Scale, 1)), 'f', -1, 64)
}

var functions = map[byte]string{readCoils: "read coils", readDiscrete: "read discrete inputs", readHolding: "read holding registers", readInput: "read input registers",
	writeCoil: "write coil", writeRegister: "write register", diagnostics: "diagnostics", writeCoils: "write coils", writeRegisters: "write registers",
	maskWrite: "mask write register", readWrite: "read and write registers", encapsulated: "read device identification"}

var exceptions = map[exception]string{illegalFunction: "illegal function", illegalAddress: "illegal address", illegalValue: "illegal value", deviceFailure: "device failure",
	acknowledge: "acknowledge", deviceBusy: "device busy", targetSilent: "gateway target failed to respond"}

var spaces = map[byte]Space{readCoils: Coil, readDiscrete: Discrete, readHolding: Holding, readInput: Input, writeCoil: Coil, writeRegister: Holding, writeCoils: Coil,
	writeRegisters: Holding, maskWrite: Holding, readWrite: Holding}

// Describe says what a frame means, by the register map. asked is the request that a
// frame of ours answers, nil for one that came.
func Describe(frame, asked []byte) string {
	if len(frame) < 4 {
		return ""
	}
	pdu := frame[1 : len(frame)-2]
	fc := pdu[0]
	name := functions[fc&^0x80]
	if name == "" {
		name = fmt.Sprintf("function %d", fc&^0x80)
	}
	to := fmt.Sprintf("to %d: ", frame[0])
	if frame[0] == 0 {
		to = "to all: "
	}
	if asked == nil {
		return to + name + asking(pdu)
	}
	if fc&0x80 != 0 && len(pdu) == 2 {
		why := exceptions[exception(pdu[1])]
		if why == "" {
			why = fmt.Sprintf("exception %d", pdu[1])
		}
		return name + ": refused: " + why
	}
	return name + answered(pdu, asked)
}

// named gives the names of the registers from address on.
func (s Space) named(address, quantity int) string {
	if s == Holding && address >= MirrorBase {
		s, address = Input, address-MirrorBase
	}
	var names []string
	more := 0
	for i := range table {
		r := &table[i]
		if r.Space != s || r.End() <= address || r.Address >= address+quantity {
			continue
		}
		if len(names) == 4 {
			more++
			continue
		}
		names = append(names, r.Name)
	}
	text := strings.Join(names, ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// asking says what a request names, "" for one that names nothing or is too short.
func asking(pdu []byte) string {
	space, known := spaces[pdu[0]]
	if !known || len(pdu) < 5 {
		return ""
	}
	address, quantity := word(pdu[1:]), 1
	switch pdu[0] {
	case writeCoil:
		return fmt.Sprintf(" %d (%s): %t", address, space.named(address, 1), pdu[3] != 0)
	case writeRegister:
		return fmt.Sprintf(" %d (%s): %s", address, space.named(address, 1), valueOf(space, address, pdu[3:5]))
	case maskWrite:
	default:
		quantity = word(pdu[3:])
	}
	return fmt.Sprintf(" %d to %d (%s)", address, address+max(quantity, 1)-1, space.named(address, quantity))
}

// answered says what an answer gives: the first registers with their values.
func answered(pdu, asked []byte) string {
	if len(asked) < 8 || len(pdu) < 2 {
		return ": done"
	}
	ask := asked[1 : len(asked)-2]
	space, known := spaces[ask[0]]
	if !known || len(ask) < 5 || ask[0] != pdu[0] {
		return ": done"
	}
	address, quantity := word(ask[1:]), word(ask[3:])
	var said []string
	switch pdu[0] {
	case readCoils, readDiscrete:
		for i := range min(quantity, 8) {
			if 2+i/8 < len(pdu) {
				said = append(said, fmt.Sprintf("%s = %d", space.named(address+i, 1), pdu[2+i/8]>>(i%8)&1))
			}
		}
	case readHolding, readInput, readWrite:
		if space == Holding && address >= MirrorBase {
			space, address = Input, address-MirrorBase
		}
		for i := range table {
			r := &table[i]
			from := 2 + 2*(r.Address-address)
			if r.Space != space || r.Address < address || r.End() > address+quantity || from+2*r.Words > len(pdu) {
				continue
			}
			if len(said) == 4 {
				said = append(said, "…")
				break
			}
			said = append(said, r.Name+" = "+valueOf(space, r.Address, pdu[from:from+2*r.Words]))
		}
	default:
		return ": done"
	}
	if len(said) == 0 {
		return fmt.Sprintf(": %d bytes", len(pdu)-2)
	}
	return ": " + strings.Join(said, ", ")
}

// valueOf reads a register's words, high word first.
func valueOf(space Space, address int, words []byte) string {
	for i := range table {
		r := &table[i]
		if r.Space != space || r.Address != address || 2*r.Words != len(words) {
			continue
		}
		if r.Type == Text {
			return strconv.Quote(strings.TrimRight(string(words), "\x00"))
		}
		n := uint32(word(words))
		if r.Words == 2 {
			n = n<<16 | uint32(word(words[2:]))
		}
		if v := r.word(n); v != "" {
			return strings.TrimSpace(v + " " + r.Unit)
		}
		return "not available"
	}
	return fmt.Sprintf("% X", words)
}
