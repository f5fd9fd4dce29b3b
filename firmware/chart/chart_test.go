package chart

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
)

func drawn(t *testing.T, c *Chart) string {
	t.Helper()
	var b strings.Builder
	if err := c.WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(strings.NewReader(b.String()))
	for {
		if _, err := d.Token(); err == io.EOF {
			return b.String()
		} else if err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
	}
}

func TestChart(t *testing.T) {
	c := New(400, 200, Range{0, 10}, Range{0, 1})
	c.Title, c.XLabel, c.YLabel = `brow <"&'>`, "s", "au4"
	nan := math.NaN()
	c.Band(Point{1, 0}, Point{2, 1}, "#d62728", 0.25, "unacknowledged")
	c.Band(Point{3, 0}, Point{4, 1}, "#d62728", 0.25, "unacknowledged")
	c.Line([]Point{{0, 0}, {1, 0.5}, {2, nan}, {3, 1}, {4, 0}}, Stroke{Colour: "#123", Dashes: "4 3"}, "level")
	c.Line([]Point{{0, nan}}, Stroke{Colour: "#123"}, "")
	c.Dots([]Point{{5, 0.5}, {6, nan}}, 3, "#456", 1, "answer")
	c.Mark(1, "acknowledged", "#f80")
	c.Mark(1.2, "reset", "#f80")
	c.Mark(9, "reset", "#f80")
	s := drawn(t, c)
	for part, n := range map[string]int{"brow &lt;&#34;&amp;&#39;&gt;": 2, ">unacknowledged<": 1, ">level<": 1, ">acknowledged<": 1, ">reset<": 2,
		`stroke-dasharray="4 3"`: 2, `fill-opacity="0.25"`: 3, "NaN": 0, "Inf": 0, `fill="#456"`: 2, `>au4<`: 1, "rotate(-90": 1, "href": 0} {
		if got := strings.Count(s, part); got != n {
			t.Errorf("%q is there %d times, want %d\n%s", part, got, n, s)
		}
	}
	// A gap in the levels is one in the line.
	for _, line := range strings.Split(s, "\n") {
		if strings.Contains(line, `stroke="#123"`) && !strings.Contains(line, "<text") && strings.Count(line, "M") != 2 {
			t.Errorf("no gap: %s", line)
		}
	}
	if !strings.HasPrefix(s, "<svg ") || !strings.HasSuffix(s, "</svg>\n") {
		t.Error("not an svg")
	}
}

// Texts of marks that would meet stand below each other, and the plot begins
// below them all.
func TestMarksDoNotMeet(t *testing.T) {
	c := New(300, 200, Range{0, 10}, Range{0, 1})
	for x := range 5 {
		c.Mark(1+float64(x)/10, "acknowledged", "red")
	}
	rows := map[string]bool{}
	for _, line := range strings.Split(drawn(t, c), "\n") {
		if strings.Contains(line, ">acknowledged<") {
			_, y, _ := strings.Cut(line, ` y="`)
			y, _, _ = strings.Cut(y, `"`)
			rows[y] = true
		}
	}
	if len(rows) != 5 {
		t.Errorf("%d rows", len(rows))
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		r    Range
		n    int
		want []string
	}{
		{Range{0, 1}, 5, []string{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"}},
		{Range{0, 1}, 4, []string{"0.0", "0.5", "1.0"}},
		{Range{-1, 1}, 4, []string{"-1.0", "-0.5", "0.0", "0.5", "1.0"}},
		{Range{0, 24}, 6, []string{"0", "5", "10", "15", "20"}},
		{Range{0, 16}, 4, []string{"0", "5", "10", "15"}},
		{Range{0, 0}, 4, nil},
		{Range{0, math.NaN()}, 4, nil},
		{Range{0.1, 0.13}, 3, []string{"0.10", "0.11", "0.12", "0.13"}},
	} {
		var got []string
		for _, k := range Ticks(c.r, c.n) {
			got = append(got, k.Text)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v: %v, want %v", c.r, got, c.want)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestNoSpace(t *testing.T) {
	if err := New(100, 100, Range{0, 1}, Range{0, 1}).WriteSVG(full{}); err == nil {
		t.Error("written")
	}
}
