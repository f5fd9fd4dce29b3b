package pipeline

import (
	"testing"
)

// A frame that the network before a reload looked at comes in after it: its
// levels are those of other signals, and are neither taken for the new ones nor
// looked for beyond their end.
func TestResultOfTheNetworkBeforeIsNone(t *testing.T) {
	u := newIdle(t)
	before := u.network.signals
	all := make([]float32, len(before))
	u.result(&Sight{Levels: all}, before, 0, u.now())
	if u.health.Results() != 1 {
		t.Fatal("no result of its own network")
	}
	u.network.signals = append([]string{"au99"}, before...) // as reload does
	u.result(&Sight{Levels: all}, before, 0, u.now())
	if n := u.health.Results(); n != 1 {
		t.Errorf("%d results", n)
	}
}
