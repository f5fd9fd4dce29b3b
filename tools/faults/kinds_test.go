package main

import (
	"testing"
	"time"

	"mien/firmware/health"
)

// What the run asks for is no less than what the fault table declares: no kind
// has longer to be detected than the table says, though the run's settings are
// shorter than the defaults that the table is made for.
func TestKindsKeepToTheTable(t *testing.T) {
	after := map[health.Fault]time.Duration{health.InputStuck: stuck, health.HostLost: host} // of the settings, as the table says
	names, hit := map[string]bool{}, map[health.Fault]bool{}
	for _, k := range kinds() {
		if k.name == "" || names[k.name] || k.begin == nil || k.end == nil {
			t.Errorf("kind %q", k.name)
		}
		names[k.name] = true
		if k.none {
			continue
		}
		hit[k.fault] = true
		if declared := k.fault.Info().Detect; k.detect-after[k.fault] > declared {
			t.Errorf("%s may take %v, the table declares %v", k.name, k.detect, declared)
		}
	}
	if len(names) < 25 {
		t.Errorf("%d kinds", len(names))
	}
	// These need another start, or another network, and are tested in
	// firmware/pipeline.
	for _, f := range []health.Fault{health.InferenceFailed, health.AcceleratorLost, health.ModelRefused, health.SelfTestFailed} {
		hit[f] = true
	}
	for _, f := range health.Faults() {
		if !hit[f] {
			t.Errorf("no kind sets %v", f)
		}
	}
}
