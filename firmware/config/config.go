// Package config reads the unit's one TOML file, strictly, into typed settings.
//
// Reference is the one table of keys: names, types, defaults, what is allowed,
// what each means. The reader takes its defaults and its limits from it, and
// the commented example, docs/config.md and the explanations are made of it.
//
// A file is read to its end: every mistake is reported at once, each with file,
// line, key, what is allowed and the nearest right spelling.
//
//	cfg, err := config.Load("/etc/mien/mien.toml")   // err is Problems
//	found := cfg.Check(signals)                      // what only the network knows, and warnings
//	if err := found.Err(); err != nil { … }
//
// An empty file is a good one: it runs the first camera and alarms on nothing.
package config

import (
	"net/netip"
	"time"

	"mien/firmware/alarm"
)

// Config is every setting of a unit. Names of the fields' keys are in their
// tags; Reference has their meaning, units and limits.
type Config struct {
	Unit     Unit     `toml:"unit"`
	Camera   Camera   `toml:"camera"`
	Face     Face     `toml:"face"`
	Model    Model    `toml:"model"`
	Filter   Filter   `toml:"filter"`
	Alarms   []Alarm  `toml:"alarm"`
	Outputs  []Output `toml:"output"`
	Inputs   []Input  `toml:"input"`
	Serial   Serial   `toml:"serial"`
	Modbus   Modbus   `toml:"modbus"`
	Health   Health   `toml:"health"`
	Clock    Clock    `toml:"clock"`
	State    State    `toml:"state"`
	Pilot    Pilot    `toml:"pilot"`
	Socket   Socket   `toml:"socket"`
	Watchdog Watchdog `toml:"watchdog"`
	Gateway  Gateway  `toml:"gateway"`
	Page     Page     `toml:"page"`
	MQTT     MQTT     `toml:"mqtt"`

	ModbusTCP OnNetwork `toml:"modbus_tcp"`
	SLMP      OnNetwork `toml:"slmp"`
	Metrics   Metrics   `toml:"metrics"`

	file string
	set  map[string]place // which keys the file sets, and where
}

// Unit says what the unit is and what it may be used for.
type Unit struct {
	Name          string        `toml:"name"`
	Purpose       Purpose       `toml:"purpose"`
	PurposeReason string        `toml:"purpose_reason"` // in the operator's own words
	InhibitMax    time.Duration `toml:"inhibit_max"`
	SilenceMax    time.Duration `toml:"silence_max"` // 0: until the next new alarm
}

// Camera is where frames come from.
type Camera struct {
	Device   string         `toml:"device"`  // "auto": the first camera
	Command  []string       `toml:"command"` // not empty: this program gives the pictures, and not the device
	Format   Format         `toml:"format"`
	Width    int            `toml:"width"`
	Height   int            `toml:"height"`
	FPS      float64        `toml:"fps"`
	Rotate   int            `toml:"rotate"` // 0, 90, 180, 270 degrees clockwise
	Mirror   bool           `toml:"mirror"`
	Clip     string         `toml:"clip"` // not empty: played instead of the device
	Loop     bool           `toml:"loop"`
	Controls map[string]int `toml:"controls"` // of the camera, by name
	Pace     Pace           `toml:"pace"`
}

// Face is which face counts and when it is good enough.
type Face struct {
	Detector    Detector   `toml:"detector"`
	Score       float64    `toml:"score"`
	Select      Select     `toml:"select"`
	Region      [4]float64 `toml:"region"` // left, top, width, height as shares of the frame
	DetectEvery int        `toml:"detect_every"`
	Quality     Quality    `toml:"quality"`
}

// Quality is the gate before the network: a face outside it is Unknown.
type Quality struct {
	MinSize      int     `toml:"min_size"`      // pixels, width of the face
	MinSharpness float64 `toml:"min_sharpness"` // see docs/config.md
	MinLight     float64 `toml:"min_light"`     // mean luma of the face, 0..255
	MaxLight     float64 `toml:"max_light"`
	MinContrast  float64 `toml:"min_contrast"` // standard deviation of the luma
	MaxClipped   float64 `toml:"max_clipped"`  // share of pixels that are black or white
	MaxYaw       float64 `toml:"max_yaw"`      // degrees
	MaxPitch     float64 `toml:"max_pitch"`
	MaxRoll      float64 `toml:"max_roll"`
	MaxOutside   float64 `toml:"max_outside"` // share of the face beyond the frame's edge
}

// Model is the network and what computes it.
type Model struct {
	Card         string      `toml:"card"`          // "": the embedded network
	Second       string      `toml:"second"`        // card of a second network to blend with; "": none
	SecondWeight float64     `toml:"second_weight"` // 0..1; the first has the rest
	Mirror       bool        `toml:"mirror"`        // every second frame is read as in a mirror
	Backend      Backend     `toml:"backend"`
	Library      string      `toml:"library"`
	Threads      int         `toml:"threads"`
	Accelerator  Accelerator `toml:"accelerator"`
}

// Filter smooths levels over time.
type Filter struct {
	Kind           FilterKind    `toml:"kind"`
	Expression     time.Duration `toml:"expression"`
	ValenceArousal time.Duration `toml:"valence_arousal"`
	ActionUnits    time.Duration `toml:"action_units"`
	Compound       time.Duration `toml:"compound"`
	CompoundMean   Mean          `toml:"compound_mean"`
	PerclosWindow  time.Duration `toml:"perclos_window"`
	PerclosKnown   time.Duration `toml:"perclos_known"`
}

// Condition is one comparison of an alarm: exactly one of High and Low is set.
type Condition struct {
	Signal   string   `toml:"signal"`
	High     *float64 `toml:"high"`
	Low      *float64 `toml:"low"`
	Deadband float64  `toml:"deadband"`
}

// Alarm is one alarm: one condition (Signal), or a list joined by all or any.
type Alarm struct {
	Name        string          `toml:"name"`
	Signal      string          `toml:"signal"`
	High        *float64        `toml:"high"`
	Low         *float64        `toml:"low"`
	Deadband    float64         `toml:"deadband"`
	All         []Condition     `toml:"all"`
	Any         []Condition     `toml:"any"`
	OnDelay     time.Duration   `toml:"on_delay"`
	OffDelay    time.Duration   `toml:"off_delay"`
	Priority    alarm.Priority  `toml:"priority"`
	Latch       bool            `toml:"latch"`
	Acknowledge bool            `toml:"acknowledge"`
	Horn        bool            `toml:"horn"`
	Lamp        bool            `toml:"lamp"`
	SuppressBy  []string        `toml:"suppress_by"`
	UnknownHold time.Duration   `toml:"unknown_hold"`
	OnUnknown   alarm.OnUnknown `toml:"on_unknown"`
	ShelveMax   time.Duration   `toml:"shelve_max"`
	ReAlarm     time.Duration   `toml:"re_alarm"` // 0: never
}

// Output is one GPIO line that the unit drives.
type Output struct {
	Name     string         `toml:"name"`
	Chip     string         `toml:"chip"` // label; "": the chip of the header pin, or the board's main one
	Line     string         `toml:"line"` // "17" an offset, "pin 11" a header pin, else a line name
	Function Function       `toml:"function"`
	Priority alarm.Priority `toml:"priority"` // lamp, horn, any, unacknowledged: least urgent alarm that counts
	Active   Level          `toml:"active"`
	Start    Switch         `toml:"start"`
	Fail     Switch         `toml:"fail"`  // see FailsOn
	Blink    Blink          `toml:"blink"` // while unacknowledged
	Drive    Drive          `toml:"drive"`
	ReadBack bool           `toml:"read_back"`
}

// Input is one GPIO line that people or the machine drive.
type Input struct {
	Name       string        `toml:"name"`
	Chip       string        `toml:"chip"`
	Line       string        `toml:"line"`
	Function   Press         `toml:"function"`
	Active     Level         `toml:"active"`
	Pull       Pull          `toml:"pull"`
	Debounce   time.Duration `toml:"debounce"`
	StuckAfter time.Duration `toml:"stuck_after"`
	For        time.Duration `toml:"for"` // inhibit, test: how long one press lasts
}

// Serial is the port to the PLC.
type Serial struct {
	Device   string        `toml:"device"` // "": none
	Protocol Protocol      `toml:"protocol"`
	Baud     int           `toml:"baud"`
	Data     int           `toml:"data"` // 7, 8
	Parity   Parity        `toml:"parity"`
	Stop     int           `toml:"stop"` // 1, 2
	RS485    RS485         `toml:"rs485"`
	RTSLow   bool          `toml:"rts_low"`
	Before   time.Duration `toml:"before_send"`
	After    time.Duration `toml:"after_send"`
	Echo     bool          `toml:"echo"`
	Interval time.Duration `toml:"interval"` // ascii: at least one line this often
}

// Modbus is the slave on the serial port.
type Modbus struct {
	Address     int           `toml:"address"`
	WordOrder   WordOrder     `toml:"word_order"`
	Unlock      []string      `toml:"unlock"`       // alarms whose limits may be written; "all"
	HostTimeout time.Duration `toml:"host_timeout"` // 0: a silent host is no fault
	Delay       time.Duration `toml:"delay"`
}

// Health is when the unit calls itself faulty.
type Health struct {
	Stale          time.Duration `toml:"stale"`
	Frozen         time.Duration `toml:"frozen"`
	Dark           time.Duration `toml:"dark"`
	DarkBelow      float64       `toml:"dark_below"`
	BrightAbove    float64       `toml:"bright_above"`
	FlatBelow      float64       `toml:"flat_below"`
	Turned         time.Duration `toml:"turned"`
	MinRate        float64       `toml:"min_rate"`
	MaxTemperature float64       `toml:"max_temperature"`
	ClockJump      time.Duration `toml:"clock_jump"`
	RetryFirst     time.Duration `toml:"retry_first"`
	RetryMost      time.Duration `toml:"retry_most"`
}

// Clock is the wall clock, by which only the times in the journal go.
type Clock struct {
	Settable bool `toml:"settable"` // by the PLC and by a command, while no time source sets the system's
}

// State is what outlives a restart.
type State struct {
	Dir         string `toml:"dir"`          // "": see Folder
	JournalKiB  int    `toml:"journal_kib"`  // with the room that is set aside for its rotation
	JournalDays int    `toml:"journal_days"` // 0: no event is too old
}

// Pilot is whether what the networks say may be recorded.
type Pilot struct {
	Record   bool `toml:"record"`
	KeepDays int  `toml:"keep_days"`
	MostMiB  int  `toml:"most_mib"` // of all recordings together
	// Tag names the group that what is recorded belongs to; "": none.
	Tag string `toml:"tag"`
}

// Socket is where mien's own commands reach the running unit.
type Socket struct {
	Path  string `toml:"path"` // "": see File; "off": none
	Group string `toml:"group"`
}

// Watchdog is the hardware timer that restarts a unit that hangs.
type Watchdog struct {
	Device  string        `toml:"device"` // "off", "auto", or a path
	Timeout time.Duration `toml:"timeout"`
}

// Gateway is what mien gateway, a process of its own, needs beside what it serves.
type Gateway struct {
	Dir string `toml:"dir"` // its own folder: users, certificate; "": see Folder
}

// OnNetwork is the register map on a network, which the gateway serves.
type OnNetwork struct {
	Listen string   `toml:"listen"` // "192.168.1.10:1502"; "": not served
	Write  bool     `toml:"write"`
	Allow  []string `toml:"allow"` // addresses and networks; none: this machine
}

// Networks are those from which clients are answered.
func (o OnNetwork) Networks() (list []netip.Prefix) { return networks(o.Allow) }

// Metrics is what Prometheus may scrape, which the gateway serves.
type Metrics struct {
	Listen string   `toml:"listen"` // "192.168.1.10:9470"; "": not served
	Allow  []string `toml:"allow"`  // addresses and networks; none: this machine
	Levels []string `toml:"levels"`
}

// Networks are those from which scrapes are answered.
func (m Metrics) Networks() (list []netip.Prefix) { return networks(m.Allow) }

// Page is the commissioning page, which the gateway serves.
type Page struct {
	Serve       bool          `toml:"serve"`
	Listen      string        `toml:"listen"`      // "127.0.0.1:8470"
	Certificate string        `toml:"certificate"` // PEM files, absolute; "": made by the gateway, where one is needed
	Key         string        `toml:"key"`
	Names       []string      `toml:"names"` // by which browsers may reach it, beside its addresses
	Idle        time.Duration `toml:"idle"`  // without a person's doing: log out
}

// Problem is one mistake, or one warning, about one key.
type Problem struct {
	File    string `json:"file"`                   // as given to Load or Parse
	Line    int    `json:"line,omitempty"`         // from 1; 0 when no line is to blame
	Column  int    `json:"column,omitempty"`       // bytes, from 1
	Key     string `json:"key,omitempty"`          // "camera.width", "alarm[2].high"
	Text    string `json:"text"`                   // what is wrong
	Allowed string `json:"allowed,omitempty"`      // what would be right
	Nearest string `json:"did_you_mean,omitempty"` // the nearest right spelling, if one is near
	Warning bool   `json:"warning"`                // the file is taken all the same
}

// Problems are all that was found in one file, in the order of its lines.
type Problems []Problem
