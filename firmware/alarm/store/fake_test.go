package store

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// inMemory is a folder that goes with the power.
const inMemory = "/run/mien"

// Calls counts the operations so far that change something.
func (f *Fake) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// Put sets a file's content, durable.
func (f *Fake) Put(name string, data []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := &inode{slices.Clone(data), slices.Clone(data)}
	f.names[name], f.durable[name] = n, n
}

// Get gives a file's content; nil: there is none.
func (f *Fake) Get(name string) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := f.names[name]; n != nil {
		return slices.Clone(n.data)
	}
	return nil
}

// Kill is the end of the process that holds folders: nobody does.
func (f *Fake) Kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.held)
}

// PowerLoss gives the file system as it may be found after the power failed
// now. Of the folder, the state after any of the operations since its last
// sync; of each file, what was synced and any part of what was written since,
// torn at any byte, or for a part of the files with rubbish where the disk had
// taken the length but not the content. What was in memory is gone.
func (f *Fake) PowerLoss(random *rand.Rand) *Fake {
	f.mu.Lock()
	defer f.mu.Unlock()
	versions := append([]map[string]*inode{f.durable}, f.history...)
	after := NewFake()
	for name, n := range versions[random.IntN(len(versions))] {
		if strings.HasPrefix(name, inMemory) {
			continue
		}
		data := slices.Clone(n.synced)
		if len(n.data) >= len(n.synced) && string(n.data[:len(n.synced)]) == string(n.synced) {
			more := n.data[len(n.synced):]
			data = append(data, more[:random.IntN(len(more)+1)]...)
			if random.IntN(4) == 0 {
				clear(data[len(n.synced):])
			}
		} else if random.IntN(2) == 0 { // emptied since
			data = slices.Clone(n.data)
		}
		m := &inode{data, slices.Clone(data)}
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
