package main

import (
	"errors"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"mien/drivers/camera"
	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/firmware/pipeline"
	"mien/model/affect"
)

// track is what happened to one alarm over a clip.
type track struct {
	def    alarm.Definition
	curves []curve // of each condition
	states []stretch
}

// curve is the signal of one condition.
type curve struct {
	signal int // index into the levels
	levels plotter.XYs
}

// stretch is a time in one state.
type stretch struct {
	from, to float64 // seconds
	state    alarm.State
}

// plotClip runs a config over its clip, as fast as it goes, and draws for each
// alarm its signals, its limits and its states over time.
func plotClip(cfg *config.Config, file string) error {
	tracks, err := follow(cfg)
	if err != nil {
		return err
	}
	if len(tracks) == 0 {
		return coded{errors.New("the config has no alarm to draw"), exitConfig}
	}
	return drawTracks(tracks, cfg.Camera.Clip, file)
}

// follow takes a clip through eye and alarms.
func follow(cfg *config.Config) ([]*track, error) {
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
	var tracks []*track
	for i := 0; i < engine.Len(); i++ {
		tr := &track{def: engine.Definition(i)}
		for _, k := range tr.def.Conditions {
			tr.curves = append(tr.curves, curve{signal: slices.Index(eye.Signals(), k.Signal)})
		}
		tracks = append(tracks, tr)
	}
	var first time.Duration
	for n := uint64(1); ; n++ {
		f, err := src.Next(time.Second)
		if errors.Is(err, camera.ErrEnd) {
			return tracks, nil
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
		t := (sight.At - first).Seconds()
		for i, tr := range tracks {
			tr.add(t, sight.Levels, engine.Status(i).State)
		}
	}
}

func (tr *track) add(t float64, levels []float32, state alarm.State) {
	for i := range tr.curves {
		c := &tr.curves[i]
		if level := levels[c.signal]; level == level {
			c.levels = append(c.levels, plotter.XY{X: t, Y: float64(level)})
		} else if n := len(c.levels); n > 0 && !math.IsNaN(c.levels[n-1].Y) {
			c.levels = append(c.levels, plotter.XY{X: t, Y: math.NaN()}) // a gap in the line
		}
	}
	if n := len(tr.states); n > 0 && tr.states[n-1].state == state {
		tr.states[n-1].to = t
		return
	} else if n > 0 {
		tr.states[n-1].to = t
	}
	tr.states = append(tr.states, stretch{t, t, state})
}

// lines splits the levels where they are Unknown.
func (c *curve) lines() (parts []plotter.XYs) {
	var part plotter.XYs
	for _, p := range c.levels {
		if math.IsNaN(p.Y) {
			if len(part) > 0 {
				parts = append(parts, part)
			}
			part = nil
			continue
		}
		part = append(part, p)
	}
	if len(part) > 0 {
		parts = append(parts, part)
	}
	return parts
}

var stateColours = map[alarm.State]color.Color{
	alarm.Unacknowledged:         color.NRGBA{0xd6, 0x27, 0x28, 0x90},
	alarm.Acknowledged:           color.NRGBA{0xff, 0x7f, 0x0e, 0x80},
	alarm.ReturnedUnacknowledged: color.NRGBA{0xd6, 0x27, 0x28, 0x40},
	alarm.LatchedUnacknowledged:  color.NRGBA{0x94, 0x67, 0xbd, 0x60},
	alarm.LatchedAcknowledged:    color.NRGBA{0x94, 0x67, 0xbd, 0x40},
}

func drawTracks(tracks []*track, clip, file string) error {
	const width, each = 24 * vg.Centimeter, 6 * vg.Centimeter
	height := vg.Length(len(tracks)) * each
	canvas, err := canvasFor(file, width, height)
	if err != nil {
		return err
	}
	plots := make([][]*plot.Plot, len(tracks))
	for i, tr := range tracks {
		p, err := tr.plot()
		if err != nil {
			return err
		}
		if i == 0 && clip != "" {
			p.Title.Text = clip + "\n" + p.Title.Text
		}
		plots[i] = []*plot.Plot{p}
	}
	tiles := draw.Tiles{Rows: len(tracks), Cols: 1, PadTop: vg.Points(6), PadBottom: vg.Points(6), PadRight: vg.Points(12), PadLeft: vg.Points(6)}
	for i, row := range plot.Align(plots, tiles, draw.New(canvas)) {
		plots[i][0].Draw(row[0])
	}
	return writeCanvas(canvas, file)
}

// curveColours are those of the first, second, … condition's signal.
var curveColours = []color.Color{color.Black, color.NRGBA{0x1f, 0x77, 0xb4, 0xff}, color.NRGBA{0x2c, 0xa0, 0x2c, 0xff}, color.NRGBA{0x8c, 0x56, 0x4b, 0xff}}

// title says what raises the alarm.
func (tr *track) title() string {
	var parts []string
	for _, k := range tr.def.Conditions {
		info, _ := affect.Describe(k.Signal)
		parts = append(parts, fmt.Sprintf("%s %s %.2f", info.Human, k.Side, k.Limit))
	}
	return fmt.Sprintf("%s: %s for %v", tr.def.Name, strings.Join(parts, joined(tr.def.Match)), tr.def.OnDelay)
}

// plot draws one alarm: its states as bands, its signals, their limits.
func (tr *track) plot() (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = tr.title()
	p.X.Label.Text, p.Y.Label.Text = "s", tr.def.Conditions[0].Signal
	p.Y.Min, p.Y.Max = math.Inf(1), math.Inf(-1)
	for _, k := range tr.def.Conditions {
		info, _ := affect.Describe(k.Signal)
		p.Y.Min, p.Y.Max = min(p.Y.Min, float64(info.Min)), max(p.Y.Max, float64(info.Max))
	}
	p.Add(plotter.NewGrid())
	end := 0.0
	shown := map[alarm.State]bool{}
	for _, s := range tr.states {
		end = max(end, s.to)
		colour, ok := stateColours[s.state]
		if !ok {
			continue
		}
		band, err := plotter.NewPolygon(plotter.XYs{{X: s.from, Y: p.Y.Min}, {X: s.to, Y: p.Y.Min}, {X: s.to, Y: p.Y.Max}, {X: s.from, Y: p.Y.Max}})
		if err != nil {
			return nil, err
		}
		band.Color, band.LineStyle.Width = colour, 0
		p.Add(band)
		if !shown[s.state] {
			shown[s.state] = true
			p.Legend.Add(s.state.String(), band)
		}
	}
	several := len(tr.curves) > 1
	if several {
		p.Y.Label.Text = ""
	}
	for i, c := range tr.curves {
		k, colour := tr.def.Conditions[i], curveColours[i%len(curveColours)]
		named := !several // one signal stands at the axis
		for _, part := range c.lines() {
			l, err := plotter.NewLine(part)
			if err != nil {
				return nil, err
			}
			l.Width, l.Color = vg.Points(1.2), colour
			p.Add(l)
			if !named {
				named = true
				p.Legend.Add(k.Signal, l)
			}
		}
		for _, y := range []float32{k.Limit, k.Off()} {
			l, err := plotter.NewLine(plotter.XYs{{X: 0, Y: float64(y)}, {X: end, Y: float64(y)}})
			if err != nil {
				return nil, err
			}
			l.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
			switch {
			case y != k.Limit:
				l.Color = color.Gray{0x80}
			case several:
				l.Color = colour
			default:
				l.Color = color.NRGBA{0xd6, 0x27, 0x28, 0xff}
			}
			p.Add(l)
		}
	}
	p.X.Min, p.X.Max = 0, end
	p.Legend.Top, p.Legend.YOffs, p.Legend.XOffs = true, -vg.Points(3), -vg.Points(3)
	return p, nil
}

// canvasFor gives a canvas of the kind that the file's name asks for.
func canvasFor(file string, width, height vg.Length) (vg.CanvasSizer, error) {
	switch extension(file) {
	case ".png":
		return vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(120)), nil
	case ".svg":
		return vgsvg.New(width, height), nil
	}
	return nil, usageError(fmt.Sprintf("%s: name a .png or .svg file", file))
}
