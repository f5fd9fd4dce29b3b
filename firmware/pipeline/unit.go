// Package pipeline is the order of the stages, and which goroutine owns which
// device.
//
// The watcher owns camera and networks and takes each frame through the eye;
// the panel owns the output lines, a button each input line, the plc the serial
// port; the supervisor looks whether results flow. What they share is the Unit:
// alarms, health, and what it knows, under one lock that is held for
// microseconds and never while a device is waited for.
package pipeline

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mien/board"
	"mien/drivers/camera"
	"mien/drivers/device"
	"mien/drivers/gpio"
	"mien/drivers/serial"
	"mien/drivers/watchdog"
	"mien/firmware/alarm"
	"mien/firmware/alarm/store"
	"mien/firmware/config"
	"mien/firmware/health"
	"mien/firmware/pilot"
	"mien/firmware/pilot/drift"
	"mien/firmware/state"
)

// Options are what a unit is made of. The zero value of a field but Config is
// the real thing.
type Options struct {
	Config     *config.Config
	Host       gpio.Host
	Resolve    Resolver
	OpenSource func(config.Camera) (camera.Source, error)
	OpenSerial func(serial.Settings) (serial.Line, error)
	OpenDog    func(config.Watchdog) (watchdog.Watchdog, error)
	Sensors    *board.Sensors
	Wall       func() time.Time // the system's wall clock; only events carry it
	Synced     func() bool      // whether a time source sets it
	Boot       string           // marks this start of the machine
	Version    string
	ConfigCRC  uint16 // of the config file, for the register map
	// Store keeps alarm states and events over a restart, Found is what it had
	// kept; nil: nothing is kept.
	Store *store.Store
	Found store.Found
	// PilotDir is the folder of the recordings; "": there are none.
	PilotDir string
	// Say is told what a technician may want to know; it must not wait.
	Say func(subject string, details ...string)
	// OnFault is told each fault that begins or ends, in order, before the journal has
	// the same text as a note; it must not wait, nor ask the unit.
	OnFault func(f health.Fault, began bool, text string)
	// OnEvent is told each event, in order; it must not wait.
	OnEvent func(alarm.Event)

	now func() time.Duration // the time base; nil: the machine's
}

// Unit is a running mien. Its methods may be called from any goroutine.
type Unit struct {
	options Options
	version string
	now     func() time.Duration
	wall    func() time.Time // of the clock
	clock   *wallClock
	health  *health.Monitor
	latest  *state.Latest

	// What is started and stopped by itself, and counts those that are down.
	watching, driving, talking, supervising, taking, recording, looking, comparing part
	pressing                                                                       []*part // of the inputs; covered by mu
	down                                                                           down

	panel   atomic.Pointer[panel]
	speaker atomic.Pointer[Speaker]
	wake    chan struct{} // the panel has something new to show
	over    chan struct{} // closed when a clip has ended
	ending  sync.Once
	apart   atomic.Int64 // nanoseconds between the frames of a camera that is too slow; 0: it is not

	reloading chan replacement
	pilot     *pilot.Keeper // of recordings
	files     files         // that the watcher's eye works with
	drift     *drift.Watch  // of days, against the pilot's

	mu       sync.Mutex // covers what is below
	current  *config.Config
	network  network
	engine   *alarm.Engine
	state    state.State
	shows    []int         // of the network's signals, those that leave the unit
	infers   bool          // emotions are among them
	beat     time.Duration // when the heartbeat last went up
	until    time.Duration // end of the output test
	tested   state.OneOutput
	started  time.Duration
	inputs   []string // trouble of each input, "" for none
	summary  alarm.Summary
	marker   pilot.Marker
	trusted  bool
	vouched  bool            // for the wall clock, as the engine knows
	woken    cause           // what the panel was last woken for
	saved    alarm.Saved     // its list is used again
	changes  []health.Change // likewise: of faults, as told last
	revision uint64          // of the engine, as kept last
	missing  uint64          // events that the store had to drop, as reported so far
	aside    string          // the file that it put aside, as told
	changed  uint64          // how often its file was taken away, likewise
	drifted  string          // what the fault of drift is about
}

// New prepares a unit: config against network, alarms, lines. Nothing is
// opened yet. The error names what is wrong.
func New(o Options) (*Unit, error) {
	o.complete()
	cfg := o.Config
	cards, models, err := Cards(cfg.Model)
	if err != nil {
		return nil, err
	}
	n := networkOf(cards, models)
	u := &Unit{options: o, version: o.Version, now: o.now, latest: state.NewLatest(),
		wake: make(chan struct{}, 1), over: make(chan struct{}), reloading: make(chan replacement)}
	u.health = health.New(cfg.Health.Stale)
	if err := wirable(cfg, o.Resolve); err != nil {
		return nil, err
	}
	if u.engine, err = newEngine(cfg, n.signals); err != nil {
		return nil, err
	}
	u.started = u.now()
	u.clock = newClock(&o, &o.Found.Saved, func() time.Duration { return u.now() })
	u.wall = u.clock.time
	recordings := pilot.Options{Dir: o.PilotDir, Unit: cfg.Unit.Name, Version: o.Version, Wall: u.wall, Age: u.clock.age,
		Allowed: recordable(o, cfg), Keep: cfg.Pilot.KeepDays, Most: int64(cfg.Pilot.MostMiB) << 20,
		Note: func(text string) { u.note(text, ""); u.say(text) }}
	if o.Store != nil {
		o.Store.DateBy(u.clock.age)
		recordings.Memory = o.Store.Memory()
	}
	u.pilot = pilot.New(recordings)
	u.drift = drift.New(drift.Options{Dir: o.PilotDir, Now: func() time.Duration { return u.now() }, Wall: u.wall, Pilot: u.pilot.Status,
		Note: func(text string) { u.note(text, ""); u.say(text) }})
	u.vouched = u.clock.vouched()
	u.engine.VouchFor(u.vouched)
	u.state.Clear()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.become(cfg, n, o.ConfigCRC)
	u.happened(u.engine.Restore(o.Found.Saved, u.started, u.wall()))
	u.syncedLocked(u.clock.synced)
	for _, damage := range o.Found.Notes {
		u.doLocked(alarm.Command{Do: alarm.Note, Text: damage})
	}
	if cfg.Unit.Purpose != "" {
		u.doLocked(alarm.Command{Do: alarm.Note, Text: "purpose " + string(cfg.Unit.Purpose) + ": " + cfg.Unit.PurposeReason})
	}
	u.pilotIs()
	u.publish()
	return u, nil
}

// recordable tells whether recordings may be made at all.
func recordable(o Options, cfg *config.Config) bool { return cfg.Pilot.Record && o.PilotDir != "" }

func (o *Options) complete() {
	if o.Host == nil {
		o.Host = gpio.Kernel
	}
	if o.OpenSource == nil {
		o.OpenSource = OpenSource
	}
	if o.OpenSerial == nil {
		o.OpenSerial = func(s serial.Settings) (serial.Line, error) { return serial.Open(s) }
	}
	if o.OpenDog == nil {
		o.OpenDog = openDog
	}
	b, _ := board.Detect("/") // an unknown board has lines too, by chip and offset
	if o.Resolve == nil {
		o.Resolve = Lines(b)
	}
	if o.Sensors == nil {
		o.Sensors = board.NewSensors("/", b.Board)
	}
	if o.Wall == nil {
		o.Wall = time.Now
	}
	if o.Synced == nil {
		o.Synced = synchronised
	}
	if o.Boot == "" {
		o.Boot = bootID()
	}
	if o.Say == nil {
		o.Say = func(string, ...string) {}
	}
	if o.OnFault == nil {
		o.OnFault = func(health.Fault, bool, string) {}
	}
	if o.OnEvent == nil {
		o.OnEvent = func(alarm.Event) {}
	}
	if o.now == nil {
		o.now = device.Now
	}
}

// Run runs the unit until ctx ends or the clip does, and leaves every output at
// its fail value. The order is that of a start-up: what must succeed returns an
// error, what may come later is a fault until it comes.
func (u *Unit) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	cfg := u.settings()
	p, err := newPanel(u, u.options.Host, cfg, u.options.Resolve)
	if err != nil {
		stop()
		return err
	}
	buttons, err := u.buttons(cfg)
	if err != nil {
		stop()
		return err
	}
	notifier, err := health.Notify()
	if err != nil {
		u.say("systemd", err.Error())
	}
	defer notifier.Close()
	dog, err := u.options.OpenDog(cfg.Watchdog)
	if err != nil {
		u.say("watchdog", err.Error())
		u.health.Begin(health.SelfTestFailed, u.now(), err.Error())
	}
	u.tellReset(dog)

	u.panel.Store(p)
	u.driving.start(ctx, u, "outputs", func(ctx context.Context) error { return p.run(ctx, u.wake) })
	u.startInputs(ctx, buttons)
	u.startSerial(ctx, cfg)
	u.watching.start(ctx, u, "watcher", func(ctx context.Context) error { return u.newWatcher().run(ctx) })
	s := &supervisor{unit: u, sensors: u.options.Sensors, dog: dog, notifier: notifier, keepAlive: health.KeepAlive(),
		clock: health.ClockJump{Limit: cfg.Health.ClockJump}, undriven: health.Held{For: 400 * time.Millisecond}, sensed: u.now() - time.Hour}
	u.supervising.start(ctx, u, "supervisor", s.run)
	u.taking.start(ctx, u, "reload", u.reloads)
	if u.options.PilotDir != "" {
		u.recording.start(ctx, u, "recording", u.pilot.Run)
		u.comparing.start(ctx, u, "drift", u.drift.Run)
	}
	u.looking.start(ctx, u, "files", u.lookAtFiles)
	notifier.Send("READY=1")

	select {
	case <-ctx.Done():
	case <-u.over:
	}
	notifier.Send("STOPPING=1")
	stop()
	// Lines last but one: they go to their fail value while nothing else drives
	// them. The supervisor feeds the watchdog until then. A part that hangs in a
	// device does not keep the lines from it.
	hanging := stopAll(append([]*part{&u.watching, &u.talking, &u.taking, &u.recording, &u.looking, &u.comparing}, u.inputParts()...)...)
	hanging = append(hanging, stopAll(&u.driving, &u.supervising)...)
	text := "stopped"
	select {
	case <-u.over:
		text = "stopped: the clip has ended"
	default:
	}
	if len(hanging) > 0 {
		text += "; left behind, as it hangs: " + strings.Join(hanging, ", ")
	}
	u.mu.Lock()
	u.tellFaults()
	u.doLocked(alarm.Command{Do: alarm.Note, Text: text})
	u.mu.Unlock()
	if dog != nil {
		if err := dog.Disarm(); err != nil {
			return fmt.Errorf("disarm the watchdog: %w", err)
		}
	}
	if len(hanging) > 0 {
		return fmt.Errorf("%s: hangs, and was left behind", strings.Join(hanging, ", "))
	}
	return nil
}

func openDog(c config.Watchdog) (watchdog.Watchdog, error) {
	switch c.Device {
	case "off":
		return nil, nil
	case "auto":
		c.Device = "/dev/watchdog"
	}
	d, err := watchdog.Open(c.Device, c.Timeout)
	if err != nil {
		return nil, err // a nil *Device in the interface would not be nil
	}
	return d, nil
}

// tellReset journals why the machine last started, where its watchdog knows of
// more than an ordinary start.
func (u *Unit) tellReset(dog watchdog.Watchdog) {
	d, ok := dog.(interface{ BootStatus() watchdog.Reset })
	if !ok || d.BootStatus() == 0 {
		return
	}
	u.inform(fmt.Sprintf("the machine was reset: %v", d.BootStatus()))
}

func (u *Unit) buttons(cfg *config.Config) ([]*button, error) {
	var list []*button
	for i, c := range cfg.Inputs {
		b, err := newButton(u, u.options.Host, i, c, cfg.Health, u.options.Resolve)
		if err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	return list, nil
}

// startInputs starts the inputs in place of those before, which have ended.
func (u *Unit) startInputs(ctx context.Context, buttons []*button) {
	var list []*part
	for _, b := range buttons {
		p := new(part)
		p.start(ctx, u, "input "+b.name, b.run)
		list = append(list, p)
	}
	u.mu.Lock()
	u.pressing = list
	u.mu.Unlock()
}

func (u *Unit) inputParts() []*part {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.pressing
}

// startSerial starts the line to the PLC, where the config has one. A speaker
// goes on where the one before it left off.
func (u *Unit) startSerial(ctx context.Context, cfg *config.Config) {
	before := u.speaker.Swap(nil)
	if cfg.Serial.Device == "" || cfg.Serial.Protocol == config.NoProtocol {
		u.health.End(health.SerialLost)
		return
	}
	s, err := SerialSettings(cfg.Serial)
	if err == nil {
		var sp *Speaker
		if sp, err = NewSpeaker(cfg, s, u.version, u.now, u.latest, u); err == nil {
			sp.succeed(before)
			u.speaker.Store(sp)
			p := &plc{unit: u, speak: sp, open: func() (serial.Line, error) { return u.options.OpenSerial(s) },
				back: health.Backoff{First: cfg.Health.RetryFirst, Most: cfg.Health.RetryMost}}
			u.talking.start(ctx, u, "serial", p.run)
			return
		}
	}
	u.health.Begin(health.SerialLost, u.now(), err.Error())
}

// settings are those in force.
func (u *Unit) settings() *config.Config {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.current
}

func (u *Unit) openSource() (camera.Source, error) {
	return u.options.OpenSource(u.settings().Camera)
}

func (u *Unit) say(subject string, details ...string) { u.options.Say(subject, details...) }

// ended notes that the clip is over.
func (u *Unit) ended() { u.ending.Do(func() { close(u.over) }) }

// Latest is where readers get the newest state.
func (u *Unit) Latest() *state.Latest { return u.latest }

// Faults lists the faults that are on.
func (u *Unit) Faults() []health.Active { return u.health.List(nil) }

// Now is the unit's clock, CLOCK_MONOTONIC.
func (u *Unit) Now() time.Duration { return u.now() }
