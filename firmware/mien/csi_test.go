package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mien/board"
	"mien/firmware/config"
)

// What rpicam-hello 1.5 and cam 0.3 print.
const (
	rpicamList = `Available cameras
-----------------
0 : imx708 [4608x2592 10-bit RGGB] (/base/axi/pcie@120000/rp1/i2c@88000/imx708@1a)
    Modes: 'SRGGB10_CSI2P' : 1536x864 [120.13 fps - (768, 432)/3072x1728 crop]
                             4608x2592 [14.35 fps - (0, 0)/4608x2592 crop]

1 : imx219 [3280x2464 10-bit RGGB] (/base/axi/pcie@120000/rp1/i2c@80000/imx219@10)
    Modes: 'SRGGB8' : 640x480 [206.65 fps - (1000, 752)/1280x960 crop]
`
	camList = "Available cameras:\n1: 'HD Webcam: HD Webcam' (/base/scb/pcie@7d500000/pci@0,0/usb@0,0-1.3:1.0-046d:0825)\n2: 'imx708' (/base/axi/pcie@120000/rp1/i2c@88000/imx708@1a)\n"
)

// programsHere makes a PATH of programs that print a text, and returns a way back.
func programsHere(t *testing.T, programs map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range programs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n/bin/cat <<'END'\n"+text+"\nEND\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

func TestProbeFindsCSICameras(t *testing.T) {
	pi, _ := board.ByID("pi5")
	orin, _ := board.ByID("orin-nano")
	none := map[string]string{}
	const first, second = "imx708 10-001a", "imx219 11-0010"
	for name, c := range map[string]struct {
		board    *board.Board
		nodes    []string
		programs map[string]string
		want     string // of each in turn: words that must be there
		not      string
	}{
		"two on a Pi": {pi, []string{first, second, "dw9807 10-000c"}, map[string]string{"rpicam-hello": rpicamList, "rpicam-vid": "", "gst-launch-1.0": ""},
			`imx708 at 10-001a|"rpicam-vid", "-n", "-t", "0", "--codec", "mjpeg"|imx219 at 11-0010|"rpicam-vid", "--camera", "1", "-n"`, "not usable|nvargus"},
		"an older system": {pi, []string{first}, map[string]string{"libcamera-hello": rpicamList, "libcamera-vid": ""}, `["libcamera-vid", "-n"`, "not usable"},
		"GStreamer alone": {pi, []string{second, first}, map[string]string{"rpicam-hello": rpicamList, "gst-launch-1.0": ""},
			`"libcamerasrc", "!"|"libcamerasrc", "camera-name=/base/axi/pcie@120000/rp1/i2c@80000/imx219@10"`, "not usable"},
		"cam counts the USB camera": {pi, []string{first}, map[string]string{"cam": camList, "rpicam-vid": ""}, `"rpicam-vid", "-n"`, "not usable|--camera"},
		"libcamera has none":        {pi, []string{first}, map[string]string{"rpicam-hello": "No cameras available!", "rpicam-vid": ""}, "not usable as it is: libcamera does not have it: rpicam-hello --list-cameras lists none|rpicam-vid", ""},
		"nothing installed":         {pi, []string{first}, none, "no program of libcamera is here|rpicam-vid", ""},
		"one on an Orin":            {orin, []string{second}, map[string]string{"gst-launch-1.0": "", "rpicam-hello": rpicamList, "rpicam-vid": ""}, `"nvarguscamerasrc", "sensor-id=0"`, "not usable|libcamera|rpicam"},
		"two on an Orin":            {orin, []string{"imx219 10-0010", "imx219 9-0010"}, none, `"sensor-id=0"|"sensor-id=1"|GStreamer is not here`, "libcamera"},
		"none":                      {pi, nil, none, "", "csi "},
	} {
		t.Run(name, func(t *testing.T) {
			programsHere(t, c.programs)
			root := t.TempDir()
			for i, n := range c.nodes {
				dir := filepath.Join(root, "sys/class/video4linux/v4l-subdev"+string(rune('0'+i)))
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, "name"), []byte(n+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			f := found{Problems: map[string]string{"camera": "none"}}
			f.csi(root, board.Unit{Board: c.board})
			var b bytes.Buffer
			if err := f.print(&b, false); err != nil {
				t.Fatal(err)
			}
			text := b.String()
			for _, want := range strings.Split(c.want, "|") {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in\n%s", want, text)
				}
			}
			for _, not := range strings.Split(c.not, "|") {
				if not != "" && strings.Contains(text, not) {
					t.Errorf("%q in\n%s", not, text)
				}
			}
			// What is printed is taken by the config.
			for _, one := range f.CSI {
				if _, err := config.Parse("m", []byte("[camera]\n"+one.line()+"\n")); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// docs/cameras.md has the lines that are printed, and each of its own is taken.
func TestDocumentHasTheCSILines(t *testing.T) {
	text, err := os.ReadFile("../../docs/cameras.md")
	if err != nil {
		t.Fatal(err)
	}
	with := func(program string) func(string) bool { return func(p string) bool { return p == program } }
	for _, command := range [][]string{piCommand(0, "", with("rpicam-vid")), piCommand(0, "", with("gst-launch-1.0")), jetsonCommand(0)} {
		if line := (&foundCSI{Command: command}).line(); !bytes.Contains(text, []byte("[camera]\n"+line+"\n")) {
			t.Errorf("not there: %s", line)
		}
	}
	lines := 0
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, "command = [") {
			lines++
			if _, err := config.Parse("m", []byte("[camera]\n"+line+"\n")); err != nil {
				t.Error(err)
			}
		}
	}
	if lines < 4 {
		t.Errorf("%d lines", lines)
	}
}
