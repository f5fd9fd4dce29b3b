package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mien/firmware/alarm"
)

// tellUnjudged is how often the journal is told for how long alarms had no
// reading. That somebody left, and when, is private: what an operator
// needs is how far the alarms can be relied on.
const tellUnjudged = time.Hour

// unjudged adds up the time in which alarms had no reading, by its reason.
type unjudged struct {
	began, last time.Duration
	reasons     []reasonTime
}

type reasonTime struct {
	reason string
	lasted time.Duration
}

// update counts the time since the last call, in which alarms had no reading for
// a reason, "" for one in which they had. It gives what is to be noted: once in
// tellUnjudged, "" for nothing.
func (t *unjudged) update(reason string, now time.Duration) (text string) {
	if t.began == 0 {
		t.began, t.last = now, now
	}
	since := now - t.last
	t.last = now
	if reason != "" {
		i := slices.IndexFunc(t.reasons, func(r reasonTime) bool { return r.reason == reason })
		if i < 0 {
			i = len(t.reasons)
			t.reasons = append(t.reasons, reasonTime{reason: reason})
		}
		t.reasons[i].lasted += since
	}
	if now-t.began >= tellUnjudged {
		text = t.text()
		t.began, t.reasons = now, t.reasons[:0]
	}
	return text
}

// text is what is to be noted now, in whole minutes; "" where it is less than one.
func (t *unjudged) text() string {
	var all time.Duration
	var parts []string
	slices.SortStableFunc(t.reasons, func(a, b reasonTime) int { return int(b.lasted - a.lasted) })
	for _, r := range t.reasons {
		all += r.lasted
		if r.lasted >= time.Minute {
			parts = append(parts, fmt.Sprintf("%s %d", r.reason, r.lasted/time.Minute))
		}
	}
	if all < time.Minute {
		return ""
	}
	text := fmt.Sprintf("alarms had no reading for %d of the last %s", all/time.Minute, alarm.Count(int((t.last-t.began)/time.Minute), "minute"))
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	return text
}
