package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mien/firmware/config"
	"mien/model/assets"
)

// demoFrames are the JPEG files of the demo clip.
func demoFrames(t testing.TB) [][]byte {
	t.Helper()
	clip := assets.Demo()
	var frames [][]byte
	for len(clip) > 0 {
		end := bytes.Index(clip[2:], []byte{0xff, 0xd8, 0xff})
		if end < 0 {
			return append(frames, clip)
		}
		frames = append(frames, clip[:end+2])
		clip = clip[end+2:]
	}
	return frames
}

// demoSet writes every step-th frame of the clip and labels of what its script
// says is shown, from half a second after an event begins.
func demoSet(t testing.TB, step int) (labels string, rows int) {
	t.Helper()
	var script struct {
		Events []struct {
			Name       string
			Start, End float64
			Units      []int `json:"action_units"`
		}
	}
	if err := json.Unmarshal(assets.DemoScript(), &script); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.Write([]string{"file", "group", "expression", "valence", "arousal", "AU4", "AU12", "AU43", "AU17", "visible_eyes"})
	for i, data := range demoFrames(t) {
		at := float64(i) / assets.DemoFPS
		if i%step != 0 {
			continue
		}
		for _, e := range script.Events {
			if at < e.Start+0.5 || at > e.End-0.5 || e.Name == "away" {
				continue
			}
			name := fmt.Sprintf("%04d.jpg", i)
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
				t.Fatal(err)
			}
			has := func(u int) string { return map[bool]string{true: "1", false: "0"}[slices.Contains(e.Units, u)] }
			expression := map[string]string{"smile": "happiness", "surprise": "surprise", "neutral": "neutral"}[e.Name]
			valence := map[string]string{"smile": "0.8", "surprise": "0.2", "neutral": "0"}[e.Name]
			arousal := map[string]string{"smile": "0.4", "surprise": "0.8", "neutral": "0"}[e.Name]
			w.Write([]string{name, map[bool]string{true: "early", false: "late"}[at < 10], expression, valence, arousal, has(4), has(12), has(43), "", "1"})
			rows++
		}
	}
	w.Flush()
	labels = filepath.Join(dir, "labels.csv")
	if err := os.WriteFile(labels, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return labels, rows
}

func readCSV(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	for _, l := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			row[name] = l[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// TestRunOnTheDemoClip measures the network that ships on frames of the demo
// clip and works the scores out again from the predictions that it wrote.
func TestRunOnTheDemoClip(t *testing.T) {
	labels, n := demoSet(t, 2)
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	var stdout, stderr bytes.Buffer
	err := run([]string{"-labels", labels, "-predictions", file("p.csv"), "-json", file("s.json"), "-html", file("r.html"), "-config", file("c.toml"), "-bootstrap", "100"}, &stdout, &stderr)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file("s.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if r.Pictures != n || r.Answered != n || r.Whole != 0 || len(r.Unread) != 0 {
		t.Errorf("%d pictures, %d answered, %d whole, without an answer %v", r.Pictures, r.Answered, r.Whole, r.Unread)
	}
	truth, got := readCSV(t, labels), readCSV(t, file("p.csv"))
	if len(got) != n {
		t.Fatalf("%d predictions for %d pictures", len(got), n)
	}
	number := func(s string) float64 {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	var right, labelled float64
	hits := map[string]*counts{"AU4": {}, "AU12": {}, "AU43": {}}
	card := embedded(t)
	for i := range got {
		if got[i]["file"] != truth[i]["file"] || got[i]["group"] != truth[i]["group"] {
			t.Fatalf("row %d is of %s, the labels' of %s", i, got[i]["file"], truth[i]["file"])
		}
		if e := truth[i]["expression"]; e != "" {
			labelled++
			if got[i]["expression"] == e {
				right++
			}
		}
		for _, u := range card.Outputs.ActionUnits.Units {
			if v := number(got[i][fmt.Sprintf("AU%d", u)]); v < 0 || v > 1 {
				t.Errorf("level of AU%d: %v", u, v)
			}
		}
		for name, c := range hits {
			threshold, _ := card.Threshold(int(number(name[2:])))
			c.add(number(got[i][name]) >= float64(threshold), truth[i][name] == "1", 1)
		}
	}
	close := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-4 {
			t.Errorf("%s: the report has %v, the predictions give %v", what, got, want)
		}
	}
	close("accuracy", float64(r.Expression.Accuracy.Value), right/labelled)
	for _, u := range r.Units.Units {
		close(u.Name, float64(u.F1.Value), hits[fmt.Sprintf("AU%d", u.Unit)].f1())
	}
	close("P_MTL", float64(r.MTL.Value), float64(r.Affect.MeanCCC.Value+r.Expression.MacroF1.Value+r.Units.MacroF1.Value))
	if s := r.Expression.Accuracy; !(s.Low <= s.Value && s.Value <= s.High) {
		t.Errorf("interval of the accuracy: %v", s)
	}
	// The clip closes its eyes for seconds: who is right about nothing else
	// must see that.
	if f := hits["AU43"].f1(); f < 0.8 {
		t.Errorf("closed eyes of the demo clip: F1 %v", f)
	}
	all := strings.Join(r.Warnings, "\n")
	for _, want := range []string{"does not give AU17", "derived", "no picture is labelled sadness"} {
		if !strings.Contains(all, want) {
			t.Errorf("no warning with %q in\n%s", want, all)
		}
	}
	if len(r.Groups.Groups) != 2 || r.Groups.Groups[0].Group != "early" {
		t.Fatalf("groups %+v", r.Groups)
	}
	for _, g := range r.Groups.Groups {
		checkGroup(t, &g, truth, got)
	}
	if !strings.Contains(stdout.String(), "AU43 eyes closed") || !strings.Contains(stdout.String(), "valence and arousal, derived") {
		t.Errorf("on the terminal:\n%s", stdout.String())
	}
	checkPage(t, file("r.html"))
	checkConfig(t, file("c.toml"))
}

// checkGroup works the scores of one group out from the rows that are its own:
// every score that the report has of all pictures is there, with its interval.
func checkGroup(t *testing.T, g *groupScores, truth, got []map[string]string) {
	t.Helper()
	classes := embedded(t).Outputs.Expression.Classes
	var said, is []int
	units := map[string]*counts{"AU4": {}, "AU12": {}, "AU43": {}}
	for i := range truth {
		if truth[i]["group"] != g.Group {
			continue
		}
		said, is = append(said, slices.Index(classes, got[i]["expression"])), append(is, slices.Index(classes, truth[i]["expression"]))
		for name, c := range units {
			unit, _ := strconv.Atoi(name[2:])
			threshold, _ := embedded(t).Threshold(unit)
			level, err := strconv.ParseFloat(got[i][name], 64)
			if err != nil {
				t.Fatal(err)
			}
			c.add(level >= float64(threshold), truth[i][name] == "1", 1)
		}
	}
	e := g.All.Expression
	m := confusion(is, said, ones(len(is)), len(classes))
	near4 := func(what string, got interval, want float64) {
		t.Helper()
		if math.Abs(float64(got.Value)-want) > 1e-4 || !(got.Low <= got.Value && got.Value <= got.High) {
			t.Errorf("%s of %s: the report has %v, the predictions give %v", what, g.Group, got, want)
		}
	}
	near4("accuracy", e.Accuracy, accuracy(m))
	near4("macro F1", e.MacroF1, macroF1(m))
	for c, line := range m {
		one := classCounts(m, c)
		if one.truePos > 0 {
			near4("precision of "+classes[c], e.PerClass[c].Precision, one.precision())
			near4("recall of "+classes[c], e.PerClass[c].Recall, one.recall())
		}
		for p, n := range line {
			if e.Confusion[c][p] != int(n) {
				t.Errorf("%s: %s taken for %s %d times, the predictions give %v", g.Group, classes[c], classes[p], e.Confusion[c][p], n)
			}
			if n > 0 {
				near4("share of "+classes[c]+" taken for "+classes[p], e.Shares[c][p], n/(one.truePos+one.falseNeg))
			}
		}
	}
	for _, u := range g.All.Units.Units {
		c := units[fmt.Sprintf("AU%d", u.Unit)]
		if c.truePos > 0 {
			near4(u.Name, u.F1, c.f1())
			near4("precision of "+u.Name, u.Precision, c.precision())
		}
		if c.truePos+c.falseNeg > 0 && !(u.AP.Low <= u.AP.High && u.AUC.Low <= u.AUC.High && u.ECE.Low <= u.ECE.High) {
			t.Errorf("%s of %s: average precision %v, AUC %v, calibration error %v", u.Name, g.Group, u.AP, u.AUC, u.ECE)
		}
	}
	near4("P_MTL", *g.All.MTL, float64(g.All.Affect.MeanCCC.Value+e.MacroF1.Value+g.All.Units.MacroF1.Value))
	for what, c := range map[string]calibration{"expression": e.Calibration, "units": g.All.Units.Calibration} {
		open := 0
		for _, b := range c.Bins {
			if b.Pictures >= 5 && !(b.Truth.Low <= b.Truth.Value && b.Truth.Value <= b.Truth.High) {
				open++
			}
		}
		if len(c.Bins) != calibrationBins || open > 0 || !(c.Error.Low <= c.Error.High) {
			t.Errorf("calibration of %s in %s: %+v", what, g.Group, c)
		}
	}
}

// checkPage: one page, drawn, that asks for nothing from outside.
func checkPage(t *testing.T, path string) {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	for _, want := range []string{"<h2>Expression</h2>", "<h2>Action units</h2>", "<h2>By group</h2>", "<summary>early: ", "derived", "</html>"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	// Reliability twice, two scatters, marks, three curves, one for each score
	// of the groups, reliability twice for each group.
	if n := strings.Count(text, "<svg"); n < 13 {
		t.Errorf("%d plots", n)
	}
	for _, no := range []string{"<script", "src=", "href=\"http", "url(", "ZgotmplZ", "NaN", "%!"} {
		if i := strings.Index(text, no); i >= 0 {
			t.Errorf("the page has %q: …%s…", no, text[max(0, i-60):min(len(text), i+60)])
		}
	}
}

// checkConfig: the unit takes the thresholds as they are written.
func checkConfig(t *testing.T, path string) {
	t.Helper()
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Alarms) == 0 {
		t.Error("no alarm in the written config")
	}
	for _, a := range cfg.Alarms {
		if a.High == nil || *a.High < 0.05 || *a.High > 0.95 || a.Signal != a.Name {
			t.Errorf("alarm %+v", a)
		}
	}
}

// TestGroupsThatDiffer gives the same answers to two groups of which one is
// labelled against them: a warning; and none where labels are alike.
func TestGroupsThatDiffer(t *testing.T) {
	card := embedded(t)
	for _, wrong := range []int{0, 60} {
		set := &labelSet{path: "l.csv"}
		var answers []answer
		for i := range 400 {
			truth := i % 4
			r := set.newRow(card)
			r.file, r.group, r.expression = fmt.Sprint(i), []string{"a", "b"}[i/200], truth
			said := truth
			if i%10 == 0 || i < wrong {
				said = (truth + 1) % 4
			}
			p := make([]float64, len(card.Outputs.Expression.Classes))
			p[said] = 0.9
			set.rows = append(set.rows, r)
			answers = append(answers, answer{ok: true, aligned: true, expression: p, units: make([]float64, 14), visible: make([]float64, 2)})
		}
		r := measure(options{labels: "l.csv", rounds: 300, seed: 1, positive: 0.25}, card, set, answers)
		all := strings.Join(r.Warnings, "\n")
		if differs := strings.Contains(all, "accuracy of a is"); differs != (wrong > 0) {
			t.Errorf("%d wrong in group a: warnings\n%s", wrong, all)
		}
		if got := float64(r.Groups.Groups[1].Scores["accuracy"].Value); got != 0.9 {
			t.Errorf("accuracy of group b %v, want 0.9", got)
		}
	}
}

// TestUnitThatDiffers: a unit that is read backwards in one group is named with
// its group; a unit that is read alike in both is not, though the macro F1 is.
func TestUnitThatDiffers(t *testing.T) {
	card := embedded(t)
	set := &labelSet{path: "l.csv", units: []int{4, 12}}
	at4, at12 := slices.Index(card.Outputs.ActionUnits.Units, 4), slices.Index(card.Outputs.ActionUnits.Units, 12)
	var answers []answer
	for i := range 400 {
		r := set.newRow(card)
		r.file, r.group = fmt.Sprint(i), []string{"a", "b"}[i/200]
		truth := float64(i % 2)
		r.units[0], r.units[1] = truth, truth
		units := make([]float64, len(card.Outputs.ActionUnits.Units))
		units[at4], units[at12] = truth, truth
		if i%10 == 0 || i < 40 {
			units[at4] = 1 - truth
		}
		if i%10 == 0 {
			units[at12] = 1 - truth
		}
		set.rows = append(set.rows, r)
		answers = append(answers, answer{ok: true, aligned: true, expression: make([]float64, 8), units: units, visible: make([]float64, 2)})
	}
	r := measure(options{labels: "l.csv", rounds: 300, seed: 1, positive: 0.25}, card, set, answers)
	all := strings.Join(r.Warnings, "\n")
	for want, is := range map[string]bool{"AU4 F1 of a": true, "AU4 AUC of b": true, "action unit macro F1 of a": true, "AU12": false} {
		if strings.Contains(all, want) != is {
			t.Errorf("%q: %v in\n%s", want, !is, all)
		}
	}
	// In group a 80 are found, 20 missed, 36 seen where they are not.
	near(t, "F1 of AU4 in group a", float64(r.Groups.Groups[0].All.Units.Units[0].F1.Value), 160./216)
	// In group b none is missed, 20 of 120 are not there.
	near(t, "precision of AU12 in group b", float64(r.Groups.Groups[1].All.Units.Units[1].Precision.Value), 100./120)
	path := filepath.Join(t.TempDir(), "r.html")
	if err := r.writeHTML(path); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"F1 of each action unit that every group has enough of", "AUC of each action unit", "<summary>a: 200 pictures"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page has no %q", want)
		}
	}
}

func TestThresholdsFromTheValidationPart(t *testing.T) {
	card := embedded(t)
	set := &labelSet{path: "l.csv", units: []int{4, 15}, hasPart: true}
	var answers []answer
	for i := range 200 {
		r := set.newRow(card)
		r.validation = i < 100
		positive := i%2 == 0
		// In the answers AU4 parts the two at 0.3, far from the card's
		// threshold; AU15 is never labelled as shown.
		level := 0.2
		if positive {
			r.units[0], level = 1, 0.4
		} else {
			r.units[0] = 0
		}
		r.units[1] = 0
		units := make([]float64, 14)
		units[2] = level
		set.rows = append(set.rows, r)
		answers = append(answers, answer{ok: true, units: units, expression: make([]float64, 8), visible: make([]float64, 2)})
	}
	r := measure(options{labels: "l.csv", rounds: 100, seed: 1, positive: 0.25}, card, set, answers)
	best := r.Units.Best
	if best.Validation != 100 || best.Rest != 100 {
		t.Errorf("%d for validation, %d for the test", best.Validation, best.Rest)
	}
	if u := best.Units[0]; math.Abs(float64(u.Threshold)-0.3) > 0.011 || u.F1.Value != 1 || u.F1AtCard.Value != 0 {
		t.Errorf("AU4: %+v, want a threshold of 0.3, F1 1 and, at the card's, 0", u)
	}
	if u := best.Units[1]; u.Threshold == u.Threshold || u.F1.known() {
		t.Errorf("AU15 without a positive: %+v", u)
	}
	path := filepath.Join(t.TempDir(), "c.toml")
	if err := writeConfig(path, r); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	if !strings.Contains(string(text), "there is no threshold") || !strings.Contains(string(text), `signal = "au4"`) {
		t.Errorf("config:\n%s", text)
	}
	checkConfig(t, path)
}

func TestWrongUse(t *testing.T) {
	for want, args := range map[string][]string{
		"-labels is needed":       {},
		"all arguments are flags": {"-labels", "x.csv", "y"},
		"-covered \"gone\"":       {"-labels", "x.csv", "-covered", "gone"},
		"-positive 0":             {"-labels", "x.csv", "-positive", "0"},
		"-bootstrap 3":            {"-labels", "x.csv", "-bootstrap", "3"},
		"not defined":             {"-labells", "x.csv"},
		"x.csv":                   {"-labels", "x.csv"},
	} {
		var out bytes.Buffer
		if err := run(args, &out, &out); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", args, err, want)
		}
	}
	var out bytes.Buffer
	if err := run([]string{"-labels", "x.csv", "-model", filepath.Join(t.TempDir(), "m.tflite")}, &out, &out); err == nil || !strings.Contains(err.Error(), "m.json") {
		t.Errorf("a model without a card: got %v", err)
	}
	if err := run([]string{"-labels", "x.csv"}, &out, &out); !errors.Is(err, errUse) {
		t.Errorf("labels that are not there: got %v", err)
	}
}

// TestOutputsTakeNothingsPlace: what a run needs, or writes, is not written
// over, and a folder that is missing is told before the work.
func TestOutputsTakeNothingsPlace(t *testing.T) {
	dir := t.TempDir()
	labels := filepath.Join(dir, "l.csv")
	text := "file,expression\na.png,fear\n"
	os.WriteFile(labels, []byte(text), 0o644)
	greyPNG(t, filepath.Join(dir, "a.png"), 48)
	os.Symlink(labels, filepath.Join(dir, "link.csv"))
	for want, args := range map[string][]string{
		"-predictions " + labels + ": that file is taken: by -labels": {"-predictions", labels},
		"link.csv: that file is taken: by -labels":                    {"-json", filepath.Join(dir, "link.csv")},
		"-html ./x: that file is taken: by -json":                     {"-json", "x", "-html", "./x"},
		"m.json: that file is taken: by -model":                       {"-model", filepath.Join(dir, "m.tflite"), "-json", filepath.Join(dir, "m.json")},
		"there is no folder " + filepath.Join(dir, "none"):            {"-config", filepath.Join(dir, "none", "c.toml")},
	} {
		var out bytes.Buffer
		err := run(append([]string{"-labels", labels, "-crops", "-bootstrap", "50"}, args...), &out, &out)
		if !errors.Is(err, errUse) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", args, err, want)
		}
	}
	if got, err := os.ReadFile(labels); err != nil || string(got) != text {
		t.Errorf("the labels hold %q, %v", got, err)
	}
}

// TestOtherNetworks: one without units and visibility, in colour, and one whose
// outputs share a tensor, measured from the same labels.
func TestOtherNetworks(t *testing.T) {
	labels, _ := demoSet(t, 24)
	text, err := os.ReadFile(labels)
	if err != nil {
		t.Fatal(err)
	}
	// Neither tells visibility: that column is refused.
	var out bytes.Buffer
	model := filepath.Join("..", "..", "model", "affect", "testdata", "bare.tflite")
	if err := run([]string{"-labels", labels, "-model", model}, &out, &out); err == nil || !strings.Contains(err.Error(), "tells the visibility of: nothing") {
		t.Errorf("visibility of a network without: got %v", err)
	}
	os.WriteFile(labels, bytes.ReplaceAll(bytes.ReplaceAll(text, []byte(",visible_eyes"), nil), []byte(",,1\n"), []byte(",\n")), 0o644)
	for _, name := range []string{"bare", "joined"} {
		out.Reset()
		model := filepath.Join("..", "..", "model", "affect", "testdata", name+".tflite")
		if err := run([]string{"-labels", labels, "-model", model, "-bootstrap", "50"}, &out, &out); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, want := range []string{"does not give AU4, AU12, AU43, AU17", "accuracy", "mean CCC"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q in\n%s", name, want, out.String())
			}
		}
		if strings.Contains(out.String(), "P_MTL ") {
			t.Errorf("%s: P_MTL without units", name)
		}
	}
}
