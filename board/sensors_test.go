package board

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTemperature(t *testing.T) {
	root := t.TempDir()
	s := NewSensors(root, pi4b)
	if c, ok := s.Temperature(); ok {
		t.Errorf("without a zone: %v", c)
	}
	write(t, root, "sys/class/thermal/thermal_zone0/type", "gpu-thermal\n")
	write(t, root, "sys/class/thermal/thermal_zone0/temp", "71500\n")
	if c, ok := s.Temperature(); !ok || c != 71.5 {
		t.Errorf("a zone that came later, of another kind: %v, %v, want 71.5", c, ok)
	}
	write(t, root, "sys/class/thermal/thermal_zone1/type", "cpu-thermal\n")
	write(t, root, "sys/class/thermal/thermal_zone1/temp", "48312\n")
	s = NewSensors(root, pi4b)
	if c, ok := s.Temperature(); !ok || c != 48.312 {
		t.Errorf("the processor's own zone: %v, %v, want 48.312", c, ok)
	}
	if c, ok := NewSensors(root, nil).Temperature(); !ok || c != 71.5 {
		t.Errorf("without a board: %v, %v, want the hottest, 71.5", c, ok)
	}
	// Below zero, as in a cold store.
	write(t, root, "sys/class/thermal/thermal_zone1/temp", "-4000\n")
	if c, ok := s.Temperature(); !ok || c != -4 {
		t.Errorf("in the cold: %v, %v, want -4", c, ok)
	}
	// What no processor has is no temperature: of a sensor that is not ready, or that
	// counts in other units.
	for _, text := range []string{"-274000\n", "32767000\n", "151000\n", "-2147483648\n", "4294967295\n", "48.3\n"} {
		write(t, root, "sys/class/thermal/thermal_zone1/temp", text)
		if c, ok := s.Temperature(); ok {
			t.Errorf("%q is %v °C", text, c)
		}
	}
	// A zone that is switched off gives no number; the next round finds the
	// other one.
	write(t, root, "sys/class/thermal/thermal_zone1/temp", "")
	if c, ok := s.Temperature(); ok {
		t.Errorf("a zone that is off: %v", c)
	}
	os.RemoveAll(filepath.Join(root, "sys/class/thermal/thermal_zone1"))
	if c, ok := s.Temperature(); !ok || c != 71.5 {
		t.Errorf("after renumbering: %v, %v, want 71.5", c, ok)
	}
}

func TestOrinTakesTheHottestOfItsZones(t *testing.T) {
	root := t.TempDir()
	for i, z := range [][2]string{{"cpu-thermal", "50000"}, {"tj-thermal", "53000"}, {"gpu-thermal", "90000"}} {
		dir := "sys/class/thermal/thermal_zone" + string(rune('0'+i))
		write(t, root, dir+"/type", z[0])
		write(t, root, dir+"/temp", z[1])
	}
	if c, ok := NewSensors(root, orinNX).Temperature(); !ok || c != 53 {
		t.Errorf("%v, %v, want 53", c, ok)
	}
}

func TestPowerOfARaspberryPi(t *testing.T) {
	for _, c := range []struct {
		text string
		want Power
		ok   bool
	}{
		{"0\n", Power{}, true},
		{"1\n", Power{UnderVoltage: true}, true},
		{"2\n", Power{Throttled: true}, true},
		{"4\n", Power{Throttled: true}, true},
		{"8\n", Power{Throttled: true}, true},
		{"50005\n", Power{UnderVoltage: true, Throttled: true, EverUnderVoltage: true, EverThrottled: true}, true},
		{"0x50000\n", Power{EverUnderVoltage: true, EverThrottled: true}, true},
		{"80000\n", Power{EverThrottled: true}, true},
		{"rubbish\n", Power{}, false},
		{"ffffffff\n", Power{}, false},
		{"50010\n", Power{}, false},
		{"\n", Power{}, false},
	} {
		for _, file := range []string{
			"sys/devices/platform/soc/soc:firmware/get_throttled",
			"sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled",
		} {
			root := t.TempDir()
			write(t, root, file, c.text)
			if p, ok := NewSensors(root, pi4b).Power(); p != c.want || ok != c.ok {
				t.Errorf("%s = %q: %+v, %v, want %+v, %v", file, c.text, p, ok, c.want, c.ok)
			}
		}
	}
}

func TestPowerByTheAlarmAlone(t *testing.T) {
	root := t.TempDir()
	s := NewSensors(root, pi3b)
	write(t, root, "sys/class/hwmon/hwmon0/name", "cpu_thermal\n")
	write(t, root, "sys/class/hwmon/hwmon0/in0_lcrit_alarm", "1\n")
	if p, ok := s.Power(); ok {
		t.Errorf("another monitor is taken for the Pi's: %+v", p)
	}
	write(t, root, "sys/class/hwmon/hwmon1/name", "rpi_volt\n")
	write(t, root, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "0\n")
	if p, ok := s.Power(); !ok || p != (Power{}) {
		t.Errorf("no alarm: %+v, %v", p, ok)
	}
	write(t, root, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n")
	if p, ok := s.Power(); !ok || !p.UnderVoltage {
		t.Errorf("alarm: %+v, %v", p, ok)
	}
	// A file that is no mailbox must not be believed.
	write(t, root, "dev/vcio", "")
	if p, ok := s.Power(); !ok || !p.UnderVoltage || p.Throttled {
		t.Errorf("with a false mailbox: %+v, %v", p, ok)
	}
}

func TestPowerOfAnOrin(t *testing.T) {
	root := t.TempDir()
	s := NewSensors(root, orinNano)
	if _, ok := s.Power(); ok {
		t.Error("power is known without counters")
	}
	dir := "sys/class/hwmon/hwmon3/"
	write(t, root, dir+"name", "soctherm_oc\n")
	set := func(oc1, oc2, oc3 string) {
		write(t, root, dir+"oc1_event_cnt", oc1)
		write(t, root, dir+"oc2_event_cnt", oc2)
		write(t, root, dir+"oc3_event_cnt", oc3)
	}
	for i, c := range []struct {
		counts [3]string
		want   Power
	}{
		{[3]string{"0", "0", "5"}, Power{EverThrottled: true}}, // before our time
		{[3]string{"0", "0", "5"}, Power{EverThrottled: true}},
		{[3]string{"0", "0", "6"}, Power{Throttled: true, EverThrottled: true}},
		{[3]string{"0", "0", "6"}, Power{EverThrottled: true}},
		{[3]string{"1", "0", "6"}, Power{UnderVoltage: true, EverUnderVoltage: true, EverThrottled: true}},
		{[3]string{"1", "9", "6"}, Power{Throttled: true, EverUnderVoltage: true, EverThrottled: true}},
	} {
		set(c.counts[0], c.counts[1], c.counts[2])
		if p, ok := s.Power(); !ok || p != c.want {
			t.Errorf("%d: %+v, %v, want %+v", i, p, ok, c.want)
		}
	}
}
