package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"mien/firmware/operator"
)

// asProcess in the environment makes the test binary mien itself.
const asProcess = "MIEN_AS_PROCESS"

// What signals do only a process can show. All that the tests start keeps events
// that wait for the disk in a folder of the tests' own, and not in the user's.
func TestMain(m *testing.M) {
	if filter := os.Getenv(confinedBy); filter != "" {
		fmt.Fprintln(os.Stderr, confine(filter)) // it does not come back but with an error
		os.Exit(exitFailed)
	}
	if os.Getenv(asProcess) != "" {
		main()
	}
	os.Exit(inOwnFolder(m))
}

func inOwnFolder(m *testing.M) int {
	dir, err := os.MkdirTemp("/dev/shm", "mien-test-")
	if err != nil {
		dir, err = os.MkdirTemp("", "mien-test-")
	}
	if err == nil {
		err = os.Setenv("RUNTIME_DIRECTORY", dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	return m.Run()
}

// process is mien as a process: `mien run` with a config and a socket in dir.
type process struct {
	*exec.Cmd
	t     *testing.T
	dir   string
	ended chan struct{} // closed when ProcessState is there
}

func newProcess(t *testing.T) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, dir: t.TempDir(), ended: make(chan struct{})}
	p.Cmd = exec.Command(exe, "run", "-log", "-config", p.config())
	p.Env = append(os.Environ(), asProcess+"=1")
	return p
}

func (p *process) config() string { return filepath.Join(p.dir, "mien.toml") }
func (p *process) socket() string { return filepath.Join(p.dir, "mien.sock") }

// settings is a config without a camera, for a unit of that name.
func (p *process) settings(name string) []byte {
	return fmt.Appendf(nil, "[unit]\nname = %q\n[camera]\ndevice = \"/nowhere/camera\"\n[state]\ndir = %q\n[socket]\npath = %q\n",
		name, filepath.Join(p.dir, "state"), p.socket())
}

func (p *process) configure(name string) {
	p.t.Helper()
	if err := os.WriteFile(p.config(), p.settings(name), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// start starts it; its log, where the test has no use for it, is shown if the
// test fails.
func (p *process) start() {
	p.t.Helper()
	if p.Stderr == nil {
		log, err := os.Create(filepath.Join(p.dir, "log"))
		if err != nil {
			p.t.Fatal(err)
		}
		defer log.Close()
		p.Stderr = log
	}
	if err := p.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() { p.Wait(); close(p.ended) }() // how it ended is in ProcessState
	p.t.Cleanup(func() {
		p.Process.Kill()
		<-p.ended
		if p.t.Failed() {
			p.t.Logf("%v; its log:\n%s", p.ProcessState, p.logged())
		}
	})
}

// logged is its log so far.
func (p *process) logged() string {
	log, _ := os.ReadFile(filepath.Join(p.dir, "log")) // none: nothing
	return string(log)
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// until waits for ok while the process runs.
func (p *process) until(what string, ok func() bool) {
	p.t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		select {
		case <-p.ended:
			p.t.Fatalf("waited for %s: it ended: %v", what, p.ProcessState)
		default:
		}
		if time.Now().After(end) {
			p.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// ask asks over the socket.
func (p *process) ask(r operator.Request) (operator.Reply, error) {
	c, err := operator.Dial(p.socket())
	if err != nil {
		return operator.Reply{}, err
	}
	defer c.Close()
	return c.Ask(r)
}

// called tells whether the unit runs under that name.
func (p *process) called(name string) func() bool {
	return func() bool {
		reply, err := p.ask(operator.Request{Ask: operator.AskStatus})
		return err == nil && reply.Status.Unit == name
	}
}

// ends fails unless the process ends, with exit code 0.
func (p *process) ends() {
	p.t.Helper()
	select {
	case <-p.ended:
		if !p.ProcessState.Success() {
			p.t.Errorf("it ended: %v", p.ProcessState)
		}
	case <-time.After(30 * time.Second):
		p.t.Error("it does not end")
	}
}
