package main

import (
	"fmt"
	"math"
	"slices"

	"mien/model/affect"
)

// data is what is scored: the labelled pictures that have an answer.
type data struct {
	card    *affect.Card
	rows    []row
	answers []answer
	units   []int // labelled units that the network has
	unitAt  []int // their places in the network's units
	truth   struct {
		expression       []int
		valence, arousal []float64
		units, visible   [][]float64 // by unit or part, then picture
	}
	answer struct {
		expression       []int
		confidence       []float64
		valence, arousal []float64
		units, visible   [][]float64
	}
	positive float64
}

// present is the label from which the k-th unit counts as present. Closed eyes
// need twice that: a lid a quarter down is an open eye.
func (d *data) present(k int) float64 {
	if d.units[k] == 43 {
		return min(1, 2*d.positive)
	}
	return d.positive
}

func newData(card *affect.Card, set *labelSet, answers []answer, positive float64) *data {
	d := &data{card: card, units: set.units, positive: positive}
	for i, a := range answers {
		if a.ok {
			d.rows = append(d.rows, set.rows[i])
			d.answers = append(d.answers, a)
		}
	}
	n := len(d.rows)
	for _, u := range d.units {
		d.unitAt = append(d.unitAt, slices.Index(card.Outputs.ActionUnits.Units, u))
	}
	matrix := func(rows int) [][]float64 {
		m := make([][]float64, rows)
		for i := range m {
			m[i] = make([]float64, n)
		}
		return m
	}
	var parts int
	if v := card.Outputs.Visibility; v != nil {
		parts = len(v.Parts)
	}
	d.truth.units, d.answer.units = matrix(len(d.units)), matrix(len(d.units))
	d.truth.visible, d.answer.visible = matrix(parts), matrix(parts)
	for i, r := range d.rows {
		a := &d.answers[i]
		best, confidence := -1, math.NaN()
		for c, p := range a.expression {
			if best < 0 || p > confidence {
				best, confidence = c, p
			}
		}
		d.truth.expression = append(d.truth.expression, r.expression)
		d.answer.expression = append(d.answer.expression, best)
		d.answer.confidence = append(d.answer.confidence, confidence)
		d.truth.valence, d.truth.arousal = append(d.truth.valence, r.valence), append(d.truth.arousal, r.arousal)
		d.answer.valence, d.answer.arousal = append(d.answer.valence, a.valence), append(d.answer.arousal, a.arousal)
		for k := range d.units {
			d.truth.units[k][i], d.answer.units[k][i] = r.units[k], a.units[d.unitAt[k]]
		}
		for k := range parts {
			d.truth.visible[k][i], d.answer.visible[k][i] = r.visible[k], a.visible[k]
		}
	}
	return d
}

// of gives the data of the pictures in which in is set.
func (d *data) of(in []bool) *data {
	set := &labelSet{units: d.units}
	var answers []answer
	for i, yes := range in {
		if yes {
			set.rows = append(set.rows, d.rows[i])
			answers = append(answers, d.answers[i])
		}
	}
	return newData(d.card, set, answers, d.positive)
}

func (d *data) persons() []string {
	p := make([]string, len(d.rows))
	for i, r := range d.rows {
		p[i] = r.person
	}
	return p
}

func labelledClasses(truth []int) (n int, classes map[int]int) {
	classes = map[int]int{}
	for _, t := range truth {
		if t >= 0 {
			n++
			classes[t]++
		}
	}
	return n, classes
}

func countKnown(truth, answer []float64) int {
	n := 0
	for i := range truth {
		if truth[i] == truth[i] && answer[i] == answer[i] {
			n++
		}
	}
	return n
}

// block is a part of the score vector.
type block struct {
	size  int
	score func(w, out []float64)
}

// score fills the report's scores with intervals from one bootstrap: every
// score of a round is from the same draw, P_MTL included.
func (d *data) score(r *scoreSet, s *sampler) {
	var blocks []block
	var fills []func(v []interval)
	add := func(b block, fill func([]interval)) {
		blocks, fills = append(blocks, b), append(fills, fill)
	}
	expression, va, units := -1, -1, -1 // places of P_MTL's three in the vector
	size := func() (n int) {
		for _, b := range blocks {
			n += b.size
		}
		return n
	}
	if n, classes := labelledClasses(d.truth.expression); n > 0 && d.card.Outputs.Expression != nil {
		expression = size() + 1
		add(d.expressionBlock(r, n, classes))
	}
	if d.card.Outputs.ValenceArousal != nil {
		if nv, na := countKnown(d.truth.valence, d.answer.valence), countKnown(d.truth.arousal, d.answer.arousal); nv+na > 0 {
			va = size()
			add(d.affectBlock(r, max(nv, na)))
		}
	}
	if len(d.units) > 0 {
		units = size()
		add(d.unitBlock(r))
	}
	for k := range d.truth.visible {
		if countKnown(d.truth.visible[k], d.answer.visible[k]) > 0 {
			add(d.visibilityBlock(r, k))
		}
	}
	total := size()
	if expression >= 0 && va >= 0 && units >= 0 {
		add(block{1, nil}, func(v []interval) { r.MTL = &v[0] })
		r.MTLNote = "mean CCC of valence and arousal + macro F1 of the expressions + macro F1 of the action units"
	} else {
		r.MTLNote = "P_MTL needs labels of expression, of valence and arousal, and of action units"
	}
	v := s.run(size(), func(w, out []float64) {
		at := 0
		for _, b := range blocks {
			if b.score != nil {
				b.score(w, out[at:at+b.size])
			}
			at += b.size
		}
		if len(out) > total {
			out[total] = out[va] + out[expression] + out[units]
		}
	})
	for k, b := range blocks {
		fills[k](v[:b.size])
		v = v[b.size:]
	}
}

func (d *data) expressionBlock(r *scoreSet, n int, occur map[int]int) (block, func([]interval)) {
	classes := d.card.Outputs.Expression.Classes
	e := &expressionReport{Pictures: n, Classes: classes}
	r.Expression = e
	plain := confusion(d.truth.expression, d.answer.expression, ones(len(d.rows)), len(classes))
	for t, line := range plain {
		e.Confusion = append(e.Confusion, make([]int, len(classes)))
		for p, v := range line {
			e.Confusion[t][p] = int(v)
		}
		e.PerClass = append(e.PerClass, classReport{Class: classes[t], Pictures: occur[t]})
	}
	if len(occur) == 1 {
		for c := range occur {
			r.warn("expression: all %d labelled pictures are %s: accuracy is the share of them that was found, and it says nothing about the other classes", n, classes[c])
		}
	} else {
		for c, name := range classes {
			if occur[c] == 0 {
				r.warn("expression: no picture is labelled %s: macro F1 leaves it out", name)
			} else if occur[c] < fewPictures {
				r.warn("expression: only %d pictures are labelled %s: its F1 is uncertain", occur[c], name)
			}
		}
	}
	// Pictures with a label, for the calibration.
	var index []int
	var confidence []float64
	var right []bool
	for i, t := range d.truth.expression {
		if t >= 0 && d.answer.confidence[i] == d.answer.confidence[i] {
			index = append(index, i)
			confidence = append(confidence, d.answer.confidence[i])
			right = append(right, t == d.answer.expression[i])
		}
	}
	bins, _ := reliability(confidence, right, ones(len(index)))
	e.Calibration.Bins = bins[:]
	// Accuracy, macro F1, calibration error; by class F1, precision, recall; the
	// confusion's cells; the curve.
	k := len(classes)
	cells := 3 + 3*k
	bend := cells + k*k
	b := block{bend + calibrationBins, func(w, out []float64) {
		m := confusion(d.truth.expression, d.answer.expression, w, k)
		out[0], out[1] = accuracy(m), macroF1(m)
		out[2] = truthByBin(confidence, right, pick(w, index), out[bend:])
		for c, line := range m {
			n := classCounts(m, c)
			out[3+c], out[3+k+c], out[3+2*k+c] = n.f1(), n.precision(), n.recall()
			for p, v := range line {
				out[cells+k*c+p] = v / (n.truePos + n.falseNeg)
			}
		}
	}}
	return b, func(v []interval) {
		e.Accuracy, e.MacroF1, e.Calibration.Error = v[0], v[1], v[2]
		for c := range classes {
			x := &e.PerClass[c]
			x.F1, x.Precision, x.Recall = v[3+c], v[3+k+c], v[3+2*k+c]
			e.Shares = append(e.Shares, v[cells+k*c:cells+k*c+k])
		}
		e.Calibration.curve(v[bend:])
	}
}

// curve puts the intervals of the bins' truth in.
func (c *calibration) curve(v []interval) {
	for i := range c.Bins {
		c.Bins[i].Truth = v[i]
	}
}

func pick(w []float64, index []int) []float64 {
	out := make([]float64, len(index))
	for k, i := range index {
		out[k] = w[i]
	}
	return out
}

func (d *data) affectBlock(r *scoreSet, n int) (block, func([]interval)) {
	a := &affectReport{Pictures: n, Derived: d.card.Outputs.ValenceArousal.Derived}
	r.Affect = a
	sides := [2]struct{ truth, answer []float64 }{{d.truth.valence, d.answer.valence}, {d.truth.arousal, d.answer.arousal}}
	for k, s := range sides {
		for i, t := range s.truth {
			if t == t {
				a.scatter[k] = append(a.scatter[k], [2]float64{t, s.answer[i]})
			}
		}
		if c := ccc(s.truth, s.answer, ones(len(d.rows))); c != c {
			r.warn("%s: fewer than two different labels: no CCC", [2]string{"valence", "arousal"}[k])
		}
	}
	if a.Derived {
		r.warn("valence and arousal: this network learnt them from labels computed from expressions (derived), not from people's ratings")
	}
	b := block{5, func(w, out []float64) {
		out[1] = ccc(sides[0].truth, sides[0].answer, w)
		out[2] = ccc(sides[1].truth, sides[1].answer, w)
		out[0] = (out[1] + out[2]) / 2
		out[3] = rootMeanSquare(sides[0].truth, sides[0].answer, w)
		out[4] = rootMeanSquare(sides[1].truth, sides[1].answer, w)
	}}
	return b, func(v []interval) {
		a.MeanCCC = v[0]
		a.Valence, a.Arousal = cccReport{v[1], v[3]}, cccReport{v[2], v[4]}
	}
}

// perUnit is how many scores a unit has in the vector of unitBlock, after the
// common ones.
const (
	commonUnit = 5 + calibrationBins
	perUnit    = 7
)

func (d *data) unitBlock(r *scoreSet) (block, func([]interval)) {
	u := &unitReport{}
	r.Units = u
	plain := ones(len(d.rows))
	rankings, ranks := make([]ranking, len(d.units)), make([]spearman, len(d.units))
	var allLevel []float64
	var allTruth []bool
	var allIndex []int
	for k, unit := range d.units {
		rk := newRanking(d.answer.units[k], d.truth.units[k], d.present(k))
		rankings[k], ranks[k] = rk, newSpearman(d.truth.units[k], d.answer.units[k])
		threshold, _ := d.card.Threshold(unit)
		c := rk.at(float64(threshold), plain)
		in, _ := affect.Describe(fmt.Sprintf("au%d", unit), d.card)
		s := unitScores{Unit: unit, Name: in.Human, Weak: in.Weak, Pictures: len(rk.index), Positives: int(c.truePos + c.falseNeg),
			Threshold: float64(threshold)}
		for i, t := range d.truth.units[k] {
			if l := d.answer.units[k][i]; t == t && l != l {
				s.Unknown++
			}
		}
		var p, n float64
		rk.steps(plain, func(_, pos, neg float64) {
			p += pos
			n += neg
			s.curve = append(s.curve, [2]float64{p / float64(s.Positives), p / (p + n)})
		})
		u.Units = append(u.Units, s)
		d.warnUnit(r, &s)
		allLevel, allTruth, allIndex = append(allLevel, rk.level...), append(allTruth, rk.truth...), append(allIndex, rk.index...)
	}
	bins, _ := reliability(allLevel, allTruth, ones(len(allLevel)))
	u.Calibration.Bins = bins[:]
	b := block{commonUnit + perUnit*len(d.units), func(w, out []float64) {
		table := make([][]float64, perUnit)
		for k := range d.units {
			one := out[commonUnit+perUnit*k:]
			rk := &rankings[k]
			c := rk.at(u.Units[k].Threshold, w)
			one[0], one[5], one[6] = c.f1(), c.precision(), c.recall()
			one[1], one[2], one[3] = rk.averagePrecision(w), rk.auc(w), ranks[k].of(w)
			_, one[4] = reliability(rk.level, rk.truth, pick(w, rk.index))
			for m := range perUnit {
				table[m] = append(table[m], one[m])
			}
		}
		for m := range 4 {
			out[m] = meanKnown(table[m])
		}
		out[4] = truthByBin(allLevel, allTruth, pick(w, allIndex), out[5:])
	}}
	return b, func(v []interval) {
		u.MacroF1, u.MacroAP, u.MacroAUC, u.MeanRank, u.Calibration.Error = v[0], v[1], v[2], v[3], v[4]
		u.Calibration.curve(v[5:])
		for k := range u.Units {
			one, s := v[commonUnit+perUnit*k:], &u.Units[k]
			s.F1, s.AP, s.AUC, s.Spearman, s.ECE, s.Precision, s.Recall = one[0], one[1], one[2], one[3], one[4], one[5], one[6]
		}
	}
}

func (d *data) warnUnit(r *scoreSet, s *unitScores) {
	switch {
	case s.Pictures == 0 && s.Unknown == 0:
		r.warn("AU%d: has a column, but no picture is labelled", s.Unit)
	case s.Positives == 0:
		r.warn("AU%d: none of the %d labelled pictures shows it: no F1, average precision or AUC", s.Unit, s.Pictures)
	case s.Positives == s.Pictures:
		r.warn("AU%d: all %d labelled pictures show it: no AUC, and F1 says little", s.Unit, s.Pictures)
	case s.Positives < fewPictures:
		r.warn("AU%d: only %d pictures show it: its scores are uncertain", s.Unit, s.Positives)
	}
}

func (d *data) visibilityBlock(r *scoreSet, part int) (block, func([]interval)) {
	v := d.card.Outputs.Visibility
	seen := newRanking(d.answer.visible[part], d.truth.visible[part], 0.5)
	threshold := float64(v.Thresholds[part])
	covered := 0
	for _, t := range seen.truth {
		if !t {
			covered++
		}
	}
	name := v.Parts[part]
	r.Visibility = append(r.Visibility, visibilityReport{Part: name, Pictures: len(seen.index), Covered: covered})
	at := len(r.Visibility) - 1
	if covered == 0 || covered == len(seen.index) {
		r.warn("visible_%s: all %d labelled pictures are alike: nothing to tell apart", name, len(seen.index))
	}
	b := block{3, func(w, out []float64) {
		c := seen.at(threshold, w)
		out[0] = c.f1()
		out[1] = counts{truePos: c.trueNeg, falsePos: c.falseNeg, falseNeg: c.falsePos}.f1()
		out[2] = seen.auc(w)
	}}
	return b, func(s []interval) {
		x := &r.Visibility[at]
		x.F1Visible, x.F1Covered, x.AUC = s[0], s[1], s[2]
	}
}

// fewPictures is below what a score of a class or group says much.
const fewPictures = 30

func (r *scoreSet) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}
