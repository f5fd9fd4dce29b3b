package pipeline

import (
	"sync/atomic"
	"testing"

	"mien/drivers/serial"
)

// madPort panics when it is closed for the first time, which a reload does from a
// goroutine of its own.
type madPort struct {
	serial.Line
	closed *atomic.Int32
}

func (p madPort) Close() error {
	if p.closed.Add(1) == 1 {
		panic("a port went mad")
	}
	return p.Line.Close()
}

// A panic while the serial port is closed is a fault for a moment, and not the end
// of the program.
func TestSerialPortThatPanicsAtItsEnd(t *testing.T) {
	var closed atomic.Int32
	ours, _, _ := serial.Pipe()
	b := newBench(t, "[serial]\ndevice = \"/dev/ttyTEST\"\n", func(o *Options) {
		o.OpenSerial = func(serial.Settings) (serial.Line, error) { return madPort{ours, &closed}, ours.Reopen() }
	})
	b.until("results", b.trusted)
	if err := b.reload("[serial]\ndevice = \"/dev/ttyTEST\"\nbaud = 9600\n"); err != nil {
		t.Fatal(err)
	}
	b.told("a port went mad")
	b.until("the way back", b.trusted)
}
