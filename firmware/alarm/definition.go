package alarm

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxAlarms is how many alarms a configuration may define. Bits above it in
// the masks of Summary stand for alarms that are kept although the
// configuration no longer names them; the last bit is shared by all from 63 on.
const MaxAlarms = 48

// Priority orders alarms; 1 is the most urgent (ISA-18.2 uses three or four).
type Priority uint8

const (
	Critical Priority = 1
	High     Priority = 2
	Medium   Priority = 3
	Low      Priority = 4
)

var priorityNames = [...]string{"", "critical", "high", "medium", "low"}

// String gives the name.
func (p Priority) String() string {
	if p >= Critical && p <= Low {
		return priorityNames[p]
	}
	return "priority " + strconv.Itoa(int(p))
}

// MarshalText gives the name.
func (p Priority) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText accepts a name or a number 1..4.
func (p *Priority) UnmarshalText(text []byte) error {
	for i := Critical; i <= Low; i++ {
		if string(text) == priorityNames[i] || string(text) == strconv.Itoa(int(i)) {
			*p = i
			return nil
		}
	}
	return fmt.Errorf("priority %q is not one of critical, high, medium, low or 1 to 4", text)
}

// Side says on which side of its limit a condition is met.
type Side uint8

const (
	Above Side = iota // high limit
	Below             // low limit
)

// String gives "above" or "below".
func (s Side) String() string {
	if s == Below {
		return "below"
	}
	return "above"
}

// MarshalText gives the name.
func (s Side) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Meets says in words when a level meets a limit on this side.
func (s Side) Meets() string { return "at or " + s.String() }

// UnmarshalText accepts "above" and "below".
func (s *Side) UnmarshalText(text []byte) error {
	switch string(text) {
	case "above":
		*s = Above
	case "below":
		*s = Below
	default:
		return fmt.Errorf("side %q is not above or below", text)
	}
	return nil
}

// Match joins the conditions of one alarm.
type Match uint8

const (
	All Match = iota
	Any
)

// String gives "all" or "any".
func (m Match) String() string {
	if m == Any {
		return "any"
	}
	return "all"
}

// OnUnknown is what an alarm declares once its reading was Unknown for longer
// than its hold. Neither choice raises or clears it.
type OnUnknown uint8

const (
	Fault OnUnknown = iota // the Safe flag is set: its outputs go to their fail value
	Hold                   // only the Unknown flag is set: its outputs stay as they are
)

// String gives "fault" or "hold".
func (o OnUnknown) String() string {
	if o == Hold {
		return "hold"
	}
	return "fault"
}

// MarshalText gives the name.
func (o OnUnknown) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText accepts "fault" and "hold".
func (o *OnUnknown) UnmarshalText(text []byte) error {
	switch string(text) {
	case "fault":
		*o = Fault
	case "hold":
		*o = Hold
	default:
		return fmt.Errorf("%q is not fault or hold", text)
	}
	return nil
}

// Condition compares one signal with one limit. Limit and Deadband have the
// signal's own unit; a deadband belongs to each limit.
type Condition struct {
	Signal   string
	Side     Side
	Limit    float32
	Deadband float32 // >= 0; how far back behind the limit the level must go
}

// Off gives the level behind which a met condition is gone.
func (c Condition) Off() float32 {
	if c.Side == Below {
		return c.Limit + c.Deadband
	}
	return c.Limit - c.Deadband
}

// Definition is one alarm as configured.
type Definition struct {
	Name        string
	Match       Match // of more than one condition
	Conditions  []Condition
	OnDelay     time.Duration // the condition must hold this long
	OffDelay    time.Duration // it must be gone this long
	Priority    Priority      // 0 counts as Medium
	Latch       bool          // stays after the condition until reset
	NoAck       bool          // needs no acknowledgement: goes to Acknowledged by itself
	Horn        bool          // sounds the horn while unacknowledged
	Lamp        bool          // counts for the common lamp
	SuppressBy  []string      // alarms whose present condition suppresses this one
	UnknownHold time.Duration // how long Unknown is held before it is declared
	OnUnknown   OnUnknown     // what is declared then
	MaxShelve   time.Duration // longest shelving; 0: may not be shelved
	ReAlarm     time.Duration // acknowledged for so long, and its condition stays: unacknowledged again; 0: never
	Unlocked    bool          // SetLimits is allowed
}

// Limits is the part of a definition that SetLimits changes: limit and
// deadband of one condition, and the alarm's delays.
type Limits struct {
	Limit    float32
	Deadband float32
	OnDelay  time.Duration
	OffDelay time.Duration
}

// MaxDelay bounds on-delay and off-delay: they are held in 32 bits of
// milliseconds elsewhere, and a longer delay is a mistake.
const MaxDelay = 24 * time.Hour

// Check says what is wrong with limits, whatever the signal.
func (l Limits) Check() error {
	switch {
	case !finite(l.Limit):
		return errors.New("limit is not a number")
	case !finite(l.Deadband) || l.Deadband < 0:
		return errors.New("deadband is not a number from 0 up")
	case l.OnDelay < 0 || l.OnDelay > MaxDelay:
		return fmt.Errorf("on-delay %v is not within 0 and %v", l.OnDelay, MaxDelay)
	case l.OffDelay < 0 || l.OffDelay > MaxDelay:
		return fmt.Errorf("off-delay %v is not within 0 and %v", l.OffDelay, MaxDelay)
	}
	return nil
}

var nan = float32(math.NaN())

func finite(x float32) bool {
	return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0)
}

// check validates a set of definitions against the signals of the network.
func check(defs []Definition, signals []string) error {
	if len(defs) > MaxAlarms {
		return fmt.Errorf("%d alarms defined, at most %d are possible", len(defs), MaxAlarms)
	}
	index := make(map[string]int, len(defs))
	for i, d := range defs {
		if d.Name == "" {
			return fmt.Errorf("alarm %d has no name", i+1)
		}
		if _, twice := index[d.Name]; twice {
			return fmt.Errorf("alarm %q is defined twice", d.Name)
		}
		index[d.Name] = i
	}
	for _, d := range defs {
		if err := d.check(index, signals); err != nil {
			return fmt.Errorf("alarm %q: %w", d.Name, err)
		}
	}
	if ring := Circle(defs); ring != nil {
		return fmt.Errorf("alarms suppress each other: %s", strings.Join(append(ring, ring[0]), " <- "))
	}
	return nil
}

func (d Definition) check(index map[string]int, signals []string) error {
	if len(d.Conditions) == 0 {
		return errors.New("has no condition")
	}
	if d.Priority > Low {
		return fmt.Errorf("%v is not within 1 and 4", d.Priority)
	}
	if d.UnknownHold < 0 || d.MaxShelve < 0 || d.ReAlarm < 0 {
		return errors.New("a time is negative")
	}
	for _, c := range d.Conditions {
		if position(signals, c.Signal) < 0 {
			return fmt.Errorf("signal %q is not one of the network's", c.Signal)
		}
		if err := (Limits{c.Limit, c.Deadband, d.OnDelay, d.OffDelay}).Check(); err != nil {
			return err
		}
	}
	for _, by := range d.SuppressBy {
		if _, ok := index[by]; !ok {
			return fmt.Errorf("suppressed by %q, which is not an alarm", by)
		}
	}
	return nil
}

// Circle gives the names of alarms that suppress each other in a circle, each
// suppressed by the next and the last by the first; nil where there is none.
func Circle(defs []Definition) []string {
	index := make(map[string]int, len(defs))
	for i, d := range defs {
		index[d.Name] = i
	}
	const white, grey, black = 0, 1, 2
	colour := make([]int, len(defs))
	var walk func(i int, path []string) []string
	walk = func(i int, path []string) []string {
		if colour[i] == grey {
			return path[slices.Index(path, defs[i].Name):]
		}
		if colour[i] == black {
			return nil
		}
		colour[i] = grey
		path = append(path, defs[i].Name)
		for _, by := range defs[i].SuppressBy {
			if j, ok := index[by]; ok {
				if ring := walk(j, path); ring != nil {
					return ring
				}
			}
		}
		colour[i] = black
		return nil
	}
	for i := range defs {
		if ring := walk(i, nil); ring != nil {
			return ring
		}
	}
	return nil
}

func position(list []string, name string) int {
	for i, s := range list {
		if s == name {
			return i
		}
	}
	return -1
}
