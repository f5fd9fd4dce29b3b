package v4l2

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mien/drivers/camera"
	"mien/drivers/device"
)

// list makes what a camera offers out of "YUYV 640x480@30 1280x720@10".
func list(lines ...string) []Format {
	var all []Format
	for _, line := range lines {
		words := strings.Fields(line)
		f := Format{}
		for i := range 4 {
			f.FourCC |= uint32(words[0][i]) << (8 * i)
		}
		f.Usable = usable(f.FourCC)
		for _, w := range words[1:] {
			var s Size
			var fps float64
			if n, _ := fmt.Sscanf(w, "%dx%d-%dx%d/%dx%d", &s.Width, &s.Height, &s.MaxWidth, &s.MaxHeight, &s.StepWidth, &s.StepHeight); n == 6 {
			} else if n, _ := fmt.Sscanf(w, "%dx%d@%g", &s.Width, &s.Height, &fps); n >= 2 {
				s.MaxWidth, s.MaxHeight = s.Width, s.Height
				if fps > 0 {
					s.FPS = []float64{fps}
				}
			} else if w != "any" {
				panic(w)
			}
			f.Sizes = append(f.Sizes, s)
		}
		all = append(all, f)
	}
	return all
}

func TestChoose(t *testing.T) {
	usb := list("YUYV 320x240@30 640x480@30 1280x720@10 1920x1080@5", "MJPG 320x240@30 640x480@30 1280x720@30 1920x1080@30")
	for _, test := range []struct {
		name string
		list []Format
		s    Settings
		want string
	}{
		{"raw where it reaches the rate", usb, Settings{}, "YUYV 640x480"},
		{"MJPEG where raw is too slow", usb, Settings{Width: 1280, Height: 720}, "MJPG 1280x720"},
		{"raw at the rate it has", usb, Settings{Width: 1280, Height: 720, FPS: 10}, "YUYV 1280x720"},
		{"29.97 reaches 30", list("YUYV 640x480@29.97", "MJPG 640x480@30"), Settings{}, "YUYV 640x480"},
		{"a named format, however slow", usb, Settings{Format: "yuy2", Width: 1920, Height: 1080}, "YUYV 1920x1080"},
		{"the driver calls it JPEG", list("JPEG 640x480@30"), Settings{Format: "MJPG"}, "JPEG 640x480"},
		{"the next larger size", usb, Settings{Width: 500, Height: 300}, "YUYV 640x480"},
		{"the largest when none is large enough", usb, Settings{Width: 4000, Height: 3000}, "MJPG 1920x1080"},
		{"a size before a format", list("NV12 1280x720@30", "GREY 640x480@30"), Settings{}, "GREY 640x480"},
		{"luma planes first", list("MJPG 640x480@30", "GREY 640x480@30", "YUYV 640x480@30", "NV12 640x480@30"), Settings{}, "NV12 640x480"},
		{"rates not listed", list("YUYV 640x480", "MJPG 640x480@30"), Settings{}, "YUYV 640x480"},
		{"sizes not listed", list("GREY", "YUYV"), Settings{Width: 800, Height: 600}, "YUYV 800x600"},
		{"bounds not known", list("GREY any"), Settings{Width: 800, Height: 600}, "GREY 800x600"},
		{"listed exactly before unlisted", list("NV12", "MJPG 640x480@30"), Settings{}, "MJPG 640x480"},
		{"unlisted before a larger one", list("UYVY", "YUYV 1280x720@30"), Settings{}, "UYVY 640x480"},
		{"a range that holds it", list("YUYV 48x32-4096x2160/2x2"), Settings{Width: 642, Height: 482}, "YUYV 642x482"},
		{"a range with steps", list("YUYV 32x32-1920x1080/16x8"), Settings{Width: 650, Height: 483}, "YUYV 656x480"},
		{"a range that ends before", list("YUYV 32x32-320x240/16x16"), Settings{}, "YUYV 320x240"},
		{"a range whose last step passes its end", list("YUYV 30x30-100x100/16x16"), Settings{}, "YUYV 94x94"},
		{"what cannot be read is not chosen", list("H264 640x480@30", "BGR3 640x480@30", "GREY 320x240@5"), Settings{}, "GREY 320x240"},
		{"not offered", usb, Settings{Format: "NV12"}, "not supported: format NV12 is not among YUYV MJPG"},
	} {
		s, format, err := test.s.check()
		if err != nil {
			t.Fatal(err)
		}
		r, err := choose(test.list, s, format)
		got := fmt.Sprintf("%s %dx%d", camera.FormatName(r.fourcc), r.Width, r.Height)
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestSettingsRefused(t *testing.T) {
	for _, s := range []Settings{
		{Format: "H264"}, {Width: 640}, {Height: 480}, {Width: -1, Height: 480}, {Width: 20000, Height: 480},
		{FPS: -1}, {FPS: 1e9}, {Stride: -1}, {Stride: 1 << 30},
	} {
		if _, err := simMachine(t, &simListing{}, newSim()).start(s); !errors.Is(err, camera.ErrUnsupported) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

func TestOpenByEveryName(t *testing.T) {
	a, b := newSim(), newSim()
	copy(b.cap.card[:], "The Second Camera\x00")
	h := simMachine(t, new(simListing).offer(camera.YUYV, 30, vga), a, b)
	for _, link := range []string{"by-id/usb-Acme_Cam-video-index0", "by-path/platform-usb-0:1.2-video-index0"} {
		path := filepath.Join(h.dev, "v4l", link)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("../../video1", path); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{
		"usb-Acme_Cam-video-index0", "platform-usb-0:1.2-video-index0", "video1", "1",
		h.dev + "/video1", h.dev + "/v4l/by-id/usb-Acme_Cam-video-index0",
	} {
		src, err := h.start(Settings{Device: name})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := src.Info().Name; got != "The Second Camera" {
			t.Errorf("%s opened %s", name, got)
		}
		src.Close()
	}
	_, err := h.start(Settings{Device: "usb-Gone-video-index0"})
	if !errors.Is(err, camera.ErrNotFound) || !strings.Contains(err.Error(), "usb-Acme_Cam-video-index0") {
		t.Errorf("a camera that is not there: %v; want the names of those that are", err)
	}
	if _, err := h.start(Settings{Device: "/nowhere/video9"}); !errors.Is(err, camera.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func TestFirstUsableCamera(t *testing.T) {
	meta, busy, good := newSim(), newSim(), newSim()
	meta.cap.deviceCaps = capMetaCapture | capStreaming
	busy.fail("S_FMT", 1, unix.EBUSY)
	busy.fail("S_FMT", 2, unix.EBUSY)
	h := simMachine(t, new(simListing).offer(camera.YUYV, 30, vga), meta, busy, good)
	src, err := h.start(Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if got := filepath.Base(src.Info().Device); got != "video2" {
		t.Errorf("opened %s", got)
	}
	src.Close()

	good.gone = true
	_, err = h.start(Settings{})
	for _, is := range []error{camera.ErrNotFound, camera.ErrUnsupported, camera.ErrBusy, unix.EBUSY} {
		if !errors.Is(err, is) {
			t.Errorf("%v is not %v", err, is)
		}
	}
	if strings.ContainsRune(err.Error(), '\n') {
		t.Errorf("more than one line: %q", err)
	}

	empty := &host{dev: t.TempDir()}
	if _, err := empty.start(Settings{}); !errors.Is(err, camera.ErrNotFound) || !strings.Contains(err.Error(), "USB camera") {
		t.Errorf("%v", err)
	}
	if _, err := empty.list(); !errors.Is(err, camera.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

// Whatever call fails while a camera is opened, with whatever error, nothing
// stays open or mapped, and the text says what to do.
func TestOpenFailsHalfWay(t *testing.T) {
	for _, test := range []struct {
		call  string
		nth   int
		err   error
		is    error
		words string
	}{
		{"open", 1, unix.EACCES, camera.ErrPermission, "DENIED"},
		{"open", 2, unix.EPERM, camera.ErrPermission, "DENIED"},
		{"open", 1, unix.ENOENT, camera.ErrNotFound, "video0"},
		{"open", 1, unix.EBUSY, camera.ErrBusy, "sudo fuser -v"},
		{"open", 2, unix.EMFILE, unix.EMFILE, "video0"},
		{"QUERYCAP", 1, unix.ENODEV, camera.ErrNotFound, "video0"},
		{"QUERYCAP", 1, unix.ENOTTY, camera.ErrUnsupported, "does not answer as a V4L2 device"},
		{"S_FMT", 1, unix.EBUSY, camera.ErrBusy, "VIDIOC_S_FMT"},
		{"S_FMT", 1, unix.EIO, unix.EIO, "VIDIOC_S_FMT"},
		{"S_PARM", 1, unix.ENODEV, camera.ErrGone, "VIDIOC_S_PARM"},
		{"REQBUFS", 1, unix.EBUSY, camera.ErrBusy, "another program"},
		{"REQBUFS", 1, unix.EINVAL, unix.EINVAL, "VIDIOC_REQBUFS"}, // vivid's "inject queue_setup error"
		{"QUERYBUF", 1, unix.EINVAL, unix.EINVAL, "VIDIOC_QUERYBUF"},
		{"QUERYBUF", 3, unix.ENODEV, camera.ErrGone, "VIDIOC_QUERYBUF"},
		{"mmap", 1, unix.ENOMEM, unix.ENOMEM, "mmap"},
		{"mmap", 4, unix.ENOMEM, unix.ENOMEM, "mmap"},
		{"QBUF", 1, unix.EINVAL, unix.EINVAL, "VIDIOC_QBUF"}, // vivid's "inject buf_prepare error"
		{"QBUF", 4, unix.EIO, unix.EIO, "VIDIOC_QBUF"},
		{"STREAMON", 1, unix.ENOSPC, unix.ENOSPC, "USB bandwidth"},
		{"STREAMON", 1, unix.ENOLINK, unix.ENOLINK, "no signal"},
		{"STREAMON", 1, unix.EINVAL, unix.EINVAL, "VIDIOC_STREAMON"}, // vivid's "inject start_streaming error"
		{"STREAMON", 1, unix.ENODEV, camera.ErrGone, "VIDIOC_STREAMON"},
		{"STREAMON", 1, unix.EBUSY, camera.ErrBusy, "VIDIOC_STREAMON"},
		{"STREAMON", 1, unix.EPROTO, unix.EPROTO, "the USB transfer failed: try another cable, a socket of the board itself in place of a hub, and look at the supply"},
		{"S_FMT", 1, unix.ETIMEDOUT, unix.ETIMEDOUT, "cable"},
		{"open", 2, unix.EILSEQ, unix.EILSEQ, "docs/cameras.md#usb-cameras"},
	} {
		s := newSim()
		w := new(simListing).offer(camera.YUYV, 30, vga)
		h := simMachine(t, w, s)
		s.fail(test.call, test.nth, test.err)
		words := strings.ReplaceAll(test.words, "DENIED", device.Camera.Denied(filepath.Join(h.dev, "video0")))
		_, err := h.start(Settings{Device: "video0"})
		if !errors.Is(err, test.is) || !errors.Is(err, test.err) || !strings.Contains(fmt.Sprint(err), words) || !strings.Contains(fmt.Sprint(err), "video0") {
			t.Errorf("%s, call %d, %v: %v", test.call, test.nth, test.err, err)
		}
		if s.opened != s.closed || s.mapped != 0 {
			t.Errorf("%s, call %d: left behind %d nodes, %d maps", test.call, test.nth, s.opened-s.closed, s.mapped)
		}
		src, err := h.start(Settings{Device: "video0"}) // the cause has gone
		if err != nil {
			t.Errorf("%s, call %d: the next try: %v", test.call, test.nth, err)
			continue
		}
		mustNext(t, src, time.Second)
		src.Close()
	}
}

// uvcvideo's EIO is an answer of the camera that did not come whole. Other drivers
// mean other things by it.
func TestEIOOfAUSBCameraIsTheWire(t *testing.T) {
	for driver, want := range map[string]bool{"uvcvideo": true, "unicam": false} {
		s := newSim()
		s.cap.driver = [16]byte{}
		copy(s.cap.driver[:], driver)
		s.fail("STREAMON", 1, unix.EIO)
		_, err := simMachine(t, new(simListing).offer(camera.YUYV, 30, vga), s).start(Settings{})
		if !errors.Is(err, unix.EIO) || strings.Contains(err.Error(), "cable") != want {
			t.Errorf("%s: %v", driver, err)
		}
	}
}

func TestBusyNamesTheHolder(t *testing.T) {
	s := newSim()
	h := simMachine(t, new(simListing).offer(camera.YUYV, 30, vga), s)
	fds := filepath.Join(h.proc, "4242", "fd")
	if err := os.MkdirAll(fds, 0o700); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(h.proc, "4242", "comm"), []byte("motion\n"), 0o600)
	for i := range 2 {
		if err := os.Symlink(filepath.Join(h.dev, "video0"), filepath.Join(fds, fmt.Sprint(i+3))); err != nil {
			t.Fatal(err)
		}
	}
	own := filepath.Join(h.proc, fmt.Sprint(os.Getpid()), "fd") // not another program
	if err := os.MkdirAll(own, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(h.dev, "video0"), filepath.Join(own, "3")); err != nil {
		t.Fatal(err)
	}
	s.fail("REQBUFS", 1, unix.EBUSY)
	_, err := h.start(Settings{Device: "video0"})
	if !errors.Is(err, camera.ErrBusy) || !strings.Contains(err.Error(), "held by motion (process 4242);") {
		t.Errorf("%v", err)
	}
	devices, err := h.list()
	if err != nil || !slices.Equal(devices[0].Holders, []string{"motion (process 4242)"}) {
		t.Errorf("%v, %v", devices, err)
	}
}

func TestDriverChangesWhatWasAsked(t *testing.T) {
	for _, test := range []struct {
		name   string
		offer  uint32
		s      Settings
		adjust func(*v4l2PixFormat)
		want   string // the frame, or words of the error
		warns  string
	}{
		{"another size", camera.YUYV, Settings{}, func(p *v4l2PixFormat) { p.width, p.height, p.bytesPerLine, p.sizeImage = 320, 240, 640, 640*240 },
			"YUYV 320x240 stride 640", "asked for 640x480 pixels, the camera gives 320x240"},
		{"a wider stride", camera.GREY, Settings{}, func(p *v4l2PixFormat) { p.bytesPerLine, p.sizeImage = 704, 704*480 }, "GREY 640x480 stride 704", ""},
		{"a stride that cannot be had", camera.GREY, Settings{Stride: 1000}, func(p *v4l2PixFormat) { p.bytesPerLine, p.sizeImage = 640, 640*480 },
			"GREY 640x480 stride 640", "asked for 1000 bytes a row, the camera gives 640"},
		{"no stride", camera.UYVY, Settings{}, func(p *v4l2PixFormat) { p.bytesPerLine = 0 }, "UYVY 640x480 stride 1280", ""},
		{"another format that can be read", camera.YUYV, Settings{}, func(p *v4l2PixFormat) { p.pixelFormat, p.bytesPerLine, p.sizeImage = camera.GREY, 640, 640*480 },
			"GREY 640x480 stride 640", ""},
		{"JPEG for MJPG", camera.MJPEG, Settings{}, func(p *v4l2PixFormat) { p.pixelFormat, p.sizeImage = fourccJPEG, 65536 }, "MJPG 64x48 stride 0", ""},
		{"another format than the one named", camera.YUYV, Settings{Format: "YUYV"}, func(p *v4l2PixFormat) { p.pixelFormat = camera.UYVY }, "asked for YUYV, the driver gives UYVY", ""},
		{"a format that cannot be read", camera.YUYV, Settings{}, func(p *v4l2PixFormat) { p.pixelFormat = 'R' | 'G'<<8 | '1'<<16 | '0'<<24 }, "the driver gives RG10", ""},
		{"a stride below the width", camera.YUYV, Settings{}, func(p *v4l2PixFormat) { p.bytesPerLine = 1000 }, "1000 bytes a row", ""},
		{"a stride beyond reason", camera.YUYV, Settings{}, func(p *v4l2PixFormat) { p.bytesPerLine = 1 << 31 }, "bytes a row", ""},
		{"a size beyond reason", camera.YUYV, Settings{}, func(p *v4l2PixFormat) { p.width = 1 << 31 }, "2147483648x480", ""},
		{"no size", camera.YUYV, Settings{}, func(p *v4l2PixFormat) { p.width = 0 }, "0x480", ""},
		{"too few bytes", camera.NV12, Settings{}, func(p *v4l2PixFormat) { p.sizeImage = 640 * 480 }, "307200 bytes for a picture of 460800", ""},
		{"fields apart", camera.YUYV, Settings{}, func(p *v4l2PixFormat) { p.field = 7 }, "fields", ""},
		{"fields woven", camera.YUYV, Settings{}, func(p *v4l2PixFormat) { p.field = fieldInterlaced }, "YUYV 640x480 stride 1280", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSim()
			if s.adjust = test.adjust; test.offer == camera.MJPEG {
				s.fill = fillJPEG
			}
			h := simMachine(t, new(simListing).offer(test.offer, 30, vga), s)
			src, err := h.start(test.s)
			if err != nil {
				if !errors.Is(err, camera.ErrUnsupported) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%v, want %s", err, test.want)
				}
			} else {
				f := mustNext(t, src, time.Second)
				if got := fmt.Sprintf("%s %dx%d stride %d", camera.FormatName(f.Format), f.Width, f.Height, f.Stride); got != test.want {
					t.Errorf("%s, want %s", got, test.want)
				}
				if warnings := strings.Join(src.Info().Warnings, "; "); test.offer != camera.MJPEG && warnings != test.warns {
					t.Errorf("warned %q, want %q", warnings, test.warns)
				}
				src.Release()
				src.Close()
			}
			if s.opened != s.closed || s.mapped != 0 {
				t.Errorf("left behind: %d nodes, %d maps", s.opened-s.closed, s.mapped)
			}
		})
	}
}

func TestFrameRate(t *testing.T) {
	for _, test := range []struct {
		name   string
		fps    float64
		driver func(*v4l2StreamParm)
		err    error
		want   float64
		warns  bool
	}{
		{"as asked", 15, nil, nil, 15, false},
		{"a fraction", 7.5, nil, nil, 7.5, false},
		{"the driver's own", 30, func(p *v4l2StreamParm) { p.timePerFrame = v4l2Fract{1001, 30000} }, nil, 30000.0 / 1001, false},
		{"a slower one", 30, func(p *v4l2StreamParm) { p.timePerFrame = v4l2Fract{1, 5} }, nil, 5, true},
		{"not told", 30, func(p *v4l2StreamParm) { p.capability = 0 }, nil, 0, false},
		{"nonsense", 30, func(p *v4l2StreamParm) { p.timePerFrame = v4l2Fract{0, 0} }, nil, 0, false},
		{"cannot be set", 30, nil, unix.ENOTTY, 0, false},
		{"cannot be set here", 30, nil, unix.EINVAL, 0, false},
		{"fails to be set", 30, nil, unix.EIO, 0, true},
		{"set by another program", 30, nil, unix.EBUSY, 0, true},
		{"a million a second", 30, func(p *v4l2StreamParm) { p.timePerFrame = v4l2Fract{1, 1000000} }, nil, 0, false},
	} {
		s := newSim()
		s.setRate = test.driver
		if test.err != nil {
			s.fail("S_PARM", 1, test.err)
		}
		src, err := simMachine(t, new(simListing).offer(camera.YUYV, 30, vga), s).start(Settings{FPS: test.fps})
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if i := src.Info(); i.FPS != test.want || (len(i.Warnings) > 0) != test.warns {
			t.Errorf("%s: %v frames/s, warnings %q", test.name, i.FPS, i.Warnings)
		}
		src.Close()
	}
}

func TestBuffersGranted(t *testing.T) {
	for _, test := range []struct {
		least, most uint32
		slots       int
	}{{0, 2, 2}, {0, 3, 3}, {0, 4, 4}, {9, 0, 9}} {
		s := newSim()
		s.least, s.most = test.least, test.most
		c := started(t, s, camera.GREY)
		if len(c.slots) != test.slots {
			t.Errorf("%d buffers, want %d", len(c.slots), test.slots)
		}
		for want := range uint32(30) {
			if f := mustNext(t, c, time.Second); f.Sequence != want {
				t.Fatalf("%d buffers: sequence %d, want %d", test.slots, f.Sequence, want)
			}
		}
	}
	s := newSim()
	s.most = 1
	h := simMachine(t, new(simListing).offer(camera.GREY, 30, vga), s)
	if _, err := h.start(Settings{}); !errors.Is(err, camera.ErrUnsupported) || !strings.Contains(err.Error(), "the driver grants 1") {
		t.Errorf("%v", err)
	}
}
