package main

import (
	"strings"
	"testing"

	"mien/firmware/alarm"
)

// The picture has every state and every way of the table that changes one.
func TestPictureOfTheStates(t *testing.T) {
	var b strings.Builder
	if err := statePicture(&b); err != nil {
		t.Fatal(err)
	}
	for _, tr := range alarm.Transitions {
		from, to := identifiers[tr.From], "InService"
		if tr.To == tr.From {
			continue
		}
		if tr.To != alarm.Beneath {
			to = identifiers[tr.To]
		}
		if tr.To.Covered() && !tr.From.Covered() {
			from = "InService"
		}
		found := false
		for _, line := range strings.Split(b.String(), "\n") {
			way, labels, _ := strings.Cut(strings.TrimSpace(line), ": ")
			found = found || way == from+" --> "+to && strings.Contains(labels, tr.On.String())
		}
		if !found {
			t.Errorf("%v + %v -> %v is not in the picture", tr.From, tr.On, tr.To)
		}
	}
}
