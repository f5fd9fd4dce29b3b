package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mien/firmware/modbus"
	"mien/firmware/modbus/modbustest"
)

// built is bin/mien; a test of it needs make build.
func built(t *testing.T) string {
	path, err := filepath.Abs("../../bin/mien")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skip("no bin/mien: make build makes it")
	}
	return path
}

// The real unit, its pipeline running, with every master that is installed.
func TestMastersOnTheRealUnit(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the unit")
	}
	u, err := start(built(t))
	if err != nil {
		t.Fatal(err)
	}
	defer u.stop()
	p := new(proof)
	python, _ := modbustest.PythonWith(".venv-modbus")
	everyMaster(p, u, python)
	for _, r := range p.rows {
		switch r.verdict {
		case "FAIL":
			t.Errorf("%s, %s: %s", r.master, r.what, r.detail)
		case "skip":
			t.Logf("%s skipped: %s", r.master, r.detail)
		}
	}
	if len(p.rows) < 23 {
		t.Errorf("%d checks ran", len(p.rows))
	}
	if err := u.died(); err != nil {
		t.Error(err)
	}
}

// wellDump is what a unit with the demo's alarms and no face would show.
func wellDump() dump {
	d := dump{Coil: make([]uint16, size(modbus.Coil)), Discrete: make([]uint16, size(modbus.Discrete)),
		Input: make([]uint16, size(modbus.Input)), Holding: make([]uint16, size(modbus.Holding))}
	for _, r := range modbus.Table() {
		if r.NA && r.Type == modbus.Int16 {
			d.of(r.Space)[r.Address] = modbus.NotAvailableInt
		} else if r.NA {
			d.of(r.Space)[r.Address] = modbus.NotAvailableUint
		}
	}
	for at, w := range map[int]uint16{0: modbus.MapVersion, 45: 7, 50: 0x1234, 51: 0x5678, 52: 0x3F80, 62: 700, 66: 600, 60: 0, 64: 0, 124: 2} {
		d.Input[at] = w
	}
	for i, c := range "brow lowered" {
		d.Input[200+i/2] |= uint16(c) << (8 * (1 - i%2))
	}
	d.Discrete[0], d.Discrete[13] = 1, 1
	d.Mirror = append([]uint16{}, d.Input...)
	return d
}

// The comparison with the table finds what is wrong.
func TestCheckFindsWhatIsWrong(t *testing.T) {
	well := wellDump()
	if err := well.check(); err != nil {
		t.Fatalf("a good dump: %v", err)
	}
	for want, spoil := range map[string]func(*dump){
		"register 50 ":   func(d *dump) { d.Input[50] = 0x3412 },
		"expression:":    func(d *dump) { d.Input[11] = 8 },
		"mirror of expr": func(d *dump) { d.Mirror[11] = 9 },
		"valence:":       func(d *dump) { d.Input[13] = 1001 },
		"au1:":           func(d *dump) { d.Input[16] = 0xFFFF },
		"perclos:":       func(d *dump) { d.Input[57] = 101 },
		"covered:":       func(d *dump) { d.Input[59] = 4 },
		"alarm0_state:":  func(d *dump) { d.Input[60] = 9 },
		"reserved":       func(d *dump) { d.Input[15] = 1 },
		"printable":      func(d *dump) { d.Input[201] = 0x0102 },
		"was not read":   func(d *dump) { d.Input = d.Input[:300] },
		"the mirror":     func(d *dump) { d.Mirror = d.Mirror[:300] },
		"a bit is 2":     func(d *dump) { d.Coil[3] = 2 },
		"does not exist": func(d *dump) { d.Input[68] = 0 },
		"not ready":      func(d *dump) { d.Discrete[13] = 0 },
	} {
		d := wellDump()
		spoil(&d)
		err := d.check()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestMbpollsLines(t *testing.T) {
	got, err := printed("mbpoll 1.0\n-- Polling slave 1...\n[0]: \t1\n[1]: \t60000 (-5536)\n")
	if err != nil || len(got) != 2 || got[1] != 60000 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := printed("[0]: \tnonsense\n"); err == nil {
		t.Error("nonsense was read")
	}
}
