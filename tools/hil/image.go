package main

import (
	"bufio"
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// module is a kernel module to load at boot, in this order.
type module struct{ name, parameters string }

// vividParameters make three devices: one with an HDMI input and an HDMI output that
// the driver can loop, so that what is queued at the output comes in at the input,
// a plain test camera, and one with the multi-planar interface alone.
const vividParameters = "n_devs=3 node_types=0x101,0x1,0x1 num_inputs=1,1,1 input_types=0x3,0x0,0x0 num_outputs=1,0,0 output_types=0x1,0x0,0x0 multiplanar=1,1,2"

// virtModules are loaded at boot of the machine `virt`.
var virtModules = []module{{"virtio_pci", ""}, {"virtio_console", ""}, {"virtio_blk", ""}, {"crc32c_generic", ""}, {"ext4", ""},
	{"i6300esb", ""}, {"vivid", vividParameters}, {"vhci_hcd", ""}, {"uvcvideo", ""}}

// virtSpare are there to be loaded by a scenario.
var virtSpare = []string{"gpio_keys"}

// libraries of the guest, by the folder where Debian has them. Those that mien
// is to find at run time must be in the loader's own folders.
var libraries = []string{"lib/aarch64-linux-gnu/ld-linux-aarch64.so.1", "lib/aarch64-linux-gnu/libc.so.6", "lib/aarch64-linux-gnu/libm.so.6",
	"lib/aarch64-linux-gnu/libdl.so.2", "lib/aarch64-linux-gnu/libpthread.so.0", "lib/aarch64-linux-gnu/librt.so.1",
	"lib/aarch64-linux-gnu/libgcc_s.so.1", "usr/lib/aarch64-linux-gnu/libstdc++.so.6", "usr/lib/aarch64-linux-gnu/libunwind-ptrace.so.0",
	"usr/lib/aarch64-linux-gnu/libunwind-aarch64.so.8", "usr/lib/aarch64-linux-gnu/libunwind.so.8", "lib/aarch64-linux-gnu/liblzma.so.5", "usr/bin/strace"}

// archive is the initial RAM file system, the machine's only root.
type archive struct {
	out *bufio.Writer
	ino int
	dir map[string]bool
	at  int
	err error
}

// writeImage writes the file system that the machine starts from.
func writeImage(ctx context.Context, s *system, path, stage string, boot []module, spare []string, extra map[string]string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	i := &archive{out: bufio.NewWriterSize(f, 1<<20), dir: map[string]bool{}}
	guest := filepath.Join(s.dir, "guest")
	if err := goBuild(ctx, "build", guest, "./tools/hil/guest"); err != nil {
		return err
	}
	i.copy("init", guest, 0o755)
	for _, l := range libraries {
		from, err := filepath.EvalSymlinks(filepath.Join(s.dir, "root", l))
		if err != nil {
			return err
		}
		to := strings.TrimPrefix(l, "usr/")
		i.copy(to, from, 0o755)
	}
	i.copy("lib/ld-linux-aarch64.so.1", filepath.Join(s.dir, "root/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1"), 0o755)
	if err := i.tree("usr/lib/mien", stage); err != nil {
		return err
	}
	i.text("etc/passwd", "root:x:0:0:root:/tmp:/init\nmien:x:990:990:mien:/tmp:/init\n")
	i.text("etc/group", "root:x:0:\nmien:x:990:\nvideo:x:44:\ndialout:x:20:\ngpio:x:991:\n")
	if err := i.modules(s, boot, spare); err != nil {
		return err
	}
	for to, from := range extra {
		if text, ok := strings.CutPrefix(from, "text:"); ok {
			i.text(to, text)
		} else {
			i.copy(to, from, 0o755)
		}
	}
	i.entry("TRAILER!!!", 0, 0, nil)
	return errors.Join(i.err, i.out.Flush(), f.Close())
}

// goBuild builds for the machine: "build" a program, "test" a package's tests.
func goBuild(ctx context.Context, how, out, pkg string) error {
	args := []string{how, "-trimpath", "-ldflags", "-s -w", "-o", out}
	if how == "test" {
		args = append(args, "-c")
	}
	c := exec.CommandContext(ctx, "go", append(args, pkg)...)
	c.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	if text, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s %s: %w\n%s", how, pkg, err, text)
	}
	return nil
}

// modules adds the modules with all that they depend on, in the order of loading.
func (i *archive) modules(s *system, boot []module, spare []string) error {
	files := map[string]string{}
	err := filepath.WalkDir(s.modules(), func(path string, d fs.DirEntry, err error) error {
		if name, ok := strings.CutSuffix(filepath.Base(path), ".ko"); ok {
			files[strings.ReplaceAll(name, "-", "_")] = path
		}
		return err
	})
	if err != nil {
		return err
	}
	var order []string
	var add func(name string) error
	add = func(name string) error {
		name = strings.ReplaceAll(name, "-", "_")
		if slices.Contains(order, name) {
			return nil
		}
		path, ok := files[name]
		if !ok {
			return fmt.Errorf("the kernel has no module %s", name)
		}
		needs, err := depends(path)
		for _, n := range needs {
			err = errors.Join(err, add(n))
		}
		order = append(order, name)
		i.copy("lib/modules/"+name+".ko", path, 0o644)
		return err
	}
	var list strings.Builder
	for n, m := range boot {
		before := len(order)
		if err := add(m.name); err != nil {
			return err
		}
		for _, name := range order[before:] {
			if name == strings.ReplaceAll(boot[n].name, "-", "_") && m.parameters != "" {
				name += " " + m.parameters
			}
			fmt.Fprintln(&list, name)
		}
	}
	i.text("etc/hil/modules", list.String())
	for _, name := range spare {
		if err := add(name); err != nil {
			return err
		}
	}
	return nil
}

// depends reads what a module names in its .modinfo section, what depmod reads
// too.
func depends(path string) ([]string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	section := f.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("%s: no .modinfo", path)
	}
	data, err := section.Data()
	if err != nil {
		return nil, err
	}
	for _, field := range bytes.Split(data, []byte{0}) {
		if list, ok := bytes.CutPrefix(field, []byte("depends=")); ok && len(list) > 0 {
			return strings.Split(string(list), ","), nil
		}
	}
	return nil, nil
}

func (i *archive) text(to, text string) {
	i.entry(to, 0o100644, int64(len(text)), strings.NewReader(text))
}

func (i *archive) copy(to, from string, mode uint32) {
	f, err := os.Open(from)
	if err != nil {
		i.err = errors.Join(i.err, err)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		i.err = errors.Join(i.err, err)
		return
	}
	i.entry(to, 0o100000|mode, info.Size(), f)
}

// tree copies a folder.
func (i *archive) tree(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rest, err := filepath.Rel(from, path)
		i.copy(filepath.Join(to, rest), path, 0o755)
		return err
	})
}

// entry writes one entry of a cpio archive in the "new ASCII" format
// (Documentation/driver-api/early-userspace/buffer-format.rst), its folders
// before it.
func (i *archive) entry(name string, mode uint32, size int64, data io.Reader) {
	if dir := filepath.Dir(name); dir != "." && !i.dir[dir] {
		i.dir[dir] = true
		i.entry(dir, 0o040755, 0, nil)
	}
	if i.err != nil {
		return
	}
	i.ino++
	var n int
	n, i.err = fmt.Fprintf(i.out, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		i.ino, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(name)+1, 0, name)
	i.at += n
	i.pad()
	if data != nil && i.err == nil {
		var m int64
		m, i.err = io.Copy(i.out, data)
		if i.err == nil && m != size {
			i.err = fmt.Errorf("%s changed while it was read", name)
		}
		i.at += int(m)
		i.pad()
	}
}

func (i *archive) pad() {
	n := -i.at & 3
	i.out.Write(make([]byte, n)) // an error comes again with Flush
	i.at += n
}
