package health

import (
	"fmt"
	"time"
)

// Fault is one thing that can be wrong with a unit. Its number is its bit in
// the fault words of the register map (from 16 on in the second one) and never
// changes meaning.
type Fault uint8

const (
	CameraLost Fault = iota
	CameraFrozen
	CameraDark
	InferenceFailed
	TooSlow
	AcceleratorLost
	ModelRefused
	ConfigRefused
	OutputMismatch
	SerialLost
	Overheated
	StorageFailed
	SelfTestFailed
	InputStuck
	HostLost
	Internal
	ClockJumped
	CameraTurned
	Drift
	faults // how many
)

// Effect is what a fault does to the unit's outputs.
type Effect uint8

const (
	// Degrades: results still flow and may be trusted; the fault output and the
	// fault word show it, everything else goes on.
	Degrades Effect = iota
	// Stops: no result may be trusted. Readings are Unknown, the healthy line
	// stops toggling, the watchdog is no longer petted unless the way back is
	// the unit's own, and alarm outputs that are off go to their fail value.
	Stops
)

// Info describes a fault: the row of the table that docs/faults.md shows.
type Info struct {
	Code   string // as an operator reads it: F01
	Name   string // in words
	Tag    string // as a PLC's program has it; published, never changed
	Text   string // what is wrong, in words for who stands before the unit
	Effect Effect
	// Detect is the longest time from the cause to the fault being set, with
	// the default settings of [health]. Alarm outputs follow within 500 ms.
	Detect time.Duration
	Back   string // how it ends
}

var table = [faults]Info{
	CameraLost:      {"F01", "camera lost", "camera_lost", "no frames come from the camera: unplugged, taken by another program, or no permission", Stops, 1500 * time.Millisecond, "by itself with the third readable picture in a row: the camera is opened again, after 0.25 s, then ever longer up to 5 s. A camera that gives a frame now and then (at least one in 4 s) is F05, too slow, and not lost"},
	CameraFrozen:    {"F02", "picture frozen", "frozen", "the camera sends the same picture again and again", Stops, 3500 * time.Millisecond, "by itself with the twelfth new picture; the camera is opened again every 5 s until then. A few pictures in turn are no new ones, nor is one in which a written clock changes and the face does not, nor are pictures taken longer ago than health.stale: a driver, a network camera or a program before it keeps them back"},
	CameraDark:      {"F03", "picture dark or blocked", "dark_or_blocked", "the picture is black, white or without any contrast: light off, lens covered or blinded", Stops, 2500 * time.Millisecond, "by itself with the first usable picture"},
	InferenceFailed: {"F04", "inference failed", "inference", "the network could not be run on a frame", Stops, 500 * time.Millisecond, "by itself: the network is loaded again, after 0.25 s, then ever longer up to 5 s"},
	TooSlow:         {"F05", "too slow", "slow", "fewer results a second than health.min_rate: too hot, too busy, or too large a picture; or none at all, and no error that says why: a driver or a library hangs, and the lines are at their fail value", Degrades, 6 * time.Second, "by itself when the rate is back; what hangs for 8 s lets the watchdogs restart unit or machine"},
	AcceleratorLost: {"F06", "accelerator lost", "accelerator_lost", "the accelerator that the config names is not there or answers wrongly; the processor does its work", Degrades, 500 * time.Millisecond, "at the next start, or when a reload opens it again"},
	ModelRefused:    {"F07", "model refused", "model_checksum", "a network, the face detector or a library is missing or damaged, is not the file that its card or mien itself names, cannot be opened, crashed or hung when it was tried, or does not give its known answer", Stops, 2 * time.Second, "put the right file there; the unit tries again by itself"},
	ConfigRefused:   {"F08", "config refused", "config", "a changed config has an error; the one before it stays in force", Degrades, 500 * time.Millisecond, "correct it and reload"},
	OutputMismatch:  {"F09", "output mismatch", "output_mismatch", "a line does not read back what it was set to, cannot be set, or its driver hangs", Degrades, 1500 * time.Millisecond, "by itself when the line can be set again; look for a short or a second user of the line; what hangs for 8 s lets the watchdogs restart unit or machine"},
	SerialLost:      {"F10", "serial port lost", "serial", "the serial port to the PLC cannot be opened or used", Degrades, 1 * time.Second, "by itself: the port is opened again, after 0.25 s, then ever longer up to 5 s"},
	Overheated:      {"F11", "too hot or supply too low", "thermal", "the processor is above health.max_temperature, or the board reports under-voltage", Degrades, 11 * time.Second, "by itself, 5 °C below the limit; mind cooling and power supply"},
	StorageFailed:   {"F12", "storage failed", "storage", "the state folder cannot be written: full, read-only or failing; alarm states and events are kept in memory", Degrades, 1 * time.Second, "by itself: all that was kept is written when the disk takes it"},
	SelfTestFailed:  {"F13", "self-test failed", "self_test", "a part did not pass its test at start, a library is damaged and another one does its work, or a file that the unit has opened was replaced, overwritten or deleted on the disk", Degrades, 500 * time.Millisecond, "at the next start that passes; where a file has changed (looked for once a minute) also by itself, when it is as it was"},
	InputStuck:      {"F14", "input stuck", "input_stuck", "an input is active for longer than a person would hold it, chatters as a loose wire does, or cannot be read", Degrades, 1 * time.Second, "by itself when the input is released or quiet (one that is stuck is detected after its stuck_after)"},
	HostLost:        {"F15", "host heartbeat lost", "host_lost", "the PLC no longer changes its heartbeat register", Degrades, 500 * time.Millisecond, "by itself with the next change (detected after modbus.host_timeout)"},
	Internal:        {"F16", "internal error", "internal", "a part of the program failed and was started again", Stops, 500 * time.Millisecond, "by itself; the journal has the cause: report it"},
	ClockJumped:     {"F17", "clock jumped", "clock_jumped", "the wall clock was set by more than health.clock_jump: times in the journal before and after do not fit together; delays and times to shelve run on another clock and go on", Degrades, 500 * time.Millisecond, "by itself when the clock has gone evenly for 10 s; mind the time source"},
	CameraTurned:    {"F18", "picture not upright", "picture_turned", "faces are seen better when the picture is turned: the camera hangs upside down or on its side and camera.rotate does not say so; no face is read until then", Degrades, 105 * time.Second, "by itself when a face is seen upright: set camera.rotate, or mount the camera upright"},
	Drift:           {"F19", "not as in the pilot", "drift", "levels, light, size of the face or how often it can be read have changed against the pilot's days by more than chance: the limits were found for what was then; or the baseline is of another network, of another unit or damaged, and nothing is compared", Degrades, 3 * 24 * time.Hour, "by itself when days are as in the pilot again; or by a new baseline: mien pilot drift shows what has changed and since when, mien pilot baseline learns anew"},
}

// Info gives a fault's row of the table.
func (f Fault) Info() Info {
	if f >= faults {
		return Info{Code: "F??", Name: fmt.Sprintf("fault %d", uint8(f)), Tag: fmt.Sprintf("fault%d", uint8(f))}
	}
	return table[f]
}

func (f Fault) String() string { return f.Info().Name }

// Bit is the fault's bit in the fault word; the register map has its upper half
// in a word of its own.
func (f Fault) Bit() uint32 { return 1 << f }

// Faults lists every fault in the order of its bit.
func Faults() []Fault {
	all := make([]Fault, faults)
	for i := range all {
		all[i] = Fault(i)
	}
	return all
}
