package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mien/firmware/config"
)

// Two builds of one commit in different folders, by different users, with different
// times of the files, time zones, masks and settings of Go: the same bytes of programs,
// archive, list of parts and package. With MIEN_CACHES=2 nothing that was compiled for the
// one is used for the other, which takes four minutes.
func TestReproducible(t *testing.T) {
	if testing.Short() {
		t.Skip("builds everything twice")
	}
	for _, program := range []string{"make", "git", "npm", "python3", "bash", "cp"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s", program)
		}
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, ".deps", "lib")); err != nil {
		t.Skip(err)
	}
	build := func(folder, settings string) map[string][32]byte {
		const script = `set -e
mkdir -p "$2" && cd "$1"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$2" --no-preserve=all 2>/dev/null || true
cp -rl .deps "$2"
cd "$2"
chmod -R u+w .
chmod +x tools/*.sh packaging/*.sh
eval "$3"
make --no-print-directory deb ONLY=amd64 VERSION=v0.0.1 SOURCE_DATE_EPOCH=1700000000 MAINTAINER='A test <test@localhost>'`
		cmd := exec.Command("bash", "-c", script, "bash", root, folder, settings)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", folder, err, out)
		}
		sums := map[string][32]byte{}
		for _, file := range []string{"mien-v0.0.1-linux-amd64/mien", "mien-v0.0.1-linux-amd64/plc", "mien-v0.0.1-linux-amd64.tar.gz", "mien-v0.0.1-linux-amd64.cdx.json", "mien_0.0.1_amd64.deb"} {
			data, err := os.ReadFile(filepath.Join(folder, "dist", file))
			if err != nil {
				t.Fatal(err)
			}
			sums[file] = sha256.Sum256(data)
		}
		return sums
	}
	dir := t.TempDir()
	// The other user: one that the kernel calls so, where it lets us.
	other := `umask 077; export TZ=Asia/Tokyo LC_ALL=C.UTF-8 USER=other LOGNAME=other GOFLAGS=-tags=nothing GOMODCACHE=$(go env GOMODCACHE)
export GOCACHE=$(go env GOCACHE)
[ "$MIEN_CACHES" != 2 ] || export GOCACHE="$PWD/.deps/other-cache" GOAMD64=v3
export HOME="$PWD/.deps/home"
find . -path ./.deps -prune -o -type f -exec touch -d 2031-05-06 {} +
make() { if unshare --user --map-user=4711 --map-group=4711 true 2>/dev/null; then unshare --user --map-user=4711 --map-group=4711 make "$@"; else command make "$@"; fi; }`
	first := build(filepath.Join(dir, "one"), "umask 022")
	second := build(filepath.Join(dir, "another folder's"), other)
	for file, sum := range first {
		if second[file] != sum {
			t.Errorf("%s differs", file)
		}
	}
}

// The conffile does not change from version to version, so that an upgrade has nothing to
// ask of who edited it. Who has a reason to change it changes the sum here, and tells it
// in packaging/changelog.
func TestConffile(t *testing.T) {
	text, err := os.ReadFile("../../packaging/mien.toml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.Parse("mien.toml", text); err != nil {
		t.Error(err)
	}
	const sum = "c1ae279320fae7b2584915fb42508809caf40097a0487c0d11bf5fc1bfbc05fb"
	if got := sha256.Sum256(text); hex.EncodeToString(got[:]) != sum {
		t.Errorf("packaging/mien.toml has sha256 %s, not %s: each unit whose config was edited would be asked about it", hex.EncodeToString(got[:]), sum)
	}
	demo, err := os.ReadFile("../../packaging/demo.toml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.Parse("demo.toml", demo); err != nil {
		t.Error(err)
	}
}

// Users, groups and folders are the same by systemd's own tools, by the script for a
// machine without them, and in the units.
func TestPackageAgreesWithTheUnits(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	users, folders, script := read("packaging/sysusers.conf"), read("packaging/tmpfiles.conf"), read("packaging/postinst")
	for service, user := range map[string]string{"mien": "mien", "mien-gateway": "mien-gateway"} {
		unit := read("board/" + service + ".service")
		for _, want := range []string{"User=" + user + "\n", "Group=" + user + "\n", "StateDirectory=" + user + "\n", "ExecStart=/usr/lib/mien/mien ", " -config /etc/mien/mien.toml\n"} {
			if !strings.Contains(unit, want) {
				t.Errorf("%s.service has no %q", service, want)
			}
		}
		groups := strings.Fields(regexp.MustCompile(`(?m)^SupplementaryGroups=(.*)$`).FindStringSubmatch(unit)[1])
		for _, group := range groups {
			if !strings.Contains(users, "m "+user+" "+group+"\n") {
				t.Errorf("sysusers.conf does not put %s into %s", user, group)
			}
		}
		if want := "--groups " + strings.Join(groups, ",") + " " + user; !strings.Contains(script, want) {
			t.Errorf("postinst has no %q", want)
		}
		made := regexp.MustCompile(`(?m)^d /var/lib/` + user + ` 0(\d+) ` + user + ` ` + user + ` -$`).FindStringSubmatch(folders)
		if made == nil || !strings.Contains(script, "-o "+user+" -g "+user+" -m "+made[1]+" /var/lib/"+user+"\n") {
			t.Errorf("the folder of %s: %q", user, made)
		}
	}
	if !strings.Contains(read("packaging/postrm"), "/var/lib/mien /var/lib/mien-gateway") {
		t.Error("a purge does not know the state folders")
	}
}
