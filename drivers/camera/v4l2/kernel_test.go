package v4l2

import (
	"errors"
	"os"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"mien/drivers/camera"
	"mien/drivers/device"
)

// The real node, on devices that every machine has.
func TestKernelNode(t *testing.T) {
	n, err := openNode("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	var c v4l2Capability
	if err := n.ioctl(vidiocQueryCap, unsafe.Pointer(&c)); !isRefusal(err) {
		t.Errorf("QUERYCAP on /dev/null: %v", err)
	}
	b := v4l2Buffer{typ: bufTypeVideoCapture, memory: memoryMmap}
	if err := n.buffer(vidiocDQBuf, &b); !isRefusal(err) {
		t.Errorf("DQBUF on /dev/null: %v", err)
	}
	if events, woken, err := n.wait(time.Second); events&unix.POLLIN == 0 || woken || err != nil {
		t.Errorf("wait on /dev/null: %#x %v %v", events, woken, err)
	}
	if err := n.close(); err != nil {
		t.Error(err)
	}
	if err := n.close(); !errors.Is(err, unix.EBADF) {
		t.Errorf("the second close: %v", err)
	}
	if _, err := openNode(write(t, "file", nil)); !errors.Is(err, camera.ErrUnsupported) {
		t.Errorf("a file: %v", err)
	}
	if _, err := openNode("/nowhere"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("%v", err)
	}
}

// isRefusal: qemu-user, which runs the ARM tests, does not pass V4L2 on.
func isRefusal(err error) bool { return errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.ENOSYS) }

// A real camera or vivid: MIEN_TEST_CAMERA names it, "first" for the first
// usable one. No test turns a camera on unasked.
func realCamera(t *testing.T) string {
	name := os.Getenv("MIEN_TEST_CAMERA")
	if name == "" {
		if devices, err := List(); err != nil {
			t.Skipf("%v", err)
		} else {
			t.Skipf("%d video nodes here; set MIEN_TEST_CAMERA to a node, a link or \"first\" to test with one", len(devices))
		}
	}
	if name == "first" {
		return ""
	}
	return name
}

func TestRealCamerasAreListed(t *testing.T) {
	realCamera(t)
	devices, err := List()
	if err != nil {
		t.Fatal(err)
	}
	usable := 0
	for _, d := range devices {
		if d.Problem == nil {
			usable++
		}
		t.Logf("%s %v %q (%s, %s) held by %v: %v", d.Node, d.Links, d.Name, d.Driver, d.Bus, d.Holders, d.Problem)
		for _, f := range d.Formats {
			if f.Usable {
				t.Logf("  %s: %d sizes, first %+v", camera.FormatName(f.FourCC), len(f.Sizes), f.Sizes[:min(1, len(f.Sizes))])
			}
		}
		t.Logf("  %d controls", len(d.Controls))
	}
	if usable == 0 {
		t.Error("none can be used")
	}
}

func TestRealCameraInEveryFormat(t *testing.T) {
	named := realCamera(t)
	src, err := Open(Settings{Device: named})
	if err != nil {
		t.Fatal(err)
	}
	node := realPath(src.Info().Device)
	src.Close()
	for _, f := range machine.inspect(node, func(uint32) bool { return false }).Formats {
		if !f.Usable {
			continue
		}
		s := Settings{Device: node, Format: camera.FormatName(f.FourCC)}
		src, err := Open(s)
		if err != nil {
			t.Errorf("%s: %v", s.Format, err)
			continue
		}
		i := src.Info()
		t.Logf("%s: %dx%d stride %d at %.4g frames/s %q", camera.FormatName(i.Format), i.Width, i.Height, i.Stride, i.FPS, i.Warnings)
		var last camera.Frame
		for k := range 10 {
			frame, err := src.Next(5 * time.Second)
			if err != nil {
				t.Errorf("%s: %v", s.Format, err)
				break
			}
			_, size := camera.PlaneSize(frame.Format, frame.Width, frame.Height, frame.Stride)
			age := device.Now() - frame.Time
			switch {
			case size > 0 && len(frame.Data) < size-frame.Stride, frame.Format == camera.MJPEG && len(frame.Data) < 100:
				t.Errorf("%s: %d bytes", s.Format, len(frame.Data))
			case age < -time.Second || age > 5*time.Second: // vivid stamps the end of a frame ahead of it
				t.Errorf("%s: %v old", s.Format, age)
			case k > 0 && (frame.Time <= last.Time || frame.Sequence-last.Sequence != frame.Lost+1):
				t.Errorf("%s: frame %d at %v with %d lost after frame %d at %v", s.Format, frame.Sequence, frame.Time, frame.Lost, last.Sequence, last.Time)
			}
			last = *frame
			src.Release()
		}
		if err := src.Close(); err != nil {
			t.Errorf("%s: %v", s.Format, err)
		}
	}
}

func TestRealCameraThousandTimes(t *testing.T) {
	named := realCamera(t)
	round := func() {
		src, err := Open(Settings{Device: named})
		if err != nil {
			t.Fatal(err)
		}
		if err := src.Close(); err != nil {
			t.Fatal(err)
		}
	}
	round()
	fds, maps := resources(t)
	for range 1000 {
		round()
	}
	fdsAfter, mapsAfter := resources(t)
	if fdsAfter > fds || mapsAfter > maps+8 {
		t.Errorf("descriptors %d, then %d; maps %d, then %d", fds, fdsAfter, maps, mapsAfter)
	}
}
