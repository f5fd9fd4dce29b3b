package pipeline

import (
	"slices"

	"mien/firmware/config"
	"mien/firmware/pilot"
)

// alarmSettings are how levels of these signals become alarms.
func alarmSettings(cfg *config.Config, signals []string) pilot.AlarmSettings {
	return pilot.AlarmSettings{Definitions: cfg.Definitions(), Signals: signals, MaxGap: cfg.Health.Stale, MaxInhibit: cfg.Unit.InhibitMax,
		MaxSilence: cfg.Unit.SilenceMax}
}

// ReplayBy gives the settings of a config with which a recording is computed again.
func ReplayBy(cfg *config.Config) *pilot.Settings {
	return &pilot.Settings{Stage: stageOf(cfg), Alarms: alarmSettings(cfg, nil)}
}

// made is how what the networks say becomes levels.
func (e *Eye) made() pilot.EyeSettings {
	s := pilot.EyeSettings{Stage: e.settings}
	for _, n := range e.networks {
		m, err := n.Made()
		if err != nil {
			return pilot.EyeSettings{} // a card that came from JSON goes there; without it nothing can be computed again
		}
		s.Networks = append(s.Networks, m)
	}
	return s
}

// beginRecording hands over what the unit holds after a frame. The lock is held.
func (u *Unit) beginRecording(s *Sight) {
	b := &pilot.Beginning{Emotions: u.infers, Eye: s.eye.made(), Alarms: alarmSettings(u.current, u.network.signals),
		Mirrored: s.Mirrored, Filters: s.eye.stage.Keep(u.infers), Engine: u.engine.Keep(u.pilot.Mask)}
	b.Now = u.state.ResultAt
	said := s.Said[0]
	if u.infers {
		said = s.Said[1]
	}
	b.Frame = slices.Clone(said)
	u.pilot.Begin(b)
}
