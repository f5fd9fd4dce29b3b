package alarm

import "time"

// truth is a value of three-valued logic.
type truth uint8

const (
	unknown truth = iota
	no
	yes
)

// turn is what an alarm's condition did in this reading.
type turn uint8

const (
	stayed turn = iota
	rose
	fell
)

// condition is the measured side of one alarm: its conditions with their
// deadbands, joined, delayed.
type condition struct {
	met     []bool    // each condition, with its deadband; kept over Unknown
	level   []float32 // each condition's newest level, NaN when Unknown
	value   truth     // all of them joined, in the newest reading
	present bool      // value yes for the on-delay, until no for the off-delay
	turned  turn

	running bool          // the value says other than present: a delay runs
	ran     time.Duration // for how long already, without Unknown time
	first   uint64        // frame in which it began
	held    time.Duration // how long present already, without Unknown time
	early   bool          // it was present before the start or the reload: for longer than held
	blind   time.Duration // Unknown time less known time, from 0 to the hold
	lost    bool          // Unknown was declared
}

// regainAfter is the least known time that takes back a declared Unknown; a short
// hold takes half of itself.
const regainAfter = time.Second

// regain is how much known time, less the Unknown time in it, takes it back: as
// much as the delay that it is for, so that the alarm could be judged in it, but
// no more than the hold.
func (d *Definition) regain(delay time.Duration) time.Duration {
	return min(max(delay, min(d.UnknownHold/2, regainAfter)), d.UnknownHold)
}

func (c *condition) init(n int) {
	c.met = make([]bool, n)
	c.level = make([]float32, n)
	for i := range c.level {
		c.level[i] = nan
	}
}

// evaluate joins the conditions in three-valued logic.
func (c *condition) evaluate(def Definition, signal []int, levels []float32) truth {
	yeses, noes, unknowns := 0, 0, 0
	for i := range def.Conditions {
		limit := &def.Conditions[i]
		level := nan
		if s := signal[i]; s >= 0 && s < len(levels) {
			level = levels[s]
		}
		c.level[i] = level
		if !finite(level) {
			c.level[i] = nan
			unknowns++
			continue
		}
		switch {
		case limit.Side == Above && level >= limit.Limit, limit.Side == Below && level <= limit.Limit:
			c.met[i] = true
		case limit.Side == Above && level < limit.Off(), limit.Side == Below && level > limit.Off():
			c.met[i] = false
		}
		if c.met[i] {
			yeses++
		} else {
			noes++
		}
	}
	switch {
	case def.Match == All && noes > 0, def.Match == Any && yeses == 0 && unknowns == 0:
		return no
	case def.Match == Any && yeses > 0, def.Match == All && unknowns == 0:
		return yes
	}
	return unknown
}

// advance runs the delays and the hold of Unknown over dt, the time since the
// reading before. lost and regained tell what was declared now.
//
// Time is known only between two readings that are both known and no further
// apart than the gap; all other time is Unknown. Unknown time adds up and known
// time takes it off again, so that a reading now and then neither hides the loss
// nor ends it. From this follows what docs/alarms.md promises: a condition that
// is met, however rarely it is seen, is raised or declared Unknown after two
// on-delays, a hold and a gap at the latest. For if it is not declared, known time lacks
// less than the hold to Unknown time.
func (c *condition) advance(value truth, dt time.Duration, gap bool, def Definition, sequence uint64) (lost, regained bool) {
	before := c.value
	c.value = value

	if value != unknown && before != unknown && !gap {
		c.blind = max(c.blind-dt, 0)
	} else {
		c.blind = min(c.blind+dt, def.UnknownHold)
	}
	if c.blind >= def.UnknownHold && (gap || value == unknown) {
		c.running, c.ran = false, 0
		lost = !c.lost
		c.lost = true
	}
	if value == unknown {
		return lost, false
	}
	delay := def.OnDelay
	if c.present {
		delay = def.OffDelay
	}
	if c.lost && !gap && c.blind <= def.UnknownHold-def.regain(delay) {
		c.lost, c.blind, regained = false, 0, true
	}
	steady := before == value && !gap // dt belongs wholly to this value
	if c.present && value == yes && steady {
		c.held += dt
	}
	if c.present == (value == yes) {
		c.running, c.ran = false, 0
		return lost, regained
	}
	if !c.running {
		c.running, c.ran, c.first = true, 0, sequence
	} else if steady {
		c.ran += dt
	}
	if c.ran >= delay {
		c.present = !c.present
		c.turned = fell
		if c.present {
			c.turned, c.held, c.early = rose, c.ran, false
		}
		c.running = false
		if c.lost { // it was judged
			c.lost, c.blind, regained = false, 0, true
		}
	}
	return lost, regained
}

// explain says which condition decided that the alarm's condition turned: of
// several the one nearest to its limit where all must agree, the one farthest
// beyond it where one is enough.
func (c *condition) explain(def Definition) Explanation {
	best, bestOver := 0, float32(0)
	wanted := c.present
	farthest := (def.Match == Any) == wanted
	found := false
	for i, limit := range def.Conditions {
		if c.met[i] != wanted || c.level[i] != c.level[i] {
			continue
		}
		over := limit.beyond(c.level[i], wanted)
		if !found || farthest && over > bestOver || !farthest && over < bestOver {
			best, bestOver, found = i, over, true
		}
	}
	limit := def.Conditions[best]
	x := Explanation{Signal: limit.Signal, Condition: best, Side: limit.Side, Level: c.level[best], Limit: limit.Limit,
		Over: bestOver, For: c.ran, First: c.first}
	if !wanted {
		x.Limit, x.For, x.AtLeast = limit.Off(), c.held, c.early
		x.Side = Below
		if limit.Side == Below {
			x.Side = Above
		}
	}
	return x
}

// beyond is how far a level is beyond the limit, or, when gone is looked
// at, how far behind the level at which it counts as gone.
func (c Condition) beyond(level float32, met bool) float32 {
	over := level - c.Limit
	if !met {
		over = c.Off() - level
	}
	if c.Side == Below {
		over = -over
	}
	return max(over, 0)
}
