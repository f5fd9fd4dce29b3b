package gpio

import (
	"errors"
	"testing"
	"time"

	"mien/drivers/device"
)

func TestFakeInput(t *testing.T) {
	f := newFake()
	var c handClock
	f.Now = c.now
	c.advance(time.Second)
	in, err := f.Input(InputSettings{Line: ack(), ActiveLow: true, Pull: PullUp, Debounce: 10 * ms})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := in.Active(); v || err != nil {
		t.Errorf("pulled up, nobody presses: %v, %v", v, err)
	}
	if _, err := in.Wait(0); !errors.Is(err, ErrTimeout) {
		t.Errorf("the pull made an edge: %v", err)
	}
	// A bad contact: it bounces for 4 ms, then stays.
	f.Bounce(ack(), false, 2, func() { c.step(f, ms) })
	if v, _ := in.Active(); v {
		t.Error("a bounce counts")
	}
	c.step(f, 9*ms)
	if v, _ := in.Active(); v {
		t.Error("it counts too early")
	}
	c.step(f, ms)
	if v, _ := in.Active(); !v {
		t.Error("it does not count")
	}
	if e, err := in.Wait(0); err != nil || e != (Edge{Active: true, At: time.Second + 14*ms}) {
		t.Errorf("%+v, %v", e, err)
	}
	// A wait that is under way.
	got := make(chan Edge, 1)
	go func() {
		e, err := in.Wait(-1)
		if err != nil {
			t.Error(err)
		}
		got <- e
	}()
	f.Drive(ack(), true)
	for len(got) == 0 {
		c.step(f, ms)
		time.Sleep(ms)
	}
	if e := <-got; e.Active || e.At != time.Second+24*ms {
		t.Errorf("%+v", e)
	}
	// Close ends one.
	done := make(chan error, 1)
	go func() { _, err := in.Wait(-1); done <- err }()
	time.Sleep(10 * ms)
	in.Close()
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := in.Active(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestFakeInputWithTheRealClock(t *testing.T) {
	f := newFake()
	in, err := f.Input(InputSettings{Line: ack(), Debounce: 20 * ms})
	if err != nil {
		t.Fatal(err)
	}
	start := device.Now()
	if _, err := in.Wait(30 * ms); !errors.Is(err, ErrTimeout) || device.Now()-start < 30*ms {
		t.Errorf("after %v: %v", device.Now()-start, err)
	}
	pressed := device.Now()
	f.Drive(ack(), true)
	e, err := in.Wait(soon)
	if err != nil || !e.Active || e.At > device.Now() || e.At < pressed+20*ms {
		t.Errorf("%+v, %v, pressed at %v", e, err, pressed)
	}
	// More edges than anybody fetches.
	in.Close()
	in, _ = f.Input(InputSettings{Line: ack()})
	for i := range 50 {
		f.Drive(ack(), i%2 == 1)
	}
	e, err = in.Wait(0)
	if err != nil || e.Lost != 34 {
		t.Errorf("%+v, %v, want 34 lost", e, err)
	}
	ne, err := f.Input(InputSettings{Line: lamp(), NoEdges: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ne.Wait(soon); !errors.Is(err, ErrTimeout) {
		t.Errorf("a line without edges: %v", err)
	}
}

func TestFakeChipVanishes(t *testing.T) {
	f := newFake()
	out, _ := f.Output(OutputSettings{Line: Line{Name: "X0"}})
	in, _ := f.Input(InputSettings{Line: Line{Name: "X1"}})
	other, _ := f.Output(OutputSettings{Line: lamp()})
	done := make(chan error, 1)
	go func() { _, err := in.Wait(-1); done <- err }()
	time.Sleep(10 * ms)
	f.Remove("expander")
	if err := <-done; !errors.Is(err, ErrGone) {
		t.Errorf("wait: %v", err)
	}
	if err := out.Set(true); !errors.Is(err, ErrGone) {
		t.Errorf("set: %v", err)
	}
	if _, err := in.Active(); !errors.Is(err, ErrGone) {
		t.Errorf("read: %v", err)
	}
	if err := other.Set(true); err != nil {
		t.Errorf("the other chip: %v", err)
	}
	if _, err := f.Output(OutputSettings{Line: Line{Chip: "expander"}}); !errors.Is(err, ErrNoChip) {
		t.Errorf("open while it is out: %v", err)
	}
	if chips, _ := f.Chips(); len(chips) != 1 {
		t.Errorf("%+v", chips)
	}
	f.Restore("expander")
	if err := out.Set(true); !errors.Is(err, ErrGone) {
		t.Errorf("the old handle: %v", err)
	}
	again, err := f.Output(OutputSettings{Line: Line{Name: "X0"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); !errors.Is(err, ErrGone) {
		t.Errorf("closing the old handle: %v", err)
	}
	if err := again.Set(true); err != nil {
		t.Errorf("closing the old handle took the new one's line: %v", err)
	}
	in.Close()
}
