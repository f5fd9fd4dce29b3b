package mqtt

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"mien/firmware/alarm"
	"mien/firmware/gateway"
	"mien/firmware/health"
	"mien/firmware/operator"
)

// spec is how a metric behaves.
type spec struct {
	name  string
	kind  datatype
	keep  bool          // each change counts: it is kept while the broker is away
	every time.Duration // no more often than that; all of one time go together
	band  float64       // nor for less than that
	does  *operator.Request
}

// slow is how often gauges are told at most.
const slow = 10 * time.Second

// known is what the unit has told, as metrics, and which changes wait to be told on. The
// stream's goroutine writes it, the session's reads it.
type known struct {
	levels []string      // signals that are wanted
	every  time.Duration // at most
	write  bool
	most   int           // changes that are kept
	wake   chan struct{} // something is new

	mu      sync.Mutex // covers what is below
	about   operator.About
	lost    string // why the unit is away; "": it is there
	heard   bool   // about and a state came since
	specs   []spec
	values  []metric                    // of specs
	told    map[time.Duration]time.Time // when metrics that are told so often were looked at,
	due     map[time.Duration]bool      // and whether they are now
	index   map[string]int
	births  int       // how often the metrics became others
	last    uint64    // number of the newest event
	behind  time.Time // since when states are older than that
	resumed bool      // the unit was heard before: what it tells now is a change
	queue   []metric
	base    uint64 // number of the first in queue
	taken   uint64 // number after the newest that went to the broker
	live    bool   // a session takes what is not kept too
	dropped uint64 // changes that found no room and went to nobody
	unit    string
}

func newKnown(levels []string, every time.Duration, write bool, most int) *known {
	return &known{levels: levels, every: every, write: write, most: most, wake: make(chan struct{}, 1), lost: "not heard yet", index: map[string]int{}, told: map[time.Duration]time.Time{}, due: map[time.Duration]bool{}}
}

// now is what is read of operator.Now: numbers may be null.
type now struct {
	Valid     bool                    `json:"valid"`
	Reason    string                  `json:"reason"`
	Rate      *float64                `json:"rate"`
	Latency   *float64                `json:"latency_ms"`
	Dropped   uint64                  `json:"dropped"`
	Available *float64                `json:"available"`
	Levels    []*float64              `json:"levels"`
	Faults    []struct{ Code string } `json:"faults"`
	Alarms    []struct {
		Name, State string
		Count       uint64
	} `json:"alarms"`
	Outputs     []bool         `json:"outputs"`
	Inputs      []bool         `json:"inputs"`
	Testing     int64          `json:"test_ms"`
	Inhibit     int64          `json:"inhibit_ms"`
	Clock       operator.Clock `json:"clock"`
	Temperature *float64       `json:"temperature"`
	Last        uint64         `json:"last"`
}

// Names of metrics. Those of alarms, faults and lines are made of their own names.
const (
	nameSeq      = "bdSeq"
	nameRebirth  = "Node Control/Rebirth"
	nameAnswer   = "Gateway/Answer"
	nameLost     = "Gateway/Changes lost"
	nameAckAll   = "Commands/Acknowledge all"
	nameResetAll = "Commands/Reset all"
	nameSilence  = "Commands/Silence"
	nameInhibit  = "Commands/Inhibit"
)

func alarmName(alarm, what string) string { return "Alarms/" + alarm + "/" + what }

// specsOf lists the metrics of a unit, in the order of the birth.
func (k *known) specsOf(a *operator.About) (list []spec) {
	add := func(s spec) { list = append(list, s) }
	for _, name := range []string{"Unit/Name", "Unit/Version", "Unit/Purpose"} {
		add(spec{name: name, kind: typeString})
	}
	add(spec{name: "Unit/Config CRC", kind: typeInt32, keep: true})
	add(spec{name: "Unit/Clock", kind: typeString, keep: true})
	add(spec{name: "Health/Valid", kind: typeBoolean, keep: true})
	add(spec{name: "Health/Reason", kind: typeString, every: time.Second})
	add(spec{name: "Health/Rate", kind: typeFloat, every: slow, band: 0.5})
	add(spec{name: "Health/Latency", kind: typeFloat, every: slow, band: 5})
	add(spec{name: "Health/Dropped", kind: typeUInt64, every: slow})
	add(spec{name: "Health/Availability", kind: typeFloat, every: slow, band: 0.001})
	add(spec{name: "Health/Temperature", kind: typeFloat, every: slow, band: 1})
	add(spec{name: "Health/Output test", kind: typeBoolean, keep: true})
	add(spec{name: "Health/Inhibited", kind: typeBoolean, keep: true})
	for _, f := range health.Faults() {
		add(spec{name: faultName(f.Info()), kind: typeBoolean, keep: true})
	}
	for _, c := range a.Alarms {
		add(spec{name: alarmName(c.Name, "State"), kind: typeString, keep: true})
		add(spec{name: alarmName(c.Name, "Active"), kind: typeBoolean, keep: true})
		add(spec{name: alarmName(c.Name, "Unacknowledged"), kind: typeBoolean, keep: true})
		add(spec{name: alarmName(c.Name, "Count"), kind: typeUInt64, keep: true})
		add(spec{name: alarmName(c.Name, "Priority"), kind: typeString})
	}
	for _, name := range a.Outputs {
		add(spec{name: "Outputs/" + name, kind: typeBoolean, keep: true})
	}
	for _, name := range a.Inputs {
		add(spec{name: "Inputs/" + name, kind: typeBoolean, keep: true})
	}
	for _, s := range a.Signals {
		if slices.Contains(k.levels, s.Name) {
			add(spec{name: "Levels/" + s.Name, kind: typeFloat, every: k.every})
		}
	}
	add(spec{name: nameLost, kind: typeUInt64})
	add(spec{name: nameAnswer, kind: typeString})
	if !k.write {
		return list
	}
	does := func(name string, kind datatype, r operator.Request) { add(spec{name: name, kind: kind, does: &r}) }
	do := func(t alarm.Trigger, name string) operator.Request {
		return operator.Request{Ask: operator.AskDo, Do: t, Alarm: name}
	}
	does(nameAckAll, typeBoolean, do(alarm.Acknowledge, ""))
	does(nameResetAll, typeBoolean, do(alarm.Reset, ""))
	does(nameSilence, typeBoolean, do(alarm.Silence, ""))
	does(nameInhibit, typeInt32, do(alarm.Inhibit, ""))
	for _, c := range a.Alarms {
		does(alarmName(c.Name, "Acknowledge"), typeBoolean, do(alarm.Acknowledge, c.Name))
		does(alarmName(c.Name, "Reset"), typeBoolean, do(alarm.Reset, c.Name))
		does(alarmName(c.Name, "Shelve"), typeInt32, do(alarm.Shelve, c.Name))
	}
	return list
}

func faultName(i health.Info) string { return "Faults/" + i.Code + " " + i.Name }

// hear takes what came over the stream, and the events of it. The error says what is
// wrong with it.
func (k *known) hear(n gateway.News, events []alarm.Event) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer k.ring()
	if n.Lost != "" {
		k.lost, k.heard = n.Lost, false
	}
	if n.About != nil {
		var a operator.About
		if err := json.Unmarshal(n.About, &a); err != nil {
			return fmt.Errorf("what the unit is: %w", err)
		}
		k.takeOver(&a)
	}
	if n := len(events); n > 0 && events[n-1].Number < k.last {
		k.last = 0 // a unit whose numbers began anew
	}
	for _, e := range events {
		k.happened(e)
	}
	if n.State != nil && k.unit != "" {
		var s now
		if err := json.Unmarshal(n.State, &s); err != nil {
			return fmt.Errorf("what the unit knows: %w", err)
		}
		k.read(&s)
	}
	return nil
}

func (k *known) ring() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// takeOver makes the metrics those of a config. The lock is held.
func (k *known) takeOver(a *operator.About) {
	if a.Unit != k.about.Unit {
		k.last, k.resumed = 0, false
	}
	k.about, k.unit, k.lost = *a, a.Unit, ""
	specs := k.specsOf(a)
	same := slices.EqualFunc(specs, k.specs, func(a, b spec) bool { return a.name == b.name && a.kind == b.kind })
	if !same {
		values, index := make([]metric, len(specs)), make(map[string]int, len(specs))
		at := time.Now().UnixMilli()
		for i, s := range specs {
			values[i] = metric{name: s.name, kind: s.kind, at: at}
			if s.does != nil || s.name == nameAnswer {
				values[i].value = map[datatype]any{typeBoolean: false, typeInt32: int32(0), typeString: ""}[s.kind]
			}
			if old, found := k.index[s.name]; found && k.specs[old].kind == s.kind {
				values[i] = k.values[old]
			}
			index[s.name] = i
		}
		k.specs, k.values, k.index = specs, values, index
		k.births++
	}
	at := time.Now().UnixMilli()
	k.set("Unit/Name", a.Unit, at)
	k.set("Unit/Version", a.Version, at)
	k.set("Unit/Purpose", a.Purpose, at)
	k.set("Unit/Config CRC", int32(a.CRC), at)
	k.set(nameLost, k.dropped, at)
	for _, c := range a.Alarms {
		k.set(alarmName(c.Name, "Priority"), c.Priority, at)
	}
}

// missing gives the number after which events of the unit were told to nobody; false:
// none were.
func (k *known) missing(first uint64) (after uint64, some bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last, k.resumed && first > k.last+1
}

// happened takes an event: an alarm's states come from the journal's events, each with
// its own time. The lock is held.
func (k *known) happened(e alarm.Event) {
	if e.Number <= k.last {
		return
	}
	k.last = e.Number
	if k.resumed && e.Alarm != "" && e.From != e.To { // what was before is in the birth
		k.show(e.Alarm, e.To, e.Wall.UnixMilli())
	}
}

// show sets what an alarm's state says.
func (k *known) show(name string, s alarm.State, at int64) {
	k.set(alarmName(name, "State"), s.String(), at)
	k.set(alarmName(name, "Active"), s.Active(), at)
	k.set(alarmName(name, "Unacknowledged"), s.NeedsAck(), at)
}

// read takes a state. The lock is held.
func (k *known) read(s *now) {
	at := s.Clock.Time.UnixMilli()
	for _, every := range []time.Duration{time.Second, slow, k.every} {
		if k.due[every] = time.Since(k.told[every]) >= every; k.due[every] {
			k.told[every] = time.Now()
		}
	}
	k.set("Unit/Clock", s.Clock.Source, at)
	k.set("Health/Valid", s.Valid, at)
	k.set("Health/Reason", s.Reason, at)
	k.set("Health/Rate", number(s.Rate), at)
	k.set("Health/Latency", number(s.Latency), at)
	k.set("Health/Dropped", s.Dropped, at)
	k.set("Health/Availability", number(s.Available), at)
	k.set("Health/Temperature", number(s.Temperature), at)
	k.set("Health/Output test", s.Testing > 0, at)
	k.set("Health/Inhibited", s.Inhibit > 0, at)
	for _, f := range health.Faults() {
		i := f.Info()
		k.set(faultName(i), slices.ContainsFunc(s.Faults, func(f struct{ Code string }) bool { return f.Code == i.Code }), at)
	}
	if s.Last >= k.last {
		k.behind = time.Time{}
	} else if k.behind.IsZero() {
		k.behind = time.Now()
	}
	fresh := s.Last >= k.last || time.Since(k.behind) > 2*time.Second
	if fresh { // else its alarms are older than the events that came with it
		k.last = s.Last
		for _, a := range s.Alarms {
			var state alarm.State
			if state.UnmarshalText([]byte(a.State)) == nil {
				k.show(a.Name, state, at)
			}
			k.set(alarmName(a.Name, "Count"), a.Count, at)
		}
	}
	for i, on := range s.Outputs {
		if i < len(k.about.Outputs) {
			k.set("Outputs/"+k.about.Outputs[i], on, at)
		}
	}
	for i, on := range s.Inputs {
		if i < len(k.about.Inputs) {
			k.set("Inputs/"+k.about.Inputs[i], on, at)
		}
	}
	for i, l := range s.Levels {
		if i < len(k.about.Signals) {
			k.set("Levels/"+k.about.Signals[i].Name, number(l), at)
		}
	}
	if fresh {
		k.heard, k.resumed = true, true
	}
}

// number is what a level says; nil: it is not known.
func number(v *float64) any {
	if v == nil {
		return nil
	}
	return float32(*v)
}

// set gives a metric its value, and queues the change where it is one. The lock is held.
func (k *known) set(name string, value any, at int64) {
	i, found := k.index[name]
	if !found {
		return
	}
	s, m := &k.specs[i], &k.values[i]
	if m.value == value {
		return
	}
	if s.every > 0 && m.value != nil && value != nil {
		if !k.due[s.every] {
			return
		}
		if old, is := m.value.(float32); is && math.Abs(float64(old-value.(float32))) < s.band {
			return
		}
	}
	m.value, m.at = value, at
	if k.resumed && (s.keep || k.live) {
		k.push(*m)
	}
}

// push queues a change; the oldest goes where there are too many.
func (k *known) push(m metric) {
	for len(k.queue) >= k.most {
		if k.base >= k.taken {
			k.dropped++
		}
		k.queue, k.base = k.queue[1:], k.base+1
	}
	k.queue = append(k.queue, m)
}

// answer tells what became of a command.
func (k *known) answer(text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer k.ring()
	if i, found := k.index[nameAnswer]; found {
		k.values[i].value = nil // the same answer again is one too
	}
	k.set(nameAnswer, text, time.Now().UnixMilli())
}

// birth is what a session begins with.
type birth struct {
	number  int
	about   operator.About
	list    []metric // all that will be told
	specs   []spec
	history []metric // changes before it, the oldest first
	next    uint64   // number of the change that comes first after it
}

// begin gives a birth with the changes from a number on, and lets all changes be queued
// from here on; false: the unit is away.
func (k *known) begin(from uint64) (b birth, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.heard {
		return b, false
	}
	k.set(nameLost, k.dropped, time.Now().UnixMilli())
	k.live = true
	b = birth{number: k.births, about: k.about, list: slices.Clone(k.values), specs: k.specs, next: k.base + uint64(len(k.queue))}
	k.taken = max(k.taken, b.next)
	for _, m := range k.queue[max(from, k.base)-k.base:] {
		i, found := k.index[m.name]
		if found && !k.specs[i].keep {
			m.name = "" // the birth has its newest
		} else if !found && !slices.ContainsFunc(b.list, func(o metric) bool { return o.name == m.name }) {
			b.list = append(b.list, metric{name: m.name, kind: m.kind, at: m.at}) // no longer there, and still to be told of
		}
		b.history = append(b.history, m)
	}
	b.history = slices.DeleteFunc(b.history, func(m metric) bool { return m.name == "" })
	return b, true
}

// end says that the session is over: what is not confirmed is told again.
func (k *known) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.live = false
}

// after gives the changes from a number on, at most so many, and the number after them.
// again: the metrics are others, so a new birth comes first; away: the unit is.
func (k *known) after(from uint64, most int, births int) (list []metric, next uint64, again, away bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.heard {
		return nil, from, false, true
	}
	if k.births != births {
		return nil, from, true, false
	}
	k.set(nameLost, k.dropped, time.Now().UnixMilli())
	from = max(from, k.base)
	first := int(from - k.base)
	last := min(first+most, len(k.queue))
	k.taken = max(k.taken, k.base+uint64(last))
	list = slices.Clone(k.queue[first:last])
	slices.SortStableFunc(list, func(a, b metric) int { return int(max(-1, min(1, a.at-b.at))) })
	return list, k.base + uint64(last), false, false
}

// confirmed says that the broker has all changes before a number.
func (k *known) confirmed(next uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if next <= k.base {
		return
	}
	n := min(int(next-k.base), len(k.queue))
	k.queue, k.base = k.queue[n:], k.base+uint64(n)
	if len(k.queue) == 0 {
		k.queue = nil
	}
}

// state is what a session waits for: whether the unit is heard, and what it is called.
func (k *known) state() (unit, lost string, heard bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.unit, k.lost, k.heard
}

// clean is a name as a part of a topic.
func clean(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("+/#\x00", r) {
			return '_'
		}
		return r
	}, name)
}
