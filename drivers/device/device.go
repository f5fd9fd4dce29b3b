// Package device is what cameras, GPIO chips, serial ports and watchdogs have in
// common as files of the kernel: how one is opened, waited for and closed by
// another goroutine, which errors mean that it is gone, and what a person can do
// who may not use it.
//
// What a device says is checked where it is read. This package reads nothing of
// it but the time.
package device

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Open opens a device file with the access mode unix.O_RDWR, O_RDONLY or
// O_WRONLY, for nobody but this process (close-on-exec), without waiting (a
// serial port without a carrier would) and never as the controlling terminal.
// The error is the kernel's number.
//
// Devices are opened with open(2) and polled by Bell.Wait, not by Go's poller.
// That would poll the file before it is set up, and a V4L2 driver that also
// offers read() takes the poll for the start of read I/O and refuses REQBUFS. And
// a poll takes the driver's mutex: a driver that hangs must hold up the thread
// that waits for it, not the poller that all goroutines need.
func Open(path string, mode int) (fd int, err error) {
	for {
		fd, err = unix.Open(path, mode|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// Ioctl passes a struct of the kernel's. The error is the kernel's number.
func Ioctl(fd int, req uintptr, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), req, uintptr(arg))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
			continue
		}
		return errno
	}
}

// Gone tells the errors by which the kernel says that a device has been
// unplugged, unbound or hung up. V4L2 gives EIO for passing faults as well: a
// camera is gone by ENODEV alone.
func Gone(err error) bool {
	for _, errno := range []unix.Errno{unix.ENODEV, unix.ENXIO, unix.EIO, unix.ESHUTDOWN, unix.EPIPE} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// Bell ends the waits of other goroutines. Once rung it stays so.
type Bell struct{ event int }

// NewBell makes a bell; the caller closes it.
func NewBell() (*Bell, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	return &Bell{event: fd}, nil
}

// Ring ends every Wait, now and later.
func (b *Bell) Ring() {
	one := [8]byte{1, 1, 1, 1, 1, 1, 1, 1} // not 0 in either byte order
	unix.Write(b.event, one[:])            // fails only when it was rung already
}

// Close frees the bell, after the last Wait. A nil bell has nothing to free.
func (b *Bell) Close() error {
	if b == nil {
		return nil
	}
	return unix.Close(b.event)
}

// Wait waits until fd has one of the events (or an error of its own), until d
// has passed, or until the bell is rung. fd -1 waits for time and bell alone;
// d < 0 waits for ever. It returns poll's events, 0 when the time has passed. It
// allocates nothing.
func (b *Bell) Wait(fd int, events int16, d time.Duration) (got int16, rung bool, err error) {
	fds := [2]unix.PollFd{{Fd: int32(fd), Events: events}, {Fd: int32(b.event), Events: unix.POLLIN}}
	deadline := Now() + d
	for {
		var limit *unix.Timespec
		var ts unix.Timespec
		if d >= 0 {
			ts = unix.NsecToTimespec(int64(d))
			limit = &ts
		}
		n, err := unix.Ppoll(fds[:], limit, nil) // by the nanosecond; poll knows milliseconds
		switch {
		case err == unix.EINTR:
			if d >= 0 {
				d = max(deadline-Now(), 0)
			}
			continue
		case err != nil:
			return 0, false, fmt.Errorf("poll: %w", err)
		case n == 0:
			return 0, false, nil
		}
		return fds[0].Revents, fds[1].Revents != 0, nil
	}
}

// Class is a kind of device, by the udev rule that finds it and the group that
// may use it.
type Class struct{ Rule, Group string }

// The classes of devices that mien opens.
var (
	Camera   = Class{`SUBSYSTEM=="video4linux"`, "video"}
	GPIO     = Class{`SUBSYSTEM=="gpio", KERNEL=="gpiochip*"`, "gpio"}
	Serial   = Class{`SUBSYSTEM=="tty", KERNEL=="ttyUSB*|ttyACM*|ttyAMA*|ttyS*"`, "dialout"}
	Watchdog = Class{`KERNEL=="watchdog*"`, "mien"}
)

// Denied says what a person does who may not use the device at path: join the
// group that owns it, or make a rule where only root may.
func (c Class) Denied(path string) string {
	who := "USER"
	if u, err := user.Current(); err == nil && u.Username != "" {
		who = u.Username
	}
	group, open := c.Group, true
	if fi, err := os.Stat(path); err == nil {
		if st, ok := fi.Sys().(*syscall.Stat_t); ok {
			open = st.Gid != 0 && fi.Mode().Perm()&0o060 == 0o060
			if g, err := user.LookupGroupId(strconv.Itoa(int(st.Gid))); open && err == nil {
				group = g.Name
			} else if open {
				group = strconv.Itoa(int(st.Gid))
			}
		}
	}
	join := fmt.Sprintf("sudo usermod -aG %s %s, then log in again (in a systemd unit: SupplementaryGroups=%s)", group, who, group)
	if !open {
		return fmt.Sprintf(`only root may use it: add the udev rule %s, GROUP="%s", MODE="0660", and %q to group %q: %s`, c.Rule, group, who, group, join)
	}
	return fmt.Sprintf("%q is not in group %q: %s", who, group, join)
}

// Holders finds the processes that have devices open, as far as this user may
// look: from each path that wanted is true for to "name (process 123)". This
// process is named where no other has it. proc is /proc.
func Holders(proc string, wanted func(path string) bool) map[string][]string {
	held := map[string][]string{}
	entries, _ := os.ReadDir(proc) // without /proc nobody is seen
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() {
			for path, who := range open(filepath.Join(proc, e.Name()), wanted) {
				held[path] = append(held[path], who)
			}
		}
	}
	for path, who := range open(filepath.Join(proc, strconv.Itoa(os.Getpid())), wanted) {
		if held[path] == nil {
			held[path] = []string{who}
		}
	}
	return held
}

// open gives the paths that a process has open, each with the process's name.
func open(dir string, wanted func(path string) bool) map[string]string {
	found := map[string]string{}
	fds, _ := os.ReadDir(filepath.Join(dir, "fd")) // another user's process is not seen
	for _, fd := range fds {
		target, err := os.Readlink(filepath.Join(dir, "fd", fd.Name()))
		if err == nil && wanted(target) {
			comm, _ := os.ReadFile(filepath.Join(dir, "comm")) // it may have just ended
			found[target] = fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(comm)), filepath.Base(dir))
		}
	}
	return found
}
