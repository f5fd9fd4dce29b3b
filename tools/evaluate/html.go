package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"os"
)

//go:embed report.html.tmpl
var pageText string

var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"score": func(s interval) template.HTML {
		if !s.known() {
			return `<span class="none">not defined</span>`
		}
		text := fmt.Sprintf(`<b>%.3f</b>`, s.Value)
		if s.Low == s.Low {
			text += fmt.Sprintf(` <span class="ci">%.3f – %.3f</span>`, s.Low, s.High)
		}
		return template.HTML(text)
	},
	"num": func(v number64) string {
		if v != v {
			return "–"
		}
		return fmt.Sprintf("%.3f", v)
	},
	"short": func(v number64) string { return fmt.Sprintf("%.2f", v) },
	"head":  func(sum string) string { return sum[:min(len(sum), 16)] },
}).Parse(pageText))

// pageData is what the template shows.
type pageData struct {
	*report
	Tiles       []tile
	Heat        [][]heatCell
	Plots       map[string]template.HTML
	Curves      []template.HTML
	GroupPlots  []template.HTML
	GroupTables []groupTable
}

type tile struct {
	Name, Note string
	Score      interval
}

// heatCell is a cell of the confusion matrix; Share is of its row.
type heatCell struct {
	Count int
	Share float64
	Dark  bool
}

type groupTable struct {
	Name string
	Rows []groupRow
}

type groupRow struct {
	Group      string
	Pictures   int
	Score      interval
	Difference interval
	Differs    bool
}

// writeHTML writes the report as one page that needs nothing else.
func (r *report) writeHTML(path string) error {
	d := pageData{report: r, Plots: map[string]template.HTML{}}
	if err := d.fill(); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := page.Execute(&b, &d); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func (d *pageData) fill() error {
	var err error
	draw := func(name string, html template.HTML, e error) {
		if d.Plots[name] = html; e != nil && err == nil {
			err = e
		}
	}
	if e := d.Expression; e != nil {
		d.Tiles = append(d.Tiles, tile{"expression accuracy", fmt.Sprintf("%d pictures", e.Pictures), e.Accuracy}, tile{"expression macro F1", "", e.MacroF1})
		html, err := plotReliability(e.Calibration.Bins, "reliability of the expressions")
		draw("expression", html, err)
		for _, line := range e.Confusion {
			sum := 0
			for _, n := range line {
				sum += n
			}
			cells := make([]heatCell, len(line))
			for i, n := range line {
				cells[i].Count = n
				if sum > 0 {
					cells[i].Share = float64(n) / float64(sum)
				}
				cells[i].Dark = cells[i].Share > 0.55
			}
			d.Heat = append(d.Heat, cells)
		}
	}
	if a := d.Affect; a != nil {
		note := fmt.Sprintf("%d pictures", a.Pictures)
		if a.Derived {
			note += ", derived"
		}
		d.Tiles = append(d.Tiles, tile{"mean CCC of valence, arousal", note, a.MeanCCC})
		html, err := plotScatter(a.scatter[0], "valence")
		draw("valence", html, err)
		html, err = plotScatter(a.scatter[1], "arousal")
		draw("arousal", html, err)
	}
	if u := d.Units; u != nil {
		d.Tiles = append(d.Tiles, tile{"action unit macro F1", fmt.Sprintf("%d units", len(u.Units)), u.MacroF1})
		html, err := plotReliability(u.Calibration.Bins, "reliability of the action units")
		draw("units", html, err)
		var marks []mark
		for i, s := range u.Units {
			m := mark{name: s.Name, first: s.F1}
			if u.Best != nil {
				m.first, m.second = u.Best.Units[i].F1AtCard, &u.Best.Units[i].F1
			}
			marks = append(marks, m)
			curve, err := plotCurve(&u.Units[i])
			draw("", "", err)
			d.Curves = append(d.Curves, curve)
		}
		label := "F1 at the card's threshold"
		if u.Best != nil {
			label = "F1 on the test part"
		}
		html, err = plotMarks(marks, 680, label, "the card's threshold", "threshold chosen on the validation part", "F1 of the action units")
		draw("marks", html, err)
	}
	if d.MTL != nil {
		d.Tiles = append(d.Tiles, tile{"P_MTL", "sum of the three", *d.MTL})
	}
	if g := d.Groups; g != nil {
		for _, name := range g.scores {
			var marks []mark
			table := groupTable{Name: name}
			for _, x := range g.Groups {
				if s, ok := x.Scores[name]; ok {
					marks = append(marks, mark{name: x.Group, first: s})
					table.Rows = append(table.Rows, groupRow{x.Group, x.Pictures, s, x.Differences[name], x.differs[name]})
				}
			}
			html, e := plotMarks(marks, 340, name, "", "", name+" by group")
			draw("", "", e)
			d.GroupPlots = append(d.GroupPlots, html)
			d.GroupTables = append(d.GroupTables, table)
		}
	}
	return err
}
