package gpio

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const soon = 5 * time.Second

// handClock moves when the test says so.
type handClock struct{ ns atomic.Int64 }

func (c *handClock) now() time.Duration            { return time.Duration(c.ns.Load()) }
func (c *handClock) advance(d time.Duration)       { c.ns.Add(int64(d)) }
func (c *handClock) step(f *Fake, d time.Duration) { c.advance(d); f.Tick() }

func newFake() *Fake {
	return NewFake(
		FakeChip{Label: "pinctrl-fake", Lines: []string{"LAMP", "HORN", "HEALTHY", "ACK", "", ""}},
		FakeChip{Label: "expander", Lines: []string{"X0", "X1"}},
	)
}

func lamp() Line { return Line{Chip: "pinctrl-fake", Offset: 0} }
func ack() Line  { return Line{Name: "ACK"} }

func TestFakeOutput(t *testing.T) {
	for _, low := range []bool{false, true} {
		f := newFake()
		var c handClock
		f.Now = c.now
		out, err := f.Output(OutputSettings{Line: lamp(), ActiveLow: low, Start: true, Fail: false})
		if err != nil {
			t.Fatal(err)
		}
		if f.High(lamp()) == low {
			t.Errorf("active low %v: the start value is not on the line", low)
		}
		if v, err := out.Active(); err != nil || !v {
			t.Errorf("active low %v: %v, %v", low, v, err)
		}
		for i, v := range []bool{false, true, true, false, true} {
			c.advance(time.Second)
			if err := out.Set(v); err != nil {
				t.Fatal(err)
			}
			if f.High(lamp()) != (v != low) {
				t.Errorf("active low %v, set %v: high %v", low, v, f.High(lamp()))
			}
			if got, err := out.Active(); err != nil || got != v {
				t.Errorf("%d: reads %v, %v", i, got, err)
			}
		}
		if err := out.Fail(); err != nil || f.High(lamp()) != low {
			t.Errorf("active low %v: fail value: high %v, %v", low, f.High(lamp()), err)
		}
		out.Set(true)
		if err := out.Close(); err != nil || f.High(lamp()) != low {
			t.Errorf("active low %v: closed: high %v, %v", low, f.High(lamp()), err)
		}
		if err := out.Set(true); !errors.Is(err, ErrClosed) {
			t.Errorf("set after close: %v", err)
		}
		if _, err := out.Active(); !errors.Is(err, ErrClosed) {
			t.Errorf("read after close: %v", err)
		}
		if err := out.Close(); err != nil {
			t.Errorf("closing twice: %v", err)
		}
	}
}

func TestFakeRemembersChanges(t *testing.T) {
	f := newFake()
	var c handClock
	f.Now = c.now
	f.Keep = 4
	out, _ := f.Output(OutputSettings{Line: lamp()})
	for i := range 10 {
		c.advance(time.Second)
		out.Set(i%2 == 0)
		out.Set(i%2 == 0) // no change
	}
	got := f.Changes()
	if len(got) != 4 {
		t.Fatalf("%d changes", len(got))
	}
	for i, ch := range got {
		want := Change{At: time.Duration(7+i) * time.Second, Chip: "pinctrl-fake", Offset: 0, Name: "LAMP", High: i%2 == 0}
		if ch != want {
			t.Errorf("%d: %+v, want %+v", i, ch, want)
		}
	}
	f = newFake()
	f.Now = c.now
	out, _ = f.Output(OutputSettings{Line: lamp()})
	out.Set(true)
	if got := f.Changes(); len(got) != 1 || !got[0].High {
		t.Errorf("%+v", got)
	}
}

func TestFakeMismatch(t *testing.T) {
	f := newFake()
	out, err := f.Output(OutputSettings{Line: lamp()})
	if err != nil {
		t.Fatal(err)
	}
	f.Drive(lamp(), true) // shorted to the supply
	if err := out.Set(false); !errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), "pinctrl-fake:0") {
		t.Errorf("%v", err)
	}
	if err := out.Set(true); err != nil {
		t.Errorf("the level it is at anyway: %v", err)
	}
	if v, err := out.Active(); !v || err != nil {
		t.Errorf("%v, %v", v, err)
	}
	if err := out.Close(); !errors.Is(err, ErrMismatch) {
		t.Errorf("the fail value cannot be driven: %v", err)
	}
	// The start value too.
	if _, err := f.Output(OutputSettings{Line: lamp()}); !errors.Is(err, ErrMismatch) {
		t.Errorf("%v", err)
	}
	// It has not kept the line.
	f.Release(lamp())
	out, err = f.Output(OutputSettings{Line: lamp()})
	if err != nil || out.Set(true) != nil || !f.High(lamp()) {
		t.Errorf("after the short: %v", err)
	}
	out.Close()
	f.Drive(lamp(), false)
	for _, s := range []OutputSettings{
		{Line: lamp(), Start: true, NoReadBack: true},
		{Line: lamp(), Start: true, Drive: OpenDrain}, // high is left to the resistor
		{Line: lamp(), Start: false, ActiveLow: true, Drive: OpenDrain},
	} {
		out, err := f.Output(s)
		if err != nil {
			t.Errorf("%+v: %v", s, err)
			continue
		}
		out.Close()
	}
}

func TestFakeErrorsAreThoseOfTheKernel(t *testing.T) {
	f := newFake()
	f.Take(Line{Name: "HORN"}, "spi0 CS1")
	for _, c := range []struct {
		line Line
		want error
		text string
	}{
		{Line{Chip: "pinctrl-rp1", Offset: 0}, ErrNoChip, "pinctrl-fake, expander"},
		{Line{Chip: "pinctrl-fake", Offset: 6}, ErrNoLine, "lines 0 to 5"},
		{Line{Chip: "pinctrl-fake", Offset: -1}, ErrNoLine, "lines 0 to 5"},
		{Line{Chip: "pinctrl-fake", Name: "X0"}, ErrNoLine, `"X0" on pinctrl-fake`},
		{Line{Name: "SIREN"}, ErrNoLine, "SIREN"},
		{Line{}, ErrNoLine, "neither"},
		{Line{Name: "HORN"}, ErrBusy, "spi0 CS1"},
	} {
		_, err := f.Output(OutputSettings{Line: c.line})
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("output %v: %v, want %v with %q", c.line, err, c.want, c.text)
		}
		_, err = f.Input(InputSettings{Line: c.line})
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("input %v: %v, want %v with %q", c.line, err, c.want, c.text)
		}
	}
	f.Take(Line{Name: "HORN"}, "")
	out, err := f.Output(OutputSettings{Line: Line{Chip: "gpiochip0", Name: "HORN"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Input(InputSettings{Line: Line{Name: "HORN"}}); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), Consumer) {
		t.Errorf("our own line twice: %v", err)
	}
	out.Close()
	in, err := f.Input(InputSettings{Line: Line{Name: "HORN"}})
	if err != nil {
		t.Fatal(err)
	}
	in.Close()
}

func TestFakeFaults(t *testing.T) {
	broken := errors.New("broken")
	f := newFake()
	f.Faults = []Fault{
		{Op: OpSet, Line: "pinctrl-fake:0", At: 2, Err: broken},
		{Op: OpOutput, Line: "HORN", Err: broken},
		{Op: OpInput, Line: "ACK", Count: 2, Err: ErrBusy},
		{Op: OpRead, At: 1, Count: -1, Err: broken},
		{Op: OpWait, At: 2, Err: ErrGone},
		{Op: OpClose, Err: broken},
		{Op: OpChips, Err: broken},
	}
	out, err := f.Output(OutputSettings{Line: lamp()})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []error{nil, broken, nil} {
		if err := out.Set(true); !errors.Is(err, want) {
			t.Errorf("set %d: %v, want %v", i, err, want)
		}
	}
	for i, want := range []error{broken, nil} {
		o, err := f.Output(OutputSettings{Line: Line{Name: "HORN"}})
		if !errors.Is(err, want) {
			t.Errorf("output %d: %v, want %v", i, err, want)
		}
		if o != nil && i == 0 {
			t.Error("an output with an error")
		}
	}
	var in Input
	for i, want := range []error{ErrBusy, ErrBusy, nil} {
		if in, err = f.Input(InputSettings{Line: ack()}); !errors.Is(err, want) {
			t.Errorf("input %d: %v, want %v", i, err, want)
		}
	}
	for range 3 {
		if _, err := in.Active(); !errors.Is(err, broken) {
			t.Errorf("read: %v", err)
		}
		if _, err := out.Active(); !errors.Is(err, broken) {
			t.Errorf("read: %v", err)
		}
	}
	for i, want := range []error{ErrTimeout, ErrGone, ErrTimeout} {
		if _, err := in.Wait(0); !errors.Is(err, want) {
			t.Errorf("wait %d: %v, want %v", i, err, want)
		}
	}
	if err := out.Close(); !errors.Is(err, broken) {
		t.Errorf("close: %v", err)
	}
	if err := out.Set(true); !errors.Is(err, ErrClosed) {
		t.Errorf("it is closed all the same: %v", err)
	}
	for i, want := range []error{broken, nil} {
		if _, err := f.Chips(); !errors.Is(err, want) {
			t.Errorf("chips %d: %v, want %v", i, err, want)
		}
	}
}

func TestFakeDraws(t *testing.T) {
	f := newFake()
	var c handClock
	f.Now = c.now
	out, _ := f.Output(OutputSettings{Line: lamp(), ActiveLow: true})
	f.Input(InputSettings{Line: ack()})
	c.advance(3 * time.Second)
	out.Set(true)
	f.Drive(Line{Chip: "expander", Offset: 1}, true)
	got := f.Levels(nil)
	want := []Level{
		{Chip: "pinctrl-fake", Offset: 0, Name: "LAMP", Consumer: "mien", Output: true, Since: 3 * time.Second},
		{Chip: "pinctrl-fake", Offset: 3, Name: "ACK", Consumer: "mien"},
		{Chip: "expander", Offset: 1, Name: "X1", High: true, Since: 3 * time.Second},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if n := testing.AllocsPerRun(100, func() { got = f.Levels(got[:0]); out.Set(false); out.Set(true); out.Active() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	chips, err := f.Chips()
	if err != nil || len(chips) != 2 || len(chips[0].Lines) != 6 || chips[0].Label != "pinctrl-fake" || chips[0].Name != "gpiochip0" {
		t.Fatalf("%+v, %v", chips, err)
	}
	if l := chips[0].Lines[0]; l != (LineInfo{Offset: 0, Name: "LAMP", Consumer: "mien", Used: true, Output: true, ActiveLow: true}) {
		t.Errorf("%+v", l)
	}
}

func TestFakeFromManySides(t *testing.T) {
	f := newFake()
	out, _ := f.Output(OutputSettings{Line: lamp()})
	in, _ := f.Input(InputSettings{Line: ack(), Debounce: ms})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range 200 {
				out.Set(j%2 == 0)
				f.Drive(ack(), (i+j)%2 == 0)
				f.Levels(nil)
				f.Changes()
				in.Active()
			}
		}()
	}
	waited := make(chan struct{})
	go func() {
		for {
			if _, err := in.Wait(-1); err != nil {
				close(waited)
				return
			}
		}
	}()
	wg.Wait()
	in.Close()
	<-waited
}

func TestFakeTellsATestsMistake(t *testing.T) {
	defer func() {
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "NOSUCH") {
			t.Errorf("%v", r)
		}
	}()
	newFake().Drive(Line{Name: "NOSUCH"}, true)
}
