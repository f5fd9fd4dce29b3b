package alarm

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// resumed is an engine that goes on where e is, by way of JSON.
func resumed(t *testing.T, e *Engine, signals []string) *Engine {
	t.Helper()
	text, err := json.Marshal(e.Keep(func(*Event) {}))
	if err != nil {
		t.Fatal(err)
	}
	var k Kept
	if err := json.Unmarshal(text, &k); err != nil {
		t.Fatal(err)
	}
	next, err := Resume(&k, signals, e.options)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// What an engine, an alarm and its condition hold is known here by name: whoever
// adds a field decides whether Keep has to keep it.
func TestKeepKnowsEveryField(t *testing.T) {
	known := map[reflect.Type]string{
		reflect.TypeFor[Engine]():    "options signals items events number start started at now wall unset clock sequence reason inhibited inhibit firstOut raised last revision numbering places repeats saveBy",
		reflect.TypeFor[item]():      "def signal suppress orphan place condition cover life silenced quiet acked count since sinceWall why",
		reflect.TypeFor[condition](): "met level value present turned running ran first held early blind lost",
		reflect.TypeFor[cover]():     "out shelved suppressed until shelvings",
		reflect.TypeFor[repeats]():   "told sources counted looked",
		reflect.TypeFor[repeat]():    "event at last more",
		reflect.TypeFor[source]():    "who paid leftOut since",
	}
	for typ, want := range known {
		got := ""
		for i := range typ.NumField() {
			if i > 0 {
				got += " "
			}
			got += typ.Field(i).Name
		}
		if got != want {
			t.Errorf("%v has\n%s, Keep was written for\n%s: keep what is new, or say here that a step makes it anew", typ, got, want)
		}
	}
}

// Orphans, counted notes, limits that were set: what the model's life has not.
func TestResumeKeepsTheRest(t *testing.T) {
	e, _ := New([]Definition{{Name: "a", Conditions: []Condition{{Signal: "s", Limit: 0.5}}, Unlocked: true, Latch: true},
		{Name: "b", Conditions: []Condition{{Signal: "s", Limit: 0.5}}}}, []string{"s"}, Options{})
	e.Step(Reading{At: 1, Levels: []float32{1}})
	e.Step(Reading{At: 2, Levels: []float32{1}})
	e.Do(Command{Do: SetLimits, Alarm: "a", Who: "anna", Limits: Limits{0.7, 0.1, time.Second, 2 * time.Second}})
	for range 3 {
		e.Do(Command{Do: Note, Text: "the same", Who: "anna", At: 3})
	}
	if _, err := e.Reconfigure([]Definition{{Name: "b", Conditions: []Condition{{Signal: "s", Limit: 0.5}}}}, []string{"s"}, "reload", 4, wall0); err != nil {
		t.Fatal(err)
	}
	again := resumed(t, e, []string{"s"})
	for i := range e.Len() {
		if a, b := again.Definition(i), e.Definition(i); !reflect.DeepEqual(a, b) {
			t.Errorf("%+v, should be %+v", a, b)
		}
	}
	for range 2 {
		for _, one := range []*Engine{e, again} {
			one.Do(Command{Do: Acknowledge, Who: "ben", At: 5})
			one.Do(Command{Do: Reset, Who: "ben", At: 6})
		}
	}
	a, b := again.Step(Reading{At: 2 * time.Minute, Levels: []float32{0}}), e.Step(Reading{At: 2 * time.Minute, Levels: []float32{0}})
	if !reflect.DeepEqual(texts(a), texts(b)) || len(a) == 0 {
		t.Errorf("%v, should be %v", a, b)
	}
	masked := e.Keep(func(ev *Event) { ev.Who, ev.Cause = "x"+ev.Who, "y" })
	if text, _ := json.Marshal(masked); len(masked.Sources) == 0 || len(masked.Told) == 0 || masked.Sources[0].Who[0] != 'x' || masked.Told[0].Event.Cause != "y" {
		t.Errorf("not masked: %s", text)
	}
	masked.Alarms[0].Life = 200
	if _, err := Resume(masked, []string{"s"}, Options{}); err == nil {
		t.Error("a life that cannot be is taken")
	}
}

func texts(list []Event) (out []string) {
	for _, e := range list {
		out = append(out, e.String())
	}
	return
}
