package main

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"mien/firmware/modbus"
)

// shown collects what a terminal gets.
type shown struct {
	mu sync.Mutex // covers b
	b  bytes.Buffer
}

func (s *shown) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *shown) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.b.String(), text)
}

// On a terminal the view is drawn in place, keys give commands, q ends, and
// the terminal is left as it was.
func TestKeysOnATerminal(t *testing.T) {
	u := newUnit(t, modbus.Config{})
	keyboard, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer keyboard.Close()
	defer tty.Close()
	if err := pty.Setsize(keyboard, &pty.Winsize{Rows: 40, Cols: 100}); err != nil {
		t.Fatal(err)
	}
	var screen shown
	go io.Copy(&screen, keyboard)
	ended := make(chan int, 1)
	go func() {
		ended <- run(context.Background(), []string{"-port", u.port, "-rate", "20ms"}, tty, tty, tty)
	}()
	wait := func(text string) {
		t.Helper()
		for range 500 {
			if screen.has(text) {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("no %q on the screen", text)
	}
	wait("brow lowered 4")
	keyboard.WriteString("a")
	wait("acknowledged every alarm")
	keyboard.WriteString("x") // no key of ours
	keyboard.WriteString("r")
	wait("reset the latched alarms")
	keyboard.WriteString("q")
	select {
	case code := <-ended:
		if code != exitOK {
			t.Errorf("exit code %d", code)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("q does not end it")
	}
	wait("\x1b[?25h\x1b[?1049l") // cursor and screen are back
	wait("turnaround p50")
	want := []modbus.Command{{Op: modbus.OpAckAll}, {Op: modbus.OpReset}}
	if _, got := u.commands.Take(); !slices.Equal(got, want) {
		t.Errorf("the unit was told %v, want %v", got, want)
	}
}
