package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mien/firmware/health"
)

func TestDocumentsAreFresh(t *testing.T) {
	for _, d := range documents {
		var b bytes.Buffer
		if err := d.write(&b); err != nil {
			t.Errorf("%s: %v", d.file, err)
			continue
		}
		old, err := os.ReadFile(filepath.Join("..", "..", "docs", d.file))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(old, b.Bytes()) {
			t.Errorf("docs/%s is stale: make generate", d.file)
		}
	}
	for _, p := range parts {
		if p.name == "rooms" && testing.Short() {
			continue // changes with the imports of every room: the whole test looks at it
		}
		old, err := os.ReadFile(filepath.Join("..", "..", "docs", p.file))
		if err != nil {
			t.Error(err)
			continue
		}
		if text, err := fill(string(old), p.name, p.write); err != nil || text != string(old) {
			t.Errorf("%s in docs/%s is stale: make generate (%v)", p.name, p.file, err)
		}
	}
}

func TestFill(t *testing.T) {
	write := func(w io.Writer) error { _, err := io.WriteString(w, "\nnew\n"); return err }
	text, err := fill("a\n<!-- x: written by make generate -->\nold\n<!-- end of x -->\nb\n", "x", write)
	if want := "a\n<!-- x: written by make generate -->\n\nnew\n\n<!-- end of x -->\nb\n"; err != nil || text != want {
		t.Errorf("%q, %v", text, err)
	}
	if again, err := fill(text, "x", write); err != nil || again != text {
		t.Errorf("%q, %v", again, err)
	}
	for _, text := range []string{"", "<!-- x: written by make generate -->\n", "<!-- end of x -->\n<!-- x: written by make generate -->\n"} {
		if _, err := fill(text, "x", write); err == nil {
			t.Errorf("%q: filled", text)
		}
	}
}

func TestGenerateWritesAllAndThenNothing(t *testing.T) {
	dir := t.TempDir()
	texts := map[string]string{}
	for _, p := range parts {
		texts[p.file] += fmt.Sprintf("<!-- %s: written by make generate -->\n<!-- end of %s -->\n", p.name, p.name)
	}
	for file, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := generate(dir); err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		if s, err := os.Stat(filepath.Join(dir, p.file)); err != nil || s.Size() < 1000 {
			t.Errorf("%s: %v", p.file, err)
		}
	}
	for _, d := range documents {
		if s, err := os.Stat(filepath.Join(dir, d.file)); err != nil || s.Size() == 0 {
			t.Errorf("%s: %v", d.file, err)
		}
	}
}

// docs/licences.md names every module of the binary with its version and the
// licence that lies in it, and none that is not there.
func TestLicencesAreListed(t *testing.T) {
	root := filepath.Join("..", "..")
	list, err := compiledIn(root)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(filepath.Join(root, "docs/licences.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(doc), "## Compiled into the binaries")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := map[string][]string{} // path to version, licence
	for _, line := range strings.Split(section, "\n") {
		if f := strings.Split(line, "|"); len(f) == 5 && strings.Contains(f[1], "/") {
			path, _, _ := strings.Cut(strings.TrimSpace(f[1]), " ")
			rows[path] = []string{strings.TrimSpace(f[2]), strings.TrimSpace(f[3])}
		}
	}
	// Words by which each licence is known.
	words := map[string]string{"MIT": "Software without restriction", "Apache-2.0": "Apache License", "BSD-3-Clause": "Neither the name",
		"CC-BY-4.0": "Creative Commons Attribution 4.0", "SIL OFL 1.1": "SIL OPEN FONT LICENSE Version 1.1"}
	for _, m := range list {
		row := rows[m.path]
		delete(rows, m.path)
		if row == nil || row[0] != m.version {
			t.Errorf("%s %s: listed as %q", m.path, m.version, row)
			continue
		}
		texts, err := m.texts()
		if err != nil {
			t.Error(err)
		}
		var all []byte
		for _, text := range texts {
			all = append(all, text...)
		}
		for name, says := range words {
			if listed, there := strings.Contains(row[1], name), bytes.Contains(all, []byte(says)); listed != there {
				t.Errorf("%s: listed as %q; its text has the words of %s: %v", m.path, row[1], name, there)
			}
		}
	}
	for path := range rows {
		t.Errorf("%s is listed, and not compiled in", path)
	}
}

// The watchdog is described as firmware/health lets it be fed.
func TestWatchdogIsDescribedAsItIsFed(t *testing.T) {
	var b bytes.Buffer
	if err := configKeys(&b); err != nil {
		t.Fatal(err)
	}
	_, about, _ := strings.Cut(b.String(), "## `[watchdog]`")
	about, timeout, _ := strings.Cut(about, "| `timeout` |")
	want := fmt.Sprintf("no result for %.0f minutes", health.ResultWithin.Minutes())
	if !strings.Contains(about, want) || !strings.Contains(timeout, want) {
		t.Errorf("want %q in both:\n%s\n%s", want, about, timeout)
	}
}

func TestNoticesHaveTheTexts(t *testing.T) {
	var b bytes.Buffer
	if err := writeNotices(&b, filepath.Join("..", "..")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Go runtime and standard library go1.", "Kent Gibson"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in the notices", want)
		}
	}
	for _, no := range []string{"GNU GENERAL PUBLIC LICENSE\n", "SIL OPEN FONT LICENSE"} {
		if strings.Contains(b.String(), no) {
			t.Errorf("the binary carries something under the %s", no)
		}
	}
}
