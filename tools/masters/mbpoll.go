package main

import (
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"mien/firmware/modbus"
)

// mbpoll tries mbpoll, the command line of libmodbus: functions 1 to 6, 15, 16.
func mbpoll(p *proof, port string) {
	const name = "mbpoll"
	if _, err := exec.LookPath("mbpoll"); err != nil {
		p.skip(name, "not installed: apt-get install mbpoll")
		return
	}
	mode := "-m rtu -b 115200 -P none"
	address, network := onNetwork(port)
	if network {
		host, number, _ := strings.Cut(address, ":")
		mode, port = "-m tcp -p "+number, host
	}
	poll := func(options string, values ...string) (string, error) {
		args := append(strings.Fields(mode+" -a 1 -0 -1 -o 2 "+options), port)
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
	p.check(name, "16, 03: each command by registers, and its result", commands(some, func(words []string) error {
		_, err := poll("-t 4 -r 100", words...)
		return err
	}))
	p.check(name, "06, 03: each command by registers, one by one, and its result", commands(some, func(words []string) error {
		for i, word := range words {
			if _, err := poll(fmt.Sprintf("-t 4 -r %d", 100+i), word); err != nil {
				return err
			}
		}
		return nil
	}))
	denied := func(want, options string, values ...string) error {
		out, _ := poll(options, values...)
		if !strings.Contains(out, want) { // with -u mbpoll ends with 0 whatever comes
			return fmt.Errorf("mbpoll %s %v said %q, want %q", options, values, lastLine([]byte(out)), want)
		}
		return nil
	}
	if !network { // mbpoll has it on a line only
		p.check(name, "exception 01: report server id (-u)", denied("Illegal function", "-u"))
	}
	p.check(name, "exception 02: end, read-only, locked", errors.Join(denied("Illegal data address", fmt.Sprintf("-t 3 -r %d", size(modbus.Input))),
		denied("Illegal data address", "-t 4 -r 1001", "1"), denied("Illegal data address", "-t 4 -r 10", "1")))
	p.check(name, "exception 03: values out of range", denied("Illegal data value", "-t 4 -r 3", "0"))
}

// commands gives each command by registers, write by write, as a master with holding
// registers only does, and looks what came of it: by the mirror.
func commands(read func(kind string, at, n int) ([]uint16, error), write func(words []string) error) error {
	const command, alarm, high, low, number = 0, 1, 2, 3, 4
	give := func(code, of, value int) (result, done uint16, err error) {
		before, err := read("4", modbus.MirrorBase+154, 1)
		if err != nil {
			return 0, 0, err
		}
		words := [5]uint16{command: uint16(code), alarm: uint16(of), high: uint16(value >> 16), low: uint16(value), number: max(before[0]+1, 1)}
		text := func(words [5]uint16) (list []string) {
			for _, w := range words {
				list = append(list, strconv.Itoa(int(w)))
			}
			return list
		}
		if err := write(text([5]uint16{})); err != nil { // the unit sees a number at rest
			return 0, 0, err
		}
		refused := write(text(words))
		after, err := read("4", modbus.MirrorBase+154, 2)
		if err != nil {
			return 0, 0, err
		}
		if after[0] != words[number] {
			return 0, 0, fmt.Errorf("command %d: the unit has looked at number %d, not at %d", code, after[0], words[number])
		}
		return after[1], after[0], refused
	}
	const done, nothing, locked = 1, 3, 6
	for _, c := range []struct {
		code, alarm, value int
		want               []uint16
	}{
		{0, 0, 0, []uint16{nothing}}, {1, 0, 0, []uint16{done, nothing}}, {2, 1, 0, []uint16{done, nothing}}, {3, 0, 0, []uint16{done, nothing}},
		{4, 0, 0, []uint16{done, nothing}}, {5, 0, 30, []uint16{done}}, {6, 0, 0, []uint16{done}}, {7, 0, 0, []uint16{done}}, {8, 0, 0, []uint16{done}},
		{9, 0, 0, []uint16{done}}, {10, 0, 0, []uint16{done}},
	} {
		result, _, err := give(c.code, c.alarm, c.value)
		if err != nil || !slices.Contains(c.want, result) {
			return fmt.Errorf("command %d: result %d, want one of %v, %v", c.code, result, c.want, err)
		}
		left, err := read("4", modbus.MirrorBase+156, 2)
		if err != nil || (left[0] > 0) != (c.code == 7) || (left[1] > 0) != (c.code == 9) {
			return fmt.Errorf("command %d: the test lasts for %v s, the inhibit for, %v", c.code, left, err)
		}
	}
	for _, c := range []struct {
		code, alarm, value int
		want               uint16
	}{{2, 2, 0, 5}, {5, 0, 61, 7}, {5, 0, 0, 7}, {99, 0, 0, 7}, {11, 0, 1, 7}} {
		result, _, err := give(c.code, c.alarm, c.value)
		if c.code == 11 && result == locked { // a time source sets this machine's clock
			result = c.want
		}
		if result != c.want || err == nil {
			return fmt.Errorf("command %d of alarm %d, value %d: result %d, want %d and an exception, %v", c.code, c.alarm, c.value, result, c.want, err)
		}
	}
	const to = 1_900_000_000 // in 2030
	result, _, refused := give(11, 0, to)
	clock, err := read("4", modbus.MirrorBase+150, 4)
	if err != nil {
		return err
	}
	now := int(clock[2])<<16 | int(clock[3])
	switch {
	case clock[0] == 2 && (result != locked || refused == nil):
		return fmt.Errorf("the clock was set though a time source sets it: result %d, %v", result, refused)
	case clock[0] == 2:
	case clock[0] != 1 || result != done && result != nothing || now < to-3 || now > to+10:
		return fmt.Errorf("the clock was set to %d: result %d, %v; it is %d, source %d", to, result, refused, now, clock[0])
	}
	return nil
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
