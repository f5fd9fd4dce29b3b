package pipeline

import (
	"sync/atomic"
	"testing"
	"time"

	"mien/drivers/gpio"
	"mien/firmware/alarm"
	"mien/firmware/health"
)

// madInput panics when it is closed, which a reload does from a goroutine of its
// own.
type madInput struct {
	gpio.Input
	closed *atomic.Int32
}

func (i madInput) Close() error {
	if i.closed.Add(1) == 1 {
		panic("an input went mad")
	}
	return i.Input.Close()
}

type madInputs struct {
	*gpio.Fake
	closed *atomic.Int32
}

func (h madInputs) Input(s gpio.InputSettings) (gpio.Input, error) {
	in, err := h.Fake.Input(s)
	return madInput{in, h.closed}, err
}

// A panic while an input line is released is a fault for a moment, and not the end
// of the program.
func TestInputThatPanicsAtItsEnd(t *testing.T) {
	var closed atomic.Int32
	b := newBench(t, "", func(o *Options) { o.Host = madInputs{o.Host.(*gpio.Fake), &closed} })
	b.until("results", b.trusted)
	if err := b.reload("[[input]]\nname = \"silence\"\nchip = \"fake\"\nline = 6\nfunction = \"silence\"\n"); err != nil {
		t.Fatal(err)
	}
	b.told("an input went mad")
	b.until("the way back", b.trusted)
	if b.unit.health.On(health.Internal) {
		t.Error("the fault stays")
	}
}

// A button that is held, or stuck, when the unit starts acknowledges nothing; let
// go and pressed again it does.
func TestButtonHeldAtTheStart(t *testing.T) {
	b := newBench(t, "", func(o *Options) { o.Host.(*gpio.Fake).Drive(pin(4), true) })
	b.until("results", func() bool { return b.unit.health.Trusted(b.unit.now()) })
	b.show(pictures(t, frownFrom, frownTo))
	b.until("the alarm", func() bool { return b.state() == alarm.Unacknowledged })
	n := b.unit.health.Results()
	b.until("more results", func() bool { return b.unit.health.Results() > n+8 })
	if b.state() != alarm.Unacknowledged {
		t.Errorf("a button that was held acknowledged it: %v", b.state())
	}
	b.chip.Drive(pin(4), false)
	b.until("its release", func() bool { return !b.unit.health.On(health.InputStuck) })
	b.until("the acknowledgement", func() bool {
		b.chip.Drive(pin(4), true)
		time.Sleep(30 * time.Millisecond)
		b.chip.Drive(pin(4), false)
		return b.state() == alarm.Acknowledged
	})
}
