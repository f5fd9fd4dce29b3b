package modbus_test

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"mien/firmware/modbus"
)

var publish = flag.Bool("publish", false, "write the register map of this version to testdata, as what must not change")

// published is a row as integrators rely on it; the wording of the meaning may
// get better.
func published(r modbus.Register) []string {
	return []string{r.Space.String(), strconv.Itoa(r.Address), strconv.Itoa(r.Words), r.Name, r.Type.String(), r.Unit,
		strconv.Itoa(r.Scale), r.Access.String(), strconv.FormatBool(r.NA), strconv.Itoa(r.Since), strings.Join(r.Names, "|")}
}

// No address of a published map changes its meaning: each has a file in
// testdata, and every row of every file must still be true.
func TestPublishedMapsStillHold(t *testing.T) {
	path := filepath.Join("testdata", fmt.Sprintf("map_v%d.csv", modbus.MapVersion))
	if *publish {
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		for _, r := range modbus.Table() {
			w.Write(published(r))
		}
		w.Flush()
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	now := map[string][]string{}
	for _, r := range modbus.Table() {
		row := published(r)
		now[row[0]+" "+row[1]] = row
	}
	for version := 1; version <= modbus.MapVersion; version++ {
		f, err := os.Open(filepath.Join("testdata", fmt.Sprintf("map_v%d.csv", version)))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(f).ReadAll()
		f.Close()
		if err != nil || len(rows) == 0 {
			t.Fatalf("%s: %d rows, %v", f.Name(), len(rows), err)
		}
		for _, old := range rows {
			row := now[old[0]+" "+old[1]]
			last := len(old) - 1
			if row == nil || strings.Join(old[:last], ",") != strings.Join(row[:last], ",") || !strings.HasPrefix(row[last], old[last]) {
				t.Errorf("map version %d published %v, now it is %v", version, old, row)
			}
		}
		// What is not in the file is newer than the file.
		known := map[string]bool{}
		for _, old := range rows {
			known[old[0]+" "+old[1]] = true
		}
		for key, row := range now {
			if since, _ := strconv.Atoi(row[9]); !known[key] && since <= version {
				t.Errorf("%s %s is new, but says since version %d", key, row[3], since)
			}
		}
	}
}

func TestTableIsSound(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	names := map[string]bool{}
	end := map[modbus.Space]int{}
	for _, r := range modbus.Table() {
		key := r.Space.String() + " " + r.Name
		switch {
		case !name.MatchString(r.Name) || names[key]:
			t.Errorf("%s: bad name or twice", key)
		case r.Meaning == "" || r.Scale < 1 || r.Since < 1 || r.Since > modbus.MapVersion:
			t.Errorf("%s: %+v", key, r)
		case r.Address < end[r.Space]:
			t.Errorf("%s overlaps or is out of order", key)
		case len(r.Names) > 16:
			t.Errorf("%s has %d bits or values", key, len(r.Names))
		case r.NA && r.Type != modbus.Int16 && r.Type != modbus.Uint16 && r.Type != modbus.Enum:
			t.Errorf("%s: a %v cannot be not available", key, r.Type)
		}
		names[key] = true
		end[r.Space] = r.End()
	}
	if end[modbus.Input] > modbus.MirrorBase || end[modbus.Holding] > modbus.MirrorBase {
		t.Error("the mirror does not fit")
	}
}
