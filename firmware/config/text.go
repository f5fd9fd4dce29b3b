package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"mien/firmware/alarm"
)

// blocks are the sections that stand once for each thing they describe.
var blocks = map[string]bool{"alarm": true, "output": true, "input": true}

// sectionKeys lists the keys of one section.
func sectionKeys(section string) []Key {
	var keys []Key
	for _, k := range reference {
		if k.Section() == section {
			keys = append(keys, k)
		}
	}
	return keys
}

// Example is a config file with every key, commented: each key is commented
// out and shows its default, or an example where there is none.
func Example() string {
	var b strings.Builder
	b.WriteString(`# Config of mien, in TOML. Every key is here with its default; take away the # in front of
# what you change. Check a file with: mien check FILE. What it means: mien explain FILE.
`)
	for _, s := range sections {
		if strings.Contains(s.Name, ".") && blocks[s.Name[:strings.IndexByte(s.Name, '.')]] {
			continue // conditions stand in their alarm
		}
		b.WriteByte('\n')
		wrap(&b, "# ", s.Meaning)
		if blocks[s.Name] {
			fmt.Fprintf(&b, "#[[%s]]\n", s.Name)
		} else {
			fmt.Fprintf(&b, "[%s]\n", s.Name)
		}
		for _, k := range sectionKeys(s.Name) {
			wrap(&b, "# ", k.remark())
			if v := k.shown(); v != "" {
				fmt.Fprintf(&b, "#%s = %s\n", k.Name(), v)
			}
		}
		if s.Name == "alarm" {
			b.WriteString(`
# Two conditions at once; any in place of all: one of them is enough.
#[[alarm]]
#name = "eyes closed, head down"
#all = [{signal = "eyes_closed", high = 0.8}, {signal = "visible.mouth", low = 0.3, deadband = 0.1}]
#on_delay = "2s"
#priority = "critical"
#latch = true
`)
		}
	}
	return b.String()
}

// shown is the value of a key in the example file; "" for a key that only
// prose can show.
func (k Key) shown() string {
	if k.Default != "" && !k.exampleOnly() {
		return k.Default
	}
	return k.Example
}

// exampleOnly: a default that makes no sense beside the other keys of an
// example block.
func (k Key) exampleOnly() bool { return k.Path == "alarm.signal" }

// remark is a key's meaning with what is allowed.
func (k Key) remark() string {
	name, text := k.Name(), k.Meaning
	if b := k.bounds(); b != "" {
		text += " " + b
	}
	if k.Default != "" && k.Example != "" && !k.exampleOnly() {
		text += " Example: " + k.Example + "."
	}
	if k.shown() == "" {
		return name + ": " + text
	}
	return text
}

// wrap writes text in lines of at most 110 characters.
func wrap(b *strings.Builder, prefix, text string) {
	line := prefix
	for _, word := range strings.Fields(text) {
		if len(line)+len(word) > 110 {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = prefix
		}
		line += word + " "
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}

// Setting is one key as it is in force.
type Setting struct {
	Key   Key
	Path  string // with numbers of blocks: "alarm[1].high"
	Value string // as it would stand in the file; "" when there is none
	Line  int    // of the file that sets it; 0: the default
}

// Settings lists every key that is in force, in the order of Reference, block
// by block.
func (c *Config) Settings() []Setting {
	var list []Setting
	c.walk("", "", reflect.ValueOf(c).Elem(), &list)
	return list
}

// walk lists the keys of a struct, its own before those of blocks in it.
func (c *Config) walk(path, shown string, in reflect.Value, list *[]Setting) {
	for _, nested := range []bool{false, true} {
		for i := range in.NumField() {
			tag := in.Type().Field(i).Tag.Get("toml")
			if tag == "" {
				continue
			}
			p, s, field := join(path, tag), join(shown, tag), in.Field(i)
			key, leaf := lookup(p)
			switch {
			case leaf == nested:
			case leaf:
				*list = append(*list, Setting{key, s, valueText(key, field), c.set[s].line})
			case field.Kind() == reflect.Struct:
				c.walk(p, s, field, list)
			default:
				for n := range field.Len() {
					c.walk(p, fmt.Sprintf("%s[%d]", s, n+1), field.Index(n), list)
				}
			}
		}
	}
}

// valueText writes a value as it would stand in the file.
func valueText(k Key, v reflect.Value) string {
	if s, ok := v.Interface().(fmt.Stringer); ok && k.Kind == Choice {
		return quoted(s.String())
	} else if v.Kind() == reflect.String {
		return quoted(v.String())
	}
	switch x := v.Interface().(type) {
	case int:
		return strconv.Itoa(x)
	case float64:
		return number(x)
	case bool:
		return strconv.FormatBool(x)
	case time.Duration:
		return quoted(alarm.Time(x))
	case *float64:
		if x == nil {
			return ""
		}
		return number(*x)
	case alarm.Priority:
		return quoted(x.String())
	case []string:
		list := make([]string, len(x))
		for i := range x {
			list[i] = quoted(x[i])
		}
		return "[" + strings.Join(list, ", ") + "]"
	case map[string]int:
		var list []string
		for _, name := range slices.Sorted(maps.Keys(x)) {
			list = append(list, fmt.Sprintf("%s = %d", name, x[name]))
		}
		return "{" + strings.Join(list, ", ") + "}"
	case [4]float64:
		return fmt.Sprintf("[%s, %s, %s, %s]", number(x[0]), number(x[1]), number(x[2]), number(x[3]))
	}
	panic("config: no text for " + k.Path) // a test writes them all
}

// quoted writes a printable text as a TOML basic string.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// Change is one difference between two configs.
type Change struct {
	Path     string // "camera.width"; "alarm[brow lowered].high": blocks by name
	Old, New string // as they would stand in a file; "" on the side that lacks the key
	Takes    Effect
}

// String says what changes and what that takes.
func (c Change) String() string {
	or := func(s string) string {
		if s == "" {
			return "nothing"
		}
		return s
	}
	return fmt.Sprintf("%s: %s -> %s, %s", c.Path, or(c.Old), or(c.New), c.Takes)
}

// Changes lists what differs between the config in force and another, with
// what a running unit must do to take it over.
func Changes(old, now *Config) []Change {
	before, order := byName(old)
	after, more := byName(now)
	var list []Change
	for _, p := range order {
		if b, a := before[p], after[p]; b.Value != a.Value {
			list = append(list, Change{p, b.Value, a.Value, b.Key.Takes})
		}
	}
	for _, p := range more {
		if _, ok := before[p]; !ok && after[p].Value != "" {
			list = append(list, Change{p, "", after[p].Value, after[p].Key.Takes})
		}
	}
	return list
}

// byName gives the settings by path, blocks by the name that they have.
func byName(c *Config) (map[string]Setting, []string) {
	names := make(map[string]string)
	settings := c.Settings()
	for _, s := range settings {
		if s.Key.Name() == "name" && blocks[s.Key.Section()] {
			names[strings.TrimSuffix(s.Path, ".name")] = s.Key.Section() + "[" + strings.Trim(s.Value, `"`) + "]"
		}
	}
	m := make(map[string]Setting, len(settings))
	var order []string
	for _, s := range settings {
		p := s.Path
		if i := strings.IndexByte(p, ']'); i >= 0 {
			p = names[p[:i+1]] + p[i+1:]
		}
		m[p] = s
		order = append(order, p)
	}
	return m, order
}
