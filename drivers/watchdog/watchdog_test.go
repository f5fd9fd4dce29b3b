package watchdog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		path    string
		timeout time.Duration
		is      error
		text    string
	}{
		{filepath.Join(dir, "watchdog"), 10 * time.Second, fs.ErrNotExist, "this machine has none"},
		{dir, 10 * time.Second, unix.EISDIR, dir},
		{"/dev/null", 10 * time.Second, unix.ENOTTY, "WDIOC_GETSUPPORT"},
		{"/dev/null", time.Second - 1, nil, "below one second"},
		{"/dev/null", -1, nil, "below one second"},
	} {
		d, err := Open(c.path, c.timeout)
		if err == nil {
			d.Disarm()
			t.Errorf("%s opens", c.path)
			continue
		}
		if (c.is != nil && !errors.Is(err, c.is)) || !strings.Contains(err.Error(), c.text) || d != nil {
			t.Errorf("%s: %v, want %v with %q", c.path, err, c.is, c.text)
		}
	}
	if err := openError("/dev/watchdog", unix.EBUSY); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "RuntimeWatchdogSec") {
		t.Errorf("%v", err)
	}
	if err := openError("/dev/watchdog", unix.EACCES); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "usermod -aG mien") {
		t.Errorf("%v", err)
	}
}

// Opening a watchdog starts it. If what follows fails, it must be stopped on
// the way out: a plain file stands for the device and shows what was written.
func TestHalfOpenedIsDisarmed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "watchdog")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before := descriptors(t)
	for range 1000 {
		if _, err := Open(file, 10*time.Second); !errors.Is(err, unix.ENOTTY) {
			t.Fatal(err)
		}
	}
	if b, _ := os.ReadFile(file); !strings.HasSuffix(string(b), "V") {
		t.Errorf("%q was written, the last must be the V of the magic close", b)
	}
	if n := descriptors(t); n > before {
		t.Errorf("%d descriptors, %d before", n, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("no /proc: %v", err)
	}
	return len(all)
}

func TestResetReasons(t *testing.T) {
	for r, want := range map[Reset]string{
		0:                               "ordinary start",
		ResetWatchdog:                   "watchdog",
		ResetWatchdog | ResetUnderPower: "watchdog, under-voltage",
		ResetOverheat | ResetFan | ResetExternal1 | ResetExternal2 | ResetOverPower: "over-voltage, overheating, fan failure, external relay 1, external relay 2",
		1 << 20: "unknown cause",
	} {
		if got := r.String(); got != want {
			t.Errorf("%#x: %q, want %q", uint32(r), got, want)
		}
	}
}

func TestFake(t *testing.T) {
	var at time.Duration
	broken := errors.New("broken")
	f := &Fake{Now: func() time.Duration { return at }, After: 10 * time.Second, FailAt: 4, Err: broken}
	if f.Timeout() != 10*time.Second || (&Fake{}).Timeout() != 15*time.Second {
		t.Error("timeout")
	}
	for range 3 {
		if err := f.Ping(); err != nil {
			t.Fatal(err)
		}
		at += 10 * time.Second
		if f.Reset() {
			t.Fatal("reset though it was fed in time")
		}
	}
	if err := f.Ping(); !errors.Is(err, broken) || f.Pings() != 4 {
		t.Errorf("%v, %d pings", err, f.Pings())
	}
	at++
	if !f.Reset() {
		t.Error("a failed ping feeds it")
	}
	if f.Disarm() != nil || !f.Reset() {
		t.Error("a reset that has happened is taken back")
	}

	f = &Fake{Now: func() time.Duration { return at }}
	f.Ping()
	if err := f.Disarm(); err != nil {
		t.Error(err)
	}
	at += time.Hour
	if f.Reset() {
		t.Error("reset after disarming")
	}
	if err := f.Ping(); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	if f.Disarm() != nil || f.Abandon() != nil {
		t.Error("closing twice")
	}

	for name, f := range map[string]*Fake{
		"nowayout":  {Now: func() time.Duration { return at }, NoWayOut: true},
		"abandoned": {Now: func() time.Duration { return at }},
	} {
		f.Ping()
		if name == "abandoned" {
			f.Abandon()
		} else if err := f.Disarm(); !errors.Is(err, ErrNoWayOut) {
			t.Errorf("%s: %v", name, err)
		}
		at += 15*time.Second + 1
		if !f.Reset() {
			t.Errorf("%s: no reset", name)
		}
	}
	// With the real clock, and never fed: nothing was started.
	if (&Fake{}).Reset() {
		t.Error("reset before it was fed at all")
	}
}

// The machine's own watchdog is left alone unless the environment names one
// that may be used, e.g. the software watchdog of an emulated machine.
func TestDevice(t *testing.T) {
	path := os.Getenv("MIEN_TEST_WATCHDOG")
	if path == "" {
		t.Skip("needs a watchdog that may be armed: set MIEN_TEST_WATCHDOG to its path")
	}
	before := descriptors(t)
	d, err := Open(path, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s, timeout %v, last start: %v, nowayout %v", d.Identity(), d.Timeout(), d.BootStatus(), d.NoWayOut())
	if d.Identity() == "" || d.Timeout() < time.Second {
		t.Errorf("identity %q, timeout %v", d.Identity(), d.Timeout())
	}
	if _, err := Open(path, 30*time.Second); !errors.Is(err, ErrBusy) {
		t.Errorf("a second open: %v", err)
	}
	if n := testing.AllocsPerRun(10, func() { err = d.Ping() }); err != nil || n != 0 {
		t.Errorf("ping: %v, %v allocations", err, n)
	}
	if d.NoWayOut() {
		t.Skip("it cannot be stopped")
	}
	if err := d.Disarm(); err != nil {
		t.Fatal(err)
	}
	if err := d.Ping(); !errors.Is(err, ErrClosed) {
		t.Errorf("ping after disarming: %v", err)
	}
	if state, err := os.ReadFile("/sys/class/watchdog/" + filepath.Base(path) + "/state"); err == nil && strings.TrimSpace(string(state)) != "inactive" {
		t.Errorf("it is %s", state)
	}
	// More than any hardware counts: the driver's longest is taken.
	d, err = Open(path, 400*24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("longest timeout %v", d.Timeout())
	if err := d.Disarm(); err != nil {
		t.Error(err)
	}
	for range 1000 {
		d, err := Open(path, 30*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Disarm(); err != nil {
			t.Fatal(err)
		}
	}
	if n := descriptors(t); n > before {
		t.Errorf("%d descriptors, %d before", n, before)
	}
}
