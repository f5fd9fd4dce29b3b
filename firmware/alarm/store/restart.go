package store

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"time"

	"mien/firmware/alarm"
)

// hold takes hold of the folder.
func (s *Store) hold() error {
	folder, err := s.options.FS.Hold(s.options.Dir)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.disk.folder = folder
	s.mu.Unlock()
	return nil
}

// load reads the folder at the start.
func (s *Store) load() (found Found) {
	folder := s.disk.folder
	c, _ := read(folder, math.MaxUint64) // the states tell which events are needed
	newest, unread := c.states, c.unread
	old, notes := readLegacy(folder)
	if newest == nil {
		newest = old
	}
	above := uint64(0)
	if newest != nil {
		above, s.id = newest.Saved.Number, newest.Journal
	}
	c, more := read(folder, above)
	c.states, c.unread = newest, c.unread || unread
	found.Notes = append(notes, more...)
	found.Saved, found.Events = c.saved()
	_, gone := folder.Size(legacyOld)
	s.legacy = old != nil || gone == nil
	_, gone = folder.Size(journalFile)
	switch {
	case s.id != "" && c.torn == 0 && c.damaged == 0 && !c.unread:
		s.disk.open(int64(c.size))
	case errors.Is(gone, fs.ErrNotExist) && !s.legacy:
		if n, err := folder.Size(journalNext); err == nil && n == 0 {
			found.Notes = append(found.Notes, journalFile+" is missing: what it had of alarm states and events is lost, but for a copy in memory")
		}
	case newest == nil && !c.unread:
		found.Notes = append(found.Notes, "there is no record of the alarm states: they are those that the events tell")
	}
	if c.future || c.unread {
		if err := s.aside(); err != nil {
			found.Notes = append(found.Notes, err.Error())
		} else if c.future {
			found.Notes = append(found.Notes, fmt.Sprintf("%s is of a newer version, and is put aside as %s: the alarm states are those that its events tell", journalFile, s.state.Aside))
		}
	}
	return found
}

// aside puts a journal away that this one cannot go on with: whoever can read it
// finds it, and it is not written over.
func (s *Store) aside() error {
	s.disk.drop()
	to, err := s.disk.aside()
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.state.Aside = to
	s.mu.Unlock()
	return nil
}

func (j *journal) aside() (to string, err error) {
	to = fmt.Sprintf("%s.aside-%d", journalFile, time.Now().Unix()) // a name, and no date
	if err := j.folder.Rename(journalFile, to); err != nil {
		return "", fmt.Errorf("put %s aside: %w", journalFile, err)
	}
	return to, nil
}

// readCopy takes hold of the copy in memory, and adds to found what the disk had
// not taken before the end. A copy of another journal is left alone; one of a newer
// version is put aside, and its events count where they follow those of the disk.
func (s *Store) readCopy(found *Found) {
	if s.options.Memory == "" {
		return
	}
	folder, err := s.options.FS.Hold(s.options.Memory)
	if err != nil {
		found.Notes = append(found.Notes, fmt.Sprintf("there is no copy in memory, so that a kill may lose what a busy disk has not taken: %v", err))
		return
	}
	s.memory.folder = folder
	last := found.Saved.Number
	c, notes := read(folder, last)
	if c.states == nil && c.future {
		if to, err := s.memory.aside(); err != nil {
			notes = append(notes, err.Error())
		} else {
			notes = append(notes, "the copy in memory is of a newer version, and is put aside as "+to)
		}
		if len(c.events) == 0 || c.events[0].Number != last+1 {
			found.Notes = append(found.Notes, notes...)
			return
		}
		c.states = &states{Journal: s.id, Saved: found.Saved}
	}
	if c.states == nil || s.id != "" && s.id != c.states.Journal {
		return
	}
	found.Notes = append(found.Notes, notes...)
	gone := s.id == "" && !c.future // the disk has no journal, or none that can be read: it may have taken all of this
	s.id = c.states.Journal
	if c.states.Saved.Number < last {
		c.states = &states{Saved: found.Saved}
	}
	saved, _ := c.saved()
	if saved.Number <= last {
		return
	}
	found.Saved = saved
	found.Events += len(c.events)
	first := saved.Number + 1
	if len(c.events) > 0 {
		first = c.events[0].Number
	}
	switch {
	case gone && first > 1:
		found.Notes = append(found.Notes, fmt.Sprintf("%s is gone from the state folder: the alarm states are those of the copy in memory, events before %d are lost", journalFile, first))
	case gone:
		found.Notes = append(found.Notes, fmt.Sprintf("%s is gone from the state folder: the copy in memory has all of it", journalFile))
	default:
		found.Notes = append(found.Notes, fmt.Sprintf("%s that the disk had not taken before the end: in memory still", alarm.Count(len(c.events), "event")))
		if first > last+1 {
			found.Notes = append(found.Notes, fmt.Sprintf("events %d to %d are missing: the disk took none, and the memory for them was full", last+1, first-1))
		}
	}
	for i := range c.events {
		s.enqueue(&c.events[i])
	}
}

// late looks at a folder that was not there at the start, or was taken away
// since: a journal in it that is not this one is put aside.
func (s *Store) late() error {
	c, _ := read(s.disk.folder, 0)
	switch {
	case c.unread || c.size > 0 && (c.states == nil || c.states.Journal != s.id):
		if err := s.aside(); err != nil {
			return err
		}
	case c.size > 0:
		if saved, _ := c.saved(); saved.Number > s.base.Number {
			s.base = saved
		}
	}
	s.disk.last = s.base.Number
	return nil
}
