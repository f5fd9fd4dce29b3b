package store

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mien/firmware/alarm"
)

// At each operation of a life each error, with nothing, a part, or all of a
// write done: nothing is lost or out of sequence once the disk is well, and
// nothing is called durable that a power loss would take.
func TestEveryOperationFails(t *testing.T) {
	life := func(f *Fake, after func(s *Store, done int)) *Store {
		s, _ := ready(Options{Dir: dir, FS: f, JournalBytes: 6 << 10})
		events := raises(1, 40)
		for i := 0; i < len(events); i += 4 {
			s.Put(events[i : i+4])
			if i%8 == 0 {
				saved := replay(events[:i+4])
				s.Keep(&saved)
			}
			s.step(time.Duration(i) * 20 * time.Second)
			if after != nil {
				after(s, i+4)
			}
		}
		return s
	}
	f := NewFake()
	life(f, nil)
	calls := f.Calls()
	if calls < 60 {
		t.Fatalf("only %d operations", calls)
	}
	rounds := 0
	step := 1
	if testing.Short() {
		step = 5
	}
	for n := 1; n <= calls; n += step {
		for _, count := range []int{1, 3, -1} {
			for _, keep := range []int{0, 100, 1 << 20} {
				for _, cause := range []error{[]error{unix.ENOSPC, unix.EROFS, unix.EIO}[rounds%3]} {
					rounds++
					where := fmt.Sprintf("operation %d, %v, %d times, %d bytes in", n, cause, count, keep)
					f := NewFake()
					f.Fail(Fault{At: n, Count: count, Err: cause, Keep: keep})
					random := rand.New(rand.NewPCG(uint64(n), uint64(rounds)))
					s := life(f, func(s *Store, done int) {
						if random.IntN(8) > 0 {
							return
						}
						g := f.PowerLoss(random)
						_, found := manual(g)
						if found.Saved.Number < s.Durable() {
							t.Fatalf("%s: %d was called durable, power loss leaves %d", where, s.Durable(), found.Saved.Number)
						}
						if want := lives(replay(raises(1, found.Saved.Number))); !reflect.DeepEqual(lives(found.Saved), want) {
							t.Fatalf("%s: after power loss %v, want %v", where, lives(found.Saved), want)
						}
					})
					if count == -1 {
						if st := s.Status(); st.Err == nil && st.Durable < 40 || st.Err != nil && !errors.Is(st.Err, cause) {
							t.Fatalf("%s: %+v", where, st)
						}
					}
					f.Heal()
					s.step(time.Hour)
					st := s.Status()
					if st.Err != nil || st.Durable != 40 || st.Queued != 0 || st.Dropped != 0 {
						t.Fatalf("%s: healed, yet %+v", where, st)
					}
					read := readAll(f, 0)
					if len(read) == 0 || read[len(read)-1].Number != 40 {
						t.Fatalf("%s: %v", where, numbers(read))
					}
					for i := 1; i < len(read); i++ {
						if read[i].Number != read[i-1].Number+1 {
							t.Fatalf("%s: %v", where, numbers(read))
						}
					}
					f.Kill()
					if _, found := manual(f); !reflect.DeepEqual(lives(found.Saved), lives(replay(raises(1, 40)))) {
						t.Fatalf("%s: %v", where, lives(found.Saved))
					}
				}
			}
		}
	}
	t.Logf("%d rounds over %d operations", rounds, calls)
}

// A thousand lives of one folder, each ended by a power loss that tears what was
// not synced at any byte, most of them with a disk that fails now and then: what
// was called durable is there, in sequence, and the states are what the events tell.
func TestPowerCuts(t *testing.T) {
	random := rand.New(rand.NewPCG(20261130, 1))
	f, number, syncs := NewFake(), uint64(0), uint64(0)
	recent := func() alarm.Saved { return replay(raises(max(number, 40)-39, number)) } // five alarms in turn: enough
	rounds := 1000
	if testing.Short() {
		rounds = 100
	}
	for round := range rounds {
		s, found := ready(Options{Dir: dir, FS: f, JournalBytes: 16 << 10, StateEvery: 3 * time.Second})
		if found.Saved.Number < number {
			t.Fatalf("round %d: %d was called durable, %d is there", round, number, found.Saved.Number)
		}
		number = found.Saved.Number
		if got, want := lives(found.Saved), lives(recent()); !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d: %v, want %v", round, got, want)
		}
		read, err := s.Events(0, 1<<20)
		if rising(t, read); err != nil || number > 0 && read[len(read)-1].Number != number {
			t.Fatalf("round %d: %v, %v of %d", round, err, numbers(read), number)
		}
		for i := random.IntN(12); i >= 0; i-- {
			if random.IntN(6) == 0 {
				f.Fail(Fault{At: 1 + random.IntN(8), Err: unix.EIO, Keep: random.IntN(500)})
			}
			last := number + uint64(1+random.IntN(9))
			s.Put(raises(number+1, last))
			if number = last; random.IntN(2) == 0 {
				saved := recent()
				s.Keep(&saved)
			}
			if random.IntN(3) > 0 {
				s.step(time.Duration(i) * time.Second)
			}
		}
		number = s.Durable()
		syncs += s.Status().Syncs
		f = f.PowerLoss(random)
	}
	t.Logf("%d events durable, %d syncs", number, syncs)
	if number < 3*uint64(rounds) {
		t.Errorf("only %d events", number)
	}
}

// A record whose fsync failed is written again, and is read once.
func TestFailedSyncLeavesNoDouble(t *testing.T) {
	f := NewFake()
	s, _ := manual(f)
	s.Put(raises(1, 4))
	s.step(0)
	f.Fail(Fault{Op: OpSync, Name: journalFile, Err: unix.EIO})
	f.Fail(Fault{Op: OpSync, Name: journalNext, Err: unix.EIO})
	s.Put(raises(5, 8))
	for at := time.Second; s.Durable() < 8 && at < time.Minute; at += time.Second {
		s.step(at)
	}
	if read := readAll(f, 0); !reflect.DeepEqual(read, raises(1, 8)) || s.Status().Err != nil {
		t.Errorf("%v, %v", numbers(read), s.Status().Err)
	}
}

// A disk that fills in the middle of a write, stays full, and has room again.
func TestDiskFull(t *testing.T) {
	for room := 0; room < 4000; room += 37 {
		f := NewFake()
		f.Fill(room)
		s, _ := ready(Options{Dir: dir, FS: f, Queue: 100})
		for n := uint64(1); n <= 60; n++ {
			s.Put(raises(n, n))
			s.step(time.Duration(n) * time.Second)
		}
		st := s.Status()
		if st.Err == nil || !errors.Is(st.Err, unix.ENOSPC) || st.Queued == 0 || st.Dropped != 0 {
			t.Fatalf("room %d: %+v", room, st)
		}
		if all, err := s.Events(0, 100); err != nil || len(all) != 60 {
			t.Fatalf("room %d: %d events to be seen, %v", room, len(all), err)
		}
		f.Heal()
		s.step(time.Hour)
		if st := s.Status(); st.Err != nil || st.Queued != 0 || st.Durable != 60 || st.Since != 0 {
			t.Fatalf("room %d: %+v", room, st)
		}
		if read := readAll(f, 0); len(read) != 60 {
			t.Fatalf("room %d: %v", room, numbers(read))
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	f := NewFake()
	f.Fail(Fault{Op: OpWrite, Count: -1, Err: unix.EROFS})
	s, _ := ready(Options{Dir: dir, FS: f, Queue: 100})
	for n := uint64(1); n <= 1000; n++ {
		s.Put(raises(n, n))
	}
	s.step(0)
	if st := s.Status(); st.Queued != 100 || st.Dropped != 900 || !errors.Is(st.Err, unix.EROFS) {
		t.Fatalf("%+v", st)
	}
	f.Heal()
	s.step(time.Minute)
	read := readAll(f, 0)
	if len(read) != 100 || read[0].Number != 901 || read[99].Number != 1000 {
		t.Errorf("%v", numbers(read))
	}
	// The alarms' states are whole all the same, by Keep.
	saved := replay(raises(1, 1000))
	s.Keep(&saved)
	s.step(2 * time.Minute)
	if _, found := manual(f.PowerLoss(rand.New(rand.NewPCG(1, 1)))); !reflect.DeepEqual(lives(found.Saved), lives(saved)) {
		t.Error(found)
	}
}

// A disk that is full or read-only shows before there is something to write,
// and writes that fit go on.
func TestLooksAhead(t *testing.T) {
	f := NewFake()
	s, _ := manual(f)
	s.step(0)
	if st := s.Status(); st.Err != nil {
		t.Fatal(st.Err)
	}
	f.Fill(40_000)
	calls := f.Calls()
	if next := s.step(time.Second); next > time.Second || !errors.Is(s.Status().Err, unix.ENOSPC) {
		t.Errorf("%v %v", next, s.Status().Err)
	}
	s.Put(raises(1, 3))
	s.step(2 * time.Second)
	if s.Durable() != 3 {
		t.Error("what fits was not written")
	}
	f.Heal()
	f.Fail(Fault{Op: OpRoom, Err: unix.EROFS})
	s.step(3 * time.Second)
	if !errors.Is(s.Status().Err, unix.EROFS) {
		t.Error(s.Status().Err)
	}
	s.step(4 * time.Second)
	if st := s.Status(); st.Err != nil || calls == 0 {
		t.Error(st.Err)
	}
}

// Waits between tries grow and are bounded; the disk is not tried in between.
func TestRetries(t *testing.T) {
	f := NewFake()
	f.Fail(Fault{Op: OpSync, Count: -1, Err: unix.EIO})
	s, _ := ready(Options{Dir: dir, FS: f})
	s.Put(raises(1, 1))
	var waits []time.Duration
	now := time.Duration(0)
	for range 9 {
		s.step(now)
		w := s.wait
		waits = append(waits, w)
		before := f.Calls()
		s.Put(raises(2, 2))
		if s.step(now + w/2); f.Calls() != before {
			t.Error("the disk was tried before its time")
		}
		now += w
	}
	want := "[250ms 500ms 1s 2s 4s 8s 10s 10s 10s]"
	if got := fmt.Sprint(waits); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if st := s.Status(); st.Since != 0 || st.Err == nil {
		t.Errorf("%+v", st)
	}
}

func TestFolderTroubles(t *testing.T) {
	// It cannot be made yet.
	f := NewFake()
	f.Fail(Fault{Op: OpHold, Count: 2, Err: fs.ErrPermission})
	s, _ := manual(f)
	s.Put(raises(1, 2))
	s.step(0)
	if st := s.Status(); !errors.Is(st.Err, fs.ErrPermission) || st.Queued != 2 {
		t.Fatalf("%+v", st)
	}
	s.step(s.retryAt)
	s.step(s.retryAt)
	if st := s.Status(); st.Err != nil || st.Durable != 2 {
		t.Fatalf("%+v", st)
	}
	// Another holds it: refused, and not touched.
	if _, _, err := prepare(Options{Dir: dir, FS: f}); !errors.Is(err, ErrTaken) {
		t.Fatal(err)
	}
	// A file that cannot be read does not keep the unit from starting, and is put
	// aside.
	before := f.Get(dir + "/" + journalFile)
	f.Kill()
	f.Fail(Fault{Op: OpRead, Name: journalFile, Err: unix.EIO})
	s, _ = manual(f)
	s.Put(raises(1, 4))
	s.step(0)
	if st := s.Status(); st.Err != nil || st.Durable != 4 || string(f.Get(dir+"/"+st.Aside)) != string(before) {
		t.Errorf("%+v", st)
	}
}

// A folder that comes late, with a history of its own, is not written over.
func TestFolderComesLate(t *testing.T) {
	f := NewFake()
	first, _ := manual(f)
	first.Put(raises(1, 9))
	first.step(0)
	f.Kill()
	before := f.Get(dir + "/" + journalFile)
	f.Fail(Fault{Op: OpHold, Name: "state", Err: fs.ErrPermission})
	s, _ := manual(f)
	s.Put(raises(1, 2))
	s.step(0)
	s.step(s.retryAt)
	if st := s.Status(); st.Err != nil || st.Durable != 2 || string(f.Get(dir+"/"+st.Aside)) != string(before) {
		t.Errorf("%+v", st)
	}
	if read := readAll(f, 0); len(read) != 2 {
		t.Error(numbers(read))
	}
}

// Somebody deletes or empties the files of a running unit.
func TestFilesTakenAway(t *testing.T) {
	f := NewFake()
	s, _ := manual(f)
	s.Put(raises(1, 4))
	s.step(0)
	f.mu.Lock()
	delete(f.names, dir+"/"+journalFile)
	f.mu.Unlock()
	s.Put(raises(5, 8))
	s.step(time.Second)
	f.Put(dir+"/"+journalFile, nil)
	s.Put(raises(9, 12))
	s.step(2 * time.Second)
	if read := readAll(f, 0); !reflect.DeepEqual(numbers(read), []uint64{9, 10, 11, 12}) {
		t.Errorf("%v", numbers(read))
	}
	if n := s.Status().Changed; n != 2 {
		t.Errorf("told of %d", n)
	}
	// While nothing happens too: the states are on the disk again.
	for second := time.Duration(3); second < 6; second++ {
		if second == 4 {
			f.mu.Lock()
			delete(f.names, dir+"/"+journalFile)
			f.mu.Unlock()
		}
		s.step(second * time.Second)
	}
	if st := s.Status(); st.Changed != 3 || st.Err != nil || f.Get(dir+"/"+journalFile) == nil {
		t.Errorf("%+v", st)
	}
	f.Kill()
	if _, found := manual(f); !reflect.DeepEqual(lives(found.Saved), lives(replay(raises(1, 12)))) {
		t.Errorf("%v", found)
	}
}

// Somebody deletes the folder of a running unit: it is made again, and what
// happens from then on is in it.
func TestFolderTakenAway(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	s, _, _ := Open(Options{Dir: folder})
	s.Put(raises(1, 4))
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	s.Put(raises(5, 8))
	waitFor(t, "on the disk again", func() bool { return s.Durable() == 8 && s.Status().Err == nil })
	if n := s.Status().Changed; n != 1 {
		t.Errorf("told of %d", n)
	}
	if read, err := s.Events(0, 100); !reflect.DeepEqual(numbers(read), []uint64{5, 6, 7, 8}) {
		t.Errorf("%v %v", numbers(read), err)
	}
	if _, _, err := Open(Options{Dir: folder}); !errors.Is(err, ErrTaken) {
		t.Errorf("the folder is not held: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	last, found, _ := Open(Options{Dir: folder})
	defer last.Close()
	if len(found.Saved.Alarms) != 5 || found.Saved.Number != 8 {
		t.Errorf("%+v", found.Saved)
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for began := time.Now(); !ok(); time.Sleep(time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatal("never: " + what)
		}
	}
}
