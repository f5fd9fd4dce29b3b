// Package given reads the files that people name: bounded before they are read,
// and regular files on a disk alone, because a pipe, a device or one of the kernel's
// own files (/proc/kmsg) may never end, and opening or reading one may wait for ever.
package given

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Open opens a regular file for reading; it waits for nothing. Errors name the
// path and wrap what the system said.
func Open(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("open %s: is %s, not a file", path, kind(info.Mode()))
	}
	var fs unix.Statfs_t
	if err == nil && unix.Fstatfs(int(f.Fd()), &fs) == nil && kernels[int64(fs.Type)] {
		err = fmt.Errorf("open %s: is a file of the kernel's, not one on a disk", path)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// kernels are the file systems whose files the kernel makes up as they are read.
var kernels = map[int64]bool{unix.PROC_SUPER_MAGIC: true, unix.SYSFS_MAGIC: true, unix.DEBUGFS_MAGIC: true, unix.TRACEFS_MAGIC: true,
	unix.SECURITYFS_MAGIC: true, unix.PSTOREFS_MAGIC: true, unix.CGROUP_SUPER_MAGIC: true, unix.CGROUP2_SUPER_MAGIC: true, unix.BPF_FS_MAGIC: true}

// Read reads a regular file of at most so many bytes.
func Read(path string, most int64) ([]byte, error) {
	f, info, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size() > most {
		return nil, fmt.Errorf("read %s: %d bytes, the limit is %d", path, info.Size(), most)
	}
	data := make([]byte, 0, info.Size()+1) // one more, to find its end at once
	for {
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case err == io.EOF:
			return data, nil
		case err != nil:
			return nil, err
		case int64(len(data)) > most: // it grows
			return nil, fmt.Errorf("read %s: more than %d bytes, the limit", path, most)
		case len(data) == cap(data):
			data = append(data, 0)[:len(data)]
		}
	}
}

// PNG decodes a picture that takes at most so many bytes of memory, by what its
// head says of it.
func PNG(file []byte, most int64) (image.Image, error) {
	c, err := png.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	each := int64(8)
	switch c.ColorModel {
	case color.GrayModel:
		each = 1
	case color.Gray16Model:
		each = 2
	case color.RGBAModel, color.NRGBAModel:
		each = 4
	}
	if _, ok := c.ColorModel.(color.Palette); ok {
		each = 1
	}
	// An interlaced one is put together of parts, half as large at the most.
	if need := int64(c.Width) * int64(c.Height) * each * 3 / 2; need > most {
		return nil, fmt.Errorf("a picture of %dx%d pixels, %d bytes each, needs %d MiB, the limit is %d", c.Width, c.Height, each, need>>20, most>>20)
	}
	return png.Decode(bytes.NewReader(file))
}

func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "something else"
}
