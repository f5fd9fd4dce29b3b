package device

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A pseudo terminal's master has nothing to read, as a camera between frames.
func TestWait(t *testing.T) {
	fd, err := Open("/dev/ptmx", unix.O_RDWR)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	defer unix.Close(fd)
	b, err := NewBell()
	if err != nil {
		t.Fatal(err)
	}
	from := Now()
	if got, rung, err := b.Wait(fd, unix.POLLIN, 20*time.Millisecond); got != 0 || rung || err != nil {
		t.Errorf("%#x %v %v", got, rung, err)
	}
	if took := Now() - from; took < 20*time.Millisecond {
		t.Errorf("returned after %v", took)
	}
	if got, rung, err := b.Wait(fd, unix.POLLOUT, -1); got&unix.POLLOUT == 0 || rung || err != nil {
		t.Errorf("to write: %#x %v %v", got, rung, err)
	}
	if a := testing.AllocsPerRun(100, func() { b.Wait(fd, unix.POLLIN, 0) }); a != 0 {
		t.Errorf("%v allocations a wait", a)
	}
	rung := make(chan bool)
	for _, fd := range []int{fd, -1} {
		go func() {
			_, r, _ := b.Wait(fd, unix.POLLIN, time.Minute)
			rung <- r
		}()
	}
	b.Ring()
	if !<-rung || !<-rung {
		t.Error("rung, and a wait does not say so")
	}
	b.Ring()
	if _, r, _ := b.Wait(fd, unix.POLLIN, -1); !r {
		t.Error("a bell that was rung is silent again")
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if err := (*Bell)(nil).Close(); err != nil {
		t.Error(err)
	}
}

func TestOpen(t *testing.T) {
	fd, err := Open("/dev/null", unix.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK == 0 {
		t.Errorf("flags %#x, %v", flags, err)
	}
	if flags, err = unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("not closed on exec: %#x, %v", flags, err)
	}
	unix.Close(fd)
	if _, err := Open("/nowhere", unix.O_RDWR); err != unix.ENOENT {
		t.Error(err)
	}
}

func TestGone(t *testing.T) {
	for _, errno := range []unix.Errno{unix.ENODEV, unix.ENXIO, unix.EIO, unix.ESHUTDOWN, unix.EPIPE} {
		if !Gone(fmt.Errorf("read: %w", errno)) {
			t.Errorf("%v is not gone", errno)
		}
	}
	for _, err := range []error{nil, unix.EINVAL, unix.EAGAIN, unix.EBUSY, unix.EACCES, unix.ENOENT} {
		if Gone(err) {
			t.Errorf("%v is gone", err)
		}
	}
}

func TestDenied(t *testing.T) {
	if text := Camera.Denied("/nowhere"); !strings.Contains(text, `not in group "video": sudo usermod -aG video `) {
		t.Error(text)
	}
	path := filepath.Join(t.TempDir(), "node")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if text := GPIO.Denied(path); !strings.Contains(text, `add the udev rule SUBSYSTEM=="gpio", KERNEL=="gpiochip*", GROUP="gpio", MODE="0660"`) {
		t.Error(text) // a group without rights is of no use
	}
	if os.Getuid() != 0 {
		t.Skip("only root can give a file to another group")
	}
	audio, err := user.LookupGroup("audio")
	if err != nil {
		t.Skipf("no group audio here: %v", err)
	}
	gid, _ := strconv.Atoi(audio.Gid)
	if err := errors.Join(os.Chown(path, 0, gid), os.Chmod(path, 0o660)); err != nil {
		t.Fatal(err)
	}
	if text := Serial.Denied(path); !strings.Contains(text, `not in group "audio"`) || strings.Contains(text, "udev") {
		t.Error(text)
	}
	if err := os.Chown(path, 0, 0); err != nil {
		t.Fatal(err)
	}
	if text := Watchdog.Denied(path); !strings.Contains(text, `GROUP="mien"`) || strings.Contains(text, `"root" to group`) && os.Getuid() != 0 {
		t.Error(text)
	}
}

func TestHolders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	proc := t.TempDir()
	for pid, comm := range map[string]string{"4242": "motion\n", strconv.Itoa(os.Getpid()): "mien\n"} {
		dir := filepath.Join(proc, pid)
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, "fd"), 0o700), os.WriteFile(filepath.Join(dir, "comm"), []byte(comm), 0o600),
			os.Symlink(path, filepath.Join(dir, "fd", "3")), os.Symlink(path, filepath.Join(dir, "fd", "4")), os.Symlink("/else", filepath.Join(dir, "fd", "5"))); err != nil {
			t.Fatal(err)
		}
	}
	wanted := func(p string) bool { return p == path }
	if got := Holders(proc, wanted)[path]; !slices.Equal(got, []string{"motion (process 4242)"}) {
		t.Errorf("another program has it: %q", got)
	}
	if err := os.RemoveAll(filepath.Join(proc, "4242")); err != nil {
		t.Fatal(err)
	}
	if got := Holders(proc, wanted)[path]; !slices.Equal(got, []string{fmt.Sprintf("mien (process %d)", os.Getpid())}) {
		t.Errorf("this program has it: %q", got)
	}
	if _, err := os.Stat("/proc/self/fd"); err == nil && len(Holders("/proc", wanted)[path]) != 1 {
		t.Error("this process is not found in /proc")
	}
	if len(Holders("/nowhere", wanted)) != 0 {
		t.Error("holders without /proc")
	}
}

func TestNow(t *testing.T) {
	var times []time.Duration
	for range 100 {
		times = append(times, Now())
	}
	if !slices.IsSorted(times) {
		t.Error("Now goes back")
	}
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Skipf("no /proc/uptime here: %v", err)
	}
	var up float64
	fmt.Sscan(string(text), &up)
	if off := Now().Seconds() - up; up > 0 && (off > 5 || off < -86400*365) {
		t.Errorf("Now is %v s ahead of the uptime", off)
	}
}
