//go:build !gotflite

package tflite

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// crossRoots are where an arm64 C library and libstdc++ may lie: of the package
// libstdc++6-arm64-cross, or unpacked from it.
var crossRoots = []string{"/usr/aarch64-linux-gnu", "../../.deps/arm64/usr/aarch64-linux-gnu"}

// TestOnARM64 runs the conformance suite as arm64 programs under qemu-user:
// both libraries, on the processors of a Raspberry Pi 3 or Zero 2 W, a 4, and a
// 5, which has the instructions for dot products.
func TestOnARM64(t *testing.T) {
	if runtime.GOARCH == "arm64" {
		t.Skip("this is arm64: the other tests are it")
	}
	if testing.Short() {
		t.Skip("a build for arm64")
	}
	qemu, err := exec.LookPath("qemu-aarch64-static")
	if err != nil {
		t.Skip("no qemu-aarch64-static: apt-get install qemu-user-static")
	}
	root := ""
	for _, dir := range crossRoots {
		if _, err := os.Stat(filepath.Join(dir, "lib/libstdc++.so.6")); err == nil {
			root, _ = filepath.Abs(dir)
			break
		}
	}
	if root == "" {
		t.Skip("no libstdc++ for arm64: apt-get install libstdc++6-arm64-cross")
	}
	lib, err := filepath.Abs("../../.deps/lib-arm64")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(lib, "libLiteRt.so")); err != nil {
		t.Fatalf("the libraries for arm64 are not there: run make deps: %v", err)
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "tflite.test")
	build := exec.Command("go", "test", "-c", "-o", program, ".")
	build.Env = append(os.Environ(), "GOARCH=arm64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build.Args, err, out)
	}
	run := func(t *testing.T, processor, prefix, pattern string) string {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, qemu, "-cpu", processor, "-L", prefix, program, "-test.v", "-test.run", pattern)
		cmd.Env = append(os.Environ(), "MIEN_LIB="+lib, fmt.Sprintf("MIEN_TFLITE_LAUNCH=%s -cpu %s -L %s", qemu, processor, prefix))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
		}
		return string(out)
	}
	for processor, part := range map[string]string{"cortex-a53": "0xd03", "cortex-a72": "0xd08", "cortex-a76": "0xd0b"} {
		t.Run(processor, func(t *testing.T) {
			// qemu looks for each file under its prefix first. The processor's
			// description has to be there, or LiteRT sees this machine's.
			prefix := t.TempDir()
			if err := os.Symlink(filepath.Join(root, "lib"), filepath.Join(prefix, "lib")); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(prefix, "proc"), 0o755); err != nil {
				t.Fatal(err)
			}
			features := "fp asimd evtstrm crc32 cpuid"
			if processor == "cortex-a76" {
				features += " atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"
			}
			write(t, filepath.Join(prefix, "proc/cpuinfo"), "processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: "+features+
				"\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x1\nCPU part\t: "+part+"\nCPU revision\t: 0\n\n")
			out := run(t, processor, prefix, "^TestConformance$/./^(int8|uint8|float|signature|any_batch|operators|activations|by_hand)")
			for _, want := range []string{"--- PASS: TestConformance/litert/int8_wide.tflite", "--- PASS: TestConformance/tflite/int8_wide.tflite",
				"--- PASS: TestConformance/litert/float.tflite", "--- PASS: TestConformance/tflite/uint8.tflite"} {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
		})
	}
	t.Run("without the processor's description", func(t *testing.T) {
		out := run(t, "cortex-a72", root, "AutoUnderQEMU")
		if !strings.Contains(out, "litert cannot be loaded") || !strings.Contains(out, "does not describe an arm64 processor") {
			t.Error(out)
		}
	})
}

// TestAutoUnderQEMU is run by TestOnARM64; elsewhere it only tells the choice.
func TestAutoUnderQEMU(t *testing.T) {
	net := open(t, "int8.tflite", Options{Answer: answer(t, "int8.tflite")})
	t.Logf("%s because %s", net.Backend(), Why(net))
}
