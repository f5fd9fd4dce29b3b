//go:build !gotflite

package tflite

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mien/model/assets"
)

// TestGoTFLiteBackend builds this package with the tag gotflite and has the
// third backend pass the tests of the other two; then the whole program, which
// runs the demo clip's faces through it.
func TestGoTFLiteBackend(t *testing.T) {
	if testing.Short() {
		t.Skip("a build with cgo")
	}
	for _, tool := range []string{"gcc", "go"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s to build with: apt-get install %s", tool, tool)
		}
	}
	lib := filepath.Dir(found(t, assets.TFLiteC))
	headers, err := filepath.Abs("../../.deps/include")
	if err != nil {
		t.Fatal(err)
	}
	ours, err := filepath.Abs("include")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(headers, "tensorflow/lite/c/c_api.h")); err != nil {
		t.Fatalf("the tensorflow lite headers are not there: run make deps: %v", err)
	}
	cmd := exec.Command("go", "test", "-count=1", "-v", "-tags", "gotflite",
		"-run", "Conformance|Answer|Constant|TensorsAre|Threads|ManyAtOnce|LeaveNothing|Mutated|CannotRun|OtherInput|LinkedLibrary", ".")
	env := append(os.Environ(), "CGO_ENABLED=1", "MIEN_FUZZ_MUTATIONS=50",
		"CGO_CFLAGS=-I"+ours+" -I"+headers, "CGO_LDFLAGS=-L"+lib+" -Wl,-rpath,"+lib)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	for _, want := range []string{"--- PASS: TestConformance/gotflite/int8.tflite", "--- PASS: TestOpenAndCloseLeaveNothing/gotflite",
		"--- PASS: TestMutatedModelsDoNotCrash/gotflite", "--- PASS: TestLinkedLibraryIsFixed"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	program, settings := filepath.Join(t.TempDir(), "mien"), filepath.Join(t.TempDir(), "mien.toml")
	if err := os.WriteFile(settings, []byte("[model]\nbackend = \"gotflite\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = append(env, "MIEN_LIB="+lib)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	run("go", "vet", "-tags", "gotflite", ".", "../../firmware/mien")
	run("go", "build", "-tags", "gotflite", "-o", program, "../../firmware/mien")
	if out := run(program, "version"); !strings.Contains(out, "backends litert, tflite, gotflite;") {
		t.Errorf("version says\n%s", out)
	}
	if out := run(program, "bench", "-for", "200ms", "-config", settings); strings.Count(out, ": gotflite, tflite 2.9.0, xnnpack") != 2 {
		t.Errorf("bench says\n%s", out)
	}
}
