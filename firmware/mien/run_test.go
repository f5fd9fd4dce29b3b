package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mien/firmware/config"
	"mien/firmware/health"
	"mien/firmware/operator"
)

// What stops the unit is an error in its log, what degrades it a warning, and the
// end of either is neither.
func TestLogTellsHowBadAFaultIs(t *testing.T) {
	s := newSession(config.Default(), false)
	s.say("camera open", "usb", "MJPG")
	for _, f := range health.Faults() {
		s.fault(f, true, f.String()+": why")
		s.fault(f, false, f.String()+" ended")
	}
	over, stop := context.WithCancel(context.Background())
	stop()
	var log bytes.Buffer
	s.write(over, &log)
	want := []string{`level=INFO msg="camera open" detail="usb; MJPG"`}
	for _, f := range health.Faults() {
		level := "WARN"
		if health.Stopping(f.Bit()) {
			level = "ERROR"
		}
		want = append(want, fmt.Sprintf(`level=%s msg="%v: why"`, level, f), fmt.Sprintf(`level=INFO msg="%v ended"`, f))
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	for i, line := range lines {
		if i >= len(want) || !strings.HasSuffix(line, " "+want[i]) {
			t.Fatalf("line %d: %s", i+1, line)
		}
	}
	if len(lines) != len(want) {
		t.Errorf("%d lines, want %d", len(lines), len(want))
	}
}

// A socket that cannot be opened at the start comes by itself when the reason has
// gone; the journal tells both.
func TestSocketComesWhenItCan(t *testing.T) {
	p := newProcess(t)
	p.configure("press")
	if err := os.WriteFile(p.socket(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.start()
	p.until("the log to tell", func() bool { return strings.Contains(p.logged(), "no socket") })
	time.Sleep(2 * time.Second) // it is tried again meanwhile
	if err := os.Remove(p.socket()); err != nil {
		t.Fatal(err)
	}
	p.until("the socket", p.called("press"))
	if lost := `level=ERROR msg="F01 camera lost: `; strings.Count(p.logged(), lost) != 1 {
		t.Errorf("no %s in the log", lost)
	}
	reply, err := p.ask(operator.Request{Ask: operator.AskEvents})
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range reply.Events {
		if strings.Contains(e.Cause, "socket") {
			told = append(told, e.Cause)
		}
	}
	if len(told) != 2 || !strings.Contains(told[0], p.socket()+": there is a file that is no socket") || !strings.Contains(told[1], "is open") {
		t.Errorf("journaled %q", told)
	}
	if n := strings.Count(p.logged(), "no socket"); n != 1 {
		t.Errorf("logged %d times", n)
	}
	p.signal(os.Interrupt)
	p.ends()
}

// A unit whose log's reader has gone goes on, and ends in order.
func TestLogWithoutItsReader(t *testing.T) {
	p := newProcess(t)
	p.configure("before")
	log, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.Stdout, p.Stderr = end, end
	p.start()
	end.Close()
	p.until("the socket", p.called("before"))
	if n, err := log.Read(make([]byte, 1)); n != 1 {
		t.Fatalf("no log: %v", err)
	}
	log.Close()
	p.configure("after")
	p.signal(unix.SIGHUP) // taking a config over is logged
	p.until("the new config", p.called("after"))
	p.signal(unix.SIGTERM) // at the end all of the log is written
	p.ends()
}

// A log that nobody reads, though its reader lives, does not keep the unit from
// its end.
func TestLogThatIsNotRead(t *testing.T) {
	p := newProcess(t)
	p.configure("press")
	log, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	size, err := unix.FcntlInt(end.Fd(), unix.F_SETPIPE_SZ, 4096)
	if err != nil {
		t.Fatal(err)
	}
	p.Stderr = end
	p.start()
	end.Close()
	p.until("the socket", p.called("press"))
	for i := range size / 50 { // a config that is taken over is a line of more
		name := fmt.Sprint("press ", i)
		p.configure(name)
		p.signal(unix.SIGHUP)
		p.until("the new config", p.called(name))
	}
	p.signal(unix.SIGTERM)
	p.ends()
}

// A signal that comes while the unit starts is kept until it can be followed: a
// reload, an orderly end.
func TestSignalsThatComeEarly(t *testing.T) {
	for _, early := range []os.Signal{unix.SIGHUP, unix.SIGTERM} {
		p := newProcess(t)
		p.configure("before")
		watch, err := unix.InotifyInit1(unix.IN_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(watch)
		if _, err := unix.InotifyAddWatch(watch, p.config(), unix.IN_CLOSE_NOWRITE); err != nil {
			t.Fatal(err)
		}
		p.start()
		p.until("it to read its config", func() bool {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(watch), Events: unix.POLLIN}}, 1000)
			return err == nil && n == 1
		})
		p.signal(unix.SIGSTOP) // it gets no further meanwhile
		p.signal(early)
		p.configure("after") // for a reload
		p.signal(unix.SIGCONT)
		if early == unix.SIGHUP {
			p.until("the reload", p.called("after"))
			p.signal(unix.SIGTERM)
		}
		p.ends()
	}
}

// The demo ends when its terminal is closed, and takes its pty away.
func TestDemoEndsWithItsTerminal(t *testing.T) {
	p := newProcess(t)
	port := filepath.Join(p.dir, "pty")
	p.Args = []string{p.Path, "demo", "-log", "-loop", "-serial", port}
	p.start()
	p.until("the pty", func() bool { _, err := os.Lstat(port); return err == nil })
	p.signal(unix.SIGHUP)
	p.ends()
	if _, err := os.Lstat(port); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the pty is left behind: %v", err)
	}
}
