package v4l2

import (
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"mien/drivers/camera"
	"mien/drivers/device"
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

// kernelNode is the real one.
type kernelNode struct {
	fd   int
	bell *device.Bell
	layout
}

func openNode(path string) (node, error) {
	fd, err := device.Open(path, unix.O_RDWR)
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
		return nil, fmt.Errorf("%w: it is a file, not a camera's node", camera.ErrUnsupported)
	}
	bell, err := device.NewBell()
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &kernelNode{fd: fd, bell: bell}, nil
}

func (n *kernelNode) ioctl(req uintptr, arg unsafe.Pointer) error {
	return device.Ioctl(n.fd, req, arg)
}

func (n *kernelNode) mmap(offset int64, length int) ([]byte, error) {
	return unix.Mmap(n.fd, offset, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

func (n *kernelNode) munmap(b []byte) error { return unix.Munmap(b) }

func (n *kernelNode) wait(timeout time.Duration) (int16, bool, error) {
	return n.bell.Wait(n.fd, unix.POLLIN, max(timeout, 0))
}

func (n *kernelNode) wake() { n.bell.Ring() }

func (n *kernelNode) close() error {
	err := unix.Close(n.fd)
	if e := n.bell.Close(); err == nil {
		err = e
	}
	return err
}
