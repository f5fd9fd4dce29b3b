package store

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"

	"mien/firmware/alarm"
)

const (
	batchMost  = 64
	retryFirst = 250 * time.Millisecond
	lookEvery  = time.Second
	ageEvery   = time.Hour
	leastRoom  = 64 << 10
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
			s.asked, s.closed = true, true
			s.mu.Unlock()
			s.guarded(s.now())
			s.mu.Lock()
			s.disk.release()
			s.memory.release()
			s.mu.Unlock()
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

// changed wakes those who wait. s.mu is held.
func (s *Store) changed() {
	close(s.moved)
	s.moved = make(chan struct{})
}

// finish lets Sync return.
func (s *Store) finish() {
	s.mu.Lock()
	s.asked = false
	s.changed()
	s.mu.Unlock()
}

// look finds a disk that is full or read-only, and a journal that somebody took
// away, before there is something to write, and makes a copy in memory that failed
// again. It writes nothing to the disk.
func (s *Store) look() {
	var err error
	if s.disk.file != nil && s.disk.changed() {
		s.disk.drop() // a new one is begun
		s.changedByOthers()
	}
	if s.disk.folder != nil { // else that is an error of its own
		var free int64
		if free, err = s.disk.folder.Room(); err == nil && free < leastRoom {
			err = fmt.Errorf("state folder %s: %d bytes are free, at least %d are needed: %w", s.options.Dir, free, leastRoom, unix.ENOSPC)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.room = err
	s.copyAnew()
}

// step does what is due at now and gives how long nothing will be.
func (s *Store) step(now time.Duration) time.Duration {
	s.mu.Lock()
	asked, failed := s.asked, s.state.Err
	pressing := asked || failed != nil || s.pressed > s.state.Durable
	s.mu.Unlock()
	if now-s.looked >= lookEvery || now < s.looked {
		s.looked = now
		s.look()
	}
	if failed != nil && now < s.retryAt && !asked {
		return min(s.retryAt-now, lookEvery)
	}
	var err error
	if errors.Is(failed, fs.ErrNotExist) { // somebody took the folder away: it is made again
		s.mu.Lock()
		s.disk.release()
		s.mu.Unlock()
	}
	if s.disk.folder == nil {
		if err = s.hold(); err == nil {
			err = s.late()
		}
	}
	if err == nil {
		err = s.write(now, pressing)
	}
	if err == nil && s.disk.file != nil && s.disk.pending == 0 && (s.disk.size > s.disk.limit-s.disk.most/8 || s.outdated(now)) {
		err = s.begin(now, 0) // while nobody waits for it
	}
	if err != nil {
		s.failed(now, err)
	} else {
		s.mended()
	}
	if asked {
		s.finish()
	}
	if err != nil {
		return min(s.wait, lookEvery)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := lookEvery
	if s.asked || s.pressed > s.state.Durable && s.count > 0 { // since the step began
		next = 0
	}
	if s.count > 0 {
		next = min(next, s.untilSync(now))
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

// write appends what is queued now, and the states where they are due, and
// syncs that when it is due or somebody waits. What comes meanwhile is left to
// the next step, so that a source that never stops keeps nobody waiting.
func (s *Store) write(now time.Duration, pressing bool) error {
	s.mu.Lock()
	upto, due := s.disk.last, s.dirty && (s.closed || s.silent || now-s.statesAt >= s.options.StateEvery)
	if s.count > 0 {
		upto = s.at(s.count - 1).Number
	}
	s.mu.Unlock()
	for began := false; s.disk.last < upto || due || s.disk.file == nil && (upto > 0 || s.legacy); {
		records, last, states, err := s.gather(due)
		if err != nil {
			return err
		}
		if !s.disk.fits(len(records)) {
			if began {
				return errors.New("somebody else changes " + journalFile)
			}
			if s.disk.file != nil && s.disk.changed() {
				s.changedByOthers()
			}
			if s.disk.file != nil && s.disk.pending > 0 {
				if err := s.sync(now); err != nil {
					return err
				}
			}
			if err := s.begin(now, len(records)); err != nil {
				return err
			}
			began = true
			continue
		}
		if len(records) == 0 {
			break
		}
		if err := s.disk.append(records); err != nil {
			s.disk.last = s.base.Number
			return err
		}
		began, s.disk.last = false, last
		if due = due && last < upto; states {
			s.owe, s.statesAt = false, now
		}
		s.mu.Lock()
		s.appended = last
		if states && s.kept.Number == s.next.Number {
			s.dirty, s.silent = false, false
		}
		s.state.Bytes += uint64(len(records))
		s.mu.Unlock()
	}
	if s.disk.pending > 0 && (pressing || s.untilSync(now) == 0) {
		return s.sync(now)
	}
	return nil
}

// gather encodes the next queued events that the journal lacks. With the last
// of them go the states, where they are due or events before them were dropped.
func (s *Store) gather(due bool) (records []byte, last uint64, with bool, err error) {
	s.mu.Lock()
	s.batch, last = s.batch[:0], s.disk.last
	i := 0
	for ; i < s.count && len(s.batch) < batchMost; i++ {
		if ev := s.at(i); ev.Number > last {
			s.owe = s.owe || len(s.batch) == 0 && ev.Number > last+1
			s.batch = append(s.batch, *ev)
		}
	}
	if with = i == s.count && (due || s.owe) && s.kept.Number >= s.base.Number; with {
		copySaved(&s.next, &s.kept)
	}
	s.mu.Unlock()
	s.buf = s.buf[:0]
	for i := range s.batch {
		if s.buf, err = appendRecord(s.buf, &s.batch[i]); err != nil {
			return nil, 0, false, err
		}
		last = s.batch[i].Number
		if int64(len(s.buf)) > s.disk.most/8 && i < len(s.batch)-1 {
			return s.buf, last, false, nil
		}
	}
	if with {
		s.buf, err = appendRecord(s.buf, &states{version, s.id, s.next})
	}
	return s.buf, last, with, err
}

// sync makes what was appended durable.
func (s *Store) sync(now time.Duration) error {
	s.paced = max(s.paced, now) + s.options.Delay
	if err := s.disk.sync(); err != nil {
		s.disk.last = s.base.Number
		return err
	}
	upto := s.disk.last
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept.Number >= s.base.Number && s.kept.Number <= upto {
		copySaved(&s.base, &s.kept)
	}
	// Put may have let the oldest go meanwhile.
	for s.count > 0 && s.at(0).Number <= upto {
		s.base.Replay(*s.at(0)) // in case Keep is not called, or comes later
		*s.at(0) = alarm.Event{}
		s.head = (s.head + 1) % len(s.queue)
		s.count--
		s.oldest = now
	}
	s.base.Number = max(s.base.Number, upto)
	s.state.Durable = max(s.state.Durable, upto)
	s.state.Syncs++
	s.changed()
	if s.memory.size > s.memory.limit/2 { // most of it is on the disk
		s.memory.drop()
		s.copyAnew()
	}
	return nil
}

// begin rotates the journal, with room for as many bytes as are to follow. What it
// takes over is durable already.
func (s *Store) begin(now time.Duration, follow int) error {
	folder := s.disk.folder
	c, _ := read(folder, 0)
	if c.unread {
		if err := s.aside(); err != nil {
			return err
		}
	}
	most := s.disk.most
	if s.legacy {
		most = 1 << 40 // nothing of the version before is dropped
	}
	events := s.young(c.events)
	old, err := retained(events, s.base.Number, most)
	if err != nil {
		return err
	}
	head, err := appendRecord(nil, &states{version, s.id, s.base})
	if err != nil {
		return err
	}
	records := append(head, old...)
	if len(old) > 0 {
		records = append(records, head...)
	}
	if err := s.disk.begin(records, follow); err != nil {
		return err
	}
	s.disk.last, s.statesAt = s.base.Number, now
	s.mu.Lock()
	s.appended = s.base.Number
	s.state.Syncs++
	s.state.Bytes += uint64(len(records))
	s.mu.Unlock()
	if s.legacy {
		s.legacy = false
		return removeLegacy(folder)
	}
	return nil
}

// young leaves out the events that are beyond Options.KeepDays. One whose time nobody
// vouches for is as old as the next one that has a time: a machine without a clock
// starts in the past.
func (s *Store) young(events []alarm.Event) []alarm.Event {
	s.mu.Lock()
	wall := s.wall
	s.mu.Unlock()
	if s.options.KeepDays == 0 || wall == nil {
		return events
	}
	oldest := wall().AddDate(0, 0, -s.options.KeepDays)
	first := 0
	for i := range events {
		if ev := &events[i]; ev.Unset {
			continue
		} else if !ev.Wall.Before(oldest) {
			break
		}
		first = i + 1
	}
	return events[first:]
}

// outdated looks now and then whether the journal has events that are too old.
func (s *Store) outdated(now time.Duration) bool {
	if s.options.KeepDays == 0 || now-s.aged < ageEvery {
		return false
	}
	s.aged = now
	c, _ := read(s.disk.folder, 0)
	return len(s.young(c.events)) < len(c.events)
}

// changedByOthers counts that the journal's file is not what was written.
func (s *Store) changedByOthers() {
	s.mu.Lock()
	s.state.Changed++
	s.mu.Unlock()
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
	s.changed()
}

func (s *Store) mended() {
	s.mu.Lock()
	s.state.Err, s.state.Since = nil, 0
	s.mu.Unlock()
}
