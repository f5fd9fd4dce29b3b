package modbus_test

import (
	"bytes"
	"testing"
	"time"

	"mien/firmware/modbus"
	"mien/firmware/modbus/modbustest"
)

// FuzzLine lets anything happen on the line: the first byte of each piece is
// its length (up to 127 characters, the highest bit says that a silence comes
// before it). The slave answers only where a whole frame for it was on the
// line, and after a silence it is well.
func FuzzLine(f *testing.F) {
	piece := func(silence bool, p []byte) []byte {
		head := byte(len(p))
		if silence {
			head |= 0x80
		}
		return append([]byte{head}, p...)
	}
	for _, c := range modbustest.Cases(modbustest.Synthetic) {
		if len(c.Request) < 100 {
			f.Add(piece(true, ours(c.Request...)))
		}
	}
	read := ours(words(3, 0, 1)...)
	f.Add(append(piece(true, read[:3]), piece(true, read[3:])...))
	f.Add(append(piece(true, modbustest.Frame(9, words(3, 0, 1))), piece(false, read)...))
	f.Add(append(piece(true, []byte{9, 3, 40}), piece(true, read)...))

	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4000 {
			return
		}
		r := newRig(t, nil)
		var events []event
		var line []byte
		for len(data) > 0 {
			after := 100 * time.Microsecond
			if data[0]&0x80 != 0 {
				after = 3 * ms
			}
			n := min(int(data[0]&0x7F), len(data)-1)
			if p := data[1 : 1+n]; n > 0 {
				events = append(events, event{after, p})
				line = append(line, p...)
			}
			data = data[1+n:]
		}
		answers := r.play(t, events...)
		asked := 0
		for i := range line {
			if line[i] != 1 {
				continue
			}
			crc := modbus.CRC(nil)
			for n, b := range line[i:min(len(line), i+256)] {
				if crc = modbus.AddCRC(crc, b); crc == 0 && n >= 3 {
					asked++
					break
				}
			}
		}
		if len(answers) > asked {
			t.Errorf("%d answers, %d frames: % X", len(answers), asked, answers)
		}
		for _, a := range answers {
			if len(a) < 5 || len(a) > 256 || a[0] != 1 || modbus.CRC(a) != 0 {
				t.Errorf("answer % X", a)
			}
		}
		// The line may have left the slave in listen-only mode.
		r.play(t, event{time.Second, ours(words(8, 1, 0)...)})
		if got := r.ask(t, words(4, 50, 2)...); !bytes.Equal(got, []byte{4, 4, 0x12, 0x34, 0x56, 0x78}) {
			t.Errorf("afterwards: % X", got)
		}
	})
}
