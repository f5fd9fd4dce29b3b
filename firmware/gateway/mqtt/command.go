package mqtt

import (
	"context"
	"fmt"
	"math"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/operator"
)

// longestCommand bounds what a command may say of a time; the unit has bounds of its own.
const longestCommand = 24 * time.Hour

// command makes of a metric that a host writes what it asks of the unit. The error says
// why it is refused.
func command(s *spec, value any) (operator.Request, error) {
	if s.does == nil {
		return operator.Request{}, fmt.Errorf("%s cannot be written", s.name)
	}
	r := *s.does
	switch s.kind {
	case typeBoolean:
		on, is := value.(bool)
		if !is {
			return r, fmt.Errorf("%s takes a Boolean", s.name)
		}
		if !on {
			return r, fmt.Errorf("%s does something for true only", s.name)
		}
	case typeInt32:
		var seconds int64
		switch v := value.(type) {
		case int64:
			seconds = v
		case uint64:
			seconds = int64(min(v, math.MaxInt32))
		default:
			return r, fmt.Errorf("%s takes an Int32: seconds, 0 ends it", s.name)
		}
		if seconds < 0 || seconds > int64(longestCommand/time.Second) {
			return r, fmt.Errorf("%s takes 0 to %d seconds", s.name, int64(longestCommand/time.Second))
		}
		r.For = time.Duration(seconds) * time.Second
		if seconds == 0 {
			r.Do = map[alarm.Trigger]alarm.Trigger{alarm.Shelve: alarm.Unshelve, alarm.Inhibit: alarm.Uninhibit}[r.Do]
		}
	}
	return r, nil
}

// order hands a command to the unit, in turn.
func (n *Node) order(client string, r operator.Request) {
	r.Who, r.Role = "mqtt "+client, operator.Role(n.o.Config.Role)
	select {
	case n.asked <- r:
	default:
		n.refuse(client, "too many commands at once")
	}
}

// obey gives the unit what was ordered until ctx ends.
func (n *Node) obey(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-n.asked:
			what := r.Do.Words()
			if r.Alarm != "" {
				what += " " + r.Alarm
			}
			text, err := n.ask(r)
			if err != nil {
				text = "refused: " + err.Error()
			}
			if r.Do != alarm.Note { // that one is ours
				n.known.answer(what + ": " + text)
			}
		}
	}
}

func (n *Node) ask(r operator.Request) (string, error) {
	c, err := n.o.Dial()
	if err != nil {
		return "", err
	}
	defer c.Close()
	reply, err := c.Ask(r)
	if err != nil {
		return "", err
	}
	if len(reply.Done) == 0 {
		return "there was nothing to do", nil
	}
	return "done", nil
}

// refuse tells everybody who may want to know that a command was refused: the host by a
// metric, the technician by the log, and the unit's journal.
func (n *Node) refuse(client, why string) {
	n.known.answer("refused: " + why)
	n.say("mqtt: a command was refused: %s", why)
	select {
	case n.asked <- operator.Request{Ask: operator.AskDo, Do: alarm.Note, Text: "mqtt: a command was refused: " + why, Who: "mqtt " + client, Role: operator.Operator}:
	default: // so many that the unit would count them
	}
}
