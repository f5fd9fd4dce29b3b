package report

import (
	"fmt"
	"html/template"
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/pilot"
	"mien/firmware/pilot/tune"
	"mien/firmware/state"
	"mien/model/face"
)

func TestEveryTextIsInEachLanguage(t *testing.T) {
	for key, text := range texts {
		for i, l := range Languages {
			if text[i] == "" {
				t.Errorf("%s has no text in %s", key, l)
			}
		}
	}
	for r := face.Good + 1; ; r++ {
		text := r.String()
		if text == fmt.Sprintf("reason %d", int(r)) {
			break
		}
		if reasonsJa[text] == "" {
			t.Errorf("%q has no text in Japanese", text)
		}
	}
	if _, err := language("de"); err == nil || !strings.Contains(err.Error(), "ja") {
		t.Errorf("another language: %v", err)
	}
}

// What the search says is there in each language, with the same values.
func TestSentencesInEachLanguage(t *testing.T) {
	verb, placed := regexp.MustCompile(`%[^%\s]*?[dvgf]`), regexp.MustCompile(`%[.\d]*\[(\d)\]`)
	for s := range tune.Sentences {
		want := len(verb.FindAllString(strings.ReplaceAll(s.Format(), "%%", ""), -1))
		places := map[string]bool{}
		for _, m := range placed.FindAllStringSubmatch(sentencesJa[s], -1) {
			places[m[1]] = true
		}
		said := tune.Said{Sentence: s}
		for _, v := range verb.FindAllString(strings.ReplaceAll(s.Format(), "%%", ""), -1) {
			said.Values = append(said.Values, map[byte]any{'d': 7, 'v': time.Second, 'g': 1.5, 'f': 250.}[v[len(v)-1]])
		}
		for lang := range Languages {
			if text := tell(said, lang); strings.Contains(text, "%!") {
				t.Errorf("%q", text)
			}
		}
		if sentencesJa[s] == "" || len(places) != want {
			t.Errorf("%q has %d values, %q has %d", s.Format(), want, sentencesJa[s], len(places))
		}
	}
	o := tune.Options{Signal: "au4", CostFalse: 1, CostMissed: 10, MostFalse: 1, Shift: 8 * time.Hour}
	r, err := tune.Search(func(func(*tune.Session) error) error { return nil }, o)
	if err != nil || len(r.Needs) < 2 {
		t.Fatal(r, err)
	}
	for _, n := range r.Needs {
		if ja := tell(n, 1); strings.Contains(ja, "%!") || ja == n.String() {
			t.Errorf("%q is %q", n, ja)
		}
	}
}

// Each alarm without a yearly figure says why, and what would help.
func TestNoYear(t *testing.T) {
	parts := []part{{Name: "two", Several: true}, {Name: "quiet", Nothing: true}, {Name: "new", result: &tune.Result{}}, {Name: "found", result: &tune.Result{Enough: true}}}
	r := &writer{gathered: scene().gathered, parts: parts}
	if got := r.noYears(); len(got) != 1 || !strings.Contains(got[0].Value, "-shifts-per-year") {
		t.Errorf("without shifts: %v", got)
	}
	r.Shifts = 660
	got := r.noYears()
	if len(got) != 3 || !strings.Contains(got[0].Value, "several conditions") || !strings.Contains(got[1].Value, "mien mark") || !strings.Contains(got[2].Value, "no limit is recommended") {
		t.Errorf("%v", got)
	}
	if years := r.years(); len(years) != 1 || years[0].Alarm != "found" {
		t.Errorf("%v", years)
	}
}

func TestGroupsDiffer(t *testing.T) {
	of := func(hours float64, falses int) *group {
		return &group{read: time.Duration(hours * float64(time.Hour)), falses: falses}
	}
	// Pearson's chi-square of 30 and 10 against 20 and 20 is 10, of one degree of freedom.
	if p := differ([]*group{of(40, 30), of(40, 10)}); math.Abs(p-0.001565) > 1e-6 {
		t.Errorf("30 and 10 false alarms in the same time: p %v, should be .001565", p)
	}
	if p := differ([]*group{of(60, 30), of(20, 10)}); p < 0.999 {
		t.Errorf("the same rates: p %v", p)
	}
	for name, groups := range map[string][]*group{"no group": nil, "no false alarm": {of(1, 0), of(2, 0)}, "one group": {of(1, 9)}, "no time": {of(0, 1)}} {
		if p := differ(groups); p != 1 {
			t.Errorf("%s: p %v, should be 1", name, p)
		}
	}
}

// scene plays two shifts of a pilot: in the second one the light is low, and alarms
// are false.
func scene() *gatherer {
	g := &gatherer{gathered: &gathered{reasons: map[string]time.Duration{}, groups: map[string][]*group{}}, shifts: map[string]*group{},
		covers: map[string]*group{}, tags: map[string]*group{}, open: map[string]*raised{}, missed: map[string]int{}, drillEnds: map[string]state.DrillState{"1": state.DrillEnded, "2": state.DrillBroken},
		o: Options{Export: pilot.Export{Shift: 8 * time.Hour, Begins: 6 * time.Hour, In: time.UTC}}}
	nan := float32(math.NaN())
	def := alarm.Definition{Name: "brow <b>", Conditions: []alarm.Condition{{Signal: "au4", Limit: .6, Deadband: .1}}}
	two := alarm.Definition{Name: "two", Conditions: []alarm.Condition{{Signal: "au4"}, {Signal: "au9"}}}
	b := &pilot.Beginning{Unit: "press 4", Purpose: "find <limits>", Run: "a", Begun: time.Date(2026, 11, 30, 6, 0, 0, 0, time.UTC),
		Alarms: pilot.AlarmSettings{Signals: []string{"au4", "eyes_closed", "au25"}, Definitions: []alarm.Definition{def, two}}}
	g.begin(b)
	event, number := uint64(0), uint64(0)
	for s := range 16 * 3600 {
		now := time.Duration(s) * time.Second
		f := &pilot.Frame{Eye: true, Result: true, Now: now, Trusted: true, Light: 120}
		if s >= 8*3600 {
			f.Light = 40
		}
		if s == 12*3600 {
			later := *b
			later.Tag = "product <B>"
			later.Begun, later.Now = b.Begun.Add(now), now
			g.begin(&later)
		}
		if s%10 == 0 {
			f.Reason = face.Missing
		}
		levels := []float32{.2, .1, .3}
		if s%10 == 1 {
			levels[2] = nan
		}
		g.frame(f, levels)
		every, truth := 4*3600, state.Right
		if s >= 8*3600 {
			every, truth = 900, state.False
		}
		if s%every == 600 {
			event++
			number++
			g.event(alarm.Event{Number: event, At: now, Trigger: alarm.Raise, Alarm: def.Name}, false)
			g.event(alarm.Event{Number: event, At: now, Trigger: alarm.Raise, Alarm: def.Name}, true) // computed again
			g.event(alarm.Event{Number: event + 1000, At: now + time.Minute, Trigger: alarm.Clear, Alarm: def.Name}, false)
			g.mark(pilot.Mark{Number: number, Truth: truth, Alarm: def.Name, Event: event, From: now, To: now + time.Minute, Shows: []pilot.Shown{{Signal: "au4", Present: truth == state.Right}}})
		}
	}
	g.mark(pilot.Mark{Number: number + 1, Truth: state.Withdrawn, Of: number})
	shown := []pilot.Shown{{Signal: "au4", Present: true}}
	g.mark(pilot.Mark{Number: number + 2, Truth: state.Missed, Alarm: def.Name, From: 5 * time.Second, To: 9 * time.Second, Shows: shown})
	g.mark(pilot.Mark{Number: number + 3, Truth: state.Missed, At: time.Hour})                                                                        // of which alarm
	g.mark(pilot.Mark{Number: number + 4, Truth: state.Right, Alarm: "two", Event: 999})                                                              // of which condition
	g.mark(pilot.Mark{Number: number + 5, Truth: state.Missed, Alarm: "other", From: 8*time.Hour + 600*time.Second, To: 9 * time.Hour, Shows: shown}) // where false ones are
	g.finish()
	return g
}

func TestGather(t *testing.T) {
	g := scene()
	a := g.alarms[0]
	if a.raised != 34 || a.right != 2 || a.falses != 31 || a.not != 1 || a.missed != 1 {
		t.Errorf("raised %d, right %d, false %d, without a mark %d, missed %d", a.raised, a.right, a.falses, a.not, a.missed)
	}
	why := map[string]int{}
	for _, l := range g.leftOut {
		why[l.why]++
	}
	if why["unnamed"] != 1 || why["several"] != 1 || why["opposite"] != 5 || g.leftOut[len(g.leftOut)-1].mark.Number == 0 {
		t.Errorf("marks that count for nothing: %v", why)
	}
	if len(g.sessions) != 2 || len(g.sessions[1].raised) != 32 || g.drills != 1 || g.broken != 1 {
		t.Errorf("%d sessions, drills %d and %d", len(g.sessions), g.drills, g.broken)
	}
	if share := g.reasons[""].Seconds() / g.watched.Seconds(); math.Abs(share-.9) > .001 {
		t.Errorf("%.3f of the time was read, should be .9", share)
	}
	for kind, want := range map[string]int{"shift": 2, "light": 2, "cover": 2, "tag": 2} {
		if n := len(g.groups[kind]); n != want {
			t.Errorf("%d groups by %s, should be %d", n, kind, want)
		}
	}
	if tags := g.groups["tag"]; tags[0].name != "" || tags[1].name != "product <B>" || tags[0].seen < 11*time.Hour || tags[1].raised != 16 || tags[1].falses != 15 {
		t.Errorf("by tag: %+v, %+v", tags[0], tags[1])
	}
	if p := differ(g.groups["light"]); p > 1e-6 {
		t.Errorf("false alarms come in low light alone, and p is %v", p)
	}
	if p := differ(g.groups["cover"]); p < .01 {
		t.Errorf("false alarms do not depend on covers, and p is %v", p)
	}
}

// The page stands by itself, and a name in it is text.
func TestPage(t *testing.T) {
	for lang, title := range []string{"Pilot report", "試行報告書"} {
		r := &writer{gathered: scene().gathered, lang: lang}
		r.Options = Options{Export: pilot.Export{Shift: 8 * time.Hour, Begins: 6 * time.Hour, In: time.UTC}, Who: "shift leader"}
		r.parts = []part{{Name: "brow <b>", Signal: "au4", Raised: 34, Needs: []string{"more"}}, {Name: "two", Several: true}}
		var b strings.Builder
		if err := r.write(&b); err != nil {
			t.Fatal(err)
		}
		out := b.String()
		for _, want := range []string{title, "press 4", "find &lt;limits&gt;", "brow &lt;b&gt;", "shift leader", "90.0 %", r.say("warning"), "2026-11-30 14:00", r.say("left_out"), r.say("by_tag"), r.say("tag_none"), "product &lt;B&gt;", template.HTMLEscapeString(r.say("why_unnamed")), "2026-11-30 07:00:00", r.say("year_shifts")} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: the page does not have %q", Languages[lang], want)
			}
		}
		if strings.Contains(out, "<b>") || strings.Contains(strings.ReplaceAll(out, "http://www.w3.org/2000/svg", ""), "://") || strings.Contains(out, "<script") {
			t.Errorf("%s: the page has something that is not its own", Languages[lang])
		}
	}
}

// shifts are those of a pilot in which each event shows and noise hardly ever passes for one.
func shifts(n int) func(yield func(*tune.Session) error) error {
	return func(yield func(*tune.Session) error) error {
		random := rand.New(rand.NewPCG(1, 1))
		for i := range n {
			s := &tune.Session{Name: fmt.Sprintf("shift %d", i)}
			end := 4 * time.Hour
			last := time.Duration(0)
			for at := 20 * time.Minute; at < end; at += 30 * time.Minute {
				s.Spans = append(s.Spans, tune.Span{From: last, To: at}, tune.Span{From: at, To: at + 10*time.Second, Present: true})
				last = at + 10*time.Second
			}
			s.Spans = append(s.Spans, tune.Span{From: last, To: end})
			for at, span := time.Duration(0), 0; at < end; at += time.Second {
				for at >= s.Spans[span].To {
					span++
				}
				level := 0.2 + 0.05*random.NormFloat64()
				if s.Spans[span].Present {
					level += 0.55
				}
				s.At, s.Level = append(s.At, at), append(s.Level, float32(level))
			}
			if err := yield(s); err != nil {
				return err
			}
		}
		return nil
	}
}

// A whole report: the figures that were given stand in it, as whoever signs must know
// them, and so do the limit that follows from them and what was changed on the way.
func TestWholeReport(t *testing.T) {
	for lang, name := range Languages {
		o := Options{Export: pilot.Export{Shift: 8 * time.Hour, Begins: 6*time.Hour + 30*time.Minute, In: time.UTC}, Language: name, Money: "EUR", Shifts: 660, Own: 900,
			Who: "shift leader", Within: "2 min", Made: time.Date(2026, 12, 14, 9, 30, 0, 0, time.UTC),
			Tune: tune.Options{CostFalse: 10, CostMissed: 200, MostFalse: 1.5, Shift: 8 * time.Hour, Allow: 5 * time.Second}}
		o.Read = func(also pilot.Visitor) (*pilot.Replayed, func(string) tune.Source, error) {
			def := alarm.Definition{Name: "brow", OnDelay: time.Second, OffDelay: time.Second, Conditions: []alarm.Condition{{Signal: "au4", Limit: .6, Deadband: .1}}}
			b := &pilot.Beginning{Unit: "press 4", Purpose: "limits", Run: "a", Begun: time.Date(2026, 11, 30, 6, 30, 0, 0, time.UTC),
				Alarms: pilot.AlarmSettings{Signals: []string{"au4"}, Definitions: []alarm.Definition{def}}}
			also.Begin(b)
			for s := range 600 {
				also.Frame(&pilot.Frame{Eye: true, Result: true, Now: time.Duration(s) * time.Second, Trusted: true, Light: 90}, []float32{.2})
			}
			also.Reload([]alarm.Definition{def}) // the same: no change
			def.OnDelay = 2 * time.Second
			also.Reload([]alarm.Definition{def})
			also.Event(alarm.Event{At: 600 * time.Second, Trigger: alarm.Raise, Alarm: "brow", Number: 7}, false)
			also.Mark(pilot.Mark{Number: 1, Truth: state.Right, Alarm: "brow", Event: 7, From: 600 * time.Second, To: 601 * time.Second, Shows: []pilot.Shown{{Signal: "au4", Present: true}}})
			also.Mark(pilot.Mark{Number: 2, Truth: state.Missed, Alarm: "brow", From: -20 * time.Hour, To: -19 * time.Hour, Shows: []pilot.Shown{{Signal: "au4", Present: true}}})
			return &pilot.Replayed{Files: 1, Dropped: 3}, func(string) tune.Source { return shifts(40) }, nil
		}
		var b strings.Builder
		if err := Write(&b, o); err != nil {
			t.Fatal(err)
		}
		out := b.String()
		say := func(key string) string { return template.HTMLEscapeString(texts[key][lang]) }
		for _, want := range []string{"<td>10 EUR</td>", "<td>200 EUR</td>", "<td>1.5</td>", "<td>8h, 06:30</td>", "<td>660</td>", "<td>900 EUR</td>", "<td>2026-12-14 09:30 UTC</td>",
			">" + say("found") + "</th>", ">" + say("in_force") + "</th>", say("cost_is"), say("changed") + ":<br>2026-11-30 06:39 brow</p>", say("why_elsewhen"), say("dropped"), say("benefit"), "<svg"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: the page does not have %q", name, want)
			}
		}
		if strings.Contains(out, say("not_enough")) || strings.Contains(out, "NaN") || strings.Contains(out, "%!") {
			t.Errorf("%s: no limit is recommended, or something is not written as it should be", name)
		}
	}
}
