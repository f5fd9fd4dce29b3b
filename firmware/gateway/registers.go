package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/modbus"
	"mien/firmware/operator"
	"mien/firmware/state"
)

// Mirror keeps what the unit knows, as the link hears it, until ctx ends; it has nothing
// while the unit is away.
func (l *Link) Mirror(ctx context.Context) *operator.Mirror {
	m := operator.NewMirror()
	p := l.Join()
	if p == nil { // pages have all places: who mirrors comes before the first of them
		return m
	}
	go func() {
		defer p.Leave()
		for {
			select {
			case <-ctx.Done():
				m.Lose()
				return
			case <-p.Wake:
			}
			reflect(m, p.Take())
		}
	}()
	return m
}

// reflect gives a mirror what is new.
func reflect(m *operator.Mirror, n News) {
	if n.Lost != "" {
		m.Lose()
	}
	if n.About != nil {
		var about operator.About
		if json.Unmarshal(n.About, &about) == nil {
			m.Is(&about)
		}
	}
	if n.State != nil {
		var now operator.Now
		if json.Unmarshal(n.State, &now) == nil {
			m.Tell(&now)
		}
	}
}

// Registers are the register map on the plant's network: what the mirror has, as a PLC on
// the unit's own line would read it.
type Registers struct {
	On            config.OnNetwork // [modbus_tcp] or [slmp]
	Modbus        config.Modbus    // unit identifier and word order
	Name, Version string
	Mirror        *operator.Mirror
	Dial          func() (*operator.Client, error) // reaches the unit, for commands
	Say           func(format string, args ...any)
}

// ModbusTCP makes a server for Modbus TCP; it opens nothing.
func (r Registers) ModbusTCP() (*modbus.Server, error) { return modbus.NewServer(r.settings()) }

// SLMP makes a server for SLMP; it opens nothing.
func (r Registers) SLMP() (*modbus.Server, error) { return modbus.NewSLMPServer(r.settings()) }

func (r Registers) settings() modbus.ServerConfig {
	asking := make(chan struct{}, 2)
	return modbus.ServerConfig{
		Slave: modbus.Config{Address: byte(r.Modbus.Address), LowWordFirst: r.Modbus.WordOrder == config.LowFirst, Now: r.Mirror.Now,
			Identity: modbus.Identity{Vendor: "mien", Product: "mien", Revision: r.Version, ProductName: "face monitor", Station: r.Name}},
		Write: r.On.Write, Allow: r.On.Networks(), There: r.Mirror.There, Say: r.Say,
		Unit: func(who string) (modbus.Source, modbus.Commands) {
			registers := modbus.Of(r.Mirror.Latest())
			return registers, registers.Giving(&plc{dial: r.Dial, mirror: r.Mirror, who: who, asking: asking})
		}}
}

// plc gives what one PLC asks to the unit, over its socket.
type plc struct {
	dial   func() (*operator.Client, error)
	mirror *operator.Mirror
	who    string
	asking chan struct{} // places of those who ask the unit
	kept   atomic.Uint64 // the newest event that is known to be on the disk
}

const (
	// A PLC that waits longer than this has given up.
	askWithin = 2 * time.Second
	// keptWithin is how long the unit waits for its disk before it answers: the PLC is to
	// have its answer within 50 ms.
	keptWithin = 40 * time.Millisecond
)

var _ state.Commands = (*plc)(nil)

// ask reaches the unit for one question.
func (p *plc) ask(question func(c *operator.Client) error) error {
	select {
	case p.asking <- struct{}{}:
		defer func() { <-p.asking }()
	case <-time.After(askWithin):
		return alarm.ErrTooMany
	}
	c, err := p.dial()
	if err != nil {
		return fmt.Errorf("%w: %w", modbus.ErrAway, err)
	}
	defer c.Close()
	c.Within(askWithin)
	switch err = question(c); {
	case errors.Is(err, operator.ErrFull):
		err = fmt.Errorf("%w: %w", alarm.ErrTooMany, err)
	case errors.Is(err, operator.ErrNoReply):
		err = fmt.Errorf("%w: %w", modbus.ErrAway, err)
	}
	return err
}

func (p *plc) Do(who string, batch []state.Command) (r state.Receipt, err error) {
	err = p.ask(func(c *operator.Client) error {
		g, err := c.Give(who, operator.PLC, batch, keptWithin)
		if r = g.Receipt; g.Pending == "" && (err == nil || errors.Is(err, alarm.ErrRefused)) {
			p.kept.Store(max(p.kept.Load(), r.Event))
		}
		p.mirror.Took(g) // so that the PLC reads it back
		return err
	})
	return r, err
}

// Kept asks only for what Do was not told of already.
func (p *plc) Kept(r state.Receipt, most time.Duration) error {
	if r.Event <= p.kept.Load() {
		return nil
	}
	return p.ask(func(c *operator.Client) error {
		pending, err := c.Kept(p.who, operator.PLC, r.Event, min(most, keptWithin/4)) // Do has waited already
		switch {
		case err != nil:
			return err
		case pending != "":
			return errors.New(pending)
		}
		p.kept.Store(max(p.kept.Load(), r.Event))
		return nil
	})
}

// Listen opens a port that a key of the config names. The error says what to do about it.
func Listen(key, address string) (net.Listener, error) {
	network := "tcp"
	if a, err := netip.ParseAddrPort(address); err == nil && a.Addr().Is4() {
		network = "tcp4" // else 0.0.0.0 would be open to IPv6 too
	}
	l, err := net.Listen(network, address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		err = fmt.Errorf("%s: %w: another program, or another gateway, has this port: stop it, or choose another", key, err)
	case errors.Is(err, os.ErrPermission):
		err = fmt.Errorf("%s: %w: choose a port above 1023", key, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		err = fmt.Errorf("%s: %w: this machine has no such address", key, err)
	case err != nil:
		err = fmt.Errorf("%s: %w", key, err)
	}
	return l, err
}
