package tune

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// Interval is an estimate with its 95 % interval.
type Interval struct{ Value, Low, High float64 }

// outside is the share of cases that an interval may miss, on each side.
const outside = 0.025

// normal is the quantile of the normal distribution that goes with outside.
const normal = 1.959963984540054

// student gives what Student's t exceeds with a probability of tail, for so many
// degrees of freedom.
func student(freedom, tail float64) float64 {
	if freedom < 1 {
		return math.Inf(1)
	}
	// For t > 0: P(|T| > t) is the regularised incomplete beta of nu/(nu+t²).
	x := mathext.InvRegIncBeta(freedom/2, 0.5, 2*tail)
	return math.Sqrt(freedom * (1 - x) / x)
}

// poisson gives the exact interval of a Poisson mean of which so many were
// counted [Garwood 1936]. The count may be a fraction: see rate.
func poisson(count float64) (low, high float64) {
	if count > 0 {
		low = mathext.GammaIncRegInv(count, outside)
	}
	return low, mathext.GammaIncRegInv(count+1, 1-outside)
}

// binomial gives the exact interval of a share of which so many of all were
// counted [Clopper, Pearson 1934]. Both may be fractions: see share.
func binomial(count, all float64) (low, high float64) {
	if count > 0 {
		low = mathext.InvRegIncBeta(count, all-count+1, outside)
	}
	high = 1
	if all-count > 1e-12 {
		high = mathext.InvRegIncBeta(count+1, all-count, 1-outside)
	}
	return low, high
}

// spread says how much more the sessions differ than chance alone would make them, as
// a ratio of variances, from 1 up. squares is the sum over sessions of (counted -
// expected)², chance the variance that chance alone gives the whole count: so sessions
// weigh in as they do in the figure, large ones more. It is made larger because it is
// estimated from few sessions, by (t/z)², as Student's t does for a mean.
func spread(squares, chance float64, sessions int, wider float64) float64 {
	if sessions < 2 || !(chance > 0) { // nothing was counted
		return 1
	}
	n := float64(sessions)
	return max(squares/chance*n/(n-1)*wider, 1)
}

// widened is (t/z)² for so many sessions.
func widened(sessions int) float64 {
	wider := student(float64(sessions-1), outside) / normal
	return wider * wider
}

// strays gives the sum of (counts - share of sizes)², and how many have a size.
func strays(counts, sizes []float64, share float64) (squares float64, sessions int) {
	for i, n := range sizes {
		if n > 0 {
			squares += (counts[i] - share*n) * (counts[i] - share*n)
			sessions++
		}
	}
	return squares, sessions
}

// rate is what was counted over the exposure in all sessions: its value and
// interval for one unit of exposure. Frames and alarms of one session are not
// independent of each other, so sessions are what is counted: where they differ by
// more than chance, the count is worth less by that ratio, and the exact Poisson
// interval of what it is worth is taken.
func rate(counts, exposure []float64) Interval {
	count, all := sum(counts), sum(exposure)
	if all <= 0 {
		return Interval{math.NaN(), 0, math.Inf(1)}
	}
	squares, sessions := strays(counts, exposure, count/all)
	f := spread(squares, count, sessions, widened(sessions))
	low, high := poisson(count / f)
	return Interval{count / all, low * f / all, high * f / all}
}

// share is which part of all was counted, over all sessions, with its interval:
// the exact binomial one for as many as they are worth where sessions differ by
// more than chance [Korn, Graubard 1998].
func share(counts, all []float64) Interval {
	count, total := sum(counts), sum(all)
	if total <= 0 {
		return Interval{math.NaN(), 0, 1}
	}
	p := count / total
	squares, sessions := strays(counts, all, p)
	f := spread(squares, total*p*(1-p), sessions, widened(sessions))
	low, high := binomial(count/f, total/f)
	return Interval{p, low, high}
}

// reach widens the interval so that it holds another one, of the same figure.
func (a Interval) reach(b Interval) Interval {
	return Interval{a.Value, min(a.Low, b.Low), max(a.High, b.High)}
}

// times multiplies by a number that is known.
func (a Interval) times(k float64) Interval { return Interval{a.Value * k, a.Low * k, a.High * k} }

// plus adds what is independent of it [Zou, Donner 2008].
func (a Interval) plus(b Interval) Interval {
	v := a.Value + b.Value
	return Interval{v, max(v-math.Hypot(a.Value-a.Low, b.Value-b.Low), 0), v + math.Hypot(a.High-a.Value, b.High-b.Value)}
}

// of multiplies by what is independent of it; both are positive.
func (a Interval) of(b Interval) Interval {
	v := a.Value * b.Value
	return Interval{v, max(v-math.Hypot(b.Value*(a.Value-a.Low), a.Value*(b.Value-b.Low)), 0),
		v + math.Hypot(b.Value*(a.High-a.Value), a.Value*(b.High-b.Value))}
}

func sum(list []float64) float64 {
	s := 0.0
	for _, x := range list {
		s += x
	}
	return s
}
