package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mien/drivers/gpio"
	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/health"
	"mien/firmware/state"
)

// chatter is how many edges a second of one input are more than a person makes.
const chatter = 20

// button is the goroutine that owns one input line. Only the change to active
// counts, so that an input that is stuck gives one command at most.
type button struct {
	unit     *Unit
	host     gpio.Host
	index    int
	name     string
	does     []state.Command // when it becomes active
	settings gpio.InputSettings
	guard    gpio.Guard
	back     health.Backoff
}

func newButton(u *Unit, host gpio.Host, index int, c config.Input, h config.Health, resolve Resolver) (*button, error) {
	line, err := resolve(c.Chip, c.Line)
	if err != nil {
		return nil, fmt.Errorf("input %q: %w", c.Name, err)
	}
	b := &button{unit: u, host: host, index: index, name: c.Name, does: buttonDoes(c),
		settings: gpio.InputSettings{Line: line, ActiveLow: c.Active == config.ActiveLow, Debounce: c.Debounce},
		guard:    gpio.Guard{StuckAfter: c.StuckAfter, MaxEdges: chatter},
		back:     health.Backoff{First: h.RetryFirst, Most: h.RetryMost},
	}
	switch c.Pull {
	case config.PullNone:
		b.settings.Pull = gpio.PullNone
	case config.PullUp:
		b.settings.Pull = gpio.PullUp
	case config.PullDown:
		b.settings.Pull = gpio.PullDown
	}
	return b, nil
}

// buttonDoes is what an input of the config asks for.
func buttonDoes(c config.Input) []state.Command {
	if c.Function == config.Test {
		return []state.Command{{Do: state.TestOutputs, For: c.For}}
	}
	marks := map[config.Press]state.Truth{config.MarkRight: state.Right, config.MarkFalse: state.False, config.MarkMissed: state.Missed}
	if truth, is := marks[c.Function]; is {
		return []state.Command{{Do: state.MarkAlarm, Mark: state.Mark{Truth: truth}}}
	}
	does := map[config.Press]alarm.Trigger{config.Acknowledge: alarm.Acknowledge, config.Reset: alarm.Reset, config.Silence: alarm.Silence, config.Inhibit: alarm.Inhibit}
	return []state.Command{state.On(alarm.Command{Do: does[c.Function], For: c.For})}
}

// run waits for edges until ctx ends, and opens the line again when it is lost.
func (b *button) run(ctx context.Context) error {
	defer b.unit.inputIs(b.index, false, "")
	warned := false
	for ctx.Err() == nil {
		line, err := b.host.Input(b.settings)
		if err == nil {
			if w, ok := line.(interface{ Warning() string }); ok && w.Warning() != "" && !warned {
				warned = true
				b.unit.inform(fmt.Sprintf("input %s: %s", b.name, w.Warning()))
			}
			err = b.serve(ctx, line)
		}
		if ctx.Err() != nil {
			return nil
		}
		b.unit.inputIs(b.index, false, fmt.Sprintf("input %s: %v", b.name, err))
		sleep(ctx, b.back.Next())
	}
	return nil
}

// serve waits for edges of one open line; its error says why it ended.
func (b *button) serve(ctx context.Context, line gpio.Input) error {
	stop := context.AfterFunc(ctx, func() { b.unit.Guard("input "+b.name, func() { line.Close() }) })
	defer stop()
	defer line.Close()
	active, err := line.Active()
	if err != nil {
		return err
	}
	b.back.Reset()
	b.guard.Start(active, b.unit.now())
	for ctx.Err() == nil { // the line's end may fail to wake Wait
		now := b.unit.now()
		trouble := ""
		if c := b.guard.Condition(now); c != gpio.Sound {
			trouble = fmt.Sprintf("input %s is %s", b.name, c)
		}
		b.unit.inputIs(b.index, active, trouble)
		edge, err := line.Wait(250 * time.Millisecond)
		switch {
		case err == nil:
			b.guard.Edge(edge)
			if edge.Lost > 0 { // the newest level is what counts now
				if edge.Active, err = line.Active(); err != nil {
					return err
				}
			}
			pressed := edge.Active && !active
			active = edge.Active
			if pressed && b.guard.Condition(b.unit.now()) != gpio.Chattering {
				b.unit.Do("input "+b.name, b.does) // a refusal is in the journal; nobody stands at the other end
			}
		case errors.Is(err, gpio.ErrTimeout):
		default:
			return err
		}
	}
	return nil
}
