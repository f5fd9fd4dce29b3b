package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mien/firmware/operator"
)

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
