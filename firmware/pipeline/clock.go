package pipeline

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"mien/firmware/alarm"
	"mien/firmware/state"
)

// wallClock is the unit's wall clock, by which the times of events go and nothing
// else. It is the system's, until somebody sets it (clock.settable): the unit may
// not set the system's, and from there on goes by the monotonic clock, which no
// jump of the system's reaches. What was set holds until the machine starts again,
// also over a restart of the unit. Its methods may be called from any goroutine.
type wallClock struct {
	system   func() time.Time
	now      func() time.Duration
	boot     string // which start of the machine this is; "": not to be known
	settable bool

	mu     sync.Mutex  // covers what is below
	base   alarm.Clock // Wall zero: the system's
	known  bool        // it was set, or synchronised, since the machine started
	synced bool        // a time source sets the system's
	sets   int         // how often it was set

	forward time.Duration // how far it was moved lately
	until   time.Duration // until when that is lately
}

// newClock is the clock of a unit that left saved. One that nobody has set since
// the machine started does not go back behind what is kept: a machine without a
// clock of its own starts in the past.
func newClock(o *Options, saved *alarm.Saved, now func() time.Duration) *wallClock {
	c := &wallClock{system: o.Wall, now: now, boot: o.Boot, settable: o.Config.Clock.Settable, synced: o.Synced()}
	at := now()
	switch last := saved.Clock; {
	case !c.settable:
	case c.boot != "" && last.Boot == c.boot && last.At <= at:
		c.base, c.known = last, true
		c.forward, c.until = max(last.By, 0), last.At+forgives
	case !c.synced && c.system().Before(saved.Wall):
		c.base = alarm.Clock{Boot: c.boot, At: at, Wall: saved.Wall}
	}
	return c
}

// time is what the clock says now.
func (c *wallClock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at(c.now())
}

func (c *wallClock) at(now time.Duration) time.Time {
	if c.base.Wall.IsZero() {
		return c.system()
	}
	return c.base.Wall.Add(now - c.base.At)
}

// forgives is for how long nothing grows old by what the clock was set forward: a
// master that gives a wrong year shall delete nothing before somebody can see it.
const forgives = 24 * time.Hour

// age is the time by which what has a date is too old.
func (c *wallClock) age() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	at := c.at(now)
	if now < c.until {
		at = at.Add(-c.forward)
	}
	return at
}

// vouched says whether somebody vouches for the time. Where it cannot be set, that
// is left to who set up the machine.
func (c *wallClock) vouched() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.settable || c.known || c.synced
}

// tells is the clock as readers see it.
func (c *wallClock) tells() state.Clock {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	t := state.Clock{At: now, Wall: c.at(now), Settable: c.settable}
	if !c.base.Wall.IsZero() {
		t.Offset = t.Wall.Sub(c.system().Round(0)) // by the wall, not the monotonic reading
	}
	switch {
	case c.synced:
		t.Source = state.ClockSynchronised
	case !c.settable:
		t.Source = state.ClockSystem
	case c.known:
		t.Source = state.ClockSet
	}
	return t
}

// jumps counts how often the clock was set: that is told, and no jump.
func (c *wallClock) jumps() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sets
}

// Between these a clock can be set: a time before mien was made, or long after, is
// a mistake of the master's. Word order and epoch are the usual ones.
var (
	clockFrom = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clockTo   = time.Date(2051, 1, 1, 0, 0, 0, 0, time.UTC)
)

// sameTime is how near a time is to the clock's to change nothing: who gives whole
// seconds cannot be nearer, and may write them in every cycle.
const sameTime = 2 * time.Second

// possible tells why the clock cannot be set to a time; nil: it can.
func (c *wallClock) possible(to time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.settable:
		return fmt.Errorf("%w: the clock (clock.settable is false)", alarm.ErrLocked)
	case c.synced:
		return fmt.Errorf("%w: the clock, while a time source sets the system's", alarm.ErrLocked)
	case to.Before(clockFrom) || !to.Before(clockTo):
		return fmt.Errorf("%w: the clock takes a time from %d to %d", alarm.ErrInvalid, clockFrom.Year(), clockTo.Year()-1)
	}
	return nil
}

// dates tells why the clock gives no date to go by; nil: it does.
func (c *wallClock) dates() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch at := c.at(c.now()); {
	case c.settable && !c.known && !c.synced:
		return fmt.Errorf("%w: the clock is not set since the machine started, and a pilot has an end date: set it first (mien clock)", alarm.ErrRefused)
	case at.Before(clockFrom):
		return fmt.Errorf("%w: the clock says %s, and a pilot has an end date: set it first", alarm.ErrRefused, timeText(at))
	}
	return nil
}

// set makes the clock go from to; zero: by the system's. changed is false where
// that is what it does already.
func (c *wallClock) set(to time.Time) (from time.Time, base alarm.Clock, changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	from = c.at(now).Round(0)
	by := to.Sub(from)
	if to.IsZero() {
		by = c.system().Round(0).Sub(from)
	}
	if to.IsZero() && c.known && c.base.Wall.IsZero() || !to.IsZero() && c.known && by.Abs() < sameTime {
		return from, c.base, false
	}
	c.base = alarm.Clock{Boot: c.boot, At: now, Wall: to, By: by}
	if now >= c.until {
		c.forward = 0
	}
	if c.forward = max(c.forward+by, 0); by > 0 {
		c.until = now + forgives
	}
	c.known = true
	c.sets++
	return from, c.base, true
}

// setClock sets the unit's clock for who asks. The lock is held.
func (u *Unit) setClock(who string, to time.Time) ([]alarm.Event, error) {
	if err := u.clock.possible(to); err != nil {
		u.doLocked(alarm.Command{Do: alarm.Note, Who: who, Text: fmt.Sprintf("refused: set clock to %s: %v", timeText(to), err)})
		return nil, err
	}
	return u.clockIs(who, to, ""), nil
}

// clockIs sets the clock and journals by how much, and who. The lock is held.
func (u *Unit) clockIs(who string, to time.Time, why string) []alarm.Event {
	known := u.clock.vouched()
	from, base, changed := u.clock.set(to)
	if !changed {
		return nil
	}
	text := fmt.Sprintf("%sfrom %s to %s, by %+.0f s", why, timeText(from), timeText(from.Add(base.By)), base.By.Seconds())
	if !known {
		text += "; it was not set before"
	}
	u.pilot.Anew() // a recording goes on from what the engine holds then
	events := u.engine.SetClock(base, who, text, u.now(), u.wall())
	u.vouched = true
	u.happened(events)
	return events
}

// syncedIs notes whether a time source sets the system's clock. While one does,
// the unit goes by that.
func (u *Unit) syncedIs(on bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.syncedLocked(on)
}

func (u *Unit) syncedLocked(on bool) {
	if on && u.clock.settable {
		u.clockIs("", time.Time{}, "the system's clock is synchronised: ")
	}
	u.clock.mu.Lock()
	u.clock.synced = on
	u.clock.mu.Unlock()
	u.state.TimeSynced = on
	if vouched := u.clock.vouched(); vouched != u.vouched {
		u.pilot.Anew()
		u.vouched = vouched
		u.engine.VouchFor(vouched)
	}
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// synchronised asks the kernel whether a time source sets its clock.
func synchronised() bool {
	var clock unix.Timex
	state, err := unix.Adjtimex(&clock)
	return err == nil && state != unix.TIME_ERROR
}

// bootID marks this start of the machine; "" where the kernel does not tell.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
