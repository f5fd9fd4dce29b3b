package serial

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"mien/drivers/device"
)

// Open opens and sets up a port for itself alone: the path is locked for
// programs that look at locks (flock) and for all others (TIOCEXCL). Opening
// may make the modem lines flicker; that is the kernel's doing.
func Open(s Settings) (*Port, error) {
	s = s.withDefaults()
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("serial port %w", err)
	}
	fd, node, err := openTTY(s.Path)
	if err != nil {
		return nil, err
	}
	p := &Port{fd: fd, marked: true, char: s.CharacterTime(),
		rtsLow: s.RTSLowToSend, before: s.BeforeSend, after: s.AfterSend}
	p.named(s.Path)
	p.info = Info{Path: s.Path, Device: node}
	p.echo.on = s.Echo
	if err := p.setUp(s); err != nil {
		p.release()
		return nil, fmt.Errorf("serial port %s: %w", s.Path, err)
	}
	return p, nil
}

// openTTY opens and locks. On an error nothing stays open.
func openTTY(path string) (fd int, node string, err error) {
	node, err = filepath.EvalSymlinks(path)
	if err == nil {
		err = refuseConsole(node)
	}
	if err != nil {
		return -1, "", openError(path, path, err)
	}
	fd, err = device.Open(node, unix.O_RDWR)
	if err != nil {
		return -1, "", openError(path, node, err)
	}
	if _, err = unix.IoctlGetTermios(fd, unix.TCGETS2); err != nil {
		err = fmt.Errorf("is no serial port: %w", err)
	} else if err = refuseTerminal(fd, node); err == nil {
		err = lock(fd)
	}
	if err != nil {
		unix.Close(fd)
		return -1, "", openError(path, node, err)
	}
	return fd, node, nil
}

// refuseTerminal keeps off a port on which a login waits, or somebody works:
// it would eat half of what comes in. Locks do not show that, but the process
// has the tty as its terminal, which anybody may read in /proc/PID/stat.
func refuseTerminal(fd int, node string) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	major, minor := unix.Major(uint64(st.Rdev)), unix.Minor(uint64(st.Rdev))
	nr := strconv.FormatUint(uint64(minor&0xff|major<<8|(minor&^0xff)<<12), 10)
	procs, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range procs {
		stat := text(file)
		// "PID (NAME) STATE PPID PGRP SESSION TTY_NR …"; NAME can hold anything.
		end := strings.LastIndexByte(stat, ')')
		if end < 0 {
			continue // it has ended
		}
		if f := strings.Fields(stat[end+1:]); len(f) > 4 && f[4] == nr && !elsewhere(filepath.Dir(file), st) {
			pid, name, _ := strings.Cut(stat[:end], " (")
			return fmt.Errorf("%s (process %s) has it as its terminal; a login is ended by systemctl disable --now serial-getty@%s, on a Jetson nvgetty: %w",
				name, pid, filepath.Base(node), ErrBusy)
		}
	}
	return nil
}

// elsewhere reports whether the terminal that a process (/proc/PID) has open has
// the number of the port st and is another one: each container with a /dev/pts of
// its own counts pseudo-terminals from 0.
func elsewhere(proc string, st unix.Stat_t) bool {
	for _, n := range []string{"0", "1", "2"} {
		var its unix.Stat_t
		if unix.Stat(filepath.Join(proc, "fd", n), &its) == nil && its.Mode&unix.S_IFMT == unix.S_IFCHR && its.Rdev == st.Rdev && its.Dev != st.Dev {
			major := unix.Major(uint64(st.Rdev))
			return major >= 136 && major <= 143 // Documentation/admin-guide/devices.txt: Unix98 pty slaves
		}
	}
	return false
}

// lock keeps others out. TIOCEXCL alone does not bind programs that run as
// root, so the flag is looked at as well, and a flock taken.
func lock(fd int) error {
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return unix.EBUSY
	}
	if excl, err := unix.IoctlGetInt(fd, unix.TIOCGEXCL); err == nil && excl != 0 {
		return unix.EBUSY
	}
	if err := unix.IoctlSetInt(fd, unix.TIOCEXCL, 0); err != nil {
		return fmt.Errorf("TIOCEXCL: %w", err)
	}
	return nil
}

func (p *Port) setUp(s Settings) error {
	var err error
	if p.bell, err = device.NewBell(); err != nil {
		return err
	}
	if p.info.Baud, err = setTermios(p.fd, s); err != nil {
		return err
	}
	if err := p.setDirection(s); err != nil {
		return err
	}
	p.info.LowLatency = setLowLatency(p.fd)
	if err := unix.IoctlSetInt(p.fd, unix.TCFLSH, unix.TCIOFLUSH); err != nil {
		return fmt.Errorf("flush: %w", gone(err))
	}
	return nil
}

// setTermios sets the character format and reads it back, because a driver may
// take what it cannot do without an error.
func setTermios(fd int, s Settings) (baud int, err error) {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS2)
	if err != nil {
		return 0, fmt.Errorf("TCGETS2: %w", gone(err))
	}
	raw(t)
	// Without HUPCL the modem lines stand still when the port is closed, so a
	// transceiver on RTS stays at receiving.
	t.Cflag &^= unix.HUPCL | unix.CSIZE | unix.PARENB | unix.PARODD | unix.CMSPAR | unix.CSTOPB | unix.CRTSCTS | unix.CBAUD | unix.CBAUD<<unix.IBSHIFT
	t.Cflag |= unix.CREAD | unix.CLOCAL | unix.BOTHER
	if s.DataBits == 7 {
		t.Cflag |= unix.CS7
	} else {
		t.Cflag |= unix.CS8
	}
	switch s.Parity {
	case EvenParity:
		t.Cflag |= unix.PARENB
	case OddParity:
		t.Cflag |= unix.PARENB | unix.PARODD
	}
	if s.StopBits == 2 {
		t.Cflag |= unix.CSTOPB
	}
	t.Ispeed, t.Ospeed = uint32(s.Baud), uint32(s.Baud)
	want := t.Cflag
	if err := unix.IoctlSetTermios(fd, unix.TCSETS2, t); err != nil {
		return 0, fmt.Errorf("TCSETS2: %w", gone(err))
	}
	if t, err = unix.IoctlGetTermios(fd, unix.TCGETS2); err != nil {
		return 0, fmt.Errorf("TCGETS2: %w", gone(err))
	}
	baud = int(t.Ospeed)
	// A receiver that samples in the middle of the bits stands 4 % between both
	// sides; half of it is the other side's.
	if math.Abs(float64(baud-s.Baud)) > 0.02*float64(s.Baud) {
		return 0, fmt.Errorf("%d baud: the driver offers %d: %w", s.Baud, baud, ErrUnsupported)
	}
	const format = unix.CSIZE | unix.PARENB | unix.PARODD | unix.CSTOPB
	if t.Cflag&format != want&format && !isPty(fd) {
		return 0, fmt.Errorf("%d data bits, %v parity, %d stop bits: %w", s.DataBits, s.Parity, s.StopBits, ErrUnsupported)
	}
	return baud, nil
}

// raw hands characters through as they come, marks bad ones, and waits for one
// character at least, so that end of file stands for a line that is gone.
// INPCK is on without parity too: it makes framing errors visible.
func raw(t *unix.Termios) {
	t.Iflag = unix.INPCK | unix.PARMRK
	t.Oflag, t.Lflag = 0, 0
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
}

// isPty: a pty has no wire, and its driver says 8N1 to everything. Major
// numbers 136 to 143 are its slaves (Documentation/admin-guide/devices.txt).
func isPty(fd int) bool {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return false
	}
	major := unix.Major(uint64(st.Rdev))
	return major >= 136 && major <= 143
}

// refuseConsole keeps off the port that the kernel talks on: its messages
// would go out among our frames, and a login would answer a PLC.
func refuseConsole(node string) error {
	active, err := os.ReadFile("/sys/class/tty/console/active")
	if err != nil {
		return nil
	}
	name := filepath.Base(node)
	for _, c := range strings.Fields(string(active)) {
		if c == name && strings.HasPrefix(node, "/dev/tty") {
			return fmt.Errorf("it is the system console: free it (on a Raspberry Pi raspi-config: Serial Port, no login shell; elsewhere remove console=%s from the kernel's command line and run systemctl disable --now serial-getty@%s): %w", name, name, ErrBusy)
		}
	}
	return nil
}

// openError turns the kernel's answers into what a person can do.
func openError(path, node string, err error) error {
	switch {
	case errors.Is(err, ErrBusy):
		return fmt.Errorf("open serial port %s: %w", path, err)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("open serial port %s: %s: %w", path, holder(node), ErrBusy)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("open serial port %s: %w: %s", path, fs.ErrNotExist, present())
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("open serial port %s: %w: %s", path, fs.ErrPermission, device.Serial.Denied(node))
	}
	return fmt.Errorf("open serial port %s: %w", path, gone(err))
}

// present lists the ports there are, for the message of one that is missing.
func present() string {
	ports, _ := List()
	var names []string
	for _, p := range ports {
		names = append(names, p.Best())
	}
	if len(names) == 0 {
		return "this machine has no serial port; is the adapter plugged in?"
	}
	return "there are " + strings.Join(names, ", ")
}

// holder names the program that has a port open, as far as this user may look.
func holder(node string) string {
	if held := device.Holders("/proc", func(path string) bool { return path == node })[node]; len(held) > 0 {
		return strings.Join(held, ", ") + " has it"
	}
	return "another program has it"
}

// setLowLatency asks drivers on USB to hand characters up at once instead of
// up to 16 ms later. It is struct serial_struct of linux/serial.h: flags are
// the fifth 32-bit word, ASYNC_LOW_LATENCY is bit 13.
func setLowLatency(fd int) bool {
	var s [32]uint32 // larger than the struct on any architecture
	const flags, lowLatency = 4, 1 << 13
	if ioctl(fd, unix.TIOCGSERIAL, &s) != nil {
		return false
	}
	if s[flags]&lowLatency != 0 {
		return true
	}
	s[flags] |= lowLatency
	return ioctl(fd, unix.TIOCSSERIAL, &s) == nil
}

// Counters are the driver's own counts since it was loaded (TIOCGICOUNT). Not
// every driver keeps them.
type Counters struct {
	Received, Sent          uint32 // characters
	Parity, Framing, Breaks uint32 // bad ones received
	Overruns                uint32 // lost in the UART: the machine was too slow
	Dropped                 uint32 // lost in the kernel: nobody read
}

// Counters asks the driver.
func (p *Port) Counters() (Counters, error) {
	var c [20]uint32 // struct serial_icounter_struct
	p.wr.Lock()
	defer p.wr.Unlock()
	if p.closed.Load() {
		return Counters{}, p.failed("count", ErrClosed)
	}
	if err := ioctl(p.fd, unix.TIOCGICOUNT, &c); err != nil {
		if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EINVAL) {
			err = ErrUnsupported
		}
		return Counters{}, p.failed("count", gone(err))
	}
	return Counters{Received: c[4], Sent: c[5], Framing: c[6], Overruns: c[7], Parity: c[8], Breaks: c[9], Dropped: c[10]}, nil
}

// CharacterTime is how long one character is on the wire.
func (p *Port) CharacterTime() time.Duration { return p.char }
