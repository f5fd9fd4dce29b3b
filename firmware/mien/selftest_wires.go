package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mien/board"
	"mien/drivers/gpio"
	"mien/drivers/serial"
	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/pipeline"
	"mien/firmware/state"
)

// lines opens each line at its safe value; a person sees each output go on.
func (t *selfTest) lines() {
	b, _ := board.Detect("/") // an unknown board has lines by chip and offset
	resolve := pipeline.Lines(b)
	for _, o := range t.cfg.Outputs {
		line, err := resolve(o.Chip, o.Line)
		if err == nil {
			err = t.output(o, line)
		}
		t.add("output "+o.Name, err, line.String())
	}
	for _, i := range t.cfg.Inputs {
		line, err := resolve(i.Chip, i.Line)
		if err == nil {
			err = t.input(i, line)
		}
		t.add("input "+i.Name, err, line.String())
	}
	if len(t.cfg.Outputs)+len(t.cfg.Inputs) == 0 {
		t.skip("lines", "the config names none")
	}
}

func (t *selfTest) output(o config.Output, line gpio.Line) error {
	out, err := gpio.Kernel.Output(gpio.OutputSettings{Line: line, ActiveLow: o.Active == config.ActiveLow, Start: o.StartsOn(),
		Fail: o.FailsOn(), NoReadBack: !o.ReadBack})
	if err != nil {
		return err
	}
	for _, on := range []bool{true, false} {
		if err = out.Set(on); err != nil {
			break
		}
		word := map[bool]string{true: "on", false: "off"}[on]
		if err = t.confirm(fmt.Sprintf("Is %s (%s) %s now?", o.Name, line, word)); err != nil {
			break
		}
	}
	return errors.Join(err, out.Close())
}

func (t *selfTest) input(i config.Input, line gpio.Line) error {
	in, err := gpio.Kernel.Input(gpio.InputSettings{Line: line, ActiveLow: i.Active == config.ActiveLow, Debounce: i.Debounce})
	if err != nil {
		return err
	}
	defer in.Close()
	active, err := in.Active()
	if err != nil {
		return err
	}
	if active {
		return errors.New("is active though nobody presses it: check the wiring, active and pull")
	}
	if !t.ask {
		return nil
	}
	if err := t.ready(fmt.Sprintf("Stand at the button %s (%s).", i.Name, line)); err != nil {
		return err
	}
	t.tell("         Press %s within %v. ", i.Name, personTime)
	edge, err := in.Wait(personTime)
	if err != nil {
		return err
	}
	t.tell("seen.\n")
	if !edge.Active {
		return errors.New("the press came as a release: active is the other level")
	}
	return nil
}

// serial opens the port; a person lets the PLC at its other end read.
func (t *selfTest) serial() {
	if t.cfg.Serial.Device == "" {
		t.skip("serial port", "the config names none")
		return
	}
	s, err := pipeline.SerialSettings(t.cfg.Serial)
	if err != nil {
		t.add("serial port", err, "")
		return
	}
	p, err := serial.Open(s)
	if err != nil {
		t.add("serial port", err, "")
		return
	}
	defer p.Close()
	t.add("serial port", nil, fmt.Sprintf("%s, RS-485 by %s", s, p.Info().RS485))
	if t.ask && t.cfg.Serial.Protocol != config.NoProtocol {
		t.add("PLC", t.talk(p, s), "it hears the unit, and the unit it")
	}
}

// nobody takes the commands of a PLC during a self-test.
type nobody struct{}

func (nobody) Do(string, []state.Command) (state.Receipt, error) {
	return state.Receipt{}, errors.New("a self-test runs")
}

func (nobody) Kept(state.Receipt, time.Duration) error { return nil }

// talk speaks the unit's protocol at the port, with nothing measured yet, until
// the person beside the unit has seen that the PLC understands.
func (t *selfTest) talk(p serial.Line, s serial.Settings) error {
	start := time.Now()
	speak, err := pipeline.NewSpeaker(t.cfg, s, version, func() time.Duration { return time.Since(start) }, state.NewLatest(), nobody{})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- speak.Serve(ctx, p) }()
	if _, polled := speak.Heard(); !polled {
		err = t.confirm("Does the PLC get a line that begins with $MIEN, again and again?")
	} else {
		err = t.polled(speak, s)
	}
	stop()
	if lost := <-ended; !errors.Is(lost, context.Canceled) {
		err = errors.Join(err, lost)
	}
	return err
}

// polled waits until a master has had an answer.
func (t *selfTest) polled(speak *pipeline.Speaker, s serial.Settings) error {
	first, count := 50, 4 // the registers that are the same in every unit
	err := t.ready(fmt.Sprintf("Let the PLC read input registers %d to %d; or at the other end:\n         mbpoll -m rtu -a %d -b %d -d %d -P %v -s %d -0 -1 -t 3 -r %d -c %d PORT\n        ",
		first, first+count-1, t.cfg.Modbus.Address, s.Baud, s.DataBits, s.Parity, s.StopBits, first, count))
	if err != nil {
		return err
	}
	t.tell("         It has %v. ", personTime)
	for end := time.Now().Add(personTime); ; time.Sleep(20 * time.Millisecond) {
		n, _ := speak.Heard()
		switch {
		case n.Answered > 0:
			t.tell("read.\n")
			return t.confirm("Did it get 4660 22136 16256 0 (hexadecimal 1234 5678 3F80 0)?")
		case time.Now().Before(end):
		case n.Frames > 0:
			return fmt.Errorf("the PLC asks for other slaves (%s), not for address %d", alarm.Count(int(n.Frames), "frame"), t.cfg.Modbus.Address)
		case n.Damaged > 0:
			return errors.New("characters came, but no request: other baud rate or parity, or the two wires of RS-485 the wrong way round")
		default:
			return fmt.Errorf("nothing came in %v: cable, ground, port of the other end", personTime)
		}
	}
}
