package config

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"mien/firmware/alarm"
)

// decoder turns the tree of a file into a Config, by the table of keys.
type decoder struct {
	*grower
	set map[string]place
}

func (d *decoder) wrong(n *node, key Key, shown, format string, args ...any) {
	d.problems = append(d.problems, Problem{File: d.file, Line: n.at.line, Column: n.at.column, Key: shown,
		Text: fmt.Sprintf(format, args...), Allowed: key.Allowed()})
}

// table fills a struct from a table. path is that of the key table, shown the
// one for messages, with numbers of blocks.
func (d *decoder) table(path, shown string, n *node, into reflect.Value) {
	for _, m := range n.table {
		p, s := join(path, m.name), join(shown, m.name)
		field, ok := fieldOf(into, m.name)
		if !ok {
			d.unknown(path, s, m, into.Type())
			continue
		}
		d.set[s] = m.at
		d.value(p, s, m.value, field)
	}
	if d.broken {
		return
	}
	for _, k := range reference {
		if k.Required && k.Section() == path && n.get(k.Name()) == nil {
			d.problems = append(d.problems, Problem{File: d.file, Line: n.at.line, Column: n.at.column, Key: join(shown, k.Name()),
				Text: "is missing", Allowed: k.Allowed()})
		}
	}
}

func (d *decoder) value(path, shown string, n *node, into reflect.Value) {
	if key, ok := lookup(path); ok {
		d.leaf(key, shown, n, into)
		return
	}
	if into.Kind() == reflect.Struct {
		if n.form != isTable {
			d.complain(n.at, shown, "is a section: write [%s] and its keys on the lines below", path)
			return
		}
		d.table(path, shown, n, into)
		return
	}
	// A list of blocks.
	if n.form == isTable {
		d.complain(n.at, shown, "can stand more than once: write [[%s]] with two brackets", path)
		return
	}
	if n.form != isList {
		d.complain(n.at, shown, "is a list of blocks: write [[%s]] and its keys on the lines below", path)
		return
	}
	for i, item := range n.list {
		s := fmt.Sprintf("%s[%d]", shown, i+1)
		if item.form != isTable {
			d.complain(item.at, s, "is %s, not a block of keys", formNames[item.form])
			continue
		}
		d.set[s] = item.at
		element := reflect.New(into.Type().Elem()).Elem()
		setDefaults(path, element)
		d.table(path, s, item, element)
		into.Set(reflect.Append(into, element))
	}
}

// unknown explains a key that does not exist.
func (d *decoder) unknown(path, shown string, m member, in reflect.Type) {
	names := keysOf(in)
	p := Problem{File: d.file, Line: m.at.line, Column: m.at.column, Key: shown, Nearest: Nearest(m.name, names)}
	p.Text = "there is no such key"
	if path == "" {
		p.Text = "there is no such section"
	}
	if p.Nearest == "" {
		for _, k := range reference {
			if k.Name() == m.name && k.Section() != path {
				p.Text += fmt.Sprintf("; %s belongs in %s", m.name, bracket(k.Section()))
				break
			}
		}
	}
	p.Allowed = strings.Join(names, ", ")
	d.problems = append(d.problems, p)
}

func bracket(section string) string {
	switch section {
	case "alarm", "output", "input":
		return "[[" + section + "]]"
	}
	return "[" + section + "]"
}

// leaf sets one key's value.
func (d *decoder) leaf(k Key, shown string, n *node, into reflect.Value) {
	text, number, ok := n.text, 0.0, true
	switch n.form {
	case isInteger:
		i, err := strconv.ParseInt(strings.ReplaceAll(n.text, "_", ""), 0, 64)
		number, ok = float64(i), err == nil && i > -1<<53 && i < 1<<53
	case isFloat:
		f, err := strconv.ParseFloat(strings.ReplaceAll(n.text, "_", ""), 64)
		number, ok = f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	}
	if !ok {
		d.wrong(n, k, shown, "%s cannot be taken", n.text)
		return
	}
	isNumber := n.form == isInteger || n.form == isFloat
	fits := func(x float64) bool { return k.Max <= k.Min || x >= k.Min && x <= k.Max }
	switch k.Kind {
	case Text:
		if n.form != isText {
			d.mistyped(n, k, shown)
		} else if c := utf8.RuneCountInString(text); !fits(float64(c)) {
			d.wrong(n, k, shown, "has %d characters", c)
		} else if i := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			d.wrong(n, k, shown, "has a character that cannot be printed")
		} else {
			into.SetString(text)
		}
	case Integer, Number, OptionalNum:
		switch {
		case !isNumber || k.Kind == Integer && n.form != isInteger:
			d.mistyped(n, k, shown)
		case !fits(number):
			d.wrong(n, k, shown, "is %s", n.text)
		case k.Kind == Integer:
			into.SetInt(int64(number))
		case k.Kind == Number:
			into.SetFloat(number)
		default:
			into.Set(reflect.ValueOf(&number))
		}
	case Boolean:
		if n.form != isBool {
			d.mistyped(n, k, shown)
			return
		}
		into.SetBool(text == "true")
	case Duration:
		d.duration(k, shown, n, into)
	case Choice:
		d.choice(k, shown, n, into)
	case IntChoice:
		if n.form != isInteger {
			d.mistyped(n, k, shown)
			return
		}
		if position(k.Choices, strconv.Itoa(int(number))) < 0 {
			d.wrong(n, k, shown, "is %s", n.text)
			return
		}
		into.SetInt(int64(number))
	case Priority:
		var p alarm.Priority
		if n.form != isText && n.form != isInteger {
			d.mistyped(n, k, shown)
		} else if p.UnmarshalText([]byte(text)) != nil {
			d.wrong(n, k, shown, "is %q", text)
			d.problems[len(d.problems)-1].Nearest = Nearest(text, []string{"critical", "high", "medium", "low"})
		} else {
			into.Set(reflect.ValueOf(p))
		}
	case LineName:
		if n.form != isText && n.form != isInteger || text == "" || n.form == isInteger && (number < 0 || number > 65535) || len(text) > 64 {
			d.mistyped(n, k, shown)
			return
		}
		if n.form == isInteger {
			text = strconv.Itoa(int(number))
		}
		into.SetString(text)
	case Names:
		d.names(k, shown, n, into)
	case Share4:
		d.share4(k, shown, n, into)
	}
}

func (d *decoder) mistyped(n *node, k Key, shown string) {
	what := formNames[n.form]
	if n.form == isText {
		what = fmt.Sprintf("the text %q", n.text)
	} else if n.form == isInteger || n.form == isFloat || n.form == isBool {
		what = "the bare value " + n.text
	}
	d.wrong(n, k, shown, "is %s", what)
}

func (d *decoder) duration(k Key, shown string, n *node, into reflect.Value) {
	if n.form == isInteger || n.form == isFloat {
		d.wrong(n, k, shown, "is the bare value %s: write it with its unit, in quotes", n.text)
		d.problems[len(d.problems)-1].Nearest = n.text + "s"
		return
	}
	if n.form != isText {
		d.mistyped(n, k, shown)
		return
	}
	t, err := time.ParseDuration(strings.ReplaceAll(n.text, " ", ""))
	if err != nil {
		d.wrong(n, k, shown, "is %q", n.text)
		return
	}
	if s := t.Seconds(); s < k.Min || s > k.Max {
		d.wrong(n, k, shown, "is %s", n.text)
		return
	}
	into.SetInt(int64(t))
}

func (d *decoder) choice(k Key, shown string, n *node, into reflect.Value) {
	if n.form != isText {
		d.mistyped(n, k, shown)
		return
	}
	if position(k.Choices, n.text) >= 0 && n.text != "alarm:NAME" {
		into.SetString(n.text)
		return
	}
	if k.Path == "output.function" && strings.HasPrefix(n.text, "alarm:") && len(n.text) > len("alarm:") {
		into.SetString(n.text) // whether that alarm exists is looked at later
		return
	}
	d.wrong(n, k, shown, "is %q", n.text)
	d.problems[len(d.problems)-1].Nearest = Nearest(n.text, k.Choices)
}

func (d *decoder) names(k Key, shown string, n *node, into reflect.Value) {
	if n.form != isList {
		d.mistyped(n, k, shown)
		return
	}
	list := make([]string, 0, len(n.list))
	for i, item := range n.list {
		if item.form != isText || item.text == "" {
			d.mistyped(item, k, fmt.Sprintf("%s[%d]", shown, i+1))
			return
		}
		if position(list, item.text) >= 0 {
			d.complain(item.at, shown, "names %q twice", item.text)
			return
		}
		d.set[fmt.Sprintf("%s[%d]", shown, i+1)] = item.at
		list = append(list, item.text)
	}
	into.Set(reflect.ValueOf(list))
}

func (d *decoder) share4(k Key, shown string, n *node, into reflect.Value) {
	if n.form != isList || len(n.list) != 4 {
		d.mistyped(n, k, shown)
		return
	}
	var four [4]float64
	for i, item := range n.list {
		f, err := strconv.ParseFloat(strings.ReplaceAll(item.text, "_", ""), 64)
		if (item.form != isFloat && item.form != isInteger) || err != nil || !(f >= k.Min && f <= k.Max) {
			d.mistyped(item, k, fmt.Sprintf("%s[%d]", shown, i+1))
			return
		}
		four[i] = f
	}
	into.Set(reflect.ValueOf(four))
}

func position(list []string, s string) int {
	for i := range list {
		if list[i] == s {
			return i
		}
	}
	return -1
}

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
