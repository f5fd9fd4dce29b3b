// Command masters proves the way to the PLC with other people's masters: it starts
// `mien demo -modbus` with a gateway and reads and writes it with github.com/simonvetter/modbus,
// mbpoll (libmodbus) and pymodbus, and with the conformance cases of
// firmware/modbus/modbustest. What they read is compared with the register
// table. Then it measures the turnaround beside a pymodbus server, that of sixteen
// clients on the network, and what masters that poll as fast as they can cost the unit.
//
//	go run ./tools/masters [-mien bin/mien] [-python .venv-modbus/bin/python] [-only masters|turnaround|network|load] [-json]
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
)

// row is one line of the proof.
type row struct {
	master, what string
	verdict      string // PASS, FAIL or skip
	detail       string
}

// proof collects rows.
type proof struct {
	rows   []row
	failed int
}

// check adds a row: PASS where err is nil.
func (p *proof) check(master, what string, err error, detail ...any) {
	r := row{master, what, "PASS", strings.TrimSpace(fmt.Sprintln(detail...))}
	if err != nil {
		r.verdict, r.detail = "FAIL", err.Error()
		p.failed++
	}
	p.rows = append(p.rows, r)
	fmt.Printf("%-4s  %-12s  %-46s  %s\n", r.verdict, r.master, r.what, r.detail)
}

// skip adds a row that says why nothing was tried.
func (p *proof) skip(master, why string) {
	p.rows = append(p.rows, row{master, "", "skip", why})
	fmt.Printf("skip  %-12s  %s\n", master, why)
}

// everyMaster tries them all, on the serial port and then on the network.
func everyMaster(p *proof, u *unit, python string) {
	for _, port := range []string{u.port, u.network} {
		fmt.Printf("at %s\n", port)
		conformance(p, port)
		simonvetter(p, port)
		mbpoll(p, port)
		pymodbus(p, port, python)
	}
}

// figures are what was measured, by name.
type figures map[string]float64

func main() {
	mien := flag.String("mien", "bin/mien", "the unit's binary")
	python := flag.String("python", ".venv-modbus/bin/python", "Python with tools/plc/requirements.txt")
	only := flag.String("only", "", "masters, turnaround, network or load; all where empty")
	requests := flag.Int("requests", 1000, "requests to each server for the turnaround")
	rounds := flag.Int("rounds", 5, "rounds for each kind of master for the load")
	asJSON := flag.Bool("json", false, "end with the figures as one line of JSON")
	flag.Parse()
	failed, err := prove(*mien, *python, *only, *requests, *rounds, *asJSON)
	if err != nil {
		fmt.Fprintln(os.Stderr, "masters:", err)
		os.Exit(1)
	}
	if failed > 0 {
		fmt.Fprintf(os.Stderr, "masters: %d checks failed\n", failed)
		os.Exit(1)
	}
}

func prove(mien, python, only string, requests, rounds int, asJSON bool) (failed int, err error) {
	u, err := start(mien)
	if err != nil {
		return 0, err
	}
	defer u.stop()
	defer func() { err = errors.Join(err, u.died()) }()
	fmt.Printf("unit: %s demo, %s; load average %s\n\n", mien, u.port, loadAverage())
	p, f := new(proof), figures{}
	if only == "" || only == "masters" {
		everyMaster(p, u, python)
		fmt.Printf("\n%d checks, %d failed\n", len(p.rows), p.failed)
		f["checks"], f["failed"] = float64(len(p.rows)), float64(p.failed)
	}
	if only == "" || only == "turnaround" {
		if err := turnaround(f, u, python, requests); err != nil {
			return p.failed, err
		}
	}
	if only == "" || only == "network" {
		if err := network(f, u); err != nil {
			return p.failed, err
		}
	}
	if only == "" || only == "load" {
		if err := load(f, u, rounds); err != nil {
			return p.failed, err
		}
	}
	if asJSON {
		line, err := json.Marshal(f)
		if err != nil {
			return p.failed, err
		}
		fmt.Println(string(line))
	}
	return p.failed, nil
}

// loadAverage is that of the last minute, as the kernel says it.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(text), " ")
	return one
}
