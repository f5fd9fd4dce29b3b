package camera

import (
	"testing"
)

func TestFormatNames(t *testing.T) {
	for name, want := range map[string]uint32{"yuyv": YUYV, "YUY2": YUYV, "mjpg": MJPEG, "MJPEG": MJPEG, "jpeg": MJPEG, "grey": GREY, "GRAY": GREY,
		"nv12": NV12, "I420": YUV420, "YU12": YUV420, "RGB3": RGB24, "rgb24": RGB24, "UYVY": UYVY} {
		if got, err := ParseFormat(name); err != nil || got != want {
			t.Errorf("%s: %s, %v", name, FormatName(got), err)
		}
	}
	for i, f := range formats {
		if got, err := ParseFormat(FormatName(f.fourcc)); err != nil || got != f.fourcc {
			t.Errorf("%s: %v", FormatName(f.fourcc), err)
		}
		if place, ok := Rank(f.fourcc); !ok || place != i {
			t.Errorf("%s: place %d, %v", f.names[0], place, ok)
		}
	}
	if _, ok := Rank('H' | '2'<<8 | '6'<<16 | '4'<<24); ok {
		t.Error("H264 is none of them")
	}
	for code, want := range map[uint32]string{YUYV: "YUYV", 'Y' | '1'<<8 | '0'<<16 | ' '<<24: "Y10", 'Y'<<0 | '1'<<8 | '6'<<16 | ' '<<24 | 1<<31: "Y16-BE", 3: "0x00000003"} {
		if got := FormatName(code); got != want {
			t.Errorf("%#x: %s, want %s", code, got, want)
		}
	}
}
