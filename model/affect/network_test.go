package affect

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"mien/model/face"
	"mien/model/pixel"
	"mien/model/tflite"
)

func openNetwork(t testing.TB, name string) *Network {
	t.Helper()
	card, model := loadCard(t, name)
	n, err := Open(card, model, tflite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// noise is the input of the known answer.
func noise(n int) []byte {
	t := tflite.Tensor{Type: tflite.UInt8, Shape: []int{n}, Data: make([]byte, n)}
	tflite.Fill(&t, 1)
	return t.Data
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-5) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// TestInferTensorIsTheCardsArithmetic computes every level from the known
// answer's bytes by the formulas of the card's kinds.
func TestInferTensorIsTheCardsArithmetic(t *testing.T) {
	n := openNetwork(t, "full")
	c := n.Card()
	var r Result
	if err := n.InferTensor(noise(24*24), &r); err != nil {
		t.Fatal(err)
	}
	outs := n.net.Outputs()
	value := func(output, i int) float64 {
		return float64(c.KnownAnswer.Outputs[output][i]-outs[output].ZeroPoint) * float64(outs[output].Scale)
	}
	sum := 0.0
	for i := range 8 {
		sum += math.Exp(value(c.Outputs.Expression.Index, i))
	}
	for i, got := range r.Expression {
		near(t, "expression", float64(got), math.Exp(value(c.Outputs.Expression.Index, i))/sum)
	}
	near(t, "valence", float64(r.Valence), value(c.Outputs.ValenceArousal.Index, 0))
	near(t, "arousal", float64(r.Arousal), value(c.Outputs.ValenceArousal.Index, 1))
	for i, got := range r.Uncovered {
		near(t, "action unit", float64(got), 1/(1+math.Exp(-value(c.Outputs.ActionUnits.Index, i))))
	}
	for i, got := range r.Visible {
		want := 1 / (1 + math.Exp(-value(c.Outputs.Visibility.Index, i)))
		near(t, "visibility", float64(got), want)
		if covered := r.Covered>>i&1 == 1; covered != (want < 0.5) {
			t.Errorf("part %d visible with %v: covered %v", i, want, covered)
		}
	}
	if len(r.Expression) != 8 || len(r.Uncovered) != 14 || len(r.Visible) != 3 {
		t.Errorf("lengths %d, %d, %d", len(r.Expression), len(r.Uncovered), len(r.Visible))
	}
}

// TestCoveredUnitsAreUnknown sets the thresholds so that each part in turn is
// covered: its units are NaN, the others keep their level.
func TestCoveredUnitsAreUnknown(t *testing.T) {
	for _, covered := range []string{"", "eyes", "mouth"} {
		thresholds := []any{0.0, 0.0, 0.0}
		if i := slices.Index([]string{"eyes", "mouth"}, covered); i >= 0 {
			thresholds[i] = 1.0
		}
		_, model := loadCard(t, "full")
		card, err := ParseCard("x.json", edited(t, thresholds, "outputs", "visibility", "thresholds"))
		if err != nil {
			t.Fatal(err)
		}
		n, err := Open(card, model, tflite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var r Result
		if err := n.InferTensor(noise(24*24), &r); err != nil {
			t.Fatal(err)
		}
		levels := make([]float32, len(Signals(card)))
		r.Levels(levels)
		for i, u := range card.Outputs.ActionUnits.Units {
			hidden := covered != "" && slices.Contains(card.Regions[covered], u)
			level := levels[slices.Index(Signals(card), unitName(u))]
			if (level != level) != hidden || (r.ActionUnits[i] != r.ActionUnits[i]) != hidden {
				t.Errorf("%q covered: AU%d is %v", covered, u, level)
			}
			if r.Uncovered[i] != r.Uncovered[i] || (!hidden && r.Uncovered[i] != level) {
				t.Errorf("%q covered: AU%d without regard to it is %v, else %v", covered, u, r.Uncovered[i], level)
			}
		}
		n.Close()
	}
}

func TestNetworkWithoutUnitsAndVisibility(t *testing.T) {
	n := openNetwork(t, "bare")
	img := pixel.Image{Format: pixel.RGB24, Width: 64, Height: 48, Data: noise(64 * 48 * 3)}
	f := face.Face{}
	f.Keypoints[face.RightEye], f.Keypoints[face.LeftEye] = face.Point{X: 20, Y: 20}, face.Point{X: 40, Y: 22}
	var r Result
	if err := n.Infer(&img, &f, &r); err != nil {
		t.Fatal(err)
	}
	outs := n.net.Outputs()
	o := n.Card().Outputs
	for i, want := range outs[o.Expression.Index].Float32() {
		near(t, "expression", float64(r.Expression[i]), float64(want))
	}
	va := outs[o.ValenceArousal.Index].Float32()
	clip := func(x float32) float64 { return math.Min(math.Max(float64(x), -1), 1) }
	near(t, "arousal comes first", float64(r.Arousal), clip(va[0]))
	near(t, "valence second", float64(r.Valence), clip(va[1]))
	if len(r.ActionUnits) != 0 || len(r.Visible) != 0 || r.Covered != 0 {
		t.Errorf("units %v, visible %v, covered %b of a network that has none", r.ActionUnits, r.Visible, r.Covered)
	}
	for _, s := range Signals(n.Card()) {
		if strings.HasPrefix(s, "au") || s == Perclos || s == EyesClosed || strings.HasPrefix(s, "visible.") {
			t.Errorf("signal %q of a network without units", s)
		}
	}
}

func TestNetworkOfOneJoinedTensor(t *testing.T) {
	n := openNetwork(t, "joined")
	var r Result
	if err := n.InferTensor(noise(24*24), &r); err != nil {
		t.Fatal(err)
	}
	out := n.net.Outputs()[0]
	var v [10]float64
	sum := 0.0
	for i, q := range n.Card().KnownAnswer.Outputs[0] {
		v[i] = float64(q-out.ZeroPoint) * float64(out.Scale)
		if i < 8 {
			sum += math.Exp(v[i])
		}
	}
	for i := range 8 {
		near(t, "expression", float64(r.Expression[i]), math.Exp(v[i])/sum)
	}
	near(t, "valence", float64(r.Valence), math.Tanh(v[8]))
	near(t, "arousal", float64(r.Arousal), math.Tanh(v[9]))
}

// TestInferFillsTheTemplate puts a white dot on each eye of a black picture and
// finds it again at the template's eyes.
func TestInferFillsTheTemplate(t *testing.T) {
	n := openNetwork(t, "full")
	img := pixel.Image{Format: pixel.GREY, Width: 200, Height: 150, Data: make([]byte, 200*150)}
	var f face.Face
	f.Keypoints[face.RightEye], f.Keypoints[face.LeftEye] = face.Point{X: 60, Y: 50}, face.Point{X: 110, Y: 80}
	for _, p := range f.Keypoints[:2] {
		for dy := -8; dy <= 8; dy++ {
			for dx := -8; dx <= 8; dx++ {
				img.Data[(int(p.Y)+dy)*200+int(p.X)+dx] = 255
			}
		}
	}
	var r Result
	if err := n.Infer(&img, &f, &r); err != nil {
		t.Fatal(err)
	}
	in := n.net.Inputs()[0]
	at := func(x, y int) int { return int(in.Int8()[y*24+x]) }
	for _, p := range [][2]int{{8, 9}, {8, 10}, {15, 9}, {15, 10}} { // the eyes lie at y 9.5
		if at(p[0], p[1]) < 0 {
			t.Errorf("input (%d, %d) at an eye is %d: dark", p[0], p[1], at(p[0], p[1]))
		}
	}
	if at(12, 9) > -120 || at(8, 14) > -120 || at(0, 0) > -120 {
		t.Errorf("input away from the eyes is bright: %d, %d, %d", at(12, 9), at(8, 14), at(0, 0))
	}
	seen := slices.Clone(in.Int8())
	n.Mirrored = true
	if err := n.Infer(&img, &f, &r); err != nil {
		t.Fatal(err)
	}
	for y := range 24 {
		for x := range 24 {
			if d := at(x, y) - int(seen[y*24+23-x]); d < -1 || d > 1 {
				t.Fatalf("mirrored input (%d, %d) is %d, the other way %d", x, y, at(x, y), seen[y*24+23-x])
			}
		}
	}
	if err := n.InferAt(&img, pixel.Identity, &r); err != nil {
		t.Fatal(err)
	}
	if err := n.InferTensor(make([]byte, 5), &r); err == nil || !strings.Contains(err.Error(), "5 bytes, needs 576") {
		t.Errorf("short tensor: got %v", err)
	}
	if err := n.Infer(&pixel.Image{Format: pixel.GREY, Width: 9, Height: 9}, &f, &r); !errors.Is(err, pixel.ErrSize) {
		t.Errorf("picture without data: got %v", err)
	}
}

func TestOpenHoldsCardAgainstTensors(t *testing.T) {
	_, model := loadCard(t, "full")
	type o = []any
	for _, c := range []struct {
		value any
		path  o
		want  []string
	}{
		{9, o{"outputs", "expression", "index"}, []string{"outputs.expression.index: 9", "full.tflite has 4 outputs"}},
		{1, o{"input", "index"}, []string{"input.index: 1", "1 inputs"}},
		{32, o{"input", "width"}, []string{"[1 24 32 1]", "[1 24 24 1]"}},
		{o{"neutral", "anger"}, o{"outputs", "expression", "classes"}, []string{"outputs.expression", "8 elements", "element 2"}},
		{o{"neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "other"}, o{"outputs", "expression", "classes"},
			[]string{"outputs.expression", "9 classes", "8 elements"}},
		{1, o{"outputs", "expression", "offset"}, []string{"outputs.expression", "from element 1"}},
		{nil, o{"known_answer"}, []string{"known_answer", "missing"}},
	} {
		card, err := ParseCard("c.json", edited(t, c.value, c.path...))
		if err != nil {
			t.Fatal(err)
		}
		n, err := Open(card, model, tflite.Options{})
		if err == nil {
			n.Close()
			t.Errorf("%v = %v: no error", c.path, c.value)
			continue
		}
		for _, want := range append(c.want, "c.json") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v = %v: want %q in: %v", c.path, c.value, want, err)
			}
		}
		if fits := card.Fits(model); fits == nil || fits.Error() != err.Error() {
			t.Errorf("%v = %v: without a library %v, want %v", c.path, c.value, fits, err)
		}
	}
	for _, name := range []string{"full", "bare", "joined"} {
		card, model := loadCard(t, name)
		if err := card.Fits(model); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	card, _ := loadCard(t, "full")
	if err := card.Fits([]byte("a picture")); !errors.Is(err, tflite.ErrForeign) {
		t.Errorf("another file: %v", err)
	}
}

func TestOpenRefusesTwoKeysForOneElement(t *testing.T) {
	_, model := loadCard(t, "full")
	card, err := ParseCard("c.json", edited(t, nil, "outputs", "action_units"))
	if err == nil {
		t.Fatal("regions of units that the network lacks were taken")
	}
	var m map[string]any
	json.Unmarshal(readCard(t, "full"), &m)
	at := m["outputs"].(map[string]any)["expression"].(map[string]any)["index"]
	card, err = ParseCard("c.json", edited(t, map[string]any{"index": at, "offset": 6, "kind": "tanh", "order": []any{"valence", "arousal"}, "derived": false}, "outputs", "valence_arousal"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(card, model, tflite.Options{})
	if err == nil || !strings.Contains(err.Error(), "which outputs.expression reads too") {
		t.Errorf("got %v", err)
	}
}

func TestOpenRefusesAWrongAnswer(t *testing.T) {
	_, model := loadCard(t, "full")
	card, err := ParseCard("c.json", edited(t, 17, "known_answer", "outputs", 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(card, model, tflite.Options{}); !errors.Is(err, tflite.ErrWrongAnswer) || !strings.Contains(err.Error(), "c.json") {
		t.Errorf("got %v, want ErrWrongAnswer that names the card", err)
	}
	_, other := loadCard(t, "joined")
	full, _ := loadCard(t, "full")
	if _, err := Open(full, other, tflite.Options{}); err == nil || !strings.Contains(err.Error(), "sha256") {
		t.Errorf("another model: got %v", err)
	}
}

// TestInferAllocatesNothing is the hot path's promise.
func TestInferAllocatesNothing(t *testing.T) {
	n := openNetwork(t, "full")
	img := pixel.Image{Format: pixel.YUYV, Width: 64, Height: 48, Data: noise(64 * 48 * 2)}
	var f face.Face
	f.Keypoints[face.RightEye], f.Keypoints[face.LeftEye] = face.Point{X: 20, Y: 20}, face.Point{X: 40, Y: 22}
	stage, err := NewStage(DefaultSettings(), n.Card())
	if err != nil {
		t.Fatal(err)
	}
	var r Result
	results := []*Result{&r}
	frame := 0
	step := func() {
		if err := n.Infer(&img, &f, &r); err != nil {
			t.Fatal(err)
		}
		frame++
		if frame%7 == 0 {
			stage.Step(at(frame), nil)
		} else {
			stage.Step(at(frame), results)
		}
		stage.Expression()
		stage.Compound()
	}
	step()
	if n := testing.AllocsPerRun(200, step); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}
