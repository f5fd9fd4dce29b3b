package store

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"

	"mien/firmware/alarm"
)

func (s *Store) now() time.Duration { return time.Since(s.begun) }

func (s *Store) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(s.guarded(s.now()))
		select {
		case <-s.wake:
		case <-timer.C:
		case <-s.closing:
			s.mu.Lock()
			s.hurry = true
			s.mu.Unlock()
			s.guarded(s.now())
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

// guarded is step; a panic in it is a failed write, which shows and is tried
// again, and not the end of the program.
func (s *Store) guarded(now time.Duration) (next time.Duration) {
	defer func() {
		if r := recover(); r != nil {
			s.failed(now, fmt.Errorf("state folder %s: panic: %v", s.options.Dir, r))
			s.finish()
			next = min(s.wait, lookEvery)
		}
	}()
	return s.step(now)
}

// finish lets Sync return; after Close there is nobody else to do it.
func (s *Store) finish() {
	s.mu.Lock()
	s.hurry = false
	s.idle.Broadcast()
	s.mu.Unlock()
}

const (
	never = time.Duration(-1)

	lookEvery = time.Second
	leastRoom = 64 << 10
)

// look finds a disk that is full or read-only before there is something to
// write. It writes nothing.
func (s *Store) look() {
	if s.lock == nil {
		return // that is an error of its own
	}
	free, err := s.lock.Room()
	if err == nil && free < leastRoom {
		err = fmt.Errorf("state folder %s: %d bytes are free, at least %d are needed: %w", s.options.Dir, free, leastRoom, unix.ENOSPC)
	}
	s.mu.Lock()
	s.room = err
	s.mu.Unlock()
}

// step does what is due at now and gives how long nothing will be.
func (s *Store) step(now time.Duration) time.Duration {
	s.mu.Lock()
	hurry, waiting, failed := s.hurry, s.count > 0, s.state.Err
	s.mu.Unlock()
	failing := failed != nil
	if now-s.looked >= lookEvery || now < s.looked {
		s.looked = now
		s.look()
	}
	if failing && now < s.retryAt && !hurry {
		return min(s.retryAt-now, lookEvery)
	}
	var err error
	if errors.Is(failed, fs.ErrNotExist) {
		s.letGo() // somebody took the folder away: it is made again
	}
	if failing || s.noLock {
		err = s.prepareFolder()
	}
	// A failing journal does not keep the state from being written, nor the
	// other way round: one of the two may fit where the other does not.
	if err == nil {
		if waiting {
			err = s.writeEvents(now, hurry || failing)
		}
		s.mu.Lock()
		s.adopt(err != nil)
		dirty := s.dirty
		s.mu.Unlock()
		if !dirty {
			s.dirtyAt = never
		} else if s.dirtyAt == never {
			s.dirtyAt = now
		}
		if dirty && (hurry || failing || now-s.dirtyAt >= s.options.StateEvery) {
			if err == nil {
				err = s.lay(now) // what came during the sync goes first
			}
			err = errors.Join(err, s.writeState())
		}
		if err == nil && s.journal.nearlyFull() {
			err = s.makeRoom(now)
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
		return min(s.wait, lookEvery)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := lookEvery
	if s.hurry { // since the step began
		next = 0
	}
	if s.count > 0 {
		next = min(next, s.untilSync(now))
	}
	if s.dirty {
		next = min(next, s.options.StateEvery-(now-s.dirtyAt))
	}
	return max(next, time.Millisecond)
}

// burst is how many syncs may follow each other at once before Options.Delay
// counts: what people and alarms do in ordinary life is on the disk at once, and
// what chatters is gathered.
const burst = 5

// untilSync is how long the next sync of the journal is to wait.
func (s *Store) untilSync(now time.Duration) time.Duration {
	return max(0, s.paced-(burst-1)*s.options.Delay-now)
}

// writeEvents appends what is queued, and syncs it when that is due or pressing.
func (s *Store) writeEvents(now time.Duration, pressing bool) error {
	if err := s.lay(now); err != nil {
		return err
	}
	if pressing || s.untilSync(now) == 0 {
		return s.syncEvents(now)
	}
	return nil
}

// patiently runs what waits for the disk. Meanwhile events are appended to the
// journal as they come: a disk may take a second for a sync, and a kill does not
// wait.
func (s *Store) patiently(op func() error) error {
	if !s.running {
		return op()
	}
	done := make(chan error, 1)
	go func() {
		err := errors.New("panic") // unless op returns
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("state folder %s: panic: %v", s.options.Dir, r)
			}
			done <- err
		}()
		err = op()
	}()
	for {
		select {
		case err := <-done:
			return err
		case <-s.wake:
			s.layMore()
		}
	}
}

// layMore appends what came during a sync, as far as that needs no more than a
// write. An error shows when it is tried again after the sync.
func (s *Store) layMore() {
	for s.journal.file != nil {
		s.batch = s.gather(s.laid, s.batch)
		if len(s.batch) == 0 || s.journal.encode(s.batch) != nil || s.journal.full() || s.journal.append() != nil {
			return
		}
		s.laid = s.batch[len(s.batch)-1].Number
	}
}

// gather puts the next queued events above a number into a batch.
func (s *Store) gather(above uint64, batch []alarm.Event) []alarm.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch = batch[:0]
	for i := 0; i < s.count && len(batch) < batchMost; i++ {
		if ev := &s.queue[(s.head+i)%len(s.queue)]; ev.Number > above {
			batch = append(batch, *ev)
		}
	}
	return batch
}

// lay appends what is queued to the journal, in batches: no end of the process
// loses it from then on. Nothing waits for the disk here, unless the journal is
// full beyond the room that makeRoom leaves.
func (s *Store) lay(now time.Duration) error {
	for {
		again, err := s.journal.ready()
		if err != nil || again {
			s.laid = 0
		}
		if err != nil {
			return err
		}
		if s.batch = s.gather(s.laid, s.batch); len(s.batch) == 0 {
			return nil
		}
		if err := s.journal.encode(s.batch); err != nil {
			return err
		}
		if s.journal.full() {
			if err := s.syncEvents(now); err != nil {
				return err
			}
			if err := s.writeState(); err != nil {
				return err
			}
			if err := s.journal.rotate(); err != nil {
				return err
			}
			continue
		}
		if err := s.journal.append(); err != nil {
			return err
		}
		s.laid = s.batch[len(s.batch)-1].Number
	}
}

// syncEvents makes what was appended durable.
func (s *Store) syncEvents(now time.Duration) error {
	if s.journal.laid == 0 {
		return nil
	}
	s.paced = max(s.paced, now) + s.options.Delay
	upto := s.laid
	n, err := s.journal.sync(s.patiently)
	if err != nil {
		s.laid = 0
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// Put may have let the oldest go meanwhile.
	for s.count > 0 && s.queue[s.head].Number <= upto {
		ev := &s.queue[s.head]
		if ev.Number > s.saved.Number { // in case Keep is not called, or comes later
			s.saved.Replay(*ev)
			s.dirty = true
		}
		*ev = alarm.Event{}
		s.head = (s.head + 1) % len(s.queue)
		s.count--
		s.oldest = now
	}
	s.state.Durable = max(s.state.Durable, upto)
	s.adopt(false)
	s.state.Appends++
	s.state.Bytes += uint64(n)
	return nil
}

// makeRoom begins a new journal file before the one in use is full. What is in
// the file that goes must be in the state by then; what comes while the state is
// written goes into the file first.
func (s *Store) makeRoom(now time.Duration) error {
	if err := s.writeState(); err != nil {
		return err
	}
	if err := s.lay(now); err != nil {
		return err
	}
	if err := s.syncEvents(now); err != nil {
		return err
	}
	return s.journal.rotate()
}

// writeState writes the newest states as the next generation.
func (s *Store) writeState() error {
	s.mu.Lock()
	copySaved(&s.next.Saved, &s.saved)
	s.dirty = false
	s.mu.Unlock()
	s.next.Generation++
	number := s.next.Saved.Number
	data, err := encodeState(&s.next)
	n := 0
	if err == nil {
		err = s.patiently(func() (err error) {
			n, err = writeState(s.options.FS, s.options.Dir, data)
			return err
		})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.dirty = true
		return err
	}
	s.dirtyAt = never
	s.state.StateNumber = number
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
