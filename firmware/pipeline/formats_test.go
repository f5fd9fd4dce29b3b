package pipeline

import (
	"strings"
	"testing"

	"mien/drivers/camera"
	"mien/firmware/config"
	"mien/model/pixel"
)

// A camera's format has the same code and name where it is read.
func TestFormatsHaveOneCode(t *testing.T) {
	for format, want := range map[uint32]pixel.Format{camera.GREY: pixel.GREY, camera.YUYV: pixel.YUYV, camera.UYVY: pixel.UYVY, camera.NV12: pixel.NV12,
		camera.YUV420: pixel.YUV420, camera.YUV422P: pixel.YUV422P, camera.RGB24: pixel.RGB24, camera.MJPEG: pixel.MJPEG} {
		if pixel.Format(format) != want || camera.FormatName(format) != want.String() {
			t.Errorf("%s is %v", camera.FormatName(format), want)
		}
		if _, ok := camera.Rank(format); !ok {
			t.Errorf("%s is in no list", camera.FormatName(format))
		}
	}
}

// The config has a word for each format that a camera may give, and for no other.
func TestFormatsHaveTheirWord(t *testing.T) {
	words := map[uint32]string{}
	for _, k := range config.Reference() {
		if k.Path != "camera.format" {
			continue
		}
		for _, w := range k.Choices[1:] { // the first is auto
			code, err := camera.ParseFormat(w)
			if err != nil || words[code] != "" {
				t.Errorf("camera.format = %q: %v", w, err)
			}
			words[code] = w
		}
	}
	for _, name := range strings.Split(camera.FormatNames(), ", ") {
		if code, err := camera.ParseFormat(name); err != nil || words[code] == "" {
			t.Errorf("%s cannot be named in a config: %v", name, err)
		}
	}
}
