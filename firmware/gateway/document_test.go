package gateway

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each test that docs/security.md names is there, and each point that is met has one.
func TestSecurityDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	of := func(room string) string {
		if all[room] == "" {
			files, _ := filepath.Glob("../../" + room + "/*_test.go")
			for _, f := range files {
				data, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				all[room] += string(data)
			}
		}
		return all[room]
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`(?:\\s+in\\s+`([^`]*)`)?")
	usual := regexp.MustCompile("(?s)All tests are in\\s+`([^`]*)`")
	for part := range strings.SplitSeq(string(text), "\n## ") {
		rest := "firmware/gateway"
		if m := usual.FindStringSubmatch(part); m != nil {
			rest = m[1]
		}
		for _, m := range named.FindAllStringSubmatch(part, -1) {
			if room := cmp.Or(m[2], rest); !strings.Contains(of(room), "\nfunc "+m[1]+"(") {
				t.Errorf("%s has no test %s", room, m[1])
			}
		}
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) == 5 && regexp.MustCompile(`^ \d+\.`).MatchString(cells[1]) {
			rows++
			if !strings.Contains(cells[3], "`") && !strings.Contains(cells[2], "**not met**") && !strings.Contains(cells[1], "components") {
				t.Errorf("nothing holds it: %s", line)
			}
		}
	}
	if rows < 25 {
		t.Errorf("only %d points", rows)
	}
}
