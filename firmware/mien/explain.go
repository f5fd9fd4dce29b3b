package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/pipeline"
	"mien/model/affect"
)

// explain is `mien explain`: every setting in force, in words.
func explain(c *call) error {
	signals := c.Bool("signals", false, "list the network's signals: what an alarm can be on")
	model := c.Bool("model", false, "show the model card: data, rights, scores, limits")
	plot := c.String("plot", "", "run the config over its clip (else the demo's) and draw signals, limits and alarm states into `FILE`, a .html or .svg")
	path, err := c.config(defaultConfig, "; - is none: the defaults")
	if err != nil {
		return err
	}
	if c.NArg() == 0 && !c.given("config") {
		if _, err := os.Stat(path); err != nil {
			path = "-" // nothing named and nothing in the usual place: the defaults
		}
	}
	cfg, _, err := loadConfig(path)
	if err != nil {
		return err
	}
	cards, _, err := pipeline.Cards(cfg.Model)
	if err != nil {
		return coded{err, exitConfig}
	}
	switch {
	case *signals:
		return explainSignals(c, cards)
	case *model:
		return explainModel(c, cards)
	case *plot != "":
		file, err := plotFile(*plot)
		if err != nil {
			return err
		}
		return plotClip(cfg, file)
	}
	return explainConfig(c, cfg, path, cards)
}

func explainSignals(c *call, cards []*affect.Card) error {
	var list []affect.Info
	for _, name := range affect.Signals(cards...) {
		info, _ := affect.Describe(name, cards...)
		list = append(list, info)
	}
	if *c.json {
		return c.printJSON(list)
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SIGNAL\tWHAT\tFROM\tTO\tUNIT\tNOTE")
	for _, i := range list {
		var notes []string
		if i.Derived {
			notes = append(notes, "derived, not measured on people's own reports")
		}
		if i.Weak {
			notes = append(notes, "weak: not for an alarm of its own")
		}
		if i.HasThreshold {
			notes = append(notes, fmt.Sprintf("present from %.2f", i.Threshold))
		}
		if config.Emotion(i.Name) {
			notes = append(notes, "an alarm needs unit.purpose")
		}
		if i.From != "" {
			notes = append(notes, i.From)
		}
		fmt.Fprintf(w, "%s\t%s\t%g\t%g\t%s\t%s\n", i.Name, i.Human, i.Min, i.Max, i.Unit, strings.Join(notes, "; "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "\n%s is withdrawn: %s. Register 58 reads \"not available\".\n", config.Withdrawn, config.WhyWithdrawn)
	return nil
}

func explainModel(c *call, cards []*affect.Card) error {
	if *c.json {
		return c.printJSON(cards)
	}
	for i, card := range cards {
		if i > 0 {
			fmt.Fprintln(c.out)
		}
		if err := modelPage(c.out, card); err != nil {
			return err
		}
	}
	return nil
}

// setting is one key in force.
type setting struct {
	Key     string `json:"key"`
	Value   string `json:"value"`
	Line    int    `json:"line,omitempty"` // of the file that sets it; 0: the default
	Meaning string `json:"meaning"`
	Reload  string `json:"reload"`
}

func explainConfig(c *call, cfg *config.Config, path string, cards []*affect.Card) error {
	var list []setting
	for _, k := range cfg.Settings() {
		if strings.Contains(k.Path, "[") {
			continue // blocks are told in words below
		}
		list = append(list, setting{k.Path, k.Value, k.Line, k.Key.Meaning, k.Key.Takes.String()})
	}
	words := alarmWords(cfg, cards)
	if *c.json {
		return c.printJSON(map[string]any{"settings": list, "alarms": words})
	}
	if path == "-" {
		path = "no config file"
	}
	fmt.Fprintf(c.out, "%s: every setting in force, with the line that sets it; - is the default\n\n", path)
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	for _, s := range list {
		mark := "-"
		if s.Line > 0 {
			mark = strconv.Itoa(s.Line)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", mark, s.Key, s.Value, s.Meaning)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(c.out)
	for _, line := range words {
		fmt.Fprintln(c.out, line)
	}
	for _, o := range cfg.Outputs {
		fmt.Fprintln(c.out, lineOutputWords(o))
		if o.Function.Role == config.Horn {
			fmt.Fprintln(c.out, hornWords(cfg))
		}
	}
	for _, i := range cfg.Inputs {
		fmt.Fprintln(c.out, lineInputWords(i))
	}
	return nil
}

// lineOutputWords says of an output what it shows, and its value when the unit cannot know.
func lineOutputWords(o config.Output) string {
	value := map[bool]string{false: "off", true: "on"}
	return fmt.Sprintf("output %q on %s shows %s; on is %s. At start it is %s; with a fault, at exit and after a crash it is %s.",
		o.Name, lineWords(o.Chip, o.Line), o.Function, o.Active, value[o.StartsOn()], value[o.FailsOn()])
}

// hornWords says how long the horn stays silenced.
func hornWords(cfg *config.Config) string {
	if cfg.Unit.SilenceMax == 0 {
		return "Silenced, it stays so until the next new alarm (unit.silence_max is 0s)."
	}
	return fmt.Sprintf("Silenced, it sounds again after %s for what nobody has acknowledged, or with the next new alarm.", alarm.Time(cfg.Unit.SilenceMax))
}

// lineInputWords says of an input what a press does, for how long, and when it is stuck.
func lineInputWords(i config.Input) string {
	does := string(i.Function)
	if i.Function == config.Inhibit || i.Function == config.Test {
		does += " for " + alarm.Time(i.For)
	}
	stuck := ""
	if i.StuckAfter > 0 {
		stuck = fmt.Sprintf("; pressed for longer than %s is a fault", alarm.Time(i.StuckAfter))
	}
	return fmt.Sprintf("input %q on %s: a press (%s for %s) does %s%s.", i.Name, lineWords(i.Chip, i.Line), i.Active, alarm.Time(i.Debounce), does, stuck)
}

func lineWords(chip, line string) string {
	if chip == "" {
		return line
	}
	return chip + " " + line
}

// alarmWords says of each alarm what raises it, and how long that takes.
func alarmWords(cfg *config.Config, cards []*affect.Card) []string {
	if len(cfg.Alarms) == 0 {
		return []string{"No alarm is configured: the unit watches, and alarms on nothing."}
	}
	var lines []string
	for _, d := range cfg.Definitions() {
		var parts, deadbands []string
		var fastest, slowest time.Duration
		perclos := ""
		for i, k := range d.Conditions {
			info, _ := affect.Describe(k.Signal, cards...)
			note := ""
			if info.Derived {
				note = " (derived)"
			}
			parts = append(parts, fmt.Sprintf("%s%s is %s %.2f", info.Human, note, k.Side.Meets(), k.Limit))
			deadbands = append(deadbands, fmt.Sprintf("%.2f", k.Deadband))
			t := reaches(cfg, k, info)
			if slowest = max(slowest, t); i == 0 || t < fastest {
				fastest = t
			}
			if k.Signal == affect.Perclos {
				perclos = fmt.Sprintf(" PERCLOS counts closed eyes over the last %s, and has no value before %s of that are known.", alarm.Time(cfg.Filter.PerclosWindow), alarm.Time(cfg.Filter.PerclosKnown))
			}
		}
		filters := "the filter reaches the limit"
		if len(parts) > 1 {
			filters = "the filters reach the limits"
		}
		frames, count := time.Duration(float64(time.Second)/cfg.Camera.FPS), "one frame"
		if pipeline.BothViews(cfg) {
			frames, count = 2*frames, "two frames, the second for the mean of both views of the face"
		}
		about := func(filter time.Duration) time.Duration {
			t := filter + d.OnDelay + frames
			if t >= time.Minute {
				return t.Round(time.Second)
			}
			return t.Round(10 * time.Millisecond)
		}
		after, whole := alarm.Time(slowest.Round(time.Millisecond)), alarm.Time(about(slowest))
		if d.Match == alarm.Any && fastest != slowest { // one is enough
			after = fmt.Sprintf("%s to %s", alarm.Time(fastest.Round(time.Millisecond)), after)
			whole = fmt.Sprintf("%s to %s", alarm.Time(about(fastest)), whole)
		}
		line := fmt.Sprintf("alarm %q (%s) is raised when %s for %s.", d.Name, d.Priority, strings.Join(parts, joined(d.Match)), alarm.Time(d.OnDelay))
		line += fmt.Sprintf(" From a full, sudden change of the face to the lamp: %s after %s, then the on-delay of %s, and up to %s (%s): about %s.%s",
			filters, after, alarm.Time(d.OnDelay), count, alarm.Time(frames.Round(time.Millisecond)), whole, perclos)
		line += fmt.Sprintf(" It returns when that has been gone, by a deadband of %s, for %s.", strings.Join(deadbands, " and "), alarm.Time(d.OffDelay))
		if d.Latch {
			line += " It latches: it stays until acknowledged and reset."
		}
		if d.NoAck {
			line += " It needs no acknowledgement."
		}
		if d.ReAlarm > 0 {
			line += fmt.Sprintf(" Acknowledged for %s and still there, it alarms again.", alarm.Time(d.ReAlarm))
		}
		line += fmt.Sprintf(" Without a reading for %s its state is %s; so it is where results come more than %s apart, fewer than %.2g a second.",
			alarm.Time(d.UnknownHold), d.OnUnknown, alarm.Time(cfg.Health.Stale), 1/cfg.Health.Stale.Seconds())
		lines = append(lines, line)
	}
	return lines
}

// joined is the word between an alarm's conditions.
func joined(m alarm.Match) string {
	if m == alarm.Any {
		return " or "
	}
	return " and "
}

// reaches is how long after a full, sudden change of the face a signal is at its
// limit: up from its least level, or down from its greatest. PERCLOS rises by
// itself from open eyes to closed ones.
func reaches(cfg *config.Config, k alarm.Condition, info affect.Info) time.Duration {
	if info.Max <= info.Min {
		return 0
	}
	share := float64((k.Limit - info.Min) / (info.Max - info.Min))
	if k.Side == alarm.Below {
		share = 1 - share
	}
	share = min(max(share, 0), 1)
	f, filtered := pipeline.FilterOf(cfg, k.Signal)
	if !filtered {
		return time.Duration(share * float64(cfg.Filter.PerclosWindow))
	}
	return f.Rise(share)
}

func printConfig(c *call) error {
	if err := c.options(0); err != nil {
		return err
	}
	_, err := fmt.Fprint(c.out, config.Example())
	return err
}
