package alarm

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestDocumentIsFresh(t *testing.T) {
	var b bytes.Buffer
	if err := WriteDocument(&b); err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile("../../docs/alarms.md")
	if err != nil || !bytes.Equal(have, b.Bytes()) {
		t.Errorf("docs/alarms.md is stale: run make generate (%v)", err)
	}
}

// The picture has every state and every way of the table that changes one.
func TestPicture(t *testing.T) {
	picture := Picture()
	for _, tr := range Transitions {
		from, to := identifiers[tr.From], "InService"
		if tr.To == tr.From {
			continue
		}
		if tr.To != Beneath {
			to = identifiers[tr.To]
		}
		if tr.To.Covered() && !tr.From.Covered() {
			from = "InService"
		}
		found := false
		for _, line := range strings.Split(picture, "\n") {
			way, labels, _ := strings.Cut(strings.TrimSpace(line), ": ")
			found = found || way == from+" --> "+to && strings.Contains(labels, tr.On.String())
		}
		if !found {
			t.Errorf("%v + %v -> %v is not in the picture", tr.From, tr.On, tr.To)
		}
	}
}
