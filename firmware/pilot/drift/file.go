package drift

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"mien/firmware/pilot"
	"mien/given"
)

const (
	fileName = "drift.json"
	fileMost = 512 << 10
	reserve  = 64 << 20
	// head is the first line of the file, before the CRC-32C of what follows.
	head = "mien drift 1 "
	// mostQuantities bounds those of a file.
	mostQuantities = 400
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func crc(body []byte) string { return fmt.Sprintf("%08x", crc32.Checksum(body, castagnoli)) }

// errVersion: the file is put aside before another takes its place.
var errVersion = errors.New("it is of another version of mien")

var errDamaged = errors.New("it is damaged")

// load reads the file. One that is not there is none.
func (w *Watch) load() error {
	path := filepath.Join(w.options.Dir, fileName)
	text, err := given.Read(path, fileMost)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = w.kept.parse(text)
	}
	if err != nil {
		w.kept, w.other = kept{}, errors.Is(err, errVersion)
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// parse reads the text of a file, and refuses what could not be computed with.
func (k *kept) parse(text []byte) error {
	line, body, _ := strings.Cut(string(text), "\n")
	sum, is := strings.CutPrefix(line, head)
	switch {
	case !is && strings.HasPrefix(line, head[:len(head)-2]):
		return errVersion
	case !is || sum != crc([]byte(body)):
		return errDamaged
	}
	if err := json.Unmarshal([]byte(body), k); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	n := len(k.Names)
	ok := n <= mostQuantities && (k.Today == nil || len(k.Today.Of) == n) && (k.Learning == nil || k.Learning.Of == nil || len(k.Learning.Of) == n)
	if b := k.Baseline; b != nil {
		ok = ok && len(b.Of) <= mostQuantities && len(k.Course.Days) <= longest && b.Days > 0
		for _, d := range k.Course.Days {
			ok = ok && len(d.Values) == len(b.Of)
		}
		for _, m := range b.Of {
			ok = ok && m.N > 1 && m.N <= 1000 && m.Between > 0 && m.Freedom >= 1 && m.Lag >= 0 && m.Lag < 1 && !math.IsInf(m.Mean, 0)
		}
	}
	if !ok {
		return errDamaged
	}
	if k.Baseline != nil {
		k.Baseline.prepare()
	}
	return nil
}

// bytes is the file.
func (k *kept) bytes() ([]byte, error) {
	body, err := json.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("write the baseline: %w", err)
	}
	body = append(body, '\n')
	return append(fmt.Appendf(nil, "%s%s\n", head, crc(body)), body...), nil
}

// save writes the file anew, or deletes it where there is nothing to keep. A file
// that could not be read stays as it is until somebody asks for a new baseline.
func (w *Watch) save() {
	w.mu.Lock()
	asked, damaged, other := w.asked.Load(), w.damaged != "", w.other
	k := w.kept
	empty := k.Learning == nil && k.Baseline == nil
	w.frame.Lock()
	today := *w.frame.day
	today.Of = append([]Sum(nil), today.Of...)
	w.frame.Unlock()
	k.Today = &today
	text, err := k.bytes()
	w.mu.Unlock()
	if err == nil && !damaged && other && w.options.Dir != "" {
		if err = pilot.Aside(filepath.Join(w.options.Dir, fileName)); err == nil {
			w.mu.Lock()
			w.other = false
			w.mu.Unlock()
		}
	}
	switch {
	case err != nil || damaged || w.options.Dir == "":
	case empty:
		err = w.remove()
	default:
		err = w.write(text)
	}
	now := w.options.Now()
	w.saved = now
	if err != nil {
		w.retryAt = now + tryAgain
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	trouble := ""
	if err != nil {
		trouble = err.Error()
	} else {
		w.done = asked
	}
	w.trouble.Store(&trouble)
	w.failed = err
	close(w.moved)
	w.moved = make(chan struct{})
}

func (w *Watch) write(text []byte) error {
	if err := os.MkdirAll(w.options.Dir, 0o700); err != nil {
		return err
	}
	var st unix.Statfs_t
	if err := unix.Statfs(w.options.Dir, &st); err != nil {
		return fmt.Errorf("%s: %w", w.options.Dir, err)
	}
	if free := int64(min(st.Bavail, 1<<40)) * int64(st.Bsize); free < w.options.Reserve {
		return fmt.Errorf("the baseline cannot be written: the disk has %d MiB, and %d of them are kept for alarms and journal", free>>20, w.options.Reserve>>20)
	}
	path := filepath.Join(w.options.Dir, fileName)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = w.syncNames()
	}
	return err
}

func (w *Watch) remove() error {
	path := filepath.Join(w.options.Dir, fileName)
	os.Remove(path + ".new")                                        // of a power cut
	if left, _ := filepath.Glob(path + ".aside-*"); len(left) > 0 { // of other versions
		for _, file := range left {
			if err := os.Remove(file); err != nil {
				return err
			}
		}
	}
	if err := os.Remove(path); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	}
	return w.syncNames()
}

// syncNames makes the folder's names durable.
func (w *Watch) syncNames() error {
	d, err := os.Open(w.options.Dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) { // some file systems cannot
		return err
	}
	return nil
}
