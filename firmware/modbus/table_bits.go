package modbus

import (
	"fmt"
	"math"
	"slices"
	"time"

	"mien/firmware/health"
	"mien/firmware/state"
)

func byAddress(t []Register) []Register {
	slices.SortFunc(t, func(a, b Register) int { return a.Address - b.Address })
	return t
}

// discreteRegisters are the rows of function 2: bits of input registers.
func discreteRegisters() []Register {
	var t []Register
	row := func(address int, name, meaning string, index int, value func(*view, int) uint32) {
		t = append(t, Register{Space: Discrete, Address: address, Words: 1, Name: name, Type: Bool, Scale: 1,
			Meaning: meaning, Since: 1, index: index, value: value})
	}
	for i, name := range statusNames {
		row(i, "status_"+name, state.Flag(i).Meaning(), i, func(v *view, i int) uint32 { return bit(v.status(), i) })
	}
	for i, name := range faultNames {
		row(16+i, "fault_"+name, health.Fault(i).Info().Text, i, func(v *view, i int) uint32 { return bit(v.Faults, i) })
	}
	for n := range MaxAlarms {
		alarm := fmt.Sprintf("alarm%d_", n)
		row(32+n, alarm+"active", "its condition holds", n, func(v *view, n int) uint32 { return bit(v.Active, n) })
		row(48+n, alarm+"unacknowledged", "waits for its acknowledgement", n, func(v *view, n int) uint32 { return bit(v.Unacknowledged, n) })
		row(64+n, alarm+"latched", "latched", n, func(v *view, n int) uint32 { return bit(v.Latched, n) })
		row(80+n, alarm+"suppressed", "shelved, suppressed by design or out of service", n, func(v *view, n int) uint32 {
			return bit(v.Shelved|v.Suppressed|v.OutOfService, n)
		})
	}
	for i, name := range moreFaultNames {
		row(96+i, "fault_"+name, health.Fault(16+i).Info().Text, i, func(v *view, i int) uint32 { return bit(v.MoreFaults, i) })
		t[len(t)-1].Since = 2 + i
	}
	return byAddress(t)
}

// Coils with a meaning of their own; acknowledge alarm n is coilAck+n.
const (
	coilAckAll = iota
	coilReset
	coilSilence
	coilTest
	coilInhibit
	coilAck  = 8
	coilMark = 28 // right, false, missed
)

// coilRegisters are the rows of functions 1, 5 and 15. A coil reads back what
// was last written; only its change does something.
func coilRegisters() []Register {
	var t []Register
	row := func(address int, name, meaning string) {
		t = append(t, Register{Space: Coil, Address: address, Words: 1, Name: name, Type: Bool, Scale: 1,
			Access: ReadWrite, Max: 1, Meaning: meaning, Since: 1})
	}
	row(coilAckAll, "ack_all", "0 to 1 acknowledges every alarm")
	row(coilReset, "reset_latched", "0 to 1 resets the latched alarms whose condition is gone")
	row(coilSilence, "silence", "0 to 1 silences the horn until the next new alarm, at most for unit.silence_max where the config sets one; this is no acknowledgement")
	row(coilTest, "output_test", "0 to 1 starts the output test, which ends by itself; 1 to 0 ends it")
	row(coilInhibit, "inhibit", "0 to 1 inhibits the alarm outputs for the time in the config; 1 to 0 ends it")
	for n := range MaxAlarms {
		row(coilAck+n, fmt.Sprintf("ack_alarm%d", n), fmt.Sprintf("0 to 1 acknowledges alarm %d; exception 02 where there is no such alarm", n))
	}
	for i, truth := range markTruths {
		row(coilMark+i, "mark_"+truth.String(), [...]string{"0 to 1 says that the alarm was right: the newest one, or mark_alarm", "0 to 1 says that there was nothing: at the newest alarm, or mark_alarm",
			"0 to 1 says that an alarm was missed, mark_ago seconds ago"}[i])
		t[len(t)-1].Since = 4
	}
	return t
}

// markTruths are what the coils from coilMark on say, and the register commands from
// codeMarkRight on.
var markTruths = [...]state.Truth{state.Right, state.False, state.Missed}

// Holding registers with a meaning of their own; the settings of alarm n are
// the four from holdingLimits+4n.
const (
	holdingHeartbeat = iota
	holdingHostTimeout
	holdingShelveMask
	holdingShelveMinutes
	holdingLimits    = 10
	holdingLimitsEnd = holdingLimits + 4*MaxAlarms
)

// delayTick is the unit of the delay registers.
const delayTick = 10 * time.Millisecond

// holdingRegisters are the rows of functions 3, 6, 16, 22 and 23.
func holdingRegisters() []Register {
	var t []Register
	row := func(address int, name string, typ Type, unit string, scale int, access Access, least, most int64, meaning string) *Register {
		t = append(t, Register{Space: Holding, Address: address, Words: 1, Name: name, Type: typ, Unit: unit, Scale: scale,
			Access: access, Min: least, Max: most, Meaning: meaning, Since: 1})
		return &t[len(t)-1]
	}
	row(holdingHeartbeat, "host_heartbeat", Uint16, "", 1, ReadWrite, 0, 65535, "any change says that the host lives")
	row(holdingHostTimeout, "host_timeout", Uint16, "ms", 1, ReadWrite, 0, 65535,
		"how long the host heartbeat may stand still; 0 does not watch it, and is refused where the config requires the host")
	row(holdingShelveMask, "shelve_mask", Bits, "", 1, ReadWrite, 0, 65535,
		"bit n 0 to 1 shelves alarm n for shelve_minutes, 1 to 0 takes it off the shelf; reads back what was written, alarms_shelved tells what is in force").Names = alarmBits()
	row(holdingShelveMinutes, "shelve_minutes", Uint16, "min", 1, ReadWrite, 1, 65535, "for the next shelving; at most what the config allows, for each alarm too")
	for n := range MaxAlarms {
		a := fmt.Sprintf("alarm%d_", n)
		row(holdingLimits+4*n, a+"on_limit", Int16, "", 1000, Unlocked, -32767, 32767, "the condition begins here")
		row(holdingLimits+4*n+1, a+"off_limit", Int16, "", 1000, Unlocked, -32767, 32767, "and ends here; the difference is the deadband")
		row(holdingLimits+4*n+2, a+"on_delay", Uint16, "s", 100, Unlocked, 0, 65534, "for so long before the alarm is raised")
		row(holdingLimits+4*n+3, a+"off_delay", Uint16, "s", 100, Unlocked, 0, 65534, "and so long before it returns")
		for i := len(t) - 4; i < len(t); i++ {
			t[i].NA, t[i].index = true, n
		}
	}
	first := len(t)
	row(holdingCommand, "command", Enum, "", 1, ReadWrite, 0, int64(len(commandNames)-1),
		"what a new command_sequence asks for, as coils and shelve_mask do: for masters without functions 5 and 15").Names = commandNames
	row(holdingCommandAlarm, "command_alarm", Uint16, "", 1, ReadWrite, 0, 65535, "number of the alarm, where command is for one; 65535 for a mark: the newest")
	row(holdingCommandValue, "command_value", Uint32, "", 1, ReadWrite, 0, math.MaxUint32,
		"shelve: for how many minutes; set clock: the time, seconds since 1970-01-01 UTC; mark: how many seconds ago; else it does not matter").Words = 2
	row(holdingCommandSequence, "command_sequence", Uint16, "", 1, ReadWrite, 0, 65535,
		"another number than before gives the command, 0 none; write it with the others in one request, or last. The first since the port was opened or the host heartbeat was lost is only noted")
	row(holdingMarkAlarm, "mark_alarm", Uint16, "", 1, ReadWrite, 0, MaxAlarms,
		"of which alarm the coils mark_... say something: 0 the newest (for mark_missed: the only one), n + 1 alarm n")
	row(holdingMarkAgo, "mark_ago", Uint16, "s", 1, ReadWrite, 0, 43200, "how long ago that was; the newest alarm then is meant")
	for i := first; i < len(t); i++ {
		t[i].Since = 4
	}
	return t
}
