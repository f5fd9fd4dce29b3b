package config

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// After a rollback: a text that a newer version kept is listed as far as it can be read,
// and neither it nor one that cannot be read is written over.
func TestNewerConfigVersions(t *testing.T) {
	v := Versions{Dir: t.TempDir()}
	if err := v.Keep(Version{At: time.Unix(1, 0), Who: "anna", Why: "first", Text: "one"}); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"000002.json": `{"at": "2026-01-02T03:04:05Z", "who": "bert", "why": "second", "text": "[new]\nkey = 1", "signed": "by a newer version"}`,
		"000003.json": `["in another form"]`,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(v.Dir, name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	list, err := v.List()
	if err != nil || len(list) != 2 || list[0].Who != "bert" || list[0].Text != "[new]\nkey = 1" {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := v.Get("3"); err == nil {
		t.Error("what cannot be read is given")
	}
	if err := v.Keep(Version{Who: "anna", Why: "rolled back", Text: "four"}); err != nil {
		t.Fatal(err)
	}
	if list, _ := v.List(); len(list) != 3 || list[0].ID != "4" {
		t.Errorf("%+v", list)
	}
	for name, text := range files {
		if now, _ := os.ReadFile(filepath.Join(v.Dir, name)); string(now) != text {
			t.Errorf("%s is written over: %s", name, now)
		}
	}
}
