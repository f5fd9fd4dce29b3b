package affect

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Ways to take the mean of two expressions for a compound one.
const (
	Arithmetic = "arithmetic"
	Geometric  = "geometric"
	Harmonic   = "harmonic"
)

// Settings are how a Stage turns results into signals.
type Settings struct {
	Expression     Filter // expressions
	ValenceArousal Filter
	ActionUnits    Filter // action units, visibility, eyes_closed
	Compound       Filter // compound expressions
	CompoundMean   string // Arithmetic, Geometric or Harmonic
	// PerclosWindow is the time that PERCLOS looks back on; PerclosKnown how
	// much of it must be known before there is a value.
	PerclosWindow, PerclosKnown time.Duration
	// Rate is the most frames a second that the filters hold; at more, their
	// windows get shorter.
	Rate int
	// Weights of the networks in a blend, one each; nil: all alike.
	Weights []float32
}

// DefaultSettings are the windows in which the paper's networks gained most,
// cut to what a causal filter may cost in delay.
func DefaultSettings() Settings {
	return Settings{
		Expression:     Filter{Box, time.Second},
		ValenceArousal: Filter{Box, 700 * time.Millisecond},
		ActionUnits:    Filter{Box, 300 * time.Millisecond},
		Compound:       Filter{Box, time.Second},
		CompoundMean:   Arithmetic,
		PerclosWindow:  time.Minute,
		PerclosKnown:   30 * time.Second,
		Rate:           120,
	}
}

func (s *Settings) validate(networks int) error {
	for _, f := range []struct {
		name string
		f    Filter
	}{{"expression", s.Expression}, {"valence and arousal", s.ValenceArousal}, {"action units", s.ActionUnits}, {"compound", s.Compound}} {
		if err := f.f.validate(); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if !slices.Contains([]string{Arithmetic, Geometric, Harmonic}, s.CompoundMean) {
		return fmt.Errorf("compound mean %q: must be %s, %s or %s", s.CompoundMean, Arithmetic, Geometric, Harmonic)
	}
	if s.PerclosWindow < time.Second || s.PerclosWindow > 10*time.Minute {
		return fmt.Errorf("perclos window %v: must be 1 s to 10 min", s.PerclosWindow)
	}
	if s.PerclosKnown < 0 || s.PerclosKnown > s.PerclosWindow {
		return fmt.Errorf("perclos known time %v: must be 0 to the window, %v", s.PerclosKnown, s.PerclosWindow)
	}
	if s.Rate < 1 || s.Rate > 1000 {
		return fmt.Errorf("filter rate %d frames/s: must be 1 to 1000", s.Rate)
	}
	if s.Weights != nil && len(s.Weights) != networks {
		return fmt.Errorf("blend: %d weights for %d networks: must be one each", len(s.Weights), networks)
	}
	for i, w := range s.Weights {
		if !(w > 0) || math.IsInf(float64(w), 0) {
			return fmt.Errorf("blend: weight %d is %g: must be above 0", i+1, w)
		}
	}
	return nil
}

// Stage makes signals of results, frame by frame: it blends the networks,
// derives the compound expressions, eye closure and PERCLOS, and filters over
// time. It allocates nothing after NewStage, and belongs to one goroutine.
type Stage struct {
	settings Settings
	signals  []string
	blend    blend
	pairs    []pair // compound expressions, in order from firstCompound
	closedAt float32
	eyes     eyesAt
	perclos  *perclos
	groups   []group
	levels   []float32

	expressions, compounds []int // signal numbers
}

// group is a run of signals under one filter.
type group struct {
	from, to int
	bank     *bank
}

type pair struct{ first, second, into int }

// eyesAt are signal numbers; -1 is none.
type eyesAt struct{ au43, closed, perclos int }

// NewStage prepares for the networks of cards, in the order in which Step gets
// their results.
func NewStage(settings Settings, cards ...*Card) (*Stage, error) {
	if len(cards) == 0 {
		return nil, fmt.Errorf("no network to take results from")
	}
	if err := settings.validate(len(cards)); err != nil {
		return nil, err
	}
	s := &Stage{settings: settings, signals: Signals(cards...)}
	s.levels = make([]float32, len(s.signals))
	at := func(name string) int { return slices.Index(s.signals, name) }
	s.blend = newBlend(s.signals[:len(baseSignals(cards))], cards, settings.Weights)
	for _, c := range compounds {
		if into := at(compoundPrefix + c.name); into >= 0 {
			s.pairs = append(s.pairs, pair{at(expressionPrefix + c.first), at(expressionPrefix + c.second), into})
			s.compounds = append(s.compounds, into)
		}
	}
	s.eyes = eyesAt{at("au43"), at(EyesClosed), at(Perclos)}
	s.closedAt = s.blend.eyesClosedAt(cards)
	s.perclos = newPerclos(settings.PerclosWindow, settings.PerclosKnown)
	for i, name := range s.signals {
		if strings.HasPrefix(name, expressionPrefix) {
			s.expressions = append(s.expressions, i)
		}
	}
	s.group()
	return s, nil
}

// group gives each run of signals of one sort a filter of its own.
func (s *Stage) group() {
	filterOf := func(name string) Filter {
		switch {
		case strings.HasPrefix(name, expressionPrefix):
			return s.settings.Expression
		case name == Valence || name == Arousal:
			return s.settings.ValenceArousal
		case strings.HasPrefix(name, compoundPrefix):
			return s.settings.Compound
		}
		return s.settings.ActionUnits
	}
	for from := 0; from < len(s.signals); {
		f := filterOf(s.signals[from])
		to := from + 1
		for to < len(s.signals) && filterOf(s.signals[to]) == f {
			to++
		}
		s.groups = append(s.groups, group{from, to, newBank(f, to-from, s.settings.Rate)})
		from = to
	}
}

// Signals are the names of the levels that Step gives, in order.
func (s *Stage) Signals() []string { return s.signals }

// Step takes the results of all networks for the frame at time at, one for
// each card of NewStage, or none where there is no face fit to judge: then all
// levels of the frame are Unknown. It gives the filtered levels, valid until
// the next Step; NaN is Unknown.
func (s *Stage) Step(at time.Duration, results []*Result) []float32 {
	if len(results) == 0 {
		for i := range s.levels {
			s.levels[i] = unknown
		}
	} else {
		s.blend.levels(s.levels, results)
		s.derive()
	}
	closed := unknown
	if s.eyes.closed >= 0 {
		closed = s.levels[s.eyes.closed]
	}
	for i := range s.groups {
		g := &s.groups[i]
		g.bank.step(at, s.levels[g.from:g.to])
	}
	if s.eyes.perclos >= 0 {
		// From the closure before its filter: a blink is shorter than some
		// windows.
		s.levels[s.eyes.perclos] = s.perclos.step(at, closed)
	}
	return s.levels
}

// derive makes the signals of one frame that come from others of that frame.
func (s *Stage) derive() {
	l := s.levels
	for _, p := range s.pairs {
		l[p.into] = mean(s.settings.CompoundMean, l[p.first], l[p.second])
	}
	if s.eyes.closed >= 0 {
		l[s.eyes.closed] = closure(l[s.eyes.au43], s.closedAt)
		l[s.eyes.perclos] = unknown
	}
}

func mean(kind string, a, b float32) float32 {
	switch kind {
	case Geometric:
		return float32(math.Sqrt(float64(a) * float64(b)))
	case Harmonic:
		if a+b == 0 {
			return 0
		}
		return 2 * a * b / (a + b)
	}
	return (a + b) / 2
}

// Expression is the expression with the largest filtered probability after the
// last Step, and that probability; "" and NaN while all are Unknown.
func (s *Stage) Expression() (class string, probability float32) {
	return s.largest(s.expressions, expressionPrefix)
}

// Compound is the compound expression with the largest filtered mean after the
// last Step, and that mean; "" and NaN while all are Unknown.
func (s *Stage) Compound() (name string, mean float32) {
	return s.largest(s.compounds, compoundPrefix)
}

func (s *Stage) largest(among []int, prefix string) (string, float32) {
	best := -1
	for _, i := range among {
		if v := s.levels[i]; v == v && (best < 0 || v > s.levels[best]) {
			best = i
		}
	}
	if best < 0 {
		return "", unknown
	}
	return s.signals[best][len(prefix):], s.levels[best]
}
