package store

import (
	"fmt"
	"io"
	"math"
	"testing"
	"time"

	"mien/firmware/alarm"
)

// wear counts what a disk has to write: each fsync takes whole blocks of 4 KiB
// of content, and about three of the file system's own (inode, its journal).
type wear struct {
	Folder
	bytes, blocks, syncs uint64
}

const block, own = uint64(4096), 3

type wearFile struct {
	File
	w           *wear
	start, size int64
}

func (w *wear) Hold(dir string) (f Folder, err error) {
	w.Folder, err = NewFake().Hold(dir)
	return w, err
}

func (w *wear) Create(name string, room int64) (File, error) {
	f, err := w.Folder.Create(name, room)
	return &wearFile{File: f, w: w}, err
}

func (w *wear) Append(name string) (File, error) {
	f, err := w.Folder.Append(name)
	n, _ := w.Folder.Size(name)
	return &wearFile{f, w, n, n}, err
}

func (w *wear) Rename(from, to string) error {
	w.syncs++
	w.blocks += own
	return w.Folder.Rename(from, to)
}

func (f *wearFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.size += int64(n)
	f.w.bytes += uint64(n)
	return n, err
}

func (f *wearFile) Sync() error {
	f.w.syncs++
	f.w.blocks += (uint64(f.size)+block-1)/block - uint64(f.start)/block + own
	f.start = f.size
	return f.File.Sync()
}

var _ io.Closer = (*wearFile)(nil)

// A day of a unit with eight alarms: each occurrence is raised, acknowledged
// and returned; every hour a note, four times a day one is shelved; and somebody
// leaves for 20 s as often as away says, so that all eight lose their reading and
// have it back, which is no event of a unit.
func day(t *testing.T, every, away time.Duration) *wear {
	w := new(wear)
	s, _ := ready(Options{Dir: dir, FS: w})
	var defs []alarm.Definition
	for i := range 8 {
		defs = append(defs, alarm.Definition{Name: fmt.Sprintf("alarm number %d", i), Conditions: []alarm.Condition{{Signal: "s", Limit: float32(i+1) / 10}}, Horn: true, MaxShelve: time.Hour, UnknownHold: 5 * time.Second})
	}
	e, err := alarm.New(defs, []string{"s"}, alarm.Options{MaxGap: time.Hour, Private: true})
	if err != nil {
		t.Fatal(err)
	}
	var saved alarm.Saved
	revision := e.Revision()
	events := 0
	take := func(list []alarm.Event) {
		events += len(list)
		s.Put(list)
		if e.Revision() != revision {
			revision = e.Revision()
			e.Save(&saved)
			s.Keep(&saved)
		}
	}
	take(e.Restore(alarm.Saved{}, 0, wall0))
	phase := 0
	for at := time.Duration(0); at < 24*time.Hour; at += time.Second {
		level := float32(0)
		occurrence := int(at / every)
		within := at % every
		if within >= 10*time.Second && within < 30*time.Second {
			level = 0.15 // the first alarm only
		}
		if gone := at % away; gone >= 35*time.Second && gone < 55*time.Second {
			level = float32(math.NaN())
		}
		take(e.Step(alarm.Reading{At: at, Wall: wall0.Add(at), Sequence: uint64(at / time.Second * 30), Levels: []float32{level}}))
		if within == 20*time.Second && phase != occurrence+1 {
			phase = occurrence + 1
			list, _ := e.Do(alarm.Command{Do: alarm.Acknowledge, Who: "input ack button", At: at, Wall: wall0.Add(at)})
			take(list)
		}
		if at%time.Hour == 0 {
			list, _ := e.Do(alarm.Command{Do: alarm.Note, Text: "a fault began or ended, or the config was read again", At: at, Wall: wall0.Add(at)})
			take(list)
		}
		if at%(6*time.Hour) == time.Hour {
			list, _ := e.Do(alarm.Command{Do: alarm.Shelve, Alarm: "alarm number 7", For: 30 * time.Minute, Who: "socket anna", At: at, Wall: wall0.Add(at)})
			take(list)
		}
		s.step(at)
	}
	t.Logf("an alarm every %v, nobody in view every %v: %d events, %d bytes in %d fsyncs, about %.1f MB of blocks a day", every, away, events, w.bytes, w.syncs, float64(w.blocks*block)/1e6)
	if events < int(24*time.Hour/every)*3 {
		t.Errorf("only %d events", events)
	}
	return w
}

// The bytes a day that the package comment states.
func TestBytesADay(t *testing.T) {
	for _, c := range []struct {
		every, away   time.Duration
		bytes, blocks uint64
	}{
		{24 * time.Hour, 24 * time.Hour, 40 << 10, 1_100_000 / block},
		{10 * time.Minute, 24 * time.Hour, 320 << 10, 11_000_000 / block},
		{time.Minute, 24 * time.Hour, 3 << 20, 82_000_000 / block},
		{24 * time.Hour, time.Minute, 40 << 10, 1_100_000 / block},
	} {
		if testing.Short() && c.every+c.away < 24*time.Hour+5*time.Minute {
			continue
		}
		if w := day(t, c.every, c.away); w.bytes > c.bytes || w.blocks > c.blocks {
			t.Errorf("an alarm every %v: %d bytes, %d blocks; stated are at most %d and %d", c.every, w.bytes, w.blocks, c.bytes, c.blocks)
		}
	}
}
