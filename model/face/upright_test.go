package face

import (
	"errors"
	"testing"
	"time"

	"mien/model/pixel"
)

// scored finds one face of the score that the picture's turn has; 0: none.
type scored struct {
	scores [4]float32
	calls  int
	err    error
}

func (s *scored) Search(_ *pixel.Image, part Part, faces []Face) ([]Face, error) {
	s.calls++
	faces = faces[:0]
	if v := s.scores[part.Turn]; v > 0 {
		f := standing(100, 100, 80)
		f.Score = v
		faces = append(faces, f)
	}
	return faces, s.err
}

// watch shows Upright pictures of these scores, 15 a second, each of which has been
// searched as it is, and gives the seconds after which a turn was first told, -1 if
// none was.
func watch(t *testing.T, u *Upright, s *scored, from time.Duration, seconds float64, scores func(at time.Duration) [4]float32) (told float64) {
	t.Helper()
	told = -1
	img := &pixel.Image{Format: pixel.GREY, Width: 640, Height: 480}
	for at := from; at < from+time.Duration(seconds*float64(time.Second)); at += time.Second / 15 {
		s.scores = scores(at - from)
		seen, err := s.Search(img, Part{}, nil)
		if err == nil {
			err = u.Look(img, Part{}, seen, at)
		}
		if err != nil {
			t.Fatal(err)
		}
		if turns, _ := u.Turned(); turns != 0 && told < 0 {
			told = (at - from).Seconds()
		}
	}
	return told
}

func always(scores ...float32) func(time.Duration) [4]float32 {
	return func(time.Duration) [4]float32 { return [4]float32(scores) }
}

func TestUprightTellsATurnedPicture(t *testing.T) {
	for name, c := range map[string]struct {
		scores func(time.Duration) [4]float32
		turns  int
		most   float64 // seconds until it is told
	}{
		"upside down":       {always(0.8, 0.7, 0.95, 0.6), 2, 4},
		"on its left side":  {always(0.6, 0.9, 0, 0), 1, 4},
		"on its right side": {always(0.6, 0, 0.5, 0.9), 3, 4},
		"found only turned": {always(0, 0.6, 0.9, 0), 2, 14},
		"now and then": {func(at time.Duration) [4]float32 {
			return [4]float32{0.8, 0, 0.85 + 0.1*float32(int(at.Seconds())/3%2), 0}
		}, 2, 60},
		"upright":              {always(0.9, 0.5, 0.8, 0.5), 0, 0},
		"hardly better turned": {always(0.9, 0.5, 0.92, 0.5), 0, 0},
		"nobody":               {always(0, 0, 0, 0), 0, 0},
		"a ghost when turned":  {always(0, 0.55, 0, 0), 0, 0},
		"head down for a while": {func(at time.Duration) [4]float32 {
			if at < 2*time.Second {
				return [4]float32{0.6, 0.9, 0.5, 0}
			}
			return [4]float32{0.9, 0.6, 0.5, 0}
		}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scored{}
			u := NewUpright(s)
			told := watch(t, u, s, 0, 120, c.scores)
			turns, held := u.Turned()
			switch {
			case turns != c.turns:
				t.Errorf("turned by %d quarters, want %d", turns, c.turns)
			case turns == 0 && told >= 0:
				t.Errorf("told after %v s", told)
			case turns != 0 && (told > c.most || held < 55*time.Second):
				t.Errorf("told after %v s, at most %v; held for %v", told, c.most, held)
			}
		})
	}
}

// Two looks at an upright face end it; nobody in view does not.
func TestUprightComesBack(t *testing.T) {
	s := &scored{}
	u := NewUpright(s)
	watch(t, u, s, 0, 90, always(0.6, 0.5, 0.95, 0.5))
	watch(t, u, s, 90*time.Second, 600, always(0, 0, 0, 0))
	if turns, held := u.Turned(); turns != 2 || held < time.Minute {
		t.Fatalf("after nobody: turned by %d for %v", turns, held)
	}
	watch(t, u, s, 690*time.Second, 3, always(0.95, 0.5, 0.6, 0.5))
	if turns, held := u.Turned(); turns != 0 || held != 0 {
		t.Errorf("turned by %d for %v", turns, held)
	}
	// And what was suspected long ago does not count towards a new suspicion.
	watch(t, u, s, 700*time.Second, 1, always(0.6, 0.5, 0.95, 0.5))
	watch(t, u, s, 701*time.Second, 3600, always(0, 0, 0, 0))
	watch(t, u, s, 4400*time.Second, 21, always(0.6, 0.5, 0.95, 0.5))
	if _, held := u.Turned(); held > 25*time.Second {
		t.Errorf("held for %v after a second of it", held)
	}
}

// A camera that is turned while a face is in view is told within the time that the
// fault table counts on, on whichever side it falls.
func TestUprightTellsACameraThatFalls(t *testing.T) {
	for turn, most := range map[int]float64{2: 23, 1: 43, 3: 43} {
		for start := range 40 {
			s := &scored{}
			u := NewUpright(s)
			from := time.Duration(60+start) * time.Second
			watch(t, u, s, 0, from.Seconds(), always(0.9, 0, 0.7, 0))
			fallen := [4]float32{0: 0.7}
			fallen[turn] = 0.9
			if told := watch(t, u, s, from, 60, always(fallen[:]...)); told < 0 || told > most {
				t.Errorf("turned by %d quarters after %v: told after %v s, at most %v", turn, from, told, most)
			}
		}
	}
}

// A face that comes and is upside down is not read from its first frame on; one that
// is upright is, and where the first look was wrong, soon.
func TestUprightLooksAtAFaceThatComes(t *testing.T) {
	for name, c := range map[string]struct {
		turned func(frame int) bool
		unread int // frames
		turns  int
	}{
		"upright":                {func(int) bool { return false }, 0, 0},
		"upside down":            {func(int) bool { return true }, 45, 2},
		"wrong at first":         {func(frame int) bool { return frame < 1 }, 6, 0},
		"wrong at first, longer": {func(frame int) bool { return frame < 7 }, 12, 0},
	} {
		s := &scored{}
		u := NewUpright(s)
		watch(t, u, s, 0, 20, always(0, 0, 0, 0))
		img, unread := &pixel.Image{Format: pixel.GREY, Width: 640, Height: 480}, 0
		for frame := range 45 {
			at := 20*time.Second + time.Duration(frame)*time.Second/15
			s.scores = [4]float32{0.95, 0, 0.7, 0}
			if c.turned(frame) {
				s.scores = [4]float32{0.7, 0, 0.95, 0}
			}
			seen, _ := s.Search(img, Part{}, nil)
			if err := u.Look(img, Part{}, seen, at); err != nil {
				t.Fatal(err)
			}
			if turns, _ := u.Turned(); turns != 0 || u.Unsure() {
				unread++
			}
		}
		if turns, _ := u.Turned(); unread != c.unread || turns != c.turns {
			t.Errorf("%s: %d frames are not read, want %d; turned by %d, want %d", name, unread, c.unread, turns, c.turns)
		}
	}
}

// While all is well, one look in ten seconds is all it costs, and three at first.
func TestUprightIsCheap(t *testing.T) {
	s := &scored{}
	u := NewUpright(s)
	watch(t, u, s, 0, 100, always(0.9, 0, 0.8, 0))
	if extra := s.calls - 1500; extra > 13 {
		t.Errorf("%d more searches in 100 s", extra)
	}
	s.err = errors.New("broken")
	if err := u.Look(&pixel.Image{}, Part{}, nil, time.Hour); !errors.Is(err, s.err) {
		t.Errorf("%v", err)
	}
}
