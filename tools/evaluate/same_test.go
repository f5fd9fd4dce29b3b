package main

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// One definition of each score, here and where networks are trained: both hold
// what they make of scores.csv against scores.json (model/train/tests/test_scores.py
// writes it).
func TestScoresAreThoseOfTraining(t *testing.T) {
	dir := filepath.Join("..", "..", "model", "train", "testdata")
	f, err := os.Open(filepath.Join(dir, "scores.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) < 20 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	column := map[string][]float64{}
	for at, name := range rows[0] {
		for _, r := range rows[1:] {
			x := math.NaN()
			if r[at] != "" {
				if x, err = strconv.ParseFloat(r[at], 64); err != nil {
					t.Fatal(err)
				}
			}
			column[name] = append(column[name], x)
		}
	}
	one := make([]float64, len(rows)-1) // each picture counts once
	for i := range one {
		one[i] = 1
	}
	var truth, answer []int
	var right []bool
	var confidence []float64
	for i, c := range column["class"] {
		truth, answer = append(truth, -1), append(answer, int(column["class_answer"][i]))
		if c == c {
			truth[i] = int(c)
			right, confidence = append(right, truth[i] == answer[i]), append(confidence, column["confidence"][i])
		}
	}
	m := confusion(truth, answer, one, 4)
	_, ece := reliability(confidence, right, one[:len(right)])
	got := map[string]any{"accuracy": accuracy(m), "macro_f1": macroF1(m), "calibration_error": ece}
	var classes []any
	for c := range m {
		classes = append(classes, classCounts(m, c).f1())
	}
	got["class_f1"] = classes
	for _, name := range []string{"valence", "constant"} {
		got["ccc_"+name] = ccc(column[name], column["valence_answer"], one)
	}
	for _, name := range []string{"unit", "absent"} {
		r := newRanking(column["unit_answer"], column[name], 0.25)
		threshold, best := r.best(one)
		got[name] = map[string]any{"f1_at_half": r.at(0.5, one).f1(), "auc": r.auc(one), "best_f1": best, "best_threshold": threshold}
	}
	data, err := os.ReadFile(filepath.Join(dir, "scores.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	compareScores(t, "", got, want)
}

// compareScores compares numbers with numbers; null is a score that is not
// defined.
func compareScores(t *testing.T, path string, got, want any) {
	t.Helper()
	switch w := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		if len(g) != len(w) {
			t.Errorf("%s: %d scores, training has %d", path, len(g), len(w))
		}
		for k := range w {
			compareScores(t, path+"/"+k, g[k], w[k])
		}
	case []any:
		g, _ := got.([]any)
		if len(g) != len(w) {
			t.Errorf("%s: %d scores, training has %d", path, len(g), len(w))
			return
		}
		for i := range w {
			compareScores(t, path+"/"+strconv.Itoa(i), g[i], w[i])
		}
	default:
		g, ok := got.(float64)
		x, known := want.(float64)
		if !ok || known != (g == g) || known && math.Abs(g-x) > 1e-9 {
			t.Errorf("%s: %v, training says %v", path, got, want)
		}
	}
}
