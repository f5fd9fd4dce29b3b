package operator

import (
	"bytes"
	"encoding/json"
	"math"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/health"
	"mien/firmware/state"
)

// A client that asks for the stream asks nothing else from then on. It gets lines of
// JSON, each one Told: what the unit is, what it knows, and what happened. It gets the
// newest state as it comes, at most twenty times a second and at least once while nothing
// changes. Who reads slowly gets fewer; who does not read is cut off. The unit never
// waits for one: the stream is a reader of state.Latest like any other.
//
// No type here can carry a picture: numbers of fixed count, and texts that the unit
// itself made.
const (
	streamEvery = 45 * time.Millisecond // a frame of 20 a second may come a little early
	streamAlive = time.Second
	maxStreams  = 4
	// streamBuffer bounds the states that wait for a slow reader in the kernel.
	streamBuffer = 32 << 10
)

// Told is one line of the stream; one of its fields is set.
type Told struct {
	About  *About        `json:"about,omitempty"`
	State  *Now          `json:"state,omitempty"`
	Events []alarm.Event `json:"events,omitempty"` // the new ones, oldest first; at the start the newest that are in memory
}

// About is what changes only when a config is taken over.
type About struct {
	Unit    string      `json:"unit"`
	Version string      `json:"version"`
	Signals []Kind      `json:"signals"`
	Outputs []string    `json:"outputs"`
	Inputs  []string    `json:"inputs"`
	Alarms  []Condition `json:"alarms"`
	Region  [4]float64  `json:"region"`
	Rotate  int         `json:"rotate"`
	Gate    Gate        `json:"gate"`
	Serial  string      `json:"serial"`
	Purpose string      `json:"purpose"`
	CRC     uint16      `json:"config_crc"`
	Network uint16      `json:"network_crc"`
	Stale   int64       `json:"stale_after_ms"` // a result older than this is not valid; 0: none is too old
}

// Kind is what a level is of.
type Kind struct {
	Name    string  `json:"name"`
	Human   string  `json:"human"`
	Min     float32 `json:"min"`
	Max     float32 `json:"max"`
	Derived bool    `json:"derived,omitempty"`
}

// Condition is an alarm as the config has it.
type Condition struct {
	Name       string  `json:"name"`
	Priority   string  `json:"priority"`
	All        bool    `json:"all"`
	Conditions []Limit `json:"conditions"`
	OnDelay    int64   `json:"on_delay_ms"`
	OffDelay   int64   `json:"off_delay_ms"`
	Latch      bool    `json:"latch"`
}

// Limit is one condition of it.
type Limit struct {
	Signal string `json:"signal"`
	Side   string `json:"side"`
	Limit  level  `json:"limit"`
	Off    level  `json:"off"`
}

// Gate are the limits within which a face is read.
type Gate struct {
	MinSize      int     `json:"min_size"`
	MinLight     float64 `json:"min_light"`
	MaxLight     float64 `json:"max_light"`
	MinContrast  float64 `json:"min_contrast"`
	MaxClipped   float64 `json:"max_clipped"`
	MinSharpness float64 `json:"min_sharpness"`
	MaxYaw       float64 `json:"max_yaw"`
	MaxPitch     float64 `json:"max_pitch"`
	MaxRoll      float64 `json:"max_roll"`
	MaxOutside   float64 `json:"max_outside"`
}

// Now is what the unit knows at one moment. Times are milliseconds, At and Taken since
// 1970 by the system's clock.
type Now struct {
	Results     uint64    `json:"n"`
	At          int64     `json:"at"`
	Taken       int64     `json:"taken"` // the newest frame that gave a result
	Up          int64     `json:"up_ms"`
	Valid       bool      `json:"valid"`
	Trusted     bool      `json:"trusted"` // valid, unless the newest result has grown old since
	Beat        uint16    `json:"beat"`    // +1 a second while results come
	Reason      string    `json:"reason"`
	Advice      string    `json:"advice"`
	Rate        level     `json:"rate"`
	Latency     level     `json:"latency_ms"`
	Dropped     uint64    `json:"dropped"`
	Available   level     `json:"available"`
	Levels      levelList `json:"levels"` // in the order of About.Signals
	Covered     []string  `json:"covered"`
	Expression  string    `json:"expression,omitempty"`
	Likely      level     `json:"expression_level"`
	Compound    string    `json:"compound,omitempty"`
	Together    level     `json:"compound_level"`
	Aim         Aim       `json:"aim"`
	Faults      []Wrong   `json:"faults"`
	Alarms      []Shown   `json:"alarms"`
	Numbering   uint32    `json:"numbering"` // counts how often the places of alarms came to mean others
	Newest      Newest    `json:"newest"`
	Outputs     []bool    `json:"outputs"`
	Inputs      []bool    `json:"inputs"`
	Testing     int64     `json:"test_ms"`
	Tested      string    `json:"tested,omitempty"` // "lamp on": the one that is tested alone
	Inhibit     int64     `json:"inhibit_ms"`
	Clock       Clock     `json:"clock"`
	Synced      bool      `json:"synced"` // a time source sets the system's clock
	Temperature level     `json:"temperature"`
	Pilot       *Pilot    `json:"pilot"`
	Last        uint64    `json:"last"` // number of the newest event that is in it
	about       *state.About
}

// Newest is of which alarm the newest event is, and when; and what sounds and shines.
type Newest struct {
	Alarm int   `json:"alarm"` // its place; -1: none
	At    int64 `json:"at"`    // seconds since 1970 by the unit's clock; 0: there is none
	Horn  bool  `json:"horn"`
	Lamp  bool  `json:"lamp"`
}

// Aim is where the face is, and how it is seen: see state.Aim.
type Aim struct {
	Width    int      `json:"width"`
	Height   int      `json:"height"`
	Light    float32  `json:"light"`
	Contrast float32  `json:"contrast"`
	Turned   int      `json:"turned"`
	Faces    int      `json:"faces"`
	Face     *Face    `json:"face,omitempty"`
	Advice   []Advice `json:"advice"` // what to change, the weightiest first
}

// Advice is one thing to change: see state.Advice.
type Advice struct {
	Code string  `json:"code"`
	By   float32 `json:"by"`
	Unit string  `json:"unit,omitempty"`
}

// Face is the face that counts, in figures.
type Face struct {
	Box       [4]float32    `json:"box"`
	Points    [6][2]float32 `json:"points"`
	Score     float32       `json:"score"`
	Size      float32       `json:"size"`
	Eyes      float32       `json:"eyes"`
	Inside    float32       `json:"inside"`
	Yaw       float32       `json:"yaw"`
	Pitch     float32       `json:"pitch"`
	Roll      float32       `json:"roll"`
	Light     float32       `json:"light"`
	Contrast  float32       `json:"contrast"`
	Dark      float32       `json:"dark"`
	Bright    float32       `json:"bright"`
	Sharpness float32       `json:"sharpness"`
}

// Wrong is a fault that is on, with the way out.
type Wrong struct {
	Code    string `json:"code"`
	Name    string `json:"name"`
	Meaning string `json:"meaning"`
	WayOut  string `json:"way_out"`
	For     int64  `json:"for_ms"`
	Detail  string `json:"detail"`
	Stops   bool   `json:"stops"`
}

// Shown is an alarm as the stream tells it.
type Shown struct {
	Name      string `json:"name"`
	Priority  string `json:"priority"`
	State     string `json:"state"`
	For       int64  `json:"for_ms"`
	Signal    string `json:"signal"`
	Condition int    `json:"condition"`
	Level     level  `json:"level"`
	Side      string `json:"side"`
	Limit     level  `json:"limit"` // in force
	Off       level  `json:"off"`
	Count     uint64 `json:"count"`
	Active    bool   `json:"active"`
	NeedsAck  bool   `json:"needs_ack"`
	Latched   bool   `json:"latched"`
	FirstOut  bool   `json:"first_out"`
	Silenced  bool   `json:"silenced"`
	Unknown   bool   `json:"unknown"`
	Shelved   int64  `json:"shelved_ms"`
	MaxShelve int64  `json:"max_shelve_ms"`
	ReAlarm   int64  `json:"re_alarm_ms"`
	Why       string `json:"why"`
	Since     int64  `json:"since_ms"` // when State began, since the unit's start
	OnDelay   int64  `json:"on_delay_ms"`
	OffDelay  int64  `json:"off_delay_ms"`
	Unlocked  bool   `json:"unlocked"`
}

// level is a number that may be unknown (NaN), with four places.
type level float32

func (l level) MarshalJSON() ([]byte, error) { return appendLevel(nil, float64(l)), nil }

// UnmarshalJSON reads what MarshalJSON writes.
func (l *level) UnmarshalJSON(text []byte) error {
	var v *float32
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	if *l = level(math.NaN()); v != nil {
		*l = level(*v)
	}
	return nil
}

type levelList []float32

// UnmarshalJSON reads what MarshalJSON writes.
func (l *levelList) UnmarshalJSON(text []byte) error {
	var list []*float32
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	*l = make(levelList, len(list))
	for i, v := range list {
		if (*l)[i] = float32(math.NaN()); v != nil {
			(*l)[i] = *v
		}
	}
	return nil
}

func (l levelList) MarshalJSON() ([]byte, error) {
	out := append(make([]byte, 0, 8*len(l)+2), '[')
	for i, v := range l {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendLevel(out, float64(v))
	}
	return append(out, ']'), nil
}

func appendLevel(out []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(out, "null"...)
	}
	n := int64(math.Round(min(max(v, -1e12), 1e12) * 1e4))
	if n < 0 {
		out, n = append(out, '-'), -n
	}
	out = strconv.AppendInt(out, n/1e4, 10)
	if n %= 1e4; n == 0 {
		return out
	}
	out = append(out, '.', byte('0'+n/1000), byte('0'+n/100%10), byte('0'+n/10%10), byte('0'+n%10))
	return bytes.TrimRight(out, "0")
}

// places is a number with four places that JSON can say.
func places(v float32) float32 {
	if v != v || math.Abs(float64(v)) > math.MaxInt32 {
		return 0
	}
	return float32(math.Round(float64(v)*1e4) / 1e4)
}

func millis(d time.Duration) int64 { return d.Milliseconds() }

func aboutOf(a *state.About) *About {
	out := &About{Unit: a.Unit, Version: a.Version, Signals: []Kind{}, Outputs: append([]string{}, a.Outputs...), Inputs: append([]string{}, a.Inputs...),
		Alarms: []Condition{}, Region: a.Region, Rotate: a.Rotate, Gate: Gate(a.Gate), Serial: a.Serial, Purpose: a.Purpose, CRC: a.ConfigCRC,
		Network: a.NetworkCRC, Stale: millis(a.StaleAfter)}
	for _, s := range a.Signals {
		out.Signals = append(out.Signals, Kind{s.Name, s.Human, s.Min, s.Max, s.Derived})
	}
	for _, d := range a.Alarms {
		c := Condition{Name: d.Name, Priority: d.Priority.String(), All: d.Match == alarm.All, OnDelay: millis(d.OnDelay), OffDelay: millis(d.OffDelay), Latch: d.Latch}
		for _, l := range d.Conditions {
			c.Conditions = append(c.Conditions, Limit{l.Signal, l.Side.String(), level(l.Limit), level(l.Off())})
		}
		out.Alarms = append(out.Alarms, c)
	}
	return out
}

// read brings s, which is used again, into words.
func (d *desk) read(s *state.State) *Now {
	d.unit.Latest().Load(s)
	now, wall := d.unit.Now(), time.Now()
	n := &Now{Results: s.Results, At: wall.UnixMilli(), Taken: wall.Add(s.ResultAt - s.Latency - now).UnixMilli(), Up: millis(now - s.About.Started),
		Valid: s.Flags(now).Has(state.ResultValid), Reason: s.Reason, Advice: s.Advice, Rate: level(s.Rate), Latency: level(s.Latency.Seconds() * 1e3),
		Dropped: s.Dropped, Available: level(s.Available), Levels: s.Levels, Covered: append([]string{}, s.Covered...), Expression: s.Expression.Name,
		Outputs: append([]bool{}, s.Outputs...), Inputs: append([]bool{}, s.Inputs...), Temperature: level(s.Temperature), Pilot: pilotOf(s), Faults: []Wrong{}, Alarms: []Shown{},
		Clock: Clock{s.Clock.Time(now).UTC(), s.Clock.Source.String(), s.Clock.Offset, s.Clock.Settable}, Synced: s.TimeSynced, Last: s.Summary.Events, about: s.About,
		Trusted: s.Trusted, Beat: s.Heartbeat, Likely: level(s.Expression.Level), Compound: s.Compound.Name, Together: level(s.Compound.Level), Numbering: s.Numbering,
		Newest: Newest{Alarm: s.Summary.Last, Horn: s.Summary.Horn != 0, Lamp: s.Summary.Lamp != 0}}
	if !s.Summary.LastWall.IsZero() {
		n.Newest.At = s.Summary.LastWall.Unix()
	}
	if s.Testing {
		n.Testing = max(millis(s.TestEnds-now), 1)
		if s.Tested.Name != "" {
			n.Tested = s.Tested.String()
		}
	}
	if s.Summary.Inhibited {
		n.Inhibit = max(millis(s.Summary.InhibitLeft), 1)
	}
	n.Aim = aimOf(s)
	for _, f := range s.Faults {
		i := f.Fault.Info()
		n.Faults = append(n.Faults, Wrong{i.Code, i.Name, i.Text, i.Back, millis(now - f.Since), f.Detail, i.Effect == health.Stops})
	}
	for _, a := range s.Alarms {
		n.Alarms = append(n.Alarms, Shown{Name: a.Name, Priority: a.Priority.String(), State: a.State.String(), For: millis(a.For), Signal: a.Signal,
			Condition: a.Condition, Level: level(a.Level), Side: a.Side.String(), Limit: level(a.Limit), Off: level(a.Off), Count: a.Count,
			Active: a.State.Active(), NeedsAck: a.State.NeedsAck(), Latched: a.State.Latched(), FirstOut: a.FirstOut, Silenced: a.Silenced,
			Unknown: a.Unknown, Shelved: millis(a.ShelvedLeft), MaxShelve: millis(a.MaxShelve), ReAlarm: millis(a.ReAlarmLeft), Why: whyOf(&a),
			Since: millis(max(a.Since-s.About.Started, 0)), OnDelay: millis(a.OnDelay), OffDelay: millis(a.OffDelay), Unlocked: a.Unlocked})
	}
	return n
}

func aimOf(s *state.State) Aim {
	a := &s.Aim
	out := Aim{a.Width, a.Height, places(a.Light), places(a.Contrast), a.Turned, s.Faces, nil, []Advice{}}
	var list [4]state.Advice
	for _, v := range a.Advise(s.About, list[:0]) {
		out.Advice = append(out.Advice, Advice{v.Do.String(), places(v.By), v.Do.Unit()})
	}
	if !a.Found {
		return out
	}
	f := &Face{Score: places(s.FaceScore), Size: places(s.FaceSize), Eyes: places(a.Eyes), Inside: places(a.Inside), Yaw: places(a.Yaw), Pitch: places(a.Pitch),
		Roll: places(a.Roll), Light: places(a.FaceLight), Contrast: places(a.FaceContrast), Dark: places(a.Dark), Bright: places(a.Bright), Sharpness: places(a.Sharpness)}
	for i, v := range a.Box {
		f.Box[i] = places(v)
	}
	for i, p := range a.Points {
		f.Points[i] = [2]float32{places(p[0]), places(p[1])}
	}
	out.Face = f
	return out
}

// recent are the newest events, for streams: who fills it never waits, and allocates
// nothing.
type recent struct {
	mu   sync.Mutex // covers what is below
	ring [64]alarm.Event
	next int // how many came
}

func (r *recent) add(e alarm.Event) {
	r.mu.Lock()
	r.ring[r.next%len(r.ring)] = e
	r.next++
	r.mu.Unlock()
}

// since gives those that came after the first n, as far as they are there, and how
// many came.
func (r *recent) since(n int) (list []alarm.Event, came int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := max(n, r.next-len(r.ring)); i < r.next; i++ {
		list = append(list, r.ring[i%len(r.ring)])
	}
	return list, r.next
}

// streams are those that are open. A new one takes the place of the oldest where there
// are too many: whoever lost its connection finds a place.
type streams struct {
	mu   sync.Mutex // covers what is below
	list []net.Conn
}

func (s *streams) enter(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) >= maxStreams {
		s.list[0].Close()
		s.list = s.list[1:]
	}
	s.list = append(s.list, c)
}

func (s *streams) leave(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.DeleteFunc(s.list, func(o net.Conn) bool { return o == c })
}

// stream tells a client what the unit knows, until it goes or does not read.
func (s *Server) stream(c *net.UnixConn) {
	s.streams.enter(c)
	defer s.streams.leave(c)
	c.SetWriteBuffer(streamBuffer)
	c.SetReadDeadline(time.Time{})
	go func() { // until the client hangs up, or breaks the rule that it asks nothing more
		c.Read(make([]byte, 1))
		c.Close()
	}()
	var at state.State
	var about *state.About
	var line bytes.Buffer
	to := json.NewEncoder(&line)
	newer, end := s.desk.unit.Latest().Watch()
	defer end()
	// The goroutine that stored a state wakes this one, which finds it warm: a clock of its own
	// would cost twice as much.
	clock := time.NewTimer(0)
	defer clock.Stop()
	came, last, late := 0, time.Time{}, false
	for {
		select {
		case <-newer:
			if soon := streamEvery - time.Since(last); soon > 0 {
				if !late { // the next frame is the better one, where there is one
					late = true
					clock.Reset(soon + streamEvery)
				}
				continue
			}
		case <-clock.C:
		}
		last, late = time.Now(), false
		clock.Reset(streamAlive)
		line.Reset()
		n := s.desk.read(&at)
		if n.about != about {
			about = n.about
			to.Encode(Told{About: aboutOf(about)})
		}
		if events, all := s.recent.since(came); all != came {
			came = all
			to.Encode(Told{Events: events})
		}
		out := n.append(line.AvailableBuffer())
		line.Write(out)
		c.SetWriteDeadline(time.Now().Add(writeWithin))
		if _, err := c.Write(line.Bytes()); err != nil {
			return
		}
	}
}

// Event takes note of what happened, for streams. It never waits.
func (s *Server) Event(e alarm.Event) { s.recent.add(e) }
