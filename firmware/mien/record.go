package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/operator"
	"mien/firmware/pilot"
	"mien/firmware/pipeline"
)

// pilotFolder is where the recordings of a state folder lie.
func pilotFolder(state string) string { return filepath.Join(state, "pilot") }

// pilotStart is `mien pilot start`.
func pilotStart(c *call) error {
	lasts := c.String("for", "", "how long: `TIME` such as 14d or 8h, at most 90d")
	purpose := c.String("purpose", "", "what the pilot is for, in your own `WORDS`; it is journaled, and stands in each recording")
	return c.tell(0, func() (operator.Request, error) {
		r := operator.Request{Ask: operator.AskPilot, Pilot: operator.PilotStart, Text: *purpose}
		if *lasts == "" || strings.TrimSpace(*purpose) == "" {
			return r, usageError(`a recording needs an end and a purpose: mien pilot start -for 14d -purpose "limits for press 4"`)
		}
		var err error
		if r.For, err = days(*lasts); err != nil {
			err = usageError("-for: " + err.Error())
		}
		return r, err
	})
}

// days reads how long a pilot lasts: a time that may be in days.
func days(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if n, is := strings.CutSuffix(s, "d"); is {
		var v float64
		if v, err = strconv.ParseFloat(n, 64); v != v {
			err = strconv.ErrSyntax
		}
		d = time.Duration(max(min(v, 1e5), -1e5) * 24 * float64(time.Hour))
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is no time: write 14d, 8h or 30m", s)
	case d < time.Minute || d > pilot.Longest:
		return 0, fmt.Errorf("%s is not possible; allowed: 1m to %dd", s, pilot.Longest/(24*time.Hour))
	}
	return d, nil
}

func pilotStop(c *call) error {
	return c.tell(0, func() (operator.Request, error) {
		return operator.Request{Ask: operator.AskPilot, Pilot: operator.PilotStop}, nil
	})
}

func pilotErase(c *call) error {
	yes := c.Bool("yes", false, "delete all recordings of the unit; they cannot be had back")
	return c.tell(0, func() (operator.Request, error) {
		if !*yes {
			return operator.Request{}, usageError("it deletes all recordings of the unit, for good: mien pilot erase -yes")
		}
		return operator.Request{Ask: operator.AskPilot, Pilot: operator.PilotErase}, nil
	})
}

func pilotStatus(c *call) error {
	reply, err := c.ask(0, func() (operator.Request, error) { return operator.Request{Ask: operator.AskPilot}, nil })
	if err != nil {
		return err
	}
	p := reply.Pilot
	if p == nil {
		return errors.New("the unit gave no status: is it of another version?")
	}
	if *c.json {
		return c.printJSON(p)
	}
	switch {
	case p.Recording:
		fmt.Fprintf(c.out, "recording until %s, for: %s\n", p.Ends.Local().Format("2006-01-02 15:04"), p.Purpose)
	case p.Ended != "":
		fmt.Fprintf(c.out, "not recording: %s (the pilot for: %s)\n", p.Ended, p.Purpose)
	case !p.Allowed:
		fmt.Fprintln(c.out, "not recording: the config does not allow it (pilot.record)")
	default:
		fmt.Fprintln(c.out, "not recording: no pilot was started")
	}
	if p.Trouble != "" {
		fmt.Fprintf(c.out, "NOTHING IS WRITTEN: %s\n", p.Trouble)
	}
	fmt.Fprintf(c.out, "recordings: %s, %.1f MB\n", alarm.Count(p.Files, "file"), float64(p.Bytes)/1e6)
	fmt.Fprintf(c.out, "since the start: %s recorded; records without room: %d\n", alarm.Count(int(p.Frames), "frame"), p.Dropped)
	fmt.Fprintf(c.out, "marks that count, since the start: %d right, %d false, %d missed\n", p.Right, p.False, p.Missed)
	return nil
}

// recordings are the files that the arguments name: themselves, those of the newest
// pilot in folders, or without arguments in that of the unit that has the config ("":
// the one in its usual place).
func (c *call) recordings(path string) ([]string, error) {
	dir := stateFolder()
	if path != "" {
		cfg, _, err := loadConfig(path)
		if err != nil {
			return nil, err
		}
		if cfg.State.Dir != "" { // one that only has other limits to try names none
			dir = cfg.State.Dir
		}
	}
	args := c.Args()
	if len(args) == 0 {
		args = []string{pilotFolder(dir)}
		if _, err := os.Stat(args[0]); errors.Is(err, fs.ErrNotExist) {
			return nil, coded{fmt.Errorf("there is no recording in %s: mien pilot start begins one; recordings elsewhere are to be named", args[0]), exitMissing}
		}
	}
	var list []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err == nil && info.IsDir() {
			if _, err = os.ReadDir(arg); err == nil {
				paths, _ := pilot.Files(arg)
				newest, others := pilot.Newest(paths)
				if others > 0 {
					fmt.Fprintf(c.err, "mien: %s of earlier pilots in %s left out: what is found in one pilot holds for that one; name them to read them\n", alarm.Count(others, "recording"), arg)
				}
				list = append(list, newest...)
				continue
			}
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			err = fmt.Errorf("there is no file or folder %s; %s", arg, recordingsIn(pilotFolder(dir)))
		case errors.Is(err, fs.ErrPermission):
			err = fmt.Errorf("%w: only the unit's user and root may read recordings (sudo mien pilot ...)", err)
		}
		if err != nil {
			return nil, coded{err, exitMissing}
		}
		list = append(list, arg)
	}
	if len(list) == 0 {
		return nil, coded{fmt.Errorf("there is no recording in %s", strings.Join(args, ", ")), exitMissing}
	}
	return list, nil
}

// recordingsIn says what recordings a folder has, for who named one that is not there.
func recordingsIn(dir string) string {
	_, err := os.ReadDir(dir)
	paths, _ := pilot.Files(dir)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("which recordings are in %s only the unit's user and root may see", dir)
	case len(paths) == 0:
		return fmt.Sprintf("in %s there is no recording either", dir)
	}
	text := fmt.Sprintf("in %s there is %s", dir, filepath.Base(paths[0]))
	if n := len(paths); n > 1 {
		text = fmt.Sprintf("in %s there are %d recordings, %s to %s", dir, n, filepath.Base(paths[0]), filepath.Base(paths[n-1]))
	}
	return text + "; without a name the newest pilot's are read"
}

// otherSettings are those of a config, "" for none.
func otherSettings(path string) (*pilot.Settings, error) {
	if path == "" {
		return nil, nil
	}
	cfg, _, err := loadConfig(path)
	if err != nil {
		return nil, err
	}
	return pipeline.ReplayBy(cfg)
}

// pilotReplay is `mien pilot replay`.
func pilotReplay(c *call) error {
	path := c.String("config", "", "with the settings of this config `FILE`; without: with those that were in force, and each event is compared")
	show := c.Bool("events", false, "show each event that is computed")
	if err := c.options(1000); err != nil {
		return err
	}
	with, err := otherSettings(*path)
	if err != nil {
		return err
	}
	list, err := c.recordings(*path)
	if err != nil {
		return err
	}
	var v pilot.Visitor
	counts := [2]map[string]int{{}, {}} // alarms raised: as told, as computed
	v.Event = func(ev alarm.Event, again bool) {
		i := 0
		if again {
			i = 1
			if *show {
				fmt.Fprintln(c.out, ev)
			}
		}
		if ev.Trigger == alarm.Raise && ev.To.NeedsAck() {
			counts[i][ev.Alarm]++
		}
	}
	sum, err := pilot.Replay(list, with, v)
	if err != nil {
		return coded{err, exitFailed}
	}
	if *c.json {
		type count struct {
			Raised   int `json:"raised"`   // as the unit told
			Computed int `json:"computed"` // again
		}
		alarms := map[string]count{}
		for i := range counts {
			for name := range counts[i] {
				alarms[name] = count{counts[0][name], counts[1][name]}
			}
		}
		if err := c.printJSON(struct {
			*pilot.Replayed
			Alarms map[string]count `json:"alarms"`
		}{sum, alarms}); err != nil {
			return err
		}
	} else {
		c.printReplayed(sum, with != nil, counts)
	}
	if sum.Differs > 0 {
		return coded{fmt.Errorf("%s", alarm.Count(sum.Differs, "event")+" not as the unit told"), exitFailed}
	}
	return nil
}

func (c *call) printReplayed(sum *pilot.Replayed, other bool, counts [2]map[string]int) {
	fmt.Fprintf(c.out, "%s, %s, %s without one\n", alarm.Count(sum.Files, "recording"), alarm.Count(int(sum.Frames), "frame"), alarm.Count(int(sum.Steps), "step"))
	if sum.Dropped > 0 {
		fmt.Fprintf(c.out, "%s without room: the recordings go on behind\n", alarm.Count(int(sum.Dropped), "record"))
	}
	for _, text := range sum.Damage {
		fmt.Fprintln(c.out, "left out:", text)
	}
	fmt.Fprintf(c.out, "events: %d as the unit told them, %d computed", sum.Live, sum.Again)
	if !other {
		fmt.Fprintf(c.out, ", %d differ", sum.Differs)
	}
	fmt.Fprintln(c.out)
	for name := range counts[0] {
		counts[1][name] += 0
	}
	for _, name := range slices.Sorted(maps.Keys(counts[1])) {
		fmt.Fprintf(c.out, "alarm %s: raised %s, computed %s\n", name, alarm.Count(counts[0][name], "time"), alarm.Count(counts[1][name], "time"))
	}
	for _, text := range sum.Differ {
		fmt.Fprintln(c.out, "differs:", text)
	}
}

// exportAs says how recordings are divided into sessions.
func exportAs(shift time.Duration, begins string) (pilot.Export, error) {
	at, err := time.Parse("15:04", begins)
	switch {
	case err != nil:
		return pilot.Export{}, usageError(fmt.Sprintf("-begins %q is no time of day: write 06:00", begins))
	case shift < time.Minute || shift > 24*time.Hour || (24*time.Hour)%shift != 0:
		return pilot.Export{}, usageError(fmt.Sprintf("-shift %s does not divide a day; allowed: 1m to 24h of which a day has a whole number, such as 8h or 12h", alarm.Time(shift)))
	}
	return pilot.Export{Shift: shift, Begins: time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute}, nil
}

// pilotExport is `mien pilot export`: tables for the search for limits, or for
// programs of one's own.
func pilotExport(c *call) error {
	levels := c.String("levels", "", "levels as CSV into `FILE`: session,time and a column for each signal")
	marks := c.String("marks", "", "what marks and drills say, as CSV into `FILE`: session,signal,from,to,truth")
	tags := c.String("tags", "", "also which part of a session belongs to which group (pilot.tag), as CSV into `FILE`: session,from,to,tag")
	shift := c.Duration("shift", 8*time.Hour, "a session is one shift of `TIME`")
	begins := c.String("begins", "06:00", "`HH:MM` at which the first shift of a day begins")
	path := c.String("config", "", "with the settings of this config `FILE`; without: with those that were in force")
	if err := c.options(1000); err != nil {
		return err
	}
	if *levels == "" || *marks == "" {
		return usageError("-levels FILE and -marks FILE are needed")
	}
	if a, b, d := filepath.Clean(*levels), filepath.Clean(*marks), filepath.Clean(*tags); a == b || d == a || d == b {
		return usageError("-levels, -marks and -tags are files of their own: one would be written over another")
	}
	e, err := exportAs(*shift, *begins)
	if err != nil {
		return err
	}
	if e.With, err = otherSettings(*path); err != nil {
		return err
	}
	list, err := c.recordings(*path)
	if err != nil {
		return err
	}
	l, err := os.OpenFile(*levels, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer l.Close()
	m, err := os.OpenFile(*marks, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer m.Close()
	var groups *os.File
	if *tags != "" {
		if groups, err = os.OpenFile(*tags, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
			return err
		}
		defer groups.Close()
		e.Tags = groups
	}
	told, err := pilot.Tables(list, e, l, m)
	if err == nil {
		err = errors.Join(l.Close(), m.Close())
	}
	if err == nil && groups != nil {
		err = groups.Close()
	}
	if err != nil {
		return err
	}
	if *c.json {
		return c.printJSON(told)
	}
	fmt.Fprintf(c.out, "%s: %s of %s\n", *levels, alarm.Count(int(told.Levels), "frame"), alarm.Count(len(told.Sessions), "session"))
	fmt.Fprintf(c.out, "%s: %s of truth\n", *marks, alarm.Count(told.Spans, "span"))
	c.leftOut(told)
	return nil
}

// leftOut says what of recordings counts for nothing, and why.
func (c *call) leftOut(told *pilot.Told) {
	if told.Unnamed > 0 {
		fmt.Fprintf(c.out, "%s left out: they do not say which alarm, or it has several conditions\n", alarm.Count(told.Unnamed, "mark"))
	}
	if told.Elsewhen > 0 {
		fmt.Fprintf(c.out, "%s left out: of a time that is not recorded\n", alarm.Count(told.Elsewhen, "mark"))
	}
	if told.Unmarked > 0 {
		fmt.Fprintf(c.out, "%d of %s without a mark: of its session only what was marked counts\n", told.Unmarked, alarm.Count(told.Alarms, "alarm"))
	}
	if told.Broken > 0 {
		fmt.Fprintf(c.out, "%s left out: not gone through to the end\n", alarm.Count(told.Broken, "drill"))
	}
	for _, text := range told.Damage {
		fmt.Fprintln(c.out, "left out:", text)
	}
}
