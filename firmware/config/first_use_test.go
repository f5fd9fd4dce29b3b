package config

import (
	"fmt"
	"strings"
	"testing"
)

// What people who use mien for the first time write, and what they are told:
// file, line, key, what is allowed, and our own word for the one that they
// meant.
func TestFirstUse(t *testing.T) {
	const alarm = "[[alarm]]\nname = \"a\"\nsignal = \"au4\"\n"      // 3 lines
	const output = "[[output]]\nname = \"o\"\nfunction = \"lamp\"\n" // 3 lines
	const input = "[[input]]\nname = \"i\"\nfunction = \"reset\"\n"  // 3 lines
	for _, c := range []struct {
		text string
		want string // parts, divided by |; the first is FILE:LINE: KEY:
	}{
		// Controls of the camera.
		{"[camera.controls]\npower_line_frequency = \"50 Hz\"", `m:2: camera.controls.power_line_frequency:|is the text "50 Hz"|whole numbers, such as`},
		{"[camera.controls]\n\"Power Line Frequency\" = 1", `m:2: camera.controls.Power Line Frequency:|is no name of a control`},
		{"[camera]\ncontrols = 1", `m:2: camera.controls:|is the bare value 1|a table of names`},
		{"[camera]\ncontrols = {gain = 1.5}", `m:2: camera.controls.gain:|is the bare value 1.5`},
		// Signs that look alike.
		{alarm + "high = 0,6", `m:4: alarm[1].high:|decimal comma|high = 0.6|allowed: a number`},
		{alarm + "high = \"0,6\"", `m:4: alarm[1].high:|write it without quotes, high = 0.6|allowed: a number`},
		{"[camera]\nfps = 29,97", `m:2: camera.fps:|decimal comma|fps = 29.97|from 1 to 240`},
		{"[unit]\nname = “Press 4”", `m:2: unit.name:|quotes of a word processor|name = "Press 4"|a text in quotes`},
		{"[unit]\nname = „Presse 4“", `m:2: unit.name:|quotes of a word processor|name = "Presse 4"`},
		{"[unit]\nname = ‘Press 4’", `m:2: unit.name:|quotes of a word processor|name = "Press 4"`},
		{"[unit]\nname = «Presse 4»", `m:2: unit.name:|quotes of a word processor|name = "Presse 4"`},
		{"[camera]\nwidth\u00a0= 640", `m:2: camera.width:|no-break space (U+00A0) in column 6|a whole number from 64 to 4096`},
		{"[camera]\n\u00a0\u00a0width = 640", `m:2: camera.width:|no-break space (U+00A0) in column 1`},
		{"[camera]\nwidth =\u202f640", `m:2: camera.width:|(U+202F) in column 8|write a plain space`},
		{"[camera]\nwidth = 640\u200b", `m:2: camera.width:|(U+200B) in column 12`},
		// Files of other editors.
		{"[unit]\nname = \"Pr\xfcfstand\"", `m:2:|not UTF-8|0xfc in column 11|'ü'|save the file as UTF-8`},
		{"[unit]\nname = \x93Press\x94", `m:2:|not UTF-8|0x93|'“'`},
		{"# Pr\xfcfstand\n[camera]\nwidht = 1", `m:3: camera.widht:|did you mean "width"?`},
		{utf16Of("[camera]\nwidth = 640\n", true, true), `m:1:|is UTF-16|save the file as UTF-8`},
		{utf16Of("[camera]\nwidth = 640\n", false, true), `m:1:|is UTF-16|save the file as UTF-8`},
		{utf16Of("[camera]\nwidth = 640\n", false, false), `m:1:|is UTF-16|save the file as UTF-8`},
		{utf16Of("[camera]\nwidht = 640\n", false, true), `m:2: camera.widht:|did you mean "width"?`},
		// Quotes.
		{"[unit]\nname = \"Press 4", `m:2: unit.name:|no closing quote|write name = "Press 4"|a text in quotes`},
		{"[unit]\nname = 'Press 4\n[camera]\nfps = 5", `m:2: unit.name:|no closing quote|name = 'Press 4'`},
		{alarm + "high = 0.5\non_delay = 1.5s", `m:5: alarm[1].on_delay:|must stand in quotes: on_delay = "1.5s"|a duration from`},
		{alarm + "high = 0.5\non_delay = 2 min", `m:5: alarm[1].on_delay:|on_delay = "2m"`},
		{alarm + "high = 0.5\non_delay = \"1,5 s\"", `m:5: alarm[1].on_delay:|did you mean "1.5s"?|a duration from "0s" to "24h"`},
		{alarm + "high = 0.5\non_delay = \"2 sec\"", `m:5: alarm[1].on_delay:|did you mean "2s"?`},
		{alarm + "high = 0.5\non_delay = \"500 msec\"", `m:5: alarm[1].on_delay:|did you mean "500ms"?`},
		{output + "line = pin 11", `m:4: output[1].line:|must stand in quotes: line = "pin 11"|a header pin ("pin 11")`},
		{"[camera]\nwidth = \"640\"", `m:2: camera.width:|without quotes, width = 640|a whole number from 64 to 4096`},
		{"[camera]\nmirror = \"yes\"", `m:2: camera.mirror:|without quotes, mirror = true|true, false`},
		// Paths of Windows.
		{"[camera]\nclip = \"C:\\Users\\a.y4m\"", `m:2: camera.clip:|C:\Users\a.y4m is a path of Windows|such as /dev/`},
		{"[camera]\nclip = \"C:\\temp\\a.y4m\"", `m:2: camera.clip:|a path of Windows|allowed: a text in quotes`},
		{"[camera]\nclip = 'C:\\temp\\a.y4m'", `m:2: camera.clip:|is a path of Windows|allowed: a path of this machine`},
		{"[serial]\ndevice = \"COM3\"", `m:2: serial.device:|is a port of Windows|/dev/serial/by-id`},
		{"[unit]\nname = \"Press\\4\"", `m:2: unit.name:|a backslash begins an escape|name = 'Press\4'`},
		// Words of other languages.
		{"[camera]\nmirror = True", `m:2: camera.mirror:|in small letters: mirror = true|allowed: true, false`},
		{"[camera]\nmirror = FALSE", `m:2: camera.mirror:|in small letters: mirror = false`},
		{"[camera]\nmirror = yes", `m:2: camera.mirror:|write mirror = true|allowed: true, false`},
		{"[camera]\nmirror = off", `m:2: camera.mirror:|write mirror = false`},
		{"[camera]\nwidth: 640", `m:2: camera.width:|write width = 640|a whole number`},
		{"[camera]\nwidth 640", `m:2: camera.width:|write width = 640`},
		{"[camera]\nwidth =", `m:2: camera.width:|has no value|a whole number`},
		{"[camera]\n// fast\nfps = 5", `m:2:|a comment begins with #`},
		{"; camera\n[camera]\nfps = 5", `m:1:|a comment begins with #`},
		{"[camera\nfps = 5", `m:1:|the bracket is not closed: write [camera]`},
		{"[[alarm]\nname = \"a\"", `m:1:|the bracket is not closed: write [[alarm]]`},
		{"[camera]\nfps = 30fps", `m:2: camera.fps:|without its unit: fps = 30|from 1 to 240`},
		{"[camera]\nwidth = 640 px", `m:2: camera.width:|without its unit: width = 640`},
		{alarm + "high = 60%", `m:4: alarm[1].high:|is a percentage|high = 0.6`},
		{alarm + "high = .6", `m:4: alarm[1].high:|digits on both sides of the point: high = 0.6`},
		{"[camera]\nfps = 5.", `m:2: camera.fps:|digits on both sides of the point: fps = 5.0`},
		{"[modbus]\naddress = 07", `m:2: modbus.address:|no leading zero: address = 7|1 to 247`},
		// Names of other programs.
		{alarm + "threshold = 0.6", `m:4: alarm[1].threshold:|no such key|did you mean "high"?|Allowed: name, signal, high, low`},
		{alarm + "high = 0.6\nhysteresis = 0.1", `m:5: alarm[1].hysteresis:|did you mean "deadband"?`},
		{"[[alarm]]\nname = \"a\"\nany = [{signal = \"au4\", threshold = 0.6}]", `m:3: alarm[1].any[1].threshold:|did you mean "high"?`},
		{alarm + "high = 0.6\nseverity = \"high\"", `m:5: alarm[1].severity:|did you mean "priority"?`},
		{alarm + "high = 0.6\ndelay = \"1s\"", `m:5: alarm[1].delay:|did you mean "on_delay"?`},
		{"[camera]\nframerate = 30", `m:2: camera.framerate:|did you mean "fps"?|Allowed: device, command, format`},
		{"[camera]\nframe-rate = 30", `m:2: camera.frame-rate:|did you mean "fps"?`},
		{"[camera]\nresolution = \"640x480\"", `m:2: camera.resolution:|did you mean "width"?`},
		{"[modbus]\nslave_id = 3", `m:2: modbus.slave_id:|did you mean "address"?`},
		{"[serial]\nslave_id = 3", `m:2: serial.slave_id:|it is called address here, in [modbus]`},
		{"[serial]\nbaudrate = 9600", `m:2: serial.baudrate:|did you mean "baud"?`},
		{"[modbus]\nbaudrate = 9600", `m:2: modbus.baudrate:|it is called baud here, in [serial]`},
		{"[operator]\nsocket = \"/run/x\"", `m:1: operator:|did you mean "socket"?`},
		{"[serial]\nstopbits = 1", `m:2: serial.stopbits:|did you mean "stop"?`},
		{"[serial]\nport = \"/dev/ttyS0\"", `m:2: serial.port:|did you mean "device"?`},
		{"[plc]\naddress = 3", `m:1: plc:|no such section|did you mean "modbus"?`},
		{"[uart]\nbaud = 9600", `m:1: uart:|did you mean "serial"?`},
		{"[[button]]\nname = \"a\"", `m:1: button:|did you mean "input"?`},
		{output + "pin = 17", `m:4: output[1].pin:|did you mean "line"?`},
		{output + "line = \"pin 11\"\nactive_low = true", `m:5: output[1].active_low:|did you mean "active"?`},
		{"[serial]\nparity = \"N\"", `m:2: serial.parity:|did you mean "none"?|"none", "even", "odd"`},
		{"[serial]\nprotocol = \"modbus-rtu\"", `m:2: serial.protocol:|did you mean "modbus"?`},
		{"[serial]\nbaud = 115201", `m:2: serial.baud:|is 115201|57600, 76800, 115200, 230400`},
		{"[camera]\nformat = \"MJPG\"", `m:2: camera.format:|did you mean "MJPEG"?`},
		{input + "line = \"pin 13\"\npull = \"pull-up\"", `m:5: input[1].pull:|did you mean "up"?`},
		{alarm + "high = 0.6\nrealarm = \"30m\"", `m:5: alarm[1].realarm:|no such key|did you mean "re_alarm"?`},
		{"[unit]\nmute = \"10m\"", `m:2: unit.mute:|did you mean "silence_max"?`},
		{alarm + "threshold = 0,6", `m:4:|decimal comma|the key is called alarm.high`},
		{"name = \"Press 4\"", `m:1: name:|stands outside a section|name belongs in [unit] or [[alarm]]|behind the line of their section`},
		{"baudrate = 9600", `m:1: baudrate:|stands outside a section|it is called baud here, in [serial]`},
		{alarm + "emotion = \"anger\"", `m:4: alarm[1].emotion:|did you mean "signal"?`},
		// Signals as people call them.
		{"[[alarm]]\nname = \"a\"\nsignal = \"fear\"\nhigh = 0.5", `m:3: alarm[1].signal:|no signal "fear"|did you mean "expression.fear"?|au4`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"afraid\"\nhigh = 0.5", `m:3: alarm[1].signal:|did you mean "expression.fear"?`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"expression_fear\"\nhigh = 0.5", `m:3: alarm[1].signal:|did you mean "expression.fear"?`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"emotion.scared\"\nhigh = 0.5", `m:3: alarm[1].signal:|did you mean "expression.fear"?`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"drowsiness\"\nhigh = 0.5", `m:3: alarm[1].signal:|did you mean "perclos"?`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"blink\"\nhigh = 0.5", `m:3: alarm[1].signal:|did you mean "eyes_closed"?`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"Eyes Closed\"\nhigh = 0.5", `m:3: alarm[1].signal:|did you mean "eyes_closed"?`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"AU04\"\nhigh = 0.5", `m:3: alarm[1].signal:|did you mean "au4"?`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"au-4\"\nhigh = 0.5", `m:3: alarm[1].signal:|did you mean "au4"?`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"AU04_r\"\nhigh = 0.5", `m:3: alarm[1].signal:|did you mean "au4"?`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"frown\"\nhigh = 0.5", `m:3: alarm[1].signal:|did you mean "au4"?`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"face\"\nlow = 0.5", `m:3: alarm[1].signal:|whether somebody is in view is no signal|on_unknown`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"Head Pose\"\nhigh = 0.5", `m:3: alarm[1].signal:|does not tell where somebody looks`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"gender\"\nhigh = 0.5", `m:3: alarm[1].signal:|the network tells nothing of it`},
		{"[[alarm]]\nname = \"a\"\nsignal = \"perclos\"\nhigh = 30", `m:4: alarm[1].high:|30 % is 0.3|perclos goes from 0 to 1`},
		// Files of another kind.
		{"camera:\n  device: auto\n", `m:1:|looks like YAML|write [camera]`},
		{"alarm:\n", `m:1:|looks like YAML|write [[alarm]]`},
		{"[camera]\ndevice: auto", `m:2: camera.device:|write device = "auto"`},
		{"{\"unit\": {\"name\": \"press\"}}", `m:1:|looks like JSON|write [unit]`},
		{"<mien/>", `m:1:|looks like XML`},
		// What belongs elsewhere, or is too general a word.
		{alarm + "high = 0.6\noutput = \"lamp\"", `m:5: alarm[1].output:|it is called function here, in [[output]]`},
		{alarm + "condition = \">0.6\"", `m:4: alarm[1].condition:|did you mean "high"?`},
		{alarm + "high = 0.6\ntime = \"5s\"", `m:5: alarm[1].time:|did you mean "on_delay"?`},
		{"[pilot]\ndays = 14", `m:2: pilot.days:|did you mean "keep_days"?`},
		{"[pilot]\npath = \"x\"", `m:2: pilot.path: there is no such key; allowed:`},
		{"[model]\npath = \"x\"", `m:2: model.path:|did you mean "card"?`},
		{"[camera]\ndevice = 0", `m:2: camera.device:|is the bare value 0|did you mean "/dev/video0"?`},
		{"[camera]\nformat = \"h264\"", `m:2: camera.format:|in compressed video no picture stands alone|"MJPEG"`},
		{input + "line = \"pin 13\"\ndebounce = 50", `m:5: input[1].debounce:|did you mean "50ms"?`},
		{input + "line = \"pin 13\"\npull = \"high\"", `m:5: input[1].pull:|did you mean "up"?`},
		{input + "line = \"pin 13\"\nedge = \"falling\"", `m:5: input[1].edge:|did you mean "active"?`},
		{"[state]\ndir = \"~/mien\"", `m:2: state.dir:|only a shell knows what ~ stands for|/var/lib/mien/`},
		{"[watchdog]\ndevice = \"on\"", `m:2: watchdog.device:|did you mean "auto"?`},
		// What the unit does not have.
		{"[modbus]\nport = 502", `m:2: modbus.port:|[modbus_tcp] listen`},
		{"[opcua]\nserver = \"x\"", `m:1: opcua:|no such section|has no network|Modbus RTU or ASCII`},
		{"[sparkplug]\nhost = \"x\"", `m:1: sparkplug:|no such section|the section is [mqtt]`},
		{"[modbus-tcp]\nport = 502", `m:1: modbus-tcp:|no such section|did you mean "modbus_tcp"?`},
		{"[serial]\nprotocol = \"modbus-tcp\"", `m:2: serial.protocol:|is "modbus-tcp"|[modbus_tcp] listen|"modbus", "ascii"`},
		{"[serial]\ndevice = \"192.168.1.5:502\"", `m:2: serial.device:|is an address on a network|/dev/serial/by-id`},
		{"[serial]\ndevice = \"tcp://plc:502\"", `m:2: serial.device:|is an address on a network`},
		{"[camera]\ndevice = \"rtsp://192.168.1.5/live\"", `m:2: camera.device:|is an address on a network|v4l2loopback|docs/cameras.md#network-cameras|/dev/v4l/by-id`},
		{"[camera]\ndevice = \"192.168.1.5\"", `m:2: camera.device:|is an address on a network`},
		{"[camera]\nclip = \"http://x/y.mjpeg\"", `m:2: camera.clip:|is an address on a network`},
		// Pins that are no lines.
		{output + "line = \"pin 1\"", `m:4: output[1].line:|a supply, of 3.3 V|allowed: the pins that are lines`},
		{output + "line = \"pin 4\"", `m:4: output[1].line:|a supply, of 5 V`},
		{output + "line = \"pin 6\"", `m:4: output[1].line:|a ground`},
		{input + "line = \"pin 41\"", `m:4: input[1].line:|the header has the pins 1 to 40|"pin 3"`},
		{input + "line = \"pin 0\"", `m:4: input[1].line:|the header has the pins 1 to 40`},
		// Taken, with a warning.
		{output + "line = \"pin13\"", `m:4: warning: output[1].line:|did you mean "pin 13"?`},
		{output + "line = \"GPIO 17\"", `m:4: warning: output[1].line:|no kernel knows|did you mean "GPIO17"?`},
		{output + "line = 17", `m:4: warning: output[1].line:|17 alone is a line of the board's main chip, which is not pin 17|a header pin ("pin 11")|mien probe`},
		{output + "line = 17\nchip = \"gpiochip4\"", `m:5: warning: output[1].chip:|"gpiochip4" is a number that moves between kernels|pinctrl-rp1`},
		{"[page]\nserve = true\nlisten = \"0.0.0.0:443\"", `m:3: warning: page.listen:|each address of this machine|over TLS`},
		{"[page]\nserve = true\nlisten = \"127.0.0.1:0\"", `m:3: warning: page.listen:|port 0 is another one at each start|from 1024 on`},
		{"[page]\nserve = true\nlisten = \"127.0.0.1:443\"", `m:3: warning: page.listen:|port 443 is for root only|from 1024 on`},
		{input + "line = 17\nchip = \"/dev/gpiochip0\"", `m:5: warning: input[1].chip:|moves between kernels`},
		{"[camera]\nclip = \"/var/tmp/a.y4m\"", `m:2: warning: camera.clip:|hidden from the service|PrivateTmp|/var/lib/mien/`},
		{"[camera]\nclip = \"/tmp/a.y4m\"", `m:2: warning: camera.clip:|hidden from the service`},
		{"[unit]\nname = \"Press 4\"", `m: warning: alarm:|there is none|a block [[alarm]]`},
		{alarm + "high = 0.1\ndeadband = 0.2", `m:5: alarm[1].deadband:|is 0.2|go to -0.1,|au4 goes from 0 to 1`},
	} {
		cfg, err := Parse("m", []byte(c.text))
		found, _ := err.(Problems)
		if cfg != nil {
			found = cfg.Check(signals)
		}
		parts := strings.Split(c.want, "|")
		ok := false
		for _, p := range found {
			line := p.String()
			all := strings.HasPrefix(line, parts[0])
			for _, part := range parts[1:] {
				all = all && strings.Contains(line, part)
			}
			ok = ok || all
		}
		if !ok {
			t.Errorf("%q:\n  got  %v\n  want %s", c.text, found, c.want)
		}
		if n := len(found.Errors()); n > 2 {
			t.Errorf("%q: one mistake, %d messages:\n%v", c.text, n, found)
		}
	}
}

// Slips on lines that follow each other are all told, in their order.
func TestSlipsInARow(t *testing.T) {
	_, found, _ := Examine("m", []byte("[camera]\nframerate = 29,97\nmirror = True\nclip = \"C:\\Users\\x.y4m\"\nwidth: 640\nloop = yes\n[unit]\nname = “Press”\nname = x y\n"), nil)
	var lines []string
	for _, p := range found {
		lines = append(lines, fmt.Sprint(p.Line))
	}
	if got := strings.Join(lines, " "); got != "2 3 4 5 6 8 9" {
		t.Errorf("told of the lines %s\n%v", got, found)
	}
}

// utf16Of is a text as an editor on Windows saves it, with a mark or without.
func utf16Of(text string, big, mark bool) string {
	var b strings.Builder
	put := func(c byte) {
		if big {
			b.Write([]byte{0, c})
		} else {
			b.Write([]byte{c, 0})
		}
	}
	if mark {
		b.WriteString(map[bool]string{true: "\xfe\xff", false: "\xff\xfe"}[big])
	}
	for _, c := range []byte(text) {
		put(c)
	}
	return b.String()
}
