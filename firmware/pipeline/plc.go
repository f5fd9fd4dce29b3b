package pipeline

import (
	"context"
	"errors"

	"mien/drivers/serial"
	"mien/firmware/config"
	"mien/firmware/health"
)

// plc is the goroutine that owns the serial port.
type plc struct {
	unit  *Unit
	open  func() (serial.Line, error)
	speak *Speaker
	back  health.Backoff
}

// run keeps the port open and served until ctx ends. A port that is lost is a
// fault, and opened again for as long as it takes.
func (p *plc) run(ctx context.Context) error {
	for ctx.Err() == nil {
		port, err := p.open()
		if err == nil {
			p.unit.health.End(health.SerialLost)
			p.back.Reset()
			err = p.serve(ctx, port)
		}
		if ctx.Err() != nil {
			return nil
		}
		p.unit.health.Begin(health.SerialLost, p.unit.now(), err.Error())
		sleep(ctx, p.back.Next())
	}
	return nil
}

// serve speaks on one port and closes it, whatever happens. Ending ctx closes
// it too, which wakes a read that waits.
func (p *plc) serve(ctx context.Context, port serial.Line) error {
	stop := context.AfterFunc(ctx, func() { p.unit.Guard("serial", func() { port.Close() }) })
	defer stop()
	defer port.Close()
	err := p.speak.Serve(ctx, port)
	if err == nil || errors.Is(err, context.Canceled) {
		return errors.New("the line was closed")
	}
	return err
}

// The driver's values of the config's words.
var (
	parities = map[config.Parity]serial.Parity{config.NoParity: serial.NoParity, config.EvenParity: serial.EvenParity, config.OddParity: serial.OddParity}
	rs485s   = map[config.RS485]serial.RS485{config.RS485Off: serial.RS485Off, config.RS485Auto: serial.RS485Auto,
		config.RS485Kernel: serial.RS485Kernel, config.RS485RTS: serial.RS485RTS}
)

// SerialSettings are the port's settings as the driver takes them.
func SerialSettings(c config.Serial) (serial.Settings, error) {
	s := serial.Settings{Path: c.Device, Baud: c.Baud, DataBits: c.Data, StopBits: c.Stop,
		Parity: parities[c.Parity], RS485: rs485s[c.RS485],
		RTSLowToSend: c.RTSLow, BeforeSend: c.Before, AfterSend: c.After, Echo: c.Echo}
	return s, s.Check()
}
