package pipeline

import (
	"context"
	"errors"
	"testing"
	"time"

	"mien/firmware/health"
)

// A part that is stopped while it waits to be started again (a reload that
// mends what made it fail) takes its fault with it.
func TestStopWhileAPartWaitsEndsItsFault(t *testing.T) {
	u := newIdle(t)
	tries := 0
	fails := func(context.Context) error { tries++; panic("injected") }
	u.watching.start(t.Context(), u, "watcher", fails)
	for end := time.Now().Add(10 * time.Second); !u.health.On(health.Internal); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no fault")
		}
	}
	if !u.watching.stop() {
		t.Fatal("it does not stop")
	}
	if u.health.On(health.Internal) {
		t.Errorf("after %d tries and the stop: %v", tries, u.Faults())
	}
}

// The fault lasts until no part is down: one that is back does not end that of
// another.
func TestInternalFaultLastsUntilAllAreBack(t *testing.T) {
	u := newIdle(t)
	u.failed(errors.New("injected: one"))
	u.failed(errors.New("injected: the other"))
	u.mended()
	if !u.health.On(health.Internal) {
		t.Error("the part that is back ended the fault of the other")
	}
	u.mended()
	if u.health.On(health.Internal) {
		t.Error("all are back, and the fault is on")
	}
}
