package main

import (
	"strings"
	"testing"
)

// A small part of what -drift does at full length.
func TestDrift(t *testing.T) {
	s := tryDrift(driftOptions{plants: 5, pilot: 14, quiet: 200, tries: 10, seed: 1, place: place{turns: 4}, half: 0.5})
	var b strings.Builder
	s.write(&b)
	t.Log("\n" + b.String())
	if s.quiet != 1000 || s.told > 5 {
		t.Errorf("%d told on %d quiet days", s.told, s.quiet)
	}
	if s.changes != 900 || 10*s.three < 9*s.changes {
		t.Errorf("%d of %d changes told within three days", s.three, s.changes)
	}
	if s := tryDrift(driftOptions{plants: 1, pilot: 6, quiet: 10, tries: 1, seed: 4, place: place{turns: 4}}); s.quiet != 0 {
		t.Error("days were compared with six")
	}
	if s := tryDrift(driftOptions{plants: 2, pilot: 14, quiet: 1, tries: 5, seed: 4, place: place{turns: 4}, half: 0}); s.three > 0 {
		t.Errorf("%d told where nothing was changed", s.three)
	}
}
