package modbus

import (
	"math"
	"time"

	"mien/firmware/state"
)

// confirm is how long a limit reads back as written before the pipeline shows
// it in its snapshot.
const confirm = 2 * time.Second

// image is what masters wrote. Commands follow from its changes, so that a
// master may write the same block in every cycle; every coil and register
// reads back what was written last.
//
// A change is one between two values that the same master wrote. The first value
// after the unit started, opened its port again or lost the host's heartbeat is
// only noted: a master that left a coil or bit at 1 asks for nothing. A 1 is a
// command once its 0 was seen. A 1 that goes ends what it asked for, at any time.
type image struct {
	coils   uint32
	holding [holdingLimits]uint16
	command [holdingCommandEnd - holdingCommand]uint16 // from holdingCommand on
	mark    [holdingMarkEnd - holdingMarkAlarm]uint16
	pending pendingLimits

	began   uint32 // coils whose 1 was a command, and is still there
	asked   uint16 // the shelve mask as a master wrote it last, 0 before
	noted   uint32 // coils that were written since the port was opened
	masked  bool   // so was the shelve mask
	beaten  bool   // and the heartbeat
	counted bool   // and the sequence of commands
}

// unnote clears what the master wrote last: its next values are only noted.
func (i *image) unnote() { i.noted, i.masked, i.counted = 0, false, false }

// reopen is unnote, for the heartbeat too.
func (i *image) reopen() {
	i.unnote()
	i.beaten = false
}

// renumber clears what was written by the number of an alarm: it is another's.
func (i *image) renumber(shelved uint16) {
	const acks = (1<<MaxAlarms - 1) << coilAck
	i.noted &^= acks
	i.coils &^= acks
	i.mark[0] = 0
	i.masked, i.asked = false, 0
	i.holding[holdingShelveMask] = shelved
	i.pending = pendingLimits{}
	clear(i.command[:holdingCommandSequence-holdingCommand])
}

// pendingLimits are limits that were written and not yet seen in a snapshot.
type pendingLimits [4 * MaxAlarms]struct {
	value uint16
	until time.Duration
}

// holdingWord is holding register n below MirrorBase.
func (s *Slave) holdingWord(n int) uint16 {
	switch {
	case n < holdingLimits:
		return s.image.holding[n]
	case n >= holdingWords, n >= holdingLimitsEnd && n < holdingCommand, n >= holdingCommandEnd && n < holdingMarkAlarm:
		return 0
	case n >= holdingMarkAlarm:
		return s.image.mark[n-holdingMarkAlarm]
	case n >= holdingCommand:
		return s.image.command[n-holdingCommand]
	}
	n -= holdingLimits
	if p := &s.image.pending[n]; s.view.now < p.until {
		return p.value
	}
	return s.view.limitWord(n/4, Limit(n%4))
}

// limitWord is a setting of an alarm as the snapshot has it.
func (v *view) limitWord(alarm int, which Limit) uint16 {
	a := &v.Alarms[alarm]
	if alarm >= v.AlarmCount {
		if which == OnLimit || which == OffLimit {
			return NotAvailableInt
		}
		return NotAvailableUint
	}
	switch which {
	case OnLimit:
		return uint16(scaled(a.OnLimit, 1000))
	case OffLimit:
		return uint16(scaled(a.OffLimit, 1000))
	case OnDelay:
		return uint16(min(NotAvailableUint-1, saturate(int64(a.OnDelay/delayTick))))
	default:
		return uint16(min(NotAvailableUint-1, saturate(int64(a.OffDelay/delayTick))))
	}
}

// A staging collects what one request writes. It is checked whole, handed to
// Commands whole, and only then becomes the image.
type staging struct {
	image  image
	limits [4 * MaxAlarms]bool // written in this request
	batch  [coilBits + 2*MaxAlarms + 4*MaxAlarms + 1]Command
	n      int
	beat   bool
	asks   bool   // it writes what can be a command
	mask   bool   // the shelve mask is written
	held   bool   // something was 1 with its first value
	given  bool   // command_sequence is written,
	number uint16 // and is new, or noted
	result result // what comes of it, where that is known before
	at     int    // the address that was refused, and
	why    string
}

// deny notes why a write is refused.
func (g *staging) deny(at int, why string, ex exception) exception {
	g.at, g.why = at, why
	return ex
}

// begin begins a request that writes from an address on.
func (g *staging) begin(s *Slave, at int) {
	g.at = at
	g.image = s.image
	g.limits = [4 * MaxAlarms]bool{}
	g.n, g.beat, g.asks, g.mask, g.held = 0, false, false, false, false
	g.given, g.number, g.result = false, 0, resultNone
}

func (g *staging) add(c Command) {
	g.batch[g.n] = c
	g.n++
}

// setCoil stages coil n.
func (g *staging) setCoil(n int, on bool, alarms int) exception {
	g.asks = true
	mask := uint32(1) << n
	was, noted := g.image.coils&mask != 0, g.image.noted&mask != 0
	if !on {
		g.image.coils &^= mask
		g.image.noted |= mask
		if g.image.began&mask != 0 && (n == coilTest || n == coilInhibit) {
			g.add(coilCommand(n, false))
		}
		g.image.began &^= mask
		return 0
	}
	switch {
	case n > coilInhibit && n < coilAck, n >= coilAck+MaxAlarms && n < coilMark, n >= coilBits:
		return g.deny(n, "it is reserved", illegalAddress)
	case n >= coilAck+alarms && n < coilMark:
		return g.deny(n, "there is no such alarm", illegalAddress)
	}
	g.image.coils |= mask
	g.image.noted |= mask
	switch {
	case was:
	case noted && n >= coilMark:
		g.add(g.image.saying(n))
		g.image.began |= mask
	case noted:
		g.add(coilCommand(n, true))
		g.image.began |= mask
	default:
		g.held = true
	}
	return 0
}

func coilCommand(n int, on bool) Command {
	switch n {
	case coilAckAll:
		return Command{Op: OpAckAll}
	case coilReset:
		return Command{Op: OpReset}
	case coilSilence:
		return Command{Op: OpSilence}
	case coilTest:
		return Command{Op: OpTest, On: on}
	case coilInhibit:
		return Command{Op: OpInhibit, On: on}
	}
	return Command{Op: OpAck, Alarm: n - coilAck}
}

// setHolding stages holding register n; what depends on other registers of the
// same request is left to finish.
func (s *Slave) setHolding(g *staging, n int, value uint16) exception {
	switch {
	case n == holdingHeartbeat:
		g.beat = g.beat || g.image.beaten && g.image.holding[n] != value
		g.image.holding[n], g.image.beaten = value, true
	case n == holdingHostTimeout:
		if value == 0 && s.cfg.HostRequired {
			return g.deny(n, "0 would not watch the host, and the config requires it", illegalValue)
		}
		g.image.holding[n] = value
	case n == holdingShelveMask:
		if value>>s.view.AlarmCount != 0 {
			return g.deny(n, "a bit is set that stands for no alarm", illegalValue)
		}
		g.image.holding[n] = value
		g.mask, g.asks = true, true
	case n == holdingShelveMinutes:
		if value == 0 || time.Duration(value)*time.Minute > s.shelveMax() {
			return g.deny(n, "it is 0, or longer than any alarm may be shelved", illegalValue)
		}
		g.image.holding[n] = value
	case n < holdingLimits:
		return g.deny(n, "it is reserved", illegalAddress)
	case n >= holdingLimitsEnd && n < holdingCommand, n >= holdingCommandEnd && n < holdingMarkAlarm:
		return g.deny(n, noRegister, illegalAddress)
	case n == holdingMarkAlarm && int(value) > s.view.AlarmCount:
		return g.deny(n, "there is no such alarm", illegalValue)
	case n == holdingMarkAgo && value > markAgoMost:
		return g.deny(n, "it is longer ago than a mark may be", illegalValue)
	case n >= holdingMarkAlarm:
		g.image.mark[n-holdingMarkAlarm] = value
	case n >= holdingCommand:
		g.image.command[n-holdingCommand] = value
		if n == holdingCommandSequence {
			g.given, g.asks = true, true
		}
	default:
		n -= holdingLimits
		switch {
		case n/4 >= s.view.AlarmCount:
			return g.deny(holdingLimits+n, "there is no such alarm", illegalAddress)
		case !s.view.Alarms[n/4].Unlocked:
			return g.deny(holdingLimits+n, "it is locked: unlock of [modbus] does not name its alarm", illegalAddress)
		}
		// What is in force already is no command: a master may write it in every
		// cycle.
		g.limits[n] = value != s.holdingWord(holdingLimits+n)
		g.image.pending[n].value = value
		g.image.pending[n].until = s.view.now + confirm
		g.asks = true
	}
	return 0
}

// noValue is why a value is refused that stands for "not available".
const noValue = "the value means not available"

// shelveMax is the longest time that a master may ask for now: a reload can change
// it.
func (s *Slave) shelveMax() time.Duration {
	if s.cfg.ShelveMax > 0 {
		return s.cfg.ShelveMax
	}
	var most time.Duration
	for i := range s.view.Alarms[:s.view.AlarmCount] {
		most = max(most, s.view.Alarms[i].ShelveMax)
	}
	if most < time.Minute {
		return 8 * time.Hour
	}
	return min(most, 65535*time.Minute)
}

// finish checks what the registers of one request mean together and makes the
// commands that follow.
func (s *Slave) finish(g *staging) exception {
	if g.mask {
		if ex := s.shelve(g); ex != 0 {
			return ex
		}
	}
	for n, written := range g.limits {
		if !written {
			continue
		}
		alarm, which := n/4, Limit(n%4)
		value := g.image.pending[n].value
		c := Command{Op: OpSetLimit, Alarm: alarm, Limit: which}
		if which == OnDelay || which == OffDelay {
			if value == NotAvailableUint {
				return g.deny(holdingLimits+n, noValue, illegalValue)
			}
			c.Value = (time.Duration(value) * delayTick).Seconds()
		} else {
			if value == NotAvailableInt {
				return g.deny(holdingLimits+n, noValue, illegalValue)
			}
			c.Value = float64(int16(value)) / 1000
			a := &s.view.Alarms[alarm]
			// A limit at the end of the range is sent rounded to 1/1000.
			if a.Min < a.Max && (c.Value < float64(a.Min)-0.0005 || c.Value > float64(a.Max)+0.0005) {
				return g.deny(holdingLimits+n, "the limit is outside what its signal can be", illegalValue)
			}
			if !s.deadband(g, alarm) {
				return g.deny(holdingLimits+n, "on_limit and off_limit would be the wrong way round", illegalValue)
			}
		}
		g.add(c)
	}
	if g.given {
		return s.give(g)
	}
	return 0
}

// shelve makes commands of the bits of the shelve mask that change.
func (s *Slave) shelve(g *staging) exception {
	asked, after := g.image.asked, g.image.holding[holdingShelveMask]
	shelveFor := time.Duration(g.image.holding[holdingShelveMinutes]) * time.Minute
	for n := range MaxAlarms {
		switch bit := uint16(1) << n; {
		case asked&bit != 0 && after&bit == 0:
			g.add(Command{Op: OpUnshelve, Alarm: n})
		case asked&bit != 0 || after&bit == 0:
		case !g.image.masked:
			g.held = g.held || s.view.Shelved&bit == 0
		case shelveFor > s.view.Alarms[n].ShelveMax:
			return g.deny(holdingShelveMask, "an alarm may not be shelved for shelve_minutes", illegalValue)
		default:
			g.add(Command{Op: OpShelve, Alarm: n, For: shelveFor})
		}
	}
	g.image.asked, g.image.masked = after, true
	return 0
}

// deadband says whether the staged limits of an alarm are in the right order.
func (s *Slave) deadband(g *staging, alarm int) bool {
	limit := func(which Limit) float64 {
		n := 4*alarm + int(which)
		if p := &g.image.pending[n]; s.view.now < p.until {
			return float64(int16(p.value))
		}
		word := s.view.limitWord(alarm, which)
		if word == NotAvailableInt {
			return math.NaN()
		}
		return float64(int16(word))
	}
	on, off := limit(OnLimit), limit(OffLimit)
	if on != on || off != off {
		return true
	}
	if s.view.Alarms[alarm].Below {
		return off >= on
	}
	return off <= on
}

// commit hands the commands on and makes the staged image the image.
func (s *Slave) commit(g *staging) exception {
	for _, c := range g.batch[:g.n] {
		if c.numbered() && s.numbers != s.view.Numbering {
			s.spent(g, ErrNumbers)
			return g.deny(g.at, ErrNumbers.Error(), refusal(ErrNumbers))
		}
	}
	if g.held {
		g.add(Command{Op: OpHeld})
	}
	var receipt state.Receipt
	if g.n > 0 {
		var err error
		if receipt, err = s.commands.Do(s.cfg.Who, g.batch[:g.n]); err != nil {
			s.spent(g, err)
			return refusal(err)
		}
		s.owed = max(s.owed, receipt.Event)
		s.stats.add(&s.stats.Commands, uint32(g.n))
	}
	if g.beat {
		s.host.beat(s.view.now)
	}
	if timeout := g.image.holding[holdingHostTimeout]; timeout != s.image.holding[holdingHostTimeout] {
		s.host.watch(time.Duration(timeout)*time.Millisecond, s.view.now)
	}
	s.image = g.image
	s.took(g, receipt.Event, len(receipt.Done) > 0 && !receipt.Idle)
	if g.asks && !s.broadcast {
		return s.kept()
	}
	return 0
}

func receiptOf(event uint64) state.Receipt { return state.Receipt{Event: event} }

// keptWithin is how long an answer waits for the disk, so that a master has it
// within 50 ms.
const keptWithin = 40 * time.Millisecond

// kept waits until what masters asked for is on the disk. While it is not, each
// request that writes commands is answered by "acknowledge": it is done, and may
// still be lost with the power. The master may write it again.
func (s *Slave) kept() exception {
	if s.owed == 0 {
		return 0
	}
	if s.commands.Kept(receiptOf(s.owed), keptWithin) != nil {
		return acknowledge
	}
	s.owed = 0
	return 0
}
