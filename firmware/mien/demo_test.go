package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mien/drivers/gpio"
)

// What is drawn of the lines says how much of them it is.
func TestDrawnLinesSayHowLong(t *testing.T) {
	blink := func(lasts time.Duration) (list []gpio.Change) {
		for at := time.Duration(0); at <= lasts; at += time.Second {
			list = append(list, gpio.Change{At: at, Name: "lamp", High: len(list)%2 == 0})
		}
		return list
	}
	for _, c := range []struct {
		lasts time.Duration
		head  string
		row   string
	}{
		{10 * time.Second, "the lines and how often each changed, its fail value before", "  lamp        +#+.+#+.+#+.+#+.+#+.+  11"},
		{5 * time.Minute, "the last 30s of the lines, with the fail value at the end, and how often each changed in that time", "+  30"},
	} {
		var b strings.Builder
		drawLines(&b, []string{"lamp"}, blink(c.lasts))
		head, row, _ := strings.Cut(b.String(), "\n")
		if !strings.HasPrefix(head, c.head) || !strings.HasSuffix(strings.TrimSuffix(row, "\n"), c.row) {
			t.Errorf("%v:\n%s", c.lasts, b.String())
		}
	}
}

// A path at which the demo can make nothing is refused before it begins.
func TestDemoRefusesImpossiblePaths(t *testing.T) {
	file, nowhere := write(t, "text"), filepath.Join(t.TempDir(), "none", "x")
	for _, c := range []struct{ option, path, want string }{
		{"-modbus", nowhere, "there is no folder"},
		{"-serial", nowhere, "there is no folder"},
		{"-socket", nowhere, "there is no folder"},
		{"-modbus", file, "exists and is no link"},
		{"-modbus", filepath.Dir(file), "exists and is no link"},
	} {
		if code, out := mien("demo", "-log", c.option, c.path); code != exitUsage || !strings.Contains(out, c.want) || !strings.Contains(out, "name another") {
			t.Errorf("%s %s: exit %d: %s", c.option, c.path, code, out)
		}
	}
}
