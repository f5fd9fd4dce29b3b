package config

import (
	"bytes"
	"errors"
	"testing"

	"mien/firmware/alarm"
)

// Whatever is in a file: no crash; a refusal says which line and what is wrong;
// what is taken can be written out and read again, and the alarm engine takes
// its alarms.
func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte(Example()))
	f.Add([]byte("[camera]\nwidht = 640\nfps = \"30\"\n[[alarm]]\nname = \"x\"\nany=[{signal=\"au4\",low=1},]\n"))
	f.Add([]byte("a.b.c = [[1, {x = 2}], \"\"\"\n\\u00e9\"\"\", '''x''', 1979-05-27T07:32:00Z, +inf]\n[a.b]\n[[a.b.c]]\n"))
	f.Add([]byte("[unit]\nname = Press\n[serial\nbaud = [1,\n2\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := Parse("f", data)
		if err != nil {
			var problems Problems
			if !errors.As(err, &problems) || len(problems) == 0 || cfg != nil {
				t.Fatalf("%v", err)
			}
			lines := bytes.Count(data, []byte("\n")) + 1
			for _, p := range problems {
				if p.Text == "" || p.File != "f" || p.Line < 0 || p.Line > lines || p.Warning {
					t.Fatalf("%+v", p)
				}
				_ = p.String()
			}
			return
		}
		text := tomlOf(cfg)
		again, err := Parse("again", []byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if c := Changes(cfg, again); len(c) != 0 {
			t.Fatalf("%v\n%s", c, text)
		}
		var names []string
		var known []Signal
		for _, d := range cfg.Definitions() {
			for _, c := range d.Conditions {
				names = append(names, c.Signal)
				known = append(known, Signal{Name: c.Signal, Min: -1e9, Max: 1e9})
			}
		}
		if cfg.Check(known).Err() != nil {
			return
		}
		if _, err := alarm.New(cfg.Definitions(), names, alarm.Options{}); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	})
}
