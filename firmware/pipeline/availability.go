package pipeline

import (
	"math"
	"time"
)

var unknown = float32(math.NaN())

// availability is the share of the last hour with valid results, in minutes.
type availability struct {
	valid, total [60]uint16 // ticks
	minute       time.Duration
	at           int
}

// tick counts one moment as valid or not.
func (a *availability) tick(valid bool, now time.Duration) {
	if a.minute == 0 {
		a.minute = now
	}
	for now-a.minute >= time.Minute {
		a.minute += time.Minute
		a.at = (a.at + 1) % len(a.valid)
		a.valid[a.at], a.total[a.at] = 0, 0
	}
	a.total[a.at]++
	if valid {
		a.valid[a.at]++
	}
}

// share is the part of the counted moments that were valid.
func (a *availability) share() float32 {
	var valid, total uint32
	for i := range a.valid {
		valid += uint32(a.valid[i])
		total += uint32(a.total[i])
	}
	if total == 0 {
		return unknown
	}
	return float32(valid) / float32(total)
}
