package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mien/drivers/camera"
	"mien/drivers/camera/clip"
	"mien/firmware/alarm"
	"mien/firmware/config"
	"mien/model/face"
	"mien/model/pixel"
)

// luma are frames of the demo clip, 640x480, from second to second.
func luma(t testing.TB, from, to float64) (list [][]byte) {
	t.Helper()
	d := pixel.NewDecoder("")
	defer d.Close()
	for _, j := range pictures(t, from, to) {
		img, err := d.Decode(j, pixel.DecodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, bytes.Clone(img.Data[:640*480]))
	}
	return list
}

// canvas is a wall of 960x480 that faces are put on.
type canvas []byte

const wall = 960

func newCanvas() canvas { return bytes.Repeat(canvas{90}, wall*480) }

// put draws a picture of 640x480 at one over shrink of its size, its corner at
// x, y; what does not fit is left out.
func (c canvas) put(picture []byte, x, y, shrink int) {
	for py := 0; py < 480/shrink; py++ {
		for px := 0; px < 640/shrink; px++ {
			sum := 0
			for k := range shrink * shrink {
				sum += int(picture[(py*shrink+k/shrink)*640+px*shrink+k%shrink])
			}
			if at, row := x+px, y+py; at >= 0 && at < wall && row >= 0 && row < 480 {
				c[row*wall+at] = byte(sum / (shrink * shrink))
			}
		}
	}
}

// frame is the canvas as a camera gives it, the n-th of 15 a second, with a
// sensor's noise.
func (c canvas) frame(n int) *camera.Frame {
	noise := rand.New(rand.NewPCG(uint64(n), 1))
	data := bytes.Clone(c)
	for i := 0; i < len(data); i += 8 {
		bits := noise.Uint64()
		for k := range 8 {
			data[i+k] = byte(min(int(data[i+k])+int(bits>>(8*k)&3), 255))
		}
	}
	return &camera.Frame{Format: camera.GREY, Width: wall, Height: 480, Stride: wall, Data: data,
		Sequence: uint32(n), Time: time.Duration(n) * time.Second / 15}
}

func openEye(t *testing.T, change func(*config.Config)) *Eye {
	t.Helper()
	cfg := config.Default()
	cfg.Filter.Kind = "none"
	if change != nil {
		change(cfg)
	}
	eye, err := OpenEye(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { eye.Close() })
	return eye
}

// A face on a poster beside the person never takes the person's place; in the
// region it does not count at all, also when the person has gone.
func TestPosterBesideThePerson(t *testing.T) {
	poster, person := luma(t, neutralFrom, neutralTo)[0], luma(t, frownFrom, frownTo)
	for name, c := range map[string]struct {
		region       bool
		faces        int
		afterLeaving bool // the poster is read
	}{
		"the largest counts": {false, 2, true},
		"a region":           {true, 1, false},
	} {
		eye := openEye(t, func(cfg *config.Config) {
			cfg.Face.Detector = "full" // which finds the small face too
			if c.region {
				cfg.Face.Select, cfg.Face.Region = "region", [4]float64{0.34, 0, 0.66, 1}
			}
		})
		au4 := slices.Index(eye.Signals(), "au4")
		look := func(n int, there bool) *Sight {
			scene := newCanvas()
			if there {
				scene.put(person[n%len(person)], 320, 0, 1)
			}
			scene.put(poster, 0, 100, 2)
			s, err := eye.Look(scene.frame(n))
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		n := 0
		for ; n < 60; n++ {
			s := look(n, true)
			if s.Reason != face.Good || s.View.Person != 1 || s.View.Count != c.faces || s.View.Face.Box.Centre().X < 320 {
				t.Fatalf("%s, frame %d: %v, person %d of %d at %v", name, n, s.Reason, s.View.Person, s.View.Count, s.View.Face.Box)
			}
			if s.Levels[au4] < 0.7 {
				t.Errorf("%s, frame %d: AU4 %.2f: the poster's?", name, n, s.Levels[au4])
			}
		}
		for end := n + 10; n < end; n++ { // nobody takes the place at once
			if s := look(n, false); s.Reason != face.Missing {
				t.Errorf("%s, frame %d after the person has gone: %v", name, n, s.Reason)
			}
		}
		for end := n + 20; n < end; n++ {
			look(n, false)
		}
		s := look(n, false)
		if read := s.Reason == face.Good && s.View.Person == 2; read != c.afterLeaving {
			t.Errorf("%s: after the person has gone the poster is read: %v (%v)", name, read, s.Reason)
		}
		if !c.afterLeaving && (s.Levels[au4] == s.Levels[au4] || slices.ContainsFunc(s.Levels, func(v float32) bool { return v == v })) {
			t.Errorf("%s: readings of nobody: %v", name, s.Levels)
		}
	}
}

// teller is a watcher that is turned by hand, and what it said.
type teller struct {
	*watcher
	mu     sync.Mutex // covers what is below
	said   []string
	events []alarm.Event
}

func newTeller(t *testing.T, eye *Eye) *teller {
	t.Helper()
	w := &teller{}
	u := newIdle(t)
	u.options.Say = func(subject string, details ...string) {
		w.mu.Lock()
		w.said = append(w.said, subject+": "+strings.Join(details, "; "))
		w.mu.Unlock()
	}
	u.options.OnEvent = func(e alarm.Event) {
		w.mu.Lock()
		w.events = append(w.events, e)
		w.mu.Unlock()
	}
	w.watcher = u.newWatcher()
	w.eye, w.look, w.signals = eye, eye.Look, u.network.signals
	t.Cleanup(func() { w.watcher.eye = nil }) // it is the test's
	return w
}

// A lone poster is read, since nothing tells it from a face. That it never moves
// is said once, with the way out, and journaled; a person who moves is none.
func TestPosterAloneIsTold(t *testing.T) {
	eye := openEye(t, nil)
	w := newTeller(t, eye)
	picture := luma(t, neutralFrom, neutralTo)[0]
	poster := newCanvas()
	poster.put(picture, 100, 0, 1)
	look := func(c canvas, n int) {
		s, err := eye.Look(c.frame(n))
		if err != nil || s.Reason != face.Good {
			t.Fatalf("frame %d: %v, %v", n, s.Reason, err)
		}
		w.tell(s, time.Duration(n)*20*time.Second) // stands for the frames in between
	}
	for n := range 70 { // 23 minutes
		look(poster, n)
		if told, want := len(w.said) > 0, n*20 >= 600; told != want {
			t.Fatalf("after %d s: %q", n*20, w.said)
		}
	}
	if len(w.said) != 1 || !strings.Contains(w.said[0], "stood still for 10m: a poster") || !strings.Contains(w.said[0], "face.region") {
		t.Errorf("%q", w.said)
	}
	if len(w.events) != 1 || w.events[0].Trigger != alarm.Note || !strings.Contains(w.events[0].Cause, "stood still") {
		t.Errorf("%v", w.events)
	}

	w.said = nil
	for n := range 70 {
		moving := newCanvas()
		moving.put(picture, 100+8*(n/18%2), 0, 1) // to another place every six minutes
		look(moving, 70+n)
	}
	if len(w.said) != 0 {
		t.Errorf("of a person: %q", w.said)
	}
}

// Faces that cannot be read: nobody's reading, and after a while what to do.
func TestOddFacesAreUnknownAndTold(t *testing.T) {
	upright := luma(t, neutralFrom, neutralTo)[0]
	eye := openEye(t, nil)
	find := newCanvas()
	find.put(upright, 160, 0, 1)
	s, err := eye.Look(find.frame(0))
	if err != nil || !s.View.Found {
		t.Fatal(s.Reason, err)
	}
	box := s.View.Face.Box
	middle := int(box.Centre().X)

	sideways := newCanvas()
	for y := range 480 {
		for x := range 480 {
			sideways[y*wall+240+x] = upright[(480-1-x)*640+80+y]
		}
	}
	half := newCanvas()
	half.put(upright, 160-middle, 0, 1)
	edge := newCanvas() // a sixth is beyond the edge
	edge.put(upright, 160-middle+int(box.Width()/3), 0, 1)
	far := newCanvas()
	far.put(upright, 300, 200, 3)
	dark := slices.Clone(find)
	for i := range dark {
		dark[i] /= 12
	}
	for name, c := range map[string]struct {
		scene canvas
		want  string // what is said, "" where no face is found
	}{
		"sideways": {sideways, "degrees, at most 35; mount the camera upright, or set camera.rotate"},
		"half":     {half, ""},
		"edge":     {edge, "% of it in the picture, needs 90%; turn the camera"},
		"far":      {far, "pixels wide, face.quality.min_size is 96; move the camera nearer"},
		"dark":     {dark, "of 255, needs 25; "},
	} {
		eye := openEye(t, func(cfg *config.Config) { cfg.Face.Detector, cfg.Face.Quality.MinSize = "full", 96 })
		w := newTeller(t, eye)
		found := 0
		for n := range 30 {
			s, err := eye.Look(c.scene.frame(n))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if s.Reason == face.Good || slices.ContainsFunc(s.Levels, func(v float32) bool { return v == v }) {
				t.Fatalf("%s, frame %d: it is read", name, n)
			}
			if s.Reason != face.Missing {
				found++
			}
			w.tell(s, time.Duration(n)*time.Second)
		}
		if c.want == "" {
			if found > 0 || len(w.said) > 0 {
				t.Errorf("%s: a face in %d of 30 frames, %q", name, found, w.said)
			}
		} else if len(w.said) != 1 || !strings.Contains(w.said[0], "cannot be read: ") || !strings.Contains(w.said[0], c.want) {
			t.Errorf("%s: %q", name, w.said)
		}
		// The way back needs nothing but the face.
		back := 0
		for n := 30; n < 60; n++ {
			s, err := eye.Look(find.frame(n))
			if err != nil {
				t.Fatal(err)
			}
			if s.Reason == face.Good {
				back++
			}
		}
		if back == 0 {
			t.Errorf("%s: no way back", name)
		}
	}
}

// The same reason is told once in an hour, whatever people do.
func TestReasonsAreNotToldAllDay(t *testing.T) {
	var u unreadable
	told := 0
	for at := time.Duration(0); at < 3*time.Hour; at += time.Second {
		r := face.Turned
		if at/time.Second%15 == 14 {
			r = face.Good
		}
		if u.update(r, at) {
			told++
		}
	}
	if told != 3 {
		t.Errorf("told %d times in three hours", told)
	}
	if u.update(face.Missing, 4*time.Hour) || u.update(face.Missing, 5*time.Hour) {
		t.Error("nobody in view is told")
	}
	for i, r := range []face.Reason{face.TooDark, face.Blurred} {
		at, told := 6*time.Hour+time.Duration(i)*time.Minute, false
		for end := at + unreadableFor + time.Second; at < end && !told; at += time.Second {
			told = u.update(r, at)
		}
		if !told {
			t.Errorf("%v is not told", r)
		}
		u.update(face.Good, at)
		u.update(face.Good, at+time.Second)
	}
}

// Time without a reading adds up: two reasons in turn, a face that is missed now
// and then, a good frame now and then hide nothing. Who can be read for half of the
// time can be read.
func TestReasonsInTurnAreTold(t *testing.T) {
	const frame = 66 * time.Millisecond
	for _, c := range []struct {
		name    string
		reasons []face.Reason // in turn
		within  time.Duration // 0: never told
	}{
		{"one", []face.Reason{face.Turned}, 11 * time.Second},
		{"two in turn", []face.Reason{face.Turned, face.Blurred}, 11 * time.Second},
		{"four in turn", []face.Reason{face.Turned, face.Blurred, face.TooDark, face.TooSmall}, 11 * time.Second},
		{"missed every second time", []face.Reason{face.Turned, face.Missing}, 21 * time.Second},
		{"two in turn, missed in between", []face.Reason{face.Turned, face.Missing, face.Blurred, face.Missing}, 21 * time.Second},
		{"a good one in ten", []face.Reason{9: face.Turned, 8: face.Turned, 7: face.Turned, 6: face.Turned, 5: face.Turned, 4: face.Turned, 3: face.Turned, 2: face.Turned, 1: face.Turned, 0: face.Good}, 14 * time.Second},
		{"every second one good", []face.Reason{face.Turned, face.Good}, 0},
		{"nobody there", []face.Reason{face.Missing}, 0},
	} {
		var u unreadable
		var told time.Duration
		for i, at := 0, time.Duration(0); at < time.Minute && told == 0; i, at = i+1, at+frame {
			if u.update(c.reasons[i%len(c.reasons)], at) {
				told = at
			}
		}
		if c.within == 0 && told != 0 || c.within != 0 && (told == 0 || told > c.within) {
			t.Errorf("%s: told after %v, want %v", c.name, told, c.within)
		}
	}
	var u unreadable // and at one frame in three seconds
	told := false
	for at := time.Duration(0); at < 30*time.Second; at += 3 * time.Second {
		told = u.update(face.Turned, at) || told
	}
	if !told {
		t.Error("a slow camera: not told")
	}
}

// A poster is told once, though the detector misses it now and then, and again when
// it hangs elsewhere.
func TestPosterIsNotToldAllDay(t *testing.T) {
	var s still
	v := face.View{Found: true, Person: 1}
	v.Face.Keypoints[face.LeftEye].X = 90
	told := 0
	for at := time.Second; at < 3*time.Hour; at += time.Second {
		v.Found = at/time.Second%3 != 0
		if !v.Found {
			v.Person++
		}
		if at == 2*time.Hour {
			v.Face.Keypoints[face.LeftEye].X, v.Face.Keypoints[face.RightEye].X = 190, 100
		}
		if s.update(&v, at) {
			told++
		}
		if want := 1 + int(at/(2*time.Hour+11*time.Minute)); at%(2*time.Hour) > 11*time.Minute && told != want {
			t.Fatalf("told %d times after %v, want %d", told, at, want)
		}
	}
}

// Telling allocates nothing while there is nothing to tell.
func TestTellAllocatesNothing(t *testing.T) {
	w := newTeller(t, openEye(t, nil))
	s := &Sight{Reason: face.Turned, View: face.View{Found: true, Person: 1}}
	s.View.Face.Keypoints[face.LeftEye].X = 90
	now := time.Duration(0)
	if n := testing.AllocsPerRun(100, func() {
		now += 66 * time.Millisecond
		w.tell(s, now)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A broken picture in a folder costs itself only, and is named.
func TestBrokenPictureInAFolder(t *testing.T) {
	dir := t.TempDir()
	for i, data := range pictures(t, neutralFrom, neutralTo)[:5] {
		if i == 2 {
			data = data[:len(data)/2]
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.jpg", i)), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w := newTeller(t, openEye(t, nil))
	w.open = func() (camera.Source, error) { return clip.Open(dir, clip.Options{Fast: true}) }
	if wait := w.openCamera(); wait != 0 {
		t.Fatal(w.unit.Faults())
	}
	var err error
	for n := 0; err == nil && n < 10; n++ {
		_, err = w.frame()
	}
	w.drop()
	if !errors.Is(err, errEnded) || w.unit.health.Results() != 4 || w.unit.health.Word() != 0 {
		t.Errorf("%v after %d results, faults %v", err, w.unit.health.Results(), w.unit.Faults())
	}
	last := w.said[len(w.said)-1]
	if !strings.Contains(last, "the clip has ended: 4 frames, 1 lost, 1 damaged") || !strings.Contains(last, "2.jpg") {
		t.Errorf("%q", w.said)
	}
}

// Pictures that the decoder refuses are counted, and told with the reason: while they
// come, and at the end of a clip.
func TestRefusedPicturesAreTold(t *testing.T) {
	var data []byte
	for i, p := range pictures(t, neutralFrom, neutralFrom+2)[:24] {
		if i%2 == 1 {
			p = append(bytes.Clone(p[:len(p)/2]), 0xff, 0xd9)
		}
		data = append(data, p...)
	}
	w := newTeller(t, openEye(t, nil))
	w.open = func() (camera.Source, error) { return clip.New("half of it", data, clip.Options{Fast: true}) }
	if wait := w.openCamera(); wait != 0 {
		t.Fatal(w.unit.Faults())
	}
	var err error
	for n := 0; err == nil && n < 40; n++ {
		_, err = w.frame()
	}
	w.drop()
	if !errors.Is(err, errEnded) || w.unit.health.Results() != 12 {
		t.Errorf("%v after %d results, faults %v", err, w.unit.health.Results(), w.unit.Faults())
	}
	said := strings.Join(w.said, "\n")
	for _, want := range []string{"the clip has ended: 24 frames, 0 lost, 0 damaged, 12 could not be read: frame 23", "pictures could not be read: 10 since the camera was opened", "corrupt picture"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q has no %q", said, want)
		}
	}
}

// A clip that says how fast it is plays so, whatever is asked of a camera.
func TestClipPlaysAtItsOwnRate(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		data []byte
		want float64
	}{
		"own.y4m":    {[]byte("YUV4MPEG2 W4 H2 F15:1 Cmono\nFRAME\n12345678"), 15},
		"none.y4m":   {[]byte("YUV4MPEG2 W4 H2 Cmono\nFRAME\n12345678"), 30},
		"clip.mjpeg": {pictures(t, neutralFrom, neutralTo)[0], 30},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, c.data, 0o644); err != nil {
			t.Fatal(err)
		}
		cfg := config.Default()
		cfg.Camera.Clip = path
		src, err := OpenSource(cfg.Camera)
		if err != nil {
			t.Fatal(err)
		}
		if got := src.Info().FPS; got != c.want {
			t.Errorf("%s: %v frames/s, want %v", name, got, c.want)
		}
		src.Close()
	}
}
