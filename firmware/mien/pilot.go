package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// pilotCommands are the subcommands of `mien pilot`.
func pilotCommands() []command {
	return []command{
		{"start", "", "begin to record what the networks say, never a picture; -for 14d -purpose \"...\"", pilotStart, ""},
		{"status", "", "what is recorded, until when, and the marks", pilotStatus, "the status as JSON"},
		{"stop", "", "end the recording; what was recorded stays", pilotStop, ""},
		{"erase", "", "delete all recordings", pilotErase, ""},
		{"replay", "[RECORDING...]", "compute recordings again: as it was, or with other settings", pilotReplay, "what was counted, as JSON"},
		{"drill", "SCRIPT", "lead a person through a script of which the truth is known", pilotDrill, ""},
		{"export", "[RECORDING...]", "levels, and what marks and drills say, as CSV", pilotExport, "what was written, as JSON"},
		{"tune", "[RECORDING...]", "find an alarm's limit and delays, and say with what certainty", pilotTune, ""},
		{"report", "[RECORDING...]", "one page to print and sign: coverage, costs by limit, groups, rules", pilotReport, ""},
		{"plan", "", "how many hours, alarms and drills a statement needs, before a pilot begins", pilotPlan, ""},
	}
}

// runPilot is `mien pilot`: it passes on to one of its own subcommands.
func runPilot(c *call) error {
	list := pilotCommands()
	var names []string
	for _, k := range list {
		names = append(names, k.name)
	}
	if len(c.args) == 0 || slices.Contains([]string{"-h", "-help", "--help"}, c.args[0]) {
		fmt.Fprint(c.out, "usage: mien pilot COMMAND [options]\n\n")
		for _, k := range list {
			fmt.Fprintf(c.out, "  %-24s %s\n", strings.TrimSpace(k.name+" "+k.args), k.summary)
		}
		if len(c.args) == 0 {
			return usageError("pilot needs one of " + strings.Join(names, ", "))
		}
		return nil
	}
	i := slices.Index(names, c.args[0])
	if i < 0 {
		return usageError(fmt.Sprintf("no command %q of pilot; allowed: %s", c.args[0], strings.Join(names, ", ")))
	}
	k := list[i]
	sub := &call{FlagSet: flag.NewFlagSet("mien pilot "+k.name, flag.ContinueOnError), args: c.args[1:], out: c.out, err: c.err, json: new(bool)}
	sub.SetOutput(io.Discard) // what is wrong is said by options, in our words
	if k.json != "" {
		sub.BoolVar(sub.json, "json", false, k.json)
	}
	sub.usage = func() {
		fmt.Fprintln(c.out, strings.TrimSpace(fmt.Sprintf("usage: mien pilot %s [options] %s", k.name, k.args)))
		fmt.Fprintln(c.out, k.summary)
		sub.SetOutput(c.out)
		sub.PrintDefaults()
	}
	return k.run(sub)
}
