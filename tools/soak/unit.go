package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"mien/drivers/camera"
	"mien/drivers/gpio"
	"mien/drivers/serial"
	"mien/firmware/alarm"
	"mien/firmware/alarm/store"
	"mien/firmware/config"
	"mien/firmware/operator"
	"mien/firmware/pipeline"
	"mien/firmware/pipeline/rig"
	"mien/tools/bench/reel"
)

const soakConfig = `
[health]
frozen = "1h"
retry_first = "50ms"
retry_most = "100ms"
[serial]
device = "/dev/ttySOAK"
protocol = "ascii"
[[alarm]]
name = "brow lowered"
signal = "au4"
high = 0.7
on_delay = "0s"
off_delay = "0s"
[[alarm]]
name = "eyes closed"
signal = "eyes_closed"
high = 0.6
on_delay = "0s"
off_delay = "0s"
latch = true
[[alarm]]
name = "smile"
signal = "au12"
high = 0.5
on_delay = "0s"
off_delay = "0s"
[[output]]
name = "healthy"
chip = "fake"
line = 0
function = "healthy"
[[output]]
name = "lamp"
chip = "fake"
line = 1
function = "lamp"
blink = "fast"
[[output]]
name = "horn"
chip = "fake"
line = 2
function = "horn"
[[input]]
name = "ack"
chip = "fake"
line = 3
function = "acknowledge"
`

// unit is the unit that soaks, and what stands around it.
type unit struct {
	unit *pipeline.Unit
	kept *store.Store
	dir  string
	port string // the pty's other side is linked here

	chip *gpio.Fake
	cut  atomic.Bool // the serial line is unplugged

	frames, losses, events atomic.Int64
}

// errLost is a camera that was unplugged.
var errLost = fmt.Errorf("soak: %w", camera.ErrGone)

// port is the serial line, which can be unplugged.
type port struct {
	serial.Line
	cut *atomic.Bool
}

func (p port) Read(b []byte, timeout time.Duration) (int, error) {
	if p.cut.Load() {
		return 0, serial.ErrGone
	}
	return p.Line.Read(b, timeout)
}

func newUnit(frames int, lasts time.Duration, lose int) (*unit, error) {
	clip, err := outside()
	if err != nil {
		return nil, err
	}
	cfg, err := config.Parse("soak.toml", []byte(soakConfig))
	if err != nil {
		return nil, err
	}
	u := &unit{chip: rig.New(nil).Chip}
	if u.dir, err = os.MkdirTemp("", "mien-soak-"); err != nil {
		return nil, err
	}
	u.port = filepath.Join(u.dir, "tty")
	var found store.Found
	// A small journal is full soon: from then on reading it takes the same memory.
	u.kept, found, err = store.Open(store.Options{Dir: filepath.Join(u.dir, "state"), JournalBytes: 128 << 10})
	if err != nil {
		return nil, err
	}
	began := time.Now()
	opens := 0
	source := func(config.Camera) (camera.Source, error) {
		opens++ // the unit opens one at a time
		u.chip.Restore(rig.Label)
		return &reel.Camera{Reel: clip, JPEG: opens%2 == 0, N: int(u.frames.Load()), At: func(n int) error {
			switch {
			case lasts == 0 && n >= frames, lasts > 0 && time.Since(began) >= lasts:
				return camera.ErrEnd
			case lose > 0 && n > 0 && n%lose == 0 && int64(n/lose) > u.losses.Load():
				u.losses.Add(1)
				u.chip.Remove(rig.Label)
				u.cut.Store(true)
				return errLost
			}
			u.frames.Store(int64(n) + 1)
			return nil
		}}, nil
	}
	u.unit, err = pipeline.New(pipeline.Options{Config: cfg, Store: u.kept, Found: found, OpenSource: source,
		Host:    u.chip,
		Resolve: rig.Resolve,
		OpenSerial: func(serial.Settings) (serial.Line, error) {
			u.cut.Store(false)
			line, err := serial.OpenPty(u.port)
			return port{line, &u.cut}, err
		},
		OnEvent: func(alarm.Event) { u.events.Add(1) }})
	return u, err
}

// outside loads the clip and moves its raw frames out of Go's heap, which then
// is as small, and collected as often, as in a unit.
func outside() (*reel.Reel, error) {
	clip, err := reel.Load()
	if err != nil {
		return nil, err
	}
	size := len(clip.Raws[0])
	all, err := unix.Mmap(-1, 0, size*len(clip.Raws), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("memory for the clip: %w", err)
	}
	for i, raw := range clip.Raws {
		clip.Raws[i] = all[i*size : (i+1)*size : (i+1)*size]
		copy(clip.Raws[i], raw)
	}
	debug.FreeOSMemory()
	return clip, nil
}

// running tells whether frames flow.
func (u *unit) running() bool { return u.frames.Load() > 0 }

// run runs the unit to the end of the reel, with its operator and its listener.
func (u *unit) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var around sync.WaitGroup
	socket := filepath.Join(u.dir, "socket")
	server := operator.New(socket, "mien", u.unit, u.kept)
	var closed error // why the socket was not open
	for _, part := range []func(){
		func() {
			server.Serve(ctx, func(err error) {
				closed = errors.Join(closed, err)
				stop()
			})
		},
		func() { u.operate(ctx, socket) },
		func() { u.listen(ctx) },
	} {
		around.Add(1)
		go func() {
			defer around.Done()
			part()
		}()
	}
	err := u.unit.Run(ctx)
	stop()
	around.Wait() // an operator's last command is an event too
	return errors.Join(err, closed, u.kept.Close())
}

// operate connects each second, looks and acknowledges.
func (u *unit) operate(ctx context.Context, socket string) {
	for wait(ctx, time.Second) {
		c, err := operator.Dial(socket)
		if err != nil {
			continue
		}
		for _, r := range []operator.Request{{Ask: operator.AskStatus}, {Ask: operator.AskAlarms}, {Ask: operator.AskEvents, Most: 20},
			{Ask: operator.AskDo, Do: alarm.Acknowledge}, {Ask: operator.AskDo, Do: alarm.Reset}} {
			c.Ask(r) // refused when there is nothing to acknowledge
		}
		c.Close()
	}
}

// listen reads the serial line, and goes and comes back every ten seconds.
func (u *unit) listen(ctx context.Context) {
	for wait(ctx, 500*time.Millisecond) {
		f, err := os.OpenFile(u.port, os.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
		if err != nil {
			continue
		}
		f.SetReadDeadline(time.Now().Add(10 * time.Second))
		stop := context.AfterFunc(ctx, func() { f.SetReadDeadline(time.Unix(1, 0)) })
		io.Copy(io.Discard, f)
		stop()
		f.Close()
	}
}

func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// report prints how it ended.
func (u *unit) report(found string, grown []string) bool {
	st := u.kept.Status()
	fmt.Printf("%d frames, camera, chip and serial line lost and found %d times, %d events, %.1f MB written to the state folder in %d syncs\n",
		u.frames.Load(), u.losses.Load(), u.events.Load(), float64(st.Bytes)/(1<<20), st.Syncs)
	fmt.Println("second to last tenth:", found)
	if len(grown) == 0 {
		fmt.Println("flat: memory, descriptors and goroutines")
		return false
	}
	fmt.Println("GROWN:", strings.Join(grown, "; "))
	return true
}
