package pipeline

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mien/drivers/camera"
	"mien/drivers/gpio"
	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/health"
	"mien/firmware/state"
)

// A line whose fail value could not be written (a bus that timed out once) is
// written again until it has it, whether or not it can be read back.
func TestFailValueIsWrittenUntilItStands(t *testing.T) {
	for _, readBack := range []string{"true", "false"} {
		b := newBench(t, `
[[output]]
name = "stubborn"
chip = "fake"
line = 5
function = "lamp"
fail = "on"
read_back = `+readBack+`
`, nil)
		b.until("results", func() bool { return b.trusted() && !b.chip.High(pin(5)) })
		b.chip.Fail(gpio.Fault{Op: gpio.OpSet, Line: pin(5).String(), Err: errors.New("injected: connection timed out")})
		b.with(func(f *camera.Fake) { f.Gone = true })
		b.until("the loss", b.fault(health.CameraLost))
		b.until("the line's fault", b.fault(health.OutputMismatch))
		b.until("the fail value, read_back = "+readBack, func() bool { return b.chip.High(pin(5)) })
		b.until("the line's fault to end", func() bool { return !b.unit.health.On(health.OutputMismatch) })
		b.with(func(f *camera.Fake) { f.Gone = false })
		b.until("the way back", func() bool { return b.trusted() && !b.chip.High(pin(5)) })
		// The same where a panic writes it.
		b.chip.Fail(gpio.Fault{Op: gpio.OpSet, Line: pin(5).String(), Count: 2, Err: errors.New("injected: connection timed out")})
		b.unit.Guard("socket", func() { panic("a client went mad") })
		b.until("the fail value after a panic, read_back = "+readBack, func() bool { return b.chip.High(pin(5)) })
		b.until("the way back", func() bool { return b.trusted() && !b.chip.High(pin(5)) })
		b.end()
	}
}

// What each line shows: a hand on the lens or nobody in view puts out nothing that
// is lit, and a line that would rest goes to its fail value. The lamp blinks for
// whatever is unacknowledged, its condition gone or not, as Summary.Light says.
func TestWhatLinesShow(t *testing.T) {
	const slow, dark = 0, 700 * time.Millisecond // lit and unlit, within a second
	waits := func(b uint64) alarm.Summary { return alarm.Summary{Unacknowledged: b, Horn: b, Lamp: b} }
	active := func(s alarm.Summary) alarm.Summary { s.Active = s.Unacknowledged; return s }
	latched := func(s alarm.Summary) alarm.Summary { s.Latched = s.Unacknowledged; return s }
	sum := map[string]alarm.Summary{
		"normal":       {},
		"unack":        active(waits(1)),
		"returned":     waits(1),
		"latched":      latched(waits(1)),
		"acknowledged": {Active: 1, Lamp: 1},
		"silenced":     {Active: 1, Unacknowledged: 1, Silenced: 1, Lamp: 1},
		"no lamp":      {Active: 1, Unacknowledged: 1, Horn: 1},
	}
	const rests, lit, blinks = "rests", "lit", "blinks"
	for state, shows := range map[string]map[function]string{
		"normal":       {lampLine: rests, hornLine: rests, anyLine: rests, unacknowledgedLine: rests, alarmLine: rests},
		"unack":        {lampLine: blinks, hornLine: lit, anyLine: blinks, unacknowledgedLine: blinks, alarmLine: blinks},
		"returned":     {lampLine: blinks, hornLine: lit, anyLine: rests, unacknowledgedLine: blinks, alarmLine: blinks},
		"latched":      {lampLine: blinks, hornLine: lit, anyLine: blinks, unacknowledgedLine: blinks, alarmLine: blinks},
		"acknowledged": {lampLine: lit, hornLine: rests, anyLine: lit, unacknowledgedLine: rests, alarmLine: lit},
		"silenced":     {lampLine: blinks, hornLine: rests, anyLine: blinks, unacknowledgedLine: blinks, alarmLine: blinks},
		"no lamp":      {lampLine: rests, hornLine: lit, anyLine: blinks, unacknowledgedLine: blinks, alarmLine: blinks},
	} {
		for f, want := range shows {
			for _, trusted := range []bool{true, false} {
				for _, lost := range []bool{true, false} {
					st := shown{summary: sum[state], trusted: trusted}
					if lost {
						st.summary.Safe = 1
					}
					for p := range st.masks {
						st.masks[p] = 1
					}
					o := &output{function: f, blink: gpio.Slow, priority: alarm.Low}
					first, safe := o.level(&st, false, slow)
					second, alike := o.level(&st, false, dark)
					got := rests
					switch {
					case first && second:
						got = lit
					case first != second:
						got = blinks
					}
					if got != want || safe != alike || safe != (want == rests && (lost || !trusted)) {
						t.Errorf("%s, line %d, trusted %v, lost %v: it %s (want %s), fail value %v", state, f, trusted, lost, got, want, safe)
					}
				}
			}
		}
		s := sum[state]
		if want := map[alarm.Lamp]string{alarm.LampOff: rests, alarm.LampSteady: lit, alarm.LampBlink: blinks}[s.Light(1)]; state != "no lamp" && want != shows[lampLine] {
			t.Errorf("%s: the lamp %s, Summary.Light says %s", state, shows[lampLine], want)
		}
	}
}

// A fault that stops the unit ends an output test: the lines go to their fail
// value. A test that is begun without results, on a unit without its camera yet,
// shows them all the same.
func TestStopEndsAnOutputTest(t *testing.T) {
	b := newBench(t, "", nil)
	b.until("results", b.trusted)
	b.do("test", state.Command{Do: state.TestOutputs, For: time.Minute})
	b.until("every line on", func() bool {
		return b.chip.High(pin(0)) && b.chip.High(pin(1)) && b.chip.High(pin(2)) && b.chip.High(pin(3))
	})
	b.with(func(f *camera.Fake) { f.Gone = true })
	b.until("the loss", b.fault(health.CameraLost))
	b.until("the fail values", func() bool { return !b.chip.High(pin(0)) && !b.chip.High(pin(1)) && b.chip.High(pin(2)) })
	b.told("output test ended: no valid results")
	b.do("test", state.Command{Do: state.TestOutputs, For: time.Minute})
	b.until("every line on once more", func() bool { return b.chip.High(pin(0)) && b.chip.High(pin(1)) })
	b.do("test", state.Command{Do: state.TestOutputs, For: 0})
	b.until("the fail values once more", func() bool { return !b.chip.High(pin(0)) && !b.chip.High(pin(1)) })
	b.do("anna", state.Command{Do: state.TestOutputs, For: 0})
	b.told("output test: there was none to end (by anna)")
	b.with(func(f *camera.Fake) { f.Gone = false })
	b.until("the way back", b.trusted)
}

// A reload that gives alarms other places keeps the line of each with its alarm,
// and releases no line for that.
func TestReloadKeepsLinesWithTheirAlarms(t *testing.T) {
	b := newBench(t, "", nil)
	b.until("results", b.trusted)
	b.show(pictures(t, frownFrom, frownTo))
	b.until("the alarm and its line", func() bool { return b.state() == alarm.Unacknowledged && b.chip.High(pin(1)) && b.chip.High(pin(2)) })
	moved := func() (n int) {
		for _, c := range b.chip.Changes() {
			if c.Offset == 1 || c.Offset == 2 {
				n++
			}
		}
		return n
	}
	before := moved()
	first := "[[alarm]]\nname = \"first\"\nsignal = \"au12\"\nhigh = 0.99\n"
	cfg, err := config.Parse("reload.toml", []byte(strings.Replace(benchConfig, "[[alarm]]", first+"[[alarm]]", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.unit.Reload(t.Context(), cfg, 1); err != nil {
		t.Fatal(err)
	}
	if list := b.alarms(); list[0].Name != "first" || list[1].State != alarm.Unacknowledged {
		t.Fatalf("%+v", list)
	}
	var known state.State
	if b.unit.Latest().Load(&known); known.Numbering != 1 {
		t.Errorf("alarms have other numbers, numbering %d", known.Numbering)
	}
	n := b.unit.health.Results()
	b.until("more results", func() bool { return b.unit.health.Results() > n+5 })
	if n := moved(); n != before {
		t.Errorf("the lamp and the alarm's line changed %d times", n-before)
	}
	b.show(pictures(t, neutralFrom, neutralTo))
	b.do("test", state.On(alarm.Command{Do: alarm.Acknowledge, Alarm: "frown"}))
	b.until("both off", func() bool { return !b.chip.High(pin(1)) && !b.chip.High(pin(2)) })
}

// hookedChip is a chip whose lines call before at each Set: to hang there, as an
// expander's driver does that waits for its bus, or to panic.
type hookedChip struct {
	*gpio.Fake
	before func()
}

type hookedLine struct {
	gpio.Output
	before func()
}

func (c hookedChip) Output(o gpio.OutputSettings) (gpio.Output, error) {
	line, err := c.Fake.Output(o)
	return hookedLine{line, c.before}, err
}

func (l hookedLine) Set(on bool) error {
	l.before()
	return l.Output.Set(on)
}

// Lines whose driver hangs are a fault, and no watchdog is fed for long; when it
// comes back all is well.
func TestLinesThatHangAreAFault(t *testing.T) {
	var gate sync.RWMutex // whoever has it locked holds every write
	wait := func() { gate.RLock(); gate.RUnlock() }
	b := newBench(t, "", func(o *Options) { o.Host = hookedChip{o.Host.(*gpio.Fake), wait} })
	b.until("results", b.trusted)
	gate.Lock()
	b.until("the fault", b.fault(health.OutputMismatch))
	b.told("the output lines are not driven")
	now := b.unit.now() + 10*time.Second
	b.unit.health.Turn(now) // the rest of the unit goes on
	if b.unit.health.Alive(now) {
		t.Error("lines that hang keep the watchdogs quiet")
	}
	gate.Unlock()
	b.until("the way back", b.trusted)
	if !b.unit.health.Alive(b.unit.now()) {
		t.Error("not alive afterwards")
	}
}

// A panic in the panel itself: every line at its fail value, and once it is back,
// at what it has to show.
func TestPanelThatPanicsFailsSafe(t *testing.T) {
	var mad atomic.Bool
	fail := func() {
		if mad.Load() {
			panic("a line went mad")
		}
	}
	b := newBench(t, "", func(o *Options) { o.Host = hookedChip{o.Host.(*gpio.Fake), fail} })
	b.until("results", b.trusted)
	b.show(pictures(t, frownFrom, frownTo))
	b.until("the alarm's lines", func() bool { return b.chip.High(pin(1)) && b.chip.High(pin(2)) })
	mad.Store(true) // with the next write, which the healthy line has soon
	b.until("the fault", b.fault(health.Internal))
	b.until("the fail values", func() bool { return !b.chip.High(pin(0)) && !b.chip.High(pin(1)) && b.chip.High(pin(2)) })
	b.told("a line went mad")
	mad.Store(false)
	b.until("the way back", func() bool { return b.trusted() && b.chip.High(pin(1)) })
}

// A value that an open drive leaves to the resistor is nobody's fault if others
// on the line change it; one that it drives is.
func TestOpenDriveIsReadBackWhereItDrives(t *testing.T) {
	b := newBench(t, `
[[output]]
name = "shared"
chip = "fake"
line = 5
function = "lamp"
active = "low"
drive = "open-drain"
`, nil)
	b.until("results, and the line off", func() bool { return b.trusted() && b.chip.High(pin(5)) })
	b.chip.Drive(pin(5), false) // another lights the same lamp
	n := b.unit.health.Results()
	b.until("two rounds of read-back", func() bool { return b.unit.health.Results() > n+16 })
	if b.count("output mismatch") > 0 {
		t.Error("a shared line is a fault")
	}
	b.chip.Drive(pin(5), true) // a short to the supply
	b.show(pictures(t, frownFrom, frownTo))
	b.until("the fault of a line that is driven low", b.fault(health.OutputMismatch))
}

// Each word that the config takes is known here.
func TestWordsOfTheConfigAreKnown(t *testing.T) {
	known := func(path string, words []string, lacks func(word string) bool) {
		if len(words) == 0 {
			t.Errorf("%s has no words", path)
		}
		for _, w := range words {
			if lacks(w) {
				t.Errorf("%s = %q is known to the config only", path, w)
			}
		}
	}
	for _, k := range config.Reference() {
		switch k.Path {
		case "output.function":
			known(k.Path, k.Choices, func(w string) bool {
				var f config.Function
				err := f.UnmarshalText([]byte(w))
				_, ok := functions[f.Role]
				return err != nil || !ok
			})
		case "output.blink":
			known(k.Path, k.Choices, func(w string) bool { _, ok := patterns[config.Blink(w)]; return !ok })
		case "output.drive":
			known(k.Path, k.Choices, func(w string) bool { _, ok := drives[config.Drive(w)]; return !ok })
		case "serial.parity":
			known(k.Path, k.Choices, func(w string) bool { _, ok := parities[config.Parity(w)]; return !ok })
		case "serial.rs485":
			known(k.Path, k.Choices, func(w string) bool { _, ok := rs485s[config.RS485(w)]; return !ok })
		}
	}
}
