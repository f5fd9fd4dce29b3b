package pipeline

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/health"
	"mien/model/affect"
)

// replacement is a config on its way in, and where the answer goes.
type replacement struct {
	cfg    *config.Config
	crc    uint16
	answer chan error
}

// Reload takes another config over without losing alarm state. What changed is
// opened again, the rest runs on. An error means that the old one stays in
// force, whole.
func (u *Unit) Reload(ctx context.Context, cfg *config.Config, crc uint16) error {
	r := replacement{cfg, crc, make(chan error, 1)}
	select {
	case u.reloading <- r:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-r.answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Refuse notes a config that could not even be read.
func (u *Unit) Refuse(err error) {
	u.health.Begin(health.ConfigRefused, u.now(), err.Error())
}

// reloads takes configs over, one after the other, until ctx ends.
func (u *Unit) reloads(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-u.reloading:
			err := u.reload(ctx, r)
			if err != nil {
				u.Refuse(err)
			} else {
				u.health.End(health.ConfigRefused)
			}
			r.answer <- err
		}
	}
}

func (u *Unit) reload(ctx context.Context, r replacement) error {
	old, cfg := u.settings(), r.cfg
	// Everything that can be refused is tried before anything is changed.
	if err := fixed(old, cfg); err != nil {
		return err
	}
	cards, models, err := Cards(cfg.Model)
	if err != nil {
		return err
	}
	signals := affect.Signals(cards...)
	p, err := newPanel(u, u.options.Host, cfg, u.options.Resolve)
	if err != nil {
		return err
	}
	buttons, err := u.buttons(cfg)
	if err != nil {
		return err
	}
	u.mu.Lock()
	events, err := u.engine.Reconfigure(cfg.Definitions(), signals, "reload", u.now(), time.Now())
	if err == nil {
		u.current, u.signals, u.card = cfg, signals, cards[0]
		u.places, u.ranges = placesOf(signals, cards[0]), rangesOf(signals, cards)
		u.snapshot.ConfigCRC, u.snapshot.ModelCRC = r.crc, crcOf(models[0])
		u.happened(events)
		u.doLocked(alarm.Command{Do: alarm.Note, Text: fmt.Sprintf("config taken over, %04x", r.crc)})
	}
	u.mu.Unlock()
	if err != nil {
		return err
	}
	u.restart(ctx, old, cfg, p, buttons)
	return nil
}

// restart starts again the parts whose settings changed.
func (u *Unit) restart(ctx context.Context, old, cfg *config.Config, p *panel, buttons []*button) {
	same := func(a, b any) bool { return reflect.DeepEqual(a, b) }
	sight := func(c *config.Config) any { return []any{c.Camera, c.Face, c.Model, c.Filter, c.Health} }
	alarms := func(c *config.Config) (names []string) {
		for _, a := range c.Alarms {
			names = append(names, a.Name)
		}
		return
	}
	if !same(sight(old), sight(cfg)) {
		u.parts.stop("watcher")
		u.parts.start(ctx, "watcher", func(ctx context.Context) error { return u.newWatcher().run(ctx) })
	}
	if !same(old.Outputs, cfg.Outputs) || !same(alarms(old), alarms(cfg)) {
		u.parts.stop("outputs")
		u.panel.Store(p)
		u.parts.start(ctx, "outputs", func(ctx context.Context) error { return p.run(ctx, u.wake) })
	}
	if !same(old.Inputs, cfg.Inputs) {
		for i := range old.Inputs {
			u.parts.stop(inputPart(i))
		}
		u.mu.Lock()
		u.inputs = make([]string, len(cfg.Inputs))
		u.mu.Unlock()
		u.startInputs(ctx, buttons)
	}
	if !same([]any{old.Serial, old.Modbus, old.Unit.Name}, []any{cfg.Serial, cfg.Modbus, cfg.Unit.Name}) {
		u.parts.stop("serial")
		u.startSerial(ctx, cfg)
	}
}

// fixed refuses changes of what only a start can change.
func fixed(old, cfg *config.Config) error {
	for _, section := range []struct {
		name     string
		old, now any
	}{{"state", old.State, cfg.State}, {"socket", old.Socket, cfg.Socket}, {"watchdog", old.Watchdog, cfg.Watchdog},
		{"health.stale", old.Health.Stale, cfg.Health.Stale}} {
		if !reflect.DeepEqual(section.old, section.now) {
			return fmt.Errorf("%s changed: that needs a restart of the unit; the config in force stays", section.name)
		}
	}
	return nil
}
