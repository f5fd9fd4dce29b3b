package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"mien/board"
)

// foundCSI is a camera at a CSI connector, and the line of a config that makes a camera of it.
type foundCSI struct {
	Sensor  string   `json:"sensor"`
	At      string   `json:"at"`
	Command []string `json:"command,omitempty"`
	Problem string   `json:"problem,omitempty"`
}

// line is what to put into the config.
func (c *foundCSI) line() string {
	words := make([]string, len(c.Command))
	for i, w := range c.Command {
		words[i] = strconv.Quote(w)
	}
	return "command = [" + strings.Join(words, ", ") + "]"
}

// listers are programs that list libcamera's cameras, in the order in which they are asked.
var listers = [][]string{{"rpicam-hello", "--list-cameras"}, {"libcamera-hello", "--list-cameras"}, {"cam", "-l"}}

// listWithin is how long one may take, and listMost how much it may say, in bytes.
const (
	listWithin = 5 * time.Second
	listMost   = 64 << 10
)

// listed is a camera in such a list: its index, its sensor, where it is.
//
//	0 : imx708 [4608x2592 10-bit RGGB] (/base/soc/i2c0mux/i2c@1/imx708@1a)
//	1: 'imx708' (/base/soc/i2c0mux/i2c@1/imx708@1a)
//
// cam counts from 1, the others from 0. USB cameras, which cam lists too, hang on no I2C bus.
var listed = regexp.MustCompile(`(?m)^\s*(\d+)\s*: .*?\((\S*/i2c@\S*/(\w+)@[0-9a-f]+)\)\s*$`)

// libcamera asks libcamera for its CSI cameras. An error says why it did not answer.
func libcamera() (list []foundCSI, ids []string, err error) {
	err = errors.New("no program of libcamera is here: sudo apt install rpicam-apps (Raspberry Pi OS)")
	for _, words := range listers {
		if _, missing := exec.LookPath(words[0]); missing != nil {
			continue
		}
		ctx, stop := context.WithTimeout(context.Background(), listWithin)
		cmd := exec.CommandContext(ctx, words[0], words[1:]...)
		cmd.WaitDelay = time.Second
		var out bounded
		cmd.Stdout, cmd.Stderr = &out, &out
		run := cmd.Run()
		stop()
		list, ids = nil, nil
		for _, m := range listed.FindAllStringSubmatch(string(out), -1) {
			list, ids = append(list, foundCSI{Sensor: m[3]}), append(ids, m[2])
		}
		switch {
		case len(list) > 0:
			return list, ids, nil
		case run != nil:
			err = fmt.Errorf("%s: %w", strings.Join(words, " "), run)
		default:
			err = fmt.Errorf("%s lists none", strings.Join(words, " "))
		}
	}
	return nil, nil, err
}

// bounded keeps the first of what is written.
type bounded []byte

func (b *bounded) Write(p []byte) (int, error) {
	*b = append(*b, p[:min(len(p), listMost-len(*b))]...)
	return len(p), nil
}

// csi finds cameras at CSI connectors, and says how each is made to work: on a Jetson
// by NVIDIA's processor, elsewhere by libcamera.
func (f *found) csi(root string, b board.Unit) {
	sensors := board.CSISensors(root)
	if len(sensors) == 0 {
		return
	}
	jetson := b.Board != nil && strings.HasPrefix(b.SoC, "Tegra")
	var known []foundCSI
	var ids []string
	var err error
	if !jetson {
		known, ids, err = libcamera()
	}
	have := func(program string) bool { _, err := exec.LookPath(program); return err == nil }
	next := 0 // of those that answer
	for _, s := range sensors {
		one := foundCSI{Sensor: s.Name, At: s.At, Problem: s.Note}
		index, id := next, ""
		if s.Note == "" {
			next++
		}
		for i, k := range known {
			_, address, _ := strings.Cut(s.At, "-")
			if k.Sensor == s.Name && strings.HasSuffix(ids[i], "@"+strings.TrimLeft(address, "0")) && known[i].At == "" {
				index, id, known[i].At = i, ids[i], s.At
				break
			}
		}
		switch {
		case s.Note != "":
		case jetson:
			one.Command = jetsonCommand(index)
			if !have("gst-launch-1.0") {
				one.Problem = "GStreamer is not here: sudo apt install gstreamer1.0-tools gstreamer1.0-plugins-good"
			}
		default:
			one.Command = piCommand(index, id, have)
			if id == "" {
				one.Problem = "libcamera does not have it"
				if err != nil {
					one.Problem += ": " + err.Error()
				}
			}
		}
		f.CSI = append(f.CSI, one)
	}
}

// piCommand is a Raspberry Pi's: rpicam-vid, which in older systems is libcamera-vid,
// else GStreamer.
func piCommand(index int, id string, have func(string) bool) []string {
	program := "rpicam-vid"
	switch {
	case have(program):
	case have("libcamera-vid"):
		program = "libcamera-vid"
	case have("gst-launch-1.0"):
		words := "gst-launch-1.0 -q libcamerasrc ! video/x-raw,width=640,height=480,framerate=30/1,format=NV12 ! videoconvert ! video/x-raw,format=I420 ! y4menc ! fdsink"
		if index > 0 && id != "" {
			words = strings.Replace(words, "libcamerasrc", "libcamerasrc camera-name="+id, 1)
		}
		return strings.Fields(words)
	}
	words := program + " -n -t 0 --codec mjpeg --width 640 --height 480 --framerate 30 --flush -o -"
	if index > 0 {
		words = strings.Replace(words, " -n", fmt.Sprintf(" --camera %d -n", index), 1)
	}
	return strings.Fields(words)
}

// jetsonCommand is NVIDIA's.
func jetsonCommand(index int) []string {
	return strings.Fields(fmt.Sprintf("gst-launch-1.0 -q nvarguscamerasrc sensor-id=%d ! video/x-raw(memory:NVMM),width=1280,height=720,framerate=30/1 ! nvvidconv ! video/x-raw,width=640,height=360,format=I420 ! y4menc ! fdsink", index))
}

// csiWay says what a CSI camera needs on a board, where none is found.
func csiWay(b board.Unit) string {
	switch {
	case b.Board == nil:
		return "a CSI camera needs a program that makes pictures of its raw data (docs/cameras.md)"
	case strings.HasPrefix(b.SoC, "Tegra"):
		return "no CSI sensor is found either: its overlay is chosen with jetson-io; nvarguscamerasrc then makes pictures of it (docs/cameras.md#csi-on-a-jetson)"
	}
	return "no CSI sensor is found either: look at its cable, and at camera_auto_detect in config.txt; libcamera then makes pictures of it (docs/cameras.md#csi-on-a-raspberry-pi)"
}
