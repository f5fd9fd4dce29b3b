package main

import (
	"context"
	"encoding/csv"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/operator"
	"mien/firmware/pilot"
)

// A pilot from its start to its tables, with the commands that people give and a unit
// that plays the demo clip: what was recorded gives the same events again.
func TestPilotFromStartToTables(t *testing.T) {
	p := newProcess(t)
	text := fmt.Sprintf("[camera]\nclip = \"demo.mjpeg\"\nloop = true\n[health]\nfrozen = \"1h\"\n[pilot]\nrecord = true\n[state]\ndir = %q\n[socket]\npath = %q\n"+
		"[[alarm]]\nname = \"brow\"\nsignal = \"au4\"\nhigh = 0.6\non_delay = \"200ms\"\n", filepath.Join(p.dir, "state"), p.socket())
	os.WriteFile(p.config(), []byte(text), 0o600)
	p.start()
	socket := "-socket=" + p.socket()
	says := func(want string, code int, args ...string) string {
		t.Helper()
		got, out := mien(args...)
		if got != code || !strings.Contains(out, want) {
			t.Errorf("mien %s: exit code %d, should be %d and say %q:\n%s", strings.Join(args, " "), got, code, want, out)
		}
		return out
	}
	p.until("its socket", func() bool { code, _ := mien("pilot", "status", socket); return code == exitOK })
	says("no pilot was started", exitOK, "pilot", "status", socket)
	says("-for", exitUsage, "pilot", "start", socket)
	says("purpose", exitUsage, "pilot", "start", socket, "-for", "14d")
	for text, want := range map[string]string{"soon": "-for: \"soon\" is no time: write 14d", "NaNd": "no time", "0d": "allowed: 1m to 90d", "-1d": "allowed: 1m to 90d",
		"2000d": "-for: 2000d is not possible; allowed: 1m to 90d", "1e300d": "allowed: 1m to 90d", "30s": "allowed: 1m to 90d"} {
		says(want, exitUsage, "pilot", "start", socket, "-for", text, "-purpose", "a")
	}
	says("too many arguments", exitUsage, "mark", socket, "right", "a", "b")
	says("say right", exitUsage, "mark", socket, "perhaps")
	says("-ago -1m is in the future", exitUsage, "mark", socket, "missed", "-ago", "-1m")
	says("13h ago is too long; allowed: up to 12h", exitFailed, "mark", socket, "missed", "-ago", "13h")
	says("-yes", exitUsage, "pilot", "erase", socket)
	says("nothing is recorded", exitFailed, "pilot", "drill", socket, "usual")
	says("recording until", exitOK, "pilot", "start", socket, "-for", "14d", "-purpose", "limits for press 4")
	says("RECORDING what the network says", exitOK, "status", socket)
	says("recording already", exitFailed, "pilot", "start", socket, "-for", "1d", "-purpose", "again")
	p.until("frames in the recording", func() bool {
		r, err := p.ask(operator.Request{Ask: operator.AskPilot})
		return err == nil && r.Pilot.Frames > 10
	})
	p.until("a recording of which nobody has said anything", func() bool {
		code, out := mien("pilot", "tune", "-cost-false", "1", "-cost-missed", "10", filepath.Join(p.dir, "state", "pilot"))
		return code == exitFailed && strings.Contains(out, "nothing is known of what was so: no mark and no drill")
	})
	var raised uint64
	p.until("an alarm", func() bool {
		r, err := p.ask(operator.Request{Ask: operator.AskEvents, After: raised})
		for _, ev := range r.Events {
			if ev.Trigger == alarm.Raise {
				raised = ev.Number
			}
		}
		return err == nil && raised > 0
	})
	says("mark right: brow", exitOK, "mark", socket, "right")
	says("in place of right", exitOK, "mark", socket, "false", "brow")
	says("mark withdrawn", exitOK, "mark", socket, "withdraw")
	says("mark right: brow", exitOK, "mark", socket, "right", "brow")
	script := filepath.Join(p.dir, "mine.toml")
	os.WriteFile(script, []byte("name = \"mine\"\nreaction = \"100ms\"\n[[step]]\nseconds = 0.4\nen = \"Look here.\"\nja = \"見て\"\nabsent = [\"au12\"]\n[[step]]\nseconds = 0.4\nen = \"Smile.\"\npresent = [\"au12\", \"au999\"]\n"), 0o600)
	if out := says("ありがとう", exitOK, "pilot", "drill", socket, "-lang", "ja", script); !strings.Contains(out, "見て") || strings.Count(out, "\a") != 3 {
		t.Errorf("the drill said %q", out)
	}
	says("purpose", exitOK, "pilot", "status", socket, "-json")
	says("1 right, 0 false, 0 missed", exitOK, "pilot", "status", socket)
	// A drill that is stopped by hand counts for nothing.
	ctx, stop := context.WithCancel(context.Background())
	stop()
	c := &call{FlagSet: flag.NewFlagSet("drill", flag.ContinueOnError), out: io.Discard, err: io.Discard}
	s, err := pilot.ParseScript("mine", []byte("name = \"broken\"\nreaction = \"0s\"\n[[step]]\nseconds = 100\nen = \"Wait.\"\nabsent = [\"au4\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.lead(ctx, s, "en", p.socket(), time.After); err == nil || !strings.Contains(err.Error(), "nothing of it counts") {
		t.Errorf("a broken drill: %v", err)
	}
	says("mark right", exitOK, "events", socket, "-n", "0")
	says("broken off", exitOK, "events", socket, "-n", "0")
	p.signal(syscall.SIGTERM)
	p.ends()

	dir := filepath.Join(p.dir, "state", "pilot")
	if out := says(" 0 differ", exitOK, "pilot", "replay", dir); !strings.Contains(out, "alarm brow: raised") {
		t.Errorf("replay says %s", out)
	}
	if paths, _ := pilot.Files(dir); len(paths) > 0 { // what was recorded counts once
		says("is the same recording as "+paths[0]+": name it once", exitFailed, "pilot", "replay", dir, paths[0])
	}
	other := filepath.Join(p.dir, "other.toml")
	os.WriteFile(other, []byte("[[alarm]]\nname = \"brow\"\nsignal = \"au4\"\nhigh = 0.999\non_delay = \"30s\"\n"), 0o600)
	says("computed 0 times", exitOK, "pilot", "replay", "-config", other, dir)
	// Without a recording named: those of the unit that has the config.
	says("alarm brow: raised", exitOK, "pilot", "replay", "-config", p.config())
	if _, out := mien("pilot", "tune", "-signal", "au4", "-cost-false", "1", "-cost-missed", "10", "-config", p.config()); !strings.Contains(out, "au4: ") {
		t.Errorf("tune with the config's own recordings says %s", out)
	}
	says("the recordings: there is no signal \"au99\"; did you mean", exitFailed, "pilot", "tune", "-signal", "au99", "-cost-false", "1", "-cost-missed", "10", dir)
	says("no recording", exitMissing, "pilot", "replay", p.dir)
	if paths, _ := pilot.Files(dir); len(paths) > 0 { // one that is not there: what there is
		says("there is no file or folder 0-000001.rec; in "+dir+" there ", exitMissing, "pilot", "replay", "-config", p.config(), "0-000001.rec")
		says(filepath.Base(paths[0]), exitMissing, "pilot", "replay", "-config", p.config(), "0-000001.rec")
	}
	// Of an earlier pilot, which is kept beside this one until it is too old.
	earlier := filepath.Join(dir, "ffffffffffffffff-000001.rec")
	os.WriteFile(earlier, nil, 0o600)
	if out := says(" 0 differ", exitOK, "pilot", "replay", dir); !strings.Contains(out, "1 recording of earlier pilots in "+dir+" left out") {
		t.Errorf("of two pilots replay says %s", out)
	}
	os.Remove(earlier)
	nowhere := filepath.Join(p.dir, "nowhere.toml")
	os.WriteFile(nowhere, []byte(fmt.Sprintf("[state]\ndir = %q\n", filepath.Join(p.dir, "none"))), 0o600)
	says("mien pilot start begins one", exitMissing, "pilot", "replay", "-config", nowhere)
	says("-levels FILE and -marks FILE", exitUsage, "pilot", "export", dir)
	says("files of their own", exitUsage, "pilot", "export", "-levels", "a/../l", "-marks", "l", dir)
	says("files of their own", exitUsage, "pilot", "export", "-levels", "l", "-marks", "m", "-tags", "./m", dir)
	says("divide a day", exitUsage, "pilot", "export", "-levels", "l", "-marks", "m", "-shift", "7h", dir)
	levels, marks := filepath.Join(p.dir, "l.csv"), filepath.Join(p.dir, "m.csv")
	says("1 drill left out", exitOK, "pilot", "export", "-levels", levels, "-marks", marks, dir)
	page := filepath.Join(p.dir, "report.html")
	says("-cost-false", exitUsage, "pilot", "report", "-o", page, dir)
	says("-shifts-per-year is NaN; allowed: 0 to 2000", exitUsage, "pilot", "report", "-o", page, "-shifts-per-year", "NaN", "-cost-false", "1", "-cost-missed", "10", dir)
	says("-unit-cost-per-year is -1; allowed", exitUsage, "pilot", "report", "-o", page, "-unit-cost-per-year", "-1", "-cost-false", "1", "-cost-missed", "10", dir)
	says("no report in", exitFailed, "pilot", "report", "-o", page, "-lang", "de", "-cost-false", "1", "-cost-missed", "10", dir)
	for lang, title := range map[string]string{"en": "Pilot report", "ja": "試行報告書"} {
		says("open it with a browser", exitOK, "pilot", "report", "-o", page, "-lang", lang, "-cost-false", "1", "-cost-missed", "10", dir)
		if text, _ := os.ReadFile(page); !strings.Contains(string(text), title) || !strings.Contains(string(text), "limits for press 4") {
			t.Errorf("the report in %s has %d bytes, and not what was recorded", lang, len(text))
		}
	}
	rows := func(path string) [][]string {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		list, err := csv.NewReader(f).ReadAll()
		if err != nil || len(list) < 2 {
			t.Fatalf("%s: %d rows, %v", path, len(list), err)
		}
		return list
	}
	if head := rows(levels)[0]; head[0] != "session" || head[1] != "time" || strings.Contains(strings.Join(head, " "), "expression") {
		t.Errorf("levels: %v", head)
	}
	truths := map[string]int{}
	for _, row := range rows(marks)[1:] {
		truths[row[1]+" "+row[4]]++
	}
	delete(truths, "au4 absent") // the rest of the session, if brow was not raised once more behind the mark
	if truths["au4 present"] != 1 || truths["au12 present"] != 1 || truths["au12 absent"] != 1 || len(truths) != 3 {
		t.Errorf("marks: %v", truths)
	}
	if _, out := mien("pilot", "tune", "-levels", levels, "-marks", marks, "-signal", "au4", "-cost-false", "1", "-cost-missed", "10"); !strings.Contains(out, "need") {
		t.Errorf("tune reads the tables and says %s", out)
	} else if _, same := mien("pilot", "tune", "-signal", "au4", "-cost-false", "1", "-cost-missed", "10", dir); !strings.HasSuffix(same, "1 drill left out: not gone through to the end\n"+out) {
		t.Errorf("of the recordings tune says\n%s\nand of the tables made of them\n%s", same, out)
	}
}
