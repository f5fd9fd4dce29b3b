package y4m

import (
	"errors"
	"strings"
	"testing"

	"mien/drivers/camera"
)

func TestParse(t *testing.T) {
	for line, want := range map[string]Header{
		"YUV4MPEG2 W640 H480 F30:1 Ip A1:1 C420jpeg XYSCSS=420JPEG": {camera.YUV420, 640, 480, 30, 1, 460800},
		"YUV4MPEG2 H5 W7":             {camera.YUV420, 7, 5, 0, 0, 7*5 + 2*4*3},
		"YUV4MPEG2 W7 H5 C422 F0:0":   {camera.YUV422P, 7, 5, 0, 0, 7*5 + 2*4*5},
		"YUV4MPEG2 W8 H6 Cmono F10:0": {camera.GREY, 8, 6, 0, 0, 48},
	} {
		if got, err := Parse([]byte(line)); got != want || err != nil {
			t.Errorf("%q: %+v, %v", line, got, err)
		}
	}
	for line, says := range map[string]string{
		"": "not YUV4MPEG2", "YUV4MPEG W8 H6": "not YUV4MPEG2", "YUV4MPEG2": "0x0 pixels", "YUV4MPEG2 W-1 H6": "-1x6",
		"YUV4MPEG2 W99999 H6": "99999x6", "YUV4MPEG2 Wx H6": "parameter", "YUV4MPEG2 W8 H6 F1": "parameter",
		"YUV4MPEG2 W8 H6 C444": "C444", "YUV4MPEG2 W8 H6 C420p10": "C420p10", "YUV4MPEG2 W8 H6 Cmono16": "Cmono16", "YUV4MPEG2 W8 H6 C411": "C411", "YUV4MPEG2 W8 H6 C": "colour space C;",
	} {
		if _, err := Parse([]byte(line)); !errors.Is(err, camera.ErrUnsupported) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestFrame(t *testing.T) {
	for b, want := range map[string]int{
		"": 0, "F": 0, "FRAME": 0, "FRAME\n": 6, "FRAME\nabc\n": 6, "FRAME Ip": 0, "FRAME Ip\nabc": 9, "FRAMES\n": -1, "frame\n": -1, "x": -1, "\x00": -1,
		"FRAME " + strings.Repeat("x", 250): -1, "FRAME " + strings.Repeat("x", 249) + "\n": 256, "FRAME " + strings.Repeat("x", 240): 0,
	} {
		got, err := Frame([]byte(b))
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %d, want %d", b, got, want)
		}
	}
}
