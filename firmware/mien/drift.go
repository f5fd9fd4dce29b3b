package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"mien/firmware/alarm"
	"mien/firmware/operator"
	"mien/firmware/pilot/drift"
	"mien/firmware/state"
)

// pilotDrift is `mien pilot drift`.
func pilotDrift(c *call) error {
	all := c.Bool("all", false, "show quantities that nobody saw in the pilot or since as well")
	reply, err := c.ask(0, func() (operator.Request, error) {
		return operator.Request{Ask: operator.AskPilot, Pilot: operator.PilotDrift}, nil
	})
	if err != nil {
		return err
	}
	d := reply.Drift
	if d == nil {
		return errors.New("the unit gave no table: is it of another version?")
	}
	if *c.json {
		return c.printJSON(d)
	}
	c.printDrift(d, *all)
	return nil
}

func (c *call) printDrift(d *state.Drift, all bool) {
	c.driftHead(d)
	if d.State != state.DriftCompares {
		return
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nQUANTITY\tUNIT\tBASELINE\t1 DAY\t3 DAYS\t10 DAYS\tTOLD BELOW\tTOLD ABOVE\tCHANGED")
	for i := range d.Of {
		q := &d.Of[i]
		number := func(v float64) string {
			switch q.Unit {
			case "luma", "pixels":
				return fmt.Sprintf("%.0f", v)
			}
			return fmt.Sprintf("%.3f", v)
		}
		if !all && q.Since == "" && q.Baseline == 0 && (q.Mean[0] == nil || *q.Mean[0] == 0) {
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s", q.Name, q.Unit, number(q.Baseline))
		for _, m := range q.Mean {
			text := "-"
			if m != nil {
				text = number(*m)
			}
			fmt.Fprint(w, "\t", text)
		}
		below, since := number(q.Below), "no"
		if q.Below <= 0 {
			below = "-"
		}
		if q.Since != "" {
			since = "since " + q.Since
		}
		fmt.Fprintf(w, "\t%s\t%s\t%s\n", below, number(q.Above), since)
	}
	w.Flush()
	fmt.Fprintln(c.out, "\nTold below and above are for the mean of three days; one day must be further away, ten may be nearer.")
}

// driftHead says what is compared with what.
func (c *call) driftHead(d *state.Drift) {
	switch {
	case d.State == state.DriftRefused:
		fmt.Fprintf(c.out, "NOTHING IS COMPARED: %s\n", strings.TrimPrefix(d.Why, "nothing is compared: "))
	case d.Why != "":
		fmt.Fprintf(c.out, "NOT AS IN THE PILOT: %s\n", d.Why)
	}
	if d.Days > 0 {
		made := "the pilot"
		if d.By != "pilot" {
			made = "mien pilot baseline"
		}
		fmt.Fprintf(c.out, "baseline: %s from %s to %s, %.1f h with a face a day, made by %s, of the network %s\n", alarm.Count(d.Days, "day"), d.First, d.Last, d.DayRead, made, d.Network)
	}
	switch d.State {
	case state.DriftNone:
		fmt.Fprintln(c.out, "no baseline: a pilot makes one (mien pilot start), or the days to come (mien pilot baseline); nothing is kept of days")
		return
	case state.DriftLearns:
		if d.Wants > 0 {
			fmt.Fprintf(c.out, "a new baseline is learnt: %d of %s\n", d.Learnt, alarm.Count(d.Wants, "day"))
		} else {
			fmt.Fprintf(c.out, "the pilot's days become the baseline: %s so far", alarm.Count(d.Learnt, "day"))
			if d.Learnt < d.Fewest {
				fmt.Fprintf(c.out, ", it needs %d more", d.Fewest-d.Learnt)
			}
			fmt.Fprintln(c.out)
		}
	case state.DriftRefused:
		return
	default:
		fmt.Fprintf(c.out, "days compared: %d", d.Compared)
		if d.Newest != "" {
			fmt.Fprintf(c.out, ", the newest %s", d.Newest)
		}
		fmt.Fprintln(c.out)
	}
	if d.Passed > 0 {
		fmt.Fprintf(c.out, "%s left out", alarm.Count(d.Passed, "day"))
		if d.PassedWhy != "" {
			fmt.Fprintf(c.out, ", the newest %s", d.PassedWhy)
		}
		fmt.Fprintln(c.out)
	}
	fmt.Fprintf(c.out, "today, %s: a face was read for %.1f h so far\n", d.Today, d.TodayRead)
}

// pilotBaseline is `mien pilot baseline`.
func pilotBaseline(c *call) error {
	days := c.Int("days", drift.DefaultDays, fmt.Sprintf("how many `DAYS` that count it is made of, %d to %d", drift.Fewest, drift.MostDays))
	erase := c.Bool("erase", false, "delete the baseline and what is kept of days; nothing is compared from then on")
	return c.tell(0, func() (operator.Request, error) {
		switch {
		case *erase:
			return operator.Request{Ask: operator.AskPilot, Pilot: operator.PilotNone}, nil
		case *days < drift.Fewest || *days > drift.MostDays:
			return operator.Request{}, usageError(fmt.Sprintf("-days is %d; allowed: %d to %d", *days, drift.Fewest, drift.MostDays))
		}
		return operator.Request{Ask: operator.AskPilot, Pilot: operator.PilotBaseline, Most: *days}, nil
	})
}
