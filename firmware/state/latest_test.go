package state

import (
	"fmt"
	"testing"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/health"
)

// full is a state in which every part says n.
func full(dst *State, n int) {
	dst.Results, dst.Heartbeat, dst.Faces = uint64(n), uint16(n), n
	for i := range dst.Levels {
		dst.Levels[i] = float32(n)
	}
	for i := range dst.Alarms {
		dst.Alarms[i].Count = uint64(n)
	}
	for i := range dst.Faults {
		dst.Faults[i].Since = time.Duration(n)
	}
	for i := range dst.Outputs {
		dst.Outputs[i] = n%2 != 0
	}
}

func newFull() *State {
	s := new(State)
	s.Clear()
	s.About = &About{Signals: make([]Signal, 40)}
	s.Levels, s.Outputs, s.Faults = make([]float32, 40), make([]bool, 8), make([]health.Active, 2)
	for i := range 48 {
		s.Alarms = append(s.Alarms, alarm.Status{Name: fmt.Sprintf("%032d", i)})
	}
	return s
}

// torn tells what in s does not say the same as the rest.
func torn(s *State) string {
	n := s.Results
	for _, a := range s.Alarms {
		if a.Count != n {
			return "alarms"
		}
	}
	for _, l := range s.Levels {
		if uint64(l) != n {
			return "levels"
		}
	}
	for _, o := range s.Outputs {
		if o != (n%2 != 0) {
			return "outputs"
		}
	}
	if s.Heartbeat != uint16(n) || len(s.Alarms) != 48 && n > 0 {
		return "whole"
	}
	return ""
}

// Readers and a writer at once: what Load brings is never made of two.
func TestLatestIsNeverTorn(t *testing.T) {
	latest := NewLatest()
	stop, found := make(chan struct{}), make(chan string, 4)
	for range 4 {
		go func() {
			var s State
			for {
				select {
				case <-stop:
					found <- ""
					return
				default:
				}
				latest.Load(&s)
				if what := torn(&s); what != "" {
					found <- what
					return
				}
			}
		}()
	}
	s := newFull()
	for i := range 30_000 {
		full(s, i)
		latest.Store(s)
	}
	close(stop)
	for range 4 {
		if what := <-found; what != "" {
			t.Errorf("torn: %s", what)
		}
	}
}

func TestStoreAndLoadAllocateNothing(t *testing.T) {
	latest, s, dst := NewLatest(), newFull(), new(State)
	both := func() { latest.Store(s); latest.Load(dst) }
	for range slots {
		both()
	}
	if n := testing.AllocsPerRun(100, both); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Readers that stopped in the middle of their copies for ever keep their slots;
// the writer goes on beside them, and so do the other readers. With no slot left
// the newest state is what was stored last, and Store comes back.
func TestReadersThatNeverEnd(t *testing.T) {
	latest, s, got := NewLatest(), newFull(), new(State)
	for stuck := 1; stuck < slots-1; stuck++ {
		full(s, stuck)
		latest.Store(s)
		latest.slot[latest.current.Load()].readers.Add(1) // this reader never goes on
		full(s, 100+stuck)
		latest.Store(s)
		if latest.Load(got); got.Results != uint64(100+stuck) || torn(got) != "" {
			t.Fatalf("%d readers stand still: %d, %s", stuck, got.Results, torn(got))
		}
	}
	for i := range latest.slot {
		latest.slot[i].readers.Add(1)
	}
	full(s, 999)
	latest.Store(s)
	if latest.Load(got); got.Results == 999 || torn(got) != "" {
		t.Errorf("without a free slot: %d, %s", got.Results, torn(got))
	}
}

// A copy is the reader's own: what it does to it reaches nobody.
func TestLoadIsACopy(t *testing.T) {
	latest, s := NewLatest(), newFull()
	full(s, 7)
	latest.Store(s)
	var mine, other State
	latest.Load(&mine)
	full(&mine, 8)
	full(s, 9)
	if latest.Load(&other); other.Results != 7 || torn(&other) != "" {
		t.Errorf("%d %s", other.Results, torn(&other))
	}
}

func TestFlags(t *testing.T) {
	s := newFull()
	s.Summary, s.Faults = alarm.Summary{}, nil
	if f := s.Flags(0); !f.Has(Initialising) || f.Has(ResultValid) || f.Has(Ready) || f.Has(QualityOK) || !f.Has(Locked) {
		t.Errorf("nothing known: %b", f)
	}
	s.Results, s.Trusted, s.Reason, s.ResultAt, s.About.StaleAfter = 1, true, "", time.Second, time.Second
	if f := s.Flags(2 * time.Second); !f.Has(ResultValid) || !f.Has(Ready) || !f.Has(QualityOK) || f.Has(AnyFault) {
		t.Errorf("well: %b", f)
	}
	if f := s.Flags(2*time.Second + 1); f.Has(ResultValid) || f.Has(Ready) {
		t.Errorf("a result that has grown old is valid: %b", f)
	}
	s.Faults = []health.Active{{Fault: health.StorageFailed}}
	if f := s.Flags(time.Second); !f.Has(AnyFault) || !f.Has(Degraded) {
		t.Errorf("degraded: %b", f)
	}
	s.Faults = append(s.Faults, health.Active{Fault: health.CameraLost})
	if f := s.Flags(time.Second); !f.Has(AnyFault) || f.Has(Degraded) {
		t.Errorf("stopped: %b", f)
	}
	s.Alarms[47].Unlocked, s.Summary.Unacknowledged = true, 1<<47
	if f := s.Flags(time.Second); f.Has(Locked) || !f.Has(AnyUnacknowledged) {
		t.Errorf("of the last alarm: %b", f)
	}
	for i, f := range AllFlags() {
		if f.String() == "" || f.Meaning() == "" || int(f) != i {
			t.Errorf("flag %d: %q, %q", i, f, f.Meaning())
		}
	}
}

// Who watches is told once of whatever was stored meanwhile, and nothing after the end;
// nobody who does not look holds up Store, or costs it memory.
func TestWatch(t *testing.T) {
	l := NewLatest()
	var s State
	s.Clear()
	newer, end := l.Watch()
	lazy, endLazy := l.Watch()
	defer endLazy()
	select {
	case <-newer:
		t.Error("told of nothing")
	default:
	}
	if n := testing.AllocsPerRun(100, func() { l.Store(&s) }); n != 0 {
		t.Errorf("Store allocates %v times", n)
	}
	<-newer
	select {
	case <-newer:
		t.Error("told twice")
	default:
	}
	end()
	l.Store(&s)
	select {
	case <-newer:
		t.Error("told after the end")
	default:
	}
	<-lazy
}
