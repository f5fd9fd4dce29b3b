package camera

import (
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// node is what the kernel does for an open V4L2 device. The tests' simulated
// driver stands behind it as well.
type node interface {
	ioctl(req uintptr, arg unsafe.Pointer) error
	buffer(req uintptr, b *v4l2Buffer) error
	mmap(offset int64, length int) ([]byte, error)
	munmap(b []byte) error
	// wait returns poll's events on the device, 0 when timeout passed, and
	// whether wake was called, now or before.
	wait(timeout time.Duration) (events int16, woken bool, err error)
	wake()
	close() error
}

// kernelNode is the real one. It is opened with open(2) and polled by itself, not
// by Go's own poller. That would poll the node before the stream is set up, and a
// driver that also offers read() takes that for the start of read I/O and refuses
// REQBUFS with EBUSY. And a poll takes the driver's mutex: a driver that hangs must
// hold up the thread that waits here, not the poller that all goroutines need,
// though a goroutine parked there would cost Go's scheduler less.
type kernelNode struct {
	fd    int
	event int // eventfd, readable once wake was called
	fds   [2]unix.PollFd
	layout
}

func openNode(path string) (node, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR {
		unix.Close(fd)
		return nil, fmt.Errorf("%w: it is a file, not a camera's node", ErrUnsupported)
	}
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	n := &kernelNode{fd: fd, event: event}
	n.fds = [2]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(event), Events: unix.POLLIN}}
	return n, nil
}

func (n *kernelNode) ioctl(req uintptr, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(n.fd), req, uintptr(arg))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
			continue
		}
		return errno
	}
}

func (n *kernelNode) mmap(offset int64, length int) ([]byte, error) {
	return unix.Mmap(n.fd, offset, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

func (n *kernelNode) munmap(b []byte) error { return unix.Munmap(b) }

func (n *kernelNode) wait(timeout time.Duration) (int16, bool, error) {
	deadline := Now() + timeout
	for {
		ms := (timeout + time.Millisecond - 1) / time.Millisecond
		count, err := unix.Poll(n.fds[:], int(min(max(ms, 0), 1<<30)))
		if err == unix.EINTR {
			timeout = deadline - Now()
			continue
		}
		if err != nil {
			return 0, false, fmt.Errorf("poll: %w", err)
		}
		if count == 0 {
			return 0, false, nil
		}
		return n.fds[0].Revents, n.fds[1].Revents != 0, nil
	}
}

func (n *kernelNode) wake() {
	one := [8]byte{1}
	unix.Write(n.event, one[:]) // fails only when it is readable already
}

func (n *kernelNode) close() error {
	err := unix.Close(n.fd)
	if e := unix.Close(n.event); err == nil {
		err = e
	}
	return err
}
