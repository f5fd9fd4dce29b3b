package config

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"mien/firmware/alarm"
	"mien/spelling"
)

// at finds the place of the nearest key that the file sets: the key itself,
// else its block.
func (c *Config) at(key string) place {
	for key != "" {
		if p, ok := c.set[key]; ok {
			return p
		}
		i := strings.LastIndexAny(key, ".[")
		if i < 0 {
			break
		}
		if strings.HasSuffix(key, "]") {
			key = key[:i]
		} else if j := strings.LastIndexByte(key, '.'); j >= 0 {
			key = key[:j]
		} else {
			break
		}
	}
	return place{}
}

// checker collects problems of one config.
type checker struct {
	*Config
	problems Problems
}

func (c *checker) wrong(key, allowed, format string, args ...any) *Problem {
	p := c.at(key)
	c.problems = append(c.problems, Problem{File: c.file, Line: p.line, Column: p.column, Key: key,
		Text: fmt.Sprintf(format, args...), Allowed: allowed})
	return &c.problems[len(c.problems)-1]
}

func (c *checker) warn(key, format string, args ...any) *Problem {
	p := c.wrong(key, "", format, args...)
	p.Warning = true
	return p
}

func (c *checker) has(key string) bool {
	_, ok := c.set[key]
	return ok
}

// rules look for what does not fit together, whatever the network. Each calls
// wrong for what is refused and has its test in mistakes_test.go.
var rules = []func(c *checker){(*checker).alarms, (*checker).reminders, (*checker).purpose, (*checker).lines, (*checker).pins, (*checker).paths, (*checker).command, (*checker).port, (*checker).rest, (*checker).times, (*checker).page, (*checker).mqtt, (*checker).emotions, (*checker).plant}

// consistent applies the rules.
func (cfg *Config) consistent() Problems {
	c := &checker{Config: cfg}
	for _, rule := range rules {
		rule(c)
	}
	return c.problems
}

func alarmKey(i int, name string) string { return fmt.Sprintf("alarm[%d].%s", i+1, name) }

func (c *checker) alarms() {
	if n := len(c.Alarms); n > alarm.MaxAlarms {
		c.wrong(fmt.Sprintf("alarm[%d]", alarm.MaxAlarms+1), "", "%d alarms are defined, at most %d are possible", n, alarm.MaxAlarms)
	}
	names := make([]string, 0, len(c.Alarms))
	for i, a := range c.Alarms {
		if j := slices.Index(names, a.Name); j >= 0 && a.Name != "" {
			c.wrong(alarmKey(i, "name"), "", "%q is the name of the alarm on line %d already", a.Name, c.at(alarmKey(j, "name")).line)
		}
		names = append(names, a.Name)
		c.conditions(i, a)
	}
	for i, a := range c.Alarms {
		for n, by := range a.SuppressBy {
			key := fmt.Sprintf("%s[%d]", alarmKey(i, "suppress_by"), n+1)
			switch {
			case by == a.Name:
				c.wrong(key, "", "an alarm cannot suppress itself")
			case !slices.Contains(names, by):
				c.wrong(key, quoteAll(without(names, a.Name)), "there is no alarm %q", by).Nearest = spelling.Nearest(by, names)
			}
		}
	}
	c.circles(names)
	for n, name := range c.Modbus.Unlock {
		if name != "all" && !slices.Contains(names, name) {
			c.wrong(fmt.Sprintf("modbus.unlock[%d]", n+1), quoteAll(append([]string{"all"}, names...)), "there is no alarm %q", name).
				Nearest = spelling.Nearest(name, names)
		}
	}
}

// reminders looks at the times after which an alarm is told once more.
func (c *checker) reminders() {
	const least = time.Minute
	if t := c.Unit.SilenceMax; t > 0 && t < least {
		c.wrong("unit.silence_max", fmt.Sprintf(`"0s", or from %q to "24h"`, alarm.Time(least)), "is %s: the horn would hardly be silenced", alarm.Time(t))
	}
	for i, a := range c.Alarms {
		key, t := alarmKey(i, "re_alarm"), a.ReAlarm
		longest, name := a.OffDelay, "off_delay"
		if a.OnDelay > longest {
			longest, name = a.OnDelay, "on_delay"
		}
		switch allowed := fmt.Sprintf(`"0s", or from %q to "24h"`, alarm.Time(max(least, longest))); {
		case t == 0:
		case !a.Acknowledge:
			c.wrong(key, `"0s", or acknowledge = true`, "is %s, and the alarm needs no acknowledgement that could be too long ago", alarm.Time(t))
		case t < least:
			c.wrong(key, allowed, "is %s: whoever acknowledged is still on the way", alarm.Time(t))
		case t < longest:
			c.wrong(key, allowed, "is %s, and %s is %s: the alarm would come again before it could be judged", alarm.Time(t), name, alarm.Time(longest))
		}
	}
}

func without(list []string, s string) []string {
	var rest []string
	for _, x := range list {
		if x != s && x != "" {
			rest = append(rest, x)
		}
	}
	return rest
}

// conditions looks at how an alarm says what it watches.
func (c *checker) conditions(i int, a Alarm) {
	signal, all, any := a.Signal != "" || c.has(alarmKey(i, "signal")), c.has(alarmKey(i, "all")) || a.All != nil, c.has(alarmKey(i, "any")) || a.Any != nil
	count := 0
	for _, b := range []bool{signal, all, any} {
		if b {
			count++
		}
	}
	switch {
	case count == 0:
		c.wrong(alarmKey(i, "signal"), "signal with high or low, or a list of conditions all or any", "is missing: the alarm watches nothing")
		return
	case count > 1:
		c.wrong(alarmKey(i, "signal"), "one of signal, all, any", "more than one of signal, all and any is set")
		return
	}
	if signal {
		if a.Signal == "" {
			c.wrong(alarmKey(i, "signal"), "the name of a signal", "is empty")
		}
		c.limit(fmt.Sprintf("alarm[%d]", i+1), a.High, a.Low)
		return
	}
	for _, name := range []string{"high", "low", "deadband"} {
		if c.has(alarmKey(i, name)) {
			c.wrong(alarmKey(i, name), "", "belongs into each condition of the list, not beside it")
		}
	}
	list, name := a.All, "all"
	if any {
		list, name = a.Any, "any"
	}
	if len(list) == 0 {
		c.wrong(alarmKey(i, name), "", "is an empty list: the alarm watches nothing")
	}
	if len(list) > 16 {
		c.wrong(alarmKey(i, name), "", "has %d conditions, at most 16 are possible", len(list))
	}
	for n, condition := range list {
		c.limit(fmt.Sprintf("%s[%d]", alarmKey(i, name), n+1), condition.High, condition.Low)
	}
}

func (c *checker) limit(block string, high, low *float64) {
	isHigh, isLow := high != nil || c.has(block+".high"), low != nil || c.has(block+".low")
	if isHigh && isLow {
		c.wrong(block+".low", "high or low; for a band write any = [{… high = …}, {… low = …}]", "high is set too")
	} else if !isHigh && !isLow {
		c.wrong(block+".high", "a number for high (met at or above) or for low (met at or below)", "is missing, and so is low")
	}
}

// circles finds alarms that would suppress each other.
func (c *checker) circles(names []string) {
	if ring := alarm.Circle(c.Definitions()); len(ring) > 1 { // one that names itself is reported already
		c.wrong(alarmKey(slices.Index(names, ring[0]), "suppress_by"), "", "goes in a circle: %s", strings.Join(append(ring, ring[0]), " is suppressed by "))
	}
}

// Emotion says whether an alarm on the signal infers an emotion in the sense
// of EU AI Act, Art. 5(1)(f). Recital 18 leaves out physical states such as
// fatigue and readily apparent movements: action units, eye closure,
// PERCLOS and what is covered.
func Emotion(signal string) bool {
	return signal == "valence" || signal == "arousal" || strings.HasPrefix(signal, "expression.") || strings.HasPrefix(signal, "compound.")
}

func (c *checker) purpose() {
	if c.Unit.Purpose != "" {
		return
	}
	for i, a := range c.Alarms {
		for _, condition := range a.conditions() {
			if !Emotion(condition.Signal) {
				continue
			}
			key := alarmKey(i, "signal")
			if a.Signal == "" {
				key = fmt.Sprintf("alarm[%d]", i+1)
			}
			c.wrong(key, `[unit] purpose = "safety" or "medical", with purpose_reason; or an alarm on action units, eyes_closed or perclos`,
				"an alarm on %s infers an emotion, which EU AI Act Art. 5(1)(f) bans at work except for medical or safety reasons: unit.purpose is missing", condition.Signal)
			break
		}
	}
}

// lines looks at outputs and inputs.
func (c *checker) lines() {
	type use struct{ key, name string }
	taken := make(map[string]use)
	take := func(key, chip, line, name string) {
		if line == "" {
			return
		}
		id := chip + "\x00" + line
		if other, ok := taken[id]; ok {
			c.wrong(key, "", "line %s is %s's already (line %d of the file)", line, other.name, c.at(other.key).line)
			return
		}
		taken[id] = use{key, name}
	}
	alarms := make([]string, 0, len(c.Alarms))
	for _, a := range c.Alarms {
		alarms = append(alarms, a.Name)
	}
	outputs := make([]string, 0, len(c.Outputs))
	for i, o := range c.Outputs {
		key := func(name string) string { return fmt.Sprintf("output[%d].%s", i+1, name) }
		if o.Name != "" && slices.Contains(outputs, o.Name) {
			c.wrong(key("name"), "", "%q is the name of another output already", o.Name)
		}
		outputs = append(outputs, o.Name)
		take(key("line"), o.Chip, o.Line, "output "+fmt.Sprintf("%q", o.Name))
		if f := o.Function; f.Role == OneAlarm && !slices.Contains(alarms, f.Alarm) {
			p := c.wrong(key("function"), "alarm: and the name of an alarm: "+quoteAll(alarms), "there is no alarm %q", f.Alarm)
			if near := spelling.Nearest(f.Alarm, alarms); near != "" {
				p.Nearest = Function{OneAlarm, near}.String()
			}
		}
	}
	inputs := make([]string, 0, len(c.Inputs))
	for i, in := range c.Inputs {
		key := func(name string) string { return fmt.Sprintf("input[%d].%s", i+1, name) }
		if in.Name != "" && slices.Contains(inputs, in.Name) {
			c.wrong(key("name"), "", "%q is the name of another input already", in.Name)
		}
		inputs = append(inputs, in.Name)
		take(key("line"), in.Chip, in.Line, "input "+fmt.Sprintf("%q", in.Name))
		if in.Function == Inhibit && in.For > c.Unit.InhibitMax {
			c.wrong(key("for"), fmt.Sprintf(`at most unit.inhibit_max, "%s"`, alarm.Time(c.Unit.InhibitMax)), "is %s", alarm.Time(in.For))
		}
	}
}

// headerPins are the pins of the 40-pin header, as Raspberry Pi and Jetson have
// it, that are lines: the others are supplies and grounds.
var headerPins = []int{3, 5, 7, 8, 10, 11, 12, 13, 15, 16, 18, 19, 21, 22, 23, 24, 26, 27, 28, 29, 31, 32, 33, 35, 36, 37, 38, 40}

var (
	headerPin = regexp.MustCompile(`(?i)^pin[ _:-]*(\d+)$`)
	spacedPin = regexp.MustCompile(`(?i)^(?:gpio|bcm)[ _:-]*(\d+)$`)
	chipPath  = regexp.MustCompile(`^(?:/dev/)?gpiochip\d*$`)
)

// eachLine visits the GPIO lines; block is "output[1]".
func (c *checker) eachLine(visit func(block, chip, line string)) {
	for i, o := range c.Outputs {
		visit(item("output", i+1), o.Chip, o.Line)
	}
	for i, in := range c.Inputs {
		visit(item("input", i+1), in.Chip, in.Line)
	}
}

// pins refuses header pins that are no lines on any board. Which line a pin is,
// and what else it does there, only the board knows: see Wiring.
func (c *checker) pins() {
	c.eachLine(func(block, _, line string) {
		m := headerPin.FindStringSubmatch(line)
		if m == nil {
			return
		}
		n, err := strconv.Atoi(m[1])
		const allowed = `the pins that are lines: "pin 3", 5, 7, 8, 10 to 13, 15, 16, 18, 19, 21 to 24, 26 to 29, 31 to 33, 35 to 38, 40`
		switch {
		case err != nil || n < 1 || n > 40:
			c.wrong(block+".line", allowed, "is %q: the header has the pins 1 to 40", line)
		case n == 1 || n == 2 || n == 4 || n == 17:
			c.wrong(block+".line", allowed, "is %q: that pin is a supply, of %s", line, map[bool]string{true: "3.3 V", false: "5 V"}[n == 1 || n == 17])
		case !slices.Contains(headerPins, n):
			c.wrong(block+".line", allowed, "is %q: that pin is a ground", line)
		}
	})
}

// wiring warns of ways to name a line that are sure on one machine only.
func (c *checker) wiring() {
	c.eachLine(func(block, chip, line string) {
		key := block + ".line"
		if m := headerPin.FindStringSubmatch(line); m != nil && line != "pin "+m[1] {
			c.warn(key, "%q is spelled differently elsewhere", line).Nearest = "pin " + m[1]
		} else if m := spacedPin.FindStringSubmatch(line); m != nil && line != "GPIO"+m[1] && line != "gpio"+m[1] {
			c.warn(key, "%q is spelled differently elsewhere, and no kernel knows it", line).Nearest = "GPIO" + m[1]
		}
		if _, err := strconv.Atoi(line); err == nil && chip == "" {
			p := c.warn(key, "%s alone is a line of the board's main chip, which is not pin %s of the header", line, line)
			p.Allowed = `a header pin ("pin 11"), a line name ("GPIO17"), or a number with chip, the label of its chip (mien probe)`
		}
		if chipPath.MatchString(chip) {
			p := c.warn(block+".chip", "%q is a number that moves between kernels", chip)
			p.Allowed = `the chip's label, such as "pinctrl-rp1", "pinctrl-bcm2711" or "tegra234-gpio" (mien probe lists them)`
		}
	})
}

// SameLines finds outputs and inputs whose line is written differently and is
// the same, by what identify makes of chip and line: a name that is the line's
// own, or "" for one that it does not know.
func (cfg *Config) SameLines(identify func(chip, line string) string) Problems {
	type use struct{ key, name string }
	c := &checker{Config: cfg}
	taken := make(map[string]use)
	take := func(block, name, chip, line string) {
		id := identify(chip, line)
		if id == "" {
			return
		}
		other, ok := taken[id]
		if !ok {
			taken[id] = use{block + ".line", name}
			return
		}
		c.wrong(block+".line", "", "%s of %s and %s on line %d of the file are one and the same: %s",
			strconv.Quote(line), name, other.name, c.at(other.key).line, id)
	}
	for i, o := range c.Outputs {
		take(fmt.Sprintf("output[%d]", i+1), fmt.Sprintf("output %q", o.Name), o.Chip, o.Line)
	}
	for i, in := range c.Inputs {
		take(fmt.Sprintf("input[%d]", i+1), fmt.Sprintf("input %q", in.Name), in.Chip, in.Line)
	}
	return c.problems
}

// Wiring passes on what look says of each GPIO line that the config names: what
// an installer should mind, as warnings, or why it cannot be used.
func (cfg *Config) Wiring(look func(chip, line string, output bool) (mind []string, err error)) Problems {
	c := &checker{Config: cfg}
	one := func(key, chip, line string, output bool) {
		mind, err := look(chip, line, output)
		if err != nil {
			c.wrong(key, "", "%v", err)
		}
		for _, text := range mind {
			c.warn(key, "%s", text)
		}
	}
	for i, o := range c.Outputs {
		one(fmt.Sprintf("output[%d].line", i+1), o.Chip, o.Line, true)
	}
	for i, in := range c.Inputs {
		one(fmt.Sprintf("input[%d].line", i+1), in.Chip, in.Line, false)
	}
	return c.problems
}

// StatusLine is the most characters that a status line of the ASCII protocol has, with
// so many alarms.
func StatusLine(alarms int) int { return 105 + 3*max((alarms+3)/4-4, 0) }

// port looks at what the serial line can carry: a unit that has more to say than goes
// out says it ever later.
func (c *checker) port() {
	s := c.Serial
	if s.Device == "" || s.Protocol != ASCII || s.Baud <= 0 {
		return
	}
	bits := 1 + s.Data + s.Stop
	if s.Parity != NoParity {
		bits++
	}
	takes := time.Duration(StatusLine(len(c.Alarms))*bits) * time.Second / time.Duration(s.Baud)
	if takes <= s.Interval {
		return
	}
	key := "serial.interval"
	if !c.has(key) {
		key = "serial.baud"
	}
	c.wrong(key, fmt.Sprintf("interval = %q or more, or a higher baud", (takes.Truncate(10*time.Millisecond)+10*time.Millisecond).String()),
		"a status line takes up to %v at %d baud, and one is due every %v", takes.Round(time.Millisecond), s.Baud, s.Interval)
}

// shellSigns are words that a shell would read, and nobody else does.
var shellSigns = []string{"|", "||", "&", "&&", ";", ">", ">>", "<", "2>", "2>&1", "2>/dev/null", ">/dev/null"}

// apart is a command with each word apart, as it would stand in the file.
func apart(text string) string { return "[" + quoteAll(strings.Fields(text)) + "]" }

// hasOption tells whether a command has one of the options: "-t", "-t0", "--timeout",
// "--timeout=0".
func hasOption(words []string, names ...string) bool {
	return slices.ContainsFunc(words[1:], func(w string) bool {
		return slices.ContainsFunc(names, func(n string) bool {
			return w == n || strings.HasPrefix(w, n+"=") || len(n) == 2 && n[0] == '-' && !strings.HasPrefix(w, "--") && strings.HasPrefix(w, n)
		})
	})
}

// command refuses one that cannot be a camera.
func (c *checker) command() {
	words := c.Camera.Command
	if len(words) == 0 {
		return
	}
	const key = "camera.command"
	at := func(i int) string { return item(key, i+1) }
	if c.Camera.Clip != "" {
		c.wrong("camera.clip", "one of camera.clip and camera.command", "is set beside camera.command: where do the pictures come from?")
	}
	if c.Camera.Device != "auto" {
		c.wrong("camera.device", "one of camera.device and camera.command", "is set beside camera.command: the program opens the camera, name it among its words")
	}
	program := words[0][strings.LastIndexByte(words[0], '/')+1:]
	if strings.Contains(program, " ") {
		c.wrong(at(0), "each word apart: "+apart(strings.Join(words, " ")), "is %q: no shell takes it apart", words[0])
		return
	}
	for i, w := range words {
		switch {
		case slices.Contains(shellSigns, w):
			c.wrong(at(i), `the words of one program, or ["sh", "-c", "one | other"]`, "is %q, which only a shell knows", w)
			return
		case strings.HasPrefix(w, "~"):
			c.wrong(at(i), "a path from the root of this machine", "%s: only a shell knows what ~ stands for", w)
		case len(w) > 1 && (w[0] == '\'' || w[0] == '"') && w[len(w)-1] == w[0]:
			c.wrong(at(i), "the word without quotes of a shell", "has quotes in quotes: %s", w)
		case address.MatchString(w):
			c.wrong(at(i), "a camera of this machine", "%s is an address on a network, and whoever sees faces has none: use a bridge that has the network and hands pictures to a v4l2loopback device (docs/cameras.md#network-cameras)", w)
		}
	}
	has := func(names ...string) bool { return hasOption(words, names...) }
	switch program {
	case "gst-launch-1.0":
		if !has("-q", "--quiet") {
			c.wrong(key, `"-q" behind "gst-launch-1.0"`, "lacks -q: its messages would stand among the pictures")
		}
		if !has("fdsink") {
			c.wrong(key, `… "!", "y4menc", "!", "fdsink"`, "ends in no fdsink: it writes its pictures elsewhere")
		}
	case "rpicam-vid", "libcamera-vid":
		if !has("--codec") {
			c.wrong(key, `"--codec", "mjpeg"`, "lacks --codec: it would write H.264, of which no picture stands alone")
		}
		if !has("-o", "--output") {
			c.wrong(key, `"-o", "-"`, "lacks -o: it would write no pictures")
		}
	case "ffmpeg":
		if i := len(words) - 1; words[i] != "-" && words[i] != "pipe:1" && words[i] != "pipe:" {
			c.wrong(key, `"-f", "yuv4mpegpipe", "-"`, "ends in %q: its pictures go there, and not to standard output", words[i])
		}
	}
}

// paths refuses those of another system.
func (c *checker) paths() {
	for key, path := range map[string]string{"camera.device": c.Camera.Device, "camera.clip": c.Camera.Clip, "serial.device": c.Serial.Device} {
		switch {
		case address.MatchString(path) && key == "serial.device":
			c.wrong(key, "a path such as /dev/serial/by-id/… or /dev/ttyUSB0 (mien probe lists them)", "%s is an address on a network; %s", path, noNetwork)
		case address.MatchString(path):
			c.wrong(key, "a camera of this machine, such as /dev/v4l/by-id/… (mien probe lists them), or a clip's file",
				"%s is an address on a network, and the program that sees faces has none: use a USB camera, or a bridge that has the network and hands pictures to a v4l2loopback device (docs/cameras.md#network-cameras)", path)
		}
	}
	for key, path := range map[string]string{"camera.device": c.Camera.Device, "camera.clip": c.Camera.Clip, "model.card": c.Model.Card,
		"model.second": c.Model.Second, "model.library": c.Model.Library, "serial.device": c.Serial.Device, "state.dir": c.State.Dir} {
		switch {
		case strings.HasPrefix(path, "~"):
			c.wrong(key, "a path from the root of this machine, such as /var/lib/mien/…", "%s: only a shell knows what ~ stands for", path)
		case windowsPath(path):
			c.wrong(key, "a path of this machine, such as /var/lib/mien/…", "%s is a path of Windows", path)
		case windowsPort.MatchString(path):
			c.wrong(key, "a path such as /dev/serial/by-id/… or /dev/ttyUSB0 (mien probe lists them)", "%s is a port of Windows", path)
		}
	}
}

// nearestWatchdog gives the word that was meant for watchdog.device, or "".
func nearestWatchdog(word string) string {
	switch strings.ToLower(word) {
	case "on", "true", "yes", "enabled":
		return "auto"
	}
	return spelling.Nearest(word, []string{"off", "auto"})
}

// address is what a URL begins with, or a machine and its port.
var address = regexp.MustCompile(`(?i)^[a-z][a-z0-9+.-]*://|^\d+\.\d+\.\d+\.\d+|^[a-z0-9.-]+:\d+$`)

var windowsPort = regexp.MustCompile(`(?i)^com\d+$`)

// page refuses what the gateway cannot open.
func (c *checker) page() {
	p := c.Page
	if _, err := netip.ParseAddrPort(p.Listen); err != nil {
		c.wrong("page.listen", `an address and a port by number: "127.0.0.1:8470", "192.168.1.10:8470", "0.0.0.0:8470", "[::]:8470"`, "is %q", p.Listen)
	}
	if (p.Certificate == "") != (p.Key == "") {
		key := "page.certificate"
		if p.Certificate == "" {
			key = "page.key"
		}
		c.wrong(key, "both page.certificate and page.key, or neither", "stands alone")
	}
	for key, path := range map[string]string{"page.certificate": p.Certificate, "page.key": p.Key, "gateway.dir": c.Gateway.Dir} {
		if path != "" && !strings.HasPrefix(path, "/") {
			c.wrong(key, "an absolute path", "is %q", path)
		}
	}
	for i, name := range p.Names {
		if !hostName.MatchString(name) {
			c.wrong(fmt.Sprintf("page.names[%d]", i+1), `a name such as "press3.plant.example", without port and path`, "is %q", name)
		}
	}
}

// reachable warns of what a page is open to.
func (c *checker) reachable() {
	c.open("modbus_tcp.listen", c.ModbusTCP.Listen, "modbus_tcp.allow", len(c.ModbusTCP.Allow))
	c.open("metrics.listen", c.Metrics.Listen, "metrics.allow", len(c.Metrics.Allow))
	c.open("slmp.listen", c.SLMP.Listen, "slmp.allow", len(c.SLMP.Allow))
	a, err := netip.ParseAddrPort(c.Page.Listen)
	if err != nil || !c.Page.Serve {
		return
	}
	switch {
	case a.Addr().IsUnspecified():
		c.warn("page.listen", "%s is each address of this machine: who is on one of its networks reaches the page, over TLS", a.Addr())
	case !a.Addr().IsLoopback():
		c.warn("page.listen", "%s is no loopback: who is on that network reaches the page, over TLS", a.Addr())
	}
	switch {
	case a.Port() == 0:
		c.warn("page.listen", "port 0 is another one at each start, which the gateway prints").Allowed = "a port from 1024 on"
	case a.Port() < 1024:
		c.warn("page.listen", "port %d is for root only, which the gateway is not: it is refused", a.Port()).Allowed = "a port from 1024 on"
	}
}

// plant refuses what the gateway cannot open to the plant's network.
func (c *checker) plant() {
	c.listens("modbus_tcp.listen", c.ModbusTCP.Listen, "modbus_tcp.allow", c.ModbusTCP.Allow)
	c.listens("metrics.listen", c.Metrics.Listen, "metrics.allow", c.Metrics.Allow)
	c.listens("slmp.listen", c.SLMP.Listen, "slmp.allow", c.SLMP.Allow)
}

// listens refuses a port that cannot be opened, and networks that are none.
func (c *checker) listens(key, address, allow string, networks []string) {
	if _, err := netip.ParseAddrPort(address); err != nil && address != "" {
		c.wrong(key, `an address and a port by number: "192.168.1.10:1502", "0.0.0.0:1502", "[::]:1502"; "" for none`, "is %q", address)
	}
	for i, n := range networks {
		if _, err := network(n); err != nil {
			c.wrong(fmt.Sprintf("%s[%d]", allow, i+1), `an address or a network by number: "192.168.1.20", "10.8.0.0/24", "fd00::/8"`, "is %q", n)
		}
	}
}

// open warns of what a port is open to, and of whom it leaves out.
func (c *checker) open(key, address, allow string, allowed int) {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return
	}
	switch {
	case !a.Addr().IsLoopback() && allowed == 0:
		c.warn(key, "%s is no loopback, and %s is empty: only programs of this machine are answered", a.Addr(), allow).Allowed = allow + " with the addresses and networks that may ask"
	case !a.Addr().IsLoopback():
		c.warn(key, "%s is no loopback: who %s names reads the unit from that network, without a password", a.Addr(), allow)
	}
	switch {
	case a.Port() == 0:
		c.warn(key, "port 0 is another one at each start, which the gateway prints").Allowed = "a port from 1024 on"
	case a.Port() < 1024:
		c.warn(key, "port %d is for root only, which the gateway is not: it is refused, unless the service is given it (docs/plant.md)", a.Port())
	}
}

// network reads an address or a network by number.
func network(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err
}

// networks are those of a list, or this machine's own where it is empty. What is none
// has been refused.
func networks(list []string) (all []netip.Prefix) {
	if len(list) == 0 {
		list = []string{"127.0.0.0/8", "::1"}
	}
	for _, text := range list {
		if p, err := network(text); err == nil {
			all = append(all, p)
		}
	}
	return all
}

var hostName = regexp.MustCompile(`(?i)^[a-z0-9]([a-z0-9-]{0,62}\.?)+$`)

// Loopback tells whether only programs of this machine reach the page.
func (p Page) Loopback() bool {
	a, err := netip.ParseAddrPort(p.Listen)
	return err == nil && a.Addr().IsLoopback()
}

// rest looks at the other sections.
// notInTag says what a tag cannot have: it stands in tables, between commas.
func notInTag(r rune) bool {
	return !unicode.In(r, unicode.L, unicode.M, unicode.N) && !strings.ContainsRune(" -_.+/:", r)
}

func (c *checker) rest() {
	if q := c.Face.Quality; q.MinLight >= q.MaxLight {
		c.wrong("face.quality.min_light", "", "is not below max_light: no face would ever be good enough")
	}
	if r := c.Face.Region; r[2] <= 0 || r[3] <= 0 || r[0]+r[2] > 1.0001 || r[1]+r[3] > 1.0001 {
		c.wrong("face.region", "left + width and top + height at most 1, width and height above 0", "is not a region of the frame")
	}
	if c.Filter.PerclosKnown > c.Filter.PerclosWindow {
		c.wrong("filter.perclos_known", "at most filter.perclos_window", "is longer than the window: PERCLOS would never have a value")
	}
	if t := c.Pilot.Tag; t != strings.TrimSpace(t) || strings.ContainsFunc(t, notInTag) {
		c.wrong("pilot.tag", `letters, digits, and within it spaces and - _ . + / :, such as "product B"`, "is %q", t)
	}
	if c.Serial.Protocol == ModbusRTU && c.Serial.Data != 8 {
		c.wrong("serial.data", "8", "is %d: Modbus RTU needs 8 data bits", c.Serial.Data)
	}
	if c.Health.DarkBelow >= c.Health.BrightAbove {
		c.wrong("health.dark_below", "", "is not below bright_above: every picture would be a fault")
	}
	if c.Health.MinRate > c.Camera.FPS {
		c.wrong("health.min_rate", fmt.Sprintf("at most camera.fps, %s", number(c.Camera.FPS)), "is %s: the camera could never be fast enough", number(c.Health.MinRate))
	}
	if c.Health.RetryFirst > c.Health.RetryMost {
		c.wrong("health.retry_first", "", "is longer than retry_most")
	}
	if p := c.Socket.Path; p != "" && p != "off" && !strings.HasPrefix(p, "/") {
		c.wrong("socket.path", `"", "off" or an absolute path`, "is %q", p).Nearest = spelling.Nearest(p, []string{"off"})
	}
	if p := c.Watchdog.Device; p != "off" && p != "auto" && !strings.HasPrefix(p, "/") {
		c.wrong("watchdog.device", `"off", "auto" or an absolute path`, "is %q", p).Nearest = nearestWatchdog(p)
	}
	if c.Watchdog.Device != "off" && c.Watchdog.Timeout < 2*c.Health.Stale {
		c.wrong("watchdog.timeout", `at least twice health.stale`, "is %s: one late result would restart the machine", alarm.Time(c.Watchdog.Timeout))
	}
}
