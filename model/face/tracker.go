package face

import (
	"fmt"
	"math"
	"time"

	"mien/model/pixel"
)

// Finder finds the faces of a part of a picture, as Detector does.
type Finder interface {
	// Search writes the faces of a part to faces[:0], the best score first.
	Search(img *pixel.Image, part Part, faces []Face) ([]Face, error)
}

var _ Finder = (*Detector)(nil)

// Choice says which of several faces counts.
type Choice int

// The choices.
const (
	Largest Choice = iota // the largest box, weighed by its score
	Nearest               // the box nearest the middle of the region
)

// TrackerOptions say when the Tracker detects and which face counts. Zero
// fields take the defaults.
type TrackerOptions struct {
	// Every: detect on every n-th frame at the latest. Default 15.
	Every int
	// Choice among the faces in Region.
	Choice Choice
	// Region that a face's centre must lie in, in parts of the upright
	// picture's width and height, 0..1. The zero Region is the whole picture.
	Region Rect
	// Hold is how long a lost face keeps its claim before another may take its
	// place, and how long another must be the better choice. Default 1 s.
	Hold time.Duration
}

// Cause says why a frame was searched for faces.
type Cause int

// The causes.
const (
	NotDetected Cause = iota // the face was followed, or stood still
	NoFace                   // there was no face to follow
	Due                      // Every frames have passed
	Moved                    // it moved too far to be followed
	Changed                  // the picture of the face changed: turned away, covered
	Asked                    // Recheck was called
)

// String names the cause.
func (c Cause) String() string {
	switch c {
	case NotDetected:
		return "not detected"
	case NoFace:
		return "no face"
	case Due:
		return "due"
	case Moved:
		return "face moved"
	case Changed:
		return "face changed"
	case Asked:
		return "asked"
	}
	return fmt.Sprintf("cause %d", int(c))
}

// View is what the Tracker knows after a frame.
type View struct {
	Face   Face          // the face that counts; while it is lost, where it was last
	Found  bool          // it is in this frame
	Count  int           // faces in the region at the last detection
	Person uint32        // rises when another face takes the place; 0: none yet
	Lost   time.Duration // since it was last seen; 0 while Found, and before the first face
	Cause  Cause         // why this frame was searched
}

// Tracker follows the face that counts. Between detections it compares a coarse
// patch of the face with the one at the last detection: a face that stands
// still keeps its place exactly, a small movement (shift, turn, scale) is
// followed, anything else makes it detect. It serves one goroutine at a time.
type Tracker struct {
	finder Finder
	o      TrackerOptions

	faces  []Face // of the last search,
	part   Part   // of this part
	near   []Face // of a second look
	sweeps int    // searches since there was a face to follow
	others bool   // the next search that is due is for others
	view   View
	pose   pose // of the patch on the face
	follow follower

	seen      time.Duration // when the face was last there
	confirmed time.Duration // when the detector last found it
	since     int           // frames since the last detection
	asked     bool

	rival      bool          // another face is the better choice,
	rivalSince time.Duration // since then

	width, high int // of the picture
}

// NewTracker follows faces that finder finds.
func NewTracker(finder Finder, o TrackerOptions) *Tracker {
	if o.Every <= 0 {
		o.Every = 15
	}
	if o.Hold <= 0 {
		o.Hold = time.Second
	}
	if o.Region == (Rect{}) {
		o.Region = Rect{0, 0, 1, 1}
	}
	return &Tracker{finder: finder, o: o, faces: make([]Face, 0, 16), near: make([]Face, 0, 16)}
}

// Recheck makes the next frame be searched, for a caller that mistrusts the
// face.
func (t *Tracker) Recheck() { t.asked = true }

// Faces are all faces of the last search, the best score first, those outside the
// region too, and the part that was searched. Valid until the next call of Next.
func (t *Tracker) Faces() ([]Face, Part) { return t.faces, t.part }

// Next looks at one frame, taken at a monotonic time. It allocates nothing
// unless a frame has more than 16 faces. After an error the View is as before,
// with Found false.
func (t *Tracker) Next(img *pixel.Image, at time.Duration) (View, error) {
	if w, h := img.Upright(); w != t.width || h != t.high {
		// Another picture size: nothing known about places holds.
		t.width, t.high = w, h
		t.view.Found = false
		t.asked = true
	}
	t.since++
	cause, err := t.cause(img)
	if err == nil && cause != NotDetected {
		err = t.detect(img, at, cause)
	}
	t.view.Cause = cause
	if err != nil {
		t.view.Found = false
		return t.view, fmt.Errorf("track face: %w", err)
	}
	if t.view.Found {
		t.seen = at
	}
	t.view.Lost = 0
	if !t.view.Found && t.view.Person > 0 {
		t.view.Lost = at - t.seen
	}
	return t.view, nil
}

// cause follows the face and says whether, and why, to detect.
func (t *Tracker) cause(img *pixel.Image) (Cause, error) {
	if !t.view.Found {
		if t.asked {
			return Asked, nil
		}
		return NoFace, nil
	}
	pixel.Fetch(img, t.view.Face.extent())
	moved, match, err := t.follow.step(img, t.pose)
	if err != nil {
		return NotDetected, err
	}
	switch {
	case match == apart:
		return Changed, nil
	case match == far:
		return Moved, nil
	case match == near:
		t.view.Face.move(t.pose, moved)
		t.pose = moved
	}
	if t.asked {
		return Asked, nil
	}
	if t.since >= t.o.Every {
		return Due, nil
	}
	return NotDetected, nil
}

// detect searches the frame and decides which face counts now.
//
// A detector's input is small. Of a whole picture it shows a far face in a few
// pixels, which it rarely finds, and puts eyes where they are not. So a known face is
// searched near its place, and a new one is looked at once more near to. Every second
// search that is due is for others, in the whole picture; and where there is no face,
// every second frame is searched in one of several parts.
func (t *Tracker) detect(img *pixel.Image, at time.Duration, cause Cause) error {
	search := t.first
	if t.view.Found {
		search = t.again
	}
	err := search(img, at, cause)
	if err == nil {
		t.since = 0
	}
	return err
}

// again searches for the face that was followed, or for others.
func (t *Tracker) again(img *pixel.Image, at time.Duration, cause Cause) error {
	near := t.around(&t.view.Face)
	others := cause == Due && t.others && near != Part{}
	t.asked, t.others = false, false
	if near != (Part{}) && !others {
		same, _, err := t.search(img, near, at)
		if err != nil {
			return err
		}
		if same >= 0 {
			t.others = true
			return t.keep(img, t.faces[same], at)
		}
	}
	same, best, err := t.search(img, Part{}, at)
	if err != nil {
		return err
	}
	present := &t.view.Face
	switch {
	case same >= 0:
		present = &t.faces[same]
	case others: // it was not searched for, and its patch still matches
	case cause != Changed && cause != Moved && at-t.confirmed < t.o.Hold:
		// The patch still matches: the detector missed a face that is there.
		// Every frame is searched until it is found again, or given up.
		t.asked = true
		return nil
	default:
		t.view.Found, t.rival = false, false
		return nil
	}
	if t.outdone(present, best, at) {
		if sure, err := t.confirm(img, &t.faces[best]); sure || err != nil {
			if err != nil {
				return err
			}
			return t.take(img, t.faces[best], at)
		}
	}
	if others {
		t.others = t.rival
		return nil
	}
	sure, err := t.confirm(img, present)
	if !sure || err != nil {
		t.view.Found = false
		return err
	}
	return t.keep(img, *present, at)
}

// first searches for a face where there is none to follow.
func (t *Tracker) first(img *pixel.Image, at time.Duration, _ Cause) error {
	same, best, err := t.search(img, t.sweep(), at)
	if err != nil {
		return err
	}
	t.asked = false
	found, goOn := same, t.keep
	if same < 0 && (t.view.Person == 0 || at-t.seen >= t.o.Hold) {
		found, goOn = best, t.take
	}
	if found < 0 {
		return nil
	}
	f := t.faces[found]
	sure, err := t.confirm(img, &f)
	if !sure || err != nil {
		return err
	}
	return goOn(img, f, at)
}

// search looks for faces in a part of the picture: which of them is the one that
// counts, and which would be the best choice; -1 for none.
func (t *Tracker) search(img *pixel.Image, part Part, at time.Duration) (same, best int, err error) {
	same, best, t.part = -1, -1, part
	if t.faces, err = t.finder.Search(img, part, t.faces); err != nil {
		return
	}
	count := 0
	for i := range t.faces {
		f := &t.faces[i]
		if !t.inRegion(f) {
			continue
		}
		count++
		if best < 0 || t.better(f, &t.faces[best], 1) {
			best = i
		}
		if t.view.Person > 0 && t.isSame(f, at) && (same < 0 || t.unlike(f) < t.unlike(&t.faces[same])) {
			same = i
		}
	}
	if part == (Part{}) {
		t.view.Count = count
	}
	return
}

// confirm looks at a face once more, near to, and corrects it. What is none there is
// none.
func (t *Tracker) confirm(img *pixel.Image, f *Face) (sure bool, err error) {
	near := t.around(f)
	if near == (Part{}) || near == t.part {
		return true, nil
	}
	if t.near, err = t.finder.Search(img, near, t.near); err != nil {
		return false, err
	}
	best := float32(sameOverlap)
	for i := range t.near {
		if o := overlap(t.near[i].Box, f.Box); o >= best {
			*f, best, sure = t.near[i], o, true
		}
	}
	return sure, nil
}

// sameOverlap is how much of two boxes must be common to both, seen from far and
// near to, to be of one face.
const sameOverlap = 0.3

// A face's surroundings are this many times as large as its box. Where they are
// nearly the picture, the picture is taken. On real faces the eyes are off by 6.2% of
// their distance in the surroundings and by 7.2% in a picture of 640 x 480 where the
// box is 180 pixels wide, by 6.1% and 5.8% where it is 205: from between on a look at
// the surroundings costs a search and gains nothing.
const (
	surroundings = 2.4
	nearly       = 0.72
)

// around is the part of the picture to search a face in that is known. A head that
// lies on a side is turned upright for that.
func (t *Tracker) around(f *Face) Part {
	roll, _, _ := angles(f)
	turn := int(math.Round(-float64(roll)/90)) & 3
	side := surroundings * max(f.Box.Width(), f.Box.Height())
	if side >= nearly*float32(max(t.width, t.high)) {
		return Part{Turn: turn}
	}
	c := f.Box.Centre()
	x, y := into(c.X-side/2, side, t.width), into(c.Y-side/2, side, t.high)
	return Part{Rect{x, y, x + side, y + side}, turn}
}

// into moves what begins at a place into the picture, or to its middle where it is
// longer.
func into(start, length float32, size int) float32 {
	first, last := float32(-0.5), float32(size)-0.5-length
	if last < first {
		return (first + last) / 2
	}
	return min(max(start, first), last)
}

// sweep is the part to search next where no face is known: the whole picture and
// one of the parts in turn. They are squares of 9/16 of its longer side, in its
// corners: four of 4:3, two of 16:9.
func (t *Tracker) sweep() Part {
	t.sweeps++
	side := float32(max(t.width, t.high)) * 9 / 16
	if t.sweeps%2 == 1 || side < leastPart {
		return Part{}
	}
	n := t.sweeps / 2
	x, y := -0.5+float32(n&1)*(float32(t.width)-side), -0.5+float32(n>>1&1)*(float32(t.high)-side)
	if min(t.width, t.high) < int(side*1.05) { // two along the longer side
		x, y = into(x, side, t.width), into(y, side, t.high)
	}
	return Part{Rect: Rect{x, y, x + side, y + side}}
}

// leastPart: in smaller parts nothing is seen that the whole does not show.
const leastPart = 160

// take makes another face the one that counts.
func (t *Tracker) take(img *pixel.Image, f Face, at time.Duration) error {
	t.view.Person++
	t.rival = false
	return t.anchor(img, f, at)
}

// keep goes on with the same face, found again.
func (t *Tracker) keep(img *pixel.Image, f Face, at time.Duration) error {
	if t.view.Found {
		f.steady(&t.view.Face)
	}
	return t.anchor(img, f, at)
}

// anchor keeps the face and what it looks like.
func (t *Tracker) anchor(img *pixel.Image, f Face, at time.Duration) error {
	t.view.Face, t.view.Found, t.confirmed = f, true, at
	t.view.Count, t.sweeps = max(t.view.Count, 1), 0
	t.pose = poseOf(&f)
	return t.follow.anchor(img, t.pose)
}

func (t *Tracker) inRegion(f *Face) bool {
	c := f.Box.Centre()
	x, y := c.X/float32(max(t.width, 1)), c.Y/float32(max(t.high, 1))
	r := t.o.Region
	return x >= r.X0 && x <= r.X1 && y >= r.Y0 && y <= r.Y1
}

// better tells whether a is the better choice than b, by a factor.
func (t *Tracker) better(a, b *Face, factor float32) bool {
	if t.o.Choice == Nearest {
		return t.offMiddle(a)*factor < t.offMiddle(b)
	}
	return a.weight() > factor*b.weight()
}

// weight is the size and score of a face together: the area, in parts by the score's
// fourth power, so that a flag at a score of 0.6 must be twice as wide as a face at
// 0.85 to count for more.
func (f *Face) weight() float32 {
	s := f.Score * f.Score
	return f.Box.Width() * f.Box.Height() * s * s
}

// offMiddle is how far a face is from the middle of the region, in pixels.
func (t *Tracker) offMiddle(f *Face) float32 {
	r := t.o.Region
	return distance(f.Box.Centre(), Point{(r.X0 + r.X1) / 2 * float32(t.width), (r.Y0 + r.Y1) / 2 * float32(t.high)})
}

// A rival must be this much larger, or nearer the middle, to take the place of
// a face that is there.
const rivalFactor = 1.5

// outdone tells whether another face has been the clearly better choice than the
// one that is there for Hold.
func (t *Tracker) outdone(present *Face, best int, at time.Duration) bool {
	if best < 0 || present == &t.faces[best] || !t.better(&t.faces[best], present, rivalFactor) {
		t.rival = false
		return false
	}
	if !t.rival {
		t.rival, t.rivalSince = true, at
	}
	return at-t.rivalSince >= t.o.Hold
}

// unlike is how far a face is from where the one that counts was, in widths of
// its box, by the mean of the eyes, nose and mouth; and how much it differs in
// size.
func (t *Tracker) unlike(f *Face) float32 {
	was := &t.view.Face
	var d float32
	for k := RightEye; k <= Mouth; k++ {
		d += distance(f.Keypoints[k], was.Keypoints[k])
	}
	size := f.Box.Width() / max(was.Box.Width(), 1)
	return d/4/max(was.Box.Width(), 1) + max(size, 1/max(size, 0.01)) - 1
}

// isSame tells whether a face can be the one that counts: not further away
// than it can have moved, and of about the same size. A face lost for a while
// may have moved further.
func (t *Tracker) isSame(f *Face, at time.Duration) bool {
	reach := float32(0.5)
	if !t.view.Found {
		reach += 0.5 * float32(min((at-t.seen).Seconds(), 1))
	}
	return t.unlike(f) < reach
}
