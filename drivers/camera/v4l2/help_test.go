package v4l2

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mien/drivers/camera/cameratest"
)

var testJPEG = cameratest.JPEG(64, 48)

// fillJPEG writes a JPEG and pads behind it, as cameras do.
func fillJPEG(seq uint32, buf []byte) int {
	n := copy(buf, testJPEG)
	clear(buf[n:])
	return min(len(buf), n+512)
}

func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// resources are the descriptors and maps of this process.
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
