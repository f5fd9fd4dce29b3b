package pipeline

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"mien/drivers/gpio"
	"mien/firmware/alarm"
)

var sightSteps = flag.Int("sight", 50_000, "steps of the test that no alarm is out of sight")

// A random life of some alarms, with gaps, faults, restarts, reloads and covers.
// After each step an unacknowledged alarm is seen on its lines, or it is told that
// it is covered and by what; a condition that stays is raised or declared Unknown
// in time; and no line rests while anything is the matter or nobody can know.
func TestNoAlarmIsOutOfSight(t *testing.T) {
	seed := uint64(20261616)
	random := rand.New(rand.NewPCG(seed, 1))
	for done := 0; done < *sightSteps && !t.Failed(); {
		n := 500 + random.IntN(1500)
		w := newWorld(t, random)
		for range n {
			w.step()
			if w.look(); t.Failed() {
				t.Fatalf("seed %d, within steps %d to %d", seed, done, done+n)
			}
		}
		done += n
		for what, times := range w.seen {
			sightSeen[what] += times
		}
	}
	for _, what := range []string{"unacknowledged", "covered and unacknowledged", "declared Unknown", "raised in time", "declared in time", "alarmed again", "sounds again", "orphan", "restart", "reload", "untrusted"} {
		if sightSeen[what] < 20 {
			t.Errorf("%s: %d times only", what, sightSeen[what])
		}
	}
}

var sightSeen = map[string]int{}

// world is an engine, what is true of the levels, and what was told.
type world struct {
	t       *testing.T
	random  *rand.Rand
	engine  *alarm.Engine
	defs    []alarm.Definition
	at      time.Duration
	truth   []float32 // levels as they are
	trusted bool
	inhibit bool
	waiting map[string]bool // unacknowledged, by the events
	since   map[string]time.Duration
	acked   map[string]time.Duration // when it was acknowledged last
	quiet   map[string]time.Duration // when it was silenced last
	seen    map[string]int
}

var worldSignals = []string{"s", "t"}

const (
	worldGap     = time.Second
	worldSilence = 30 * time.Second
)

func newWorld(t *testing.T, random *rand.Rand) *world {
	w := &world{t: t, random: random, truth: make([]float32, len(worldSignals)), waiting: map[string]bool{}, since: map[string]time.Duration{},
		acked: map[string]time.Duration{}, quiet: map[string]time.Duration{}, seen: map[string]int{}}
	delays := []time.Duration{0, 300 * time.Millisecond, time.Second, 4 * time.Second}
	for i := range 2 + random.IntN(4) {
		d := alarm.Definition{Name: string(rune('a' + i)), OnDelay: delays[random.IntN(4)], OffDelay: delays[random.IntN(4)], Priority: alarm.Priority(1 + random.IntN(4)),
			Latch: random.IntN(2) == 0, Horn: random.IntN(2) == 0, Lamp: true, UnknownHold: time.Duration(1+random.IntN(10)) * 500 * time.Millisecond,
			MaxShelve: time.Minute, ReAlarm: time.Duration(random.IntN(3)) * 20 * time.Second, Conditions: []alarm.Condition{{Signal: worldSignals[random.IntN(2)], Limit: 0.5, Deadband: 0.1}}}
		for k := range i {
			if random.IntN(5) == 0 {
				d.SuppressBy = append(d.SuppressBy, string(rune('a'+k)))
			}
		}
		w.defs = append(w.defs, d)
	}
	w.begin()
	w.told(w.engine.Restore(alarm.Saved{}, 0, time.Unix(0, 0)))
	return w
}

func (w *world) begin() {
	var err error
	if w.engine, err = alarm.New(w.defs, worldSignals, alarm.Options{MaxGap: worldGap, MaxSilence: worldSilence}); err != nil {
		w.t.Fatal(err)
	}
}

// told keeps account of what the events say.
func (w *world) told(events []alarm.Event) {
	for _, e := range events {
		if e.Refused {
			continue
		}
		switch e.Trigger {
		case alarm.Raise, alarm.ReAlarm:
			if e.Life.NeedsAck() {
				w.waiting[e.Alarm] = true
			}
		case alarm.Acknowledge:
			delete(w.waiting, e.Alarm)
			w.acked[e.Alarm] = w.at
		case alarm.Silence:
			w.quiet[e.Alarm] = w.at
		case alarm.Unsilence:
			w.seen["sounds again"]++
		case alarm.LoseReading:
			w.seen["declared Unknown"]++
		case alarm.RegainReading:
			// With a hold that is shorter than the delay it was not judged by then.
			if d := w.engine.Definition(w.engine.Place(e.Alarm)); d.OnDelay > d.UnknownHold {
				w.since[e.Alarm] = w.at
			}
		case alarm.Inhibit:
			w.inhibit = true
		case alarm.Uninhibit:
			w.inhibit = false
		}
	}
}

// fresh lets the time in which a condition must be told begin again.
func (w *world) fresh() {
	for _, d := range w.defs {
		w.since[d.Name] = w.at
	}
}

func (w *world) step() {
	r := w.random
	switch n := r.IntN(1000); {
	case n < 4:
		w.restart()
	case n < 8:
		w.reload()
	case n < 40:
		w.command()
	case n < 60:
		before := slices.Clone(w.truth)
		w.truth[r.IntN(len(w.truth))] = []float32{0.1, 0.3, 0.9, 0.9}[r.IntN(4)]
		if !slices.Equal(before, w.truth) {
			w.fresh()
		}
	default:
		w.read()
	}
}

// read gives the engine a reading, or none.
func (w *world) read() {
	r := w.random
	w.at += []time.Duration{33, 50, 100, 400, 900, 1100, 2500}[min(r.IntN(12), 6)] * time.Millisecond
	reading := alarm.Reading{At: w.at, Wall: time.Unix(0, 0).Add(w.at), Levels: slices.Clone(w.truth), Reason: "no face"}
	// For a while each, so that there are long times of one kind.
	switch kind := int(w.at/(7*time.Second)) % 5; {
	case kind == 1 && r.IntN(2) == 0, kind == 2 && r.IntN(5) > 0, kind == 3 && r.IntN(40) > 0:
		reading.Levels[r.IntN(2)] = unknown
		reading.Levels[0] = unknown
	case kind == 4 && r.IntN(3) > 0:
		reading.Levels = nil
	}
	w.trusted = reading.Levels != nil
	events := slices.Clone(w.engine.Step(reading))
	w.told(events)
	w.reminded(reading.Levels, events)
}

// reminded looks that nothing that is seen stays acknowledged, or silenced, for
// longer than it may.
func (w *world) reminded(levels []float32, events []alarm.Event) {
	for _, e := range events {
		if e.Trigger == alarm.ReAlarm {
			w.seen["alarmed again"]++
		}
	}
	for i := range w.engine.Len() {
		s, d := w.engine.Status(i), w.engine.Definition(i)
		if s.State.NeedsAck() && s.Silenced && w.at-w.quiet[s.Name] >= worldSilence {
			w.t.Errorf("at %v, %s: silenced since %v", w.at, s.Name, w.quiet[s.Name])
		}
		if levels == nil || s.Orphan || d.ReAlarm == 0 || s.State != alarm.Acknowledged {
			continue
		}
		level := levels[slices.Index(worldSignals, d.Conditions[0].Signal)]
		if level >= d.Conditions[0].Limit && w.at-w.acked[s.Name] >= d.ReAlarm {
			w.t.Errorf("at %v, %s: its condition stays, and it is acknowledged since %v", w.at, s.Name, w.acked[s.Name])
		}
	}
}

func (w *world) command() {
	r := w.random
	c := alarm.Command{Do: []alarm.Trigger{alarm.Acknowledge, alarm.Acknowledge, alarm.Reset, alarm.Shelve, alarm.Unshelve, alarm.TakeOut, alarm.PutBack, alarm.PutBack,
		alarm.Silence, alarm.Inhibit, alarm.Uninhibit, alarm.Uninhibit}[r.IntN(12)], Alarm: w.defs[r.IntN(len(w.defs))].Name, At: w.at,
		Wall: time.Unix(0, 0).Add(w.at), For: time.Duration(1+r.IntN(20)) * time.Second}
	if c.Do == alarm.Inhibit || c.Do == alarm.Uninhibit {
		c.Alarm = ""
	}
	events, _ := w.engine.Do(c)
	w.told(events)
}

func (w *world) restart() {
	w.seen["restart"]++
	var saved, back alarm.Saved
	w.engine.Save(&saved)
	text, err := json.Marshal(saved)
	if err == nil {
		err = json.Unmarshal(text, &back)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.begin()
	was := w.inhibit
	events := w.engine.Restore(back, w.at, time.Unix(0, 0).Add(w.at))
	if told := slices.ContainsFunc(events, func(e alarm.Event) bool { return e.Trigger == alarm.Uninhibit }); told != was {
		w.t.Errorf("an inhibit was in force: %v; the start tells its end: %v", was, told)
	}
	w.told(events)
	w.trusted = false
	w.fresh()
}

func (w *world) reload() {
	w.seen["reload"]++
	defs := slices.Clone(w.defs)
	switch w.random.IntN(3) {
	case 0:
		w.random.Shuffle(len(defs), func(i, j int) { defs[i], defs[j] = defs[j], defs[i] })
	case 1:
		if gone := w.random.IntN(len(defs)); len(defs) > 2 && !slices.ContainsFunc(defs, func(d alarm.Definition) bool { return slices.Contains(d.SuppressBy, defs[gone].Name) }) {
			defs = slices.Delete(defs, gone, gone+1)
		}
	default:
		defs[0].OnDelay = time.Duration(w.random.IntN(2)) * time.Second
	}
	events, err := w.engine.Reconfigure(defs, worldSignals, "reload", w.at, time.Unix(0, 0).Add(w.at))
	if err != nil {
		w.t.Fatal(err)
	}
	w.told(events)
	w.defs = defs
	w.fresh()
}

// shows tells what a line does within a second: lit, blinking, at its fail value,
// or at rest.
func (w *world) shows(f function, place int) string {
	st := shown{summary: w.engine.Summary(), trusted: w.trusted}
	for p := alarm.Critical; p <= alarm.Low; p++ {
		st.masks[p] = w.engine.Priority(p)
	}
	o := &output{function: f, place: place, blink: gpio.Slow, priority: alarm.Low}
	first, safe := o.level(&st, true, 0)
	second, _ := o.level(&st, true, 700*time.Millisecond)
	switch {
	case safe:
		return "fail"
	case first && second:
		return "lit"
	case first != second:
		return "blinks"
	}
	return "rests"
}

func (w *world) look() {
	sum := w.engine.Summary()
	if !w.trusted {
		w.seen["untrusted"]++
	}
	for i := range w.engine.Len() {
		s := w.engine.Status(i)
		bit := uint64(1) << min(i, 63)
		name := fmt.Sprintf("at %v, %s, %v over %v", w.at, s.Name, s.State, s.Life)
		lamp, own := w.shows(lampLine, i), w.shows(alarmLine, i)
		if s.Orphan {
			w.seen["orphan"]++
		}
		if w.waiting[s.Name] != s.Life.NeedsAck() {
			w.t.Errorf("%s: the events say that it waits: %v", name, w.waiting[s.Name])
		}
		switch {
		case s.Life.NeedsAck() && s.State.Covered():
			w.seen["covered and unacknowledged"]++
			if sum.Covered&bit == 0 {
				w.t.Errorf("%s: and is not told as covered", name)
			}
		case s.Life.NeedsAck():
			w.seen["unacknowledged"]++
			if lamp != "blinks" || own != "blinks" || sum.Unacknowledged&bit == 0 {
				w.t.Errorf("%s: its lamp %s, its line %s", name, lamp, own)
			}
			if definition := w.engine.Definition(i); definition.Horn && !s.Silenced && w.shows(hornLine, i) != "lit" {
				w.t.Errorf("%s: the horn %s", name, w.shows(hornLine, i))
			}
		}
		if s.State == alarm.SuppressedByDesign && !w.inhibit {
			w.suppressor(name, i)
		}
		if rest := s.State == alarm.Normal || s.State.Covered(); own == "rests" && (!rest || !w.trusted || s.Safe) || own == "fail" && w.trusted && !s.Safe {
			w.t.Errorf("%s, trusted %v, Unknown %v: its line %s", name, w.trusted, s.Unknown, own)
		}
		w.intime(name, i, s)
	}
}

// suppressor looks that what suppresses an alarm is itself seen.
func (w *world) suppressor(name string, place int) {
	for _, by := range w.engine.Definition(place).SuppressBy {
		s := w.engine.Status(w.engine.Place(by))
		if s.Present && !s.Unknown && (s.State == alarm.SuppressedByDesign || !s.State.Covered()) {
			return
		}
	}
	w.t.Errorf("%s: nothing that is seen suppresses it", name)
}

// intime looks that a condition that stays met was told in time.
func (w *world) intime(name string, place int, s alarm.Status) {
	d := w.engine.Definition(place)
	if s.Orphan || w.truth[slices.Index(worldSignals, d.Conditions[0].Signal)] < d.Conditions[0].Limit {
		return
	}
	if s.State.Covered() {
		w.since[s.Name] = w.at
	}
	// The promise, and the longest time between two readings here: an alarm hears
	// of nothing in between.
	late := w.at - w.since[s.Name] - 2*d.OnDelay - d.UnknownHold - worldGap - 2500*time.Millisecond
	if late <= 0 {
		return
	}
	switch {
	case s.State.Active():
		w.seen["raised in time"]++
	case s.Unknown:
		w.seen["declared in time"]++
	default:
		w.t.Errorf("%s: its condition is met since %v, %v too late", name, w.since[s.Name], late)
	}
}
