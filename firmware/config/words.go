package config

import (
	"fmt"
	"slices"
	"strings"
)

// words are the values of a key that takes a word, in the order of messages.
// Each such key has a type of its own, whose UnmarshalText is the one place
// that reads the word.
type words[T ~string] []T

func (w words[T]) read(into *T, text []byte) error {
	if i := slices.Index(w, T(text)); i >= 0 {
		*into = w[i]
		return nil
	}
	return fmt.Errorf("%q is not one of %s", text, quoteAll(w.names()))
}

func (w words[T]) names() []string {
	names := make([]string, len(w))
	for i := range w {
		names[i] = string(w[i])
	}
	return names
}

// Purpose is why emotions are inferred; "" is that they are not.
type Purpose string

const (
	Safety  Purpose = "safety"
	Medical Purpose = "medical"
)

var purposes = words[Purpose]{"", Safety, Medical}

func (p *Purpose) UnmarshalText(text []byte) error { return purposes.read(p, text) }

// Format is a camera's pixel format; only AnyFormat is known by name here.
type Format string

// AnyFormat takes the cheapest that the camera has.
const AnyFormat Format = "auto"

var formats = words[Format]{AnyFormat, "GREY", "YUYV", "UYVY", "NV12", "YU12", "422P", "RGB3", "MJPEG"}

func (f *Format) UnmarshalText(text []byte) error { return formats.read(f, text) }

// Pace is how a clip is played.
type Pace string

const (
	RealTime Pace = "real"
	FastPace Pace = "fast"
)

var paces = words[Pace]{RealTime, FastPace}

func (p *Pace) UnmarshalText(text []byte) error { return paces.read(p, text) }

// Detector is the range of the face detector.
type Detector string

const (
	ShortRange Detector = "short"
	FullRange  Detector = "full"
)

var detectors = words[Detector]{ShortRange, FullRange}

func (d *Detector) UnmarshalText(text []byte) error { return detectors.read(d, text) }

// Select is which of several faces counts.
type Select string

const (
	Largest  Select = "largest"
	Middle   Select = "middle"
	InRegion Select = "region"
)

var selects = words[Select]{Largest, Middle, InRegion}

func (s *Select) UnmarshalText(text []byte) error { return selects.read(s, text) }

// Backend is what computes a network, in the words of model/tflite.
type Backend string

var backends = words[Backend]{"auto", "litert", "tflite", "gotflite"}

func (b *Backend) UnmarshalText(text []byte) error { return backends.read(b, text) }

// Accelerator is what computes the networks beside the processor.
type Accelerator string

const (
	NoAccelerator Accelerator = "none"
	EdgeTPU       Accelerator = "edgetpu"
)

var accelerators = words[Accelerator]{NoAccelerator, EdgeTPU}

func (a *Accelerator) UnmarshalText(text []byte) error { return accelerators.read(a, text) }

// FilterKind is the shape of the filters over time.
type FilterKind string

const (
	NoFilter FilterKind = "none"
	Box      FilterKind = "box"
	Gaussian FilterKind = "gaussian"
)

var filterKinds = words[FilterKind]{NoFilter, Box, Gaussian}

func (k *FilterKind) UnmarshalText(text []byte) error { return filterKinds.read(k, text) }

// Mean is the mean that makes a compound expression, in the words of model/affect.
type Mean string

var means = words[Mean]{"arithmetic", "geometric", "harmonic"}

func (m *Mean) UnmarshalText(text []byte) error { return means.read(m, text) }

// Level is the level of a line that means on.
type Level string

const (
	ActiveHigh Level = "high"
	ActiveLow  Level = "low"
)

var levels = words[Level]{ActiveHigh, ActiveLow}

func (l *Level) UnmarshalText(text []byte) error { return levels.read(l, text) }

// Switch is a value of an output; Output.StartsOn and Output.FailsOn say what
// SwitchAuto is.
type Switch string

const (
	SwitchAuto Switch = "auto"
	SwitchOff  Switch = "off"
	SwitchOn   Switch = "on"
)

var switches = words[Switch]{SwitchAuto, SwitchOff, SwitchOn}

func (s *Switch) UnmarshalText(text []byte) error { return switches.read(s, text) }

// Blink is how a lamp shows what is unacknowledged.
type Blink string

const (
	Steady Blink = "steady"
	Slow   Blink = "slow"
	Fast   Blink = "fast"
	Flash  Blink = "flash"
	Double Blink = "double"
)

var blinks = words[Blink]{Steady, Slow, Fast, Flash, Double}

func (b *Blink) UnmarshalText(text []byte) error { return blinks.read(b, text) }

// Drive is which levels an output drives itself.
type Drive string

const (
	PushPull   Drive = "push-pull"
	OpenDrain  Drive = "open-drain"
	OpenSource Drive = "open-source"
)

var drives = words[Drive]{PushPull, OpenDrain, OpenSource}

func (d *Drive) UnmarshalText(text []byte) error { return drives.read(d, text) }

// Pull is the resistor of an input.
type Pull string

const (
	PullAsIs Pull = "as-is"
	PullNone Pull = "none"
	PullUp   Pull = "up"
	PullDown Pull = "down"
)

var pulls = words[Pull]{PullAsIs, PullNone, PullUp, PullDown}

func (p *Pull) UnmarshalText(text []byte) error { return pulls.read(p, text) }

// Press is what a press of an input does.
type Press string

const (
	Acknowledge Press = "acknowledge"
	Reset       Press = "reset"
	Silence     Press = "silence"
	Inhibit     Press = "inhibit"
	Test        Press = "test"
	MarkRight   Press = "mark_right"
	MarkFalse   Press = "mark_false"
	MarkMissed  Press = "mark_missed"
)

var presses = words[Press]{Acknowledge, Reset, Silence, Inhibit, Test, MarkRight, MarkFalse, MarkMissed}

func (p *Press) UnmarshalText(text []byte) error { return presses.read(p, text) }

// Protocol is what is spoken on the serial port.
type Protocol string

const (
	ModbusRTU  Protocol = "modbus"
	ASCII      Protocol = "ascii"
	NoProtocol Protocol = "off"
)

var protocols = words[Protocol]{ModbusRTU, ASCII, NoProtocol}

func (p *Protocol) UnmarshalText(text []byte) error { return protocols.read(p, text) }

// Parity is the parity bit of a character.
type Parity string

const (
	NoParity   Parity = "none"
	EvenParity Parity = "even"
	OddParity  Parity = "odd"
)

var parities = words[Parity]{NoParity, EvenParity, OddParity}

func (p *Parity) UnmarshalText(text []byte) error { return parities.read(p, text) }

// RS485 is who switches the direction of an RS-485 line.
type RS485 string

const (
	RS485Off    RS485 = "off"
	RS485Auto   RS485 = "auto"
	RS485Kernel RS485 = "kernel"
	RS485RTS    RS485 = "rts"
)

var rs485s = words[RS485]{RS485Off, RS485Auto, RS485Kernel, RS485RTS}

func (r *RS485) UnmarshalText(text []byte) error { return rs485s.read(r, text) }

// WordOrder is which word of a 32-bit value has the lower address.
type WordOrder string

const (
	HighFirst WordOrder = "high-first"
	LowFirst  WordOrder = "low-first"
)

var wordOrders = words[WordOrder]{HighFirst, LowFirst}

func (o *WordOrder) UnmarshalText(text []byte) error { return wordOrders.read(o, text) }

// Role is what drives an output.
type Role string

const (
	Healthy        Role = "healthy"
	Lamp           Role = "lamp"
	Horn           Role = "horn"
	Faulty         Role = "fault"
	AnyAlarm       Role = "any"
	Unacknowledged Role = "unacknowledged"
	OneAlarm       Role = "alarm" // the lamp of the alarm that Function names
)

var roles = words[Role]{Healthy, Lamp, Horn, Faulty, AnyAlarm, Unacknowledged}

// Function is what drives an output: a role, or one alarm.
type Function struct {
	Role  Role
	Alarm string // of OneAlarm
}

const alarmPrefix = string(OneAlarm) + ":"

// functions are the words of Function.
func functions() []string { return append(roles.names(), alarmPrefix+"NAME") }

// String writes it as the file has it: "lamp", "alarm:frown".
func (f Function) String() string {
	if f.Role == OneAlarm {
		return alarmPrefix + f.Alarm
	}
	return string(f.Role)
}

// UnmarshalText reads a role, or alarm: and a name. Whether there is such an
// alarm is looked at when the whole file is known.
func (f *Function) UnmarshalText(text []byte) error {
	if name, ok := strings.CutPrefix(string(text), alarmPrefix); ok && name != "" {
		*f = Function{OneAlarm, name}
		return nil
	}
	*f = Function{}
	return roles.read(&f.Role, text)
}
