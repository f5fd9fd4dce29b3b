package pilot

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"testing"
	"time"
)

// The third table has each part of a session with its group; what has none is in no
// row. A recording goes on in all else as if there were no groups.
func TestTagsInTables(t *testing.T) {
	u, _ := recorded(t)
	for _, tag := range []string{"product A", "早番 B", ""} {
		u.tag = tag
		u.keeper.Anew()
		u.frames(100)
		u.sync()
	}
	list, _ := Files(u.keeper.options.Dir)
	var levels, truth, tags bytes.Buffer
	told, err := Tables(list, Export{Shift: 8 * time.Hour, Begins: 6 * time.Hour, In: time.UTC, Tags: &tags}, &levels, &truth)
	if err != nil || told.Differs > 0 || len(told.Sessions) != 1 {
		t.Fatalf("%+v, %v", told, err)
	}
	rows, err := csv.NewReader(&tags).ReadAll()
	if err != nil || len(rows) != 3 || fmt.Sprint(rows[0]) != "[session from to tag]" || rows[1][3] != "product A" || rows[2][3] != "早番 B" {
		t.Fatalf("%v, %v", rows, err)
	}
	for i, row := range rows[1:] {
		var from, to float64
		fmt.Sscan(row[1], &from)
		fmt.Sscan(row[2], &to)
		if d := to - from; row[0] != told.Sessions[0] || d < 3.1 || d > 3.4 { // 100 frames, less the one that the beginning has
			t.Errorf("row %d: %v lasts %v s", i, row, d)
		}
	}
}
