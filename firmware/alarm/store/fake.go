package store

import (
	"io/fs"
	"math/rand/v2"
	"path"
	"sort"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Op is an operation of an FS or a File, for faults.
type Op string

const (
	OpMkdir    Op = "mkdir"
	OpRead     Op = "read"
	OpSize     Op = "size"
	OpOpen     Op = "open" // Create and Append
	OpWrite    Op = "write"
	OpSync     Op = "sync"
	OpTruncate Op = "truncate"
	OpRename   Op = "rename"
	OpSyncDir  Op = "syncdir"
	OpLock     Op = "lock"
	OpRoom     Op = "room"
)

// Fault lets calls fail with Err: the At-th call of this kind on this file (1
// is the next), and Count-1 more after it. Name is a file's base name, "" any;
// Op "" is any that changes something. At 0 is 1; Count 0 is 1, -1 is for ever. A failing
// write gets Keep bytes in first.
type Fault struct {
	Op        Op
	Name      string
	At, Count int
	Err       error
	Keep      int
}

// Fake is a file system in memory that can fail, and lose power. It tells what
// was written from what is durable: a file's bytes become durable with its
// Sync, its name with SyncDir of its folder.
type Fake struct {
	mu      sync.Mutex // covers the fields below
	names   map[string]*inode
	durable map[string]*inode // as SyncDir last left them
	history []map[string]*inode
	faults  []Fault
	locked  map[string]bool
	calls   int
	free    int // bytes left; -1: without end
	written uint64
	syncs   uint64
}

type inode struct {
	data   []byte
	synced []byte
}

// NewFake makes an empty file system without end.
func NewFake() *Fake {
	return &Fake{names: map[string]*inode{}, durable: map[string]*inode{}, locked: map[string]bool{}, free: -1}
}

// Fail adds a fault.
func (f *Fake) Fail(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fault.At == 0 {
		fault.At = 1
	}
	if fault.Count == 0 {
		fault.Count = 1
	}
	f.faults = append(f.faults, fault)
}

// Heal takes all faults away and gives space without end.
func (f *Fake) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults, f.free = nil, -1
}

// Calls counts the operations so far that change something.
func (f *Fake) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// Written gives the bytes and the fsyncs so far.
func (f *Fake) Written() (bytes, syncs uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.written, f.syncs
}

// Put sets a file's content, durable.
func (f *Fake) Put(name string, data []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := &inode{append([]byte(nil), data...), append([]byte(nil), data...)}
	f.names[name], f.durable[name] = n, n
}

// Names lists the files in order.
func (f *Fake) Names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for n := range f.names {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// PowerLoss gives the file system as it may be found after the power failed
// now. Of the folder, the state after any of the operations since its last
// sync; of each file, what was synced and any part of what was written since,
// torn at any byte, or for a part of the files with rubbish where the disk had
// taken the length but not the content.
func (f *Fake) PowerLoss(random *rand.Rand) *Fake {
	f.mu.Lock()
	defer f.mu.Unlock()
	versions := append([]map[string]*inode{f.durable}, f.history...)
	after := NewFake()
	for name, n := range versions[random.IntN(len(versions))] {
		data := n.data
		if len(n.data) >= len(n.synced) && string(n.data[:len(n.synced)]) == string(n.synced) {
			more := n.data[len(n.synced):]
			data = append(append([]byte(nil), n.synced...), more[:random.IntN(len(more)+1)]...)
			if random.IntN(4) == 0 {
				for i := len(n.synced); i < len(data); i++ {
					data[i] = 0
				}
			}
		} else if random.IntN(2) == 0 { // truncated since
			data = n.synced
		}
		copied := append([]byte(nil), data...)
		m := &inode{copied, append([]byte(nil), copied...)}
		after.names[name], after.durable[name] = m, m
	}
	return after
}

// Fill leaves room for n more bytes.
func (f *Fake) Fill(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.free = n
}

// fault finds what an operation fails with; f.mu is held.
func (f *Fake) fault(op Op, name string) *Fault {
	looks := op == OpRead || op == OpSize || op == OpRoom
	if !looks {
		f.calls++
	}
	for i := range f.faults {
		t := &f.faults[i]
		if t.Op != op && (t.Op != "" || looks) || t.Name != "" && t.Name != path.Base(name) || t.Count == 0 {
			continue
		}
		if t.At > 1 {
			t.At--
			continue
		}
		if t.Count > 0 {
			t.Count--
		}
		return t
	}
	return nil
}

func (f *Fake) check(op Op, name string) error {
	if t := f.fault(op, name); t != nil {
		return &fs.PathError{Op: string(op), Path: name, Err: t.Err}
	}
	return nil
}

// remember keeps the folder's state after each change until it is synced.
func (f *Fake) remember() {
	now := make(map[string]*inode, len(f.names))
	for k, v := range f.names {
		now[k] = v
	}
	f.history = append(f.history, now)
}

func (f *Fake) MkdirAll(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.check(OpMkdir, dir)
}

func (f *Fake) ReadFile(name string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check(OpRead, name); err != nil {
		return nil, err
	}
	n := f.names[name]
	if n == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return append([]byte(nil), n.data...), nil
}

func (f *Fake) Size(name string) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check(OpSize, name); err != nil {
		return 0, err
	}
	n := f.names[name]
	if n == nil {
		return 0, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return int64(len(n.data)), nil
}

func (f *Fake) Create(name string) (File, error) { return f.open(name, true) }

func (f *Fake) Append(name string) (File, error) { return f.open(name, false) }

func (f *Fake) open(name string, empty bool) (File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check(OpOpen, name); err != nil {
		return nil, err
	}
	n := f.names[name]
	if n == nil {
		n = &inode{}
		f.names[name] = n
		f.remember()
	}
	if empty {
		if f.free >= 0 {
			f.free += len(n.data)
		}
		n.data = nil
	}
	return &fakeFile{f, n, name}, nil
}

func (f *Fake) Truncate(name string, size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check(OpTruncate, name); err != nil {
		return err
	}
	n := f.names[name]
	if n == nil {
		return &fs.PathError{Op: "truncate", Path: name, Err: fs.ErrNotExist}
	}
	for int64(len(n.data)) < size {
		n.data = append(n.data, 0)
	}
	if f.free >= 0 {
		f.free += len(n.data) - int(size)
	}
	n.data = n.data[:size:size]
	return nil
}

func (f *Fake) Rename(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check(OpRename, from); err != nil {
		return err
	}
	n := f.names[from]
	if n == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	delete(f.names, from)
	f.names[to] = n
	f.remember()
	return nil
}

func (f *Fake) SyncDir(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check(OpSyncDir, dir); err != nil {
		return err
	}
	f.syncs++
	f.durable, f.history = make(map[string]*inode), nil
	for k, v := range f.names {
		if strings.HasPrefix(k, dir+"/") {
			f.durable[k] = v
		}
	}
	return nil
}

func (f *Fake) Lock(name string) (Hold, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check(OpLock, name); err != nil {
		return nil, err
	}
	if f.locked[name] {
		return nil, &fs.PathError{Op: "lock", Path: name, Err: ErrTaken}
	}
	f.locked[name] = true
	return unlock{f, name}, nil
}

type unlock struct {
	f    *Fake
	name string
}

func (u unlock) Room() (int64, error) {
	u.f.mu.Lock()
	defer u.f.mu.Unlock()
	if err := u.f.check(OpRoom, u.name); err != nil {
		return 0, err
	}
	if u.f.free < 0 {
		return 1 << 40, nil
	}
	return int64(u.f.free), nil
}

func (u unlock) Close() error {
	u.f.mu.Lock()
	defer u.f.mu.Unlock()
	delete(u.f.locked, u.name)
	return nil
}

type fakeFile struct {
	f    *Fake
	n    *inode
	name string
}

func (w *fakeFile) Write(p []byte) (int, error) {
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	keep, err := len(p), error(nil)
	if t := w.f.fault(OpWrite, w.name); t != nil {
		keep, err = min(t.Keep, len(p)), t.Err
	}
	if w.f.free >= 0 && keep > w.f.free {
		keep, err = w.f.free, unix.ENOSPC
	}
	if w.f.free >= 0 {
		w.f.free -= keep
	}
	w.n.data = append(w.n.data, p[:keep]...)
	w.f.written += uint64(keep)
	if err != nil {
		return keep, &fs.PathError{Op: "write", Path: w.name, Err: err}
	}
	return keep, nil
}

func (w *fakeFile) Sync() error {
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	if err := w.f.check(OpSync, w.name); err != nil {
		return err
	}
	w.f.syncs++
	w.n.synced = append([]byte(nil), w.n.data...)
	return nil
}

func (w *fakeFile) Close() error { return nil }

var _ FS = (*Fake)(nil)
