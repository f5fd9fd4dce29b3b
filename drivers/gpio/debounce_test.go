package gpio

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestDebouncer(t *testing.T) {
	type raw struct {
		at time.Duration
		on bool
	}
	for name, c := range map[string]struct {
		period time.Duration
		in     []raw
		want   []Edge
	}{
		"off": {0, []raw{{1 * ms, true}, {2 * ms, false}, {2 * ms, true}},
			[]Edge{{Active: true, At: 1 * ms}, {At: 2 * ms}, {Active: true, At: 2 * ms}}},
		"clean": {10 * ms, []raw{{5 * ms, true}, {100 * ms, false}},
			[]Edge{{Active: true, At: 15 * ms}, {At: 110 * ms}}},
		"bounce": {10 * ms, []raw{{0, true}, {1 * ms, false}, {3 * ms, true}, {4 * ms, false}, {6 * ms, true}},
			[]Edge{{Active: true, At: 16 * ms}}},
		"too short":            {10 * ms, []raw{{0, true}, {9 * ms, false}}, nil},
		"just long enough":     {10 * ms, []raw{{0, true}, {10 * ms, false}, {30 * ms, false}}, []Edge{{Active: true, At: 10 * ms}, {At: 20 * ms}}},
		"said twice":           {10 * ms, []raw{{0, true}, {5 * ms, true}}, []Edge{{Active: true, At: 10 * ms}}},
		"bounces for ever":     {10 * ms, []raw{{0, true}, {8 * ms, false}, {16 * ms, true}, {24 * ms, false}, {32 * ms, true}, {40 * ms, false}}, nil},
		"late feed, both kept": {10 * ms, []raw{{0, true}, {50 * ms, false}}, []Edge{{Active: true, At: 10 * ms}, {At: 60 * ms}}},
	} {
		t.Run(name, func(t *testing.T) {
			d := debouncer{period: c.period}
			var got []Edge
			for _, r := range c.in {
				if e, ok := d.feed(r.on, r.at); ok {
					got = append(got, e)
				}
			}
			if e, ok := d.due(time.Hour); ok {
				got = append(got, e)
			}
			if len(got) != len(c.want) {
				t.Fatalf("%+v, want %+v", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("%d: %+v, want %+v", i, got[i], c.want[i])
				}
			}
		})
	}
}

// Whatever a contact does, edges alternate, keep the period apart, and the
// last one is the level that stood still.
func TestDebouncerInvariants(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		d := debouncer{period: time.Duration(1+rng.IntN(20)) * ms}
		var at time.Duration
		var got []Edge
		level := false
		for range rng.IntN(60) {
			at += time.Duration(rng.IntN(25)) * ms
			level = rng.IntN(2) == 0
			if e, ok := d.feed(level, at); ok {
				got = append(got, e)
			}
		}
		if e, ok := d.due(at + d.period); ok {
			got = append(got, e)
		}
		now := false
		for i, e := range got {
			if e.Active == now {
				t.Fatalf("edge %d repeats the level: %+v", i, got)
			}
			if i > 0 && e.At-got[i-1].At < d.period {
				t.Fatalf("edges %d and %d are %v apart, period %v", i-1, i, e.At-got[i-1].At, d.period)
			}
			now = e.Active
		}
		if now != level {
			t.Fatalf("it ends %v, the contact %v", now, level)
		}
		if _, moving := d.next(); moving {
			t.Fatal("it still waits for something")
		}
	}
}

func TestEdgeQueueDropsTheOldestAndCounts(t *testing.T) {
	var q edgeQueue
	if _, ok := q.pop(); ok {
		t.Error("an empty queue gives an edge")
	}
	for i := range 20 {
		q.push(Edge{At: time.Duration(i)})
	}
	e, ok := q.pop()
	if !ok || e.At != 4 || e.Lost != 4 {
		t.Errorf("%+v, %v, want the edge of 4 with 4 lost", e, ok)
	}
	for i := 5; i < 20; i++ {
		if e, ok := q.pop(); !ok || e.At != time.Duration(i) || e.Lost != 0 {
			t.Errorf("%+v, %v, want the edge of %d", e, ok, i)
		}
	}
	if _, ok := q.pop(); ok {
		t.Error("there is one too many")
	}
}

func TestGuard(t *testing.T) {
	g := Guard{StuckAfter: 10 * time.Second, MaxEdges: 8}
	g.Start(false, 0)
	expect := func(at time.Duration, want Condition) {
		t.Helper()
		if got := g.Condition(at); got != want {
			t.Errorf("at %v: %v, want %v", at, got, want)
		}
	}
	expect(time.Hour, Sound) // inactive for ever is sound
	g.Edge(Edge{Active: true, At: time.Hour})
	expect(time.Hour+10*time.Second, Sound)
	expect(time.Hour+10*time.Second+1, Stuck)
	g.Edge(Edge{At: time.Hour + 20*time.Second})
	expect(time.Hour+20*time.Second, Sound)

	at := 2 * time.Hour
	for i := range 8 {
		g.Edge(Edge{Active: i%2 == 0, At: at + time.Duration(i)*100*ms})
	}
	expect(at+700*ms, Sound)
	g.Edge(Edge{Active: true, At: at + 800*ms})
	expect(at+800*ms, Chattering)
	expect(at+1799*ms, Chattering)
	expect(at+1800*ms, Sound)
	// Lost edges count too: a burst the kernel could not hold.
	g.Edge(Edge{At: at + 5*time.Second, Lost: 20})
	expect(at+5*time.Second, Chattering)

	// A line that chattered an hour ago and is opened again starts from zero: the few
	// bounces of a press are not added to that.
	g.Start(false, 3*time.Hour)
	for i := range 4 {
		g.Edge(Edge{Active: i%2 == 0, At: 3*time.Hour + 700*ms + time.Duration(i)*10*ms})
	}
	expect(3*time.Hour+740*ms, Sound)

	g = Guard{}
	g.Start(true, 0)
	for i := range 1000 {
		g.Edge(Edge{Active: i%2 == 0, At: time.Duration(i)})
	}
	expect(time.Hour, Sound) // no limits, nothing to find
	if Sound.String() != "sound" || Stuck.String() != "stuck" || Chattering.String() != "chattering" || Condition(7).String() != "Condition(7)" {
		t.Error("names")
	}
	// Held from the start.
	g = Guard{StuckAfter: time.Second}
	g.Start(true, 0)
	expect(2*time.Second, Stuck)
}
