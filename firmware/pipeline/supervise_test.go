package pipeline

import (
	"testing"
	"time"
)

// What the supervisor does at each tick allocates nothing; reading the board's
// sensors, every five seconds, may.
func TestSupervisorAllocatesNothing(t *testing.T) {
	u := newIdle(t)
	at := u.now()
	s := &supervisor{unit: u, sensed: at + time.Hour, stated: at + time.Hour}
	wall := time.Unix(1_800_000_000, 0)
	tick := func() {
		at += 50 * time.Millisecond
		u.health.Turn(at)
		u.health.Result(at)
		s.look(at, wall.Add(at))
	}
	for range 20 {
		tick()
	}
	if n := testing.AllocsPerRun(200, tick); n != 0 {
		t.Errorf("%v allocations a tick", n)
	}
}
