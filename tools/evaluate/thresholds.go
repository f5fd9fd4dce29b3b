package main

import (
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"strings"
)

// choose marks the pictures that choose thresholds: those whose part is
// validation or, without a part column, a share drawn by the person's or the
// file's name, so that no person is on both sides and the same pictures are
// drawn again whatever else is in the set.
func choose(set *labelSet, share float64, seed uint64) {
	if set.hasPart {
		return
	}
	for i := range set.rows {
		r := &set.rows[i]
		key := r.person
		if key == "" {
			key = r.file
		}
		h := fnv.New64a()
		fmt.Fprintf(h, "%d\x00%s", seed, key)
		x := h.Sum64()
		// FNV's high bits hardly change with the last letters: mix them
		// (the finaliser of MurmurHash3).
		x ^= x >> 33
		x *= 0xff51afd7ed558ccd
		x ^= x >> 33
		x *= 0xc4ceb9fe1a85ec53
		x ^= x >> 33
		r.validation = float64(x>>11)/(1<<53) < share
	}
}

// chooseThresholds finds the thresholds with the best F1 on the validation part
// and scores them, and the card's, on the rest.
func (d *data) chooseThresholds(r *report, s *sampler) {
	if len(d.units) == 0 {
		return
	}
	valid, rest := make([]float64, len(d.rows)), make([]float64, len(d.rows))
	t := &thresholdReport{}
	for i, row := range d.rows {
		if row.validation {
			valid[i] = 1
			t.Validation++
		} else {
			rest[i] = 1
			t.Rest++
		}
	}
	if t.Validation == 0 || t.Rest == 0 {
		r.warn("thresholds: %d pictures for validation, %d for the test: both are needed to choose thresholds", t.Validation, t.Rest)
		return
	}
	r.Units.Best = t
	rankings := make([]ranking, len(d.units))
	for k, u := range d.units {
		rankings[k] = newRanking(d.answer.units[k], d.truth.units[k], d.present(k))
		best, _ := rankings[k].best(valid)
		t.Units = append(t.Units, bestUnit{Unit: u, Threshold: number64(best), weak: r.Units.Units[k].Weak, card: r.Units.Units[k].Threshold})
	}
	n := len(d.units)
	v := s.run(2+2*n, func(w, out []float64) {
		here := make([]float64, len(w))
		for i := range w {
			here[i] = w[i] * rest[i]
		}
		for k := range rankings {
			out[2+k], out[2+n+k] = math.NaN(), math.NaN()
			if best := float64(t.Units[k].Threshold); best == best {
				out[2+k] = rankings[k].at(best, here).f1()
				out[2+n+k] = rankings[k].at(t.Units[k].card, here).f1()
			}
		}
		out[0], out[1] = meanKnown(out[2:2+n]), meanKnown(out[2+n:])
	})
	t.MacroF1, t.MacroF1AtCard = v[0], v[1]
	for k := range t.Units {
		t.Units[k].F1, t.Units[k].F1AtCard = v[2+k], v[2+n+k]
	}
}

// writeConfig writes the thresholds as alarms of a unit's configuration. What
// are not known, and units too weak for an alarm, stand there as comments.
func writeConfig(path string, r *report) error {
	if r.Units == nil || r.Units.Best == nil {
		return fmt.Errorf("write %s: no thresholds were chosen: the labels need columns of action units, and pictures for validation and test", path)
	}
	t := r.Units.Best
	var b strings.Builder
	fmt.Fprintf(&b, "# Limits on action units for %s %s, by tools/evaluate from %s.\n", r.Model.Name, r.Model.Version, r.Labels)
	fmt.Fprintf(&b, "# Chosen for the best F1 on %d pictures; F1 on the other %d with its 95 %% interval.\n", t.Validation, t.Rest)
	fmt.Fprintf(&b, "# They hold for single pictures: the delays below are for a unit that sees many a second.\n")
	for _, u := range t.Units {
		name := fmt.Sprintf("AU%d", u.Unit)
		for _, s := range r.Units.Units {
			if s.Unit == u.Unit {
				name = s.Name
			}
		}
		b.WriteByte('\n')
		if u.Threshold != u.Threshold {
			fmt.Fprintf(&b, "# %s: no picture for validation shows it, so there is no threshold.\n", name)
			continue
		}
		fmt.Fprintf(&b, "# %s: F1 %s; at the card's %.2f %s.\n", name, u.F1.text(3), u.card, u.F1AtCard.text(3))
		mark := ""
		if u.weak {
			b.WriteString("# The card calls it too weak for an alarm: remove the marks only if the F1 here is good enough.\n")
			mark = "# "
		}
		threshold := float64(u.Threshold)
		for _, line := range []string{
			"[[alarm]]",
			fmt.Sprintf("name = %q", fmt.Sprintf("au%d", u.Unit)),
			fmt.Sprintf("signal = %q", fmt.Sprintf("au%d", u.Unit)),
			fmt.Sprintf("high = %.2f", threshold),
			fmt.Sprintf("deadband = %.2f", math.Min(0.1, threshold/2)),
			`on_delay = "2s"`,
			`off_delay = "2s"`,
		} {
			fmt.Fprintf(&b, "%s%s\n", mark, line)
		}
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("write thresholds: %w", err)
	}
	return nil
}

// text is the score with its interval, to so many digits.
func (s interval) text(digits int) string {
	if !s.known() {
		return "–"
	}
	if s.Low != s.Low {
		return fmt.Sprintf("%.*f", digits, s.Value)
	}
	return fmt.Sprintf("%.*f (%.*f to %.*f)", digits, s.Value, digits, s.Low, digits, s.High)
}
