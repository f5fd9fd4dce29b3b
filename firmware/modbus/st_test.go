package modbus_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// This file runs Structured Text (IEC 61131-3): as much of it as the function
// blocks in docs/plc need, so that the very files an integrator imports are
// what the tests try.

// stVar is a variable: a number (BOOL 0 or 1, TIME in nanoseconds), or parts.
type stVar struct {
	typ   string
	n     int64
	parts map[string]*stVar // of a structure, a function block or an array
	block *stBlock
	began time.Duration // of a TON: when IN became TRUE, negative while FALSE
}

// stBlock is a function block or a structure.
type stBlock struct {
	vars []stDecl
	body []stRun
}

type stDecl struct {
	name, typ string // typ may be "ARRAY 0 15 TON"
	init      int64
	section   string // VAR_INPUT, VAR_OUTPUT, VAR, STRUCT
}

type stRun func(f *stVar)
type stValue func(f *stVar) int64

// stProgram knows the types of some files, and the time.
type stProgram struct {
	blocks map[string]*stBlock
	arrays map[string]string // types that are arrays
	now    time.Duration
}

func stParse(sources ...string) (p *stProgram, err error) {
	p = &stProgram{blocks: map[string]*stBlock{}, arrays: map[string]string{}}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("structured text: %v", r)
		}
	}()
	for _, s := range sources {
		l := &stLexer{p: p, tokens: stTokens(s)}
		for l.peek() != "" {
			l.declaration()
		}
	}
	return p, nil
}

func stTokens(s string) (tokens []string) {
	for i := 0; i < len(s); {
		rest := s[i:]
		switch c := rune(s[i]); {
		case strings.HasPrefix(rest, "(*"):
			i += strings.Index(rest, "*)") + 2
		case unicode.IsSpace(c):
			i++
		case unicode.IsLetter(c) || unicode.IsDigit(c) || c == '_':
			n := 0
			for n < len(rest) && (unicode.IsLetter(rune(rest[n])) || unicode.IsDigit(rune(rest[n])) || rest[n] == '_' || rest[n] == '#') {
				n++
			}
			tokens = append(tokens, rest[:n])
			i += n
		default:
			n := 1
			for _, two := range []string{":=", "<>", "<=", ">=", ".."} {
				if strings.HasPrefix(rest, two) {
					n = 2
				}
			}
			tokens = append(tokens, rest[:n])
			i += n
		}
	}
	return tokens
}

type stLexer struct {
	p      *stProgram
	tokens []string
}

func (l *stLexer) peek() string {
	if len(l.tokens) == 0 {
		return ""
	}
	return l.tokens[0]
}

func (l *stLexer) next() string {
	t := l.peek()
	l.tokens = l.tokens[min(1, len(l.tokens)):]
	return t
}

func (l *stLexer) expect(want ...string) {
	for _, w := range want {
		if got := l.next(); got != w {
			panic(fmt.Sprintf("%q where %q should be, before %q", got, w, l.tokens[:min(8, len(l.tokens))]))
		}
	}
}

func (l *stLexer) accept(t string) bool {
	if l.peek() == t {
		l.next()
		return true
	}
	return false
}

func (l *stLexer) declaration() {
	b := new(stBlock)
	switch kind := l.next(); kind {
	case "TYPE":
		name := l.next()
		l.expect(":")
		if l.peek() == "ARRAY" {
			l.p.arrays[name] = l.typ()
			l.expect(";", "END_TYPE")
			return
		}
		l.expect("STRUCT")
		l.variables(b, "STRUCT", "END_STRUCT")
		l.expect(";", "END_TYPE")
		l.p.blocks[name] = b
	case "FUNCTION_BLOCK", "PROGRAM":
		name := l.next()
		for strings.HasPrefix(l.peek(), "VAR") {
			l.variables(b, l.next(), "END_VAR")
		}
		b.body = l.statements("END_" + kind)
		l.expect("END_" + kind)
		l.p.blocks[name] = b
	default:
		panic("cannot read " + kind)
	}
}

func (l *stLexer) variables(b *stBlock, section, end string) {
	for !l.accept(end) {
		d := stDecl{name: l.next(), section: section}
		l.expect(":")
		d.typ = l.typ()
		if l.accept(":=") {
			d.init = l.expression()(nil)
		}
		l.expect(";")
		b.vars = append(b.vars, d)
	}
}

// typ is a type's name, or "ARRAY 0 15 WORD".
func (l *stLexer) typ() string {
	typ := l.next()
	if array := l.p.arrays[typ]; array != "" {
		return array
	}
	if typ != "ARRAY" {
		return typ
	}
	l.expect("[")
	from := l.next()
	l.expect("..")
	to := l.next()
	l.expect("]", "OF")
	return "ARRAY " + from + " " + to + " " + l.next()
}

// make gives a variable of a type its start value.
func (p *stProgram) make(typ string, init int64) *stVar {
	v := &stVar{typ: typ, n: init, parts: map[string]*stVar{}, began: -1}
	if f := strings.Fields(typ); f[0] == "ARRAY" {
		from, _ := strconv.Atoi(f[1])
		to, _ := strconv.Atoi(f[2])
		for i := from; i <= to; i++ {
			v.parts[strconv.Itoa(i)] = p.make(f[3], 0)
		}
	} else if typ == "TON" {
		for name, t := range map[string]string{"IN": "BOOL", "PT": "TIME", "Q": "BOOL", "ET": "TIME"} {
			v.parts[name] = p.make(t, 0)
		}
	} else if typ == "FBD_TIMER" { // of Logix, in milliseconds
		for name, t := range map[string]string{"TimerEnable": "BOOL", "PRE": "DINT", "DN": "BOOL"} {
			v.parts[name] = p.make(t, 0)
		}
	} else if b := p.blocks[typ]; b != nil {
		v.block = b
		for _, d := range b.vars {
			v.parts[d.name] = p.make(d.typ, d.init)
		}
	}
	return v
}

// set assigns n as the variable's type holds it.
func (v *stVar) set(n int64) {
	switch v.typ {
	case "BOOL":
		n &= 1
	case "INT":
		n = int64(int16(n))
	case "UINT", "WORD":
		n = int64(uint16(n))
	case "UDINT", "DWORD":
		n = int64(uint32(n))
	case "DINT":
		n = int64(int32(n))
	case "TIME":
	default:
		panic("cannot assign to a " + v.typ)
	}
	v.n = n
}

// call runs a function block once.
func (p *stProgram) call(v *stVar) {
	if stMatiec != nil {
		stMatiec.call(p, v)
		return
	}
	in, pt, q, unit := "IN", "PT", "Q", time.Nanosecond
	switch v.typ {
	case "FBD_TIMER":
		in, pt, q, unit = "TimerEnable", "PRE", "DN", time.Millisecond
		fallthrough
	case "TON":
		if v.parts[in].n == 0 {
			v.began = -1
			v.parts[q].n = 0
			return
		}
		if v.began < 0 {
			v.began = p.now
		}
		v.parts[q].n = stBool(p.now-v.began >= time.Duration(v.parts[pt].n)*unit)
		return
	}
	for _, s := range v.block.body {
		s(v)
	}
}

func stBool(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (l *stLexer) statements(ends ...string) (all []stRun) {
	for {
		for _, end := range ends {
			if l.peek() == end {
				return all
			}
		}
		// In a CASE, a number begins the next branch.
		if t := l.peek(); t == "" || ends[0] == "END_CASE" && unicode.IsDigit(rune(t[0])) {
			return all
		}
		all = append(all, l.statement())
	}
}

func stAll(all []stRun, f *stVar) {
	for _, s := range all {
		s(f)
	}
}

func (l *stLexer) statement() stRun {
	switch l.peek() {
	case "IF":
		return l.conditional()
	case "CASE":
		return l.choice()
	case "FOR":
		l.next()
		name := l.next()
		l.expect(":=")
		from := l.expression()
		l.expect("TO")
		to := l.expression()
		l.expect("DO")
		body := l.statements("END_FOR")
		l.expect("END_FOR", ";")
		return func(f *stVar) {
			for i := from(f); i <= to(f); i++ {
				f.parts[name].set(i)
				stAll(body, f)
			}
		}
	}
	// In Logix an instruction is called with its instance.
	if t := l.peek(); t == "TONR" || l.p.blocks[t] != nil {
		l.next()
		l.expect("(")
		instance := l.reference()
		l.expect(")", ";")
		return func(f *stVar) {
			v := instance(f)
			if v.typ != t && v.typ != "FBD_TIMER" {
				panic(t + " of a " + v.typ)
			}
			l.p.call(v)
		}
	}
	target := l.reference()
	if l.accept("(") {
		type input struct {
			name  string
			value stValue
		}
		var inputs []input
		for !l.accept(")") {
			name := l.next()
			l.expect(":=")
			inputs = append(inputs, input{name, l.expression()})
			l.accept(",")
		}
		l.expect(";")
		return func(f *stVar) {
			v := target(f)
			for _, in := range inputs {
				v.parts[in.name].set(in.value(f))
			}
			l.p.call(v)
		}
	}
	l.expect(":=")
	value := l.expression()
	l.expect(";")
	return func(f *stVar) { target(f).set(value(f)) }
}

func (l *stLexer) conditional() stRun {
	type branch struct {
		when stValue
		then []stRun
	}
	var branches []branch
	for l.accept("IF") || l.accept("ELSIF") {
		when := l.expression()
		l.expect("THEN")
		branches = append(branches, branch{when, l.statements("ELSIF", "ELSE", "END_IF")})
	}
	var otherwise []stRun
	if l.accept("ELSE") {
		otherwise = l.statements("END_IF")
	}
	l.expect("END_IF", ";")
	return func(f *stVar) {
		for _, b := range branches {
			if b.when(f)&1 != 0 {
				stAll(b.then, f)
				return
			}
		}
		stAll(otherwise, f)
	}
}

func (l *stLexer) choice() stRun {
	l.expect("CASE")
	value := l.expression()
	l.expect("OF")
	branches := map[int64][]stRun{}
	for !l.accept("END_CASE") {
		var labels []int64
		for {
			n, err := strconv.ParseInt(l.next(), 10, 64)
			if err != nil {
				panic(err)
			}
			labels = append(labels, n)
			if !l.accept(",") {
				break
			}
		}
		l.expect(":")
		body := l.statements("END_CASE")
		for _, n := range labels {
			branches[n] = body
		}
	}
	l.expect(";")
	return func(f *stVar) { stAll(branches[value(f)], f) }
}

// reference is a variable: name, name[i], name.part, in any depth.
func (l *stLexer) reference() func(f *stVar) *stVar {
	name := l.next()
	get := func(f *stVar) *stVar {
		v := f.parts[name]
		if v == nil {
			panic("there is no " + name)
		}
		return v
	}
	for {
		inner := get
		switch {
		case l.accept("["):
			index := l.expression()
			l.expect("]")
			get = func(f *stVar) *stVar {
				v := inner(f).parts[strconv.FormatInt(index(f), 10)]
				if v == nil {
					panic(fmt.Sprintf("%s[%d] is outside the array", name, index(f)))
				}
				return v
			}
		case l.accept("."):
			part := l.next()
			get = func(f *stVar) *stVar {
				v := inner(f).parts[part]
				if v == nil {
					panic(fmt.Sprintf("%s has no %s", name, part))
				}
				return v
			}
		default:
			return get
		}
	}
}
