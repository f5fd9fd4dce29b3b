package pilot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What was told of a pilot is so after a kill, whether the disk had it or not: here
// the keeper is gone before it wrote anything.
func TestKillTurnsNoPilotBack(t *testing.T) {
	o := Options{Dir: filepath.Join(t.TempDir(), "pilot"), Memory: t.TempDir(), Allowed: true, Keep: 30, Most: 1 << 30, Reserve: 1,
		Wall: func() time.Time { return time.Date(2026, 12, 1, 7, 0, 0, 0, time.UTC) }, Note: func(string) {}}
	is := func(want bool, when string) *Keeper {
		t.Helper()
		k := New(o)
		if s := k.Status(); s.Recording != want {
			t.Fatalf("%s: %+v", when, s)
		}
		return k
	}
	k := is(false, "at first")
	k.Start(time.Hour, "a test")
	k = is(true, "started")
	k.look(time.Now()) // the disk has it
	if err := k.Wait(k.Asked(), 0); err != nil {
		t.Fatal(err)
	}
	k.Stop("by hand")
	k = is(false, "stopped")
	if s := k.Status(); s.Ended != "by hand" || s.Purpose != "a test" {
		t.Errorf("%+v", s)
	}
	k.Start(time.Hour, "another")
	os.WriteFile(filepath.Join(o.Dir, "x-000001"+suffix), []byte("a recording"), 0o600)
	k.Erase()
	k = is(false, "erased")
	k.Start(time.Hour, "a third") // before the erasing was carried out
	k = is(true, "started at once")
	if s := k.Status(); s.Files != 1 {
		t.Fatalf("%+v", s)
	}
	k.look(time.Now())
	if s := k.Status(); !s.Recording || s.Files != 0 || k.orders.is().Erase {
		t.Errorf("after the erasing: %+v", s)
	}
	is(true, "and after one more start")
	// Somebody who puts the file away wants no recording.
	os.Remove(filepath.Join(o.Dir, controlFile))
	k = is(false, "put away")
	k.Start(time.Hour, "a fourth")
	is(true, "and begun anew")
	// A power cut in the middle of a write leaves half of a file; the copy is whole.
	os.WriteFile(filepath.Join(o.Dir, controlFile), []byte("{half"), 0o600)
	is(true, "half of it on the disk")
}

// A unit that is stopped just after it was asked for something has it on the disk: the
// folder in memory goes with it.
func TestStopKeepsWhatWasAsked(t *testing.T) {
	o := Options{Dir: filepath.Join(t.TempDir(), "pilot"), Allowed: true, Keep: 30, Most: 1 << 30, Reserve: 1,
		Wall: func() time.Time { return time.Date(2026, 12, 1, 7, 0, 0, 0, time.UTC) }, Note: func(string) {}}
	k := New(o)
	k.Start(time.Hour, "a test")
	k.look(time.Now())
	k.Stop("by hand")
	k.leave() // before it looked again
	if s := New(o).Status(); s.Recording || s.Ended != "by hand" {
		t.Errorf("%+v", s)
	}
}

// A start that goes on with a recording is told, and one whose time is over is not
// said to go on.
func TestStartThatGoesOnIsTold(t *testing.T) {
	u, _ := recorded(t)
	u.stop()
	next := newUnit(t, u.keeper.options.Dir, nil)
	next.sync()
	if !next.told("after a start, pilot: recording goes on until") || !next.told("a test") {
		t.Errorf("%q", next.notes)
	}
	next.stop()
	over := newUnit(t, u.keeper.options.Dir, func(o *Options) {
		o.Wall = func() time.Time { return u.wall.Add(2 * time.Hour) }
	})
	over.sync()
	if over.told("goes on") || !over.told("its end date is reached") {
		t.Errorf("%q", over.notes)
	}
	over.stop()
	third := newUnit(t, u.keeper.options.Dir, nil)
	third.sync()
	if len(third.notes) > 0 {
		t.Errorf("one that is over: %q", third.notes)
	}
}

// A recording that is written again after a disk has failed is told.
func TestRecordingIsWrittenAgain(t *testing.T) {
	u, _ := recorded(t)
	dir := u.keeper.options.Dir
	os.Rename(dir, dir+".away")
	os.WriteFile(dir, nil, 0o600)
	for n := 0; !u.told("nothing is recorded, and it is tried again"); n++ {
		u.keeper.archive.close()
		u.keeper.Anew()
		u.frames(100)
		u.sync()
		if n > 20 {
			t.Fatalf("%q", u.notes)
		}
	}
	os.Remove(dir)
	os.Rename(dir+".away", dir)
	u.stop()
	u.keeper.look(time.Now().Add(2 * tryAgain))
	u.frames(10)
	u.keeper.append(time.Now().Add(2*tryAgain), false)
	if !u.told("pilot: recording goes on until") || u.keeper.Status().Trouble != "" {
		t.Errorf("%q, %+v", u.notes, u.keeper.Status())
	}
}

// A full disk does not take that a pilot was stopped. It does not record again after
// a restart all the same, with the copy in memory (a kill) and without (a power
// loss). Only root can make a full file system.
func TestStoppedOnAFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "size=64k"); err != nil {
		t.Skipf("a small file system cannot be mounted: %v", err)
	}
	defer unix.Unmount(disk, unix.MNT_DETACH)
	o := Options{Dir: filepath.Join(disk, "pilot"), Memory: t.TempDir(), Allowed: true, Keep: 30, Most: 1 << 30, Reserve: 1,
		Wall: func() time.Time { return time.Date(2026, 12, 1, 7, 0, 0, 0, time.UTC) }, Note: func(string) {}}
	k := New(o)
	k.Start(time.Hour, "a test")
	k.look(time.Now())
	if err := k.Wait(k.Asked(), 0); err != nil || !New(o).Status().Recording {
		t.Fatalf("it is not recorded: %v", err)
	}
	f, err := os.Create(filepath.Join(disk, "filler"))
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	f.Close()
	k.Stop("no room")
	k.look(time.Now())
	if err := k.Wait(k.Asked(), 0); err == nil {
		t.Fatal("the disk was not full")
	}
	for name, memory := range map[string]string{"a kill": o.Memory, "a power loss": ""} {
		o.Memory = memory
		if s := New(o).Status(); s.Recording {
			t.Errorf("%s: it records again: %+v", name, s)
		}
	}
}

// All that a date is compared with goes by the unit's clock, and not by the system's:
// the end of a pilot and the age of its files.
func TestOneClock(t *testing.T) {
	u, list := recorded(t) // by its clock it is December 2026, whatever the system says
	info, err := os.Stat(list[0])
	if err != nil || info.ModTime().Sub(u.now()).Abs() > time.Minute {
		t.Fatalf("the recording is of %v, the clock says %v, %v", info.ModTime(), u.now(), err)
	}
	u.stop()
	for _, c := range []struct {
		days int
		kept bool
	}{{29, true}, {31, false}} {
		u.wall = u.wall.AddDate(0, 0, c.days)
		u.keeper.purge()
		u.wall = u.wall.AddDate(0, 0, -c.days)
		if _, err := os.Stat(list[0]); (err == nil) != c.kept {
			t.Errorf("after %d days: %v", c.days, err)
		}
	}
	if !strings.Contains(strings.Join(u.notes, " "), "older than 30 days") {
		t.Errorf("%q", u.notes)
	}
}

// A pilot.json that a newer version wrote is followed as far as it can be read, and is
// put aside before another takes its place; one that cannot be read records nothing.
func TestNewerControl(t *testing.T) {
	for text, recording := range map[string]bool{
		`{"change": 3, "pilot": "p", "purpose": "a test", "begun": "2026-01-02T03:04:05Z", "ends": "2999-01-02T03:04:05Z", "sealed": true}`: true,
		`{"change": "in another form"}`: false,
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, controlFile)
		os.WriteFile(path, []byte(text), 0o600)
		k := New(Options{Dir: dir, Allowed: true, Keep: 30, Most: 1 << 30, Wall: time.Now, Note: func(string) {}})
		if s := k.Status(); s.Recording != recording || (s.Trouble == "") != recording {
			t.Errorf("%s: %+v", text, s)
		}
		if recording {
			k.Stop("by hand")
		} else {
			k.Start(time.Hour, "another")
		}
		k.look(time.Now())
		if now, _ := os.ReadFile(path); strings.Contains(string(now), "sealed") || strings.Contains(string(now), "another form") {
			t.Errorf("%s: not written: %s", text, now)
		}
		aside, _ := filepath.Glob(path + ".aside-*")
		if len(aside) != 1 {
			t.Fatalf("%s: put aside: %v", text, aside)
		}
		if kept, _ := os.ReadFile(aside[0]); string(kept) != text {
			t.Errorf("the newer file is gone: %s", kept)
		}
	}
}
