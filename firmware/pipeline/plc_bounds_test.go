package pipeline

import (
	"strings"
	"testing"
	"time"

	"mien/firmware/config"
)

// What a config may say of the serial port the driver takes: one value has one bound.
func TestDriverTakesWhatTheConfigMaySay(t *testing.T) {
	tried := 0
	for _, k := range config.Reference() {
		name, serial := strings.CutPrefix(k.Path, "serial.")
		if !serial {
			continue
		}
		var values []string
		switch k.Kind {
		case config.Duration:
			for _, seconds := range []float64{k.Min, k.Max} {
				values = append(values, `"`+time.Duration(seconds*float64(time.Second)).String()+`"`)
			}
		case config.IntChoice:
			values = k.Choices
		case config.Choice:
			for _, c := range k.Choices {
				values = append(values, `"`+c+`"`)
			}
		}
		for _, v := range values {
			text := "[serial]\ndevice = \"/dev/ttyS0\"\n" + name + " = " + v + "\n"
			if name != "protocol" {
				text += "protocol = \"ascii\"\n" // which takes 7 data bits
			}
			cfg, err := config.Parse("m", []byte(text))
			if err != nil {
				t.Logf("%s = %s: refused: %v", k.Path, v, err)
				continue
			}
			tried++
			if _, err := SerialSettings(cfg.Serial); err != nil {
				t.Errorf("%s = %s passes a check, and the driver says: %v", k.Path, v, err)
			}
		}
	}
	if tried < 20 {
		t.Errorf("%d values tried", tried)
	}
}
