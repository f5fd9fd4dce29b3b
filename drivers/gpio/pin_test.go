package gpio

import (
	"errors"
	"strings"
	"testing"
	"time"

	periph "periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/conn/v3/gpio/gpiotest"
	"periph.io/x/conn/v3/gpio/gpioutil"
	"periph.io/x/conn/v3/physic"
)

func TestPinOut(t *testing.T) {
	f := newFake()
	p := NewPin(f, lamp(), periph.High)
	if p.Name() != "pinctrl-fake:0" || p.String() != p.Name() || p.Number() != 0 || p.Function() != "" {
		t.Errorf("%q %v %d %q", p.Name(), p, p.Number(), p.Function())
	}
	if n := NewPin(f, ack(), periph.Low); n.Number() != -1 || n.Name() != "ACK" {
		t.Errorf("%q %d", n.Name(), n.Number())
	}
	if p.Read() != periph.Low {
		t.Error("a line nobody asked for is high")
	}
	for _, l := range []periph.Level{periph.High, periph.Low, periph.High} {
		if err := p.Out(l); err != nil {
			t.Fatal(err)
		}
		if f.High(lamp()) != bool(l) || p.Read() != l {
			t.Errorf("out %v: %v, reads %v", l, f.High(lamp()), p.Read())
		}
	}
	// Other than periph's own pins: looking at it leaves it an output.
	if p.Function() != "Out/High" {
		t.Errorf("%q", p.Function())
	}
	if err := p.Out(periph.Low); err != nil || f.High(lamp()) {
		t.Errorf("after Function: %v", err)
	}
	if n := len(f.Changes()); n != 4 {
		t.Errorf("%d changes, want 4: no glitch between request and level", n)
	}
	if err := p.PWM(periph.DutyHalf, physic.KiloHertz); err == nil || !strings.Contains(err.Error(), "PWM") {
		t.Errorf("%v", err)
	}
	if err := p.Halt(); err != nil || !f.High(lamp()) {
		t.Errorf("halt does not leave the fail level: %v", err)
	}
	if p.Function() != "" || p.Halt() != nil {
		t.Error("halt twice")
	}
	f.Take(lamp(), "somebody")
	if err := p.Out(periph.Low); !errors.Is(err, ErrBusy) {
		t.Errorf("%v", err)
	}
}

func TestPinIn(t *testing.T) {
	f := newFake()
	line := Line{Name: "ACK"}
	p := NewPin(f, line, periph.Low)
	if err := p.Out(periph.High); err != nil {
		t.Fatal(err)
	}
	if err := p.In(periph.PullUp, periph.FallingEdge); err != nil {
		t.Fatal(err)
	}
	if p.Read() != periph.High || p.Pull() != periph.PullUp || p.DefaultPull() != periph.PullNoChange || p.Function() != "In/High" {
		t.Errorf("%v %v %q", p.Read(), p.Pull(), p.Function())
	}
	if p.WaitForEdge(0) {
		t.Error("an edge before any")
	}
	f.Drive(line, false)
	f.Drive(line, true)
	f.Drive(line, false)
	if !p.WaitForEdge(soon) || !p.WaitForEdge(soon) || p.WaitForEdge(10*ms) {
		t.Error("two falling edges are wanted, rising ones are not")
	}
	if err := p.In(periph.PullDown, periph.RisingEdge); err != nil {
		t.Fatal(err)
	}
	f.Drive(line, true)
	if !p.WaitForEdge(soon) {
		t.Error("no rising edge")
	}
	if err := p.In(periph.Float, periph.NoEdge); err != nil || p.WaitForEdge(soon) {
		t.Errorf("edges were not asked for: %v", err)
	}
	if err := p.In(periph.Float, periph.Edge(9)); err == nil {
		t.Error("edge 9")
	}
	// Going over to an output ends a wait.
	if err := p.In(periph.PullNoChange, periph.BothEdges); err != nil {
		t.Fatal(err)
	}
	done := make(chan bool, 1)
	go func() { done <- p.WaitForEdge(-1) }()
	time.Sleep(10 * ms)
	f.Release(line)
	if err := p.Out(periph.Low); err != nil {
		t.Fatal(err)
	}
	select {
	case edge := <-done:
		if edge {
			t.Error("an edge")
		}
	case <-time.After(soon):
		t.Error("still waiting")
	}
	if p.Pull() != periph.PullNoChange {
		t.Error("an output has a pull")
	}
}

// periph's own registry and wrapper take our lines as they take its own.
func TestPeriphTakesOurPins(t *testing.T) {
	f := newFake()
	if err := gpioreg.Register(NewPin(f, Line{Name: "LAMP"}, periph.Low)); err != nil {
		t.Fatal(err)
	}
	defer gpioreg.Unregister("LAMP")
	var p periph.PinIO = &gpiotest.LogPinIO{PinIO: gpioreg.ByName("LAMP")}
	if err := p.Out(periph.High); err != nil || !f.High(lamp()) || p.Read() != periph.High {
		t.Errorf("%v, %v", err, p.Read())
	}
	if err := p.In(periph.PullDown, periph.BothEdges); err != nil {
		t.Fatal(err)
	}
	go func() {
		time.Sleep(5 * ms)
		f.Drive(lamp(), true)
	}()
	if !p.WaitForEdge(soon) || p.Read() != periph.High {
		t.Error("no edge")
	}
	if err := p.Halt(); err != nil {
		t.Error(err)
	}
}

// periph's debouncer and poller, which only know gpio.PinIO, work on our pins
// as they do on periph's own fake.
func TestPeriphHelpersTreatOursAsTheirs(t *testing.T) {
	f := newFake()
	line := Line{Name: "ACK"}
	theirs := &gpiotest.Pin{N: "theirs", EdgesChan: make(chan periph.Level, 1)}
	for name, c := range map[string]struct {
		pin   periph.PinIO
		press func()
	}{
		"ours":   {NewPin(f, line, periph.Low), func() { f.Drive(line, true) }},
		"theirs": {theirs, func() { theirs.EdgesChan <- periph.High }},
	} {
		d, err := gpioutil.Debounce(c.pin, 0, 10*ms, periph.BothEdges)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		go func() {
			time.Sleep(5 * ms)
			c.press()
		}()
		if !d.WaitForEdge(soon) || d.Read() != periph.High {
			t.Errorf("%s: no edge through periph's debouncer", name)
		}
	}
	poll := gpioutil.PollEdge(NewPin(f, lamp(), periph.Low), physic.KiloHertz)
	if err := poll.In(periph.PullNoChange, periph.RisingEdge); err != nil {
		t.Fatal(err)
	}
	go func() {
		time.Sleep(5 * ms)
		f.Drive(lamp(), true)
	}()
	if !poll.WaitForEdge(soon) {
		t.Error("no edge through periph's poller")
	}
}
