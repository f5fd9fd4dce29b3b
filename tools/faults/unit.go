package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"mien/board"
	"mien/drivers/camera"
	"mien/drivers/camera/command"
	"mien/drivers/gpio"
	"mien/drivers/serial"
	"mien/firmware/alarm/store"
	"mien/firmware/config"
	"mien/firmware/health"
	"mien/firmware/pipeline"
	"mien/firmware/pipeline/rig"
	"mien/firmware/state"
	"mien/model/assets"
)

var unitConfig = `
[camera]
fps = 15
[health]
stale = "500ms"
frozen = "700ms"
dark = "400ms"
turned = "2s"
min_rate = 5
retry_first = "50ms"
retry_most = "200ms"
max_temperature = 85
[serial]
device = "/dev/ttyFAKE"
[modbus]
host_timeout = "1s"
` + rig.Lines("silence", "400ms")

// chip is the fake chip with faults that can be taken away again. Its output
// lines hang in a write for as long as hangs is locked.
type chip struct {
	*gpio.Fake
	hangs *sync.RWMutex
}

func (c chip) Output(s gpio.OutputSettings) (gpio.Output, error) {
	line, err := c.Fake.Output(s)
	if err != nil {
		return nil, err
	}
	return stiff{line, c.hangs}, nil
}

type stiff struct {
	gpio.Output
	hangs *sync.RWMutex
}

func (s stiff) Set(active bool) error {
	s.hangs.RLock()
	defer s.hangs.RUnlock()
	return s.Output.Set(active)
}

func (c chip) fail(op gpio.Op, n int, err error) {
	c.Fail(gpio.Fault{Op: op, Line: rig.Line(n).String(), Count: -1, Err: err})
}
func (c chip) heal() { c.Heal() }

// pilotFolder is where recordings would be, in the unit's files.
const pilotFolder = "pilot"

// unit is one running unit and what can go wrong around it.
type unit struct {
	unit *pipeline.Unit
	rig  *rig.Rig
	cam  *camera.Fake // the rig's
	chip chip
	plc  *plc
	disk *store.Fake
	kept *store.Store
	root string
	clip [][]byte

	whole map[string][]byte // files that are damaged, as they were
	turns int               // reloads of the camera

	program atomic.Pointer[[]string] // not nil: the camera is this program
	panics  atomic.Bool
	hangs   sync.RWMutex // locked: the camera's driver hangs
	slow    atomic.Int64 // nanoseconds that it takes for each frame
	wall    atomic.Int64 // nanoseconds by which the wall clock is wrong
	stopped context.CancelFunc
	ended   chan error
	chat    context.CancelFunc
	wait    sync.WaitGroup
}

// start makes the unit and lets it run; its files are in u.root.
func (u *unit) start() error {
	cfg, err := u.config()
	if err != nil {
		return err
	}
	root := u.root
	for name, text := range map[string]string{"sys/class/thermal/thermal_zone0/temp": "50000\n", "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
		"sys/devices/platform/soc/soc:firmware/get_throttled": "0\n"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	all := bytes.SplitAfter(assets.Demo(), []byte{0xff, 0xd9})
	// Those in which the face is at rest: 47, which is 3.1 s. Then the same again with other
	// noise: a unit that has little of a busy machine takes some of them at random, and must
	// hardly ever take one a second time.
	clip := append(all[3:26:26], all[331:355]...)
	for range 9 {
		for _, picture := range clip[:onceRound] {
			clip = append(clip, noisy(picture))
		}
	}
	around := rig.New(clip)
	u.rig, u.cam, u.chip, u.plc = around, around.Camera, chip{around.Chip, new(sync.RWMutex)}, newPLC(filepath.Join(root, "tty"))
	u.disk, u.clip, u.ended = store.NewFake(), around.Camera.Pictures, make(chan error, 1)
	if err := u.plc.plug(); err != nil {
		return err
	}
	var found store.Found
	u.kept, found, err = store.Open(store.Options{Dir: "/state", FS: u.disk, Delay: 20 * time.Millisecond, RetryMost: 200 * time.Millisecond})
	if err != nil {
		return err
	}
	u.unit, err = pipeline.New(pipeline.Options{Config: cfg, Host: u.chip, Store: u.kept, Found: found,
		Resolve: rig.Resolve, PilotDir: filepath.Join(root, pilotFolder),
		Sensors: board.NewSensors(root, nil),
		Wall:    func() time.Time { return time.Now().Add(time.Duration(u.wall.Load())) },
		OpenSource: func(config.Camera) (camera.Source, error) {
			if program := u.program.Load(); program != nil {
				return command.Open(*program)
			}
			src, err := u.cam.Open()
			return &mad{src, &u.panics, &u.hangs, &u.slow}, err
		},
		OpenSerial: func(s serial.Settings) (serial.Line, error) {
			s.Path = u.plc.path
			return serial.Open(s)
		},
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	u.stopped = stop
	go func() { u.ended <- u.unit.Run(ctx) }()
	u.wait.Add(1)
	go func() {
		defer u.wait.Done()
		u.plc.run(ctx)
	}()
	return nil
}

// config is the unit's.
func (u *unit) config() (*config.Config, error) {
	return config.Parse("faults.toml", fmt.Appendf(nil, "%s[model]\ncard = %q\n[face]\ndetect_every = %d\n", unitConfig,
		filepath.Join(u.root, cardFile), 15+u.turns%2))
}

// damage changes a file of the unit's, as a disk or a broken copy does. It takes
// its place at once: a library that is open is not overwritten, as that would
// crash any program.
func (u *unit) damage(path string, how func([]byte) []byte) {
	path = filepath.Join(u.root, path)
	data, err := os.ReadFile(path)
	if err != nil {
		panic(err) // of this program
	}
	if u.whole == nil {
		u.whole = map[string][]byte{}
	}
	u.whole[path] = data
	put(path, how(bytes.Clone(data)))
}

// repair puts the right files back.
func (u *unit) repair() {
	for path, data := range u.whole {
		put(path, data)
	}
	u.whole = nil
}

// put replaces a file; nil takes it away.
func put(path string, data []byte) {
	os.RemoveAll(path)
	if data == nil {
		return
	}
	if err := errors.Join(os.WriteFile(path+".new", data, 0o644), os.Rename(path+".new", path)); err != nil {
		panic(err) // a full disk below the program
	}
}

// onceRound is the number of pictures of the clip that differ in more than noise.
const onceRound = 47

// again lets the watcher begin again, with networks and camera opened again.
func (u *unit) again() {
	u.turns++
	u.reload()
}

// mad is a camera whose driver may panic, hang, or take its time.
type mad struct {
	camera.Source
	panics *atomic.Bool
	hangs  *sync.RWMutex
	slow   *atomic.Int64 // nanoseconds
}

func (m *mad) Next(timeout time.Duration) (*camera.Frame, error) {
	if m.panics.Load() {
		panic("injected: a driver went mad")
	}
	m.hangs.RLock()
	defer m.hangs.RUnlock()
	d := time.Duration(m.slow.Load())
	if d <= 0 {
		return m.Source.Next(timeout)
	}
	// Uneven: at an even pace a clip that comes round shows a few of its pictures alone,
	// and a camera that does so is frozen.
	time.Sleep(d + rand.N(d/4))
	f, err := m.Source.Next(timeout)
	if err == nil {
		f.Data = noisy(f.Data)
	}
	return f, err
}

// noisy is a motion JPEG picture as another exposure of the same scene has it: a sensor's
// noise makes each frame differ. Without it, pictures of a short clip that are the same by
// chance are a frozen camera. It changes the steps of a few coefficients.
func noisy(picture []byte) []byte {
	at := bytes.Index(picture, []byte{0xff, 0xdb}) // the table of steps: length, kind, 64 of them
	if at < 0 || at+5+64 > len(picture) {
		return picture
	}
	picture = bytes.Clone(picture)
	for range 4 {
		if step := &picture[at+5+1+rand.N(15)]; *step < 0xff { // a step of 0 is none
			*step++
		}
	}
	return picture
}

func (u *unit) show(format uint32, list [][]byte) {
	u.rig.With(func(f *camera.Fake) {
		reopen := f.Format != format
		f.Format, f.Pictures = format, list
		if reopen { // another format takes another stream, as on a real camera
			f.NextErrs = map[int]error{f.Nexts + 1: camera.ErrGone}
		}
	})
}

// asProgram makes a program the camera: it shows the clip, until there is a file that
// says what else it does.
func (u *unit) asProgram() {
	dir := filepath.Join(u.root, "program")
	err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700))
	for i, p := range u.clip {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%04d.jpg", i)), p, 0o600))
	}
	if err != nil {
		panic(err) // a full disk below the program
	}
	u.program.Store(&[]string{"sh", "-c", "cd " + dir + " && echo $$ >pid && if [ -e instead ]; then . ./instead; fi; while :; do for f in *.jpg; do cat $f; sleep 0.06; done; done"})
	u.rig.With(func(f *camera.Fake) { f.NextErrs = map[int]error{f.Nexts + 1: camera.ErrGone} })
}

// spoil lets that program do something else, now and whenever it is started.
func (u *unit) spoil(sig unix.Signal, instead string) {
	dir := filepath.Join(u.root, "program")
	text, err := os.ReadFile(filepath.Join(dir, "pid"))
	var pid int
	if err == nil {
		_, err = fmt.Sscan(string(text), &pid)
	}
	if err = errors.Join(err, os.WriteFile(filepath.Join(dir, "instead"), []byte(instead+"\n"), 0o600)); err != nil {
		panic(err) // of this program
	}
	unix.Kill(-pid, sig)
}

// chatter drives the input as a loose wire does.
func (u *unit) chatter() {
	ctx, stop := context.WithCancel(context.Background())
	u.chat = stop
	go func() {
		for on := true; ctx.Err() == nil; on = !on {
			u.chip.Drive(rig.Line(rig.Button), on)
			time.Sleep(10 * time.Millisecond)
		}
		u.chip.Drive(rig.Line(rig.Button), false)
	}()
}

// bounce presses the button or lets it go, with a contact that bounces for 1 ms at
// a time. It tells that the machine was too busy for that: a level that stands for as
// long as the debounce time is no bounce, and many of them are a loose wire.
func (u *unit) bounce(press bool) (late bool) {
	u.chip.Bounce(rig.Line(rig.Button), press, 4, func() {
		began := time.Now()
		time.Sleep(time.Millisecond)
		late = late || time.Since(began) >= debounce-time.Millisecond
	})
	time.Sleep(50 * time.Millisecond)
	return late
}

func (u *unit) quiet() { u.chat() }

func (u *unit) reload() {
	cfg, err := u.config()
	if err == nil {
		u.unit.Reload(context.Background(), cfg, 1) // a refusal stays as a fault, which is seen
	}
}

func (u *unit) reloadWithout() {
	cfg, err := config.Parse("faults.toml", []byte(unitConfig+"[model]\ncard = \"/nowhere/card.json\"\n"))
	if err == nil {
		u.unit.Reload(context.Background(), cfg, 2)
	}
}

func (u *unit) word() (word uint32) {
	for _, f := range u.unit.Faults() {
		word |= f.Fault.Bit()
	}
	return word
}

// safe tells whether the lines show what the fault declares.
func (u *unit) safe(k kind) bool {
	if health.Stopping(k.fault.Bit()) {
		return !u.chip.High(rig.Line(rig.Lamp)) && u.chip.High(rig.Line(rig.Failing))
	}
	// Where the lines themselves fail, the fault line may be one of them.
	return k.fault == health.OutputMismatch || u.chip.High(rig.Line(rig.Fault))
}

// calm is how long all must be well: a line that stands still is read back
// every 500 ms, and may find out only then that its chip had gone.
const calm = 600 * time.Millisecond

// healthy waits until results have been valid and no fault on for a while, and
// tells when that began.
func (u *unit) healthy() (since time.Time, err error) {
	var s state.State
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		u.unit.Latest().Load(&s)
		well := u.word() == 0 && s.Flags(u.unit.Now()).Has(state.ResultValid) && !u.chip.High(rig.Line(rig.Failing)) && !u.chip.High(rig.Line(rig.Fault))
		switch {
		case !well:
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		case time.Since(since) >= calm:
			return since, nil
		}
	}
	var alarms []string
	for _, a := range s.Alarms {
		alarms = append(alarms, fmt.Sprintf("%s %v", a.Name, a.State))
	}
	return time.Now(), fmt.Errorf("not well within 30 s: faults %v, alarms %v, no reading as %q", u.unit.Faults(), alarms, s.Reason)
}

// grace is what the safe state may take beyond the time to detect.
const grace = 500 * time.Millisecond

// inject begins a fault, waits for its safe state, ends it and waits until all
// is well again. A bit that the fault does not explain is a false one.
func (u *unit) inject(k kind) (o outcome) {
	if k.before != nil {
		k.before(u)
		if _, err := u.healthy(); err != nil {
			o.Failed = "not well before it: " + err.Error()
			return o
		}
	}
	began := time.Now()
	k.begin(u)
	if k.none {
		for began = time.Now(); time.Since(began) < time.Second; {
			if w := u.word(); w != 0 {
				o.Failed = fmt.Sprintf("borne, but %v was set", u.unit.Faults())
				break
			}
			if k.wrong != nil && o.Failed == "" {
				o.Failed = k.wrong(u)
			}
			time.Sleep(2 * time.Millisecond)
		}
		u.back(k, &o)
		return o
	}
	return u.observe(k, began)
}

// observe waits for the safe state of a fault that is there, ends it and waits
// until all is well again.
func (u *unit) observe(k kind, began time.Time) (o outcome) {
	limit := k.detect + grace
	for u.word()&k.fault.Bit() == 0 || !u.safe(k) {
		if time.Since(began) > limit+2*time.Second {
			o.Missed = fmt.Sprintf("no safe state after %v (faults %v)", time.Since(began).Round(time.Millisecond), u.unit.Faults())
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	o.Safe = time.Since(began)
	if o.Missed == "" && o.Safe > limit {
		o.Missed = fmt.Sprintf("safe state after %v, declared %v", o.Safe.Round(time.Millisecond), limit)
	}
	if w := u.word() &^ (k.fault.Bit() | explained[k.fault]); w != 0 && o.Missed == "" {
		o.Failed = fmt.Sprintf("false faults: %v", u.unit.Faults())
	}
	u.back(k, &o)
	return o
}

// back ends a fault and waits until all is well again.
func (u *unit) back(k kind, o *outcome) {
	ended := time.Now()
	k.end(u)
	well, err := u.healthy()
	if err != nil && o.Failed == "" {
		o.Failed = "no way back: " + err.Error()
	}
	o.Back = well.Sub(ended)
}

// explained are the bits that another fault brings with it: another stream is
// opened for another format, a slow camera may be late once.
var explained = map[health.Fault]uint32{
	health.CameraDark:     health.CameraLost.Bit(),
	health.CameraTurned:   health.CameraLost.Bit(),
	health.OutputMismatch: health.InputStuck.Bit(), // a chip takes its inputs with it

	health.Internal: health.CameraLost.Bit(),
	// The camera is not opened before the networks are; that a file has changed is seen once a minute.
	health.ModelRefused: health.CameraLost.Bit() | health.Internal.Bit() | health.SelfTestFailed.Bit(),
	health.TooSlow:      health.CameraLost.Bit(), // until a camera that was quick is known to be slow
}

func (u *unit) close() {
	u.stopped()
	<-u.ended
	u.wait.Wait()
	u.plc.unplug()
	u.kept.Close()
}
