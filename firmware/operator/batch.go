package operator

import (
	"errors"
	"fmt"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/state"
)

// A batch is what a protocol's reader in a gateway asks: several commands that are done
// together or not at all, as a PLC writes them in one request.

// refusals are the errors of state.Commands that the asker tells apart, by the word that
// a reply has for them.
var refusals = map[string]error{"no alarm": alarm.ErrNoAlarm, "locked": alarm.ErrLocked, "invalid": alarm.ErrInvalid, "too many": alarm.ErrTooMany,
	"refused": alarm.ErrRefused}

// batch hands a batch to the unit, and waits so long for the disk as the request says.
func (d *desk) batch(r Request, who string, reply *Reply) error {
	kept := state.Receipt{Event: r.After}
	var err error
	if len(r.Batch) > 0 {
		kept, err = d.unit.Do(who, r.Batch)
		var s state.State
		now := d.read(&s)
		reply.Taken = &Taken{kept.Event, kept.Pilot, kept.Drift, len(kept.Done), kept.Idle, now, now.about.ConfigCRC, now.about.NetworkCRC}
		for word, is := range refusals {
			if errors.Is(err, is) {
				reply.Refusal = word
			}
		}
		if err != nil && reply.Refusal != "refused" {
			return err
		}
	}
	if pending := d.unit.Kept(kept, min(max(r.For, 0), keptWithin)); pending != nil {
		reply.Pending = pending.Error()
	}
	return err
}

// Given is what came of a batch. Its Done has as many events as there were; what they say
// stays with the unit.
type Given struct {
	state.Receipt
	Pending string // why it is not on the disk yet; "": it is
	taken   *Taken
}

// Give hands a batch to the unit for somebody whom a gateway let in, and waits at most so
// long for the disk. The errors are those of state.Commands, and ErrNoReply.
func (c *Client) Give(who string, role Role, batch []state.Command, most time.Duration) (g Given, err error) {
	reply, err := c.Ask(Request{Ask: AskBatch, Who: who, Role: role, Batch: batch, For: most})
	if t := reply.Taken; t != nil {
		g = Given{state.Receipt{Event: t.Event, Pilot: t.Pilot, Drift: t.Drift, Idle: t.Idle}, reply.Pending, t}
		g.Done = make([]alarm.Event, min(max(t.Changed, 0), mostTold))
	}
	switch is := refusals[reply.Refusal]; {
	case err == nil:
	case is != nil:
		err = fmt.Errorf("%w: %s", is, reply.Error)
	case reply.Error == "" && !errors.Is(err, ErrFull):
		err = fmt.Errorf("%w: %w", ErrNoReply, err)
	}
	return g, err
}

// ErrNoReply: the unit did not answer in time, or hung up. What it was asked may have been
// done.
var ErrNoReply = errors.New("the unit did not reply")

// Kept asks whether the event of that number, and all before, are on the disk; it waits
// at most so long for it. pending is why they are not, "" where they are.
func (c *Client) Kept(who string, role Role, event uint64, most time.Duration) (pending string, err error) {
	reply, err := c.Ask(Request{Ask: AskBatch, Who: who, Role: role, After: event, For: most})
	return reply.Pending, err
}
