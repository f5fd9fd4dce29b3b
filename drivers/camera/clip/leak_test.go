package clip

import (
	"bytes"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"mien/drivers/camera"
)

func TestClipsAllocateNothing(t *testing.T) {
	big := jpegOf(320, 240)
	mj := join(testJPEG, big, testJPEG, big)
	yuv := y4mClip("W640 H480 F1000:1", 4, 640*480*3/2)
	for name, open := range map[string]func(o Options) (camera.Source, error){
		"mjpeg in memory":  func(o Options) (camera.Source, error) { return New("clip", mj, o) },
		"mjpeg file":       func(o Options) (camera.Source, error) { return Open(write(t, "a.mjpeg", mj), o) },
		"large mjpeg file": func(o Options) (camera.Source, error) { return Open(write(t, "a.mjpeg", bytes.Repeat(mj, 40)), o) },
		"y4m file":         func(o Options) (camera.Source, error) { return Open(write(t, "a.y4m", yuv), o) },
		"y4m in memory":    func(o Options) (camera.Source, error) { return New("clip", yuv, o) },
		"mjpeg, real time": func(o Options) (camera.Source, error) { o.Fast = false; return New("clip", mj, o) },
		"one picture":      func(o Options) (camera.Source, error) { return Open(write(t, "a.jpg", testJPEG), o) },
	} {
		s, err := open(Options{Fast: true, Loop: true, FPS: 1000})
		if err != nil {
			t.Fatal(err)
		}
		step := func() {
			if _, err := s.Next(time.Second); err != nil {
				t.Fatal(err)
			}
			s.Release()
		}
		for range 20 {
			step()
		}
		if n := testing.AllocsPerRun(200, step); n != 0 {
			t.Errorf("%s: %v allocations a frame", name, n)
		}
		s.Close()
	}
}

// descriptors and maps of this process.
func resources(t *testing.T) (fds, maps int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("no /proc/self/fd here: %v", err)
	}
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Skipf("no /proc/self/maps here: %v", err)
	}
	return len(entries), strings.Count(string(text), "\n")
}

// Clips and nodes opened a thousand times, and failing to open as often, leave
// no descriptor and no map.
func TestNothingLeaks(t *testing.T) {
	good := write(t, "good.mjpeg", bytes.Repeat(testJPEG, 3))
	bad := write(t, "bad.y4m", []byte("YUV4MPEG2 W8 H6 C444\n"))
	cut := write(t, "cut.y4m", y4mClip("W8 H6", 3, 72)[:60])
	round := func() {
		s, err := Open(good, Options{Fast: true})
		if err != nil {
			t.Fatal(err)
		}
		mustNext(t, s, 0)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{bad, cut, "/nowhere"} {
			if _, err := Open(path, Options{}); err == nil {
				t.Fatal("opened", path)
			}
		}
	}
	for range 10 {
		round()
	}
	runtime.GC()
	fds, maps := resources(t)
	for range 1000 {
		round()
	}
	runtime.GC()
	fdsAfter, mapsAfter := resources(t)
	if fdsAfter > fds {
		t.Errorf("%d descriptors before, %d after", fds, fdsAfter)
	}
	if mapsAfter > maps+8 { // the runtime may map a few more arenas; a leak would be thousands
		t.Errorf("%d maps before, %d after", maps, mapsAfter)
	}
}
