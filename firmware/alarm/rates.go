package alarm

import (
	"fmt"
	"strings"
	"time"
)

// What the table of rates reckons with: the defaults of the config, and the
// supervisor's look at results that stay away.
const (
	usualStale = time.Second
	usualHold  = 5 * time.Second
	usualLook  = 50 * time.Millisecond
)

// judged runs an alarm with that on-delay whose condition is present from the
// first result on, at an even rate, and gives when it was raised, or declared
// Unknown.
func judged(delay time.Duration, rate float64) (raised, declared time.Duration) {
	e, err := New([]Definition{{Name: "a", Conditions: []Condition{{Signal: "s", Limit: 0.5}}, OnDelay: delay, UnknownHold: usualHold}},
		[]string{"s"}, Options{MaxGap: usualStale})
	if err != nil {
		panic(err) // it is the same each time
	}
	apart := time.Duration(float64(time.Second) / rate)
	met := []float32{1}
	for at, due, result := time.Duration(0), time.Duration(0), time.Duration(0); at < 2*delay+usualHold+2*apart; at += usualLook {
		r := Reading{At: at}
		switch {
		case at >= due:
			r.Levels, r.At = met, due
			due, result = due+apart, due
		case at-result <= usualStale:
			continue
		}
		for _, ev := range e.Step(r) {
			switch ev.Trigger {
			case Raise:
				return r.At, 0
			case LoseReading:
				return 0, r.At
			}
		}
	}
	return 0, 0
}

// ratesTable tells at which rates an alarm works, as the engine itself does.
func ratesTable() string {
	delays := []time.Duration{0, time.Second, 5 * time.Second}
	var b strings.Builder
	b.WriteString("| results a second |")
	for _, d := range delays {
		fmt.Fprintf(&b, " on_delay %v |", d)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(delays)) + "\n")
	for _, rate := range []float64{30, 10, 5, 2, 1, 0.9, 0.5, 0.2, 0.1} {
		fmt.Fprintf(&b, "| %g |", rate)
		for _, d := range delays {
			switch raised, declared := judged(d, rate); {
			case declared > 0:
				fmt.Fprintf(&b, " Unknown after %.1f s |", declared.Seconds())
			default:
				fmt.Fprintf(&b, " raised after %.1f s |", raised.Seconds())
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
