package v4l2

import (
	"fmt"
	"strings"

	"mien/drivers/camera"
)

// Settings name a camera and what is wanted of it. The zero value is the first
// usable camera at 640x480 and 30 frames/s.
type Settings struct {
	// Device is a path (/dev/video0, /dev/v4l/by-id/…), the name of a link in
	// by-id or by-path alone, a node's name or number, or empty for the first
	// usable camera. Node numbers change between boots and replugs: name a link.
	Device string
	// Format is a name for ParseFormat; empty: whichever gives the size, then the
	// rate, then the first of NV12, YU12, YUYV, UYVY, GREY, RGB3, MJPG.
	Format        string
	Width, Height int     // pixels; 0: 640x480. The nearest the camera has is taken, with a warning in Info
	FPS           float64 // frames a second; 0: 30. The nearest the driver gives, with a warning in Info
	Stride        int     // bytes a row to ask for; 0: the driver's choice. Drivers may refuse
	// Controls are set by name ("power_line_frequency": 1), switches and menus
	// before values. Nothing else is changed.
	Controls map[string]int
}

const (
	defaultWidth  = 640
	defaultHeight = 480
	defaultRate   = 30

	slowest, fastest = 0.1, 1000 // frames a second that may be asked for, and that a driver is believed
)

// check fills in what is left out, and refuses what no camera can give.
func (s Settings) check() (Settings, uint32, error) {
	var format uint32
	if s.Format != "" {
		var err error
		if format, err = camera.ParseFormat(s.Format); err != nil {
			return s, 0, err
		}
	}
	if s.Width == 0 && s.Height == 0 {
		s.Width, s.Height = defaultWidth, defaultHeight
	}
	if s.Width < 1 || s.Height < 1 || s.Width > camera.MaxSide || s.Height > camera.MaxSide {
		return s, 0, fmt.Errorf("size %dx%d: %w: width and height go together, 1 to %d", s.Width, s.Height, camera.ErrUnsupported, camera.MaxSide)
	}
	if s.FPS == 0 {
		s.FPS = defaultRate
	}
	if !(s.FPS >= slowest && s.FPS <= fastest) {
		return s, 0, fmt.Errorf("%v frames/s: %w: %v to %v", s.FPS, camera.ErrUnsupported, slowest, fastest)
	}
	if s.Stride < 0 || s.Stride > 8*camera.MaxSide {
		return s, 0, fmt.Errorf("stride %d: %w: 0 to %d bytes", s.Stride, camera.ErrUnsupported, 8*camera.MaxSide)
	}
	return s, format, nil
}

type pixels struct{ Width, Height int }

// nearest is the size in the range that is nearest to what is wanted.
func (s Size) nearest(width, height int) pixels {
	fit := func(want, least, most, step int) int {
		if most <= least {
			return least
		}
		v := min(max(want, least), most)
		if step > 1 {
			v = least + (v-least+step/2)/step*step
			if v > most {
				v -= step
			}
		}
		return v
	}
	return pixels{fit(width, s.Width, s.MaxWidth, s.StepWidth), fit(height, s.Height, s.MaxHeight, s.StepHeight)}
}

// request is what the driver will be asked for.
type request struct {
	fourcc uint32
	pixels
}

// choose finds the best request: first by size (the exact one; one the driver
// does not list but may give; the least that is larger; the largest that is
// smaller), then by whether the wanted rate is reached, then by preference. So
// a USB camera that gives 1280x720 as YUYV at 10 and as MJPG at 30 frames/s is
// asked for MJPG.
func choose(list []Format, want Settings, format uint32) (request, error) {
	var best request
	var bestCost [3]float64
	found := false
	consider := func(r request, size, rate float64) {
		cost := [3]float64{size, rate, float64(rank(r.fourcc))}
		for i := range cost {
			if !found || cost[i] < bestCost[i] {
				best, bestCost, found = r, cost, true
				return
			}
			if cost[i] > bestCost[i] {
				return
			}
		}
	}
	var offered []string
	for _, f := range list {
		offered = append(offered, camera.FormatName(f.FourCC))
		if !wanted(f.FourCC, format) {
			continue
		}
		if len(f.Sizes) == 0 {
			consider(request{f.FourCC, pixels{want.Width, want.Height}}, 0.5, 0)
		}
		for _, s := range f.Sizes {
			if s.MaxWidth == 0 {
				consider(request{f.FourCC, pixels{want.Width, want.Height}}, 0.5, 0)
				continue
			}
			at := s.nearest(want.Width, want.Height)
			consider(request{f.FourCC, at}, sizeCost(at, want), rateCost(s.FPS, want.FPS))
		}
	}
	if !found {
		return best, fmt.Errorf("%w: format %s is not among %s", camera.ErrUnsupported, camera.FormatName(format), strings.Join(offered, " "))
	}
	return best, nil
}

// wanted tells whether a camera's format may be chosen when format is named, or
// 0 for any.
func wanted(fourcc, format uint32) bool {
	return usable(fourcc) && (format == 0 || given(fourcc) == format)
}

func sizeCost(at pixels, want Settings) float64 {
	ratio := float64(at.Width*at.Height) / float64(want.Width*want.Height)
	switch {
	case at.Width == want.Width && at.Height == want.Height:
		return 0
	case at.Width >= want.Width && at.Height >= want.Height:
		return 1 + ratio
	}
	return 1e6 + 1/ratio
}

// rateCost is 0 when a rate is reached within a tenth, as 29.97 reaches 30, or
// when the driver lists none.
func rateCost(fps []float64, want float64) float64 {
	if len(fps) == 0 || fps[0] >= 0.9*want {
		return 0
	}
	return 1 - fps[0]/want
}
