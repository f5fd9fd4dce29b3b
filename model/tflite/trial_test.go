package tflite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mien/model/assets"
)

// foreignLibrary compiles a library of somebody's own in one of its moods.
func foreignLibrary(t *testing.T, mood string, more ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "libtensorflowlite_own.so")
	lib := filepath.Dir(found(t, assets.TFLiteC))
	compile(t, path, append([]string{"testdata/foreignlib.c", "-D" + mood, "-Wl,--no-as-needed", "-L" + lib, "-ltensorflowlite_c", "-Wl,-rpath," + lib}, more...)...)
	return path
}

// within lets the trials of a test take no longer than that, and gives the last.
func within(t *testing.T, limit time.Duration) **trial {
	t.Helper()
	last, before := new(*trial), try
	t.Cleanup(func() { try = before })
	try = func(model []byte, o *Options) error {
		c, err := startTrial(o.EdgeTPU)
		if err != nil {
			return err
		}
		*last, c.limit = c, limit
		defer c.stop()
		return c.try(model, o)
	}
	return last
}

// TestForeignLibraries: what a library of somebody's own does, it does to a
// child, with a network that is known as well.
func TestForeignLibraries(t *testing.T) {
	face, err := assets.Read(assets.FaceShort)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		mood  string
		limit time.Duration
		want  error
		says  string
	}{
		{"NONE", trialTime, nil, "which mien was not made with"},
		{"LATE", trialTime, nil, "which mien was not made with"},
		{"LATE", 200 * time.Millisecond, ErrRefused, "no answer within 200ms"},
		{"HANG", 500 * time.Millisecond, ErrRefused, "no answer within 500ms"},
		{"CRASH", trialTime, ErrRefused, "took it down (SIGSEGV"},
		{"GROW", trialTime, ErrRefused, "took it down (SIGABRT"},
		{"LEAVE", trialTime, ErrRefused, "took it down (exit status 0)"},
		{"BABBLE", trialTime, ErrRefused, "took it down"},
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.mood, c.limit), func(t *testing.T) {
			last := within(t, c.limit)
			waits := 0
			net, err := Open(face, Options{Name: "face.tflite", Library: foreignLibrary(t, c.mood), Waiting: func() { waits++ }})
			switch {
			case c.want == nil && err != nil:
				t.Fatal(err)
			case c.want == nil:
				defer net.Close()
				if !strings.Contains(Why(net), c.says) {
					t.Error(Why(net))
				}
			case !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "face.tflite"):
				t.Errorf("%v, want %v and %q", err, c.want, c.says)
			}
			if c.mood == "LATE" && waits == 0 {
				t.Error("nobody was told that it takes time")
			}
			if (*last).cmd.ProcessState == nil {
				t.Error("the child was not waited for")
			}
			if use, ok := (*last).cmd.ProcessState.SysUsage().(*syscall.Rusage); ok && use.Maxrss > (trialMemory>>10)+(64<<10) {
				t.Errorf("the child grew to %d MiB", use.Maxrss>>10)
			}
		})
	}
}

// TestForeignIsConfined: a child has no files, no variables, no network, starts
// nothing and writes nothing.
func TestForeignIsConfined(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	inherited, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD, 40) // as a library's own may be, without close-on-exec
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(inherited)
	t.Setenv("MIEN_SECRET", "x")
	_, err = Open(readModel(t, "int8.tflite"), Options{Library: foreignLibrary(t, "PROBE", fmt.Sprintf("-DINHERITED=%d", inherited))})
	if err == nil || !strings.Contains(err.Error(), "(fatal error: 0 calls, 1 variables)") {
		t.Error(err)
	}
	if _, err := os.Stat("/tmp/mien-foreign"); err == nil {
		t.Error("it wrote a file")
	}
}

// TestWhatIsKnownIsNotTried: the networks and libraries that mien was made with
// need no child.
func TestWhatIsKnownIsNotTried(t *testing.T) {
	before := try
	t.Cleanup(func() { try = before })
	tried := 0
	try = func([]byte, *Options) error { tried++; return nil }
	known := assets.Network()
	for _, o := range []Options{{InPlace: true}, {Library: found(t, assets.TFLiteC), InPlace: true}} {
		net, err := Open(known, o)
		if err != nil {
			t.Fatal(err)
		}
		net.Close()
	}
	if tried != 0 {
		t.Errorf("%d were tried", tried)
	}
	net, err := Open(readModel(t, "int8.tflite"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	net.Close()
	if tried != 1 {
		t.Error("a foreign one was not tried")
	}
}

// TestNoChild: where none can be started, nothing foreign is opened.
func TestNoChild(t *testing.T) {
	before := launch
	t.Cleanup(func() { launch = before })
	launch = []string{"/nowhere/mien"}
	_, err := Open(readModel(t, "int8.tflite"), Options{})
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "cannot be started") {
		t.Error(err)
	}
}
