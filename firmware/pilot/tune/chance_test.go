package tune

import (
	"flag"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var (
	chancePilots = flag.Int("chance.pilots", 64, "simulated pilots of TestByChance")
	chanceSeed   = flag.Uint64("chance.seed", 1, "of all chance")
)

// worker is how one person looks, and what he or she does: as tools/line has it, but
// whole movements of the face in place of frames, so that thousands of pilots take
// seconds.
type worker struct{ rest, noise, habits, habit, events, strength float64 }

func lognormal(r *rand.Rand, median, s float64) float64 {
	return median * math.Exp(s*r.NormFloat64())
}

func bounded(x, low, high float64) float64 { return min(max(x, low), high) }

// crew is a line of twelve and the alarms that are looked at.
type crew struct {
	workers []worker
	grid    *grid
}

func newCrew(r *rand.Rand) *crew {
	c := &crew{grid: &grid{windows: []time.Duration{0}, deadbands: []float64{0.04}, off: []time.Duration{5 * second}}}
	for range 12 {
		c.workers = append(c.workers, worker{bounded(0.15+0.05*r.NormFloat64(), 0.02, 0.3), lognormal(r, 0.03, 0.3), lognormal(r, 2, 0.5),
			bounded(0.28+0.05*r.NormFloat64(), 0.1, 0.5), lognormal(r, 0.8, 0.3), bounded(0.55+0.05*r.NormFloat64(), 0.3, 0.8)})
	}
	for _, ms := range []time.Duration{0, 300, 600, 1000, 1500, 2000, 3000, 5000} {
		c.grid.on = append(c.grid.on, ms*time.Millisecond)
	}
	for k := range 56 {
		c.grid.limits = append(c.grid.limits, roundTo(0.25+0.0125*float64(k), 1e-4))
	}
	return c
}

// shift is one shift of a worker: what each alarm did, the part of it that was watched,
// and how many true events were seen. In a truthful one all is seen and marked.
func (c *crew) shift(r *rand.Rand, w worker, often float64, truthful bool) (k tally, watched float64, present int) {
	n := c.grid.size()
	k = tally{make([]uint16, n), make([]uint16, n), make([]float32, n)}
	tired, base := lognormal(r, 1, 0.2), w.rest+0.02*r.NormFloat64()
	watched = 0.8 + 0.2*r.Float64()
	if truthful {
		watched = 1
	}
	put := func(counts []uint16, height, lasts float64, raised bool) {
		level := base + height + 0.5*w.noise*math.Abs(r.NormFloat64())
		for j, on := range c.grid.on {
			for i, limit := range c.grid.limits {
				if (level > limit && lasts-0.2 >= on.Seconds()) == raised {
					counts[j*len(c.grid.limits)+i]++
				}
			}
		}
	}
	each := func(mean float64, one func()) {
		for at := r.ExpFloat64(); at < mean; at += r.ExpFloat64() {
			one()
		}
	}
	each(8*watched*w.habits*tired, func() { put(k.falses, w.habit+0.1*r.NormFloat64(), min(lognormal(r, 1.2, 0.8), 60), true) })
	each(8*watched*w.events*often, func() {
		height, lasts, seen := w.strength+0.12*r.NormFloat64(), bounded(lognormal(r, 5, 0.6), 1, 60), r.Float64()
		if r.Float64() < 0.01 { // looks away
			lasts = 0
		}
		switch {
		case !truthful && seen < 0.002: // taken for nothing
			put(k.falses, height, lasts, true)
		case !truthful && seen < 0.052: // nobody looked
		default:
			present++
			put(k.missed, height, lasts, false)
		}
	})
	return k, watched, present
}

// truth is what each alarm does in the long run.
func (c *crew) truth(r *rand.Rand, shifts int) (falses, missed []float64, events float64) {
	falses, missed = make([]float64, c.grid.size()), make([]float64, c.grid.size())
	for i := range shifts {
		k, _, present := c.shift(r, c.workers[i%len(c.workers)], 1, true)
		for a := range falses {
			falses[a] += float64(k.falses[a]) / float64(shifts)
			missed[a] += float64(k.missed[a])
		}
		events += float64(present)
	}
	for a := range missed {
		missed[a] /= events
	}
	return falses, missed, events / float64(shifts)
}

// Of many pilots the intervals hold the truth as often as they say; where there is
// enough, the recommended alarm costs hardly more than the best possible one; and few
// events are never enough. With -chance.pilots 1000 and other seeds: docs/pilot.md.
func TestByChance(t *testing.T) {
	const perLine = 32
	pilots := *chancePilots
	var falses, missed struct{ all, held int }
	var ratios []float64
	few, enoughOf := 0, map[int][2]int{}
	for line := range uint64((pilots + perLine - 1) / perLine) {
		r := rand.New(rand.NewPCG(*chanceSeed, line))
		c := newCrew(r)
		o := Options{Signal: "au4", CostFalse: 10, CostMissed: []float64{10, 20, 50, 100}[r.IntN(4)], MostFalse: []float64{2, 4, 8}[r.IntN(3)], Shift: 8 * time.Hour}
		if err := o.whole(); err != nil {
			t.Fatal(err)
		}
		trueFalse, trueMissed, events := c.truth(r, 3000)
		cost := func(a int) float64 { return o.CostFalse*trueFalse[a] + o.CostMissed*events*trueMissed[a] }
		best := math.Inf(1)
		for a := range trueFalse {
			if trueFalse[a] <= o.MostFalse {
				best = min(best, cost(a))
			}
		}
		for i := range min(perLine, pilots-int(line)*perLine) {
			sessions, often := []int{10, 21, 42, 90}[i%4], 1.0
			if i%8 == 7 { // one in which hardly anything happens
				sessions, often = 3+r.IntN(20), 0.03
			}
			p := &table{grid: c.grid, options: o, contest: &contest{list: c.grid.candidates()}}
			total := 0
			for range sessions {
				k, watched, present := c.shift(r, c.workers[r.IntN(len(c.workers))], often, false)
				p.tallies, p.sessions = append(p.tallies, k), append(p.sessions, observed{watched: time.Duration(watched * float64(o.Shift))})
				p.shifts, p.present = append(p.shifts, watched), append(p.present, float64(present))
				total += present
			}
			if total < fewestEvents { // Search looks no further
				few++
				continue
			}
			result := &Result{Events: rate(p.present, p.shifts), Hours: sum(p.shifts) * 8}
			p.events = result.Events.Value
			p.judge(result)
			a := slices.Index(p.contest.list, result.Best)
			falses.all++
			missed.all++
			if x := trueFalse[a]; result.False.Low <= x && x <= result.False.High {
				falses.held++
			}
			if x := trueMissed[a]; result.Missed.Low <= x && x <= result.Missed.High {
				missed.held++
			}
			if often < 1 {
				sessions = 0
			}
			of := enoughOf[sessions]
			of[0]++
			if result.Enough {
				of[1]++
				ratios = append(ratios, cost(a)/best)
			}
			enoughOf[sessions] = of
		}
	}
	slices.Sort(ratios)
	above := 0
	for _, x := range ratios {
		if x > 1.1 {
			above++
		}
	}
	share := func(part, all int) float64 { return 100 * float64(part) / float64(max(all, 1)) }
	t.Logf("%d pilots, %d with fewer than %d events; intervals hold the truth: false alarms %.1f %%, missed share %.1f %% of %d", pilots, few, fewestEvents, share(falses.held, falses.all), share(missed.held, missed.all), missed.all)
	if n := len(ratios); n > 0 {
		t.Logf("enough: %d; true cost by the best possible: median %.3f, 95 %% within %.3f, most %.3f; above 1.10: %d", n, ratios[n/2], ratios[n*95/100], ratios[n-1], above)
	}
	for _, n := range []int{10, 21, 42, 90, 0} {
		t.Logf("%d shifts (0: few events): %d of %d enough", n, enoughOf[n][1], enoughOf[n][0])
	}
	if x, y := share(falses.held, falses.all), share(missed.held, missed.all); x < 88 || y < 88 {
		t.Errorf("intervals hold the truth in %.1f and %.1f %%", x, y)
	}
	if len(ratios) == 0 || ratios[len(ratios)/2] > 1.03 || share(above, len(ratios)) > 20 {
		t.Errorf("true cost by the best possible: %v", ratios)
	}
	if of := enoughOf[0]; of[1] > 0 {
		t.Errorf("%d of %d with few events have enough", of[1], of[0])
	}
}
