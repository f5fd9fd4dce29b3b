package state

import "math"

// Advice is one thing that a person at the camera can change, so that faces are read
// better at this place.
type Advice struct {
	Do Change
	By float32 // how much of it, in what Change.Unit says; without a unit 0, but Rotate: the new camera.rotate
}

// Change is what to do. Sides are the camera's own, as it looks.
type Change uint8

const (
	Nothing       Change = iota // it is good as it is
	FindFace                    // no face: look at the place where the person works
	Rotate                      // the picture is not upright: set camera.rotate
	MoreLight                   // on the face
	FrontLight                  // the background is brighter than the face
	LessLight                   // on the face, or a shorter exposure
	Closer                      // the camera to the face
	LargerPicture               // near enough, and too few pixels
	Further                     // away from the face
	MoveLower                   // about the face, which is looked at from above
	MoveHigher                  // likewise, from below
	MoveLeft                    // about the face, to where the person looks
	MoveRight
	TurnLeft // on its place: the face is at the picture's edge
	TurnRight
	TiltUp
	TiltDown
	LeanLeft  // about its own axis, counterclockwise seen from behind
	LeanRight // clockwise
	Clean     // the lens: too little contrast
	Focus     // or a shorter exposure
	changes   // how many
)

var changeTable = [changes]struct{ name, unit string }{
	Nothing: {"good", ""}, FindFace: {"face", ""}, Rotate: {"rotate", ""}, MoreLight: {"more light", ""}, FrontLight: {"front light", ""}, LessLight: {"less light", ""},
	Closer: {"closer", "cm"}, LargerPicture: {"larger picture", ""}, Further: {"further", "cm"}, MoveLower: {"lower", "deg"}, MoveHigher: {"higher", "deg"},
	MoveLeft: {"move left", "deg"}, MoveRight: {"move right", "deg"}, TurnLeft: {"turn left", "deg"}, TurnRight: {"turn right", "deg"},
	TiltUp: {"tilt up", "deg"}, TiltDown: {"tilt down", "deg"}, LeanLeft: {"lean left", "deg"}, LeanRight: {"lean right", "deg"},
	Clean: {"clean", ""}, Focus: {"focus", ""},
}

// String gives the name, "more light".
func (c Change) String() string { return changeTable[c].name }

// Unit is what Advice.By is in: "cm", "deg", or "" where there is no measure.
func (c Change) Unit() string { return changeTable[c].unit }

// Changes lists them in the order of their weight.
func Changes() []Change {
	list := make([]Change, changes)
	for i := range list {
		list[i] = Change(i)
	}
	return list
}

// What the advice takes for granted, and from where on it speaks. docs/mounting.md has
// how faces are read at each of these; model/train's aim.py measures how often what is
// said is right.
const (
	faceWidth = 15   // cm; people differ a little
	lensAngle = 65.0 // degrees that a lens sees from left to right: usual ones see 60 to 70

	leastShare = 0.13 // of the picture's width that the face has: below it is found now and then
	mostShare  = 0.46 // above, a head that moves is cut off
	wantShare  = 0.20
	leastWide  = 80 // pixels of the face, the least to plan for

	fromAbove = 16 // degrees that the face looks below the camera; the estimate is some degrees more than that
	fromBelow = 20
	wantBelow = 10
	aside     = 22
	leaning   = 15
	offMiddle = 0.25 // shares of the picture between its middle and the face's

	darkLuma, brightLuma = 75, 205 // medians of faces that are read begin and end about there
	brightPart           = 0.2
	backLight            = 0.55 // of the whole picture's luma that a face before a window has less than
)

// Advise appends what to change to dst, the weightiest first, as one frame shows it:
// who shows it to people waits until it holds.
func (a *Aim) Advise(about *About, dst []Advice) []Advice {
	if a.Width == 0 || a.Height == 0 { // no picture
		return dst
	}
	first := len(dst)
	add := func(c Change, by float64) { dst = append(dst, Advice{c, float32(by)}) }
	if a.Turned != 0 {
		add(Rotate, float64((about.Rotate+a.Turned)%360))
		return dst
	}
	if !a.Found {
		add(FindFace, 0)
		if a.Light < 40 {
			add(MoreLight, 0)
		}
		return dst
	}
	g := &about.Gate
	light, picture := float64(a.FaceLight), float64(a.Light)
	switch {
	case light < max(darkLuma, g.MinLight) || float64(a.Dark) > g.MaxClipped:
		if light < backLight*picture {
			add(FrontLight, 0)
		} else {
			add(MoreLight, 0)
		}
	case light < backLight*picture:
		add(FrontLight, 0)
	case light > min(brightLuma, g.MaxLight) || float64(a.Bright) > min(brightPart, g.MaxClipped):
		add(LessLight, 0)
	}

	wide := float64(a.Box[2]-a.Box[0]) * float64(a.Width)
	share := wide / float64(a.Width)
	half := math.Tan(lensAngle / 2 * math.Pi / 180)
	distance := func(share float64) float64 { return faceWidth / (2 * share * half) }
	switch {
	case share < leastShare:
		add(Closer, distance(share)-distance(wantShare))
	case wide < max(leastWide, float64(g.MinSize)):
		add(LargerPicture, 0)
	case share > mostShare:
		add(Further, distance(wantShare)-distance(share))
	}
	switch pitch := float64(a.Pitch); {
	case share > mostShare: // so near, the nose hides how a head is held
	case pitch < -fromAbove:
		add(MoveLower, -pitch)
	case pitch > fromBelow:
		add(MoveHigher, pitch-wantBelow)
	}
	switch yaw := float64(a.Yaw); {
	case yaw < -aside:
		add(MoveLeft, -yaw)
	case yaw > aside:
		add(MoveRight, yaw)
	}
	// Seen from its axis, a place in the picture is at so many degrees.
	x, y := float64(a.Box[0]+a.Box[2])/2-0.5, float64(a.Box[1]+a.Box[3])/2-0.5
	degrees := func(off, span float64) float64 { return math.Atan(2*math.Abs(off)*half*span) * 180 / math.Pi }
	switch {
	case x < -offMiddle:
		add(TurnLeft, degrees(x, 1))
	case x > offMiddle:
		add(TurnRight, degrees(x, 1))
	}
	tall := float64(a.Height) / float64(a.Width)
	switch {
	case y < -offMiddle:
		add(TiltUp, degrees(y, tall))
	case y > offMiddle:
		add(TiltDown, degrees(y, tall))
	}
	switch roll := float64(a.Roll); {
	case roll < -leaning:
		add(LeanLeft, -roll)
	case roll > leaning:
		add(LeanRight, roll)
	}
	// Where the light is wrong, contrast and sharpness follow it.
	if len(dst) == first || dst[first].Do > LessLight {
		switch {
		case float64(a.FaceContrast) < g.MinContrast:
			add(Clean, 0)
		case float64(a.Sharpness) < g.MinSharpness:
			add(Focus, 0)
		}
	}
	if len(dst) == first {
		add(Nothing, 0)
	}
	return dst
}
