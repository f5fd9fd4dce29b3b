package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"

	"mien/firmware/alarm"
)

// Files of mien before the journal held the states: a journal of two files, of
// which events.log is the newer, and the states in a file of two generations,
// with a third while it is written. They are read once, and removed when the
// journal that has taken them over is rotated for the first time.
const legacyOld = "events.log.old"

var legacyStates = []string{"alarms.state", "alarms.state.new", "alarms.state.old"}

// decodeLegacy reads a whole state file: a line with version, length and
// checksum, and the body as JSON.
func decodeLegacy(data []byte) (generation uint64, saved alarm.Saved, err error) {
	head, body, ok := bytes.Cut(data, []byte("\n"))
	var version, length int
	var sum uint32
	if n, _ := fmt.Sscanf(string(head), "mien-state %d %d %x", &version, &length, &sum); !ok || len(head) > 64 || n != 3 || version != 1 {
		return 0, saved, errors.New("is not a state file")
	}
	if len(body) != length || crc32.Checksum(body, castagnoli) != sum {
		return 0, saved, errors.New("is cut short or damaged")
	}
	var g struct {
		Generation uint64      `json:"generation"`
		Saved      alarm.Saved `json:"saved"`
	}
	err = json.Unmarshal(body, &g)
	return g.Generation, g.Saved, err
}

// readLegacy gives the newest states of the files before, nil where there are
// none.
func readLegacy(folder Folder) (newest *states, notes []string) {
	best := uint64(0)
	for _, name := range legacyStates {
		data, err := folder.Read(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var generation uint64
		var saved alarm.Saved
		if err == nil {
			generation, saved, err = decodeLegacy(data)
		}
		if err != nil {
			if name != "alarms.state.new" { // that one may be torn
				notes = append(notes, fmt.Sprintf("%s %v; the one before it and the journal are used", name, err))
			}
			continue
		}
		if newest == nil || generation > best {
			newest, best = &states{Saved: saved}, generation
		}
	}
	return newest, notes
}

// removeLegacy takes the files before away.
func removeLegacy(folder Folder) error {
	for _, name := range append([]string{legacyOld}, legacyStates...) {
		if _, err := folder.Size(name); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := folder.Remove(name); err != nil {
			return fmt.Errorf("remove what the journal has taken over: %w", err)
		}
	}
	return nil
}
