package watchdog

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"mien/drivers/device"
)

// Device is an open /dev/watchdog.
type Device struct {
	path     string
	timeout  time.Duration
	identity string
	reset    Reset
	noWayOut bool

	mu sync.Mutex // covers fd
	fd int        // -1 when closed
}

var _ Watchdog = (*Device)(nil)

// Path is the watchdog of a machine that has one.
const Path = "/dev/watchdog"

// Open arms the watchdog and sets its timeout, in whole seconds and at least
// one. The driver may round it or know only its own: see Timeout. From here on
// Ping must be called more often than Timeout, until Disarm.
//
// Test the error with errors.Is and fs.ErrNotExist (the machine has none),
// fs.ErrPermission, ErrBusy.
//
// If anything fails after the device was opened it is disarmed again: opening
// alone starts the countdown.
func Open(path string, timeout time.Duration) (*Device, error) {
	if timeout < time.Second {
		return nil, fmt.Errorf("watchdog %s: timeout %v is below one second", path, timeout)
	}
	fd, err := device.Open(path, unix.O_WRONLY)
	if err != nil {
		return nil, openError(path, err)
	}
	d := &Device{path: path, fd: fd, timeout: timeout, noWayOut: noWayOut(path)}
	if err := d.setUp(); err != nil {
		return nil, errors.Join(fmt.Errorf("watchdog %s: %w", path, err), d.Disarm())
	}
	return d, nil
}

func (d *Device) setUp() error {
	info, err := unix.IoctlGetWatchdogInfo(d.fd)
	if err != nil {
		return fmt.Errorf("WDIOC_GETSUPPORT: %w", err)
	}
	d.identity = unix.ByteSliceToString(info.Identity[:])
	// Best effort: a driver that cannot tell why the machine started has
	// nothing to say here.
	if r, err := unix.IoctlGetInt(d.fd, unix.WDIOC_GETBOOTSTATUS); err == nil {
		d.reset = Reset(r)
	}
	if info.Options&unix.WDIOF_SETTIMEOUT != 0 {
		secs := int(min(math.Ceil(d.timeout.Seconds()), math.MaxInt32))
		if err := d.setTimeout(secs); err != nil {
			return err
		}
	}
	secs, err := unix.IoctlGetInt(d.fd, unix.WDIOC_GETTIMEOUT)
	if err != nil {
		return fmt.Errorf("WDIOC_GETTIMEOUT: %w", err)
	}
	d.timeout = time.Duration(secs) * time.Second
	return d.Ping()
}

// setTimeout asks for a timeout, and where that is more than the hardware can
// count (a Raspberry Pi: 15 s), for the longest it can.
func (d *Device) setTimeout(secs int) error {
	err := unix.IoctlSetPointerInt(d.fd, unix.WDIOC_SETTIMEOUT, secs)
	if errors.Is(err, unix.EINVAL) {
		least := 0 // longest known to be taken
		for most := secs; most-least > 1; {
			mid := least + (most-least)/2
			if unix.IoctlSetPointerInt(d.fd, unix.WDIOC_SETTIMEOUT, mid) == nil {
				least = mid
			} else {
				most = mid
			}
		}
		if least > 0 {
			err = unix.IoctlSetPointerInt(d.fd, unix.WDIOC_SETTIMEOUT, least)
		}
	}
	if err != nil {
		return fmt.Errorf("WDIOC_SETTIMEOUT %d s: %w", secs, err)
	}
	return nil
}

func (d *Device) Ping() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fd < 0 {
		return fmt.Errorf("watchdog %s: ping: %w", d.path, ErrClosed)
	}
	if err := unix.IoctlWatchdogKeepalive(d.fd); err != nil {
		return fmt.Errorf("watchdog %s: ping: %w", d.path, err)
	}
	return nil
}

func (d *Device) Timeout() time.Duration { return d.timeout }

// Identity is what the driver calls its hardware.
func (d *Device) Identity() string { return d.identity }

// BootStatus tells why the machine last started.
func (d *Device) BootStatus() Reset { return d.reset }

// NoWayOut tells beforehand that Disarm will not succeed.
func (d *Device) NoWayOut() bool { return d.noWayOut }

func (d *Device) Disarm() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fd < 0 {
		return nil
	}
	// The "magic close": a V as the last thing written means that the close is
	// on purpose ("The WatchDog API", closing).
	_, err := unix.Write(d.fd, []byte("V"))
	if err != nil {
		err = fmt.Errorf("watchdog %s: disarm: %w", d.path, err)
	} else if d.noWayOut {
		err = fmt.Errorf("watchdog %s: disarm: %w: the machine will be reset in %v unless it is opened again", d.path, ErrNoWayOut, d.timeout)
	}
	return errors.Join(err, d.close())
}

func (d *Device) Abandon() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fd < 0 {
		return nil
	}
	return d.close()
}

// close needs mu.
func (d *Device) close() error {
	err := unix.Close(d.fd)
	d.fd = -1
	if err != nil {
		return fmt.Errorf("watchdog %s: close: %w", d.path, err)
	}
	return nil
}

// noWayOut asks sysfs; /dev/watchdog is the same device as /dev/watchdog0.
func noWayOut(path string) bool {
	name := filepath.Base(path)
	if name == "watchdog" {
		name = "watchdog0"
	}
	b, _ := os.ReadFile("/sys/class/watchdog/" + name + "/nowayout")
	return strings.TrimSpace(string(b)) == "1"
}

func openError(path string, err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("open watchdog %s: %w: if by systemd, set RuntimeWatchdogSec=off in /etc/systemd/system.conf, or leave the watchdog to systemd", path, ErrBusy)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("open watchdog %s: %w: %s", path, err, device.Watchdog.Denied(path))
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("open watchdog %s: %w: this machine has none, or its driver is not loaded", path, err)
	}
	return fmt.Errorf("open watchdog %s: %w", path, err)
}
