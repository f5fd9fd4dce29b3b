package alarm

import (
	"slices"
	"time"
)

// Options of an engine. The zero value of each field is a default.
type Options struct {
	MaxGap     time.Duration // longer between two readings counts as Unknown; 0 is 1 s
	MaxInhibit time.Duration // longest Inhibit; 0 is 15 min
	MaxSilence time.Duration // how long a Silence lasts while what sounded is unacknowledged; 0: until the next occurrence
	// Private leaves LoseReading and RegainReading out of the events: they tell to
	// the millisecond when somebody came and went. Status.Unknown shows what is so.
	Private bool
}

// Engine runs a set of alarms. It belongs to one goroutine. Step and Do
// allocate nothing once the list of events has grown to its size.
type Engine struct {
	options   Options
	signals   []string
	items     []*item
	events    []Event // of the call in progress; handed out, reused by the next
	number    uint64  // of the last event
	start     uint32
	started   bool          // there was a reading
	at        time.Duration // of the last reading
	now       time.Duration // of the last reading or command; stamps events
	wall      time.Time
	unset     bool  // nobody vouches for it
	clock     Clock // that it goes by, as told last
	sequence  uint64
	reason    string
	inhibited bool
	inhibit   time.Duration // until
	firstOut  *item
	raised    []*item // in the call in progress
	last      Event   // newest event with an alarm
	revision  uint64
	numbering uint32
	places    []string // the name that each place had last
	repeats   repeats
	saveBy    time.Duration // when the times that run are due to be kept again
}

// item is one alarm at run time.
type item struct {
	def      Definition
	signal   []int // of each condition, index into the levels
	suppress []*item
	orphan   bool // no longer configured, kept until acknowledged and reset
	place    int  // index in the engine
	condition
	cover
	life      State
	silenced  bool
	quiet     time.Duration // since when it is
	acked     time.Duration // when its life became Acknowledged last; may be before the start
	count     uint64        // occurrences
	since     time.Duration
	sinceWall time.Time
	why       Explanation
}

// cover is what hides an alarm.
type cover struct {
	out        bool
	shelved    bool
	suppressed bool
	until      time.Duration // end of the shelving
	shelvings  uint64
}

// shown is the state an operator sees.
func (it *item) shown() State {
	switch {
	case it.out:
		return OutOfService
	case it.shelved:
		return Shelved
	case it.suppressed:
		return SuppressedByDesign
	}
	return it.life
}

// New makes an engine for alarms on these signals, all Normal. Readings give
// the levels in the order of signals. The error names the alarm.
func New(defs []Definition, signals []string, options Options) (*Engine, error) {
	if err := check(defs, signals); err != nil {
		return nil, err
	}
	if options.MaxGap == 0 {
		options.MaxGap = time.Second
	}
	if options.MaxInhibit == 0 {
		options.MaxInhibit = 15 * time.Minute
	}
	e := &Engine{options: options, signals: slices.Clone(signals)}
	for i, d := range defs {
		e.items = append(e.items, newItem(d, signals, i))
	}
	for _, it := range e.items {
		for _, by := range it.def.SuppressBy {
			it.suppress = append(it.suppress, e.find(by))
		}
	}
	e.renumber()
	e.events = make([]Event, 0, 4*len(defs)+8)
	e.raised = make([]*item, 0, len(defs))
	return e, nil
}

func newItem(d Definition, signals []string, place int) *item {
	d.Conditions = slices.Clone(d.Conditions)
	d.SuppressBy = slices.Clone(d.SuppressBy)
	if d.Priority == 0 {
		d.Priority = Medium
	}
	it := &item{def: d, place: place}
	for _, c := range d.Conditions {
		it.signal = append(it.signal, position(signals, c.Signal))
	}
	it.condition.init(len(d.Conditions))
	return it
}

func (e *Engine) find(name string) *item {
	for _, it := range e.items {
		if it.def.Name == name {
			return it
		}
	}
	return nil
}

// Step takes one reading and gives the events that it caused, valid until the
// next Step or Do. Call it for every frame, and with nil Levels when there is
// no result, at least every Options.MaxGap.
func (e *Engine) Step(r Reading) []Event {
	e.events, e.raised = e.events[:0], e.raised[:0]
	dt, gap := r.At-e.at, false
	switch {
	case !e.started:
		e.started, dt = true, 0
	case dt < 0: // a monotonic clock does not; count nothing
		dt = 0
	case dt > e.options.MaxGap:
		gap = true
	}
	e.at = max(e.at, r.At)
	e.stamp(r.At, r.Wall)
	e.sequence, e.reason = r.Sequence, r.Reason

	for _, it := range e.items {
		if !it.orphan {
			e.measure(it, r.Levels, dt, gap)
		}
	}
	e.expire()
	e.suppressions()
	for _, it := range e.items {
		switch it.turned {
		case rose:
			e.fire(it, Raise, "", "condition present for its on-delay")
		case fell:
			e.fire(it, Clear, "", "condition gone for its off-delay")
		default:
			e.heldBack(it)
			e.reAlarm(it)
		}
		it.turned = stayed
		e.unsilence(it)
	}
	e.settle()
	return e.events
}

// stamp sets the time of the events to come; it never goes back.
func (e *Engine) stamp(at time.Duration, wall time.Time) {
	if at >= e.now {
		e.now = at
	}
	e.wall = wall
}

// VouchFor says whether somebody vouches for the wall clock from here on; events
// carry that. At first somebody does.
func (e *Engine) VouchFor(wall bool) { e.unset = !wall }

// SetClock journals that the wall clock goes by another from here on, for which
// somebody vouches. No delay and no time that runs goes by it. wall is by it
// already; the events are valid until the next Step or Do.
func (e *Engine) SetClock(c Clock, who, text string, at time.Duration, wall time.Time) []Event {
	e.events, e.raised = e.events[:0], e.raised[:0]
	e.stamp(at, wall)
	e.clock, e.unset = c, false
	e.emit(Event{Trigger: SetClock, Who: clean(who, maxWho), Cause: clean(text, maxText), Clock: &c})
	e.settle()
	return e.events
}

// expire ends shelvings and the inhibit whose time is over.
func (e *Engine) expire() {
	for _, it := range e.items {
		if it.shelved && e.now >= it.until {
			e.fire(it, Expire, "", "shelving time is over")
		}
	}
	if e.inhibited && e.now >= e.inhibit {
		e.inhibited = false
		e.emit(Event{Trigger: Uninhibit, Cause: "inhibit time is over"})
	}
}

// suppressions lets conditions and the inhibit cover alarms, and uncover them.
// An alarm that a person has hidden hides no other: nobody would be told of
// either. One that is itself suppressed may: what suppresses it is seen.
func (e *Engine) suppressions() {
	for _, it := range e.items {
		want, cause := e.inhibited && !it.orphan, "inhibit"
		for _, by := range it.suppress {
			if !want && by.present && !by.out && !by.shelved && !by.lost {
				want, cause = true, by.def.Name
			}
		}
		switch {
		case want && !it.suppressed:
			e.fire(it, Suppress, "", cause)
		case !want && it.suppressed:
			e.fire(it, Unsuppress, "", "what suppressed it is over")
		}
	}
}

// measure brings an alarm's condition up to date.
func (e *Engine) measure(it *item, levels []float32, dt time.Duration, gap bool) {
	value := it.evaluate(it.def, it.signal, levels)
	lost, regained := it.advance(value, dt, gap, it.def, e.sequence)
	if it.turned != stayed {
		it.why = it.explain(it.def)
		it.why.Last = e.sequence
	}
	if lost && !e.options.Private {
		cause := e.reason
		switch {
		case cause != "":
		case gap:
			cause = "no reading in time"
		default:
			cause = "its signal is Unknown"
		}
		e.emit(Event{Trigger: LoseReading, Alarm: it.def.Name, From: it.shown(), To: it.shown(), Life: it.life, Cause: cause})
	}
	if regained && !e.options.Private {
		e.emit(Event{Trigger: RegainReading, Alarm: it.def.Name, From: it.shown(), To: it.shown(), Life: it.life})
	}
}

// fire runs one row of the table for an alarm. It gives the reason when the
// row refuses, else "".
func (e *Engine) fire(it *item, on Trigger, who, cause string) string {
	from, life := it.shown(), it.life
	t := row(from, on, !it.def.NoAck, it.def.Latch)
	held := false
	if from.Covered() && on <= Reset {
		beneath := row(life, on, !it.def.NoAck, it.def.Latch)
		switch {
		case beneath.Refused:
			return beneath.Note
		case on == Raise && (life == Normal || life == LatchedAcknowledged):
			held = true // comes when the cover goes, if it is still present
			cause = heldCauses[from-Shelved]
		default:
			it.life = beneath.To
		}
	} else {
		if t.Refused {
			return t.Note
		}
		it.enter(t, on)
	}
	to := it.shown()
	if to == from && it.life == life && !held && !(on == Shelve && to == Shelved) {
		return ""
	}
	if it.life == Acknowledged && life != Acknowledged {
		it.acked = e.now
	}
	if on == Raise && !held {
		it.count++
	}
	if on == Raise && !held || on == ReAlarm {
		it.silenced = false
		if to.NeedsAck() {
			e.raised = append(e.raised, it)
		}
	}
	if to != from {
		it.since, it.sinceWall = e.now, e.wall
	}
	ev := Event{Trigger: on, Alarm: it.def.Name, From: from, To: to, Life: it.life, Who: who, Cause: cause}
	if on == Raise || on == Clear || on == ReAlarm {
		ev.Why = it.why
	}
	if on == Shelve {
		ev.For = it.until - e.now
	}
	e.emit(ev)
	return ""
}

// heldBack raises an alarm whose condition came while it was covered and is
// still there, once nothing covers it and a reading says so. It comes after
// suppressions: what is no longer shelved may have to be suppressed.
func (e *Engine) heldBack(it *item) {
	if !it.present || it.value != yes || it.life != Normal && it.life != LatchedAcknowledged || it.shown().Covered() {
		return
	}
	e.explainHeld(it)
	e.fire(it, Raise, "", "condition still present after what covered it")
}

// explainHeld explains a condition that is present since before this reading.
func (e *Engine) explainHeld(it *item) {
	first, held := it.why.First, it.held
	it.why = it.explain(it.def)
	it.why.First, it.why.For, it.why.AtLeast, it.why.Last = first, held, it.early, e.sequence
}

// reAlarm tells an alarm once more that was acknowledged for its re-alarm time
// and whose condition a reading says to be still present (ISA-18.2, "re-alarm").
// While the alarm is hidden, or no reading says so, it waits: it comes then at once.
func (e *Engine) reAlarm(it *item) {
	if it.def.ReAlarm <= 0 || it.def.NoAck || it.shown() != Acknowledged || it.value != yes || e.now-it.acked < it.def.ReAlarm {
		return
	}
	e.explainHeld(it)
	e.fire(it, ReAlarm, "", "its re-alarm time is over, and its condition is still present")
}

// unsilence lets the horn sound again for what was silenced and never acknowledged.
func (e *Engine) unsilence(it *item) {
	if most := e.options.MaxSilence; most > 0 && it.silenced && e.now-it.quiet >= most && it.shown().NeedsAck() {
		it.silenced = false
		e.emit(Event{Trigger: Unsilence, Alarm: it.def.Name, From: it.shown(), To: it.shown(), Life: it.life,
			Cause: "silenced for as long as is allowed, and not acknowledged"})
	}
}

// enter takes an alarm where a row of the table leads.
func (it *item) enter(t *Transition, on Trigger) {
	switch on {
	case Suppress:
		it.suppressed = true
	case Unsuppress:
		it.suppressed = false
	}
	switch t.To {
	case Shelved:
		it.shelved = true
	case OutOfService:
		it.out, it.shelved = true, false
	case SuppressedByDesign:
	case Beneath:
		switch t.From {
		case Shelved:
			it.shelved = false
		case OutOfService:
			it.out = false
		}
	default:
		it.life = t.To
	}
}

// heldCauses are the texts of held-back occurrences, made once.
var heldCauses = [...]string{"held back: shelved", "held back: suppressed by design", "held back: out of service"}

// settle ends a call: the first-out alarm, orphans that are done, and when the
// times that run are to be kept again.
func (e *Engine) settle() {
	if e.firstOut == nil {
		for _, it := range e.raised {
			if e.firstOut == nil || it.def.Priority < e.firstOut.def.Priority {
				e.firstOut = it
			}
		}
	}
	waiting, running := false, false
	for i := len(e.items) - 1; i >= 0; i-- {
		it := e.items[i]
		waiting = waiting || it.shown().NeedsAck()
		running = running || it.shelved || it.life == Acknowledged && it.def.ReAlarm > 0
		if it.orphan && it.life == Normal {
			if e.firstOut == it {
				e.firstOut = nil
			}
			e.items = slices.Delete(e.items, i, i+1)
			e.renumber()
			for j, rest := range e.items[i:] {
				rest.place = i + j
			}
		}
	}
	if !waiting {
		e.firstOut = nil
	}
	e.tellMerged()
	if len(e.events) > 0 || running && e.now >= e.saveBy {
		e.revision++
		e.saveBy = e.now + timesKept
	}
}

// timesKept is how often the times of shelvings and acknowledgements are kept, so
// that a unit that restarts again and again does not shelve for ever, and alarms
// again.
const timesKept = 5 * time.Minute

// emit tells an event, unless it is one of those that are counted only.
func (e *Engine) emit(ev Event) {
	if !e.merged(&ev) {
		e.add(ev)
	}
}

// add numbers and stamps an event.
func (e *Engine) add(ev Event) {
	e.number++
	ev.Number, ev.Start, ev.At, ev.Wall, ev.Unset = e.number, e.start, e.now, e.wall, e.unset
	e.events = append(e.events, ev)
	if ev.Alarm != "" && !ev.Refused {
		e.last = ev
	}
}
