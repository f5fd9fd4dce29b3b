// Package report tells on one page what a pilot found: what was recorded, how much
// of it could be read, what each alarm costs at which limit, whom it got right, and
// what follows. The page is one HTML file without anything outside itself, to print
// and to sign.
package report

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/pilot"
	"mien/firmware/state"
)

// longest is the longest time between two frames that still counts as watched.
const longest = 2 * time.Second

// gathered is what the recordings of one pilot say.
type gathered struct {
	about    *pilot.Beginning // of the newest file
	from, to time.Time
	files    int
	watched  time.Duration            // with a frame
	reasons  map[string]time.Duration // why there was no reading; "": there was one
	sessions []*session
	groups   map[string][]*group // by what they are told apart: "shift", "light", "cover", "tag"
	damage   []string
	differs  int
	dropped  uint64
	changes  []change
	alarms   []*alarmSeen
	marks    int
	leftOut  []leftOut
	drills   int // gone through to the end
	broken   int
}

// change is that an alarm got other settings while the pilot ran.
type change struct {
	at    time.Time
	alarm string
}

// leftOut is a mark that counts for nothing; why is what a text is named after.
type leftOut struct {
	mark pilot.Placed
	at   time.Time
	why  string
}

// session is one shift of one day.
type session struct {
	name   string
	begins time.Time
	ends   time.Time
	raised []raised
	read   time.Duration
	seen   time.Duration
}

// raised is one alarm that came.
type raised struct {
	alarm    string
	event    uint64
	run      string
	from, to time.Time
	light    uint8
	cover    string
	begins   string // which shift of a day
	tag      string
	mark     state.Truth
	marked   bool
}

// group is a part of the recorded time in which something was the same.
type group struct {
	name   string
	seen   time.Duration
	read   time.Duration
	raised int
	falses int // marked so
}

type alarmSeen struct {
	def                        alarm.Definition
	raised, right, falses, not int // not: without a mark
	missed                     int // marks of a missed one
}

// gatherer is told what recordings hold.
type gatherer struct {
	*gathered
	o         Options
	offset    time.Duration
	run       string
	clocks    pilot.Clocks
	defs      []alarm.Definition // in force at the moment
	last      time.Duration
	light     uint8
	cover     string
	lights    [256]light
	shifts    map[string]*group
	covers    map[string]*group
	tags      map[string]*group
	at        *session
	open      map[string]*raised
	all       []*raised
	missed    map[string]int
	given     pilot.Marks
	drillEnds map[string]state.DrillState
	eyes      int // place of the level that only open eyes have, and of the mouth's; -1: none
	mouth     int
}

type light struct{ seen, read time.Duration }

// newGatherer is one that has been told nothing yet.
func newGatherer(o Options) *gatherer {
	return &gatherer{gathered: &gathered{reasons: map[string]time.Duration{}, groups: map[string][]*group{}}, o: o, shifts: map[string]*group{},
		covers: map[string]*group{}, tags: map[string]*group{}, open: map[string]*raised{}, missed: map[string]int{}, drillEnds: map[string]state.DrillState{}}
}

func (g *gatherer) visitor() pilot.Visitor {
	return pilot.Visitor{Begin: g.begin, Frame: g.frame, Event: g.event, Mark: g.mark, Reload: func(list []alarm.Definition) { g.settings(list, g.to) }, Drill: func(s pilot.DrillStep) { g.drillEnds[s.Number] = s.State }}
}

func (g *gatherer) begin(b *pilot.Beginning) {
	if b.Run != g.run {
		g.close()
	}
	g.about, g.run, g.last = b, b.Run, -1
	g.clocks.Begin(b)
	g.offset = g.clocks.Offset(b.Run, b.Now)
	g.settings(b.Alarms.Definitions, b.Begun)
	g.eyes, g.mouth = slices.Index(b.Alarms.Signals, "eyes_closed"), slices.Index(b.Alarms.Signals, "au25")
	if g.from.IsZero() {
		g.from = b.Begun
	}
}

// settings takes definitions, and notes which alarms have other settings than before.
func (g *gatherer) settings(list []alarm.Definition, at time.Time) {
	if g.defs != nil {
		for _, d := range list {
			if i := slices.IndexFunc(g.defs, func(o alarm.Definition) bool { return o.Name == d.Name }); i < 0 || !reflect.DeepEqual(g.defs[i], d) {
				g.changes = append(g.changes, change{at, d.Name})
			}
		}
		for _, o := range g.defs {
			if !slices.ContainsFunc(list, func(d alarm.Definition) bool { return o.Name == d.Name }) {
				g.changes = append(g.changes, change{at, o.Name})
			}
		}
	}
	g.defs = list
}

// close ends what a stop of the unit ended.
func (g *gatherer) close() {
	for name, r := range g.open {
		r.to = g.to
		delete(g.open, name)
	}
}

func (g *gatherer) frame(f *pilot.Frame, levels []float32) {
	if !f.Eye || !f.Result {
		return
	}
	wall := time.Unix(0, int64(f.Now+g.offset)).In(g.o.Export.In)
	dt := f.Now - g.last
	first := g.last < 0
	g.last, g.to = f.Now, wall
	if s := g.at; s == nil || wall.Before(s.begins) || !wall.Before(s.ends) {
		g.at = g.sessionOf(wall)
	}
	g.light, g.cover = f.Light, "none"
	readable := f.Why() == ""
	if readable {
		switch hidden := func(i int) bool { return i >= 0 && i < len(levels) && levels[i] != levels[i] }; {
		case hidden(g.eyes) && hidden(g.mouth):
			g.cover = "both"
		case hidden(g.eyes):
			g.cover = "eyes"
		case hidden(g.mouth):
			g.cover = "mouth"
		}
	}
	if first || dt <= 0 || dt > longest {
		return
	}
	g.watched += dt
	g.reasons[f.Why()] += dt
	g.at.seen += dt
	shift := g.named(g.shifts, g.at.begins.Format("15:04"))
	shift.seen += dt
	g.lights[f.Light].seen += dt
	tag := g.named(g.tags, g.about.Tag)
	tag.seen += dt
	if !readable {
		return
	}
	g.at.read += dt
	shift.read += dt
	tag.read += dt
	g.lights[f.Light].read += dt
	cover := g.named(g.covers, g.cover)
	cover.seen += dt
	cover.read += dt
}

func (g *gatherer) named(in map[string]*group, name string) *group {
	if in[name] == nil {
		in[name] = &group{name: name}
	}
	return in[name]
}

func (g *gatherer) sessionOf(wall time.Time) *session {
	name, begins, ends := g.o.Export.Session(wall)
	for _, s := range g.sessions {
		if s.name == name {
			return s
		}
	}
	s := &session{name: name, begins: begins, ends: ends}
	g.sessions = append(g.sessions, s)
	return s
}

func (g *gatherer) event(ev alarm.Event, again bool) {
	if again || ev.Alarm == "" {
		return
	}
	wall := time.Unix(0, int64(ev.At+g.offset)).In(g.o.Export.In)
	switch ev.Trigger {
	case alarm.SetLimits:
		g.changes = append(g.changes, change{wall, ev.Alarm})
	case alarm.Raise:
		_, begins, _ := g.o.Export.Session(wall)
		r := &raised{alarm: ev.Alarm, event: ev.Number, run: g.run, from: wall, to: wall, light: g.light, cover: g.cover, begins: begins.Format("15:04"), tag: g.about.Tag}
		g.open[ev.Alarm] = r
		g.all = append(g.all, r)
	case alarm.Clear:
		if r := g.open[ev.Alarm]; r != nil {
			r.to = wall
			delete(g.open, ev.Alarm)
		}
	}
}

func (g *gatherer) mark(m pilot.Mark) { g.given.Take(m, g.run, g.clocks.Offset(g.run, m.From)) }

func (g *gatherer) wall(at, offset time.Duration) time.Time {
	return time.Unix(0, int64(at+offset)).In(g.o.Export.In)
}

// recorded tells whether anything is of the shift at that time.
func (g *gatherer) recorded(at time.Time) bool {
	name, _, _ := g.o.Export.Session(at)
	return slices.ContainsFunc(g.sessions, func(s *session) bool { return s.name == name })
}

// left finds the marks that count for nothing.
func (g *gatherer) left() {
	add := func(m pilot.Placed, why string) {
		g.leftOut = append(g.leftOut, leftOut{m, g.wall(m.At, g.clocks.Offset(m.Run, m.At)), why})
	}
	for i, m := range g.given {
		switch {
		case m.Alarm == "":
			add(m, "unnamed")
		case len(m.Shows) == 0:
			add(m, "several")
		case !g.recorded(g.wall(m.From, m.Offset)) && !g.recorded(g.wall(m.To, m.Offset)):
			add(m, "elsewhen")
		case slices.ContainsFunc(g.given, func(o pilot.Placed) bool { return opposite(&g.given[i], &o) }):
			add(m, "opposite")
		}
	}
}

// opposite says whether two marks contradict each other.
func opposite(a, b *pilot.Placed) bool {
	if a.From+a.Offset >= b.To+b.Offset || b.From+b.Offset >= a.To+a.Offset {
		return false
	}
	for _, s := range a.Shows {
		if slices.Contains(b.Shows, pilot.Shown{Signal: s.Signal, Present: !s.Present}) {
			return true
		}
	}
	return false
}

// finish joins marks with the alarms that they are about, and forms the groups.
func (g *gatherer) finish() {
	g.close()
	g.marks = len(g.given)
	g.left()
	for _, m := range g.given {
		if m.Truth == state.Missed {
			g.missed[m.Alarm]++
			continue
		}
		for _, r := range g.all {
			if r.run == m.Run && r.event == m.Event && r.alarm == m.Alarm {
				r.mark, r.marked = m.Truth, true
			}
		}
	}
	for _, end := range g.drillEnds {
		if end == state.DrillEnded {
			g.drills++
		} else {
			g.broken++
		}
	}
	quarters, of := g.quarters()
	for _, r := range g.all {
		s := g.sessionOf(r.from)
		s.raised = append(s.raised, *r)
		falses := 0
		if r.marked && r.mark == state.False {
			falses = 1
		}
		for _, in := range []*group{g.named(g.shifts, r.begins), g.named(g.covers, r.cover), g.named(g.tags, r.tag), quarters[of[r.light]]} {
			in.raised++
			in.falses += falses
		}
	}
	g.groups["shift"], g.groups["light"], g.groups["cover"] = sorted(g.shifts), quarters, sorted(g.covers)
	if _, untagged := g.tags[""]; len(g.tags) > 1 || !untagged { // nobody set one
		g.groups["tag"] = sorted(g.tags)
	}
	slices.SortFunc(g.sessions, func(a, b *session) int { return a.begins.Compare(b.begins) })
	if g.about == nil {
		return
	}
	for _, d := range g.defs {
		a := &alarmSeen{def: d, missed: g.missed[d.Name]}
		for _, r := range g.all {
			switch {
			case r.alarm != d.Name:
			case !r.marked:
				a.raised, a.not = a.raised+1, a.not+1
			case r.mark == state.False:
				a.raised, a.falses = a.raised+1, a.falses+1
			default:
				a.raised, a.right = a.raised+1, a.right+1
			}
		}
		g.alarms = append(g.alarms, a)
	}
}

func sorted(in map[string]*group) []*group {
	var list []*group
	for _, x := range in {
		list = append(list, x)
	}
	slices.SortFunc(list, func(a, b *group) int { return cmp.Compare(a.name, b.name) })
	return list
}

// quarters divides the watched time into four parts by how light the pictures were;
// of says in which part a luma is.
func (g *gatherer) quarters() (list []*group, of [256]int) {
	var total, before time.Duration
	for _, l := range g.lights {
		total += l.seen
	}
	list = []*group{{name: "0"}}
	quarter := -1 // of the newest group; -1: it has no time yet
	for v, l := range g.lights {
		if l.seen > 0 {
			q := min(3, int(4*(before+l.seen/2)/total))
			if quarter >= 0 && q != quarter {
				list = append(list, &group{name: fmt.Sprint(v)})
			}
			quarter = q
		}
		in := list[len(list)-1]
		in.seen += l.seen
		in.read += l.read
		of[v], before = len(list)-1, before+l.seen
	}
	for i, in := range list {
		end := "255"
		if i+1 < len(list) {
			end = list[i+1].name
		}
		in.name += " - " + end
	}
	return list, of
}
