package pilot

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"mien/given"
)

// Options of a Keeper.
type Options struct {
	Dir     string // the folder pilot of the state folder
	Unit    string // name of the unit
	Version string // of mien
	Allowed bool   // by the config
	Keep    int    // days after which a recording is deleted
	Most    int64  // bytes of all recordings together
	Reserve int64  // bytes that the disk keeps free for alarms and journal; 0 is 64 MiB
	Wall    func() time.Time
	Note    func(text string) // into the unit's journal; it may wait for the unit's lock
}

// Longest is how long a pilot may be asked for.
const Longest = 90 * 24 * time.Hour

const (
	appendEvery = 5 * time.Second // a kill loses what is younger
	fileLasts   = 24 * time.Hour
	fileMost    = 64 << 20 // bytes, after which the next file is begun
	looksEvery  = time.Second
	purgeEvery  = time.Hour
	tryAgain    = time.Minute // after the disk failed
	reserve     = 64 << 20
	controlFile = "pilot.json"
	controlMost = 64 << 10
	suffix      = ".rec"
	beginning   = ".new" // behind the name of a file whose beginning is not whole yet
)

// Errors of Start, Stop and Erase.
var (
	ErrNotAllowed = errors.New("the config does not allow recordings: set pilot.record = true")
	ErrRunning    = errors.New("a pilot is recording already")
	ErrNotRunning = errors.New("no pilot is recording")
	ErrOrder      = errors.New("not a possible pilot")
)

// control is what pilot.json holds.
type control struct {
	Pilot   string    `json:"pilot"`
	Purpose string    `json:"purpose"`
	Begun   time.Time `json:"begun"`
	Ends    time.Time `json:"ends"`
	Ended   string    `json:"ended,omitempty"` // why; empty: it is in force
}

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
	wake    chan struct{}
	syncs   chan chan struct{}

	mu      sync.Mutex // covers what is below
	control control
	status  Status
	asked   uint64 // changes of control that were asked for
	kept    uint64 // and are on the disk
	failed  error  // why the newest is not
	erasing bool
	untold  string        // what New found
	moved   chan struct{} // closed and made anew when kept or failed changes

	// Run's own.
	file    *os.File
	size    int64
	pack    packer
	opened  time.Time
	wrote   time.Time
	purged  time.Time
	retryAt time.Time
}

// New reads pilot.json, and whether a pilot is in force; all else is Run's.
func New(o Options) *Keeper {
	if o.Reserve == 0 {
		o.Reserve = reserve
	}
	k := &Keeper{Recorder: new(Recorder), options: o, run: random(), wake: make(chan struct{}, 1), syncs: make(chan chan struct{}), moved: make(chan struct{})}
	rand.Read(k.salt[:])
	k.load()
	return k
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
	k.poke()
}

// Start begins a pilot for a time. It gives a line for the journal.
func (k *Keeper) Start(lasts time.Duration, purpose string) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.options.Wall()
	purpose = strings.TrimSpace(purpose)
	switch {
	case !k.options.Allowed:
		return "", ErrNotAllowed
	case k.inForce():
		return "", fmt.Errorf("%w until %s, for: %s; stop it first", ErrRunning, day(k.control.Ends), k.control.Purpose)
	case lasts < time.Minute || lasts > Longest:
		return "", fmt.Errorf("%w: it lasts from 1 minute to %d days, not %v", ErrOrder, int(Longest.Hours()/24), lasts)
	case purpose == "":
		return "", fmt.Errorf("%w: it needs a purpose, in your own words", ErrOrder)
	case len(purpose) > 300:
		return "", fmt.Errorf("%w: its purpose has at most 300 bytes", ErrOrder)
	}
	k.control = control{Pilot: random(), Purpose: purpose, Begun: now, Ends: now.Add(lasts)}
	k.changed()
	return fmt.Sprintf("pilot: recording until %s, each day kept for %d days: %s", day(k.control.Ends), k.options.Keep, purpose), nil
}

// Stop ends a pilot; what was recorded stays until it is too old or erased.
func (k *Keeper) Stop(why string) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.inForce() {
		return "", ErrNotRunning
	}
	k.control.Ended = why
	k.changed()
	return "pilot: recording ended: " + why, nil
}

// Erase ends a pilot and deletes all recordings.
func (k *Keeper) Erase() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.control = control{}
	k.erasing = true
	k.changed()
	return "pilot: all recordings are erased"
}

func (k *Keeper) inForce() bool { return k.control.Pilot != "" && k.control.Ended == "" }

// changed notes that control is to be written. The lock is held.
func (k *Keeper) changed() {
	k.asked++
	k.status.Recording, k.status.Purpose, k.status.Begun, k.status.Ends, k.status.Ended =
		k.inForce(), k.control.Purpose, k.control.Begun, k.control.Ends, k.control.Ended
	k.poke()
}

func (k *Keeper) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Asked is the number of the newest change, for Wait.
func (k *Keeper) Asked() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.asked
}

// Wait returns when a change is carried out and on the disk, or with the reason why
// not: at once where the disk fails, else after most.
func (k *Keeper) Wait(change uint64, most time.Duration) error {
	t := time.NewTimer(most)
	defer t.Stop()
	for {
		k.mu.Lock()
		done, err, moved := k.kept >= change, k.failed, k.moved
		k.mu.Unlock()
		switch {
		case done:
			return nil
		case err != nil:
			return err
		}
		select {
		case <-moved:
		case <-t.C:
			return fmt.Errorf("the recordings' folder has not answered for %v", most)
		}
	}
}

// Status tells how the recordings fare.
func (k *Keeper) Status() Status {
	k.Recorder.mu.Lock()
	frames, dropped := k.frames, k.Recorder.dropped
	k.Recorder.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.status
	s.Frames, s.Dropped = frames, s.Dropped+dropped
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
	k.mu.Lock()
	untold := k.untold
	k.untold = ""
	k.mu.Unlock()
	if untold != "" {
		k.options.Note("pilot: " + untold)
	}
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

// load reads pilot.json. One that cannot be read is none: nothing is recorded.
func (k *Keeper) load() {
	path := filepath.Join(k.options.Dir, controlFile)
	text, err := given.Read(path, controlMost)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var c control
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		k.status.Trouble = fmt.Sprintf("%s cannot be read, and nothing is recorded: %v", path, err)
		k.untold = k.status.Trouble
		return
	}
	k.control = c
	k.changed()
	k.kept = k.asked
}

// leave writes what there is, and closes the file.
func (k *Keeper) leave() {
	k.append(time.Now(), true)
	k.enable(false)
	k.close()
}

func (k *Keeper) close() {
	if k.file != nil {
		k.file.Close()
		k.file = nil
	}
}

// look does what is due. now only tells how much time has passed.
func (k *Keeper) look(now time.Time) {
	k.ends()
	k.save()
	k.mu.Lock()
	want := k.inForce()
	// A machine without a clock of its own starts in the past: a pilot could go on for
	// ever, and its files would be dated wrongly.
	past := want && k.options.Wall().Before(k.control.Begun.Add(-fileLasts))
	k.mu.Unlock()
	if past {
		k.trouble(now, errPast)
	}
	switch on := k.recording(); {
	case want && !on && !now.Before(k.retryAt):
		k.enable(true)
	case !want && on:
		k.append(now, true)
		k.enable(false)
		k.close()
	}
	if now.Sub(k.wrote) >= appendEvery || k.half() {
		k.append(now, false)
	}
	if now.Sub(k.purged) >= purgeEvery {
		k.purged = now
		k.purge()
	}
}

// recording tells whether records are taken.
func (r *Recorder) recording() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.on
}

// ends ends a pilot whose time is over, or which the config no longer allows.
func (k *Keeper) ends() {
	k.mu.Lock()
	over := k.inForce() && !k.options.Wall().Before(k.control.Ends)
	forbidden := k.inForce() && !k.options.Allowed
	k.mu.Unlock()
	switch {
	case over:
		k.end("its end date is reached")
	case forbidden:
		k.end("the config no longer allows recordings (pilot.record)")
	}
}

// end ends the pilot and tells it.
func (k *Keeper) end(why string) {
	if text, err := k.Stop(why); err == nil {
		k.options.Note(text)
	}
}

// save carries out what was asked, and makes control durable.
func (k *Keeper) save() {
	k.mu.Lock()
	asked, c, erase := k.asked, k.control, k.erasing
	due := k.kept < asked
	k.mu.Unlock()
	if !due {
		return
	}
	var err error
	if erase {
		k.enable(false)
		k.close()
		err = k.erase(func(string, os.FileInfo) bool { return true })
	}
	if err == nil {
		err = k.write(c)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		k.kept = asked
		k.erasing = k.erasing && k.asked != asked
	}
	k.failed = err
	close(k.moved)
	k.moved = make(chan struct{})
}

// write makes pilot.json anew.
func (k *Keeper) write(c control) error {
	if err := k.folder(); err != nil {
		return err
	}
	text, _ := json.MarshalIndent(&c, "", "  ")
	path := filepath.Join(k.options.Dir, controlFile)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = k.syncNames()
	}
	return err
}

func (k *Keeper) folder() error {
	if err := os.MkdirAll(k.options.Dir, 0o700); err != nil {
		return err
	}
	return os.Chmod(k.options.Dir, 0o700)
}

// syncNames makes the folder's names durable.
func (k *Keeper) syncNames() error {
	d, err := os.Open(k.options.Dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) { // some file systems cannot
		return err
	}
	return nil
}

// append writes what the recorder has.
func (k *Keeper) append(now time.Time, last bool) {
	k.wrote = now
	t := k.take()
	defer k.give(t)
	if t.begun != nil {
		k.mu.Lock()
		k.status.Dropped += t.begun.Dropped
		k.mu.Unlock()
	}
	err := k.put(t.before)
	if err == nil && t.begun != nil {
		k.close()
		if err = k.create(now, t.begun); err == nil {
			err = k.put(t.after)
		}
	}
	if err == nil && k.file != nil && (now.Sub(k.opened) >= fileLasts || k.size >= fileMost) && !last {
		k.renew()
	}
	k.trouble(now, err)
}

// errPast: nothing is recorded until the clock is right.
var errPast = errors.New("the wall clock stands before the pilot's begin")

// errFull ends a pilot.
var errFull = errors.New("no room is left")

// trouble notes why what was recorded cannot be written. A full disk ends the pilot;
// anything else is tried again, with a new file.
func (k *Keeper) trouble(now time.Time, err error) {
	text := ""
	if err != nil {
		text = err.Error()
		k.close()
		k.enable(false)
		k.retryAt = now.Add(tryAgain)
	} else if now.Before(k.retryAt) {
		return
	}
	k.mu.Lock()
	news := text != "" && k.status.Trouble != text
	k.status.Trouble = text
	k.mu.Unlock()
	switch {
	case errors.Is(err, errFull), errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		k.end(text)
	case news:
		k.options.Note("pilot: nothing is recorded, and it is tried again: " + text)
	}
}

// put appends a chunk and makes it durable; nothing where there are no records, or
// no file: they are of a stretch that could not be begun.
func (k *Keeper) put(records []byte) error {
	if len(records) == 0 || k.file == nil {
		return nil
	}
	chunk, err := k.pack.pack(records)
	if err == nil {
		err = k.room(int64(len(chunk)))
	}
	if err == nil {
		_, err = k.file.Write(chunk)
	}
	if err == nil {
		err = unix.Fdatasync(int(k.file.Fd()))
	}
	if err != nil {
		k.file.Truncate(k.size) // a part of a chunk is none; where that fails a reader leaves it out
		return fmt.Errorf("append to %s: %w", strings.TrimSuffix(k.file.Name(), beginning), err)
	}
	k.size += int64(len(chunk))
	k.mu.Lock()
	k.status.Bytes += int64(len(chunk))
	k.mu.Unlock()
	return nil
}

// room refuses what would take the space of alarms and journal, or more than the
// config allows.
func (k *Keeper) room(n int64) error {
	k.mu.Lock()
	used, most := k.status.Bytes, k.options.Most
	k.mu.Unlock()
	if used+n > most {
		return fmt.Errorf("%w: recordings have %d MiB, pilot.most_mib is %d", errFull, used>>20, most>>20)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(k.options.Dir, &st); err != nil {
		return err
	}
	if free := int64(min(st.Bavail, 1<<40)) * int64(st.Bsize); free < k.options.Reserve+n {
		return fmt.Errorf("%w: the disk has %d MiB, and %d of them are kept for alarms and journal", errFull, free>>20, k.options.Reserve>>20)
	}
	return nil
}

// create begins a file.
func (k *Keeper) create(now time.Time, b *Beginning) error {
	if err := k.folder(); err != nil {
		return err
	}
	k.mu.Lock()
	b.Pilot, b.Purpose, b.Unit = k.control.Pilot, k.control.Purpose, k.options.Unit
	k.mu.Unlock()
	b.Version, b.Run, b.Begun = k.options.Version, k.run, k.options.Wall()
	list, bytes := Files(k.options.Dir)
	b.File = 1
	for _, path := range list {
		var pilot string
		var n int
		if fmt.Sscanf(strings.Replace(filepath.Base(path), "-", " ", 1), "%s %d"+suffix, &pilot, &n); pilot == b.Pilot && n >= b.File {
			b.File = n + 1
		}
	}
	text, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("begin a recording: %w", err)
	}
	path := filepath.Join(k.options.Dir, fmt.Sprintf("%s-%06d%s", b.Pilot, b.File, suffix))
	// Under its name only once its beginning is whole.
	f, err := os.OpenFile(path+beginning, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	k.file, k.size, k.opened = f, int64(len(magic)+1), now
	k.mu.Lock()
	k.status.Files, k.status.Bytes = len(list)+1, bytes+k.size
	k.mu.Unlock()
	if _, err := f.Write(append([]byte(magic), version)); err != nil {
		return fmt.Errorf("append to %s: %w", path, err)
	}
	if err := k.put(text); err != nil {
		return err
	}
	if err := os.Rename(path+beginning, path); err != nil {
		return err
	}
	return k.syncNames()
}

// Files lists the recordings of a folder, in the order in which they were made, and
// their size together, each counted in whole blocks of 4 KiB.
func Files(dir string) (paths []string, bytes int64) {
	entries, _ := os.ReadDir(dir) // a folder that is not there has none
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && strings.HasSuffix(e.Name(), suffix) {
			paths = append(paths, filepath.Join(dir, e.Name()))
			bytes += (info.Size() + 4095) &^ 4095
		}
	}
	slices.Sort(paths)
	return paths, bytes
}

// purge deletes what is too old, and counts what is left.
func (k *Keeper) purge() {
	k.mu.Lock()
	keep, wall := k.options.Keep, k.options.Wall()
	k.mu.Unlock()
	deleted := 0
	err := k.erase(func(path string, info os.FileInfo) bool {
		old := keep > 0 && info.ModTime().Before(wall.AddDate(0, 0, -keep)) && (k.file == nil || path+beginning != k.file.Name())
		if old {
			deleted++
		}
		return old
	})
	if deleted > 0 {
		k.options.Note(fmt.Sprintf("pilot: %d recordings are older than %d days and are deleted", deleted, keep))
	}
	if err != nil {
		k.options.Note("pilot: old recordings cannot be deleted: " + err.Error())
	}
	list, bytes := Files(k.options.Dir)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status.Files, k.status.Bytes = len(list), bytes
}

// erase deletes those recordings, durably.
func (k *Keeper) erase(which func(path string, info os.FileInfo) bool) error {
	list, _ := Files(k.options.Dir)
	var errs error
	if left, _ := filepath.Glob(filepath.Join(k.options.Dir, "*"+suffix+beginning)); k.file == nil { // by a power cut
		for _, path := range left {
			errs = errors.Join(errs, os.Remove(path))
		}
	}
	for _, path := range list {
		if info, err := os.Lstat(path); err == nil && which(path, info) {
			errs = errors.Join(errs, os.Remove(path))
		}
	}
	if len(list) > 0 {
		errs = errors.Join(errs, k.syncNames())
	}
	left, bytes := Files(k.options.Dir)
	k.mu.Lock()
	k.status.Files, k.status.Bytes = len(left), bytes
	k.mu.Unlock()
	return errs
}

func day(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }
