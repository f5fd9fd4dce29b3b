package store

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mien/firmware/alarm"
)

// stuck is a disk that holds a write to the journal until it is let go, as a
// file system that waits for its own journal does. Its lock is nobody's, so that
// a second store can be what comes after a kill.
type stuck struct {
	FS
	open chan struct{}
	once sync.Once
	took error // what Lock says
}

type stuckFile struct {
	File
	of *stuck
}

type nobodys struct{}

func (nobodys) Room() (int64, error) { return 1 << 30, nil }
func (nobodys) Close() error         { return nil }

func newStuck() *stuck { return &stuck{FS: OS, open: make(chan struct{})} }

func (s *stuck) Lock(string) (Hold, error) { return nobodys{}, s.took }
func (s *stuck) letGo()                    { s.once.Do(func() { close(s.open) }) }

func (s *stuck) Append(name string) (File, error) {
	f, err := s.FS.Append(name)
	if err == nil && filepath.Base(name) == journalFile {
		f = stuckFile{f, s}
	}
	return f, err
}

func (f stuckFile) Write(p []byte) (int, error) {
	<-f.of.open
	return f.File.Write(p)
}

// inMemory are the numbers of the events in the file.
func inMemory(t *testing.T, path string) (list []uint64) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	scan(data, 0, func(ev *alarm.Event) { list = append(list, ev.Number) })
	return list
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for began := time.Now(); !ok(); time.Sleep(time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatal("never: " + what)
		}
	}
}

func TestMemoryKeepsWhatABusyDiskDoesNotTake(t *testing.T) {
	disk, folder, path := newStuck(), t.TempDir(), filepath.Join(t.TempDir(), "events")
	killed, _ := Open(Options{Dir: folder, FS: disk, Memory: path})
	told := raises(1, 9)
	killed.Put(told[:4])
	killed.Put(told[4:])
	waitFor(t, "nine events in memory", func() bool { return len(inMemory(t, path)) == 9 })
	if data, _ := os.ReadFile(filepath.Join(folder, journalFile)); len(data) != 0 {
		t.Fatalf("the disk was to take nothing; it has %d bytes", len(data))
	}

	next := newStuck()
	next.letGo()
	after, found := Open(Options{Dir: folder, FS: next, Memory: path})
	if found.Events != 9 || found.Saved.Number != 9 || !strings.Contains(strings.Join(found.Notes, "; "), "9 events that the disk had not taken") {
		t.Fatalf("found %+v", found)
	}
	if got, want := lives(found.Saved), lives(replay(told)); len(got) == 0 || len(got) != len(want) {
		t.Fatalf("alarms %v, want %v", got, want)
	}
	more := event(10, "alarm 0", alarm.Raise, alarm.Normal, alarm.Unacknowledged)
	more.Start = 2
	after.Put([]alarm.Event{more})
	if err := after.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := after.Close(); err != nil {
		t.Fatal(err)
	}
	events, err := Read(next, folder, 0, 100)
	if err != nil || len(events) != 10 {
		t.Fatalf("journal %v, %v", numbers(events), err)
	}
	rising(t, events)

	// Once they are in the journal, the file has nothing new to say.
	last, found := Open(Options{Dir: folder, FS: next, Memory: path})
	if found.Saved.Number != 10 || len(found.Notes) > 0 {
		t.Errorf("found at the second start %+v", found)
	}
	last.Close()
	disk.letGo()
	killed.Close()
}

func TestMemoryOfAnotherHistoryIsLeftAlone(t *testing.T) {
	record := func(events ...alarm.Event) (data []byte) {
		for i := range events {
			data, _ = encodeRecord(data, &events[i])
		}
		return data
	}
	later := raises(3, 4)
	later[0].Start, later[1].Start = 7, 7
	whole := record(raises(3, 4)...)
	for _, c := range []struct {
		name string
		data []byte
		last uint64
	}{
		{"a gap", record(raises(4, 9)...), 2},
		{"another start", record(later...), 2},
		{"known", record(raises(1, 2)...), 2},
		{"nothing", nil, 2},
		{"noise", bytes.Repeat([]byte("\x00\xff\n"), 99), 2},
		{"torn", whole[:len(whole)-9], 3},
		{"damaged in the middle", append([]byte("00000000 {\"n\":3}\n"), record(raises(4, 4)...)...), 2},
		{"the very next", whole, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder, path := t.TempDir(), filepath.Join(t.TempDir(), "events")
			first, _ := Open(Options{Dir: folder})
			first.Put(raises(1, 2))
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			s, found := Open(Options{Dir: folder, Memory: path})
			if found.Saved.Number != c.last {
				t.Errorf("number %d after it, want %d", found.Saved.Number, c.last)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			events, _ := Read(OS, folder, 0, 100)
			if rising(t, events); len(events) != int(c.last) {
				t.Errorf("journal %v", numbers(events))
			}
		})
	}
}

func TestMemoryIsWrittenAnewBeforeItGrows(t *testing.T) {
	folder, path := t.TempDir(), filepath.Join(t.TempDir(), "events")
	s, _ := Open(Options{Dir: folder, Memory: path, Delay: time.Millisecond, JournalBytes: 64 << 20})
	for n := uint64(1); n < 5000; n += 100 {
		s.Put(raises(n, n+99))
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > 2*memoryMost {
		t.Errorf("%v bytes, %v: 5,000 events do not fit, and need not", info.Size(), err)
	}
}

func TestMemoryOfARunningUnitIsNotTouched(t *testing.T) {
	disk, folder, path := newStuck(), t.TempDir(), filepath.Join(t.TempDir(), "events")
	disk.took = ErrTaken
	data, _ := encodeRecord(nil, &raises(1, 1)[0])
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s, found := Open(Options{Dir: folder, FS: disk, Memory: path})
	s.Put(raises(1, 3))
	disk.letGo()
	if s.Close() == nil || found.Events != 0 {
		t.Errorf("found %+v beside a unit that holds the folder", found)
	}
	if now, _ := os.ReadFile(path); !bytes.Equal(now, data) {
		t.Errorf("its file has become %q", now)
	}
}

func TestMemoryThatFailsIsOnlyMissing(t *testing.T) {
	folder := t.TempDir()
	s, found := Open(Options{Dir: folder, Memory: filepath.Join(t.TempDir(), "no such folder", "events")})
	s.Put(raises(1, 5))
	if err := s.Close(); err != nil || len(found.Notes) != 0 {
		t.Errorf("%v, %v", err, found.Notes)
	}
}

// mad panics where a file is made.
type mad struct{ FS }

func (mad) Create(string) (File, error) { panic("injected") }

// A panic there shows, and is not the end of the program.
func TestMemoryThatPanics(t *testing.T) {
	s := &Store{memory: &memory{fs: mad{OS}, path: "events"}, held: true}
	s.remember()
	if st := s.Status(); st.Err == nil || !strings.Contains(st.Err.Error(), "injected") {
		t.Errorf("%+v", st)
	}
}
