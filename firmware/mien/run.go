package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"mien/board"
	"mien/firmware/alarm"
	"mien/firmware/alarm/store"
	"mien/firmware/config"
	"mien/firmware/health"
	"mien/firmware/operator"
	"mien/firmware/pipeline"
	"mien/firmware/state"
	"mien/given"
)

// defaultConfig is the usual place of a unit's config.
const defaultConfig = "/etc/mien/mien.toml"

// run is `mien run`: it starts in an order that can be read from top to bottom;
// each step either returns or says what is lost without it.
func run(c *call) error {
	// A log whose reader has gone is no reason to stop watching. Other signals are
	// kept from here on until they can be followed.
	signal.Ignore(syscall.SIGPIPE)
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	quiet := c.Bool("log", false, "log lines also on a terminal, in place of the live view")
	path, err := c.config(defaultConfig, "; - is none: the first camera, no alarms")
	if err != nil {
		return err
	}
	cfg, crc, err := loadConfig(path)
	if err != nil {
		return err
	}
	s := newSession(cfg, term.IsTerminal(int(os.Stdout.Fd())) && !*quiet && !*c.json)
	s.json, s.reloads = *c.json, hup
	s.folder = cfg.State.Folder()
	for _, p := range append(cfg.Check(nil), wiring(cfg)...).Warnings() {
		s.log(slog.LevelWarn, p.String())
	}
	// A missing state folder loses alarms over a restart: it is a fault, and
	// tried again, but the unit watches all the same. Beside another unit on the
	// same folder, or where others could change it, nothing is started.
	folder := s.folder
	kept, found, err := store.Open(store.Options{Dir: folder, JournalBytes: int64(cfg.State.JournalKiB) << 10, KeepDays: cfg.State.JournalDays, Memory: memoryFolder(folder)})
	if err != nil {
		return coded{err, exitMissing}
	}
	defer kept.Close()
	options := pipeline.Options{Config: cfg, ConfigCRC: crc, Version: version, Store: kept, Found: found, PilotDir: pilotFolder(folder), Say: s.say, OnFault: s.fault, OnEvent: s.event}
	unit, err := pipeline.New(options)
	if err != nil {
		return coded{err, exitConfig}
	}
	return s.run(ctx, unit, path, kept)
}

// loadConfig reads and checks a config, against its network too.
func loadConfig(path string) (*config.Config, uint16, error) {
	if path == "-" {
		return config.Default(), 0, nil
	}
	data, err := readConfig(path)
	if err != nil {
		return nil, 0, err
	}
	cfg, err := config.Parse(path, data)
	if err != nil {
		return nil, 0, err
	}
	signals, err := configSignals(cfg)
	var wrong config.KeyError
	if errors.As(err, &wrong) {
		return nil, 0, config.Problems{cfg.Problem(wrong)}
	}
	if err != nil {
		return nil, 0, coded{err, exitConfig}
	}
	return cfg, pipeline.Mark(data), cfg.Check(signals).Err()
}

// wiring is what the board that this is says of a config's lines.
func wiring(cfg *config.Config) config.Problems {
	b, _ := board.Detect("/") // on an unknown board a chip and a number have one name only
	return pipeline.Wiring(cfg, b)
}

// readConfig reads a config file; the error says how to come by one.
func readConfig(path string) ([]byte, error) {
	data, err := given.Read(path, config.MaxFile)
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w: write one (mien config > %s), or name another", err, path)
	}
	if err != nil {
		return nil, coded{err, exitMissing}
	}
	return data, nil
}

// session is one `mien run` or `mien demo`: the unit and what stands around it.
type session struct {
	cfg     atomic.Pointer[config.Config]
	live    bool
	json    bool                   // the log is JSON
	lines   chan logLine           // to the log, which may be slow; the unit never waits for it
	missed  atomic.Uint64          // lines that the log was too slow for
	last    atomic.Pointer[string] // newest message, for the view
	told    atomic.Pointer[string] // its subject: a note of the same text is no news
	serial  func() string          // what the view tells of the serial port
	reloads <-chan os.Signal       // each asks for the config to be taken over again; nil: none comes
	fatal   func() error           // what a unit would go on with, and this session does not; nil: nothing
	foot    string
	server  atomic.Pointer[operator.Server] // nil: the socket is not open
	folder  string                          // of the state; "": nothing is kept
}

func newSession(cfg *config.Config, live bool) *session {
	s := &session{live: live, lines: make(chan logLine, 256), foot: "Ctrl-C ends"}
	s.cfg.Store(cfg)
	s.serial = func() string {
		c := s.cfg.Load().Serial
		if c.Device == "" || c.Protocol == config.NoProtocol {
			return ""
		}
		return string(c.Protocol) + " on " + c.Device
	}
	return s
}

// logLine is one line on its way to the log.
type logLine struct {
	level           slog.Level
	subject, detail string
}

// say tells a technician something.
func (s *session) say(subject string, details ...string) { s.log(slog.LevelInfo, subject, details...) }

// fault tells of a fault: an error is what stops the unit.
func (s *session) fault(f health.Fault, began bool, text string) {
	level := slog.LevelInfo
	if began {
		level = slog.LevelWarn
		if f.Info().Effect == health.Stops {
			level = slog.LevelError
		}
	}
	s.log(level, text)
}

// log puts something into the view, or into the log.
func (s *session) log(level slog.Level, subject string, details ...string) {
	s.told.Store(&subject)
	detail := strings.Join(details, "; ")
	if s.live {
		text := subject
		if detail != "" {
			text += ": " + detail
		}
		s.last.Store(&text)
		return
	}
	select {
	case s.lines <- logLine{level, subject, detail}:
	default:
		s.missed.Add(1)
	}
}

func (s *session) event(e alarm.Event) {
	if server := s.server.Load(); server != nil {
		server.Event(e)
	}
	if told := s.told.Load(); e.Trigger == alarm.Note && told != nil && same(*told, e.Cause) { // a fault has been said
		return
	}
	if s.live {
		s.say(happened(e))
		return
	}
	s.say(e.String())
}

// same tells whether a note is what was said: the journal cuts what is long.
func same(said, note string) bool {
	const enough = 100
	return said[:min(len(said), enough)] == note[:min(len(note), enough)]
}

// write writes the log to out until ctx ends, and then what is left.
func (s *session) write(ctx context.Context, out io.Writer) {
	log := slog.New(slog.NewTextHandler(out, nil))
	if s.json {
		log = slog.New(slog.NewJSONHandler(out, nil))
	}
	put := func(l logLine) {
		if n := s.missed.Swap(0); n > 0 {
			log.Warn("log too slow", "lines missed", n)
		}
		var details []any
		if l.detail != "" {
			details = []any{"detail", l.detail}
		}
		log.Log(ctx, l.level, l.subject, details...)
	}
	for {
		select {
		case l := <-s.lines:
			put(l)
		case <-ctx.Done():
			for {
				select {
				case l := <-s.lines:
					put(l)
				default:
					return
				}
			}
		}
	}
}

// run runs the unit until ctx or the clip ends.
func (s *session) run(ctx context.Context, unit *pipeline.Unit, path string, kept *store.Store) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var beside, logging sync.WaitGroup
	logged, logEnds := context.WithCancel(context.Background())
	logging.Add(1)
	go func() {
		defer logging.Done()
		for unit.Guard("log", func() { s.write(logged, os.Stderr) }) != nil {
			time.Sleep(time.Second)
		}
	}()
	if s.live {
		defer s.aside()()
	}
	beside.Add(1)
	go func() {
		defer beside.Done()
		for ctx.Err() == nil && unit.Guard("beside", func() { s.beside(ctx, cancel, unit, path, kept) }) != nil {
			time.Sleep(time.Second) // and then the socket and the view once more
		}
	}()
	err := unit.Run(ctx)
	var ended fatal
	errors.As(context.Cause(ctx), &ended)
	cancel(nil)
	leave(&beside)
	logEnds() // last: what ended the unit is in the log
	leave(&logging)
	if err = errors.Join(ended.error, err); err != nil {
		return coded{err, exitMissing}
	}
	return nil
}

// aside keeps what C libraries write to standard error out of the live view, and shows
// it as what was said last; the function that it gives ends that. A crash of the
// program is still written to the terminal. Who writes never waits: what does not fit
// is dropped.
func (s *session) aside() (back func()) {
	terminal, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return func() {} // the view is drawn anyway
	}
	crash := os.NewFile(uintptr(terminal), "stderr")
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		crash.Close()
		return func() {}
	}
	debug.SetCrashOutput(crash, debug.CrashOptions{}) // on the terminal it is in any case of an error here
	unix.Dup3(ends[1], 2, unix.O_CLOEXEC)
	unix.Close(ends[1])
	said := os.NewFile(uintptr(ends[0]), "pipe")
	go func() {
		for lines := bufio.NewScanner(said); lines.Scan(); {
			s.say(lines.Text())
		}
	}()
	return func() {
		unix.Dup3(terminal, 2, 0)
		debug.SetCrashOutput(nil, debug.CrashOptions{})
		crash.Close()
		said.Close()
	}
}

// leave waits for what stands around a unit, and leaves behind what hangs in a log
// or a terminal that nobody reads.
func leave(around *sync.WaitGroup) {
	over := make(chan struct{})
	go func() { around.Wait(); close(over) }()
	select {
	case <-over:
	case <-time.After(3 * time.Second):
	}
}

// fatal is what ended a session.
type fatal struct{ error }

// beside serves the socket, reloads when it is asked to and draws the view.
func (s *session) beside(ctx context.Context, end context.CancelCauseFunc, unit *pipeline.Unit, path string, kept *store.Store) {
	cfg := s.cfg.Load()
	if file := cfg.Socket.File(); file != "" {
		server := operator.New(file, cfg.Socket.Group, unit, journalOf(kept))
		k := &keeper{ctx: ctx, session: s, unit: unit, path: path, versions: config.Versions{Dir: filepath.Join(s.folder, "config")}}
		server.More(k.answer)
		s.server.Store(server)
		served := make(chan struct{})
		ctx, stop := context.WithCancel(ctx)
		defer func() { stop(); <-served }()
		go func() {
			defer close(served)
			serve := func() { server.Serve(ctx, func(err error) { s.socketIs(unit, err) }) }
			for ctx.Err() == nil && unit.Guard("socket", serve) != nil {
				time.Sleep(time.Second)
			}
		}()
	}
	draw := time.NewTicker(250 * time.Millisecond)
	defer draw.Stop()
	if s.live {
		fmt.Print(hideCursor + clearScreen)
		defer func() { fmt.Print(showCursor + "\r\n") }()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.reloads:
			s.reload(ctx, unit, path)
		case <-draw.C:
			if s.fatal != nil {
				if err := s.fatal(); err != nil {
					end(fatal{err})
				}
			}
			if s.live {
				s.draw(unit)
			}
		}
	}
}

// socketIs says and journals that the socket cannot be opened, and why, and that it
// is open again. Without it nobody can acknowledge from a shell; inputs and PLC
// still can.
func (s *session) socketIs(unit *pipeline.Unit, err error) {
	level, text := slog.LevelInfo, "the operators' socket is open"
	if err != nil {
		level, text = slog.LevelWarn, err.Error()+"; it is opened when that has gone"
	}
	s.log(level, text)
	unit.Do("", []state.Command{state.On(alarm.Command{Do: alarm.Note, Text: text})})
}

func (s *session) reload(ctx context.Context, unit *pipeline.Unit, path string) {
	cfg, crc, err := loadConfig(path)
	if err == nil {
		err = unit.Reload(ctx, cfg, crc)
	} else {
		unit.Refuse(err)
	}
	if err != nil {
		s.log(slog.LevelWarn, "config refused, the one in force stays", strings.Split(strings.TrimSpace(err.Error()), "\n")...)
		return
	}
	s.cfg.Store(cfg)
	s.say("config taken over", path)
}

func (s *session) draw(unit *pipeline.Unit) {
	width, height, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		width, height = 80, 0
	}
	s.scene(unit).draw(os.Stdout, width, height)
}

func (s *session) scene(unit *pipeline.Unit) *scene {
	sc := &scene{Now: unit.Now(), Serial: s.serial(), Foot: s.foot}
	unit.Latest().Load(&sc.State)
	if text := s.last.Load(); text != nil {
		sc.Said = *text
	}
	return sc
}
