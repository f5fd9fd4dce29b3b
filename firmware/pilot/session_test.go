package pilot

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mien/firmware/state"
)

// Sessions go by the clock on the wall, over the nights that have an hour more or
// less, and follow each other without a gap whatever their length.
func TestSessionsOverClockChanges(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zones on this machine: ", err)
	}
	e := Export{Shift: 8 * time.Hour, Begins: 6 * time.Hour, In: berlin}
	for _, c := range []struct {
		at, name string
		lasts    time.Duration
	}{
		{"2026-03-28T12:00:00Z", "2026-03-28 06:00", 8 * time.Hour},
		{"2026-03-29T00:30:00Z", "2026-03-28 22:00", 7 * time.Hour}, // at 02:00 it is 03:00
		{"2026-03-29T03:59:59Z", "2026-03-28 22:00", 7 * time.Hour},
		{"2026-03-29T04:00:00Z", "2026-03-29 06:00", 8 * time.Hour},
		{"2026-03-29T20:30:00Z", "2026-03-29 22:00", 8 * time.Hour},
		{"2026-10-25T00:30:00Z", "2026-10-24 22:00", 9 * time.Hour}, // at 03:00 it is 02:00
		{"2026-10-25T04:59:59Z", "2026-10-24 22:00", 9 * time.Hour},
		{"2026-10-25T05:00:00Z", "2026-10-25 06:00", 8 * time.Hour},
		{"1970-01-01T00:00:00Z", "1969-12-31 22:00", 8 * time.Hour},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if name, begins, ends := e.Session(at); name != c.name || ends.Sub(begins) != c.lasts || at.Before(begins) || !at.Before(ends) {
			t.Errorf("%s is in the session %s, from %v to %v", c.at, name, begins, ends)
		}
	}
	for _, shift := range []time.Duration{time.Minute, 30 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour} {
		for _, day := range []string{"2026-03-28T18:00:00Z", "2026-10-24T18:00:00Z"} {
			at, _ := time.Parse(time.RFC3339, day)
			end := at.Add(36 * time.Hour)
			e := Export{Shift: shift, Begins: 5*time.Hour + 10*time.Minute, In: berlin}
			var last time.Time
			names := map[string]time.Time{}
			for ; at.Before(end); at = at.Add(20 * time.Second) {
				name, begins, ends := e.Session(at)
				if at.Before(begins) || !at.Before(ends) || begins.Before(last) {
					t.Fatalf("%v is in the session %s, from %v to %v; the one before began %v", at, name, begins, ends, last)
				}
				if was, known := names[name]; known && !was.Equal(begins) {
					t.Fatalf("two sessions have the name %s", name)
				}
				last, names[name] = begins, begins
			}
		}
	}
}

// truthOf reads the spans of a signal: session, from, to, truth.
func truthOf(t *testing.T, list []string, e Export, signal string) (rows [][]string, told *Told) {
	t.Helper()
	var levels, truth bytes.Buffer
	told, err := Tables(list, e, &levels, &truth)
	if err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(&truth).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range all[1:] {
		if row[1] == signal {
			rows = append(rows, row)
		}
	}
	return rows, told
}

// What a mark says of a time that reaches over the end of a shift holds in both
// shifts; of a time that was not recorded it says nothing, and the tables can be read
// all the same.
func TestMarkOverTwoShifts(t *testing.T) {
	u := newUnit(t, filepath.Join(t.TempDir(), "pilot"), nil)
	u.wall = time.Date(2026, 12, 1, 13, 59, 55, 0, time.UTC)
	u.begin()
	u.frames(300) // ten seconds: five in each shift
	shows := []Shown{{"au4", true}}
	u.keeper.Mark(Mark{Number: 1, Truth: state.Right, Alarm: "brow", Event: 1, From: u.clock - 7*time.Second, To: u.clock - 3*time.Second, Shows: shows})
	u.keeper.Mark(Mark{Number: 2, Truth: state.Missed, Alarm: "brow", From: u.clock - 10*time.Hour, To: u.clock - 9*time.Hour, Shows: shows})
	u.frames(1)
	u.sync()
	list, _ := Files(u.keeper.options.Dir)
	rows, told := truthOf(t, list, Export{Shift: 8 * time.Hour, Begins: 6 * time.Hour, In: time.UTC}, "au4")
	var present [][]string
	for _, row := range rows {
		if row[4] == "present" {
			present = append(present, row)
		}
	}
	if len(present) != 2 || present[0][0] != "2026-12-01 06:00" || present[0][3] != "28800.000" || present[1][0] != "2026-12-01 14:00" || present[1][2] != "0.000" {
		t.Errorf("%v", rows)
	}
	if told.Elsewhen != 1 || len(told.Sessions) != 2 {
		t.Errorf("%+v", told)
	}
}

// A mark that is given after the clock was set is of the time that the clock showed
// then, where the frames are.
func TestMarkAfterTheClockWasSet(t *testing.T) {
	u, _ := recorded(t)
	at := u.clock - 2*time.Second
	u.mu.Lock()
	was := u.wall.Add(-2 * time.Second)
	u.wall = u.wall.Add(30 * time.Minute) // the pilot lasts an hour
	u.mu.Unlock()
	u.keeper.Anew() // as the unit does when its clock is set
	u.frames(100)
	u.keeper.Mark(Mark{Number: 1, Truth: state.Right, Alarm: "brow", Event: 1, From: at, To: at + time.Second, Shows: []Shown{{"au4", true}}})
	u.frames(1)
	u.sync()
	list, _ := Files(u.keeper.options.Dir)
	rows, told := truthOf(t, list, Export{Shift: 8 * time.Hour, Begins: 6 * time.Hour, In: time.UTC}, "au4")
	_, block, _ := Export{Shift: 8 * time.Hour, Begins: 6 * time.Hour, In: time.UTC}.Session(was)
	for _, row := range rows {
		if row[4] == "present" {
			if from, err := strconv.ParseFloat(row[2], 64); err != nil || from < was.Sub(block).Seconds()-0.01 || from > was.Sub(block).Seconds()+0.01 {
				t.Errorf("the mark is of %s s, it was at %v", row[2], was.Sub(block))
			}
			return
		}
	}
	t.Errorf("the mark is lost: %v, %+v", rows, told)
}

// A unit keeps recordings of earlier pilots: what is read is those of the newest.
func TestNewestPilot(t *testing.T) {
	u, first := recorded(t)
	if _, err := u.keeper.Stop("by hand"); err != nil {
		t.Fatal(err)
	}
	u.sync()
	dir := u.keeper.options.Dir
	old := filepath.Join(dir, "ffffffffffffffff-000001.rec") // behind all others by its name
	if err := os.Rename(first[0], old); err != nil {
		t.Fatal(err)
	}
	u.begin()
	u.frames(50)
	u.sync()
	list, _ := Files(dir)
	newest, others := Newest(list)
	if len(newest) != 1 || newest[0] == old || others != 1 {
		t.Errorf("%v of %v, %d others", newest, list, others)
	}
	if sum, err := Replay(newest, nil, Visitor{}); err != nil || sum.Frames != 49 {
		t.Errorf("%+v, %v", sum, err)
	}
	if newest, others := Newest(nil); newest != nil || others != 0 {
		t.Error(newest)
	}
}

// A pilot that was started on another unit, whose state folder came here, records
// nobody here, and says so.
func TestPilotOfAnotherUnit(t *testing.T) {
	u, list := recorded(t)
	u.stop()
	there := newUnit(t, u.keeper.options.Dir, func(o *Options) { o.Unit = "press 5" })
	there.frames(50)
	there.sync()
	if s := there.keeper.Status(); s.Recording || !strings.Contains(s.Ended, `started on the unit "press 4", and this is "press 5"`) || !there.told(s.Ended) || there.told("goes on") {
		t.Errorf("%+v, %q", s, there.notes)
	}
	if now, _ := Files(u.keeper.options.Dir); len(now) != len(list) {
		t.Errorf("it has recorded: %v", now)
	}
}
