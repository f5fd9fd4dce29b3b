package main

import (
	"fmt"
	"math"
	"text/tabwriter"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/pilot/tune"
)

// pilotPlan is `mien pilot plan`: what must be seen before something can be said.
func pilotPlan(c *call) error {
	most := c.Float64("most-false-per-shift", 1, "the statement: at most so many false alarms a shift")
	missed := c.Float64("most-missed", 0.1, "the statement: at most this share of events is missed, 0 to 1")
	shift := c.Duration("shift", 8*time.Hour, "how long a shift is")
	events := c.Float64("events-per-shift", 0, "true events a shift, where they are known")
	drill := c.Int("events-per-drill", 6, "events that one drill asks for")
	differ := c.Float64("differ", 2, "how much more sessions differ than by chance, as a ratio of variances; 1 is not at all")
	if err := c.options(0); err != nil {
		return err
	}
	if *shift < time.Minute || *shift > 24*time.Hour {
		return usageError(fmt.Sprintf("-shift is %s; allowed: 1m to 24h", alarm.Time(*shift)))
	}
	for _, x := range []struct {
		name              string
		value, least, end float64
	}{
		{"most-false-per-shift", *most, 0.001, 1e5}, {"most-missed", *missed, 0.001, 0.999},
		{"events-per-shift", *events, 0, 1e5}, {"events-per-drill", float64(*drill), 1, 1000}, {"differ", *differ, 1, 100},
	} {
		if !(x.value >= x.least && x.value <= x.end) {
			return usageError(fmt.Sprintf("-%s is %g; allowed: %g to %g", x.name, x.value, x.least, x.end))
		}
	}
	fmt.Fprintf(c.out, "To say \"at most %g false alarms a shift of %s, 95 %% certain\", observe, as absent or present:\n\n", *most, alarm.Time(*shift))
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "FALSE ALARMS SEEN\tHOURS, SESSIONS ALIKE\tHOURS, SESSIONS DIFFER (%g)\n", *differ)
	for _, k := range []int{0, 1, 2, 3, 5, 10, 20} {
		hours := func(differ float64) float64 { return math.Ceil(tune.FewestShifts(*most, k, differ) * shift.Hours()) }
		fmt.Fprintf(w, "%d\t%.0f\t%.0f\n", k, hours(1), hours(*differ))
	}
	w.Flush()
	fmt.Fprintf(c.out, "\nTo say \"at most %g %% of events are missed, 95 %% certain\", observe true events, on the line or in drills:\n\n", *missed*100)
	w = tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "MISSED\tEVENTS\tDRILLS")
	if *events > 0 {
		fmt.Fprint(w, "\tOR HOURS ON THE LINE")
	}
	fmt.Fprintln(w)
	for _, k := range []int{0, 1, 2, 3, 5, 10} {
		n := tune.FewestEvents(*missed, k, *differ)
		fmt.Fprintf(w, "%d\t%d\t%d", k, n, (n+*drill-1) / *drill)
		if *events > 0 {
			fmt.Fprintf(w, "\t%.0f", math.Ceil(float64(n) / *events * shift.Hours()))
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	fmt.Fprintf(c.out, "\nFor a limit that tune recommends, plan some %d true events, on the line or in drills", tune.UsualEvents)
	if *events > 0 {
		fmt.Fprintf(c.out, ": %.0f shifts of %s", math.Ceil(tune.UsualEvents / *events), alarm.Time(*shift))
	}
	fmt.Fprint(c.out, `.
Besides both statements no other alarm may be much cheaper, as far as the pilot can tell. On simulated lines that
is so in most pilots of 90 shifts with 5 to 6 events each, in few of 42, and hardly ever in 21. With less, tune
says what it needs.

A session is one person's shift or one drill. At least 3 are needed, 10 or more are better: people differ, and a
limit is scored on sessions that it was not chosen on. The 95 % are those of a two-sided interval, as tune has them.
`)
	return nil
}
