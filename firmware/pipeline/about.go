package pipeline

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/state"
	"mien/model/affect"
)

// network is what follows from the networks in use.
type network struct {
	signals []string // of the levels, in order
	parts   []string // of the face, which it may find covered
	crc     uint16
	about   []state.Signal
	cards   []*affect.Card
}

// errCard: the card is another one than the unit was started or reloaded with.
var errCard = errors.New("it is not as it was when the unit took its config over: it is damaged, or was changed: put it back, or reload the config")

// same tells whether cards are those that the unit goes by: nothing but the config,
// and whoever reloads it, says that a card is right.
func (n *network) same(cards []*affect.Card) error {
	for i, c := range cards {
		if i < len(n.cards) && c.Path() == n.cards[i].Path() && !reflect.DeepEqual(c, n.cards[i]) {
			return fmt.Errorf("model card %s: %w", c.Path(), errCard)
		}
	}
	return nil
}

func networkOf(cards []*affect.Card, models [][]byte) network {
	n := network{signals: affect.Signals(cards...), crc: Mark(models[0]), cards: cards}
	if v := cards[0].Outputs.Visibility; v != nil {
		n.parts = v.Parts
	}
	for _, name := range n.signals {
		info, _ := affect.Describe(name, cards...)
		n.about = append(n.about, state.Signal{Name: name, Human: info.Human, Min: info.Min, Max: info.Max, Derived: info.Derived})
	}
	return n
}

// become takes over what a config and its networks make of the unit. The lock is
// held.
func (u *Unit) become(cfg *config.Config, n network, crc uint16) {
	u.current, u.network = cfg, n
	u.pilot.Configure(recordable(u.options, cfg), cfg.Pilot.KeepDays, int64(cfg.Pilot.MostMiB)<<20)
	// Without a purpose no emotion is inferred: those signals are computed with the
	// others, and leave the unit nowhere.
	u.infers, u.shows = cfg.Unit.Purpose != "", nil
	var signals []state.Signal
	for i, s := range n.about {
		if u.infers || !config.Emotion(s.Name) {
			u.shows, signals = append(u.shows, i), append(signals, s)
		}
	}
	var sums, about []string
	for _, c := range n.cards {
		sums, about = append(sums, c.SHA256), append(about, c.Name+" "+c.Version)
	}
	u.drift.Configure(cfg.Unit.Name, sums, strings.Join(about, " and "), n.signals, func(s string) bool { return u.infers || !config.Emotion(s) })
	a := &state.About{Unit: cfg.Unit.Name, Version: u.version, Started: u.started, StaleAfter: cfg.Health.Stale,
		ConfigCRC: crc, NetworkCRC: n.crc, Signals: signals,
		Alarms: cfg.Definitions(), Purpose: string(cfg.Unit.Purpose), Region: cfg.Face.Region, Rotate: cfg.Camera.Rotate}
	a.Gate = GateOf(cfg)
	if s := cfg.Serial; s.Device != "" && s.Protocol != config.NoProtocol {
		a.Serial = string(s.Protocol) + " on " + s.Device
	}
	for _, o := range cfg.Outputs {
		a.Outputs = append(a.Outputs, o.Name)
	}
	for _, i := range cfg.Inputs {
		a.Inputs = append(a.Inputs, i.Name)
	}
	st := &u.state
	was := st.About
	st.About = a
	if !slices.Equal(was.Signals, a.Signals) || len(st.Levels) == 0 {
		st.Levels = make([]float32, len(a.Signals))
		st.Blind(state.NoResult)
	}
	if !slices.Equal(was.Outputs, a.Outputs) {
		st.Outputs = make([]bool, len(a.Outputs))
	}
	if !slices.Equal(was.Inputs, a.Inputs) {
		st.Inputs, u.inputs = make([]bool, len(a.Inputs)), make([]string, len(a.Inputs))
	}
}

func newEngine(cfg *config.Config, signals []string) (*alarm.Engine, error) {
	return alarm.New(cfg.Definitions(), signals, alarm.Options{MaxGap: cfg.Health.Stale, MaxInhibit: cfg.Unit.InhibitMax, MaxSilence: cfg.Unit.SilenceMax, Private: true})
}

// GateOf are the config's limits within which a face is read.
func GateOf(cfg *config.Config) state.Gate {
	q := cfg.Face.Quality
	return state.Gate{MinSize: q.MinSize, MinLight: q.MinLight, MaxLight: q.MaxLight, MinContrast: q.MinContrast, MaxClipped: q.MaxClipped,
		MinSharpness: q.MinSharpness, MaxYaw: q.MaxYaw, MaxPitch: q.MaxPitch, MaxRoll: q.MaxRoll, MaxOutside: q.MaxOutside}
}
