package board

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ErrNoPin: the board has no such pin or line.
var ErrNoPin = errors.New("no such pin")

// Line is a pin as the GPIO driver wants it.
type Line struct {
	Chip   string // label
	Offset int
	Name   string // what the kernel calls the line, "" if it has no name for it
	Pin    Pin    // the header pin; its Number is 0 for a line that is not on the header
}

// Warnings are what an installer should know before wiring it, as an output or
// an input.
func (l Line) Warnings(output bool) []string {
	var list []string
	p := l.Pin
	if p.Number == 0 {
		list = append(list, p.Name+" is not on the 40-pin header; the board may use it for itself")
	}
	if p.PullUp && output {
		list = append(list, fmt.Sprintf("%s is pulled up from power-on until mien takes it: a load that is active high switches on at every start", p.Name))
	}
	if p.Use != "" {
		list = append(list, fmt.Sprintf("%s is also %s: make sure that this is switched off", p.Name, p.Use))
	}
	if p.Only == "output" && !output || p.Only == "input" && output {
		list = append(list, fmt.Sprintf("%s can be an %s only on this carrier board", p.Name, p.Only))
	}
	return list
}

var (
	headerPin = regexp.MustCompile(`(?i)^(?:pin|header|p1|j8|j41|j12|j30)[ _:-]*([0-9]{1,2})$`)
	gpioName  = regexp.MustCompile(`(?i)^(?:gpio|bcm)[ _]*([0-9]{1,2})$`)
	portName  = regexp.MustCompile(`(?i)^(?:GPIO3?_?)?P([A-Z]{1,2})\.?([0-9]{1,2})$`)
)

// HeaderPin tells whether a line is named by its place on the header ("pin 11"),
// which no kernel knows.
func HeaderPin(name string) bool { return headerPin.MatchString(strings.TrimSpace(name)) }

// Resolve finds a line by what people call it: a header pin ("pin 11"), the
// number of a Raspberry Pi ("GPIO17", "BCM17"), or the port of a Jetson
// ("PQ.05"). A bare number is refused, because it can mean either.
func (u Unit) Resolve(pin string) (Line, error) {
	if u.Board == nil {
		return Line{}, fmt.Errorf("pin %q: %w: name the line by its chip's label and its number there (mien probe -v lists them)", pin, ErrUnknown)
	}
	name := strings.TrimSpace(pin)
	if m := headerPin.FindStringSubmatch(name); m != nil {
		n, _ := strconv.Atoi(m[1])
		for _, p := range u.Pins {
			if p.Number == n {
				return u.line(p), nil
			}
		}
		if n < 1 || n > 40 {
			return Line{}, fmt.Errorf("pin %d of %s: %w: the header has 1 to 40", n, u.Name, ErrNoPin)
		}
		return Line{}, fmt.Errorf("pin %d of %s: %w: it is a supply, a ground or a fixed function", n, u.Name, ErrNoPin)
	}
	if _, err := strconv.Atoi(name); err == nil {
		return Line{}, fmt.Errorf("pin %q: %w: write \"pin %s\" for the header or \"GPIO%s\" for the line", pin, ErrNoPin, name, name)
	}
	name = u.canonical(name)
	for _, p := range u.Pins {
		if p.Name == name {
			return u.line(p), nil
		}
	}
	for _, c := range u.chips {
		if line, _, ok := c.offset(name); ok {
			return u.line(Pin{Name: name, Chip: c.label, Line: line}), nil
		}
	}
	return Line{}, fmt.Errorf("pin %q of %s: %w: %s", pin, u.Name, ErrNoPin, u.example())
}

// Find finds a line by the chip and the line that a config names: a header pin,
// the SoC's name or, with its chip, a number. A name that is none of these is
// taken for one that only this machine's kernel knows: such a Line has that name,
// and -1 for its Offset.
func (u Unit) Find(chip, line string) (Line, error) {
	if n, ok := number(line); ok {
		if chip == "" && u.Board != nil {
			chip = u.Chips()[0]
		}
		if chip == "" {
			return Line{}, errors.New("a bare line number needs chip, the label of its GPIO chip (mien probe lists them)")
		}
		return u.At(chip, n), nil
	}
	l, err := u.Resolve(line)
	switch {
	case err == nil && (chip == "" || chip == l.Chip):
		return l, nil
	case err != nil && HeaderPin(line):
		return Line{}, err
	case err == nil && HeaderPin(line):
		return Line{}, fmt.Errorf("%s is on chip %s, not on %s", line, l.Chip, chip)
	}
	return Line{Chip: chip, Offset: -1, Name: line}, nil
}

// number reads a bare line number.
func number(line string) (n int, ok bool) {
	if line == "" || len(line) > 4 {
		return 0, false
	}
	for _, c := range line {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// Mind is what an installer should know before wiring the line that a config
// names so; its error is why that cannot be a line. Of lines that only the kernel
// knows, of chips that are not the board's, and on a board that is not known,
// nothing is known.
func (u Unit) Mind(chip, line string, output bool) ([]string, error) {
	if u.Board == nil {
		if HeaderPin(line) { // a config may be checked on another machine than its own
			return []string{"this machine is no board whose header is known: here the unit would refuse this line, and start nothing"}, nil
		}
		return nil, nil
	}
	l, err := u.Find(chip, line)
	if err != nil || l.Offset < 0 || !slices.Contains(u.Chips(), l.Chip) {
		return nil, err
	}
	return l.Warnings(output), nil
}

// At gives the line of a chip by its number there. A line that is not on the
// header has a Pin without a number.
func (u Unit) At(chip string, offset int) Line {
	if u.Board != nil {
		for _, p := range u.Pins {
			if l := u.line(p); l.Chip == chip && l.Offset == offset {
				return l
			}
		}
	}
	return Line{Chip: chip, Offset: offset, Pin: Pin{Name: fmt.Sprintf("line %d of %s", offset, chip), Chip: chip, Line: offset}}
}

// canonical writes a name as the tables do.
func (u Unit) canonical(name string) string {
	if m := gpioName.FindStringSubmatch(name); m != nil && u.chips[0].prefix != "" {
		n, _ := strconv.Atoi(m[1])
		return fmt.Sprintf("%s%d", u.chips[0].prefix, n)
	}
	if m := portName.FindStringSubmatch(name); m != nil && u.chips[0].prefix == "" {
		n, _ := strconv.Atoi(m[2])
		return fmt.Sprintf("P%s.%02d", strings.ToUpper(m[1]), n)
	}
	return name
}

func (u Unit) example() string {
	p := u.Pins[len(u.Pins)/2]
	return fmt.Sprintf("write e.g. %q or \"pin %d\"", p.Name, p.Number)
}

// line says where a pin is on this machine's kernel.
func (u Unit) line(p Pin) Line {
	l := Line{Chip: p.Chip, Offset: p.Line, Pin: p}
	for _, c := range u.chips {
		if c.label != p.Chip {
			continue
		}
		if u.old[c.label] {
			_, l.Offset, _ = c.offset(p.Name)
		} else if c.named {
			l.Name = p.Name
		}
	}
	return l
}
