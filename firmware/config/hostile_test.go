package config

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// As editors on other systems write it.
func TestOtherEditors(t *testing.T) {
	text := "\ufeff" + strings.ReplaceAll(whole, "\n", "\r\n")
	cfg, err := Parse("m", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	plain, _ := Parse("m", []byte(whole))
	if c := Changes(plain, cfg); len(c) != 0 {
		t.Error(c)
	}
	_, err = Parse("m", []byte("\ufeff[camera]\r\nwidht = 1\r\nname = Press\r\n"))
	if err == nil || !strings.HasPrefix(err.Error(), "m:2: camera.widht") || !strings.Contains(err.Error(), `m:3: not TOML: a text must stand in quotes: name = "Press"`) {
		t.Error(err)
	}
	_, err = Parse("m", []byte("[unit]\nname = \"Pr\xfcfstand\"\n")) // Latin-1
	if err == nil || !strings.HasPrefix(err.Error(), "m:2: ") || !strings.Contains(err.Error(), "UTF-8") {
		t.Error(err)
	}
}

// A file made to be slow is no slower than its length allows.
func TestHostileFiles(t *testing.T) {
	for name, text := range map[string]string{
		"open brackets": strings.Repeat("[", 1<<20),
		"open lists":    "x = " + strings.Repeat("[", 1<<17),
		"broken lines":  strings.Repeat("x\n", 1<<17),
		"many keys": func() string {
			var b strings.Builder
			for i := range 20_000 {
				fmt.Fprintf(&b, "k%d = 1\n", i)
			}
			return b.String()
		}(),
		"the same key":   strings.Repeat("k = 1\n", 40_000),
		"many blocks":    strings.Repeat("[[alarm]]\n", 26_000),
		"dotted":         strings.Repeat("a.", 1<<16) + "b = 1",
		"nested tables":  "a = " + strings.Repeat("{a.b.c = ", 5000) + "1" + strings.Repeat("}", 5000),
		"inline tables":  "a = " + strings.Repeat("{a = ", 5000) + "1" + strings.Repeat("}", 5000),
		"broken headers": strings.Repeat("[a\n", 1<<16),
	} {
		done, begun := make(chan error, 1), time.Now()
		go func() { _, err := Parse(name, []byte(text)); done <- err }()
		select {
		case err := <-done:
			t.Log(name, time.Since(begun))
			if p, ok := err.(Problems); !ok || len(p) == 0 || len(p) > mostProblems+1 {
				t.Errorf("%s: taken, or %d mistakes told", name, len(p))
			}
		case <-time.After(2 * time.Minute):
			t.Fatalf("%s: does not end", name)
		}
	}
}
