package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// openCable joins the far end of the machine's serial cable to a pty, and gives
// the pty's name for a Modbus master. What is written to raw goes down the cable
// too.
func (b *bench) openCable() error {
	master, slave, err := pty.Open()
	if err != nil {
		return err
	}
	if _, err := term.MakeRaw(int(slave.Fd())); err != nil {
		return err
	}
	b.plcName = slave.Name()
	b.plcSlave = slave
	go io.Copy(b.m.modbus, master)
	go io.Copy(master, b.m.modbus)
	return nil
}

// mbpoll is one request of the Modbus master. table is mbpoll's -t: 0 coils, 1
// discrete inputs, 3 input registers, 4 holding registers.
func (b *bench) mbpoll(table string, first, count int, write ...string) ([]string, error) {
	return b.mbpollFor(5*time.Second, table, first, count, write...)
}

// mbpollFor waits so long for the answer.
func (b *bench) mbpollFor(timeout time.Duration, table string, first, count int, write ...string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	args := []string{"-m", "rtu", "-a", "1", "-b", "115200", "-P", "none", "-0", "-1", "-o", fmt.Sprint(timeout.Seconds()), "-t", table, "-r", strconv.Itoa(first)}
	if len(write) == 0 {
		args = append(args, "-c", strconv.Itoa(count))
	}
	args = append(append(args, b.plcName), write...)
	out, err := exec.CommandContext(ctx, "mbpoll", args...).CombinedOutput()
	text := string(out)
	var values []string
	for _, m := range regexp.MustCompile(`(?m)^\[\d+\]:\s+(\S+)`).FindAllStringSubmatch(text, -1) {
		values = append(values, m[1])
	}
	if why := field(text, `(?m)^((?:Read|Write) .*failed: .*)$`); why != "" {
		return values, fmt.Errorf("%s", why)
	}
	if err != nil {
		return values, fmt.Errorf("mbpoll: %w: %s", err, text)
	}
	if len(write) == 0 && len(values) != count {
		return values, fmt.Errorf("mbpoll gives %d values of %d: %s", len(values), count, text)
	}
	return values, nil
}

// writeCoil gives a coil a value. On a busy host the disk may take longer than the
// unit lets a PLC wait: then it answers "acknowledge", and does it all the same.
func (b *bench) writeCoil(coil int, value string) {
	if _, err := b.mbpoll("0", coil, 1, value); err != nil && !strings.HasSuffix(err.Error(), "Acknowledge") {
		b.fatalf("coil %d = %s: %v", coil, value, err)
	}
}

// registers reads input registers.
func (b *bench) registers(first, count int) []int {
	values, err := b.mbpoll("3", first, count)
	b.need(err)
	var list []int
	for _, v := range values {
		n, err := strconv.ParseInt(v, 0, 32)
		b.need(err)
		list = append(list, int(uint16(n)))
	}
	return list
}
