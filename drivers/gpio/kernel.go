package gpio

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/warthog618/go-gpiocdev"
	"golang.org/x/sys/unix"

	"mien/drivers/device"
)

// Kernel is the machine's own GPIO chips, /dev/gpiochip*.
var Kernel Host = kernel{}

type kernel struct{}

func (kernel) Chips() ([]Chip, error) {
	names := gpiocdev.Chips()
	chips := make([]Chip, 0, len(names))
	for _, name := range names {
		c, err := gpiocdev.NewChip(name)
		if errors.Is(err, gpiocdev.ErrNotCharacterDevice) {
			continue // a link that udev left for old programs (Raspberry Pi 5)
		}
		if err != nil {
			chips = append(chips, Chip{Name: name, Err: openError(name, err)})
			continue
		}
		chips = append(chips, describe(c))
		c.Close()
	}
	return chips, nil
}

func describe(c *gpiocdev.Chip) Chip {
	d := Chip{Name: c.Name, Label: c.Label, Lines: make([]LineInfo, 0, c.Lines())}
	for i := range c.Lines() {
		info, err := c.LineInfo(i)
		if err != nil {
			d.Err = fmt.Errorf("%s (%s): line %d: %w", c.Name, c.Label, i, gone(err))
			break
		}
		d.Lines = append(d.Lines, LineInfo{
			Offset:    i,
			Name:      info.Name,
			Consumer:  info.Consumer,
			Used:      info.Used,
			Output:    info.Config.Direction == gpiocdev.LineDirectionOutput,
			ActiveLow: info.Config.ActiveLow,
		})
	}
	return d
}

// find opens the chip of a line and gives the line's offset. The caller closes
// the chip.
func find(l Line) (*gpiocdev.Chip, int, error) {
	var labels []string
	var denied error
	var found *gpiocdev.Chip
	offset := -1
	for _, name := range candidates(l.Chip) {
		c, err := gpiocdev.NewChip(name)
		if errors.Is(err, gpiocdev.ErrNotCharacterDevice) {
			continue
		}
		if err != nil {
			denied = openError(name, err)
			continue
		}
		labels = append(labels, c.Label)
		o, ok := offsetOn(c, l)
		if !ok {
			c.Close()
			continue
		}
		if found != nil {
			err := fmt.Errorf("gpio line %v: both %s and %s have it, name one of these as the chip: %w", l, found.Name, c.Name, ErrNoLine)
			found.Close()
			c.Close()
			return nil, 0, err
		}
		found, offset = c, o
	}
	switch {
	case found == nil && denied != nil:
		return nil, 0, fmt.Errorf("gpio line %v: %w", l, denied)
	case found == nil:
		return nil, 0, missing(l, labels)
	case offset < 0 || offset >= found.Lines():
		err := outOfRange(l, found.Name, found.Lines())
		found.Close()
		return nil, 0, err
	}
	return found, offset, nil
}

// candidates are the device names that can hold a chip: one, if it is named as
// a device, else all.
func candidates(chip string) []string {
	name := strings.TrimPrefix(chip, "/dev/")
	if !strings.HasPrefix(name, "gpiochip") {
		return gpiocdev.Chips()
	}
	// A Raspberry Pi 5 keeps /dev/gpiochip4 as a link for old programs.
	if real, err := filepath.EvalSymlinks("/dev/" + name); err == nil {
		return []string{real}
	}
	return []string{name}
}

// offsetOn tells whether this chip is the one a line is on, and where.
func offsetOn(c *gpiocdev.Chip, l Line) (int, bool) {
	byDevice := strings.HasPrefix(strings.TrimPrefix(l.Chip, "/dev/"), "gpiochip")
	if l.Chip != "" && !byDevice && c.Label != l.Chip {
		return 0, false
	}
	if l.Name == "" {
		return l.Offset, l.Chip != ""
	}
	o, err := c.FindLine(l.Name)
	return o, err == nil
}

// missing says what there is instead of the line that was asked for.
func missing(l Line, labels []string) error {
	known := "this machine has no gpio chip"
	if len(labels) > 0 {
		known = "there are " + strings.Join(labels, ", ")
	}
	for _, label := range labels {
		if label == l.Chip {
			return fmt.Errorf("gpio line %v: no line is named %q on %s: %w", l, l.Name, l.Chip, ErrNoLine)
		}
	}
	switch {
	case l.Chip != "":
		return fmt.Errorf("gpio line %v: no chip %q (%s): %w", l, l.Chip, known, ErrNoChip)
	case l.Name == "":
		return fmt.Errorf("gpio line: neither chip nor name is given: %w", ErrNoLine)
	}
	return fmt.Errorf("gpio line %v: no line of that name on any chip (%s): %w", l, known, ErrNoLine)
}

func outOfRange(l Line, chip string, lines int) error {
	return fmt.Errorf("gpio line %v: %s has lines 0 to %d: %w", l, chip, lines-1, ErrNoLine)
}

func taken(l Line, consumer string) error {
	if consumer == "" {
		consumer = "a kernel driver"
	}
	return fmt.Errorf("gpio line %v: held by %q: %w", l, consumer, ErrBusy)
}

// requestError gives the reason of a failed request, which the kernel tells by
// number only.
func requestError(c *gpiocdev.Chip, l Line, offset int, err error) error {
	if errors.Is(err, unix.EBUSY) {
		info, _ := c.LineInfo(offset)
		return taken(l, info.Consumer)
	}
	return fmt.Errorf("gpio line %v: request: %w", l, gone(err))
}

// openError explains why a chip could not be opened.
func openError(name string, err error) error {
	path := "/dev/" + strings.TrimPrefix(name, "/dev/")
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("open %s: %w: %s", path, err, device.GPIO.Denied(path))
	}
	return fmt.Errorf("open %s: %w", path, gone(err))
}

// gone marks the errors of a chip that has vanished.
func gone(err error) error {
	if device.Gone(err) {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return err
}
