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
	For   time.Duration // TestOutputs: how long, at most TestLongest; 0 ends it. StartPilot: how long
	Test  OneOutput     // TestOutputs: of one of them alone
	Text  string        // StartPilot: what it is for, in whoever's words
	Mark  Mark          // MarkAlarm
	Drill *DrillStep    // Drill
	Time  time.Time     // SetClock: what it is now
	Days  int           // NewBaseline: how many; 0: as many as is usual
}

// OneOutput is an output that is tested alone, while the others go on with their work.
type OneOutput struct {
	Name string // "": the test is of all
	Off  bool   // it is held off, not on
}

// String is the output and what it is held at, "every output on" for all.
func (o OneOutput) String() string {
	switch {
	case o.Name == "":
		return "every output on"
	case o.Off:
		return o.Name + " off"
	}
	return o.Name + " on"
}

// Mark is what somebody says of an alarm.
type Mark struct {
	Truth Truth
	Alarm string        // its name; empty: the newest. Missed: which alarm should have come; empty: the only one
	Ago   time.Duration // Missed: how long ago it was
}

// Truth is what a mark says.
type Truth uint8

const (
	Right     Truth = 1 + iota // the alarm was right
	False                      // there was nothing
	Missed                     // there was something, and no alarm
	Withdrawn                  // the newest mark was a mistake
)

var truths = [...]string{"", "right", "false", "missed", "withdraw"}

// String gives the word that ParseTruth takes.
func (t Truth) String() string {
	if int(t) < len(truths) && t > 0 {
		return truths[t]
	}
	return fmt.Sprintf("truth %d", uint8(t))
}

// ParseTruth reads right, false, missed or withdraw.
func ParseTruth(word string) (Truth, error) {
	for i, w := range truths {
		if i > 0 && w == word {
			return Truth(i), nil
		}
	}
	return 0, fmt.Errorf("%q is not right, false, missed or withdraw", word)
}

// DrillStep is what a person is asked to do from now on, in a drill.
type DrillStep struct {
	Script   string        `json:"script"`
	Number   string        `json:"number"`            // of this time, a random one
	Present  []string      `json:"present,omitempty"` // signals that the face shows now
	Absent   []string      `json:"absent,omitempty"`  // and those it does not
	Reaction time.Duration `json:"reaction"`          // until then nobody knows what it shows
	State    DrillState    `json:"state"`
}

// DrillState is how far a drill is.
type DrillState uint8

const (
	DrillGoesOn DrillState = iota
	DrillEnded             // its steps count
	DrillBroken            // off: nothing of it counts
)

// Do is what a command is about.
type Do uint8

const (
	Alarms        Do = iota // what Command.Alarm says
	TestOutputs             // every output on for a time, or one of them on or off
	MarkAlarm               // what Command.Mark says of an alarm
	StartPilot              // recordings begin
	StopPilot               // and end
	ErasePilot              // and are deleted
	Drill                   // what somebody is asked in a drill
	SetClock                // the unit's wall clock is Time from here on
	NewBaseline             // days are compared with a new baseline, of the next Days
	EraseBaseline           // and with none; what is kept of days is deleted
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

// String is the command in words: "shelve brow lowered for 30m".
func (c Command) String() string {
	if c.Do == TestOutputs {
		if c.For <= 0 {
			return "end output test"
		}
		if c.Test.Name != "" {
			return fmt.Sprintf("output test of %v for %s", c.Test, alarm.Time(c.For))
		}
		return "output test for " + alarm.Time(c.For)
	}
	switch c.Do {
	case MarkAlarm:
		text := "mark " + c.Mark.Truth.String()
		if c.Mark.Alarm != "" {
			text += " " + c.Mark.Alarm
		}
		if c.Mark.Ago > 0 {
			text += fmt.Sprintf(", %s ago", alarm.Time(c.Mark.Ago))
		}
		return text
	case StartPilot:
		return "pilot start for " + alarm.Time(c.For)
	case StopPilot:
		return "pilot stop"
	case ErasePilot:
		return "pilot erase"
	case Drill:
		return "drill"
	case NewBaseline:
		return "pilot baseline"
	case EraseBaseline:
		return "pilot baseline -erase"
	case SetClock:
		return "set clock to " + c.Time.UTC().Format(time.RFC3339)
	}
	text := c.Alarm.Do.Words()
	if c.Alarm.Alarm != "" {
		text += " " + c.Alarm.Alarm
	}
	if c.Alarm.For > 0 && c.Alarm.For != Longest {
		text += " for " + alarm.Time(c.Alarm.For)
	}
	return text
}

// Receipt says where in the journal a batch of commands stands. Its events are
// numbered; they are kept once the journal has the newest of them.
type Receipt struct {
	Event uint64 // number of the newest event; 0: there is none
	Pilot uint64 // number of the newest change of the recordings; 0: there is none
	Drift uint64 // likewise of the baseline
	// Done is what the commands changed, each as its event tells it: less than was
	// asked where less is allowed; nothing where there was nothing to do.
	Done []alarm.Event
	// Idle: what Done tells is that there was nothing to do, such as an output test of a
	// unit without outputs, or a mark that says what was said before.
	Idle bool
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
