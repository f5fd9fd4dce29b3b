package serial

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestReadWriteAllocateNothing(t *testing.T) {
	for _, echo := range []bool{false, true} {
		w := newWire(t)
		p := open(t, Settings{Path: w.path, Echo: echo})
		frame, answer := []byte("\x01\x03\x00\x00\x00\x0a\xc5\xcd"), []byte("\x01\x03\x02\x12\x34\xb5\x33")
		buf, drain := make([]byte, 256), make([]byte, 4096)
		if n := testing.AllocsPerRun(200, func() {
			unix.Write(w.master, frame)
			if _, err := p.Read(buf, soon); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Read(buf, 0); !errors.Is(err, ErrTimeout) {
				t.Fatal(err)
			}
			if _, err := p.Write(answer, soon); err != nil {
				t.Fatal(err)
			}
			n, _ := unix.Read(w.master, drain)
			if echo {
				unix.Write(w.master, drain[:n])
				if _, err := p.Read(buf, 0); !errors.Is(err, ErrTimeout) {
					t.Fatal("the echo is read: ", err)
				}
			}
		}); n != 0 {
			t.Errorf("echo %v: %v allocations a round", echo, n)
		}
	}
}

func TestEchoOfOurOwnIsDropped(t *testing.T) {
	w := newWire(t)
	p := open(t, Settings{Path: w.path, Echo: true, Baud: 115200})
	frame := everyByte()
	for i := range 5 {
		if _, err := p.Write(frame, soon); err != nil {
			t.Fatal(err)
		}
		if got := w.receive(len(frame)); !bytes.Equal(got, frame) {
			t.Fatalf("%d: the wire has %d characters", i, len(got))
		}
		w.send(frame)            // the echo
		w.send([]byte("answer")) // somebody else
		if got := readFull(t, p, 6); string(got) != "answer" {
			t.Errorf("%d: read %q", i, got)
		}
	}
	// Somebody sent at the same time: the echo is not ours.
	p.Write([]byte("aaaa"), soon)
	w.receive(4)
	w.send([]byte("aaXa"))
	buf := make([]byte, 16)
	n, err := p.Read(buf, soon)
	if !errors.Is(err, ErrCorrupt) || string(buf[:n]) != "Xa" {
		t.Errorf("a clash: %q, %v", buf[:n], err)
	}
	// An echo that never came does not eat what comes much later.
	p.Write([]byte("zz"), soon)
	w.receive(2)
	time.Sleep(300 * time.Millisecond)
	w.send([]byte("zz"))
	if got := readFull(t, p, 2); string(got) != "zz" {
		t.Errorf("much later: %q", got)
	}
}

func TestReadersWritersAndClose(t *testing.T) {
	for range 50 {
		w := newWire(t)
		p, err := Open(Settings{Path: w.path})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for _, f := range []func() error{
			func() error { _, err := p.Read(make([]byte, 64), -1); return err },
			func() error { _, err := p.Write(make([]byte, 64), soon); return err },
			func() error { p.Counters(); return p.Discard() },
		} {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for f() == nil {
				}
			}()
		}
		go unix.Write(w.master, make([]byte, 256))
		time.Sleep(time.Millisecond)
		p.Close()
		wg.Wait()
		w.unplug()
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	dir := t.TempDir()
	link, file := filepath.Join(dir, "tty"), filepath.Join(dir, "file")
	os.WriteFile(file, nil, 0o600)
	round := func(i int) {
		pty, err := OpenPty(link)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Open(Settings{Path: link})
		if err != nil {
			t.Fatal(err)
		}
		bad := []Settings{{Path: file}, {Path: filepath.Join(dir, "none")}, {Path: "/dev/null"}, {Path: link, Baud: 1}}
		if i%10 == 0 { // looking for the holder takes time
			bad = append(bad, Settings{Path: link})
		}
		for _, s := range bad {
			if q, err := Open(s); err == nil {
				q.Close()
				t.Fatalf("%v opens", s)
			}
		}
		if _, err := OpenPty(file); err == nil {
			t.Fatal("a pty replaces a file")
		}
		p.Write([]byte("x"), soon)
		pty.Close()
		p.Read(make([]byte, 1), soon) // gone
		p.Close()
		w := newWire(t)
		if q, err := Open(Settings{Path: w.path, RS485: RS485RTS}); err == nil {
			q.Close()
		}
		w.unplug()
	}
	round(0)
	fds, routines := descriptors(t), runtime.NumGoroutine()
	rounds := 1000
	if testing.Short() {
		rounds = 100
	}
	for i := range rounds {
		round(i)
	}
	if n := descriptors(t); n > fds {
		t.Errorf("%d descriptors, %d before", n, fds)
	}
	if n := runtime.NumGoroutine(); n > routines {
		t.Errorf("%d goroutines, %d before", n, routines)
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

func TestRS485WithoutHardware(t *testing.T) {
	w := newWire(t)
	for _, mode := range []RS485{RS485Kernel, RS485RTS} {
		if p, err := Open(Settings{Path: w.path, RS485: mode}); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%v on a pty: %v", mode, err)
			if err == nil {
				p.Close()
			}
		}
	}
	for _, mode := range []RS485{RS485Auto, RS485Off} {
		p := open(t, Settings{Path: w.path, RS485: mode})
		if got := p.Info().RS485; got != RS485Off {
			t.Errorf("%v on a pty became %v", mode, got)
		}
		p.Close()
	}
}

func TestDiscard(t *testing.T) {
	w := newWire(t)
	p := open(t, Settings{Path: w.path})
	w.send([]byte("old"))
	time.Sleep(tick)
	if err := p.Discard(); err != nil {
		t.Fatal(err)
	}
	w.send([]byte("new"))
	if got := readFull(t, p, 3); string(got) != "new" {
		t.Errorf("%q", got)
	}
}
