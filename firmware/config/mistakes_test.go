package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Each kind of mistake: the line, the key, and what the message must say.
func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		text string
		want string // parts, divided by |; the first is FILE:LINE: KEY:
	}{
		{"[slmp]\nlisten = \"5007\"", `m:2: slmp.listen:|is "5007"|an address and a port by number`},
		{"[modbus_tcp]\nlisten = \"localhost:1502\"", `m:2: modbus_tcp.listen:|is "localhost:1502"|an address and a port by number`},
		{"[modbus_tcp]\nallow = [\"10.0.0.0/8\", \"plc.plant\"]", `m:2: modbus_tcp.allow[2]:|is "plc.plant"|an address or a network by number`},
		{"[modbus_tcp]\nallow = [\"10.0.0.0/33\"]", `m:2: modbus_tcp.allow[1]:|is "10.0.0.0/33"`},
		{"[page]\nlisten = \"localhost:8470\"", `m:2: page.listen:|is "localhost:8470"|an address and a port by number`},
		{"[page]\nkey = \"/etc/mien/page.key\"", `m:2: page.key:|stands alone`},
		{"[page]\ncertificate = \"page.crt\"\nkey = \"/page.key\"", `m:2: page.certificate:|an absolute path`},
		{"[mqtt]\nbroker = \"broker.plant\"", `m:2: mqtt.broker:|is "broker.plant"|"mqtt://HOST:PORT"`},
		{"[mqtt]\nbroker = \"tcp://broker.plant:1883\"", `m:2: mqtt.broker:|begins with "tcp://"|did you mean "mqtt"?`},
		{"[mqtt]\nbroker = \"mqtt://anna:secret@broker:1883\"", `m:2: mqtt.broker:|mqtt.password_file`},
		{"[mqtt]\nbroker = \"mqtt://broker:99999\"", `m:2: mqtt.broker:|1 to 65535`},
		{"[mqtt]\nbroker = \"mqtt://broker/x\"", `m:2: mqtt.broker:|more than host and port`},
		{"[mqtt]\nstyle = \"sparkplugb\"", `m:2: mqtt.style:|did you mean "sparkplug"?`},
		{"[mqtt]\ngroup = \"a/b\"", `m:2: mqtt.group:|has "/"|without + / #`},
		{"[mqtt]\nnode = \"a#\"", `m:2: mqtt.node:|has "#"`},
		{"[mqtt]\nprimary_host = \"+\"", `m:2: mqtt.primary_host:|has "+"`},
		{"[unit]\nname = \"line 1/press 4\"\n[mqtt]\nbroker = \"mqtt://b\"", `m:3: mqtt.node:|unit.name`},
		{"[mqtt]\ncertificate = \"/a.crt\"", `m:2: mqtt.certificate:|stands alone`},
		{"[mqtt]\nkey = \"/a.key\"", `m:2: mqtt.key:|stands alone`},
		{"[mqtt]\nca_file = \"ca.pem\"", `m:2: mqtt.ca_file:|an absolute path`},
		{"[mqtt]\nbroker = \"mqtt://b\"\nca_file = \"/ca.pem\"", `m:3: mqtt.ca_file:|mqtts://`},
		{"[mqtt]\npassword_file = \"/p\"", `m:1: mqtt.user:|is empty|mqtt.password_file`},
		{"[mqtt]\nrole = \"administrator\"", `m:2: mqtt.role:|"operator", "engineer"`},
		{"[mqtt]\nlevels = [\"au4\", \"valence\"]", `m:2: mqtt.levels[2]:|unit.purpose is empty`},
		{"[metrics]\nlevels = [\"au4\", \"valence\"]", `m:2: metrics.levels[2]:|unit.purpose is empty`},
		{"[metrics]\nlisten = \":9470\"", `m:2: metrics.listen:|is ":9470"|an address and a port by number`},
		{"[metrics]\nallow = [\"prom.plant\"]", `m:2: metrics.allow[1]:|is "prom.plant"|an address or a network`},
		{"[mqtt]\nkeep = 10", `m:2: mqtt.keep:|100 to 100000`},
		{"[page]\nnames = [\"https://press3/\"]", `m:2: page.names[1]:|without port and path`},
		{"[camera]\nwidht = 1", `m:2: camera.widht:|no such key|did you mean "width"?|Allowed: device, command, format, width`},
		{"[camrea]\n", `m:1: camrea:|no such section|did you mean "camera"?|Allowed: unit, camera`},
		{"width = 3", `m:1: width:|stands outside a section|width belongs in [camera]`},
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
		{"[camera]\ncommand = \"rpicam-vid -t 0 -o -\"", `m:2: camera.command:|one text|write ["rpicam-vid", "-t", "0", "-o", "-"]`},
		{"[camera]\ncommand = 3", `m:2: camera.command:|bare value 3|each word of the command apart`},
		{"[camera]\ncommand = [\"cam\", 3]", `m:2: camera.command[2]:|bare value 3|in quotes, "3"`},
		{"[camera]\ncommand = [\"cam\", true]", `m:2: camera.command[2]:|bare value true`},
		{"[camera]\ncommand = [\"\", \"x\"]", `m:2: camera.command[1]:|names the program`},
		{"[camera]\ncommand = [\"cam\", \"a\\u0007b\"]", `m:2: camera.command[2]:|cannot be printed`},
		{"[camera]\ncommand = [\"cam\", \"" + strings.Repeat("x", 1025) + "\"]", `m:2: camera.command[2]:|has 1025 characters; at most 1024`},
		{"[camera]\ncommand = [" + strings.Repeat("\"x\", ", 129) + "]", `m:2: camera.command:|has 129 words; at most 128`},
		{"[camera]\ncommand = [\"cam -x\", \"-y\"]", `m:2: camera.command[1]:|no shell takes it apart|["cam", "-x", "-y"]`},
		{"[camera]\ncommand = [\"cam\", \"|\", \"other\"]", `m:2: camera.command[2]:|which only a shell knows|"sh", "-c"`},
		{"[camera]\ncommand = [\"cam\", \"~/x\"]", `m:2: camera.command[2]:|only a shell knows what ~ stands for`},
		{"[camera]\ncommand = [\"cam\", \"'a b'\"]", `m:2: camera.command[2]:|quotes in quotes`},
		{"[camera]\ncommand = [\"ffmpeg\", \"-i\", \"rtsp://10.0.0.1/x\", \"-f\", \"mjpeg\", \"-\"]", `m:2: camera.command[3]:|address on a network|#network-cameras`},
		{"[camera]\ncommand = [\"ffmpeg\", \"-i\", \"x\", \"out.y4m\"]", `m:2: camera.command:|ends in "out.y4m"|yuv4mpegpipe`},
		{"[camera]\ncommand = [\"gst-launch-1.0\", \"videotestsrc\", \"!\", \"fdsink\"]", `m:2: camera.command:|lacks -q`},
		{"[camera]\ncommand = [\"gst-launch-1.0\", \"-q\", \"videotestsrc\"]", `m:2: camera.command:|fdsink`},
		{"[camera]\ncommand = [\"rpicam-vid\", \"-t0\", \"-o\", \"-\"]", `m:2: camera.command:|H.264|"--codec", "mjpeg"`},
		{"[camera]\ncommand = [\"/usr/bin/libcamera-vid\", \"--codec=mjpeg\"]", `m:2: camera.command:|lacks -o`},
		{"[camera]\ndevice = \"/dev/video0\"\ncommand = [\"cam\"]", `m:2: camera.device:|beside camera.command`},
		{"[camera]\nclip = \"x.y4m\"\ncommand = [\"cam\"]", `m:2: camera.clip:|beside camera.command`},
		{"[camera]\npipeline = \"x\"", `m:2: camera.pipeline:|did you mean "command"?`},
		{"camera = 3", `m:1: camera:|is a section: write [camera]`},
		{"[[camera]]\n", `m:1: camera:|is a section: write [camera]`},
		{"[alarm]\nname = \"x\"", `m:1: alarm:|write [[alarm]] with two brackets`},
		{"alarm = [3]", `m:1: alarm[1]:|a whole number, not a block`},
		{"[filter]\naction_units = 300", `m:2: filter.action_units:|with its unit, in quotes|did you mean "300ms"?`},
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
		{"[pilot]\ntag = \"product B, early crew\"", `m:2: pilot.tag:|is "product B, early crew"|letters, digits`},
		{"[pilot]\ntag = \" early\"", `m:2: pilot.tag:|is " early"|letters, digits`},
		{"[pilot]\ntag = \"=cmd\"", `m:2: pilot.tag:|is "=cmd"|letters, digits`},
		{"[pilot]\ntag = \"01234567890123456789012345678901234567890\"", `m:2: pilot.tag:|41 characters`},
		{"[pilot]\ntag = 4", `m:2: pilot.tag:|bare value 4`},
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
		{"[[alarm]]\nname = \"a\"\nsignal = \"au4\"\nhigh = 1\nre_alarm = \"30s\"", `m:5: alarm[1].re_alarm:|is 30s|"0s", or from "1m" to "24h"`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"au4\"\nhigh = 1\noff_delay = \"10m\"\nre_alarm = \"5m\"", `m:6: alarm[1].re_alarm:|is 5m, and off_delay is 10m|from "10m" to "24h"`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"au4\"\nhigh = 1\non_delay = \"10m\"\nre_alarm = \"5m\"", `m:6: alarm[1].re_alarm:|on_delay is 10m|from "10m"`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"au4\"\nhigh = 1\nacknowledge = false\nre_alarm = \"5m\"", `m:6: alarm[1].re_alarm:|needs no acknowledgement|acknowledge = true`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"au4\"\nhigh = 1\nre_alarm = \"25h\"", `m:5: alarm[1].re_alarm:|24h`},
		{"[unit]\nsilence_max = \"10s\"", `m:2: unit.silence_max:|is 10s|"0s", or from "1m" to "24h"`},
		{"[[output]]\nname = \"l\"\nline = 1\nfunction = \"lmap\"", `m:4: output[1].function:|did you mean "lamp"?`},
		{"[[output]]\nname = \"l\"\nline = 1\nfunction = \"alarm:NAME\"", `m:4: output[1].function:|"NAME"`},
		{"[[output]]\nname = \"l\"\nline = -1\nfunction = \"lamp\"", `m:3: output[1].line:|bare value -1`},
		{"[[output]]\nname = \"l\"\nline = 1\nfunction = \"alarm:frwn\"\n[[alarm]]\nname = \"frown\"\nsignal = \"au4\"\nhigh = 0.5", `m:4: output[1].function:|no alarm "frwn"|did you mean "alarm:frown"?`},
		{"[[output]]\nname = \"l\"\nline = 1\nfunction = \"lamp\"\n[[output]]\nname = \"m\"\nline = \"1\"\nfunction = \"horn\"", `m:7: output[2].line:|is output "l"'s already (line 3`},
		{"[[output]]\nname = \"l\"\nline = 1\nfunction = \"lamp\"\n[[input]]\nname = \"m\"\nline = 1\nfunction = \"reset\"", `m:7: input[1].line:|output "l"'s already`},
		{"[[input]]\nname = \"m\"\nline = 1\nfunction = \"inhibit\"\nfor = \"1h\"", `m:5: input[1].for:|unit.inhibit_max`},
		{"[serial]\ndata = 7", `m:2: serial.data:|RTU needs 8`},
		{"[serial]\nbefore_send = \"150ms\"", `m:2: serial.before_send:|is 150ms|100ms`},
		{"[serial]\nafter_send = \"150ms\"", `m:2: serial.after_send:|100ms`},
		{"[serial]\ndevice = \"/dev/ttyS0\"\nprotocol = \"ascii\"\nbaud = 1200\ninterval = \"100ms\"", `m:5: serial.interval: a status line takes up to 875ms at 1200 baud, and one is due every 100ms|interval = "880ms" or more`},
		{"[serial]\ndevice = \"/dev/ttyS0\"\nprotocol = \"ascii\"\nbaud = 1200\nstop = 2\nparity = \"even\"", `m:4: serial.baud:|a higher baud`},
		{"[serial]\nbaud = 300", `m:2: serial.baud:|is 300|1200, 2400, 4800, 9600`},
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

// Two names of one line are told with both places, whichever of the two blocks
// they are in.
func TestSameLines(t *testing.T) {
	cfg, err := Parse("m", []byte(`[[output]]
name = "healthy"
line = "pin 11"
function = "healthy"
[[output]]
name = "lamp"
chip = "pinctrl-rp1"
line = 17
function = "lamp"
[[input]]
name = "ack"
line = "GPIO17"
function = "acknowledge"
[[input]]
name = "horn off"
line = "only the kernel knows"
function = "silence"
`))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{"pin 11": "pinctrl-rp1 line 17", "17": "pinctrl-rp1 line 17", "GPIO17": "pinctrl-rp1 line 17"}
	got := cfg.SameLines(func(chip, line string) string { return names[line] })
	want := []string{
		`m:8: output[2].line: "17" of output "lamp" and output "healthy" on line 3 of the file are one and the same: pinctrl-rp1 line 17`,
		`m:12: input[1].line: "GPIO17" of input "ack" and output "healthy" on line 3 of the file are one and the same: pinctrl-rp1 line 17`,
	}
	for i := range want {
		if i >= len(got) || got[i].String() != want[i] {
			t.Errorf("got\n%v\nwant\n%s", got, strings.Join(want, "\n"))
			break
		}
	}
	if len(got) != len(want) || got.Err() == nil {
		t.Errorf("%d problems, %v", len(got), got.Err())
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
	want := "2 camera.widht, 3 camera.fps, 4 camera.device, 9 alarm[1].on_delay, 10 , 13 modbus.address, 15 health.frozen, 17 , 18 health.min_rate"
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
		{alarmOf("signal = \"pain\"\nhigh = 8"), `m:8: alarm[1].signal: the signal "pain" is withdrawn: the pain index adds how strong units are`},
		{alarmOf("any = [{signal = \"au4\", high = 0.5}, {signal = \"pain\", high = 8}]"), `m:8: alarm[1].any[2].signal: the signal "pain" is withdrawn`},
		{alarmOf("signal = \"au4\"\nhigh = 40"), `m:9: alarm[1].high: is 40`},
		{alarmOf("signal = \"au4\"\nhigh = 0"), `always met`},
		{alarmOf("signal = \"valence\"\nlow = -1.1"), `m:9: alarm[1].low: is -1.1`},
		{alarmOf("signal = \"au4\"\nhigh = 0.1\ndeadband = 0.1"), `m:10: alarm[1].deadband: is 0.1: the level would have to go to 0, so the alarm could never return`},
		{alarmOf("signal = \"au15\"\nhigh = 0.5"), `warning: alarm[1].signal: au15 is a weak signal`},
		{alarmOf("signal = \"au4\"\nhigh = 0.5\non_delay = \"0s\""), `warning: alarm[1].on_delay: is 0`},
		{alarmOf("signal = \"au4\"\nhigh = 0.5\ndeadband = 0"), `warning: alarm[1].deadband: is 0`},
		{"[unit]\npurpose = \"medical\"\n[serial]\ndevice = \"/dev/ttyS0\"\n[[alarm]]\nname = \"a\"\nsignal = \"valence\"\nlow = -0.5", `warning: unit.purpose_reason: is empty`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"au4\"\nhigh = 0.5", `warning: alarm[1]: no output and no serial port`},
		{"[[output]]\nname = \"a\"\nline = 1\nfunction = \"horn\"", `no output has function "healthy"`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"au4\"\nhigh = 0.5\n[[output]]\nname = \"a\"\nline = 1\nfunction = \"horn\"", `no input to acknowledge`},
		{"[camera]\nclip = \"x.y4m\"", `the camera is not watched`},
		{"[camera]\ndevice = \"/dev/video0\"", `by-id`},
		{"[camera]\nwidth = 320\ncommand = [\"cam\"]", `warning: camera.width: is not used`},
		{"[camera]\ncontrols = {gain = 1}\ncommand = [\"cam\"]", `warning: camera.controls: is not used`},
		{"[camera]\ncommand = [\"rpicam-vid\", \"--codec\", \"mjpeg\", \"-o\", \"-\"]", `warning: camera.command: rpicam-vid ends by itself after 5 s`},
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
	if found := cfg.Check(signals); len(found) != 1 || !strings.Contains(found.Error(), "room for 16 alarms") {
		t.Error(found)
	}
	many = "[serial]\ndevice = \"/dev/ttyS0\"\n[[alarm]]\nname = \"a\"\nsignal = \"au4\"\nhigh = 0.5\n"
	for i := range 17 {
		many += fmt.Sprintf("[[output]]\nname = \"o%d\"\nchip = \"c\"\nline = %d\nfunction = \"healthy\"\n", i, i)
	}
	if cfg, err = Parse("m", []byte(many)); err != nil {
		t.Fatal(err)
	}
	if found := cfg.Check(signals); len(found) != 1 || !strings.Contains(found.Error(), "room for 16 outputs; the 1 from") {
		t.Error(found)
	}
}

// No alarm on an emotion passes without a purpose, whatever its form; no other
// needs one.
func TestPurpose(t *testing.T) {
	emotions := []string{"valence", "arousal", "expression.anger", "expression.neutral", "compound.happily_surprised"}
	others := []string{"au4", "au43", "eyes_closed", "perclos", "visible.eyes"}
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

// TestExamineTellsAllAtOnce: mistakes of the file and those against the network
// come together, each once.
func TestExamineTellsAllAtOnce(t *testing.T) {
	known := func(*Config) ([]Signal, error) { return signals, nil }
	failing := func(*Config) ([]Signal, error) { return nil, errors.New("no such card") }
	const unknown, right = "[[alarm]]\nname = \"a\"\nsignal = \"au99\"\nhigh = 0.5\ndeadband = 0.1\n", "[[alarm]]\nname = \"b\"\nsignal = \"au4\"\nhigh = 0.5\ndeadband = 0.1\n"
	for name, c := range map[string]struct {
		text    string
		signals func(*Config) ([]Signal, error)
		want    []string // keys
		fails   bool
	}{
		"nothing wrong":     {right, known, nil, false},
		"only the network":  {unknown, known, []string{"alarm[1].signal"}, false},
		"both":              {"[camera]\nwidht = 3\n" + unknown, known, []string{"camera.widht", "alarm[1].signal"}, false},
		"both in one alarm": {unknown + "on_dealy = \"1s\"\n", known, []string{"alarm[1].signal", "alarm[1].on_dealy"}, false},
		// Without its limit an alarm is not judged by the limit.
		"no limit":      {"[[alarm]]\nname = \"a\"\nsignal = \"au4\"\nhigh = \"much\"\n", known, []string{"alarm[1].high"}, false},
		"broken":        {"[camera\nwidth = 3\n" + unknown, known, []string{""}, false},
		"no card":       {right, failing, nil, true},
		"no card, both": {"[camera]\nwidht = 3\n" + right, failing, []string{"camera.widht"}, true},
		"bad card":      {right + "[model]\ncard = \"x\"\n", func(*Config) ([]Signal, error) { return nil, KeyError{"model.card", errors.New("no such file")} }, []string{"model.card"}, false},
		"card mistaken": {"[model]\ncard = 3\n" + unknown, failing, []string{"model.card"}, false},
	} {
		cfg, found, err := Examine("x.toml", []byte(c.text), c.signals)
		var keys []string
		for _, p := range found.Errors() {
			keys = append(keys, p.Key)
		}
		if !slices.Equal(keys, c.want) || (err != nil) != c.fails || (cfg == nil) != (len(c.want) > 0 || c.fails) {
			t.Errorf("%s: %q, %v, config %v; want %q", name, keys, err, cfg != nil, c.want)
			t.Log(found)
		}
	}
}
