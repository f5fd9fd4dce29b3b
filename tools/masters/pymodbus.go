package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"mien/firmware/modbus"
)

//go:embed master.py
var masterScript []byte

//go:embed server.py
var serverScript []byte

const setUpPython = "not set up: python3 -m venv .venv-modbus && .venv-modbus/bin/pip install -r tools/plc/requirements.txt"

// pymodbus tries pymodbus: every function code of the slave.
func pymodbus(p *proof, port, python string) {
	const name = "pymodbus"
	if _, err := os.Stat(python); err != nil {
		p.skip(name, setUpPython)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	args := []string{"-", port}
	for s := modbus.Coil; s <= modbus.Holding; s++ {
		args = append(args, strconv.Itoa(size(s)))
	}
	cmd := exec.CommandContext(ctx, python, args...)
	cmd.Stdin = bytes.NewReader(masterScript)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, lastLine(said.Bytes()))
	}
	for line := range bytes.Lines(out) {
		var r struct {
			What, Error string
			Dump        *dump
		}
		if failed := json.Unmarshal(line, &r); failed != nil {
			err = errors.Join(err, fmt.Errorf("it printed %q", line))
			continue
		}
		if r.Dump != nil {
			p.check(name, "01 02 03 04: types and bounds", r.Dump.check(), len(modbus.Table()), "registers")
			continue
		}
		var wrong error
		if r.Error != "" {
			wrong = errors.New(r.Error)
		}
		p.check(name, r.What, wrong)
	}
	p.check(name, "the script came to its end", err)
}
