package drift

import (
	"math"

	"mien/model/face"
)

// Kind is what a quantity is, which says how days of it are compared.
type Kind uint8

const (
	Level  Kind = iota // of a signal
	Share              // of the time with a face, 0 to 1
	Luma               // 0 to 255
	Pixels             // compared as a ratio
	Score              // of the detector, 0 to 1
)

// kinds has, for each kind, the smallest change that is worth telling, in the
// quantity's unit (of Pixels as a ratio), and the least that days are taken to
// differ by, as the standard deviation of what scale gives. Without them a quantity
// that was the same on each day of the pilot would be told for nothing.
var kinds = [...]struct{ least, between float64 }{
	Level: {0.01, 0.003}, Share: {0.05, 0.03}, Luma: {5, 1}, Pixels: {0.05, 0.01}, Score: {0.02, 0.005},
}

// scale brings a day's mean to a scale on which days differ alike, wherever they
// are: the arcsine of the root for a share, the logarithm for a size.
func (k Kind) scale(mean float64) float64 {
	switch k {
	case Share:
		return math.Asin(math.Sqrt(min(max(mean, 0), 1)))
	case Pixels:
		return math.Log(max(mean, 1))
	}
	return mean
}

// back is the inverse of scale.
func (k Kind) back(y float64) float64 {
	switch k {
	case Share:
		s := math.Sin(min(max(y, 0), math.Pi/2))
		return s * s
	case Pixels:
		return math.Exp(y)
	}
	return y
}

// worth tells whether a change is worth telling, on the scale of scale.
func (k Kind) worth(from, to, factor float64) bool {
	least := kinds[k].least * factor
	if k == Pixels {
		return math.Abs(to-from) >= math.Log1p(least)
	}
	return math.Abs(k.back(to)-k.back(from)) >= least
}

// Names of the quantities that are no signal; the others are shares of the time
// with a face, under the quality gate's words, and of all time for face.Missing.
const (
	light    = "light"
	contrast = "contrast"
	size     = "face size"
	score    = "face score"
)

// reasons are those whose share of time is compared.
var reasons = []face.Reason{face.Missing, face.Unsure, face.CutOff, face.TooSmall, face.Rolled, face.Turned, face.Tilted,
	face.TooDark, face.TooBright, face.Flat, face.Blurred}

// places of the quantities that are no signal, before those of the signals.
const (
	atLight = iota
	atContrast
	atSize
	atScore
	atReasons
)

// Names are those of all quantities of a unit with these signals.
func Names(signals []string) []string {
	names := []string{light, contrast, size, score}
	for _, r := range reasons {
		names = append(names, r.String())
	}
	return append(names, signals...)
}

// KindOf gives a quantity's kind.
func KindOf(name string) Kind {
	switch name {
	case light, contrast:
		return Luma
	case size:
		return Pixels
	case score:
		return Score
	}
	for _, r := range reasons {
		if name == r.String() {
			return Share
		}
	}
	return Level
}

// Sum is what a day has of one quantity: seconds, and the sums over them of the
// quantity and of its square.
type Sum struct {
	Seconds float64 `json:"s"`
	Sum     float64 `json:"x"`
	Squares float64 `json:"xx"`
}

// Add counts a quantity for so many seconds.
func (s *Sum) Add(seconds, x float64) {
	s.Seconds += seconds
	s.Sum += seconds * x
	s.Squares += seconds * x * x
}

// known is how long a quantity must be known on a day for the day to have a mean.
const known = 600

// mean is the day's, NaN where too little is known.
func (s *Sum) mean() float64 {
	if s.Seconds < known {
		return math.NaN()
	}
	return s.Sum / s.Seconds
}

// Day is what one day was like.
type Day struct {
	Date string  `json:"date"` // 2026-11-30, by the unit's clock, local time
	Read float64 `json:"read"` // seconds in which a face could be read
	// Broken: the clock was set during it, so that it may be a part of a day.
	Broken bool  `json:"broken,omitempty"`
	Of     []Sum `json:"of"` // each quantity
}

// values are the day's means on their scales, NaN for those that are not known.
func (d *Day) values(names []string) []float64 {
	list := make([]float64, len(d.Of))
	for i := range list {
		list[i] = KindOf(names[i]).scale(d.Of[i].mean())
	}
	return list
}
