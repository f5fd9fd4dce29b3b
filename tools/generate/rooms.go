package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// root finds the checkout's folder: the nearest with go.mod, from here upwards.
func root() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, e := os.Stat(filepath.Join(dir, "go.mod")); e == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("no go.mod here or above: run this in a checkout")
		}
		dir = up
	}
	return "", err
}

// roomsOf reads which room imports which, without tests and tools. A room is a
// folder below firmware, drivers and model, with what is in it.
func roomsOf(dir string) (map[string]map[string]bool, error) {
	rooms := make(map[string]map[string]bool)
	roomOf := func(path string) string {
		f := strings.Split(path, "/")
		if len(f) > 1 && (f[0] == "firmware" || f[0] == "drivers" || f[0] == "model") {
			return f[0] + "/" + f[1]
		}
		return f[0]
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".") && rel != "." || d.Name() == "testdata" || rel == "tools" {
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
		room := roomOf(rel)
		if rooms[room] == nil {
			rooms[room] = make(map[string]bool)
		}
		for _, i := range f.Imports {
			if name, inside := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), "mien/"); inside && roomOf(name) != room {
				rooms[room][roomOf(name)] = true
			}
		}
		return nil
	})
	return rooms, err
}

// reaches tells whether a room imports another by way of a third.
func reaches(rooms map[string]map[string]bool, from, to string, seen map[string]bool) bool {
	if seen[from] {
		return false
	}
	seen[from] = true
	for next := range rooms[from] {
		if next == to || reaches(rooms, next, to, seen) {
			return true
		}
	}
	return false
}

// roomPicture draws the rooms and their imports as a Mermaid diagram. An arrow
// that others show already, by way of a third room, is left out.
func roomPicture(w io.Writer) error {
	dir, err := root()
	if err != nil {
		return err
	}
	rooms, err := roomsOf(dir)
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("```mermaid\nflowchart TB\n")
	id := func(room string) string { return strings.ReplaceAll(room, "/", "_") }
	names := slices.Sorted(maps.Keys(rooms))
	for _, floor := range []string{"firmware", "drivers", "model"} {
		fmt.Fprintf(&b, "    subgraph %s\n", floor)
		for _, room := range names {
			if name, ok := strings.CutPrefix(room, floor+"/"); ok {
				fmt.Fprintf(&b, "        %s[%s]\n", id(room), name)
			}
		}
		b.WriteString("    end\n")
	}
	for _, room := range names {
		for _, to := range slices.Sorted(maps.Keys(rooms[room])) {
			further := false
			for by := range rooms[room] {
				further = further || by != to && reaches(rooms, by, to, map[string]bool{})
			}
			if !further {
				fmt.Fprintf(&b, "    %s --> %s\n", id(room), id(to))
			}
		}
	}
	b.WriteString("```\n")
	_, err = io.WriteString(w, b.String())
	return err
}
