package pilot

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"time"

	"mien/firmware/state"
)

// span is one row of truth.
type span struct {
	from, to float64
	present  bool
}

// claim is a span that somebody said, or that follows from what was said. Of several
// that share a moment those of the strongest origin count; where these contradict
// each other, or the truth is not said, nothing is known.
type claim struct {
	span
	known  bool
	origin origin
}

type origin uint8

const (
	aMark origin = iota
	aDrill
	theRest
)

// mostUnmarked is the share of alarms that may be without a mark for a session
// without alarms to count as one in which any would have been marked.
const mostUnmarked = 0.1

// writeTruth writes what is known. What a mark says counts for more than what a drill
// asked for. All other time is absent in sessions in which each alarm on the signal
// was marked: nothing else was there, or somebody would have marked it as missed.
// A session without alarms is one of these if in the whole pilot hardly any alarm
// was left without a mark.
func (x *exporter) writeTruth(w io.Writer) error {
	type place struct{ session, signal string }
	claims := make(map[place][]claim)
	// A session without a frame has no rows, so that nothing can be told of it.
	add := func(by origin, signal string, from, to, offset time.Duration, known, present bool) (recorded bool) {
		begin, end := time.Unix(0, int64(from+offset)), time.Unix(0, int64(to+offset))
		for begin.Before(end) { // in each session that it reaches into
			name, block, until := x.e.Session(begin)
			part := end
			if until.Before(end) {
				part = until
			}
			if _, has := x.names[name]; has {
				k := place{name, signal}
				recorded = true
				claims[k] = append(claims[k], claim{span{begin.Sub(block).Seconds(), part.Sub(block).Seconds(), present}, known, by})
			}
			begin = part
		}
		return recorded
	}
	type event struct {
		run   string
		event uint64
	}
	marked := make(map[event]bool)
	for _, m := range x.marks {
		if len(m.Shows) == 0 {
			x.told.Unnamed++
			for _, signal := range x.watched(m.Alarm) {
				add(aMark, signal, m.From, m.To, m.Offset, false, false)
			}
		}
		recorded := len(m.Shows) == 0
		for _, s := range m.Shows {
			recorded = add(aMark, s.Signal, m.From, m.To, m.Offset, true, s.Present) || recorded
		}
		if !recorded {
			x.told.Elsewhen++
		}
		if m.Event > 0 {
			marked[event{m.Run, m.Event}] = true
		}
	}
	for _, steps := range x.drills {
		if steps[len(steps)-1].State != state.DrillEnded {
			x.told.Broken++
			continue
		}
		for i, s := range steps[:len(steps)-1] {
			for _, signal := range s.Present {
				add(aDrill, signal, s.At+s.Reaction, steps[i+1].At, s.offset, true, true)
			}
			for _, signal := range s.Absent {
				add(aDrill, signal, s.At+s.Reaction, steps[i+1].At, s.offset, true, false)
			}
		}
	}

	// Of an alarm with several conditions a mark does not say what of which was so.
	open, told := 0, 0
	all, unmarked := make(map[place]int), make(map[place]int) // alarms by session and signal; those without a mark
	for _, r := range x.raises {
		if len(x.watch[r.alarm]) != 1 {
			continue
		}
		k := place{r.session, x.watch[r.alarm][0]}
		told++
		all[k]++
		if !marked[event{r.run, r.event}] {
			open++
			unmarked[k]++
		}
	}
	x.told.Alarms, x.told.Unmarked = told, open
	careful := told > 0 && float64(open) <= mostUnmarked*float64(told)
	for session, last := range x.names {
		for _, signals := range x.watch {
			if len(signals) != 1 {
				continue
			}
			k := place{session, signals[0]}
			if all[k] > 0 && unmarked[k] == 0 || all[k] == 0 && careful {
				claims[k] = append(claims[k], claim{span{x.first[session], last, false}, true, theRest})
			}
		}
	}

	out := bufio.NewWriter(w)
	fmt.Fprintln(out, "session,signal,from,to,truth")
	order := slices.SortedFunc(maps.Keys(claims), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.session, b.session), cmp.Compare(a.signal, b.signal))
	})
	for _, k := range order {
		for _, s := range settle(claims[k]) {
			truth := "absent"
			if s.present {
				truth = "present"
			}
			fmt.Fprintf(out, "%s,%s,%.3f,%.3f,%s\n", k.session, k.signal, s.from, s.to, truth)
			x.told.Spans++
			if !slices.Contains(x.told.Signals, k.signal) {
				x.told.Signals = append(x.told.Signals, k.signal)
			}
		}
	}
	return out.Flush()
}

// watched are the signals of an alarm, of all for "".
func (x *exporter) watched(name string) []string {
	if name != "" {
		return x.watch[name]
	}
	var list []string
	for _, signals := range x.watch {
		list = append(list, signals...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// settle makes spans of claims, which do not overlap, in order of time.
func settle(claims []claim) []span {
	var edges []float64 // in whole milliseconds, as they are written
	for i := range claims {
		c := &claims[i]
		c.from, c.to = math.Round(c.from*1000), math.Round(c.to*1000)
		edges = append(edges, c.from, c.to)
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	var list []span
	for i := range len(edges) - 1 {
		from, to := edges[i], edges[i+1]
		by, present, absent, unknown := theRest+1, false, false, false
		for _, c := range claims {
			if c.from > from || c.to < to || c.origin > by {
				continue
			}
			if c.origin < by {
				by, present, absent, unknown = c.origin, false, false, false
			}
			present, absent, unknown = present || c.known && c.present, absent || c.known && !c.present, unknown || !c.known
		}
		if unknown && !present || present == absent {
			continue // nobody knows, or two contradict each other
		}
		if n := len(list); n > 0 && list[n-1].to == from/1000 && list[n-1].present == present {
			list[n-1].to = to / 1000
			continue
		}
		list = append(list, span{from / 1000, to / 1000, present})
	}
	return list
}
