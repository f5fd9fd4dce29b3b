package alarm

import (
	"math"
	"time"
)

// The oracle says what the alarms must be, in another way than the engine: an
// alarm is three facts (active, unacknowledged, kept by its latch) and three
// covers, and its delays are found by looking back over all its readings.
type oracle struct {
	alarms    []*modelAlarm
	inhibited bool
	inhibit   time.Duration
	now       time.Duration
	last      time.Duration
	begun     bool
	silence   time.Duration // longest; 0: any
}

type modelAlarm struct {
	d                        Definition
	active, unacked, kept    bool
	out, shelved, suppressed bool
	until                    time.Duration
	silenced                 bool
	quiet                    time.Duration // since when
	acked                    time.Duration // since when active and not unacknowledged
	met                      []bool
	present                  bool
	readings                 []modelReading // since present last changed
	value                    int
	blind                    time.Duration // Unknown time less known time
	lost                     bool
}

type modelReading struct {
	value int // 0 Unknown, 1 no, 2 yes
	dt    time.Duration
	gap   bool
	full  bool // Unknown time was as much as the hold
}

func (m *modelAlarm) state() State {
	switch {
	case m.out:
		return OutOfService
	case m.shelved:
		return Shelved
	case m.suppressed:
		return SuppressedByDesign
	}
	return m.life()
}

func (m *modelAlarm) life() State {
	switch {
	case m.active && m.unacked:
		return Unacknowledged
	case m.active:
		return Acknowledged
	case m.unacked && m.kept:
		return LatchedUnacknowledged
	case m.unacked:
		return ReturnedUnacknowledged
	case m.kept:
		return LatchedAcknowledged
	}
	return Normal
}

func (m *modelAlarm) joined(levels []float32) int {
	counts := [3]int{}
	for i, c := range m.d.Conditions {
		x := math.NaN()
		if levels != nil {
			x = float64(levels[c.Signal[0]-'s'])
		}
		on, off := float64(c.Limit), float64(c.Limit-c.Deadband)
		if c.Side == Below {
			x, on, off = -x, -on, -float64(c.Limit+c.Deadband)
		}
		switch {
		case math.IsNaN(x):
			counts[0]++
			continue
		case x >= on:
			m.met[i] = true
		case x < off:
			m.met[i] = false
		}
		if m.met[i] {
			counts[2]++
		} else {
			counts[1]++
		}
	}
	decides, needs := 1, 2 // all: one "no" decides
	if m.d.Match == Any {
		decides, needs = 2, 1
	}
	switch {
	case counts[decides] > 0:
		return decides
	case counts[0] > 0:
		return 0
	}
	return needs
}

// reAlarm makes unacknowledged again what was acknowledged for too long.
func (m *modelAlarm) reAlarm(now time.Duration) bool {
	due := m.d.ReAlarm > 0 && !m.d.NoAck && m.active && !m.unacked && !m.state().Covered() && m.value == 2 && now >= m.acked+m.d.ReAlarm
	if due {
		m.unacked, m.silenced = true, false
	}
	return due
}

// turned looks back over the readings whether a delay is over now.
func (m *modelAlarm) turned() bool {
	other, delay := 2, m.d.OnDelay
	if m.present {
		other, delay = 1, m.d.OffDelay
	}
	n := len(m.readings)
	if n == 0 || m.readings[n-1].value != other {
		return false
	}
	// Back to where it began: behind the last reading that says otherwise, and
	// behind the last with which Unknown was declared.
	start := 0
	for i, r := range m.readings {
		switch {
		case r.full:
			start = i
		case r.value != 0 && r.value != other:
			start = i + 1
		}
	}
	var ran time.Duration
	for i := start + 1; i < n; i++ {
		if r := m.readings[i]; r.value == other && m.readings[i-1].value == other && !r.gap {
			ran += r.dt
		}
	}
	return ran >= delay
}

func (m *modelAlarm) raise() {
	if m.active {
		return
	}
	if m.state().Covered() && !m.unacked {
		return // held back
	}
	m.active, m.kept, m.silenced = true, m.d.Latch, false
	m.unacked = m.unacked || !m.d.NoAck
}

func (m *modelAlarm) heldBack() {
	if m.present && m.value == 2 && !m.active && !m.unacked && !m.state().Covered() {
		m.raise()
	}
}

func (o *oracle) suppress() {
	for _, m := range o.alarms {
		want := o.inhibited
		for _, by := range m.d.SuppressBy {
			for _, x := range o.alarms {
				want = want || x.d.Name == by && x.present && !x.out && !x.shelved && !x.lost
			}
		}
		m.suppressed = want
	}
}

func (o *oracle) step(r Reading) {
	dt := r.At - o.last
	if !o.begun {
		o.begun, dt = true, 0
	}
	gap := dt > time.Second
	o.last, o.now = r.At, max(o.now, r.At)
	turned := make([]bool, len(o.alarms))
	for i, m := range o.alarms {
		before := m.value
		m.value = m.joined(r.Levels)
		known := before != 0 && m.value != 0 && !gap
		if known {
			m.blind -= dt
		} else {
			m.blind += dt
		}
		m.blind = max(0, min(m.blind, m.d.UnknownHold))
		full := m.blind == m.d.UnknownHold && (m.value == 0 || gap)
		needs := m.d.OnDelay
		if m.present {
			needs = m.d.OffDelay
		}
		needs = min(max(needs, min(m.d.UnknownHold/2, time.Second)), m.d.UnknownHold)
		if m.lost = m.lost || full; m.lost && m.value != 0 && !gap && m.d.UnknownHold-m.blind >= needs {
			m.lost, m.blind = false, 0
		}
		m.readings = append(m.readings, modelReading{m.value, dt, gap, full})
		if turned[i] = m.turned(); turned[i] {
			m.present = !m.present
			if m.lost {
				m.lost, m.blind = false, 0
			}
			// The flip is decided; only what the next delay needs is kept.
			m.readings = []modelReading{{m.value, 0, false, false}}
		}
	}
	for _, m := range o.alarms {
		m.shelved = m.shelved && o.now < m.until
	}
	o.inhibited = o.inhibited && o.now < o.inhibit
	o.suppress()
	for i, m := range o.alarms {
		switch {
		case turned[i] && m.present:
			m.raise()
		case turned[i]:
			if m.active {
				m.active = false
				m.kept = m.d.Latch
			}
		default:
			m.heldBack()
			m.reAlarm(o.now)
		}
		if m.state().NeedsAck() && o.silence > 0 && o.now >= m.quiet+o.silence {
			m.silenced = false
		}
	}
}

// do gives whether the command must be accepted, for one alarm.
func (o *oracle) do(c Command) bool {
	accepted := false
	for _, m := range o.alarms {
		if c.Alarm != "" && c.Alarm != m.d.Name || c.Alarm == "" && (c.Do == Acknowledge || c.Do == Reset) && m.state().Covered() {
			continue
		}
		switch c.Do {
		case Acknowledge:
			if m.unacked {
				m.unacked, m.acked, accepted = false, o.now, true
				if !m.active {
					m.kept = m.kept && m.d.Latch
				}
			}
		case Reset:
			if m.kept && !m.active && !m.unacked {
				m.kept, accepted = false, true
			}
		case Silence:
			if m.state().NeedsAck() && !m.silenced {
				m.silenced, m.quiet, accepted = true, o.now, true
			}
		case Shelve:
			if c.For > 0 && m.d.MaxShelve > 0 && !m.out {
				m.shelved, m.until, accepted = true, o.now+min(c.For, m.d.MaxShelve), true
			}
		case Unshelve:
			if m.state() == Shelved {
				m.shelved, accepted = false, true
			}
		case TakeOut:
			if !m.out {
				m.out, m.shelved, accepted = true, false, true
			}
		case PutBack:
			if m.out {
				m.out, accepted = false, true
			}
		}
	}
	switch c.Do {
	case Inhibit:
		o.inhibited, o.inhibit, accepted = true, o.now+min(c.For, 15*time.Minute), true
	case Uninhibit:
		accepted = o.inhibited
		o.inhibited = false
	}
	if accepted && (c.Do == TakeOut || c.Do == PutBack || c.Do == Shelve || c.Do == Unshelve || c.Do == Inhibit || c.Do == Uninhibit) {
		o.suppress()
		for _, m := range o.alarms {
			m.heldBack()
		}
	}
	return accepted
}
