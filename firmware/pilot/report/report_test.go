package report

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/pilot"
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
		covers: map[string]*group{}, open: map[string]*raised{}, missed: map[string]int{}, drillEnds: map[string]state.DrillState{"1": state.DrillEnded, "2": state.DrillBroken},
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
			g.mark(pilot.Mark{Number: number, Truth: truth, Alarm: def.Name, Event: event})
		}
	}
	g.mark(pilot.Mark{Number: number + 1, Truth: state.Withdrawn, Of: number})
	g.mark(pilot.Mark{Number: number + 2, Truth: state.Missed, Alarm: def.Name})
	g.finish()
	return g
}

func TestGather(t *testing.T) {
	g := scene()
	a := g.alarms[0]
	if a.raised != 34 || a.right != 2 || a.falses != 31 || a.not != 1 || a.missed != 1 {
		t.Errorf("raised %d, right %d, false %d, without a mark %d, missed %d", a.raised, a.right, a.falses, a.not, a.missed)
	}
	if len(g.sessions) != 2 || len(g.sessions[1].raised) != 32 || g.drills != 1 || g.broken != 1 {
		t.Errorf("%d sessions, drills %d and %d", len(g.sessions), g.drills, g.broken)
	}
	if share := g.reasons[""].Seconds() / g.watched.Seconds(); math.Abs(share-.9) > .001 {
		t.Errorf("%.3f of the time was read, should be .9", share)
	}
	for kind, want := range map[string]int{"shift": 2, "light": 2, "cover": 2} {
		if n := len(g.groups[kind]); n != want {
			t.Errorf("%d groups by %s, should be %d", n, kind, want)
		}
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
		for _, want := range []string{title, "press 4", "find &lt;limits&gt;", "brow &lt;b&gt;", "shift leader", "90.0 %", r.say("warning"), "2026-11-30 14:00"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: the page does not have %q", Languages[lang], want)
			}
		}
		if strings.Contains(out, "<b>") || strings.Contains(strings.ReplaceAll(out, "http://www.w3.org/2000/svg", ""), "://") || strings.Contains(out, "<script") {
			t.Errorf("%s: the page has something that is not its own", Languages[lang])
		}
	}
}
