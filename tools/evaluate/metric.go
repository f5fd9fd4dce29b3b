package main

import (
	"cmp"
	"math"
	"slices"
)

// Metrics take weights: how often each picture counts. All ones is the plain
// score; the bootstrap draws pictures by setting how often each was drawn. A
// score that is not defined is NaN.

// counts are a yes-or-no answer against the truth.
type counts struct{ truePos, falsePos, falseNeg, trueNeg float64 }

func (c *counts) add(predicted, truth bool, w float64) {
	switch {
	case predicted && truth:
		c.truePos += w
	case predicted:
		c.falsePos += w
	case truth:
		c.falseNeg += w
	default:
		c.trueNeg += w
	}
}

// f1 is 2TP / (2TP + FP + FN); not defined where the truth has no positive.
func (c counts) f1() float64 {
	if c.truePos+c.falseNeg == 0 {
		return math.NaN()
	}
	return 2 * c.truePos / (2*c.truePos + c.falsePos + c.falseNeg)
}

func (c counts) precision() float64 { return c.truePos / (c.truePos + c.falsePos) }
func (c counts) recall() float64    { return c.truePos / (c.truePos + c.falseNeg) }

// confusion counts pictures by truth (row) and answer (column).
func confusion(truth, answer []int, w []float64, classes int) [][]float64 {
	m := make([][]float64, classes)
	for i := range m {
		m[i] = make([]float64, classes)
	}
	for i, t := range truth {
		if t >= 0 && answer[i] >= 0 {
			m[t][answer[i]] += w[i]
		}
	}
	return m
}

// accuracy is the diagonal's share.
func accuracy(m [][]float64) float64 {
	var hit, all float64
	for i, row := range m {
		hit += row[i]
		for _, v := range row {
			all += v
		}
	}
	return hit / all
}

// classCounts is one class against the others.
func classCounts(m [][]float64, class int) counts {
	var c counts
	for t, row := range m {
		for p, v := range row {
			c.add(p == class, t == class, v)
		}
	}
	return c
}

// macroF1 is the mean F1 of the classes that occur in the truth.
func macroF1(m [][]float64) float64 {
	f := make([]float64, len(m))
	for i := range m {
		f[i] = classCounts(m, i).f1()
	}
	return meanKnown(f)
}

func meanKnown(v []float64) float64 {
	var sum, n float64
	for _, x := range v {
		if x == x {
			sum += x
			n++
		}
	}
	return sum / n
}

// ccc is the concordance correlation coefficient [Lin 1989, Biometrics
// 45:255-268]; not defined for fewer than two distinct truths.
func ccc(truth, answer, w []float64) float64 {
	var n, mt, ma float64
	for i, t := range truth {
		if t == t && answer[i] == answer[i] {
			n += w[i]
			mt += w[i] * t
			ma += w[i] * answer[i]
		}
	}
	mt, ma = mt/n, ma/n
	var vt, va, cov float64
	for i, t := range truth {
		if t == t && answer[i] == answer[i] {
			vt += w[i] * (t - mt) * (t - mt)
			va += w[i] * (answer[i] - ma) * (answer[i] - ma)
			cov += w[i] * (t - mt) * (answer[i] - ma)
		}
	}
	if !(vt > 0) {
		return math.NaN()
	}
	return 2 * cov / (vt + va + n*(mt-ma)*(mt-ma))
}

// rootMeanSquare is the root of the mean squared difference.
func rootMeanSquare(truth, answer, w []float64) float64 {
	var n, sum float64
	for i, t := range truth {
		if d := t - answer[i]; d == d {
			n += w[i]
			sum += w[i] * d * d
		}
	}
	return math.Sqrt(sum / n)
}

// ranking is pictures in falling order of an answer, for the scores that have
// no threshold. It is sorted once and serves any weights.
type ranking struct {
	level []float64
	truth []bool
	index []int // of the picture
}

// newRanking leaves out pictures without a label or an answer.
func newRanking(level, truth []float64, positive float64) ranking {
	var r ranking
	for i, l := range level {
		if l == l && truth[i] == truth[i] {
			r.index = append(r.index, i)
		}
	}
	slices.SortStableFunc(r.index, func(i, j int) int { return cmp.Compare(level[j], level[i]) })
	for _, i := range r.index {
		r.level = append(r.level, level[i])
		r.truth = append(r.truth, truth[i] >= positive)
	}
	return r
}

// steps walks down the ranking, equal levels together, and tells what each step
// adds.
func (r *ranking) steps(w []float64, step func(level, positives, negatives float64)) {
	for k := 0; k < len(r.level); {
		level := r.level[k]
		var pos, neg float64
		for ; k < len(r.level) && r.level[k] == level; k++ {
			if r.truth[k] {
				pos += w[r.index[k]]
			} else {
				neg += w[r.index[k]]
			}
		}
		step(level, pos, neg)
	}
}

// auc is the area under the ROC curve, ties counting half: the chance that a
// positive picture has the higher level. It needs both kinds.
func (r *ranking) auc(w []float64) float64 {
	var p, n, area float64
	r.steps(w, func(_, pos, neg float64) {
		area += neg * (p + pos/2)
		p += pos
		n += neg
	})
	if p == 0 || n == 0 {
		return math.NaN()
	}
	return area / (p * n)
}

// averagePrecision is the sum of precisions, each weighed by the recall that it
// adds (no interpolation); it needs a positive.
func (r *ranking) averagePrecision(w []float64) float64 {
	var p, n, sum float64
	r.steps(w, func(_, pos, neg float64) {
		p += pos
		n += neg
		if pos > 0 {
			sum += pos * p / (p + n)
		}
	})
	if p == 0 {
		return math.NaN()
	}
	return sum / p
}

// at gives the counts at a threshold: a level from it on is a yes.
func (r *ranking) at(threshold float64, w []float64) counts {
	var c counts
	for k, l := range r.level {
		c.add(l >= threshold, r.truth[k], w[r.index[k]])
	}
	return c
}

// best gives the threshold with the largest F1 on the grid 0.05 to 0.95 in
// steps of 0.01: the middle of those within 0.002 of it, so that a lucky peak
// does not decide.
func (r *ranking) best(w []float64) (threshold, f1 float64) {
	var grid [91]float64
	f1 = math.NaN()
	for i := range grid {
		grid[i] = r.at(gridAt(i), w).f1()
		if !(grid[i] <= f1) {
			f1 = grid[i]
		}
	}
	var top []int
	for i, v := range grid {
		if v >= f1-0.002 {
			top = append(top, i)
		}
	}
	if len(top) == 0 {
		return math.NaN(), math.NaN()
	}
	return gridAt(top[len(top)/2]), f1
}

func gridAt(i int) float64 { return float64(5+i) / 100 }

// spearman is the correlation of ranks, ties at their mean rank. Labels of only
// two values have none: the AUC tells the same.
type spearman struct{ truth, answer [][]int } // groups of equal values, rising

func newSpearman(truth, answer []float64) spearman {
	var known []int
	for i := range truth {
		if truth[i] == truth[i] && answer[i] == answer[i] {
			known = append(known, i)
		}
	}
	groups := func(v []float64) (out [][]int) {
		order := slices.Clone(known)
		slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(v[i], v[j]) })
		for k, i := range order {
			if k == 0 || v[i] != v[order[k-1]] {
				out = append(out, nil)
			}
			out[len(out)-1] = append(out[len(out)-1], i)
		}
		return out
	}
	return spearman{groups(truth), groups(answer)}
}

// of gives the correlation; not defined where either side is constant.
func (s *spearman) of(w []float64) float64 {
	if len(s.truth) < 3 {
		return math.NaN()
	}
	rank := make([][2]float64, len(w))
	var n float64
	for side, groups := range [][][]int{s.truth, s.answer} {
		var below float64
		for _, g := range groups {
			var here float64
			for _, i := range g {
				here += w[i]
			}
			for _, i := range g {
				rank[i][side] = below + here/2
			}
			below += here
		}
		n = below
	}
	var vt, va, cov float64
	for _, g := range s.truth {
		for _, i := range g {
			t, a := rank[i][0]-n/2, rank[i][1]-n/2
			vt += w[i] * t * t
			va += w[i] * a * a
			cov += w[i] * t * a
		}
	}
	if !(vt > 0 && va > 0) {
		return math.NaN()
	}
	return cov / math.Sqrt(vt*va)
}

// bin is one step of a reliability curve.
type bin struct {
	From       float64  `json:"from"`
	To         float64  `json:"to"`
	Pictures   float64  `json:"pictures"`
	Confidence number64 `json:"confidence"` // mean of what the network said
	Truth      interval `json:"truth"`      // share in which it was so
}

const calibrationBins = 10

// reliability sorts answers by their confidence into ten bins of equal width and
// gives the expected calibration error: the mean distance between confidence
// and truth, weighed by the pictures of the bins [Naeini et al. 2015, AAAI]. The
// bins' intervals stay open.
func reliability(confidence []float64, right []bool, w []float64) (bins [calibrationBins]bin, err float64) {
	var n float64
	for i, c := range confidence {
		b := &bins[min(int(c*calibrationBins), calibrationBins-1)]
		b.Pictures += w[i]
		b.Confidence += number64(w[i] * c)
		if right[i] {
			b.Truth.Value += number64(w[i])
		}
		n += w[i]
	}
	for i := range bins {
		b := &bins[i]
		b.From, b.To = float64(i)/calibrationBins, float64(i+1)/calibrationBins
		err += math.Abs(float64(b.Confidence - b.Truth.Value))
		b.Confidence /= number64(b.Pictures)
		b.Truth = interval{b.Truth.Value / number64(b.Pictures), number64(math.NaN()), number64(math.NaN())}
	}
	return bins, err / n
}

// truthByBin puts the truth of the bins into out and gives the calibration error.
func truthByBin(confidence []float64, right []bool, w, out []float64) float64 {
	bins, err := reliability(confidence, right, w)
	for i := range bins {
		out[i] = float64(bins[i].Truth.Value)
	}
	return err
}
