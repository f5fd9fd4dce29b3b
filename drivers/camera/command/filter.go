package command

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// architectures are the AUDIT_ARCH_... of include/uapi/linux/audit.h, for those
// processors on which socket(2) is a system call of its own.
var architectures = map[string]uint32{"amd64": 0xc000003e, "arm64": 0xc00000b7, "arm": 0x40000028}

// x32 is the bit of the system calls of amd64's 32-bit twin.
const x32 = 0x40000000

// keepFromNetwork lets this thread, and the programs that it starts, have no socket
// but of the families AF_UNIX and AF_NETLINK (udev's, which libcamera asks): who sees
// pictures has no network, with systemd and without. io_uring would be another way to
// a socket, and is refused. Source: Documentation/userspace-api/seccomp_filter.rst.
func keepFromNetwork() error {
	arch, ok := architectures[runtime.GOARCH]
	if !ok {
		return unix.ENOSYS
	}
	const (
		load    = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		atLeast = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		give    = unix.BPF_RET | unix.BPF_K
		// struct seccomp_data
		number, architecture, firstArgument = 0, 4, 16
		refuse                              = unix.SECCOMP_RET_ERRNO
	)
	filter := []unix.SockFilter{
		{Code: load, K: architecture},
		{Code: equal, K: arch, Jt: 1},
		{Code: give, K: refuse | uint32(unix.EPERM)}, // a program of another architecture: numbers mean other calls
		{Code: load, K: number},
		{Code: atLeast, K: x32, Jt: 3},
		{Code: equal, K: unix.SYS_IO_URING_SETUP, Jt: 2},
		{Code: equal, K: unix.SYS_SOCKET, Jt: 2},
		{Code: give, K: unix.SECCOMP_RET_ALLOW},
		{Code: give, K: refuse | uint32(unix.ENOSYS)},
		{Code: load, K: firstArgument}, // its lower half, on these processors
		{Code: equal, K: unix.AF_UNIX, Jt: 2},
		{Code: equal, K: unix.AF_NETLINK, Jt: 1},
		{Code: give, K: refuse | uint32(unix.EAFNOSUPPORT)},
		{Code: give, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
}
