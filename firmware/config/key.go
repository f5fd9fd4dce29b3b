package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"mien/firmware/alarm"
)

// Kind is the type of a key's value.
type Kind uint8

const (
	Text Kind = iota
	Integer
	Number // integer or not
	Boolean
	Duration    // text: "1.5s", "300ms", "2m"
	Choice      // text, one of Choices
	IntChoice   // integer, one of Choices
	Priority    // "critical", "high", "medium", "low", or 1 to 4
	Names       // list of texts
	Share4      // list of four numbers
	LineName    // text or integer: a GPIO line
	OptionalNum // number that may be left out
	NamedInts   // table of whole numbers by name
	Command     // list of texts: a program and its arguments
)

var kindNames = [...]string{"text", "whole number", "number", "true or false", "duration", "text", "whole number", "priority",
	"list of texts", "list of 4 numbers", "line", "number", "table of whole numbers", "list of texts"}

// String names the type as documents show it.
func (k Kind) String() string { return kindNames[k] }

// Effect is what taking over a changed key costs a running unit.
type Effect uint8

const (
	Live         Effect = iota // nothing: in force with the next frame
	ReopenCamera               // camera and network are opened again
	RequestLines               // the GPIO lines of its kind are requested again
	ReopenSerial               // the serial port is opened again
	Restart                    // only a start takes it over: a reload that has it is refused
	OpenGateway                // the gateway takes it over
)

var effectNames = [...]string{"at once", "opens camera and network again", "requests the lines again",
	"opens the serial port again", "needs a restart; a reload is refused", "the gateway opens its ports again"}

// String says what a reload does, in words.
func (e Effect) String() string { return effectNames[e] }

// Key is one row of Reference.
type Key struct {
	Path     string // "camera.width"; "alarm.high" in each [[alarm]]; "alarm.all.high" in each of its conditions
	Kind     Kind
	Default  string // as it would stand in the file; "" when there is none
	Required bool
	Choices  []string
	Min, Max float64 // bounds, both inclusive, when Max > Min; of a Duration in seconds; of a Text its length
	Unit     string
	Meaning  string
	Example  string // as it stands in the example file; "" is Default
	Takes    Effect
}

// Section is the part of Path before the last dot.
func (k Key) Section() string { return k.Path[:strings.LastIndexByte(k.Path, '.')] }

// Name is the part of Path behind the last dot.
func (k Key) Name() string { return k.Path[strings.LastIndexByte(k.Path, '.')+1:] }

// Allowed says in words what values the key takes.
func (k Key) Allowed() string {
	switch k.Kind {
	case Boolean:
		return "true, false"
	case Choice:
		return quoteAll(k.Choices)
	case IntChoice:
		return strings.Join(k.Choices, ", ")
	case Priority:
		return `"critical", "high", "medium", "low", or 1 to 4`
	case Duration:
		return fmt.Sprintf(`a duration from "%s" to "%s", such as "300ms", "1.5s", "2m"`, seconds(k.Min), seconds(k.Max))
	case Names:
		return `a list of texts, such as ["a", "b"]`
	case Command:
		return `a list of texts, each word of the command apart, such as ["rpicam-vid", "-t", "0"]`
	case NamedInts:
		return "a table of names and whole numbers, such as {power_line_frequency = 1}"
	case Share4:
		return fmt.Sprintf("a list of 4 numbers from %s to %s", number(k.Min), number(k.Max))
	case LineName:
		return `a line offset (17), a header pin ("pin 11") or a line name ("GPIO17")`
	case Text:
		if k.Max > k.Min {
			return fmt.Sprintf("a text in quotes of %s to %s characters", number(k.Min), number(k.Max))
		}
		return "a text in quotes"
	}
	word := "a number"
	if k.Kind == Integer {
		word = "a whole number"
	}
	if k.Max > k.Min {
		return fmt.Sprintf("%s from %s to %s", word, number(k.Min), number(k.Max))
	}
	return word
}

// words are those that the key takes.
func (k Key) words() []string {
	if k.Kind == Priority {
		return []string{alarm.Critical.String(), alarm.High.String(), alarm.Medium.String(), alarm.Low.String()}
	}
	return k.Choices
}

// bounds is Allowed for a remark: short, and "" where the type says it all.
func (k Key) bounds() string {
	switch k.Kind {
	case Choice:
		return "One of " + quoteAll(k.Choices) + "."
	case Duration:
		return fmt.Sprintf("From %s to %s.", seconds(k.Min), seconds(k.Max))
	case Integer, Number:
		if k.Max > k.Min {
			return fmt.Sprintf("From %s to %s%s.", number(k.Min), number(k.Max), strings.TrimRight(" "+k.Unit, " "))
		}
	case Text:
		if k.Max > k.Min && k.Max <= 64 {
			return fmt.Sprintf("At most %s characters.", number(k.Max))
		}
	case IntChoice, Priority, LineName:
		return strings.ToUpper(k.Allowed()[:1]) + k.Allowed()[1:] + "."
	}
	return ""
}

func quoteAll(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = strconv.Quote(s)
	}
	return strings.Join(quoted, ", ")
}

func number(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

func seconds(s float64) string { return alarm.Time(time.Duration(s * float64(time.Second))) }

// Reference lists every key, in the order of the example file.
func Reference() []Key {
	return append([]Key(nil), reference...)
}

// lookup gives the row of a path.
func lookup(path string) (Key, bool) {
	for _, k := range reference {
		if k.Path == path {
			return k, true
		}
	}
	return Key{}, false
}
