package main

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"mien/firmware/modbus"
)

// mbpoll tries mbpoll, the command line of libmodbus: functions 1 to 6, 15, 16.
func mbpoll(p *proof, u *unit) {
	const name = "mbpoll"
	if _, err := exec.LookPath("mbpoll"); err != nil {
		p.skip(name, "not installed: apt-get install mbpoll")
		return
	}
	poll := func(options string, values ...string) (string, error) {
		args := append(strings.Fields("-m rtu -a 1 -b 115200 -P none -0 -1 -o 2 "+options), u.port)
		out, err := exec.Command("mbpoll", append(args, values...)...).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, lastLine(out))
		}
		return string(out), err
	}
	some := func(kind string, at, n int) ([]uint16, error) {
		out, err := poll(fmt.Sprintf("-t %s -r %d -c %d", kind, at, n))
		if err != nil {
			return nil, err
		}
		return printed(out)
	}
	d, err := read(func(space modbus.Space, at, n int) ([]bool, error) {
		words, err := some(strconv.Itoa(int(space)), at, n) // 0 coils, 1 discrete inputs, as our constants
		bits := make([]bool, len(words))
		for i, w := range words {
			bits[i] = w != 0
		}
		return bits, err
	}, func(fc byte, at, n int) ([]uint16, error) {
		return some(map[byte]string{3: "4", 4: "3"}[fc], at, n)
	})
	if err == nil {
		err = d.check()
	}
	p.check(name, "01 02 03 04: every address, types and bounds", err, len(modbus.Table()), "registers")

	out, err := poll("-B -t 3:float -r 52")
	if err == nil && !strings.Contains(out, "[52]: \t1\n") {
		err = fmt.Errorf("the test float shows as %s", lastLine([]byte(out)))
	}
	p.check(name, "04: float and word order (-B)", err)
	wrote := func(kind string, at int, values ...string) error {
		_, err := poll(fmt.Sprintf("-t %s -r %d", kind, at), values...)
		if err != nil {
			return err
		}
		got, err := some(kind, at, len(values))
		for i := range got {
			if strconv.Itoa(int(got[i])) != values[i] {
				err = errors.Join(err, fmt.Errorf("address %d reads back %d, want %s", at+i, got[i], values[i]))
			}
		}
		return err
	}
	p.check(name, "06: write a register, read back", wrote("4", 0, "33333"))
	p.check(name, "16: write registers, read back", wrote("4", 0, "33334", "0", "0", "7"))
	p.check(name, "05: write a coil, read back, and off", errors.Join(wrote("0", 2, "1"), wrote("0", 2, "0")))
	p.check(name, "15: write coils, read back, and off", errors.Join(wrote("0", 0, "1", "1", "1"), wrote("0", 0, "0", "0", "0")))
	denied := func(want, options string, values ...string) error {
		out, _ := poll(options, values...)
		if !strings.Contains(out, want) { // with -u mbpoll ends with 0 whatever comes
			return fmt.Errorf("mbpoll %s %v said %q, want %q", options, values, lastLine([]byte(out)), want)
		}
		return nil
	}
	p.check(name, "exception 01: report server id (-u)", denied("Illegal function", "-u"))
	p.check(name, "exception 02: end, read-only, locked", errors.Join(denied("Illegal data address", fmt.Sprintf("-t 3 -r %d", size(modbus.Input))),
		denied("Illegal data address", "-t 4 -r 1001", "1"), denied("Illegal data address", "-t 4 -r 10", "1")))
	p.check(name, "exception 03: values out of range", denied("Illegal data value", "-t 4 -r 3", "0"))
}

// printed are the values in mbpoll's lines "[12]: \t345" and "[12]: \t60000 (-5536)".
func printed(out string) (values []uint16, err error) {
	for line := range strings.Lines(out) {
		var at int
		var value uint16
		if _, err := fmt.Sscanf(line, "[%d]:", &at); err != nil {
			continue
		}
		if _, err := fmt.Sscanf(line[strings.Index(line, ":")+1:], "%d", &value); err != nil {
			return nil, fmt.Errorf("mbpoll printed %q", line)
		}
		values = append(values, value)
	}
	return values, nil
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
