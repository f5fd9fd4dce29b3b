package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The Raspberry Pi 3 as QEMU has it. Its GPIO gives no edge events and its second
// UART cannot receive: neither is tried. The machine has no port for an agent
// either, so that the guest runs a script, and its console says what happened.

// gplev0 is the address of the GPIO block's level register GPLEV0 (BCM2835 ARM
// Peripherals, 6.1).
const gplev0 = 0x3f200034

const piConfig = `[unit]
name = "pi"

[camera]
clip = "demo.mjpeg"
loop = true

[health]
stale = "1m"
frozen = "1h"
min_rate = 0

[[output]]
name = "healthy"
line = "pin 11"
function = "healthy"

[[output]]
name = "fail"
line = "GPIO27"
function = "fault"
start = "on"
fail = "on"

[state]
dir = "/tmp/state"

[socket]
path = "off"
`

var piScenarios = []scenario{
	{name: "raspi3b: the board is recognised, its chip found by label"},
	{name: "raspi3b: pin 11 is driven, and toggles with results"},
}

// pi is that machine, running.
type pi struct {
	*machine
	log string
}

// runPi runs the smoke test.
func runPi(ctx context.Context, k *kit, list []scenario, tell func(scenario, string, []string, time.Duration)) error {
	image := filepath.Join(k.work, "pi.cpio")
	extra := map[string]string{"etc/mien/pi.toml": "text:" + piConfig,
		"etc/hil/script": "text:/usr/lib/mien/mien probe\n/usr/lib/mien/mien run -log -config /etc/mien/pi.toml\n"}
	if err := writeImage(ctx, k.system, image, k.stage, nil, nil, extra); err != nil {
		return err
	}
	m := newMachine(filepath.Join(k.work, "raspi3b"))
	m.cmd = exec.CommandContext(ctx, "qemu-system-aarch64", "-M", "raspi3b", "-accel", "tcg,thread=multi", "-display", "none", "-no-reboot",
		"-kernel", k.system.kernel(), "-initrd", image, "-dtb", k.system.tree("broadcom/bcm2837-rpi-3-b.dtb"),
		"-append", "console=ttyS1,115200 loglevel=5 panic=-1",
		"-qtest", "unix:qtest.sock,server=on,wait=off", "-qtest-log", "none", "-serial", "null", "-serial", "file:kernel.log")
	if err := m.start(); err != nil {
		return err
	}
	defer m.stop()
	p := &pi{machine: m, log: filepath.Join(m.dir, "kernel.log")}
	conn, err := m.dial("qtest.sock")
	if err != nil {
		return err
	}
	m.pins = newPins(conn, "")
	go m.pins.receive()
	for _, s := range list {
		began := time.Now()
		said, why := p.probed, ""
		if s.name == piScenarios[1].name {
			said = p.driven
		}
		lines, err := said()
		if err != nil {
			why = err.Error()
			keepLogs(m.dir, filepath.Join(k.work, "logs", "raspi3b"))
		}
		tell(s, why, lines, time.Since(began))
	}
	return nil
}

// console waits for a text on the console and gives all of it.
func (p *pi) console(what string, limit time.Duration) (string, error) {
	for end := time.Now().Add(limit); ; time.Sleep(100 * time.Millisecond) {
		b, _ := os.ReadFile(p.log) // it comes with QEMU
		text := strings.ReplaceAll(string(b), "\r", "")
		switch {
		case strings.Contains(text, what):
			return text, nil
		case !p.running():
			return "", fmt.Errorf("QEMU has ended: %s", tail(text, 5))
		case time.Now().After(end):
			return "", fmt.Errorf("no %q on the console in %v:\n%s", what, limit, tail(text, 20))
		}
	}
}

func (p *pi) probed() ([]string, error) {
	text, err := p.console("hil< ", bootTime)
	if err != nil {
		return nil, err
	}
	for _, want := range []string{"Raspberry Pi 3 Model B", "label \"pinctrl-bcm2835\", 54 lines"} {
		if !strings.Contains(text, want) {
			return nil, fmt.Errorf("probe does not say %q:\n%s", want, tail(text, 30))
		}
	}
	return []string{field(text, `(?m)^(board .*)$`), field(text, `(?m)^(gpio .*bcm2835.*)$`)}, nil
}

func (p *pi) driven() ([]string, error) {
	text, err := p.console("first result", bootTime)
	if err != nil {
		return nil, err
	}
	const healthyPin, failPin = 17, 27
	changes, last, fault := 0, -1, true
	for end := time.Now().Add(2 * time.Minute); changes < 6 || fault; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return nil, fmt.Errorf("%d changes of pin 11 in 2 min; GPIO27, the fault's line, is high: %v", changes, fault)
		}
		reply, err := p.pins.ask(fmt.Sprintf("readl 0x%x", gplev0))
		if err != nil {
			return nil, err
		}
		word, err := strconv.ParseUint(strings.TrimPrefix(reply, "OK "), 0, 64)
		if err != nil {
			return nil, err
		}
		if now := int(word >> healthyPin & 1); now != last {
			changes, last = changes+1, now
		}
		fault = word>>failPin&1 != 0
	}
	return []string{fmt.Sprintf("%d changes read from GPLEV0, no fault; %s", changes, field(text, `(first result [^"\n]*)`))}, nil
}
