package pipeline

import (
	"fmt"
	"time"

	"mien/drivers/camera"
	"mien/drivers/camera/clip"
	"mien/drivers/camera/command"
	"mien/drivers/camera/v4l2"
	"mien/firmware/config"
	"mien/firmware/health"
	"mien/model/affect"
	"mien/model/assets"
)

// OpenSource opens the camera, the program or the clip that the config names; the
// clip "demo" is the one in the binary.
func OpenSource(c config.Camera) (camera.Source, error) {
	if c.Clip != "" {
		o := clip.Options{Loop: c.Loop, Fast: c.Pace == config.FastPace}
		if c.Clip == DemoClip {
			o.FPS = assets.DemoFPS
			src, err := clip.New(DemoClip, assets.Demo(), o)
			if err != nil {
				return nil, err
			}
			assets.Idle(assets.Demo()) // all of it has been looked through
			return &demoClip{Source: src}, nil
		}
		o.Else = c.FPS
		return clip.Open(c.Clip, o)
	}
	if len(c.Command) > 0 {
		return command.Open(c.Command)
	}
	s := v4l2.Settings{Device: c.Device, Format: string(c.Format), Width: c.Width, Height: c.Height, FPS: c.FPS, Controls: c.Controls}
	if s.Device == "auto" {
		s.Device = ""
	}
	if c.Format == config.AnyFormat {
		s.Format = ""
	}
	return v4l2.Open(s)
}

// demoClip keeps but little of the clip in the binary in resident memory.
type demoClip struct {
	camera.Source
	shown int
}

// keptPictures is after how many pictures those that were shown leave the memory.
const keptPictures = 32

func (c *demoClip) Next(timeout time.Duration) (*camera.Frame, error) {
	if c.shown++; c.shown%keptPictures == 0 {
		assets.Idle(assets.Demo())
	}
	return c.Source.Next(timeout)
}

// DemoClip is the name of the clip in the binary, for camera.clip.
const DemoClip = "demo.mjpeg"

// sameCards tells whether cards are those that the unit goes by.
func (u *Unit) sameCards(cards []*affect.Card) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.network.same(cards)
}

// cameraIs notes the time between the frames of a camera that is too slow, 0 for
// one that is not. The supervisor ends the fault.
func (u *Unit) cameraIs(apart, now time.Duration) {
	u.apart.Store(int64(apart))
	if apart > 0 && !u.health.On(health.TooSlow) { // its text is made once, and not for each frame
		u.health.Begin(health.TooSlow, now, fmt.Sprintf("a frame is there only every %v: the camera is too slow, or this machine", apart.Round(100*time.Millisecond)))
	}
}

// cameraSlow is what cameraIs noted.
func (u *Unit) cameraSlow() time.Duration { return time.Duration(u.apart.Load()) }
