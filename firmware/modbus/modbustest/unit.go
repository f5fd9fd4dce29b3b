// Package modbustest has what tests of the PLC line share: a made-up unit
// behind a slave, a recorder of commands that can refuse them, the conformance
// cases, and other people's masters (mbpoll, pymodbus, simonvetter/modbus) as
// functions that try a unit on a serial port, whichever unit that is.
package modbustest

import (
	"fmt"
	"math"
	"sync"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/health"
	"mien/firmware/modbus"
	"mien/firmware/state"
)

// Facts are what the checks must know of the unit they try.
type Facts struct {
	Address byte
	// Alarms is how many the unit has, at least one.
	Alarms int
	// Unlocked and Locked are alarms whose limits can and cannot be written; -1
	// where there is none.
	Unlocked, Locked int
	// ShelveMax is the longest shelving in minutes, of alarm 0 too.
	ShelveMax int
	// Static are input registers whose value is known and does not change.
	Static map[int]uint16
	// Refuse makes the unit refuse the next command for this reason; nil where
	// it cannot be made to.
	Refuse func(err error)
}

// Synthetic are the facts of a Unit.
var Synthetic = Facts{Address: 1, Alarms: 5, Unlocked: 1, Locked: 2, ShelveMax: 480}

// Recorder takes commands and keeps them.
type Recorder struct {
	mu   sync.Mutex // covers all below
	who  string
	got  []modbus.Command
	call int
	// FailAt refuses the FailAt-th call of Do with Err, and those after it up
	// to FailCount (0 is 1, -1 all).
	failAt, failCount int
	err               error
	event             uint64
	refused           []string
	pending           error
	idle              bool // what is asked for changes nothing
	done              [8]alarm.Event
}

// Do records batch, or refuses it.
func (r *Recorder) Do(who string, batch []modbus.Command) (state.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(batch) == 1 && batch[0].Op == modbus.OpRefused { // nobody asks for anything
		r.refused = append(r.refused, batch[0].Text)
		return state.Receipt{}, nil
	}
	r.call++
	if r.err != nil && r.call >= r.failAt && (r.failCount < 0 || r.call < r.failAt+max(1, r.failCount)) {
		return state.Receipt{}, r.err
	}
	r.who = who
	r.got = append(r.got, batch...)
	r.event++
	if r.idle {
		return state.Receipt{Event: r.event}, nil
	}
	return state.Receipt{Event: r.event, Done: r.done[:min(len(batch), len(r.done))]}, nil
}

// Refused gives what was told of refused writes since the last call.
func (r *Recorder) Refused() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	told := r.refused
	r.refused = nil
	return told
}

// Kept says what Pend was told.
func (r *Recorder) Kept(state.Receipt, time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pending
}

// Pend lets commands wait for the disk, until it is called with nil.
func (r *Recorder) Pend(why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending = why
}

// Idle lets commands find nothing to do, from now on.
func (r *Recorder) Idle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.idle = true
}

// Fail refuses the at-th call from now on (1 is the next) and count-1 more,
// all of them where count is negative.
func (r *Recorder) Fail(at, count int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.call, r.failAt, r.failCount, r.err = 0, at, count, err
}

// Take returns what was commanded since the last Take, and by whom.
func (r *Recorder) Take() (who string, commands []modbus.Command) {
	r.mu.Lock()
	defer r.mu.Unlock()
	commands, r.got = r.got, nil
	return r.who, commands
}

// Reserve makes room for commands, so that Do does not allocate.
func (r *Recorder) Reserve(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = make([]modbus.Command, 0, n)
}

var _ modbus.Commands = (*Recorder)(nil)

// Latest is a Source of the snapshot that a test stored last.
type Latest struct {
	mu   sync.Mutex // covers last
	last modbus.Snapshot
}

// NewLatest holds a cleared Snapshot until the first Store.
func NewLatest() *Latest {
	l := new(Latest)
	l.last.Clear()
	return l
}

func (l *Latest) Store(s *modbus.Snapshot) {
	l.mu.Lock()
	l.last = *s
	l.mu.Unlock()
}

func (l *Latest) Load(dst *modbus.Snapshot) {
	l.mu.Lock()
	*dst = l.last
	l.mu.Unlock()
}

var _ modbus.Source = (*Latest)(nil)

// Snapshot is a unit with five alarms at the moment now, in its 4711th second:
// every field has a value of its own.
func Snapshot(now time.Duration) *modbus.Snapshot {
	s := new(modbus.Snapshot)
	s.Clear()
	s.Status = modbus.StatusReady | modbus.StatusResultValid | modbus.StatusFacePresent | modbus.StatusQualityOK |
		modbus.StatusAnyActive | modbus.StatusAnyUnack
	s.Faults = uint16(health.TooSlow.Bit() | health.StorageFailed.Bit())
	s.Reason = 0
	s.Sequence, s.Heartbeat = 0x12345, 4711
	s.ResultAt, s.StaleAfter = now-25*time.Millisecond, time.Second
	s.FramesPerSecond, s.Latency, s.Dropped = 29.97, 34*time.Millisecond, 17
	s.Faces, s.FaceScore, s.FaceSize, s.Covered = 2, 0.912, 143, modbus.CoveredMouth
	s.Expression, s.ExpressionLevel, s.Compound, s.CompoundLevel = 4, 0.733, 4, 0.512
	s.Valence, s.Arousal = -0.437, 0.655
	for i := range s.AU {
		s.AU[i] = float32(i+1) / 20
	}
	s.AU[7] = float32(math.NaN())
	for i := range s.Expressions {
		s.Expressions[i] = float32(i+1) / 36
	}
	s.EyesClosed, s.PERCLOS = 0.125, 0.3
	s.Active, s.Unacknowledged, s.Latched, s.Shelved, s.Suppressed, s.OutOfService, s.Unknown = 0x3, 0x2, 0x4, 0x8, 0x10, 0, 0x20
	s.Annunciator, s.FirstOut = modbus.AnnunciatorHorn|modbus.AnnunciatorLamp, 1
	s.Events, s.LastAlarm, s.LastAlarmAt = 0x10007, 1, 1_700_000_000
	s.ClockSource, s.ClockAt, s.ClockWall = 1, now-time.Second, 1_764_531_000*time.Second
	s.Silenced, s.TestUntil, s.InhibitUntil = 0x2, now+7*time.Second, now+90*time.Minute
	s.StartedAt = now - 4711*time.Second
	s.ConfigCRC, s.ModelCRC, s.Temperature, s.Availability = 0xBEEF, 0xCAFE, 51.3, 0.987
	s.Outputs, s.Inputs = 0x5, 0x2
	s.AlarmCount = Synthetic.Alarms
	for i := range s.Alarms[:s.AlarmCount] {
		s.Alarms[i] = modbus.Alarm{
			Name: fmt.Sprintf("brow lowered %d", i), State: alarm.State(i), Value: float32(i) / 10,
			OnLimit: 0.6, OffLimit: 0.5, OnDelay: 1500 * time.Millisecond, OffDelay: 3 * time.Second, Min: 0, Max: 1,
			Unlocked: i != Synthetic.Locked, ShelveMax: time.Duration(Synthetic.ShelveMax) * time.Minute,
			Since: now - time.Duration(10*(i+1))*time.Second,
		}
	}
	return s
}

// Config is that of a Unit.
func Config(now func() time.Duration) modbus.Config {
	return modbus.Config{
		Address: Synthetic.Address, CharacterTime: 10 * time.Second / 115200,
		ShelveMax: time.Duration(Synthetic.ShelveMax) * time.Minute, Now: now,
		Identity: modbus.Identity{Vendor: "mien", Product: "mien", Revision: "1.0", VendorURL: "", ProductName: "mien", Model: "test", Station: "line 7"},
	}
}
