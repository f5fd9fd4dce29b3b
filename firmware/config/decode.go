package config

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"mien/spelling"
)

// decoder puts the values of a file into a Config, by the table of keys.
type decoder struct {
	*reader
}

func (d decoder) wrong(key Key, shown, format string, args ...any) *Problem {
	d.complain(d.places[shown], shown, format, args...)
	p := &d.problems[len(d.problems)-1]
	p.Allowed = key.Allowed()
	return p
}

// table fills a struct from a table. path is that of the key table, shown the
// one for messages, with numbers of blocks.
func (d decoder) table(path, shown string, table map[string]any, into reflect.Value) {
	names := make([]string, 0, len(table))
	for name := range table {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		p, s := join(path, name), join(shown, name)
		if field, ok := fieldOf(into, name); ok {
			d.value(p, s, table[name], field)
		} else {
			d.unknown(path, s, name, table[name], into.Type())
		}
	}
	if d.broken {
		return
	}
	for _, k := range reference {
		if _, ok := table[k.Name()]; !ok && k.Required && k.Section() == path {
			at := d.places[shown]
			d.problems = append(d.problems, Problem{File: d.file, Line: at.line, Column: at.column, Key: join(shown, k.Name()),
				Text: "is missing", Allowed: k.Allowed()})
		}
	}
}

func (d decoder) value(path, shown string, v any, into reflect.Value) {
	if key, ok := lookup(path); ok {
		d.leaf(key, shown, v, into)
		return
	}
	table, isTable := v.(map[string]any)
	if into.Kind() == reflect.Struct {
		if !isTable {
			d.complain(d.places[shown], shown, "is a section: write [%s] and its keys on the lines below", path)
			return
		}
		d.table(path, shown, table, into)
		return
	}
	list, isList := v.([]any)
	switch {
	case isTable:
		d.complain(d.places[shown], shown, "can stand more than once: write [[%s]] with two brackets", path)
	case !isList:
		d.complain(d.places[shown], shown, "is a list of blocks: write [[%s]] and its keys on the lines below", path)
	}
	for i, v := range list {
		s := item(shown, i+1)
		table, ok := v.(map[string]any)
		if !ok {
			d.complain(d.places[s], s, "is %s, not a block of keys", kindOf(v))
			continue
		}
		element := reflect.New(into.Type().Elem()).Elem()
		setDefaults(path, element)
		d.table(path, s, table, element)
		into.Set(reflect.Append(into, element))
	}
}

// kindOf says what a value of the file is.
func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "a text"
	case int64:
		return "a whole number"
	case float64:
		return "a number"
	case bool:
		return "true or false"
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return "a date"
}

func bracket(section string) string {
	if blocks[section] {
		return "[[" + section + "]]"
	}
	return "[" + section + "]"
}

// numeric gives a number of the file that a key can have.
func numeric(v any) (x float64, whole, ok bool) {
	switch n := v.(type) {
	case int64:
		return float64(n), true, n > -1<<53 && n < 1<<53
	case float64:
		return n, false, !math.IsNaN(n) && !math.IsInf(n, 0)
	}
	return 0, false, false
}

// leaf sets one key's value.
func (d decoder) leaf(k Key, shown string, v any, into reflect.Value) {
	text, isText := v.(string)
	x, whole, isNumber := numeric(v)
	fits := func(x float64) bool { return k.Max <= k.Min || x >= k.Min && x <= k.Max }
	written := d.places[shown].text
	switch k.Kind {
	case Text:
		if !isText {
			d.mistyped(k, shown, v)
		} else if c := utf8.RuneCountInString(text); !fits(float64(c)) {
			d.wrong(k, shown, "has %d characters", c)
		} else if i := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			d.unprintable(k, shown, text)
		} else {
			into.SetString(text)
		}
	case Integer, Number, OptionalNum, IntChoice:
		switch {
		case !isNumber || !whole && (k.Kind == Integer || k.Kind == IntChoice):
			d.mistyped(k, shown, v)
		case !fits(x), k.Kind == IntChoice && !slices.Contains(k.Choices, strconv.Itoa(int(x))):
			d.wrong(k, shown, "is %s", written)
		case k.Kind == Number:
			into.SetFloat(x)
		case k.Kind == OptionalNum:
			into.Set(reflect.ValueOf(&x))
		default:
			into.SetInt(int64(x))
		}
	case Boolean:
		if on, ok := v.(bool); ok {
			into.SetBool(on)
		} else {
			d.mistyped(k, shown, v)
		}
	case Duration:
		d.duration(k, shown, v, into)
	case Choice, Priority:
		if isNumber && whole && k.Kind == Priority {
			text = written
		} else if !isText {
			d.mistyped(k, shown, v)
			return
		}
		if into.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)) != nil {
			if why := absent[underscored(text)]; why != "" {
				d.wrong(k, shown, "is %q; %s", text, why)
				return
			}
			d.wrong(k, shown, "is %q", text).Nearest = nearestWord(text, k.words())
		}
	case LineName:
		if isNumber && whole && x >= 0 && x <= 65535 {
			text = strconv.Itoa(int(x))
		} else if !isText || text == "" || len(text) > 64 {
			d.mistyped(k, shown, v)
			return
		}
		into.SetString(text)
	case Names:
		d.names(k, shown, v, into)
	case Share4:
		d.share4(k, shown, v, into)
	case NamedInts:
		d.namedInts(k, shown, v, into)
	case Command:
		d.command(k, shown, v, into)
	}
}

// mistyped says that a value is of the wrong TOML type.
func (d decoder) mistyped(k Key, shown string, v any) {
	text, isText := v.(string)
	_, _, isNumber := numeric(v)
	written := d.places[shown].text
	_, isBool := v.(bool)
	switch {
	case isText && k.Kind != Text && unquoted(k, text) != "":
		d.wrong(k, shown, "is the text %q: write it without quotes, %s = %s", text, k.Name(), unquoted(k, text))
	case isText:
		d.wrong(k, shown, "is the text %q", text)
	case isNumber && k.Path == "camera.device":
		d.wrong(k, shown, "is the bare value %s", written).Nearest = "/dev/video" + written
	case isNumber, isBool:
		d.wrong(k, shown, "is the bare value %s", written)
	case kindOf(v) == "a number" || kindOf(v) == "a whole number":
		d.wrong(k, shown, "%s cannot be taken", written)
	default:
		d.wrong(k, shown, "is %s", kindOf(v))
	}
}

func (d decoder) duration(k Key, shown string, v any, into reflect.Value) {
	text, isText := v.(string)
	if x, _, ok := numeric(v); ok {
		unit := "s"
		if x > k.Max { // whoever writes 50 for a bounce means milliseconds
			unit = "ms"
		}
		d.wrong(k, shown, "is the bare value %s: write it with its unit, in quotes", d.places[shown].text).Nearest = number(x) + unit
		return
	}
	if !isText {
		d.mistyped(k, shown, v)
		return
	}
	t, err := time.ParseDuration(strings.ReplaceAll(text, " ", ""))
	switch s := t.Seconds(); {
	case err != nil:
		d.wrong(k, shown, "is %q", text).Nearest = nearestDuration(text)
	case s < k.Min || s > k.Max:
		d.wrong(k, shown, "is %s", text)
	default:
		into.SetInt(int64(t))
	}
}

func (d decoder) names(k Key, shown string, v any, into reflect.Value) {
	list, ok := v.([]any)
	if !ok {
		d.mistyped(k, shown, v)
		return
	}
	names := make([]string, 0, len(list))
	for i, v := range list {
		name, _ := v.(string)
		if name == "" {
			d.mistyped(k, item(shown, i+1), v)
			return
		}
		if slices.Contains(names, name) {
			d.complain(d.places[item(shown, i+1)], shown, "names %q twice", name)
			return
		}
		names = append(names, name)
	}
	into.Set(reflect.ValueOf(names))
}

func (d decoder) share4(k Key, shown string, v any, into reflect.Value) {
	list, _ := v.([]any)
	if len(list) != 4 {
		d.mistyped(k, shown, v)
		return
	}
	var four [4]float64
	for i, v := range list {
		x, _, ok := numeric(v)
		if !ok || x < k.Min || x > k.Max {
			d.mistyped(k, item(shown, i+1), v)
			return
		}
		four[i] = x
	}
	into.Set(reflect.ValueOf(four))
}

func (d decoder) namedInts(k Key, shown string, v any, into reflect.Value) {
	table, ok := v.(map[string]any)
	if !ok {
		d.mistyped(k, shown, v)
		return
	}
	named := make(map[string]int)
	for name, v := range table {
		x, whole, ok := numeric(v)
		switch at := join(shown, name); {
		case !controlName.MatchString(name):
			d.wrong(k, at, "is no name of a control: it has small letters, digits and _")
		case !ok || !whole || x < math.MinInt32 || x > math.MaxInt32:
			d.mistyped(k, at, v)
		}
		named[name] = int(x)
	}
	into.Set(reflect.ValueOf(named))
}

// The words of a command, and the characters of one.
const maxWords, maxWord = 128, 1024

func (d decoder) command(k Key, shown string, v any, into reflect.Value) {
	list, ok := v.([]any)
	if text, isText := v.(string); isText {
		d.wrong(k, shown, "is one text, and no shell takes it apart: write %s", apart(text))
		return
	}
	if !ok {
		d.mistyped(k, shown, v)
		return
	}
	if len(list) > maxWords {
		d.wrong(k, shown, "has %d words; at most %d", len(list), maxWords)
		return
	}
	words := make([]string, 0, len(list))
	for i, v := range list {
		at := item(shown, i+1)
		word, isText := v.(string)
		switch _, _, isNumber := numeric(v); {
		case isNumber:
			d.wrong(k, at, "is the bare value %s: write it in quotes, %q", d.places[at].text, d.places[at].text)
		case !isText:
			d.mistyped(k, at, v)
		case word == "" && i == 0:
			d.wrong(k, at, "is empty: the first word names the program")
		case utf8.RuneCountInString(word) > maxWord:
			d.wrong(k, at, "has %d characters; at most %d", utf8.RuneCountInString(word), maxWord)
		case strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsPrint(r) }):
			d.unprintable(k, at, word)
		}
		words = append(words, word)
	}
	into.Set(reflect.ValueOf(words))
}

var controlName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// fieldOf finds the field of a key by its tag.
func fieldOf(in reflect.Value, name string) (reflect.Value, bool) {
	for i := range in.NumField() {
		if tag := in.Type().Field(i).Tag.Get("toml"); tag != "" && tag == name {
			return in.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// keysOf lists the keys of a struct in order.
func keysOf(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("toml"); tag != "" {
			names = append(names, tag)
		}
	}
	return names
}

// unknown explains a key that does not exist, by its value too.
func (d decoder) unknown(path, shown, name string, v any, in reflect.Type) {
	names := keysOf(in)
	at := d.places[shown]
	p := Problem{File: d.file, Line: at.line, Column: at.column, Key: shown, Text: "there is no such key", Allowed: strings.Join(names, ", ")}
	if path == "" {
		p.Text = "there is no such section"
		if _, block := v.([]any); !block && kindOf(v) != "a table" {
			p.Text, p.Allowed = "stands outside a section", "keys behind the line of their section: "+strings.Join(names, ", ")
			names = nil
		}
	}
	meant := known(path, name)
	switch section, key, _ := strings.Cut(meant, " "); {
	case slices.Contains(names, underscored(name)):
		p.Nearest = underscored(name)
	case absent[path+"."+name] != "":
		p.Text += "; " + absent[path+"."+name]
	case absent[underscored(name)] != "":
		p.Text += "; " + absent[underscored(name)]
	case meant == "":
		p.Nearest = spelling.Nearest(underscored(name), names)
	case key == "":
		p.Nearest = section
	case section == path:
		p.Nearest = key
	default:
		p.Text += fmt.Sprintf("; it is called %s here, in %s", key, bracket(section))
	}
	if general := otherNames[underscored(name)]; p.Nearest == "" && meant == "" && (len(general) == 0 || general[0] != "") {
		var sections []string
		for _, k := range reference {
			if s := bracket(k.Section()); k.Name() == name && k.Section() != path && !strings.Contains(k.Section(), ".") && !slices.Contains(sections, s) {
				sections = append(sections, s)
			}
		}
		if len(sections) > 0 {
			p.Text += fmt.Sprintf("; %s belongs in %s", name, strings.Join(sections, " or "))
		}
	}
	d.problems = append(d.problems, p)
}
