package config

import (
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
	{Name: "expression.fear", Max: 1}, {Name: "pain", Max: 16}, {Name: "visible.mouth", Max: 1}}

// The table and the structs say the same: each key has a field of its type,
// each field a key.
func TestTableFitsStructs(t *testing.T) {
	kinds := map[Kind]reflect.Type{Text: reflect.TypeFor[string](), Integer: reflect.TypeFor[int](), Number: reflect.TypeFor[float64](),
		Boolean: reflect.TypeFor[bool](), Duration: reflect.TypeFor[time.Duration](), Choice: reflect.TypeFor[string](), IntChoice: reflect.TypeFor[int](),
		Priority: reflect.TypeFor[alarm.Priority](), Names: reflect.TypeFor[[]string](), Share4: reflect.TypeFor[[4]float64](),
		LineName: reflect.TypeFor[string](), OptionalNum: reflect.TypeFor[*float64]()}
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
				if kinds[key.Kind] != f.Type {
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
	sections := make(map[string]bool)
	for _, s := range sectionMeanings {
		sections[s.name] = true
	}
	for _, k := range reference {
		if !found[k.Path] {
			t.Errorf("%s has no field", k.Path)
		}
		if k.Meaning == "" || !strings.HasSuffix(k.Meaning, ".") || k.Allowed() == "" {
			t.Errorf("%s is not explained", k.Path)
		}
		if !sections[k.Section()] {
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
		if found := cfg.Check(signals); len(found) != 0 {
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

// Each kind of mistake: the line, the key, and what the message must say.
func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		text string
		want string // parts, divided by |; the first is FILE:LINE: KEY:
	}{
		{"[camera]\nwidht = 1", `m:2: camera.widht:|no such key|did you mean "width"?|Allowed: device, format, width`},
		{"[camrea]\n", `m:1: camrea:|no such section|did you mean "camera"?|Allowed: unit, camera`},
		{"width = 3", `m:1: width:|no such section|width belongs in [camera]`},
		{"[unit]\ndevice = \"x\"", `m:2: unit.device:|device belongs in [camera]`},
		{"[camera]\nwidth = \"640\"", `m:2: camera.width:|the text "640"|a whole number from 64 to 4096`},
		{"[camera]\nwidth = 640.5", `m:2: camera.width:|bare value 640.5|whole number`},
		{"[camera]\nwidth = 1_000_000", `m:2: camera.width:|is 1_000_000|64 to 4096`},
		{"[camera]\nwidth = 99999999999999999999", `m:2:|`},
		{"[camera]\nfps = nan", `m:2: camera.fps:|nan cannot be taken`},
		{"[camera]\nfps = inf", `m:2: camera.fps:|inf cannot be taken`},
		{"[camera]\nrotate = 45", `m:2: camera.rotate:|is 45|0, 90, 180, 270`},
		{"[camera]\nmirror = 1", `m:2: camera.mirror:|bare value 1|true, false`},
		{"[camera]\nformat = \"yuyv\"", `m:2: camera.format:|is "yuyv"|did you mean "YUYV"?`},
		{"[camera]\ndevice = \"\"", `m:2: camera.device:|has 0 characters`},
		{"[camera]\ndevice = \"a\\u0007b\"", `m:2: camera.device:|cannot be printed`},
		{"[camera]\nclip = 1979-05-27", `m:2: camera.clip:|is a date`},
		{"camera = 3", `m:1: camera:|is a section: write [camera]`},
		{"[[camera]]\n", `m:1: camera:|is a section: write [camera]`},
		{"[alarm]\nname = \"x\"", `m:1: alarm:|write [[alarm]] with two brackets`},
		{"alarm = [3]", `m:1: alarm[1]:|a whole number, not a block`},
		{"[filter]\naction_units = 300", `m:2: filter.action_units:|with its unit, in quotes|did you mean "300s"?`},
		{"[filter]\naction_units = \"300\"", `m:2: filter.action_units:|is "300"|"300ms"`},
		{"[filter]\naction_units = \"2m\"", `m:2: filter.action_units:|is 2m|from "0s" to "1m"`},
		{"[filter]\naction_units = \"-1s\"", `m:2: filter.action_units:|is -1s`},
		{"[face]\nregion = [0, 0, 1]", `m:2: face.region:|is a list|4 numbers`},
		{"[face]\nregion = [0, 0, 1, 1.5]", `m:2: face.region[4]:|1.5`},
		{"[face]\nregion = [0.5, 0, 0.6, 1]", `m:2: face.region:|not a region`},
		{"[modbus]\nunlock = \"all\"", `m:2: modbus.unlock:|the text "all"|a list of texts`},
		{"[modbus]\nunlock = [1]", `m:2: modbus.unlock[1]:|bare value 1`},
		{"[modbus]\nunlock = [\"all\", \"all\"]", `m:2: modbus.unlock:|"all" twice`},
		{"[modbus]\nunlock = [\"frwon\"]\n[[alarm]]\nname = \"frown\"\nsignal = \"au4\"\nhigh = 0.5", `m:2: modbus.unlock[1]:|no alarm "frwon"|did you mean "frown"?`},
		{"[camera]\nwidth = 640\nwidth = 320", `m:3: camera.width:|already set on line 2`},
		{"[camera]\n[face]\n[camera]\n", `m:3: camera:|stands already on line 1`},
		{"[unit]\nname = Press", `m:2:|a text must stand in quotes: name = "Press"`},
		{"[unit]\nname = \"x", `m:2:|not TOML`},
		{"[unit\nname = \"x\"", `m:1:|not TOML`},
		{"[[alarm]]\nsignal = \"au4\"\nhigh = 1", `m:1: alarm[1].name:|is missing`},
		{"[[alarm]]\nname = \"a\"", `m:1: alarm[1].signal:|watches nothing`},
		{"[[alarm]]\nname = \"a\"\nall = []", `m:3: alarm[1].all:|empty list`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"au4\"", `m:1: alarm[1].high:|is missing, and so is low`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"au4\"\nhigh = 1\nlow = 0", `m:5: alarm[1].low:|high is set too`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"au4\"\nhigh = 1\nany = [{signal = \"au4\", high = 1}]", `m:3: alarm[1].signal:|more than one`},
		{"[[alarm]]\nname = \"a\"\nany = [{signal = \"au4\", high = 1}]\nhigh = 1", `m:4: alarm[1].high:|into each condition`},
		{"[[alarm]]\nname = \"a\"\nany = [{signal = \"au4\",\n higj = 1}]", `m:4: alarm[1].any[1].higj:|did you mean "high"?`},
		{"[[alarm]]\nname = \"a\"\nany = [{high = 1}]", `m:3: alarm[1].any[1].signal:|is missing`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"au4\"\nhigh = 1\n[[alarm]]\nname = \"a\"\nsignal = \"au4\"\nhigh = 1", `m:6: alarm[2].name:|line 2 already`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"au4\"\nhigh = 1\nsuppress_by = [\"b\"]", `m:5: alarm[1].suppress_by[1]:|no alarm "b"`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"au4\"\nhigh = 1\nsuppress_by = [\"a\"]", `m:5: alarm[1].suppress_by[1]:|itself`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"au4\"\nhigh = 1\npriority = 5", `m:5: alarm[1].priority:|is "5"|1 to 4`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"au4\"\nhigh = 1\npriority = \"hgih\"", `m:5: alarm[1].priority:|did you mean "high"?`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"arousal\"\nhigh = 1", `m:3: alarm[1].signal:|infers an emotion|Art. 5(1)(f)|purpose = "safety" or "medical"`},
		{"[[alarm]]\nname = \"a\"\nall = [{signal = \"au4\", high = 1}, {signal = \"compound.sadly_angry\", high = 1}]", `m:1: alarm[1]:|infers an emotion`},
		{"[[output]]\nname = \"l\"\nline = 1\nfunction = \"lmap\"", `m:4: output[1].function:|did you mean "lamp"?`},
		{"[[output]]\nname = \"l\"\nline = 1\nfunction = \"alarm:NAME\"", `m:4: output[1].function:|"NAME"`},
		{"[[output]]\nname = \"l\"\nline = -1\nfunction = \"lamp\"", `m:3: output[1].line:|bare value -1`},
		{"[[output]]\nname = \"l\"\nline = 1\nfunction = \"alarm:frwn\"\n[[alarm]]\nname = \"frown\"\nsignal = \"au4\"\nhigh = 0.5", `m:4: output[1].function:|no alarm "frwn"|did you mean "alarm:frown"?`},
		{"[[output]]\nname = \"l\"\nline = 1\nfunction = \"lamp\"\n[[output]]\nname = \"m\"\nline = \"1\"\nfunction = \"horn\"", `m:7: output[2].line:|is output "l"'s already (line 3`},
		{"[[output]]\nname = \"l\"\nline = 1\nfunction = \"lamp\"\n[[input]]\nname = \"m\"\nline = 1\nfunction = \"reset\"", `m:7: input[1].line:|output "l"'s already`},
		{"[[input]]\nname = \"m\"\nline = 1\nfunction = \"inhibit\"\nfor = \"1h\"", `m:5: input[1].for:|unit.inhibit_max`},
		{"[serial]\ndata = 7", `m:2: serial.data:|RTU needs 8`},
		{"[serial]\nbaud = 300", `m:2: serial.baud:|1200 to 921600`},
		{"[modbus]\naddress = 248", `m:2: modbus.address:|1 to 247`},
		{"[health]\nretry_first = \"10s\"", `m:2: health.retry_first:|longer than retry_most`},
		{"[health]\nmin_rate = 31", `m:2: health.min_rate:|at most camera.fps, 30`},
		{"[face.quality]\nmin_light = 240", `m:2: face.quality.min_light:|not below max_light`},
		{"[filter]\nperclos_known = \"2m\"", `m:2: filter.perclos_known:|longer than the window`},
		{"[watchdog]\ndevice = \"of\"", `m:2: watchdog.device:|is "of"|did you mean "off"?`},
		{"[watchdog]\ndevice = \"auto\"\ntimeout = \"2s\"\n[health]\nstale = \"2s\"", `m:3: watchdog.timeout:|twice health.stale`},
		{"[socket]\npath = \"x.sock\"", `m:2: socket.path:|absolute`},
		{strings.Repeat("[[alarm]]\nname=\"a\"\nsignal=\"au4\"\nhigh=1\n", 49), `m:193: alarm[49]:|49 alarms are defined, at most 48`},
	} {
		_, err := Parse("m", []byte(c.text))
		var problems Problems
		if !errors.As(err, &problems) {
			t.Errorf("%q: taken (%v)", c.text, err)
			continue
		}
		parts := strings.Split(c.want, "|")
		ok := false
		for _, p := range problems {
			line := p.String()
			all := strings.HasPrefix(line, parts[0])
			for _, part := range parts[1:] {
				all = all && strings.Contains(line, part)
			}
			ok = ok || all
		}
		if !ok {
			t.Errorf("%q:\n  got  %v\n  want %s", c.text, err, c.want)
		}
		if len(problems) > 2 && !strings.Contains(c.want, "49 alarms") {
			t.Errorf("%q: one mistake, %d messages:\n%v", c.text, len(problems), err)
		}
	}
}

// All mistakes are told at once, in the order of their lines, also behind a
// line that is no TOML.
func TestAllAtOnce(t *testing.T) {
	_, err := Parse("m", []byte(`[camera]
widht = 640
fps = "30"
device = usb
[[alarm]]
name = "frown"
signal = "au4"
high = 0.6
on_delay = 3
[serial
baud = 1
[modbus]
address = 0
[health]
frozen = "1x"
x = [1,
y = 2
min_rate = 500
`))
	var got []string
	for _, p := range err.(Problems) {
		got = append(got, fmt.Sprintf("%d %s", p.Line, p.Key))
	}
	want := "2 camera.widht, 3 camera.fps, 4 , 9 alarm[1].on_delay, 10 , 13 modbus.address, 15 health.frozen, 17 , 18 health.min_rate"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got  %s\nwant %s\n%v", s, want, err)
	}
}

func TestCircle(t *testing.T) {
	text := ""
	for i, by := range []string{"b", "c", "a"} {
		text += fmt.Sprintf("[[alarm]]\nname = \"%c\"\nsignal = \"au4\"\nhigh = 0.5\nsuppress_by = [%q]\n", 'a'+i, by)
	}
	_, err := Parse("m", []byte(text))
	if err == nil || !strings.Contains(err.Error(), "goes in a circle") || len(err.(Problems)) != 1 {
		t.Error(err)
	}
}

// What only the network knows.
func TestCheckAgainstSignals(t *testing.T) {
	alarmOf := func(lines string) string {
		return "[unit]\npurpose = \"safety\"\npurpose_reason = \"r\"\n[serial]\ndevice = \"/dev/ttyS0\"\n[[alarm]]\nname = \"a\"\n" + lines
	}
	for _, c := range []struct{ text, want string }{
		{alarmOf("signal = \"au5\"\nhigh = 0.5"), `m:8: alarm[1].signal: the network has no signal "au5"; did you mean "au4"? Allowed: valence, au4`},
		{alarmOf("all = [{signal = \"au4\", high = 0.5}, {signal = \"au99\", high = 0.5}]"), `m:8: alarm[1].all[2].signal: the network has no signal "au99"`},
		{alarmOf("signal = \"au4\"\nhigh = 40"), `m:9: alarm[1].high: is 40`},
		{alarmOf("signal = \"au4\"\nhigh = 0"), `always met`},
		{alarmOf("signal = \"valence\"\nlow = -1.1"), `m:9: alarm[1].low: is -1.1`},
		{alarmOf("signal = \"au4\"\nhigh = 0.1\ndeadband = 0.1"), `m:10: alarm[1].deadband: is 0.1: the level would have to go to 0, so the alarm could never return`},
		{alarmOf("signal = \"au15\"\nhigh = 0.5"), `warning: alarm[1].signal: au15 is a weak signal`},
		{alarmOf("signal = \"au4\"\nhigh = 0.5\non_delay = \"0s\""), `warning: alarm[1].on_delay: is 0`},
		{alarmOf("signal = \"au4\"\nhigh = 0.5\ndeadband = 0"), `warning: alarm[1].deadband: is 0`},
		{"[unit]\npurpose = \"medical\"\n[serial]\ndevice = \"/dev/ttyS0\"\n[[alarm]]\nname = \"a\"\nsignal = \"valence\"\nlow = -0.5", `warning: unit.purpose_reason: is empty`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"au4\"\nhigh = 0.5", `warning: alarm[1]: no output and no serial line`},
		{"[[output]]\nname = \"a\"\nline = 1\nfunction = \"horn\"", `no output has function "healthy"`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"au4\"\nhigh = 0.5\n[[output]]\nname = \"a\"\nline = 1\nfunction = \"horn\"", `no input to acknowledge`},
		{"[camera]\nclip = \"x.y4m\"", `the camera is not watched`},
		{"[camera]\ndevice = \"/dev/video0\"", `by-id`},
		{"[serial]\ndevice = \"/dev/ttyUSB0\"", `by-id`},
		{"[face]\nselect = \"region\"", `whole frame`},
	} {
		cfg, err := Parse("m", []byte(c.text))
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		found := cfg.Check(signals)
		if !strings.Contains(found.Error(), c.want) {
			t.Errorf("%q:\n  got  %v\n  want %s", c.text, found, c.want)
		}
		if isError := strings.HasPrefix(c.want, "m:") || c.want == "always met"; isError != (found.Err() != nil) {
			t.Errorf("%q: refused %v: %v", c.text, found.Err() != nil, found)
		}
	}
	many := "[serial]\ndevice = \"/dev/ttyS0\"\n"
	for i := range 17 {
		many += fmt.Sprintf("[[alarm]]\nname = \"a%d\"\nsignal = \"au4\"\nhigh = 0.5\n", i)
	}
	cfg, err := Parse("m", []byte(many))
	if err != nil {
		t.Fatal(err)
	}
	if found := cfg.Check(signals); len(found) != 1 || !strings.Contains(found.Error(), "room for 16") {
		t.Error(found)
	}
}

// No alarm on an emotion passes without a purpose, whatever its form; no other
// needs one.
func TestPurpose(t *testing.T) {
	emotions := []string{"valence", "arousal", "expression.anger", "expression.neutral", "compound.happily_surprised"}
	others := []string{"au4", "au43", "eyes_closed", "perclos", "pain", "visible.eyes"}
	for i, s := range append(emotions, others...) {
		for _, form := range []string{"signal = %q\nhigh = 0.5", "any = [{signal = \"au12\", high = 0.5}, {signal = %q, high = 0.5}]", "all = [{signal = %q, low = 0.5}]"} {
			text := "[[alarm]]\nname = \"a\"\n" + fmt.Sprintf(form, s)
			_, err := Parse("m", []byte(text))
			if refused := err != nil; refused != (i < len(emotions)) {
				t.Errorf("%q: %v", text, err)
			}
			for _, purpose := range []string{"safety", "medical"} {
				if _, err := Parse("m", []byte("[unit]\npurpose = \""+purpose+"\"\n"+text)); err != nil {
					t.Errorf("%s, %q: %v", purpose, text, err)
				}
			}
		}
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

// As editors on other systems write it.
func TestOtherEditors(t *testing.T) {
	text := "\ufeff" + strings.ReplaceAll(whole, "\n", "\r\n")
	cfg, err := Parse("m", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	plain, _ := Parse("m", []byte(whole))
	if c := Changes(plain, cfg); len(c) != 0 {
		t.Error(c)
	}
	_, err = Parse("m", []byte("\ufeff[camera]\r\nwidht = 1\r\nname = Press\r\n"))
	if err == nil || !strings.HasPrefix(err.Error(), "m:2: camera.widht") || !strings.Contains(err.Error(), `m:3: not TOML: a text must stand in quotes: name = "Press"`) {
		t.Error(err)
	}
	_, err = Parse("m", []byte("[unit]\nname = \"Pr\xfcfstand\"\n")) // Latin-1
	if err == nil || !strings.HasPrefix(err.Error(), "m:2: ") || !strings.Contains(err.Error(), "UTF-8") {
		t.Error(err)
	}
}

// A file made to be slow is no slower than its length allows.
func TestHostileFiles(t *testing.T) {
	for name, text := range map[string]string{
		"open brackets": strings.Repeat("[", 1<<20),
		"open lists":    "x = " + strings.Repeat("[", 1<<17),
		"broken lines":  strings.Repeat("x\n", 1<<17),
		"many keys": func() string {
			var b strings.Builder
			for i := range 20_000 {
				fmt.Fprintf(&b, "k%d = 1\n", i)
			}
			return b.String()
		}(),
		"the same key":   strings.Repeat("k = 1\n", 40_000),
		"many blocks":    strings.Repeat("[[alarm]]\n", 26_000),
		"dotted":         strings.Repeat("a.", 1<<16) + "b = 1",
		"nested tables":  "a = " + strings.Repeat("{a.b.c = ", 5000) + "1" + strings.Repeat("}", 5000),
		"inline tables":  "a = " + strings.Repeat("{a = ", 5000) + "1" + strings.Repeat("}", 5000),
		"broken headers": strings.Repeat("[a\n", 1<<16),
	} {
		done, begun := make(chan error, 1), time.Now()
		go func() { _, err := Parse(name, []byte(text)); done <- err }()
		select {
		case err := <-done:
			t.Log(name, time.Since(begun))
			if p, ok := err.(Problems); !ok || len(p) == 0 || len(p) > mostProblems+1 {
				t.Errorf("%s: taken, or %d mistakes told", name, len(p))
			}
		case <-time.After(2 * time.Minute):
			t.Fatalf("%s: does not end", name)
		}
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

func TestNearest(t *testing.T) {
	list := []string{"width", "height", "format", "fps"}
	for word, want := range map[string]string{"widht": "width", "hieght": "height", "WIDTH": "width", "fromat": "format", "fp": "fps", "zzz": "", "": "", "w": ""} {
		if got := nearest(word, list); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		n    int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"kitten", "sitting", 3}, {"ü", "u", 1}, {strings.Repeat("x", 100), "x", 64}} {
		if got := distance(c.a, c.b); got != c.n {
			t.Errorf("%q %q: %d, want %d", c.a, c.b, got, c.n)
		}
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
