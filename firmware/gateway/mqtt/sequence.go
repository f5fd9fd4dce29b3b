package mqtt

import (
	"encoding/json"
	"os"
	"path/filepath"

	"mien/given"
)

// sequence counts a node's connections, over restarts: bdSeq tells which birth belongs to
// which death.
type sequence struct {
	path string
	Next uint8 `json:"bdSeq"`
}

func openSequence(path string) *sequence {
	s := &sequence{path: path}
	if data, err := given.Read(path, 4096); err == nil {
		if json.Unmarshal(data, s) != nil { // damaged: as the first time
			s.Next = 0
		}
	}
	return s
}

// next gives the number of a connection that begins.
func (s *sequence) next() uint8 {
	n := s.Next
	s.Next++
	return n
}

// keep keeps the count: only a connection that the broker took left a will there. Where it
// cannot be kept, it counts until the next restart.
func (s *sequence) keep() {
	data, err := json.Marshal(s)
	if err != nil {
		return
	}
	os.MkdirAll(filepath.Dir(s.path), 0o700)
	if os.WriteFile(s.path+".new", data, 0o600) == nil {
		os.Rename(s.path+".new", s.path)
	}
}
