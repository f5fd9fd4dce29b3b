package pipeline

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/health"
	"mien/model/assets"
)

// All that a network is opened from is looked at afterwards.
func TestFilesOfAnEye(t *testing.T) {
	dir := t.TempDir()
	card := filepath.Join(dir, "affect.json")
	cards, _, err := Cards(config.Model{})
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string][]byte{card: assets.Card(), filepath.Join(dir, cards[0].File): assets.Network()} {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cfg := config.Default()
	cfg.Model.Card = card
	eye, err := OpenEye(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer eye.Close()
	code, seen := 0, map[string]bool{}
	for i := range eye.files {
		f := &eye.files[i]
		seen[filepath.Base(f.Path)] = true
		if f.Code {
			code++
		}
		if how, _ := f.Changed(); how != "" {
			t.Error(how)
		}
	}
	if code == 0 || !seen["affect.json"] || !seen[cards[0].File] || !seen[assets.FaceShort] {
		t.Errorf("%d libraries, %v", code, seen)
	}
	os.WriteFile(card, append(assets.Card(), ' '), 0o644)
	changed := 0
	for i := range eye.files {
		if how, _ := eye.files[i].Changed(); strings.Contains(how, card) {
			changed++
		}
	}
	if changed != 1 {
		t.Errorf("%d say that the card has changed", changed)
	}
}

// A file that changes under a unit is a fault until it is as it was; a library that is
// overwritten lets the networks be opened again; a fault of another cause stays.
func TestFilesThatChange(t *testing.T) {
	var told []string
	u := newIdle(t)
	u.options.OnEvent = func(e alarm.Event) { told = append(told, e.Cause) }
	dir := t.TempDir()
	put := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var list []assets.File
	for name, code := range map[string]bool{"net.tflite": false, "libnet.so": true} {
		f, err := assets.Use(put(name, "as it was"), "", code)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	u.files.use(list)
	look := func(want, doubt bool, when string) {
		t.Helper()
		if got := u.filesChanged(); got != want || u.health.On(health.SelfTestFailed) != want {
			t.Errorf("%s: changed %v, %v", when, got, u.Faults())
		}
		if got := u.files.doubted(); got != doubt {
			t.Errorf("%s: the networks are opened again: %v", when, got)
		}
	}
	look(false, false, "at first")
	put("net.tflite", "as it is!")
	look(true, false, "a network overwritten")
	look(true, false, "and still")
	put("net.tflite", "as it was")
	look(false, false, "put back")
	put("libnet.so", "as it is!")
	look(true, true, "a library overwritten")
	look(true, false, "and still")
	put("libnet.so", "as it was")
	look(false, false, "put back too")
	u.health.Begin(health.SelfTestFailed, u.now(), "of another cause")
	os.Remove(filepath.Join(dir, "libnet.so"))
	for range 2 {
		if !u.filesChanged() {
			t.Error("a library that is gone is not told")
		}
	}
	if n := strings.Count(strings.Join(told, "\n"), "libnet.so is gone"); n != 1 {
		t.Errorf("told %d times: %q", n, told)
	}
	put("libnet.so", "as it was")
	if u.filesChanged() || !u.health.On(health.SelfTestFailed) {
		t.Error("it took a fault of another cause away")
	}
}
