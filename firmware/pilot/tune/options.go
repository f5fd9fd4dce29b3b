package tune

import (
	"fmt"
	"math"
	"slices"
	"time"

	"mien/firmware/alarm"
	"mien/model/affect"
)

// Options say what is looked for. All but Signal, the costs, MostFalse and Shift have
// defaults, or may be 0.
type Options struct {
	Signal     string
	Below      bool            // a low limit: the alarm is for levels at or below it
	CostFalse  float64         // of one false alarm, in any money
	CostMissed float64         // of one true event without an alarm, in the same
	MostFalse  float64         // false alarms a shift that are allowed
	Shift      time.Duration   // how long one is
	Events     float64         // true events a shift; 0: as many as the sessions have
	Allow      time.Duration   // how far an alarm may be from its mark
	Stale      time.Duration   // health.stale of the unit; 0 is 1 s
	Hold       time.Duration   // unknown_hold of the alarm; 0 is 5 s
	MostDoubt  float64         // share by which the best possible alarm may cost less; 0 is 0.05
	Filter     string          // kind of the filter over time, where Windows says to apply one
	Windows    []time.Duration // of filters to try on the levels; none: the levels are as the alarm sees them
	InForce    *Candidate      // scored as well, if there is one
}

// Candidate is one way to set an alarm.
type Candidate struct {
	Limit    float64
	Deadband float64
	OnDelay  time.Duration
	OffDelay time.Duration
	Window   time.Duration // of the filter on the levels before the alarm; 0: none
}

const (
	mostCost = 1e9
	mostRate = 1e5

	mostWindows = 8
	mostWindow  = 10 * time.Second
)

// Check says what is wrong with the options.
func (o Options) Check() error { return o.whole() }

// whole sets defaults, and refuses what no alarm could be found by.
func (o *Options) whole() error {
	for _, c := range []struct {
		name  string
		value float64
		zero  string
	}{
		{"cost of a false alarm", o.CostFalse, "an alarm that is always on would be the best"},
		{"cost of a missed event", o.CostMissed, "no alarm at all would be the best"},
	} {
		switch {
		case c.value == 0:
			return fmt.Errorf("%s is 0: %s; allowed: more than 0, up to %g", c.name, c.zero, mostCost)
		case !(c.value > 0 && c.value <= mostCost):
			return fmt.Errorf("%s is %g; allowed: more than 0, up to %g", c.name, c.value, mostCost)
		}
	}
	if !(o.MostFalse > 0 && o.MostFalse <= mostRate) {
		return fmt.Errorf("most false alarms a shift is %g; allowed: more than 0, up to %g (0 can never be proven)", o.MostFalse, mostRate)
	}
	if !(o.Events >= 0 && o.Events <= mostRate) {
		return fmt.Errorf("true events a shift is %g; allowed: 0 (as the sessions have) to %g", o.Events, mostRate)
	}
	if o.MostDoubt == 0 {
		o.MostDoubt = 0.05
	}
	if !(o.MostDoubt >= 0.01 && o.MostDoubt <= 10) {
		return fmt.Errorf("most doubt is %g; allowed: 0.01 to 10", o.MostDoubt)
	}
	for _, t := range []struct {
		name        string
		value       *time.Duration
		or          time.Duration
		least, most time.Duration
	}{
		{"shift", &o.Shift, 0, time.Minute, 24 * time.Hour},
		{"allowance", &o.Allow, 0, 0, 10 * time.Minute},
		{"stale", &o.Stale, time.Second, 10 * time.Millisecond, time.Minute},
		{"hold of Unknown", &o.Hold, 5 * time.Second, 500 * time.Millisecond, time.Hour},
	} {
		if *t.value == 0 {
			*t.value = t.or
		}
		if *t.value < t.least || *t.value > t.most {
			return fmt.Errorf("%s is %s; allowed: %s to %s", t.name, alarm.Time(*t.value), alarm.Time(t.least), alarm.Time(t.most))
		}
	}
	if len(o.Windows) == 0 {
		o.Windows = []time.Duration{0}
	}
	if o.Filter == "" {
		o.Filter = affect.Box
	}
	if o.Filter != affect.Box && o.Filter != affect.Gaussian {
		return fmt.Errorf("the filter is %q; allowed: %s, %s", o.Filter, affect.Box, affect.Gaussian)
	}
	for i, w := range o.Windows {
		if w < 0 || w > mostWindow || slices.Contains(o.Windows[:i], w) || i >= mostWindows {
			return fmt.Errorf("filter window %s; allowed: up to %d windows of 0s to %s, each once", alarm.Time(w), mostWindows, alarm.Time(mostWindow))
		}
	}
	if c := o.InForce; c != nil && (math.IsNaN(c.Limit) || math.IsInf(c.Limit, 0) || c.Deadband < 0 || c.OnDelay < 0 || c.OffDelay < 0) {
		return fmt.Errorf("the candidate in force, %+v, is no alarm", *c)
	}
	return nil
}
