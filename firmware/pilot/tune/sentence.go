package tune

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Sentence is one of those that a result has for people. Formats of other languages
// name its values by their place, such as %[1]d.
type Sentence uint8

const (
	noteUnobserved Sentence = iota
	noteSlow
	noteUnseen
	noteDrills
	needFrames
	needEvents
	needSessions
	needAbsent
	needRate
	needLevels
	needHours
	needOther
	needMuchMore
	needChoice
	needSignal
	Sentences // how many there are
)

var english = [Sentences]string{
	noteUnobserved: "%d of %d sessions have no observed time, and count for nothing",
	noteSlow:       "in %d of them frames are further apart than stale, %v",
	noteUnseen:     "%d present spans have no frame, and count for nothing",
	noteDrills:     "%d sessions are more than a fifth present, and count as drills: only their absent time is time of a shift",

	needFrames:   "frames closer together: %d sessions have them further apart than stale, %v, and an alarm that is set so cannot judge them",
	needEvents:   "%d more true events (spans that are present): there are %d, at least %d are needed, and 30 to 60 for a useful figure of what is missed",
	needSessions: "%d more sessions: there are %d with observed time, at least %d are needed, because a limit is scored on others than those it was chosen on",
	needAbsent:   "observed time in which it was absent (spans that are absent): without it no false alarm can be counted",
	needRate:     "the number of true events a shift: each session is more than a fifth present, as a drill is, and cannot tell it; -events-per-shift does",
	needLevels:   "levels: while it was present, or while it was absent, all are Unknown",
	needHours:    "false alarms a shift: at most %v cannot be said with 95 %% certainty: %v (%v to %v) were found in %v h: some %.0f more hours are needed if it goes on like this",
	needOther:    "false alarms a shift: at most %v cannot be said with 95 %% certainty: %v (%v to %v) were found in %v h: another signal, more delay, or another number that is allowed; more hours will not do it",
	needMuchMore: "false alarms a shift: at most %v cannot be said with 95 %% certainty: %v (%v to %v) were found in %v h",
	needChoice:   "more sessions to choose by: as few as these %d find alarms that cost up to %.0f %% more than the best possible, at most %v %% is allowed: some %.0f more are needed if they are like these",
	needSignal:   "a signal that tells more: no alarm at all would cost %v a shift, this one %v",
}

// Format is how the sentence is written in English, as fmt has it.
func (s Sentence) Format() string { return english[s] }

// Figure writes a number with three digits that count, or all before its point.
func Figure(x float64) string {
	if math.Abs(x) >= 1000 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	near, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 3, 64), 64)
	return strconv.FormatFloat(near, 'f', -1, 64)
}

// Said is a sentence with its values.
type Said struct {
	Sentence Sentence
	Values   []any
}

func (s Said) String() string { return fmt.Sprintf(s.Sentence.Format(), s.Values...) }

func say(s Sentence, values ...any) Said { return Said{s, values} }

// together are sentences as one text.
func together(list []Said) string {
	var texts []string
	for _, s := range list {
		texts = append(texts, s.String())
	}
	return strings.Join(texts, "; ")
}
