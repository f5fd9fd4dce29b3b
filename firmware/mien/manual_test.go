package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

// The manual page names each command with each of its options, and is one that man
// formats without a complaint.
func TestManual(t *testing.T) {
	var page bytes.Buffer
	if code := Main([]string{"help", "-man"}, &page, &page); code != exitOK {
		t.Fatalf("%d: %s", code, page.Bytes())
	}
	text := page.String()
	for _, want := range []string{".SS mien run [FILE]\n", ".SS mien pilot drill SCRIPT\n", ".B \\-config FILE\n", ".B \\-strict\n", ".B \\-json\n", ".SS mien gateway [FILE]\n", ".SS mien gateway user add NAME\n", ".B \\-role ROLE\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	for _, e := range entries() {
		if !strings.Contains(text, ".SS mien "+e.name) || len(e.flags)+len(e.own) == 0 && e.name != "config" {
			t.Errorf("%s: %d options, %d commands of its own", e.name, len(e.flags), len(e.own))
		}
	}
	if _, err := exec.LookPath("groff"); err != nil {
		t.Log("no groff: not formatted")
		return
	}
	cmd := exec.Command("groff", "-man", "-Tutf8", "-ww", "-z")
	cmd.Stdin = &page
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("groff: %v\n%s", err, out)
	}
}

// bash completes commands, commands of commands, options, and else names of files.
func TestCompletion(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("no bash")
	}
	var script bytes.Buffer
	if code := Main([]string{"help", "-completion"}, &script, &script); code != exitOK {
		t.Fatalf("%d: %s", code, script.Bytes())
	}
	for line, want := range map[string]string{
		"mien sel": "selftest", "mien check -str": "-strict", "mien pilot dri": "drill drift", "mien pilot start -pur": "-purpose",
		"mien help una": "", "mien help ala": "alarms", "mien check /etc/": "", "mien no": "", "mien shelve -h": "-help", "mien events -fol": "-follow",
		"mien gateway us": "user", "mien gateway -soc": "-socket", "mien gateway user pa": "password", "mien gateway user add -ro": "-role", "mien gateway user list -ro": "", "mien gateway /etc/": "",
	} {
		words := strings.Fields(line)
		cmd := exec.Command("bash", "-c", `eval "$SCRIPT"; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _mien; echo "${COMPREPLY[*]}"`, "bash")
		cmd.Args = append(cmd.Args, words...)
		cmd.Env = append(cmd.Environ(), "SCRIPT="+script.String())
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%s: %q, want %q (%v)", line, got, want, err)
		}
	}
}
