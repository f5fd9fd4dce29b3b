package tune

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// Session is what was recorded of one signal without a break in its meaning: one
// person's shift, or one drill. Times are of one clock, which is the session's own.
type Session struct {
	Name  string
	At    []time.Duration // of each frame; no frame is earlier than the one before
	Level []float32       // of each frame; NaN is Unknown
	Spans []Span          // what is known of the truth, in any order; they do not overlap
}

// Span is a time in which the truth is known.
type Span struct {
	From, To time.Duration
	Present  bool // what the alarm is for was there all the time, else at no time
}

// Source gives each session once a call, in the same order each time. It stops at
// the first error of yield and gives it back. What it gives is yield's to keep.
type Source func(yield func(*Session) error) error

// check refuses what no result could be made of.
func (s *Session) check() error {
	if len(s.At) != len(s.Level) {
		return fmt.Errorf("session %q: %d times, %d levels", s.Name, len(s.At), len(s.Level))
	}
	if !slices.IsSorted(s.At) {
		return fmt.Errorf("session %q: times are not in order", s.Name)
	}
	slices.SortFunc(s.Spans, func(a, b Span) int { return cmp.Compare(a.From, b.From) })
	for i, span := range s.Spans {
		if span.To < span.From {
			return fmt.Errorf("session %q: a span ends before it begins", s.Name)
		}
		if i > 0 && span.From < s.Spans[i-1].To {
			return fmt.Errorf("session %q: spans overlap", s.Name)
		}
	}
	return nil
}

// observed is what of a session counts.
type observed struct {
	name     string
	present  []Span          // with at least one frame in them or in the allowance behind them
	absent   []Span          // whole
	watched  time.Duration   // time within a span with frames
	exposure time.Duration   // time that counts as a shift's
	drill    bool            // more of it is present than work ever has
	unread   time.Duration   // of the watched time, without a level
	unseen   int             // present spans without a frame
	lengths  []time.Duration // of the present spans
}

// drillShare is the most of a shift in which what the alarm is for is present. In
// a session with more, only time in which it was absent is time of a shift.
const drillShare = 0.2

func (s *Session) observe(o Options) observed {
	ob := observed{name: s.Name}
	var absent time.Duration
	for _, span := range s.Spans {
		first, _ := slices.BinarySearch(s.At, span.From)
		seen, unread := time.Duration(0), time.Duration(0)
		// A moment belongs to the frame at its end.
		for i := max(first, 1); i < len(s.At) && s.At[i-1] < span.To; i++ {
			dt := min(s.At[i], span.To) - max(s.At[i-1], span.From)
			if s.At[i]-s.At[i-1] > o.Stale || dt < 0 {
				continue
			}
			seen += dt
			if s.Level[i] != s.Level[i] {
				unread += dt
			}
		}
		ob.watched += seen
		ob.unread += unread
		if !span.Present {
			absent += seen
			ob.absent = append(ob.absent, span)
			continue
		}
		if first < len(s.At) && s.At[first] <= span.To {
			ob.present = append(ob.present, span)
			ob.lengths = append(ob.lengths, span.To-span.From)
		} else {
			ob.unseen++
		}
	}
	ob.exposure = ob.watched
	if ob.watched > 0 && float64(ob.watched-absent) > drillShare*float64(ob.watched) {
		ob.drill, ob.exposure = true, absent
	}
	return ob
}

// thinned keeps an even choice of values, at most most of them, however many come.
type thinned struct {
	values []float32
	every  int
	skip   int
}

const most = 1 << 16

func (t *thinned) add(v float32) {
	if t.skip > 0 {
		t.skip--
		return
	}
	t.values = append(t.values, v)
	if len(t.values) == most {
		for i := range most / 2 {
			t.values[i] = t.values[2*i]
		}
		t.values = t.values[:most/2]
		t.every = 2*t.every + 1
	}
	t.skip = t.every
}

// quantile sorts what there is; NaN of nothing.
func (t *thinned) quantile(q float64) float64 {
	if len(t.values) == 0 {
		return math.NaN()
	}
	slices.Sort(t.values)
	return float64(t.values[int(math.Round(q*float64(len(t.values)-1)))])
}
