package v4l2

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"

	"mien/drivers/camera"
)

func TestList(t *testing.T) {
	cam, meta, denied := newSim(), newSim(), newSim()
	meta.cap.deviceCaps = capMetaCapture | capStreaming
	denied.fail("open", 1, unix.EACCES)
	w := new(simWebcam).offer(camera.MJPEG, 30, vga, pixels{1280, 720}).offer(camera.YUYV, 30, vga).offer('H'|'2'<<8|'6'<<16|'4'<<24, 30, vga)
	w.rates[[3]uint32{camera.YUYV, 640, 480}] = []webcam.FrameRate{
		{MinNumerator: 1, MaxNumerator: 1, MinDenominator: 15, MaxDenominator: 15},
		{MinNumerator: 1001, MaxNumerator: 1001, MinDenominator: 30000, MaxDenominator: 30000},
		{},
	}
	w.controls = map[webcam.ControlID]webcam.Control{7: {Name: "Gain", Max: 100, Step: 1}, 3: {Name: "Brightness", Min: -64, Max: 64, Step: 1}}
	w.values = map[webcam.ControlID]int32{7: 10, 3: 0}
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
	if len(d.Controls) != 2 || d.Controls[0].Name != "Brightness" || d.Controls[0].Min != -64 || d.Controls[1].Value != 10 {
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
	if cam.opened != cam.closed || meta.opened != meta.closed || w.open != 0 || cam.calls["S_FMT"]+cam.calls["REQBUFS"]+cam.calls["STREAMON"] != 0 {
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
		{"CSI receiver of a Raspberry Pi 5", capVideoCapture | capStreaming | capIOMC, "rp1-cfe", "v4l2loopback", false},
		{"CSI receiver of a Raspberry Pi 4", capVideoCapture | capStreaming | capIOMC, "unicam", "libcamera", false},
		{"image processor of a Raspberry Pi 4", capVideoCapture | capStreaming, "bcm2835-isp", "USB (UVC) camera", true},
		{"multi-planar", capVideoCaptureMplane | capStreaming, "rkisp1", "multi-planar", false},
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
		h := simMachine(t, new(simWebcam).offer(camera.YUYV, 30, vga), s)
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
	src, err := simMachine(t, new(simWebcam).offer(camera.YUYV, 30, vga), s).start(Settings{})
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
	err := refuseFormats("/dev/video0", all)
	for _, words := range []string{"Bayer", "pRAA", "USB (UVC) camera", "v4l2loopback"} {
		if !errors.Is(err, camera.ErrUnsupported) || !strings.Contains(err.Error(), words) {
			t.Errorf("%v; want %q in it", err, words)
		}
	}
	if err := refuseFormats("/dev/video0", list("H264", "pRAA")); !errors.Is(err, camera.ErrUnsupported) || !strings.Contains(err.Error(), "H264 pRAA") {
		t.Errorf("%v", err)
	}
	if err := refuseFormats("/dev/video0", nil); !errors.Is(err, camera.ErrUnsupported) {
		t.Errorf("%v", err)
	}
	if err := refuseFormats("/dev/video0", append(all, list("MJPG")...)); err != nil {
		t.Errorf("a camera with one good format: %v", err)
	}

	s := newSim() // as on a Jetson
	w := new(simWebcam).offer('R'|'G'<<8|'1'<<16|'0'<<24, 30, pixels{3280, 2464})
	if _, err := simMachine(t, w, s).start(Settings{}); !errors.Is(err, camera.ErrUnsupported) || !strings.Contains(err.Error(), "Bayer") {
		t.Errorf("%v", err)
	}
}
