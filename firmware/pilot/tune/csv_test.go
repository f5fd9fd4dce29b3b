package tune

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	goodLevels = "session,time,au4,eyes_closed\nmon,0,0.1,0.2\nmon,0.5,,0.3\nmon,1,0.9,\ntue,0,0.2,0\ntue,1,0.3,0\n"
	goodMarks  = "session,signal,from,to,truth\nmon,au4,0.8,1.2,present\nmon,au4,0,0.8,absent\ntue,au4,0,1,absent\n"
)

// readAll reads two files to the end.
func readAll(t *testing.T, levels, marks, signal string) ([]*Session, error) {
	t.Helper()
	dir := t.TempDir()
	l, m := filepath.Join(dir, "L.csv"), filepath.Join(dir, "M.csv")
	for path, text := range map[string]string{l: levels, m: marks} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := ReadTables(File(l), File(m))
	if err != nil {
		return nil, err
	}
	var list []*Session
	err = f.Source(signal)(func(s *Session) error { list = append(list, s); return s.check() })
	return list, err
}

func TestCSV(t *testing.T) {
	same := map[string][2]string{
		"plain":        {goodLevels, goodMarks},
		"CRLF":         {strings.ReplaceAll(goodLevels, "\n", "\r\n"), strings.ReplaceAll(goodMarks, "\n", "\r\n")},
		"BOM":          {"\ufeff" + goodLevels, "\ufeff" + goodMarks},
		"quotes":       {strings.ReplaceAll(goodLevels, "mon", `"mon"`), strings.ReplaceAll(goodMarks, "0.8", `"0.8"`)},
		"no last line": {strings.TrimSuffix(goodLevels, "\n"), strings.TrimSuffix(goodMarks, "\n")},
		"other order": {"au4,time,session\n0.1,0,mon\n,0.5,mon\n0.9,1,mon\n0.2,0,tue\n0.3,1,tue\n",
			"truth,from,to,session,signal\nabsent,0,0.8,mon,au4\npresent,0.8,1.2,mon,au4\nabsent,0,1,tue,au4\n"},
	}
	for name, c := range same {
		list, err := readAll(t, c[0], c[1], "au4")
		if err != nil || len(list) != 2 {
			t.Errorf("%s: %d sessions, %v", name, len(list), err)
			continue
		}
		s := list[0]
		if s.Name != "mon" || len(s.At) != 3 || s.At[1] != 500*time.Millisecond || s.Level[0] != 0.1 || !math.IsNaN(float64(s.Level[1])) || s.Level[2] != 0.9 {
			t.Errorf("%s: %+v", name, s)
		}
		if len(s.Spans) != 2 || s.Spans[0] != (Span{0, 800 * time.Millisecond, false}) || !s.Spans[1].Present || len(list[1].Spans) != 1 {
			t.Errorf("%s: %+v, %+v", name, s.Spans, list[1].Spans)
		}
	}
}

// Each message names file, line and column, and what is allowed.
func TestBadCSV(t *testing.T) {
	levels := func(rows string) string { return "session,time,au4,eyes_closed\n" + rows }
	marks := func(rows string) string { return "session,signal,from,to,truth\n" + rows }
	for name, c := range map[string]struct{ levels, marks, want string }{
		"comma as decimal sign": {levels("mon,0,0,1,0,2\n"), goodMarks, "L.csv:2:"},
		"the same in a quote":   {levels("mon,0,\"0,1\",0.2\n"), goodMarks, `L.csv:2:7: au4 is "0,1": a comma as the decimal sign?; allowed: a number with a point`},
		"semicolons":            {strings.ReplaceAll(goodLevels, ",", ";"), goodMarks, "L.csv:1:1: the header"},
		"semicolons in rows":    {levels("mon;0;0.1;0.2\n"), goodMarks, "L.csv:2:1: the row has 1 fields, the header 4: parted by semicolons?"},
		"semicolons in marks":   {goodLevels, strings.ReplaceAll(goodMarks, ",", ";"), "M.csv:1:1: the header"},
		"tabs":                  {strings.ReplaceAll(goodLevels, ",", "\t"), goodMarks, "L.csv:1:1: the header"},
		"unsorted":              {levels("mon,1,0.1,\nmon,0.5,0.1,\n"), goodMarks, `L.csv:3:5: time "0.5" is before 1`},
		"rows apart":            {levels("mon,1,0.1,\ntue,0,0.1,\nmon,2,0.1,\n"), goodMarks, `L.csv:4:1: session "mon" is there already, up to line 2`},
		"NaN":                   {levels("mon,0,NaN,\n"), goodMarks, `L.csv:2:7: au4 is "NaN"; allowed: a number with a point, from -1e+06 to 1e+06, or nothing for Unknown`},
		"infinite":              {levels("mon,0,Inf,\n"), goodMarks, "L.csv:2:7: au4"},
		"huge":                  {levels("mon,0,1e300,\n"), goodMarks, "L.csv:2:7: au4"},
		"beyond huge":           {levels("mon,0,1e999,\n"), goodMarks, "L.csv:2:7: au4"},
		"no time":               {levels("mon,,0.1,\n"), goodMarks, `L.csv:2:5: time is ""`},
		"time NaN":              {levels("mon,nan,0.1,\n"), goodMarks, "L.csv:2:5: time"},
		"time huge":             {levels("mon,1e30,0.1,\n"), goodMarks, "L.csv:2:5: time"},
		"clock time":            {levels("mon,2026-01-01,0.1,\n"), goodMarks, "L.csv:2:5: time"},
		"no session":            {levels(",0,0.1,\n"), goodMarks, "L.csv:2:1: session"},
		"long session":          {levels(strings.Repeat("x", 300) + ",0,0.1,\n"), goodMarks, "L.csv:2:1: session"},
		"short row":             {levels("mon,0\n"), goodMarks, "L.csv:2:"},
		"no levels":             {levels(""), goodMarks, "L.csv:1: there are no rows"},
		"empty":                 {"", goodMarks, "L.csv:1: is empty"},
		"no header":             {"mon,0,0.1\nmon,1,0.1\n", goodMarks, `L.csv:1: there is no column "session"`},
		"no signal":             {"session,time\nmon,0\n", goodMarks, "L.csv:1: there is no column of a signal"},
		"twice in the header":   {"session,time,au4,au4\nmon,0,0,0\n", goodMarks, `L.csv:1:18: column "au4" is there already, as column 3`},
		"header in capitals":    {strings.Replace(goodLevels, "time", "Time", 1), goodMarks, `there is no column "time"; did you mean "Time"?`},
		"header with a space":   {strings.Replace(goodLevels, ",au4", ", au4", 1), goodMarks, `column 3 has the name " au4"`},
		"a quote too many":      {levels("mon,0,0.1,\"0.2\nmon,1,0.2,0.1\n"), goodMarks, "L.csv:2:"},
		"an endless quote":      {levels("mon,0,0.1,\"" + strings.Repeat("x\n", 1<<17)), goodMarks, "L.csv:"},
		"a bare quote":          {levels("mon,0,0.1\",0.2\n"), goodMarks, "L.csv:2:"},
		"UTF-16":                {"\xff\xfes\x00e\x00", goodMarks, "L.csv:1: is UTF-16"},
		"binary":                {"\x00\x01\x02\x03", goodMarks, "L.csv:1"},
		"unknown signal":        {goodLevels, marks("mon,au5,0,1,absent\n"), `M.csv:2:5: signal "au5" is not there; did you mean "au4"?; allowed: a column of`},
		"unknown session":       {goodLevels, marks("mom,au4,0,1,absent\n"), `M.csv:2: session "mom" is not in`},
		"one session of several": {levels("mon,0,0.1,\n"), marks("mon,au4,0,1,absent\ntue,au4,0,1,absent\nwed,au4,0,1,absent\n"),
			`M.csv:3: session "tue" is not in `},
		"others of the marks": {levels("mon,0,0.1,\n"), marks("mon,au4,0,1,absent\ntue,au4,0,1,absent\nwed,au4,0,1,absent\n"),
			`L.csv; the marks have 1 more session that it does not have; allowed: the sessions of the levels: "mon"`},
		"truth in capitals":       {goodLevels, marks("mon,au4,0,1,Present\n"), `M.csv:2:13: truth is "Present"; did you mean "present"?; allowed: present, absent`},
		"truth as a number":       {goodLevels, marks("mon,au4,0,1,1\n"), `M.csv:2:13: truth is "1"; allowed: present, absent`},
		"reversed":                {goodLevels, marks("mon,au4,2,1,absent\n"), `M.csv:2:11: to "1" is before from "2"`},
		"overlapping":             {goodLevels, marks("mon,au4,0,2,absent\nmon,au4,3,4,absent\nmon,au4,1,1.5,present\n"), "M.csv:4: the span overlaps the one of line 2"},
		"twice":                   {goodLevels, marks("mon,au4,0,2,absent\nmon,au4,0,2,absent\n"), "M.csv:3: the span overlaps the one of line 2"},
		"from NaN":                {goodLevels, marks("mon,au4,NaN,2,absent\n"), "M.csv:2:9: from"},
		"from missing":            {goodLevels, marks("mon,au4,,2,absent\n"), "M.csv:2:9: from"},
		"a column too many":       {goodLevels, "session,signal,from,to,truth,who\n", `M.csv:1:30: column "who" is not known`},
		"mistyped column":         {goodLevels, "session,signal,from,til,truth\n", "M.csv:1:21: column \"til\" is not known"},
		"no marks":                {goodLevels, marks(""), "M.csv:1: there are no spans"},
		"marks are empty":         {goodLevels, "", "M.csv:1: is empty"},
		"signal time":             {goodLevels, marks("mon,time,0,1,absent\n"), `M.csv:2:5: signal "time" is not there`},
		"a comma too many":        {goodLevels, marks("mon,au4,0,5,1,absent\n"), "M.csv:2:15: the row has 6 fields, the header 5: a comma as the decimal sign?"},
		"a line break in a quote": {goodLevels, marks("mon,au4,0,1,\"pre\nsent\"\n"), "M.csv:2:13: truth"},
	} {
		_, err := readAll(t, c.levels, c.marks, "au4")
		var m Mistake
		if !errors.As(err, &m) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || m.Allowed == "" {
			t.Errorf("%s:\n got %v\nwant %s", name, err, c.want)
		}
	}
	if _, err := readAll(t, goodLevels, goodMarks, "au12"); err == nil || !strings.Contains(err.Error(), `there is no signal "au12"`) {
		t.Error(err)
	}
	if _, err := ReadTables(File(t.TempDir()), File("M.csv")); err == nil {
		t.Error("a folder was read")
	}
}

func FuzzCSV(f *testing.F) {
	f.Add(goodLevels, goodMarks)
	f.Add("session,time,au4\n\"a\"\"b\",1e3,-0\n", "session,signal,from,to,truth\n\"a\"\"b\",au4,-1,1e9,absent\n")
	f.Fuzz(func(t *testing.T, levels, marks string) {
		list, err := readAll(t, levels, marks, "au4")
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		// What was read can be searched.
		source := func(yield func(*Session) error) error {
			for _, s := range list {
				c := *s
				if err := yield(&c); err != nil {
					return err
				}
			}
			return nil
		}
		if _, err := Search(source, Options{Signal: "au4", CostFalse: 1, CostMissed: 1, MostFalse: 1, Shift: time.Hour}); err != nil {
			t.Error(fmt.Errorf("searched: %w", err))
		}
	})
}
