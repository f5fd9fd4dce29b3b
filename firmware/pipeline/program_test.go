package pipeline

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mien/drivers/camera"
	"mien/firmware/config"
	"mien/firmware/health"
)

// A program as the camera: it hangs, is killed, will not start, and each time it is a
// lost camera, in safe state, with its last words, and back by itself; it ends with
// the unit.
func TestProgramAsCamera(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for i, p := range pictures(t, neutralFrom, neutralTo) {
		if err := os.WriteFile(path(fmt.Sprintf("%03d.jpg", i)), p, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	script := fmt.Sprintf(`cd %s; echo $$ >pid; echo x >>starts
if [ -e broken ]; then echo 'no cameras available' >&2; exit 7; fi
while :; do for f in *.jpg; do cat $f; sleep 0.05; done; done`, dir)
	b := newBench(t, "", func(o *Options) {
		o.Config.Camera.Command = []string{"sh", "-c", script}
		o.OpenSource = func(c config.Camera) (camera.Source, error) { return OpenSource(c) }
	})
	starts := func() int { text, _ := os.ReadFile(path("starts")); return strings.Count(string(text), "x") }
	pid := func() int {
		text, _ := os.ReadFile(path("pid"))
		n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return n
	}
	b.until("results", b.trusted)
	if b.count("F01") != 0 {
		t.Error("a start is no fault")
	}
	for what, sig := range map[string]unix.Signal{"no frame for": unix.SIGSTOP, "it was killed": unix.SIGKILL} {
		before := starts()
		if err := unix.Kill(-pid(), sig); err != nil {
			t.Fatal(err)
		}
		b.until("the fault", b.fault(health.CameraLost))
		b.told(what)
		b.until("the fault line", func() bool { return b.chip.High(pin(3)) })
		b.until("the camera is back", b.trusted)
		if starts() == before {
			t.Error("it was not started again")
		}
	}
	if err := os.WriteFile(path("broken"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	unix.Kill(-pid(), unix.SIGKILL)
	b.until("the fault", b.fault(health.CameraLost))
	before := starts()
	time.Sleep(1500 * time.Millisecond)
	// From 50 ms up to 200 ms, and the time to start.
	if n := starts() - before; n < 2 || n > 12 {
		t.Errorf("started %d times in 1.5 s", n)
	}
	b.told("it ended: exit status 7; it said: no cameras available")
	if err := os.Remove(path("broken")); err != nil {
		t.Fatal(err)
	}
	b.until("the camera is back", b.trusted)
	last := pid()
	b.end()
	if err := unix.Kill(last, 0); err != unix.ESRCH {
		t.Errorf("the program lives on: %v", err)
	}
}

// A program that has not given a picture yet is starting, for a while.
func TestProgramMayStart(t *testing.T) {
	const stale, starts = 500 * time.Millisecond, 10 * time.Second
	a := arrivals{stale: stale}
	a.opened(0, starts)
	for at, want := range map[time.Duration]bool{time.Second: false, starts - 1: false, starts: true} {
		if lost, reopen := a.lost(at, false); lost != want || reopen != want {
			t.Errorf("after %v: lost %v, opened again %v", at, lost, reopen)
		}
	}
	a.frame(starts/2, true)
	if lost, _ := a.lost(starts/2+stale, false); !lost {
		t.Error("with its first picture it is a camera as any other")
	}
}
