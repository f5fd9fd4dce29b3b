package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/gonum/mathext"

	"mien/firmware/alarm"
	"mien/firmware/chart"
	"mien/firmware/pilot"
	"mien/firmware/pilot/tune"
)

// Options of a report.
type Options struct {
	Export pilot.Export
	// Read reads the recordings once, for also and for what is known of the truth. It gives
	// the sessions of a signal; nil: nothing is known of any.
	Read     func(also pilot.Visitor) (*pilot.Replayed, func(signal string) tune.Source, error)
	Tune     tune.Options // but for the signal and the alarm in force
	Language string
	Made     time.Time // when the report was made; zero: it does not say
	Money    string    // what costs are in, "EUR"
	Shifts   float64   // a year; 0: no yearly figures
	Own      float64   // what the unit costs a year
	Who      string    // acknowledges; "": left to be filled in by hand, as the next ones
	Within   string
	Else     string
}

//go:embed report.html
var page string

// Write writes the report on recordings of one pilot as HTML.
func Write(w io.Writer, o Options) error {
	lang, err := language(o.Language)
	if err != nil {
		return err
	}
	if o.Export.In == nil {
		o.Export.In = time.Local
	}
	g := newGatherer(o)
	sum, source, err := o.Read(g.visitor())
	if err != nil {
		return err
	}
	g.files, g.damage, g.differs, g.dropped = sum.Files, sum.Damage, sum.Differs, sum.Dropped
	g.finish()
	r := &writer{gathered: g.gathered, Options: o, lang: lang, source: source}
	for _, a := range g.alarms {
		part, err := r.alarm(a)
		if err != nil {
			return fmt.Errorf("alarm %s: %w", a.def.Name, err)
		}
		r.parts = append(r.parts, part)
	}
	return r.write(w)
}

func (r *writer) write(w io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{"t": r.text}).Parse(page)
	if err != nil {
		return err
	}
	return t.Execute(w, r.view())
}

type writer struct {
	*gathered
	Options
	lang   int
	parts  []part
	source func(signal string) tune.Source
}

// text gives a text in the report's language; an unknown one is an error of ours.
func (r *writer) text(key string) (string, error) {
	t, ok := texts[key]
	if !ok {
		return "", fmt.Errorf("there is no text %q", key)
	}
	return t[r.lang], nil
}

func (r *writer) say(key string) string { return texts[key][r.lang] }

// part is what is told of one alarm.
type part struct {
	Name, Signal                           string
	Raised, Right, False, Unmarked, Missed int
	Several, Nothing                       bool
	Notes                                  []string
	Needs                                  []string
	Rows                                   []row
	Curve                                  template.HTML
	result                                 *tune.Result
}

type row struct{ Name, Limit, Deadband, On, Off, False, Missed, Cost string }

func (r *writer) alarm(a *alarmSeen) (part, error) {
	p := part{Name: a.def.Name, Raised: a.raised, Right: a.right, False: a.falses, Unmarked: a.not, Missed: a.missed}
	switch {
	case len(a.def.Conditions) != 1:
		p.Several = true
		return p, nil
	case r.source == nil:
		p.Nothing = true
		return p, nil
	}
	c := a.def.Conditions[0]
	o := r.Tune
	p.Signal, o.Signal, o.Below = c.Signal, c.Signal, c.Side == alarm.Below
	o.Hold = a.def.UnknownHold
	o.InForce = &tune.Candidate{Limit: rounded(c.Limit), Deadband: rounded(c.Deadband), OnDelay: a.def.OnDelay, OffDelay: a.def.OffDelay}
	known := false
	source := func(yield func(*tune.Session) error) error {
		return r.source(c.Signal)(func(s *tune.Session) error {
			known = known || len(s.Spans) > 0
			return yield(s)
		})
	}
	result, err := tune.Search(source, o)
	if err != nil && known {
		return p, err
	}
	if !known {
		p.Nothing = true
		return p, nil
	}
	p.result = result
	for _, n := range result.Notes {
		p.Notes = append(p.Notes, tell(n, r.lang))
	}
	line := func(name string, c tune.Candidate, shown bool, f, m, k tune.Interval) {
		x := row{Name: name, Limit: "-", Deadband: "-", On: "-", Off: "-", False: between(f, 1), Missed: between(scaled(m, 100), 1) + " %", Cost: strings.TrimSpace(between(k, 1) + " " + r.Money)}
		if shown {
			x.Limit, x.Deadband, x.On, x.Off = fmt.Sprintf("%.4g", c.Limit), fmt.Sprintf("%.4g", c.Deadband), c.OnDelay.String(), c.OffDelay.String()
		}
		p.Rows = append(p.Rows, x)
	}
	if f := result.InForce; f != nil {
		line(r.say("in_force"), f.Candidate, true, f.False, f.Missed, f.Cost)
	}
	if result.Enough {
		line(r.say("found"), result.Best, true, result.False, result.Missed, result.Cost)
	} else {
		for _, n := range result.Needs {
			p.Needs = append(p.Needs, tell(n, r.lang))
		}
	}
	p.Curve, err = r.curve(result)
	return p, err
}

// rounded undoes that a limit is held in single precision: 0.6 is told as 0.6.
func rounded(x float32) float64 { return math.Round(float64(x)*1e6) / 1e6 }

func scaled(x tune.Interval, by float64) tune.Interval {
	return tune.Interval{Value: x.Value * by, Low: x.Low * by, High: x.High * by}
}

func between(x tune.Interval, by float64) string {
	if math.IsNaN(x.Value) {
		return "-"
	}
	return fmt.Sprintf("%s [%s - %s]", tune.Figure(x.Value*by), tune.Figure(x.Low*by), tune.Figure(x.High*by))
}

// curve draws cost against limit.
func (r *writer) curve(result *tune.Result) (template.HTML, error) {
	var points, low, high []chart.Point
	top := 0.0
	for _, f := range result.ByLimit {
		if math.IsNaN(f.Cost.Value) || math.IsInf(f.Cost.Value, 0) {
			continue
		}
		points = append(points, chart.Point{X: f.Limit, Y: f.Cost.Value})
		low, high = append(low, chart.Point{X: f.Limit, Y: f.Cost.Low}), append(high, chart.Point{X: f.Limit, Y: f.Cost.High})
	}
	if len(points) < 2 {
		return "", nil
	}
	// The worst limits cost so much that the best ones could not be told apart.
	costs := make([]float64, len(points))
	for i, p := range points {
		costs[i] = p.Y
	}
	slices.Sort(costs)
	top = max(4*costs[0], costs[len(costs)/2]) * 1.3
	if !(top > 0) {
		top = 1
	}
	c := chart.New(860, 260, chart.Range{Low: points[0].X, High: points[len(points)-1].X}, chart.Range{High: top})
	c.XLabel, c.YLabel, c.Name = r.say("limit"), strings.TrimSpace(r.say("cost_shift")+" "+r.Money), r.say("cost_curve")
	for i := range points {
		from, to := points[i].X, points[i].X
		if i > 0 {
			from = (points[i-1].X + from) / 2
		}
		if i+1 < len(points) {
			to = (points[i+1].X + to) / 2
		}
		name := ""
		if i == 0 {
			name = "95 %"
		}
		c.Band(chart.Point{X: from, Y: min(low[i].Y, top)}, chart.Point{X: to, Y: min(high[i].Y, top)}, "#9fc5d6", 0.6, name)
	}
	for i := range points {
		points[i].Y = min(points[i].Y, top)
	}
	c.Line(points, chart.Stroke{Colour: "#1c6e8c", Width: 1.8}, r.say("cost_shift"))
	type at struct {
		x            float64
		name, colour string
	}
	var marks []at
	if f := result.InForce; f != nil {
		marks = append(marks, at{f.Limit, r.say("now"), "#8a5a00"})
	}
	if result.Enough {
		marks = append(marks, at{result.Best.Limit, r.say("best"), "#1c6e3c"})
	}
	slices.SortFunc(marks, func(a, b at) int { return int(math.Copysign(1, a.x-b.x)) })
	for _, m := range marks {
		if m.x >= points[0].X && m.x <= points[len(points)-1].X {
			c.Mark(m.x, m.name, m.colour)
		}
	}
	return drawn(c)
}

func drawn(c *chart.Chart) (template.HTML, error) {
	var b strings.Builder
	err := c.WriteSVG(&b)
	return template.HTML(b.String()), err // chart escapes what it is given
}

// timeline draws when alarms came: a line a session.
func (r *writer) timeline() (template.HTML, error) {
	n := len(r.sessions)
	if n == 0 {
		return "", nil
	}
	colours := []string{"#1c6e8c", "#b0413e", "#6b8e23", "#8a5a00", "#6a4c93", "#2f4f4f"}
	most := r.Export.Shift.Hours()
	for _, s := range r.sessions { // a night may have an hour more
		most = max(most, s.ends.Sub(s.begins).Hours())
	}
	c := chart.New(860, 60+24*float64(n), chart.Range{High: most}, chart.Range{High: float64(n)})
	c.XLabel, c.Name, c.YTicks = "h", r.say("timeline"), []chart.Tick{}
	named := map[string]bool{}
	for i, s := range r.sessions {
		y := float64(n-i) - 0.5
		c.YTicks = append(c.YTicks, chart.Tick{At: y, Text: s.name})
		c.Line([]chart.Point{{X: 0, Y: y}, {X: s.ends.Sub(s.begins).Hours(), Y: y}}, chart.Stroke{Colour: "#d5dbe0"}, "")
		for _, a := range s.raised {
			k := slices.IndexFunc(r.alarms, func(x *alarmSeen) bool { return x.def.Name == a.alarm })
			colour := colours[max(k, 0)%len(colours)]
			name := a.alarm
			if named[name] {
				name = ""
			}
			named[a.alarm] = true
			from := a.from.Sub(s.begins).Hours()
			to := max(a.to.Sub(s.begins).Hours(), from+most/400) // to be seen
			c.Band(chart.Point{X: from, Y: y - 0.32}, chart.Point{X: min(to, most), Y: y + 0.32}, colour, 0.85, name)
		}
	}
	return drawn(c)
}

type groupView struct {
	Title   string
	Rows    []groupRow
	Warning string
}

type groupRow struct{ Name, Hours, Read, Raised, Falses, Rate string }

func (r *writer) groupViews() []groupView {
	var out []groupView
	for _, kind := range []string{"shift", "tag", "light", "cover"} {
		if kind == "tag" && len(r.groups[kind]) == 0 {
			continue
		}
		v := groupView{Title: r.say("by_" + kind)}
		for _, g := range r.groups[kind] {
			if g.seen == 0 && g.raised == 0 {
				continue
			}
			name := g.name
			if kind == "cover" {
				name = r.say("cover_" + name)
			}
			if name == "" {
				name = r.say("tag_none")
			}
			v.Rows = append(v.Rows, groupRow{name, hours(g.seen), percent(g.read, g.seen), fmt.Sprint(g.raised), fmt.Sprint(g.falses), tune.Figure(float64(g.falses) / max(g.read.Hours(), 1e-9))})
		}
		if p := differ(r.groups[kind]); p < 0.01 {
			v.Warning = fmt.Sprintf("%s %.2g)", r.say("warning"), p)
		}
		out = append(out, v)
	}
	return out
}

// differ is the probability of groups that differ so much in their rate of false
// alarms if all had the same: Pearson's chi-square of the counts against the time in
// which a face could be read. Groups in which less than one is expected are left out,
// as the test is not made for them.
func differ(groups []*group) float64 {
	total, time := 0.0, 0.0
	for _, g := range groups {
		total, time = total+float64(g.falses), time+g.read.Hours()
	}
	if total == 0 || time == 0 {
		return 1
	}
	sum, n := 0.0, 0
	for _, g := range groups {
		if want := total * g.read.Hours() / time; want >= 1 {
			sum += (float64(g.falses) - want) * (float64(g.falses) - want) / want
			n++
		}
	}
	if n < 2 {
		return 1
	}
	return mathext.GammaIncRegComp(float64(n-1)/2, sum/2)
}

func hours(d time.Duration) string { return fmt.Sprintf("%.1f", d.Hours()) }

func percent(part, of time.Duration) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*part.Seconds()/of.Seconds())
}

type yearView struct{ Alarm, Without, With, Own, Benefit string }

// years are what the recommended settings bring in a year.
func (r *writer) years() []yearView {
	var out []yearView
	if r.Shifts == 0 {
		return nil
	}
	for _, p := range r.parts {
		x := p.result
		if x == nil || !x.Enough {
			continue
		}
		without := scaled(x.Events, r.Tune.CostMissed*r.Shifts)
		with := scaled(x.Cost, r.Shifts)
		// Each bound is taken at its worst, so that the benefit is not promised too high.
		benefit := tune.Interval{Value: without.Value - with.Value - r.Own, Low: without.Low - with.High - r.Own, High: without.High - with.Low - r.Own}
		out = append(out, yearView{p.Name, r.money(without), r.money(with), strings.TrimSpace(fmt.Sprintf("%.0f %s", r.Own, r.Money)), r.money(benefit)})
	}
	return out
}

// noYears says of each alarm without a yearly figure why there is none, and what would
// help.
func (r *writer) noYears() []pair {
	if r.Shifts == 0 {
		return []pair{{"", r.say("year_shifts")}}
	}
	var out []pair
	for _, p := range r.parts {
		switch {
		case p.Several:
			out = append(out, pair{p.Name, p.Name + " " + r.say("several")})
		case p.Nothing:
			out = append(out, pair{p.Name, r.say("year_truth")})
		case p.result == nil || !p.result.Enough:
			out = append(out, pair{p.Name, r.say("year_needs")})
		}
	}
	if len(r.parts) == 0 {
		out = append(out, pair{"", r.say("no_alarm")})
	}
	return out
}

// mostLeft bounds the list of marks that count for nothing.
const mostLeft = 50

type leftView struct{ Time, What, Why string }

// left lists the marks that count for nothing.
func (r *writer) left() (list []leftView, more int) {
	for _, l := range r.leftOut {
		if len(list) == mostLeft {
			return list, len(r.leftOut) - mostLeft
		}
		list = append(list, leftView{l.at.Format("2006-01-02 15:04:05"), strings.TrimSpace(r.say("mark_"+l.mark.Truth.String()) + " " + l.mark.Alarm), r.say("why_" + l.why)})
	}
	return list, 0
}

func (r *writer) money(x tune.Interval) string {
	if math.IsNaN(x.Value) {
		return "-"
	}
	return strings.TrimSpace(fmt.Sprintf("%.0f [%.0f - %.0f] %s", x.Value, x.Low, x.High, r.Money))
}

type pair struct{ Name, Value string }

func (r *writer) view() any {
	b := r.about
	head := []pair{
		{r.say("unit"), b.Unit}, {r.say("pilot"), b.Pilot}, {r.say("purpose"), b.Purpose},
		{r.say("from_to"), r.from.In(r.Export.In).Format("2006-01-02 15:04") + " - " + r.to.Format("2006-01-02 15:04 MST")},
		{r.say("hours"), hours(r.watched)}, {r.say("sessions"), fmt.Sprint(len(r.sessions))}, {r.say("marks"), fmt.Sprint(r.marks)},
		{r.say("drills"), fmt.Sprint(r.drills)}, {r.say("version"), b.Version},
	}
	if r.broken > 0 {
		head[7].Value += fmt.Sprintf(" (%d %s)", r.broken, r.say("broken"))
	}
	for _, m := range b.Eye.Networks {
		if name, version, sum, err := m.CardOf(); err == nil {
			head = append(head, pair{r.say("networks"), name + " " + version + " " + sum})
		}
	}
	if r.dropped > 0 {
		head = append(head, pair{r.say("dropped"), fmt.Sprint(r.dropped)})
	}
	plain := func(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
	money := func(x float64) string { return strings.TrimSpace(plain(x) + " " + r.Money) }
	of := r.Tune
	given := []pair{
		{r.say("cost_false"), money(of.CostFalse)}, {r.say("cost_missed"), money(of.CostMissed)}, {r.say("most_false"), plain(of.MostFalse)},
		{r.say("shift_is"), fmt.Sprintf("%s, %02d:%02d", alarm.Time(r.Export.Shift), int(r.Export.Begins.Hours()), int(r.Export.Begins.Minutes())%60)},
		{r.say("allow_is"), alarm.Time(of.Allow)},
	}
	if of.Events > 0 {
		given = append(given, pair{r.say("events_given"), plain(of.Events)})
	}
	if r.Shifts > 0 {
		given = append(given, pair{r.say("shifts_year"), plain(r.Shifts)}, pair{r.say("own_year"), money(r.Own)})
	}
	if !r.Made.IsZero() {
		given = append(given, pair{r.say("made"), r.Made.In(r.Export.In).Format("2006-01-02 15:04 MST")})
	}
	var changes []string
	for _, c := range r.changes {
		changes = append(changes, c.at.In(r.Export.In).Format("2006-01-02 15:04")+" "+c.alarm)
	}
	if len(changes) > mostLeft {
		changes = append(changes[:mostLeft], fmt.Sprintf(r.say("more"), len(changes)-mostLeft))
	}
	var reasons []pair
	for _, why := range byTime(r.reasons) {
		name := why
		if why == "" {
			name = r.say("reason_none")
		} else if ja := reasonsJa[why]; r.lang == 1 && ja != "" {
			name = ja
		}
		reasons = append(reasons, pair{name, percent(r.reasons[why], r.watched)})
	}
	var sessions []groupRow
	for _, s := range r.sessions {
		sessions = append(sessions, groupRow{Name: s.name, Hours: hours(s.seen), Read: percent(s.read, s.seen), Raised: fmt.Sprint(len(s.raised))})
	}
	line, err := r.timeline()
	if err != nil {
		line = ""
	}
	left, more := r.left()
	return map[string]any{"Given": given, "Changes": changes, "Left": left, "LeftMore": fmt.Sprintf(r.say("more"), more), "LeftAny": more > 0, "NoYears": r.noYears(), "Lang": Languages[r.lang], "Head": head, "Emotions": b.Emotions, "Differs": r.differs, "Damage": r.damage, "Read": percent(r.reasons[""], r.watched),
		"Reasons": reasons, "Sessions": sessions, "Parts": r.parts, "Timeline": line, "Groups": r.groupViews(), "Years": r.years(),
		"Who": r.Who, "Within": r.Within, "Else": r.Else}
}

// byTime lists reasons, the one of the most time first.
func byTime(reasons map[string]time.Duration) []string {
	var list []string
	for why := range reasons {
		list = append(list, why)
	}
	slices.SortFunc(list, func(a, b string) int {
		if d := reasons[b] - reasons[a]; d != 0 {
			return int(d / max(d, -d))
		}
		return strings.Compare(a, b)
	})
	return list
}
