package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSeries(t *testing.T) {
	for version, want := range map[string]string{"6.1.192-2": "6.1", "2.36-9+deb12u14": "2.36", "12.2.0-14+deb12u1": "12.2", "6.1-0.1": "6.1", "7-1": "7"} {
		if got := (pinned{version: version}).series(); got != want {
			t.Errorf("%s is of series %q, want %q", version, got, want)
		}
	}
}

// What an earlier run unpacked is used again only if it is what is pinned, or a
// correction of it where that was allowed.
func TestUnpackedSystem(t *testing.T) {
	list := func(kernel, version string) string {
		var b strings.Builder
		for _, p := range guestPackages {
			if p.kernel() {
				p = pinned{kernel, version, "00"}
				if kernel == guestPackages[0].name {
					p = guestPackages[0]
				}
			}
			b.WriteString(p.name + " " + p.version + " " + p.sum + "\n")
		}
		return b.String()
	}
	same := list(guestPackages[0].name, "")
	for _, c := range []struct {
		what, list string
		newer, ok  bool
	}{
		{"the pinned ones", same, false, true},
		{"the pinned ones", same, true, true},
		{"a correction", list("linux-image-6.1.0-99-arm64", "6.1.999-1"), false, false},
		{"a correction", list("linux-image-6.1.0-99-arm64", "6.1.999-1"), true, true},
		{"another series", list("linux-image-6.12.0-1-arm64", "6.12.1-1"), true, false},
		{"half a list", same[:len(same)/2], true, false},
		{"nothing", "", true, false},
	} {
		dir := t.TempDir()
		release := strings.TrimPrefix(strings.Fields(c.list + " x")[0], kernelPrefix)
		s := &system{dir, release}
		if err := os.MkdirAll(filepath.Dir(s.kernel()), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.kernel(), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if got := unpackedSystem(dir, c.list, c.newer); (got != nil) != c.ok {
			t.Errorf("%s, newer %v: %v", c.what, c.newer, got)
		}
		os.Remove(s.kernel())
		if got := unpackedSystem(dir, c.list, c.newer); got != nil {
			t.Errorf("%s, newer %v: used without its kernel", c.what, c.newer)
		}
	}
}

func TestDamagedPackage(t *testing.T) {
	a := &apt{debs: t.TempDir()}
	p := guestPackages[1]
	if err := os.WriteFile(filepath.Join(a.debs, p.file()), []byte("not it"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := a.bring(context.Background(), p, true); err == nil || !strings.Contains(err.Error(), p.sum) {
		t.Errorf("%v", err)
	}
}

func TestRunTimes(t *testing.T) {
	n := 0
	broken := errors.New("broken")
	err := runTimes(5, func() (string, error) {
		if n++; n == 3 {
			return "1 failed", broken
		}
		return "all passed", nil
	})
	if n != 3 || !errors.Is(err, broken) {
		t.Errorf("%d runs, %v", n, err)
	}
}
