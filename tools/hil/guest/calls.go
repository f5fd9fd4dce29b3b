package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"mien/drivers/camera"
	"mien/drivers/camera/v4l2"
	"mien/drivers/device"
	"mien/firmware/operator"
	"mien/tools/hil/wire"
)

// calls are the agent's own functions: what needs a system call that no shell
// command of this bare machine makes.
var calls = map[string]func(json.RawMessage) (any, error){
	"insmod":    with(func(p []string) (any, error) { return nil, insmod(p[0], strings.Join(p[1:], " ")) }),
	"rmmod":     with(func(p string) (any, error) { return nil, unix.DeleteModule(p, 0) }),
	"mount":     with(func(p []string) (any, error) { return nil, mount(p[0], p[1], p[2], p[3]) }),
	"umount":    with(func(p string) (any, error) { return nil, unix.Unmount(p, 0) }),
	"glob":      with(func(p string) (any, error) { return filepath.Glob(p) }),
	"chmod":     with(func(p wire.Control) (any, error) { return nil, os.Chmod(p.Name, os.FileMode(p.Value)) }),
	"chown":     with(func(p wire.Control) (any, error) { return nil, os.Chown(p.Name, int(p.Value), int(p.Value)) }),
	"write":     with(func(p []string) (any, error) { return nil, writeTo(p[0], p[1]) }),
	"remove":    with(func(p string) (any, error) { return nil, os.RemoveAll(p) }),
	"fill":      with(fill),
	"clock":     with(func(p time.Time) (any, error) { return nil, setClock(p) }),
	"now":       with(func(struct{}) (any, error) { return time.Now(), nil }),
	"status":    with(processes),
	"icount":    with(icount),
	"kernellog": with(func(struct{}) (any, error) { return kernelLog() }),
	"ask":       with(ask),
	"hold":      with(hold),
	"unhold":    with(unhold),
	"spoil":     with(spoil),
	"restore":   with(restore),
	"kill":      with(func(p [2]int) (any, error) { return nil, unix.Kill(p[0], unix.Signal(p[1])) }),
	"control":   with(func(p wire.Control) (any, error) { return nil, setControl(p.Device, p.Name, p.Value) }),
	"timings":   with(func(p wire.Node) (any, error) { return nil, setTimings(p.Device, p.Width, p.Height) }),
	"format":    with(setFormat),
	"show":      with(func(p wire.Show) (any, error) { return nil, player.show(p) }),
	"play":      with(func(p string) (any, error) { return nil, player.start(p) }),
	"stopplay":  with(func(struct{}) (any, error) { return nil, player.stop() }),
	"capture":   with(capture),
	"plug":      with(plug),
	"unplug":    with(unplug),
	"usbshow":   with(usbShow),
}

// with gives f its parameter out of JSON.
func with[T any](f func(T) (any, error)) func(json.RawMessage) (any, error) {
	return func(data json.RawMessage) (any, error) {
		var p T
		if len(data) > 0 {
			if err := json.Unmarshal(data, &p); err != nil {
				return nil, err
			}
		}
		return f(p)
	}
}

func mount(source, at, kind, options string) error {
	var flags uintptr
	var rest []string
	for _, o := range strings.Split(options, ",") {
		switch o {
		case "ro":
			flags |= unix.MS_RDONLY
		case "remount":
			flags |= unix.MS_REMOUNT
		case "":
		default:
			rest = append(rest, o)
		}
	}
	os.MkdirAll(at, 0o755)
	return unix.Mount(source, at, kind, flags, strings.Join(rest, ","))
}

// writeTo writes a text to a file of /sys or /proc.
func writeTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// fill leaves no byte free on the file system of a path, which it writes.
func fill(path string) (any, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for size := 1 << 16; size > 0; size /= 2 {
		for b := bytes.Repeat([]byte{0xa5}, size); ; {
			if _, err = f.Write(b); err != nil {
				break
			}
		}
	}
	if !errors.Is(err, unix.ENOSPC) {
		return nil, err
	}
	return nil, f.Sync()
}

// kernelLog gives what the kernel has said, as dmesg does.
func kernelLog() (string, error) {
	b := make([]byte, 1<<20)
	n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, b)
	return string(b[:max(n, 0)]), err
}

func setClock(t time.Time) error {
	tv := unix.NsecToTimeval(t.UnixNano())
	return unix.Settimeofday(&tv)
}

// processes gives /proc/PID/status, the network interfaces and the descriptors
// of each process whose command line begins with the text.
func processes(text string) (any, error) {
	list, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	var found []map[string]string
	for _, path := range list {
		line, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(strings.ReplaceAll(string(line), "\x00", " "), text) {
			continue
		}
		dir := filepath.Dir(path)
		one := map[string]string{"pid": filepath.Base(dir)}
		for _, name := range []string{"status", "net/dev", "oom_score_adj"} {
			b, _ := os.ReadFile(filepath.Join(dir, name)) // the process may be gone: then it is empty
			one[name] = string(b)
		}
		fds, _ := os.ReadDir(filepath.Join(dir, "fd"))
		for _, fd := range fds {
			to, _ := os.Readlink(filepath.Join(dir, "fd", fd.Name()))
			one["fd"] += to + "\n"
		}
		found = append(found, one)
	}
	return found, nil
}

// icount gives the kernel's counts of what a serial port lost
// (TIOCGICOUNT, struct serial_icounter_struct of include/uapi/linux/serial.h).
func icount(path string) (any, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer unix.Close(fd)
	var c struct {
		cts, dsr, rng, dcd, rx, tx, frame, overrun, parity, brk, bufOverrun uint32
		_                                                                   [9]uint32
	}
	if err := ioctl(fd, unix.TIOCGICOUNT, unsafe.Pointer(&c)); err != nil {
		return nil, fmt.Errorf("%s: counts: %w", path, err)
	}
	return map[string]uint32{"rx": c.rx, "tx": c.tx, "frame": c.frame, "overrun": c.overrun, "parity": c.parity, "brk": c.brk, "buf_overrun": c.bufOverrun}, nil
}

// ask asks the unit at its socket, as its own commands do.
func ask(r operator.Request) (any, error) {
	c, err := operator.Dial("/run/mien/mien.sock")
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Ask(r)
}

// capture takes frames as the unit does: through drivers/camera.
func capture(p wire.Capture) (any, error) {
	src, err := v4l2.Open(v4l2.Settings{Device: p.Device, Format: p.Format, Width: p.Width, Height: p.Height, Stride: p.Stride})
	if err != nil {
		return nil, err
	}
	defer src.Close()
	i := src.Info()
	c := wire.Captured{Device: i.Device, Format: camera.FormatName(i.Format), Width: i.Width, Height: i.Height, Stride: i.Stride}
	for len(c.Frames) < p.Frames {
		f, err := src.Next(10 * time.Second)
		if err != nil {
			return c, fmt.Errorf("after %d frames: %w", len(c.Frames), err)
		}
		age := device.Now() - f.Time
		sum := sha256.Sum256(f.Data)
		one := wire.Picture{Sequence: f.Sequence, Time: f.Time, Age: age, Lost: f.Lost, Size: len(f.Data), Sum: hex.EncodeToString(sum[:])}
		c.Frames = append(c.Frames, one)
		if err := src.Release(); err != nil {
			return c, err
		}
		if one.Sum == p.Want {
			break
		}
	}
	c.Stamped = src.Info().Stamped
	return c, nil
}
