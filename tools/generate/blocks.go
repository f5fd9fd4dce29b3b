package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"mien/firmware/modbus/export"
)

// The function blocks are written once, as the text of IEC 61131-3 in docs/plc;
// each maker's form of them is made of that text. The files keep a simple shape:
// one declaration a line, and no two blocks with the same name.

// declaration is a variable of a block or a member of a type.
type declaration struct{ name, typ, init, comment string }

// block is a data type, a function block or a program.
type block struct {
	kind, name, about      string // kind is TYPE, FUNCTION_BLOCK or PROGRAM
	inputs, outputs, local []declaration
	body                   string
}

var (
	declares = regexp.MustCompile(`^\s+(\w+) : ([^:;]+?)(?: := ([^;]+))?;\s*(?:\(\* (.*) \*\))?$`)
	array    = regexp.MustCompile(`^ARRAY\[0\.\.(\d+)\] OF (\w+)$`)
)

// source is a file that people write in docs/plc.
func source(file string) ([]byte, error) {
	dir, err := root()
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, "docs", "plc", file))
}

// sources are the texts of all blocks, each after what it needs.
func sources() (string, error) {
	var b bytes.Buffer
	for _, write := range []func(io.Writer) error{export.WriteStructuredTextTypes, export.WriteStructuredTextDecode} {
		if err := write(&b); err != nil {
			return "", err
		}
		b.WriteByte('\n')
	}
	for _, file := range []string{"fb_mien.st", "fb_mien_command.st", "fb_mien_give.st", "mien_main.st"} {
		text, err := source(file)
		if err != nil {
			return "", err
		}
		b.Write(text)
		b.WriteByte('\n')
	}
	return b.String(), nil
}

// blocks reads them.
func blocks() (all []block, err error) {
	text, err := sources()
	if err != nil {
		return nil, err
	}
	var b *block
	var into *[]declaration
	var about strings.Builder
	remark := false
	alias := map[string]string{} // names of types that are arrays
	for _, line := range strings.Split(text, "\n") {
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case b == nil && (remark || strings.HasPrefix(line, "(*")):
			if !remark {
				about.Reset()
			}
			remark = !strings.HasSuffix(line, "*)")
			about.WriteString(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "(* "), " *)") + "\n")
		case b == nil && word == "TYPE" && strings.Contains(rest, " : "):
			name, typ, _ := strings.Cut(strings.TrimSuffix(rest, ";"), " : ")
			alias[name] = typ
		case b == nil && (word == "TYPE" || word == "FUNCTION_BLOCK" || word == "PROGRAM"):
			b = &block{kind: word, name: strings.TrimSuffix(rest, " :"), about: strings.TrimSpace(about.String())}
		case b == nil:
		case line == "STRUCT" || line == "VAR":
			into = &b.local
		case line == "VAR_INPUT":
			into = &b.inputs
		case line == "VAR_OUTPUT":
			into = &b.outputs
		case line == "END_VAR" || line == "END_STRUCT;":
			into = nil
		case line == "END_"+b.kind:
			b.body = strings.Trim(b.body, "\n") + "\n"
			all, b = append(all, *b), nil
		case into != nil:
			m := declares.FindStringSubmatch(line)
			if m == nil {
				return nil, fmt.Errorf("%s: no declaration: %q", b.name, line)
			}
			if typ := alias[m[2]]; typ != "" {
				m[2] = typ
			}
			*into = append(*into, declaration{m[1], m[2], m[3], m[4]})
		default:
			b.body += line + "\n"
		}
	}
	if b != nil {
		return nil, fmt.Errorf("%s has no end", b.name)
	}
	return all, nil
}

// functionBlocks are those of a kind, programs not among them.
func functionBlocks(kind string) (some []block, err error) {
	all, err := blocks()
	for _, b := range all {
		if b.kind == kind {
			some = append(some, b)
		}
	}
	return some, err
}

// elements splits an array's type into its element's and how many there are; 0
// of them where it is no array.
func elements(typ string) (element string, n int) {
	if m := array.FindStringSubmatch(typ); m != nil {
		fmt.Sscan(m[1], &n)
		return m[2], n + 1
	}
	return typ, 0
}

// outside calls f with each part of a text that is not in a remark.
func outside(text string, f func(code string) string) string {
	var b strings.Builder
	for {
		code, rest, found := strings.Cut(text, "(*")
		b.WriteString(f(code))
		if !found {
			return b.String()
		}
		remark, after, _ := strings.Cut(rest, "*)")
		b.WriteString("(*" + remark + "*)")
		text = after
	}
}

var called = regexp.MustCompile(`\b([A-Za-z_]\w*)\(`)

// calls writes each call name(arguments), the inner ones first, as f says; f
// returns "" for what stays.
func calls(code string, f func(name string, arguments []string) string) string {
	var b strings.Builder
	for {
		at := called.FindStringSubmatchIndex(code)
		if at == nil {
			b.WriteString(code)
			return b.String()
		}
		name, end, depth, from := code[at[2]:at[3]], at[1], 1, at[1]
		var arguments []string
		for ; depth > 0; end++ {
			switch c := code[end]; {
			case c == '(':
				depth++
			case c == ')':
				depth--
			}
			if depth == 0 || depth == 1 && code[end] == ',' {
				arguments = append(arguments, calls(strings.TrimSpace(code[from:end]), f))
				from = end + 1
			}
		}
		b.WriteString(code[:at[0]])
		if s := f(name, arguments); s != "" {
			b.WriteString(s)
		} else {
			b.WriteString(name + "(" + strings.Join(arguments, ", ") + ")")
		}
		code = code[end:]
	}
}

var names = regexp.MustCompile(`(^|[^\w.#])([A-Za-z_]\w*)`)

const notTried = "No PLC of this maker was at hand: docs/plc.md tells what read it instead."
