package config

import (
	"encoding"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"mien/firmware/alarm"
)

// tomlOf writes all settings as a file that gives the same Config.
func tomlOf(c *Config) string {
	var b strings.Builder
	section := ""
	for _, s := range c.Settings() {
		i := strings.LastIndexByte(s.Path, '.')
		if at := s.Path[:i]; at != section {
			section = at
			if strings.HasSuffix(at, "]") {
				fmt.Fprintf(&b, "[[%s]]\n", s.Key.Section())
			} else {
				fmt.Fprintf(&b, "[%s]\n", s.Key.Section())
			}
		}
		switch {
		case s.Value == "", s.Key.Path == "alarm.signal" && s.Value == `""`:
		case s.Key.Path == "alarm.deadband" && s.Line == 0: // an alarm with conditions must not have it
		default:
			fmt.Fprintf(&b, "%s = %s\n", s.Key.Name(), s.Value)
		}
	}
	return b.String()
}

var signals = []Signal{{Name: "valence", Min: -1, Max: 1}, {Name: "au4", Max: 1}, {Name: "au15", Max: 1, Weak: true}, {Name: "eyes_closed", Max: 1},
	{Name: "expression.fear", Max: 1}, {Name: "perclos", Max: 1}, {Name: "visible.mouth", Max: 1}}

// The table and the structs say the same: each key has a field of its type,
// each field a key.
func TestTableFitsStructs(t *testing.T) {
	kinds := map[Kind]reflect.Type{Text: reflect.TypeFor[string](), Integer: reflect.TypeFor[int](), Number: reflect.TypeFor[float64](),
		Boolean: reflect.TypeFor[bool](), Duration: reflect.TypeFor[time.Duration](), IntChoice: reflect.TypeFor[int](),
		Priority: reflect.TypeFor[alarm.Priority](), Names: reflect.TypeFor[[]string](), Share4: reflect.TypeFor[[4]float64](),
		LineName: reflect.TypeFor[string](), OptionalNum: reflect.TypeFor[*float64](), NamedInts: reflect.TypeFor[map[string]int](), Command: reflect.TypeFor[[]string]()}
	found := make(map[string]bool)
	var walk func(path string, in reflect.Type)
	walk = func(path string, in reflect.Type) {
		for i := range in.NumField() {
			f := in.Field(i)
			if !f.IsExported() {
				continue
			}
			p := join(path, f.Tag.Get("toml"))
			key, ok := lookup(p)
			switch {
			case ok:
				found[p] = true
				if key.Kind == Choice {
					// Each word of the table, and no other, is one of the type's.
					v := reflect.New(f.Type)
					word := v.Interface().(encoding.TextUnmarshaler)
					for _, w := range key.Choices {
						if err := word.UnmarshalText([]byte(w)); err != nil || quoted(w) != valueText(key, v.Elem()) {
							t.Errorf("%s: %q is read as %s (%v)", p, w, valueText(key, v.Elem()), err)
						}
					}
					if word.UnmarshalText([]byte("no such word")) == nil {
						t.Errorf("%s takes any word", p)
					}
				} else if kinds[key.Kind] != f.Type {
					t.Errorf("%s: the table says %v, the struct has %v", p, key.Kind, f.Type)
				}
			case f.Type.Kind() == reflect.Struct:
				walk(p, f.Type)
			case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
				walk(p, f.Type.Elem())
			default:
				t.Errorf("%s has no row in the table", p)
			}
		}
	}
	walk("", reflect.TypeFor[Config]())
	introduced := make(map[string]bool)
	for _, s := range sections {
		introduced[s.Name] = true
	}
	for _, k := range reference {
		if !found[k.Path] {
			t.Errorf("%s has no field", k.Path)
		}
		if k.Meaning == "" || !strings.HasSuffix(k.Meaning, ".") || k.Allowed() == "" {
			t.Errorf("%s is not explained", k.Path)
		}
		if !introduced[k.Section()] {
			t.Errorf("section %s is not introduced", k.Section())
		}
		if k.Default == "" && !k.Required && k.Kind != OptionalNum {
			t.Errorf("%s has neither a default nor must it be set", k.Path)
		}
		if k.Default != "" && k.Required {
			t.Errorf("%s is required and has a default", k.Path)
		}
	}
	if len(found) != len(reference) {
		t.Errorf("%d fields, %d rows: a row stands twice", len(found), len(reference))
	}
}

func TestEmptyFile(t *testing.T) {
	for _, text := range []string{"", "\n\n", "# only a remark\n", "[camera]\n[face.quality]\n", "\xef\xbb\xbf"[:0]} {
		cfg, err := Parse("mien.toml", []byte(text))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if cfg.Camera.Device != "auto" || cfg.Camera.Width != 640 || len(cfg.Alarms)+len(cfg.Outputs)+len(cfg.Inputs) != 0 || cfg.Serial.Device != "" ||
			cfg.Watchdog.Device != "off" || cfg.Health.Stale != time.Second || cfg.Face.Region != [4]float64{0, 0, 1, 1} {
			t.Errorf("%q: %+v", text, cfg)
		}
		if found := cfg.Check(signals); len(found) != 1 || found[0].Key != "alarm" || !found[0].Warning {
			t.Errorf("%q: %v", text, found)
		}
	}
}

const whole = `
[unit]
name = "press 4"
purpose = "safety"
purpose_reason = "risk assessment 2026-14"
[camera]
fps = 29.97
rotate = 270
[face]
region = [0.1, 0, 0.5, 1]
select = "region"
[face.quality]
max_yaw = 20
[[alarm]]
name = "frown"
signal = "au4"
high = 0.6
deadband = 0.1
on_delay = "1.5s"
off_delay = "1m30s"
priority = 1
latch = true
suppress_by = ["fear \"x\""]
on_unknown = "hold"
[[alarm]]
name = "fear \"x\""
any = [{signal = "expression.fear", high = 0.7}, {signal = "valence", low = -0.5, deadband = 0.2}]
acknowledge = false
[[alarm]]
name = "covered"
[[alarm.all]]
signal = "visible.mouth"
low = 0.2
[[alarm.all]]
signal = "eyes_closed"
high = 0.8
[[output]]
name = "healthy"
line = "pin 11"
function = "healthy"
[[output]]
name = "frown"
line = 17
chip = "pinctrl-rp1"
function = "alarm:frown"
blink = "fast"
[[input]]
name = "ack"
line = "GPIO5"
function = "acknowledge"
[serial]
device = "/dev/serial/by-id/x"
parity = "even"
[modbus]
unlock = ["frown"]
`

func TestWholeFile(t *testing.T) {
	cfg, err := Parse("mien.toml", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	a := cfg.Alarms[0]
	if a.Name != "frown" || *a.High != 0.6 || a.Low != nil || a.OnDelay != 1500*time.Millisecond || a.OffDelay != 90*time.Second || a.Priority != alarm.Critical || !a.Latch || !a.Horn {
		t.Errorf("%+v", a)
	}
	if cfg.Outputs[1].Line != "17" || cfg.Outputs[0].Priority != alarm.Low || cfg.Camera.FPS != 29.97 || cfg.Camera.Rotate != 270 {
		t.Errorf("%+v", cfg)
	}
	for _, p := range cfg.Check(signals) {
		t.Error(p)
	}
	defs := cfg.Definitions()
	names := make([]string, len(signals))
	for i, s := range signals {
		names[i] = s.Name
	}
	if _, err := alarm.New(defs, names, alarm.Options{}); err != nil {
		t.Fatal(err)
	}
	want := alarm.Definition{Name: "frown", Conditions: []alarm.Condition{{Signal: "au4", Limit: 0.6, Deadband: 0.1}}, OnDelay: 1500 * time.Millisecond,
		OffDelay: 90 * time.Second, Priority: alarm.Critical, Latch: true, Horn: true, Lamp: true, SuppressBy: []string{`fear "x"`},
		UnknownHold: 5 * time.Second, OnUnknown: alarm.Hold, MaxShelve: time.Hour, Unlocked: true}
	if !reflect.DeepEqual(defs[0], want) {
		t.Errorf("%+v", defs[0])
	}
	if d := defs[1]; d.Match != alarm.Any || !d.NoAck || d.Unlocked || d.Conditions[1] != (alarm.Condition{Signal: "valence", Side: alarm.Below, Limit: -0.5, Deadband: 0.2}) {
		t.Errorf("%+v", d)
	}
	if d := defs[2]; d.Match != alarm.All || len(d.Conditions) != 2 || d.Conditions[0].Deadband != 0.05 {
		t.Errorf("%+v", d)
	}
	// Written out whole and read again, it is the same.
	text := tomlOf(cfg)
	again, err := Parse("again.toml", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if c := Changes(cfg, again); len(c) != 0 {
		t.Errorf("%v\n%s", c, text)
	}
	if !reflect.DeepEqual(cfg.Alarms, again.Alarms) || !reflect.DeepEqual(cfg.Definitions(), again.Definitions()) {
		t.Errorf("%+v\n%+v", cfg.Alarms, again.Alarms)
	}
}

// The example file: as it is it changes nothing; with every key taken in it is
// right, and gives the defaults.
func TestExample(t *testing.T) {
	text := Example()
	cfg, err := Parse("example", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if c := Changes(Default(), cfg); len(c) != 0 {
		t.Error(c)
	}
	var b strings.Builder
	for _, line := range strings.Split(text, "\n") {
		if len(line) > 1 && line[0] == '#' && line[1] != ' ' {
			line = line[1:]
		}
		if len([]rune(line)) > 110 {
			t.Errorf("line too long: %s", line)
		}
		b.WriteString(line + "\n")
	}
	cfg, err = Parse("example", []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.Check(signals).Err(); err != nil {
		t.Error(err)
	}
	for _, c := range Changes(Default(), cfg) {
		if !strings.HasPrefix(c.Path, "alarm[") && !strings.HasPrefix(c.Path, "output[") && !strings.HasPrefix(c.Path, "input[") {
			t.Errorf("the example has another default: %v", c)
		}
	}
	for _, k := range reference {
		if !strings.Contains(b.String(), "\n"+k.Name()+" = ") && !strings.Contains(text, k.Name()+": ") && !strings.HasPrefix(k.Section(), "alarm.") {
			t.Errorf("%s is not in the example", k.Path)
		}
	}
	if len(cfg.Alarms) != 2 || len(cfg.Outputs) != 1 || len(cfg.Inputs) != 1 {
		t.Errorf("%+v", cfg)
	}
}

func TestSettingsSayWhere(t *testing.T) {
	cfg, err := Parse("m", []byte("[camera]\n\nwidth = 320\n[[alarm]]\nname = \"a\"\nsignal = \"au4\"\nhigh = 0.5\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"camera.width": "320 3", "camera.height": "480 0", "alarm[1].high": "0.5 7", "alarm[1].on_delay": `"1s" 0`, "alarm[1].low": " 0", "face.quality.max_yaw": "40 0"}
	for _, s := range cfg.Settings() {
		if w, ok := want[s.Path]; ok {
			if got := fmt.Sprintf("%s %d", s.Value, s.Line); got != w {
				t.Errorf("%s: %s, want %s", s.Path, got, w)
			}
			delete(want, s.Path)
		}
	}
	if len(want) > 0 {
		t.Errorf("not there: %v", want)
	}
}

func TestChanges(t *testing.T) {
	parse := func(s string) *Config {
		cfg, err := Parse("m", []byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	a := "[[alarm]]\nname = \"a\"\nsignal = \"au4\"\nhigh = 0.5\n"
	b := "[[alarm]]\nname = \"b\"\nsignal = \"au4\"\nhigh = 0.5\n"
	old := parse(a + b + "[camera]\nwidth = 320\n[state]\ndir = \"/a\"\n")
	now := parse(b + strings.Replace(a, "0.5", "0.7", 1) + "[camera]\nwidth = 640\n[state]\ndir = \"/b\"\n[serial]\nbaud = 9600\n")
	var got []string
	for _, c := range Changes(old, now) {
		got = append(got, c.String())
	}
	want := []string{"camera.width: 320 -> 640, opens camera and network again", "alarm[a].high: 0.5 -> 0.7, at once",
		"serial.baud: 115200 -> 9600, opens the serial port again", `state.dir: "/a" -> "/b", needs a restart; a reload is refused`}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// One that goes and one that comes.
	text := ""
	for _, c := range Changes(parse(a), parse(b)) {
		text += c.String() + "\n"
	}
	if !strings.Contains(text, `alarm[a].name: "a" -> nothing`) || !strings.Contains(text, `alarm[b].name: nothing -> "b"`) {
		t.Error(text)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(filepath.Join(dir, "none.toml")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Error(err)
	}
	path := filepath.Join(dir, "m.toml")
	os.WriteFile(path, []byte("[camera]\nwidth = 1"), 0o600)
	_, err := Load(path)
	var p Problems
	if !errors.As(err, &p) || p[0].File != path || p[0].Line != 2 || p[0].Key != "camera.width" {
		t.Error(err)
	}
	os.WriteFile(path, []byte(strings.Repeat("# long\n", 40_000)), 0o600)
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "256 KiB") {
		t.Error(err)
	}
	os.WriteFile(path, []byte(whole), 0o600)
	if cfg, err := Load(path); err != nil || len(cfg.Alarms) != 3 {
		t.Error(err)
	}
}

func TestFolders(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", "/var/lib/a:/var/lib/b")
	t.Setenv("RUNTIME_DIRECTORY", "/run/a")
	if got := (State{}).Folder(); got != "/var/lib/a" {
		t.Error(got)
	}
	if got := (Socket{}).File(); got != "/run/a/mien.sock" {
		t.Error(got)
	}
	if (State{Dir: "/x"}).Folder() != "/x" || (Socket{Path: "/x"}).File() != "/x" || (Socket{Path: "off"}).File() != "" {
		t.Error("a set path is not taken")
	}
	t.Setenv("STATE_DIRECTORY", "")
	t.Setenv("RUNTIME_DIRECTORY", "")
	for _, got := range []string{(State{}).Folder(), (Socket{}).File()} {
		if !filepath.IsAbs(got) || !strings.Contains(got, "mien") {
			t.Error(got)
		}
	}
}
