package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"mien/model/affect"
	"mien/model/assets"
)

const (
	worstConditions = 6  // of the worker's face, on the page
	otherFigures    = 24 // of scores that the page has no words for
)

// modelPage writes a model card as a page to read. Scores are free form: what
// the page knows it puts in words, of the rest it gives name and figure, and
// what a card lacks is left out.
func modelPage(w io.Writer, card *affect.Card) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s, version %s\n%s\n\n", card.Name, card.Version, card.Description)
	fmt.Fprintf(t, "card\t%s\nfile\t%s, sha256 %s\nlicence\t%s\n", card.Path(), card.File, card.SHA256, card.Licence)
	in := card.Input
	fmt.Fprintf(t, "input\t%dx%d %s, eyes at %v and %v\n", in.Width, in.Height, in.Colour, in.Template.RightEye, in.Template.LeftEye)
	for _, o := range outputWords(card.Outputs) {
		fmt.Fprintf(t, "output\t%s\n", o)
	}
	if u := card.Outputs.ActionUnits; u != nil && len(u.Weak) > 0 {
		fmt.Fprintf(t, "weak\t%s: not for an alarm of their own\n", unitList(u.Weak))
	}

	section(t, "Data and rights")
	for _, d := range card.Data {
		fmt.Fprintf(t, "- %s (%s): %s\n", d.Name, d.Licence, d.Note)
	}
	if len(card.Data) == 0 {
		fmt.Fprintln(t, "- the card names none")
	}
	section(t, "Limits")
	for _, l := range card.Limits {
		fmt.Fprintln(t, "-", l)
	}
	if len(card.Limits) == 0 {
		fmt.Fprintln(t, "- the card names none: that does not mean there are none")
	}

	writeScores(t, card)
	fmt.Fprintln(t)
	if card.Path() == assets.CardName {
		fmt.Fprint(t, "All scores, with pictures: docs/model-card.md; ")
	}
	fmt.Fprintln(t, "the whole card: mien explain -model -json")
	return t.Flush()
}

func section(w io.Writer, title string) { fmt.Fprintf(w, "\n%s\n", title) }

func outputWords(o affect.Outputs) []string {
	var list []string
	if e := o.Expression; e != nil {
		list = append(list, "expressions: "+strings.Join(e.Classes, ", "))
	}
	if v := o.ValenceArousal; v != nil {
		s := strings.Join(v.Order, " and ")
		if v.Derived {
			s += ": derived, not measured on people's own reports"
		}
		list = append(list, s)
	}
	if u := o.ActionUnits; u != nil {
		list = append(list, "action units: "+unitList(u.Units))
	}
	if v := o.Visibility; v != nil {
		list = append(list, "visibility: "+strings.Join(v.Parts, ", "))
	}
	return list
}

func unitList(units []int) string {
	var list []string
	for _, u := range units {
		list = append(list, "AU"+strconv.Itoa(u))
	}
	return strings.Join(list, ", ")
}

func writeScores(w io.Writer, card *affect.Card) {
	var scores any
	d := json.NewDecoder(bytes.NewReader(card.Scores))
	d.UseNumber()
	if err := d.Decode(&scores); err != nil || scores == nil {
		section(w, "Scores")
		fmt.Fprintln(w, "none in this card: nothing is known of how good the network is")
		return
	}
	told := map[string]bool{}
	for _, part := range []string{"test", "validation"} {
		if told[part] = partScores(w, card, part, at(scores, part)); told[part] {
			told["validation"] = true // the lesser evidence, where the test part is told
			break
		}
	}
	told["action_units_f1"] = unitScores(w, card, scores, scores)
	told["thresholds_chosen_on"] = told["action_units_f1"] || told["validation"]
	told["by_eye"] = eyeScores(w, at(scores, "by_eye"))
	told["found"] = foundScores(w, at(scores, "found"))
	told["float_to_int8"] = int8Scores(w, at(scores, "float_to_int8"))
	told["disturbed"] = disturbedScores(w, at(scores, "disturbed"))
	var rest []string
	if m, ok := scores.(map[string]any); ok {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !told[key] {
				rest = flat(rest, key, m[key])
			}
		}
	} else {
		rest = flat(rest, "scores", scores)
	}
	if len(rest) == 0 {
		return
	}
	section(w, "Other figures of the card")
	for _, line := range rest[:min(len(rest), otherFigures)] {
		fmt.Fprintln(w, line)
	}
	if n := len(rest) - otherFigures; n > 0 {
		fmt.Fprintf(w, "and %d more, with -json\n", n)
	}
}

// partScores tells the scores on the test or the validation part, and whether
// there were any that it knows.
func partScores(w io.Writer, card *affect.Card, name string, part any) bool {
	var rows []string
	row := func(what, measure string, of any, key string) {
		if f := figure(at(of, key)); f != "" {
			rows = append(rows, fmt.Sprintf("%s\t%s\t%s%s", what, measure, f, interval(at(of, key+"_95"))))
		}
	}
	faces := at(part, "ferplus")
	row("expression, FER+"+counted(faces, "n", "faces"), "accuracy", faces, "accuracy")
	row("", "macro F1", faces, "macro_f1")
	if card.Outputs.Expression != nil {
		for _, class := range card.Outputs.Expression.Classes {
			row("", "F1 "+class, at(faces, "class_f1"), class)
		}
	}
	rendered := at(part, "rendered")
	what := "action units, rendered" + counted(rendered, "persons", "persons") + counted(rendered, "n", "pictures")
	row(what, "macro F1"+chosen(rendered), rendered, "macro_f1")
	row(what, "macro F1 at the card's thresholds", rendered, "macro_f1_at_card_thresholds")
	real := at(part, "real_against_teacher")
	what = "action units, against MediaPipe" + counted(real, "persons", "real persons") + counted(real, "n", "pictures")
	row(what, "macro F1"+chosen(real), real, "macro_f1")
	row(what, "macro F1 at the card's thresholds", real, "macro_f1_at_card_thresholds")
	row(what, "macro F1 where MediaPipe takes a side", real, "macro_f1_decided")
	lids := at(part, "lids")
	what = "eyes closed, rendered lids" + counted(lids, "n", "pictures")
	row(what, "F1, lids at least 80 % down", lids, "f1_80_percent_down")
	row(what, "share of eyes less than half closed called closed", lids, "called_closed_below_half")
	row(what, "share of eyes at least 80 % closed called open", lids, "called_open_above_80_percent")
	closed := at(part, "closed_on_ferplus")
	what = "eyes closed, against MediaPipe" + counted(closed, "n", "FER+ faces") + counted(closed, "closed", "closed")
	row(what, "F1", closed, "f1")
	row(what, "F1 where MediaPipe takes a side"+counted(closed, "decided_closed", "closed"), closed, "f1_decided")
	visible := at(part, "visibility")
	if m, ok := visible.(map[string]any); ok {
		for _, p := range slices.Sorted(maps.Keys(m)) {
			what = "visibility of " + p + counted(visible, "n", "pictures") + counted(m[p], "covered", "covered")
			row(what, "F1 visible", m[p], "f1_visible")
			row(what, "F1 covered", m[p], "f1_covered")
		}
	}
	if len(rows) > 0 {
		section(w, "Scores, "+name+" part (in brackets: 95 % interval)")
		last := ""
		for _, r := range rows {
			what, value, _ := strings.Cut(r, "\t")
			if what == last {
				what = ""
			} else if what != "" {
				last = what
			}
			fmt.Fprintf(w, "%s\t%s\n", what, value)
		}
	}
	units := unitScores(w, card, part, nil)
	return len(rows) > 0 || units
}

// unitScores is the table of units: the card's thresholds and beside them F1, on
// a part's faces or, of an imported network, on what scores itself has.
func unitScores(w io.Writer, card *affect.Card, part, scores any) bool {
	o := card.Outputs.ActionUnits
	if o == nil {
		return false
	}
	rendered, real := at(part, "rendered"), at(part, "real_against_teacher")
	against, note := at(real, "unit_f1_at_card_thresholds"), "at the card's thresholds"
	if against == nil {
		against, note = at(real, "unit_f1"), strings.TrimPrefix(chosen(real), ", ")
	}
	columns := []struct {
		title, note string
		f1          any
	}{
		{"F1 RENDERED", strings.TrimPrefix(chosen(rendered), ", "), at(rendered, "unit_f1")},
		{"F1 MEDIAPIPE", note, against},
		{"F1", "on persons of whom nothing was learnt", at(scores, "action_units_f1")},
	}
	var titles, notes []string
	var shown []any
	for _, c := range columns {
		if !slices.ContainsFunc(o.Units, func(u int) bool { return figure(at(c.f1, strconv.Itoa(u))) != "" }) {
			continue
		}
		titles, shown = append(titles, c.title), append(shown, c.f1)
		if c.note != "" {
			notes = append(notes, c.title+": "+c.note)
		}
	}
	if len(shown) == 0 {
		return false
	}
	section(w, "Action units: thresholds and F1")
	have := slices.ContainsFunc(o.Units, func(u int) bool { return figure(at(real, "positives", strconv.Itoa(u))) != "" })
	if have {
		titles = append(titles, "PICTURES WITH IT")
		notes = append(notes, "PICTURES WITH IT: real ones, by MediaPipe; the fewer, the less its F1 says")
	}
	fmt.Fprintf(w, "UNIT\tPRESENT FROM\t%s\tNOTE\n", strings.Join(titles, "\t"))
	for _, u := range o.Units {
		key := strconv.Itoa(u)
		info, _ := affect.Describe("au"+key, card)
		fmt.Fprintf(w, "%s\t", info.Human)
		if info.HasThreshold {
			fmt.Fprintf(w, "%.2f", info.Threshold)
		}
		for _, f1 := range shown {
			fmt.Fprintf(w, "\t%s", orDash(figure(at(f1, key))))
		}
		if have {
			of := figure(at(real, "positives", key))
			if of != "" && figure(at(real, "n")) != "" {
				of += " of " + figure(at(real, "n"))
			}
			fmt.Fprintf(w, "\t%s", orDash(of))
		}
		if info.Weak {
			fmt.Fprint(w, "\tweak")
		}
		fmt.Fprintln(w)
	}
	for _, n := range notes {
		fmt.Fprintln(w, n)
	}
	return true
}

// eyeScores tells what the network says of real faces that were rated by eye:
// on a line it is false positives that cost, and other scores do not show them.
func eyeScores(w io.Writer, s any) bool {
	score := at(s, "score")
	units, _ := at(score, "units").(map[string]any)
	covers, _ := at(score, "covers").(map[string]any)
	if len(units)+len(covers) == 0 {
		return false
	}
	section(w, "Real faces rated by eye"+counted(score, "faces", "faces")+counted(score, "groups", "persons or groups"))
	fmt.Fprintln(w, "WHAT\tPRESENT\tABSENT\tAUC\tFOUND\tFALSE\tFALSE, RANDOM FACES")
	row := func(name string, of any) {
		fmt.Fprint(w, name)
		for _, key := range []string{"present", "absent", "auc", "recall", "false"} {
			fmt.Fprintf(w, "\t%s", orDash(figure(at(of, key))))
		}
		fmt.Fprintf(w, "\t%s\n", orDash(figure(at(of, "random", "false"))))
	}
	// AU4 before AU12: shorter names first, but for AU1or2.
	key := func(name string) string { n, _, _ := strings.Cut(name, "or"); return fmt.Sprintf("%5s", n) }
	for _, name := range slices.SortedFunc(maps.Keys(units), func(a, b string) int { return cmp.Compare(key(a), key(b)) }) {
		row(strings.Replace(name, "or", " or AU", 1), units[name])
	}
	for _, name := range slices.Sorted(maps.Keys(covers)) {
		row(name+" covered", covers[name])
	}
	fmt.Fprintln(w, "FALSE: share of the clearly absent that is called present; most faces were chosen because networks err on them, the random ones were not")
	return true
}

// foundScores tells how often the unit finds a face at all, by its width.
func foundScores(w io.Writer, s any) bool {
	widths, _ := s.(map[string]any)
	var found, near []string
	for _, width := range slices.SortedFunc(maps.Keys(widths), func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }) {
		share := func(key string) string {
			if l, _ := at(widths[width], key).([]any); len(l) > 0 {
				return figure(l[0])
			}
			return ""
		}
		if f := share("found"); f != "" {
			found, near = append(found, width+" px "+f), append(near, orDash(share("eyes_near")))
		}
	}
	if len(found) == 0 {
		return false
	}
	section(w, "Finding the face, by its width in a picture of 640 x 480")
	fmt.Fprintf(w, "found\t%s\nof those, both eyes near\t%s\n", strings.Join(found, ", "), strings.Join(near, ", "))
	return true
}

func int8Scores(w io.Writer, s any) bool {
	var rows []string
	for _, m := range []struct{ key, words string }{{"expression_accuracy", "expression accuracy"}, {"unit_macro_f1", "action units, macro F1"}} {
		before, after := figure(at(s, m.key, "float")), figure(at(s, m.key, "int8"))
		if before != "" || after != "" {
			rows = append(rows, fmt.Sprintf("%s\t%s as float, %s as int8", m.words, orDash(before), orDash(after)))
		}
	}
	if f := figure(at(s, "unit_probability_error")); f != "" {
		rows = append(rows, "action units, mean difference of a level\t"+f)
	}
	if len(rows) > 0 {
		section(w, "What int8 costs (validation part)")
		fmt.Fprintln(w, strings.Join(rows, "\n"))
	}
	return len(rows) > 0
}

// disturbedScores tells the conditions of the worker's face under which the
// units are found worst, beside the face that nothing disturbs.
func disturbedScores(w io.Writer, s any) bool {
	list, _ := at(s, "rows").([]any)
	list = slices.DeleteFunc(slices.Clone(list), func(r any) bool {
		_, ok := number(at(r, "macro_f1"))
		return !ok || word(at(r, "what")) == ""
	})
	if len(list) == 0 {
		return false
	}
	var bare []any
	list = slices.DeleteFunc(list, func(r any) bool {
		if word(at(r, "what")) != "nothing" {
			return false
		}
		bare = append(bare, r)
		return true
	})
	slices.SortStableFunc(list, func(a, b any) int {
		x, _ := number(at(a, "macro_f1"))
		y, _ := number(at(b, "macro_f1"))
		return cmp.Compare(x, y)
	})
	section(w, fmt.Sprintf("The worker's face: the worst of %d conditions, by the units' macro F1", len(list)))
	fmt.Fprintln(w, "CONDITION\tUNITS F1\tOF THE EYES\tOF THE MOUTH\tEXPRESSION ACCURACY")
	for _, r := range append(bare, list[:min(len(list), worstConditions)]...) {
		name := word(at(r, "what"))
		if s := cmp.Or(word(at(r, "strength")), figure(at(r, "strength"))); s != "" && s != "–" {
			name += ", " + s
		}
		fmt.Fprint(w, name)
		for _, key := range []string{"macro_f1", "eye_units", "mouth_units", "expression_accuracy"} {
			fmt.Fprintf(w, "\t%s", orDash(figure(at(r, key))))
		}
		fmt.Fprintln(w)
	}
	if note := word(at(s, "note")); note != "" {
		fmt.Fprintln(w, note)
	}
	return true
}

// at is the value under keys, nil where there is none.
func at(v any, keys ...string) any {
	for _, k := range keys {
		m, _ := v.(map[string]any)
		v = m[k]
	}
	return v
}

func word(v any) string {
	s, _ := v.(string)
	return s
}

func number(v any) (float64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil
}

// figure is a number with at most three decimals, a count with none; empty for
// what is no number.
func figure(v any) string {
	f, ok := number(v)
	if !ok {
		return ""
	}
	if s := v.(json.Number).String(); !strings.ContainsAny(s, ".eE") {
		return s
	}
	return strconv.FormatFloat(f, 'f', 3, 64)
}

func interval(v any) string {
	ends, _ := v.([]any)
	if len(ends) != 2 || figure(ends[0]) == "" || figure(ends[1]) == "" {
		return ""
	}
	return fmt.Sprintf(" (%s to %s)", figure(ends[0]), figure(ends[1]))
}

func counted(v any, key, of string) string {
	if n := figure(at(v, key)); n != "" {
		return ", " + n + " " + of
	}
	return ""
}

// chosen says where the thresholds of an F1 come from, if the card does.
func chosen(v any) string {
	if s := word(at(v, "thresholds")); s != "" {
		return ", thresholds " + s
	}
	return ""
}

func orDash(s string) string { return cmp.Or(s, "–") }

// flat adds a line for every figure in v: its keys, and it.
func flat(lines []string, name string, v any) []string {
	if m, ok := v.(map[string]any); ok {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			lines = flat(lines, name+"."+k, m[k])
		}
		return lines
	}
	if n, ok := v.(json.Number); ok {
		return append(lines, name+"\t"+n.String())
	}
	text, err := json.Marshal(v)
	if err != nil {
		return lines
	}
	if r := []rune(string(text)); len(r) > 80 {
		text = []byte(string(r[:80]) + "…")
	}
	return append(lines, name+"\t"+string(text))
}
