package drift

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mien/firmware/pilot"
	"mien/firmware/state"
	"mien/model/face"
)

// Options of a Watch.
type Options struct {
	Dir     string               // the folder of the recordings; "": nothing is kept, nor compared
	Reserve int64                // bytes that the disk keeps free for alarms and journal; 0 is 64 MiB
	Now     func() time.Duration // the unit's clock
	Wall    func() time.Time
	Pilot   func() pilot.Status
	Note    func(text string) // into the unit's journal; it may wait for the unit's lock
}

const (
	looksEvery = 2 * time.Second
	saveEvery  = 5 * time.Minute // a kill loses what is younger
	tableEvery = time.Minute
	tryAgain   = time.Minute // after the disk failed
	// A frame stands for the time since the one before, but for no longer than this.
	longestFrame = 2.0
	// The clock was set where it went otherwise than time by more than jump. In the
	// first while after a start that is how a machine without a clock of its own gets
	// the time, and harms no day.
	jump  = 5 * time.Minute
	while = 30 * time.Minute
	// tellPassed is after how many days in a row that do not count that is told.
	tellPassed = 10
	// DefaultDays is how many days a new baseline is made of, MostDays the most.
	DefaultDays = 10
	MostDays    = 60
)

// ErrOrder: a baseline cannot be made so.
var ErrOrder = errors.New("not a possible baseline")

// Watch sums up days, learns a baseline and compares. Its methods may be called from
// any goroutine; only Run waits for the disk.
type Watch struct {
	options Options
	wake    chan struct{}

	frame struct { // the frame's way; held for some additions
		sync.Mutex
		on   bool
		last time.Duration // of the frame before
		at   []int         // place of each signal in the levels
		day  *Day
	}

	mu       sync.Mutex // covers what is below
	kept     kept
	unit     string   // its name
	networks []string // SHA-256 of those in use
	network  string   // in words
	names    []string // of the quantities
	damaged  string   // why the file cannot be used, and is not written again
	other    bool     // it is another version's
	notes    []string
	done     uint64 // changes that are on the disk
	failed   error
	moved    chan struct{} // closed and made anew when done or failed changes

	// Written under mu, and read without it: the unit asks under its own lock.
	asked   atomic.Uint64 // changes that are to be on the disk
	table   atomic.Pointer[state.Drift]
	changed atomic.Pointer[Changed]
	trouble atomic.Pointer[string] // why nothing can be kept

	// Run's own.
	offset         time.Duration // of the wall clock
	even           time.Duration // since when it has gone evenly
	known          bool          // the two above are
	saved, retryAt time.Duration
	told           time.Duration // when the table was made
}

// Changed is what the fault says.
type Changed struct {
	Text  string // "": there is none
	About string // the quantities that it is about: while it is the same, so is the fault
}

// kept is what the file has.
type kept struct {
	Names    []string  `json:"names"` // in whose order Today and Learning are
	Networks []string  `json:"networks"`
	Unit     string    `json:"unit"` // its name
	Today    *Day      `json:"today,omitempty"`
	Learning *learning `json:"learning,omitempty"`
	Baseline *Baseline `json:"baseline,omitempty"`
	Course   Course    `json:"course"`
}

// learning is a baseline to be.
type learning struct {
	Learner
	Pilot time.Time `json:"pilot,omitzero"` // when the pilot began whose days these are; zero: a command's
	Began string    `json:"began"`          // date; that day is a part of one, and does not count
	Wants int       `json:"wants"`          // days; 0: those of the pilot
}

// New reads what was kept.
func New(o Options) *Watch {
	if o.Reserve == 0 {
		o.Reserve = reserve
	}
	w := &Watch{options: o, wake: make(chan struct{}, 1), moved: make(chan struct{})}
	w.frame.day = new(Day)
	w.changed.Store(new(Changed))
	w.trouble.Store(new(string))
	if o.Dir == "" {
		return w
	}
	if err := w.load(); err != nil {
		w.damaged = err.Error()
	}
	return w
}

// Configure takes over the unit's name, which networks are in use and which of their
// signals may be kept. Levels of Add are in the order of all.
func (w *Watch) Configure(unit string, networks []string, network string, all []string, may func(signal string) bool) {
	var signals []string
	var at []int
	for i, s := range all {
		if may(s) {
			signals, at = append(signals, s), append(at, i)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	names := Names(signals)
	w.unit, w.networks, w.network = unit, networks, network
	w.frame.Lock()
	defer w.frame.Unlock()
	k := &w.kept
	day := w.frame.day
	if k.Today != nil {
		day, k.Today = k.Today, nil
	}
	moved := k.Unit != "" && k.Unit != unit // the state folder came from another unit, or this one stands elsewhere
	other := moved || k.Networks != nil && !slices.Equal(k.Networks, networks)
	if other || k.Names == nil {
		*day = Day{Date: day.Date, Broken: other, Of: make([]Sum, len(names))}
		if l := k.Learning; l != nil {
			l.Learner, l.Began = Learner{}, date(w.options.Wall())
			what := "the network is another one"
			if moved {
				what = fmt.Sprintf("they are of the unit %q, and this is %q", k.Unit, unit)
			}
			w.note("drift: the days learnt so far do not count: " + what)
		}
	}
	if !slices.Equal(k.Names, names) && len(day.Of) == len(k.Names) {
		day.Of = inOrder(day.Of, k.Names, names)
		if l := k.Learning; l != nil && l.Of != nil {
			l.Of = inOrder(l.Of, k.Names, names)
		}
	}
	if len(day.Of) != len(names) {
		day.Of = make([]Sum, len(names))
	}
	if k.Baseline != nil && slices.Equal(k.Baseline.Networks, networks) {
		w.dropOthers(names)
	}
	k.Names, k.Networks, k.Unit, w.names = names, networks, unit, names
	w.frame.day, w.frame.at = day, at
	w.activeLocked()
	w.judge()
}

// inOrder brings sums into the order of other names; what has no name there is gone.
func inOrder[T any](list []T, from, to []string) []T {
	out := make([]T, len(to))
	for i, name := range to {
		if at := slices.Index(from, name); at >= 0 {
			out[i] = list[at]
		}
	}
	return out
}

// dropOthers takes out of the baseline what may no longer be kept.
func (w *Watch) dropOthers(names []string) {
	b, c := w.kept.Baseline, &w.kept.Course
	for i := len(b.Of) - 1; i >= 0; i-- {
		if slices.Contains(names, b.Of[i].Name) {
			continue
		}
		delete(c.Told, b.Of[i].Name)
		b.Of = slices.Delete(b.Of, i, i+1)
		for j := range c.Days {
			c.Days[j].Values = slices.Delete(c.Days[j].Values, i, i+1)
		}
	}
	b.prepare()
}

// activeLocked says whether frames are summed up: only where somebody has asked for
// a baseline. Both locks are held.
func (w *Watch) activeLocked() {
	w.frame.on = w.options.Dir != "" && (w.kept.Learning != nil || w.kept.Baseline != nil)
}

func (w *Watch) active() {
	w.frame.Lock()
	defer w.frame.Unlock()
	w.activeLocked()
}

// Add sums up a result with its levels. It allocates nothing and waits for nobody.
func (w *Watch) Add(f *pilot.Frame, levels []float32) {
	w.frame.Lock()
	defer w.frame.Unlock()
	if !w.frame.on {
		return
	}
	seconds := min((f.Now - w.frame.last).Seconds(), longestFrame)
	w.frame.last = f.Now
	if !f.Trusted || seconds <= 0 {
		return
	}
	d := w.frame.day
	missing := 0.0
	if f.Reason == face.Missing {
		missing = 1
	}
	d.Of[atReasons].Add(seconds, missing)
	if f.Reason == face.Missing {
		return
	}
	for i, r := range reasons[1:] {
		is := 0.0
		if f.Reason == r {
			is = 1
		}
		d.Of[atReasons+1+i].Add(seconds, is)
	}
	d.Of[atLight].Add(seconds, float64(f.Light))
	d.Of[atContrast].Add(seconds, float64(f.Contrast))
	d.Of[atSize].Add(seconds, float64(f.Size))
	d.Of[atScore].Add(seconds, float64(f.Score))
	if f.Reason != face.Good {
		return
	}
	d.Read += seconds
	signals := d.Of[atReasons+len(reasons):]
	for i, at := range w.frame.at {
		if l := levels[at]; l == l {
			signals[i].Add(seconds, float64(l))
		}
	}
}

// Run keeps days until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	t := time.NewTicker(looksEvery)
	defer t.Stop()
	for {
		w.Look()
		select {
		case <-ctx.Done():
			w.save()
			return nil
		case <-t.C:
		case <-w.wake:
		}
	}
}

// Look does what is due, and so Run calls it every two seconds.
func (w *Watch) Look() {
	now, wall := w.options.Now(), w.options.Wall()
	w.mu.Lock()
	w.pilotIs(wall)
	w.day(now, wall)
	if w.table.Load() == nil || now-w.told >= tableEvery {
		w.told = now
		w.tell()
	}
	notes := w.notes
	w.notes = nil
	due := w.asked.Load() != w.done || now-w.saved >= saveEvery && (w.kept.Learning != nil || w.kept.Baseline != nil)
	w.mu.Unlock()
	for _, text := range notes {
		w.options.Note(text)
	}
	if due && now >= w.retryAt {
		w.save()
	}
}

// pilotIs begins to learn with a pilot, and makes a baseline when it has ended.
// The lock is held.
func (w *Watch) pilotIs(wall time.Time) {
	p, l := w.options.Pilot(), w.kept.Learning
	switch {
	case p.Recording && (l == nil || !l.Pilot.Equal(p.Begun)):
		w.learn(&learning{Pilot: p.Begun, Began: date(wall)})
		w.note("drift: the days of this pilot become the baseline; until it ends nothing is compared")
	case l == nil:
	case !p.Recording && !l.Pilot.IsZero(), l.Wants > 0 && l.Days >= l.Wants:
		w.learnt(wall)
	}
}

func (w *Watch) note(text string) { w.notes = append(w.notes, text) }

// learn begins a baseline. The lock is held.
func (w *Watch) learn(l *learning) {
	w.damaged = ""
	w.kept.Learning = l
	w.active()
	w.ask()
}

// ask notes that what is kept has changed. The lock is held.
func (w *Watch) ask() {
	w.asked.Add(1)
	w.judge()
	w.tell()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// learnt ends that days are learnt, and compares from here on.
func (w *Watch) learnt(wall time.Time) {
	l := w.kept.Learning
	w.kept.Learning = nil
	b := l.Baseline(w.names)
	switch {
	case b != nil:
		b.Unit, b.Networks, b.Network, b.Made, b.By = w.unit, w.networks, w.network, wall.UTC(), "pilot"
		if l.Pilot.IsZero() {
			b.By = "command"
		}
		w.kept.Baseline, w.kept.Course = b, Course{}
		w.note(fmt.Sprintf("drift: days are compared from now on with a baseline of %d days, from %s to %s", b.Days, b.First, b.Last))
	case w.kept.Baseline != nil:
		w.note(fmt.Sprintf("drift: no new baseline, the one before stays: %s", needs(&l.Learner)))
	default:
		w.note("drift: no baseline: " + needs(&l.Learner))
	}
	w.active()
	w.ask()
}

// needs says how much is missing.
func needs(l *Learner) string {
	return fmt.Sprintf("%d days count, and it needs %d more; mien pilot baseline learns from the days to come", l.Days, max(Fewest-l.Days, 0))
}

// day ends a day when its date is over.
func (w *Watch) day(now time.Duration, wall time.Time) {
	offset := time.Duration(wall.UnixNano()) - now
	set := false
	if !w.known {
		w.known, w.offset, w.even = true, offset, now
	}
	if (offset - w.offset).Abs() > jump {
		set = now-w.even > while
		w.even = now
	}
	w.offset = offset
	is := date(wall)
	w.frame.Lock()
	d := w.frame.day
	d.Broken = d.Broken || set
	over := d.Date != "" && d.Date != is
	if over {
		w.frame.day = &Day{Date: is, Broken: set, Of: make([]Sum, len(d.Of))}
	}
	d.Date = first(d.Date, is)
	w.frame.Unlock()
	if !over {
		return
	}
	switch l := w.kept.Learning; {
	case l != nil:
		if d.Date != l.Began {
			l.Day(w.names, d)
		}
	case w.usable():
		c := &w.kept.Course
		if c.Day(w.kept.Baseline, w.names, d); c.Row > 0 && c.Row%tellPassed == 0 {
			w.note(fmt.Sprintf("drift: none of the last %d days was compared with the pilot: %s", c.Row, c.Why))
		}
	default:
		return
	}
	w.ask()
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// usable tells whether days can be compared.
func (w *Watch) usable() bool {
	b := w.kept.Baseline
	return b != nil && !w.elsewhere() && slices.Equal(b.Networks, w.networks)
}

// elsewhere tells whether the baseline is of a unit with another name.
func (w *Watch) elsewhere() bool {
	b := w.kept.Baseline
	return b != nil && b.Unit != "" && b.Unit != w.unit
}

func date(t time.Time) string { return t.Local().Format(time.DateOnly) }

// judge says what the fault is, if there is one. The lock is held.
func (w *Watch) judge() {
	c := new(Changed)
	defer w.changed.Store(c)
	b := w.kept.Baseline
	switch {
	case w.damaged != "":
		*c = Changed{"nothing is compared: " + w.damaged + "; mien pilot baseline makes a new one", "damaged"}
	case w.kept.Learning != nil || b == nil:
	case w.elsewhere():
		*c = Changed{fmt.Sprintf("nothing is compared: the baseline is of the unit %q, and this is %q; mien pilot baseline makes a new one", b.Unit, w.unit), "unit"}
	case !w.usable():
		*c = Changed{fmt.Sprintf("nothing is compared: the baseline is of another network, %s, and this is %s; mien pilot baseline makes a new one", b.Network, w.network), "network"}
	default:
		var list []string
		for i := range b.Of {
			n := &b.Of[i]
			since, on := w.kept.Course.Told[n.Name]
			if !on {
				continue
			}
			c.About += n.Name + ","
			mean, _ := w.kept.Course.mean(i, max(w.kept.Course.over(n, i, 0.5), 1))
			list = append(list, fmt.Sprintf("%s since %s: %s in place of %s", n.Name, since, n.kind.text(mean), n.kind.text(n.Mean)))
		}
		const most = 3
		if len(list) > most {
			list = append(list[:most], fmt.Sprintf("and %d more: mien pilot drift has them all", len(list)-most))
		}
		c.Text = strings.Join(list, "; ")
	}
}

// text is a mean, which is on the kind's scale, in words.
func (k Kind) text(y float64) string {
	v := k.back(y)
	switch k {
	case Share:
		return fmt.Sprintf("%.1f %%", 100*v)
	case Luma:
		return fmt.Sprintf("%.0f", v)
	case Pixels:
		return fmt.Sprintf("%.0f pixels", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// Changed says what has changed.
func (w *Watch) Changed() Changed { return *w.changed.Load() }

// Trouble says why nothing can be kept, "" where it can.
func (w *Watch) Trouble() string { return *w.trouble.Load() }

// Table is what is known, made anew every minute; nil: not yet.
func (w *Watch) Table() *state.Drift { return w.table.Load() }

// Learn begins a new baseline of so many days to come, 0 for DefaultDays; the one
// before is replaced when they are there. It gives a line for the journal.
func (w *Watch) Learn(days int) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if days == 0 {
		days = DefaultDays
	}
	w.pilotIs(w.options.Wall()) // one may have ended just now
	l := w.kept.Learning
	switch {
	case w.options.Dir == "":
		return "", fmt.Errorf("%w: the unit has no state folder", ErrOrder)
	case days < Fewest || days > MostDays:
		return "", fmt.Errorf("%w: it takes from %d to %d days, not %d", ErrOrder, Fewest, MostDays, days)
	case l != nil && !l.Pilot.IsZero():
		return "", fmt.Errorf("%w: a pilot is recording, and its days become the baseline", ErrOrder)
	}
	w.learn(&learning{Began: date(w.options.Wall()), Wants: days})
	return fmt.Sprintf("drift: a new baseline is learnt from tomorrow on, from %d days that count; until then nothing is compared", days), nil
}

// Erase erases the baseline and the sums of days; idle: there was nothing.
func (w *Watch) Erase() (text string, idle bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.damaged == "" && w.kept.Learning == nil && w.kept.Baseline == nil {
		return "drift: there is no baseline to erase", true
	}
	w.damaged = ""
	w.kept = kept{Names: w.names, Networks: w.networks, Unit: w.unit}
	w.clear()
	w.ask()
	return "drift: the baseline and the sums of days are erased", false
}

// Erased says that the recordings are erased: a pilot that goes on is no baseline.
func (w *Watch) Erased() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if l := w.kept.Learning; l != nil && !l.Pilot.IsZero() {
		w.kept.Learning = nil
		w.clear()
		w.ask()
	}
}

// clear begins the day at hand anew.
func (w *Watch) clear() {
	w.frame.Lock()
	defer w.frame.Unlock()
	w.frame.day = &Day{Date: w.frame.day.Date, Broken: true, Of: make([]Sum, len(w.names))}
	w.activeLocked()
}

// Asked is the number of the newest change, for Wait.
func (w *Watch) Asked() uint64 { return w.asked.Load() }

// Wait returns when a change is on the disk, or with the reason why not: at once
// where the disk fails, else after most.
func (w *Watch) Wait(change uint64, most time.Duration) error {
	return pilot.Await("the baseline's folder", most, func() (bool, error, <-chan struct{}) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.done >= change, w.failed, w.moved
	})
}
