package pipeline

import (
	"errors"
	"strings"
	"testing"

	"mien/drivers/watchdog"
	"mien/firmware/alarm"
	"mien/firmware/config"
)

// resetDog is a watchdog that knows why the machine started.
type resetDog struct {
	watchdog.Watchdog
	why watchdog.Reset
}

func (d resetDog) BootStatus() watchdog.Reset { return d.why }

func TestJournalTellsWhyTheMachineWasReset(t *testing.T) {
	for why, want := range map[watchdog.Reset]bool{watchdog.ResetWatchdog: true, 0: false} {
		b := newBench(t, "", func(o *Options) {
			o.OpenDog = func(config.Watchdog) (watchdog.Watchdog, error) {
				return resetDog{&watchdog.Fake{}, why}, nil
			}
		})
		b.until("a result", func() bool { return b.unit.health.Results() > 0 })
		b.mu.Lock()
		found := false
		for _, e := range b.events {
			found = found || e.Trigger == alarm.Note && strings.Contains(e.Cause, "the machine was reset: watchdog")
		}
		b.mu.Unlock()
		if found != want {
			t.Errorf("reset by %v: in the journal %v", why, found)
		}
	}
	// A unit without a watchdog, or whose watchdog fails, starts all the same.
	for _, err := range []error{nil, errors.New("no such device")} {
		b := newBench(t, "", func(o *Options) {
			o.OpenDog = func(config.Watchdog) (watchdog.Watchdog, error) { return nil, err }
		})
		b.until("a result", func() bool { return b.unit.health.Results() > 0 })
	}
}
