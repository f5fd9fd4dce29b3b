package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mien/firmware/alarm"
)

// The picture has what happened: who acknowledged and reset, each state, each
// output, and a gap where there was no reading.
func TestRecordDrawsWhatHappened(t *testing.T) {
	r := newRecord([]alarm.Definition{{Name: "brow", Conditions: []alarm.Condition{{Signal: "au4", Limit: 0.7}}, OnDelay: time.Second}})
	r.title = "What <it> did"
	r.shows = []scripted{{0.5, 1.5, "frown"}}
	r.outputs = []*switched{{name: "lamp"}}
	nan := float32(math.NaN())
	for i, step := range []struct {
		level float32
		state alarm.State
		on    bool
	}{{0.1, alarm.Normal, false}, {0.9, alarm.Unacknowledged, true}, {nan, alarm.Acknowledged, true}, {0.2, alarm.Normal, false}, {0.1, alarm.Normal, true}} {
		r.add(float64(i), func(string) float32 { return step.level }, func(int) alarm.State { return step.state })
		r.outputs[0].add(float64(i), step.on)
	}
	r.event(2, alarm.Event{Alarm: "brow", Trigger: alarm.Acknowledge, Who: "input ack button"})
	r.event(2.5, alarm.Event{Alarm: "brow", Trigger: alarm.Clear})
	if s := r.alarms[0].states; len(s) != 4 || s[1].from != 1 || s[1].to != 2 || s[3].to != 4 {
		t.Errorf("%+v", s)
	}
	if on := r.outputs[0].on; len(on) != 2 || on[0] != [2]float64{1, 3} || on[1][0] != 4 {
		t.Errorf("%v", on)
	}
	for _, name := range []string{"a.html", "a.svg"} {
		file := filepath.Join(t.TempDir(), name)
		if err := r.write(file); err != nil {
			t.Fatal(err)
		}
		data, _ := os.ReadFile(file)
		for part, n := range map[string]int{">acknowledge by input ack button<": 1, ">unacknowledged<": 1, ">acknowledged<": 1, ">frown<": 1, ">lamp<": 1,
			"clear by": 0, "What <it>": 0, "NaN": 0, "Inf": 0, "<script": 0, "src=": 0} {
			if got := strings.Count(string(data), part); got != n {
				t.Errorf("%s has %q %d times, want %d", name, part, got, n)
			}
		}
	}
}
