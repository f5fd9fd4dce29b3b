package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var nan = math.NaN()

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if got != got && want != want {
		return
	}
	if !(math.Abs(got-want) < 1e-6) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// TestMetricsByHand compares each metric with values worked out on paper.
func TestMetricsByHand(t *testing.T) {
	m := confusion([]int{0, 0, 0, 1, 1, 2, -1}, []int{0, 0, 1, 1, 2, 2, 0}, ones(7), 4)
	near(t, "accuracy, 4 of 6", accuracy(m), 4./6)
	for class, want := range []float64{4. / 5, 1. / 2, 2. / 3, nan} {
		near(t, "class F1", classCounts(m, class).f1(), want)
	}
	near(t, "macro F1 of the three that occur", macroF1(m), (0.8+0.5+2./3)/3)
	near(t, "precision", classCounts(m, 1).precision(), 0.5)
	near(t, "recall", classCounts(m, 0).recall(), 2./3)

	// Means 2.5 and 2.75; sums of squares 5 and 8.75, of products 6.5.
	near(t, "CCC", ccc([]float64{1, 2, 3, 4, nan}, []float64{1, 2, 3, 5, 9}, ones(5)), 13./14)
	near(t, "CCC of equal lists", ccc([]float64{-1, 0, 1}, []float64{-1, 0, 1}, ones(3)), 1)
	near(t, "CCC of one label", ccc([]float64{0.5, 0.5}, []float64{0, 1}, ones(2)), nan)
	near(t, "CCC of a constant answer", ccc([]float64{0, 1}, []float64{0.5, 0.5}, ones(2)), 0)
	near(t, "root mean square", rootMeanSquare([]float64{0, 0, nan}, []float64{3, 4, 5}, ones(3)), math.Sqrt(12.5))

	r := newRanking([]float64{0.6, 0.9, 0.7, 0.5, 0.8}, []float64{0, 1, 1, 0, 0}, 0.5)
	near(t, "AUC, 5 of 6 pairs", r.auc(ones(5)), 5./6)
	near(t, "average precision", r.averagePrecision(ones(5)), (1+2./3)/2)
	c := r.at(0.7, ones(5))
	near(t, "F1 at 0.7", c.f1(), 4./5)
	tied := newRanking([]float64{0.9, 0.7, 0.7}, []float64{1, 1, 0}, 0.5)
	near(t, "AUC with a tie", tied.auc(ones(3)), 0.75)
	near(t, "average precision with a tie", tied.averagePrecision(ones(3)), (1+2./3)/2)
	for _, truth := range [][]float64{{1, 1}, {0, 0}} {
		one := newRanking([]float64{0.2, 0.3}, truth, 0.5)
		near(t, "AUC of one kind", one.auc(ones(2)), nan)
	}
	none := newRanking([]float64{0.2}, []float64{0}, 0.5)
	near(t, "average precision without a positive", none.averagePrecision(ones(1)), nan)
	near(t, "F1 without a positive", none.at(0.1, ones(1)).f1(), nan)
	graded := newRanking([]float64{0.2, 0.1}, []float64{0.25, 0.24}, 0.25)
	if !graded.truth[0] || graded.truth[1] {
		t.Errorf("a quarter of full strength is a positive: %v", graded.truth)
	}

	s := newSpearman([]float64{0.1, 0.2, 0.3, 0.4}, []float64{0.1, 0.3, 0.2, 0.4})
	near(t, "Spearman, 1 - 6*2/(4*15)", s.of(ones(4)), 0.8)
	s = newSpearman([]float64{1, 2, 2, 3}, []float64{1, 2, 3, 4})
	near(t, "Spearman with a tie", s.of(ones(4)), 4.5/math.Sqrt(4.5*5))
	s = newSpearman([]float64{0, 1, 0, 1}, []float64{1, 2, 3, 4})
	near(t, "Spearman of two values", s.of(ones(4)), nan)

	bins, ece := reliability([]float64{0.95, 0.85, 0.55, 0.55}, []bool{true, false, true, false}, ones(4))
	near(t, "calibration error", ece, 0.05/4+0.85/4+0.05*2/4)
	near(t, "confidence of the bin from 0.5", float64(bins[5].Confidence), 0.55)
	near(t, "truth of the bin from 0.5", float64(bins[5].Truth.Value), 0.5)
	if _, ece = reliability([]float64{1}, []bool{true}, ones(1)); ece != 0 {
		t.Errorf("certain and right: calibration error %v", ece)
	}
}

func TestBestThreshold(t *testing.T) {
	// From 0.31 to 0.40 the first four are yes and three of them right:
	// F1 6/7; above 0.60 two right of two, 0.8.
	r := newRanking([]float64{0.9, 0.8, 0.5, 0.4, 0.3, 0.2}, []float64{1, 1, 0, 1, 0, 0}, 0.5)
	threshold, f1 := r.best(ones(6))
	near(t, "best F1", f1, 6./7)
	if threshold < 0.34 || threshold > 0.37 {
		t.Errorf("threshold %v is not the middle of 0.31 to 0.40", threshold)
	}
	r = newRanking([]float64{0.9}, []float64{0}, 0.5)
	if threshold, f1 = r.best(ones(1)); threshold == threshold || f1 == f1 {
		t.Errorf("without a positive: threshold %v, F1 %v", threshold, f1)
	}
}

// TestWeightsAreCopies: a picture with weight 3 counts as three of it, and one
// with weight 0 is not there.
func TestWeightsAreCopies(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	var level, truth, w, level2, truth2 []float64
	var class, answer, class2, answer2 []int
	for range 60 {
		l, y, n := math.Round(rng.Float64()*20)/20, math.Round(rng.Float64()*4)/4, rng.IntN(4)
		c, a := rng.IntN(3), rng.IntN(3)
		level, truth, w = append(level, l), append(truth, y), append(w, float64(n))
		class, answer = append(class, c), append(answer, a)
		for range n {
			level2, truth2 = append(level2, l), append(truth2, y)
			class2, answer2 = append(class2, c), append(answer2, a)
		}
	}
	w2 := ones(len(level2))
	r, r2 := newRanking(level, truth, 0.5), newRanking(level2, truth2, 0.5)
	s, s2 := newSpearman(truth, level), newSpearman(truth2, level2)
	near(t, "AUC", r.auc(w), r2.auc(w2))
	near(t, "average precision", r.averagePrecision(w), r2.averagePrecision(w2))
	near(t, "F1", r.at(0.4, w).f1(), r2.at(0.4, w2).f1())
	near(t, "Spearman", s.of(w), s2.of(w2))
	near(t, "CCC", ccc(truth, level, w), ccc(truth2, level2, w2))
	near(t, "RMSE", rootMeanSquare(truth, level, w), rootMeanSquare(truth2, level2, w2))
	near(t, "macro F1", macroF1(confusion(class, answer, w, 3)), macroF1(confusion(class2, answer2, w2, 3)))
	_, e := reliability(r.level, r.truth, pick(w, r.index))
	_, e2 := reliability(r2.level, r2.truth, w2)
	near(t, "calibration error", e, e2)
}

// TestBootstrapOfAShare holds the interval of 800 right of 1000 against the
// normal approximation of the binomial, 0.8 +- 1.96 * 0.01265.
func TestBootstrapOfAShare(t *testing.T) {
	share := func(w, out []float64) {
		var hit float64
		for i, v := range w {
			if i%5 > 0 {
				hit += v
			}
		}
		out[0] = hit / float64(len(w))
	}
	alone := newSampler(make([]string, 1000), 2000, 1)
	v := alone.run(1, share)[0]
	near(t, "share", float64(v.Value), 0.8)
	if math.Abs(float64(v.Low)-0.7752) > 0.003 || math.Abs(float64(v.High)-0.8248) > 0.003 {
		t.Errorf("interval %v, want 0.775 to 0.825", v)
	}
	if again := newSampler(make([]string, 1000), 2000, 1).run(1, share)[0]; again != v {
		t.Errorf("the same seed gives %v, then %v", v, again)
	}
	if other := newSampler(make([]string, 1000), 2000, 2).run(1, share)[0]; other == v {
		t.Errorf("another seed gives the same interval %v", v)
	}
	// Ten pictures a person who are all right or all wrong tell as much as one.
	persons := make([]string, 1000)
	for i := range persons {
		persons[i] = string(rune('a' + i/10))
	}
	byPerson := func(w, out []float64) {
		var hit, n float64
		for i, v := range w {
			n += v
			if i/10%5 > 0 {
				hit += v
			}
		}
		out[0] = hit / n
	}
	v = newSampler(persons, 2000, 1).run(1, byPerson)[0]
	if math.Abs(float64(v.Low)-0.72) > 0.015 || math.Abs(float64(v.High)-0.88) > 0.015 {
		t.Errorf("interval of 100 persons %v, want 0.72 to 0.88", v)
	}
	// A score that most draws leave open has no interval.
	v = alone.run(1, func(w, out []float64) {
		out[0] = nan
		if w[0] > 1 {
			out[0] = 1
		}
	})[0]
	if v.Low == v.Low || v.High == v.High {
		t.Errorf("interval of a score that is mostly not defined: %v", v)
	}
}

func TestQuantile(t *testing.T) {
	near(t, "median", quantile([]float64{1, 2, 4, 8}, 0.5), 3)
	near(t, "top", quantile([]float64{1, 2, 4, 8}, 1), 8)
}

func TestCompareNames(t *testing.T) {
	got := []string{"size 112", "size 24", "night", "size 24b"}
	slices.SortFunc(got, compareNames)
	if want := []string{"night", "size 24", "size 24b", "size 112"}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
