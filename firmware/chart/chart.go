// Package chart draws plots as SVG: axes, bands, lines, dots and marks. A
// picture is text of some kilobytes and needs nothing outside itself: whoever
// shows it has the fonts.
//
//	c := chart.New(900, 200, chart.Range{High: 24}, chart.Range{High: 1})
//	c.Line(points, chart.Stroke{Colour: "#1c6e8c"}, "au4")
//	err := c.WriteSVG(w)
package chart

import (
	"fmt"
	"html"
	"io"
	"math"
	"strconv"
	"strings"
)

// Range is what an axis shows.
type Range struct{ Low, High float64 }

// Point is one of the plane. A line has a gap where Y is NaN.
type Point struct{ X, Y float64 }

// Tick is one mark of an axis.
type Tick struct {
	At   float64
	Text string
}

// Stroke is how a line is drawn: a CSS colour, a width in pixels (0: 1.4), and
// SVG dashes ("4 3").
type Stroke struct {
	Colour string
	Width  float64
	Dashes string
}

// Chart is one plot. What is added first is drawn below. A name stands in the
// legend, once; "" does not.
type Chart struct {
	Title, XLabel, YLabel string
	XTicks, YTicks        []Tick  // nil: chosen
	Name                  string  // for who cannot see pictures; "": Title
	Left                  float64 // least room left of the plot, so that several stand in line

	width, height float64
	x, y          Range
	items         []func(b *strings.Builder, at func(Point) Point)
	entries       []entry
	marks         []mark
}

type entry struct{ sample, name string }

type mark struct {
	x            float64
	text, colour string
}

// New is an empty plot of width times height pixels.
func New(width, height float64, x, y Range) *Chart {
	return &Chart{width: width, height: height, x: x, y: y}
}

// Band colours a rectangle of the plane. Opacity is above 0, up to 1.
func (c *Chart) Band(from, to Point, colour string, opacity float64, name string) {
	fill := filled(colour, opacity)
	c.named(`<rect y="-9" width="14" height="10" `+fill+`/>`, name)
	c.items = append(c.items, func(b *strings.Builder, at func(Point) Point) {
		p, q := at(from), at(to)
		fmt.Fprintf(b, `<rect x="%s" y="%s" width="%s" height="%s" %s/>`+"\n", short(min(p.X, q.X)), short(min(p.Y, q.Y)),
			short(math.Abs(q.X-p.X)), short(math.Abs(q.Y-p.Y)), fill)
	})
}

// Line joins points.
func (c *Chart) Line(points []Point, s Stroke, name string) {
	style := s.style()
	c.named(`<path d="M0 -4h14" `+style+`/>`, name)
	c.items = append(c.items, func(b *strings.Builder, at func(Point) Point) {
		var path strings.Builder
		step := "M"
		for _, p := range points {
			if p.X != p.X || p.Y != p.Y {
				step = "M"
				continue
			}
			q := at(p)
			fmt.Fprintf(&path, "%s%s %s", step, short(q.X), short(q.Y))
			step = "L"
		}
		if path.Len() > 0 {
			fmt.Fprintf(b, `<path d="%s" %s/>`+"\n", path.String(), style)
		}
	})
}

// Dots draws a dot of a radius in pixels at each point.
func (c *Chart) Dots(points []Point, radius float64, colour string, opacity float64, name string) {
	fill := filled(colour, opacity)
	c.named(fmt.Sprintf(`<circle cx="7" cy="-4" r="%s" %s/>`, short(radius), fill), name)
	c.items = append(c.items, func(b *strings.Builder, at func(Point) Point) {
		for _, p := range points {
			if p.X == p.X && p.Y == p.Y {
				q := at(p)
				fmt.Fprintf(b, `<circle cx="%s" cy="%s" r="%s" %s/>`+"\n", short(q.X), short(q.Y), short(radius), fill)
			}
		}
	})
}

// Mark draws a line across the plot at x, with its text above the plot: what
// happened at that moment. Texts that would meet stand in rows of their own, so
// marks are best added in the order of x.
func (c *Chart) Mark(x float64, text, colour string) {
	c.marks = append(c.marks, mark{x, text, colour})
}

func (c *Chart) named(sample, name string) {
	for _, e := range c.entries {
		if e.name == name {
			return
		}
	}
	if name != "" {
		c.entries = append(c.entries, entry{sample, name})
	}
}

// Sizes in pixels.
const (
	textSize  = 11.0
	titleSize = 13.0
	row       = 15.0
	edge      = 8.0
)

// WriteSVG writes the picture, from <svg to </svg>.
func (c *Chart) WriteSVG(w io.Writer) error {
	xTicks, yTicks := c.XTicks, c.YTicks
	if yTicks == nil {
		yTicks = Ticks(c.y, max(2, int(c.height/45)))
	}
	if xTicks == nil {
		xTicks = Ticks(c.x, max(2, int(c.width/70)))
	}
	left, right, top, bottom := edge, c.width-edge, edge, c.height-edge
	widest := 0.0
	for _, t := range yTicks {
		widest = max(widest, wide(t.Text, textSize))
	}
	left += max(widest+5, c.Left-edge)
	if c.YLabel != "" {
		left += row
	}
	if n := len(xTicks); n > 0 {
		right -= max(0, wide(xTicks[n-1].Text, textSize)/2-edge)
		bottom -= row
	}
	if c.XLabel != "" {
		bottom -= row
	}
	if c.Title != "" {
		top += row + 4
	}
	legend := c.legend(left, right)
	top += row * float64(len(legend))

	at := func(p Point) Point {
		return Point{left + (p.X-c.x.Low)/(c.x.High-c.x.Low)*(right-left), 0}
	}
	var ends []float64 // of the newest text of each row of marks
	rows := make([]int, len(c.marks))
	for i, m := range c.marks {
		x := at(Point{X: m.x}).X
		r := 0
		for r < len(ends) && ends[r] > x-4 {
			r++
		}
		if r == len(ends) {
			ends = append(ends, 0)
		}
		ends[r], rows[i] = x+wide(m.text, textSize)+6, r
	}
	marksAt := top
	top += row * float64(len(ends))
	at = func(p Point) Point {
		return Point{left + (p.X-c.x.Low)/(c.x.High-c.x.Low)*(right-left), bottom - (p.Y-c.y.Low)/(c.y.High-c.y.Low)*(bottom-top)}
	}

	var b strings.Builder
	name := c.Name
	if name == "" {
		name = c.Title
	}
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %s %s" role="img" aria-label="%s" font-family="system-ui,Arial,Helvetica,sans-serif" font-size="%s" fill="#26323d">`+"\n",
		short(c.width), short(c.height), short(c.width), short(c.height), html.EscapeString(name), short(textSize))
	if c.Title != "" {
		text(&b, left, edge+titleSize-2, c.Title, fmt.Sprintf(`font-size="%s" font-weight="600"`, short(titleSize)))
	}
	for i, line := range legend {
		y := edge + row*float64(i) + textSize
		if c.Title != "" {
			y += row + 4
		}
		for _, e := range line {
			fmt.Fprintf(&b, `<g transform="translate(%s %s)">%s</g>`, short(e.x), short(y), e.sample)
			text(&b, e.x+19, y, e.name, "")
		}
	}
	for _, t := range xTicks {
		x := at(Point{X: t.At}).X
		fmt.Fprintf(&b, `<path d="M%s %sV%s" stroke="#e4e8ec" stroke-width="0.7"/>`, short(x), short(top), short(bottom))
		text(&b, x, bottom+textSize+2, t.Text, `text-anchor="middle" fill="#65727e"`)
	}
	for _, t := range yTicks {
		y := at(Point{Y: t.At}).Y
		fmt.Fprintf(&b, `<path d="M%s %sH%s" stroke="#e4e8ec" stroke-width="0.7"/>`, short(left), short(y), short(right))
		text(&b, left-5, y+4, t.Text, `text-anchor="end" fill="#65727e"`)
	}
	if c.XLabel != "" {
		text(&b, (left+right)/2, c.height-edge, c.XLabel, `text-anchor="middle"`)
	}
	if c.YLabel != "" {
		x, y := edge+textSize-3, (top+bottom)/2
		text(&b, x, y, c.YLabel, fmt.Sprintf(`text-anchor="middle" transform="rotate(-90 %s %s)"`, short(x), short(y)))
	}
	// An inner picture of the same scale: what is beyond the axes is not shown.
	box := fmt.Sprintf("%s %s %s %s", short(left-4), short(top-4), short(right-left+8), short(bottom-top+8))
	f := strings.Fields(box)
	fmt.Fprintf(&b, `<svg x="%s" y="%s" width="%s" height="%s" viewBox="%s">`+"\n", f[0], f[1], f[2], f[3], box)
	for _, item := range c.items {
		item(&b, at)
	}
	b.WriteString("</svg>\n")
	for i, m := range c.marks {
		x, y := at(Point{X: m.x}).X, marksAt+row*float64(rows[i])
		fmt.Fprintf(&b, `<path d="M%s %sV%s" stroke="%s" stroke-width="1"/>`, short(x), short(y+2), short(bottom), html.EscapeString(m.colour))
		text(&b, x+3, y+textSize, m.text, fmt.Sprintf(`fill="%s"`, html.EscapeString(m.colour)))
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteStack writes several pictures below each other as one.
func WriteStack(w io.Writer, name string, charts ...*Chart) error {
	width, height := 0.0, 0.0
	for _, c := range charts {
		width, height = max(width, c.width), height+c.height
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %s %s" role="img" aria-label="%s"><rect width="100%%" height="100%%" fill="#fff"/>`+"\n",
		short(width), short(height), short(width), short(height), html.EscapeString(name))
	y := 0.0
	for _, c := range charts {
		fmt.Fprintf(&b, `<g transform="translate(0 %s)">`, short(y))
		if err := c.WriteSVG(&b); err != nil {
			return err
		}
		b.WriteString("</g>\n")
		y += c.height
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

type placed struct {
	entry
	x float64
}

// legend breaks the legend into rows.
func (c *Chart) legend(left, right float64) (rows [][]placed) {
	x := right
	for _, e := range c.entries {
		w := 19 + wide(e.name, textSize) + 16
		if x+w > right+16 {
			rows, x = append(rows, nil), left
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], placed{e, x})
		x += w
	}
	return rows
}

// Ticks puts at most n marks at round numbers.
func Ticks(r Range, n int) []Tick {
	span := r.High - r.Low
	if !(span > 0) || math.IsInf(span, 0) {
		return nil
	}
	step := math.Pow(10, math.Floor(math.Log10(span/float64(n))))
	for _, f := range []float64{1, 2, 5, 10} {
		if span/(step*f) <= float64(n) {
			step *= f
			break
		}
	}
	digits := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	var ticks []Tick
	for k := math.Ceil(r.Low/step - 1e-9); k*step <= r.High+step*1e-9; k++ {
		ticks = append(ticks, Tick{k * step, strconv.FormatFloat(k*step+0, 'f', digits, 64)})
	}
	return ticks
}

func (s Stroke) style() string {
	if s.Width == 0 {
		s.Width = 1.4
	}
	style := fmt.Sprintf(`fill="none" stroke="%s" stroke-width="%s" stroke-linejoin="round"`, html.EscapeString(s.Colour), short(s.Width))
	if s.Dashes != "" {
		style += fmt.Sprintf(` stroke-dasharray="%s"`, html.EscapeString(s.Dashes))
	}
	return style
}

func filled(colour string, opacity float64) string {
	return fmt.Sprintf(`fill="%s" fill-opacity="%s"`, html.EscapeString(colour), strconv.FormatFloat(opacity, 'f', -1, 64))
}

func text(b *strings.Builder, x, y float64, s, more string) {
	if more != "" {
		more = " " + more
	}
	fmt.Fprintf(b, `<text x="%s" y="%s"%s>%s</text>`+"\n", short(x), short(y), more, html.EscapeString(s))
}

// wide estimates the width of a text in a sans serif face, a little too wide.
func wide(s string, size float64) float64 { return float64(len([]rune(s))) * size * 0.56 }

// short writes a coordinate: a tenth of a pixel is enough.
func short(x float64) string { return strconv.FormatFloat(math.Round(x*10)/10, 'f', -1, 64) }
