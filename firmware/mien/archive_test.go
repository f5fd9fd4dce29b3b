package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"mien/firmware/config"
)

// Each archive has what a unit and the people around it need: both programs for its
// processor, libraries and detectors, config, service, licences, README and documents
// with what they link to. Everybody may read it, whatever the builder's umask; nobody
// but root may write it.
func TestArchive(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two archives")
	}
	for _, program := range []string{"make", "git", "npm", "python3", "sh"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s", program)
		}
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	const version = "test-of-the-archive"
	loaders := map[string]string{"amd64": "/lib64/ld-linux-x86-64.so.2", "arm64": "/lib/ld-linux-aarch64.so.1", "armv7": "/lib/ld-linux-armhf.so.3"}
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "armv7": elf.EM_ARM} {
		libraries := filepath.Join(root, ".deps", "lib")
		if arch != runtime.GOARCH {
			libraries += "-" + strings.TrimSuffix(arch, "v7")
		}
		if _, err := os.Stat(libraries); errors.Is(err, os.ErrNotExist) {
			t.Logf("%s: its libraries are not here", arch)
			continue
		}
		top := "mien-" + version + "-linux-" + arch
		t.Cleanup(func() {
			os.RemoveAll(filepath.Join(root, "dist", top))
			os.Remove(filepath.Join(root, "dist", top+".tar.gz"))
			os.Remove(filepath.Join(root, "dist", top+".cdx.json"))
		})
		make := exec.Command("sh", "-c", `umask 077 && exec make --no-print-directory -C "$1" "$2" VERSION="$3"`, "sh", root, arch, version)
		if out, err := make.CombinedOutput(); err != nil {
			t.Fatalf("make %s: %v\n%s", arch, err, out)
		}
		files := unpacked(t, filepath.Join(root, "dist", top+".tar.gz"), top)

		want := []string{"LICENSE", "NOTICES", "README.md", "SECURITY.md", "mien", "mien-gateway.service", "mien.service", "mien.toml", "plc"}
		entries, err := os.ReadDir(libraries)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			want = append(want, "lib/"+e.Name())
		}
		filepath.WalkDir(filepath.Join(root, "docs"), func(at string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() && path.Ext(at) != ".go" { // the binary has the documents that it shows
				rel, _ := filepath.Rel(root, at)
				want = append(want, filepath.ToSlash(rel))
			}
			return err
		})
		var got []string
		for name := range files {
			got = append(got, name)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: it has %q, want %q", arch, got, want)
		}
		for _, needed := range []string{"docs/plc/fb_mien.st", "docs/plc/registers.csv", "docs/cameras.md", "lib/face_detection_short_range.tflite", "lib/libtensorflowlite_c.so"} {
			if len(files[needed]) == 0 && (arch != "armv7" || path.Ext(needed) != ".so") {
				t.Errorf("%s: no %s", arch, needed)
			}
		}
		for _, program := range []string{"mien", "plc"} {
			f, err := elf.NewFile(bytes.NewReader(files[program]))
			if err != nil {
				t.Errorf("%s: %s: %v", arch, program, err)
			} else if f.Machine != machine {
				t.Errorf("%s: %s is for %v", arch, program, f.Machine)
			} else if s := f.Section(".interp"); s == nil {
				t.Errorf("%s: %s names no loader", arch, program)
			} else if loader, _ := s.Data(); strings.TrimRight(string(loader), "\x00") != loaders[arch] {
				t.Errorf("%s: %s names the loader %q, Debian has %s", arch, program, loader, loaders[arch])
			}
		}
		if !bytes.Contains(files["mien"], []byte(version)) {
			t.Errorf("%s: mien does not know its version", arch)
		}
		for _, module := range []string{"github.com/simonvetter/modbus", "github.com/warthog618/go-gpiocdev", "Go runtime"} {
			if !strings.Contains(string(files["NOTICES"]), "======== "+module) {
				t.Errorf("%s: NOTICES has no %s", arch, module)
			}
		}
		if parts, err := os.ReadFile(filepath.Join(root, "dist", top+".cdx.json")); err != nil || !bytes.Contains(parts, []byte(`"bomFormat": "CycloneDX"`)) {
			t.Errorf("%s: no list of its parts beside it: %v", arch, err)
		}
		if _, err := config.Parse("mien.toml", files["mien.toml"]); err != nil {
			t.Errorf("%s: mien.toml: %v", arch, err)
		}
		// What README and documents link to has come along.
		for name, text := range files {
			if path.Ext(name) != ".md" {
				continue
			}
			for _, m := range regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`).FindAllStringSubmatch(string(text), -1) {
				to := path.Join(path.Dir(name), m[1])
				if _, there := files[to]; !there && !strings.Contains(m[1], "://") {
					t.Errorf("%s: %s links to %s, which is not in the archive", arch, name, m[1])
				}
			}
		}
	}
}

// unpacked gives the files of an archive by their names in its one folder.
func unpacked(t *testing.T, archive, top string) map[string][]byte {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(h.Name, top+"/")
		mode := int64(0o644)
		if h.Typeflag == tar.TypeDir || name == "mien" || name == "plc" {
			mode = 0o755
		}
		if h.Uid != 0 || h.Gid != 0 || h.Mode&0o777 != mode || !strings.HasPrefix(h.Name, top+"/") {
			t.Errorf("%s: owner %d:%d, mode %o, want root's with %o", h.Name, h.Uid, h.Gid, h.Mode, mode)
		}
		if h.Typeflag == tar.TypeDir {
			continue
		}
		if files[name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}
