package pipeline

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/alarm/store"
	"mien/firmware/config"
	"mien/firmware/health"
	"mien/firmware/pipeline/rig"
	"mien/firmware/state"
	"mien/model/face"
)

// days is a unit on clocks of its own, whose frames are made up.
type days struct {
	*Unit
	t      *testing.T
	dir    string
	at     time.Duration
	begun  time.Time
	notes  []string
	random *rand.Rand
	lower  float32 // brow
	store  *store.Store
	found  store.Found
}

func (d *days) start() {
	d.t.Helper()
	u, err := New(Options{Config: config.Default(), Host: rig.New(nil).Chip, Resolve: rig.Resolve, PilotDir: d.dir, Version: "test", Boot: "a boot",
		Store: d.store, Found: d.found, Wall: func() time.Time { return d.begun.Add(d.at) }, Synced: func() bool { return true },
		OnEvent: func(e alarm.Event) { d.notes = append(d.notes, e.String()) }})
	if err != nil {
		d.t.Fatal(err)
	}
	u.now = func() time.Duration { return d.at }
	d.Unit = u
	d.look()
}

// look is what the unit's parts do all the time.
func (d *days) look() {
	d.drift.Look()
	d.expire(d.at)
}

func (d *days) work(n int) {
	levels := make([]float32, len(d.network.signals))
	for range n {
		brow := 0.2 + 0.01*d.random.Float32()
		for range 2 * 3600 / 2 {
			d.at += 2 * time.Second
			for i := range levels {
				levels[i] = brow + 0.1*d.random.Float32()
			}
			levels[slices.Index(d.network.signals, "au4")] += d.lower
			s := &Sight{At: d.at, Reason: face.Good, Levels: levels}
			s.View.Found, s.View.Face.Box, s.View.Face.Score, s.Light.Mean, s.Light.Contrast = true, face.Rect{X1: 100}, 0.9, 120, 40
			d.result(s, d.network.signals, 0, d.at)
		}
		d.look()
		d.at += 22 * time.Hour
		d.look()
	}
}

// A disk that does not take the baseline is the storage's fault, and the alarms' own
// store goes on.
func TestDriftOnAFullDisk(t *testing.T) {
	disk := store.NewFake()
	kept, found, err := store.Open(store.Options{Dir: "/state", FS: disk, Delay: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	dir := filepath.Join(t.TempDir(), "pilot")
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // no folder can be made there
		t.Fatal(err)
	}
	d := &days{t: t, dir: dir, store: kept, found: found, at: time.Hour, begun: time.Date(2026, 5, 4, 5, 0, 0, 0, time.Local), random: rand.New(rand.NewPCG(3, 4))}
	d.start()
	r, err := d.Do("anna", []state.Command{{Do: state.NewBaseline}})
	if err != nil {
		t.Fatal(err)
	}
	d.look()
	if f := d.Faults(); len(f) != 1 || f[0].Fault != health.StorageFailed || !strings.Contains(f[0].Detail, "pilot") {
		t.Errorf("faults %v", f)
	}
	if err := d.Kept(r, time.Second); err == nil {
		t.Error("told as kept")
	}
	if err := kept.Wait(r.Event, 10*time.Second); err != nil {
		t.Errorf("the journal: %v", err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	d.at += 2 * time.Minute
	d.look()
	if f := d.Faults(); len(f) != 0 || d.Kept(r, time.Second) != nil {
		t.Errorf("faults %v", f)
	}
}

func TestDriftIsAFault(t *testing.T) {
	d := &days{t: t, dir: filepath.Join(t.TempDir(), "pilot"), at: time.Hour, begun: time.Date(2026, 5, 4, 5, 0, 0, 0, time.Local), random: rand.New(rand.NewPCG(3, 4))}
	d.start()
	if _, err := d.Do("anna", []state.Command{{Do: state.NewBaseline, Days: 7}}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Do("anna", []state.Command{{Do: state.NewBaseline, Days: 5}}); err == nil {
		t.Error("a baseline of five days")
	}
	d.work(8 + 3)
	if d.health.On(health.Drift) || d.drift.Table().Compared != 3 {
		t.Fatalf("%d days compared, faults %v", d.drift.Table().Compared, d.Faults())
	}
	d.lower = 0.2
	d.work(1)
	d.stale(d.at, d.wall()) // which publishes
	var s state.State
	d.Latest().Load(&s)
	if f := d.Faults(); len(f) == 0 || f[len(f)-1].Fault != health.Drift || !strings.HasPrefix(f[len(f)-1].Detail, "au4 since 2026-05-15: 0.4") {
		t.Errorf("faults %v", f)
	}
	if s.Drift == nil || s.Drift.State != state.DriftCompares || !strings.HasPrefix(s.Drift.Why, "au4 since") {
		t.Errorf("%v", s.Drift)
	}
	d.start() // again, without what was in memory
	if !d.health.On(health.Drift) {
		t.Error("the fault is gone after a restart")
	}
	text, err := os.ReadFile(filepath.Join(d.dir, "drift.json"))
	if err != nil || strings.Contains(string(text), "valence") || strings.Contains(string(text), "expression") || !strings.Contains(string(text), "au4") || strings.Contains(string(text), "anna") {
		t.Errorf("%v: the file has what it may not: %s", err, text)
	}
	if _, err := d.Do("ben", []state.Command{{Do: state.NewBaseline}}); err != nil {
		t.Error(err)
	}
	d.look()
	if d.health.On(health.Drift) {
		t.Error("the fault goes on while a new baseline is learnt")
	}
	d.Do("ben", []state.Command{{Do: state.EraseBaseline}})
	d.look()
	if _, err := os.Stat(filepath.Join(d.dir, "drift.json")); !errors.Is(err, os.ErrNotExist) {
		t.Error("something is left")
	}
	all := strings.Join(d.notes, "\n")
	for _, want := range []string{"a new baseline is learnt from tomorrow on, from 7 days", "with a baseline of 7 days, from 2026-05-05 to 2026-05-11", "F19 not as in the pilot: au4 since 2026-05-15",
		"F19 not as in the pilot ended", "anna", "ben", "are erased"} {
		if !strings.Contains(all, want) {
			t.Errorf("the journal lacks %q:\n%s", want, all)
		}
	}
}
