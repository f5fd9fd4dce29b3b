package main

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWaitingFileIsInMemoryAndOurs(t *testing.T) {
	var on unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &on); err != nil || on.Type != unix.TMPFS_MAGIC {
		t.Skip("no file system in memory at /dev/shm")
	}
	base, err := os.MkdirTemp("/dev/shm", "mien-test-")
	if err != nil {
		t.Skip(err)
	}
	defer os.RemoveAll(base)
	mine := filepath.Join(base, "mine")
	t.Setenv("RUNTIME_DIRECTORY", mine+":"+base)
	t.Setenv("XDG_RUNTIME_DIR", mine) // before a folder of the user's is made
	one, two := waitingFile("/var/lib/a"), waitingFile("/var/lib/b")
	if filepath.Dir(one) != mine || one == two || one != waitingFile("/var/lib/a/") {
		t.Errorf("%q and %q, want two files in %s", one, two, mine)
	}
	if info, err := os.Stat(mine); err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("the folder is %v, %v", info, err)
	}

	everybodys := filepath.Join(base, "everybodys")
	os.Mkdir(everybodys, 0o777)
	os.Chmod(everybodys, 0o777)
	link := filepath.Join(base, "link")
	os.Symlink(mine, link)
	for _, dir := range []string{everybodys, link, t.TempDir()} {
		inMemory := dir != everybodys && dir != link
		if inMemory {
			if err := unix.Statfs(dir, &on); err != nil || on.Type == unix.TMPFS_MAGIC {
				continue // temporary files are in memory here: nothing to tell apart
			}
		}
		t.Setenv("RUNTIME_DIRECTORY", dir)
		if got := waitingFile("/var/lib/a"); filepath.Dir(got) == dir {
			t.Errorf("%q was taken", got)
		}
	}
}
