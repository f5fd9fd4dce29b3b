package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/config"
)

// lookEvery is how often the unit's supervisor tells alarms that results stay away.
const lookEvery = 50 * time.Millisecond

// ratesTable writes at which rates of results an alarm works, as the engine itself
// does with the default settings.
func ratesTable(w io.Writer) error {
	cfg, err := config.Parse("", []byte("[[alarm]]\nname = \"a\"\nsignal = \"s\"\nhigh = 0.5\n"))
	if err != nil {
		return err
	}
	delays := []time.Duration{0, time.Second, 5 * time.Second}
	fmt.Fprint(w, "| results a second |")
	for _, d := range delays {
		fmt.Fprintf(w, " on_delay %v |", d)
	}
	fmt.Fprintln(w, "\n|---|"+strings.Repeat("---|", len(delays)))
	for _, rate := range []float64{30, 10, 5, 2, 1, 0.9, 0.5, 0.2, 0.1} {
		fmt.Fprintf(w, "| %g |", rate)
		for _, d := range delays {
			cfg.Alarms[0].OnDelay = d
			what, after, err := judged(cfg, rate)
			if err != nil {
				return err
			}
			fmt.Fprintf(w, " %s after %.1f s |", what, after.Seconds())
		}
		fmt.Fprintln(w)
	}
	return nil
}

// judged runs the alarm of cfg, whose condition is present from the first result on,
// at an even rate, and says what becomes of it.
func judged(cfg *config.Config, rate float64) (what string, after time.Duration, err error) {
	defs := cfg.Definitions()
	e, err := alarm.New(defs, []string{"s"}, alarm.Options{MaxGap: cfg.Health.Stale})
	if err != nil {
		return "", 0, err
	}
	apart := time.Duration(float64(time.Second) / rate)
	met := []float32{1}
	var due, result time.Duration
	for at := time.Duration(0); at < 2*defs[0].OnDelay+defs[0].UnknownHold+2*apart; at += lookEvery {
		r := alarm.Reading{At: at}
		switch {
		case at >= due:
			r.Levels, r.At = met, due
			due, result = due+apart, due
		case at-result <= cfg.Health.Stale:
			continue
		}
		for _, ev := range e.Step(r) {
			switch ev.Trigger {
			case alarm.Raise:
				return "raised", r.At, nil
			case alarm.LoseReading:
				return "Unknown", r.At, nil
			}
		}
	}
	return "", 0, fmt.Errorf("at %g results a second with on_delay %v the alarm is neither raised nor Unknown", rate, defs[0].OnDelay)
}
