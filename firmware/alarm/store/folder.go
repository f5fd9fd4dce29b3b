package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Errors of Hold that do not go away by themselves: Open refuses.
var (
	ErrTaken  = errors.New("another running mien holds it: stop that one, or give this one a state.dir of its own")
	ErrUnsafe = errors.New("others could change what is kept")
)

// FS is what the store needs of a file system.
type FS interface {
	// Hold makes a folder where it is missing, and holds it against other
	// processes until it is closed or the process ends. ErrTaken: another holds
	// it. ErrUnsafe: others may write to it.
	Hold(dir string) (Folder, error)
}

// Folder is a folder that is held. Names are those of files in it.
type Folder interface {
	Read(name string) ([]byte, error)
	Size(name string) (int64, error)
	// Create makes an empty file, and sets room bytes aside for it where the
	// file system can.
	Create(name string, room int64) (File, error)
	Append(name string) (File, error)
	// Rename and Remove are durable when they return.
	Rename(from, to string) error
	Remove(name string) error
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

const lockFile = "lock"

func (system) Hold(dir string) (Folder, error) {
	fd, err := enter(dir)
	if err != nil {
		return nil, fmt.Errorf("folder %s: %w", dir, err)
	}
	f := &folder{fd: fd, dir: dir}
	if err := f.take(); errors.Is(err, ErrTaken) {
		f.Close()
		return nil, err
	}
	return f, nil // without the lock it can be read
}

// take takes the lock, without which nothing is written. A disk may be read-only
// for a while.
func (f *folder) take() error {
	if f.lock != nil {
		return nil
	}
	lock, err := f.open(lockFile, unix.O_RDWR|unix.O_CREAT)
	if err != nil {
		return err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrTaken
		}
		return &fs.PathError{Op: "hold", Path: f.dir, Err: err}
	}
	f.lock = lock
	return nil
}

// enter opens a folder, and makes what is missing of its path. It follows only
// the symbolic links of root and of this user, and takes no folder that others
// may write to: whoever may could lead a unit that runs as root to any file.
func enter(dir string) (fd int, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return -1, err
	}
	const way = unix.O_PATH | unix.O_CLOEXEC | unix.O_NOFOLLOW
	at, err := unix.Open("/", way, 0)
	if err != nil {
		return -1, err
	}
	defer func() { unix.Close(at) }()
	me, links := uint32(os.Geteuid()), 0
	step := func(next int) { unix.Close(at); at = next }
	for rest := split(dir); len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		next, err := unix.Openat(at, name, way, 0)
		if errors.Is(err, unix.ENOENT) {
			if err = unix.Mkdirat(at, name, 0o750); err == nil || errors.Is(err, unix.EEXIST) {
				next, err = unix.Openat(at, name, way, 0)
			}
		}
		var st unix.Stat_t
		if err == nil {
			err = unix.Fstat(next, &st)
		}
		if err != nil {
			return -1, fmt.Errorf("%s: %w", name, err)
		}
		if st.Mode&unix.S_IFMT != unix.S_IFLNK {
			step(next)
			continue
		}
		if links++; links > 40 {
			return -1, unix.ELOOP
		}
		target := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(next, "", target)
		unix.Close(next)
		if err != nil {
			return -1, fmt.Errorf("%s: %w", name, err)
		}
		if st.Uid != 0 && st.Uid != me {
			return -1, fmt.Errorf("%s is a symbolic link of user %d, which is not followed: %w; remove it, or name another state.dir", name, st.Uid, ErrUnsafe)
		}
		if rest = append(split(string(target[:n])), rest...); target[0] == '/' {
			root, err := unix.Open("/", way, 0)
			if err != nil {
				return -1, err
			}
			step(root)
		}
	}
	if fd, err = unix.Openat(at, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return -1, err
	}
	var st unix.Stat_t
	switch err = unix.Fstat(fd, &st); {
	case err != nil:
	case st.Uid != 0 && st.Uid != me:
		err = fmt.Errorf("it belongs to user %d: %w; run mien as that user, or give it this one (chown -R %d %s)", st.Uid, ErrUnsafe, me, dir)
	case st.Mode&0o002 != 0 || me == 0 && st.Mode&0o020 != 0:
		err = fmt.Errorf("its mode is %04o: %w; take that from them (chmod go-w %s)", st.Mode&0o7777, ErrUnsafe, dir)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func split(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// folder is a Folder of the machine. All is done relative to the open folder.
type folder struct {
	mu   sync.RWMutex // covers fd: Events reads while the writer may release it
	fd   int          // -1: closed
	dir  string
	lock *os.File // nil: not to be had yet
}

func (f *folder) open(name string, flag int) (*os.File, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	path := filepath.Join(f.dir, name)
	fd, err := unix.Openat(f.fd, name, flag|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o640)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	file := os.NewFile(uintptr(fd), path)
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		file.Close()
		return nil, &fs.PathError{Op: "open", Path: path, Err: errors.Join(err, errors.New("not an ordinary file"))}
	}
	return file, nil
}

func (f *folder) Read(name string) ([]byte, error) {
	file, err := f.open(name, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

func (f *folder) Create(name string, room int64) (File, error) {
	if err := f.take(); err != nil {
		return nil, err
	}
	file, err := f.open(name, unix.O_WRONLY|unix.O_CREAT)
	if err != nil {
		return nil, err // not a File that holds a nil pointer
	}
	info, err := file.Stat()
	if err == nil && info.Size() > 0 { // an empty one keeps the room that was set aside before
		err = file.Truncate(0)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	// Not every file system can; a disk without the room shows when it is written.
	unix.Fallocate(int(file.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, room)
	return file, nil
}

func (f *folder) Append(name string) (File, error) {
	if err := f.take(); err != nil {
		return nil, err
	}
	file, err := f.open(name, unix.O_WRONLY|unix.O_APPEND)
	if err != nil {
		return nil, err
	}
	return file, nil
}

// do calls op with the folder's descriptor.
func (f *folder) do(what, name string, op func(fd int) error) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if err := op(f.fd); err != nil {
		return &fs.PathError{Op: what, Path: filepath.Join(f.dir, name), Err: err}
	}
	return nil
}

func (f *folder) Size(name string) (int64, error) {
	var st unix.Stat_t
	err := f.do("stat", name, func(fd int) error { return unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	return st.Size, err
}

// syncNames makes the folder's names durable. Some file systems cannot and say
// EINVAL; they order renames by themselves (fsync(2)).
func syncNames(fd int) error {
	if err := unix.Fsync(fd); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	return nil
}

func (f *folder) Rename(from, to string) error {
	if err := f.take(); err != nil {
		return err
	}
	return f.do("rename", from, func(fd int) error {
		if err := unix.Renameat(fd, from, fd, to); err != nil {
			return err
		}
		return syncNames(fd)
	})
}

func (f *folder) Remove(name string) error {
	return f.do("remove", name, func(fd int) error {
		if err := unix.Unlinkat(fd, name, 0); err != nil {
			return err
		}
		return syncNames(fd)
	})
}

func (f *folder) Room() (int64, error) {
	var st unix.Statfs_t
	f.mu.RLock()
	defer f.mu.RUnlock()
	if err := unix.Fstatfs(f.fd, &st); err != nil {
		return 0, &fs.PathError{Op: "fstatfs", Path: f.dir, Err: err}
	}
	if st.Flags&unix.ST_RDONLY != 0 {
		return 0, &fs.PathError{Op: "fstatfs", Path: f.dir, Err: unix.EROFS}
	}
	return int64(min(st.Bavail, 1<<40)) * int64(st.Bsize), nil
}

func (f *folder) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lock != nil {
		f.lock.Close()
	}
	if f.fd >= 0 {
		unix.Close(f.fd)
	}
	f.fd = -1
	return nil
}
