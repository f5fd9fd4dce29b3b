package pipeline

import (
	"context"
	"fmt"
	"strings"

	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/health"
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
	// Problems stand in lines; a log and a register's text have one.
	u.health.Begin(health.ConfigRefused, u.now(), strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "))
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
	changes := config.Changes(old, cfg)
	if names := paths(changes, config.Restart); len(names) > 0 {
		return fmt.Errorf("%s changed: that needs a restart of the unit; the config in force stays", strings.Join(names, ", "))
	}
	cards, models, err := Cards(cfg.Model)
	if err != nil {
		return err
	}
	if err := wirable(cfg, u.options.Resolve); err != nil {
		return err
	}
	n := networkOf(cards, models)
	p, err := newPanel(u, u.options.Host, cfg, u.options.Resolve)
	if err != nil {
		return err
	}
	buttons, err := u.buttons(cfg)
	if err != nil {
		return err
	}
	u.mu.Lock()
	now, wall := u.now(), u.wall()
	events, err := u.engine.Reconfigure(cfg.Definitions(), n.signals, "reload", now, wall)
	if err == nil {
		u.pilot.Reload(alarmSettings(cfg, n.signals), "reload", now, wall)
		u.engine.SetMost(cfg.Unit.InhibitMax, cfg.Unit.SilenceMax)
		inferred, tag := u.infers, u.current.Pilot.Tag
		u.become(cfg, n, r.crc)
		u.happened(events)
		if u.infers != inferred || cfg.Pilot.Tag != tag {
			u.pilot.Anew() // other outputs are recorded from here on, or for another group
		}
		for _, c := range changes {
			u.doLocked(alarm.Command{Do: alarm.Note, Text: "config: " + c.String()})
		}
		u.publish()
	}
	u.mu.Unlock()
	if err != nil {
		return err
	}
	u.restart(ctx, cfg, changes, p, buttons)
	return nil
}

// paths lists the changed keys that take such an effort.
func paths(changes []config.Change, takes config.Effect) (list []string) {
	for _, c := range changes {
		if c.Takes == takes {
			list = append(list, c.Path)
		}
	}
	return list
}

// restart starts again the parts whose settings changed.
func (u *Unit) restart(ctx context.Context, cfg *config.Config, changes []config.Change, p *panel, buttons []*button) {
	if len(paths(changes, config.ReopenCamera)) > 0 {
		u.watching.stop()
		u.watching.start(ctx, u, "watcher", func(ctx context.Context) error { return u.newWatcher().run(ctx) })
	}
	outputs, inputs := false, false
	for _, path := range paths(changes, config.RequestLines) {
		outputs = outputs || strings.HasPrefix(path, "output")
		inputs = inputs || strings.HasPrefix(path, "input")
	}
	if outputs {
		u.driving.stop()
		u.panel.Store(p)
		u.driving.start(ctx, u, "outputs", func(ctx context.Context) error { return p.run(ctx, u.wake) })
	}
	if inputs {
		stopAll(u.inputParts()...)
		u.startInputs(ctx, buttons)
	}
	if len(paths(changes, config.ReopenSerial)) > 0 {
		u.talking.stop()
		u.startSerial(ctx, cfg)
	}
}
