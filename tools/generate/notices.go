package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// module is one that is compiled into the binary.
type module struct {
	path, version, dir string
}

// compiledIn lists the modules of the archive's programs, by path. They are the same
// for every processor.
func compiledIn(root string) ([]module, error) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}", "./firmware/mien", "./tools/plc")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list the programs' modules: %w", err)
	}
	var list []module
	for _, line := range strings.Split(string(out), "\n") {
		f := strings.Split(line, "\t")
		if len(f) != 3 {
			continue // a package of our own, or of Go's
		}
		if m := (module{f[0], f[1], f[2]}); !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(a, b module) int { return strings.Compare(a.path, b.path) })
	if len(list) == 0 {
		return nil, errors.New("list the programs' modules: none")
	}
	return list, nil
}

// texts gives a module's licence texts, by file name.
func (m module) texts() (map[string][]byte, error) {
	texts := map[string][]byte{}
	for _, pattern := range []string{"LICENSE*", "NOTICE*", "COPYING*", "edl-v*"} {
		files, err := filepath.Glob(filepath.Join(m.dir, pattern))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if info, e := os.Stat(file); e == nil && info.IsDir() {
				continue
			}
			if err != nil {
				return nil, err
			}
			texts[filepath.Base(file)] = data
		}
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("%s %s: %w: no licence file in %s", m.path, m.version, fs.ErrNotExist, m.dir)
	}
	return texts, nil
}

// writeNotices writes what the licences of the modules ask to go with a binary:
// their texts, with the names of who holds the rights.
func writeNotices(w io.Writer, root string) error {
	list, err := compiledIn(root)
	if err != nil {
		return err
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("find Go's own licence: %w", err)
	}
	list = append(list, module{"Go runtime and standard library", runtime.Version(), strings.TrimSpace(string(goroot))})
	fmt.Fprintln(w, "What is compiled into mien and plc besides their own code, with the licence of each; docs/licences.md has them in a table.")
	for _, m := range list {
		texts, err := m.texts()
		if err != nil {
			return err
		}
		names := make([]string, 0, len(texts))
		for name := range texts {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			fmt.Fprintf(w, "\n======== %s %s: %s\n\n%s\n", m.path, m.version, name, bytes.TrimSpace(texts[name]))
		}
	}
	return nil
}
