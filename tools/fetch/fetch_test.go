package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mien/tools/fetch/pinned"
)

func sumOf(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }

func makeWheel(t *testing.T, path, member string, data []byte) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(member)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(data)
	z.Close()
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func makeTgz(t *testing.T, path, member string, data []byte) {
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	w := tar.NewWriter(g)
	w.WriteHeader(&tar.Header{Name: "package/other", Size: 3, Mode: 0o644})
	w.Write([]byte("abc"))
	w.WriteHeader(&tar.Header{Name: member, Size: int64(len(data)), Mode: 0o644})
	w.Write(data)
	w.Close()
	g.Close()
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestExtractTakesOnlyThePinnedFile(t *testing.T) {
	data := []byte("the library")
	for name, pack := range map[string]func(*testing.T, string, string, []byte){"a.whl": makeWheel, "a.tgz": makeTgz} {
		dir := t.TempDir()
		archive := filepath.Join(dir, name)
		pack(t, archive, "in/lib.so", data)
		out := filepath.Join(dir, "lib.so")
		if err := extract(archive, "in/lib.so", out, sumOf([]byte("another"))); err == nil || !strings.Contains(err.Error(), "pinned is") {
			t.Errorf("%s: wrong sum gave %v", name, err)
		}
		if err := extract(archive, "in/none.so", out, sumOf(data)); err == nil {
			t.Errorf("%s: absent member gave no error", name)
		}
		left, _ := filepath.Glob(filepath.Join(dir, "*"))
		hidden, _ := filepath.Glob(filepath.Join(dir, ".fetch-*"))
		if len(left) != 1 || len(hidden) != 0 {
			t.Errorf("%s: a refused file left something: %v %v", name, left, hidden)
		}
		if err := extract(archive, "in/lib.so", out, sumOf(data)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, _ := os.ReadFile(out); !bytes.Equal(got, data) {
			t.Errorf("%s: got %q", name, got)
		}
		if err := os.WriteFile(archive, []byte("no archive"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := extract(archive, "in/lib.so", out, sumOf(data)); err == nil {
			t.Errorf("%s: a damaged archive gave no error", name)
		}
	}
}

// A package kept from before is used without its client, which is what makes
// a second run work offline; one with another sum is not.
func TestBringUsesTheKeptPackage(t *testing.T) {
	dir, data := t.TempDir(), []byte("library")
	store := filepath.Join(dir, "packages")
	os.MkdirAll(store, 0o755)
	makeWheel(t, filepath.Join(store, "p.whl"), "m", data)
	sum, err := pinned.SumOf(filepath.Join(store, "p.whl"))
	if err != nil {
		t.Fatal(err)
	}
	f := pinned.File{Name: "l", Member: "m", Sum: sumOf(data), From: pinned.Package{Client: "npm", File: "p.whl", Sum: sum}}
	t.Setenv("PATH", "")
	if err := bring(f, store, filepath.Join(dir, "lib", "l")); err != nil {
		t.Fatalf("kept package: %v", err)
	}
	f.From.Sum = sumOf([]byte("changed"))
	err = bring(f, store, filepath.Join(dir, "lib", "l"))
	if err == nil || !strings.Contains(err.Error(), "apt-get install --no-install-recommends npm") {
		t.Fatalf("missing client: %v", err)
	}
}

func TestEveryFileIsPinned(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range pinned.Files {
		if len(f.Sum) != 64 || len(f.From.Sum) != 64 || f.From.Version == "" || f.From.Licence == "" || debian[f.From.Client] == "" {
			t.Errorf("%s %s: not wholly pinned", f.Name, f.Arch)
		}
		key := f.Name + f.Arch
		if seen[key] {
			t.Errorf("%s stands twice", key)
		}
		seen[key] = true
	}
}
