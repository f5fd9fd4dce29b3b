package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	fetch "mien/tools/fetch/pinned"
)

// pinned is one of Debian's arm64 packages, of which the machine is made: its
// kernel, C library and tracer. They are downloaded and unpacked below the work
// folder and installed nowhere.
type pinned struct {
	name, version string
	sum           string // SHA-256 of the .deb
}

// guestPackages are from Debian 12. Its archive keeps only the newest version of
// each: see goneHelp for what to do when one here is no longer there.
var guestPackages = []pinned{
	{"linux-image-6.1.0-56-arm64", "6.1.192-2", "6f4ed2d1cb9106bc977c2b1960008f175e2eed5740340634b7894e65ef5acc82"},
	{"libc6", "2.36-9+deb12u14", "01f4330719fd4f65580e16ea5a0527f372fca750e8f588d26deaf09f2d3b1cf4"},
	{"libstdc++6", "12.2.0-14+deb12u1", "26e138c677a985775331373828a6c286c551ff397cb735d00e2383cb273d1cb2"},
	{"libgcc-s1", "12.2.0-14+deb12u1", "576926b283613db80168ddf76380a3bd877602778cf0d226caa7bfbfa71eacf3"},
	{"strace", "6.1-0.1", "751817724af91cb95df566a21a154f9a7dcdd938e700e5cb9a5a47eb19752ea2"},
	{"libunwind8", "1.6.2-3", "f83ce7c58caaf15cfb0b6ced538751ea11ded920443aecfe617049ae184b715e"},
	{"liblzma5", "5.4.1-1+deb12u2", "36358d245f246234721e6c1c2ee5d11a46c1c877023c63f7570df02cd79964f5"},
}

const kernelPrefix, kernelMeta = "linux-image-", "linux-image-arm64"

// goneHelp says what to do when the archive has moved on.
const goneHelp = `The archive has moved on: Debian keeps only the newest version of a package. Do one of these:
  - put the pinned file into %s (from a copy of that folder, or from Debian's snapshot archive), and run again;
  - run with -newer (make hil NEWER=1): what the archive has now of the same series is taken, and the lines to pin it are printed;
  - put those lines into guestPackages in tools/hil/packages.go, run make hil-full, and commit.`

// errGone: the archive does not have a version any more.
var errGone = errors.New("no longer in the archive")

// file is the name that the archive gives the package.
func (p pinned) file() string {
	return p.name + "_" + strings.ReplaceAll(p.version, ":", "%3a") + "_arm64.deb"
}

func (p pinned) kernel() bool { return strings.HasPrefix(p.name, kernelPrefix) }

// series is what two versions share that differ by corrections only: Linux 6.1
// of 6.1.192-2, C library 2.36 of 2.36-9+deb12u14.
func (p pinned) series() string {
	upstream, _, _ := strings.Cut(p.version, "-")
	parts := strings.SplitN(upstream, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

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
// newer allows other versions than the pinned ones where these are gone.
func fetchSystem(ctx context.Context, dir string, newer bool) (*system, error) {
	list := filepath.Join(dir, "packages.txt")
	if have, err := os.ReadFile(list); err == nil {
		if s := unpackedSystem(dir, string(have), newer); s != nil {
			return s, nil
		}
	}
	a, err := newApt(dir)
	if err != nil {
		return nil, err
	}
	var taken []pinned
	for _, p := range guestPackages {
		q, err := a.bring(ctx, p, newer)
		if err != nil {
			return nil, err
		}
		taken = append(taken, q)
	}
	for _, sub := range []string{"kernel", "root"} {
		if err := os.RemoveAll(filepath.Join(dir, sub)); err != nil {
			return nil, err
		}
	}
	var text strings.Builder
	for _, p := range taken {
		to := filepath.Join(dir, "root")
		if p.kernel() {
			to = filepath.Join(dir, "kernel")
		}
		if out, err := exec.CommandContext(ctx, "dpkg-deb", "-x", filepath.Join(a.debs, p.file()), to).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("unpack %s: %w: %s", p.file(), err, out)
		}
		fmt.Fprintln(&text, p.name, p.version, p.sum)
	}
	if err := os.WriteFile(list, []byte(text.String()), 0o644); err != nil {
		return nil, err
	}
	return &system{dir, strings.TrimPrefix(taken[0].name, kernelPrefix)}, nil
}

// unpackedSystem gives what an earlier run unpacked, nil if it must be done
// again: a line of packages.txt differs from the pinned one, which only newer
// allows.
func unpackedSystem(dir, list string, newer bool) *system {
	var s *system
	lines := strings.Split(strings.TrimSpace(list), "\n")
	if len(lines) != len(guestPackages) {
		return nil
	}
	for i, line := range lines {
		f := strings.Fields(line)
		if len(f) != 3 {
			return nil
		}
		p, want := pinned{f[0], f[1], f[2]}, guestPackages[i]
		if p != want && (!newer || p.series() != want.series()) {
			return nil
		}
		if p != want {
			fmt.Printf("hil: %s %s stands for the pinned %s\n", p.name, p.version, want.version)
		}
		if p.kernel() {
			s = &system{dir, strings.TrimPrefix(p.name, kernelPrefix)}
		}
	}
	if s != nil {
		if _, err := os.Stat(s.kernel()); err != nil {
			return nil
		}
	}
	return s
}

// apt is a package manager for arm64 with a state of its own: the machine's own
// is left as it is.
type apt struct {
	conf, debs string
	updated    bool
}

func newApt(dir string) (*apt, error) {
	a := &apt{conf: filepath.Join(dir, "apt/apt.conf"), debs: filepath.Join(dir, "debs")}
	for _, sub := range []string{"apt/state/lists/partial", "apt/cache/archives/partial", "debs"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	text := fmt.Sprintf(`APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "root";
Acquire::Retries "3";
Dir::State "%[1]s/apt/state";
Dir::State::status "%[1]s/apt/status";
Dir::Cache "%[1]s/apt/cache";
`, dir)
	err := os.WriteFile(a.conf, []byte(text), 0o644)
	return a, errors.Join(err, os.WriteFile(filepath.Join(dir, "apt/status"), nil, 0o644))
}

// bring puts a package's file into the folder debs, if it is not there yet, and
// checks it.
func (a *apt) bring(ctx context.Context, p pinned, newer bool) (pinned, error) {
	err := a.download(ctx, p)
	if errors.Is(err, errGone) {
		if !newer {
			return p, fmt.Errorf("%w\n"+goneHelp, err, a.debs)
		}
		q, err := a.successor(ctx, p)
		if err != nil {
			return p, err
		}
		if err := a.download(ctx, q); err != nil {
			return p, err
		}
		if q.sum, err = fetch.SumOf(filepath.Join(a.debs, q.file())); err != nil {
			return p, err
		}
		fmt.Printf("hil: %s %s is gone, taken instead; to pin it:\n\t{%q, %q, %q},\n", p.name, p.version, q.name, q.version, q.sum)
		return q, nil
	}
	if err != nil {
		return p, err
	}
	path := filepath.Join(a.debs, p.file())
	sum, err := fetch.SumOf(path)
	if err != nil {
		return p, err
	}
	if sum != p.sum {
		return p, fmt.Errorf("%s: SHA-256 %s, pinned is %s: the file is damaged or another: it is left out; remove it to fetch it again", path, sum, p.sum)
	}
	return p, nil
}

func (a *apt) download(ctx context.Context, p pinned) error {
	if _, err := os.Stat(filepath.Join(a.debs, p.file())); err == nil {
		return nil
	}
	if err := a.update(ctx); err != nil {
		return err
	}
	fmt.Printf("hil: fetching %s %s (arm64, once)\n", p.name, p.version)
	_, err := a.run(ctx, "apt-get", "-qq", "download", p.name+"="+p.version)
	if err != nil && (strings.Contains(err.Error(), "was not found") || strings.Contains(err.Error(), "Unable to locate")) {
		return fmt.Errorf("%s %s: %w", p.name, p.version, errGone)
	}
	return err
}

func (a *apt) update(ctx context.Context) error {
	if a.updated {
		return nil
	}
	_, err := a.run(ctx, "apt-get", "-qq", "update")
	a.updated = err == nil
	return err
}

// successor finds what the archive has in place of a package, of the same series.
func (a *apt) successor(ctx context.Context, p pinned) (pinned, error) {
	q := pinned{name: p.name}
	if p.kernel() {
		out, err := a.run(ctx, "apt-cache", "depends", kernelMeta)
		if err != nil {
			return q, err
		}
		q.name = field(out, `(?m)Depends: (`+kernelPrefix+`\S+)`)
	}
	out, err := a.run(ctx, "apt-cache", "policy", q.name)
	if err != nil {
		return q, err
	}
	q.version = field(out, `(?m)Candidate: (\S+)`)
	if q.name == "" || q.version == "" || q.series() != p.series() {
		return q, fmt.Errorf("%s %s: the archive has %q %q, which is another series: this needs a package source of Debian 12\n"+goneHelp, p.name, p.version, q.name, q.version, a.debs)
	}
	return q, nil
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
