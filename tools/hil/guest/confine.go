package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"mien/tools/hil/wire"
)

// confined becomes the program that args name, with as little as systemd
// would leave it by board/mien.service. Which of its settings that is, and which
// not, is in tools/hil/confine_test.go.
func confined(args []string) error {
	var c wire.Confinement
	if err := json.Unmarshal([]byte(args[0]), &c); err != nil {
		return err
	}
	runtime.LockOSThread() // credentials are of a thread; exec keeps this one's
	if err := limitMemory(c.MemoryMax); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("namespaces: %w", err)
	}
	if err := protect(c.Writable); err != nil {
		return err
	}
	for i := uintptr(0); i <= unix.CAP_LAST_CAP; i++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, i, 0, 0, 0); err != nil {
			return fmt.Errorf("drop capability %d: %w", i, err)
		}
	}
	if err := unix.Setgroups(c.Groups); err != nil {
		return fmt.Errorf("groups: %w", err)
	}
	if err := unix.Setresgid(c.GID, c.GID, c.GID); err != nil {
		return fmt.Errorf("group: %w", err)
	}
	if err := unix.Setresuid(c.UID, c.UID, c.UID); err != nil {
		return fmt.Errorf("user: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	unix.Umask(0o007)
	if err := filterCalls(); err != nil {
		return fmt.Errorf("filter of system calls: %w", err)
	}
	if err := unix.Exec(args[1], args[1:], unix.Environ()); err != nil {
		return fmt.Errorf("%s: %w", args[1], err)
	}
	return nil
}

// limitMemory puts the process into a control group of its own.
func limitMemory(most int64) error {
	if err := os.MkdirAll(wire.ControlGroup, 0o755); err != nil {
		return err
	}
	return errors.Join(writeTo(wire.ControlGroup+"/memory.max", fmt.Sprint(most)), writeTo(wire.ControlGroup+"/cgroup.procs", "0"))
}

// protect leaves the process's own view of the file system read-only, but for
// /dev, /proc, the folders it may write, and a /tmp of its own.
func protect(writable []string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mounts of its own: %w", err)
	}
	for _, at := range append([]string{"/proc/sys"}, writable...) {
		if err := unix.Mount(at, at, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s: %w", at, err)
		}
	}
	if err := unix.Mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777"); err != nil {
		return fmt.Errorf("mount /tmp: %w", err)
	}
	list, err := os.ReadFile("/proc/thread-self/mountinfo") // the mounts are this thread's, and /proc/self is the first thread
	if err != nil {
		return err
	}
	for _, line := range strings.Split(strings.TrimSpace(string(list)), "\n") {
		at := strings.Fields(line)[4] // proc(5)
		if at == "/tmp" || at == "/proc" || at == "/dev" || strings.HasPrefix(at, "/dev/") || slices.Contains(writable, at) {
			continue
		}
		if err := unix.Mount("", at, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
			return fmt.Errorf("%s read-only: %w", at, err)
		}
	}
	return nil
}

// filterCalls refuses the system calls that systemd's RestrictAddressFamilies=
// AF_UNIX, RestrictNamespaces=, LockPersonality= and SystemCallArchitectures=native
// refuse, with the same errors (seccomp(2); systemd's src/shared/seccomp-util.c).
func filterCalls() error {
	const (
		load   = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		anyOf  = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		result = unix.BPF_RET | unix.BPF_K

		number, arch, first = 0, 4, 16 // of struct seccomp_data

		kinds = unix.CLONE_NEWCGROUP | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWNS |
			unix.CLONE_NEWPID | unix.CLONE_NEWUSER | unix.CLONE_NEWUTS
	)
	fail := func(e unix.Errno) unix.SockFilter {
		return unix.SockFilter{Code: result, K: unix.SECCOMP_RET_ERRNO | uint32(e)}
	}
	allow := unix.SockFilter{Code: result, K: unix.SECCOMP_RET_ALLOW}
	program := []unix.SockFilter{
		{Code: load, K: arch},
		{Code: equal, K: unix.AUDIT_ARCH_AARCH64, Jt: 1},
		{Code: result, K: unix.SECCOMP_RET_KILL_PROCESS},
		{Code: load, K: number},
		// Each of these: another call goes on behind the answer.
		{Code: equal, K: unix.SYS_SOCKET, Jf: 4}, {Code: load, K: first}, {Code: equal, K: unix.AF_UNIX, Jf: 1}, allow, fail(unix.EAFNOSUPPORT),
		{Code: equal, K: unix.SYS_CLONE, Jf: 4}, {Code: load, K: first}, {Code: anyOf, K: kinds, Jt: 1}, allow, fail(unix.EPERM),
		{Code: equal, K: unix.SYS_PERSONALITY, Jf: 4}, {Code: load, K: first}, {Code: equal, K: 0, Jf: 1}, allow, fail(unix.EPERM),
		{Code: equal, K: unix.SYS_CLONE3, Jf: 1}, fail(unix.ENOSYS), // its flags cannot be seen: the C library takes clone
		{Code: equal, K: unix.SYS_UNSHARE, Jf: 1}, fail(unix.EPERM),
		{Code: equal, K: unix.SYS_SETNS, Jf: 1}, fail(unix.EPERM),
		allow,
	}
	p := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&p)), 0, 0)
}

// trespass tries what a confined program must not do, and prints what it could.
func trespass() error {
	var list []string
	for _, dir := range []string{"/", "/etc/mien", "/usr/lib/mien", "/run", "/sys/class", "/proc/sys/kernel"} {
		var s unix.Statfs_t
		if err := unix.Statfs(dir, &s); err != nil || s.Flags&unix.ST_RDONLY == 0 {
			list = append(list, fmt.Sprintf("%s is not read-only (%v)", dir, err))
		}
	}
	for _, path := range []string{"/sys/power/state", "/proc/sys/kernel/hostname"} {
		if err := writeTo(path, "mien"); err == nil {
			list = append(list, path+" is written")
		}
	}
	if found, _ := filepath.Glob("/tmp/*"); len(found) > 0 { // the pattern is right
		list = append(list, "another's /tmp: "+found[0])
	}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK, unix.AF_PACKET} {
		if _, err := unix.Socket(family, unix.SOCK_DGRAM, 0); err != unix.EAFNOSUPPORT {
			list = append(list, fmt.Sprintf("socket of family %d: %v", family, err))
		}
	}
	if c, err := net.Dial("tcp", "127.0.0.1:80"); err == nil {
		list = append(list, "connected to "+c.RemoteAddr().String())
	}
	if err := unix.Unshare(unix.CLONE_NEWUSER); err != unix.EPERM {
		list = append(list, fmt.Sprintf("a user namespace: %v", err))
	}
	if fd, err := unix.Open("/dev/mem", unix.O_RDONLY, 0); err == nil {
		list = append(list, fmt.Sprintf("/dev/mem is open: %d", fd))
	}
	if len(list) > 0 {
		return errors.New(strings.Join(list, "; "))
	}
	return nil
}
