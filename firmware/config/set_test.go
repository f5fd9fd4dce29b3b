package config

import (
	"strings"
	"testing"
)

// Another value of a key changes that key and nothing else of the file.
func TestSetChangesOneKey(t *testing.T) {
	const file = `# a remark
[[alarm]]
name = "brow [lowered]" # =
signal = "au4"
  high=0.7 # why
deadband = 0.15

[[alarm]]
name = "nod"
priority = "low"
[[alarm.any]]
signal = "au1"
high = 0.5
[[alarm.any]]
signal = "au12"
low = 0.25`
	for _, c := range []struct{ path, value, old, new string }{
		{"alarm[brow [lowered]].high", "0.65", "high=0.7 #", "high = 0.65 #"},
		{"alarm[nod].any[2].low", "0.3", "low = 0.25", "low = 0.3"},
		{"alarm[nod].any[1].high", "1", "high = 0.5", "high = 1"},
		{"alarm[brow [lowered]].on_delay", `"2s"`, "# =\n", "# =\non_delay = \"2s\"\n"},
		{"alarm[nod].any[1].deadband", "0.1", "[[alarm.any]]\nsignal = \"au1\"", "[[alarm.any]]\ndeadband = 0.1\nsignal = \"au1\""},
	} {
		got, err := Set([]byte(file), c.path, c.value)
		if want := strings.Replace(file, c.old, c.new, 1); err != nil || string(got) != want {
			t.Errorf("%s: %v\n%s", c.path, err, got)
			continue
		}
		before, err := Parse("a", []byte(file))
		if err != nil {
			t.Fatal(err)
		}
		after, err := Parse("a", got)
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		if changes := Changes(before, after); len(changes) != 1 || changes[0].Path != c.path || changes[0].New != c.value {
			t.Errorf("%s: %v", c.path, changes)
		}
	}
	inline := "[[alarm]]\nname = \"x\"\nany = [{signal = \"au1\", high = 0.5}]\n"
	for _, c := range [][2]string{{"alarm[none].high", "1"}, {"unit.name", "1"}, {"alarm[x].any[1].high", "1"}, {"alarm[x].any[2].high", "1"}, {"alarm[x].high", "1\n[page]"}} {
		if got, err := Set([]byte(inline), c[0], c[1]); err == nil {
			t.Errorf("%s: no error: %s", c[0], got)
		}
	}
}
