package tune

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// table is what each candidate did in each session.
type table struct {
	grid     *grid    // nil where candidates are only scored
	contest  *contest // the grid's candidates, and behind them others that are only scored
	options  Options
	sessions []observed
	tallies  []tally
	shifts   []float64 // exposure of each session
	present  []float64 // true events of each session
	events   float64   // true events a shift
}

// mostStanding is the share of time that false alarms may stand.
const mostStanding = 0.05

// sums are a candidate's counts over some of the sessions.
type sums struct {
	falses, missed []float64
	squares        []float64 // of falses by exposure: how far the sessions differ
	stood          []float64
	shifts         float64
	present        float64
	watched        float64
	sessions       int
}

func (t *table) newSums() *sums {
	n := len(t.contest.list)
	return &sums{falses: make([]float64, n), missed: make([]float64, n), squares: make([]float64, n), stood: make([]float64, n)}
}

// add counts a session so many times; -1 takes it away.
func (t *table) add(to *sums, session int, times float64) {
	if times == 0 {
		return
	}
	k, e := &t.tallies[session], t.shifts[session]
	for c, f := range k.falses {
		x := float64(f)
		to.falses[c] += times * x
		to.missed[c] += times * float64(k.missed[c])
		if e > 0 && x > 0 {
			to.squares[c] += times * x * x / e
		}
	}
	for c, s := range k.stood {
		if s > 0 {
			to.stood[c] = max(to.stood[c]+times*min(float64(s), 1e9), 0)
		}
	}
	to.shifts += times * e
	to.present += times * t.present[session]
	to.watched += times * t.sessions[session].watched.Seconds()
	to.sessions += int(times)
}

// cost is what a candidate with these counts costs a shift.
func (t *table) cost(falses, shifts, missed, present float64) float64 {
	c := 0.0
	if shifts > 0 {
		c += t.options.CostFalse * falses / shifts
	}
	if present > 0 {
		c += t.options.CostMissed * t.events * missed / present
	}
	return c
}

// choice is what a set of sessions says of the candidates.
type choice struct {
	best    int  // candidate of least cost within the constraints; -1: there is none
	allowed bool // false: none is within the most false alarms, and best has the fewest
	costs   []float64
}

// choose finds the candidate of least cost. Neighbours on the axis of limits see
// nearly the same alarms, so that their mean is the steadier estimate; of several
// with the same cost the one farthest from where it rises is taken.
func (t *table) choose(s *sums, c *choice) {
	n := t.grid.size()
	if len(c.costs) != n {
		c.costs = make([]float64, n)
	}
	width := len(t.grid.limits)
	c.best, c.allowed = -1, false
	fewest, least := -1, math.Inf(1)
	for from := 0; from < n; from += width {
		for l := range width {
			i := from + l
			c.costs[i] = math.Inf(1)
			if s.stood[i] > mostStanding*s.watched {
				continue
			}
			var f, m, q, w float64
			for k := max(l-smooth, 0); k <= min(l+smooth, width-1); k++ {
				if s.stood[from+k] > mostStanding*s.watched {
					continue
				}
				weight := float64(smooth + 1 - abs(k-l))
				f += weight * s.falses[from+k]
				m += weight * s.missed[from+k]
				q += weight * s.squares[from+k]
				w += weight
			}
			f, m, q = f/w, m/w, q/w
			if fewest < 0 || f < s.falses[fewest] {
				fewest = i
			}
			if !t.within(f, q, s) {
				continue
			}
			c.costs[i] = t.cost(f, s.shifts, m, s.present)
			least = min(least, c.costs[i])
		}
	}
	if math.IsInf(least, 1) {
		c.best = fewest
		return
	}
	c.allowed = true
	c.best = t.middle(c.costs, least)
}

// smooth is how many neighbours on each side weigh in, in a triangle.
const smooth = 2

// middle finds, of all candidates whose cost is the least, the one with the most
// of them around it on the axis of limits; of those the one that alarms soonest.
func (t *table) middle(costs []float64, least float64) int {
	tie := least + 1e-9*(1+least)
	width := len(t.grid.limits)
	best, room := -1, -1
	for from := 0; from < len(costs); from += width {
		for l := 0; l < width; {
			if costs[from+l] > tie {
				l++
				continue
			}
			to := l
			for to+1 < width && costs[from+to+1] <= tie {
				to++
			}
			if to-l > room { // an on-delay that is longer comes later, and must be better
				best, room = from+(l+to)/2, to-l
			}
			l = to + 1
		}
	}
	return best
}

// within says whether the upper bound of false alarms is within what is allowed.
func (t *table) within(falses, squares float64, s *sums) bool {
	if s.shifts <= 0 {
		return false
	}
	rate := falses / s.shifts
	if rate > t.options.MostFalse {
		return false
	}
	f := 1.0
	if rate > 0 {
		f = spread(squares/rate-falses, s.sessions)
	}
	return mathext.GammaIncReg(falses/f+1, t.options.MostFalse*s.shifts/f) >= 1-outside
}

func abs(x int) int {
	if x < 0 {
		return -x
	}
	return x
}
