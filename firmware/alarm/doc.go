// Package alarm turns readings into alarm states, after ISA-18.2 / IEC 62682,
// with on-delay and off-delay as in OPC UA Part 9.
//
// The package is pure: no files, no clock, no goroutine. One goroutine owns an
// Engine, gives it each reading with its time, and gets the events back:
//
//	engine, err := alarm.New(definitions, signals, alarm.Options{})
//	events := engine.Restore(saved, moment)          // once, what a former run left
//	events = engine.Step(alarm.Reading{At: at, Wall: wall, Sequence: n, Levels: levels})
//	events, err = engine.Do(alarm.Command{Do: alarm.Acknowledge, Who: "input ack", At: at, Wall: wall})
//	summary := engine.Summary()                      // horn, lamp, masks
//
// # What counts
//
// Each condition compares one signal with one limit. A high limit is met at
// or above the limit and stays met until the level is below limit - deadband; a
// low limit the other way round. An alarm's conditions are joined by all or any
// in three-valued logic: a level that is NaN is Unknown, and Unknown neither
// raises nor clears. (all: one condition certainly not met decides; any: one
// condition certainly met decides.)
//
// The on-delay counts only time between two readings that both say "met", the
// off-delay only time between two that both say "not met". Unknown pauses both.
// Time is Unknown but between two known readings that are no further apart than
// Options.MaxGap. It adds up, known time takes it off, and once it fills the
// alarm's UnknownHold that is declared: an event, the Unknown flag, for OnUnknown
// = Fault the Safe flag, and both delays start again. So a condition that stays is
// raised, or declared Unknown, within two on-delays, one hold and one gap.
//
// # Life and cover
//
// Transitions is the one table of states and events; Engine runs it and
// docs/alarms.md is made from it. Six states are an alarm's life. Shelved,
// SuppressedByDesign and OutOfService cover it: the life goes on beneath, an
// unacknowledged alarm stays unacknowledged, and a new occurrence is held back
// until the cover goes; it is raised then if its condition is still present.
//
// # Horn and lamp
//
// The horn follows what is unacknowledged and not silenced. The lamp follows
// the condition, and stays on while latched or unacknowledged. Silencing is not
// acknowledging.
package alarm
