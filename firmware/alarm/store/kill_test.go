package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"mien/firmware/alarm"
)

// TestMain lets the test program be the unit that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("MIEN_STORE_CHILD"); dir != "" {
		child(dir)
		return
	}
	os.Exit(m.Run())
}

var childSignals = []string{"s", "t", "u", "v"}

func childDefinitions() []alarm.Definition {
	var defs []alarm.Definition
	for i := range 12 {
		defs = append(defs, alarm.Definition{Name: fmt.Sprintf("alarm %d", i), Conditions: []alarm.Condition{{Signal: childSignals[i%4], Limit: 0.3 + float32(i)/20, Deadband: 0.05}},
			Latch: i%2 == 0, Priority: alarm.Priority(1 + i%4), Horn: true, MaxShelve: time.Hour, UnknownHold: time.Second})
	}
	return defs
}

// child raises, acknowledges, resets and shelves alarms as fast as it can, for
// ever. It says each event on its standard output before it hands it to the
// store, and what the store calls durable after.
func child(dir string) {
	s, found, err := Open(Options{Dir: dir, JournalBytes: 512 << 10, Delay: 2 * time.Millisecond, StateEvery: 15 * time.Millisecond})
	if err != nil {
		panic(err)
	}
	engine, err := alarm.New(childDefinitions(), childSignals, alarm.Options{})
	if err != nil {
		panic(err)
	}
	begun := time.Now()
	var saved alarm.Saved
	say := func(events []alarm.Event) {
		var b strings.Builder
		for _, ev := range events {
			fmt.Fprintf(&b, "E %d %d %s\n", ev.Number, ev.Life, ev.Alarm)
		}
		if b.Len() > 0 {
			os.Stdout.WriteString(b.String())
		}
		s.Put(events)
		engine.Save(&saved)
		s.Keep(&saved)
	}
	fmt.Printf("S %d %d\n", found.Saved.Start+1, len(found.Notes))
	say(engine.Restore(found.Saved, 0, begun))
	random := rand.New(rand.NewPCG(uint64(os.Getpid()), 1))
	levels := make([]float32, 4)
	for n := uint64(0); ; n++ {
		for i := range levels {
			levels[i] = min(max(levels[i]+float32(random.NormFloat64()*0.2), 0), 1)
		}
		at, wall := time.Since(begun), time.Now()
		say(engine.Step(alarm.Reading{At: at, Wall: wall, Sequence: n, Levels: levels}))
		if random.IntN(4) == 0 {
			do := []alarm.Trigger{alarm.Acknowledge, alarm.Reset, alarm.Shelve, alarm.Unshelve}[random.IntN(4)]
			events, _ := engine.Do(alarm.Command{Do: do, Alarm: fmt.Sprintf("alarm %d", random.IntN(12)), For: time.Minute, Who: "child", At: at, Wall: wall})
			say(events)
		}
		fmt.Fprintf(os.Stdout, "D %d\n", s.Durable())
		if n%8 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

// A unit under load is killed at random moments. What it had called durable is
// there, in sequence, and each start goes on from it.
func TestKill9(t *testing.T) {
	rounds := 100
	if testing.Short() {
		rounds = 20
	}
	if n, err := strconv.Atoi(os.Getenv("MIEN_KILLS")); err == nil {
		rounds = n
	}
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(20260102, 9))
	lives := make(map[string]alarm.State) // by what the children said
	var last, events, lost uint64
	for round := 1; round <= rounds; round++ {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), "MIEN_STORE_CHILD="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Counted in events and not in time, of which a busy machine makes nothing.
		after, wait := random.IntN(160), time.Duration(random.IntN(3000))*time.Microsecond
		type said struct {
			number uint64
			life   alarm.State
			name   string
		}
		var list []said
		var durable, start uint64
		killed := false
		lines := bufio.NewReader(out)
		var stop *time.Timer
		for {
			line, err := lines.ReadString('\n')
			if err == io.EOF {
				break // a torn last line tells nothing
			}
			if err != nil {
				t.Fatal(err)
			}
			words := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4)
			number, _ := strconv.ParseUint(words[1], 10, 64)
			switch words[0] {
			case "S":
				start = number
				killed = true
			case "E":
				life, _ := strconv.Atoi(words[2])
				list = append(list, said{number, alarm.State(life), words[3]})
			case "D":
				durable = number
			}
			if killed && stop == nil && len(list) >= after {
				stop = time.AfterFunc(wait, func() { cmd.Process.Kill() })
			}
		}
		err = cmd.Wait()
		if !killed {
			t.Fatalf("round %d: the start was refused: %v", round, err)
		}
		if stop != nil {
			stop.Stop()
		}
		if !strings.Contains(fmt.Sprint(err), "killed") {
			t.Fatalf("round %d: ended by itself: %v", round, err)
		}

		s, found := ready(Options{Dir: dir})
		if len(found.Notes) > 0 {
			t.Logf("round %d: %v", round, found.Notes)
		}
		if st := s.Status(); st.Err != nil {
			t.Fatalf("round %d: %+v", round, st)
		}
		number := found.Saved.Number
		if number < durable {
			lost += durable - number
			t.Errorf("round %d: %d was called durable, %d is there", round, durable, number)
		}
		if uint64(found.Saved.Start) != start && number > last {
			t.Errorf("round %d: start %d, found %d", round, start, found.Saved.Start)
		}
		for _, e := range list {
			if e.number <= number && e.name != "" {
				lives[e.name] = e.life
			}
		}
		got := make(map[string]alarm.State)
		for _, a := range found.Saved.Alarms {
			got[a.Name] = a.Life
		}
		for name, life := range lives {
			if got[name] != life {
				t.Errorf("round %d: %s is %v, was %v", round, name, got[name], life)
			}
		}
		read, err := s.Events(0, 1<<30)
		if err != nil || len(read) == 0 && number > 0 {
			t.Fatalf("round %d: %v, %d events", round, err, len(read))
		}
		rising(t, read)
		for i := max(1, len(read)-int(number-last)); i < len(read); i++ { // of the events since the last round
			if read[i].Number != read[i-1].Number+1 {
				t.Errorf("round %d: event %d after %d", round, read[i].Number, read[i-1].Number)
			}
		}
		if len(read) > 0 && read[len(read)-1].Number > number {
			t.Errorf("round %d: the journal has %d, the state %d", round, read[len(read)-1].Number, number)
		}
		events += number - last
		last = number
		s.disk.release()
		if t.Failed() {
			t.FailNow()
		}
	}
	t.Logf("%d kills, %d events, %d lost", rounds, events, lost)
	if events < uint64(rounds) { // how many more is the machine's speed
		t.Errorf("only %d events in %d rounds: no load", events, rounds)
	}
}

// The goroutine and the real file system.
func TestOpenPutSyncClose(t *testing.T) {
	dir := t.TempDir() + "/not/yet/there"
	s, _, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	events := raises(1, 300)
	for i := 0; i < 300; i += 3 {
		s.Put(events[i : i+3])
	}
	if err := s.Sync(); err != nil || s.Durable() != 300 {
		t.Fatalf("%v, durable %d", err, s.Durable())
	}
	saved := replay(events)
	s.Keep(&saved)
	if _, _, err := Open(Options{Dir: dir}); !errors.Is(err, ErrTaken) {
		t.Errorf("two stores in one folder: %v", err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Sync(); err == nil {
		t.Error("synced after Close")
	}
	again, found, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if found.Saved.Number != 300 || found.Events != 0 || len(found.Notes) > 0 || len(found.Saved.Alarms) != len(saved.Alarms) {
		t.Errorf("%+v", found)
	}
	if read, err := again.Events(0, 1000); err != nil || !reflect.DeepEqual(read, events) {
		t.Errorf("%v, %d events", err, len(read))
	}
}

// A folder that is a file, for one: the unit starts, and says so.
func TestOpenWhereNothingCanBeWritten(t *testing.T) {
	path := t.TempDir() + "/file"
	os.WriteFile(path, nil, 0o600)
	s, found, err := Open(Options{Dir: path + "/state"})
	if err != nil {
		t.Fatal(err)
	}
	s.Put(raises(1, 5))
	if err := s.Sync(); err == nil {
		t.Error("synced into nowhere")
	}
	if st := s.Status(); st.Err == nil || st.Queued != 5 || found.Saved.Number != 0 {
		t.Errorf("%+v", st)
	}
	if read, err := s.Events(0, 10); len(read) != 5 {
		t.Errorf("%v %v", err, read)
	}
	os.Remove(path)
	if err := s.Sync(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
