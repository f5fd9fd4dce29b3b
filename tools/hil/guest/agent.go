package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"mien/tools/hil/wire"
)

// agent does what the host asks.
type agent struct {
	link io.ReadWriter

	write sync.Mutex // one message at a time
	mu    sync.Mutex // covers runs
	runs  map[uint32]running
}

// running is a program that the host has started.
type running struct {
	*exec.Cmd
	input io.Writer // nil: it has none
}

func newAgent(link io.ReadWriter) *agent {
	return &agent{link: link, runs: map[uint32]running{}}
}

func (a *agent) say(m *wire.Message) {
	a.write.Lock()
	defer a.write.Unlock()
	if err := wire.Write(a.link, m); err != nil {
		fmt.Println("hil: say:", err)
	}
}

// serve answers until the link breaks.
func (a *agent) serve() error {
	var u unix.Utsname
	unix.Uname(&u)
	release := strings.TrimRight(string(u.Release[:]), "\x00")
	a.say(&wire.Message{Kind: wire.Hello, Text: release})
	for {
		m, err := wire.Read(a.link)
		if err != nil {
			return err
		}
		switch m.Kind {
		case wire.Run:
			a.run(m)
		default:
			go func() {
				reply := wire.Message{ID: m.ID, Kind: wire.Done}
				var result any
				result, err := a.do(m, &reply)
				if err == nil && result != nil {
					reply.Data, err = json.Marshal(result)
				}
				if err != nil {
					reply.Error = err.Error()
				}
				a.say(&reply)
			}()
		}
	}
}

func (a *agent) do(m, reply *wire.Message) (any, error) {
	switch m.Kind {
	case wire.Put:
		if err := os.MkdirAll(filepath.Dir(m.Text), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(m.Text, m.Blob, 0o600); err != nil {
			return nil, err
		}
		return nil, os.Chmod(m.Text, os.FileMode(m.Number))
	case wire.Get:
		b, err := os.ReadFile(m.Text)
		reply.Blob = b
		return nil, err
	case wire.Signal, wire.Stdin:
		a.mu.Lock()
		r, ok := a.runs[m.Target]
		a.mu.Unlock()
		switch {
		case !ok:
			return nil, errors.New("it does not run")
		case m.Kind == wire.Signal:
			return nil, r.Process.Signal(syscall.Signal(m.Number))
		case r.input == nil:
			return nil, errors.New("it has no input")
		}
		_, err := r.input.Write(m.Blob)
		return nil, err
	case wire.Call:
		f, ok := calls[m.Text]
		if !ok {
			return nil, fmt.Errorf("no call %q", m.Text)
		}
		return f(m.Data)
	}
	return nil, fmt.Errorf("no kind %q", m.Kind)
}

// stream passes what a process writes to the host.
type stream struct {
	a    *agent
	id   uint32
	kind string
}

func (s stream) Write(p []byte) (int, error) {
	s.a.say(&wire.Message{ID: s.id, Kind: s.kind, Blob: p})
	return len(p), nil
}

func (a *agent) run(m *wire.Message) {
	args := m.Args
	if m.Confine != nil {
		text, _ := json.Marshal(m.Confine) // a struct of numbers
		args = append([]string{"/init", "confined", string(text)}, args...)
	}
	c := exec.Command(args[0], args[1:]...)
	c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=/tmp"}, m.Env...)
	done := &wire.Message{ID: m.ID, Kind: wire.Done}
	input, err := a.start(c, m)
	if err != nil {
		done.Error = err.Error()
		a.say(done)
		return
	}
	a.mu.Lock()
	a.runs[m.ID] = running{c, input}
	a.mu.Unlock()
	go func() {
		err := c.Wait()
		a.mu.Lock()
		delete(a.runs, m.ID)
		a.mu.Unlock()
		done.Number = c.ProcessState.ExitCode()
		done.Text = c.ProcessState.String()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			done.Error = err.Error()
		}
		a.say(done)
	}()
}

// start starts a program, on a terminal of its own where the host asks for one,
// and gives what writes to its standard input, nil for none.
func (a *agent) start(c *exec.Cmd, m *wire.Message) (input io.Writer, err error) {
	out := stream{a, m.ID, wire.Out}
	if m.Rows == 0 {
		c.Stdout, c.Stderr = out, stream{a, m.ID, wire.Err}
		if m.Input {
			if input, err = c.StdinPipe(); err != nil {
				return nil, err
			}
		}
		return input, c.Start()
	}
	terminal, err := pty.StartWithSize(c, &pty.Winsize{Rows: uint16(m.Rows), Cols: uint16(m.Cols)})
	if err != nil {
		return nil, err
	}
	go func() {
		io.Copy(out, terminal) // it ends with the program
		terminal.Close()
	}()
	return terminal, nil
}

// runScript runs one command a line and prints what it says; for a machine that
// has no port to the host.
func runScript(script string) {
	for _, line := range strings.Split(strings.TrimSpace(script), "\n") {
		fmt.Printf("hil> %s\n", line)
		c := exec.Command(strings.Fields(line)[0], strings.Fields(line)[1:]...)
		c.Stdout, c.Stderr = os.Stdout, os.Stdout
		err := c.Run()
		if err == nil {
			fmt.Println("hil< done")
		} else {
			fmt.Println("hil<", err)
		}
	}
	fmt.Println("hil: script ended")
}
