package main

import (
	"slices"
	"testing"
)

func TestFold(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  []string
	}{
		{"n neutral, q end", 80, []string{"n neutral, q end"}},
		{"n neutral, q end", 10, []string{"n neutral,", "q end"}},
		{"at /a/longer/path now", 5, []string{"at", "/a/longer/path", "now"}},
		{"", 80, []string{""}},
	} {
		if got := fold(c.text, c.width); !slices.Equal(got, c.want) {
			t.Errorf("%q in %d columns: %q, want %q", c.text, c.width, got, c.want)
		}
	}
}
