package spelling

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	list := []string{"width", "height", "format", "fps"}
	for word, want := range map[string]string{"widht": "width", "hieght": "height", "WIDTH": "width", "fromat": "format", "fp": "fps", "zzz": "", "": "", "w": ""} {
		if got := Nearest(word, list); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		n    int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"kitten", "sitting", 3}, {"ü", "u", 1}, {strings.Repeat("x", 100), "x", 64}} {
		if got := distance(c.a, c.b); got != c.n {
			t.Errorf("%q %q: %d, want %d", c.a, c.b, got, c.n)
		}
	}
}
