package alarm

import (
	"fmt"
	"io"
	"strings"
)

// identifiers name the states in the picture.
var identifiers = [...]string{"Normal", "Unacknowledged", "Acknowledged", "ReturnedUnacknowledged", "LatchedUnacknowledged",
	"LatchedAcknowledged", "Shelved", "SuppressedByDesign", "OutOfService"}

// Picture draws Transitions as a Mermaid state diagram. A cover is entered
// from, and left to, whichever state the life is in.
func Picture() string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n    direction LR\n    state InService {\n        [*] --> Normal\n")
	for _, from := range States[:6] {
		for _, to := range States[:6] {
			if labels := labelsOf(from, to); labels != "" {
				fmt.Fprintf(&b, "        %s --> %s: %s\n", identifiers[from], identifiers[to], labels)
			}
		}
	}
	b.WriteString("    }\n")
	for _, cover := range States[6:] {
		if labels := labelsOf(Normal, cover); labels != "" {
			fmt.Fprintf(&b, "    InService --> %s: %s\n", identifiers[cover], labels)
		}
		for _, to := range States[6:] {
			if labels := labelsOf(cover, to); labels != "" {
				fmt.Fprintf(&b, "    %s --> %s: %s\n", identifiers[cover], identifiers[to], labels)
			}
		}
		if labels := labelsOf(cover, Beneath); labels != "" {
			fmt.Fprintf(&b, "    %s --> InService: %s\n", identifiers[cover], labels)
		}
	}
	return b.String()
}

// labelsOf lists the triggers that lead from one state to another.
func labelsOf(from, to State) string {
	var labels []string
	for _, t := range Transitions {
		if t.From != from || t.To != to || t.To == t.From {
			continue
		}
		label := t.On.String()
		if t.If != Always {
			label += " [" + t.If.String() + "]"
		}
		labels = append(labels, label)
	}
	return strings.Join(labels, ", ")
}

// WriteDocument writes docs/alarms.md.
func WriteDocument(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`# Alarms

The life of an alarm, after ISA-18.2 / IEC 62682. Written by ` + "`make generate`" + ` from the state table in firmware/alarm.

` + "```mermaid\n" + Picture() + "```" + `

A cover (shelved, suppressed by design, out of service) is left to what lies beneath it: the life goes on there, an
unacknowledged alarm stays unacknowledged. An occurrence that begins under a cover is held back (the journal has it)
and is raised when the cover goes, if its condition is still present by then.

## What counts

- **Limit and deadband.** A high limit is met at or above it, and stays met until the level is below limit - deadband;
  a low limit the other way round. Each limit has its own deadband.
- **On-delay, off-delay.** Only time between two readings that agree counts, if they are no further apart than
  health.stale.
- **Unknown** (no face, a poor one, no result, a fault) neither raises nor clears, and pauses both delays. It adds up:
  each moment that is not between two known readings counts as Unknown, known time takes it off again, and once
  unknown_hold is full the alarm is declared Unknown: its Unknown flag is set, the delays begin anew, and with
  on_unknown = "fault" those of its outputs that are off go to their fail value. So a reading now and then, or every
  second frame, does not hide that the alarm cannot be judged. It ends when the alarm was judged, or was known for as
  long as its delay (at least 1 s or half of unknown_hold, at most unknown_hold). A person who leaves does not
  acknowledge anything, and when that was is no event: once an hour the journal tells for how many minutes alarms had
  no reading, and why.
- **The promise**: a condition that stays is raised, or declared Unknown, within two on-delays, one unknown_hold and one
  health.stale, whatever the readings in between.
- **Several conditions.** all: one that is certainly not met decides. any: one that is certainly met decides.
  Otherwise one that is Unknown makes the whole Unknown.
- **Horn**: sounds for what is unacknowledged, condition present or not, until acknowledged or silenced. Silencing is
  not acknowledging; a new occurrence sounds again.
- **Lamp**: lit while a condition is present, or latched, or unacknowledged; blinks, where the output says so, while
  something is unacknowledged, its condition present or not.
- **Rest means rest.** What is lit stays lit whatever happens to the readings: a hand on the lens, a fault or somebody who
  leaves puts out no lamp and no horn. A line that would be off goes to its fail value while nobody can know: on a fault
  that stops the unit, and where the alarm was declared Unknown with on_unknown = "fault". That value is on by default,
  but for the horn. So a dark lamp says that all is seen and well; mien check warns where a config cannot tell that from
  "cannot see".
- **First-out**: the first alarm of those that are unacknowledged; of several in the same frame the most urgent.
- **Suppressed by design**: while the condition of an alarm in suppress_by is present, or during an inhibit. An alarm
  that a person has hidden (shelved, out of service), or whose reading was declared Unknown, suppresses no other. One
  that is itself suppressed may: what suppresses it is seen.
- **Commands for all** (acknowledge, reset) reach what is shown; what lies under a cover is reached by name only.
- **A restart** keeps all states, ends an inhibit (an event tells that), and sounds the horn again for what is
  unacknowledged. A shelving goes on for the time that is left, however the clock was set, and each restart takes at least
  five minutes off it. What is left is kept every five minutes: so a unit without a clock, whose power fails every few
  minutes, shelves for no longer than was granted.
- **Numbers** (Modbus, ASCII) are places in the config. A reload, or a start with another config, that gives a place to
  another alarm is told by the unit; commands by number are refused until the master has read config_crc (Modbus) or
  asked with ? (ASCII). Names never shift.
- **An edge is a change that was seen.** A coil, a bit of the shelve mask, a button or a host heartbeat that is on when the
  unit starts, or when its port or line is opened again, asks for nothing; it acts once it has been off. That a coil or bit
  goes off ends what it asked for, at any time.
- **An alarm that the config no longer has** is uncovered and counts as gone, and is kept until it is acknowledged and
  reset.
- Nothing adjusts a limit by itself.

## The slowest rate at which an alarm works

The time between two results may not be longer than health.stale: one result a second by default, and some more where
they come unevenly. What is slower is declared Unknown; it is never silent. Fault F05, too slow, comes much earlier,
below health.min_rate (5 a second by default), and mien check refuses a stale that is shorter than 1/min_rate or than two
frames of camera.fps. The engine says, with stale 1 s and unknown_hold 5 s, for a condition that is present from the
first result on:

` + ratesTable() + `
An on_delay of 0 needs no second reading and so is raised at any rate that brings one; between two that are too far apart
it is declared Unknown like the others. The rest lasts as long as its delay and
up to one result more; where readings are missing now and then, up to twice as long.

## What outlives a crash, a restart and a power loss

States, shelvings and events are kept in the folder state.dir, in one journal, events.log. It begins with a record of
the states, and events follow. Rotation writes a new file and renames it over the one before: the states, the newest
events, the states again in case the disk damages one of them. Half of state.journal_kib is the file, half is set aside
for the next one. Neither has a picture, or a level over time.

- Nothing is told that a kill -9 could take back: each event is in a copy in memory before any output, screen or PLC
  shows what it did (in $RUNTIME_DIRECTORY, which the systemd unit keeps over a restart, or in /run/mien,
  $XDG_RUNTIME_DIR, /dev/shm), and the next start takes from there what the disk had not taken.
- It is written and synced at once, and from then on survives a power loss. Only what chatters (more than five syncs in a
  second, for longer than that) is gathered for 0.2 s, unless somebody waits for it.
- A torn or damaged file at any byte costs at most the lines that are torn; the start notes it, and that a file is
  missing. Files that cannot be read, or of a newer version, are put aside, not overwritten. Files of the version before
  are taken over once.
- A disk that is full, read-only or failing is fault F12. A full disk does not stop the journal where the file system can
  set room aside; else states and the newest 1,000 events are kept in memory and written when the disk takes them. Where
  more had to go, the journal tells how many. Numbers go on in each case.
- Alarms' own events have half of the file, which notes and refused commands cannot take: of 500 bytes each, with the
  default of 2,048 KiB the newest 1,000. state.journal_days lets older ones go.
- What an SD card has to write, in blocks of 4 KiB with the file system's own: 1 MB a day without an alarm, 11 MB with one
  every ten minutes that is raised, acknowledged and returned, 77 MB with one a minute (the store's test counts them).
  Somebody who comes and goes adds nothing.
- Two units on one folder: the second is refused at its start. So is a folder that others may write to, or that belongs to
  another user; symbolic links of other users are not followed.

## Every state with every event

"-": nothing changes. "beneath": acts on what lies beneath, which stays hidden.

| state | no. |`)
	for _, on := range Triggers() {
		fmt.Fprintf(&b, " %v |", on)
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", tableTriggers) + "\n")
	for _, from := range States {
		fmt.Fprintf(&b, "| **%v** | %d |", from, from)
		for _, on := range Triggers() {
			fmt.Fprintf(&b, " %s |", cellOf(from, on))
		}
		b.WriteByte('\n')
	}
	b.WriteString("\nThe numbers are those of the register map. A refused command changes nothing, is told why, and is in the journal.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// cellOf is one pair of the table in words.
func cellOf(from State, on Trigger) string {
	var parts []string
	for _, t := range Transitions {
		if t.From != from || t.On != on {
			continue
		}
		text := t.To.String()
		switch {
		case t.Refused:
			return "refused: " + t.Note
		case t.To == Beneath:
			text = "what lies beneath"
		case t.To == t.From && from.Covered() && on <= Reset:
			text = "beneath"
		case t.To == t.From && on == Shelve:
			text = t.Note
		case t.To == t.From:
			text = "-"
		}
		if t.If != Always {
			text = t.If.String() + ": " + text
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}
