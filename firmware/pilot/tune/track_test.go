package tune

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"mien/firmware/alarm"
)

var nan = float32(math.NaN())

var holds = []time.Duration{500 * time.Millisecond, 2 * time.Second, 5 * time.Second}

// randomSession has everything that an alarm's rules look at: levels that cross
// limits often and rarely, some exactly on them, Unknown for a frame and for long,
// gaps of all lengths, frames at the same time.
func randomSession(r *rand.Rand, frames int) *Session {
	s := &Session{Name: "random"}
	at, level, until, unread := time.Duration(0), float32(0.5), 0, 0
	rare := 20 + r.IntN(100)
	step := time.Duration(20+r.IntN(400)) * time.Millisecond
	for i := range frames {
		switch r.IntN(60) {
		case 0:
			at += time.Duration(r.Int64N(int64(12 * time.Second)))
		case 1:
			at += time.Second // exactly a gap's length
		case 2: // at the same time
		default:
			at += step
		}
		if i >= until {
			until = i + 1 + r.IntN(40)
			level = float32(r.IntN(21)) / 20
		}
		l := level
		if r.IntN(3) == 0 {
			l = float32(r.IntN(101)) / 100
		}
		if unread > 0 {
			unread--
			l = nan
		} else if r.IntN(rare) == 0 {
			unread = r.IntN(60)
			if r.IntN(2) == 0 { // about as long as an alarm holds Unknown
				unread = int(holds[r.IntN(len(holds))]/step) + r.IntN(5) - 2
			}
		}
		s.At, s.Level = append(s.At, at), append(s.Level, l)
	}
	return s
}

// The fast way through a session gives the alarms that the engine gives, each
// raised and cleared at the same frame.
func TestSameAsTheEngine(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	ons := []time.Duration{0, 100 * time.Millisecond, 700 * time.Millisecond, time.Second, 3 * time.Second, 10 * time.Second}
	offs := []time.Duration{0, 500 * time.Millisecond, 2 * time.Second, 7 * time.Second}
	raised, cleared := 0, 0
	for round := range 400 {
		s := randomSession(r, 600)
		below := round%2 == 1
		g := newGrid(0, 1, 10*time.Second, len(s.At), false, []time.Duration{0})
		k := newContest(g.candidates(), below)
		tr := newTrack(s, k.thresholds, below, time.Second)
		for range 5 {
			c := Candidate{g.limits[r.IntN(len(g.limits))], g.deadbands[r.IntN(len(g.deadbands))], ons[r.IntN(len(ons))], offs[r.IntN(len(offs))], 0}
			hold := holds[r.IntN(len(holds))]
			on, off := k.compared(c.Limit, c.Deadband)
			limit, _ := slices.BinarySearch(k.thresholds, on)
			behind, _ := slices.BinarySearch(k.thresholds, off)
			runs := tr.runs(limit, behind, nil)
			got := tr.occurrences(runs, delays{c.OnDelay, c.OffDelay, hold}, nil)
			want := byEngine(t, s, c, below, hold)
			if !slices.Equal(got, want) {
				t.Fatalf("round %d, %+v, hold %v, below %v:\n got %v\nwant %v", round, c, hold, below, got, want)
			}
			raised += len(want)
			for _, o := range want {
				if o.clear < s.At[len(s.At)-1] {
					cleared++
				}
			}
		}
	}
	if raised < 1500 || cleared < 1000 {
		t.Errorf("only %d were raised, %d cleared", raised, cleared)
	}
}

func byEngine(t *testing.T, s *Session, c Candidate, below bool, hold time.Duration) []occurrence {
	t.Helper()
	side := alarm.Above
	if below {
		side = alarm.Below
	}
	e, err := alarm.New([]alarm.Definition{{Name: "a", Conditions: []alarm.Condition{{Signal: "x", Side: side, Limit: float32(c.Limit), Deadband: float32(c.Deadband)}},
		OnDelay: c.OnDelay, OffDelay: c.OffDelay, NoAck: true, UnknownHold: hold}}, []string{"x"}, alarm.Options{MaxGap: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	var list []occurrence
	for i, at := range s.At {
		for _, ev := range e.Step(alarm.Reading{At: at, Sequence: uint64(i), Levels: s.Level[i : i+1]}) {
			switch ev.Trigger {
			case alarm.Raise:
				list = append(list, occurrence{begin: s.At[ev.Why.First], raise: at, gone: -1})
			case alarm.Clear:
				o := &list[len(list)-1]
				o.gone, o.clear = s.At[ev.Why.First], at
			}
		}
	}
	if n := len(list); n > 0 && list[n-1].gone < 0 {
		end := s.At[len(s.At)-1]
		list[n-1].gone, list[n-1].clear = end, end
	}
	return list
}
