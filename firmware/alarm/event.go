package alarm

import (
	"fmt"
	"strings"
	"time"
)

// Reading is what the pipeline knows at one moment.
type Reading struct {
	At       time.Duration // monotonic clock
	Wall     time.Time     // only carried into events
	Sequence uint64        // of the frame that it came from
	Levels   []float32     // in the order of the signals given to New; NaN is Unknown; nil: all Unknown
	Reason   string        // why levels are Unknown ("no face"), for events
}

// Explanation says why an alarm came or went.
type Explanation struct {
	Signal    string        `json:"signal,omitempty"` // of the condition that decided
	Condition int           `json:"condition"`        // its index in the definition
	Side      Side          `json:"side"`             // on which side of Limit the level was
	Level     float32       `json:"level"`
	Limit     float32       `json:"limit"`              // the limit in force; on Clear the level behind which it is gone
	Over      float32       `json:"over"`               // how far beyond Limit, in the signal's unit, >= 0
	For       time.Duration `json:"for"`                // Raise: how long met; Clear: how long it was present; both without Unknown time
	AtLeast   bool          `json:"at_least,omitempty"` // For is what is known of it: it began before the start or a reload
	First     uint64        `json:"first"`              // frame in which it began
	Last      uint64        `json:"last"`               // frame that decided
}

// Event is one change, or one command that was refused. Events are numbered
// without gaps by the engine that gives them.
type Event struct {
	Number  uint64        `json:"n"`
	Start   uint32        `json:"start"` // which start of the unit; At compares only within one
	At      time.Duration `json:"at"`    // monotonic
	Wall    time.Time     `json:"wall"`
	Unset   bool          `json:"time_not_set,omitempty"` // nobody vouches for Wall
	Trigger Trigger       `json:"event"`
	Alarm   string        `json:"alarm,omitempty"` // empty: the unit
	From    State         `json:"from"`            // as shown before
	To      State         `json:"to"`              // as shown after
	Life    State         `json:"life"`            // the state beneath To afterwards
	Who     string        `json:"who,omitempty"`   // who gave the command; empty: the unit itself
	Cause   string        `json:"cause,omitempty"` // in words; of a refused command the reason
	Refused bool          `json:"refused,omitempty"`
	For     time.Duration `json:"for,omitempty"` // shelving or inhibit time granted
	Why     Explanation   `json:"why,omitzero"`
	Clock   *Clock        `json:"clock,omitempty"` // SetClock: by which Wall goes from here on
}

// Clock is what a wall clock goes by that is not the system's own.
type Clock struct {
	Boot string        `json:"boot"`          // which start of the machine At counts from
	At   time.Duration `json:"at"`            // on the monotonic clock
	Wall time.Time     `json:"wall,omitzero"` // what it was then, and goes on from; zero: the system's own is right
	By   time.Duration `json:"by"`            // how far the clock was moved
}

// String gives one line for a person.
func (e Event) String() string {
	unset := ""
	if e.Unset {
		unset = "(time not set) "
	}
	return fmt.Sprintf("%d %s %s%s", e.Number, e.Wall.UTC().Format("2006-01-02T15:04:05.000Z"), unset, e.Words())
}

// Words gives the line without its number and time.
func (e Event) Words() string {
	var b strings.Builder
	if e.Alarm != "" {
		fmt.Fprintf(&b, "%s: ", e.Alarm)
	}
	if e.Trigger == Note && e.Cause != "" && !e.Refused { // it is its text
		b.WriteString(e.Cause)
		if e.Who != "" {
			fmt.Fprintf(&b, " (by %s)", e.Who)
		}
		return b.String()
	}
	b.WriteString(e.Trigger.Words())
	if e.Refused {
		b.WriteString(" refused")
	}
	if e.From != e.To {
		fmt.Fprintf(&b, ", %s -> %s", e.From, e.To)
	}
	if e.For > 0 {
		fmt.Fprintf(&b, " for %s", Time(e.For))
	}
	if e.Who != "" {
		fmt.Fprintf(&b, " by %s", e.Who)
	}
	if e.Cause != "" {
		fmt.Fprintf(&b, " (%s)", e.Cause)
	}
	if w := e.Why.String(); w != "" {
		b.WriteString(": " + w)
	}
	return b.String()
}

// String puts the explanation in words; empty when there is none.
func (x Explanation) String() string {
	if x.Signal == "" {
		return ""
	}
	from := "at"
	if x.Over > 0 {
		from = fmt.Sprintf("%.3f %s", x.Over, x.Side)
	}
	return fmt.Sprintf("%s %.3f, %s %.3f, %s, frames %d to %d", x.Signal, x.Level, from, x.Limit, x.Lasted(), x.First, x.Last)
}

// Lasted is For in words.
func (x Explanation) Lasted() string {
	switch {
	case x.AtLeast && x.For < time.Second:
		return "since before the start or reload"
	case x.AtLeast:
		return fmt.Sprintf("for more than %s, since before the start or reload", Time(x.For.Round(time.Second)))
	}
	return Time(x.For.Round(time.Millisecond))
}

// Time writes a time as the config does, the one style of the whole program: 1h30m,
// 2m5s, 4.2s, 300ms. Units of zero at the end are left out: 1h.
func Time(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Count writes a number of things: "1 alarm", "2 alarms".
func Count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// Command is something that a person or the host wants.
type Command struct {
	Do        Trigger // Acknowledge, Reset, Shelve, Unshelve, TakeOut, PutBack, Silence, Inhibit, Uninhibit, SetLimits, Note
	Alarm     string  // name; empty means every alarm it applies to (Acknowledge, Reset, Silence, Unshelve)
	Who       string  // "input ack", "modbus", "socket anna"; kept in the event
	At        time.Duration
	Wall      time.Time
	For       time.Duration // Shelve, Inhibit: how long; more than allowed is shortened, and the event says so
	Condition int           // SetLimits: which condition
	Limits    Limits        // SetLimits: all four values
	Text      string        // Note: the text; TakeOut: the reason
}
