package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestClaim(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "work")
	first, err := claim(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := claim(dir); err == nil || !strings.Contains(err.Error(), "-work") {
		t.Errorf("a second run: %v", err)
	}
	first.Close()
	again, err := claim(dir)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

// A failed scenario's folder has nothing of an earlier failure.
func TestKeepLogs(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "logs", "x")
	old := filepath.Join(to, "unit-7.log")
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{old: "old", filepath.Join(from, "kernel.log"): "oops"} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	keepLogs(from, to)
	if text, err := os.ReadFile(filepath.Join(to, "kernel.log")); err != nil || string(text) != "oops" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("a log of an earlier failure is left")
	}
}

// A driver's tests are in the machine of the scenarios that run them.
func TestDriverScenarios(t *testing.T) {
	n := 0
	for _, s := range virtScenarios {
		if strings.HasPrefix(s.name, "driver tests: ") != (s.tests != "") {
			t.Errorf("%s: tests of %q", s.name, s.tests)
		}
		if s.tests != "" {
			n++
		}
	}
	if n == 0 {
		t.Error("none")
	}
}
