package pilot

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"mien/firmware/alarm"
)

// Options of a Keeper.
type Options struct {
	Dir     string // the folder pilot of the state folder
	Memory  string // a folder in memory for a copy of what is in force, safe against others; "": a kill may turn back what was told
	Unit    string // name of the unit
	Version string // of mien
	Allowed bool   // by the config
	Keep    int    // days after which a recording is deleted
	Most    int64  // bytes of all recordings together
	Reserve int64  // bytes that the disk keeps free for alarms and journal; 0 is 64 MiB
	// Wall is the unit's clock: all that a date is compared with goes by it.
	Wall func() time.Time
	Age  func() time.Time  // by which recordings are too old; nil: Wall
	Note func(text string) // into the unit's journal; it may wait for the unit's lock
}

const (
	appendEvery = 5 * time.Second // a kill loses what is younger
	looksEvery  = time.Second
	purgeEvery  = time.Hour
	tryAgain    = time.Minute // after the disk failed
)

// Status tells how the recordings fare.
type Status struct {
	Recording bool      // a pilot is in force
	Purpose   string    // of the newest pilot
	Begun     time.Time // likewise
	Ends      time.Time
	Ended     string // why it has
	Trouble   string // why nothing is written just now
	Files     int
	Bytes     int64  // of all recordings
	Frames    uint64 // recorded since the start of the program
	Dropped   uint64 // records that had no room, likewise
}

// Keeper keeps recordings: when there are any, where, and for how long. Its
// methods may be called from any goroutine; only Run waits for the disk.
type Keeper struct {
	*Recorder
	options Options
	run     string // of the program
	orders  orders
	archive archive
	wake    chan struct{}
	syncs   chan chan struct{}

	mu      sync.Mutex // covers what is below, and what Configure changes of options
	trouble string     // why nothing is written
	dropped uint64

	unread  string // why nothing is recorded since the start; holds until somebody asks for something
	found   uint64 // the newest change, as New found it
	resumes bool   // New found a pilot in force, and nobody was told yet

	// Run's own.
	told    string // the trouble that the journal has
	wrote   time.Time
	purged  time.Time
	retryAt time.Time
}

// New reads whether a pilot is in force, and what is recorded; all else is Run's.
func New(o Options) *Keeper {
	if o.Reserve == 0 {
		o.Reserve = reserve
	}
	if o.Age == nil {
		o.Age = o.Wall
	}
	k := &Keeper{Recorder: new(Recorder), options: o, run: random(), wake: make(chan struct{}, 1), syncs: make(chan chan struct{}),
		orders:  orders{disk: filepath.Join(o.Dir, controlFile), moved: make(chan struct{})},
		archive: archive{dir: o.Dir, reserve: o.Reserve, wall: o.Wall, most: o.Most}}
	if o.Memory != "" {
		k.orders.memory = filepath.Join(o.Memory, controlFile)
	}
	rand.Read(k.salt[:])
	if o.Dir == "" {
		return k
	}
	k.archive.count()
	if err := k.orders.load(); err != nil {
		k.unread = "nothing is recorded: " + err.Error()
	}
	c := k.orders.is()
	k.found, k.resumes = c.Change, c.inForce()
	return k
}

func goesOn(c control) string {
	return fmt.Sprintf("pilot: recording goes on until %s: %s", day(c.Ends), c.Purpose)
}

func random() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Configure takes over what a reload may change.
func (k *Keeper) Configure(allowed bool, keep int, most int64) {
	k.mu.Lock()
	k.options.Allowed, k.options.Keep, k.options.Most = allowed, keep, most
	k.mu.Unlock()
	k.archive.allow(most)
	k.poke()
}

// configured is what Configure may change.
func (k *Keeper) configured() (allowed bool, keep int, most int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.options.Allowed, k.options.Keep, k.options.Most
}

func (k *Keeper) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Status tells how the recordings fare.
func (k *Keeper) Status() Status {
	c := k.orders.is()
	s := Status{Recording: c.inForce(), Purpose: c.Purpose, Begun: c.Begun, Ends: c.Ends, Ended: c.Ended}
	s.Files, s.Bytes = k.archive.holds()
	k.Recorder.mu.Lock()
	s.Frames, s.Dropped = k.frames, k.Recorder.dropped
	k.Recorder.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if s.Trouble, s.Dropped = k.trouble, s.Dropped+k.dropped; c.Change == k.found && k.unread != "" {
		s.Trouble = k.unread
	}
	return s
}

// Sync returns when Run has written what was recorded before, or after most.
func (k *Keeper) Sync(most time.Duration) {
	t := time.NewTimer(most)
	defer t.Stop()
	done := make(chan struct{})
	select {
	case k.syncs <- done:
	case <-t.C:
		return
	}
	select {
	case <-done:
	case <-t.C:
	}
}

// Run keeps the recordings until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	defer k.leave()
	k.begins()
	t := time.NewTicker(looksEvery)
	defer t.Stop()
	for {
		k.look(time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		case <-k.wake:
		case done := <-k.syncs:
			k.look(time.Now())
			k.append(time.Now(), false)
			close(done)
		}
	}
}

// begins tells what was found: a start that goes on with a recording is never
// silent.
func (k *Keeper) begins() {
	if k.unread != "" {
		k.options.Note("pilot: " + k.unread)
	}
	k.ends()
	if c := k.orders.is(); k.resumes && c.inForce() && !k.past(c) {
		k.options.Note("after a start, " + goesOn(c))
	}
	k.resumes = false
}

// past tells that the clock stands before a pilot's begin: a machine without a clock
// of its own starts in the past. A pilot could go on for ever, and its files would be
// dated wrongly.
func (k *Keeper) past(c control) bool {
	return k.options.Wall().Before(c.Begun.Add(-fileLasts))
}

// leave writes what there is, and closes the file.
func (k *Keeper) leave() {
	k.save()
	k.append(time.Now(), true)
	k.enable(false)
	k.archive.close()
}

// look does what is due. now only tells how much time has passed.
func (k *Keeper) look(now time.Time) {
	k.ends()
	k.save()
	c := k.orders.is()
	// What is to be erased is erased before anything is recorded again.
	want := c.inForce() && !c.Erase
	if want && k.past(c) {
		k.tell(now, errPast)
	}
	if !want {
		k.troubled("")
		k.told = ""
	}
	switch on := k.recording(); {
	case want && !on && !now.Before(k.retryAt):
		k.troubled("")
		k.enable(true)
	case !want && on:
		k.append(now, true)
		k.enable(false)
		k.archive.close()
	}
	if now.Sub(k.wrote) >= appendEvery || k.half() {
		k.append(now, false)
	}
	if now.Sub(k.purged) >= purgeEvery {
		k.purged = now
		k.purge()
	}
}

// save carries out what was asked for, and makes it durable.
func (k *Keeper) save() {
	k.orders.save(func() error {
		k.enable(false)
		k.archive.close()
		return k.archive.erase(func(string, os.FileInfo) bool { return true })
	})
}

// recording tells whether records are taken.
func (r *Recorder) recording() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.on
}

// ends ends a pilot whose time is over, which the config no longer allows, or which
// was agreed on for another unit.
func (k *Keeper) ends() {
	c := k.orders.is()
	allowed, _, _ := k.configured()
	switch {
	case !c.inForce():
	case c.Unit != "" && c.Unit != k.options.Unit: // the state folder came here from there, or this unit has another name
		k.end(fmt.Sprintf("it was started on the unit %q, and this is %q", c.Unit, k.options.Unit))
	case !k.options.Wall().Before(c.Ends):
		k.end("its end date is reached")
	case !allowed:
		k.end("the config no longer allows recordings (pilot.record)")
	}
}

// end ends the pilot and tells it.
func (k *Keeper) end(why string) {
	if text, err := k.Stop(why); err == nil {
		k.options.Note(text)
	}
}

// append writes what the recorder has.
func (k *Keeper) append(now time.Time, last bool) {
	k.wrote = now
	t := k.take()
	defer k.give(t)
	if t.begun != nil {
		k.mu.Lock()
		k.dropped += t.begun.Dropped
		k.mu.Unlock()
	}
	a := &k.archive
	err := a.put(t.before)
	if err == nil && t.begun != nil {
		a.close()
		if err = k.create(now, t.begun); err == nil {
			err = a.put(t.after)
		}
	}
	if err == nil && a.full(now) && !last {
		k.renew()
	}
	k.tell(now, err)
}

// create begins a file of the pilot in force.
func (k *Keeper) create(now time.Time, b *Beginning) error {
	c := k.orders.is()
	b.Pilot, b.Purpose, b.Unit = c.Pilot, c.Purpose, k.options.Unit
	b.Version, b.Run = k.options.Version, k.run
	return k.archive.create(now, b)
}

// errPast: nothing is recorded until the clock is right.
var errPast = errors.New("the wall clock stands before the pilot's begin")

// tell notes why what was recorded cannot be written, and that it is again. A full
// disk ends the pilot; anything else is tried again, with a new file.
func (k *Keeper) tell(now time.Time, err error) {
	text := ""
	switch {
	case err != nil:
		text = err.Error()
		k.archive.close()
		k.enable(false)
		k.retryAt = now.Add(tryAgain)
	case now.Before(k.retryAt), k.archive.file == nil: // nothing was tried
		return
	}
	k.troubled(text)
	switch {
	case errors.Is(err, errFull), errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		k.end(text)
	case text != "" && text != k.told:
		k.told = text
		k.options.Note("pilot: nothing is recorded, and it is tried again: " + text)
	case text == "" && k.told != "":
		k.told = ""
		k.options.Note(goesOn(k.orders.is()))
	}
}

func (k *Keeper) troubled(why string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.trouble = why
}

// purge deletes what is too old.
func (k *Keeper) purge() {
	_, keep, _ := k.configured()
	deleted, err := k.archive.purge(k.options.Age().AddDate(0, 0, -keep))
	if deleted > 0 {
		k.options.Note(fmt.Sprintf("pilot: %s deleted, older than %s", alarm.Count(deleted, "recording"), alarm.Count(keep, "day")))
	}
	if err != nil {
		k.options.Note("pilot: old recordings cannot be deleted: " + err.Error())
	}
}
