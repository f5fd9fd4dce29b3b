package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mien/drivers/serial"
	"mien/firmware/modbus"
	"mien/spelling"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // no port, no answer, or the unit refused a command
	exitUsage  = 2
)

const usage = `plc is a Modbus RTU master to try a mien unit with. It reads the whole register
map and shows it with names and units, gives commands, and measures the line.

  plc -demo                                the unit on its demo clip, no hardware
  plc -port /dev/ttyUSB0                   live, 115200 8N1, slave 1
  plc -port /dev/ttyUSB0 -baud 19200 -parity even -address 3
  plc -port /dev/ttyUSB0 -once             every register once
  plc -port /dev/ttyUSB0 -once -json       the same for a program
  plc -port /dev/ttyUSB0 -ack 1            acknowledge alarm 1; -ack alone: all
  plc -port /dev/ttyUSB0 -shelve "eyes closed,30"
  plc -port /dev/ttyUSB0 -registers -ack 1 by the command registers, with functions 3 and 16 only
  plc -port /dev/ttyUSB0 -clock now        set the unit's clock to that of this machine

On a terminal the view is drawn in place: a acknowledges all, r resets, s
silences the horn, q ends. Elsewhere it prints a line a second, and one for
each change of an alarm. With a command it gives the command, shows the alarms
and ends; -watch goes on. Statistics come at the end.

Turnaround is the time from the end of the request to the beginning of the
answer: the response time less that of the characters on the wire. This master
(github.com/simonvetter/modbus) looks for an answer 3.5 characters after its
request, 1.75 ms from 19200 baud up, so that a quicker one shows as that.

options:
`

// options are the command line.
type options struct {
	port    string
	baud    int
	parity  serial.Parity
	stop    int
	address int
	low     bool
	rate    time.Duration
	timeout time.Duration
	once    bool
	json    bool
	watch   bool
	byWord  bool // commands by registers, not by coils
	span    time.Duration
	demo    bool
	mien    string
	tasks   []task
	help    bool
}

// task is a command as it was asked for; alarm is a number or a name, "" for
// all.
type task struct {
	op      modbus.Op
	alarm   string
	on      bool
	minutes int
	time    time.Time // of OpSetClock; zero: now
}

// parse reads the command line; help goes to out.
func parse(args []string, out io.Writer) (*options, error) {
	o := new(options)
	f := flag.NewFlagSet("plc", flag.ContinueOnError)
	f.SetOutput(io.Discard) // of a mistake one line is said
	f.StringVar(&o.port, "port", "", "serial `port`, such as /dev/ttyUSB0 or /dev/serial/by-id/…; or a pty")
	f.IntVar(&o.baud, "baud", 115200, "bits a second, as [serial] baud of the unit")
	parity := f.String("parity", "none", "none, even or odd")
	f.IntVar(&o.stop, "stop", 1, "stop bits, 1 or 2")
	f.IntVar(&o.address, "address", 1, "the unit's slave `address`, 1 to 247")
	order := f.String("word-order", "high-first", "of 32-bit values, as [modbus] word_order of the unit: high-first or low-first")
	f.DurationVar(&o.rate, "rate", 200*time.Millisecond, "time between two polls; 0 polls as fast as it can")
	f.DurationVar(&o.timeout, "timeout", 500*time.Millisecond, "how long to wait for an answer, beside its time on the wire")
	f.BoolVar(&o.once, "once", false, "read everything once, print it and end")
	f.BoolVar(&o.json, "json", false, "print JSON: one object with -once, else one a poll")
	f.BoolVar(&o.byWord, "registers", false, "give commands by the command registers, as masters do that write holding registers only")
	f.BoolVar(&o.watch, "watch", false, "go on after a command")
	f.DurationVar(&o.span, "for", 0, "end after this long; 0: when interrupted")
	f.BoolVar(&o.demo, "demo", false, "start `mien demo` on a pty and connect to it")
	f.StringVar(&o.mien, "mien", "", "the `binary` for -demo; else looked for beside plc, in bin/ and in PATH")

	add := func(op modbus.Op, read func(string) (task, error)) func(string) error {
		return func(s string) error {
			t, err := read(s)
			t.op = op
			o.tasks = append(o.tasks, t)
			return err
		}
	}
	plain := func(s string) (task, error) {
		if s != "true" {
			return task{}, fmt.Errorf("takes no value")
		}
		return task{}, nil
	}
	switched := func(s string) (task, error) {
		switch s {
		case "true", "on":
			return task{on: true}, nil
		case "off":
			return task{}, nil
		}
		return task{}, fmt.Errorf("takes on or off")
	}
	f.BoolFunc("ack", "acknowledge the alarm `N` (number or name), or all where none is given", add(modbus.OpAck, func(s string) (task, error) {
		if s == "true" || s == "all" {
			return task{}, nil
		}
		return task{alarm: s}, nil
	}))
	f.BoolFunc("reset", "reset the latched alarms whose condition is gone", add(modbus.OpReset, plain))
	f.BoolFunc("silence", "silence the horn", add(modbus.OpSilence, plain))
	f.BoolFunc("inhibit", "inhibit the alarms for the time in the unit's config; off ends it", add(modbus.OpInhibit, switched))
	f.BoolFunc("test", "start the unit's output test; off ends it", add(modbus.OpTest, switched))
	f.Func("shelve", "shelve an alarm: `N,MINUTES`", add(modbus.OpShelve, func(s string) (task, error) {
		alarm, minutes, ok := cutLast(s, ",")
		n, err := strconv.Atoi(strings.TrimSpace(minutes))
		if !ok || err != nil || n < 1 || n > 65535 {
			return task{}, fmt.Errorf("takes an alarm and 1 to 65535 minutes, such as 1,30")
		}
		return task{alarm: alarm, minutes: n}, nil
	}))
	f.Func("unshelve", "take the alarm `N` off the shelf", add(modbus.OpUnshelve, func(s string) (task, error) { return task{alarm: s}, nil }))
	f.Func("clock", "set the unit's clock to `TIME`: now (this machine's clock), or such as 2026-11-30T19:30:00Z", add(modbus.OpSetClock, func(s string) (task, error) {
		if s == "now" {
			return task{}, nil
		}
		to, err := time.Parse(time.RFC3339, s)
		if err != nil || to.Unix() < 0 || to.Unix() > math.MaxUint32 {
			return task{}, fmt.Errorf("takes now, or a time such as 2026-11-30T19:30:00Z")
		}
		return task{time: to}, nil
	}))

	if err := f.Parse(joinValues(args)); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(out, usage)
			f.SetOutput(out)
			f.PrintDefaults()
			o.help = true
			return o, nil
		}
		return o, mistake(f, err)
	}
	return o, o.check(f.Args(), *parity, *order)
}

// mistake puts what package flag says of a command line into words for people.
func mistake(f *flag.FlagSet, err error) error {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: "); ok {
		var names []string
		f.VisitAll(func(f *flag.Flag) { names = append(names, "-"+f.Name) })
		if near := spelling.Nearest(name, names); near != "" {
			return fmt.Errorf("there is no option %s: did you mean %s?", name, near)
		}
		return fmt.Errorf("there is no option %s", name)
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: "); ok {
		return fmt.Errorf("%s needs a value behind it", name)
	}
	if m := invalidValue.FindStringSubmatch(text); m != nil {
		why := m[3]
		if of, known := f.Lookup(m[2]).Value.(flag.Getter); known { // else a function's, which says what is wrong
			switch of.Get().(type) {
			case time.Duration:
				why = "takes a time such as 200ms or 5s"
			case int:
				why = "takes a whole number"
			case bool:
				why = "takes no such value"
			}
		}
		return fmt.Errorf("-%s %s: it %s", m[2], m[1], why)
	}
	return err
}

var invalidValue = regexp.MustCompile(`^invalid (?:boolean )?value (".*") for (?:flag )?-([^:]+): (.*)$`)

func (o *options) check(rest []string, parity, order string) (err error) {
	if o.parity, err = serial.ParseParity(parity); err != nil {
		return err
	}
	o.low = order == "low-first"
	switch {
	case len(rest) > 0:
		return fmt.Errorf("%q is no option; a name of several words stands in quotes, such as \"eyes closed\"", rest[0])
	case !o.low && order != "high-first":
		return fmt.Errorf("no word order %q (there are high-first, low-first)", order)
	case o.demo && o.port != "":
		return errors.New("-demo makes its own port: leave -port out")
	case !o.demo && o.port == "":
		return fmt.Errorf("no port: -port names one (%s), -demo needs none", portsHere())
	case o.address < 1 || o.address > 247:
		return fmt.Errorf("slave address %d is outside 1 to 247", o.address)
	case o.rate < 0 || o.timeout <= 0 || o.span < 0:
		return errors.New("a time is negative, or the timeout 0")
	}
	s := o.settings()
	s.Path = "-"
	return s.Check()
}

func (o *options) settings() serial.Settings {
	return serial.Settings{Path: o.port, Baud: o.baud, DataBits: 8, Parity: o.parity, StopBits: o.stop}
}

// line is "115200 8N1".
func (o *options) line() string {
	return fmt.Sprintf("%d 8%c%d", o.baud, "NEO"[o.parity], o.stop)
}

// portsHere names the machine's serial ports.
func portsHere() string {
	ports, err := serial.List()
	if err != nil || len(ports) == 0 {
		return "this machine has none"
	}
	var names []string
	for _, p := range ports {
		names = append(names, p.Best())
	}
	return "here: " + strings.Join(names, ", ")
}

// joinValues makes "-ack 3" of a flag that may stand alone into "-ack=3".
func joinValues(args []string) []string {
	optional := []string{"ack", "inhibit", "test"}
	var out []string
	for i := 0; i < len(args); i++ {
		a := args[i]
		if slices.Contains(optional, strings.TrimLeft(a, "-")) && strings.HasPrefix(a, "-") && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			i++
			a += "=" + args[i]
		}
		out = append(out, a)
	}
	return out
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
