package pipeline

import (
	"testing"

	"mien/drivers/camera"
	"mien/model/pixel"
)

// A camera's format has the same code and name where it is read.
func TestFormatsHaveOneCode(t *testing.T) {
	for format, want := range map[uint32]pixel.Format{camera.GREY: pixel.GREY, camera.YUYV: pixel.YUYV, camera.UYVY: pixel.UYVY, camera.NV12: pixel.NV12,
		camera.YUV420: pixel.YUV420, camera.RGB24: pixel.RGB24, camera.MJPEG: pixel.MJPEG} {
		if pixel.Format(format) != want || camera.FormatName(format) != want.String() {
			t.Errorf("%s is %v", camera.FormatName(format), want)
		}
		if _, ok := camera.Rank(format); !ok {
			t.Errorf("%s is in no list", camera.FormatName(format))
		}
	}
}
