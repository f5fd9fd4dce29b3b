package pilot

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"mien/firmware/alarm"
	"mien/given"
)

// Longest is how long a pilot may be asked for.
const Longest = 90 * 24 * time.Hour

const (
	controlFile = "pilot.json"
	controlMost = 64 << 10
)

// Errors of Start and Stop.
var (
	ErrNotAllowed = errors.New("the config does not allow recordings: set pilot.record = true")
	ErrRunning    = errors.New("a pilot is recording already")
	ErrNotRunning = errors.New("no pilot is recording")
	ErrOrder      = errors.New("not a possible pilot")
)

// control is what pilot.json holds, and its copy in memory.
type control struct {
	Change  uint64    `json:"change"` // counts what was asked for: of two files the higher one counts
	Pilot   string    `json:"pilot"`
	Unit    string    `json:"unit,omitempty"` // on which it was started
	Purpose string    `json:"purpose"`
	Begun   time.Time `json:"begun"`
	Ends    time.Time `json:"ends"`
	Ended   string    `json:"ended,omitempty"` // why; empty: it is in force
	Erase   bool      `json:"erase,omitempty"` // all recordings are to be deleted, before any is made
	Kept    uint64    `json:"kept,omitempty"`  // in memory: the change that the disk has
}

func (c *control) inForce() bool { return c.Pilot != "" && c.Ended == "" }

// orders are what was asked for: whether there is a pilot, and until when. They are
// in a file in memory before anybody is told, which no kill takes back, and on the
// disk a little later, from where on they outlive a power loss. A disk that is full
// or read-only keeps neither a stop nor an erasing from holding over a restart.
type orders struct {
	disk, memory string // paths; memory is "" where there is none

	mu     sync.Mutex // covers what is below
	now    control
	odd    bool          // the file on the disk has what this version cannot read: it is put aside before another takes its place
	kept   uint64        // number of the newest change that is on the disk
	failed error         // why the newest is not
	moved  chan struct{} // closed and made anew when kept or failed changes
}

// load reads what was in force at the end of the program before. wrong says what
// could not be read; then nothing is recorded, unless the copy says more.
func (o *orders) load() (wrong error) {
	disk, odd, wrong := readControl(o.disk)
	o.odd = odd
	memory, _, unread := readControl(o.memory)
	if unread != nil {
		memory = control{}
	}
	o.now, o.kept = disk, disk.Change
	switch away := memory.Kept == memory.Change; {
	case memory.Change <= disk.Change:
	case wrong == nil && away && memory.inForce():
		// The disk had it, and somebody has put it away since. Who does that wants no
		// recording.
		o.now.Change = memory.Change + 1
	default:
		o.now, wrong = memory, nil
	}
	return wrong
}

// readControl reads one of the files; one that is missing says nothing. odd: it has
// what this version does not know, or is none that it can read.
func readControl(path string) (c control, odd bool, err error) {
	if path == "" {
		return c, false, nil
	}
	text, err := given.Read(path, controlMost)
	if errors.Is(err, os.ErrNotExist) {
		return c, false, nil
	}
	if err == nil {
		strict := json.NewDecoder(bytes.NewReader(text))
		strict.DisallowUnknownFields()
		odd = strict.Decode(new(control)) != nil
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		return control{}, true, fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return c, odd, nil
}

// Aside gives a file that a newer version may have written a name under which that
// finds it, and which nothing writes over.
func Aside(path string) error {
	err := os.Rename(path, fmt.Sprintf("%s.aside-%d", path, time.Now().Unix())) // a name, and no date
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("put %s aside: %w", path, err)
	}
	return nil
}

// is gives what is in force.
func (o *orders) is() control {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

// change lets with make what is in force from here on, or refuse to.
func (o *orders) change(with func(*control) error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	next := o.now
	if err := with(&next); err != nil {
		return err
	}
	next.Change++
	o.now = next
	o.copy()
	return nil
}

// copy writes the copy in memory. One that fails may lose to a kill what the disk
// has not taken, as where there is no such folder. The lock is held.
func (o *orders) copy() {
	if o.memory == "" {
		return
	}
	c := o.now
	c.Kept = o.kept
	writeControl(o.memory, c, false)
}

// asked is the number of the newest change.
func (o *orders) asked() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now.Change
}

// wait returns when a change is carried out and on the disk, or with the reason why
// not: at once where the disk fails, else after most.
func (o *orders) wait(change uint64, most time.Duration) error {
	return Await("the recordings' folder", most, func() (bool, error, <-chan struct{}) {
		o.mu.Lock()
		defer o.mu.Unlock()
		return o.kept >= change, o.failed, o.moved
	})
}

// Await waits until a change is on the disk. look tells whether it is, or why it
// cannot be, and gives a channel that is closed when it would tell something else.
func Await(what string, most time.Duration, look func() (done bool, failed error, moved <-chan struct{})) error {
	t := time.NewTimer(most)
	defer t.Stop()
	for {
		done, err, moved := look()
		switch {
		case done:
			return nil
		case err != nil:
			return err
		}
		select {
		case <-moved:
		case <-t.C:
			return fmt.Errorf("%s has not answered for %s", what, alarm.Time(most))
		}
	}
}

// save makes durable what was asked for; erase deletes all recordings.
func (o *orders) save(erase func() error) {
	o.mu.Lock()
	c := o.now
	due, odd := o.kept < c.Change, o.odd
	o.mu.Unlock()
	if !due {
		return
	}
	var err error
	if odd {
		if err = Aside(o.disk); err == nil {
			o.mu.Lock()
			o.odd = false
			o.mu.Unlock()
		}
	}
	if err == nil && c.Erase {
		err = erase()
	}
	if err == nil {
		c.Erase = false
		err = o.write(c)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		o.kept = c.Change
		if o.now.Change == c.Change {
			o.now.Erase = false
		}
	}
	o.failed = err
	o.copy()
	close(o.moved)
	o.moved = make(chan struct{})
}

// write makes pilot.json anew. Where a full disk does not take that nothing is
// recorded, the file before is deleted, which takes no room: it would begin the
// recording again after a power loss.
func (o *orders) write(c control) error {
	dir := filepath.Dir(o.disk)
	err := makeFolder(dir)
	if err == nil {
		err = writeControl(o.disk, c, true)
	}
	if err == nil {
		return syncNames(dir)
	}
	if !c.inForce() && os.Remove(o.disk) == nil {
		err = errors.Join(err, syncNames(dir))
	}
	return err
}

// writeControl replaces a file by a whole one.
func writeControl(path string, c control, durable bool) error {
	text, _ := json.MarshalIndent(&c, "", "  ")
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err == nil && durable {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	return err
}

// Start begins a pilot for a time. It gives a line for the journal.
func (k *Keeper) Start(lasts time.Duration, purpose string) (string, error) {
	allowed, keep, _ := k.configured()
	purpose = strings.TrimSpace(purpose)
	var until string
	err := k.orders.change(func(c *control) error {
		switch {
		case !allowed:
			return ErrNotAllowed
		case c.inForce():
			return fmt.Errorf("%w until %s, for: %s; stop it first", ErrRunning, day(c.Ends), c.Purpose)
		case lasts < time.Minute || lasts > Longest:
			return fmt.Errorf("%w: it lasts from 1 minute to %d days, not %s", ErrOrder, int(Longest.Hours()/24), alarm.Time(lasts))
		case purpose == "":
			return fmt.Errorf("%w: it needs a purpose, in your own words", ErrOrder)
		case len(purpose) > 300:
			return fmt.Errorf("%w: its purpose has at most 300 bytes", ErrOrder)
		}
		now := k.options.Wall()
		*c = control{Change: c.Change, Pilot: random(), Unit: k.options.Unit, Purpose: purpose, Begun: now, Ends: now.Add(lasts), Erase: c.Erase}
		until = day(c.Ends)
		return nil
	})
	if err != nil {
		return "", err
	}
	k.poke()
	return fmt.Sprintf("pilot: recording until %s, each day kept for %s: %s", until, alarm.Count(keep, "day"), purpose), nil
}

// Stop ends a pilot; what was recorded stays until it is too old or erased.
func (k *Keeper) Stop(why string) (string, error) {
	err := k.orders.change(func(c *control) error {
		if !c.inForce() {
			return ErrNotRunning
		}
		c.Ended = why
		return nil
	})
	if err != nil {
		return "", err
	}
	k.poke()
	return "pilot: recording ended: " + why, nil
}

// Erase ends a pilot and deletes all recordings; idle: there was neither.
func (k *Keeper) Erase() (text string, idle bool) {
	files, _ := k.archive.holds()
	k.orders.change(func(c *control) error {
		idle = files == 0 && !c.inForce()
		*c = control{Change: c.Change, Erase: true}
		return nil
	})
	k.poke()
	if idle {
		return "pilot: there are no recordings to erase", true
	}
	return "pilot: all recordings are erased", false
}

// Asked is the number of the newest change, for Wait.
func (k *Keeper) Asked() uint64 { return k.orders.asked() }

// Wait returns when a change is carried out and on the disk, or with the reason why
// not: at once where the disk fails, else after most.
func (k *Keeper) Wait(change uint64, most time.Duration) error { return k.orders.wait(change, most) }

// day is a time as people at the unit read it.
func day(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }
