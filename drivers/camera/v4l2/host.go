package v4l2

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"mien/drivers/camera"
	"mien/drivers/device"
)

// host is the machine whose cameras are listed and opened; the tests have one
// with a simulated driver behind it.
type host struct {
	dev  string // where the nodes are
	proc string
	sys  string // what the kernel says of each node without its being opened
	open func(path string) (node, error)
	now  func() time.Duration
}

var machine = host{
	now:  device.Now,
	dev:  "/dev",
	proc: "/proc",
	sys:  "/sys/class/video4linux",
	open: openNode,
}

// nodes gives every /dev/videoN, by number.
func (h *host) nodes() []string {
	paths, _ := filepath.Glob(filepath.Join(h.dev, "video*")) // fails on a malformed pattern only
	number := func(p string) int {
		n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(p), "video"))
		if err != nil {
			return -1
		}
		return n
	}
	kept := paths[:0]
	for _, p := range paths {
		if number(p) >= 0 {
			kept = append(kept, p)
		}
	}
	sort.Slice(kept, func(i, j int) bool { return number(kept[i]) < number(kept[j]) })
	return kept
}

// resolve finds the node a setting names: a path, a link's name in by-id or
// by-path, "video2" or "2".
func (h *host) resolve(device string) (string, error) {
	candidates := []string{device}
	if !strings.Contains(device, "/") {
		candidates = []string{
			filepath.Join(h.dev, "v4l/by-id", device),
			filepath.Join(h.dev, "v4l/by-path", device),
			filepath.Join(h.dev, device),
			filepath.Join(h.dev, "video"+device),
		}
	}
	for _, c := range candidates {
		if _, err := os.Stat(c); err == nil {
			return c, nil
		} else if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			return "", h.openError(c, err)
		}
	}
	present := "no camera is plugged in"
	if list := h.present(); len(list) > 0 {
		present = "there are " + strings.Join(list, ", ")
	}
	return "", fmt.Errorf("open camera %s: %w: no such device; %s", device, camera.ErrNotFound, present)
}

// present names what could have been meant: of each node its name by-id, by-path
// where others would have that too, else the node itself.
func (h *host) present() []string {
	var list []string
	links := h.links()
	shared := h.shared(links)
	for _, n := range h.nodes() {
		name := n
		for _, l := range links[realPath(n)] {
			if l != shared[realPath(n)] {
				name = filepath.Base(l)
				break
			}
		}
		list = append(list, name)
	}
	return list
}

// openError says in words what to do about an open(2) that failed.
func (h *host) openError(path string, err error) error {
	switch {
	case errors.Is(err, camera.ErrUnsupported):
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("open camera %s: %w: %s: %w", path, camera.ErrPermission, device.Camera.Denied(path), err)
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return fmt.Errorf("open camera %s: %w: %w", path, camera.ErrNotFound, err)
	case errors.Is(err, unix.EBUSY):
		return h.busyError(path, "open", err)
	}
	return fmt.Errorf("open camera %s: %s%w", path, wire(err), err)
}

func (h *host) busyError(path, call string, err error) error {
	who := "another program has it (a browser, motion, a second mien?); sudo fuser -v " + path + " names it"
	if holders := h.holders()[realPath(path)]; len(holders) > 0 {
		who = "held by " + strings.Join(holders, ", ")
	}
	return fmt.Errorf("open camera %s: %w: %s; %s: %w", path, camera.ErrBusy, who, call, err)
}

func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// holders finds the other programs that have video nodes open.
func (h *host) holders() map[string][]string {
	return device.Holders(h.proc, func(path string) bool { return strings.HasPrefix(path, filepath.Join(h.dev, "video")) })
}

// links gives each node's names below /dev/v4l, by-id before by-path. They
// outlive a reboot and a replug; node numbers do not.
func (h *host) links() map[string][]string {
	found := map[string][]string{}
	for _, kind := range []string{"by-id", "by-path"} {
		dir := filepath.Join(h.dev, "v4l", kind)
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // no udev, or no camera with an identity
		}
		for _, e := range entries {
			link := filepath.Join(dir, e.Name())
			if target, err := filepath.EvalSymlinks(link); err == nil {
				found[target] = append(found[target], link)
			}
		}
	}
	return found
}

// shared gives, for each node of several cameras of one kind whose makers gave
// them no serial numbers, or the same, the name by-id that all of them would have:
// udev gives it to the one that came last. Those without such a name are in it too.
func (h *host) shared(links map[string][]string) map[string]string {
	byID := func(node string) string {
		for _, l := range links[node] {
			if filepath.Base(filepath.Dir(l)) == "by-id" {
				return l
			}
		}
		return ""
	}
	alike := map[string][]string{} // nodes by the card's name and the node's place in its camera
	for _, path := range h.nodes() {
		name, err := os.ReadFile(filepath.Join(h.sys, filepath.Base(path), "name"))
		if err != nil {
			continue
		}
		index, _ := os.ReadFile(filepath.Join(h.sys, filepath.Base(path), "index")) // in every kernel since 2.6.27
		key := string(name) + string(index)
		alike[key] = append(alike[key], realPath(path))
	}
	found := map[string]string{}
	for _, nodes := range alike {
		name, without := "", 0
		for _, n := range nodes {
			if id := byID(n); id != "" {
				name = id
			} else if len(links[n]) > 0 {
				without++
			}
		}
		if name == "" || without == 0 {
			continue
		}
		for _, n := range nodes {
			if found[n] = byID(n); found[n] == "" {
				found[n] = name
			}
		}
	}
	return found
}

// wire is what a person does about a USB transfer that failed: the errors of
// Documentation/driver-api/usb/error-codes.rst that come from the wire.
func wire(err error) string {
	for _, e := range []unix.Errno{unix.EPROTO, unix.EILSEQ, unix.ETIMEDOUT, unix.ECOMM, unix.EOVERFLOW} {
		if errors.Is(err, e) {
			return "the USB transfer failed: try another cable, a socket of the board itself in place of a hub, and look at the supply, see docs/cameras.md#usb-cameras: "
		}
	}
	return ""
}
