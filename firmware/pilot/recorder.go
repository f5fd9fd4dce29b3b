package pilot

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"mien/firmware/alarm"
	"mien/model/affect"
)

// Beginning is all that a unit holds at the moment from which a recording goes on.
// The frame at which it was taken is in it, and in no record.
type Beginning struct {
	Pilot   string    `json:"pilot"` // a random number: recordings of one pilot of one unit have the same
	Unit    string    `json:"unit"`
	Version string    `json:"version"`       // of mien
	Run     string    `json:"run"`           // of the program: within one, times go on from file to file
	File    int       `json:"file"`          // its number in the pilot
	Begun   time.Time `json:"begun"`         // what the wall clock showed at Now
	Purpose string    `json:"purpose"`       // what the pilot is for
	Tag     string    `json:"tag,omitempty"` // the group that it belongs to, by the config
	Dropped uint64    `json:"dropped"`       // records that had no room, since the file before

	Emotions bool          `json:"emotions"` // unit.purpose is set
	Eye      EyeSettings   `json:"eye"`
	Alarms   AlarmSettings `json:"alarms"`
	Now      time.Duration `json:"now"`
	Frame    []byte        `json:"frame"`    // what the networks said of the newest frame, if it was read
	Mirrored bool          `json:"mirrored"` // the view in which it was read
	Filters  *affect.Kept  `json:"filters"`
	Engine   *alarm.Kept   `json:"engine"`
}

// EyeSettings are how raw outputs become levels.
type EyeSettings struct {
	Networks []affect.Made   `json:"networks"`
	Stage    affect.Settings `json:"stage"`
}

// AlarmSettings are how levels become alarms.
type AlarmSettings struct {
	Definitions []alarm.Definition `json:"definitions"`
	Signals     []string           `json:"signals"`
	MaxGap      time.Duration      `json:"max_gap"`
	MaxInhibit  time.Duration      `json:"max_inhibit"`
	MaxSilence  time.Duration      `json:"max_silence"`
}

// Options are those of the engine.
func (s *AlarmSettings) Options() alarm.Options {
	return alarm.Options{MaxGap: s.MaxGap, MaxInhibit: s.MaxInhibit, MaxSilence: s.MaxSilence, Private: true}
}

// command, source, reload, mark and step are records as JSON. Limits are bits:
// JSON has no NaN.
type command struct {
	Do        alarm.Trigger `json:"do"`
	Alarm     string        `json:"alarm,omitempty"`
	Who       string        `json:"who,omitempty"`
	At        time.Duration `json:"at"`
	Wall      time.Time     `json:"wall"`
	For       time.Duration `json:"for,omitempty"`
	Condition int           `json:"condition,omitempty"`
	Limit     uint32        `json:"limit,omitempty"`
	Deadband  uint32        `json:"deadband,omitempty"`
	OnDelay   time.Duration `json:"on_delay,omitempty"`
	OffDelay  time.Duration `json:"off_delay,omitempty"`
	Text      string        `json:"text,omitempty"`
}

func (c *command) command() alarm.Command {
	return alarm.Command{Do: c.Do, Alarm: c.Alarm, Who: c.Who, At: c.At, Wall: c.Wall, For: c.For, Condition: c.Condition, Text: c.Text,
		Limits: alarm.Limits{Limit: math.Float32frombits(c.Limit), Deadband: math.Float32frombits(c.Deadband), OnDelay: c.OnDelay, OffDelay: c.OffDelay}}
}

type source struct {
	Who string        `json:"who"`
	At  time.Duration `json:"at"`
}

type reload struct {
	Alarms AlarmSettings `json:"alarms"`
	Who    string        `json:"who"`
	At     time.Duration `json:"at"`
	Wall   time.Time     `json:"wall"`
}

// bufferSize is how much a recorder holds while the disk does not answer: some two
// minutes at 30 frames a second.
const bufferSize = 256 << 10

// Recorder takes what a unit does, in its order. Its methods may be called from any
// goroutine, wait for nobody, and do nothing while no recording is in force.
type Recorder struct {
	mu      sync.Mutex // covers what is below; held for a copy
	on      bool       // a pilot is in force
	needs   bool       // a beginning, before anything else can be taken
	renews  bool       // a beginning is wanted; until then all is taken
	filling []byte     // records, in their order
	spare   []byte     // the other buffer, while nobody writes it
	begun   *Beginning // taken, and not yet given to who writes
	split   int        // where in filling it stands
	coder   coder
	raw     bool // emotions are recorded too
	dropped uint64
	frames  uint64 // taken since the start of the program
	people  map[string]int
	salt    [16]byte
}

// enable begins or ends that records are taken.
func (r *Recorder) enable(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if on && r.filling == nil { // a unit without a pilot has no use for them
		r.filling, r.spare = make([]byte, 0, bufferSize), make([]byte, 0, bufferSize)
	}
	r.on, r.needs, r.renews = on, on, false
	if !on {
		r.filling, r.begun = r.filling[:0], nil
	}
}

// Anew ends the stretch, until Begin: what comes would not be computed rightly from
// what was taken so far.
func (r *Recorder) Anew() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.needs = r.on
}

// renew asks for a beginning, and the stretch goes on until then.
func (r *Recorder) renew() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.renews = r.on
}

// Needs tells whether Begin is to be called now.
func (r *Recorder) Needs() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return (r.needs || r.renews) && r.begun == nil
}

// Begin begins a stretch: b holds what the unit holds at this moment. Only
// what is particular to the unit is to be filled in; it is the recorder's from here
// on.
func (r *Recorder) Begin(b *Beginning) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.needs && !r.renews || r.begun != nil {
		return
	}
	b.Dropped, r.dropped = r.dropped, 0
	r.needs, r.renews, r.begun, r.split = false, false, b, len(r.filling)
	r.coder, r.raw = coder{}, b.Emotions
}

// room tells whether n more bytes can be taken, and counts what cannot. The lock is
// held.
func (r *Recorder) room(n int) bool {
	switch {
	case !r.on || r.needs:
		return false
	case len(r.filling)+n > cap(r.filling):
		r.dropped++
		r.needs = true
		return false
	}
	return true
}

// Frame takes a step of the unit. Said is what its networks said, without and with
// emotions; f.Raw is filled in from it.
func (r *Recorder) Frame(f *Frame, said [2][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.Raw = said[0]
	if r.raw {
		f.Raw = said[1]
	}
	if r.room(frameMost + len(f.Raw)) {
		r.filling = r.coder.appendFrame(r.filling, f)
		if f.Eye {
			r.frames++
		}
	}
	f.Raw = nil
}

// put takes a record as JSON. make gives what it is of, and is not called while
// nothing is recorded.
func (r *Recorder) put(kind byte, make func() any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.room(0) {
		return
	}
	body, err := json.Marshal(make())
	if err != nil { // it cannot be told, so that the stretch ends
		r.dropped++
		r.needs = true
		return
	}
	if r.room(1 + binary.MaxVarintLen64 + len(body)) {
		r.filling = append(r.filling, kind)
		r.filling = binary.AppendUvarint(r.filling, uint64(len(body)))
		r.filling = append(r.filling, body...)
	}
}

// Command takes a command that the engine is given.
func (r *Recorder) Command(c alarm.Command) {
	c = c.Clean()
	r.put(kindCommand, func() any {
		out := command{Do: c.Do, Alarm: c.Alarm, Who: r.person(c.Who), At: c.At, Wall: c.Wall, For: c.For, Condition: c.Condition, Text: c.Text}
		if c.Do == alarm.SetLimits {
			l := c.Limits
			out.Limit, out.Deadband, out.OnDelay, out.OffDelay = math.Float32bits(l.Limit), math.Float32bits(l.Deadband), l.OnDelay, l.OffDelay
		}
		if out.Who != c.Who && c.Text != "" {
			out.Text = r.sum(c.Text)
		}
		return &out
	})
}

// Source takes that the engine was asked whether a source may give commands.
func (r *Recorder) Source(who string, at time.Duration) {
	r.put(kindSource, func() any { return &source{r.person(who), at} })
}

// Reload takes definitions that take the place of those before.
func (r *Recorder) Reload(a AlarmSettings, who string, at time.Duration, wall time.Time) {
	r.put(kindReload, func() any { return &reload{a, who, at, wall} })
}

// Eye takes that the networks were opened, with filters that are empty.
func (r *Recorder) Eye(s EyeSettings) { r.put(kindEye, func() any { return &s }) }

// Event takes an event that the unit tells. Notes are no alarm's: they are left out.
func (r *Recorder) Event(ev alarm.Event) {
	if ev.Trigger == alarm.Note {
		return
	}
	r.put(kindEvent, func() any { r.mask(&ev); return &ev })
}

// Mark takes what somebody said of an alarm; Drill what somebody was asked.
func (r *Recorder) Mark(m Mark) {
	r.put(kindMark, func() any { m.Who = r.person(m.Who); return &m })
}

// Drill takes what somebody was asked in a drill.
func (r *Recorder) Drill(s DrillStep) { r.put(kindDrill, func() any { return &s }) }

// Records tells whether records are taken just now.
func (r *Recorder) Records() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.on && !r.needs
}

// Mask replaces in an event what may name a person, as all records have it.
func (r *Recorder) Mask(ev *alarm.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mask(ev)
}

// mask is Mask with the lock held.
func (r *Recorder) mask(ev *alarm.Event) {
	who := r.person(ev.Who)
	if who != ev.Who && ev.Cause != "" && !ev.Refused && (ev.Trigger == alarm.Note || ev.Trigger == alarm.TakeOut) {
		ev.Cause = r.sum(ev.Cause)
	}
	ev.Who = who
}

// person gives a number in place of somebody's name. Devices and the unit itself
// keep theirs. The lock is held.
func (r *Recorder) person(who string) string {
	if device, _, has := strings.Cut(who, " "); who == "" || who == "reload" || has && (device == "modbus" || device == "ascii" || device == "input") {
		return who // no user's name has a space
	}
	n, known := r.people[who]
	if !known {
		if r.people == nil {
			r.people = make(map[string]int)
		}
		n = len(r.people) + 1
		r.people[who] = n
	}
	return fmt.Sprintf("person %d", n)
}

// sum stands for a text that a person wrote: the same for the same, in one run.
func (r *Recorder) sum(text string) string {
	h := sha256.New()
	h.Write(r.salt[:])
	h.Write([]byte(text))
	return "text " + hex.EncodeToString(h.Sum(nil)[:8])
}

// taken is what a recorder had: records of the stretch before, and, where begun is
// not nil, a beginning and the records after it.
type taken struct {
	before []byte
	begun  *Beginning
	after  []byte
	whole  []byte // the buffer, to be given back
}

// take gives what was recorded so far. The buffer is the caller's until give.
func (r *Recorder) take() (t taken) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.spare == nil || len(r.filling) == 0 && r.begun == nil {
		return t
	}
	t.whole, t.begun = r.filling, r.begun
	t.before = t.whole
	if r.begun != nil {
		t.before, t.after = t.whole[:r.split], t.whole[r.split:]
	}
	r.filling, r.spare, r.begun, r.split = r.spare[:0], nil, nil, 0
	r.coder = coder{}
	return t
}

// give gives a buffer back.
func (r *Recorder) give(t taken) {
	if t.whole == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spare = t.whole[:0]
}

// half tells whether a buffer is half full.
func (r *Recorder) half() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.filling) > bufferSize/2
}
