package modbus

import (
	"errors"
	"time"
)

// Commands by registers, for masters that write holding registers only. What is
// asked for stands in command, command_alarm and command_value; a new number in
// command_sequence gives it, in the same request or in a later one.
//
// A number gives a command once, whatever came of it: it has to change, and 0 gives
// none. As with coils, the first number since the port was opened or the host's
// heartbeat was lost is only noted. command_done and command_result tell which
// number was looked at last, and what came of it; a refused one is answered by an
// exception too, as long as it is repeated.
const (
	holdingCommand = 100 + iota
	holdingCommandAlarm
	holdingCommandValue // two
	_
	holdingCommandSequence
	holdingCommandEnd
)

// Holding registers of marks.
const (
	holdingMarkAlarm = 120 + iota
	holdingMarkAgo
	holdingMarkEnd
)

// Codes of the register command.
const (
	codeNone = iota
	codeAckAll
	codeAck
	codeReset
	codeSilence
	codeShelve
	codeUnshelve
	codeTest
	codeEndTest
	codeInhibit
	codeEndInhibit
	codeSetClock
	codeMarkRight
	codeMarkFalse
	codeMarkMissed
)

// commandNames are those of the codes; they are published.
var commandNames = []string{codeNone: "none", codeAckAll: "acknowledge all", codeAck: "acknowledge", codeReset: "reset", codeSilence: "silence",
	codeShelve: "shelve", codeUnshelve: "unshelve", codeTest: "output test", codeEndTest: "end output test", codeInhibit: "inhibit",
	codeEndInhibit: "end inhibit", codeSetClock: "set clock",
	codeMarkRight: "mark right", codeMarkFalse: "mark false", codeMarkMissed: "mark missed"}

// result is what came of a command. The numbers are published.
type result uint8

const (
	resultNone result = iota
	resultDone
	resultPending // done, and not yet on the disk
	resultNothing
	resultHeld
	resultNoAlarm
	resultLocked
	resultRange
	resultNumbers
	resultFailed
	resultBusy // the number is not used up
)

var resultNames = []string{resultNone: "none yet", resultDone: "done", resultPending: "pending", resultNothing: "nothing to do",
	resultHeld: "only noted", resultNoAlarm: "no such alarm", resultLocked: "locked", resultRange: "out of range",
	resultNumbers: "numbers changed", resultFailed: "failed", resultBusy: "busy"}

// resultOf is the result for an error of Commands.
func resultOf(err error) result {
	switch {
	case errors.Is(err, ErrBusy):
		return resultBusy
	case errors.Is(err, ErrNoAlarm):
		return resultNoAlarm
	case errors.Is(err, ErrLocked):
		return resultLocked
	case errors.Is(err, ErrNumbers):
		return resultNumbers
	case errors.Is(err, ErrRange):
		return resultRange
	}
	return resultFailed
}

// given is what came of the newest number.
type given struct {
	sequence uint16
	result   result
	ex       exception // with which it was refused
	event    uint64    // of a command that may not be on the disk yet; 0: it is
}

// give makes a command of what stands in the registers, where a new number gives
// one.
func (s *Slave) give(g *staging) exception {
	number := g.image.command[holdingCommandSequence-holdingCommand]
	switch before := s.image.command[holdingCommandSequence-holdingCommand]; {
	case number == before:
		g.image.counted = true
		if number != 0 && s.given.sequence == number {
			return s.given.ex
		}
		return 0
	case number == 0:
		g.image.counted = true
		return 0
	case !s.image.counted:
		g.image.counted = true
		g.number, g.held, g.result = number, true, resultHeld
		return 0
	}
	g.number = number
	c, err, why := s.commandOf(&g.image.command)
	if err != nil {
		s.spent(g, err)
		return g.deny(holdingCommand, why, refusal(err))
	}
	if c.Op == 0 {
		g.result = resultNothing
		return 0
	}
	g.add(c)
	return 0
}

// spent uses a number up that was refused; one that only came at a bad moment may
// come again. Nothing else of its request has been done.
func (s *Slave) spent(g *staging, err error) {
	if g.number == 0 {
		return
	}
	s.given = given{sequence: g.number, result: resultOf(err)}
	if s.given.result == resultBusy {
		return
	}
	s.given.ex = refusal(err)
	s.image.command = g.image.command
}

// took notes what came of the number of a request that was taken.
func (s *Slave) took(g *staging, event uint64, did bool) {
	if g.number == 0 {
		return
	}
	if g.result == resultNone {
		if g.result = resultNothing; did {
			g.result = resultDone
		}
	}
	s.given = given{sequence: g.number, result: g.result, event: event}
}

// commandOf is what the registers ask for; Op is 0 for nothing.
func (s *Slave) commandOf(r *[holdingCommandEnd - holdingCommand]uint16) (c Command, err error, why string) {
	code, alarm := r[0], int(r[holdingCommandAlarm-holdingCommand])
	high, low := r[holdingCommandValue-holdingCommand], r[holdingCommandValue+1-holdingCommand]
	if s.cfg.LowWordFirst {
		high, low = low, high
	}
	value := uint32(high)<<16 | uint32(low)
	switch code {
	case codeAck, codeShelve, codeUnshelve:
		if c.Alarm = alarm; alarm >= s.view.AlarmCount {
			return c, ErrNoAlarm, "command_alarm is not the number of an alarm"
		}
	}
	switch code {
	case codeNone:
	case codeAckAll:
		c.Op = OpAckAll
	case codeAck:
		c.Op = OpAck
	case codeReset:
		c.Op = OpReset
	case codeSilence:
		c.Op = OpSilence
	case codeShelve:
		c.Op = OpShelve
		switch most := s.view.Alarms[alarm].ShelveMax; {
		case most == 0:
			return c, ErrLocked, "the alarm may not be shelved"
		case value == 0 || time.Duration(value) > most/time.Minute:
			return c, ErrRange, "command_value is no time for which the alarm may be shelved, in minutes"
		}
		c.For = time.Duration(value) * time.Minute
	case codeUnshelve:
		c.Op = OpUnshelve
	case codeTest, codeEndTest:
		c.Op, c.On = OpTest, code == codeTest
	case codeInhibit, codeEndInhibit:
		c.Op, c.On = OpInhibit, code == codeInhibit
	case codeMarkRight, codeMarkFalse, codeMarkMissed:
		c.Op, c.Truth = OpMark, markTruths[code-codeMarkRight]
		if c.Alarm = alarm; alarm == anyAlarm {
			c.Alarm = -1
		} else if alarm >= s.view.AlarmCount {
			return c, ErrNoAlarm, "command_alarm is not the number of an alarm"
		}
		if value > markAgoMost {
			return c, ErrRange, "command_value is longer ago than a mark may be, in seconds"
		}
		c.For = time.Duration(value) * time.Second
	case codeSetClock:
		c.Op, c.Time = OpSetClock, value
	default:
		return c, ErrRange, "command is no code of a command"
	}
	return c, nil, ""
}

// anyAlarm is command_alarm for the newest alarm; markAgoMost how long ago a mark
// may be, in seconds.
const (
	anyAlarm    = 65535
	markAgoMost = 12 * 3600
)

// mark is what coil n of those from coilMark on says.
func (i *image) saying(n int) Command {
	return Command{Op: OpMark, Truth: markTruths[n-coilMark], Alarm: int(i.mark[0]) - 1, For: time.Duration(i.mark[1]) * time.Second}
}

// settle brings the result of a command up to date that was not on the disk.
func (s *Slave) settle() {
	if s.given.event != 0 && (s.owed == 0 || s.commands.Kept(receiptOf(s.given.event), 0) == nil) {
		s.given.event = 0
	}
	s.view.given = s.given
	if s.given.event != 0 && s.given.result == resultDone {
		s.view.given.result = resultPending
	}
}
