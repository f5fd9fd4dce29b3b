package config

import (
	"fmt"
	"sort"
	"strings"
)

// String gives the problem as one line: file, line, key, what is wrong, what
// is allowed, and the nearest right spelling.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	if p.Warning {
		b.WriteString("warning: ")
	}
	if p.Key != "" {
		fmt.Fprintf(&b, "%s: ", p.Key)
	}
	b.WriteString(p.Text)
	if p.Nearest != "" {
		fmt.Fprintf(&b, "; did you mean %q?", p.Nearest)
	}
	switch {
	case p.Allowed != "" && p.Nearest != "":
		fmt.Fprintf(&b, " Allowed: %s", p.Allowed)
	case p.Allowed != "":
		fmt.Fprintf(&b, "; allowed: %s", p.Allowed)
	}
	return b.String()
}

// KeyError is what is wrong with what a key names, such as a file.
type KeyError struct {
	Key string // "model.card"
	Err error
}

func (e KeyError) Error() string { return e.Key + ": " + e.Err.Error() }
func (e KeyError) Unwrap() error { return e.Err }

// Problem gives the error its place in the config's file.
func (cfg *Config) Problem(e KeyError) Problem {
	c := &checker{Config: cfg}
	return *c.wrong(e.Key, "", "%v", e.Err)
}

// Error lists all problems, a line each.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// Errors are those for which the file is refused.
func (p Problems) Errors() Problems { return p.filter(false) }

// Warnings are those with which it is taken all the same.
func (p Problems) Warnings() Problems { return p.filter(true) }

func (p Problems) filter(warning bool) Problems {
	var kept Problems
	for _, problem := range p {
		if problem.Warning == warning {
			kept = append(kept, problem)
		}
	}
	return kept
}

// Err is nil when there are only warnings, otherwise the errors.
func (p Problems) Err() error {
	if errs := p.Errors(); len(errs) > 0 {
		return errs
	}
	return nil
}

func (p Problems) sort() {
	sort.SliceStable(p, func(i, j int) bool {
		if p[i].Line != p[j].Line {
			return p[i].Line < p[j].Line
		}
		return p[i].Column < p[j].Column
	})
}
