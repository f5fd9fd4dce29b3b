package main

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
		{"drift", "", "how the days since the pilot compare with it: what has changed, and since when", pilotDrift, "the table as JSON"},
		{"baseline", "", "compare with a new baseline, which is learnt from the days to come", pilotBaseline, ""},
		{"plan", "", "how many hours, alarms and drills a statement needs, before a pilot begins", pilotPlan, ""},
	}
}

// runPilot is `mien pilot`: it passes on to one of its own subcommands.
func runPilot(c *call) error { return c.among(pilotCommands()) }
