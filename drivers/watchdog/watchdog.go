// Package watchdog keeps a hardware watchdog from resetting the machine, for
// as long as its caller says that all is well.
//
// The kernel interface is Documentation/watchdog/watchdog-api.rst; all ioctl
// calls and the magic close are from there.
package watchdog

import (
	"errors"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Errors on which a caller decides, wrapped with the device and with what was
// tried. A machine without a watchdog is fs.ErrNotExist.
var (
	// ErrBusy: another holds the device, most often systemd
	// (RuntimeWatchdogSec).
	ErrBusy = errors.New("watchdog is taken")
	// ErrClosed: the device was closed.
	ErrClosed = errors.New("watchdog is closed")
)

// Watchdog is an armed watchdog. Its methods may be called from any goroutine.
type Watchdog interface {
	// Ping puts the reset off by one Timeout from now.
	Ping() error
	// Timeout is how long after the last Ping the machine is reset, as the
	// driver set it.
	Timeout() time.Duration
	// Disarm stops the watchdog and closes it. Where the kernel forbids that
	// ("nowayout") the error is ErrNoWayOut, and the machine will be reset.
	Disarm() error
	// Abandon closes it armed: the machine is reset within Timeout unless
	// somebody opens the device again. This is what a kill -9 does. (A few
	// drivers do not know the magic close and stop at any close.)
	Abandon() error
}

// ErrNoWayOut: this watchdog cannot be stopped once it was opened.
var ErrNoWayOut = errors.New("watchdog cannot be stopped (nowayout)")

// Reset says why the machine last started (WDIOC_GETBOOTSTATUS), as a set of
// bits. 0 is an ordinary start, or a driver that does not know.
type Reset uint32

const (
	ResetOverheat   Reset = unix.WDIOF_OVERHEAT
	ResetFan        Reset = unix.WDIOF_FANFAULT
	ResetExternal1  Reset = unix.WDIOF_EXTERN1
	ResetExternal2  Reset = unix.WDIOF_EXTERN2
	ResetUnderPower Reset = unix.WDIOF_POWERUNDER
	ResetWatchdog   Reset = unix.WDIOF_CARDRESET
	ResetOverPower  Reset = unix.WDIOF_POWEROVER
)

func (r Reset) String() string {
	if r == 0 {
		return "ordinary start"
	}
	var why []string
	for _, n := range []struct {
		bit  Reset
		name string
	}{
		{ResetWatchdog, "watchdog"},
		{ResetUnderPower, "under-voltage"},
		{ResetOverPower, "over-voltage"},
		{ResetOverheat, "overheating"},
		{ResetFan, "fan failure"},
		{ResetExternal1, "external relay 1"},
		{ResetExternal2, "external relay 2"},
	} {
		if r&n.bit != 0 {
			why = append(why, n.name)
			r &^= n.bit
		}
	}
	if r != 0 {
		why = append(why, "unknown cause")
	}
	return strings.Join(why, ", ")
}
