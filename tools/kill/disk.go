package main

import (
	"os"
	"path/filepath"
	"sync"
	"time"
)

// disk measures how long the disk takes for an append and fsync like the
// store's, again and again.
type disk struct {
	quit chan struct{}
	done sync.WaitGroup
	slow time.Duration
}

// probe measures in a folder until stop.
func probe(dir string) *disk {
	d := &disk{quit: make(chan struct{})}
	d.done.Add(1)
	go func() {
		defer d.done.Done()
		f, err := os.Create(filepath.Join(dir, "probe"))
		if err != nil {
			return // the unit will have the same trouble, and says so
		}
		defer f.Close()
		block := make([]byte, 1024)
		for {
			began := time.Now()
			f.Write(block)
			f.Sync()
			d.slow = max(d.slow, time.Since(began))
			select {
			case <-d.quit:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return d
}

// stop gives the longest time; the write that is under way counts too.
func (d *disk) stop() time.Duration {
	close(d.quit)
	d.done.Wait()
	return d.slow
}
