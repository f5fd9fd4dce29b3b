package pipeline

import (
	"context"
	"fmt"
	"time"

	"mien/drivers/serial"
	"mien/firmware/alarm"
	"mien/firmware/ascii"
	"mien/firmware/config"
	"mien/firmware/health"
	"mien/firmware/modbus"
	"mien/firmware/state"
)

// Speaker speaks a protocol on the serial port. It alone knows of Modbus.
type Speaker struct {
	slave  *modbus.Slave // one of the two
	talker *ascii.Talker
	tap    tap
	latest *state.Latest
}

// NewSpeaker makes what the config wants to be spoken: it tells the newest state
// and hands on commands. now is the clock of the state.
func NewSpeaker(cfg *config.Config, s serial.Settings, version string, now func() time.Duration, latest *state.Latest, to state.Commands) (*Speaker, error) {
	var err error
	sp := &Speaker{tap: tap{now: now}, latest: latest}
	switch cfg.Serial.Protocol {
	case config.ModbusRTU:
		registers := modbus.Of(latest)
		c := slaveConfig(cfg, s, version, now)
		c.Trace = sp.tap.trace
		sp.slave, err = modbus.New(c, registers, registers.Giving(to))
	case config.ASCII:
		sp.talker, err = ascii.New(ascii.Config{Interval: cfg.Serial.Interval, CharacterTime: s.CharacterTime(), Who: "ascii " + s.Path, Now: now, Trace: sp.tap.trace}, latest, to)
	default:
		err = fmt.Errorf("serial.protocol %q speaks nothing", cfg.Serial.Protocol)
	}
	return sp, err
}

// slaveConfig is the slave's settings as the config has them.
func slaveConfig(cfg *config.Config, s serial.Settings, version string, now func() time.Duration) modbus.Config {
	return modbus.Config{
		Address: byte(cfg.Modbus.Address), CharacterTime: s.CharacterTime(),
		Delay:        max(cfg.Modbus.Delay, modbus.Silence(s.CharacterTime())),
		LowWordFirst: cfg.Modbus.WordOrder == config.LowFirst,
		HostTimeout:  cfg.Modbus.HostTimeout, HostRequired: cfg.Modbus.HostTimeout > 0,
		Who: "modbus " + s.Path, Now: now,
		Identity: modbus.Identity{Vendor: "mien", Product: "mien", Revision: version, ProductName: "face monitor", Station: cfg.Unit.Name},
	}
}

// Serve speaks on an open port until it fails or ctx ends.
func (s *Speaker) Serve(ctx context.Context, port serial.Line) error {
	if s.slave != nil {
		return s.slave.Serve(ctx, port)
	}
	return s.talker.Serve(ctx, port)
}

// succeed goes on where before, which no longer serves, left off, where both
// speak Modbus.
func (s *Speaker) succeed(before *Speaker) {
	if before != nil && s.slave != nil && before.slave != nil {
		s.slave.Succeed(before.slave)
	}
}

// Heard is what came over the line so far.
type Heard struct {
	Answered uint32 // requests that had an answer
	Frames   uint32 // whole frames, whoever they were for
	Damaged  uint32 // pieces that were none
}

// Heard tells what masters sent; false where none is waited for.
func (s *Speaker) Heard() (Heard, bool) {
	if s.slave == nil {
		return Heard{}, false
	}
	n := s.slave.Stats()
	return Heard{n.Messages - n.NoResponses, n.BusMessages, n.CommErrors}, true
}

// checkHost makes a PLC that stopped its heartbeat a fault, where the config
// asks for that.
func (u *Unit) checkHost(now time.Duration) {
	s := u.speaker.Load()
	if s == nil || s.slave == nil || u.settings().Modbus.HostTimeout == 0 {
		u.health.End(health.HostLost)
		return
	}
	h := s.slave.Host()
	if !h.Watched || h.Beating || h.Age <= h.Timeout {
		u.health.End(health.HostLost)
	} else if !u.health.On(health.HostLost) {
		u.health.Begin(health.HostLost, now, fmt.Sprintf("no change of the host heartbeat for %s", alarm.Time(h.Timeout)))
	}
}

// Mark is what tells one config or network file from another: CRC-16/MODBUS, as
// PLCs see it.
func Mark(file []byte) uint16 { return modbus.CRC(file) }

// MapVersion is the version of the register map.
const MapVersion = modbus.MapVersion
