package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mien/firmware/alarm"
)

const dir = "/state"

var wall0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func event(n uint64, name string, on alarm.Trigger, from, to alarm.State) alarm.Event {
	return alarm.Event{Number: n, Start: 1, At: time.Duration(n) * time.Second, Wall: wall0.Add(time.Duration(n) * time.Second), Trigger: on, Alarm: name,
		From: from, To: to, Life: to, Cause: "condition present for its on-delay",
		Why: alarm.Explanation{Signal: "au4", Level: 0.75, Limit: 0.6, Over: 0.15, For: 1500 * time.Millisecond, First: n * 30, Last: n*30 + 45}}
}

// raises gives events first..last, each an alarm that is raised or acknowledged.
func raises(first, last uint64) []alarm.Event {
	var list []alarm.Event
	for n := first; n <= last; n++ {
		name := fmt.Sprintf("alarm %d", n/2%5)
		if n%2 == 0 {
			list = append(list, event(n, name, alarm.Raise, alarm.Normal, alarm.Unacknowledged))
		} else {
			list = append(list, event(n, name, alarm.Acknowledge, alarm.Unacknowledged, alarm.Acknowledged))
		}
	}
	return list
}

func replay(events []alarm.Event) alarm.Saved {
	var s alarm.Saved
	for _, ev := range events {
		s.Replay(ev)
	}
	return s
}

func lives(s alarm.Saved) map[string]alarm.State {
	m := make(map[string]alarm.State)
	for _, a := range s.Alarms {
		m[a.Name] = a.Life
	}
	return m
}

func numbers(events []alarm.Event) []uint64 {
	list := make([]uint64, len(events))
	for i := range events {
		list[i] = events[i].Number
	}
	return list
}

// rising fails when numbers do not rise.
func rising(t *testing.T, events []alarm.Event) {
	t.Helper()
	for i := 1; i < len(events); i++ {
		if events[i].Number <= events[i-1].Number {
			t.Fatalf("out of sequence: %v", numbers(events))
		}
	}
}

func manual(f *Fake) (*Store, Found) {
	return ready(Options{Dir: dir, FS: f, StateEvery: time.Second})
}

// ready is prepare of a folder that is not refused.
func ready(o Options) (*Store, Found) {
	s, found, err := prepare(o)
	if err != nil {
		panic(err)
	}
	return s, found
}

// read gives what the journal has.
func readAll(f *Fake, after uint64) []alarm.Event {
	c, _ := read(fakeFolder{f, dir}, after)
	return c.events
}

func TestKeepsOverARestart(t *testing.T) {
	f := NewFake()
	s, found := manual(f)
	if found.Saved.Number != 0 || len(found.Notes) != 0 || found.Events != 0 {
		t.Fatalf("%+v", found)
	}
	events := raises(1, 20)
	s.Put(events[:10])
	s.step(0)
	if s.Durable() != 10 {
		t.Fatalf("durable %d", s.Durable())
	}
	saved := replay(events[:10])
	saved.FirstOut = "alarm 0"
	s.Keep(&saved)
	s.step(2 * time.Second)
	if st := s.Status(); st.Err != nil || st.Queued != 0 {
		t.Fatalf("%+v", st)
	}
	s.Put(events[10:])
	s.step(7 * time.Second)

	// kill -9: nothing is closed.
	f.Kill()
	again, found := manual(f)
	if found.Saved.Number != 20 || found.Events != 10 || len(found.Notes) != 0 || found.Saved.FirstOut != "alarm 0" {
		t.Fatalf("%+v", found)
	}
	if want := replay(events); !reflect.DeepEqual(lives(found.Saved), lives(want)) {
		t.Errorf("%v, want %v", lives(found.Saved), lives(want))
	}
	read, err := again.Events(0, 100)
	if err != nil || !reflect.DeepEqual(read, events) {
		t.Errorf("%v %v", err, read)
	}
	if last, _ := again.Events(15, 3); !reflect.DeepEqual(numbers(last), []uint64{18, 19, 20}) {
		t.Errorf("%v", numbers(last))
	}
	again.Put(raises(21, 22))
	if all, _ := again.Events(0, 100); len(all) != 20 {
		t.Errorf("%d events, with some that a kill would take", len(all))
	}
	again.step(8 * time.Second)
	if all, _ := again.Events(0, 100); len(all) != 22 {
		t.Errorf("%d events with those on their way", len(all))
	}
}

// The first few syncs are at once; what goes on chattering is gathered, but in
// the file at once, where kill -9 leaves it.
func TestCoalescing(t *testing.T) {
	f := NewFake()
	s, _ := manual(f)
	for n := uint64(1); n <= burst; n++ {
		s.Put(raises(n, n))
		if next := s.step(0); s.Durable() != n {
			t.Fatalf("event %d waits: durable %d, next %v", n, s.Durable(), next)
		}
	}
	for n := uint64(burst + 1); n <= 40; n++ {
		s.Put(raises(n, n))
		s.step(time.Duration(n) * 4 * time.Millisecond)
		if read := readAll(f, 0); len(read) != int(n) {
			t.Fatalf("event %d is not in the file: %v", n, numbers(read))
		}
	}
	if s.Durable() != burst || s.Status().Queued != 40-burst {
		t.Errorf("durable %d within the delay, %d queued", s.Durable(), s.Status().Queued)
	}
	if next := s.step(160 * time.Millisecond); next != 40*time.Millisecond {
		t.Errorf("next in %v", next)
	}
	s.step(200 * time.Millisecond)
	if st := s.Status(); s.Durable() != 40 || st.Syncs != burst+2 || st.Queued != 0 {
		t.Errorf("durable %d in %d syncs", s.Durable(), st.Syncs)
	}
	// A quiet second earns the burst again.
	for n := uint64(41); n <= 40+burst; n++ {
		s.Put(raises(n, n))
		s.step(1400 * time.Millisecond)
	}
	if s.Durable() != 40+burst {
		t.Errorf("durable %d after a quiet second", s.Durable())
	}
}

// A disk that fills in the middle of a write, and power that fails before the
// next sync, each between two events of which the first was only appended: the
// first is still in the file, and nothing is called durable that is not.
func TestAppendedAndNotSynced(t *testing.T) {
	for keep := range 300 {
		f := NewFake()
		s, _ := manual(f)
		for n := uint64(1); n <= burst+1; n++ { // the last one is appended only
			s.Put(raises(n, n))
			s.step(0)
		}
		f.Fail(Fault{Op: OpWrite, Keep: keep, Err: unix.ENOSPC})
		s.Put(raises(burst+2, burst+2))
		s.step(time.Millisecond)
		if st := s.Status(); !errors.Is(st.Err, unix.ENOSPC) || st.Durable != burst || st.Queued != 2 {
			t.Fatalf("%d bytes in: %+v", keep, st)
		}
		if read := readAll(f, 0); len(read) != burst+1 {
			t.Fatalf("%d bytes in: %v", keep, numbers(read))
		}
		g := f.PowerLoss(rand.New(rand.NewPCG(uint64(keep), 3)))
		if _, found := manual(g); found.Saved.Number < burst {
			t.Fatalf("%d bytes in: power loss leaves %d", keep, found.Saved.Number)
		}
		s.step(s.retryAt)
		if n := len(readAll(f, 0)); n != burst+2 || s.Durable() != burst+2 || s.Status().Err != nil {
			t.Fatalf("%d bytes in: %d events, %+v", keep, n, s.Status())
		}
	}
}

// A journal cut off at any byte: every whole record before it is read, it is
// noted, and writing goes on.
func TestTornJournal(t *testing.T) {
	f := NewFake()
	s, _ := manual(f)
	events := raises(1, 8)
	s.Put(events)
	s.step(0)
	whole := f.Get(dir + "/" + journalFile)
	first := strings.Index(string(whole), "\n") + 1 // behind the states
	step := 1
	if testing.Short() {
		step = 7
	}
	for n := 0; n <= len(whole); n += step {
		g := NewFake()
		g.Put(dir+"/"+journalFile, whole[:n])
		records := max(strings.Count(string(whole[:n]), "\n")-1, 0)
		s, found := manual(g)
		if int(found.Saved.Number) != records || found.Events != records {
			t.Fatalf("byte %d: %d events, want %d", n, found.Events, records)
		}
		if n >= first && (whole[n-1] != '\n') != (len(found.Notes) == 1) || n < first && len(found.Notes) == 0 {
			t.Fatalf("byte %d: %v", n, found.Notes)
		}
		more := raises(uint64(records)+1, uint64(records)+3)
		s.Put(more)
		s.step(0)
		if read := readAll(g, 0); !reflect.DeepEqual(read, append(slices.Clone(events[:records]), more...)) {
			t.Fatalf("byte %d: %v", n, numbers(read))
		}
	}
}

// A byte anywhere in a journal that was rotated changed: the records beside it are
// read, and the states are those before.
func TestDamagedJournal(t *testing.T) {
	f := NewFake()
	s, _ := manual(f)
	first := append([]alarm.Event{event(1, "rarely", alarm.Raise, alarm.Normal, alarm.Unacknowledged)}, raises(2, 4)...)
	s.Put(first)
	s.step(0)
	saved := replay(first)
	saved.Alarms[0].Latch = true // which the events do not tell
	s.Keep(&saved)
	s.step(time.Second)
	if err := s.begin(0, 0); err != nil {
		t.Fatal(err)
	}
	events := append(first, raises(5, 6)...)
	s.Put(events[4:])
	s.step(2 * time.Second)
	whole := f.Get(dir + "/" + journalFile)
	for n := 0; n < len(whole); n += 3 {
		bad := slices.Clone(whole)
		bad[n] ^= 1 << (n % 8)
		g := NewFake()
		g.Put(dir+"/"+journalFile, bad)
		lost := 1
		if whole[n] == '\n' || bad[n] == '\n' {
			lost = 2 // two lines have become one
		}
		s, found := manual(g)
		read, _ := s.Events(0, 100)
		if len(read) < len(events)-lost || len(found.Notes) == 0 && !sameDigit(whole[n], bad[n]) {
			t.Fatalf("byte %d: %v %v", n, numbers(read), found.Notes)
		}
		rising(t, read)
		for _, ev := range read {
			if !reflect.DeepEqual(ev, events[ev.Number-1]) {
				t.Fatalf("byte %d: %v", n, ev)
			}
		}
		if s := found.Saved; s.Number < 4 || s.Alarms[0].Name != "rarely" || s.Alarms[0].Life != alarm.Unacknowledged || !s.Alarms[0].Latch {
			t.Fatalf("byte %d: %+v", n, s)
		}
		s.Put(raises(7, 7))
		if s.step(0); s.Status().Err != nil || s.Durable() != 7 {
			t.Fatalf("byte %d: %+v", n, s.Status())
		}
		g.Kill()
		if _, found := manual(g); len(found.Notes) > 0 || found.Saved.Number != 7 {
			t.Fatalf("byte %d: not mended: %+v", n, found)
		}
	}
}

// sameDigit: a checksum's digit in upper case is the same digit.
func sameDigit(a, b byte) bool { return a >= 'a' && a <= 'f' && b == a-'a'+'A' }

// Rounds through the journal: it stays within its bound, the newest events are
// there, power may fail at any time, and what has gone is in the states.
func TestRotation(t *testing.T) {
	f := NewFake()
	s, _ := ready(Options{Dir: dir, FS: f, JournalBytes: 64 << 10, StateEvery: 1000 * time.Hour})
	const n = 3000
	events := raises(1, n)
	events[0] = event(1, "rarely", alarm.Raise, alarm.Normal, alarm.Unacknowledged) // and never again
	for i := 0; i < n; i += 7 {
		s.Put(events[i:min(i+7, n)])
		s.step(time.Duration(i) * time.Second)
		if size := len(f.Get(dir + "/" + journalFile)); size > 32<<10 {
			t.Fatalf("a file of %d bytes", size)
		}
		if i%500 == 0 {
			g := f.PowerLoss(rand.New(rand.NewPCG(uint64(i), 2)))
			if _, found := manual(g); !reflect.DeepEqual(lives(found.Saved), lives(replay(events[:min(i+7, n)]))) {
				t.Fatalf("after %d: %v", i, lives(found.Saved))
			}
		}
	}
	read, err := s.Events(0, n)
	if err != nil || len(read) < 35 || read[len(read)-1].Number != n {
		t.Fatalf("%v, %d events", err, len(read))
	}
	for i := 1; i < len(read); i++ {
		if read[i].Number != read[i-1].Number+1 {
			t.Errorf("gap at %d", read[i].Number)
		}
	}
}

// A thousand notes and refused commands to each event of an alarm: the alarm's
// own events have half of the journal all the same.
func TestNotesDoNotWashAlarmsOut(t *testing.T) {
	f := NewFake()
	s, _ := ready(Options{Dir: dir, FS: f, JournalBytes: 64 << 10})
	note := func(n uint64) alarm.Event {
		if n%2 == 0 {
			return alarm.Event{Number: n, Start: 1, Wall: wall0, Trigger: alarm.Note, Who: "somebody", Cause: strings.Repeat("x", 400)}
		}
		return alarm.Event{Number: n, Start: 1, Wall: wall0, Trigger: alarm.Acknowledge, Alarm: "alarm 1", Who: "modbus", Refused: true, Cause: "there is nothing to acknowledge"}
	}
	n := uint64(0)
	for range 30 {
		n++
		s.Put(raises(n, n))
	}
	s.step(0)
	for i := range 30_000 {
		n++
		s.Put([]alarm.Event{note(n)})
		if i%50 == 0 {
			s.step(time.Duration(i) * time.Second)
		}
	}
	s.step(time.Hour)
	read, _ := s.Events(0, 1<<20)
	if len(read) < 50 || !reflect.DeepEqual(numbers(read[:30]), numbers(raises(1, 30))) {
		t.Errorf("of %d events %v", len(read), numbers(read[:min(len(read), 40)]))
	}
	// And the other way round: alarms that chatter take no more than their part
	// from what people noted, and their newest are there.
	for range 1000 {
		n++
		s.Put(raises(n, n))
	}
	s.step(2 * time.Hour)
	n++
	s.Put(raises(n, n))
	s.step(3 * time.Hour)
	notes := 0
	read, _ = s.Events(0, 1<<20)
	for _, ev := range read {
		if !ofAlarm(&ev) {
			notes++
		}
	}
	if notes < 5 || read[len(read)-1].Number != n {
		t.Errorf("%d notes are left of %d events", notes, len(read))
	}
}

// Events are dropped by their age, too, by the day they were told.
func TestKeepDays(t *testing.T) {
	f, today := NewFake(), wall0
	s, _ := ready(Options{Dir: dir, FS: f, KeepDays: 30, Wall: func() time.Time { return today }})
	events := raises(1, 6)
	for i := range events {
		events[i].Wall = wall0.AddDate(0, 0, 10*i)
	}
	s.Put(events)
	s.step(0)
	now := time.Duration(0)
	for _, c := range []struct {
		day  int
		want []uint64
	}{{20, []uint64{1, 2, 3, 4, 5, 6}}, {31, []uint64{2, 3, 4, 5, 6}}, {75, []uint64{6}}, {400, []uint64{}}} {
		today, now = wall0.AddDate(0, 0, c.day), now+2*ageEvery
		s.step(now)
		if read := readAll(f, 0); !reflect.DeepEqual(numbers(read), c.want) {
			t.Errorf("day %d: %v, want %v", c.day, numbers(read), c.want)
		}
	}
	f.Kill()
	if _, found := manual(f); found.Saved.Number != 6 || len(found.Saved.Alarms) != len(replay(events).Alarms) {
		t.Errorf("%+v", found.Saved)
	}
}

func TestPutAndKeepAllocateNothing(t *testing.T) {
	s, _ := manual(NewFake())
	events := raises(1, 8)
	saved := replay(events)
	s.Keep(&saved)
	if n := testing.AllocsPerRun(1000, func() { s.Put(events); s.Keep(&saved); s.Status(); s.Durable() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A store that has nothing to write allocates nothing, looking at the disk
// included.
func TestIdleAllocatesNothing(t *testing.T) {
	s, _ := ready(Options{Dir: t.TempDir()})
	defer s.disk.release()
	s.step(0)
	now := time.Duration(0)
	if n := testing.AllocsPerRun(100, func() { now += time.Second; s.step(now) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if st := s.Status(); st.Err != nil || s.looked != now {
		t.Error(st.Err)
	}
}

// A stale Keep does not undo what the journal has told.
func TestStaleKeep(t *testing.T) {
	s, _ := manual(NewFake())
	events := raises(1, 10)
	s.Put(events)
	s.step(0)
	old := replay(events[:4])
	s.Keep(&old)
	s.Put(raises(11, 11))
	s.step(time.Second)
	if want := replay(raises(1, 11)); !reflect.DeepEqual(lives(s.base), lives(want)) {
		t.Error(lives(s.base))
	}
}

// An answer waits for the disk: not longer than it may, at once where the disk
// fails, and it is not held back for what chatters.
func TestWait(t *testing.T) {
	f := NewFake()
	s, _, err := Open(Options{Dir: dir, FS: f, Delay: time.Hour, RetryMost: 250 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for n := uint64(1); n <= 3*burst; n++ {
		s.Put(raises(n, n))
		if err := s.Wait(n, 10*time.Second); err != nil || s.Durable() < n {
			t.Fatalf("event %d: %v", n, err)
		}
	}
	if err := s.Wait(3*burst+1, time.Millisecond); !errors.Is(err, ErrPending) {
		t.Errorf("an event that never came: %v", err)
	}
	f.Fail(Fault{Op: OpWrite, Count: -1, Err: unix.ENOSPC})
	s.Put(raises(3*burst+1, 3*burst+1))
	began := time.Now()
	if err := s.Wait(3*burst+1, time.Minute); !errors.Is(err, ErrPending) || !errors.Is(err, unix.ENOSPC) || time.Since(began) > 10*time.Second {
		t.Errorf("a full disk: %v", err)
	}
	f.Heal()
	waitFor(t, "on the disk", func() bool { return s.Wait(3*burst+1, 10*time.Millisecond) == nil })
}

// What the version before left is read once: no event and no state is lost, and
// the files go when the journal has them.
func TestVersionBefore(t *testing.T) {
	var old, newer []byte
	for _, ev := range raises(1, 40) {
		line, _ := appendRecord(nil, &ev)
		if ev.Number <= 20 {
			old = append(old, line...)
		} else {
			newer = append(newer, line...)
		}
	}
	state := func(generation int, saved alarm.Saved) []byte {
		body, _ := json.Marshal(map[string]any{"generation": generation, "saved": saved})
		body = append(body, '\n')
		return append(fmt.Appendf(nil, "mien-state 1 %d %08x\n", len(body), crc32.Checksum(body, castagnoli)), body...)
	}
	before, last := replay(raises(1, 30)), replay(raises(1, 36))
	last.Alarms[0].Shelvings = 7 // which the events do not tell
	last.FirstOut = "alarm 3"
	for _, torn := range []int{0, 1, 100} {
		f := NewFake()
		f.Put(dir+"/"+legacyOld, old)
		f.Put(dir+"/"+journalFile, newer[:len(newer)-torn])
		f.Put(dir+"/alarms.state.old", state(8, before))
		f.Put(dir+"/alarms.state", state(9, last))
		f.Put(dir+"/alarms.state.new", []byte("mien-state 1 77"))
		want := replay(raises(1, 40))
		if torn > 0 {
			want = replay(raises(1, 39))
		}
		for round := range 3 {
			g := f
			if round == 1 {
				g = f.PowerLoss(rand.New(rand.NewPCG(uint64(torn), 1)))
			}
			s, found := manual(g)
			if !reflect.DeepEqual(lives(found.Saved), lives(want)) || found.Saved.FirstOut != "alarm 3" || found.Saved.Number != want.Number || found.Saved.Alarms[0].Shelvings != 7 {
				t.Fatalf("torn by %d, round %d: %+v", torn, round, found)
			}
			if round > 0 && len(found.Notes) > 0 {
				t.Errorf("torn by %d, round %d: %v", torn, round, found.Notes)
			}
			s.step(0)
			if read, err := s.Events(0, 100); err != nil || len(read) != int(want.Number) || s.Status().Err != nil {
				t.Fatalf("torn by %d, round %d: %d events, %v, %v", torn, round, len(read), err, s.Status().Err)
			}
			for _, name := range append(legacyStates, legacyOld) {
				if g.Get(dir+"/"+name) != nil {
					t.Errorf("%s is left", name)
				}
			}
			f.Kill()
		}
	}
	// Without a state file, and with one that is damaged, the events tell.
	for _, damaged := range []bool{false, true} {
		f := NewFake()
		f.Put(dir+"/"+journalFile, newer)
		if damaged {
			f.Put(dir+"/alarms.state", state(9, last)[:50])
			f.Put(dir+"/alarms.state.old", state(8, before))
		}
		if _, found := manual(f); found.Saved.Number != 40 || len(found.Notes) != 1 {
			t.Errorf("%+v", found)
		}
	}
}

// Records of a newer version are put aside, and found again by it.
func TestNewerVersion(t *testing.T) {
	f := NewFake()
	s, _ := manual(f)
	s.Put(raises(1, 6))
	s.step(0)
	states, _ := appendRecord(nil, json.RawMessage(`{"states":3,"saved":"in another form"}`))
	newer := append(f.Get(dir+"/"+journalFile), states...)
	f.Put(dir+"/"+journalFile, newer)
	f.Kill()
	s, found := manual(f)
	if found.Saved.Number != 6 || !strings.Contains(fmt.Sprint(found.Notes), "newer version, and is put aside as "+s.Status().Aside) || s.Status().Aside == "" {
		t.Fatalf("%+v", found)
	}
	s.Put(raises(7, 7))
	s.step(0)
	if kept := f.Get(dir + "/" + s.Status().Aside); !bytes.Equal(kept, newer) {
		t.Errorf("the newer file is gone: %q", kept)
	}
	f.Kill()
	if _, found := manual(f); found.Saved.Number != 7 || len(found.Notes) != 0 || !reflect.DeepEqual(lives(found.Saved), lives(replay(raises(1, 7)))) {
		t.Errorf("%+v", found)
	}
}

// A journal that somebody has deleted is missed; a first start misses nothing.
func TestMissingJournalIsNoted(t *testing.T) {
	f := NewFake()
	s, found := manual(f)
	if len(found.Notes) > 0 {
		t.Error(found.Notes)
	}
	s.Put(raises(1, 6))
	s.step(0)
	f.Kill()
	delete(f.names, dir+"/"+journalFile)
	if _, found := manual(f); len(found.Notes) != 1 || !strings.Contains(found.Notes[0], "missing") {
		t.Errorf("%v", found.Notes)
	}
}

// A shelving that becomes shorter makes no event. It is kept all the same, so
// that it ends where power fails again and again.
func TestStatesWithoutAnEvent(t *testing.T) {
	f := NewFake()
	s, _ := ready(Options{Dir: dir, FS: f})
	s.Put(raises(1, 4))
	saved := replay(raises(1, 4))
	s.Keep(&saved)
	s.step(0)
	saved.Alarms[1].ShelvedLeft = 7 * time.Minute
	s.Keep(&saved)
	s.step(time.Minute)
	_, found := manual(f.PowerLoss(rand.New(rand.NewPCG(1, 1))))
	if found.Saved.Alarms[1].ShelvedLeft != 7*time.Minute || s.dirty {
		t.Errorf("%+v", found.Saved)
	}
}

// A source that never stops keeps nobody from the disk.
func TestSyncIsNotStarved(t *testing.T) {
	s, _, err := Open(Options{Dir: t.TempDir(), Queue: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for n := uint64(1); ; n++ {
			select {
			case <-stop:
				return
			default:
				s.Put(raises(n, n))
			}
		}
	}()
	for range 20 {
		done := make(chan error, 1)
		go func() { done <- s.Sync() }()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("a Sync does not come back")
		}
	}
	close(stop)
	<-ended
	s.Close()
}

// States of any number of alarms come back, from the smallest journal too: those
// that a config no longer has are kept beside those that it has.
func TestStatesOfManyAlarms(t *testing.T) {
	for i, n := range []int{48, 48, 100, 150, 200, 200, 400, 1000, 1000} {
		dir := t.TempDir()
		o := Options{Dir: dir}
		if i > 0 && n != 1000 || i == 8 {
			o.JournalBytes = 64 << 10 // the least that the config takes
		}
		s, _, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		wall := time.Unix(1_800_000_000, 123456789)
		saved := alarm.Saved{Number: 1, Start: 1, Wall: wall}
		for i := range n {
			saved.Alarms = append(saved.Alarms, alarm.SavedAlarm{Name: fmt.Sprintf("an alarm with a long name, n. %03d", i), Life: alarm.LatchedUnacknowledged,
				Count: 12345, Since: wall, ShelvedLeft: time.Hour, ShelvedUntil: wall, Shelvings: 3, Latch: true, Horn: true, Lamp: true, Priority: alarm.Medium,
				Why: alarm.Explanation{Signal: "compound.disgustedly surprised", Level: 0.123456, Limit: 0.6, For: time.Hour, First: 123456789, Last: 123456999}})
		}
		for number := uint64(1); number <= 70; number++ { // rotations among them
			s.Put([]alarm.Event{{Number: number, Start: 1, Wall: wall, Trigger: alarm.Note, Cause: strings.Repeat("x", 2000)}})
			saved.Number = number
			s.Keep(&saved)
			if number%10 == 0 {
				if err := s.Sync(); err != nil {
					t.Fatalf("%d alarms, %d bytes: %v", n, o.JournalBytes, err)
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Errorf("%d alarms, %d bytes: %v", n, o.JournalBytes, err)
		}
		s, found, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		if len(found.Saved.Alarms) != n || found.Saved.Number != 70 || len(found.Notes) > 0 {
			t.Errorf("%d alarms, %d bytes: %d came back, up to %d, %q", n, o.JournalBytes, len(found.Saved.Alarms), found.Saved.Number, found.Notes)
		}
	}
}

// Events grow old by the clock that dates them. What came before somebody set that
// clock is as old as what came next.
func TestKeepDaysByOneClock(t *testing.T) {
	f := NewFake()
	s, _ := ready(Options{Dir: dir, FS: f, KeepDays: 30})
	events := raises(1, 5)
	for i := range events {
		events[i].Wall = wall0.AddDate(0, 0, 20*i)
	}
	for i := range 2 {
		events[i].Wall, events[i].Unset = time.Unix(int64(i), 0), true
	}
	s.Put(events) // days unset, unset, 40, 60, 80
	s.step(0)
	now := time.Duration(0)
	for _, c := range []struct {
		day  int
		want []uint64
	}{{0, []uint64{1, 2, 3, 4, 5}}, {69, []uint64{1, 2, 3, 4, 5}}, {71, []uint64{4, 5}}, {111, []uint64{}}} {
		if c.day > 0 { // before that nobody has said which clock
			s.DateBy(func() time.Time { return wall0.AddDate(0, 0, c.day) })
		}
		now += 2 * ageEvery
		s.step(now)
		if read := readAll(f, 0); !reflect.DeepEqual(numbers(read), c.want) {
			t.Errorf("day %d: %v, want %v", c.day, numbers(read), c.want)
		}
	}
}
