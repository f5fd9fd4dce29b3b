package serial

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Real ports are only used where the environment names some that may be:
//
//	MIEN_TEST_SERIAL=A,B        two ports joined by a crossed cable
//	MIEN_TEST_SERIAL_RS485=P    a port whose driver switches RS-485 itself
//	MIEN_TEST_SERIAL_BREAK=P    a port on which somebody sends a break every
//	                            second
//	MIEN_TEST_SERIAL_UNPLUG=P   a port that somebody takes away and brings back
//	                            every few seconds
func realPorts(t *testing.T) (a, b string) {
	t.Helper()
	a, b, ok := strings.Cut(os.Getenv("MIEN_TEST_SERIAL"), ",")
	if !ok {
		t.Skip("needs two serial ports joined by a crossed cable: set MIEN_TEST_SERIAL to their paths")
	}
	return a, b
}

func namedPort(t *testing.T, name, what string) string {
	t.Helper()
	path := os.Getenv(name)
	if path == "" {
		t.Skipf("needs %s: set %s to its path", what, name)
	}
	return path
}

func TestRealPortsInEveryFormat(t *testing.T) {
	pathA, pathB := realPorts(t)
	for _, baud := range []int{1200, 9600, 12345, 19200, 115200} {
		for _, bits := range []int{7, 8} {
			for _, parity := range []Parity{NoParity, EvenParity, OddParity} {
				for _, stop := range []int{1, 2} {
					s := Settings{Path: pathA, Baud: baud, DataBits: bits, Parity: parity, StopBits: stop}
					a := open(t, s)
					s.Path = pathB
					b := open(t, s)
					text := []byte("format " + s.String())
					for _, ends := range [][2]*Port{{a, b}, {b, a}} {
						if n, err := ends[0].Write(text, soon); n != len(text) || err != nil {
							t.Errorf("%v: write %d, %v", s, n, err)
						}
						if got := readFull(t, ends[1], len(text)); !bytes.Equal(got, text) {
							t.Errorf("%v: %q", s, got)
						}
					}
					a.Close()
					b.Close()
				}
			}
		}
	}
}

func TestRealPortsCarryEveryByte(t *testing.T) {
	pathA, pathB := realPorts(t)
	a, b := open(t, Settings{Path: pathA, Baud: 115200}), open(t, Settings{Path: pathB, Baud: 115200})
	t.Logf("%+v", a.Info())
	all := bytes.Repeat(everyByte(), 8)
	go a.Write(all, time.Minute)
	if got := readFull(t, b, len(all)); !bytes.Equal(got, all) {
		t.Error("what arrives is not what was sent")
	}
	if _, err := Open(Settings{Path: pathA}); !errors.Is(err, ErrBusy) {
		t.Errorf("a second open: %v", err)
	}
	if c, err := b.Counters(); err == nil {
		t.Logf("%+v", c)
		if c.Received < uint32(len(all)) {
			t.Errorf("%+v", c)
		}
	} else if !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
}

// RTS by hand: up while the characters go out, down after the last.
func TestRealPortSwitchesRTSByHand(t *testing.T) {
	path, peer := realPorts(t)
	b := open(t, Settings{Path: peer})
	for _, low := range []bool{false, true} {
		for _, mode := range []RS485{RS485RTS, RS485Auto} {
			p := open(t, Settings{Path: path, RS485: mode, RTSLowToSend: low, BeforeSend: 20 * time.Millisecond, AfterSend: 20 * time.Millisecond})
			if got := p.Info().RS485; got == RS485Kernel && mode == RS485Auto {
				t.Log("auto: the driver does it")
				p.Close()
				continue
			} else if got != RS485RTS {
				t.Errorf("%v became %v", mode, got)
			}
			rts := func() bool {
				v, err := unix.IoctlGetInt(p.fd, unix.TIOCMGET)
				if err != nil {
					t.Fatal(err)
				}
				return v&unix.TIOCM_RTS != 0
			}
			if rts() != low {
				t.Errorf("%v, low %v: RTS is %v before", mode, low, rts())
			}
			done := make(chan error, 1)
			start := time.Now()
			go func() { _, err := p.Write(bytes.Repeat([]byte("x"), 100), soon); done <- err }()
			time.Sleep(10 * time.Millisecond)
			if rts() == low {
				t.Errorf("%v, low %v: RTS is %v while sending", mode, low, rts())
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			// 100 characters of 10 bits at 19,200 baud are 52 ms.
			if took := time.Since(start); took < 92*time.Millisecond {
				t.Errorf("%v: it took %v", mode, took)
			}
			if rts() != low {
				t.Errorf("%v, low %v: RTS is %v after", mode, low, rts())
			}
			readFull(t, b, 100)
			p.Close()
		}
	}
}

func TestRealDriverSwitchesRS485(t *testing.T) {
	path := namedPort(t, "MIEN_TEST_SERIAL_RS485", "a port whose driver switches RS-485")
	for _, mode := range []RS485{RS485Kernel, RS485Auto} {
		p := open(t, Settings{Path: path, RS485: mode, AfterSend: 3 * time.Millisecond})
		if p.Info().RS485 != RS485Kernel {
			t.Errorf("%v became %v", mode, p.Info().RS485)
		}
		var c rs485Config
		if err := getRS485(p.fd, &c); err != nil || c.flags&(rs485Enabled|rs485RTSOnSend) != rs485Enabled|rs485RTSOnSend {
			t.Errorf("%+v, %v", c, err)
		}
		if n, err := p.Write([]byte("hello"), soon); n != 5 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		p.Close()
	}
	p := open(t, Settings{Path: path})
	var c rs485Config
	if err := getRS485(p.fd, &c); err != nil || c.flags&rs485Enabled != 0 {
		t.Errorf("close leaves it on: %+v, %v", c, err)
	}
}

func TestRealBreakIsCorrupt(t *testing.T) {
	p := open(t, Settings{Path: namedPort(t, "MIEN_TEST_SERIAL_BREAK", "a port with breaks on it")})
	buf := make([]byte, 64)
	for range 3 {
		n, err := p.Read(buf, 10*time.Second)
		if !errors.Is(err, ErrCorrupt) || n != 1 || buf[0] != 0 {
			t.Errorf("% x, %v", buf[:n], err)
		}
	}
	if c, err := p.Counters(); err != nil || c.Breaks == 0 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestRealPortUnplugged(t *testing.T) {
	path := namedPort(t, "MIEN_TEST_SERIAL_UNPLUG", "a port that comes and goes")
	fds := 0
	for i := range 3 {
		var p *Port
		for end := time.Now().Add(time.Minute); ; {
			var err error
			if p, err = Open(Settings{Path: path}); err == nil {
				break
			}
			if time.Now().After(end) {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Logf("%+v", p.Info())
		if _, err := p.Read(make([]byte, 8), time.Minute); !errors.Is(err, ErrGone) {
			t.Errorf("%d: %v", i, err)
		}
		if _, err := p.Write([]byte("x"), time.Second); !errors.Is(err, ErrGone) {
			t.Errorf("%d: %v", i, err)
		}
		if err := p.Close(); err != nil {
			t.Errorf("%d: %v", i, err)
		}
		n := descriptors(t)
		if fds != 0 && n > fds {
			t.Errorf("%d: %d descriptors, %d before", i, n, fds)
		}
		fds = n
	}
}

func TestRealList(t *testing.T) {
	ports, err := List()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, p := range ports {
		t.Logf("%+v", p)
		all = append(all, p.Path)
	}
	a, b := realPorts(t)
	for _, want := range []string{a, b} {
		if !strings.Contains(fmt.Sprint(all), want) {
			t.Errorf("%s is not among %v", want, all)
		}
	}
}
