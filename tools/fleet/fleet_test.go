package main

import (
	"context"
	"testing"
	"time"
)

// A few units, a broker that is killed and links that are cut: each change is heard of.
func TestFleet(t *testing.T) {
	for _, name := range []string{"mosquitto", "prometheus"} {
		if _, err := find(name, name); err != nil {
			t.Skip(err)
		}
	}
	lost, err := run(context.Background(), options{units: 5, during: 6 * time.Second, alarms: 100 * time.Millisecond, states: 200 * time.Millisecond, scrape: time.Second,
		restart: 2 * time.Second, cut: 700 * time.Millisecond, rules: "../../docs/plant/mien-alerts.yml"})
	if err != nil || lost > 0 {
		t.Errorf("%d lost, %v", lost, err)
	}
	if _, err := run(context.Background(), options{units: 1 << 20}); err == nil {
		t.Error("a million units are taken")
	}
}
