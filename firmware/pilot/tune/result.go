package tune

import (
	"encoding/json"
	"math"
	"time"
)

// MarshalJSON gives the keys that docs/pilot.md names: times in seconds, null for
// what nothing can be said of.
func (r *Result) MarshalJSON() ([]byte, error) {
	type session struct {
		Name     string  `json:"session"`
		Drill    bool    `json:"drill"`
		Hours    float64 `json:"hours"`
		Unread   float64 `json:"unread_share"`
		Present  int     `json:"present"`
		Missed   int     `json:"missed"`
		False    int     `json:"false"`
		Limit    float64 `json:"limit"`
		Deadband float64 `json:"deadband"`
		OnDelay  float64 `json:"on_delay"`
		OffDelay float64 `json:"off_delay"`
	}
	out := struct {
		Signal string `json:"signal"`
		Side   string `json:"side"` // the key of an alarm that the limit is for: high or low
		settings
		figures
		Doubt      *float64  `json:"doubt"`
		Events     *float64  `json:"events_per_shift"`
		EventsLow  *float64  `json:"events_low"`
		EventsHigh *float64  `json:"events_high"`
		Sessions   int       `json:"sessions"`
		Hours      float64   `json:"hours"`
		Present    int       `json:"present"`
		Enough     bool      `json:"enough"`
		Needs      string    `json:"needs"`
		Notes      []string  `json:"notes"`
		InForce    *point    `json:"in_force,omitempty"`
		ByLimit    []point   `json:"by_limit,omitempty"`
		BySession  []session `json:"by_session,omitempty"`
	}{Signal: r.Signal, Side: r.Side(), figures: figuresOf(r.False, r.Missed, r.Cost), Sessions: r.Sessions, Hours: round(r.Hours), Present: r.Present,
		Enough: r.Enough, Needs: together(r.Needs), Notes: []string{}}
	for _, n := range r.Notes {
		out.Notes = append(out.Notes, n.String())
	}
	out.Doubt = finite(r.Doubt)
	out.Events, out.EventsLow, out.EventsHigh = finite(r.Events.Value), finite(r.Events.Low), finite(r.Events.High)
	if r.Enough {
		out.settings = settingsOf(r.Best)
	}
	if r.InForce != nil {
		p := pointOf(*r.InForce)
		out.InForce = &p
	}
	for _, f := range r.ByLimit {
		out.ByLimit = append(out.ByLimit, pointOf(f))
	}
	for _, s := range r.BySession {
		out.BySession = append(out.BySession, session{s.Name, s.Drill, round(s.Hours), round(s.Unread), s.Present, s.Missed, s.False,
			s.Chosen.Limit, s.Chosen.Deadband, s.Chosen.OnDelay.Seconds(), s.Chosen.OffDelay.Seconds()})
	}
	return json.Marshal(out)
}

// Side is the key of an alarm that the limit is for.
func (r *Result) Side() string {
	if r.Below {
		return "low"
	}
	return "high"
}

type settings struct {
	Limit    *float64 `json:"limit"`
	Deadband *float64 `json:"deadband"`
	OnDelay  *float64 `json:"on_delay"`
	OffDelay *float64 `json:"off_delay"`
	Filter   *float64 `json:"filter,omitempty"` // window, where one is applied
}

func settingsOf(c Candidate) settings {
	seconds := func(d time.Duration) *float64 { s := d.Seconds(); return &s }
	out := settings{&c.Limit, &c.Deadband, seconds(c.OnDelay), seconds(c.OffDelay), nil}
	if c.Window > 0 {
		out.Filter = seconds(c.Window)
	}
	return out
}

type figures struct {
	False      *float64 `json:"false_per_shift"`
	FalseLow   *float64 `json:"false_per_shift_low"`
	FalseHigh  *float64 `json:"false_per_shift_high"`
	Missed     *float64 `json:"missed_share"`
	MissedLow  *float64 `json:"missed_low"`
	MissedHigh *float64 `json:"missed_high"`
	Cost       *float64 `json:"cost_per_shift"`
	CostLow    *float64 `json:"cost_low"`
	CostHigh   *float64 `json:"cost_high"`
}

func figuresOf(f, m, c Interval) figures {
	return figures{finite(f.Value), finite(f.Low), finite(f.High), finite(m.Value), finite(m.Low), finite(m.High), finite(c.Value), finite(c.Low), finite(c.High)}
}

type point struct {
	settings
	figures
}

func pointOf(f Figures) point {
	return point{settingsOf(f.Candidate), figuresOf(f.False, f.Missed, f.Cost)}
}

// finite gives six digits, or nothing for what is no number.
func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	x = round(x)
	return &x
}

func round(x float64) float64 {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return x
	}
	p := math.Pow(10, 5-math.Floor(math.Log10(math.Abs(x))))
	return math.Round(x*p) / p
}
