package tune

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

const second = time.Second

// sketch is a session with a level a tenth of a second, 0.1 but where given.
func sketch(name string, length time.Duration, level func(at time.Duration) float32, spans ...Span) *Session {
	s := &Session{Name: name, Spans: spans}
	for at := time.Duration(0); at <= length; at += 100 * time.Millisecond {
		s.At, s.Level = append(s.At, at), append(s.Level, level(at))
	}
	return s
}

func source(list ...*Session) Source {
	return func(yield func(*Session) error) error {
		for _, s := range list {
			c := *s
			c.Spans = append([]Span(nil), s.Spans...)
			if err := yield(&c); err != nil {
				return err
			}
		}
		return nil
	}
}

func within(at, from, to time.Duration) bool { return at >= from && at < to }

func options() Options {
	return Options{Signal: "au4", CostFalse: 10, CostMissed: 50, MostFalse: 5, Shift: 8 * time.Hour, Allow: 5 * second}
}

var half = Candidate{Limit: 0.5, Deadband: 0.1, OnDelay: second, OffDelay: 2 * second}

// What counts as false and as missed, as the package says it.
func TestWhatCounts(t *testing.T) {
	absent := func(from, to time.Duration) Span { return Span{from, to, false} }
	present := func(from, to time.Duration) Span { return Span{from, to, true} }
	up := func(from, to time.Duration) func(time.Duration) float32 {
		return func(at time.Duration) float32 {
			if within(at, from, to) {
				return 0.9
			}
			return 0.1
		}
	}
	// An alarm's condition is from 100 s to 104 s, but where told otherwise.
	for name, c := range map[string]struct {
		level         func(time.Duration) float32
		spans         []Span
		falses        float64 // of the session's 200 s
		missed        float64 // NaN: no true event is observed
		hours         float64 // of it, in seconds
		presentEvents float64
	}{
		"in absent time":                {up(100*second, 104*second), []Span{absent(0, 200*second)}, 1, math.NaN(), 200, 0},
		"not observed":                  {up(100*second, 104*second), []Span{absent(0, 90*second)}, 0, math.NaN(), 90, 0},
		"raised behind the absent time": {up(100*second, 104*second), []Span{absent(0, 100500*time.Millisecond)}, 0, math.NaN(), 100.5, 0},
		"right":                         {up(100*second, 104*second), []Span{absent(0, 99*second), present(99*second, 105*second), absent(105*second, 200*second)}, 0, 0, 200, 1},
		"a mark that is late":           {up(100*second, 104*second), []Span{absent(0, 108*second), present(108*second, 110*second), absent(110*second, 200*second)}, 0, 0, 200, 1},
		"a mark that is too late":       {up(100*second, 104*second), []Span{absent(0, 111*second), present(111*second, 113*second), absent(113*second, 200*second)}, 1, 1, 200, 1},
		"a mark that is too early":      {up(100*second, 104*second), []Span{absent(0, 92*second), present(92*second, 94*second), absent(94*second, 200*second)}, 1, 1, 200, 1},
		"too short for the delay":       {up(100*second, 100500*time.Millisecond), []Span{absent(0, 99*second), present(99*second, 105*second), absent(105*second, 200*second)}, 0, 1, 200, 1},
		"two events in one alarm":       {up(100*second, 110*second), []Span{present(101*second, 103*second), present(105*second, 107*second), absent(120*second, 200*second)}, 0, 0, 84, 2},
		"a face that cannot be read": {func(at time.Duration) float32 {
			return map[bool]float32{true: nan, false: 0.1}[within(at, 100*second, 110*second)]
		}, []Span{absent(0, 100*second), present(100*second, 110*second), absent(110*second, 200*second)}, 0, 1, 200, 1},
		"present before the first frame":  {up(100*second, 104*second), []Span{present(-20*second, -10*second), absent(0, 90*second)}, 0, math.NaN(), 90, 0},
		"present behind the last frame":   {up(100*second, 104*second), []Span{absent(0, 90*second), present(210*second, 220*second)}, 0, math.NaN(), 90, 0},
		"standing at the end":             {up(190*second, 300*second), []Span{absent(0, 200*second)}, 1, math.NaN(), 200, 0},
		"an alarm on its way to an event": {up(90*second, 104*second), []Span{absent(0, 99*second), present(99*second, 105*second), absent(105*second, 200*second)}, 0, 0, 200, 1},
	} {
		o := options()
		figures, events, err := Score(source(sketch("a", 200*second, c.level, c.spans...)), []Candidate{half}, o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		f := figures[0]
		shifts := c.hours / o.Shift.Seconds()
		if got := f.False.Value * shifts; math.Abs(got-c.falses) > 0.01 && !(c.presentEvents > 1) {
			t.Errorf("%s: %v false alarms, want %v", name, got, c.falses)
		}
		if got := f.Missed.Value; got != c.missed && !(math.IsNaN(got) && math.IsNaN(c.missed)) {
			t.Errorf("%s: %v of the events missed, want %v", name, got, c.missed)
		}
		if got := events.Value * shifts; c.presentEvents == 1 && math.Abs(got-1) > 0.01 {
			t.Errorf("%s: %v events, want 1", name, got)
		}
	}
}

// In a drill only the absent time is a shift's, and its events do not count for
// those of a shift; its missed ones do.
func TestDrillIsNoShift(t *testing.T) {
	level := func(at time.Duration) float32 {
		if within(at, 40*second, 60*second) || within(at, 10*second, 13*second) {
			return 0.9
		}
		return 0.1
	}
	drill := sketch("drill", 100*second, level, Span{0, 40 * second, false}, Span{40 * second, 60 * second, true}, Span{60 * second, 80 * second, false}, Span{80 * second, 100 * second, true})
	work := sketch("work", 1000*second, func(time.Duration) float32 { return 0.1 }, Span{0, 900 * second, false}, Span{900 * second, 910 * second, true}, Span{910 * second, 1000 * second, false})
	o := options()
	figures, events, err := Score(source(drill, work), []Candidate{half}, o)
	if err != nil {
		t.Fatal(err)
	}
	if want := 1 / (1060.0 / o.Shift.Seconds()); math.Abs(figures[0].False.Value/want-1) > 1e-6 {
		t.Errorf("%v false alarms a shift, want %v", figures[0].False.Value, want)
	}
	if want := 2.0 / 3; math.Abs(figures[0].Missed.Value-want) > 1e-9 {
		t.Errorf("%v missed, want %v", figures[0].Missed.Value, want)
	}
	if want := 1 / (1000.0 / o.Shift.Seconds()); math.Abs(events.Value/want-1) > 1e-6 {
		t.Errorf("%v events a shift, want %v", events.Value, want)
	}
}

// days are sessions of 2 h with true events at 0.8 and habits at 0.5, at random.
func days(n int, noise float64, events, habits int) []*Session {
	r := rand.New(rand.NewPCG(5, uint64(n)))
	var list []*Session
	for d := range n {
		const length = 7200
		kind := make([]int, length+20)
		place := func(k, long, count int) {
			for range count {
				from := r.IntN(length-100) + 10
				for i := range long {
					kind[from+i] = k
				}
			}
		}
		place(1, 10, habits) // as long as events: delays do not tell them apart
		place(2, 10, events)
		s := &Session{Name: string(rune('a' + d))}
		from := 0
		for at := range length {
			for _, part := range []time.Duration{0, 250, 500, 750} {
				s.At = append(s.At, time.Duration(at)*second+part*time.Millisecond)
				s.Level = append(s.Level, float32(0.2+[]float64{0, 0.3, 0.6}[kind[at]]+noise*r.NormFloat64()))
			}
			if at > 0 && (kind[at] == 2) != (kind[at-1] == 2) {
				s.Spans = append(s.Spans, Span{time.Duration(from) * second, time.Duration(at) * second, kind[at-1] == 2})
				from = at
			}
		}
		s.Spans = append(s.Spans, Span{time.Duration(from) * second, length * second, kind[length-1] == 2})
		list = append(list, s)
	}
	return list
}

// Where events and habits lie apart, the limit is in the middle between them, and a
// turned signal gives the same as a low limit.
func TestSearchFindsTheMiddle(t *testing.T) {
	list := days(10, 0.02, 6, 8)
	o := options()
	r, err := Search(source(list...), o)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Enough || r.Best.OnDelay > second || r.Best.Limit < 0.55 || r.Best.Limit > 0.75 || r.False.Value != 0 || r.Missed.Value != 0 || r.Sessions != 10 || len(r.BySession) != 10 || len(r.ByLimit) < 20 {
		t.Errorf("%+v: false %v, missed %v, %s", r.Best, r.False, r.Missed, r.Needs)
	}
	again, _ := Search(source(list...), o)
	if !reflect.DeepEqual(again, r) {
		t.Error("the same sessions gave another result")
	}
	var turned []*Session
	for _, s := range list {
		c := *s
		c.Level = nil
		for _, l := range s.Level {
			c.Level = append(c.Level, -l)
		}
		turned = append(turned, &c)
	}
	o.Below = true
	low, err := Search(source(turned...), o)
	if err != nil || low.Best.Limit != -r.Best.Limit || low.Best.OnDelay != r.Best.OnDelay || low.Cost != r.Cost || low.Side() != "low" {
		t.Errorf("%+v, %v, want %+v", low.Best, err, r.Best)
	}
}

// A session is scored by what was found on the others: one that is unlike them shows
// in the figures, although the alarm that is found on all knows it.
func TestScoredOnOthers(t *testing.T) {
	list := days(8, 0.02, 6, 8)
	odd := list[3]
	for i, l := range odd.Level { // somebody whose habits look like events
		if l > 0.4 && l < 0.6 {
			odd.Level[i] += 0.3
		}
	}
	o := options()
	o.MostFalse = 50
	r, err := Search(source(list...), o)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range r.BySession {
		if (i == 3) != (s.False > 0) {
			t.Errorf("session %s: %d false alarms", s.Name, s.False)
		}
	}
	if r.False.High < 3*r.False.Value {
		t.Errorf("all false alarms are in one of 8 sessions, and the interval is %+v", r.False)
	}
}

// An alarm that always stands misses nothing and is never raised: it is none.
func TestNoStandingAlarm(t *testing.T) {
	list := days(6, 0.15, 6, 20)
	o := options()
	o.CostMissed, o.MostFalse = 1e6, 1000
	r, err := Search(source(list...), o)
	if err != nil {
		t.Fatal(err)
	}
	f, _, err := Score(source(list...), []Candidate{r.Best, {Limit: -1, Deadband: 0.1, OffDelay: second}}, o)
	if err != nil {
		t.Fatal(err)
	}
	if always := f[1]; always.Missed.Value != 0 || r.Enough && r.Best.Limit < 0.3 {
		t.Errorf("found %+v; one that always stands has %+v", r.Best, always)
	}
}

// A filter helps where noise is what it costs.
func TestSearchTriesFilters(t *testing.T) {
	list := days(6, 0.25, 5, 0)
	o := options()
	o.MostFalse = 100
	plain, err := Search(source(list...), o)
	if err != nil {
		t.Fatal(err)
	}
	o.Windows = []time.Duration{0, 3 * second}
	filtered, err := Search(source(list...), o)
	if err != nil {
		t.Fatal(err)
	}
	chosen := 0
	for _, s := range filtered.BySession {
		if s.Chosen.Window == 3*second {
			chosen++
		}
	}
	if chosen < 4 || filtered.Cost.Value > plain.Cost.Value {
		t.Errorf("the filter was chosen in %d of 6; cost %v without, %v with", chosen, plain.Cost, filtered.Cost)
	}
}

func TestSearchNeeds(t *testing.T) {
	for name, c := range map[string]struct {
		list   []*Session
		change func(*Options)
		want   string
	}{
		"no session":    {nil, nil, "5 more true events"},
		"one session":   {days(1, 0.02, 6, 8), nil, "2 more sessions"},
		"no events":     {days(6, 0.02, 0, 8), nil, "5 more true events"},
		"few hours":     {days(4, 0.02, 6, 8), func(o *Options) { o.MostFalse = 0.5 }, "more hours are needed"},
		"only drills":   {days(4, 0.02, 300, 0), nil, "as a drill is"},
		"no difference": {days(6, 0, 0, 0), nil, "true events"},
		"frames too far apart": {days(4, 0.02, 6, 8), func(o *Options) { o.Stale = 100 * time.Millisecond },
			"frames closer together"},
	} {
		o := options()
		if c.change != nil {
			c.change(&o)
		}
		r, err := Search(source(c.list...), o)
		if err != nil || r.Enough || !strings.Contains(together(r.Needs), c.want) {
			t.Errorf("%s: %v, %q, want %q", name, err, r.Needs, c.want)
			continue
		}
		text, err := json.Marshal(r)
		if err != nil || !strings.Contains(string(text), `"limit":null`) || !strings.Contains(string(text), `"enough":false`) {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
}

func TestWrongSessions(t *testing.T) {
	good := days(2, 0.02, 6, 8)
	for name, c := range map[string]struct {
		s    *Session
		want string
	}{
		"twice":    {good[0], "comes twice"},
		"unsorted": {&Session{Name: "x", At: []time.Duration{2, 1}, Level: []float32{0, 0}}, "not in order"},
		"lengths":  {&Session{Name: "x", At: []time.Duration{2, 1}, Level: []float32{0}}, "2 times, 1 levels"},
		"overlap":  {&Session{Name: "x", Spans: []Span{{0, 2, true}, {1, 3, false}}}, "overlap"},
		"reversed": {&Session{Name: "x", Spans: []Span{{2, 1, true}}}, "ends before it begins"},
	} {
		if _, err := Search(source(append(good, c.s)...), options()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := errors.New("broken")
	if _, err := Search(func(func(*Session) error) error { return broken }, options()); !errors.Is(err, broken) {
		t.Error(err)
	}
}
