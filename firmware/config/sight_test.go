package config

import (
	"strings"
	"testing"
)

const watched = "[[alarm]]\nname = \"a\"\nsignal = \"au4\"\nhigh = 0.5\n"

// Times that do not fit together are refused: a result would be too old before
// the next one comes, and nothing else would be wrong.
func TestStaleFitsTheRates(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"[health]\nstale = \"60ms\"\nmin_rate = 30", `m:2: health.stale:|two frames|camera.fps`},
		{"[camera]\nfps = 1.5\n[health]\nmin_rate = 1.2", `m:3: health.stale:|two frames|1.334s`},
		{"[health]\nstale = \"190ms\"", `m:2: health.stale:|1/health.min_rate|200ms`},
		{"[health]\nmin_rate = 0.5", `m:1: health.stale:|1/health.min_rate|2s`},
		{"[health]\nstale = \"200ms\"", ""},
		{"[health]\nmin_rate = 0.5\nstale = \"2s\"", ""},
		{"[health]\nmin_rate = 0\nstale = \"70ms\"", ""},
		{"", ""},
	} {
		_, err := Parse("m", []byte(c.text))
		if c.want == "" {
			if err != nil {
				t.Errorf("%q: %v", c.text, err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%q: taken", c.text)
			continue
		}
		for _, part := range strings.Split(c.want, "|") {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %v lacks %q", c.text, err, part)
			}
		}
	}
}

// A config whose lines cannot tell "no alarm" from "cannot see" is warned of; one
// line that can is enough.
func TestRestIsWarnedOf(t *testing.T) {
	const healthy = "[[output]]\nname = \"h\"\nline = 1\nfunction = \"healthy\"\n"
	line := func(n, function, more string) string {
		return "[[output]]\nname = \"" + n + "\"\nline = " + n + "\nfunction = \"" + function + "\"\n" + more + "\n"
	}
	const off, on = `fail = "off"`, `fail = "on"`
	for name, c := range map[string]struct{ text, want string }{
		"by default":                 {watched + healthy + line("2", "lamp", ""), ""},
		"of one alarm, by default":   {watched + healthy + line("2", "alarm:a", ""), ""},
		"off":                        {watched + healthy + line("2", "lamp", off), "output[2].fail"},
		"off on one of two":          {watched + healthy + line("2", "lamp", off) + line("3", "any", ""), ""},
		"off on both":                {watched + healthy + line("2", "lamp", off) + line("3", "alarm:a", off), "output[3].fail"},
		"a horn alone":               {watched + healthy + line("2", "horn", ""), "output[2].fail"},
		"a horn that sounds":         {watched + healthy + line("2", "horn", on), ""},
		"hold":                       {watched + "on_unknown = \"hold\"\n" + healthy + line("2", "lamp", ""), "alarm[1].on_unknown"},
		"a lamp for others":          {watched + "lamp = false\n" + healthy + line("2", "lamp", off), "alarm[1]"},
		"a lamp for urgent ones":     {watched + healthy + line("2", "lamp", "priority = \"high\"") + line("3", "any", off), "output[3].fail"},
		"no line for it":             {watched + healthy, "alarm[1]"},
		"none but for urgent ones":   {watched + healthy + line("2", "lamp", "priority = \"high\""), "alarm[1]"},
		"never unacknowledged":       {watched + "acknowledge = false\n" + healthy + line("2", "unacknowledged", ""), "alarm[1]"},
		"no line at all, a PLC":      {watched + healthy + "[serial]\ndevice = \"/dev/x\"\n", ""},
		"a PLC is told":              {watched + healthy + line("2", "lamp", off) + "[serial]\ndevice = \"/dev/x\"\n", ""},
		"a delay shorter than frame": {watched + "on_delay = \"20ms\"\n", "alarm[1].on_delay"},
		"a hold shorter than stale":  {watched + "unknown_hold = \"900ms\"\n", "alarm[1].unknown_hold"},
		"no least rate":              {watched + "[health]\nmin_rate = 0\n", "health.min_rate"},
	} {
		cfg, err := Parse("m", []byte(c.text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got []string
		for _, p := range cfg.Check(nil) {
			for _, key := range []string{".fail", "on_unknown", "on_delay", "unknown_hold", "min_rate", "alarm[1]"} {
				if strings.HasSuffix(p.Key, key) && !strings.Contains(p.Text, "no output and no serial port") {
					got = append(got, p.Key)
				}
			}
			if !p.Warning {
				t.Errorf("%s: %v is an error", name, p)
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: warned of %q, want %q", name, s, c.want)
		}
	}
}

func TestFailsOn(t *testing.T) {
	for role, auto := range map[Role]bool{Healthy: false, Horn: false, Lamp: true, AnyAlarm: true, Unacknowledged: true, OneAlarm: true, Faulty: true} {
		for fail, want := range map[Switch]bool{SwitchAuto: auto, SwitchOn: true, SwitchOff: false} {
			if got := (Output{Function: Function{Role: role}, Fail: fail}).FailsOn(); got != want {
				t.Errorf("%s, fail = %q: %v", role, fail, got)
			}
		}
	}
}
