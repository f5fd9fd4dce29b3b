package operator

import (
	"encoding/json"
	"time"
)

// Serial is what a unit has to say of its serial port.
type Serial struct {
	Protocol  string     `json:"protocol"` // "": nothing is spoken
	Port      string     `json:"port"`
	Frames    []Spoken   `json:"frames"`              // those after Request.After that are still there, oldest first
	Counts    []Count    `json:"counts,omitempty"`    // of the line, since the start
	Registers []Register `json:"registers,omitempty"` // that a master can read, as they are now
}

// Spoken is one frame or line that came over the port, or went.
type Spoken struct {
	Number uint64    `json:"n"`
	At     time.Time `json:"at"`
	Out    bool      `json:"out"`
	Raw    string    `json:"raw"`  // bytes as hexadecimal digits; an ASCII line as it is
	Text   string    `json:"text"` // what it says
}

// Count is one of the line's counters.
type Count struct {
	Name string `json:"name"`
	N    uint32 `json:"n"`
}

// Register is one row of the register map and what it holds.
type Register struct {
	Space   string `json:"space"`
	Address int    `json:"address"`
	Name    string `json:"name"`
	Value   string `json:"value"` // in its unit, or in words; "": not available
	Unit    string `json:"unit,omitempty"`
	Meaning string `json:"meaning"`
}

// Try asks which alarms levels would have brought, by the config in force and by
// another.
type Try struct {
	Text   string                `json:"text"`   // of the other config
	Alarm  string                `json:"alarm"`  // that is asked about
	Times  []int64               `json:"times"`  // milliseconds, growing
	Levels map[string][]*float32 `json:"levels"` // of each signal, as many; null: Unknown
}

// Tried is when the alarm was present.
type Tried struct {
	Now  []Stretch `json:"now"`  // by the config in force
	Then []Stretch `json:"then"` // by the other
}

// Stretch is from one moment to another, in the milliseconds of Try.Times.
type Stretch struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// StudyDo is what is to be made of the recordings. One study goes on at a time.
type StudyDo string

const (
	StudyReplay StudyDo = "replay" // Text: compute them again by another config
	StudyTune   StudyDo = "tune"   // the limit of least cost
	StudyReport StudyDo = "report" // the page to print and sign
	StudyStop   StudyDo = "stop"   // end the one that goes on
)

// StudyAsk begins a study, or without Do asks how the newest fares.
type StudyAsk struct {
	Do         StudyDo `json:"do,omitempty"`
	Text       string  `json:"text,omitempty"`
	Signal     string  `json:"signal,omitempty"`
	Below      bool    `json:"below,omitempty"`
	CostFalse  float64 `json:"cost_false,omitempty"`
	CostMissed float64 `json:"cost_missed,omitempty"`
	MostFalse  float64 `json:"most_false,omitempty"`
	Language   string  `json:"language,omitempty"`
	From       int     `json:"from,omitempty"` // which byte of the page is asked for first; see Study.Page
	Page       bool    `json:"page,omitempty"`
}

// Study is how the newest study fares.
type Study struct {
	Do     StudyDo       `json:"do"` // "": there was none
	Going  bool          `json:"going"`
	Took   time.Duration `json:"took"`
	Failed string        `json:"failed,omitempty"`
	Text   string        `json:"text,omitempty"` // what the command line shows
	// Result is what mien pilot replay -json or mien pilot tune -json gives.
	Result json.RawMessage `json:"result,omitempty"`
	Size   int             `json:"size,omitempty"` // bytes of the page
	Page   string          `json:"page,omitempty"` // a part of it, from StudyAsk.From on
}
