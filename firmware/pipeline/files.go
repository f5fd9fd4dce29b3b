package pipeline

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mien/firmware/config"
	"mien/firmware/health"
	"mien/model/affect"
	"mien/model/assets"
	"mien/model/face"
	"mien/model/tflite"
)

// How often the files that are in use are compared with those on the disk: while they
// are the same, and while one is not.
const (
	filesEvery = time.Minute
	filesAgain = 5 * time.Second
)

// files are those that the networks were opened from. A part of its own looks at
// them: a disk that hangs keeps nobody else.
type files struct {
	mu    sync.Mutex // covers list
	list  []assets.File
	doubt atomic.Bool // what a library computes has to be tried again

	// The part's own.
	mine bool              // the fault is on for a file
	told map[string]string // what was told of a path
}

// filesOf are those that networks, detector and libraries came from.
func filesOf(m config.Model, cards []*affect.Card, r face.Range) (list []assets.File) {
	add := func(path, sum string) {
		if f, err := assets.Use(path, sum, false); err == nil { // else it is gone already, and the next load tells
			list = append(list, f)
		}
	}
	name := assets.FaceShort
	if r == face.Full {
		name = assets.FaceFullRange
	}
	if path, err := assets.Find(name); err == nil {
		add(path, assets.Sum(name, runtime.GOARCH))
	}
	for i, path := range []string{m.Card, m.Second} {
		if path != "" && i < len(cards) {
			add(path, "")
			add(filepath.Join(filepath.Dir(path), cards[i].File), strings.ToLower(cards[i].SHA256))
		}
	}
	return append(list, tflite.Opened()...)
}

// use takes the files of networks that were opened.
func (f *files) use(list []assets.File) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = list
}

// doubted tells, once, that the networks are to be opened again.
func (f *files) doubted() bool { return f.doubt.Load() && f.doubt.Swap(false) }

// lookAtFiles looks until ctx ends whether what runs is what is on the disk.
func (u *Unit) lookAtFiles(ctx context.Context) error {
	wait := filesEvery
	for sleep(ctx, wait) {
		if wait = filesEvery; u.filesChanged() {
			wait = filesAgain
		}
	}
	return nil
}

// filesChanged makes it a fault when a file is no longer the one that runs.
func (u *Unit) filesChanged() (changed bool) {
	f := &u.files
	f.mu.Lock()
	list := f.list
	f.list = nil // reading one may take long
	f.mu.Unlock()
	is := map[string]string{}
	for i := range list {
		how, overwritten := list[i].Changed()
		if how == "" {
			continue
		}
		text := how + ": the unit goes on with what it has opened, and takes what is there when it starts again: restart it"
		if overwritten && list[i].Code {
			text = how + " while it runs: the networks have to give their known answers again"
		}
		path := list[i].Path
		if is[path] = text; f.told[path] == text {
			continue
		}
		f.doubt.Store(f.doubt.Load() || overwritten && list[i].Code)
		if u.health.On(health.SelfTestFailed) {
			u.note(fmt.Sprintf("%s: %s", health.SelfTestFailed, text), "")
			continue
		}
		u.health.Begin(health.SelfTestFailed, u.now(), text)
		f.mine = true
	}
	f.told = is
	f.mu.Lock()
	if f.list == nil { // else others were opened meanwhile
		f.list = list
	}
	f.mu.Unlock()
	if len(is) == 0 && f.mine {
		f.mine = false
		u.health.End(health.SelfTestFailed)
	}
	return len(is) > 0
}
