package camera

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"
)

// host is the machine whose cameras are listed and opened; the tests have one
// with a simulated driver behind it.
type host struct {
	dev    string // where the nodes are
	proc   string
	open   func(path string) (node, error)
	webcam func(path string) (enumerator, error)
	now    func() time.Duration
}

var machine = host{
	now:  Now,
	dev:  "/dev",
	proc: "/proc",
	open: openNode,
	webcam: func(path string) (enumerator, error) {
		w, err := webcam.Open(path)
		if err != nil {
			return nil, err // a nil *Webcam must not become a non-nil enumerator
		}
		return w, nil
	},
}

// enumerator is the part of *webcam.Webcam that is used.
type enumerator interface {
	GetSupportedFormats() map[webcam.PixelFormat]string
	GetSupportedFrameSizes(webcam.PixelFormat) []webcam.FrameSize
	GetSupportedFramerates(f webcam.PixelFormat, width, height uint32) []webcam.FrameRate
	GetControls() map[webcam.ControlID]webcam.Control
	GetControl(webcam.ControlID) (int32, error)
	SetControl(webcam.ControlID, int32) error
	Close() error
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
	return "", fmt.Errorf("open camera %s: %w: no such device; %s", device, ErrNotFound, present)
}

// present names what could have been meant: by-id links, else nodes.
func (h *host) present() []string {
	var list []string
	if entries, err := os.ReadDir(filepath.Join(h.dev, "v4l/by-id")); err == nil {
		for _, e := range entries {
			list = append(list, e.Name())
		}
	}
	if len(list) == 0 {
		list = h.nodes()
	}
	return list
}

// openError says in words what to do about an open(2) that failed.
func (h *host) openError(path string, err error) error {
	switch {
	case errors.Is(err, ErrUnsupported):
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		group := groupOf(path)
		who := "NAME"
		if u, err := user.Current(); err == nil {
			who = u.Username
		}
		return fmt.Errorf("open camera %s: %w: %q is not in group %q: sudo usermod -aG %s %s, then log in again (in a systemd unit: SupplementaryGroups=%s): %w",
			path, ErrPermission, who, group, group, who, group, err)
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return fmt.Errorf("open camera %s: %w: %w", path, ErrNotFound, err)
	case errors.Is(err, unix.EBUSY):
		return h.busyError(path, "open", err)
	}
	return fmt.Errorf("open camera %s: %w", path, err)
}

// groupOf names the group that owns a node, "video" on every Linux known.
func groupOf(path string) string {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err == nil && st.Gid != 0 {
		if g, err := user.LookupGroupId(strconv.Itoa(int(st.Gid))); err == nil {
			return g.Name
		}
	}
	return "video"
}

func (h *host) busyError(path, call string, err error) error {
	who := "another program has it (a browser, motion, a second mien?); sudo fuser -v " + path + " names it"
	if holders := h.holders()[realPath(path)]; len(holders) > 0 {
		who = "held by " + strings.Join(holders, ", ")
	}
	return fmt.Errorf("open camera %s: %w: %s; %s: %w", path, ErrBusy, who, call, err)
}

func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// holders finds the other processes that have video nodes open, as far as this
// user may look: node to "name (process 123)".
func (h *host) holders() map[string][]string {
	held := map[string][]string{}
	prefix := filepath.Join(h.dev, "video")
	entries, err := os.ReadDir(h.proc)
	if err != nil {
		return held
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		dir := filepath.Join(h.proc, e.Name())
		fds, err := os.ReadDir(filepath.Join(dir, "fd"))
		if err != nil {
			continue // another user's process
		}
		seen := map[string]bool{}
		for _, fd := range fds {
			target, err := os.Readlink(filepath.Join(dir, "fd", fd.Name()))
			if err != nil || !strings.HasPrefix(target, prefix) || seen[target] {
				continue
			}
			seen[target] = true
			comm, _ := os.ReadFile(filepath.Join(dir, "comm")) // the process may have just ended
			held[target] = append(held[target], fmt.Sprintf("%s (process %d)", strings.TrimSpace(string(comm)), pid))
		}
	}
	return held
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
