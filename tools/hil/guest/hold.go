package main

import (
	"errors"
	"fmt"
	"os"
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

// held are the processes with a thread that stands; a value is closed to let go.
var (
	heldMu sync.Mutex // covers held
	held   = map[int]chan struct{}{}
)

// hold stops one thread of a process while it computes inside a library, and
// leaves the others running: what a hang in that library is to the process. With
// Crash it sets the thread's program counter to 0 instead, and lets it run: a
// fault of the library's own.
func hold(p wire.Hold) (any, error) {
	result := make(chan error, 1)
	release := make(chan struct{})
	go func() {
		runtime.LockOSThread() // a tracer is a thread; this one ends with the goroutine
		t, err := catch(p)
		if err != nil {
			result <- err
			return
		}
		if p.Crash {
			t.registers.pc = 0
			result <- errors.Join(t.regset(ptraceSetRegset), t.letGo())
			return
		}
		result <- nil
		<-release
		t.letGo() // an error: it was killed meanwhile
	}()
	if err := <-result; err != nil {
		return nil, err
	}
	if !p.Crash {
		heldMu.Lock()
		defer heldMu.Unlock()
		held[p.PID] = release
	}
	return nil, nil
}

// unhold lets a process' thread go on.
func unhold(pid int) (any, error) {
	heldMu.Lock()
	defer heldMu.Unlock()
	if held[pid] == nil {
		return nil, fmt.Errorf("process %d is not held", pid)
	}
	close(held[pid])
	delete(held, pid)
	return nil, nil
}

// catch stops a thread that is inside the library.
func catch(p wire.Hold) (*thread, error) {
	spans, err := mapped(p.PID, p.Library)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
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
