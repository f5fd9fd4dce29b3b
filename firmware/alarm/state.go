package alarm

import "fmt"

// State is what an operator is shown of one alarm. The numbers are published
// in the register map and never change.
type State uint8

const (
	Normal                 State = 0 // condition absent, nothing to do
	Unacknowledged         State = 1 // condition present, nobody has seen it
	Acknowledged           State = 2 // condition present, seen
	ReturnedUnacknowledged State = 3 // condition gone before anybody saw it
	LatchedUnacknowledged  State = 4 // condition gone, latched, not seen
	LatchedAcknowledged    State = 5 // condition gone, seen, waits for a reset
	Shelved                State = 6 // hidden by a person, for a limited time
	SuppressedByDesign     State = 7 // hidden by another alarm or an inhibit
	OutOfService           State = 8 // taken out by a person, until put back

	// Beneath stands in Transitions for "the state that the cover hid".
	Beneath State = 255
)

// States in the order of their numbers.
var States = [...]State{Normal, Unacknowledged, Acknowledged, ReturnedUnacknowledged, LatchedUnacknowledged,
	LatchedAcknowledged, Shelved, SuppressedByDesign, OutOfService}

var stateNames = [...]string{"normal", "unacknowledged", "acknowledged", "returned unacknowledged",
	"latched unacknowledged", "latched acknowledged", "shelved", "suppressed by design", "out of service"}

// String gives the name in words, lower case.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	if s == Beneath {
		return "the state beneath"
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// MarshalText gives the name; it is what the journal and the socket carry.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText accepts exactly the names that MarshalText gives.
func (s *State) UnmarshalText(text []byte) error {
	for i, name := range stateNames {
		if name == string(text) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("alarm state %q is not known", text)
}

// Covered says whether the state hides the alarm's life: shelved, suppressed
// by design or out of service.
func (s State) Covered() bool { return s >= Shelved && s <= OutOfService }

// Active says whether the alarm is shown with its condition present.
func (s State) Active() bool { return s == Unacknowledged || s == Acknowledged }

// NeedsAck says whether somebody still has to acknowledge what is shown.
func (s State) NeedsAck() bool {
	return s == Unacknowledged || s == ReturnedUnacknowledged || s == LatchedUnacknowledged
}

// Latched says whether the alarm is kept after its condition went.
func (s State) Latched() bool { return s == LatchedUnacknowledged || s == LatchedAcknowledged }

// Trigger is anything that happens to an alarm or to the unit. Those up to
// ReAlarm are the events of the state table; the others leave states alone.
type Trigger uint8

const (
	Raise       Trigger = iota // condition present for the on-delay
	Clear                      // condition gone for the off-delay
	Acknowledge                // command: seen
	Reset                      // command: let a latched alarm go
	Shelve                     // command: hide for a limited time
	Unshelve                   // command: show again
	Expire                     // the shelving time is over
	Suppress                   // another alarm or an inhibit hides it by design
	Unsuppress                 // that is over
	TakeOut                    // command: out of service
	PutBack                    // command: in service again
	ReAlarm                    // acknowledged, and its condition stays for the re-alarm time

	Silence       // command: horn off for what sounds now
	Unsilence     // that lasts for longer than Options.MaxSilence: the horn sounds again
	Inhibit       // command: suppress every alarm for a limited time
	Uninhibit     // command, or the inhibit's time is over
	SetLimits     // command: other limits until the next start
	SetClock      // command, or the system's clock is right: another wall clock from here on
	LoseReading   // Unknown for longer than the hold; not with Options.Private
	RegainReading // a reading again; likewise
	Note          // for the journal: a command or fault outside the engine
	Start         // the engine began or took over another configuration
	Remove        // an alarm is no longer configured

	triggers      = int(Remove) + 1
	tableTriggers = int(ReAlarm) + 1
)

var triggerNames = [triggers]string{"raise", "clear", "acknowledge", "reset", "shelve", "unshelve", "expire", "suppress",
	"unsuppress", "take out", "put back", "re-alarm", "silence", "unsilence", "inhibit", "uninhibit", "set limits", "set clock", "lose reading", "regain reading",
	"note", "start", "remove"}

// Triggers lists the events of the state table, in order.
func Triggers() []Trigger {
	list := make([]Trigger, tableTriggers)
	for i := range list {
		list[i] = Trigger(i)
	}
	return list
}

// String gives the name, lower case: what the journal and the socket carry.
func (t Trigger) String() string {
	if int(t) < triggers {
		return triggerNames[t]
	}
	return fmt.Sprintf("trigger %d", uint8(t))
}

// Words gives the name as people say it, where that is another one.
func (t Trigger) Words() string {
	switch t {
	case Uninhibit:
		return "end of inhibit"
	case Unsilence:
		return "end of silence"
	}
	return t.String()
}

// MarshalText gives the name.
func (t Trigger) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText accepts exactly the names that MarshalText gives.
func (t *Trigger) UnmarshalText(text []byte) error {
	for i, name := range triggerNames {
		if name == string(text) {
			*t = Trigger(i)
			return nil
		}
	}
	return fmt.Errorf("alarm event %q is not known", text)
}
