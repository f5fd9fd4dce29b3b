package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"mien/firmware/modbus"
)

// dump is everything a master has read, by space; bits are 0 and 1. Input
// registers that were read by function 3 are in mirror.
type dump struct {
	Coil, Discrete, Input, Holding, Mirror []uint16
}

// size is the length of a space in the map.
func size(space modbus.Space) int { return modbus.Size(space) }

func (d *dump) of(space modbus.Space) []uint16 {
	return [][]uint16{d.Coil, d.Discrete, d.Input, d.Holding}[space]
}

// read fills a dump by functions that read n registers or bits from at.
func read(bits func(space modbus.Space, at, n int) ([]bool, error), words func(fc byte, at, n int) ([]uint16, error)) (d dump, err error) {
	gather := func(size, most, base int, some func(at, n int) ([]uint16, error)) []uint16 {
		var all []uint16
		for at := 0; at < size && err == nil; at += most {
			n := min(most, size-at)
			values, failed := some(base+at, n)
			if failed == nil && len(values) != n {
				failed = fmt.Errorf("%d values in place of %d", len(values), n)
			}
			if failed != nil {
				err = fmt.Errorf("%d from %d: %w", n, base+at, failed)
			}
			all = append(all, values...)
		}
		return all
	}
	number := func(space modbus.Space) func(at, n int) ([]uint16, error) {
		return func(at, n int) ([]uint16, error) {
			on, err := bits(space, at, n)
			values := make([]uint16, len(on))
			for i := range on {
				if on[i] {
					values[i] = 1
				}
			}
			return values, err
		}
	}
	by := func(fc byte) func(at, n int) ([]uint16, error) {
		return func(at, n int) ([]uint16, error) { return words(fc, at, n) }
	}
	// As many bits as mbpoll takes; 2000 are allowed.
	d.Coil = gather(size(modbus.Coil), 120, 0, number(modbus.Coil))
	d.Discrete = gather(size(modbus.Discrete), 120, 0, number(modbus.Discrete))
	d.Input = gather(size(modbus.Input), 125, 0, by(4))
	d.Mirror = gather(size(modbus.Input), 125, modbus.MirrorBase, by(3))
	d.Holding = gather(size(modbus.Holding), 125, 0, by(3))
	return d, err
}

// check holds what was read against the register table: types, ranges, names
// of values and bits, codes for "not available", reserved addresses, and what
// is known of the demo.
func (d *dump) check() error {
	var wrong []error
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	used := map[modbus.Space]map[int]bool{}
	for _, r := range modbus.Table() {
		if used[r.Space] == nil {
			used[r.Space] = map[int]bool{}
		}
		for n := r.Address; n < r.End(); n++ {
			used[r.Space][n] = true
		}
		if len(d.of(r.Space)) < r.End() {
			bad("%s was not read", r.Name)
			continue
		}
		if err := fits(&r, d.of(r.Space)[r.Address:r.End()]); err != nil {
			bad("%v %d, %s: %w", r.Space, r.Address, r.Name, err)
		}
		if r.Space == modbus.Input && len(d.Mirror) < r.End() {
			bad("%s was not read in the mirror", r.Name)
		} else if r.Space == modbus.Input {
			if err := fits(&r, d.Mirror[r.Address:r.End()]); err != nil {
				bad("mirror of %s: %w", r.Name, err)
			}
		}
	}
	for space := modbus.Coil; space <= modbus.Holding; space++ {
		for n, w := range d.of(space) {
			if !used[space][n] && w != 0 {
				bad("reserved %v %d holds %d", space, n, w)
			}
		}
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	for at, want := range map[int]uint16{0: modbus.MapVersion, 50: 0x1234, 51: 0x5678, 52: 0x3F80, 53: 0, 62: 700, 66: 600, 124: 2} {
		if d.Input[at] != want || d.Mirror[at] != want {
			bad("input register %d is %d, its mirror %d, want %d", at, d.Input[at], d.Mirror[at], want)
		}
	}
	if name := string(bytesOf(d.Input[200:208])); name != "brow lowered\x00\x00\x00\x00" {
		bad("alarm 0 is named %q", name)
	}
	if slices.Max(d.Input[216:200+8*modbus.MaxAlarms]) != 0 || d.Input[68] != modbus.NotAvailableUint {
		bad("alarm 2 has a name or a state, and does not exist")
	}
	if up := uint32(d.Input[44])<<16 | uint32(d.Input[45]); up < 1 || up > 86400 {
		bad("the unit is up for %d s", up)
	}
	if d.Discrete[0] != 1 || d.Discrete[13] != 1 {
		bad("the unit is not ready, or not locked")
	}
	return errors.Join(wrong...)
}

func bytesOf(words []uint16) []byte {
	var b []byte
	for _, w := range words {
		b = append(b, byte(w>>8), byte(w))
	}
	return b
}

// fits says what is wrong with the content of a register.
func fits(r *modbus.Register, w []uint16) error {
	switch r.Type {
	case modbus.Bool:
		if w[0] > 1 {
			return fmt.Errorf("a bit is %d", w[0])
		}
	case modbus.Enum:
		if int(w[0]) >= len(r.Names) && !(r.NA && w[0] == modbus.NotAvailableUint) {
			return fmt.Errorf("%d names nothing", w[0])
		}
	case modbus.Bits:
		if n := len(r.Names); n > 0 && n < 16 && w[0]>>n != 0 {
			return fmt.Errorf("%04X has bits without a name", w[0])
		}
	case modbus.Int16:
		v := int16(w[0])
		switch {
		case w[0] == modbus.NotAvailableInt && !r.NA:
			return errors.New("not available, which the table does not allow")
		case w[0] == modbus.NotAvailableInt:
		case strings.HasPrefix(r.Name, "signal"): // of any network: its range is the signal's own
		case r.Scale == 1000 && r.Space == modbus.Input && (v < -1000 || v > 1000):
			return fmt.Errorf("the level %d is outside -1 to 1", v)
		case r.Scale == 1000 && !strings.Contains(r.Name, "valence") && !strings.Contains(r.Name, "arousal") && v < 0:
			return fmt.Errorf("the level %d is below 0", v)
		case r.Unit == "%" && (v < 0 || v > 100):
			return fmt.Errorf("%d is out of range", v)
		}
	case modbus.Text:
		text := strings.TrimRight(string(bytesOf(w)), "\x00")
		for _, c := range []byte(text) {
			if c < 0x20 || c > 0x7E {
				return fmt.Errorf("%q is not printable ASCII", text)
			}
		}
	}
	return nil
}
