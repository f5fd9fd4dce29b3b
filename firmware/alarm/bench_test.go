package alarm

import (
	"strings"
	"testing"
)

// One frame of a unit with 16 alarms, a quarter of which come and go.
func BenchmarkStep(b *testing.B) {
	defs := make([]Definition, 16)
	for i := range defs {
		defs[i] = Definition{Name: strings.Repeat("x", i+1), Conditions: []Condition{{Signal: "s", Limit: float32(i+1) / 20, Deadband: 0.01}}, OnDelay: 100 * ms, OffDelay: 100 * ms}
	}
	e, err := New(defs, []string{"s"}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	levels := []float32{0}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		levels[0] = float32(i/30%5) / 20
		e.now += 33 * ms
		e.Step(Reading{At: e.now, Wall: wall0, Sequence: uint64(i), Levels: levels})
	}
}
