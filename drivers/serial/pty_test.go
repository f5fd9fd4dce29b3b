package serial

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func openPtyT(t *testing.T, link string) *Pty {
	t.Helper()
	p, err := OpenPty(link)
	if err != nil {
		if _, serr := os.Stat("/dev/ptmx"); serr != nil {
			t.Skipf("no ptys on this machine: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestPtyIsAPortForOthers(t *testing.T) {
	link := filepath.Join(t.TempDir(), "ttyPLC")
	ours := openPtyT(t, link)
	if ours.Peer() != link || ours.Info().Path != link {
		t.Errorf("peer %q, info %+v", ours.Peer(), ours.Info())
	}
	// Programs come, talk, and go; the pty does not mind.
	for i := range 5 {
		theirs, err := Open(Settings{Path: link, Baud: 115200})
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		all := everyByte()
		if n, err := theirs.Write(all, soon); n != len(all) || err != nil {
			t.Fatalf("%d: %d, %v", i, n, err)
		}
		if got := readFull(t, ours, len(all)); !bytes.Equal(got, all) {
			t.Errorf("%d: we read % x", i, got)
		}
		if n, err := ours.Write(all, soon); n != len(all) || err != nil {
			t.Fatalf("%d: %d, %v", i, n, err)
		}
		if got := readFull(t, theirs, len(all)); !bytes.Equal(got, all) {
			t.Errorf("%d: they read % x", i, got)
		}
		theirs.Close()
		if _, err := ours.Read(make([]byte, 8), 0); !errors.Is(err, ErrTimeout) {
			t.Errorf("%d: after they left: %v", i, err)
		}
	}
	theirs := open(t, Settings{Path: link})
	ours.Close()
	if _, err := theirs.Read(make([]byte, 8), soon); !errors.Is(err, ErrGone) {
		t.Errorf("after we left: %v", err)
	}
	if _, err := os.Lstat(link); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the link is still there: %v", err)
	}
	if err := ours.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	if _, err := ours.Write([]byte{1}, soon); !errors.Is(err, ErrClosed) {
		t.Errorf("writing after: %v", err)
	}
	if _, err := ours.Read([]byte{1}, 0); !errors.Is(err, ErrClosed) {
		t.Errorf("reading after: %v", err)
	}
}

// What nobody listens to is lost, as on a wire: no write ever fails or waits
// for it, and who comes late hears the latest, not an hour of history.
func TestPtyWithoutListener(t *testing.T) {
	ours := openPtyT(t, "")
	for i := range 600 {
		line := fmt.Sprintf("line %06d %s\r\n", i, strings.Repeat("x", 80))
		if n, err := ours.Write([]byte(line), soon); n != len(line) || err != nil {
			t.Fatalf("line %d: %d, %v", i, n, err)
		}
	}
	fd, err := unix.Open(ours.Peer(), unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var got []byte
	buf := make([]byte, 8192)
	for {
		n, err := unix.Read(fd, buf)
		if n <= 0 || err != nil {
			break
		}
		got = append(got, buf[:n]...)
	}
	if len(got) > 32<<10 || !strings.Contains(string(got), "line 000599") || strings.Contains(string(got), "line 0001") {
		t.Errorf("%d characters left, from %.20q to %.20q", len(got), got, got[max(len(got)-96, 0):])
	}
	// One that is larger than all buffers cannot go through, and ends.
	if _, err := ours.Write(make([]byte, 1<<20), time.Second); !errors.Is(err, ErrTimeout) {
		t.Errorf("a large one: %v", err)
	}
}

// A listener that is only slow loses nothing.
func TestPtySlowListener(t *testing.T) {
	ours := openPtyT(t, "")
	theirs := open(t, Settings{Path: ours.Peer()})
	const lines, size = 200, 100
	var got []byte
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64)
		for len(got) < lines*size {
			n, err := theirs.Read(buf, soon)
			if err != nil {
				return
			}
			got = append(got, buf[:n]...)
			if len(got)%512 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	for i := range lines {
		if _, err := ours.Write([]byte(fmt.Sprintf("%06d%s\n", i, strings.Repeat("x", size-7))), soon); err != nil {
			t.Fatal(err)
		}
	}
	<-done
	for i := range lines {
		if !strings.Contains(string(got), fmt.Sprintf("%06dx", i)) {
			t.Fatalf("line %d is lost", i)
		}
	}
}

// A program that claims the port for itself and dies must not lock it.
func TestPtyAfterAnExclusiveProgram(t *testing.T) {
	ours := openPtyT(t, "")
	fd, err := unix.Open(ours.Peer(), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.IoctlSetInt(fd, unix.TIOCEXCL, 0)
	if p, err := Open(Settings{Path: ours.Peer()}); !errors.Is(err, ErrBusy) {
		t.Errorf("while it has the port: %v", err)
		if err == nil {
			p.Close()
		}
	}
	unix.Close(fd) // without TIOCNXCL
	ours.Read(make([]byte, 1), time.Millisecond)
	p := open(t, Settings{Path: ours.Peer()})
	p.Close()
}

func TestPtyLinks(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "tty")
	if err := os.Symlink("/dev/pts/9999", link); err != nil {
		t.Fatal(err)
	}
	p := openPtyT(t, link) // left over from a crash
	if to, _ := os.Readlink(link); to != p.peer {
		t.Errorf("the link leads to %q, not %q", to, p.peer)
	}
	q := openPtyT(t, link) // the later one wins
	p.Close()
	if to, _ := os.Readlink(link); to != q.peer {
		t.Errorf("closing the first took the second's link: %q", to)
	}
	q.Close()

	file := filepath.Join(dir, "notes.txt")
	os.WriteFile(file, []byte("keep"), 0o600)
	elsewhere := filepath.Join(dir, "link")
	os.Symlink(file, elsewhere)
	for _, bad := range []string{file, elsewhere, dir} {
		if p, err := OpenPty(bad); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v", bad, err)
			if err == nil {
				p.Close()
			}
		}
	}
	if b, _ := os.ReadFile(file); string(b) != "keep" {
		t.Errorf("the file has %q", b)
	}
	if p, err := OpenPty(filepath.Join(dir, "no", "such", "folder")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
		if err == nil {
			p.Close()
		}
	}
	left, _ := os.ReadDir(dir)
	if len(left) != 2 {
		t.Errorf("the folder has %v", left)
	}
}

func TestPtyAllocatesNothing(t *testing.T) {
	ours := openPtyT(t, "")
	theirs := open(t, Settings{Path: ours.Peer()})
	frame, buf := make([]byte, 64), make([]byte, 256)
	if n := testing.AllocsPerRun(200, func() {
		ours.Write(frame, soon)
		theirs.Read(buf, soon)
		theirs.Write(frame, soon)
		ours.Read(buf, soon)
		ours.Read(buf, 0)
	}); n != 0 {
		t.Errorf("%v allocations a round", n)
	}
}

// BenchmarkRoundTrip is a request of eight characters and an answer of as many
// between two goroutines over a pty: what a Modbus turnaround costs before the
// slave does anything.
func BenchmarkRoundTrip(b *testing.B) {
	slave, err := OpenPty("")
	if err != nil {
		b.Skip(err)
	}
	defer slave.Close()
	master, err := Open(Settings{Path: slave.Peer(), Baud: 115200})
	if err != nil {
		b.Fatal(err)
	}
	defer master.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 256)
		for {
			n, err := slave.Read(buf, -1)
			if err != nil {
				return
			}
			slave.Write(buf[:n], soon)
		}
	}()
	frame, buf := make([]byte, 8), make([]byte, 256)
	b.ReportAllocs()
	for b.Loop() {
		master.Write(frame, soon)
		for got := 0; got < len(frame); {
			n, err := master.Read(buf, soon)
			if err != nil {
				b.Fatal(err)
			}
			got += n
		}
	}
	slave.Close()
	<-done
}
