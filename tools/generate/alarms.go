package main

import (
	"fmt"
	"io"
	"strings"

	"mien/firmware/alarm"
)

// identifiers name the states in the picture.
var identifiers = [...]string{"Normal", "Unacknowledged", "Acknowledged", "ReturnedUnacknowledged", "LatchedUnacknowledged",
	"LatchedAcknowledged", "Shelved", "SuppressedByDesign", "OutOfService"}

// statePicture draws the alarms' transitions as a Mermaid state diagram. A cover
// is entered from, and left to, whichever state the life is in.
func statePicture(w io.Writer) error {
	var b strings.Builder
	b.WriteString("```mermaid\nstateDiagram-v2\n    direction LR\n    state InService {\n        [*] --> Normal\n")
	for _, from := range alarm.States[:6] {
		for _, to := range alarm.States[:6] {
			if labels := labelsOf(from, to); labels != "" {
				fmt.Fprintf(&b, "        %s --> %s: %s\n", identifiers[from], identifiers[to], labels)
			}
		}
	}
	b.WriteString("    }\n")
	for _, cover := range alarm.States[6:] {
		if labels := labelsOf(alarm.Normal, cover); labels != "" {
			fmt.Fprintf(&b, "    InService --> %s: %s\n", identifiers[cover], labels)
		}
		for _, to := range alarm.States[6:] {
			if labels := labelsOf(cover, to); labels != "" {
				fmt.Fprintf(&b, "    %s --> %s: %s\n", identifiers[cover], identifiers[to], labels)
			}
		}
		if labels := labelsOf(cover, alarm.Beneath); labels != "" {
			fmt.Fprintf(&b, "    %s --> InService: %s\n", identifiers[cover], labels)
		}
	}
	b.WriteString("```\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// labelsOf lists the triggers that lead from one state to another.
func labelsOf(from, to alarm.State) string {
	var labels []string
	for _, t := range alarm.Transitions {
		if t.From != from || t.To != to || t.To == t.From {
			continue
		}
		label := t.On.String()
		if t.If != alarm.Always {
			label += " [" + t.If.String() + "]"
		}
		labels = append(labels, label)
	}
	return strings.Join(labels, ", ")
}

// stateTable writes every state with every event.
func stateTable(w io.Writer) error {
	var b strings.Builder
	b.WriteString("| state | no. |")
	for _, on := range alarm.Triggers() {
		fmt.Fprintf(&b, " %v |", on)
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(alarm.Triggers())) + "\n")
	for _, from := range alarm.States {
		fmt.Fprintf(&b, "| **%v** | %d |", from, from)
		for _, on := range alarm.Triggers() {
			fmt.Fprintf(&b, " %s |", cellOf(from, on))
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cellOf is one pair of the table in words.
func cellOf(from alarm.State, on alarm.Trigger) string {
	var parts []string
	for _, t := range alarm.Transitions {
		if t.From != from || t.On != on {
			continue
		}
		text := t.To.String()
		switch {
		case t.Refused:
			return "refused: " + t.Note
		case t.To == alarm.Beneath:
			text = "what is beneath"
		case t.To == t.From && from.Covered() && on <= alarm.Reset:
			text = "beneath"
		case t.To == t.From && on == alarm.Shelve:
			text = t.Note
		case t.To == t.From:
			text = "-"
		}
		if t.If != alarm.Always {
			text = t.If.String() + ": " + text
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}
