package serial

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	soon = 5 * time.Second // far more than anything here needs
	tick = 20 * time.Millisecond
)

// wire is a pty whose other side the test holds bare, as hardware would be.
type wire struct {
	t      *testing.T
	master int
	path   string
}

func newWire(t *testing.T) *wire {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no ptys on this machine: %v", err)
	}
	w := &wire{t: t, master: fd}
	t.Cleanup(w.unplug)
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	w.path = fmt.Sprintf("/dev/pts/%d", n)
	return w
}

func (w *wire) unplug() {
	if w.master >= 0 {
		unix.Close(w.master)
		w.master = -1
	}
}

func (w *wire) send(b []byte) {
	w.t.Helper()
	if n, err := unix.Write(w.master, b); n != len(b) {
		w.t.Fatalf("send: %d, %v", n, err)
	}
}

// receive reads until n characters have come or nothing does for a while.
func (w *wire) receive(n int) []byte {
	w.t.Helper()
	var got []byte
	buf := make([]byte, 4096)
	for len(got) < n {
		fds := []unix.PollFd{{Fd: int32(w.master), Events: unix.POLLIN}}
		if ready, err := unix.Poll(fds, 1000); ready == 0 || (err != nil && err != unix.EINTR) {
			break
		}
		m, err := unix.Read(w.master, buf)
		if err != nil {
			break
		}
		got = append(got, buf[:m]...)
	}
	return got
}

func open(t *testing.T, s Settings) *Port {
	t.Helper()
	p, err := Open(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// readFull reads n characters in as many reads as it takes.
func readFull(t *testing.T, l Line, n int) []byte {
	t.Helper()
	var got []byte
	buf := make([]byte, 512)
	for len(got) < n {
		m, err := l.Read(buf, soon)
		if err != nil {
			t.Fatalf("after %d of %d: %v", len(got), n, err)
		}
		got = append(got, buf[:m]...)
	}
	return got
}

func everyByte() []byte {
	var all []byte
	for i := range 256 {
		all = append(all, byte(i))
	}
	// The escapes of PARMRK, one into the other.
	return append(all, 0xff, 0xff, 0x00, 0xff, 0x00, 0x00, 0xff)
}

func TestEveryByteBothWays(t *testing.T) {
	w := newWire(t)
	p := open(t, Settings{Path: w.path})
	all := everyByte()
	w.send(all)
	if got := readFull(t, p, len(all)); !bytes.Equal(got, all) {
		t.Errorf("read % x", got)
	}
	if n, err := p.Write(all, soon); n != len(all) || err != nil {
		t.Fatalf("write: %d, %v", n, err)
	}
	if got := w.receive(len(all)); !bytes.Equal(got, all) {
		t.Errorf("wrote % x", got)
	}
	// One character a read, so that every escape is cut.
	w.send(all)
	one := make([]byte, 1)
	for i, want := range all {
		if n, err := p.Read(one, soon); n != 1 || err != nil || one[0] != want {
			t.Fatalf("character %d: %d, %v, %#x, want %#x", i, n, err, one[0], want)
		}
	}
}

func TestTimeouts(t *testing.T) {
	w := newWire(t)
	p := open(t, Settings{Path: w.path})
	buf := make([]byte, 16)
	for _, d := range []time.Duration{0, time.Microsecond, 1750 * time.Microsecond, tick} {
		start := time.Now()
		n, err := p.Read(buf, d)
		if n != 0 || !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), w.path) {
			t.Errorf("read for %v: %d, %v", d, n, err)
		}
		if took := time.Since(start); took < d {
			t.Errorf("read for %v gave up after %v", d, took)
		}
	}
	w.send([]byte("now"))
	time.Sleep(tick)
	if n, err := p.Read(buf, 0); n != 3 || err != nil {
		t.Errorf("what is there already: %d, %v", n, err)
	}
	if n, err := p.Read(nil, soon); n != 0 || err != nil {
		t.Errorf("reading nothing: %d, %v", n, err)
	}
	if n, err := p.Write(nil, soon); n != 0 || err != nil {
		t.Errorf("writing nothing: %d, %v", n, err)
	}
	go func() { time.Sleep(tick); unix.Write(w.master, []byte("later")) }()
	if n, err := p.Read(buf, -1); n != 5 || err != nil {
		t.Errorf("waiting for ever: %d, %v", n, err)
	}
}

// A peer that does not read must not hold the caller, and what it did not take
// must not come out later in the middle of something else.
func TestWriteToADeafPeer(t *testing.T) {
	w := newWire(t)
	p := open(t, Settings{Path: w.path})
	big := bytes.Repeat([]byte("stale "), 50_000)
	start := time.Now()
	n, err := p.Write(big, 5*tick)
	if !errors.Is(err, ErrTimeout) || n <= 0 || n >= len(big) {
		t.Fatalf("%d of %d, %v", n, len(big), err)
	}
	if took := time.Since(start); took < 5*tick || took > soon {
		t.Errorf("it took %v", took)
	}
	// Let the master drain what had passed on already, then speak again.
	for len(w.receive(1)) > 0 {
	}
	if n, err := p.Write([]byte("fresh"), soon); n != 5 || err != nil {
		t.Fatalf("after the time-out: %d, %v", n, err)
	}
	if got := w.receive(5); string(got) != "fresh" {
		t.Errorf("the peer hears %q", got)
	}
}

func TestCloseEndsWaits(t *testing.T) {
	for name, wait := range map[string]func(p *Port) error{
		"read": func(p *Port) error { _, err := p.Read(make([]byte, 8), -1); return err },
		"write": func(p *Port) error {
			_, err := p.Write(make([]byte, 1<<20), -1)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			p := open(t, Settings{Path: w.path})
			done := make(chan error, 1)
			go func() { done <- wait(p) }()
			time.Sleep(tick)
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			select {
			case err := <-done:
				if !errors.Is(err, ErrClosed) {
					t.Errorf("%v", err)
				}
			case <-time.After(soon):
				t.Fatal("still waiting")
			}
			if err := p.Close(); err != nil {
				t.Errorf("closing twice: %v", err)
			}
			for what, err := range map[string]error{
				"read": second(p.Read(make([]byte, 1), 0)), "write": second(p.Write([]byte{1}, 0)),
				"discard": p.Discard(), "count": second(p.Counters()),
			} {
				if !errors.Is(err, ErrClosed) {
					t.Errorf("%s after close: %v", what, err)
				}
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

func TestUnplugAndBack(t *testing.T) {
	w := newWire(t)
	p := open(t, Settings{Path: w.path})
	done := make(chan error, 1)
	go func() { _, err := p.Read(make([]byte, 8), -1); done <- err }()
	time.Sleep(tick)
	w.unplug()
	select {
	case err := <-done:
		if !errors.Is(err, ErrGone) {
			t.Errorf("a read under way: %v", err)
		}
	case <-time.After(soon):
		t.Fatal("the read does not notice")
	}
	if _, err := p.Read(make([]byte, 8), soon); !errors.Is(err, ErrGone) {
		t.Errorf("the next read: %v", err)
	}
	if _, err := p.Write([]byte{1}, soon); !errors.Is(err, ErrGone) {
		t.Errorf("a write: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("closing what is gone: %v", err)
	}

	// It comes back under another number; the by-id link follows.
	link := filepath.Join(t.TempDir(), "usb-FTDI-if00-port0")
	for i := range 3 {
		w := newWire(t)
		os.Remove(link)
		if err := os.Symlink(w.path, link); err != nil {
			t.Fatal(err)
		}
		p := open(t, Settings{Path: link})
		if in := p.Info(); in.Path != link || in.Device != w.path {
			t.Errorf("%d: %+v", i, in)
		}
		w.send([]byte("hello"))
		if got := readFull(t, p, 5); string(got) != "hello" {
			t.Errorf("%d: %q", i, got)
		}
		w.unplug()
		if _, err := p.Read(make([]byte, 8), soon); !errors.Is(err, ErrGone) || !strings.Contains(err.Error(), link) {
			t.Errorf("%d: %v", i, err)
		}
		p.Close()
	}
	os.Remove(link)
	if _, err := Open(Settings{Path: link}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("while it is out: %v", err)
	}
}

func TestTakenPorts(t *testing.T) {
	w := newWire(t)
	p := open(t, Settings{Path: w.path})
	_, err := Open(Settings{Path: w.path})
	if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
		t.Errorf("our own second open: %v", err)
	}
	p.Close()
	p = open(t, Settings{Path: w.path}) // free again
	p.Close()

	// A program that only sets TIOCEXCL, seen even by root, whom the kernel
	// would let in.
	fd, err := unix.Open(w.path, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.IoctlSetInt(fd, unix.TIOCEXCL, 0)
	if _, err := Open(Settings{Path: w.path}); !errors.Is(err, ErrBusy) {
		t.Errorf("against TIOCEXCL: %v", err)
	}
	unix.IoctlSetInt(fd, unix.TIOCNXCL, 0)
	// One that only takes a flock.
	unix.Flock(fd, unix.LOCK_EX)
	if _, err := Open(Settings{Path: w.path}); !errors.Is(err, ErrBusy) {
		t.Errorf("against flock: %v", err)
	}
	unix.Close(fd)
	// And ours keeps others out.
	p = open(t, Settings{Path: w.path})
	if excl, err := unix.IoctlGetInt(p.fd, unix.TIOCGEXCL); err != nil || excl == 0 {
		t.Errorf("the port is not exclusive: %d, %v", excl, err)
	}
}

// A login on the port locks nothing; it is found all the same.
func TestPortWithALogin(t *testing.T) {
	w := newWire(t)
	tty, err := os.OpenFile(w.path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sleep", "60")
	cmd.Stdin = tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = cmd.Start()
	tty.Close()
	if err != nil {
		t.Skipf("no process on a terminal of its own: %v", err)
	}
	_, err = Open(Settings{Path: w.path})
	cmd.Process.Kill()
	cmd.Wait()
	if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), fmt.Sprintf("sleep (process %d)", cmd.Process.Pid)) {
		t.Errorf("%v", err)
	}
	// When it has gone the port is free (the hang-up of its end can still be
	// under way).
	w = newWire(t)
	open(t, Settings{Path: w.path})
}

// A container has a /dev/pts of its own, whose numbers begin at 0 again.
func TestTerminalOfAContainer(t *testing.T) {
	other := t.TempDir()
	if err := unix.Mount("devpts", other, "devpts", 0, "newinstance,ptmxmode=0666"); err != nil {
		t.Skipf("no devpts of its own can be mounted: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(other, unix.MNT_DETACH) })
	w := newWire(t)
	name, err := os.Readlink(w.path)
	if err != nil {
		name = w.path
	}
	// Its numbers are given from 0 on: until one is that of the port.
	for tries := 0; ; tries++ {
		master, err := os.OpenFile(filepath.Join(other, "ptmx"), os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil || tries == 500 {
			t.Skipf("no terminal there with the number of %s: %v", name, err)
		}
		defer master.Close()
		if n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN); err != nil || strconv.Itoa(n) != filepath.Base(name) {
			continue
		}
		unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
		break
	}
	tty, err := os.OpenFile(filepath.Join(other, filepath.Base(name)), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sleep", "60")
	cmd.Stdin = tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = cmd.Start()
	tty.Close()
	if err != nil {
		t.Skipf("no process on a terminal of its own: %v", err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	open(t, Settings{Path: w.path})
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	os.WriteFile(file, nil, 0o600)
	for path, want := range map[string]struct {
		is   error
		text string
	}{
		filepath.Join(dir, "ttyUSB7"): {fs.ErrNotExist, "serial port"},
		file:                          {unix.ENOTTY, "is no serial port"},
		"/dev/null":                   {unix.ENOTTY, "is no serial port"},
		dir:                           {unix.EISDIR, dir},
		"":                            {nil, "no serial port is named"},
	} {
		p, err := Open(Settings{Path: path})
		if err == nil {
			p.Close()
			t.Errorf("%q opens", path)
			continue
		}
		if (want.is != nil && !errors.Is(err, want.is)) || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%q: %v, want %v and %q", path, err, want.is, want.text)
		}
	}
	// The console, where the machine has a serial one.
	active := strings.Fields(text("/sys/class/tty/console/active"))
	for _, c := range active {
		if p, err := Open(Settings{Path: "/dev/" + c}); err == nil {
			p.Close()
			t.Errorf("the console %s opens", c)
		} else if _, serr := os.Stat("/dev/" + c); serr == nil && (!errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "console")) {
			t.Errorf("the console %s: %v", c, err)
		}
	}
}

func TestNoPermissionNamesTheGroup(t *testing.T) {
	w := newWire(t)
	if err := os.Chmod(w.path, 0o620); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		// As root nothing is forbidden: let this thread ask as nobody.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		unix.Setfsuid(65534)
		defer unix.Setfsuid(0)
	} else if err := os.Chmod(w.path, 0); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Settings{Path: w.path})
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "usermod -aG") {
		t.Fatalf("%v", err)
	}
}

func TestTermios(t *testing.T) {
	w := newWire(t)
	for _, baud := range []int{1200, 9600, 12345, 19200, 115200, 187500, 250000, 500000, 921600} {
		p := open(t, Settings{Path: w.path, Baud: baud})
		if got := p.Info().Baud; got != baud {
			t.Errorf("%d baud became %d", baud, got)
		}
		tio, err := unix.IoctlGetTermios(p.fd, unix.TCGETS2)
		if err != nil {
			t.Fatal(err)
		}
		if int(tio.Ospeed) != baud || int(tio.Ispeed) != baud {
			t.Errorf("%d baud: %d out, %d in", baud, tio.Ospeed, tio.Ispeed)
		}
		if tio.Lflag != 0 || tio.Oflag != 0 || tio.Iflag != unix.INPCK|unix.PARMRK || tio.Cflag&(unix.CREAD|unix.CLOCAL|unix.CRTSCTS) != unix.CREAD|unix.CLOCAL {
			t.Errorf("not raw: iflag %#x oflag %#x cflag %#x lflag %#x", tio.Iflag, tio.Oflag, tio.Cflag, tio.Lflag)
		}
		p.Close()
	}
	// A pty ignores the format, but the stop bits show that it was asked for.
	p := open(t, Settings{Path: w.path, DataBits: 7, Parity: OddParity, StopBits: 2})
	tio, _ := unix.IoctlGetTermios(p.fd, unix.TCGETS2)
	if tio.Cflag&unix.CSTOPB == 0 || tio.Cflag&unix.PARODD == 0 {
		t.Errorf("cflag %#x", tio.Cflag)
	}
}
