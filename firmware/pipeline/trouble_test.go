package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mien/drivers/camera"
	"mien/drivers/gpio"
	"mien/drivers/serial"
	"mien/drivers/watchdog"
	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/health"
	"mien/firmware/state"
)

// told waits until the journal has a text.
func (b *bench) told(text string) {
	b.t.Helper()
	b.until("the journal to tell of "+text, func() bool { return b.count(text) > 0 })
}

// count is how many events have a text in what they say.
func (b *bench) count(text string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		if strings.Contains(e.String(), text) {
			n++
		}
	}
	return n
}

// inSequence fails when an event is missing or out of order.
func (b *bench) inSequence() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, e := range b.events {
		if e.Number != uint64(i+1) {
			b.t.Fatalf("event %d has number %d", i+1, e.Number)
		}
	}
}

func (b *bench) reload(extra string) error {
	b.t.Helper()
	cfg, err := config.Parse("reload.toml", []byte(benchConfig+extra))
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return b.unit.Reload(ctx, cfg, 1)
}

// A wall clock that jumps an hour back and forth is a fault and in the journal.
// What is shelved, delayed and acknowledged does not mind.
func TestClockJumpsAnHourBackAndForth(t *testing.T) {
	var offset atomic.Int64
	b := newBench(t, "", func(o *Options) {
		o.Wall = func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	})
	b.until("results", b.trusted)
	b.show(pictures(t, frownFrom, frownTo))
	b.until("the alarm", func() bool { return b.state() == alarm.Unacknowledged })
	if err := b.do("test", state.On(alarm.Command{Do: alarm.Shelve, Alarm: "frown", For: time.Minute})); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for i := range 6 {
		// Forward, back, back, forward twice the hour, …, and each by another amount: the same is told once a minute.
		offset.Store(int64(time.Hour)*int64(1-i%3) + int64(time.Second)*int64(i*i))
		b.until("the fault", b.fault(health.ClockJumped))
		b.until(fmt.Sprintf("jump %d in the journal", i+1), func() bool { return b.count("the wall clock jumped by") > i })
		st := b.alarms()[0]
		if left := time.Minute - time.Since(began); st.State != alarm.Shelved || st.Life != alarm.Unacknowledged ||
			st.ShelvedLeft > left+2*time.Second || st.ShelvedLeft < left-5*time.Second {
			t.Fatalf("jump %d: %v beneath %v, shelved for %v more, want about %v", i+1, st.Life, st.State, st.ShelvedLeft, left)
		}
	}
	var s state.State
	b.unit.Latest().Load(&s)
	if f := s.Flags(b.unit.now()); s.FaultBits()&health.ClockJumped.Bit() == 0 || !f.Has(state.Degraded) || !f.Has(state.ResultValid) {
		t.Errorf("flags %04x, faults %v", f, s.Faults)
	}
	b.until("the fault line", func() bool { return b.chip.High(pin(3)) })
	if !b.unit.health.Trusted(b.unit.now()) {
		t.Error("a clock takes the trust away")
	}
	b.inSequence()
}

// The fault ends when the clock has gone evenly for a while, and not before.
func TestClockFaultEnds(t *testing.T) {
	u := newIdle(t)
	s := &supervisor{unit: u}
	wall := time.Unix(1_800_000_000, 0)
	look := func(at, offset time.Duration, want bool) {
		t.Helper()
		s.checkClock(at, wall.Add(at+offset))
		if u.health.On(health.ClockJumped) != want {
			t.Fatalf("at %v: fault %v", at, !want)
		}
	}
	look(1*time.Second, 0, false)
	look(2*time.Second, time.Second, false) // within health.clock_jump
	look(3*time.Second, time.Hour, true)
	look(12*time.Second, time.Hour, true)
	look(12500*time.Millisecond, 0, true) // back: the time begins again
	look(22*time.Second, 0, true)
	look(23*time.Second, 0, false)
	look(24*time.Second, 0, false)
}

// newIdle is a unit that does not run.
func newIdle(t *testing.T) *Unit { t.Helper(); return newIdleWith(t, "") }

func newIdleWith(t testing.TB, extra string) *Unit {
	t.Helper()
	cfg, err := config.Parse("bench.toml", []byte(benchConfig+extra))
	if err != nil {
		t.Fatal(err)
	}
	u, err := New(Options{Config: cfg, Resolve: plainResolver})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// A panic in a goroutine beside the parts (a client of the socket) drives the
// lines to their fail value, and the unit goes on.
func TestGuardedPanicFailsSafe(t *testing.T) {
	b := newBench(t, "", nil)
	b.until("results", b.trusted)
	b.until("the lines to leave their fail value", func() bool { return !b.chip.High(pin(2)) })
	if err := b.unit.Guard("socket", func() { panic("a client went mad") }); err == nil || !strings.Contains(err.Error(), "went mad") {
		t.Errorf("the panic: %v", err)
	}
	if !b.chip.High(pin(2)) {
		t.Error("the line is not at its fail value at once")
	}
	if !b.unit.health.On(health.Internal) {
		t.Error("no fault")
	}
	b.told("went mad")
	b.until("the way back", b.trusted)
	b.until("the lines again", func() bool { return !b.chip.High(pin(2)) && !b.chip.High(pin(3)) })
	if err := b.unit.Guard("socket", func() {}); err != nil {
		t.Error(err)
	}
}

// fail may come from any goroutine while the panel drives: for the race
// detector, and for a line that must not keep what fail made of it.
func TestFailWhileThePanelDrives(t *testing.T) {
	b := newBench(t, "", nil)
	b.until("results", b.trusted)
	p := b.unit.panel.Load()
	for range 200 {
		p.fail()
		time.Sleep(time.Millisecond)
	}
	b.until("the lines to leave their fail value", func() bool { return !b.chip.High(pin(2)) && b.trusted() })
}

// hanging is a camera that hangs in a call, as a driver does that waits for
// hardware in the kernel.
type hanging struct {
	camera.Source
	hang  *atomic.Bool
	never chan struct{}
}

func (h hanging) Next(timeout time.Duration) (*camera.Frame, error) {
	if h.hang.Load() {
		<-h.never
	}
	return h.Source.Next(timeout)
}

// A hang in the pipeline's own goroutine: the healthy line stands, the lines go
// to their fail value, the watchdogs starve, and a fault tells of it; and SIGTERM
// ends the unit with the lines at their fail value all the same.
func TestHangFailsSafeAndDoesNotKeepTheEnd(t *testing.T) {
	var hang atomic.Bool
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	b := newBench(t, "", func(o *Options) {
		open := o.OpenSource
		o.OpenSource = func(c config.Camera) (camera.Source, error) {
			src, err := open(c)
			return hanging{src, &hang, never}, err
		}
	})
	b.until("results, and the lines away from their fail value", func() bool { return b.trusted() && !b.chip.High(pin(2)) })
	hang.Store(true)
	b.until("the fail values", func() bool { return b.chip.High(pin(2)) && !b.chip.High(pin(1)) })
	toggles := b.toggles(0)
	time.Sleep(700 * time.Millisecond)
	if n := b.toggles(0); n > toggles {
		t.Errorf("the healthy line toggled %d times in a hang", n-toggles)
	}
	if b.unit.health.Alive(b.unit.now() + 10*time.Second) {
		t.Error("a hang keeps the watchdogs quiet")
	}
	b.until("the fault", b.fault(health.TooSlow))
	b.told("no error that says why")
	b.until("the fault line", func() bool { return b.chip.High(pin(3)) })
	b.stop()
	select {
	case err := <-b.done:
		if err == nil || !strings.Contains(err.Error(), "watcher: hangs") {
			t.Errorf("the end: %v", err)
		}
	case <-time.After(endsWithin + 10*time.Second):
		t.Fatal("a hang keeps the unit from its end")
	}
	if b.chip.High(pin(0)) || b.chip.High(pin(1)) || !b.chip.High(pin(2)) {
		t.Error("an output is not at its fail value after the end")
	}
	b.done <- nil
}

// 200 commands a second from four sides, contradicting each other: each that does
// something is journaled, in order, results go on, and the alarm is not lost.
func TestManyContradictoryCommands(t *testing.T) {
	b := newBench(t, "", nil)
	b.until("results", b.trusted)
	b.show(pictures(t, frownFrom, frownTo))
	b.until("the alarm", func() bool { return b.state() == alarm.Unacknowledged })
	var s state.State
	b.unit.Latest().Load(&s)
	results, before := s.Results, b.count("")
	pairs := [][2]alarm.Command{
		{{Do: alarm.Shelve, Alarm: "frown", For: time.Minute}, {Do: alarm.Unshelve, Alarm: "frown"}},
		{{Do: alarm.TakeOut, Alarm: "frown"}, {Do: alarm.PutBack, Alarm: "frown"}},
		{{Do: alarm.Inhibit, For: time.Minute}, {Do: alarm.Uninhibit}},
		{{Do: alarm.Silence}, {Do: alarm.Reset, Alarm: "frown"}},
	}
	const each = 150 // of four, 50 a second: 200 a second for 3 s
	var all sync.WaitGroup
	var did atomic.Int64
	for i, pair := range pairs {
		all.Add(1)
		go func() {
			defer all.Done()
			for n := range each {
				c := pair[n%2]
				err := b.do(fmt.Sprintf("side %d", i), state.On(c)) // a refusal is a right answer too
				if err == nil && c.Do != alarm.Silence {
					did.Add(1)
				}
				time.Sleep(20 * time.Millisecond)
			}
		}()
	}
	all.Wait()
	for _, c := range []alarm.Command{{Do: alarm.PutBack, Alarm: "frown"}, {Do: alarm.Unshelve, Alarm: "frown"}, {Do: alarm.Uninhibit}} {
		b.do("", state.On(c)) // whichever are still needed
	}
	if n := b.count("") - before; n < int(did.Load()) || did.Load() < 150 {
		t.Errorf("%d events, %d commands that did something", n, did.Load())
	}
	b.inSequence()
	b.unit.Latest().Load(&s)
	if n := s.Results - results; n < 15 {
		t.Errorf("%d results in 3 s", n)
	}
	b.until("the alarm once more", func() bool { return b.state() == alarm.Unacknowledged && b.unit.health.Word() == 0 })
}

// An input that floats gives a few commands at most, and is a fault.
func TestInputThatFloatsIsAFault(t *testing.T) {
	b := newBench(t, "", nil)
	b.until("results", b.trusted)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	quiet := make(chan struct{})
	go func() {
		defer close(quiet)
		for on := true; ctx.Err() == nil; on = !on {
			b.chip.Drive(pin(4), on)
			time.Sleep(8 * time.Millisecond)
		}
		b.chip.Drive(pin(4), false)
	}()
	b.until("the fault", b.fault(health.InputStuck))
	pressed := b.count("by input button")
	time.Sleep(500 * time.Millisecond) // thirty more edges up
	if n := b.count("by input button"); n > pressed+1 || n > chatter {
		t.Errorf("a floating input gave %d commands, %d of them after it was found out", n, n-pressed)
	}
	stop()
	<-quiet
	b.until("the way back", b.trusted)
}

// An alarm that is latched when a reload takes its name away is kept until it is
// acknowledged and reset, beside the alarm that has the new name.
func TestReloadRenamesALatchedAlarm(t *testing.T) {
	latched := "\n[[alarm]]\nname = %q\nsignal = \"au4\"\nhigh = 0.7\non_delay = \"100ms\"\noff_delay = \"100ms\"\nlatch = true\n"
	b := newBench(t, fmt.Sprintf(latched, "old name"), nil)
	find := func(name string) *alarm.Status {
		for _, a := range b.alarms() {
			if a.Name == name {
				return &a
			}
		}
		return nil
	}
	b.until("results", b.trusted)
	b.show(pictures(t, frownFrom, frownTo))
	b.until("the alarm", func() bool { return find("old name").State == alarm.Unacknowledged })
	b.show(pictures(t, neutralFrom, neutralTo))
	b.until("it latched", func() bool { return find("old name").State == alarm.LatchedUnacknowledged })
	if err := b.reload(fmt.Sprintf(latched, "new name")); err != nil {
		t.Fatal(err)
	}
	if a := find("old name"); a == nil || a.State != alarm.LatchedUnacknowledged || !a.Orphan {
		t.Fatalf("after the reload: %+v", a)
	}
	if a := find("new name"); a == nil || a.State != alarm.Normal {
		t.Fatalf("the new one: %+v", a)
	}
	var s state.State
	b.unit.Latest().Load(&s)
	if f := s.Flags(0); !f.Has(state.AnyUnacknowledged) || !f.Has(state.AnyLatched) {
		t.Errorf("flags %04x", f)
	}
	for _, do := range []alarm.Trigger{alarm.Acknowledge, alarm.Reset} {
		if err := b.do("test", state.On(alarm.Command{Do: do, Alarm: "old name"})); err != nil {
			t.Fatal(err)
		}
	}
	if a := find("old name"); a != nil {
		t.Errorf("it is still there: %+v", a)
	}
	b.inSequence()
}

// A reload that opens the serial port again keeps what masters wrote: a PLC that
// writes the same block in each cycle gives no command twice.
func TestReloadKeepsWhatMastersWrote(t *testing.T) {
	line := func(delay string) string {
		return "[serial]\ndevice = \"/dev/ttyTEST\"\n[modbus]\ndelay = \"" + delay + "\"\n"
	}
	ours, theirs, _ := serial.Pipe()
	b := newBench(t, line("0s"), func(o *Options) {
		o.OpenSerial = func(serial.Settings) (serial.Line, error) { return ours, ours.Reopen() }
	})
	b.until("results", b.trusted)
	b.show(pictures(t, frownFrom, frownTo))
	b.until("the alarm", func() bool { return b.state() == alarm.Unacknowledged })
	ask(t, theirs, 5, 0, 0, 0, 0)                               // at rest, as the unit must have seen it
	if got := ask(t, theirs, 5, 0, 0, 0xff, 0); len(got) != 8 { // coil 0: acknowledge all
		t.Fatalf("coil % x", got)
	}
	if got := ask(t, theirs, 6, 0, 3, 0, 17); len(got) != 8 { // shelve minutes
		t.Fatalf("holding % x", got)
	}
	b.until("the acknowledgement", func() bool { return b.state() == alarm.Acknowledged })
	acks := b.count("acknowledge")
	before := b.unit.speaker.Load()
	heard := before.slave.Stats().Messages
	if err := b.reload(line("1ms")); err != nil {
		t.Fatal(err)
	}
	if b.unit.speaker.Load() == before {
		t.Fatal("the slave was not made again: this tests nothing")
	}
	if got := ask(t, theirs, 1, 0, 0, 0, 1); len(got) != 6 || got[3] != 1 {
		t.Errorf("coil 0 after the reload: % x", got)
	}
	if got := ask(t, theirs, 3, 0, 3, 0, 1); len(got) != 7 || got[4] != 17 {
		t.Errorf("shelve minutes after the reload: % x", got)
	}
	if got := ask(t, theirs, 5, 0, 0, 0xff, 0); len(got) != 8 {
		t.Errorf("coil % x", got)
	}
	if n := b.count("acknowledge"); n != acks {
		t.Errorf("the same coil once more acknowledged again: %d events, were %d", n, acks)
	}
	if n := b.unit.speaker.Load().slave.Stats().Messages; n < heard+3 {
		t.Errorf("the counters began again: %d, were %d", n, heard)
	}
}

// ask sends one request to unit 1 and gives the answer, both whole frames.
func ask(t *testing.T, end *serial.End, pdu ...byte) []byte {
	t.Helper()
	adu := append([]byte{1}, pdu...)
	sum := Mark(adu)
	adu = append(adu, byte(sum), byte(sum>>8))
	buf := make([]byte, 256)
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); {
		if _, err := end.Write(adu, time.Second); err != nil {
			end.Reopen() // the unit is opening its side again
			time.Sleep(20 * time.Millisecond)
			continue
		}
		var got []byte
		for wait := time.Now().Add(time.Second); time.Now().Before(wait); {
			n, err := end.Read(buf, 50*time.Millisecond)
			got = append(got, buf[:n]...)
			if errors.Is(err, serial.ErrTimeout) && len(got) > 0 {
				return got
			}
		}
	}
	t.Fatal("no answer")
	return nil
}

// Two names of one line are refused, with both places, at the start and by a
// reload.
func TestOneLineUnderTwoNames(t *testing.T) {
	names := func(o *Options) {
		o.Resolve = func(chip, name string) (gpio.Line, error) {
			if name == "pin 11" {
				name = "1"
			}
			return plainResolver("fake", name)
		}
	}
	twice := "[[output]]\nname = \"horn\"\nline = \"pin 11\"\nfunction = \"horn\"\n"
	cfg, err := config.Parse("twice.toml", []byte(benchConfig+twice))
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Config: cfg}
	names(&o)
	_, err = New(o)
	var problems config.Problems
	if !errors.As(err, &problems) || len(problems) != 1 || problems[0].Line == 0 || !strings.Contains(err.Error(), `"pin 11"`) ||
		!strings.Contains(err.Error(), `output "lamp" on line `) || !strings.Contains(err.Error(), "one and the same") {
		t.Errorf("at the start: %v", err)
	}
	b := newBench(t, "", names)
	b.until("results", b.trusted)
	if err := b.reload(twice); err == nil || !strings.Contains(err.Error(), "one and the same") || !b.unit.health.On(health.ConfigRefused) {
		t.Errorf("by a reload: %v", err)
	}
	if err := b.reload(strings.Replace(twice, "pin 11", "7", 1)); err != nil {
		t.Errorf("with a line of its own: %v", err)
	}
}

// A watchdog that cannot be opened fails the self-test: told, and no reason not
// to watch.
func TestNoWatchdogFailsTheSelfTest(t *testing.T) {
	b := newBench(t, "", func(o *Options) {
		o.OpenDog = func(config.Watchdog) (watchdog.Watchdog, error) {
			return nil, errors.New("open /dev/watchdog: injected")
		}
	})
	b.until("the fault", b.fault(health.SelfTestFailed))
	b.until("trust all the same", func() bool { return b.unit.health.Trusted(b.unit.now()) })
	b.until("the fault line", func() bool { return b.chip.High(pin(3)) })
	b.told("open /dev/watchdog: injected")
}
