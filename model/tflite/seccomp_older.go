//go:build !arm64

package tflite

import "golang.org/x/sys/unix"

// The calls that newer processors never had.
var (
	olderCalls = []uint32{unix.SYS_FORK, unix.SYS_VFORK, unix.SYS_CREAT, unix.SYS_UNLINK, unix.SYS_RENAME, unix.SYS_MKDIR, unix.SYS_RMDIR, unix.SYS_MKNOD,
		unix.SYS_LINK, unix.SYS_SYMLINK, unix.SYS_CHMOD, unix.SYS_CHOWN, unix.SYS_LCHOWN, unix.SYS_UTIMES}
	opens = []openCall{{unix.SYS_OPENAT, 2}, {unix.SYS_OPEN, 1}}
)
