package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"mien/firmware/pilot/tune"
)

// line is a simulated production line: its people, who take turns, and what they do.
// All that happens follows from its seed.
type line struct {
	seed   uint64
	people []person
}

// person is how one worker looks to the network, and what he or she does.
type person struct {
	rest     float64 // level of the resting face
	noise    float64 // standard deviation of the level from reading to reading
	habits   float64 // an hour: short brow movements that mean nothing
	habit    float64 // how high they go above rest
	events   float64 // an hour: what the alarm is for
	strength float64 // how high these go above rest
	turns    float64 // an hour: looks away, and the face cannot be read
}

// lognormal has the median m; s is the standard deviation of its logarithm.
func lognormal(r *rand.Rand, m, s float64) float64 { return m * math.Exp(s*r.NormFloat64()) }

func newLine(seed uint64, people int) *line {
	r := rand.New(rand.NewPCG(seed, 1))
	l := &line{seed: seed}
	for range people {
		l.people = append(l.people, person{
			rest:     min(max(0.15+0.05*r.NormFloat64(), 0.02), 0.3),
			noise:    lognormal(r, 0.03, 0.3),
			habits:   lognormal(r, 2, 0.5),
			habit:    min(max(0.28+0.05*r.NormFloat64(), 0.1), 0.5),
			events:   lognormal(r, 0.8, 0.3),
			strength: min(max(0.55+0.05*r.NormFloat64(), 0.3), 0.8),
			turns:    lognormal(r, 15, 0.5),
		})
	}
	return l
}

// marking is how the truth gets onto paper.
type marking struct {
	late     time.Duration // a mark is up to this late
	unmarked float64       // share of events around which nobody looked: not observed
	skipped  float64       // share of events that were seen and not marked: they count as absent
	breaks   float64       // share of the time in which nobody looks
}

// episode is a movement of the face.
type episode struct {
	from, to time.Duration
	height   float64
}

// longRun is the stream of chance that the truth is taken from.
const longRun = 1

const (
	quiet  = 900 * time.Millisecond // between readings while nothing happens: less than health.stale
	active = 200 * time.Millisecond // during an episode: as the filters of a unit at this rate leave it
	rise   = 400 * time.Millisecond
)

// session is one person's shift: the n-th one of a stream of chance. events scales
// how often what the alarm is for happens.
func (l *line) session(stream, n uint64, length time.Duration, events float64, m marking) *tune.Session {
	r := rand.New(rand.NewPCG(l.seed^stream*0x9e3779b97f4a7c15, n+2))
	p := l.people[r.IntN(len(l.people))]
	if stream == longRun { // each as often as the others: the truth is of the line
		p = l.people[n%uint64(len(l.people))]
	}
	tired, light := lognormal(r, 1, 0.2), 0.02*r.NormFloat64()
	habits := l.episodes(r, p.habits*tired, length, func() (time.Duration, float64) {
		return seconds(min(lognormal(r, 1.2, 0.8), 60)), p.habit + 0.1*r.NormFloat64()
	})
	wanted := l.episodes(r, p.events*events, length, func() (time.Duration, float64) {
		return seconds(min(max(lognormal(r, 5, 0.6), 1), 60)), p.strength + 0.12*r.NormFloat64()
	})
	away := l.episodes(r, p.turns, length, func() (time.Duration, float64) { return seconds(3 * r.ExpFloat64()), 0 })

	s := &tune.Session{Name: fmt.Sprintf("shift %d", n)}
	s.At = make([]time.Duration, 0, int(length/quiet)*5/4)
	s.Level = make([]float32, 0, cap(s.At))
	wander := 0.0
	h, w, a := 0, 0, 0
	for at := time.Duration(0); at <= length; {
		next := at + quiet
		level := p.rest + light + wander + p.noise*r.NormFloat64()
		for _, k := range []struct {
			list []episode
			i    *int
		}{{habits, &h}, {wanted, &w}} {
			for *k.i < len(k.list) && k.list[*k.i].to < at {
				*k.i++
			}
			if *k.i == len(k.list) {
				continue
			}
			e := k.list[*k.i]
			if e.from <= at {
				level += e.height * min(1, float64(at-e.from+active)/float64(rise))
				next = at + active
			} else {
				next = min(next, max(e.from, at+active/2))
			}
		}
		for a < len(away) && away[a].to < at {
			a++
		}
		v := float32(min(max(level, 0), 1))
		if a < len(away) && away[a].from <= at {
			v = float32(math.NaN())
		}
		s.At, s.Level = append(s.At, at), append(s.Level, v)
		wander = 0.995*wander + 0.0015*r.NormFloat64()
		at = next
	}
	s.Spans = mark(r, wanted, length, m)
	return s
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// episodes come by chance, so many an hour, and do not overlap.
func (l *line) episodes(r *rand.Rand, anHour float64, length time.Duration, one func() (time.Duration, float64)) []episode {
	var list []episode
	for at := time.Duration(0); ; {
		at += seconds(3600 / anHour * r.ExpFloat64())
		long, height := one()
		if at+long > length {
			return list
		}
		list = append(list, episode{at, at + long, height})
		at += long
	}
}

// mark turns what happened into what is known of it.
func mark(r *rand.Rand, wanted []episode, length time.Duration, m marking) []tune.Span {
	var spans []tune.Span
	from, i := time.Duration(0), 0
	for from < length {
		watched := length // until when somebody looks
		if m.breaks > 0 {
			watched = min(from+seconds(1800*(1-m.breaks)*2*r.Float64()), length)
		}
		absent := func(to time.Duration) {
			if to > from {
				spans = append(spans, tune.Span{From: from, To: to})
			}
		}
		for ; i < len(wanted) && wanted[i].from < watched; i++ {
			e := wanted[i]
			chance, late := r.Float64(), time.Duration(r.Float64()*float64(m.late))
			switch {
			case e.from < from || chance < m.skipped: // it began before anybody looked, or is taken for nothing
			case chance < m.skipped+m.unmarked:
				absent(max(e.from-30*time.Second, from))
				from = min(e.to+30*time.Second, length)
			default:
				absent(e.from + late)
				spans = append(spans, tune.Span{From: e.from + late, To: e.to + late, Present: true})
				from = e.to + late
			}
		}
		absent(watched)
		from = max(watched, from) + seconds(1800*m.breaks*2*r.Float64())
	}
	return spans
}

// shifts is a source of so many sessions of a stream.
func (l *line) shifts(stream uint64, n int, length time.Duration, events float64, m marking) tune.Source {
	return func(yield func(*tune.Session) error) error {
		for i := range n {
			if err := yield(l.session(stream, uint64(i), length, events, m)); err != nil {
				return err
			}
		}
		return nil
	}
}

// kept makes each session once, for a reader that comes twice.
func kept(source tune.Source) (tune.Source, error) {
	var list []*tune.Session
	err := source(func(s *tune.Session) error {
		list = append(list, s)
		return nil
	})
	return func(yield func(*tune.Session) error) error {
		for _, s := range list {
			if err := yield(s); err != nil {
				return err
			}
		}
		return nil
	}, err
}
