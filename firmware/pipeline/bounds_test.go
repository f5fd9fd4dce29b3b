package pipeline

import (
	"fmt"
	"testing"
	"time"

	"mien/firmware/config"
)

// What a check lets pass, the room that it is for takes: one value has one bound.
// Each setting is tried with its least and greatest value, and with each word.
func TestRoomsTakeWhatTheConfigMaySay(t *testing.T) {
	eye := func(cfg *config.Config) error {
		e, err := OpenEye(cfg)
		if err == nil {
			err = e.Close()
		}
		return err
	}
	unit := newIdle(t)
	speaks := func(cfg *config.Config) error {
		s, err := SerialSettings(cfg.Serial)
		if err != nil || cfg.Serial.Protocol == config.NoProtocol {
			return err
		}
		_, err = NewSpeaker(cfg, s, "1", unit.now, unit.latest, unit)
		return err
	}
	rooms := map[string]struct {
		before string // in the section, in front of the key
		takes  func(*config.Config) error
	}{
		"serial": {"[serial]\ndevice = \"/dev/ttyS0\"\n", speaks},
		"modbus": {"[serial]\ndevice = \"/dev/ttyS0\"\n[modbus]\n", speaks},
		"alarm": {"[[alarm]]\nname = \"a\"\nsignal = \"au4\"\nhigh = 0.7\n", func(cfg *config.Config) error {
			_, err := newEngine(cfg, []string{"au4"})
			return err
		}},
		"face":         {"[face]\n", eye},
		"face.quality": {"[face.quality]\n", eye},
		"filter":       {"[filter]\n", eye},
		"model":        {"[model]\nsecond = \"../../model/assets/affect.json\"\n", eye},
	}
	tried := map[string]int{}
	for _, k := range config.Reference() {
		room, ours := rooms[k.Section()]
		if !ours || k.Path == "model.accelerator" || k.Path == "model.backend" { // of this machine
			continue
		}
		for _, v := range extremes(k) {
			text := room.before + k.Name() + " = " + v + "\n"
			if k.Section() == "serial" && k.Name() != "protocol" {
				text += "protocol = \"ascii\"\n" // which takes 7 data bits
			}
			cfg, err := config.Parse("m", []byte(text))
			if err != nil {
				t.Logf("%s = %s: refused: %v", k.Path, v, err)
				continue
			}
			tried[k.Section()]++
			if err := room.takes(cfg); err != nil {
				t.Errorf("%s = %s passes a check, and its room says: %v", k.Path, v, err)
			}
		}
	}
	for section, least := range map[string]int{"serial": 20, "modbus": 6, "alarm": 8, "face": 6, "face.quality": 16, "filter": 16, "model": 3} {
		if tried[section] < least {
			t.Errorf("%d values of [%s] tried", tried[section], section)
		}
	}
}

// extremes are the values of a key that are likeliest to go wrong.
func extremes(k config.Key) (values []string) {
	switch k.Kind {
	case config.Duration:
		for _, seconds := range []float64{k.Min, k.Max} {
			values = append(values, `"`+time.Duration(seconds*float64(time.Second)).String()+`"`)
		}
	case config.Integer:
		values = []string{fmt.Sprintf("%.0f", k.Min), fmt.Sprintf("%.0f", k.Max)}
	case config.Number:
		values = []string{fmt.Sprintf("%f", k.Min), fmt.Sprintf("%f", k.Max)}
	case config.IntChoice:
		values = k.Choices
	case config.Choice:
		for _, c := range k.Choices {
			values = append(values, `"`+c+`"`)
		}
	}
	return values
}
