package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mien/drivers/camera"
	"mien/firmware/alarm"
	"mien/firmware/chart"
	"mien/firmware/config"
	"mien/firmware/pipeline"
	"mien/firmware/state"
	"mien/model/affect"
)

// record is what happened over a time, as -plot draws it. Times are in seconds
// since it began.
type record struct {
	title, about string
	end          float64
	alarms       []*track
	outputs      []*switched
	shows        []scripted
}

// track is what happened to one alarm.
type track struct {
	def    alarm.Definition
	levels [][]chart.Point // of each condition's signal; NaN is Unknown
	states []stretch
	marks  []moment
}

// stretch is a time in one state.
type stretch struct {
	from, to float64
	state    alarm.State
}

// moment is what somebody did.
type moment struct {
	at   float64
	text string
}

// switched is when an output was on.
type switched struct {
	name string
	on   [][2]float64
}

func newRecord(defs []alarm.Definition) *record {
	r := new(record)
	for _, d := range defs {
		r.alarms = append(r.alarms, &track{def: d, levels: make([][]chart.Point, len(d.Conditions))})
	}
	return r
}

// add notes the alarms at a moment, and the levels where there are new ones.
func (r *record) add(t float64, level func(signal string) float32, states func(i int) alarm.State) {
	r.end = max(r.end, t)
	for i, tr := range r.alarms {
		for n, k := range tr.def.Conditions {
			if level == nil {
				break
			}
			tr.levels[n] = append(tr.levels[n], chart.Point{X: t, Y: float64(level(k.Signal))})
		}
		s := states(i)
		if n := len(tr.states); n > 0 {
			tr.states[n-1].to = t
			if tr.states[n-1].state == s {
				continue
			}
		}
		tr.states = append(tr.states, stretch{t, t, s})
	}
}

// event notes what is to be marked of an event: who did what.
func (r *record) event(t float64, e alarm.Event) {
	if e.Who == "" {
		return
	}
	for _, tr := range r.alarms {
		if tr.def.Name == e.Alarm {
			tr.marks = append(tr.marks, moment{t, fmt.Sprintf("%s by %s", e.Trigger.Words(), e.Who)})
		}
	}
}

// watch notes what a running unit knows, until ctx ends. It takes whatever is
// newest 40 times a second: more than there are frames.
func (r *record) watch(ctx context.Context, latest *state.Latest, begun time.Time) {
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	var s state.State
	seen := uint64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		latest.Load(&s)
		t := time.Since(begun).Seconds()
		if s.Results == 0 || len(s.Alarms) < len(r.alarms) {
			continue
		}
		if len(r.outputs) == 0 {
			for _, name := range s.About.Outputs {
				r.outputs = append(r.outputs, &switched{name: name})
			}
			for i := range r.shows { // the clip began a frame's latency ago
				r.shows[i].from += t - s.Latency.Seconds()
				r.shows[i].to += t - s.Latency.Seconds()
			}
		}
		level := s.Level
		if s.Results == seen && s.Trusted {
			level = nil // nothing new
		}
		seen = s.Results
		r.add(t, level, func(i int) alarm.State { return s.Alarms[i].State })
		for i, o := range r.outputs {
			if i < len(s.Outputs) {
				o.add(t, s.Outputs[i])
			}
		}
	}
}

func (o *switched) add(t float64, on bool) {
	n := len(o.on)
	open := n > 0 && o.on[n-1][1] == math.Inf(1)
	switch {
	case on && !open:
		o.on = append(o.on, [2]float64{t, math.Inf(1)})
	case !on && open:
		o.on[n-1][1] = t
	}
}

// scripted is what a clip shows, and when.
type scripted struct {
	from, to float64
	name     string
}

// plotClip runs a config over its clip, as fast as it goes, and draws for each
// alarm its signals, its limits and its states over time.
func plotClip(cfg *config.Config, file string) error {
	if len(cfg.Alarms) == 0 {
		return coded{errors.New("the config has no alarm to draw"), exitConfig}
	}
	r, err := follow(cfg)
	if err != nil {
		return err
	}
	return r.write(file)
}

// follow takes a clip through eye and alarms. Nobody acknowledges anything.
func follow(cfg *config.Config) (*record, error) {
	c := cfg.Camera
	if c.Clip == "" {
		c.Clip = pipeline.DemoClip
	}
	c.Loop, c.Pace = false, config.FastPace
	src, err := pipeline.OpenSource(c)
	if err != nil {
		return nil, coded{err, exitMissing}
	}
	defer src.Close()
	eye, err := pipeline.OpenEye(cfg)
	if err != nil {
		return nil, coded{err, exitConfig}
	}
	defer eye.Close()
	engine, err := alarm.New(cfg.Definitions(), eye.Signals(), alarm.Options{MaxGap: cfg.Health.Stale})
	if err != nil {
		return nil, coded{err, exitConfig}
	}
	r := newRecord(cfg.Definitions())
	r.title = "Alarms of the config over " + c.Clip
	r.about = "The clip was played as fast as it goes. Nobody acknowledged, reset or shelved anything."
	var first time.Duration
	for n := uint64(1); ; n++ {
		f, err := src.Next(time.Second)
		if errors.Is(err, camera.ErrEnd) {
			return r, nil
		}
		if err != nil {
			return nil, err
		}
		sight, err := eye.Look(f)
		src.Release()
		if err != nil && !errors.Is(err, pipeline.ErrPicture) {
			return nil, err
		}
		if n == 1 {
			first = sight.At
		}
		engine.Step(alarm.Reading{At: sight.At, Wall: time.Now(), Sequence: n, Levels: sight.Levels})
		r.add((sight.At - first).Seconds(), func(signal string) float32 { return sight.Levels[slices.Index(eye.Signals(), signal)] },
			func(i int) alarm.State { return engine.Status(i).State })
	}
}

// stateColours are those of the bands, with their opacity.
var stateColours = map[alarm.State]struct {
	colour  string
	opacity float64
}{
	alarm.Unacknowledged:         {"#d62728", 0.55},
	alarm.Acknowledged:           {"#ff7f0e", 0.45},
	alarm.ReturnedUnacknowledged: {"#d62728", 0.22},
	alarm.LatchedUnacknowledged:  {"#9467bd", 0.45},
	alarm.LatchedAcknowledged:    {"#9467bd", 0.22},
	alarm.Shelved:                {"#7f7f7f", 0.3},
	alarm.SuppressedByDesign:     {"#7f7f7f", 0.3},
	alarm.OutOfService:           {"#7f7f7f", 0.3},
}

// curveColours are those of the first, second, … condition's signal.
var curveColours = []string{"#111111", "#1f77b4", "#2ca02c", "#8c564b"}

// doneColour marks what people did.
const doneColour = "#0b6e4f"

// Sizes of the picture, in pixels.
const (
	plotWidth  = 900
	plotHeight = 230
	plotLeft   = 84 // room for the names of outputs
)

// title says what raises the alarm.
func (tr *track) title() string {
	var parts []string
	for _, k := range tr.def.Conditions {
		info, _ := affect.Describe(k.Signal)
		parts = append(parts, fmt.Sprintf("%s %s %.2f", info.Human, k.Side.Meets(), k.Limit))
	}
	return fmt.Sprintf("%s: %s for %s", tr.def.Name, strings.Join(parts, joined(tr.def.Match)), alarm.Time(tr.def.OnDelay))
}

// chart draws one alarm: its states as bands, its signals, their limits, and
// what people did.
func (tr *track) chart(end float64) *chart.Chart {
	y := chart.Range{Low: math.Inf(1), High: math.Inf(-1)}
	for _, k := range tr.def.Conditions {
		info, _ := affect.Describe(k.Signal)
		y.Low, y.High = min(y.Low, float64(info.Min)), max(y.High, float64(info.Max))
	}
	c := chart.New(plotWidth, plotHeight, chart.Range{High: end}, y)
	c.Title, c.XLabel, c.Left = tr.title(), "s", plotLeft
	for _, s := range tr.states {
		if k, ok := stateColours[s.state]; ok {
			c.Band(chart.Point{X: s.from, Y: y.Low}, chart.Point{X: s.to, Y: y.High}, k.colour, k.opacity, s.state.String())
		}
	}
	for i, k := range tr.def.Conditions {
		colour := curveColours[i%len(curveColours)]
		c.Line(tr.levels[i], chart.Stroke{Colour: colour}, k.Signal)
		for _, limit := range []struct {
			at         float32
			colour, of string
		}{{k.Limit, "#d62728", "limit"}, {k.Off(), "#808080", "deadband"}} {
			if len(tr.def.Conditions) > 1 && limit.of == "limit" {
				limit.colour, limit.of = colour, "" // each signal's in its own
			}
			c.Line([]chart.Point{{Y: float64(limit.at)}, {X: end, Y: float64(limit.at)}}, chart.Stroke{Colour: limit.colour, Width: 1, Dashes: "5 4"}, limit.of)
		}
	}
	for _, m := range tr.marks {
		c.Mark(m.at, m.text, doneColour)
	}
	return c
}

// charts draws the record: what the clip shows, the alarms, the outputs.
func (r *record) charts() (list []*chart.Chart) {
	x := chart.Range{High: max(r.end, 1e-3)}
	if len(r.shows) > 0 {
		c := chart.New(plotWidth, 90, x, chart.Range{High: 1})
		c.Title, c.YTicks, c.Left = "What the clip shows", []chart.Tick{}, plotLeft
		for _, s := range r.shows {
			c.Band(chart.Point{X: s.from}, chart.Point{X: s.to, Y: 1}, "#1c6e8c", 0.3, "")
			c.Mark(s.from, s.name, "#1c6e8c")
		}
		list = append(list, c)
	}
	for _, tr := range r.alarms {
		list = append(list, tr.chart(x.High))
	}
	if n := len(r.outputs); n > 0 {
		c := chart.New(plotWidth, 60+float64(22*n), x, chart.Range{High: float64(n)})
		c.Title, c.XLabel, c.YTicks, c.Left = "Outputs", "s", []chart.Tick{}, plotLeft
		for i, o := range r.outputs {
			y := float64(n - 1 - i)
			c.YTicks = append(c.YTicks, chart.Tick{At: y + 0.5, Text: o.name})
			for _, on := range o.on {
				c.Band(chart.Point{X: on[0], Y: y + 0.2}, chart.Point{X: min(on[1], x.High), Y: y + 0.8}, "#c98a00", 1, "")
			}
		}
		list = append(list, c)
	}
	return list
}

// plotFile gives the file that a picture goes into: .html where the name has no
// ending. It is asked before anything is played, so that no one waits for a clip
// whose picture has no place.
func plotFile(file string) (string, error) {
	switch ext := strings.ToLower(filepath.Ext(file)); ext {
	case "":
		file += ".html"
	case ".html", ".htm", ".svg":
	case ".png", ".jpg", ".jpeg", ".gif", ".pdf":
		return "", usageError(fmt.Sprintf("%s: the picture is a page or a drawing: name a .html or .svg file; a browser opens both, and prints them", file))
	default:
		return "", usageError(fmt.Sprintf("%s: name a .html or .svg file", file))
	}
	return file, folderIsThere(file)
}

// folderIsThere refuses a path to write to whose folder is missing.
func folderIsThere(path string) error {
	folder := filepath.Dir(path)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return usageError(fmt.Sprintf("%s: there is no folder %s: make it, or name another file", path, folder))
	}
	return nil
}

// write writes the picture into a file, as its name asks for.
func (r *record) write(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("write the plot: %w", err)
	}
	if strings.EqualFold(filepath.Ext(file), ".svg") {
		err = chart.WriteStack(f, r.title, r.charts()...)
	} else {
		err = r.writePage(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the plot: %w", err)
	}
	return nil
}

// writePage writes a page that needs nothing outside itself.
func (r *record) writePage(w io.Writer) error {
	var b strings.Builder
	title := html.EscapeString(r.title)
	fmt.Fprintf(&b, `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>%s</title>
<style>
body { font: 14px system-ui, Arial, Helvetica, sans-serif; color: #26323d; background: #fff; max-width: 920px; margin: 24px auto; padding: 0 12px; }
h1 { font-size: 19px; }
svg { max-width: 100%%; height: auto; display: block; margin: 14px 0; }
</style>
</head>
<body>
<h1>%s</h1>
<p>%s</p>
`, title, title, html.EscapeString(r.about))
	for _, c := range r.charts() {
		if err := c.WriteSVG(&b); err != nil {
			return err
		}
	}
	b.WriteString("</body>\n</html>\n")
	_, err := io.WriteString(w, b.String())
	return err
}
