package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mien/given"
	"mien/model/affect"
	"mien/spelling"
)

// row is one labelled picture. NaN, and -1 for the expression, is "not
// labelled".
type row struct {
	file             string // as the CSV has it
	path             string // of the picture's file
	line             int
	group, person    string
	validation       bool // part = validation: chooses thresholds, is not scored with them
	expression       int  // index of the card's classes
	valence, arousal float64
	units            []float64 // one a labelled unit of Labels.units, 0..1
	visible          []float64 // one a part of the card
}

// labelSet is a CSV of labels, read for one network.
type labelSet struct {
	path    string
	rows    []row
	units   []int // the card's units that have a column, in the card's order
	foreign []int // labelled units that the network lacks
	hasPart bool  // there is a part column
	hasAny  struct{ expression, affect, visibility bool }
}

// problems gathers what is wrong with an input, so that one run tells all of it.
type problems struct {
	list []string
	more int
}

const mostProblems = 20

func (p *problems) add(format string, args ...any) {
	if len(p.list) == mostProblems {
		p.more++
		return
	}
	p.list = append(p.list, fmt.Sprintf(format, args...))
}

func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	text := strings.Join(p.list, "\n")
	if p.more > 0 {
		text += fmt.Sprintf("\nand %d more", p.more)
	}
	return errors.New(text)
}

// column is what one column of the CSV holds.
type column struct {
	name string
	set  func(r *row, cell string) error // cell is not empty
}

// readLabels reads the CSV at path for the network of card; pictures are
// relative to folder, or to the CSV where folder is empty. The error holds a
// line for each thing that is wrong: file, line, column.
func readLabels(path, folder string, card *affect.Card) (*labelSet, error) {
	text, err := given.Read(path, 256<<20)
	if err != nil {
		return nil, fmt.Errorf("read labels: %w", err)
	}
	if folder == "" {
		folder = filepath.Dir(path)
	}
	set := &labelSet{path: path}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = -1
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: is empty: the first line names the columns: file, group, expression, valence, arousal, AU1, …", path)
	} else if err != nil {
		return nil, fmt.Errorf("%s: not a CSV file: %w", path, err)
	}
	var bad problems
	columns := set.columns(header, card, &bad)
	if err := bad.err(); err != nil {
		return nil, err
	}
	seen := map[string]int{}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: not a CSV file: %w", path, err)
		}
		line, _ := r.FieldPos(0)
		if len(cells) != len(columns) {
			bad.add("%s:%d: %d columns, the first line names %d", path, line, len(cells), len(columns))
			continue
		}
		rw := set.newRow(card)
		rw.line = line
		for i, cell := range cells {
			if cell = strings.TrimSpace(cell); cell == "" {
				continue
			}
			if err := columns[i].set(&rw, cell); err != nil {
				at, col := r.FieldPos(i)
				bad.add("%s:%d:%d: %s: %v", path, at, col, columns[i].name, err)
			}
		}
		if rw.file == "" {
			bad.add("%s:%d: file: is empty", path, line)
			continue
		}
		rw.path = rw.file
		if !filepath.IsAbs(rw.path) {
			rw.path = filepath.Join(folder, rw.path)
		}
		if info, err := os.Stat(rw.path); err != nil {
			bad.add("%s:%d: file: %s: no such picture: looked for %s", path, line, rw.file, rw.path)
		} else if info.IsDir() {
			bad.add("%s:%d: file: %s is a folder", path, line, rw.file)
		}
		if first, twice := seen[rw.path]; twice {
			bad.add("%s:%d: file: %s is in line %d too: a picture counts once", path, line, rw.file, first)
		}
		seen[rw.path] = line
		set.rows = append(set.rows, rw)
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	if len(set.rows) == 0 {
		return nil, fmt.Errorf("%s: has no pictures: only the line that names the columns", path)
	}
	return set, nil
}

func (s *labelSet) newRow(card *affect.Card) row {
	r := row{expression: -1, valence: math.NaN(), arousal: math.NaN()}
	r.units = slices.Repeat([]float64{math.NaN()}, len(s.units))
	if v := card.Outputs.Visibility; v != nil {
		r.visible = slices.Repeat([]float64{math.NaN()}, len(v.Parts))
	}
	return r
}

// columns says what each column of the header sets. Names are taken in any
// case.
func (s *labelSet) columns(header []string, card *affect.Card, bad *problems) []column {
	if len(header) == 1 && strings.ContainsAny(header[0], ";\t") {
		bad.add("%s:1: the columns are not parted by commas", s.path)
		return nil
	}
	s.findUnits(header, card)
	cols := make([]column, len(header))
	names := make([]string, len(header))
	for i, title := range header {
		name := strings.TrimSpace(title)
		lower := strings.ToLower(name)
		cols[i] = s.column(name, lower, card, bad)
		if lower != "" && slices.Contains(names[:i], lower) {
			bad.add("%s:1: column %d: %q is there twice", s.path, i+1, name)
		}
		names[i] = lower
	}
	if !slices.Contains(names, "file") && len(bad.list) == 0 {
		bad.add(`%s:1: there is no column "file": it names the picture, beside the CSV`, s.path)
	}
	for i := range cols {
		if cols[i].set == nil && len(bad.list) == 0 {
			cols[i].set = func(*row, string) error { return nil }
		}
	}
	return cols
}

// findUnits parts the units that have a column in those the network has, in its
// order, and the others.
func (s *labelSet) findUnits(header []string, card *affect.Card) {
	var labelled []int
	for _, name := range header {
		if u, ok := unitColumn(strings.ToLower(strings.TrimSpace(name))); ok {
			labelled = append(labelled, u)
		}
	}
	if o := card.Outputs.ActionUnits; o != nil {
		for _, u := range o.Units {
			if slices.Contains(labelled, u) {
				s.units = append(s.units, u)
			}
		}
	}
	for _, u := range labelled {
		if !slices.Contains(s.units, u) {
			s.foreign = append(s.foreign, u)
		}
	}
}

func unitColumn(lower string) (int, bool) {
	digits, ok := strings.CutPrefix(lower, "au")
	u, err := strconv.Atoi(digits)
	return u, ok && err == nil && u >= 1 && u <= 99
}

func (s *labelSet) column(name, lower string, card *affect.Card, bad *problems) column {
	c := column{name: name}
	switch u, isUnit := unitColumn(lower); {
	case lower == "file":
		c.set = func(r *row, cell string) error { r.file = cell; return nil }
	case lower == "group":
		c.set = func(r *row, cell string) error { r.group = cell; return nil }
	case lower == "person":
		c.set = func(r *row, cell string) error { r.person = cell; return nil }
	case lower == "part":
		s.hasPart = true
		c.set = func(r *row, cell string) error {
			r.validation = cell == "validation"
			if cell != "validation" && cell != "test" {
				return fmt.Errorf("%q: must be validation or test", cell)
			}
			return nil
		}
	case lower == "expression":
		c.set = s.expressionSetter(card)
	case lower == "valence":
		c.set = number(-1, 1, func(r *row, v float64) { r.valence, s.hasAny.affect = v, true })
	case lower == "arousal":
		c.set = number(-1, 1, func(r *row, v float64) { r.arousal, s.hasAny.affect = v, true })
	case isUnit:
		i := slices.Index(s.units, u) // -1: not of this network; its values are checked all the same
		c.set = number(0, 1, func(r *row, v float64) {
			if i >= 0 {
				r.units[i] = v
			}
		})
	case strings.HasPrefix(lower, "visible_"):
		var parts []string
		if v := card.Outputs.Visibility; v != nil {
			parts = v.Parts
		}
		i := slices.Index(parts, lower[len("visible_"):])
		if i < 0 {
			bad.add("%s:1: column %q: the network %s tells the visibility of: %s", s.path, name, card.Name, orNone(parts))
			return c
		}
		c.set = number(0, 1, func(r *row, v float64) { r.visible[i], s.hasAny.visibility = v, true })
	default:
		allowed := []string{"file", "group", "person", "part", "expression", "valence", "arousal"}
		bad.add("%s:1: unknown column %q%s: allowed are %s, AU1 to AU99, visible_PART", s.path, name, nearest(lower, allowed), strings.Join(allowed, ", "))
	}
	return c
}

func (s *labelSet) expressionSetter(card *affect.Card) func(*row, string) error {
	if card.Outputs.Expression == nil {
		return func(*row, string) error { s.hasAny.expression = true; return nil }
	}
	classes := card.Outputs.Expression.Classes
	return func(r *row, cell string) error {
		name := strings.ToLower(cell)
		if r.expression = slices.Index(classes, name); r.expression < 0 {
			return fmt.Errorf("%q%s: this network's expressions are %s", cell, nearest(name, classes), strings.Join(classes, ", "))
		}
		s.hasAny.expression = true
		return nil
	}
}

func number(low, high float64, set func(*row, float64)) func(*row, string) error {
	return func(r *row, cell string) error {
		v, err := strconv.ParseFloat(cell, 64)
		if err != nil || math.IsNaN(v) {
			return fmt.Errorf("%q: must be a number from %g to %g, or empty for not labelled", cell, low, high)
		}
		if v < low || v > high {
			return fmt.Errorf("%g: must be %g to %g, or empty for not labelled", v, low, high)
		}
		set(r, v)
		return nil
	}
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, ", ")
}

// nearest gives ` (did you mean "x"?)` for the allowed word nearest to got, or
// nothing where none is near.
func nearest(got string, allowed []string) string {
	if near := spelling.Nearest(got, allowed); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}
