package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"mien/firmware/pilot/tune"
)

// A small part of what the command does at full length: enough to see that an
// interval is far off, that the choice is bad, or that too little is taken for
// enough.
func TestPilots(t *testing.T) {
	s, err := try(options{pilots: 9, lines: 1, truth: 96, seed: 0, sizes: []int{10, 42, 42}})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	s.write(&b)
	t.Log("\n" + b.String())
	if s.pilots != 9 || s.enough == 0 || s.enough > 7 {
		t.Errorf("%d pilots, %d with enough data", s.pilots, s.enough)
	}
	if s.few == 0 || s.fewNotEnough != s.few {
		t.Errorf("%d of %d pilots with fewer than 5 true events have enough data", s.few-s.fewNotEnough, s.few)
	}
	for name, o := range map[string]one{"false alarms": s.all.falses, "missed share": s.all.missed, "cost": s.all.cost} {
		if o.n < 6 || 4*o.in < 3*o.n {
			t.Errorf("%s: the interval holds the truth in %v", name, o)
		}
	}
	if s.ratio(0.5) > 1.1 || s.ratio(1) > 1.5 {
		t.Errorf("true cost by the best possible: median %.3f, most %.3f", s.ratio(0.5), s.ratio(1))
	}
}

// The simulated truth is what the line was made with, and all of it follows from
// the seed.
func TestLine(t *testing.T) {
	l := newLine(3, 12)
	wanted := 0.0
	for _, p := range l.people {
		wanted += p.events * 8 / float64(len(l.people))
	}
	events, absent := 0, time.Duration(0)
	const shifts = 120
	for n := range uint64(shifts) {
		s := l.session(longRun, n, shift, 1, marking{})
		for i, span := range s.Spans {
			if i > 0 && span.From < s.Spans[i-1].To || span.To < span.From {
				t.Fatalf("shift %d: spans %v and %v", n, s.Spans[i-1], span)
			}
			if span.Present {
				events++
			} else {
				absent += span.To - span.From
			}
		}
		for i := 1; i < len(s.At); i++ {
			if dt := s.At[i] - s.At[i-1]; dt <= 0 || dt > time.Second {
				t.Fatalf("shift %d: %v between two frames", n, dt)
			}
		}
	}
	if rate := float64(events) / shifts; math.Abs(rate/wanted-1) > 0.1 {
		t.Errorf("%.2f events a shift, made for %.2f", rate, wanted)
	}
	if absent < shifts*shift*95/100 {
		t.Errorf("absent for %v only", absent)
	}
	collect := func() (list []*tune.Session) {
		l.shifts(7, 3, time.Hour, 1, marking{late: time.Second, unmarked: 0.1, skipped: 0.1, breaks: 0.2})(func(s *tune.Session) error {
			list = append(list, s)
			return nil
		})
		return list
	}
	a, b := collect(), collect()
	for i := range a {
		if len(a[i].At) != len(b[i].At) || len(a[i].Spans) != len(b[i].Spans) || a[i].At[len(a[i].At)-1] != b[i].At[len(b[i].At)-1] {
			t.Errorf("shift %d is not the same twice", i)
		}
	}
}
