package assets

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestModelCardIsOfThisNetwork holds docs/model-card.md against the card that is
// built in: a network that was renewed without its document is found here.
func TestModelCardIsOfThisNetwork(t *testing.T) {
	const path = "../../docs/model-card.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	type interval [2]float64
	var c struct {
		Name, Version, SHA256 string
		Scores                struct {
			Test *struct {
				Ferplus struct {
					Accuracy   float64
					Accuracy95 interval `json:"accuracy_95"`
				}
				Rendered struct {
					MacroF1   float64  `json:"macro_f1"`
					MacroF195 interval `json:"macro_f1_95"`
				}
			}
		}
	}
	if err := json.Unmarshal(Card(), &c); err != nil {
		t.Fatal(err)
	}
	if c.Scores.Test == nil {
		t.Fatal("the card has no scores of the test part")
	}
	if first, _, _ := strings.Cut(doc, "\n"); first != fmt.Sprintf("# %s, version %s", c.Name, c.Version) {
		t.Errorf("%s begins with %q, the card is of %s, version %s", path, first, c.Name, c.Version)
	}
	if !strings.Contains(doc, "`"+c.SHA256+"`") {
		t.Errorf("%s does not have the network's SHA-256 %s", path, c.SHA256)
	}
	_, part, _ := strings.Cut(doc, "\n## Test parts\n")
	part, _, _ = strings.Cut(part, "\n## ")
	for _, f := range []struct {
		row   string // what its row in the table matches, before the figure
		value float64
		in    interval
	}{
		{`\| expression, [^|]*\| accuracy `, c.Scores.Test.Ferplus.Accuracy, c.Scores.Test.Ferplus.Accuracy95},
		{`\| action units, \d+ rendered [^|]*\| macro F1[^|]*`, c.Scores.Test.Rendered.MacroF1, c.Scores.Test.Rendered.MacroF195},
	} {
		want := fmt.Sprintf("%.3f (%.3f–%.3f)", f.value, f.in[0], f.in[1])
		got := regexp.MustCompile(`(?m)^` + f.row + `\| ([^|]*) \|$`).FindStringSubmatch(part)
		if got == nil {
			t.Errorf("%s: no row %s in the test parts", path, f.row)
		} else if got[1] != want {
			t.Errorf("%s: %s: %s, the card has %s", path, f.row, got[1], want)
		}
	}
	pictures := regexp.MustCompile(`!\[[^\]]*\]\(([^)]+)\)`).FindAllStringSubmatch(doc, -1)
	if len(pictures) == 0 {
		t.Errorf("%s links no picture", path)
	}
	for _, p := range pictures {
		content, err := os.ReadFile(filepath.Join(filepath.Dir(path), p[1]))
		if err != nil {
			t.Errorf("%s: %v", path, err)
		} else if !strings.HasPrefix(string(content), "\x89PNG\r\n\x1a\n") {
			t.Errorf("%s: %s is no PNG", path, p[1])
		}
	}
}
