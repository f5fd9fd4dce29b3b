package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mien/model/affect"
)

func embedded(t testing.TB) *affect.Card {
	t.Helper()
	card, _, err := affect.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return card
}

// labelFile writes a CSV and empty pictures a.png and b.png beside it.
func labelFile(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"a.png", "b.png"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "l.csv")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadLabels(t *testing.T) {
	path := labelFile(t, "\ufeffAU12, file ,group,expression,valence,AU1,au5,person,part,visible_eyes\n"+
		"0.5,a.png,night,Happiness,-0.25,,1,p7,validation,1\n,b.png,,,,1,,,test,\n")
	set, err := readLabels(path, "", embedded(t))
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(set.units) != "[1 12]" || fmt.Sprint(set.foreign) != "[5]" || !set.hasPart || len(set.rows) != 2 {
		t.Errorf("units %v, foreign %v, part %v, %d rows", set.units, set.foreign, set.hasPart, len(set.rows))
	}
	a, b := set.rows[0], set.rows[1]
	if a.file != "a.png" || a.group != "night" || a.person != "p7" || !a.validation || a.expression != 1 || a.valence != -0.25 || a.arousal == a.arousal ||
		a.units[0] == a.units[0] || a.units[1] != 0.5 || a.visible[0] != 1 || a.visible[1] == a.visible[1] || a.line != 2 {
		t.Errorf("first row %+v", a)
	}
	if b.expression != -1 || b.units[0] != 1 || b.units[1] == b.units[1] || b.validation {
		t.Errorf("second row %+v", b)
	}
}

// TestReadLabelsNamesWhatIsWrong: each message names file, line and column.
func TestReadLabelsNamesWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"":                                        "l.csv: is empty",
		"file,group\n":                            "l.csv: has no pictures",
		"picture,AU1\n":                           `l.csv:1: unknown column "picture"`,
		"file,valance\na.png,0\n":                 `l.csv:1: unknown column "valance" (did you mean "valence"?): allowed are file`,
		"file,AU1,au1\na.png,0,0\n":               `l.csv:1: column 3: "au1" is there twice`,
		"group,AU1\nx,0\n":                        `l.csv:1: there is no column "file"`,
		"file;AU1\na.png;0\n":                     "l.csv:1: the columns are not parted by commas",
		"file,AU1\na.png,1,2\n":                   "l.csv:2: 3 columns, the first line names 2",
		"file,AU1\na.png,0\nb.png,1.5\n":          "l.csv:3:7: AU1: 1.5: must be 0 to 1",
		"file,valence\na.png,-5\n":                "l.csv:2:7: valence: -5: must be -1 to 1, or empty",
		"file,arousal\na.png,high\n":              `l.csv:2:7: arousal: "high": must be a number from -1 to 1`,
		"file,AU1\na.png,NaN\n":                   `l.csv:2:7: AU1: "NaN": must be a number`,
		"file,expression\na.png,hapiness\n":       `l.csv:2:7: expression: "hapiness" (did you mean "happiness"?)`,
		"file,expression\nc.png,fear\n":           "l.csv:2: file: c.png: no such picture: looked for",
		"file,expression\na.png,\na.png,\n":       "l.csv:3: file: a.png is in line 2 too",
		"file,expression\n,fear\n":                "l.csv:2: file: is empty",
		"file,expression\n.,fear\n":               "is a folder",
		"file,part\na.png,train\n":                `l.csv:2:7: part: "train": must be validation or test`,
		"file,visible_nose\na.png,1\n":            `l.csv:1: column "visible_nose": the network mien-affect-1 tells the visibility of: eyes, mouth`,
		"file,visible_eyes\na.png,2\n":            "l.csv:2:7: visible_eyes: 2: must be 0 to 1",
		"file,expression\n\"a.png,fear\nb.png,\n": "l.csv: not a CSV file",
		"file,AU100\na.png,1\n":                   `unknown column "AU100"`,
	} {
		path := labelFile(t, text)
		_, err := readLabels(path, "", embedded(t))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: got %v\nwant %q", text, err, want)
		}
	}
	if _, err := readLabels(filepath.Join(t.TempDir(), "none.csv"), "", embedded(t)); err == nil || !strings.Contains(err.Error(), "none.csv") {
		t.Errorf("a missing file: got %v", err)
	}
}

// TestReadLabelsTellsAllAtOnce: one run shows every mistake, up to a limit.
func TestReadLabelsTellsAllAtOnce(t *testing.T) {
	text := "file,AU1,valence\n"
	for range 30 {
		text += "a.png,7,-3\n"
	}
	_, err := readLabels(labelFile(t, text), "", embedded(t))
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	// 30 rows, each with two wrong values, and 29 that repeat the first file.
	if len(lines) != mostProblems+1 || lines[mostProblems] != fmt.Sprintf("and %d more", 60+29-mostProblems) {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

func TestChooseKeepsPersonsTogether(t *testing.T) {
	set := &labelSet{}
	for i := range 3000 {
		set.rows = append(set.rows, row{file: fmt.Sprint(i), person: fmt.Sprint("p", i/3)})
	}
	choose(set, 0.3, 1)
	n := 0
	for i, r := range set.rows {
		if r.validation {
			n++
		}
		if r.validation != set.rows[i/3*3].validation {
			t.Fatalf("person %s is on both sides", r.person)
		}
	}
	if n < 800 || n > 1000 {
		t.Errorf("%d of 3000 pictures for validation, asked for 0.3", n)
	}
	// The same pictures are chosen when others are missing.
	part := &labelSet{rows: []row{{file: "5", person: "p1"}, {file: "900", person: "p300"}}}
	choose(part, 0.3, 1)
	if part.rows[0].validation != set.rows[5].validation || part.rows[1].validation != set.rows[900].validation {
		t.Error("the choice depends on the other pictures")
	}
}
