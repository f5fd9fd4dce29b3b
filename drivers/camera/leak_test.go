package camera

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestClipsAllocateNothing(t *testing.T) {
	big := jpegOf(320, 240)
	mj := join(testJPEG, big, testJPEG, big)
	yuv := y4mClip("W640 H480 F1000:1", 4, 640*480*3/2)
	for name, open := range map[string]func(o ClipOptions) (Source, error){
		"mjpeg in memory":  func(o ClipOptions) (Source, error) { return NewClip("clip", mj, o) },
		"mjpeg file":       func(o ClipOptions) (Source, error) { return OpenClip(write(t, "a.mjpeg", mj), o) },
		"large mjpeg file": func(o ClipOptions) (Source, error) { return OpenClip(write(t, "a.mjpeg", bytes.Repeat(mj, 40)), o) },
		"y4m file":         func(o ClipOptions) (Source, error) { return OpenClip(write(t, "a.y4m", yuv), o) },
		"y4m in memory":    func(o ClipOptions) (Source, error) { return NewClip("clip", yuv, o) },
		"mjpeg, real time": func(o ClipOptions) (Source, error) { o.Fast = false; return NewClip("clip", mj, o) },
		"one picture":      func(o ClipOptions) (Source, error) { return OpenClip(write(t, "a.jpg", testJPEG), o) },
	} {
		s, err := open(ClipOptions{Fast: true, Loop: true, FPS: 1000})
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
		s, err := OpenClip(good, ClipOptions{Fast: true})
		if err != nil {
			t.Fatal(err)
		}
		mustNext(t, s, 0)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{bad, cut, "/nowhere"} {
			if _, err := OpenClip(path, ClipOptions{}); err == nil {
				t.Fatal("opened", path)
			}
		}
		for _, path := range []string{good, os.DevNull, "/nowhere"} { // none is a camera
			if _, err := Open(Settings{Device: path}); err == nil {
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

func TestNow(t *testing.T) {
	var times []time.Duration
	for range 100 {
		times = append(times, Now())
	}
	if !slices.IsSorted(times) {
		t.Error("Now goes back")
	}
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Skipf("no /proc/uptime here: %v", err)
	}
	var up float64
	fmt.Sscan(string(text), &up)
	if off := Now().Seconds() - up; up > 0 && (off > 5 || off < -86400*365) {
		t.Errorf("Now is %v s ahead of the uptime", off)
	}
}
