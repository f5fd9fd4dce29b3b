package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a broker would be told is looked at once the network's signals are known, and
// what is allowed and rarely meant is told.
func TestMQTTIsLookedAt(t *testing.T) {
	open := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(open, []byte("x"), 0o604); err != nil {
		t.Fatal(err)
	}
	os.Chmod(open, 0o604)
	for _, c := range []struct{ text, want string }{
		{"broker = \"mqtt://b\"\nlevels = [\"au44\"]", `m:3: mqtt.levels[1]: the network has no signal "au44"|did you mean "au4"?`},
		{"broker = \"mqtt://b\"\nuser = \"u\"\npassword_file = \"" + open + "\"", `m:4: warning: mqtt.password_file: others may use it (mode 0604)|the gateway does not use it`},
		{"broker = \"mqtt://b\"\nuser = \"u\"\npassword_file = \"" + open + "\"", `m:2: warning: mqtt.broker: has no TLS|mqtts://HOST:PORT`},
		{"broker = \"mqtts://b\"\nwrite = true", `m:3: warning: mqtt.write: is true, and the unit logs in to the broker as nobody`},
		{"broker = \"mqtt://b\"\nstyle = \"json\"\nprimary_host = \"scada\"", `m:4: warning: mqtt.primary_host: is not used where mqtt.style is "json"`},
		{"broker = \"mqtt://b\"\ndiscovery = \"homeassistant\"", `m:3: warning: mqtt.discovery: is not used where mqtt.style is "sparkplug"`},
	} {
		cfg, err := Parse("m", []byte("[mqtt]\n"+c.text))
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		found := cfg.Check([]Signal{{Name: "au4", Max: 1}})
		for _, part := range strings.Split(c.want, "|") {
			if text := found.Error(); !strings.Contains(text, part) {
				t.Errorf("%s: %q lacks %q", c.text, text, part)
			}
		}
	}
	cfg, err := Parse("m", nil)
	if err != nil || cfg.MQTT.Broker != "" || cfg.MQTT.Write || len(cfg.MQTT.Levels) > 0 {
		t.Errorf("an empty file: %+v, %v", cfg.MQTT, err)
	}
}
