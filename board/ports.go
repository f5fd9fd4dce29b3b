package board

import (
	"fmt"
	"strconv"
	"strings"
)

// chip is one GPIO controller and how its lines are numbered.
type chip struct {
	label string
	lines int // as the current kernel counts them
	// ports are the groups of a Tegra chip, in the order of the kernel's
	// tables. Line offsets count only the pins that exist.
	ports []port
	// named: the kernel gives the lines the names PX.NN.
	named bool
	// oldLines is the number of lines under JetPack 4 (Linux 4.9), where every
	// port counted eight and the lines had no names; 0 where it is the same.
	oldLines int
	// prefix is what comes before the offset in the names of a Raspberry Pi.
	prefix string
}

type port struct {
	name string
	pins int
}

// The port tables of drivers/gpio/gpio-tegra186.c: tegra194_main_ports,
// tegra194_aon_ports, tegra234_main_ports, tegra234_aon_ports.
var (
	tegra194 = chip{label: "tegra194-gpio", lines: 169, oldLines: 224, named: true, ports: []port{
		{"A", 8}, {"B", 2}, {"C", 8}, {"D", 4}, {"E", 8}, {"F", 6}, {"G", 8}, {"H", 8}, {"I", 5}, {"J", 6},
		{"K", 8}, {"L", 4}, {"M", 8}, {"N", 3}, {"O", 6}, {"P", 8}, {"Q", 8}, {"R", 6}, {"S", 8}, {"T", 8},
		{"U", 1}, {"V", 8}, {"W", 2}, {"X", 8}, {"Y", 8}, {"Z", 8}, {"FF", 2}, {"GG", 2}}}
	tegra194AON = chip{label: "tegra194-gpio-aon", lines: 30, oldLines: 40, named: true, ports: []port{
		{"AA", 8}, {"BB", 4}, {"CC", 8}, {"DD", 3}, {"EE", 7}}}
	tegra234 = chip{label: "tegra234-gpio", lines: 164, named: true, ports: []port{
		{"A", 8}, {"B", 1}, {"C", 8}, {"D", 4}, {"E", 8}, {"F", 6}, {"G", 8}, {"H", 8}, {"I", 7}, {"J", 6},
		{"K", 8}, {"L", 4}, {"M", 8}, {"N", 8}, {"P", 8}, {"Q", 8}, {"R", 6}, {"X", 8}, {"Y", 8}, {"Z", 8},
		{"AC", 8}, {"AD", 4}, {"AE", 2}, {"AF", 4}, {"AG", 8}}}
	tegra234AON = chip{label: "tegra234-gpio-aon", lines: 32, named: true, ports: []port{
		{"AA", 8}, {"BB", 4}, {"CC", 8}, {"DD", 3}, {"EE", 8}, {"GG", 1}}}

	// drivers/gpio/gpio-tegra.c: 32 ports of eight, A to Z and AA to FF. The
	// lines have no names.
	tegra210 = chip{label: "tegra-gpio", lines: 256, ports: eights(
		"A B C D E F G H I J K L M N O P Q R S T U V W X Y Z AA BB CC DD EE FF")}

	bcm2835 = chip{label: "pinctrl-bcm2835", lines: 54, prefix: "GPIO"}
	bcm2711 = chip{label: "pinctrl-bcm2711", lines: 58, prefix: "GPIO"}
	rp1     = chip{label: "pinctrl-rp1", lines: 54, prefix: "GPIO"}
)

func eights(names string) []port {
	var ports []port
	for _, n := range strings.Fields(names) {
		ports = append(ports, port{n, 8})
	}
	return ports
}

// offset finds a line by name: "PQ.05" in a port table, "GPIO17" by its number.
// old is the offset under JetPack 4.
func (c *chip) offset(name string) (line, old int, ok bool) {
	if c.prefix != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(name, c.prefix))
		ok = err == nil && strings.HasPrefix(name, c.prefix) && n >= 0 && n < c.lines && name == fmt.Sprint(c.prefix, n)
		return n, n, ok
	}
	p, pin, found := strings.Cut(strings.TrimPrefix(name, "P"), ".")
	n, err := strconv.Atoi(pin)
	if !found || err != nil || !strings.HasPrefix(name, "P") {
		return 0, 0, false
	}
	for i, port := range c.ports {
		if port.name == p {
			return line + n, 8*i + n, n >= 0 && n < port.pins
		}
		line += port.pins
	}
	return 0, 0, false
}

// pins makes the header table of a board from rows of number and name.
func pins(chips []chip, rows []Pin) []Pin {
	for i := range rows {
		found := false
		for j := range chips {
			line, _, ok := chips[j].offset(rows[i].Name)
			if !ok {
				continue
			}
			rows[i].Chip, rows[i].Line, found = chips[j].label, line, true
		}
		if !found {
			panic("board: no chip has a line " + rows[i].Name)
		}
	}
	return rows
}
