package operator

import (
	"encoding/json"
	"testing"

	"mien/firmware/alarm"
	"mien/firmware/state"
)

// busy is a unit with the signals, lines and alarms of the demo.
func busy(b *testing.B) *desk {
	u := &unit{latest: state.NewLatest()}
	s := &u.state
	s.Clear()
	s.About = &state.About{Outputs: make([]string, 5), Inputs: make([]string, 2)}
	for range 35 {
		s.About.Signals = append(s.About.Signals, state.Signal{Name: "compound.happily_surprised", Max: 1})
		s.Levels = append(s.Levels, 0.123456)
	}
	s.Outputs, s.Inputs = make([]bool, 5), make([]bool, 2)
	s.Alarms = make([]alarm.Status, 2)
	s.Aim.Found = true
	u.latest.Store(s)
	return &desk{unit: u}
}

// What one line of the stream costs the unit.
func BenchmarkStreamLine(b *testing.B) {
	d := busy(b)
	var s state.State
	var line []byte
	b.ReportAllocs()
	for b.Loop() {
		line = d.read(&s).append(line[:0])
	}
}

// And one status.
func BenchmarkStatus(b *testing.B) {
	d := busy(b)
	b.ReportAllocs()
	for b.Loop() {
		json.Marshal(d.answer(Request{Ask: AskStatus}, ""))
	}
}
