package store

import (
	"errors"
	"fmt"
	"io/fs"

	"mien/firmware/alarm"
)

// memory is a copy of the events that are not durable yet, in a file on a file
// system in memory. A write to a file on a disk may have to wait for the disk
// although nobody asked for a sync: on ext4 it waits for a commit of the file
// system's own journal that another program's writing has made long (most of a
// second was seen). A kill in that time would lose what the outputs have told
// already. A file in memory takes it at once, and outlives the process; against
// power loss nothing helps but the disk.
type memory struct {
	fs    FS
	path  string
	file  File
	size  int64
	most  int64  // beyond it the file is written anew, with what still waits for the disk
	laid  uint64 // number of the newest event in it
	batch []alarm.Event
	buf   []byte
	wake  chan struct{}
	done  chan struct{}
}

const memoryMost = 256 << 10

func (s *Store) runMemory() {
	m := s.memory
	defer close(m.done)
	for {
		select {
		case <-m.wake:
			s.remember()
		case <-s.done:
			s.remember() // of what the disk did not take
			if m.file != nil {
				m.file.Close()
			}
			return
		}
	}
}

// remember lays what is queued into the file. What fails is tried again with
// the next event: the journal is what counts, and it has errors of its own.
func (s *Store) remember() {
	m := s.memory
	s.mu.Lock()
	held := s.held
	s.mu.Unlock()
	if !held { // the file may be that of the unit that holds the folder
		return
	}
	var err error
	defer func() {
		if r := recover(); r != nil { // shows for a second as the disk's error, and is not the end of the program
			m.file = nil
			s.mu.Lock()
			s.room = fmt.Errorf("%s: panic: %v", m.path, r)
			s.mu.Unlock()
		}
	}()
	if m.file == nil || m.size > m.most {
		err = s.rememberAnew()
	} else {
		err = s.layMemory()
	}
	if err != nil && m.file != nil {
		m.file.Close()
		m.file = nil
	}
}

func (s *Store) layMemory() error {
	m := s.memory
	for {
		if m.batch = s.gather(m.laid, m.batch); len(m.batch) == 0 {
			return nil
		}
		m.buf = m.buf[:0]
		for i := range m.batch {
			var err error
			if m.buf, err = encodeRecord(m.buf, &m.batch[i]); err != nil {
				return err
			}
		}
		if _, err := m.file.Write(m.buf); err != nil {
			return fmt.Errorf("write %s: %w", m.path, err)
		}
		m.size += int64(len(m.buf))
		m.laid = m.batch[len(m.batch)-1].Number
	}
}

// rememberAnew begins the file again with all that is queued. Until that is
// complete the one before it stays.
func (s *Store) rememberAnew() (err error) {
	m := s.memory
	if m.file != nil {
		m.file.Close()
	}
	if m.file, err = m.fs.Create(m.path + ".new"); err != nil {
		m.file = nil
		return fmt.Errorf("make %s: %w", m.path, err)
	}
	m.size, m.laid = 0, 0
	if err := s.layMemory(); err != nil {
		return err
	}
	if err := m.fs.Rename(m.path+".new", m.path); err != nil {
		return fmt.Errorf("make %s: %w", m.path, err)
	}
	m.most = max(memoryMost, 2*m.size)
	return nil
}

// recall adds to found the events that are in the file and not in the journal,
// and queues them for it. They count only as the journal's very next ones: a
// file of another history is left alone.
func (s *Store) recall(found *Found) {
	data, err := s.memory.fs.ReadFile(s.memory.path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			found.Notes = append(found.Notes, fmt.Sprintf("events that the disk had not taken cannot be read: %v", err))
		}
		return
	}
	saved, n := &found.Saved, 0
	scan(data, saved.Number, func(ev *alarm.Event) {
		if ev.Number != saved.Number+1 || ev.Start < saved.Start || ev.Start > saved.Start+1 {
			return
		}
		saved.Replay(*ev)
		s.enqueue(ev)
		n++
	})
	if n > 0 {
		found.Events += n
		found.Notes = append(found.Notes, fmt.Sprintf("%d events that the disk had not taken before the end were in memory still", n))
		copySaved(&s.kept, saved)
		s.ahead = true // of the journal
	}
}
