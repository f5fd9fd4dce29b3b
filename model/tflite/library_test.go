package tflite

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"mien/model/assets"
)

func found(t testing.TB, name string) string {
	t.Helper()
	path, err := assets.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// compile makes a shared library of a C source, or skips the test.
func compile(t testing.TB, out string, args ...string) {
	t.Helper()
	cc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no gcc to compile a fake library with: apt-get install gcc")
	}
	if text, err := exec.Command(cc, append([]string{"-shared", "-fPIC", "-o", out}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("gcc %v: %v\n%s", args, err, text)
	}
}

func write(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// unchecked lets a test bring libraries under the names of mien's own.
func unchecked(t testing.TB) {
	checks, tries := checkLibrary, try
	t.Cleanup(func() { checkLibrary, try = checks, tries })
	checkLibrary = func(string, string) error { return nil }
	try = func([]byte, *Options) error { return nil }
}

func TestWrongLibraries(t *testing.T) {
	dir := t.TempDir()
	litert, capi := found(t, assets.LiteRT), found(t, assets.TFLiteC)
	whole, err := os.ReadFile(capi)
	if err != nil {
		t.Fatal(err)
	}
	stranger := bytes.Clone(whole)
	stranger[18] ^= 0x40 // e_machine
	program := bytes.Clone(whole)
	program[16] = 2                                                               // e_type: ET_EXEC
	long := append(bytes.Clone(whole[:len(whole)/2]), whole[len(whole)-4096:]...) // a hole
	cases := []struct {
		name    string
		options Options
		want    error
		says    []string
	}{
		{"not there", Options{Library: dir + "/none.so"}, fs.ErrNotExist, []string{"none.so"}},
		{"not there, wrapped", Options{Library: dir + "/none.so"}, ErrLibrary, nil},
		{"a folder", Options{Library: dir}, ErrLibrary, []string{dir, "a folder"}},
		{"a text", Options{Library: write(t, dir+"/text.so", "#!/bin/sh\n")}, ErrLibrary, []string{"text.so", "make deps"}},
		{"nothing", Options{Library: write(t, dir+"/empty.so", "")}, ErrLibrary, []string{"empty.so", "make deps"}},
		{"a start", Options{Library: write(t, dir+"/start.so", string(whole[:4096]))}, ErrLibrary, []string{"start.so", "make deps"}},
		{"half a library", Options{Library: write(t, dir+"/half.so", string(whole[:len(whole)/2]))}, ErrLibrary, []string{"half.so", "make deps"}},
		{"a hole in it", Options{Library: write(t, dir+"/hole.so", string(long))}, ErrLibrary, []string{"hole.so", "make deps"}},
		{"for another processor", Options{Library: write(t, dir+"/other.so", string(stranger))}, ErrLibrary, []string{"other.so", "it is for", "make deps"}},
		{"a program", Options{Library: write(t, dir+"/program.so", string(program))}, ErrLibrary, []string{"program.so", "no library"}},
		{"the mathematics library", Options{Library: "libm.so.6"}, ErrLibrary, []string{"libm.so.6", "exports neither"}},
		{"the other kind", Options{Library: litert, Backend: TFLite}, ErrOptions, []string{litert, "is litert"}},
		{"the other kind too", Options{Library: capi, Backend: LiteRT}, ErrOptions, []string{capi, "is tflite"}},
		{"a backend nobody has", Options{Backend: "onnx"}, ErrOptions, []string{`"onnx"`, "litert, tflite or gotflite"}},
		{"too many threads", Options{Threads: 65}, ErrOptions, []string{"65 threads"}},
		{"fewer than none", Options{Threads: -1}, ErrOptions, []string{"-1 threads"}},
		{"an edge tpu with litert", Options{Backend: LiteRT, EdgeTPU: true}, ErrOptions, []string{"cannot use an edge tpu"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.options.Name = "int8.tflite"
			net, err := Open(readModel(t, "int8.tflite"), c.options)
			if net != nil || !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			for _, s := range append(c.says, "int8.tflite") {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q lacks %q", err, s)
				}
			}
		})
	}
}

func TestGoTFLiteNeedsItsTag(t *testing.T) {
	if len(backends) > 2 {
		t.Skip("this build has the tag")
	}
	_, err := Open(readModel(t, "int8.tflite"), Options{Backend: GoTFLite})
	if !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), "-tags gotflite") {
		t.Error(err)
	}
}

// TestAutoTakesWhatLoads walks through what a board may have beside the binary.
func TestAutoTakesWhatLoads(t *testing.T) {
	litert, capi := found(t, assets.LiteRT), found(t, assets.TFLiteC)
	link := func(t *testing.T, dir, name, to string) {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	attempt := func(t *testing.T, dir string, o Options) (Interpreter, error) {
		t.Setenv("MIEN_LIB", dir)
		o.Name = "int8.tflite"
		net, err := Open(readModel(t, "int8.tflite"), o)
		if err == nil {
			t.Cleanup(func() { net.Close() })
		}
		return net, err
	}
	expect := func(t *testing.T, net Interpreter, err error, backend, why string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(net.Backend(), backend) || !strings.Contains(Why(net), why) {
			t.Errorf("%s because %q, want %s because %q", net.Backend(), Why(net), backend, why)
		}
	}
	t.Run("both", func(t *testing.T) {
		dir := t.TempDir()
		link(t, dir, assets.LiteRT, litert)
		link(t, dir, assets.TFLiteC, capi)
		net, err := attempt(t, dir, Options{})
		expect(t, net, err, "litert", "the default")
		net, err = attempt(t, dir, Options{Backend: TFLite})
		expect(t, net, err, "tflite 2.9.0", "the configuration says tflite")
		net, err = attempt(t, dir, Options{Library: capi})
		expect(t, net, err, "tflite 2.9.0", "the configuration names "+capi)
	})
	t.Run("no litert", func(t *testing.T) {
		dir := t.TempDir()
		link(t, dir, assets.TFLiteC, capi)
		net, err := attempt(t, dir, Options{Backend: Auto})
		expect(t, net, err, "tflite 2.9.0", "litert cannot be loaded: find libLiteRt.so")
		if _, err = attempt(t, dir, Options{Backend: LiteRT}); !errors.Is(err, ErrLibrary) || !strings.Contains(err.Error(), dir) {
			t.Error(err)
		}
	})
	t.Run("a damaged litert", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, assets.LiteRT), "not a library")
		link(t, dir, assets.TFLiteC, capi)
		net, err := attempt(t, dir, Options{})
		expect(t, net, err, "tflite 2.9.0", "litert cannot be loaded: open library: "+dir)
	})
	t.Run("nothing", func(t *testing.T) {
		_, err := attempt(t, t.TempDir(), Options{})
		if !errors.Is(err, ErrLibrary) || !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		for _, s := range []string{"int8.tflite", assets.LiteRT, assets.TFLiteC, "make deps"} {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%q lacks %q", err, s)
			}
		}
	})
	t.Run("swapped", func(t *testing.T) {
		unchecked(t)
		dir := t.TempDir()
		link(t, dir, assets.LiteRT, capi)
		if _, err := attempt(t, dir, Options{Backend: LiteRT}); !errors.Is(err, ErrLibrary) || !strings.Contains(err.Error(), "it is tflite under another name") {
			t.Error(err)
		}
	})
	t.Run("a litert for a newer system", func(t *testing.T) {
		unchecked(t)
		dir := t.TempDir()
		// A C library that does not exist, and a LiteRT that asks for it.
		newer := t.TempDir()
		compile(t, newer+"/libc.so.6", write(t, newer+"/c.c", "void newer(void) {}\n"), "-nostdlib", "-Wl,-soname,libc.so.6",
			"-Wl,--version-script="+write(t, newer+"/c.map", "GLIBC_9.99 { newer; };\n"))
		compile(t, filepath.Join(dir, assets.LiteRT), write(t, newer+"/l.c", "void newer(void);\nvoid LiteRtCreateCompiledModel(void) { newer(); }\n"),
			"-nostdlib", newer+"/libc.so.6")
		link(t, dir, assets.TFLiteC, capi)
		net, err := attempt(t, dir, Options{})
		expect(t, net, err, "tflite 2.9.0", "C library is too old")
		if !strings.Contains(Why(net), "GLIBC_9.99") {
			t.Error(Why(net))
		}
	})
	t.Run("a litert of another version", func(t *testing.T) {
		unchecked(t)
		dir := t.TempDir()
		compile(t, filepath.Join(dir, assets.LiteRT), write(t, dir+"/l.c", "void LiteRtCreateCompiledModel(void) {}\n"))
		link(t, dir, assets.TFLiteC, capi)
		net, err := attempt(t, dir, Options{})
		expect(t, net, err, "tflite 2.9.0", "another version than the one")
	})
}

func TestLiteRTNeedsToKnowTheProcessor(t *testing.T) {
	dir := t.TempDir()
	arm := write(t, dir+"/arm", "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n")
	pc := write(t, dir+"/pc", "processor\t: 0\nvendor_id\t: GenuineIntel\n")
	if err := litertKnowsProcessor(arm, "arm64"); err != nil {
		t.Error(err)
	}
	if err := litertKnowsProcessor(pc, "amd64"); err != nil {
		t.Error(err)
	}
	if err := litertKnowsProcessor(pc, "arm64"); err == nil || !strings.Contains(err.Error(), "backend tflite") {
		t.Error(err)
	}
	if err := litertKnowsProcessor(dir+"/none", "arm64"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestOpenAndCloseLeaveNothing opens and closes each backend 200 times: memory
// and descriptors stay where they were, and so they do when Open fails.
func TestOpenAndCloseLeaveNothing(t *testing.T) {
	runtime.LockOSThread() // one malloc arena
	defer runtime.UnlockOSThread()
	model, newer, known := readModel(t, "int8_wide.tflite"), readModel(t, "grouped.tflite"), answer(t, "int8_wide.tflite")
	for _, backend := range backends {
		t.Run(backend, func(t *testing.T) {
			once := func() {
				net, err := Open(model, Options{Backend: backend, Answer: known})
				if err != nil {
					t.Fatal(err)
				}
				if err := net.Close(); err != nil {
					t.Fatal(err)
				}
				if net, err := Open(newer, Options{Backend: backend}); err == nil {
					net.Close()
				}
			}
			for range 30 {
				once()
			}
			memory, files := resident(t), descriptors(t)
			for range 200 {
				once()
			}
			// The model's copy alone, if it were left, would be 3 MiB.
			if grown := resident(t) - memory; grown > 2<<20 && !raceDetector {
				t.Errorf("%d KiB more after 200 times", grown>>10)
			}
			if now := descriptors(t); now != files {
				t.Errorf("%d descriptors, were %d", now, files)
			}
			reports.Lock()
			defer reports.Unlock()
			if len(reports.open) != 0 {
				t.Errorf("%d reports are still open", len(reports.open))
			}
		})
	}
}

// resident is the memory of the process without what Go has to give back.
func resident(t testing.TB) int {
	t.Helper()
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

func descriptors(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func BenchmarkInvoke(b *testing.B) {
	for _, name := range []string{"int8.tflite", assets.FaceShort, assets.FaceFullRange} {
		for _, backend := range backends {
			b.Run(fmt.Sprintf("%s/%s", name, backend), func(b *testing.B) {
				net := open(b, name, Options{Backend: backend})
				fill(net, 1)
				b.ReportAllocs()
				for b.Loop() {
					if err := net.Invoke(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	model := readModel(b, assets.FaceShort)
	for _, backend := range backends {
		b.Run(backend, func(b *testing.B) {
			for b.Loop() {
				net, err := Open(model, Options{Backend: backend})
				if err != nil {
					b.Fatal(err)
				}
				net.Close()
			}
		})
	}
}

func BenchmarkCheck(b *testing.B) {
	model := readModel(b, assets.FaceShort)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Check(assets.FaceShort, model); err != nil {
			b.Fatal(err)
		}
	}
}
