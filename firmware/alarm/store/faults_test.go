package store

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// At each operation of a life each error, with nothing, a part, or all of a
// write done: nothing is lost or out of sequence once the disk is well, and
// nothing is called durable that a power loss would take.
func TestEveryOperationFails(t *testing.T) {
	life := func(f *Fake, after func(s *Store, done int)) *Store {
		s, _ := prepare(Options{Dir: dir, FS: f, JournalBytes: 6 << 10})
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
	for n := 1; n <= calls; n++ {
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
						if newest, _ := loadState(g, dir); newest.Saved.Number < s.Status().StateNumber {
							t.Fatalf("%s: state %d was called written, power loss leaves %d", where, s.Status().StateNumber, newest.Saved.Number)
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
					read, err := Read(f, dir, 0, 100)
					if err != nil || len(read) == 0 || read[len(read)-1].Number != 40 {
						t.Fatalf("%s: %v %v", where, err, numbers(read))
					}
					for i := 1; i < len(read); i++ {
						if read[i].Number != read[i-1].Number+1 {
							t.Fatalf("%s: %v", where, numbers(read))
						}
					}
					f.locked = map[string]bool{}
					if _, found := manual(f); !reflect.DeepEqual(lives(found.Saved), lives(replay(raises(1, 40)))) {
						t.Fatalf("%s: %v", where, lives(found.Saved))
					}
				}
			}
		}
	}
	t.Logf("%d rounds over %d operations", rounds, calls)
}

// A record whose fsync failed is written again, and stands there once.
func TestFailedSyncLeavesNoDouble(t *testing.T) {
	f := NewFake()
	s, _ := manual(f)
	s.Put(raises(1, 4))
	s.step(0)
	f.Fail(Fault{Op: OpSync, Name: journalFile, Count: 2, Err: unix.EIO})
	s.Put(raises(5, 8))
	for at := time.Second; s.Durable() < 8 && at < time.Minute; at += time.Second {
		s.step(at)
	}
	data, _ := f.ReadFile(dir + "/" + journalFile)
	if n := strings.Count(string(data), "\n"); n != 8 || s.Status().Err != nil {
		t.Errorf("%d lines for 8 events, %v", n, s.Status().Err)
	}
}

// Where it could not be taken out either, it stands there twice and is read once.
func TestDoubleIsReadOnce(t *testing.T) {
	f := NewFake()
	f.Fail(Fault{Op: OpSync, Name: journalFile, Err: unix.EIO})
	f.Fail(Fault{Op: OpTruncate, Name: journalFile, Err: unix.EIO})
	s, _ := manual(f)
	s.Put(raises(1, 4))
	s.step(0)
	s.step(time.Second)
	data, _ := f.ReadFile(dir + "/" + journalFile)
	if n := strings.Count(string(data), "\n"); n != 8 || s.Durable() != 4 {
		t.Fatalf("%d lines, durable %d", n, s.Durable())
	}
	if read, err := Read(f, dir, 0, 100); err != nil || !reflect.DeepEqual(numbers(read), []uint64{1, 2, 3, 4}) {
		t.Errorf("%v %v", err, numbers(read))
	}
	// Half in the old file, half in the new one.
	f.Put(dir+"/"+journalOld, data)
	if read, err := Read(f, dir, 2, 100); err != nil || !reflect.DeepEqual(numbers(read), []uint64{3, 4}) {
		t.Errorf("%v %v", err, numbers(read))
	}
	g := NewFake()
	g.Put(dir+"/"+journalFile, data)
	g.Put(dir+"/"+journalOld, data)
	if _, found := manual(g); found.Events != 4 {
		t.Errorf("%+v", found)
	}
}

// A disk that fills in the middle of a write, stays full, and has room again.
func TestDiskFull(t *testing.T) {
	for room := 0; room < 4000; room += 37 {
		f := NewFake()
		f.Fill(room)
		s, _ := prepare(Options{Dir: dir, FS: f, Queue: 100})
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
		if read, _ := Read(f, dir, 0, 100); len(read) != 60 {
			t.Fatalf("room %d: %v", room, numbers(read))
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	f := NewFake()
	f.Fail(Fault{Op: OpWrite, Count: -1, Err: unix.EROFS})
	s, _ := prepare(Options{Dir: dir, FS: f, Queue: 100})
	for n := uint64(1); n <= 1000; n++ {
		s.Put(raises(n, n))
	}
	s.step(0)
	if st := s.Status(); st.Queued != 100 || st.Dropped != 900 || !errors.Is(st.Err, unix.EROFS) {
		t.Fatalf("%+v", st)
	}
	f.Heal()
	s.step(time.Minute)
	read, _ := Read(f, dir, 0, 2000)
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

// A journal that cannot be written does not keep the states from the disk.
func TestStateGoesAheadOfAFailingJournal(t *testing.T) {
	f := NewFake()
	f.Fail(Fault{Op: OpWrite, Name: journalFile, Count: -1, Err: unix.EIO})
	s, _ := manual(f)
	events := raises(1, 10)
	saved := replay(events)
	s.Put(events)
	s.Keep(&saved)
	for at := time.Duration(0); at < 5*time.Second; at += time.Second {
		s.step(at)
	}
	if st := s.Status(); !errors.Is(st.Err, unix.EIO) || st.Durable != 0 || st.StateNumber != 10 {
		t.Errorf("%+v", st)
	}
	if _, found := manual(f.PowerLoss(rand.New(rand.NewPCG(1, 1)))); !reflect.DeepEqual(lives(found.Saved), lives(saved)) || found.Saved.Number != 10 {
		t.Error(found)
	}
}

// Waits between tries grow and are bounded; the disk is not tried in between.
func TestRetries(t *testing.T) {
	f := NewFake()
	f.Fail(Fault{Op: OpSync, Count: -1, Err: unix.EIO})
	s, _ := prepare(Options{Dir: dir, FS: f})
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
	f.Fail(Fault{Op: OpMkdir, Count: 2, Err: fs.ErrPermission})
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
	// Another holds it: what is there is read, nothing is written until it goes.
	other, found := manual(f)
	if st := other.Status(); !errors.Is(st.Err, ErrTaken) || found.Saved.Number != 2 {
		t.Fatalf("%+v %+v", st, found)
	}
	other.Put(raises(3, 3))
	other.step(other.retryAt)
	if st := other.Status(); !errors.Is(st.Err, ErrTaken) || st.Durable != 2 {
		t.Fatalf("%+v", st)
	}
	s.lock.Close()
	other.step(other.retryAt)
	if st := other.Status(); st.Err != nil || st.Durable != 3 {
		t.Fatalf("%+v", st)
	}
	// A file that cannot be read does not keep the unit from starting.
	g := f.PowerLoss(rand.New(rand.NewPCG(1, 1)))
	g.Fail(Fault{Op: OpRead, Count: -1, Err: unix.EIO})
	if s, found := manual(g); s == nil || len(found.Notes) == 0 {
		t.Errorf("%+v", found)
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
	f.Truncate(dir+"/"+journalFile, 0)
	s.Put(raises(9, 12))
	s.step(2 * time.Second)
	if read, _ := Read(f, dir, 0, 100); !reflect.DeepEqual(numbers(read), []uint64{9, 10, 11, 12}) {
		t.Errorf("%v", numbers(read))
	}
}

// Somebody deletes the folder of a running unit: it is made again, and what
// happens from then on is in it.
func TestFolderTakenAway(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	s, _ := Open(Options{Dir: folder})
	s.Put(raises(1, 4))
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	s.Put(raises(5, 8))
	waitFor(t, "on the disk again", func() bool { return s.Durable() == 8 && s.Status().Err == nil })
	if read, err := Read(OS, folder, 0, 100); !reflect.DeepEqual(numbers(read), []uint64{5, 6, 7, 8}) {
		t.Errorf("%v %v", numbers(read), err)
	}
	if other, _ := Open(Options{Dir: folder}); !errors.Is(other.Status().Err, ErrTaken) {
		t.Errorf("the folder is not held: %v", other.Status().Err)
	} else {
		other.Close()
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	last, found := Open(Options{Dir: folder})
	defer last.Close()
	if len(found.Saved.Alarms) != 5 || found.Saved.Number != 8 {
		t.Errorf("%+v", found.Saved)
	}
}
