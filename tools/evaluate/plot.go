package main

import (
	"fmt"
	"html/template"
	"strings"

	"mien/firmware/chart"
)

// The report's colours.
const (
	quiet = "#8a97a3"
	main1 = "#1c6e8c"
	main2 = "#c75b39"
)

// drawn gives a plot as an inline picture for the page.
func drawn(c *chart.Chart) (template.HTML, error) {
	var b strings.Builder
	if err := c.WriteSVG(&b); err != nil {
		return "", fmt.Errorf("draw %s: %w", c.Name, err)
	}
	return template.HTML(b.String()), nil
}

// plotReliability draws confidence against truth over a histogram of
// confidences.
func plotReliability(bins []bin, title string) (template.HTML, error) {
	p := chart.New(270, 250, chart.Range{High: 1}, chart.Range{High: 1})
	p.Name, p.XLabel, p.YLabel = title, "what the network says", "share that is so"
	var most float64
	for _, b := range bins {
		most = max(most, b.Pictures)
	}
	var points []chart.Point
	for _, b := range bins {
		if b.Pictures == 0 {
			continue
		}
		p.Band(chart.Point{X: b.From + 0.008}, chart.Point{X: b.To - 0.008, Y: b.Pictures / most * 0.3}, main1, 0.19, "")
		points = append(points, chart.Point{X: float64(b.Confidence), Y: float64(b.Truth.Value)})
		if b.Truth.Low == b.Truth.Low {
			p.Line([]chart.Point{{X: float64(b.Confidence), Y: float64(b.Truth.Low)}, {X: float64(b.Confidence), Y: float64(b.Truth.High)}},
				chart.Stroke{Colour: main1, Width: 0.8}, "")
		}
	}
	p.Line([]chart.Point{{}, {X: 1, Y: 1}}, chart.Stroke{Colour: quiet, Width: 0.8, Dashes: "3 3"}, "")
	p.Line(points, chart.Stroke{Colour: main1, Width: 1.6}, "")
	p.Dots(points, 2.6, main1, 1, "")
	return drawn(p)
}

// plotScatter draws answers against labels.
func plotScatter(points [][2]float64, title string) (template.HTML, error) {
	p := chart.New(270, 250, chart.Range{Low: -1, High: 1}, chart.Range{Low: -1, High: 1})
	p.Name, p.XLabel, p.YLabel = title, "label", "answer"
	p.Line([]chart.Point{{X: -1, Y: -1}, {X: 1, Y: 1}}, chart.Stroke{Colour: quiet, Width: 0.8, Dashes: "3 3"}, "")
	step := max(1, len(points)/1500) // every n-th: a cloud of more is a blot
	var cloud []chart.Point
	for i := 0; i < len(points); i += step {
		cloud = append(cloud, chart.Point{X: points[i][0], Y: points[i][1]})
	}
	p.Dots(cloud, 1.6, main1, 0.28, "")
	return drawn(p)
}

// plotCurve draws precision over recall of one unit.
func plotCurve(u *unitScores) (template.HTML, error) {
	p := chart.New(168, 140, chart.Range{High: 1}, chart.Range{High: 1})
	p.Name = u.Name
	if u.Pictures > 0 {
		base := float64(u.Positives) / float64(u.Pictures)
		p.Line([]chart.Point{{Y: base}, {X: 1, Y: base}}, chart.Stroke{Colour: quiet, Width: 0.8, Dashes: "3 3"}, "")
	}
	step := max(1, len(u.curve)/150)
	var curve []chart.Point
	for i := 0; i < len(u.curve); i++ {
		if i%step == 0 || i == len(u.curve)-1 {
			curve = append(curve, chart.Point{X: u.curve[i][0], Y: u.curve[i][1]})
		}
	}
	p.Line(curve, chart.Stroke{Colour: main1, Width: 1.5}, "")
	if u.Precision.known() && u.Recall.known() {
		p.Dots([]chart.Point{{X: float64(u.Recall.Value), Y: float64(u.Precision.Value)}}, 3, main2, 1, "")
	}
	return drawn(p)
}

// mark is one line of plotMarks: a score with its interval, and perhaps a
// second one.
type mark struct {
	name   string
	first  interval
	second *interval
}

// plotMarks draws scores with their intervals, one below the other.
func plotMarks(marks []mark, width float64, xLabel, first, second, title string) (template.HTML, error) {
	x := chart.Range{High: 1}
	for _, m := range marks {
		if m.first.Low < 0 || m.first.Value < 0 {
			x.Low = -1
		}
	}
	n := len(marks)
	p := chart.New(width, float64(60+22*n), x, chart.Range{Low: -0.6, High: float64(n) - 0.4})
	p.Name, p.XLabel, p.YTicks = title, xLabel, []chart.Tick{}
	var one, two []chart.Point
	bar := func(s *interval, y float64, colour string) chart.Point {
		if s.Low == s.Low {
			p.Line([]chart.Point{{X: float64(s.Low), Y: y}, {X: float64(s.High), Y: y}}, chart.Stroke{Colour: colour, Width: 1.2}, "")
		}
		return chart.Point{X: float64(s.Value), Y: y}
	}
	for i, m := range marks {
		y := float64(n - 1 - i)
		p.YTicks = append(p.YTicks, chart.Tick{At: y, Text: m.name})
		shift := 0.0
		if m.second != nil {
			shift = 0.17
			if m.second.known() {
				two = append(two, bar(m.second, y-shift, main2))
			}
		}
		if m.first.known() {
			one = append(one, bar(&m.first, y+shift, main1))
		}
	}
	if len(two) == 0 {
		first, second = "", ""
	}
	p.Dots(one, 2.8, main1, 1, first)
	p.Dots(two, 2.8, main2, 1, second)
	return drawn(p)
}
