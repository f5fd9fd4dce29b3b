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
// An event is on the disk at most Options.Delay, plus the disk's own time for
// one append and fsync, after Put; from then on it survives kill -9 and power
// loss (Durable tells). The states of the alarms can be had from the journal
// alone; the state file follows at most Options.StateEvery later, so that the
// journal may be rotated and that a damaged journal does not matter.
//
// No trouble with the disk stops the unit. Open always gives a Store; what
// cannot be written is kept in memory, Status tells, and it is written when
// the disk takes it.
package store

import (
	"errors"
	"fmt"
	"io"
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
	Delay        time.Duration // writes are this far apart at least, so that a burst is one; 0 is 200 ms
	StateEvery   time.Duration // state files are this far apart at least; 0 is 5 s
	Queue        int           // events kept in memory while they cannot be written; 0 is 1,000
	RetryMost    time.Duration // longest wait between tries on a failing disk; 0 is 10 s
	FS           FS            // nil is OS
}

// Found is what Open found on the disk.
type Found struct {
	Saved  alarm.Saved // for Engine.Restore
	Events int         // events that were newer than the state file
	Notes  []string    // damage, in words, worth a Note in the journal
}

// Status tells how the store fares.
type Status struct {
	Err         error         // why the newest write failed; nil: all is well
	Since       time.Duration // when that began, on the clock of time since Open
	Queued      int           // events not yet on the disk
	Behind      time.Duration // how long the oldest of them waits; seconds of it without an Err: the disk is stuck
	Dropped     uint64        // events that the memory could not hold either; their numbers are missing in the journal
	Durable     uint64        // number of the newest event that is on the disk
	StateNumber uint64        // the same, for the state file
	Appends     uint64        // writes to the journal, each with an fsync
	States      uint64        // state files written
	Bytes       uint64        // of both
}

// Store writes in a goroutine of its own. Its methods may be called from any
// goroutine.
type Store struct {
	options Options
	journal journal
	lock    io.Closer
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
	saved  alarm.Saved
	dirty  bool // saved is newer than the state file
	hurry  bool // Sync or Close waits
	idle   sync.Cond
	closed bool
	state  Status

	// The writer's own.
	batch      []alarm.Event
	next       generation // being written
	lastAppend time.Duration
	lastState  time.Duration
	retryAt    time.Duration
	wait       time.Duration
}

const (
	batchMost  = 64
	retryFirst = 250 * time.Millisecond
)

// Open reads what is there and starts to write. It never fails: a folder that
// cannot be made, read, locked or written shows in Status, and is tried again.
func Open(o Options) (*Store, Found) {
	s, found := prepare(o)
	go s.run()
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
		o.StateEvery = 5 * time.Second
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
		lastAppend: -o.Delay, lastState: -o.StateEvery}
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
	s.saved = found.Saved
	s.saved.Alarms = append([]alarm.SavedAlarm(nil), found.Saved.Alarms...)
	s.dirty = found.Events > 0
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
	return nil
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
		if s.count == len(s.queue) {
			s.head = (s.head + 1) % len(s.queue)
			s.count--
			s.state.Dropped++
		}
		if s.count == 0 {
			s.oldest = s.now()
		}
		s.queue[(s.head+s.count)%len(s.queue)] = events[i]
		s.count++
	}
	s.mu.Unlock()
	s.poke()
}

// Keep hands over the newest alarm states; only the newest are written. It
// copies them and never waits for the disk.
func (s *Store) Keep(saved *alarm.Saved) {
	s.mu.Lock()
	if saved.Number < s.saved.Number {
		s.mu.Unlock()
		return // older than what the journal has told meanwhile
	}
	alarms := append(s.saved.Alarms[:0], saved.Alarms...)
	s.saved = *saved
	s.saved.Alarms = alarms
	s.dirty = true
	s.mu.Unlock()
	s.poke()
}

func (s *Store) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Status tells how the store fares.
func (s *Store) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.state
	st.Queued = s.count
	if s.count > 0 {
		st.Behind = s.now() - s.oldest
	}
	return st
}

// Durable is the number of the newest event that survives kill -9 and power
// loss now.
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
	st := s.Status()
	if st.Queued > 0 {
		return fmt.Errorf("close state folder %s: %d events not written: %w", s.options.Dir, st.Queued, st.Err)
	}
	return st.Err
}

func (s *Store) now() time.Duration { return time.Since(s.begun) }

func (s *Store) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(s.step(s.now()))
		select {
		case <-s.wake:
		case <-timer.C:
		case <-s.closing:
			s.mu.Lock()
			s.hurry = true
			s.mu.Unlock()
			s.step(s.now())
			s.journal.close()
			if s.lock != nil {
				s.lock.Close()
			}
			s.mu.Lock()
			s.closed = true
			s.mu.Unlock()
			s.finish()
			close(s.done)
			return
		}
	}
}

// finish lets Sync return; after Close there is nobody else to do it.
func (s *Store) finish() {
	s.mu.Lock()
	s.hurry = false
	s.idle.Broadcast()
	s.mu.Unlock()
}

const forever = time.Hour

// step does what is due at now and gives how long nothing will be.
func (s *Store) step(now time.Duration) time.Duration {
	s.mu.Lock()
	hurry, waiting, dirty, failing := s.hurry, s.count > 0, s.dirty, s.state.Err != nil
	s.mu.Unlock()
	if failing && now < s.retryAt && !hurry {
		return s.retryAt - now
	}
	var err error
	if failing || s.noLock {
		err = s.prepareFolder()
	}
	// A failing journal does not keep the state from being written, nor the
	// other way round: one of the two may fit where the other does not.
	if err == nil {
		if waiting && (hurry || failing || now-s.lastAppend >= s.options.Delay) {
			err = s.writeEvents(now)
			s.mu.Lock()
			dirty = s.dirty
			s.mu.Unlock()
		}
		if dirty && (hurry || failing || now-s.lastState >= s.options.StateEvery) {
			err = errors.Join(err, s.writeState(now))
		}
	}
	if err != nil {
		s.failed(now, err)
	} else {
		s.mended()
	}
	if hurry {
		s.finish()
	}
	if err != nil {
		return s.wait
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := forever
	if s.count > 0 {
		next = min(next, s.options.Delay-(now-s.lastAppend))
	}
	if s.dirty {
		next = min(next, s.options.StateEvery-(now-s.lastState))
	}
	return max(next, time.Millisecond)
}

// writeEvents appends all that is queued, in batches.
func (s *Store) writeEvents(now time.Duration) error {
	s.lastAppend = now
	for {
		s.mu.Lock()
		s.batch = s.batch[:0]
		for i := 0; i < s.count && i < batchMost; i++ {
			s.batch = append(s.batch, s.queue[(s.head+i)%len(s.queue)])
		}
		s.mu.Unlock()
		if len(s.batch) == 0 {
			return nil
		}
		size, err := s.journal.encode(s.batch)
		if err != nil {
			return err
		}
		if s.journal.full(size) {
			// What is in the file that goes must be in the state by then.
			if err := s.writeState(now); err != nil {
				return err
			}
			if err := s.journal.rotate(); err != nil {
				return err
			}
		}
		n, err := s.journal.commit()
		if err != nil {
			return err
		}
		last := s.batch[len(s.batch)-1].Number
		s.mu.Lock()
		// Put may have let the oldest go meanwhile.
		for s.count > 0 && s.queue[s.head].Number <= last {
			s.queue[s.head] = alarm.Event{}
			s.head = (s.head + 1) % len(s.queue)
			s.count--
			s.oldest = now
		}
		for i := range s.batch { // in case Keep is not called, or comes later
			if s.batch[i].Number > s.saved.Number {
				s.saved.Replay(s.batch[i])
				s.dirty = true
			}
		}
		s.state.Durable = max(s.state.Durable, last)
		s.state.Appends++
		s.state.Bytes += uint64(n)
		s.mu.Unlock()
	}
}

// writeState writes the newest states as the next generation.
func (s *Store) writeState(now time.Duration) error {
	s.mu.Lock()
	alarms := append(s.next.Saved.Alarms[:0], s.saved.Alarms...)
	s.next.Saved = s.saved
	s.next.Saved.Alarms = alarms
	s.dirty = false
	s.mu.Unlock()
	s.lastState = now
	s.next.Generation++
	n, err := writeState(s.options.FS, s.options.Dir, &s.next)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.dirty = true
		return err
	}
	s.state.StateNumber = s.next.Saved.Number
	s.state.States++
	s.state.Bytes += uint64(n)
	return nil
}

func (s *Store) failed(now time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Err == nil {
		s.state.Since, s.wait = now, retryFirst
	} else {
		s.wait = min(2*s.wait, s.options.RetryMost)
	}
	s.state.Err = err
	s.retryAt = now + s.wait
}

func (s *Store) mended() {
	s.mu.Lock()
	s.state.Err, s.state.Since = nil, 0
	s.mu.Unlock()
}
