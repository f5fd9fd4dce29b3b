package operator

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/health"
	"mien/firmware/state"
)

// Mirror is what a unit knows, kept by a process that hears its stream: a reader of
// state.State reads it as it would read the unit's own. Levels and limits have the four
// places of the stream, times its milliseconds. Times are on the mirror's clock.
type Mirror struct {
	latest *state.Latest
	base   time.Time
	away   atomic.Bool
	runs   atomic.Uint32

	mu    sync.Mutex // covers what is below
	state state.State
	about *About
	ahead time.Duration // of the mirror's clock before the time since the unit's start
	known bool          // ahead is
	up    int64         // of the newest line
}

// NewMirror knows nothing yet, and of no unit.
func NewMirror() *Mirror {
	m := &Mirror{latest: state.NewLatest(), base: time.Now()}
	m.away.Store(true)
	return m
}

// Latest is where readers find the newest state.
func (m *Mirror) Latest() *state.Latest { return m.latest }

// Now is the clock of the state. It only goes forward, whatever the unit does.
func (m *Mirror) Now() time.Duration { return time.Since(m.base) }

// There tells whether the unit is heard, and which time it is: who keeps something of
// the unit drops it with the next.
func (m *Mirror) There() (run uint32, there bool) { return m.runs.Load(), !m.away.Load() }

// Lose drops all: the unit is not heard any more, and what it said is old.
func (m *Mirror) Lose() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away.Store(true)
	m.about = nil
	m.state.Clear()
	m.latest.Store(&m.state)
}

// Is takes what the unit is.
func (m *Mirror) Is(a *About) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.about, m.known = a, false
}

// older bounds how late a line of the stream comes behind what the mirror knows already.
const older = 2000 // ms

// Tell takes what the unit knows now. It counts only once the mirror was told what the
// unit is.
func (m *Mirror) Tell(n *Now) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.about != nil {
		m.tell(n)
	}
}

// Took takes what the unit knows since it has done what it was asked.
func (m *Mirror) Took(g Given) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := g.taken; t != nil && t.State != nil && m.about != nil && !m.away.Load() && t.CRC == m.about.CRC && t.Network == m.about.Network {
		m.tell(t.State)
	}
}

func (m *Mirror) tell(n *Now) {
	if !m.away.Load() && n.Up < m.up && n.Up > m.up-older {
		return
	}
	// The line that was least late tells best how the unit's clock stands.
	now := m.Now()
	if ahead := now - ms(n.Up); !m.known || ahead < m.ahead {
		m.ahead = ahead
	}
	s := &m.state
	if !m.known {
		m.known = true
		s.About = m.about.state(m.ahead)
	}
	n.state(s, m.ahead)
	m.latest.Store(s)
	if m.away.Swap(false) || n.Up < m.up { // it is there again, or has been started again so fast that nobody saw it
		m.runs.Add(1)
	}
	m.up = n.Up
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// state is what a unit is, started at that moment.
func (a *About) state(started time.Duration) *state.About {
	out := &state.About{Unit: a.Unit, Version: a.Version, Started: started, StaleAfter: ms(a.Stale), ConfigCRC: a.CRC, NetworkCRC: a.Network,
		Outputs: a.Outputs, Inputs: a.Inputs, Serial: a.Serial, Purpose: a.Purpose, Region: a.Region, Rotate: a.Rotate, Gate: state.Gate(a.Gate)}
	for _, k := range a.Signals {
		out.Signals = append(out.Signals, state.Signal{Name: k.Name, Human: k.Human, Min: k.Min, Max: k.Max, Derived: k.Derived})
	}
	return out
}

// state brings what was told into s, whose lists are used again. ahead is the moment of
// the unit's start on the clock of s.
func (n *Now) state(s *state.State, ahead time.Duration) {
	nan := float32(math.NaN())
	at := ahead + ms(n.Up) // the moment of which n is
	s.Trusted, s.Reason, s.Advice, s.Results, s.Heartbeat = n.Trusted, n.Reason, n.Advice, n.Results, n.Beat
	s.Latency = 0
	if l := float64(n.Latency); l == l {
		s.Latency = time.Duration(l * float64(time.Millisecond))
	}
	if s.ResultAt = at - ms(n.At-n.Taken) + s.Latency; n.Results == 0 {
		s.ResultAt = 0
	}
	s.Rate, s.Dropped, s.Available, s.Temperature = float32(n.Rate), n.Dropped, float32(n.Available), float32(n.Temperature)

	s.Faces, s.FaceScore, s.FaceSize, s.Covered, s.Levels = n.Aim.Faces, nan, nan, append(s.Covered[:0], n.Covered...), s.Levels[:0]
	if f := n.Aim.Face; f != nil {
		s.FaceScore, s.FaceSize = f.Score, f.Size
	}
	for i := range s.About.Signals { // as many as there are signals, whatever came
		level := nan
		if i < len(n.Levels) {
			level = n.Levels[i]
		}
		s.Levels = append(s.Levels, level)
	}
	s.Expression, s.Compound = state.Choice{Name: n.Expression, Level: float32(n.Likely)}, state.Choice{Name: n.Compound, Level: float32(n.Together)}

	s.Faults = s.Faults[:0]
	for i := range n.Faults {
		for _, f := range health.Faults() {
			if f.Info().Code == n.Faults[i].Code {
				s.Faults = append(s.Faults, health.Active{Fault: f, Since: at - ms(n.Faults[i].For), Detail: n.Faults[i].Detail})
			}
		}
	}
	s.Summary = alarm.Summary{FirstOut: -1, Last: n.Newest.Alarm, Events: n.Last, Inhibited: n.Inhibit > 0, InhibitLeft: ms(n.Inhibit)}
	if n.Newest.At > 0 {
		s.Summary.LastWall = time.Unix(n.Newest.At, 0).UTC()
	}
	s.Alarms = s.Alarms[:0]
	for i := range n.Alarms {
		s.Alarms = append(s.Alarms, n.Alarms[i].status(i, ahead))
		n.Alarms[i].mark(i, &s.Summary)
	}
	if n.Newest.Horn {
		s.Summary.Horn = s.Summary.Unacknowledged &^ s.Summary.Silenced
	}
	if n.Newest.Lamp {
		s.Summary.Lamp = s.Summary.Active | s.Summary.Latched | s.Summary.Unacknowledged
	}
	s.Numbering = n.Numbering

	s.Outputs, s.Inputs = append(s.Outputs[:0], n.Outputs...), append(s.Inputs[:0], n.Inputs...)
	s.Testing, s.TestEnds = n.Testing > 0, at+ms(n.Testing)
	s.TimeSynced = n.Synced
	s.Clock = state.Clock{Settable: n.Clock.Settable, At: at, Wall: n.Clock.Time, Offset: n.Clock.Offset}
	for _, source := range []state.ClockSource{state.ClockNotSet, state.ClockSet, state.ClockSynchronised, state.ClockSystem} {
		if source.String() == n.Clock.Source {
			s.Clock.Source = source
		}
	}
	s.Pilot = state.Pilot{}
	if p := n.Pilot; p != nil {
		s.Pilot = state.Pilot{Recording: p.Recording, Allowed: p.Allowed, Purpose: p.Purpose, Begun: p.Begun, Ends: p.Ends, Left: ms(p.Left), Ended: p.Ended,
			Trouble: p.Trouble, Files: p.Files, Bytes: p.Bytes, Frames: p.Frames, Dropped: p.Dropped, Right: p.Right, False: p.False, Missed: p.Missed, Marked: state.Marked(p.Marked)}
	}
}

// status is an alarm as the engine has it.
func (a *Shown) status(place int, ahead time.Duration) alarm.Status {
	s := alarm.Status{Name: a.Name, Place: place, Unknown: a.Unknown, Silenced: a.Silenced, FirstOut: a.FirstOut, Unlocked: a.Unlocked,
		Since: ahead + ms(a.Since), For: ms(a.For), Count: a.Count, ShelvedLeft: ms(a.Shelved), MaxShelve: ms(a.MaxShelve), ReAlarmLeft: ms(a.ReAlarm),
		Signal: a.Signal, Condition: a.Condition, Level: float32(a.Level), Limit: float32(a.Limit), Off: float32(a.Off), OnDelay: ms(a.OnDelay), OffDelay: ms(a.OffDelay)}
	s.State.UnmarshalText([]byte(a.State)) // what has no name here is of a newer unit, and shown as normal
	s.Side.UnmarshalText([]byte(a.Side))
	s.Priority.UnmarshalText([]byte(a.Priority))
	return s
}

// mark sets the alarm's bits.
func (a *Shown) mark(place int, sum *alarm.Summary) {
	bit := uint64(1) << min(place, 63)
	put := func(mask *uint64, on bool) {
		if on {
			*mask |= bit
		}
	}
	put(&sum.Active, a.Active)
	put(&sum.Unacknowledged, a.NeedsAck)
	put(&sum.Latched, a.Latched)
	put(&sum.Unknown, a.Unknown)
	put(&sum.Silenced, a.Silenced)
	if a.FirstOut {
		sum.FirstOut = place
	}
	var st alarm.State
	st.UnmarshalText([]byte(a.State))
	put(&sum.Covered, st.Covered())
}
