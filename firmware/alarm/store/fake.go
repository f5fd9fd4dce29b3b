package store

import (
	"io/fs"
	"maps"
	"path"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// Op is an operation of an FS, a Folder or a File, for faults.
type Op string

const (
	OpHold    Op = "hold"
	OpRead    Op = "read"
	OpSize    Op = "size"
	OpOpen    Op = "open" // Create and Append
	OpWrite   Op = "write"
	OpSync    Op = "sync"
	OpRename  Op = "rename"
	OpSyncDir Op = "syncdir" // the second half of Rename and Remove
	OpRemove  Op = "remove"
	OpRoom    Op = "room"
)

// Fault lets calls fail with Err: the At-th call of this kind on this file (1
// is the next), and Count-1 more after it. Name is a file's name or whole path, "" any;
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
// Sync, its name with the second half of a Rename.
type Fake struct {
	mu      sync.Mutex // covers the fields below
	names   map[string]*inode
	durable map[string]*inode // as of the last sync of the folder
	history []map[string]*inode
	faults  []Fault
	held    map[string]bool
	calls   int
	free    int // bytes left; -1: without end
}

type inode struct{ data, synced []byte }

// NewFake makes an empty file system without end.
func NewFake() *Fake {
	return &Fake{names: map[string]*inode{}, durable: map[string]*inode{}, held: map[string]bool{}, free: -1}
}

// Fail adds a fault.
func (f *Fake) Fail(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fault.At = max(fault.At, 1)
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

// fault finds what an operation fails with; f.mu is held.
func (f *Fake) fault(op Op, name string) *Fault {
	looks := op == OpRead || op == OpSize || op == OpRoom
	if !looks {
		f.calls++
	}
	for i := range f.faults {
		t := &f.faults[i]
		if t.Op != op && (t.Op != "" || looks) || t.Name != "" && t.Name != path.Base(name) && t.Name != name || t.Count == 0 {
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

// find gives an existing file. f.mu is held.
func (f *Fake) find(op Op, name string) (*inode, error) {
	if err := f.check(op, name); err != nil {
		return nil, err
	}
	if n := f.names[name]; n != nil {
		return n, nil
	}
	return nil, &fs.PathError{Op: string(op), Path: name, Err: fs.ErrNotExist}
}

func (f *Fake) Hold(dir string) (Folder, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check(OpHold, dir); err != nil {
		return nil, err
	}
	if f.held[dir] {
		return nil, &fs.PathError{Op: "hold", Path: dir, Err: ErrTaken}
	}
	f.held[dir] = true
	return fakeFolder{f, dir}, nil
}

type fakeFolder struct {
	*Fake
	dir string
}

func (d fakeFolder) Read(name string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find(OpRead, d.dir+"/"+name)
	if err != nil {
		return nil, err
	}
	return slices.Clone(n.data), nil
}

func (d fakeFolder) Size(name string) (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find(OpSize, d.dir+"/"+name)
	if err != nil {
		return 0, err
	}
	return int64(len(n.data)), nil
}

func (d fakeFolder) Create(name string, _ int64) (File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name = d.dir + "/" + name
	if err := d.check(OpOpen, name); err != nil {
		return nil, err
	}
	n := d.names[name]
	if n == nil {
		n = &inode{}
		d.names[name] = n
		d.history = append(d.history, maps.Clone(d.names))
	}
	if d.free >= 0 {
		d.free += len(n.data)
	}
	n.data = nil
	return &fakeFile{d.Fake, n, name}, nil
}

func (d fakeFolder) Append(name string) (File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find(OpOpen, d.dir+"/"+name)
	if err != nil {
		return nil, err
	}
	return &fakeFile{d.Fake, n, d.dir + "/" + name}, nil
}

func (d fakeFolder) Rename(from, to string) error {
	return d.change(OpRename, from, func(n *inode) { d.names[d.dir+"/"+to] = n })
}

func (d fakeFolder) Remove(name string) error { return d.change(OpRemove, name, func(*inode) {}) }

// change takes a name away and syncs the folder.
func (d fakeFolder) change(op Op, name string, then func(*inode)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find(op, d.dir+"/"+name)
	if err != nil {
		return err
	}
	delete(d.names, d.dir+"/"+name)
	then(n)
	d.history = append(d.history, maps.Clone(d.names))
	if err := d.check(OpSyncDir, d.dir); err != nil {
		return err
	}
	d.durable, d.history = maps.Clone(d.names), nil
	return nil
}

func (d fakeFolder) Room() (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.check(OpRoom, d.dir); err != nil {
		return 0, err
	}
	if d.free < 0 {
		return 1 << 40, nil
	}
	return int64(d.free), nil
}

func (d fakeFolder) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.held, d.dir)
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
	w.n.synced = slices.Clone(w.n.data)
	return nil
}

func (w *fakeFile) Close() error { return nil }
