package main

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"mien/firmware/pilot/drift"
)

// plant is a line as drift sees it: three shifts of four turns a day, each day of the
// week. Twelve people in three crews go from shift to shift week by week; one
// in twenty is away, and another of the twelve stands in. Each signal has resting faces
// and habits of its own, and a light that tells on it more or less.
type plant struct {
	seed    uint64
	names   []string
	signals []signal
	people  []looks
	places  place
}

type signal struct {
	light float64       // standard deviation that a turn's light brings
	turns [][]drift.Sum // of each person, turns that were simulated reading by reading
}

// pool is how many turns of each person and signal are simulated; days are made of
// them, each with a light of its own.
const pool = 6

// looks is what a person's face and ways do to the picture.
type looks struct {
	size, score float64
	shares      []float64 // of the time, in which there is no reading, by reason
}

// place is how the plant differs from the usual one.
type place struct {
	turns int  // a shift; 1: one person a shift
	crews bool // one shift a day is worked, by another crew each week
}

const (
	driftSignals = 18 // those of the network that infer no emotion
	driftReasons = 11
	shiftsADay   = 3
)

func newPlant(seed uint64, where place) *plant {
	r := rand.New(rand.NewPCG(seed, 7))
	p := &plant{seed: seed, places: where}
	var signals []string
	for i := range driftSignals {
		signals = append(signals, fmt.Sprintf("au%d", i+1))
		p.signals = append(p.signals, newSignal(r, shift/time.Duration(where.turns)))
	}
	p.names = drift.Names(signals)
	for range 12 {
		l := looks{size: 130 + 8*r.NormFloat64(), score: 0.85 + 0.02*r.NormFloat64()}
		for k := range driftReasons {
			l.shares = append(l.shares, lognormal(r, []float64{0.1, 0.002, 0.01, 0.001, 0.002, 0.06, 0.02, 0.003, 0.001, 0.002, 0.01}[k], 0.5))
		}
		p.people = append(p.people, l)
	}
	return p
}

func newSignal(r *rand.Rand, turn time.Duration) signal {
	s := signal{light: lognormal(r, 0.01, 0.7)}
	of := newLine(r.Uint64(), 12)
	for i := range of.people {
		one := &line{seed: of.seed ^ uint64(i), people: of.people[i : i+1]}
		list := make([]drift.Sum, pool)
		for n := range list {
			session, last := one.session(longRun, uint64(n), turn, 1, marking{}), time.Duration(0)
			for j, level := range session.Level {
				if level == level {
					list[n].Add((session.At[j] - last).Seconds(), float64(level))
				}
				last = session.At[j]
			}
		}
		s.turns = append(s.turns, list)
	}
	return s
}

// works are who works on a day, turn by turn, and in which shift.
func (p *plant) works(r *rand.Rand, day int) (who, in []int) {
	for s := range shiftsADay {
		if p.places.crews && s > 0 {
			break
		}
		crew := (s + day/7) % 3
		for t := range p.places.turns {
			i := crew*4 + t
			if p.places.turns == 1 { // one of the crew, by chance
				i = crew*4 + r.IntN(4)
			}
			if r.IntN(20) == 0 {
				i = r.IntN(12)
			}
			who, in = append(who, i), append(in, s)
		}
	}
	return who, in
}

// day is one day of a stream of chance; by is added to the level of each signal.
func (p *plant) day(stream uint64, n int, weather *float64, by []float64) *drift.Day {
	r := rand.New(rand.NewPCG(p.seed^stream*0x9e3779b97f4a7c15, uint64(n)+3))
	who, in := p.works(r, n)
	turn := shift / time.Duration(p.places.turns)
	d := &drift.Day{Date: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n).Format(time.DateOnly), Of: make([]drift.Sum, len(p.names))}
	*weather = 0.5**weather + 6*r.NormFloat64()
	for t, i := range who {
		look, seconds := &p.people[i], turn.Seconds()
		luma := 115.0 + 4*r.NormFloat64()
		if in[t] == shiftsADay-1 {
			luma -= 15
		} else {
			luma += *weather
		}
		missing := min(look.shares[0]*lognormal(r, 1, 0.3), 0.5)
		found, unread := seconds*(1-missing), 0.0
		d.Of[0].Add(found, luma)
		d.Of[1].Add(found, 0.35*luma+2*r.NormFloat64())
		d.Of[2].Add(found, look.size+4*r.NormFloat64())
		d.Of[3].Add(found, look.score+0.01*r.NormFloat64())
		d.Of[4].Add(seconds, missing)
		for k := 1; k < driftReasons; k++ {
			share := min(look.shares[k]*lognormal(r, 1, 0.4), 0.3)
			d.Of[4+k].Add(found, share)
			unread += share
		}
		d.Read += found * (1 - min(unread, 0.9))
	}
	for k := range p.signals {
		sum, from := &d.Of[4+driftReasons+k], &p.signals[k]
		for _, i := range who {
			turn, lit := from.turns[i][r.IntN(pool)], from.light*r.NormFloat64()+by[k]
			sum.Seconds += turn.Seconds
			sum.Sum += turn.Sum + lit*turn.Seconds
			sum.Squares += turn.Squares + 2*lit*turn.Sum + lit*lit*turn.Seconds
		}
	}
	return d
}

// driftSummary is what came of all plants.
type driftSummary struct {
	pilot         int // days
	quiet, faults int // days, and how often a fault began on them
	told          int // quantities that were told on them
	changes       int // of one signal by half a standard deviation
	one, three    int // of those, told after the first day; within three
	sizes         []float64
}

type driftOptions struct {
	plants, pilot, quiet int // plants, and days of each
	tries                int // of each change, at each plant
	seed                 uint64
	place                place
	half                 float64 // standard deviations of a change
	each                 io.Writer
}

// quietDays are those of each plant.
const quietDays = 200

// driftPlaces are the plants that the command goes through.
var driftPlaces = []struct {
	name  string
	pilot int // days
	place place
}{
	{"three shifts, four turns each", 14, place{turns: 4}},
	{"the same", 10, place{turns: 4}},
	{"the same", 28, place{turns: 4}},
	{"three shifts, one person each", 14, place{turns: 1}},
	{"one shift, another of three crews each week", 14, place{turns: 4, crews: true}},
	{"the same", 42, place{turns: 4, crews: true}},
}

// driftAll tries all places, over so many quiet days each.
func driftAll(days int, seed uint64, each, w io.Writer) {
	for i, k := range driftPlaces {
		fmt.Fprintln(w, k.name)
		s := tryDrift(driftOptions{plants: (days + quietDays - 1) / quietDays, pilot: k.pilot, quiet: quietDays, tries: 10,
			seed: seed*1_000_003 + uint64(i)*100_003, place: k.place, half: 0.5, each: each})
		s.write(w)
	}
}

// tryDrift makes a baseline at each plant, goes through quiet days, and then changes
// each signal, as far as its own days are concerned, by so much.
func tryDrift(o driftOptions) *driftSummary {
	s := &driftSummary{pilot: o.pilot}
	for n := range o.plants {
		p := newPlant(o.seed+uint64(n)*7919, o.place)
		none, weather := make([]float64, driftSignals), 0.0
		var l drift.Learner
		day := 0
		for ; day < o.pilot; day++ {
			l.Day(p.names, p.day(1, day, &weather, none))
		}
		b := l.Baseline(p.names)
		if b == nil {
			continue // too few days
		}
		for try := range o.tries {
			by, told := make([]float64, driftSignals), make([]bool, driftSignals)
			for k := range by {
				by[k] = o.half * b.Of[4+driftReasons+k].Spread * float64(1-2*(try%2))
				s.sizes = append(s.sizes, math.Abs(by[k])/b.Of[4+driftReasons+k].Between)
			}
			var changed drift.Course
			for i := range 3 {
				changed.Day(b, p.names, p.day(uint64(try+10), day+i, &weather, by))
				for k := range by {
					if _, on := changed.Told[p.names[4+driftReasons+k]]; on && !told[k] {
						told[k] = true
						s.three++
						s.one += btoi(i == 0)
					}
				}
			}
			s.changes += len(by)
		}
		var c drift.Course
		before := map[string]string{}
		for range o.quiet {
			c.Day(b, p.names, p.day(3, day, &weather, none))
			day++
			s.quiet++
			if len(before) == 0 && len(c.Told) > 0 {
				s.faults++
			}
			now := map[string]string{}
			for name, since := range c.Told {
				now[name] = since
				if _, on := before[name]; !on {
					s.told++
					if o.each != nil {
						fmt.Fprintf(o.each, "plant %d, quiet day %d: %s\n", n, day-o.pilot, name)
					}
				}
			}
			before = now
		}
	}
	return s
}

func (s *driftSummary) write(w io.Writer) {
	share := func(n, of int) float64 { return float64(n) / float64(max(of, 1)) }
	fmt.Fprintf(w, "baselines of %d days, %d quiet days: a fault begins on %.1f in 1,000 days, %.1f quantities are told in 1,000 days\n", s.pilot, s.quiet, 1000*share(s.faults, s.quiet), 1000*share(s.told, s.quiet))
	slices.Sort(s.sizes)
	middle := 0.0
	if n := len(s.sizes); n > 0 {
		middle = s.sizes[n/2]
	}
	fmt.Fprintf(w, "  %d changes of one signal, %.1f times what its days differ by (median): told within one day %.1f %%, within three %.1f %%\n", s.changes, middle, 100*share(s.one, s.changes), 100*share(s.three, s.changes))
}
