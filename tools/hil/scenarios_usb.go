package main

import (
	"fmt"
	"strings"
	"time"

	"mien/tools/hil/wire"
)

// usbLink is the lasting name of the USB camera.
const usbLink = "usb-mien_test_camera-video-index0"

var usbConfig = strings.NewReplacer("/dev/video0", usbLink, "GREY", "MJPEG").Replace(baseConfig)

// usbScenarios are a USB camera with motion JPEG at the kernel's own uvcvideo:
// the one in the agent, at a virtual host controller.
var usbScenarios = []scenario{
	{name: "USB camera: motion JPEG through uvcvideo, byte by byte", ci: true, run: func(b *bench) {
		b.stopUnit()
		node := b.plug("neutral")
		text, code := b.mien("probe", "-v")
		for _, want := range []string{usbLink + " mien test camera", "MJPG 640x480@10", "not supported: a metadata node"} {
			b.check(code == 0 && strings.Contains(text, want), "probe does not say %q:\n%s", want, text)
		}
		list, err := b.pictures.jpegs("neutral")
		b.need(err)
		frames := 0
		for _, p := range list {
			c := b.capture(wire.Capture{Device: usbLink, Format: "MJPEG", Width: width, Height: height, Frames: 50, Want: sum(p)})
			last := c.Frames[len(c.Frames)-1]
			b.check(last.Sum == sum(p), "a picture of %d bytes does not come back in %d frames; the last has %d", len(p), len(c.Frames), last.Size)
			frames += len(c.Frames)
		}
		b.logf("%s: 4 JPEGs of the clip came back unchanged within %d frames", node, frames)
	}},
	{name: "USB camera: a frown in motion JPEG lights the lamp", run: func(b *bench) {
		b.usb("neutral")
		b.cleared()
		b.usbShow("frown", 0)
		b.becomes(lamp, true, onDelay+slack)
		b.becomes(horn, true, slack)
		b.usbShow("neutral", 0)
		b.cleared()
	}},
	{name: "USB camera: every second picture cut off", fault: true, run: func(b *bench) {
		b.usb("neutral")
		b.usbShow("neutral", 2)
		b.toggles(4, 2*slack)
		s := b.status()
		b.usbShow("neutral", 0)
		b.toggles(2, slack)
		b.logf("results flow from the whole ones; frames left out so far %d; faults meanwhile %v", s.Dropped, s.Faults)
	}},
	{name: "USB camera: it sends nothing any more", fault: true, run: func(b *bench) {
		b.usb("neutral")
		b.need(b.m.call("usbshow", wire.USBShow{}, nil))
		b.says("F01 camera lost", stale+slack)
		b.becomes(eyesLine, true, slack)
		b.usbShow("neutral", 0)
		b.says("F01 camera lost ended", 2*slack)
		b.toggles(2, slack)
	}},
	{name: "USB camera: the plug pulled twice", fault: true, ci: true, run: func(b *bench) {
		b.usb("neutral")
		var nodes []string
		for range 2 {
			b.from()
			began := time.Now()
			b.need(b.m.call("unplug", nil, nil))
			b.says("F01 camera lost", slack)
			b.stops(began, 2*time.Second)
			nodes = append(nodes, b.plug("neutral"))
			b.says("F01 camera lost ended", 2*slack)
			b.toggles(2, slack)
		}
		b.logf("back each time by itself, at %s", strings.Join(nodes, ", "))
		b.stopUnit()
		b.need(b.m.call("unplug", nil, nil))
	}},
}

// plug plugs the USB camera in, if it is not, and gives its node.
func (b *bench) plug(scene string) (node string) {
	b.need(b.m.call("unplug", nil, nil))
	b.need(b.m.call("plug", b.usbScene(scene, 0), &node))
	b.devices()
	return node
}

func (b *bench) usbScene(scene string, cut int) wire.USBShow {
	list, err := b.pictures.jpegs(scene)
	b.need(err)
	s := wire.USBShow{Every: 100 * time.Millisecond, CutEvery: cut}
	for i, p := range list {
		path := fmt.Sprintf("/tmp/pictures/%s-%d.jpg", scene, i)
		if !b.loaded[path] {
			b.need(b.m.put(path, p, 0o600))
			b.loaded[path] = true
		}
		s.Pictures = append(s.Pictures, path)
	}
	return s
}

// usbShow changes what the USB camera sends.
func (b *bench) usbShow(scene string, cut int) {
	b.need(b.m.call("usbshow", b.usbScene(scene, cut), nil))
}

// usb makes sure that the unit runs with the USB camera and is well.
func (b *bench) usb(scene string) {
	if b.unit == nil || b.config != usbConfig {
		b.stopUnit()
		b.plug(scene)
	}
	b.usbShow(scene, 0)
	b.running(usbConfig)
	b.from()
	b.toggles(1, slack)
	b.becomes(faultLine, false, slack)
}
