package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func withMemory(f *Fake) (*Store, Found) {
	return ready(Options{Dir: dir, FS: f, Memory: inMemory, Queue: 100})
}

// What Put was given outlives a kill at once, whatever the disk does; a power
// loss leaves what was called durable.
func TestMemoryKeepsWhatTheDiskHasNotTaken(t *testing.T) {
	f := NewFake()
	s, _ := withMemory(f)
	told := raises(1, 9)
	s.Put(told[:4])
	s.step(0)
	s.Put(told[4:]) // the writer does not come to it
	if read, _ := s.Events(0, 100); len(read) != 9 {
		t.Errorf("%v can be told", numbers(read))
	}
	if _, found := withMemory(f.PowerLoss(rand.New(rand.NewPCG(1, 1)))); found.Saved.Number != 4 {
		t.Errorf("after a power loss %d", found.Saved.Number)
	}
	f.Kill()
	s, found := withMemory(f)
	if found.Saved.Number != 9 || !reflect.DeepEqual(lives(found.Saved), lives(replay(told))) || !strings.Contains(fmt.Sprint(found.Notes), "5 events that the disk had not taken") {
		t.Fatalf("found %+v", found)
	}
	f.Kill() // again, before the disk has taken anything
	if s, found = withMemory(f); found.Saved.Number != 9 {
		t.Fatalf("found %+v", found)
	}
	s.Put(raises(10, 10))
	s.step(0)
	if read := readAll(f, 0); len(read) != 10 {
		t.Fatal(numbers(read))
	}
	f.Kill()
	if _, found = withMemory(f); found.Saved.Number != 10 || len(found.Notes) > 0 {
		t.Errorf("found %+v", found)
	}
}

// A disk that is full, more events than the memory for them holds, and kill -9:
// no state is lost, numbers do not fall, and what was dropped is reported.
func TestFullDiskAndKill(t *testing.T) {
	f := NewFake()
	s, _ := withMemory(f)
	s.Put(raises(1, 22))
	s.step(0)
	for _, name := range []string{journalFile, journalNext} { // of the disk, not of the memory
		f.Fail(Fault{Op: OpWrite, Name: dir + "/" + name, Count: -1, Err: unix.ENOSPC})
	}
	for n := uint64(23); n <= 2505; n++ {
		s.Put(raises(n, n))
		saved := replay(raises(n-200, n))
		saved.Number = n
		s.Keep(&saved)
		s.step(time.Duration(n) * 10 * time.Millisecond)
	}
	if st := s.Status(); st.Dropped == 0 || st.Err == nil {
		t.Fatalf("%+v", st)
	}
	for round := range 2 { // the disk stays full
		f.Kill()
		again, found := withMemory(f)
		if found.Saved.Number != 2505 || !reflect.DeepEqual(lives(found.Saved), lives(replay(raises(2000, 2505)))) {
			t.Fatalf("round %d: %+v", round, found)
		}
		if round == 0 && !strings.Contains(fmt.Sprint(found.Notes), "are missing") {
			t.Errorf("%v", found.Notes)
		}
		s = again
	}
	f.Heal()
	s.Put(raises(2506, 2506))
	s.step(time.Hour)
	if st := s.Status(); st.Err != nil || st.Durable != 2506 {
		t.Fatalf("%+v", st)
	}
	_, found := withMemory(f.PowerLoss(rand.New(rand.NewPCG(1, 1))))
	if found.Saved.Number != 2506 || !reflect.DeepEqual(lives(found.Saved), lives(replay(raises(2000, 2506)))) {
		t.Errorf("%+v", found)
	}
	read := readAll(f, 0)
	rising(t, read)
	if len(read) < 100+22 {
		t.Error(numbers(read))
	}
}

func TestMemoryOfAnotherJournalIsLeftAlone(t *testing.T) {
	f, g := NewFake(), NewFake()
	for i, disk := range []*Fake{f, g} {
		s, _ := withMemory(disk)
		s.Put(raises(1, uint64(4+i)))
		s.step(0)
		disk.Kill()
	}
	for _, data := range [][]byte{g.Get(inMemory + "/" + journalFile), nil, []byte("\x00\xff\nrubbish")} {
		f.Put(inMemory+"/"+journalFile, data)
		if _, found := withMemory(f); found.Saved.Number != 4 || len(found.Notes) > 0 {
			t.Errorf("%+v", found)
		}
		f.Kill()
	}
}

// The journal was deleted, or the whole folder emptied; its copy was not. No note
// says that the disk had not taken what somebody has taken away.
func TestMemoryWithoutTheJournal(t *testing.T) {
	for _, gone := range [][]string{{journalFile}, {journalFile, journalNext, lockFile}} {
		f := NewFake()
		s, _ := withMemory(f)
		s.Put(raises(1, 4))
		s.step(0)
		s.Put(raises(5, 6))
		f.Kill()
		for _, name := range gone {
			delete(f.names, dir+"/"+name)
		}
		_, found := withMemory(f)
		notes := fmt.Sprint(found.Notes)
		if found.Saved.Number != 6 || !strings.Contains(notes, "is gone from the state folder") || strings.Contains(notes, "not taken") || strings.Contains(notes, "took none") {
			t.Errorf("without %v: %+v", gone, found)
		}
	}
}

func TestMemoryFileIsBounded(t *testing.T) {
	folder, memory := t.TempDir(), filepath.Join(t.TempDir(), "memory")
	s, _, err := Open(Options{Dir: folder, Memory: memory, Delay: time.Millisecond, JournalBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for n := uint64(1); n < 5000; n += 100 {
		s.Put(raises(n, n+99))
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(memory, journalFile))
	if err != nil || info.Size() > 2*memoryMost {
		t.Errorf("%v bytes, %v: 5,000 events do not fit, and need not", info.Size(), err)
	}
}

// Without a copy in memory the unit runs, and says what that means.
func TestMemoryThatFailsIsOnlyMissing(t *testing.T) {
	s, found, err := Open(Options{Dir: t.TempDir(), Memory: "/dev/null/no such folder"})
	if err != nil || len(found.Notes) != 1 {
		t.Fatalf("%v, %v", err, found.Notes)
	}
	s.Put(raises(1, 5))
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// After a rollback on a disk that took nothing: the states of a newer version cannot
// be read in memory either, and the events that follow those of the disk are kept.
func TestNewerVersionInMemory(t *testing.T) {
	f := NewFake()
	s, _ := withMemory(f)
	told := raises(1, 9)
	s.Put(told[:4])
	s.step(0)
	s.Put(told[4:])
	_, events, _ := bytes.Cut(f.Get(inMemory+"/"+journalFile), []byte("\n"))
	states, _ := appendRecord(nil, json.RawMessage(`{"states":3,"saved":"in another form"}`))
	newer := append(states, events...)
	f.Put(inMemory+"/"+journalFile, newer)
	f.Kill()
	_, found := withMemory(f)
	if found.Saved.Number != 9 || !reflect.DeepEqual(lives(found.Saved), lives(replay(told))) || !strings.Contains(fmt.Sprint(found.Notes), "copy in memory is of a newer version") {
		t.Fatalf("found %+v", found)
	}
	kept := false
	for name := range f.names {
		kept = kept || strings.HasPrefix(name, inMemory+"/"+journalFile+".aside-") && bytes.Equal(f.Get(name), newer)
	}
	if !kept {
		t.Error("the newer copy is gone")
	}
	f.Kill()
	if _, found := withMemory(f); found.Saved.Number != 9 {
		t.Errorf("found %+v", found)
	}
}
