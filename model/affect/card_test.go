package affect

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func readCard(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func loadCard(t testing.TB, name string) (*Card, []byte) {
	t.Helper()
	card, model, err := Load(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return card, model
}

// edited gives the full card with one value replaced (or, for nil, removed) at
// a path of keys and list places.
func edited(t testing.TB, value any, path ...any) []byte {
	t.Helper()
	var root any
	if err := json.Unmarshal(readCard(t, "full"), &root); err != nil {
		t.Fatal(err)
	}
	at := root
	for _, step := range path[:len(path)-1] {
		switch s := step.(type) {
		case string:
			at = at.(map[string]any)[s]
		case int:
			at = at.([]any)[s]
		}
	}
	switch last := path[len(path)-1].(type) {
	case string:
		if value == nil {
			delete(at.(map[string]any), last)
		} else {
			at.(map[string]any)[last] = value
		}
	case int:
		at.([]any)[last] = value
	}
	text, err := json.MarshalIndent(root, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestLoadReadsEveryCard(t *testing.T) {
	for _, name := range []string{"full", "bare", "joined"} {
		card, model := loadCard(t, name)
		if card.Name != name || len(model) == 0 || card.Path() != filepath.Join("testdata", name+".json") {
			t.Errorf("%s: got card %q of %q, model of %d bytes", name, card.Name, card.Path(), len(model))
		}
	}
	card, _ := loadCard(t, "full")
	if at, ok := card.Threshold(2); !ok || at != 0.4 {
		t.Errorf("threshold of AU2: got %v, %v", at, ok)
	}
	if _, ok := card.Threshold(5); ok {
		t.Error("AU5 has a threshold, the card does not have it")
	}
}

// TestParseCardNamesWhatIsWrong tries each kind of mistake; the error must hold
// the file, the key, and what is allowed.
func TestParseCardNamesWhatIsWrong(t *testing.T) {
	type o = []any
	out := func(path ...any) o { return append(o{"outputs"}, path...) }
	for _, c := range []struct {
		value any
		path  o
		want  []string
	}{
		{2, o{"schema"}, []string{"schema: 2", "schema 1"}},
		{"", o{"licence"}, []string{"licence", "terms"}},
		{"../x.tflite", o{"file"}, []string{"file", "beside the card"}},
		{"12ab", o{"sha256"}, []string{"sha256", "64 hexadecimal"}},
		{4, o{"input", "width"}, []string{"input.width: 4", "8 to 1024"}},
		{2, o{"input", "channels"}, []string{"input.channels: 2", "1 or 3"}},
		{"gray", o{"input", "colour"}, []string{"input.colour", `did you mean "grey"`}},
		{"rgb", o{"input", "colour"}, []string{"input.colour", "grey has 1, rgb has 3"}},
		{o{127.5, 127.5}, o{"input", "mean"}, []string{"input.mean: 2 values", "each of the 1 channels"}},
		{o{0}, o{"input", "std"}, []string{"input.std[0]: 0", "above 0"}},
		{o{1.0}, o{"input", "template", "left_eye"}, []string{"input.template.left_eye: 1 values: must be 2"}},
		{o{15, 40}, o{"input", "template", "left_eye"}, []string{"input.template.left_eye", "within the 24x24 input"}},
		{o{16, 9}, o{"input", "template", "right_eye"}, []string{"input.template", "to the left"}},
		{"softmax", out("expression", "kind"), []string{"outputs.expression.kind", "logits or probability"}},
		{"happyness", out("expression", "classes", 1), []string{"outputs.expression.classes[1]", `did you mean "happiness"`}},
		{"neutral", out("expression", "classes", 1), []string{"outputs.expression.classes[1]", "there twice"}},
		{"Happy Face", out("expression", "classes", 1), []string{"lower-case"}},
		{o{"neutral"}, out("expression", "classes"), []string{"1 classes: must be 2"}},
		{-1, out("expression", "index"), []string{"outputs.expression.index: -1"}},
		{-1, out("expression", "offset"), []string{"outputs.expression.offset: -1"}},
		{"logits", out("valence_arousal", "kind"), []string{"outputs.valence_arousal.kind", "tanh or linear or raw"}},
		{o{"valence", "valence"}, out("valence_arousal", "order"), []string{"outputs.valence_arousal.order", "arousal"}},
		{0, out("action_units", "units", 3), []string{"outputs.action_units.units[3]: 0", "FACS"}},
		{1, out("action_units", "units", 3), []string{"outputs.action_units.units[3]", "twice"}},
		{o{0.5}, out("action_units", "thresholds"), []string{"1 values for 14 units"}},
		{1.5, out("action_units", "thresholds", 2), []string{"outputs.action_units.thresholds[2]: 1.5", "0 to 1"}},
		{o{5}, out("action_units", "weak"), []string{"outputs.action_units.weak[0]: 5", "one of the units"}},
		{1.0, out("action_units", "eyes_closed_at"), []string{"eyes_closed_at", "between 0 and 1"}},
		{o{"eyes", "eys", "mouth"}, out("visibility", "parts"), []string{"outputs.visibility.parts[1]", `did you mean "eyes"`}},
		{o{5}, o{"regions", "eyes"}, []string{"regions.eyes[0]", "AU5"}},
		{o{4, 4}, o{"regions", "eyes"}, []string{"regions.eyes[1]", "twice"}},
		{o{4}, o{"regions", "ears"}, []string{"regions.ears", "eyes, mouth"}},
		{nil, out("visibility"), []string{"regions.eyes", "no visibility output"}},
		{map[string]any{}, o{"outputs"}, []string{"outputs", "at least one"}},
		{"seed", o{"known_answer", "input"}, []string{"known_answer.input", "lcg:1"}},
		{300, o{"known_answer", "outputs", 0, 0}, []string{"known_answer.outputs[0][0]: 300", "one byte"}},
		{"112", o{"input", "width"}, []string{"input.width", "a JSON string stands where a whole number belongs"}},
		{11.5, o{"input", "width"}, []string{"input.width", "whole number"}},
		{1, o{"input", "widht"}, []string{"input.widht: unknown key", `did you mean "width"`, "allowed are"}},
		{1, o{"Name"}, []string{"Name: unknown key", `did you mean "name"`}},
		{1, out("gaze"), []string{"outputs.gaze: unknown key", "valence_arousal"}},
	} {
		_, err := ParseCard("affect.json", edited(t, c.value, c.path...))
		if err == nil {
			t.Errorf("%v = %v: no error", c.path, c.value)
			continue
		}
		if !strings.HasPrefix(err.Error(), "affect.json:") {
			t.Errorf("%v = %v: the error does not name the file: %v", c.path, c.value, err)
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v = %v: want %q in: %v", c.path, c.value, want, err)
			}
		}
	}
}

func TestParseCardNamesTheLine(t *testing.T) {
	text := readCard(t, "full")
	for _, c := range []struct{ name, from, to, want string }{
		{"unknown key", `"version"`, `"verson"`, "x.json:4: verson: unknown key"},
		{"double key", `"version"`, `"name"`, "x.json:4: name: is there twice"},
		{"wrong type", `"version": "1"`, `"version": 1`, "x.json:4: version: a JSON number stands where a text belongs"},
		{"null", `"version": "1"`, `"version": null`, "x.json:4: version: is null"},
		{"no comma", `"version": "1",`, `"version": "1"`, "x.json:5: not valid JSON"},
	} {
		_, err := ParseCard("x.json", bytes.Replace(text, []byte(c.from), []byte(c.to), 1))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := ParseCard("x.json", append(slices.Clone(text), "{}"...)); err == nil || !strings.Contains(err.Error(), "after the end") {
		t.Errorf("two cards in one file: got %v", err)
	}
	if _, err := ParseCard("x.json", []byte("[]")); err == nil || !strings.Contains(err.Error(), "begins with {") {
		t.Errorf("a list: got %v", err)
	}
}

// TestParseCardCutShort cuts the card at every byte: always an error, never
// more than that.
func TestParseCardCutShort(t *testing.T) {
	text := bytes.TrimSpace(readCard(t, "full"))
	for n := range text {
		if _, err := ParseCard("x.json", text[:n]); err == nil {
			t.Fatalf("cut at byte %d of %d: no error", n, len(text))
		}
	}
}

func TestLoadHoldsModelAgainstCard(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "full.json")
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("full.json", readCard(t, "full"))
	if _, _, err := Load(path); err == nil || !strings.Contains(err.Error(), "full.tflite") || !os.IsNotExist(unwrapAll(err)) {
		t.Errorf("without a model: got %v", err)
	}
	_, model := loadCard(t, "full")
	model[len(model)/2] ^= 1
	write("full.tflite", model)
	_, _, err := Load(path)
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "sha256") || !strings.Contains(err.Error(), "full.tflite") {
		t.Errorf("with a damaged model: got %v", err)
	}
}

func unwrapAll(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return err
		}
		inner := u.Unwrap()
		if inner == nil {
			return err
		}
		if _, ok := err.(*os.PathError); ok {
			return err
		}
		err = inner
	}
}

// FuzzParseCard looks for a text that makes the parser fall over.
func FuzzParseCard(f *testing.F) {
	for _, name := range []string{"full", "bare", "joined"} {
		f.Add(readCard(f, name))
	}
	f.Add([]byte(`{"regions":{"eyes":[[[]]]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if card, err := ParseCard("x.json", text); err == nil {
			Signals(card)
			for _, s := range Signals(card) {
				if _, ok := Describe(s, card); !ok {
					t.Errorf("signal %q of an accepted card cannot be described", s)
				}
			}
		}
	})
}

// A card may hold anything but a way to take the unit's memory or time: depth and
// size are bounded, and what cannot be read to its end is not waited for.
func TestHostileCards(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile("testdata/bare.json")
	if err != nil {
		t.Fatal(err)
	}
	with := func(scores string) string {
		return strings.Replace(string(text), "{", `{"scores": `+scores+",", 1)
	}
	long := strings.Repeat("k", 100_000)
	for name, c := range map[string]struct{ card, says string }{
		"nested objects":  {with(strings.Repeat(`{"a":`, 4000) + "1" + strings.Repeat("}", 4000)), "more than 32 deep"},
		"nested lists":    {with(strings.Repeat("[", 4000) + strings.Repeat("]", 4000)), "more than 32 deep"},
		"deep and long":   {with(strings.Repeat(`{"`+long[:20000]+`":`, 30) + "1" + strings.Repeat("}", 30)), ""},
		"a long key":      {with(`{"` + long + `": [` + strings.Repeat("0,", 100_000) + "0]}"), ""},
		"megabytes":       {with(`"` + strings.Repeat("x", 2<<20) + `"`), "the limit is 1048576"},
		"no end":          {with(strings.Repeat("[", 100)), "more than 32 deep"},
		"an unknown list": {`{"nothing": [[1]]}`, "nothing: unknown key"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, "c.json")
			if err := os.WriteFile(path, []byte(c.card), 0o600); err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err := Load(path)
			runtime.ReadMemStats(&after)
			if c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%v, want %q", err, c.says)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
				t.Errorf("%d MiB for %d KiB", used>>20, len(c.card)>>10)
			}
		})
	}
	pipe := filepath.Join(dir, "pipe.json")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load(pipe); err == nil || !strings.Contains(err.Error(), "a named pipe") {
		t.Error(err)
	}
}
