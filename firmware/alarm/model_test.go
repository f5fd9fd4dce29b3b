package alarm

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var modelSteps = flag.Int("steps", 100_000, "steps of the model-based test")

// A random life of several alarms, step by step against the oracle, with the
// invariants of an alarm system looked at after each.
func TestAgainstModel(t *testing.T) {
	seed := uint64(20260102)
	random := rand.New(rand.NewPCG(seed, 1))
	seen := make(map[string]int)
	for done := 0; done < *modelSteps; {
		n := 500 + random.IntN(1500)
		life(t, random, n, seen)
		done += n
		if t.Failed() {
			t.Fatalf("seed %d, within steps %d to %d", seed, done-n, done)
		}
	}
	// The life must have been a full one.
	for _, s := range States {
		if seen["state "+s.String()] < 100 {
			t.Errorf("%v was seen %d times only", s, seen["state "+s.String()])
		}
	}
	for tr := range triggers {
		if tr := Trigger(tr); tr != SetLimits && tr != Note && tr != Remove && seen["trigger "+tr.String()] < 30 {
			t.Errorf("%v was seen %d times only", tr, seen["trigger "+tr.String()])
		}
	}
}

func randomDefinitions(random *rand.Rand) []Definition {
	delays := []time.Duration{0, 0, 100 * ms, 300 * ms, 700 * ms}
	var defs []Definition
	for i := range 2 + random.IntN(4) {
		d := Definition{Name: string(rune('a' + i)), Match: Match(random.IntN(2)), OnDelay: delays[random.IntN(5)], OffDelay: delays[random.IntN(5)],
			Priority: Priority(1 + random.IntN(4)), Latch: random.IntN(2) == 0, NoAck: random.IntN(5) == 0, Horn: random.IntN(3) > 0, Lamp: true,
			UnknownHold: delays[random.IntN(5)], OnUnknown: OnUnknown(random.IntN(2)), MaxShelve: []time.Duration{0, time.Second, time.Minute}[random.IntN(3)],
			ReAlarm: []time.Duration{0, 500 * ms, 5 * time.Second}[random.IntN(3)]}
		for range 1 + random.IntN(3) {
			d.Conditions = append(d.Conditions, Condition{Signal: string(rune('s' + random.IntN(3))), Side: Side(random.IntN(2)),
				Limit: float32(2+random.IntN(7)) / 10, Deadband: float32(random.IntN(3)) / 10})
		}
		for k := range i {
			if random.IntN(6) == 0 {
				d.SuppressBy = append(d.SuppressBy, string(rune('a'+k)))
			}
		}
		defs = append(defs, d)
	}
	random.Shuffle(len(defs), func(i, j int) { defs[i], defs[j] = defs[j], defs[i] })
	return defs
}

func life(t *testing.T, random *rand.Rand, steps int, seen map[string]int) {
	defs := randomDefinitions(random)
	signals := []string{"s", "t", "u"}
	options := Options{MaxSilence: []time.Duration{0, 2 * time.Second}[random.IntN(2)]}
	e, err := New(defs, signals, options)
	if err != nil {
		t.Fatal(err)
	}
	o := &oracle{silence: options.MaxSilence}
	for _, d := range defs {
		o.alarms = append(o.alarms, &modelAlarm{d: d, met: make([]bool, len(d.Conditions))})
	}
	var number uint64
	var shadow Saved // what a journal alone would give
	at := time.Duration(0)
	levels := []float32{0, 0, 0}
	account := func(what string, events []Event, before []State, lives []State, allUnknown, isCommand bool) {
		shown, beneath := slices.Clone(before), slices.Clone(lives)
		for _, ev := range events {
			seen["trigger "+ev.Trigger.String()]++
			number++
			if ev.Number != number {
				t.Errorf("%s: event number %d after %d", what, ev.Number, number-1)
			}
			shadow.Replay(ev)
			if i := e.Place(ev.Alarm); ev.Alarm != "" && i >= 0 {
				if ev.From != shown[i] {
					t.Errorf("%s: event from %v, but %s was %v", what, ev.From, ev.Alarm, shown[i])
				}
				if beneath[i].NeedsAck() && !ev.Life.NeedsAck() && (ev.Trigger != Acknowledge || ev.Refused) {
					t.Errorf("%s: %s was unacknowledged and is %v without an acknowledgement", what, ev.Alarm, ev.Life)
				}
				shown[i], beneath[i] = ev.To, ev.Life
			}
			if allUnknown && (ev.Trigger == Raise || ev.Trigger == Clear || ev.Trigger == ReAlarm) {
				t.Errorf("%s: Unknown caused %v", what, ev)
			}
			if ev.Cause == "" && !isCommand && ev.Trigger != RegainReading {
				t.Errorf("%s: event without a cause: %v", what, ev)
			}
		}
		for i := range o.alarms {
			s := e.Status(i)
			if s.State != shown[i] || s.Life != beneath[i] {
				t.Errorf("%s: %s is %v over %v, its events say %v over %v", what, s.Name, s.State, s.Life, shown[i], beneath[i])
			}
		}
	}
	wall0 := wall0
	for k := 0; k < steps && !t.Failed(); k++ {
		if random.IntN(50) == 0 { // a recording could begin here
			e = resumed(t, e, signals)
		}
		before, lives := make([]State, len(defs)), make([]State, len(defs))
		for i := range defs {
			before[i], lives[i] = e.Status(i).State, e.Status(i).Life
		}
		if random.IntN(300) == 0 { // the wall clock is set: no alarm may mind
			by := time.Duration(random.IntN(200)-100) * time.Hour
			wall0 = wall0.Add(by)
			account(fmt.Sprintf("step %d, clock", k), e.SetClock(Clock{Boot: "b", At: at, Wall: wall0.Add(at), By: by}, "random", "set", at, wall0.Add(at)), before, lives, false, true)
			compare(t, k, e, o, seen)
		}
		if random.IntN(10) > 0 {
			at += []time.Duration{33 * ms, 100 * ms, 100 * ms, 200 * ms, 0}[random.IntN(5)]
			if random.IntN(200) == 0 {
				at += 1500 * ms
			}
			for i := range levels {
				if random.IntN(4) == 0 {
					levels[i] = float32(random.IntN(11)) / 10
				}
				if random.IntN(10) == 0 {
					levels[i] = nan
				}
			}
			given := levels
			if random.IntN(12) == 0 {
				given = nil
			}
			allUnknown := given == nil || !slices.ContainsFunc(given, finite)
			r := Reading{At: at, Wall: wall0.Add(at), Sequence: uint64(k), Levels: given, Reason: "no face"}
			o.step(r)
			account(fmt.Sprintf("step %d", k), e.Step(r), before, lives, allUnknown, false)
		} else {
			do := []Trigger{Acknowledge, Acknowledge, Acknowledge, Reset, Reset, Shelve, Unshelve, TakeOut, PutBack, PutBack, Silence, Inhibit, Uninhibit, Uninhibit}[random.IntN(14)]
			c := Command{Do: do, Alarm: defs[random.IntN(len(defs))].Name, At: at, Wall: wall0.Add(at), Who: "random",
				For: time.Duration(random.IntN(3000)) * ms}
			switch do {
			case Acknowledge, Reset, Silence, Unshelve:
				if random.IntN(2) == 0 {
					c.Alarm = ""
				}
			case Inhibit:
				c.Alarm, c.For = "", time.Duration(1+random.IntN(2000))*ms
			case Uninhibit:
				c.Alarm = ""
			}
			o.now = max(o.now, at)
			accepted := o.do(c)
			events, err := e.Do(c)
			forAll := c.Alarm == "" && do != Inhibit && do != Uninhibit
			if (err == nil) != (accepted || forAll) {
				t.Errorf("step %d: %v %q: %v, the model says %v", k, do, c.Alarm, err, accepted)
			}
			if len(events) == 0 && accepted || len(events) > 0 && events[0].Who != "random" { // what changed nothing may have been told lately
				t.Errorf("step %d: command left no event with who gave it: %v", k, events)
			}
			account(fmt.Sprintf("step %d, %v %q", k, do, c.Alarm), events, before, lives, false, true)
		}
		compare(t, k, e, o, seen)
		if random.IntN(400) == 0 {
			e = restart(t, k, e, o, defs, signals, &shadow, at, wall0, seen)
			number = shadow.Number
		}
	}
}

func compare(t *testing.T, k int, e *Engine, o *oracle, seen map[string]int) {
	sum := e.Summary()
	waiting := false
	for i, m := range o.alarms {
		s := e.Status(i)
		seen["state "+s.State.String()]++
		if s.State != m.state() || s.Life != m.life() || s.Present != m.present {
			t.Errorf("step %d: %s is %v over %v (present %v), the model says %v over %v (%v)", k, s.Name, s.State, s.Life, s.Present, m.state(), m.life(), m.present)
		}
		if s.Unknown != m.lost {
			t.Errorf("step %d: %s: Unknown %v, the model says %v", k, s.Name, s.Unknown, m.lost)
		}
		b := uint64(1) << i
		sounds := m.state().NeedsAck() && !m.silenced && m.d.Horn
		if sum.Horn&b != 0 != sounds {
			t.Errorf("step %d: horn for %s (%v, silenced %v): %v", k, s.Name, s.State, m.silenced, sum.Horn&b != 0)
		}
		if lit := !m.state().Covered() && (m.active || m.unacked || m.kept); sum.Lamp&b != 0 != lit {
			t.Errorf("step %d: lamp of %s (%v): %v", k, s.Name, s.State, sum.Lamp&b != 0)
		}
		if sum.Safe&b != 0 != (m.lost && m.d.OnUnknown == Fault && !m.out) {
			t.Errorf("step %d: safe flag of %s", k, s.Name)
		}
		waiting = waiting || m.state().NeedsAck()
	}
	if waiting != (sum.Unacknowledged != 0) || sum.FirstOut >= 0 && !waiting {
		t.Errorf("step %d: waiting %v, mask %b, first-out %d", k, waiting, sum.Unacknowledged, sum.FirstOut)
	}
}

// restart saves, goes through JSON as the store does, and begins again with
// either the saved state or what the journal gives.
func restart(t *testing.T, k int, e *Engine, o *oracle, defs []Definition, signals []string, shadow *Saved, at time.Duration, wall0 time.Time, seen map[string]int) *Engine {
	var saved, back Saved
	e.Save(&saved)
	text, err := json.Marshal(saved)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if k%2 == 0 {
		back = *shadow
	}
	next, err := New(defs, signals, Options{MaxSilence: o.silence})
	if err != nil {
		t.Fatal(err)
	}
	for _, ev := range next.Restore(back, at, wall0.Add(at)) {
		seen["trigger "+ev.Trigger.String()]++
		shadow.Replay(ev)
	}
	// A restart is over in no time here; what may change is told by the rules:
	// silence and inhibit end, delays begin again, conditions count as the
	// lives say.
	o.inhibited, o.begun = false, false
	// The clock says that no time has passed, and a clock may say that.
	for _, m := range o.alarms {
		m.until = max(m.until-5*time.Minute, at)
		m.acked -= 5 * time.Minute
		m.silenced, m.suppressed, m.lost, m.blind = false, false, false, 0
		m.present = m.active
		m.readings = nil
		for i := range m.met {
			m.met[i] = m.present
		}
		m.value = 0
	}
	o.last = at
	for i, m := range o.alarms {
		if s := next.Status(i); s.Life != m.life() || s.State != m.state() {
			t.Errorf("step %d: after a restart %s is %v over %v, was %v over %v", k, s.Name, s.State, s.Life, m.state(), m.life())
		}
	}
	return next
}
