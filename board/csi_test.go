package board

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The names are those of a Pi 5 with two cameras, one of them with a motor, and of an Orin with one
// that answers and one that does not.
func TestCSISensors(t *testing.T) {
	for want, files := range map[string]map[string]string{
		"imx708 at 10-001a, imx219 at 11-0010": {
			"class/video4linux/v4l-subdev0/name": "pisp-fe", "class/video4linux/v4l-subdev1/name": "csi2", "class/video4linux/v4l-subdev2/name": "imx708 10-001a",
			"class/video4linux/v4l-subdev3/name": "dw9807 10-000c", "class/video4linux/v4l-subdev10/name": "imx219 11-0010", "class/video4linux/video0/name": "rp1-cfe-csi2_ch0",
			"bus/i2c/devices/10-001a/name": "imx708", "bus/i2c/devices/10-001a/driver/x": "", "bus/i2c/devices/10-000c/name": "dw9807-vcm", "bus/i2c/devices/i2c-10/name": "i2c-22-mux (chan_id 0)"},
		"imx219 at 10-0010, imx219 at 9-0010 (does not answer)": {
			"class/video4linux/v4l-subdev0/name": "13e40000.host1x:nvcsi@15a00000-", "class/video4linux/v4l-subdev1/name": "imx219 10-0010",
			"bus/i2c/devices/9-0010/name": "imx219", "bus/i2c/devices/10-0010/name": "imx219", "bus/i2c/devices/10-0010/driver/x": "", "bus/i2c/devices/0-0050/name": "24c02", "bus/i2c/devices/1-0048/name": "tmp451"},
		"": {"class/video4linux/v4l-subdev0/name": "tc358743 10-000f", "class/video4linux/v4l-subdev1/name": "", "bus/i2c/devices/0-0000/x": ""},
	} {
		root := t.TempDir()
		for name, text := range files {
			path := filepath.Join(root, "sys", name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for _, s := range CSISensors(root) {
			text := fmt.Sprintf("%s at %s", s.Name, s.At)
			if strings.Contains(s.Note, "does not answer") {
				text += " (does not answer)"
			}
			got = append(got, text)
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("%q, want %q", s, want)
		}
	}
}
