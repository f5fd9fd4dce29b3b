package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/health"
	"mien/firmware/operator"
)

// unit is the real program, its folder, and the process that runs now.
type unit struct {
	mien, dir string
	shm       string // in memory, for the events that wait for the disk
	process   *exec.Cmd
	ended     chan error
	log       *os.File
}

// signals are those of the alarms, one each; every second alarm latches.
var signals = []string{"au1", "au2", "au4", "au6", "au9", "au10", "au12", "au15", "au25", "au26", "au43", "eyes_closed"}

func name(i int) string { return fmt.Sprintf("alarm %d", i) }

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
journal_kib = 512
[socket]
path = %q
`, filepath.Join(dir, "state"), u.socket())
	for i, s := range signals {
		fmt.Fprintf(&b, "[[alarm]]\nname = %q\nsignal = %q\nhigh = %.2f\ndeadband = 0.02\non_delay = \"0s\"\noff_delay = \"0s\"\nlatch = %v\n",
			name(i), s, 0.35+0.3*float64(i%3)/2, i%2 == 1)
	}
	return u, os.WriteFile(u.config(), []byte(b.String()), 0o644)
}

func (u *unit) config() string { return filepath.Join(u.dir, "mien.toml") }
func (u *unit) socket() string { return filepath.Join(u.dir, "socket") }
func (u *unit) logged() string { return filepath.Join(u.dir, "log") }

func (u *unit) start() error {
	log, err := os.Create(u.logged())
	if err != nil {
		return err
	}
	u.log, u.process, u.ended = log, exec.Command(u.mien, "run", "-log", "-config", u.config()), make(chan error, 1)
	u.process.Env = append(os.Environ(), "RUNTIME_DIRECTORY="+u.shm)
	u.process.Stdout, u.process.Stderr = log, log
	if err := u.process.Start(); err != nil {
		return err
	}
	go func(p *exec.Cmd, ended chan error) { ended <- p.Wait() }(u.process, u.ended)
	return nil
}

// kill kills it and tells when.
func (u *unit) kill() time.Time {
	at := time.Now()
	u.process.Process.Kill()
	<-u.ended
	u.log.Close()
	return at
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

// load watches and commands a unit for a time.
func load(c *operator.Client, l *ledger, random *rand.Rand, lasts time.Duration) (commands int, err error) {
	todo := []alarm.Trigger{alarm.Acknowledge, alarm.Reset, alarm.Shelve, alarm.Unshelve}
	for began := time.Now(); time.Since(began) < lasts; time.Sleep(10 * time.Millisecond) {
		after := l.newest()
		list, err := c.Ask(operator.Request{Ask: operator.AskAlarms})
		if err != nil {
			return commands, err
		}
		events, err := c.Ask(operator.Request{Ask: operator.AskEvents, After: after})
		if err != nil {
			return commands, err
		}
		now := time.Now()
		l.sawEvents(events.Events, now)
		l.sawAlarms(list.Alarms, after, now)
		if random.IntN(3) == 0 {
			r := operator.Request{Ask: operator.AskDo, Do: todo[random.IntN(len(todo))], Alarm: name(random.IntN(len(signals))), For: time.Minute}
			var gone *os.SyscallError
			if _, err := c.Ask(r); errors.As(err, &gone) {
				return commands, err
			} // else it may be refused: nothing to acknowledge
			commands++
		}
	}
	return commands, nil
}
