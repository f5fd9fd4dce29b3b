package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"mien/drivers/serial"
	"mien/firmware/health"
	"mien/firmware/operator"
)

// unit is the real program, its folder, and the process that runs now.
type unit struct {
	mien, dir string
	shm       string // in memory, for what the disk has not taken
	process   *exec.Cmd
	ended     chan error
	log       *os.File
	pty       *serial.Pty
}

// signals are those of the alarms, one each; every second alarm latches.
var signals = []string{"au1", "au2", "au4", "au6", "au9", "au10", "au12", "au15", "au25", "au26", "au43", "eyes_closed"}

func name(i int) string { return fmt.Sprintf("alarm %d", i) }

var protocols = []string{"modbus", "ascii"}

func newUnit(mien string) (*unit, error) {
	if _, err := os.Stat(mien); err != nil {
		return nil, fmt.Errorf("%w (make build)", err)
	}
	dir, err := os.MkdirTemp("", "mien-kill-")
	if err != nil {
		return nil, err
	}
	u := &unit{mien: mien, dir: dir}
	if u.shm, err = os.MkdirTemp("/dev/shm", "mien-kill-"); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	for _, protocol := range protocols {
		var b strings.Builder
		fmt.Fprintf(&b, `
[camera]
clip = "demo.mjpeg"
loop = true
pace = "fast"
[filter]
kind = "none"
[health]
frozen = "1h"
[state]
dir = %q
[pilot]
record = true
[socket]
path = %q
[serial]
device = %q
protocol = %q
`, filepath.Join(dir, "state"), u.socket(), u.port(), protocol)
		for i, s := range signals {
			fmt.Fprintf(&b, "[[alarm]]\nname = %q\nsignal = %q\nhigh = %.2f\ndeadband = 0.02\non_delay = \"0s\"\noff_delay = \"0s\"\nlatch = %v\n",
				name(i), s, 0.35+0.3*float64(i%3)/2, i%2 == 1)
		}
		if err := os.WriteFile(u.config(protocol), []byte(b.String()), 0o644); err != nil {
			return nil, err
		}
	}
	return u, nil
}

func (u *unit) recordings() string            { return filepath.Join(u.dir, "state", "pilot") }
func (u *unit) config(protocol string) string { return filepath.Join(u.dir, protocol+".toml") }
func (u *unit) socket() string                { return filepath.Join(u.dir, "socket") }
func (u *unit) port() string                  { return filepath.Join(u.dir, "tty") }
func (u *unit) logged() string                { return filepath.Join(u.dir, "log") }

// start starts it with a new port, on which a protocol is spoken.
func (u *unit) start(protocol string) (err error) {
	if u.pty, err = serial.OpenPty(u.port()); err != nil {
		return err
	}
	if u.log, err = os.Create(u.logged()); err != nil {
		return err
	}
	u.process, u.ended = exec.Command(u.mien, "run", "-log", "-config", u.config(protocol)), make(chan error, 1)
	u.process.Env = append(os.Environ(), "RUNTIME_DIRECTORY="+u.shm)
	u.process.Stdout, u.process.Stderr = u.log, u.log
	if err := u.process.Start(); err != nil {
		return err
	}
	go func(p *exec.Cmd, ended chan error) { ended <- p.Wait() }(u.process, u.ended)
	return nil
}

func (u *unit) kill() {
	u.process.Process.Kill()
	<-u.ended
	u.log.Close()
	u.pty.Close()
}

// dial waits until the unit answers; one that ends, or says nothing for half
// a minute, has been refused.
func (u *unit) dial() (*operator.Client, error) {
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		c, err := operator.Dial(u.socket())
		if err == nil {
			return c, nil
		}
		select {
		case why := <-u.ended:
			u.ended <- why
			return nil, fmt.Errorf("it ended: %v: %s", why, u.tail())
		default:
		}
		if time.Since(began) > 30*time.Second {
			return nil, fmt.Errorf("no answer: %w: %s", err, u.tail())
		}
	}
}

// tail is the end of its log.
func (u *unit) tail() string {
	data, _ := os.ReadFile(u.logged()) // no log is no tail
	return string(data[max(0, len(data)-600):])
}

// verify asks a unit that has just started.
func verify(c *operator.Client, l *ledger) error {
	pilot, err := c.Ask(operator.Request{Ask: operator.AskPilot})
	if err != nil {
		return err
	}
	l.sawRecordings(pilot.Pilot, func(path string) bool { _, err := os.Stat(path); return err == nil })
	first, err := c.Ask(operator.Request{Ask: operator.AskEvents, After: l.confirmed})
	if err != nil {
		return err
	}
	list, err := c.Ask(operator.Request{Ask: operator.AskAlarms})
	if err != nil {
		return err
	}
	after := l.confirmed
	if n := len(first.Events); n > 0 {
		after = first.Events[n-1].Number
	}
	again, err := c.Ask(operator.Request{Ask: operator.AskEvents, After: after})
	if err != nil {
		return err
	}
	l.restarted(first.Events, list.Alarms, again.Events)
	status, err := c.Ask(operator.Request{Ask: operator.AskStatus})
	if err != nil {
		return err
	}
	for _, f := range status.Status.Faults {
		if f.Name == health.StorageFailed.String() {
			return fmt.Errorf("fault %s: %s", f.Name, f.Detail)
		}
	}
	return nil
}
