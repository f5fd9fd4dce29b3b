package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mien/given"
)

// Versions are the texts that a config file had before, in a folder of the unit's own.
type Versions struct{ Dir string }

// Version is one of them: who replaced it, when, and why.
type Version struct {
	ID   string    `json:"-"`
	At   time.Time `json:"at"`
	Who  string    `json:"who"`
	Why  string    `json:"why"`
	Text string    `json:"text"`
}

// mostVersions are kept. Their names are numbers: the wall clock may not be set.
const mostVersions = 10

// List gives them, the newest first. One that cannot be read is left out.
func (v Versions) List() ([]Version, error) {
	names, err := v.names()
	if err != nil {
		return nil, err
	}
	var list []Version
	for _, n := range slices.Backward(names) {
		if one, err := v.read(n); err == nil {
			list = append(list, one)
		}
	}
	return list, nil
}

// Get gives one by its ID.
func (v Versions) Get(id string) (Version, error) {
	n, err := strconv.Atoi(id)
	if err != nil || n <= 0 {
		return Version{}, fmt.Errorf("%q is no version of the config", id)
	}
	one, err := v.read(n)
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("version %d of the config is not kept any more, or never was", n)
	}
	return one, err
}

// Keep adds one, and takes the oldest away beyond ten.
func (v Versions) Keep(one Version) error {
	if err := os.MkdirAll(v.Dir, 0o750); err != nil {
		return fmt.Errorf("keep the config before: %w", err)
	}
	names, err := v.names()
	if err != nil {
		return err
	}
	next := 1
	if len(names) > 0 {
		next = names[len(names)-1] + 1
	}
	data, err := json.Marshal(one)
	if err == nil {
		err = WriteFile(v.file(next), data, 0o640)
	}
	if err != nil {
		return fmt.Errorf("keep the config before: %w", err)
	}
	for _, n := range names[:max(0, len(names)+1-mostVersions)] {
		err = errors.Join(err, os.Remove(v.file(n)))
	}
	return err
}

func (v Versions) names() (list []int, err error) {
	files, err := os.ReadDir(v.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("versions of the config: %w", err)
	}
	for _, f := range files {
		if n, err := strconv.Atoi(strings.TrimSuffix(f.Name(), ".json")); err == nil && n > 0 && f.Name() == filepath.Base(v.file(n)) {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return list, nil
}

func (v Versions) file(n int) string { return filepath.Join(v.Dir, fmt.Sprintf("%06d.json", n)) }

func (v Versions) read(n int) (one Version, err error) {
	data, err := given.Read(v.file(n), 2*MaxFile)
	if err == nil {
		if err = json.Unmarshal(data, &one); err != nil {
			err = fmt.Errorf("is damaged: %w", err)
		}
	}
	if err != nil {
		err = fmt.Errorf("version %d of the config: %w", n, err)
	}
	one.ID = strconv.Itoa(n)
	return one, err
}

// WriteFile writes a file whole or not at all, and returns when the disk has it. One
// that was there gives its mode and group.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // it is not there any more when all went well
	if was, err := os.Stat(path); err == nil {
		mode = was.Mode().Perm()
		f.Chown(-1, int(was.Sys().(*syscall.Stat_t).Gid)) // allowed to members: else it has our group
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
