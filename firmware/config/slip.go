package config

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"mien/spelling"
)

// What people write in place of TOML and of mien's own words, and what to write
// instead. Each slip here was made by somebody; add yours.

// byteOrderMark is what some editors put in front of UTF-8.
var byteOrderMark = []byte("\ufeff")

// utf8 gives the file in UTF-8, and complains where it is in something else.
func (r *reader) utf8(data []byte) []byte {
	big, little := bytes.HasPrefix(data, []byte{0xfe, 0xff}), bytes.HasPrefix(data, []byte{0xff, 0xfe})
	if !big && !little && len(data) >= 4 && len(data)%2 == 0 { // without a mark: every other byte is 0
		big, little = data[0] == 0 && data[2] == 0, data[1] == 0 && data[3] == 0
	}
	if big || little {
		r.complain(place{line: 1, column: 1}, "", "is UTF-16, as some editors on Windows write it: save the file as UTF-8")
		units := make([]uint16, len(data)/2)
		for i := range units {
			first, second := data[2*i], data[2*i+1]
			if little {
				first, second = second, first
			}
			units[i] = uint16(first)<<8 | uint16(second)
		}
		data = []byte(string(utf16.Decode(units)))
	}
	data = bytes.TrimPrefix(data, byteOrderMark)
	if utf8.Valid(data) {
		return bytes.Clone(data) // blanked in parts
	}
	var right []byte
	told := -1 // the line that was told of
	line, column := 1, 1
	for len(data) > 0 {
		c, size := utf8.DecodeRune(data)
		if c == utf8.RuneError && size == 1 {
			c = latin1(data[0])
			if told != line {
				r.complain(place{line: line, column: column}, "", "not TOML: is not UTF-8: the byte 0x%02x in column %d is %q in Latin-1 or Windows-1252; save the file as UTF-8", data[0], column, c)
				told = line
			}
		}
		right = utf8.AppendRune(right, c)
		column += size
		if c == '\n' {
			line, column = line+1, 1
		}
		data = data[size:]
	}
	return right
}

// latin1 gives the character of a byte in Windows-1252, where it differs from
// Latin-1 only for the signs that people use.
func latin1(b byte) rune {
	if c, ok := map[byte]rune{0x80: '€', 0x82: '‚', 0x84: '„', 0x85: '…', 0x91: '‘', 0x92: '’', 0x93: '“', 0x94: '”', 0x96: '–', 0x97: '—'}[b]; ok {
		return c
	}
	return rune(b)
}

// keyOfLine finds the key of a line that is no TOML, behind whatever spaces.
var keyOfLine = regexp.MustCompile(`^[\s\p{Z}]*"?([A-Za-z0-9_.-]+)"?[\s\p{Z}]*(?:[=:]|$|["'0-9\p{L}])`)

// brokenLine is a key and its value, as far as they can be told apart.
type brokenLine struct {
	key   Key    // of the table, if the name is one of its
	name  string // as written; "" where the line has no key
	value string // without a comment and blanks
	line  string
}

var parted = regexp.MustCompile(`^[\s\p{Z}]*([A-Za-z0-9_.-]+)[\s\p{Z}]*=[\s\p{Z}]*(.*)$`)

// slipped tells of an expression that is no TOML. Right behind another that is
// none it is most likely the rest of that one, unless it is a slip of its own.
func (r *reader) slipped(f *flaw, first, last int, behind bool) {
	b := brokenLine{line: string(bytes.TrimRight(r.line(first), " \t\r"))}
	path := ""
	if key, ok := lookup(unnumbered(f.path)); ok && !f.header {
		b.key, path = key, f.path
	}
	if m := parted.FindStringSubmatch(b.line); m != nil {
		b.name, b.value = m[1], m[2]
		if i := strings.Index(b.value, " #"); i >= 0 {
			b.value = b.value[:i]
		}
		b.value = strings.TrimRightFunc(b.value, unicode.IsSpace)
	}
	text, at := "", r.placeOf(f.offset)
	for _, s := range slips {
		if text = s(b); text != "" {
			break
		}
	}
	switch {
	case text == "" && behind:
		return
	case text == "" && first != last:
		text = fmt.Sprintf("%s (in what begins at line %d)", f.text, first)
	case text == "":
		text = f.text
	case first != last:
		at = r.placeOf(f.first) // the slip is in the first line
	}
	r.complain(at, path, "not TOML: %s", text)
	if path != "" {
		r.problems[len(r.problems)-1].Allowed = b.key.Allowed()
	} else if b.name != "" {
		r.problems[len(r.problems)-1].Text += r.hint(f.path, b.name)
	}
}

// hint names our own key for one that is not known.
func (r *reader) hint(path, name string) string {
	section := unnumbered(strings.TrimSuffix(strings.TrimSuffix(path, name), "."))
	if meant := strings.ReplaceAll(known(section, name), " ", "."); meant != "" {
		return fmt.Sprintf("; the key is called %s", meant)
	}
	return ""
}

const oddQuotes = "“”„‟‘’‚‛«»‹›´`"

// slips are tried in their order; each gives "" or what to write.
var slips = []func(b brokenLine) string{
	func(b brokenLine) string { // camera:
		if m := colonHead.FindStringSubmatch(b.line); m != nil {
			return fmt.Sprintf("looks like YAML, and this is TOML: a section stands in brackets, write %s", bracket(m[1]))
		}
		switch t := strings.TrimSpace(b.line); {
		case strings.HasPrefix(t, "{"), strings.HasPrefix(t, `"`) && strings.Contains(t, `":`):
			return `looks like JSON, and this is TOML: write [unit], and below it name = "press 4"`
		case strings.HasPrefix(t, "<"):
			return `looks like XML, and this is TOML: write [unit], and below it name = "press 4"`
		}
		return ""
	},
	func(b brokenLine) string { // [camera
		t := strings.TrimSpace(b.line)
		if !strings.HasPrefix(t, "[") || b.name != "" || strings.HasSuffix(t, "]]") || strings.HasSuffix(t, "]") && !strings.HasPrefix(t, "[[") {
			return ""
		}
		name := strings.Trim(t, "[] ")
		if blocks[name] {
			return fmt.Sprintf("the bracket is not closed: write [[%s]]", name)
		}
		return fmt.Sprintf("the bracket is not closed: write [%s]", name)
	},
	func(b brokenLine) string { // “text”
		if !strings.ContainsAny(b.line, oddQuotes) || strings.HasPrefix(b.value, `"`) {
			return ""
		}
		inner := strings.Trim(b.value, oddQuotes+`"'`)
		return fmt.Sprintf(`has the quotes of a word processor: write plain ones, %s = "%s"`, b.name, inner)
	},
	func(b brokenLine) string { // a no-break space
		for i, c := range b.line {
			if c != ' ' && (unicode.Is(unicode.Zs, c) || c >= 0x200b && c <= 0x200d || c == 0xfeff || c == 0x2060) {
				kind := "a space that is none of TOML's"
				if c == 0xa0 {
					kind = "a no-break space"
				}
				return fmt.Sprintf("has %s (U+%04X) in column %d: write a plain space", kind, c, i+1)
			}
		}
		return ""
	},
	func(b brokenLine) string { // 0,5
		if !decimalComma.MatchString(b.value) {
			return ""
		}
		return fmt.Sprintf("has a decimal comma: write a point, %s = %s", b.name, strings.Replace(b.value, ",", ".", 1))
	},
	func(b brokenLine) string { // .5
		if !barePoint.MatchString(b.value) {
			return ""
		}
		digits := strings.TrimLeft(b.value, "+-")
		whole, rest, _ := strings.Cut(digits, ".")
		sign := strings.TrimSuffix(b.value, digits)
		if whole == "" {
			whole = "0"
		}
		if rest == "" {
			rest = "0"
		}
		return fmt.Sprintf("a number has digits on both sides of the point: %s = %s%s.%s", b.name, sign, whole, rest)
	},
	func(b brokenLine) string { // 07
		if !leadingZero.MatchString(b.value) {
			return ""
		}
		return fmt.Sprintf("a number has no leading zero: %s = %s", b.name, strings.TrimLeft(b.value, "0"))
	},
	func(b brokenLine) string { // True
		switch strings.ToLower(b.value) {
		case "true", "false":
			return fmt.Sprintf("true and false are written in small letters: %s = %s", b.name, strings.ToLower(b.value))
		case "yes", "on", "ja", "oui":
			if b.key.Kind == Boolean {
				return fmt.Sprintf("is %s: write %s = true", b.value, b.name)
			}
		case "no", "off", "nein", "non":
			if b.key.Kind == Boolean {
				return fmt.Sprintf("is %s: write %s = false", b.value, b.name)
			}
		}
		return ""
	},
	func(b brokenLine) string { // "C:\Users"
		if !strings.HasPrefix(b.value, `"`) || !strings.Contains(b.value, `\`) || strings.Count(b.value, `"`) < 2 {
			return ""
		}
		inner := strings.Trim(b.value, `"`)
		if windowsPath(inner) {
			return fmt.Sprintf("%s is a path of Windows: name one of this machine, such as /dev/… or /etc/mien/…", inner)
		}
		return fmt.Sprintf(`in double quotes a backslash begins an escape such as \n: write single quotes, %s = '%s'`, b.name, inner)
	},
	func(b brokenLine) string { // "text
		for _, quote := range []string{`"`, `'`} {
			if strings.HasPrefix(b.value, quote) && strings.Count(b.value, quote) == 1 {
				return fmt.Sprintf("the text has no closing quote: write %s = %s%s", b.name, b.value, quote)
			}
		}
		return ""
	},
	func(b brokenLine) string { // 50% and 640px
		m := unitBehind.FindStringSubmatch(b.value)
		if m == nil {
			return ""
		}
		x, _ := strconv.ParseFloat(m[1], 64)
		switch {
		case m[2] == "%" && (b.key.Kind == Number || b.key.Kind == OptionalNum):
			return fmt.Sprintf("is a percentage: write the share, %s = %s", b.name, rounded(x/100))
		case b.key.Kind == Integer || b.key.Kind == Number || b.key.Kind == OptionalNum || b.key.Kind == IntChoice:
			return fmt.Sprintf("a number stands without its unit: %s = %s", b.name, m[1])
		case b.key.Kind == Duration && nearestDuration(b.value) != "":
			return fmt.Sprintf("a text must stand in quotes: %s = %q", b.name, nearestDuration(b.value))
		}
		return ""
	},
	func(b brokenLine) string { // name = Press
		if !bareText.MatchString(b.value) {
			return ""
		}
		return fmt.Sprintf("a text must stand in quotes: %s = %q", b.name, b.value)
	},
	func(b brokenLine) string { // ; a comment
		if t := strings.TrimSpace(b.line); strings.HasPrefix(t, ";") || strings.HasPrefix(t, "//") || strings.HasPrefix(t, "--") {
			return "a comment begins with #"
		}
		return ""
	},
	func(b brokenLine) string { // width: 640
		if m := otherSign.FindStringSubmatch(b.line); m != nil && b.name == "" {
			if bareText.MatchString(m[2]) && m[2] != "true" && m[2] != "false" {
				m[2] = strconv.Quote(m[2])
			}
			return fmt.Sprintf("between a key and its value stands =: write %s = %s", m[1], m[2])
		}
		return ""
	},
	func(b brokenLine) string { // width =
		if b.name != "" && b.value == "" {
			return fmt.Sprintf("%s has no value: write one behind =, or # in front of the line", b.name)
		}
		return ""
	},
}

var (
	decimalComma = regexp.MustCompile(`^[+-]?\d+,\d+$`)
	barePoint    = regexp.MustCompile(`^[+-]?(\.\d+|\d+\.)$`)
	leadingZero  = regexp.MustCompile(`^0+[1-9]\d*$`)
	unitBehind   = regexp.MustCompile(`^([+-]?\d+(?:\.\d+)?)\s*(%|[\p{L}°/]+)$`)
	bareText     = regexp.MustCompile(`^[\pL/][^"'\[\]{}#=]*$`)
	colonHead    = regexp.MustCompile(`^\s*-?\s*([A-Za-z0-9_-]+):\s*$`)
	otherSign    = regexp.MustCompile(`^\s*([A-Za-z0-9_-]+)(?:\s*:\s*|\s+)([^=\s].*)$`)
	drive        = regexp.MustCompile(`^[A-Za-z]:[\\/]|^\\\\`)
)

func windowsPath(text string) bool { return drive.MatchString(text) }

// unprintable tells of a text with a character that cannot be printed, such as
// the tab that "C:\temp" has.
func (d decoder) unprintable(k Key, shown, text string) {
	if len(text) > 2 && text[1] == ':' && unicode.IsLetter(rune(text[0])) {
		d.wrong(k, shown, "has a character that cannot be printed: in double quotes a backslash begins an escape, and a path of Windows is none of this machine's")
		return
	}
	d.wrong(k, shown, "has a character that cannot be printed")
}

// unquoted gives a text as the value that a key takes without quotes, or "".
func unquoted(k Key, text string) string {
	text = strings.TrimSpace(text)
	switch k.Kind {
	case Boolean:
		switch strings.ToLower(text) {
		case "true", "yes", "on":
			return "true"
		case "false", "no", "off":
			return "false"
		}
	case Integer, Number, OptionalNum, IntChoice:
		if decimalComma.MatchString(text) {
			text = strings.Replace(text, ",", ".", 1)
		}
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			return text
		}
	}
	return ""
}

// units are how people write those of a duration.
var units = map[string]string{"sec": "s", "secs": "s", "second": "s", "seconds": "s", "sek": "s", "msec": "ms", "msecs": "ms", "millis": "ms", "milliseconds": "ms",
	"min": "m", "mins": "m", "minute": "m", "minutes": "m", "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "std": "h"}

var oneDuration = regexp.MustCompile(`^([+-]?\d+(?:[.,]\d+)?)\s*(\p{L}+)$`)

// nearestDuration gives a duration as it is written here, or "".
func nearestDuration(text string) string {
	m := oneDuration.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return ""
	}
	unit := strings.ToLower(m[2])
	if ours, ok := units[unit]; ok {
		unit = ours
	}
	right := strings.Replace(m[1], ",", ".", 1) + unit
	if _, err := time.ParseDuration(right); err != nil {
		return ""
	}
	return right
}

// otherWords are words of other programs, and ours.
var otherWords = map[string]string{"n": "none", "e": "even", "o": "odd", "8n1": "none", "8e1": "even", "rtu": "modbus", "modbus-rtu": "modbus", "modbus_rtu": "modbus",
	"modbus rtu": "modbus", "text": "ascii", "mjpg": "MJPEG", "jpeg": "MJPEG", "yuv": "YUYV", "yuy2": "YUYV", "gray": "GREY", "grey8": "GREY", "y8": "GREY", "ack": "acknowledge", "mute": "silence",
	"bypass": "inhibit", "pullup": "up", "pull-up": "up", "pulldown": "down", "high": "up", "low": "down", "pull-down": "down", "floating": "none", "opendrain": "open-drain", "od": "open-drain",
	"active_low": "low", "active-low": "low", "active_high": "high", "active-high": "high", "buzzer": "horn", "siren": "horn", "light": "lamp", "led": "lamp", "heartbeat": "healthy",
	"alive": "healthy", "watchdog": "healthy", "1": "on", "0": "off", "true": "on", "false": "off", "coral": "edgetpu", "tpu": "edgetpu", "gauss": "gaussian", "mean": "box",
	"big-endian": "high-first", "big": "high-first", "little-endian": "low-first", "little": "low-first", "warning": "medium", "urgent": "high", "alarm": "alarm:NAME"}

// nearestWord gives the word of list that was meant, or "".
func nearestWord(word string, list []string) string {
	if ours := otherWords[strings.ToLower(word)]; ours != "" && slices.Contains(list, ours) {
		return ours
	}
	return spelling.Nearest(word, list)
}

// otherNames are names of other programs, and our key or section for them:
// "section key". Where the first is "", the word is too general to mean one of them
// in another section.
var otherNames = map[string][]string{
	"threshold": {"alarm high"}, "limit": {"alarm high"}, "condition": {"alarm high"}, "operator": {"alarm high", "socket"}, "compare": {"alarm high"}, "value": {"alarm high"}, "time": {"alarm on_delay"}, "seconds": {"alarm on_delay"}, "output": {"output function"}, "above": {"alarm high"}, "max": {"alarm high"}, "upper": {"alarm high"}, "below": {"alarm low"}, "min": {"alarm low"}, "lower": {"alarm low"},
	"hysteresis": {"alarm deadband"}, "hyst": {"alarm deadband"}, "dead_band": {"alarm deadband"}, "delay": {"alarm on_delay"}, "duration": {"alarm on_delay"}, "hold": {"alarm on_delay"},
	"realarm": {"alarm re_alarm"}, "realarm_time": {"alarm re_alarm"}, "re_alarm_time": {"alarm re_alarm"}, "reannunciate": {"alarm re_alarm"}, "re_annunciation": {"alarm re_alarm"}, "reminder": {"alarm re_alarm", "unit silence_max"}, "silence": {"unit silence_max"}, "mute": {"unit silence_max"},
	"emotion": {"alarm signal"}, "expression": {"alarm signal"}, "feature": {"alarm signal"}, "metric": {"alarm signal"}, "au": {"alarm signal"}, "action_unit": {"alarm signal"},
	"severity": {"alarm priority"}, "latched": {"alarm latch"}, "latching": {"alarm latch"}, "ack": {"alarm acknowledge"}, "sound": {"alarm horn"}, "buzzer": {"alarm horn"}, "inhibited_by": {"alarm suppress_by"},
	"framerate": {"camera fps"}, "frame_rate": {"camera fps"}, "rate": {"camera fps"}, "rotation": {"camera rotate"}, "flip": {"camera mirror"}, "hflip": {"camera mirror"}, "video": {"camera clip"}, "file": {"camera clip", "model card"},
	"pixel_format": {"camera format"}, "resolution": {"camera width"}, "size": {"camera width"}, "source": {"camera device"}, "program": {"camera command"}, "cmd": {"camera command"}, "exec": {"camera command"}, "pipeline": {"camera command"}, "gstreamer": {"camera command"}, "path": {"", "camera device", "serial device", "model card", "state dir"},
	"slave_id": {"modbus address"}, "slave": {"modbus address"}, "unit_id": {"modbus address"}, "slave_address": {"modbus address"}, "node": {"modbus address"}, "station": {"modbus address"},
	"byte_order": {"modbus word_order"}, "endian": {"modbus word_order"}, "endianness": {"modbus word_order"}, "timeout": {"modbus host_timeout"},
	"baudrate": {"serial baud"}, "baud_rate": {"serial baud"}, "bitrate": {"serial baud"}, "speed": {"serial baud"}, "port": {"serial device"}, "tty": {"serial device"},
	"databits": {"serial data"}, "data_bits": {"serial data"}, "bytesize": {"serial data"}, "stopbits": {"serial stop"}, "stop_bits": {"serial stop"}, "mode": {"serial protocol"},
	"pin": {"output line", "input line"}, "gpio": {"output line", "input line"}, "offset": {"output line", "input line"}, "bcm": {"output line", "input line"}, "gpiochip": {"output chip", "input chip"},
	"type": {"output function", "input function"}, "role": {"output function", "input function"}, "action": {"input function", "output function"}, "id": {"alarm name", "output name", "input name"}, "label": {"output name", "input name", "alarm name"},
	"invert": {"output active", "input active"}, "inverted": {"output active", "input active"}, "active_low": {"output active", "input active"}, "pullup": {"input pull"}, "pull_up": {"input pull"}, "bias": {"input pull"}, "resistor": {"input pull"},
	"default": {"output start"}, "initial": {"output start"}, "failsafe": {"output fail"}, "fail_safe": {"output fail"}, "safe_state": {"output fail"}, "flash": {"output blink"}, "bounce": {"input debounce"}, "edge": {"input active"}, "debounce_ms": {"input debounce"},
	"weights": {"model card"}, "network": {"model"}, "neural": {"model"}, "tpu": {"model accelerator"}, "smoothing": {"filter"}, "smooth": {"filter"}, "window": {"filter action_units"},
	"plc": {"modbus"}, "rtu": {"modbus"}, "uart": {"serial"}, "rs485": {"serial"}, "com": {"serial"}, "video0": {"camera"}, "relay": {"output"}, "relays": {"output"}, "button": {"input"}, "buttons": {"input"},
	"days": {"pilot keep_days"}, "keep": {"pilot keep_days"}, "folder": {"state dir"}, "directory": {"state dir"},
	"storage": {"state"}, "log": {"state"}, "journal": {"state"},
}

// known gives our own name for that of another program: a section, or a section
// and a key, of the section it stands in where that has one; "" for none.
func known(section, name string) string {
	meant := otherNames[underscored(name)]
	if len(meant) == 0 {
		return ""
	}
	for _, m := range meant {
		if s, key, _ := strings.Cut(m, " "); s == section && key != "" || section == "" && key == "" {
			return m
		}
	}
	if (section == "alarm.all" || section == "alarm.any") && strings.HasPrefix(meant[0], "alarm ") {
		if key := strings.TrimPrefix(meant[0], "alarm "); key == "high" || key == "low" || key == "deadband" {
			return section + " " + key
		}
	}
	if _, key, _ := strings.Cut(meant[0], " "); key == "" && section != "" || meant[0] == "" {
		return ""
	}
	return meant[0]
}

// underscored is a name with the sign between its words that ours have.
func underscored(name string) string {
	return strings.NewReplacer("-", "_", " ", "_", "/", "_").Replace(strings.ToLower(name))
}

// absent are things that people look for and the unit does not have, and what it has.
var absent = map[string]string{
	"sparkplug": "the section is [mqtt]", "broker": "the section is [mqtt]", "homeassistant": "the section is [mqtt], with style = \"json\"", "opcua": noNetwork, "opc_ua": noNetwork, "modbus_tcp": overTCP, "modbustcp": overTCP, "tcp": overTCP, "profinet": noNetwork, "melsec": "the section is [slmp]", "mitsubishi": "the section is [slmp]", "mc_protocol": "the section is [slmp]",
	"ethernet_ip": noNetwork, "http": noNetwork,
	"modbus.port": overTCP, "modbus.host": overTCP, "modbus.ip": overTCP, "modbus.listen": overTCP, "modbus.server": overTCP,
	"h264": compressedVideo, "h265": compressedVideo, "hevc": compressedVideo,
	"https": noNetwork, "rest": noNetwork, "web": noNetwork, "email": noNetwork, "smtp": noNetwork, "webhook": noNetwork, "rtsp": noNetwork,
}

const compressedVideo = "in compressed video no picture stands alone: take a format of the camera that is not (mien probe -v lists them)"

// noSignals are words for what the network does not tell.
var noSignals = map[string]string{
	"face": nobody, "faces": nobody, "presence": nobody, "absence": nobody, "nobody": nobody, "no_face": nobody, "person": nobody,
	"gaze": noPose, "head_pose": noPose, "pose": noPose, "yaw": noPose, "pitch": noPose, "attention": noPose, "distraction": noPose, "looking_away": noPose,
	"heart_rate": toldByNone, "age": toldByNone, "gender": toldByNone, "identity": toldByNone,
}

const (
	nobody     = "whether somebody is in view is no signal: an alarm's on_unknown says what it does without a reading"
	noPose     = "the network does not tell where somebody looks; a face that is turned away has no reading, and an alarm's on_unknown says what it does then"
	toldByNone = "the network tells nothing of it"
)

const overTCP = "mien gateway, a process of its own, serves the registers on a network: [modbus_tcp] listen"

const noNetwork = "the program that sees faces has no network: it talks on a serial port, Modbus RTU or ASCII ([serial])"

// otherSignals are words for what a signal tells, and the signals that may be meant,
// the first that the network has.
var otherSignals = map[string][]string{
	"angry": {"expression.anger"}, "happy": {"expression.happiness"}, "joy": {"expression.happiness"}, "sad": {"expression.sadness"}, "surprised": {"expression.surprise"},
	"afraid": {"expression.fear"}, "scared": {"expression.fear"}, "disgusted": {"expression.disgust"}, "contemptuous": {"expression.contempt"}, "calm": {"expression.neutral", "arousal"},
	"smile": {"au12"}, "smiling": {"au12"}, "frown": {"au4"}, "frowning": {"au4"}, "brow_lowered": {"au4"}, "yawn": {"au26"}, "yawning": {"au26"}, "jaw_drop": {"au26"}, "mouth_open": {"au25"}, "talking": {"au25"},
	"drowsiness": {"perclos", "eyes_closed"}, "drowsy": {"perclos", "eyes_closed"}, "sleepy": {"perclos", "eyes_closed"}, "sleepiness": {"perclos", "eyes_closed"}, "fatigue": {"perclos", "eyes_closed"}, "tired": {"perclos", "eyes_closed"}, "tiredness": {"perclos", "eyes_closed"},
	"blink": {"eyes_closed"}, "blinking": {"eyes_closed"}, "eye_closed": {"eyes_closed"}, "eyes": {"eyes_closed"}, "eye_closure": {"eyes_closed"}, "closed_eyes": {"eyes_closed"}, "ear": {"eyes_closed"}, "microsleep": {"eyes_closed"}, "sleep": {"eyes_closed"}, "asleep": {"eyes_closed"},
	"mask": {"visible.mouth"}, "mouth_covered": {"visible.mouth"}, "goggles": {"visible.eyes"}, "sunglasses": {"visible.eyes"}, "eyes_covered": {"visible.eyes"},
	"stress": {"arousal"}, "stressed": {"arousal"}, "excitement": {"arousal"}, "mood": {"valence"}, "pleasure": {"valence"},
}

var unitNumber = regexp.MustCompile(`^au_?0*(\d+)(_\w+)?$`)

// nearestSignal gives the signal of a network that was meant, or "".
func nearestSignal(name string, names []string) string {
	plain := underscored(strings.TrimSpace(name))
	meant := slices.Concat([]string{plain, "expression." + plain, "compound." + plain}, otherSignals[plain])
	if m := unitNumber.FindStringSubmatch(plain); m != nil {
		meant = append(meant, "au"+m[1])
	}
	for _, prefix := range []string{"emotion", "expression"} { // emotion.angry, expression_happy
		if rest, ok := strings.CutPrefix(plain, prefix); ok && len(rest) > 1 {
			meant = slices.Concat(meant, []string{"expression." + rest[1:]}, otherSignals[rest[1:]])
		}
	}
	for _, m := range meant {
		if slices.Contains(names, m) {
			return m
		}
	}
	return spelling.Nearest(name, names)
}

var numbers = regexp.MustCompile(`\[\d+\]`)

// unnumbered gives the path of the key table: "alarm[2].high" is "alarm.high".
func unnumbered(path string) string { return numbers.ReplaceAllString(path, "") }

// rounded writes a number that was computed, without the noise of its last bits.
func rounded(x float64) string { return strconv.FormatFloat(x, 'f', -1, 32) }
