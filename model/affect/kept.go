package affect

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Kept is all that a Stage holds of the frames before: from it another Stage with
// the same settings goes on as the first would. It is for recordings.
type Kept struct {
	Groups  []keptGroup   `json:"groups"`
	Perclos []keptStretch `json:"perclos,omitempty"`
	Last    time.Duration `json:"perclos_last,omitempty"`
	Started bool          `json:"perclos_started,omitempty"`
}

// keptGroup is a filter's samples, oldest first.
type keptGroup struct {
	At   []time.Duration `json:"at"`
	From []time.Duration `json:"from"`
	Rows []keptLevel     `json:"rows"`
}

type keptStretch struct {
	Length time.Duration `json:"length"`
	State  eyeState      `json:"state"`
}

// keptLevel is a level as JSON has it: null is Unknown.
type keptLevel float32

func (l keptLevel) MarshalJSON() ([]byte, error) {
	if l != l {
		return []byte("null"), nil
	}
	return json.Marshal(float32(l))
}

func (l *keptLevel) UnmarshalJSON(text []byte) error {
	*l = keptLevel(unknown)
	if string(text) == "null" {
		return nil
	}
	return json.Unmarshal(text, (*float32)(l))
}

// Keep copies what the stage holds. Without emotions those signals are Unknown in
// the copy.
func (s *Stage) Keep(emotions bool) *Kept {
	k := &Kept{Last: s.perclos.last, Started: s.perclos.started}
	for _, g := range s.groups {
		var kept keptGroup
		b := g.bank
		for i := b.count; i >= 1; i-- {
			row := (b.next + len(b.at) - i) % len(b.at)
			kept.At, kept.From = append(kept.At, b.at[row]), append(kept.From, b.from[row])
			for j, level := range b.levels[row*b.width : (row+1)*b.width] {
				if !emotions && emotion(s.signals[g.from+j]) {
					level = unknown
				}
				kept.Rows = append(kept.Rows, keptLevel(level))
			}
		}
		k.Groups = append(k.Groups, kept)
	}
	for i := range s.perclos.count {
		one := s.perclos.stretches[(s.perclos.oldest+i)%len(s.perclos.stretches)]
		k.Perclos = append(k.Perclos, keptStretch{one.length, one.state})
	}
	return k
}

// emotion tells whether a signal says what somebody feels.
func emotion(signal string) bool {
	_, prefix := cutPrefix(signal)
	return signal == Valence || signal == Arousal || prefix == expressionPrefix || strings.HasPrefix(signal, compoundPrefix)
}

// Resume takes over what Keep gave, of a stage with the same settings and signals;
// the error says that it was another one.
func (s *Stage) Resume(k *Kept) error {
	if len(k.Groups) != len(s.groups) || len(k.Perclos) > len(s.perclos.stretches) {
		return fmt.Errorf("kept filters: %d groups and %d stretches, this stage has %d and at most %d", len(k.Groups), len(k.Perclos), len(s.groups), len(s.perclos.stretches))
	}
	for i, g := range s.groups {
		b, kept := g.bank, &k.Groups[i]
		n := len(kept.At)
		if n > len(b.at) || len(kept.From) != n || len(kept.Rows) != n*b.width {
			return fmt.Errorf("kept filters: group %d has %d samples of %d levels, this stage has at most %d of %d", i, n, len(kept.Rows), len(b.at), b.width)
		}
		copy(b.at, kept.At)
		copy(b.from, kept.From)
		for j, level := range kept.Rows {
			b.levels[j] = float32(level)
		}
		b.count, b.next = n, 0
		if n > 0 {
			b.next = n % len(b.at)
		}
	}
	p := newPerclos(s.perclos.window, s.perclos.known)
	p.started, p.last = k.Started, k.Last
	for i, one := range k.Perclos {
		if one.Length < 0 || one.State > eyesShut {
			return fmt.Errorf("kept filters: stretch %d is %v of state %d", i, one.Length, one.State)
		}
		p.stretches[i] = stretch{one.Length, one.State}
		p.account(one.Length, one.State)
	}
	p.count = len(k.Perclos)
	*s.perclos = *p
	return nil
}
