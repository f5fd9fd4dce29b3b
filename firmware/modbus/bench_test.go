package modbus_test

import (
	"testing"
	"time"

	"mien/drivers/serial"
	"mien/firmware/modbus"
	"mien/firmware/modbus/modbustest"
)

// What one request costs, from its characters to its answer, without a line.
func BenchmarkRequest(b *testing.B) {
	for _, c := range []struct {
		name string
		pdu  []byte
	}{
		{"read 1", words(3, 0, 1)}, {"read 124", words(4, 0, 124)}, {"read 96 bits", words(2, 0, 96)}, {"write 1", words(6, 0, 7)},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := newRig(b, nil)
			r.wrote = func(time.Duration, []byte) {}
			frame := modbustest.Frame(1, c.pdu)
			left := b.N
			r.script = func() (time.Duration, []byte, bool) {
				left--
				return r.now + 3*ms, frame, left >= 0
			}
			b.ReportAllocs()
			b.ResetTimer()
			_ = r.Serve(b.Context(), &r.bus)
		})
	}
}

// How long a master waits on a pty, from the last character of its request to
// the first of the answer; ns/op is the mean.
func BenchmarkTurnaround(b *testing.B) {
	u := modbustest.Start(b)
	line, err := serial.Open(serial.Settings{Path: u.Path, Baud: 115200})
	if err != nil {
		b.Fatal(err)
	}
	defer line.Close()
	frame := modbustest.Frame(u.Facts.Address, words(4, 0, 40))
	buf := make([]byte, 300)
	b.ResetTimer()
	for range b.N {
		if _, err := line.Write(frame, time.Second); err != nil {
			b.Fatal(err)
		}
		for got := 0; got < 85; {
			n, err := line.Read(buf[got:], modbustest.AnswerTime)
			if err != nil {
				b.Fatal(err)
			}
			got += n
		}
		if modbus.CRC(buf[:85]) != 0 {
			b.Fatalf("% X", buf[:85])
		}
	}
}
