package state

import (
	"slices"
	"sync"
	"sync/atomic"
)

// slots is one for the current state, one being written, and one for each
// reader that may have been stopped in the middle of its copy.
const slots = 8

// Latest hands the newest State from the pipeline to its readers. Store never
// waits for a reader and Load never waits for a writer, not even for one that
// the scheduler has stopped. Neither allocates once its lists are long enough.
type Latest struct {
	writing sync.Mutex // writers among themselves, and what follows
	watches []chan struct{}
	current atomic.Int32
	stored  atomic.Uint32
	slot    [slots]struct {
		readers atomic.Int32
		state   State
	}
}

// NewLatest holds a cleared State until the first Store.
func NewLatest() *Latest {
	l := new(Latest)
	l.slot[0].state.Clear()
	return l
}

// Store makes a copy of s the newest state.
func (l *Latest) Store(s *State) {
	l.writing.Lock()
	defer l.writing.Unlock()
	current := l.current.Load()
	for i := int32(1); i < slots; i++ {
		n := (current + i) % slots
		// A reader that counts itself in after this line sees, before it
		// copies, that n is not the current slot, and goes away again.
		if l.slot[n].readers.Load() != 0 {
			continue
		}
		l.slot[n].state.copyFrom(s)
		l.current.Store(n)
		l.stored.Add(1)
		for _, w := range l.watches {
			select {
			case w <- struct{}{}:
			default: // it knows already
			}
		}
		return
	}
	// Seven readers are stopped in the middle of a copy: the next frame's state
	// comes in a few milliseconds.
}

// Load copies the newest state to dst. The lists of dst are used again.
func (l *Latest) Load(dst *State) {
	for {
		n := l.current.Load()
		s := &l.slot[n]
		s.readers.Add(1)
		if l.current.Load() == n {
			dst.copyFrom(&s.state)
			s.readers.Add(-1)
			return
		}
		s.readers.Add(-1)
	}
}

// Watch gives a channel that has something in it once there is a newer State than at the
// last look into it, until end is called. It is for who has nothing else to do: what
// looks by its own clock takes Stored.
func (l *Latest) Watch() (newer <-chan struct{}, end func()) {
	w := make(chan struct{}, 1)
	l.writing.Lock()
	defer l.writing.Unlock()
	l.watches = append(l.watches, w)
	return w, func() {
		l.writing.Lock()
		defer l.writing.Unlock()
		l.watches = slices.DeleteFunc(l.watches, func(o chan struct{}) bool { return o == w })
	}
}

// Stored counts the calls of Store: a cheap way to see that Load would bring
// something new.
func (l *Latest) Stored() uint32 { return l.stored.Load() }
