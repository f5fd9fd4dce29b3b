package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docs/architecture.md is true: each room has its row, each file, folder and
// make target that it names is there, and what it says of a package is exported
// by it.
func TestHouseIsAsDescribed(t *testing.T) {
	dir, err := root()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	_, table, _ := strings.Cut(text, "\n## Rooms\n")
	table, _, _ = strings.Cut(table, "\n## ")
	rooms, err := roomsOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	for room := range rooms {
		if !regexp.MustCompile(`(?m)^\|[^|]*` + "`" + regexp.QuoteMeta(room) + "`").MatchString(table) {
			t.Errorf("the table of rooms has no row for %s", room)
		}
	}
	names := map[string]bool{} // of all files
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != dir {
			return fs.SkipDir
		}
		names[filepath.Base(path)] = true
		return nil
	})
	makefile, err := os.ReadFile(filepath.Join(dir, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	there := func(path string) bool {
		for _, floor := range []string{"", "firmware", "drivers", "model"} {
			if _, err := os.Stat(filepath.Join(dir, floor, path)); err == nil {
				return true
			}
		}
		return false
	}
	file := regexp.MustCompile(`\.(go|md|py|mk|toml)$`)
	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(text, -1) {
		word := m[1]
		switch target, isMake := strings.CutPrefix(word, "make "); {
		case isMake:
			if !strings.Contains(string(makefile), "\n"+target+":") {
				t.Errorf("there is no make %s", target)
			}
		case strings.Contains(word, "/") && !strings.HasPrefix(word, "/") && !strings.ContainsAny(word, " <"): // those of a system begin with a slash
			if !there(strings.TrimSuffix(word, "/")) {
				t.Errorf("there is no %s", word)
			}
		case file.MatchString(word) && !names[word]:
			t.Errorf("there is no file %s", word)
		}
	}
	// `pipeline.Unit`, `state.Command`: exported by the package of that name.
	for _, m := range regexp.MustCompile("`([a-z0-9]+)\\.([A-Z][A-Za-z0-9]*)`").FindAllStringSubmatch(text, -1) {
		ours, found := false, false
		for room := range rooms {
			if filepath.Base(room) != m[1] {
				continue
			}
			ours = true
			sources, _ := filepath.Glob(filepath.Join(dir, room, "*.go"))
			for _, s := range sources {
				code, _ := os.ReadFile(s)
				found = found || regexp.MustCompile(`(?m)^(type|func|var|const|	)[ ]?(\([^)]*\) )?`+m[2]+`\b`).Match(code)
			}
		}
		if ours && !found {
			t.Errorf("there is no %s.%s", m[1], m[2])
		}
	}
}

// What README and documents link to is there, and so are the make targets that
// they name.
func TestDocumentsLinkToWhatIsThere(t *testing.T) {
	dir, err := root()
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile(filepath.Join(dir, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	cross, _ := os.ReadFile(filepath.Join(dir, "cross.mk"))
	targets := "\n" + string(makefile) + "\n" + string(cross)
	files, _ := filepath.Glob(filepath.Join(dir, "docs", "*.md"))
	for _, file := range append(files, filepath.Join(dir, "README.md")) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name, _ := filepath.Rel(dir, file)
		for _, m := range regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`).FindAllStringSubmatch(string(data), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", name, m[1], err)
			}
		}
		for _, m := range regexp.MustCompile("(?m)(?:`|^    )make ([a-z][a-z0-9-]*)").FindAllStringSubmatch(string(data), -1) {
			if !regexp.MustCompile(`(?m)^([a-z0-9-]+ )*` + m[1] + `( [a-z0-9-]+)*:`).MatchString(targets) {
				t.Errorf("%s names make %s, which there is not", name, m[1])
			}
		}
	}
}

// What a message of the program points to is there: each "docs/…" in a text of the
// code names a file, and a heading of it where there is a #.
func TestMessagesPointToWhatIsThere(t *testing.T) {
	dir, err := root()
	if err != nil {
		t.Fatal(err)
	}
	pointer := regexp.MustCompile(`docs/[a-zA-Z0-9_/-]+\.[a-z]+(#[a-z0-9-]+)?(?: or (#[a-z0-9-]+))?`)
	found := 0
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != dir {
			return fs.SkipDir
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		ast.Inspect(file, func(n ast.Node) bool {
			text, ok := n.(*ast.BasicLit)
			if !ok || text.Kind != token.STRING {
				return true
			}
			for _, m := range pointer.FindAllStringSubmatch(text.Value, -1) {
				found++
				name, _, _ := strings.Cut(m[0], "#")
				name, _, _ = strings.Cut(name, " ")
				data, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Errorf("%s points to %s: %v", rel, m[0], err)
				}
				for _, anchor := range m[1:] {
					if anchor != "" && !slices.Contains(anchors(string(data)), anchor) {
						t.Errorf("%s points to %s%s, and there is no such heading", rel, name, anchor)
					}
				}
			}
			return true
		})
		return nil
	})
	if found < 10 {
		t.Errorf("%d pointers found: the search is broken", found)
	}
}

// anchors are the headings of a document as links name them.
func anchors(markdown string) []string {
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(markdown, -1) {
		plain := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, "#"+strings.ReplaceAll(plain, " ", "-"))
	}
	return all
}

// docs/cameras.md has for each camera what the messages promise, and not the way of
// another.
func TestCamerasHaveAWay(t *testing.T) {
	dir, err := root()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "docs", "cameras.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ heading, has, not string }{
		{"USB cameras", "by-path, MJPG, YUYV, H264, EPROTO, hub, supply, EXIF, camera.rotate, v4l2-ctl --list-formats-ext", ""},
		{"A program as the camera", "gst-launch-1.0, -q, fdsink, MemoryMax, char-dma_heap, GST_REGISTRY", ""},
		{"Network cameras", "sudo apt install v4l2loopback-dkms, exclusive_caps=1, -f v4l2 /dev/video10, device = \"/dev/video10\"", ""},
		{"CSI on a Raspberry Pi", "\"rpicam-vid\", \"libcamerasrc\", \"fdsink\"", "nvarguscamerasrc"},
		{"CSI on a Jetson", "\"nvarguscamerasrc\", \"fdsink\"", "libcamerasrc"},
		{"What was tried of it, and what a program costs", "have not run", ""},
	} {
		_, section, _ := strings.Cut(string(data), "\n## "+c.heading+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		for _, word := range strings.Split(c.has, ", ") {
			if !strings.Contains(section, word) {
				t.Errorf("%s has no %s", c.heading, word)
			}
		}
		if c.not != "" && strings.Contains(section, c.not) {
			t.Errorf("%s has %s", c.heading, c.not)
		}
	}
}

// Plain English: words that readers of other languages do not look for in a
// program. Data is appended, flushed, kept, dropped and tried again; a wait has a
// timeout; what is done a second time is done again; a device is released or
// closed; two things are compared.
func TestPlainEnglish(t *testing.T) {
	dir, err := root()
	if err != nil {
		t.Fatal(err)
	}
	odd := regexp.MustCompile(strings.ReplaceAll(`(?i)\b(hurr(y|ies|ied)|patiently|remember\w*|lays?|laid|layed|gladly|kindly|
		patien(t|ce)|forg(et\w*|ot\w*)|seldom|reckon\w*|whence|thereby|hence(forth)?|nought|foretells?|heeds?|afresh|lest|whilst|dear(er|ly)?|
		amiss|awry|askew|betrays?|whim\w*|(is|are|was|were|be) let go|held against)\b`, "\n\t\t", ""))
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".") && path != dir || d.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if ext := filepath.Ext(path); !slices.Contains([]string{".go", ".md", ".py", ".mk", ".sh", ".toml", ".service"}, ext) && d.Name() != "Makefile" || d.Name() == "house_test.go" {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(data), "\n") {
			if word := odd.FindString(line); word != "" {
				t.Errorf("%s:%d: %q: %s", rel, i+1, word, strings.TrimSpace(line))
			}
		}
		return nil
	})
}
