package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mien/firmware/operator"
)

// A config that comes over the socket is checked whole, kept, written, taken over and
// journaled by the unit, whoever asks.
func TestConfigThroughTheUnit(t *testing.T) {
	p := newProcess(t)
	p.configure("before")
	p.start()
	p.until("the socket", func() bool { return exists(p.socket()) })
	as := func(role operator.Role, c *operator.ConfigAsk) (operator.Reply, error) {
		return p.ask(operator.Request{Ask: operator.AskConfig, Config: c, Who: "anna", Role: role})
	}
	text := func() string {
		data, err := os.ReadFile(p.config())
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	now, err := as(operator.Engineer, nil)
	if err != nil || now.Config.Text != text() || now.Config.Base == "" || now.Config.File != p.config() {
		t.Fatalf("%+v %v", now, err)
	}
	was := text()
	base := now.Config.Base
	alarm := was + "[[alarm]]\nname = \"frown\"\nsignal = \"au4\"\nhigh = 0.6\n"

	reply, err := as(operator.Engineer, &operator.ConfigAsk{Do: operator.ConfigCheck, Text: alarm + "hgih = 3\n"})
	if err != nil || len(reply.Config.Problems) != 1 || reply.Config.Problems[0].Line != 13 || reply.Config.Problems[0].Nearest != "high" {
		t.Errorf("%+v %v", reply.Config, err)
	}
	for name, c := range map[string]operator.ConfigAsk{
		"a mistake":              {Text: alarm + "hgih = 3\n", Base: base},
		"another base":           {Text: alarm, Base: sum([]byte("x"))},
		"no text":                {Text: "", Base: base},
		"a restart":              {Text: strings.Replace(was, "[state]", "[health]\nstale = \"2s\"\n[state]", 1), Base: base},
		"what opens a port":      {Text: was + "[page]\nserve = true\nlisten = \"0.0.0.0:8470\"\n", Base: base},
		"what only an admin may": {Text: was + "[page]\nserve = true\n", Base: base, Confirm: true},
		"a megabyte":             {Text: was + strings.Repeat("#", 300<<10), Base: base},
	} {
		c.Do = operator.ConfigApply
		if reply, err := as(operator.Engineer, &c); err == nil {
			t.Errorf("%s: %+v", name, reply)
		}
	}
	// What is run on the machine nobody chooses over a network.
	program := regexp.MustCompile(`(?m)^device = "/nowhere.*\n`).ReplaceAllString(was, "command = [\"sh\", \"-c\", \"exit 1\"]\n")
	if reply, err := as(operator.Administrator, &operator.ConfigAsk{Do: operator.ConfigApply, Text: program, Base: base, Confirm: true}); err == nil || !strings.Contains(err.Error(), "camera.command names a program") {
		t.Errorf("%+v %v\n%s", reply, err, program)
	}
	if text() != was {
		t.Fatalf("a refused config was written:\n%s", text())
	}
	reply, err = as(operator.Engineer, &operator.ConfigAsk{Do: operator.ConfigApply, Text: alarm, Base: base, Why: "=the line changed"})
	if err != nil || text() != alarm || len(reply.Done) == 0 {
		t.Fatalf("%+v %v\n%s", reply, err, text())
	}
	alarms, err := p.ask(operator.Request{Ask: operator.AskAlarms})
	if err != nil || len(alarms.Alarms) != 1 || alarms.Alarms[0].Name != "frown" {
		t.Errorf("%+v %v", alarms, err)
	}
	events, err := p.ask(operator.Request{Ask: operator.AskEvents})
	found := false
	for _, e := range events.Events {
		found = found || strings.Contains(e.Cause, "the line changed") && strings.HasPrefix(e.Who, "anna via ")
	}
	if err != nil || !found {
		t.Errorf("the journal does not know who and why: %v %v", events.Events, err)
	}

	// Back to the version before, and ever new ones: ten are kept.
	now, err = as(operator.Engineer, nil)
	if err != nil || len(now.Config.Versions) != 1 || now.Config.Versions[0].Who == "" {
		t.Fatalf("%+v %v", now.Config, err)
	}
	before, err := as(operator.Engineer, &operator.ConfigAsk{Do: operator.ConfigVersion, ID: now.Config.Versions[0].ID})
	if err != nil || before.Config.Text != was {
		t.Fatalf("%+v %v", before.Config, err)
	}
	for i := range 12 {
		if now, err = as(operator.Engineer, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := as(operator.Engineer, &operator.ConfigAsk{Do: operator.ConfigApply, Text: alarm + fmt.Sprintf("# %d\non_delay = \"%ds\"\n", i, i+1), Base: now.Config.Base}); err != nil {
			t.Fatal(err)
		}
	}
	if now, err = as(operator.Engineer, nil); err != nil || len(now.Config.Versions) != 10 || !strings.Contains(text(), `"12s"`) {
		t.Errorf("%d versions, %v", len(now.Config.Versions), err)
	}
	for _, id := range []string{"../../../etc/passwd", "", "99", "-1"} {
		if reply, err := as(operator.Engineer, &operator.ConfigAsk{Do: operator.ConfigVersion, ID: id}); err == nil || reply.Config != nil && (reply.Config.Base != "" || reply.Config.Text != "") {
			t.Errorf("version %q: %+v %v", id, reply.Config, err)
		}
	}

	// What opens the page to a network: told before, and done for an administrator who confirms it.
	open := &operator.ConfigAsk{Do: operator.ConfigApply, Text: was + "[page]\nserve = true\nlisten = \"0.0.0.0:8470\"\n", Base: now.Config.Base}
	if reply, err := as(operator.Administrator, open); err == nil || !strings.Contains(err.Error(), "open to the network") || len(reply.Config.Dangers) != 2 { // and no alarm is left
		t.Errorf("%+v %v", reply.Config, err)
	}
	open.Confirm = true
	if _, err := as(operator.Administrator, open); err != nil {
		t.Error(err)
	}

	// Back to what another unit had, whose state folder this one was given: told before.
	now, _ = as(operator.Engineer, nil)
	named := regexp.MustCompile(`(?m)^name = "before"`).ReplaceAllString(now.Config.Text, `name = "another press"`)
	reply, err = as(operator.Administrator, &operator.ConfigAsk{Do: operator.ConfigApply, Text: named, Base: now.Config.Base})
	if err == nil || !strings.Contains(err.Error(), "is this the config of this unit?") {
		t.Errorf("%+v %v\n%s", reply.Config, err, named)
	}

	// A folder that the unit may not write is said, and nothing is changed.
	if os.Geteuid() != 0 {
		now, _ = as(operator.Engineer, nil)
		os.Chmod(p.dir, 0o500)
		defer os.Chmod(p.dir, 0o700)
		if _, err := as(operator.Engineer, &operator.ConfigAsk{Do: operator.ConfigApply, Text: open.Text + "# more\n", Base: now.Config.Base}); err == nil || !strings.Contains(err.Error(), "docs/gateway.md") {
			t.Errorf("%v", err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(p.dir, ".mien.toml-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
