// Package store keeps what must outlive a restart: alarm states in a small
// file of two generations, and events in a bounded journal. It never keeps a
// picture or a level over time.
//
//	kept, found := store.Open(store.Options{Dir: "/var/lib/mien"})
//	events := engine.Restore(found.Saved, at, wall)
//	kept.Put(events)                          // never waits for the disk
//	engine.Save(&saved); kept.Keep(&saved)    // when engine.Revision() changed
//	…
//	err := kept.Close()
//
// The writer takes an event from Put within a scheduler's turn and appends it to
// the journal, also while it waits for the disk: from then on it survives kill -9.
// Where a busy disk makes even that wait, the copy in Options.Memory survives it.
// It syncs it at once too, and then it survives power loss (Durable tells); only
// when syncs would come closer than Options.Delay for longer than a handful, it
// gathers what chatters until the delay is over. What can be in that sync's way is
// the work that is under way: two syncs, of a state file and its folder, once in
// Options.StateEvery and when the journal goes round. The states of the alarms can
// be had from the journal alone; the state file follows at most Options.StateEvery
// later, so that the journal may be rotated and that a damaged journal does not
// matter.
//
// An SD card has to write, in blocks of 4 KiB with the file system's own
// (TestBytesADay counts them), a day: 2 MB without an alarm, 12 MB with
// one every ten minutes that is raised, acknowledged and returned, 114 MB with
// one a minute. Somebody who leaves, so that eight alarms lose their reading and
// have it back, adds 9 MB where that is every ten minutes, 91 MB where it is every
// minute.
//
// No trouble with the disk stops the unit. Open always gives a Store; what
// cannot be written is kept in memory, Status tells, and it is written when
// the disk takes it.
package store

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"mien/firmware/alarm"
)

// Options of a store. The zero value of each field but Dir is a default.
type Options struct {
	Dir          string
	JournalBytes int64         // both journal files together; 0 is 1 MiB
	Delay        time.Duration // after a few at once, syncs are this far apart at least, so that what chatters is gathered; 0 is 200 ms
	StateEvery   time.Duration // the state file follows the journal after this time; 0 is 30 s
	Queue        int           // events kept in memory while they cannot be written; 0 is 1,000
	RetryMost    time.Duration // longest wait between tries on a failing disk; 0 is 10 s
	FS           FS            // nil is OS
	Memory       string        // file on a file system in memory, for events that wait for the disk; empty: none, and a kill loses them
}

// Found is what Open found on the disk.
type Found struct {
	Saved  alarm.Saved // for Engine.Restore
	Events int         // events that were newer than the state file
	Notes  []string    // damage, in words, worth a Note in the journal
}

// Status tells how the store fares.
type Status struct {
	Err         error         // why the newest write failed, or the next one would; looked at every second; nil: all is well
	Since       time.Duration // when writes began to fail, on the clock of time since Open
	Queued      int           // events not yet on the disk
	Behind      time.Duration // how long the oldest of them waits; seconds of it without an Err: the disk is stuck
	Dropped     uint64        // events that the memory could not hold either; their numbers are missing in the journal
	Durable     uint64        // number of the newest event that survives power loss
	StateNumber uint64        // the same, for the state file
	Appends     uint64        // syncs of the journal
	States      uint64        // state files written
	Bytes       uint64        // of both
}

// Store writes in a goroutine of its own. Its methods may be called from any
// goroutine.
type Store struct {
	options Options
	journal journal
	memory  *memory // nil: there is none
	lock    Hold
	noLock  bool // the lock is still to be had
	begun   time.Time
	wake    chan struct{}
	closing chan struct{}
	done    chan struct{}
	once    sync.Once

	mu     sync.Mutex // covers the fields below
	queue  []alarm.Event
	head   int // of the ring
	count  int
	oldest time.Duration // when the first of the queue was put, about
	kept   alarm.Saved   // newest from Keep
	ahead  bool          // kept is newer than saved: its events are not durable yet
	saved  alarm.Saved   // for the state file; no newer than the journal while that can be written
	dirty  bool          // saved is newer than the state file
	hurry  bool          // Sync or Close waits
	idle   sync.Cond
	closed bool
	held   bool // the folder is ours
	state  Status
	room   error // what look found

	// The writer's own.
	batch   []alarm.Event
	next    generation    // being written
	running bool          // there is a goroutine: waiting for the disk must not keep it
	laid    uint64        // number of the newest event that the journal has taken, synced or not
	paced   time.Duration // when the syncs so far would have ended at one each Delay
	dirtyAt time.Duration // when the writer found the state dirty; never: it is not
	looked  time.Duration
	retryAt time.Duration
	wait    time.Duration
}

const (
	batchMost  = 64
	retryFirst = 250 * time.Millisecond
)

// Open reads what is there and starts to write. It never fails: a folder that
// cannot be made, read, locked or written shows in Status, and is tried again.
func Open(o Options) (*Store, Found) {
	s, found := prepare(o)
	s.running = true
	go s.run()
	if s.memory != nil {
		go s.runMemory()
		s.poke()
	}
	return s, found
}

// prepare is Open without the goroutine.
func prepare(o Options) (*Store, Found) {
	if o.JournalBytes <= 0 {
		o.JournalBytes = 1 << 20
	}
	if o.Delay <= 0 {
		o.Delay = 200 * time.Millisecond
	}
	if o.StateEvery <= 0 {
		o.StateEvery = 30 * time.Second
	}
	if o.Queue <= 0 {
		o.Queue = 1000
	}
	if o.RetryMost <= 0 {
		o.RetryMost = 10 * time.Second
	}
	if o.FS == nil {
		o.FS = OS
	}
	s := &Store{options: o, begun: time.Now(), wake: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
		journal: journal{fs: o.FS, dir: o.Dir, most: o.JournalBytes / 2, fresh: true},
		queue:   make([]alarm.Event, o.Queue), batch: make([]alarm.Event, 0, batchMost), noLock: true,
		dirtyAt: never, looked: -lookEvery}
	s.idle.L = &s.mu
	if err := s.prepareFolder(); err != nil {
		s.failed(0, err)
	}

	var found Found
	newest, notes := loadState(o.FS, o.Dir)
	s.next.Generation = newest.Generation
	found.Saved, found.Notes = newest.Saved, notes
	s.state.StateNumber = newest.Saved.Number
	last, notes := s.journal.load(found.Saved.Number, func(ev *alarm.Event) {
		found.Saved.Replay(*ev)
		found.Events++
	})
	found.Notes = append(found.Notes, notes...)
	found.Saved.Number = max(found.Saved.Number, last)
	s.state.Durable = found.Saved.Number
	copySaved(&s.saved, &found.Saved)
	s.dirty = found.Events > 0
	if o.Memory != "" {
		s.memory = &memory{fs: o.FS, path: o.Memory, batch: make([]alarm.Event, 0, batchMost), wake: make(chan struct{}, 1), done: make(chan struct{})}
		if s.held {
			s.recall(&found)
		}
	}
	return s, found
}

// prepareFolder makes the folder and takes hold of it.
func (s *Store) prepareFolder() error {
	if !s.noLock {
		return nil
	}
	if err := s.options.FS.MkdirAll(s.options.Dir); err != nil {
		return fmt.Errorf("make state folder: %w", err)
	}
	lock, err := s.options.FS.Lock(filepath.Join(s.options.Dir, "lock"))
	if err != nil {
		return fmt.Errorf("hold state folder: %w", err)
	}
	s.lock, s.noLock = lock, false
	s.mu.Lock()
	s.held = true
	s.mu.Unlock()
	return nil
}

// letGo gives up the hold of a folder that is no longer there.
func (s *Store) letGo() {
	if s.noLock {
		return
	}
	s.lock.Close()
	s.lock, s.noLock = nil, true
	s.mu.Lock()
	s.held = false
	s.mu.Unlock()
}

// Put hands over events, in the order of their numbers, to be written. It
// copies them, allocates nothing and never waits for the disk. When the disk
// takes nothing and the memory for events is full, the oldest give way.
func (s *Store) Put(events []alarm.Event) {
	if len(events) == 0 {
		return
	}
	s.mu.Lock()
	for i := range events {
		s.enqueue(&events[i])
	}
	s.mu.Unlock()
	s.poke()
}

// enqueue puts an event into the ring. s.mu is held.
func (s *Store) enqueue(ev *alarm.Event) {
	if s.count == len(s.queue) {
		s.head = (s.head + 1) % len(s.queue)
		s.count--
		s.state.Dropped++
	}
	if s.count == 0 {
		s.oldest = s.now()
	}
	s.queue[(s.head+s.count)%len(s.queue)] = *ev
	s.count++
}

// Keep hands over the newest alarm states; only the newest are written. It
// copies them and never waits for the disk.
func (s *Store) Keep(saved *alarm.Saved) {
	s.mu.Lock()
	if saved.Number < s.saved.Number {
		s.mu.Unlock()
		return // older than what the journal has told meanwhile
	}
	copySaved(&s.kept, saved)
	s.ahead = true
	s.adopt(false)
	s.mu.Unlock()
	s.poke()
}

// adopt makes what was kept the states to write, once its events are durable,
// so that a journal has no gap that the state file has passed over; or now,
// when the journal cannot be written. s.mu is held.
func (s *Store) adopt(now bool) {
	if !s.ahead || s.kept.Number > s.state.Durable && !now {
		return
	}
	if s.kept.Number >= s.saved.Number {
		copySaved(&s.saved, &s.kept)
		s.dirty = true
	}
	s.ahead = false
}

// copySaved copies with a list of its own, which is used again.
func copySaved(dst, src *alarm.Saved) {
	alarms := append(dst.Alarms[:0], src.Alarms...)
	*dst = *src
	dst.Alarms = alarms
}

func (s *Store) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
	if s.memory != nil {
		select {
		case s.memory.wake <- struct{}{}:
		default:
		}
	}
}

// Status tells how the store fares.
func (s *Store) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.state
	if st.Err == nil {
		st.Err = s.room
	}
	st.Queued = s.count
	if s.count > 0 {
		st.Behind = s.now() - s.oldest
	}
	return st
}

// Durable is the number of the newest event that survives power loss now.
func (s *Store) Durable() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Durable
}

// Sync writes what is waiting and returns when it is durable, or with the
// error of the first try that fails.
func (s *Store) Sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("sync state folder %s: %w", s.options.Dir, os.ErrClosed)
	}
	s.hurry = true
	s.poke()
	for s.hurry {
		s.idle.Wait()
	}
	return s.state.Err
}

// Close writes what is waiting, once, and gives the folder back. The error
// says what could not be written.
func (s *Store) Close() error {
	s.once.Do(func() { close(s.closing) })
	<-s.done
	if s.memory != nil {
		<-s.memory.done
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count > 0 {
		return fmt.Errorf("close state folder %s: %d events not written: %w", s.options.Dir, s.count, s.state.Err)
	}
	return s.state.Err
}
