package affect

import (
	"fmt"
	"math"
	"time"
)

// Kinds of filter over time.
const (
	NoFilter = "none"
	Box      = "box"
	Gaussian = "gaussian"
)

// Filter is a causal filter over time: the level now is a weighted mean of the
// levels of the last Window. Weights follow time, not frames: a frame stands
// for the time since the frame before it, so that uneven frame times and
// dropped frames shift nothing. Unknown levels don't count; when the whole
// window is Unknown, so is the result.
//
// Box weighs all of the window alike. Gaussian weighs by the right half of a
// normal curve whose standard deviation is a third of Window, newest most. A
// Window of 0 is no filter.
type Filter struct {
	Kind   string
	Window time.Duration
}

// maxWindow bounds what a filter's ring must hold.
const maxWindow = time.Minute

func (f Filter) validate() error {
	switch f.Kind {
	case NoFilter:
		return nil
	case Box, Gaussian:
		if f.Window < 0 || f.Window > maxWindow {
			return fmt.Errorf("filter window %v: must be 0 to %v", f.Window, maxWindow)
		}
		return nil
	}
	return fmt.Errorf("filter kind %q: must be %s, %s or %s", f.Kind, NoFilter, Box, Gaussian)
}

// Rise is how long after a level steps from 0 to 1 the filtered level reaches
// share (0..1): what the filter adds to the time from a frown to a lamp.
func (f Filter) Rise(share float64) time.Duration {
	share = min(max(share, 0), 1)
	switch f.Kind {
	case Box:
		return time.Duration(share * float64(f.Window))
	case Gaussian:
		whole := math.Erf(gaussReach / math.Sqrt2)
		return min(f.Window, time.Duration(math.Erfinv(share*whole)*math.Sqrt2/gaussReach*float64(f.Window)))
	}
	return 0
}

// Smooth filters the levels of one signal as a Stage does, at so many frames a
// second at most. It writes into out, which may be levels itself.
func (f Filter) Smooth(at []time.Duration, levels []float32, rate int, out []float32) {
	b := newBank(f, 1, rate)
	for i, t := range at {
		out[i] = levels[i]
		b.step(t, out[i:i+1])
	}
}

// gaussReach is the window in standard deviations.
const gaussReach = 3

// bank filters a row of levels by one Filter. Samples are in a ring of fixed
// size; weights depend on time alone, so they are computed once for the row.
type bank struct {
	kind   string
	window time.Duration
	width  int
	at     []time.Duration // end of what a sample stands for: its own time
	from   []time.Duration // its begin
	levels []float32       // len(at) rows of width
	next   int             // row the next sample goes to
	count  int
	sum    []float64
	weight []float64
}

// newBank makes the filter for rows of width levels that come at most rate
// times a second. At a higher rate than that the window gets shorter.
func newBank(f Filter, width, rate int) *bank {
	b := &bank{kind: f.Kind, window: f.Window, width: width}
	if f.Window == 0 {
		b.kind = NoFilter
	}
	if b.kind == NoFilter {
		return b
	}
	n := int(f.Window.Seconds()*float64(rate)) + 2
	b.at, b.from = make([]time.Duration, n), make([]time.Duration, n)
	b.levels = make([]float32, n*width)
	b.sum, b.weight = make([]float64, width), make([]float64, width)
	return b
}

// step takes the row at time at and replaces it by the filtered one. NaN is
// Unknown. A gap longer than the window, or time that doesn't go on (a clip
// that starts over), resets the filter.
func (b *bank) step(at time.Duration, row []float32) {
	if b.kind == NoFilter || b.width == 0 {
		return
	}
	size := len(b.at)
	from := at
	if b.count > 0 {
		last := (b.next + size - 1) % size
		switch from = b.at[last]; {
		case at <= from || at-from > b.window:
			b.count, from = 0, at
		case b.count == 1:
			// Nobody knows how long the first sample stands for: as long as
			// the second.
			b.from[last] = from - (at - from)
		}
	}
	b.at[b.next], b.from[b.next] = at, from
	copy(b.levels[b.next*b.width:], row)
	b.next = (b.next + 1) % size
	b.count = min(b.count+1, size)
	if b.count == 1 {
		return // nothing to mix yet
	}
	b.mix(at, row)
}

func (b *bank) mix(now time.Duration, row []float32) {
	size := len(b.at)
	clear(b.sum)
	clear(b.weight)
	start := now - b.window
	perSigma := gaussReach / b.window.Seconds() / math.Sqrt2
	upper := 0.0 // erf at the newer end of the sample
	for i := 1; i <= b.count; i++ {
		k := (b.next + size - i) % size
		if b.at[k] <= start {
			b.count = i - 1 // this and all older are past
			break
		}
		from := max(b.from[k], start)
		w := (b.at[k] - from).Seconds()
		if b.kind == Gaussian {
			lower := math.Erf((now - from).Seconds() * perSigma)
			w, upper = lower-upper, lower
		}
		for j, v := range b.levels[k*b.width : (k+1)*b.width] {
			if v == v {
				b.sum[j] += w * float64(v)
				b.weight[j] += w
			}
		}
	}
	for j := range row {
		row[j] = unknown
		if b.weight[j] > 0 {
			row[j] = float32(b.sum[j] / b.weight[j])
		}
	}
}

var unknown = float32(math.NaN())
