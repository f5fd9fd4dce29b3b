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

// next gives the number of a connection that begins. One that cannot be kept counts all
// the same.
func (s *sequence) next() uint8 {
	n := s.Next
	s.Next++
	if data, err := json.Marshal(s); err == nil {
		os.MkdirAll(filepath.Dir(s.path), 0o700)
		if os.WriteFile(s.path+".new", data, 0o600) == nil {
			os.Rename(s.path+".new", s.path)
		}
	}
	return n
}
