package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mien/firmware/operator"
	"mien/tools/hil/wire"
)

// scenario is one thing to be proven on the machine. Those of one machine run
// in the order of the table: each leaves the unit as a later one can take it.
type scenario struct {
	name  string
	fault bool   // something is broken on purpose
	ci    bool   // belongs to the part that runs each time
	tests string // the driver whose own tests it runs, "" for none
	run   func(b *bench)
}

// bench is the machine with what stands around it, during one scenario.
type bench struct {
	m        *machine
	unit     *process
	config   string // the unit's config file
	units    []*process
	service  string // the archive's mien.service
	pictures *pictures
	plcName  string          // of the pty at the PLC's end of the serial cable
	plcSlave *os.File        // held open, so that a master may come and go
	loaded   map[string]bool // pictures that the machine has
	shown    string
	said     []string // of the scenario at hand
	mark     int      // length of the unit's log when the scenario began
}

// failure ends a scenario.
type failure string

func (b *bench) logf(format string, args ...any) {
	b.said = append(b.said, fmt.Sprintf(format, args...))
}

func (b *bench) fatalf(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }

// need ends the scenario at an error.
func (b *bench) need(err error) {
	if err != nil {
		b.fatalf("%v", err)
	}
}

// check ends the scenario unless ok.
func (b *bench) check(ok bool, format string, args ...any) {
	if !ok {
		b.fatalf(format, args...)
	}
}

// try runs one scenario and gives why it failed, "" for passed.
func (b *bench) try(s scenario) (why string) {
	b.said, b.mark = nil, 0
	if b.unit != nil {
		b.mark = len(b.unit.output())
	}
	began, unit, length := time.Now(), b.unit, b.mark
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			why = string(r)
		default:
			why = fmt.Sprintf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	s.run(b)
	if len(b.said) == 0 && b.m.pins != nil {
		if b.unit != unit {
			length = 0
		}
		b.said = b.saw(began, length)
	}
	return ""
}

// told are the lines of the unit's log about faults and alarms.
var told = regexp.MustCompile(`msg="((?:F\d\d |\d+ \S+ .* -> |config |output test)[^\n"]{0,120})`)

// saw is what a scenario that says nothing has seen: changes of the lines since a
// time, and what the unit has told behind so much of its log.
func (b *bench) saw(since time.Time, length int) (list []string) {
	var changes []string
	for line, name := range lineNames {
		if n := len(b.m.pins.since(line, since)); n > 0 {
			changes = append(changes, fmt.Sprintf("%s %d", name, n))
		}
	}
	if len(changes) > 0 {
		list = append(list, "changes of lines: "+strings.Join(changes, ", "))
	}
	if b.unit == nil {
		return list
	}
	for _, m := range told.FindAllStringSubmatch(b.unit.output()[length:], 8) {
		list = append(list, m[1])
	}
	return list
}

// mien runs a subcommand and gives its output and exit status.
func (b *bench) mien(args ...string) (string, int) {
	return b.command(nil, append([]string{"/usr/lib/mien/mien"}, args...)...)
}

func (b *bench) command(env []string, args ...string) (string, int) {
	p, err := b.m.spawn(nil, env, args...)
	b.need(err)
	if !p.wait(5 * time.Minute) {
		p.signal(int(syscall.SIGQUIT)) // for its stacks
		p.wait(10 * time.Second)
		b.fatalf("%s does not end:\n%s", strings.Join(args, " "), p.output())
	}
	code, how := p.state()
	if how == errReset.Error() {
		b.fatalf("%s: %s", strings.Join(args, " "), how)
	}
	return p.output(), code
}

// mienUser is the unit's own user, with the groups that board/mien.service
// gives it, and nothing else that systemd would take away. hilFolder is for what
// runs beside the unit, strace.
var mienUser = &wire.Confinement{UID: 990, GID: 990, Groups: []int{44, 20, 991},
	Writable: []string{"/var/lib/mien", "/run/mien", hilFolder}, MemoryMax: 200 << 20}

const hilFolder = "/run/hil"

// start starts `mien run` with a config and waits for the first result.
func (b *bench) start(config string, wrap ...string) {
	b.launch(config, wrap...)
	b.check(b.unit.says("first result", 0, 4*time.Minute), "no result:\n%s", b.unit.output())
}

// launch starts `mien run` and does not wait for anything.
func (b *bench) launch(config string, wrap ...string) {
	b.stopUnit()
	b.need(b.m.put("/etc/mien/mien.toml", []byte(config), 0o644))
	args := append(wrap, "/usr/lib/mien/mien", "run", "-config", "/etc/mien/mien.toml")
	p, err := b.m.spawn(mienUser, []string{"RUNTIME_DIRECTORY=/run/mien", "STATE_DIRECTORY=/var/lib/mien"}, args...)
	b.need(err)
	b.unit, b.config, b.mark = p, config, 0
	b.units = append(b.units, p)
}

// running makes sure that the unit runs with a config and gives results.
func (b *bench) running(config string) {
	if b.unit != nil && b.config == config {
		if _, how := b.unit.state(); how == "" {
			return
		}
	}
	b.start(config)
}

// stopUnit ends the unit as a service manager does.
func (b *bench) stopUnit() {
	if b.unit == nil {
		return
	}
	if _, how := b.unit.state(); how == "" {
		b.unit.signal(int(syscall.SIGCONT))
		b.need(b.unit.signal(int(syscall.SIGTERM)))
		b.check(b.unit.wait(time.Minute), "the unit does not end at SIGTERM:\n%s", tail(b.unit.output(), 20))
	}
	b.unit = nil
}

// processes are the units that run, as the kernel tells of them.
func (b *bench) processes() (list []map[string]string) {
	b.need(b.m.call("status", "/usr/lib/mien/mien run", &list))
	return list
}

// endAll sends every unit a signal and waits for its end, also of one that runs
// under another program.
func (b *bench) endAll(s syscall.Signal) {
	for _, p := range b.processes() {
		pid, err := strconv.Atoi(p["pid"])
		b.need(err)
		b.need(b.m.call("kill", [2]int{pid, int(s)}, nil))
	}
	b.eventually(time.Minute, "every unit ends", func() bool { return len(b.processes()) == 0 })
}

// signal sends the unit a signal.
func (b *bench) signal(s syscall.Signal) { b.need(b.unit.signal(int(s))) }

// says waits for a text in the unit's log since the scenario began.
func (b *bench) says(what string, limit time.Duration) {
	if b.unit.says(what, b.mark, limit) {
		return
	}
	b.fatalf("the unit does not say %q in %v:\n%s", what, limit, tail(b.unit.output()[b.mark:], 20))
}

// from makes says look only at what the unit writes from now on.
func (b *bench) from() { b.mark = len(b.unit.output()) }

// reload gives the running unit another config.
func (b *bench) reload(config, answer string) {
	b.from()
	b.need(b.m.put("/etc/mien/mien.toml", []byte(config), 0o644))
	b.signal(syscall.SIGHUP)
	b.says(answer, 2*time.Minute)
	b.from()
	if answer == takenOver {
		b.config = config
	}
}

const takenOver = "config taken over"

// ask asks the unit at its socket.
func (b *bench) ask(r operator.Request) (reply operator.Reply) {
	b.need(b.m.call("ask", r, &reply))
	return reply
}

// status asks the unit how it is.
func (b *bench) status() *operator.Status {
	s := b.ask(operator.Request{Ask: operator.AskStatus}).Status
	b.check(s != nil, "no status")
	return s
}

// alarm gives one alarm of the unit.
func (b *bench) alarm(name string) operator.Alarm {
	list := b.ask(operator.Request{Ask: operator.AskAlarms}).Alarms
	for _, a := range list {
		if a.Name == name {
			return a
		}
	}
	b.fatalf("no alarm %s in %v", name, list)
	panic("unreachable")
}

// events gives the journal.
func (b *bench) events() string {
	text, code := b.mien("events", "-n", "0", "-socket", "/run/mien/mien.sock")
	b.check(code == 0, "mien events: %s", text)
	return text
}

// eventually asks again until ok, or ends the scenario.
func (b *bench) eventually(limit time.Duration, what string, ok func() bool) time.Duration {
	began := time.Now()
	for !ok() {
		if time.Since(began) > limit {
			b.fatalf("not in %v: %s", limit, what)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return time.Since(began)
}

// becomes waits for a level of a line.
func (b *bench) becomes(line int, high bool, limit time.Duration) time.Duration {
	began := time.Now()
	if !b.m.pins.wait(limit, func() bool { return b.m.pins.level(line) == high }) {
		b.fatalf("line %d (%s) is not %s after %v\n%s", line, lineNames[line], word(high), limit, b.recent())
	}
	return time.Since(began)
}

// went waits until a line has changed to a level since a time, for however short.
func (b *bench) went(line int, high bool, since time.Time, limit time.Duration) {
	if !b.m.pins.wait(limit, func() bool {
		return slices.ContainsFunc(b.m.pins.since(line, since), func(e edge) bool { return e.high == high })
	}) {
		b.fatalf("line %d (%s) has not been %s within %v\n%s", line, lineNames[line], word(high), limit, b.recent())
	}
}

// toggles waits for n changes of the healthy line.
func (b *bench) toggles(n int, limit time.Duration) time.Duration {
	began := time.Now()
	if !b.m.pins.wait(limit, func() bool { return len(b.m.pins.since(healthy, began)) >= n }) {
		b.fatalf("%d changes of the healthy line in %v, want %d\n%s", len(b.m.pins.since(healthy, began)), limit, n, b.recent())
	}
	return time.Since(began)
}

// still checks that the healthy line stands for a time.
func (b *bench) still(lasts time.Duration) {
	began := time.Now()
	time.Sleep(lasts)
	if e := b.m.pins.since(healthy, began); len(e) > 0 {
		b.fatalf("the healthy line still changes: %d times in %v\n%s", len(e), lasts, b.recent())
	}
}

// stops waits until the healthy line stands still for calm, checks that it did so
// within its time, which is health.stale, and gives how long after from its last
// change was.
func (b *bench) stops(from time.Time, calm time.Duration) time.Duration {
	last := b.settles(from, calm, slack)
	b.check(last < stale+inFlight, "the healthy line changed %v after it should have stopped; health.stale is %v, and a frame in flight takes up to %v", last, stale, inFlight)
	return last
}

// settles waits until the healthy line stands still for calm, and gives how long
// after from its last change was.
func (b *bench) settles(from time.Time, calm, limit time.Duration) time.Duration {
	last := from
	b.eventually(limit, "the healthy line stops", func() bool {
		for _, e := range b.m.pins.since(healthy, last) {
			last = e.at
		}
		return time.Since(last) > calm
	})
	return last.Sub(from)
}

func (b *bench) recent() string {
	if b.unit == nil {
		return ""
	}
	return "the unit's log ends:\n" + tail(b.unit.output(), 12)
}

// press holds an input until effect has seen what it does: on a busy host the
// machine may stand for longer than a person would hold it.
func (b *bench) press(line int, effect func()) {
	b.need(b.m.pins.drive(line, true))
	defer b.m.pins.drive(line, false)
	effect()
}

// pulse drives an input for a moment, and gives how long that may have been.
func (b *bench) pulse(line int, lasts time.Duration) time.Duration {
	began := time.Now()
	b.need(b.m.pins.drive(line, true))
	time.Sleep(lasts)
	b.need(b.m.pins.drive(line, false))
	return time.Since(began)
}

// keep writes what the scenario, the machine and the units said, for a failed
// scenario.
func (b *bench) keep(dir, name, why string) {
	keepLogs(b.m.dir, dir)
	report := fmt.Sprintf("%s UTC: %s\n\n%s\n%s\n", time.Now().UTC().Format("2006-01-02 15:04:05"), name, strings.Join(b.said, "\n"), why)
	os.WriteFile(filepath.Join(dir, "scenario.log"), []byte(report), 0o644)
	for i, u := range b.units {
		os.WriteFile(filepath.Join(dir, fmt.Sprintf("unit-%d.log", i+1)), []byte(u.output()), 0o644)
	}
	var text string
	if b.m.call("kernellog", nil, &text) == nil { // the console has warnings only
		os.WriteFile(filepath.Join(dir, "dmesg.log"), []byte(text), 0o644)
	}
}

// keepLogs puts what a machine's console and QEMU said in place of what a folder
// had. An error leaves less to look at; why the scenario failed is told all the
// same.
func keepLogs(from, to string) {
	os.RemoveAll(to)
	os.MkdirAll(to, 0o755)
	for _, name := range []string{"kernel.log", "qemu.log"} {
		if text, err := os.ReadFile(filepath.Join(from, name)); err == nil {
			os.WriteFile(filepath.Join(to, name), text, 0o644)
		}
	}
}

func word(high bool) string {
	if high {
		return "high"
	}
	return "low"
}

// tail gives the last lines of a text.
func tail(text string, lines int) string {
	list := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(list[max(0, len(list)-lines):], "\n")
}

// field finds the first group of a pattern.
func field(text, pattern string) string {
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	return m[1]
}
