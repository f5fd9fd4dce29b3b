package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"

	"mien/firmware/alarm"
)

// Files of the state: the newest generation, the one before it, and the one
// being written.
const (
	stateFile = "alarms.state"
	stateOld  = "alarms.state.old"
	stateNew  = "alarms.state.new"

	stateVersion = 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// generation is the body of a state file. Generation counts the writes, so
// that the newest of several whole files can be told.
type generation struct {
	Generation uint64      `json:"generation"`
	Saved      alarm.Saved `json:"saved"`
}

// errFuture: a state file of a version that this program does not know.
var errFuture = errors.New("written by a newer version")

// encodeState gives a whole state file: a line with version, length and
// checksum, and the body as JSON.
func encodeState(g *generation) ([]byte, error) {
	body, err := json.Marshal(g)
	if err != nil {
		return nil, fmt.Errorf("encode state: %w", err)
	}
	body = append(body, '\n')
	head := fmt.Sprintf("mien-state %d %d %08x\n", stateVersion, len(body), crc32.Checksum(body, castagnoli))
	return append([]byte(head), body...), nil
}

// decodeState reads a whole state file, or says what is wrong with it.
func decodeState(data []byte) (*generation, error) {
	head, body, ok := bytes.Cut(data, []byte("\n"))
	var version, length int
	var sum uint32
	if !ok || len(head) > 64 {
		return nil, errors.New("has no whole first line")
	}
	n, _ := fmt.Sscanf(string(head), "mien-state %d %d %x", &version, &length, &sum)
	switch {
	case n >= 1 && version > stateVersion:
		return nil, fmt.Errorf("version %d: %w", version, errFuture)
	case n != 3 || version != stateVersion:
		return nil, errors.New("is not a state file")
	case string(head) != fmt.Sprintf("mien-state %d %d %08x", version, length, sum):
		return nil, errors.New("has a damaged first line")
	case len(body) < length:
		return nil, fmt.Errorf("is cut short: %d of %d bytes", len(body), length)
	case len(body) > length:
		return nil, errors.New("has something behind its end")
	case crc32.Checksum(body, castagnoli) != sum:
		return nil, errors.New("is damaged: its checksum does not fit")
	}
	var g generation
	if err := json.Unmarshal(body, &g); err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	return &g, nil
}

// loadState reads the newest whole generation; an empty one when there is
// none. Files of a newer version are put aside, so that going back to the
// newer program finds them.
func loadState(fsys FS, dir string) (newest generation, notes []string) {
	for _, name := range []string{stateFile, stateNew, stateOld} {
		path := filepath.Join(dir, name)
		data, err := fsys.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var g *generation
		if err == nil {
			g, err = decodeState(data)
		}
		if err != nil {
			// A file that was being written is expected to be torn; nothing is
			// lost with it.
			if name != stateNew {
				notes = append(notes, fmt.Sprintf("%s %v; the generation before it and the journal are used", name, err))
			}
			if errors.Is(err, errFuture) {
				if err := fsys.Rename(path, path+".newer"); err != nil {
					notes = append(notes, fmt.Sprintf("%s could not be put aside: %v", name, err))
				}
			}
			continue
		}
		if g.Generation > newest.Generation {
			newest = *g
		}
	}
	return newest, notes
}

// writeState makes an encoded generation the newest. At each moment of it a
// whole generation is on the disk.
func writeState(fsys FS, dir string, data []byte) (int, error) {
	name, fresh, old := filepath.Join(dir, stateFile), filepath.Join(dir, stateNew), filepath.Join(dir, stateOld)
	f, err := fsys.Create(fresh)
	if err != nil {
		return 0, fmt.Errorf("write state: %w", err)
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return 0, fmt.Errorf("write state: %w", err)
	}
	if err := fsys.Rename(name, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("keep the state before: %w", err)
	}
	if err := fsys.Rename(fresh, name); err != nil {
		return 0, fmt.Errorf("take over the new state: %w", err)
	}
	if err := fsys.SyncDir(dir); err != nil {
		return 0, fmt.Errorf("make the new state durable: %w", err)
	}
	return len(data), nil
}
