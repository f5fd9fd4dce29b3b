package pipeline

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mien/firmware/alarm"
	"mien/firmware/alarm/store"
	"mien/firmware/state"
)

// "Done" is answered when the disk has it: at once where it is well, honestly
// and soon where it is not, and again when it is back.
func TestDoneIsOnTheDisk(t *testing.T) {
	disk := store.NewFake()
	kept, found, err := store.Open(store.Options{Dir: "/state", FS: disk, Delay: time.Hour, RetryMost: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kept.Close() })
	b := newBench(t, "", func(o *Options) { o.Store, o.Found = kept, found })
	b.until("results", b.trusted)
	give := func(text string) (state.Receipt, error) {
		r, err := b.unit.Do("anna", []state.Command{state.On(alarm.Command{Do: alarm.Note, Text: text})})
		if err != nil {
			t.Fatal(err)
		}
		return r, b.unit.Kept(r, 10*time.Second)
	}
	for i := range 20 {
		if r, err := give(fmt.Sprint("note ", i)); err != nil || kept.Durable() < r.Event {
			t.Fatalf("%+v, durable %d: %v", r, kept.Durable(), err)
		}
	}
	disk.Fail(store.Fault{Op: store.OpWrite, Count: -1, Err: unix.ENOSPC})
	if _, err := give("a full disk"); !errors.Is(err, store.ErrPending) || !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("a full disk: %v", err)
	}
	r, err := give("a full disk")
	if !errors.Is(err, store.ErrPending) {
		t.Fatal(err)
	}
	disk.Heal()
	b.until("kept", func() bool { return b.unit.Kept(r, time.Second) == nil })
}

// A source that gives more than anybody means is refused, and told of.
func TestTooMany(t *testing.T) {
	b := newBench(t, "", nil)
	b.until("results", b.trusted)
	refused := 0
	for i := range 1000 {
		if _, err := b.unit.Do("anna", []state.Command{state.On(alarm.Command{Do: alarm.Note, Text: fmt.Sprint("note ", i)})}); errors.Is(err, alarm.ErrTooMany) {
			refused++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if refused < 800 {
		t.Errorf("%d of 1,000 refused", refused)
	}
	if _, err := b.unit.Do("berta", []state.Command{state.On(alarm.Command{Do: alarm.Acknowledge})}); err != nil {
		t.Errorf("another source: %v", err)
	}
}

// Who looks when recordings are erased sees none.
func TestErasedIsSeen(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("0123456789abcdef-00000%d.rec", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := newBench(t, "", func(o *Options) { o.PilotDir = dir })
	b.until("results", b.trusted)
	var s state.State
	if b.unit.Latest().Load(&s); s.Pilot.Files != 3 {
		t.Fatalf("%d recordings", s.Pilot.Files)
	}
	r, err := b.unit.Do("anna", []state.Command{{Do: state.ErasePilot}})
	if err == nil {
		err = b.unit.Kept(r, time.Minute)
	}
	if b.unit.Latest().Load(&s); err != nil || s.Pilot.Files != 0 {
		t.Errorf("%d recordings, %v", s.Pilot.Files, err)
	}
}
