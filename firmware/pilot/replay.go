package pilot

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"mien/firmware/alarm"
	"mien/model/affect"
)

// Settings are what a recording can be computed again with, in place of those that
// were in force. What the networks said is as it was, and so is which faces could
// be read.
type Settings struct {
	Stage  affect.Settings
	Alarms AlarmSettings // Signals are the recording's
	// Networks are the SHA-256 of those that the settings are for; nil: of any.
	Networks []string
}

// Visitor is told what a recording holds, in its order. Each field may be nil.
type Visitor struct {
	Begin func(*Beginning)
	// Frame is called for each step, with the levels of Signals: nil where there is no
	// frame, or it may not be acted on. Both are valid until it returns.
	Frame func(f *Frame, levels []float32)
	// Event is called for each event of an alarm: as the unit told it, or as it was
	// computed again.
	Event func(ev alarm.Event, again bool)
	Mark  func(Mark)
	Drill func(DrillStep)
	// Reload is called where the unit got other definitions.
	Reload func([]alarm.Definition)
	// Enough ends it early once it gives true: asked now and then.
	Enough func() bool
}

// Replayed is what Replay counted.
type Replayed struct {
	Files   int      `json:"files"`
	Frames  uint64   `json:"frames"`
	Steps   uint64   `json:"steps"` // of the alarms without a frame
	Dropped uint64   `json:"dropped"`
	Live    int      `json:"events"`          // as the unit told them
	Again   int      `json:"events_computed"` // as they were computed again
	Differ  []string `json:"differ"`          // the first of them that are not the same, with other settings none
	Differs int      `json:"differs"`         // how many that are
	Damage  []string `json:"damage"`          // what could not be read, in words
}

// mostTold bounds Replayed.Differ.
const mostTold = 20

// ErrMixed: recordings are not of one unit and one pilot.
var ErrMixed = errors.New("is of another unit or pilot")

// ErrTwice: what was recorded would count twice.
var ErrTwice = errors.New("is the same recording")

// ErrNetwork: the settings name another network than the recording is of.
var ErrNetwork = errors.New("is of another network")

// Replay computes recordings again, in the order of their names, which is that in
// which they were made. with nil: by the settings that were in force, and each
// event is compared with the one that the unit told.
func Replay(paths []string, with *Settings, v Visitor) (*Replayed, error) {
	if len(paths) == 0 {
		return nil, errors.New("there is no recording")
	}
	paths = slices.Clone(paths)
	slices.SortFunc(paths, func(a, b string) int {
		if c := compare(filepath.Base(a), filepath.Base(b)); c != 0 {
			return c
		}
		return compare(a, b)
	})
	p := player{with: with, visitor: v, sum: &Replayed{}, seen: make(map[string]string)}
	for _, path := range paths {
		if p.enough() {
			break
		}
		if err := p.file(path); err != nil {
			return p.sum, err
		}
	}
	if p.sum.Files == 0 {
		return p.sum, p.other
	}
	return p.sum, nil
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// player goes through recordings.
type player struct {
	with    *Settings
	visitor Visitor
	sum     *Replayed

	other  error             // the newest file of another version
	seen   map[string]string // recordings so far: run and number, path
	path   string
	begun  *Beginning // of the file at hand
	views  *affect.Views
	engine *alarm.Engine
	raw    int // bytes of raw outputs a frame
	coder  coder
	levels []float32
	frame  Frame
	last   time.Duration // of the newest record
	again  []alarm.Event // computed, and not yet compared
}

func (p *player) file(path string) error {
	r, b, err := open(path)
	if errors.Is(err, ErrVersion) { // as after a rollback: beside others it is left out
		p.other = err
	}
	if errors.Is(err, errNoBeginning) || errors.Is(err, ErrVersion) {
		p.sum.Damage = append(p.sum.Damage, err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	defer r.close()
	if p.begun != nil && (b.Pilot != p.begun.Pilot || b.Unit != p.begun.Unit) {
		return fmt.Errorf("%s: %w: pilot %s of %q, those before are of pilot %s of %q", path, ErrMixed, b.Pilot, b.Unit, p.begun.Pilot, p.begun.Unit)
	}
	number := fmt.Sprint(b.Run, b.File)
	if before, twice := p.seen[number]; twice {
		return fmt.Errorf("%s: %w as %s: name it once", path, ErrTwice, before)
	}
	p.seen[number] = path
	p.path = path
	if err := p.begin(b); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	p.sum.Files++
	p.sum.Dropped += b.Dropped
	if p.visitor.Begin != nil {
		p.visitor.Begin(b)
	}
	for !p.enough() {
		body, err := r.next()
		switch {
		case errors.Is(err, io.EOF):
			p.unmatched()
			return nil
		case err == nil:
			err = p.chunk(body)
		}
		if err != nil { // what is behind it is lost, and so may be events of the last step
			p.again = p.again[:0]
			p.sum.Damage = append(p.sum.Damage, fmt.Sprintf("%s: %v", path, err))
			return nil
		}
	}
	return nil
}

func (p *player) enough() bool { return p.visitor.Enough != nil && p.visitor.Enough() }

// begin takes a file's beginning over. With other settings what was computed so far
// goes on where the recording does, and as over a restart of the unit where not.
func (p *player) begin(b *Beginning) error {
	before := p.begun
	goesOn := before != nil && before.Run == b.Run && b.Now >= p.last
	p.begun, p.last = b, b.Now
	if err := p.openEye(b.Eye, !goesOn); err != nil {
		return err
	}
	if p.with == nil {
		if err := p.views.Stage().Resume(b.Filters); err != nil {
			return err
		}
		var err error
		if p.engine, err = alarm.Resume(b.Engine, b.Alarms.Signals, b.Alarms.Options()); err != nil {
			return err
		}
	} else if err := p.candidate(b, before != nil, goesOn); err != nil {
		return err
	}
	if len(b.Frame) > 0 {
		view := Frame{Mirrored: b.Mirrored}
		return p.views.ReadRaw(b.Frame, b.Emotions, view.View())
	}
	return nil
}

// candidate makes or keeps the engine of other settings.
func (p *player) candidate(b *Beginning, ran, goesOn bool) error {
	if ran && goesOn {
		return nil
	}
	a := p.with.Alarms
	engine, err := alarm.New(a.Definitions, b.Alarms.Signals, a.Options())
	if err != nil {
		return err
	}
	var saved alarm.Saved
	if ran {
		p.engine.Save(&saved)
	}
	p.engine = engine
	p.computed(engine.Restore(saved, b.Now, b.Begun))
	return nil
}

// openEye makes the way from raw outputs to levels; anew is false where other
// settings' filters go on.
func (p *player) openEye(s EyeSettings, anew bool) error {
	if p.with != nil && !anew && p.views != nil {
		return nil
	}
	networks := make([]*affect.Network, len(s.Networks))
	p.raw = 0
	for i, made := range s.Networks {
		n, err := affect.Recorded(made)
		if err != nil {
			return err
		}
		networks[i] = n
		p.raw += n.RawSize(p.begun.Emotions)
	}
	stage := s.Stage
	if p.with != nil {
		if stage = p.with.Stage; p.with.Networks != nil {
			if err := sameNetworks(s.Networks, p.with.Networks); err != nil {
				return err
			}
		}
	}
	var err error
	p.views, err = affect.NewViews(stage, networks...)
	return err
}

// sameNetworks refuses settings that are for other networks than those recorded.
func sameNetworks(recorded []affect.Made, wanted []string) error {
	for i, made := range recorded {
		name, version, sum, err := made.CardOf()
		if err != nil {
			return err
		}
		if i >= len(wanted) || !strings.EqualFold(sum, wanted[i]) {
			return fmt.Errorf("%w than the config names, %s %s (SHA-256 %s): what one network said cannot be read as another's", ErrNetwork, name, version, sum)
		}
	}
	if len(wanted) > len(recorded) {
		return fmt.Errorf("%w: it has %s, the config names %d", ErrNetwork, alarm.Count(len(recorded), "network"), len(wanted))
	}
	return nil
}

// chunk goes through the records of one chunk.
func (p *player) chunk(body []byte) error {
	p.coder = coder{}
	for len(body) > 0 {
		kind := body[0]
		body = body[1:]
		if kind == kindFrame || kind == kindStep {
			rest, err := p.coder.takeFrame(body, kind, p.raw, &p.frame)
			if err == nil {
				err = p.step(&p.frame)
			}
			if err != nil {
				return err
			}
			body = rest
			continue
		}
		r := records{rest: body}
		text := r.bytes(int(min(r.uvarint(), math.MaxInt32)))
		if r.err == nil {
			r.err = p.record(kind, text)
		}
		if r.err != nil {
			return r.err
		}
		body = r.rest
	}
	return nil
}

// step computes one frame, or a step of the alarms without one, as the unit did.
func (p *player) step(f *Frame) error {
	p.last = f.Now
	var levels []float32
	if f.Eye {
		p.sum.Frames++
		if f.Read {
			if err := p.views.ReadRaw(f.Raw, p.begun.Emotions, f.View()); err != nil {
				return err
			}
		}
		levels, _ = p.views.Step(f.At, f.Read, f.View(), f.Paired)
	} else {
		p.sum.Steps++
	}
	r := f.Reading(levels)
	if p.visitor.Frame != nil {
		p.visitor.Frame(f, r.Levels)
	}
	if f.Result {
		p.computed(p.engine.Step(r))
	}
	return nil
}

// record carries out what a record says.
func (p *player) record(kind byte, text []byte) error {
	read := func(v any) error {
		if err := json.Unmarshal(text, v); err != nil {
			return fmt.Errorf("%w: %w", errRecord, err)
		}
		return nil
	}
	switch kind {
	case kindCommand:
		var c command
		if err := read(&c); err != nil {
			return err
		}
		events, _ := p.engine.Do(c.command()) // refused or not, as the unit's was
		p.computed(events)
	case kindSource:
		var s source
		if err := read(&s); err != nil {
			return err
		}
		p.engine.Allow(s.Who, s.At) // likewise
	case kindReload:
		var l reload
		if err := read(&l); err != nil {
			return err
		}
		if p.visitor.Reload != nil {
			p.visitor.Reload(l.Alarms.Definitions)
		}
		if p.with != nil {
			return nil
		}
		events, err := p.engine.Reconfigure(l.Alarms.Definitions, l.Alarms.Signals, l.Who, l.At, l.Wall)
		if err != nil {
			return err
		}
		p.engine.SetMost(l.Alarms.MaxInhibit, l.Alarms.MaxSilence)
		p.computed(events)
	case kindEye:
		var s EyeSettings
		if err := read(&s); err != nil {
			return err
		}
		return p.openEye(s, true)
	case kindEvent:
		var ev alarm.Event
		if err := read(&ev); err != nil {
			return err
		}
		p.told(ev)
	case kindMark:
		var m Mark
		if err := read(&m); err != nil {
			return err
		}
		if p.visitor.Mark != nil {
			p.visitor.Mark(m)
		}
	case kindDrill:
		var s DrillStep
		if err := read(&s); err != nil {
			return err
		}
		if p.visitor.Drill != nil {
			p.visitor.Drill(s)
		}
	default:
		return fmt.Errorf("%w: kind %d is not known", errRecord, kind)
	}
	return nil
}

// computed takes events that the engine gave.
func (p *player) computed(events []alarm.Event) {
	if len(events) == 0 {
		return
	}
	if p.with == nil {
		p.unmatched() // the unit told the ones before at once
	}
	for _, ev := range events {
		if ev.Trigger == alarm.Note {
			continue
		}
		p.sum.Again++
		if p.with == nil {
			p.again = append(p.again, ev)
		}
		if p.visitor.Event != nil {
			p.visitor.Event(ev, true)
		}
	}
}

// told takes an event that the unit told, and holds it against the one computed.
func (p *player) told(ev alarm.Event) {
	p.sum.Live++
	if p.visitor.Event != nil {
		p.visitor.Event(ev, false)
	}
	switch {
	case p.with != nil:
	case len(p.again) == 0:
		p.differs("the unit told %v, which is not computed", ev)
	case !sameEvent(ev, p.again[0]):
		p.differs("the unit told %v, computed is %v", ev, p.again[0])
		p.again = p.again[1:]
	default:
		p.again = p.again[1:]
	}
}

// unmatched are events that the unit has not told.
func (p *player) unmatched() {
	for _, ev := range p.again {
		p.differs("computed is %v, which the unit has not told", ev)
	}
	p.again = p.again[:0]
}

func (p *player) differs(format string, args ...any) {
	p.sum.Differs++
	if len(p.sum.Differ) < mostTold {
		p.sum.Differ = append(p.sum.Differ, fmt.Sprintf(format, args...))
	}
}

// sameEvent tells whether two events are the same in every field; of the wall clock
// a recording has the millisecond.
func sameEvent(a, b alarm.Event) bool {
	if d := a.Wall.Sub(b.Wall); d > wallWithin || d < -wallWithin {
		return false
	}
	a.Wall, b.Wall = time.Time{}, time.Time{}
	return reflect.DeepEqual(a, b)
}
