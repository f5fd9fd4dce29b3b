package board

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// CSISensor is a camera's sensor at a CSI connector, as the kernel knows it.
type CSISensor struct {
	Name string // "imx708"
	At   string // the I2C bus and address of its settings: "10-001a"
	Note string // why it gives no picture; "" for nothing
}

// sensorName tells image sensors from what else hangs on a camera's I2C bus: lenses, flashes,
// bridges of HDMI and other links. They are named after their makers' parts: Sony, OmniVision,
// onsemi, Samsung, GalaxyCore, Hynix, ST, SmartSens, Himax, Arducam.
var sensorName = regexp.MustCompile(`^(imx|ov|og|os|ox|ar|mt9|s5k|gc|hi|vd|vgxy|st-vgxy|sc|hm|arducam)[-_a-z]*\d*\w*$`)

// subdevice is the name of an I2C device's node of the V4L2 core (v4l2_i2c_subdev_set_name).
var subdevice = regexp.MustCompile(`^(\S+) (\d+-[0-9a-f]{4})$`)

// CSISensors looks for sensors under root, "/" on a running machine: by the nodes of
// those whose driver runs, and by the I2C devices that the device tree has declared
// and no driver has taken.
func CSISensors(root string) (list []CSISensor) {
	for _, dir := range folders(root, "sys/class/video4linux/v4l-subdev*") {
		m := subdevice.FindStringSubmatch(strings.TrimSpace(readFile(dir, "name")))
		if m != nil && sensorName.MatchString(m[1]) {
			list = append(list, CSISensor{Name: m[1], At: m[2]})
		}
	}
	for _, dir := range folders(root, "sys/bus/i2c/devices/*-*") {
		name, at := strings.TrimSpace(readFile(dir, "name")), filepath.Base(dir)
		_, err := os.Stat(filepath.Join(dir, "driver"))
		if err == nil || !sensorName.MatchString(name) || slices.ContainsFunc(list, func(s CSISensor) bool { return s.At == at }) {
			continue
		}
		list = append(list, CSISensor{Name: name, At: at, Note: "the device tree names it and it does not answer: is it this sensor, and is its cable in place?"})
	}
	slices.SortFunc(list, func(a, b CSISensor) int { return strings.Compare(a.At, b.At) })
	return list
}
