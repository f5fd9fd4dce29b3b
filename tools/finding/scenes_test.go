package main

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"mien/model/assets"
)

// TestScenes: the demo's person frowns in one picture, has closed eyes in the next
// and is away in the third.
func TestScenes(t *testing.T) {
	folder := t.TempDir()
	if err := scenes(folder, &bytes.Buffer{}); err == nil {
		t.Error("a folder without pictures is taken")
	}
	pictures := bytes.SplitAfter(assets.Demo(), []byte{0xff, 0xd9}) // the clip's frames a second are 15
	for name, n := range map[string]int{"1.jpg": 5 * 15, "2.jpg": 13*15 + 8, "3.jpg": 20*15 + 8} {
		if err := os.WriteFile(filepath.Join(folder, name), pictures[n], 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := scenes(folder, &out); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	head := rows[0]
	of := func(row []string, column string) string {
		for i, name := range head {
			if name == column {
				return row[i]
			}
		}
		t.Fatalf("no column %s in %v", column, head)
		return ""
	}
	level := func(row []string, column string) float64 {
		v, err := strconv.ParseFloat(of(row, column), 64)
		if err != nil {
			t.Errorf("%s of %v: %v", column, row, err)
		}
		return v
	}
	if frown := rows[1]; of(frown, "reason") != "" || level(frown, "au4") < .5 || level(frown, "eyes_closed") > .5 {
		t.Errorf("the frown: %v", frown)
	}
	if closed := rows[2]; level(closed, "eyes_closed") < .66 || level(closed, "width") < 60 {
		t.Errorf("closed eyes: %v", closed)
	}
	if away := rows[3]; of(away, "found") != "false" || of(away, "reason") != "no face in view" || of(away, "au4") != "" {
		t.Errorf("nobody: %v", away)
	}
}
