package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
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
	return prepare(Options{Dir: dir, FS: f, StateEvery: time.Second})
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
	if st := s.Status(); st.StateNumber != 10 || st.Err != nil || st.Queued != 0 {
		t.Fatalf("%+v", st)
	}
	s.Put(events[10:])
	s.step(7 * time.Second)

	// kill -9: nothing is closed.
	f.locked = map[string]bool{}
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
	if all, _ := again.Events(0, 100); len(all) != 22 {
		t.Errorf("%d events with those on their way", len(all))
	}
	// What was replayed is put into the state in due time.
	again.step(0)
	again.step(2 * time.Second)
	if st := again.Status(); st.StateNumber != 22 {
		t.Errorf("%+v", st)
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
		if read, err := Read(f, dir, 0, 100); err != nil || len(read) != int(n) {
			t.Fatalf("event %d is not in the file: %v %v", n, err, numbers(read))
		}
	}
	if s.Durable() != burst || s.Status().Queued != 40-burst {
		t.Errorf("durable %d within the delay, %d queued", s.Durable(), s.Status().Queued)
	}
	if next := s.step(160 * time.Millisecond); next != 40*time.Millisecond {
		t.Errorf("next in %v", next)
	}
	s.step(200 * time.Millisecond)
	if st := s.Status(); s.Durable() != 40 || st.Appends != burst+1 || st.Queued != 0 {
		t.Errorf("durable %d in %d syncs", s.Durable(), st.Appends)
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
		if read, err := Read(f, dir, 0, 100); err != nil || len(read) != burst+1 {
			t.Fatalf("%d bytes in: %v %v", keep, err, numbers(read))
		}
		g := f.PowerLoss(rand.New(rand.NewPCG(uint64(keep), 3)))
		if _, found := manual(g); found.Saved.Number < burst {
			t.Fatalf("%d bytes in: power loss leaves %d", keep, found.Saved.Number)
		}
		s.step(s.retryAt)
		data, _ := f.ReadFile(dir + "/" + journalFile)
		if n := strings.Count(string(data), "\n"); n != burst+2 || s.Durable() != burst+2 || s.Status().Err != nil {
			t.Fatalf("%d bytes in: %d lines, %+v", keep, n, s.Status())
		}
	}
}

// Rotation is out of an event's way: a journal of ordinary events goes round
// before an append finds it full, and no append comes after a state's syncs in
// the same step.
func TestRotationIsOutOfTheWay(t *testing.T) {
	f := NewFake()
	s, _ := prepare(Options{Dir: dir, FS: f, JournalBytes: 64 << 10, StateEvery: 1000 * time.Hour})
	rotations := 0
	for n := uint64(1); n <= 500; n++ {
		s.Put(raises(n, n))
		_, before := f.Written()
		if err := s.writeEvents(time.Duration(n)*time.Second, false); err != nil {
			t.Fatal(err)
		}
		if _, after := f.Written(); after-before > 2 || s.Durable() != n { // the append's, and the folder's of a new file
			t.Fatalf("event %d took %d syncs, durable %d", n, after-before, s.Durable())
		}
		states := s.Status().States
		s.step(time.Duration(n) * time.Second)
		rotations += int(s.Status().States - states)
	}
	if rotations < 3 {
		t.Errorf("only %d rotations", rotations)
	}
}

// A state file cut off at any byte, or with any byte changed: the generation
// before it and the journal give the same states.
func TestDamagedStateFile(t *testing.T) {
	f := NewFake()
	s, _ := manual(f)
	events := raises(1, 12)
	for i := range events {
		s.Put(events[i : i+1])
		s.step(time.Duration(i) * 6 * time.Second)
		s.step(time.Duration(i)*6*time.Second + 2*time.Second)
	}
	want := lives(replay(events))
	whole, _ := f.ReadFile(dir + "/" + stateFile)
	damaged := 0
	for n := range len(whole) + 1 {
		for flip := range 2 {
			bad := append([]byte(nil), whole[:n]...)
			if flip == 1 {
				if n == len(whole) {
					continue
				}
				bad = append([]byte(nil), whole...)
				bad[n] ^= 1 << (n % 8)
			}
			g := f.PowerLoss(rand.New(rand.NewPCG(1, 1)))
			g.Put(dir+"/"+stateFile, bad)
			s, found := manual(g)
			if !reflect.DeepEqual(lives(found.Saved), want) || found.Saved.Number != 12 {
				t.Fatalf("byte %d (flip %d): %d %v", n, flip, found.Saved.Number, lives(found.Saved))
			}
			if len(found.Notes) > 0 {
				damaged++
			}
			s.Put(raises(13, 13))
			s.step(0)
			if s.Status().Err != nil || s.Durable() != 13 {
				t.Fatalf("byte %d: %+v", n, s.Status())
			}
		}
	}
	if damaged != 2*len(whole) { // all but the whole one
		t.Errorf("%d of %d damages noted", damaged, 2*len(whole))
	}
	// Power lost between the two renames, and the journal gone: the new one is
	// whole and counts.
	h := NewFake()
	before, _ := f.ReadFile(dir + "/" + stateOld)
	h.Put(dir+"/"+stateOld, before)
	h.Put(dir+"/"+stateNew, whole)
	if _, found := manual(h); found.Saved.Number != 12 || len(found.Notes) != 0 {
		t.Errorf("%+v", found)
	}
	// Without the journal, the old generation is there.
	g := NewFake()
	old, _ := f.ReadFile(dir + "/" + stateOld)
	g.Put(dir+"/"+stateOld, old)
	g.Put(dir+"/"+stateFile, whole[:len(whole)/2])
	if _, found := manual(g); found.Saved.Number != 11 || len(found.Notes) != 1 {
		t.Errorf("%+v", found)
	}
}

func TestStateOfANewerVersion(t *testing.T) {
	f := NewFake()
	s, _ := manual(f)
	s.Put(raises(1, 6))
	s.step(0)
	newer := []byte("mien-state 2 5 00000000\nabcd\n")
	f.Put(dir+"/"+stateFile, newer)
	f.locked = map[string]bool{}
	s, found := manual(f)
	if found.Saved.Number != 6 || len(found.Notes) != 1 || !strings.Contains(found.Notes[0], "newer version") {
		t.Fatalf("%+v", found)
	}
	s.Put(raises(7, 7))
	s.step(0)
	s.step(10 * time.Second)
	if kept, err := f.ReadFile(dir + "/" + stateFile + ".newer"); err != nil || string(kept) != string(newer) {
		t.Errorf("the newer file is gone: %v %q", err, kept)
	}
	f.locked = map[string]bool{}
	if _, found := manual(f); found.Saved.Number != 7 || len(found.Notes) != 0 {
		t.Errorf("%+v", found)
	}
}

// A journal cut off at any byte: every whole record before it is read, and
// writing goes on behind it.
func TestTornJournal(t *testing.T) {
	f := NewFake()
	s, _ := manual(f)
	events := raises(1, 8)
	s.Put(events)
	s.step(0)
	whole, _ := f.ReadFile(dir + "/" + journalFile)
	for n := range len(whole) + 1 {
		g := NewFake()
		g.Put(dir+"/"+journalFile, whole[:n])
		records := strings.Count(string(whole[:n]), "\n")
		s, found := manual(g)
		if int(found.Saved.Number) != records || found.Events != records {
			t.Fatalf("byte %d: %d events, want %d", n, found.Events, records)
		}
		if torn := n > 0 && whole[n-1] != '\n'; torn != (len(found.Notes) == 1) {
			t.Fatalf("byte %d: %v", n, found.Notes)
		}
		more := raises(uint64(records)+1, uint64(records)+3)
		if n%3 == 1 { // now and then the torn end cannot be taken away
			g.Fail(Fault{Op: OpTruncate, Err: unix.EIO})
		}
		s.Put(more)
		s.step(0)
		read, err := Read(g, dir, 0, 100)
		if err != nil || !reflect.DeepEqual(read, append(append([]alarm.Event(nil), events[:records]...), more...)) {
			t.Fatalf("byte %d: %v %v", n, err, numbers(read))
		}
	}
}

// Any one byte of a journal changed: the records beside it are read.
func TestDamagedJournal(t *testing.T) {
	f := NewFake()
	s, _ := manual(f)
	events := raises(1, 6)
	s.Put(events)
	s.step(0)
	whole, _ := f.ReadFile(dir + "/" + journalFile)
	for n := range whole {
		bad := append([]byte(nil), whole...)
		bad[n] ^= 1 << (n % 8)
		g := NewFake()
		g.Put(dir+"/"+journalFile, bad)
		read, err := Read(g, dir, 0, 100)
		lost := 1
		if whole[n] == '\n' || bad[n] == '\n' {
			lost = 2 // two lines have become one
		}
		if err != nil || len(read) < len(events)-lost || len(read) == len(events) && !sameDigit(whole[n], bad[n]) {
			t.Fatalf("byte %d: %v %v", n, err, numbers(read))
		}
		rising(t, read)
		for _, ev := range read {
			if !reflect.DeepEqual(ev, events[ev.Number-1]) {
				t.Fatalf("byte %d: %v", n, ev)
			}
		}
	}
}

// sameDigit: a checksum's digit in upper case is the same digit.
func sameDigit(a, b byte) bool { return a >= 'a' && a <= 'f' && b == a-'a'+'A' }

// A day's rounds through the two files: they stay within their bound, the
// newest events are there, and what has gone from the journal is in the state.
func TestRotation(t *testing.T) {
	f := NewFake()
	s, _ := prepare(Options{Dir: dir, FS: f, JournalBytes: 64 << 10, StateEvery: 1000 * time.Hour})
	const n = 3000
	events := raises(1, n)
	events[0] = event(1, "seldom", alarm.Raise, alarm.Normal, alarm.Unacknowledged) // and never again
	for i := 0; i < n; i += 7 {
		s.Put(events[i:min(i+7, n)])
		s.step(time.Duration(i) * time.Second)
		a, _ := f.Size(dir + "/" + journalFile)
		b, _ := f.Size(dir + "/" + journalOld)
		if a > 32<<10 || b > 32<<10 {
			t.Fatalf("files of %d and %d bytes", a, b)
		}
		if i%500 == 0 {
			g := f.PowerLoss(rand.New(rand.NewPCG(uint64(i), 2)))
			if _, found := manual(g); !reflect.DeepEqual(lives(found.Saved), lives(replay(events[:min(i+7, n)]))) {
				t.Fatalf("after %d: %v", i, lives(found.Saved))
			}
		}
	}
	read, err := s.Events(0, n)
	if err != nil || len(read) < 50 || read[len(read)-1].Number != n {
		t.Fatalf("%v, %d events", err, len(read))
	}
	rising(t, read)
	for i := 1; i < len(read); i++ {
		if read[i].Number != read[i-1].Number+1 {
			t.Errorf("gap at %d", read[i].Number)
		}
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
	s, _ := prepare(Options{Dir: t.TempDir()})
	defer s.lock.Close()
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
	if !reflect.DeepEqual(lives(s.saved), lives(replay(events))) {
		t.Error(lives(s.saved))
	}
}
