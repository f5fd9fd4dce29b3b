package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// extract takes one member out of a wheel (a zip) or an npm package (a gzipped
// tar) and puts it at path, whole or not at all.
func extract(archive, member, path, sum string) error {
	r, err := open(archive, member)
	if err != nil {
		return fmt.Errorf("read %s from %s: %w", member, archive, err)
	}
	defer r.Close()
	tmp, err := os.CreateTemp(filepath.Dir(path), ".fetch-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(tmp, h), r)
	if err = errors.Join(err, tmp.Chmod(0o644), tmp.Close()); err != nil {
		return fmt.Errorf("unpack %s: %w", member, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != sum {
		return fmt.Errorf("%s in %s has sha256 %s, pinned is %s", member, archive, got, sum)
	}
	return os.Rename(tmp.Name(), path)
}

func open(archive, member string) (io.ReadCloser, error) {
	if strings.HasSuffix(archive, ".whl") {
		z, err := zip.OpenReader(archive)
		if err != nil {
			return nil, err
		}
		f, err := z.Open(member)
		if err != nil {
			z.Close()
			return nil, err
		}
		return stacked{f, z, f}, nil
	}
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	g, err := gzip.NewReader(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	t := tar.NewReader(g)
	for {
		h, err := t.Next()
		if err != nil {
			f.Close()
			return nil, err
		}
		if h.Name == member {
			return stacked{t, f, g}, nil
		}
	}
}

// stacked reads from the top of a pile of readers and closes those below.
type stacked struct {
	io.Reader
	below, above io.Closer
}

func (s stacked) Close() error { return errors.Join(s.above.Close(), s.below.Close()) }
