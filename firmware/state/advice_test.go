package state

import (
	"fmt"
	"strings"
	"testing"
)

// What is said of one frame, a row each: what differs from a face that is read well.
func TestAdvise(t *testing.T) {
	about := &About{Rotate: 90, Gate: Gate{MinSize: 60, MinLight: 25, MaxLight: 235, MinContrast: 10, MaxClipped: 0.5, MinSharpness: 0.025, MaxYaw: 40, MaxPitch: 30, MaxRoll: 35, MaxOutside: 0.1}}
	good := func() Aim {
		return Aim{Width: 640, Height: 480, Light: 110, Contrast: 50, Found: true, Box: [4]float32{0.4, 0.35, 0.6, 0.62}, Eyes: 60, Inside: 1,
			FaceLight: 130, FaceContrast: 30, Sharpness: 0.2}
	}
	wide := func(share float32) func(*Aim) { return func(a *Aim) { a.Box[0], a.Box[2] = 0.5-share/2, 0.5+share/2 } }
	for want, change := range map[string]func(*Aim){
		"good 0":               func(*Aim) {},
		"":                     func(a *Aim) { a.Width = 0 },
		"face 0":               func(a *Aim) { a.Found = false },
		"rotate 0":             func(a *Aim) { a.Turned, a.Found = 270, false },
		"face 0; more light 0": func(a *Aim) { a.Found, a.Light = false, 10 },
		// 15 cm at a tenth of a picture of 65 degrees are 118 cm away, at a fifth 59.
		"closer 59":                          wide(0.1),
		"further 37":                         func(a *Aim) { wide(0.55)(a) },
		"larger picture 0":                   func(a *Aim) { a.Width, a.Height = 320, 240 },
		"lower 25":                           func(a *Aim) { a.Pitch = -25 },
		"higher 20":                          func(a *Aim) { a.Pitch = 30 },
		"move left 30":                       func(a *Aim) { a.Yaw = -30 },
		"move right 30":                      func(a *Aim) { a.Yaw = 30 },
		"lean left 20":                       func(a *Aim) { a.Roll = -20 },
		"lean right 20":                      func(a *Aim) { a.Roll = 20 },
		"turn right 21":                      func(a *Aim) { a.Box[0], a.Box[2] = 0.7, 0.9 },
		"turn left 21":                       func(a *Aim) { a.Box[0], a.Box[2] = 0.1, 0.3 },
		"tilt up 17":                         func(a *Aim) { a.Box[1], a.Box[3] = 0.07, 0.3 },
		"tilt down 17":                       func(a *Aim) { a.Box[1], a.Box[3] = 0.7, 0.93 },
		"more light 0":                       func(a *Aim) { a.FaceLight, a.Light = 50, 50 },
		"front light 0":                      func(a *Aim) { a.FaceLight, a.Light = 50, 160 },
		"less light 0":                       func(a *Aim) { a.Bright = 0.3 },
		"clean 0":                            func(a *Aim) { a.FaceContrast = 8 },
		"focus 0":                            func(a *Aim) { a.Sharpness = 0.02 },
		"front light 0; closer 59; lower 25": func(a *Aim) { a.FaceLight, a.Light, a.Sharpness = 50, 160, 0; wide(0.1)(a); a.Pitch = -25 },
	} {
		a := good()
		change(&a)
		var said []string
		for _, v := range a.Advise(about, nil) {
			said = append(said, fmt.Sprintf("%v %.0f", v.Do, v.By))
		}
		if got := strings.Join(said, "; "); got != want {
			t.Errorf("said %q, not %q", got, want)
		}
	}
	a := good()
	list := make([]Advice, 0, changes)
	if n := testing.AllocsPerRun(100, func() { list = a.Advise(about, list[:0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
