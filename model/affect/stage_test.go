package affect

import (
	"math"
	"math/rand/v2"
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

// sample is one frame for the plain reference.
type sample struct {
	at    time.Duration
	level float32
}

// plainFilter is the filter's definition, slow and from scratch: the weighted
// integral over the window of a level that holds for the time before each
// sample, over the same integral of 1 where the level is known.
func plainFilter(f Filter, history []sample) float32 {
	now := history[len(history)-1].at
	first := len(history) - 1
	for first > 0 && history[first].at > history[first-1].at && history[first].at-history[first-1].at <= f.Window {
		first--
	}
	h := history[first:]
	if len(h) == 1 {
		return h[0].level
	}
	const steps = 4000 // of the integral, by its midpoints
	var sum, weight float64
	for i := range steps {
		age := (float64(i) + 0.5) / steps * f.Window.Seconds()
		t := now.Seconds() - age
		level, known := float32(0), false
		for k, s := range h {
			begin := 2*h[0].at.Seconds() - h[1].at.Seconds()
			if k > 0 {
				begin = h[k-1].at.Seconds()
			}
			if t > begin && t <= s.at.Seconds() {
				level, known = s.level, s.level == s.level
			}
		}
		if known {
			w := 1.0
			if f.Kind == Gaussian {
				sigma := f.Window.Seconds() / 3
				w = math.Exp(-age * age / (2 * sigma * sigma))
			}
			sum += w * float64(level)
			weight += w
		}
	}
	if weight == 0 {
		return unknown
	}
	return float32(sum / weight)
}

// TestFilterAgainstPlainReference runs uneven frame times, dropped frames,
// gaps, Unknown stretches and a clip that starts over.
func TestFilterAgainstPlainReference(t *testing.T) {
	for _, f := range []Filter{{Box, 300 * ms}, {Gaussian, 300 * ms}, {Box, time.Second}, {Gaussian, 900 * ms}} {
		rng := rand.New(rand.NewPCG(1, 2))
		b := newBank(f, 2, 120)
		var first, second []sample
		now := 5 * time.Second
		for i := range 300 {
			switch rng.IntN(20) {
			case 0:
				now += time.Duration(rng.Float64() * 2.5 * float64(f.Window)) // stall, some longer than the window
			case 1:
				if i%3 == 0 {
					now -= 2 * time.Second // the clip starts over
				}
			default:
				now += time.Duration((5 + 40*rng.Float64()) * float64(ms))
			}
			row := []float32{rng.Float32(), rng.Float32()}
			if i/20%3 == 1 && rng.IntN(10) > 0 {
				row[0] = unknown
			}
			if len(first) > 0 && now < first[len(first)-1].at {
				first, second = nil, nil
			}
			first = append(first, sample{now, row[0]})
			second = append(second, sample{now, row[1]})
			b.step(now, row)
			for k, h := range [][]sample{first, second} {
				// The reference sums 4000 slices; each border between samples
				// may fall into one.
				if want := plainFilter(f, h); !same(row[k], want, 0.004) {
					t.Fatalf("%v frame %d level %d: got %v, want %v", f, i, k, row[k], want)
				}
			}
		}
	}
}

// TestFilterOfAStep holds what Rise promises against a step, at two frame rates.
func TestFilterOfAStep(t *testing.T) {
	for _, f := range []Filter{{Box, 400 * ms}, {Gaussian, 400 * ms}} {
		for _, period := range []time.Duration{10 * ms, 40 * ms} {
			b := newBank(f, 1, 120)
			reached := map[float32]time.Duration{}
			for now := time.Duration(0); now <= 3*time.Second; now += period {
				row := []float32{0}
				if now > time.Second {
					row[0] = 1
				}
				b.step(now, row)
				for _, share := range []float32{0.25, 0.5, 0.9} {
					if _, ok := reached[share]; !ok && row[0] >= share-1e-6 {
						reached[share] = now - time.Second
					}
				}
			}
			for share, got := range reached {
				want := f.Rise(float64(share))
				if got < want-ms || got > want+period {
					t.Errorf("%v at %v a frame: %g of a step after %v, Rise says %v", f, period, share, got, want)
				}
			}
			if len(reached) != 3 {
				t.Errorf("%v: reached %v", f, reached)
			}
		}
	}
	if (Filter{Kind: NoFilter}).Rise(0.5) != 0 {
		t.Error("no filter takes time")
	}
}

func TestFilterOfUnknown(t *testing.T) {
	b := newBank(Filter{Box, 200 * ms}, 1, 120)
	step := func(at time.Duration, level float32) float32 {
		row := []float32{level}
		b.step(at, row)
		return row[0]
	}
	for i, c := range []struct {
		at          time.Duration
		level, want float32
	}{
		{0, unknown, unknown},        // nothing known yet
		{50 * ms, 0.4, 0.4},          // an Unknown sample does not count
		{100 * ms, 0.6, 0.5},         // 50 ms of each
		{150 * ms, unknown, 0.5},     // bridged
		{290 * ms, unknown, 0.6},     // 0.4's time (0 to 50 ms) is past
		{300 * ms, unknown, unknown}, // and 0.6's (50 to 100 ms)
		{310 * ms, unknown, unknown}, // nothing known in the window
		{320 * ms, 0.9, 0.9},         // known again at once
		{900 * ms, 0.1, 0.1},         // a gap longer than the window: no memory
		{900 * ms, 0.3, 0.3},         // time that stands still: starts over
		{100 * ms, 0.7, 0.7},         // time that goes back: starts over
	} {
		if got := step(c.at, c.level); !same(got, c.want, 1e-6) {
			t.Errorf("step %d at %v: got %v, want %v", i, c.at, got, c.want)
		}
	}
}

func TestFilterRingKeepsTheNewest(t *testing.T) {
	b := newBank(Filter{Box, time.Second}, 1, 10) // holds 12 frames
	row := []float32{0}
	for i := range 100 { // at 100 frames a second
		row[0] = float32(i)
		b.step(time.Duration(i)*10*ms, row)
	}
	if want := float32(93.5); row[0] != want { // mean of 88..99
		t.Errorf("got %v, want %v", row[0], want)
	}
}

// plainPerclos sums the frames of the window by their definition.
func plainPerclos(window, known time.Duration, h []sample) float32 {
	first := len(h) - 1
	for first > 0 && h[first].at >= h[first-1].at && h[first].at-h[first-1].at <= window {
		first--
	}
	h = h[first:]
	now := h[len(h)-1].at
	var closed, sum time.Duration
	for k := 1; k < len(h); k++ {
		begin := max(h[k-1].at, h[k].at-longestHold, now-window)
		if d := h[k].at - begin; d > 0 && h[k].level == h[k].level {
			sum += d
			if h[k].level >= closedShare {
				closed += d
			}
		}
	}
	if sum < known || sum == 0 {
		return unknown
	}
	return float32(float64(closed) / float64(sum))
}

func TestPerclosAgainstPlainReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	p := newPerclos(10*time.Second, 4*time.Second)
	var h []sample
	now := time.Duration(0)
	level := float32(0)
	for i := range 4000 {
		switch rng.IntN(100) {
		case 0:
			now += time.Duration(rng.IntN(14000)) * ms
		case 1:
			if i%5 == 0 {
				now -= 3 * time.Second
				h = nil
			}
		default:
			now += time.Duration(rng.IntN(60)) * ms
		}
		if rng.IntN(12) == 0 {
			level = []float32{0, 0.79, 0.8, 1, unknown}[rng.IntN(5)]
		}
		h = append(h, sample{now, level})
		if got, want := p.step(now, level), plainPerclos(10*time.Second, 4*time.Second, h); !same(got, want, 1e-6) {
			t.Fatalf("step %d at %v: got %v, want %v", i, now, got, want)
		}
	}
}

// TestPerclosOfAMinute is the example of the definition: 9 of 60 seconds closed
// are 0.15, and Unknown seconds count on neither side.
func TestPerclosOfAMinute(t *testing.T) {
	p := newPerclos(time.Minute, 30*time.Second)
	var got float32
	run := func(seconds int, from *int, level float32) {
		for range seconds * 30 {
			*from++
			got = p.step(at(*from), level)
		}
	}
	frame := 0
	p.step(0, 0)
	run(29, &frame, 0)
	if got == got {
		t.Errorf("after 29 known seconds of 30: %v", got)
	}
	run(22, &frame, 0)
	run(9, &frame, 0.95)
	if !same(got, 9.0/60, 1e-5) {
		t.Errorf("9 of 60 seconds: %v", got)
	}
	run(15, &frame, unknown)
	if !same(got, 9.0/45, 1e-5) {
		t.Errorf("9 of 45 known seconds: %v", got)
	}
	run(16, &frame, unknown)
	if got == got {
		t.Errorf("29 known seconds: %v", got)
	}
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

func TestPainIndex(t *testing.T) {
	for _, c := range []struct{ brow, orbit, levator, closed, want float32 }{
		{0, 0, 0, 0, 0}, {1, 1, 1, 1, 16}, {0.2, 0.4, 0.6, 0.5, 6}, {0.2, 0.4, 0.6, 0.8, 7},
		{unknown, 1, 1, 1, unknown}, {1, 1, 1, unknown, unknown},
	} {
		if got := painIndex(c.brow, c.orbit, c.levator, c.closed); !same(got, c.want, 1e-5) {
			t.Errorf("%+v: got %v", c, got)
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
		if got, want := get(Pain), float32(5*(0.5+0.3+0.8)+1); !same(got, want, 1e-5) {
			t.Errorf("pain %v, want %v", got, want)
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
	for _, name := range []string{"au7", "au43", EyesClosed, Perclos, Pain} {
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
		compound.disgustedly_surprised compound.angrily_surprised compound.sadly_fearful compound.sadly_angry eyes_closed perclos pain`)
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
		"pain":         func(i Info) bool { return i.Max == 16 && i.From != "" },
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
	for _, name := range []string{"", "au", "au0", "au04", "au100", "aux", "compound.angrily_happy", "expression.", "expression.Neutral", "gaze"} {
		if in, ok := Describe(name); ok {
			t.Errorf("%q is taken: %+v", name, in)
		}
	}
}
