package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Who may import whom, as docs/architecture.md says. A package is judged by
// the longest rule that fits its path; within the module it may import only
// what begins with one of the rule's prefixes.
var rules = map[string][]string{
	"firmware/":       {"firmware/", "drivers/", "model/", "board", "spelling", "given", "docs"},
	"firmware/alarm":  {"firmware/alarm"},
	"firmware/config": {"firmware/alarm", "spelling", "given"},
	"firmware/chart":  {},
	"firmware/health": {},
	"firmware/state":  {"firmware/alarm", "firmware/health"},
	"drivers/":        {"drivers/", "given", "spelling"},
	"model/":          {"model/", "spelling", "given"},
	"board":           {},
	"docs":            {},
	"spelling":        {},
	"given":           {},
	"tools/":          {"firmware/", "drivers/", "model/", "board", "docs", "spelling", "given", "tools/"},
}

// What nobody may import, whatever the rule says.
var closed = []string{"firmware/mien"}

// Who may import a room that others have to do without: files, by their path.
var only = map[string][]string{
	"firmware/modbus":        {"firmware/pipeline/speaker.go", "firmware/pipeline/listen.go", "firmware/gateway/", "firmware/modbus/", "tools/"},
	"firmware/gateway":       {"firmware/mien/gateway.go", "firmware/mien/demo_page.go", "firmware/gateway/", "tools/"}, // it has the network
	"firmware/pipeline/rig":  {"firmware/pipeline/rig/", "tools/"},                                                      // and tests
	"firmware/modbus/export": {"firmware/mien/look.go", "firmware/modbus/export/", "tools/"},                            // prints the map, needs no state
}

// allowedOnly tells whether a file may import a room that few may.
func allowedOnly(file, name string) bool {
	longest, who := "", []string{""}
	for room, w := range only {
		if strings.HasPrefix(name+"/", room+"/") && len(room) > len(longest) {
			longest, who = room, w
		}
	}
	return slices.ContainsFunc(who, func(w string) bool { return strings.HasPrefix(file, w) })
}

func TestRoomsImportOnlyWhatTheyMay(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".") && rel != "." && rel != ".." || d.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		seen++
		room := filepath.ToSlash(filepath.Dir(rel))
		allowed, found := ruleFor(room)
		if !found {
			t.Errorf("%s: no room of the house; add it to the rules and to docs/architecture.md", rel)
			return nil
		}
		for _, i := range f.Imports {
			name, inside := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), "mien/")
			if inside && !may(room, name, allowed) {
				t.Errorf("%s imports mien/%s: %s may import only %q", rel, name, room, allowed)
			}
			if (name == "log" || name == "log/slog") && !strings.HasPrefix(room, "firmware/mien") && !strings.HasPrefix(room, "tools") {
				t.Errorf("%s logs: drivers return errors, and a unit has its journal", rel)
			}
			if inside && !allowedOnly(filepath.ToSlash(rel), name) {
				t.Errorf("%s imports mien/%s, which only %q may: read firmware/state", rel, name, only[name])
			}
		}
		return nil
	})
	if err != nil || seen == 0 {
		t.Fatalf("read %d files: %v", seen, err)
	}
}

func ruleFor(room string) (allowed []string, found bool) {
	longest := -1
	for prefix, a := range rules {
		if strings.HasPrefix(room+"/", prefix) && len(prefix) > longest {
			allowed, found, longest = a, true, len(prefix)
		}
	}
	return
}

func may(room, name string, allowed []string) bool {
	for _, c := range closed {
		if strings.HasPrefix(name, c) {
			return false
		}
	}
	if strings.HasPrefix(name+"/", room+"/") {
		return true
	}
	for _, prefix := range allowed {
		if strings.HasPrefix(name+"/", prefix) {
			return true
		}
	}
	return false
}
