package pipeline

import (
	"fmt"
	"time"
)

// dates tells when frames were taken. The time base is the clock of this machine
// when a frame arrives. A device's own time is nearer to the moment of exposure,
// and the only thing that tells of pictures that were kept back, so it is used for
// as long as it is plausible. One that stood still, went back, was in the future
// or long ago is believed no more, until its times have been plausible for
// trustAfter. A device whose clock was set, or counts from another moment, is
// believed no more until the camera is opened again: what its times are worth
// cannot be told from its times.
type dates struct {
	live  bool          // times can be compared with the clock; a clip played fast makes up its own
	any   bool          // a frame came before
	stamp time.Duration // the device's, of that frame
	last  time.Duration // what was made of it
	age   time.Duration // of it by its stamp and set
	set   time.Duration // how far the device's clock was seen to be set back, all in all
	doubt bool          // the device's times are not believed

	// While they are not:
	since  time.Duration // when the first came of the frames whose times were plausible
	frames int           // how many they are
}

// ahead is how far a stamp may be in the future: a driver that stamps the end of
// a frame in advance (vivid) is up to one frame early.
const ahead = time.Second

// LongAgo is how old a picture may be by its stamp. None is kept back for so long:
// the device counts from another moment than this machine.
const LongAgo = time.Hour

// Times are believed again when they were plausible for so long, in so many frames.
const (
	trustAfter  = 30 * time.Second
	trustFrames = 10
)

// belief is what a frame changed about whether a device's times are believed.
type belief uint8

const (
	asBefore belief = iota
	notBelieved
	believedAgain
)

// date gives the time of a frame that came now, later than the one before, and how
// old the picture is. Where its times are no longer believed it says so, and why,
// and where they are again.
func (d *dates) date(stamp, now time.Duration) (at, age time.Duration, change belief, why string) {
	why, jump := d.wrong(stamp, now)
	if jump {
		d.set = now - stamp - d.age
	}
	d.age = now - stamp - d.set
	switch {
	case why != "":
		if !d.doubt {
			d.doubt, change = true, notBelieved
		}
		d.since, d.frames = now, 0
	case d.doubt && d.live:
		d.frames++
		if d.frames >= trustFrames && now-d.since >= trustAfter && d.set.Abs() <= ahead {
			d.doubt, d.set, change = false, 0, believedAgain
		}
	}
	at = stamp
	switch {
	case d.doubt:
		at = now
	case d.live:
		at = min(stamp, now)
		age = now - at
	}
	if d.any && at <= d.last {
		at = d.last + 1
	}
	d.any, d.stamp, d.last = true, stamp, at
	return at, age, change, why
}

// wrong says what is not plausible about a stamp, "" for nothing, and whether it
// shows that the device's clock was set: pictures that are kept back grow old, but
// never go back in time, and are never taken later than now.
func (d *dates) wrong(stamp, now time.Duration) (why string, jump bool) {
	after, age := stamp-d.stamp, now-stamp-d.set
	switch {
	case d.any && after == 0:
		return "two frames have the same time", false
	case d.any && after < 0:
		return fmt.Sprintf("a frame is dated %v before the one before it", (-after).Round(time.Millisecond)), true
	case d.live && age < -ahead:
		return fmt.Sprintf("a frame is dated %v in the future", (-age).Round(time.Millisecond)), true
	case d.live && age > LongAgo:
		return fmt.Sprintf("a frame is dated %v in the past", age.Round(time.Second)), true
	}
	return "", false
}
