package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"mien/tools/hil/wire"
)

// What golang.org/x/sys/unix has not for every processor (include/uapi/linux/
// ptrace.h, elf.h; arch/arm64/include/uapi/asm/ptrace.h).
const (
	ptraceGetRegset = 0x4204
	ptraceSetRegset = 0x4205
	ptraceEventStop = 128
	ntPrstatus      = 1
)

// registers is struct user_pt_regs.
type registers struct {
	x          [31]uint64
	sp, pc, ps uint64
}

// held are the tracers of the processes with a thread that stands: closing what
// they read lets it go.
var (
	heldMu sync.Mutex // covers held
	held   = map[int]io.Closer{}
)

// hold stops one thread of a process while it computes inside a library, and
// leaves the others running: what a hang in that library is to the process. With
// Crash it lets the thread run, but with its program counter at 0: a fault of the
// library's own.
//
// The tracer is a process of its own. Were it the agent, which is the program's
// parent, the agent's wait for the program's end would take a stop of its first
// thread for that end.
func hold(p wire.Hold) (any, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	c := exec.Command("/init", "hold", string(text))
	var errs bytes.Buffer
	c.Stderr = &errs
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return nil, errors.Join(errors.New(strings.TrimSpace(errs.String())), c.Wait())
	}
	go c.Wait()
	if p.Crash {
		return nil, in.Close()
	}
	heldMu.Lock()
	defer heldMu.Unlock()
	held[p.PID] = in
	return nil, nil
}

// unhold lets a process' thread go on.
func unhold(pid int) (any, error) {
	heldMu.Lock()
	defer heldMu.Unlock()
	if held[pid] == nil {
		return nil, fmt.Errorf("process %d is not held", pid)
	}
	err := held[pid].Close()
	delete(held, pid)
	return nil, err
}

// holder is the tracer: it says on its standard output that it has the thread,
// and lets it go at the end of its standard input.
func holder(text string) error {
	var p wire.Hold
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return err
	}
	runtime.LockOSThread() // to the kernel the tracer is a thread
	t, err := catch(p)
	if err != nil {
		return err
	}
	if p.Crash {
		t.registers.pc = 0
		if err := errors.Join(t.regset(ptraceSetRegset), t.letGo()); err != nil {
			return err
		}
	}
	fmt.Println("caught")
	io.Copy(io.Discard, os.Stdin) // until it is closed
	if p.Crash {
		return nil
	}
	return t.letGo()
}

// catch stops a thread that is inside the library.
func catch(p wire.Hold) (*thread, error) {
	spans, err := mapped(p.PID, p.Library)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*", p.PID))
		if err != nil {
			return nil, err
		}
		for _, path := range tasks {
			stat, err := os.ReadFile(path + "/stat")
			if err != nil || !strings.Contains(string(stat), ") R ") {
				continue // gone, or asleep: it does not compute
			}
			tid, err := strconv.Atoi(filepath.Base(path))
			if err != nil {
				return nil, err
			}
			t, err := seize(tid)
			if err != nil {
				return nil, err
			}
			if t != nil && t.inside(spans) {
				return t, nil
			}
			if t != nil {
				if err := t.letGo(); err != nil {
					return nil, err
				}
			}
		}
	}
	return nil, fmt.Errorf("no thread of process %d was seen in %s in a minute", p.PID, p.Library)
}

// mapped gives the ranges of addresses where a process has a library's code.
func mapped(pid int, library string) (spans [][2]uint64, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return nil, err
	}
	for _, line := range strings.Split(string(maps), "\n") {
		var from, to uint64
		var mode string
		if !strings.Contains(line, library) {
			continue
		}
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err == nil && strings.Contains(mode, "x") {
			spans = append(spans, [2]uint64{from, to})
		}
	}
	if len(spans) == 0 {
		return nil, fmt.Errorf("process %d has no library %s", pid, library)
	}
	return spans, nil
}

// thread is a thread that stands.
type thread struct {
	id        int
	pending   uintptr // the signal that stopped it before we did; it gets it when it goes on
	registers registers
}

// seize stops a thread; nil: it has ended.
func seize(tid int) (*thread, error) {
	if err := ptrace(unix.PTRACE_SEIZE, tid, 0, 0); errors.Is(err, unix.ESRCH) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("seize thread %d: %w", tid, err)
	}
	if err := ptrace(unix.PTRACE_INTERRUPT, tid, 0, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return nil, fmt.Errorf("interrupt thread %d: %w", tid, err)
	}
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(tid, &status, unix.WALL, nil)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			return nil, fmt.Errorf("wait for thread %d: %w", tid, err)
		}
	}
	if !status.Stopped() {
		return nil, nil
	}
	t := &thread{id: tid}
	if uint32(status)>>16 != ptraceEventStop {
		t.pending = uintptr(status.StopSignal())
	}
	if err := t.regset(ptraceGetRegset); err != nil {
		return nil, errors.Join(err, t.letGo())
	}
	return t, nil
}

func (t *thread) inside(spans [][2]uint64) bool {
	for _, s := range spans {
		if t.registers.pc >= s[0] && t.registers.pc < s[1] {
			return true
		}
	}
	return false
}

func (t *thread) letGo() error { return ptrace(unix.PTRACE_DETACH, t.id, 0, t.pending) }

// regset reads or writes the thread's registers.
func (t *thread) regset(request int) error {
	v := unix.Iovec{Base: (*byte)(unsafe.Pointer(&t.registers))}
	v.SetLen(int(unsafe.Sizeof(t.registers)))
	if _, _, e := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(t.id), ntPrstatus, uintptr(unsafe.Pointer(&v)), 0, 0); e != 0 {
		return e
	}
	return nil
}

func ptrace(request, tid int, addr, data uintptr) error {
	if _, _, e := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), addr, data, 0, 0); e != 0 {
		return e
	}
	return nil
}
