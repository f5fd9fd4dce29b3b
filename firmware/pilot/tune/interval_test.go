package tune

import (
	"math"
	"testing"
)

func near(t *testing.T, what string, got, want, by float64) {
	t.Helper()
	if !(math.Abs(got-want) <= by) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// From the printed tables: Garwood's intervals (Ulm 1990), Clopper and Pearson's,
// Student's t at 97.5 %.
func TestTables(t *testing.T) {
	for _, c := range []struct{ count, low, high float64 }{{0, 0, 3.689}, {1, 0.0253, 5.572}, {5, 1.6235, 11.668}, {10, 4.7954, 18.390}, {50, 37.111, 65.919}} {
		low, high := poisson(c.count)
		near(t, "poisson, low", low, c.low, 1e-3)
		near(t, "poisson, high", high, c.high, 1e-3)
	}
	for _, c := range []struct{ count, all, low, high float64 }{{0, 10, 0, 0.3085}, {5, 10, 0.1871, 0.8129}, {1, 20, 0.0013, 0.2487}, {20, 20, 0.8316, 1}, {30, 100, 0.2124, 0.3998}} {
		low, high := binomial(c.count, c.all)
		near(t, "binomial, low", low, c.low, 1e-4)
		near(t, "binomial, high", high, c.high, 1e-4)
	}
	for freedom, want := range map[float64]float64{1: 12.706, 2: 4.303, 9: 2.262, 30: 2.042, 1000: 1.962} {
		near(t, "student", student(freedom, outside), want, 1e-3)
	}
}

func TestRateAndShare(t *testing.T) {
	// Sessions alike: the exact intervals of all that was counted.
	r := rate([]float64{1, 1, 1, 1, 1}, []float64{2, 2, 2, 2, 2})
	near(t, "rate", r.Value, 0.5, 0)
	near(t, "rate, low", r.Low, 0.16235, 1e-4)
	near(t, "rate, high", r.High, 1.1668, 1e-4)
	s := share([]float64{1, 1, 1, 1, 1}, []float64{2, 2, 2, 2, 2})
	near(t, "share, low", s.Low, 0.1871, 1e-4)
	near(t, "share, high", s.High, 0.8129, 1e-4)
	// All in one session: the same value, a much wider interval.
	if d := rate([]float64{5, 0, 0, 0, 0}, []float64{2, 2, 2, 2, 2}); d.Value != r.Value || d.High < 2*r.High || d.Low > r.Low/2 {
		t.Errorf("%+v is no wider than %+v", d, r)
	}
	if d := share([]float64{2, 2, 1, 0, 0}, []float64{2, 2, 2, 2, 2}); d.Value != s.Value || d.High <= s.High || d.Low >= s.Low {
		t.Errorf("%+v is no wider than %+v", d, s)
	}
	// Nothing observed is nothing known.
	if r := rate(nil, nil); !math.IsNaN(r.Value) || r.Low != 0 || !math.IsInf(r.High, 1) {
		t.Errorf("%+v", r)
	}
	if s := share([]float64{0}, []float64{0}); !math.IsNaN(s.Value) || s.Low != 0 || s.High != 1 {
		t.Errorf("%+v", s)
	}
	// Joined ones hold their value, and are no narrower than each alone.
	a, b := Interval{1, 0.5, 2}, Interval{3, 2, 5}
	if c := a.plus(b); c.Value != 4 || c.Low > 3 || c.High < 6 || c.Low < 2.5 || c.High > 7 {
		t.Errorf("%+v", c)
	}
	if c := a.of(b); c.Value != 3 || c.Low > 2 || c.High < 5 || c.Low < 0 {
		t.Errorf("%+v", c)
	}
}

// What a plan promises is what the interval then says.
func TestPlan(t *testing.T) {
	for _, seen := range []int{0, 1, 5, 20} {
		for _, differ := range []float64{1, 2} {
			shifts := FewestShifts(1, seen, differ)
			_, high := poisson(float64(seen) / differ)
			near(t, "plan of shifts", high*differ/shifts, 1, 1e-9)
			n := float64(FewestEvents(0.1, seen, differ))
			_, enough := binomial(float64(seen)/differ, n/differ)
			_, less := binomial(float64(seen)/differ, (n-1)/differ)
			if enough > 0.1 || less <= 0.1 {
				t.Errorf("%d missed, %g: %v events, upper bounds %v and %v", seen, differ, n, enough, less)
			}
		}
	}
}
