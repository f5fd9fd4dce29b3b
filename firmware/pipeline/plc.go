package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mien/drivers/serial"
	"mien/firmware/config"
	"mien/firmware/health"
	"mien/firmware/line"
	"mien/firmware/modbus"
)

// speaker is a protocol on the serial line: it serves one open port until the
// port fails or ctx ends.
type speaker interface {
	Serve(ctx context.Context, port modbus.Port) error
}

// plc is the goroutine that owns the serial port.
type plc struct {
	unit  *Unit
	open  func() (serial.Line, error)
	speak speaker
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

// slaveConfig is the slave's settings as the config has them.
func (u *Unit) slaveConfig(cfg *config.Config, s serial.Settings) modbus.Config {
	c := modbus.Config{
		Address: byte(cfg.Modbus.Address), CharacterTime: s.CharacterTime(), Delay: cfg.Modbus.Delay,
		LowWordFirst: cfg.Modbus.WordOrder == config.LowFirst,
		HostTimeout:  cfg.Modbus.HostTimeout, HostRequired: cfg.Modbus.HostTimeout > 0,
		Who: "modbus " + s.Path, Now: u.now,
		Identity: modbus.Identity{Vendor: "mien", Product: "mien", Revision: u.version, ProductName: "face monitor", Station: cfg.Unit.Name},
	}
	for _, a := range cfg.Alarms {
		c.ShelveMax = max(c.ShelveMax, a.ShelveMax)
	}
	if c.ShelveMax < time.Minute {
		c.ShelveMax = 0
	}
	return c
}

// newSpeaker makes what speaks on the serial line. before is the slave of the
// settings before, nil for none.
func (u *Unit) newSpeaker(cfg *config.Config, s serial.Settings, before *modbus.Slave) (speaker, error) {
	switch cfg.Serial.Protocol {
	case config.ModbusRTU:
		slave, err := modbus.New(u.slaveConfig(cfg, s), u.latest, masters{u})
		if err != nil {
			return nil, err
		}
		if before != nil {
			slave.Succeed(before)
		}
		u.slave.Store(slave)
		return slave, nil
	case config.ASCII:
		return line.New(line.Config{Interval: cfg.Serial.Interval, Who: "line " + s.Path, Now: u.now}, u.latest, masters{u})
	}
	return nil, fmt.Errorf("serial.protocol %q speaks nothing", cfg.Serial.Protocol)
}
