package modbus

import (
	"math"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/state"
)

// MaxAlarms is how many alarms the register map has room for.
const MaxAlarms = 16

// MaxSignals is how many signals the register map has room for.
const MaxSignals = 48

// AUs are the action units of the map, in the order of Snapshot.AU.
var AUs = [14]int{1, 2, 4, 6, 7, 9, 10, 12, 15, 23, 24, 25, 26, 43}

// Expressions are the expressions of the map, in the order of
// Snapshot.Expressions; the index is the expression id.
var Expressions = [8]string{"neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"}

// Compounds are the compound expressions of the map; the index is the id.
var Compounds = [7]string{"fearfully surprised", "happily surprised", "sadly surprised", "disgustedly surprised",
	"angrily surprised", "sadly fearful", "sadly angry"}

// Bits of Snapshot.Status: state.Flag tells what they mean. The slave itself makes
// StatusHostOK, StatusLocked and StatusToggle, and clears StatusResultValid when
// the result grows older than Snapshot.StaleAfter, so that a pipeline that has
// stopped cannot look well.
const (
	StatusReady        uint16 = 1 << state.Ready
	StatusResultValid  uint16 = 1 << state.ResultValid
	StatusInitialising uint16 = 1 << state.Initialising
	StatusFacePresent  uint16 = 1 << state.FacePresent
	StatusQualityOK    uint16 = 1 << state.QualityOK
	StatusAnyActive    uint16 = 1 << state.AnyActive
	StatusAnyUnack     uint16 = 1 << state.AnyUnacknowledged
	StatusHostOK       uint16 = 1 << state.HostOK
	StatusLocked       uint16 = 1 << state.Locked
	StatusToggle       uint16 = 1 << state.Toggle
)

// Bits of Snapshot.Covered.
const (
	CoveredEyes uint16 = 1 << iota
	CoveredMouth
)

// Bits of Snapshot.Annunciator.
const (
	AnnunciatorHorn uint16 = 1 << iota
	AnnunciatorLamp
	AnnunciatorSilenced
)

// Reasons names why there is no reading; the index is Snapshot.Reason. Zero
// is "there is a reading".
var Reasons = [16]string{"", "no result yet", "no face", "face too small", "face cut off by the edge", "blurred",
	"too dark", "too bright", "turned away", "low detector score", "covered", "stale result", "camera fault",
	"inference fault", "inhibited", "other"}

// Alarm is one alarm in a Snapshot.
type Alarm struct {
	Name  string // from the config; the map shows the first 16 characters
	State alarm.State
	// Value is the signal the alarm watches, in the signal's own unit, NaN for
	// Unknown.
	Value float32
	// Below says that the alarm acts when the signal falls under OnLimit.
	Below             bool
	OnLimit, OffLimit float32
	OnDelay, OffDelay time.Duration
	Min, Max          float32       // range of the signal, and so of its limits; equal: any
	Unlocked          bool          // a master may write limits and delays
	ShelveMax         time.Duration // longest shelving; 0: may not be shelved
	Since             time.Duration // monotonic time at which State began
}

// Pilot is how recordings and marks fare.
type Pilot struct {
	State        uint8  // 0 off, 1 recording, 2 ended, 3 in force, and nothing can be written
	Left         uint16 // hours, a begun one counts
	Frames       uint32 // recorded since the start
	Dropped      uint64 // records that had no room
	Right, False uint16 // marks since the start that count
	Missed       uint16
	Marked       uint8 // what became of the newest mark, as state.Marked
}

// Signal is one signal in a Snapshot.
type Signal struct {
	Name  string  // as the config names it; the map shows the first 24 characters
	Level float32 // in the signal's own unit, NaN for Unknown
}

// Source gives the newest snapshot. It never waits for who makes it.
type Source interface{ Load(*Snapshot) }

// Snapshot is everything the PLC can see, of one frame: what the registers have
// room for of a state.State. Levels are in their
// own unit (0 to 1, valence and arousal -1 to 1), NaN for Unknown. Times of
// type time.Duration are on the monotonic clock that Config.Now reads.
type Snapshot struct {
	Status uint16 // Status… bits
	Faults uint16 // bit n: health.Fault n is on
	// MoreFaults are those that came after the fault word was full.
	MoreFaults uint16
	Reason     uint8 // index into Reasons

	// Sequence counts results; 0 says that there is none yet.
	Sequence uint32
	// Heartbeat goes up by one a second while results come, never by a timer.
	Heartbeat uint16
	// ResultAt is when the newest result left the pipeline. When it is older
	// than StaleAfter (0: never) the status loses ResultValid.
	ResultAt, StaleAfter time.Duration

	FramesPerSecond float32
	Latency         time.Duration // from the capture of the frame to its result
	Dropped         uint32        // frames dropped since the start

	Faces     uint16
	FaceScore float32 // 0 to 1
	FaceSize  float32 // width of the face's box in pixels
	Covered   uint16  // Covered… bits

	Expression      int8 // index into Expressions, negative for Unknown
	ExpressionLevel float32
	Compound        int8 // index into Compounds, negative for Unknown
	CompoundLevel   float32
	Valence         float32
	Arousal         float32
	AU              [14]float32 // in the order of AUs
	Expressions     [8]float32  // in the order of Expressions
	EyesClosed      float32     // 0 to 1
	PERCLOS         float32     // 0 to 1

	// Masks, bit n for alarm n.
	Active, Unacknowledged, Latched, Shelved, Suppressed, OutOfService, Unknown uint16

	Annunciator uint16 // Annunciator… bits
	FirstOut    int8   // alarm that came first and is still unacknowledged, negative for none
	Events      uint32 // events in the journal since it was made
	LastAlarm   int8   // alarm of the newest event, negative for none
	LastAlarmAt int64  // its wall time, seconds since 1970 UTC

	// The wall clock: ClockWall, since 1970 UTC, at the moment ClockAt.
	ClockSource        uint8 // a state.ClockSource
	ClockAt, ClockWall time.Duration

	Silenced                uint16        // alarms that are unacknowledged and silenced
	TestUntil, InhibitUntil time.Duration // when they end; in the past: there is none

	StartedAt    time.Duration
	ConfigCRC    uint16  // of the config file in force
	Numbering    uint32  // counts how often the numbers of alarms came to mean others
	ModelCRC     uint16  // of the model file
	Temperature  float32 // °C of the processor, NaN for unknown
	Availability float32 // share of the last hour with valid results, 0 to 1

	Pilot   Pilot
	Outputs uint16 // bit n: output n is energised
	Inputs  uint16 // bit n: input n is active

	SignalCount int // signals 0 to SignalCount-1 exist, at most MaxSignals
	Signals     [MaxSignals]Signal

	AlarmCount int // alarms 0 to AlarmCount-1 exist, at most MaxAlarms
	Alarms     [MaxAlarms]Alarm
}

// Clear makes s say that nothing is known yet: levels NaN, no result, no
// alarms.
func (s *Snapshot) Clear() {
	nan := float32(math.NaN())
	*s = Snapshot{
		Status: StatusInitialising, Reason: 1,
		FaceScore: nan, FaceSize: nan,
		Expression: -1, ExpressionLevel: nan, Compound: -1, CompoundLevel: nan,
		Valence: nan, Arousal: nan,
		EyesClosed: nan, PERCLOS: nan,
		FirstOut: -1, LastAlarm: -1, Temperature: nan, Availability: nan,
	}
	for i := range s.AU {
		s.AU[i] = nan
	}
	for i := range s.Expressions {
		s.Expressions[i] = nan
	}
	for i := range s.Signals {
		s.Signals[i].Level = nan
	}
	for i := range s.Alarms {
		s.Alarms[i].Value, s.Alarms[i].OnLimit, s.Alarms[i].OffLimit = nan, nan, nan
	}
}
