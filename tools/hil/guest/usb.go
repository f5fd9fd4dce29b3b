package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"mien/tools/hil/wire"
)

// A USB camera in software, at the kernel's virtual host controller vhci_hcd
// (drivers/usb/usbip, protocol in Documentation/usb/usbip_protocol.rst): the
// kernel enumerates it and drives it by uvcvideo like any other. It sends motion
// JPEG over a bulk endpoint (USB Device Class Definition for Video Devices 1.1).

const (
	cmdSubmit, cmdUnlink = 1, 2
	retSubmit, retUnlink = 3, 4
	headerSize           = 48
	speedHigh            = 3

	vhci       = "/sys/devices/platform/vhci_hcd.0/"
	portOne    = vhci + "usb*/*-1" // the device at the controller's first port
	plugTime   = time.Minute       // the most that a plug may take on a busy host
	cameraLink = "/dev/v4l/by-id/usb-mien_test_camera-video-index0"
)

// header is usbip_header of a command or a reply, but for the setup packet.
type header struct {
	Command, Sequence, Device, Direction, Endpoint uint32
	A, Length, C, D, E                             uint32 // A: flags, status, or the sequence to unlink
	Setup                                          [8]byte
}

// usbCamera is one such camera, plugged in.
type usbCamera struct {
	link *os.File

	write   sync.Mutex
	mu      sync.Mutex // covers what is below
	show    wire.USBShow
	files   [][]byte
	probe   []byte
	waiting []header // bulk requests without an answer
	more    chan struct{}
	gone    chan struct{}
}

var plugged *usbCamera

// plug plugs the camera in, and gives its node once the kernel has made one.
// There is no udev here: the lasting link is made as udev would.
func plug(s wire.USBShow) (any, error) {
	if plugged != nil {
		return nil, errors.New("it is plugged in")
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	c := &usbCamera{link: os.NewFile(uintptr(pair[0]), "usb camera"), more: make(chan struct{}, 1), gone: make(chan struct{}), probe: probeControl()}
	if err := c.setShow(s); err != nil {
		return nil, err
	}
	go c.serve()
	go c.stream()
	err = writeTo(vhci+"attach", fmt.Sprintf("0 %d 1 %d", pair[1], speedHigh))
	unix.Close(pair[1]) // the kernel has its own
	if err != nil {
		c.link.Close()
		return nil, err
	}
	plugged = c
	var node string
	if !soon(func() bool { node = cameraNode(); return node != "" }) {
		device, _ := filepath.Glob(portOne) // the pattern is right
		return nil, fmt.Errorf("no video node after %v; at the port %v; nodes %v", plugTime, device, nodes())
	}
	os.MkdirAll(filepath.Dir(cameraLink), 0o755)
	os.Remove(cameraLink)
	return node, os.Symlink(node, cameraLink)
}

// nodes are the camera's own, whatever numbers other devices have had. The
// kernel names a device in sysfs before it makes the file in /dev.
func nodes() (list []string) {
	found, _ := filepath.Glob(portOne + "/*/video4linux/video*") // the pattern is right
	for _, path := range found {
		if _, err := os.Stat("/dev/" + filepath.Base(path)); err == nil {
			list = append(list, path)
		}
	}
	return list
}

// cameraNode is the node that gives pictures, once the second, for metadata, is
// there too.
func cameraNode() string {
	list := nodes()
	for _, path := range list {
		if index, _ := os.ReadFile(path + "/index"); len(list) == 2 && strings.TrimSpace(string(index)) == "0" {
			return "/dev/" + filepath.Base(path)
		}
	}
	return ""
}

// soon asks until ok, for plugTime.
func soon(ok func() bool) bool {
	for began := time.Now(); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > plugTime {
			return false
		}
	}
	return true
}

// unplug pulls the plug, and returns once the kernel has let the device go: it
// does so by and by, and until then the old nodes would pass for those of a
// device plugged in again, and the port is taken.
func unplug(struct{}) (any, error) {
	if plugged == nil {
		return nil, nil
	}
	c := plugged
	plugged = nil
	os.Remove(cameraLink)
	err := writeTo(vhci+"detach", "0")
	<-c.gone
	if !soon(func() bool {
		device, _ := filepath.Glob(portOne) // the pattern is right
		return len(device) == 0 && portFree()
	}) {
		err = errors.Join(err, fmt.Errorf("the device is still there %v after the plug was pulled", plugTime))
	}
	return nil, errors.Join(err, c.link.Close())
}

// portFree tells whether the controller's first port takes a device: its state
// is VDEV_ST_NULL (drivers/usb/usbip/vhci_sysfs.c, usbip_common.h).
func portFree() bool {
	text, _ := os.ReadFile(vhci + "status") // none: not free
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Fields(line); len(f) > 2 && f[0] == "hs" && f[1] == "0000" {
			return f[2] == "004"
		}
	}
	return false
}

// usbShow changes what the camera sends.
func usbShow(s wire.USBShow) (any, error) {
	if plugged == nil {
		return nil, errors.New("it is not plugged in")
	}
	return nil, plugged.setShow(s)
}

func (c *usbCamera) setShow(s wire.USBShow) error {
	var files [][]byte
	for _, path := range s.Pictures {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files = append(files, b)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.show, c.files = s, files
	return nil
}

// serve answers the kernel until the plug is pulled.
func (c *usbCamera) serve() {
	defer close(c.gone)
	for {
		var h header
		if err := binary.Read(c.link, binary.BigEndian, &h); err != nil {
			return
		}
		var out []byte
		if h.Command == cmdSubmit && h.Direction == 0 {
			out = make([]byte, h.Length)
			if _, err := io.ReadFull(c.link, out); err != nil {
				return
			}
		}
		switch {
		case h.Command == cmdUnlink:
			c.unlink(h)
		case h.Endpoint == 0:
			in, status := c.control(h.Setup)
			length := len(out)
			if h.Direction == 1 {
				in = in[:min(len(in), int(h.Length))]
				length = len(in)
			}
			c.reply(h, status, length, in)
		default:
			c.mu.Lock()
			c.waiting = append(c.waiting, h)
			c.mu.Unlock()
			select {
			case c.more <- struct{}{}:
			default:
			}
		}
	}
}

func (c *usbCamera) reply(h header, status int32, length int, data []byte) {
	c.write.Lock()
	defer c.write.Unlock()
	c.send(h, status, length, data)
}

// send writes a reply. The write lock is held.
func (c *usbCamera) send(h header, status int32, length int, data []byte) {
	r := header{Command: retSubmit, Sequence: h.Sequence, A: uint32(status), Length: uint32(length)}
	b, _ := binary.Append(make([]byte, 0, headerSize+len(data)), binary.BigEndian, r) // a struct of numbers
	c.link.Write(append(b, data...))                                                  // an error comes again with the next read
}

// answer answers a bulk request, unless the kernel has taken it back: an answer
// after that would be to nothing, at which the kernel drops the device.
func (c *usbCamera) answer(h header, data []byte) bool {
	c.write.Lock()
	defer c.write.Unlock()
	if !c.take(h.Sequence) {
		return false
	}
	c.send(h, 0, len(data), data)
	return true
}

// take takes a bulk request off the list, if it is there. The write lock is held
// until the kernel is told.
func (c *usbCamera) take(sequence uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.waiting, func(h header) bool { return h.Sequence == sequence })
	if i < 0 {
		return false
	}
	c.waiting = slices.Delete(c.waiting, i, i+1)
	return true
}

// unlink takes a request back, if it has no answer yet.
func (c *usbCamera) unlink(h header) {
	c.write.Lock()
	defer c.write.Unlock()
	status := int32(0)
	if c.take(h.A) {
		status = -int32(unix.ECONNRESET)
	}
	b, _ := binary.Append(nil, binary.BigEndian, header{Command: retUnlink, Sequence: h.Sequence, A: uint32(status)}) // a struct of numbers
	c.link.Write(b)                                                                                                   // as with send
}

// next waits for a bulk request and leaves it in the list; false: the plug was
// pulled.
func (c *usbCamera) next() (header, bool) {
	for {
		c.mu.Lock()
		if len(c.waiting) > 0 {
			h := c.waiting[0]
			c.mu.Unlock()
			return h, true
		}
		c.mu.Unlock()
		select {
		case <-c.more:
		case <-c.gone:
			return header{}, false
		}
	}
}

// stream sends pictures as payloads of one request each: a header of two bytes
// (its length; frame ID and end of frame), then the bytes (2.4.3.2.2, 2.4.3.3).
func (c *usbCamera) stream() {
	for n := 0; ; n++ {
		c.mu.Lock()
		s, files := c.show, c.files
		c.mu.Unlock()
		if len(files) == 0 {
			select {
			case <-time.After(100 * time.Millisecond):
				continue
			case <-c.gone:
				return
			}
		}
		picture := files[n%len(files)]
		if s.CutEvery > 0 && n%s.CutEvery == 0 {
			picture = picture[:len(picture)/3]
		}
		for at := 0; at < len(picture); {
			h, ok := c.next()
			if !ok {
				return
			}
			m := min(int(h.Length)-512, len(picture)-at)
			flags := byte(0x80 | n&1)
			if at+m == len(picture) {
				flags |= 2
			}
			if c.answer(h, append([]byte{2, flags}, picture[at:at+m]...)) {
				at += m
			}
		}
		select {
		case <-time.After(s.Every):
		case <-c.gone:
			return
		}
	}
}
