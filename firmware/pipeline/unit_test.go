package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"testing"
	"time"

	"mien/drivers/camera"
	"mien/drivers/gpio"
	"mien/drivers/serial"
	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/health"
	"mien/firmware/pipeline/rig"
	"mien/firmware/state"
)

// pictures are frames of the demo clip, from second to second.
func pictures(t testing.TB, from, to float64) (list [][]byte) {
	t.Helper()
	list = rig.Pictures(from, to)
	if list == nil {
		t.Fatal("the demo clip is not that long")
	}
	return list
}

// Seconds of the demo clip (demo.json).
const (
	neutralFrom, neutralTo = 0.2, 1.2
	frownFrom, frownTo     = 3.2, 6
)

// bench is a unit on fakes, and what it did.
type bench struct {
	t    testing.TB
	rig  *rig.Rig
	cam  *camera.Fake // the rig's
	chip *gpio.Fake
	unit *Unit

	mu     sync.Mutex // covers events
	events []alarm.Event
	stop   context.CancelFunc
	done   chan error
}

var benchConfig = `
[camera]
fps = 15
[filter]
kind = "none"
[health]
stale = "400ms"
frozen = "600ms"
dark = "300ms"
min_rate = 2.5
retry_first = "50ms"
retry_most = "200ms"
` + linesConfig

var linesConfig = rig.Lines("acknowledge", "500ms")

func pin(n int) gpio.Line { return rig.Line(n) }

func plainResolver(chip, name string) (gpio.Line, error) { return rig.Resolve(chip, name) }

func newBench(t testing.TB, extra string, change func(*Options)) *bench {
	t.Helper()
	cfg, err := config.Parse("bench.toml", []byte(benchConfig+extra))
	if err != nil {
		t.Fatal(err)
	}
	around := rig.New(pictures(t, neutralFrom, neutralTo))
	b := &bench{t: t, rig: around, cam: around.Camera, chip: around.Chip, done: make(chan error, 1)}
	o := Options{Config: cfg, Host: b.chip, Resolve: rig.Resolve, OpenSource: around.OpenSource,
		OnEvent: func(e alarm.Event) {
			b.mu.Lock()
			b.events = append(b.events, e)
			b.mu.Unlock()
		}}
	if change != nil {
		change(&o)
	}
	if b.unit, err = New(o); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	b.stop = stop
	go func() { b.done <- b.unit.Run(ctx) }()
	t.Cleanup(b.end)
	return b
}

// end stops the unit and waits for it.
func (b *bench) end() {
	b.stop()
	select {
	case err := <-b.done:
		if err != nil {
			b.t.Error(err)
		}
		b.done <- nil
	case <-time.After(10 * time.Second):
		b.t.Fatal("the unit does not stop")
	}
}

// until waits for a condition; what says what is waited for.
func (b *bench) until(what string, ok func() bool) {
	b.t.Helper()
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	var s state.State
	b.unit.Latest().Load(&s)
	b.t.Fatalf("waited in vain for: %s; faults %v, reason %q, au4 %v, %d results", what, b.unit.Faults(), s.Reason, s.Level("au4"), s.Results)
}

func (b *bench) fault(f health.Fault) func() bool { return func() bool { return b.unit.health.On(f) } }
func (b *bench) trusted() bool {
	return b.unit.health.Trusted(b.unit.now()) && b.unit.health.Word() == 0
}

// alarms are every alarm as readers see them.
func (b *bench) alarms() []alarm.Status {
	var s state.State
	b.unit.Latest().Load(&s)
	return s.Alarms
}

func (b *bench) state() alarm.State { return b.alarms()[0].State }

func (b *bench) do(who string, c state.Command) error {
	_, err := b.unit.Do(who, []state.Command{c})
	return err
}

func (b *bench) show(list [][]byte) { b.rig.Show(list) }

func (b *bench) with(change func(*camera.Fake)) { b.rig.With(change) }

func TestFrownLightsTheLampAndAButtonAcknowledges(t *testing.T) {
	b := newBench(t, "", nil)
	b.until("results", b.trusted)
	b.until("the lines to leave their fail value", func() bool { return !b.chip.High(pin(1)) && !b.chip.High(pin(2)) })
	b.show(pictures(t, frownFrom, frownTo))
	b.until("an unacknowledged alarm", func() bool { return b.state() == alarm.Unacknowledged })
	b.until("the lamp", func() bool { return b.chip.High(pin(1)) && b.chip.High(pin(2)) })
	b.chip.Bounce(pin(4), true, 5, func() { time.Sleep(time.Millisecond) })
	b.until("the acknowledgement", func() bool { return b.state() == alarm.Acknowledged })
	b.chip.Drive(pin(4), false)
	b.show(pictures(t, neutralFrom, neutralTo))
	b.until("normal again", func() bool { return b.state() == alarm.Normal })
	b.until("the lamp off", func() bool { return !b.chip.High(pin(1)) && !b.chip.High(pin(2)) })
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, e := range b.events {
		if e.Number != uint64(i+1) {
			t.Fatalf("event %d has number %d", i, e.Number)
		}
	}
}

// Each fault of the camera: its fault bit, the outputs at their fail value, an
// Unknown that neither raises nor clears, and the way back.
func TestCameraFaultsFailSafeAndComeBack(t *testing.T) {
	b := newBench(t, `
[[alarm]]
name = "smile"
signal = "au12"
high = 0.95
[[output]]
name = "smile"
chip = "fake"
line = 5
function = "alarm:smile"
[[output]]
name = "horn"
chip = "fake"
line = 6
function = "horn"
`, nil)
	b.until("results", b.trusted)
	b.show(pictures(t, frownFrom, frownTo))
	b.until("the alarm", func() bool {
		return b.state() == alarm.Unacknowledged && b.chip.High(pin(1)) && b.chip.High(pin(6)) && !b.chip.High(pin(5))
	})
	off := b.falls(1, 2, 6)
	for _, c := range []struct {
		name       string
		fault      health.Fault
		begin, end func(*camera.Fake)
	}{
		{"unplugged", health.CameraLost, func(f *camera.Fake) { f.Gone = true }, func(f *camera.Fake) { f.Gone = false }},
		{"silent", health.CameraLost, func(f *camera.Fake) { f.Silent = true }, func(f *camera.Fake) { f.Silent = false }},
		{"frozen", health.CameraFrozen, func(f *camera.Fake) { f.Frozen = true }, func(f *camera.Fake) { f.Frozen = false }},
		{"corrupt", health.CameraLost, func(f *camera.Fake) { f.Pictures = [][]byte{[]byte("\xff\xd8 no picture \xff\xd9")} },
			func(f *camera.Fake) { f.Pictures = pictures(t, frownFrom, frownTo) }},
	} {
		b.with(c.begin)
		b.until(c.name+": the fault", b.fault(c.fault))
		b.until(c.name+": the fail value", func() bool { return b.chip.High(pin(5)) && b.chip.High(pin(3)) })
		toggles := b.toggles(0)
		time.Sleep(700 * time.Millisecond)
		if n := b.toggles(0); n > toggles+1 {
			t.Errorf("%s: the healthy line toggled %d times without results", c.name, n-toggles)
		}
		if s := b.state(); s != alarm.Unacknowledged {
			t.Errorf("%s: the alarm is %v", c.name, s)
		}
		b.with(c.end)
		b.until(c.name+": the way back", b.trusted)
		b.until(c.name+": the line off again", func() bool { return !b.chip.High(pin(5)) && !b.chip.High(pin(3)) })
	}
	if n := b.falls(1, 2, 6) - off; n != 0 {
		t.Errorf("lamp, line or horn of the unacknowledged alarm went out %d times", n)
	}
}

// falls counts how often lines went low.
func (b *bench) falls(offsets ...int) (n int) {
	for _, c := range b.chip.Changes() {
		if slices.Contains(offsets, c.Offset) && !c.High {
			n++
		}
	}
	return n
}

func (b *bench) toggles(offset int) (n int) {
	for _, c := range b.chip.Changes() {
		if c.Offset == offset {
			n++
		}
	}
	return n
}

func TestDarkPictureStops(t *testing.T) {
	grey := bytes.Repeat([]byte{3}, 640*480)
	b := newBench(t, "", nil)
	b.until("results", b.trusted)
	b.with(func(f *camera.Fake) { f.Gone = true })
	b.until("the loss", b.fault(health.CameraLost))
	noisy := make([][]byte, 8) // noise, so that it is dark and not frozen
	for i := range noisy {
		noisy[i] = append([]byte(nil), grey...)
		for j := i; j < len(grey); j += 97 {
			noisy[i][j] = byte(i)
		}
	}
	b.with(func(f *camera.Fake) { f.Gone, f.Format, f.Pictures = false, camera.GREY, noisy })
	b.until("the dark", b.fault(health.CameraDark))
	b.until("the fail value", func() bool { return b.chip.High(pin(2)) })
	b.with(func(f *camera.Fake) { f.Gone = true })
	b.until("the loss", b.fault(health.CameraLost))
	b.with(func(f *camera.Fake) {
		f.Gone, f.Format, f.Pictures = false, camera.MJPEG, pictures(t, neutralFrom, neutralTo)
	})
	b.until("the way back", b.trusted)
}

func TestOutputsThatFailAreFaultsAndComeBack(t *testing.T) {
	b := newBench(t, "", nil)
	b.until("results", b.trusted)
	b.chip.Remove("fake")
	b.until("the fault", b.fault(health.OutputMismatch))
	b.chip.Restore("fake")
	b.until("the way back", b.trusted)
}

func TestInputThatSticksIsAFault(t *testing.T) {
	b := newBench(t, "", nil)
	b.until("results", b.trusted)
	b.chip.Drive(pin(4), true)
	b.until("the fault", b.fault(health.InputStuck))
	b.chip.Drive(pin(4), false)
	b.until("the way back", b.trusted)
}

func TestExitLeavesFailValues(t *testing.T) {
	b := newBench(t, "", nil)
	b.until("results", b.trusted)
	b.end()
	if b.chip.High(pin(0)) || b.chip.High(pin(1)) || !b.chip.High(pin(2)) {
		t.Error("an output is not at its fail value after the end")
	}
}

func TestPanicFailsSafeAndTheUnitGoesOn(t *testing.T) {
	var once sync.Once
	b := newBench(t, "", func(o *Options) {
		open := o.OpenSource
		n := 0
		o.OpenSource = func(c config.Camera) (camera.Source, error) {
			src, err := open(c)
			if n++; n == 2 {
				once.Do(func() { panic("a driver went mad") })
			}
			return src, err
		}
	})
	b.until("results", b.trusted)
	b.with(func(f *camera.Fake) { f.Gone = true })
	b.until("the loss", b.fault(health.CameraLost))
	b.with(func(f *camera.Fake) { f.Gone = false })
	b.until("the internal fault in the journal", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, e := range b.events {
			if e.Trigger == alarm.Note && bytes.Contains([]byte(e.Cause), []byte("went mad")) {
				return true
			}
		}
		return false
	})
	b.until("the way back", b.trusted)
}

func TestModbusShowsTheFrameAndTakesCommands(t *testing.T) {
	ours, theirs, _ := serial.Pipe()
	b := newBench(t, "[serial]\ndevice = \"/dev/ttyTEST\"\n", func(o *Options) {
		o.OpenSerial = func(serial.Settings) (serial.Line, error) { return ours, nil }
	})
	b.until("results", b.trusted)
	b.show(pictures(t, frownFrom, frownTo))
	b.until("the alarm", func() bool { return b.state() == alarm.Unacknowledged })
	got := ask(t, theirs, 4, 0, 36, 0, 2) // input registers 36, 37: active, unacknowledged
	if len(got) != 9 || got[4]&1 != 1 || got[6]&1 != 1 {
		t.Fatalf("masks % x", got)
	}
	ask(t, theirs, 5, 0, 0, 0, 0)                              // at rest, as the unit must have seen it
	if got = ask(t, theirs, 5, 0, 0, 0xff, 0); len(got) != 8 { // coil 0: acknowledge all
		t.Fatalf("coil % x", got)
	}
	b.until("the acknowledgement", func() bool { return b.state() == alarm.Acknowledged })
}

func TestReloadKeepsAlarmsAndRefusesTheBad(t *testing.T) {
	b := newBench(t, "", nil)
	b.until("results", b.trusted)
	b.show(pictures(t, frownFrom, frownTo))
	b.until("the alarm", func() bool { return b.state() == alarm.Unacknowledged })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	bad, err := config.Parse("bad.toml", []byte(benchConfig+"[state]\ndir = \"/elsewhere\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.unit.Reload(ctx, bad, 1); err == nil || !b.unit.health.On(health.ConfigRefused) {
		t.Errorf("a change that needs a restart: %v", err)
	}
	good, err := config.Parse("good.toml", []byte(benchConfig+`
[[alarm]]
name = "smile"
signal = "au12"
high = 0.9
`))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.unit.Reload(ctx, good, 0x1234); err != nil {
		t.Fatal(err)
	}
	if b.state() != alarm.Unacknowledged || len(b.alarms()) != 2 || b.unit.health.On(health.ConfigRefused) {
		t.Errorf("after the reload: %+v", b.alarms())
	}
	b.until("the new config's mark", func() bool {
		var s state.State
		b.unit.Latest().Load(&s)
		return s.About.ConfigCRC == 0x1234 && len(s.Alarms) == 2
	})
	b.until("results", b.trusted)
}

func TestMissingThingsAreFaultsNotExits(t *testing.T) {
	there := false
	var mu sync.Mutex
	b := newBench(t, "[serial]\ndevice = \"/dev/ttyTEST\"\n", func(o *Options) {
		open := o.OpenSource
		o.OpenSource = func(c config.Camera) (camera.Source, error) {
			mu.Lock()
			defer mu.Unlock()
			if !there {
				return nil, fmt.Errorf("open: %w", camera.ErrNotFound)
			}
			return open(c)
		}
		ours, _, _ := serial.Pipe()
		o.OpenSerial = func(serial.Settings) (serial.Line, error) {
			mu.Lock()
			defer mu.Unlock()
			if !there {
				return nil, fs.ErrNotExist
			}
			return ours, nil
		}
	})
	b.until("both faults", func() bool { return b.unit.health.On(health.CameraLost) && b.unit.health.On(health.SerialLost) })
	mu.Lock()
	there = true
	mu.Unlock()
	b.until("both back", b.trusted)
}

// The hot path allocates nothing after its first frames.
func TestEyeAllocatesNothing(t *testing.T) {
	eye, err := OpenEye(config.Default())
	if err != nil {
		t.Fatal(err)
	}
	defer eye.Close()
	list := pictures(t, neutralFrom, frownTo)
	f := &camera.Frame{Format: camera.MJPEG, Width: 640, Height: 480}
	n := 0
	look := func() {
		f.Data, f.Sequence, f.Time = list[n%len(list)], uint32(n), time.Duration(n)*time.Second/15
		n++
		s, err := eye.Look(f)
		if err != nil {
			t.Fatal(err)
		}
		if n > 30 && !s.View.Found {
			t.Fatalf("frame %d: no face", n)
		}
	}
	for range 40 {
		look()
	}
	if a := testing.AllocsPerRun(60, look); a != 0 {
		t.Errorf("%v allocations a frame", a)
	}
}
