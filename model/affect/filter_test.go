package affect

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// sample is one frame for the plain reference.
type sample struct {
	at    time.Duration
	level float32
}

// plainFilter is the filter's definition, slow and from scratch: the weighted
// integral over the window of a level that holds for the time before each
// sample, over the same integral of 1 where the level is known.
func plainFilter(f Filter, history []sample) float32 {
	now := history[len(history)-1].at
	first := len(history) - 1
	for first > 0 && history[first].at > history[first-1].at && history[first].at-history[first-1].at <= f.Window {
		first--
	}
	h := history[first:]
	if len(h) == 1 {
		return h[0].level
	}
	const steps = 4000 // of the integral, by its midpoints
	var sum, weight float64
	for i := range steps {
		age := (float64(i) + 0.5) / steps * f.Window.Seconds()
		t := now.Seconds() - age
		level, known := float32(0), false
		for k, s := range h {
			begin := 2*h[0].at.Seconds() - h[1].at.Seconds()
			if k > 0 {
				begin = h[k-1].at.Seconds()
			}
			if t > begin && t <= s.at.Seconds() {
				level, known = s.level, s.level == s.level
			}
		}
		if known {
			w := 1.0
			if f.Kind == Gaussian {
				sigma := f.Window.Seconds() / 3
				w = math.Exp(-age * age / (2 * sigma * sigma))
			}
			sum += w * float64(level)
			weight += w
		}
	}
	if weight == 0 {
		return unknown
	}
	return float32(sum / weight)
}

// TestFilterAgainstPlainReference runs uneven frame times, dropped frames,
// gaps, Unknown stretches and a clip that starts over.
func TestFilterAgainstPlainReference(t *testing.T) {
	for _, f := range []Filter{{Box, 300 * ms}, {Gaussian, 300 * ms}, {Box, time.Second}, {Gaussian, 900 * ms}} {
		rng := rand.New(rand.NewPCG(1, 2))
		b := newBank(f, 2, 120)
		var first, second []sample
		now := 5 * time.Second
		for i := range 300 {
			switch rng.IntN(20) {
			case 0:
				now += time.Duration(rng.Float64() * 2.5 * float64(f.Window)) // stall, some longer than the window
			case 1:
				if i%3 == 0 {
					now -= 2 * time.Second // the clip starts over
				}
			default:
				now += time.Duration((5 + 40*rng.Float64()) * float64(ms))
			}
			row := []float32{rng.Float32(), rng.Float32()}
			if i/20%3 == 1 && rng.IntN(10) > 0 {
				row[0] = unknown
			}
			if len(first) > 0 && now < first[len(first)-1].at {
				first, second = nil, nil
			}
			first = append(first, sample{now, row[0]})
			second = append(second, sample{now, row[1]})
			b.step(now, row)
			for k, h := range [][]sample{first, second} {
				// The reference sums 4000 slices; each border between samples
				// may fall into one.
				if want := plainFilter(f, h); !same(row[k], want, 0.004) {
					t.Fatalf("%v frame %d level %d: got %v, want %v", f, i, k, row[k], want)
				}
			}
		}
	}
}

// TestFilterOfAStep holds what Rise promises against a step, at two frame rates.
func TestFilterOfAStep(t *testing.T) {
	for _, f := range []Filter{{Box, 400 * ms}, {Gaussian, 400 * ms}} {
		for _, period := range []time.Duration{10 * ms, 40 * ms} {
			b := newBank(f, 1, 120)
			reached := map[float32]time.Duration{}
			for now := time.Duration(0); now <= 3*time.Second; now += period {
				row := []float32{0}
				if now > time.Second {
					row[0] = 1
				}
				b.step(now, row)
				for _, share := range []float32{0.25, 0.5, 0.9} {
					if _, ok := reached[share]; !ok && row[0] >= share-1e-6 {
						reached[share] = now - time.Second
					}
				}
			}
			for share, got := range reached {
				want := f.Rise(float64(share))
				if got < want-ms || got > want+period {
					t.Errorf("%v at %v a frame: %g of a step after %v, Rise says %v", f, period, share, got, want)
				}
			}
			if len(reached) != 3 {
				t.Errorf("%v: reached %v", f, reached)
			}
		}
	}
	for _, f := range []Filter{{Kind: NoFilter}, {Kind: NoFilter, Window: time.Second}, {Kind: Box}, {Kind: Gaussian}} {
		if f.Rise(0.5) != 0 {
			t.Errorf("%v takes time", f)
		}
		b, row := newBank(f, 1, 120), []float32{0.25}
		b.step(0, []float32{1})
		if b.step(10*ms, row); row[0] != 0.25 {
			t.Errorf("%v changes a level to %v", f, row[0])
		}
	}
}

func TestFilterOfUnknown(t *testing.T) {
	b := newBank(Filter{Box, 200 * ms}, 1, 120)
	step := func(at time.Duration, level float32) float32 {
		row := []float32{level}
		b.step(at, row)
		return row[0]
	}
	for i, c := range []struct {
		at          time.Duration
		level, want float32
	}{
		{0, unknown, unknown},        // nothing known yet
		{50 * ms, 0.4, 0.4},          // an Unknown sample does not count
		{100 * ms, 0.6, 0.5},         // 50 ms of each
		{150 * ms, unknown, 0.5},     // bridged
		{290 * ms, unknown, 0.6},     // 0.4's time (0 to 50 ms) is past
		{300 * ms, unknown, unknown}, // and 0.6's (50 to 100 ms)
		{310 * ms, unknown, unknown}, // nothing known in the window
		{320 * ms, 0.9, 0.9},         // known again at once
		{900 * ms, 0.1, 0.1},         // a gap longer than the window: no memory
		{900 * ms, 0.3, 0.3},         // time that stands still: starts over
		{100 * ms, 0.7, 0.7},         // time that goes back: starts over
	} {
		if got := step(c.at, c.level); !same(got, c.want, 1e-6) {
			t.Errorf("step %d at %v: got %v, want %v", i, c.at, got, c.want)
		}
	}
}

func TestFilterRingKeepsTheNewest(t *testing.T) {
	b := newBank(Filter{Box, time.Second}, 1, 10) // holds 12 frames
	row := []float32{0}
	for i := range 100 { // at 100 frames a second
		row[0] = float32(i)
		b.step(time.Duration(i)*10*ms, row)
	}
	if want := float32(93.5); row[0] != want { // mean of 88..99
		t.Errorf("got %v, want %v", row[0], want)
	}
}

// plainPerclos sums the frames of the window by their definition.
func plainPerclos(window, known time.Duration, h []sample) float32 {
	first := len(h) - 1
	for first > 0 && h[first].at >= h[first-1].at && h[first].at-h[first-1].at <= window {
		first--
	}
	h = h[first:]
	now := h[len(h)-1].at
	var closed, sum time.Duration
	for k := 1; k < len(h); k++ {
		begin := max(h[k-1].at, h[k].at-longestHold, now-window)
		if d := h[k].at - begin; d > 0 && h[k].level == h[k].level {
			sum += d
			if h[k].level >= closedShare {
				closed += d
			}
		}
	}
	if sum < known || sum == 0 {
		return unknown
	}
	return float32(float64(closed) / float64(sum))
}

func TestPerclosAgainstPlainReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	p := newPerclos(10*time.Second, 4*time.Second)
	var h []sample
	now := time.Duration(0)
	level := float32(0)
	for i := range 4000 {
		switch rng.IntN(100) {
		case 0:
			now += time.Duration(rng.IntN(14000)) * ms
		case 1:
			if i%5 == 0 {
				now -= 3 * time.Second
				h = nil
			}
		default:
			now += time.Duration(rng.IntN(60)) * ms
		}
		if rng.IntN(12) == 0 {
			level = []float32{0, 0.79, 0.8, 1, unknown}[rng.IntN(5)]
		}
		h = append(h, sample{now, level})
		if got, want := p.step(now, level), plainPerclos(10*time.Second, 4*time.Second, h); !same(got, want, 1e-6) {
			t.Fatalf("step %d at %v: got %v, want %v", i, now, got, want)
		}
	}
}

// TestPerclosOfAMinute is the example of the definition: 9 of 60 seconds closed
// are 0.15, and Unknown seconds count on neither side.
func TestPerclosOfAMinute(t *testing.T) {
	p := newPerclos(time.Minute, 30*time.Second)
	var got float32
	run := func(seconds int, from *int, level float32) {
		for range seconds * 30 {
			*from++
			got = p.step(at(*from), level)
		}
	}
	frame := 0
	p.step(0, 0)
	run(29, &frame, 0)
	if got == got {
		t.Errorf("after 29 known seconds of 30: %v", got)
	}
	run(22, &frame, 0)
	run(9, &frame, 0.95)
	if !same(got, 9.0/60, 1e-5) {
		t.Errorf("9 of 60 seconds: %v", got)
	}
	run(15, &frame, unknown)
	if !same(got, 9.0/45, 1e-5) {
		t.Errorf("9 of 45 known seconds: %v", got)
	}
	run(16, &frame, unknown)
	if got == got {
		t.Errorf("29 known seconds: %v", got)
	}
}
