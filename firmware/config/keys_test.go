package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A key of the config that a page names is one.
func TestDocsNameKeys(t *testing.T) {
	known := map[string]bool{}
	var sections []string
	for _, k := range Reference() {
		parts := strings.Split(k.Path, ".")
		if !known[parts[0]] {
			sections = append(sections, parts[0])
		}
		for i := range parts { // sections too
			known[strings.Join(parts[:i+1], ".")] = true
		}
	}
	named := regexp.MustCompile("`((?:" + strings.Join(sections, "|") + `)(?:\.[a-z_0-9]+)+)` + "`")
	file := regexp.MustCompile(`\.(go|json|toml|py|csv|html|log)$`)
	pages, _ := filepath.Glob("../../docs/*.md")
	pages = append(pages, "../../README.md", "../../SECURITY.md")
	found := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			for _, m := range named.FindAllStringSubmatch(line, -1) {
				if found++; !known[m[1]] && !file.MatchString(m[1]) {
					t.Errorf("%s:%d names %s, which is no key", page, i+1, m[1])
				}
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d keys are named: are the pages here?", found)
	}
}
