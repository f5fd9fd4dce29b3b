package state

import (
	"fmt"
	"math"
	"time"

	"mien/firmware/alarm"
)

// Command is one thing that somebody asks of the unit. Whoever asks (a button,
// the PLC, a person at the socket), the rules are the same.
type Command struct {
	Do    Do
	Alarm alarm.Command // Alarms: what of them; Who, At and Wall are the unit's to fill in
	For   time.Duration // TestOutputs: how long, at most TestLongest; 0 ends it
}

// Do is what a command is about.
type Do uint8

const (
	Alarms      Do = iota // what Command.Alarm says
	TestOutputs           // every output on for a time
)

const (
	// TestLasts is how long an output test lasts whose asker names no time.
	TestLasts = 10 * time.Second
	// TestLongest bounds an output test: one that nobody ends must not hide
	// alarms for long.
	TestLongest = time.Minute
	// Longest is as long as the config allows, for an inhibit.
	Longest time.Duration = math.MaxInt64
)

// On is a command about the alarms.
func On(c alarm.Command) Command { return Command{Alarm: c} }

// String is the command in words: "shelve brow lowered for 30m0s".
func (c Command) String() string {
	if c.Do == TestOutputs {
		if c.For <= 0 {
			return "end output test"
		}
		return fmt.Sprintf("output test for %v", c.For)
	}
	text := c.Alarm.Do.String()
	if c.Alarm.Alarm != "" {
		text += " " + c.Alarm.Alarm
	}
	if c.Alarm.For > 0 && c.Alarm.For != Longest {
		text += fmt.Sprintf(" for %v", c.Alarm.For)
	}
	return text
}

// Receipt says where in the journal a batch of commands stands. Its events are
// numbered; they are kept once the journal has the newest of them.
type Receipt struct {
	Event uint64 // number of the newest event; 0: there is none
	// Done is what the commands changed, each as its event tells it: less than was
	// asked where less is allowed; nothing where there was nothing to do.
	Done []alarm.Event
}

// Commands takes what is asked of a unit.
type Commands interface {
	// Do carries out all of batch in its order, or nothing of it, and journals
	// it with who asked. Nothing is done where a command is not possible:
	// alarm.ErrNoAlarm, alarm.ErrLocked, alarm.ErrInvalid. What only the state of
	// an alarm refuses (there is nothing to acknowledge) does not keep the others
	// from being done, and is alarm.ErrRefused. Do does not wait for a device;
	// batch is the caller's again after it.
	// alarm.ErrTooMany where the source gives too many.
	Do(who string, batch []Command) (Receipt, error)
	// Kept returns when what a receipt stands for outlives a power loss. An error
	// says that it does not yet, and why: at once where the disk fails, else after
	// most. What was asked is done all the same.
	Kept(r Receipt, most time.Duration) error
}
