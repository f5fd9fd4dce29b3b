package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// maxSize and maxKeys bound a config file, maxDepth the parts of a key, maxTries
// the expressions that are skipped because they cannot be read. 48 alarms of 16
// conditions with all their keys are some 5,000.
const (
	maxSize  = 256 << 10
	maxKeys  = 10_000
	maxDepth = 8
	maxTries = 100
)

// place is where a key stands in the file; line 0 is nowhere.
type place struct {
	line, column int
	text         string // of a scalar: as it is written, without quotes
}

// reader reads one file: go-toml decodes it, places tells where each key is.
type reader struct {
	file     string
	data     []byte // what could not be read is blanked
	lines    []int  // offset of each line's first byte
	values   map[string]any
	places   map[string]place // by path, blocks and items numbered from 1: "alarm[2].any[1].high"
	problems Problems
	broken   bool // something was skipped: what is missing may only have been unreadable

	count map[string]int // of [[blocks]], by path
	spans []span         // the expressions
}

// span is one expression of the file: a header, or a key with its value.
type span struct {
	first, last int // offsets
	path        string
	header      bool
}

// flaw is why an expression cannot be read.
type flaw struct {
	span
	offset int // of the very place
	text   string
	whole  bool // the syntax is right: the file can be judged without this key
}

func (r *reader) complain(at place, key, format string, args ...any) {
	r.problems = append(r.problems, Problem{File: r.file, Line: at.line, Column: at.column, Key: key, Text: fmt.Sprintf(format, args...)})
}

// read reads a whole file. What cannot be read is reported and skipped, so that
// the mistakes behind it are reported too.
func read(file string, data []byte) *reader {
	r := &reader{file: file}
	if len(data) > maxSize {
		r.complain(place{}, "", "is larger than 256 KiB: not a config file")
		r.broken = true
		return r
	}
	r.data = r.utf8(data)
	r.lines = []int{0}
	for i, b := range r.data {
		if b == '\n' {
			r.lines = append(r.lines, i+1)
		}
	}
	lastBroken := 0
	for tries := 0; ; tries++ {
		f := r.walk()
		if len(r.spans) > maxKeys {
			r.complain(place{}, "", "has more than %d keys: not a config file", maxKeys)
			r.broken = true
			return r
		}
		if f == nil {
			f = r.decode()
		}
		if f == nil {
			return r
		}
		first, last := r.placeOf(f.first).line, r.placeOf(f.offset).line
		switch {
		case f.whole:
			r.complain(r.placeOf(f.offset), f.path, "%s", f.text)
		default:
			r.slipped(f, first, last, lastBroken > 0 && first <= lastBroken+1)
		}
		if !f.whole {
			lastBroken = max(last, r.placeOf(max(f.first, f.last-1)).line)
		}
		r.broken = r.broken || !f.whole || f.header
		if !r.blank(f.first, max(f.last, f.offset+1), f.header) || tries == maxTries {
			r.broken, r.values = true, nil
			return r
		}
	}
}

// decode has go-toml read the file.
func (r *reader) decode() *flaw {
	r.values = nil
	err := toml.Unmarshal(r.data, &r.values)
	if err == nil {
		return nil
	}
	var de *toml.DecodeError
	if !errors.As(err, &de) {
		return &flaw{span: span{0, len(r.data), "", false}, text: strings.TrimPrefix(err.Error(), "toml: ")}
	}
	line, column := de.Position()
	f := &flaw{offset: r.lines[line-1] + column - 1, text: strings.TrimPrefix(de.Error(), "toml: ")}
	f.span = span{first: f.offset, last: f.offset + 1}
	for _, s := range r.spans {
		if s.first <= f.offset && f.offset < s.last {
			f.span = s
		}
	}
	return f
}

// walk notes where each key stands, up to the first expression that cannot be
// read.
func (r *reader) walk() *flaw {
	r.places, r.count, r.spans = make(map[string]place), make(map[string]int), r.spans[:0]
	opened := make(map[string]bool)
	section := ""
	end := 0 // behind the last whole expression
	var p unstable.Parser
	p.Reset(r.data)
	for p.NextExpression() {
		e := p.Expression()
		s := span{first: -1, header: e.Kind != unstable.KeyValue}
		parts := 0
		for it := e.Key(); it.Next(); parts++ {
			if raw := it.Node().Raw; s.first < 0 {
				s.first, s.last = int(raw.Offset), int(raw.Offset+raw.Length)
			} else {
				s.last = int(raw.Offset + raw.Length)
			}
		}
		if !s.header {
			s.last = max(s.last, int(e.Raw.Offset+e.Raw.Length))
		}
		end = s.last
		if parts > maxDepth {
			return &flaw{s, s.first, fmt.Sprintf("has more than %d parts: there is no such key", maxDepth), true}
		}
		var f *flaw
		if s.header {
			section, f = r.header(e, opened)
			s.path = section
		} else {
			s.path, f = r.key(section, e)
		}
		if f != nil {
			f.span = s
			return f
		}
		r.spans = append(r.spans, s)
	}
	err := p.Error()
	if err == nil {
		return nil
	}
	f := &flaw{offset: end, text: err.Error()}
	var pe *unstable.ParserError
	if errors.As(err, &pe) {
		f.text = pe.Message
		if len(pe.Highlight) > 0 {
			f.offset = int(p.Range(pe.Highlight).Offset)
		}
	}
	f.first = r.begins(end, f.offset)
	f.last = f.offset + 1
	line := r.line(r.placeOf(f.first).line)
	f.header = bytes.HasPrefix(bytes.TrimSpace(line), []byte("["))
	if word := keyOfLine.FindSubmatch(line); word != nil {
		f.path = join(section, string(word[1]))
	}
	return f
}

// begins finds the start of a broken expression: the first line behind the last
// whole one that has more than blanks and a comment.
func (r *reader) begins(end, offset int) int {
	start := end
	if line := r.placeOf(end).line; end > 0 && line < len(r.lines) && r.lines[line] <= offset {
		start = r.lines[line]
	}
	for line := r.placeOf(start).line; start < offset && line < len(r.lines) && r.lines[line] <= offset; line++ {
		if text := bytes.TrimSpace(r.data[start:r.lines[line]]); len(text) > 0 && text[0] != '#' {
			break
		}
		start = r.lines[line]
	}
	return start
}

// header enters the table of a [header] or the next one of a [[header]], and
// gives its path.
func (r *reader) header(e *unstable.Node, opened map[string]bool) (string, *flaw) {
	path := ""
	for it := e.Key(); it.Next(); {
		at := r.placeOf(int(it.Node().Raw.Offset))
		path = join(path, string(it.Node().Data))
		before, list := r.places[path], r.count[path] > 0
		if before.line == 0 {
			r.places[path] = at
		}
		switch {
		case !it.IsLast() && list:
			path = item(path, r.count[path])
		case !it.IsLast():
		case e.Kind == unstable.ArrayTable:
			r.count[path]++
			path = item(path, r.count[path])
			r.places[path] = at
		case list:
			return path, &flaw{offset: int(it.Node().Raw.Offset), text: fmt.Sprintf("is a list of blocks since line %d: write [[%s]]", before.line, path), whole: true}
		case opened[path]:
			return path, &flaw{offset: int(it.Node().Raw.Offset), text: fmt.Sprintf("[%s] stands already on line %d: put its keys there", path, before.line), whole: true}
		default:
			opened[path] = true
		}
	}
	return path, nil
}

// key notes one key of a table, which may be dotted, and what is in its value.
func (r *reader) key(section string, e *unstable.Node) (string, *flaw) {
	path := section
	for it := e.Key(); it.Next(); {
		offset := int(it.Node().Raw.Offset)
		path = join(path, string(it.Node().Data))
		before, known := r.places[path]
		switch {
		case !known:
			r.places[path] = r.placeOf(offset)
		case it.IsLast():
			return path, &flaw{offset: offset, text: fmt.Sprintf("is already set on line %d", before.line), whole: true}
		}
	}
	return path, r.value(path, e.Value())
}

// value notes the text of a scalar, and where the items of a list and the keys
// of an inline table stand.
func (r *reader) value(path string, n *unstable.Node) *flaw {
	switch n.Kind {
	case unstable.Array:
		i := 1
		for it := n.Children(); it.Next(); i++ {
			at := r.places[path]
			if raw := it.Node().Raw; raw.Length > 0 {
				at = r.placeOf(int(raw.Offset))
			}
			r.places[item(path, i)] = place{line: at.line, column: at.column}
			if f := r.value(item(path, i), it.Node()); f != nil {
				return f
			}
		}
	case unstable.InlineTable:
		for it := n.Children(); it.Next(); {
			if _, f := r.key(path, it.Node()); f != nil {
				return f
			}
		}
	default:
		at := r.places[path]
		at.text = string(n.Data)
		r.places[path] = at
	}
	return nil
}

// line gives one line without its end.
func (r *reader) line(n int) []byte {
	line, _, _ := bytes.Cut(r.data[r.lines[n-1]:], []byte("\n"))
	return line
}

// blank overwrites the lines of an expression with blanks, and with a header all
// that belongs to it. It tells whether there was anything.
func (r *reader) blank(from, to int, header bool) (changed bool) {
	clear := func(line int) {
		for i := r.lines[line-1]; i < len(r.data) && r.data[i] != '\n'; i++ {
			changed = changed || r.data[i] != ' '
			r.data[i] = ' '
		}
	}
	first, last := r.placeOf(from).line, r.placeOf(max(from, to-1)).line
	for line := first; line <= last; line++ {
		clear(line)
	}
	if header {
		for line := last + 1; line <= len(r.lines) && !bytes.HasPrefix(bytes.TrimSpace(r.line(line)), []byte("[")); line++ {
			clear(line)
		}
	}
	return changed
}

func (r *reader) placeOf(offset int) place {
	low, high := 0, len(r.lines)
	for high-low > 1 {
		if mid := (low + high) / 2; r.lines[mid] <= offset {
			low = mid
		} else {
			high = mid
		}
	}
	return place{line: low + 1, column: offset - r.lines[low] + 1}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func item(path string, n int) string { return fmt.Sprintf("%s[%d]", path, n) }
