package board

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"periph.io/x/host/v3/distro"
)

// ErrUnknown: the machine has no device tree, or one of a board that is not in
// the tables. mien runs there too; lines are then named by chip and offset.
var ErrUnknown = errors.New("board is not known")

// Unit is the machine at hand.
type Unit struct {
	*Board            // nil with ErrUnknown
	Model      string // as the device tree words it, "Raspberry Pi 4 Model B Rev 1.4"
	Compatible []string
	// old holds the labels of chips whose lines are numbered as in JetPack 4.
	old map[string]bool
}

// Detect recognises the board by the device tree under root, "/" on a running
// machine. A board that is not known is ErrUnknown, together with a Unit that
// has what could be read.
func Detect(root string) (Unit, error) {
	var u Unit
	if root == "/" {
		u.Compatible, u.Model = distro.DTCompatible(), strings.TrimPrefix(distro.DTModel(), "<unknown>")
	} else {
		u.Compatible = strings.FieldsFunc(readFile(root, "proc/device-tree/compatible"), func(r rune) bool { return r == 0 })
		u.Model = strings.Trim(readFile(root, "proc/device-tree/model"), "\x00\n")
	}
	for _, c := range u.Compatible {
		for _, b := range boards {
			for _, known := range b.Compatible {
				if c == known {
					u.Board = b
					u.old = oldNumbering(root, b)
					return u, nil
				}
			}
		}
	}
	if len(u.Compatible) == 0 {
		return u, fmt.Errorf("%w: this machine has no device tree", ErrUnknown)
	}
	return u, fmt.Errorf("%w: %s", ErrUnknown, strings.Join(u.Compatible, ", "))
}

// oldNumbering looks which chips have as many lines as under JetPack 4. The
// kernels in question all have the sysfs interface that tells.
func oldNumbering(root string, b *Board) map[string]bool {
	old := map[string]bool{}
	dirs, _ := filepath.Glob(filepath.Join(root, "sys/class/gpio/gpiochip*"))
	for _, d := range dirs {
		label := strings.TrimSpace(readFile(d, "label"))
		lines, _ := strconv.Atoi(strings.TrimSpace(readFile(d, "ngpio")))
		for _, c := range b.chips {
			if c.oldLines > 0 && c.label == label && c.oldLines == lines {
				old[label] = true
			}
		}
	}
	return old
}

// readFile is the content of a small file, or "".
func readFile(parts ...string) string {
	b, _ := os.ReadFile(filepath.Join(parts...))
	return string(b)
}
