package pilot

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"mien/firmware/alarm"
)

// Export says what of recordings goes into tables, and how they are divided.
type Export struct {
	Shift  time.Duration // a session is one of these
	Begins time.Duration // after midnight, when the first of a day begins
	In     *time.Location
	With   *Settings // nil: the settings that were in force
	Only   []string  // signals that get a column; nil: all
	Also   Visitor   // is told what the recordings hold as well, in the same reading
	Tags   io.Writer // a third table, of the groups that sessions belong to; nil: none
}

// Told is what Tables wrote.
type Told struct {
	Replayed
	Sessions []string `json:"sessions"`
	Spans    int      `json:"spans"`     // rows of truth
	Signals  []string `json:"-"`         // of which there are any
	Alarms   int      `json:"alarms"`    // that came, of alarms with one condition
	Unmarked int      `json:"unmarked"`  // of these without a mark
	Unnamed  int      `json:"unnamed"`   // marks that no alarm's signals could be told of
	Elsewhen int      `json:"elsewhen"`  // marks of a time that is not recorded
	Broken   int      `json:"broken"`    // drills that were broken off
	Levels   int      `json:"levels"`    // rows of levels
	NotAlike bool     `json:"not_alike"` // the networks differ from file to file, so that columns are missing in some
}

// exporter turns what a Visitor is told into tables.
type exporter struct {
	e       Export
	levels  *bufio.Writer
	told    *Told
	signals []string // columns
	at      []int    // place of each column in the levels of the file at hand; -1: none
	row     []byte
	unread  bool // nobody reads the levels any more

	run    string
	offset time.Duration // of the wall clock against the unit's, as of the file at hand
	clocks Clocks
	names  map[string]float64
	block  time.Time // in which the session at hand began
	until  time.Time // when the next one begins
	name   string
	last   float64

	tag    string // of the file at hand
	tags   []tagged
	first  map[string]float64 // time of each session's first frame
	marks  Marks
	drills map[string][]drillAt
	raises []raised
	watch  map[string][]string // signals of each alarm
}

// tagged is a part of a session with the same tag.
type tagged struct {
	session, tag string
	from, to     float64
}

// raised is an alarm that was told.
type raised struct {
	run     string
	event   uint64
	session string
	alarm   string
}

type drillAt struct {
	DrillStep
	offset time.Duration
}

// Tables writes recordings as two CSV tables: levels (session, time in seconds, a
// column a signal, empty for Unknown) and truth (session, signal, from, to in
// seconds, present or absent), which the search for limits reads. A span that no
// row covers was not observed; see writeTruth for what was.
func Tables(paths []string, e Export, levels, truth io.Writer) (*Told, error) {
	if e.In == nil {
		e.In = time.Local
	}
	x := &exporter{e: e, levels: bufio.NewWriterSize(levels, 1<<16), told: &Told{}, names: make(map[string]float64), drills: make(map[string][]drillAt),
		first: make(map[string]float64), watch: make(map[string][]string)}
	sum, err := Replay(paths, e.With, x.visitor())
	if err != nil {
		return nil, err
	}
	x.told.Replayed = *sum
	if err := x.levels.Flush(); err != nil {
		return nil, err
	}
	if e.Tags != nil {
		if err := x.writeTags(e.Tags); err != nil {
			return nil, err
		}
	}
	return x.told, x.writeTruth(truth)
}

// writeTags writes which part of a session belongs to which group: session, from, to,
// tag. What has none is in no row.
func (x *exporter) writeTags(w io.Writer) error {
	out := bufio.NewWriter(w)
	out.WriteString("session,from,to,tag\n")
	for _, t := range x.tags {
		if t.tag != "" {
			fmt.Fprintf(out, "%s,%.3f,%.3f,%s\n", t.session, t.from, t.to, t.tag)
		}
	}
	return out.Flush()
}

// visitor is x, and who reads along.
func (x *exporter) visitor() Visitor {
	also := x.e.Also
	v := Visitor{Begin: x.begin, Frame: x.frame, Event: x.event, Mark: x.mark, Drill: x.drill, Reload: x.alarms, Enough: func() bool { return x.unread }}
	if also.Begin != nil {
		v.Begin = func(b *Beginning) { also.Begin(b); x.begin(b) }
	}
	if also.Frame != nil {
		v.Frame = func(f *Frame, levels []float32) { also.Frame(f, levels); x.frame(f, levels) }
	}
	if also.Event != nil {
		v.Event = func(ev alarm.Event, again bool) { also.Event(ev, again); x.event(ev, again) }
	}
	if also.Reload != nil {
		v.Reload = func(list []alarm.Definition) { also.Reload(list); x.alarms(list) }
	}
	if also.Mark != nil {
		v.Mark = func(m Mark) { also.Mark(m); x.mark(m) }
	}
	if also.Drill != nil {
		v.Drill = func(s DrillStep) { also.Drill(s); x.drill(s) }
	}
	return v
}

func (x *exporter) begin(b *Beginning) {
	if x.signals == nil {
		for _, s := range b.Alarms.Signals {
			if (b.Emotions || !emotion(s)) && (x.e.Only == nil || slices.Contains(x.e.Only, s)) {
				x.signals = append(x.signals, s)
			}
		}
		x.row = append(x.row[:0], "session,time"...)
		for _, s := range x.signals {
			x.row = append(append(x.row, ','), s...)
		}
		x.levels.Write(append(x.row, '\n'))
	}
	x.at = x.at[:0]
	for _, s := range x.signals {
		i := slices.Index(b.Alarms.Signals, s)
		x.told.NotAlike = x.told.NotAlike || i < 0
		x.at = append(x.at, i)
	}
	x.tag = b.Tag
	x.clocks.Begin(b)
	x.run, x.offset = b.Run, x.clocks.Offset(b.Run, b.Now)
	x.alarms(b.Alarms.Definitions)
}

// alarms notes which signals each alarm watches.
func (x *exporter) alarms(list []alarm.Definition) {
	for _, d := range list {
		x.watch[d.Name] = nil
		for _, c := range d.Conditions {
			x.watch[d.Name] = append(x.watch[d.Name], c.Signal)
		}
	}
}

func (x *exporter) event(ev alarm.Event, again bool) {
	if again || ev.Trigger != alarm.Raise || ev.To.Covered() {
		return
	}
	session, _ := x.place(ev.At, x.offset)
	x.raises = append(x.raises, raised{x.run, ev.Number, session, ev.Alarm})
}

// emotion is config.Emotion, of a room that this one does without.
func emotion(signal string) bool {
	return signal == "valence" || signal == "arousal" || len(signal) > 11 && signal[:11] == "expression." || len(signal) > 9 && signal[:9] == "compound."
}

// Session gives the name, the beginning and the end of the session of a moment. They
// go by the clock on the wall: a shift begins at 06:00 too on the day of which the
// night had an hour more or less, and that night's shift is so long.
func (e Export) Session(wall time.Time) (name string, begins, ends time.Time) {
	t := wall.In(e.In)
	year, month, date := t.Date()
	nth := func(n int) time.Time {
		d := e.Begins + time.Duration(n)*e.Shift
		return time.Date(year, month, date, 0, 0, int(d/time.Second), int(d%time.Second), e.In)
	}
	shown := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	n := int(max(shown-e.Begins, t.Sub(nth(0)))/e.Shift) + 1
	for ; nth(n).After(t); n-- {
	}
	return nth(n).Format("2006-01-02 15:04"), nth(n), nth(n + 1)
}

// place gives session and seconds of a moment on the unit's clock.
func (x *exporter) place(at, offset time.Duration) (string, float64) {
	wall := time.Unix(0, int64(at+offset))
	name, block, _ := x.e.Session(wall)
	return name, wall.Sub(block).Seconds()
}

func (x *exporter) frame(f *Frame, levels []float32) {
	if !f.Eye || !f.Result {
		return
	}
	wall := time.Unix(0, int64(f.Now+x.offset))
	if x.name == "" || wall.Before(x.block) || !wall.Before(x.until) {
		x.name, x.block, x.until = x.e.Session(wall)
		last, known := x.names[x.name]
		x.last = -1
		if known {
			x.last = last
		} else {
			x.told.Sessions = append(x.told.Sessions, x.name)
		}
	}
	at := wall.Sub(x.block).Seconds()
	if at <= x.last { // the wall clock was set back between two files: this time has been told
		return
	}
	if x.last < 0 {
		x.first[x.name] = at
	}
	x.last, x.names[x.name] = at, at
	if n := len(x.tags); n > 0 && x.tags[n-1].session == x.name && x.tags[n-1].tag == x.tag {
		x.tags[n-1].to = at
	} else {
		x.tags = append(x.tags, tagged{x.name, x.tag, at, at})
	}
	x.row = append(append(x.row[:0], x.name...), ',')
	x.row = strconv.AppendFloat(x.row, at, 'f', 3, 64)
	for _, i := range x.at {
		x.row = append(x.row, ',')
		if i >= 0 && i < len(levels) && levels[i] == levels[i] {
			x.row = strconv.AppendFloat(x.row, float64(levels[i]), 'f', 4, 32)
		}
	}
	if _, err := x.levels.Write(append(x.row, '\n')); err != nil { // it comes again with Flush
		x.unread = true
	}
	x.told.Levels++
}

func (x *exporter) mark(m Mark) { x.marks.Take(m, x.run, x.clocks.Offset(x.run, m.From)) }

func (x *exporter) drill(s DrillStep) {
	x.drills[s.Number] = append(x.drills[s.Number], drillAt{s, x.offset})
}
