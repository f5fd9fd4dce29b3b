package pilot

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

var kills = flag.Int("kills", 8, "kills of the test that a kill loses at most 10 s; 40 at a time")

// asChild in the environment makes the test binary a unit that records into that
// folder, and writes the number of each frame to its standard output.
const asChild = "MIEN_PILOT_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asChild); dir != "" {
		u := newUnit(&testing.T{}, dir, nil)
		if !u.keeper.Status().Recording {
			u.keeper.Start(time.Hour, "to be killed")
		}
		out := bufio.NewWriter(os.Stdout)
		for {
			u.frames(1)
			fmt.Fprintf(out, "%d %d\n", u.number, time.Now().UnixNano())
			out.Flush()
			time.Sleep(10 * time.Millisecond)
		}
	}
	os.Exit(m.Run())
}

// A kill -9 at any moment loses at most the last 10 s of a recording, and nothing of
// what came before: neither in its file nor in those before it.
func TestKillLosesTenSecondsAtMost(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const most = 10 * time.Second
	var mu sync.Mutex // covers what is below
	known, runs := map[string]int{}, map[string]string{}
	oldest, cut, frames := time.Duration(0), 0, uint64(0)
	random := rand.New(rand.NewPCG(11, 12))
	once := func(dir string, lasts time.Duration) error {
		cmd := exec.Command(exe)
		cmd.Env = append(os.Environ(), asChild+"="+dir)
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		type said struct {
			n  uint64
			at int64
		}
		var list []said
		done := make(chan struct{})
		go func() {
			defer close(done)
			for lines := bufio.NewScanner(pipe); lines.Scan(); {
				var s said
				if n, _ := fmt.Sscan(lines.Text(), &s.n, &s.at); n == 2 {
					list = append(list, s)
				}
			}
		}()
		time.Sleep(lasts)
		killed := time.Now()
		cmd.Process.Kill()
		<-done
		cmd.Wait() // that it was killed is known
		files, _ := Files(dir)
		var last uint64
		run := ""
		sum, err := Replay(files, nil, Visitor{Frame: func(f *Frame, _ []float32) { last = f.Sequence }, Begin: func(b *Beginning) {
			if b.Run != run {
				run, last = b.Run, 0
			}
		}})
		if len(files) == 0 {
			sum, err = &Replayed{}, nil
		}
		if err != nil {
			return err
		}
		mu.Lock()
		if runs[dir] == run { // it was killed before its first file
			last = 0
		}
		runs[dir] = run
		fresh := len(sum.Damage) - known[dir] // those of former rounds are seen again
		known[dir] = len(sum.Damage)
		mu.Unlock()
		if sum.Differs > 0 || fresh > 1 {

			return fmt.Errorf("%d events differ, damage %v", sum.Differs, sum.Damage)
		}
		mu.Lock()
		defer mu.Unlock()
		cut += fresh
		frames += sum.Frames
		for _, s := range list {
			if s.n > last {
				age := killed.Sub(time.Unix(0, s.at))
				if oldest = max(oldest, age); age > most {
					return fmt.Errorf("a frame that was %v old is lost", age)
				}
				break
			}
		}
		return nil
	}
	dir := t.TempDir()
	for done := 0; done < *kills; {
		n := min(40, *kills-done)
		errs := make(chan error, n)
		for i := range n {
			lasts := 5*time.Second + time.Duration(random.Int64N(int64(7*time.Second)))
			go func() { errs <- once(filepath.Join(dir, fmt.Sprint(i)), lasts) }()
		}
		for range n {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		done += n
	}
	t.Logf("%d kills, %d frames kept, the oldest that was lost was %v old; %d files end within a chunk", *kills, frames, oldest, cut)
}
