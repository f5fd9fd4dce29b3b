package modbus

import (
	"errors"
	"fmt"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/state"
)

// Op is what a Command asks for.
type Op uint8

const (
	OpAckAll   Op = iota + 1 // acknowledge every alarm
	OpAck                    // acknowledge Alarm
	OpReset                  // reset every latched alarm whose condition is gone
	OpSilence                // silence the horn until the next new alarm
	OpTest                   // start (On) or end the timed output test
	OpInhibit                // start (On) or end the timed inhibit
	OpShelve                 // shelve Alarm for the time For
	OpUnshelve               // take Alarm off the shelf
	OpSetLimit               // set Limit of Alarm to Value
	OpHeld                   // nothing is asked for: a coil or shelve bit was 1 with its first value
	OpSetClock               // set the wall clock to Time
	OpMark                   // say what Truth of Alarm, or of the newest where it is negative, For ago
	OpRefused                // nothing is asked for: a write was refused, Text says which and why
)

var opNames = [...]string{"", "ack all", "ack", "reset", "silence", "test", "inhibit", "shelve", "unshelve", "set limit", "held", "set clock", "mark", "refused"}

func (o Op) String() string {
	if int(o) < len(opNames) && o != 0 {
		return opNames[o]
	}
	return fmt.Sprintf("Op(%d)", uint8(o))
}

// Limit says which setting of an alarm OpSetLimit changes.
type Limit uint8

const (
	OnLimit  Limit = iota // in the signal's unit
	OffLimit              // in the signal's unit
	OnDelay               // in seconds
	OffDelay              // in seconds
)

var limitNames = [...]string{"on-limit", "off-limit", "on-delay", "off-delay"}

func (l Limit) String() string {
	if int(l) < len(limitNames) {
		return limitNames[l]
	}
	return fmt.Sprintf("Limit(%d)", uint8(l))
}

// Command is one thing a master asks for, as the registers have it: by an alarm's
// number, one limit at a time. Giving brings it into the unit's words, a
// state.Command. Fields that Op does not name are zero.
type Command struct {
	Op    Op
	Alarm int           // OpAck, OpShelve, OpUnshelve, OpSetLimit: 0 to Snapshot.AlarmCount-1
	On    bool          // OpTest, OpInhibit
	For   time.Duration // OpShelve, OpMark
	Limit Limit         // OpSetLimit
	Value float64       // OpSetLimit
	Time  uint32        // OpSetClock: seconds since 1970 UTC
	Truth state.Truth   // OpMark
	Text  string        // OpRefused
}

// numbered tells whether the command is for one alarm, by its number.
func (c Command) numbered() bool {
	switch c.Op {
	case OpAck, OpShelve, OpUnshelve, OpSetLimit:
		return true
	case OpMark:
		return c.Alarm >= 0
	}
	return false
}

// String is the command as the journal shows it: "shelve alarm 3 for 30m".
func (c Command) String() string {
	switch c.Op {
	case OpAck, OpUnshelve:
		return fmt.Sprintf("%v alarm %d", c.Op, c.Alarm)
	case OpShelve:
		return fmt.Sprintf("%v alarm %d for %s", c.Op, c.Alarm, alarm.Time(c.For))
	case OpSetLimit:
		return fmt.Sprintf("set %v of alarm %d to %g", c.Limit, c.Alarm, c.Value)
	case OpMark:
		return fmt.Sprintf("mark %v alarm %d, %v ago", c.Truth, c.Alarm, c.For)
	case OpTest, OpInhibit:
		if !c.On {
			return "end " + c.Op.String()
		}
	}
	return c.Op.String()
}

// Errors by which Commands refuses a batch; in brackets the Modbus exception
// code the master gets. Any other error is a device failure (04).
var (
	ErrBusy    = errors.New("busy, try again")        // 06
	ErrNoAlarm = errors.New("there is no such alarm") // 02
	ErrLocked  = errors.New("locked by the config")   // 02
	ErrRange   = errors.New("value out of range")     // 03

	ErrAway = errors.New("the unit does not answer") // 0B, of a gateway

	// ErrNumbers: the master does not know yet that the numbers of alarms are
	// others since a reload or a start; it reads config_crc first.
	ErrNumbers = errors.New("the numbers of alarms have changed, read config_crc first") // 02
)

// Commands takes what masters ask for. Render.Giving makes one of a unit, whose
// rules are those of the inputs and the socket.
type Commands interface {
	// Do takes all of batch or, with an error, nothing of it. It must not wait
	// for the pipeline; it may be ErrBusy. batch belongs to the caller again after
	// the return. who is the port and the protocol, as Config.Who says.
	Do(who string, batch []Command) (state.Receipt, error)
	// Kept returns when what a receipt stands for outlives a power loss, or with
	// an error that says why it does not yet, after most.
	Kept(r state.Receipt, most time.Duration) error
}
