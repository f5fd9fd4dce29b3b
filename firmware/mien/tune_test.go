package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pilotFiles writes what a pilot of so many sessions of 8 h could have: rest at 0.2,
// habits up to 0.6 for a second, true events at 0.8 for six. truth changes what is
// marked.
func pilotFiles(t *testing.T, sessions int, truth func(session int, row string) string) (levels, marks string) {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 7))
	var l, m bytes.Buffer
	l.WriteString("session,time,au12,au4\n")
	m.WriteString("session,signal,from,to,truth\n")
	for s := range sessions {
		mark := func(from, to int, what string) {
			m.WriteString(truth(s, fmt.Sprintf("day %d,au4,%d,%d,%s\n", s, from, to, what)))
		}
		rest, absent := 0, 0
		for at := 0; at < 28800; at++ {
			level := 0.2 + 0.05*r.NormFloat64()
			switch {
			case rest == 0 && r.IntN(3000) == 0:
				rest = 6
				mark(absent, at, "absent")
				mark(at, at+6, "present")
				absent = at + 6
			case rest == 0 && r.IntN(2000) == 0:
				level += 0.4 * r.Float64()
			}
			if rest > 0 {
				rest--
				level += 0.6
			}
			text := fmt.Sprintf("%.3f", level)
			if r.IntN(50) == 0 {
				text = ""
			}
			fmt.Fprintf(&l, "day %d,%d,0.1,%s\n", s, at, text)
		}
		mark(absent, 28800, "absent")
	}
	dir := t.TempDir()
	levels, marks = filepath.Join(dir, "L.csv"), filepath.Join(dir, "M.csv")
	for path, b := range map[string]*bytes.Buffer{levels: &l, marks: &m} {
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return levels, marks
}

func asMarked(_ int, row string) string { return row }

// tuned runs the command and gives what it wrote as JSON.
func tuned(t *testing.T, levels, marks string, more ...string) (map[string]any, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "out.json")
	code, out := mien(append([]string{"pilot", "tune", "-levels", levels, "-marks", marks, "-json", file,
		"-cost-false", "10", "-cost-missed", "50", "-most-false-per-shift", "1", "-shift", "8h"}, more...)...)
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	result := make(map[string]any)
	if err := json.Unmarshal(data, &result); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"limit", "deadband", "on_delay", "off_delay", "false_per_shift", "false_per_shift_low", "false_per_shift_high", "missed_share",
		"missed_low", "missed_high", "cost_per_shift", "cost_low", "cost_high", "sessions", "hours", "enough", "needs"} {
		if _, ok := result[key]; !ok {
			t.Errorf("the JSON has no %s", key)
		}
	}
	return result, out
}

func TestPilotTune(t *testing.T) {
	levels, marks := pilotFiles(t, 8, asMarked)
	dir := t.TempDir()
	was := filepath.Join(dir, "was.toml")
	if err := os.WriteFile(was, []byte("[[alarm]]\nname = \"brow\"\nsignal = \"au4\"\nhigh = 0.35\non_delay = \"0s\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, out := tuned(t, levels, marks, "-config", was)
	limit, _ := r["limit"].(float64)
	if r["enough"] != true || r["needs"] != "" || limit < 0.45 || limit > 0.8 || r["sessions"] != 8.0 || r["hours"].(float64) < 63 {
		t.Errorf("%v", r)
	}
	for _, x := range []struct{ low, value, high string }{{"false_per_shift_low", "false_per_shift", "false_per_shift_high"}, {"missed_low", "missed_share", "missed_high"}, {"cost_low", "cost_per_shift", "cost_high"}} {
		low, value, high := r[x.low].(float64), r[x.value].(float64), r[x.high].(float64)
		if low < 0 || low > value || value >= high {
			t.Errorf("%s is %v, within %v and %v", x.value, value, low, high)
		}
	}
	if high := r["false_per_shift_high"].(float64); high > 1 {
		t.Errorf("up to %v false alarms a shift, 1 is allowed", high)
	}
	if now := r["in_force"].(map[string]any); now["limit"] != 0.35 || now["false_per_shift"].(float64) < 3 {
		t.Errorf("in force: %v", now)
	}
	// What it prints is an alarm that a config may have.
	block := out[strings.Index(out, "[[alarm]]"):]
	for _, want := range []string{`(?m)^name = "brow"$`, `(?m)^high = 0\.\d+ +# was 0\.35$`, `(?m)^deadband = `, `(?m)^on_delay = "`, `(?m)^off_delay = "`} {
		if !regexp.MustCompile(want).MatchString(block) {
			t.Errorf("no %s in\n%s", want, block)
		}
	}
	now := filepath.Join(dir, "now.toml")
	if err := os.WriteFile(now, []byte(block), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, said := mien("check", now); code != exitOK {
		t.Errorf("exit %d: %s\n%s", code, said, block)
	}
}

func TestPilotTuneNeedsMore(t *testing.T) {
	for name, c := range map[string]struct {
		sessions int
		truth    func(int, string) string
		want     string
	}{
		"one session": {1, asMarked, "2 more sessions"},
		"all present": {4, func(_ int, row string) string { return strings.Replace(row, "absent", "present", 1) }, "spans that are absent"},
		"few events": {4, func(s int, row string) string {
			if s > 0 {
				return strings.Replace(row, "present", "absent", 1)
			}
			return row
		}, "true events"},
		"none": {4, func(s int, row string) string {
			if s > 0 || !strings.Contains(row, "absent") {
				return ""
			}
			return row
		}, "5 more true events"},
		"few hours": {3, func(_ int, row string) string { return row }, "95 % certainty"},
	} {
		levels, marks := pilotFiles(t, c.sessions, c.truth)
		more := []string{}
		if name == "few hours" {
			more = []string{"-most-false-per-shift", "0.1"}
		}
		if name == "few events" {
			data, _ := os.ReadFile(marks)
			lines := strings.SplitAfter(string(data), "\n")
			kept, n := "", 0
			for _, line := range lines {
				if strings.Contains(line, "present") {
					if n++; n > 4 {
						continue
					}
				}
				kept += line
			}
			if err := os.WriteFile(marks, []byte(kept), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r, out := tuned(t, levels, marks, more...)
		if r["enough"] != false || r["limit"] != nil || r["deadband"] != nil || r["on_delay"] != nil || r["off_delay"] != nil || !strings.Contains(r["needs"].(string), c.want) {
			t.Errorf("%s: %v", name, r)
		}
		if !strings.Contains(out, "No limit is recommended") || strings.Contains(out, "[[alarm]]") {
			t.Errorf("%s:\n%s", name, out)
		}
	}
}

func TestPilotTuneCommandLine(t *testing.T) {
	levels, marks := pilotFiles(t, 1, asMarked)
	right := []string{"-levels", levels, "-marks", marks, "-cost-false", "1", "-cost-missed", "1"}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{nil, exitUsage, "-cost-false and -cost-missed are needed"},
		{right[:2], exitUsage, "-levels FILE and -marks FILE go together"},
		{append(right[4:8:8], filepath.Join(levels, "x.rec")), exitMissing, "x.rec"},
		{append(right[4:8:8], levels+"x"), exitMissing, "L.csvx; in "},
		{append(right[4:8:8], "-filter", "0s,1s", levels), exitUsage, "-filter needs -config FILE"},
		{append(right[4:8:8], "-begins", "six", levels), exitUsage, "no time of day"},
		{append(right[4:8:8], levels), exitFailed, "L.csv"},
		{append(right[:8:8], "-most-doubt", "0"), exitUsage, "-most-doubt is 0"},
		{append(right[:8:8], "-stale", "0s"), exitUsage, "-stale is 0"},
		{append(right[:8:8], "-most-doubt", "-1"), exitUsage, "most doubt is -1; allowed: 0.01 to 10"},
		{append(right[:8:8], "-stale", "1h"), exitUsage, "stale is 1h; allowed: 10ms to 1m"},
		{append(right[:8:8], "-stale", "500ms"), exitOK, "frames closer together"},
		{append(right[:8:8], "-unknown-hold", "0.1s"), exitUsage, "hold of Unknown is 100ms; allowed: 500ms to 1h"},
		{append(right[:8:8], "-filter", "1"), exitUsage, `-filter: "1" is no time: write the windows as 0s,300ms,1s`},
		{append(right[:8:8], "-filter", "1h"), exitUsage, "filter window 1h; allowed: up to 8 windows of 0s to 10s"},
		{append(right[:8:8], "-filter", "0s,1s,1s"), exitUsage, "each once"},
		{right[:4], exitUsage, "-cost-false and -cost-missed are needed"},
		{append(right[:6:6], "-cost-missed", "0"), exitUsage, "no alarm at all would be the best; allowed: more than 0"},
		{append(right[:8:8], "-cost-false", "0"), exitUsage, "always on would be the best"},
		{append(right[:8:8], "-cost-false", "-1"), exitUsage, "cost of a false alarm is -1; allowed"},
		{append(right[:8:8], "-cost-missed", "1e30"), exitUsage, "cost of a missed event is 1e+30"},
		{append(right[:8:8], "-cost-missed", "NaN"), exitUsage, "cost of a missed event is NaN"},
		{append(right[:8:8], "-cost-missed", "ten"), exitUsage, `-cost-missed: "ten" is no number`},
		{append(right[:8:8], "-most-false-per-shift", "0"), exitUsage, "can never be proven"},
		{append(right[:8:8], "-most-false-per-shift", "-3"), exitUsage, "allowed: more than 0"},
		{append(right[:8:8], "-shift", "0s"), exitUsage, "shift is 0s; allowed: 1m to 24h"},
		{append(right[:8:8], "-shift", "200h"), exitUsage, "allowed: 1m to 24h"},
		{append(right[:8:8], "-allow", "-1s"), exitUsage, "allowance is -1s"},
		{append(right[:8:8], "-events-per-shift", "-1"), exitUsage, "true events a shift is -1"},
		{append(right[:8:8], "-signal", "au5"), exitFailed, `there is no signal "au5"; did you mean "au4"?`},
		{append(right[:8:8], "-levels", levels+"x"), exitMissing, "L.csvx"},
		{append(right[:8:8], "-config", levels+"x"), exitMissing, "L.csvx"},
		{append(right[:8:8], "more"), exitUsage, "recordings or -levels and -marks, not both"},
		{append(right[:8:8], "-json", filepath.Join(levels, "x")), exitFailed, "write the result"},
		{right, exitOK, "No limit is recommended"},
	} {
		code, out := mien(append([]string{"pilot", "tune"}, c.args...)...)
		if code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%q: exit %d, want %d with %q:\n%s", c.args, code, c.code, c.want, out)
		}
	}
}

func TestPilotPlan(t *testing.T) {
	code, out := mien("pilot", "plan", "-most-false-per-shift", "1", "-differ", "1", "-most-missed", "0.1", "-events-per-shift", "6")
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, out)
	}
	// 3.689 shifts without a false alarm, 36 events with none missed.
	for _, want := range []string{`(?m)^0 +30 +30$`, `(?m)^0 +36 +6 +48$`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	for _, args := range [][]string{{"-most-false-per-shift", "0"}, {"-most-missed", "1"}, {"-most-missed", "NaN"}, {"-shift", "1s"}, {"-shift", "25h"}, {"-differ", "0.5"}, {"-events-per-drill", "0"}, {"x"}} {
		if code, out := mien(append([]string{"pilot", "plan"}, args...)...); code != exitUsage || !strings.Contains(out, "allowed") && args[0] != "x" {
			t.Errorf("%q: exit %d, %s", args, code, out)
		}
	}
}
