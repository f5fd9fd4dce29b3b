package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mien/board"
	"mien/firmware/alarm"
	"mien/firmware/operator"
)

// What a command prints is what the journal has of it: less than was asked where
// less is allowed, nothing where there was nothing to do. The journal tells the end,
// and is read when the unit is down.
func TestCommandsTellWhatTheyDid(t *testing.T) {
	p := newProcess(t)
	p.configure("press")
	f, err := os.OpenFile(p.config(), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString("[[alarm]]\nname = \"brow\"\nsignal = \"au4\"\nhigh = 0.7\nshelve_max = \"1h\"\n[[output]]\nname = \"lamp\"\nchip = \"not here\"\nline = \"3\"\nfunction = \"lamp\"\n[clock]\nsettable = true\n[pilot]\nrecord = true\n")
		f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	p.start()
	p.until("the socket", p.called("press"))
	socket, folder := p.socket(), filepath.Join(p.dir, "state")
	journal := func() []alarm.Event {
		reply, err := p.ask(operator.Request{Ask: operator.AskEvents})
		if err != nil {
			t.Fatal(err)
		}
		return reply.Events
	}
	// What nobody gave, such as a fault that begins meanwhile, is left out.
	given := func(list []alarm.Event) []alarm.Event {
		return slices.DeleteFunc(list, func(e alarm.Event) bool { return e.Who == "" })
	}
	clockIsSet(t, socket, journal) // first: a pilot has an end date
	const nothing = "there was nothing to do, and nothing was changed"
	tried := map[string]bool{"clock": true, "pilot drill": true} // by clockIsSet, and TestPilotFromStartToTables
	for _, c := range []struct {
		line string // words are parted by a bar
		want string // of the output, which is one line; empty: nothing
	}{
		{"ack", ""},
		{"reset", ""},
		{"silence", ""},
		{"unshelve", ""},
		{"shelve|brow|2h", `^brow: shelve, normal -> shelved for 1h by .+ \(shortened to the longest time that is allowed\)$`},
		{"unshelve|brow", `^brow: unshelve, shelved -> normal by `},
		{"shelve|brow|30m", `^brow: shelve, normal -> shelved for 30m by [^(]+$`},
		{"unshelve", `^brow: unshelve, shelved -> normal by `},
		{"service|out|brow", `^brow: take out, normal -> out of service by `},
		{"service|in|brow", `^brow: put back, out of service -> normal by `},
		{"inhibit|5h", `^inhibit for 15m by .+ \(shortened to the longest time that is allowed\)$`},
		{"inhibit|off", `^end of inhibit by `},
		{"inhibit|3m", `^inhibit for 3m by [^(]+$`},
		{"outputs|-test|5m", `^output test for 1m, the longest that is allowed \(by .+\)$`},
		{"pilot|start|-for|14d|-purpose|limits for press 4", `^pilot: recording until .+, each day kept for \d+ days: limits for press 4 \(by .+\)$`},
		{"mark|missed|brow", `^mark missed: brow, .+ \(by .+\)$`},
		{"mark|withdraw", `^mark withdrawn: missed, brow.+ \(by .+\)$`},
		{"pilot|stop", `^pilot: recording ended \(by .+\)$`},
		{"pilot|start|-for|1d|-purpose|again", `^pilot: recording until `},
		{"pilot|erase|-yes", `^pilot: all recordings are erased \(by .+\)$`},
		{"pilot|erase|-yes", `^pilot: there are no recordings to erase \(by .+\)$`},
		{"pilot|baseline|-days|7", `^drift: a new baseline is learnt from tomorrow on, from 7 days that count; until then nothing is compared \(by .+\)$`},
		{"pilot|baseline|-erase", `^drift: the baseline and the sums of days are erased \(by .+\)$`},
		{"pilot|baseline|-erase", `^drift: there is no baseline to erase \(by .+\)$`},
	} {
		tried[commandOf(c.line)] = true
		before := len(journal())
		code, out := mien(append(strings.Split(c.line, "|"), "-socket", socket)...)
		out = strings.TrimSuffix(out, "\n")
		if code != exitOK {
			t.Errorf("%s: exit %d: %s", c.line, code, out)
			continue
		}
		new := given(journal()[before:])
		if c.want == "" {
			if out != nothing {
				t.Errorf("%s: %q, want %q", c.line, out, nothing)
			}
			if slices.ContainsFunc(new, func(e alarm.Event) bool { return !e.Idle() }) {
				t.Errorf("%s: the journal has a change: %v", c.line, new)
			}
			continue
		}
		if !regexp.MustCompile(c.want).MatchString(out) {
			t.Errorf("%s: %q, want %s", c.line, out, c.want)
		}
		if !slices.ContainsFunc(new, func(e alarm.Event) bool { return e.Words() == out }) {
			t.Errorf("%s: %q is not in the journal: %v", c.line, out, new)
		}
	}
	// What is refused says why, and so does the journal.
	for _, line := range []string{"ack|brow", "reset|brow", "unshelve|brow", "service|in|brow"} {
		before := len(journal())
		code, out := mien(append(strings.Split(line, "|"), "-socket", socket)...)
		new := given(journal()[before:])
		if code != exitFailed || len(new) == 0 || !new[0].Refused || !strings.Contains(out, new[0].Cause) {
			t.Errorf("%s: exit %d, %q; the journal: %v", line, code, out, new)
		}
	}

	// Whoever adds a command that changes the unit tries it here too.
	asks := []string{"run", "demo", "check", "explain", "probe", "selftest", "bench", "alarms", "events", "status", "gateway", "config", "registers", "version", "help",
		"pilot status", "pilot replay", "pilot export", "pilot tune", "pilot report", "pilot plan", "pilot drift"}
	for _, name := range allCommands() {
		if slices.Contains(asks, name) == tried[name] {
			t.Errorf("mien %s: it is either one that changes nothing, or tried here", name)
		}
	}
	// What is done is told to programs too.
	for _, c := range []struct{ line, want string }{
		{"outputs|-test|2s|-json", `^\{\s+"done": \[\s+"output test for 2s \(by .+\)"\s+\]\s+\}\n$`},
		{"clock|-set|" + time.Now().AddDate(1, 0, 0).UTC().Format(time.RFC3339) + "|-json", `^\{\s+"done": \[\s+"set clock by |while a time source sets`},
	} {
		if _, out := mien(append(strings.Split(c.line, "|"), "-socket", socket)...); !regexp.MustCompile(c.want).MatchString(out) {
			t.Errorf("%s: %q, want %s", c.line, out, c.want)
		}
	}
	// Whoever names an alarm that is not there is told which there are.
	for _, c := range []struct{ line, want string }{
		{"ack|brwo", `there is no such alarm: did you mean brow\?\n$`},
		{"shelve|yawning|30m", `there is no such alarm: there are \["brow"\]\n$`},
		{"mark|missed|yawning", `there is no such alarm: there are \["brow"\]\n$`},
	} {
		if code, out := mien(append(strings.Split(c.line, "|"), "-socket", socket)...); code != exitFailed || !regexp.MustCompile(c.want).MatchString(out) {
			t.Errorf("%s: exit %d, %q, want %s", c.line, code, out, c.want)
		}
	}
	if code, out := mien("outputs", "-socket", socket); code != exitOK || out != "output lamp: off\n" {
		t.Errorf("outputs: exit %d, %q", code, out)
	}

	_, out := mien("status", "-socket", socket)
	for _, want := range []string{`INHIBIT for another 2m5`, `OUTPUT TEST for another \d`, `alarm brow: suppressed by design for \d`, `unknown: \d+ of \d+ signals`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("status has no %s:\n%s", want, out)
		}
	}
	mien("inhibit", "off", "-socket", socket)
	mien("shelve", "brow", "30m", "-socket", socket)
	_, out = mien("status", "-socket", socket)
	for _, want := range []string{`(?m)^alarm brow: shelved for another (30m|29m5\d\.?\d*s)$`, `, \d+ frames? dropped, available \d+\.\d % of the [0-9.]+m?s since the start\n`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("status has no %s:\n%s", want, out)
		}
	}
	if strings.Contains(out, "INHIBIT") {
		t.Errorf("status:\n%s", out)
	}
	mien("unshelve", "-socket", socket)
	reply, err := p.ask(operator.Request{Ask: operator.AskStatus})
	if err != nil || len(reply.Status.Alarms) != 1 || reply.Status.Alarms[0].For > reply.Status.Up {
		t.Errorf("an alarm is in its state for longer than the unit is up: %+v, %v", reply.Status, err)
	}

	running := journal()
	p.signal(syscall.SIGTERM)
	p.ends()
	var stdout, stderr bytes.Buffer
	if code := Main([]string{"events", "-json", "-n", "0", "-state", folder}, &stdout, &stderr); code != exitOK {
		t.Fatalf("exit %d: %s", code, stderr.String())
	}
	var after []alarm.Event
	for d := json.NewDecoder(&stdout); d.More(); {
		var e alarm.Event
		if err := d.Decode(&e); err != nil {
			t.Fatal(err)
		}
		after = append(after, e)
	}
	if len(after) <= len(running) || after[0].Number != running[0].Number {
		t.Fatalf("%d events while it ran, %d after", len(running), len(after))
	}
	if last := after[len(after)-1]; last.Cause != "stopped" {
		t.Errorf("the last event is %v", last)
	}
	if code, out := mien("events", "-state", filepath.Join(p.dir, "nowhere")); code != exitMissing || !strings.Contains(out, "nowhere") {
		t.Errorf("no such folder: exit %d: %s", code, out)
	}
}

// commandOf is the command that a line gives: its words up to one that is no command's.
func commandOf(line string) string {
	words := strings.Split(line, "|")
	if words[0] == "pilot" {
		return words[0] + " " + words[1]
	}
	return words[0]
}

// allCommands lists the commands, and those of a command in its place.
func allCommands() (names []string) {
	for _, k := range commands {
		if k.name != "pilot" {
			names = append(names, k.name)
		}
	}
	for _, k := range pilotCommands() {
		names = append(names, "pilot "+k.name)
	}
	return names
}

// clockIsSet sets the clock of a unit, or is told why not, on a machine that a time
// source serves.
func clockIsSet(t *testing.T, socket string, journal func() []alarm.Event) {
	t.Helper()
	_, out := mien("clock", "-socket", socket)
	synchronised := strings.HasSuffix(out, ": the system's, set by a time source\n")
	if !synchronised && !strings.HasSuffix(out, ": NOT SET since the machine started\n") {
		t.Errorf("clock: %q", out)
	}
	code, out := mien("clock", "-set", "2031-05-06T07:08:09+02:00", "-socket", socket)
	if synchronised {
		if code != exitFailed || !strings.Contains(out, "while a time source sets the system's") {
			t.Errorf("clock -set: exit %d, %q", code, out)
		}
		return
	}
	list := journal()
	last := list[len(list)-1]
	if code != exitOK || last.Trigger != alarm.SetClock || out != last.Words()+"\n" || !strings.Contains(out, "to 2031-05-06T05:08:09Z") || last.Wall.Year() != 2031 {
		t.Errorf("clock -set: exit %d, %q, the journal: %v", code, out, last)
	}
	if _, out = mien("clock", "-socket", socket); !regexp.MustCompile(`^clock 2031-05-06 05:08:\d\d UTC: set since the machine started, \d+d\d+h ahead of the system's\n$`).MatchString(out) {
		t.Errorf("clock: %q", out)
	}
	for _, c := range [][2]string{{"yesterday", "is no time: write 2026-11-30T19:30:00Z"}, {"2019-01-01T00:00:00Z", "takes a time from 2026 to 2050"}} {
		if code, out := mien("clock", "-set", c[0], "-socket", socket); code == exitOK || !strings.Contains(out, c[1]) {
			t.Errorf("clock -set %s: exit %d, %q", c[0], code, out)
		}
	}
}

// A unit without outputs tests nothing, and does not say that it does.
func TestOutputTestOfAUnitWithoutOutputs(t *testing.T) {
	p := newProcess(t)
	p.configure("press")
	p.start()
	p.until("the socket", p.called("press"))
	code, out := mien("outputs", "-test", "5s", "-socket", p.socket())
	if code != exitOK || !strings.HasPrefix(out, "no output is configured: nothing was tested (by ") {
		t.Errorf("exit %d, %q", code, out)
	}
	if _, out := mien("status", "-socket", p.socket()); strings.Contains(out, "OUTPUT TEST") {
		t.Errorf("status:\n%s", out)
	}
	if code, out := mien("outputs", "-socket", p.socket()); code != exitOK || out != "no output is configured\n" {
		t.Errorf("outputs: exit %d, %q", code, out)
	}
	p.signal(syscall.SIGTERM)
	p.ends()
}

// A line that this machine cannot have ends the unit before its start is journaled,
// and check has said so.
func TestALineThatIsNotHere(t *testing.T) {
	if b, _ := board.Detect("/"); b.Board != nil {
		t.Skip("this board has the line")
	}
	p := newProcess(t)
	text := append(p.settings("press"), "[[output]]\nname = \"lamp\"\nline = \"pin 13\"\nfunction = \"lamp\"\n"...)
	if err := os.WriteFile(p.config(), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out := mien("check", p.config()); code != exitOK || !strings.Contains(out, "mien.toml:11: warning: output[1].line: this machine is no board whose header is known") {
		t.Errorf("check: exit %d: %s", code, out)
	}
	if code, out := mien("run", "-log", p.config()); code != exitConfig || !strings.Contains(out, `mien.toml:11: output[1].line: pin "pin 13": board is not known`) {
		t.Errorf("run: exit %d: %s", code, out)
	}
	if _, out := mien("events", "-state", filepath.Join(p.dir, "state")); strings.Contains(out, "start 1") {
		t.Errorf("journaled: %s", out)
	}
}

// Every command writes a time as the config does.
func TestOneStyleOfTime(t *testing.T) {
	p := newProcess(t)
	p.configure("press")
	f, err := os.OpenFile(p.config(), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString("[[alarm]]\nname = \"brow\"\nsignal = \"au4\"\nhigh = 0.7\non_delay = \"1m\"\noff_delay = \"2h\"\nshelve_max = \"12h\"\n[[alarm]]\nname = \"drowsy\"\nsignal = \"perclos\"\nhigh = 0.3\n")
		f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	p.start()
	p.until("the socket", p.called("press"))
	odd := regexp.MustCompile(`h0m|m0s|\b[0-9.]+ (ms|s|min|h|d)\b`)
	for _, line := range []string{"shelve|brow|90m", "inhibit|600s", "outputs|-test|9s", "status", "alarms", "events", "inhibit|off", "unshelve"} {
		_, out := mien(append(strings.Split(line, "|"), "-socket", p.socket())...)
		if bad := odd.FindString(out); bad != "" {
			t.Errorf("%s: %q in\n%s", line, bad, out)
		}
	}
	for _, args := range [][]string{{"explain", p.config()}, {"explain", "-config", p.config()}} {
		code, out := mien(args...)
		_, out, _ = strings.Cut(out, "\n\nalarm ") // a setting's meaning is prose
		if bad := odd.FindString(out); code != exitOK || bad != "" {
			t.Errorf("%q: exit %d, %q in\n%s", args, code, bad, out)
		}
	}
	p.signal(syscall.SIGTERM)
	p.ends()
}

// What status says of an alarm is what holds now.
func TestStatusWords(t *testing.T) {
	for _, c := range []struct {
		a    operator.Alarm
		want string
	}{
		{operator.Alarm{Name: "brow", State: alarm.Unacknowledged, For: 3 * time.Second, FirstOut: true, Silenced: true}, "alarm brow: unacknowledged for 3s; first out; silenced"},
		{operator.Alarm{Name: "brow", State: alarm.Acknowledged, For: time.Minute, ReAlarm: 4 * time.Minute}, "alarm brow: acknowledged for 1m; alarms again in 4m"},
		{operator.Alarm{Name: "brow", State: alarm.Shelved, Shelved: 30 * time.Minute, ReAlarm: 4 * time.Minute}, "alarm brow: shelved for another 30m"},
		{operator.Alarm{Name: "brow", State: alarm.SuppressedByDesign, For: 2 * time.Second, ReAlarm: time.Minute}, "alarm brow: suppressed by design for 2s"},
		{operator.Alarm{Name: "brow", State: alarm.Normal, For: time.Hour, Unknown: true}, "alarm brow: normal for 1h; its reading is missing"},
	} {
		if got := statusWords(c.a); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	for _, c := range []struct {
		rate  float64
		valid bool
		want  string
	}{{14.97, true, "15.0 a second"}, {0, true, "too few yet to count them a second"}, {0, false, "0.0 a second"}} {
		if got := rateWords(c.rate, c.valid); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	for up, want := range map[time.Duration]string{2100 * time.Millisecond: "the 2.1s since the start", 59 * time.Minute: "the 59m since the start", time.Hour: "the last hour"} {
		if got := lastHour(up); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
