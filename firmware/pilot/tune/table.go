package tune

import (
	"math"
	"math/rand/v2"
	"slices"

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
	smoothed []smoothed
}

// mostStanding is the share of time that false alarms may stand.
const mostStanding = 0.05

// smoothed is a tally in which each candidate's counts are the mean of its own and
// its neighbours': they see nearly the same alarms, so that the mean is steadier.
type smoothed struct{ falses, missed []float32 }

// kernel is how much neighbours weigh in on each axis, from oneself outwards.
var kernel = struct{ limit, on, other []float64 }{[]float64{4, 3, 2, 1}, []float64{3, 1}, []float64{2, 1}}

func (t *table) smooth() {
	g := t.grid
	shape := []struct {
		n, stride int
		weights   []float64
	}{
		{len(g.limits), 1, kernel.limit},
		{len(g.off), len(g.limits), kernel.other},
		{len(g.on), len(g.limits) * len(g.off), kernel.on},
		{len(g.deadbands), len(g.limits) * len(g.off) * len(g.on), kernel.other},
	}
	n := g.size()
	for _, k := range t.tallies {
		s := smoothed{make([]float32, n), make([]float32, n)}
		for i := range n {
			s.falses[i], s.missed[i] = float32(k.falses[i]), float32(k.missed[i])
		}
		for _, axis := range shape {
			if len(axis.weights) > 1 && axis.n > 1 {
				s.falses, s.missed = along(s.falses, axis.n, axis.stride, axis.weights), along(s.missed, axis.n, axis.stride, axis.weights)
			}
		}
		t.smoothed = append(t.smoothed, s)
	}
}

func along(x []float32, n, stride int, weights []float64) []float32 {
	out := make([]float32, len(x))
	for i := range x {
		at := i / stride % n
		total, w := 0.0, 0.0
		for k := max(at-len(weights)+1, 0); k <= min(at+len(weights)-1, n-1); k++ {
			weight := weights[abs(k-at)]
			total += weight * float64(x[i+(k-at)*stride])
			w += weight
		}
		out[i] = float32(total / w)
	}
	return out
}

// sums are the candidates' counts over some of the sessions.
type sums struct {
	falses, missed []float64 // smoothed
	squares, cross []float64 // of falses, and of them times exposure: how far the sessions differ
	stood          []float64 // as it is
	shifts         float64
	long           float64 // sum of the squares of exposures
	present        float64
	watched        float64
	sessions       int
}

func (t *table) newSums() *sums {
	n := t.grid.size()
	return &sums{falses: make([]float64, n), missed: make([]float64, n), squares: make([]float64, n), cross: make([]float64, n), stood: make([]float64, n)}
}

func (s *sums) clear() {
	for _, list := range [][]float64{s.falses, s.missed, s.squares, s.cross, s.stood} {
		clear(list)
	}
	s.shifts, s.long, s.present, s.watched, s.sessions = 0, 0, 0, 0, 0
}

// add counts a session so many times; -1 takes it away.
func (t *table) add(to *sums, session int, times float64) {
	if times == 0 {
		return
	}
	k, e := &t.smoothed[session], t.shifts[session]
	for c, f := range k.falses {
		x := float64(f)
		to.falses[c] += times * x
		to.missed[c] += times * float64(k.missed[c])
		to.squares[c] += times * x * x
		to.cross[c] += times * x * e
	}
	for c, s := range t.tallies[session].stood[:len(k.falses)] {
		if s > 0 {
			to.stood[c] = max(to.stood[c]+times*min(float64(s), 1e9), 0)
		}
	}
	to.shifts += times * e
	to.long += times * e * e
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
	best    int       // candidate of least cost within the constraints; -1: there is none
	allowed bool      // false: none is within the most false alarms, and best has the fewest
	costs   []float64 // infinite where a candidate is not within them
	all     []float64 // the same for every candidate
	likely  []float64 // the same, where the estimate, not its upper bound, must be within
}

// choose finds the candidate of least cost.
func (t *table) choose(s *sums, c *choice) {
	n := t.grid.size()
	if len(c.costs) != n {
		c.costs, c.likely, c.all = make([]float64, n), make([]float64, n), make([]float64, n)
	}
	c.best, c.allowed = -1, false
	fewest, least := -1, math.Inf(1)
	wider := widened(s.sessions)
	for i := range n {
		c.costs[i], c.likely[i], c.all[i] = math.Inf(1), math.Inf(1), math.Inf(1)
		if s.stood[i] > mostStanding*s.watched {
			continue
		}
		f := max(s.falses[i], 0) // what was added and taken away leaves crumbs
		if fewest < 0 || f < s.falses[fewest] {
			fewest = i
		}
		cost := t.cost(f, s.shifts, max(s.missed[i], 0), s.present)
		c.all[i] = cost
		if f <= t.options.MostFalse*s.shifts {
			c.likely[i] = cost
		}
		if cost <= tied(least) && t.within(f, i, wider, s) { // others do not matter
			c.costs[i] = cost
			least = min(least, cost)
		}
	}
	if math.IsInf(least, 1) {
		c.best = max(fewest, 0)
		return
	}
	c.allowed = true
	c.best = t.middle(c.costs, least)
}

// doubt says by what share the best possible alarm may cost less than the one that was
// found: as far as other sessions like these would have found another one (redrawn), and
// as far as another one can be cheaper in these (rivalled). Each sees what the other does
// not. The second takes the worst of some hundred rivals, each at 95 %, and is too high
// by that: a quarter of it counts, which simulated lines bear out (tools/line).
func (t *table) doubt(whole *choice) float64 {
	return max(t.redrawn(whole), t.rivalled(whole)/4)
}

// redrawn is how far the choice changes with the sessions. As the line is to these sessions, so are these to sessions drawn from
// them with replacement. What is found in a draw is priced here: it is not exceeded
// in nine of ten draws. That alone is blind for what is best by luck, because most
// draws share it. So what was found here is priced in the draws as well, beside
// what is best there: that is not exceeded in three of four, and is too high for
// what varies by chance alone. The larger of the two counts, and with few sessions
// more: see widened.
func (t *table) redrawn(whole *choice) float64 {
	const draws = 100
	best := slices.Min(whole.likely)
	if best <= 0 || math.IsInf(best, 1) {
		return 0
	}
	r := rand.New(rand.NewPCG(1, uint64(len(t.sessions))))
	var drawn choice
	var there, here []float64
	times := make([]float64, len(t.sessions))
	s := t.newSums()
	for range draws {
		clear(times)
		for range t.sessions {
			times[r.IntN(len(times))]++
		}
		s.clear()
		for i, n := range times {
			t.add(s, i, n)
		}
		t.choose(s, &drawn)
		there = append(there, whole.all[drawn.best]/best-1)
		if least := slices.Min(drawn.likely); least > 0 && !math.IsInf(least, 1) {
			here = append(here, drawn.all[whole.best]/least-1)
		}
	}
	slices.Sort(there)
	slices.Sort(here)
	more := there[len(there)*9/10]
	if len(here) > 0 {
		more = max(more, here[len(here)*3/4])
	}
	return max(more, 0) * widened(len(t.sessions))
}

// rivalled is, over all other candidates, by what share one can be cheaper than what was
// found, with 95 % certainty (one side), in the same sessions. Two that see nearly the
// same alarms differ in few of them, and chance makes little of that; so pairs are
// compared, and not each one's own interval. Counts are the sessions' own and not the
// smoothed ones: where smoothing has moved the choice away from the best, that shows here.
func (t *table) rivalled(whole *choice) float64 {
	exposure, present := sum(t.shifts), sum(t.present)
	if exposure <= 0 || present <= 0 {
		return mostDoubtful
	}
	k := float64(len(t.sessions))
	perFalse, perMissed := t.options.CostFalse/exposure, t.options.CostMissed*t.events/present
	price := func(k *tally, c int) float64 { return perFalse*float64(k.falses[c]) + perMissed*float64(k.missed[c]) }

	n := t.grid.size()
	falses, missed, squares := make([]float64, n), make([]float64, n), make([]float64, n)
	for s := range t.tallies {
		for c := range n {
			falses[c] += float64(t.tallies[s].falses[c])
			missed[c] += float64(t.tallies[s].missed[c])
		}
	}
	best := whole.best
	for s := range t.tallies {
		mine := price(&t.tallies[s], best)
		for c := range n {
			// What the session adds to the difference, beside what one of its size would.
			d := mine - price(&t.tallies[s], c) - perFalse*(falses[best]-falses[c])*t.shifts[s]/exposure - perMissed*(missed[best]-missed[c])*t.present[s]/present
			squares[c] += d * d
		}
	}
	found := perFalse*falses[best] + perMissed*missed[best]
	q, worst := student(k-1, 2*outside), 0.0
	if found <= 0 { // nothing can cost less; one more event that was missed, beside no alarm at all
		return min(q/present, mostDoubtful)
	}
	// Where few events tell two alarms apart, or none, one of each kind more is what chance
	// may have kept from being seen.
	unseen := perFalse*perFalse + perMissed*perMissed
	for c := range n {
		if c == best || math.IsInf(whole.likely[c], 1) {
			continue
		}
		cheaper := found - perFalse*falses[c] - perMissed*missed[c] + q*math.Sqrt(squares[c]*k/(k-1)+unseen)
		if cheaper >= found {
			return mostDoubtful
		}
		worst = max(worst, cheaper/(found-cheaper))
	}
	return min(worst, mostDoubtful)
}

// mostDoubtful is a doubt that says nothing.
const mostDoubtful = 10

// middle finds, of all candidates whose cost is the least, the one that alarms
// soonest and has room on the axis of limits: at least half as many neighbours of the
// same cost as any has.
func (t *table) middle(costs []float64, least float64) int {
	type plateau struct{ from, to int }
	var list []plateau
	width, most := len(t.grid.limits), 0
	for row := 0; row < len(costs); row += width {
		for l := row; l < row+width; l++ {
			if costs[l] > tied(least) {
				continue
			}
			p := plateau{l, l}
			for l+1 < row+width && costs[l+1] <= tied(least) {
				l++
			}
			p.to = l
			list = append(list, p)
			most = max(most, p.to-p.from)
		}
	}
	best := plateau{-1, -1}
	for _, p := range list {
		if 2*(p.to-p.from) < most {
			continue
		}
		if best.from < 0 {
			best = p
			continue
		}
		a, b := t.contest.list[p.from].OnDelay, t.contest.list[best.from].OnDelay
		if a < b || a == b && p.to-p.from > best.to-best.from {
			best = p
		}
	}
	return (best.from + best.to) / 2
}

// tied is the most that counts as the same cost.
func tied(cost float64) float64 { return cost + 1e-9*(1+cost) }

// within says whether the upper bound of a candidate's false alarms is within what is
// allowed: as rate has it.
func (t *table) within(falses float64, candidate int, wider float64, s *sums) bool {
	if s.shifts <= 0 {
		return false
	}
	rate := falses / s.shifts
	if rate > t.options.MostFalse {
		return false
	}
	f := spread(s.squares[candidate]-2*rate*s.cross[candidate]+rate*rate*s.long, falses, s.sessions, wider)
	return mathext.GammaIncReg(falses/f+1, t.options.MostFalse*s.shifts/f) >= 1-outside
}

func abs(x int) int {
	if x < 0 {
		return -x
	}
	return x
}
