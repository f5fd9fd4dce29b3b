package pipeline

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/alarm/store"
	"mien/firmware/config"
	"mien/firmware/health"
	"mien/firmware/pilot"
	"mien/firmware/pipeline/rig"
	"mien/firmware/state"
	"mien/model/affect"
	"mien/model/face"
)

var recordedFrames = flag.Int("frames", 50_000, "frames of the test that a recording computed again gives what the unit told")

// life is a unit that is driven step by step, on a clock of its own: its engine,
// its commands, faults and reloads are the real ones, and its network's outputs are
// made up.
type life struct {
	tags   int // configs so far: each has another
	t      *testing.T
	random *rand.Rand
	dir    string
	saved  alarm.Saved

	unit   *Unit
	eye    *Eye
	cfg    *config.Config
	filter config.FilterKind
	stop   func()
	// The two clocks, which the keeper's goroutine reads too.
	nanoseconds, wallNanoseconds atomic.Int64
	raw                          []byte
	drift                        []float64
	reason                       face.Reason
	last                         bool // the frame before was read
	view                         int
	frames                       int
	levels                       map[time.Duration]uint64 // of each frame, by when its result came: a sum over those of no emotion
}

const lifeConfig = `
[unit]
purpose = %q
purpose_reason = "test"
silence_max = "1m"
[pilot]
record = true
[clock]
settable = true
[modbus]
unlock = ["all"]
[[alarm]]
name = "brow"
signal = "au4"
high = %g
on_delay = "400ms"
off_delay = "300ms"
[[alarm]]
name = "eyes"
signal = "eyes_closed"
high = 0.7
on_delay = "200ms"
latch = true
suppress_by = ["squint"]
re_alarm = "1m"
[[alarm]]
name = "tired"
signal = "perclos"
high = 0.4
on_delay = "2s"
[[alarm]]
name = "squint"
%s
on_delay = "1s"
unknown_hold = "2s"
`

func (l *life) config() *config.Config {
	l.t.Helper()
	purpose, squint := "", `any = [{signal = "au6", high = 0.8}, {signal = "au12", high = 0.9}]`
	if l.random.IntN(2) == 0 {
		purpose, squint = "safety", `all = [{signal = "au6", high = 0.5}, {signal = "valence", low = 0.5}]`
	}
	text := fmt.Sprintf(lifeConfig, purpose, 0.4+0.05*float64(l.random.IntN(6)), squint)
	if l.random.IntN(3) == 0 {
		text = strings.Replace(text, `name = "brow"`, `name = "forehead"`, 1)
	}
	cfg, err := config.Parse("life.toml", []byte(text))
	if err != nil {
		l.t.Fatal(err)
	}
	cfg.Pilot.Tag = []string{"", "product A", "product B"}[l.tags%3]
	l.tags++
	cfg.Filter.Kind = l.filter // a reload of another one would start a watcher
	return cfg
}

func (l *life) clock() time.Duration { return time.Duration(l.nanoseconds.Load()) }
func (l *life) wall() time.Time      { return time.Unix(0, l.wallNanoseconds.Load()).UTC() }

// begin starts the unit, as after a restart.
func (l *life) begin() {
	l.t.Helper()
	l.filter = []config.FilterKind{config.Box, config.Gaussian}[l.random.IntN(2)]
	l.cfg = l.config()
	u, err := New(Options{Config: l.cfg, Host: rig.New(nil).Chip, Resolve: rig.Resolve, PilotDir: l.dir, Version: "test",
		Found: store.Found{Saved: l.saved}, Wall: l.wall,
		Boot: "a boot", Synced: func() bool { return false }, now: l.clock})
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var runs sync.WaitGroup
	runs.Add(1)
	go func() { defer runs.Done(); u.pilot.Run(ctx) }()
	l.unit, l.stop = u, func() { cancel(); runs.Wait() }
	l.open()
	u.pilot.Sync(10 * time.Second)
}

// sum is of those levels that say nothing of an emotion, NaN included.
func sum(signals []string, levels []float32) (sum uint64) {
	for i, name := range signals {
		if !config.Emotion(name) {
			sum = sum*1099511628211 + uint64(math.Float32bits(levels[i])) + 1
		}
	}
	return sum
}

// open opens the networks anew, as the watcher does.
func (l *life) open() {
	l.t.Helper()
	card, model, err := affect.Embedded()
	if err != nil {
		l.t.Fatal(err)
	}
	net, err := card.Unloaded(model)
	if err != nil {
		l.t.Fatal(err)
	}
	e := &Eye{networks: []*affect.Network{net}, settings: stageOf(l.cfg)}
	e.settings.PerclosWindow, e.settings.PerclosKnown = 8*time.Second, 3*time.Second
	if e.views, err = affect.NewViews(e.settings, net); err != nil {
		l.t.Fatal(err)
	}
	e.stage = e.views.Stage()
	l.eye, l.last = e, false
	if l.raw == nil {
		l.raw = make([]byte, net.RawSize(true))
		l.drift = make([]float64, len(l.raw))
	}
	l.last = false
	l.unit.pilot.Eye(e.made())
}

// pass lets time go on, with the supervisor's looks.
func (l *life) pass(d time.Duration) {
	const look = 50 * time.Millisecond
	for d > 0 {
		part := min(d, look)
		l.nanoseconds.Add(int64(part))
		l.wallNanoseconds.Add(int64(part + time.Duration(l.random.IntN(2000))*time.Nanosecond))
		d -= part
		if part == look {
			if !l.unit.health.Trusted(l.clock()) {
				l.unit.stale(l.clock(), l.wall())
			}
			l.unit.expire(l.clock())
		}
	}
}

// frame looks at one frame.
func (l *life) frame() {
	r := l.random
	for i := range l.raw { // outputs go up and down, as a face does
		l.drift[i] = 0.97*l.drift[i] + 12*r.NormFloat64()
		l.raw[i] = byte(int8(max(min(l.drift[i], 127), -128)))
	}
	if r.IntN(60) == 0 {
		l.reason = []face.Reason{face.Good, face.Good, face.Good, face.Missing, face.Turned, face.TooDark}[r.IntN(6)]
	}
	s := &l.eye.sight
	taken := l.clock() - time.Duration(5+r.IntN(20))*time.Millisecond
	*s = Sight{At: taken, Reason: l.reason, eye: l.eye}
	s.Light.Mean, s.Light.Contrast = float32(80+l.frames/500%50), 30
	if r.IntN(400) == 0 { // a damaged picture
		s.Reason = face.Missing
		s.Levels, _ = l.eye.views.Step(taken, false, 0, false)
		l.unit.unseen(s, l.clock())
		return
	}
	read := s.Reason == face.Good
	s.Paired = read && l.last
	if l.view = 1 - l.view; !s.Paired {
		l.view = 0
	}
	l.last = read
	s.View.Found = s.Reason != face.Missing
	s.Mirrored = l.view == 1
	if read {
		if err := l.eye.views.ReadRaw(l.raw, true, l.view); err != nil {
			l.t.Fatal(err)
		}
		n := l.eye.networks[0]
		s.Said = [2][]byte{n.AppendRaw(nil, false), n.AppendRaw(nil, true)}
	}
	s.Levels, s.Covered = l.eye.views.Step(taken, read, l.view, s.Paired)
	l.levels[l.clock()] = sum(l.unit.network.signals, s.Levels)
	l.unit.result(s, l.unit.network.signals, 0, l.clock())
	l.frames++
}

// command gives the unit something to do, possible or not.
func (l *life) command() {
	r := l.random
	who := []string{"modbus /dev/ttyS0", "input ack", "anna", "ben", "a name that is much too long to be one, and has more than sixty-four bytes"}[r.IntN(5)]
	names := []string{"brow", "eyes", "tired", "squint", "forehead", "nobody", ""}
	do := []alarm.Trigger{alarm.Acknowledge, alarm.Acknowledge, alarm.Acknowledge, alarm.Reset, alarm.Reset, alarm.Silence, alarm.Shelve,
		alarm.Unshelve, alarm.TakeOut, alarm.PutBack, alarm.PutBack, alarm.Inhibit, alarm.Uninhibit, alarm.SetLimits, alarm.Note}[r.IntN(15)]
	c := alarm.Command{Do: do, Alarm: names[r.IntN(len(names))], For: time.Duration(r.IntN(20)) * time.Second, Text: "said by a person, Müller",
		Limits: alarm.Limits{Limit: float32(r.IntN(10)) / 10, Deadband: 0.05, OnDelay: time.Duration(r.IntN(900)) * time.Millisecond}}
	batch := []state.Command{state.On(c)}
	if r.IntN(10) == 0 {
		batch = append(batch, state.On(alarm.Command{Do: alarm.Acknowledge}))
	}
	times := 1
	if r.IntN(300) == 0 {
		times = 150 // a source that gives too many
	}
	for range times {
		l.unit.Do(who, batch)
	}
}

// restart ends the unit, and begins it again, some time later on another clock.
func (l *life) restart() {
	l.settle()
	l.unit.mu.Lock()
	l.unit.engine.Save(&l.saved)
	l.unit.mu.Unlock()
	l.stop()
	l.nanoseconds.Add(int64(time.Duration(1+l.random.IntN(1000)) * time.Second))
	l.wallNanoseconds.Add(int64(time.Minute))
	l.begin()
}

// settle writes what is recorded.
func (l *life) settle() { l.unit.pilot.Sync(10 * time.Second) }

// TestRecordingsComputedAgain: over restarts, reloads, faults, gaps, commands and
// people who leave, a recording gives the alarm events that the unit told, each at
// the same frame and in every field.
func TestRecordingsComputedAgain(t *testing.T) {
	l := &life{t: t, levels: make(map[time.Duration]uint64), random: rand.New(rand.NewPCG(20261201, 18)), dir: filepath.Join(t.TempDir(), "pilot")}
	l.nanoseconds.Store(int64(time.Hour))
	l.wallNanoseconds.Store(time.Now().UnixNano()) // by which files are not too old
	l.begin()
	if _, err := l.unit.pilot.Start(pilot.Longest, "a test"); err != nil {
		t.Fatal(err)
	}
	l.settle()
	l.wallNanoseconds.Add(int64(120 * time.Hour)) // it is set back too, and nothing is recorded before the pilot's begin
	r := l.random
	fault := health.CameraDark
	restarts, reloads, faults := 0, 0, 0
	for l.frames < *recordedFrames {
		l.pass(time.Duration(28+r.IntN(10)) * time.Millisecond)
		l.frame()
		switch n := r.IntN(5000); {
		case n < 40:
			l.command()
		case n < 45:
			l.pass(time.Duration(r.IntN(4000)) * time.Millisecond)
		case n < 50:
			fault = []health.Fault{health.CameraDark, health.CameraFrozen, health.InputStuck}[r.IntN(3)]
			l.unit.health.Begin(fault, l.clock(), "for a test")
			faults++
		case n < 65:
			l.unit.health.End(fault)
		case n < 68:
			l.cfg = l.config()
			if err := l.unit.reload(context.Background(), replacement{cfg: l.cfg}); err != nil {
				t.Fatal(err)
			}
			reloads++
		case n < 70:
			l.open()
		case n < 72:
			l.wallNanoseconds.Add(int64(time.Duration(r.IntN(7200)-3600) * time.Second))
		case n < 76:
			l.unit.pilot.Anew()
		case n == 77:
			l.unit.syncedIs(r.IntN(3) > 0)
		case n == 78:
			l.unit.Do("modbus", []state.Command{{Do: state.SetClock, Time: l.wall().Add(time.Duration(r.IntN(72)) * time.Hour)}})
		case n == 76 && l.frames > 2000*restarts:
			l.restart()
			restarts++
		}
		// What must begin anew twice before it was written is left out in between.
		if l.frames%500 == 0 || !l.unit.pilot.Records() && r.IntN(10) == 0 {
			l.settle()
		}
	}
	l.settle()
	l.stop()

	files, size := pilot.Files(l.dir)
	raised := map[string]int{}
	var signals []string
	tags := map[string]bool{}
	wrong := 0
	sum, err := pilot.Replay(files, nil, pilot.Visitor{
		Begin: func(b *pilot.Beginning) { signals, tags[b.Tag] = b.Alarms.Signals, true },
		Frame: func(f *pilot.Frame, levels []float32) {
			if want, known := l.levels[f.Now]; f.Eye && f.Trusted && (!known || sum(signals, levels) != want) {
				if wrong++; wrong < 10 {
					t.Errorf("frame %d at %v, mirrored %v, paired %v: its levels differ (known %v)", f.Sequence, f.Now, f.Mirrored, f.Paired, known)
				}
			}
		},
		Event: func(ev alarm.Event, again bool) {
			if again {
				raised[ev.Trigger.String()]++
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d frames in %d files, %.1f bytes a frame; %d restarts, %d reloads, %d faults; %d events: %v", sum.Frames, sum.Files,
		float64(size)/float64(sum.Frames), restarts, reloads, faults, sum.Again, raised)
	if sum.Frames < uint64(l.frames)*98/100 {
		t.Errorf("%d frames were given, %d are in the recordings", l.frames, sum.Frames)
	}
	if sum.Differs > 0 || sum.Live != sum.Again || len(sum.Damage) > 0 || sum.Dropped > 0 {
		t.Errorf("%d of %d events differ (%d computed), %d dropped, damage %v:\n%s", sum.Differs, sum.Live, sum.Again, sum.Dropped, sum.Damage, strings.Join(sum.Differ, "\n"))
	}
	if !tags[""] || !tags["product A"] || !tags["product B"] || len(tags) != 3 {
		t.Errorf("the recordings have the groups %v", tags)
	}
	if least := *recordedFrames / 500; sum.Live < least || raised["raise"] < 20 || restarts < 2 || reloads < 5 || faults < 5 {
		t.Errorf("too little happened: %d events, raised %v", sum.Live, raised)
	}
}
