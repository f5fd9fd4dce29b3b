package tune

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// contest is a list of candidates, ready to be scored.
type contest struct {
	list       []Candidate
	groups     []group
	thresholds []float32 // all that a level is compared with, in order
	below      bool
}

// group is the candidates with the same limit and deadband: they see the same
// condition. Groups with the same window stand together.
type group struct {
	window     time.Duration
	limit, off int // indexes of thresholds
	members    []int
}

func newContest(list []Candidate, below bool) *contest {
	c := &contest{list: list, below: below}
	type pair struct {
		on, off float32
		window  time.Duration
	}
	at := make(map[pair]int)
	var pairs []pair
	for i, k := range list {
		var p pair
		p.on, p.off = c.compared(k.Limit, k.Deadband)
		p.window = k.Window
		g, known := at[p]
		if !known {
			g = len(c.groups)
			at[p] = g
			pairs = append(pairs, p)
			c.groups = append(c.groups, group{window: p.window})
			c.thresholds = append(c.thresholds, p.on, p.off)
		}
		c.groups[g].members = append(c.groups[g].members, i)
	}
	slices.Sort(c.thresholds)
	c.thresholds = slices.Compact(c.thresholds)
	for g, p := range pairs {
		c.groups[g].limit, _ = slices.BinarySearch(c.thresholds, p.on)
		c.groups[g].off, _ = slices.BinarySearch(c.thresholds, p.off)
	}
	slices.SortStableFunc(c.groups, func(a, b group) int { return cmp.Compare(a.window, b.window) })
	return c
}

// compared gives the two levels that an alarm compares with, computed as it does
// itself; for a low limit with the sign turned.
func (c *contest) compared(limit, deadband float64) (on, off float32) {
	l, d := float32(limit), float32(deadband)
	if c.below {
		return -l, -(l + d)
	}
	return l, l - d
}

// grid is what a search looks at: each limit with each deadband and each pair of
// delays.
type grid struct {
	windows   []time.Duration
	limits    []float64 // neighbours stand side by side
	deadbands []float64
	on, off   []time.Duration
}

// newGrid has limits between the level of quiet work and the highest level while
// present. Steps are round numbers, so that what is recommended can be read.
func newGrid(low, high float64, longest time.Duration, frames int, below bool, windows []time.Duration) *grid {
	g := &grid{windows: windows}
	most := 60
	g.on = []time.Duration{0, 300 * time.Millisecond, 600 * time.Millisecond, time.Second, 1500 * time.Millisecond, 2 * time.Second, 3 * time.Second, 5 * time.Second, 8 * time.Second}
	g.off = []time.Duration{time.Second, 5 * time.Second}
	shares := []float64{0.03, 0.08}
	if frames > 4_000_000 { // a month: what is looked at is bounded
		most = 40
		g.on = []time.Duration{0, 500 * time.Millisecond, time.Second, 1500 * time.Millisecond, 2 * time.Second, 3 * time.Second, 5 * time.Second}
		g.off = []time.Duration{2 * time.Second}
	}
	g.on = slices.DeleteFunc(g.on, func(d time.Duration) bool { return d > longest && d > 0 })
	width := max(high-low, 1e-3)
	step := roundStep(width / float64(most))
	for k := math.Floor(low / step); ; k++ {
		limit := roundTo(k*step, step)
		if limit > high+step/2 || len(g.limits) > 2*most {
			break
		}
		if below {
			limit = -limit
		}
		g.limits = append(g.limits, limit)
	}
	for _, s := range shares {
		unit := roundStep(width / 100)
		if d := roundTo(s*width, unit); !slices.Contains(g.deadbands, d) {
			g.deadbands = append(g.deadbands, d)
		}
	}
	return g
}

// candidates are in the order [window][deadband][on][off][limit].
func (g *grid) candidates() []Candidate {
	list := make([]Candidate, 0, g.size())
	for _, window := range g.windows {
		for _, deadband := range g.deadbands {
			for _, on := range g.on {
				for _, off := range g.off {
					for _, limit := range g.limits {
						list = append(list, Candidate{limit, deadband, on, off, window})
					}
				}
			}
		}
	}
	return list
}

func (g *grid) size() int {
	return len(g.windows) * len(g.deadbands) * len(g.on) * len(g.off) * len(g.limits)
}

// roundStep gives 1, 2 or 5 times a power of ten, at least as large as x.
func roundStep(x float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 5} {
		if m*p >= x*(1-1e-9) {
			return m * p
		}
	}
	return 10 * p
}

// roundTo gives x with the digits of a step, so that it prints as a person would
// write it.
func roundTo(x, step float64) float64 {
	p := math.Pow(10, math.Max(0, -math.Floor(math.Log10(step)+1e-9)))
	return math.Round(x*p) / p
}
