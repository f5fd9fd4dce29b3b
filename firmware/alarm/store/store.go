// Package store keeps what must outlive a restart: alarm states and events, in
// one bounded journal that begins with a record of the states. It never keeps a
// picture or a level over time.
//
//	kept, found, err := store.Open(store.Options{Dir: "/var/lib/mien"})
//	events := engine.Restore(found.Saved, at, wall)
//	kept.Put(events)                          // never waits for the disk
//	engine.Save(&saved); kept.Keep(&saved)    // when engine.Revision() changed
//	err = kept.Wait(number, 40*time.Millisecond) // before "done" is answered
//	…
//	err = kept.Close()
//
// Put writes each event to a copy in memory (Options.Memory) before it returns,
// so before anybody is told: no kill takes it from there on. The writer appends it
// to the journal and syncs it, and then it outlives a power loss (Durable tells).
// When syncs would come closer than Options.Delay for longer than a handful, it
// gathers what chatters until the delay is over, unless somebody waits for it.
//
// The states of the alarms are those of the newest record of states and the
// events after it. Rotation writes a new file: the states, the newest events, the
// states again in case a disk damages one of them. It takes the place of the file
// before once it is durable, so at each moment of it a whole journal is there.
// At a start the same is read from disk and memory, and the higher number counts.
//
// An SD card has to write, in blocks of 4 KiB with the file system's own
// (TestBytesADay counts them), a day: 1 MB without an alarm, 11 MB with
// one every ten minutes that is raised, acknowledged and returned, 77 MB with
// one a minute. Somebody who comes and goes adds nothing.
//
// No trouble with the disk stops the unit. What cannot be written is kept in
// memory, Status tells, and it is written when the disk takes it. Only a folder
// that another unit holds, or that others may write to, is refused.
package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"mien/firmware/alarm"
)

// Options of a store. The zero value of each field but Dir is a default.
type Options struct {
	Dir          string
	Memory       string           // folder on a file system in memory, of this journal alone; empty: none, and a kill may lose what the disk has not taken
	JournalBytes int64            // the journal's file and the room set aside for the next one together; 0 is 2 MiB
	KeepDays     int              // older events are dropped; 0: none is too old
	Delay        time.Duration    // after a few at once, syncs are this far apart at least, so that what chatters is gathered; 0 is 200 ms
	StateEvery   time.Duration    // states that changed are recorded this often, so that events alone need not tell them; 0 is 5 min
	Queue        int              // events kept in memory while they cannot be written; 0 is 1,000
	RetryMost    time.Duration    // longest wait between tries on a failing disk; 0 is 10 s
	FS           FS               // nil is OS
	Wall         func() time.Time // by which KeepDays goes; nil: DateBy gives it, and until then nothing is too old
}

// Found is what Open found.
type Found struct {
	Saved  alarm.Saved // for Engine.Restore
	Events int         // events that were newer than the states
	Notes  []string    // what was damaged, missing or dropped, in words, worth a Note in the journal
}

// Status tells how the store fares.
type Status struct {
	Err     error         // why the newest write failed, or the next one would; looked at every second; nil: all is well
	Since   time.Duration // when writes began to fail, on the clock of time since Open
	Queued  int           // events not yet on the disk
	Behind  time.Duration // how long the oldest of them waits; seconds of it without an Err: the disk is stuck
	Dropped uint64        // events that the memory could not hold either; their numbers are missing in the journal
	Durable uint64        // number of the newest event that survives power loss
	Syncs   uint64        // of the journal
	Bytes   uint64        // written to it
	Changed uint64        // how often the journal's file was taken away or changed by somebody else, and begun anew: what it had may be lost
	Aside   string        // file that this journal cannot go on with and that was put aside; empty: none
}

// ErrPending: an event is not on the disk yet.
var ErrPending = errors.New("not yet on the disk")

// Store writes in a goroutine of its own. Its methods may be called from any
// goroutine.
type Store struct {
	options Options
	begun   time.Time
	wake    chan struct{}
	closing chan struct{}
	done    chan struct{}
	once    sync.Once

	mu       sync.Mutex // covers the fields below
	wall     func() time.Time
	memory   journal // its folder is nil: there is none
	queue    []alarm.Event
	head     int // of the ring
	count    int
	oldest   time.Duration // when the first of the queue was put, about
	kept     alarm.Saved   // newest from Keep
	dirty    bool          // kept is not in the journal,
	silent   bool          // and no event tells of the change: a shelving has become shorter
	appended uint64        // number of the newest event in the journal's file
	pressed  uint64        // somebody waits for the events up to this number
	asked    bool          // Sync or Close waits
	closed   bool
	moved    chan struct{} // closed and made again when something that is waited for has changed
	state    Status
	room     error  // what look found
	id       string // of the journal

	// The writer's own; but disk.folder is set under the lock.
	disk     journal
	base     alarm.Saved // the states as of the newest durable event
	legacy   bool        // there are files of the version before
	owe      bool        // the journal has a gap, or no states: they go in with the next write
	statesAt time.Duration
	paced    time.Duration // when the syncs so far would have ended at one each Delay
	looked   time.Duration
	aged     time.Duration
	retryAt  time.Duration
	wait     time.Duration
	batch    []alarm.Event
	next     alarm.Saved
	buf      []byte
}

// memoryMost bounds the copy in memory, as far as what the disk has not taken
// allows.
const memoryMost = 256 << 10

// Open reads what is there and starts to write. It refuses a folder with
// ErrTaken or ErrUnsafe; one that cannot be made, read or written shows in
// Status, and is tried again.
func Open(o Options) (*Store, Found, error) {
	s, found, err := prepare(o)
	if err != nil {
		return nil, found, err
	}
	go s.run()
	return s, found, nil
}

// prepare is Open without the goroutine.
func prepare(o Options) (*Store, Found, error) {
	if o.JournalBytes <= 0 {
		o.JournalBytes = 2 << 20
	}
	if o.Delay <= 0 {
		o.Delay = 200 * time.Millisecond
	}
	if o.StateEvery <= 0 {
		o.StateEvery = 5 * time.Minute
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
	s := &Store{options: o, wall: o.Wall, begun: time.Now(), wake: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
		disk: journal{most: o.JournalBytes / 2, synced: true}, memory: journal{most: memoryMost},
		queue: make([]alarm.Event, o.Queue), batch: make([]alarm.Event, 0, batchMost), moved: make(chan struct{}), looked: -lookEvery}
	var found Found
	err := s.hold()
	if errors.Is(err, ErrTaken) || errors.Is(err, ErrUnsafe) {
		return nil, found, err
	}
	if err != nil {
		s.failed(0, err)
	} else {
		found = s.load()
	}
	copySaved(&s.base, &found.Saved)
	s.disk.last, s.appended, s.state.Durable = found.Saved.Number, found.Saved.Number, found.Saved.Number
	s.readCopy(&found)
	if s.id == "" {
		s.id = fmt.Sprintf("%016x", rand.Uint64())
	}
	copySaved(&s.kept, &found.Saved)
	s.dirty = found.Events > 0
	s.copyAnew()
	return s, found, nil
}

// Put hands over events, in the order of their numbers, to be written. It
// copies them and never waits for the disk. When the disk takes nothing and the
// memory for events is full, the oldest are dropped.
func (s *Store) Put(events []alarm.Event) {
	if len(events) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range events {
		s.enqueue(&events[i])
	}
	s.copy(events)
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

// at is the i-th queued event. s.mu is held.
func (s *Store) at(i int) *alarm.Event { return &s.queue[(s.head+i)%len(s.queue)] }

// copy appends events to the copy in memory. What fails is begun again within a
// second. s.mu is held.
func (s *Store) copy(events []alarm.Event) {
	if s.memory.file == nil {
		return
	}
	var records []byte
	var err error
	for i := range events {
		if records, err = appendRecord(records, &events[i]); err != nil {
			s.memory.drop()
			return
		}
	}
	s.memory.append(records) // an error has dropped the file
}

// copyAnew begins the copy in memory, where it is missing or has grown: the
// states, and what the disk has not taken. s.mu is held.
func (s *Store) copyAnew() {
	if s.memory.folder == nil || s.memory.fits(0) {
		return
	}
	records, err := appendRecord(nil, &states{version, s.id, s.kept})
	for i := 0; i < s.count && err == nil; i++ {
		records, err = appendRecord(records, s.at(i))
	}
	if err == nil {
		s.memory.begin(records, 0) // else it is tried again in a second
	}
}

// Keep hands over the newest alarm states; only the newest are written. It
// copies them and never waits for the disk.
func (s *Store) Keep(saved *alarm.Saved) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if saved.Number < s.kept.Number {
		return
	}
	s.silent = s.silent || saved.Number == s.kept.Number
	copySaved(&s.kept, saved)
	s.dirty = true
	s.poke()
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
}

// DateBy names the clock by which events are too old: the one that dates them, or one
// that is behind it.
func (s *Store) DateBy(wall func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wall = wall
}

// Memory is the folder of the copy in memory, which no other may write to; "": there
// is none.
func (s *Store) Memory() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.memory.folder == nil {
		return ""
	}
	return s.options.Memory
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

// Wait returns when the event of a number survives power loss, or with
// ErrPending and the reason: at once where the disk fails, else after most.
func (s *Store) Wait(number uint64, most time.Duration) error {
	var timer *time.Timer
	for {
		s.mu.Lock()
		done, err, moved := s.state.Durable >= number, s.state.Err, s.moved
		if !done && err == nil && s.pressed < number {
			s.pressed = number
			s.poke()
		}
		s.mu.Unlock()
		switch {
		case done:
			return nil
		case err != nil:
			return fmt.Errorf("%w: %w", ErrPending, err)
		}
		if timer == nil {
			timer = time.NewTimer(most)
			defer timer.Stop()
		}
		select {
		case <-moved:
		case <-timer.C:
			return fmt.Errorf("%w after %v", ErrPending, most)
		}
	}
}

// Sync writes what is waiting now and returns when it is durable, or with the
// error of the first try that fails.
func (s *Store) Sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("sync state folder %s: %w", s.options.Dir, os.ErrClosed)
	}
	s.asked = true
	s.poke()
	for s.asked {
		moved := s.moved
		s.mu.Unlock()
		<-moved
		s.mu.Lock()
	}
	return s.state.Err
}

// Events gives the newest events with numbers above after, at most most of
// them, oldest first. It tells of none that a kill could take back, unless the
// disk fails, which is a fault of its own.
func (s *Store) Events(after uint64, most int) ([]alarm.Event, error) {
	// The queue first: what is written meanwhile is seen twice, not never.
	s.mu.Lock()
	var waiting []alarm.Event
	for i := range s.count {
		if ev := s.at(i); ev.Number > after && (s.memory.file != nil || s.state.Err != nil || ev.Number <= s.appended) {
			waiting = append(waiting, *ev)
		}
	}
	folder := s.disk.folder
	s.mu.Unlock()
	var c content
	var err error
	if folder != nil {
		var notes []string
		c, notes = read(folder, after)
		if c.size == 0 && len(notes) > 0 {
			err = fmt.Errorf("read events: %s", notes[0])
		}
	}
	events := c.events
	for _, ev := range waiting {
		if n := len(events); n == 0 || ev.Number > events[n-1].Number {
			events = append(events, ev)
		}
	}
	return events[max(0, len(events)-most):], err
}

// Read gives what Events does of a journal that no unit holds, or that another
// process does. It needs no more than the right to read dir, and memory where there
// is one (Options.Memory).
func Read(dir, memory string, after uint64, most int) ([]alarm.Event, error) {
	c, notes, err := look(dir, after)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	if c.size == 0 && len(notes) > 0 {
		return nil, fmt.Errorf("read events: %s", notes[0])
	}
	events := c.events
	if memory != "" && c.states != nil {
		// A folder that is gone has nothing that the disk has not.
		if m, _, err := look(memory, max(after, c.last)); err == nil && m.states != nil && m.states.Journal == c.states.Journal {
			events = append(events, m.events...)
		}
	}
	return events[max(0, len(events)-most):], nil
}

// look reads the journal of a folder without taking hold of it.
func look(dir string, above uint64) (content, []string, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return content{}, nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	f := &folder{fd: fd, dir: dir}
	defer f.Close()
	c, notes := read(f, above)
	return c, notes, nil
}

// Close writes what is waiting, once, and gives the folder back. The error
// says what could not be written.
func (s *Store) Close() error {
	s.once.Do(func() { close(s.closing) })
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count > 0 {
		return fmt.Errorf("close state folder %s: %s not written: %w", s.options.Dir, alarm.Count(s.count, "event"), s.state.Err)
	}
	return s.state.Err
}
