package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"mien/firmware/alarm"
)

// Read gives the newest events of a folder, at most most of them, with numbers
// above after, oldest first. It needs no Store and does not disturb one that
// writes meanwhile. A folder without a journal has no events.
func Read(fsys FS, dir string, after uint64, most int) ([]alarm.Event, error) {
	// The newer file first: should it become the old one meanwhile, its events
	// are seen twice, not never.
	var data [2][]byte
	for i, name := range []string{journalFile, journalOld} {
		var err error
		if data[i], err = fsys.ReadFile(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read events: %w", err)
		}
	}
	var events []alarm.Event
	keep := func(ev *alarm.Event) { events = append(events, *ev) }
	old := scan(data[1], after, keep)
	scan(data[0], max(after, old.last), keep)
	return newest(events, most), nil
}

func newest(events []alarm.Event, most int) []alarm.Event {
	if len(events) > most {
		events = events[len(events)-most:]
	}
	return events
}

// Events is Read with the events that are still on their way to the disk.
func (s *Store) Events(after uint64, most int) ([]alarm.Event, error) {
	// The queue first: what is written meanwhile is seen twice, not never.
	s.mu.Lock()
	waiting := make([]alarm.Event, 0, s.count)
	for i := range s.count {
		waiting = append(waiting, s.queue[(s.head+i)%len(s.queue)])
	}
	s.mu.Unlock()
	events, err := Read(s.options.FS, s.options.Dir, after, most)
	if n := len(events); n > 0 {
		after = events[n-1].Number
	}
	for _, ev := range waiting {
		if ev.Number > after {
			events = append(events, ev)
		}
	}
	return newest(events, most), err
}
