package pipeline

import (
	"fmt"
	"slices"

	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/pilot"
	"mien/firmware/state"
)

// alarmSettings are how levels of these signals become alarms.
func alarmSettings(cfg *config.Config, signals []string) pilot.AlarmSettings {
	return pilot.AlarmSettings{Definitions: cfg.Definitions(), Signals: signals, MaxGap: cfg.Health.Stale, MaxInhibit: cfg.Unit.InhibitMax,
		MaxSilence: cfg.Unit.SilenceMax}
}

// ReplayBy gives the settings of a config with which a recording is computed again.
func ReplayBy(cfg *config.Config) (*pilot.Settings, error) {
	cards, _, err := Cards(cfg.Model)
	if err != nil {
		return nil, err
	}
	s := &pilot.Settings{Stage: stageOf(cfg), Alarms: alarmSettings(cfg, nil)}
	for _, c := range cards {
		s.Networks = append(s.Networks, c.SHA256)
	}
	return s, nil
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

// pilotDo carries out what is about recordings, marks and drills, as carryOut does.
// The lock is held.
func (u *Unit) pilotDo(who string, c state.Command) (done []alarm.Event, idle bool, err error) {
	text := ""
	switch c.Do {
	case state.StartPilot:
		if err = u.clock.dates(); err == nil { // its end is a date
			text, err = u.pilot.Start(c.For, c.Text)
		}
	case state.StopPilot:
		if _, err = u.pilot.Stop("stopped by " + who); err == nil {
			text = "pilot: recording ended" // by whom is told with each note
		}
	case state.ErasePilot:
		u.drift.Erased()
		text, idle = u.pilot.Erase()
		u.drift.Erased() // of what began between the two
		if d := u.drift.Table(); d != nil && d.Days > 0 {
			text += "; the baseline of the days stays: mien pilot baseline -erase deletes it"
		}
	case state.NewBaseline:
		text, err = u.drift.Learn(c.Days)
	case state.EraseBaseline:
		text, idle = u.drift.Erase()
	case state.MarkAlarm:
		text, err = u.mark(who, c.Mark)
		idle = u.state.Pilot.Marked == state.Again
	case state.Drill:
		text, err = u.drill(c.Drill)
	default:
		err = fmt.Errorf("%w: command %d", alarm.ErrInvalid, c.Do)
	}
	if err != nil {
		u.doLocked(alarm.Command{Do: alarm.Note, Text: fmt.Sprintf("refused: %v: %v", c, err), Who: who})
		return nil, false, err
	}
	if text == "" {
		return nil, false, nil
	}
	u.doLocked(alarm.Command{Do: alarm.Note, Text: text, Who: who})
	return []alarm.Event{{Trigger: alarm.Note, Who: who, Cause: text}}, idle, nil
}

// mark notes what somebody says of an alarm. The lock is held.
func (u *Unit) mark(who string, c state.Mark) (string, error) {
	m, marked, text, err := u.marker.Mark(c, who, u.now(), u.started, u.current.Definitions())
	p := &u.state.Pilot
	p.Marked = marked
	if err != nil || marked == state.Again {
		return text, err
	}
	p.Right, p.False, p.Missed = u.marker.Standing(state.Right), u.marker.Standing(state.False), u.marker.Standing(state.Missed)
	u.pilot.Mark(m)
	if !u.pilot.Records() {
		text += "; nothing is recorded just now"
	}
	return text, nil
}

// drill notes what somebody is asked to do. The lock is held.
func (u *Unit) drill(step *state.DrillStep) (string, error) {
	if step == nil {
		step = new(state.DrillStep)
	}
	s := *step
	switch {
	case !u.pilot.Records():
		return "", fmt.Errorf("%w: nothing is recorded: mien pilot start begins a pilot", alarm.ErrRefused)
	case s.Script == "" || len(s.Script) > 64 || len(s.Number) > 32 || len(s.Present)+len(s.Absent) > 64 || s.Reaction < 0 || s.State > state.DrillBroken:
		return "", fmt.Errorf("%w: the step of a drill", alarm.ErrInvalid)
	}
	for _, name := range append(slices.Clone(s.Present), s.Absent...) {
		if !slices.Contains(u.network.signals, name) {
			return "", fmt.Errorf("%w: the network has no signal %q", alarm.ErrInvalid, name)
		}
	}
	u.pilot.Drill(pilot.DrillStep{DrillStep: s, At: u.now()})
	switch s.State {
	case state.DrillEnded:
		return "drill ended: " + s.Script, nil
	case state.DrillBroken:
		return "drill broken off, and does not count: " + s.Script, nil
	}
	return "", nil
}

// pilotIs brings the state of the recordings up to date. The lock is held.
func (u *Unit) pilotIs() {
	s, p := u.pilot.Status(), &u.state.Pilot
	p.Recording, p.Purpose, p.Begun, p.Ends, p.Ended, p.Trouble = s.Recording, s.Purpose, s.Begun, s.Ends, s.Ended, s.Trouble
	p.Left = 0
	if s.Recording {
		p.Left = max(s.Ends.Sub(u.wall()), 0)
	}
	u.state.Drift = u.drift.Table()
	p.Files, p.Bytes, p.Frames, p.Dropped, p.Allowed = s.Files, s.Bytes, s.Frames, s.Dropped, recordable(u.options, u.current)
}

// beginRecording hands over what the unit holds after a frame. The lock is held.
func (u *Unit) beginRecording(s *Sight) {
	b := &pilot.Beginning{Emotions: u.infers, Eye: s.eye.made(), Alarms: alarmSettings(u.current, u.network.signals),
		Tag: u.current.Pilot.Tag, Mirrored: s.Mirrored, Filters: s.eye.stage.Keep(u.infers), Engine: u.engine.Keep(u.pilot.Mask)}
	b.Now = u.state.ResultAt
	b.Begun = u.wall().Add(b.Now - u.now())
	said := s.Said[0]
	if u.infers {
		said = s.Said[1]
	}
	b.Frame = slices.Clone(said)
	u.pilot.Begin(b)
}
