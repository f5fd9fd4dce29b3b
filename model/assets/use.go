package assets

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"
)

// File is a file on a disk that the program works with.
type File struct {
	Path string
	Code bool // a library: what runs is the file itself, mapped into memory, and no copy

	was     unix.Stat_t // when it was opened
	is      unix.Stat_t // when its content was last found to be the same
	sum     string      // of its content
	spoiled bool        // what is mapped was overwritten
}

// Use notes what the file at path is. sum is what its content has to be, as Sum gives
// it of a file that mien was made with; "": what it is now.
func Use(path, sum string, code bool) (File, error) {
	f := File{Path: path, Code: code, sum: sum}
	if err := unix.Stat(path, &f.was); err != nil {
		return f, &fs.PathError{Op: "look at", Path: path, Err: err}
	}
	f.is = f.was
	var err error
	if f.sum == "" {
		f.sum, err = sumFile(path)
	}
	return f, err
}

// Changed tells in words how the file at the path is another than the one in use, ""
// where it is none. It reads it only where its inode, size or times are others.
// overwritten: it is the same file with another content. Code that was overwritten is
// another until the very file that is mapped is as it was.
func (f *File) Changed() (how string, overwritten bool) {
	var now unix.Stat_t
	err := unix.Stat(f.Path, &now)
	switch {
	case errors.Is(err, unix.ENOENT):
		return f.Path + " is gone from the disk", false
	case err != nil:
		return fmt.Sprintf("%s cannot be looked at: %v", f.Path, err), false
	case now.Dev == f.is.Dev && now.Ino == f.is.Ino && now.Size == f.is.Size && now.Mtim == f.is.Mtim && now.Ctim == f.is.Ctim:
		return "", false
	}
	same := now.Dev == f.was.Dev && now.Ino == f.was.Ino
	switch sum, err := sumFile(f.Path); {
	case err != nil:
		return err.Error(), false
	case sum == f.sum && f.spoiled && !same:
		return f.Path + " was overwritten while it ran, and replaced since", false
	case sum == f.sum:
		f.is, f.spoiled = now, false
		return "", false
	case same:
		f.spoiled = f.Code
		return f.Path + " was overwritten on the disk", true
	}
	return f.Path + " was replaced on the disk", false
}
