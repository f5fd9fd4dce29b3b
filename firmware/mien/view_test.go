package main

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mien/firmware/alarm"
	"mien/firmware/state"
)

// wide is a view of a unit with 48 alarms of 32 characters, the last of which is
// unacknowledged, and of a network with 3 action units and 5 classes.
func wide() *scene {
	s := new(scene)
	s.Clear()
	s.About = &state.About{Unit: "press 3", Outputs: []string{"lamp"}}
	for _, name := range []string{"expression.calm", "expression.bored", "expression.tense", "expression.tired", "expression.lost", "au5", "au20", "au28"} {
		s.About.Signals = append(s.About.Signals, state.Signal{Name: name, Human: strings.ToUpper(name), Max: 1})
		s.Levels = append(s.Levels, 0.25)
	}
	s.Outputs, s.Results, s.Trusted, s.Reason, s.Faces = []bool{true}, 1, true, "", 1
	s.Expression = state.Choice{Name: "bored", Level: 0.25}
	for i := range 48 {
		s.Alarms = append(s.Alarms, alarm.Status{Name: fmt.Sprintf("%02d%030d", i, i), Signal: "au5", Level: 0.5, Limit: 0.6})
	}
	s.Alarms[47].State = alarm.Unacknowledged
	return s
}

func (s *scene) shown(t *testing.T, width, height int) []string {
	t.Helper()
	var b bytes.Buffer
	if err := s.draw(&b, width, height); err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`).ReplaceAllString(b.String(), "")
	return strings.Split(strings.TrimSuffix(text, "\r\n"), "\r\n")
}

// A tall terminal shows all; a small one what is not normal before what is.
func TestViewOfFortyEightAlarms(t *testing.T) {
	tall := strings.Join(wide().shown(t, 100, 80), "\n")
	for i := range 48 {
		if !strings.Contains(tall, fmt.Sprintf("\n%02d000", i)) {
			t.Errorf("alarm %d is not in the view", i)
		}
	}
	for _, want := range []string{"AU5", "AU20", "AU28", "0.25 bored", "● lamp"} {
		if !strings.Contains(tall, want) {
			t.Errorf("no %q in\n%s", want, tall)
		}
	}
	small := wide().shown(t, 80, 24)
	text := strings.Join(small, "\n")
	if len(small) > 23 || !strings.Contains(text, "\n47000") || !strings.Contains(text, "47 more alarms") || !strings.Contains(text, "● lamp") {
		t.Errorf("%d rows:\n%s", len(small), text)
	}
	s := wide()
	for i := range s.Alarms {
		s.Alarms[i].State = alarm.Acknowledged
	}
	tiny := s.shown(t, 60, 12)
	if text := strings.Join(tiny, "\n"); len(tiny) > 11 || !strings.Contains(text, "more alarms") || !strings.Contains(text, "\n00000") {
		t.Errorf("%d rows:\n%s", len(tiny), text)
	}
}

// A view without a purpose has no word of an emotion in it, not even "unknown".
func TestViewWithoutEmotions(t *testing.T) {
	s := wide()
	s.About.Signals, s.Levels = s.About.Signals[5:], s.Levels[5:]
	s.Expression = state.Choice{}
	if text := strings.Join(s.shown(t, 100, 80), "\n"); strings.Contains(text, "expression") || !strings.Contains(text, "AU5") {
		t.Error(text)
	}
}

// Two signals a row stand whole in 80 columns, the longest name of the network in
// the binary among them.
func TestViewOfEightyColumns(t *testing.T) {
	s := wide()
	const longest = "AU15 lip corner depressor"
	for i := range s.About.Signals {
		s.About.Signals[i].Human = longest
	}
	s.About.Signals, s.Levels = s.About.Signals[5:7], []float32{1, 1}
	s.Expression = state.Choice{}
	row := fmt.Sprintf("%-27s  1.00 █████", longest)
	want := row + "  " + row
	if rows := s.shown(t, 80, 80); !slices.Contains(rows, want) {
		t.Errorf("no row %q in\n%s", want, strings.Join(rows, "\n"))
	}
}
