package main

import (
	"bytes"
	"strings"
	"testing"

	"mien/firmware/state"
)

// What stands in the table for each thing that is done with days.
func TestDriftTable(t *testing.T) {
	one, three := 0.45, 0.32
	level := state.DriftOf{Name: "au4", Unit: "level", Baseline: 0.258, Days: 9, Below: 0.236, Above: 0.28, Mean: [3]*float64{&one, &three}, Since: "2026-05-15"}
	unseen := state.DriftOf{Name: "face too dark", Unit: "share of time", Above: 0.05, Mean: [3]*float64{new(float64)}}
	for _, c := range []struct {
		d       state.Drift
		all     bool
		has, no string // parted by bars
	}{
		{state.Drift{State: state.DriftNone}, false, "no baseline: a pilot makes one", "QUANTITY|NOT"},
		{state.Drift{State: state.DriftLearns, Learnt: 2, Fewest: 7, Passed: 1}, false, "2 days so far, it needs 5 more|1 day left out", "QUANTITY|of 0"},
		{state.Drift{State: state.DriftLearns, Learnt: 2, Wants: 10, Fewest: 7}, false, "learnt: 2 of 10 days", "QUANTITY|more"},
		{state.Drift{State: state.DriftRefused, Why: "nothing is compared: it is damaged"}, false, "NOTHING IS COMPARED: it is damaged", "QUANTITY|NOT AS|nothing is"},
		{state.Drift{State: state.DriftCompares, Why: "au4 since 2026-05-15", Days: 9, By: "pilot", Compared: 3, Newest: "2026-05-15", Of: []state.DriftOf{level, unseen}}, false,
			"NOT AS IN THE PILOT: au4 since 2026-05-15|baseline: 9 days|made by the pilot|days compared: 3, the newest 2026-05-15|au4       level  0.258     0.450  0.320   -        0.236       0.280       since 2026-05-15", "face too dark"},
		{state.Drift{State: state.DriftCompares, Days: 9, By: "command", Of: []state.DriftOf{unseen}}, true, "made by mien pilot baseline|face too dark  share of time  0.000     0.000  -       -        -           0.050       no", "NOT"},
	} {
		var out bytes.Buffer
		(&call{out: &out}).printDrift(&c.d, c.all)
		for _, want := range strings.Split(c.has, "|") {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s lacks %q:\n%s", c.d.State, want, out.String())
			}
		}
		for _, not := range strings.Split(c.no, "|") {
			if strings.Contains(out.String(), not) {
				t.Errorf("%s has %q:\n%s", c.d.State, not, out.String())
			}
		}
	}
}
