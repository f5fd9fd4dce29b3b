package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Whoever may write to the folder could lead a unit that runs as root to any
// file: refused, with what to do.
func TestFolderThatOthersMayChange(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make what others could do")
	}
	base := t.TempDir()
	os.Chmod(filepath.Dir(base), 0o755)
	real := filepath.Join(base, "real")
	os.Mkdir(real, 0o750)
	make := func(name string, mode os.FileMode, uid int) string {
		path := filepath.Join(base, name)
		if err := errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, mode), os.Chown(path, uid, 0)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := func(name string, uid int) string {
		path := filepath.Join(base, name)
		if err := errors.Join(os.Symlink(real, path), os.Lchown(path, uid, 0)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct{ dir, says string }{
		{make("everybodys", 0o777, 0), "chmod go-w"},
		{make("group's", 0o770, 0), "chmod go-w"},
		{make("sticky", os.ModeSticky|0o777, 0), "chmod go-w"},
		{make("another's", 0o700, 1234), "run mien as that user"},
		{link("link", 1234), "symbolic link of user 1234"},
		{filepath.Join(link("link on the way", 1234), "state"), "symbolic link of user 1234"},
	} {
		if _, _, err := Open(Options{Dir: c.dir}); !errors.Is(err, ErrUnsafe) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.dir, err)
		}
	}
	if list, _ := os.ReadDir(real); len(list) > 0 {
		t.Errorf("%v was written", list)
	}
	// Root's own links are followed, an administrator's way to another disk.
	s, _, err := Open(Options{Dir: filepath.Join(link("root's", 0), "state")})
	if err != nil {
		t.Fatal(err)
	}
	s.Put(raises(1, 3))
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(real, "state", journalFile)); err != nil {
		t.Error(err)
	}
}

// In a folder that is safe there may be anything: links are not followed, and
// what is no file is not waited for.
func TestFilesThatAreNone(t *testing.T) {
	target := filepath.Join(t.TempDir(), "target")
	os.WriteFile(target, []byte("not the unit's"), 0o600)
	for _, name := range []string{journalFile, journalNext, lockFile} {
		for _, plant := range []func(string) error{
			func(path string) error { return os.Symlink(target, path) },
			func(path string) error { return unix.Mkfifo(path, 0o600) },
			func(path string) error { return os.Mkdir(path, 0o700) },
		} {
			dir := t.TempDir()
			if err := plant(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			s, _, err := Open(Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			s.Put(raises(1, 3))
			if err := s.Sync(); (err == nil) != (name == journalFile) { // that one is put aside
				t.Errorf("%s: %v", name, err)
			}
			s.Close()
			if data, _ := os.ReadFile(target); string(data) != "not the unit's" {
				t.Fatalf("%s led to %q", name, data)
			}
		}
	}
}

// A folder that cannot be written yet is read all the same.
func TestReadOnlyFolder(t *testing.T) {
	dir := t.TempDir()
	s, _, _ := Open(Options{Dir: dir})
	s.Put(raises(1, 3))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	lock := filepath.Join(dir, lockFile)
	os.Remove(lock)
	os.Mkdir(lock, 0o700) // cannot be taken, as on a disk that is read-only
	s, found, err := Open(Options{Dir: dir})
	if err != nil || found.Saved.Number != 3 {
		t.Fatalf("%v, %+v", err, found)
	}
	s.Put(raises(4, 4))
	if err := s.Sync(); err == nil {
		t.Error("written without the lock")
	}
	os.Remove(lock)
	if err := errors.Join(s.Sync(), s.Close()); err != nil || s.Durable() != 4 {
		t.Error(err)
	}
}
