package pipeline

import (
	"bytes"
	"image"
	"image/jpeg"
	"testing"
	"time"

	"mien/drivers/camera"
	"mien/firmware/health"
	"mien/model/assets"
)

// A clock that a camera writes into a picture which stands still makes each picture
// another one, but not the face in it: the fault, the fail values, and the way back.
func TestClockInAFrozenPicture(t *testing.T) {
	still := luma(t, neutralFrom, neutralTo)[0]
	var grey, coded [][]byte
	for i := range 100 {
		p := bytes.Clone(still)
		for y := 4; y < 24; y++ { // the clock
			for x := 150; x < 450; x++ {
				p[y*640+x] = byte(i>>(x/16%10)&1) * 255
			}
		}
		grey = append(grey, p)
		var b bytes.Buffer
		if err := jpeg.Encode(&b, &image.Gray{Pix: p, Stride: 640, Rect: image.Rect(0, 0, 640, 480)}, nil); err != nil {
			t.Fatal(err)
		}
		coded = append(coded, b.Bytes())
	}
	for format, list := range map[uint32][][]byte{camera.GREY: grey, camera.MJPEG: coded} {
		b := newBench(t, "", nil)
		show := func(format uint32, list [][]byte) {
			b.with(func(f *camera.Fake) {
				f.Format, f.Pictures = format, list
				f.NextErrs = map[int]error{f.Nexts + 1: camera.ErrGone}
			})
		}
		b.until("results", b.trusted)
		show(format, list)
		b.until("the fault", b.fault(health.CameraFrozen))
		b.until("the fail values", func() bool { return !b.chip.High(pin(1)) && b.chip.High(pin(2)) })
		for range 100 {
			if time.Sleep(10 * time.Millisecond); !b.unit.health.On(health.CameraFrozen) {
				t.Fatal("the fault has ended")
			}
		}
		show(camera.MJPEG, pictures(t, neutralFrom, neutralTo))
		b.until("the way back", b.trusted)
		show(camera.GREY, [][]byte{grey[0], grey[1], grey[2]})
		b.until("the fault again", b.fault(health.CameraFrozen))
		show(camera.GREY, plain(100)) // and nobody is there
		b.until("the end of the fault", func() bool { return !b.unit.health.On(health.CameraFrozen) })
	}
}

// plain are pictures without a face, of a sensor that is alive.
func plain(n int) (list [][]byte) {
	x := uint32(1)
	for range n {
		p := make([]byte, 640*480)
		for i := range p {
			x = x*1664525 + 1013904223
			p[i] = byte(i%640/8) + byte(x>>24)%60
		}
		list = append(list, p)
	}
	return list
}

// The demo's face, which is rendered and so has no noise, is never taken for one that
// stands still.
func TestMovingFaceIsNotStiff(t *testing.T) {
	eye := openEye(t, nil)
	stiff := health.Frozen{Held: health.Held{For: 500 * time.Millisecond}}
	faces := 0
	for i, p := range pictures(t, 0, 23) {
		at := time.Second + time.Duration(i)*time.Second/assets.DemoFPS
		s, err := eye.Look(&camera.Frame{Format: camera.MJPEG, Width: 640, Height: 480, Data: p, Sequence: uint32(i), Time: at})
		if err != nil {
			t.Fatal(err)
		}
		if s.FaceHash == 0 {
			continue
		}
		if faces++; stiff.Update(s.FaceHash, at) {
			t.Errorf("stiff for half a second at %v", at)
		}
	}
	if faces < 200 {
		t.Errorf("%d faces", faces)
	}
}
