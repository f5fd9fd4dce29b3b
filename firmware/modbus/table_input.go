package modbus

import (
	"fmt"
	"math"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/health"
	"mien/firmware/state"
)

// configCRC is the input register by which a master knows the numbers of alarms.
const configCRC = 46

// statusNames are the bits of the status word.
var statusNames = func() (names []string) {
	for _, f := range state.AllFlags()[:16] {
		names = append(names, f.String())
	}
	return names
}()

// faultNames and moreFaultNames are the bits of the two fault words, of the
// faults from first on.
var faultNames, moreFaultNames = faultWord(0), faultWord(16)

func faultWord(first int) (names []string) {
	all := health.Faults()
	for _, f := range all[min(first, len(all)):min(first+16, len(all))] {
		names = append(names, f.Info().Tag)
	}
	return names
}

// stateNames are the values of an alarm's state.
var stateNames = func() (names []string) {
	for _, s := range alarm.States {
		names = append(names, s.String())
	}
	return names
}()

var coveredNames = []string{"eyes", "mouth"}
var annunciatorNames = []string{"horn", "lamp", "silenced"}

// number is a row with one register.
func number(address int, name string, typ Type, unit string, scale int, na bool, meaning string,
	value func(*view, int) uint32) Register {
	return Register{Space: Input, Address: address, Words: 1, Name: name, Type: typ, Unit: unit, Scale: scale, NA: na,
		Meaning: meaning, Since: 1, value: value}
}

// word32 is a row with two registers.
func word32(address int, name string, typ Type, unit, meaning string, value func(*view, int) uint32) Register {
	r := number(address, name, typ, unit, 1, false, meaning, value)
	r.Words = 2
	return r
}

// mask is a row with 16 bits that have names.
func mask(address int, name string, names []string, meaning string, value func(*view, int) uint32) Register {
	r := number(address, name, Bits, "", 1, false, meaning, value)
	r.Names = names
	return r
}

// choice is a row with one of several named values.
func choice(address int, name string, names []string, na bool, meaning string, value func(*view, int) uint32) Register {
	r := number(address, name, Enum, "", 1, na, meaning, value)
	r.Names = names
	return r
}

// level is a row with a level times 1000.
func level(address int, name, meaning string, index int, value func(*view, int) uint32) Register {
	r := number(address, name, Int16, "", 1000, true, meaning, value)
	r.index = index
	return r
}

var auMeanings = map[int]string{1: "inner brow raiser", 2: "outer brow raiser", 4: "brow lowerer", 6: "cheek raiser",
	7: "lid tightener", 9: "nose wrinkler", 10: "upper lip raiser", 12: "lip corner puller",
	15: "lip corner depressor", 23: "lip tightener", 24: "lip pressor", 25: "lips part", 26: "jaw drop", 43: "eyes closed"}

func alarmBits() []string {
	names := make([]string, MaxAlarms)
	for n := range names {
		names[n] = fmt.Sprintf("alarm%d", n)
	}
	return names
}

// inputRegisters are the rows of function 4.
func inputRegisters() []Register {
	t := []Register{
		number(0, "map_version", Uint16, "", 1, false, "version of this map: a unit with a higher one has all of this and more",
			func(*view, int) uint32 { return MapVersion }),
		number(1, "heartbeat", Uint16, "", 1, false, "+1 a second while results come, from the pipeline and not from a timer; stands where they are further apart than health.stale; wraps",
			func(v *view, _ int) uint32 { return uint32(v.Heartbeat) }),
		mask(2, "status", statusNames, "status word", func(v *view, _ int) uint32 { return uint32(v.status()) }),
		mask(3, "faults", faultNames, "fault word", func(v *view, _ int) uint32 { return uint32(v.Faults) }),
		number(4, "sequence", Uint16, "", 1, false, "+1 a result; wraps", func(v *view, _ int) uint32 { return v.Sequence & 0xFFFF }),
		number(5, "result_age", Uint16, "ms", 1, false, "age of the newest result at the moment of the answer; stops at 65535, also before the first",
			func(v *view, _ int) uint32 { return v.age() }),
		number(6, "frame_rate", Uint16, "1/s", 10, true, "results a second",
			func(v *view, _ int) uint32 { return scaledUint(v.FramesPerSecond, 10) }),
		number(7, "latency", Uint16, "ms", 1, false, "from the capture of the frame to its result",
			func(v *view, _ int) uint32 { return saturate(int64(v.Latency / time.Millisecond)) }),
		number(8, "faces", Uint16, "", 1, false, "faces in view", func(v *view, _ int) uint32 { return uint32(v.Faces) }),
		level(9, "face_score", "detector's score of the face that counts, 0 to 1", 0,
			func(v *view, _ int) uint32 { return scaled(v.FaceScore, 1000) }),
		number(10, "face_size", Uint16, "px", 1, true, "width of its box", func(v *view, _ int) uint32 { return scaledUint(v.FaceSize, 1) }),
		choice(11, "expression", Expressions[:], true, "the likeliest expression", func(v *view, _ int) uint32 { return id(v.Expression) }),
		level(12, "expression_probability", "its probability, 0 to 1", 0,
			func(v *view, _ int) uint32 { return scaled(v.ExpressionLevel, 1000) }),
		level(13, "valence", "unpleasant -1 to pleasant +1", 0, func(v *view, _ int) uint32 { return scaled(v.Valence, 1000) }),
		level(14, "arousal", "calm -1 to excited +1", 0, func(v *view, _ int) uint32 { return scaled(v.Arousal, 1000) }),
	}
	address := 16
	for i, au := range AUs {
		at := address
		switch au {
		case 9:
			at = 55
		case 43:
			at = 56
		default:
			address++
		}
		t = append(t, level(at, fmt.Sprintf("au%d", au), fmt.Sprintf("AU%d, %s, 0 to 1", au, auMeanings[au]), i,
			func(v *view, i int) uint32 { return scaled(v.AU[i], 1000) }))
	}
	for i, name := range Expressions {
		t = append(t, level(28+i, "expression_"+name, "probability of "+name+", 0 to 1", i,
			func(v *view, i int) uint32 { return scaled(v.Expressions[i], 1000) }))
	}
	bits := alarmBits()
	t = append(t,
		mask(36, "alarms_active", bits, "alarms whose condition holds", func(v *view, _ int) uint32 { return uint32(v.Active) }),
		mask(37, "alarms_unacknowledged", bits, "alarms that wait for their acknowledgement", func(v *view, _ int) uint32 { return uint32(v.Unacknowledged) }),
		mask(38, "alarms_latched", bits, "latched alarms", func(v *view, _ int) uint32 { return uint32(v.Latched) }),
		mask(39, "alarms_suppressed", bits, "alarms shelved, suppressed by design or out of service", func(v *view, _ int) uint32 {
			return uint32(v.Shelved | v.Suppressed | v.OutOfService)
		}),
		number(40, "event_count", Uint16, "", 1, false, "low word of the number of journal entries: a change says that there is something new",
			func(v *view, _ int) uint32 { return v.Events & 0xFFFF }),
		number(41, "last_alarm", Uint16, "", 1, true, "alarm of the newest event", func(v *view, _ int) uint32 { return id(v.LastAlarm) }),
		word32(42, "last_alarm_time", Uint32, "s", "its wall time, seconds since 1970-01-01 UTC", func(v *view, _ int) uint32 { return uint32(v.LastAlarmAt) }),
		word32(44, "uptime", Uint32, "s", "since the program started", func(v *view, _ int) uint32 {
			return uint32(max(0, min(math.MaxUint32, int64((v.now-v.StartedAt)/time.Second))))
		}),
		number(configCRC, "config_crc", Uint16, "", 1, false, "CRC-16/MODBUS of the config in force", func(v *view, _ int) uint32 { return uint32(v.ConfigCRC) }),
		number(47, "model_crc", Uint16, "", 1, false, "CRC-16/MODBUS of the network in use", func(v *view, _ int) uint32 { return uint32(v.ModelCRC) }),
		number(48, "temperature", Int16, "degC", 10, true, "of the processor", func(v *view, _ int) uint32 { return scaled(v.Temperature, 10) }),
		number(49, "frames_dropped", Uint16, "", 1, false, "frames lost or left out since the start; wraps", func(v *view, _ int) uint32 { return v.Dropped & 0xFFFF }),
		number(50, "test_1234", Uint16, "", 1, false, "always 0x1234: tells whether addresses and byte order are right", func(*view, int) uint32 { return 0x1234 }),
		number(51, "test_5678", Uint16, "", 1, false, "always 0x5678", func(*view, int) uint32 { return 0x5678 }),
		word32(52, "test_float", Float32, "", "always 1.0: tells whether the word order is right", func(*view, int) uint32 { return math.Float32bits(1) }),
		number(54, "availability", Uint16, "%", 1, true, "share of the last hour with valid results", func(v *view, _ int) uint32 { return scaledUint(v.Availability, 100) }),
		number(57, "perclos", Int16, "%", 1, true, "share of the last minute with eyes closed", func(v *view, _ int) uint32 { return scaled(v.PERCLOS, 100) }),
		number(58, "pain_index", Int16, "", 100, true, "pain index, withdrawn: never has a value", func(*view, int) uint32 { return NotAvailableInt }),
		mask(59, "covered", coveredNames, "parts of the face that are covered; what they show is not available", func(v *view, _ int) uint32 { return uint32(v.Covered) }),
	)
	for n := range MaxAlarms {
		rows := []Register{
			choice(60+4*n, fmt.Sprintf("alarm%d_state", n), stateNames, true, "state; not available where there is no such alarm",
				func(v *view, n int) uint32 {
					if n >= v.AlarmCount {
						return NotAvailableUint
					}
					return uint32(v.Alarms[n].State)
				}),
			level(61+4*n, fmt.Sprintf("alarm%d_value", n), "signal it watches", n, func(v *view, n int) uint32 { return scaled(v.Alarms[n].Value, 1000) }),
			level(62+4*n, fmt.Sprintf("alarm%d_limit", n), "its on-limit", n, func(v *view, n int) uint32 { return scaled(v.Alarms[n].OnLimit, 1000) }),
			number(63+4*n, fmt.Sprintf("alarm%d_seconds", n), Uint16, "s", 1, false, "time in this state; stops at 65535", func(v *view, n int) uint32 {
				if n >= v.AlarmCount {
					return 0
				}
				return saturate(int64((v.now - v.Alarms[n].Since) / time.Second))
			}),
		}
		for i := range rows {
			rows[i].index = n
		}
		t = append(t, rows...)
	}
	t = append(t, moreInputRegisters()...)
	return byAddress(t)
}

// moreInputRegisters are what the unit tells beyond the alarms: 124 and up.
func moreInputRegisters() []Register {
	bits := alarmBits()
	t := []Register{
		number(124, "alarm_count", Uint16, "", 1, false, "alarms that the config declares", func(v *view, _ int) uint32 { return uint32(v.AlarmCount) }),
		number(125, "first_out", Uint16, "", 1, true, "the unacknowledged alarm that came first", func(v *view, _ int) uint32 { return id(v.FirstOut) }),
		mask(126, "annunciator", annunciatorNames, "horn and lamp as they are driven, and whether the horn is silenced", func(v *view, _ int) uint32 { return uint32(v.Annunciator) }),
		mask(127, "alarms_shelved", bits, "shelved alarms", func(v *view, _ int) uint32 { return uint32(v.Shelved) }),
		mask(128, "alarms_suppressed_by_design", bits, "alarms that another condition suppresses", func(v *view, _ int) uint32 { return uint32(v.Suppressed) }),
		mask(129, "alarms_out_of_service", bits, "alarms taken out of service", func(v *view, _ int) uint32 { return uint32(v.OutOfService) }),
		mask(130, "alarms_unknown", bits, "alarms whose signal is Unknown: neither raised nor cleared", func(v *view, _ int) uint32 { return uint32(v.Unknown) }),
		choice(131, "no_reading_reason", Reasons[:], false, "why there is no reading; 0 while there is one", func(v *view, _ int) uint32 { return uint32(v.Reason) }),
		choice(132, "compound", Compounds[:], true, "the likeliest compound expression", func(v *view, _ int) uint32 { return id(v.Compound) }),
		level(133, "compound_probability", "its level, 0 to 1", 0, func(v *view, _ int) uint32 { return scaled(v.CompoundLevel, 1000) }),
		level(134, "eyes_closed", "0 open to 1 closed", 0, func(v *view, _ int) uint32 { return scaled(v.EyesClosed, 1000) }),
		mask(135, "outputs", nil, "bit n: output n of the config is energised", func(v *view, _ int) uint32 { return uint32(v.Outputs) }),
		mask(136, "inputs", nil, "bit n: input n of the config is active", func(v *view, _ int) uint32 { return uint32(v.Inputs) }),
		number(137, "host_age", Uint16, "ms", 1, true, "since the host heartbeat changed; not available while it is not watched", func(v *view, _ int) uint32 {
			if h := v.host.state(v.now); h.Watched {
				return min(NotAvailableUint-1, saturate(int64(h.Age/time.Millisecond)))
			}
			return NotAvailableUint
		}),
		word32(138, "events", Uint32, "", "journal entries since the journal was made", func(v *view, _ int) uint32 { return v.Events }),
		word32(140, "results", Uint32, "", "results since the start", func(v *view, _ int) uint32 { return v.Sequence }),
		number(142, "bus_messages", Uint16, "", 1, false, "frames on the line with a right CRC, as function 8/11; wraps", func(v *view, _ int) uint32 { return v.stats.BusMessages.Load() & 0xFFFF }),
		number(143, "bus_errors", Uint16, "", 1, false, "damaged frames, as function 8/12; wraps", func(v *view, _ int) uint32 { return v.stats.CommErrors.Load() & 0xFFFF }),
		number(144, "bus_exceptions", Uint16, "", 1, false, "exception answers, as function 8/13; wraps", func(v *view, _ int) uint32 { return v.stats.Exceptions.Load() & 0xFFFF }),
		number(145, "bus_foreign_replies", Uint16, "", 1, false, "answers under this unit's address that it did not give: two devices share the address, or the line echoes", func(v *view, _ int) uint32 { return v.stats.ForeignReplies.Load() & 0xFFFF }),
	}
	more := mask(146, "faults_2", moreFaultNames, "second fault word: what came after the first was full", func(v *view, _ int) uint32 { return uint32(v.MoreFaults) })
	more.Since = 2
	t = append(t, more)
	t = append(t, commandInputs()...)
	t = append(t, pilotInputs()...)
	for n := range MaxAlarms {
		r := number(200+8*n, fmt.Sprintf("alarm%d_name", n), Text, "", 1, false, "first 16 characters of its name in the config; empty where there is no such alarm", nil)
		r.Words, r.index = 8, n
		r.text = func(v *view, n int) string {
			if n >= v.AlarmCount {
				return ""
			}
			return v.Alarms[n].Name
		}
		t = append(t, r)
	}
	return append(t, signalRegisters()...)
}

// commandInputs are what came of commands by registers, what runs for a time, and
// the clock.
func commandInputs() []Register {
	left := func(v *view, until time.Duration) uint32 {
		return saturate(int64((max(until-v.now, 0) + time.Second - 1) / time.Second))
	}
	t := []Register{
		choice(150, "clock_source", clockNames, false, "who vouches for the wall clock: nobody since the machine started, who set it since then, a time source, or the system's own whoever set that",
			func(v *view, _ int) uint32 { return uint32(v.ClockSource) }),
		mask(151, "alarms_silenced", alarmBits(), "alarms that are unacknowledged and silenced", func(v *view, _ int) uint32 { return uint32(v.Silenced) }),
		word32(152, "clock_time", Uint32, "s", "the unit's wall clock, seconds since 1970-01-01 UTC", func(v *view, _ int) uint32 {
			return uint32(max(0, min(math.MaxUint32, int64((v.ClockWall+v.now-v.ClockAt)/time.Second))))
		}),
		number(154, "command_done", Uint16, "", 1, false, "the newest command_sequence that was looked at", func(v *view, _ int) uint32 { return uint32(v.given.sequence) }),
		choice(155, "command_result", resultNames, false, "what came of it: pending is done and not yet on the disk; only noted is the first number since the start; numbers changed: read config_crc first; busy: write the same again", func(v *view, _ int) uint32 { return uint32(v.given.result) }),
		number(156, "output_test_left", Uint16, "s", 1, false, "how long the output test lasts yet; 0: there is none", func(v *view, _ int) uint32 { return left(v, v.TestUntil) }),
		number(157, "inhibit_left", Uint16, "s", 1, false, "how long the inhibit lasts yet; 0: there is none", func(v *view, _ int) uint32 { return left(v, v.InhibitUntil) }),
	}
	for i := range t {
		t[i].Since = 4
	}
	return t
}

// pilotInputs are recordings and marks.
func pilotInputs() []Register {
	t := []Register{
		choice(170, "pilot_state", pilotNames, false, "recordings of what the network says, for a pilot", func(v *view, _ int) uint32 { return uint32(v.Pilot.State) }),
		number(171, "pilot_left", Uint16, "h", 1, false, "hours until the pilot ends, a begun one counts; 0: there is none", func(v *view, _ int) uint32 { return uint32(v.Pilot.Left) }),
		word32(172, "pilot_frames", Uint32, "", "frames recorded since the start", func(v *view, _ int) uint32 { return v.Pilot.Frames }),
		number(174, "pilot_dropped", Uint16, "", 1, false, "records since the start that had no room; stops at 65535", func(v *view, _ int) uint32 { return saturate(int64(v.Pilot.Dropped)) }),
		number(175, "marks_right", Uint16, "", 1, false, "alarms since the start that are marked as right: a mark that was corrected or withdrawn is taken off; wraps, as do the next two", func(v *view, _ int) uint32 { return uint32(v.Pilot.Right) }),
		number(176, "marks_false", Uint16, "", 1, false, "as false", func(v *view, _ int) uint32 { return uint32(v.Pilot.False) }),
		number(177, "marks_missed", Uint16, "", 1, false, "events that are marked as missed", func(v *view, _ int) uint32 { return uint32(v.Pilot.Missed) }),
		choice(178, "mark_result", markedNames, false, "what became of the newest mark: whether there was an alarm that it could mean", func(v *view, _ int) uint32 { return uint32(v.Pilot.Marked) }),
	}
	for i := range t {
		t[i].Since = 4
	}
	return t
}

// Values of pilot_state and mark_result; they are published.
var (
	pilotNames  = []string{"off", "recording", "ended", "not written"}
	markedNames = []string{"none yet", "noted", "no alarm", "said before"}
)

// clockNames are the values of clock_source.
var clockNames = func() (names []string) {
	for c := state.ClockNotSet; c <= state.ClockSystem; c++ {
		names = append(names, c.String())
	}
	return names
}()

// Where the signals of the network in use stand, whatever they are: their number,
// their levels, their names.
const (
	signalCount     = 328
	signalLevels    = 330
	signalNames     = 400
	signalNameWords = 12
)

func signalRegisters() []Register {
	t := []Register{number(signalCount, "signal_count", Uint16, "", 1, false, "signals of the network in use; those behind the last have no name and no level",
		func(v *view, _ int) uint32 { return uint32(v.SignalCount) })}
	for n := range MaxSignals {
		t = append(t, level(signalLevels+n, fmt.Sprintf("signal%d_value", n), fmt.Sprintf("level of the signal that signal%d_name tells", n), n,
			func(v *view, n int) uint32 { return scaled(v.Signals[n].Level, 1000) }))
		r := number(signalNames+signalNameWords*n, fmt.Sprintf("signal%d_name", n), Text, "", 1, false, "first 24 characters of the name of a signal, as the config names it", nil)
		r.Words, r.index = signalNameWords, n
		r.text = func(v *view, n int) string { return v.Signals[n].Name }
		t = append(t, r)
	}
	for i := range t {
		t[i].Since = 3
	}
	return t
}
