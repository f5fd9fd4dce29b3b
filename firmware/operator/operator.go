// Package operator is where people reach a running unit: a Unix socket on
// which mien's own commands (alarms, ack, shelve, …) ask and tell, under the
// same rules as inputs and PLC.
//
// One request is one line of JSON, and so is one reply. A client that does not read
// its replies, or asks for too much, is cut off.
//
// Who asks is the account at the other end, by the kernel's word, and may all. A
// gateway asks for a person whom it let in: it says who and with which role, and the
// unit decides what that role may.
package operator

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/state"
)

// Ask is what a request wants.
type Ask string

// Requests. The commands of alarm.Command come under their own names.
const (
	AskStatus Ask = "status"
	AskAlarms Ask = "alarms"
	AskEvents Ask = "events" // After, Most
	AskDo     Ask = "do"     // Do, Alarm, For
	AskTest   Ask = "test"   // For; Output, On: of one alone
	AskPilot  Ask = "pilot"  // Pilot; without: how recordings fare
	AskMark   Ask = "mark"   // Mark, Alarm, For: how long ago
	AskClock  Ask = "clock"  // Time
	AskStream Ask = "stream" // from here on: see Told
	AskConfig Ask = "config" // Config; without: the file and the versions before it
	AskCard   Ask = "card"   // of the network
	AskSerial Ask = "serial" // After: what went over the port, and what its registers hold
	AskTry    Ask = "try"    // Try: which alarms would have come
	AskStudy  Ask = "study"  // Study: what takes longer, of the recordings
	AskBatch  Ask = "batch"  // Batch, all or nothing; For: how long to wait for the disk. Without Batch: is what came before the event After kept?
)

// Request is one line from a client.
type Request struct {
	Ask   Ask              `json:"ask"`
	Do    alarm.Trigger    `json:"do,omitempty"`
	Alarm string           `json:"alarm,omitempty"`
	For   time.Duration    `json:"for,omitempty"`
	Text  string           `json:"text,omitempty"`
	Time  time.Time        `json:"time,omitzero"`
	After uint64           `json:"after,omitempty"` // events above this number
	Most  int              `json:"most,omitempty"`  // at most so many, the newest; 0 is all there are
	Mark  string           `json:"mark,omitempty"`  // right, false, missed or withdraw
	Pilot PilotDo          `json:"pilot,omitempty"`
	Drill *state.DrillStep `json:"drill,omitempty"`
	// Output is the one that is tested alone, and On what it is held at.
	Output string    `json:"output,omitempty"`
	On     bool      `json:"on,omitempty"`
	Try    *Try      `json:"try,omitempty"`
	Study  *StudyAsk `json:"study,omitempty"`
	// Config is what is asked of the config file.
	Config *ConfigAsk      `json:"config,omitempty"`
	Batch  []state.Command `json:"batch,omitempty"`
	// Who asks, and what they may, where a gateway asks for a person. Empty: the account
	// at the other end.
	Who  string `json:"who,omitempty"`
	Role Role   `json:"role,omitempty"`
}

// ConfigDo is what is asked of the config file.
type ConfigDo string

const (
	ConfigCheck   ConfigDo = "check"   // Text: what is wrong with it, and what it would change
	ConfigApply   ConfigDo = "apply"   // Text, Base, Why, Confirm: write it and take it over
	ConfigVersion ConfigDo = "version" // ID: the text of a version that was in force
	ConfigSet     ConfigDo = "set"     // Text, or the file's where it is empty; Keys: the text with other values
)

// ConfigAsk is a request about the config file.
type ConfigAsk struct {
	Do      ConfigDo `json:"do"`
	Text    string   `json:"text,omitempty"`
	Base    string   `json:"base,omitempty"` // SHA-256 of the text that was changed
	Why     string   `json:"why,omitempty"`  // in the author's words, for the journal
	Confirm bool     `json:"confirm,omitempty"`
	ID      string   `json:"id,omitempty"`
	Keys    []KeySet `json:"keys,omitempty"`
}

// KeySet is a key of an alarm and what it is to hold, as a config has it.
type KeySet struct {
	Path  string `json:"path"` // "alarm[brow lowered].high", "alarm[nod].any[2].low"
	Value string `json:"value"`
}

// Config is the config file, or what is wrong with another.
type Config struct {
	File     string          `json:"file,omitempty"`
	Text     string          `json:"text,omitempty"`
	Base     string          `json:"base,omitempty"`
	Versions []Version       `json:"versions,omitempty"` // newest first
	Problems config.Problems `json:"problems,omitempty"`
	Changes  []Change        `json:"changes,omitempty"`
	Dangers  []string        `json:"dangers,omitempty"` // what its author must confirm
}

// Version is a text of the config file that was in force.
type Version struct {
	ID    string    `json:"id"`
	At    time.Time `json:"at"` // when another took its place
	Who   string    `json:"who"`
	Why   string    `json:"why,omitempty"`
	Bytes int       `json:"bytes"`
}

// Change is one key that a config changes.
type Change struct {
	Path  string `json:"path"`
	From  string `json:"from"`
	To    string `json:"to"`
	Takes string `json:"takes"` // what that costs a running unit, in words
}

// changes tells whether a request asks for more than to be told something: it is
// not to be given twice.
func (r Request) changes() bool {
	switch r.Ask {
	case AskStatus, AskAlarms, AskEvents, AskStream, AskCard, AskSerial, AskTry:
		return false
	case AskStudy:
		return r.Study != nil && r.Study.Do != ""
	case AskBatch:
		return len(r.Batch) > 0
	case AskPilot:
		return r.Pilot != ""
	case AskConfig:
		return r.Config != nil && r.Config.Do == ConfigApply
	}
	return true
}

// PilotDo is what is asked of the recordings.
type PilotDo string

const (
	PilotStart PilotDo = "start" // For, Text: the purpose
	PilotStop  PilotDo = "stop"
	PilotErase PilotDo = "erase"
	PilotDrill PilotDo = "drill" // Drill
	// Days against the pilot's: PilotDrift gives them, the others change the baseline.
	PilotDrift    PilotDo = "drift"
	PilotBaseline PilotDo = "baseline"       // Most: days, 0: as many as is usual
	PilotNone     PilotDo = "erase baseline" // and what is kept of days
)

// Heavy tells whether an answer takes the unit's time: it reads files, or computes. A
// change of the config is none: it is rare, and has a turn of its own.
func (r *Request) Heavy() bool {
	switch r.Ask {
	case AskEvents, AskCard, AskSerial, AskTry, AskStudy:
		return true
	case AskConfig:
		return r.Config == nil || r.Config.Do != ConfigApply
	}
	return false
}

// Reply is one line to a client. Error is why a request failed. Pending is why
// what was done is not on the disk yet: a power loss could take it back. Done is
// what a command changed, in the journal's words; nothing: there was nothing to do.
// The other fields belong to what was asked.
type Reply struct {
	Error   string          `json:"error,omitempty"`
	Pending string          `json:"pending,omitempty"`
	Done    []string        `json:"done,omitempty"`
	Status  *Status         `json:"status,omitempty"`
	Alarms  []Alarm         `json:"alarms,omitempty"`
	Events  []alarm.Event   `json:"events,omitempty"`
	Pilot   *Pilot          `json:"pilot,omitempty"`
	Drift   *state.Drift    `json:"drift,omitempty"`
	Config  *Config         `json:"config,omitempty"`
	Card    json.RawMessage `json:"card,omitempty"` // as its file has it
	Serial  *Serial         `json:"serial,omitempty"`
	Tried   *Tried          `json:"tried,omitempty"`
	Study   *Study          `json:"study,omitempty"`
	Denied  bool            `json:"denied,omitempty"`  // by the role; Error says so
	Taken   *Taken          `json:"taken,omitempty"`   // what came of a batch; with an Error too, where something of it was done
	Refusal string          `json:"refusal,omitempty"` // what kind of Error it is, of a batch
}

// Taken is a state.Receipt, less what its events say.
type Taken struct {
	Event   uint64 `json:"event"`
	Pilot   uint64 `json:"pilot,omitempty"`
	Drift   uint64 `json:"drift,omitempty"`
	Changed int    `json:"changed"` // how many events tell what was changed
	Idle    bool   `json:"idle,omitempty"`
	// State is what the unit knows with that done, by the config and the network of these
	// marks: who asked reads it back at once, and not with the stream's next line.
	State   *Now   `json:"state"`
	CRC     uint16 `json:"config_crc"`
	Network uint16 `json:"network_crc"`
}

// Status is the unit at a glance.
type Status struct {
	Unit      string        `json:"unit"`
	Version   string        `json:"version"`
	Up        time.Duration `json:"up"`
	Trusted   bool          `json:"results_valid"`
	Rate      float64       `json:"results_per_second"`
	Latency   time.Duration `json:"latency"`
	Dropped   uint64        `json:"dropped"`
	Available float64       `json:"availability_last_hour"`
	Faults    []Fault       `json:"faults"`
	Reason    string        `json:"no_reading,omitempty"` // why there is none
	Signals   []Signal      `json:"signals"`
	Outputs   []Level       `json:"outputs"`
	Inputs    []Level       `json:"inputs"`
	Alarms    []Alarm       `json:"alarms"`
	Testing   time.Duration `json:"output_test_left"`          // 0: none is in force
	Tested    string        `json:"output_test_of,omitempty"`  // "lamp on": of one alone
	Recording *time.Time    `json:"recording_until,omitempty"` // what the networks say, for a pilot; nil: nothing is recorded
	Inhibit   time.Duration `json:"inhibit_left"`              // likewise
	Clock     Clock         `json:"clock"`
}

// Clock is the unit's wall clock.
type Clock struct {
	Time     time.Time     `json:"time"`
	Source   string        `json:"source"` // who vouches for it: "not set", "set", "synchronised", "system"
	Offset   time.Duration `json:"offset"` // how far it is ahead of the system's
	Settable bool          `json:"settable"`
}

// Pilot is how recordings and marks fare.
type Pilot struct {
	Allowed   bool      `json:"allowed"` // by the config
	Recording bool      `json:"recording"`
	Purpose   string    `json:"purpose"`
	Begun     time.Time `json:"begun,omitzero"`
	Ends      time.Time `json:"ends,omitzero"`
	Ended     string    `json:"ended,omitempty"`
	Trouble   string    `json:"trouble,omitempty"`
	Files     int       `json:"files"`
	Bytes     int64     `json:"bytes"`
	Frames    uint64    `json:"frames"`
	Dropped   uint64    `json:"dropped"`
	Right     int       `json:"marks_right"`
	False     int       `json:"marks_false"`
	Missed    int       `json:"marks_missed"`
	Marked    uint8     `json:"marked"` // what became of the newest mark: a state.Marked
	Left      int64     `json:"left_ms"`
	// Signals are those that leave the unit: a drill asks for no others.
	Signals []string `json:"signals,omitempty"`
}

// Fault is a fault that is on.
type Fault struct {
	Code   string        `json:"code"`
	Name   string        `json:"name"`
	For    time.Duration `json:"for"`
	Detail string        `json:"detail"`
}

// Signal is one level of the newest reading, nil while it is Unknown.
type Signal struct {
	Name  string   `json:"name"`
	Level *float32 `json:"level"`
}

// Level is one line and whether it is on.
type Level struct {
	Name string `json:"name"`
	On   bool   `json:"on"`
}

// Alarm is an alarm as an operator sees it. Level is nil while it is Unknown.
type Alarm struct {
	Name     string        `json:"name"`
	Priority string        `json:"priority"`
	State    alarm.State   `json:"state"`
	For      time.Duration `json:"for"`
	Signal   string        `json:"signal"`
	Level    *float32      `json:"level"`
	Side     string        `json:"side"`
	Limit    float32       `json:"limit"`
	Count    uint64        `json:"count"`
	FirstOut bool          `json:"first_out,omitempty"`
	Silenced bool          `json:"silenced,omitempty"`
	Unknown  bool          `json:"unknown,omitempty"`
	Shelved  time.Duration `json:"shelved_left,omitempty"`
	Times    uint64        `json:"times_shelved,omitempty"`
	ReAlarm  time.Duration `json:"re_alarm_left,omitempty"` // 0: it does not alarm again
	Why      string        `json:"why,omitempty"`
}

// Unit is what the socket needs of a running unit.
type Unit interface {
	state.Commands
	Latest() *state.Latest
	Now() time.Duration
	// Guard runs a client's goroutine; a panic in it is the unit's fault, not
	// its end.
	Guard(name string, run func()) error
}

// Journal gives the kept events whose number is above after, at most so many of
// the newest (0: all), oldest first.
type Journal interface {
	Events(after uint64, most int) ([]alarm.Event, error)
}

// desk answers requests; it knows nothing of sockets.
type desk struct {
	unit    Unit
	journal Journal
	more    func(r Request, who string) (Reply, error)
}

// none are limits that the engine refuses: a request carries no others.
var none = alarm.Limits{Limit: float32(math.NaN())}

func (d *desk) answer(r Request, who string) (reply Reply) {
	var err error
	if r.Who != "" || r.Role != "" {
		if right := r.denied(); right != "" {
			err := fmt.Errorf("%q is not for the role %q", right, r.Role)
			d.unit.Do(r.Who+" via "+who, []state.Command{state.On(alarm.Command{Do: alarm.Note, Text: "refused: " + err.Error()})})
			return Reply{Denied: true, Error: err.Error()}
		}
		who = r.Who + " via " + who
	}
	switch r.Ask {
	case AskStatus:
		reply.Status = d.status()
	case AskAlarms:
		reply.Alarms = alarms(d.now())
	case AskEvents:
		if d.journal == nil {
			err = errors.New("this unit keeps no journal")
			break
		}
		if r.Most <= 0 {
			r.Most = math.MaxInt32
		}
		reply.Events, err = d.journal.Events(r.After, r.Most)
	case AskDo:
		reply.Done, reply.Pending, err = d.do(who, state.On(alarm.Command{Do: r.Do, Alarm: r.Alarm, For: r.For, Text: r.Text, Limits: none}))
	case AskTest:
		reply.Done, reply.Pending, err = d.do(who, state.Command{Do: state.TestOutputs, For: r.For, Test: state.OneOutput{Name: r.Output, Off: r.Output != "" && !r.On}})
	case AskMark:
		c := state.Command{Do: state.MarkAlarm, Mark: state.Mark{Alarm: r.Alarm, Ago: r.For}}
		if c.Mark.Truth, err = state.ParseTruth(r.Mark); err == nil {
			reply.Done, reply.Pending, err = d.do(who, c)
		}
	case AskPilot:
		do, known := map[PilotDo]state.Do{PilotStart: state.StartPilot, PilotStop: state.StopPilot, PilotErase: state.ErasePilot, PilotDrill: state.Drill,
			PilotBaseline: state.NewBaseline, PilotNone: state.EraseBaseline}[r.Pilot]
		switch {
		case r.Pilot == "":
			reply.Pilot = d.pilot()
		case r.Pilot == PilotDrift:
			if reply.Drift = d.now().Drift; reply.Drift == nil {
				err = errors.New("the unit has just started, or has no state folder: ask again in some seconds")
			}
		case !known:
			err = fmt.Errorf("cannot do %q with recordings", r.Pilot)
		default:
			reply.Done, reply.Pending, err = d.do(who, state.Command{Do: do, For: r.For, Text: r.Text, Drill: r.Drill, Days: r.Most})
		}
	case AskBatch:
		err = d.batch(r, who, &reply)
	case AskClock:
		reply.Done, reply.Pending, err = d.do(who, state.Command{Do: state.SetClock, Time: r.Time})
	default:
		if err = fmt.Errorf("cannot do %q", r.Ask); d.more != nil {
			reply, err = d.more(r, who)
		}
	}
	if err != nil {
		reply.Error = err.Error()
	}
	return reply
}

// keptWithin is how long an answer waits for the disk.
const keptWithin = time.Second

// mostTold bounds an answer, which is one line.
const mostTold = 50

// do hands one command to the unit. done says what it changed, pending why that is
// not on the disk yet.
func (d *desk) do(who string, c state.Command) (done []string, pending string, err error) {
	receipt, err := d.unit.Do(who, []state.Command{c})
	if err != nil {
		return nil, "", err
	}
	for i, e := range receipt.Done {
		if i == mostTold && len(receipt.Done) > mostTold+1 {
			done = append(done, fmt.Sprintf("and %d more: mien events has them all", len(receipt.Done)-mostTold))
			break
		}
		done = append(done, e.Words())
	}
	if err := d.unit.Kept(receipt, keptWithin); err != nil {
		pending = err.Error()
	}
	return done, pending, nil
}

// now is what the unit knows now.
func (d *desk) now() *state.State {
	s := new(state.State)
	d.unit.Latest().Load(s)
	return s
}

func (d *desk) status() *Status {
	s, now := d.now(), d.unit.Now()
	flags := s.Flags(now)
	st := &Status{Unit: s.About.Unit, Version: s.About.Version, Up: now - s.About.Started, Trusted: flags.Has(state.ResultValid),
		Rate: float64(s.Rate), Latency: s.Latency, Dropped: s.Dropped, Reason: s.Reason, Alarms: alarms(s)}
	st.Clock = Clock{s.Clock.Time(now).UTC(), s.Clock.Source.String(), s.Clock.Offset, s.Clock.Settable}
	if s.Pilot.Recording {
		st.Recording = &s.Pilot.Ends
	}
	if s.Testing {
		st.Testing, st.Tested = max(s.TestEnds-now, 1), s.Tested.String()
	}
	if s.Summary.Inhibited {
		st.Inhibit = max(s.Summary.InhibitLeft, 1)
	}
	if s.Available == s.Available { // not NaN, which JSON cannot say
		st.Available = float64(s.Available)
	}
	for _, f := range s.Faults {
		st.Faults = append(st.Faults, Fault{f.Fault.Info().Code, f.Fault.String(), now - f.Since, f.Detail})
	}
	for i, signal := range s.About.Signals {
		one := Signal{Name: signal.Name}
		if l := s.Levels[i]; l == l {
			one.Level = &l
		}
		st.Signals = append(st.Signals, one)
	}
	st.Outputs, st.Inputs = levels(s.About.Outputs, s.Outputs), levels(s.About.Inputs, s.Inputs)
	return st
}

func (d *desk) pilot() *Pilot {
	s := d.now()
	out := pilotOf(s)
	for _, signal := range s.About.Signals {
		out.Signals = append(out.Signals, signal.Name)
	}
	return out
}

func pilotOf(s *state.State) *Pilot {
	p := s.Pilot
	return &Pilot{p.Allowed, p.Recording, p.Purpose, p.Begun, p.Ends, p.Ended, p.Trouble, p.Files, p.Bytes, p.Frames, p.Dropped, p.Right, p.False, p.Missed,
		uint8(p.Marked), millis(p.Left), nil}
}

// levels joins names and levels of lines.
func levels(names []string, on []bool) (list []Level) {
	for i, name := range names {
		list = append(list, Level{name, on[i]})
	}
	return list
}

func alarms(now *state.State) []Alarm {
	list := now.Alarms
	out := make([]Alarm, len(list))
	for i, s := range list {
		out[i] = Alarm{Name: s.Name, Priority: s.Priority.String(), State: s.State, For: s.For, Signal: s.Signal,
			Side: s.Side.String(), Limit: s.Limit, Count: s.Count, FirstOut: s.FirstOut, Silenced: s.Silenced,
			Unknown: s.Unknown, Shelved: s.ShelvedLeft, Times: s.Shelvings, ReAlarm: s.ReAlarmLeft}
		if s.Level == s.Level {
			out[i].Level = &list[i].Level
		}
		out[i].Why = whyOf(&s)
	}
	return out
}

// whyOf says why an alarm is as it is.
func whyOf(s *alarm.Status) (why string) {
	if s.State != alarm.Normal {
		why = s.Why.String()
	}
	if s.Orphan {
		why = "no longer configured, until acknowledged and reset; " + why
	}
	return why
}
