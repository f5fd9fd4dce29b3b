// Command mien watches a face on a production line and tells a PLC in time.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"mien/firmware/config"
	"mien/spelling"
)

// version is set by the build.
var version = "unknown"

// Exit codes, as `mien help` documents them.
const (
	exitOK      = 0
	exitFailed  = 1 // it was tried and did not work
	exitUsage   = 2 // the command line is wrong
	exitConfig  = 3 // the config or the model is wrong
	exitMissing = 4 // hardware, file or running unit that is not there
)

// command is one subcommand.
type command struct {
	name    string
	args    string
	summary string
	run     func(c *call) error
	json    string // what -json does; empty: nothing, and it is not taken
}

var commands []command

func init() { // a table that its own help command reads cannot be initialised in place
	commands = []command{
		{"run", "[FILE]", "watch: camera, alarms, outputs, PLC; until it is stopped", run, "log lines as JSON"},
		{"demo", "", "the same on the clip in the binary, with lines on the terminal and a pty for the PLC", demo, "log lines as JSON"},
		{"check", "[FILE]", "is the config right? Every mistake with line, key and what is allowed", check, "the problems as JSON"},
		{"explain", "[FILE]", "every setting in force, in words; -signals, -model, -plot OUT.html", explain, "settings, signals or model card as JSON"},
		{"probe", "", "what is here: board, cameras, GPIO chips, serial ports, accelerators", probe, "what is here as JSON"},
		{"selftest", "[FILE]", "camera, network, lines, serial port, watchdog: a report to sign", selftest, "the report as JSON"},
		{"bench", "[FILE]", "how fast is this machine on the demo clip, or on the config's", bench, "the figures as JSON"},
		{"alarms", "", "alarms of the running unit", operatorAlarms, "the alarms as JSON"},
		{"events", "", "the running unit's journal; -follow", operatorEvents, "one JSON object a line"},
		{"status", "", "the running unit at a glance", operatorStatus, "the status as JSON"},
		{"ack", "[ALARM]", "acknowledge an alarm, or all", operatorAck, ""},
		{"reset", "[ALARM]", "reset a latched alarm, or all", operatorReset, ""},
		{"silence", "", "silence the horn", operatorSilence, ""},
		{"shelve", "ALARM TIME", "hide an alarm for a time, such as 30m", operatorShelve, ""},
		{"unshelve", "[ALARM]", "show a shelved alarm again, or all", operatorUnshelve, ""},
		{"inhibit", "TIME|off", "suppress every alarm for a time", operatorInhibit, ""},
		{"service", "out|in ALARM", "take an alarm out of service, put it back", operatorService, ""},
		{"outputs", "", "the running unit's output lines; -test 5s shows each as on", operatorOutputs, "the lines as JSON"},
		{"clock", "", "the running unit's clock; -set sets it, where clock.settable allows", operatorClock, "the clock as JSON"},
		{"pilot", "COMMAND", "find out what is right on this line: record, drill, compute again, tune", runPilot, ""},
		{"gateway", "[FILE]", "serve the page to browsers and registers to the plant, in a process of its own; user add|remove|list|password", runGateway, ""},
		{"mark", "right|false|missed|withdraw [ALARM]", "say of the newest alarm whether it was right, or that one was missed; -ago 2m", operatorMark, ""},
		{"config", "", "print a commented config with every key", printConfig, ""},
		{"registers", "", "print the register map; -csv, -markdown, -tags, -st", registers, ""},
		{"version", "", "version, and what this build can do", printVersion, "the same as JSON"},
		{"help", "[COMMAND]", "this list, or one command's options", help, ""},
	}
}

// call is one invocation of a subcommand.
type call struct {
	*flag.FlagSet
	args     []string
	out, err io.Writer
	json     *bool
	usage    func() // prints the command's options
}

func main() {
	// No core, no debugger of another process of this user: there are faces in this
	// memory.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, "mien: keep the memory to itself:", err)
	}
	os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr))
}

// Main runs one subcommand and gives the exit code.
func Main(args []string, out, errs io.Writer) int {
	if len(args) == 0 {
		usage(errs)
		return exitUsage
	}
	name := args[0]
	switch name {
	case "-h", "-help", "--help":
		name = "help"
	case "-version", "--version", "-v", "-V":
		name = "version"
	}
	i := slices.IndexFunc(commands, func(c command) bool { return c.name == name })
	if i < 0 {
		fmt.Fprintf(errs, "mien: no command %q%s; mien help lists them\n", name, didYouMean(name))
		return exitUsage
	}
	return report(errs, commands[i].call("mien", args[1:], out, errs))
}

// call runs a subcommand of a program or command, with what stands behind it.
func (k command) call(of string, args []string, out, errs io.Writer) error {
	return k.run(k.with(of, args, out, errs))
}

// with makes the invocation of a subcommand.
func (k command) with(of string, args []string, out, errs io.Writer) *call {
	name := of + " " + k.name
	c := &call{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError), args: args, out: out, err: errs, json: new(bool)}
	c.SetOutput(io.Discard) // what is wrong is said by options, in our words
	c.usage = func() {
		fmt.Fprintln(out, strings.TrimSpace(fmt.Sprintf("usage: %s [options] %s", name, k.args)))
		fmt.Fprintln(out, k.summary)
		c.SetOutput(out)
		c.PrintDefaults()
	}
	if k.json != "" {
		c.BoolVar(c.json, "json", false, k.json)
	}
	return c
}

// among runs one of a command's own commands.
func (c *call) among(list []command) error {
	command := strings.TrimPrefix(c.Name(), "mien ")
	var names []string
	for _, k := range list {
		names = append(names, k.name)
	}
	args := c.args
	if len(args) > 0 && args[0] == "help" {
		args = append(slices.Clone(args[1:]), "-help")
	}
	if len(args) == 0 || slices.Contains([]string{"-h", "-help", "--help"}, args[0]) {
		fmt.Fprintf(c.out, "usage: %s COMMAND [options]\n\n", c.Name())
		for _, k := range list {
			k.line(c.out)
		}
		fmt.Fprintf(c.out, "\nmien help %s COMMAND lists a command's options\n", command)
		if len(args) == 0 {
			return usageError(fmt.Sprintf("%s needs one of %s", command, strings.Join(names, ", ")))
		}
		return nil
	}
	i := slices.Index(names, args[0])
	if i < 0 {
		return usageError(fmt.Sprintf("no command %q of %s%s; allowed: %s", args[0], command, nearest(args[0], names), strings.Join(names, ", ")))
	}
	return list[i].call(c.Name(), args[1:], c.out, c.err)
}

// options parses the command line after a command has declared its options.
func (c *call) options(most int) error {
	// Options may stand behind arguments too: people add them at the end.
	var arguments []string
	for rest := c.args; ; {
		if err := c.Parse(rest); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				c.usage()
				return errHelp
			}
			return c.mistake(err)
		}
		if n := len(rest) - c.NArg(); n > 0 && rest[n-1] == "--" || c.NArg() == 0 {
			arguments = append(arguments, c.Args()...)
			break
		}
		arguments = append(arguments, c.Arg(0))
		rest = c.Args()[1:]
	}
	c.Parse(append([]string{"--"}, arguments...)) // no option is left: it cannot fail
	if c.NArg() > most {
		text := "too many arguments: " + strings.Join(c.Args()[most:], " ")
		if most > 0 {
			text += `; a name of several words stands in quotes, such as "eyes closed"`
		}
		return usageError(text)
	}
	return nil
}

// mistake puts what package flag says of a command line into words for people: the
// option that was meant, what a value must be, and where all are listed.
func (c *call) mistake(err error) error {
	text, command := err.Error(), strings.TrimPrefix(c.Name(), "mien ")
	var names []string
	c.VisitAll(func(f *flag.Flag) { names = append(names, "-"+f.Name) })
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: "); ok {
		return usageError(fmt.Sprintf("%s has no option %s%s; mien %s -help lists them", command, name, nearest(name, names), command))
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		what, _ := flag.UnquoteUsage(c.Lookup(name))
		return usageError(fmt.Sprintf("-%s needs %s behind it; mien %s -help tells more", name, what, command))
	}
	if m := invalidValue.FindStringSubmatch(text); m != nil {
		value, name, kind := m[1], m[2], "value that it takes"
		of, known := c.Lookup(name).Value.(flag.Getter)
		if !known { // a function's, which says what is wrong
			return usageError(fmt.Sprintf("-%s: %s", name, strings.TrimPrefix(text, m[0])))
		}
		switch of.Get().(type) {
		case bool:
			kind = fmt.Sprintf("yes or no: write -%s, or -%s=false", name, name)
		case time.Duration:
			kind = "time: write 90s, 30m or 1h30m"
		case int, uint64:
			kind = "whole number"
		case float64:
			kind = "number: write 10 or 0.5"
		}
		return usageError(fmt.Sprintf("-%s: %s is no %s", name, value, kind))
	}
	return usageError(text)
}

var invalidValue = regexp.MustCompile(`^invalid (?:boolean )?value (".*") for (?:flag )?-([^:]+): `)

var errHelp = errors.New("help was printed")

type usageError string

func (e usageError) Error() string { return string(e) }

// coded is an error with an exit code of its own.
type coded struct {
	error
	code int
}

func (e coded) Unwrap() error { return e.error }

// report prints an error for a person and gives its exit code.
func report(errs io.Writer, err error) int {
	var usage usageError
	var problems config.Problems
	var c coded
	switch {
	case err == nil, errors.Is(err, errHelp):
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintln(errs, "mien:", usage)
		return exitUsage
	case errors.As(err, &problems):
		for _, p := range problems {
			fmt.Fprintln(errs, p)
		}
		return exitConfig
	case errors.As(err, &c):
		fmt.Fprintln(errs, "mien:", c.error)
		return c.code
	}
	fmt.Fprintln(errs, "mien:", err)
	return exitFailed
}

func usage(w io.Writer) {
	fmt.Fprint(w, "mien watches a face on a production line and tells a PLC in time.\n\nusage: mien COMMAND [options]\n\n")
	for _, c := range commands {
		c.line(w)
	}
	fmt.Fprint(w, `
mien help COMMAND lists a command's options. Most have -json, for programs.

exit codes: 0 done; 1 tried and failed; 2 wrong command line; 3 wrong config or model; 4 hardware, file or
running unit that is not there
`)
}

// line lists a command; one with long arguments has its summary below.
func (k command) line(w io.Writer) {
	const column = 24
	name := strings.TrimSpace(k.name + " " + k.args)
	if len(name) > column {
		fmt.Fprintf(w, "  %s\n", name)
		name = ""
	}
	fmt.Fprintf(w, "  %-*s %s\n", column, name, k.summary)
}

func help(c *call) error {
	manual := c.Bool("man", false, "print the manual page")
	completion := c.Bool("completion", false, "print what makes bash complete commands and options")
	if err := c.options(9); err != nil { // it lists itself too
		return err
	}
	switch {
	case *manual:
		writeManual(c.out)
		return nil
	case *completion:
		writeCompletion(c.out)
		return nil
	}
	if c.NArg() == 0 {
		usage(c.out)
		return nil
	}
	i := slices.IndexFunc(commands, func(k command) bool { return k.name == c.Arg(0) })
	if i < 0 {
		return usageError(fmt.Sprintf("no command %q%s", c.Arg(0), didYouMean(c.Arg(0))))
	}
	return commands[i].call("mien", append(slices.Clone(c.Args()[1:]), "-help"), c.out, c.err) // each has it, a command of a command too
}

// didYouMean names the nearest command, if one is near.
func didYouMean(name string) string {
	var names []string
	for _, c := range commands {
		names = append(names, c.name)
	}
	return nearest(name, names)
}

// nearest asks for the name that was meant, if one is near.
func nearest(name string, names []string) string {
	for _, n := range names {
		if strings.HasPrefix(n, name) || strings.HasPrefix(name, n) {
			return fmt.Sprintf(": did you mean %s?", n)
		}
	}
	if near := spelling.Nearest(name, names); near != "" {
		return fmt.Sprintf(": did you mean %s?", near)
	}
	return ""
}

func printVersion(c *call) error {
	if err := c.options(0); err != nil {
		return err
	}
	b := thisBuild()
	if *c.json {
		return c.printJSON(b)
	}
	return b.write(c.out)
}
