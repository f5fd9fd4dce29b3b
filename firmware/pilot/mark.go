package pilot

import (
	"fmt"
	"slices"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/state"
)

// Mark is what somebody said of an alarm.
type Mark struct {
	Number uint64        `json:"number"` // of this run of the program
	Truth  state.Truth   `json:"truth"`
	Alarm  string        `json:"alarm,omitempty"`
	Event  uint64        `json:"event,omitempty"` // number of the event that raised it
	Shows  []Shown       `json:"shows,omitempty"` // what of which signals is true
	From   time.Duration `json:"from"`            // what it is about, on the unit's clock
	To     time.Duration `json:"to"`
	At     time.Duration `json:"at"` // when it was given
	Who    string        `json:"who"`
	Of     uint64        `json:"of,omitempty"` // number of the mark that it takes the place of
}

// Clocks say how far the wall clock was ahead of the unit's, file by file: a new one
// is begun when it is set.
type Clocks []clock

type clock struct {
	run    string
	from   time.Duration
	offset time.Duration
}

// Begin takes the next file.
func (c *Clocks) Begin(b *Beginning) {
	*c = append(*c, clock{b.Run, b.Now, time.Duration(b.Begun.UnixNano()) - b.Now})
}

// Offset is how far it was ahead at a moment of the unit's clock.
func (c Clocks) Offset(run string, at time.Duration) (offset time.Duration) {
	first := true
	for _, f := range c {
		if f.run == run && (first || f.from <= at) { // what was before the first file has no other
			offset, first = f.offset, false
		}
	}
	return offset
}

// Placed is a mark with what its times are of: the run of the program, and how far
// the wall clock was ahead of the unit's then.
type Placed struct {
	Mark
	Run    string
	Offset time.Duration
}

// Marks are those that count, in the order in which they were given: without those
// that were withdrawn or replaced.
type Marks []Placed

// Take takes the next one.
func (l *Marks) Take(m Mark, run string, offset time.Duration) {
	if m.Of > 0 {
		*l = slices.DeleteFunc(*l, func(o Placed) bool { return o.Run == run && o.Number == m.Of })
	}
	if m.Truth != state.Withdrawn {
		*l = append(*l, Placed{m, run, offset})
	}
}

// Shown is one signal of which the truth is known.
type Shown struct {
	Signal  string `json:"signal"`
	Present bool   `json:"present"`
}

// DrillStep is what somebody was asked in a drill, from At on.
type DrillStep struct {
	state.DrillStep
	At time.Duration `json:"at"`
}

const (
	// markWithin is how long ago an alarm may have been raised that a mark without a
	// time means: longer ago nobody knows which one was meant.
	markWithin = time.Hour
	// missedFor is how exactly people know when something was that they missed.
	missedFor = 30 * time.Second
	// missedMost is how long ago a missed one may be.
	missedMost = 12 * time.Hour
	keptRaises = 64
	keptMissed = 64
)

// Marker finds the alarms that marks mean. It belongs to whoever holds the unit's
// lock.
type Marker struct {
	raises []raise // the newest last
	missed []Mark  // that count, the newest last
	counts [state.Missed + 1]int
	number uint64
	newest Mark // for withdrawing it
}

// Standing says how many marks of a kind count: one that was corrected or withdrawn
// does not.
func (m *Marker) Standing(of state.Truth) int {
	if int(of) >= len(m.counts) {
		return 0
	}
	return m.counts[of]
}

type raise struct {
	alarm    string
	event    uint64
	from, at time.Duration
	to       time.Duration // 0: its condition is present
	said     state.Truth
	mark     uint64
	shows    []string
	any      bool // one of shows is enough
	because  string
}

// Event notes what alarms do. def gives an alarm's definition.
func (m *Marker) Event(ev *alarm.Event, def func(name string) (alarm.Definition, bool)) {
	switch ev.Trigger {
	case alarm.Raise:
		r := raise{alarm: ev.Alarm, event: ev.Number, from: ev.At - ev.Why.For, at: ev.At, because: ev.Why.Signal}
		if d, ok := def(ev.Alarm); ok {
			r.any = d.Match == alarm.Any
			for _, c := range d.Conditions {
				r.shows = append(r.shows, c.Signal)
			}
		}
		if len(m.raises) == keptRaises {
			m.raises = append(m.raises[:0], m.raises[1:]...)
		}
		m.raises = append(m.raises, r)
	case alarm.Clear:
		off := time.Duration(0)
		if d, ok := def(ev.Alarm); ok {
			off = d.OffDelay
		}
		for i := len(m.raises) - 1; i >= 0; i-- {
			if r := &m.raises[i]; r.alarm == ev.Alarm {
				if r.to == 0 {
					r.to = max(ev.At-off, r.at)
				}
				break
			}
		}
	}
}

// Mark finds what a mark means, at a time on the unit's clock. The text is for the
// journal. An error says why there is nothing that it could mean.
func (m *Marker) Mark(c state.Mark, who string, now, started time.Duration, defs []alarm.Definition) (Mark, state.Marked, string, error) {
	out := Mark{Truth: c.Truth, At: now, Who: who}
	switch {
	case c.Truth == state.Withdrawn:
		return m.withdraw(out)
	case c.Truth != state.Right && c.Truth != state.False && c.Truth != state.Missed:
		return out, state.NotFound, "", fmt.Errorf("%w: a mark is right, false, missed or withdraw", alarm.ErrInvalid)
	case c.Ago < 0:
		return out, state.NotFound, "", fmt.Errorf("%w: %s ago is in the future", alarm.ErrInvalid, alarm.Time(c.Ago))
	case c.Ago > missedMost:
		return out, state.NotFound, "", fmt.Errorf("%w: %s ago is too long; allowed: up to %s", alarm.ErrInvalid, alarm.Time(c.Ago), alarm.Time(missedMost))
	case now-c.Ago < started:
		return out, state.NotFound, "", fmt.Errorf("%w: %s ago the unit did not run", alarm.ErrInvalid, alarm.Time(c.Ago))
	}
	if c.Alarm != "" && !defined(defs, c.Alarm) {
		return out, state.NotFound, "", alarm.ErrNoAlarm
	}
	if c.Truth == state.Missed {
		return m.miss(out, c, now, defs)
	}
	r := m.find(c.Alarm, now-c.Ago)
	if r == nil {
		return out, state.NotFound, "", fmt.Errorf("%w: there was no alarm in the hour before that a mark could mean", alarm.ErrRefused)
	}
	text := fmt.Sprintf("mark %v: %s, event %d", c.Truth, r.alarm, r.event)
	if r.said == c.Truth {
		return out, state.Again, text + ", as was said before", nil
	}
	if r.said != 0 {
		text += fmt.Sprintf(", in place of %v", r.said)
	}
	to := r.to
	if to == 0 {
		to = now
	}
	out.Alarm, out.Event, out.From, out.To, out.Of = r.alarm, r.event, r.from, to, r.mark
	out.Shows = r.shown(c.Truth == state.Right)
	if r.said != 0 {
		m.counts[r.said]--
	}
	m.note(&out)
	r.said, r.mark = c.Truth, out.Number
	return out, state.Found, text, nil
}

// shown is what of the alarm's signals is known by whether it was right. Of several
// conditions that must all be met, nobody knows which one was wrongly met, and of
// those of which one is enough, only that the one that raised it was rightly.
func (r *raise) shown(right bool) (list []Shown) {
	for _, s := range r.shows {
		switch {
		case len(r.shows) == 1, right && !r.any, !right && r.any, right && s == r.because:
			list = append(list, Shown{s, right})
		}
	}
	return list
}

// find gives the newest raise of an alarm, of any for "", that was at a time or
// within an hour before it.
func (m *Marker) find(name string, at time.Duration) *raise {
	for i := len(m.raises) - 1; i >= 0; i-- {
		r := &m.raises[i]
		if (name == "" || r.alarm == name) && r.at <= at && (r.to == 0 || at-r.to <= markWithin) {
			return r
		}
	}
	return nil
}

// miss notes that something was and no alarm came. Two such marks of one alarm whose
// times overlap are of the same event: the second says nothing new, unless it names
// the alarm that the first did not.
func (m *Marker) miss(out Mark, c state.Mark, now time.Duration, defs []alarm.Definition) (Mark, state.Marked, string, error) {
	if c.Alarm == "" && len(defs) == 1 {
		c.Alarm = defs[0].Name
	}
	out.Alarm, out.To = c.Alarm, now-c.Ago
	out.From = max(out.To-missedFor, 0)
	for i := len(m.raises) - 1; i >= 0; i-- { // the newest first
		if r := &m.raises[i]; c.Alarm != "" && r.alarm == c.Alarm && r.from <= out.To && (r.to == 0 || r.to >= out.From) {
			return out, state.NotFound, "", fmt.Errorf("%w: %s was raised within %v before that, event %d: mark that one right", alarm.ErrRefused, r.alarm, missedFor, r.event)
		}
	}
	again := slices.IndexFunc(m.missed, func(o Mark) bool { return o.Alarm == c.Alarm && o.From <= out.To && out.From <= o.To })
	if again >= 0 {
		return out, state.Again, fmt.Sprintf("%s, within %v of one that was marked before", missedText(c), missedFor), nil
	}
	unnamed := slices.IndexFunc(m.missed, func(o Mark) bool { return o.Alarm == "" && o.From <= out.To && out.From <= o.To })
	if unnamed >= 0 {
		out.Of = m.missed[unnamed].Number
		m.missed = slices.Delete(m.missed, unnamed, unnamed+1)
		m.counts[state.Missed]--
	}
	for _, d := range defs {
		if d.Name == c.Alarm && (len(d.Conditions) == 1 || d.Match == alarm.All) {
			for _, condition := range d.Conditions {
				out.Shows = append(out.Shows, Shown{condition.Signal, true})
			}
		}
	}
	m.note(&out)
	if len(m.missed) == keptMissed {
		m.missed = slices.Delete(m.missed, 0, 1)
	}
	m.missed = append(m.missed, out)
	return out, state.Found, missedText(c), nil
}

func missedText(c state.Mark) string {
	text := "mark missed: " + c.Alarm
	if c.Alarm == "" {
		text += "it is not said which alarm, so that it counts for none"
	}
	return fmt.Sprintf("%s, %s ago", text, alarm.Time(c.Ago.Round(time.Second)))
}

// withdraw takes the newest mark back.
func (m *Marker) withdraw(out Mark) (Mark, state.Marked, string, error) {
	if m.newest.Number == 0 {
		return out, state.NotFound, "", fmt.Errorf("%w: there is no mark to withdraw, or the newest one is withdrawn already", alarm.ErrRefused)
	}
	was := m.newest
	out.Of, out.Alarm, out.Event = was.Number, was.Alarm, was.Event
	for i := range m.raises {
		if r := &m.raises[i]; r.mark == was.Number {
			r.said, r.mark = 0, 0
		}
	}
	m.missed = slices.DeleteFunc(m.missed, func(o Mark) bool { return o.Number == was.Number })
	m.counts[was.Truth]--
	m.note(&out)
	m.newest = Mark{}
	return out, state.Found, withdrawnText(was), nil
}

func withdrawnText(was Mark) string {
	if was.Alarm == "" {
		return fmt.Sprintf("mark withdrawn: %v, of which it was not said which alarm", was.Truth)
	}
	return fmt.Sprintf("mark withdrawn: %v, %s", was.Truth, was.Alarm)
}

func (m *Marker) note(out *Mark) {
	m.number++
	out.Number = m.number
	m.newest = *out
	if out.Truth != state.Withdrawn {
		m.counts[out.Truth]++
	}
}

func defined(defs []alarm.Definition, name string) bool {
	for _, d := range defs {
		if d.Name == name {
			return true
		}
	}
	return false
}
