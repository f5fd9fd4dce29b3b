package main

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"strconv"

	"mien/model/affect"
)

// writePredictions writes one row a picture, in the order of the labels and
// under their column names: the expression with the largest probability,
// valence, arousal and levels of 0..1. A picture without an answer has empty
// cells, and so has a covered unit where covered units are Unknown.
func writePredictions(path string, card *affect.Card, rows []row, answers []answer) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write predictions: %w", err)
	}
	defer func() {
		if e := f.Close(); e != nil && err == nil {
			err = fmt.Errorf("write predictions: %w", e)
		}
	}()
	buffered := bufio.NewWriter(f)
	w := csv.NewWriter(buffered)
	o := &card.Outputs
	header := []string{"file", "group"}
	if o.Expression != nil {
		header = append(header, "expression")
	}
	if o.ValenceArousal != nil {
		header = append(header, "valence", "arousal")
	}
	if o.ActionUnits != nil {
		for _, u := range o.ActionUnits.Units {
			header = append(header, fmt.Sprintf("AU%d", u))
		}
	}
	if o.Visibility != nil {
		for _, p := range o.Visibility.Parts {
			header = append(header, "visible_"+p)
		}
	}
	w.Write(header)
	for i, a := range answers {
		cells := make([]string, 2, len(header))
		cells[0], cells[1] = rows[i].file, rows[i].group
		if a.ok {
			if o.Expression != nil {
				best := 0
				for c, p := range a.expression {
					if p > a.expression[best] {
						best = c
					}
				}
				cells = append(cells, o.Expression.Classes[best])
			}
			if o.ValenceArousal != nil {
				cells = append(cells, cell(a.valence), cell(a.arousal))
			}
			for _, v := range a.units {
				cells = append(cells, cell(v))
			}
			for _, v := range a.visible {
				cells = append(cells, cell(v))
			}
		}
		w.Write(cells[:len(header)])
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return fmt.Errorf("write predictions: %w", err)
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("write predictions: %w", err)
	}
	return nil
}

func cell(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return strconv.FormatFloat(v, 'f', 4, 64)
}
