package tune

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"mien/firmware/alarm"
	"mien/given"
	"mien/spelling"
)

// Mistake is what is wrong with a CSV file, and where.
type Mistake struct {
	File    string
	Line    int
	Column  int    // of the line's bytes, from 1; 0: the whole line
	Text    string // what is wrong
	Allowed string
}

func (m Mistake) Error() string {
	at := m.File
	if m.Line > 0 {
		at += ":" + strconv.Itoa(m.Line)
		if m.Column > 0 {
			at += ":" + strconv.Itoa(m.Column)
		}
	}
	text := at + ": " + m.Text
	if m.Allowed != "" {
		text += "; allowed: " + m.Allowed
	}
	return text
}

const (
	levelsHead = "session,time, and a column for each signal under its name, such as au4"
	marksHead  = "session,signal,from,to,truth"
	mostRecord = 1 << 16 // bytes of one line, or of one quoted field
	mostName   = 200
	mostTime   = 9e9 // seconds
	mostLevel  = 1e6
	mostSpans  = 1_000_000
)

// Table is a CSV table: its name in messages, and what it is read from, each time
// from its begin.
type Table struct {
	Name string
	Open func() (io.ReadCloser, error)
}

// File is a table in a regular file.
func File(path string) Table {
	return Table{path, func() (io.ReadCloser, error) {
		f, _, err := given.Open(path)
		return f, err
	}}
}

// reader reads the rows of one CSV file.
type reader struct {
	file  string
	csv   *csv.Reader
	left  *limited
	close func() error
}

// limited ends a row that does not end, such as one with a quote too many.
type limited struct {
	r    io.Reader
	left int
}

var errEndless = errors.New("a row does not end")

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errEndless
	}
	n, err := l.r.Read(p)
	l.left -= n
	return n, err
}

const buffered = 1 << 16

func (t Table) open() (*reader, error) {
	f, err := t.Open()
	if err != nil {
		return nil, err
	}
	b := bufio.NewReaderSize(f, buffered)
	if head, _ := b.Peek(3); string(head) == "\ufeff" {
		b.Discard(3)
	} else if len(head) >= 2 && (string(head[:2]) == "\xff\xfe" || string(head[:2]) == "\xfe\xff") {
		f.Close()
		return nil, Mistake{File: t.Name, Line: 1, Text: "is UTF-16", Allowed: "UTF-8"}
	}
	r := &reader{file: t.Name, left: &limited{b, 0}, close: f.Close}
	r.csv = csv.NewReader(r.left)
	r.csv.FieldsPerRecord = -1
	r.csv.ReuseRecord = true
	return r, nil
}

// row gives the next row; io.EOF at the end.
func (r *reader) row() ([]string, error) {
	r.left.left = mostRecord + buffered
	row, err := r.csv.Read()
	var wrong *csv.ParseError
	switch {
	case err == nil || err == io.EOF:
		return row, err
	case errors.As(err, &wrong):
		text := wrong.Err.Error()
		if errors.Is(err, errEndless) {
			text = errEndless.Error()
		}
		return nil, Mistake{r.file, wrong.StartLine, wrong.Column, text, `fields parted by commas; a quote (") only around a whole field`}
	case errors.Is(err, errEndless):
		line, _ := r.csv.FieldPos(0)
		return nil, Mistake{r.file, line, 0, fmt.Sprintf("a row behind this line is longer than %d bytes: a quote (\") too many?", mostRecord), "short rows"}
	}
	return nil, fmt.Errorf("read %s: %w", r.file, err)
}

// wrong tells what is wrong with a field of the newest row.
func (r *reader) wrong(field int, allowed, format string, args ...any) error {
	line, column := r.csv.FieldPos(field)
	return Mistake{r.file, line, column, fmt.Sprintf(format, args...), allowed}
}

func shown(s string) string {
	if len(s) > 40 {
		s = s[:40] + "…"
	}
	return strconv.Quote(s)
}

// head reads the first row. It gives the place of each column.
func (r *reader) head(fixed []string, free bool, allowed string) (map[string]int, error) {
	row, err := r.row()
	if err == io.EOF {
		return nil, Mistake{r.file, 1, 0, "is empty: there is no header", allowed}
	}
	if err != nil {
		return nil, err
	}
	place := make(map[string]int, len(row))
	for i, name := range row {
		at, twice := place[name]
		switch {
		case strings.ContainsAny(name, ";\t"):
			return nil, r.wrong(i, "fields parted by commas, numbers with a point: "+allowed, "the header %s is parted by semicolons or tabs", shown(name))
		case twice:
			return nil, r.wrong(i, "each name once", "column %s is there already, as column %d", shown(name), at+1)
		case name == "" || len(name) > mostName || strings.TrimSpace(name) != name:
			return nil, r.wrong(i, allowed, "column %d has the name %s", i+1, shown(name))
		case !free && !slices.Contains(fixed, name):
			return nil, r.wrong(i, allowed, "column %s is not known%s", shown(name), meant(name, fixed))
		}
		place[strings.Clone(name)] = i
	}
	for _, name := range fixed {
		if _, ok := place[name]; !ok {
			var names []string
			for have := range place {
				names = append(names, have)
			}
			return nil, Mistake{r.file, 1, 0, fmt.Sprintf("there is no column %q%s", name, meant(name, names)), allowed}
		}
	}
	if free && len(place) == len(fixed) {
		return nil, Mistake{r.file, 1, 0, "there is no column of a signal", allowed}
	}
	return place, nil
}

func meant(word string, list []string) string {
	if near := spelling.Nearest(word, list); near != "" && near != word {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// width refuses a row that has not as many fields as the header.
func (r *reader) width(row []string, want int) error {
	if len(row) == want {
		return nil
	}
	why := ""
	if len(row) > want {
		why = ": a comma as the decimal sign?"
	} else if len(row) == 1 && strings.Contains(row[0], ";") {
		why = ": parted by semicolons?"
	}
	return r.wrong(min(want, len(row)-1), "as many as the header; numbers have a point", "the row has %d fields, the header %d%s", len(row), want, why)
}

func (r *reader) number(row []string, field int, what string, most float64, more string) (float64, error) {
	text := row[field]
	v, err := strconv.ParseFloat(text, 64)
	if err == nil && math.Abs(v) <= most { // not NaN
		return v, nil
	}
	allowed := fmt.Sprintf("a number with a point, from %g to %g%s", -most, most, more)
	if strings.Contains(text, ",") {
		return 0, r.wrong(field, allowed, "%s is %s: a comma as the decimal sign?", what, shown(text))
	}
	return 0, r.wrong(field, allowed, "%s is %s", what, shown(text))
}

func (r *reader) seconds(row []string, field int, what string) (time.Duration, error) {
	v, err := r.number(row, field, what, mostTime, " seconds")
	return time.Duration(math.Round(v * 1e9)), err
}

// Tables are levels and marks as CSV.
//
// Levels: session,time and a column for each signal. Rows of a session stand
// together, in order of time; times are seconds of the session's own clock; an empty
// level is Unknown. Marks: session,signal,from,to,truth, in any order; truth is
// present or absent; spans of one signal in one session do not overlap.
type Tables struct {
	levels  Table
	signals []string
	marks   map[string]map[string][]Span // by signal, session
	marked  []string                     // signals with marks, in order of the levels' columns
	lines   map[string]int               // first line of a session in the marks
	file    string                       // of the marks
}

// ReadTables reads the marks and the header of the levels.
func ReadTables(levels, marks Table) (*Tables, error) {
	l, err := levels.open()
	if err != nil {
		return nil, err
	}
	defer l.close()
	place, err := l.head([]string{"session", "time"}, true, levelsHead)
	if err != nil {
		return nil, err
	}
	f := &Tables{levels: levels, file: marks.Name, marks: make(map[string]map[string][]Span), lines: make(map[string]int)}
	f.signals = make([]string, len(place))
	for name, i := range place {
		f.signals[i] = name
	}
	f.signals = slices.DeleteFunc(f.signals, func(s string) bool { return s == "session" || s == "time" })
	if err := f.readMarks(marks); err != nil {
		return nil, err
	}
	for _, s := range f.signals {
		if len(f.marks[s]) > 0 {
			f.marked = append(f.marked, s)
		}
	}
	if len(f.marked) == 0 {
		return nil, Mistake{marks.Name, 1, 0, "there are no spans: nothing is known of the truth", "at least one row behind the header"}
	}
	return f, nil
}

// Signals gives the names of the levels' columns that have marks.
func (f *Tables) Signals() []string { return f.marked }

type mark struct {
	Span
	line int
}

func (f *Tables) readMarks(marks Table) error {
	r, err := marks.open()
	if err != nil {
		return err
	}
	defer r.close()
	place, err := r.head([]string{"session", "signal", "from", "to", "truth"}, false, marksHead)
	if err != nil {
		return err
	}
	type key struct{ signal, session string }
	all := make(map[key][]mark)
	for n := 0; ; n++ {
		row, err := r.row()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if n >= mostSpans {
			return r.wrong(0, fmt.Sprintf("at most %d", mostSpans), "there are too many spans")
		}
		if err := r.width(row, len(place)); err != nil {
			return err
		}
		line, _ := r.csv.FieldPos(0)
		session, signal := row[place["session"]], row[place["signal"]]
		if session == "" || len(session) > mostName {
			return r.wrong(place["session"], fmt.Sprintf("a name of 1 to %d bytes", mostName), "session is %s", shown(session))
		}
		if !slices.Contains(f.signals, signal) {
			return r.wrong(place["signal"], "a column of "+f.levels.Name+": "+strings.Join(f.signals, ", "), "signal %s is not there%s", shown(signal), meant(signal, f.signals))
		}
		var m mark
		m.line = line
		if m.From, err = r.seconds(row, place["from"], "from"); err != nil {
			return err
		}
		if m.To, err = r.seconds(row, place["to"], "to"); err != nil {
			return err
		}
		if m.To < m.From {
			return r.wrong(place["to"], "to at or behind from", "to %s is before from %s", shown(row[place["to"]]), shown(row[place["from"]]))
		}
		switch truth := row[place["truth"]]; truth {
		case "present":
			m.Present = true
		case "absent":
		default:
			return r.wrong(place["truth"], "present, absent", "truth is %s%s", shown(truth), meant(truth, []string{"present", "absent"}))
		}
		k := key{strings.Clone(signal), strings.Clone(session)}
		all[k] = append(all[k], m)
		if _, known := f.lines[k.session]; !known {
			f.lines[k.session] = line
		}
	}
	for k, list := range all {
		slices.SortStableFunc(list, func(a, b mark) int { return int(min(max(a.From-b.From, -1), 1)) })
		var spans []Span
		last := 0
		for i, m := range list {
			if i > 0 && m.From < list[last].To {
				return Mistake{marks.Name, max(m.line, list[last].line), 0, fmt.Sprintf("the span overlaps the one of line %d: session %s, signal %s", min(m.line, list[last].line), shown(k.session), shown(k.signal)),
					"each moment in one span; spans may touch"}
			}
			last = i
			spans = append(spans, m.Span)
		}
		if f.marks[k.signal] == nil {
			f.marks[k.signal] = make(map[string][]Span)
		}
		f.marks[k.signal][k.session] = spans
	}
	return nil
}

// Source gives the sessions of one signal. A session without marks has no spans.
func (f *Tables) Source(signal string) Source {
	return func(yield func(*Session) error) error {
		r, err := f.levels.open()
		if err != nil {
			return err
		}
		defer r.close()
		place, err := r.head([]string{"session", "time"}, true, levelsHead)
		if err != nil {
			return err
		}
		column, ok := place[signal]
		if !ok || slices.Contains([]string{"session", "time"}, signal) {
			return Mistake{f.levels.Name, 1, 0, fmt.Sprintf("there is no signal %s%s", shown(signal), meant(signal, f.signals)), strings.Join(f.signals, ", ")}
		}
		name, clock := place["session"], place["time"]
		done := make(map[string]int) // session: its last line
		var s *Session
		line := 0
		end := func() error {
			if s == nil {
				return nil
			}
			done[s.Name] = line
			s.Spans = slices.Clone(f.marks[signal][s.Name])
			return yield(s)
		}
		frames := 0
		for {
			row, err := r.row()
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			if err := r.width(row, len(place)); err != nil {
				return err
			}
			if s == nil || row[name] != s.Name {
				if err := end(); err != nil {
					return err
				}
				if row[name] == "" || len(row[name]) > mostName {
					return r.wrong(name, fmt.Sprintf("a name of 1 to %d bytes", mostName), "session is %s", shown(row[name]))
				}
				if before, twice := done[row[name]]; twice {
					return r.wrong(name, "all rows of a session together", "session %s is there already, up to line %d", shown(row[name]), before)
				}
				if s != nil {
					frames = max(frames, len(s.At))
				}
				s = &Session{Name: strings.Clone(row[name]), At: make([]time.Duration, 0, frames), Level: make([]float32, 0, frames)}
			}
			line, _ = r.csv.FieldPos(0)
			at, err := r.seconds(row, clock, "time")
			if err != nil {
				return err
			}
			if n := len(s.At); n > 0 && at < s.At[n-1] {
				return r.wrong(clock, "times of a session in order", "time %s is before %.9g, the time of the row before", shown(row[clock]), s.At[n-1].Seconds())
			}
			level := float32(math.NaN())
			if row[column] != "" {
				v, err := r.number(row, column, signal, mostLevel, ", or nothing for Unknown")
				if err != nil {
					return err
				}
				level = float32(v)
			}
			s.At, s.Level = append(s.At, at), append(s.Level, level)
		}
		if err := end(); err != nil {
			return err
		}
		if s == nil {
			return Mistake{f.levels.Name, 1, 0, "there are no rows behind the header", levelsHead}
		}
		return f.strays(signal, done)
	}
}

// strays tells of sessions of the marks that the levels do not have.
func (f *Tables) strays(signal string, done map[string]int) error {
	first, others := "", -1
	for session := range f.marks[signal] {
		if _, known := done[session]; known {
			continue
		}
		if others++; first == "" || f.lines[session] < f.lines[first] {
			first = session
		}
	}
	if first == "" {
		return nil
	}
	names := slices.Collect(maps.Keys(done))
	slices.SortFunc(names, func(a, b string) int { return done[a] - done[b] })
	text := fmt.Sprintf("session %s is not in %s%s", shown(first), f.levels.Name, meant(first, names))
	if others > 0 {
		text += fmt.Sprintf("; the marks have %s that it does not have", alarm.Count(others, "more session"))
	}
	const few = 5
	allowed := "the sessions of the levels"
	for i, name := range names[:min(few, len(names))] {
		allowed += [2]string{": ", ", "}[min(i, 1)] + shown(name)
	}
	if more := len(names) - few; more > 0 {
		allowed += fmt.Sprintf(" and %d more", more)
	}
	return Mistake{f.file, f.lines[first], 0, text, allowed}
}
