package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"mien/drivers/camera"
	"mien/tools/hil/wire"
)

// virtScenarios is the order in which they run: the machine alone, pictures,
// the running unit, what ends it, and last what resets the machine.
var virtScenarios = joined(machineScenarios, pictureScenarios(), unitScenarios, plcScenarios, faultScenarios, endScenarios, privacyScenarios, usbScenarios, driverScenarios(), watchdogScenarios)

func joined(lists ...[]scenario) (all []scenario) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

var machineScenarios = []scenario{
	{name: "version", ci: true, run: func(b *bench) {
		text, code := b.mien("version")
		b.check(code == 0 && strings.Contains(text, "linux/arm64"), "%d: %s", code, text)
		b.logf("%s", strings.SplitN(text, "\n", 2)[0])
	}},
	{name: "probe", ci: true, run: func(b *bench) {
		text, code := b.mien("probe", "-json")
		b.check(code == 0, "%d: %s", code, text)
		var f struct {
			Board   string
			Cameras []struct {
				Device  string
				Formats []string
				Problem string
			}
			Others []struct{ Device, Is string } `json:"other_video_nodes"`
			Chips  []struct {
				Label string
				Lines int
			} `json:"gpio_chips"`
			Ports     []struct{ Best, Driver string } `json:"serial_ports"`
			Libraries map[string]string
		}
		b.need(json.Unmarshal([]byte(text), &f))
		b.check(len(f.Cameras) == 3 && f.Cameras[0].Device == cameraNode && f.Cameras[0].Problem == "" && f.Cameras[1].Device == plainNode && f.Cameras[2].Device == mplaneNode && f.Cameras[2].Problem == "", "cameras: %.500v", f.Cameras)
		b.check(len(f.Others) == 1 && f.Others[0].Is == "a video output", "other video nodes: %v", f.Others)
		formats := strings.Join(f.Cameras[0].Formats, "\n")
		for _, want := range []string{"GREY 16x16", "YUYV 16x16", "UYVY 16x16", "NV12 16x16", "Y10 (not usable)"} {
			b.check(strings.Contains(formats, want), "%s has no %s: %s", cameraNode, want, formats)
		}
		b.check(len(f.Chips) == 1 && f.Chips[0].Label == chipLabel && f.Chips[0].Lines == 8, "chips: %+v", f.Chips)
		ports := fmt.Sprint(f.Ports)
		for _, p := range []string{plcPort, crossedA, crossedB} {
			b.check(strings.Contains(ports, p), "no %s in %s", p, ports)
		}
		for name, path := range f.Libraries {
			b.check(path != "missing", "%s is missing", name)
		}
		b.logf("%s; %d formats of %s; chip %s; ports %s", f.Board, len(f.Cameras[0].Formats), cameraNode, f.Chips[0].Label, ports)
	}},
	{name: "self-test with LiteRT", run: selfTest("litert", "litert")},
	{name: "self-test with the TFLite C API", run: selfTest("tflite", "tflite")},
	{name: "self-test: a person walks through camera, lines, serial port and watchdog", ci: true, run: walk},
	{name: "self-test: a person sees what is wrong", fault: true, run: walkWrong},
	{name: "a config with a mistake is refused with its line", fault: true, ci: true, run: func(b *bench) {
		b.need(b.m.put("/etc/mien/wrong.toml", []byte(configWith("min_rate = 0", "min_rat = 0")), 0o644))
		text, code := b.mien("run", "-config", "/etc/mien/wrong.toml")
		b.check(code == 3 && strings.Contains(text, "wrong.toml:22") && strings.Contains(text, "min_rate"), "%d: %s", code, text)
		b.logf("%s", strings.TrimSpace(text))
	}},
	{name: "a damaged network is refused", fault: true, ci: true, run: func(b *bench) {
		card, err := b.pictures.card()
		b.need(err)
		b.need(b.m.put("/tmp/net/affect.json", card, 0o644))
		b.need(b.m.put("/tmp/net/affect.tflite", []byte("TFL3, but no more"), 0o644))
		b.need(b.m.put("/etc/mien/wrong.toml", []byte(configWith(`backend = "litert"`, `card = "/tmp/net/affect.json"`)), 0o644))
		text, code := b.mien("run", "-config", "/etc/mien/wrong.toml")
		b.check(code == 3 && strings.Contains(text, "affect.tflite"), "%d: %s", code, text)
		b.logf("%s", strings.TrimSpace(text))
	}},
	{name: "a missing library is named", fault: true, ci: true, run: func(b *bench) {
		b.need(b.m.put("/etc/mien/wrong.toml", []byte(configWith(`backend = "litert"`, "backend = \"litert\"\nlibrary = \"/tmp/nothing.so\"")), 0o644))
		text, code := b.mien("selftest", "-config", "/etc/mien/wrong.toml")
		b.check(code == 1 && strings.Contains(text, "failed") && strings.Contains(text, "/tmp/nothing.so"), "%d: %s", code, text)
		b.logf("%s", strings.TrimSpace(strings.SplitN(text, "\n", 2)[0]))
	}},
	{name: "the kernel's console is refused as the PLC's port", fault: true, ci: true, run: func(b *bench) {
		b.need(b.m.put("/etc/mien/wrong.toml", []byte(configWith(plcPort, consolePort)), 0o644))
		text, code := b.mien("selftest", "-config", "/etc/mien/wrong.toml")
		line := field(text, `(?m)^(failed\s+serial port.*)$`)
		b.check(code == 1 && strings.Contains(line, "it is the system console"), "%d: %s", code, text)
		b.logf("%s", line)
	}},
}

// selfTest runs `mien selftest` on all that the config names.
func selfTest(backend, says string) func(b *bench) {
	return func(b *bench) {
		b.show("neutral")
		b.need(b.m.put("/etc/mien/selftest.toml", []byte(configWith(`"litert"`, `"`+backend+`"`)), 0o644))
		text, code := b.mien("selftest", "-config", "/etc/mien/selftest.toml")
		b.check(code == 0 && strings.Contains(text, " 0 failed"), "%d: %s", code, text)
		line := field(text, `(?m)^(passed\s+network.*)`)
		b.check(strings.Contains(strings.ToLower(line), says), "the network runs on another library: %s", text)
		b.logf("%s", strings.TrimSpace(text))
	}
}

// pictureScenarios feed a picture through the kernel and take it as the unit
// does: drivers/camera in a process of the machine.
func pictureScenarios() (list []scenario) {
	for _, c := range []struct {
		format uint32
		w, h   int
		stride int // 0: packed
		ci     bool
	}{
		{camera.GREY, 640, 480, 0, true}, {camera.GREY, 720, 576, 0, false}, {camera.GREY, 1280, 720, 0, false}, {camera.GREY, 640, 480, 768, true},
		{camera.YUYV, 640, 480, 0, true}, {camera.YUYV, 720, 480, 0, false}, {camera.YUYV, 1280, 720, 0, false}, {camera.YUYV, 640, 480, 1408, true},
		{camera.UYVY, 640, 480, 0, true}, {camera.UYVY, 720, 576, 0, false}, {camera.UYVY, 1280, 720, 0, false}, {camera.UYVY, 720, 480, 1536, true},
		{camera.NV12, 640, 480, 0, true}, {camera.NV12, 720, 576, 0, false}, {camera.NV12, 1280, 720, 0, false}, {camera.NV12, 640, 480, 704, true},
		{camera.YUV420, 640, 480, 0, true}, {camera.YUV420, 720, 480, 0, false}, {camera.YUV420, 1280, 720, 0, false}, {camera.YUV420, 640, 480, 704, true},
		{camera.RGB24, 640, 480, 0, true}, {camera.RGB24, 720, 576, 0, false}, {camera.RGB24, 1280, 720, 0, false}, {camera.RGB24, 640, 480, 2048, true},
	} {
		name := fmt.Sprintf("pictures in are pictures seen: %s %dx%d", camera.FormatName(c.format), c.w, c.h)
		if c.stride > 0 {
			name += fmt.Sprintf(", rows of %d bytes", c.stride)
		}
		list = append(list, scenario{name: name, ci: c.ci, run: func(b *bench) { b.through(c.format, c.w, c.h, c.stride) }})
	}
	return append(list, scenario{name: "sequence and driver's time of frames", ci: true, run: func(b *bench) {
		c := b.capture(wire.Capture{Device: plainNode, Width: 320, Height: 180, Frames: 20})
		b.check(c.Stamped, "the driver's time is not used: %+v", c)
		for i, f := range c.Frames[1:] {
			last := c.Frames[i]
			b.check(f.Sequence-last.Sequence == f.Lost+1, "frame %d with %d lost after %d", f.Sequence, f.Lost, last.Sequence)
			b.check(f.Time > last.Time, "frame %d at %v, the one before at %v", f.Sequence, f.Time, last.Time)
			// Of another clock it would be years; vivid stamps up to a frame ahead.
			b.check(f.Age > -time.Second && f.Age < 10*time.Second, "frame %d is %v old", f.Sequence, f.Age)
		}
		b.logf("20 frames from %d at %v to %d at %v", c.Frames[0].Sequence, c.Frames[0].Time, c.Frames[19].Sequence, c.Frames[19].Time)
	}}, scenario{name: "a size and a format that the camera does not have", fault: true, ci: true, run: func(b *bench) {
		c := b.capture(wire.Capture{Device: plainNode, Width: 333, Height: 222, Frames: 3})
		b.check(c.Width == 640 && c.Height == 360 && c.Frames[2].Size >= c.Stride*c.Height, "asked for 333x222: %+v", c)
		err := b.m.call("capture", wire.Capture{Device: plainNode, Format: "MJPG", Width: 320, Height: 180, Frames: 1}, nil)
		b.check(err != nil && strings.Contains(err.Error(), "format MJPG is not among"), "%v", err)
		b.logf("asked for 333x222 it gives %dx%d; %.120s...", c.Width, c.Height, err)
	}}, scenario{name: "frames that the driver drops are counted", fault: true, ci: true, run: func(b *bench) {
		b.control(plainNode, "percentage_of_dropped_buffers", 50)
		defer b.control(plainNode, "percentage_of_dropped_buffers", 0)
		c := b.capture(wire.Capture{Device: plainNode, Width: 320, Height: 180, Frames: 30})
		lost := 0
		for i, f := range c.Frames[1:] {
			b.check(f.Sequence-c.Frames[i].Sequence == f.Lost+1, "frame %d with %d lost after %d", f.Sequence, f.Lost, c.Frames[i].Sequence)
			lost += int(f.Lost)
		}
		b.check(lost >= 10, "%d lost of about half", lost)
		b.logf("30 frames, %d lost", lost)
	}})
}

func (b *bench) capture(p wire.Capture) (c wire.Captured) {
	b.need(b.m.call("capture", p, &c))
	return c
}

func (b *bench) control(device, name string, value int32) {
	b.need(b.m.call("control", wire.Control{Device: device, Name: name, Value: value}, nil))
}

// through feeds two pictures of a format, one after the other, and waits until
// each comes back byte by byte.
func (b *bench) through(format uint32, w, h, stride int) {
	n := b.loop(format, w, h, stride)
	defer func() { b.need(b.m.call("stopplay", nil, nil)) }()
	b.check(n.Stride == max(stride, rowsOf(format, w, h, 0)[0].used), "asked for rows of %d bytes, have %d", stride, n.Stride)
	rows := rowsOf(format, w, h, n.Stride)
	size, frames := 0, 0
	for _, r := range rows {
		size += r.count * r.stride
	}
	for i := range 2 {
		picture := pattern(size, uint32(i))
		rest := picture
		for _, r := range rows {
			for range r.count {
				clear(rest[r.used:r.stride]) // what is behind a row may be anything
				rest = rest[r.stride:]
			}
		}
		b.need(b.m.put("/tmp/pattern", picture, 0o600))
		b.need(b.m.call("show", wire.Show{Pictures: []string{"/tmp/pattern"}, Every: 20 * time.Millisecond}, nil))
		if i == 0 {
			b.need(b.m.call("play", screenNode, nil))
		}
		c := b.capture(wire.Capture{Device: cameraNode, Format: camera.FormatName(format), Width: w, Height: h, Stride: stride, Frames: 100, Want: sum(picture)})
		last := c.Frames[len(c.Frames)-1]
		b.check(c.Width == w && c.Height == h && c.Stride == n.Stride, "%+v", c)
		b.check(last.Sum == sum(picture), "picture %d does not come back in %d frames of %d bytes (%d went in)", i, len(c.Frames), last.Size, size)
		frames += len(c.Frames)
	}
	b.logf("2 pictures of %d bytes, each the same after at most %d frames", size, frames)
}

// rowKind is a picture's rows of one kind: how many, of how many bytes, and how
// far apart.
type rowKind struct{ count, used, stride int }

// rowsOf tells where the rows of a picture are in memory, plane by plane; stride 0 is packed
// (Documentation/userspace-api/media/v4l/pixfmt-*.rst).
func rowsOf(format uint32, w, h, stride int) []rowKind {
	used := map[uint32]int{camera.YUYV: 2 * w, camera.UYVY: 2 * w, camera.RGB24: 3 * w}[format]
	if used == 0 {
		used = w
	}
	stride = max(stride, used)
	list := []rowKind{{h, used, stride}}
	switch format {
	case camera.NV12:
		list = append(list, rowKind{h / 2, w, stride})
	case camera.YUV420:
		list = append(list, rowKind{h, w / 2, stride / 2}) // blue's half of the rows, then red's
	}
	return list
}

// pattern is bytes that no driver makes by itself: a linear congruence.
func pattern(size int, seed uint32) []byte {
	b := make([]byte, size)
	x := seed*7919 + 1
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = 16 + byte(x>>24)%219 // within the range of video levels
	}
	return b
}
