package v4l2

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mien/drivers/camera"
)

func TestList(t *testing.T) {
	cam, meta, denied := newSim(), newSim(), newSim()
	meta.cap.deviceCaps = capMetaCapture | capStreaming
	denied.fail("open", 1, unix.EACCES)
	w := new(simListing).offer(camera.MJPEG, 30, vga, pixels{1280, 720}).offer(camera.YUYV, 30, vga).offer('H'|'2'<<8|'6'<<16|'4'<<24, 30, vga)
	w.rates[[3]uint32{camera.YUYV, 640, 480}] = []v4l2FrmIvalEnum{
		{typ: frmDiscrete, min: v4l2Fract{1, 15}}, {typ: frmDiscrete, min: v4l2Fract{1001, 30000}}, {typ: frmDiscrete},
	}
	w.controls = []simControl{control(7, ctrlInteger, "Gain", 0, 100, 10), control(3, ctrlInteger, "Brightness", -64, 64, 0)}
	h := simMachine(t, w, cam, meta, denied)
	byID := filepath.Join(h.dev, "v4l/by-id")
	os.MkdirAll(byID, 0o700)
	os.Symlink("../../video0", filepath.Join(byID, "usb-Acme-video-index0"))
	os.Symlink("../../video1", filepath.Join(byID, "usb-Acme-video-index1"))
	os.Symlink("../../video9", filepath.Join(byID, "usb-Unplugged-video-index0"))
	os.WriteFile(filepath.Join(h.dev, "videofoo"), nil, 0o600) // not a node's name

	devices, err := h.list()
	if err != nil || len(devices) != 3 {
		t.Fatalf("%d devices, %v", len(devices), err)
	}
	d := devices[0]
	if d.Problem != nil || d.Name != "Simulated Camera" || d.Driver != "simvideo" || d.Bus != "usb-sim-1" ||
		!slices.Equal(d.Links, []string{filepath.Join(byID, "usb-Acme-video-index0")}) {
		t.Errorf("%+v", d)
	}
	var text []string
	for _, f := range d.Formats {
		for _, s := range f.Sizes {
			text = append(text, fmt.Sprintf("%s %v %dx%d %v", camera.FormatName(f.FourCC), f.Usable, s.Width, s.Height, s.FPS))
		}
	}
	want := []string{"YUYV true 640x480 [29.97 15]", "MJPG true 640x480 [30]", "MJPG true 1280x720 [30]", "H264 false 640x480 [30]"}
	if !slices.Equal(text, want) {
		t.Errorf("formats:\n%s\nwant\n%s", strings.Join(text, "\n"), strings.Join(want, "\n"))
	}
	if len(d.Controls) != 2 || d.Controls[0].Name != "brightness" || d.Controls[0].Min != -64 || d.Controls[1].Value != 10 {
		t.Errorf("%+v", d.Controls)
	}
	if d.Other != "" || devices[1].Other != "a metadata node" || devices[2].Other != "" {
		t.Errorf("others: %q, %q, %q", d.Other, devices[1].Other, devices[2].Other)
	}
	if err := devices[1].Problem; !errors.Is(err, camera.ErrUnsupported) || !strings.Contains(err.Error(), "metadata") || !strings.Contains(err.Error(), "index0") {
		t.Errorf("%v", err)
	}
	if err := devices[2].Problem; !errors.Is(err, camera.ErrPermission) {
		t.Errorf("%v", err)
	}
	if cam.opened != cam.closed || meta.opened != meta.closed || cam.calls["S_FMT"]+cam.calls["REQBUFS"]+cam.calls["STREAMON"] != 0 {
		t.Errorf("listing left something open or changed something: %v", cam.calls)
	}
}

func TestNodesInOrder(t *testing.T) {
	h := &host{dev: t.TempDir()}
	for _, n := range []string{"video10", "video2", "video0", "video-1", "videoX", "vbi0"} {
		os.WriteFile(filepath.Join(h.dev, n), nil, 0o600)
	}
	var got []string
	for _, n := range h.nodes() {
		got = append(got, filepath.Base(n))
	}
	if !slices.Equal(got, []string{"video0", "video2", "video10"}) {
		t.Error(got)
	}
}

func TestNodesThatAreNoCamera(t *testing.T) {
	for _, test := range []struct {
		name   string
		caps   uint32
		driver string
		words  string
		other  bool // something else than a camera, not a camera that cannot be used
	}{
		{"metadata of a USB camera", capMetaCapture | capStreaming, "uvcvideo", "metadata", true},
		{"codec", capVideoM2MMplane | capStreaming, "bcm2835-codec", "codec", true},
		{"scaler", capVideoM2M | capStreaming, "vim2m", "codec or scaler", true},
		{"CSI receiver of a Raspberry Pi 5", capVideoCapture | capStreaming | capIOMC, "rp1-cfe", "docs/cameras.md#csi-on-a-raspberry-pi", false},
		{"CSI receiver of a Raspberry Pi 4", capVideoCapture | capStreaming | capIOMC, "unicam", "libcamera", false},
		{"CSI receiver of a Jetson", capVideoCapture | capStreaming | capIOMC, "tegra-video", "nvarguscamerasrc make pictures of it, by camera.command: docs/cameras.md#csi-on-a-jetson", false},
		{"image processor of a Raspberry Pi 4", capVideoCapture | capStreaming, "bcm2835-isp", "USB (UVC) camera", true},
		{"loopback without a producer", capVideoOutput | capStreaming, "v4l2 loopback", "nothing is fed", false},
		{"output", capVideoOutput | capStreaming, "vivid", "output", true},
		{"radio", 0x00040000, "si470x", "no video capture", true},
		{"read() only", capVideoCapture | 0x01000000, "old", "no streaming", false},
	} {
		s := newSim()
		s.cap.deviceCaps = test.caps
		s.cap.capabilities |= capVideoCapture // as for the whole device: it must not count
		s.cap.driver = [16]byte{}
		copy(s.cap.driver[:], test.driver)
		s.cap.busInfo = [32]byte{}
		copy(s.cap.busInfo[:], "platform:sim")
		h := simMachine(t, new(simListing).offer(camera.YUYV, 30, vga), s)
		_, err := h.start(Settings{Device: "video0"})
		if !errors.Is(err, camera.ErrUnsupported) || !strings.Contains(err.Error(), test.words) {
			t.Errorf("%s: %v", test.name, err)
		}
		if list, err := h.list(); err != nil || (list[0].Other != "") != test.other || list[0].Other != "" && !strings.Contains(list[0].Problem.Error(), list[0].Other) {
			t.Errorf("%s: listed as %+v, %v", test.name, list, err)
		}
	}
	s := newSim() // a driver from before device_caps
	s.cap.capabilities, s.cap.deviceCaps = capVideoCapture|capStreaming, 0
	src, err := simMachine(t, new(simListing).offer(camera.YUYV, 30, vga), s).start(Settings{})
	if err != nil {
		t.Fatal(err)
	}
	src.Close()
}

// Every raw format of videodev2.h 6.1 and the PiSP ones of 6.12.
func TestBayerIsRefused(t *testing.T) {
	codes := strings.Fields("BA81 GBRG GRBG RGGB BG10 GB10 BA10 RG10 pBAA pGAA pgAA pRAA aBA8 aGA8 agA8 aRA8 bBA8 bGA8 BD10 bRA8 " +
		"BG12 GB12 BA12 RG12 pBCC pGCC pgCC pRCC BG14 GB14 GR14 RG14 pBEE pGEE pgEE pREE BYR2 GB16 GR16 RG16 " +
		"ip3b ip3g ip3G ip3r PC1R PC1G PC1g PC1B PC2R PC1M")
	var all []Format
	for _, code := range codes {
		f := list(code)[0]
		all = append(all, f)
		if !isBayer(f.FourCC) {
			t.Errorf("%s is not known as raw", code)
		}
	}
	for _, code := range []string{"YUYV", "MJPG", "H264", "GREY", "NV12", "pBXX", "BGR3", "RGB3", "Y10P"} {
		if isBayer(list(code)[0].FourCC) {
			t.Errorf("%s passes for raw", code)
		}
	}
	pi, jetson, usb := Device{Driver: "unicam", Bus: "platform:fe801000.csi"}, Device{Driver: "tegra-video", Bus: "platform:tegra-capture-vi:0"}, Device{Driver: "uvcvideo", Bus: "usb-0000:01:00.0-1.1"}
	err := refuseFormats("/dev/video0", pi.wayOut(), all)
	for _, words := range []string{"Bayer", "pRAA", "USB (UVC) camera", "camera.command"} {
		if !errors.Is(err, camera.ErrUnsupported) || !strings.Contains(err.Error(), words) {
			t.Errorf("%v; want %q in it", err, words)
		}
	}
	if err := refuseFormats("/dev/video0", usb.wayOut(), list("H264", "pRAA")); !errors.Is(err, camera.ErrUnsupported) || !strings.Contains(err.Error(), "H264 pRAA") {
		t.Errorf("%v", err)
	}
	if err := refuseFormats("/dev/video0", usb.wayOut(), nil); !errors.Is(err, camera.ErrUnsupported) {
		t.Errorf("%v", err)
	}
	if err := refuseFormats("/dev/video0", usb.wayOut(), append(all, list("MJPG")...)); err != nil {
		t.Errorf("a camera with one good format: %v", err)
	}

	s := newSim() // as on a Jetson
	s.cap.driver = [16]byte{}
	copy(s.cap.driver[:], "tegra-video")
	s.cap.busInfo = [32]byte{}
	w := new(simListing).offer('R'|'G'<<8|'1'<<16|'0'<<24, 30, pixels{3280, 2464})
	if _, err := simMachine(t, w, s).start(Settings{}); !errors.Is(err, camera.ErrUnsupported) || !strings.Contains(err.Error(), "Bayer") ||
		!strings.Contains(err.Error(), "nvarguscamerasrc") || strings.Contains(err.Error(), "libcamera") {
		t.Errorf("%v", err)
	}
	// The way out is one for the camera that it is.
	for _, c := range []struct {
		of        Device
		formats   string
		says, not string
	}{
		{usb, "H264", "only compressed video (H264)", "use a USB"},
		{usb, "H264", "choose a camera that lists MJPG or YUYV", "libcamera"},
		{usb, "HEVC H264", "docs/cameras.md#usb-cameras", "libcamera"},
		{usb, "GRBG", "choose a camera that lists MJPG or YUYV", "libcamera"},
		{usb, "Y16_ H264", "it offers only Y16_ H264; mien reads NV12", "libcamera"},
		{jetson, "RG10", "docs/cameras.md#csi-on-a-jetson", "libcamera"},
		{pi, "pRAA", "docs/cameras.md#csi-on-a-raspberry-pi", "nvargus"},
		{Device{Driver: "v4l2 loopback", Bus: "platform:v4l2loopback-010"}, "BGR3", "let the program that feeds it give I420", "USB"},
	} {
		err := refuseFormats("/dev/video0", c.of.wayOut(), list(strings.Fields(c.formats)...))
		if !errors.Is(err, camera.ErrUnsupported) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), c.not) {
			t.Errorf("%s of %s: %v; want %q and not %q in it", c.formats, c.of.Driver, err, c.says, c.not)
		}
	}
}

// A camera of which another node gives pictures: its name is the way out.
func TestAnotherNodeOfTheCameraIsNamed(t *testing.T) {
	meta, pictures, other := newSim(), newSim(), newSim()
	meta.cap.deviceCaps = capMetaCapture | capStreaming
	other.cap.busInfo = [32]byte{}
	copy(other.cap.busInfo[:], "usb-sim-2")
	h := simMachine(t, new(simListing).offer(camera.YUYV, 30, vga), other, meta, pictures)
	_, err := h.start(Settings{Device: "video1"})
	if !errors.Is(err, camera.ErrUnsupported) || !strings.HasSuffix(fmt.Sprint(err), "; the same camera gives pictures at "+filepath.Join(h.dev, "video2")) {
		t.Errorf("%v", err)
	}
	h = simMachine(t, new(simListing).offer(camera.YUYV, 30, vga), other, meta)
	if _, err := h.start(Settings{Device: "video1"}); err == nil || strings.Contains(err.Error(), "the same camera") {
		t.Errorf("%v", err)
	}
	for _, s := range []*simDriver{meta, pictures, other} {
		if s.opened != s.closed {
			t.Errorf("left behind %d nodes", s.opened-s.closed)
		}
	}
}

// Two cameras of one kind without serial numbers share the name by-id, which udev
// gives to the one that came last. Each is told by its socket.
func TestCamerasThatShareAName(t *testing.T) {
	machine := func(names ...string) *host {
		var all []*simDriver
		for range names {
			all = append(all, newSim())
		}
		h := simMachine(t, new(simListing).offer(camera.YUYV, 30, vga), all...)
		for i, name := range names {
			dir := filepath.Join(h.sys, fmt.Sprintf("video%d", i))
			os.MkdirAll(dir, 0o700)
			os.WriteFile(filepath.Join(dir, "name"), []byte(name+"\n"), 0o600)
			os.WriteFile(filepath.Join(dir, "index"), []byte("0\n"), 0o600)
			os.MkdirAll(filepath.Join(h.dev, "v4l/by-path"), 0o700)
			os.MkdirAll(filepath.Join(h.dev, "v4l/by-id"), 0o700)
			os.Symlink(fmt.Sprintf("../../video%d", i), filepath.Join(h.dev, "v4l/by-path", fmt.Sprintf("usb-0:1.%d:1.0-video-index0", i)))
		}
		return h
	}
	id := func(h *host, node int, name string) string {
		path := filepath.Join(h.dev, "v4l/by-id", name)
		os.Symlink(fmt.Sprintf("../../video%d", node), path)
		return path
	}
	h := machine("HD Webcam", "HD Webcam", "Other")
	shared, other := id(h, 1, "usb-HD_Webcam-video-index0"), id(h, 2, "usb-Other-video-index0")
	devices, err := h.list()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ name, shared string }{{"by-path/usb-0:1.0:1.0-video-index0", shared}, {"by-path/usb-0:1.1:1.0-video-index0", shared}, {"by-id/usb-Other-video-index0", ""}} {
		if d := devices[i]; d.Links[0] != filepath.Join(h.dev, "v4l", want.name) || d.Shared != want.shared {
			t.Errorf("video%d: %q, shared %q; want %v", i, d.Links, d.Shared, want)
		}
	}
	src, err := h.start(Settings{Device: filepath.Base(shared)})
	if err != nil {
		t.Fatal(err)
	}
	if w := src.Info().Warnings; len(w) != 1 || !strings.Contains(w[0], "usb-HD_Webcam-video-index0") || !strings.HasSuffix(w[0], ", usb-0:1.1:1.0-video-index0") {
		t.Errorf("opened by the shared name: %q", w)
	}
	src.Close()
	for _, name := range []string{other, "usb-0:1.1:1.0-video-index0"} {
		src, err := h.start(Settings{Device: name})
		if err != nil {
			t.Fatal(err)
		}
		if w := src.Info().Warnings; len(w) != 0 {
			t.Errorf("opened as %s: %q", name, w)
		}
		src.Close()
	}
	_, err = h.start(Settings{Device: "usb-Gone-video-index0"})
	if want := "there are usb-0:1.0:1.0-video-index0, usb-0:1.1:1.0-video-index0, usb-Other-video-index0"; !errors.Is(err, camera.ErrNotFound) || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v; want at its end %q", err, want)
	}

	// With serial numbers each has a name of its own.
	h = machine("HD Webcam", "HD Webcam")
	one, two := id(h, 0, "usb-HD_Webcam_1-video-index0"), id(h, 1, "usb-HD_Webcam_2-video-index0")
	devices, _ = h.list()
	if devices[0].Shared != "" || devices[1].Shared != "" || devices[0].Links[0] != one || devices[1].Links[0] != two {
		t.Errorf("%+v", devices)
	}
}
