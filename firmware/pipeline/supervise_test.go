package pipeline

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mien/board"
	"mien/drivers/watchdog"
	"mien/firmware/alarm"
	"mien/firmware/health"
)

// What the supervisor does at each tick allocates nothing; reading the board's
// sensors, every five seconds, may.
func TestSupervisorAllocatesNothing(t *testing.T) {
	u := newIdle(t)
	at := u.now()
	s := &supervisor{unit: u, sensed: at + time.Hour, stated: at + time.Hour}
	wall := time.Unix(1_800_000_000, 0)
	tick := func() {
		at += 50 * time.Millisecond
		u.health.Turn(at)
		u.health.Result(at)
		s.look(at, wall.Add(at))
	}
	for range 20 {
		tick()
	}
	if n := testing.AllocsPerRun(200, tick); n != 0 {
		t.Errorf("%v allocations a tick", n)
	}
}

// Results that stay away although nothing reports an error are a fault: after a
// few seconds, and before the first one after a minute.
func TestSilenceIsAFault(t *testing.T) {
	u := newIdle(t)
	at := u.now()
	s := &supervisor{unit: u, sensed: at + time.Hour, stated: at + time.Hour}
	wall := time.Unix(1_800_000_000, 0)
	tick := func(lasts time.Duration, results bool) {
		for end := at + lasts; at < end; {
			at += 50 * time.Millisecond
			u.health.Turn(at)
			if results {
				u.health.Result(at)
			}
			s.look(at, wall.Add(at))
		}
	}
	expect := func(when string, want bool) {
		t.Helper()
		if u.health.On(health.TooSlow) != want {
			t.Errorf("%s: fault %v", when, !want)
		}
	}
	tick(firstSilence-time.Second, false)
	expect("a slow start", false)
	tick(2*time.Second, false)
	expect("a start that does not end", true)
	tick(3*time.Second, true)
	expect("with results", false)
	tick(silence-time.Second, false)
	expect("a pause", false)
	tick(2*time.Second, false)
	expect("a hang", true)
	tick(3*time.Second, true)
	u.health.Begin(health.CameraLost, at, "unplugged")
	tick(time.Minute, false)
	expect("a fault that explains it", false)
	u.health.End(health.CameraLost)
	tick(time.Second, false)
	expect("on the way back from it", false)
	tick(silence, false)
	expect("no way back from it", true)
	u.health.Begin(health.CameraLost, at, "unplugged")
	tick(time.Minute, false)
	expect("a second fault that explains nothing of the first", true)
	u.health.End(health.CameraLost)
	tick(3*time.Second, true)
	expect("with results again", false)
}

// The watchdogs, the machine's and systemd's, are fed while the pipeline's loop
// turns, through a time without a camera too, and not when it hangs.
func TestWatchdogsAreFedOnlyWhileAlive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	notifier, err := health.Notify()
	if err != nil {
		t.Fatal(err)
	}
	defer notifier.Close()
	u := newIdle(t)
	at := u.now()
	dog := &watchdog.Fake{Now: func() time.Duration { return at }, After: 5 * time.Second}
	s := &supervisor{unit: u, dog: dog, notifier: notifier, keepAlive: 6 * time.Second, sensed: at + time.Hour, stated: at + time.Hour}
	wall := time.Unix(1_800_000_000, 0)
	fed := func(lasts time.Duration, turns, results bool) (pings, kept int) {
		t.Helper()
		before := dog.Pings()
		buf := make([]byte, 64)
		for end := at + lasts; at < end; {
			at += 50 * time.Millisecond
			if turns {
				u.health.Turn(at)
			}
			if results {
				u.health.Result(at)
			}
			s.look(at, wall.Add(at))
			for {
				manager.SetReadDeadline(time.Now().Add(time.Millisecond / 10))
				n, err := manager.Read(buf)
				if err != nil {
					break
				}
				if string(buf[:n]) == "WATCHDOG=1" {
					kept++
				}
			}
		}
		return dog.Pings() - before, kept
	}
	if pings, kept := fed(20*time.Second, true, true); pings < 18 || kept < 9 || dog.Reset() {
		t.Errorf("in 20 s with results: %d pings, %d messages, reset %v", pings, kept, dog.Reset())
	}
	if pings, kept := fed(20*time.Second, true, false); pings < 18 || kept < 9 || dog.Reset() {
		t.Errorf("in 20 s without a camera: %d pings, %d messages, reset %v", pings, kept, dog.Reset())
	}
	fed(10*time.Second, false, false) // one turn may take that long
	if pings, kept := fed(20*time.Second, false, false); pings != 0 || kept != 0 || !dog.Reset() {
		t.Errorf("in a hang: %d pings, %d messages, reset %v", pings, kept, dog.Reset())
	}
}

// Under-voltage is a fault while it lasts; a dip between two looks is journaled,
// once.
func TestUnderVoltage(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, "sys/devices/platform/soc/soc:firmware/get_throttled")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	u := newIdle(t)
	notes := 0
	u.options.OnEvent = func(e alarm.Event) {
		if strings.Contains(e.Cause, "for a moment") {
			notes++
		}
	}
	s := &supervisor{unit: u, sensors: board.NewSensors(root, nil)}
	for i, look := range []struct {
		bits  string
		fault bool
		notes int
	}{{"0", false, 0}, {"50000", false, 1}, {"50000", false, 1}, {"50005", true, 1}, {"50000", false, 1}, {"0", false, 1}, {"50005", true, 1}, {"50000", false, 1}} {
		if err := os.WriteFile(file, []byte(look.bits+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		s.sense(u.now())
		if u.health.On(health.Overheated) != look.fault || notes != look.notes {
			t.Errorf("look %d, bits %s: fault %v, %d notes", i, look.bits, u.health.On(health.Overheated), notes)
		}
	}
}
