package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// ErrTaken: another process holds the folder.
var ErrTaken = errors.New("taken by another running mien")

// FS is what the store needs of a file system. Names are whole paths.
type FS interface {
	MkdirAll(dir string) error
	ReadFile(name string) ([]byte, error)
	Size(name string) (int64, error)
	Create(name string) (File, error) // empty, for writing
	Append(name string) (File, error) // created where missing; writes go to its end
	Truncate(name string, size int64) error
	Rename(from, to string) error
	SyncDir(dir string) error // makes creations and renames in dir durable
	// Lock holds name against other processes until it is closed or the
	// process ends; ErrTaken when another holds it.
	Lock(name string) (Hold, error)
}

// Hold is a file that is held.
type Hold interface {
	// Room gives the bytes that are free beside it, or EROFS. It allocates
	// nothing unless it fails.
	Room() (int64, error)
	Close() error
}

// File is one open file. What was written is durable after Sync.
type File interface {
	Write(p []byte) (int, error)
	Sync() error
	Close() error
}

// OS is the machine's file system.
var OS FS = system{}

type system struct{}

func (system) MkdirAll(dir string) error              { return os.MkdirAll(dir, 0o750) }
func (system) ReadFile(name string) ([]byte, error)   { return os.ReadFile(name) }
func (system) Rename(from, to string) error           { return os.Rename(from, to) }
func (system) Truncate(name string, size int64) error { return os.Truncate(name, size) }
func (system) Create(name string) (File, error)       { return open(name, os.O_TRUNC) }
func (system) Append(name string) (File, error)       { return open(name, os.O_APPEND) }

func open(name string, flag int) (File, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|flag, 0o640)
	if err != nil {
		return nil, err // not a File that holds a nil pointer
	}
	return f, nil
}

func (system) Size(name string) (int64, error) {
	info, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (system) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	// Some file systems cannot sync a folder and say EINVAL; they order
	// renames by themselves (fsync(2)).
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	return nil
}

func (system) Lock(name string) (Hold, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", name, ErrTaken)
		}
		return nil, &fs.PathError{Op: "lock", Path: name, Err: err}
	}
	return &hold{f, int(f.Fd())}, nil
}

type hold struct {
	*os.File
	fd int
}

func (h *hold) Room() (int64, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(h.fd, &st); err != nil {
		return 0, &fs.PathError{Op: "fstatfs", Path: h.Name(), Err: err}
	}
	if st.Flags&unix.ST_RDONLY != 0 {
		return 0, &fs.PathError{Op: "fstatfs", Path: h.Name(), Err: unix.EROFS}
	}
	return int64(min(st.Bavail, 1<<40)) * int64(st.Bsize), nil
}

var _ FS = system{}
