package tflite

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"mien/model/assets"
)

// A network or a library that mien was not made with is tried before it is
// opened: the same program runs again as a child (trial_child.go), which loads
// the network, lets it answer, and exits. What a library does with a malformed
// file, the child does: it crashes, hangs or grows, and the file is refused.
//
// It is a guard against damaged files and against networks that a library cannot
// take. It is no proof: a file that does harm in the second process only, and a
// library that means harm, pass.

const (
	trialTime   = 20 * time.Second
	trialMemory = 512 << 20     // bytes that the child may ask for on top of an empty one
	trialWord   = "try-network" // the child's command, for every program
	trialTPU    = "edgetpu"
	trialText   = 4 << 10 // bytes of an answer, and of what a child says as it dies
)

// launch starts this program again. A test under an emulator has another one.
var launch = []string{"/proc/self/exe"}

// foreign tells whether network and library have to be tried.
func foreign(model []byte, o *Options) bool {
	return !assets.Known(model) || o.Library != "" && !assets.KnownFile(o.Library)
}

// request is what a child is asked; the model's bytes follow its line.
type request struct {
	Name, Backend, Library, Delegate string
	Threads                          int
	EdgeTPU                          bool
	Input                            string // of the known answer
	Size                             int
}

// told is a child's answer: nothing, or the error that the library gave.
type told struct {
	Text  string
	Kinds []int // indices in kinds
}

func (e *told) Error() string { return e.Text }

func (e *told) Is(target error) bool {
	for _, k := range e.Kinds {
		if k >= 0 && k < len(kinds) && kinds[k] == target {
			return true
		}
	}
	return false
}

// kinds are the errors that a child can name.
var kinds = []error{ErrForeign, ErrDamaged, ErrUnsupported, ErrNeedsEdgeTPU, ErrShape, ErrLibrary, ErrOptions, ErrRefused,
	ErrInvoke, ErrWrongAnswer, ErrConstant, assets.ErrAltered, fs.ErrNotExist}

// trial is a child that tries one network after another.
type trial struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	said  lastWords
	limit time.Duration // for one network
}

// try gives an error if the network cannot be opened, or takes its process down.
var try = func(model []byte, o *Options) error {
	t, err := startTrial(o.EdgeTPU)
	if err != nil {
		return err
	}
	defer t.stop()
	return t.try(model, o)
}

// startTrial starts a child. One that may use an Edge TPU is let at devices.
func startTrial(edgeTPU bool) (*trial, error) {
	t := &trial{limit: trialTime}
	args := append(launch[1:len(launch):len(launch)], trialWord)
	if edgeTPU {
		args = append(args, trialTPU)
	}
	t.cmd = exec.Command(launch[0], args...)
	t.cmd.Args[0] = os.Args[0]
	t.cmd.Env = []string{"GOTRACEBACK=single"}
	if dir := os.Getenv("MIEN_LIB"); dir != "" {
		t.cmd.Env = append(t.cmd.Env, "MIEN_LIB="+dir)
	}
	t.cmd.Stderr = &t.said
	t.cmd.WaitDelay = time.Second
	var err error
	if t.in, err = t.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := t.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	t.out = bufio.NewReaderSize(out, trialText)
	if err := t.cmd.Start(); err != nil {
		return nil, fmt.Errorf("it is not of mien, and the process to try it in cannot be started: %w: %w", err, ErrRefused)
	}
	return t, nil
}

// try lets the child open a network. After an error that is not told the child
// is gone.
func (t *trial) try(model []byte, o *Options) error {
	r := request{Name: o.Name, Backend: o.Backend, Library: o.Library, Delegate: o.Delegate, Threads: o.Threads, EdgeTPU: o.EdgeTPU, Size: len(model)}
	if o.Answer != nil {
		r.Input = o.Answer.Input
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	t.said.clear()
	done := make(chan error, 1)
	var answer told
	go func() {
		// A child that dies while it is written to has its say below.
		t.in.Write(append(line, '\n'))
		t.in.Write(model)
		text, err := t.out.ReadSlice('\n')
		if err == nil {
			err = json.Unmarshal(text, &answer)
		}
		done <- err
	}()
	late := time.NewTimer(t.limit)
	defer late.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			switch {
			case err != nil:
				return t.died()
			case answer.Text != "":
				return &answer
			}
			return nil
		case <-late.C:
			t.cmd.Process.Kill()
			<-done
			t.stop()
			return fmt.Errorf("tried in a process of its own, it gave no answer within %v, the network hangs or is too large for this machine: %w", t.limit, ErrRefused)
		case <-tick.C:
			if o.Waiting != nil {
				o.Waiting()
			}
		}
	}
}

// died says what became of the child.
func (t *trial) died() error {
	t.cmd.Process.Kill() // one that closed its output, or wrote what is no answer
	t.in.Close()
	t.cmd.Wait()
	how := t.cmd.ProcessState.String()
	if s, ok := t.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() && s.Signal() == syscall.SIGKILL {
		how = "it was killed, for want of memory or time"
	}
	if text := t.said.why(); text != "" {
		how = text
	}
	return fmt.Errorf("tried in a process of its own, the network took it down (%s): %w", how, ErrRefused)
}

// stop ends the child; the second time does nothing.
func (t *trial) stop() {
	t.in.Close() // it exits
	if t.cmd.ProcessState == nil {
		hung := time.AfterFunc(time.Second, func() { t.cmd.Process.Kill() })
		t.cmd.Wait()
		hung.Stop()
	}
}

// lastWords keeps the start of what a child says on standard error about one
// network: Go's account of a crash names the signal first.
type lastWords struct {
	mu   sync.Mutex // covers text
	text []byte
}

func (w *lastWords) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, p[:min(len(p), trialText-len(w.text))]...)
	return len(p), nil
}

func (w *lastWords) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = w.text[:0]
}

// why finds the line that names the reason, and makes it safe to show.
func (w *lastWords) why() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for line := range bytes.Lines(w.text) {
		s := strings.TrimSpace(string(line))
		for _, begins := range []string{"SIG", "fatal error:", "runtime: out of memory", "terminate called", "panic:"} {
			if strings.HasPrefix(s, begins) {
				return strings.Map(func(r rune) rune {
					if r < ' ' || r > '~' {
						return '?'
					}
					return r
				}, s[:min(len(s), 120)])
			}
		}
	}
	return ""
}
