package health

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

const s = time.Second

func TestTrustNeedsFreshResultsAndNoStop(t *testing.T) {
	m := New(s)
	if m.Trusted(0) {
		t.Error("trusted before any result")
	}
	m.Result(10 * s)
	if !m.Trusted(11*s) || m.Trusted(11*s+1) {
		t.Error("a result counts for exactly the stale time")
	}
	m.Begin(StorageFailed, 10*s, "disk full")
	if !m.Trusted(10 * s) {
		t.Error("a fault that degrades took the trust away")
	}
	m.Begin(CameraDark, 10*s, "black")
	m.Begin(CameraDark, 11*s, "blacker")
	if m.Trusted(10 * s) {
		t.Error("trusted in the dark")
	}
	if l := m.List(nil); len(l) != 2 || l[0] != (Active{CameraDark, 10 * s, "black"}) || l[1].Fault != StorageFailed {
		t.Errorf("list %v", l)
	}
	if m.Word() != CameraDark.Bit()|StorageFailed.Bit() {
		t.Errorf("word %04x", m.Word())
	}
	m.End(CameraDark)
	m.End(CameraDark)
	if !m.Trusted(10*s) || m.On(CameraDark) {
		t.Error("the ended fault still stops")
	}
	want := []Change{{StorageFailed, true, "disk full"}, {CameraDark, true, "black"}, {CameraDark, false, "black"}}
	if list, untold := m.Changes(nil); !slices.Equal(list, want) || untold != 0 {
		t.Errorf("changes %v, %d untold", list, untold)
	}
	if list, _ := m.Changes(nil); len(list) != 0 {
		t.Errorf("told twice: %v", list)
	}
}

// Changes that nobody takes cost no more memory than their bound; the newest are
// kept, in order, and how many are lost is told.
func TestChangesThatNobodyTakes(t *testing.T) {
	m := New(s)
	for range 1000 {
		m.Begin(CameraLost, s, "gone")
		m.End(CameraLost)
	}
	list, untold := m.Changes(nil)
	if len(list) != mostChanges || untold != 2000-mostChanges || cap(m.changes) != mostChanges {
		t.Errorf("%d changes of room for %d, %d untold", len(list), cap(m.changes), untold)
	}
	for i, c := range list {
		if c.Began != (i%2 == 0) {
			t.Fatalf("change %d: %v", i, c)
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		m.Begin(CameraLost, s, "gone")
		m.End(CameraLost)
		list, _ = m.Changes(list[:0])
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestTableIsWhole(t *testing.T) {
	codes := map[string]bool{}
	for _, f := range Faults() {
		i := f.Info()
		if i.Code == "" || i.Name == "" || i.Text == "" || i.Detect <= 0 || i.Back == "" || codes[i.Code] {
			t.Errorf("fault %d: %+v", f, i)
		}
		codes[i.Code] = true
	}
	if faults > 32 {
		t.Error("the fault words have 32 bits")
	}
}

func TestHeldFrozenBackoff(t *testing.T) {
	h := Held{For: 2 * s}
	for _, c := range []struct {
		at        time.Duration
		cause, on bool
	}{{1 * s, true, false}, {2 * s, true, false}, {3 * s, true, true}, {4 * s, false, false}, {5 * s, true, false}} {
		if got := h.Update(c.cause, c.at); got != c.on {
			t.Errorf("held at %v: %v", c.at, got)
		}
	}
	f := Frozen{Held: Held{For: s}}
	for i, c := range []struct {
		hash uint64
		on   bool
	}{{7, false}, {7, false}, {7, true}, {8, false}, {8, false}, {8, true}} {
		if got := f.Update(c.hash, time.Duration(i+1)*s); got != c.on {
			t.Errorf("frozen %d: %v", i, got)
		}
	}
	for i := range few + 2 {
		if f.Update(uint64(10+i), time.Duration(20+i)*s); f.Lively() != (i >= few-1) {
			t.Errorf("picture %d after standing: lively %v", i+1, f.Lively())
		}
	}
	b := Backoff{First: s, Most: 5 * s}
	for _, want := range []time.Duration{s, 2 * s, 4 * s, 5 * s, 5 * s} {
		if got := b.Next(); got != want {
			t.Errorf("backoff %v, want %v", got, want)
		}
	}
	b.Reset()
	if b.Next() != s {
		t.Error("backoff not reset")
	}
}

// What a camera may send for a minute, by the number of each picture, and
// whether that is frozen: 3.5 s after it began at 15 pictures a second, and once a
// few pictures have come again at fewer.
func TestFrozenPatterns(t *testing.T) {
	for _, rate := range []int{15, 5, 2} {
		t.Run(fmt.Sprintf("%d a second", rate), func(t *testing.T) { frozenPatterns(t, s/time.Duration(rate)) })
	}
}

func frozenPatterns(t *testing.T, period time.Duration) {
	for _, c := range []struct {
		name    string
		picture func(i int) int
		frozen  bool
	}{
		{"each another", func(i int) int { return i }, false},
		{"one", func(i int) int { return 7 }, true},
		{"two in turn", func(i int) int { return i % 2 }, true},
		{"three in turn", func(i int) int { return i % 3 }, true},
		{"four buffers in turn", func(i int) int { return i % 4 }, true},
		{"eight buffers in turn", func(i int) int { return i % 8 }, true},
		{"twelve in turn", func(i int) int { return i % 12 }, true},
		{"a new one now and then", func(i int) int { return i / 20 }, true},
		{"each twice", func(i int) int { return i / 2 }, false},
		{"each five times", func(i int) int { return i / 5 }, false},
		{"a loop of 15", func(i int) int { return i % 15 }, false},
		{"a loop of 15, half its frames lost", func(i int) int { return 2 * i % 15 }, false},
	} {
		f := Frozen{Held: Held{For: 3 * s}}
		for i := range 15 * 60 {
			at := s + time.Duration(i)*period
			switch on := f.Update(uint64(1000+c.picture(i)), at); {
			case on && (!c.frozen || at < 4*s-period):
				t.Fatalf("%s: frozen after %v", c.name, at-s)
			case !on && c.frozen && at > s+3*s+max(s/2, 13*period):
				t.Fatalf("%s: not frozen after %v", c.name, at-s)
			}
		}
		for i := range 2 * few { // it moves again
			on := f.Update(uint64(5000+i), 100*s+time.Duration(i)*period)
			if i >= maxDebt/pardon-1 && on || i >= maxDebt/pardon-1+few && !f.Lively() {
				t.Errorf("%s: %d new pictures, frozen %v, lively %v", c.name, i+1, on, f.Lively())
			}
		}
	}
}

// A camera that shows up to twelve pictures in turn is opened again and again, and
// begins its turn anew each time: it never counts as alive.
func TestFrozenTurnThatBeginsAnew(t *testing.T) {
	for n := 1; n <= few; n++ {
		for frames := 1; frames <= 100; frames++ { // between two openings, at least
			f := Frozen{Held: Held{For: 3 * s}}
			at, picture, since, on := s, 0, 0, false
			for range 3000 {
				at += s / 15
				on = f.Update(uint64(picture%n), at)
				picture++
				if since++; on && since >= frames {
					picture, since = 0, 0
				}
				if at > 6*s && !on && f.Lively() {
					t.Fatalf("%d in turn, opened after %d frames: alive at %v", n, frames, at)
				}
			}
		}
	}
}

// Whatever the rate, and however uneven, the window shows it to within one event,
// and says nothing before it is whole.
func TestRate(t *testing.T) {
	const tick = 50 * time.Millisecond
	for _, rate := range []float64{0.1, 0.3, 0.5, 1, 2, 5, 12.5, 30} {
		for _, burst := range []int{1, 2, 5} {
			r := Rate{Window: max(2*s, time.Duration(4/rate*1e9))}
			due := 0.0
			for at := tick; at < 5*r.Window; at += tick {
				n := 0
				for due += rate * tick.Seconds(); due >= float64(burst); due -= float64(burst) {
					n += burst
				}
				r.Add(n, tick)
				got, known := r.PerSecond()
				if known != (at >= r.Window) {
					t.Fatalf("%v/s, at %v: known %v", rate, at, known)
				}
				if off := math.Abs(got-rate) * r.Window.Seconds(); known && off > float64(burst)+0.1*rate*r.Window.Seconds() {
					t.Fatalf("%v/s in bursts of %d, at %v: %v/s", rate, burst, at, got)
				}
			}
			r.Add(0, r.Window) // a moment in which nobody looked
			for range len(r.slots) {
				r.Add(0, r.Window)
			}
			if got, known := r.PerSecond(); !known || got != 0 {
				t.Errorf("%v/s after a long pause, known %v", got, known)
			}
		}
	}
}

func TestClockJump(t *testing.T) {
	c := ClockJump{Limit: 2 * s}
	wall := time.Unix(1000, 0)
	for i, step := range []struct{ wall, jump time.Duration }{{0, 0}, {s, 0}, {3601 * s, 3599 * s}, {3602 * s, 0}, {3 * s, -3600 * s}} {
		if got := c.Update(wall.Add(step.wall), time.Duration(i)*s); got != step.jump {
			t.Errorf("step %d: jump %v, want %v", i, got, step.jump)
		}
	}
}

// manager is a service manager's socket, its path, and a Notifier that speaks to
// it.
func manager(t *testing.T) (*net.UnixConn, string, *Notifier) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	n, err := Notify()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return l, path, n
}

func TestNotifySpeaksToTheManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if n, err := Notify(); n != nil || err != nil || n.Send("READY=1") != nil || n.Close() != nil {
		t.Error("without a manager nothing should happen")
	}
	l, path, n := manager(t)
	if err := n.Send("WATCHDOG=1"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64)
	k, err := l.Read(b)
	if err != nil || string(b[:k]) != "WATCHDOG=1" {
		t.Errorf("got %q %v", b[:k], err)
	}
	t.Setenv("NOTIFY_SOCKET", path+"-none")
	if _, err := Notify(); err == nil {
		t.Error("no error for a socket that is not there")
	}
}

// A manager that does not listen holds nobody.
func TestNotifyDoesNotWait(t *testing.T) {
	_, _, n := manager(t)
	told := make(chan error, 1)
	go func() {
		for {
			if err := n.Send("WATCHDOG=1"); err != nil {
				told <- err
				return
			}
		}
	}()
	select {
	case err := <-told:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it waits")
	}
}

func TestKeepAlive(t *testing.T) {
	for _, c := range []struct {
		usec, pid string
		want      time.Duration
	}{{"", "", 0}, {"x", "", 0}, {"-5", "", 0}, {"2000000", "", 2 * s}, {"2000000", "1", 0}} {
		t.Setenv("WATCHDOG_USEC", c.usec)
		t.Setenv("WATCHDOG_PID", c.pid)
		if got := KeepAlive(); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestAliveNeedsATurningLoopAndAResultNowAndThen(t *testing.T) {
	m := New(s)
	at := 1000 * s
	if m.Alive(at) {
		t.Error("alive before the loop turned")
	}
	m.Turn(at)
	if !m.Alive(at+turnWithin) || m.Alive(at+turnWithin+1) {
		t.Error("a hanging loop is alive for exactly one turn")
	}
	if m.Trusted(at) {
		t.Error("a turn counts as a result")
	}
	for now := at; now <= at+2*ResultWithin; now += s {
		m.Turn(now)
		if want := now-at <= ResultWithin; m.Alive(now) != want {
			t.Fatalf("alive %v after %v without a result", !want, now-at)
		}
	}
	at += 2 * ResultWithin
	m.Result(at)
	if !m.Alive(at) {
		t.Error("not alive with a result")
	}
	if m.Undriven(at) != 0 {
		t.Error("lines that nobody began to drive count")
	}
	m.Drive(at)
	m.Turn(at + turnWithin + 1)
	if m.Undriven(at+s) != s || !m.Alive(at+turnWithin) || m.Alive(at+turnWithin+1) {
		t.Error("lines that hang are alive for exactly one turn")
	}
}

// Results flow once they have come for a second without a gap, or for as long as one
// stays fresh where that is less; bursts of them do not.
func TestFlows(t *testing.T) {
	for _, c := range []struct {
		stale time.Duration
		apart []time.Duration // between results, in turn
		after time.Duration   // 0: never
	}{
		{s, []time.Duration{s / 30}, s},
		{s, []time.Duration{s}, s},
		{s, []time.Duration{s + s/100}, 0},
		{s, []time.Duration{s / 10, s / 10, s / 10, 3 * s / 2}, 0},
		{s / 5, []time.Duration{s / 30}, s / 5},
		{20 * s, []time.Duration{3 * s}, 3 * s},
		{time.Minute, []time.Duration{s / 2}, s},
	} {
		m := New(c.stale)
		flowed := time.Duration(0)
		for i, at := 0, 100*s; at < 200*s && flowed == 0; i++ {
			if m.Result(at); m.Flows(at) {
				flowed = max(at-100*s, 1)
			}
			at += c.apart[i%len(c.apart)]
		}
		if (flowed == 0) != (c.after == 0) || (flowed-c.after).Abs() > s/20 {
			t.Errorf("stale %v, results %v apart: flow after %v, want %v", c.stale, c.apart, flowed, c.after)
		}
		for at := 297 * s; at <= 300*s; at += s / 50 {
			m.Result(at)
		}
		if !m.Flows(300*s) || m.Flows(300*s+c.stale+s) {
			t.Errorf("stale %v: they do not flow, or do so after the last", c.stale)
		}
		m.Begin(CameraDark, 300*s, "a hand")
		if m.Flows(300 * s) {
			t.Error("they flow though a fault stops the unit")
		}
	}
}
