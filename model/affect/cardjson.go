package affect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strings"

	"mien/spelling"
)

// ParseCard reads a model card and checks it whole; name stands for the file in
// errors. Unknown keys, double keys, wrong types and values outside what is
// allowed are errors that name the file, the key and the way out.
func ParseCard(name string, text []byte) (*Card, error) {
	if err := checkKeys(name, text); err != nil {
		return nil, err
	}
	card := &Card{path: name}
	if err := json.Unmarshal(text, card); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return nil, fmt.Errorf("%s:%d: %s: a JSON %s stands where %s belongs", name, line(text, wrong.Offset), wrong.Field, wrong.Value, kindName(wrong.Type))
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := card.validate(); err != nil {
		return nil, err
	}
	return card, nil
}

// maxDepth of objects and lists in each other.
const maxDepth = 32

// place is where a value stands in a card. Its name is made for errors alone: one
// for each value would take the square of a hostile card's size.
type place struct {
	up    *place
	key   string
	index int // in a list; key is empty then
	depth int
}

func (p *place) String() string {
	switch {
	case p.up == nil:
		return ""
	case p.key == "":
		return fmt.Sprintf("%s[%d]", p.up, p.index)
	}
	return strings.TrimPrefix(p.up.String()+"."+p.key, ".")
}

// keyWalk goes through a JSON text beside the type it is meant for, because
// encoding/json takes unknown keys silently or refuses them without a place,
// and takes the last of two equal keys.
type keyWalk struct {
	name string
	text []byte
	dec  *json.Decoder
}

func checkKeys(name string, text []byte) error {
	w := &keyWalk{name: name, text: text, dec: json.NewDecoder(bytes.NewReader(text))}
	tok, err := w.next()
	if err != nil {
		return err
	}
	if tok != json.Delim('{') {
		return w.errorf("a model card is a JSON object: it begins with {")
	}
	if err := w.object(&place{}, reflect.TypeFor[Card]()); err != nil {
		return err
	}
	if _, err := w.dec.Token(); !errors.Is(err, io.EOF) {
		return w.errorf("there is more after the end of the card")
	}
	return nil
}

func (w *keyWalk) errorf(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", w.name, line(w.text, w.dec.InputOffset()), fmt.Sprintf(format, args...))
}

func (w *keyWalk) next() (json.Token, error) {
	tok, err := w.dec.Token()
	if err == nil {
		return tok, nil
	}
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return nil, fmt.Errorf("%s:%d: not valid JSON: %w", w.name, line(w.text, syntax.Offset), err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("%s:%d: the file ends in the middle: it is cut short", w.name, line(w.text, int64(len(w.text))))
	}
	return nil, fmt.Errorf("%s: %w", w.name, err)
}

// object reads to the closing brace; t is nil where any key may stand.
func (w *keyWalk) object(path *place, t reflect.Type) error {
	fields := jsonFields(t)
	seen := map[string]bool{}
	for {
		tok, err := w.next()
		if err != nil {
			return err
		}
		if tok == json.Delim('}') {
			return nil
		}
		key := tok.(string) // the decoder takes nothing else before a colon
		at := &place{up: path, key: key, depth: path.depth + 1}
		if seen[key] {
			return w.errorf("%s: is there twice", at)
		}
		seen[key] = true
		inner, known := fields[key]
		if fields != nil && !known {
			allowed := slices.Sorted(mapKeys(fields))
			return w.errorf("%s: unknown key%s: allowed are %s", at, suggest(key, allowed), strings.Join(allowed, ", "))
		}
		if t != nil && t.Kind() == reflect.Map {
			inner = t.Elem()
		}
		if err := w.value(at, inner); err != nil {
			return err
		}
	}
}

func (w *keyWalk) value(path *place, t reflect.Type) error {
	if path.depth > maxDepth {
		return w.errorf("objects and lists stand in each other more than %d deep", maxDepth)
	}
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	tok, err := w.next()
	if err != nil {
		return err
	}
	switch tok {
	case nil:
		// A null list stands only for an output that the known answer leaves out.
		if t != nil && t.Kind() != reflect.Slice {
			return w.errorf("%s: is null: leave the key out instead", path)
		}
	case json.Delim('{'):
		return w.object(path, t)
	case json.Delim('['):
		var elem reflect.Type
		if t != nil && t != reflect.TypeFor[json.RawMessage]() && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
			elem = t.Elem()
		}
		n := 0
		for ; w.dec.More(); n++ {
			if err := w.value(&place{up: path, index: n, depth: path.depth + 1}, elem); err != nil {
				return err
			}
		}
		if _, err := w.next(); err != nil {
			return err
		}
		if t != nil && t.Kind() == reflect.Array && n != t.Len() {
			return w.errorf("%s: %d values: must be %d", path, n, t.Len())
		}
	}
	return nil
}

// jsonFields lists a struct's keys; nil for anything else.
func jsonFields(t reflect.Type) map[string]reflect.Type {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	fields := map[string]reflect.Type{}
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("json"); tag != "" {
			fields[tag] = t.Field(i).Type
		}
	}
	return fields
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Float32:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "a list"
	default:
		return "an object"
	}
}

// line is the number of the line, from 1, that holds the byte before offset.
func line(text []byte, offset int64) int {
	n := min(max(int(offset)-1, 0), len(text))
	return 1 + bytes.Count(text[:n], []byte("\n"))
}

func mapKeys[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }

// suggest gives ` (did you mean "x"?)` for the allowed word nearest to got, or
// nothing where none is near.
func suggest(got string, allowed []string) string {
	if near := spelling.Nearest(got, allowed); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}
