package page

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mien/firmware/alarm"
	"mien/firmware/state"
)

// Every text is there in each language, has the same places to fill in, and is used.
func TestTextsAreWhole(t *testing.T) {
	texts, err := Texts()
	if err != nil {
		t.Fatal(err)
	}
	place := regexp.MustCompile(`\{\w+\}`)
	for key, row := range texts {
		var want []string
		for i, text := range row {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s: no text in %s", key, Languages[i])
			}
			places := place.FindAllString(text, -1)
			slices.Sort(places)
			if i == 0 {
				want = places
			} else if !slices.Equal(places, want) {
				t.Errorf("%s: %s has the places %q, %s has %q", key, Languages[0], want, Languages[i], places)
			}
		}
		if len(row) == 2 && row[0] == row[1] && !strings.HasPrefix(key, "language.") && row[0] != "TLS" {
			t.Errorf("%s: the same in both languages: %q", key, row[0])
		}
	}
	// Words of the unit that the page shows by their name.
	for _, s := range alarm.States {
		if texts["state."+s.String()] == nil {
			t.Errorf("no text for the state %v", s)
		}
	}
	for n := alarm.Trigger(0); !strings.HasPrefix(n.String(), "trigger "); n++ {
		if texts["event."+n.String()] == nil {
			t.Errorf("no text for the event %v", n)
		}
	}
	for _, c := range state.Changes() {
		row := texts["advice."+c.String()]
		if row == nil || strings.Contains(row[0], "{by}") != (c.Unit() != "") {
			t.Errorf("advice %v, measured in %q, has the texts %q", c, c.Unit(), row)
		}
	}

	// A key stands in the code as it is, or begins as a key there is made.
	var code []byte
	scripts, err := filepath.Glob("web/*.js")
	if err != nil || len(scripts) == 0 {
		t.Fatal(err, scripts)
	}
	used := map[string]bool{}
	var made []string
	whole := regexp.MustCompile(`["` + "`" + `]([a-z_]+\.[a-zA-Z0-9_. -]+)["` + "`" + `]`)
	part := regexp.MustCompile("[\"`]([a-z_]+\\.(?:[a-z_]+\\.)*)(?:\\$\\{|\")")
	for _, name := range scripts {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code = append(code, text...)
		for _, m := range regexp.MustCompile(`\bt\("([^"]+)"`).FindAllSubmatch(text, -1) {
			if texts[string(m[1])] == nil {
				t.Errorf("%s: no text %s", name, m[1])
			}
		}
	}
	for _, m := range whole.FindAllSubmatch(code, -1) {
		used[string(m[1])] = true
	}
	for _, m := range part.FindAllSubmatch(code, -1) {
		made = append(made, string(m[1]))
	}
	for key := range texts {
		if !used[key] && !slices.ContainsFunc(made, func(p string) bool { return strings.HasPrefix(key, p) }) {
			t.Errorf("%s is in the table, and no view has it", key)
		}
	}
}

// Each view of the menu has its module, its name, and its place in the tests.
func TestViews(t *testing.T) {
	files, err := Files()
	if files == nil {
		t.Fatal(err)
	}
	texts, err := Texts()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, m := range regexp.MustCompile(`id: "(\w+)".*import\("\./(\w+\.js)"\)`).FindAllSubmatch(files["views.js"], -1) {
		ids = append(ids, string(m[1]))
		if files[string(m[2])] == nil || texts["view."+string(m[1])] == nil {
			t.Errorf("%s: its module %s, or its name, is not there", m[1], m[2])
		}
	}
	if !slices.Equal(ids, viewNames) {
		t.Errorf("the menu has %q, the tests look at %q", ids, viewNames)
	}
}

// What a browser is not to do: markup from text, code from text, another host.
func TestNoScriptMakesMarkupOrAsksAnotherHost(t *testing.T) {
	files, err := Files()
	if files == nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Log(err)
	}
	never := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|javascript:|\son[a-z]+="|<style|\sstyle="|https?://`)
	space := []byte(`http://www.w3.org/2000/svg`) // a name, not an address
	for name, content := range files {
		if strings.HasPrefix(name, "uPlot") {
			continue
		}
		if m := never.Find(bytes.ReplaceAll(content, space, nil)); m != nil {
			t.Errorf("%s has %q", name, m)
		}
	}
	if !bytes.Contains(files["text.js"], []byte("ログイン")) {
		t.Error("text.js has no Japanese")
	}
}
