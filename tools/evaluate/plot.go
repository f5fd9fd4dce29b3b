package main

import (
	"bytes"
	"fmt"
	"html/template"
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The report's colours.
var (
	ink    = color.NRGBA{0x26, 0x32, 0x3d, 0xff}
	quiet  = color.NRGBA{0x8a, 0x97, 0xa3, 0xff}
	grid   = color.NRGBA{0xe4, 0xe8, 0xec, 0xff}
	main1  = color.NRGBA{0x1c, 0x6e, 0x8c, 0xff}
	main2  = color.NRGBA{0xc7, 0x5b, 0x39, 0xff}
	shade  = color.NRGBA{0x1c, 0x6e, 0x8c, 0x30}
	cloudy = color.NRGBA{0x1c, 0x6e, 0x8c, 0x48}
)

// newPlot is an empty plot in the report's style, its axes from low to high.
func newPlot(xLabel, yLabel string, xLow, xHigh, yLow, yHigh float64) *plot.Plot {
	p := plot.New()
	sans := func(size vg.Length) font.Font { return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size} }
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font, a.Label.TextStyle.Color = sans(10), ink
		a.Tick.Label.Font, a.Tick.Label.Color = sans(9), quiet
		a.LineStyle.Width, a.Tick.LineStyle.Width, a.Tick.Length = 0, 0, 2
		a.Padding = 2
		a.Label.Padding = 3
	}
	p.X.Label.Text, p.Y.Label.Text = xLabel, yLabel
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = xLow, xHigh, yLow, yHigh
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks(xLow, xHigh), ticks(yLow, yHigh)
	g := plotter.NewGrid()
	g.Horizontal.Color, g.Vertical.Color = grid, grid
	g.Horizontal.Width, g.Vertical.Width = 0.6, 0.6
	p.Add(g)
	p.Legend.TextStyle.Font, p.Legend.TextStyle.Color = sans(9), ink
	p.BackgroundColor = color.Transparent
	return p
}

// ticks puts five or six marks between low and high.
func ticks(low, high float64) plot.ConstantTicks {
	step := 0.2
	if high-low > 1.05 {
		step = 0.5
	}
	if high-low < 0.6 {
		step = 0.1
	}
	var t plot.ConstantTicks
	for k := math.Ceil(low/step - 1e-9); k*step <= high+1e-9; k++ {
		t = append(t, plot.Tick{Value: k * step, Label: strings.TrimPrefix(fmt.Sprintf("%.1f", k*step+0), "-0.0")})
	}
	return t
}

// svg draws a plot as an inline picture for the page.
func svg(p *plot.Plot, width, height vg.Length, title string) (template.HTML, error) {
	c := vgsvg.New(width, height)
	// Room for half of the last tick's label.
	p.Draw(draw.Crop(draw.New(c), 0, -9, 0, -4))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return "", fmt.Errorf("draw %s: %w", title, err)
	}
	text := b.String()
	if at := strings.Index(text, "<svg"); at > 0 {
		text = text[at:]
	}
	text = strings.Replace(text, "<svg", fmt.Sprintf("<svg role=\"img\" aria-label=\"%s\"", template.HTMLEscapeString(title)), 1)
	// The face the text was measured with may be missing where the page is
	// read; these have the same widths.
	text = strings.ReplaceAll(text, "font-family:Liberation Sans", "font-family:Liberation Sans,Arial,Helvetica,sans-serif")
	return template.HTML(text), nil
}

func line(p *plot.Plot, points plotter.XYs, c color.Color, width vg.Length, dashes ...vg.Length) {
	l, err := plotter.NewLine(points)
	if err != nil {
		return // no points: nothing to draw
	}
	l.Color, l.Width, l.Dashes = c, width, dashes
	p.Add(l)
}

func dots(p *plot.Plot, points plotter.XYs, c color.Color, radius vg.Length) {
	s, err := plotter.NewScatter(points)
	if err != nil {
		return
	}
	s.GlyphStyle = draw.GlyphStyle{Color: c, Radius: radius, Shape: draw.CircleGlyph{}}
	p.Add(s)
}

// plotReliability draws confidence against truth over a histogram of
// confidences.
func plotReliability(bins []bin, title string) (template.HTML, error) {
	p := newPlot("what the network says", "share that is so", 0, 1, 0, 1)
	var most float64
	for _, b := range bins {
		most = max(most, b.Pictures)
	}
	var points plotter.XYs
	for _, b := range bins {
		if b.Pictures == 0 {
			continue
		}
		h := b.Pictures / most * 0.3
		box, err := plotter.NewPolygon(plotter.XYs{{X: b.From + 0.008, Y: 0}, {X: b.To - 0.008, Y: 0}, {X: b.To - 0.008, Y: h}, {X: b.From + 0.008, Y: h}})
		if err == nil {
			box.Color, box.LineStyle.Width = shade, 0
			p.Add(box)
		}
		points = append(points, plotter.XY{X: float64(b.Confidence), Y: float64(b.Truth.Value)})
		if b.Truth.Low == b.Truth.Low {
			line(p, plotter.XYs{{X: float64(b.Confidence), Y: float64(b.Truth.Low)}, {X: float64(b.Confidence), Y: float64(b.Truth.High)}}, main1, 0.8)
		}
	}
	line(p, plotter.XYs{{X: 0, Y: 0}, {X: 1, Y: 1}}, quiet, 0.8, 3, 3)
	line(p, points, main1, 1.6)
	dots(p, points, main1, 2.6)
	return svg(p, 270, 250, title)
}

// plotScatter draws answers against labels.
func plotScatter(points [][2]float64, title string) (template.HTML, error) {
	p := newPlot("label", "answer", -1, 1, -1, 1)
	line(p, plotter.XYs{{X: -1, Y: -1}, {X: 1, Y: 1}}, quiet, 0.8, 3, 3)
	step := max(1, len(points)/1500) // every n-th: a cloud of more is a blot
	var xy plotter.XYs
	for i := 0; i < len(points); i += step {
		if points[i][1] == points[i][1] {
			xy = append(xy, plotter.XY{X: points[i][0], Y: points[i][1]})
		}
	}
	dots(p, xy, cloudy, 1.6)
	return svg(p, 270, 250, title)
}

// plotCurve draws precision over recall of one unit.
func plotCurve(u *unitScores) (template.HTML, error) {
	p := newPlot("", "", 0, 1, 0, 1)
	if u.Pictures > 0 {
		base := float64(u.Positives) / float64(u.Pictures)
		line(p, plotter.XYs{{X: 0, Y: base}, {X: 1, Y: base}}, quiet, 0.8, 3, 3)
	}
	step := max(1, len(u.curve)/150)
	var xy plotter.XYs
	for i := 0; i < len(u.curve); i++ {
		if i%step == 0 || i == len(u.curve)-1 {
			xy = append(xy, plotter.XY{X: u.curve[i][0], Y: u.curve[i][1]})
		}
	}
	line(p, xy, main1, 1.5)
	if u.Precision.known() && u.Recall.known() {
		dots(p, plotter.XYs{{X: float64(u.Recall.Value), Y: float64(u.Precision.Value)}}, main2, 3)
	}
	return svg(p, 168, 140, u.Name)
}

// mark is one line of plotMarks: a score with its interval, and perhaps a
// second one.
type mark struct {
	name   string
	first  interval
	second *interval
}

// plotMarks draws scores with their intervals, one below the other.
func plotMarks(marks []mark, width vg.Length, xLabel, first, second, title string) (template.HTML, error) {
	low, high := 0.0, 1.0
	for _, m := range marks {
		if m.first.Low < 0 || m.first.Value < 0 {
			low = -1
		}
	}
	n := len(marks)
	p := newPlot(xLabel, "", low, high, -0.6, float64(n)-0.4)
	var names plot.ConstantTicks
	var one, two plotter.XYs
	for i, m := range marks {
		y := float64(n - 1 - i)
		names = append(names, plot.Tick{Value: y, Label: m.name})
		shift := 0.0
		if m.second != nil {
			shift = 0.17
			if m.second.known() {
				two = append(two, plotter.XY{X: float64(m.second.Value), Y: y - shift})
				bar(p, m.second, y-shift, main2)
			}
		}
		if m.first.known() {
			one = append(one, plotter.XY{X: float64(m.first.Value), Y: y + shift})
			bar(p, &m.first, y+shift, main1)
		}
	}
	p.Y.Tick.Marker = names
	p.Y.Tick.Label.Color = ink
	dots(p, one, main1, 2.8)
	dots(p, two, main2, 2.8)
	if len(two) > 0 {
		p.Legend.Top = true
		p.Legend.Left = true
		p.Legend.YOffs = 14
		for _, e := range []struct {
			name string
			c    color.Color
		}{{first, main1}, {second, main2}} {
			s, err := plotter.NewScatter(plotter.XYs{{X: 0, Y: 0}})
			if err != nil {
				return "", fmt.Errorf("draw %s: %w", title, err)
			}
			s.GlyphStyle = draw.GlyphStyle{Color: e.c, Radius: 2.8, Shape: draw.CircleGlyph{}}
			p.Legend.Add(e.name, s)
		}
		p.Title.Padding = 26
		p.Title.Text = " "
	}
	return svg(p, width, vg.Length(60+22*n), title)
}

func bar(p *plot.Plot, s *interval, y float64, c color.Color) {
	if s.Low == s.Low {
		line(p, plotter.XYs{{X: float64(s.Low), Y: y}, {X: float64(s.High), Y: y}}, c, 1.2)
	}
}
