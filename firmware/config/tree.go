package config

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// maxSize bounds a config file, maxDepth a dotted key; what is beyond is no
// config.
const (
	maxSize  = 256 << 10
	maxDepth = 8
)

// place is where something stands in the file; line 0 is nowhere.
type place struct{ line, column int }

// form is the TOML type of a value.
type form uint8

const (
	isText form = iota
	isInteger
	isFloat
	isBool
	isDate
	isList
	isTable
)

var formNames = [...]string{"a text", "a whole number", "a number", "true or false", "a date", "a list", "a table"}

// node is one value of the file, with its place.
type node struct {
	at     place
	form   form
	text   string // of a scalar: what it says, quotes and escapes resolved
	table  []member
	index  map[string]*node // of table
	list   []*node
	closed bool // an inline table or list: nothing may be added to it
	dotted bool // made by a dotted key: no header may open it
	opened bool // has had its own [header]
}

type member struct {
	name  string
	at    place
	value *node
}

func (n *node) get(name string) *node { return n.index[name] }

func (n *node) add(name string, at place, value *node) {
	if n.index == nil {
		n.index = make(map[string]*node)
	}
	n.index[name] = value
	n.table = append(n.table, member{name, at, value})
}

// grower builds the tree of a file, expression by expression.
type grower struct {
	file     string
	lines    []int // offset of each line's first byte
	root     *node
	current  *node
	path     string // of current, for messages
	problems Problems
	broken   bool // the syntax is: what is missing may only have been unreadable
}

func (g *grower) complain(at place, key, format string, args ...any) {
	g.problems = append(g.problems, Problem{File: g.file, Line: at.line, Column: at.column, Key: key, Text: fmt.Sprintf(format, args...)})
}

// grow reads a whole file. It goes on behind a syntax error, so that the
// mistakes behind it are reported too.
func grow(file string, data []byte) *grower {
	g := &grower{file: file, root: &node{form: isTable, at: place{1, 1}}}
	if len(data) > maxSize {
		g.complain(place{}, "", "is larger than 256 KiB: not a config file")
		return g
	}
	data = append([]byte(nil), bytes.TrimPrefix(data, byteOrderMark)...) // blanked below
	var lastBroken int
	for tries := 0; tries < 100; tries++ {
		err := g.read(data)
		if err == nil {
			break
		}
		g.broken = true
		line := append([]byte(nil), g.line(data, g.placeOf(err.start).line)...)
		first, last, changed := g.blank(data, err)
		// An error on the line behind a blanked one is most likely its rest.
		if lastBroken == 0 || first > lastBroken+1 {
			text := err.Message
			if word := bareWord.FindSubmatch(line); word != nil {
				text = fmt.Sprintf("a text must stand in quotes: %s = %q", word[1], bytes.TrimRight(word[2], " \t\r"))
			} else if first != last {
				text += fmt.Sprintf(" (in what begins at line %d)", first)
			}
			at := g.placeOf(err.offset)
			g.complain(at, "", "not TOML: %s", text)
		}
		if !changed {
			break
		}
		lastBroken = last
	}
	return g
}

// secondOpinion asks the whole TOML reader, which knows rules that the tree does
// not look at.
func (g *grower) secondOpinion(data []byte) {
	var whole map[string]any
	var de *toml.DecodeError
	if err := toml.Unmarshal(bytes.TrimPrefix(data, byteOrderMark), &whole); errors.As(err, &de) {
		line, column := de.Position()
		g.complain(place{line, column}, "", "not TOML: %s", strings.TrimPrefix(de.Error(), "toml: "))
	} else if err != nil {
		g.complain(place{}, "", "not TOML: %s", strings.TrimPrefix(err.Error(), "toml: "))
	}
}

// byteOrderMark is what some editors put in front of UTF-8.
var byteOrderMark = []byte("\ufeff")

// bareWord is a key with a text that lacks its quotes.
var bareWord = regexp.MustCompile(`^\s*([A-Za-z0-9_.-]+)\s*=\s*([\pL/][^"'\[\]{}#=]*)$`)

// line gives one line without its end.
func (g *grower) line(data []byte, n int) []byte {
	line, _, _ := bytes.Cut(data[g.lines[n-1]:], []byte("\n"))
	return line
}

type syntaxError struct {
	Message string
	offset  int
	start   int // of the expression it is in
}

// read parses data from the start and builds the tree anew.
func (g *grower) read(data []byte) *syntaxError {
	g.lines = append(g.lines[:0], 0)
	for i, b := range data {
		if b == '\n' {
			g.lines = append(g.lines, i+1)
		}
	}
	kept := g.problems[:0]
	for _, p := range g.problems {
		if p.Key == "" { // syntax; the others are found again
			kept = append(kept, p)
		}
	}
	g.problems = kept
	g.root = &node{form: isTable, at: place{1, 1}}
	g.current, g.path = g.root, ""

	var p unstable.Parser
	p.Reset(data)
	end := 0 // behind the last whole expression
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			g.open(e)
			for it := e.Key(); it.Next(); {
				end = int(it.Node().Raw.Offset + it.Node().Raw.Length)
			}
		case unstable.KeyValue:
			g.put(g.current, e, g.path)
			end = int(e.Raw.Offset + e.Raw.Length)
		}
	}
	err := p.Error()
	if err == nil {
		return nil
	}
	var pe *unstable.ParserError
	if !errors.As(err, &pe) {
		return &syntaxError{err.Error(), end, end}
	}
	offset := end
	if len(pe.Highlight) > 0 {
		offset = int(p.Range(pe.Highlight).Offset)
	}
	// The broken expression begins on the first line behind the last whole
	// one that has more than blanks and comments.
	start := end
	if i := bytes.IndexByte(data[end:], '\n'); i >= 0 && end > 0 && bytes.IndexByte(data[end:max(end, offset)], '\n') >= 0 {
		start = end + i + 1
	}
	for start < offset {
		i := bytes.IndexByte(data[start:], '\n')
		if i < 0 || start+i >= offset {
			break
		}
		line := bytes.TrimSpace(data[start : start+i])
		if len(line) > 0 && line[0] != '#' {
			break
		}
		start += i + 1
	}
	return &syntaxError{pe.Message, offset, start}
}

// blank overwrites the lines of a broken expression with blanks, and with a
// broken header all that belongs to it.
func (g *grower) blank(data []byte, err *syntaxError) (first, last int, changed bool) {
	first, last = g.placeOf(err.start).line, g.placeOf(err.offset).line
	header := bytes.HasPrefix(bytes.TrimSpace(data[g.lines[first-1]:]), []byte("["))
	clear := func(line int) {
		for i := g.lines[line-1]; i < len(data) && data[i] != '\n'; i++ {
			changed = changed || data[i] != ' '
			data[i] = ' '
		}
	}
	for line := first; line <= last; line++ {
		clear(line)
	}
	if header {
		for line := last + 1; line <= len(g.lines); line++ {
			if bytes.HasPrefix(bytes.TrimSpace(data[g.lines[line-1]:]), []byte("[")) {
				break
			}
			clear(line)
		}
	}
	return first, last, changed
}

func (g *grower) placeOf(offset int) place {
	low, high := 0, len(g.lines)
	for high-low > 1 {
		if mid := (low + high) / 2; g.lines[mid] <= offset {
			low = mid
		} else {
			high = mid
		}
	}
	return place{low + 1, offset - g.lines[low] + 1}
}

// deep complains of a key of too many parts.
func (g *grower) deep(e *unstable.Node) bool {
	n := 0
	for it := e.Key(); it.Next(); n++ {
		if n == maxDepth {
			g.complain(g.placeOf(int(it.Node().Raw.Offset)), "", "has more than %d parts: there is no such key", maxDepth)
			return true
		}
	}
	return false
}

// open makes the table of a [header] or the next one of a [[header]] current.
func (g *grower) open(e *unstable.Node) {
	if g.deep(e) {
		g.current, g.path = &node{form: isTable}, ""
		return
	}
	at := g.root
	var path string // with numbers of blocks
	for it := e.Key(); it.Next(); {
		key := it.Node()
		name, where := string(key.Data), g.placeOf(int(key.Raw.Offset))
		path = join(path, name)
		child := at.get(name)
		last := it.IsLast()
		switch {
		case child == nil:
			child = &node{form: isTable, at: where}
			if last && e.Kind == unstable.ArrayTable {
				child.form = isList
			}
			at.add(name, where, child)
		case child.closed || child.form != isTable && child.form != isList:
			g.complain(where, path, "is already set on line %d", child.at.line)
			g.current, g.path = &node{form: isTable, at: where}, path
			return
		case last && e.Kind == unstable.Table && child.form == isList:
			g.complain(where, path, "is a list of blocks since line %d: write [[%s]]", child.at.line, path)
			g.current, g.path = &node{form: isTable, at: where}, path
			return
		case last && e.Kind == unstable.ArrayTable && child.form == isTable:
			g.complain(where, path, "is one table since line %d: write [%s] once", child.at.line, path)
			g.current, g.path = &node{form: isTable, at: where}, path
			return
		case last && e.Kind == unstable.Table && (child.opened || child.dotted):
			g.complain(where, path, "[%s] stands already on line %d: put its keys there", path, child.at.line)
			g.current, g.path = child, path
			return
		}
		if last && e.Kind == unstable.Table {
			child.opened = true
		}
		if child.form == isList {
			if last {
				child.list = append(child.list, &node{form: isTable, at: where, opened: true})
			}
			if len(child.list) == 0 {
				g.complain(where, path, "is an empty list")
				g.current, g.path = &node{form: isTable, at: where}, path
				return
			}
			path = fmt.Sprintf("%s[%d]", path, len(child.list))
			child = child.list[len(child.list)-1]
		}
		at = child
	}
	g.current, g.path = at, path
}

// put sets one key of a table; the key may be dotted.
func (g *grower) put(into *node, e *unstable.Node, path string) {
	if g.deep(e) {
		return
	}
	var where place
	for it := e.Key(); it.Next(); {
		key := it.Node()
		name := string(key.Data)
		where = g.placeOf(int(key.Raw.Offset))
		path = join(path, name)
		child := into.get(name)
		if it.IsLast() {
			if child != nil {
				g.complain(where, path, "is already set on line %d", child.at.line)
				return
			}
			into.add(name, where, g.value(e.Value(), where, path))
			return
		}
		switch {
		case child == nil:
			child = &node{form: isTable, at: where, dotted: true}
			into.add(name, where, child)
		case child.form != isTable || child.closed:
			g.complain(where, path, "is already set on line %d", child.at.line)
			return
		}
		into = child
	}
}

func (g *grower) value(n *unstable.Node, at place, path string) *node {
	if n.Raw.Length > 0 {
		at = g.placeOf(int(n.Raw.Offset))
	}
	v := &node{at: at, text: string(n.Data)}
	switch n.Kind {
	case unstable.String:
		v.form = isText
	case unstable.Integer:
		v.form = isInteger
	case unstable.Float:
		v.form = isFloat
	case unstable.Bool:
		v.form = isBool
	case unstable.Array:
		v.form, v.closed = isList, true
		for it := n.Children(); it.Next(); {
			v.list = append(v.list, g.value(it.Node(), at, path))
		}
	case unstable.InlineTable:
		v.form = isTable
		for it := n.Children(); it.Next(); {
			g.put(v, it.Node(), path)
		}
		v.closed = true
	default:
		v.form = isDate
	}
	return v
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
