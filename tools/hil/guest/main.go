// Command guest is the whole user space of the emulated machine: its first
// process, and the agent that does what tools/hil asks for.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"mien/tools/hil/wire"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == "confined" {
		fail(confined(os.Args[2:]))
	}
	if len(os.Args) > 2 && os.Args[1] == "hold" {
		fail(holder(os.Args[2]))
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "trespass" {
		fail(trespass())
		return
	}
	if os.Getpid() != 1 {
		fail(fmt.Errorf("this is the first process of an emulated machine; see tools/hil"))
	}
	if err := boot(); err != nil {
		fmt.Println("hil: boot:", err)
	}
	if script, err := os.ReadFile("/etc/hil/script"); err == nil {
		runScript(string(script))
	}
	for {
		link, err := openLink()
		if err != nil {
			fmt.Println("hil: link:", err)
			time.Sleep(time.Second)
			continue
		}
		fmt.Println("hil: agent:", newAgent(link).serve())
		link.Close()
		time.Sleep(100 * time.Millisecond)
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "hil:", err)
		os.Exit(125)
	}
}

// boot mounts what every Linux has and loads the modules that /etc/hil/modules
// lists, one a line, parameters behind the name.
func boot() error {
	os.Setenv("PATH", "/usr/lib/mien:/usr/bin:/bin")
	for _, m := range []struct{ kind, at, options string }{{"proc", "/proc", ""}, {"sysfs", "/sys", ""}, {"devtmpfs", "/dev", ""},
		{"tmpfs", "/tmp", ""}, {"tmpfs", "/run", "size=16m"}, {"tmpfs", "/run/hil", ""}, {"debugfs", "/sys/kernel/debug", ""}, {"cgroup2", "/sys/fs/cgroup", ""}} {
		os.MkdirAll(m.at, 0o755)
		if err := unix.Mount(m.kind, m.at, m.kind, 0, m.options); err != nil && err != unix.EBUSY {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	os.MkdirAll("/dev/pts", 0o755)
	if err := unix.Mount("devpts", "/dev/pts", "devpts", 0, ""); err != nil {
		return fmt.Errorf("mount /dev/pts: %w", err)
	}
	os.Symlink("/proc/self/fd", "/dev/fd")
	if err := writeTo("/sys/fs/cgroup/cgroup.subtree_control", "+memory"); err != nil {
		return err
	}
	for _, at := range []string{"/tmp", "/run/mien", "/run/hil", "/var/lib/mien"} {
		os.MkdirAll(at, 0o777)
		os.Chmod(at, 0o777)
	}
	list, err := os.ReadFile("/etc/hil/modules")
	if err != nil {
		return err
	}
	for _, line := range strings.Split(strings.TrimSpace(string(list)), "\n") {
		name, parameters, _ := strings.Cut(line, " ")
		if err := insmod(name, parameters); err != nil {
			fmt.Println("hil:", err)
		}
	}
	return nil
}

func insmod(name, parameters string) error {
	f, err := os.Open("/lib/modules/" + name + ".ko")
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), parameters, 0); err != nil && err != unix.EEXIST {
		return fmt.Errorf("module %s %s: %w", name, parameters, err)
	}
	return nil
}

// openLink waits for the port to the host.
func openLink() (*os.File, error) {
	for range 100 {
		names, _ := filepath.Glob("/sys/class/virtio-ports/*/name")
		for _, n := range names {
			if text, _ := os.ReadFile(n); string(bytes.TrimSpace(text)) == wire.Port {
				path := "/dev/" + filepath.Base(filepath.Dir(n))
				// Not os.OpenFile: an unconnected port has no end that a poll would see.
				fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", path, err)
				}
				return os.NewFile(uintptr(fd), path), nil
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, fmt.Errorf("no virtio-serial port %s", wire.Port)
}
