package main

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMemoryFolder(t *testing.T) {
	inMemory := func(dir string) bool {
		var on unix.Statfs_t
		return unix.Statfs(dir, &on) == nil && on.Type == unix.TMPFS_MAGIC
	}
	if !inMemory("/dev/shm") {
		t.Skip("no file system in memory at /dev/shm")
	}
	base, err := os.MkdirTemp("/dev/shm", "mien-test-")
	if err != nil {
		t.Skip(err)
	}
	defer os.RemoveAll(base)
	mine := filepath.Join(base, "mine")
	t.Setenv("RUNTIME_DIRECTORY", mine+":"+base)
	one, two := memoryFolder("/var/lib/a"), memoryFolder("/var/lib/b")
	if filepath.Dir(one) != mine || one == two || one != memoryFolder("/var/lib/a/") {
		t.Errorf("%q and %q, want two folders in %s", one, two, mine)
	}
	t.Setenv("XDG_RUNTIME_DIR", "")
	if disk := t.TempDir(); !inMemory(disk) {
		for _, dir := range []string{disk, "", "not/absolute"} {
			t.Setenv("RUNTIME_DIRECTORY", dir)
			if got := memoryFolder("/var/lib/a"); got == "" || filepath.Dir(got) == dir {
				t.Errorf("%q gives %q", dir, got)
			}
		}
	}
}
