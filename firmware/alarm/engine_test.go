package alarm

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

const ms = time.Millisecond

var wall0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// feed gives levels of the signal "s" every 100 ms, from at on, and gathers
// the events. NaN is Unknown.
func feed(e *Engine, at *time.Duration, n int, level float32) []Event {
	var all []Event
	for range n {
		*at += 100 * ms
		all = append(all, e.Step(Reading{At: *at, Wall: wall0.Add(*at), Sequence: uint64(*at / (100 * ms)), Levels: []float32{level, 0}, Reason: "no face"})...)
	}
	return all
}

func triggersOf(events []Event) string {
	var s []string
	for _, e := range events {
		s = append(s, e.Trigger.String())
	}
	return strings.Join(s, " ")
}

func TestDelaysAndDeadband(t *testing.T) {
	unknown := float32(math.NaN())
	type stretch struct {
		n     int
		level float32
		want  string
	}
	for name, c := range map[string]struct {
		d         Definition
		stretches []stretch
	}{
		"at the limit counts":           {Definition{}, []stretch{{1, 0.5, "raise"}, {1, 0.49, "clear"}}},
		"on-delay":                      {Definition{OnDelay: 500 * ms}, []stretch{{5, 0.6, ""}, {1, 0.6, "raise"}}},
		"on-delay starts again":         {Definition{OnDelay: 500 * ms}, []stretch{{5, 0.6, ""}, {1, 0.4, ""}, {5, 0.6, ""}, {1, 0.6, "raise"}}},
		"off-delay":                     {Definition{OffDelay: 500 * ms}, []stretch{{1, 0.6, "raise"}, {5, 0.4, ""}, {1, 0.4, "clear"}}},
		"off-delay starts again":        {Definition{OffDelay: 500 * ms}, []stretch{{1, 0.6, "raise"}, {5, 0.4, ""}, {1, 0.6, ""}, {5, 0.4, ""}, {1, 0.4, "clear"}}},
		"deadband keeps":                {Definition{Conditions: []Condition{{Signal: "s", Limit: 0.5, Deadband: 0.2}}}, []stretch{{1, 0.5, "raise"}, {9, 0.31, ""}, {1, 0.29, "clear"}, {9, 0.49, ""}}},
		"deadband of a low limit":       {Definition{Conditions: []Condition{{Signal: "s", Side: Below, Limit: 0.5, Deadband: 0.2}}}, []stretch{{1, 0.5, "raise"}, {9, 0.69, ""}, {1, 0.71, "clear"}, {9, 0.51, ""}}},
		"Unknown never raises":          {Definition{UnknownHold: time.Hour}, []stretch{{100, unknown, ""}}},
		"Unknown never clears":          {Definition{UnknownHold: time.Hour}, []stretch{{1, 0.6, "raise"}, {1000, unknown, ""}, {1, 0.4, "clear"}}},
		"Unknown pauses the on-delay":   {Definition{OnDelay: 500 * ms, UnknownHold: time.Hour}, []stretch{{4, 0.6, ""}, {100, unknown, ""}, {1, 0.6, ""}, {1, 0.6, ""}, {1, 0.6, "raise"}}},
		"Unknown pauses the off-delay":  {Definition{OffDelay: 300 * ms, UnknownHold: time.Hour}, []stretch{{1, 0.6, "raise"}, {2, 0.4, ""}, {100, unknown, ""}, {1, 0.4, ""}, {1, 0.4, ""}, {1, 0.4, "clear"}}},
		"declared Unknown starts again": {Definition{OnDelay: 700 * ms, UnknownHold: time.Second}, []stretch{{4, 0.6, ""}, {9, unknown, ""}, {1, unknown, "lose reading"}, {7, 0.6, ""}, {1, 0.6, "regain reading raise"}}},
		"a long delay is regained":      {Definition{OnDelay: 5 * time.Second, UnknownHold: 2 * time.Second}, []stretch{{21, unknown, "lose reading"}, {20, 0.6, ""}, {1, 0.6, "regain reading"}, {29, 0.6, ""}, {1, 0.6, "raise"}}},
		"Unknown is declared once":      {Definition{UnknownHold: time.Second}, []stretch{{10, unknown, ""}, {1, unknown, "lose reading"}, {100, unknown, ""}, {5, 0.1, ""}, {1, 0.1, "regain reading"}}},
		"what is judged is regained":    {Definition{UnknownHold: time.Second}, []stretch{{11, unknown, "lose reading"}, {1, 0.6, "regain reading raise"}}},
		"a long hold is regained too":   {Definition{UnknownHold: time.Minute}, []stretch{{700, unknown, "lose reading"}, {10, 0.1, ""}, {1, 0.1, "regain reading"}}},
		"Unknown adds up":               {Definition{UnknownHold: time.Second}, []stretch{{1, 0.1, ""}, {6, unknown, ""}, {4, 0.1, ""}, {5, unknown, ""}, {1, unknown, "lose reading"}}},
		"no hold at all":                {Definition{}, []stretch{{1, unknown, "lose reading"}, {1, 0.6, "regain reading raise"}}},
		"infinite is Unknown":           {Definition{UnknownHold: time.Hour}, []stretch{{10, float32(math.Inf(1)), ""}, {10, float32(math.Inf(-1)), ""}}},
		"latching needs ack and reset":  {Definition{Latch: true}, []stretch{{1, 0.6, "raise"}, {1, 0.1, "clear"}, {50, 0.1, ""}}},
		"no levels at all is Unknown":   {Definition{UnknownHold: time.Hour, Conditions: []Condition{{Signal: "t", Limit: -1}}}, []stretch{{1, 0, "raise"}}},
		"both delays, one after other":  {Definition{OnDelay: 200 * ms, OffDelay: 200 * ms}, []stretch{{2, 0.6, ""}, {1, 0.6, "raise"}, {2, 0.1, ""}, {1, 0.1, "clear"}}},
		"chattering shorter than delay": {Definition{OnDelay: 200 * ms}, []stretch{{2, 0.6, ""}, {1, 0.1, ""}, {2, 0.6, ""}, {1, 0.1, ""}, {2, 0.6, ""}}},
	} {
		e := one(t, c.d)
		var at time.Duration
		for i, s := range c.stretches {
			if got := triggersOf(feed(e, &at, s.n, s.level)); got != s.want {
				t.Errorf("%s: stretch %d: %q, want %q", name, i, got, s.want)
			}
		}
	}
}

func TestGapCountsAsUnknown(t *testing.T) {
	e := one(t, Definition{OnDelay: 2 * time.Second, UnknownHold: 5 * time.Second})
	step := func(at time.Duration, level float32) string {
		return triggersOf(e.Step(Reading{At: at, Wall: wall0, Levels: []float32{level}}))
	}
	for _, s := range []struct {
		at   time.Duration
		want string
	}{
		{0, ""}, {900 * ms, ""}, {3 * time.Second, ""}, // a gap of 2.1 s is not counted
		{4 * time.Second, ""}, {4100 * ms, "raise"}, // 0.9 + 1.0 + 0.1
	} {
		if got := step(s.at, 0.6); got != s.want {
			t.Errorf("at %v: %q, want %q", s.at, got, s.want)
		}
	}
	// A gap longer than the hold starts a delay again.
	e = one(t, Definition{OnDelay: time.Second, UnknownHold: 5 * time.Second})
	step(0, 0.6)
	step(900*ms, 0.6)
	if got := step(10*time.Second, 0.6) + step(10900*ms, 0.6); got != "lose reading" {
		t.Errorf("over a gap: %q", got)
	}
	if got := step(11*time.Second, 0.6); got != "regain reading raise" {
		t.Errorf("%q, want raise", got)
	}
	// A clock that goes back counts nothing, and nothing breaks.
	e = one(t, Definition{OnDelay: time.Second})
	step(10*time.Second, 0.6)
	if got := step(5*time.Second, 0.6) + step(10*time.Second, 0.6) + step(10900*ms, 0.6); got != "" {
		t.Errorf("clock back: %q", got)
	}
	if got := step(11*time.Second, 0.6); got != "raise" {
		t.Errorf("after clock back: %q, want raise", got)
	}
}

// The wall clock may jump as it likes.
func TestWallClockDoesNotCount(t *testing.T) {
	e := one(t, Definition{OnDelay: time.Second, MaxShelve: time.Hour})
	jumps := []time.Duration{0, time.Hour, -time.Hour, 100 * 365 * 24 * time.Hour}
	raised := 0
	for i := range 40 {
		at := time.Duration(i) * 100 * ms
		for _, ev := range e.Step(Reading{At: at, Wall: wall0.Add(at + jumps[i%len(jumps)]), Levels: []float32{0.9}}) {
			if ev.Trigger == Raise && ev.At == time.Second {
				raised++
			}
		}
		if i == 20 {
			e.Do(Command{Do: Shelve, Alarm: "a", For: time.Second, At: at})
		}
		if want := i >= 20 && i < 30; (e.Status(0).State == Shelved) != want {
			t.Errorf("step %d: %v", i, e.Status(0).State)
		}
	}
	if raised != 1 {
		t.Errorf("raised %d times", raised)
	}
}

func TestThreeValuedLogic(t *testing.T) {
	u := float32(math.NaN())
	for _, c := range []struct {
		match Match
		a, b  float32
		want  truth
	}{
		{All, 1, 1, yes}, {All, 1, 0, no}, {All, 0, 0, no}, {All, 1, u, unknown}, {All, 0, u, no}, {All, u, u, unknown},
		{Any, 1, 1, yes}, {Any, 1, 0, yes}, {Any, 0, 0, no}, {Any, 1, u, yes}, {Any, 0, u, unknown}, {Any, u, u, unknown},
	} {
		for _, swap := range []bool{false, true} {
			levels := []float32{c.a, c.b}
			if swap {
				levels = []float32{c.b, c.a}
			}
			e := one(t, Definition{Match: c.match, Conditions: []Condition{{Signal: "s", Limit: 0.5}, {Signal: "t", Limit: 0.5}}})
			it := e.items[0]
			if got := it.evaluate(it.def, it.signal, levels); got != c.want {
				t.Errorf("%v of %v: %d, want %d", c.match, levels, got, c.want)
			}
		}
	}
}

func TestExplanation(t *testing.T) {
	e := one(t, Definition{OnDelay: 500 * ms, Match: Any, Conditions: []Condition{{Signal: "s", Limit: 0.5, Deadband: 0.1}, {Signal: "t", Limit: 0.5}}})
	var at time.Duration
	feed(e, &at, 3, 0.2)
	events := feed(e, &at, 6, 0.75)
	if len(events) != 1 {
		t.Fatal(events)
	}
	w := events[0].Why
	if w.Signal != "s" || w.Condition != 0 || w.Level != 0.75 || w.Limit != 0.5 || w.Over != 0.25 || w.For != 500*ms || w.First != 4 || w.Last != 9 || w.Side != Above {
		t.Errorf("raise: %+v", w)
	}
	feed(e, &at, 11, 0.75)
	events = feed(e, &at, 1, 0.25)
	if len(events) != 1 {
		t.Fatal(events)
	}
	if w := events[0].Why; w.Signal != "t" && w.Signal != "s" || w.Side != Below || w.For != 1600*ms || w.First != 21 || w.Last != 21 || w.Over <= 0 {
		t.Errorf("clear: %+v", w)
	}
	if text := events[0].String(); !strings.Contains(text, "unacknowledged -> returned unacknowledged") || !strings.Contains(text, "below") {
		t.Error(text)
	}
	if s := e.Status(0); s.Count != 1 || s.Level != 0.25 && s.Level != 0 {
		t.Errorf("%+v", s)
	}
	// How long it was present leaves out Unknown time and the off-delay.
	e = one(t, Definition{OffDelay: 500 * ms, UnknownHold: time.Hour})
	at = 0
	feed(e, &at, 11, 0.75)
	feed(e, &at, 10, nan)
	feed(e, &at, 11, 0.75)
	if events = feed(e, &at, 6, 0.25); len(events) != 1 || events[0].Why.For != 2*time.Second {
		t.Errorf("%v", events)
	}
	// Where all must agree, the one nearest its limit decided.
	e = one(t, Definition{Conditions: []Condition{{Signal: "s", Limit: 0.5}, {Signal: "t", Limit: 0.5}}})
	events = e.Step(Reading{Levels: []float32{0.9, 0.6}})
	if len(events) != 1 || events[0].Why.Signal != "t" {
		t.Error(events)
	}
}

func TestFirstOutHornLampSilence(t *testing.T) {
	defs := []Definition{
		{Name: "low", Priority: Low, Conditions: []Condition{{Signal: "s", Limit: 0.5}}, Horn: true, Lamp: true},
		{Name: "high", Priority: High, Conditions: []Condition{{Signal: "t", Limit: 0.5}}, Horn: true, Lamp: true},
		{Name: "quiet", Priority: Critical, Conditions: []Condition{{Signal: "s", Limit: 0.9}}},
	}
	e, err := New(defs, []string{"s", "t"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	step := func(s, t float32) { e.Step(Reading{At: e.now + 100*ms, Levels: []float32{s, t}}) }
	want := func(what string, first int, horn, lamp, active uint64) {
		t.Helper()
		s := e.Summary()
		if s.FirstOut != first || s.Horn != horn || s.Lamp != lamp || s.Active != active {
			t.Errorf("%s: first-out %d, horn %b, lamp %b, active %b; want %d %b %b %b", what, s.FirstOut, s.Horn, s.Lamp, s.Active, first, horn, lamp, active)
		}
	}
	step(0, 0)
	want("start", -1, 0, 0, 0)
	step(0.6, 0)
	want("low", 0, 1, 1, 1)
	step(0.95, 0.6)
	want("all", 0, 3, 3, 7)
	e.Do(Command{Do: Silence})
	want("silenced", 0, 0, 3, 7)
	if s := e.Summary(); s.Silenced != 7 || s.Unacknowledged != 7 {
		t.Errorf("silencing is not acknowledging: %+v", s)
	}
	for i := range e.Len() {
		if !e.Status(i).Silenced {
			t.Errorf("alarm %d is not silenced", i)
		}
	}
	step(0.95, 0)
	want("high returns unacknowledged: the lamp stays, silence too", 0, 0, 3, 5)
	step(0.95, 0.6)
	want("high comes again: the horn too", 0, 2, 3, 7)
	if got := e.Summary().Light(7); got != LampBlink {
		t.Error(got)
	}
	if e.Priority(High) != 6 || e.Priority(Low) != 7 || e.Priority(Critical) != 4 {
		t.Error("priority masks")
	}
	e.Do(Command{Do: Acknowledge})
	want("acknowledged", -1, 0, 3, 7)
	for i := range e.Len() { // nothing is left to sound
		if e.Status(i).Silenced {
			t.Errorf("alarm %d is acknowledged and silenced", i)
		}
	}
	if got := e.Summary().Light(7); got != LampSteady {
		t.Error(got)
	}
	step(0, 0)
	want("gone", -1, 0, 0, 0)
	step(0.6, 0.6)
	want("at once: the more urgent is first", 1, 3, 3, 3)
}

func TestSuppression(t *testing.T) {
	e, err := New([]Definition{
		{Name: "effect", Conditions: []Condition{{Signal: "s", Limit: 0.5}}, SuppressBy: []string{"cause"}, MaxShelve: time.Hour},
		{Name: "cause", Conditions: []Condition{{Signal: "t", Limit: 0.5}}},
	}, []string{"s", "t"}, Options{MaxInhibit: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	step := func(s, t float32) string {
		return triggersOf(e.Step(Reading{At: e.now + 100*ms, Levels: []float32{s, t}}))
	}
	state := func(want State) {
		t.Helper()
		if got := e.Status(0).State; got != want {
			t.Errorf("effect is %v, want %v", got, want)
		}
	}
	if got := step(0.6, 0.6); got != "suppress raise raise" { // the first raise is held back
		t.Error(got)
	}
	state(SuppressedByDesign)
	if got := step(0.6, 0.1); got != "unsuppress raise clear" {
		t.Error(got)
	}
	state(Unacknowledged)
	if step(0.6, 0.9); e.Status(0).Life != Unacknowledged {
		t.Error("what is unacknowledged must stay so beneath")
	}
	state(SuppressedByDesign)
	if got, err := e.Do(Command{Do: TakeOut, Alarm: "cause", Text: "sensor being replaced"}); err != nil || triggersOf(got) != "take out unsuppress" {
		t.Error(got, err)
	}
	state(Unacknowledged) // out of service, it suppresses nothing
	e.Do(Command{Do: PutBack, Alarm: "cause"})
	state(SuppressedByDesign)
	e.Do(Command{Do: Shelve, Alarm: "effect", For: time.Minute, At: e.now})
	state(Shelved)
	step(0.1, 0.1)
	state(Shelved)
	e.Do(Command{Do: Unshelve})
	state(ReturnedUnacknowledged)
	e.Do(Command{Do: Acknowledge})
	state(Normal)

	if _, err := e.Do(Command{Do: Inhibit, For: 2 * time.Minute, Who: "input key"}); err != nil {
		t.Fatal(err)
	}
	if s := e.Summary(); !s.Inhibited || s.InhibitLeft != time.Minute || s.Covered != 3 {
		t.Errorf("%+v", s)
	}
	step(0.9, 0.1)
	state(SuppressedByDesign)
	for range 700 {
		step(0.9, 0.1)
	}
	state(Unacknowledged) // the inhibit ended by itself after its longest time
	if e.Summary().Inhibited {
		t.Error("still inhibited")
	}
	e.Do(Command{Do: Inhibit, For: time.Minute})
	state(SuppressedByDesign)
	e.Do(Command{Do: Uninhibit})
	state(Unacknowledged)
}

// A covered alarm whose condition came and is Unknown as the cover goes is
// raised only by a reading that says so.
func TestHeldBackWaitsForAReading(t *testing.T) {
	e := one(t, Definition{MaxShelve: time.Hour, UnknownHold: time.Hour})
	var at time.Duration
	feed(e, &at, 1, 0.1)
	e.Do(Command{Do: Shelve, Alarm: "a", For: time.Minute, At: at})
	if got := feed(e, &at, 3, 0.9); len(got) != 1 || got[0].Trigger != Raise || got[0].To != Shelved || got[0].Cause != "held back: shelved" {
		t.Fatal(got)
	}
	feed(e, &at, 3, nan)
	if got, err := e.Do(Command{Do: Unshelve, Alarm: "a", At: at}); err != nil || triggersOf(got) != "unshelve" {
		t.Error(got, err)
	}
	if got := feed(e, &at, 10, nan); len(got) != 0 {
		t.Error("raised by Unknown:", got)
	}
	if got := feed(e, &at, 1, 0.9); triggersOf(got) != "raise" || got[0].Why.First != 2 || got[0].Why.Last != uint64(at/(100*ms)) {
		t.Error(got)
	}
}

func TestDefinitionsAreChecked(t *testing.T) {
	ok := Condition{Signal: "s", Limit: 0.5}
	inf := float32(math.Inf(1))
	many := make([]Definition, MaxAlarms+1)
	for i := range many {
		many[i] = Definition{Name: strings.Repeat("x", i+1), Conditions: []Condition{ok}}
	}
	for want, defs := range map[string][]Definition{
		"has no name":       {{Conditions: []Condition{ok}}},
		"defined twice":     {{Name: "a", Conditions: []Condition{ok}}, {Name: "a", Conditions: []Condition{ok}}},
		"no condition":      {{Name: "a"}},
		"not one of":        {{Name: "a", Conditions: []Condition{{Signal: "q"}}}},
		"limit is not":      {{Name: "a", Conditions: []Condition{{Signal: "s", Limit: inf}}}},
		"deadband is not":   {{Name: "a", Conditions: []Condition{{Signal: "s", Deadband: -1}}}},
		"on-delay":          {{Name: "a", Conditions: []Condition{ok}, OnDelay: -1}},
		"off-delay":         {{Name: "a", Conditions: []Condition{ok}, OffDelay: 25 * time.Hour}},
		"negative":          {{Name: "a", Conditions: []Condition{ok}, UnknownHold: -1}},
		"priority 7":        {{Name: "a", Conditions: []Condition{ok}, Priority: 7}},
		"not an alarm":      {{Name: "a", Conditions: []Condition{ok}, SuppressBy: []string{"b"}}},
		"suppress each":     {{Name: "a", Conditions: []Condition{ok}, SuppressBy: []string{"b"}}, {Name: "b", Conditions: []Condition{ok}, SuppressBy: []string{"a"}}},
		"at most 48":        many,
		"a <- a":            {{Name: "a", Conditions: []Condition{ok}, SuppressBy: []string{"a"}}},
		"suppressed by \"c": {{Name: "a", Conditions: []Condition{ok}, SuppressBy: []string{"c"}}},
	} {
		if _, err := New(defs, []string{"s"}, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	if _, err := New(many[:MaxAlarms], []string{"s"}, Options{}); err != nil {
		t.Error(err)
	}
}

func TestHotPathAllocatesNothing(t *testing.T) {
	defs := make([]Definition, 16)
	for i := range defs {
		defs[i] = Definition{Name: strings.Repeat("x", i+1), Conditions: []Condition{{Signal: "s", Limit: 0.5, Deadband: 0.1}, {Signal: "t", Limit: 0.5}}, Match: Any,
			UnknownHold: 200 * ms, Horn: true, Latch: i%2 == 0, OffDelay: 100 * ms}
	}
	e, err := New(defs, []string{"s", "t"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	levels := []float32{0, 0}
	at := time.Duration(0)
	step := func() {
		at += 33 * ms
		e.Step(Reading{At: at, Wall: wall0, Levels: levels, Reason: "no face"})
		e.Summary()
	}
	if n := testing.AllocsPerRun(1000, step); n != 0 {
		t.Errorf("%v allocations a quiet step", n)
	}
	// Alarms that come and go, readings that are lost, commands: once the
	// lists have their size, nothing either.
	events := 0
	busy := func() {
		for i := range 30 {
			levels[0] = float32(i%10) / 10
			if i > 20 {
				levels[0] = nan
				levels[1] = nan
			} else {
				levels[1] = 0
			}
			at += 33 * ms
			events += len(e.Step(Reading{At: at, Wall: wall0, Levels: levels, Reason: "no face"}))
		}
		ev, _ := e.Do(Command{Do: Acknowledge, Who: "input ack", At: at, Wall: wall0})
		events += len(ev)
		ev, _ = e.Do(Command{Do: Reset, Who: "input reset", At: at, Wall: wall0})
		events += len(ev)
	}
	busy()
	if n := testing.AllocsPerRun(100, busy); n != 0 {
		t.Errorf("%v allocations a busy round", n)
	}
	if events < 1000 {
		t.Errorf("only %d events: not busy", events)
	}
	var saved Saved
	e.Save(&saved)
	if n := testing.AllocsPerRun(100, func() { e.Save(&saved) }); n != 0 {
		t.Errorf("%v allocations a save", n)
	}
}

func TestErrorsCanBeToldApart(t *testing.T) {
	e := one(t, Definition{MaxShelve: time.Minute})
	for _, c := range []struct {
		c    Command
		want error
	}{
		{Command{Do: Acknowledge, Alarm: "b"}, ErrNoAlarm},
		{Command{Do: Acknowledge, Alarm: "a"}, ErrRefused},
		{Command{Do: Reset, Alarm: "a"}, ErrRefused},
		{Command{Do: Shelve, Alarm: "a"}, ErrInvalid},
		{Command{Do: Shelve, For: time.Second}, ErrInvalid},
		{Command{Do: Unshelve, Alarm: "a"}, ErrRefused},
		{Command{Do: PutBack, Alarm: "a"}, ErrRefused},
		{Command{Do: Silence, Alarm: "a"}, ErrRefused},
		{Command{Do: Inhibit}, ErrInvalid},
		{Command{Do: Uninhibit}, ErrRefused},
		{Command{Do: SetLimits, Alarm: "a", Limits: Limits{Limit: 0.4}}, ErrLocked},
		{Command{Do: Raise, Alarm: "a"}, ErrInvalid},
		{Command{Do: Suppress, Alarm: "a"}, ErrInvalid},
		{Command{Do: Note}, ErrInvalid},
		{Command{Do: 200}, ErrInvalid},
	} {
		events, err := e.Do(c.c)
		if !errors.Is(err, c.want) {
			t.Errorf("%v: %v, want %v", c.c.Do, err, c.want)
		}
		if c.c.Do == 200 {
			c.c.Do = Note
		}
		if len(events) != 1 || !events[0].Refused || events[0].Cause == "" || events[0].Trigger != c.c.Do {
			t.Errorf("%v: journal has %v", c.c.Do, events)
		}
	}
	// For all: finding none is no error, and still in the journal.
	for _, do := range []Trigger{Acknowledge, Reset, Silence, Unshelve} {
		if events, err := e.Do(Command{Do: do, Who: "x"}); err != nil || len(events) != 1 || events[0].Refused || events[0].Who != "x" {
			t.Errorf("%v: %v %v", do, events, err)
		}
	}
}

// A private engine tells of what an alarm does, and not of when its reading was
// lost: the events of an absence are those that it would have without one.
func TestPrivateEngineTellsNoAbsence(t *testing.T) {
	for _, private := range []bool{false, true} {
		e, err := New([]Definition{{Name: "a", Conditions: []Condition{{Signal: "s", Limit: 0.5}}, UnknownHold: time.Second}}, []string{"s"}, Options{Private: private})
		if err != nil {
			t.Fatal(err)
		}
		told := map[Trigger]int{}
		for at := time.Duration(0); at < 10*time.Second; at += 100 * ms {
			level := float32(0.9)
			if at > 2*time.Second && at < 5*time.Second {
				level = nan
			}
			if at == 4*time.Second && !e.Status(0).Unknown {
				t.Error("not Unknown")
			}
			for _, ev := range e.Step(Reading{At: at, Levels: []float32{level}}) {
				told[ev.Trigger]++
			}
		}
		if told[Raise] != 1 || told[Clear] != 0 || (told[LoseReading] == 0) != private || (told[RegainReading] == 0) != private {
			t.Errorf("private %v: %v", private, told)
		}
	}
}
