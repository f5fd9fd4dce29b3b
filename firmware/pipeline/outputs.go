package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"mien/drivers/gpio"
	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/health"
)

// healthyHalf is the least time between two edges of the healthy line: with
// results flowing it toggles at 1 Hz or, where results are rarer, once a result.
// With fewer than health.min_rate it stands.
const healthyHalf = 500 * time.Millisecond

// readBack is how often a line that stands still is read back.
const readBack = 500 * time.Millisecond

// function is what an output shows.
type function uint8

const (
	healthyLine function = iota
	lampLine
	hornLine
	faultLine
	anyLine
	unacknowledgedLine
	alarmLine
)

// output is one line and what it shows.
type output struct {
	name     string
	settings gpio.OutputSettings
	function function
	alarm    string // alarmLine: its name
	place    int    // and its place among the alarms just now; -1: there is none
	priority alarm.Priority
	blink    gpio.Pattern

	line    gpio.Output // nil while it could not be opened
	backoff health.Backoff
	retry   time.Duration
	set     bool          // last value driven
	safe    bool          // at its fail value
	checked time.Duration // when it was last read back
}

// panel owns every output line. One goroutine drives it.
type panel struct {
	unit    *Unit
	host    gpio.Host
	outputs []*output

	mu sync.Mutex // covers each output's line and what it shows, for fail

	healthy   bool // level of the healthy line
	toggledAt time.Duration
	results   uint64
}

func newPanel(u *Unit, host gpio.Host, cfg *config.Config, resolve Resolver) (*panel, error) {
	p := &panel{unit: u, host: host}
	for _, c := range cfg.Outputs {
		o, err := newOutput(c, cfg, resolve)
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", c.Name, err)
		}
		o.backoff = health.Backoff{First: cfg.Health.RetryFirst, Most: cfg.Health.RetryMost}
		p.outputs = append(p.outputs, o)
	}
	return p, nil
}

func newOutput(c config.Output, cfg *config.Config, resolve Resolver) (*output, error) {
	line, err := resolve(c.Chip, c.Line)
	if err != nil {
		return nil, err
	}
	o := &output{name: c.Name, blink: patterns[c.Blink], function: functions[c.Function.Role], alarm: c.Function.Alarm, priority: c.Priority, settings: gpio.OutputSettings{
		Line: line, ActiveLow: c.Active == config.ActiveLow, Start: c.StartsOn(), Fail: c.FailsOn(), NoReadBack: !c.ReadBack, Drive: drives[c.Drive],
	}}
	if o.priority == 0 {
		o.priority = alarm.Low
	}
	if o.function == alarmLine && !slices.ContainsFunc(cfg.Alarms, func(a config.Alarm) bool { return a.Name == o.alarm }) {
		return nil, fmt.Errorf("no alarm %q", o.alarm)
	}
	return o, nil
}

// What the config's words mean here.
var (
	patterns = map[config.Blink]gpio.Pattern{config.Steady: gpio.Steady, config.Slow: gpio.Slow, config.Fast: gpio.Fast,
		config.Flash: gpio.Flash, config.Double: gpio.Double}
	drives    = map[config.Drive]gpio.Drive{config.PushPull: gpio.PushPull, config.OpenDrain: gpio.OpenDrain, config.OpenSource: gpio.OpenSource}
	functions = map[config.Role]function{config.Healthy: healthyLine, config.Lamp: lampLine, config.Horn: hornLine, config.Faulty: faultLine,
		config.AnyAlarm: anyLine, config.Unacknowledged: unacknowledgedLine, config.OneAlarm: alarmLine}
)

// run drives the lines until ctx ends, then leaves each at its fail value. It
// wakes for each change, and looks by itself for results and blinking lamps.
func (p *panel) run(ctx context.Context, wake <-chan struct{}) error {
	defer p.close()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		p.drive(p.unit.now())
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-tick.C:
		}
	}
}

// drive brings every line to what it has to show at now.
func (p *panel) drive(now time.Duration) {
	st := p.unit.shown(now, p.outputs)
	if st.healthy && st.results != p.results && now-p.toggledAt >= healthyHalf {
		p.healthy, p.toggledAt = !p.healthy, now
	}
	p.results = st.results
	var failed error
	for i, o := range p.outputs {
		on, err := p.show(o, &st, now)
		if err != nil {
			failed = errors.Join(failed, err)
		}
		p.unit.outputIs(i, on)
	}
	if failed != nil {
		p.unit.health.Begin(health.OutputMismatch, now, failed.Error())
	} else {
		p.unit.health.End(health.OutputMismatch)
	}
	p.unit.health.Drive(p.unit.now())
}

// show brings one line to what it has to show, and tells what that is.
func (p *panel) show(o *output, st *shown, now time.Duration) (on bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	err = o.show(p, st, now)
	return o.set && !o.safe || o.safe && o.settings.Fail, err
}

// show opens the line if need be and sets it. Only a change costs a system call.
// p.mu is held.
func (o *output) show(p *panel, st *shown, now time.Duration) error {
	fresh := false
	if o.line == nil {
		if now < o.retry {
			return fmt.Errorf("output %s is not there yet", o.name)
		}
		line, err := p.host.Output(o.settings)
		if err != nil {
			o.retry = now + o.backoff.Next()
			return fmt.Errorf("output %s: %w", o.name, err)
		}
		o.line, o.set, o.safe, fresh = line, o.settings.Start, false, true
		if o.settings.Start == o.settings.Fail {
			o.safe = true
		}
	}
	on, safe := o.level(st, p.healthy, now)
	var err error
	switch {
	case safe && (!o.safe || fresh || o.bad()):
		err = o.line.Fail()
		o.set, o.safe = o.settings.Fail, true
	case !safe && (o.safe || o.set != on || fresh || o.bad()):
		err = o.line.Set(on)
		o.set, o.safe = on, false
	case !o.settings.NoReadBack && now-o.checked >= readBack:
		// A short comes between two writes too.
		var active bool
		if active, err = o.line.Active(); err == nil && active != o.set && o.settings.Drives(o.set) {
			err = fmt.Errorf("is %v, was set to %v: %w", active, o.set, gpio.ErrMismatch)
		}
		o.checked = now
	}
	switch {
	case errors.Is(err, gpio.ErrGone), errors.Is(err, gpio.ErrClosed):
		o.line.Close()
		o.line, o.retry = nil, now+o.backoff.Next()
		return fmt.Errorf("output %s: %w", o.name, err)
	case err != nil:
		o.retry = now + o.backoff.Next() // read back again then
		return fmt.Errorf("output %s: %w", o.name, err)
	case o.retry > now:
		return fmt.Errorf("output %s read back another value a moment ago", o.name)
	case fresh || o.retry != 0:
		o.backoff.Reset()
		o.retry = 0
	}
	return nil
}

// bad tells that the last write failed and it is time to write again.
func (o *output) bad() bool { return o.retry != 0 }

// level is what the line has to show: on or off, or its fail value. What is on
// stays on whatever happens to the readings, a fault that stops the unit too:
// a hand on the lens acknowledges nothing. Only a line that would be off goes to
// its fail value, when nobody can know whether it should be.
func (o *output) level(st *shown, healthy bool, now time.Duration) (on, safe bool) {
	if st.test && (st.tested.Name == "" || st.tested.Name == o.name) {
		return !st.tested.Off || st.tested.Name == "", false // the healthy line too
	}
	switch o.function {
	case healthyLine:
		return healthy, !st.healthy // it is all that a relay sees: too few results are none
	case faultLine:
		return st.faults != 0, false
	}
	sum, mask := &st.summary, st.masks[o.priority]
	ack := sum.Unacknowledged & mask
	switch o.function {
	case hornLine:
		on, ack = sum.Horn&mask != 0, 0
	case lampLine:
		ack &= sum.Lamp
		on = sum.Lamp&mask != 0
	case anyLine:
		on = (sum.Active|sum.Latched)&mask != 0
	case unacknowledgedLine:
		on = ack != 0
	case alarmLine:
		if o.place < 0 { // a reload took it away, and this line with it in a moment
			return false, true
		}
		mask = 1 << o.place
		ack = sum.Unacknowledged & mask
		on = (sum.Active|sum.Latched|ack)&mask != 0
	}
	if on && ack != 0 {
		return o.blink.On(now), false
	}
	return on, !on && (!st.trusted || sum.Safe&mask != 0)
}

// fail drives every line to its fail value at once, from any goroutine: for a
// panic, when nothing else may be relied on. The panel then shows what the fault
// makes of each.
func (p *panel) fail() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.outputs {
		if o.line != nil {
			if o.line.Fail() != nil {
				o.retry = p.unit.now() // the panel writes it again, and tells what is wrong
			}
			o.set, o.safe = o.settings.Fail, true
		}
	}
}

func (p *panel) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.outputs {
		if o.line != nil {
			o.line.Close() // drives the fail value; its error has nobody left to go to
			o.line = nil
		}
	}
}
