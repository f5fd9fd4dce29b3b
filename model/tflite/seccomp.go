package tflite

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// refusedCalls are what a network has no need of: other programs, other
// processes, networks, devices, changes to files. The rest is memory, threads,
// time, and reading.
var refusedCalls = []uint32{
	unix.SYS_EXECVE, unix.SYS_EXECVEAT, unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_KILL, unix.SYS_PIDFD_OPEN,
	unix.SYS_SOCKET, unix.SYS_SOCKETPAIR, unix.SYS_CONNECT, unix.SYS_BIND, unix.SYS_IOCTL,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_IO_URING_SETUP, unix.SYS_KEYCTL, unix.SYS_ADD_KEY,
	unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_CHROOT, unix.SYS_OPENAT2, unix.SYS_OPEN_BY_HANDLE_AT,
	unix.SYS_UNLINKAT, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_MKDIRAT, unix.SYS_MKNODAT, unix.SYS_LINKAT, unix.SYS_SYMLINKAT,
	unix.SYS_FCHMODAT, unix.SYS_FCHOWNAT, unix.SYS_TRUNCATE, unix.SYS_SETXATTR, unix.SYS_UTIMENSAT,
}

// Of seccomp_data (linux/seccomp.h) and linux/audit.h.
const (
	seccompNumber   = 0
	seccompArch     = 4
	seccompArgument = 16 // the low half of argument 0, on the little-endian processors that there are
)

var auditArch = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64, "arm": unix.AUDIT_ARCH_ARM}

// filterCalls refuses those calls to the whole process, for good, by a filter of
// the kernel (seccomp, with a program as Documentation/userspace-api/seccomp_filter.rst
// tells). It does nothing where the kernel has no such filters.
func filterCalls() error {
	refuse := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)}
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	test := func(how uint16, with uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | how | unix.BPF_K, K: with, Jt: yes, Jf: no}
	}
	allow := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
	f := []unix.SockFilter{
		load(seccompArch), test(unix.BPF_JEQ, auditArch[runtime.GOARCH], 1, 0), refuse,
		load(seccompNumber),
	}
	for _, call := range append(olderCalls, refusedCalls...) {
		f = append(f, test(unix.BPF_JEQ, call, 0, 1), refuse)
	}
	if runtime.GOARCH == "amd64" { // the calls of x32
		f = append(f, test(unix.BPF_JGE, 1<<30, 0, 1), refuse)
	}
	// A thread is no new process. clone3 keeps its flags in memory, where a filter
	// cannot look: a C library goes on with clone.
	f = append(f, test(unix.BPF_JEQ, unix.SYS_CLONE3, 0, 1), unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
		test(unix.BPF_JEQ, unix.SYS_CLONE, 0, 4), load(seccompArgument), test(unix.BPF_JSET, unix.CLONE_THREAD, 1, 0), refuse, allow)
	// Files are for reading.
	for _, call := range opens {
		f = append(f, test(unix.BPF_JEQ, call.number, 0, 4), load(seccompArgument+8*call.flags),
			test(unix.BPF_JSET, unix.O_ACCMODE|unix.O_CREAT|unix.O_TRUNC, 0, 1), refuse, allow)
	}
	f = append(f, allow)

	runtime.LockOSThread() // both calls are of one thread, the second reaches the others
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	program := unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	if errno != 0 && errno != unix.ENOSYS && errno != unix.EINVAL {
		return fmt.Errorf("filter system calls: %w", errno)
	}
	return nil
}

// openCall is a system call that opens a file, and which argument has its flags.
type openCall struct{ number, flags uint32 }
