package pipeline

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mien/drivers/camera"
	"mien/drivers/serial"
	"mien/firmware/alarm"
	"mien/firmware/alarm/store"
	"mien/firmware/config"
	"mien/firmware/health"
	"mien/firmware/state"
	"mien/model/affect"
	"mien/model/face"
)

// A disk that takes nothing for longer than the memory for events lasts: the
// newest are kept, the fault is on meanwhile, and the journal tells how many are
// missing.
func TestJournalTellsOfEventsThatAreMissing(t *testing.T) {
	disk := store.NewFake()
	kept, found, err := store.Open(store.Options{Dir: "/state", FS: disk, Queue: 10, Delay: 10 * time.Millisecond, RetryMost: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kept.Close() })
	b := newBench(t, "", func(o *Options) { o.Store, o.Found = kept, found })
	b.until("results", b.trusted)
	disk.Fail(store.Fault{Op: store.OpWrite, Count: -1, Err: unix.ENOSPC})
	b.do("test", state.On(alarm.Command{Do: alarm.Note, Text: "a first note"}))
	b.until("a failed write", func() bool { return kept.Status().Err != nil })
	for i := range 30 {
		b.do("test", state.On(alarm.Command{Do: alarm.Note, Text: "a note " + strconv.Itoa(i)}))
	}
	b.until("the fault", b.fault(health.StorageFailed))
	if b.count("missing before") != 0 {
		t.Error("told while there is no room for it")
	}
	disk.Heal()
	b.until("the way back", b.trusted)
	b.told("missing before this event: ")
	if err := kept.Sync(); err != nil {
		t.Fatal(err)
	}
	read, err := kept.Events(0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	lost := uint64(0)
	for i := 1; i < len(read); i++ {
		lost += read[i].Number - read[i-1].Number - 1
	}
	if lost == 0 || lost != kept.Status().Dropped {
		t.Errorf("%d numbers are missing, the store let %d go", lost, kept.Status().Dropped)
	}
	if n := b.count("missing before"); n != 1 {
		t.Errorf("told %d times", n)
	}
}

// Somebody empties the state folder of a running unit: the alarm states are on the
// disk again within a second, and the journal says that events before may be missing.
func TestJournalTellsOfAFolderThatWasEmptied(t *testing.T) {
	dir := t.TempDir()
	kept, found, err := store.Open(store.Options{Dir: dir, Memory: t.TempDir(), Delay: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kept.Close() })
	b := newBench(t, "", func(o *Options) { o.Store, o.Found = kept, found })
	b.until("results", b.trusted)
	if err := kept.Sync(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v %v", files, err)
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	b.told("the journal's file was taken away or changed by somebody else")
	if err := kept.Sync(); err != nil {
		t.Fatal(err)
	}
	if read, err := kept.Events(0, 100); err != nil || len(read) == 0 || !strings.Contains(read[0].Cause, "was taken away") {
		t.Errorf("%v %v", read, err)
	}
	if n := b.count("taken away"); n != 1 {
		t.Errorf("told %d times", n)
	}
}

// Somebody leaves: for unknown_hold the lines stay, then those of an alarm that
// declares a fault go to their fail value. An unacknowledged alarm stays what it
// is, present and sounding, and so it is when somebody is back.
func TestNobodyInView(t *testing.T) {
	b := newBench(t, `
[[alarm]]
name = "smile"
signal = "au12"
high = 0.95
unknown_hold = "500ms"
[[output]]
name = "smile"
chip = "fake"
line = 5
function = "alarm:smile"
fail = "on"
[[output]]
name = "horn"
chip = "fake"
line = 6
function = "horn"
`, nil)
	b.until("results", b.trusted)
	b.show(pictures(t, frownFrom, frownTo))
	b.until("the alarm", func() bool { return b.state() == alarm.Unacknowledged && b.chip.High(pin(6)) && !b.chip.High(pin(5)) })
	empty := make([][]byte, 8) // a wall with a shadow, and a sensor's noise
	for i := range empty {
		empty[i] = make([]byte, 640*480)
		for j := range empty[i] {
			empty[i][j] = byte(60 + j%640/8 + (j*7+i*13)%5)
		}
	}
	b.with(func(f *camera.Fake) {
		f.Format, f.Pictures = camera.GREY, empty
		f.NextErrs = map[int]error{f.Nexts + 1: camera.ErrGone} // another format takes another stream
	})
	b.until("results of the empty room", func() bool {
		a := b.alarms()[0]
		return b.trusted() && a.Unknown && a.Level != a.Level
	})
	b.until("the fail value", func() bool { return b.chip.High(pin(5)) })
	for _, a := range b.alarms() {
		if want := map[string]alarm.State{"frown": alarm.Unacknowledged, "smile": alarm.Normal}[a.Name]; a.State != want || !a.Safe {
			t.Errorf("%s: %v, safe %v", a.Name, a.State, a.Safe)
		}
	}
	if !b.chip.High(pin(1)) || !b.chip.High(pin(6)) || b.chip.High(pin(3)) {
		t.Error("lamp or horn went out because nobody is there, or that is a fault of the unit")
	}
	b.with(func(f *camera.Fake) {
		f.Format, f.Pictures = camera.MJPEG, pictures(t, neutralFrom, neutralTo)
		f.NextErrs = map[int]error{f.Nexts + 1: camera.ErrGone}
	})
	b.until("the alarm to return, unacknowledged, and the line to leave its fail value", func() bool {
		return b.state() == alarm.ReturnedUnacknowledged && b.chip.High(pin(6)) && !b.chip.High(pin(5))
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		if e.Trigger == alarm.LoseReading || e.Trigger == alarm.RegainReading {
			t.Errorf("when somebody came or went is told: %v", e)
		}
	}
}

// A fault that is set by who holds the unit's lock is queued, and told by the next
// look, in its order.
func TestFaultRaisedWhileTheLockIsHeld(t *testing.T) {
	var told []string
	u := newIdle(t)
	u.options.OnFault = func(_ health.Fault, _ bool, text string) { told = append(told, text) }
	done := make(chan struct{})
	go func() {
		defer close(done)
		u.mu.Lock()
		defer u.mu.Unlock()
		u.health.Begin(health.StorageFailed, u.now(), "disk full")
		u.health.End(health.StorageFailed)
		u.health.Begin(health.SerialLost, u.now(), "unplugged")
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("setting a fault waits for the unit's lock")
	}
	u.expire(u.now())
	if want := []string{"F12 storage failed: disk full", "F12 storage failed ended", "F10 serial port lost: unplugged"}; !slices.Equal(told, want) {
		t.Errorf("told %q", told)
	}
}

// Faults that begin and end on many goroutines at once, beside commands and
// results: each is told in turn.
func TestFaultNotesKeepTheirOrder(t *testing.T) {
	var notes []string
	u := newIdle(t)
	u.options.OnFault = func(_ health.Fault, _ bool, text string) { notes = append(notes, text) } // the journal merges them
	var all sync.WaitGroup
	for _, f := range []health.Fault{health.StorageFailed, health.StorageFailed, health.SerialLost, health.OutputMismatch} {
		all.Add(1)
		go func() {
			defer all.Done()
			for range 500 {
				u.health.Begin(f, u.now(), "injected")
				u.note("something else", "test")
				u.health.End(f)
				u.expire(u.now())
			}
		}()
	}
	all.Wait()
	u.expire(u.now())
	on := map[string]bool{}
	for i, text := range notes {
		code, rest, _ := strings.Cut(text, " ")
		if began := !strings.HasSuffix(rest, "ended"); began == on[code] {
			t.Fatalf("note %d of %d: %q, and it is on: %v", i, len(notes), text, on[code])
		} else {
			on[code] = began
		}
	}
	if len(notes) < 3000 {
		t.Errorf("%d notes", len(notes))
	}
}

// neverRead is a port at whose other end nobody takes anything: a write waits for
// as long as it may, and longer.
type neverRead struct{ serial.Line }

func (neverRead) Read([]byte, time.Duration) (int, error) { return 0, serial.ErrTimeout }
func (neverRead) Close() error                            { return nil }
func (neverRead) Discard() error                          { return nil }
func (neverRead) Write(_ []byte, timeout time.Duration) (int, error) {
	time.Sleep(2 * timeout)
	return 0, serial.ErrTimeout
}

// A reader that stands still in the middle of its work keeps nobody from theirs:
// results, lines, and other readers go on.
func TestReaderThatNeverReads(t *testing.T) {
	b := newBench(t, "[serial]\ndevice = \"/dev/ttyTEST\"\nprotocol = \"ascii\"\n", func(o *Options) {
		o.OpenSerial = func(serial.Settings) (serial.Line, error) { return neverRead{}, nil }
	})
	b.until("results", b.trusted)
	b.show(pictures(t, frownFrom, frownTo))
	b.until("the alarm at another reader", func() bool { return b.state() == alarm.Unacknowledged })
	b.until("the lamp", func() bool { return b.chip.High(pin(1)) })
	if err := b.do("test", state.On(alarm.Command{Do: alarm.Acknowledge})); err != nil {
		t.Error(err)
	}
	n := b.unit.health.Results()
	b.until("more results", func() bool { return b.trusted() && b.unit.health.Results() > n+10 })
}

// What infers an emotion leaves the unit nowhere without a purpose: readers have
// neither the signals nor the likeliest expression. With one they have all.
func TestNoEmotionWithoutAPurpose(t *testing.T) {
	for purpose, infers := range map[config.Purpose]bool{"": false, config.Safety: true} {
		u := newIdle(t)
		cfg := *u.current
		cfg.Unit.Purpose = purpose
		u.mu.Lock()
		u.become(&cfg, u.network, 7)
		u.mu.Unlock()
		levels := make([]float32, len(u.network.signals))
		for i := range levels {
			levels[i] = float32(i+1) / 100
		}
		u.result(&Sight{Levels: levels, Class: "anger", ClassP: 0.9, Compound: "sadly_angry", CompoundP: 0.5, Reason: face.Good}, u.network.signals, 0, u.now())
		var s state.State
		u.Latest().Load(&s)
		emotions := 0
		for i, signal := range s.About.Signals {
			if config.Emotion(signal.Name) {
				emotions++
			}
			if want := levels[slices.Index(u.network.signals, signal.Name)]; s.Levels[i] != want {
				t.Errorf("purpose %q: %s is %v, want %v", purpose, signal.Name, s.Levels[i], want)
			}
		}
		if (emotions > 0) != infers || (s.Expression.Name != "") != infers || (s.Compound.Name != "") != infers || s.Level("au4") != s.Level("au4") {
			t.Errorf("purpose %q: %d signals of emotions, %+v, %+v", purpose, emotions, s.Expression, s.Compound)
		}
	}
}

// manyAlarms is a unit with 48 alarms of 32 characters.
func manyAlarms(t testing.TB) *Unit {
	t.Helper()
	text := ""
	for i := 1; i < alarm.MaxAlarms; i++ {
		text += fmt.Sprintf("[[alarm]]\nname = \"%032d\"\nsignal = \"au%d\"\nhigh = 0.7\n", i, []int{1, 2, 4, 12}[i%4])
	}
	return newIdleWith(t, text)
}

// A result of a unit with 48 alarms reaches its readers and allocates nothing on
// the way; all 48 are there.
func TestResultAllocatesNothing(t *testing.T) {
	u := manyAlarms(t)
	levels := make([]float32, len(u.network.signals))
	s := &Sight{Levels: levels, Reason: face.Good}
	one := func() { u.result(s, u.network.signals, 0, u.now()) }
	for range 20 { // until every copy's lists are long enough
		one()
	}
	if n := testing.AllocsPerRun(200, one); n != 0 {
		t.Errorf("%v allocations a result", n)
	}
	var got state.State
	u.Latest().Load(&got)
	if len(got.Alarms) != alarm.MaxAlarms || got.Alarms[47].Name != fmt.Sprintf("%032d", 47) {
		t.Errorf("%d alarms", len(got.Alarms))
	}
}

// What a result costs beside the networks: alarms, state, readers.
func BenchmarkResult(b *testing.B) {
	u := manyAlarms(b)
	s := &Sight{Levels: make([]float32, len(u.network.signals)), Reason: face.Good}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		u.result(s, u.network.signals, 0, u.now())
	}
}

// Each fault that stops the unit is the reason why there is no reading; the others
// are none.
func TestFaultsThatStopAreReasons(t *testing.T) {
	for _, f := range health.Faults() {
		u := newIdle(t)
		u.health.Begin(health.StorageFailed, u.now(), "injected")
		u.health.Begin(f, u.now(), "injected")
		u.stale(u.now(), u.wall())
		var s state.State
		u.Latest().Load(&s)
		reason := state.NotFresh
		if f.Info().Effect == health.Stops {
			reason = f.String()
		}
		if s.Reason != reason {
			t.Errorf("%v: %q, want %q", f, s.Reason, reason)
		}
	}
}

// An imported network's own action units, classes and parts reach readers by their
// names.
func TestSignalsOfAnImportedNetwork(t *testing.T) {
	card := &affect.Card{Outputs: affect.Outputs{
		Expression:  &affect.ExpressionOutput{Classes: []string{"calm", "bored", "tense", "tired", "lost"}},
		ActionUnits: &affect.UnitOutput{Units: []int{5, 20, 28}, Thresholds: []float32{0.5, 0.5, 0.5}},
		Visibility:  &affect.VisibilityOutput{Parts: []string{"brow", "eyes"}, Thresholds: []float32{0.5, 0.5}},
	}}
	u := newIdle(t)
	cfg := *u.current
	cfg.Unit.Purpose = config.Safety
	u.mu.Lock()
	u.become(&cfg, networkOf([]*affect.Card{card}, [][]byte{nil}), 7)
	u.mu.Unlock()
	signals := affect.Signals(card)
	levels := make([]float32, len(signals))
	for i := range levels {
		levels[i] = float32(i+1) / 100
	}
	u.result(&Sight{Levels: levels, Class: "bored", ClassP: 0.6, Covered: 2, Reason: face.Good}, signals, 0, u.now())
	var s state.State
	u.Latest().Load(&s)
	for i, name := range []string{"expression.calm", "expression.bored", "expression.tense", "expression.tired", "expression.lost", "au5", "au20", "au28", "visible.brow", "visible.eyes"} {
		if s.Level(name) != levels[i] || s.About.Signals[i].Human == "" {
			t.Errorf("%s is %v, want %v: %+v", name, s.Level(name), levels[i], s.About.Signals[i])
		}
	}
	if s.Expression.Name != "bored" || !slices.Equal(s.Covered, []string{"eyes"}) || s.Level("au4") == s.Level("au4") {
		t.Errorf("%+v, covered %v, au4 %v", s.Expression, s.Covered, s.Level("au4"))
	}
}
