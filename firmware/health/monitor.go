// Package health knows whether fresh results flow and what is wrong if they
// don't. It alone gates the healthy line, the watchdog and systemd's keep-alive,
// so that none of them can be kept going by a timer while the pipeline stands.
//
// All times are monotonic, as durations since any fixed moment of the caller's.
package health

import (
	"sync"
	"time"
)

// Monitor collects faults and results. It may be used from any goroutine.
type Monitor struct {
	stale time.Duration

	mu      sync.Mutex // covers the fields below
	active  [faults]Active
	word    uint32
	result  time.Duration // when the last result came out of the pipeline
	results uint64
	flow    time.Duration // since when results have come with no gap that is longer than stale
	turn    time.Duration // when the pipeline's loop last turned
	driven  time.Duration // when the output lines last showed what they have to
	changes []Change      // not taken yet, in order
	untold  int           // changes that there was no room for
}

// ResultWithin is how long a unit whose pipeline turns but brings no result (its
// camera is unplugged, and opened again and again) keeps its watchdogs fed: after
// that a restart of the machine is worth a try.
const ResultWithin = 10 * time.Minute

// turnWithin bounds one turn of the pipeline's loop: opening a device, waiting
// for a frame, running the networks on a slow board.
const turnWithin = 8 * time.Second

// Active is a fault that is on.
type Active struct {
	Fault  Fault
	Since  time.Duration
	Detail string // the error that set it
}

// Change is a fault that began or ended.
type Change struct {
	Fault  Fault
	Began  bool
	Detail string // the error that set it
}

// mostChanges bounds those that wait to be taken; the oldest go first.
const mostChanges = 256

// New gives a monitor for which a result older than stale is no result.
func New(stale time.Duration) *Monitor {
	return &Monitor{stale: stale, changes: make([]Change, 0, mostChanges)}
}

// Begin sets a fault. Setting one that is on keeps its start and its detail.
func (m *Monitor) Begin(f Fault, now time.Duration, detail string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.word&f.Bit() == 0 {
		m.word |= f.Bit()
		m.active[f] = Active{f, now, detail}
		m.changed(Change{f, true, detail})
	}
}

// Restate says what a fault that is on comes of by now.
func (m *Monitor) Restate(f Fault, detail string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.word&f.Bit() != 0 {
		m.active[f].Detail = detail
	}
}

// End clears a fault. Clearing one that is off does nothing.
func (m *Monitor) End(f Fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.word&f.Bit() != 0 {
		m.word &^= f.Bit()
		m.changed(Change{f, false, m.active[f].Detail})
	}
}

// changed notes a change for whoever takes them. The lock is held: who sets a
// fault may hold the lock under which it is journaled.
func (m *Monitor) changed(c Change) {
	if len(m.changes) == mostChanges {
		m.changes = append(m.changes[:0], m.changes[1:]...)
		m.untold++
	}
	m.changes = append(m.changes, c)
}

// Changes appends to dst what has begun and ended since the last call, in that
// order. untold is how many changes before these are lost, because nobody took
// them in time.
func (m *Monitor) Changes(dst []Change) (list []Change, untold int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	list, untold = append(dst, m.changes...), m.untold
	m.changes, m.untold = m.changes[:0], 0
	return list, untold
}

// Set begins or ends a fault, whichever on says.
func (m *Monitor) Set(f Fault, on bool, now time.Duration, detail string) {
	if on {
		m.Begin(f, now, detail)
	} else {
		m.End(f)
	}
}

// Result notes that a result came out of the pipeline.
func (m *Monitor) Result(now time.Duration) {
	m.mu.Lock()
	if m.results == 0 || now-m.result > m.stale {
		m.flow = now
	}
	m.result = now
	m.results++
	m.mu.Unlock()
}

// Turn notes that the pipeline's loop turned, with a result or on the way back
// from a fault.
func (m *Monitor) Turn(now time.Duration) {
	m.mu.Lock()
	if m.turn == 0 && m.result == 0 {
		m.result = now // ResultWithin counts from the start
	}
	m.turn = now
	m.mu.Unlock()
}

// Drive notes that the output lines were brought to what they have to show.
func (m *Monitor) Drive(now time.Duration) {
	m.mu.Lock()
	m.driven = now
	m.mu.Unlock()
}

// Undriven is how long ago that was, 0 for a unit that has not begun to.
func (m *Monitor) Undriven(now time.Duration) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.driven == 0 {
		return 0
	}
	return now - m.driven
}

// Alive tells whether the watchdogs may be fed: the pipeline's loop turns, and
// brought a result within ResultWithin, and the output lines are driven. What hangs
// is not alive, whatever it hangs in.
func (m *Monitor) Alive(now time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.turn != 0 && now-m.turn <= turnWithin && now-m.result <= ResultWithin && (m.driven == 0 || now-m.driven <= turnWithin)
}

// Results is how many results there were: the source of every heartbeat.
func (m *Monitor) Results() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.results
}

// Age is how old the last result is; a unit that had none since it started
// counts from the start of the clock.
func (m *Monitor) Age(now time.Duration) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return now - m.result
}

// Trusted tells whether the last result may be acted on: it is fresh and no
// fault stops the unit.
func (m *Monitor) Trusted(now time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.results > 0 && now-m.result <= m.stale && m.word&stopping == 0
}

// flowsAfter is how long results must have come without a gap before they flow.
const flowsAfter = time.Second

// Flows tells whether results flow: the last one may be acted on, and they have come
// for a while with no gap that is longer than one stays fresh. Where they come so rarely that each
// is trusted for a while and then is not, no heartbeat may say that all is well.
func (m *Monitor) Flows(now time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.results > 0 && now-m.result <= m.stale && m.word&stopping == 0 && m.result-m.flow >= min(m.stale, flowsAfter)
}

// Word is the fault word: bit n is fault n.
func (m *Monitor) Word() uint32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.word
}

// On tells whether a fault is set.
func (m *Monitor) On(f Fault) bool { return m.Word()&f.Bit() != 0 }

// List appends the faults that are on to dst, in the order of their bits.
func (m *Monitor) List(dst []Active) []Active {
	m.mu.Lock()
	defer m.mu.Unlock()
	for f := Fault(0); f < faults; f++ {
		if m.word&f.Bit() != 0 {
			dst = append(dst, m.active[f])
		}
	}
	return dst
}

// stopping is the set of faults that stop the unit.
var stopping = func() (word uint32) {
	for f, info := range table {
		if info.Effect == Stops {
			word |= Fault(f).Bit()
		}
	}
	return
}()

// Stopping tells whether a fault word has a fault that stops the unit.
func Stopping(word uint32) bool { return word&stopping != 0 }
