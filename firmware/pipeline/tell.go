package pipeline

import (
	"fmt"
	"time"

	"mien/firmware/alarm"
	"mien/model/face"
)

// A face that could not be read for unreadableFor is told with what a technician can
// do about it, the same reason at most once in tellAgain: people look away all day.
const (
	unreadableFor = 10 * time.Second
	tellAgain     = time.Hour
	// A reason holds until the next frame, but for no longer than this.
	reasonHolds = 2 * time.Second
)

// unreadable adds up the time in which a face was in view and could not be read,
// whatever the reasons, and takes off the time in which it could: so neither two
// reasons in turn nor a good frame now and then hide it. Nobody in view counts
// neither way.
type unreadable struct {
	last    face.Reason // of the frame before
	at      time.Duration
	lasted  time.Duration
	reasons map[face.Reason]time.Duration // parts of it
	told    map[face.Reason]time.Duration // when a reason was last told
}

// update tells whether a reason is to be noted now: the one of this frame, if it has
// its share of the time.
func (u *unreadable) update(r face.Reason, now time.Duration) bool {
	since := min(now-u.at, reasonHolds)
	switch u.last {
	case face.Missing:
	case face.Good:
		if u.lasted -= since; u.lasted <= 0 {
			u.lasted = 0
			clear(u.reasons)
		}
	default:
		if u.reasons == nil {
			u.reasons, u.told = make(map[face.Reason]time.Duration), make(map[face.Reason]time.Duration)
		}
		u.lasted = min(u.lasted+since, unreadableFor)
		u.reasons[u.last] += since
	}
	u.last, u.at = r, now
	if u.lasted < unreadableFor || u.reasons[r] < unreadableFor/4 {
		return false
	}
	if last, ok := u.told[r]; ok && now-last < tellAgain {
		return false
	}
	u.told[r] = now
	return true
}

// refused counts pictures that could not be read. One now and then is a cable's;
// refusedSome of them within refusedIn are told, at most once in tellAgain, though
// enough may be left to go on with.
type refused struct {
	count int
	why   error // of the last one
	since time.Duration
	some  int           // since then
	told  time.Duration // 0: never
}

const (
	refusedSome = 10
	refusedIn   = 10 * time.Second
)

// update counts one, and tells whether it is to be noted now.
func (r *refused) update(why error, now time.Duration) bool {
	r.count++
	r.why = why
	if now-r.since > refusedIn {
		r.since, r.some = now, 0
	}
	if r.some++; r.some < refusedSome || r.told != 0 && now-r.told < tellAgain {
		return false
	}
	r.told = now
	return true
}

// No living face keeps its eyes in one place for stillFor, to stillShare of their
// distance (some 3 mm); a poster does. It is noted and no more: whoever lies
// unconscious does not move either, and must go on being watched.
const (
	stillFor   = 10 * time.Minute
	stillShare = 0.05
)

// still finds a face that does not move. That the detector misses it now and then
// makes no poster a living face: only one that moves, or was gone for goneFor, is
// another one.
type still struct {
	any       bool       // a face was seen
	low, high face.Point // between which the middle of the eyes has been
	since     time.Duration
	seen      time.Duration
	told      bool          // of this face,
	last      time.Duration // when any was noted; 0: never
}

const goneFor = time.Minute

// update tells that a face stands still: once of each, and once in tellAgain.
func (s *still) update(v *face.View, now time.Duration) bool {
	if !v.Found {
		return false
	}
	r, l := v.Face.Keypoints[face.RightEye], v.Face.Keypoints[face.LeftEye]
	eyes := face.Point{X: (r.X + l.X) / 2, Y: (r.Y + l.Y) / 2}
	low := face.Point{X: min(s.low.X, eyes.X), Y: min(s.low.Y, eyes.Y)}
	high := face.Point{X: max(s.high.X, eyes.X), Y: max(s.high.Y, eyes.Y)}
	reach := stillShare * v.Face.EyeDistance()
	if !s.any || now-s.seen > goneFor || high.X-low.X > reach || high.Y-low.Y > reach {
		*s = still{any: true, low: eyes, high: eyes, since: now, seen: now, last: s.last}
		return false
	}
	s.low, s.high, s.seen = low, high, now
	if s.told || now-s.since < stillFor || s.last != 0 && now-s.last < tellAgain {
		return false
	}
	s.told, s.last = true, now
	return true
}

// tell says what keeps a face from being read, and that one may be no face.
func (w *watcher) tell(s *Sight, now time.Duration) {
	if w.unreadable.update(s.Reason, now) {
		w.unit.say("the face cannot be read", w.eye.explain(s)+"; "+s.Reason.Advice())
	}
	if w.still.update(&s.View, now) {
		w.unit.inform(fmt.Sprintf("the face that is watched has stood still for %s", alarm.Time(stillFor)), `a poster, a screen or a mirror? cover it, or leave it out by face.select = "region" and face.region`)
	}
}

// explain says why a face cannot be read, with its figures.
func (e *Eye) explain(s *Sight) string {
	if s.Reason == face.TooSmall && s.View.Face.Box.Width() < e.minWidth {
		return fmt.Sprintf("%v: %.0f pixels wide, face.quality.min_size is %.0f", s.Reason, s.View.Face.Box.Width(), e.minWidth)
	}
	return e.gate.Explain(s.Reason, &s.Quality)
}
