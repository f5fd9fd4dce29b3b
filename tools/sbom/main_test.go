package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mien/docs"
	"mien/tools/fetch/pinned"
)

// The document names each module of the program with its sum, each fetched file and the
// network, all with licences that SPDX knows, twice with the same bytes; a file that the
// table does not have is an error.
func TestSBOM(t *testing.T) {
	folder := t.TempDir()
	for program, from := range map[string]string{"mien": "mien/firmware/mien", "plc": "mien/tools/plc"} {
		build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", filepath.Join(folder, program), from)
		build.Env = append(build.Environ(), "GOARCH=arm64", "GOOS=linux", "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", program, err, out)
		}
	}
	lib := filepath.Join(folder, "lib")
	if err := os.Mkdir(lib, 0o755); err != nil {
		t.Fatal(err)
	}
	licence, err := os.ReadFile("../../.deps/lib/uPlot.LICENSE")
	if err == nil {
		err = os.WriteFile(filepath.Join(lib, "uPlot.LICENSE"), licence, 0o644)
	}
	if err != nil {
		t.Skip(err)
	}
	var first, second bytes.Buffer
	for _, w := range []*bytes.Buffer{&first, &second} {
		if err := write(w, folder, "v1", "1700000000"); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("twice the same is not the same")
	}
	var d document
	if err := json.Unmarshal(first.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	if d.Metadata.Time != "2023-11-14T22:13:20Z" || !regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(d.Serial) {
		t.Errorf("%s, %s", d.Metadata.Time, d.Serial)
	}
	known := map[string]bool{"mien": true}
	for _, c := range append(slices.Clone(d.Metadata.Component.Components), d.Components...) {
		if known[c.Ref] {
			t.Errorf("%s stands twice", c.Ref)
		}
		known[c.Ref] = true
		if len(c.Licences) != 1 || !slices.Contains([]string{"Apache-2.0", "MIT", "BSD-3-Clause", "BSD-2-Clause"}, c.Licences[0].Licence.ID) {
			t.Errorf("%s: licences %v", c.Ref, c.Licences)
		}
		if c.Name != "std" && (len(c.Hashes) != 1 || len(c.Hashes[0].Content) != 64) {
			t.Errorf("%s: hashes %v", c.Ref, c.Hashes)
		}
	}
	for _, want := range []string{"file:mien", "file:plc", "file:lib/uPlot.LICENSE", "model:mien-affect-1", "data:demo.mjpeg"} {
		if !known[want] {
			t.Errorf("no %s", want)
		}
	}
	modules := 0
	for _, dep := range d.Dependencies {
		for _, ref := range append(dep.On, dep.Ref) {
			if !known[ref] {
				t.Errorf("%s depends on %s, which is not there", dep.Ref, ref)
			}
		}
		modules += len(dep.On)
	}
	if modules < 15 || !strings.Contains(first.String(), "pkg:golang/golang.org/x/crypto@") || !strings.Contains(first.String(), "pkg:golang/std@1.") {
		t.Errorf("%d dependencies", modules)
	}

	if err := os.WriteFile(filepath.Join(lib, "uPlot.LICENSE"), []byte("another"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := write(&first, folder, "v1", "1700000000"); err == nil || !strings.Contains(err.Error(), "uPlot.LICENSE") {
		t.Errorf("a file that is in no table: %v", err)
	}
	if err := write(&first, folder, "v1", "yesterday"); err == nil || !strings.Contains(err.Error(), "SOURCE_DATE_EPOCH") {
		t.Errorf("a time that is none: %v", err)
	}
}

// A fetched file has one licence in the table of what is fetched and in
// docs/licences.md.
func TestFetchedLicencesAgree(t *testing.T) {
	for _, f := range pinned.Files {
		if strings.Contains(f.Name, "/") || f.Name == "uPlot.LICENSE" {
			continue
		}
		row := regexp.MustCompile(`(?m)^\|[^|\n]*` + regexp.QuoteMeta(f.Name) + `[^|\n]*\|[^|\n]*\| ([^|\n]*) \|$`).FindStringSubmatch(docs.Licences)
		if row == nil || row[1] != f.From.Licence {
			t.Errorf("%s: %q in docs/licences.md, %q in the table", f.Name, row, f.From.Licence)
		}
	}
}
