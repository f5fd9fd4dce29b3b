package face

import (
	"fmt"
	"math"
	"time"

	"mien/model/pixel"
)

// Upright tells over time whether the picture is the right way up. A detector finds
// many faces that are upside down or on their side, and what a network then says of
// them is wrong with confidence. So now and then the picture is searched once more,
// turned: where the best score is clearly higher that way, look after look, the
// camera hangs upside down or camera.rotate is not set. It serves one goroutine at a
// time.
//
// Measured by tools/finding on pictures of real people, held still for two minutes: of
// bare faces upside down 98% are found, and 0.1% of upright ones wrongly; where half of
// the people wear masks, 75% and 1.2%. So one look is not enough.
type Upright struct {
	finder Finder
	faces  []Face

	next    time.Duration // no look before, but where a face comes or goes
	changed time.Duration // when one last came or went
	empty   bool          // none was seen the last time
	looks   int           // so far
	fresh   int           // looks that may still come soon, since a face came
	counted time.Duration // when a look that a turn won was last counted
	clearly [4]int        // looks in a row of suspicion that each turn won clearly
	upright int           // looks in a row that the picture won as it is
	won     time.Duration // when a turn last won clearly
	since   time.Duration // since when turns have won without a break
}

// How often it looks, and what it makes of that.
const (
	lookEvery  = 10 * time.Second       // at one turn: below 1% of a frame's cost at 15 a second
	changes    = 5 * time.Second        // at all turns when a face comes or goes, not more often
	lookAgain  = time.Second            // at all turns, while one is suspected
	clearer    = 0.4                    // of the scores' logits: what counts as clearly higher
	enough     = 40                     // looks that are counted
	leaning    = 0.2                    // more on a side: heads lean, and are found so
	suspected  = 3                      // so many looks that a turn won clearly: nothing is read
	lookSoon   = 200 * time.Millisecond // likewise, at a face that has just come
	hasty      = 15                     // looks that come so soon
	believed   = 2                      // so many in a row that the picture won as it is: all is well
	interrupts = 5 * time.Second        // no turn won for so long: the time begins again
)

// turns are what is looked at one after the other.
var turns = [...]int{2, 1, 2, 3}

// NewUpright watches with a Finder, which may be a Tracker's.
func NewUpright(finder Finder) *Upright {
	return &Upright{finder: finder, faces: make([]Face, 0, 16), empty: true, changed: -changes}
}

// Look is for a picture a part of which has just been searched: seen are the faces
// found, the best score first. It looks only when it is time to, and allocates
// nothing unless a picture has more than 16 faces.
func (u *Upright) Look(img *pixel.Image, part Part, seen []Face, at time.Duration) error {
	empty, all := len(seen) == 0, u.doubt()
	if empty && part.Rect != (Rect{}) {
		return nil // where there is no face, all of the picture counts
	}
	if empty != u.empty && at-u.changed >= changes {
		all, u.changed, u.next, u.fresh = true, at, at, hasty
	}
	if u.empty = empty; at < u.next {
		return nil
	}
	here, best, turn := score(seen), math.Inf(-1), -1
	as := part.Turn // as it was seen
	for k := 1; k < 4; k++ {
		if !all && k != turns[u.looks%len(turns)] {
			continue
		}
		part.Turn = (as + k) & 3
		var err error
		if u.faces, err = u.finder.Search(img, part, u.faces); err != nil {
			return fmt.Errorf("look at the picture turned by %d degrees: %w", 90*part.Turn, err)
		}
		s := score(u.faces)
		if k != 2 {
			s -= leaning
		}
		if len(u.faces) > 0 && (turn < 0 || s > best) {
			best, turn = s, part.Turn
		}
	}
	u.looks++
	switch {
	case turn >= 0 && best-here >= clearer:
		u.judge(turn, at)
	case !empty && best <= here:
		u.judge(as, at)
	case u.wins() < suspected && at-u.won > interrupts:
		u.clearly = [4]int{} // too few to go on with
	}
	if u.fresh--; empty || !u.doubt() || u.wins() >= suspected {
		u.fresh = 0
	}
	u.next = at + lookEvery
	switch {
	case u.fresh > 0:
		u.next = at + lookSoon
	case u.doubt():
		u.next = at + lookAgain
	}
	return nil
}

// Unsure tells that a face has just come and may be upside down: until that is
// decided, which takes two seconds at most, it is not to be read, and frames are to be
// searched. An upright face is decided with the look at its first frame.
func (u *Upright) Unsure() bool { return u.fresh > 0 }

// judge counts one look, which one turn won; 0 is the picture as it is.
func (u *Upright) judge(turn int, at time.Duration) {
	if turn == 0 {
		if u.upright++; u.upright >= believed {
			u.clearly = [4]int{}
		}
		return
	}
	if at-u.won > interrupts || !u.doubt() {
		u.since = at
	}
	if u.wins() >= enough { // what was long ago shall not outvote what is
		for k := range u.clearly {
			u.clearly[k] /= 2
		}
	}
	if u.upright, u.won = 0, at; u.doubt() && at-u.counted < lookAgain {
		return // a head that leans for a moment is one look
	}
	u.clearly[turn]++
	u.counted = at
}

func (u *Upright) wins() int   { return u.clearly[1] + u.clearly[2] + u.clearly[3] }
func (u *Upright) doubt() bool { return u.wins() > 0 }

// Turned gives by how many quarter turns clockwise the picture should be turned to
// be upright, and for how long that has been seen without a break; 0 while it is
// upright as far as is known.
func (u *Upright) Turned() (turns int, held time.Duration) {
	if u.wins() < suspected {
		return 0, 0
	}
	for k, n := range u.clearly {
		if n > u.clearly[turns] {
			turns = k
		}
	}
	return turns, u.won - u.since
}

// nobody stands for the score where there is no face: turned, an empty place must
// look much like one.
const nobody = 0.7

// score is the best one's logit.
func score(faces []Face) float64 {
	p := float32(nobody)
	if len(faces) > 0 {
		p = min(max(faces[0].Score, 1e-6), 1-1e-6)
	}
	return float64(logit(p))
}
