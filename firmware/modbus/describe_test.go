package modbus

import (
	"strings"
	"testing"
)

// What went over the line is told by the register map.
func TestFramesAreDescribed(t *testing.T) {
	frame := func(pdu ...byte) []byte { return append(append([]byte{17}, pdu...), 0, 0) }
	ask := frame(readInput, 0, 0, 0, 3)
	for _, c := range []struct {
		frame, asked []byte
		want         string
	}{
		{ask, nil, "to 17: read input registers 0 to 2 (map_version, "},
		{frame(readInput, 6, 0, MapVersion, 0, 1, 0, 2), ask, "read input registers: map_version = 4, "},
		{frame(readHolding, 0x03, 0xE8, 0, 1), nil, "to 17: read holding registers 1000 to 1000 (map_version)"},
		{frame(readHolding|0x80, 2), frame(readHolding, 9, 9, 0, 1), "read holding registers: refused: illegal address"},
		{frame(writeCoil, 0, 0, 0xFF, 0), nil, "to 17: write coil 0 ("},
		{append([]byte{0, writeRegister}, 0, 0, 0, 1, 0, 0), nil, "to all: write register 0 ("},
		{frame(99), nil, "to 17: function 99"},
		{[]byte{1}, nil, ""},
	} {
		if got := Describe(c.frame, c.asked); !strings.HasPrefix(got, c.want) {
			t.Errorf("% X: %q, want %q", c.frame, got, c.want)
		}
	}
	// Nothing that comes over a line breaks it.
	for fc := range 256 {
		for n := range 12 {
			long := make([]byte, n)
			for i := range long {
				long[i] = byte(0xFF - i*fc)
			}
			f := frame(append([]byte{byte(fc)}, long...)...)
			Describe(f, nil)
			Describe(f, f)
			Describe(f, []byte{})
		}
	}
}
