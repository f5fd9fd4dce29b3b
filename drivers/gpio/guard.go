package gpio

import (
	"fmt"
	"time"
)

// Condition is what a Guard finds out about an input.
type Condition uint8

const (
	Sound      Condition = iota
	Stuck                // active for longer than a person holds a button
	Chattering           // more edges than a person makes: a loose or floating wire
)

func (c Condition) String() string {
	switch c {
	case Sound:
		return "sound"
	case Stuck:
		return "stuck"
	case Chattering:
		return "chattering"
	}
	return fmt.Sprintf("Condition(%d)", uint8(c))
}

// Guard watches one debounced input for a contact that can no longer be
// trusted. It has no clock and no goroutine: it is told the edges and asked
// for the condition. Zero limits are off.
type Guard struct {
	StuckAfter time.Duration // active for longer than this is Stuck
	MaxEdges   int           // more than this within any second is Chattering

	active bool
	since  time.Duration
	second time.Duration // start of the second being counted
	count  int
	until  time.Duration // chattering is held until then
	chat   bool
}

// Start tells the level at the beginning, and when the line was opened again:
// edges from before do not count with those to come.
func (g *Guard) Start(active bool, now time.Duration) {
	g.active, g.since, g.second, g.count, g.chat = active, now, now, 0, false
}

// Edge tells one edge, as Input.Wait gave it.
func (g *Guard) Edge(e Edge) {
	if e.Active != g.active {
		g.active, g.since = e.Active, e.At
	}
	if e.At-g.second >= time.Second {
		g.second, g.count = e.At, 0
	}
	g.count += 1 + int(e.Lost)
	if g.MaxEdges > 0 && g.count > g.MaxEdges {
		// Held for a second after the last offence, so that the condition does
		// not itself chatter.
		g.chat, g.until = true, e.At+time.Second
	}
}

// Condition is what is known at time now of the clock of the edges.
func (g *Guard) Condition(now time.Duration) Condition {
	if g.chat && now >= g.until {
		g.chat = false
	}
	switch {
	case g.chat:
		return Chattering
	case g.StuckAfter > 0 && g.active && now-g.since > g.StuckAfter:
		return Stuck
	}
	return Sound
}
