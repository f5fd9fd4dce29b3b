package ascii

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/state"
)

// parser finds commands among whatever comes over the line.
type parser struct {
	buf    [maxCommand]byte
	n      int
	inside bool // since a $, and not too long yet
}

func (p *parser) reset() { p.inside, p.n = false, 0 }

// feed takes one character. whole tells that it ended a command; text is then
// what stood between $ and *, and valid until the next feed. A line without a
// right checksum is no command, but a bare ? is, for a person at a terminal.
func (p *parser) feed(c byte) (text []byte, whole bool) {
	switch {
	case c == '$':
		p.inside, p.n = true, 0
		return nil, false
	case c == '?' && !p.inside:
		return question, true
	case !p.inside:
		return nil, false
	case c == '\r' || c == '\n':
		p.inside = false
		return p.checked()
	case p.n == len(p.buf) || c < ' ' || c > '~':
		p.inside = false // too long, or noise: wait for the next $
		return nil, false
	}
	p.buf[p.n] = c
	p.n++
	return nil, false
}

var question = []byte("?")

// checked gives what stands before the asterisk, if the checksum behind it is
// right.
func (p *parser) checked() ([]byte, bool) {
	b := p.buf[:p.n]
	star := bytes.LastIndexByte(b, '*')
	if star < 0 || len(b)-star != 3 {
		return nil, false
	}
	high, low := hexDigit(b[star+1]), hexDigit(b[star+2])
	if high > 15 || low > 15 || checksum(b[:star]) != high<<4|low {
		return nil, false
	}
	return b[:star], true
}

func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}

var errUnknown = errors.New("unknown command; there are ACK, ACK n, RESET, SILENCE, MARK, SIGNALS, CLOCK, CLOCK time, ?")

// parse reads a command: ACK, ACK,n, RESET, SILENCE, MARK,RIGHT, MARK,FALSE, MARK,MISSED,s,
// CLOCK,time; or what is asked for, the kind of line: S (?), L (SIGNALS) or C (CLOCK), else 0.
func (t *Talker) parse(text []byte) (c state.Command, ask byte, err error) {
	word, argument, has := bytes.Cut(text, []byte{','})
	switch string(word) {
	case "?":
		return c, 'S', nil
	case "SIGNALS":
		ask = 'L'
	case "CLOCK":
		if has {
			c.Do = state.SetClock
			if c.Time, err = time.Parse(clockTime, string(argument)); err != nil {
				err = errors.New("CLOCK takes a time of UTC such as 2026-11-30T19:30:00Z")
			}
			return c, 0, err
		}
		ask = 'C'
	case "RESET":
		c = state.On(alarm.Command{Do: alarm.Reset})
	case "SILENCE":
		c = state.On(alarm.Command{Do: alarm.Silence})
	case "ACK":
		c = state.On(alarm.Command{Do: alarm.Acknowledge})
		if has {
			c.Alarm.Alarm, err = t.name(argument)
		}
		return c, 0, err
	case "MARK":
		c, err = parseMark(argument)
		return c, 0, err
	default:
		return c, 0, errUnknown
	}
	if has {
		return c, 0, fmt.Errorf("%s takes nothing", word)
	}
	return c, ask, nil
}

// parseMark reads what a mark says: RIGHT, FALSE, MISSED or WITHDRAW, and how many
// seconds ago it was.
func parseMark(argument []byte) (c state.Command, err error) {
	word, ago, has := bytes.Cut(argument, []byte{','})
	c.Do = state.MarkAlarm
	if c.Mark.Truth, err = state.ParseTruth(strings.ToLower(string(word))); err != nil {
		return c, errors.New("MARK takes RIGHT, FALSE, MISSED or WITHDRAW")
	}
	if has {
		seconds, err := strconv.ParseUint(string(ago), 10, 16)
		if err != nil {
			return c, errors.New("MARK takes how many seconds ago it was, at most 65535")
		}
		c.Mark.Ago = time.Duration(seconds) * time.Second
	}
	return c, nil
}

// clockTime is how a time stands in a line: of UTC, to the second.
const clockTime = "2006-01-02T15:04:05Z"

// name is that of the alarm with a number, as the unit numbers them now.
func (t *Talker) name(number []byte) (string, error) {
	n, err := strconv.ParseUint(string(number), 10, 8)
	if err != nil {
		return "", errors.New("ACK takes the number of an alarm")
	}
	t.latest.Load(&t.state)
	if t.state.About != t.about {
		return "", errors.New("the config has changed: the alarms are told first")
	}
	if t.numbers != t.state.Numbering {
		return "", errors.New("the numbers of alarms have changed: ask with ? first")
	}
	if int(n) >= len(t.state.Alarms) {
		return "", alarm.ErrNoAlarm
	}
	return t.state.Alarms[n].Name, nil
}
