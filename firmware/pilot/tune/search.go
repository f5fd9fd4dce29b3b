package tune

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Result is what a search found. Figures are of 95 % intervals; they are NaN where
// nothing can be said.
type Result struct {
	Signal    string
	Below     bool
	Enough    bool
	Needs     []Said    // why not
	Best      Candidate // recommended only where that is enough
	False     Interval  // a shift
	Missed    Interval  // share of true events
	Cost      Interval  // a shift
	Doubt     float64   // how much more than the best possible it may cost, as a share
	Events    Interval  // true events a shift
	Sessions  int       // with observed time
	Hours     float64   // observed
	Present   int       // true events observed
	Notes     []Said    // what a reader of the figures should know
	InForce   *Figures  // of Options.InForce
	ByLimit   []Figures
	BySession []SessionFigures
}

// Figures are those of one candidate over all sessions. It was not chosen by them,
// or its figures are too good: that is for curves.
type Figures struct {
	Candidate
	False, Missed, Cost Interval
}

// SessionFigures are what the candidate that was chosen on all other sessions did
// in this one.
type SessionFigures struct {
	Name    string
	Drill   bool
	Hours   float64 // observed
	Unread  float64 // share of them without a level
	Present int
	Missed  int
	False   int
	Chosen  Candidate
}

const (
	fewestEvents   = 5
	fewestSessions = 3
)

// Search finds the alarm. The error says what is wrong with what it was given; too
// little of it is no error. It reads the source twice.
func Search(source Source, o Options) (*Result, error) {
	if err := o.whole(); err != nil {
		return nil, err
	}
	first, err := look(source, o)
	if err != nil {
		return nil, err
	}
	r := &Result{Signal: o.Signal, Below: o.Below}
	r.count(first, o)
	if needs := r.lacks(first, o); len(needs) > 0 {
		r.refuse(needs)
		return r, nil
	}
	t := &table{options: o, events: r.Events.Value}
	low, high, longest := first.between()
	t.grid = newGrid(low, high, longest, first.frames, o.Below, o.Windows)
	list := t.grid.candidates()
	if o.InForce != nil {
		list = append(list, *o.InForce)
	}
	t.contest = newContest(list, o.Below)
	next := 0
	err = t.fill(source, func(s *Session) (observed, error) {
		if next++; next > len(first.sessions) || s.Name != first.sessions[next-1].name {
			return observed{}, fmt.Errorf("session %q was not there in the first reading", s.Name)
		}
		return first.sessions[next-1], s.check()
	})
	if err == nil && next < len(first.sessions) {
		err = fmt.Errorf("session %q is not there in the second reading", first.sessions[next].name)
	}
	if err != nil {
		return nil, err
	}
	t.judge(r)
	return r, nil
}

// Score gives the figures of candidates over all sessions, with the true events a
// shift. It chooses nothing: a candidate that was found on the same sessions looks
// better than it is. It reads the source once.
func Score(source Source, list []Candidate, o Options) ([]Figures, Interval, error) {
	if err := o.whole(); err != nil {
		return nil, none, err
	}
	all := &seen{names: make(map[string]bool)}
	t := &table{options: o, contest: newContest(list, o.Below)}
	if err := t.fill(source, func(s *Session) (observed, error) { return all.session(s, o) }); err != nil {
		return nil, none, err
	}
	r := &Result{}
	r.count(all, o)
	t.events = r.Events.Value
	figures := make([]Figures, len(list))
	for c := range list {
		figures[c] = t.plain(c, r.Events)
	}
	return figures, r.Events, nil
}

// seen is what one look at all sessions gives.
type seen struct {
	sessions   []observed
	absent     thinned // levels, with the sign turned for a low limit
	present    thinned
	longest    []time.Duration
	frames     int
	slow       int // sessions whose frames are too far apart to judge
	unseen     int
	unobserved int
	names      map[string]bool
}

func look(source Source, o Options) (*seen, error) {
	all := &seen{names: make(map[string]bool)}
	err := source(func(s *Session) error {
		ob, err := all.session(s, o)
		if err != nil {
			return err
		}
		all.frames += len(s.At)
		all.longest = append(all.longest, ob.lengths...)
		k := 0
		for i, level := range s.Level {
			for k < len(s.Spans) && s.Spans[k].To < s.At[i] {
				k++
			}
			if k == len(s.Spans) {
				break
			}
			if level != level || s.At[i] < s.Spans[k].From {
				continue
			}
			if o.Below {
				level = -level
			}
			if s.Spans[k].Present {
				all.present.add(level)
			} else {
				all.absent.add(level)
			}
		}
		return nil
	})
	return all, err
}

// session takes the next session, and gives what of it counts.
func (a *seen) session(s *Session, o Options) (observed, error) {
	if err := s.check(); err != nil {
		return observed{}, err
	}
	if a.names[s.Name] {
		return observed{}, fmt.Errorf("session %q comes twice", s.Name)
	}
	a.names[s.Name] = true
	ob := s.observe(o)
	a.unseen += ob.unseen
	if ob.watched == 0 {
		a.unobserved++
		if n := len(s.At); n > 1 && len(s.Spans) > 0 && (s.At[n-1]-s.At[0])/time.Duration(n-1) > o.Stale {
			a.slow++
		}
	}
	a.sessions = append(a.sessions, ob)
	return ob, nil
}

// between gives the levels between which limits are looked for, and the longest
// on-delay that most true events outlast.
func (a *seen) between() (low, high float64, longest time.Duration) {
	low, high = a.absent.quantile(0.75), a.present.quantile(0.995)
	if high <= low {
		low, high = min(low, high), max(low, high)
	}
	slices.Sort(a.longest)
	return low, high, a.longest[len(a.longest)/2]
}

// count sets what does not depend on a candidate.
func (r *Result) count(a *seen, o Options) {
	var events, shifts []float64
	for _, ob := range a.sessions {
		if ob.watched == 0 {
			continue
		}
		r.Sessions++
		r.Hours += ob.watched.Hours()
		r.Present += len(ob.present)
		if !ob.drill {
			events = append(events, float64(len(ob.present)))
			shifts = append(shifts, float64(ob.exposure)/float64(o.Shift))
		}
	}
	r.Events = rate(events, shifts)
	if o.Events > 0 {
		r.Events = Interval{o.Events, o.Events, o.Events}
	}
	if a.unobserved > 0 {
		r.Notes = append(r.Notes, say(noteUnobserved, a.unobserved, len(a.sessions)))
	}
	if a.slow > 0 {
		r.Notes = append(r.Notes, say(noteSlow, a.slow, o.Stale))
	}
	if a.unseen > 0 {
		r.Notes = append(r.Notes, say(noteUnseen, a.unseen))
	}
	if drills := len(a.sessions) - a.unobserved - len(events); drills > 0 && len(events) > 0 {
		r.Notes = append(r.Notes, say(noteDrills, drills))
	}
	r.False, r.Missed, r.Cost, r.Doubt = none, none, none, math.NaN()
}

var none = Interval{math.NaN(), math.NaN(), math.NaN()}

// lacks says what is missing for any search at all.
func (r *Result) lacks(a *seen, o Options) []Said {
	var needs []Said
	if a.slow > 0 && r.Sessions == 0 {
		needs = append(needs, say(needFrames, a.slow, o.Stale))
	}
	if r.Present < fewestEvents {
		needs = append(needs, say(needEvents, fewestEvents-r.Present, r.Present, fewestEvents))
	}
	if r.Sessions < fewestSessions {
		needs = append(needs, say(needSessions, fewestSessions-r.Sessions, r.Sessions, fewestSessions))
	}
	absent := false
	for _, ob := range a.sessions {
		absent = absent || len(ob.absent) > 0 && ob.exposure > 0
	}
	if !absent {
		needs = append(needs, say(needAbsent))
	}
	if !(r.Events.Value > 0) && r.Present > 0 {
		needs = append(needs, say(needRate))
	}
	if len(needs) == 0 && (len(a.absent.values) == 0 || len(a.present.values) == 0) {
		needs = append(needs, say(needLevels))
	}
	return needs
}

func (r *Result) refuse(needs []Said) { r.Enough, r.Needs = false, needs }

// fill scores all candidates in all sessions that count, on all processors. see says
// what of a session counts.
func (t *table) fill(source Source, see func(*Session) (observed, error)) error {
	type job struct {
		s   *Session
		ob  observed
		out *tally
	}
	jobs := make(chan job)
	var done []*tally
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			sc := &scorer{contest: t.contest, options: t.options}
			for j := range jobs {
				*j.out = sc.score(j.s, j.ob)
			}
		})
	}
	err := source(func(s *Session) error {
		ob, err := see(s)
		if err != nil || ob.watched == 0 {
			return err
		}
		done = append(done, new(tally))
		jobs <- job{s, ob, done[len(done)-1]}
		t.sessions = append(t.sessions, ob)
		t.shifts = append(t.shifts, float64(ob.exposure)/float64(t.options.Shift))
		t.present = append(t.present, float64(len(ob.present)))
		return nil
	})
	close(jobs)
	wg.Wait()
	for _, k := range done {
		t.tallies = append(t.tallies, *k)
	}
	return err
}

// judge chooses on all sessions, scores on those left out, and says whether that
// is enough.
func (t *table) judge(r *Result) {
	t.smooth()
	all := t.newSums()
	for s := range t.sessions {
		t.add(all, s, 1)
	}
	var whole choice
	t.choose(all, &whole)

	falses, missed := make([]float64, len(t.sessions)), make([]float64, len(t.sessions))
	var fold choice
	for s, ob := range t.sessions {
		t.add(all, s, -1)
		t.choose(all, &fold)
		t.add(all, s, 1)
		k := &t.tallies[s]
		falses[s], missed[s] = float64(k.falses[fold.best]), float64(k.missed[fold.best])
		r.BySession = append(r.BySession, SessionFigures{Name: ob.name, Drill: ob.drill, Hours: ob.watched.Hours(),
			Unread: float64(ob.unread) / float64(ob.watched), Present: len(ob.present),
			Missed: int(missed[s]), False: int(falses[s]), Chosen: t.contest.list[fold.best]})
	}
	// What is promised is of the alarm that is recommended. Scored on others were alarms
	// that are not quite it, and on all sessions it looks better than it is: the intervals
	// hold both.
	f, own := t.figures(falses, missed, r.Events), t.plain(whole.best, r.Events)
	r.False, r.Missed, r.Cost = f.False.reach(own.False), f.Missed.reach(own.Missed), f.Cost.reach(own.Cost)
	r.Doubt = t.doubt(&whole)
	r.Best = t.contest.list[whole.best]

	if t.options.InForce != nil {
		x := t.plain(t.grid.size(), r.Events)
		r.InForce = &x
	}
	r.ByLimit = t.byLimit(whole.best, r.Events)

	var needs []Said
	o := t.options
	if !whole.allowed || r.False.High > o.MostFalse {
		needs = append(needs, t.moreHours(r))
	}
	if whole.allowed && r.Doubt > o.MostDoubt {
		n := float64(len(t.sessions))
		needs = append(needs, say(needChoice, len(t.sessions), 100*r.Doubt, Figure(100*o.MostDoubt), math.Ceil(n*r.Doubt/o.MostDoubt-n)))
	}
	if silent := o.CostMissed * t.events; len(needs) == 0 && r.Cost.Value >= silent {
		needs = append(needs, say(needSignal, Figure(silent), Figure(r.Cost.Value)))
	}
	if len(needs) > 0 {
		r.refuse(needs)
		return
	}
	r.Enough = true
}

// figures are those of counts by session.
func (t *table) figures(falses, missed []float64, events Interval) Figures {
	var f Figures
	f.False = rate(falses, t.shifts)
	f.Missed = share(missed, t.present)
	f.Cost = f.False.times(t.options.CostFalse).plus(f.Missed.of(events).times(t.options.CostMissed))
	return f
}

// plain are the figures of one candidate in all sessions.
func (t *table) plain(c int, events Interval) Figures {
	falses, missed := make([]float64, len(t.sessions)), make([]float64, len(t.sessions))
	for s := range t.sessions {
		falses[s], missed[s] = float64(t.tallies[s].falses[c]), float64(t.tallies[s].missed[c])
	}
	f := t.figures(falses, missed, events)
	f.Candidate = t.contest.list[c]
	return f
}

// byLimit are the figures of all limits with the deadband and delays of a candidate.
func (t *table) byLimit(c int, events Interval) []Figures {
	from := c - c%len(t.grid.limits)
	var list []Figures
	for l := range t.grid.limits {
		list = append(list, t.plain(from+l, events))
	}
	return list
}

// moreHours says how much must be observed before so few false alarms are proven.
func (t *table) moreHours(r *Result) Said {
	o := t.options
	found := []any{Figure(o.MostFalse), Figure(r.False.Value), Figure(r.False.Low), Figure(r.False.High), Figure(r.Hours)}
	if r.False.Value >= o.MostFalse {
		return say(needOther, found...)
	}
	shifts := sum(t.shifts)
	for more := 1.1; more <= 1000; more *= 1.1 {
		if _, high := poisson(r.False.Value * shifts * more); high/(shifts*more) <= o.MostFalse {
			return say(needHours, append(found, shifts*(more-1)*o.Shift.Hours())...)
		}
	}
	return say(needMuchMore, found...)
}
