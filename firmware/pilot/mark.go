package pilot

import (
	"time"
)

// Mark is what somebody said of an alarm.
type Mark struct {
	Truth Truth         `json:"truth"`
	Alarm string        `json:"alarm,omitempty"` // empty: there was none that it could mean
	Event uint64        `json:"event,omitempty"` // number of the event that raised it
	From  time.Duration `json:"from"`            // what it is about, on the unit's clock
	To    time.Duration `json:"to"`
	At    time.Duration `json:"at"` // when it was given
	Wall  time.Time     `json:"wall"`
	Who   string        `json:"who"`
	// Takes says that it takes the place of what was said of the same alarm before.
	Takes bool `json:"takes,omitempty"`
}

// Truth is what a mark says.
type Truth uint8

const (
	Right  Truth = 1 + iota // the alarm was right
	False                   // there was nothing
	Missed                  // there was something, and no alarm
)

// DrillStep is what somebody was asked to do in a drill.
type DrillStep struct {
	Drill  string        `json:"drill"`           // its script
	Number string        `json:"number"`          // a random one for each time
	Asked  []Asked       `json:"asked,omitempty"` // nil: nothing is known of what the face does
	From   time.Duration `json:"from"`            // on the unit's clock, reaction time left out
	To     time.Duration `json:"to"`
	// State: a drill's steps count once it is Ended.
	State DrillState `json:"state"`
}

// Asked is one signal of which the truth is known.
type Asked struct {
	Signal  string `json:"signal"`
	Present bool   `json:"present"`
}

// DrillState is how far a drill is.
type DrillState uint8

const (
	DrillGoesOn DrillState = iota
	DrillEnded
	DrillBroken // off: nothing of it counts
)
