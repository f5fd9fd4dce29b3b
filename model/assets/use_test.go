package assets

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A file that is in use is compared with the one at its path by its content, and read
// only where the disk says that it is another.
func TestChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "net.tflite")
	put := func(p, text string) {
		t.Helper()
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(path, "as it was")
	f, err := Use(path, "", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name        string
		do          func()
		want        string
		overwritten bool
	}{
		{"untouched", func() {}, "", false},
		{"touched", func() { os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)) }, "", false},
		{"overwritten", func() { put(path, "as it is!") }, "was overwritten", true},
		{"with its time put back", func() { os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)) }, "was overwritten", true},
		{"put back", func() { put(path, "as it was") }, "", false},
		{"replaced by another", func() { put(path+".new", "another"); os.Rename(path+".new", path) }, "was replaced", false},
		{"replaced by the same", func() { put(path+".new", "as it was"); os.Rename(path+".new", path) }, "", false},
		{"gone", func() { os.Remove(path) }, "is gone", false},
		{"a folder", func() { os.Mkdir(path, 0o755) }, "not a file", false},
	} {
		step.do()
		how, overwritten := f.Changed()
		if step.want == "" && how != "" || !strings.Contains(how, step.want) || overwritten != step.overwritten {
			t.Errorf("%s: %q, overwritten %v", step.name, how, overwritten)
		}
	}
	// Of a library that was overwritten what is mapped stays so, whatever takes its place.
	lib := filepath.Join(t.TempDir(), "lib.so")
	put(lib, "as it was")
	kept := lib + ".kept" // its inode is not given to another
	os.Link(lib, kept)
	if f, err = Use(lib, "", true); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() { put(lib, "as it is!") }, "was overwritten on the disk"},
		{func() { put(lib+".new", "as it was"); os.Rename(lib+".new", lib) }, "was overwritten while it ran, and replaced since"},
		{func() {}, "was overwritten while it ran, and replaced since"},
		{func() { put(kept, "as it was"); os.Rename(kept, lib) }, ""},
	} {
		step.do()
		if how, _ := f.Changed(); step.want == "" && how != "" || !strings.Contains(how, step.want) {
			t.Errorf("%q, want %q", how, step.want)
		}
	}
	if _, err := Use(filepath.Join(path, "none"), "", false); err == nil {
		t.Error("a file that is not there is used")
	}
}
