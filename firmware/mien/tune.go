package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/pilot"
	"mien/firmware/pilot/tune"
	"mien/model/affect"
)

// pilotTune is `mien pilot tune`: limit, deadband and delays of least cost, from
// recordings, or from levels and marks.
func pilotTune(c *call) error {
	levels := c.String("levels", "", "in place of recordings, levels as CSV `FILE`: session,time and a column for each signal; seconds; empty is Unknown")
	marks := c.String("marks", "", "with -levels: what was so, as CSV `FILE`: session,signal,from,to,truth; seconds; truth is present or absent; other time is not observed")
	out := c.String("json", "", "also write the result into `FILE` as JSON")
	path := c.String("config", "", "config `FILE` whose alarm on the signal is compared (default: "+defaultConfig+", if it is there)")
	o := tune.Options{}
	c.StringVar(&o.Signal, "signal", "", "the `SIGNAL` (default: the one that has marks)")
	c.BoolVar(&o.Below, "low", false, "look for a low limit: the alarm is for levels at or below it")
	c.Float64Var(&o.CostFalse, "cost-false", 0, "what one false alarm `costs`, in any money")
	c.Float64Var(&o.CostMissed, "cost-missed", 0, "what one event without an alarm `costs`, in the same")
	c.Float64Var(&o.MostFalse, "most-false-per-shift", 1, "false alarms a shift that are allowed; 95 % certain")
	c.DurationVar(&o.Shift, "shift", 8*time.Hour, "how long a shift is")
	c.DurationVar(&o.Allow, "allow", 5*time.Second, "how far an alarm may be from its mark")
	c.Float64Var(&o.MostDoubt, "most-doubt", 0.05, "share by which the best possible alarm may cost less than the recommended one")
	c.DurationVar(&o.Stale, "stale", time.Second, "between two frames that are further apart nothing is known; health.stale of the config goes before the default")
	c.DurationVar(&o.Hold, "unknown-hold", 5*time.Second, "unknown_hold of the alarm; that of the config's goes before the default")
	c.Float64Var(&o.Events, "events-per-shift", 0, "true events a shift (default: as the sessions have)")
	c.Func("filter", "`WINDOWS` of a filter over time to try on the levels, such as 0s,300ms,1s (default: levels are as the alarm sees them)", func(text string) error {
		for _, part := range strings.Split(text, ",") {
			part = strings.TrimSpace(part)
			d, err := time.ParseDuration(part)
			if err != nil {
				return fmt.Errorf("%q is no time: write the windows as 0s,300ms,1s", part)
			}
			o.Windows = append(o.Windows, d)
		}
		return nil
	})
	begins := c.String("begins", "06:00", "of recordings: `HH:MM` at which the first shift of a day begins")
	if err := c.options(1000); err != nil {
		return err
	}
	switch {
	case (*levels == "") != (*marks == ""):
		return usageError("-levels FILE and -marks FILE go together; without both, recordings are read")
	case *levels != "" && c.NArg() > 0:
		return usageError("recordings or -levels and -marks, not both: " + strings.Join(c.Args(), " "))
	}
	if !c.given("cost-false") || !c.given("cost-missed") {
		return usageError("-cost-false and -cost-missed are needed: a limit is right for what its mistakes cost")
	}
	for name, zero := range map[string]bool{"stale": o.Stale == 0, "unknown-hold": o.Hold == 0, "most-doubt": o.MostDoubt == 0} {
		if zero { // which would be the default, and was not meant so
			return usageError("-" + name + " is 0; allowed: more than that")
		}
	}
	if err := o.Check(); err != nil {
		return usageError(err.Error())
	}
	l, m := tune.File(*levels), tune.File(*marks)
	if *levels == "" {
		var err error
		var told *pilot.Told
		if l, m, told, err = c.recordedTables(o, *path, *begins, pilot.Visitor{}); err != nil {
			return err
		}
		c.leftOut(told)
		if len(told.Signals) == 0 {
			return coded{errors.New("nothing is known of what was so: no mark and no drill in these recordings counts (mien mark, mien pilot drill)"), exitFailed}
		}
	}
	wrong := func(err error) error {
		var m tune.Mistake
		if *levels == "" && errors.As(err, &m) {
			m.Line, m.Column = 0, 0 // recordings have no lines
			err = m
		}
		return notThere(err)
	}
	files, err := tune.ReadTables(l, m)
	if err != nil {
		return wrong(err)
	}
	if o.Signal == "" {
		if o.Signal = files.Signals()[0]; len(files.Signals()) > 1 {
			return usageError("-signal is missing; allowed: " + strings.Join(files.Signals(), ", "))
		}
	}
	now, err := c.alarmInForce(*path, &o)
	if err != nil {
		return err
	}
	result, err := tune.Search(files.Source(o.Signal), o)
	if err != nil {
		return wrong(err)
	}
	if *out != "" {
		text, err := json.MarshalIndent(result, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(*out, append(text, '\n'), 0o644); err != nil {
			return fmt.Errorf("write the result: %w", err)
		}
	}
	return showResult(c, result, o, now)
}

// recordedTables are recordings as tables, as mien pilot export writes them; none of
// it gets onto a disk. Where windows of filters are looked for, levels are as they are
// before the filter. also is told what the recordings hold, once.
func (c *call) recordedTables(o tune.Options, path, begins string, also pilot.Visitor) (levels, marks tune.Table, told *pilot.Told, err error) {
	e, err := exportAs(o.Shift, begins)
	if err != nil {
		return levels, marks, nil, err
	}
	if len(o.Windows) > 0 {
		if path == "" {
			return levels, marks, nil, usageError("-filter needs -config FILE: recordings are computed again with its settings, but without a filter")
		}
		if e.With, err = otherSettings(path); err != nil {
			return levels, marks, nil, err
		}
		s := &e.With.Stage
		for _, f := range []*affect.Filter{&s.Expression, &s.ValenceArousal, &s.ActionUnits, &s.Compound} {
			f.Window = 0
		}
	}
	list, err := c.recordings(path)
	if err != nil {
		return levels, marks, nil, err
	}
	var truth bytes.Buffer
	e.Also = also
	if told, err = pilot.Tables(list, e, io.Discard, &truth); err != nil {
		return levels, marks, nil, err
	}
	// From here on levels are read, and of those signals alone of which something is known.
	e.Also, e.Only = pilot.Visitor{}, told.Signals
	levels = tune.Table{Name: "the recordings", Open: func() (io.ReadCloser, error) {
		r, w := io.Pipe()
		go func() {
			_, err := pilot.Tables(list, e, w, io.Discard)
			w.CloseWithError(err) // nil is the end; who reads no more ends it early, with an error that nobody needs
		}()
		return r, nil
	}}
	marks = tune.Table{Name: "marks and drills", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(truth.Bytes())), nil }}
	return levels, marks, told, nil
}

// given says whether an option is on the command line.
func (c *call) given(name string) bool {
	found := false
	c.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

func notThere(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return coded{err, exitMissing}
	}
	return err
}

// alarmInForce finds the alarm that a config has on the signal, with one condition,
// and takes what the search must know of the unit.
func (c *call) alarmInForce(path string, o *tune.Options) (*config.Alarm, error) {
	if path == "" {
		if !exists(defaultConfig) {
			return nil, nil
		}
		path = defaultConfig
	}
	cfg, _, err := loadConfig(path)
	if err != nil {
		return nil, err
	}
	if !c.given("stale") {
		o.Stale = cfg.Health.Stale
	}
	if cfg.Filter.Kind != config.NoFilter {
		o.Filter = string(cfg.Filter.Kind)
	}
	for i := range cfg.Alarms {
		a := &cfg.Alarms[i]
		limit := a.High
		if o.Below {
			limit = a.Low
		}
		if a.Signal == o.Signal && limit != nil {
			if !c.given("unknown-hold") {
				o.Hold = a.UnknownHold
			}
			o.InForce = &tune.Candidate{Limit: *limit, Deadband: a.Deadband, OnDelay: a.OnDelay, OffDelay: a.OffDelay}
			if len(o.Windows) > 0 && cfg.Filter.Kind != config.NoFilter {
				o.InForce.Window = map[string]time.Duration{"expression": cfg.Filter.Expression, "compound": cfg.Filter.Compound,
					"valence_arousal": cfg.Filter.ValenceArousal, "action_units": cfg.Filter.ActionUnits}[filterKey(o.Signal)]
			}
			return a, nil
		}
	}
	return nil, nil
}

func showResult(c *call, r *tune.Result, o tune.Options, now *config.Alarm) error {
	fmt.Fprintf(c.out, "%s: %s h observed in %s, %s\n", r.Signal, tune.Figure(r.Hours), alarm.Count(r.Sessions, "session"), alarm.Count(r.Present, "true event"))
	for _, n := range r.Notes {
		fmt.Fprintln(c.out, "note:", n)
	}
	if !math.IsNaN(r.False.Value) || r.InForce != nil {
		fmt.Fprintln(c.out)
		w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
		fmt.Fprintf(w, "\tLIMIT\tDEADBAND\tON_DELAY\tOFF_DELAY\tFALSE A SHIFT\tMISSED\tCOST A SHIFT\n")
		line := func(name string, c tune.Candidate, known bool, f, m, k tune.Interval) {
			fmt.Fprint(w, name)
			if known {
				fmt.Fprintf(w, "\t%s\t%s\t%s\t%s", plainNumber(c.Limit), plainNumber(c.Deadband), alarm.Time(c.OnDelay), alarm.Time(c.OffDelay))
			} else {
				fmt.Fprint(w, "\t-\t-\t-\t-")
			}
			fmt.Fprintf(w, "\t%s\t%s\t%s\n", between(f, "", 1), between(m, " %", 100), between(k, "", 1))
		}
		if f := r.InForce; f != nil {
			line("in force", f.Candidate, true, f.False, f.Missed, f.Cost)
		}
		if !math.IsNaN(r.False.Value) {
			line("found", r.Best, r.Enough, r.False, r.Missed, r.Cost)
		}
		w.Flush()
		fmt.Fprintln(c.out, "In brackets: 95 % interval. What was found is scored on sessions that it was not chosen on.")
		if r.Enough {
			fmt.Fprintf(c.out, "The best possible alarm may cost less, by up to %.0f %%.\n", 100*r.Doubt)
		}
	}
	if !r.Enough {
		fmt.Fprintln(c.out, "\nNo limit is recommended. It needs:")
		for _, n := range r.Needs {
			fmt.Fprintln(c.out, "  -", n)
		}
		return nil
	}
	fmt.Fprintf(c.out, "\n%s", alarmBlock(r, o, now))
	return nil
}

func between(x tune.Interval, unit string, times float64) string {
	if math.IsNaN(x.Value) {
		return "-"
	}
	return fmt.Sprintf("%s%s [%s to %s]", tune.Figure(x.Value*times), unit, tune.Figure(x.Low*times), tune.Figure(x.High*times))
}

func plainNumber(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// alarmBlock gives the alarm as a config has it, with what is other than in force.
func alarmBlock(r *tune.Result, o tune.Options, now *config.Alarm) string {
	var b strings.Builder
	name := strings.ReplaceAll(r.Signal, "_", " ")
	if now != nil {
		name = now.Name
	}
	if config.Emotion(r.Signal) {
		b.WriteString("# an alarm on an emotion needs unit.purpose\n")
	}
	fmt.Fprintf(&b, "[[alarm]]\nname = %q\nsignal = %q\n", name, r.Signal)
	was := func(key, value, before string) {
		fmt.Fprintf(&b, "%s = %s", key, value)
		switch {
		case now != nil && before != value:
			fmt.Fprintf(&b, "    # was %s", before)
		case now != nil:
			b.WriteString("    # as it was")
		}
		b.WriteString("\n")
	}
	old := tune.Candidate{}
	if r.InForce != nil {
		old = r.InForce.Candidate
	}
	quoted := func(d time.Duration) string { return strconv.Quote(alarm.Time(d)) }
	was(r.Side(), plainNumber(r.Best.Limit), plainNumber(old.Limit))
	was("deadband", plainNumber(r.Best.Deadband), plainNumber(old.Deadband))
	was("on_delay", quoted(r.Best.OnDelay), quoted(old.OnDelay))
	was("off_delay", quoted(r.Best.OffDelay), quoted(old.OffDelay))
	if len(o.Windows) > 1 {
		fmt.Fprintf(&b, "\n[filter]\n%s = %s    # of all signals of this sort\n", filterKey(r.Signal), quoted(r.Best.Window))
	}
	return b.String()
}

// filterKey is the key of [filter] that a signal's window has.
func filterKey(signal string) string {
	switch {
	case strings.HasPrefix(signal, "expression."):
		return "expression"
	case strings.HasPrefix(signal, "compound."):
		return "compound"
	case signal == affect.Valence || signal == affect.Arousal:
		return "valence_arousal"
	}
	return "action_units"
}
