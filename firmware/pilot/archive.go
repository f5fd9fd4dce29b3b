package pilot

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	fileLasts = 24 * time.Hour
	fileMost  = 64 << 20 // bytes, after which the next file is begun
	reserve   = 64 << 20
	suffix    = ".rec"
	beginning = ".new" // behind the name of a file whose beginning is not whole yet
)

// errFull ends a pilot.
var errFull = errors.New("no room is left")

// archive is the folder of the recordings. But for holds and allow it is Run's.
// Files are dated by the unit's clock, by which they grow old too: the system's may
// be another.
type archive struct {
	dir     string
	reserve int64 // bytes that the disk keeps free for alarms and journal
	wall    func() time.Time

	file   *os.File
	size   int64
	pack   packer
	opened time.Time

	mu    sync.Mutex // covers what is below
	files int
	bytes int64 // of all recordings
	most  int64 // that they may have
}

// holds tells how many recordings there are, and their size together.
func (a *archive) holds() (files int, bytes int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.files, a.bytes
}

func (a *archive) hold(files int, bytes int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.files, a.bytes = files, bytes
}

// allow says how many bytes the recordings may have together.
func (a *archive) allow(most int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.most = most
}

// count looks what there is.
func (a *archive) count() {
	list, bytes := Files(a.dir)
	a.hold(len(list), bytes)
}

func (a *archive) close() {
	if a.file != nil {
		a.file.Close()
		a.file = nil
	}
}

// full tells whether the next file is due.
func (a *archive) full(now time.Time) bool {
	return a.file != nil && (now.Sub(a.opened) >= fileLasts || a.size >= fileMost)
}

// put appends a chunk and makes it durable; nothing where there are no records, or
// no file: they are of a stretch that could not be begun.
func (a *archive) put(records []byte) error {
	if len(records) == 0 || a.file == nil {
		return nil
	}
	chunk, err := a.pack.pack(records)
	if err == nil {
		err = a.room(int64(len(chunk)))
	}
	if err == nil {
		_, err = a.file.Write(chunk)
	}
	if err == nil {
		at := unix.NsecToTimeval(a.wall().UnixNano())
		err = unix.Futimes(int(a.file.Fd()), []unix.Timeval{at, at})
	}
	if err == nil {
		err = unix.Fdatasync(int(a.file.Fd()))
	}
	if err != nil {
		a.file.Truncate(a.size) // a part of a chunk is none; where that fails a reader leaves it out
		return fmt.Errorf("append to %s: %w", strings.TrimSuffix(a.file.Name(), beginning), err)
	}
	a.size += int64(len(chunk))
	a.mu.Lock()
	a.bytes += int64(len(chunk))
	a.mu.Unlock()
	return nil
}

// room refuses what would take the space of alarms and journal, or more than the
// config allows.
func (a *archive) room(n int64) error {
	a.mu.Lock()
	used, most := a.bytes, a.most
	a.mu.Unlock()
	if used+n > most {
		return fmt.Errorf("%w: recordings have %d MiB, pilot.most_mib is %d", errFull, used>>20, most>>20)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(a.dir, &st); err != nil {
		return err
	}
	if free := int64(min(st.Bavail, 1<<40)) * int64(st.Bsize); free < a.reserve+n {
		return fmt.Errorf("%w: the disk has %d MiB, and %d of them are kept for alarms and journal", errFull, free>>20, a.reserve>>20)
	}
	return nil
}

// create begins a file with b, whose number in the pilot is filled in.
func (a *archive) create(now time.Time, b *Beginning) error {
	if err := makeFolder(a.dir); err != nil {
		return err
	}
	list, bytes := Files(a.dir)
	b.File = 1
	for _, path := range list {
		var pilot string
		var n int
		if fmt.Sscanf(strings.Replace(filepath.Base(path), "-", " ", 1), "%s %d"+suffix, &pilot, &n); pilot == b.Pilot && n >= b.File {
			b.File = n + 1
		}
	}
	text, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("begin a recording: %w", err)
	}
	path := filepath.Join(a.dir, fmt.Sprintf("%s-%06d%s", b.Pilot, b.File, suffix))
	// Under its name only once its beginning is whole.
	f, err := os.OpenFile(path+beginning, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	a.file, a.size, a.opened = f, int64(len(magic)+1), now
	a.hold(len(list)+1, bytes+a.size)
	if _, err := f.Write(append([]byte(magic), version)); err != nil {
		return fmt.Errorf("append to %s: %w", path, err)
	}
	if err := a.put(text); err != nil {
		return err
	}
	if err := os.Rename(path+beginning, path); err != nil {
		return err
	}
	return syncNames(a.dir)
}

// Files lists the recordings of a folder, in the order in which they were made, and
// their size together, each counted in whole blocks of 4 KiB.
func Files(dir string) (paths []string, bytes int64) {
	entries, _ := os.ReadDir(dir) // a folder that is not there has none
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && strings.HasSuffix(e.Name(), suffix) {
			paths = append(paths, filepath.Join(dir, e.Name()))
			bytes += (info.Size() + 4095) &^ 4095
		}
	}
	slices.Sort(paths)
	return paths, bytes
}

// Newest gives those of the recordings that are of the pilot that was begun last,
// and how many others there are: a unit keeps those of earlier pilots too, until they
// are too old, and what is found in one holds for that one.
func Newest(paths []string) (newest []string, others int) {
	pilots := make(map[string][]string)
	begun := make(map[string]time.Time)
	var names []string
	for _, path := range paths {
		name, _, _ := strings.Cut(filepath.Base(path), "-")
		if pilots[name] == nil {
			names = append(names, name)
		}
		pilots[name] = append(pilots[name], path)
		if begun[name].IsZero() { // of the first that can be read
			if r, b, err := open(path); err == nil {
				r.close()
				begun[name] = b.Begun
			}
		}
	}
	if len(names) == 0 {
		return nil, 0
	}
	name := slices.MaxFunc(names, func(a, b string) int { return begun[a].Compare(begun[b]) })
	return pilots[name], len(paths) - len(pilots[name])
}

// purge deletes what is older than that, and counts what is left.
func (a *archive) purge(oldest time.Time) (deleted int, err error) {
	err = a.erase(func(path string, info os.FileInfo) bool {
		old := info.ModTime().Before(oldest) && (a.file == nil || path+beginning != a.file.Name())
		if old {
			deleted++
		}
		return old
	})
	return deleted, err
}

// erase deletes those recordings, durably.
func (a *archive) erase(which func(path string, info os.FileInfo) bool) error {
	defer a.count()
	list, _ := Files(a.dir)
	var errs error
	if left, _ := filepath.Glob(filepath.Join(a.dir, "*"+suffix+beginning)); a.file == nil { // by a power cut
		for _, path := range left {
			errs = errors.Join(errs, os.Remove(path))
		}
	}
	for _, path := range list {
		if info, err := os.Lstat(path); err == nil && which(path, info) {
			errs = errors.Join(errs, os.Remove(path))
		}
	}
	if len(list) > 0 {
		errs = errors.Join(errs, syncNames(a.dir))
	}
	return errs
}

func makeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.Chmod(dir, 0o700)
}

// syncNames makes the names in a folder durable.
func syncNames(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) { // some file systems cannot
		return err
	}
	return nil
}
