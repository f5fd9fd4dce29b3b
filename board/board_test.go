package board

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/pin"
	"periph.io/x/host/v3/rpi"
)

func TestEachBoardIsRecognised(t *testing.T) {
	for _, b := range All() {
		root := filepath.Join("testdata", b.ID)
		u, err := Detect(root)
		if err != nil {
			t.Errorf("%s: %v", b.ID, err)
			continue
		}
		if u.Board != b {
			t.Errorf("%s: taken for %s", b.ID, u.ID)
		}
		model := strings.ReplaceAll(u.Model, " Plus", "+")
		if first, _, _ := strings.Cut(b.Name, " Developer"); !strings.Contains(model, first) {
			t.Errorf("%s: model %q does not go with the name %q", b.ID, u.Model, b.Name)
		}
		if byID, ok := ByID(b.ID); !ok || byID != b {
			t.Errorf("ByID(%q) does not find it", b.ID)
		}
	}
	if _, ok := ByID("pi1"); ok {
		t.Error("ByID finds a board that is not there")
	}
}

func TestEveryCompatibleStringNamesOneBoard(t *testing.T) {
	owner := map[string]string{}
	for _, b := range All() {
		for _, c := range b.Compatible {
			if o, twice := owner[c]; twice {
				t.Errorf("%q names %s and %s", c, o, b.ID)
			}
			owner[c] = b.ID
			root := t.TempDir()
			write(t, root, "proc/device-tree/compatible", c+"\x00vendor,soc\x00")
			if u, err := Detect(root); err != nil || u.Board != b {
				t.Errorf("%q is not recognised as %s: %v", c, b.ID, err)
			}
		}
	}
}

func TestUnknownBoards(t *testing.T) {
	u, err := Detect("testdata/unknown")
	if !errors.Is(err, ErrUnknown) || u.Board != nil || !strings.Contains(err.Error(), "linux,dummy-virt") {
		t.Errorf("a virtual machine: %+v, %v", u, err)
	}
	if _, err := u.Resolve("pin 11"); !errors.Is(err, ErrUnknown) {
		t.Errorf("a pin of an unknown board: %v", err)
	}
	u, err = Detect(t.TempDir())
	if !errors.Is(err, ErrUnknown) || len(u.Compatible) != 0 || !strings.Contains(err.Error(), "no device tree") {
		t.Errorf("no device tree: %+v, %v", u, err)
	}
	// A name that only begins like a known one is another board.
	root := t.TempDir()
	write(t, root, "proc/device-tree/compatible", "raspberrypi,4-model-bee\x00brcm,bcm2711\x00")
	if u, err := Detect(root); !errors.Is(err, ErrUnknown) {
		t.Errorf("raspberrypi,4-model-bee is taken for %v", u.ID)
	}
	// What the machine that runs this test is does not matter, only that the
	// live path gives an answer.
	if u, err := Detect("/"); (err == nil) != (u.Board != nil) {
		t.Errorf("live: %+v, %v", u, err)
	}
}

// rails are the header pins that are no lines on any of these boards.
var rails = map[int]bool{1: true, 2: true, 4: true, 6: true, 9: true, 14: true, 17: true, 20: true, 25: true, 30: true, 34: true, 39: true}

func TestTablesAreSound(t *testing.T) {
	for _, b := range All() {
		seen := map[string]int{}
		last := 0
		for _, p := range b.Pins {
			if p.Number <= last || p.Number > 40 || rails[p.Number] {
				t.Errorf("%s: pin %d after %d", b.ID, p.Number, last)
			}
			last = p.Number
			key := fmt.Sprint(p.Chip, p.Line)
			if other := seen[key]; other != 0 {
				t.Errorf("%s: pins %d and %d are both %s", b.ID, other, p.Number, key)
			}
			seen[key] = p.Number
			lines := 0
			for _, c := range b.chips {
				if c.label == p.Chip {
					lines = c.lines
				}
			}
			if p.Line < 0 || p.Line >= lines {
				t.Errorf("%s: pin %d is line %d of %d on %q", b.ID, p.Number, p.Line, lines, p.Chip)
			}
		}
		use := 0
		for _, s := range b.Serial {
			if s.Use {
				use++
			}
			if s.Path == "" || s.Pins == "" || s.Notes == "" {
				t.Errorf("%s: serial port %+v is not described", b.ID, s)
			}
		}
		if use != 1 {
			t.Errorf("%s: %d serial ports are the one to use", b.ID, use)
		}
		if b.Name == "" || b.SoC == "" || b.USB == "" || b.Accelerator == "" || b.Watchdog == "" || len(b.Thermal) == 0 || len(b.Notes) == 0 || len(b.Chips()) == 0 {
			t.Errorf("%s: something is left out", b.ID)
		}
	}
}

// The Raspberry Pi's header against periph.io's tables, which others have
// tried on real boards.
func TestPiHeaderAgreesWithPeriph(t *testing.T) {
	header := []pin.Pin{
		rpi.P1_1, rpi.P1_2, rpi.P1_3, rpi.P1_4, rpi.P1_5, rpi.P1_6, rpi.P1_7, rpi.P1_8, rpi.P1_9, rpi.P1_10,
		rpi.P1_11, rpi.P1_12, rpi.P1_13, rpi.P1_14, rpi.P1_15, rpi.P1_16, rpi.P1_17, rpi.P1_18, rpi.P1_19, rpi.P1_20,
		rpi.P1_21, rpi.P1_22, rpi.P1_23, rpi.P1_24, rpi.P1_25, rpi.P1_26, rpi.P1_27, rpi.P1_28, rpi.P1_29, rpi.P1_30,
		rpi.P1_31, rpi.P1_32, rpi.P1_33, rpi.P1_34, rpi.P1_35, rpi.P1_36, rpi.P1_37, rpi.P1_38, rpi.P1_39, rpi.P1_40,
	}
	for _, b := range []*Board{pi3b, pi3bPlus, pi4b, pi5, piZero2W} {
		ours := map[int]Pin{}
		for _, p := range b.Pins {
			ours[p.Number] = p
		}
		lines := 0
		for i, theirs := range header {
			line, ok := theirs.(gpio.PinIO)
			p, have := ours[i+1]
			if have != (ok && line.Number() >= 0) {
				t.Errorf("%s: pin %d is a line here: %v, with periph: %v", b.ID, i+1, have, theirs)
				continue
			}
			if !have {
				continue
			}
			lines++
			if p.Line != line.Number() || p.Name != line.Name() {
				t.Errorf("%s: pin %d is %s, line %d; with periph %s", b.ID, i+1, p.Name, p.Line, line)
			}
			if up := line.DefaultPull() == gpio.PullUp; up != p.PullUp {
				t.Errorf("%s: %s is pulled up at the start: %v, with periph: %v", b.ID, p.Name, p.PullUp, up)
			}
		}
		if lines != 28 || len(b.Pins) != 28 {
			t.Errorf("%s: %d of %d lines compared, want 28", b.ID, lines, len(b.Pins))
		}
	}
}

func TestPortTablesAddUp(t *testing.T) {
	for _, c := range []chip{tegra194, tegra194AON, tegra234, tegra234AON, tegra210} {
		sum := 0
		for _, p := range c.ports {
			if line, _, ok := c.offset("P" + p.name + ".00"); !ok || line != sum {
				t.Errorf("%s: P%s.00 is line %d, %v, want %d", c.label, p.name, line, ok, sum)
			}
			if _, _, ok := c.offset(fmt.Sprintf("P%s.%02d", p.name, p.pins)); ok {
				t.Errorf("%s: port %s has a pin %d", c.label, p.name, p.pins)
			}
			sum += p.pins
		}
		if sum != c.lines {
			t.Errorf("%s: the ports have %d pins, the chip %d lines", c.label, sum, c.lines)
		}
		if c.oldLines != 0 && c.oldLines != 8*len(c.ports) {
			t.Errorf("%s: %d ports are not %d lines under JetPack 4", c.label, len(c.ports), c.oldLines)
		}
	}
}

// The offsets of NVIDIA's Jetson.GPIO for the header pins, which come from
// another source than the kernel's port tables that ours are made of.
func TestJetsonHeadersAgreeWithJetsonGPIO(t *testing.T) {
	orin := map[int]int{7: 144, 11: 112, 12: 50, 13: 122, 15: 85, 16: 126, 18: 125, 19: 135, 21: 134, 22: 123, 23: 133,
		24: 136, 26: 137, 29: 105, 31: 106, 32: 41, 33: 43, 35: 53, 36: 113, 37: 124, 38: 52, 40: 51}
	for _, c := range []struct {
		board *Board
		main  map[int]int // pin to offset on the main chip
		aon   map[int]int // pin to offset on the always-on chip
		old   map[int]int // both, under JetPack 4
	}{
		{orinNano, orin, nil, nil},
		{orinNX, orin, nil, nil},
		{agxOrin, map[int]int{7: 106, 11: 112, 12: 50, 13: 108, 15: 85, 18: 43, 19: 135, 21: 134, 22: 96, 23: 133, 24: 136,
			26: 137, 35: 53, 36: 113, 38: 52, 40: 51},
			map[int]int{16: 9, 29: 1, 31: 0, 32: 8, 33: 2, 37: 3}, nil},
		{xavierNX, map[int]int{7: 118, 11: 112, 12: 127, 13: 149, 16: 153, 18: 152, 19: 162, 21: 161, 22: 150, 23: 160,
			24: 163, 26: 164, 29: 105, 31: 106, 32: 108, 33: 84, 35: 130, 36: 113, 37: 151, 38: 129, 40: 128},
			map[int]int{15: 16},
			map[int]int{7: 148, 11: 140, 12: 157, 13: 192, 15: 20, 16: 196, 18: 195, 19: 205, 21: 204, 22: 193, 23: 203,
				24: 206, 26: 207, 29: 133, 31: 134, 32: 136, 33: 105, 35: 160, 36: 141, 37: 194, 38: 159, 40: 158}},
		{nano, map[int]int{7: 216, 11: 50, 12: 79, 13: 14, 15: 194, 16: 232, 18: 15, 19: 16, 21: 17, 22: 13, 23: 18, 24: 19,
			26: 20, 29: 149, 31: 200, 32: 168, 33: 38, 35: 76, 36: 51, 37: 12, 38: 77, 40: 78}, nil, nil},
	} {
		if len(c.board.Pins) != len(c.main)+len(c.aon) {
			t.Errorf("%s has %d pins, want %d", c.board.ID, len(c.board.Pins), len(c.main)+len(c.aon))
		}
		for _, p := range c.board.Pins {
			want, chip := c.main[p.Number], c.board.Chips()[0]
			if n, ok := c.aon[p.Number]; ok {
				want, chip = n, c.board.Chips()[1]
			}
			if p.Line != want || p.Chip != chip {
				t.Errorf("%s: pin %d is line %d of %s, want %d of %s", c.board.ID, p.Number, p.Line, p.Chip, want, chip)
			}
			if c.old == nil {
				continue
			}
			u := Unit{Board: c.board, old: map[string]bool{"tegra194-gpio": true, "tegra194-gpio-aon": true}}
			l, err := u.Resolve(fmt.Sprint("pin ", p.Number))
			if err != nil || l.Offset != c.old[p.Number] || l.Name != "" {
				t.Errorf("%s under JetPack 4: pin %d is line %d %q, want %d: %v", c.board.ID, p.Number, l.Offset, l.Name, c.old[p.Number], err)
			}
		}
	}
}

func TestOldNumberingIsSeen(t *testing.T) {
	for _, c := range []struct {
		lines string
		want  Line
	}{
		{"224", Line{Chip: "tegra194-gpio", Offset: 148}},
		{"169", Line{Chip: "tegra194-gpio", Offset: 118, Name: "PS.04"}},
		{"", Line{Chip: "tegra194-gpio", Offset: 118, Name: "PS.04"}},
	} {
		root := t.TempDir()
		write(t, root, "proc/device-tree/compatible", "nvidia,p3509-0000+p3668-0001\x00nvidia,tegra194\x00")
		if c.lines != "" {
			write(t, root, "sys/class/gpio/gpiochip288/label", "tegra194-gpio\n")
			write(t, root, "sys/class/gpio/gpiochip288/ngpio", c.lines+"\n")
		}
		u, err := Detect(root)
		if err != nil {
			t.Fatal(err)
		}
		l, err := u.Resolve("pin 7")
		if err != nil || l.Chip != c.want.Chip || l.Offset != c.want.Offset || l.Name != c.want.Name {
			t.Errorf("%q lines: pin 7 is %+v, %v, want %+v", c.lines, l, err, c.want)
		}
	}
}

func TestResolve(t *testing.T) {
	for _, c := range []struct {
		board      *Board
		pin        string
		chip       string
		offset     int
		name       string
		number     int
		warning    string // must be in one of the warnings; "-": there are none
		errContain string
	}{
		{pi4b, "GPIO17", "pinctrl-bcm2711", 17, "", 11, "-", ""},
		{pi4b, "gpio17", "pinctrl-bcm2711", 17, "", 11, "-", ""},
		{pi4b, "BCM 17", "pinctrl-bcm2711", 17, "", 11, "-", ""},
		{pi4b, " pin 11 ", "pinctrl-bcm2711", 17, "", 11, "-", ""},
		{pi4b, "Pin11", "pinctrl-bcm2711", 17, "", 11, "-", ""},
		{pi4b, "P1-11", "pinctrl-bcm2711", 17, "", 11, "-", ""},
		{pi5, "GPIO4", "pinctrl-rp1", 4, "", 7, "pulled up", ""},
		{pi3b, "GPIO14", "pinctrl-bcm2835", 14, "", 8, "UART transmit", ""},
		{pi3bPlus, "pin 3", "pinctrl-bcm2835", 2, "", 3, "I2C", ""},
		{piZero2W, "pin 27", "pinctrl-bcm2835", 0, "", 27, "EEPROM", ""},
		{pi4b, "GPIO42", "pinctrl-bcm2711", 42, "", 0, "not on the 40-pin header", ""},
		{orinNano, "PQ.05", "tegra234-gpio", 105, "PQ.05", 29, "-", ""},
		{orinNano, "pq5", "tegra234-gpio", 105, "PQ.05", 29, "-", ""},
		{orinNano, "GPIO3_PQ.05", "tegra234-gpio", 105, "PQ.05", 29, "-", ""},
		{orinNX, "pin 11", "tegra234-gpio", 112, "PR.04", 11, "request to send", ""},
		{agxOrin, "pin 11", "tegra234-gpio", 112, "PR.04", 11, "output only", ""},
		{agxOrin, "PAA.01", "tegra234-gpio-aon", 1, "PAA.01", 29, "CAN", ""},
		{xavierNX, "PCC.04", "tegra194-gpio-aon", 16, "PCC.04", 15, "-", ""},
		{xavierNX, "PG.00", "tegra194-gpio", 36, "PG.00", 0, "not on the 40-pin header", ""},
		{nano, "PBB.00", "tegra-gpio", 216, "", 7, "-", ""},

		{board: pi4b, pin: "17", errContain: `"pin 17" for the header or "GPIO17"`},
		{board: pi4b, pin: "pin 9", errContain: "ground"},
		{board: pi4b, pin: "pin 41", errContain: "1 to 40"},
		{board: pi4b, pin: "pin 0", errContain: "no such pin"},
		{board: pi4b, pin: "GPIO58", errContain: "write e.g."},
		{board: pi4b, pin: "GPIO99", errContain: "write e.g."},
		{board: pi4b, pin: "GPIO-1", errContain: "no such pin"},
		{board: pi4b, pin: "PQ.05", errContain: "no such pin"},
		{board: pi4b, pin: "", errContain: "no such pin"},
		{board: pi4b, pin: "lamp", errContain: "no such pin"},
		{board: orinNano, pin: "GPIO17", errContain: "no such pin"},
		{board: orinNano, pin: "PB.01", errContain: "no such pin"}, // port B has one pin
		{board: orinNano, pin: "PQ.08", errContain: "no such pin"},
		{board: orinNano, pin: "PZZ.01", errContain: "no such pin"},
		{board: orinNano, pin: "pin 3", errContain: "no such pin"}, // I2C only
	} {
		l, err := Unit{Board: c.board}.Resolve(c.pin)
		if c.errContain != "" {
			if !errors.Is(err, ErrNoPin) || !strings.Contains(err.Error(), c.errContain) {
				t.Errorf("%s %q: %v, want one with %q", c.board.ID, c.pin, err, c.errContain)
			}
			continue
		}
		if err != nil || l.Chip != c.chip || l.Offset != c.offset || l.Name != c.name || l.Pin.Number != c.number {
			t.Errorf("%s %q: %+v, %v", c.board.ID, c.pin, l, err)
		}
		all := strings.Join(append(l.Warnings(true), l.Warnings(false)...), "; ")
		if (c.warning == "-" && all != "") || (c.warning != "-" && !strings.Contains(all, c.warning)) {
			t.Errorf("%s %q: warnings %q, want %q", c.board.ID, c.pin, all, c.warning)
		}
	}
}

// A pull-up is of no matter to an input, and a pin that can be only one of both
// is warned of when it is to be the other.
func TestWarningsFitTheUse(t *testing.T) {
	if l := (Unit{Board: pi5}).At("pinctrl-rp1", 17); l.Pin.Number != 11 {
		t.Errorf("line 17 of a Raspberry Pi 5: %+v", l)
	}
	old := Unit{Board: xavierNX, old: map[string]bool{"tegra194-gpio": true}}
	if l := old.At("tegra194-gpio", 148); l.Pin.Number != 7 { // PS.04 under JetPack 4
		t.Errorf("line 148 of a Xavier NX under JetPack 4: %+v", l)
	}
	for _, u := range []Unit{{}, {Board: pi5}} {
		if l := u.At("pinctrl-rp1", 50); l.Pin.Number != 0 || !strings.HasPrefix(l.Warnings(true)[0], "line 50 of pinctrl-rp1 is not on") {
			t.Errorf("a line that is not on the header: %+v", l)
		}
	}
	if !HeaderPin(" Pin11") || !HeaderPin("pin 99") || HeaderPin("GPIO17") || HeaderPin("pinctrl 1") || HeaderPin("11") {
		t.Error("header pins are not told from other names")
	}
	for _, c := range []struct {
		board         *Board
		pin           string
		output, input int
	}{
		{pi4b, "GPIO17", 0, 0}, {pi4b, "GPIO5", 1, 0}, {pi4b, "GPIO2", 2, 1}, {agxOrin, "pin 11", 1, 2}, {pi4b, "GPIO42", 1, 1},
	} {
		l, err := Unit{Board: c.board}.Resolve(c.pin)
		if err != nil {
			t.Fatal(err)
		}
		if out, in := l.Warnings(true), l.Warnings(false); len(out) != c.output || len(in) != c.input {
			t.Errorf("%s %s: as an output %q, as an input %q", c.board.ID, c.pin, out, in)
		}
	}
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func FuzzResolve(f *testing.F) {
	for _, s := range []string{"GPIO17", "pin 11", "PQ.05", "17", "P1-40", "GPIO3_PCC.04", "pin 99", "P.", "PÄ.01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, pin string) {
		for _, b := range All() {
			l, err := Unit{Board: b}.Resolve(pin)
			if err != nil {
				if !errors.Is(err, ErrNoPin) {
					t.Errorf("%s %q: %v", b.ID, pin, err)
				}
				continue
			}
			for _, c := range b.chips {
				if c.label == l.Chip && (l.Offset < 0 || l.Offset >= c.lines) {
					t.Errorf("%s %q: %+v is outside the chip", b.ID, pin, l)
				}
			}
		}
	})
}

// A config names a line by its place on the header, the SoC's name, a number, or
// a name that only the kernel knows.
func TestFind(t *testing.T) {
	pi, _ := ByID("pi4b")
	for _, c := range []struct {
		board      *Board
		chip, line string
		want       string // chip, offset and name, or a part of the error
	}{
		{pi, "", "pin 11", "pinctrl-bcm2711 17"},
		{pi, "", "GPIO17", "pinctrl-bcm2711 17"},
		{pi, "", "17", "pinctrl-bcm2711 17"},
		{pi, "pcf8574", "3", "pcf8574 3"},
		{pi, "", "STATUS_LED", " -1 STATUS_LED"},
		{pi, "pcf8574", "GPIO17", "pcf8574 -1 GPIO17"},
		{pi, "pcf8574", "pin 11", "pin 11 is on chip pinctrl-bcm2711, not on pcf8574"},
		{pi, "", "pin 2", "a supply"},
		{nil, "", "pin 11", "its chip's label and its number"},
		{nil, "", "3", "a bare line number needs chip"},
		{nil, "gpiochip-x", "3", "gpiochip-x 3"},
		{nil, "", "PA.03", " -1 PA.03"},
		{nil, "", "99999", " -1 99999"}, // no number of a line
		{nil, "", "", " -1 "},
	} {
		l, err := Unit{Board: c.board}.Find(c.chip, c.line)
		got := fmt.Sprintf("%s %d", l.Chip, l.Offset)
		if l.Offset < 0 {
			got += " " + l.Name
		}
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("chip %q, line %q: %q, want %q", c.chip, c.line, got, c.want)
		}
	}
}
