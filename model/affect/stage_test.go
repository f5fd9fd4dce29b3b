package affect

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

const ms = time.Millisecond

// at is the time of a frame at 30 frames a second.
func at(frame int) time.Duration { return time.Duration(frame) * time.Second / 30 }

func same(a, b float32, within float64) bool {
	if a != a || b != b {
		return a != a && b != b
	}
	return math.Abs(float64(a)-float64(b)) <= within
}

func TestClosure(t *testing.T) {
	for _, c := range []struct{ level, at, want float32 }{
		{0, 0.6, 0}, {0.3, 0.6, 0.4}, {0.6, 0.6, 0.8}, {0.8, 0.6, 0.9}, {1, 0.6, 1}, {0.8, 0.8, 0.8}, {unknown, 0.5, unknown},
	} {
		if got := closure(c.level, c.at); !same(got, c.want, 1e-6) {
			t.Errorf("closure(%v, %v) = %v, want %v", c.level, c.at, got, c.want)
		}
	}
}

// unfiltered are settings under which a Stage's levels are the frame's own.
func unfiltered() Settings {
	s := DefaultSettings()
	none := Filter{Kind: NoFilter}
	s.Expression, s.ValenceArousal, s.ActionUnits, s.Compound = none, none, none, none
	return s
}

// frame makes a result of the full card with given levels.
func frameOf(card *Card, set map[string]float32) *Result {
	r := &Result{}
	r.size(card)
	for i, c := range card.Outputs.Expression.Classes {
		r.Expression[i] = set["expression."+c]
	}
	r.Valence, r.Arousal = set[Valence], set[Arousal]
	if o := card.Outputs.ActionUnits; o != nil {
		for i, u := range o.Units {
			r.ActionUnits[i] = set[unitName(u)]
			r.Uncovered[i] = set[unitName(u)]
		}
	}
	if o := card.Outputs.Visibility; o != nil {
		for i, p := range o.Parts {
			r.Visible[i] = set["visible."+p]
		}
	}
	return r
}

func TestStageDerives(t *testing.T) {
	card, _ := loadCard(t, "full")
	for kind, want := range map[string]float32{Arithmetic: 0.34, Geometric: 0.24, Harmonic: 2 * 0.6 * 0.08 / 0.68} {
		set := map[string]float32{"expression.happiness": 0.6, "expression.surprise": 0.08, "expression.fear": 0.02, Valence: -0.5, Arousal: 0.25,
			"au4": 0.5, "au6": 0.2, "au7": 0.3, "au9": 0.8, "au10": 0.1, "au43": 0.9, "visible.eyes": 0.7}
		if kind == Geometric {
			set["expression.happiness"], set["expression.surprise"] = 0.72, 0.08
		}
		s := unfiltered()
		s.CompoundMean = kind
		stage, err := NewStage(s, card)
		if err != nil {
			t.Fatal(err)
		}
		levels := stage.Step(0, []*Result{frameOf(card, set)})
		get := func(name string) float32 { return levels[slices.Index(stage.Signals(), name)] }
		if got := get("compound.happily_surprised"); !same(got, want, 1e-6) {
			t.Errorf("%s mean: got %v, want %v", kind, got, want)
		}
		if name, level := stage.Compound(); name != "happily_surprised" || !same(level, want, 1e-6) {
			t.Errorf("%s: largest compound %q %v", kind, name, level)
		}
		if class, level := stage.Expression(); class != "happiness" || level != set["expression.happiness"] {
			t.Errorf("largest expression %q %v", class, level)
		}
		if get(Valence) != -0.5 || get(Arousal) != 0.25 || get("visible.eyes") != 0.7 {
			t.Errorf("valence %v, arousal %v, visible %v", get(Valence), get(Arousal), get("visible.eyes"))
		}
		if got := get(EyesClosed); !same(got, 0.9, 1e-6) {
			t.Errorf("eyes closed %v", got)
		}
		if got := get(Perclos); got == got {
			t.Errorf("PERCLOS of one frame: %v", got)
		}
	}
	if mean(Harmonic, 0, 0) != 0 {
		t.Error("harmonic mean of zeros")
	}
}

func TestStageUnknown(t *testing.T) {
	card, _ := loadCard(t, "full")
	stage, err := NewStage(unfiltered(), card)
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]float32{"au4": 0.5, "au6": 0.2, "au7": unknown, "au43": unknown, "expression.neutral": 1}
	levels := stage.Step(0, []*Result{frameOf(card, set)})
	for _, name := range []string{"au7", "au43", EyesClosed, Perclos} {
		if v := levels[slices.Index(stage.Signals(), name)]; v == v {
			t.Errorf("%s is %v, its source is Unknown", name, v)
		}
	}
	for i, v := range stage.Step(at(1), nil) {
		if v == v {
			t.Errorf("%s is %v without a face", stage.Signals()[i], v)
		}
	}
	if class, level := stage.Expression(); class != "" || level == level {
		t.Errorf("expression %q %v without a face", class, level)
	}
	if name, level := stage.Compound(); name != "" || level == level {
		t.Errorf("compound %q %v without a face", name, level)
	}
}

// TestStagePerclosSeesBlinks: PERCLOS takes the closure before its filter.
func TestStagePerclosSeesBlinks(t *testing.T) {
	card, _ := loadCard(t, "full")
	s := DefaultSettings()
	s.ActionUnits = Filter{Box, 2 * time.Second}
	stage, err := NewStage(s, card)
	if err != nil {
		t.Fatal(err)
	}
	var levels []float32
	for i := range 60 * 30 {
		set := map[string]float32{"au43": 0}
		if i%30 < 6 { // closed a fifth of each second
			set["au43"] = 1
		}
		levels = stage.Step(at(i), []*Result{frameOf(card, set)})
	}
	got := levels[slices.Index(stage.Signals(), Perclos)]
	if !same(got, 0.2, 0.001) {
		t.Errorf("PERCLOS %v, want 0.2", got)
	}
	if got := levels[slices.Index(stage.Signals(), EyesClosed)]; !same(got, 0.2, 0.02) {
		t.Errorf("filtered closure %v, want 0.2", got)
	}
}

func TestStageBlends(t *testing.T) {
	full, _ := loadCard(t, "full")
	bare, _ := loadCard(t, "bare")
	s := unfiltered()
	s.Weights = []float32{3, 1}
	stage, err := NewStage(s, full, bare)
	if err != nil {
		t.Fatal(err)
	}
	a := frameOf(full, map[string]float32{"expression.anger": 0.8, "expression.contempt": 0.3, Valence: 0.4, "au4": 0.7, "au12": unknown})
	b := frameOf(bare, map[string]float32{"expression.anger": 0.4, "expression.other": 0.5, Valence: -0.4})
	levels := stage.Step(0, []*Result{a, b})
	for name, want := range map[string]float32{
		"expression.anger": 0.7, "expression.contempt": 0.3, "expression.other": 0.5, Valence: 0.2, "au4": 0.7, "au12": unknown,
	} {
		i := slices.Index(stage.Signals(), name)
		if i < 0 || !same(levels[i], want, 1e-6) {
			t.Errorf("%s (signal %d): want %v in %v", name, i, want, levels)
		}
	}
	// Unknown in one network is Unknown in the blend.
	twice, err := NewStage(unfiltered(), full, full)
	if err != nil {
		t.Fatal(err)
	}
	clear := frameOf(full, map[string]float32{"au4": 0.2})
	hidden := frameOf(full, map[string]float32{"au4": unknown})
	levels = twice.Step(0, []*Result{clear, hidden})
	if v := levels[slices.Index(twice.Signals(), "au4")]; v == v {
		t.Errorf("AU4 is %v, one network calls it covered", v)
	}
}

func TestNewStageRefuses(t *testing.T) {
	card, _ := loadCard(t, "full")
	for want, change := range map[string]func(*Settings){
		`expression: filter kind "bax"`:   func(s *Settings) { s.Expression.Kind = "bax" },
		"action units: filter window -1s": func(s *Settings) { s.ActionUnits.Window = -time.Second },
		"compound: filter window 2m0s":    func(s *Settings) { s.Compound.Window = 2 * time.Minute },
		`compound mean "median"`:          func(s *Settings) { s.CompoundMean = "median" },
		"perclos window 10ms":             func(s *Settings) { s.PerclosWindow = 10 * ms },
		"perclos known time 2m0s":         func(s *Settings) { s.PerclosKnown = 2 * time.Minute },
		"filter rate 0":                   func(s *Settings) { s.Rate = 0 },
		"2 weights for 1 networks":        func(s *Settings) { s.Weights = []float32{1, 1} },
		"weight 1 is 0":                   func(s *Settings) { s.Weights = []float32{0} },
	} {
		s := DefaultSettings()
		change(&s)
		if _, err := NewStage(s, card); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := NewStage(DefaultSettings()); err == nil {
		t.Error("a stage without a network")
	}
}

func TestSignals(t *testing.T) {
	full, _ := loadCard(t, "full")
	want := strings.Fields(`expression.neutral expression.happiness expression.surprise expression.sadness expression.anger expression.disgust
		expression.fear expression.contempt valence arousal au1 au2 au4 au6 au7 au9 au10 au12 au15 au23 au24 au25 au26 au43
		visible.eyes visible.mouth visible.nose compound.fearfully_surprised compound.happily_surprised compound.sadly_surprised
		compound.disgustedly_surprised compound.angrily_surprised compound.sadly_fearful compound.sadly_angry eyes_closed perclos`)
	if got := Signals(full); !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestDescribe(t *testing.T) {
	full, _ := loadCard(t, "full")
	bare, _ := loadCard(t, "bare")
	for _, s := range Signals(full, bare) {
		in, ok := Describe(s, full)
		if !ok || in.Human == "" || in.Max <= in.Min || in.Name != s {
			t.Errorf("%s: %+v, %v", s, in, ok)
		}
	}
	for name, check := range map[string]func(Info) bool{
		"au4": func(i Info) bool {
			return i.Human == "AU4 brow lowerer" && !i.Weak && i.HasThreshold && i.Threshold == 0.5
		},
		"au23":         func(i Info) bool { return i.Weak },
		"valence":      func(i Info) bool { return i.Derived && i.Min == -1 },
		"visible.eyes": func(i Info) bool { return i.HasThreshold && i.Human == "eyes visible" },
	} {
		if in, ok := Describe(name, full); !ok || !check(in) {
			t.Errorf("%s: %+v", name, in)
		}
	}
	if in, _ := Describe(Valence, bare); in.Derived {
		t.Error("bare's valence is called derived")
	}
	if in, _ := Describe(Valence, bare, full); !in.Derived {
		t.Error("a blend with a derived valence is not called derived")
	}
	for _, name := range []string{"", "au", "au0", "au04", "au100", "aux", "compound.angrily_happy", "expression.", "expression.Neutral", "gaze", "pain"} {
		if in, ok := Describe(name); ok {
			t.Errorf("%q is taken: %+v", name, in)
		}
	}
}
