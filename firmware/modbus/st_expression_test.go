package modbus_test

import (
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Operators from the weakest to the strongest (IEC 61131-3, table 55).
var stOperators = [][]string{{"OR"}, {"XOR"}, {"AND"}, {"=", "<>"}, {"<", ">", "<=", ">="}, {"+", "-"}, {"*", "/"}}

func (l *stLexer) expression() stValue { return l.binary(0) }

func (l *stLexer) binary(level int) stValue {
	if level == len(stOperators) {
		return l.unary()
	}
	left := l.binary(level + 1)
	for {
		operator := ""
		for _, o := range stOperators[level] {
			if l.peek() == o {
				operator = l.next()
			}
		}
		if operator == "" {
			return left
		}
		a, b := left, l.binary(level+1)
		left = func(f *stVar) int64 {
			x, y := a(f), b(f)
			switch operator {
			case "OR":
				return x | y
			case "XOR":
				return x ^ y
			case "AND":
				return x & y
			case "=":
				return stBool(x == y)
			case "<>":
				return stBool(x != y)
			case "<":
				return stBool(x < y)
			case ">":
				return stBool(x > y)
			case "<=":
				return stBool(x <= y)
			case ">=":
				return stBool(x >= y)
			case "+":
				return x + y
			case "-":
				return x - y
			}
			if operator == "/" {
				return x / y
			}
			return x * y
		}
	}
}

func (l *stLexer) unary() stValue {
	switch t := l.peek(); {
	case l.accept("NOT"):
		// The bits that a WORD holds and the one that a BOOL holds are all that
		// counts of it: AND or an assignment cuts the others off. A condition
		// that is nothing but NOT of something would see them, so that the
		// lowest alone decides there.
		of := l.unary()
		return func(f *stVar) int64 { return ^of(f) }
	case l.accept("("):
		inner := l.expression()
		l.expect(")")
		return inner
	case t == "TRUE" || t == "FALSE":
		l.next()
		return func(*stVar) int64 { return stBool(t == "TRUE") }
	case strings.HasPrefix(t, "T#"):
		d, err := time.ParseDuration(l.next()[2:])
		if err != nil {
			panic(err)
		}
		return func(*stVar) int64 { return int64(d) }
	case l.accept("-"):
		of := l.unary()
		return func(f *stVar) int64 { return -of(f) }
	case unicode.IsDigit(rune(t[0])) || strings.HasPrefix(t, "WORD#") || strings.HasPrefix(t, "DWORD#"):
		l.next()
		digits, base := strings.TrimPrefix(strings.TrimPrefix(t, "D"), "WORD#"), 10
		if hex, ok := strings.CutPrefix(digits, "16#"); ok {
			digits, base = hex, 16
		}
		n, err := strconv.ParseInt(digits, base, 64)
		if err != nil {
			panic(err)
		}
		return func(*stVar) int64 { return n }
	case len(l.tokens) > 1 && l.tokens[1] == "(":
		return l.function()
	}
	get := l.reference()
	return func(f *stVar) int64 { return get(f).n }
}

func (l *stLexer) function() stValue {
	name := l.next()
	l.expect("(")
	var args []stValue
	for !l.accept(")") {
		if len(l.tokens) > 1 && l.tokens[1] == ":=" { // SHL(IN := x, N := 16)
			if want := [...]string{"IN", "N"}[len(args)]; l.peek() != want {
				panic(name + " has no " + l.peek())
			}
			l.next()
			l.next()
		}
		args = append(args, l.expression())
		l.accept(",")
	}
	return func(f *stVar) int64 {
		x := args[0](f)
		switch name {
		case "SHL":
			return x << args[1](f)
		case "SHR":
			return x >> args[1](f)
		case "DWORD_TO_WORD":
			return x & 0xFFFF
		case "WORD_TO_INT":
			return int64(int16(x))
		case "WORD_TO_UINT", "WORD_TO_DWORD", "DWORD_TO_UDINT", "UDINT_TO_DWORD", "UINT_TO_WORD":
			return x
		}
		panic("there is no function " + name)
	}
}
