package given

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOnlyFiles(t *testing.T) {
	dir := t.TempDir()
	pipe, socket, file := filepath.Join(dir, "pipe"), filepath.Join(dir, "socket"), filepath.Join(dir, "file")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.WriteFile(file, bytes.Repeat([]byte("x"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(pipe, link); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{pipe: "a named pipe", link: "a named pipe", dir: "a folder", "/dev/zero": "a device", socket: "socket"} {
		if _, err := Read(path, 1<<20); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), says) && path != socket {
			t.Errorf("%s: %v, want %q", path, err, says)
		}
	}
	if _, err := Read(filepath.Join(dir, "none"), 10); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for most, right := range map[int64]bool{999: false, 1000: true, 1 << 40: true} {
		data, err := Read(file, most)
		if right != (err == nil) || right && len(data) != 1000 {
			t.Errorf("limit %d: %d bytes, %v", most, len(data), err)
		}
	}
	// Some of these never end, and reading them waits; tracefs and others may not be here.
	for _, path := range []string{"/proc/kmsg", "/proc/self/status", "/proc/self/pagemap", "/sys/kernel/tracing/trace_pipe", "/sys/kernel/mm/transparent_hugepage/enabled"} {
		_, err := Read(path, 1<<20)
		if err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) && !strings.Contains(err.Error(), "of the kernel's") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if data, err := Read(file, 1<<20); err != nil || len(data) != 1000 {
		t.Error(err)
	}
}

func TestPNGIsBoundedByItsHead(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewNRGBA64(image.Rect(0, 0, 100, 100))); err != nil {
		t.Fatal(err)
	}
	if _, err := PNG(b.Bytes(), 119_999); err == nil || !strings.Contains(err.Error(), "100x100 pixels, 8 bytes each") {
		t.Error(err)
	}
	if img, err := PNG(b.Bytes(), 120_000); err != nil || img.Bounds().Dx() != 100 {
		t.Error(err)
	}
	if _, err := PNG([]byte("no picture"), 1000); err == nil {
		t.Error("no picture was decoded")
	}
}
