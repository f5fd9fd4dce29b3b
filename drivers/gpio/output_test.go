package gpio

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// chipLine stands for a requested line whose hardware answers as told.
type chipLine struct {
	value   int
	stuck   int // reads this often the old value before the new one; -1: always
	pending int
	werr    error
	rerr    error
	cerr    error
	writes  []int
	closed  int
}

func (l *chipLine) Value() (int, error) {
	if l.rerr != nil {
		return 0, l.rerr
	}
	if l.pending != 0 {
		if l.pending > 0 {
			l.pending--
		}
		return 1 - l.value, nil
	}
	return l.value, nil
}

func (l *chipLine) SetValue(v int) error {
	if l.werr != nil {
		return l.werr
	}
	l.value, l.pending = v, l.stuck
	l.writes = append(l.writes, v)
	return nil
}

func (l *chipLine) Close() error { l.closed++; return l.cerr }

func TestOutputReadBack(t *testing.T) {
	s := OutputSettings{Line: Line{Chip: "chip", Offset: 3}}
	// A slow edge is not a mismatch, a line that stays is.
	for _, c := range []struct {
		stuck int
		want  error
	}{{0, nil}, {1, nil}, {3, nil}, {4, ErrMismatch}, {-1, ErrMismatch}} {
		l := &chipLine{}
		o, err := newOutput(s, l)
		if err != nil {
			t.Fatal(err)
		}
		l.stuck = c.stuck
		if err := o.Set(true); !errors.Is(err, c.want) {
			t.Errorf("reads the old value %d times: %v, want %v", c.stuck, err, c.want)
		}
	}
	// Open drain: the level that a resistor makes proves nothing.
	for _, c := range []struct {
		drive     Drive
		low       bool
		unchecked bool // the value that is not checked
	}{{OpenDrain, false, true}, {OpenDrain, true, false}, {OpenSource, false, false}, {OpenSource, true, true}} {
		s := s
		s.Drive, s.ActiveLow, s.Start = c.drive, c.low, c.unchecked
		l := &chipLine{value: number(c.unchecked)}
		o, err := newOutput(s, l)
		if err != nil {
			t.Fatal(err)
		}
		l.stuck = -1
		if err := o.Set(c.unchecked); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
		if err := o.Set(!c.unchecked); !errors.Is(err, ErrMismatch) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	// A chip that cannot read an output is not asked twice.
	l := &chipLine{rerr: unix.EINVAL}
	o, err := newOutput(s, l)
	if err != nil {
		t.Fatal(err)
	}
	for _, on := range []bool{true, false} {
		if err := o.Set(on); err != nil {
			t.Errorf("%v", err)
		}
		if active, err := o.Active(); active != on || err != nil {
			t.Errorf("written %v, it gives %v, %v", on, active, err)
		}
	}
	l.rerr, l.stuck = nil, -1
	if err := o.Set(true); err != nil {
		t.Errorf("%v", err)
	}
	// One that is told not to look.
	s.NoReadBack = true
	o, err = newOutput(s, &chipLine{value: 1, stuck: -1})
	if err != nil || o.Set(true) != nil {
		t.Errorf("%v", err)
	}
}

func TestOutputStartsAndEndsClean(t *testing.T) {
	s := OutputSettings{Line: Line{Chip: "chip", Offset: 3}, Fail: true}
	// A line that does not take its first value is released, at its fail value.
	l := &chipLine{value: 1}
	o, err := newOutput(s, l)
	if o != nil || !errors.Is(err, ErrMismatch) || l.closed != 1 || fmt.Sprint(l.writes) != "[1]" {
		t.Errorf("%v, %v, closed %d times, writes %v", o, err, l.closed, l.writes)
	}
	// A chip that vanished.
	l = &chipLine{}
	if o, err = newOutput(s, l); err != nil {
		t.Fatal(err)
	}
	l.werr = unix.ENODEV
	for what, err := range map[string]error{"set": o.Set(true), "fail": o.Fail()} {
		if !errors.Is(err, ErrGone) || !errors.Is(err, unix.ENODEV) || !strings.Contains(err.Error(), "chip:3") {
			t.Errorf("%s: %v", what, err)
		}
	}
	l.rerr = unix.ENODEV
	if _, err := o.Active(); !errors.Is(err, ErrGone) {
		t.Errorf("read: %v", err)
	}
	if err := o.Close(); !errors.Is(err, ErrGone) || l.closed != 1 {
		t.Errorf("close: %v, closed %d times", err, l.closed)
	}
	if err := o.Close(); err != nil || l.closed != 1 {
		t.Errorf("closing twice: %v, closed %d times", err, l.closed)
	}
	if _, err := o.Active(); !errors.Is(err, ErrClosed) {
		t.Errorf("read after close: %v", err)
	}
	if err := o.Fail(); !errors.Is(err, ErrClosed) {
		t.Errorf("fail after close: %v", err)
	}
	// An error of the release is told.
	l = &chipLine{cerr: errors.New("stuck driver")}
	o, _ = newOutput(s, l)
	if err := o.Close(); err == nil || !strings.Contains(err.Error(), "stuck driver") {
		t.Errorf("%v", err)
	}
}

func TestOutputAllocatesNothing(t *testing.T) {
	l := &chipLine{writes: make([]int, 0, 4096)}
	o, _ := newOutput(OutputSettings{Line: Line{Chip: "chip"}}, l)
	if n := testing.AllocsPerRun(1000, func() { o.Set(true); o.Set(false); o.Active() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestWaysOut(t *testing.T) {
	for _, err := range []error{unix.ENODEV, unix.ENXIO, unix.EIO} {
		if !errors.Is(gone(err), ErrGone) {
			t.Errorf("%v is not gone", err)
		}
	}
	if errors.Is(gone(unix.EINVAL), ErrGone) {
		t.Error("EINVAL is gone")
	}
	err := openError("gpiochip7", &fs.PathError{Op: "open", Path: "/dev/gpiochip7", Err: unix.EACCES})
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "/dev/gpiochip7") || !strings.Contains(err.Error(), "usermod -aG gpio") {
		t.Errorf("%v", err)
	}
	if err := openError("gpiochip7", unix.ENODEV); !errors.Is(err, ErrGone) {
		t.Errorf("%v", err)
	}
	if err := missing(Line{Name: "X"}, nil); !errors.Is(err, ErrNoLine) || !strings.Contains(err.Error(), "no gpio chip") {
		t.Errorf("%v", err)
	}
	if got := (Line{Chip: "c", Name: "n"}).String(); got != "c:n" {
		t.Errorf("%q", got)
	}
	if err := taken(Line{Name: "X"}, ""); !strings.Contains(err.Error(), "kernel driver") {
		t.Errorf("%v", err)
	}
}
