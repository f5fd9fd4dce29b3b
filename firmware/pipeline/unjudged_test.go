package pipeline

import (
	"testing"
	"time"
)

// An hour's absences are one note, in whole minutes, whatever their number; an
// hour with less than one minute of them has none.
func TestUnjudgedIsToldOnceAnHour(t *testing.T) {
	var u unjudged
	now, told := time.Duration(5), []string(nil)
	pass := func(reason string, lasts time.Duration) {
		for end := now + lasts; now < end; {
			now += 50 * time.Millisecond
			if text := u.update(reason, now); text != "" {
				told = append(told, text)
			}
		}
	}
	pass("", time.Minute)
	for range 10 {
		pass("no face in view", 2*time.Minute)
		pass("face too small", 10*time.Second)
		pass("", 90*time.Second)
	}
	pass("", 22*time.Minute+21*time.Second) // 60 minutes are over
	if want := "alarms had no reading for 21 of the last 60 minutes: no face in view 20, face too small 1"; len(told) != 1 || told[0] != want {
		t.Fatalf("told %q", told)
	}
	pass("no face in view", 50*time.Second)
	pass("", time.Hour)
	if len(told) != 1 {
		t.Errorf("told of less than a minute: %q", told)
	}
	pass("camera fault", 30*time.Minute)
	pass("", 35*time.Minute)
	if want := "alarms had no reading for 30 of the last 60 minutes: camera fault 30"; len(told) != 2 || told[1] != want {
		t.Errorf("told %q", told)
	}
}
