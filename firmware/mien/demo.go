package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/term"

	"mien/drivers/gpio"
	"mien/drivers/serial"
	"mien/firmware/alarm"
	"mien/firmware/alarm/store"
	"mien/firmware/config"
	"mien/firmware/health"
	"mien/firmware/pipeline"
	"mien/firmware/state"
	"mien/model/assets"
)

//go:embed demo.toml
var demoConfig []byte

// Lines of the demo's chip that its operator presses.
const (
	demoAck   = 8
	demoReset = 9
)

// demo is `mien demo`: the unit as `mien run` runs it, on the clip in the
// binary. Lines are on a chip that exists only on the terminal, the serial port
// is a pty, and an operator presses the buttons.
func demo(c *call) error {
	link := c.String("serial", filepath.Join(os.TempDir(), "mien-demo-serial"), "`PATH` at which the pty of the ASCII protocol is linked")
	slave := c.String("modbus", "", "play in a loop, with a Modbus RTU slave (address 1, 115200 8N1) on a pty linked at `PATH`")
	loop := c.Bool("loop", false, "play in a loop, until Ctrl-C")
	socket := c.String("socket", "", "open the operator's socket at `PATH`, for mien status, alarms, ack, …; the demo keeps no journal")
	withPage := c.Bool("page", false, "serve the page too, on loopback, until Ctrl-C: what mien gateway does beside a unit, with four users and a password of this run")
	port := c.Int("port", 8470, "of the page; 0: any that is free")
	tables := c.String("gateway", "", "as -page, with the gateway's tables ([gateway], [page], [mqtt], [modbus_tcp], [slmp], [metrics]) and the users of the config `FILE`")
	plot := c.String("plot", "", "also draw what the demo did: signals, limits, alarm states, commands and outputs, into `FILE`, a .html or .svg")
	quiet := c.Bool("log", false, "log lines also on a terminal, in place of the live view")
	if err := c.options(0); err != nil {
		return err
	}
	var err error
	text, path, folder := demoConfig, "demo.toml", ""
	if *withPage || *tables != "" {
		if folder, err = os.MkdirTemp("", "mien-demo-"); err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		path = filepath.Join(folder, "mien.toml")
		if text, err = pageConfig(path, folder, *socket, *port); err != nil {
			return err
		}
	}
	cfg, err := config.Parse(path, text)
	if err != nil {
		return err
	}
	if *plot != "" {
		if *plot, err = plotFile(*plot); err != nil {
			return err
		}
	}
	cfg.Camera.Loop = cfg.Camera.Loop || *loop || *slave != ""
	if *slave != "" {
		cfg.Serial.Protocol = config.ModbusRTU
		cfg.Clock.Settable = true // a master can try that too
		*link = *slave
	}
	if *socket != "" {
		if err := folderIsThere(*socket); err != nil {
			return err
		}
		cfg.Socket.Path = *socket
	}
	if err := canLink(*link); err != nil {
		return err
	}
	script, err := readScript()
	if err != nil {
		return err
	}
	show := newShow(cfg, *link)
	s := newSession(cfg, term.IsTerminal(int(os.Stdout.Fd())) && !*quiet && !*c.json && folder == "")
	s.json = *c.json
	s.serial = func() string { return fmt.Sprintf("%s on %s", cfg.Serial.Protocol, *link) }
	var kept *store.Store
	var found store.Found
	pilotDir := ""
	if folder != "" {
		s.folder = cfg.State.Dir
		if kept, found, err = store.Open(store.Options{Dir: s.folder, JournalBytes: int64(cfg.State.JournalKiB) << 10}); err != nil {
			return coded{err, exitMissing}
		}
		defer kept.Close()
		pilotDir = pilotFolder(s.folder)
	}
	unit, err := pipeline.New(pipeline.Options{
		Config: cfg, ConfigCRC: pipeline.Mark(text), Version: version, Store: kept, Found: found, PilotDir: pilotDir, Host: show.chip, OpenSerial: show.openSerial,
		Resolve: func(chip, line string) (gpio.Line, error) { return demoLine(chip, line) },
		Say:     s.say,
		OnFault: s.fault,
		OnEvent: func(e alarm.Event) { s.event(e); show.event(e) },
	})
	if err != nil {
		return coded{err, exitConfig}
	}
	// A unit waits for libraries and networks that do not load; the demo has nothing
	// to show without.
	gatewayEnded := make(chan error, 1)
	s.fatal = func() error {
		select {
		case err := <-gatewayEnded:
			return fmt.Errorf("the gateway has ended: %w", err)
		default:
		}
		for _, f := range unit.Faults() {
			if f.Fault == health.InferenceFailed || f.Fault == health.ModelRefused {
				return errors.New(f.Detail)
			}
		}
		return nil
	}
	fmt.Fprintf(c.out, "demo: %.0f s of a rendered face; %s on %s\n", script.Seconds, cfg.Serial.Protocol, *link)
	fmt.Fprintf(c.out, "purpose %q: %s; a unit without a purpose shows no expression, valence or arousal\n", cfg.Unit.Purpose, cfg.Unit.PurposeReason)
	// It ends with its terminal too.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer stop()
	drawn := newRecord(cfg.Definitions())
	drawn.title, drawn.about = "What the demo did", "Times are seconds since the unit's start. An operator acknowledges each alarm and resets what is latched."
	for _, e := range script.Events {
		if e.Name != "neutral" {
			drawn.shows = append(drawn.shows, scripted{e.Start, e.End, e.Name})
		}
	}
	if folder != "" {
		if *tables != "" {
			path = *tables
		}
		wait, err := demoGateway(ctx, c, path, cfg, *tables == "", gatewayEnded)
		if err != nil {
			return err
		}
		defer func() { stop(); wait() }()
		path = cfg.File()
	} else {
		path = ""
	}
	watching, unwatch := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if *plot != "" {
			unit.Guard("plot", func() { drawn.watch(watching, unit.Latest(), show.begun) })
		}
	}()
	err = s.run(ctx, unit, path, kept)
	unwatch()
	<-watched
	if err != nil {
		return err
	}
	var last state.State
	unit.Latest().Load(&last)
	if err := show.report(c, script, &last); err != nil {
		return err
	}
	if *plot != "" {
		for _, e := range show.happened() {
			drawn.event(e.at.Seconds(), e.Event)
		}
		return drawn.write(*plot)
	}
	return nil
}

// canLink refuses a path at which no pty can be linked: a unit waits for a port, and
// whoever named the demo's would wait with it.
func canLink(link string) error {
	if err := folderIsThere(link); err != nil {
		return err
	}
	p, err := serial.OpenPty(link)
	if err != nil {
		return usageError(fmt.Sprintf("%v: name another path", err))
	}
	return p.Close()
}

func demoLine(chip, line string) (gpio.Line, error) {
	var n int
	if _, err := fmt.Sscanf(line, "%d", &n); err != nil {
		return gpio.Line{}, fmt.Errorf("line %q: %w", line, err)
	}
	return gpio.Line{Chip: chip, Offset: n}, nil
}

// script is demo.json: what the clip shows, and when.
type script struct {
	Seconds float64
	FPS     float64
	Origin  string
	Events  []struct {
		Name       string
		Start, End float64
	}
}

func readScript() (s script, err error) {
	if err = json.Unmarshal(assets.DemoScript(), &s); err != nil {
		err = fmt.Errorf("demo.json: %w", err)
	}
	return s, err
}

// show is what stands around the unit in the demo.
type show struct {
	chip  *gpio.Fake
	names []string // of the output lines
	link  string

	mu     sync.Mutex // covers what is below
	begun  time.Time
	events []shownEvent
}

type shownEvent struct {
	at time.Duration
	alarm.Event
}

func newShow(cfg *config.Config, link string) *show {
	lines := make([]string, 10)
	var names []string
	for _, o := range cfg.Outputs {
		l, err := demoLine("demo", o.Line)
		if err == nil && l.Offset < len(lines) {
			lines[l.Offset] = o.Name
			names = append(names, o.Name)
		}
	}
	return &show{chip: gpio.NewFake(gpio.FakeChip{Label: "demo", Lines: lines}), names: names, link: link, begun: time.Now()}
}

// openSerial opens the pty; a regular file in its place is left alone.
func (w *show) openSerial(serial.Settings) (serial.Line, error) { return serial.OpenPty(w.link) }

// event keeps what happened for the report, and is the operator: three seconds
// after an alarm is raised a hand presses the acknowledge button, and turns the
// reset key when a latched alarm's condition has gone.
func (w *show) event(e alarm.Event) {
	if e.Alarm == "" {
		return
	}
	w.mu.Lock()
	w.events = append(w.events, shownEvent{time.Since(w.begun), e})
	w.mu.Unlock()
	switch {
	case e.Trigger == alarm.Raise && e.To.NeedsAck():
		time.AfterFunc(3*time.Second, func() { w.press(demoAck) })
	case e.To == alarm.LatchedAcknowledged:
		time.AfterFunc(time.Second, func() { w.press(demoReset) })
	}
}

// happened lists the events so far.
func (w *show) happened() []shownEvent {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.events)
}

func (w *show) press(line int) {
	at := gpio.Line{Chip: "demo", Offset: line}
	w.chip.Drive(at, true)
	time.AfterFunc(200*time.Millisecond, func() { w.chip.Drive(at, false) })
}

// mark is how long one mark of a drawn line is, and marks how many there are at
// most.
const (
	mark  = 500 * time.Millisecond
	marks = 60
)

// drawLines draws the newest level changes of each line.
func drawLines(out io.Writer, names []string, changes []gpio.Change) {
	if len(changes) == 0 {
		return
	}
	end := changes[len(changes)-1].At
	n := min(int((end-changes[0].At)/mark)+1, marks)
	from := end - time.Duration(n)*mark
	what := "the lines and how often each changed, its fail value before the first result and at the end with it"
	if from > changes[0].At {
		what = fmt.Sprintf("the last %s of the lines, with the fail value at the end, and how often each changed in that time", alarm.Time(time.Duration(n)*mark))
	}
	fmt.Fprintf(out, "%s; a mark is %s: # on, . off, + both\n", what, alarm.Time(mark))
	for _, name := range names {
		row, high := make([]byte, n), false
		times := 0
		for _, ch := range changes {
			if ch.Name == name && ch.At > from {
				times++
			}
		}
		at := 0 // of changes
		for i := range row {
			on, off := high, !high
			for until := from + time.Duration(i+1)*mark; at < len(changes) && changes[at].At <= until; at++ {
				if changes[at].Name != name {
					continue
				}
				if high = changes[at].High; changes[at].At > until-mark { // those before the first mark only tell how it begins
					on, off = on || high, off || !high
				} else {
					on, off = high, !high
				}
			}
			switch {
			case on && off:
				row[i] = '+'
			case on:
				row[i] = '#'
			default:
				row[i] = '.'
			}
		}
		fmt.Fprintf(out, "  %-11s %s %3d\n", name, row, times)
	}
}

// report says what the clip showed and what the unit made of it.
func (w *show) report(c *call, s script, last *state.State) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	lasted := time.Since(w.begun).Seconds()
	if lasted < s.Seconds {
		fmt.Fprintf(c.out, "\nstopped after %.1f of %.0f s", lasted, s.Seconds)
	}
	fmt.Fprintf(c.out, "\nwhat the clip showed\n")
	for _, e := range s.Events {
		if e.Name != "neutral" && e.Start < lasted {
			fmt.Fprintf(c.out, "  %5.1f to %4.1f s  %s\n", e.Start, e.End, e.Name)
		}
	}
	fmt.Fprintf(c.out, "what the unit did (seconds since its start)\n")
	for _, e := range w.events {
		why := e.Why.String()
		if why != "" {
			why = ": " + why
		}
		by := ""
		if e.Who != "" {
			by = " by " + e.Who
		}
		fmt.Fprintf(c.out, "  %5.1f s  %-14s %s%s, %s -> %s%s\n", e.at.Seconds(), e.Alarm, e.Trigger, by, e.From, e.To, why)
	}
	if len(w.events) == 0 {
		fmt.Fprintln(c.out, "  no alarm")
	}
	drawLines(c.out, w.names, w.chip.Changes())
	_, err := fmt.Fprintf(c.out, "%s, latency of the last %s, %s dropped\n", alarm.Count(int(last.Results), "result"), millis(last.Latency), alarm.Count(int(last.Dropped), "frame"))
	return err
}
