package pipeline

import (
	"fmt"
	"strconv"

	"mien/board"
	"mien/drivers/gpio"
	"mien/firmware/config"
)

// Resolver finds a GPIO line by the chip and line that the config names.
type Resolver func(chip, line string) (gpio.Line, error)

// Lines finds lines as a board names them.
func Lines(b board.Unit) Resolver {
	return func(chip, line string) (gpio.Line, error) {
		l, err := b.Find(chip, line)
		if err != nil || l.Offset < 0 {
			return gpio.Line{Chip: l.Chip, Name: l.Name}, err
		}
		return gpio.Line{Chip: l.Chip, Offset: l.Offset}, nil
	}
}

// identify gives a line's true name, by which two ways to write it can be told
// to mean the same; "" where only the kernel knows.
func identify(resolve Resolver) func(chip, line string) string {
	return func(chip, line string) string {
		l, err := resolve(chip, line)
		switch {
		case err != nil: // said when the line is requested
			return ""
		case l.Name != "":
			return l.Chip + " " + l.Name
		}
		return l.Chip + " line " + strconv.Itoa(l.Offset)
	}
}

// wirable says which lines of a config can never be had: named twice, or none of this
// board's. A chip that is still missing may come.
func wirable(cfg *config.Config, resolve Resolver) error {
	return append(cfg.SameLines(identify(resolve)), cfg.Wiring(func(chip, line string, _ bool) ([]string, error) {
		_, err := resolve(chip, line)
		return nil, err
	})...).Err()
}

// Wiring looks at a config's GPIO lines on a board: lines named twice, header
// pins that are no lines, and what an installer should mind.
func Wiring(cfg *config.Config, b board.Unit) config.Problems {
	inputs := 0 // looked at so far
	return append(cfg.SameLines(identify(Lines(b))), cfg.Wiring(func(chip, line string, output bool) ([]string, error) {
		mind, err := b.Mind(chip, line, output)
		if output {
			return mind, err
		}
		pull := cfg.Inputs[inputs].Pull
		inputs++
		if b.Board != nil && b.Board.NoPull && (pull == config.PullUp || pull == config.PullDown) {
			mind = append(mind, fmt.Sprintf("pull = %q has no effect on a %s, whose kernel is older than 5.5: fit a resistor of 10 kΩ", pull, b.Board.Name))
		}
		return mind, err
	})...)
}
