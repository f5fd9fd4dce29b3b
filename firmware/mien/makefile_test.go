package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What a user gives to make is data: nothing in it is run, by make or by a shell,
// and nothing of it stands in a recipe.
func TestMakeTakesNamesAsData(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("no make")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "data.mk"))
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`(?s)DATA := (.*?)\n\$`).FindSubmatch(text)
	if list == nil {
		t.Fatal("data.mk has no list DATA")
	}
	names := strings.Fields(strings.ReplaceAll(string(list[1]), "\\", " "))
	if len(names) < 20 {
		t.Fatalf("names %q", names)
	}
	mark := filepath.Join(t.TempDir(), "ran")
	evil := "x$(shell touch " + mark + ")$$(touch " + mark + ")`touch " + mark + "`;touch " + mark + ";'\"x"
	targets := []string{"help", "build", "repo", "vulns", "test-deb", "demo", "import", "test-import", "masters", "faults", "kill", "soak", "fuzz", "bench", "hil", "hil-full", "hil-demo", "arm64", "train", "test-train"}
	run := func(environment bool, value string, args ...string) string {
		cmd := exec.Command("make", append([]string{"-C", root, "GO=true"}, args...)...)
		for _, name := range names {
			if name == "VERSION" && value == evil {
				continue // it is refused, below
			}
			if environment {
				cmd.Env = append(cmd.Env, name+"="+value)
			} else {
				cmd.Args = append(cmd.Args, name+"="+value)
			}
		}
		cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH"), "HOME="+t.TempDir(), "VERSION=v1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
		}
		return string(out)
	}
	for _, environment := range []bool{false, true} {
		for _, target := range targets { // -n runs sub-makes, whose variables it expands
			if out := run(environment, evil, "-n", target); strings.Contains(out, "touch "+mark) {
				t.Errorf("%s: a recipe holds what the user gave:\n%s", target, out)
			}
		}
		run(environment, evil, "help") // recipes run, with all of it in their environment
		if _, err := os.Stat(mark); err == nil {
			t.Fatal("what the user gave was run")
		}
	}
	if out, err := exec.Command("make", "-C", root, "GO=true", "-n", "deb", "ONLY="+evil).CombinedOutput(); err == nil || !strings.Contains(string(out), "ONLY is one of") {
		t.Errorf("make deb ONLY=%s: %v\n%s", evil, err, out)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Fatal("what the user gave was run")
	}
	// And it arrives, as it was given: a recipe and a sub-make have it in their environment.
	file := filepath.Join(t.TempDir(), "Makefile")
	recipes := "include " + filepath.Join(root, "data.mk") + "\none:\n\t@env; $(MAKE) -f " + file + " two\ntwo:\n\t@env\n"
	if err := os.WriteFile(file, []byte(recipes), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, environment := range []bool{false, true} {
		out := run(environment, evil, "-f", file, "one")
		for _, name := range names {
			if name == "VERSION" {
				continue // it is not given, above
			}
			if n := strings.Count("\n"+out, "\n"+name+"="+evil+"\n"); n != 2 {
				t.Errorf("environment %v: %s arrives %d times, want in the recipe and in the sub-make", environment, name, n)
			}
		}
	}
	for _, version := range []string{"1;touch x", "$(touch x)", "a b", "../x", "'"} {
		if out, err := exec.Command("make", "-C", root, "-n", "build", "VERSION="+version).CombinedOutput(); err == nil || !strings.Contains(string(out), "VERSION: only letters") {
			t.Errorf("VERSION=%s: %v\n%s", version, err, out)
		}
	}
}
