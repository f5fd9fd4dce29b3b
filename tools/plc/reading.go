package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"mien/firmware/modbus"
)

var table = modbus.Table()

// register finds a register of the map by its name.
var register = func() map[string]*modbus.Register {
	m := map[string]*modbus.Register{}
	for i := range table {
		m[table[i].Name] = &table[i]
	}
	return m
}()

// block is what one request reads.
type block struct {
	space modbus.Space
	at, n int
}

// plan cuts a space of the map into requests: no register is cut in two, and
// a hole of a few reserved addresses is read along.
func plan(space modbus.Space) (blocks []block) {
	most, hole := 125, 8
	if space == modbus.Coil || space == modbus.Discrete {
		most = 2000
	}
	for _, r := range table {
		if r.Space != space {
			continue
		}
		last := len(blocks) - 1
		if last < 0 || r.Address > blocks[last].at+blocks[last].n+hole || r.End()-blocks[last].at > most {
			blocks = append(blocks, block{space, r.Address, r.End() - r.Address})
			continue
		}
		blocks[last].n = r.End() - blocks[last].at
	}
	return blocks
}

// fast is read in every poll, what masters write once a second (rest), the
// names of the alarms when the config changes.
var fast, rest, names = func() (fast, rest, names []block) {
	firstName := register["alarm0_name"].Address
	for _, b := range plan(modbus.Input) {
		if b.at >= firstName {
			names = append(names, b)
		} else {
			fast = append(fast, b)
		}
	}
	for _, s := range []modbus.Space{modbus.Holding, modbus.Discrete, modbus.Coil} {
		rest = append(rest, plan(s)...)
	}
	return fast, rest, names
}()

// everything is the whole map.
var everything = slices.Concat(fast, rest, names)

// reading is what is known of the unit.
type reading struct {
	low  bool // word order
	at   time.Time
	word map[modbus.Space]map[int]uint16 // bits are 0 and 1
}

func newReading(low bool) *reading {
	r := &reading{low: low, word: map[modbus.Space]map[int]uint16{}}
	for s := modbus.Coil; s <= modbus.Holding; s++ {
		r.word[s] = map[int]uint16{}
	}
	return r
}

// read fetches blocks.
func (r *reading) read(l *link, blocks ...block) error {
	for _, b := range blocks {
		if b.space == modbus.Coil || b.space == modbus.Discrete {
			bits, err := l.bits(b.space, b.at, b.n)
			if err != nil {
				return err
			}
			for i, on := range bits {
				r.word[b.space][b.at+i] = 0
				if on {
					r.word[b.space][b.at+i] = 1
				}
			}
			continue
		}
		words, err := l.words(b.space, b.at, b.n)
		if err != nil {
			return err
		}
		for i, w := range words {
			r.word[b.space][b.at+i] = w
		}
	}
	r.at = time.Now()
	return nil
}

// raw is the register's words, high one first; ok is false before it was read.
func (r *reading) raw(reg *modbus.Register) (words []uint16, ok bool) {
	for n := reg.Address; n < reg.End(); n++ {
		w, ok := r.word[reg.Space][n]
		if !ok {
			return nil, false
		}
		words = append(words, w)
	}
	if r.low && (reg.Type == modbus.Uint32 || reg.Type == modbus.Float32) {
		words[0], words[1] = words[1], words[0]
	}
	return words, true
}

// word16 is the raw content of a register of one word, by name.
func (r *reading) word16(name string) uint16 {
	words, ok := r.raw(register[name])
	if !ok {
		return 0
	}
	return words[0]
}

// value is what a register says: a bool, a float64, a string, a []string of
// the bits that are set, or nil where it is not available.
func (r *reading) value(reg *modbus.Register) any {
	w, ok := r.raw(reg)
	if !ok {
		return nil
	}
	switch reg.Type {
	case modbus.Bool:
		return w[0] != 0
	case modbus.Int16:
		if reg.NA && w[0] == modbus.NotAvailableInt {
			return nil
		}
		return float64(int16(w[0])) / float64(reg.Scale)
	case modbus.Uint16, modbus.Enum:
		if reg.NA && w[0] == modbus.NotAvailableUint {
			return nil
		}
		if reg.Type == modbus.Uint16 {
			return float64(w[0]) / float64(reg.Scale)
		}
		if int(w[0]) < len(reg.Names) {
			return reg.Names[w[0]]
		}
		return fmt.Sprintf("unknown value %d", w[0])
	case modbus.Uint32:
		return float64(uint32(w[0])<<16 | uint32(w[1]))
	case modbus.Float32:
		return float64(math.Float32frombits(uint32(w[0])<<16 | uint32(w[1])))
	case modbus.Text:
		var b strings.Builder
		for _, c := range w {
			b.WriteByte(byte(c >> 8))
			b.WriteByte(byte(c))
		}
		text, _, _ := strings.Cut(b.String(), "\x00")
		return text
	}
	set := []string{}
	for i := range 16 {
		if w[0]>>i&1 == 0 {
			continue
		}
		name := fmt.Sprintf("bit%d", i)
		if i < len(reg.Names) && reg.Names[i] != "" {
			name = reg.Names[i]
		}
		set = append(set, name)
	}
	return set
}

// show is a register's value as text with its unit, "-" where it is not
// available.
func (r *reading) show(reg *modbus.Register) string {
	unit := ""
	if reg.Unit != "" {
		unit = " " + reg.Unit
	}
	switch v := r.value(reg).(type) {
	case bool:
		if v {
			return "1"
		}
		return "0"
	case float64:
		if reg.Type == modbus.Float32 {
			return fmt.Sprintf("%g%s", v, unit)
		}
		places := 0
		for s := reg.Scale; s > 1; s /= 10 {
			places++
		}
		return fmt.Sprintf("%.*f%s", places, v, unit)
	case string:
		if v == "" {
			return "-"
		}
		return v
	case []string:
		if len(v) == 0 {
			return "none"
		}
		return strings.Join(v, " ")
	}
	return "-"
}

// named is show of a register by its name.
func (r *reading) named(name string) string { return r.show(register[name]) }

// hasReading says whether levels count: the result is fresh, and of a face
// that passes the quality gate.
func (r *reading) hasReading() bool {
	const both = modbus.StatusResultValid | modbus.StatusQualityOK
	return r.word16("status")&both == both
}

// alarm is one alarm of the unit.
type alarm struct {
	number                             int
	name, state, value, limit, seconds string
}

func (r *reading) alarms() (all []alarm) {
	for n := range min(modbus.MaxAlarms, int(r.word16("alarm_count"))) {
		of := func(what string) string { return r.named(fmt.Sprintf("alarm%d_%s", n, what)) }
		all = append(all, alarm{n, of("name"), of("state"), of("value"), of("limit"), of("seconds")})
	}
	return all
}

// doubt says what speaks against addresses, byte order and word order; "" for
// nothing. The map has four registers for this.
func (r *reading) doubt() string {
	first, second := r.word16("test_1234"), r.word16("test_5678")
	switch {
	case first == 0x3412 && second == 0x7856:
		return "test registers 50 and 51 arrive with their bytes swapped"
	case first != 0x1234 || second != 0x5678:
		return fmt.Sprintf("test registers 50 and 51 hold %04X %04X, not 1234 5678: this is no mien, or addresses are shifted", first, second)
	case r.value(register["test_float"]) != 1.0:
		other := "low-first"
		if r.low {
			other = "high-first"
		}
		return "test registers 52 and 53 are not 1.0: the unit has another word order, try -word-order " + other
	case r.word16("map_version") < modbus.MapVersion:
		return fmt.Sprintf("the unit has map version %d, this program %d: newer registers are missing", r.word16("map_version"), modbus.MapVersion)
	}
	return ""
}
