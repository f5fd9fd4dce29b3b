package main

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"mien/firmware/pilot/tune"
)

type options struct {
	pilots, lines, truth int
	seed                 uint64
	sizes                []int // sessions of a pilot, in turn
	each                 io.Writer
}

// summary is what came of all pilots.
type summary struct {
	pilots, enough    int
	all, sure         held      // of all pilots with figures; of those with enough data
	ratios            []float64 // true cost by the best possible, where there was enough
	few, fewNotEnough int       // pilots with fewer than 5 true events
	bySize            map[int][2]int
}

// held counts the intervals that hold the truth.
type held struct{ falses, missed, cost one }

type one struct{ n, in, above int } // above: the truth is

func (o *one) add(i tune.Interval, truth float64) {
	o.n++
	o.in += btoi(i.Low <= truth && truth <= i.High)
	o.above += btoi(truth > i.High)
}

func (o one) String() string {
	n := float64(max(o.n, 1))
	return fmt.Sprintf("%.1f %% of %d (truth above it %.1f %%)", 100*float64(o.in)/n, o.n, 100*float64(o.above)/n)
}

// pilot is one pilot and what it found.
type pilot struct {
	sessions int
	few      bool
	result   *tune.Result
}

// figures says whether there was enough to score an alarm at all.
func (p pilot) figures() bool { return !math.IsNaN(p.result.False.Value) }

const shift = 8 * time.Hour

var (
	truthful = marking{}
	usual    = marking{late: 3 * time.Second, unmarked: 0.05, skipped: 0.002, breaks: 0.1}
)

// reference are the alarms among which the best possible one is.
func reference() []tune.Candidate {
	var list []tune.Candidate
	for limit := 20; limit <= 80; limit += 2 {
		for _, deadband := range []float64{0.04} {
			for _, on := range []time.Duration{0, 300, 600, 1000, 1500, 2000, 3000, 4000} {
				for _, off := range []time.Duration{1, 5} {
					list = append(list, tune.Candidate{Limit: float64(limit) / 100, Deadband: deadband, OnDelay: on * time.Millisecond, OffDelay: off * time.Second})
				}
			}
		}
	}
	return list
}

// try runs the pilots of all lines.
func try(o options) (*summary, error) {
	s := &summary{bySize: make(map[int][2]int)}
	for n := range o.lines {
		r := rand.New(rand.NewPCG(o.seed, uint64(n)))
		l := newLine(r.Uint64(), 12)
		search := tune.Options{Signal: "au4", CostFalse: 10, CostMissed: []float64{10, 20, 50, 100}[r.IntN(4)],
			MostFalse: []float64{2, 4, 8}[r.IntN(3)], Shift: shift, Allow: 5 * time.Second}
		var list []pilot
		for i := range o.pilots/o.lines + btoi(n < o.pilots%o.lines) {
			p := pilot{sessions: o.sizes[i%len(o.sizes)]}
			events := 1.0
			if i%8 == 7 { // one in which hardly anything happens
				p.few, p.sessions, events = true, 3+r.IntN(20), 0.03
			}
			shifts, err := kept(l.shifts(uint64(i)+10, p.sessions, shift, events, usual))
			if err != nil {
				return nil, err
			}
			if p.result, err = tune.Search(shifts, search); err != nil {
				return nil, err
			}
			list = append(list, p)
		}
		if err := s.judge(l, list, search, o, n); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// judge holds a line's pilots against its truth.
func (s *summary) judge(l *line, list []pilot, search tune.Options, o options, n int) error {
	candidates := reference()
	references := len(candidates)
	for _, p := range list {
		if p.figures() {
			candidates = append(candidates, p.result.Best)
		}
	}
	truth, _, err := tune.Score(l.shifts(longRun, o.truth, shift, 1, truthful), candidates, search)
	if err != nil {
		return err
	}
	best := -1
	for i, f := range truth[:references] {
		if f.False.Value <= search.MostFalse && (best < 0 || f.Cost.Value < truth[best].Cost.Value) {
			best = i
		}
	}
	if o.each != nil {
		fmt.Fprintf(o.each, "line %d: missed costs %g, most false %g; best possible %+v false %.3f missed %.3f cost %.3f\n", n, search.CostMissed, search.MostFalse, truth[best].Candidate, truth[best].False.Value, truth[best].Missed.Value, truth[best].Cost.Value)
	}
	at := references
	for _, p := range list {
		s.pilots++
		r := p.result
		if r.Present < 5 {
			s.few++
			s.fewNotEnough += btoi(!r.Enough)
		}
		if !p.few {
			size := s.bySize[p.sessions]
			s.bySize[p.sessions] = [2]int{size[0] + 1, size[1] + btoi(r.Enough)}
		}
		if o.each != nil && !r.Enough {
			fmt.Fprintf(o.each, "  %2d sessions, %3d events: %s\n", p.sessions, r.Present, r.Needs)
		}
		if !p.figures() {
			continue
		}
		t := truth[at]
		at++
		for _, h := range []*held{&s.all, &s.sure} {
			if h == &s.sure && !r.Enough {
				break
			}
			h.falses.add(r.False, t.False.Value)
			h.missed.add(r.Missed, t.Missed.Value)
			if !p.few { // its true events a shift are others than the line's
				h.cost.add(r.Cost, t.Cost.Value)
			}
		}
		if !r.Enough {
			continue
		}
		s.enough++
		if !p.few {
			ratio := t.Cost.Value / truth[best].Cost.Value
			s.ratios = append(s.ratios, ratio)
			if o.each != nil {
				fmt.Fprintf(o.each, "  %2d sessions, %3d events: %+v false %.3f [%.3f %.3f] %.3f missed %.3f [%.3f %.3f] %.3f cost %.2f [%.2f %.2f] %.2f doubt %.3f ratio %.3f\n", p.sessions, r.Present, r.Best,
					r.False.Value, r.False.Low, r.False.High, t.False.Value, r.Missed.Value, r.Missed.Low, r.Missed.High, t.Missed.Value, r.Cost.Value, r.Cost.Low, r.Cost.High, t.Cost.Value, r.Doubt, ratio)
			}
		}
	}
	return nil
}

// ratio gives a quantile of the ratios of cost.
func (s *summary) ratio(q float64) float64 {
	if len(s.ratios) == 0 {
		return 0
	}
	slices.Sort(s.ratios)
	return s.ratios[int(q*float64(len(s.ratios)-1))]
}

func (s *summary) write(w io.Writer) {
	of := func(n, all int) float64 { return 100 * float64(n) / float64(max(all, 1)) }
	fmt.Fprintf(w, "%d pilots, %d with enough data\n", s.pilots, s.enough)
	for _, k := range []struct {
		name string
		held
	}{{"all pilots with figures", s.all}, {"those with enough data", s.sure}} {
		fmt.Fprintf(w, "95 %% intervals of %s hold the truth: false alarms a shift %v, missed share %v, cost %v\n", k.name, k.falses, k.missed, k.cost)
	}
	above := 0
	for _, r := range s.ratios {
		above += btoi(r > 1.1)
	}
	fmt.Fprintf(w, "true cost by the best possible: median %.3f, 90 %% %.3f, 95 %% %.3f, most %.3f; above 1.10: %.1f %% of %d\n", s.ratio(0.5), s.ratio(0.9), s.ratio(0.95), s.ratio(1), of(above, len(s.ratios)), len(s.ratios))
	fmt.Fprintf(w, "fewer than 5 true events: %d pilots, not enough %.1f %%\n", s.few, of(s.fewNotEnough, s.few))
	var sizes []int
	for n := range s.bySize {
		sizes = append(sizes, n)
	}
	slices.Sort(sizes)
	for _, n := range sizes {
		if k := s.bySize[n]; k[0] > 0 {
			fmt.Fprintf(w, "  %2d sessions: %d of %d enough\n", n, k[1], k[0])
		}
	}
}
