package main

import (
	"bytes"
	"testing"
	"time"

	"mien/firmware/health"
)

// What the run asks for is no less than what the fault table declares: no kind
// has longer to be detected than the table says, though the run's settings are
// shorter than the defaults that the table is made for.
func TestKindsKeepToTheTable(t *testing.T) {
	after := map[health.Fault]time.Duration{health.InputStuck: stuck, health.HostLost: host, health.ModelRefused: failing} // of the settings, as the table says
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
	for _, f := range []health.Fault{health.InferenceFailed, health.AcceleratorLost, health.SelfTestFailed} {
		hit[f] = true
	}
	for _, f := range health.Faults() {
		if !hit[f] {
			t.Errorf("no kind sets %v", f)
		}
	}
}

// What is called damaged differs from what was whole, and no other way is taken for
// one of them.
func TestMisplacedBlocks(t *testing.T) {
	kinds := map[string]int{}
	whole := make([]byte, 10*4096+100)
	for i := range whole {
		whole[i] = byte(i*i>>8 + i)
	}
	for range 500 {
		d := misplace(bytes.Clone(whole))
		if bytes.Equal(d, whole) {
			t.Fatal("it is whole")
		}
		blocks := 0
		for i := 0; i < min(len(d), len(whole)); i += 4096 {
			if end := min(i+4096, len(d)); !bytes.Equal(d[i:end], whole[i:end]) {
				blocks++
			}
		}
		switch {
		case len(d) < len(whole) && len(d)%4096 == 0:
			kinds["short"]++
		case blocks == 1:
			kinds["one"]++
		case blocks == 2:
			kinds["two"]++
		default:
			t.Fatalf("%d bytes, %d blocks", len(d), blocks)
		}
	}
	if len(kinds) != 3 {
		t.Error(kinds)
	}
	if small := misplace([]byte("a card")); string(small) == "a card" {
		t.Error("a small file stays whole")
	}
}
