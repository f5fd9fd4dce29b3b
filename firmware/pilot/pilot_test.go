package pilot

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mien/firmware/alarm"
	"mien/firmware/state"
	"mien/model/affect"
	"mien/model/face"
)

// unit is what stands in for a unit here: a keeper, filters and an engine that are
// given frames. That a real unit's events are computed again the same is tested in
// pipeline.
type unit struct {
	tag    string // of the config
	t      *testing.T
	keeper *Keeper
	wall   time.Time
	mu     sync.Mutex // covers wall and notes
	notes  []string
	stop   func()

	views  *affect.Views
	net    *affect.Network
	engine *alarm.Engine
	made   affect.Made
	clock  time.Duration
	start  time.Duration
	marker Marker
	number uint64
	half   uint64 // frames after which the face frowns, or no longer does
	random *rand.Rand
	alarms AlarmSettings
}

func definitions() []alarm.Definition {
	return []alarm.Definition{{Name: "brow", Priority: alarm.High, Conditions: []alarm.Condition{{Signal: "au4", Limit: 0.5, Deadband: 0.1}}, OnDelay: 300 * time.Millisecond, OffDelay: 200 * time.Millisecond, UnknownHold: time.Second},
		{Name: "eyes", Priority: alarm.Medium, Conditions: []alarm.Condition{{Signal: "eyes_closed", Limit: 0.7, Deadband: 0.1}, {Signal: "au4", Limit: 0.1}}, OnDelay: 200 * time.Millisecond, UnknownHold: time.Second}}
}

func newUnit(t *testing.T, dir string, change func(*Options)) *unit {
	t.Helper()
	u := &unit{t: t, half: 15, wall: time.Date(2026, 12, 1, 7, 0, 0, 0, time.UTC), clock: time.Hour, start: time.Hour, random: rand.New(rand.NewPCG(5, 6))}
	o := Options{Dir: dir, Unit: "press 4", Version: "test", Allowed: true, Keep: 30, Most: 1 << 30, Reserve: 1, Wall: u.now, Note: u.note}
	if change != nil {
		change(&o)
	}
	u.keeper = New(o)
	card, model, err := affect.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	if u.net, err = card.Unloaded(model); err != nil {
		t.Fatal(err)
	}
	if u.made, err = u.net.Made(); err != nil {
		t.Fatal(err)
	}
	if u.views, err = affect.NewViews(affect.DefaultSettings(), u.net); err != nil {
		t.Fatal(err)
	}
	u.alarms = AlarmSettings{Definitions: definitions(), Signals: u.views.Stage().Signals(), MaxGap: time.Second, MaxInhibit: time.Minute}
	if u.engine, err = alarm.New(u.alarms.Definitions, u.alarms.Signals, u.alarms.Options()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var runs sync.WaitGroup
	runs.Add(1)
	go func() { defer runs.Done(); u.keeper.Run(ctx) }()
	u.stop = sync.OnceFunc(func() { cancel(); runs.Wait() })
	t.Cleanup(u.stop)
	return u
}

func (u *unit) now() time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.wall
}

func (u *unit) note(text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.notes = append(u.notes, text)
}

func (u *unit) told(words string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return strings.Contains(strings.Join(u.notes, "\n"), words)
}

func (u *unit) begin() {
	u.t.Helper()
	if _, err := u.keeper.Start(time.Hour, "a test"); err != nil {
		u.t.Fatal(err)
	}
	u.sync()
}

func (u *unit) sync() { u.keeper.Sync(20 * time.Second) }

// frames lets n frames pass, of a face that frowns half of the time.
func (u *unit) frames(n int) {
	for range n {
		const period = 33 * time.Millisecond
		u.clock += period
		u.mu.Lock()
		u.wall = u.wall.Add(period)
		wall := u.wall
		u.mu.Unlock()
		u.number++
		raw := make([]byte, u.net.RawSize(true))
		for i := range raw {
			raw[i] = byte(u.random.IntN(20) - 100)
			if u.number/u.half%2 == 0 || i == 14 || i == 15 { // those are visibility's
				raw[i] = byte(100 + u.random.IntN(20))
			}
		}
		u.views.ReadRaw(raw, true, 0)
		said := [2][]byte{u.net.AppendRaw(nil, false), u.net.AppendRaw(nil, true)}
		f := Frame{Eye: true, Result: true, At: u.clock - 10*time.Millisecond, Now: u.clock, Wall: wall, Sequence: u.number, Trusted: true,
			Reason: face.Good, Read: true, Found: true, Size: 120, Score: 0.9, Light: 90, Contrast: 40}
		levels, _ := u.views.Step(f.At, true, 0, false)
		u.keeper.Frame(&f, said)
		for _, ev := range u.engine.Step(f.Reading(levels)) {
			u.keeper.Event(ev)
			u.marker.Event(&ev, func(string) (alarm.Definition, bool) { return u.alarms.Definitions[0], true })
		}
		if u.keeper.Needs() {
			u.keeper.Begin(&Beginning{Begun: wall, Tag: u.tag, Eye: EyeSettings{Networks: []affect.Made{u.made}, Stage: affect.DefaultSettings()}, Alarms: u.alarms,
				Now: u.clock, Frame: said[0], Filters: u.views.Stage().Keep(false), Engine: u.engine.Keep(u.keeper.Mask)})
		}
	}
}

// recorded is a unit with a recording of 300 frames.
func recorded(t *testing.T) (*unit, []string) {
	t.Helper()
	u := newUnit(t, filepath.Join(t.TempDir(), "pilot"), nil)
	u.begin()
	for range 3 {
		u.frames(100)
		u.sync()
	}
	list, _ := Files(u.keeper.options.Dir)
	if len(list) != 1 {
		t.Fatalf("recordings: %v", list)
	}
	return u, list
}

func TestRecordingIsPrivate(t *testing.T) {
	u, list := recorded(t)
	for path, want := range map[string]os.FileMode{u.keeper.options.Dir: 0o700, list[0]: 0o600, filepath.Join(u.keeper.options.Dir, controlFile): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v; should be %o", path, info.Mode(), err, want)
		}
	}
	for _, do := range []alarm.Command{{Do: alarm.Note, Text: "a secret text", Who: "anna"}, {Do: alarm.TakeOut, Alarm: "brow", Text: "a secret text", Who: "anna"}} {
		do.At, do.Wall = u.clock, u.wall
		u.keeper.Command(do)
		events, err := u.engine.Do(do)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range events {
			u.keeper.Event(ev)
		}
	}
	u.keeper.Mark(Mark{Who: "anna"})
	u.sync()
	r, b, err := open(list[0])
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	text, _ := json.Marshal(b)
	for body, err := r.next(); err == nil; body, err = r.next() {
		text = append(text, body...)
	}
	if bytes.Contains(text, []byte("anna")) || bytes.Contains(text, []byte("secret")) || !bytes.Contains(text, []byte("person 1")) {
		t.Error("a name or a person's text is in the recording, or nothing stands for it")
	}
	sum, err := Replay(list, nil, Visitor{})
	if err != nil || sum.Differs > 0 || sum.Live < 8 || sum.Frames != 299 {
		t.Errorf("%+v, %v", sum, err)
	}
}

// Without a purpose no output that says what somebody feels is in a recording.
func TestRecordingHasNoEmotion(t *testing.T) {
	_, list := recorded(t)
	known, all := map[string]int{}, 0
	var signals []string
	_, err := Replay(list, nil, Visitor{Begin: func(b *Beginning) { signals = b.Alarms.Signals }, Frame: func(f *Frame, levels []float32) {
		all++
		for i, l := range levels {
			if l == l {
				known[signals[i]]++
			}
		}
	}})
	if err != nil || known["au4"] == 0 || all == 0 {
		t.Fatal(err, known)
	}
	for _, s := range signals {
		if emotion(s) && known[s] > 0 {
			t.Errorf("%s is known in %d of %d frames", s, known[s], all)
		}
	}
}

// A recording that is cut at any byte gives the frames before the cut, says that it
// is cut, and no event differs.
func TestRecordingCutAtEachByte(t *testing.T) {
	_, list := recorded(t)
	whole, err := os.ReadFile(list[0])
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut-000001.rec")
	r, _, err := open(list[0])
	if err != nil {
		t.Fatal(err)
	}
	between := map[int64]bool{r.at: true} // chunks
	for _, err := r.next(); err == nil; _, err = r.next() {
		between[r.at] = true
	}
	r.close()
	grows, err := os.Create(cut)
	if err != nil {
		t.Fatal(err)
	}
	defer grows.Close()
	last, ends, written := uint64(0), 0, 0
	for n := 0; n <= len(whole); n++ {
		if n > 100 && n < len(whole)-200 && testing.Short() && n%211 != 0 && !between[int64(n)] {
			continue
		}
		if _, err := grows.Write(whole[written:n]); err != nil {
			t.Fatal(err)
		}
		written = n
		sum, err := Replay([]string{cut}, nil, Visitor{})
		if err != nil {
			if !errors.Is(err, ErrNoRecording) || n > len(magic) {
				t.Fatalf("cut at %d: %v", n, err)
			}
			continue
		}
		if sum.Differs > 0 || sum.Frames < last {
			t.Fatalf("cut at %d: %+v", n, sum)
		}
		if whole := len(sum.Damage) == 0; whole != between[int64(n)] {
			t.Fatalf("cut at %d: damage %v", n, sum.Damage)
		} else if whole {
			ends++
		}
		last = sum.Frames
	}
	if last != 299 || ends != len(between) {
		t.Errorf("the whole one has %d frames, %d cuts between chunks", last, ends)
	}
	// A changed byte ends it there.
	random := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		n := random.IntN(len(whole))
		bad := bytes.Clone(whole)
		bad[n] ^= 1 << random.IntN(8)
		os.WriteFile(cut, bad, 0o600)
		sum, err := Replay([]string{cut}, nil, Visitor{})
		if err == nil && (len(sum.Damage) == 0 || sum.Differs > 0 || sum.Frames >= 299) {
			t.Fatalf("byte %d changed: %+v", n, sum)
		}
	}
}

func TestWrongRecordings(t *testing.T) {
	u, list := recorded(t)
	dir := t.TempDir()
	whole, _ := os.ReadFile(list[0])
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		os.WriteFile(path, data, 0o600)
		return path
	}
	other := bytes.Clone(whole)
	other[len(magic)] = '9'
	if _, err := Replay([]string{file("v.rec", other)}, nil, Visitor{}); !errors.Is(err, ErrVersion) {
		t.Errorf("another version: %v", err)
	}
	if sum, err := Replay(append([]string{file("v.rec", other)}, list...), nil, Visitor{}); err != nil || sum.Frames != 299 || len(sum.Damage) != 1 || !strings.Contains(sum.Damage[0], "another version") {
		t.Errorf("another version beside others: %+v, %v", sum, err)
	}
	headless := file("0.rec", whole[:9]) // beside others it is left out, and told
	if sum, err := Replay(append([]string{headless}, list...), nil, Visitor{}); err != nil || sum.Frames != 299 || len(sum.Damage) != 1 {
		t.Errorf("%+v, %v", sum, err)
	}
	for name, data := range map[string][]byte{"empty.rec": nil, "text.rec": []byte("session,time,au4\n")} {
		if _, err := Replay([]string{file(name, data)}, nil, Visitor{}); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := Replay([]string{dir}, nil, Visitor{}); !errors.Is(err, ErrNoRecording) {
		t.Errorf("a folder: %v", err)
	}
	if _, err := Replay([]string{filepath.Join(dir, "none.rec")}, nil, Visitor{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	second := newUnit(t, filepath.Join(t.TempDir(), "pilot"), func(o *Options) { o.Unit = "press 5" })
	second.begin()
	second.frames(50)
	second.sync()
	theirs, _ := Files(second.keeper.options.Dir)
	if _, err := Replay(append(theirs, list...), nil, Visitor{}); !errors.Is(err, ErrMixed) {
		t.Errorf("two units: %v", err)
	}
	with := &Settings{Stage: affect.DefaultSettings(), Alarms: AlarmSettings{Definitions: definitions()}, Networks: []string{strings.Repeat("0", 64)}}
	if _, err := Replay(list, with, Visitor{}); !errors.Is(err, ErrNetwork) {
		t.Errorf("another network: %v", err)
	}
	_, _, sum, err := u.made.CardOf()
	if err != nil {
		t.Fatal(err)
	}
	with.Networks = []string{sum}
	if got, err := Replay(list, with, Visitor{}); err != nil || got.Again == 0 || got.Differs > 0 {
		t.Errorf("the same network: %+v, %v", got, err)
	}
	with.Alarms.Definitions[0].Conditions[0].Limit = 0.99999
	if got, err := Replay(list, with, Visitor{}); err != nil || got.Again >= got.Live {
		t.Errorf("with another limit: %+v, %v", got, err)
	}
	with.Alarms.Definitions[0].Conditions[0].Signal = "nothing"
	if _, err := Replay(list, with, Visitor{}); err == nil {
		t.Error("a signal that is not recorded is taken")
	}
}

// A clock that jumps, forwards or back, changes the times of events and nothing else.
func TestClockThatJumps(t *testing.T) {
	u, _ := recorded(t)
	for _, jump := range []time.Duration{-20 * time.Minute, 30 * time.Minute, -time.Second, 5 * time.Minute} {
		u.mu.Lock()
		u.wall = u.wall.Add(jump)
		u.mu.Unlock()
		u.frames(200)
		u.sync()
	}
	list, _ := Files(u.keeper.options.Dir)
	sum, err := Replay(list, nil, Visitor{})
	if err != nil || sum.Differs > 0 || sum.Live < 20 {
		t.Fatalf("%+v, %v", sum, err)
	}
	var levels, truth bytes.Buffer
	if _, err := Tables(list, Export{Shift: time.Hour, In: time.UTC}, &levels, &truth); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&levels).ReadAll()
	if err != nil || len(rows) < 1000 {
		t.Fatal(len(rows), err)
	}
	last := map[string]string{}
	for _, row := range rows[1:] {
		var at, before float64
		fmt.Sscan(row[1], &at)
		if s, known := last[row[0]]; known {
			fmt.Sscan(s, &before)
			if at <= before {
				t.Fatalf("session %s: %s comes after %s", row[0], row[1], s)
			}
		}
		last[row[0]] = row[1]
	}
}

func TestPilotThatIsRefused(t *testing.T) {
	u := newUnit(t, filepath.Join(t.TempDir(), "pilot"), nil)
	for _, c := range []struct {
		lasts   time.Duration
		purpose string
	}{{0, "a"}, {-time.Hour, "a"}, {Longest + 1, "a"}, {time.Hour, " "}, {time.Hour, strings.Repeat("a", 301)}} {
		if _, err := u.keeper.Start(c.lasts, c.purpose); !errors.Is(err, ErrOrder) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := u.keeper.Stop("by hand"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("stopped without a pilot: %v", err)
	}
	u.begin()
	if _, err := u.keeper.Start(time.Hour, "again"); !errors.Is(err, ErrRunning) {
		t.Errorf("started twice: %v", err)
	}
	off := newUnit(t, filepath.Join(t.TempDir(), "pilot"), func(o *Options) { o.Allowed = false })
	if _, err := off.keeper.Start(time.Hour, "a"); !errors.Is(err, ErrNotAllowed) {
		t.Errorf("without the config's word: %v", err)
	}
	off.frames(50)
	off.sync()
	if list, _ := Files(off.keeper.options.Dir); len(list) > 0 {
		t.Errorf("recorded all the same: %v", list)
	}
}

// The end date ends a recording in the middle of an alarm; the alarm goes on.
func TestEndDateDuringAnAlarm(t *testing.T) {
	u, _ := recorded(t)
	for n := 0; u.engine.Status(0).State == alarm.Normal || !u.engine.Status(0).Present; n++ {
		u.frames(1)
		if n > 1000 {
			t.Fatal("no alarm comes")
		}
	}
	u.sync()
	u.mu.Lock()
	u.wall = u.wall.Add(time.Hour)
	u.mu.Unlock()
	u.sync()
	if s := u.keeper.Status(); s.Recording || s.Ended == "" || !u.told("its end date is reached") {
		t.Errorf("%+v, %v", s, u.notes)
	}
	before := u.engine.Status(0)
	list, size := Files(u.keeper.options.Dir)
	u.frames(100)
	u.sync()
	if _, now := Files(u.keeper.options.Dir); now != size {
		t.Error("it is recorded after the end date")
	}
	if !before.Present {
		t.Error("the end took the alarm away")
	}
	if sum, err := Replay(list, nil, Visitor{}); err != nil || sum.Differs > 0 {
		t.Errorf("%+v, %v", sum, err)
	}
	again := New(u.keeper.options) // after a restart it is over too
	if again.Status().Recording {
		t.Error("a restart begins it again")
	}
}

// A clock that stands in the past keeps a pilot from going on for ever; a config that
// no longer allows recordings ends it. Both are told.
func TestPilotThatMayNotGoOn(t *testing.T) {
	u, _ := recorded(t)
	set := func(by time.Duration) {
		u.mu.Lock()
		u.wall = u.wall.Add(by)
		u.mu.Unlock()
		u.sync()
	}
	set(-50 * time.Hour)
	if s := u.keeper.Status(); !s.Recording || !strings.Contains(s.Trouble, "before the pilot's begin") || !u.told("before the pilot's begin") {
		t.Errorf("%+v, %v", s, u.notes)
	}
	before := u.keeper.Status().Frames
	u.frames(50)
	if now := u.keeper.Status().Frames; now != before {
		t.Errorf("%d frames are recorded all the same", now-before)
	}
	set(50 * time.Hour)
	u.keeper.Configure(false, 30, 1<<30)
	u.sync()
	if s := u.keeper.Status(); s.Recording || !strings.Contains(s.Ended, "pilot.record") || !u.told("pilot.record") {
		t.Errorf("%+v, %v", s, u.notes)
	}
}

// A pilot goes on after a restart, with a file of its own, and until its end date.
func TestPilotGoesOnAfterARestart(t *testing.T) {
	u, list := recorded(t)
	u.stop()
	next := newUnit(t, u.keeper.options.Dir, nil)
	next.frames(10)
	for n := 0; n < 10; n++ {
		next.frames(50)
		next.sync()
	}
	now, _ := Files(next.keeper.options.Dir)
	if len(now) != 2 || now[0] != list[0] {
		t.Fatalf("%v", now)
	}
	sum, err := Replay(now, nil, Visitor{})
	if err != nil || sum.Differs > 0 || sum.Files != 2 || sum.Frames < 600 {
		t.Errorf("%+v, %v", sum, err)
	}
	os.WriteFile(filepath.Join(u.keeper.options.Dir, controlFile), []byte("{half"), 0o600)
	if s := New(u.keeper.options).Status(); s.Recording || !strings.Contains(s.Trouble, controlFile) {
		t.Errorf("pilot.json is damaged: %+v", s)
	}
}

// A disk without room, and a pilot that takes more than it may, end the recording
// with a word; what was recorded stays whole.
func TestNoRoom(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"the disk has":   func(o *Options) { o.Reserve = 1 << 60 },
		"pilot.most_mib": func(o *Options) { o.Most = 20 << 10 },
	} {
		u := newUnit(t, filepath.Join(t.TempDir(), "pilot"), change)
		u.begin()
		for n := 0; n < 40 && u.keeper.Status().Recording; n++ {
			u.frames(100)
			u.sync()
		}
		s := u.keeper.Status()
		if s.Recording || !strings.Contains(s.Ended, name) || !u.told("recording ended") {
			t.Errorf("%s: %+v, %v", name, s, u.notes)
		}
		if list, _ := Files(u.keeper.options.Dir); name == "pilot.most_mib" {
			if sum, err := Replay(list, nil, Visitor{}); err != nil || sum.Differs > 0 || len(sum.Damage) > 0 || sum.Frames == 0 {
				t.Errorf("%+v, %v", sum, err)
			}
		}
	}
}

// A folder that cannot be written is told, tried again, and waited for by nobody.
func TestFolderThatIsAFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pilot")
	os.WriteFile(dir, nil, 0o600)
	u := newUnit(t, dir, nil)
	if _, err := u.keeper.Start(time.Hour, "a test"); err != nil {
		t.Fatal(err)
	}
	if err := u.keeper.Wait(u.keeper.Asked(), 5*time.Second); err == nil {
		t.Error("it is said to be kept")
	}
	os.Remove(dir)
	if err := u.keeper.Wait(u.keeper.Asked(), 0); err == nil {
		u.sync()
	}
	u.sync()
	if err := u.keeper.Wait(u.keeper.Asked(), 5*time.Second); err != nil {
		t.Errorf("it goes now: %v", err)
	}
}

func TestOldRecordingsAreDeletedAndAllAreErased(t *testing.T) {
	u, list := recorded(t)
	u.stop()
	old := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	os.Chtimes(list[0], old, old)
	next := newUnit(t, u.keeper.options.Dir, nil)
	next.sync()
	if now, _ := Files(next.keeper.options.Dir); len(now) != 0 || !next.told("older than 30 days") {
		t.Errorf("%v, %v", now, next.notes)
	}
	next.frames(100)
	next.sync()
	if now, _ := Files(next.keeper.options.Dir); len(now) != 1 {
		t.Errorf("%v", now)
	}
	if text, idle := next.keeper.Erase(); idle || text != "pilot: all recordings are erased" {
		t.Error(text)
	}
	if err := next.keeper.Wait(next.keeper.Asked(), 10*time.Second); err != nil {
		t.Fatal(err)
	}
	next.frames(100)
	next.sync()
	if now, _ := Files(next.keeper.options.Dir); len(now) != 0 || next.keeper.Status().Recording {
		t.Errorf("after erase: %v, %+v", now, next.keeper.Status())
	}
}

// Records that have no room are counted, nobody waits, and the recording goes on in
// another file.
func TestDiskThatDoesNotAnswer(t *testing.T) {
	u, _ := recorded(t)
	u.stop() // nobody takes the records
	u.keeper.enable(true)
	u.frames(20_000)
	if s := u.keeper.Status(); s.Dropped == 0 {
		t.Errorf("%+v", s)
	}
	next := u.keeper.take()
	if next.begun == nil || len(next.whole) > bufferSize {
		t.Errorf("%d bytes", len(next.whole))
	}
	u.keeper.give(next)
	u.frames(1)
	if next = u.keeper.take(); next.begun == nil || next.begun.Dropped == 0 {
		t.Errorf("%+v", next.begun)
	}
}

func TestFramesAllocateNothing(t *testing.T) {
	u, _ := recorded(t)
	said := [2][]byte{u.net.AppendRaw(nil, false), u.net.AppendRaw(nil, true)}
	f := Frame{Eye: true, Result: true, Trusted: true, Read: true, Found: true, Size: 100, Score: 0.9}
	n := testing.AllocsPerRun(1000, func() {
		f.Now += 33 * time.Millisecond
		f.At, f.Wall = f.Now, u.wall
		u.keeper.Frame(&f, said)
		u.keeper.Needs()
	})
	if n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func TestMarks(t *testing.T) {
	u, list := recorded(t)
	defs := definitions()
	mark := func(m state.Mark) (Mark, state.Marked, string, error) {
		out, marked, text, err := u.marker.Mark(m, "anna", u.clock, u.start, defs)
		if err == nil && marked == state.Found {
			u.keeper.Mark(out)
		}
		return out, marked, text, err
	}
	var none Marker
	if _, marked, _, err := none.Mark(state.Mark{Truth: state.Right}, "anna", u.clock, u.start, defs); !errors.Is(err, alarm.ErrRefused) || marked != state.NotFound {
		t.Errorf("without an alarm: %v, %v", marked, err)
	}
	if _, _, _, err := none.Mark(state.Mark{Truth: state.Withdrawn}, "anna", u.clock, u.start, defs); !errors.Is(err, alarm.ErrRefused) {
		t.Errorf("nothing to withdraw: %v", err)
	}
	for _, m := range []state.Mark{{Truth: state.Right, Ago: -time.Second}, {Truth: state.Missed, Ago: 13 * time.Hour}, {Truth: state.Missed, Ago: time.Hour}, {}, {Truth: 77}} {
		if _, _, _, err := mark(m); !errors.Is(err, alarm.ErrInvalid) {
			t.Errorf("%+v: %v", m, err)
		}
	}
	if _, _, _, err := mark(state.Mark{Truth: state.Right, Alarm: "nobody"}); !errors.Is(err, alarm.ErrNoAlarm) {
		t.Error(err)
	}
	right, marked, text, err := mark(state.Mark{Truth: state.Right, Alarm: "brow"})
	if err != nil || marked != state.Found || right.Alarm != "brow" || right.Event == 0 || len(right.Shows) != 1 || !right.Shows[0].Present || right.To <= right.From {
		t.Errorf("%+v %v %q %v", right, marked, text, err)
	}
	if _, marked, _, _ = mark(state.Mark{Truth: state.Right, Alarm: "brow"}); marked != state.Again {
		t.Errorf("twice: %v", marked)
	}
	wrong, _, text, err := mark(state.Mark{Truth: state.False, Alarm: "brow"})
	if err != nil || wrong.Of != right.Number || !strings.Contains(text, "in place of right") || wrong.Shows[0].Present {
		t.Errorf("contradicted: %+v, %q, %v", wrong, text, err)
	}
	if _, _, _, err := mark(state.Mark{Truth: state.Missed, Alarm: "brow", Ago: u.clock - wrong.From - 100*time.Millisecond}); !errors.Is(err, alarm.ErrRefused) {
		t.Errorf("missed, when there was one: %v", err)
	}
	missed, _, _, err := mark(state.Mark{Truth: state.Missed, Alarm: "eyes", Ago: 5 * time.Second})
	if err == nil && (len(missed.Shows) != 2 || missed.To != u.clock-5*time.Second) {
		t.Errorf("%+v", missed)
	}
	any, _, _, err := mark(state.Mark{Truth: state.Missed})
	if err != nil || any.Alarm != "" || any.Shows != nil {
		t.Errorf("missed without a name: %+v, %v", any, err)
	}
	back, _, _, err := mark(state.Mark{Truth: state.Withdrawn})
	if err != nil || back.Of != any.Number {
		t.Errorf("withdrawn: %+v, %v", back, err)
	}
	u.sync()
	var levels, truth bytes.Buffer
	told, err := Tables(list, Export{Shift: 8 * time.Hour, Begins: 6 * time.Hour, In: time.UTC}, &levels, &truth)
	if err != nil || told.Unnamed != 0 {
		t.Fatalf("%+v, %v", told, err)
	}
	if !strings.Contains(truth.String(), "2026-12-01 06:00,au4,") || strings.Count(truth.String(), "absent") != 1 {
		t.Errorf("the truth is\n%s", truth.String())
	}
}

// What was asked in a drill is the truth from the reaction time on, if it was gone
// through; what was broken off, or never ended, is none.
func TestDrillsInTables(t *testing.T) {
	u, list := recorded(t)
	step := func(number string, s state.DrillState, present ...string) {
		u.keeper.Drill(DrillStep{state.DrillStep{Script: "s", Number: number, Present: present, Absent: []string{"au12"}, Reaction: time.Second, State: s}, u.clock})
		u.frames(100)
	}
	for _, number := range []string{"whole", "broken", "left"} {
		step(number, state.DrillGoesOn)
		step(number, state.DrillGoesOn, "au4")
		switch number {
		case "whole":
			step(number, state.DrillEnded)
		case "broken":
			step(number, state.DrillBroken)
		}
	}
	u.sync()
	var levels, truth bytes.Buffer
	told, err := Tables(list, Export{Shift: 8 * time.Hour, Begins: 6 * time.Hour, In: time.UTC}, &levels, &truth)
	if err != nil || told.Broken != 2 || told.Spans != 3 {
		t.Fatalf("%+v, %v\n%s", told, err, truth.String())
	}
	rows, _ := csv.NewReader(&truth).ReadAll()
	for _, row := range rows[1:] {
		var from, to float64
		fmt.Sscan(row[2], &from)
		fmt.Sscan(row[3], &to)
		if d := to - from; d < 2.2 || d > 2.4 { // 3.3 s less the reaction time
			t.Errorf("%v lasts %v s", row, d)
		}
	}
}

func TestScripts(t *testing.T) {
	for _, name := range []string{"eyes_closed", "brow_and_smile", "usual"} {
		text, ok := Shipped(name)
		if !ok {
			t.Fatalf("%s does not ship", name)
		}
		s, err := ParseScript(name, text)
		if err != nil {
			t.Fatal(err)
		}
		if s.Lasts() < 2*time.Minute || s.Lasts() > 10*time.Minute {
			t.Errorf("%s lasts %v", name, s.Lasts())
		}
		for i, step := range s.Steps {
			if step.Text["ja"] == step.Text["en"] || len(step.Present)+len(step.Absent) == 0 {
				t.Errorf("%s: step %d has no Japanese text, or asks for nothing", name, i+1)
			}
		}
	}
	if n := len(Scripts()); n != 3 {
		t.Errorf("%d scripts", n)
	}
	head := "name = \"a\"\nreaction = \"1s\"\n"
	for _, c := range []struct{ text, want string }{
		{"", "name"},
		{"name = \"a\"\n", "reaction"},
		{head, "step"},
		{head + "[[step]]\nseconds = 0.5\nen = \"x\"", "seconds"},
		{head + "[[step]]\nseconds = nan\nen = \"x\"", "seconds"},
		{head + "[[step]]\nseconds = 1e9\nen = \"x\"", "seconds"},
		{head + "[[step]]\nseconds = 5", "en"},
		{head + "[[step]]\nseconds = 5\nen = \"x\"\npresent = [\"au4\"]\nabsent = [\"au4\"]", "present and absent"},
		{head + "[[step]]\nseconds = 5\nen = \"x\"\nrepeat = 2000000000", "more than"},
		{head + "[[step]]\nsecond = 5\nen = \"x\"", "a script has"},
		{"name = ", "a script has"},
		{strings.Repeat("#", scriptMost+1), "larger"},
	} {
		if _, err := ParseScript("mine.toml", []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "mine.toml") {
			t.Errorf("%.60q: %v, should name %q", c.text, err, c.want)
		}
	}
	s, err := ParseScript("r", []byte(head+"[[step]]\nseconds = 2\nen = \"a\"\npresent = [\"au4\"]\nrepeat = 3\n[[step]]\nseconds = 3\nen = \"b\"\nrepeat = 3"))
	if err != nil || len(s.Steps) != 6 || s.Steps[1].Text["en"] != "b" || s.Steps[2].Text["en"] != "a" || s.Lasts() != 15*time.Second {
		t.Errorf("%+v, %v", s, err)
	}
}

// BenchmarkReplay is how many frames a second are computed again, alarms included:
// two that are raised and end each second, or each 20 s.
func BenchmarkReplay(b *testing.B) {
	b.Run("alarms=1s", func(b *testing.B) { benchmarkReplay(b, 15) })
	b.Run("alarms=20s", func(b *testing.B) { benchmarkReplay(b, 300) })
}

func benchmarkReplay(b *testing.B, half uint64) {
	t := &testing.T{}
	dir := filepath.Join(b.TempDir(), "pilot")
	u := newUnit(t, dir, nil)
	u.half = half
	u.begin()
	for range 60 {
		u.frames(1000)
		u.sync()
	}
	u.stop()
	list, _ := Files(dir)
	frames, before := uint64(0), processorTime()
	for b.Loop() {
		sum, err := Replay(list, nil, Visitor{})
		if err != nil || sum.Differs > 0 {
			b.Fatal(sum, err)
		}
		frames += sum.Frames
	}
	b.ReportMetric(float64(frames)/b.Elapsed().Seconds(), "frames/s")
	b.ReportMetric(float64(frames)/(processorTime()-before).Seconds(), "frames/processor-s")
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
