package modbus

import (
	"math"
	"strconv"
	"strings"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/health"
	"mien/firmware/state"
	"mien/model/affect"
	"mien/model/face"
)

// reasons are the numbers of Reasons for what the quality gate and the unit say.
// What is new there is "other" here.
var reasons = map[string]uint8{
	"": 0, state.NoResult: 1, state.NotFresh: 11,
	health.CameraLost.String(): 12, health.CameraFrozen.String(): 12, health.CameraDark.String(): 12,
	health.InferenceFailed.String(): 13, health.ModelRefused.String(): 13,
	face.Missing.String(): 2, face.TooSmall.String(): 3, face.CutOff.String(): 4, face.Blurred.String(): 5,
	face.TooDark.String(): 6, face.TooBright.String(): 7, face.Turned.String(): 8, face.Rolled.String(): 8,
	face.Tilted.String(): 8, face.Unsure.String(): 9, face.Flat.String(): 15,
}

// Render is a Source that makes snapshots of a unit's newest state. One reader
// at a time may use it.
type Render struct {
	latest *state.Latest
	state  state.State
	about  *state.About // that places are of
	places places
}

// Of gives the source of a unit's registers.
func Of(latest *state.Latest) *Render { return &Render{latest: latest} }

// Load makes a snapshot of the newest state.
func (r *Render) Load(dst *Snapshot) {
	r.latest.Load(&r.state)
	if r.state.About != r.about {
		r.about = r.state.About
		r.places = placesOf(r.about.Signals)
	}
	r.unit(dst)
	r.face(dst)
	r.alarms(dst)
}

// places says where among the unit's signals those of the fixed registers
// stand; -1 is one that the unit has not.
type places struct {
	au                                [len(AUs)]int
	expressions                       [len(Expressions)]int
	valence, arousal, closed, perclos int
}

func placesOf(signals []state.Signal) (p places) {
	at := func(name string) int {
		for i, s := range signals {
			if s.Name == name {
				return i
			}
		}
		return -1
	}
	for i, unit := range AUs {
		p.au[i] = at("au" + strconv.Itoa(unit))
	}
	for i, name := range Expressions {
		p.expressions[i] = at("expression." + name)
	}
	p.valence, p.arousal = at(affect.Valence), at(affect.Arousal)
	p.closed, p.perclos = at(affect.EyesClosed), at(affect.Perclos)
	return p
}

// flags are those of the moment of the result: the slave itself looks whether it
// has grown old.
func (r *Render) flags() state.Flags { return r.state.Flags(r.state.ResultAt) }

// unit renders what is not of the face or an alarm.
func (r *Render) unit(dst *Snapshot) {
	s, a := &r.state, r.state.About
	faults := s.FaultBits()
	dst.Status, dst.Faults, dst.MoreFaults = uint16(r.flags()), uint16(faults), uint16(faults>>16)
	dst.Sequence, dst.Heartbeat = uint32(s.Results), s.Heartbeat
	dst.ResultAt, dst.StaleAfter, dst.StartedAt = s.ResultAt, a.StaleAfter, a.Started
	dst.FramesPerSecond, dst.Latency, dst.Dropped = s.Rate, s.Latency, uint32(s.Dropped)
	dst.ConfigCRC, dst.ModelCRC, dst.Numbering = a.ConfigCRC, a.NetworkCRC, s.Numbering
	dst.Temperature, dst.Availability = s.Temperature, s.Available
	dst.ClockSource, dst.ClockAt, dst.ClockWall = uint8(s.Clock.Source), s.Clock.At, 0
	if !s.Clock.Wall.IsZero() {
		dst.ClockWall = time.Duration(s.Clock.Wall.UnixNano())
	}
	dst.TestUntil, dst.InhibitUntil = 0, 0
	if s.Testing {
		dst.TestUntil = s.TestEnds
	}
	if s.Summary.Inhibited {
		dst.InhibitUntil = s.Clock.At + s.Summary.InhibitLeft
	}
	dst.Pilot = pilotOf(s)
	dst.Outputs, dst.Inputs = bits(s.Outputs), bits(s.Inputs)
}

// bits are the first 16 of list as a word.
func bits(list []bool) (word uint16) {
	for i, on := range list[:min(16, len(list))] {
		if on {
			word |= 1 << i
		}
	}
	return word
}

// face renders what is seen of a face.
func (r *Render) face(dst *Snapshot) {
	s, p := &r.state, &r.places
	level := func(at int) float32 {
		if at < 0 {
			return float32(math.NaN())
		}
		return s.Levels[at]
	}
	for i, at := range p.au {
		dst.AU[i] = level(at)
	}
	for i, at := range p.expressions {
		dst.Expressions[i] = level(at)
	}
	dst.SignalCount = min(len(s.Levels), MaxSignals)
	for i := range dst.Signals {
		if i < dst.SignalCount {
			dst.Signals[i] = Signal{s.About.Signals[i].Name, s.Levels[i]}
		} else {
			dst.Signals[i] = Signal{Level: float32(math.NaN())}
		}
	}
	dst.Valence, dst.Arousal = level(p.valence), level(p.arousal)
	dst.EyesClosed, dst.PERCLOS = level(p.closed), level(p.perclos)
	dst.Expression, dst.ExpressionLevel = choose(Expressions[:], s.Expression)
	dst.Compound, dst.CompoundLevel = choose(compoundNames[:], s.Compound)
	reason, known := reasons[s.Reason]
	if !known {
		reason = uint8(len(Reasons) - 1)
	}
	dst.Reason = reason
	dst.Faces, dst.FaceScore, dst.FaceSize, dst.Covered = uint16(min(s.Faces, math.MaxUint16)), s.FaceScore, s.FaceSize, 0
	for _, part := range s.Covered {
		for i, name := range coveredNames {
			if part == name {
				dst.Covered |= 1 << i
			}
		}
	}
}

// choose finds a choice among names; -1: it is not there, or none was made.
func choose(names []string, c state.Choice) (int8, float32) {
	for i, name := range names {
		if name == c.Name {
			return int8(i), c.Level
		}
	}
	return -1, float32(math.NaN())
}

// compoundNames are the compound expressions as signals name them.
var compoundNames = func() (names [len(Compounds)]string) {
	for i, name := range Compounds {
		names[i] = strings.ReplaceAll(name, " ", "_")
	}
	return names
}()

// alarms renders those that the map has room for.
// pilotOf is how recordings fare, as the registers have it.
func pilotOf(s *state.State) Pilot {
	from := &s.Pilot
	p := Pilot{Frames: uint32(from.Frames), Dropped: from.Dropped, Right: uint16(from.Right), False: uint16(from.False), Missed: uint16(from.Missed), Marked: uint8(from.Marked)}
	switch {
	case from.Recording && from.Trouble != "":
		p.State = 3
	case from.Recording:
		p.State = 1
	case from.Ended != "":
		p.State = 2
	}
	if from.Recording {
		p.Left = uint16(saturate(int64((from.Left + time.Hour - 1) / time.Hour)))
	}
	return p
}

func (r *Render) alarms(dst *Snapshot) {
	s, sum := &r.state, &r.state.Summary
	dst.AlarmCount = min(len(s.Alarms), MaxAlarms)
	dst.Shelved, dst.Suppressed, dst.OutOfService = 0, 0, 0
	for i := range dst.AlarmCount {
		st := &s.Alarms[i]
		of, _ := s.About.Signal(st.Signal)
		dst.Alarms[i] = Alarm{Name: st.Name, State: st.State, Value: st.Level, Below: st.Side == alarm.Below,
			OnLimit: st.Limit, OffLimit: st.Off, OnDelay: st.OnDelay, OffDelay: st.OffDelay, Min: of.Min, Max: of.Max,
			Unlocked: st.Unlocked, ShelveMax: st.MaxShelve, Since: max(st.Since, s.About.Started)}
		switch bit := uint16(1) << i; st.State {
		case alarm.Shelved:
			dst.Shelved |= bit
		case alarm.SuppressedByDesign:
			dst.Suppressed |= bit
		case alarm.OutOfService:
			dst.OutOfService |= bit
		}
	}
	dst.Active, dst.Unacknowledged, dst.Latched = uint16(sum.Active), uint16(sum.Unacknowledged), uint16(sum.Latched)
	dst.Unknown, dst.Silenced = uint16(sum.Unknown), uint16(sum.Silenced)
	dst.FirstOut, dst.LastAlarm = int8(sum.FirstOut), int8(sum.Last)
	dst.Events, dst.LastAlarmAt = uint32(sum.Events), 0
	if !sum.LastWall.IsZero() {
		dst.LastAlarmAt = sum.LastWall.Unix()
	}
	dst.Annunciator = 0
	if sum.Horn != 0 {
		dst.Annunciator |= AnnunciatorHorn
	}
	if sum.Lamp != 0 {
		dst.Annunciator |= AnnunciatorLamp
	}
	if sum.Silenced != 0 {
		dst.Annunciator |= AnnunciatorSilenced
	}
}
