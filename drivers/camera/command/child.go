package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"mien/drivers/camera"
)

// child is a running program.
type child struct {
	process *os.Process
	out     *os.File // its standard output
	said    words
	open    bool          // it is not kept from the network
	exited  chan struct{} // closed when it has ended; state is set before
	state   *os.ProcessState
	number  sync.Mutex // held while it is waited for, or killed by its number
}

// pipeSize holds two pictures of 640x480 in 4:2:0, so that a program writes one at
// once. It is what a user may have by default (/proc/sys/fs/pipe-max-size).
const pipeSize = 1 << 20

// start starts a program.
func start(command []string) (*child, error) {
	path, err := exec.LookPath(command[0])
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: %w", camera.ErrPermission, err)
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: there is no such program here: %w", camera.ErrNotFound, err)
	case err != nil:
		return nil, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	out, outEnd, err := pipe()
	if err != nil {
		return nil, err
	}
	defer outEnd.Close()
	unix.FcntlInt(outEnd.Fd(), unix.F_SETPIPE_SZ, pipeSize) // a smaller one does too
	text, textEnd, err := pipe()
	if err != nil {
		out.Close()
		return nil, err
	}
	defer textEnd.Close()
	c := &child{out: out, exited: make(chan struct{}), said: words{ended: make(chan struct{})}}
	attr := &os.ProcAttr{Dir: "/", Env: environment(os.Environ()), Files: []*os.File{null, outEnd, textEnd},
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}}
	inherited()
	started := make(chan error)
	go c.live(path, command, attr, started)
	if err := <-started; err != nil {
		out.Close()
		text.Close()
		return nil, err
	}
	go c.said.read(text)
	return c, nil
}

// pipe gives a pipe whose reading end waits by Go's poller, so that Close ends a
// Read, and whose other end a program can have.
func pipe() (read, write *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("pipe: %w", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return nil, nil, fmt.Errorf("pipe: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "pipe"), os.NewFile(uintptr(fds[1]), "pipe"), nil
}

// inherited keeps from the program what this process was given by whoever started it:
// all descriptors that are its own are closed in a program anyhow.
func inherited() {
	list, _ := os.ReadDir("/proc/self/fd") // without /proc none is found
	for _, e := range list {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}

// environment is the unit's own, without what is meant for it alone: by
// NOTIFY_SOCKET a program would speak to systemd in the unit's name.
func environment(of []string) (env []string) {
	for _, e := range of {
		name, _, _ := strings.Cut(e, "=")
		switch {
		case name == "NOTIFY_SOCKET", strings.HasPrefix(name, "WATCHDOG_"), strings.HasPrefix(name, "LISTEN_"), strings.HasPrefix(name, "MIEN_"):
		default:
			env = append(env, e)
		}
	}
	return env
}

// live starts the program and stays until it has ended. What a program is born with
// (no new privileges, the filter of system calls) it has from the thread that
// starts it, and when that thread ends it is killed: so the thread is its own, is
// never used for anything else, and ends after it.
func (c *child) live(path string, command []string, attr *os.ProcAttr, started chan<- error) {
	runtime.LockOSThread() // and not unlocked: the thread ends with this goroutine
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		started <- fmt.Errorf("PR_SET_NO_NEW_PRIVS: %w", err)
		return
	}
	c.open = keepFromNetwork() != nil
	p, err := os.StartProcess(path, command, attr)
	if err != nil {
		started <- startError(err)
		return
	}
	c.process = p
	// A picture shows a person: it goes into no core file. Where memory runs out the
	// program goes before the unit does. Either fails only if it has ended already.
	unix.Prlimit(p.Pid, unix.RLIMIT_CORE, &unix.Rlimit{}, nil)
	os.WriteFile("/proc/"+strconv.Itoa(p.Pid)+"/oom_score_adj", []byte("500"), 0)
	started <- nil
	// Until it is waited for its number is its own, and so is that of its group.
	for unix.Waitid(unix.P_PID, p.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	c.kill(unix.SIGKILL) // whom it started and left behind
	c.number.Lock()
	defer c.number.Unlock()
	c.state, _ = p.Wait() // it has ended
	close(c.exited)
}

// startError says what keeps a program from being run.
func startError(err error) error {
	switch {
	case errors.Is(err, unix.ENOEXEC):
		return fmt.Errorf("%w: it is no program of this machine, or a script without #! in its first line: %w", camera.ErrUnsupported, err)
	case errors.Is(err, fs.ErrNotExist): // it is there: what is not is the interpreter that it names
		return fmt.Errorf("%w: the interpreter that it names is not here: %w", camera.ErrNotFound, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", camera.ErrPermission, err)
	}
	return err
}

// kill sends a signal to the program's group, as long as its number is its own.
func (c *child) kill(sig unix.Signal) {
	c.number.Lock()
	defer c.number.Unlock()
	select {
	case <-c.exited:
	default:
		unix.Kill(-c.process.Pid, sig) // who is gone has no need of it
	}
}

// end ends the program: as Ctrl-C does, so that it gives its camera back, then for
// good, and whomever it started with it.
func (c *child) end() error {
	for _, sig := range []unix.Signal{unix.SIGINT, unix.SIGKILL} {
		c.kill(sig)
		select {
		case <-c.exited:
			return nil
		case <-time.After(endsWithin):
		}
	}
	return fmt.Errorf("its process %d cannot be killed: a driver holds it", c.process.Pid)
}

// how says in what way it ended, once its output has.
func (c *child) how() error {
	select {
	case <-c.exited:
	case <-time.After(endsWithin / 4):
		return errors.New("it closed its standard output, and runs on")
	}
	c.said.settle()
	if w, ok := c.state.Sys().(syscall.WaitStatus); ok && w.Signaled() && w.Signal() == syscall.SIGKILL {
		return errors.New("it was killed, by somebody or for want of memory (MemoryMax of its service)")
	}
	if c.state.Success() {
		return errors.New("it ended by itself, without an error")
	}
	return fmt.Errorf("it ended: %v", c.state)
}

// words are the last that a program said on its standard error.
type words struct {
	mu    sync.Mutex // covers the rest
	text  []byte
	ended chan struct{} // closed when no more comes
}

const (
	saidKept  = 1 << 10 // bytes of it that are kept
	saidTold  = 300     // characters of it that are told
	saidLines = 3       // likewise, lines
	// Of a program that talks without end so many bytes are read at a time, with so much
	// time in between: it waits.
	saidStep  = 4 << 10
	saidPause = 20 * time.Millisecond
)

// read is the goroutine that takes what a program says, until it ends or the pipe
// is closed.
func (w *words) read(from *os.File) {
	defer from.Close()
	defer close(w.ended)
	defer func() { recover() }() // what was said is lost; nothing else is
	buf := make([]byte, saidStep)
	for {
		n, err := from.Read(buf)
		w.mu.Lock()
		w.text = append(w.text, buf[:n]...)
		if over := len(w.text) - saidKept; over > 0 {
			w.text = w.text[:copy(w.text, w.text[over:])]
		}
		w.mu.Unlock()
		if err != nil {
			return
		}
		if n == len(buf) {
			time.Sleep(saidPause)
		}
	}
}

// settle waits a moment for what a program that has ended said last.
func (w *words) settle() {
	select {
	case <-w.ended:
	case <-time.After(endsWithin / 4):
	}
}

// String gives the last lines in one, in characters that can be shown.
func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	lines := strings.FieldsFunc(string(w.text), func(r rune) bool { return r == '\n' || r == '\r' })
	kept := lines[:0]
	for _, l := range lines {
		if l = strings.TrimSpace(l); l != "" {
			kept = append(kept, l)
		}
	}
	text := []rune(strings.ToValidUTF8(strings.Join(kept[max(0, len(kept)-saidLines):], "; "), "?"))
	text = text[max(0, len(text)-saidTold):]
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '?'
		}
		return r
	}, string(text))
}
