package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"mien/firmware/pilot"
	page "mien/firmware/pilot/report"
	"mien/firmware/pilot/tune"
)

// pilotReport is `mien pilot report`: one HTML file to print and sign.
func pilotReport(c *call) error {
	o := page.Options{Made: time.Now()}
	path := c.String("o", "", "write the report into `FILE`.html")
	c.StringVar(&o.Language, "lang", "en", "`LANGUAGE` of the report: "+strings.Join(page.Languages, ", "))
	c.Float64Var(&o.Tune.CostFalse, "cost-false", 0, "what one false alarm `costs`, in any money")
	c.Float64Var(&o.Tune.CostMissed, "cost-missed", 0, "what one event without an alarm `costs`, in the same")
	c.Float64Var(&o.Tune.MostFalse, "most-false-per-shift", 1, "false alarms a shift that are allowed; 95 % certain")
	c.Float64Var(&o.Tune.Events, "events-per-shift", 0, "true events a shift (default: as the sessions have)")
	c.DurationVar(&o.Tune.Allow, "allow", 5*time.Second, "how far an alarm may be from its mark")
	shift := c.Duration("shift", 8*time.Hour, "a session is one shift of `TIME`")
	begins := c.String("begins", "06:00", "`HH:MM` at which the first shift of a day begins")
	c.StringVar(&o.Money, "money", "", "`NAME` of the money that costs are in, such as EUR")
	c.Float64Var(&o.Shifts, "shifts-per-year", 0, "shifts in a year, for costs and benefit of a year")
	c.Float64Var(&o.Own, "unit-cost-per-year", 0, "what the unit itself costs a year")
	c.StringVar(&o.Who, "who", "", "`WHO` acknowledges an alarm (without: left to be filled in by hand)")
	c.StringVar(&o.Within, "within", "", "within what `TIME`")
	c.StringVar(&o.Else, "else", "", "`WHAT` happens when nobody does")
	if err := c.options(1000); err != nil {
		return err
	}
	if *path == "" {
		return usageError("-o FILE.html is needed")
	}
	if !c.given("cost-false") || !c.given("cost-missed") {
		return usageError("-cost-false and -cost-missed are needed: a limit is right for what its mistakes cost")
	}
	if !(o.Shifts >= 0 && o.Shifts <= 2000) {
		return usageError(fmt.Sprintf("-shifts-per-year is %g; allowed: 0 to 2000", o.Shifts))
	}
	if !(o.Own >= 0 && o.Own <= 1e9) {
		return usageError(fmt.Sprintf("-unit-cost-per-year is %g; allowed: 0 to 1e+09", o.Own))
	}
	o.Tune.Shift = *shift
	if err := o.Tune.Check(); err != nil {
		return usageError(err.Error())
	}
	var err error
	if o.Export, err = exportAs(*shift, *begins); err != nil {
		return err
	}
	o.Read = func(also pilot.Visitor) (*pilot.Replayed, func(string) tune.Source, error) {
		levels, marks, told, err := c.recordedTables(o.Tune, "", *begins, also)
		if err != nil {
			return nil, nil, err
		}
		tables, err := tune.ReadTables(levels, marks)
		var nothing tune.Mistake
		switch {
		case err == nil:
			return &told.Replayed, tables.Source, nil
		case len(told.Signals) == 0 && errors.As(err, &nothing): // without a mark there is a report all the same
			return &told.Replayed, nil, nil
		}
		return nil, nil, err
	}
	var text bytes.Buffer
	if err := page.Write(&text, o); err != nil {
		return coded{err, exitFailed}
	}
	// It is of people as the recordings are: for its owner alone, until he gives it on.
	if err := os.WriteFile(*path, text.Bytes(), 0o600); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s: open it with a browser; it needs no network\n", *path)
	return nil
}
