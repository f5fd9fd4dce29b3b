package alarm

import (
	"fmt"
	"time"
)

// Saved is what outlives a restart: numbers, and the alarms that are not as
// new. It holds no level and no picture.
type Saved struct {
	Number   uint64       `json:"number"` // of the newest event that is in it
	Start    uint32       `json:"start"`  // starts of the unit so far
	Wall     time.Time    `json:"wall"`   // when it was taken
	FirstOut string       `json:"first_out,omitempty"`
	Inhibit  bool         `json:"inhibit,omitempty"` // one was in force
	Clock    Clock        `json:"clock,omitzero"`    // that the wall clock goes by
	Places   int          `json:"places,omitempty"`  // how many places alarms had, by which commands number them,
	Order    uint32       `json:"order,omitempty"`   // and a sum over the names that they had last
	Alarms   []SavedAlarm `json:"alarms"`
}

// SavedAlarm is one alarm in a Saved.
type SavedAlarm struct {
	Name         string        `json:"name"`
	Life         State         `json:"life"` // one of the first six states
	Out          bool          `json:"out,omitempty"`
	ShelvedLeft  time.Duration `json:"shelved_left,omitempty"` // at Saved.Wall
	ShelvedUntil time.Time     `json:"shelved_until,omitzero"` // by the wall clock
	AckedFor     time.Duration `json:"acked_for,omitempty"`    // at Saved.Wall: how long Life is Acknowledged,
	AckedAt      time.Time     `json:"acked_at,omitzero"`      // and since when, by the wall clock
	Shelvings    uint64        `json:"shelvings,omitempty"`
	Count        uint64        `json:"count,omitempty"`
	Since        time.Time     `json:"since,omitzero"`
	Why          Explanation   `json:"why,omitzero"`
	// How it was defined, for the case that the config no longer has it.
	Priority Priority `json:"priority"`
	Latch    bool     `json:"latch,omitempty"`
	NoAck    bool     `json:"no_ack,omitempty"`
	Horn     bool     `json:"horn,omitempty"`
	Lamp     bool     `json:"lamp,omitempty"`
}

// Revision changes with everything that Save would keep differently. A
// running shelving or re-alarm time changes it every five minutes.
func (e *Engine) Revision() uint64 { return e.revision }

// Save fills dst, whose list is used again, with what is to outlive a restart.
func (e *Engine) Save(dst *Saved) {
	*dst = Saved{Number: e.number, Start: e.start, Wall: e.wall, Inhibit: e.inhibited, Clock: e.clock, Places: len(e.places), Order: order(e.places), Alarms: dst.Alarms[:0]}
	if e.firstOut != nil {
		dst.FirstOut = e.firstOut.def.Name
	}
	for _, it := range e.items {
		if it.life == Normal && !it.out && !it.shelved && it.count == 0 && it.shelvings == 0 {
			continue
		}
		a := SavedAlarm{Name: it.def.Name, Life: it.life, Out: it.out, Shelvings: it.shelvings, Count: it.count, Since: it.sinceWall, Why: it.why,
			Priority: it.def.Priority, Latch: it.def.Latch, NoAck: it.def.NoAck, Horn: it.def.Horn, Lamp: it.def.Lamp}
		if it.shelved {
			a.ShelvedLeft = max(it.until-e.now, 1) // over or not, its end is an event
			a.ShelvedUntil = e.wall.Add(a.ShelvedLeft)
		}
		if it.life == Acknowledged {
			a.AckedFor = e.now - it.acked
			a.AckedAt = e.wall.Add(-a.AckedFor)
		}
		dst.Alarms = append(dst.Alarms, a)
	}
}

// Restore takes over what a former run left. Call it once, before the first
// Step; with an empty Saved on the very first start. Alarms stay as they were,
// conditions count as present or gone as they did, the horn sounds again for
// what is unacknowledged, an inhibit does not outlive a restart, and its end is
// told. A shelving goes on for what the wall clock left of it, and for at least
// five minutes less than was left when it was saved, however the clock was set
// since: so long it may have run and not been saved, and a machine that has no
// clock and no steady power must not shelve for ever. A re-alarm time goes on in
// the same way, and each restart takes five minutes off it. An alarm that the config no
// longer has is kept until it is acknowledged and reset.
func (e *Engine) Restore(s Saved, at time.Duration, wall time.Time) []Event {
	e.events, e.raised = e.events[:0], e.raised[:0]
	e.stamp(at, wall)
	e.number, e.start, e.clock = s.Number, s.Start+1, s.Clock
	kept := 0
	for _, it := range e.items {
		it.since = at // nobody saw it in any state before
	}
	for _, a := range s.Alarms {
		it := e.find(a.Name)
		if it == nil {
			if a.Life == Normal && !a.Out && a.ShelvedLeft == 0 {
				continue
			}
			it = e.adopt(a)
		}
		if a.Life > LatchedAcknowledged {
			a.Life = Unacknowledged // cannot be; somebody has to look
		}
		if a.Life != Normal {
			kept++
		}
		it.life, it.count, it.shelvings, it.why = a.Life, a.Count, a.Shelvings, a.Why
		it.since, it.sinceWall = at, a.Since
		it.assume(a.Life.Active())
		it.acked = at - max(a.AckedFor+timesKept, wall.Sub(a.AckedAt))
		if a.AckedAt.IsZero() { // kept by a version that did not know re-alarms
			it.acked = at
		}
		it.out = a.Out
		if left := a.ShelvedLeft; left > 0 && !a.Out {
			left = min(left-timesKept, a.ShelvedUntil.Sub(wall))
			it.shelved, it.until = true, at+max(left, 0)
		}
	}
	e.renumber()
	if s.Places > len(e.places) || s.Order != order(e.places[:max(s.Places, 0)]) {
		e.numbering++
	}
	cause := fmt.Sprintf("start %d, %s configured, %d taken over from before", e.start, Count(len(e.items)-e.orphans(), "alarm"), kept)
	if s.Number == 0 {
		cause += "; nothing is there from before: it is the first start, or the state folder was emptied"
	}
	e.emit(Event{Trigger: Start, Cause: cause})
	if s.Inhibit {
		e.emit(Event{Trigger: Uninhibit, Cause: "an inhibit does not outlive a restart"})
	}
	for _, it := range e.items {
		if it.def.Name == s.FirstOut {
			e.firstOut = it
		}
		if it.orphan {
			e.orphaned(it)
		}
	}
	e.settle()
	return e.events
}

// Numbering counts how often the numbers of alarms, which are their places, came
// to mean others than before: by a reload, by a start with another config than
// the one before it, by an alarm that is no longer kept. A command by number is
// for the alarm that had it when whoever gives it last looked.
func (e *Engine) Numbering() uint32 { return e.numbering }

// renumber notes the name of each place, and counts where one came to be
// another's, also of one that had none in between.
func (e *Engine) renumber() {
	changed := false
	for i, it := range e.items {
		if i == len(e.places) {
			e.places = append(e.places, it.def.Name)
		} else if e.places[i] != it.def.Name {
			e.places[i], changed = it.def.Name, true
		}
	}
	if changed {
		e.numbering++
	}
}

// order sums up names.
func order(names []string) uint32 {
	var sum uint32
	for _, name := range names {
		sum = sum*31 + 1
		for i := range len(name) {
			sum = (sum ^ uint32(name[i])) * 16777619 // FNV-1a
		}
	}
	return sum
}

// adopt adds an alarm that the config does not have.
func (e *Engine) adopt(a SavedAlarm) *item {
	it := newItem(Definition{Name: a.Name, Priority: min(a.Priority, Low), Latch: a.Latch, NoAck: a.NoAck, Horn: a.Horn, Lamp: a.Lamp}, nil, len(e.items))
	it.orphan = true
	e.items = append(e.items, it)
	return it
}

// orphaned tells of an alarm that is no longer configured. Nothing measures
// its condition any more, so it counts as gone, and no reading of it is missed;
// what covered it goes, so that it is seen.
func (e *Engine) orphaned(it *item) {
	const cause = "no longer configured"
	present := it.present
	it.assume(false)
	it.lost, it.blind = false, 0
	for _, on := range [...]Trigger{PutBack, Unshelve, Unsuppress} { // those that do not fit change nothing
		e.fire(it, on, "", cause)
	}
	if present {
		e.fire(it, Clear, "", cause)
	}
	text := cause
	if it.life != Normal {
		text += "; kept until acknowledged and reset"
	}
	e.emit(Event{Trigger: Remove, Alarm: it.def.Name, From: it.shown(), To: it.shown(), Life: it.life, Cause: text})
}

func (e *Engine) orphans() int {
	n := 0
	for _, it := range e.items {
		if it.orphan {
			n++
		}
	}
	return n
}

// assume sets the condition to present or gone until readings say otherwise.
func (c *condition) assume(present bool) {
	c.present, c.running, c.ran, c.held, c.early, c.value = present, false, 0, 0, present, unknown
	for i := range c.met {
		c.met[i] = present
	}
}

// Reconfigure takes over other definitions and signals while running: alarms
// keep their state by name, delays begin again where the conditions differ,
// limits that were set by command are replaced by the new ones. Alarms that are
// gone are kept until acknowledged and reset if they need it. With an error
// nothing has changed.
func (e *Engine) Reconfigure(defs []Definition, signals []string, who string, at time.Duration, wall time.Time) ([]Event, error) {
	next, err := New(defs, signals, e.options)
	if err != nil {
		return nil, err
	}
	e.events, e.raised = e.events[:0], e.raised[:0]
	e.stamp(at, wall)
	e.emit(Event{Trigger: Start, Who: clean(who, maxWho), Cause: "configuration taken over, " + Count(len(defs), "alarm")})
	for _, it := range next.items {
		it.since = at
	}
	var gone []*item
	for _, old := range e.items {
		it := next.find(old.def.Name)
		if it == nil {
			old.suppress, old.orphan = nil, true
			gone = append(gone, old)
			continue
		}
		it.cover, it.life, it.silenced, it.count, it.why = old.cover, old.life, old.silenced, old.count, old.why
		it.quiet, it.acked = old.quiet, old.acked
		it.since, it.sinceWall = old.since, old.sinceWall
		if same(it.def, old.def) {
			it.condition = old.condition
		} else {
			it.assume(old.present)
			it.lost, it.blind = old.lost, old.blind
			it.why.Condition = 0
		}
		if it.shelved && it.until > at+it.def.MaxShelve {
			it.until = at + it.def.MaxShelve
		}
		if e.firstOut == old {
			e.firstOut = it
		}
	}
	for _, old := range gone {
		old.place = len(next.items)
		next.items = append(next.items, old)
	}
	e.items, e.signals = next.items, next.signals
	e.renumber()
	for _, old := range gone {
		e.orphaned(old)
	}
	e.suppressions()
	for _, it := range e.items {
		e.heldBack(it)
	}
	e.settle()
	return e.events, nil
}

// same says whether two definitions watch the same, whatever their limits.
func same(a, b Definition) bool {
	if a.Match != b.Match || len(a.Conditions) != len(b.Conditions) {
		return false
	}
	for i := range a.Conditions {
		if a.Conditions[i].Signal != b.Conditions[i].Signal || a.Conditions[i].Side != b.Conditions[i].Side {
			return false
		}
	}
	return true
}

// Replay brings a Saved up to date with an event that is newer, so that a
// journal can stand in for a state file that is old or lost.
func (s *Saved) Replay(ev Event) {
	if ev.Number <= s.Number {
		return
	}
	s.Number, s.Start, s.Wall = ev.Number, max(s.Start, ev.Start), ev.Wall
	switch {
	case ev.Refused:
		return
	case ev.Trigger == Inhibit, ev.Trigger == Uninhibit:
		s.Inhibit = ev.Trigger == Inhibit
		return
	case ev.Trigger == SetClock && ev.Clock != nil:
		s.Clock = *ev.Clock
		for i := range s.Alarms { // what runs, runs on
			for _, t := range [...]*time.Time{&s.Alarms[i].ShelvedUntil, &s.Alarms[i].AckedAt} {
				if !t.IsZero() {
					*t = t.Add(ev.Clock.By)
				}
			}
		}
		return
	case ev.Alarm == "" || int(ev.Trigger) >= tableTriggers:
		return
	}
	var a *SavedAlarm
	for i := range s.Alarms {
		if s.Alarms[i].Name == ev.Alarm {
			a = &s.Alarms[i]
		}
	}
	if a == nil {
		s.Alarms = append(s.Alarms, SavedAlarm{Name: ev.Alarm, Priority: Medium, Horn: true, Lamp: true})
		a = &s.Alarms[len(s.Alarms)-1]
	}
	if ev.Trigger == Raise && ev.Life != a.Life {
		a.Count++
	}
	if ev.Life == Acknowledged && a.Life != Acknowledged {
		a.AckedFor, a.AckedAt = 0, ev.Wall
	}
	a.Life = ev.Life
	if ev.To != ev.From {
		a.Since = ev.Wall
	}
	if ev.Trigger == Raise || ev.Trigger == Clear || ev.Trigger == ReAlarm {
		a.Why = ev.Why
	}
	switch ev.Trigger {
	case Shelve:
		a.ShelvedLeft, a.ShelvedUntil = ev.For, ev.Wall.Add(ev.For)
		a.Shelvings++
	case TakeOut:
		a.Out = true
		a.ShelvedLeft, a.ShelvedUntil = 0, time.Time{}
	case PutBack:
		a.Out = false
	case Unshelve, Expire:
		a.ShelvedLeft, a.ShelvedUntil = 0, time.Time{}
	}
}
