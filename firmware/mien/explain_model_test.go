package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mien/model/affect"
	"mien/model/assets"
)

// builtIn is the card in the binary, and its scores.
func builtIn(t *testing.T) (*affect.Card, map[string]any) {
	t.Helper()
	card, err := affect.ParseCard(assets.CardName, assets.Card())
	if err != nil {
		t.Fatal(err)
	}
	var scores map[string]any
	if err := json.Unmarshal(card.Scores, &scores); err != nil {
		t.Fatal(err)
	}
	return card, scores
}

// The page of the network in the binary has what a safety engineer looks for,
// with the card's own figures, and is a page.
func TestModelPage(t *testing.T) {
	card, scores := builtIn(t)
	code, out := mien("explain", "-model")
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, out)
	}
	if n := strings.Count(out, "\n"); n > 125 {
		t.Errorf("%d lines", n)
	}
	get := func(keys ...string) any { return at(scores, keys...) }
	f := func(keys ...string) string { return regexp.QuoteMeta(fmt.Sprintf("%.3f", get(keys...))) }
	bounds := get("test", "ferplus", "accuracy_95").([]any)
	wants := []string{
		regexp.QuoteMeta(card.Name) + ", version " + regexp.QuoteMeta(card.Version), card.SHA256, regexp.QuoteMeta(card.Description),
		`input +112x112 grey`, `output +expressions: neutral`, `Scores, test part`, `docs/model-card\.md`, `-json`,
		`accuracy +` + f("test", "ferplus", "accuracy") + fmt.Sprintf(` \(%.3f to %.3f\)`, bounds[0], bounds[1]),
		`rendered, .*macro F1.* ` + f("test", "rendered", "macro_f1") + ` \(`,
		`against MediaPipe, .*macro F1.* ` + f("test", "real_against_teacher", "macro_f1") + ` \(`,
		`F1, lids at least 80 % down +` + f("test", "lids", "f1_80_percent_down"),
		`FER\+ faces, .* closed +F1 +` + f("test", "closed_on_ferplus", "f1"),
		`visibility of eyes, .*F1 visible +` + f("test", "visibility", "eyes", "f1_visible"),
		`AU1 or AU2 .*` + f("by_eye", "score", "units", "AU1or2", "false"), `AU4 .*` + f("by_eye", "score", "units", "AU4", "auc") + `.* ` + f("by_eye", "score", "units", "AU4", "random", "false"),
		`found .*, 60 px ` + fmt.Sprintf("%.3f, ", get("found", "60", "found").([]any)[0]),
		`mouth covered .*` + f("by_eye", "score", "covers", "mouth", "recall"),
		`expression accuracy +` + f("float_to_int8", "expression_accuracy", "float") + " as float, " + f("float_to_int8", "expression_accuracy", "int8"),
	}
	for _, l := range card.Limits {
		wants = append(wants, "- "+regexp.QuoteMeta(l))
	}
	for _, d := range card.Data {
		wants = append(wants, "- "+regexp.QuoteMeta(d.Name)+` \(`+regexp.QuoteMeta(d.Licence))
	}
	units := card.Outputs.ActionUnits
	for i, u := range units.Units {
		row := fmt.Sprintf(`AU%d [a-z ]+%.2f +%s `, u, units.Thresholds[i], f("test", "rendered", "unit_f1", fmt.Sprint(u)))
		if slices.Contains(units.Weak, u) {
			row += `.* weak`
		}
		wants = append(wants, row)
	}
	worst := 1.
	for _, r := range get("disturbed", "rows").([]any) {
		if v, ok := at(r, "macro_f1").(float64); ok {
			worst = min(worst, v)
		}
	}
	wants = append(wants, fmt.Sprintf(`(?m)worst of \d+ conditions.*\n.*\nnothing .*\n\S.* %.3f `, worst))
	for _, want := range wants {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %s", want)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}

// A card of another hand has other scores, or none: what is there is printed.
func TestModelPageOfOtherScores(t *testing.T) {
	for _, c := range []struct{ scores, want string }{
		{``, `none in this card`},
		{`null`, `none in this card`},
		{`"good"`, `scores +"good"`},
		{`7`, `scores +7\n`},
		{`[0.5]`, `scores +\[0.5\]`},
		{`{"test": 0.91}`, `test +0.91\n`},
		{`{"test": {"mine": {"accuracy": 0.91234}}}`, `test\.mine\.accuracy +0.91234\n`},
		{`{"test": {"ferplus": {"accuracy": "high"}}}`, `test\.ferplus\.accuracy +"high"`},
		{`{"test": {}, "validation": {"ferplus": {"accuracy": 0.8, "accuracy_95": [0.7]}}}`, `validation part.*\n.*accuracy +0.800\n`},
		{`{"test": {"ferplus": {"n": null, "accuracy": 1e999}}}`, `test\.ferplus\.accuracy +1e999`},
		{`{"float32_agreement": {"all": 0.99991}, "action_units_f1": {"4": 0.75}}`, `(?s)AU4 brow lowerer +0\.\d\d +0.750.*float32_agreement\.all +0.99991`},
		{`{"action_units_f1": {"99": 0.75}}`, `action_units_f1\.99 +0.75`},
		{`{"disturbed": {"rows": [7, null, {}, {"what": "fog", "macro_f1": null}, {"what": "soot", "strength": 3, "macro_f1": 0.4}]}}`, `worst of 1 conditions.*\n.*\nsoot, 3 +0.400 +–`},
		{`{"found": {"60": {"faces": 9, "found": [0.5, 0.2, 0.8]}, "200": 7}}`, `found +60 px 0.500\n.*both eyes near +–\n`},
		{`{"found": 7}`, `found +7\n`},
		{`{"disturbed": {"rows": {"what": "fog"}}}`, `disturbed\.rows\.what +"fog"`},
	} {
		card, _ := builtIn(t)
		card.Scores = json.RawMessage(c.scores)
		var b bytes.Buffer
		if err := modelPage(&b, card); err != nil || !regexp.MustCompile(c.want).MatchString(b.String()) {
			t.Errorf("%s: %v, want %s:\n%s", c.scores, err, c.want, b.String())
		}
	}
	var b bytes.Buffer
	bare, _ := builtIn(t)
	bare.Outputs, bare.Data, bare.Limits = affect.Outputs{}, nil, nil
	if err := modelPage(&b, bare); err != nil || !strings.Contains(b.String(), "the card names none") {
		t.Errorf("without outputs, data and limits: %v\n%s", err, b.String())
	}
}

// Any key of the scores may be absent, or hold what it should not.
func TestModelPageWithoutAnyKey(t *testing.T) {
	card, scores := builtIn(t)
	pages := 0
	page := func(path string) {
		text, err := json.Marshal(scores)
		if err != nil {
			t.Fatal(err)
		}
		card.Scores = text
		var b bytes.Buffer
		if err := modelPage(&b, card); err != nil || !strings.Contains(b.String(), card.SHA256) {
			t.Errorf("%s: %v", path, err)
		}
		if strings.Contains(b.String(), "%!") || strings.Contains(b.String(), "<nil>") {
			t.Errorf("%s:\n%s", path, b.String())
		}
		pages++
	}
	var walk func(m map[string]any, path string, depth int)
	walk = func(m map[string]any, path string, depth int) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			was := m[k]
			delete(m, k)
			page(path + k + " absent")
			for _, v := range []any{"word", []any{}, map[string]any{"x": []any{nil}}} {
				m[k] = v
				page(fmt.Sprintf("%s%s = %v", path, k, v))
			}
			m[k] = was
			if below, ok := was.(map[string]any); ok && depth > 0 && k != "validation" {
				walk(below, path+k+".", depth-1)
			}
		}
	}
	walk(scores, "", 2)
	if pages < 250 {
		t.Errorf("%d pages only", pages)
	}
}
