package pipeline

import (
	"testing"
	"time"

	"mien/drivers/camera"
	"mien/firmware/config"
	"mien/model/face"
	"mien/model/pixel"
)

// A camera that hangs upside down or on its side is told, with what camera.rotate
// should be, and after the first seconds nothing is read of what it shows; the demo
// clip as it is never counts as turned.
func TestCameraThatIsNotUprightIsTold(t *testing.T) {
	const fps = 10
	d := pixel.NewDecoder("")
	for turned := range 4 { // quarter turns by which the camera's picture is wrong
		var frames []camera.Frame
		for _, j := range pictures(t, 0, 10) {
			img, err := d.Decode(j, pixel.DecodeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			img.Mounting.Turn = turned
			f := camera.Frame{Format: camera.GREY}
			f.Width, f.Height = img.Upright()
			f.Stride = f.Width
			s, err := pixel.NewSampler(pixel.Grey8(f.Width, f.Height))
			if err != nil {
				t.Fatal(err)
			}
			f.Data = make([]byte, f.Width*f.Height)
			if err := s.Fill(f.Data, &img, pixel.Identity); err != nil {
				t.Fatal(err)
			}
			frames = append(frames, f)
		}
		for _, right := range []bool{true, false} {
			cfg := config.Default()
			if right { // the config says how the camera hangs
				cfg.Camera.Rotate = (360 - 90*turned) % 360
			} else if turned == 0 {
				continue
			}
			// A mirror comes after the turn, and makes no other turn right.
			cfg.Camera.Mirror = turned == 1
			eye, err := OpenEye(cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { eye.Close() })
			read, readLate := 0, 0
			var last Sight
			for n := range 40 * fps {
				f := frames[n%len(frames)]
				f.Sequence, f.Time = uint32(n), time.Duration(n)*time.Second/fps
				s, err := eye.Look(&f)
				if err != nil {
					t.Fatal(err)
				}
				if s.Reason == face.Good {
					read++
					if n > 25*fps {
						readLate++
					}
				}
				last = *s
			}
			t.Logf("turned by %d, config right: %v: %d read; turned %d for %v", 90*turned, right, read, last.Turned, last.TurnedFor)
			switch {
			case right && (last.Turned != 0 || read < 30*fps):
				t.Errorf("camera.rotate = %d is right: told to turn by %d, %d frames read", cfg.Camera.Rotate, last.Turned, read)
			case !right && (last.Turned != (360-90*turned)%360 || last.TurnedFor < 12*time.Second):
				t.Errorf("turned by %d degrees: told to turn by %d, for %v", 90*turned, last.Turned, last.TurnedFor)
			case !right && readLate > 0:
				t.Errorf("turned by %d degrees: %d frames read late", 90*turned, readLate)
			}
		}
	}
}
