package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"strings"
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
	"short": func(v number64) string {
		if v != v {
			return "–"
		}
		return fmt.Sprintf("%.2f", v)
	},
	"head": func(sum string) string { return sum[:min(len(sum), 16)] },
}).Parse(pageText))

// pageData is what the template shows.
type pageData struct {
	*report
	Main        view
	GroupPlots  []template.HTML
	GroupTables []groupTable
	UnitTables  []unitTable
	GroupViews  []groupView
}

// view is a set of scores as the page shows it.
type view struct {
	*scoreSet
	Positive float64
	Covered  string
	Tiles    []tile
	Heat     [][]heatCell
	Plots    map[string]template.HTML
	Curves   []template.HTML
}

type tile struct {
	Name, Note string
	Score      interval
}

// heatCell is a cell of the confusion matrix; Share is of its row.
type heatCell struct {
	Count    int
	Share    float64
	Interval string // of the share, in per cent
	Dark     bool
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

// unitTable is one kind of score by unit and group.
type unitTable struct {
	Name   string
	Groups []string
	Rows   []unitRow
}

type unitRow struct {
	Unit  string
	Cells []unitCell
}

type unitCell struct {
	Score   interval
	Differs bool
}

type groupView struct {
	Group    string
	Pictures int
	View     view
}

// writeHTML writes the report as one page that needs nothing else.
func (r *report) writeHTML(path string) error {
	d := pageData{report: r}
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

func (d *pageData) fill() (err error) {
	if d.Main, err = newView(d.report, &d.scoreSet, true); err != nil || d.Groups == nil {
		return err
	}
	g := d.Groups
	for _, name := range g.scores {
		var marks []mark
		table := groupTable{Name: name}
		for _, x := range g.Groups {
			if s, ok := x.Scores[name]; ok {
				marks = append(marks, mark{name: x.Group, first: s})
				table.Rows = append(table.Rows, groupRow{x.Group, x.Pictures, s, x.Differences[name], x.differs[name]})
			}
		}
		html, err := plotMarks(marks, 340, name, "", "", name+" by group")
		if err != nil {
			return err
		}
		d.GroupPlots = append(d.GroupPlots, html)
		d.GroupTables = append(d.GroupTables, table)
	}
	for _, kind := range []string{"F1", "AUC"} {
		table := unitTable{Name: kind}
		for _, x := range g.Groups {
			table.Groups = append(table.Groups, x.Group)
		}
		for _, name := range g.units {
			unit, ok := strings.CutSuffix(name, " "+kind)
			if !ok {
				continue
			}
			row := unitRow{Unit: unit}
			for _, x := range g.Groups {
				row.Cells = append(row.Cells, unitCell{x.Scores[name], x.differs[name]})
			}
			table.Rows = append(table.Rows, row)
		}
		if len(table.Rows) > 0 {
			d.UnitTables = append(d.UnitTables, table)
		}
	}
	for k := range g.Groups {
		x := &g.Groups[k]
		v, err := newView(d.report, &x.All, false)
		if err != nil {
			return err
		}
		d.GroupViews = append(d.GroupViews, groupView{x.Group, x.Pictures, v})
	}
	return nil
}

// newView draws a set of scores; all: with the plots of single pictures and
// units too, which would make a page of many groups too large.
func newView(r *report, s *scoreSet, all bool) (view, error) {
	d := view{scoreSet: s, Positive: r.Positive, Covered: r.Covered, Plots: map[string]template.HTML{}}
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
		for t, line := range e.Confusion {
			cells := make([]heatCell, len(line))
			for i, n := range line {
				cells[i].Count = n
				if share := e.Shares[t][i]; share.known() {
					cells[i].Share = float64(share.Value)
					cells[i].Dark = share.Value > 0.55
					if share.High > 0 {
						cells[i].Interval = fmt.Sprintf("%.0f – %.0f %%", 100*share.Low, 100*share.High)
					}
				}
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
		if all {
			html, err := plotScatter(a.scatter[0], "valence")
			draw("valence", html, err)
			html, err = plotScatter(a.scatter[1], "arousal")
			draw("arousal", html, err)
		}
	}
	if u := d.Units; u != nil {
		d.Tiles = append(d.Tiles, tile{"action unit macro F1", fmt.Sprintf("%d units", len(u.Units)), u.MacroF1})
		html, err := plotReliability(u.Calibration.Bins, "reliability of the action units")
		draw("units", html, err)
		if all {
			if e := d.drawUnits(); e != nil {
				return d, e
			}
		}
	}
	if d.MTL != nil {
		d.Tiles = append(d.Tiles, tile{"P_MTL", "sum of the three", *d.MTL})
	}
	return d, err
}

// drawUnits draws the F1 of all units and the curve of each.
func (d *view) drawUnits() error {
	u := d.Units
	var marks []mark
	for i, s := range u.Units {
		m := mark{name: s.Name, first: s.F1}
		if u.Best != nil {
			m.first, m.second = u.Best.Units[i].F1AtCard, &u.Best.Units[i].F1
		}
		marks = append(marks, m)
		curve, err := plotCurve(&u.Units[i])
		if err != nil {
			return err
		}
		d.Curves = append(d.Curves, curve)
	}
	label := "F1 at the card's threshold"
	if u.Best != nil {
		label = "F1 on the test part"
	}
	html, err := plotMarks(marks, 680, label, "the card's threshold", "threshold chosen on the validation part", "F1 of the action units")
	d.Plots["marks"] = html
	return err
}
