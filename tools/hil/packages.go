package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// The machine's kernel and C library are Debian's own arm64 packages,
// downloaded and unpacked below the work folder and installed nowhere. apt
// checks each against the distribution's signed index; the exact versions that
// were fetched first stay (packages.txt in the work folder names them).
var guestPackages = []string{"libc6", "libstdc++6", "libgcc-s1", "strace", "libunwind8", "liblzma5"}

const kernelPackage = "linux-image-arm64"

// system is what was unpacked.
type system struct {
	dir     string // with kernel/ and root/
	release string // of the kernel
}

func (s *system) kernel() string { return filepath.Join(s.dir, "kernel/boot/vmlinuz-"+s.release) }
func (s *system) modules() string {
	return filepath.Join(s.dir, "kernel/lib/modules", s.release, "kernel")
}
func (s *system) tree(name string) string {
	return filepath.Join(s.dir, "kernel/usr/lib/linux-image-"+s.release, name)
}

// fetchSystem brings kernel and libraries, from the network the first time.
func fetchSystem(ctx context.Context, dir string) (*system, error) {
	s := &system{dir: dir}
	if found, _ := filepath.Glob(filepath.Join(dir, "kernel/boot/vmlinuz-*")); len(found) == 1 {
		s.release = strings.TrimPrefix(filepath.Base(found[0]), "vmlinuz-")
	}
	if _, err := os.Stat(filepath.Join(dir, "packages.txt")); err == nil && s.release != "" {
		return s, nil
	}
	fmt.Println("hil: fetching the arm64 kernel and C library (60 MB, once)")
	for _, sub := range []string{"kernel", "root", "debs"} {
		if err := os.RemoveAll(filepath.Join(dir, sub)); err != nil {
			return nil, err
		}
	}
	apt, err := newApt(dir)
	if err != nil {
		return nil, err
	}
	if _, err := apt.run(ctx, "apt-get", "-qq", "update"); err != nil {
		return nil, err
	}
	out, err := apt.run(ctx, "apt-cache", "depends", kernelPackage)
	if err != nil {
		return nil, err
	}
	image := ""
	for _, line := range strings.Split(out, "\n") {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: linux-image-"); ok {
			image, s.release = "linux-image-"+name, name
		}
	}
	if image == "" {
		return nil, fmt.Errorf("%s names no kernel:\n%s", kernelPackage, out)
	}
	if _, err := apt.run(ctx, "apt-get", append([]string{"-qq", "download", image}, guestPackages...)...); err != nil {
		return nil, err
	}
	debs, err := filepath.Glob(filepath.Join(apt.debs, "*.deb"))
	if err != nil {
		return nil, err
	}
	sort.Strings(debs)
	var list bytes.Buffer
	for _, deb := range debs {
		to := filepath.Join(dir, "root")
		if strings.HasPrefix(filepath.Base(deb), "linux-image") {
			to = filepath.Join(dir, "kernel")
		}
		if out, err := exec.CommandContext(ctx, "dpkg-deb", "-x", deb, to).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("unpack %s: %w: %s", filepath.Base(deb), err, out)
		}
		fmt.Fprintln(&list, filepath.Base(deb))
	}
	return s, os.WriteFile(filepath.Join(dir, "packages.txt"), list.Bytes(), 0o644)
}

// apt is a package manager for arm64 with a state of its own: the machine's own
// is left as it is.
type apt struct{ conf, debs string }

func newApt(dir string) (*apt, error) {
	a := &apt{filepath.Join(dir, "apt/apt.conf"), filepath.Join(dir, "debs")}
	for _, sub := range []string{"apt/state/lists/partial", "apt/cache/archives/partial", "debs"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	text := fmt.Sprintf(`APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "root";
Dir::State "%[1]s/apt/state";
Dir::State::status "%[1]s/apt/status";
Dir::Cache "%[1]s/apt/cache";
`, dir)
	err := os.WriteFile(a.conf, []byte(text), 0o644)
	return a, errors.Join(err, os.WriteFile(filepath.Join(dir, "apt/status"), nil, 0o644))
}

func (a *apt) run(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = a.debs
	c.Env = append(os.Environ(), "APT_CONFIG="+a.conf, "LC_ALL=C")
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, errs.String())
	}
	return string(out), nil
}
