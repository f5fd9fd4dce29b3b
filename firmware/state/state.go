// Package state is what a unit knows at one moment, and how a reader gets the
// newest of it. The pipeline writes it. Modbus, the ASCII protocol, the
// operators' socket and the live view read it, each in its own words: no
// register and no limit of a protocol is here.
//
// A reader needs a Latest and a State of its own:
//
//	var s state.State
//	latest.Load(&s)                       // never waits, nor is it waited for
//	for i, a := range s.Alarms { … }      // s is a copy: whole, and the reader's
//
// What it wants of the unit it says as a Command.
package state

import (
	"math"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/health"
)

// Reasons why there is no reading, beside those of the quality gate and the names
// of the faults that stop the unit.
const (
	NoResult = "no result yet"
	NotFresh = "no fresh result"
)

// State is what a unit knows at one moment. Levels are in their signal's unit;
// NaN is Unknown. Times of type time.Duration are on the unit's monotonic clock.
type State struct {
	// About is what the unit is. It is shared and never written again.
	About *About

	Trusted   bool          // results come, and may be acted on
	Reason    string        // why there is no reading, in words; "": there is one
	Advice    string        // what a technician can do about it, where the face is the reason
	Results   uint64        // since the start; 0: none yet
	Heartbeat uint16        // +1 a second while results come, never by a timer; it wraps
	ResultAt  time.Duration // when the newest result came out
	Latency   time.Duration // from the capture of its frame until then
	Rate      float32       // results a second
	Dropped   uint64        // frames lost or left out since the start
	Available float32       // share of the last hour with valid results, 0 to 1

	Faces      int       // in view
	FaceScore  float32   // the detector's, of the face that counts, 0 to 1
	FaceSize   float32   // width of its box in pixels
	Aim        Aim       // where the face is, and how it is seen
	Covered    []string  // its parts that are covered, as the network's card names them
	Levels     []float32 // of About.Signals
	Expression Choice    // most probable expression
	Compound   Choice    // most probable compound expression

	Faults  []health.Active // that are on, in the order of their bits
	Alarms  []alarm.Status  // every alarm, as the engine tells it
	Summary alarm.Summary   // of them
	// Numbering counts how often the numbers of alarms, which are their places in
	// Alarms, came to mean others: who commands by number must know the newest.
	Numbering uint32

	Outputs     []bool        // whether each line of About.Outputs is on
	Inputs      []bool        // whether each line of About.Inputs is active
	Testing     bool          // the output test is in force,
	Tested      OneOutput     // of which output,
	TestEnds    time.Duration // and until when
	TimeSynced  bool          // the system's wall clock is set by a time source
	Pilot       Pilot         // recordings and marks
	Drift       *Drift        // days, against the pilot's; shared and never written again; nil: not known yet
	Clock       Clock         // the unit's, by which events are dated
	Temperature float32       // °C of the processor
}

// Aim is what a camera is set up by, the newest frame in figures: places are shares of
// the upright picture, 0 to 1 and beyond for what lies outside, angles are in degrees.
type Aim struct {
	Width, Height   int     // of the upright picture in pixels; 0: there is none
	Light, Contrast float32 // of the whole picture, 0 to 255
	Turned          int     // degrees that camera.rotate lacks

	Found  bool          // what follows is of the face that counts
	Box    [4]float32    // left, top, right, bottom
	Points [6][2]float32 // eyes (right one first), nose, mouth, ears (right one first)
	Eyes   float32       // between the eyes, in pixels
	Inside float32       // share of the face that lies in the picture
	Yaw    float32       // turned to the picture's right
	Pitch  float32       // looks up
	Roll   float32       // leans to the picture's right

	FaceLight, FaceContrast float32
	Dark, Bright            float32 // shares of it
	Sharpness               float32
}

// Gate are the limits of face.quality, within which a face is read.
type Gate struct {
	MinSize                   int // pixels
	MinLight, MaxLight        float64
	MinContrast, MaxClipped   float64
	MinSharpness              float64
	MaxYaw, MaxPitch, MaxRoll float64
	MaxOutside                float64
}

// Pilot is how recordings and marks fare.
type Pilot struct {
	Recording bool      // a pilot is in force
	Allowed   bool      // by the config
	Purpose   string    // of the newest pilot
	Begun     time.Time // likewise, by the wall clock
	Ends      time.Time
	Left      time.Duration // until then, 0 for none
	Ended     string        // why it has
	Trouble   string        // why nothing is written just now
	Files     int
	Bytes     int64  // of all recordings
	Frames    uint64 // recorded since the start
	Dropped   uint64 // records that had no room, since the start
	Right     int    // marks since the start that count: not corrected, not withdrawn
	False     int
	Missed    int
	Marked    Marked // what became of the newest mark
}

// Marked is what became of a mark.
type Marked uint8

const (
	NoMark   Marked = iota // there was none since the start
	Found                  // it is noted
	NotFound               // there was no alarm that it could mean
	Again                  // the same was said of that alarm before
)

// About is what changes only when a config is taken over.
type About struct {
	Unit, Version string
	Started       time.Duration
	StaleAfter    time.Duration      // a result older than this is not valid; 0: none is too old
	ConfigCRC     uint16             // marks the config file in force
	NetworkCRC    uint16             // marks the network
	Signals       []Signal           // what State.Levels are of
	Outputs       []string           // names of the output lines
	Inputs        []string           // and of the inputs
	Alarms        []alarm.Definition // as the config has them
	Serial        string             // protocol and port to the PLC; "": none
	Purpose       string             // for which emotions are inferred; "": none is
	Region        [4]float64         // where faces are looked for: left, top, width, height as shares
	Rotate        int                // degrees by which the picture is turned
	Gate          Gate
}

// Signal is what a level is of.
type Signal struct {
	Name     string  // "au4", "expression.anger": as the config names it
	Human    string  // "AU4 brow lowerer"
	Min, Max float32 // what the level can be
	Derived  bool    // learnt from labels that were computed from other labels
}

// Clock is the unit's wall clock.
type Clock struct {
	Source   ClockSource
	Settable bool          // by a command, while no time source sets the system's
	At       time.Duration // a moment,
	Wall     time.Time     // and what the clock said at it
	Offset   time.Duration // how far it was ahead of the system's
}

// Time is what the clock says at now.
func (c Clock) Time(now time.Duration) time.Time { return c.Wall.Add(now - c.At) }

// ClockSource is who vouches for the time of the clock. The numbers are published
// in the register map and never change.
type ClockSource uint8

const (
	ClockNotSet       ClockSource = iota // nobody, since the machine started
	ClockSet                             // who set it since the machine started
	ClockSynchronised                    // a time source, which sets the system's
	ClockSystem                          // who set up the machine: it is the system's, and cannot be set
)

var clockSources = [...]string{"not set", "set", "synchronised", "system"}

// String gives the source in a word or two.
func (c ClockSource) String() string { return clockSources[min(int(c), len(clockSources)-1)] }

// Choice is the likeliest of several, "" while none is.
type Choice struct {
	Name  string
	Level float32
}

// Clear makes s say that nothing is known yet. Its lists are used again.
func (s *State) Clear() {
	nan := float32(math.NaN())
	*s = State{About: &About{}, Covered: s.Covered[:0], Levels: s.Levels[:0], Faults: s.Faults[:0], Alarms: s.Alarms[:0],
		Outputs: s.Outputs[:0], Inputs: s.Inputs[:0], Summary: alarm.Summary{FirstOut: -1, Last: -1}, Available: nan, Temperature: nan}
	s.Blind(NoResult)
}

// Blind makes every reading Unknown, for a reason.
func (s *State) Blind(reason string) {
	nan := float32(math.NaN())
	s.Reason, s.Advice, s.Aim = reason, "", Aim{}
	s.Faces, s.FaceScore, s.FaceSize, s.Covered = 0, nan, nan, s.Covered[:0]
	s.Expression, s.Compound = Choice{Level: nan}, Choice{Level: nan}
	for i := range s.Levels {
		s.Levels[i] = nan
	}
}

// Level gives the level of a signal by its name, NaN while it is Unknown and for
// a signal that this unit has not.
func (s *State) Level(name string) float32 {
	for i := range s.Levels {
		if s.About.Signals[i].Name == name {
			return s.Levels[i]
		}
	}
	return float32(math.NaN())
}

// Signal gives what is known of a signal; false for one that this unit has not.
func (a *About) Signal(name string) (Signal, bool) {
	for _, s := range a.Signals {
		if s.Name == name {
			return s, true
		}
	}
	return Signal{}, false
}

// FaultBits has bit n set for each fault n that is on.
func (s *State) FaultBits() (word uint32) {
	for i := range s.Faults {
		word |= s.Faults[i].Fault.Bit()
	}
	return word
}

// copyFrom makes s a copy of from that shares nothing with it but what is never
// written.
func (s *State) copyFrom(from *State) {
	covered, levels, faults, alarms, outputs, inputs := s.Covered, s.Levels, s.Faults, s.Alarms, s.Outputs, s.Inputs
	*s = *from
	s.Covered = append(covered[:0], from.Covered...)
	s.Levels = append(levels[:0], from.Levels...)
	s.Faults = append(faults[:0], from.Faults...)
	s.Alarms = append(alarms[:0], from.Alarms...)
	s.Outputs = append(outputs[:0], from.Outputs...)
	s.Inputs = append(inputs[:0], from.Inputs...)
}
