package alarm

import "time"

// Lamp is what the common lamp shows.
type Lamp uint8

const (
	LampOff    Lamp = iota
	LampSteady      // a condition is present or latched, all acknowledged
	LampBlink       // something is unacknowledged
)

// Summary is the state of all alarms at once. In the masks bit i is the alarm
// at place i; all from 63 on share the last bit.
type Summary struct {
	Active         uint64 // shown with the condition present
	Unacknowledged uint64 // shown and waiting for an acknowledgement, condition present or not
	Latched        uint64 // shown and kept after the condition went
	Covered        uint64 // shelved, suppressed by design or out of service
	Unknown        uint64 // reading lost for longer than the hold
	Safe           uint64 // of these, the ones that declare Fault: outputs to their fail value
	Horn           uint64 // unacknowledged, not silenced, and the alarm sounds the horn
	Silenced       uint64 // unacknowledged and silenced
	Lamp           uint64 // active, latched or unacknowledged, and the alarm counts for the common lamp
	FirstOut       int    // place of the first of what is unacknowledged; -1: nothing is
	Inhibited      bool
	InhibitLeft    time.Duration
	Events         uint64 // number of the newest event
	Last           int    // place of the alarm of the newest event; -1: none, or no longer there
	LastAt         time.Duration
	LastWall       time.Time
}

// Priority gives the mask of the alarms at least as urgent as p.
func (e *Engine) Priority(p Priority) uint64 {
	var mask uint64
	for i, it := range e.items {
		if it.def.Priority <= p {
			mask |= bit(i)
		}
	}
	return mask
}

func bit(place int) uint64 { return 1 << min(place, 63) }

// Summary gives the masks, horn and lamp as of the last Step or Do.
func (e *Engine) Summary() Summary {
	s := Summary{FirstOut: -1, Last: -1, Inhibited: e.inhibited, InhibitLeft: e.inhibitLeft(), Events: e.number}
	for i, it := range e.items {
		shown, b := it.shown(), bit(i)
		if shown.Active() {
			s.Active |= b
		}
		if shown.NeedsAck() {
			s.Unacknowledged |= b
			switch {
			case it.silenced:
				s.Silenced |= b
			case it.def.Horn:
				s.Horn |= b
			}
		}
		if shown.Latched() {
			s.Latched |= b
		}
		if shown.Covered() {
			s.Covered |= b
		}
		if it.lost {
			s.Unknown |= b
			if it.def.OnUnknown == Fault && !it.out {
				s.Safe |= b
			}
		}
		if it.def.Lamp && shown != Normal && !shown.Covered() {
			s.Lamp |= b
		}
		if it == e.firstOut {
			s.FirstOut = i
		}
		if it.def.Name == e.last.Alarm {
			s.Last = i
		}
	}
	s.LastAt, s.LastWall = e.last.At, e.last.Wall
	return s
}

// Light gives what a lamp shows that stands for the alarms of mask: blinking
// while one of them is unacknowledged, whether or not its condition is still
// present; steady while one is active or latched.
func (s Summary) Light(mask uint64) Lamp {
	switch {
	case s.Unacknowledged&mask != 0:
		return LampBlink
	case (s.Active|s.Latched)&mask != 0:
		return LampSteady
	}
	return LampOff
}

// Status is one alarm as an operator or the PLC sees it.
type Status struct {
	Name        string
	Place       int // its bit in the masks; alarms of the config come first, in its order
	Priority    Priority
	State       State
	Life        State // the state beneath a cover; otherwise State
	Present     bool  // the condition is present, whatever is shown
	Unknown     bool  // reading lost for longer than the hold
	Safe        bool  // and that declares a fault
	Silenced    bool  // unacknowledged, and the horn is silenced for it
	FirstOut    bool
	Orphan      bool // no longer configured; goes once acknowledged and reset
	Unlocked    bool
	Suppressed  bool // by design, also while shelved or out of service
	Since       time.Duration
	SinceWall   time.Time     // when State began
	For         time.Duration // how long that is ago
	Count       uint64        // occurrences since it was first configured
	Shelvings   uint64
	ShelvedLeft time.Duration
	MaxShelve   time.Duration // longest shelving; 0: may not be shelved
	ReAlarmLeft time.Duration // acknowledged and present: until it alarms again; 0: it will not
	Signal      string        // of the condition shown here: the one that decided last, else the first
	Condition   int           // its index
	Side        Side          // on which side of Limit it is met
	Level       float32       // newest, NaN: Unknown
	Limit, Off  float32       // in force
	OnDelay     time.Duration
	OffDelay    time.Duration
	Why         Explanation // of its last Raise or Clear
}

// Len is the number of alarms, those included that are only kept until they
// are acknowledged and reset.
func (e *Engine) Len() int { return len(e.items) }

// Status tells about the alarm at a place from 0 to Len()-1.
func (e *Engine) Status(place int) Status {
	it := e.items[place]
	s := Status{Name: it.def.Name, Place: place, Priority: it.def.Priority, State: it.shown(), Life: it.life, Present: it.present,
		Unknown: it.lost, Safe: it.lost && it.def.OnUnknown == Fault && !it.out, Silenced: it.silenced && it.shown().NeedsAck(), FirstOut: it == e.firstOut,
		Orphan: it.orphan, Unlocked: it.def.Unlocked && !it.orphan, Suppressed: it.suppressed, Since: it.since, SinceWall: it.sinceWall,
		For: e.now - it.since, Count: it.count, Shelvings: it.shelvings, OnDelay: it.def.OnDelay, OffDelay: it.def.OffDelay,
		MaxShelve: it.def.MaxShelve, Level: nan, Why: it.why}
	if it.shelved {
		s.ShelvedLeft = max(it.until-e.now, 0)
	}
	if it.def.ReAlarm > 0 && !it.def.NoAck && it.life == Acknowledged {
		s.ReAlarmLeft = max(it.def.ReAlarm-(e.now-it.acked), 1)
	}
	if n := it.why.Condition; n < len(it.def.Conditions) {
		c := it.def.Conditions[n]
		s.Signal, s.Condition, s.Side, s.Level, s.Limit, s.Off = c.Signal, n, c.Side, it.level[n], c.Limit, c.Off()
	}
	return s
}

// Place finds an alarm by name; -1 when there is none.
func (e *Engine) Place(name string) int {
	for i, it := range e.items {
		if it.def.Name == name {
			return i
		}
	}
	return -1
}

// Definition gives the alarm at a place with the limits in force. The slices
// in it are the engine's own: read only.
func (e *Engine) Definition(place int) Definition { return e.items[place].def }
