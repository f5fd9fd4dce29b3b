package pipeline

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"mien/drivers/camera"
	"mien/firmware/config"
	"mien/model/affect"
	"mien/model/assets"
	"mien/model/face"
	"mien/model/pixel"
	"mien/model/tflite"
)

// Sight is what the eye made of one frame. It is valid until the next Look.
type Sight struct {
	Sequence          uint32
	At                time.Duration // when the frame was taken
	Width, Height     int           // of the upright picture in pixels
	Light             pixel.Stats   // of the whole picture
	Hash              uint64        // the same only for the very same picture
	FaceHash          uint64        // the same only where the face is the very same; 0: there is none
	View              face.View
	Quality           face.Quality
	Reason            face.Reason   // why there is no reading; face.Good: there is one
	Turned            int           // degrees that camera.rotate lacks, so that the picture is upright
	TurnedFor         time.Duration // for how long that has been so
	Covered           uint8         // bit i: part i of the first network's card
	Mirrored, Paired  bool          // the view that was read; the frame before was read in the other one, and the mean counts
	eye               *Eye          // that looked
	Said              [2][]byte     // by the networks, as their tensors have it: without emotions, and with them; empty: nothing
	Levels            []float32     // filtered signals, NaN is Unknown
	Class             string        // most probable expression, "" for unknown
	Compound          string        // most probable compound expression, "" for unknown
	ClassP, CompoundP float32
}

// Eye turns frames into signals: decode, find the face, judge it, run the
// networks, filter. It owns the networks, belongs to one goroutine, and
// allocates nothing after the first frames.
type Eye struct {
	decoder  *pixel.Decoder
	detector *face.Detector
	tracker  *face.Tracker
	upright  *face.Upright
	gate     face.Gate
	minWidth float32 // of the face, pixels
	networks []*affect.Network
	views    *affect.Views
	stage    *affect.Stage   // behind the views
	settings affect.Settings // its
	colour   bool            // a network wants colour
	mounting pixel.Mounting
	mirror   bool          // every second frame is read as in a mirror
	view     int           // of the frame at hand: 0 as it is, 1 mirrored
	frame    pixel.Image   // at hand, as the camera gave it
	img      pixel.Image   // of it, as the sampling functions want it
	light    pixel.Stats   // as measured last
	lit      time.Duration // when that was
	readable bool          // the face of the frame before could be read
	readAt   time.Duration // when a face was read last
	said     [2][]byte     // memory of Sight.Said
	sight    Sight
	spot     pixel.Rect    // where the face is about, of the upright picture
	files    []assets.File // that it works with
}

// Cards reads the model cards that the config names, the network files with
// them: the embedded network where it names none. What can be known of a
// network without its library is compared with its card. Errors are a config.KeyError.
func Cards(m config.Model) (cards []*affect.Card, models [][]byte, err error) {
	load := func(key, path string) error {
		card, model, err := affect.Embedded()
		if path != "" {
			if card, model, err = affect.Load(path); err == nil {
				err = card.Fits(model)
			}
		}
		cards, models = append(cards, card), append(models, model)
		if err != nil {
			return config.KeyError{Key: key, Err: err}
		}
		return nil
	}
	if err := load("model.card", m.Card); err != nil {
		return nil, nil, err
	}
	if m.Second != "" {
		if err := load("model.second", m.Second); err != nil {
			return nil, nil, err
		}
	}
	return cards, models, nil
}

// OpenEye loads detector and networks as the config says. A foreign network is
// tried in a process of its own first.
func OpenEye(cfg *config.Config) (*Eye, error) { return tryEye(cfg, nil) }

// tryEye calls waiting now and then while a foreign network is tried.
func tryEye(cfg *config.Config, waiting func()) (*Eye, error) {
	cards, models, err := Cards(cfg.Model)
	if err != nil {
		return nil, err
	}
	e := &Eye{
		gate:     gateOf(cfg.Face.Quality),
		minWidth: float32(cfg.Face.Quality.MinSize),
		mounting: pixel.Mounting{Turn: cfg.Camera.Rotate / 90, Mirror: cfg.Camera.Mirror},
		mirror:   BothViews(cfg),
	}
	for _, card := range cards {
		e.colour = e.colour || card.Input.Channels == 3
	}
	// The accelerator serves the affect network; the detector runs rarely, and sees
	// colour where a network does.
	options := tflite.Options{Backend: string(cfg.Model.Backend), Library: cfg.Model.Library, Threads: cfg.Model.Threads, Waiting: waiting}
	detector := face.DetectorOptions{MinScore: float32(cfg.Face.Score), Luma: !e.colour, Network: options}
	if cfg.Face.Detector == config.FullRange {
		detector.Range = face.Full
	}
	if e.detector, err = face.OpenDetector(detector); err != nil {
		return nil, err
	}
	options.EdgeTPU = cfg.Model.Accelerator == config.EdgeTPU
	for i, card := range cards {
		options.InPlace = i == 0 && cfg.Model.Card == "" // the one in the binary
		n, err := affect.Open(card, models[i], options)
		if err != nil {
			e.Close()
			return nil, err
		}
		e.networks = append(e.networks, n)
	}
	e.settings = stageOf(cfg)
	if e.views, err = affect.NewViews(e.settings, e.networks...); err != nil {
		e.Close()
		return nil, err
	}
	e.stage = e.views.Stage()
	e.tracker = face.NewTracker(e.detector, trackerOf(cfg.Face))
	e.upright = face.NewUpright(e.detector)
	e.decoder = pixel.NewDecoder("")
	e.files = filesOf(cfg.Model, cards, detector.Range)
	// The networks' libraries compute on copies in an order of their own.
	assets.Idle(assets.Network())
	return e, nil
}

func gateOf(q config.Quality) face.Gate {
	return face.Gate{
		MinInside: float32(1 - q.MaxOutside),
		MaxRoll:   float32(q.MaxRoll), MaxYaw: float32(q.MaxYaw), MaxPitch: float32(q.MaxPitch),
		MinMean: float32(q.MinLight), MaxMean: float32(q.MaxLight),
		MaxDark: float32(q.MaxClipped), MaxBright: float32(q.MaxClipped),
		MinContrast: float32(q.MinContrast), MinSharpness: float32(q.MinSharpness),
	}
}

func trackerOf(f config.Face) face.TrackerOptions {
	o := face.TrackerOptions{Every: f.DetectEvery}
	switch f.Select {
	case config.Middle:
		o.Choice = face.Nearest
	case config.InRegion:
		r := f.Region
		o.Region = face.Rect{X0: float32(r[0]), Y0: float32(r[1]), X1: float32(r[0] + r[2]), Y1: float32(r[1] + r[3])}
	}
	return o
}

func stageOf(cfg *config.Config) affect.Settings {
	f, s := cfg.Filter, affect.DefaultSettings()
	kind := affect.Box
	window := func(d time.Duration) time.Duration { return d }
	switch f.Kind {
	case config.Gaussian:
		kind = affect.Gaussian
	case config.NoFilter:
		window = func(time.Duration) time.Duration { return 0 }
	}
	s.Expression = affect.Filter{Kind: kind, Window: window(f.Expression)}
	s.ValenceArousal = affect.Filter{Kind: kind, Window: window(f.ValenceArousal)}
	s.ActionUnits = affect.Filter{Kind: kind, Window: window(f.ActionUnits)}
	s.Compound = affect.Filter{Kind: kind, Window: window(f.Compound)}
	s.CompoundMean = string(f.CompoundMean)
	s.PerclosWindow, s.PerclosKnown = f.PerclosWindow, f.PerclosKnown
	s.Rate = max(s.Rate, int(math.Ceil(cfg.Camera.FPS)))
	if cfg.Model.Second != "" {
		w := float32(cfg.Model.SecondWeight)
		s.Weights = []float32{1 - w, w}
	}
	return s
}

// Signals are the names of Sight.Levels, in order.
func (e *Eye) Signals() []string { return e.stage.Signals() }

// Backends says what computes, for people: detector, networks, JPEG decoder.
func (e *Eye) Backends() []string {
	list := []string{"face detector: " + e.detector.Backend()}
	for _, n := range e.networks {
		list = append(list, n.Card().Name+": "+n.Backend()+why(n.Why()))
	}
	return append(list, "motion JPEG: "+e.decoder.Backend())
}

func why(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}

// Accelerated tells whether every network runs on the accelerator it asked for.
func (e *Eye) Accelerated() bool {
	return !slices.ContainsFunc(e.networks, func(n *affect.Network) bool { return !strings.Contains(n.Backend(), "edge tpu") })
}

// pairWithin is how far apart two frames may be whose mean is taken: at fewer
// than six a second each frame stands for itself. A face in a mirror has the same
// levels, and what the network makes of it differs a little: the mean is more often
// right than either, and comes at no cost but half a frame of delay. It is taken in
// affect.Views and not left to the filters, so that what reaches alarms and PERCLOS
// never alternates.
const pairWithin = 170 * time.Millisecond

// BothViews tells whether a level is the mean of a frame and of the mirrored one
// before it, where frames come fast enough. Who wants no filter wants no mean
// either.
func BothViews(cfg *config.Config) bool {
	return cfg.Model.Mirror && cfg.Filter.Kind != config.NoFilter
}

// lightEvery is how often the light of the whole picture is measured: a lens is
// covered for seconds, and the face is measured on each frame.
const lightEvery = 250 * time.Millisecond

// ErrPicture: this frame cannot be read (a damaged JPEG); the next may be.
var ErrPicture = errors.New("picture cannot be read")

// Look walks one frame through all stages. Errors that wrap ErrPicture concern
// this frame only; others come from the networks. Either way the levels are
// Unknown.
func (e *Eye) Look(f *camera.Frame) (*Sight, error) {
	s := &e.sight
	*s = Sight{Sequence: f.Sequence, At: f.Time, Reason: face.Missing, eye: e}
	img := &e.img
	err := e.picture(f)
	if err != nil {
		s.Levels, _ = e.views.Step(f.Time, false, 0, false)
		return s, fmt.Errorf("frame %d: %w: %w", f.Sequence, ErrPicture, err)
	}
	s.Width, s.Height = img.Upright()
	if e.light.Samples == 0 || f.Time < e.lit || f.Time-e.lit >= lightEvery {
		e.light, err = pixel.Measure(img, pixel.Rect{X1: s.Width, Y1: s.Height}, 0)
		e.lit = f.Time
	}
	s.Light = e.light
	if err == nil {
		err = e.read(img, f.Time)
	}
	if err != nil {
		s.Levels, _ = e.views.Step(f.Time, false, 0, false)
		return s, fmt.Errorf("frame %d: %w", f.Sequence, err)
	}
	return s, nil
}

// picture brings the frame into e.frame and e.img.
func (e *Eye) picture(f *camera.Frame) error {
	e.frame = pixel.Image{Format: pixel.Format(f.Format), Width: f.Width, Height: f.Height, Stride: f.Stride, Data: f.Data}
	e.img = e.frame
	if f.Format == camera.MJPEG {
		var err error
		if e.img, err = e.decoder.Decode(f.Data, pixel.DecodeOptions{Colour: e.colour}); err != nil {
			return err
		}
	}
	e.img.Mounting = e.mounting
	return e.img.Check()
}

// read finds the face, judges it and lets the networks read it.
func (e *Eye) read(img *pixel.Image, at time.Duration) error {
	s := &e.sight
	var err error
	if s.View, err = e.tracker.Next(img, at); err != nil {
		return err
	}
	s.Hash = pixel.Hash(&e.frame)
	if s.View.Cause != face.NotDetected {
		faces, part := e.tracker.Faces()
		if err := e.upright.Look(img, part, faces, at); err != nil {
			return err
		}
	}
	if s.View.Found {
		s.FaceHash = pixel.HashPart(img, e.around(&s.View.Face))
	}
	turns, held := e.upright.Turned()
	unsure := e.upright.Unsure()
	if unsure {
		e.tracker.Recheck()
	}
	if e.mounting.Mirror { // which comes after the turn
		turns = (4 - turns) % 4
	}
	s.Turned, s.TurnedFor = 90*turns, held
	// The frame before was read too, and this one is in the other view.
	paired := e.mirror && e.readable && at > e.readAt && at-e.readAt <= pairWithin
	if e.view = 1 - e.view; !paired {
		e.view = 0
	}
	if s.View.Found {
		if s.Quality, err = face.Assess(img, &s.View.Face); err != nil {
			return err
		}
		if s.Reason = e.gate.Judge(&s.Quality); s.Reason == face.Good && s.View.Face.Box.Width() < e.minWidth {
			s.Reason = face.TooSmall
		}
		switch { // whatever the detector took for eyes and mouth
		case turns != 0:
			s.Quality.Roll = float32(s.Turned)
			s.Reason = face.Rolled
		case unsure:
			s.Reason = face.Rolled
		}
		// A face that could be read and now cannot may have been followed astray:
		// the next frame is searched, whenever it would be its turn.
		if s.Reason != face.Good && e.readable && s.View.Cause == face.NotDetected {
			e.tracker.Recheck()
		}
	}
	e.readable = s.Reason == face.Good
	if e.readable {
		for i, n := range e.networks {
			n.Mirrored = e.view == 1
			if err = n.Infer(img, &s.View.Face, e.views.View(i, e.view)); err != nil {
				return err
			}
			if i == 0 {
				e.said = [2][]byte{e.said[0][:0], e.said[1][:0]}
			}
			e.said[0], e.said[1] = n.AppendRaw(e.said[0], false), n.AppendRaw(e.said[1], true)
		}
		s.Said = e.said
		e.readAt = at
	}
	s.Mirrored, s.Paired = e.view == 1, paired
	s.Levels, s.Covered = e.views.Step(at, e.readable, e.view, paired)
	s.Class, s.ClassP = e.stage.Expression()
	s.Compound, s.CompoundP = e.stage.Compound()
	return nil
}

// around gives the part of the picture in which a face is. It stays the same while
// the face is there: the box that a detector gives moves by itself.
func (e *Eye) around(f *face.Face) pixel.Rect {
	b, r := &f.Box, &e.spot
	reach := b.Width() / 4
	if off := func(a int, b float32) bool { return float32(a)-b > reach || b-float32(a) > reach }; off(r.X0, b.X0) || off(r.Y0, b.Y0) || off(r.X1, b.X1) || off(r.Y1, b.Y1) {
		*r = pixel.Rect{X0: int(b.X0), Y0: int(b.Y0), X1: int(b.X1), Y1: int(b.Y1)}
	}
	return *r
}

// Close frees the networks.
func (e *Eye) Close() error {
	var err error
	if e.detector != nil {
		err = e.detector.Close()
	}
	for _, n := range e.networks {
		err = errors.Join(err, n.Close())
	}
	if e.decoder != nil {
		e.decoder.Close()
	}
	return err
}

// FilterOf gives the filter that a signal goes through; false for one that has
// a window of its own (PERCLOS).
func FilterOf(cfg *config.Config, signal string) (affect.Filter, bool) {
	s := stageOf(cfg)
	switch {
	case signal == affect.Perclos:
		return affect.Filter{}, false
	case signal == affect.Valence || signal == affect.Arousal:
		return s.ValenceArousal, true
	case strings.HasPrefix(signal, "expression."):
		return s.Expression, true
	case strings.HasPrefix(signal, "compound."):
		return s.Compound, true
	}
	return s.ActionUnits, true
}
