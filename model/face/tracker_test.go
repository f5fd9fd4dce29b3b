package face

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"mien/model/pixel"
)

// frame is the time of one frame in these tests.
const frame = 40 * time.Millisecond

// standing is a plain face with its box's middle at x, y.
func standing(x, y, side float32) Face {
	f := Face{Box: Rect{x - side/2, y - side/2, x + side/2, y + side/2}, Score: 0.9}
	at := func(dx, dy float32) Point { return Point{x + dx*side, y + dy*side} }
	f.Keypoints = [Keypoints]Point{
		RightEye: at(-0.22, -0.2), LeftEye: at(0.22, -0.2), NoseTip: at(0, 0.04),
		Mouth: at(0, 0.27), RightEar: at(-0.45, -0.12), LeftEar: at(0.45, -0.12),
	}
	return f
}

// scene is a tracker on a picture that stands still, with scripted faces.
type scene struct {
	t     *testing.T
	fake  Fake
	tr    *Tracker
	img   *pixel.Image
	now   time.Duration
	views []View
}

func newScene(t *testing.T, o TrackerOptions) *scene {
	s := &scene{t: t, img: randomPicture(640, 480)}
	s.tr = NewTracker(&s.fake, o)
	return s
}

// run lets n frames pass and gives the last view.
func (s *scene) run(n int) View {
	s.t.Helper()
	var v View
	for range n {
		var err error
		if v, err = s.tr.Next(s.img, s.now); err != nil {
			s.t.Fatal(err)
		}
		s.views = append(s.views, v)
		s.now += frame
	}
	return v
}

// change makes the picture another one, so that nothing can be followed.
func (s *scene) change() {
	s.img = &pixel.Image{Format: s.img.Format, Width: s.img.Width, Height: s.img.Height, Data: bytes.Clone(s.img.Data)}
	for i, v := range s.img.Data {
		s.img.Data[i] = v*167 + byte(i*31) // another pattern
	}
}

func TestTrackerDetectsOnlyWhenItMust(t *testing.T) {
	s := newScene(t, TrackerOptions{})
	if v := s.run(10); v.Found || v.Person != 0 || v.Lost != 0 || s.fake.Calls != 10 {
		t.Fatalf("nobody there: %+v after %d detections in 10 frames", v, s.fake.Calls)
	}
	s.fake.Faces = []Face{standing(300, 200, 150)}
	s.fake.Calls = 0
	v := s.run(1)
	if !v.Found || v.Person != 1 || v.Count != 1 || v.Cause != NoFace {
		t.Fatalf("first seen: %+v", v)
	}
	first := v.Face
	for range 4 {
		v = s.run(15)
		if v.Cause != Due || !v.Found {
			t.Errorf("15 frames later: %+v", v)
		}
	}
	if s.fake.Calls != 6 { // the first one twice: in the whole picture, and near to
		t.Errorf("%d detections in 61 frames, want 6", s.fake.Calls)
	}
	if v.Face != first {
		t.Errorf("a face that stands still moved from %v to %v", first, v.Face)
	}
	s.tr.Recheck()
	if v := s.run(1); v.Cause != Asked || s.fake.Calls != 7 {
		t.Errorf("asked: %+v, %d detections", v, s.fake.Calls)
	}
	s.change()
	if v := s.run(1); v.Cause != Changed || s.fake.Calls != 8 {
		t.Errorf("changed: %+v, %d detections", v, s.fake.Calls)
	}
}

func TestTrackerEvery(t *testing.T) {
	s := newScene(t, TrackerOptions{Every: 1})
	s.fake.Faces = []Face{standing(300, 200, 150)}
	s.run(10)
	if s.fake.Calls != 11 {
		t.Errorf("%d detections in 10 frames", s.fake.Calls)
	}
}

func TestTrackerChooses(t *testing.T) {
	big, middle, right := standing(150, 240, 200), standing(330, 230, 100), standing(520, 240, 140)
	for name, c := range map[string]struct {
		o     TrackerOptions
		want  Face
		count int
	}{
		"largest":             {TrackerOptions{}, big, 3},
		"nearest":             {TrackerOptions{Choice: Nearest}, middle, 3},
		"largest in a region": {TrackerOptions{Region: Rect{0.4, 0, 1, 1}}, right, 2},
		"nearest in a region": {TrackerOptions{Choice: Nearest, Region: Rect{0, 0, 0.5, 1}}, big, 1},
	} {
		s := newScene(t, c.o)
		s.fake.Faces = []Face{middle, big, right}
		if v := s.run(1); v.Face != c.want || v.Count != c.count {
			t.Errorf("%s: %v of %d, want %v of %d", name, v.Face.Box, v.Count, c.want.Box, c.count)
		}
		if list, _ := s.tr.Faces(); len(list) != 3 {
			t.Errorf("%s: Faces gives %d", name, len(list))
		}
	}
	s := newScene(t, TrackerOptions{Region: Rect{0, 0, 0.1, 0.1}})
	s.fake.Faces = []Face{middle, big, right}
	if v := s.run(30); v.Found || v.Count != 0 {
		t.Errorf("none in the region: %+v", v)
	}
}

func TestTrackerStaysWithItsPerson(t *testing.T) {
	mine, other := standing(200, 240, 150), standing(480, 240, 160)
	s := newScene(t, TrackerOptions{Every: 5})
	s.fake.Faces = []Face{mine}
	s.run(6)
	// A face a little larger comes: no reason to leave.
	s.fake.Faces = []Face{other, mine}
	if v := s.run(60); v.Face != mine || v.Person != 1 || v.Count != 2 {
		t.Errorf("with another beside: %+v", v)
	}
	// The person is covered: the other one waits for Hold.
	s.fake.Faces = []Face{other}
	s.change()
	v := s.run(1)
	if v.Found || v.Face != mine || v.Lost != frame {
		t.Errorf("covered: %+v", v)
	}
	if v = s.run(20); v.Found || v.Person != 1 || v.Count != 1 || v.Lost != 21*frame {
		t.Errorf("covered for 21 frames: %+v", v)
	}
	// Back in time, a hand's breadth further.
	back := standing(230, 250, 145)
	s.fake.Faces = []Face{other, back}
	if v = s.run(1); !v.Found || v.Person != 1 || v.Face != back {
		t.Errorf("back: %+v", v)
	}
	// Gone for good: after Hold the other one counts.
	s.fake.Faces = []Face{other}
	s.change()
	if v = s.run(24); v.Found {
		t.Errorf("gone for 24 frames of 40 ms: %+v", v)
	}
	if v = s.run(2); !v.Found || v.Person != 2 || v.Face != other { // every second search is of the whole picture
		t.Errorf("gone for a second: %+v", v)
	}
}

func TestTrackerGivesWayToAMuchBetterFace(t *testing.T) {
	mine, near := standing(200, 240, 100), standing(480, 240, 200)
	s := newScene(t, TrackerOptions{Every: 5})
	s.fake.Faces = []Face{mine}
	s.run(6)
	s.fake.Faces = []Face{mine, near}
	if v := s.run(25); v.Person != 1 {
		t.Errorf("after a second: %+v", v)
	}
	// A glimpse without the rival starts the time again.
	s.fake.Faces = []Face{mine}
	s.run(5)
	s.fake.Faces = []Face{mine, near}
	if v := s.run(25); v.Person != 1 {
		t.Errorf("after a second, interrupted: %+v", v)
	}
	if v := s.run(10); v.Person != 2 || v.Face.Box != near.Box {
		t.Errorf("at last: %+v", v)
	}
}

func TestTrackerBridgesADetectorsMiss(t *testing.T) {
	mine := standing(200, 240, 150)
	s := newScene(t, TrackerOptions{})
	s.fake.Faces = []Face{mine}
	s.run(1)
	s.fake.Faces = nil
	s.fake.Calls = 0
	// The picture stays the same: the face is there until Hold after it was last
	// detected, and each frame is searched from the first miss on, near its place
	// and everywhere.
	if v := s.run(20); !v.Found || v.Count != 0 || s.fake.Calls != 12 {
		t.Errorf("missed: %+v, %d detections", v, s.fake.Calls)
	}
	if v := s.run(10); v.Found || v.Lost == 0 {
		t.Errorf("missed for longer than Hold: %+v", v)
	}
}

func TestTrackerAfterAnError(t *testing.T) {
	broken := errors.New("broken")
	s := newScene(t, TrackerOptions{Every: 2})
	s.fake.Faces = []Face{standing(200, 240, 150)}
	s.fake.FailAt, s.fake.Err = 3, broken
	s.run(2)
	v, err := s.tr.Next(s.img, s.now)
	if !errors.Is(err, broken) || v.Found {
		t.Errorf("%+v, %v", v, err)
	}
	if v := s.run(1); !v.Found || v.Person != 1 {
		t.Errorf("the next frame: %+v", v)
	}
	bad := *s.img
	bad.Data = bad.Data[:100]
	if v, err := s.tr.Next(&bad, s.now); !errors.Is(err, pixel.ErrSize) || v.Found {
		t.Errorf("a frame cut short: %+v, %v", v, err)
	}
	if v := s.run(1); !v.Found {
		t.Errorf("the frame after: %+v", v)
	}
}

func TestTrackerWhenThePictureSizeChanges(t *testing.T) {
	s := newScene(t, TrackerOptions{})
	s.fake.Faces = []Face{standing(500, 400, 150)}
	s.run(3)
	s.img = randomPicture(320, 240)
	s.fake.Faces = []Face{standing(250, 200, 75)}
	s.run(1)
	if v := s.run(30); !v.Found {
		t.Errorf("%+v", v)
	}
}

func TestTrackerOnTheClip(t *testing.T) {
	frames, s := clip()
	d := openDetector(t, DetectorOptions{})
	tr := NewTracker(d, TrackerOptions{})
	searched, there := 0, 0
	var every []Face
	for i := range frames {
		at := time.Duration(i) * time.Second / time.Duration(s.FPS)
		v, err := tr.Next(&frames[i], at)
		if err != nil {
			t.Fatal(err)
		}
		whole, gone := s.there(i)
		if gone && v.Found && at.Seconds() > s.Leaving[1]+0.2 {
			t.Errorf("frame %d: found, but gone", i)
		}
		if !whole {
			continue
		}
		if !v.Found {
			t.Errorf("frame %d: not found", i)
			continue
		}
		there++
		if v.Cause != NotDetected {
			searched++
		}
		// What is followed is where the detector would find it. Its own keypoints
		// wander by some 4% of the eye distance as the head turns.
		every = detect(t, d, &frames[i])
		for k := RightEye; k <= LeftEye; k++ {
			if e := distance(v.Face.Keypoints[k], every[0].Keypoints[k]) / v.Face.EyeDistance(); e > 0.12 {
				t.Errorf("frame %d: eye %d is %.0f%% of the eye distance off", i, k, 100*e)
			}
		}
	}
	t.Logf("%d of %d frames searched", searched, there)
	if searched > there/8 {
		t.Errorf("%d of %d frames searched", searched, there)
	}
	if v, err := tr.Next(&frames[0], 30*time.Second); err != nil || v.Person != 2 {
		t.Errorf("persons on the clip: %+v, %v; want a second after two seconds away", v, err)
	}
}

func TestTrackerFollowsAWalk(t *testing.T) {
	frames, _ := clip()
	d := openDetector(t, DetectorOptions{})
	tr := NewTracker(d, TrackerOptions{Every: 1000})
	start := faceOf(t, d, &frames[40])
	searched := 0
	for i := range 40 {
		// 3 pixels a frame to the right, 1 down, leaning slowly.
		to := about(start.Box.Centre(), 0.3*float64(i), 1, 3*float64(i), float64(i))
		img := moved(t, &frames[40], to)
		v, err := tr.Next(img, time.Duration(i)*frame)
		if err != nil || !v.Found {
			t.Fatalf("frame %d: %+v, %v", i, v, err)
		}
		if v.Cause != NotDetected {
			searched++
		}
		for k := RightEye; k <= Mouth; k++ {
			var want Point
			want.X, want.Y = to.Apply(start.Keypoints[k].X, start.Keypoints[k].Y)
			if e := distance(v.Face.Keypoints[k], want); e > 6 {
				t.Errorf("frame %d (%v): keypoint %d is %.1f pixels off", i, v.Cause, k, e)
			}
		}
	}
	t.Logf("%d of 40 frames searched", searched)
	if searched > 8 {
		t.Errorf("%d of 40 frames searched", searched)
	}
}

func TestTrackerSeesAHandBeforeTheFace(t *testing.T) {
	frames, _ := clip()
	d := openDetector(t, DetectorOptions{})
	tr := NewTracker(d, TrackerOptions{Every: 1000})
	f := faceOf(t, d, &frames[40])
	var v View
	next := func(img *pixel.Image, i int) {
		var err error
		if v, err = tr.Next(img, time.Duration(i)*frame); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		next(&frames[40], i)
	}
	covered := *(&frames[40])
	covered.Data = bytes.Clone(covered.Data)
	for y := int(f.Box.Y0); y < int(f.Box.Y1); y++ {
		for x := int(f.Box.X0) - 10; x < int(f.Box.X1)+10; x++ {
			covered.Data[y*640+x] = byte(150 + (x+y)%7)
		}
	}
	for i := 5; i < 15; i++ {
		next(&covered, i)
		if v.Found || v.Lost != time.Duration(i-4)*frame {
			t.Errorf("frame %d, covered: %+v", i, v)
		}
	}
	next(&frames[40], 15)
	if !v.Found || v.Person != 1 {
		t.Errorf("uncovered: %+v", v)
	}
}

func TestTrackerAllocatesNothing(t *testing.T) {
	frames, _ := clip()
	d := openDetector(t, DetectorOptions{})
	for _, every := range []int{1, 1000} {
		tr := NewTracker(d, TrackerOptions{Every: every})
		i := 0
		if n := testing.AllocsPerRun(30, func() {
			if _, err := tr.Next(&frames[i%2], time.Duration(i)*frame); err != nil {
				t.Fatal(err)
			}
			i++
		}); n != 0 {
			t.Errorf("detecting every %d frames: %v allocations a frame", every, n)
		}
	}
}

func BenchmarkTrack(b *testing.B) {
	frames, _ := clip()
	d := openDetector(b, DetectorOptions{})
	imgs := []*pixel.Image{yuyv(&frames[40]), yuyv(&frames[41])}
	tr := NewTracker(d, TrackerOptions{Every: 1 << 30})
	if _, err := tr.Next(imgs[0], 0); err != nil { // the one detection
		b.Fatal(err)
	}
	i := 1
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tr.Next(imgs[i&1], time.Duration(i)*frame); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// farSighted sees a face only where it fills at least a share of the part, and only
// where it fills twice that share are its eyes in place.
type farSighted struct {
	face  Face
	share float32
	parts []Part
}

func (f *farSighted) Search(_ *pixel.Image, part Part, faces []Face) ([]Face, error) {
	f.parts = append(f.parts, part)
	side := part.Width()
	if part == (Part{}) {
		side, part.Rect = 640, Rect{0, 0, 640, 480}
	}
	faces = faces[:0]
	if share := f.face.Box.Width() / side; share >= f.share && part.holds(f.face.Box.Centre()) {
		seen := f.face
		if share < 2*f.share {
			seen.Keypoints[RightEye].X -= 0.3 * seen.EyeDistance()
		}
		faces = append(faces, seen)
	}
	return faces, nil
}

// A face that the whole picture does not show is found in a part of it, wherever it
// is, and its eyes are those that are seen near to.
func TestTrackerFindsAFarFace(t *testing.T) {
	for _, at := range []Point{{60, 60}, {320, 240}, {600, 440}, {60, 440}, {280, 50}} {
		for _, size := range []float32{70, 110} { // a part shows both, the whole picture one, badly
			f := &farSighted{face: standing(at.X, at.Y, size), share: 0.16}
			tr := NewTracker(f, TrackerOptions{})
			var v View
			var err error
			frames := 0
			for ; frames < 20 && !v.Found; frames++ {
				if v, err = tr.Next(randomPicture(640, 480), time.Duration(frames)*frame); err != nil {
					t.Fatal(err)
				}
			}
			if !v.Found || frames > 8 || v.Face != f.face {
				t.Errorf("%v pixels at %v: found %v after %d frames, at %v", size, at, v.Found, frames, v.Face)
			}
		}
	}
}

// Two parts of a wide picture show all of it; a small picture has none.
func TestTrackerSweepsThePicture(t *testing.T) {
	for _, c := range []struct{ w, h, parts int }{{640, 480, 4}, {1280, 720, 2}, {720, 1280, 2}, {1920, 1080, 2}, {480, 640, 4}, {160, 120, 0}} {
		f := &farSighted{share: 1}
		tr := NewTracker(f, TrackerOptions{})
		img := randomPicture(c.w, c.h)
		for n := range 32 {
			if _, err := tr.Next(img, time.Duration(n)*frame); err != nil {
				t.Fatal(err)
			}
		}
		seen := map[Part]bool{}
		for n, part := range f.parts {
			if n%2 == 0 && part != (Part{}) {
				t.Errorf("%dx%d: search %d is of %v, not of the whole picture", c.w, c.h, n, part)
			}
			if part != (Part{}) {
				seen[part] = true
			}
		}
		if len(seen) != c.parts {
			t.Errorf("%dx%d: %d parts, want %d", c.w, c.h, len(seen), c.parts)
		}
		for x := range c.w {
			for _, y := range []int{0, c.h / 2, c.h - 1} {
				held := c.parts == 0
				for part := range seen {
					held = held || part.holds(Point{float32(x), float32(y)})
				}
				if !held {
					t.Fatalf("%dx%d: no part shows (%d, %d)", c.w, c.h, x, y)
				}
			}
		}
	}
}

// What is a face from far and none near to does not count; a weak larger one does
// not count for more than a strong smaller one, nor take its place.
func TestTrackerPrefersTheFaceThatIsSure(t *testing.T) {
	person, flag := standing(200, 240, 130), standing(480, 240, 180)
	person.Score, flag.Score = 0.85, 0.6
	s := newScene(t, TrackerOptions{Every: 5})
	s.fake.Faces = []Face{flag, person}
	if v := s.run(100); v.Face != person || v.Person != 1 || v.Count != 2 {
		t.Errorf("with a flag: %+v", v)
	}
	s = newScene(t, TrackerOptions{Every: 5})
	s.fake.Faces = []Face{person}
	s.run(5)
	s.fake.Faces = []Face{flag, person}
	if v := s.run(100); v.Face != person || v.Person != 1 {
		t.Errorf("a flag comes: %+v", v)
	}
	flag.Score = 0.85
	s.fake.Faces = []Face{flag, person}
	if v := s.run(100); v.Face != flag || v.Person != 2 {
		t.Errorf("a sure larger face: %+v", v)
	}
	ghost := &farOnly{standing(300, 240, 100)}
	tr := NewTracker(ghost, TrackerOptions{})
	for n := range 20 {
		if v, err := tr.Next(s.img, time.Duration(n)*frame); err != nil || v.Found {
			t.Fatalf("a face from far only: %+v, %v", v, err)
		}
	}
}

// farOnly sees its face in the whole picture, and none in a part.
type farOnly struct{ face Face }

func (f *farOnly) Search(_ *pixel.Image, part Part, faces []Face) ([]Face, error) {
	if part == (Part{}) {
		return append(faces[:0], f.face), nil
	}
	return faces[:0], nil
}
