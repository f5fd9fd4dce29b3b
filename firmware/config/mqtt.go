package config

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"mien/spelling"
)

// MQTT is what the gateway tells a broker.
type MQTT struct {
	Broker       string        `toml:"broker"` // "mqtt://HOST:PORT"; "": none
	Version      MQTTVersion   `toml:"version"`
	Style        MQTTStyle     `toml:"style"`
	Group        string        `toml:"group"`
	Node         string        `toml:"node"`      // "": the unit's name
	ClientID     string        `toml:"client_id"` // "": mien-NODE
	User         string        `toml:"user"`
	PasswordFile string        `toml:"password_file"`
	CAFile       string        `toml:"ca_file"` // "": the system's
	Certificate  string        `toml:"certificate"`
	Key          string        `toml:"key"`
	Write        bool          `toml:"write"`
	Role         MQTTRole      `toml:"role"`
	Levels       []string      `toml:"levels"`
	LevelsEvery  time.Duration `toml:"levels_every"`
	PrimaryHost  string        `toml:"primary_host"`
	Keep         int           `toml:"keep"` // changes, while the broker is away
	KeepAlive    time.Duration `toml:"keep_alive"`
	Discovery    string        `toml:"discovery"` // Home Assistant's prefix; "": none
}

// MQTTVersion is what the broker speaks.
type MQTTVersion string

const (
	MQTT5   MQTTVersion = "5"
	MQTT311 MQTTVersion = "3.1.1"
)

var mqttVersions = words[MQTTVersion]{MQTT5, MQTT311}

func (v *MQTTVersion) UnmarshalText(text []byte) error { return mqttVersions.read(v, text) }

// MQTTStyle is how a broker is told.
type MQTTStyle string

const (
	Sparkplug MQTTStyle = "sparkplug"
	JSON      MQTTStyle = "json"
)

var mqttStyles = words[MQTTStyle]{Sparkplug, JSON}

func (s *MQTTStyle) UnmarshalText(text []byte) error { return mqttStyles.read(s, text) }

// MQTTRole is what commands over MQTT may, in the words of firmware/operator.
type MQTTRole string

var mqttRoles = words[MQTTRole]{"operator", "engineer"}

func (r *MQTTRole) UnmarshalText(text []byte) error { return mqttRoles.read(r, text) }

// TooOpen says why a file with such a mode cannot hold a secret; "": it can.
func TooOpen(mode fs.FileMode) string {
	if mode.Perm()&0o007 == 0 {
		return ""
	}
	return fmt.Sprintf("others may use it (mode %04o): chmod o= it, and give it to the gateway's user or group", mode.Perm())
}

// mqtt refuses what no broker takes.
func (c *checker) mqtt() {
	m := c.MQTT
	const brokers = `"mqtt://HOST:PORT", or "mqtts://HOST:PORT" for TLS`
	secure := false
	if m.Broker != "" {
		u, err := url.Parse(m.Broker)
		switch {
		case err != nil || u.Host == "":
			c.wrong("mqtt.broker", brokers, "is %q", m.Broker)
		case u.Scheme != "mqtt" && u.Scheme != "mqtts":
			c.wrong("mqtt.broker", brokers, "begins with %q", u.Scheme+"://").Nearest = map[string]string{"tcp": "mqtt", "ssl": "mqtts", "tls": "mqtts"}[u.Scheme]
		case u.User != nil:
			c.wrong("mqtt.broker", brokers, "has a user in it: write mqtt.user and mqtt.password_file")
		case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
			c.wrong("mqtt.broker", brokers, "has more than host and port")
		case u.Port() != "":
			if n, err := strconv.Atoi(u.Port()); err != nil || n < 1 || n > 65535 {
				c.wrong("mqtt.broker", brokers, "has the port %s; allowed are 1 to 65535", u.Port())
			}
		}
		secure = err == nil && u.Scheme == "mqtts"
	}
	for key, name := range map[string]string{"mqtt.group": m.Group, "mqtt.node": m.Node, "mqtt.primary_host": m.PrimaryHost, "mqtt.discovery": m.Discovery} {
		reserved := "+/#"
		if key == "mqtt.discovery" {
			reserved = "+#"
		}
		if i := strings.IndexAny(name, reserved); i >= 0 {
			c.wrong(key, "a text without "+strings.Join(strings.Split(reserved, ""), " "), "has %q, which means something in a topic", name[i:i+1])
		}
	}
	if m.Broker != "" && m.Node == "" && strings.ContainsAny(c.Unit.Name, "+/#") {
		c.wrong("mqtt.node", "a name without + / #", "is empty, and unit.name has a sign that means something in a topic")
	}
	if (m.Certificate == "") != (m.Key == "") {
		key := "mqtt.certificate"
		if m.Certificate == "" {
			key = "mqtt.key"
		}
		c.wrong(key, "both mqtt.certificate and mqtt.key, or neither", "stands alone")
	}
	for key, path := range map[string]string{"mqtt.password_file": m.PasswordFile, "mqtt.ca_file": m.CAFile, "mqtt.certificate": m.Certificate, "mqtt.key": m.Key} {
		switch {
		case path == "":
		case !strings.HasPrefix(path, "/"):
			c.wrong(key, "an absolute path", "is %q", path)
		case m.Broker != "" && !secure && key != "mqtt.password_file":
			c.wrong(key, "mqtts:// in mqtt.broker", "needs TLS, and mqtt.broker has none")
		}
	}
	if m.PasswordFile != "" && m.User == "" {
		c.wrong("mqtt.user", "the name that belongs to mqtt.password_file", "is empty")
	}
}

// level is a signal whose level leaves the unit, and the key that names it.
type level struct{ key, name string }

func (c *checker) levels() (list []level) {
	for i, name := range c.MQTT.Levels {
		list = append(list, level{fmt.Sprintf("mqtt.levels[%d]", i+1), name})
	}
	for i, name := range c.Metrics.Levels {
		list = append(list, level{fmt.Sprintf("metrics.levels[%d]", i+1), name})
	}
	return list
}

// emotions refuses levels that leave the unit for no purpose.
func (c *checker) emotions() {
	if c.Unit.Purpose != "" {
		return
	}
	for _, l := range c.levels() {
		if Emotion(l.name) {
			c.wrong(l.key, "action units and eye closure; or unit.purpose = \"safety\" or \"medical\"",
				"%s is an emotion, and unit.purpose is empty: EU AI Act, Article 5(1)(f)", l.name)
		}
	}
}

// told warns of what a broker would be told, and by what.
func (c *checker) told(signals []string) {
	m := c.MQTT
	if signals != nil {
		for _, l := range c.levels() {
			if !slices.Contains(signals, l.name) {
				c.wrong(l.key, strings.Join(signals, ", "), "the network has no signal %q", l.name).Nearest = spelling.Nearest(l.name, signals)
			}
		}
	}
	if m.Broker == "" {
		return
	}
	for key, other := range map[string]bool{"mqtt.primary_host": m.PrimaryHost != "" && m.Style != Sparkplug, "mqtt.discovery": m.Discovery != "" && m.Style != JSON} {
		if other {
			c.warn(key, "is not used where mqtt.style is %q", m.Style)
		}
	}
	if m.PasswordFile != "" {
		if info, err := os.Stat(m.PasswordFile); err == nil {
			if why := TooOpen(info.Mode()); why != "" {
				c.warn("mqtt.password_file", "%s: the gateway does not use it", why)
			}
		}
		if strings.HasPrefix(m.Broker, "mqtt://") {
			c.warn("mqtt.broker", "has no TLS: the password can be read on the network").Allowed = "mqtts://HOST:PORT"
		}
	}
	if m.Write && m.User == "" && m.Certificate == "" {
		c.warn("mqtt.write", "is true, and the unit logs in to the broker as nobody: whoever reaches that broker may give commands")
	}
}
