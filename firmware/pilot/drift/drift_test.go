package drift

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mien/firmware/pilot"
	"mien/firmware/state"
	"mien/model/face"
)

// place is a watch on clocks of its own, at a place of work where a day is like
// another but for chance.
type place struct {
	*Watch
	t       *testing.T
	random  *rand.Rand
	now     time.Duration
	wall    time.Time
	reserve int64
	dir     string
	pilot   pilot.Status
	notes   []string
	network string
	unit    string
	signals []string
	purpose bool
	by      float64 // is added to au4
	reason  face.Reason
}

func newPlace(t *testing.T) *place {
	p := &place{t: t, random: rand.New(rand.NewPCG(1, 2)), dir: filepath.Join(t.TempDir(), "pilot"), reserve: 1, now: time.Hour,
		network: "aa", unit: "press 4", signals: []string{"au1", "au4", "valence", "eyes_closed"}, wall: time.Date(2026, 3, 2, 0, 0, 1, 0, time.Local)}
	p.start()
	return p
}

// start is a start of the unit; what the one before had in memory is gone.
func (p *place) start() {
	p.Watch = New(Options{Dir: p.dir, Reserve: p.reserve, Now: func() time.Duration { return p.now }, Wall: func() time.Time { return p.wall },
		Pilot: func() pilot.Status { return p.pilot }, Note: func(text string) { p.notes = append(p.notes, text) }})
	p.configure()
	p.Look()
}

func (p *place) configure() {
	p.Configure(p.unit, []string{p.network}, "network "+p.network, p.signals, func(s string) bool { return p.purpose || s != "valence" })
}

func (p *place) passes(d time.Duration) {
	p.now += d
	p.wall = p.wall.Add(d)
}

// until lets time pass without a frame until a clock time.
func (p *place) until(hour int) {
	to := time.Date(p.wall.Year(), p.wall.Month(), p.wall.Day(), hour, 0, 1, 0, time.Local)
	if !to.After(p.wall) {
		to = to.AddDate(0, 0, 1)
	}
	p.passes(to.Sub(p.wall))
	p.Look()
}

// work is frames for so long.
func (p *place) work(d time.Duration) {
	light, brow := 100+5*p.random.NormFloat64(), 0.2+0.01*p.random.NormFloat64()
	levels := make([]float32, len(p.signals))
	for n, end := 0, p.now+d; p.now < end; n++ {
		p.passes(1900 * time.Millisecond)
		if n%600 == 0 {
			p.Look()
		}
		for i := range levels {
			levels[i] = float32(brow + 0.05*p.random.NormFloat64())
		}
		levels[1] += float32(p.by)
		f := pilot.Frame{Trusted: true, Now: p.now, Reason: p.reason, Found: true, Size: 120, Score: 0.8, Light: uint8(light), Contrast: 30}
		if p.random.IntN(10) == 0 {
			f.Reason = face.Turned
		}
		p.Add(&f, levels)
	}
	p.Look()
}

// days are so many of one shift each.
func (p *place) days(n int) {
	for range n {
		p.until(6)
		p.work(3 * time.Hour)
		p.until(0)
	}
}

func (p *place) begin() { p.pilot = pilot.Status{Recording: true, Begun: p.wall}; p.Look() }

func (p *place) end() { p.pilot.Recording = false; p.Look() }

// pilotOf is a pilot of so many days, and its end.
func (p *place) pilotOf(days int) {
	p.begin()
	p.until(0)
	p.days(days)
	p.end()
}

func (p *place) state() state.DriftState {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tell()
	return p.Table().State
}

func (p *place) quiet(when string) {
	p.t.Helper()
	if c := p.Changed(); c.Text != "" {
		p.t.Errorf("%s: %s", when, c.Text)
	}
}

func TestNothingIsKeptUnasked(t *testing.T) {
	p := newPlace(t)
	p.days(3)
	if _, err := os.Stat(p.dir); err == nil || p.state() != state.DriftNone || p.frame.day.Read != 0 {
		t.Error("days were kept of which nobody asked")
	}
}

func TestPilotBecomesBaselineAndChangeIsTold(t *testing.T) {
	p := newPlace(t)
	p.pilotOf(10)
	if p.state() != state.DriftCompares || !strings.Contains(strings.Join(p.notes, "\n"), "baseline of 10 days, from 2026-03-03 to 2026-03-12") {
		t.Fatalf("%v %q", p.state(), p.notes)
	}
	p.days(12)
	p.quiet("days as in the pilot")
	if d := p.Table(); d.Compared != 12 || d.Passed != 0 || len(d.Of) != 4+len(reasons)+3 {
		t.Errorf("%d days compared, %d passed, %d quantities", d.Compared, d.Passed, len(d.Of))
	}
	p.by = 0.06
	changed := date(p.wall)
	p.days(3)
	if c := p.Changed(); c.About != "au4," || !strings.HasPrefix(c.Text, "au4 since "+changed+": 0.2") || !strings.HasSuffix(c.Text, " in place of 0.2") && !strings.Contains(c.Text, " in place of 0.") {
		t.Errorf("%+v, changed on %s", c, changed)
	}
	before := p.Changed()
	p.start()
	if p.Changed() != before {
		t.Errorf("after a restart %+v", p.Changed())
	}
	p.by = 0
	p.days(4)
	p.quiet("days as in the pilot again")

	p.by = 0.4 // so much is told after a day
	p.days(1)
	if p.Changed().About != "au4," {
		t.Errorf("%+v", p.Changed())
	}
	text, err := p.Learn(7)
	p.Look()
	if p.quiet("while a new baseline is learnt"); err != nil || p.state() != state.DriftLearns || !strings.Contains(text, "7 days") {
		t.Errorf("%v %q %v", err, text, p.state())
	}
	p.until(12) // of the day at hand
	p.days(9)
	p.quiet("a new baseline")
	if d := p.Table(); p.state() != state.DriftCompares || d.By != "command" || d.Compared != 2 {
		t.Errorf("%v, by %s, %d days compared", p.state(), d.By, d.Compared)
	}
}

func TestHowOftenAFaceCanBeRead(t *testing.T) {
	p := newPlace(t)
	p.pilotOf(8)
	p.reason = face.Blurred
	p.days(2) // without a single reading
	if d := p.Table(); d.Compared != 0 || d.Passed != 2 || d.PassedWhy != "2026-03-12: a face was read for 0.0 h, it takes 1.4 h" {
		t.Errorf("%d compared, %d passed, %s", d.Compared, d.Passed, d.PassedWhy)
	}
	p.days(8)
	if last := p.notes[len(p.notes)-1]; !strings.HasPrefix(last, "drift: none of the last 10 days was compared with the pilot: 2026-03-20: a face was read for 0.0 h") {
		t.Errorf("%q", last)
	}
	p.reason = face.Good
	p.days(1)
	p.until(6)
	p.work(2 * time.Hour)
	p.reason = face.Blurred
	p.work(2 * time.Hour)
	p.until(0)
	if c := p.Changed(); !strings.HasPrefix(c.Text, "face out of focus or moving fast since 2026-03-22: ") || !strings.Contains(c.Text, "% in place of 0.0 %") {
		t.Errorf("%+v", c)
	}
}

func TestFewDaysAreNoBaseline(t *testing.T) {
	p := newPlace(t)
	p.pilotOf(2)
	if p.state() != state.DriftNone || !strings.Contains(p.notes[len(p.notes)-1], "no baseline: 2 days count, and it needs 5 more") {
		t.Errorf("%v %q", p.state(), p.notes)
	}
	p.quiet("no baseline")
	p.pilotOf(8)
	first := p.Table().First
	p.begin()
	p.until(0)
	p.days(2)
	p.pilot.Recording = false
	if _, err := p.Learn(0); err != nil { // at once after its end
		t.Error(err)
	}
	p.Erase()
	p.pilotOf(8)
	first = p.Table().First
	p.pilotOf(2)
	if p.state() != state.DriftCompares || p.Table().First != first || !strings.Contains(p.notes[len(p.notes)-1], "the one before stays: 2 days count") {
		t.Errorf("%v %q", p.state(), p.notes)
	}
}

// Days without frames, with few, cut by a clock that was set, or in which the unit
// was off are left out, and nothing is told for them.
func TestDaysThatDoNotCount(t *testing.T) {
	p := newPlace(t)
	p.pilotOf(8)
	p.until(9)
	p.work(time.Hour) // few frames
	p.until(0)
	p.until(0) // none
	p.until(8)
	p.work(2 * time.Hour)
	p.passes(7 * 24 * time.Hour) // off, in the middle of a day
	p.start()
	p.until(0)
	if d := p.Table(); d.Compared != 1 || d.Passed != 3 {
		t.Errorf("%d compared, %d passed: %s", d.Compared, d.Passed, d.PassedWhy)
	}
	for _, by := range []time.Duration{10 * time.Hour, -50 * time.Hour, 365 * 24 * time.Hour, -365 * 24 * time.Hour, 6 * time.Minute} {
		before := *p.Table()
		p.until(6)
		p.work(2 * time.Hour)
		p.wall = p.wall.Add(by) // at work
		p.work(2 * time.Hour)
		p.until(0)
		if d := p.Table(); d.Compared != before.Compared || !strings.HasSuffix(d.PassedWhy, "the clock was set") {
			t.Errorf("clock by %v: %d days compared, %s", by, d.Compared-before.Compared, d.PassedWhy)
		}
		p.days(1)
		if d := p.Table(); d.Compared != before.Compared+1 {
			t.Errorf("clock by %v: the day after it is not compared: %s", by, d.PassedWhy)
		}
	}
	p.quiet("clocks that were set")
	// A machine without a clock of its own starts in the evening before.
	var before state.Drift
	for i := range 4 {
		p.passes(6 * time.Hour)
		p.wall = p.wall.Add(-10 * time.Hour)
		p.now = 0
		p.start()
		p.work(time.Minute)
		p.wall = p.wall.Add(10 * time.Hour)
		p.work(3 * time.Hour)
		p.passes(15 * time.Hour) // off
		if p.state(); i == 0 {
			before = *p.Table()
		}
	}
	if d := p.Table(); d.Compared != before.Compared+3 || d.Passed != before.Passed {
		t.Errorf("%d days compared, %d passed: %s", d.Compared-before.Compared, d.Passed-before.Passed, d.PassedWhy)
	}
	p.quiet("late clocks")
}

func TestAnotherNetwork(t *testing.T) {
	p := newPlace(t)
	p.begin()
	p.until(0)
	p.days(3)
	p.network = "bb" // an update in the middle of a pilot
	p.configure()
	p.days(3)
	p.end()
	if last := p.notes[len(p.notes)-1]; p.state() != state.DriftNone || !strings.Contains(last, "2 days count") && !strings.Contains(last, "3 days count") {
		t.Errorf("%v %q", p.state(), p.notes)
	}
	p.pilotOf(8)
	p.network = "cc"
	p.configure()
	want := "nothing is compared: the baseline is of another network, network bb, and this is network cc; mien pilot baseline makes a new one"
	if c := p.Changed(); c.Text != want || p.state() != state.DriftRefused {
		t.Errorf("%+v", c)
	}
	p.days(3)
	p.start()
	if c := p.Changed(); c.Text != want || p.Table().Compared != 0 {
		t.Errorf("after a restart %+v", c)
	}
	p.network = "bb" // back again, by a reload
	p.configure()
	p.quiet("the network of the baseline")
	p.network = "cc"
	p.configure()
	if _, err := p.Learn(0); err != nil {
		t.Error(err)
	}
	p.Look()
	p.quiet("a new baseline")
}

// A baseline of a unit with another name, as on a card that was copied, is of another
// place: nothing is compared with it, and it is there again when the name is.
func TestAnotherUnit(t *testing.T) {
	p := newPlace(t)
	p.pilotOf(8)
	p.unit = "press 5"
	p.start()
	want := "nothing is compared: the baseline is of the unit \"press 4\", and this is \"press 5\"; mien pilot baseline makes a new one"
	if c := p.Changed(); c.Text != want || p.state() != state.DriftRefused {
		t.Errorf("%+v, %v", c, p.state())
	}
	p.by = 0.5
	p.days(3)
	if c := p.Changed(); c.Text != want || p.Table().Compared != 0 {
		t.Errorf("%+v", c)
	}
	p.by, p.unit = 0, "press 4"
	p.configure()
	if p.quiet("the name of before"); p.state() != state.DriftCompares {
		t.Error(p.state())
	}
	// Days that were learnt elsewhere are none of this place.
	if _, err := p.Learn(7); err != nil {
		t.Fatal(err)
	}
	p.days(5)
	p.unit = "press 5"
	p.start()
	if last := p.notes[len(p.notes)-1]; last != "drift: the days learnt so far do not count: they are of the unit \"press 4\", and this is \"press 5\"" {
		t.Errorf("%q", last)
	}
	p.days(9)
	if p.quiet("a baseline of its own"); p.state() != state.DriftCompares {
		t.Error(p.state(), p.notes)
	}
}

// However the file is damaged, it is told, nothing is compared by it, and a new
// baseline takes its place.
func TestDamagedFile(t *testing.T) {
	p := newPlace(t)
	p.pilotOf(8)
	p.days(1)
	path := filepath.Join(p.dir, fileName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, _ := os.Stat(path)
	if info.Mode().Perm() != 0o600 || info.Size() > 16<<10 {
		t.Errorf("mode %v, %d bytes", info.Mode(), info.Size())
	}
	refused := func(text []byte, what string) {
		os.WriteFile(path, text, 0o600)
		p.start()
		if c := p.Changed(); !strings.HasPrefix(c.Text, "nothing is compared: ") || p.state() != state.DriftRefused {
			t.Fatalf("%s: %+v", what, c)
		}
		if now, _ := os.ReadFile(path); !bytes.Equal(now, text) {
			t.Fatalf("%s: the file was written over", what)
		}
	}
	for i := 0; i < len(whole); i += 1 + len(whole)/150 {
		refused(whole[:i], "cut")
		bad := bytes.Clone(whole)
		bad[i] ^= 1 << (i % 8)
		refused(bad, "a bit")
	}
	for i := range whole { // at each byte, without the start
		if err := new(kept).parse(whole[:i]); err == nil {
			t.Fatalf("cut at %d: taken", i)
		}
	}
	refused(bytes.Replace(whole, []byte("mien drift 1"), []byte("mien drift 2"), 1), "another version")
	if text := p.Changed().Text; !strings.Contains(text, "another version") {
		t.Error(text)
	}
	newer, _ := os.ReadFile(path)
	p.days(2)
	if _, err := p.Learn(7); err != nil {
		t.Fatal(err)
	}
	p.Look()
	p.quiet("a new baseline")
	aside, _ := filepath.Glob(path + ".aside-*")
	if len(aside) != 1 {
		t.Fatalf("put aside: %v", aside)
	}
	if kept, _ := os.ReadFile(aside[0]); !bytes.Equal(kept, newer) {
		t.Error("the other version's file is gone")
	}
	p.start()
	p.quiet("a new baseline, after a restart")
	os.WriteFile(path, whole, 0o600)
	p.start()
	if p.quiet("the whole file"); p.state() != state.DriftCompares {
		t.Error(p.state())
	}
	for _, text := range []string{`{"names":["a"],"today":{"of":[{},{}]}}`, `{"baseline":{"days":9,"of":[{"n":9,"between":0,"freedom":1}]}}`,
		`{"baseline":{"days":9,"of":[]},"course":{"days":[{"values":[1]}]}}`} {
		var k kept
		sum := []byte(text)
		if err := k.parse(append([]byte(head+crc(sum)+"\n"), sum...)); err == nil {
			t.Errorf("taken: %s", text)
		}
	}
}

// A kill loses some minutes.
func TestKill(t *testing.T) {
	p := newPlace(t)
	p.pilotOf(8)
	p.until(6)
	for range 40 {
		p.work(5 * time.Minute)
	}
	before := p.frame.day.Read
	p.work(time.Minute) // lost
	p.start()
	if now := p.frame.day.Read; now < before-300 || now > before {
		t.Errorf("%.0f s, before the kill %.0f", now, before)
	}
}

func TestFullDisk(t *testing.T) {
	p := newPlace(t)
	p.pilotOf(8)
	p.options.Reserve = 1 << 60
	change := p.Asked()
	p.days(1)
	if text := p.Trouble(); !strings.Contains(text, "are kept for alarms and journal") || p.Table().Compared != 1 {
		t.Errorf("%q, %d days compared", text, p.Table().Compared)
	}
	if err := p.Wait(p.Asked(), time.Second); err == nil || p.Asked() == change {
		t.Error("told as kept")
	}
	p.options.Reserve = 1
	p.passes(2 * time.Minute)
	p.Look()
	if p.Trouble() != "" || p.Wait(p.Asked(), time.Second) != nil {
		t.Errorf("still %q", p.Trouble())
	}
	p.start()
	if p.state(); p.Table().Compared != 1 {
		t.Error("the day of the full disk is lost")
	}
	if err := os.RemoveAll(p.dir); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(p.dir, nil, 0o600) // no folder
	p.days(1)
	if p.Trouble() == "" {
		t.Error("nothing is told of a folder that is none")
	}
}

// Without a purpose no emotion is in the file, not even of the time when there was one.
func TestPurpose(t *testing.T) {
	p := newPlace(t)
	has := func() bool {
		text, _ := os.ReadFile(filepath.Join(p.dir, fileName))
		return bytes.Contains(text, []byte("valence"))
	}
	p.purpose = true
	p.configure()
	p.pilotOf(8)
	p.days(3)
	if n := len(p.Table().Of); !has() || n != 4+len(reasons)+4 {
		t.Errorf("with a purpose %d quantities", n)
	}
	p.purpose = false
	p.configure() // a reload
	p.days(2)
	if n := len(p.Table().Of); has() || n != 4+len(reasons)+3 || p.Table().Compared != 5 {
		t.Errorf("without a purpose %d quantities, %d days", n, p.Table().Compared)
	}
	p.quiet("without a purpose")
	p.purpose = true
	p.configure()
	p.days(1)
	if n := len(p.Table().Of); n != 4+len(reasons)+3 {
		t.Errorf("%d quantities have a baseline", n)
	}
	p.start()
	p.quiet("a purpose again")
}

func TestErase(t *testing.T) {
	p := newPlace(t)
	p.begin()
	p.until(0)
	p.days(9)
	p.Erased()
	p.pilot = pilot.Status{}
	p.Look()
	if _, err := os.Stat(filepath.Join(p.dir, fileName)); err == nil || p.state() != state.DriftNone {
		t.Errorf("%v: a pilot that was erased is a baseline", p.state())
	}
	p.pilotOf(8)
	p.Erased() // the recordings, after the pilot
	if p.Look(); p.state() != state.DriftCompares {
		t.Error("the baseline is gone with the recordings")
	}
	p.by = 0.5
	p.days(1)
	p.Erase()
	p.Look()
	p.quiet("no baseline")
	if _, err := os.Stat(filepath.Join(p.dir, fileName)); err == nil || p.state() != state.DriftNone || p.frame.day.Read != 0 {
		t.Error("something is left")
	}
	if _, err := p.Learn(3); err == nil {
		t.Error("a baseline of three days")
	}
	p.begin()
	if _, err := p.Learn(0); err == nil {
		t.Error("a baseline beside a pilot")
	}
}

func TestAddAllocatesNothing(t *testing.T) {
	p := newPlace(t)
	p.begin()
	f := pilot.Frame{Trusted: true, Found: true, Size: 100}
	levels := make([]float32, len(p.signals))
	if n := testing.AllocsPerRun(1000, func() {
		f.Now += time.Second / 30
		p.Add(&f, levels)
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func BenchmarkAdd(b *testing.B) {
	w := New(Options{Dir: b.TempDir(), Now: func() time.Duration { return 0 }, Wall: time.Now})
	var signals []string
	for i := range 18 {
		signals = append(signals, "au"+string(rune('a'+i)))
	}
	w.Configure("press 4", []string{"aa"}, "", signals, func(string) bool { return true })
	if _, err := w.Learn(0); err != nil {
		b.Fatal(err)
	}
	f := pilot.Frame{Trusted: true, Found: true, Size: 100}
	levels := make([]float32, len(signals))
	b.ReportAllocs()
	for b.Loop() {
		f.Now += time.Second / 30
		w.Add(&f, levels)
	}
}
