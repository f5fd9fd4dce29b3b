package alarm

import (
	"fmt"
	"slices"
	"time"
)

// Kept is all that an engine holds at one moment, delays that run included: an
// engine of Resume goes on as the first one would. It is for recordings, which may
// begin at any moment; what outlives a restart is Saved, which is less.
type Kept struct {
	Number    uint64        `json:"number"`
	Start     uint32        `json:"start"`
	Started   bool          `json:"started"`
	At        time.Duration `json:"at"`
	Now       time.Duration `json:"now"`
	Wall      time.Time     `json:"wall"`
	Unset     bool          `json:"unset,omitempty"`
	Clock     Clock         `json:"clock,omitzero"`
	Sequence  uint64        `json:"sequence"`
	Inhibited bool          `json:"inhibited,omitempty"`
	Inhibit   time.Duration `json:"inhibit,omitempty"`
	FirstOut  string        `json:"first_out,omitempty"`
	Last      Event         `json:"last"`
	Revision  uint64        `json:"revision"`
	Numbering uint32        `json:"numbering"`
	SaveBy    time.Duration `json:"save_by"`
	Places    []string      `json:"places"`
	Alarms    []KeptAlarm   `json:"alarms"`
	Told      []keptRepeat  `json:"told,omitempty"`
	Sources   []keptSource  `json:"sources,omitempty"`
	Counted   bool          `json:"counted,omitempty"`
	Looked    time.Duration `json:"looked,omitempty"`
}

// KeptAlarm is one alarm of a Kept, with its limits in force.
type KeptAlarm struct {
	Definition Definition    `json:"definition"`
	Orphan     bool          `json:"orphan,omitempty"`
	Met        []bool        `json:"met"`
	Level      []*float32    `json:"level"` // nil is Unknown
	Value      truth         `json:"value"`
	Present    bool          `json:"present,omitempty"`
	Running    bool          `json:"running,omitempty"`
	Ran        time.Duration `json:"ran,omitempty"`
	First      uint64        `json:"first,omitempty"`
	Held       time.Duration `json:"held,omitempty"`
	Early      bool          `json:"early,omitempty"`
	Blind      time.Duration `json:"blind,omitempty"`
	Lost       bool          `json:"lost,omitempty"`
	Out        bool          `json:"out,omitempty"`
	Shelved    bool          `json:"shelved,omitempty"`
	Suppressed bool          `json:"suppressed,omitempty"`
	Until      time.Duration `json:"until,omitempty"`
	Shelvings  uint64        `json:"shelvings,omitempty"`
	Life       State         `json:"life"`
	Silenced   bool          `json:"silenced,omitempty"`
	Quiet      time.Duration `json:"quiet,omitempty"`
	Acked      time.Duration `json:"acked,omitempty"`
	Count      uint64        `json:"count,omitempty"`
	Since      time.Duration `json:"since"`
	SinceWall  time.Time     `json:"since_wall"`
	Why        Explanation   `json:"why"`
}

type keptRepeat struct {
	Event Event         `json:"event"`
	At    time.Duration `json:"at"`
	Last  time.Duration `json:"last"`
	More  int           `json:"more"`
	Place int           `json:"place"` // in the engine's list
}

type keptSource struct {
	Who     string        `json:"who"`
	Paid    time.Duration `json:"paid"`
	LeftOut int           `json:"left_out"`
	Since   time.Duration `json:"since"`
	Place   int           `json:"place"`
}

// Keep copies what the engine holds. mask replaces in an event what may name a
// person: who gave a command, and a text that was with it.
func (e *Engine) Keep(mask func(*Event)) *Kept {
	masked := func(ev Event) Event {
		mask(&ev)
		return ev
	}
	k := &Kept{Number: e.number, Start: e.start, Started: e.started, At: e.at, Now: e.now, Wall: e.wall, Unset: e.unset, Clock: e.clock, Sequence: e.sequence,
		Inhibited: e.inhibited, Inhibit: e.inhibit, Last: masked(e.last), Revision: e.revision, Numbering: e.numbering, SaveBy: e.saveBy,
		Places: slices.Clone(e.places), Counted: e.repeats.counted, Looked: e.repeats.looked}
	if e.firstOut != nil {
		k.FirstOut = e.firstOut.def.Name
	}
	for _, it := range e.items {
		c, v := &it.condition, &it.cover
		a := KeptAlarm{it.def, it.orphan, slices.Clone(c.met), nil, c.value, c.present, c.running, c.ran, c.first, c.held, c.early, c.blind, c.lost,
			v.out, v.shelved, v.suppressed, v.until, v.shelvings, it.life, it.silenced, it.quiet, it.acked,
			it.count, it.since, it.sinceWall, it.why}
		a.Definition.Conditions, a.Definition.SuppressBy = slices.Clone(it.def.Conditions), slices.Clone(it.def.SuppressBy)
		for _, level := range c.level {
			if level != level {
				a.Level = append(a.Level, nil)
			} else {
				a.Level = append(a.Level, &level)
			}
		}
		k.Alarms = append(k.Alarms, a)
	}
	for i, r := range e.repeats.told {
		if r.event.Number > 0 {
			k.Told = append(k.Told, keptRepeat{masked(r.event), r.at, r.last, r.more, i})
		}
	}
	for i, s := range e.repeats.sources {
		if s.paid > 0 {
			who := masked(Event{Who: s.who}).Who
			k.Sources = append(k.Sources, keptSource{who, s.paid, s.leftOut, s.since, i})
		}
	}
	return k
}

// Resume makes an engine that goes on from what Keep gave. The error names what in
// it cannot be.
func Resume(k *Kept, signals []string, options Options) (*Engine, error) {
	var defs []Definition
	for _, a := range k.Alarms {
		if !a.Orphan {
			defs = append(defs, a.Definition)
		}
	}
	e, err := New(defs, signals, options)
	if err != nil {
		return nil, err
	}
	for i, a := range k.Alarms {
		if a.Orphan {
			e.items = append(e.items, newItem(a.Definition, nil, i))
		}
		it := e.items[min(i, len(e.items)-1)]
		if it.def.Name != a.Definition.Name || len(a.Met) != len(it.met) || len(a.Level) != len(it.level) ||
			a.Life > LatchedAcknowledged || a.Value > yes || a.Why.Condition < 0 {
			return nil, fmt.Errorf("kept alarm %d, %q: it does not fit its definition", i, a.Definition.Name)
		}
		it.orphan = a.Orphan
		it.condition = condition{met: slices.Clone(a.Met), level: it.level, value: a.Value, present: a.Present, running: a.Running,
			ran: a.Ran, first: a.First, held: a.Held, early: a.Early, blind: a.Blind, lost: a.Lost}
		for j, level := range a.Level {
			if level != nil {
				it.level[j] = *level
			}
		}
		it.cover = cover{a.Out, a.Shelved, a.Suppressed, a.Until, a.Shelvings}
		it.life, it.silenced, it.quiet, it.acked = a.Life, a.Silenced, a.Quiet, a.Acked
		it.count, it.since, it.sinceWall, it.why = a.Count, a.Since, a.SinceWall, a.Why
	}
	e.number, e.start, e.started, e.at, e.now, e.wall, e.sequence = k.Number, k.Start, k.Started, k.At, k.Now, k.Wall, k.Sequence
	e.unset, e.clock = k.Unset, k.Clock
	e.inhibited, e.inhibit, e.last = k.Inhibited, k.Inhibit, k.Last
	e.revision, e.numbering, e.saveBy, e.places = k.Revision, k.Numbering, k.SaveBy, slices.Clone(k.Places)
	if k.FirstOut != "" {
		e.firstOut = e.find(k.FirstOut)
	}
	e.repeats.counted, e.repeats.looked = k.Counted, k.Looked
	for _, r := range k.Told {
		if r.Place < 0 || r.Place >= len(e.repeats.told) {
			return nil, fmt.Errorf("kept event at place %d", r.Place)
		}
		e.repeats.told[r.Place] = repeat{r.Event, r.At, r.Last, r.More}
	}
	for _, s := range k.Sources {
		if s.Place < 0 || s.Place >= len(e.repeats.sources) {
			return nil, fmt.Errorf("kept source at place %d", s.Place)
		}
		e.repeats.sources[s.Place] = source{s.Who, s.Paid, s.LeftOut, s.Since}
	}
	return e, nil
}
