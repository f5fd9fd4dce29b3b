// Package rig is what stands around a unit that runs on fakes: a camera that
// shows the demo clip's pictures, a chip with its lines, and their config. The
// tests of pipeline and the runs of tools/faults and tools/soak use it; it is
// never in the unit's binary.
//
//	r := rig.New(rig.Pictures(0.2, 1.2))
//	cfg, err := config.Parse("test.toml", []byte(rig.Lines("acknowledge", "500ms")))
//	unit, err := pipeline.New(pipeline.Options{Config: cfg, Host: r.Chip, Resolve: rig.Resolve, OpenSource: r.OpenSource})
package rig

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"mien/drivers/camera"
	"mien/drivers/gpio"
	"mien/firmware/config"
	"mien/model/assets"
)

// Label is the fake chip's, which has 8 lines.
const Label = "fake"

// What is on the chip's first lines, as Lines wires them.
const (
	Healthy = iota // toggles with fresh results
	Lamp           // the common lamp
	Failing        // the lamp of the alarm "frown", on at its fail value
	Fault          // on while the unit has a fault
	Button         // the input
)

// Lines is the config of an alarm on the brow and of the chip's lines. A press
// of the button does what function says; pressed for longer than stuck it is a
// fault.
func Lines(function, stuck string) string {
	return fmt.Sprintf(`
[[alarm]]
name = "frown"
signal = "au4"
high = 0.7
deadband = 0.1
on_delay = "300ms"
off_delay = "300ms"
unknown_hold = "500ms"
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
fail = "off"
[[output]]
name = "failsafe"
chip = "fake"
line = 2
function = "alarm:frown"
fail = "on"
[[output]]
name = "fault"
chip = "fake"
line = 3
function = "fault"
[[input]]
name = "button"
chip = "fake"
line = 4
function = %q
active = "high"
pull = "down"
debounce = "5ms"
stuck_after = %q
`, function, stuck)
}

// Line is a line of the fake chip.
func Line(n int) gpio.Line { return gpio.Line{Chip: Label, Offset: n} }

// Resolve finds lines that are named by a chip and a number.
func Resolve(chip, name string) (gpio.Line, error) {
	n, err := strconv.Atoi(name)
	return gpio.Line{Chip: chip, Offset: n}, err
}

// Pictures are frames of the demo clip, from second to second; none where the
// clip is not that long. Neutral and frowning faces are in it from 0.2 to 1.2 s
// and from 3.2 to 6 s.
func Pictures(from, to float64) [][]byte {
	all := bytes.SplitAfter(assets.Demo(), []byte{0xff, 0xd9})
	a, b := int(from*assets.DemoFPS), int(to*assets.DemoFPS)
	if a > b || b > len(all) {
		return nil
	}
	return all[a:b]
}

// Period is the time between two frames.
const Period = time.Second / assets.DemoFPS

// Rig is the camera and the chip.
type Rig struct {
	Camera *camera.Fake
	Chip   *gpio.Fake
}

// New is a rig whose camera shows these pictures again and again.
func New(pictures [][]byte) *Rig {
	return &Rig{
		Camera: &camera.Fake{Format: camera.MJPEG, Pictures: pictures, Period: Period},
		Chip:   gpio.NewFake(gpio.FakeChip{Label: Label, Lines: make([]string, 8)}),
	}
}

// OpenSource opens the camera, whatever the config names.
func (r *Rig) OpenSource(config.Camera) (camera.Source, error) { return r.Camera.Open() }

// Show changes the pictures.
func (r *Rig) Show(pictures [][]byte) { r.With(func(f *camera.Fake) { f.Pictures = pictures }) }

// With changes the camera.
func (r *Rig) With(change func(*camera.Fake)) {
	r.Camera.Lock()
	defer r.Camera.Unlock()
	change(r.Camera)
}
