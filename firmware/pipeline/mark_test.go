package pipeline

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/pilot"
	"mien/firmware/pipeline/rig"
	"mien/firmware/state"
)

// Marks, drills and pilots come as commands like all others, are journaled with who
// gave them, and shown in the state.
func TestPilotByCommand(t *testing.T) {
	cfg, err := config.Parse("test.toml", []byte("[pilot]\nrecord = true\n[[alarm]]\nname = \"brow\"\nsignal = \"au4\"\nhigh = 0.5\non_delay = \"0s\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	var told []alarm.Event
	clock := 1000 * time.Hour
	u, err := New(Options{Config: cfg, Host: rig.New(nil).Chip, Resolve: rig.Resolve, PilotDir: filepath.Join(t.TempDir(), "pilot"), OnEvent: func(ev alarm.Event) { told = append(told, ev) }})
	if err != nil {
		t.Fatal(err)
	}
	u.now = func() time.Duration { return clock }
	u.started = clock
	do := func(c state.Command) (string, error) {
		told = nil
		r, err := u.Do("anna", []state.Command{c})
		if len(told) == 0 || told[len(told)-1].Who != "anna" || told[len(told)-1].Trigger != alarm.Note {
			t.Errorf("%v is not in the journal with who gave it: %v", c, told)
		}
		if len(r.Done) == 0 {
			return "", err
		}
		return r.Done[0].Cause, err
	}
	mark := func(truth state.Truth) state.Command {
		return state.Command{Do: state.MarkAlarm, Mark: state.Mark{Truth: truth}}
	}
	if _, err := do(mark(state.Right)); !errors.Is(err, alarm.ErrRefused) || u.state.Pilot.Marked != state.NotFound {
		t.Errorf("a mark without an alarm: %v", err)
	}
	levels := make([]float32, len(u.network.signals))
	for i := range levels {
		levels[i] = 0.9
	}
	step := func(l []float32) {
		clock += 30 * time.Millisecond
		u.mu.Lock()
		defer u.mu.Unlock()
		u.step(&pilot.Frame{Eye: true, Result: true, Trusted: true, Now: clock, At: clock}, &Sight{Levels: l})
	}
	step(levels)
	step(levels)
	if text, err := do(mark(state.Right)); err != nil || !strings.Contains(text, "brow") {
		t.Errorf("%q, %v", text, err)
	}
	if text, err := do(mark(state.Right)); err != nil || !strings.Contains(text, "as was said before") || u.state.Pilot.Marked != state.Again {
		t.Errorf("twice: %q, %v", text, err)
	}
	if text, err := do(mark(state.False)); err != nil || !strings.Contains(text, "in place of right") {
		t.Errorf("corrected: %q, %v", text, err)
	}
	if p := u.state.Pilot; p.Right != 0 || p.False != 1 || p.Marked != state.Found {
		t.Errorf("%+v", p)
	}
	// Only who changed the recordings waits for their disk.
	if r, err := u.Do("anna", []state.Command{state.On(alarm.Command{Do: alarm.Silence})}); err != nil || r.Pilot != 0 {
		t.Errorf("an acknowledgement waits for change %d of the recordings, %v", r.Pilot, err)
	}
	drill := state.Command{Do: state.Drill, Drill: &state.DrillStep{Script: "eyes", Number: "1", Present: []string{"au4"}}}
	if _, err := do(drill); !errors.Is(err, alarm.ErrRefused) {
		t.Errorf("a drill that nobody records: %v", err)
	}
	start := state.Command{Do: state.StartPilot, For: time.Hour, Text: "a test"}
	if text, err := do(start); err != nil || !strings.Contains(text, "a test") {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := do(start); !errors.Is(err, pilot.ErrRunning) {
		t.Errorf("started twice: %v", err)
	}
	if _, err := u.Do("anna", []state.Command{start, state.On(alarm.Command{Do: alarm.Acknowledge})}); !errors.Is(err, alarm.ErrInvalid) {
		t.Errorf("among others: %v", err)
	}
	u.expire(clock)
	if p := u.state.Pilot; !p.Recording || p.Purpose != "a test" || !p.Allowed {
		t.Errorf("%+v", p)
	}
	if _, err := do(state.Command{Do: state.StopPilot}); err != nil {
		t.Error(err)
	}
	if _, err := do(state.Command{Do: state.StopPilot}); !errors.Is(err, pilot.ErrNotRunning) {
		t.Error(err)
	}
	if _, err := do(state.Command{Do: state.ErasePilot}); err != nil {
		t.Error(err)
	}
	for word, truth := range map[config.Press]state.Truth{config.MarkRight: state.Right, config.MarkFalse: state.False, config.MarkMissed: state.Missed} {
		if does := buttonDoes(config.Input{Function: word}); len(does) != 1 || does[0].Do != state.MarkAlarm || does[0].Mark.Truth != truth {
			t.Errorf("%s does %v", word, does)
		}
	}
}
