"""The filter of system calls of the sandbox: what reads a network is one process with its threads. The program
is the kernel's own kind (seccomp, Documentation/userspace-api/seccomp_filter.rst), handed to bubblewrap."""

import platform
import struct

# Numbers by machine, from asm/unistd.h; from 424 on they are the same everywhere.
NUMBERS = {
    "x86_64": dict(arch=0xc000003e, clone=56, mmap=9, fork=57, vfork=58, socket=41, socketpair=53, ptrace=101, unshare=272, setns=308, mount=165,
                   umount2=166, pivot_root=155, chroot=161, bpf=321, perf_event_open=298, userfaultfd=323, keyctl=250, add_key=248,
                   request_key=249, process_vm_readv=310, process_vm_writev=311, open_by_handle_at=304, memfd_create=319,
                   shmget=29, msgget=68, semget=64, mq_open=240, personality=135, kexec_load=246, init_module=175, finit_module=313),
    "aarch64": dict(arch=0xc00000b7, clone=220, mmap=222, socket=198, socketpair=199, ptrace=117, unshare=97, setns=268, mount=40,
                    umount2=39, pivot_root=41, chroot=51, bpf=280, perf_event_open=241, userfaultfd=282, keyctl=219, add_key=217,
                    request_key=218, process_vm_readv=270, process_vm_writev=271, open_by_handle_at=265, memfd_create=279,
                    shmget=194, msgget=186, semget=190, mq_open=180, personality=92, kexec_load=104, init_module=105, finit_module=273),
}
SAME = dict(io_uring_setup=425, open_tree=428, move_mount=429, fsopen=430, fsmount=432, fspick=433, pidfd_open=434, mount_setattr=442, memfd_secret=447)
CLONE3 = 435
CLONE_THREAD, SHARED_ANONYMOUS = 0x10000, 0x21
EPERM, ENOSYS = 1, 38
LOAD, EQUAL, AT_LEAST, AND, ANY, RETURN = 0x20, 0x15, 0x35, 0x54, 0x45, 0x06
ALLOW, REFUSE = 0x7fff0000, 0x00050000  # with an errno
NUMBER, ARCH, ARGUMENT = 0, 4, 16       # where they are in seccomp_data; the low half of argument 0


def program():
    """The filter as bytes, or None on a machine whose numbers are not here."""
    n = NUMBERS.get(platform.machine())
    if n is None:
        return None
    out = []
    add = lambda code, k, yes=0, no=0: out.append(struct.pack("=HBBI", code, yes, no, k))
    refuse = lambda errno=EPERM: add(RETURN, REFUSE | errno)
    add(LOAD, ARCH)
    add(EQUAL, n["arch"], 1, 0)
    refuse()
    add(LOAD, NUMBER)
    if n["arch"] == NUMBERS["x86_64"]["arch"]:
        add(AT_LEAST, 1 << 30, 0, 1)  # the calls of x32
        refuse()
    for name, number in {**n, **SAME}.items():
        if name not in ("arch", "clone", "mmap"):
            add(EQUAL, number, 0, 1)
            refuse()
    # clone3 has its flags in memory, where no filter can look: a C library goes on with clone.
    add(EQUAL, CLONE3, 0, 1)
    refuse(ENOSYS)
    add(EQUAL, n["clone"], 0, 4)
    add(LOAD, ARGUMENT)
    add(ANY, CLONE_THREAD, 1, 0)
    refuse()
    add(RETURN, ALLOW)
    # Memory that is shared and of no file would not count as the process's own.
    add(EQUAL, n["mmap"], 0, 4)
    add(LOAD, ARGUMENT + 3 * 8)
    add(AND, SHARED_ANONYMOUS)
    add(EQUAL, SHARED_ANONYMOUS, 0, 1)
    refuse()
    add(RETURN, ALLOW)
    return b"".join(out)
