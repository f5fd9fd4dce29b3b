package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/alarm/store"
	"mien/firmware/config"
	"mien/firmware/operator"
	"mien/firmware/state"
)

// journalOf is the journal as the socket takes it; none for a unit that keeps
// nothing.
func journalOf(kept *store.Store) operator.Journal {
	if kept == nil {
		return nil // a nil *Store in the interface would not be nil
	}
	return kept
}

// ask declares the socket option, parses, and sends one request.
func (c *call) ask(most int, request func() (operator.Request, error)) (operator.Reply, error) {
	path := c.socketOption()
	if err := c.options(most); err != nil {
		return operator.Reply{}, err
	}
	r, err := request()
	if err != nil {
		return operator.Reply{}, err
	}
	client, err := dial(*path)
	if err != nil {
		return operator.Reply{}, err
	}
	defer client.Close()
	reply, err := client.Ask(r)
	if err != nil && r.Alarm != "" && strings.Contains(err.Error(), alarm.ErrNoAlarm.Error()) {
		err = fmt.Errorf("%w%s", err, namesHere(client, r.Alarm))
	}
	return reply, err
}

// namesHere tells whoever named an alarm that is not there which there are.
func namesHere(client *operator.Client, name string) string {
	reply, err := client.Ask(operator.Request{Ask: operator.AskAlarms})
	if err != nil {
		return "" // what was refused is said in any case
	}
	var names []string
	for _, a := range reply.Alarms {
		names = append(names, a.Name)
	}
	switch near := nearest(name, names); {
	case near != "":
		return near
	case len(names) == 0:
		return ": no alarm is configured"
	case len(names) > 8:
		return ": mien alarms lists them"
	}
	return fmt.Sprintf(": there are %q", names)
}

func (c *call) socketOption() *string {
	return c.String("socket", "", "`PATH` of the unit's socket; empty: where the config in its usual place puts it")
}

func dial(path string) (*operator.Client, error) {
	if path == "" {
		path = socketPath()
	}
	client, err := operator.Dial(path)
	if err != nil {
		return nil, coded{err, exitMissing}
	}
	return client, nil
}

// The unit's socket and state folder when systemd started it.
const (
	serviceSocket = "/run/mien/mien.sock"
	serviceFolder = "/var/lib/mien"
)

// socketPath is where a unit listens that was started with the config in its
// usual place: by systemd, by root, or by this user. Where there is that config,
// the unit is systemd's, though it is down.
func socketPath() string {
	cfg, err := config.Load(defaultConfig)
	switch own := (config.Socket{}).File(); {
	case err == nil && cfg.Socket.Path != "" && cfg.Socket.Path != "off":
		return cfg.Socket.Path
	case exists(serviceSocket) || exists(defaultConfig) && !exists(own):
		return serviceSocket
	default:
		return own
	}
}

// stateFolder is where such a unit keeps its journal.
func stateFolder() string {
	cfg, err := config.Load(defaultConfig)
	switch {
	case err == nil && cfg.State.Dir != "":
		return cfg.State.Dir
	case exists(serviceFolder):
		return serviceFolder
	}
	return config.State{}.Folder()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (c *call) printJSON(v any) error {
	e := json.NewEncoder(c.out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func operatorAlarms(c *call) error {
	reply, err := c.ask(0, func() (operator.Request, error) { return operator.Request{Ask: operator.AskAlarms}, nil })
	if err != nil {
		return err
	}
	if *c.json {
		return c.printJSON(reply.Alarms)
	}
	if len(reply.Alarms) == 0 {
		_, err := fmt.Fprintln(c.out, "no alarm is configured")
		return err
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ALARM\tPRIORITY\tSTATE\tFOR\tSIGNAL\tLEVEL\tLIMIT\tCOUNT\tWHY")
	for _, a := range reply.Alarms {
		level, held, why := "unknown", "", a.Why
		if a.Level != nil {
			level = fmt.Sprintf("%.2f", *a.Level)
		}
		if a.State != alarm.Normal {
			held = span(a.For)
		}
		if a.Shelved > 0 {
			why = fmt.Sprintf("shelved for another %s", span(a.Shelved))
		}
		if a.ReAlarm > 0 && !a.State.Covered() {
			why = fmt.Sprintf("alarms again in %s; %s", span(a.ReAlarm), why)
		}
		if a.FirstOut {
			why = "first out; " + why
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\tat or %s %.2f\t%d\t%s\n", a.Name, a.Priority, a.State, held, a.Signal, level, a.Side, a.Limit, a.Count, why)
	}
	return w.Flush()
}

func operatorEvents(c *call) error {
	follow := c.Bool("follow", false, "go on with new events until Ctrl-C")
	most := c.Int("n", 50, "the newest `N` events; 0: all that are kept")
	after := c.Uint64("after", 0, "events with a greater `NUMBER` only")
	folder := c.String("state", "", "read the journal in this state `FOLDER`, whether a unit runs or not; empty: ask the unit, and where none runs read the folder of the config in its usual place")
	path := c.socketOption()
	if err := c.options(0); err != nil {
		return err
	}
	if *most < 0 {
		return usageError(fmt.Sprintf("-n %d is no number of events: 0 is all that are kept", *most))
	}
	if *folder != "" {
		return c.eventsIn(*folder, *after, *most)
	}
	client, err := dial(*path)
	if errors.Is(err, operator.ErrNotRunning) && *path == "" && !*follow {
		dir := stateFolder()
		if exists(dir) {
			fmt.Fprintf(c.err, "no unit is running: this is the journal in %s\n", dir)
			return c.eventsIn(dir, *after, *most)
		}
	}
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		reply, err := client.Ask(operator.Request{Ask: operator.AskEvents, After: *after, Most: *most})
		if err != nil {
			return err
		}
		if err := c.printEvents(reply.Events); err != nil {
			return err
		}
		if n := len(reply.Events); n > 0 {
			*after = reply.Events[n-1].Number
		}
		if !*follow {
			return nil
		}
		*most = 0
		time.Sleep(500 * time.Millisecond)
	}
}

// eventsIn prints the journal of a state folder.
func (c *call) eventsIn(folder string, after uint64, most int) error {
	if most <= 0 {
		most = math.MaxInt32
	}
	events, err := store.Read(folder, memoryFolder(folder), after, most)
	if errors.Is(err, os.ErrPermission) {
		err = fmt.Errorf("%w: only the unit's user and root may read it (sudo mien events)", err)
	}
	if err != nil {
		return coded{err, exitMissing}
	}
	if len(events) == 0 && after == 0 {
		fmt.Fprintf(c.err, "no event is kept in %s\n", folder)
	}
	return c.printEvents(events)
}

func (c *call) printEvents(events []alarm.Event) error {
	for _, e := range events {
		if *c.json {
			if err := json.NewEncoder(c.out).Encode(e); err != nil {
				return err
			}
		} else if _, err := fmt.Fprintln(c.out, e); err != nil {
			return err
		}
	}
	return nil
}

func operatorStatus(c *call) error {
	reply, err := c.ask(0, func() (operator.Request, error) { return operator.Request{Ask: operator.AskStatus}, nil })
	if err != nil {
		return err
	}
	if reply.Status == nil {
		return errors.New("the unit gave no status: is it of another version?")
	}
	if *c.json {
		return c.printJSON(reply.Status)
	}
	s := reply.Status
	fmt.Fprintf(c.out, "%s, mien %s, up %s\n", s.Unit, s.Version, span(s.Up))
	valid := "results are valid"
	if !s.Trusted {
		valid = "NO VALID RESULTS"
	}
	fmt.Fprintf(c.out, "%s: %s, latency %s, %s dropped, available %.1f %% of %s\n",
		valid, rateWords(s.Rate, s.Trusted), millis(s.Latency), alarm.Count(int(s.Dropped), "frame"), s.Available*100, lastHour(s.Up))
	for _, f := range s.Faults {
		fmt.Fprintf(c.out, "fault %s %s, for %s: %s\n", f.Code, f.Name, span(f.For), f.Detail)
	}
	if s.Reason != "" {
		fmt.Fprintf(c.out, "no reading: %s\n", s.Reason)
	}
	if s.Inhibit > 0 {
		fmt.Fprintf(c.out, "INHIBIT for another %s: every alarm is suppressed\n", span(s.Inhibit))
	}
	if s.Testing > 0 {
		fmt.Fprintf(c.out, "OUTPUT TEST for another %s: %s\n", span(s.Testing), s.Tested)
	}
	fmt.Fprintln(c.out, clockWords(s.Clock))
	if s.Recording != nil {
		fmt.Fprintf(c.out, "RECORDING what the network says, until %s: mien pilot status\n", s.Recording.Local().Format("2006-01-02 15:04"))
	}
	normal := 0
	for _, a := range s.Alarms {
		if a.State == alarm.Normal && !a.Unknown {
			normal++
			continue
		}
		fmt.Fprintln(c.out, statusWords(a))
	}
	switch {
	case len(s.Alarms) == 0:
		fmt.Fprintln(c.out, "no alarm is configured")
	case normal > 0:
		fmt.Fprintf(c.out, "alarms normal: %d of %d\n", normal, len(s.Alarms))
	}
	var unknown []string
	for _, signal := range s.Signals {
		if signal.Level == nil {
			unknown = append(unknown, signal.Name)
			continue
		}
		fmt.Fprintf(c.out, "signal %s: %.2f\n", signal.Name, *signal.Level)
	}
	switch n := len(unknown); {
	case n > 0 && n <= 3:
		fmt.Fprintf(c.out, "unknown: %s\n", strings.Join(unknown, ", "))
	case n > 0:
		fmt.Fprintf(c.out, "unknown: %d of %d signals\n", n, len(s.Signals))
	}
	printLevels(c, "output", s.Outputs)
	printLevels(c, "input", s.Inputs)
	return nil
}

// statusWords says what there is to know of an alarm at a glance.
func statusWords(a operator.Alarm) string {
	held := span(a.For)
	if a.Shelved > 0 { // how long that lasts yet is what people ask
		held = "another " + span(a.Shelved)
	}
	text := fmt.Sprintf("alarm %s: %s for %s", a.Name, a.State, held)
	if a.Unknown {
		text += "; its reading is missing"
	}
	if a.FirstOut {
		text += "; first out"
	}
	if a.Silenced {
		text += "; silenced"
	}
	if a.ReAlarm > 0 && !a.State.Covered() {
		text += "; alarms again in " + span(a.ReAlarm)
	}
	return text
}

// rateWords says how many results there are; valid tells whether they are.
func rateWords(rate float64, valid bool) string {
	if rate == 0 && valid { // it is counted over some seconds
		return "too few yet to count them a second"
	}
	return fmt.Sprintf("%.1f a second", rate)
}

// lastHour is the time that the availability of a unit is told of: the last hour, or
// less where it is not up for as long.
func lastHour(up time.Duration) string {
	if up < time.Hour {
		return "the " + span(up) + " since the start"
	}
	return "the last hour"
}

func printLevels(c *call, kind string, list []operator.Level) {
	for _, l := range list {
		word := "off"
		if l.On {
			word = "on"
		}
		fmt.Fprintf(c.out, "%s %s: %s\n", kind, l.Name, word)
	}
}

// tell sends a command and says what was done.
func (c *call) tell(most int, request func() (operator.Request, error)) error {
	reply, err := c.ask(most, request)
	if err != nil {
		return err
	}
	return c.told(reply)
}

// told prints what a command changed, in the journal's words.
func (c *call) told(reply operator.Reply) error {
	if *c.json {
		return c.printJSON(struct {
			Done    []string `json:"done"`              // nothing: there was nothing to do
			Pending string   `json:"pending,omitempty"` // why it is not on the disk yet
		}{append([]string{}, reply.Done...), reply.Pending})
	}
	if len(reply.Done) == 0 {
		reply.Done = []string{"there was nothing to do, and nothing was changed"}
	}
	for _, line := range reply.Done {
		if _, err := fmt.Fprintln(c.out, line); err != nil {
			return err
		}
	}
	if reply.Pending != "" {
		_, err := fmt.Fprintf(c.out, "but %s: a power loss now would take it back\n", reply.Pending)
		return err
	}
	return nil
}

// doOn is a command on the alarm that the first argument names, or on all.
func (c *call) doOn(do alarm.Trigger) error {
	return c.tell(1, func() (operator.Request, error) {
		return operator.Request{Ask: operator.AskDo, Do: do, Alarm: c.Arg(0)}, nil
	})
}

func operatorAck(c *call) error      { return c.doOn(alarm.Acknowledge) }
func operatorReset(c *call) error    { return c.doOn(alarm.Reset) }
func operatorUnshelve(c *call) error { return c.doOn(alarm.Unshelve) }

func operatorSilence(c *call) error {
	return c.tell(0, func() (operator.Request, error) {
		return operator.Request{Ask: operator.AskDo, Do: alarm.Silence}, nil
	})
}

func operatorShelve(c *call) error {
	return c.tell(2, func() (operator.Request, error) {
		if c.NArg() != 2 {
			return operator.Request{}, usageError("name an alarm and a time: mien shelve \"brow lowered\" 30m")
		}
		d, err := timeArgument(c.Arg(1))
		if err != nil {
			err = usageError(err.Error() + `; a name of several words stands in quotes: mien shelve "brow lowered" 30m`)
		}
		return operator.Request{Ask: operator.AskDo, Do: alarm.Shelve, Alarm: c.Arg(0), For: d}, err
	})
}

func operatorInhibit(c *call) error {
	return c.tell(1, func() (operator.Request, error) {
		if c.Arg(0) == "off" {
			return operator.Request{Ask: operator.AskDo, Do: alarm.Uninhibit}, nil
		}
		if c.Arg(0) == "" {
			return operator.Request{}, usageError("say for how long, or off: mien inhibit 10m")
		}
		d, err := timeArgument(c.Arg(0))
		return operator.Request{Ask: operator.AskDo, Do: alarm.Inhibit, For: d}, err
	})
}

func operatorService(c *call) error {
	return c.tell(2, func() (operator.Request, error) {
		r := operator.Request{Ask: operator.AskDo, Alarm: c.Arg(1)}
		switch c.Arg(0) {
		case "out":
			r.Do = alarm.TakeOut
		case "in":
			r.Do = alarm.PutBack
		default:
			return r, usageError("say out or in, and name an alarm: mien service out \"brow lowered\"")
		}
		return r, nil
	})
}

func operatorOutputs(c *call) error {
	test := c.Duration("test", 0, "show every output as on for `TIME`, at most 1m; the alarms go on meanwhile")
	reply, err := c.ask(0, func() (operator.Request, error) {
		given := false
		c.Visit(func(f *flag.Flag) { given = given || f.Name == "test" })
		switch {
		case *test > 0:
			return operator.Request{Ask: operator.AskTest, For: *test}, nil
		case given:
			return operator.Request{}, usageError(fmt.Sprintf("-test %v is no test: give a time such as 5s", *test))
		}
		return operator.Request{Ask: operator.AskStatus}, nil
	})
	switch {
	case err != nil:
		return err
	case *test > 0:
		return c.told(reply)
	case reply.Status == nil:
		return errors.New("the unit gave no status: is it of another version?")
	case *c.json:
		return c.printJSON(reply.Status.Outputs)
	}
	if len(reply.Status.Outputs) == 0 {
		_, err = fmt.Fprintln(c.out, "no output is configured")
		return err
	}
	printLevels(c, "output", reply.Status.Outputs)
	return nil
}

// operatorClock is `mien clock`: the unit's wall clock, which -set sets.
func operatorClock(c *call) error {
	set := c.String("set", "", "set the unit's clock, not the system's, to this `TIME` with its zone, such as 2026-11-30T19:30:00Z")
	reply, err := c.ask(0, func() (operator.Request, error) {
		if *set == "" {
			return operator.Request{Ask: operator.AskStatus}, nil
		}
		to, err := time.Parse(time.RFC3339, *set)
		if err != nil {
			err = usageError(fmt.Sprintf("%q is no time: write 2026-11-30T19:30:00Z, or 2026-11-30T20:30:00+01:00; from another machine: ssh UNIT mien clock -set $(date -u +%%FT%%TZ)", *set))
		}
		return operator.Request{Ask: operator.AskClock, Time: to}, err
	})
	switch {
	case err != nil:
		return err
	case *set != "":
		return c.told(reply)
	case reply.Status == nil:
		return errors.New("the unit gave no status: is it of another version?")
	case *c.json:
		return c.printJSON(reply.Status.Clock)
	}
	_, err = fmt.Fprintln(c.out, clockWords(reply.Status.Clock))
	return err
}

// clockWords says what a unit's clock tells, and who vouches for it.
func clockWords(c operator.Clock) string {
	text := "clock " + c.Time.UTC().Format("2006-01-02 15:04:05 UTC")
	switch {
	case c.Source == state.ClockSystem.String():
		text += ": the system's, which no time source sets"
	case c.Source == state.ClockSynchronised.String():
		text += ": the system's, set by a time source"
	case c.Source == state.ClockNotSet.String():
		text += ": NOT SET since the machine started"
	default:
		text += ": set since the machine started"
	}
	if c.Offset.Abs() >= time.Second {
		way := "ahead of"
		if c.Offset < 0 {
			way = "behind"
		}
		text += fmt.Sprintf(", %s %s the system's", span(c.Offset.Abs()), way)
	}
	return text
}

func timeArgument(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, usageError(fmt.Sprintf("%q is no time: write 90s, 30m or 1h30m", s))
	}
	return d, nil
}
