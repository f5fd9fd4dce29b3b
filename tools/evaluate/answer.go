package main

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"mien/model/affect"
	"mien/model/face"
	"mien/model/pixel"
	"mien/model/tflite"
)

// answer is what the network says of one picture.
type answer struct {
	ok         bool      // there is one
	aligned    bool      // by the eyes that the detector found
	expression []float64 // probabilities, by the card's classes
	valence    float64
	arousal    float64
	units      []float64 // by the card's units; NaN where covered and covered units are Unknown
	visible    []float64
	err        error // why there is none
}

// errNoFace: the detector finds no face in the picture.
var errNoFace = errors.New("no face found")

// answerer takes the unit's way from a picture to an answer: the same decoder,
// detector, alignment, sampling and network. It belongs to one goroutine.
type answerer struct {
	detector *face.Detector
	network  *affect.Network
	decoder  *pixel.Decoder
	colour   bool
	crops    bool
	unknown  bool // covered units are Unknown, as on the unit
	mirror   bool // the mean of the face and its mirror, as the unit takes it of two frames
	frame    []byte
	faces    []face.Face
	views    [2]affect.Result
	mean     affect.Result
}

type answerOptions struct {
	crops, unknown, mirror bool
	network                tflite.Options
}

func newAnswerer(card *affect.Card, model []byte, o answerOptions) (*answerer, error) {
	n, err := affect.Open(card, model, o.network)
	if err != nil {
		return nil, err
	}
	detection := o.network
	detection.Name, detection.EdgeTPU = "", false
	d, err := face.OpenDetector(face.DetectorOptions{Luma: card.Input.Channels == 1, Network: detection})
	if err != nil {
		n.Close()
		return nil, err
	}
	return &answerer{detector: d, network: n, decoder: pixel.NewDecoder(""), colour: card.Input.Channels == 3, crops: o.crops, unknown: o.unknown, mirror: o.mirror}, nil
}

func (a *answerer) close() {
	a.detector.Close()
	a.network.Close()
	a.decoder.Close()
}

// answer looks at one picture.
func (a *answerer) answer(path string) answer {
	img, err := readPicture(path, a.decoder, a.colour)
	if err != nil {
		return answer{err: err}
	}
	f, aligned, err := a.find(&img)
	if err != nil {
		return answer{err: fmt.Errorf("%s: %w", path, err)}
	}
	r, err := a.look(&img, &f)
	if err != nil {
		return answer{err: fmt.Errorf("%s: %w", path, err)}
	}
	out := answer{ok: true, aligned: aligned, expression: wide(r.Expression), visible: wide(r.Visible),
		valence: float64(r.Valence), arousal: float64(r.Arousal), units: wide(r.Uncovered)}
	if a.unknown {
		out.units = wide(r.ActionUnits)
	}
	return out
}

// look runs the network on the face, and on its mirror.
func (a *answerer) look(img *pixel.Image, f *face.Face) (*affect.Result, error) {
	a.network.Mirrored = false
	if err := a.network.Infer(img, f, &a.views[0]); err != nil || !a.mirror {
		return &a.views[0], err
	}
	a.network.Mirrored = true
	if err := a.network.Infer(img, f, &a.views[1]); err != nil {
		return nil, err
	}
	a.network.Mean(&a.mean, &a.views[0], &a.views[1])
	return &a.mean, nil
}

// find gives the face that is looked at, and whether the detector found it.
func (a *answerer) find(img *pixel.Image) (f face.Face, found bool, err error) {
	if a.crops {
		f, found, err = a.findInCrop(img)
		if err == nil && !found {
			f = usualFace(img.Width, img.Height)
		}
		return f, found, err
	}
	// A tracker of its own for each picture: what the unit does on its first
	// frame.
	view, err := face.NewTracker(a.detector, face.TrackerOptions{}).Next(img, 0)
	if err == nil && !view.Found {
		err = errNoFace
	}
	return view.Face, true, err
}

func wide(v []float32) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

// A face crop fills its picture, and BlazeFace wants room around a face: the
// crop is put in the middle of a square this many times its longer side, its
// edge repeated outwards. The sizes are tried in turn, in the order that
// model/train takes for FER+.
var cropRoom = []float64{66. / 48, 88. / 48, 58. / 48, 1, 72. / 48, 100. / 48}

// mostSide is the side of the largest square that a crop is put in; a larger
// crop is scaled down. The detector itself looks at 128 or 192 pixels.
const mostSide = 1024

// Eyes nearer or farther than these shares of the crop's longer side are not
// believed.
const (
	leastEyes = 9. / 48
	mostEyes  = 28. / 48
)

// findInCrop finds the face that a crop shows.
func (a *answerer) findInCrop(img *pixel.Image) (face.Face, bool, error) {
	side := max(img.Width, img.Height)
	for _, room := range cropRoom {
		whole := int(math.Round(float64(side) * room))
		n := min(whole, mostSide)
		// The crop in the middle of the square, one to one where it fits.
		scale := float32(whole) / float32(n)
		shiftX := -float32((whole-img.Width)/2) + (scale-1)/2
		shiftY := -float32((whole-img.Height)/2) + (scale-1)/2
		sampler, err := pixel.NewSampler(pixel.Grey8(n, n))
		if err != nil {
			return face.Face{}, false, err
		}
		if len(a.frame) < n*n {
			a.frame = make([]byte, n*n)
		}
		if err := sampler.Fill(a.frame[:n*n], img, pixel.Affine{scale, 0, shiftX, 0, scale, shiftY}); err != nil {
			return face.Face{}, false, err
		}
		square := pixel.Image{Format: pixel.GREY, Width: n, Height: n, Data: a.frame[:n*n]}
		if a.faces, err = a.detector.Detect(&square, a.faces); err != nil {
			return face.Face{}, false, err
		}
		for _, f := range a.faces {
			for k, p := range f.Keypoints {
				f.Keypoints[k] = face.Point{X: scale*p.X + shiftX, Y: scale*p.Y + shiftY}
			}
			eyes := float64(f.EyeDistance()) / float64(side)
			if eyes < leastEyes || eyes > mostEyes {
				continue
			}
			return f, true, nil
		}
	}
	return face.Face{}, false, nil
}

// usualEyes is where the eyes are in a face crop whose face is not found, in
// parts of its width and height: in squares of 1.35 times BlazeFace's box they
// are found at (0.35, 0.35) and (0.65, 0.35), in FER+ a little lower.
var usualEyes = [2]face.Point{{X: 1. / 3, Y: 0.37}, {X: 2. / 3, Y: 0.37}}

// ferEyes are the eyes of a FER+ picture, 48 pixels square, whose face is not
// found, in pixels: those that model/train takes (MEAN_EYES in ferplus.py).
var ferEyes = [2]face.Point{{X: 15.3, Y: 18.4}, {X: 32.1, Y: 18.2}}

const ferSide = 48

func usualFace(width, height int) face.Face {
	var f face.Face
	if width == ferSide && height == ferSide {
		copy(f.Keypoints[:], ferEyes[:])
		return f
	}
	for k, p := range usualEyes {
		f.Keypoints[k] = face.Point{X: p.X*float32(width) - 0.5, Y: p.Y*float32(height) - 0.5}
	}
	return f
}

// answerAll looks at all pictures, on all cores; tell hears how many are done.
func answerAll(rows []row, card *affect.Card, model []byte, o answerOptions, tell func(done int)) (answers []answer, backend string, err error) {
	workers := min(runtime.NumCPU(), len(rows))
	answerers := make([]*answerer, workers)
	for i := range answerers {
		if answerers[i], err = newAnswerer(card, model, o); err != nil {
			for _, a := range answerers[:i] {
				a.close()
			}
			return nil, "", err
		}
	}
	backend = answerers[0].network.Backend()
	answers = make([]answer, len(rows))
	var next, done int
	var mu sync.Mutex // of next and done
	var wg sync.WaitGroup
	for _, a := range answerers {
		wg.Go(func() {
			defer a.close()
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= len(rows) {
					return
				}
				answers[i] = a.answer(rows[i].path)
				mu.Lock()
				done++
				tell(done)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return answers, backend, nil
}
