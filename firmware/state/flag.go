package state

import (
	"time"

	"mien/firmware/health"
)

// Flag is one yes or no about the unit. Its number is its bit in the status
// words of the protocols, and never changes its meaning.
type Flag uint8

const (
	Ready Flag = iota
	ResultValid
	Initialising
	FacePresent
	QualityOK
	AnyActive
	AnyUnacknowledged
	AnyLatched
	AnySuppressed
	AnyFault
	Degraded
	TestMode
	HostOK // of a link to a host: its reader sets it
	Locked
	TimeSynced
	Toggle
	flags // how many
)

var flagTable = [flags]struct{ name, meaning string }{
	Ready:             {"ready", "the unit does its work: results come, and nothing is wrong that makes them worthless"},
	ResultValid:       {"result_valid", "the newest result is fresh and may be trusted; whether there is a reading in it says quality_ok"},
	Initialising:      {"initialising", "starting, or a device is being opened again"},
	FacePresent:       {"face_present", "a face is in view"},
	QualityOK:         {"quality_ok", "it passes the quality gate: there is a reading; without, levels are not available and alarms neither come nor go"},
	AnyActive:         {"any_active", "an alarm's condition holds"},
	AnyUnacknowledged: {"any_unacknowledged", "an alarm waits for its acknowledgement"},
	AnyLatched:        {"any_latched", "an alarm waits for its reset"},
	AnySuppressed:     {"any_suppressed", "an alarm is shelved, suppressed by design or out of service"},
	AnyFault:          {"fault", "a bit of the fault word is set"},
	Degraded:          {"degraded", "runs with something missing"},
	TestMode:          {"test_mode", "an output test or an inhibit is in force: outputs do not follow the alarms"},
	HostOK:            {"host_ok", "the host heartbeat is watched and changes in time"},
	Locked:            {"locked", "no alarm's limits can be written"},
	TimeSynced:        {"time_synced", "the wall clock is set by a time source"},
	Toggle:            {"toggle", "changes once a second with the heartbeat: stands still when no results come"},
}

// String gives the name, "result_valid".
func (f Flag) String() string { return flagTable[f].name }

// Meaning says what is so while the flag is set.
func (f Flag) Meaning() string { return flagTable[f].meaning }

// AllFlags lists them in the order of their numbers.
func AllFlags() []Flag {
	list := make([]Flag, flags)
	for i := range list {
		list[i] = Flag(i)
	}
	return list
}

// Flags are a set of them.
type Flags uint32

// Has tells whether f is set.
func (s Flags) Has(f Flag) bool { return s>>f&1 != 0 }

// Flags gives what is so at now. A result that has grown old since it was stored
// is not valid: a pipeline that has stopped cannot look well.
func (s *State) Flags(now time.Duration) Flags {
	var set Flags
	put := func(f Flag, on bool) {
		if on {
			set |= 1 << f
		}
	}
	valid := s.Trusted && s.Results > 0 && (s.About.StaleAfter == 0 || now-s.ResultAt <= s.About.StaleAfter)
	faults, locked := s.FaultBits(), true
	for i := range s.Alarms {
		locked = locked && !s.Alarms[i].Unlocked
	}
	put(Ready, valid)
	put(ResultValid, valid)
	put(Initialising, s.Results == 0)
	put(FacePresent, s.Faces > 0)
	put(QualityOK, s.Reason == "")
	put(AnyActive, s.Summary.Active != 0)
	put(AnyUnacknowledged, s.Summary.Unacknowledged != 0)
	put(AnyLatched, s.Summary.Latched != 0)
	put(AnySuppressed, s.Summary.Covered != 0)
	put(AnyFault, faults != 0)
	put(Degraded, faults != 0 && !health.Stopping(faults))
	put(TestMode, s.Testing || s.Summary.Inhibited)
	put(Locked, locked)
	put(TimeSynced, s.TimeSynced)
	put(Toggle, s.Heartbeat&1 != 0)
	return set
}
