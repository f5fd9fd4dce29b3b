package tune

import (
	"math"
	"slices"
	"sort"
	"time"
)

// track is a session made ready for many candidates: of each frame its time, and
// its level as the number of thresholds that it reaches.
type track struct {
	at     []time.Duration
	rank   []uint16
	blocks []block
	gap    time.Duration // longer between two frames is a gap
}

// noRank is an Unknown level.
const noRank = math.MaxUint16

// block is what can be said of so many frames at once.
type block struct {
	low, high uint16 // of the ranks
	mixed     bool   // has an Unknown, or a gap before one of its frames
}

const blockFrames = 64

// newTrack ranks the levels of a session. thresholds are in order. What is below
// has its sign turned, so that all is a high limit.
func newTrack(s *Session, thresholds []float32, below bool, gap time.Duration) *track {
	t := &track{at: s.At, rank: make([]uint16, len(s.At)), gap: gap}
	for i, level := range s.Level {
		if below {
			level = -level
		}
		t.rank[i] = rankOf(level, thresholds)
	}
	for from := 0; from < len(t.rank); from += blockFrames {
		b := block{low: noRank}
		for i := from; i < min(from+blockFrames, len(t.rank)); i++ {
			r := t.rank[i]
			if r == noRank || i > 0 && t.at[i]-t.at[i-1] > gap {
				b.mixed = true
			}
			b.low, b.high = min(b.low, r), max(b.high, r)
		}
		t.blocks = append(t.blocks, b)
	}
	return t
}

func rankOf(level float32, thresholds []float32) uint16 {
	if level != level || math.IsInf(float64(level), 0) {
		return noRank
	}
	return uint16(sort.Search(len(thresholds), func(i int) bool { return thresholds[i] > level }))
}

type value uint8

const (
	unknown value = iota
	no
	yes
)

// run is frames in a row with the same value of the condition and no gap between
// two of them.
type run struct {
	value       value
	gap         bool // between the frame before and its first
	first, last int32
}

// runs gives the condition over the session for a limit and its off-limit, as
// indexes of thresholds. It appends to list.
func (t *track) runs(limit, off int, list []run) []run {
	met, now := false, unknown
	on, gone := uint16(limit), uint16(off) // met: rank > on; not: rank <= gone
	for b := range t.blocks {
		k := &t.blocks[b]
		from := b * blockFrames
		if !k.mixed && (now == no && k.high <= on || now == yes && k.low > gone) {
			continue // the run goes on
		}
		to := min(from+blockFrames, len(t.rank))
		for i := from; i < to; i++ {
			v := unknown
			if r := t.rank[i]; r != noRank {
				if r > on {
					met = true
				} else if r <= gone {
					met = false
				}
				v = no
				if met {
					v = yes
				}
			}
			gap := k.mixed && i > 0 && t.at[i]-t.at[i-1] > t.gap
			if v == now && !gap && i > 0 {
				continue
			}
			if n := len(list); n > 0 {
				list[n-1].last = int32(i - 1)
			}
			list = append(list, run{value: v, gap: gap, first: int32(i)})
			now = v
		}
	}
	if n := len(list); n > 0 {
		list[n-1].last = int32(len(t.rank) - 1)
	}
	return list
}

// occurrence is one time that an alarm was raised.
type occurrence struct {
	begin time.Duration // of the condition that raised it
	raise time.Duration
	gone  time.Duration // begin of its absence that cleared it; the last frame, where none did
	clear time.Duration // likewise
}

// delays are the times of an alarm.
type delays struct{ on, off, hold time.Duration }

// regain is as alarm.Definition has it.
func (d delays) regain(delay time.Duration) time.Duration {
	return min(max(delay, min(d.hold/2, time.Second)), d.hold)
}

// occurrences runs an alarm's delays over the condition, as firmware/alarm does
// frame by frame: see its condition.advance. Within a run nothing but time goes on,
// so that each run is one step and one look ahead. It appends to list.
func (t *track) occurrences(runs []run, d delays, list []occurrence) []occurrence {
	var (
		before  value
		present bool
		running bool
		lost    bool
		ran     time.Duration
		blind   time.Duration
		began   time.Duration
	)
	turn := func(at time.Duration) {
		present = !present
		if present {
			list = append(list, occurrence{begin: began, raise: at, gone: -1})
		} else {
			o := &list[len(list)-1]
			o.gone, o.clear = began, at
		}
		running = false
		if lost {
			lost, blind = false, 0
		}
	}
	for _, r := range runs {
		first := t.at[r.first]
		dt := time.Duration(0)
		if r.first > 0 {
			dt = first - t.at[r.first-1]
		}
		// The first frame: no time of it belongs to its own value, unless the run
		// before had the same and a gap parts them, which is no known time either.
		if r.value != unknown && before != unknown && !r.gap {
			blind = max(blind-dt, 0)
		} else {
			blind = min(blind+dt, d.hold)
		}
		if blind >= d.hold && (r.gap || r.value == unknown) {
			running, ran, lost = false, 0, true
		}
		before = r.value
		rest := t.at[r.last] - first
		if r.value == unknown {
			if rest > 0 || blind >= d.hold {
				if blind = min(blind+rest, d.hold); blind >= d.hold {
					running, ran, lost = false, 0, true
				}
			}
			continue
		}
		delay := d.on
		if present {
			delay = d.off
		}
		if present == (r.value == yes) {
			running, ran = false, 0
		} else {
			if !running {
				running, ran, began = true, 0, first
			}
			if ran >= delay {
				turn(first)
			} else if ran+rest >= delay {
				due := first + delay - ran
				i, _ := slices.BinarySearch(t.at[r.first:r.last+1], due)
				turn(t.at[int(r.first)+i])
				if blind > 0 {
					blind = max(blind-rest, 0)
				}
				continue
			} else {
				ran += rest
			}
		}
		// A declared Unknown ends once enough of the run is known.
		if lost && blind-rest <= d.hold-d.regain(delay) {
			lost, blind = false, 0
		}
		blind = max(blind-rest, 0)
	}
	if n := len(list); n > 0 && list[n-1].gone < 0 {
		end := t.at[len(t.at)-1]
		list[n-1].gone, list[n-1].clear = end, end
	}
	return list
}
