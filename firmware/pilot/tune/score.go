package tune

import (
	"math"
	"time"

	"mien/model/affect"
)

// tally is what each candidate did in one session.
type tally struct {
	falses, missed []uint16  // of each candidate
	stood          []float32 // seconds that its false alarms stood
}

// restless is a condition that changes more often than this: no alarm can be made
// of it, and it is not looked at further.
const restless = time.Second

// scorer has what one goroutine needs to score sessions.
type scorer struct {
	*contest
	options     Options
	runs        []run
	occurrences []occurrence
	hit         []bool
}

// score runs all candidates over a session.
func (sc *scorer) score(s *Session, ob observed) tally {
	var t *track
	levels := s.Level
	n := len(sc.list)
	out := tally{make([]uint16, n), make([]uint16, n), make([]float32, n)}
	for i, g := range sc.groups {
		if i == 0 || g.window != sc.groups[i-1].window {
			if g.window > 0 {
				s.Level = make([]float32, len(levels))
				affect.Filter{Kind: sc.options.Filter, Window: g.window}.Smooth(s.At, levels, mostFrames, s.Level)
			}
			t = newTrack(s, sc.thresholds, sc.below, sc.options.Stale)
		}
		sc.runs = t.runs(g.limit, g.off, sc.runs[:0])
		hopeless := sc.restless(t)
		for _, i := range g.members {
			if hopeless {
				out.falses[i], out.stood[i] = math.MaxUint16, float32(math.Inf(1))
				continue
			}
			c := sc.list[i]
			sc.occurrences = t.occurrences(sc.runs, delays{c.OnDelay, c.OffDelay, sc.options.Hold}, sc.occurrences[:0])
			falses, missed, stood := sc.count(ob)
			out.falses[i], out.missed[i] = uint16(min(falses, math.MaxUint16)), uint16(min(missed, math.MaxUint16))
			out.stood[i] = float32(stood.Seconds())
		}
	}
	s.Level = levels
	return out
}

// mostFrames are those of a second that a filter holds.
const mostFrames = 60

func (sc *scorer) restless(t *track) bool {
	if n := len(t.at); n == 0 || len(sc.runs) < 100 {
		return false
	}
	return (t.at[len(t.at)-1]-t.at[0])/time.Duration(len(sc.runs)) < restless
}

// count compares the occurrences in hand with the truth; both are in order of time.
func (sc *scorer) count(ob observed) (falses, missed int, stood time.Duration) {
	hit := append(sc.hit[:0], make([]bool, len(ob.present))...)
	sc.hit = hit
	allow := sc.options.Allow
	p, a := 0, 0
	for _, o := range sc.occurrences {
		for p < len(ob.present) && ob.present[p].To+allow < o.begin {
			p++
		}
		fits := false
		for i := p; i < len(ob.present) && ob.present[i].From-allow <= o.gone; i++ {
			hit[i], fits = true, true
		}
		if fits {
			continue
		}
		for a < len(ob.absent) && ob.absent[a].To < o.raise {
			a++
		}
		if a < len(ob.absent) && ob.absent[a].From <= o.raise {
			falses++
			stood += o.clear - o.raise
		}
	}
	for _, h := range hit {
		if !h {
			missed++
		}
	}
	return falses, missed, stood
}
